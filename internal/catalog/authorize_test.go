package catalog_test

import (
	"errors"
	"strings"
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
)

// TestAuthorizeSwitch: the operator's switch is off by default, can be turned
// on, and not while there is nothing to sign.
func TestAuthorizeSwitch(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, sqliteOptions(t))
	s, err := catalog.New(t.Context(), d, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	on := edited(t, "limits.yaml", "authorize_requires_agreement: false", "authorize_requires_agreement: true")
	empty := edited(t, "limits.yaml", "authorize_requires_agreement: false", "authorize_requires_agreement: true")
	empty["agreements.yaml"] = []byte(strings.Replace(string(empty["agreements.yaml"]), "id: 3\n    type: \"2\"\n    version: 1", "id: 3\n    type: \"1\"\n    version: 2", 1))
	_, err = s.Plan(t.Context(), admin, empty)
	var broken *catalog.Broken
	if !errors.As(err, &broken) || len(broken.Mistakes) != 1 || broken.Mistakes[0].File != "limits.yaml" || broken.Mistakes[0].EN != `there is no agreement of type "2" to sign` {
		t.Errorf("nothing to sign: %v", err)
	}
	if _, err := s.Apply(t.Context(), admin, catalog.Default(), catalog.AnyVersion); err != nil || s.Now().RequireAuthorizationAgreement() {
		t.Errorf("by default: %v, %v", s.Now().RequireAuthorizationAgreement(), err)
	}
	if _, err := s.Apply(t.Context(), admin, on, catalog.AnyVersion); err != nil || !s.Now().RequireAuthorizationAgreement() || s.Now().RequireAgreement() {
		t.Errorf("switched on: %v, %v", s.Now().RequireAuthorizationAgreement(), err)
	}
}

// TestSignedFor: a signature counts for what it was given for, or for all when
// it was given for nothing in particular.
func TestSignedFor(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		alice := customer("d1", "alice")
		signed := func(relation string) (ok bool) {
			t.Helper()
			err := d.View(t.Context(), func(tx *db.Tx) (err error) {
				ok, err = catalog.SignedFor(tx, alice.Domain, alice.User, catalog.AgreementAuthorize, relation)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		for _, step := range []struct {
			sign     string // "-" = nothing
			one, two bool
		}{{"-", false, false}, {"Auth-1", true, false}, {"", true, true}} {
			if step.sign != "-" {
				if _, err := s.Sign(t.Context(), alice, 3, step.sign); err != nil {
					t.Fatal(err)
				}
			}
			if one, two := signed("Auth-1"), signed("Auth-2"); one != step.one || two != step.two {
				t.Errorf("after signing for %q: %v, %v", step.sign, one, two)
			}
		}
	})
}
