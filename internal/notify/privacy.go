package notify

import (
	"strings"

	"casemate/internal/personal"
)

// ofMessages are rows that belong to a person's messages.
const ofMessages = "(domain_id, message_id) IN (SELECT m.domain_id, m.id FROM notify_messages AS m /* all domains: whoever wrote to him */ WHERE (m.person = {user} AND m.person <> '' OR m.recipient_hash IN {hashes}) AND m.recipient <> '')"

// Personal is what this package holds about people. Of a message the row stays
// without its recipient and words, for the figures of what was sent.
func Personal() []personal.Rule {
	whose := "(person = {user} AND person <> '' OR recipient_hash IN {hashes}) /* all domains: whoever wrote to him */"
	return []personal.Rule{
		{Kind: "deliveries", Table: "notify_attempts", Key: "domain_id, id", Where: ofMessages, Left: "detail <> ''", Set: "detail = ''"},
		{Kind: "deliveries", Table: "notify_messages", Key: "domain_id, id", Where: whose, Left: "recipient <> ''",
			Set:   "recipient = '', recipient_hash = '', payload = '', not_before = 0, next_at = 0, state = CASE WHEN state IN ('queued', 'sending') THEN 'dropped' ELSE state END, cause = CASE WHEN state IN ('queued', 'sending') THEN 'erased' ELSE cause END",
			Shown: "channel, recipient, template, language, ref, state, created_at", Row: "id", Owner: "person", Open: map[string]personal.Sealed{"recipient": personal.Person}},
		{Kind: "caught", Table: "notify_caught", Key: "domain_id, id", Where: whose, Shown: "channel, template, content, created_at", Row: "id", Owner: "person", Open: map[string]personal.Sealed{"content": personal.Person}},
		{Kind: "deliveries", Table: "notify_blocks", Key: "recipient_hash", Where: "recipient_hash IN {hashes}"},
		{Kind: "deliveries", Table: "notify_optouts", Key: "domain_id, ref, recipient_hash", Where: "recipient_hash IN {hashes} /* all domains: whoever wrote to him */"},
		{Kind: "settings", Table: "notify_preferences", Key: "user_id", Where: "user_id = {user}", Shown: "kinds, wants_new, quiet_hours, digest, zone"},
		{Kind: "settings", Table: "notify_digests", Key: "user_id, id", Where: "user_id = {user}"},
	}
}

// Aged is what goes by its age: the ledger of what left.
func Aged() []personal.Aged {
	done := "state NOT IN ('queued', 'sending') AND created_at <= {before}"
	return []personal.Aged{
		{Rule: personal.Rule{Kind: "deliveries", Table: "notify_attempts", Key: "domain_id, id",
			Where: "EXISTS (SELECT 1 FROM notify_messages AS m WHERE m.domain_id = notify_attempts.domain_id AND m.id = notify_attempts.message_id AND m." + strings.ReplaceAll(done, "created_at", "m.created_at") + ")"},
			Domain: "domain_id", At: "began_at", Persons: []string{"(SELECT m.person FROM notify_messages AS m WHERE m.domain_id = notify_attempts.domain_id AND m.id = notify_attempts.message_id)"},
			Hashes: []string{"(SELECT m.recipient_hash FROM notify_messages AS m WHERE m.domain_id = notify_attempts.domain_id AND m.id = notify_attempts.message_id)"}},
		{Rule: personal.Rule{Kind: "deliveries", Table: "notify_messages", Key: "domain_id, id", Where: done,
			Ticket: "(SELECT t.id FROM tickets AS t WHERE t.domain_id = notify_messages.domain_id AND t.number = notify_messages.ref)"},
			Domain: "domain_id", Persons: []string{"person"}, Hashes: []string{"recipient_hash"}, At: "created_at"},
		{Rule: personal.Rule{Kind: "deliveries", Table: "notify_caught", Key: "domain_id, id", Where: "created_at <= {before}"},
			Domain: "domain_id", Persons: []string{"person"}, Hashes: []string{"recipient_hash"}, At: "created_at"},
	}
}

// SubjectOf are the hashes by which this package finds a contact in its one
// spelling.
func (s *Service) SubjectOf(contact string) []string {
	way := SMS
	if strings.Contains(contact, "@") {
		way = Mail
	}
	return []string{s.hash(way, contact)}
}
