package queue

import "casemate/internal/personal"

// Personal is what this package holds about people of the house; of customers
// it is what rules rendered for their tickets.
func Personal() []personal.Rule {
	house := " /* all domains: an engineer's, in all of them */"
	mine := "user_id = {user}"
	ofTickets := "domain_id = {domain} AND ticket_id IN (SELECT t.id FROM tickets AS t WHERE t.domain_id = {domain} AND t.creator = {user})"
	return []personal.Rule{
		{Kind: "drafts", Table: "ticket_drafts", Key: "domain_id, ticket_id, user_id, id", Where: mine + house, Ticket: "ticket_id", Shown: "ticket_id, kind, text, changed_at",
			Row: "domain_id || '/' || ticket_id || '/' || user_id || '/' || id", Open: map[string]personal.Sealed{"text": personal.Data}},
		{Kind: "drafts", Table: "ticket_later", Key: "domain_id, id", Where: mine + house, Ticket: "ticket_id", Shown: "ticket_id, action, text, send_at, address",
			Row: "domain_id || '/' || id", Open: map[string]personal.Sealed{"text": personal.Data}},
		{Kind: "settings", Table: "ticket_presence", Key: "domain_id, ticket_id, user_id", Where: mine + house},
		{Kind: "settings", Table: "desk_settings", Key: "user_id", Where: mine, Shown: "undo_within"},
		{Kind: "settings", Table: "desk_engineers", Key: "user_id", Where: mine, Shown: "capacity, skills, plan, presence, since"},
		{Kind: "settings", Table: "desk_team_members", Key: "team_id, user_id", Where: mine, Shown: "team_id"},
		{Kind: "settings", Table: "desk_views", Key: "id", Where: "owner = {user} AND owner <> '' AND shared = 'private'", Shown: "name_zh, name_en, filter"},
		{Kind: "settings", Table: "macros", Key: "id", Where: "owner = {user} AND owner <> ''", Shown: "name_zh, name_en, actions"},
		{Kind: "settings", Table: "snippets", Key: "id", Where: "owner = {user} AND owner <> ''", Shown: "title_zh, title_en, text_zh, text_en"},
		{Kind: "rules", Table: "rule_runs", Key: "domain_id, rule_id, event_id", Where: ofTickets, Left: "(steps <> '[]' OR outcomes <> '[]') AND state <> 'running'", Set: "steps = '[]', outcomes = '[]'", Ticket: "ticket_id"},
	}
}
