package matrix

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"casemate/test/world"
)

// TestAuditorReadsNoLabelNames: names of labels are a person's and sealed in the
// history. An administrator reads them in the audit, its export and the feed; an
// auditor, who sees no sealed personal fields, reads the same events without them.
func TestAuditorReadsNoLabelNames(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		const name, password = "LABEL-of-frau-weber", "a password of the matrix 1"
		for _, role := range []string{"auditor", "administrator"} {
			status, text, err := w.Operator("POST", "/desk/v1/domains/house/users", map[string]any{"name": "reads-" + role, "password": password, "role": role})
			if err != nil || status >= 300 {
				t.Fatalf("%s: %d %s %v", role, status, text, err)
			}
		}
		if a := user(t, w, 0, 1).send(t, "POST", "/v2/servicerequest/labels", nil, []byte(`{"name":"`+name+`","color":"#1f6feb"}`)); a.status >= 300 {
			t.Fatalf("%d %s", a.status, a.text)
		}
		domain := w.Domains[0].ID
		auditor := caller{name: "an auditor", w: w, token: engineerToken(t, w, "reads-auditor", password)}
		admin := caller{name: "an administrator", w: w, token: engineerToken(t, w, "reads-administrator", password)}
		get := func(c caller, path string) string {
			t.Helper()
			a := c.send(t, "GET", path, nil, nil)
			if a.status != http.StatusOK {
				t.Fatalf("%s at %s: %d %.300s", c.name, path, a.status, a.text)
			}
			return a.text
		}
		const audit = "/desk/v1/audit?action=label.create&limit=20&domain="
		for began := time.Now(); time.Since(began) < 30*time.Second && !strings.Contains(get(admin, audit+domain), name); time.Sleep(50 * time.Millisecond) { // sealed behind the answer
		}
		// The feed holds more than a page: it is read as far as the label.
		feed := func(c caller) (text string) {
			for after := 0; ; {
				page := get(c, fmt.Sprintf("/desk/v1/events?limit=500&domain=%s&after=%d", domain, after))
				text += page
				n := strings.Count(page, `"domain_seq":`)
				if after += n; n < 500 {
					return text
				}
			}
		}
		for way, read := range map[string]func(caller) string{
			"audit":  func(c caller) string { return get(c, audit+domain) },
			"export": func(c caller) string { return get(c, "/desk/v1/audit/export?action=label.create&domain="+domain) },
			"feed":   feed,
		} {
			if text := read(admin); !strings.Contains(text, "label.create") || !strings.Contains(text, name) || strings.Contains(text, "sealed_name") {
				t.Errorf("%s of an administrator: %.600s", way, text)
			}
			if text := read(auditor); !strings.Contains(text, "label.create") || strings.Contains(text, name) || strings.Contains(text, "sealed_name") {
				t.Errorf("%s of an auditor: %.600s", way, text)
			}
		}
	})
}
