package knowledge

import "casemate/internal/personal"

// Personal is what this package holds about people: what they said of articles,
// and when they were shown some. What articles are worth is counted from it, so
// their figures fall with an erasure.
func Personal() []personal.Rule {
	own := "domain_id = {domain} AND user_id = {user}"
	return []personal.Rule{
		{Kind: "reading", Table: "article_votes", Key: "domain_id, article_id, user_id", Where: own, Shown: "article_id, helpful, version, at"},
		{Kind: "reading", Table: "article_opened", Key: "domain_id, suggestion_id, article_id", Shown: "article_id, at",
			Where: "domain_id = {domain} AND suggestion_id IN (SELECT s.id FROM article_suggestions AS s WHERE s.domain_id = {domain} AND s.user_id = {user})"},
		{Kind: "reading", Table: "article_suggestions", Key: "domain_id, id", Where: own, Shown: "started_at, asked_at, asked, shown"},
	}
}
