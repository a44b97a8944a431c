package matrix

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"casemate/test/contract"
	"casemate/test/objects"
	"casemate/test/world"
)

// partner makes the account of domain 1 a partner who serves the customer of
// domain 0, and answers the partner's engineer. No ticket is transferred to it,
// so the customer's things are none of its business.
func partner(t *testing.T, w *world.World) caller {
	t.Helper()
	const name, password = "nora-of-blue", "a long password of nora"
	call := func(method, path string, body any, into any) {
		t.Helper()
		status, text, err := w.Operator(method, "/desk/v1/"+path, body)
		if err != nil || status >= 300 {
			t.Fatalf("%s %s: %d %s %v", method, path, status, text, err)
		}
		if into != nil {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				t.Fatal(err)
			}
		}
	}
	var made struct {
		ID string `json:"id"`
	}
	call("POST", "partners", map[string]any{"name": "Blue", "account_id": w.Domains[1].ID, "hours": map[string]any{"zone": "GMT+08:00", "days": 6, "hours": 12}}, &made)
	call("POST", "partners/"+made.ID+"/engineers", map[string]any{"name": name, "password": password}, nil)
	call("PUT", "domains/"+w.Domains[0].ID+"/partner", map[string]any{"partner_id": made.ID}, nil)
	if a := user(t, w, 1, 0).send(t, "GET", "/v2/servicerequest/cases/partners/privilege/cases-processing", nil, nil); !strings.Contains(a.text, `"has_privilege":true`) {
		t.Fatalf("the partner's account: %s", a.text)
	}
	return caller{name: "a partner's engineer", w: w, token: engineerToken(t, w, name, password)}
}

// deskMatrix calls all of the desk and of the customer API as a partner's
// engineer with the victim's ids and with ids that never were: both are answered
// alike, and nothing of the victim's is shown.
func deskMatrix(t *testing.T, nora caller, victim *party, marker string) (asked, leaks int) {
	t.Helper()
	named := map[string]objects.Kind{"number": objects.Ticket, "authorization_id": objects.Authorization, "detail_id": objects.Detail, "session_id": objects.Session,
		"attachment_id": objects.Sent, "domain_id": objects.Domain, "user_id": objects.User, "group_id": objects.Group, "job_id": objects.Job, "agency_id": objects.Agency}
	never := func(k objects.Kind) string {
		if k == objects.Sent {
			k = objects.Attachment
		}
		return objects.Never[k]
	}
	values := func(id func(objects.Kind) string) map[string]any {
		v := map[string]any{"action": "reply", "text": "from a partner", "to": "house", "numbers": []any{id(objects.Ticket)}, "attachment_ids": []any{id(objects.Sent)}, "reason": "from a partner", "description": "from a partner"}
		for name, kind := range named {
			v[name] = id(kind)
		}
		return v
	}
	theirs := values(func(k objects.Kind) string { return victim.made[k] })
	nobodys := values(never)
	check := func(what string, a answer) {
		asked++
		if strings.Contains(a.text, marker) {
			leaks++
			t.Errorf("a partner's engineer calling %s sees the victim's text: %.300s", what, a.text)
		}
	}
	reached := 0
	for _, op := range contract.Load(t, "desk.yaml") {
		if op.Public || op.ID == "DeleteSession" {
			continue
		}
		none, a := nora.call(t, op, nobodys), nora.call(t, op, theirs)
		check(op.ID, none)
		check(op.ID, a)
		if !slices.ContainsFunc(op.Fields, func(f contract.Field) bool { return f.In == "path" || f.Name == "numbers" }) {
			continue
		}
		text := a.plain()
		for kind, id := range victim.made {
			if len(id) > 8 { // numbers within a domain could stand for anything
				text = strings.ReplaceAll(text, id, never(kind))
			}
		}
		if none.status != http.StatusForbidden {
			reached++
		}
		if text != none.plain() {
			leaks++
			t.Errorf("a partner's engineer calling %s: the victim's is answered %s, what never was %s", op.ID, a.plain(), none.plain())
		}
	}
	if reached < 5 {
		t.Errorf("a partner's engineer is forbidden all but %d operations with an id: that proves nothing of the ids", reached)
	}
	for _, op := range contract.Load(t, "v2.yaml") {
		a := nora.call(t, op, map[string]any{"case_id": victim.made[objects.Ticket], "accessory_id": victim.made[objects.Sent], "authorization_id": victim.made[objects.Authorization]})
		check(op.ID, a)
		if !a.denied() {
			leaks++
			t.Errorf("a partner's engineer calls the customer's %s: %.200s", op.ID, a.text)
		}
	}
	return asked, leaks
}
