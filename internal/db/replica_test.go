package db_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"sync/atomic"
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

	// A standby that takes connections and says nothing: nobody waits for it.
	front := freezer(t, standby.URL("replicated"))
	e := open(base + "?replica=" + url.QueryEscape(front.url))
	look := func() (rows int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := e.Survey(ctx, func(tx *db.Tx) error {
			return tx.Get("SELECT count(*) FROM locks WHERE name LIKE 'w%'").Scan(&rows)
		}); err != nil {
			t.Error(err)
		}
		return rows
	}
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		look()
		if on, _, _ := e.Surveys(); on > 0 {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the replica behind the proxy is not taken")
		}
	}
	front.frozen.Store(true)
	_, before, _ := e.Surveys()
	began, taken := time.Now(), front.taken.Load()
	for range 30 {
		if rows := look(); rows != n {
			t.Errorf("a silent replica: %d rows of %d", rows, n)
		}
	}
	// A survey that waits for it in vain gives its connection up; the look comes by once a second.
	if tried, looks := front.taken.Load()-taken, int64(time.Since(began)/time.Second); tried > 5+2*looks {
		t.Errorf("30 surveys beside a silent replica knocked %d times in %d s", tried, looks)
	}
	if _, after, _ := e.Surveys(); after != before+30 {
		t.Errorf("the primary answered %d of 30", after-before)
	}
	front.frozen.Store(false)
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		on, _, _ := e.Surveys()
		if look(); func() bool { now, _, _ := e.Surveys(); return now > on }() {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the replica is not taken when it speaks again")
		}
	}

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

// front is a proxy before a database that can fall silent.
type front struct {
	url    string
	frozen atomic.Bool
	taken  atomic.Int64 // connections
}

func freezer(t *testing.T, database string) *front {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	f, to := &front{}, u.Host
	u.Host = l.Addr().String()
	f.url = u.String()
	pass := func(from, to net.Conn) {
		defer to.Close()
		b := make([]byte, 32<<10)
		for {
			n, err := from.Read(b)
			for f.frozen.Load() && t.Context().Err() == nil {
				time.Sleep(10 * time.Millisecond)
			}
			if n > 0 {
				if _, err := to.Write(b[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.taken.Add(1)
			s, err := net.Dial("tcp", to)
			if err != nil {
				_ = c.Close()
				continue
			}
			go pass(c, s)
			go pass(s, c)
		}
	}()
	return f
}
