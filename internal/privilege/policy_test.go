package privilege_test

import (
	"os"
	"testing"

	"github.com/goccy/go-yaml"

	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/privilege"
)

// TestPolicyComplete: every operation of the contract has a row, and no row is
// for an operation that does not exist.
func TestPolicyComplete(t *testing.T) {
	operations := map[string]bool{}
	for surface, file := range map[string]string{"v2": "../../api/v2.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Paths map[string]map[string]struct {
				OperationID string `yaml:"operationId"`
			} `yaml:"paths"`
		}
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		for _, methods := range doc.Paths {
			for _, o := range methods {
				operations[surface+"."+o.OperationID] = true
			}
		}
	}
	if len(operations) != 82 {
		t.Errorf("%d operations read, want 82", len(operations))
	}
	for o := range operations {
		if _, ok := privilege.Policy[o]; !ok {
			t.Errorf("%s has no policy row", o)
		}
	}
	for o := range privilege.Policy {
		if !operations[o] {
			t.Errorf("the row %s is for no operation", o)
		}
	}
}

func TestAdmit(t *testing.T) {
	for _, tt := range []struct {
		who  principal.Kind
		op   string
		want fault.Kind
	}{
		{principal.Customer, "ListCases", fault.None},
		{principal.Anonymous, "ListCases", fault.Unauthenticated},
		{principal.Engineer, "ListCases", fault.Forbidden},
		{principal.Local, "ListCases", fault.Forbidden},
		{principal.Customer, "NoSuchOperation", fault.Forbidden},
	} {
		err := privilege.Admit("v2", tt.op, principal.Principal{Kind: tt.who})
		if got := fault.KindOf(err); got != tt.want {
			t.Errorf("%v calling %s: %v, want %v", tt.who, tt.op, got, tt.want)
		}
	}
}
