package ticket_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// formFile adds a problem type that asks for every kind of parameter and one
// that asks for none.
const formFile = `
params:
  - {key: t_int, kind: integer, min: 1, max: 10, required: true, name: {zh: 整数, en: Integer}}
  - {key: t_text, kind: text, length: 5, name: {zh: 文本, en: Text}}
  - {key: t_choice, kind: choice, name: {zh: 单选, en: Choice}, items: [{value: a, name: {zh: 甲, en: First}}, {value: b, name: {zh: 乙, en: Second}}]}
  - {key: t_choices, kind: choices, min: 1, max: 2, name: {zh: 多选, en: Choices}, items: [{value: x, name: {zh: 子, en: X-ray}}, {value: y, name: {zh: 丑, en: Yankee}}, {value: z, name: {zh: 寅, en: Zulu}}]}
  - {key: t_tick, kind: agreement, required: true, name: {zh: 同意, en: Agreed}}
  - {key: t_lines, kind: lines, length: 12, sensitive: true, name: {zh: 多行, en: Lines}}
  - {key: t_later, kind: text, length: 8, sensitive: true, name: {zh: 补充, en: Later}}
products:
  - id: testproduct
    sub_type: "0"
    name: {zh: 测试, en: Test}
    desc: {zh: 测试, en: Test}
    acronym: TST
    problem_types:
      - {id: test-all, name: {zh: 全, en: All}, case_type: "0", params: [t_int, t_text, t_choice, t_choices, t_tick, t_lines]}
      - {id: test-none, name: {zh: 无, en: None}, case_type: "0"}
`

func (w *world) form() {
	w.t.Helper()
	files := catalog.Default()
	files["form.yaml"] = []byte(formFile)
	_, err := w.catalog.Apply(w.t.Context(), principal.AsSystem(principal.House), files, catalog.AnyVersion)
	w.ok(err)
}

func raw(pairs ...string) map[string]json.RawMessage {
	m := map[string]json.RawMessage{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = json.RawMessage(pairs[i+1])
	}
	return m
}

// with is a complete form, some of it replaced; "-" takes a key out.
func with(pairs ...string) map[string]json.RawMessage {
	m := raw("t_int", `7`, "t_tick", `1`)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "-" {
			delete(m, pairs[i])
			continue
		}
		m[pairs[i]] = json.RawMessage(pairs[i+1])
	}
	return m
}

func (w *world) withParams(who principal.Principal, params map[string]json.RawMessage) (string, error) {
	w.clock.Add(time.Millisecond)
	d := w.draft("with parameters")
	d.ProblemType, d.Params = "test-all", params
	return w.s.Create(w.t.Context(), who, d)
}

// count is a number out of the store.
func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error { return tx.Get(sql, args...).Scan(&n) }))
	return n
}

