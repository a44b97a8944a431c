package matrix

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"casemate/test/contract"
	"casemate/test/objects"
	"casemate/test/world"
)

// outbox is what the catcher holds, as the operator sees it.
func outbox(t *testing.T, w *world.World) (items []map[string]any) {
	t.Helper()
	_, text, err := w.Operator("GET", "/desk/v1/outbox?limit=100", nil)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Items []map[string]any `json:"items"`
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return list.Items
}

// TestCanary: every text, name and file of one customer carries a marker;
// another customer calls everything with that customer's ids, names, contacts
// and words in every path, query, header, body and nested place. The marker
// comes back in no answer, no count, no mail or SMS, no log line, and nothing
// of the victim's changes (threats.md B4, B6).
func TestCanary(t *testing.T) {
	configured(t, objects.Scenes, func(t *testing.T, w *world.World) {
		const marker = "CANARY-7c2e"
		problem := w.Consultation(t)
		victim := newParty(t, w, 0, 0, problem, marker)
		attacker := newParty(t, w, 1, 0, problem, "canary attacker")
		victim.apart(t, 0, attacker)
		d := w.Domains[0]
		if a := victim.send(t, "PUT", "/v2/servicerequest/cases/"+victim.made[objects.Ticket]+"/contact-info", nil,
			[]byte(`{"remind_mail":"`+d.Users[0].Email+`"}`)); a.denied() {
			t.Fatal(a.text)
		}
		if _, err := w.Local("desk", "note", victim.made[objects.Ticket], marker+" note of an engineer"); err != nil {
			t.Fatal(err)
		}
		// What is sent may come back in an error; what counts is what was not sent:
		// the marker with a word behind it.
		secrets := regexp.MustCompile(regexp.QuoteMeta(marker) + ` (description|message|file|label|note|parameter|reason|instance|account|password|command|transfer|agency|trusted)|` + regexp.QuoteMeta(marker) + `\.txt`)
		ids := []string{d.ID, d.Name, d.Users[0].Name, d.Users[0].Email, d.Users[0].Mobile, victim.maker.Mail, marker}
		for _, id := range victim.made {
			ids = append(ids, id)
		}
		before := w.Settled(t, d.ID)
		logged := len(w.LogText())
		calls, leaks, slow := 0, 0, 0
		look := func(call contract.Call, where string, a answer) {
			calls++
			if secrets.MatchString(a.text) {
				leaks++
				t.Errorf("%s with %s shows the victim's text: %.300s", call.ID, where, a.text)
			}
			if a.status >= 500 {
				t.Errorf("%s with %s: %d %s", call.ID, where, a.status, a.text)
			}
			if a.took > time.Second {
				slow++
			}
		}
		for _, call := range contract.Calls(t) {
			scene := attacker.good()
			if err := attacker.maker.Prepare(t, call.ID, attacker.made, scene); err != nil {
				t.Fatalf("%s: the scene: %v", call.ID, err)
			}
			for _, name := range call.Names() {
				for _, id := range ids {
					values := maps.Clone(scene)
					values["remind_mail"], values["remind_mobile"] = w.Domains[1].Users[0].Email, ""
					values["group_id"], values["groupId"] = "", ""
					in := contract.Values{Full: true, Pick: func(field string, s *openapi3.Schema) (any, bool) {
						if field != name {
							return objects.Pick(values)(field, s)
						}
						switch {
						case s.Type.Is("array") && s.Items.Value.Type.Is("string"):
							return []any{id}, true
						case s.Type.Is("object") && len(s.Properties) == 0:
							return map[string]any{"target": id, "user": id, "domain": id, "domain_id": d.ID, "group_id": id, "cc_email": id}, true
						case s.Type.Is("string") && (s.MaxLength == nil || len(id) <= int(*s.MaxLength)):
							return id, true
						case s.Type.Is("integer") && json.Valid([]byte(id)):
							return json.Number(id), true
						}
						return objects.Pick(values)(field, s)
					}}.Wire(call)
					path, header, body, kind := call.HTTP(in)
					if body != nil {
						header["Content-Type"] = kind
					}
					look(call, name+"="+id, attacker.send(t, call.Method, path, header, body))
				}
			}
		}
		for _, word := range []string{marker, victim.made[objects.Ticket], marker[7:]} {
			for _, field := range []string{"search_key", "app_key", "incident_id"} {
				a := attacker.send(t, "GET", "/v2/servicerequest/cases?"+field+"="+word, nil, nil)
				if !strings.Contains(a.text, `"total_count":0`) {
					leaks++
					t.Errorf("the attacker counts the victim's tickets by %s=%s: %.200s", field, word, a.text)
				}
			}
		}
		if changed := world.Changed(before, w.Settled(t, d.ID)); len(changed) > 0 {
			leaks++
			t.Errorf("the victim's domain has changed: %s", strings.Join(changed, ", "))
		}
		if found := secrets.FindString(w.LogText()[logged:]); found != "" {
			leaks++
			t.Errorf("%q stands in the log", found)
		}
		mine := []string{w.Domains[1].Users[0].Email, attacker.maker.Mail, w.Domains[1].Users[0].Mobile}
		sent := outbox(t, w)
		for _, m := range sent {
			text, _ := json.Marshal(m)
			if slices.ContainsFunc(mine, func(c string) bool { return strings.Contains(fmt.Sprint(m["to"]), c) }) && secrets.Match(text) {
				leaks++
				t.Errorf("a message to the attacker holds the victim's text: %s", text)
			}
		}
		if len(sent) == 0 {
			t.Error("the catcher is empty: nothing was looked at")
		}
		t.Logf("REPORT canary (%s): %d calls with the victim's ids, %d leaks, %d slower than 1 s\n", t.Name(), calls, leaks, slow)
	})
}

