package catalog_test

import (
	"errors"
	"strings"
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/sla"
)

const hour = 3_600_000

// TestPromises: the rules that tickets get by the shipped catalogue are those of
// contract/sla.csv, in milliseconds; partners' plans too.
func TestPromises(t *testing.T) {
	t.Parallel()
	c := shipped(t)
	ids := map[string]string{"Core system unavailable": "sev-1", "Core production system unavailable": "sev-1", "Production system unavailable": "sev-2",
		"Production system impaired": "sev-3", "Production system exception": "sev-3", "System impaired": "sev-4", "System exception": "sev-4", "General guidance": "sev-5"}
	units := map[string]int64{"h": hour, "min": hour / 60}
	checked := 0
	for _, row := range readCSV(t, "testdata/sla.csv") {
		severities := []string{ids[row[1]]}
		if row[1] == "(any)" {
			severities = []string{"sev-1", "sev-2", "sev-3", "sev-4", "sev-5"}
		}
		words := strings.Fields(row[2])
		var want int64
		if words[1] == "working" {
			want = 9 * hour // 09:00-18:00
		} else {
			for _, digit := range words[0] {
				want = want*10 + int64(digit-'0')
			}
			want *= units[words[1]]
		}
		for _, s := range severities {
			r := c.Promise(row[0], s, "")
			if r.Plan != row[0] || r.Severity != s || r.First != want || r.Next != want || r.Resolution != 0 || r.Warn != 75 || r.Escalate != 90 {
				t.Errorf("%s, %s: %+v, want %d", row[0], s, r.Rule, want)
			}
			clock := strings.TrimSuffix(row[3], " (guess)")
			if clock == "working days" {
				clock = catalog.ClockBusiness
			}
			if r.Calendar.ID != clock {
				t.Errorf("%s counts by %q, want %q", row[0], r.Calendar.ID, clock)
			}
			checked++
		}
	}
	if checked != 26 {
		t.Errorf("%d rules were compared", checked)
	}
	house := c.Promise("", "", "")
	if house.Plan != "" || house.First != 18*hour || house.Next != 18*hour || house.Resolution != 0 || house.Calendar.ID != catalog.ClockBusiness {
		t.Errorf("the house's default is %+v", house.Rule)
	}
	fault, question := "", ""
	for _, p := range c.ProblemTypes() {
		if applies := len(c.SeveritiesOf("Business", p)) > 0; applies && fault == "" {
			fault = p.ID
		} else if !applies {
			question = p.ID
		}
	}
	if r := c.Promise("Business", "", fault); r.Plan != "Business" || r.Severity != "sev-5" {
		t.Errorf("a plan without a severity: %+v", r.Rule)
	}
	if question != "" {
		if r := c.Promise("Business", "", question); r != house {
			t.Errorf("where plans do not apply: %+v", r.Rule)
		}
	}
	if r := c.Promise("gone", "sev-1", fault); r != house {
		t.Errorf("a plan that is gone: %+v", r.Rule)
	}
	t.Logf("REPORT SLA defaults: %d first answers equal the vendor's table\n", checked)
}

