package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// planned is an action made ready for one ticket: texts rendered, people found.
type planned struct {
	Do     string      `json:"do"`
	Step   ticket.Step `json:"step"`
	Notify []string    `json:"notify,omitempty"` // user ids
}

// Effect is what an action would do, or did not.
type Effect struct {
	Do      string
	Text    string          // as it would be written
	Lang    locale.Language // of the text
	Missing []string        // placeholders that had no value
	// The ticket behind the action.
	Status                           ticket.Status
	Assignee, AssigneeName, Severity string
	Owner                            ticket.Ownership
	Tags                             []string
	Version                          int64

	Customer  []ticket.Addressee // whom of the customer's side it would notify
	Engineers []string           // log-in names of those of the house it would tell
	Same      bool               // nothing would change
	Refusal   *fault.Error       // why it would be refused
}

// planActions makes actions ready for a ticket and tells what they would do. typed
// replaces the text of the first public action. A refused action is told and the
// next judged as if it had not been.
func (s *Service) planActions(ctx context.Context, who principal.Principal, t ticket.DeskTicket, acts []Action, typed string, notices bool) ([]planned, []Effect, error) {
	fill, err := s.filler(ctx, who, t, textsOf(acts)...)
	if err != nil {
		return nil, nil, err
	}
	var steps []planned
	var effects []Effect
	var people []string
	now, tags := t.Ticket, t.Tags
	for _, a := range acts {
		e := Effect{Do: a.Do}
		p := planned{Do: a.Do, Step: ticket.Step{Number: t.Number, Action: a.Do, Severity: a.Severity, Tags: a.Tags}}
		if a.Text != nil {
			fill.inside = !toCustomers(a.Do)
			e.Text, e.Lang, e.Missing = fill.render(*a.Text)
			if typed != "" && slices.Contains(publicActions, a.Do) {
				e.Text, e.Missing, typed = typed, nil, ""
			}
			p.Step.Text = e.Text
		}
		switch a.Do {
		case ticket.StepAssign:
			if p.Step.Assignee = a.To; a.To == ToMe {
				p.Step.Assignee = who.User
			}
		case ticket.StepTransfer:
			p.Step.To, p.Step.Assignee = autoOwners[a.To], a.Handler
		}
		if a.Do == DoNotify {
			if p.Notify, err = s.recipients(ctx, a.To, now.Assignee); err != nil {
				if _, is := fault.As(err); !is {
					return nil, nil, err
				}
				e.Refusal, _ = fault.As(err)
			}
			e.Engineers = p.Notify
			if notices && len(p.Notify) > 0 {
				ask, err := s.askNews(ctx, now, p.Notify, "foreseen")
				if err != nil {
					return nil, nil, err
				}
				told, err := s.notify.Tell(ctx, ask)
				if err != nil {
					return nil, nil, err
				}
				e.Engineers = told.Users()
			}
		} else {
			ahead, err := s.tickets.Foresee(ctx, who, now, tags, []ticket.Step{p.Step}, notices)
			if err != nil {
				return nil, nil, err
			}
			f := ahead[0]
			now, tags = f.After, f.Tags
			e.Refusal, e.Same, e.Customer = f.Refusal, f.Same, f.Customer
			if e.Refusal != nil && there(a.Do, e.Refusal) {
				e.Refusal, e.Same = nil, true
			}
			if f.Assigned != "" {
				e.Engineers = []string{f.Assigned}
			}
		}
		e.Status, e.Assignee, e.Severity, e.Owner, e.Tags, e.Version = now.Status, now.Assignee, now.Severity, now.Ownership, tags, now.Revision
		people = append(append(people, e.Engineers...), e.Assignee)
		steps, effects = append(steps, p), append(effects, e)
	}
	names, err := s.ident.Names(ctx, principal.House, people)
	for i := range effects {
		e := &effects[i]
		e.AssigneeName = names[e.Assignee]
		var told []string
		for _, id := range e.Engineers {
			told = append(told, names[id])
		}
		e.Engineers = told
	}
	return steps, effects, err
}

// there tells whether an action was refused because it is so already: to give a
// ticket to its handler is a mistake of a person, but not of a macro.
func there(do string, err error) bool {
	return do == ticket.StepAssign && errors.Is(err, ticket.ErrHandler)
}

// recipients are those a notify action means, "" of a handler when there is none.
func (s *Service) recipients(ctx context.Context, to, handler string) ([]string, error) {
	switch to {
	case ToHandler:
		if handler == "" {
			return nil, nil
		}
		return []string{handler}, nil
	case ToSupervisors:
		return s.peopleOf(ctx, principal.RoleSupervisor)
	case ToAdministrators:
		return s.peopleOf(ctx, principal.RoleAdministrator)
	}
	id, err := s.engineerID(ctx, "to", to)
	return []string{id}, err
}

// askNews asks people of the house to look at a ticket; a sandbox's mails are caught.
func (s *Service) askNews(ctx context.Context, t ticket.Ticket, users []string, event string) (all []notify.News, err error) {
	sandbox, err := s.ident.InSandbox(ctx, t.Domain)
	for _, u := range users {
		all = append(all, notify.News{User: u, Kind: notify.KindAsked, Event: event, Domain: t.Domain, Number: t.Number, Revision: t.Revision, Sandbox: sandbox})
	}
	return all, err
}

// Outcome is what became of one action.
type Outcome struct {
	Do      string `json:"do"`
	Version int64  `json:"version,omitempty"` // the ticket's behind it; 0 = it changed nothing
	Same    bool   `json:"same,omitempty"`    // it was there already
	Code    string `json:"code,omitempty"`    // why it was refused, with the texts
	ZH      string `json:"zh,omitempty"`
	EN      string `json:"en,omitempty"`
}

