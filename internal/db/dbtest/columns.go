package dbtest

import (
	"sync"
	"testing"

	"casemate/internal/db"
)

var columns sync.Map // by kind of database and table

// Columns are the names of a table's columns, sorted. Each kind of database is
// asked once in a process: all have the same, and PostgreSQL takes long to tell.
func Columns(t testing.TB, d *db.DB, table string) (names []string) {
	t.Helper()
	type key struct {
		kind  db.Dialect
		table string
	}
	at := key{d.Dialect(), table}
	if known, ok := columns.Load(at); ok {
		return known.([]string)
	}
	sql := "SELECT name FROM pragma_table_info('" + table + "') ORDER BY name"
	if d.Dialect() == db.Postgres {
		sql = "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = '" + table + "' ORDER BY column_name"
	}
	err := d.View(t.Context(), func(tx *db.Tx) error {
		names = nil
		return tx.List(func(r db.Row) error {
			var name string
			err := r.Scan(&name)
			names = append(names, name)
			return err
		}, sql)
	})
	if err != nil || len(names) == 0 {
		t.Fatalf("columns of %s: %v %v", table, names, err)
	}
	columns.Store(at, names)
	return names
}
