package queue_test

import (
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// after seals what happened and lets what follows from it follow; twice, for
// nothing may happen twice.
func (w *team) after() {
	w.t.Helper()
	w.told()
	for range 2 {
		w.OK(w.q.FollowDesk(w.t.Context()))
	}
	w.OK(w.DB.Update(w.t.Context(), func(tx *db.Tx) error { // as by a node that died before the cursor moved
		tx.Write(1, "UPDATE desk_cursors SET seq = 0 WHERE name = 'aftermath'")
		return nil
	}))
	w.OK(w.q.FollowDesk(w.t.Context()))
}

// TestMergedAway: what waits to be sent on a ticket that is merged away becomes
// a draft, also when the merge is undone.
func TestMergedAway(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		ctx := t.Context()
		other := w.Create(w.Li, "another disk")
		_, err := w.take(w.anna, ticket.StepReply, "tomorrow", w.later(time.Hour))
		w.OK(err)
		_, err = w.q.SaveDraft(ctx, w.ben, w.n, queue.Draft{ID: queue.DraftNote, Text: "half a note"}, 0)
		w.OK(err)
		merged, err := w.Tickets.Merge(ctx, w.ben, ticket.Merge{Source: w.n, Into: other})
		w.OK(err)
		w.after()
		if all := w.waits(w.anna); len(all) != 0 {
			t.Errorf("still waiting: %+v", all)
		}
		w.wantDraft("merged away", w.anna, "tomorrow", queue.OriginWithheld)
		w.wantTold("merged away", "anna desk.withheld")
		if all := w.drafts(w.ben); len(all) != 1 || all[0].Text != "half a note" {
			t.Errorf("ben's drafts: %+v", all)
		}
		_, err = w.Tickets.Undo(ctx, w.ben, other, merged.Revision)
		w.OK(err)
		w.Clock.Add(2 * time.Hour)
		w.Work()
		w.wantSaid("merged and undone")
	})
}

// TestShutOut: the tickets of an engineer who is disabled go back to their
// queues, his messages that wait become drafts, he is present nowhere; nothing
// of others changes, and nothing when he was let in again meanwhile.
func TestShutOut(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		ctx := t.Context()
		root := principal.AsSystem(principal.House)
		disable := func(yes bool) {
			t.Helper()
			w.Clock.Add(time.Minute)
			w.OK(w.Ident.Disable(ctx, root, principal.House, w.anna.User, yes))
		}
		var mine []string
		for _, text := range []string{"processing", "asked", "solved", "paused", "over"} {
			mine = append(mine, w.Create(w.Li, text))
		}
		for i, n := range mine {
			w.OK(w.Step(w.anna, n, "accept", ""))
			if action := []string{"note", "ask", "resolve", "pause", "invalid"}[i]; action != "" {
				w.OK(w.Step(w.anna, n, action, "text"))
			}
		}
		w.OK(w.Step(w.ben, w.n, "accept", ""))
		online := queue.Online
		_, _, err := w.q.SetMyShift(ctx, w.anna, queue.MyShift{Presence: &online})
		w.OK(err)
		_, err = w.q.Stay(ctx, w.anna, w.n, queue.Viewing)
		w.OK(err)
		_, err = w.take(w.anna, ticket.StepReply, "tomorrow", w.later(time.Hour))
		w.OK(err)
		disable(true)
		disable(false)
		w.after()
		if len(w.waits(w.anna)) != 1 || w.world.show(mine[0]).Assignee != w.anna.User {
			t.Error("let in again, and her things are gone")
		}
		disable(true)
		w.after()
		for i, n := range mine {
			got := w.world.show(n)
			if over := i == 4; over != (got.Assignee == w.anna.User) {
				t.Errorf("ticket %d in state %d is handled by %q", i, got.Status, got.Assignee)
			}
		}
		if got := w.show(); got.Assignee != w.ben.User {
			t.Errorf("ben's ticket is handled by %q", got.Assignee)
		}
		team, err := w.q.Teamwork(ctx, w.ben, w.n)
		w.OK(err)
		if len(team.Present) != 0 || len(team.Waiting) != 0 {
			t.Errorf("present %+v, waiting %+v", team.Present, team.Waiting)
		}
		w.Clock.Add(2 * time.Hour)
		w.Work()
		w.wantSaid("shut out")
		// An undo of what she was given back: she is shut out, so it is refused.
		_, err = w.Tickets.Undo(ctx, w.ben, mine[0], w.world.show(mine[0]).Revision)
		w.Refused(err, "01010002")
		disable(false)
		me, err := w.q.Engineer(ctx, root, w.anna.User)
		w.OK(err)
		if me.Presence != queue.Away || me.Load != 0 {
			t.Errorf("back again: %+v", me)
		}
	})
}
