package matrix

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"casemate/test/contract"
	"casemate/test/world"
)

// TestUnknownFields: every operation of the desk's and the browsers' contract
// refuses a body with a field that it does not know, and names it; nothing is
// done.
func TestUnknownFields(t *testing.T) {
	const field = "no_such_field"
	each(t, func(t *testing.T, w *world.World) {
		const name, password = "matrix-admin", "a password of the matrix 1"
		if status, text, err := w.Operator("POST", "/desk/v1/domains/house/users", map[string]any{"name": name, "password": password, "role": "administrator"}); err != nil || status >= 300 {
			t.Fatalf("%d %s %v", status, text, err)
		}
		callers := map[string]caller{"desk": {name: "an administrator", w: w, token: engineerToken(t, w, name, password)}, "web": user(t, w, 0, 0)}
		inPage := callers["web"].browser(t, w.Domains[0].Name, w.Domains[0].Users[0].Name, w.Domains[0].Users[0].Password)
		asked := 0
		for surface, c := range callers {
			bodies := loadMinimal(t, surface+".yaml").bodies(nil)
			for _, op := range contract.Load(t, surface+".yaml") {
				var body map[string]any
				if json.Unmarshal(bodies[op.ID], &body) != nil {
					continue
				}
				body[field] = 1
				text, err := json.Marshal(body)
				if err != nil {
					t.Fatal(err)
				}
				as := c
				if !slices.Contains(ways(op), false) {
					as = inPage
				}
				path, header, _ := op.Request(nil)
				asked++
				if a := as.send(t, op.Method, path, header, text); a.status != http.StatusBadRequest || !strings.Contains(a.message(), field) {
					t.Errorf("%s.%s with an unknown field: %d %.300s", surface, op.ID, a.status, a.text)
				}
			}
		}
		if asked < 80 {
			t.Errorf("only %d operations take a body", asked)
		}
		t.Logf("REPORT unknown fields (%s): %d operations with a body refuse and name them\n", t.Name(), asked)
	})
}
