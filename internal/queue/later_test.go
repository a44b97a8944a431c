package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/job"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// waits are the messages of a person that wait.
func (w *team) waits(who principal.Principal) []queue.Later {
	w.t.Helper()
	all, err := w.q.WaitingSends(w.t.Context(), who, "")
	w.OK(err)
	return all
}

func has(all []string, what string) int {
	n := 0
	for _, k := range all {
		if k == what {
			n++
		}
	}
	return n
}

// TestUndo: a message held back is seen by nobody, goes out at its time once,
// and can be taken back until then.
func TestUndo(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		ctx := w.t.Context()
		_, err := w.q.SaveDraft(ctx, w.anna, w.n, queue.Draft{ID: queue.DraftReply, Text: "hello"}, 0)
		w.OK(err)
		before := w.show()
		f := w.file(w.anna, "a.txt")
		held, err := w.take(w.anna, ticket.StepReply, "hello", seconds(10), version(before.Revision), func(p *queue.Sending) { p.Attachments = []string{f} })
		w.OK(err)
		if held.Later == nil || !held.Later.Undo || held.Later.At != w.Clock.Now().Add(10*time.Second).UnixMilli() || held.Ticket.Revision != before.Revision {
			t.Fatalf("held: %+v of version %d", held.Later, held.Ticket.Revision)
		}
		if all := w.drafts(w.anna); len(all) != 0 {
			t.Errorf("sent, and still %+v", all)
		}
		unseen := func(what string) {
			t.Helper()
			w.wantSaid(what)
			if got := w.show(); got.Revision != before.Revision || got.Status != before.Status || got.Assignee != "" {
				t.Errorf("%s: the ticket is %+v", what, got.Ticket)
			}
			if mails := w.Post.Got; len(mails) != 0 {
				t.Errorf("%s: mails %v", what, mails)
			}
		}
		w.Work()
		unseen("held")
		// Colleagues see that it waits, not what it is.
		team, err := w.q.Teamwork(ctx, w.ben, w.n)
		if err != nil || len(team.Waiting) != 1 || team.Waiting[0].Name != "anna" || team.Waiting[0].Text != "" || len(team.Waiting[0].Attachments) != 0 {
			t.Errorf("ben sees %+v, %v", team.Waiting, err)
		}
		_, err = w.q.Recall(ctx, w.ben, held.Later.ID)
		if !errors.Is(err, queue.ErrNoLater) {
			t.Errorf("ben takes anna's message back: %v", err)
		}
		w.Clock.Add(9 * time.Second)
		w.Work()
		d, err := w.q.Recall(ctx, w.anna, held.Later.ID)
		if err != nil || d.Text != "hello" || d.ID != queue.DraftReply || d.Number != w.n || len(d.Attachments) != 1 {
			t.Errorf("taken back: %+v, %v", d, err)
		}
		w.wantDraft("taken back", w.anna, "hello", queue.OriginRecalled)
		w.Clock.Add(time.Minute)
		w.Work()
		unseen("taken back")
		_, err = w.q.Recall(ctx, w.anna, held.Later.ID)
		if !errors.Is(err, queue.ErrNoLater) {
			t.Errorf("taken back twice: %v", err)
		}

		// By preference, and out.
		ten := 10
		w.OK(w.q.SetSettings(ctx, w.anna, queue.Settings{UndoWithin: &ten}))
		_, err = w.take(w.anna, ticket.StepReply, "hello", func(p *queue.Sending) { p.Attachments = []string{f} })
		w.OK(err)
		unseen("held by preference")
		w.Clock.Add(10 * time.Second)
		w.Work()
		w.wantSaid("after ten seconds", "hello")
		got := w.show()
		if got.Status != ticket.Processing || got.Assignee != w.anna.User {
			t.Errorf("after it went out the ticket is %+v", got.Ticket)
		}
		files, err := w.Tickets.DeskFiles(ctx, w.anna, w.n)
		if err != nil || len(files) != 1 || files[0].Message == "" {
			t.Errorf("its files are %+v, %v", files, err)
		}
		if n := has(w.kinds(), "ticket.reply"); n != 1 || len(w.waits(w.anna)) != 0 || len(w.drafts(w.anna)) != 0 {
			t.Errorf("%d replies, waiting %v, drafts %v", n, w.waits(w.anna), w.drafts(w.anna))
		}
		// 0 is at once, whatever the preference; notes never wait.
		_, err = w.take(w.anna, ticket.StepReply, "at once", seconds(0))
		w.OK(err)
		_, err = w.take(w.anna, ticket.StepNote, "a note")
		w.OK(err)
		w.wantSaid("at once", "hello", "at once")
		for _, n := range []int{-1, 61} {
			_, err = w.take(w.anna, ticket.StepReply, "x", seconds(n))
			w.Refused(err, ".01010001")
			w.Refused(w.q.SetSettings(ctx, w.anna, queue.Settings{UndoWithin: &n}), ".01010001")
		}
		for _, n := range []int{0, 60} {
			w.OK(w.q.SetSettings(ctx, w.anna, queue.Settings{UndoWithin: &n}))
		}
		_, err = w.take(w.anna, ticket.StepNote, "x", seconds(5))
		w.Refused(err, ".01010001")
		// What would be refused is refused when it is sent, not later.
		_, err = w.take(w.ben, ticket.StepAsk, "x", seconds(10), version(1))
		w.conflict(err, queue.ReasonVersion)
		w.wantDraft("refused", w.ben, "x", queue.OriginRefused)
		w.OK(w.Act(w.Li, w.n, ticket.Close))
		_, err = w.take(w.ben, ticket.StepReply, "x", seconds(10))
		w.conflict(err, queue.ReasonState)
		w.wantTold("the close is told to nobody, and nothing was withheld")
	})
}

