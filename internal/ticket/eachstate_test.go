package ticket

import (
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/privilege"
)

// TestCountsInOnePass: filtered tickets are counted by state as they are read,
// without a sort or a table in between.
func TestCountsInOnePass(t *testing.T) {
	t.Parallel()
	w, some := (*Service)(nil).where(privilege.Scope{Domain: "d", All: true}, Filter{From: 1, Product: "p"})
	if !some {
		t.Fatal("nothing can match")
	}
	rest := "tickets WHERE domain_id = ? AND " + strings.Join(w.cond, " AND ")
	args := append([]any{"d"}, w.args...)
	sorts := func(plan string) bool {
		return strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "Sort") || strings.Contains(plan, "HashAggregate")
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if plan := dbtest.PlanOf(t, d, ofEachState+rest, args...); sorts(plan) {
			t.Errorf("%s", plan)
		}
		// The test must be able to fail.
		if plan := dbtest.PlanOf(t, d, "SELECT +status, count(*) FROM "+rest+" GROUP BY +status", args...); !sorts(plan) {
			t.Errorf("with GROUP BY: %s", plan)
		}
	})
}
