package api_test

import (
	"bytes"
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

	"casemate/internal/api"
	"casemate/internal/authorization"
	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/seal/sealtest"
	"casemate/internal/ticket"
	"casemate/internal/verify"
)

// consents is the surface with one ticket, its customer and its engineer.
type consents struct {
	t        *testing.T
	h        http.Handler
	contract *openapi3.T
	clock    *dbtest.Clock
	s        *authorization.Service

	who, engineer principal.Principal
	number        string
}

func eachConsents(t *testing.T, test func(c *consents)) {
	t.Helper()
	t.Parallel()
	contract := contractOf(t)
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
		keys := sealtest.Keyring(t)
		people := identity.New(d, keys, identity.Options{PasswordMemory: 64})
		cat, err := catalog.New(t.Context(), d, catalog.Options{Log: quiet})
		must(err)
		must(cat.EnsureDefault(t.Context()))
		post := []notify.Channel{new(inbox)}
		out, err := notify.New(d, keys, notify.Options{Mail: post, SMS: post, Log: quiet})
		must(err)
		proofs, err := verify.New(d, keys, people, out, verify.Options{})
		must(err)
		tickets, err := ticket.New(d, keys, ticket.Nouns{Identity: people, Catalog: cat, Verify: proofs, Notify: out}, ticket.Options{Log: quiet})
		must(err)
		c := &consents{t: t, contract: contract, clock: clock}
		c.s, err = authorization.New(d, keys, authorization.Nouns{Identity: people, Catalog: cat, Ticket: tickets}, authorization.Options{Log: quiet})
		must(err)
		c.h, err = api.New(api.Nouns{Catalog: cat, Ticket: tickets, Authorization: c.s}, api.Options{Log: quiet})
		must(err)
		house := principal.AsSystem(principal.House)
		dom, err := people.CreateDomain(t.Context(), house, identity.NewDomain{Name: "customer"})
		must(err)
		u, err := people.CreateUser(t.Context(), house, identity.NewUser{Domain: dom.ID, Name: "boss", Password: "a-Password-1", Main: true, Mail: "boss@example.com"})
		must(err)
		c.who = principal.Principal{Kind: principal.Customer, Domain: dom.ID, User: u.ID, Main: true}
		e, err := people.CreateUser(t.Context(), house, identity.NewUser{Domain: principal.House, Name: "zhao", Password: "a-Password-1", Role: principal.RoleSupervisor, Alias: "赵"})
		must(err)
		c.engineer = principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: e.ID, Role: e.Role}
		for _, p := range cat.Now().ProblemTypes() {
			if p.CaseType == catalog.Consultation {
				c.number, err = tickets.Create(t.Context(), c.who, ticket.NewTicket{Choice: catalog.Choice{ProblemType: p.ID}, Description: "<p>磁盘</p>", Source: ticket.Source, Locale: locale.Default()})
				must(err)
				break
			}
		}
		test(c)
	})
}

// call sends a request to a path with {placeholders} and holds the answer
// against the contract.
func (c *consents) call(method, template string, values map[string]any, query, body string, headers ...string) (int, map[string]any) {
	c.t.Helper()
	path := template
	for name, v := range values {
		path = strings.ReplaceAll(path, "{"+name+"}", fmt.Sprint(v))
	}
	const root = "/v2/servicerequest/authorizations"
	req := httptest.NewRequestWithContext(c.t.Context(), method, root+path+query, strings.NewReader(body))
	req.Header.Set("X-Auth-Token", "verified in front of the surface")
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	req = req.WithContext(locale.With(principal.With(req.Context(), c.who), locale.Parse(req.Header.Get("X-Language"), req.Header.Get("X-Time-Zone"), "")))
	rec := httptest.NewRecorder()
	c.h.ServeHTTP(rec, req)
	raw := rec.Body.Bytes()
	item := c.contract.Paths.Value(root + template)
	if item == nil {
		c.t.Fatalf("%s is not in the contract", template)
	}
	route := &routers.Route{Spec: c.contract, Path: root + template, PathItem: item, Method: method, Operation: item.GetOperation(method)}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: route}, Status: rec.Code, Header: rec.Header(),
		Body: io.NopCloser(bytes.NewReader(raw))}
	if err := openapi3filter.ValidateResponse(c.t.Context(), out); err != nil {
		c.t.Errorf("%s %s: the answer breaks the contract: %v\n%s", method, path, err, raw)
	}
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		c.t.Fatalf("%s %s: %d %s", method, path, rec.Code, raw)
	}
	return rec.Code, answer
}