// TestLater: a message goes out when its writer wants it, unless the ticket
// changed; then he is told and has it as a draft.
func TestLater(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		ctx := w.t.Context()
		for _, in := range []time.Duration{-time.Second, 0, 30*24*time.Hour + time.Millisecond} {
			_, err := w.take(w.anna, ticket.StepReply, "x", w.later(in))
			w.Refused(err, ".01010001")
		}
		last, err := w.take(w.anna, ticket.StepReply, "in a month", w.later(30*24*time.Hour))
		w.OK(err)
		_, err = w.take(w.anna, ticket.StepReply, "tomorrow", w.later(24*time.Hour))
		w.OK(err)
		all := w.waits(w.anna)
		if len(all) != 2 || all[0].Text != "tomorrow" || all[1].ID != last.Later.ID || all[0].Number != w.n || all[0].Undo {
			t.Fatalf("waiting: %+v", all)
		}
		if len(w.waits(w.ben)) != 0 {
			t.Error("ben has anna's")
		}
		w.Clock.Add(24 * time.Hour)
		w.Work()
		w.wantSaid("a day later", "tomorrow")
		// Her own message does not hold the other back, a note neither; a change
		// of it does what it says.
		_, err = w.take(w.ben, ticket.StepNote, "a note")
		w.OK(err)
		text, at := "in two days", w.Clock.Now().Add(48*time.Hour).UnixMilli()
		changed, err := w.q.ChangeLater(ctx, w.anna, last.Later.ID, queue.Reschedule{Text: &text, At: &at, Version: last.Later.Version})
		if err != nil || changed.Text != text || changed.At != at || changed.Version != 2 {
			t.Fatalf("changed: %+v, %v", changed, err)
		}
		_, err = w.q.ChangeLater(ctx, w.anna, last.Later.ID, queue.Reschedule{Text: &text, Version: 1})
		w.Refused(err, ".01010002")
		_, err = w.q.ChangeLater(ctx, w.ben, last.Later.ID, queue.Reschedule{Text: &text})
		if !errors.Is(err, queue.ErrNoLater) {
			t.Errorf("ben changes it: %v", err)
		}
		blank, long, past := " ", strings.Repeat("x", queue.MaxDraft+1), w.Clock.Now().UnixMilli()
		for _, in := range []queue.Reschedule{{Text: &blank}, {Text: &long}, {At: &past}, {Attachments: &[]string{"nosuch"}}} {
			_, err = w.q.ChangeLater(ctx, w.anna, last.Later.ID, in)
			w.Refused(err, ".01010001")
		}
		w.Clock.Add(48*time.Hour - time.Second)
		w.Work()
		w.wantSaid("a second early", "tomorrow")
		w.Clock.Add(time.Second)
		w.Work()
		w.wantSaid("after two days", "tomorrow", "in two days")
		// Put off: the first job finds it not due.
		put, err := w.take(w.anna, ticket.StepReply, "put off", w.later(time.Hour))
		w.OK(err)
		at = w.Clock.Now().Add(2 * time.Hour).UnixMilli()
		_, err = w.q.ChangeLater(ctx, w.anna, put.Later.ID, queue.Reschedule{At: &at})
		w.OK(err)
		w.Clock.Add(time.Hour)
		w.Work()
		w.wantSaid("put off", "tomorrow", "in two days")
		w.told()
		w.Clock.Add(time.Hour)
		w.Work()
		w.wantSaid("put off and out", "tomorrow", "in two days", "put off")
		// It went out: no change any more.
		_, err = w.q.ChangeLater(ctx, w.anna, put.Later.ID, queue.Reschedule{At: &at, Text: &text})
		if !errors.Is(err, queue.ErrNoLater) {
			t.Errorf("a message that went out is changed: %v", err)
		}
		w.told()

		// Withheld: the customer wrote, a colleague wrote, the ticket is over,
		// its writer is gone.
		withheld := func(what, text string, who principal.Principal, want ...string) {
			t.Helper()
			said := len(w.said())
			w.Clock.Add(time.Hour)
			w.Work()
			if got := len(w.said()); got != said {
				t.Errorf("%s: it went out", what)
			}
			d := w.wantDraft(what, who, text, queue.OriginWithheld)
			if !strings.HasSuffix(d.Cause, ".01010002") || len(w.waits(who)) != 0 {
				t.Errorf("%s: cause %q, waiting %v", what, d.Cause, w.waits(who))
			}
			w.wantTold(what, want...)
			w.OK(w.q.DiscardDraft(ctx, who, w.n, d.ID, 0))
		}
		hold := func(who principal.Principal, action, text string, more ...func(*queue.Sending)) {
			t.Helper()
			_, err := w.take(who, action, text, append(more, w.later(time.Hour))...)
			w.OK(err)
		}
		hold(w.ben, ticket.StepReply, "ben's")
		w.Clock.Add(time.Second)
		w.OK(w.Tickets.Reply(ctx, w.Li, w.n, "", "wait"))
		withheld("the customer wrote", "ben's", w.ben, "anna "+notify.TemplateReplied, "ben "+notify.TemplateWithheld)
		hold(w.ben, ticket.StepReply, "ben's")
		_, err = w.take(w.anna, ticket.StepReply, "from anna")
		w.OK(err)
		withheld("a colleague wrote", "ben's", w.ben, "ben "+notify.TemplateWithheld)
		hold(w.ben, ticket.StepReply, "anyway", func(p *queue.Sending) { p.Anyway = true })
		w.Clock.Add(time.Second)
		w.OK(w.Tickets.Reply(ctx, w.Li, w.n, "", "and now?"))
		w.Clock.Add(time.Hour)
		w.Work()
		if said := w.said(); said[len(said)-1] != "anyway" {
			t.Errorf("it was to go out anyway: %q", said)
		}
		w.told()
		hold(w.anna, ticket.StepResolve, "solved", func(p *queue.Sending) { p.Anyway = true })
		hold(w.ben, ticket.StepReply, "ben's", func(p *queue.Sending) { p.Anyway = true })
		w.OK(w.Act(w.Li, w.n, ticket.Close))
		w.Clock.Add(time.Hour)
		w.Work()
		w.wantDraft("over", w.anna, "solved", queue.OriginWithheld)
		w.wantDraft("over", w.ben, "ben's", queue.OriginWithheld)
		w.wantTold("over", "anna "+notify.TemplateWithheld, "ben "+notify.TemplateWithheld)
		if n := has(w.kinds(), ticket.KindWithheld); n != 4 {
			t.Errorf("%d times withheld in the history", n)
		}
		w.n = w.Create(w.Wang, "another")
		hold(w.ben, ticket.StepReply, "ben's")
		w.OK(w.Ident.Disable(ctx, principal.AsSystem(principal.House), principal.House, w.ben.User, true))
		w.Clock.Add(time.Hour)
		w.Work()
		w.wantDraft("he is gone", w.ben, "ben's", queue.OriginWithheld)
	})
}

