package queue_test

import (
	"testing"

	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// TestUndoBulk: a run is taken back ticket by ticket, the last change first;
// what cannot be undone stays and is told, in both languages; a repeat does
// nothing twice.
func TestUndoBulk(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx, lead := t.Context(), w.lead()
		a, b, c := w.Create(w.Li, "one"), w.Create(w.Li, "two"), w.Create(w.Li, "three")
		run := func(acts []queue.Action, numbers ...string) queue.Bulk {
			t.Helper()
			out, err := w.q.RunBulk(ctx, w.Chen, queue.NewBulk{Numbers: numbers, Actions: acts})
			w.OK(err)
			return out
		}
		ran := run([]queue.Action{{Do: "assign", To: "emma"}, {Do: "tag", Tags: []string{"批量"}}, {Do: "pause"}}, a, b, c, "TS2601010000000000000")
		if ran.Refused != 1 {
			t.Fatalf("%+v", ran)
		}
		w.OK(w.Step(w.Emma, b, "resume", "")) // stands in the way of the pause
		if _, err := w.q.UndoBulk(ctx, w.Emma, ran.ID); !isFault(err, queue.ErrNoBulk) {
			t.Errorf("another engineer undoes it: %v", err)
		}
		out, err := w.q.UndoBulk(ctx, lead, ran.ID)
		w.OK(err)
		if out.Undone != 2 || out.Refused != 1 || len(out.Items) != 4 || len(out.Items[3].Outcomes) != 0 {
			t.Errorf("%+v", out)
		}
		for i, n := range []string{a, b, c} {
			now, item := w.show(n), out.Items[i]
			if n == b { // the resume needs the pause; the assignment needs nothing
				if item.OK() || item.Outcomes[0].Refusal == nil || item.Outcomes[0].Do != "pause" || item.Outcomes[1].Refusal != nil {
					t.Errorf("%+v", item)
				}
				continue
			}
			if !item.OK() || now.Status != ticket.Submitted || now.Assignee != "" || len(now.Tags) != 0 || item.Outcomes[2].Version != now.Revision || item.Outcomes[0].Do != "pause" {
				t.Errorf("%s: %+v, %d %q %v", n, item, now.Status, now.Assignee, now.Tags)
			}
		}
		before := w.show(a).Revision
		again, err := w.q.UndoBulk(ctx, w.Chen, ran.ID)
		w.OK(err)
		if again.Undone != 2 || w.show(a).Revision != before || again.Items[0].Outcomes[0].Version != 0 {
			t.Errorf("the repeat: %+v", again)
		}
		// Texts stay, what came before them goes.
		ran = run([]queue.Action{{Do: "tag", Tags: []string{"vip"}}, {Do: "reply", Text: words("您好", "hello")}}, c)
		out, err = w.q.UndoBulk(ctx, w.Chen, ran.ID)
		w.OK(err)
		if item := out.Items[0]; item.OK() || item.Outcomes[0].Refusal == nil || item.Outcomes[1].Refusal != nil || len(w.show(c).Tags) != 0 {
			t.Errorf("%+v", item)
		}
	})
}
