package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/api"
	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/privilege"
	"casemate/internal/seal/sealtest"
	"casemate/internal/ticket"
	"casemate/internal/verify"
	"casemate/internal/wire"
)

// account is the customer surface over real tokens: a main account, two
// colleagues, and a stranger from another account.
type account struct {
	t       *testing.T
	h       map[bool]http.Handler // by errors.business_status = documented
	clock   *dbtest.Clock
	db      *db.DB
	ident   *identity.Service
	ticket  *ticket.Service
	problem string
	domain  string
	users   map[string]identity.User
	tokens  map[string]string
}

var system = principal.AsSystem(principal.House)

func eachAccount(t *testing.T, test func(a *account)) {
	t.Helper()
	for name, url := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLiteURL, "postgres": dbtest.MigratedDatabase} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &account{t: t, h: map[bool]http.Handler{}, clock: dbtest.NewClock(time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC)), users: map[string]identity.User{}, tokens: map[string]string{}}
			quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
			a.db = dbtest.Open(t, db.Options{URL: url(t), Now: a.clock.Now})
			keys := sealtest.Keyring(t)
			a.ident = identity.New(a.db, keys, identity.Options{PasswordMemory: 64})
			cat, err := catalog.New(t.Context(), a.db, catalog.Options{UnlimitedQuota: true, Log: quiet})
			a.ok(err)
			a.ok(cat.EnsureDefault(t.Context()))
			out, err := notify.New(a.db, keys, notify.Options{Config: config.Notify{}, Catch: true, Log: quiet})
			a.ok(err)
			v, err := verify.New(a.db, keys, a.ident, out, verify.Options{})
			a.ok(err)
			a.ticket, err = ticket.New(a.db, keys, ticket.Nouns{Identity: a.ident, Catalog: cat, Verify: v, Notify: out}, ticket.Options{Demo: true, Log: quiet})
			a.ok(err)
			for _, documented := range []bool{false, true} {
				a.h[documented], err = api.New(api.Nouns{Catalog: cat, Verify: v, Ticket: a.ticket, Identity: a.ident, Privilege: privilege.New(a.db, a.ident)}, api.Options{Documented: documented, Log: quiet})
				a.ok(err)
			}
			for _, p := range cat.Now().ProblemTypes() {
				if p.CaseType == catalog.Consultation && a.problem == "" {
					a.problem = p.ID
				}
			}
			d, err := a.ident.CreateDomain(t.Context(), system, identity.NewDomain{Name: "customer"})
			a.ok(err)
			a.domain = d.ID
			other, err := a.ident.CreateDomain(t.Context(), system, identity.NewDomain{Name: "other"})
			a.ok(err)
			a.user(d, "boss", true)
			a.user(d, "li", false)
			a.user(d, "wang", false)
			a.user(other, "stranger", true)
			test(a)
		})
	}
}

func (a *account) ok(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) user(d identity.Domain, name string, main bool) {
	a.t.Helper()
	u, err := a.ident.CreateUser(a.t.Context(), system, identity.NewUser{Domain: d.ID, Name: name, Password: "a long password", Main: main, AreaCode: "86", Mobile: "13800138000", Mail: name + "@example.com"})
	a.ok(err)
	tok, err := a.ident.Login(a.t.Context(), identity.Login{DomainID: d.ID, User: name, Password: "a long password"})
	a.ok(err)
	a.users[name], a.tokens[name] = u, tok.Secret
}

// answer of the surface.
type answer struct {
	status int
	body   map[string]any
	raw    string
}

func (r answer) code() string { c, _ := r.body["error_code"].(string); return c }

// call makes a request with the user's token, read anew each time.
func (a *account) call(user, method, path, body string, headers ...string) answer {
	return a.ask(false, user, method, path, body, headers...)
}

