package queue_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

func (w *team) file(who principal.Principal, name string) string {
	w.t.Helper()
	f, err := w.Tickets.Attach(w.t.Context(), who, w.n, attachment.Upload{Name: name, Origin: attachment.ForMessage, Body: strings.NewReader("text of " + name), Fields: attachment.Fields{Name: "name", Origin: "from", Body: "file"}})
	w.OK(err)
	return f.ID
}

// TestDrafts: reply and note apart, one each an engineer and ticket; of two
// pages neither wins silently; at rest they are sealed.
func TestDrafts(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		ctx := w.t.Context()
		save := func(who principal.Principal, id, text string, version int64, files ...string) (queue.Draft, error) {
			return w.q.SaveDraft(ctx, who, w.n, queue.Draft{ID: id, Text: text, Attachments: files}, version)
		}
		f := w.file(w.anna, "a.txt")
		one, err := save(w.anna, queue.DraftReply, "first words", 0, f)
		w.OK(err)
		_, err = save(w.anna, queue.DraftNote, "to colleagues", 0)
		w.OK(err)
		_, err = save(w.ben, queue.DraftReply, "ben's words", 0)
		w.OK(err)
		if all := w.drafts(w.anna); len(all) != 2 || all[0].Number != w.n {
			t.Errorf("anna has %+v", all)
		}
		w.Clock.Add(time.Second)
		two, err := save(w.anna, queue.DraftReply, "first words and more", one.Version, f)
		w.OK(err)
		if two.Version <= one.Version {
			t.Errorf("version %d behind %d", two.Version, one.Version)
		}
		// The other page still knows the first version.
		_, err = save(w.anna, queue.DraftReply, "the other page", one.Version, f)
		c := w.conflict(err, queue.ReasonDraft)
		if c.Draft == nil || c.Draft.Text != "first words and more" || c.Draft.Version != two.Version || c.Draft.Number != w.n {
			t.Errorf("the conflict holds %+v", c.Draft)
		}
		again, err := save(w.anna, queue.DraftReply, "first words and more", one.Version, f) // the same in both
		if err != nil || again.Version != two.Version {
			t.Errorf("the same text: version %d, %v", again.Version, err)
		}
		// Others see that there is one, not what is in it.
		team, err := w.q.Teamwork(ctx, w.ben, w.n)
		w.OK(err)
		if len(team.Drafts) != 3 || strings.Contains(fmt.Sprint(team), "words") {
			t.Errorf("ben sees %+v", team.Drafts)
		}
		var stored string
		w.OK(w.DB.View(ctx, func(tx *db.Tx) error {
			return tx.Get("SELECT text FROM ticket_drafts WHERE domain_id = ? AND user_id = ? AND id = 'reply'", w.Li.Domain, w.anna.User).Scan(&stored)
		}))
		if strings.Contains(stored, "words") || !strings.HasPrefix(stored, "s1.") {
			t.Errorf("at rest it reads %q", stored)
		}
		// Its files outlive the day unclaimed ones have.
		w.Clock.Add(29 * 24 * time.Hour)
		w.OK(w.Files.Clean(ctx))
		three, err := save(w.anna, queue.DraftReply, "a month later", two.Version, f)
		w.OK(err)
		// Blank ends it; a page that knew it is told, also when there is a new one.
		gone, err := save(w.anna, queue.DraftReply, " ", three.Version)
		if err != nil || gone.Version != 0 {
			t.Errorf("a blank draft: %+v, %v", gone, err)
		}
		_, err = save(w.anna, queue.DraftReply, "still typing", three.Version)
		if c := w.conflict(err, queue.ReasonDraft); c.Draft != nil {
			t.Errorf("a draft that is gone shows %+v", c.Draft)
		}
		anew, err := save(w.anna, queue.DraftReply, "anew", 0)
		w.OK(err)
		if anew.Version == one.Version || anew.Version <= three.Version-1 {
			t.Errorf("a new draft has version %d after %d", anew.Version, three.Version)
		}
		w.conflict(w.q.DiscardDraft(ctx, w.anna, w.n, queue.DraftReply, one.Version), queue.ReasonDraft)
		w.OK(w.q.DiscardDraft(ctx, w.anna, w.n, queue.DraftReply, anew.Version))
		w.Refused(w.q.DiscardDraft(ctx, w.anna, w.n, queue.DraftReply, 0), ".01010001")

		// Limits.
		_, err = save(w.anna, queue.DraftReply, strings.Repeat("字", queue.MaxDraft), 0)
		w.OK(err)
		_, err = save(w.ben, queue.DraftNote, strings.Repeat("字", queue.MaxDraft+1), 0)
		w.Refused(err, ".01010001")
		_, err = save(w.anna, "other", "x", 0)
		w.Refused(err, ".01010001")
		_, err = save(w.ben, queue.DraftNote, "x", 0, "nosuchfile")
		w.Refused(err, ".01010001")
		_, err = w.q.SaveDraft(ctx, w.ben, w.n, queue.Draft{ID: queue.DraftNote, Action: ticket.StepReply, Text: "x"}, 0)
		w.Refused(err, ".01010001")
		_, err = w.q.SaveDraft(ctx, w.anna, "TS2601010000000000000", queue.Draft{ID: queue.DraftNote, Text: "x"}, 0)
		w.Refused(err, ".01010015")
		_, err = save(w.Auditor, queue.DraftNote, "x", 0)
		w.Refused(err, ".01010002")
		w.Unlimited()
		first := w.n
		for range 3 { // of other tickets, at the same instant
			w.n = w.Create(w.Li, "another")
			_, err := save(w.anna, queue.DraftReply, "of another", 0)
			w.OK(err)
		}
		w.n = first
		var mine []queue.Draft
		for cursor, pages := "", 0; ; pages++ {
			page, next, err := w.q.AllDrafts(ctx, w.anna, cursor, 2)
			w.OK(err)
			mine = append(mine, page...)
			if cursor = next; cursor == "" {
				if pages != 2 {
					t.Errorf("%d pages", pages)
				}
				break
			}
		}
		if len(mine) != 5 || mine[0].Text != "of another" || mine[4].Number != first || mine[0].Number == mine[1].Number {
			t.Errorf("my drafts: %+v", mine)
		}
		_, _, err = w.q.AllDrafts(ctx, w.anna, "nonsense", 2)
		w.Refused(err, ".01010001")
		nora := w.served()
		_, err = w.q.SaveDraft(ctx, nora, first, queue.Draft{ID: queue.DraftNote, Text: "x"}, 0)
		w.Refused(err, ".01010015")
		_, err = save(nora, queue.DraftReply, "nora's", 0)
		w.OK(err)
		_, err = w.Tickets.Take(ctx, w.Chen, ticket.Step{Number: w.n, Action: ticket.StepTransfer, To: ticket.HouseBusiness})
		w.OK(err)
		if all, _, err := w.q.AllDrafts(ctx, nora, "", 0); err != nil || len(all) != 0 {
			t.Errorf("the ticket is her business no more, and she sees %+v, %v", all, err)
		}
	})
}

