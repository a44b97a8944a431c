package db_test

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
)

// TestReplica: surveys are answered by a hot standby and yet hold every write
// that was acknowledged before, by any node; a standby that stands still, is
// away or became a primary is passed over, and taken again when it is back.
func TestReplica(t *testing.T) {
	t.Parallel()
	primary, err := dbtest.LaunchPostgres(filepath.Join(t.TempDir(), "primary"), true)
	if err != nil {
		t.Fatal(err)
	}
	defer primary.Stop()
	base, err := primary.CreateDatabase("replicated")
	if err != nil {
		t.Fatal(err)
	}
	standby, err := dbtest.LaunchStandby(primary, filepath.Join(t.TempDir(), "standby"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { standby.Stop() }()
	open := func(u string) *db.DB {
		d, err := db.Open(t.Context(), db.Options{URL: u})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
	d := open(base + "?replica=" + url.QueryEscape(standby.URL("replicated")))
	other := open(base) // another node, which writes
	if _, _, ok := other.Surveys(); ok {
		t.Error("a replica where none is named")
	}
	n := 0
	write := func() {
		t.Helper()
		n++
		if err := other.Update(t.Context(), func(tx *db.Tx) error { put(tx, fmt.Sprint("w", n)); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	// survey counts the rows, and tells who answered.
	survey := func() (rows int, onReplica bool) {
		t.Helper()
		before, _, _ := d.Surveys()
		var recovering bool
		if err := d.Survey(t.Context(), func(tx *db.Tx) error {
			if err := tx.Get("SELECT pg_is_in_recovery()").Scan(&recovering); err != nil {
				return err
			}
			return tx.Get("SELECT count(*) FROM locks WHERE name LIKE 'w%'").Scan(&rows)
		}); err != nil {
			t.Fatal(err)
		}
		after, _, _ := d.Surveys()
		if recovering != (after > before) {
			t.Errorf("counted as on the replica: %v, it was there: %v", after > before, recovering)
		}
		return rows, recovering
	}
	there := func() {
		t.Helper()
		for until := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if _, on := survey(); on {
				return
			}
			if time.Now().After(until) {
				t.Fatal("the replica is not taken")
			}
		}
	}
	there()
	behind := 0
	for range 200 {
		write()
		rows, on := survey()
		if rows != n {
			t.Fatalf("%d rows after %d acknowledged writes, on the replica: %v", rows, n, on)
		}
		if !on {
			behind++
			there()
		}
	}
	if behind > 20 {
		t.Errorf("%d of 200 surveys found the replica behind", behind)
	}

	standbyDo := func(text string) {
		t.Helper()
		c, err := pgx.Connect(t.Context(), standby.URL("replicated"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		if _, err := c.Exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	standbyDo("SELECT pg_wal_replay_pause()")
	for range 3 {
		write()
		if rows, on := survey(); rows != n || on {
			t.Errorf("replay stands still: %d rows of %d, on the replica: %v", rows, n, on)
		}
	}
	standbyDo("SELECT pg_wal_replay_resume()")
	there()

	standby.Stop()
	write()
	if rows, on := survey(); rows != n || on {
		t.Errorf("without the replica: %d rows of %d, on it: %v", rows, n, on)
	}
	if err := standby.Start(); err != nil {
		t.Fatal(err)
	}
	there()
	standbyDo("SELECT pg_promote()") // a primary of its own now: it must not be read
	time.Sleep(1100 * time.Millisecond)
	write()
	if rows, on := survey(); rows != n || on {
		t.Errorf("the replica was promoted: %d rows of %d, on it: %v", rows, n, on)
	}
	if err := d.Survey(t.Context(), func(tx *db.Tx) error { put(tx, "no"); return nil }); err == nil {
		t.Error("a survey wrote")
	}
}
