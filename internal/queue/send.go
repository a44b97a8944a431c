package queue

import (
	"context"
	"slices"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Sending is an engineer's step with what teamwork adds. Only reply, ask and
// resolve know Seen, Force, Within, At and Anyway.
type Sending struct {
	ticket.Step
	Seen string // id of the newest message the writer saw, "" = he does not tell
	// Told is the revision of the ticket that the notice told of which its writer
	// answers by mail; 0 = none. Only messages of colleagues behind it refuse the
	// step: what the customer adds meanwhile is no second answer. Not with Seen.
	Told   int64
	Force  bool   // send although there are newer messages
	Within *int   // seconds for taking it back, 0 = at once; nil = by the writer's settings
	At     int64  // when it goes out, milliseconds UTC on the domain's clock; 0 = now
	Anyway bool   // with At: also when somebody writes until then
	Draft  string // id of the draft that is sent: it ends; "" = the one being written ends if it stands in the text
}

// Taken is what became of a step.
type Taken struct {
	Ticket ticket.Ticket // after it, or as it is when it waits
	Later  *Later        // the message that waits, nil = the step is taken
}

// saying are the steps that send a message to the customer.
var saying = []string{ticket.StepReply, ticket.StepAsk, ticket.StepResolve}

var errNotSaid = fault.New(fault.Invalid, fault.CodeInvalid, "{field} 仅适用于 reply、ask 和 resolve", "{field} goes with reply, ask and resolve only")

func (p Sending) check() error {
	says := slices.Contains(saying, p.Action)
	for _, f := range []struct {
		name string
		set  bool
	}{{"last_message_id", p.Seen != ""}, {"force", p.Force}, {"undo_within", p.Within != nil}, {"send_at", p.At != 0}, {"anyway", p.Anyway}} {
		if f.set && !says {
			return errNotSaid.In(f.name)
		}
	}
	if p.Draft != "" && !says && p.Action != ticket.StepNote {
		return errNotSaid.In("draft_id")
	}
	return Settings{UndoWithin: p.Within}.check()
}

// kind is the draft the step's text is written in, "" = it has none.
func (p Sending) kind() string {
	switch {
	case slices.Contains(saying, p.Action):
		return DraftReply
	case p.Action == ticket.StepNote:
		return DraftNote
	}
	return ""
}

// Take takes an engineer's step as ticket.Take does, and: refuses a message
// when there is a newer one than its writer saw; tells of a stale version, a
// double answer and a state that changed as a *Conflict what happened; keeps a
// text that was refused so as its writer's draft; ends the draft that was sent,
// in the step's transaction; makes those a note names followers and lets them be
// told; holds a message back that its writer wants to be able to take back or to
// send later (Later).
//
// Further failures beside ticket.Take's: OSM.01010002 (double answer, MaxLater),
// .01 (fields; a note that names nobody).
func (s *Service) Take(ctx context.Context, who principal.Principal, p Sending) (out Taken, err error) {
	if err := p.check(); err != nil {
		return out, err
	}
	if p.kind() == "" {
		out.Ticket, err = s.tickets.Take(ctx, who, p.Step)
		return out, s.Explain(ctx, who, p.Number, p.Version, err)
	}
	wait, err := s.wait(ctx, who, p)
	if err != nil {
		return out, err
	}
	if wait > 0 || p.At > 0 {
		out, err = s.hold(ctx, who, p, wait)
	} else {
		out.Ticket, err = s.now(ctx, who, p)
	}
	return out, s.refused(ctx, who, p, err)
}

// wait is for how many seconds the message is held back to be undone.
func (s *Service) wait(ctx context.Context, who principal.Principal, p Sending) (int, error) {
	switch {
	case p.kind() != DraftReply || p.At > 0 || who.Kind == principal.System:
		return 0, nil
	case p.Within != nil:
		return *p.Within, nil
	}
	mine, err := s.Settings(ctx, who)
	if err != nil {
		return 0, err
	}
	return min(*mine.UndoWithin, int(config.MaxUndo/time.Second)), nil
}

// now takes the step at once.
func (s *Service) now(ctx context.Context, who principal.Principal, p Sending) (ticket.Ticket, error) {
	var names []string
	if p.Action == ticket.StepNote {
		var err error
		if names, err = s.mentioned(ctx, who, p.Text); err != nil {
			return ticket.Ticket{}, err
		}
	}
	p.Guard = func(tx *db.Tx, t ticket.Ticket) error {
		if err := p.unanswered(tx, who, t); err != nil {
			return err
		}
		if err := ticket.Mention(tx, who, t, names); err != nil {
			return err
		}
		return s.sent(tx, t, who.User, p.kind(), p.Draft, p.Text)
	}
	return s.tickets.Take(ctx, who, p.Step)
}

// unanswered refuses a message when there is a newer one than its writer saw,
// of a customer or a colleague.
func (p Sending) unanswered(tx *db.Tx, who principal.Principal, t ticket.Ticket) error {
	if p.kind() != DraftReply {
		return nil
	}
	if p.Told > 0 && !p.Force {
		n, err := ticket.AnsweredBehind(tx, t, p.Told, who.User)
		if err == nil && n > 0 {
			err = errAnswered.With("n", n)
		}
		return err
	}
	if p.Seen == "" {
		return nil
	}
	revision, ok, err := ticket.SaidAt(tx, t, p.Seen)
	switch {
	case err != nil:
		return err
	case !ok:
		return errSeen
	case p.Force:
		return nil
	}
	said, err := ticket.SaidBehind(tx, t, revision, who.User)
	if err == nil && said.N > 0 {
		err = errAnswered
	}
	return err
}

// refused explains a refusal and keeps the text that met a conflict as a draft.
func (s *Service) refused(ctx context.Context, who principal.Principal, p Sending, err error) error {
	f, ok := fault.As(err)
	if !ok || f.Kind != fault.Conflict {
		return err
	}
	ctx = db.WithoutRequestKey(ctx)
	t, _, gone := s.tickets.DeskFind(ctx, who, p.Number)
	if gone != nil {
		return err
	}
	since := max(p.Version, p.Told)
	if p.Seen != "" {
		failed := s.db.View(ctx, func(tx *db.Tx) error {
			revision, ok, err := ticket.SaidAt(tx, t, p.Seen)
			if ok && (since == 0 || f.Is(errAnswered)) {
				since = revision
			}
			return err
		})
		if failed != nil {
			return failed
		}
	}
	err = s.Explain(ctx, who, p.Number, since, err)
	c, ok := err.(*Conflict) //nolint:errorlint // Explain's own
	if !ok {
		return err
	}
	if f.Is(errAnswered) {
		c.Reason, c.fault = ReasonAnswer, c.sentence(ctx, errAnswered.With("n", c.NewMessages))
	}
	if who.Kind == principal.System {
		return c
	}
	failed := s.db.Update(ctx, func(tx *db.Tx) error {
		d, err := s.giveBack(tx, Draft{Domain: t.Domain, Ticket: t.ID, User: who.User, Kind: p.kind(), Action: p.Action, Text: p.Text, Attachments: p.Attachments,
			Seen: p.Seen, Origin: OriginRefused, Cause: f.Code})
		c.DraftID = d.ID
		return err
	})
	if failed != nil {
		return failed
	}
	return c
}
