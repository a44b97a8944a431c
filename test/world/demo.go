package world

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"casemate/internal/db/dbtest"
)

// A demo world takes the program a second and a half to make, and most tests
// need one but do not care when it was made. So the program makes one, is
// stopped, and tests begin with copies: of a folder with SQLite once in a run
// of tests, of a database of PostgreSQL once in a process.
var demos struct {
	mu       sync.Mutex
	lite     string            // the folder that copies are made of
	postgres string            // and what lies beside the database
	of       map[string]string // by database, what lies beside it
}

// Database is a fresh PostgreSQL database that has the demo world already, for
// the one world that Start begins with it.
func Database(t testing.TB) string {
	t.Helper()
	demos.mu.Lock()
	defer demos.mu.Unlock()
	url := dbtest.DatabaseWith(t, "demo", func(url string) {
		dir, err := lasting()
		if err != nil {
			t.Fatal(err)
		}
		makeDemo(t, dir, url)
		demos.postgres = dir
	})
	if demos.of == nil {
		demos.of = map[string]string{}
	}
	demos.of[url] = demos.postgres
	return url
}

// copyDemo begins the world with a copy where one will do: not where another
// program makes it, or with attachments or keys elsewhere.
func (w *World) copyDemo() {
	w.t.Helper()
	if w.o.Fresh || w.o.NoDemo || w.o.Binary != "" || slices.Contains(w.o.Args, "--blobs") || slices.Contains(w.o.Args, "--keys") {
		return
	}
	demos.mu.Lock()
	defer demos.mu.Unlock()
	from := demos.of[w.o.Database]
	if w.o.Database == "" {
		if demos.lite == "" {
			demos.lite = liteDemo(w.t)
		}
		from = demos.lite
	}
	if from == "" {
		return // the test's own database
	}
	delete(demos.of, w.o.Database)
	for _, name := range []string{"data", "data.keys", "credentials.json"} {
		if err := dbtest.Clone(filepath.Join(from, name), filepath.Join(filepath.Dir(w.Dir), name)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// lasting is a folder until the process ends.
func lasting() (string, error) {
	dir, err := os.MkdirTemp("", "casemate-demo")
	if err == nil {
		err = dbtest.RemoveAtEnd(dir, 0)
	}
	return dir, err
}

func liteDemo(t testing.TB) string {
	t.Helper()
	dir, err := lasting()
	if err == nil {
		dir = filepath.Join(dir, "demo")
		err = dbtest.Once("demo", dir, func() error {
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			makeDemo(t, dir, "")
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// makeDemo lets the shipped binary make the demo world in a folder, and stops it.
func makeDemo(t testing.TB, dir, database string) {
	t.Helper()
	config := filepath.Join(dir, "casemate.yaml")
	if err := os.WriteFile(config, []byte("drain: 1ms\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address, err := dbtest.Free()
	if err != nil {
		t.Fatal(err)
	}
	w := &World{Dir: filepath.Join(dir, "data"), address: address, o: Options{Database: database, Args: []string{"--config", config}}, t: t}
	w.launch()
	defer w.Kill() // where it is not ready
	w.ready()
	w.Stop()
	if err := <-w.done; err != nil {
		t.Fatalf("the demo world's making: %v\n%s", err, tail(w.LogText(), 4000))
	}
	w.done <- nil
}
