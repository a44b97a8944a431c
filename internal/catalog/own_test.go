package catalog_test

import (
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/principal"
)

// TestOwnAgreements: the newest of each type, and older ones only where the
// caller signed them, with his signatures and nobody else's.
func TestOwnAgreements(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		ctx, alice, bob := t.Context(), customer("d1", "alice"), customer("d1", "bob")
		for _, relation := range []string{"TS1", "TS2"} {
			if _, err := s.Sign(ctx, alice, 1, relation); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Apply(ctx, admin, withSecondVersion(), catalog.AnyVersion); err != nil {
			t.Fatal(err)
		}
		of := func(who principal.Principal) (latest, old, signatures int) {
			t.Helper()
			all, err := s.OwnAgreements(ctx, who)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range all {
				if a.Type != "0" {
					continue
				}
				if a.Latest {
					latest++
				} else {
					old++
				}
				signatures += len(a.Signatures)
				if a.Content.ZH == "" {
					t.Errorf("version %d has no text", a.Version)
				}
			}
			return latest, old, signatures
		}
		if latest, old, n := of(alice); latest != 1 || old != 1 || n != 2 {
			t.Errorf("alice: %d newest, %d older, %d signatures", latest, old, n)
		}
		if latest, old, n := of(bob); latest != 1 || old != 0 || n != 0 {
			t.Errorf("bob: %d newest, %d older, %d signatures", latest, old, n)
		}
		if latest, old, n := of(customer("d2", "alice")); latest != 1 || old != 0 || n != 0 {
			t.Errorf("another domain: %d %d %d", latest, old, n)
		}
		if _, err := s.OwnAgreements(ctx, principal.Principal{Kind: principal.Engineer}); err == nil {
			t.Error("an engineer signs nothing")
		}
	})
}
