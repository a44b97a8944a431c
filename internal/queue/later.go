package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/principal"
	"casemate/internal/seal"
	"casemate/internal/ticket"
)

// A message that waits is a row. It is sent by ticket.Take, whose transaction
// deletes the row and writes the message: both or neither. So it goes out once,
// whatever is killed in between and however often its job runs, on any node; and
// of a sending and a taking back at once one finds no row. A job that is lost
// is made anew by a look at what is overdue.
const (
	kindLater = "queue.later"

	// MaxLater is how many messages of one engineer may wait.
	MaxLater = 100
	// MaxAhead is how far ahead a message can be sent, in milliseconds.
	MaxAhead = 30 * day

	overdue = 2 * time.Minute
)

// Faults of messages that wait.
var (
	ErrNoLater  = fault.New(fault.NotFound, fault.CodeInvalid, "没有该待发消息，可能已经发出", "no such message waits: it may have gone out").In("later_id")
	errLater    = fault.New(fault.Conflict, fault.CodeNoPermission, "您的待发消息已达 {max} 条", "{max} messages of yours wait already").With("max", MaxLater)
	errAhead    = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 须晚于现在，且不超过 30 天", "{field} must be later than now, and by at most 30 days").In("send_at")
	errLaterOld = fault.New(fault.Conflict, fault.CodeNoPermission, "待发消息已在其他页面修改", "the message was changed in another page meanwhile").In("version")
	errBlank    = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不能为空", "{field} must not be blank").In("text")
	errWriter   = fault.New(fault.Conflict, fault.CodeNoPermission, "发送人已不能处理工单", "its writer may not work on tickets any more")

	errGone = errors.New("queue: the message was sent or taken back") // never shown
)

// Later is a message that waits to be sent.
type Later struct {
	Domain, ID, Ticket, Number string
	User, Name                 string // its writer
	Action                     string
	Text                       string // its writer's eyes only
	Attachments                []string
	At                         int64 // when it goes out, milliseconds UTC on the domain's clock
	Undo                       bool  // it waits only to be taken back
	Anyway                     bool  // it goes out also when somebody wrote meanwhile
	Version, Created           int64

	seen            int64 // revision of the ticket its writer knew
	address, sealed string
}

func (l Later) place() seal.Place {
	return seal.Place{Table: "ticket_later", Column: "text", Row: l.Domain + "/" + l.ID}
}

const laterColumns = "domain_id, id, ticket_id, user_id, action, text, attachments, seen, anyway, undo, send_at, version, address, created_at"

func scanLater(r db.Row) (l Later, err error) {
	var files string
	var anyway, undo int64
	if err = r.Scan(&l.Domain, &l.ID, &l.Ticket, &l.User, &l.Action, &l.sealed, &files, &l.seen, &anyway, &undo, &l.At, &l.Version, &l.address, &l.Created); err != nil {
		return l, err
	}
	l.Anyway, l.Undo = anyway == 1, undo == 1
	return l, json.Unmarshal([]byte(files), &l.Attachments)
}

func (s *Service) openLater(l *Later) error {
	plain, err := s.keys.Open(l.place(), l.sealed)
	l.Text = string(plain)
	return err
}

// laterArgs are a job's. It is stale when the row is gone or due later.
type laterArgs struct {
	Domain string `json:"domain"`
	ID     string `json:"id"`
}

func (l Later) enqueue(tx *db.Tx) {
	job.Enqueue(tx, job.Job{Kind: kindLater, Domain: l.Domain, Args: laterArgs{l.Domain, l.ID}, At: l.At, Unique: fmt.Sprint(l.ID, "/", l.At), Urgent: l.Undo})
}

