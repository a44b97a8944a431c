package mailin

import (
	"context"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/principal"
)

// left is a mail that stays where it lies: Raw holds its header, as far as that
// could be read, and tells who wrote about what.
type left struct {
	Received
	size   int64 // as its server says
	cause  string
	zh, en string // words of the cause
}

// leave notes in quarantine a mail that was not stored, once. Its original is
// not kept: whoever looks for it finds it in the mailbox.
func (s *Service) leave(ctx context.Context, m left) (id string, err error) {
	read := readMail(m.Raw)
	id = s.db.NewID()
	h := head{From: read.From, Name: read.Name, Subject: cut(read.Subject, 300), ZH: m.zh, EN: m.en}
	sealed, err := s.sealJSON("head", id, h)
	if err != nil {
		return "", err
	}
	source := s.keys.Lookup("mail source", m.Mailbox+"\x00uid\x00"+m.UID)
	digest := s.keys.Lookup("mail content", "left\x00"+m.UID)
	sender, message := s.senderHash(read.From), s.messageHash(strings.TrimSpace(read.MessageID))
	return db.Do(ctx, s.db, func(tx *db.Tx) (string, error) {
		tx.Lock(principal.House, "mailin."+digest)
		first, err := knownIn(tx, m.Mailbox, source, digest)
		if first != "" || err != nil {
			return first, err
		}
		at := m.At
		if at <= 0 || at > tx.Now {
			at = tx.Now
		}
		tx.Write(1, "INSERT INTO mails (id, mailbox, source, digest, size, state, outcome, cause, head, sender_hash, message_hash, domain_id, ticket_id, number, released, tries, kept, received_at, changed_at) "+
			"VALUES (?, ?, ?, ?, ?, 'quarantined', '', ?, ?, ?, ?, '', '', '', '', 0, 0, ?, ?)", id, m.Mailbox, source, digest, m.size, m.cause, sealed, sender, message, at, tx.Now)
		event.Record(tx, principal.AsSystem(principal.House), event.Event{Kind: "mail.quarantined", Subject: "mail", SubjectID: id, LogCode: event.NoLog,
			Data: map[string]any{"mailbox": m.Mailbox, "outcome": "", "cause": m.cause}})
		return id, nil
	})
}
