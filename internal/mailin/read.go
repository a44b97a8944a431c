package mailin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// readArgs is the job's argument.
type readArgs struct {
	Mail string `json:"mail"`
}

// verdict is what becomes of a mail.
type verdict struct {
	state, outcome, cause string
	zh, en                string // words of the cause, where it has its own
	domain, ticket        string // ids
	number                string
	as                    *identity.Holder // in whose name
	answer                bool             // the sender is told that it was refused
	quiet                 bool             // nobody is answered by a machine
	prefix                string           // says who wrote, where that is not the author
	closed                string           // number of the closed ticket a new one goes on with
	internal              bool             // a note
	told                  int64            // revision of the ticket that the answered notice told of, 0 = unknown
}

func quarantine(cause string) verdict { return verdict{state: StateQuarantined, cause: cause} }

func ignore(cause string) verdict {
	return verdict{state: StateDone, outcome: OutcomeIgnored, cause: cause}
}

// read is the job: it handles one mail. What fails is tried again; after
// config.MailIn.Tries it is parked in quarantine, so that no mail blocks others
// or is lost. That counts tries that ended by a crash as well.
func (s *Service) read(ctx context.Context, r job.Running) error {
	var a readArgs
	if err := json.Unmarshal(r.Args, &a); err != nil {
		return fmt.Errorf("%w: %w", job.ErrDrop, err)
	}
	if r.Try > s.o.Config.Tries {
		return s.park(ctx, a.Mail)
	}
	err := s.handle(ctx, a.Mail)
	if err != nil && r.Try >= s.o.Config.Tries {
		s.o.Log.ErrorContext(ctx, "a mail could not be handled and is quarantined", "mail", a.Mail, "tries", r.Try, "error", err)
		return s.park(context.WithoutCancel(ctx), a.Mail)
	}
	return err
}

