package queue_test

import (
	"fmt"
	"testing"

	"casemate/internal/db"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// TestCounts: counts are exact up to 10,000, say when there are more, and a list
// counts its first 50 entries only.
func TestCounts(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		n := w.Create(w.Boss, "one")
		fill := func(from, to int) {
			w.OK(w.DB.Update(ctx, func(tx *db.Tx) error {
				tx.Write(to-from+1, `INSERT INTO desk_tickets (ticket_id, domain_id, number, status, severity, assignee, urges, changed_at)
					WITH RECURSIVE n(i) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < ?)
					SELECT t.ticket_id || 'x' || n.i, t.domain_id, t.number || n.i, t.status, t.severity, 'many', t.urges, t.changed_at FROM desk_tickets AS t, n WHERE t.number = ?`, from, to, n)
				return nil
			}))
		}
		many := ticket.RowFilter{Assignee: "many"}
		q := w.queue(queue.Queue{Filter: many})
		check := func(what string, got queue.Tally, count int, capped bool) {
			w.t.Helper()
			if got != (queue.Tally{Count: count, Capped: capped, Counted: true}) {
				w.t.Errorf("%s: %+v, want %d and capped %v", what, got, count, capped)
			}
		}
		check("a new queue", q.Tally, 0, false)
		fill(1, ticket.MaxCount)
		for _, capped := range []bool{false, true} {
			if capped {
				fill(ticket.MaxCount+1, ticket.MaxCount+2)
			}
			read, err := w.q.Queue(ctx, w.Chen, q.ID)
			w.OK(err)
			check("a queue", read.Tally, ticket.MaxCount, capped)
			read.Place++
			read, err = w.q.ChangeQueue(ctx, root, read)
			w.OK(err)
			check("a changed queue", read.Tally, ticket.MaxCount, capped)
			v, err := w.q.CreateView(ctx, w.Chen, queue.View{Name: named("v"), Filter: many})
			w.OK(err)
			check("a new view", v.Tally, ticket.MaxCount, capped)
			v, err = w.q.ChangeView(ctx, w.Chen, v)
			w.OK(err)
			check("a changed view", v.Tally, ticket.MaxCount, capped)
			p, err := w.q.QueueTickets(ctx, w.Chen, q.ID, queue.Look{Limit: 1})
			w.OK(err)
			if p.Total != ticket.MaxCount || p.Capped != capped {
				w.t.Errorf("a page says %d, capped %v, want %v", p.Total, p.Capped, capped)
			}
		}
		for i := range 60 {
			w.queue(queue.Queue{Name: named(fmt.Sprint(i)), Place: 10, Filter: ticket.RowFilter{Domains: []string{w.Foreign.Domain}}})
		}
		w.Create(w.Foreign, "theirs")
		all, err := w.q.Queues(ctx, w.Chen)
		w.OK(err)
		if len(all) != 65 {
			w.t.Fatalf("%d queues", len(all))
		}
		for i, q := range all {
			if q.Counted != (i < 50) || !q.Counted && q.Tally != (queue.Tally{}) {
				w.t.Errorf("queue %d of the list: %+v", i, q.Tally)
			}
		}
	})
}
