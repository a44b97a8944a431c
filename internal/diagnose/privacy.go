package diagnose

import "casemate/internal/personal"

// Personal is what this package holds about people: words about a check, and
// what they let be checked. Resources are the account's, their owner is not.
func Personal() []personal.Rule {
	return []personal.Rule{
		{Kind: "diagnoses", Table: "diagnosis_ratings", Key: "domain_id, diagnosis_id, user_id", Where: "domain_id = {domain} AND user_id = {user}", Left: "content <> ''", Set: "content = ''", Shown: "diagnosis_id, helpful, content, created_at"},
		{Kind: "diagnoses", Table: "diagnosis_checks", Key: "domain_id, diagnosis_id, id", Where: "domain_id = {domain} AND diagnosis_id IN (SELECT j.id FROM diagnoses AS j WHERE j.domain_id = {domain} AND j.creator = {user} AND j.state >= 3)"},
		{Kind: "diagnoses", Table: "diagnoses", Key: "domain_id, id", Where: "domain_id = {domain} AND creator = {user} AND state >= 3", Left: "params <> '{}'", Set: "params = '{}'", Shown: "number, kind, region, params, state, created_at"},
		{Kind: "diagnoses", Table: "diagnosis_resources", Key: "domain_id, id", Where: "domain_id = {domain} AND owner = {user}", Set: "owner = ''", Shown: "id, name"},
	}
}
