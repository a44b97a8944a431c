package identity_test

import (
	"errors"
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/seal/sealtest"
)

// TestNewPeopleRefused: what would become a customer without severities, or a
// user whose times are wrong, is refused with what there is instead.
func TestNewPeopleRefused(t *testing.T) {
	t.Parallel()
	s := identity.New(dbtest.Open(t, db.Options{URL: dbtest.SQLiteURL(t)}), sealtest.Keyring(t),
		identity.Options{Plans: func() []string { return []string{"Developer", "Business"} }})
	ctx, who := t.Context(), principal.AsSystem(principal.House)
	_, err := s.CreateDomain(ctx, who, identity.NewDomain{Name: "one", Plan: "Foo"})
	f, ok := fault.As(err)
	if !ok || !errors.Is(err, identity.ErrPlan) || !strings.Contains(locale.Text(locale.EN, f), "Developer, Business") {
		t.Errorf("an unknown plan: %v", err)
	}
	for _, plan := range []string{"", "Business"} {
		if _, err := s.CreateDomain(ctx, who, identity.NewDomain{Name: "plan " + plan, Plan: plan}); err != nil {
			t.Errorf("plan %q: %v", plan, err)
		}
	}
	_, err = s.CreateUser(ctx, who, identity.NewUser{Domain: principal.House, Name: "x1", Password: password})
	f, ok = fault.As(err)
	if !ok || !errors.Is(err, identity.ErrNoRole) || !strings.Contains(locale.Text(locale.EN, f), "--domain") || !strings.Contains(locale.Text(locale.ZH, f), "--role") {
		t.Errorf("no role: %v", err)
	}
	for zone, want := range map[string]error{"Mars": identity.ErrZone, "GMT+99": identity.ErrZone, "GMT+8": nil, "Asia/Shanghai": nil, "": nil} {
		_, err := s.CreateUser(ctx, who, identity.NewUser{Domain: principal.House, Name: "e" + zone, Password: password, Role: principal.RoleEngineer, Zone: zone})
		if !errors.Is(err, want) {
			t.Errorf("zone %q: %v", zone, err)
		}
	}
}
