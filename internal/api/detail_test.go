package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"casemate/internal/api"
	"casemate/internal/catalog"
	"casemate/internal/config"
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

const source = "83aeb0f2834c4df49826c781d32a963e"

// ticketWorld is the real surface over all its nouns, with two customers.
type ticketWorld struct {
	t          testing.TB
	db         *db.DB
	clock      *dbtest.Clock
	handler    http.Handler
	documented http.Handler // the same with errors.business_status: documented
	router     routers.Router
	catalog    *catalog.Service
	ticket     *ticket.Service
	temp       string

	boss, li, wang, foreign principal.Principal
}

func eachTicketWorld(t *testing.T, test func(w *ticketWorld)) {
	t.Helper()
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) { test(newTicketWorld(t, d, clock)) })
}

var routerOnce = sync.OnceValues(func() (routers.Router, error) {
	contract, err := openapi3.NewLoader().LoadFromFile("../../api/v2.yaml")
	if err != nil {
		return nil, err
	}
	contract.Servers = nil
	return legacy.NewRouter(contract)
})

func newTicketWorld(t testing.TB, d *db.DB, clock *dbtest.Clock) *ticketWorld {
	t.Helper()
	w := &ticketWorld{t: t, db: d, clock: clock, temp: t.TempDir() + "/export"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, quiet, house := t.Context(), slog.New(slog.NewTextHandler(io.Discard, nil)), principal.AsSystem(principal.House)
	var err error
	w.router, err = routerOnce()
	must(err)
	keys := sealtest.Keyring(t)
	people := identity.New(d, keys, identity.Options{PasswordMemory: 64})
	w.catalog, err = catalog.New(ctx, d, catalog.Options{UnlimitedQuota: true, Log: quiet})
	must(err)
	must(w.catalog.EnsureDefault(ctx))
	out, err := notify.New(d, keys, notify.Options{Config: config.Notify{}, Catch: true, Log: quiet})
	must(err)
	v, err := verify.New(d, keys, people, out, verify.Options{})
	must(err)
	w.ticket, err = ticket.New(d, keys, ticket.Nouns{Identity: people, Catalog: w.catalog, Verify: v, Notify: out}, ticket.Options{Log: quiet})
	must(err)
	nouns := api.Nouns{Catalog: w.catalog, Verify: v, Ticket: w.ticket}
	w.handler, err = api.New(nouns, api.Options{Temp: w.temp, Log: quiet})
	must(err)
	w.documented, err = api.New(nouns, api.Options{Temp: w.temp, Documented: true, Log: quiet})
	must(err)
	join := func(name string) string {
		dom, err := people.CreateDomain(ctx, house, identity.NewDomain{Name: name, Plan: "Business"})
		must(err)
		return dom.ID
	}
	user := func(domain, name string, main bool) principal.Principal {
		u, err := people.CreateUser(ctx, house, identity.NewUser{Domain: domain, Name: name, Password: "a-Password-1", Main: main, Mail: name + "@example.com"})
		must(err)
		return principal.Principal{Kind: principal.Customer, Domain: domain, User: u.ID, UserName: name, Main: main}
	}
	one, two := join("one"), join("two")
	w.boss, w.li, w.wang, w.foreign = user(one, "boss", true), user(one, "li", false), user(one, "wang", false), user(two, "foreign", true)
	return w
}

// send sends a request and answers as it came, held against the contract.
func (w *ticketWorld) send(h http.Handler, who principal.Principal, method, path string, body any, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			w.t.Fatal(err)
		}
	}
	req := httptest.NewRequestWithContext(w.t.Context(), method, "/v2/servicerequest/"+path, bytes.NewReader(text))
	req.Header.Set("X-Auth-Token", "verified in front of the surface")
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	req = req.WithContext(locale.With(principal.With(req.Context(), who),
		locale.Parse(req.Header.Get("X-Language"), req.Header.Get("X-Time-Zone"), req.Header.Get("X-Site"))))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	route, params, err := w.router.FindRoute(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	if strings.Contains(rec.Header().Get("Content-Type"), "json") {
		in := &openapi3filter.RequestValidationInput{Request: req, Route: route, PathParams: params}
		out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: rec.Code, Header: rec.Header(), Body: io.NopCloser(bytes.NewReader(rec.Body.Bytes()))}
		if err := openapi3filter.ValidateResponse(w.t.Context(), out); err != nil {
			w.t.Errorf("%s %s: the answer breaks the contract: %v\n%s", method, path, err, rec.Body)
		}
	}
	return rec
}

type object = map[string]any

func (w *ticketWorld) call(who principal.Principal, method, path string, body any, headers ...string) (int, object) {
	w.t.Helper()
	rec := w.send(w.handler, who, method, path, body, headers...)
	var out object
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		w.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
	return rec.Code, out
}

