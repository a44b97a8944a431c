package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"casemate/internal/api"
	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/diagnose"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/seal/sealtest"
)

// diagnoseWorld is the real surface over a store with the default catalogue and
// two customers.
type diagnoseWorld struct {
	t        *testing.T
	handler  http.Handler
	contract *openapi3.T
	service  *diagnose.Service
	jobs     *job.Runner
	li       principal.Principal
	foreign  principal.Principal
}

func eachDiagnoseWorld(t *testing.T, test func(w *diagnoseWorld)) {
	t.Helper()
	t.Parallel()
	contract := contractOf(t)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := &diagnoseWorld{t: t, contract: contract}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		cat, err := catalog.New(t.Context(), d, catalog.Options{Log: quiet})
		must(err)
		must(cat.EnsureDefault(t.Context()))
		people := identity.New(d, sealtest.Keyring(t), identity.Options{PasswordMemory: 64})
		join := func(name string) principal.Principal {
			dom, err := people.CreateDomain(t.Context(), principal.AsSystem(principal.House), identity.NewDomain{Name: name})
			must(err)
			return principal.Principal{Kind: principal.Customer, Domain: dom.ID, User: "user-of-" + name, Main: true}
		}
		w.li, w.foreign = join("yunfan"), join("harbour")
		w.service, err = diagnose.New(d, people, cat, diagnose.Options{Log: quiet})
		must(err)
		w.jobs = job.NewRunner(d, "test", quiet)
		w.jobs.Add(w.service.Kinds()...)
		w.handler, err = api.New(api.Nouns{Catalog: cat, Diagnose: w.service}, api.Options{Log: quiet})
		must(err)
		test(w)
	})
}

// call sends a request and holds the answer against the contract.
func (w *diagnoseWorld) call(who principal.Principal, method, path, body string, headers ...string) (int, map[string]any) {
	w.t.Helper()
	req := httptest.NewRequestWithContext(w.t.Context(), method, "/v2.0/servicerequest/diagnose/"+path, strings.NewReader(body))
	req.Header.Set("X-Auth-Token", "verified in front of the surface")
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	req = req.WithContext(locale.With(principal.With(req.Context(), who), locale.Parse(req.Header.Get("X-Language"), "", "")))
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req)
	raw := rec.Body.Bytes()
	item := w.contract.Paths.Value(req.URL.Path)
	if item == nil {
		w.t.Fatalf("%s is not in the contract", req.URL.Path)
	}
	in := &openapi3filter.RequestValidationInput{Request: req, Route: &routers.Route{Spec: w.contract, Path: req.URL.Path, PathItem: item, Method: method, Operation: item.GetOperation(method)}}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: rec.Code, Header: rec.Header(), Body: io.NopCloser(strings.NewReader(string(raw)))}
	if err := openapi3filter.ValidateResponse(w.t.Context(), out); err != nil {
		w.t.Errorf("%s %s: the answer breaks the contract: %v\n%s", method, path, err, raw)
	}
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		w.t.Fatalf("%s %s: %d %s", method, path, rec.Code, raw)
	}
	return rec.Code, answer
}

func (w *diagnoseWorld) ok(who principal.Principal, method, path, body string, headers ...string) map[string]any {
	w.t.Helper()
	status, answer := w.call(who, method, path, body, headers...)
	if status != http.StatusOK {
		w.t.Fatalf("%s %s: %d %v", method, path, status, answer)
	}
	return answer
}