// hold lets a message wait: for so many seconds, or until p.At. All that would
// refuse it now refuses it now.
func (s *Service) hold(ctx context.Context, who principal.Principal, p Sending, seconds int) (out Taken, err error) {
	t, refusal := s.tickets.Try(ctx, who, p.Step)
	if t.ID == "" {
		return out, refusal // there is no ticket; other refusals wait, lest a repeated request get one
	}
	if ctx, err = s.ident.OnClock(ctx, t.Domain); err != nil {
		return out, err
	}
	now := s.db.NowIn(ctx).UnixMilli()
	l := Later{Domain: t.Domain, ID: s.db.NewID(), Ticket: t.ID, Number: t.Number, User: who.User, Action: p.Action, Text: p.Text, Attachments: p.Attachments,
		At: p.At, Undo: p.At == 0, Anyway: p.Anyway, address: who.Address}
	if l.Undo {
		l.At = now + int64(seconds)*1000
	} else if refusal == nil {
		refusal = ahead(l.At, now)
	}
	if l.sealed, err = s.keys.Seal(l.place(), []byte(l.Text)); err != nil {
		return out, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Taken, error) {
		if refusal != nil {
			return Taken{}, refusal
		}
		l := l
		t, err := ticket.In(tx, t.Domain, t.ID)
		switch {
		case err != nil:
			return Taken{}, err
		case p.Version != 0 && p.Version != t.Revision:
			return Taken{}, ticket.ErrVersion
		}
		if err := p.unanswered(tx, who, t); err != nil {
			return Taken{}, err
		}
		var n int
		if err := tx.Get("SELECT count(*) FROM ticket_later WHERE user_id = ? /* all domains: an engineer's own */", who.User).Scan(&n); err != nil {
			return Taken{}, err
		}
		if n >= MaxLater {
			return Taken{}, errLater
		}
		if err := attachment.Keep(tx, who, l.files(t), l.Attachments, l.At+keepDraftFiles); err != nil {
			return Taken{}, err
		}
		if err := s.sent(tx, t, who.User, DraftReply, p.Draft, p.Text); err != nil {
			return Taken{}, err
		}
		l.seen, l.Version, l.Created = t.Revision, 1, tx.Now
		files, err := json.Marshal(append([]string{}, l.Attachments...))
		if err != nil {
			return Taken{}, err
		}
		tx.Write(1, "INSERT INTO ticket_later (domain_id, id, ticket_id, user_id, action, text, attachments, seen, anyway, undo, send_at, version, address, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			l.Domain, l.ID, l.Ticket, l.User, l.Action, l.sealed, string(files), l.seen, number(l.Anyway), number(l.Undo), l.At, l.Version, l.address, l.Created)
		l.enqueue(tx)
		l.record(tx, who, t, "ticket.later", map[string]any{"action": l.Action, "at": l.At, "undo": l.Undo})
		return Taken{Ticket: t, Later: &l}, nil
	})
}

func ahead(at, now int64) error {
	if at <= now || at > now+MaxAhead {
		return errAhead
	}
	return nil
}

func (l Later) files(t ticket.Ticket) attachment.For {
	return attachment.For{Domain: l.Domain, Ticket: l.Ticket, Owner: t.Creator, Field: "attachment_ids"}
}

func (l Later) record(tx *db.Tx, who principal.Principal, t ticket.Ticket, kind string, data map[string]any) {
	data["later"] = l.ID
	event.Record(tx, who, event.Event{Domain: l.Domain, Kind: kind, Subject: "ticket", SubjectID: l.Ticket, Revision: t.Revision, LogCode: event.NoLog, Data: data})
}

// draft is the text as a draft again.
func (l Later) draft(origin, cause string) Draft {
	return Draft{Domain: l.Domain, Ticket: l.Ticket, Number: l.Number, User: l.User, Kind: DraftReply, Action: l.Action, Text: l.Text, Attachments: l.Attachments, Origin: origin, Cause: cause}
}

// claim deletes the row in the caller's transaction; errGone when another was
// faster. Version 0 is any.
func (l Later) claim(tx *db.Tx, version int64) error {
	var id string
	err := tx.Get("DELETE FROM ticket_later WHERE domain_id = ? AND id = ? AND (version = ? OR CAST(? AS BIGINT) = 0) RETURNING id", l.Domain, l.ID, version, version).Scan(&id)
	if errors.Is(err, db.ErrNone) {
		return errGone
	}
	return err
}

// laterOf reads a message that waits; db.ErrNone when it does not.
func laterOf(tx *db.Tx, domain, id string) (Later, error) {
	return scanLater(tx.Get("SELECT "+laterColumns+" FROM ticket_later WHERE domain_id = ? AND id = ?", domain, id))
}

// own finds a message of the caller's that waits, with its text and ticket.
func (s *Service) own(ctx context.Context, who principal.Principal, id string) (l Later, err error) {
	if err := ticket.MayWork(who); err != nil {
		return l, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		l, err = scanLater(tx.Get("SELECT "+laterColumns+" FROM ticket_later WHERE user_id = ? AND id = ? /* all domains: an engineer's own */", who.User, id))
		return err
	})
	if errors.Is(err, db.ErrNone) {
		return l, ErrNoLater
	}
	if err != nil {
		return l, err
	}
	names, err := s.tickets.DeskNumbers(ctx, who, []string{l.Ticket})
	if err != nil {
		return l, err
	}
	l.Number, l.Name = names[l.Ticket], who.UserName
	return l, s.openLater(&l)
}

