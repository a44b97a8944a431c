package db_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
)

func count(t *testing.T, d *db.DB) (n int) {
	t.Helper()
	err := d.View(t.Context(), func(tx *db.Tx) error {
		return tx.Get("SELECT count(*) FROM locks").Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func put(tx *db.Tx, name string) {
	tx.Write(1, "INSERT INTO locks (domain_id, name, n) VALUES (?, ?, 1)", "d", name)
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		if err := d.Update(ctx, func(tx *db.Tx) error { put(tx, "a"); put(tx, "b"); return nil }); err != nil {
			t.Fatal(err)
		}
		boom := errors.New("boom")
		if err := d.Update(ctx, func(tx *db.Tx) error { put(tx, "c"); return boom }); !errors.Is(err, boom) {
			t.Fatalf("err = %v", err)
		}
		if err := d.Update(ctx, func(tx *db.Tx) error { put(tx, "a"); return nil }); !errors.Is(err, db.ErrTaken) {
			t.Fatalf("taken: %v", err)
		}
		for sql, want := range map[string]int{
			"UPDATE locks SET n = 5 WHERE name = 'zzz' AND domain_id = ?":                                        1,
			"DELETE FROM locks WHERE domain_id = ?":                                                              1,
			"UPDATE locks SET n = 6 WHERE domain_id = ?":                                                         3,
			"INSERT INTO locks (domain_id, name, n) VALUES (?, 'a', 1) ON CONFLICT (domain_id, name) DO NOTHING": 1,
		} {
			if err := d.Update(ctx, func(tx *db.Tx) error { tx.Write(want, sql, "d"); return nil }); !errors.Is(err, db.ErrRows) {
				t.Errorf("%s wanting %d: %v", sql, want, err)
			}
		}
		if err := d.Update(ctx, func(tx *db.Tx) error { return d.Update(tx.Context(), func(*db.Tx) error { return nil }) }); !errors.Is(err, db.ErrNested) {
			t.Errorf("nested update: %v", err)
		}
		if err := d.View(ctx, func(tx *db.Tx) error { put(tx, "x"); return nil }); !errors.Is(err, db.ErrReadOnly) {
			t.Errorf("write in a view: %v", err)
		}
		if n := count(t, d); n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
		err := d.Update(ctx, func(tx *db.Tx) error {
			put(tx, "own")
			var n int
			if err := tx.Get("SELECT count(*) FROM locks WHERE domain_id = ?", "d").Scan(&n); err != nil {
				return err
			}
			if n != 3 {
				t.Errorf("an update does not see its own write: %d", n)
			}
			return tx.Get("SELECT n FROM locks WHERE domain_id = ? AND name = 'none ? \"'", "d").Scan(&n)
		})
		if !errors.Is(err, db.ErrNone) {
			t.Errorf("no row: %v", err)
		}
	})
}

// TestNeighbours: a failing and a panicking update in a group take nothing of
// the others with them.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var wg sync.WaitGroup
		var panics, fails atomic.Int32
		for i := range 200 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				defer func() {
					if recover() != nil {
						panics.Add(1)
					}
				}()
				err := d.Update(context.Background(), func(tx *db.Tx) error {
					put(tx, fmt.Sprint("row ", i))
					switch i % 10 {
					case 3:
						return errors.New("refused")
					case 7:
						panic("bug")
					}
					return nil
				})
				if err != nil {
					fails.Add(1)
				}
			}()
		}
		wg.Wait()
		if panics.Load() != 20 || fails.Load() != 20 {
			t.Errorf("%d panics, %d failures, want 20 each", panics.Load(), fails.Load())
		}
		if n := count(t, d); n != 160 {
			t.Errorf("%d rows, want 160", n)
		}
	})
}

// TestOptimistic: updates that read, then write on condition, lose nothing.
func TestOptimistic(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if err := d.Update(t.Context(), func(tx *db.Tx) error { put(tx, "counter"); return nil }); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var done atomic.Int64
		for range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range 10 {
					err := d.Update(context.Background(), func(tx *db.Tx) error {
						var n int64
						if err := tx.Get("SELECT n FROM locks WHERE domain_id = ? AND name = ?", "d", "counter").Scan(&n); err != nil {
							return err
						}
						tx.Write(1, "UPDATE locks SET n = ? WHERE domain_id = ? AND name = ? AND n = ?", n+1, "d", "counter", n)
						return nil
					})
					if err == nil {
						done.Add(1)
					} else if !errors.Is(err, db.ErrRows) {
						t.Error(err)
					}
				}
			}()
		}
		wg.Wait()
		var n int64
		if err := d.View(t.Context(), func(tx *db.Tx) error {
			return tx.Get("SELECT n FROM locks WHERE domain_id = ? AND name = ?", "d", "counter").Scan(&n)
		}); err != nil {
			t.Fatal(err)
		}
		if n != 1+done.Load() || done.Load() == 0 {
			t.Errorf("counter %d after %d acknowledged updates", n, done.Load())
		}
	})
}

