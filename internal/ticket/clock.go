package ticket

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// What time does to a ticket (semantics.md D4): a solution nobody answers is
// taken as confirmed, after reminders; a question nobody answers counts as
// solved.
const (
	kindClock = "ticket.clock"

	tickRemind  = "remind"
	tickConfirm = "confirm"
	tickSolve   = "solve"
)

// tick is a clock job's argument. It is stale when the ticket has left the
// state, or waits in it since another moment.
type tick struct {
	Domain string `json:"domain"`
	Ticket string `json:"ticket"`
	Since  int64  `json:"since"`
	What   string `json:"what"`
	Days   int    `json:"days,omitempty"` // remind: how many are left
}

// kindAutoClose is the event of a ticket that nobody answered.
const kindAutoClose = "ticket.autoclose"

const day = 24 * time.Hour

// startClock enqueues what shall happen when the customer stays silent.
func (s *Service) startClock(tx *db.Tx, t Ticket) {
	if t.StatusAt != tx.Now {
		return // the ticket has not come into its state now
	}
	at := func(days int, k tick) {
		k.Domain, k.Ticket, k.Since = t.Domain, t.ID, t.StatusAt
		job.Enqueue(tx, job.Job{Kind: kindClock, Domain: t.Domain, Args: k, At: t.StatusAt + int64(days)*ms(day),
			Unique: fmt.Sprint(t.ID, "/", k.What, "/", days, "/", t.StatusAt)})
	}
	switch n := s.o.Config.ConfirmDays; {
	case t.Status == ToConfirm && n > 0:
		for d := 1; d < n && d <= 2; d++ {
			at(d, tick{What: tickRemind, Days: n - d})
		}
		at(n, tick{What: tickConfirm})
	case t.Status == Feedback && s.o.Config.FeedbackDays > 0:
		at(s.o.Config.FeedbackDays, tick{What: tickSolve})
	}
}

// Kinds are the jobs of the package, for the runner.
func (s *Service) Kinds() []job.Kind {
	return []job.Kind{{Name: kindClock, Run: s.clock, Timeout: time.Minute}, {Name: kindAlarm, Run: s.alarm, Timeout: time.Minute}, s.wakeKind(), {Name: kindSurvey, Run: s.ask, Timeout: time.Minute}, s.turnKind()}
}

func (s *Service) clock(ctx context.Context, r job.Running) error {
	var k tick
	if err := json.Unmarshal(r.Args, &k); err != nil {
		return fmt.Errorf("%w: %w", job.ErrDrop, err)
	}
	var seen Ticket
	err := s.db.View(ctx, func(tx *db.Tx) (err error) { seen, err = ticketIn(tx, k.Domain, k.Ticket); return err })
	if fault.KindOf(err) == fault.NotFound || err == nil && !due(seen, k) {
		return nil
	}
	if err != nil {
		return err
	}
	template, days := notify.TemplateClose, 0
	switch k.What {
	case tickRemind:
		template, days = notify.TemplateRemind, k.Days
	case tickSolve:
		template, days = notify.TemplateResolve, s.o.Config.ConfirmDays
	}
	tell, err := s.prepare(ctx, seen, template, days)
	if err != nil {
		return err
	}
	who := principal.AsSystem(k.Domain)
	return s.db.Update(ctx, func(tx *db.Tx) error {
		before, err := ticketIn(tx, k.Domain, k.Ticket)
		if err != nil || !due(before, k) {
			return err
		}
		t, kind, code := before, "ticket.remind", event.NoLog
		switch k.What {
		case tickConfirm:
			t.Status, t.Closed, kind, code = Completed, tx.Now, kindAutoClose, logClose
		case tickSolve:
			t.Status, t.Resolved, kind = ToConfirm, tx.Now, "ticket.autosolve"
		}
		if k.What == tickRemind {
			t.Revision = before.Revision // nothing of the ticket changes
		} else {
			t = change(tx, before, t)
		}
		event.Record(tx, who, event.Event{Domain: t.Domain, Kind: kind, Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: code,
			Data: map[string]any{"from": before.Status, "to": t.Status}})
		s.queue(tx, tell)
		s.startClock(tx, t)
		s.askLater(tx, t)
		return nil
	})
}

func due(t Ticket, k tick) bool {
	want := ToConfirm
	if k.What == tickSolve {
		want = Feedback
	}
	return t.Status == want && t.StatusAt == k.Since
}

var autoClosed = locale.Texts{ZH: "客户未在期限内答复，系统自动关闭", EN: "Closed by the system: no answer in time"}