// ok is a call that must succeed.
func (w *ticketWorld) ok(who principal.Principal, method, path string, body any, headers ...string) object {
	w.t.Helper()
	status, out := w.call(who, method, path, body, headers...)
	if code, _ := out["error_code"].(string); status != http.StatusOK || code != "" {
		w.t.Fatalf("%s %s: %d %v", method, path, status, out)
	}
	return out
}

// refused is a call that must fail with the code and, in both languages, name
// the field.
func (w *ticketWorld) refused(who principal.Principal, method, path string, body any, code, field string) {
	w.t.Helper()
	texts := map[string]bool{}
	for _, lang := range []string{"zh-cn", "en-us"} {
		status, out := w.call(who, method, path, body, "X-Language", lang)
		msg, _ := out["error_msg"].(string)
		if status < 400 || status >= 500 || out["error_code"] != "OSM."+code || !strings.Contains(msg, field) {
			w.t.Errorf("%s %s %s: %d %v, want %s at %q", method, path, lang, status, out, code, field)
		}
		texts[msg] = true
	}
	if len(texts) != 2 {
		w.t.Errorf("%s %s: one text for both languages: %v", method, path, texts)
	}
}

func (w *ticketWorld) create(who principal.Principal, more object) string {
	w.t.Helper()
	body := object{"business_type_id": "account-change", "simple_description": "please", "source_id": source, "extends_map": object{"login_name": "me"}}
	for k, v := range more {
		body[k] = v
	}
	return w.ok(who, "POST", "cases", body)["incident_id"].(string)
}

func TestCaseParams(t *testing.T) {
	eachTicketWorld(t, func(w *ticketWorld) {
		body := func(params, extension object) object {
			b := object{"business_type_id": "account-login", "region_id": "cn-north-1", "simple_description": "x", "source_id": source, "extends_map": params}
			if extension != nil {
				b["extension_map"] = extension
			}
			return b
		}
		long := strings.Repeat("字", 128)
		for _, tt := range []struct {
			params, extension object
			code, field       string
		}{
			{object{}, nil, "01010001", "extends_map.login_name"},
			{object{"login_name": nil}, nil, "01010001", "extends_map.login_name"},
			{object{"login_name": long + "字"}, nil, "01010001", "extends_map.login_name"},
			{object{"login_name": object{"a": 1}}, nil, "01010001", "extends_map.login_name"},
			{object{"login_name": "x", "eip": "1"}, nil, "01010001", "extends_map.eip"},
			{object{"login_name": "x"}, object{"remindCCEmail": "nobody"}, "01010008", "extension_map.remindCCEmail"},
			{object{"login_name": "x"}, object{"remindCCEmail": 7}, "01010008", "extension_map.remindCCEmail"},
			{object{"login_name": "x"}, object{"remindCCEmail": object{}}, "0001", "extension_map.remindCCEmail"},
			{object{"login_name": "x"}, object{"contactType": strings.Repeat("x", 33)}, "01010001", "extension_map.contactType"},
			{object{"login_name": "x"}, object{"contactType": []int{1}}, "0001", "extension_map.contactType"},
			{object{"login_name": "x"}, object{"group_id": strings.Repeat("x", 65)}, "01010001", "extension_map.group_id"},
			{object{"login_name": "x"}, object{"group_id": "nothing"}, "01010002", "extension_map.group_id"},
		} {
			w.refused(w.li, "POST", "cases", body(tt.params, tt.extension), tt.code, tt.field)
		}
		if out := w.ok(w.li, "GET", "cases", nil); out["total_count"] != 0.0 {
			w.t.Fatalf("refused tickets were stored: %v", out)
		}
		n := w.ok(w.li, "POST", "cases", body(object{"login_name": long, "client_ip": "198.51.100.7", "error_message": `say "hi"`},
			object{"cc_email": "A@example.org; b@example.org", "contactType": 2, "isReceiveMsgRemind": true, "user_id": "somebody", "status": 3}))["incident_id"].(string)
		d := w.ok(w.li, "GET", "cases/"+n, nil, "X-Language", "en-us")
		info := d["incident_detail_info"].(object)
		ext := info["ext_info"].(object)
		if ext["cc_email"] != "a@example.org,b@example.org" || ext["contact_type"] != "2" || info["status"] != 0.0 || info["xcustomer_id"] != w.li.User {
			w.t.Errorf("%v", info)
		}
		params := list(testingT(w.t), object{"p": d["extends_params"]}, "p")
		if len(params) != 3 || params[0]["param_name"] != "Account name" || params[0]["param_value"] != "******" || params[0]["is_sensitive"] != 1.0 || params[1]["param_value"] != `say "hi"` {
			w.t.Errorf("%v", params)
		}
		// A ticket without parameters has an empty list, and an error has none.
		plain := w.create(w.li, object{"business_type_id": "uc-message", "extends_map": object{}})
		if got, ok := w.ok(w.li, "GET", "cases/"+plain, nil)["extends_params"].([]any); !ok || len(got) != 0 {
			w.t.Errorf("%v", got)
		}
		if _, out := w.call(w.foreign, "GET", "cases/"+n, nil); len(out) != 2 || out["error_code"] != "OSM.01010015" {
			w.t.Errorf("%v", out)
		}
	})
}

