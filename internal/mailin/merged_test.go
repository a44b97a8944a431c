package mailin_test

import (
	"strings"
	"sync"
	"testing"

	"casemate/internal/mailin"
	"casemate/internal/notify"
	"casemate/internal/ticket"
)

// TestMergedAway: what answers a ticket that was merged away, by its signed
// address, by its mails or by its number, goes to the one it went on in, over
// several merges; behind the undo to its own again.
func TestMergedAway(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		m := w.take("support", letter("Li <li@example.com>", "support@desk.example", "disk", "it is full"))
		w.is(m, "done", "ticket", "")
		w.OK(w.Step(w.Chen, m.Number, ticket.StepAccept, ""))
		w.OK(w.Step(w.Chen, m.Number, ticket.StepAsk, "which one?"))
		w.Work()
		asked := w.sent("li@example.com", notify.TemplateAsk)
		if len(asked) != 1 {
			w.t.Fatalf("the notice: %+v", asked)
		}
		second, last := w.Create(w.Li, "second"), w.Create(w.Li, "last")
		_, err := w.Tickets.Merge(ctx, w.Chen, ticket.Merge{Source: m.Number, Into: second})
		w.OK(err)
		merged, err := w.Tickets.Merge(ctx, w.Chen, ticket.Merge{Source: second, Into: last})
		w.OK(err)
		for i, raw := range []string{
			letter("li@example.com", asked[0].Reply, "Re: x", "by its address"),
			letter("li@example.com", "support@desk.example", "Re: y", "by its mail", "In-Reply-To: <"+asked[0].MessageID+">"),
			letter("li@example.com", "support@desk.example", "Re: ticket "+m.Number, "by its number"),
		} {
			got := w.take("support", raw)
			w.is(got, "done", "message", "")
			if all := w.messages(last); got.Number != last || !strings.HasPrefix(all[len(all)-1].Text, "by its ") {
				w.t.Errorf("%d: went to %s, which says %+v", i, got.Number, all[len(all)-1])
			}
		}
		w.is(w.take("support", letter("eve@else.example", "support@desk.example", "Re: ticket "+m.Number, "a stranger")), "quarantined", "", mailin.CauseStranger)
		_, err = w.Tickets.Undo(ctx, w.Chen, last, merged.Revision)
		w.OK(err)
		if got := w.take("support", letter("li@example.com", asked[0].Reply, "Re: x", "after the undo")); got.Number != second {
			w.t.Errorf("after the undo it went to %s, want %s", got.Number, second)
		}
	})
}

// TestOneMessageID: two mails of one sender with one Message-ID and other bytes,
// handled at the same moment, make one ticket; two senders' make two.
func TestOneMessageID(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		one := letter("li@example.com", "support@desk.example", "both", "one matter")
		var ids []string
		for _, raw := range []string{one, strings.Replace(one, "Date:", "X-Hop: another\r\nDate:", 1)} {
			id, err := w.mail.Accept(w.t.Context(), mailin.Received{Raw: []byte(raw), Mailbox: "support"})
			w.OK(err)
			ids = append(ids, id)
		}
		if ids[0] == ids[1] {
			w.t.Fatal("they are one mail: this proves nothing")
		}
		before := w.count("SELECT count(*) FROM tickets")
		var workers sync.WaitGroup
		for range 4 {
			workers.Go(func() {
				if _, err := w.Jobs.Work(w.t.Context()); err != nil {
					w.t.Error(err)
				}
			})
		}
		workers.Wait()
		w.Work()
		if n := w.count("SELECT count(*) FROM tickets"); n != before+1 {
			w.t.Errorf("%d tickets were made, want 1", n-before)
		}
		numbers := map[string]bool{}
		for _, id := range ids {
			m := w.show(id)
			if m.State != "done" || m.Outcome != "ticket" && m.Cause != mailin.CauseDuplicate {
				w.t.Errorf("%+v", m)
			}
			if m.Number != "" {
				numbers[m.Number] = true
			}
		}
		if len(numbers) != 1 {
			w.t.Errorf("tickets %v", numbers)
		}
		// The same id from another sender is another mail.
		other := strings.Replace(one, "li@example.com", "guest@else.example", 1)
		if m := w.take("guests", other); m.Outcome != "ticket" || numbers[m.Number] {
			w.t.Errorf("another sender's: %+v", m)
		}
	})
}
