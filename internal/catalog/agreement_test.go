package catalog_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

func customer(domain, user string) principal.Principal {
	return principal.Principal{Kind: principal.Customer, Domain: domain, User: user}
}

const secondVersion = `
  - id: 4
    type: "0"
    version: 2
    name: {zh: 工单服务协议, en: Service Ticket Agreement}
    content: {zh: 新的条款, en: New terms}
`

func withSecondVersion() map[string][]byte {
	files := catalog.Default()
	files["agreements.yaml"] = append(files["agreements.yaml"], secondVersion...)
	return files
}

func signed(t *testing.T, s *catalog.Service, who principal.Principal, kind string) bool {
	t.Helper()
	ok, err := s.SignedLatest(t.Context(), who, kind)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// TestSign: a signature is the user's own, for one type and one version.
func TestSign(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		ctx := t.Context()
		alice := customer("d1", "alice")
		if signed(t, s, alice, "0") {
			t.Error("signed before signing")
		}
		first, err := s.Sign(ctx, alice, 1, "TS1")
		if err != nil || first != 1 {
			t.Fatalf("%d, %v", first, err)
		}
		for relation, want := range map[string]int32{"TS1": first} {
			if again, err := s.Sign(ctx, alice, 1, relation); err != nil || again != want {
				t.Errorf("signed again: record %d, want %d (%v)", again, want, err)
			}
		}
		if other, err := s.Sign(ctx, alice, 1, "TS2"); err != nil || other != 2 {
			t.Errorf("for another ticket: record %d (%v)", other, err)
		}
		if !signed(t, s, alice, "0") {
			t.Error("not signed")
		}
		for _, who := range []principal.Principal{customer("d1", "bob"), customer("d2", "alice")} {
			if signed(t, s, who, "0") {
				t.Errorf("%s of %s has signed", who.User, who.Domain)
			}
		}
		for _, kind := range []string{"1", "2", "5", ""} {
			if signed(t, s, alice, kind) {
				t.Errorf("type %q is signed", kind)
			}
		}
		if record, err := s.Sign(ctx, customer("d2", "alice"), 1, ""); err != nil || record != 1 {
			t.Errorf("records of another domain: %d (%v)", record, err)
		}

		// A new version asks everybody again.
		diff := apply(t, s, withSecondVersion())
		if c := one(t, diff); c.What != catalog.Added || c.Kind != catalog.KindAgreement {
			t.Fatalf("%+v", c)
		}
		if a, ok := s.Now().LatestAgreement("0"); !ok || a.ID != 4 || a.Version != 2 {
			t.Errorf("latest is %+v", a)
		}
		if signed(t, s, alice, "0") {
			t.Error("the signature of the old version counts for the new one")
		}
		if _, err := s.Sign(ctx, alice, 1, ""); fault.KindOf(err) != fault.Conflict {
			t.Errorf("the old version can be signed: %v", err)
		}
		if _, err := s.Sign(ctx, alice, 4, ""); err != nil || !signed(t, s, alice, "0") {
			t.Errorf("the new version is not signed: %v", err)
		}
		// Withdrawing it brings the old version and its signatures back.
		apply(t, s, catalog.Default())
		if !signed(t, s, alice, "0") {
			t.Error("the older signature is lost")
		}
		if _, err := s.Sign(ctx, alice, 4, ""); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a withdrawn version can be signed: %v", err)
		}
	})
}

// TestSignRefused: what cannot be signed, and by whom.
func TestSignRefused(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		ctx := t.Context()
		alice := customer("d1", "alice")
		for _, id := range []int32{99, 0, -1} {
			_, err := s.Sign(ctx, alice, id, "")
			if f, ok := fault.As(err); !ok || f.Code != "OSM.01010001" || f.Field != "id" {
				t.Errorf("agreement %d: %v", id, err)
			}
		}
		if _, err := s.Sign(ctx, alice, 1, strings.Repeat("单", 32)); err != nil {
			t.Errorf("32 characters: %v", err)
		}
		_, err := s.Sign(ctx, alice, 1, strings.Repeat("单", 33))
		if f, ok := fault.As(err); !ok || f.Code != "OSM.01010001" || f.Field != "relation_id" {
			t.Errorf("33 characters: %v", err)
		}
		for _, who := range []principal.Principal{{}, admin} {
			if _, err := s.Sign(ctx, who, 1, ""); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%v signs: %v", who.Kind, err)
			}
			if _, err := s.SignedLatest(ctx, who, "0"); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%v asks: %v", who.Kind, err)
			}
		}
	})
}

// TestSignAtOnce: record numbers are unique in a domain under load.
func TestSignAtOnce(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		const n = 24
		records, errs := make([]int32, n), make([]error, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { // two twins of each
				records[i], errs[i] = s.Sign(t.Context(), customer("d1", "u"), 1, string(rune('a'+i/2)))
			})
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
		distinct := slices.Clone(records)
		slices.Sort(distinct)
		distinct = slices.Compact(distinct)
		if len(distinct) != n/2 || distinct[0] != 1 || distinct[n/2-1] != n/2 {
			t.Errorf("records %v", distinct)
		}
		for i := 0; i < n; i += 2 {
			if records[i] != records[i+1] {
				t.Errorf("twins got %d and %d", records[i], records[i+1])
			}
		}
	})
}

// TestPublishedText: a text that was published never changes, not even by way
// of retiring it, and a new one is newer than all before.
func TestPublishedText(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		refused := func(name string, files map[string][]byte, words string) {
			t.Helper()
			_, err := s.Plan(t.Context(), admin, files)
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), "agreements.yaml:") {
				t.Errorf("%s: %v", name, err)
			}
		}
		refused("changed text", edited(t, "agreements.yaml", "Service. With tickets", "Service. By tickets"), "cannot change")
		refused("changed version", edited(t, "agreements.yaml", "version: 1", "version: 2"), "cannot change")
		apply(t, s, withSecondVersion())
		apply(t, s, catalog.Default())
		files := catalog.Default()
		files["agreements.yaml"] = append(files["agreements.yaml"], strings.Replace(secondVersion, "New terms", "Other terms", 1)...)
		refused("changed text of a withdrawn one", files, "cannot change")
		files = catalog.Default()
		files["agreements.yaml"] = append(files["agreements.yaml"], strings.Replace(secondVersion, "id: 4", "id: 5", 1)...)
		refused("version used before", files, "above 2")
	})
}