// The operations' paths in the contract.
const (
	onePath       = "/{authorization_id}"
	actionPath    = "/{authorization_id}/action"
	sessionsPath  = "/{authorization_id}/authorization-details/{authorization_detail_id}/history-sessions"
	commandsPath  = "/{authorization_id}/authorization-details/{authorization_detail_id}/sessions/{session_id}/operation-logs"
	transfersPath = "/{authorization_id}/authorization-details/{authorization_detail_id}/sessions/{session_id}/operation-file-logs"
	checkPath     = "/authorization-details/{authorization_detail_id}/verify-host"
)

// TestAuthorizations: the nine operations on the wire: envelopes, times in
// their zones, languages, and bad input, which is refused with its field named.
func TestAuthorizations(t *testing.T) {
	eachConsents(t, func(c *consents) {
		id, err := c.s.Request(c.t.Context(), c.engineer, authorization.NewRequest{Number: c.number, Description: "look &amp; <b>see</b>",
			Details: []authorization.NewDetail{{Kind: authorization.Host, Address: "192.0.2.1"}}})
		if err != nil {
			c.t.Fatal(err)
		}
		at := map[string]any{"authorization_id": id}
		status, list := c.call("GET", "", nil, "", "", "X-Language", "en-us")
		if status != 200 || list["count"] != 1.0 {
			c.t.Fatalf("list: %d %v", status, list)
		}
		wants(c.t, list["incident_auth_list"].([]any)[0].(map[string]any), map[string]any{"id": id, "status": 0.0, "incident_id": c.number, "simple_description": "磁盘",
			"auth_describe": "look & see", "resource_type_name": "Cloud server", "create_time": "2026-01-15T08:00:00Z", "x_customer_id": c.who.User, "xcustomer_name": "boss"})
		_, plain := c.call("GET", "", nil, "?trim_osm_rich_text_label=false", "")
		wants(c.t, plain["incident_auth_list"].([]any)[0].(map[string]any), map[string]any{"simple_description": "<p>磁盘</p>", "auth_describe": "look &amp; <b>see</b>", "resource_type_name": "云服务器"})
		_, one := c.call("GET", onePath, at, "", "", "X-Language", "en-us")
		item := one["incident_auth_detail_list"].([]any)[0].(map[string]any)
		detail := int64(item["id"].(float64))
		at["authorization_detail_id"] = detail
		at["session_id"] = 1

		now := c.clock.Now().UnixMilli()
		good := fmt.Sprintf(`{"auth_effective_time":%d,"auth_expire_time":%d,"auth_detail_list":[{"auth_detail_id":%d,"port":22,"account":"root","password":"hidden-word"}]}`, now, now+3600_000, detail)
		for _, tt := range []struct {
			method, path, query, body string
			code, says                string
		}{
			{"GET", "", "?limit=0", "", "OSM.01010001", "limit"},
			{"GET", "", "?limit=101", "", "OSM.01010001", "limit"},
			{"GET", "", "?offset=65536", "", "OSM.01010001", "offset"},
			{"GET", "", "?status=11", "", "OSM.01010001", "status"},
			{"GET", "", "?status=-2", "", "OSM.01010001", "status"},
			{"GET", "", "?simple_description=" + strings.Repeat("1", 2001), "", "OSM.01010001", "simple_description"},
			{"GET", "", "?group_id=none", "", "OSM.01010002", "group_id"},
			{"GET", onePath, "?group_id=none", "", "OSM.01010002", "group_id"},
			{"PUT", onePath, "", "", "OSM.01010001", "auth_expire_time"},
			{"PUT", onePath, "", "{}", "OSM.01010001", "auth_expire_time"},
			{"PUT", onePath, "", `{"auth_expire_time":"tomorrow"}`, "OSM.0001", ""},
			{"PUT", onePath, "", strings.Replace(good, `"port":22`, `"port":0`, 1), "OSM.01010001", "port"},
			{"PUT", onePath, "", strings.Replace(good, "hidden-word", strings.Repeat("x", 10241), 1), "OSM.01010001", "password"},
			{"PUT", onePath, "", strings.Replace(good, fmt.Sprint(detail), "5", 1), "OSM.01010032", ""},
			{"PUT", onePath, "", `{"auth_expire_time":9223372036854775807}`, "OSM.01010001", "auth_expire_time"},
			{"PUT", actionPath, "", "", "OSM.01010001", "action_id"},
			{"PUT", actionPath, "?action_id=grant", "", "OSM.01010001", "action_id"},
			{"PUT", actionPath, "?action_id=reject", `{"reject_reason":"` + strings.Repeat("否", 301) + `"}`, "OSM.01010001", "reject_reason"},
			{"PUT", actionPath, "?action_id=cancel", "", "OSM.01010002", ""},
			{"POST", checkPath, "", `{"port":22,"account":"root","password":"x"}`, "OSM.01010002", ""},
			{"POST", checkPath, "", `{"port":22,"account":"root"}`, "OSM.01010001", "password"},
			{"GET", sessionsPath, "?limit=0", "", "OSM.01010001", "limit"},
			{"GET", commandsPath, "?sort=2", "", "OSM.01010001", "sort"},
			{"GET", commandsPath, "", "", "OSM.01010001", "session_id"},
			{"GET", transfersPath, "", "", "OSM.01010001", "session_id"},
		} {
			for _, language := range []string{"zh-cn", "en-us"} {
				status, answer := c.call(tt.method, tt.path, at, tt.query, tt.body, "X-Language", language)
				text := fmt.Sprint(answer["error_msg"])
				han := strings.ContainsFunc(text, func(r rune) bool { return r >= 0x4e00 && r < 0xa000 })
				if answer["error_code"] != tt.code || status < 400 || status >= 500 || !strings.Contains(text, tt.says) || han != (language == "zh-cn") || strings.Contains(text, "hidden-word") {
					c.t.Errorf("%s %s%s: %d %v", tt.method, tt.path, tt.query, status, answer)
				}
			}
		}
		if status, answer := c.call("PUT", onePath, at, "", good); status != 200 || len(answer) != 0 {
			c.t.Fatalf("confirm: %d %v", status, answer)
		}
		_, one = c.call("GET", onePath, at, "", "", "X-Language", "en-us")
		wants(c.t, one, map[string]any{"status": 1.0, "auth_effective_time": "2026-01-15T08:00:00Z", "auth_expire_time": "2026-01-15T09:00:00Z", "auth_handler_name": "boss",
			"visit_type_name": "SSH", "content_type_name": "Account and password"})
		wants(c.t, one["incident_auth_detail_list"].([]any)[0].(map[string]any), map[string]any{"account": "root", "port": 22.0, "type": 1.0, "instance_name": "192.0.2.1"})
		if text := fmt.Sprint(one); strings.Contains(text, "hidden-word") {
			c.t.Errorf("the password is shown: %s", text)
		}

		session, err := c.s.OpenSession(c.t.Context(), c.engineer, id, detail)
		if err != nil {
			c.t.Fatal(err)
		}
		at["session_id"] = session.ID
		started := c.clock.Now().UnixMilli()
		err = c.s.Append(c.t.Context(), c.engineer, id, session.ID, []authorization.Command{{Text: "ls", At: started}},
			[]authorization.Transfer{{At: started, Duration: 3_661_000, Kind: authorization.Download, File: "a", Size: 2 << 20, Result: authorization.Failure}})
		if err != nil {
			c.t.Fatal(err)
		}
		c.clock.Add(90 * time.Second)
		_, sessions := c.call("GET", sessionsPath, at, "", "")
		running := sessions["session_list"].([]any)[0].(map[string]any)
		wants(c.t, running, map[string]any{"start_time": "2026-01-15 16:00:00", "duration": "00:01:30", "session_id": float64(session.ID)})
		if _, ended := running["end_time"]; ended {
			c.t.Errorf("a running session has an end: %v", running)
		}
		if _, err := c.s.CloseSession(c.t.Context(), c.engineer, id, session.ID); err != nil {
			c.t.Fatal(err)
		}
		_, sessions = c.call("GET", sessionsPath, at, "", "", "X-Time-Zone", "America/New_York")
		wants(c.t, sessions["session_list"].([]any)[0].(map[string]any), map[string]any{"start_time": "2026-01-15 03:00:00", "end_time": "2026-01-15 03:01:30"})
		_, commands := c.call("GET", commandsPath, at, "", "", "X-Time-Zone", "UTC")
		wants(c.t, commands["ops_list"].([]any)[0].(map[string]any), map[string]any{"oper": "ls", "operate_time": "2026-01-15 08:00:00"})
		_, files := c.call("GET", transfersPath, at, "", "")
		wants(c.t, files["file_ops_list"].([]any)[0].(map[string]any), map[string]any{"operate_type": "下载", "oper_result": "失败", "duration": "01:01:01", "file_size": "2M", "operate_time": "2026-01-15 16:00:00"})
		if sessions["total_count"] != 1.0 || commands["total_count"] != 1.0 || files["total_count"] != 1.0 {
			c.t.Errorf("counts: %v, %v, %v", sessions, commands, files)
		}
		if status, answer := c.call("PUT", actionPath, at, "?action_id=cancel", ""); status != 200 || len(answer) != 0 {
			c.t.Errorf("cancel: %d %v", status, answer)
		}
		if status, answer := c.call("GET", "/login-type", nil, "", ""); status != 200 || answer["login_type"] != "PASSWORD" {
			c.t.Errorf("login type: %d %v", status, answer)
		}
	})
}
