//go:build long

package door

import (
	"strings"
	"testing"
	"time"

	"casemate/test/world"
)

// TestManySlowClients: two thousand slow senders of headers and as many of
// bodies; and connections that rest for longer than five minutes, as the Java
// SDK's pool lets them, are still good (threats.md E8).
func TestManySlowClients(t *testing.T) {
	t.Run("slow", func(t *testing.T) { slowClients(t, 2000, true) })
	t.Run("idle", func(t *testing.T) {
		w := world.Start(t, world.Options{Direct: true})
		resting(t, strings.TrimPrefix(w.URL, "http://"), 1000, 5*time.Minute+10*time.Second)
	})
}