func (a *account) ask(documented bool, user, method, path, body string, headers ...string) answer {
	a.t.Helper()
	r := httptest.NewRequest(method, "/v2/servicerequest"+path, strings.NewReader(body))
	r.Header.Set("X-Auth-Token", a.tokens[user])
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	who, err := a.ident.ByToken(r.Context(), a.tokens[user])
	a.ok(err)
	ctx := locale.With(principal.With(r.Context(), who), locale.Parse(r.Header.Get("X-Language"), r.Header.Get("X-Time-Zone"), r.Header.Get("X-Site")))
	w := httptest.NewRecorder()
	a.h[documented].ServeHTTP(w, r.WithContext(wire.WithHeader(ctx, w.Header())))
	out := answer{status: w.Code, raw: w.Body.String()}
	if err := json.NewDecoder(bytes.NewReader(w.Body.Bytes())).Decode(&out.body); err != nil {
		a.t.Fatalf("%s %s: %v in %q", method, path, err, w.Body)
	}
	return out
}

func (a *account) create(user string) answer {
	a.clock.Add(time.Millisecond)
	return a.call(user, "POST", "/cases", fmt.Sprintf(`{"business_type_id":%q,"simple_description":"a question of %s","source_id":%q}`, a.problem, user, ticket.Source))
}

// number creates a ticket.
func (a *account) number(user string) string {
	a.t.Helper()
	r := a.create(user)
	n, _ := r.body["incident_id"].(string)
	if n == "" {
		a.t.Fatalf("%s creates: %s", user, r.raw)
	}
	return n
}

func (a *account) group(name string, roles []string, members ...string) string {
	a.t.Helper()
	g, err := a.ident.CreateGroup(a.t.Context(), system, identity.NewGroup{Domain: a.domain, Name: name, Roles: roles})
	a.ok(err)
	for _, m := range members {
		a.ok(a.ident.AddMember(a.t.Context(), system, a.domain, g.ID, a.users[m].ID))
	}
	return g.ID
}

