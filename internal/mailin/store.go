package mailin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/job"
	"casemate/internal/personal"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// Faults of taking mail in.
var (
	// ErrTooBig: the mail is larger than mail_in.max_mb.
	ErrTooBig = fault.New(fault.TooLarge, fault.CodeInvalid, "邮件大小超过上限 {max} MB", "the mail is larger than {max} MB")
	// ErrEmpty: there is nothing in it.
	ErrEmpty = fault.New(fault.Invalid, fault.CodeInvalid, "邮件内容为空", "the mail is empty")
	// ErrNoMailbox: no mailbox of this name is set up.
	ErrNoMailbox = fault.New(fault.NotFound, fault.CodeInvalid, "没有该名称的邮箱：{name}", "there is no mailbox called {name}")
)

// States of a mail.
const (
	StateWaiting     = "waiting"
	StateDone        = "done"
	StateQuarantined = "quarantined"
	StateDiscarded   = "discarded"
)

// pieceSize is how much of an original is written at once.
const pieceSize = 1 << 20

const kindRead = "mail.read"

// head is what is known of a mail beside its original; it is sealed.
type head struct {
	Envelope string   `json:"envelope,omitempty"`
	Null     bool     `json:"null,omitempty"` // it came from the null sender, for sure
	To       []string `json:"to,omitempty"`
	From     string   `json:"from,omitempty"`
	Name     string   `json:"name,omitempty"`
	Subject  string   `json:"subject,omitempty"`
	ZH       string   `json:"zh,omitempty"` // words of the cause
	EN       string   `json:"en,omitempty"`
}

// release is who let a quarantined mail through, and how.
type release struct {
	By     string `json:"by"`
	Domain string `json:"domain,omitempty"` // in whose name
	User   string `json:"user,omitempty"`
	Number string `json:"number,omitempty"` // ticket it belongs to
}

// row is a mail as it is stored.
type row struct {
	id, mailbox, state, outcome, cause string
	head, released                     string // sealed
	domain, ticket, number             string
	size, tries, received, changed     int64
	kept                               bool
	key                                string // of its content, once that is read
}

const rowColumns = "id, mailbox, size, state, outcome, cause, head, domain_id, ticket_id, number, released, tries, kept, received_at, changed_at"

func scanRow(r db.Row) (m row, err error) {
	var kept int64
	err = r.Scan(&m.id, &m.mailbox, &m.size, &m.state, &m.outcome, &m.cause, &m.head, &m.domain, &m.ticket, &m.number, &m.released, &m.tries, &kept, &m.received, &m.changed)
	m.kept = kept == 1
	return m, err
}

func place(column, id string) seal.Place { return seal.Place{Table: "mails", Column: column, Row: id} }

func piecePlace(id string, n int) seal.Place {
	return seal.Place{Table: "mail_parts", Column: "sealed", Row: fmt.Sprint(id, "/", n)}
}

func (s *Service) sealJSON(column, id string, v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return s.keys.Seal(place(column, id), text)
}

