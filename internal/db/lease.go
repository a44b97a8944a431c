package db

import (
	"context"
	"errors"
	"time"
)

// Lease takes or renews the lease of the name for the holder and tells whether
// it has it now, for at least three quarters of the time to live. Only one holder
// has a lease at a time, as long as the nodes' clocks agree within the time to
// live. Asking for what another one holds, or for what was renewed a moment ago,
// only reads: nodes that wait for each other's work do not wait for its row.
func (d *DB) Lease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	var theirs, fresh bool
	err := d.View(ctx, func(tx *Tx) error {
		var by string
		var until int64
		err := tx.Get("SELECT holder, held_until FROM leases WHERE name = ?", name).Scan(&by, &until)
		if errors.Is(err, ErrNone) {
			return nil
		}
		left := until - tx.Real
		theirs, fresh = by != holder && left > 0, by == holder && left > ttl.Milliseconds()*3/4 && left <= ttl.Milliseconds()
		return err
	})
	if err != nil || theirs || fresh {
		return fresh && err == nil, err
	}
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
