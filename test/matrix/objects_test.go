package matrix

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"casemate/test/contract"
	"casemate/test/objects"
	"casemate/test/world"
)

// party is a caller with objects of its own.
type party struct {
	caller
	domain, user int
	maker        objects.Maker
	made         map[objects.Kind]string
}

func (c caller) sender(t *testing.T) objects.Send {
	return func(method, path string, body any) (int, string) {
		var raw []byte
		if body != nil {
			var err error
			if raw, err = json.Marshal(body); err != nil {
				t.Fatal(err)
			}
		}
		a := c.send(t, method, path, nil, raw)
		return a.status, a.text
	}
}

func newParty(t *testing.T, w *world.World, domain, n int, problem, text string) *party {
	t.Helper()
	p := &party{caller: user(t, w, domain, n), domain: domain, user: n}
	p.maker = objects.Maker{World: w, Send: p.sender(t), Domain: w.Domains[domain].ID, User: w.Domains[domain].Users[n].ID,
		Mail: fmt.Sprintf("proof-%d-%d@example.com", domain, n), Problem: problem, Text: text}
	var err error
	if p.made, err = p.maker.MakeAll(); err != nil {
		t.Fatal(err)
	}
	return p
}

// good are the values of a party, and a file's content.
func (p *party) good() map[string]any {
	return objects.Good(p.w, p.domain, p.user, p.made, p.maker.Problem, p.maker.Text+" file")
}

// ask sends an operation with values by field name and with more fields in the
// body.
func (c caller) ask(t *testing.T, call contract.Call, values map[string]any, more map[string]any) answer {
	t.Helper()
	in := contract.Values{Full: true, Pick: objects.Pick(values)}.Wire(call)
	if body, ok := in["body"].(map[string]any); ok && !call.Multipart {
		for k, v := range more {
			if _, taken := body[k]; !taken {
				body[k] = v
			}
		}
	}
	path, header, body, kind := call.HTTP(in)
	if body != nil {
		header["Content-Type"] = kind
	}
	delete(header, "X-Language")
	return c.send(t, call.Method, path, header, body)
}

// as puts an id of a kind into all fields of a name.
func as(values map[string]any, name, id string) map[string]any {
	out := maps.Clone(values)
	switch list := values[name].(type) {
	case []any:
		number := false
		if len(list) > 0 {
			_, number = list[0].(json.Number)
		}
		if number {
			out[name] = []any{json.Number(id)}
		} else {
			out[name] = []any{id}
		}
	case json.Number:
		out[name] = json.Number(id)
	default:
		out[name] = id
	}
	return out
}

// unlike tells whether two answers differ, beside the ids that were asked for
// and those of what an operation has made.
func unlike(call contract.Call, a, b answer, idA, idB string) bool {
	if call.Method != http.MethodGet && !a.denied() && !b.denied() {
		return !slices.Equal(keys(a), keys(b))
	}
	return hide(a, idA) != hide(b, idB)
}

// steps are the values once for each step an operation can take.
func steps(call contract.Call, values map[string]any) (all []map[string]any) {
	actions := map[string][]string{"UpdateCases": {"press", "cancel", "close", "delete"}, "UpdateAuthorizations": {"reject", "cancel"}}[call.ID]
	for _, action := range actions {
		all = append(all, as(values, "action_id", action))
	}
	if len(all) == 0 {
		all = append(all, values)
	}
	return all
}

func hide(a answer, id string) string {
	if id == "" {
		return a.plain()
	}
	return regexp.MustCompile(`\b`+regexp.QuoteMeta(id)+`\b`).ReplaceAllString(a.plain(), "<id>")
}

func keys(a answer) []string {
	var fields map[string]any
	_ = json.Unmarshal([]byte(a.text), &fields) // not every answer is JSON
	return slices.Sorted(maps.Keys(fields))
}