// columns are all names of columns of the product's tables.
func columns(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("../../internal/db/migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("no migrations", err)
	}
	column := regexp.MustCompile(`(?m)^ {4}([a-z_0-9]+) +(?:TEXT|BIGINT|INTEGER|\{\{blob\}\})`)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range column.FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestMassAssignment: fields that are none of the contract's, among them every
// column of every table, in every object of every JSON body are ignored or
// refused, never stored (threats.md B5).
func TestMassAssignment(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o := world.Options{}
			if database == "postgres" {
				o.Database = world.Database(t)
			}
			w := world.Start(t, o)
			massAssignment(t, w)
			hidden(t, w)
		})
	}
}

func massAssignment(t *testing.T, w *world.World) {
	const mark = "MASSASSIGNED"
	problem := w.Consultation(t)
	p := newParty(t, w, 0, 1, problem, "honest")
	names := append(columns(t), "is_admin", "roles", "permissions", "sla_due", "target", "user", "domain", "isMain", "main_account", "assigneeId", "created_by")
	stranger := w.Domains[1]
	fields, calls := map[string]bool{}, 0
	var add func(v any, s *openapi3.Schema)
	add = func(v any, s *openapi3.Schema) {
		s = contract.Plain(s)
		switch at := v.(type) {
		case map[string]any:
			if len(s.Properties) == 0 {
				return // a free map keeps what it is given
			}
			for name, inner := range s.Properties {
				if in, ok := at[name]; ok {
					add(in, inner.Value)
				}
			}
			for _, name := range names {
				if s.Properties[name] != nil {
					continue
				}
				fields[name] = true
				switch name {
				case "domain_id", "domain":
					at[name] = stranger.ID
				case "user_id", "creator", "author", "actor", "assignee", "user":
					at[name] = stranger.Users[0].ID
				case "status", "side", "internal", "main", "disabled", "opening":
					at[name] = 1
				default:
					at[name] = mark
				}
			}
		case []any:
			for _, item := range at {
				add(item, s.Items.Value)
			}
		}
	}
	before := w.Settled(t, stranger.ID)
	var made struct {
		ID string `json:"incident_id"`
	}
	for _, call := range contract.Calls(t) {
		if call.Body == nil || call.Multipart {
			continue
		}
		for _, values := range steps(call, p.good()) {
			values["severity_id"], values["region_id"], values["business_type_id"], values["incident_sub_type_id"] = "", "cn-north-1", problem, "0"
			in := contract.Values{Full: call.ID != "CreateCases", Pick: objects.Pick(values)}.Wire(call)
			if in["body"] == nil {
				in["body"] = map[string]any{}
			}
			add(in["body"], call.Body)
			path, header, body, _ := call.HTTP(in)
			a := p.send(t, call.Method, path, header, body)
			calls++
			if strings.Contains(a.text, mark) {
				t.Errorf("%s shows an internal field again: %.300s", call.ID, a.text)
			}
			if call.ID == "CreateCases" {
				if err := json.Unmarshal([]byte(a.text), &made); err != nil || made.ID == "" {
					t.Errorf("a ticket with more fields is not created: %s", a.text)
				}
			}
		}
	}
	if places := w.Stored(t, mark); len(places) > 0 {
		t.Errorf("internal fields are stored in %s", strings.Join(places, ", "))
	}
	if changed := world.Changed(before, w.Settled(t, stranger.ID)); len(changed) > 0 {
		t.Errorf("they reached another domain: %s", strings.Join(changed, ", "))
	}
	a := p.send(t, "GET", "/v2/servicerequest/cases/"+made.ID, nil, nil)
	var shown struct {
		Info struct {
			Customer string `json:"customer_id"`
			User     string `json:"xcustomer_id"`
			Status   int    `json:"status"`
		} `json:"incident_detail_info"`
	}
	if err := json.Unmarshal([]byte(a.text), &shown); err != nil || shown.Info.Customer != p.maker.Domain || shown.Info.User != p.maker.User || shown.Info.Status != 0 {
		t.Errorf("the ticket took internal fields: %s", a.text)
	}
	if len(fields) < 80 {
		t.Errorf("only %d internal fields found in the migrations", len(fields))
	}
	t.Logf("REPORT mass assignment (%s): %d calls with %d internal fields in every object of the body, 0 stored\n", t.Name(), calls, len(fields))
}

