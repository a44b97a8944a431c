package ticket

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// Engineers' steps.
const (
	StepAccept  = "accept"
	StepReply   = "reply"
	StepAsk     = "ask"
	StepResolve = "resolve"
	StepPause   = "pause"
	StepResume  = "resume"
	StepInvalid = "invalid"
	StepNote    = "note"
	StepAssign  = "assign"
)

// Faults of engineers' steps.
var (
	ErrStep     = fault.Unknown.In("action")
	ErrHandler  = fault.New(fault.Conflict, "OSM.01010051", "操作人已是当前处理人", "The operator is already the current handler.")
	ErrTaken    = fault.New(fault.Conflict, fault.CodeNoPermission, "工单已由其他工程师处理，如需接手请使用转派", "another engineer handles this ticket: use assign to take it over")
	ErrVersion  = fault.New(fault.Conflict, fault.CodeNoPermission, "工单已被他人更新，请刷新后重试", "the ticket has changed meanwhile: read it again and repeat the step").In("version")
	errNoFiles  = fault.New(fault.Invalid, fault.CodeInvalid, "该操作不能附带附件", "files cannot go with this step").In("attachment_ids")
	ErrAssignee = fault.New(fault.NotFound, fault.CodeInvalid, "找不到该工程师：{name}", "there is no such engineer: {name}").In("assignee")
)

// Step is what an engineer does to a ticket.
type Step struct {
	Number   string
	Action   string
	Text     string    // message, note or reason; at most 10,000 characters
	Assignee string    // StepAssign, StepTransfer: user id or log-in name
	To       Ownership // StepTransfer
	Team     string    // StepTransfer: team of the house, see Transfer
	Version  int64     // revision the engineer saw; 0 = whatever it is
	// Attachments go with the text of StepReply, StepAsk, StepResolve and
	// StepNote: ids of files that engineers uploaded for this ticket.
	Attachments []string
	// Begin, when set, runs in the step's transaction before the ticket is read:
	// a noun above locks, counts, refuses or decides. With it Number may be ""
	// and StepAssign needs no Assignee. It may run several times.
	Begin func(tx *db.Tx) (Given, error) `json:"-"`
	// Guard, if set, runs in the step's transaction, with the ticket as it was
	// read: what it writes is committed with the step, its error refuses it. It
	// may run again. A transfer does not know it.
	Guard    func(tx *db.Tx, t Ticket) error `json:"-"`
	Severity string                          // StepSeverity
	Tags     []string                        // StepTag, StepUntag
}

func (p Step) check() error {
	switch p.Action {
	case StepSeverity:
		if p.Severity == "" {
			return fault.Missing.In("severity")
		}
		return nil
	case StepTag, StepUntag:
		_, err := CheckTags(p.Tags)
		return err
	case StepReply, StepAsk, StepResolve, StepInvalid, StepNote:
		if p.Action == StepInvalid && len(p.Attachments) > 0 {
			return errNoFiles
		}
		return checkText("text", p.Text)
	case StepAccept, StepPause, StepResume, StepAssign, StepTransfer, StepRelease:
		if utf8.RuneCountInString(p.Text) > maxMessage {
			return fault.TooLong.In("text").With("max", maxMessage)
		}
		if len(p.Attachments) > 0 {
			return errNoFiles
		}
		if p.Action == StepAssign && p.Assignee == "" && p.Begin == nil {
			return fault.Missing.In("assignee")
		}
		return nil
	}
	return ErrStep
}

// mayWork tells who takes steps: engineers, supervisors and administrators, and
// Casemate itself by its rules.
func mayWork(who principal.Principal) error {
	if who.Kind == principal.System {
		return nil
	}
	if who.Works() {
		return nil
	}
	return fault.NoPermission
}