// TestLaterOnce: whatever happens between the lease of a job and its end, a
// message goes out once or comes back, never both and never neither.
func TestLaterOnce(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		ctx := w.t.Context()
		w.Unlimited()
		// A worker that dies: at one time before the step, at another behind its
		// commit, when the job is not settled yet. Another node takes the job over.
		run := w.q.Kinds()[0].Run
		dies := func(die func(ctx context.Context, r job.Running) error) *job.Runner {
			r := job.NewRunner(w.DB, "dies", slogDiscard)
			r.Clock(w.Ident.Clock)
			kind := w.q.Kinds()[0]
			kind.Run = die
			r.Add(kind)
			return r
		}
		deaths := map[string]func(ctx context.Context, r job.Running) error{
			"before": func(context.Context, job.Running) error { return errors.New("killed") },
			"behind": func(ctx context.Context, r job.Running) error { return errors.Join(run(ctx, r), errors.New("killed")) },
			"within": func(ctx context.Context, r job.Running) error {
				ctx, cancel := context.WithCancel(ctx)
				cancel() // as if the process ended in the transaction: nothing is committed
				return errors.Join(run(ctx, r), errors.New("killed"))
			},
		}
		for what, die := range deaths {
			_, err := w.take(w.anna, ticket.StepReply, "once "+what, seconds(10))
			w.OK(err)
			w.Clock.Add(10 * time.Second)
			if n, err := dies(die).Work(ctx); err != nil || n == 0 {
				t.Fatalf("%s: %d jobs ran, %v", what, n, err)
			}
			w.Clock.Add(time.Hour) // the back-off of the failed try
			w.Work()
			w.Work()
			if n := has(w.said(), "once "+what); n != 1 {
				t.Errorf("%s: it went out %d times", what, n)
			}
		}
		// Two nodes run the same job at once.
		for i := range 3 {
			held, err := w.take(w.anna, ticket.StepReply, fmt.Sprint("twice ", i), seconds(1))
			w.OK(err)
			w.Clock.Add(time.Second)
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					args := fmt.Sprintf(`{"domain":%q,"id":%q}`, held.Later.Domain, held.Later.ID)
					if err := run(ctx, job.Running{ID: "j", Domain: held.Later.Domain, Args: []byte(args)}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := has(w.said(), fmt.Sprint("twice ", i)); n != 1 {
				t.Errorf("four workers sent it %d times", n)
			}
		}
		// Sent and taken back at once: one of the two.
		for i := range 6 {
			text := fmt.Sprint("race ", i)
			held, err := w.take(w.anna, ticket.StepReply, text, seconds(1))
			w.OK(err)
			w.Clock.Add(time.Second)
			var wg sync.WaitGroup
			var recalled error
			wg.Go(func() { w.Work() })
			wg.Go(func() { _, recalled = w.q.Recall(ctx, w.anna, held.Later.ID) })
			wg.Wait()
			out := has(w.said(), text)
			drafts := slices.ContainsFunc(w.drafts(w.anna), func(d queue.Draft) bool { return d.Text == text })
			if (out == 1) == drafts || (recalled == nil) != drafts || out > 1 {
				t.Errorf("%s: out %d times, a draft: %v, recall: %v", text, out, drafts, recalled)
			}
		}
		// A job that is lost is made anew.
		_, err := w.take(w.anna, ticket.StepReply, "lost", seconds(1))
		w.OK(err)
		w.OK(w.DB.Update(ctx, func(tx *db.Tx) error {
			tx.Write(db.Any, "DELETE FROM jobs WHERE kind = 'queue.later'")
			return nil
		}))
		w.Clock.Add(3 * time.Minute)
		w.Work()
		if has(w.said(), "lost") != 0 {
			t.Fatal("the job was not lost")
		}
		for _, p := range w.q.Periodic() {
			w.OK(p.Run(ctx))
		}
		w.Work()
		if n := has(w.said(), "lost"); n != 1 {
			t.Errorf("a lost job's message went out %d times", n)
		}
	})
}

