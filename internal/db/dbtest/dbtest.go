// Package dbtest gives tests fresh databases: every storage test runs on a
// SQLite file and on PostgreSQL. PostgreSQL is started from the binaries found
// on the machine, once per test process, and ends with it.
package dbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
		clock := NewClock(clockBegins)
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

// Filled makes the migrated databases of this process (SQLiteURL,
// MigratedDatabase, Each) begin with what fill writes: what every test of a
// package would write first is written once. The clock stands where EachClock's
// begins. It is called before any test, by a package's init or TestMain.
func Filled(fill func(d *db.DB) error) { filling = fill }

var filling func(d *db.DB) error

func fill(url string) error {
	if filling == nil {
		return nil
	}
	d, err := db.Open(context.Background(), db.Options{URL: url, Now: NewClock(clockBegins).Now})
	if err != nil {
		return err
	}
	return errors.Join(filling(d), d.Close())
}

var sqliteTemplate = sync.OnceValues(func() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "casemate-sqlite")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "template.db")
	err = once("sqlite", path, func() error {
		d, err := db.Open(context.Background(), db.Options{URL: path})
		if err != nil {
			return err
		}
		return d.Close()
	})
	if err != nil {
		return nil, err
	}
	if err := fill(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// files is this process's folder for SQLite files.
var files = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp(quick(), "casemate-sqlite")
	if err != nil {
		return "", err
	}
	return dir, RemoveAtEnd(dir, 0)
})

// SQLiteURL is the URL of a fresh, migrated SQLite file.
func SQLiteURL(t testing.TB) string {
	t.Helper()
	file, err := sqliteTemplate()
	if err != nil {
		t.Fatal(err)
	}
	base, err := files()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(base, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "casemate.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

// The databases that the others of a server are copies of.
const (
	empty    = "template1"
	migrated = "template_casemate"
	filled   = "template_filled"
)

var (
	shared struct {
		once   sync.Once
		server *Postgres
		err    error
		mu     sync.Mutex // a template may have no other user while it is copied
		from   string     // what MigratedDatabase copies, "" = not there yet
	}
	databases atomic.Int64
)

// server is this process's PostgreSQL for tests that do not need durability.
func server(t testing.TB) *Postgres {
	t.Helper()
	shared.once.Do(func() {
		dir, err := os.MkdirTemp(quick(), "casemate-postgres")
		if err != nil {
			shared.err = err
			return
		}
		if shared.server, shared.err = LaunchPostgres(filepath.Join(dir, "pg"), false); shared.err != nil {
			return
		}
		shared.err = RemoveAtEnd(dir, shared.server.cmd.Process.Pid)
	})
	if shared.err != nil {
		t.Fatalf("PostgreSQL for tests (make setup installs it): %v", shared.err)
	}
	return shared.server
}

// MigratedDatabase is the URL of a fresh, migrated PostgreSQL database.
func MigratedDatabase(t testing.TB) string {
	t.Helper()
	s := server(t)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.from == "" {
		from := migrated
		there, err := s.has(migrated)
		if err == nil && !there {
			err = s.migratedTemplate()
		}
		if err == nil && filling != nil {
			from = filled
			if err = s.copyDatabase(filled, migrated); err == nil {
				err = fill(s.url(filled) + "?listen=off")
			}
		}
		if err != nil {
			t.Fatalf("the template of databases: %v", err)
		}
		shared.from = from
	}
	return create(t, s, shared.from)
}

// EmptyDatabase is the URL of a fresh PostgreSQL database without tables.
func EmptyDatabase(t testing.TB) string {
	t.Helper()
	s := server(t)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	return create(t, s, empty)
}

// create makes a database for a test, with shared.mu held.
func create(t testing.TB, s *Postgres, template string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if err := s.copyDatabase(name, template); err != nil {
		t.Fatal(err)
	}
	// A file that is gone is not written to the disk any more.
	t.Cleanup(func() {
		if err := s.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"); err != nil {
			t.Logf("%s stays: %v", name, err)
		}
	})
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

// clockBegins is where the clocks of EachClock stand at first.
var clockBegins = time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC)

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
