package desk_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/desk"
	"casemate/internal/diagnose"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/seal/sealtest"
)

// diagnoseDesk is the real surface over a store with the default catalogue, a
// customer and people of the house.
type diagnoseDesk struct {
	t        *testing.T
	handler  http.Handler
	contract *openapi3.T
	service  *diagnose.Service
	catalog  *catalog.Service
	jobs     *job.Runner

	li                   principal.Principal
	admin, chen, auditor principal.Principal
}

func eachDiagnoseDesk(t *testing.T, test func(w *diagnoseDesk)) {
	t.Helper()
	t.Parallel()
	contract := contractOf(t)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := &diagnoseDesk{t: t, contract: contract}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		var err error // the databases run side by side: each has its own
		w.catalog, err = catalog.New(t.Context(), d, catalog.Options{Log: quiet})
		must(err)
		must(w.catalog.EnsureDefault(t.Context()))
		people := identity.New(d, sealtest.Keyring(t), identity.Options{PasswordMemory: 64})
		house := principal.AsSystem(principal.House)
		dom, err := people.CreateDomain(t.Context(), house, identity.NewDomain{Name: "云帆科技"})
		must(err)
		u, err := people.CreateUser(t.Context(), house, identity.NewUser{Domain: dom.ID, Name: "li", Password: "a-Password-1", Main: true})
		must(err)
		w.li = principal.Principal{Kind: principal.Customer, Domain: dom.ID, User: u.ID, Main: true}
		person := func(role string) principal.Principal {
			return principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: role, Role: role}
		}
		w.admin, w.chen, w.auditor = person(principal.RoleAdministrator), person(principal.RoleEngineer), person(principal.RoleAuditor)
		w.service, err = diagnose.New(d, people, w.catalog, diagnose.Options{Log: quiet})
		must(err)
		w.jobs = job.NewRunner(d, "test", quiet)
		w.jobs.Add(w.service.Kinds()...)
		w.handler, err = desk.New(desk.Nouns{Identity: people, Catalog: w.catalog, Diagnose: w.service}, desk.Host{Now: time.Now}, quiet)
		must(err)
		test(w)
	})
}

// call sends a request and holds the answer against the contract.
func (w *diagnoseDesk) call(who principal.Principal, method, path, body string) (int, map[string]any) {
	w.t.Helper()
	req := httptest.NewRequestWithContext(w.t.Context(), method, "/desk/v1/"+path, strings.NewReader(body))
	req.Header.Set("X-Auth-Token", "verified in front of the surface")
	req.Header.Set("Content-Type", "application/json")
	req = req.WithContext(locale.With(principal.With(req.Context(), who), locale.Parse("en-us", "", "")))
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req)
	raw := rec.Body.Bytes()
	template, item := w.route(req.URL.Path)
	in := &openapi3filter.RequestValidationInput{Request: req, Route: &routers.Route{Spec: w.contract, Path: template, PathItem: item, Method: method, Operation: item.GetOperation(method)}}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: rec.Code, Header: rec.Header(), Body: io.NopCloser(strings.NewReader(string(raw)))}
	if err := openapi3filter.ValidateResponse(w.t.Context(), out); err != nil {
		w.t.Errorf("%s %s: the answer breaks the contract: %v\n%s", method, path, err, raw)
	}
	answer := map[string]any{}
	if err := json.Unmarshal(raw, &answer); err != nil && rec.Code != http.StatusNoContent {
		w.t.Fatalf("%s %s: %d %s", method, path, rec.Code, raw)
	}
	return rec.Code, answer
}

// route finds the contract's path of an address.
func (w *diagnoseDesk) route(path string) (string, *openapi3.PathItem) {
	w.t.Helper()
	parts := strings.Split(path, "/")
next:
	for template, item := range w.contract.Paths.Map() {
		wanted := strings.Split(template, "/")
		if len(wanted) != len(parts) {
			continue
		}
		for i, p := range wanted {
			if p != parts[i] && !strings.HasPrefix(p, "{") {
				continue next
			}
		}
		return template, item
	}
	w.t.Fatalf("%s is not in the contract", path)
	return "", nil
}

func (w *diagnoseDesk) ok(status int, method, path, body string) map[string]any {
	w.t.Helper()
	got, answer := w.call(w.admin, method, path, body)
	if got != status {
		w.t.Fatalf("%s %s: %d %v", method, path, got, answer)
	}
	return answer
}

