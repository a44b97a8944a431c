package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"casemate/internal/db"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/seal"
)

// stored is a message as the delivery job reads it.
type stored struct {
	domain, id, person, recipient, hash, template, language, payload, ref string
	way                                                                   Way
	urgent, caught                                                        bool
	created, expires                                                      int64
}

// blockFor is how long a contact that does not exist is not tried again (our
// own choice: long enough to protect our reputation with providers, short
// enough for a mailbox that is set up late).
const blockFor = 7 * 24 * time.Hour

// deliver is the job. Each provider is asked in turn; before each the row is
// claimed anew, so that what was replaced, dropped or expired meanwhile is not
// sent (threats.md A7). When all fail for now, the job fails and the queue
// tries again; its error names the message only.
func (s *Service) deliver(ctx context.Context, r job.Running) error {
	var e envelope
	if err := json.Unmarshal(r.Args, &e); err != nil {
		return job.ErrDrop
	}
	m, live, err := s.load(ctx, e)
	if err != nil || !live {
		return err
	}
	out, err := s.unseal(ctx, m)
	if errors.Is(err, seal.ErrErased) {
		return s.end(ctx, m, "dropped", "erased")
	}
	if err != nil {
		return fmt.Errorf("message %s does not open: %w", m.id, err)
	}
	providers, known := []*provider{s.catcher}, 1
	if !m.caught {
		l, err := s.current(ctx)
		if err != nil {
			return err
		}
		drained, err := s.drained(ctx)
		if err != nil {
			return err
		}
		known = len(l.on[m.way])
		providers = choose(l.on[m.way], drained, s.db.Now(), s.db.Random)
	}
	left := time.Duration(m.expires-s.db.NowIn(ctx).UnixMilli()) * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	permanent := 0
	var last *Failure
	for i, p := range providers {
		f, err := s.try(ctx, m, p, out, m.urgent && i < len(providers)-1)
		if err != nil || f == nil {
			return err
		}
		last = f
		if last.Recipient {
			return s.bounce(ctx, m)
		}
		if last.Permanent {
			permanent++
		}
	}
	pause := backoff(m.urgent, r.Try)
	switch {
	case known == 0:
		return s.end(ctx, m, "failed", "no provider")
	case len(providers) > 0 && permanent == len(providers):
		return s.end(ctx, m, "failed", "refused")
	case s.db.NowIn(ctx).Add(pause).UnixMilli() >= m.expires:
		return s.end(ctx, m, "failed", "expired")
	}
	if err := s.waits(ctx, m, pause); err != nil {
		return err
	}
	return fmt.Errorf("message %s: no provider took it", m.id)
}

// try is one attempt with one provider. No failure: it took the message, or the
// message need not be sent any more.
func (s *Service) try(ctx context.Context, m stored, p *provider, out Outgoing, hurried bool) (*Failure, error) {
	defer s.takeTurn(ctx)()
	attempt, live, err := s.begin(ctx, m, p.Name())
	if err != nil || !live {
		return nil, err
	}
	took, err := p.attempt(ctx, out, hurried)
	if err == nil {
		p.took(s.db.Now())
		return nil, s.sent(ctx, m, attempt, p.Name(), took)
	}
	f := failure(err)
	p.refused(s.db.Now(), f, scrub(f.Error(), out.To))
	return f, s.failed(ctx, m, attempt, took, f, out.To)
}

// turnWait is how long a delivery waits for the one before it.
const turnWait = 500 * time.Millisecond

// takeTurn lets deliveries of a node go one after another while that is quick:
// a message that a provider has taken and the ledger does not know yet is
// repeated when the process is killed, so as few as possible shall be in that
// state at once (threats.md E4). A slow provider holds nobody up for longer
// than turnWait.
func (s *Service) takeTurn(ctx context.Context) (leave func()) {
	late := time.NewTimer(turnWait)
	defer late.Stop()
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }
	case <-late.C:
	case <-ctx.Done():
	}
	return func() {}
}

// settled is a context for what must be recorded although the try's time is up.
func settled(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
}

