package mailin

import (
	"context"
	"errors"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// Faults of the quarantine.
var (
	ErrNone = fault.New(fault.NotFound, fault.CodeInvalid, "邮件不存在", "there is no such mail").In("mail_id")
	// ErrState: what is asked for needs a mail in quarantine.
	ErrState = fault.New(fault.Conflict, fault.CodeNoPermission, "邮件不在隔离区（当前状态：{state}）", "the mail is not in quarantine (it is {state})")
	// ErrGone: its original is kept no longer.
	ErrGone    = fault.New(fault.NotFound, fault.CodeInvalid, "邮件原文已不再保存", "the original of the mail is kept no longer").In("mail_id")
	errState   = fault.Unknown.In("state")
	errUser    = fault.New(fault.NotFound, fault.CodeInvalid, "该客户没有此用户，或该用户已停用", "the customer has no such user, or the user may not log in").In("user_id")
	errNoUser  = fault.Missing.In("user_id")
	errNoOwner = fault.Missing.In("domain_id")
)

// Mail is a received mail as the desk shows it.
type Mail struct {
	ID, Mailbox, State, Outcome, Cause string
	Words                              locale.Texts // of the cause
	Envelope, From, Name, Subject      string
	Domain, Number                     string // of the ticket, "" = none
	Size                               int64
	Kept                               bool // the original is there
	Received, Changed                  int64

	// Of one mail only:
	To    []string
	Text  string
	Files []MailFile
}

// MailFile is a file in a mail.
type MailFile struct {
	Name string
	Size int64
}

// Filter of the list.
type Filter struct {
	State   string // "" = quarantined
	Mailbox string // "" = all
	After   string // id of the last mail of the page before
	Limit   int    // 0 = 50, at most 200
}

// mayTend tells who may look into other people's mail: administrators and
// supervisors of the house, none of a partner's people.
func mayTend(who principal.Principal) error {
	switch {
	case who.Kind == principal.Local, who.Partner == "" && (who.Is(principal.RoleAdministrator) || who.Is(principal.RoleSupervisor)):
		return nil
	}
	return fault.NoPermission
}

const (
	defaultLimit = 50
	maxLimit     = 200
	maxShown     = 64 << 10 // of a mail's text, in bytes
)

// List is a page of mails, the newest first, without their texts. It fails with
// OSM.01010002 for who may not, OSM.01010001 for a state or limit that is none.
func (s *Service) List(ctx context.Context, who principal.Principal, f Filter) (page []Mail, err error) {
	if err := mayTend(who); err != nil {
		return nil, err
	}
	switch f.State {
	case "":
		f.State = StateQuarantined
	case StateWaiting, StateDone, StateQuarantined, StateDiscarded:
	default:
		return nil, errState
	}
	if f.Limit == 0 {
		f.Limit = defaultLimit
	}
	if f.Limit < 0 || f.Limit > maxLimit {
		return nil, fault.OutOfRange.In("limit").With("min", 1).With("max", maxLimit)
	}
	cond, args := "state = ?", []any{f.State}
	if f.Mailbox != "" {
		cond, args = cond+" AND mailbox = ?", append(args, f.Mailbox)
	}
	if f.After != "" {
		cond, args = cond+" AND id < ?", append(args, f.After)
	}
	var rows []row
	err = s.db.View(ctx, func(tx *db.Tx) error {
		rows = nil
		return tx.List(func(r db.Row) error {
			m, err := scanRow(r)
			rows = append(rows, m)
			return err
		}, "SELECT "+rowColumns+" FROM mails WHERE "+cond+" ORDER BY id DESC LIMIT ?", append(args, f.Limit)...)
	})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		m, err := s.shown(r)
		if err != nil {
			return nil, err
		}
		page = append(page, m)
	}
	return page, nil
}

func (s *Service) shown(r row) (Mail, error) {
	var h head
	if err := s.openJSON("head", r.id, r.head, &h); err != nil {
		return Mail{}, err
	}
	m := Mail{ID: r.id, Mailbox: r.mailbox, State: r.state, Outcome: r.outcome, Cause: r.cause, Words: causes[r.cause], Envelope: h.Envelope, From: h.From, Name: h.Name,
		Subject: h.Subject, Domain: r.domain, Number: r.number, Size: r.size, Kept: r.kept, Received: r.received, Changed: r.changed, To: h.To}
	if h.ZH != "" || h.EN != "" {
		m.Words = locale.Texts{ZH: h.ZH, EN: h.EN}
	}
	return m, nil
}

// Show reads one mail with its text and the names of its files, as far as the
// original is kept. That somebody of the house read it is recorded.
func (s *Service) Show(ctx context.Context, who principal.Principal, id string) (m Mail, err error) {
	r, raw, err := s.tended(ctx, who, id, true)
	if err != nil {
		return m, err
	}
	if m, err = s.shown(r); err != nil || raw == nil {
		return m, err
	}
	read := readMail(raw)
	m.Text = strings.ToValidUTF8(read.Text[:min(len(read.Text), maxShown)], "")
	for _, to := range read.To {
		if !slices.Contains(m.To, to) {
			m.To = append(m.To, to)
		}
	}
	for _, f := range read.Files {
		m.Files = append(m.Files, MailFile{f.Name, int64(len(f.Data))})
	}
	return m, nil
}

// Original is the mail as it came. ErrGone when it is kept no longer.
func (s *Service) Original(ctx context.Context, who principal.Principal, id string) ([]byte, error) {
	_, raw, err := s.tended(ctx, who, id, true)
	if err == nil && raw == nil {
		err = ErrGone
	}
	return raw, err
}