func TestRequestKey(t *testing.T) {
	t.Parallel()
	for _, sealed := range []bool{false, true} {
		o := db.Options{}
		if sealed {
			flip := func(b []byte) ([]byte, error) {
				out := make([]byte, len(b))
				for i := range b {
					out[i] = b[i] ^ 0x5a
				}
				return out, nil
			}
			o.Seal, o.Unseal = flip, flip
		}
		t.Run(fmt.Sprint("sealed ", sealed), func(t *testing.T) {
			dbtest.EachWith(t, o, func(t *testing.T, d *db.DB) {
				type result struct{ ID string }
				var runs atomic.Int32
				ask := func(key string, fail error) (result, bool, error) {
					ctx := db.WithRequestKey(context.Background(), db.RequestKey{ID: key, Domain: "d", Until: d.Now().Add(time.Hour).UnixMilli()})
					r, err := db.Do(ctx, d, func(tx *db.Tx) (result, error) {
						if fail != nil {
							return result{}, fail
						}
						runs.Add(1)
						id := tx.NewID()
						put(tx, id)
						return result{id}, nil
					})
					return r, db.Replayed(ctx), err
				}
				if _, _, err := ask("k", errors.New("refused")); err == nil {
					t.Fatal("a refusal is no error")
				}
				var mu sync.Mutex
				got := map[string]int{}
				var wg sync.WaitGroup
				for range 12 {
					wg.Add(1)
					go func() {
						defer wg.Done()
						r, _, err := ask("k", nil)
						if err != nil {
							t.Error(err)
						}
						mu.Lock()
						got[r.ID]++
						mu.Unlock()
					}()
				}
				wg.Wait()
				if len(got) != 1 || count(t, d) != 1 {
					t.Errorf("12 equal requests gave %d results and %d rows", len(got), count(t, d))
				}
				r, replayed, err := ask("k", nil)
				if err != nil || !replayed || got[r.ID] == 0 {
					t.Errorf("a late repeat: %v, replayed %v, %v", r, replayed, err)
				}
				if r, replayed, _ := ask("other", nil); replayed || got[r.ID] != 0 {
					t.Error("another key got the same result")
				}
			})
		})
	}
}

func TestPurgeRequestKeys(t *testing.T) {
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		base := d.Now()
		for i := range 3 {
			ctx := db.WithRequestKey(t.Context(), db.RequestKey{ID: fmt.Sprint(i), Until: base.Add(time.Duration(i) * time.Hour).UnixMilli()})
			if err := d.Update(ctx, func(*db.Tx) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := d.PurgeRequestKeys(t.Context()); err != nil || n != 1 {
			t.Errorf("purged %d, %v, want the one that is over", n, err)
		}
	})
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		ran := false
		if err := d.Update(ctx, func(tx *db.Tx) error { ran = true; return nil }); !errors.Is(err, context.Canceled) || ran {
			t.Errorf("a cancelled update: %v, ran %v", err, ran)
		}
	})
}

func TestLate(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		order := []string{}
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Late(func(tx *db.Tx) error { order = append(order, "late"); put(tx, "late"); return nil })
			tx.After(func() { order = append(order, "after") })
			put(tx, "first")
			order = append(order, "first")
			return nil
		})
		if err != nil || fmt.Sprint(order) != "[first late after]" || count(t, d) != 2 {
			t.Errorf("order %v, %d rows, %v", order, count(t, d), err)
		}
		if err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Late(func(tx *db.Tx) error { put(tx, "never"); return nil })
			return errors.New("refused")
		}); err == nil || count(t, d) != 2 {
			t.Errorf("late work of a refused update ran: %d rows", count(t, d))
		}
		order = nil
		if err := d.Update(t.Context(), func(tx *db.Tx) error {
			for range 3 {
				tx.Last("once", func(tx *db.Tx) error { order = append(order, "last"); put(tx, "last"); return nil })
				tx.Late(func(tx *db.Tx) error { order = append(order, "late"); return nil })
			}
			return nil
		}); err != nil || fmt.Sprint(order) != "[late late late last]" || count(t, d) != 3 {
			t.Errorf("order %v, %d rows, %v", order, count(t, d), err)
		}
	})
}

func TestIDs(t *testing.T) {
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		last := ""
		for i := range 5000 {
			if i%1000 == 500 {
				clock.Add(-time.Second)
			}
			if i%700 == 0 {
				clock.Add(3 * time.Second)
			}
			id := d.NewID()
			if len(id) != 26 || id <= last {
				t.Fatalf("id %q after %q", id, last)
			}
			last = id
		}
	})
}