// TestDiagnose is the whole story over HTTP with the shipped kinds: resources,
// start, state, details in both languages, records, rating.
func TestDiagnose(t *testing.T) {
	eachDiagnoseWorld(t, func(w *diagnoseWorld) {
		t, ctx := w.t, w.t.Context()
		if answer := w.ok(w.li, "POST", "job/vm/resources", ""); answer["total_count"] != 0.0 || len(list(t, answer, "result")) != 0 {
			t.Errorf("no resources: %v", answer)
		}
		_, err := w.service.PutResource(ctx, principal.AsSystem(principal.House), diagnose.Resource{Domain: w.li.Domain, ID: "ecs-1", Name: "web", Project: "p1", Region: "cn-north-1",
			IPv4: "10.0.0.7", Metadata: json.RawMessage(`{"os":{"name":"linux"}}`)})
		if err != nil {
			t.Fatal(err)
		}
		one := list(t, w.ok(w.li, "POST", "job/vm/resources", `{"project_id":"p1","region":"cn-north-1"}`), "result")[0]
		wants(t, one, map[string]any{"id": "ecs-1", "name": "web", "accessIPv4": "10.0.0.7", "status": "ACTIVE", "tenantId": "p1"})
		if fmt.Sprint(one["metadata"]) != "map[os:map[name:linux]]" {
			t.Errorf("metadata %v", one["metadata"])
		}
		if n := w.ok(w.foreign, "POST", "job/vm/resources", "{}")["total_count"]; n != 0.0 {
			t.Errorf("another domain sees %v resources", n)
		}

		// A cloud server at an address that may not be reached: no error of the job.
		started := w.ok(w.li, "POST", "job/start", `{"type":1,"region_id":"cn-north-1","params":{"instance_id":"ecs-1","port":"3389"}}`)
		if started["job_id"] != "1" {
			t.Fatalf("%v", started)
		}
		j := w.ok(w.li, "GET", "job?job_id=1", "")
		wants(t, j, map[string]any{"status": 0.0, "job_id": 1.0, "domain_id": w.li.Domain})
		if _, err := w.jobs.Work(ctx); err != nil {
			t.Fatal(err)
		}
		j = w.ok(w.li, "GET", "job?job_id=1", "", "X-Language", en)
		wants(t, j, map[string]any{"status": 3.0})
		items := list(t, j, "items_result")
		wants(t, find(t, items, "check_id", "login-dns"), map[string]any{"status": 7.0, "problem_level": 0.0, "visible": 1.0, "resource_id": "name", "resource_name": "Name resolution"})
		wants(t, find(t, items, "check_id", "login-port"), map[string]any{"status": 3.0, "problem_level": 4.0, "check_name": "Login port accepts connections"})

		for lang, want := range map[string][3]string{"zh-cn": {"登录端口能否连接", "不是公网地址", "安全组"}, en: {"Login port accepts connections", "not a public address", "security group"}} {
			all := list(t, w.ok(w.li, "POST", "job/show-items", `{"job_id":"1"}`, "X-Language", lang), "item_results")
			if len(all) != 2 {
				t.Errorf("%d details", len(all))
			}
			d := find(t, all, "check_id", "login-port")
			wants(t, d, map[string]any{"status": 3.0, "level": 2.0, "check_name": want[0], "check_name_en": "Login port accepts connections"})
			if !strings.Contains(d["response"].(string), want[1]) || !strings.Contains(d["suggestion"].(string), want[2]) {
				t.Errorf("%s: %v", lang, d)
			}
		}
		for ids, want := range map[string]int{"login-port": 1, "login-port, login-dns": 2, "none": 0, ",": 2} {
			if n := len(list(t, w.ok(w.li, "POST", "job/show-items", `{"job_id":"1","item_ids":"`+ids+`"}`), "item_results")); n != want {
				t.Errorf("item_ids %q: %d details, want %d", ids, n, want)
			}
		}

		records := w.ok(w.li, "GET", "records?type=1&page_no=1&page_size=1", "")
		wants(t, records, map[string]any{"total_count": 1.0})
		r := list(t, records, "records")[0]
		wants(t, r, map[string]any{"status": "3", "job_id": "1", "red_count": 1.0, "region": "cn-north-1", "domain_id": w.li.Domain})
		if fmt.Sprint(r["abnormal_items"], r["params"]) != "[login-port] map[eip:10.0.0.7 instance_id:ecs-1 port:3389]" {
			t.Errorf("%v", r)
		}
		if records := w.ok(w.li, "GET", "records?type=2", ""); records["total_count"] != 0.0 {
			t.Errorf("%v", records)
		}
		if records := w.ok(w.foreign, "GET", "records", ""); records["total_count"] != 0.0 {
			t.Errorf("%v", records)
		}

		if answer := w.ok(w.li, "POST", "feedback", `{"type":1,"is_helpful":true,"content":"有用"}`); len(answer) != 0 {
			t.Errorf("%v", answer)
		}
		if status, answer := w.call(w.li, "POST", "feedback", `{"type":1,"is_helpful":false}`, "X-Language", en); status != http.StatusBadRequest || answer["error_code"] != "OSM.01010001" {
			t.Errorf("rated twice: %d %v", status, answer)
		}
	})
}