// tended reads a mail for a person of the house, with its original when that is
// kept, and records that he did.
func (s *Service) tended(ctx context.Context, who principal.Principal, id string, original bool) (r row, raw []byte, err error) {
	if err := mayTend(who); err != nil {
		return r, nil, err
	}
	if id == "" || len(id) > 64 {
		return r, nil, ErrNone
	}
	r, _, err = s.load(ctx, id, false)
	if errors.Is(err, db.ErrNone) {
		return r, nil, ErrNone
	}
	if err != nil || !original || !r.kept {
		return r, nil, err
	}
	if r, raw, err = s.load(ctx, id, true); errors.Is(err, errGone) {
		return r, nil, nil
	}
	if err != nil {
		return r, nil, err
	}
	return r, raw, s.db.Update(ctx, func(tx *db.Tx) error {
		event.Record(tx, who, event.Event{Kind: "mail.show", Subject: "mail", SubjectID: id, LogCode: event.NoLog})
		return nil
	})
}

// Release is how a mail is let out of quarantine.
type Release struct {
	ID string
	// Domain and User: the customer's user in whose name, ids; "" = who the mail
	// says it is from, else the mailbox's guest.
	Domain, User string
	Number       string // ticket it belongs to; "" = what the mail says
}

// Release handles a quarantined mail as if its sender were proved and welcome:
// it becomes a message or a ticket by the rules of both, without any mail back.
// It answers the mail as it is then; one that still cannot be handled is in
// quarantine again, with the cause. Failures: ErrNone, ErrState,
// OSM.01010015 for an unknown ticket, .01 for an unknown user.
func (s *Service) Release(ctx context.Context, who principal.Principal, in Release) (Mail, error) {
	r, _, err := s.tended(ctx, who, in.ID, false)
	if err != nil {
		return Mail{}, err
	}
	switch {
	case in.User != "" && in.Domain == "":
		return Mail{}, errNoOwner
	case in.User == "" && in.Domain != "":
		return Mail{}, errNoUser
	case in.User != "":
		p, err := s.n.Identity.HolderOf(ctx, system, in.Domain, in.User)
		if errors.Is(err, identity.ErrNoUser) || err == nil && p.Who.Kind != principal.Customer {
			return Mail{}, errUser
		}
		if err != nil {
			return Mail{}, err
		}
	}
	if in.Number != "" {
		if _, _, err := s.n.Tickets.Correspondents(ctx, system, in.Number); err != nil {
			return Mail{}, err
		}
	}
	sealed, err := s.sealJSON("released", r.id, release{By: who.User, Domain: in.Domain, User: in.User, Number: in.Number})
	if err != nil {
		return Mail{}, err
	}
	return s.again(ctx, who, r, "mail.release", sealed, map[string]any{"domain": in.Domain, "user": in.User, "number": in.Number})
}

// Retry handles a quarantined mail anew, by the rules in force now.
func (s *Service) Retry(ctx context.Context, who principal.Principal, id string) (Mail, error) {
	r, _, err := s.tended(ctx, who, id, false)
	if err != nil {
		return Mail{}, err
	}
	return s.again(ctx, who, r, "mail.retry", "", nil)
}

// again takes a mail out of quarantine and handles it at once; a job stands by,
// should that be cut off.
func (s *Service) again(ctx context.Context, who principal.Principal, r row, kind, released string, data map[string]any) (Mail, error) {
	if !r.kept && r.state == StateQuarantined {
		return Mail{}, ErrGone // it was left in its mailbox
	}
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		var state string
		if err := tx.Get("SELECT state FROM mails WHERE id = ?", r.id).Scan(&state); err != nil {
			return err
		}
		if state != StateQuarantined {
			return ErrState.With("state", state)
		}
		tx.Write(1, "UPDATE mails SET state = 'waiting', released = ?, changed_at = ? WHERE id = ? AND state = 'quarantined'", released, tx.Now, r.id)
		event.Record(tx, who, event.Event{Kind: kind, Subject: "mail", SubjectID: r.id, LogCode: event.NoLog, Data: data})
		s.enqueue(tx, r.id)
		return nil
	})
	if err != nil {
		return Mail{}, err
	}
	if err := s.handle(db.WithoutRequestKey(ctx), r.id); err != nil {
		s.o.Log.WarnContext(ctx, "a mail that was let out of quarantine will be tried again", "mail", r.id, "error", err)
	}
	r, _, err = s.load(ctx, r.id, false)
	if err != nil {
		return Mail{}, err
	}
	return s.shown(r)
}

// Discard removes a quarantined mail for good; that it was there is remembered.
func (s *Service) Discard(ctx context.Context, who principal.Principal, id string) error {
	if _, _, err := s.tended(ctx, who, id, false); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		var state string
		if err := tx.Get("SELECT state FROM mails WHERE id = ?", id).Scan(&state); err != nil {
			return err
		}
		if state != StateQuarantined {
			return ErrState.With("state", state)
		}
		tx.Write(1, "UPDATE mails SET state = 'discarded', head = '', released = '', kept = 0, changed_at = ? WHERE id = ? AND state = 'quarantined'", tx.Now, id)
		tx.Write(db.Any, "DELETE FROM mail_parts WHERE mail_id = ?", id)
		event.Record(tx, who, event.Event{Kind: "mail.discard", Subject: "mail", SubjectID: id, LogCode: event.NoLog})
		return nil
	})
}
