package queue_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// TestPresence: who is there shows with a name and what he does, until half a
// minute without a word; however often a page tells, few rows are written.
func TestPresence(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		ctx := w.t.Context()
		stay := func(who principal.Principal, doing string) []queue.Present {
			t.Helper()
			others, err := w.q.Stay(ctx, who, w.n, doing)
			w.OK(err)
			return others
		}
		if others := stay(w.anna, queue.Viewing); len(others) != 0 {
			t.Errorf("anna alone sees %v", others)
		}
		if others := stay(w.ben, queue.Replying); len(others) != 1 || others[0].Name != "anna" || others[0].Doing != queue.Viewing {
			t.Errorf("ben sees %+v", others)
		}
		if others := stay(w.anna, queue.Noting); len(others) != 1 || others[0].Name != "ben" || others[0].Doing != queue.Replying {
			t.Errorf("anna sees %+v", others)
		}
		at := func(who principal.Principal) (ms int64) {
			others := stay(w.Chen, queue.Viewing)
			for _, p := range others {
				if p.User == who.User {
					ms = p.Seen
				}
			}
			return ms
		}
		// Many beats are one write.
		first := at(w.ben)
		w.Clock.Add(2 * time.Second)
		for range 5 {
			stay(w.ben, queue.Replying)
		}
		if at(w.ben) != first {
			t.Error("each beat writes")
		}
		w.Clock.Add(7 * time.Second)
		stay(w.ben, queue.Replying)
		if at(w.ben) == first {
			t.Error("a beat after nine seconds does not count")
		}
		// Another node asks the same database: nothing is held in memory.
		other, err := queue.New(w.DB, w.Keys, queue.Nouns{Identity: w.Ident, Catalog: w.Catalog, Notify: w.Notify, Tickets: w.Tickets}, queue.Options{})
		w.OK(err)
		team, err := other.Teamwork(ctx, w.Auditor, w.n)
		if err != nil || len(team.Present) != 3 {
			t.Errorf("an auditor sees %+v, %v", team.Present, err)
		}
		_, err = other.Teamwork(ctx, w.Boss, w.n)
		w.Refused(err, ".01010002")
		if team, err = other.Teamwork(ctx, w.Chen, w.n); err != nil || len(team.Present) != 3 {
			t.Errorf("another node sees %+v, %v", team.Present, err)
		}
		w.OK(w.q.Leave(ctx, w.anna, w.n))
		if others := stay(w.ben, queue.Replying); len(others) != 1 || others[0].Name != "chen" {
			t.Errorf("ben sees %+v after anna left", others)
		}
		w.Clock.Add(queue.Forgotten)
		if others := stay(w.anna, queue.Viewing); len(others) != 0 {
			t.Errorf("anna sees %+v of half a minute ago", others)
		}
		for _, p := range w.q.Periodic() {
			w.OK(p.Run(ctx))
		}
		if n := w.count("SELECT count(*) FROM ticket_presence WHERE domain_id = ?", w.Li.Domain); n != 1 {
			t.Errorf("%d rows are left", n)
		}
		// Refusals.
		_, err = w.q.Stay(ctx, w.anna, w.n, "dancing")
		w.Refused(err, ".01010001")
		_, err = w.q.Stay(ctx, w.anna, "TS2601010000000000000", queue.Viewing)
		w.Refused(err, ".01010015")
		_, err = w.q.Stay(ctx, w.Auditor, w.n, queue.Viewing)
		w.Refused(err, ".01010002")
		_, err = w.q.Stay(ctx, w.Li, w.n, queue.Viewing)
		w.Refused(err, ".01010002")

		mine := w.n
		nora := w.served()
		_, err = w.q.Stay(ctx, nora, mine, queue.Viewing)
		w.Refused(err, ".01010015")
		stay(w.anna, queue.Viewing)
		if others := stay(nora, queue.Viewing); len(others) != 1 || others[0].Name != "alias of anna" || others[0].User == w.anna.User || others[0].User == "" {
			t.Errorf("a partner's engineer sees %+v", others)
		}
		w.OK(w.Tickets.SetFollow(ctx, w.anna, w.n, true))
		w.OK(w.Tickets.SetFollow(ctx, nora, w.n, true))
		_, err = w.q.SaveDraft(ctx, w.anna, w.n, queue.Draft{ID: queue.DraftNote, Text: "x"}, 0)
		w.OK(err)
		_, err = w.take(w.anna, ticket.StepReply, "x", seconds(60))
		w.OK(err)
		_, err = w.Tickets.Snooze(ctx, w.anna, w.n, ticket.UntilStirred, 0)
		w.OK(err)
		if team, err = w.q.Teamwork(ctx, nora, w.n); err != nil || len(team.Followers) != 2 || len(team.Drafts) != 1 || len(team.Waiting) != 1 || !team.Following || team.Snooze.ByName != "alias of anna" {
			t.Errorf("a partner's engineer sees %+v, %v", team, err)
		}
		team.Snooze.By = "" // no surface shows it
		if text := fmt.Sprintf("%+v", team); strings.Contains(text, w.anna.User) || strings.Contains(strings.ReplaceAll(text, "alias of anna", ""), "anna") {
			t.Errorf("a partner's engineer learns who anna is: %s", text)
		}
	})
}