// load reads the message if it may still be sent, and drops it if not.
func (s *Service) load(ctx context.Context, e envelope) (m stored, live bool, err error) {
	type found struct {
		m    stored
		live bool
	}
	f, err := db.Do(ctx, s.db, func(tx *db.Tx) (found, error) {
		m := stored{domain: e.Domain, id: e.Message}
		var way, state string
		var urgent, caught, blocked, stopped, passed int64
		err := tx.Get(`SELECT m.channel, m.person, m.recipient, m.recipient_hash, m.template, m.language, m.payload, m.urgent, m.caught, m.state, m.created_at, m.expires_at, m.ref, m.passed_at,
			(SELECT count(*) FROM notify_blocks AS b WHERE b.recipient_hash = m.recipient_hash AND b.until > ?),
			(SELECT count(*) FROM notify_optouts AS o WHERE o.domain_id = m.domain_id AND (o.ref = m.ref OR o.ref = 'surveys' AND m.template = 'ticket.survey') AND o.recipient_hash = m.recipient_hash)
			FROM notify_messages AS m WHERE m.domain_id = ? AND m.id = ?`, tx.Now, e.Domain, e.Message).
			Scan(&way, &m.person, &m.recipient, &m.hash, &m.template, &m.language, &m.payload, &urgent, &caught, &state, &m.created, &m.expires, &m.ref, &passed, &blocked, &stopped)
		if errors.Is(err, db.ErrNone) {
			return found{}, nil
		}
		if err != nil {
			return found{}, err
		}
		m.way, m.urgent, m.caught = Way(way), urgent == 1, caught == 1
		if state != "queued" && state != "sending" {
			return found{}, nil
		}
		cause := ""
		switch {
		case m.expires <= tx.Now:
			cause = "expired"
		case blocked > 0 && !m.caught:
			cause = "blocked"
		case stopped > 0 && ofTicket(m.template):
			cause = "unsubscribed"
		case passed == 0 && m.ref != "" && ofTicket(m.template):
			if cause, err = guardLoop(tx, m); err != nil {
				return found{}, err
			}
		}
		if cause != "" {
			drop(tx, m, "dropped", cause)
			return found{}, nil
		}
		return found{m, true}, nil
	})
	return f.m, f.live, err
}

func drop(tx *db.Tx, m stored, state, cause string) {
	tx.Write(db.Any, "UPDATE notify_messages SET state = ?, cause = ?, payload = '', next_at = 0, changed_at = ? WHERE domain_id = ? AND id = ? AND state IN ('queued', 'sending')",
		state, cause, tx.Now, m.domain, m.id)
}

// unseal opens what the channel needs.
func (s *Service) unseal(ctx context.Context, m stored) (Outgoing, error) {
	out := Outgoing{ID: m.id, MessageID: m.id + "@" + s.lines.now.Load().host, Domain: m.domain, Way: m.way, Person: m.person, Template: m.template,
		Language: locale.Language(m.language), At: m.created}
	c, err := s.cipher(ctx, m.person)
	if err != nil {
		return out, err
	}
	if out.To, err = c.open(s.place("recipient", m.id), m.recipient); err != nil {
		return out, err
	}
	plain, err := c.open(s.place("payload", m.id), m.payload)
	if err != nil {
		return out, err
	}
	var p payload
	if err := json.Unmarshal([]byte(plain), &p); err != nil {
		return out, err
	}
	out.Subject, out.Text, out.HTML, out.Code = p.Subject, p.Text, p.HTML, p.Code
	out.Stop, out.Reply = p.Stop, p.Reply
	if p.ID != "" { // one of an earlier version has none
		out.MessageID = p.ID
	}
	return out, nil
}

