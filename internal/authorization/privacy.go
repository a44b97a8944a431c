package authorization

import "casemate/internal/personal"

// Personal is what this package holds about people: words of both sides, and
// what a customer granted. That access was asked for, given and used stays.
func Personal() []personal.Rule {
	house := "/* all domains: an engineer asks customers */"
	placeholder := "'" + personal.Erased + "'"
	ofCustomer := "(domain_id, session_id) IN (SELECT s.domain_id, s.id FROM authorization_sessions AS s JOIN authorizations AS a ON a.domain_id = s.domain_id AND a.id = s.authorization_id WHERE a.domain_id = {domain} AND a.creator = {user})"
	return []personal.Rule{
		{Kind: "authorizations", Table: "authorizations", Key: "domain_id, id", Where: "engineer = {user} " + house, Left: "description NOT IN ('', " + placeholder + ")", Set: "description = " + placeholder, Ticket: "ticket_id",
			Shown: "number, description, status, created_at"},
		{Kind: "authorizations", Table: "authorizations", Key: "domain_id, id", Where: "approver = {user} AND approver <> '' " + house, Left: "refusal NOT IN ('', " + placeholder + ")", Set: "refusal = " + placeholder, Ticket: "ticket_id",
			Shown: "number, refusal, created_at"},
		{Kind: "authorizations", Table: "authorizations", Key: "domain_id, id", Where: "domain_id = {domain} AND handler = {user}", Left: "reject_reason NOT IN ('', " + placeholder + ")", Set: "reject_reason = " + placeholder, Ticket: "ticket_id",
			Shown: "number, reject_reason, status, created_at"},
		{Kind: "authorizations", Table: "authorization_details", Key: "domain_id, id", Where: "domain_id = {domain} AND authorization_id IN (SELECT a.id FROM authorizations AS a WHERE a.domain_id = {domain} AND a.creator = {user})",
			Left: "address || instance_name || account || password <> ''", Set: "address = '', instance_name = '', account = '', password = ''", Shown: "address, port, instance_id, instance_name, region"},
		{Kind: "authorizations", Table: "authorization_commands", Key: "domain_id, id", Where: ofCustomer, Shown: "session_id, at, text", Row: "domain_id || '/' || id", Open: map[string]personal.Sealed{"text": personal.Data}},
		{Kind: "authorizations", Table: "authorization_transfers", Key: "domain_id, id", Where: ofCustomer, Shown: "session_id, at, kind, file_name, from_path, to_path, size, result"},
	}
}

// Aged is what goes by its age: what was done in sessions that closed so long
// ago, and host checks.
func Aged() []personal.Aged {
	var all []personal.Aged
	for _, table := range []string{"authorization_commands", "authorization_transfers"} {
		of := func(column string) string {
			return "(SELECT a." + column + " FROM authorization_sessions AS s JOIN authorizations AS a ON a.domain_id = s.domain_id AND a.id = s.authorization_id WHERE s.domain_id = " + table + ".domain_id AND s.id = " + table + ".session_id)"
		}
		all = append(all, personal.Aged{Rule: personal.Rule{Kind: "authorizations", Table: table, Key: "domain_id, id", Ticket: of("ticket_id"),
			Where: "EXISTS (SELECT 1 FROM authorization_sessions AS s WHERE s.domain_id = " + table + ".domain_id AND s.id = " + table + ".session_id AND s.closed_at > 0 AND s.closed_at <= {before})"},
			Domain: "domain_id", Persons: []string{of("creator"), of("engineer")}, At: "at"})
	}
	return append(all, personal.Aged{Rule: personal.Rule{Kind: "authorizations", Table: "authorization_checks", Key: "domain_id, id", Where: "at <= {before}"},
		Domain: "domain_id", Persons: []string{"user_id"}, At: "at"})
}