func TestLease(t *testing.T) {
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		want := func(holder string, want bool) {
			t.Helper()
			got, err := d.Lease(t.Context(), "work", holder, 10*time.Second)
			if err != nil || got != want {
				t.Errorf("lease for %s = %v, %v, want %v", holder, got, err, want)
			}
		}
		want("a", true)
		want("b", false)
		want("a", true)
		clock.Add(11 * time.Second)
		want("b", true)
		want("a", false)
		if err := d.Release(t.Context(), "work", "b"); err != nil {
			t.Fatal(err)
		}
		want("a", true)
	})
}

func TestWake(t *testing.T) {
	t.Parallel()
	url := dbtest.MigratedDatabase(t)
	a, b := dbtest.Open(t, db.Options{URL: url}), dbtest.Open(t, db.Options{URL: url})
	woken := b.Wake("topic")
	deadline := time.After(10 * time.Second)
	for {
		if err := a.Update(t.Context(), func(tx *db.Tx) error { tx.Wake("topic"); return nil }); err != nil {
			t.Fatal(err)
		}
		select {
		case <-woken:
			return
		case <-deadline:
			t.Fatal("the other node was not woken")
		case <-time.After(100 * time.Millisecond): // its LISTEN may not have begun
		}
	}
}

// TestBackup: a copy made under load opens, passes the engine's own check and
// holds all that was acknowledged before it began.
func TestBackup(t *testing.T) {
	t.Parallel()
	url := dbtest.SQLiteURL(t)
	d := dbtest.Open(t, db.Options{URL: url})
	var acked atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := d.Update(context.Background(), func(tx *db.Tx) error { put(tx, fmt.Sprint(w, "-", i)); return nil }); err != nil {
					t.Error(err)
					return
				}
				acked.Add(1)
			}
		}()
	}
	for acked.Load() < 200 {
		time.Sleep(time.Millisecond)
	}
	before := acked.Load()
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := db.CopySQLite(t.Context(), strings.TrimPrefix(url, "sqlite:"), path); err != nil {
		t.Fatal(err)
	}
	close(stop)
	wg.Wait()
	c := dbtest.Open(t, db.Options{URL: path})
	var check string
	if err := c.View(t.Context(), func(tx *db.Tx) error { return tx.Get("PRAGMA integrity_check").Scan(&check) }); err != nil || check != "ok" {
		t.Errorf("integrity %q, %v", check, err)
	}
	if n := count(t, c); int64(n) < before {
		t.Errorf("the copy has %d rows, %d were acknowledged before", n, before)
	}
	if err := db.CopySQLite(t.Context(), strings.TrimPrefix(url, "sqlite:"), path); err == nil {
		t.Error("a backup overwrote a file")
	}
}

func TestTwoOpenAtOnce(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "new.db"), "postgres": dbtest.EmptyDatabase(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var wg sync.WaitGroup
			for range 3 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					d, err := db.Open(context.Background(), db.Options{URL: url})
					if err != nil {
						t.Error(err)
						return
					}
					if err := d.Close(); err != nil {
						t.Error(err)
					}
				}()
			}
			wg.Wait()
		})
	}
}

// TestPartitionedMigrations applies the migrations with every tenant's table
// PARTITION BY HASH (domain_id): the constraint distributed engines put on keys.
func TestPartitionedMigrations(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Options{URL: dbtest.EmptyDatabase(t), Partitioned: true})
	tables, err := db.TenantTables()
	if err != nil {
		t.Fatal(err)
	}
	var parted []string
	if err := d.View(t.Context(), func(tx *db.Tx) error {
		return tx.List(func(r db.Row) error {
			var name string
			err := r.Scan(&name)
			parted = append(parted, name)
			return err
		}, "SELECT c.relname FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid ORDER BY 1")
	}); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(parted) != fmt.Sprint(tables) {
		t.Errorf("partitioned %v, tenants' tables %v", parted, tables)
	}
	t.Logf("REPORT partitioned by domain_id: %d tables\n", len(parted))
}

// TestManyReaders: more readers at once than connections, each with statements
// nobody has prepared before, all come to an end.
func TestManyReaders(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		done := make(chan error)
		const readers = 64
		for i := range readers {
			go func() {
				done <- d.View(ctx, func(tx *db.Tx) error {
					for j := range 5 {
						var n int
						if err := tx.Get(fmt.Sprintf("SELECT count(*) + %d FROM locks WHERE domain_id = ?", i*5+j), "d").Scan(&n); err != nil {
							return err
						}
						if n != i*5+j {
							t.Errorf("reader %d got %d", i, n)
						}
					}
					return nil
				})
			}()
		}
		for range readers {
			select {
			case err := <-done:
				if err != nil {
					t.Fatal(err)
				}
			case <-ctx.Done():
				t.Fatal("readers wait for each other")
			}
		}
	})
}