// TestLaterLimit: so many wait of one engineer, and no more.
func TestLaterLimit(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		for range queue.MaxLater {
			_, err := w.take(w.anna, ticket.StepReply, "x", w.later(time.Hour))
			w.OK(err)
		}
		_, err := w.take(w.anna, ticket.StepReply, "one more", w.later(time.Hour))
		if fault.KindOf(err) != fault.Conflict {
			t.Errorf("one more: %v", err)
		}
		w.wantDraft("one more", w.anna, "one more", queue.OriginRefused)
		_, err = w.take(w.ben, ticket.StepReply, "ben's", w.later(time.Hour))
		w.OK(err)
	})
}

// TestHeldOnce: a repeated request gets the first one's answer, also when the
// ticket is over meanwhile; a text that was refused comes back once.
func TestHeldOnce(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		_, err := w.take(w.anna, ticket.StepAccept, "")
		w.OK(err)
		send := func(key, text string) (queue.Taken, error) {
			ctx := db.WithRequestKey(w.t.Context(), db.RequestKey{ID: key, Domain: principal.House, Until: w.Clock.Now().Add(24 * time.Hour).UnixMilli()})
			p := queue.Sending{Step: ticket.Step{Number: w.n, Action: ticket.StepReply, Text: text}}
			seconds(60)(&p)
			return w.q.Take(ctx, w.anna, p)
		}
		first, err := send("one", "hello")
		w.OK(err)
		again, err := send("one", "hello")
		if err != nil || again.Later == nil || again.Later.ID != first.Later.ID || len(w.waits(w.anna)) != 1 {
			t.Errorf("again: %+v, %v; waiting %v", again.Later, err, w.waits(w.anna))
		}
		w.OK(w.Act(w.Li, w.n, ticket.Close))
		if again, err = send("one", "hello"); err != nil || again.Later.ID != first.Later.ID {
			t.Errorf("again, when the ticket is over: %+v, %v", again.Later, err)
		}
		for range 2 {
			_, err = send("two", "too late")
			w.conflict(err, queue.ReasonState)
			w.wantDraft("too late", w.anna, "too late", queue.OriginRefused)
		}
	})
}

