package db_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
)

// TestClock: tx.Now is the time of the clock in the context, in reads, writes
// and what is done late; tx.Real and ids are the installation's.
func TestClock(t *testing.T) {
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		const ahead = 3 * 24 * 3600 * 1000
		real := clock.Now().UnixMilli()
		ctx := db.WithClock(t.Context(), ahead)
		is := func(where string, tx *db.Tx, now int64) {
			if tx.Now != now || tx.Real != real {
				t.Errorf("%s: now %d, real %d, want %d and %d", where, tx.Now, tx.Real, now, real)
			}
		}
		for _, tt := range []struct {
			name string
			ctx  context.Context
			now  int64
		}{{"sandbox", ctx, real + ahead}, {"none", t.Context(), real}, {"taken away", db.WithClock(ctx, 0), real}, {"another", db.WithClock(ctx, 5), real + 5}} {
			if got := d.NowIn(tt.ctx).UnixMilli(); got != tt.now {
				t.Errorf("%s: NowIn %d, want %d", tt.name, got, tt.now)
			}
			if err := d.View(tt.ctx, func(tx *db.Tx) error { is(tt.name+", view", tx, tt.now); return nil }); err != nil {
				t.Fatal(err)
			}
			err := d.Update(tt.ctx, func(tx *db.Tx) error {
				is(tt.name+", update", tx, tt.now)
				tx.Late(func(tx *db.Tx) error { is(tt.name+", late", tx, tt.now); return nil })
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestClockOfDoor: results of repeated requests and leases do not follow a
// domain's clock: a repeat days ahead in the sandbox is still a repeat.
func TestClockOfDoor(t *testing.T) {
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		ask := func(ahead time.Duration) string {
			ctx := db.WithClock(context.Background(), ahead.Milliseconds())
			ctx = db.WithRequestKey(ctx, db.RequestKey{ID: "k", Domain: "d", Until: clock.Now().Add(time.Hour).UnixMilli()})
			id, err := db.Do(ctx, d, func(tx *db.Tx) (string, error) { id := tx.NewID(); put(tx, id); return id, nil })
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		first := ask(0)
		if second := ask(3 * 24 * time.Hour); second != first || count(t, d) != 1 {
			t.Errorf("a repeat on another clock had an effect of its own: %d rows", count(t, d))
		}
		if n, err := d.PurgeRequestKeys(db.WithClock(t.Context(), 24*3600*1000)); err != nil || n != 0 {
			t.Errorf("%d results were purged early: %v", n, err)
		}
		if mine, err := d.Lease(db.WithClock(t.Context(), 1000), "l", "a", time.Minute); err != nil || !mine {
			t.Errorf("a free lease: %v %v", mine, err)
		}
		if mine, err := d.Lease(db.WithClock(t.Context(), 3600*1000), "l", "b", time.Minute); err != nil || mine {
			t.Errorf("a lease was taken on another clock: %v %v", mine, err)
		}
	})
}

// TestErase: every table of domains is known, rows of the others stay.
func TestErase(t *testing.T) {
	t.Parallel()
	tables, err := db.DomainTables()
	if err != nil {
		t.Fatal(err)
	}
	tenants, err := db.TenantTables()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(tenants, "jobs", "request_keys", "desk_tickets", "tokens", "access_keys", "locks") {
		if !slices.Contains(tables, name) {
			t.Errorf("%s is not among the tables of domains", name)
		}
	}
	if slices.Index(tables, "ticket_deltas") > slices.Index(tables, "ticket_counts") {
		t.Error("counters would be erased before their deltas")
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		row := func(domain string) {
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				tx.Write(1, "INSERT INTO locks (domain_id, name, n) VALUES (?, 'x', 1)", domain)
				tx.Write(1, "INSERT INTO jobs (id, kind, domain_id, args, unique_key, state, urgent, run_at, tries, lease_until, lease_by, last_error, created_at) VALUES (?, 'k', ?, '', '', 'waiting', 0, 0, 0, 0, '', '', 0)", domain, domain)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		row("a")
		row("b")
		if err := d.Update(t.Context(), func(tx *db.Tx) error { return db.Erase(tx, "a", "locks") }); err != nil {
			t.Fatal(err)
		}
		if err := d.Update(t.Context(), func(tx *db.Tx) error { return db.Erase(tx, "a", "no_such_table") }); err == nil {
			t.Error("a table that does not exist is kept without a word")
		}
		var locks, jobs int
		err := d.View(t.Context(), func(tx *db.Tx) error {
			if err := tx.Get("SELECT count(*) FROM locks").Scan(&locks); err != nil {
				return err
			}
			return tx.Get("SELECT count(*) FROM jobs WHERE domain_id = 'b'").Scan(&jobs)
		})
		if err != nil || locks != 2 || jobs != 1 {
			t.Errorf("%d locks and %d jobs are left, want 2 and 1: %v", locks, jobs, err)
		}
	})
}
