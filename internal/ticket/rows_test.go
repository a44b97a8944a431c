package ticket_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// TestRowFilter: hundreds of random filters over random rows: what the query
// finds, counts and pages through in each order is what a plain scan finds.
func TestRowFilter(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		const n, filters = 400, 300
		rng := rand.New(rand.NewPCG(7, 24))
		pick := func(of ...string) string { return of[rng.IntN(len(of))] }
		severities := []string{""}
		for _, s := range w.catalog.Now().Severities() {
			severities = append(severities, s.ID)
		}
		statuses := append([]ticket.Status{ticket.Deleted}, ticket.Statuses...)
		var rows []ticket.Row
		var now int64
		w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error {
			rows, now = nil, tx.Now
			for i := range n {
				r := ticket.Row{Domain: pick("d1", "d2", "d3"), ID: tx.NewID(), Number: fmt.Sprintf("TS260115%013d", i), Severity: pick(severities...), Plan: pick("", "Business"),
					Product: pick("p1", "p2"), SubType: pick("0", "1"), ProblemType: pick("t1", "t2"), Region: pick("", "cn-north-1"), Language: pick("zh-cn", "en-us"),
					Assignee: pick("", w.chen.User, w.emma.User), Team: pick("", "blue"), Status: statuses[rng.IntN(len(statuses))], Ownership: ticket.Ownership(rng.IntN(3)),
					Urges: rng.IntN(2), Created: now - rng.Int64N(200)*60000, Sandbox: rng.IntN(8) == 0}
				r.Changed = r.Created + rng.Int64N(now-r.Created+1)/60000*60000
				if r.Due = rng.Int64N(3) * (now + (rng.Int64N(300)-150)*60000); rng.IntN(2) == 0 {
					r.Due = now + (rng.Int64N(300)-150)*60000
				}
				snoozed := int64(0)
				if r.Snoozed = rng.IntN(4) == 0; r.Snoozed {
					snoozed = []int64{ticket.UntilStirred, now + 60000}[rng.IntN(2)]
				}
				var tags []string
				for _, tag := range []string{"vip", "慢"} {
					if rng.IntN(3) == 0 {
						tags = append(tags, tag)
						tx.Write(1, "INSERT INTO ticket_tags (domain_id, ticket_id, tag_key, tag, added_at) VALUES (?, ?, ?, ?, 1)", r.Domain, r.ID, tag, strings.ToUpper(tag))
					}
				}
				r.Tags = strings.Join(tags, ",")
				sandbox := 0
				if r.Sandbox {
					sandbox = 1
				}
				tx.Write(1, `INSERT INTO desk_tickets (ticket_id, domain_id, number, status, severity, assignee, urges, changed_at, sandbox, creator, product, sub_type, problem_type,
					region, plan, language, created_at, ownership, isv_product, team, due_at, snoozed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?)`,
					r.ID, r.Domain, r.Number, int(r.Status), r.Severity, r.Assignee, r.Urges, r.Changed, sandbox, r.Product, r.SubType, r.ProblemType, r.Region, r.Plan, r.Language,
					r.Created, int(r.Ownership), r.Team, r.Due, snoozed)
				rows = append(rows, r)
			}
			return nil
		}))
		some := func(of ...string) (list []string) {
			if rng.IntN(3) > 0 {
				return nil
			}
			for range 1 + rng.IntN(2) {
				list = append(list, pick(of...))
			}
			return list
		}
		var all []ticket.RowFilter
		for range filters {
			f := ticket.RowFilter{Severities: some(append([]string{ticket.Nobody}, severities[1:]...)...), Plans: some(ticket.Nobody, "Business"), Products: some("p1", "p3"),
				SubTypes: some("0", "1"), ProblemTypes: some("t1"), Regions: some(ticket.Nobody, "cn-north-1"), Languages: some("zh-cn"), Domains: some("d1", "d2"),
				Teams: some("blue", ticket.Nobody)}
			switch rng.IntN(3) {
			case 0:
				f.Statuses = []ticket.Status{ticket.Submitted, ticket.Feedback}
			case 1:
				f.Statuses = []ticket.Status{ticket.Processing, ticket.Completed}
			}
			if rng.IntN(2) == 0 {
				f.Assignee = pick(ticket.Me, ticket.Nobody, w.emma.User)
			}
			if rng.IntN(4) == 0 {
				f.Owners = []ticket.Ownership{ticket.Ownership(rng.IntN(3))}
			}
			for _, into := range []*int{&f.Older, &f.Younger, &f.Unchanged} {
				if rng.IntN(5) == 0 {
					*into = 1 + rng.IntN(150)
				}
			}
			if rng.IntN(4) == 0 {
				urged := rng.IntN(2) == 0
				f.Urged = &urged
			}
			if f.Tags = some("VIP", "慢", ticket.Nobody); rng.IntN(4) == 0 {
				f.DueWithin = 1 + rng.IntN(150)
			}
			f.Snoozed = pick("", "", ticket.SnoozedNot, ticket.SnoozedOnly, ticket.SnoozedAll, ticket.SnoozedAll)
			all = append(all, f)
		}
		due := func(r ticket.Row) int64 {
			if r.Due == 0 {
				return math.MaxInt64
			}
			return r.Due
		}
		rank := func(r ticket.Row) int {
			i := slices.IndexFunc(w.catalog.Now().Severities(), func(s catalog.Severity) bool { return s.ID == r.Severity })
			if i < 0 {
				i = len(severities)
			}
			return i
		}
		orders := map[ticket.Sort]func(a, b ticket.Row) int{
			ticket.SortNewest:   func(a, b ticket.Row) int { return -strings.Compare(a.ID, b.ID) },
			ticket.SortOldest:   func(a, b ticket.Row) int { return strings.Compare(a.ID, b.ID) },
			ticket.SortSeverity: func(a, b ticket.Row) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.ID, b.ID)) },
			ticket.SortDue:      func(a, b ticket.Row) int { return cmp.Or(cmp.Compare(due(a), due(b)), strings.Compare(a.ID, b.ID)) },
			ticket.SortChanged: func(a, b ticket.Row) int {
				return cmp.Or(-cmp.Compare(a.Changed, b.Changed), -strings.Compare(a.ID, b.ID))
			},
		}
		found := 0
		w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
			found = 0
			for from := 0; from < len(all); from += 50 {
				counts, err := ticket.CountRows(tx, w.chen, all[from:from+50])
				if err != nil {
					return err
				}
				for i, got := range counts {
					f := all[from+i]
					var want []ticket.Row
					for _, r := range rows {
						if !r.Sandbox && f.Matches(r, w.chen.User, now) {
							want = append(want, r)
						}
					}
					if found += len(want); got != len(want) {
						w.t.Errorf("%+v counts %d, want %d", f, got, len(want))
					}
					sort := ticket.Sorts[i%len(ticket.Sorts)]
					slices.SortFunc(want, orders[sort])
					var page []ticket.Row
					for after := ""; ; {
						some, next, err := w.s.RowsIn(tx, w.chen, f, sort, after, 7)
						if err != nil {
							return err
						}
						page = append(page, some...)
						if after = next; after == "" {
							break
						}
					}
					if !slices.Equal(page, want) {
						w.t.Errorf("%+v by %s pages through %d rows, want %d in order", f, sort, len(page), len(want))
					}
				}
			}
			return nil
		}))
		if found < 700 {
			w.t.Errorf("only %d rows matched: the filters prove nothing", found)
		}
		for _, cursor := range []string{"x y", "1.", "0.abc", strings.Repeat("a", 33), "9999999999999999.a"} {
			err := w.db.View(w.t.Context(), func(tx *db.Tx) error {
				_, _, err := w.s.RowsIn(tx, w.chen, ticket.RowFilter{}, ticket.SortNewest, cursor, 7)
				return err
			})
			w.refused(err, "01010001")
		}
		// An open queue's count reads one index and nothing else.
		if w.db.Dialect() == db.SQLite {
			w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
				return tx.List(func(r db.Row) error {
					var id, parent, unused int
					var detail string
					if err := r.Scan(&id, &parent, &unused, &detail); err != nil {
						return err
					}
					if strings.Contains(detail, "desk_tickets") && !strings.Contains(detail, "COVERING INDEX desk_tickets_open") {
						w.t.Errorf("the plan: %s", detail)
					}
					return nil
				}, "EXPLAIN QUERY PLAN SELECT count(*) FROM desk_tickets WHERE status IN (0, 1, 2, 5, 17) AND sandbox = 0 AND status IN (0, 1) AND assignee = '' AND severity IN (?) AND team IN (?) AND due_at > 0 AND due_at <= ? AND snoozed = 0", "a", "b", 5)
			}))
		}
	})
}

// TestRelease: a supervisor gives another's ticket back, a colleague does not.
func TestRelease(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		n := w.Create(w.boss, "mine")
		w.refused(w.step(w.chen, n, ticket.StepRelease, ""), "01010002")
		w.ok(w.step(w.chen, n, "accept", ""))
		w.refused(w.step(w.emma, n, ticket.StepRelease, ""), "01010002")
		super := w.Engineer("super", "S", principal.RoleSupervisor)
		w.ok(w.step(super, n, ticket.StepRelease, "he is ill"))
		w.ok(w.step(w.emma, n, "accept", ""))
		w.ok(w.step(w.emma, n, "resolve", "solved"))
		w.ok(w.act(w.boss, n, ticket.Close))
		w.refused(w.step(w.emma, n, ticket.StepRelease, ""), "01010002")
	})
}
