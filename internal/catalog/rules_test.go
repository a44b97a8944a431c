package catalog_test

import (
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/fault"
)

const (
	ecs         = "69af625c1be54800b58ac4bae4870c90"
	remoteLogin = "5efc9f47ace944bfafd054161409f15b"
	userAccount = "f3b1735f70e542019510458583d9b55e"
)

// TestFit: semantics.md section 4, D17 and contract/errors.csv.
func TestFit(t *testing.T) {
	t.Parallel()
	c := shipped(t)
	type choice = catalog.Choice
	tests := []struct {
		name        string
		in          choice
		code, field string // "" = fits
	}{
		{"consultation without anything else", choice{ProblemType: "ecs-os-image"}, "", ""},
		{"everything given", choice{ProblemType: remoteLogin, SubType: "0", Product: ecs, Region: "cn-north-1", Severity: "sev-2", Plan: "Business"}, "", ""},
		{"region of the other site", choice{ProblemType: "ecs-os-image", Region: "ap-southeast-1"}, "", ""},
		{"business fault without plan", choice{ProblemType: "account-login", Region: "cn-north-1"}, "", ""},
		{"no problem type", choice{}, "OSM.01010001", "business_type_id"},
		{"unknown problem type", choice{ProblemType: "nope"}, "OSM.01010001", "business_type_id"},
		{"unknown sub type", choice{ProblemType: "ecs-os-image", SubType: "9"}, "OSM.01010030", "incident_sub_type_id"},
		{"unknown product", choice{ProblemType: "ecs-os-image", Product: "nope"}, "OSM.01010001", "product_category_id"},
		{"other product", choice{ProblemType: "ecs-os-image", Product: "obs"}, "OSM.01010001", "business_type_id"},
		{"other sub type", choice{ProblemType: "ecs-os-image", SubType: "1"}, "OSM.01010001", "business_type_id"},
		{"fault without region", choice{ProblemType: remoteLogin, Plan: "Business"}, "OSM.01010001", "region_id"},
		{"unknown region", choice{ProblemType: "ecs-os-image", Region: "nope"}, "OSM.01010001", "region_id"},
		{"unknown severity", choice{ProblemType: "ecs-os-image", Severity: "sev-9", Plan: "Business"}, "OSM.01010006", "severity_id"},
		{"severity above the plan", choice{ProblemType: remoteLogin, Region: "cn-north-1", Severity: "sev-1", Plan: "Business"}, "OSM.01010009", "severity_id"},
		{"severity without plan", choice{ProblemType: "ecs-os-image", Severity: "sev-5"}, "OSM.01010009", "severity_id"},
		{"severity where plans do not apply", choice{ProblemType: "billing-bill", Severity: "sev-5", Plan: "Enterprise"}, "OSM.01010009", "severity_id"},
		{"product fault without plan", choice{ProblemType: remoteLogin, Region: "cn-north-1"}, "OSM.01010009", ""},
		{"product fault with a plan nobody sells", choice{ProblemType: remoteLogin, Region: "cn-north-1", Plan: "Gold"}, "OSM.01010009", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := c.Fit(tt.in)
			if tt.code == "" {
				if err != nil || p.ID != tt.in.ProblemType {
					t.Fatalf("%v, %v", p, err)
				}
				return
			}
			f, ok := fault.As(err)
			if !ok || f.Code != tt.code || f.Field != tt.field {
				t.Fatalf("%v, want %s at %q", err, tt.code, tt.field)
			}
		})
	}
}

// TestSeveritiesByPlan: which severities each plan gives (contract/sla.csv).
func TestSeveritiesByPlan(t *testing.T) {
	t.Parallel()
	c := shipped(t)
	p, _ := c.ProblemType(remoteLogin)
	for plan, want := range map[string]int{"": 0, "Gold": 0, "Developer": 2, "Business": 4, "Enterprise On-Ramp": 5, "Enterprise": 5,
		"Partner Basic": 5, "Partner Standard": 4, "Partner Premier": 5} {
		if got := len(c.SeveritiesOf(plan, p)); got != want {
			t.Errorf("%q gives %d severities, want %d", plan, got, want)
		}
	}
	if bill, _ := c.ProblemType("billing-bill"); len(c.SeveritiesOf("Enterprise", bill)) != 0 {
		t.Error("severities where plans do not apply")
	}
}

// TestQuotaByType: a problem type's own number goes before the default.
func TestQuotaByType(t *testing.T) {
	t.Parallel()
	c := shipped(t)
	for id, want := range map[string]int{"ecs-flavor": 50, "account-close": 5, "feedback-complaint": -1, "nope": 50} {
		if got := c.Quota(id); got != want {
			t.Errorf("%s: %d, want %d", id, got, want)
		}
	}
}

// TestFindProducts: by part of a name in either language or the acronym.
func TestFindProducts(t *testing.T) {
	t.Parallel()
	c := shipped(t)
	for text, want := range map[string]string{"ECS": ecs, "弹性云": ecs, "elastic cloud": ecs, " object ": "obs", "帐号": userAccount} {
		if got := c.FindProducts(text); len(got) != 1 || got[0].ID != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if got := c.FindProducts("nope"); len(got) != 0 {
		t.Errorf("nope: %v", got)
	}
	if got := c.FindProducts(""); len(got) != len(c.Products()) {
		t.Errorf("everything: %d", len(got))
	}
}
