package matrix

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"casemate/test/contract"
	"casemate/test/world"
)

// TestNotBuilt calls every operation of the customer API and prints those that
// answer 501 (semantics.md D28); whatever they answer, it is never a bare 5xx.
func TestNotBuilt(t *testing.T) {
	w := world.Start(t, world.Options{})
	c := user(t, w, 0, 0)
	problem := consultation(t, c)
	number := create(t, c, problem, "for every operation")
	var missing []string
	ops := contract.Load(t, "v2.yaml")
	for _, op := range ops {
		a := c.call(t, op, map[string]any{"case_id": number, "business_type_id": problem, "source_id": source, "simple_description": "x", "action_id": "press",
			"contact_way": 1, "contact_value": "somebody@example.com", "verify_code": "000000", "message.content": "x"})
		switch {
		case a.status == http.StatusNotImplemented && a.code == "OSM.0004":
			missing = append(missing, op.ID)
		case a.status >= 500:
			t.Errorf("%s: %d %s", op.ID, a.status, a.text)
		}
	}
	if len(ops) != 82 {
		t.Errorf("%d operations, want 82", len(ops))
	}
	t.Logf("REPORT operations that answer 501: %d of %d: %s\n", len(missing), len(ops), strings.Join(missing, " "))
}

// Limits: each documented limit of each operation that is built is accepted at
// the maximum and refused one beyond with OSM.01010001 naming the field. The
// limits are read from the contract.
func TestLimits(t *testing.T) {
	w := world.Start(t, world.Options{})
	c := user(t, w, 0, 0)
	problem := consultation(t, c)
	number := create(t, c, problem, "for the limits")
	checked := 0
	for _, op := range contract.Load(t, "v2.yaml") {
		base := func() map[string]any {
			return map[string]any{"case_id": number, "business_type_id": problem, "source_id": source, "simple_description": "x", "action_id": "press",
				"contact_way": 1, "contact_value": "somebody@example.com", "verify_code": "000000", "message.content": "x", "judgement": "x",
				"incident_satisfaction_list": []any{map[string]any{"satisfaction_id": 1, "satisfaction_value": 1}}}
		}
		for _, f := range op.Fields {
			for _, l := range limits(f) {
				in := base()
				in[f.Name] = l.beyond
				code := "OSM.01010001"
				if op.ID == "ListMoreInstantMessages" && f.Name == "type" {
					code = "OSM.01010012" // has its own (contract/errors.csv)
				}
				if a := c.call(t, op, in); a.code != code || !strings.Contains(a.text, lastPart(f.Name)) {
					// Of a path parameter nothing longer exists: the ticket is not there.
					if !(f.In == "path" && a.denied()) {
						t.Errorf("%s, %s beyond %s: %d %.200s", op.ID, f.Name, l.name, a.status, a.text)
					}
				}
				in[f.Name] = l.most
				if a := c.call(t, op, in); a.code == "OSM.01010001" && strings.Contains(a.text, "at most ") && strings.Contains(a.text, lastPart(f.Name)) {
					t.Errorf("%s, %s at %s is refused: %.200s", op.ID, f.Name, l.name, a.text)
				}
				checked++
			}
		}
	}
	t.Logf("REPORT documented limits: %d tried at the maximum and one beyond\n", checked)
	if checked < 150 {
		t.Errorf("only %d limits were read from the contract", checked)
	}
}

type limit struct {
	name         string
	most, beyond any
}

func limits(f contract.Field) (all []limit) {
	add := func(name string, most, beyond any) { all = append(all, limit{name, most, beyond}) }
	if f.MaxLen > 0 && f.Type == "string" {
		add(fmt.Sprint("maxLength ", f.MaxLen), text(f, f.MaxLen), text(f, f.MaxLen+1))
	}
	if f.MaxItems > 0 && f.Items == "string" {
		add(fmt.Sprint("maxItems ", f.MaxItems), list(f.MaxItems), list(f.MaxItems+1))
	}
	if f.Max != nil && (f.Type == "integer" || f.Type == "number") && *f.Max < 1<<31-1 {
		add(fmt.Sprint("maximum ", *f.Max), *f.Max, *f.Max+1)
	}
	return all
}

// text is Chinese where the field is a text for people: a limit counts
// characters, not bytes.
func text(f contract.Field, n int) string {
	switch f.Name {
	case "simple_description", "message.content", "judgement", "operate_desc", "app_key":
		return strings.Repeat("云", n)
	}
	return strings.Repeat("1", n)
}

func list(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = fmt.Sprint(i + 1)
	}
	return out
}

func lastPart(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