func TestParams(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		w.form()
		w.unlimitedForm()
		for _, tt := range []struct {
			name   string
			params map[string]json.RawMessage
			field  string // refused there; "" = taken
			key    string // taken: this key is kept ...
			want   string // ... as this
		}{
			{"the least", with(), "", "t_int", "7"},
			{"integer at its end", with("t_int", `10`), "", "t_int", "10"},
			{"integer over it", with("t_int", `11`), "extends_map.t_int", "", ""},
			{"integer below", with("t_int", `0`), "extends_map.t_int", "", ""},
			{"integer as text", with("t_int", `" 08 "`), "", "t_int", "8"},
			{"integer with a fraction", with("t_int", `1.5`), "extends_map.t_int", "", ""},
			{"integer beyond int64", with("t_int", `99999999999999999999`), "extends_map.t_int", "", ""},
			{"integer missing", with("t_int", "-"), "extends_map.t_int", "", ""},
			{"integer null", with("t_int", "null"), "extends_map.t_int", "", ""},
			{"integer object", with("t_int", `{"a":1}`), "extends_map.t_int", "", ""},
			{"text at its length", with("t_text", `"五个字也好"`), "", "t_text", "五个字也好"},
			{"text over it", with("t_text", `"123456"`), "extends_map.t_text", "", ""},
			{"text of two lines", with("t_text", `"a\nb"`), "extends_map.t_text", "", ""},
			{"text with a control", with("t_text", `"a\u0007"`), "extends_map.t_text", "", ""},
			{"text as number", with("t_text", `5`), "extends_map.t_text", "", ""},
			{"choice", with("t_choice", `"b"`), "", "t_choice", "b"},
			{"choice unknown", with("t_choice", `"c"`), "extends_map.t_choice", "", ""},
			{"choice by its name", with("t_choice", `"First"`), "extends_map.t_choice", "", ""},
			{"choices as list", with("t_choices", `["z","x"]`), "", "t_choices", "z,x"},
			{"choices as text", with("t_choices", `"x, y"`), "", "t_choices", "x,y"},
			{"choices over the most", with("t_choices", `"x,y,z"`), "extends_map.t_choices", "", ""},
			{"choices twice", with("t_choices", `"x,x"`), "extends_map.t_choices", "", ""},
			{"choices with a comma inside", with("t_choices", `["x,y"]`), "extends_map.t_choices", "", ""},
			{"tick as boolean", with("t_tick", `true`), "", "t_tick", "1"},
			{"tick not ticked", with("t_tick", `0`), "extends_map.t_tick", "", ""},
			{"tick of another value", with("t_tick", `2`), "extends_map.t_tick", "", ""},
			{"lines at their length", with("t_lines", `"secret\nline2"`), "", "t_lines", ticket.Masked},
			{"lines over it", with("t_lines", `"0123456789abc"`), "extends_map.t_lines", "", ""},
			{"a key nobody knows", with("nobody", `1`), "extends_map.nobody", "", ""},
			{"a key of another problem type", with("t_later", `"x"`), "extends_map.t_later", "", ""},
			{"a column of ours", with("domain_id", `"x"`), "extends_map.domain_id", "", ""},
		} {
			before := w.count("SELECT count(*) FROM tickets WHERE domain_id = ?", w.li.Domain)
			n, err := w.withParams(w.li, tt.params)
			if tt.field != "" {
				if f, ok := fault.As(err); !ok || f.Field != tt.field || f.Code != fault.CodeInvalid || f.ZH == "" || f.EN == "" {
					w.t.Errorf("%s: %v", tt.name, err)
				}
				if after := w.count("SELECT count(*) FROM tickets WHERE domain_id = ?", w.li.Domain); after != before {
					w.t.Errorf("%s: a ticket was stored", tt.name)
				}
				continue
			}
			if err != nil {
				w.t.Errorf("%s: %v", tt.name, err)
				continue
			}
			values, err := w.s.Values(w.t.Context(), w.li, n, "")
			w.ok(err)
			if len(values) != len(tt.params) {
				w.t.Errorf("%s: %d of %d values", tt.name, len(values), len(tt.params))
			}
			if i := slices.IndexFunc(values, func(v ticket.Value) bool { return v.Key == tt.key }); i < 0 || values[i].Text != tt.want {
				w.t.Errorf("%s: %+v", tt.name, values)
			}
		}
		d := w.draft("no form")
		d.ProblemType, d.Params = "test-none", raw("t_text", `"x"`)
		_, err := w.s.Create(w.t.Context(), w.li, d)
		if f, ok := fault.As(err); !ok || f.Field != "extends_map.t_text" {
			w.t.Errorf("a type without parameters: %v", err)
		}
		d.Params = nil
		_, err = w.s.Create(w.t.Context(), w.li, d)
		w.ok(err)
		_, err = w.withParams(w.li, with(strings.Repeat("长", 5000), `1`))
		if f, ok := fault.As(err); !ok || len(f.Field) > 300 {
			w.t.Errorf("a long key: %v", err)
		}
	})
}