func items(t *testing.T, answer map[string]any) (out []map[string]any) {
	t.Helper()
	raw, ok := answer["items"].([]any)
	if !ok {
		t.Fatalf("no items in %v", answer)
	}
	for _, v := range raw {
		out = append(out, v.(map[string]any))
	}
	return out
}

// TestDiagnosesOnTheDesk: resources are entered, a customer diagnoses, an
// engineer looks at it.
func TestDiagnosesOnTheDesk(t *testing.T) {
	eachDiagnoseDesk(t, func(w *diagnoseDesk) {
		t, ctx := w.t, w.t.Context()
		resources := "domains/" + w.li.Domain + "/resources"
		r := w.ok(200, "PUT", resources+"/ecs-1", `{"name":"web","region":"cn-north-1","ipv4":"10.0.0.7","owner_id":"`+w.li.User+`","metadata":{"os":{"name":"linux"},"n":[1,2]}}`)
		if r["id"] != "ecs-1" || r["status"] != "ACTIVE" || fmt.Sprint(r["metadata"]) != "map[n:[1 2] os:map[name:linux]]" || r["owner_id"] != w.li.User {
			t.Errorf("%v", r)
		}
		if all := items(t, w.ok(200, "GET", resources, "")); len(all) != 1 || all[0]["ipv4"] != "10.0.0.7" {
			t.Errorf("%v", all)
		}
		for range 3 {
			if _, err := w.service.Start(ctx, w.li, diagnose.NewJob{Type: 1, Params: map[string]string{"instance_id": "ecs-1"}}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.jobs.Work(ctx); err != nil {
			t.Fatal(err)
		}
		if err := w.service.Rate(ctx, w.li, diagnose.Rating{Type: 1, Comment: "没用"}); err != nil {
			t.Fatal(err)
		}
		page := w.ok(200, "GET", "diagnoses?limit=2&domain="+w.li.Domain, "")
		list := items(t, page)
		if len(list) != 2 || list[0]["job_id"] != 3.0 || list[0]["state"] != "finished" || list[0]["creator_name"] != "li" || list[0]["kind_name"] != "Remote login fails" || fmt.Sprint(list[0]["abnormal"]) != "[login-port]" {
			t.Fatalf("%v", page)
		}
		page = w.ok(200, "GET", "diagnoses?limit=2&domain="+w.li.Domain+"&cursor="+page["next_cursor"].(string), "")
		if list := items(t, page); len(list) != 1 || list[0]["job_id"] != 1.0 || page["next_cursor"] != nil {
			t.Errorf("%v", page)
		}
		j := w.ok(200, "GET", "domains/"+w.li.Domain+"/diagnoses/3", "")
		checks, ratings := j["checks"].([]any), j["ratings"].([]any)
		port := checks[1].(map[string]any)
		if len(checks) != 2 || j["checks_done"] != 2.0 || port["state"] != "failed" || !strings.Contains(port["message"].(string), "not a public address") || port["suggestion"] == nil || checks[0].(map[string]any)["state"] != "skipped" {
			t.Errorf("%v", j)
		}
		if g := ratings[0].(map[string]any); g["helpful"] != false || g["content"] != "没用" || g["user_name"] != "li" {
			t.Errorf("%v", g)
		}
		w.ok(204, "DELETE", resources+"/ecs-1", "")
		if all := items(t, w.ok(200, "GET", resources, "")); len(all) != 0 {
			t.Errorf("%v", all)
		}

		for _, tt := range []struct {
			who                principal.Principal
			method, path, body string
			status             int
		}{
			{w.chen, "GET", "diagnoses?domain=" + w.li.Domain, "", 200},
			{w.chen, "GET", resources, "", 200},
			{w.chen, "PUT", resources + "/ecs-2", `{"name":"x"}`, 403},
			{w.chen, "DELETE", resources + "/ecs-2", "", 403},
			{w.auditor, "GET", "diagnoses?domain=" + w.li.Domain, "", 200},
			{w.auditor, "PUT", resources + "/ecs-2", `{"name":"x"}`, 403},
			{w.li, "GET", "diagnoses?domain=" + w.li.Domain, "", 403},
			{principal.Principal{}, "GET", resources, "", 401},
			{w.admin, "GET", "diagnoses", "", 400},
			{w.admin, "GET", "diagnoses?domain=none", "", 400},
			{w.admin, "GET", "domains/none/diagnoses/1", "", 400},
			{w.admin, "GET", "domains/" + w.li.Domain + "/diagnoses/9", "", 400},
			{w.admin, "GET", "domains/" + w.li.Domain + "/diagnoses/0", "", 400},
			{w.admin, "PUT", "domains/none/resources/x", `{"name":"x"}`, 400},
			{w.admin, "PUT", "domains/house/resources/x", `{"name":"x"}`, 400},
			{w.admin, "PUT", resources + "/x", `{"name":"x","ipv4":"1.2.3"}`, 400},
			{w.admin, "PUT", resources + "/x", `{"name":"x","metadata":[]}`, 400},
			{w.admin, "DELETE", resources + "/none", "", 400},
		} {
			if status, answer := w.call(tt.who, tt.method, tt.path, tt.body); status != tt.status {
				t.Errorf("%s %s as %s %s: %d %v, want %d", tt.method, tt.path, tt.who.Kind, tt.who.Role, status, answer, tt.status)
			}
		}
	})
}

// TestAgreementsOnTheDesk: list, publish, who signed.
func TestAgreementsOnTheDesk(t *testing.T) {
	eachDiagnoseDesk(t, func(w *diagnoseDesk) {
		t, ctx := w.t, w.t.Context()
		if _, err := w.catalog.Sign(ctx, w.li, 1, "TS1"); err != nil {
			t.Fatal(err)
		}
		done := w.ok(201, "POST", "agreements", `{"type":"0","content":{"zh":"新的条款","en":"New terms"}}`)
		a := done["agreement"].(map[string]any)
		if a["id"] != 4.0 || a["version"] != 2.0 || a["latest"] != true || a["type_name"] != "Ticket creation (ordinary users)" || done["file"] != "agreement-0-v2.yaml" || !strings.Contains(done["text"].(string), "New terms") {
			t.Errorf("%v", done)
		}
		if signed, err := w.catalog.SignedLatest(ctx, w.li, "0"); err != nil || signed {
			t.Errorf("still signed: %v", err)
		}
		list := items(t, w.ok(200, "GET", "agreements", ""))
		if len(list) != 4 || list[0]["id"] != 4.0 || list[0]["latest"] != true || list[1]["latest"] != false || list[1]["withdrawn"] != false {
			t.Errorf("%v", list)
		}
		signatures := items(t, w.ok(200, "GET", "agreements/1/signatures?domain="+w.li.Domain, ""))
		if len(signatures) != 1 || signatures[0]["user_name"] != "li" || signatures[0]["relation_id"] != "TS1" || signatures[0]["record_id"] != 1.0 {
			t.Errorf("%v", signatures)
		}
		if all := items(t, w.ok(200, "GET", "agreements/4/signatures", "")); len(all) != 0 {
			t.Errorf("%v", all)
		}
		for _, tt := range []struct {
			who                principal.Principal
			method, path, body string
			status             int
		}{
			{w.auditor, "GET", "agreements", "", 200},
			{w.auditor, "GET", "agreements/1/signatures", "", 200},
			{w.chen, "POST", "agreements", `{"type":"0","content":{"zh":"一","en":"one"}}`, 403},
			{w.li, "GET", "agreements/1/signatures", "", 403},
			{w.admin, "POST", "agreements", `{"type":"0","content":{"zh":"一"}}`, 400},
			{w.admin, "POST", "agreements", `{"type":"7","content":{"zh":"一","en":"one"}}`, 400},
			{w.admin, "POST", "agreements", `{"type":"0","content":{"zh":"新的条款","en":"New terms"}}`, 409},
			{w.admin, "GET", "agreements/99/signatures", "", 400},
			{w.admin, "GET", "agreements/1/signatures?cursor=x", "", 400},
			{w.admin, "GET", "agreements/1/signatures?limit=101", "", 400},
		} {
			if status, answer := w.call(tt.who, tt.method, tt.path, tt.body); status != tt.status {
				t.Errorf("%s %s as %s %s: %d %v, want %d", tt.method, tt.path, tt.who.Kind, tt.who.Role, status, answer, tt.status)
			}
		}
	})
}