// TestSLAMistakes: what is wrong in calendars and targets is told by file and line.
func TestSLAMistakes(t *testing.T) {
	t.Parallel()
	s, err := catalog.New(t.Context(), dbtest.Open(t, sqliteOptions(t)), catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	small := smaller{s: s}
	for _, tt := range []struct{ name, file, old, text, words string }{
		{"no zone", "sla.yaml", "zone: GMT+8\n    hours:\n      monday: [\"09", "zone: Moon/Base\n    hours:\n      monday: [\"09", "no such zone"},
		{"span", "sla.yaml", `friday: ["09:00-18:00"]`, `friday: ["09:00-25:00"]`, "HH:mm-HH:mm"},
		{"overlap", "sla.yaml", `friday: ["09:00-18:00"]`, `friday: ["09:00-12:00", "11:00-18:00"]`, "do not overlap"},
		{"no such day", "sla.yaml", `friday: ["09:00-18:00"]`, `fryday: ["09:00-18:00"]`, "unknown key"},
		{"date", "sla.yaml", "  - id: 24x7", "    holidays: [{from: 2026-02-30}]\n  - id: 24x7", "yyyy-MM-dd"},
		{"unknown calendar", "severities.yaml", "clock: business hours", "clock: sidereal", `no calendar "sidereal"`},
		{"the house's calendar", "sla.yaml", "    clock: business hours", "    clock: never", `no calendar "never"`},
		{"warning", "sla.yaml", "warn_percent: 75", "warn_percent: 100", "between 1 and 99"},
		{"escalation", "sla.yaml", "escalate_percent: 90", "escalate_percent: 0", "between 1 and 1000"},
		{"resolution", "severities.yaml", "next_response: 24h}", "next_response: 24h, resolution: 1w}", "does not have the form"},
		{"calendar twice", "sla.yaml", "id: 24x7", "id: business hours", "used twice"},
	} {
		_, err := s.Plan(t.Context(), admin, small.edited(t, tt.file, tt.old, tt.text))
		var broken *catalog.Broken
		if !errors.As(err, &broken) {
			t.Errorf("%s: not refused: %v", tt.name, err)
			continue
		}
		found := false
		for _, m := range broken.Mistakes {
			found = found || m.File == tt.file && m.Line > 0 && strings.Contains(m.EN, tt.words)
			if m.ZH == "" || m.EN == "" {
				t.Errorf("%s: a reason in one language: %+v", tt.name, m)
			}
		}
		if !found {
			t.Errorf("%s: %+v", tt.name, broken.Mistakes)
		}
	}
}

// TestSLAInForce: files of old, without calendars, keep the shipped ones; new
// ones change what is promised and show in the difference.
func TestSLAInForce(t *testing.T) {
	each(t, func(t *testing.T, _ *db.DB, s *catalog.Service) {
		files := catalog.Default()
		delete(files, "sla.yaml")
		if _, err := s.Apply(t.Context(), admin, files, catalog.AnyVersion); err != nil {
			t.Fatal(err)
		}
		if r := s.Now().Promise("Developer", "sev-4", ""); r.First != 12*hour || r.Calendar.ID != catalog.ClockBusiness {
			t.Errorf("without a file of calendars: %+v", r.Rule)
		}
		before := s.Now().Promise("Developer", "sev-4", "")
		d, err := s.Apply(t.Context(), admin, edited(t, "sla.yaml", "zone: GMT+8", "zone: Europe/Paris"), catalog.AnyVersion)
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, c := range d.Changes {
			kinds = append(kinds, string(c.Kind)+" "+c.ID+" "+c.What)
		}
		if got := strings.Join(kinds, ", "); got != "calendar business hours restored, calendar 24x7 restored, sla sla restored" {
			t.Errorf("the difference is %s", got)
		}
		if r := s.Now().Promise("Developer", "sev-4", ""); r.Calendar.Zone != "Europe/Paris" || r.ID() == before.ID() {
			t.Errorf("after the change: %+v", r.Rule)
		}
		again, err := sla.Parse(before.Data())
		if err != nil || again.ID() != before.ID() {
			t.Errorf("a rule read back is another: %v %v", again, err)
		}
		supervisor := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "s", Role: principal.RoleSupervisor}
		version := s.Now().Version
		other, err := s.Imagine(t.Context(), supervisor, map[string][]byte{"x.yaml": []byte("sla: {warn_percent: 50, escalate_percent: 120, house: {clock: 24x7, first_response: 1h}}")})
		if err != nil {
			t.Fatal(err)
		}
		if r := other.Promise("", "", ""); r.First != hour || r.Next != 0 || r.Warn != 50 || r.Calendar.ID != catalog.ClockAlways {
			t.Errorf("imagined: %+v", r.Rule)
		}
		if r := s.Now().Promise("", "", ""); r.First != 18*hour || s.Now().Version != version {
			t.Error("imagining changed what is in force")
		}
		engineer := supervisor
		engineer.Role = principal.RoleEngineer
		if _, err := s.Imagine(t.Context(), engineer, nil); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("an engineer imagines: %v", err)
		}
		if _, err := s.Imagine(t.Context(), supervisor, map[string][]byte{"x.yaml": []byte("regions: []")}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("nothing to imagine: %v", err)
		}
		_, err = s.Imagine(t.Context(), supervisor, map[string][]byte{"x.yaml": []byte("# a\nsla:\n  warn_percent: 0\n  escalate_percent: 100\n  house: {clock: 24x7}\n")})
		var broken *catalog.Broken
		if !errors.As(err, &broken) || broken.Mistakes[0].File != "x.yaml" || broken.Mistakes[0].Line != 3 {
			t.Errorf("a mistake to imagine: %v", err)
		}
	})
}