func (s *Service) openJSON(column, id, sealed string, v any) error {
	if sealed == "" {
		return nil
	}
	text, err := s.keys.Open(place(column, id), sealed)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// box is the mailbox of a name.
func (s *Service) box(name string) (config.Mailbox, bool) {
	for _, b := range s.o.Config.Mailboxes {
		if b.Name == name {
			return b, true
		}
	}
	return config.Mailbox{}, false
}

// Accept stores a mail, durably before it returns, and answers its id. The same
// mail again, by mailbox and UID or by mailbox and content, is answered with the
// first id and stored once. Failures: ErrTooBig, ErrEmpty, ErrNoMailbox; every
// other error means: try again later.
func (s *Service) Accept(ctx context.Context, r Received) (id string, err error) {
	switch _, ok := s.box(r.Mailbox); {
	case !ok:
		return "", ErrNoMailbox.With("name", r.Mailbox)
	case len(r.Raw) == 0:
		return "", ErrEmpty
	case int64(len(r.Raw)) > s.o.Config.MaxBytes():
		return "", ErrTooBig.With("max", s.o.Config.MaxMB)
	}
	sum := sha256.Sum256(content(r.Raw))
	digest := s.keys.Lookup("mail content", hex.EncodeToString(sum[:]))
	source := s.keys.Lookup("mail source", r.Mailbox+"\x00digest\x00"+digest)
	if r.UID != "" {
		source = s.keys.Lookup("mail source", r.Mailbox+"\x00uid\x00"+r.UID)
	}
	if id, err := s.known(ctx, r.Mailbox, source, digest); id != "" || err != nil {
		return id, err
	}
	id = s.db.NewID()
	h := head{Envelope: cut(strings.ToValidUTF8(r.From, ""), 320), Null: r.From == "" && len(r.To) > 0}
	for _, to := range r.To[:min(len(r.To), 100)] {
		h.To = append(h.To, cut(strings.ToValidUTF8(to, ""), 320))
	}
	sealed, err := s.sealJSON("head", id, h)
	if err != nil {
		return "", err
	}
	last, err := s.putPieces(ctx, id, r.Raw)
	if err != nil {
		return "", err
	}
	// The transaction may find another's id: it answers that one.
	got, err := db.Do(ctx, s.db, func(tx *db.Tx) (string, error) {
		tx.Lock(principal.House, "mailin."+digest)
		first, err := knownIn(tx, r.Mailbox, source, digest)
		if first != "" || err != nil {
			return first, err
		}
		at := r.At
		if at <= 0 || at > tx.Now {
			at = tx.Now
		}
		tx.Write(1, "INSERT INTO mails (id, mailbox, source, digest, size, state, outcome, cause, head, sender_hash, message_hash, domain_id, ticket_id, number, released, tries, kept, received_at, changed_at) "+
			"VALUES (?, ?, ?, ?, ?, 'waiting', '', '', ?, '', '', '', '', '', '', 0, 1, ?, ?)", id, r.Mailbox, source, digest, len(r.Raw), sealed, at, tx.Now)
		tx.Write(1, "INSERT INTO mail_parts (mail_id, n, sealed, created_at) VALUES (?, ?, ?, ?)", id, last.n, last.sealed, tx.Now)
		event.Record(tx, principal.AsSystem(principal.House), event.Event{Kind: "mail.accepted", Subject: "mail", SubjectID: id, LogCode: event.NoLog,
			Data: map[string]any{"mailbox": r.Mailbox, "size": len(r.Raw)}})
		s.enqueue(tx, id)
		return id, nil
	})
	if err == nil && got != id && last.n > 0 {
		err = s.dropPieces(ctx, id)
	}
	return got, err
}

func (s *Service) enqueue(tx *db.Tx, id string) {
	job.Enqueue(tx, job.Job{Kind: kindRead, Args: readArgs{id}, Unique: id})
}

func (s *Service) known(ctx context.Context, mailbox, source, digest string) (id string, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error { id, err = knownIn(tx, mailbox, source, digest); return err })
	return id, err
}

func knownIn(tx *db.Tx, mailbox, source, digest string) (id string, err error) {
	err = tx.Get("SELECT id FROM mails WHERE source = ? OR mailbox = ? AND digest = ? ORDER BY id LIMIT 1", source, mailbox, digest).Scan(&id)
	if errors.Is(err, db.ErrNone) {
		return "", nil
	}
	return id, err
}

// content is what makes a mail the same mail: what servers on its last way put
// on top, the moment and their own numbers in it, is left out, so that one that
// is delivered again after a lost answer is known. A mail without a Message-ID
// may rightly come twice with the same words: of it all counts.
func content(raw []byte) []byte {
	h, body := (&reader{}).readHeader(clip(raw, maxHeaderBytes))
	if !h.has("message-id") || len(body) == 0 {
		return raw
	}
	rest := raw
	for len(rest) > 0 {
		line, after := nextLine(rest)
		name, _, _ := bytes.Cut(line, []byte(":"))
		switch strings.ToLower(string(clip(bytes.TrimSpace(name), 40))) {
		case "received", "return-path", "delivered-to", "x-original-to", "envelope-to":
		default:
			return rest
		}
		for rest = after; len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t'); {
			_, rest = nextLine(rest)
		}
	}
	return raw
}

