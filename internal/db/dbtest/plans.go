package dbtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"casemate/internal/db"
)

// Plan is how PostgreSQL carried out one statement.
type Plan struct {
	Text    string              // the statement
	Scanned map[string][]string // by alias, the tables and partitions that were really read
}

// Explained is the URL of a fresh PostgreSQL database whose server writes down
// how it carries out each statement, with the values it was given, and a
// function that reads what came since the last call. One test of a process may
// have one.
func Explained(t testing.TB) (url string, plans func() []Plan) {
	t.Helper()
	url = EmptyDatabase(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	name := pgx.Identifier{c.Config().Database}.Sanitize()
	for _, s := range []string{"session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0", "auto_explain.log_format = 'json'",
		"auto_explain.log_analyze = on", "auto_explain.log_timing = off"} {
		if _, err := c.Exec(ctx, "ALTER DATABASE "+name+" SET "+s); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(s, "session") { // or the library's own settings are unknown
			if _, err := c.Exec(ctx, "LOAD 'auto_explain'"); err != nil {
				t.Fatalf("auto_explain comes with PostgreSQL's contrib package: %v", err)
			}
		}
	}
	path := filepath.Join(server(t).dir, "log")
	read := 0
	plans = func() (all []Plan) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text = text[:bytes.LastIndexByte(text, '\n')+1]
		fresh := text[min(read, len(text)):]
		read = len(text)
		// A message's further lines begin with a tab.
		for entry := range bytes.SplitSeq(bytes.ReplaceAll(fresh, []byte("\n\t"), []byte(" ")), []byte("\n")) {
			_, body, ok := bytes.Cut(entry, []byte(" ms  plan:"))
			if !ok {
				continue
			}
			var p struct {
				Text string `json:"Query Text"`
				Plan node
			}
			if err := json.Unmarshal(body, &p); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			one := Plan{Text: p.Text, Scanned: map[string][]string{}}
			p.Plan.walk(one.Scanned)
			all = append(all, one)
		}
		return all
	}
	return url, plans
}

// node is one of a plan in JSON.
type node struct {
	Kind     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Alias    string  `json:"Alias"`
	Loops    float64 `json:"Actual Loops"`
	Plans    []node
}

// walk gathers the relations that were read. A partition's alias is its
// table's with a number: tickets_1.
func (n node) walk(scanned map[string][]string) {
	if n.Relation != "" && n.Kind != "ModifyTable" && n.Loops > 0 {
		scanned[n.Alias] = append(scanned[n.Alias], n.Relation)
	}
	for _, child := range n.Plans {
		child.walk(scanned)
	}
}

// String is for messages of tests.
func (p Plan) String() string { return fmt.Sprintf("%v in %s", p.Scanned, p.Text) }

// PlanOf is how the database would carry out a query on tables that are too long to be
// read from end to end.
func PlanOf(t testing.TB, d *db.DB, sql string, args ...any) string {
	t.Helper()
	var lines []string
	err := d.View(t.Context(), func(tx *db.Tx) error {
		lines = nil
		explain := "EXPLAIN "
		if d.Dialect() == db.SQLite {
			explain = "EXPLAIN QUERY PLAN "
		} else {
			var off string
			if err := tx.Get("SELECT set_config('enable_seqscan', 'off', true)").Scan(&off); err != nil {
				return err
			}
		}
		return tx.List(func(r db.Row) error {
			var line string
			into := []any{&line}
			if d.Dialect() == db.SQLite {
				var id, parent, unused int
				into = []any{&id, &parent, &unused, &line}
			}
			err := r.Scan(into...)
			lines = append(lines, line)
			return err
		}, explain+sql, args...)
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