// park quarantines a mail that cannot be handled.
func (s *Service) park(ctx context.Context, id string) error {
	m, _, err := s.load(ctx, id, false)
	if errors.Is(err, db.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	var h head
	_ = s.openJSON("head", id, m.head, &h) // it may be what is broken
	return s.settle(ctx, m, h, nil, quarantine(CauseFailed), nil)
}

// Large mails take several times their size in memory while they are read: only
// so many are at once.
const (
	largeMail   = 4 << 20
	largeAtOnce = 2
)

// handle reads a mail and does what it asks for. It may run twice: effects
// happen once.
func (s *Service) handle(ctx context.Context, id string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	m, _, err := s.load(ctx, id, false)
	if errors.Is(err, db.ErrNone) || err == nil && m.state != StateWaiting {
		return nil
	}
	if err != nil {
		return err
	}
	if m.size > largeMail {
		select {
		case s.large <- struct{}{}:
			defer func() { <-s.large }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m, raw, err := s.load(ctx, id, true)
	if err != nil {
		return err
	}
	var h head
	var rel *release
	if err := s.openJSON("head", id, m.head, &h); err != nil {
		return err
	}
	if m.released != "" {
		rel = &release{}
		if err := s.openJSON("released", id, m.released, rel); err != nil {
			return err
		}
	}
	sum := sha256.Sum256(content(raw))
	m.key = hex.EncodeToString(sum[:])
	read := readMail(raw)
	h.From, h.Name, h.Subject, h.ZH, h.EN = read.From, read.Name, cut(read.Subject, 300), "", ""
	if read.MessageID != "" && read.From != "" && rel == nil { // by what Service.before knows a mail again
		sum := sha256.Sum256([]byte("id " + read.MessageID + "\x00" + read.From))
		m.key = hex.EncodeToString(sum[:])
	}
	v, err := s.judge(ctx, m, h, raw, read, rel)
	if err != nil {
		return err
	}
	if v.state == "" { // it is a ticket or message, if the rules allow
		v, err = s.carryOut(ctx, m, read, v)
		if f, ok := fault.As(err); ok && fault.KindOf(err) != fault.Unavailable && fault.KindOf(err) != fault.Internal {
			v = verdict{state: StateQuarantined, cause: CauseRefused, zh: locale.Text(locale.ZH, f), en: locale.Text(locale.EN, f), as: v.as, answer: !v.quiet && rel == nil, domain: v.domain, ticket: v.ticket, number: v.number}
		} else if err != nil {
			return err
		}
	}
	return s.settle(ctx, m, h, read, v, rel)
}

// senderHash finds the mails of one address.
func (s *Service) senderHash(address string) string {
	if address == "" {
		return ""
	}
	return s.keys.Lookup("mail sender", address)
}

func (s *Service) messageHash(id string) string {
	if id == "" {
		return ""
	}
	return s.keys.Lookup("mail message-id", id)
}

// settle writes what became of a mail, and queues the answer, if one is due.
func (s *Service) settle(ctx context.Context, m row, h head, read *mail, v verdict, rel *release) error {
	h.ZH, h.EN = v.zh, v.en
	sealed, err := s.sealJSON("head", m.id, h)
	if err != nil {
		return err
	}
	sender, message := s.senderHash(h.From), ""
	if read != nil {
		message = s.messageHash(read.MessageID)
	}
	var answer *answer
	if v.answer && h.From != "" {
		if answer, err = s.prepareAnswer(ctx, m, h, v); err != nil {
			return err
		}
	}
	keep := v.state == StateQuarantined || s.o.Config.Keep > 0
	return s.db.Update(ctx, func(tx *db.Tx) error {
		var state string
		err := tx.Get("SELECT state FROM mails WHERE id = ?", m.id).Scan(&state)
		if errors.Is(err, db.ErrNone) || err == nil && state != StateWaiting {
			return nil // somebody was faster
		}
		if err != nil {
			return err
		}
		if answer != nil {
			if err := s.queueAnswer(tx, answer); err != nil {
				return err
			}
		}
		tx.Write(1, "UPDATE mails SET state = ?, outcome = ?, cause = ?, head = ?, sender_hash = ?, message_hash = ?, domain_id = ?, ticket_id = ?, number = ?, tries = tries + 1, changed_at = ? WHERE id = ? AND state = 'waiting'",
			v.state, v.outcome, v.cause, sealed, sender, message, v.domain, v.ticket, v.number, tx.Now, m.id)
		if !keep {
			tx.Write(1, "UPDATE mails SET kept = 0, head = '' WHERE id = ?", m.id)
			tx.Write(db.Any, "DELETE FROM mail_parts WHERE mail_id = ?", m.id)
		}
		if v.state == StateDone && v.ticket != "" && message != "" {
			tx.Write(db.Any, "INSERT INTO mail_threads (domain_id, id_hash, ticket_id, number, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (domain_id, id_hash) DO NOTHING", v.domain, message, v.ticket, v.number, tx.Now)
		}
		who := principal.AsSystem(principal.House)
		data := map[string]any{"mailbox": m.mailbox, "outcome": v.outcome, "cause": v.cause}
		if v.number != "" {
			data["number"] = v.number
		}
		if v.state == StateQuarantined {
			event.Record(tx, who, event.Event{Kind: "mail.quarantined", Subject: "mail", SubjectID: m.id, LogCode: event.NoLog, Data: data})
			return nil
		}
		if rel != nil {
			data["released_by"] = rel.By
		}
		event.Record(tx, who, event.Event{Kind: "mail.handled", Subject: "mail", SubjectID: m.id, LogCode: event.NoLog, Data: data})
		return nil
	})
}

// once makes a step of a mail happen once, however often the job runs, and
// however many mailboxes the same mail came to at the same moment, be its bytes
// the same or not: the sender's Message-ID tells. Service.before knows it again
// from when the first is done with.
func (s *Service) once(ctx context.Context, m row, step, domain string) context.Context {
	sum := sha256.Sum256([]byte("mail " + m.key + " " + step))
	const week = 7 * 24 * 3600 * 1000
	return db.WithRequestKey(ctx, db.RequestKey{ID: "mail-" + hex.EncodeToString(sum[:]), Domain: domain, Until: s.db.Now().UnixMilli() + week})
}

var system = principal.AsSystem(principal.House)

// thread is the ticket a mail belongs to, and how that is known.
type thread struct {
	t       ticket.Ticket
	contact ticket.Contact
	signed  bool // by a signed reply address
	sentTo  bool // it answers a mail of ours that went to its sender
	staff   bool // the signed address is one for people of the house
	reply   notify.ReplyTo
}
