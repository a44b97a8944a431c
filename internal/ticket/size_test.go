//go:build long

package ticket_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/ticket"
)

// TestSize measures what a ticket with six messages takes on PostgreSQL, indexes
// and all, for the arithmetic of docs/SCALING.md.
func TestSize(t *testing.T) {
	t.Parallel()
	url := dbtest.MigratedDatabase(t)
	clock := dbtest.NewClock(time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC))
	w := open(t, dbtest.Open(t, db.Options{URL: url, Now: clock.Now}), clock, ticket.Options{})
	w.unlimited()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	sizes := func() map[string]int64 {
		rows, err := c.Query(t.Context(), "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
		if err != nil {
			t.Fatal(err)
		}
		out, name, n := map[string]int64{}, "", int64(0)
		if _, err := pgx.ForEachRow(rows, []any{&name, &n}, func() error { out[name] = n; return nil }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	before := sizes()
	const tickets, texts = 400, 6
	words := strings.Fields("登录 后 页面 空白 the console shows error timeout after upgrade 数据库 连接 失败 region node restart 配额 invoice")
	text := func(i, length int) string {
		var b strings.Builder
		for j := 0; b.Len() < length; j++ {
			fmt.Fprintf(&b, "%s%d ", words[(i*7+j*j)%len(words)], (i*31+j)%997)
		}
		return b.String()
	}
	for i := range tickets {
		n := w.create(w.li, text(i, 400))
		w.ok(w.talk(n, i, texts, text))
	}
	grownTo := func() (total int64) {
		for name, n := range sizes() {
			total += max(0, n-before[name])
		}
		return total / tickets
	}
	loose := grownTo() // the tests' PostgreSQL does not clean up by itself
	if _, err := c.Exec(t.Context(), "VACUUM FULL"); err != nil {
		t.Fatal(err)
	}
	all, total := sizes(), int64(0)
	type part struct {
		name string
		n    int64
	}
	var parts []part
	for name := range maps.Keys(all) {
		if grown := (all[name] - before[name]) / tickets; grown > 0 {
			total += grown
			parts = append(parts, part{name, grown})
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return int(b.n - a.n) })
	for _, p := range parts[:min(12, len(parts))] {
		t.Logf("%-20s %6d bytes a ticket", p.name, p.n)
	}
	if total < 2000 {
		t.Errorf("a ticket takes %d bytes: that was not measured", total)
	}
	t.Logf("REPORT a ticket with %d messages takes %.1f kB on PostgreSQL, indexes and history included, %.1f kB before old versions of rows are cleaned up\n",
		texts, float64(total)/1000, float64(loose)/1000)
}

// talk lets an engineer and the customer answer each other.
func (w *world) talk(number string, i, n int, text func(i, length int) string) error {
	if err := w.step(w.chen, number, "accept", ""); err != nil {
		return err
	}
	for j := range n / 2 {
		if err := w.step(w.chen, number, "reply", text(i+j, 250)); err != nil {
			return err
		}
		w.clock.Add(time.Second)
		if err := w.s.Reply(w.t.Context(), w.li, number, "", text(i+j+50, 250)); err != nil {
			return err
		}
	}
	return nil
}