// TestDiagnoseRefusals: the contract's limits at their edge and over, foreign
// ids, callers who are no customers.
func TestDiagnoseRefusals(t *testing.T) {
	eachDiagnoseWorld(t, func(w *diagnoseWorld) {
		w.ok(w.foreign, "POST", "job/start", `{"type":3,"params":{"domain":"example.com"}}`)
		tests := []struct {
			method, path, body, code, field string
		}{
			{"POST", "job/start", `{}`, "OSM.01010001", "type"},
			{"POST", "job/start", `{"type":0}`, "OSM.01010001", "type"},
			{"POST", "job/start", `{"type":5}`, "OSM.01010001", "type"},
			{"POST", "job/start", `{"type":4}`, "OSM.01010001", "type"}, // allowed by the contract, not in the catalogue
			{"POST", "job/start", `{"type":"1"}`, "OSM.0001", "type"},
			{"POST", "job/start", `{"type":1}`, "OSM.01010001", "params.eip"},
			{"POST", "job/start", `{"type":1,"params":{"eip":7}}`, "OSM.0001", "params"},
			{"POST", "job/start", `{"type":1,"params":{"eip":"1.1.1.1"},"region_id":"atlantis"}`, "OSM.01010001", "region_id"},
			{"POST", "job/start", ``, "OSM.01010001", "body"},
			{"GET", "job", "", "OSM.01010001", "job_id"},
			{"GET", "job?job_id=1", "", "OSM.01010001", "job_id"},
			{"GET", "job?job_id=x", "", "OSM.01010001", "job_id"},
			{"POST", "job/show-items", ``, "OSM.01010001", "job_id"},
			{"POST", "job/show-items", `{"job_id":"1"}`, "OSM.01010001", "job_id"},
			{"POST", "job/show-items", `{"job_id":1}`, "OSM.0001", "job_id"},
			{"GET", "records?page_no=0", "", "OSM.01010001", "page_no"},
			{"GET", "records?page_size=0", "", "OSM.01010001", "page_size"},
			{"GET", "records?page_size=101", "", "OSM.01010001", "page_size"},
			{"GET", "records?type=3", "", "OSM.01010001", "type"},
			{"GET", "records?page_no=2147483648", "", "OSM.0001", "page_no"},
			{"POST", "job/vm/resources", `{"region":"` + strings.Repeat("r", 65) + `"}`, "OSM.01010001", "region"},
			{"POST", "feedback", `{"type":1}`, "OSM.01010001", "is_helpful"},
			{"POST", "feedback", `{"type":5,"is_helpful":true}`, "OSM.01010001", "type"},
			{"POST", "feedback", `{"type":1,"is_helpful":true}`, "OSM.01010001", "type"},
			{"POST", "feedback", `{"type":1,"is_helpful":true,"content":"` + strings.Repeat("好", 1001) + `"}`, "OSM.01010001", "content"},
		}
		for _, tt := range tests {
			status, answer := w.call(w.li, tt.method, tt.path, tt.body, "X-Language", en)
			if msg, _ := answer["error_msg"].(string); status != http.StatusBadRequest || answer["error_code"] != tt.code || !strings.Contains(msg, tt.field) {
				w.t.Errorf("%s %s: %d %v, want %s naming %s", tt.path, tt.body, status, answer, tt.code, tt.field)
			}
		}
		_, unknown := w.call(w.li, "GET", "job?job_id=77", "")
		if _, foreign := w.call(w.li, "GET", "job?job_id=1", ""); fmt.Sprint(foreign) != fmt.Sprint(unknown) {
			w.t.Errorf("another domain's id: %v, an unknown one: %v", foreign, unknown)
		}
		w.ok(w.li, "GET", "records?page_no=2147483647&page_size=100&type=2", "")
		for range 3 {
			w.ok(w.li, "POST", "job/start", `{"type":3,"params":{"domain":"example.com"}}`)
		}
		status, answer := w.call(w.li, "POST", "job/start", `{"type":3,"params":{"domain":"example.com"}}`)
		if status != http.StatusForbidden || answer["error_code"] != "OSM.01010002" || !strings.Contains(answer["error_msg"].(string), "最多 3 个") {
			w.t.Errorf("the fourth at once: %d %v", status, answer)
		}
		engineer := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "e", Role: principal.RoleAdministrator}
		for _, tt := range tests {
			if status, _ := w.call(principal.Principal{}, tt.method, tt.path, tt.body); status != http.StatusUnauthorized && status != http.StatusBadRequest {
				w.t.Errorf("%s without credentials: %d", tt.path, status)
			}
		}
		if status, answer := w.call(engineer, "GET", "records", ""); status != http.StatusForbidden || answer["error_code"] != "OSM.01010011" {
			w.t.Errorf("an engineer: %d %v", status, answer)
		}
	})
}
