package ticket_test

import (
	"testing"
	"time"

	"casemate/internal/sla"
	"casemate/internal/ticket"
)

// TestWaitingMoves: who waits for an answer goes on waiting in the ticket to
// which his message goes, and no more in the one it left; undoing puts that back.
func TestWaitingMoves(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := t.Context()
		const hour = 3_600_000
		now := func() int64 { return w.db.Now().UnixMilli() }
		check := func(what, n, want string, due int64, kind sla.Kind) {
			t.Helper()
			if got := say(w.clocks(n).All); got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
			if at, k := w.dueOf(n); at != due || k != kind {
				t.Errorf("%s: the row says %d %q, want %d %q", what, at, k, due, kind)
			}
		}
		answered := func() string {
			t.Helper()
			n := w.fault1h(w.boss)
			w.clock.Add(time.Minute)
			w.ok(w.step(w.chen, n, "reply", "we are at it"))
			w.clock.Add(time.Minute)
			return n
		}
		reply := func(n, text string) string {
			t.Helper()
			w.ok(w.s.Reply(ctx, w.boss, n, "", text))
			all := w.messages(n)
			w.clock.Add(time.Minute)
			return all[len(all)-1].ID
		}

		// A new one into one that is answered, whose answer is the newest message.
		fresh := w.fault1h(w.boss)
		born := now()
		b := answered()
		_, err := w.s.Merge(ctx, w.chen, ticket.Merge{Source: fresh, Into: b})
		w.ok(err)
		at := now()
		check("merged", b, "first_answer.1 met 1m, next_answer.1 running 0m", at+hour, sla.NextAnswer)
		check("the source", fresh, "first_answer.1 stopped 2m", 0, "")
		w.clock.Add(time.Minute)
		w.ok(w.undo(w.chen, b, w.revision(b)))
		check("undone", b, "first_answer.1 met 1m, next_answer.1 stopped 1m", 0, "")
		check("the source is back", fresh, "first_answer.1 running 2m", born+hour+60000, sla.FirstAnswer)
		// The other order: the new one's own clock goes on.
		_, err = w.s.Merge(ctx, w.chen, ticket.Merge{Source: b, Into: fresh})
		w.ok(err)
		check("into the new one", fresh, "first_answer.1 running 2m", born+hour+60000, sla.FirstAnswer)

		// An answered one brings nobody who waits, an engineer's answer that comes
		// with messages answers nobody.
		c, d := answered(), answered()
		reply(c, "and?")
		since := w.clocks(c).All[1].Start
		_, err = w.s.Merge(ctx, w.chen, ticket.Merge{Source: d, Into: c})
		w.ok(err)
		check("an answered one", c, "first_answer.1 met 1m, next_answer.1 running 1m", since+hour, sla.NextAnswer)
		w.ok(w.step(w.chen, c, "reply", "done"))
		check("answered", c, "first_answer.1 met 1m, next_answer.1 met 1m", 0, "")
		e := answered()
		_, err = w.s.Merge(ctx, w.chen, ticket.Merge{Source: e, Into: c})
		w.ok(err)
		check("two answered ones", c, "first_answer.1 met 1m, next_answer.1 met 1m", 0, "")

		// Of two questions one goes, then the other: the source waits until then.
		from, to := answered(), answered()
		one, two := reply(from, "one"), reply(from, "two")
		since = w.clocks(from).All[1].Start
		move := func(from, to string, ids ...string) int64 {
			t.Helper()
			w.clock.Add(time.Minute)
			_, err := w.s.MoveMessages(ctx, w.chen, ticket.Move{From: from, To: to, Messages: ids})
			w.ok(err)
			return now()
		}
		at = move(from, to, one)
		check("one is left", from, "first_answer.1 met 1m, next_answer.1 running 3m", since+hour, sla.NextAnswer)
		check("one came", to, "first_answer.1 met 1m, next_answer.1 running 0m", at+hour, sla.NextAnswer)
		move(from, to, two)
		check("none is left", from, "first_answer.1 met 1m, next_answer.1 stopped 4m", 0, "")
		check("both came", to, "first_answer.1 met 1m, next_answer.1 running 1m", at+hour, sla.NextAnswer)
		w.clock.Add(time.Minute)
		w.ok(w.undo(w.chen, from, w.revision(from)))
		check("two is back", from, "first_answer.1 met 1m, next_answer.1 stopped 4m, next_answer.2 running 0m", now()+hour, sla.NextAnswer)
		check("one is still there", to, "first_answer.1 met 1m, next_answer.1 running 2m", at+hour, sla.NextAnswer)
		// What is answered where it came to is answered.
		w.ok(w.step(w.chen, to, "reply", "one is this"))
		move(to, from, one)
		check("an answered question leaves", to, "first_answer.1 met 1m, next_answer.1 met 2m", 0, "")

		// Split, and back.
		f := answered()
		three := reply(f, "something else")
		since = w.clocks(f).All[1].Start
		split, err := w.s.Split(ctx, w.chen, ticket.Split{Number: f, Messages: []string{three}})
		w.ok(err)
		check("split", f, "first_answer.1 met 1m, next_answer.1 stopped 1m", 0, "")
		check("split off", split.Number, "first_answer.1 running 0m", now()+hour, sla.FirstAnswer)
		w.clock.Add(time.Minute)
		w.ok(w.undo(w.chen, f, w.revision(f)))
		check("joined again", f, "first_answer.1 met 1m, next_answer.1 stopped 1m, next_answer.2 running 0m", now()+hour, sla.NextAnswer)
		if since == 0 {
			t.Error("no clock ran")
		}
	})
}
