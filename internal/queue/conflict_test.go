package queue_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

func (w *team) sentence(err error, lang locale.Language) string {
	f, ok := fault.As(err)
	if !ok {
		w.t.Fatalf("no fault: %v", err)
	}
	return stamp.ReplaceAllString(locale.Text(lang, f), "")
}

// TestStale: a stale step tells what happened and by whom, and keeps the text.
func TestStale(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		ctx := w.t.Context()
		_, err := w.take(w.anna, ticket.StepAccept, "")
		w.OK(err)
		v := w.show().Revision
		_, err = w.take(w.ben, ticket.StepNote, "known from last week")
		w.OK(err)
		_, err = w.q.Take(ctx, w.ben, queue.Sending{Step: ticket.Step{Number: w.n, Action: ticket.StepAssign, Assignee: "emma"}})
		w.OK(err)
		w.OK(w.Tickets.Reply(ctx, w.Li, w.n, "", "any news?"))
		_, err = w.take(w.Emma, ticket.StepAsk, "which host?")
		w.OK(err)
		w.OK(w.Tickets.SetFollow(ctx, w.ben, w.n, true)) // beside the ticket
		f := w.file(w.anna, "log.txt")
		_, err = w.take(w.anna, ticket.StepReply, "I look into it", version(v), func(p *queue.Sending) { p.Attachments = []string{f} })
		c := w.conflict(err, queue.ReasonVersion)
		if c.Version != v+4 || c.NewMessages != 2 || len(c.Changes) != 4 || c.LastMessage == "" {
			t.Fatalf("the conflict is %+v", c)
		}
		var got []string
		for _, ch := range c.Changes {
			got = append(got, fmt.Sprint(ch.Kind, " ", ch.Actor, " ", ch.Side, " ", ch.From, ">", ch.To, " ", ch.Moved, " ", ch.Assignee, " ", ch.Revision-v))
		}
		want := []string{"note ben 1 0>0 false  1", "assign ben 1 0>0 false emma 2", "reply li 0 0>0 false  3", "ask emma 1 1>17 true  4"}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("changes:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		zh, en := w.sentence(err, locale.ZH), w.sentence(err, locale.EN)
		if !strings.Contains(zh, "ben 将工单转派给 emma，客户 li 回复了，emma 向客户提问，此前还有 1 项") {
			t.Errorf("zh: %s", zh)
		}
		if !strings.Contains(en, "ben assigned it to emma, the customer li replied, emma asked the customer, and 1 before") {
			t.Errorf("en: %s", en)
		}
		d := w.wantDraft("refused", w.anna, "I look into it", queue.OriginRefused)
		if d.ID != c.DraftID || len(d.Attachments) != 1 || d.Attachments[0] != f || d.Action != ticket.StepReply || !strings.HasSuffix(d.Cause, ".01010002") {
			t.Errorf("the draft is %+v, the conflict names %q", d, c.DraftID)
		}
		// The same again is one draft; beside another text it is one of its own.
		_, err = w.take(w.anna, ticket.StepReply, "I look into it", version(v))
		w.conflict(err, queue.ReasonVersion)
		d = w.wantDraft("refused twice", w.anna, "I look into it", queue.OriginRefused)
		_, err = w.q.SaveDraft(ctx, w.anna, w.n, queue.Draft{ID: queue.DraftReply, Text: "a new thought"}, d.Version)
		w.OK(err)
		for range 2 {
			_, err = w.take(w.anna, ticket.StepReply, "I look into it", version(v))
			if c := w.conflict(err, queue.ReasonVersion); c.DraftID == queue.DraftReply {
				t.Error("the text is said to be where another is")
			}
		}
		if all := w.drafts(w.anna); len(all) != 2 {
			t.Errorf("drafts %+v", all)
		}
		w.wantSaid("nothing of it went out", "any news?", "which host?")

		// A refusal by the state is explained where the caller told what he saw.
		w.OK(w.Act(w.Li, w.n, ticket.Close))
		_, err = w.take(w.anna, ticket.StepNote, "fine", version(v))
		w.conflict(err, queue.ReasonVersion)
		_, err = w.take(w.anna, ticket.StepResolve, "it works")
		c = w.conflict(err, queue.ReasonState)
		if c.DraftID == "" || len(c.Changes) != 0 {
			t.Errorf("by state: %+v", c)
		}
		_, err = w.q.Take(ctx, w.anna, queue.Sending{Step: ticket.Step{Number: w.n, Action: ticket.StepPause, Version: v}})
		if c := w.conflict(err, queue.ReasonVersion); c.Changes[len(c.Changes)-1].Kind != "close" {
			t.Errorf("a pause: %+v", c.Changes)
		}
		_, err = w.q.Snooze(ctx, w.anna, w.n, ticket.UntilStirred, v)
		w.conflict(err, queue.ReasonVersion)
		// What is no conflict stays what it is.
		_, err = w.q.Take(ctx, w.anna, queue.Sending{Step: ticket.Step{Number: "TS2601010000000000000", Action: ticket.StepReply, Text: "x", Version: 1}})
		w.Refused(err, ".01010015")

		// A partner's engineer learns of a note only that something changed, and
		// the house's people by alias.
		nora := w.served()
		v = w.show().Revision
		_, err = w.take(w.anna, ticket.StepNote, "a word among us")
		w.OK(err)
		_, err = w.take(nora, ticket.StepReply, "hello", version(v))
		c = w.conflict(err, queue.ReasonVersion)
		if len(c.Changes) != 1 || c.Changes[0].Kind != "change" || c.Changes[0].Actor != "alias of anna" {
			t.Errorf("nora learns %+v", c.Changes)
		}
	})
}

