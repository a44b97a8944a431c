package desk

import (
	"reflect"
	"slices"
	"testing"

	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/queue"
)

// TestRuleBothWays: a rule goes out to the contract's form, which is valid, and
// comes back as it was; the contract's actions are the noun's.
func TestRuleBothWays(t *testing.T) {
	paused := 5
	for _, d := range []queue.Definition{
		{When: queue.When{Events: []string{"ticket.create"}, By: "customer"}, Then: []queue.Action{{Do: "reply", Text: &locale.Texts{ZH: "收到 {{ticket.number}}", EN: "got it"}}},
			If: &queue.Condition{All: []queue.Condition{{Field: "status", Op: "in", Values: []string{"0", "1"}}, {Not: &queue.Condition{Any: []queue.Condition{{Field: "text", Op: "contains", Value: "登录"}}}}}}},
		{When: queue.When{State: &paused, Hours: 48}, Then: []queue.Action{{Do: "tag", Tags: []string{"a"}}, {Do: "transfer", To: "partner", Handler: "nora"}, {Do: "severity", Severity: "1"}}},
	} {
		out, err := ruleOut(queue.Rule{ID: "r", Mode: "on", Definition: d, Runs: map[string]int{"done": 3}})
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Validate(); err != nil {
			t.Error(err)
		}
		back, err := definitionIn(out.When, out.If, out.Then)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back, d) {
			t.Errorf("came back as %+v, went as %+v", back, d)
		}
	}
	var names []string
	for _, do := range oas.ActionDo("").AllValues() {
		names = append(names, string(do))
	}
	slices.Sort(names)
	if !slices.Equal(names, queue.ActionNames()) {
		t.Errorf("the contract has %v, the noun %v", names, queue.ActionNames())
	}
}