// Text is why it was refused, in the language.
func (o Outcome) Text(lang locale.Language) string { return locale.Texts{ZH: o.ZH, EN: o.EN}.In(lang) }

// refusedAs is the outcome of an action that was, or would be, refused.
func refusedAs(do string, f *fault.Error) Outcome {
	return Outcome{Do: do, Code: f.Code, ZH: locale.Text(locale.ZH, f), EN: locale.Text(locale.EN, f)}
}

// anyRefused tells whether the last of the outcomes is a refusal.
func anyRefused(all []Outcome) bool { return len(all) > 0 && all[len(all)-1].Code != "" }

// How long a run's actions are known, so that a run that was interrupted is gone
// on with and does nothing twice.
const (
	onceForRequest = 24 * time.Hour     // a macro's: as long as its request can be repeated
	onceForRun     = 7 * 24 * time.Hour // of what is gone on with whenever somebody comes back
	onceOver       = time.Hour          // when it is over: a runner that was taken over may still be about
)

func onceKey(run string, i int) string { return fmt.Sprint("auto:", run, ":", i) }

// letGo lets the results of a run that is over go soon.
func letGo(tx *db.Tx, run string, steps int) {
	for i := range steps {
		db.KeepResults(tx, tx.Real+onceOver.Milliseconds(), onceKey(run, i))
	}
}

// carryOut does what was planned, action by action through ticket.Take, and
// stops at the first refusal, which is an outcome and no error. version is the
// ticket's as the caller saw it, 0 = whatever it is; behind the first action each
// goes on from the last one's. Every action is known by the key and its place: to
// carry the same plan out again, after an error or a crash, does what is left and
// answers the same outcomes. Errors are those of the store.
func (s *Service) carryOut(ctx context.Context, who principal.Principal, version int64, key string, keep time.Duration, steps []planned) ([]Outcome, error) {
	var all []Outcome
	for i, p := range steps {
		if err := s.interrupted("action"); err != nil {
			return all, err
		}
		once := db.WithRequestKey(ctx, db.RequestKey{ID: onceKey(key, i), Domain: who.Domain, Until: s.db.Now().Add(keep).UnixMilli()})
		if p.Do == DoNotify {
			if err := s.tellEngineers(once, who, p.Step.Number, key, p.Notify); err != nil {
				f, is := fault.As(err)
				if !is || f.Kind == fault.Unavailable {
					return all, err
				}
				return append(all, refusedAs(p.Do, f)), nil
			}
			all = append(all, Outcome{Do: p.Do})
			continue
		}
		step := p.Step
		step.Version = version
		if p.Do == ticket.StepNote {
			// Names that are nobody's are passed over: a text that was written once must
			// not stop all that uses it when somebody leaves.
			as := who
			as.Kind = principal.System
			names, err := s.mentioned(ctx, as, step.Text)
			if _, is := fault.As(err); err != nil && !is {
				return all, err
			}
			step.Guard = func(tx *db.Tx, t ticket.Ticket) error { return ticket.Mention(tx, who, t, names) }
		}
		t, err := s.tickets.Take(once, who, step)
		f, is := fault.As(err)
		switch {
		case err == nil:
			all = append(all, Outcome{Do: p.Do, Version: t.Revision})
			if version != 0 {
				version = t.Revision
			}
		case errors.Is(err, ticket.ErrUnchanged), there(p.Do, err):
			all = append(all, Outcome{Do: p.Do, Same: true})
		case !is || f.Kind == fault.Unavailable:
			return all, err
		default:
			return append(all, refusedAs(p.Do, f)), nil
		}
	}
	return all, nil
}

// tellEngineers tells people of the house to look at a ticket, and records that.
func (s *Service) tellEngineers(ctx context.Context, who principal.Principal, number, key string, users []string) error {
	t, err := s.tickets.DeskShow(ctx, who, number)
	if err != nil || len(users) == 0 {
		return err
	}
	ask, err := s.askNews(ctx, t.Ticket, users, key)
	if err != nil {
		return err
	}
	told, err := s.notify.Tell(ctx, ask)
	if err != nil {
		return err
	}
	_, err = db.Do(ctx, s.db, func(tx *db.Tx) (bool, error) {
		now, err := ticket.In(tx, t.Domain, t.ID)
		if err != nil {
			return false, err
		}
		s.notify.QueueTold(tx, told)
		ticket.Record(tx, who, now, "ticket.notify", event.NoLog, "", map[string]any{"engineers": users})
		return true, nil
	})
	return err
}

// firstRefusal is the refusal of the first action that would not be done, its
// field named below the actions' path.
func firstRefusal(path string, effects []Effect) error {
	for i, e := range effects {
		if e.Refusal != nil {
			at := fmt.Sprintf("%s[%d]", path, i)
			if e.Refusal.Field != "" {
				at += "." + e.Refusal.Field
			}
			return e.Refusal.In(at)
		}
	}
	return nil
}

// foreseenAs are the outcomes that carryOut would have: up to the first refusal.
func foreseenAs(effects []Effect) (all []Outcome) {
	for _, e := range effects {
		switch {
		case e.Refusal != nil:
			return append(all, refusedAs(e.Do, e.Refusal))
		case e.Same:
			all = append(all, Outcome{Do: e.Do, Same: true})
		case e.Do == DoNotify:
			all = append(all, Outcome{Do: e.Do})
		default:
			all = append(all, Outcome{Do: e.Do, Version: e.Version})
		}
	}
	return all
}

// foldText is a text as searches and conditions compare it: width and case do not
// matter.
func foldText(s string) string { return strings.ToLower(normalize(s)) }