// TestDraftOfTwoPagesAtOnce: of two savings at once one is refused.
func TestDraftOfTwoPagesAtOnce(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		for round := range 5 {
			known := int64(0)
			if all := w.drafts(w.anna); len(all) > 0 {
				known = all[0].Version
			}
			errs := make(chan error, 4)
			for i := range 4 {
				go func() {
					_, err := w.q.SaveDraft(w.t.Context(), w.anna, w.n, queue.Draft{ID: queue.DraftReply, Text: fmt.Sprint("page ", i, " round ", round)}, known)
					errs <- err
				}()
			}
			won := 0
			for range 4 {
				if err := <-errs; err == nil {
					won++
				} else {
					w.conflict(err, queue.ReasonDraft)
				}
			}
			if won != 1 {
				t.Fatalf("%d pages of 4 were saved", won)
			}
		}
	})
}

// TestDraftSent: what is sent ends its draft, in the step's transaction; a draft
// of something else stays.
func TestDraftSent(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		ctx := w.t.Context()
		save := func(id, text string) {
			t.Helper()
			_, err := w.q.SaveDraft(ctx, w.anna, w.n, queue.Draft{ID: id, Text: text}, 0)
			w.OK(err)
		}
		save(queue.DraftReply, "please try")
		_, err := w.take(w.anna, ticket.StepReply, "please try it again")
		w.OK(err)
		if all := w.drafts(w.anna); len(all) != 0 {
			t.Errorf("sent, and still %+v", all)
		}
		save(queue.DraftReply, "something else")
		_, err = w.take(w.anna, ticket.StepReply, "thanks")
		w.OK(err)
		_, err = w.take(w.anna, ticket.StepNote, "something else")
		w.OK(err)
		w.wantDraft("another text was sent", w.anna, "something else", queue.OriginTyped)
		_, err = w.take(w.anna, ticket.StepReply, "quite different", func(p *queue.Sending) { p.Draft = queue.DraftReply })
		w.OK(err)
		if all := w.drafts(w.anna); len(all) != 0 {
			t.Errorf("the draft that was named is still there: %+v", all)
		}
		_, err = w.take(w.anna, ticket.StepReply, "of no draft", func(p *queue.Sending) { p.Draft = "nosuch" })
		w.Refused(err, ".01010001")
		// A refused step ends none.
		save(queue.DraftReply, "a solution")
		_, err = w.take(w.anna, ticket.StepResolve, "a solution", version(1))
		w.conflict(err, queue.ReasonVersion)
		w.wantDraft("refused", w.anna, "a solution", queue.OriginRefused)
	})
}