// begin claims the message for one attempt, in one conditional update. An
// attempt that never ended (a node died in it) becomes "unknown": it may or
// may not have reached the recipient.
func (s *Service) begin(ctx context.Context, m stored, provider string) (attempt string, live bool, err error) {
	attempt, err = db.Do(ctx, s.db, func(tx *db.Tx) (string, error) {
		var tries int64
		err := tx.Get("UPDATE notify_messages SET state = 'sending', tries = tries + 1, next_at = 0, changed_at = ? WHERE domain_id = ? AND id = ? AND state IN ('queued', 'sending') AND expires_at > ? RETURNING tries",
			tx.Now, m.domain, m.id, tx.Now).Scan(&tries)
		if errors.Is(err, db.ErrNone) {
			drop(tx, m, "dropped", "expired") // unless it is settled already
			return "", nil
		}
		if err != nil {
			return "", err
		}
		id := tx.NewID()
		tx.Write(db.Any, "UPDATE notify_attempts SET outcome = 'unknown', ended_at = ? WHERE domain_id = ? AND message_id = ? AND outcome = 'running'", tx.Now, m.domain, m.id)
		tx.Write(1, "INSERT INTO notify_attempts (domain_id, id, message_id, provider, began_at, ended_at, outcome, provider_id, detail) VALUES (?, ?, ?, ?, ?, 0, 'running', '', '')",
			m.domain, id, m.id, provider, tx.Now)
		return id, nil
	})
	return attempt, attempt != "", err
}

func endAttempt(tx *db.Tx, m stored, attempt, outcome, detail string, took handed) {
	tx.Write(db.Any, "UPDATE notify_attempts SET outcome = ?, ended_at = ?, provider_id = ?, detail = ?, parts = ?, cost = ? WHERE domain_id = ? AND id = ?",
		outcome, tx.Now, took.first(), detail, took.parts, took.cost, m.domain, attempt)
}

// waits tells when the queue will try again.
func (s *Service) waits(ctx context.Context, m stored, pause time.Duration) error {
	ctx, cancel := settled(ctx)
	defer cancel()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "UPDATE notify_messages SET next_at = ? WHERE domain_id = ? AND id = ? AND state IN ('queued', 'sending')", tx.Now+pause.Milliseconds(), m.domain, m.id)
		return nil
	})
}

// sent records that a provider has the message. One that was dropped while it
// was on its way stays dropped; its attempt tells that it left.
func (s *Service) sent(ctx context.Context, m stored, attempt, provider string, took handed) error {
	ctx, cancel := settled(ctx)
	defer cancel()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		endAttempt(tx, m, attempt, "ok", "", took)
		if len(took.ids) > 1 {
			for i, id := range took.ids {
				tx.Write(1, "INSERT INTO notify_parts (domain_id, attempt_id, n, provider, provider_id, delivered, began_at) VALUES (?, ?, ?, ?, ?, 0, ?)",
					m.domain, attempt, i+1, provider, cut(oneLine(id), 128), tx.Now)
			}
		}
		drop(tx, m, "sent", "")
		return nil
	})
}

func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most])
	}
	return s
}

func (s *Service) failed(ctx context.Context, m stored, attempt string, took handed, f *Failure, contact string) error {
	ctx, cancel := settled(ctx)
	defer cancel()
	outcome, detail := f.outcome(), scrub(f.Error(), contact)
	s.o.Log.WarnContext(ctx, "a message was not taken", "message", m.id, "template", m.template, "outcome", outcome, "detail", detail)
	return s.db.Update(ctx, func(tx *db.Tx) error {
		endAttempt(tx, m, attempt, outcome, detail, handed{parts: took.parts, cost: took.cost})
		return nil
	})
}

// bounce ends a message whose recipient does not exist, and spares the
// provider further ones.
func (s *Service) bounce(ctx context.Context, m stored) error {
	ctx, cancel := settled(ctx)
	defer cancel()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		drop(tx, m, "bounced", "no such recipient")
		block(tx, m.hash, m.way, "no such recipient")
		return nil
	})
}

func block(tx *db.Tx, hash string, way Way, cause string) {
	tx.Write(1, `INSERT INTO notify_blocks (recipient_hash, channel, cause, since, until) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (recipient_hash) DO UPDATE SET cause = excluded.cause, since = excluded.since, until = excluded.until`,
		hash, string(way), cause, tx.Now, tx.Now+blockFor.Milliseconds())
}

func (s *Service) end(ctx context.Context, m stored, state, cause string) error {
	ctx, cancel := settled(ctx)
	defer cancel()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		drop(tx, m, state, cause)
		return nil
	})
}
