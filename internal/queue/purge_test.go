package queue_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// TestPurge: old runs go in batches until none is left, running ones and young
// ones stay; bulk runs go with their items after 90 days; counts of a rule's runs
// are its own and stop at 10,000.
func TestPurge(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		n := w.Create(w.Boss, "one")
		r := w.rule(queue.ModeShadow, queue.Definition{When: on("ticket.urge"), Then: []queue.Action{{Do: "resume"}}})
		other := w.rule(queue.ModeShadow, queue.Definition{When: on("ticket.urge"), Then: []queue.Action{{Do: "resume"}}})
		fill := func(rule, state string, from, to int, at int64) {
			w.OK(w.DB.Update(ctx, func(tx *db.Tx) error {
				tx.Write(to-from+1, `INSERT INTO rule_runs (domain_id, rule_id, event_id, id, ticket_id, rule_version, mode, state, kind, depth, chain, code, steps, outcomes, tries, claimed_by, claimed_until, at, done_at)
					WITH RECURSIVE n(i) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < ?)
					SELECT d.domain_id, CAST(? AS TEXT), 'e' || n.i, CAST(? AS TEXT) || n.i, d.ticket_id, 1, 'on', CAST(? AS TEXT), 'ticket.urge', 1, CAST(? AS TEXT), '', '[]', '[]', 1, '', 0, CAST(? AS BIGINT), 1
					FROM desk_tickets AS d, n WHERE d.number = ?`, from, to, rule, rule, state, rule, at, n)
				return nil
			}))
		}
		counts := func(want string) {
			w.t.Helper()
			one, err := w.q.Rule(ctx, w.Chen, r.ID)
			w.OK(err)
			all, err := w.q.Rules(ctx, w.Chen)
			w.OK(err)
			if got := fmt.Sprint(one.Runs, all[0].Runs, all[1].Runs); got != want {
				w.t.Errorf("runs: %s, want %s", got, want)
			}
		}
		old := w.DB.Now().UnixMilli()
		fill(r.ID, "done", 1, 2500, old)
		fill(r.ID, "running", 2501, 2501, old)
		fill(other.ID, "failed", 1, ticket.MaxCount+1, old)
		counts("map[done:2500 running:1] map[done:2500 running:1] map[failed:10000]")
		var bulks []string
		run := func() {
			b, err := w.q.RunBulk(ctx, w.Chen, queue.NewBulk{Numbers: []string{n}, Actions: []queue.Action{{Do: "tag", Tags: []string{"a"}}}})
			w.OK(err)
			bulks = append(bulks, b.ID)
		}
		for range 25 {
			run()
		}
		w.Clock.Add(91 * 24 * time.Hour)
		fill(r.ID, "done", 3001, 3003, w.DB.Now().UnixMilli())
		run()
		held := w.Create(w.Boss, "held")
		w.OK(w.DB.Update(ctx, func(tx *db.Tx) error { // of two bulk runs the ticket is under a legal hold, and one run of a rule
			tx.Write(1, `INSERT INTO privacy_holds (id, kind, domain_id, subject_id, reason, held_until, created_at, actor, released_at, released_by, release_reason)
				SELECT 'h', 'ticket', domain_id, ticket_id, '', 0, 1, 'u', 0, '', '' FROM desk_tickets /* all domains: a test */ WHERE number = ?`, held)
			tx.Write(db.Any, "UPDATE rule_runs SET ticket_id = (SELECT subject_id FROM privacy_holds) WHERE rule_id = ? AND event_id = 'e7' /* all domains: a test */", r.ID)
			tx.Write(db.Any, "UPDATE bulk_items SET ticket_id = (SELECT subject_id FROM privacy_holds) WHERE bulk_id IN (?, ?) /* all domains: a test */", bulks[0], bulks[1])
			return nil
		}))
		w.OK(w.q.PurgeRuleRuns(ctx))
		w.OK(w.q.PurgeBulks(ctx))
		counts("map[done:4 running:1] map[done:4 running:1] map[]")
		for _, id := range bulks[:2] {
			if _, err := w.q.ShowBulk(ctx, w.Chen, id); err != nil {
				w.t.Errorf("a bulk run under a hold: %v", err)
			}
		}
		w.OK(w.DB.Update(ctx, func(tx *db.Tx) error { tx.Write(1, "UPDATE privacy_holds SET released_at = 1"); return nil }))
		w.OK(w.q.PurgeRuleRuns(ctx))
		w.OK(w.q.PurgeBulks(ctx))
		counts("map[done:3 running:1] map[done:3 running:1] map[]")
		left := map[string]int{}
		w.OK(w.DB.View(ctx, func(tx *db.Tx) error {
			var items int
			err := tx.Get("SELECT count(*) FROM bulk_items /* all domains: a test */").Scan(&items)
			left["items"] = items
			return err
		}))
		if left["items"] != 1 {
			w.t.Errorf("%d items of bulk runs are left", left["items"])
		}
		for i, id := range bulks {
			_, err := w.q.ShowBulk(ctx, w.Chen, id)
			if i < 25 && fault.KindOf(err) != fault.NotFound || i == 25 && err != nil {
				w.t.Errorf("bulk run %d: %v", i, err)
			}
		}
		if w.DB.Dialect() != db.SQLite {
			return
		}
		for _, sql := range []string{
			"SELECT r.id FROM rule_runs AS r JOIN desk_tickets AS d ON d.domain_id = r.domain_id AND d.ticket_id = r.ticket_id WHERE 1 = 1 ORDER BY r.id DESC LIMIT 51",
			"SELECT r.id FROM rule_runs AS r JOIN desk_tickets AS d ON d.domain_id = r.domain_id AND d.ticket_id = r.ticket_id WHERE 1 = 1 AND r.state = 'done' AND r.id < 'x' ORDER BY r.id DESC LIMIT 51",
			"SELECT domain_id, rule_id, event_id FROM rule_runs WHERE at < 5 AND state <> 'running' ORDER BY at LIMIT 1000",
			"SELECT 1 FROM rule_runs AS u WHERE u.rule_id = 'a' AND u.state = 'b' LIMIT 10000",
			"SELECT id FROM bulk_runs WHERE created_at < 5 ORDER BY created_at LIMIT 10",
		} {
			w.OK(w.DB.View(ctx, func(tx *db.Tx) error {
				return tx.List(func(row db.Row) error {
					var id, parent, unused int
					var detail string
					err := row.Scan(&id, &parent, &unused, &detail)
					if strings.Contains(detail, "TEMP B-TREE") || strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "USING") {
						w.t.Errorf("%s: %s", sql, detail)
					}
					return err
				}, "EXPLAIN QUERY PLAN "+sql)
			}))
		}
	})
}