// piece is a sealed part of an original.
type piece struct {
	n      int
	sealed string
}

// putPieces writes all pieces of an original but the last, each in a transaction
// of its own, so that a large mail holds up nobody; the last goes with the row.
// Pieces without a row are removed a day later.
func (s *Service) putPieces(ctx context.Context, id string, raw []byte) (piece, error) {
	for n := 0; ; n++ {
		part := clip(raw, pieceSize)
		raw = raw[len(part):]
		sealed, err := s.keys.Seal(piecePlace(id, n), part)
		if err != nil || len(raw) == 0 {
			return piece{n, sealed}, err
		}
		err = s.db.Update(ctx, func(tx *db.Tx) error {
			tx.Write(1, "INSERT INTO mail_parts (mail_id, n, sealed, created_at) VALUES (?, ?, ?, ?)", id, n, sealed, tx.Now)
			return nil
		})
		if err != nil {
			return piece{}, err
		}
	}
}

func (s *Service) dropPieces(ctx context.Context, id string) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "DELETE FROM mail_parts WHERE mail_id = ?", id)
		return nil
	})
}

// errGone: the original is kept no longer.
var errGone = errors.New("mailin: the original is gone")

// load reads a mail, and its original when it is there and wanted.
func (s *Service) load(ctx context.Context, id string, original bool) (m row, raw []byte, err error) {
	var pieces []piece
	err = s.db.View(ctx, func(tx *db.Tx) error {
		pieces = nil
		if m, err = scanRow(tx.Get("SELECT "+rowColumns+" FROM mails WHERE id = ?", id)); err != nil || !original {
			return err
		}
		return tx.List(func(r db.Row) error {
			var p piece
			err := r.Scan(&p.n, &p.sealed)
			pieces = append(pieces, p)
			return err
		}, "SELECT n, sealed FROM mail_parts WHERE mail_id = ? ORDER BY n", id)
	})
	if err != nil || !original {
		return m, nil, err
	}
	raw = make([]byte, 0, m.size)
	for i, p := range pieces {
		plain, err := s.keys.Open(piecePlace(id, p.n), p.sealed)
		if err != nil || p.n != i {
			return m, nil, errors.Join(fmt.Errorf("mail %s: piece %d", id, i), err)
		}
		raw = append(raw, plain...)
	}
	if int64(len(raw)) != m.size {
		return m, nil, errGone
	}
	return m, raw, nil
}

// rowLife is how long it is remembered that a mail was there: a mailbox that
// shows it again is told by that.
const rowLife = 400 * 24 * time.Hour

// So many are removed in one transaction: rows, and originals, which are large.
const (
	purgeRows  = 500
	purgeMails = 20
)

