// Package tickettest makes many tickets for tests, faster than the noun does.
package tickettest

import (
	"fmt"
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/principal"
)

// Generate writes open tickets as the noun would have left them, without proofs,
// messages, notices and events. Descriptions have so many characters and begin
// with the ticket's place, 0 for the oldest.
func Generate(t testing.TB, d *db.DB, who principal.Principal, problem string, n, length int) {
	t.Helper()
	const batch = 250
	text := []rune(strings.Repeat("工单 description ", length/15+1))
	for made := 0; made < n; made += batch {
		size := min(batch, n-made)
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			for i := range size {
				tx.Write(1, `INSERT INTO tickets (domain_id, id, number, creator, status, revision, problem_type, sub_type, product, region, severity, project, plan, description,
					contact, remind_time, language, zone, assignee, resolution, judgement, urges, urged_at, created_at, changed_at, status_at, resolved_at, closed_at, scored_at)
					VALUES (?, ?, ?, ?, 0, 1, ?, '0', '', 'cn-north-1', '', '', '', ?, '', '', 'zh-cn', '', '', '', '', 0, 0, ?, ?, ?, 0, 0, 0)`,
					who.Domain, tx.NewID(), fmt.Sprintf("TS260101%013d", made+i), who.User, problem, fmt.Sprint(made+i, " ", string(text[:length])), tx.Now, tx.Now, tx.Now)
			}
			tx.Write(1, "INSERT INTO ticket_deltas (domain_id, id, creator, status, n) VALUES (?, ?, ?, 0, ?)", who.Domain, tx.NewID(), who.User, size)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
