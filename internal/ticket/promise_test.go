package ticket_test

import (
	"testing"

	"casemate/internal/ticket"
)

// TestPromised: what is promised before the ticket exists is what its clocks
// hold once it does.
func TestPromised(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		rule, due, err := w.s.Promised(ctx, w.li, w.problem, "")
		w.ok(err)
		if rule.First == 0 || due <= w.clock.Now().UnixMilli() {
			w.t.Fatalf("%v %d", rule.First, due)
		}
		n := w.create(w.li, "as promised")
		c, err := w.s.Clocks(ctx, w.li, n, "")
		w.ok(err)
		if c.RuleID != rule.ID() || c.All[0].Due-due < 0 || c.All[0].Due-due > 10 { // each transaction is a little later
			w.t.Errorf("promised %s %d, got %s %d", rule.ID(), due, c.RuleID, c.All[0].Due)
		}
		_, _, err = w.s.Promised(ctx, w.li, "no such type", "")
		w.refused(err, "01010001")
		_, _, err = w.s.Promised(ctx, w.li, w.problem, "no such severity")
		w.refused(err, "01010006")
		_, _, err = w.s.Promised(ctx, w.chen, w.problem, "")
		w.refused(err, "01010002")
	})
}

// TestMarks: tickets by domain and id, of all domains, whoever made them;
// unknown ones are left out.
func TestMarks(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		a, b := w.create(w.li, "one"), w.create(w.foreign, "two")
		one, err := w.s.DeskShow(ctx, w.chen, a)
		w.ok(err)
		two, err := w.s.DeskShow(ctx, w.chen, b)
		w.ok(err)
		keys := [][2]string{{one.Domain, one.ID}, {two.Domain, two.ID}, {one.Domain, two.ID}, {one.Domain, "nothing"}}
		got, err := w.s.Marks(ctx, keys)
		w.ok(err)
		if len(got) != 2 || got[keys[0]] != (ticket.Mark{Number: a, Creator: w.li.User}) || got[keys[1]].Number != b {
			w.t.Errorf("%v", got)
		}
		if none, err := w.s.Marks(ctx, nil); err != nil || len(none) != 0 {
			w.t.Errorf("%v %v", none, err)
		}
	})
}