// Take does an engineer's step and answers the ticket after it (semantics.md
// section 3.3). The first who works on a ticket becomes its handler. Failures:
// OSM.01010015 (no such ticket), .02 (state, role, stale version, another
// handler), .51 (handler already), .58 (handler of another side), .01 (texts,
// assignee); of a transfer those of Transfer. State, message,
// notices and history are written together.
func (s *Service) Take(ctx context.Context, who principal.Principal, p Step) (t Ticket, err error) {
	if err := mayWork(who); err != nil {
		return t, err
	}
	if err := p.check(); err != nil {
		return t, err
	}
	if p.Action == StepAccept && who.Kind == principal.System {
		return t, fault.NoPermission // nobody would be the handler
	}
	switch p.Action {
	case StepTransfer:
		return s.transferOne(ctx, who, p)
	case StepSeverity:
		return s.severityStep(ctx, who, p)
	case StepTag, StepUntag:
		return s.tagStep(ctx, who, p)
	}
	assignee, err := s.assignee(ctx, p)
	if err != nil {
		return t, err
	}
	var seen Ticket
	if p.Number != "" || p.Begin == nil {
		if seen, err = s.deskTicketOf(ctx, who, p.Number); err != nil {
			return t, err
		}
	}
	// The step happens at the ticket's time: a sandbox's clock may be ahead.
	if ctx, err = s.ident.OnClock(ctx, seen.Domain); err != nil {
		return t, err
	}
	var tell notices
	switch p.Action {
	case StepReply:
		tell, err = s.prepare(ctx, seen, notify.TemplateReply, 0)
	case StepAsk:
		tell, err = s.prepare(ctx, seen, notify.TemplateAsk, s.o.Config.FeedbackDays)
	case StepResolve:
		tell, err = s.prepare(ctx, seen, notify.TemplateResolve, s.o.Config.ConfirmDays)
	}
	if err != nil {
		return t, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Ticket, error) {
		before, err := p.begin(tx, seen, &assignee)
		if err != nil {
			return before, err
		}
		if p.Version != 0 && p.Version != before.Revision {
			return before, ErrVersion
		}
		if p.Guard != nil {
			if err := p.Guard(tx, before); err != nil {
				return before, err
			}
		}
		mine, err := fitting(tx, who, before, p, assignee)
		if err != nil {
			return before, err
		}
		t, err := next(before, who, p, assignee)
		if err != nil {
			return before, err
		}
		if !mine && p.Action != StepAssign {
			t.Assignee = before.Assignee // one who lends a hand does not become the handler
		}
		said := attachment.For{Domain: t.Domain, Ticket: t.ID, Owner: t.Creator, Field: "attachment_ids"}
		switch p.Action {
		case StepReply, StepAsk, StepResolve:
			said.Message = addMessage(tx, t, message{Side: sideOfWorker(who), Author: writer(who), Text: p.Text})
			t.answered = who.Kind == principal.Engineer // Casemate's own words are no answer
		default:
			if said.Internal = true; strings.TrimSpace(p.Text) != "" {
				said.Message = addMessage(tx, t, message{Side: sideOfWorker(who), Author: writer(who), Text: p.Text, Internal: true})
			}
		}
		if err := s.files.Claim(tx, who, said, p.Attachments); err != nil {
			return before, err
		}
		switch {
		case p.Action == StepResolve:
			t.Resolution, t.Resolved = p.Text, tx.Now
		case p.Action == StepAsk:
			t.StatusAt = tx.Now // a further question starts the waiting anew
		case t.Status == Invalid:
			t.Closed = tx.Now
		}
		t = change(tx, before, t)
		code := event.NoLog // the customer's log has no line for engineers' steps, but for this one
		if p.Action == StepInvalid {
			code = logInvalid
		}
		event.Record(tx, who, event.Event{Domain: t.Domain, Kind: "ticket." + p.Action, Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: code,
			Data: map[string]any{"from": before.Status, "to": t.Status, "assignee": t.Assignee, "assignee_from": before.Assignee}})
		remember(tx, before, t, p.Action)
		s.queue(tx, tell)
		s.startClock(tx, t)
		return t, nil
	})
}

// next is the ticket after a step, or why the step cannot be.
func next(t Ticket, who principal.Principal, p Step, assignee string) (Ticket, error) {
	from := t.Status
	switch p.Action {
	case StepNote:
		return t, nil
	case StepAccept:
		switch {
		case from != Submitted && from != Processing:
			return t, errState(actAccept, from)
		case t.Assignee == who.User:
			return t, ErrHandler
		case t.Assignee != "":
			return t, ErrTaken
		}
		t.Status, t.Assignee = Processing, who.User
		return t, nil
	case StepAssign:
		switch {
		case !from.Open():
			return t, errState(actAssign, from)
		case t.Assignee == assignee:
			return t, ErrHandler
		}
		if t.Assignee = assignee; from == Submitted {
			t.Status = Processing
		}
		return t, nil
	case StepRelease:
		return released(t, who)
	case StepReply:
		if !from.Open() {
			return t, errState(actReply, from)
		}
		if from == Submitted {
			t.Status = Processing
		}
	case StepAsk:
		if from != Processing && from != Feedback {
			return t, errState(actAsk, from)
		}
		t.Status = Feedback
	case StepResolve:
		if from != Processing && from != Feedback {
			return t, errState(actResolve, from)
		}
		t.Status = ToConfirm
	case StepPause:
		if from != Processing {
			return t, errState(actPause, from)
		}
		t.Status = Paused
	case StepResume:
		if from != Paused {
			return t, errState(actResume, from)
		}
		t.Status = Processing
	case StepInvalid:
		if from != Submitted && from != Processing {
			return t, errState(actInvalid, from)
		}
		t.Status = Invalid
	}
	if t.Assignee == "" {
		t.Assignee = writer(who)
	}
	return t, nil
}

// assignee finds the engineer a ticket is assigned to, by id or log-in name.
func (s *Service) assignee(ctx context.Context, p Step) (string, error) {
	if p.Action != StepAssign || p.Assignee == "" {
		return "", nil
	}
	house := principal.AsSystem(principal.House)
	u, err := s.ident.UserByName(ctx, house, principal.House, p.Assignee)
	if errors.Is(err, identity.ErrNoUser) {
		u, err = s.ident.User(ctx, house, principal.House, p.Assignee)
	}
	if errors.Is(err, identity.ErrNoUser) || err == nil && (u.Disabled || u.Role == principal.RoleAuditor) {
		return "", ErrAssignee.With("name", p.Assignee)
	}
	return u.ID, err
}

func ticketIn(tx *db.Tx, domain, id string) (Ticket, error) {
	return scan(tx.Get("SELECT "+columns+" FROM tickets WHERE domain_id = ? AND id = ?", domain, id))
}
