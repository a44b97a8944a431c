package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
)

// raw opens a store's database without Casemate's engine.
func raw(t *testing.T, where string) (*sql.DB, bool) {
	t.Helper()
	if postgres := strings.HasPrefix(where, "postgres"); postgres {
		c, err := pgx.ParseConfig(where)
		if err != nil {
			t.Fatal(err)
		}
		return stdlib.OpenDB(*c), true
	}
	d, err := sql.Open("sqlite", strings.TrimPrefix(where, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	return d, false
}

// dump is every row of every table as text, sorted.
func dump(t *testing.T, where string) map[string][]string {
	t.Helper()
	d, _ := raw(t, where)
	defer d.Close()
	tables := tablesOf(t, d, strings.HasPrefix(where, "postgres"))
	all := map[string][]string{}
	for _, table := range tables {
		rows, err := d.Query("SELECT * FROM " + table)
		if err != nil {
			t.Fatal(err)
		}
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			row, to := make([]any, len(names)), make([]any, len(names))
			for i := range row {
				to[i] = &row[i]
			}
			if err := rows.Scan(to...); err != nil {
				t.Fatal(err)
			}
			var fields []string
			for i, v := range row {
				fields = append(fields, fmt.Sprintf("%s=%T:%v", names[i], v, v))
			}
			slices.Sort(fields)
			all[table] = append(all[table], strings.Join(fields, "|"))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		slices.Sort(all[table])
	}
	return all
}

// tablesOf are a database's tables as the database itself names them.
func tablesOf(t *testing.T, d *sql.DB, postgres bool) (names []string) {
	t.Helper()
	query := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
	if postgres {
		query = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
	}
	rows, err := d.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(name, "search_") && name != "goose_db_version" {
			names = append(names, name)
		}
	}
	if err := rows.Err(); err != nil || len(names) < 80 {
		t.Fatalf("%d tables, %v", len(names), err)
	}
	return names
}

// fill writes n random rows into each table, of every kind of value.
func fill(t *testing.T, where string, r *rand.Rand, n int) {
	t.Helper()
	d, postgres := raw(t, where)
	defer d.Close()
	tables := tablesOf(t, d, postgres)
	tx, err := d.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	}()
	texts := []string{"", "a", "B", "é", "工单", "~", "😀", "line\nbreak", "'quote'", "%", "ab", "Ab", "\u0001"}
	for _, table := range tables {
		query := "SELECT name, type FROM pragma_table_info('" + table + "')"
		if postgres {
			query = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '" + table + "' AND table_schema = current_schema()"
		}
		rows, err := tx.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		var names, kinds []string
		for rows.Next() {
			var name, kind string
			if err := rows.Scan(&name, &kind); err != nil {
				t.Fatal(err)
			}
			names, kinds = append(names, name), append(kinds, strings.ToLower(kind))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		for range n {
			var values []any
			var marks []string
			for i, kind := range kinds {
				var v any
				switch kind {
				case "text":
					v = texts[r.IntN(len(texts))] + fmt.Sprint(r.IntN(1<<30))
				case "bigint", "integer":
					v = r.Int64() - r.Int64()
				default:
					b := make([]byte, r.IntN(20))
					for i := range b {
						b[i] = byte(r.Uint32())
					}
					v = b
				}
				values = append(values, v)
				if marks = append(marks, "?"); postgres {
					marks[i] = fmt.Sprintf("$%d", i+1)
				}
			}
			if _, err := tx.Exec("INSERT INTO "+table+" ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(marks, ", ")+")", values...); err != nil {
				t.Fatalf("%s: %v", table, err)
			}
		}
	}
}

// TestSync: after a Sync every table of the target holds the source's rows,
// whatever it held before, between both engines and through a cut.
func TestSync(t *testing.T) {
	t.Parallel()
	for name, urls := range map[string]func(t *testing.T) (from, to string){
		"sqlite to postgres": func(t *testing.T) (string, string) { return dbtest.SQLiteURL(t), dbtest.MigratedDatabase(t) },
		"postgres to sqlite": func(t *testing.T) (string, string) { return dbtest.MigratedDatabase(t), dbtest.SQLiteURL(t) },
		"sqlite to sqlite":   func(t *testing.T) (string, string) { return dbtest.SQLiteURL(t), dbtest.SQLiteURL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := urls(t)
			for _, where := range []string{from, to} { // the schemas
				d, err := db.Open(t.Context(), db.Options{URL: where})
				if err == nil {
					err = d.Close()
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			r := rand.New(rand.NewPCG(7, uint64(len(name))))
			fill(t, from, r, 40)
			fill(t, to, r, 7) // what is there already and does not belong

			cut, cancel := context.WithCancel(t.Context())
			_, err := db.Sync(cut, from, to, db.SyncOptions{Each: func(p db.Progress) {
				if p.Done > p.Total/2 {
					cancel()
				}
			}})
			cancel()
			if err == nil {
				t.Error("a Sync that was cut off says that it ended")
			}
			var last db.Progress
			report, err := db.Sync(t.Context(), from, to, db.SyncOptions{Each: func(p db.Progress) { last = p }})
			if err != nil {
				t.Fatal(err)
			}
			if last.Done != last.Total || last.Total == 0 {
				t.Errorf("progress ended at %+v", last)
			}
			want := dump(t, from)
			if got := dump(t, to); !maps.EqualFunc(got, want, slices.Equal) {
				t.Error("the stores differ")
			}
			for _, s := range report {
				if int(s.Rows) != len(want[s.Table]) {
					t.Errorf("%s: %d rows, want %d", s.Table, s.Rows, len(want[s.Table]))
				}
			}

			// A unique value that wanders from row to row stands in nobody's way.
			d, postgres := raw(t, from)
			defer d.Close()
			swap := "UPDATE tickets SET number = 'moved' || number WHERE domain_id > 'a'"
			if _, err := d.Exec(swap); err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{
				"INSERT INTO leases (name, holder, held_until) VALUES ('one', 'x', 1)", "DELETE FROM locks", "UPDATE jobs SET id = id || 'x'",
				"UPDATE partners SET name = 'other' || name",
			} {
				if _, err := d.Exec(text); err != nil {
					t.Fatal(err, postgres)
				}
			}
			if report, err = db.Sync(t.Context(), from, to, db.SyncOptions{}); err != nil {
				t.Fatal(err)
			}
			if got, want := dump(t, to), dump(t, from); !maps.EqualFunc(got, want, slices.Equal) {
				t.Error("after changes the stores differ")
			}
			changed := map[string]bool{}
			for _, s := range report {
				if !s.Equal() {
					changed[s.Table] = true
				}
			}
			if len(changed) != 5 || !changed["tickets"] || !changed["leases"] || !changed["locks"] || !changed["jobs"] || !changed["partners"] {
				t.Errorf("changed tables: %v", changed)
			}
			if report, err = db.Sync(t.Context(), from, to, db.SyncOptions{}); err != nil || slices.ContainsFunc(report, func(s db.TableSync) bool { return !s.Equal() }) {
				t.Errorf("a third time: %v", err)
			}
			if report, err = db.Sync(t.Context(), to, from, db.SyncOptions{}); err != nil || slices.ContainsFunc(report, func(s db.TableSync) bool { return !s.Equal() }) {
				t.Errorf("and back: %v", err)
			}
		})
	}
}
