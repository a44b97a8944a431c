package matrix

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"casemate/test/contract"
	"casemate/test/world"
)

// state is everything the victim's main account sees of its domain, hashed:
// equal before and after means that nobody had an effect on it.
func state(t *testing.T, c caller) string {
	t.Helper()
	h := new(strings.Builder)
	for offset := 0; ; offset += 100 {
		a := c.send(t, "GET", fmt.Sprint("/v2/servicerequest/cases?limit=100&offset=", offset), nil, nil)
		numbers := numbersIn(a.text)
		fmt.Fprintln(h, a.plain())
		for _, n := range numbers {
			for _, what := range []string{"", "/messages?limit=100", "/operate-logs?limit=100"} {
				a := c.send(t, "GET", "/v2/servicerequest/cases/"+n+what, nil, nil)
				fmt.Fprintln(h, a.plain())
			}
		}
		if len(numbers) < 100 {
			break
		}
	}
	for _, path := range []string{"/v2/servicerequest/cases/count", "/v2/servicerequest/verifycodes/has-verified", "/v3/auth/domains"} {
		fmt.Fprintln(h, c.send(t, "GET", path, nil, nil).plain())
	}
	return h.String()
}

// parted is where two states begin to differ.
func parted(before, after string) string {
	i := 0
	for i < min(len(before), len(after)) && before[i] == after[i] {
		i++
	}
	from := max(0, i-200)
	return fmt.Sprintf("%q, then %q", before[from:min(len(before), i+300)], after[from:min(len(after), i+300)])
}

func numbersIn(text string) (all []string) {
	for part := range strings.SplitSeq(text, `"incident_id":"`) {
		if len(part) >= 21 && strings.HasPrefix(part, "TS") {
			all = append(all, part[:21])
		}
	}
	return all
}

