package db

import (
	"context"
	"errors"
	"time"
)

// Lease takes or renews the lease of the name for the holder and tells whether
// it has it now. Only one holder has a lease at a time, as long as the nodes'
// clocks agree within the time to live.
func (d *DB) Lease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	return Do(ctx, d, func(tx *Tx) (bool, error) {
		var got string
		err := tx.Get(`INSERT INTO leases (name, holder, held_until) VALUES (?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
			WHERE leases.holder = excluded.holder OR leases.held_until <= ? RETURNING holder`,
			name, holder, tx.Real+ttl.Milliseconds(), tx.Real).Scan(&got)
		if errors.Is(err, ErrNone) {
			return false, nil
		}
		return err == nil, err
	})
}

// Release gives the lease back, if the holder has it.
func (d *DB) Release(ctx context.Context, name, holder string) error {
	return d.Update(ctx, func(tx *Tx) error {
		tx.Write(Any, "DELETE FROM leases WHERE name = ? AND holder = ?", name, holder)
		return nil
	})
}