// unlimitedForm lifts the quota beside the form.
func (w *world) unlimitedForm() {
	w.t.Helper()
	files := catalog.Default()
	files["form.yaml"] = []byte(formFile)
	files["limits.yaml"] = []byte(strings.Replace(string(files["limits.yaml"]), "open_tickets_per_problem_type: 50", "open_tickets_per_problem_type: -1", 1))
	_, err := w.catalog.Apply(w.t.Context(), principal.AsSystem(principal.House), files, catalog.AnyVersion)
	w.ok(err)
}

// TestSensitiveSealed: a sensitive value stands nowhere in clear, in no event
// and in no column, and shows in clear only to an engineer who asks for it.
func TestSensitiveSealed(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		w.form()
		n, err := w.withParams(w.li, with("t_lines", `"geheimwort"`, "t_text", `"open"`))
		w.ok(err)
		w.ok(w.s.AddValues(w.t.Context(), w.li, n, "", "", raw("t_later", `"geheim2"`)))
		for _, q := range []string{
			"SELECT count(*) FROM ticket_values WHERE domain_id = ? AND value LIKE ?",
			"SELECT count(*) FROM events WHERE domain_id = ? AND data LIKE ?",
			"SELECT count(*) FROM messages WHERE domain_id = ? AND text LIKE ?",
			"SELECT count(*) FROM tickets WHERE domain_id = ? AND description LIKE ?",
		} {
			if got := w.count(q, w.li.Domain, "%geheim%"); got != 0 {
				w.t.Errorf("%s: %d", q, got)
			}
		}
		if got := w.count("SELECT count(*) FROM ticket_values WHERE domain_id = ? AND sensitive = 1", w.li.Domain); got != 2 {
			w.t.Errorf("%d sensitive values", got)
		}
		for _, who := range []principal.Principal{w.li, w.boss} {
			values, err := w.s.Values(w.t.Context(), who, n, "")
			w.ok(err)
			for _, v := range values {
				if strings.Contains(v.Text, "geheim") || v.Sensitive != (v.Text == ticket.Masked) {
					w.t.Errorf("%+v", v)
				}
			}
		}
		texts := func(d ticket.Details) (all []string) {
			for _, v := range d.Values {
				all = append(all, v.Key+"="+v.Text)
			}
			return all
		}
		d, err := w.s.DeskDetails(w.t.Context(), w.chen, n)
		w.ok(err)
		if got := texts(d); !slices.Contains(got, "t_lines="+ticket.Masked) || !slices.Contains(got, "t_text=open") {
			w.t.Errorf("%v", got)
		}
		if w.count("SELECT count(*) FROM events WHERE domain_id = ? AND kind = 'ticket.reveal'", w.li.Domain) != 0 {
			w.t.Error("looking at the masked details was recorded as a reveal")
		}
		d, err = w.s.Reveal(w.t.Context(), w.chen, n, "to call back")
		w.ok(err)
		if got := texts(d); !slices.Contains(got, "t_lines=geheimwort") || !slices.Contains(got, "t_later=geheim2") {
			w.t.Errorf("%v", got)
		}
		if got := w.count("SELECT count(*) FROM events WHERE domain_id = ? AND kind = 'ticket.reveal' AND actor = ? AND data = '{}'", w.li.Domain, w.chen.User); got != 1 {
			w.t.Errorf("%d reveals recorded", got)
		}
		for _, who := range []principal.Principal{w.li, w.auditor, {}} {
			_, err := w.s.Reveal(w.t.Context(), who, n, "to call back")
			w.refused(err, "01010002")
			_, err = w.s.DeskDetails(w.t.Context(), who, n)
			w.refused(err, "01010002")
		}
		_, err = w.s.Reveal(w.t.Context(), w.chen, "TS000000NOBODY", "to call back")
		w.refused(err, "01010015")
		// Swapping sealed values between rows does not open them.
		w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error {
			var v string
			if err := tx.Get("SELECT value FROM ticket_values WHERE domain_id = ? AND param = 't_lines'", w.li.Domain).Scan(&v); err != nil {
				return err
			}
			tx.Write(1, "UPDATE ticket_values SET value = ? WHERE domain_id = ? AND param = 't_later'", v, w.li.Domain)
			return nil
		}))
		if d, err := w.s.Reveal(w.t.Context(), w.chen, n, "to call back"); err == nil {
			w.t.Errorf("a moved value opened: %v", texts(d))
		}
		// Erasing the person takes the values with him, and nothing new is sealed for him.
		w.ok(w.keys.Destroy(w.t.Context(), w.li.User))
		d, err = w.s.Reveal(w.t.Context(), w.chen, n, "to call back")
		w.ok(err)
		if got := texts(d); !slices.Contains(got, "t_lines=") || d.Contact.Mail != "" {
			w.t.Errorf("after erasing: %v %+v", got, d.Contact)
		}
		w.refused(w.s.AddValues(w.t.Context(), w.boss, n, "", "", raw("t_later", `"x"`)), "01010002")
	})
}