// hidden: notes among engineers, their log-in names and their ids never show on
// the customer API or in messages to customers.
func hidden(t *testing.T, w *world.World) {
	const note = "NOTE-51aa"
	problem := w.Consultation(t)
	main := newParty(t, w, 0, 0, problem, "owner of notes")
	noted := main.made[objects.Ticket]
	engineer := engineerToken(t, w, w.Engineers[0].Name, w.Engineers[0].Password)
	for _, step := range []string{`{"action":"accept"}`, `{"action":"note","text":"` + note + `"}`, `{"action":"reply","text":"a reply"}`} {
		if a := (caller{w: w, token: engineer}).send(t, "POST", "/desk/v1/tickets/"+noted+"/steps", nil, []byte(step)); a.denied() {
			t.Fatalf("%s: %s", step, a.text)
		}
	}
	looked := 0
	var names []string
	for _, e := range append(w.Engineers, w.Admin) {
		names = append(names, e.Name)
	}
	for n := range 2 {
		c := user(t, w, n, 0)
		numbers := numbersIn(c.send(t, "GET", "/v2/servicerequest/cases?limit=100", nil, nil).text)
		if len(numbers) < 10 {
			t.Errorf("%d tickets to look at", len(numbers))
		}
		p := &party{caller: c, domain: n, maker: main.maker, made: maps.Clone(main.made)}
		for _, number := range numbers {
			p.made[objects.Ticket] = number
			for _, call := range contract.Calls(t) {
				if call.Method != http.MethodGet || !slices.ContainsFunc(call.Names(), func(f string) bool { k := objects.Fields[f]; return k == objects.Ticket || k == objects.Authorization }) {
					continue
				}
				values := p.good()
				in := contract.Values{Pick: objects.Pick(values)}.Wire(call)
				for _, f := range call.Names() {
					if objects.Fields[f] == objects.Ticket && in[f] == nil {
						in[f] = number
					}
				}
				path, header, _, _ := call.HTTP(in)
				a := c.send(t, call.Method, path, header, nil)
				looked++
				for _, name := range names {
					if strings.Contains(a.text, `"`+name+`"`) {
						t.Errorf("%s shows the log-in name %s: %.300s", call.ID, name, a.text)
					}
				}
				if strings.Contains(a.text, note) {
					t.Errorf("%s shows a note: %.300s", call.ID, a.text)
				}
			}
		}
	}
	for _, m := range outbox(t, w) {
		if text, _ := json.Marshal(m); strings.Contains(string(text), note) {
			t.Errorf("a message holds a note: %s", text)
		}
	}
	t.Logf("REPORT notes and log-in names (%s): %d answers looked at\n", t.Name(), looked)
}
