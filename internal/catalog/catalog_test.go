package catalog_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

var admin = principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "op", Role: principal.RoleAdministrator}

func sqliteOptions(t testing.TB) db.Options { return db.Options{URL: dbtest.SQLiteURL(t)} }

func each(t *testing.T, test func(t *testing.T, d *db.DB, s *catalog.Service)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, err := catalog.New(t.Context(), d, catalog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.EnsureDefault(t.Context()); err != nil {
			t.Fatal(err)
		}
		test(t, d, s)
	})
}

// edited is the default catalogue with a text replaced in one file.
func edited(t *testing.T, file, old, text string) map[string][]byte {
	t.Helper()
	files := maps.Clone(catalog.Default())
	if strings.Count(string(files[file]), old) < 1 {
		t.Fatalf("%s does not hold %q", file, old)
	}
	files[file] = []byte(strings.Replace(string(files[file]), old, text, 1))
	return files
}

// smaller makes catalogues with a mistake and no more than a catalogue needs: to
// read all of the default one for each of many mistakes takes the race detector a
// quarter of a second.
type smaller struct {
	s     *catalog.Service
	right map[string]bool // files that together are no mistake
}

// edited is a small catalogue with a text replaced in one file, and with the
// other files named; without the edit it is right.
func (m *smaller) edited(t *testing.T, file, old, text string, others ...string) map[string][]byte {
	t.Helper()
	all, files := edited(t, file, old, text), map[string][]byte{}
	for _, name := range append(others, "sub-types.yaml", "params.yaml", "products-management.yaml", "severities.yaml", "sla.yaml", "limits.yaml", "regions.yaml") {
		files[name] = all[name]
	}
	first, _, _ := strings.Cut(string(all["area-codes.yaml"]), "  - {id: 4,")
	files["area-codes.yaml"] = []byte(first)
	files[file] = catalog.Default()[file]
	if names := strings.Join(slices.Sorted(maps.Keys(files)), " "); !m.right[names] {
		if _, err := m.s.Plan(t.Context(), admin, files); err != nil {
			t.Fatalf("%s without the mistake: %v", names, err)
		}
		if m.right == nil {
			m.right = map[string]bool{}
		}
		m.right[names] = true
	}
	files[file] = all[file]
	return files
}

func apply(t *testing.T, s *catalog.Service, files map[string][]byte) catalog.Diff {
	t.Helper()
	diff, err := s.Apply(t.Context(), admin, files, catalog.AnyVersion)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Plan(t.Context(), admin, files)
	if err != nil || !again.Empty() || again.Layout || again.Version != diff.Version {
		t.Fatalf("plan after apply: %+v, %v", again, err)
	}
	return diff
}

// one is the only change of a difference.
func one(t *testing.T, d catalog.Diff) catalog.Change {
	t.Helper()
	if len(d.Changes) != 1 {
		t.Fatalf("changes: %s", strings.Join(d.Lines(locale.EN), "\n"))
	}
	return d.Changes[0]
}

const dnsRecord = `      - id: dns-record
        name: {zh: 解析记录咨询, en: Records}`

func withoutDNSRecord(t *testing.T) map[string][]byte {
	files := maps.Clone(catalog.Default())
	text := string(files["products-network.yaml"])
	from := strings.Index(text, dnsRecord)
	to := strings.Index(text, "  - id: cdn\n")
	if from < 0 || to < from {
		t.Fatal("dns-record is not where the test thinks")
	}
	files["products-network.yaml"] = []byte(text[:from] + "\n" + text[to:])
	return files
}

