package seal

import "time"

// Remember sets how long a person's key stays in the cache.
func (k *Keyring) Remember(d time.Duration) { k.life = d }