func testingT(t testing.TB) *testing.T { return t.(*testing.T) }

func TestCaseExtendsParam(t *testing.T) {
	eachTicketWorld(t, func(w *ticketWorld) {
		n := w.create(w.li, nil)
		path := "cases/" + n + "/extends-param"
		if out := w.ok(w.li, "POST", path, object{"extends_map": object{"eip": "203.0.113.1", "symptoms": []string{"slow", "cpu"}, "remote_port": 22}}); len(out) != 0 {
			w.t.Errorf("%v", out)
		}
		msg := list(testingT(w.t), w.ok(w.li, "GET", "cases/"+n, nil)["incident_detail_info"].(object), "message_list")[0]["message_id"].(string)
		w.ok(w.boss, "POST", path, object{"extends_map": object{"eip": "203.0.113.2"}, "message_id": msg})
		out := w.ok(w.li, "GET", path, nil)
		if got, _ := json.Marshal(out["extends_map"]); string(got) != `{"eip":"203.0.113.1","login_name":"******","remote_port":"22","symptoms":"slow,cpu"}` {
			w.t.Errorf("%s", got)
		}
		names := []string{}
		for _, p := range list(testingT(w.t), object{"p": out["extends_params"]}, "p") {
			names = append(names, p["param_key"].(string)+"="+p["param_value_name"].(string))
			if p["param_key"] == "eip" && p["param_value"] == "203.0.113.2" && p["message_id"] != msg {
				w.t.Errorf("%v", p)
			}
		}
		if got := strings.Join(names, " "); got != "login_name=****** eip=203.0.113.1 remote_port=22 symptoms=响应缓慢、CPU 使用率高 eip=203.0.113.2" {
			w.t.Errorf("%s", got)
		}
		w.refused(w.li, "POST", path, nil, "01010001", "extends_map")
		w.refused(w.li, "POST", path, object{"extends_map": object{}}, "01010001", "extends_map")
		w.refused(w.li, "POST", path, object{"extends_map": object{"remote_port": 65536}}, "01010001", "extends_map.remote_port")
		w.refused(w.li, "POST", path, object{"extends_map": object{"eip": "1"}, "message_id": "other"}, "01010001", "message_id")
		w.refused(w.li, "POST", path, object{"extends_map": object{"eip": "1"}, "group_id": "other"}, "01010002", "group_id")
		for _, who := range []principal.Principal{w.wang, w.foreign} {
			w.refused(who, "POST", path, object{"extends_map": object{"eip": "1"}}, "01010015", "")
			w.refused(who, "GET", path, nil, "01010015", "")
		}
		w.refused(w.li, "GET", "cases/nothing/extends-param", nil, "01010015", "")
	})
}

