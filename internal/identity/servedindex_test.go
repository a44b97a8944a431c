package identity

import (
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
)

// TestServedByIndex: whom a partner serves is asked of the index of those who
// have one, however many customers have none.
func TestServedByIndex(t *testing.T) {
	t.Parallel()
	cond, args, err := DomainFilter{Partner: "p"}.chosen(nil)
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for sql, args := range map[string][]any{
			servedCount: nil,
			"SELECT count(*) FROM domains WHERE " + cond: args,
			ServedDomains + "= ?":                        {"p"},
			ServedDomains + "IN (?, ?)":                  {"p", "q"},
		} {
			if plan := dbtest.PlanOf(t, d, sql, args...); !strings.Contains(plan, "domains_by_partner") {
				t.Errorf("%s:\n%s", sql, plan)
			}
			// The test must be able to fail; PostgreSQL sees the value and needs no condition.
			if d.Dialect() != db.SQLite {
				continue
			}
			if plan := dbtest.PlanOf(t, d, strings.ReplaceAll(sql, "partner_id <> ''", "partner_id >= ''"), args...); strings.Contains(plan, "domains_by_partner") {
				t.Errorf("without the condition of the index:\n%s", plan)
			}
		}
	})
}
