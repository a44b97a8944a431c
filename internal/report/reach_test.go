package report

import (
	"testing"

	"casemate/internal/principal"
)

// TestReachOf: supervisors, administrators and auditors see all figures, an
// engineer his own and his teams', partners' people none (docs/REPORTS.md).
func TestReachOf(t *testing.T) {
	person := func(role string) principal.Principal {
		return principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "u", Role: role}
	}
	for _, role := range []string{principal.RoleSupervisor, principal.RoleAdministrator, principal.RoleAuditor} {
		if got, err := reachOf(person(role)); err != nil || !got.all {
			t.Errorf("%s sees %+v, %v", role, got, err)
		}
	}
	if got, err := reachOf(person(principal.RoleEngineer)); err != nil || got.all || got.user != "u" {
		t.Errorf("an engineer sees %+v, %v", got, err)
	}
	stranger := person(principal.RoleSupervisor)
	stranger.Partner = "p"
	if got, err := reachOf(stranger); err == nil {
		t.Errorf("a partner's supervisor sees %+v", got)
	}
}