// TestPrivileges: the three privileges over the wire, who may change them, what
// they open, at once, in both languages and both status modes.
func TestPrivileges(t *testing.T) {
	t.Parallel()
	eachAccount(t, func(a *account) {
		change := func(user, operation, privilege string) answer {
			return a.call(user, "POST", "/privileges", fmt.Sprintf(`{"operation":%q,"privilege":%q}`, operation, privilege))
		}
		has := func(user, privilege string) any {
			r := a.call(user, "GET", "/privileges?privilege="+privilege, "")
			if r.status != 200 {
				a.t.Errorf("%s asks for %s: %s", user, privilege, r.raw)
			}
			return r.body["has_privilege"]
		}
		policy := func(user, query string) any {
			r := a.call(user, "GET", "/privileges/privilege-policy"+query, "")
			if r.status != 200 {
				a.t.Errorf("policy%s: %s", query, r.raw)
			}
			return r.body["policy_switch"]
		}
		li := a.number("li")
		for _, step := range []struct {
			operation, privilege   string
			bossHas, liHas, wanted any // after it: what the two have, and the switch
			liSees                 bool
			liCreates, wangSees    int // status of creating, and of reading li's ticket
		}{
			{"", "createCase", 1.0, 1.0, false, true, 200, 404},
			{"create", "createCase", 1.0, 0.0, true, true, 403, 404},
			{"create", "createCase", 1.0, 0.0, true, true, 403, 404},
			{"delete", "createCase", 1.0, 1.0, false, true, 200, 404},
			{"", "export", 1.0, 0.0, false, true, 200, 404},
			{"create", "export", 1.0, 1.0, true, true, 200, 404},
			{"delete", "export", 1.0, 0.0, false, true, 200, 404},
			{"", "assumeCaseAll", 1.0, 0.0, false, true, 200, 404},
			{"create", "assumeCaseAll", 1.0, 1.0, true, true, 200, 200},
			{"delete", "assumeCaseAll", 1.0, 0.0, false, true, 200, 404},
		} {
			name := step.operation + " " + step.privilege
			if step.operation != "" {
				if r := change("boss", step.operation, step.privilege); r.status != 200 || r.code() != "" {
					a.t.Errorf("%s: %s", name, r.raw)
				}
			}
			if boss, li := has("boss", step.privilege), has("li", step.privilege); boss != step.bossHas || li != step.liHas {
				a.t.Errorf("%s: boss has %v, li %v; want %v, %v", name, boss, li, step.bossHas, step.liHas)
			}
			if on := policy("li", "?privilege="+step.privilege); on != step.wanted {
				a.t.Errorf("%s: the switch is %v", name, on)
			}
			if step.privilege == "createCase" && policy("boss", "") != step.wanted {
				a.t.Errorf("%s: the submission policy differs", name)
			}
			if r := a.create("li"); r.status != step.liCreates {
				a.t.Errorf("%s: li creates: %s", name, r.raw)
			}
			if r := a.create("boss"); r.status != 200 {
				a.t.Errorf("%s: the main account creates: %s", name, r.raw)
			}
			if r := a.call("wang", "GET", "/cases/"+li, ""); r.status != step.wangSees {
				a.t.Errorf("%s: a colleague reads: %d %s", name, r.status, r.raw)
			}
			if r := a.call("stranger", "GET", "/cases/"+li, ""); r.status != 404 {
				a.t.Errorf("%s: a stranger reads: %s", name, r.raw)
			}
			if has("stranger", step.privilege) != 1.0 || policy("stranger", "?privilege="+step.privilege) != false {
				a.t.Errorf("%s: it holds for another account", name)
			}
		}
		// assumeCaseAll is for every action, list and count, of every ticket.
		wang := a.number("wang")
		change("boss", "create", "assumeCaseAll")
		if r := a.call("li", "POST", "/cases/"+wang+"/action?action_id=cancel", "{}"); r.status != 200 {
			a.t.Errorf("cancels a colleague's: %s", r.raw)
		}
		if l, b := a.call("li", "GET", "/cases", ""), a.call("boss", "GET", "/cases", ""); l.body["total_count"] != b.body["total_count"] {
			a.t.Errorf("lists %v, the main account %v", l.body["total_count"], b.body["total_count"])
		}
		change("boss", "delete", "assumeCaseAll")
		if r := a.call("li", "POST", "/cases/"+wang+"/action?action_id=delete", "{}"); r.code() != "OSM.01010015" {
			a.t.Errorf("after it was taken back: %s", r.raw)
		}

		long := strings.Repeat("x", 65)
		for _, c := range []struct {
			name, user, method, path, body string
			status                         int
			code, field                    string
		}{
			{"a sub-user grants", "li", "POST", "/privileges", `{"operation":"create","privilege":"export"}`, 403, "OSM.01010002", ""},
			{"a sub-user takes back", "li", "POST", "/privileges", `{"operation":"delete","privilege":"createCase"}`, 403, "OSM.01010002", ""},
			{"unknown operation", "boss", "POST", "/privileges", `{"operation":"grant","privilege":"export"}`, 400, "OSM.01010031", "operation"},
			{"empty operation", "boss", "POST", "/privileges", `{"operation":"","privilege":"export"}`, 400, "OSM.01010031", "operation"},
			{"operation at its length", "boss", "POST", "/privileges", `{"operation":"` + long[1:] + `","privilege":"export"}`, 400, "OSM.01010031", "operation"},
			{"operation too long", "boss", "POST", "/privileges", `{"operation":"` + long + `","privilege":"export"}`, 400, "OSM.01010001", "operation"},
			{"no operation", "boss", "POST", "/privileges", `{"privilege":"export"}`, 400, "OSM.01010001", "operation"},
			{"unknown privilege", "boss", "POST", "/privileges", `{"operation":"create","privilege":"everything"}`, 400, "OSM.01010001", "privilege"},
			{"privilege at its length", "boss", "POST", "/privileges", `{"operation":"create","privilege":"` + long[1:] + `"}`, 400, "OSM.01010001", "privilege"},
			{"privilege too long", "boss", "POST", "/privileges", `{"operation":"create","privilege":"` + long + `"}`, 400, "OSM.01010001", "privilege"},
			{"no privilege", "boss", "POST", "/privileges", `{"operation":"create"}`, 400, "OSM.01010001", "privilege"},
			{"ask for an unknown one", "li", "GET", "/privileges?privilege=everything", "", 400, "OSM.01010001", "privilege"},
			{"ask for none", "li", "GET", "/privileges", "", 400, "OSM.01010001", "privilege"},
			{"ask, empty", "li", "GET", "/privileges?privilege=", "", 400, "OSM.01010001", "privilege"},
			{"ask, at its length", "li", "GET", "/privileges?privilege=" + long[:32], "", 400, "OSM.01010001", "privilege"},
			{"ask, too long", "li", "GET", "/privileges?privilege=" + long[:33], "", 400, "OSM.01010001", "privilege"},
			{"policy of an unknown one", "li", "GET", "/privileges/privilege-policy?privilege=" + long[:64], "", 400, "OSM.01010001", "privilege"},
			{"policy, too long", "li", "GET", "/privileges/privilege-policy?privilege=" + long, "", 400, "OSM.01010001", "privilege"},
		} {
			for _, documented := range []bool{false, true} {
				for _, lang := range []string{"zh-cn", "en-us"} {
					r := a.ask(documented, c.user, c.method, c.path, c.body, "X-Language", lang)
					status := c.status
					if documented {
						status = 200
					}
					msg, _ := r.body["error_msg"].(string)
					han := strings.ContainsFunc(msg, func(r rune) bool { return r >= 0x4e00 && r < 0xa000 })
					if r.status != status || r.code() != c.code || !strings.Contains(msg, c.field) || msg == "" || han != (lang == "zh-cn") {
						a.t.Errorf("%s (%s): %d %s", c.name, lang, r.status, r.raw)
					}
				}
			}
		}
		if has("li", "export") != 0.0 || has("li", "createCase") != 1.0 {
			a.t.Error("a refused change has changed something")
		}
	})
}

