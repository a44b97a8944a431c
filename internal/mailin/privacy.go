package mailin

import (
	"strings"

	"casemate/internal/personal"
)

// Personal is what this package holds about people: mails by their sender's
// address. That a mail came stays known by its content's hash, so that it does
// not come in again.
func Personal() []personal.Rule {
	mine := "sender_hash IN {hashes} AND sender_hash <> ''"
	return []personal.Rule{
		{Kind: "mails", Table: "mail_parts", Key: "mail_id, n", Where: "mail_id IN (SELECT m.id FROM mails AS m WHERE m.sender_hash IN {hashes} AND m.sender_hash <> '')"},
		{Kind: "mails", Table: "mails", Key: "id", Where: mine, Set: "head = '', released = '', sender_hash = '', message_hash = '', kept = 0, state = CASE WHEN state IN ('waiting', 'quarantined') THEN 'discarded' ELSE state END",
			Ticket: "ticket_id", Shown: "mailbox, head, state, outcome, number, received_at", Row: "id", Open: map[string]personal.Sealed{"head": personal.Data}},
		{Kind: "mails", Table: "mail_answers", Key: "address_hash, id", Where: "address_hash IN {hashes}"},
	}
}

// Aged is what goes by its age: originals of mails that were handled, and what
// waits in quarantine.
func Aged() []personal.Aged {
	of := func(column string) string {
		return "(SELECT m." + column + " FROM mails AS m WHERE m.id = mail_parts.mail_id)"
	}
	old := "state IN ('done', 'discarded', 'quarantined') AND changed_at <= {before}"
	return []personal.Aged{
		{Rule: personal.Rule{Kind: "mails", Table: "mail_parts", Key: "mail_id, n", Ticket: of("ticket_id"),
			Where: "EXISTS (SELECT 1 FROM mails AS m WHERE m.id = mail_parts.mail_id AND m." + strings.ReplaceAll(old, "changed_at", "m.changed_at") + ")"}, Domain: of("domain_id"), Hashes: []string{of("sender_hash")}, At: "created_at"},
		{Rule: personal.Rule{Kind: "mails", Table: "mails", Key: "id", Where: old + " AND (kept = 1 OR head <> '')", Ticket: "ticket_id",
			Set: "kept = 0, head = '', released = '', state = CASE WHEN state = 'quarantined' THEN 'discarded' ELSE state END"}, Domain: "domain_id", Hashes: []string{"sender_hash"}, At: "changed_at"},
	}
}

// SubjectOf are the hashes by which this package finds a contact in its one
// spelling.
func (s *Service) SubjectOf(contact string) []string {
	if !strings.Contains(contact, "@") {
		return nil
	}
	return []string{s.senderHash(contact)}
}
