package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/api"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/seal/sealtest"
	"casemate/internal/verify"
	"casemate/internal/wire"
)

// inbox takes all messages.
type inbox struct {
	mu  sync.Mutex
	got []notify.Outgoing
}

func (*inbox) Name() string { return "inbox" }

func (i *inbox) Send(_ context.Context, m notify.Outgoing) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.got = append(i.got, m)
	return "", nil
}

// surface is the customer surface over the verification codes' nouns.
type surface struct {
	t     *testing.T
	h     map[bool]http.Handler // by errors.business_status = documented
	clock *dbtest.Clock
	jobs  *job.Runner
	inbox *inbox
	who   principal.Principal
}

func eachSurface(t *testing.T, test func(s *surface)) {
	t.Helper()
	for name, url := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLiteURL, "postgres": dbtest.MigratedDatabase} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
			s := &surface{t: t, h: map[bool]http.Handler{}, clock: dbtest.NewClock(time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC)), inbox: new(inbox)}
			d := dbtest.Open(t, db.Options{URL: url(t), Now: s.clock.Now})
			keys := sealtest.Keyring(t)
			ident := identity.New(d, keys, identity.Options{PasswordMemory: 64})
			out, err := notify.New(d, keys, notify.Options{Mail: []notify.Channel{s.inbox}, SMS: []notify.Channel{s.inbox}, Log: quiet})
			if err != nil {
				t.Fatal(err)
			}
			v, err := verify.New(d, keys, ident, out, verify.Options{Demo: true})
			if err != nil {
				t.Fatal(err)
			}
			s.jobs = job.NewRunner(d, "test", quiet)
			s.jobs.Add(out.Kinds()...)
			system := principal.AsSystem(principal.House)
			domain, err := ident.CreateDomain(t.Context(), system, identity.NewDomain{Name: "customer"})
			if err != nil {
				t.Fatal(err)
			}
			u, err := ident.CreateUser(t.Context(), system, identity.NewUser{Domain: domain.ID, Name: "boss", Password: "a long password", Main: true, AreaCode: "86", Mobile: "13800138000", Mail: "boss@example.com"})
			if err != nil {
				t.Fatal(err)
			}
			s.who = principal.Principal{Kind: principal.Customer, Domain: domain.ID, User: u.ID, Main: true}
			for _, documented := range []bool{false, true} {
				if s.h[documented], err = api.New(api.Nouns{Verify: v}, api.Options{Documented: documented, Log: quiet}); err != nil {
					t.Fatal(err)
				}
			}
			test(s)
		})
	}
}

// call makes a request as the surface sees it behind the server's chain.
func (s *surface) call(documented bool, method, path, body string, headers ...string) (int, http.Header, map[string]any) {
	s.t.Helper()
	r := httptest.NewRequest(method, "/v2/servicerequest/verifycodes"+path, strings.NewReader(body))
	r.Header.Set("X-Auth-Token", "verified by the chain")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	ctx := principal.With(r.Context(), s.who)
	ctx = locale.With(ctx, locale.Parse(r.Header.Get("X-Language"), r.Header.Get("X-Time-Zone"), ""))
	w := httptest.NewRecorder()
	ctx = wire.WithHeader(ctx, w.Header())
	s.h[documented].ServeHTTP(w, r.WithContext(ctx))
	if _, err := s.jobs.Work(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	var out map[string]any
	d := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		s.t.Fatalf("%s %s: %v in %q", method, path, err, w.Body)
	}
	return w.Code, w.Result().Header, out
}

