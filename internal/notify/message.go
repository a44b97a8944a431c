package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/personal"
)

// Message is what a noun wants said.
type Message struct {
	Domain   string            // tenant on whose behalf it goes out
	Person   string            // user the contact belongs to: his key seals it; "" = nobody's
	Way      Way               // mail or SMS
	To       string            // normalised contact: an address, or a number as +8613800138000
	Template string            // e.g. TemplateCode
	Language locale.Language   // of the text
	Values   map[string]string // of the template's placeholders
	Code     string            // a secret the text holds, also {code}; never shown in the ledger
	Ref      string            // what it belongs to: a code's id, a ticket's number
	Revision int64             // of the ticket when what is told had happened, for people of the house; 0 = unknown
	Lives    time.Duration     // after that it is not sent any more; 0 = 48 h
	// NotBefore is when it may leave, milliseconds UTC; 0 = at once. Lives counts
	// from then.
	NotBefore int64
	Urgent    bool // somebody waits in front of the screen
	// Stop lets the recipient end such mails without logging in (RFC 8058); the
	// zero value offers nothing. Codes never do.
	Stop    Stop
	Sandbox bool // caught, never sent; a sandbox domain's messages are whatever this says
}

// ordinaryLife is how long a message that nobody waits for is tried.
const ordinaryLife = 48 * time.Hour

// Prepared is a message rendered and sealed, ready to be queued.
type Prepared struct {
	m                  Message
	id, hash           string
	recipient, payload string // sealed
	caught             bool
	lives              int64 // milliseconds
}

// Caught tells whether the catcher will hold the message: it costs nothing and
// reaches nobody.
func (p Prepared) Caught() bool { return p.caught }

// Addressee is whom the message goes to and how, masked.
func (p Prepared) Addressee() (Way, string) { return p.m.Way, Mask(p.m.To) }

// payload is what is sealed: all that a channel needs.
type payload struct {
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text"`
	HTML    string `json:"html,omitempty"`
	Code    string `json:"code,omitempty"`
	Stop    string `json:"stop,omitempty"`  // link of List-Unsubscribe
	Reply   string `json:"reply,omitempty"` // address of Reply-To
	// ID is the Message-ID, without brackets: at every attempt the same, whatever
	// becomes of the providers meanwhile.
	ID string `json:"message_id,omitempty"`
}

// Prepare renders and seals a message; it does no harm when the message is
// never queued. A message of a sandbox goes to the catcher, whoever asks for it
// (design.md section 8). It fails with ErrNoChannel when the installation cannot
// send messages of this kind at all.
func (s *Service) Prepare(ctx context.Context, m Message) (Prepared, error) {
	p := Prepared{m: m, id: s.db.NewID(), hash: s.hash(m.Way, m.To), caught: s.o.Catch || m.Sandbox, lives: m.Lives.Milliseconds()}
	if p.lives <= 0 {
		p.lives = ordinaryLife.Milliseconds()
	}
	if !p.caught && s.o.Sandbox != nil {
		var err error
		if p.caught, err = s.o.Sandbox(ctx, m.Domain); err != nil {
			return p, err
		}
	}
	if !p.caught {
		l, err := s.current(ctx)
		if err != nil {
			return p, err
		}
		if len(l.on[m.Way]) == 0 {
			return p, ErrNoChannel.With("channel", string(m.Way))
		}
	}
	text, err := s.render(ctx, m)
	if err != nil {
		return p, err
	}
	if m.Way == Mail && m.Code == "" {
		text.Stop = s.stopLink(m, p.hash)
	}
	if text.Reply = s.replyAddress(m); text.Reply != "" {
		text.Text = replyMark(m.Language) + "\n\n" + text.Text
		text.HTML = strings.Replace(text.HTML, "<p>", `<p style="color:#888">`+replyMark(m.Language)+"</p><p>", 1)
	}
	if m.Way == Mail {
		text.ID = p.id + "@" + s.lines.now.Load().host
	}
	plain, err := json.Marshal(text)
	if err != nil {
		return p, err
	}
	c, err := s.cipher(ctx, m.Person)
	if err != nil {
		return p, fmt.Errorf("message to a person: %w", err)
	}
	if p.recipient, err = c.seal(s.place("recipient", p.id), m.To); err != nil {
		return p, err
	}
	p.payload, err = c.seal(s.place("payload", p.id), string(plain))
	return p, err
}

// envelope is a delivery job's argument: nothing personal, nothing secret.
type envelope struct {
	Domain  string `json:"domain"`
	Message string `json:"message"`
}

// Queue queues the message and its job in the caller's transaction and returns
// the message's id.
func (s *Service) Queue(tx *db.Tx, p Prepared) string {
	m := p.m
	tx.Write(1, `INSERT INTO notify_messages (domain_id, id, channel, person, recipient, recipient_hash, template, language, payload, ref, urgent, caught, state, cause, tries, created_at, changed_at, expires_at, next_at, not_before, passed_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', '', 0, ?, ?, ?, ?, ?, 0)`,
		m.Domain, p.id, string(m.Way), m.Person, p.recipient, p.hash, m.Template, string(m.Language), p.payload, m.Ref,
		number(m.Urgent), number(p.caught), tx.Now, tx.Now, max(tx.Now, m.NotBefore)+p.lives, max(tx.Now, m.NotBefore), later(tx.Now, m.NotBefore))
	kind := kindOrdinary
	if m.Urgent {
		kind = kindUrgent
	}
	job.Enqueue(tx, job.Job{Kind: kind, Domain: m.Domain, Args: envelope{m.Domain, p.id}, At: m.NotBefore, Unique: p.id, Urgent: m.Urgent})
	return p.id
}

