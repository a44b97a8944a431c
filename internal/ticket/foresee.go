package ticket

import (
	"context"
	"strings"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// Addressee is a contact that a step's notice would go to.
type Addressee struct {
	Way notify.Way
	To  string // masked
}

// Foreseen is what a step would do.
type Foreseen struct {
	Step    Step
	After   Ticket   // the ticket behind the step; Revision is counted on
	Tags    []string // engineers' tags behind it
	Refusal *fault.Error
	// Same: the step asks for what is there already; it would write nothing.
	Same     bool
	Customer []Addressee // whom of the customer's side a notice would reach
	Assigned string      // who would be told that the ticket is his, a user id
}

// Foresee tells what steps would do to a ticket one after another, by the rules
// that Take and Transfer apply, and writes nothing. A step that would be refused
// is told with its reason and the next one judged as if it had not been taken.
// notices asks for whom the steps would notify as well. The ticket need not be
// as it is stored: to look back, give it as it was. Tags are those it has then.
func (s *Service) Foresee(ctx context.Context, who principal.Principal, t Ticket, tags []string, steps []Step, notices bool) ([]Foreseen, error) {
	if err := mayWork(who); err != nil {
		return nil, err
	}
	ctx, err := s.ident.OnClock(ctx, t.Domain)
	if err != nil {
		return nil, err
	}
	var all []Foreseen
	for _, p := range steps {
		p.Number = t.Number
		f := Foreseen{Step: p, After: t, Tags: tags}
		after, now, err := s.ahead(ctx, who, t, tags, p)
		if refusal, is := fault.As(err); is {
			if f.Same = refusal.Is(ErrUnchanged); !f.Same {
				f.Refusal = refusal
			}
		} else if err != nil {
			return nil, err
		} else {
			after.Revision = t.Revision + 1
			f.After, f.Tags = after, now
			if notices {
				if err := s.reaches(ctx, who, t, &f); err != nil {
					return nil, err
				}
			}
			t, tags = f.After, f.Tags
		}
		all = append(all, f)
	}
	return all, nil
}

// ahead is the ticket after a step that is not taken, or the step's refusal.
func (s *Service) ahead(ctx context.Context, who principal.Principal, t Ticket, tags []string, p Step) (Ticket, []string, error) {
	if t.Status == Deleted {
		return t, tags, fault.NoTicket
	}
	if err := p.check(); err != nil {
		return t, tags, err
	}
	switch p.Action {
	case StepAccept:
		if who.Kind == principal.System {
			return t, tags, fault.NoPermission
		}
	case StepTransfer:
		after, err := s.aheadTransfer(ctx, who, t, p)
		return after, tags, err
	case StepSeverity:
		err := s.fitSeverity(t, p.Severity)
		if err == nil {
			t.Severity = p.Severity
		}
		return t, tags, err
	case StepTag, StepUntag:
		if who.Partner != "" {
			return t, tags, fault.NoPermission
		}
		var err error
		if p.Tags, err = CheckTags(p.Tags); err != nil {
			return t, tags, err
		}
		tags, _, err = tagsAfter(tags, p)
		return t, tags, err
	}
	assignee, err := s.assignee(ctx, p)
	if err != nil {
		return t, tags, err
	}
	mine := false
	err = s.db.View(ctx, func(tx *db.Tx) (err error) { mine, err = fitting(tx, who, t, p, assignee); return err })
	if err != nil {
		return t, tags, err
	}
	after, err := next(t, who, p, assignee)
	if err == nil && !mine && p.Action != StepAssign {
		after.Assignee = t.Assignee
	}
	if err == nil && p.Action == StepResolve {
		after.Resolution = p.Text
	}
	return after, tags, err
}

func (s *Service) aheadTransfer(ctx context.Context, who principal.Principal, t Ticket, p Step) (Ticket, error) {
	m := move{Transfer: Transfer{Numbers: []string{t.Number}, To: p.To, Handler: p.Assignee, Text: p.Text}}
	if err := m.check(); err != nil {
		return t, err
	}
	if who.Partner != "" && m.To != HouseBusiness && m.Handler == "" {
		return t, fault.Missing.In("assignee")
	}
	var err error
	if m.handler, err = s.handler(ctx, who, m.Handler); err != nil {
		return t, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if err := sees(tx, who, t); err != nil {
			return err
		}
		if err := m.load(tx, map[string]Ticket{t.Number: t}); err != nil {
			return err
		}
		return m.may(who, t)
	})
	if err != nil {
		return t, err
	}
	t.Ownership, t.Assignee = m.To, m.handler.ID
	if t.Assignee != "" && t.Status == Submitted {
		t.Status = Processing
	}
	return t, nil
}

// reaches finds whom a step would notify: the customer's contacts as Take tells
// them, and the handler as Follow does.
func (s *Service) reaches(ctx context.Context, who principal.Principal, before Ticket, f *Foreseen) error {
	template, days := "", 0
	switch f.Step.Action {
	case StepReply:
		template = notify.TemplateReply
	case StepAsk:
		template, days = notify.TemplateAsk, s.o.Config.FeedbackDays
	case StepResolve:
		template, days = notify.TemplateResolve, s.o.Config.ConfirmDays
	case StepAssign:
		if f.After.Assignee == who.User {
			return nil
		}
		sandbox, err := s.ident.InSandbox(ctx, before.Domain)
		if err != nil {
			return err
		}
		told, err := s.notify.Tell(ctx, []notify.News{{User: f.After.Assignee, Kind: notify.KindAssigned, Event: "foreseen", Domain: before.Domain, Number: before.Number, Sandbox: sandbox}})
		if err != nil {
			return err
		}
		f.Assigned = strings.Join(told.Users(), "")
		return nil
	default:
		return nil
	}
	all, err := s.prepare(ctx, before, template, days)
	for _, p := range all {
		way, to := p.Addressee()
		f.Customer = append(f.Customer, Addressee{Way: way, To: to})
	}
	return err
}