// TestApply: the life of an entry: changed, retired with its old name kept,
// restored; the difference is exact and empty after each step.
func TestApply(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		if v := s.Now().Version; v != 1 {
			t.Fatalf("version %d", v)
		}
		plan, err := s.Plan(t.Context(), admin, catalog.Default())
		if err != nil || !plan.Empty() || plan.Layout {
			t.Fatalf("the default differs from itself: %v %v", plan.Lines(locale.EN), err)
		}

		c := one(t, apply(t, s, edited(t, "products-network.yaml", "en: Records}", "en: DNS records}")))
		if c.What != catalog.Changed || c.Kind != catalog.KindProblemType || c.ID != "dns-record" ||
			len(c.Fields) != 1 || c.Fields[0] != (catalog.FieldChange{Field: "name.en", Before: "Records", After: "DNS records"}) {
			t.Fatalf("%+v", c)
		}
		if p, _ := s.Now().ProblemType("dns-record"); p.Name.EN != "DNS records" {
			t.Errorf("the node that applied still has %q", p.Name.EN)
		}

		diff := apply(t, s, withoutDNSRecord(t))
		if len(diff.Changes) != 2 { // the problem type and its template
			t.Fatalf("%v", diff.Lines(locale.EN))
		}
		for _, c := range diff.Changes {
			if c.What != catalog.Retired {
				t.Errorf("%+v", c)
			}
		}
		now := s.Now()
		if _, ok := now.ProblemType("dns-record"); ok {
			t.Error("a retired problem type is offered")
		}
		if _, err := now.Fit(catalog.Choice{ProblemType: "dns-record"}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a new ticket may have a retired problem type: %v", err)
		}
		if p, ok := now.EverProblemType("dns-record"); !ok || !p.Retired || p.CaseType != "0" || p.Product != "dns" {
			t.Errorf("old tickets lost their problem type: %+v", p)
		}
		if n := now.Name(catalog.KindProblemType, "dns-record", locale.ZH); n != "解析记录咨询" {
			t.Errorf("old tickets show %q", n)
		}
		for _, p := range now.ProblemTypesOf("dns") {
			if p.ID == "dns-record" {
				t.Error("a retired problem type is listed")
			}
		}

		diff = apply(t, s, catalog.Default())
		if len(diff.Changes) != 2 || diff.Changes[0].What != catalog.Restored {
			t.Fatalf("%v", diff.Lines(locale.EN))
		}
		if _, ok := s.Now().ProblemType("dns-record"); !ok {
			t.Error("not restored")
		}
		if v := s.Now().Version; v != 4 {
			t.Errorf("version %d, want 4", v)
		}
		if n := countEvents(t, d); n != 4 {
			t.Errorf("%d events, want 4", n)
		}
	})
}

func countEvents(t *testing.T, d *db.DB) (n int) {
	t.Helper()
	err := d.View(t.Context(), func(tx *db.Tx) error {
		rows, total, err := event.OfSubject(tx, principal.House, "catalog", "catalog", false, true, 0, 100)
		n = max(total, len(rows))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAdded: new entries take their place; comments alone are no difference
// but are kept for export.
func TestAdded(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		const region = "  - {id: cn-north-2,"
		files := edited(t, "regions.yaml", region, "  # ours\n  - {id: cn-test-1, type: 0, name: {zh: 测试区, en: Test region}}\n"+region)
		c := one(t, apply(t, s, files))
		if c.What != catalog.Added || c.ID != "cn-test-1" || c.Name.EN != "Test region" {
			t.Fatalf("%+v", c)
		}
		if r := s.Now().Regions(0)[1]; r.ID != "cn-test-1" {
			t.Errorf("second region is %s", r.ID)
		}
		files["regions.yaml"] = append(files["regions.yaml"], "# the end\n"...)
		plan, err := s.Plan(t.Context(), admin, files)
		if err != nil || !plan.Empty() || !plan.Layout {
			t.Fatalf("%+v, %v", plan, err)
		}
		apply(t, s, files)
		out, err := s.Export(t.Context(), admin)
		if err != nil || !maps.EqualFunc(out, files, func(a, b []byte) bool { return string(a) == string(b) }) {
			t.Errorf("the export is not what was applied: %v", err)
		}
		// Another order of the same entries is one difference.
		text := string(files["regions.yaml"])
		line := "  - {id: cn-north-1, type: 0, name: {zh: 华北-北京一, en: CN North-Beijing1}}\n"
		files["regions.yaml"] = []byte(strings.Replace(text, line, "", 1) + line)
		c = one(t, apply(t, s, files))
		if c.What != catalog.Reordered || c.Kind != catalog.KindRegion {
			t.Fatalf("%+v", c)
		}
		regions := s.Now().Regions(0)
		if regions[len(regions)-1].ID != "cn-north-1" {
			t.Error("the order was not taken over")
		}
	})
}

// TestRefusedChangesNothing: broken files, strangers and stale versions.
func TestRefusedChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		ctx := t.Context()
		before := s.Now()
		broken := edited(t, "products-network.yaml", `case_type: "5"`, `case_type: "7"`)
		if _, err := s.Apply(ctx, admin, broken, 1); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a broken file was taken: %v", err)
		}
		good := edited(t, "regions.yaml", "CN North-Beijing1", "Beijing One")
		for _, who := range []principal.Principal{{}, {Kind: principal.Customer, Domain: "d", User: "u", Main: true},
			{Kind: principal.Engineer, Domain: principal.House, Role: principal.RoleEngineer}} {
			if _, err := s.Plan(ctx, who, good); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%v may plan: %v", who.Kind, err)
			}
			if _, err := s.Apply(ctx, who, good, 1); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%v may apply: %v", who.Kind, err)
			}
			if _, err := s.Export(ctx, who); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%v may export: %v", who.Kind, err)
			}
		}
		if _, err := s.Apply(ctx, admin, good, 7); fault.KindOf(err) != fault.Conflict {
			t.Errorf("an expectation that does not hold: %v", err)
		}
		if s.Now() != before {
			t.Error("the catalogue in force changed")
		}
		fresh, err := catalog.New(ctx, d, catalog.Options{})
		if err != nil || fresh.Now().Version != 1 || fresh.Now().Name(catalog.KindRegion, "cn-north-1", locale.EN) != "CN North-Beijing1" {
			t.Errorf("the store changed: %v", err)
		}
	})
}