// Drop gives up what is queued for a ref: it is not sent any more, and what it
// said is blanked. A message that a provider already has cannot be called back.
func (s *Service) Drop(tx *db.Tx, domain, ref, cause string) {
	if ref == "" {
		return
	}
	tx.Write(db.Any, "UPDATE notify_messages SET state = 'dropped', cause = ?, payload = '', next_at = 0, changed_at = ? WHERE domain_id = ? AND ref = ? AND state IN ('queued', 'sending')",
		cause, tx.Now, domain, ref)
}

// later is the instant when it lies ahead, else 0.
func later(now, at int64) int64 {
	if at > now {
		return at
	}
	return 0
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Expire drops what is past its time, with what it said: the delivery job does
// that too, this is for messages whose job is gone.
func (s *Service) Expire(ctx context.Context) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "UPDATE notify_messages /* all domains: expiry of messages */ SET state = 'dropped', cause = 'expired', payload = '', next_at = 0, changed_at = ? WHERE payload <> '' AND expires_at <= ? AND state IN ('queued', 'sending')",
			tx.Now, tx.Now)
		return nil
	})
}

// purgeBatch bounds one transaction of the purge.
const purgeBatch = 1000

// Purge removes old rows of the ledger, what the catcher has held for a week,
// and blocks that have ended. What is under a legal hold stays.
func (s *Service) Purge(ctx context.Context) error {
	age := s.o.Config.LedgerAge().Milliseconds()
	const week = 7 * 24 * 3600 * 1000
	// What is under a legal hold stays.
	free := " AND " + personal.Free("m.domain_id", "(SELECT t.id FROM tickets AS t WHERE t.domain_id = m.domain_id AND t.number = m.ref)", []string{"m.person"}, []string{"m.recipient_hash"})
	for _, q := range []purge{
		{"DELETE FROM notify_attempts /* all domains: purge */ WHERE (domain_id, id) IN (SELECT a.domain_id, a.id FROM notify_attempts AS a WHERE a.began_at <= ?" +
			" AND NOT EXISTS (SELECT 1 FROM notify_messages AS m WHERE m.domain_id = a.domain_id AND m.id = a.message_id AND NOT (" + strings.TrimPrefix(free, " AND ") + ")) ORDER BY a.began_at LIMIT ?) RETURNING id", age},
		{"DELETE FROM notify_parts /* all domains: purge */ WHERE (domain_id, attempt_id, n) IN (SELECT p.domain_id, p.attempt_id, p.n FROM notify_parts AS p WHERE p.began_at <= ?" +
			" AND NOT EXISTS (SELECT 1 FROM notify_attempts AS a JOIN notify_messages AS m ON m.domain_id = a.domain_id AND m.id = a.message_id WHERE a.domain_id = p.domain_id AND a.id = p.attempt_id AND NOT (" + strings.TrimPrefix(free, " AND ") + ")) ORDER BY p.began_at LIMIT ?) RETURNING attempt_id", age},
		{"DELETE FROM notify_messages /* all domains: purge */ WHERE (domain_id, id) IN (SELECT m.domain_id, m.id FROM notify_messages AS m WHERE m.payload = '' AND m.created_at <= ?" + free + " ORDER BY m.created_at LIMIT ?) RETURNING id", age},
		{"DELETE FROM notify_caught /* all domains: purge */ WHERE (domain_id, id) IN (SELECT c.domain_id, c.id FROM notify_caught AS c WHERE c.created_at <= ?" +
			" AND " + personal.Free("c.domain_id", "(SELECT t.id FROM notify_messages AS m JOIN tickets AS t ON t.domain_id = m.domain_id AND t.number = m.ref WHERE m.domain_id = c.domain_id AND m.id = c.id)", []string{"c.person"}, []string{"c.recipient_hash"}) +
			" ORDER BY c.id LIMIT ?) RETURNING id", week},
		{"DELETE FROM notify_blocks WHERE recipient_hash IN (SELECT b.recipient_hash FROM notify_blocks AS b WHERE b.until <= ? ORDER BY b.until LIMIT ?) RETURNING recipient_hash", 0},
	} {
		for n := purgeBatch; n == purgeBatch; {
			err := s.db.Update(ctx, func(tx *db.Tx) error {
				n = 0
				return tx.List(func(r db.Row) error {
					var key string
					n++
					return r.Scan(&key)
				}, q.sql, q.args(tx.Now, tx.Real)...)
			})
			if err != nil {
				return fmt.Errorf("purging the ledger: %w", err)
			}
		}
	}
	return nil
}

// purge is a statement that takes the time, where it looks at holds the time
// again, and a limit.
type purge struct {
	sql string
	age int64
}

func (p purge) args(now, real int64) []any {
	if strings.Contains(p.sql, "privacy_holds") {
		return []any{now - p.age, real, purgeBatch}
	}
	return []any{now - p.age, purgeBatch}
}