// TestSaidOnce: a note or a message that is repeated as it went first is there
// once, also behind a step that made its version an old one.
func TestSaidOnce(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		_, err := w.take(w.anna, ticket.StepAccept, "")
		w.OK(err)
		for _, p := range []queue.Sending{
			{Step: ticket.Step{Number: w.n, Action: ticket.StepNote, Text: "@ben, look"}},
			{Step: ticket.Step{Number: w.n, Action: ticket.StepReply, Text: "hello", Version: 1}, Within: new(int)},
		} {
			if p.Version != 0 { // what its writer saw
				p.Version = w.show().Revision
			}
			var first queue.Taken
			for i := range 3 {
				got, err := w.q.Take(w.once(p.Action), w.anna, p)
				w.OK(err)
				if i == 0 {
					first = got
				} else if got.Ticket.Revision != first.Ticket.Revision {
					t.Errorf("%s, repeated: revision %d, want %d", p.Action, got.Ticket.Revision, first.Ticket.Revision)
				}
				_, err = w.take(w.ben, ticket.StepNote, "in between")
				w.OK(err)
			}
			all, err := w.Tickets.DeskMessages(t.Context(), w.anna, w.n)
			w.OK(err)
			n := 0
			for _, m := range all {
				if m.Text == p.Text {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%s stands %d times", p.Action, n)
			}
		}
		w.wantSaid("repeated", "hello")
	})
}