func TestAddValues(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		w.form()
		ctx := w.t.Context()
		n, err := w.withParams(w.li, with("t_text", `"one"`))
		w.ok(err)
		other := w.create(w.li, "another")
		w.ok(w.step(w.chen, n, ticket.StepAccept, ""))
		w.ok(w.step(w.chen, n, ticket.StepAsk, "which address?"))
		w.ok(w.step(w.chen, n, ticket.StepNote, "internal"))
		said, _, err := w.s.Messages(ctx, w.li, n, "", 0, -1)
		w.ok(err)
		question := said[len(said)-1].ID
		desk, err := w.s.DeskMessages(ctx, w.chen, n)
		w.ok(err)
		note := desk[len(desk)-1]
		if !note.Internal {
			w.t.Fatal("no note")
		}
		elsewhere, _, err := w.s.Messages(ctx, w.li, other, "", 0, -1)
		w.ok(err)
		w.ok(w.s.AddValues(ctx, w.li, n, "", "", raw("t_text", `"two"`, "eip", `"203.0.113.10"`)))
		w.ok(w.s.AddValues(ctx, w.li, n, "", question, raw("eip", `"203.0.113.11"`)))
		w.ok(w.s.AddValues(ctx, w.boss, n, "", question, raw("t_int", `3`)))
		want := map[string]string{"/t_int": "7", "/t_tick": "1", "/t_text": "two", "/eip": "203.0.113.10", question + "/eip": "203.0.113.11", question + "/t_int": "3"}
		check := func() {
			w.t.Helper()
			values, err := w.s.Values(ctx, w.li, n, "")
			w.ok(err)
			got := map[string]string{}
			for _, v := range values {
				got[v.Message+"/"+v.Key] = v.Text
			}
			if !maps.Equal(got, want) {
				w.t.Errorf("%v, want %v", got, want)
			}
		}
		check()
		w.ok(w.s.AddValues(ctx, w.li, n, "", "", raw("t_text", `null`)))
		delete(want, "/t_text")
		check()
		for name, tt := range map[string]struct {
			who                   principal.Principal
			number, message, code string
			given                 map[string]json.RawMessage
		}{
			"nothing":                   {w.li, n, "", "01010001", nil},
			"unknown key":               {w.li, n, "", "01010001", raw("nobody", `1`)},
			"one bad of two":            {w.li, n, "", "01010001", raw("eip", `"1"`, "t_int", `99`)},
			"a note's id":               {w.li, n, note.ID, "01010001", raw("eip", `"x"`)},
			"a message elsewhere":       {w.li, n, elsewhere[0].ID, "01010001", raw("eip", `"x"`)},
			"no such message":           {w.li, n, "nothing", "01010001", raw("eip", `"x"`)},
			"a colleague":               {w.wang, n, "", "01010015", raw("eip", `"x"`)},
			"a stranger":                {w.foreign, n, "", "01010015", raw("eip", `"x"`)},
			"a stranger, and wrong too": {w.foreign, n, "", "01010015", raw("nobody", `"x"`)},
			"no such ticket":            {w.li, "TS000000NOBODY", "", "01010015", raw("eip", `"x"`)},
			"an engineer":               {w.chen, n, "", "01010011", raw("eip", `"x"`)},
		} {
			w.t.Run(name, func(*testing.T) {
				w.refused(w.s.AddValues(ctx, tt.who, tt.number, "", tt.message, tt.given), tt.code)
				check()
			})
		}
		for _, who := range []principal.Principal{w.wang, w.foreign} {
			_, err := w.s.Values(ctx, who, n, "")
			w.refused(err, "01010015")
		}
		w.ok(w.act(w.li, n, ticket.Close))
		w.refused(w.s.AddValues(ctx, w.li, n, "", "", raw("eip", `"x"`)), "01010002")
		check()
	})
}