// TestApplyAtOnce: of several administrators who looked at the same version
// exactly one succeeds.
func TestApplyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				files := edited(t, "regions.yaml", "CN North-Beijing1", "Beijing "+strings.Repeat("I", i+1))
				_, errs[i] = s.Apply(t.Context(), admin, files, 1)
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			switch {
			case err == nil:
				won++
			case fault.KindOf(err) != fault.Conflict:
				t.Error(err)
			}
		}
		if won != 1 || s.Now().Version != 2 {
			t.Errorf("%d succeeded, version %d", won, s.Now().Version)
		}
	})
}

// TestOtherNode: a node that did not apply follows within a second.
func TestOtherNode(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		other, err := catalog.New(t.Context(), d, catalog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- other.Run(ctx) }()
		apply(t, s, edited(t, "regions.yaml", "CN North-Beijing1", "Beijing One"))
		deadline := time.After(10 * time.Second)
		for other.Now().Version != 2 {
			select {
			case <-deadline:
				t.Fatal("not in force on the other node after ten seconds")
			case <-time.After(time.Millisecond):
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestRepeatedApply: a repeat of the same request (same idempotency key) gets
// the first answer, not a conflict.
func TestRepeatedApply(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		files := edited(t, "regions.yaml", "CN North-Beijing1", "Beijing One")
		var first catalog.Diff
		for i := range 2 {
			ctx := db.WithRequestKey(t.Context(), db.RequestKey{ID: "once", Until: d.Now().Add(time.Hour).UnixMilli()})
			diff, err := s.Apply(ctx, admin, files, 1)
			if err != nil {
				t.Fatalf("call %d: %v", i+1, err)
			}
			if i == 0 {
				first = diff
			} else if diff.Version != first.Version || len(diff.Changes) != len(first.Changes) {
				t.Errorf("the repeat got %+v, the first %+v", diff, first)
			}
		}
	})
}

// TestInMemory: look-ups need no store, not even an open one. Not parallel,
// because it counts allocations.
func TestInMemory(t *testing.T) {
	o := sqliteOptions(t)
	d, err := db.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := catalog.New(t.Context(), d, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Now().ProblemType("x"); ok || s.Now().Quota("x") != 0 || len(s.Now().Regions(1)) != 0 {
		t.Error("an empty store has a catalogue")
	}
	if err := s.EnsureDefault(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	c := s.Now()
	got := c.Name(catalog.KindRegion, "cn-north-1", locale.EN)
	if p, err := c.Fit(catalog.Choice{ProblemType: "ecs-os-image", Region: "cn-north-1"}); err != nil || p.Product == "" || got != "CN North-Beijing1" {
		t.Errorf("%v %v %q", p, err, got)
	}
	if n := testing.AllocsPerRun(100, func() {
		now := s.Now()
		now.ProblemType("ecs-os-image")
		now.Quota("ecs-os-image")
		now.AreaCodes(1)
	}); n > 0 {
		t.Errorf("%v allocations for three look-ups", n)
	}
	if _, err := s.Apply(t.Context(), admin, catalog.Default(), catalog.AnyVersion); err == nil || errors.Is(err, fault.NoPermission) {
		t.Errorf("applied to a closed store: %v", err)
	}
	if s.Now() != c {
		t.Error("a failed apply changed the catalogue in force")
	}
}

// TestUnlimited: the demo world's switch lifts every quota.
func TestUnlimited(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, sqliteOptions(t))
	s, err := catalog.New(t.Context(), d, catalog.Options{UnlimitedQuota: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.EnsureDefault(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Now().Quota("account-close") != catalog.Unlimited || s.Now().Quota("ecs-flavor") != catalog.Unlimited {
		t.Error("quotas are in force")
	}
}

// TestEnsureDefaultKeeps: what an operator applied is never replaced.
func TestEnsureDefaultKeeps(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		apply(t, s, edited(t, "regions.yaml", "CN North-Beijing1", "Beijing One"))
		again, err := catalog.New(t.Context(), d, catalog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := again.EnsureDefault(t.Context()); err != nil {
			t.Fatal(err)
		}
		if again.Now().Version != 2 || again.Now().Name(catalog.KindRegion, "cn-north-1", locale.EN) != "Beijing One" {
			t.Error("the default came back")
		}
	})
}
