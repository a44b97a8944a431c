package crash

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// TestMigrateKill kills the program while it brings an empty database to its
// schema, again after each few steps: the next start goes on where it stopped,
// and what comes out is the schema of an undisturbed start. Two programs that
// start together migrate once; a schema of a later version is refused, and told
// (threats.md E14).
func TestMigrateKill(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			whole := newInstall(t, engine)
			if out, err := whole.command("init").CombinedOutput(); err != nil {
				t.Fatal(err, string(out))
			}
			newest, want := whole.version(), whole.schema(t)
			if newest < 40 {
				t.Fatalf("schema %d", newest)
			}

			killed := newInstall(t, engine)
			kills, seen := 0, 0
			for killed.version() < newest && kills < newest {
				cmd := killed.command("init")
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				at := killed.version()
				ended := make(chan error, 1)
				go func() { ended <- cmd.Wait() }()
				for over := false; !over; {
					select {
					case <-ended:
						over = true
					default:
						if killed.version() >= at+3 {
							_ = cmd.Process.Kill()
							<-ended
							over = true
						} else {
							time.Sleep(200 * time.Microsecond)
						}
					}
				}
				if now := killed.version(); now < newest {
					kills++
				} else {
					seen = now
				}
			}
			if out, err := killed.command("init").CombinedOutput(); err != nil && !strings.Contains(string(out), "has an administrator") {
				t.Errorf("the last start: %v %s", err, out)
			}
			if got := killed.schema(t); got != want || killed.version() != newest {
				t.Errorf("after %d kills schema %d differs from an undisturbed one: %s", kills, killed.version(), firstDifference(got, want))
			}
			if kills < 4 {
				t.Errorf("%d kills hit a migration, the last saw schema %d of %d", kills, seen, newest)
			}

			twice := newInstall(t, engine)
			var both sync.WaitGroup
			for range 2 {
				both.Go(func() { _ = twice.command("init").Run() }) // one makes the administrator, the other finds him
			}
			both.Wait()
			if got := twice.schema(t); got != want {
				t.Errorf("two starts at once: %s", firstDifference(got, want))
			}

			twice.exec(t, fmt.Sprintf("INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, %s)", newest+1, map[string]string{"sqlite": "1", "postgres": "true"}[engine]))
			before := twice.schema(t)
			serve := twice.command("serve", "--listen", "127.0.0.1:0")
			out, err := serve.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "newer binary") || twice.schema(t) != before {
				t.Errorf("a schema of a later version: %v %s", err, out)
			}
			t.Logf("REPORT migrations on %s: %d steps, killed %d times on the way, same schema", engine, newest, kills)
		})
	}
}

// install is a data folder and a database of its own, nothing in them.
type install struct {
	binary, dir, database, engine string
	db                            *sql.DB
}

func newInstall(t *testing.T, engine string) *install {
	i := &install{binary: world.Binary(t), dir: filepath.Join(t.TempDir(), "data"), engine: engine}
	driver, url := "sqlite", "file:"+filepath.Join(i.dir, "casemate.db")+"?_pragma=busy_timeout(10000)&mode=ro"
	if engine == "postgres" {
		i.database = dbtest.EmptyDatabase(t)
		driver, url = "pgx", i.database
	}
	var err error
	if i.db, err = sql.Open(driver, url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.db.Close() })
	return i
}

func (i *install) command(args ...string) *exec.Cmd {
	args = append(args, "--data", i.dir)
	if i.database != "" {
		args = append(args, "--database", i.database)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // a start that should be refused must not hang
	cmd := exec.CommandContext(ctx, i.binary, args...)
	context.AfterFunc(ctx, cancel)
	return cmd
}

// version is the last step that is done, 0 of an empty database.
func (i *install) version() (n int) {
	if i.engine == "sqlite" {
		if _, err := os.Stat(filepath.Join(i.dir, "casemate.db")); err != nil {
			return 0
		}
	}
	if i.db.QueryRow("SELECT max(version_id) FROM goose_db_version").Scan(&n) != nil {
		return 0 // no such table yet, or the file is being made
	}
	return n
}

func (i *install) exec(t *testing.T, text string) {
	t.Helper()
	d := i.db
	if i.engine == "sqlite" {
		var err error
		if d, err = sql.Open("sqlite", filepath.Join(i.dir, "casemate.db")); err != nil {
			t.Fatal(err)
		}
		defer d.Close()
	}
	if _, err := d.Exec(text); err != nil {
		t.Fatal(err)
	}
}

// schema is what the database's own catalogue says, and the steps that are done.
func (i *install) schema(t *testing.T) string {
	t.Helper()
	texts := []string{"SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master ORDER BY type, name"}
	if i.engine == "postgres" {
		texts = []string{"SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1",
			"SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
			"SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1"}
	}
	texts = append(texts, "SELECT 'step ' || version_id FROM goose_db_version ORDER BY version_id")
	var b strings.Builder
	for _, text := range texts {
		rows, err := i.db.Query(text)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			b.WriteString(s + "\n")
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func firstDifference(a, b string) string {
	have, want := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(have), len(want)) {
		if have[i] != want[i] {
			return fmt.Sprintf("%q, want %q", have[i], want[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(have), len(want))
}