// TestGroupRoles is the table of semantics.md section 2 over HTTP: what the two
// system roles let a user do with his own tickets and with those of his group.
func TestGroupRoles(t *testing.T) {
	t.Parallel()
	eachAccount(t, func(a *account) {
		if r := a.call("boss", "POST", "/privileges", `{"operation":"create","privilege":"createCase"}`); r.status != 200 {
			a.t.Fatal(r.raw)
		}
		// Tickets are made while everybody may, by the noun's own rule: the main
		// account's switch is off for that moment.
		ticketOf := func(user string) string {
			a.call("boss", "POST", "/privileges", `{"operation":"delete","privilege":"createCase"}`)
			n := a.number(user)
			a.call("boss", "POST", "/privileges", `{"operation":"create","privilege":"createCase"}`)
			return n
		}
		engineer, err := a.ident.CreateUser(a.t.Context(), system, identity.NewUser{Domain: principal.House, Name: "chen", Password: "a long password", Role: principal.RoleEngineer})
		a.ok(err)
		chen := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: engineer.ID, Role: principal.RoleEngineer}
		work := func(number, action string) {
			_, err := a.ticket.Take(a.t.Context(), chen, ticket.Step{Number: number, Action: action, Text: "words"})
			a.ok(err)
		}
		nobody := a.group("none", nil)
		for _, role := range []struct {
			name                 string
			roles                []string
			member               bool
			submits, handlesMate bool
		}{
			{"no group", nil, false, false, false},
			{"a group without a role", nil, true, false, false},
			{"Ticket Administrator", []string{identity.TicketAdministrator}, true, true, false},
			{"Ticket Group Operator", []string{identity.TicketGroupOperator}, true, false, true},
			{"both roles", []string{identity.TicketAdministrator, identity.TicketGroupOperator}, true, true, true},
			{"an operators' group he is not in", []string{identity.TicketGroupOperator}, false, false, false},
		} {
			members := []string{"wang"}
			if role.member {
				members = append(members, "li")
			}
			group := a.group(role.name, role.roles, members...)
			if r := a.create("li"); (r.status == 200) != role.submits || !role.submits && r.code() != "OSM.01010002" {
				a.t.Errorf("%s: submits: %s", role.name, r.raw)
			}
			for _, mate := range []bool{false, true} {
				owner, param, field := "li", "", ""
				if mate {
					owner, param, field = "wang", "group_id="+group, `"group_id":"`+group+`",`
				}
				may := !mate || role.handlesMate
				check := func(what string, r answer) {
					a.t.Helper()
					if may && (r.status != 200 || r.code() != "") || !may && r.code() != "OSM.01010002" {
						a.t.Errorf("%s, ticket of %s: %s: %d %s", role.name, owner, what, r.status, r.raw)
					}
				}
				q := func(path string) string {
					if param == "" {
						return path
					}
					if strings.Contains(path, "?") {
						return path + "&" + param
					}
					return path + "?" + param
				}
				body := func(rest string) string {
					return "{" + strings.TrimSuffix(field+rest, ",") + "}"
				}
				n := ticketOf(owner)
				// query
				check("shows", a.call("li", "GET", q("/cases/"+n), ""))
				check("reads messages", a.call("li", "GET", q("/cases/"+n+"/messages"), ""))
				check("reads the log", a.call("li", "GET", q("/cases/"+n+"/operate-logs"), ""))
				list := a.call("li", "GET", q("/cases?incident_id="+n), "")
				check("lists", list)
				if may && list.body["total_count"] != 1.0 {
					a.t.Errorf("%s: lists %s", role.name, list.raw)
				}
				// urge, answer, cancel, delete
				check("urges", a.call("li", "POST", "/cases/"+n+"/action?action_id=press", body("")))
				check("writes", a.call("li", "POST", "/cases/"+n+"/message", body(`"message":{"content":"words"},`)))
				check("cancels", a.call("li", "POST", "/cases/"+n+"/action?action_id=cancel", body("")))
				check("deletes", a.call("li", "POST", "/cases/"+n+"/action?action_id=delete", body("")))
				// confirm, score
				n = ticketOf(owner)
				work(n, "accept")
				work(n, "resolve")
				check("confirms", a.call("li", "POST", "/cases/"+n+"/action?action_id=close", body("")))
				check("scores", a.call("li", "POST", "/cases/"+n+"/score", body(`"judgement":"good","incident_satisfaction_list":[{"satisfaction_id":1,"satisfaction_value":5}],`)))
				if mate {
					// Without the group it is a colleague's and not there.
					n = ticketOf(owner)
					if r := a.call("li", "GET", "/cases/"+n, ""); r.code() != "OSM.01010015" {
						a.t.Errorf("%s: without group_id: %s", role.name, r.raw)
					}
					if r := a.call("li", "POST", "/cases/"+n+"/action?action_id=cancel", "{}"); r.code() != "OSM.01010015" {
						a.t.Errorf("%s: acts without group_id: %s", role.name, r.raw)
					}
				}
			}
			// Taken out of the group, the rights end with the next request.
			for _, m := range members {
				a.ok(a.ident.RemoveMember(a.t.Context(), system, a.domain, group, a.users[m].ID))
			}
			n := ticketOf("wang")
			if r := a.call("li", "GET", "/cases/"+n+"?group_id="+group, ""); r.code() != "OSM.01010002" {
				a.t.Errorf("%s: after he left: %s", role.name, r.raw)
			}
			if r := a.create("li"); r.code() != "OSM.01010002" {
				a.t.Errorf("%s: submits after he left: %s", role.name, r.raw)
			}
		}
		// Groups that are not the caller's answer alike, be they there or not; the
		// main account reads every group of its own.
		n := ticketOf("wang")
		texts := map[string]bool{}
		for _, group := range []string{nobody, "never-existed", strings.Repeat("x", 64)} {
			r := a.call("li", "GET", "/cases/"+n+"?group_id="+group, "")
			texts[r.raw] = true
			if r.code() != "OSM.01010002" {
				a.t.Errorf("group %s: %s", group, r.raw)
			}
			if r := a.call("stranger", "GET", "/cases?group_id="+group, ""); r.code() != "OSM.01010002" {
				a.t.Errorf("a stranger's main account with group %s: %s", group, r.raw)
			}
		}
		if len(texts) != 1 {
			a.t.Errorf("the refusals differ: %v", texts)
		}
		if r := a.call("li", "GET", "/cases/"+n+"?group_id="+strings.Repeat("x", 65), ""); r.code() != "OSM.01010001" {
			a.t.Errorf("a group id too long: %s", r.raw)
		}
		if r := a.call("boss", "GET", "/cases?group_id="+nobody, ""); r.status != 200 || r.body["total_count"] != 0.0 {
			a.t.Errorf("the main account and an empty group: %s", r.raw)
		}
	})
}

