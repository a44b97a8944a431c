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
	"casemate/internal/fault"
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
	each(t, func(t *testing.T, url string) {
		o := o
		o.URL = url
		test(t, Open(t, o))
	})
}

// EachClock is Each with a clock that the test sets, one for each variant.
func EachClock(t *testing.T, test func(t *testing.T, d *db.DB, clock *Clock)) {
	t.Helper()
	each(t, func(t *testing.T, url string) {
		clock := NewClock(clockBegins)
		test(t, Open(t, db.Options{URL: url, Now: clock.Now}), clock)
	})
}

// Stores are the kinds of databases that storage tests run on, and what gives a
// fresh, migrated one of each: for tests that need more of it than Each gives.
// With CASEMATE_TEST_PARTITIONED (make test-long) PostgreSQL with every tenant's
// table partitioned by domain_id is one of them.
func Stores() map[string]func(testing.TB) string {
	stores := map[string]func(testing.TB) string{"sqlite": SQLiteURL, "postgres": MigratedDatabase}
	if partitionedToo() {
		stores["postgres-partitioned"] = PartitionedDatabase
	}
	return stores
}

func partitionedToo() bool { return os.Getenv("CASEMATE_TEST_PARTITIONED") != "" }

func each(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	for name, url := range Stores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, url(t))
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
	err = Once("sqlite", path, func() error {
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

// The database that all of a server begin as.
const empty = "template1"

// template is a migrated database that others are copies of.
type template struct {
	name        string
	partitioned bool
	ready       string // what is copied: name, or one that is filled as well; "" = not there yet
}

var (
	shared struct {
		once   sync.Once
		server *Postgres
		err    error
		mu     sync.Mutex // a template may have no other user while it is copied
	}
	plain       = template{name: "template_casemate"}
	partitioned = template{name: "template_partitioned", partitioned: true}
	databases   atomic.Int64
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
			os.RemoveAll(dir)
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
func MigratedDatabase(t testing.TB) string { t.Helper(); return copied(t, &plain) }

// PartitionedDatabase is MigratedDatabase with every tenant's table partitioned
// by domain_id.
func PartitionedDatabase(t testing.TB) string { t.Helper(); return copied(t, &partitioned) }

// ServerDatabase is MigratedDatabase for a server that a test starts. With
// CASEMATE_TEST_PARTITIONED (make test-long) its tables are partitioned.
func ServerDatabase(t testing.TB) string {
	t.Helper()
	if partitionedToo() {
		return PartitionedDatabase(t)
	}
	return MigratedDatabase(t)
}

// Partition migrates an empty PostgreSQL database with partitioned tables where
// CASEMATE_TEST_PARTITIONED asks for it; one that has a schema stays as it is. It
// waits half a minute for a database that is away, as behind a proxy that still
// looks for the primary.
func Partition(t testing.TB, url string) {
	t.Helper()
	if !partitionedToo() {
		return
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		err := migrateTo(url, true)
		if err == nil {
			return
		}
		if fault.KindOf(err) != fault.Unavailable || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func copied(t testing.TB, of *template) string {
	t.Helper()
	s := server(t)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if err := of.prepare(s); err != nil {
		t.Fatalf("the template of databases: %v", err)
	}
	return create(t, s, of.ready)
}

// prepare makes of.ready, with shared.mu held.
func (of *template) prepare(s *Postgres) error {
	if of.ready != "" {
		return nil
	}
	ready := of.name
	there, err := s.has(of.name)
	if err == nil && !there {
		err = s.make(of)
	}
	if err == nil && filling != nil {
		ready = of.name + "_filled"
		if err = s.copyDatabase(ready, of.name); err == nil {
			err = fill(s.url(ready) + "?listen=off")
		}
	}
	if err == nil {
		of.ready = ready
	}
	return err
}

// DatabaseWith is ServerDatabase that begins with what fill has written to one,
// once in this process for each name.
func DatabaseWith(t testing.TB, name string, fill func(url string)) string {
	t.Helper()
	s := server(t)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	name = "template_" + name
	there, err := s.has(name)
	if err == nil && !there {
		of := &plain
		if partitionedToo() {
			of = &partitioned
		}
		if err = of.prepare(s); err == nil {
			err = s.copyDatabase(name+"_new", of.ready)
		}
		if err == nil {
			fill(s.url(name + "_new")) // whatever ends the test here leaves no template behind
			err = s.exec("ALTER DATABASE " + name + "_new RENAME TO " + name)
		}
	}
	if err != nil {
		t.Fatalf("the template of databases: %v", err)
	}
	return create(t, s, name)
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
func create(t testing.TB, s *Postgres, of string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if err := s.copyDatabase(name, of); err != nil {
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