// WaitingSends are the messages that wait: the caller's own of all tickets, the first
// to go first; with a number all of that ticket, colleagues' without their text.
func (s *Service) WaitingSends(ctx context.Context, who principal.Principal, number string) (all []Later, err error) {
	var t ticket.Ticket
	if number != "" {
		if t, _, err = s.tickets.DeskFind(ctx, who, number); err != nil {
			return nil, err
		}
	} else if err := ticket.MayWork(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		if number != "" {
			all, err = waitingIn(tx, t)
			return err
		}
		all = nil
		return tx.List(func(r db.Row) error {
			l, err := scanLater(r)
			all = append(all, l)
			return err
		}, "SELECT "+laterColumns+" FROM ticket_later WHERE user_id = ? ORDER BY send_at, id /* all domains: an engineer's own */", who.User)
	})
	if err != nil {
		return nil, err
	}
	var users, tickets []string
	for _, l := range all {
		users, tickets = append(users, l.User), append(tickets, l.Ticket)
	}
	known, err := s.colleagues(ctx, who, users)
	if err != nil {
		return nil, err
	}
	numbers, err := s.tickets.DeskNumbers(ctx, who, tickets)
	if err != nil {
		return nil, err
	}
	for i := range all {
		l := &all[i]
		l.Number = numbers[l.Ticket]
		if l.User != who.User {
			l.Attachments = nil
		} else if err := s.openLater(l); err != nil {
			return nil, err
		}
		l.User, l.Name = known[l.User].id, known[l.User].name
	}
	return all, nil
}

func waitingIn(tx *db.Tx, t ticket.Ticket) (all []Later, err error) {
	err = tx.List(func(r db.Row) error {
		l, err := scanLater(r)
		all = append(all, l)
		return err
	}, "SELECT "+laterColumns+" FROM ticket_later WHERE domain_id = ? AND ticket_id = ? ORDER BY send_at, id LIMIT 200", t.Domain, t.ID)
	return all, err
}

// Reschedule is what changes of a message that waits; nil stays as it is.
type Reschedule struct {
	Text        *string
	Attachments *[]string
	At          *int64
	Anyway      *bool
	Version     int64 // the one the writer knew, 0 = whatever it is
}

// ChangeLater changes a message of the caller's that waits. Failures:
// ErrNoLater, OSM.01010002 (stale version), .01 (fields).
func (s *Service) ChangeLater(ctx context.Context, who principal.Principal, id string, in Reschedule) (l Later, err error) {
	if l, err = s.own(ctx, who, id); err != nil {
		return l, err
	}
	if ctx, err = s.ident.OnClock(ctx, l.Domain); err != nil {
		return l, err
	}
	old := l.Version
	if in.Version != 0 && in.Version != old {
		return l, errLaterOld
	}
	if in.Text != nil {
		switch l.Text = *in.Text; {
		case strings.TrimSpace(l.Text) == "":
			return l, errBlank
		case utf8.RuneCountInString(l.Text) > MaxDraft:
			return l, fault.TooLong.In("text").With("max", MaxDraft)
		}
	}
	if in.Attachments != nil {
		if l.Attachments = *in.Attachments; len(l.Attachments) > MaxDraftFiles {
			return l, fault.TooManyItems.In("attachment_ids").With("max", MaxDraftFiles)
		}
	}
	if in.Anyway != nil {
		l.Anyway = *in.Anyway
	}
	if in.At != nil {
		l.At, l.Undo = *in.At, false
		if err := ahead(l.At, s.db.NowIn(ctx).UnixMilli()); err != nil {
			return l, err
		}
	}
	l.Version++
	if l.sealed, err = s.keys.Seal(l.place(), []byte(l.Text)); err != nil {
		return l, err
	}
	files, err := json.Marshal(append([]string{}, l.Attachments...))
	if err != nil {
		return l, err
	}
	changed, err := db.Do(ctx, s.db, func(tx *db.Tx) (Later, error) {
		t, err := ticket.In(tx, l.Domain, l.Ticket)
		if err != nil {
			return l, err
		}
		if err := attachment.Keep(tx, who, l.files(t), l.Attachments, l.At+keepDraftFiles); err != nil {
			return l, err
		}
		var is string
		err = tx.Get(`UPDATE ticket_later SET text = ?, attachments = ?, anyway = ?, undo = ?, send_at = ?, version = ? WHERE domain_id = ? AND id = ? AND version = ? RETURNING id`,
			l.sealed, string(files), number(l.Anyway), number(l.Undo), l.At, l.Version, l.Domain, l.ID, old).Scan(&is)
		if errors.Is(err, db.ErrNone) {
			return l, ErrNoLater
		}
		if err != nil {
			return l, err
		}
		l.enqueue(tx)
		l.record(tx, who, t, "ticket.later.change", map[string]any{"at": l.At, "anyway": l.Anyway})
		return l, nil
	})
	return changed, err
}