func (s *surface) text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// TestVerifyCodesOnTheWire lives the documented flow: need-verify, send, check,
// has-verified, need-verify (semantics.md section 5).
func TestVerifyCodesOnTheWire(t *testing.T) {
	t.Parallel()
	eachSurface(t, func(s *surface) {
		ask := func(path string, headers ...string) string {
			s.t.Helper()
			status, _, body := s.call(false, "GET", path, "", headers...)
			if status != 200 {
				s.t.Errorf("%s: %d %v", path, status, body)
			}
			return s.text(body)
		}
		do := func(path, body string, headers ...string) {
			s.t.Helper()
			if status, _, got := s.call(false, "POST", path, body, headers...); status != 200 || len(got) != 0 {
				s.t.Errorf("%s: %d %v", path, status, got)
			}
		}
		if got := ask("/need-verify?contact_way=1&contact_value=boss@EXAMPLE.com"); got != `{"need_verify_code":0}` {
			s.t.Errorf("registered: %s", got)
		}
		need := "/need-verify?contact_way=1&contact_value=" + url.QueryEscape("Li+x@example.com")
		if got := ask(need); got != `{"need_verify_code":1}` {
			s.t.Errorf("unproved: %s", got)
		}
		do("/send", `{"contact_value":"li+x@example.com","contact_way":1,"area_code":"86"}`, "X-Language", "en-us")
		if len(s.inbox.got) != 1 || !strings.Contains(s.inbox.got[0].Text, "your verification code") {
			s.t.Fatalf("inbox %+v", s.inbox.got)
		}
		code := s.inbox.got[0].Code
		do("", `{"contact_value":"li+x@example.com","contact_way":1,"verify_code":"`+code+`","customer_id":"`+s.who.Domain+`","x_customer_id":"`+s.who.User+`"}`)
		if got := ask(need); got != `{"expire_time":"2026-04-15T08:00:00Z","need_verify_code":0}` {
			s.t.Errorf("proved: %s", got)
		}
		do("/send", `{"contact_value":"139 1234 5678","contact_way":0,"area_code":"+86"}`)
		if m := s.inbox.got[1]; m.To != "+8613912345678" || !strings.HasPrefix(m.Text, "【Casemate】验证码 ") {
			s.t.Errorf("%+v", m)
		}
		s.clock.Add(time.Second)
		do("", `{"contact_value":"13912345678","contact_way":0,"area_code":"86","verify_code":"`+s.inbox.got[1].Code+`"}`)
		status, _, list := s.call(false, "GET", "/has-verified", "")
		items, _ := list["contact_list"].([]any)
		if status != 200 || s.text(list["count"]) != "2" || len(items) != 2 {
			s.t.Fatalf("list %d %v", status, list)
		}
		first, second := items[0].(map[string]any), items[1].(map[string]any)
		if id, _ := first["verified_id"].(string); first["contact_value"] != "13912345678" || first["area_code"] != "86" || s.text(first["contact_way"]) != "0" || id == "" || len(id) > 32 {
			s.t.Errorf("%v", first)
		}
		if _, area := second["area_code"]; second["contact_value"] != "li+x@example.com" || s.text(second["contact_way"]) != "1" || area {
			s.t.Errorf("%v", second)
		}
		// The proofs end at 2026-04-15 08:00:00 UTC and a second later; the filter
		// is in the caller's zone, GMT+8 by default.
		for path, want := range map[string]string{
			"?expired_time=2026-04-15%2016:00:00": "2", "?expired_time=2026-04-15%2016:00:01": "1", "?expired_time=2026-04-15%2016:00:02": "0",
			"?contact_way=1": "1", "?verified_id=" + first["verified_id"].(string): "1", "?contact_value=13912345678&area_code=86": "1", "?area_code=86": "1", "?offset=1&limit=1": "2",
			"?limit=0": "2", "?contact_value=nobody@example.com": "0", "?sub_customer_id=nobody": "0", "?unknown=1": "2",
		} {
			if _, _, got := s.call(false, "GET", "/has-verified"+path, ""); s.text(got["count"]) != want {
				s.t.Errorf("%s: %v, want %s", path, got, want)
			}
		}
		if _, _, got := s.call(false, "GET", "/has-verified?expired_time=2026-04-15%2008:00:01", "", "X-Time-Zone", "UTC"); s.text(got["count"]) != "1" {
			s.t.Errorf("in UTC: %v", got)
		}
	})
}

