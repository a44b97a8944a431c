package verify

import "casemate/internal/personal"

// Personal is what this package holds about people. Of codes the row stays
// without its contact, for the figures.
func Personal() []personal.Rule {
	return []personal.Rule{
		{Kind: "proofs", Table: "verify_proofs", Key: "domain_id, id", Where: "(domain_id = {domain} AND user_id = {user} OR contact_hash IN {hashes} /* all domains: a contact may be proved in several */)",
			Shown: "way, area_code, contact, proved_at, expires_at", Row: "id", Owner: "user_id", Open: map[string]personal.Sealed{"contact": personal.Person}},
		{Kind: "codes", Table: "verify_codes", Key: "domain_id, id", Where: "(domain_id = {domain} AND user_id = {user} OR contact_hash IN {hashes} /* all domains: as above */)", Left: "contact_hash <> ''",
			Set: "contact_hash = '', code_hash = '', state = CASE WHEN state = 'live' THEN 'dead' ELSE state END", Shown: "purpose, way, state, created_at"},
		{Kind: "codes", Table: "verify_contacts", Key: "contact_hash", Where: "contact_hash IN {hashes}"},
	}
}

// Aged is what goes by its age: records of codes and proofs that have ended.
func Aged() []personal.Aged {
	return []personal.Aged{
		{Rule: personal.Rule{Kind: "verifications", Table: "verify_codes", Key: "domain_id, id", Where: "state <> 'live' AND created_at <= {before}"},
			Domain: "domain_id", Persons: []string{"user_id"}, Hashes: []string{"contact_hash"}, At: "created_at"},
		{Rule: personal.Rule{Kind: "verifications", Table: "verify_proofs", Key: "domain_id, id", Where: "expires_at <= {before}"},
			Domain: "domain_id", Persons: []string{"user_id"}, Hashes: []string{"contact_hash"}, At: "expires_at"},
	}
}