// TestCustomerQueries: sub-users, regions, agencies, partner, as they stand on
// the wire.
func TestCustomerQueries(t *testing.T) {
	t.Parallel()
	eachAccount(t, func(a *account) {
		ctx := a.t.Context()
		list := func(r answer, field string) (out []map[string]any) {
			a.t.Helper()
			items, ok := r.body[field].([]any)
			if r.status != 200 || !ok {
				a.t.Fatalf("no list %s: %s", field, r.raw)
			}
			for _, i := range items {
				out = append(out, i.(map[string]any))
			}
			return out
		}
		found := list(a.call("boss", "GET", "/customers/sub-customers?sub_customer_name="+url.QueryEscape("LI"), ""), "sub_customer_infos")
		want := map[string]any{"customer_id": a.users["li"].ID, "domain_id": a.domain, "customer_name": "l***", "mobile": "138****8000", "email": "l***@example.com", "area_code": "86"}
		if len(found) != 1 || fmt.Sprint(found[0]) != fmt.Sprint(want) {
			a.t.Errorf("%v, want %v", found, want)
		}
		for user, n := range map[string]int{"boss": 2, "li": 1, "stranger": 0} {
			if got := list(a.call(user, "GET", "/customers/sub-customers", ""), "sub_customer_infos"); len(got) != n {
				a.t.Errorf("%s finds %v", user, got)
			}
			if got := list(a.call(user, "GET", "/customers/sub-customers?sub_customer_id="+a.users["wang"].ID, ""), "sub_customer_infos"); len(got) != max(n-1, 0) {
				a.t.Errorf("%s finds by id %v", user, got)
			}
		}
		for _, lang := range []string{"zh-cn", "en-us"} {
			for _, site := range []string{"0", "1"} {
				mine, all := a.call("li", "GET", "/customers/regions", "", "X-Language", lang, "X-Site", site), a.call("li", "GET", "/config/regions", "", "X-Language", lang, "X-Site", site)
				names := func(items []map[string]any) (out []string) {
					for _, i := range items {
						out = append(out, fmt.Sprint(i["region_id"], i["region_name"]))
					}
					return out
				}
				got := names(list(mine, "region_infos"))
				if !slices.Equal(got, names(list(all, "data_center_list"))) || len(got) == 0 || mine.body["count"] != float64(len(got)) {
					a.t.Errorf("%s, site %s: %s", lang, site, mine.raw)
				}
			}
		}
		if r := a.call("li", "GET", "/agencies", ""); len(list(r, "agency_list")) != 0 || r.body["total_count"] != 0.0 {
			a.t.Errorf("no agencies: %s", r.raw)
		}
		for _, n := range []identity.NewAgency{{Name: "a", Hours: 24, TrustID: "t1", TrustName: "osm"}, {Name: "b", TrustName: "osm"}} {
			n.Domain = a.domain
			_, err := a.ident.CreateAgency(ctx, system, n)
			a.ok(err)
		}
		r := a.call("li", "GET", "/agencies", "", "X-Time-Zone", "GMT-5")
		got := list(r, "agency_list")
		if len(got) != 2 || r.body["total_count"] != 2.0 {
			a.t.Fatal(r.raw)
		}
		delete(got[0], "id")
		delete(got[1], "id")
		if want := map[string]any{"name": "a", "duration": "24", "trust_domain_name": "osm", "trust_domain_id": "t1", "create_time": "2026-01-15 03:00:00", "expire_time": "2026-01-16 03:00:00"}; fmt.Sprint(got[0]) != fmt.Sprint(want) {
			a.t.Errorf("%v, want %v", got[0], want)
		}
		if want := map[string]any{"name": "b", "duration": "FOREVER", "trust_domain_name": "osm", "create_time": "2026-01-15 03:00:00"}; fmt.Sprint(got[1]) != fmt.Sprint(want) {
			a.t.Errorf("%v, want %v", got[1], want)
		}
		if r := a.call("stranger", "GET", "/agencies", ""); r.body["total_count"] != 0.0 {
			a.t.Errorf("a stranger: %s", r.raw)
		}

		info := "/cases/partners/service-info"
		if r := a.call("li", "GET", info, ""); r.status != 200 || r.body["partners_service_info"] != nil {
			a.t.Errorf("served by nobody: %s", r.raw)
		}
		if r := a.call("stranger", "GET", "/cases/partners/privilege/cases-processing", ""); r.body["has_privilege"] != false {
			a.t.Errorf("no partner: %s", r.raw)
		}
		p, err := a.ident.CreatePartner(ctx, system, identity.Partner{Name: "Blue", Account: a.users["stranger"].Domain, Whitelisted: true, Hours: identity.Hours{Zone: "GMT+08:00", Days: 5, Day: 8}})
		a.ok(err)
		a.ok(a.ident.ServedBy(ctx, system, a.domain, p.ID))
		r = a.call("li", "GET", info+"?case_sub_type_id=0", "")
		if want := map[string]any{"customer_id": a.users["stranger"].Domain, "customer_name": "Blue", "service_time_zone": "GMT+08:00", "service_time_day": "5", "service_time_hour": "8"}; fmt.Sprint(r.body["partners_service_info"]) != fmt.Sprint(want) {
			a.t.Errorf("%s", r.raw)
		}
		for user, has := range map[string]bool{"stranger": true, "boss": false, "li": false} {
			if r := a.call(user, "GET", "/cases/partners/privilege/cases-processing", ""); r.body["has_privilege"] != has {
				a.t.Errorf("%s: %s", user, r.raw)
			}
		}
		for _, field := range []string{"case_sub_type_id", "product_id"} {
			if r := a.call("li", "GET", info+"?"+field+"="+strings.Repeat("x", 64), ""); r.status != 200 {
				a.t.Errorf("%s at its length: %s", field, r.raw)
			}
			if r := a.call("li", "GET", info+"?"+field+"="+strings.Repeat("x", 65), ""); r.code() != "OSM.01010001" || !strings.Contains(r.raw, field) {
				a.t.Errorf("%s too long: %s", field, r.raw)
			}
		}

		// Whose business a ticket is shows in its detail.
		n := a.number("li")
		owner := func() any {
			d, _ := a.call("li", "GET", "/cases/"+n, "").body["incident_detail_info"].(map[string]any)
			return d["business_ownership"]
		}
		if got := owner(); got != 0.0 {
			a.t.Errorf("the house's: %v", got)
		}
		e, err := a.ident.CreateUser(ctx, system, identity.NewUser{Domain: principal.House, Name: "chen", Password: "a long password", Role: principal.RoleEngineer})
		a.ok(err)
		out, err := a.ticket.Transfer(ctx, principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: e.ID, Role: principal.RoleEngineer}, ticket.Transfer{Numbers: []string{n}, To: ticket.PartnerBusiness})
		if err != nil || out[0].Refusal != nil {
			a.t.Fatal(out, err)
		}
		if got := owner(); got != 1.0 {
			a.t.Errorf("the partner's: %v", got)
		}
	})
}
