package privilege_test

import (
	"testing"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/privilege"
)

// TestMayExport: the main account in its own domain, nobody else's.
func TestMayExport(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, tt := range []struct {
			name string
			who  principal.Principal
			want fault.Kind
		}{
			{"main account", principal.Principal{Kind: principal.Customer, Domain: "d1", User: "m", Main: true}, fault.None},
			{"sub-user", principal.Principal{Kind: principal.Customer, Domain: "d1", User: "u"}, fault.Forbidden},
			{"main account of another domain", principal.Principal{Kind: principal.Customer, Domain: "d2", User: "m", Main: true}, fault.Forbidden},
			{"administrator", principal.Principal{Kind: principal.Engineer, Domain: principal.House, Role: principal.RoleAdministrator}, fault.Forbidden},
			{"nobody", principal.Principal{}, fault.Forbidden},
		} {
			err := d.View(t.Context(), func(tx *db.Tx) error { return privilege.MayExport(tx, tt.who, "d1") })
			if got := fault.KindOf(err); got != tt.want {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
	})
}
