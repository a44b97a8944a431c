package notify

import (
	"context"
	"errors"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// Block is a contact nothing is sent to because a provider said that it does not
// exist.
type Block struct {
	ID           string // keyed hash of the contact
	Way          Way
	To           string // masked; "" when no message to it is in the ledger, and to auditors
	Cause        string
	Since, Until int64 // milliseconds UTC
}

// maxBlocks is how many Blocks lists.
const maxBlocks = 1000

// Blocks lists the contacts that are blocked now, newest first, at most 1,000.
// Administrators and auditors.
func (s *Service) Blocks(ctx context.Context, who principal.Principal) (all []Block, err error) {
	if !who.Inspects() {
		return nil, fault.NoPermission
	}
	var last []Delivery
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all, last = nil, nil
		return tx.List(func(r db.Row) error {
			var b Block
			var way string
			d := Delivery{}
			err := r.Scan(&b.ID, &way, &b.Cause, &b.Since, &b.Until, &d.person, &d.sealed, &d.ID)
			b.Way = Way(way)
			all, last = append(all, b), append(last, d)
			return err
		}, `SELECT b.recipient_hash, b.channel, b.cause, b.since, b.until, COALESCE(m.person, ''), COALESCE(m.recipient, ''), COALESCE(m.id, '')
			FROM notify_blocks AS b LEFT JOIN notify_messages AS m ON m.recipient_hash = b.recipient_hash /* all domains: a dead mailbox is dead for all */
			AND m.id = (SELECT max(n.id) FROM notify_messages AS n WHERE n.recipient_hash = b.recipient_hash /* domain_id: any */)
			WHERE b.until > ? ORDER BY b.since DESC, b.recipient_hash LIMIT ?`, tx.Now, maxBlocks)
	})
	for i := range all {
		if err != nil || who.Blind() || last[i].ID == "" {
			continue
		}
		if err = s.mask(ctx, &last[i]); errors.Is(err, seal.ErrErased) {
			err = nil
			continue
		}
		all[i].To = last[i].To
	}
	return all, err
}

// Unblock lets a contact be sent to again that a provider refused before.
// Administrators only.
func (s *Service) Unblock(ctx context.Context, who principal.Principal, to string) error {
	way, normal, err := contact(to)
	if err != nil {
		return err
	}
	return s.UnblockID(ctx, who, s.hash(way, normal))
}

// UnblockID is Unblock by the id of the block; one that is not there changes
// nothing.
func (s *Service) UnblockID(ctx context.Context, who principal.Principal, id string) error {
	if !who.Admin() {
		return fault.NoPermission
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		var there int
		if err := tx.Get("SELECT count(*) FROM notify_blocks WHERE recipient_hash = ?", id).Scan(&there); err != nil || there == 0 {
			return err
		}
		tx.Write(1, "DELETE FROM notify_blocks WHERE recipient_hash = ?", id)
		event.Record(tx, who, event.Event{Kind: "notify.unblock", Subject: "contact", SubjectID: id, LogCode: event.NoLog})
		return nil
	})
}
