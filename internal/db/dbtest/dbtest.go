// Package dbtest gives tests fresh databases: every storage test runs on a
// SQLite file and on PostgreSQL. PostgreSQL is started from the binaries found
// on the machine, once per test process, and ends with it.
package dbtest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"casemate/internal/db"
)

// Each runs the test on a fresh migrated database of each kind.
func Each(t *testing.T, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	EachWith(t, db.Options{}, test)
}

// EachWith is Each with options; URL is set here. The variants run in parallel:
// what the options point to is shared by them, so a clock to set is not given
// here but by EachClock.
func EachWith(t *testing.T, o db.Options, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	each(t, func(t *testing.T, url string, partitioned bool) {
		o := o
		o.URL, o.Partitioned = url, partitioned
		test(t, Open(t, o))
	})
}

// EachClock is Each with a clock that the test sets, one for each variant.
func EachClock(t *testing.T, test func(t *testing.T, d *db.DB, clock *Clock)) {
	t.Helper()
	each(t, func(t *testing.T, url string, partitioned bool) {
		clock := NewClock(time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC))
		test(t, Open(t, db.Options{URL: url, Partitioned: partitioned, Now: clock.Now}), clock)
	})
}

func each(t *testing.T, test func(t *testing.T, url string, partitioned bool)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLiteURL(t), false)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, MigratedDatabase(t), false)
	})
	if os.Getenv("CASEMATE_TEST_PARTITIONED") != "" {
		t.Run("postgres-partitioned", func(t *testing.T) {
			t.Parallel()
			test(t, EmptyDatabase(t), true)
		})
	}
}

// Open opens a database and closes it when the test ends.
func Open(t testing.TB, o db.Options) *db.DB {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	d, err := db.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

var sqliteTemplate struct {
	once sync.Once
	file []byte
	err  error
}

// SQLiteURL is the URL of a fresh, migrated SQLite file.
func SQLiteURL(t testing.TB) string {
	t.Helper()
	sqliteTemplate.once.Do(func() {
		dir, err := os.MkdirTemp("", "casemate-sqlite")
		if err != nil {
			sqliteTemplate.err = err
			return
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "template.db")
		d, err := db.Open(context.Background(), db.Options{URL: path})
		if err != nil {
			sqliteTemplate.err = err
			return
		}
		if err := d.Close(); err != nil {
			sqliteTemplate.err = err
			return
		}
		sqliteTemplate.file, sqliteTemplate.err = os.ReadFile(path)
	})
	if sqliteTemplate.err != nil {
		t.Fatal(sqliteTemplate.err)
	}
	path := filepath.Join(t.TempDir(), "casemate.db")
	if err := os.WriteFile(path, sqliteTemplate.file, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

var (
	shared struct {
		once     sync.Once
		server   *Postgres
		template string
		err      error
		mu       sync.Mutex // a template may have no other user while it is copied
		lifeline io.Closer  // removeBehind's pipe: kept, or the collector would close it
	}
	databases atomic.Int64
)

// server is this process's PostgreSQL for tests that do not need durability.
func server(t testing.TB) *Postgres {
	t.Helper()
	shared.once.Do(func() {
		dir, err := os.MkdirTemp("", "casemate-postgres")
		if err != nil {
			shared.err = err
			return
		}
		if shared.err = removeBehind(dir); shared.err != nil {
			return
		}
		if shared.server, shared.err = LaunchPostgres(filepath.Join(dir, "pg"), false); shared.err != nil {
			return
		}
		url, err := shared.server.CreateDatabase("template_casemate")
		if err != nil {
			shared.err = err
			return
		}
		d, err := db.Open(context.Background(), db.Options{URL: url + "?listen=off"})
		if err != nil {
			shared.err = err
			return
		}
		shared.err = d.Close()
	})
	if shared.err != nil {
		t.Fatalf("PostgreSQL for tests (make setup installs it): %v", shared.err)
	}
	return shared.server
}

// removeBehind removes the shared server's folder once this process has ended,
// however it ends: a shell waits for the end of a pipe that only this process
// holds, then for the server. It has half a minute.
func removeBehind(dir string) error {
	wait := exec.Command("sh", "-c", `read -r never; n=0
		while [ -e "$0/pg/cluster/postmaster.pid" ] && [ $n -lt 300 ]; do sleep 0.1; n=$((n+1)); done
		rm -rf "$0"`, dir)
	wait.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is for the tests
	var err error
	if shared.lifeline, err = wait.StdinPipe(); err != nil {
		return err
	}
	return wait.Start()
}

// MigratedDatabase is the URL of a fresh, migrated PostgreSQL database.
func MigratedDatabase(t testing.TB) string {
	t.Helper()
	return create(t, "template_casemate")
}

// EmptyDatabase is the URL of a fresh PostgreSQL database without tables.
func EmptyDatabase(t testing.TB) string {
	t.Helper()
	return create(t, "template1")
}

func create(t testing.TB, template string) string {
	t.Helper()
	s := server(t)
	name := fmt.Sprintf("test_%d", databases.Add(1))
	shared.mu.Lock()
	defer shared.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		t.Fatal(err)
	}
	return s.url(name)
}

// DurableDatabase is the URL of an empty database on a PostgreSQL of its own
// that syncs as in production.
func DurableDatabase(t testing.TB) string {
	t.Helper()
	s, err := LaunchPostgres(filepath.Join(t.TempDir(), "pg"), true)
	if err != nil {
		t.Fatalf("PostgreSQL for tests (make setup installs it): %v", err)
	}
	t.Cleanup(s.Stop)
	url, err := s.CreateDatabase("casemate")
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// Clock is a clock that tests set.
type Clock struct{ ms atomic.Int64 }

// NewClock starts at an instant.
func NewClock(at time.Time) *Clock {
	c := new(Clock)
	c.ms.Store(at.UnixMilli())
	return c
}

// Now is the set time.
func (c *Clock) Now() time.Time { return time.UnixMilli(c.ms.Load()).UTC() }

// Add moves the clock.
func (c *Clock) Add(d time.Duration) { c.ms.Add(d.Milliseconds()) }