// Recall takes a message of the caller's back before it goes out: nobody saw
// it, and its text is a draft again. It fails with ErrNoLater when it went out
// meanwhile.
func (s *Service) Recall(ctx context.Context, who principal.Principal, id string) (Draft, error) {
	l, err := s.own(ctx, who, id)
	if err != nil {
		return Draft{}, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Draft, error) {
		t, err := ticket.In(tx, l.Domain, l.Ticket)
		if err != nil {
			return Draft{}, err
		}
		if err := l.claim(tx, 0); errors.Is(err, errGone) {
			return Draft{}, ErrNoLater
		} else if err != nil {
			return Draft{}, err
		}
		l.record(tx, who, t, "ticket.later.cancel", map[string]any{"undo": l.Undo})
		d, err := s.giveBack(tx, l.draft(OriginRecalled, ""))
		d.Number = l.Number
		return d, err
	})
}

// sendLater is the job: it sends a message that is due, or gives it back.
func (s *Service) sendLater(ctx context.Context, r job.Running) error {
	var k laterArgs
	if err := json.Unmarshal(r.Args, &k); err != nil {
		return fmt.Errorf("%w: %w", job.ErrDrop, err)
	}
	var l Later
	var t ticket.Ticket
	var now int64
	err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now
		if l, err = laterOf(tx, k.Domain, k.ID); err != nil {
			return err
		}
		t, err = ticket.In(tx, l.Domain, l.Ticket)
		return err
	})
	switch {
	case errors.Is(err, db.ErrNone), fault.KindOf(err) == fault.NotFound:
		return nil // sent, taken back, or gone with its domain
	case err != nil:
		return err
	case l.At > now:
		return nil // it was put off; another job sends it
	}
	if err := s.openLater(&l); err != nil {
		return err
	}
	who, err := s.writerOf(ctx, l)
	if err == nil {
		_, err = s.tickets.Take(ctx, who, ticket.Step{Number: t.Number, Action: l.Action, Text: l.Text, Attachments: l.Attachments, Guard: func(tx *db.Tx, t ticket.Ticket) error {
			if err := l.claim(tx, l.Version); err != nil {
				return err
			}
			if l.Anyway {
				return nil
			}
			said, err := ticket.SaidBehind(tx, t, l.seen, l.User)
			if err == nil && said.N > 0 {
				err = errAnswered
			}
			return err
		}})
	}
	f, refused := fault.As(err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errGone):
		return nil // sent by another node, taken back, or changed: then the change made a job
	case refused && (f.Kind == fault.Conflict || f.Kind == fault.NotFound || f.Kind == fault.Invalid || f.Kind == fault.Forbidden):
		return s.withhold(ctx, l, f.Code)
	}
	return err
}

// writerOf is the writer of a message as he is now; errWriter when he may not
// work any more.
func (s *Service) writerOf(ctx context.Context, l Later) (principal.Principal, error) {
	u, err := s.ident.User(ctx, principal.AsSystem(principal.House), principal.House, l.User)
	if errors.Is(err, identity.ErrNoUser) || errors.Is(err, seal.ErrErased) || err == nil && u.Disabled {
		return principal.Principal{}, errWriter
	}
	return principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: u.ID, UserName: u.Name, Role: u.Role, Roles: u.Roles, Partner: u.Partner, Address: l.address}, err
}

// withhold gives a message back to its writer that must not go out as it is.
func (s *Service) withhold(ctx context.Context, l Later, cause string) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		t, err := ticket.In(tx, l.Domain, l.Ticket)
		if err != nil {
			return err
		}
		if err := l.claim(tx, l.Version); errors.Is(err, errGone) {
			return nil
		} else if err != nil {
			return err
		}
		l.record(tx, principal.AsSystem(l.Domain), t, ticket.KindWithheld, map[string]any{"user": l.User, "cause": cause})
		_, err = s.giveBack(tx, l.draft(OriginWithheld, cause))
		return err
	})
}

// remake makes jobs for messages that are overdue: their job died.
func (s *Service) remake(ctx context.Context) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		var all []Later
		err := tx.List(func(r db.Row) error {
			l, err := scanLater(r)
			all = append(all, l)
			return err
		}, "SELECT "+laterColumns+" FROM ticket_later WHERE send_at <= ? ORDER BY send_at LIMIT 100 /* all domains: housekeeping */", tx.Real-overdue.Milliseconds())
		for _, l := range all {
			l.enqueue(tx)
		}
		return err
	})
}