// TestAuthzMatrix: every operation of the customer, identity and desk contracts
// by every kind of caller that must not, on own, colleague's, another domain's,
// deleted and never existing tickets: nothing of the victim's is shown, nothing
// of his changes, and another domain's ticket answers exactly as one that never
// was.
func TestAuthzMatrix(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		victim, colleague, attacker := user(t, w, 0, 0), user(t, w, 0, 1), user(t, w, 1, 0)
		problem := consultation(t, victim)
		const marker = "MARKER-of-the-victim-5e1f"
		ticket := create(t, victim, problem, marker+" 客户甲的工单")
		own := create(t, colleague, problem, "the colleague's own")
		deleted := create(t, victim, problem, marker+" deleted")
		for _, action := range []string{"cancel", "delete"} {
			if a := victim.send(t, "POST", "/v2/servicerequest/cases/"+deleted+"/action?action_id="+action, nil, []byte("{}")); a.denied() {
				t.Fatal(a.text)
			}
		}
		const never = "TS2601010000000000000"

		// Callers that get nothing at all.
		revoked := user(t, w, 0, 2)
		if a := revoked.send(t, "DELETE", "/v3/auth/tokens", map[string]string{"X-Subject-Token": revoked.token}, nil); a.status != http.StatusNoContent {
			t.Fatal(a.text)
		}
		disabled := user(t, w, 0, 2)
		u := w.Domains[0].Users[2]
		if _, err := w.Local("user", "disable", u.Name, "--domain", w.Domains[0].ID); err != nil {
			t.Fatal(err)
		}
		engineer := caller{name: "engineer", w: w, token: engineerToken(t, w, w.Engineers[0].Name, w.Engineers[0].Password)}
		v := w.Domains[0].Users[0]
		shutOut := []caller{
			{name: "nobody", w: w}, {name: "garbage token", w: w, token: "cmt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
			{name: "revoked token", w: w, token: revoked.token}, {name: "disabled user's token", w: w, token: disabled.token},
			{name: "disabled user's key", w: w, ak: u.AK, sk: u.SK}, {name: "unknown key", w: w, ak: "AAAAAAAAAAAAAAAAAAAA", sk: v.SK},
			{name: "wrong signature", w: w, ak: v.AK, sk: v.SK[1:] + "x"}, {name: "another's secret", w: w, ak: v.AK, sk: w.Domains[1].Users[0].SK},
		}
		before := state(t, victim)
		calls, leaks := 0, 0
		check := func(who, op string, a answer) {
			calls++
			if strings.Contains(a.text, marker) {
				leaks++
				t.Errorf("%s calling %s sees the victim's text: %.300s", who, op, a.text)
			}
		}
		v2, iam, desk := contract.Load(t, "v2.yaml"), contract.Load(t, "iam.yaml"), contract.Load(t, "desk.yaml")
		values := func(number string) map[string]any {
			return map[string]any{"case_id": number, "number": number, "incident_id": number, "action_id": "close", "business_type_id": problem, "source_id": source,
				"simple_description": "from an attacker", "message.content": "from an attacker", "judgement": "bad", "incident_satisfaction_list": []any{map[string]any{"satisfaction_id": 1, "satisfaction_value": 1}},
				"action": "reply", "text": "from an attacker", "domain_id": w.Domains[0].ID, "user_id": v.ID, "key_id": v.AK, "X-Subject-Token": victim.token,
				"x_customer_id": v.ID, "name": "x", "password": "wrong-password-1", "auth.identity.methods": []any{"token"}, "auth.identity.token.id": "x", "to": v.Email}
		}
		for _, c := range shutOut {
			for _, op := range v2 {
				a := c.call(t, op, values(ticket))
				check(c.name, op.ID, a)
				if a.status != http.StatusUnauthorized {
					leaks++
					t.Errorf("%s calling %s: %d %.200s", c.name, op.ID, a.status, a.text)
				}
			}
			for _, op := range slices.Concat(iam, desk) {
				if op.Public {
					continue
				}
				a := c.call(t, op, values(ticket))
				check(c.name, op.ID, a)
				if a.status != http.StatusUnauthorized {
					leaks++
					t.Errorf("%s calling %s: %d %.200s", c.name, op.ID, a.status, a.text)
				}
			}
		}
		// Credentials of another kind.
		for _, op := range v2 {
			a := engineer.call(t, op, values(ticket))
			check("engineer", op.ID, a)
			if !a.denied() {
				leaks++
				t.Errorf("an engineer calls the customer's %s: %.200s", op.ID, a.text)
			}
		}
		for _, c := range []caller{victim, colleague, attacker} {
			for _, op := range desk {
				if op.Public {
					continue
				}
				a := c.call(t, op, values(ticket))
				calls++
				if !a.denied() {
					leaks++
					t.Errorf("a customer calls the desk's %s: %.200s", op.ID, a.text)
				}
			}
		}
		// Real customers, on tickets that are not theirs.
		actions := []string{"cancel", "close", "press", "delete"}
		for _, op := range v2 {
			if !slices.ContainsFunc(op.Fields, func(f contract.Field) bool { return f.Name == "case_id" && f.In == "path" }) {
				continue
			}
			variants := []string{""}
			if op.ID == "UpdateCases" {
				variants = actions
			}
			for _, action := range variants {
				for _, c := range []caller{colleague, attacker} {
					ask := func(number string) answer {
						in := values(number)
						if action != "" {
							in["action_id"] = action
						}
						a := c.call(t, op, in)
						check(c.name, op.ID, a)
						if !a.denied() {
							leaks++
							t.Errorf("%s calls %s on a ticket that is not his: %.200s", c.name, op.ID, a.text)
						}
						return a
					}
					none := ask(never)
					for what, number := range map[string]string{"another's": ticket, "deleted": deleted} {
						if a := ask(number); strings.ReplaceAll(a.plain(), number, never) != none.plain() {
							leaks++
							t.Errorf("%s calling %s: %s ticket answers %s, one that never was %s", c.name, op.ID, what, a.plain(), none.plain())
						}
					}
				}
			}
		}
		// The colleague's own ticket is his: the matrix would else prove nothing.
		if a := colleague.send(t, "GET", "/v2/servicerequest/cases/"+own, nil, nil); a.denied() {
			t.Errorf("the colleague's own ticket: %s", a.text)
		}
		if after := state(t, victim); after != before {
			t.Error("the victim's domain has changed")
		}
		t.Logf("REPORT authorization matrix (%s): %d calls, %d leaks\n", t.Name(), calls, leaks)
	})
}