// TestDoubleAnswer: a reply that did not see the newest message is refused,
// unless it is forced; one's own messages do not count, nor do notes.
func TestDoubleAnswer(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		ctx := w.t.Context()
		last := func() string {
			team, err := w.q.Teamwork(ctx, w.anna, w.n)
			w.OK(err)
			return team.LastMessage
		}
		first := last()
		if first == "" {
			t.Fatal("there is no last message")
		}
		_, err := w.take(w.ben, ticket.StepNote, "note")
		w.OK(err)
		_, err = w.take(w.anna, ticket.StepReply, "one", seen(first))
		w.OK(err)
		_, err = w.take(w.anna, ticket.StepReply, "two", seen(first))
		w.OK(err)
		_, err = w.take(w.ben, ticket.StepReply, "ben's", seen(first))
		c := w.conflict(err, queue.ReasonAnswer)
		if c.NewMessages != 2 || c.LastMessage != last() || len(c.Changes) == 0 {
			t.Errorf("%+v", c)
		}
		for lang, want := range map[locale.Language]string{locale.ZH: "2 条新消息", locale.EN: "2 newer messages"} {
			if text := w.sentence(err, lang); !strings.Contains(text, want) || !strings.Contains(text, "anna") {
				t.Errorf("it says %q", text)
			}
		}
		w.wantDraft("double answer", w.ben, "ben's", queue.OriginRefused)
		for _, action := range []string{ticket.StepAsk, ticket.StepResolve} {
			_, err = w.take(w.ben, action, "ben's", seen(first))
			w.conflict(err, queue.ReasonAnswer)
		}
		w.Clock.Add(time.Second)
		w.OK(w.Tickets.Reply(ctx, w.Li, w.n, "", "hm"))
		_, err = w.take(w.anna, ticket.StepReply, "three", seen(first))
		w.conflict(err, queue.ReasonAnswer)
		_, err = w.take(w.ben, ticket.StepReply, "ben's", seen(first), func(p *queue.Sending) { p.Force = true })
		w.OK(err)
		if all := w.drafts(w.ben); len(all) != 0 {
			t.Errorf("sent with force, and still %+v", all)
		}
		w.wantSaid("all", "one", "two", "hm", "ben's")
		_, err = w.take(w.anna, ticket.StepReply, "x", seen("nosuch"))
		w.Refused(err, ".01010001")
		_, err = w.take(w.anna, ticket.StepNote, "x", seen(first))
		w.Refused(err, ".01010001")

		// Of many at once who saw the same, one goes out.
		newest := last()
		var wg sync.WaitGroup
		won := make(chan string, 8)
		for i, who := range []principal.Principal{w.anna, w.ben, w.Chen, w.Emma, w.anna, w.ben, w.Chen, w.Emma} {
			wg.Go(func() {
				if _, err := w.take(who, ticket.StepReply, fmt.Sprint("at once ", i), seen(newest)); err == nil {
					won <- who.User
				} else if fault.KindOf(err) != fault.Conflict {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		close(won)
		authors := map[string]bool{}
		for by := range won {
			authors[by] = true
		}
		if len(authors) != 1 {
			t.Errorf("%d engineers answered the same message", len(authors))
		}
	})
}
