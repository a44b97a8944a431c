package personal

import (
	"errors"
	"strings"

	"casemate/internal/db"
)

// Free is the condition that no legal hold is on a row, for everything that
// removes by age; it takes the time of the installation's clock once. Its
// arguments are SQL of what a hold may be on, "" or nil = nothing, with the names
// of their tables in front: hashes are keyed hashes of contacts.
func Free(domain, ticket string, persons, hashes []string) string {
	var on []string
	if domain != "" {
		on = append(on, "h.kind = 'domain' AND h.subject_id = "+domain)
	}
	if ticket != "" {
		on = append(on, "h.kind = 'ticket' AND h.subject_id = "+ticket)
	}
	for _, p := range persons {
		on = append(on, "h.kind = 'person' AND h.subject_id = "+p)
	}
	for _, hash := range hashes {
		on = append(on, "h.kind = 'person' AND EXISTS (SELECT 1 FROM privacy_hold_hashes AS x WHERE x.hold_id = h.id AND x.hash = "+hash+")")
	}
	if len(on) == 0 {
		return "CAST(? AS BIGINT) > 0"
	}
	return "NOT EXISTS (SELECT 1 FROM privacy_holds AS h WHERE h.released_at = 0 AND (h.held_until = 0 OR h.held_until > ?) AND (" + strings.Join(on, " OR ") + "))"
}

// HoldsLock is what those lock in the house's domain who put a legal hold, and
// who remove at one stroke what a hold may be on.
const HoldsLock = "privacy.holds"

// HoldOn finds a legal hold in force on a domain: on itself, a ticket or a user
// of it, or a contact that its people registered, proved, copied to, wrote to or
// got mail from; "" when there is none.
func HoldOn(tx *db.Tx, domain string) (id string, err error) {
	err = tx.Get(`SELECT h.id FROM privacy_holds AS h WHERE h.released_at = 0 AND (h.held_until = 0 OR h.held_until > ?) AND (h.domain_id = ? OR h.domain_id = '' AND h.kind = 'person' AND (
		EXISTS (SELECT 1 FROM users AS u WHERE u.domain_id = ? AND (u.mobile_hash = h.subject_id OR u.mail_hash = h.subject_id))
		OR EXISTS (SELECT 1 FROM copy_addresses AS c WHERE c.domain_id = ? AND c.hash = h.subject_id)
		OR EXISTS (SELECT 1 FROM verify_proofs AS p WHERE p.domain_id = ? AND p.contact_hash = h.subject_id)
		OR EXISTS (SELECT 1 FROM privacy_hold_hashes AS x JOIN notify_messages AS m ON m.recipient_hash = x.hash WHERE x.hold_id = h.id AND m.domain_id = ?)
		OR EXISTS (SELECT 1 FROM privacy_hold_hashes AS x JOIN mails AS m ON m.sender_hash = x.hash WHERE x.hold_id = h.id AND m.domain_id = ?))) ORDER BY h.id LIMIT 1`,
		tx.Real, domain, domain, domain, domain, domain, domain).Scan(&id)
	if errors.Is(err, db.ErrNone) {
		err = nil
	}
	return id, err
}