// TestVerifyCodesRefusals: each refusal's code, field and status, in both
// modes and languages; limits at max and max+1.
func TestVerifyCodesRefusals(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n-len("@example.com")) + "@example.com" }
	eachSurface(t, func(s *surface) {
		for _, c := range []struct {
			name, method, path, body string
			status                   int
			code, zh, en             string // texts contain
		}{
			{"way 2", "GET", "/need-verify?contact_way=2&contact_value=x", "", 400, "OSM.01010012", "0 或 1", "0 or 1"},
			{"way -1", "POST", "/send", `{"contact_value":"x","contact_way":-1,"area_code":""}`, 400, "OSM.01010012", "0 或 1", "0 or 1"},
			{"way 3 in a filter", "GET", "/has-verified?contact_way=3", "", 400, "OSM.01010012", "0 或 1", "0 or 1"},
			{"way 5 at check", "POST", "", `{"contact_value":"x","contact_way":5,"verify_code":"123456"}`, 400, "OSM.01010012", "0 或 1", "0 or 1"},
			{"no value", "GET", "/need-verify?contact_way=1", "", 400, "OSM.01010001", "contact_value", "contact_value"},
			{"empty value", "POST", "/send", `{"contact_value":"","contact_way":1,"area_code":""}`, 400, "OSM.01010001", "contact_value", "contact_value"},
			{"value of 65", "POST", "/send", `{"contact_value":"` + long(65) + `","contact_way":1,"area_code":""}`, 400, "OSM.01010001", "contact_value", "contact_value"},
			{"area of 17", "POST", "/send", `{"contact_value":"a@example.com","contact_way":1,"area_code":"` + strings.Repeat("8", 17) + `"}`, 400, "OSM.01010001", "area_code", "area_code"},
			{"no area", "POST", "/send", `{"contact_value":"a@example.com","contact_way":1}`, 400, "OSM.01010001", "area_code", "area_code"},
			{"no number", "POST", "/send", `{"contact_value":"a@example.com","contact_way":0,"area_code":"86"}`, 400, "OSM.01010001", "手机号码", "phone number"},
			{"no address", "POST", "/send", `{"contact_value":"13800138000","contact_way":1,"area_code":"86"}`, 400, "OSM.01010001", "邮箱", "e-mail"},
			{"no calling code", "POST", "/send", `{"contact_value":"13800138000","contact_way":0,"area_code":"China"}`, 400, "OSM.01010001", "area_code", "area_code"},
			{"fixed line", "POST", "/send", `{"contact_value":"01012345678","contact_way":0,"area_code":"86"}`, 400, "OSM.01010001", "不支持接收短信", "no verification code can be sent"},
			{"other country", "POST", "/send", `{"contact_value":"4155552671","contact_way":0,"area_code":"1"}`, 400, "OSM.01010001", "不支持接收短信", "no verification code can be sent"},
			{"five digits", "POST", "", `{"contact_value":"a@example.com","contact_way":1,"verify_code":"12345"}`, 400, "OSM.01010001", "verify_code", "verify_code"},
			{"seven digits", "POST", "", `{"contact_value":"a@example.com","contact_way":1,"verify_code":"1234567"}`, 400, "OSM.01010001", "verify_code", "verify_code"},
			{"no code sent", "POST", "", `{"contact_value":"a@example.com","contact_way":1,"verify_code":"123456"}`, 400, "OSM.01010010", "验证未通过", "Verification not passed"},
			{"other domain", "POST", "", `{"contact_value":"a@example.com","contact_way":1,"verify_code":"123456","customer_id":"x"}`, 403, "OSM.01010002", "没有操作权限", "No operation permission"},
			{"other user", "POST", "", `{"contact_value":"a@example.com","contact_way":1,"verify_code":"123456","x_customer_id":"x"}`, 403, "OSM.01010002", "没有操作权限", "No operation permission"},
			{"other domain's list", "GET", "/has-verified?customer_id=x", "", 403, "OSM.01010002", "没有操作权限", "No operation permission"},
			{"time", "GET", "/has-verified?expired_time=tomorrow", "", 400, "OSM.01010001", "expired_time", "expired_time"},
			{"offset", "GET", "/has-verified?offset=-1", "", 400, "OSM.01010001", "offset", "offset"},
			{"limit", "GET", "/has-verified?limit=101", "", 400, "OSM.01010001", "limit", "limit"},
			{"unreadable", "POST", "/send", `{"contact_value"`, 400, "OSM.0001", "", ""},
		} {
			for _, documented := range []bool{false, true} {
				for lang, want := range map[string]string{"zh-cn": c.zh, "en-us": c.en} {
					status, _, body := s.call(documented, c.method, c.path, c.body, "X-Language", lang)
					wantStatus := c.status
					if documented && strings.HasPrefix(c.code, "OSM.0101") {
						wantStatus = 200 // semantics.md D1
					}
					msg, _ := body["error_msg"].(string)
					if status != wantStatus || body["error_code"] != c.code || msg == "" || !strings.Contains(msg, want) {
						s.t.Errorf("%s (%s, documented %v): %d %v", c.name, lang, documented, status, body)
					}
				}
			}
		}
		if len(s.inbox.got) != 0 {
			s.t.Errorf("%d messages of refused requests", len(s.inbox.got))
		}
		for _, body := range []string{`{"contact_value":"` + long(64) + `","contact_way":1,"area_code":"` + strings.Repeat("8", 16) + `"}`} {
			if status, _, got := s.call(false, "POST", "/send", body); status != 200 {
				s.t.Errorf("at the limits: %d %v", status, got)
			}
		}
		// A second send within the minute says when to come again.
		s.clock.Add(18 * time.Second)
		status, header, body := s.call(false, "POST", "/send", `{"contact_value":"`+long(64)+`","contact_way":1,"area_code":""}`, "X-Language", "en-us")
		if status != 429 || body["error_code"] != "OSM.01010024" || header.Get("Retry-After") != "42" || body["error_msg"] != "Verification code resent too frequently." {
			s.t.Errorf("%d %v, Retry-After %q", status, body, header.Get("Retry-After"))
		}
		if status, _, body := s.call(true, "POST", "/send", `{"contact_value":"`+long(64)+`","contact_way":1,"area_code":""}`); status != 200 || body["error_code"] != "OSM.01010024" {
			s.t.Errorf("documented: %d %v", status, body)
		}
	})
}
