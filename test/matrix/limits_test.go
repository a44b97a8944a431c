package matrix

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"casemate/test/contract"
	"casemate/test/objects"
	"casemate/test/world"
)

// TestAllBuilt calls every operation of the customer API: none answers 501 or
// another 5xx.
func TestAllBuilt(t *testing.T) {
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
		case a.status == http.StatusNotImplemented:
			missing = append(missing, op.ID)
		case a.status >= 500:
			t.Errorf("%s: %d %s", op.ID, a.status, a.text)
		}
	}
	if len(ops) != 82 {
		t.Errorf("%d operations, want 82", len(ops))
	}
	if len(missing) > 0 {
		t.Errorf("not built: %s", strings.Join(missing, " "))
	}
	t.Logf("REPORT operations that answer 501: %d of %d\n", len(missing), len(ops))
}

// TestLimits: each documented limit of each place of each operation (length,
// range, number of items, enumeration, pattern, type, required), nested ones
// too: at the limit it is not what is refused, one beyond it is refused with
// OSM.01010001 (a wrong type with OSM.0001) naming the field, in Chinese and in
// English. The limits are read from the contract.
func TestLimits(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		problem := w.Consultation(t)
		p := newParty(t, w, 0, 0, problem, "limits")
		checked := map[string]int{}
		for _, call := range contract.Calls(t) {
			values := p.good()
			values["accessory_ids"] = []any{values["accessory_id"]} // its items have limits
			wire := contract.Values{Full: true, Pick: objects.Pick(values)}.Wire(call)
			ask := func(place contract.Place, v any, language string) (answer, bool) {
				in := contract.Copy(wire)
				if !place.Put(in, v) {
					t.Errorf("%s: nowhere to put %v", call.ID, place)
					return answer{}, false
				}
				path, header, body, kind := call.HTTP(in)
				if body != nil {
					header["Content-Type"] = kind
				}
				if place.Name != "X-Language" {
					header["X-Language"] = language
				}
				return p.send(t, call.Method, path, header, body), true
			}
			for _, place := range call.Places() {
				for _, l := range place.Limits() {
					en, ok := ask(place, l.Beyond, "en-us")
					if !ok {
						continue
					}
					zh, _ := ask(place, l.Beyond, "zh-cn")
					what := fmt.Sprintf("%s, %v beyond %s", call.ID, place, l.Name)
					malformed := l.Malformed || l.Name == "int32"
					for _, a := range []answer{en, zh} {
						if a.code != codeOf(call.ID, place.Name, l.Name) && !(malformed && a.code == "OSM.0001") || !strings.Contains(a.message(), place.Name) {
							t.Errorf("%s: %d %.250s", what, a.status, a.text)
						}
					}
					if place.Name != "X-Language" && (han(en.message()) || !han(zh.message()) || en.message() == zh.message()) {
						t.Errorf("%s: languages: %q, %q", what, en.message(), zh.message())
					}
					if l.Within != nil {
						a, _ := ask(place, l.Within, "en-us")
						if a.denied() && (a.message() == en.message() || a.code == "OSM.0001") {
							t.Errorf("%s, %v at %s is refused: %.250s", call.ID, place, l.Name, a.text)
						}
						if a.status >= 500 {
							t.Errorf("%s, %v at %s: %d %s", call.ID, place, l.Name, a.status, a.text)
						}
					}
					checked[strings.Fields(l.Name)[0]]++
				}
			}
		}
		n := 0
		for _, c := range checked {
			n += c
		}
		t.Logf("REPORT documented limits (%s): %d tried at the limit and beyond, in both languages: %v\n", t.Name(), n, checked)
		if n < 700 {
			t.Errorf("only %d limits were read from the contract", n)
		}
	})
}

// codeOf is the code of a value that is out of its limits: where the table has
// one for the very field it is that (errors.csv).
func codeOf(operation, field, limit string) string {
	if operation == "ListMoreInstantMessages" && field == "type" && limit != "required" {
		return "OSM.01010012"
	}
	return "OSM.01010001"
}

// TestDocumented: with errors.business_status documented every refusal of the
// table has 200 and both fields, all others the status they have by default;
// the tap judges the bodies (semantics.md D1). Of a file's download a client
// sees nothing but the status, so there a refusal keeps its own (contract README,
// section 5).
func TestDocumented(t *testing.T) {
	w := world.Start(t, world.Options{Config: "errors:\n  business_status: documented\n"})
	real := world.Start(t, world.Options{})
	business, others := 0, 0
	var pair [2]*party
	for i, w := range []*world.World{w, real} {
		pair[i] = newParty(t, w, 0, 0, w.Consultation(t), "documented")
	}
	for _, call := range contract.Calls(t) {
		for _, place := range call.Places() {
			limits := place.Limits()
			kind, id := objects.Fields[place.Name]
			var answers [2]answer
			asked := false
			for i, p := range pair {
				wire := contract.Values{Full: true, Pick: objects.Pick(p.good())}.Wire(call)
				switch {
				case id && len(place.Path) == 1:
					asked = place.Put(wire, as(map[string]any{place.Name: wire[place.Name]}, place.Name, objects.Never[kind])[place.Name])
				case len(limits) > 0:
					asked = place.Put(wire, limits[0].Beyond)
				}
				if !asked {
					continue
				}
				path, header, body, kind := call.HTTP(wire)
				if body != nil {
					header["Content-Type"] = kind
				}
				answers[i] = p.send(t, call.Method, path, header, body)
			}
			if !asked || answers[1].code == "" {
				continue
			}
			got, usual := answers[0], answers[1]
			want := usual.status
			if strings.HasPrefix(usual.code, "OSM.0101") && !call.File {
				want = http.StatusOK
				business++
			} else {
				others++
			}
			if got.code != usual.code || got.status != want || got.message() == "" {
				t.Errorf("%s, %v: %d %s by default, %d %.200s documented", call.ID, place, usual.status, usual.code, got.status, got.text)
			}
		}
	}
	if business < 200 {
		t.Errorf("only %d business refusals", business)
	}
	t.Logf("REPORT documented status: %d business refusals with 200, %d others with their own status\n", business, others)
}

func han(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// TestUntidyPaths: a path with // or dot segments is an unknown path, answered
// as such; a redirect would be an answer no contract knows.
func TestUntidyPaths(t *testing.T) {
	w := world.Start(t, world.Options{})
	p := user(t, w, 0, 0)
	for _, path := range []string{"/v2/servicerequest//cases", "/v2/servicerequest/./cases", "/v2/servicerequest/labels/../cases", "/v2/servicerequest/cases/../message", "/v2//servicerequest/cases"} {
		for _, method := range []string{"GET", "POST"} {
			if a := p.send(t, method, path, nil, []byte("{}")); a.status != http.StatusNotFound || a.code != "APIGW.0101" || a.message() == "" {
				t.Errorf("%s %s: %d %.200s", method, path, a.status, a.text)
			}
		}
	}
	for _, path := range []string{"/v2/servicerequest/cases", "/v3/", "/v3"} {
		if a := p.send(t, "GET", path, nil, nil); a.status >= 400 || a.code != "" {
			t.Errorf("GET %s: %d %.200s", path, a.status, a.text)
		}
	}
}