// TestCommonParams: fields that the operator made mandatory are demanded.
func TestCommonParams(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		files := catalog.Default()
		common := string(files["common-params.yaml"])
		for _, key := range []string{"remind_mail", "severity_id", "remind_time"} {
			i := strings.Index(common, "key: "+key)
			common = common[:i] + strings.Replace(common[i:], "required: never", "required: always", 1)
		}
		files["common-params.yaml"] = []byte(common)
		_, err := w.catalog.Apply(w.t.Context(), principal.AsSystem(principal.House), files, catalog.AnyVersion)
		w.ok(err)
		d := w.draft("x")
		want := func(field string) {
			w.t.Helper()
			_, err := w.s.Create(w.t.Context(), w.li, d)
			if f, ok := fault.As(err); field == "" && err != nil || field != "" && (!ok || f.Field != field || f.Code != fault.CodeInvalid) {
				w.t.Errorf("%v, want %q", err, field)
			}
		}
		d.ProblemType, d.Region = w.fault, w.catalog.Now().Regions(0)[0].ID
		want("severity_id")
		d.Severity = "sev-5"
		want("remind_mail")
		d.Claims.Mail = "li@example.com"
		want("remind_time")
		d.RemindTime = "0"
		want("")
		// Where no severity is offered, none can be demanded.
		for _, p := range w.catalog.Now().ProblemTypes() {
			if !p.CanUseSupportPlan && p.CaseType == catalog.Consultation && len(p.Params) == 0 {
				d.ProblemType, d.Severity = p.ID, ""
				want("")
				return
			}
		}
		w.t.Error("the catalogue has no type without plan")
	})
}

// TestGroupAtCreation: who names a group must be in it; with the submission
// policy on, the permission is still what decides.
func TestGroupAtCreation(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx, house := w.t.Context(), principal.AsSystem(principal.House)
		g, err := w.ident.CreateGroup(ctx, house, identity.NewGroup{Domain: w.li.Domain, Name: "ops", Roles: []string{identity.TicketGroupOperator}})
		w.ok(err)
		w.ok(w.ident.AddMember(ctx, house, w.li.Domain, g.ID, w.li.User))
		theirs, err := w.ident.CreateGroup(ctx, house, identity.NewGroup{Domain: w.foreign.Domain, Name: "ops", Roles: []string{identity.TicketGroupOperator}})
		w.ok(err)
		var refusals []string
		for _, tt := range []struct {
			who   principal.Principal
			group string
			ok    bool
		}{{w.li, g.ID, true}, {w.boss, g.ID, true}, {w.wang, g.ID, false}, {w.li, theirs.ID, false}, {w.li, "nothing", false}, {w.boss, theirs.ID, false}} {
			d := w.draft("of a group")
			d.Group = tt.group
			_, err := w.s.Create(ctx, tt.who, d)
			if (err == nil) != tt.ok {
				w.t.Errorf("%s in %s: %v", tt.who.UserName, tt.group, err)
			}
			if err != nil {
				refusals = append(refusals, fmt.Sprint(err))
			}
		}
		if len(slices.Compact(refusals)) != 1 || !strings.Contains(refusals[0], "01010002") {
			w.t.Errorf("refusals tell groups apart: %q", refusals)
		}
	})
}
