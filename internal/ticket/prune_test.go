package ticket_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/ticket"
)

var partition = regexp.MustCompile(`^(\w+)_p(\d+)$`)

// spread are the tenants' tables of a plan with the numbers of the partitions
// that were read, over all places in the statement where the table stands.
func spread(p dbtest.Plan) map[string][]string {
	parts := map[string][]string{}
	for _, relations := range p.Scanned {
		for _, r := range relations {
			if m := partition.FindStringSubmatch(r); m != nil && !slices.Contains(parts[m[1]], m[2]) {
				parts[m[1]] = append(parts[m[1]], m[2])
			}
		}
	}
	return parts
}

// TestPrune: what customers' requests send to a database partitioned by
// domain_id reads one partition of each tenant's table, the domain's. The
// database says so itself: these are the plans it ran, not guesses.
func TestPrune(t *testing.T) {
	t.Parallel()
	tenant, err := db.TenantTables()
	if err != nil {
		t.Fatal(err)
	}
	url, plans := dbtest.Explained(t)
	clock := dbtest.NewClock(time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC))
	// One connection: after a few rounds the server chooses plans that serve any value, and those must prune too.
	w := open(t, dbtest.Open(t, db.Options{URL: url + "?listen=off&pool_max_conns=1", Partitioned: true, Now: clock.Now}), clock, ticket.Options{})
	ctx := t.Context()
	w.unlimited()

	// The test must be able to fail: a question without a domain reads them all.
	plans()
	if err := w.db.View(ctx, func(tx *db.Tx) error {
		var n int
		return tx.Get("SELECT count(*) FROM tickets /* all domains: to see it */").Scan(&n)
	}); err != nil {
		t.Fatal(err)
	}
	all := plans()
	if i := slices.IndexFunc(all, func(p dbtest.Plan) bool { return strings.HasSuffix(p.Text, "/* all domains: to see it */") }); i < 0 || len(spread(all[i])["tickets"]) != 4 {
		t.Fatalf("a count over all domains: %v", all)
	}

	statements, touched, seen := 0, map[string]bool{}, map[string]bool{}
	check := func(what string) {
		t.Helper()
		for _, p := range plans() {
			statements++
			seen[p.Text] = true
			parts, home := spread(p), ""
			for table, numbers := range parts {
				touched[table] = true
				if !slices.Contains(tenant, table) {
					t.Errorf("%s reads %s, which is not a tenant's table", what, table)
				}
				if len(numbers) != 1 {
					t.Errorf("%s reads partitions %v of %s: %v", what, numbers, table, p)
				}
				if home != "" && numbers[0] != home {
					t.Errorf("%s reads partitions of two domains: %v", what, p)
				}
				home = numbers[0]
			}
		}
	}
	run := func(what string, do func() error) {
		t.Helper()
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		check(what)
	}

	for round := range 7 { // from the sixth on a plan may be kept
		var number, file string
		var label int64
		me := w.li
		if round%3 == 2 {
			me = w.foreign
		}
		other := w.create(me, "another")
		check("create")
		run("upload", func() error { file = w.upload(me, "a.txt"); return nil })
		run("create with a file", func() (err error) {
			d := w.draft(fmt.Sprint("prune ", round))
			d.Attachments = []string{file}
			number, err = w.s.Create(ctx, me, d)
			return err
		})
		run("show", func() error { _, _, err := w.s.Show(ctx, me, number, ""); return err })
		run("list", func() error { _, _, err := w.s.List(ctx, me, ticket.Filter{}); return err })
		run("list, main account, filtered", func() error {
			_, _, err := w.s.List(ctx, w.boss, ticket.Filter{Words: []string{"prune"}, Statuses: []ticket.Status{0, 1}, From: 1, To: clock.Now().UnixMilli()})
			return err
		})
		run("counts of what is filtered", func() error {
			_, err := w.s.CountsOf(ctx, w.boss, ticket.Filter{Text: "prune", From: 1, To: clock.Now().UnixMilli()})
			return err
		})
		run("counts", func() error { _, err := w.s.Counts(ctx, me); return err })
		run("quota", func() error { _, _, err := w.s.Quota(ctx, me, w.problem, ""); return err })
		run("message", func() error { return w.s.Reply(ctx, me, number, "", "more") })
		run("messages", func() error { _, _, err := w.s.Messages(ctx, me, number, "", 0, 10); return err })
		run("messages before", func() error { _, _, err := w.s.Older(ctx, me, number, "", ticket.Before{}, 10); return err })
		run("log", func() error { _, _, err := w.s.Log(ctx, me, number, "", "en-us", 0, 10); return err })
		run("poll", func() error { _, _, err := w.s.Poll(ctx, me, []string{number, other}, "", ""); return err })
		run("unread", func() error { _, err := w.s.Unread(ctx, me, []string{number, other}, ""); return err })
		run("mark read", func() error { return w.s.MarkRead(ctx, me, number, "") })
		run("clocks", func() error { _, err := w.s.Clocks(ctx, me, number, ""); return err })
		run("create a label", func() (err error) {
			label, err = w.s.CreateLabel(ctx, me, fmt.Sprint("label ", round), "#123456")
			return err
		})
		run("labels", func() error { _, _, err := w.s.Labels(ctx, me, "", 0, 0, 10); return err })
		run("put a label on", func() error { return w.s.AddLabels(ctx, me, number, []int64{label}) })
		run("list by label", func() error { _, err := w.s.TicketLabels(ctx, me, number); return err })
		run("take a label off", func() error { return w.s.RemoveLabels(ctx, me, number, []int64{label}) })
		run("relate", func() error { return w.s.Relate(ctx, me, number, "", []string{other}) })
		run("relations", func() error { _, err := w.s.Relations(ctx, me, number); return err })
		run("change of contact", func() error {
			return w.s.ChangeContact(ctx, me, ticket.ContactChange{Number: number, Extension: ticket.Extension{Copies: &[]string{"c@example.org"}}})
		})
		run("copies", func() error { _, _, err := w.s.Copies(ctx, me); return err })
		run("cancel", func() error { return w.act(me, number, ticket.Cancel) })
		run("delete", func() error { return w.act(me, number, ticket.Delete) })
		clock.Add(time.Second)
	}
	for _, must := range []string{"tickets", "messages", "ticket_counts", "labels", "ticket_labels", "attachments"} {
		if !touched[must] {
			t.Errorf("no statement touched %s: the test does not see what it should", must)
		}
	}
	if len(seen) < 40 {
		t.Errorf("only %d statements were seen: %s", len(seen), strings.Join(slices.Sorted(maps.Keys(seen)), "\n"))
	}
	t.Logf("REPORT pruned to one partition: %d statements of %d texts over %d tenants' tables\n", statements, len(seen), len(touched))
}