func TestContactInfo(t *testing.T) {
	eachTicketWorld(t, func(w *ticketWorld) {
		n := w.create(w.li, object{"remind_mail": "li@example.com", "remind_time": "09:00-18:00", "extension_map": object{"remindCCEmail": "a@example.org"}})
		path := "cases/" + n + "/contact-info"
		ext := func() object {
			w.t.Helper()
			return w.ok(w.li, "GET", "cases/"+n, nil)["incident_detail_info"].(object)["ext_info"].(object)
		}
		w.clock.Add(time.Second)
		ten := strings.TrimSuffix(strings.Repeat("x@example.org,", 1)+"1@example.org,2@example.org,3@example.org,4@example.org,5@example.org,6@example.org,7@example.org,8@example.org,9@example.org", ",")
		w.ok(w.li, "PUT", path, object{"extension_map": object{"remindCCEmail": ten}})
		w.refused(w.li, "PUT", path, object{"extension_map": object{"remindCCEmail": ten + ",one@example.org"}}, "01010008", "extension_map.remindCCEmail")
		if got := ext(); got["cc_email"] != ten || got["remind_mail"] != "li@example.com" || got["remind_time"] != "09:00-18:00" {
			w.t.Errorf("%v", got)
		}
		w.ok(w.li, "PUT", path, object{"remind_time": "", "extension_map": object{"remindCCEmail": nil}})
		if got := ext(); got["cc_email"] != nil || got["remind_time"] != nil || got["remind_mail"] != "li@example.com" {
			w.t.Errorf("%v", got)
		}
		w.ok(w.li, "PUT", path, nil)
		for _, tt := range []struct {
			body        object
			code, field string
		}{
			{object{"remind_mail": strings.Repeat("a", 129)}, "01010001", "remind_mail"},
			{object{"remind_mobile": strings.Repeat("1", 33)}, "01010001", "remind_mobile"},
			{object{"area_code": strings.Repeat("1", 33)}, "01010001", "area_code"},
			{object{"remind_time": strings.Repeat("0", 17)}, "01010001", "remind_time"},
			{object{"group_id": strings.Repeat("g", 65)}, "01010001", "group_id"},
			{object{"remind_time": "9-18"}, "01010001", "remind_time"},
			{object{"remind_mail": nil}, "0001", "remind_mail"},
			{object{"remind_mail": "other@example.org"}, "01010010", "remind_mail"},
			{object{"remind_mobile": "13800138000"}, "01010010", "remind_mobile"},
		} {
			w.refused(w.li, "PUT", path, tt.body, tt.code, tt.field)
		}
		for _, who := range []principal.Principal{w.wang, w.foreign} {
			w.refused(who, "PUT", path, object{"remind_mail": ""}, "01010015", "")
		}
		out := w.ok(w.li, "GET", "carbon-copy-emails", nil)
		if info := out["cc_email_info"].(object); info["cc_email"] != ten || info["user_id"] != w.li.User || info["customer_id"] != w.li.Domain || len(out["mc_email_infos"].([]any)) != 11 {
			w.t.Errorf("%v", out)
		}
		if out := w.ok(w.wang, "GET", "carbon-copy-emails", nil); len(out) != 1 || len(out["mc_email_infos"].([]any)) != 0 {
			w.t.Errorf("%v", out)
		}
	})
}

func TestConfigurationAndFeedback(t *testing.T) {
	eachTicketWorld(t, func(w *ticketWorld) {
		if out := w.ok(w.li, "GET", "configurations/supported_languages", nil); out["config_value"] != "zh-cn,en-us" || out["config_key"] != "supported_languages" {
			w.t.Errorf("%v", out)
		}
		for _, key := range []string{"nothing", "Supported_languages", strings.Repeat("k", 2000)} {
			w.refused(w.li, "GET", "configurations/"+key, nil, "01010001", "config_key")
		}
		report := func(change func(r, contacts object)) object {
			c := object{"name": "Name", "mobile": "13800138000", "id_type": 20, "id_files": []string{"i"}}
			r := object{"type": "spam", "title": "t", "content": "c", "files": []string{"f"}, "contacts": c}
			change(r, c)
			return r
		}
		if out := w.ok(w.li, "POST", "feedbacks", report(func(r, _ object) { r["ip"] = object{"ip_type": "patent"} })); len(out) != 0 {
			w.t.Errorf("%v", out)
		}
		for _, tt := range []struct {
			change      func(r, c object)
			code, field string
		}{
			{func(r, _ object) { r["type"] = "gossip" }, "01010016", "type"},
			{func(r, _ object) { r["type"] = strings.Repeat("x", 33) }, "01010001", "type"},
			{func(r, _ object) { delete(r, "type") }, "01010001", "type"},
			{func(r, _ object) { r["title"] = strings.Repeat("字", 2049) }, "01010001", "title"},
			{func(r, _ object) { r["content"] = strings.Repeat("字", 5001) }, "01010001", "content"},
			{func(r, _ object) { r["files"] = []string{} }, "01010001", "files"},
			{func(r, _ object) { r["files"] = []string{"1", "2", "3", "4"} }, "01010001", "files"},
			{func(r, _ object) { r["files"] = []string{strings.Repeat("x", 33)} }, "01010001", "files"},
			{func(_, c object) { delete(c, "mobile") }, "01010001", "mobile"},
			{func(_, c object) { c["id_type"] = 101 }, "01010001", "id_type"},
			{func(_, c object) { c["id_type"] = 30 }, "01010001", "id_type"},
			{func(_, c object) { c["id_files"] = []string{} }, "01010001", "id_files"},
			{func(r, _ object) { r["ip"] = object{"ip_type": "moral"} }, "01010031", "ip_type"},
		} {
			w.refused(w.li, "POST", "feedbacks", report(tt.change), tt.code, tt.field)
		}
		admin := principal.Principal{Kind: principal.Local, Domain: principal.House, User: "local"}
		if page, _, err := w.ticket.Reports(w.t.Context(), admin, ticket.ReportFilter{}); err != nil || len(page) != 1 || page[0].Kind != "spam" {
			w.t.Errorf("%v %v", page, err)
		}
	})
}
