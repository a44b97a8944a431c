package world

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite
)

// open opens the world's database beside the running server.
func (w *World) open(t testing.TB) (*sql.DB, bool) {
	t.Helper()
	driver, url := "pgx", w.o.Database
	if url == "" {
		driver, url = "sqlite", "file:"+filepath.Join(w.Dir, "casemate.db")+"?_pragma=busy_timeout(10000)"
	}
	for _, ours := range []string{"?listen=", "?replica="} { // not the driver's
		url, _, _ = strings.Cut(url, ours)
	}
	d, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	return d, driver == "sqlite"
}

// Exec changes the database behind the server's back: for states that only
// time brings, such as a token's end.
func (w *World) Exec(t testing.TB, query string, args ...any) {
	t.Helper()
	d, _ := w.open(t)
	defer d.Close()
	if _, err := d.ExecContext(context.Background(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// What changes in a domain without anybody's doing: the machinery's tables, and
// columns that the sealer and the clock write.
var (
	machinery = []string{"request_keys", "jobs", "locks", "event_heads", "notify_attempts", "notify_caught", "notify_messages", "ticket_counts", "ticket_deltas", "search_docs", "rule_runs"}
	clockwork = []string{"seq", "domain_seq", "hash", "last_used"}
)

// Rows is a digest, table by table, of all rows of a domain. Counters are
// compared as sums, whether folded or not.
func (w *World) Rows(t testing.TB, domain string) map[string]string {
	t.Helper()
	d, lite := w.open(t)
	defer d.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	columns := columnsOf(ctx, t, d, lite)
	out := map[string]string{}
	digest := func(name, query string) {
		rows, err := d.QueryContext(ctx, query, domain)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		defer rows.Close()
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for rows.Next() {
			values := make([]any, len(names))
			into := make([]any, len(names))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("%v", values))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		slices.Sort(lines)
		sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
		out[name] = fmt.Sprint(len(lines), " rows ", hex.EncodeToString(sum[:8]))
	}
	mark := "$1"
	if lite {
		mark = "?"
	}
	for _, table := range slices.Sorted(maps.Keys(columns)) {
		if !slices.Contains(columns[table], "domain_id") && table != "domains" || slices.Contains(machinery, table) {
			continue
		}
		var kept []string
		for _, c := range columns[table] {
			if !slices.Contains(clockwork, c) || table == "tokens" && c == "hash" {
				kept = append(kept, c)
			}
		}
		slices.Sort(kept) // the same on both databases
		key := "domain_id"
		if table == "domains" {
			key = "id"
		}
		digest(table, "SELECT "+strings.Join(kept, ", ")+" FROM "+table+" WHERE "+key+" = "+mark)
	}
	digest("counts", "SELECT creator, status, CAST(SUM(n) AS BIGINT) FROM (SELECT domain_id, creator, status, n FROM ticket_counts UNION ALL SELECT domain_id, creator, status, n FROM ticket_deltas) x WHERE creator <> '' AND domain_id = "+mark+" GROUP BY creator, status HAVING SUM(n) <> 0")
	return out
}

// columnsOf are the columns of each table.
func columnsOf(ctx context.Context, t testing.TB, d *sql.DB, lite bool) map[string][]string {
	t.Helper()
	list := `SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2`
	if lite {
		list = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1, 2"
	}
	columns := map[string][]string{}
	rows, err := d.QueryContext(ctx, list)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		columns[table] = append(columns[table], column)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return columns
}

// Stored names the columns of the whole database that hold a text somewhere.
func (w *World) Stored(t testing.TB, text string) (places []string) {
	t.Helper()
	w.EachValue(t, func(table, column string, value []byte) {
		// The index holds words, not texts.
		if !strings.HasPrefix(table, "search_index") && bytes.Contains(value, []byte(text)) {
			places = append(places, table+"."+column)
		}
	})
	slices.Sort(places)
	return slices.Compact(places)
}

// EachValue calls found for every value of every row of the database. The
// full-text index of SQLite, which gives nothing back, is left out.
func (w *World) EachValue(t testing.TB, found func(table, column string, value []byte)) {
	t.Helper()
	d, lite := w.open(t)
	defer d.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	read := func(table string) {
		rows, err := d.QueryContext(ctx, "SELECT * FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values := make([]sql.RawBytes, len(names))
			into := make([]any, len(names))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				found(table, names[i], v)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	for table := range columnsOf(ctx, t, d, lite) {
		if !lite || !strings.HasPrefix(table, "search_index") {
			read(table)
		}
	}
}

// Settled is Rows once nothing moves any more: what the set-up caused (notices,
// seals) is done.
func (w *World) Settled(t testing.TB, domain string) map[string]string {
	t.Helper()
	// Notices still on their way would change the ledger and the catcher later.
	for range 100 {
		if _, text, err := w.Operator("GET", "/desk/v1/deliveries?state=queued&limit=1", nil); err != nil || strings.Contains(text, `"items":[]`) {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	w.sealed(t, domain)
	w.counted(t)
	before := w.Rows(t, domain)
	for range 50 {
		time.Sleep(200 * time.Millisecond)
		now := w.Rows(t, domain)
		if maps.Equal(before, now) {
			return now
		}
		before = now
	}
	t.Fatal("the domain does not come to rest")
	return nil
}

// sealed waits until all that happened in the domain has its number: reports
// count nothing before.
func (w *World) sealed(t testing.TB, domain string) {
	t.Helper()
	d, lite := w.open(t)
	defer d.Close()
	query := "SELECT count(*) FROM events WHERE seq = 0 AND domain_id = $1"
	if lite {
		query = "SELECT count(*) FROM events WHERE seq = 0 AND domain_id = ?"
	}
	waiting := -1
	for range 600 {
		if err := d.QueryRowContext(t.Context(), query, domain).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		if waiting == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%d events are not sealed after a minute", waiting)
}

// counted waits until reports count all that is sealed.
func (w *World) counted(t testing.TB) {
	t.Helper()
	var system struct {
		Last int64 `json:"last_event"`
	}
	var report struct {
		Seq int64 `json:"as_of_seq"`
	}
	get := func(path string, into any) {
		_, text, err := w.Operator("GET", path, nil)
		if err == nil {
			err = json.Unmarshal([]byte(text), into)
		}
		if err != nil {
			t.Fatalf("%s: %s: %v", path, text, err)
		}
	}
	for range 200 {
		if system.Last == 0 { // what a demo just wrote is not numbered at once
			get("/desk/v1/system", &system)
		}
		if get("/desk/v1/reports/urges", &report); system.Last > 0 && report.Seq >= system.Last {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("reports do not count what happened")
}

// Changed names the tables that differ.
func Changed(before, after map[string]string) (tables []string) {
	for name, v := range after {
		if before[name] != v {
			tables = append(tables, fmt.Sprintf("%s (%s, then %s)", name, before[name], v))
		}
	}
	slices.Sort(tables)
	return tables
}