// Purge discards what waited in quarantine for mail_in.keep_quarantine, and
// removes originals and what is known of mails past their time, pieces that no
// mail has, and counts of refusals: a little in each transaction, so that nobody
// waits for it. What it did not come to it does the next time.
func (s *Service) Purge(ctx context.Context) error {
	steps := []func(tx *db.Tx) (more bool, err error){s.purgeOriginals,
		rowsOf(purgeMails, "DELETE FROM mail_parts WHERE (mail_id, n) IN (SELECT p.mail_id, p.n FROM mail_parts AS p WHERE p.created_at <= ? AND NOT EXISTS (SELECT 1 FROM mails AS m WHERE m.id = p.mail_id) LIMIT ?) RETURNING mail_id", 24*time.Hour),
		rowsOf(purgeRows, "DELETE FROM mails WHERE id IN (SELECT m.id FROM mails AS m WHERE m.state IN ('done', 'discarded') AND m.kept = 0 AND m.changed_at <= ? LIMIT ?) RETURNING id", rowLife),
		rowsOf(purgeRows, "DELETE FROM mail_answers WHERE (address_hash, id) IN (SELECT a.address_hash, a.id FROM mail_answers AS a WHERE a.sent_at <= ? LIMIT ?) RETURNING id", max(s.o.Config.RefuseEvery, time.Hour)),
		rowsOf(purgeRows, "DELETE FROM mail_threads /* all domains: purge */ WHERE (domain_id, id_hash) IN (SELECT t.domain_id, t.id_hash FROM mail_threads AS t /* all domains: purge */ WHERE t.created_at <= ? LIMIT ?) RETURNING id_hash", rowLife)}
	if s.o.Config.KeepQuarantine > 0 {
		steps = append([]func(tx *db.Tx) (bool, error){s.purgeQuarantine}, steps...)
	}
	for _, step := range steps {
		for more := true; more; {
			err := s.db.Update(ctx, func(tx *db.Tx) (err error) { more, err = step(tx); return err })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// rowsOf is a step that deletes at most so many rows older than age; the
// statement takes the time and the limit and returns one column.
func rowsOf(most int, sql string, age time.Duration) func(tx *db.Tx) (bool, error) {
	return func(tx *db.Tx) (bool, error) {
		n := 0
		err := tx.List(func(r db.Row) error {
			var id string
			n++
			return r.Scan(&id)
		}, sql, tx.Now-age.Milliseconds(), most)
		return n == most, err
	}
}

// free: no legal hold is on the mail's ticket, customer or sender.
var free = personal.Free("m.domain_id", "m.ticket_id", nil, []string{"m.sender_hash"})

// purgeOriginals forgets what handled mails said.
func (s *Service) purgeOriginals(tx *db.Tx) (more bool, err error) {
	var ids []any
	err = tx.List(func(r db.Row) error {
		var id string
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	}, "UPDATE mails SET kept = 0, head = '', released = '' WHERE id IN (SELECT m.id FROM mails AS m WHERE m.kept = 1 AND m.state IN ('done', 'discarded') AND m.changed_at <= ? AND "+free+" ORDER BY m.changed_at LIMIT ?) RETURNING id",
		tx.Now-max(s.o.Config.Keep, 0).Milliseconds(), tx.Real, purgeMails)
	if err == nil {
		dropParts(tx, ids)
	}
	return len(ids) == purgeMails, err
}

// purgeQuarantine discards and forgets what nobody let through.
func (s *Service) purgeQuarantine(tx *db.Tx) (more bool, err error) {
	var ids []any
	var ended []row
	err = tx.List(func(r db.Row) error {
		var m row
		err := r.Scan(&m.id, &m.mailbox, &m.cause)
		ids, ended = append(ids, m.id), append(ended, m)
		return err
	}, "UPDATE mails SET state = 'discarded', kept = 0, head = '', released = '', changed_at = ? WHERE id IN (SELECT m.id FROM mails AS m WHERE m.state = 'quarantined' AND m.changed_at <= ? AND "+free+" ORDER BY m.changed_at LIMIT ?) AND state = 'quarantined' RETURNING id, mailbox, cause",
		tx.Now, tx.Now-s.o.Config.KeepQuarantine.Milliseconds(), tx.Real, purgeMails)
	if err != nil {
		return false, err
	}
	dropParts(tx, ids)
	for _, m := range ended {
		event.Record(tx, system, event.Event{Kind: "mail.expired", Subject: "mail", SubjectID: m.id, LogCode: event.NoLog, Data: map[string]any{"mailbox": m.mailbox, "cause": m.cause}})
	}
	return len(ended) == purgeMails, nil
}

func dropParts(tx *db.Tx, ids []any) {
	if len(ids) > 0 {
		tx.Write(db.Any, "DELETE FROM mail_parts WHERE mail_id IN (?"+strings.Repeat(", ?", len(ids)-1)+")", ids...)
	}
}

// Forget removes the mails of a domain's tickets, with the domain's tables; for
// the reset of a sandbox.
func Forget(tx *db.Tx, domain string) error {
	tx.Write(db.Any, "DELETE FROM mail_parts WHERE mail_id IN (SELECT id FROM mails WHERE domain_id = ?)", domain)
	tx.Write(db.Any, "DELETE FROM mails WHERE domain_id = ?", domain)
	return nil
}
