package personal

import "strings"

// Free is the condition that no legal hold is on a row, for everything that
// removes by age; it takes the time of the installation's clock once. Its
// arguments are SQL of what a hold may be on, "" = nothing, with the names of
// their tables in front.
func Free(domain, ticket string, persons ...string) string {
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
	if len(on) == 0 {
		return "CAST(? AS BIGINT) > 0"
	}
	return "NOT EXISTS (SELECT 1 FROM privacy_holds AS h WHERE h.released_at = 0 AND (h.held_until = 0 OR h.held_until > ?) AND (" + strings.Join(on, " OR ") + "))"
}