// gone makes an object and deletes it; "" where nothing deletes such a kind.
func (p *party) gone(t *testing.T, kind objects.Kind) string {
	t.Helper()
	var how [][2]string
	switch kind {
	case objects.Ticket:
		how = [][2]string{{"POST", "cases/%s/action?action_id=cancel"}, {"POST", "cases/%s/action?action_id=delete"}}
	case objects.Label:
		how = [][2]string{{"DELETE", "labels/%s"}}
	case objects.Attachment:
		how = [][2]string{{"DELETE", "accessorys/%s"}}
	default:
		return ""
	}
	m := p.maker
	m.Text += " gone"
	id, err := m.Make(kind, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range how {
		var body []byte
		if step[0] == "POST" {
			body = []byte("{}")
		}
		if a := p.send(t, step[0], "/v2/servicerequest/"+fmt.Sprintf(step[1], id), nil, body); a.denied() {
			t.Fatalf("deleting the %s: %s", kind, a.text)
		}
	}
	return id
}

// apart gives the party a label and a diagnosis with numbers that the others do
// not have, nor when they have made some labels more: such ids count up in each
// domain, so that another's can be one's own.
func (p *party) apart(t *testing.T, more int, others ...*party) {
	t.Helper()
	for kind, more := range map[objects.Kind]int{objects.Label: more, objects.Job: 0} {
		for slices.ContainsFunc(others, func(o *party) bool { return number(t, o.made[kind])+more >= number(t, p.made[kind]) }) {
			var err error
			if p.made[kind], err = p.maker.Make(kind, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func number(t *testing.T, id string) int {
	t.Helper()
	n, err := strconv.Atoi(id)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestObjectMatrix: every operation with every field that holds an id, called
// by another domain's administrator and user, whose account is the victim's
// partner, by the partner's engineer and by colleagues, with the victim's object, a deleted one and one that never existed: the three are
// answered alike, nothing of the victim's is shown, and no row of the victim's
// domain changes (threats.md B2, B3). Bodies also name the victim as target,
// user and domain (B6).
func TestObjectMatrix(t *testing.T) {
	configured(t, objects.Scenes, func(t *testing.T, w *world.World) {
		const marker = "VICTIM-3d9a"
		problem := w.Consultation(t)
		victim := newParty(t, w, 0, 0, problem, marker)
		strangers := []*party{newParty(t, w, 1, 0, problem, "stranger admin"), newParty(t, w, 1, 1, problem, "stranger user")}
		colleague := newParty(t, w, 0, 1, problem, "colleague")
		victim.apart(t, 20, append(strangers, colleague)...)
		nora := partner(t, w)
		for _, boss := range []*party{victim, strangers[0]} { // so that exports fail for nothing but an id
			if a := boss.send(t, "POST", "/v2/servicerequest/privileges", nil, []byte(`{"operation":"create","privilege":"export"}`)); a.denied() {
				t.Fatal(a.text)
			}
		}
		deleted := map[objects.Kind]string{}
		for _, kind := range objects.Kinds {
			if id := victim.gone(t, kind); id != "" {
				deleted[kind] = id
			}
		}
		d := w.Domains[0]
		more := map[string]any{"target": map[string]any{"case_id": victim.made[objects.Ticket], "domain_id": d.ID, "user": map[string]any{"id": d.Users[0].ID}},
			"user": map[string]any{"id": d.Users[0].ID, "domain_id": d.ID, "roles": []any{"admin"}}, "domain": map[string]any{"id": d.ID, "name": d.Name}, "user_id": d.Users[0].ID, "domain_id": d.ID}
		calls := contract.Calls(t)
		asked, leaks, fields := 0, 0, map[string]bool{}
		var idle []string // places where the caller's own objects are refused too
		// matrix asks with every id in every place.
		matrix := func(p *party, kinds func(objects.Kind) bool, more map[string]any) {
			for _, call := range calls {
				for _, name := range call.Names() {
					kind, ok := objects.Fields[name]
					if !ok || !kinds(kind) || victim.made[kind] == "" && deleted[kind] == "" {
						continue
					}
					fields[call.ID+"."+name] = true
					for _, good := range steps(call, p.good()) {
						// Everything else is right, so that the id decides.
						scene := func() map[string]any {
							values := maps.Clone(good)
							if kind != objects.Group {
								values["group_id"], values["groupId"] = "", ""
							}
							if err := p.maker.Prepare(t, call.ID, p.made, values); err != nil {
								t.Errorf("%s, %s of %s: the scene: %v", p.name, name, call.ID, err)
							}
							return values
						}
						if p == strangers[1] { // the main account is in no group
							if a := p.ask(t, call, scene(), more); a.denied() {
								idle = append(idle, fmt.Sprint(call.ID, ".", name, " ", a.code))
							}
						}
						values := scene()
						ask := func(id string) answer {
							a := p.ask(t, call, as(values, name, id), more)
							asked++
							if strings.Contains(a.text, marker) {
								leaks++
								t.Errorf("%s, %s of %s: shows the victim's text: %.300s", p.name, name, call.ID, a.text)
							}
							return a
						}
						// Twice: what the operation itself changes is then changed.
						ask(objects.Never[kind])
						none := ask(objects.Never[kind])
						for what, id := range map[string]string{"the victim's": victim.made[kind], "the victim's other": victim.made[objects.Also[kind]], "a deleted": deleted[kind]} {
							if id == "" {
								continue
							}
							a := ask(id)
							if !unlike(call, a, none, id, objects.Never[kind]) {
								continue
							}
							// An answer that is another one each time (a cursor, a packed file)
							// is compared by its fields.
							again := ask(objects.Never[kind])
							if !unlike(call, again, none, "", "") || a.denied() != again.denied() || !slices.Equal(keys(a), keys(again)) {
								leaks++
								t.Errorf("%s, %s of %s: %s %s is answered %s, one that never was %s", p.name, name, call.ID, what, kind, a.plain(), none.plain())
							}
						}
					}
				}
			}
		}
		before := w.Settled(t, d.ID)
		everything := func(objects.Kind) bool { return true }
		for _, p := range strangers {
			matrix(p, everything, more)
		}
		partners, seen := deskMatrix(t, nora, victim, marker)
		asked, leaks = asked+partners, leaks+seen
		if changed := world.Changed(before, w.Settled(t, d.ID)); len(changed) > 0 {
			leaks++
			t.Errorf("strangers changed the victim's domain: %s", strings.Join(changed, ", "))
		}
		// A colleague's own doings change rows of the domain, so what counts here
		// is what the victim's own account sees. Domain, user, group and agency are his too.
		sees := sight(t, victim)
		matrix(colleague, func(k objects.Kind) bool {
			return !slices.Contains([]objects.Kind{objects.Domain, objects.User, objects.Group, objects.Agency}, k)
		}, nil)
		if now := sight(t, victim); now != sees {
			leaks++
			t.Errorf("a colleague changed the victim's objects:\n%s\nthen\n%s", sees, now)
		}
		// The matrix would prove nothing if its ids were wrong: the victim's own
		// calls reach the objects.
		for _, path := range []string{"cases/" + victim.made[objects.Ticket], "cases/" + victim.made[objects.Ticket] + "/messages"} {
			if a := victim.send(t, "GET", "/v2/servicerequest/"+path, nil, nil); a.denied() || !strings.Contains(a.text, marker) {
				t.Errorf("the victim's own %s: %s", path, a.text)
			}
		}
		if len(fields) < 100 {
			t.Errorf("only %d places for ids found", len(fields))
		}
		if len(idle) > 0 {
			t.Errorf("places where the stranger's own objects are refused too: %s", strings.Join(idle, ", "))
		}
		t.Logf("REPORT object matrix (%s): %d calls with ids in %d places, %d leaks or effects, rows compared in the database\n",
			t.Name(), asked, len(fields), leaks)
	})
}

// sight is what the victim sees of its objects.
func sight(t *testing.T, victim *party) string {
	t.Helper()
	var out bytes.Buffer
	ticket := victim.made[objects.Ticket]
	authorization := "authorizations/" + victim.made[objects.Authorization]
	session := authorization + "/authorization-details/" + victim.made[objects.Detail] + "/sessions/" + victim.made[objects.Session]
	paths := []string{authorization, "authorizations/" + victim.made[objects.Asked], session + "/operation-logs", session + "/operation-file-logs",
		"accessorys/" + victim.made[objects.Attachment], "accessorys/" + victim.made[objects.Sent], "carbon-copy-emails", "cases/instant-messages/unread?case_ids=" + ticket, "cases/" + ticket, "cases/" + ticket + "/messages?limit=100", "cases/" + ticket + "/operate-logs?limit=100", "cases/" + ticket + "/labels",
		"cases/" + ticket + "/relations", "cases/" + ticket + "/extends-param", "labels?limit=100", "authorizations?limit=100&incident_id=" + ticket, "privileges/privilege-policy",
		"privileges?privilege=export", "verifycodes/has-verified?contact_value=" + victim.maker.Mail}
	for _, path := range paths {
		a := victim.send(t, "GET", "/v2/servicerequest/"+path, nil, nil)
		if a.denied() {
			t.Errorf("%s does not see his own %s: %s", victim.name, path, a.text)
		}
		fmt.Fprintln(&out, path, a.plain())
	}
	return out.String()
}

// TestPrivileges: rights count at the moment of the call. A group's operator
// handles a colleague's ticket with the group's id; once he is taken out of the
// group no operation reaches it; an expired token opens nothing.
func TestPrivileges(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		problem := w.Consultation(t)
		owner := newParty(t, w, 0, 1, problem, "OWNER-8f1c")
		operator := newParty(t, w, 0, 2, problem, "operator")
		group, ticket := owner.made[objects.Group], owner.made[objects.Ticket]
		const inGroup = "/v2/servicerequest/cases/%s?group_id=%s"
		if a := operator.send(t, "GET", fmt.Sprintf(inGroup, ticket, group), nil, nil); a.denied() || !strings.Contains(a.text, "OWNER-8f1c") {
			t.Fatalf("a group's operator does not reach the group's ticket: %s", a.text)
		}
		if a := operator.send(t, "GET", "/v2/servicerequest/cases/"+ticket, nil, nil); !a.denied() {
			t.Errorf("without the group's id he reaches it too: %.200s", a.text)
		}
		member := "/desk/v1/domains/" + w.Domains[0].ID + "/groups/" + group + "/members/" + w.Domains[0].Users[2].ID
		if status, text, err := w.Operator("DELETE", member, nil); err != nil || status != http.StatusNoContent {
			t.Fatal(status, text, err)
		}
		calls := contract.Calls(t)
		asked, leaks := 0, 0
		seen := sight(t, owner)
		for _, call := range calls {
			if !strings.Contains(call.Path, "{case_id}") || !slices.Contains(call.Names(), "group_id") {
				continue
			}
			values := operator.good()
			values["case_id"], values["group_id"], values["relation_id"] = ticket, group, ticket
			a := operator.ask(t, call, values, nil)
			asked++
			if !a.denied() || strings.Contains(a.text, "OWNER-8f1c") {
				leaks++
				t.Errorf("out of the group, %s still reaches the ticket: %.300s", call.ID, a.text)
			}
		}
		if now := sight(t, owner); now != seen {
			leaks++
			t.Error("the ticket has changed")
		}
		switched, n := switches(t, w, problem)
		asked, leaks = asked+n, leaks+switched
		// A token that was never used is in no cache.
		expired := user(t, w, 0, 2)
		w.Exec(t, "UPDATE tokens SET expires_at = 1 WHERE domain_id = '"+w.Domains[0].ID+"' AND user_id = '"+w.Domains[0].Users[2].ID+"'")
		for _, call := range calls {
			if a := expired.ask(t, call, operator.good(), nil); a.status != http.StatusUnauthorized || a.code != "APIGW.0301" {
				leaks++
				t.Errorf("an expired token calls %s: %d %.200s", call.ID, a.status, a.text)
			}
			asked++
		}
		t.Logf("REPORT privileges (%s): %d calls after the right or the token ended, %d leaks\n", t.Name(), asked, leaks)
	})
}

// switches turns the domain's three privileges on and off (semantics.md D24):
// what is given counts from the next call on, what is taken away is gone with
// it, and only the main account turns them.
func switches(t *testing.T, w *world.World, problem string) (leaks, calls int) {
	main, sub := user(t, w, 0, 0), user(t, w, 0, 1)
	turn := func(by caller, operation, privilege string) answer {
		calls++
		return by.send(t, "POST", "/v2/servicerequest/privileges", nil, []byte(`{"operation":"`+operation+`","privilege":"`+privilege+`"}`))
	}
	submit := func() answer {
		calls++
		return sub.send(t, "POST", "/v2/servicerequest/cases", nil, []byte(`{"business_type_id":"`+problem+`","source_id":"`+objects.Source+`","simple_description":"by a sub-user"}`))
	}
	export := func() answer {
		calls++
		return sub.send(t, "GET", "/v2/servicerequest/cases/export", nil, nil)
	}
	want := func(what string, a answer, allowed bool) {
		if a.denied() == allowed || !allowed && a.code != "OSM.01010002" {
			leaks++
			t.Errorf("%s: %d %.200s", what, a.status, a.text)
		}
	}
	want("the main account turns the switch on", turn(main, "create", "createCase"), true)
	want("a sub-user submits although the switch is on", submit(), false)
	want("the main account turns the switch off", turn(main, "delete", "createCase"), true)
	want("a sub-user submits with the switch off", submit(), true)
	for _, privilege := range []string{"createCase", "export", "assumeCaseAll"} {
		for _, operation := range []string{"create", "delete"} {
			want("a sub-user turns "+privilege, turn(sub, operation, privilege), false)
		}
	}
	want("a sub-user submits after he tried the switch", submit(), true)
	want("a sub-user exports without the right", export(), false)
	want("the main account allows the export", turn(main, "create", "export"), true)
	want("a sub-user exports with the right", export(), true)
	want("the main account stops the export", turn(main, "delete", "export"), true)
	want("a sub-user exports after the right ended", export(), false)
	ticket := create(t, main, problem, "MAIN-2b7d")
	reach := func(call contract.Call) answer {
		calls++
		values := (&party{caller: sub, maker: objects.Maker{Problem: problem}}).good()
		values["case_id"], values["group_id"], values["relation_id"] = ticket, "", ticket
		return sub.ask(t, call, values, nil)
	}
	all := contract.Calls(t)
	all = slices.DeleteFunc(all, func(c contract.Call) bool { return !strings.Contains(c.Path, "{case_id}") })
	reached := func(when string) {
		for _, call := range all {
			if a := reach(call); !a.denied() || strings.Contains(a.text, "MAIN-2b7d") {
				leaks++
				t.Errorf("a sub-user %s reaches the main account's ticket by %s: %.300s", when, call.ID, a.text)
			}
		}
	}
	reached("without the right")
	want("the main account lets its users act on all tickets", turn(main, "create", "assumeCaseAll"), true)
	if a := sub.send(t, "GET", "/v2/servicerequest/cases/"+ticket, nil, nil); a.denied() || !strings.Contains(a.text, "MAIN-2b7d") {
		t.Errorf("a sub-user with the right does not reach the ticket: %.200s", a.text)
	}
	want("the main account ends that", turn(main, "delete", "assumeCaseAll"), true)
	reached("after the right ended")
	return leaks, calls
}
