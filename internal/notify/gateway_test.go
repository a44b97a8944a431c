package notify_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"casemate/internal/config"
	"casemate/internal/notify"
)

// smsServer is a provider's HTTP interface on loopback.
type smsServer struct {
	*httptest.Server
	mu     sync.Mutex
	got    []*http.Request
	bodies []string
	answer func(w http.ResponseWriter, n int)
}

func startSMS(t *testing.T, answer func(w http.ResponseWriter, n int)) *smsServer {
	t.Helper()
	s := &smsServer{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.got, s.bodies = append(s.got, r), append(s.bodies, string(b))
		n := len(s.got)
		s.mu.Unlock()
		s.answer(w, n)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *smsServer) config() config.SMSGateway {
	return config.SMSGateway{Name: "gw", URL: s.URL + "/send?ref={id}", Headers: map[string]string{"Authorization": "Bearer {secret}"},
		Body:    `{"to":"{to}","area":"{area}","number":"{national}","text":"{text}","code":"{code}","template":"{template}","lang":"{language}"}`,
		Success: config.Condition{Path: "result.code", Values: []string{"0", "OK"}}, Refused: config.Condition{Path: "result.code", Values: []string{"BLACKLIST"}},
		ProviderID: "data.0.sid", Allow: []string{"127.0.0.1"}}
}

func answer(status int, body string) func(http.ResponseWriter, int) {
	return func(w http.ResponseWriter, _ int) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// TestGateway: the request is what the template says, with every value escaped
// for its place, and the provider's id is kept.
func TestGateway(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		server := startSMS(w.t, answer(200, `{"result":{"code":0},"data":[{"sid":"SM-77"}]}`))
		c := server.config()
		w.serve(notify.Options{Config: config.Notify{Product: `云"助手`, SMS: []config.SMSGateway{c}}})
		id := w.queue(codeSMS())
		w.work()
		if d := w.wantState(id, "sent", ""); d.Attempts[0].ProviderID != "SM-77" || outcomes(d) != "gw:ok" {
			w.t.Errorf("%+v", d)
		}
		r := server.got[0]
		if r.Method != "POST" || r.URL.Query().Get("ref") != id || r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			w.t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		var body map[string]string
		if err := json.Unmarshal([]byte(server.bodies[0]), &body); err != nil {
			w.t.Fatalf("%v: %s", err, server.bodies[0])
		}
		for name, want := range map[string]string{"to": "+8613800138000", "area": "86", "number": "13800138000", "code": "048213", "template": "verify.code", "lang": "zh-cn"} {
			if body[name] != want {
				w.t.Errorf("%s: %q", name, body[name])
			}
		}
		if !strings.HasPrefix(body["text"], `【云"助手】验证码 048213`) {
			w.t.Errorf("text %q", body["text"])
		}

		c.Form, c.Body = true, "to={to}&text={text}"
		w.serve(notify.Options{Config: config.Notify{Product: "a&b=c+d", SMS: []config.SMSGateway{c}}})
		w.queue(codeSMS())
		w.work()
		form, err := url.ParseQuery(server.bodies[1])
		if err != nil || form.Get("to") != "+8613800138000" || !strings.Contains(form.Get("text"), "a&b=c+d") || len(form) != 2 {
			w.t.Errorf("form %v, %v", form, err)
		}
	})
}

// TestGatewayAnswers: what each answer means for the message; no answer brings
// number, code or secret into the ledger or the log.
func TestGatewayAnswers(t *testing.T) {
	t.Parallel()
	const echo = `{"result":{"code":"%s"},"echo":"+8613800138000 048213"}`
	var redirected atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { redirected.Add(1) }))
	t.Cleanup(other.Close)
	cases := []struct {
		name           string
		answer         func(http.ResponseWriter, int)
		state, outcome string
	}{
		{"good", answer(200, fmt.Sprintf(echo, "OK")), "sent", "gw:ok"},
		{"unknown code", answer(200, fmt.Sprintf(echo, "LIMIT 048213")), "sending", "gw:temporary"},
		{"black list", answer(200, fmt.Sprintf(echo, "BLACKLIST")), "bounced", "gw:permanent"},
		{"black list with 4xx", answer(403, fmt.Sprintf(echo, "BLACKLIST")), "bounced", "gw:permanent"},
		{"not JSON", answer(200, "<html>OK</html>"), "sending", "gw:temporary"},
		{"empty", answer(204, ""), "sending", "gw:temporary"},
		{"bad request", answer(400, fmt.Sprintf(echo, "BAD")), "failed", "gw:permanent"},
		{"wrong key", answer(401, ""), "sending", "gw:temporary"},
		{"too many", answer(429, ""), "sending", "gw:temporary"},
		{"broken", answer(500, fmt.Sprintf(echo, "OK")), "sending", "gw:temporary"},
		{"too long", func(w http.ResponseWriter, _ int) { _, _ = io.WriteString(w, strings.Repeat("x", 100<<10)) }, "sending", "gw:temporary"},
		{"redirect", func(w http.ResponseWriter, _ int) { w.Header().Set("Location", other.URL); w.WriteHeader(302) }, "sending", "gw:temporary"},
		{"cut off", func(w http.ResponseWriter, _ int) { panic(http.ErrAbortHandler) }, "sending", "gw:temporary"},
	}
	each(t, notify.Options{}, func(w *world) {
		for _, c := range cases {
			server := startSMS(w.t, c.answer)
			w.serve(notify.Options{Config: config.Notify{SMS: []config.SMSGateway{server.config()}}})
			m := codeSMS()
			m.Ref = c.name
			id := w.queue(m)
			w.work()
			d := w.delivery(id)
			if d.State != c.state || outcomes(d) != c.outcome {
				w.t.Errorf("%s: %s, %s", c.name, d.State, outcomes(d))
			}
			if detail := d.Attempts[0].Detail; strings.Contains(detail, "138001") || strings.Contains(detail, "048213") {
				w.t.Errorf("%s: detail %q", c.name, detail)
			}
			if err := w.s.Unblock(w.t.Context(), admin, m.To); err != nil {
				w.t.Fatal(err)
			}
			w.drop(c.name, "test")
		}
		if redirected.Load() != 0 {
			w.t.Error("a redirect was followed")
		}
		for _, secret := range []string{"048213", "13800138000"} {
			if strings.Contains(w.log.String(), secret) {
				w.t.Errorf("%s is in the log", secret)
			}
		}
	})
}

func TestGatewayConfig(t *testing.T) {
	t.Setenv("CASEMATE_TEST_SECRET", "k")
	good := config.SMSGateway{URL: "https://sms.example/send?to={to}", Secret: config.Secret{Env: "CASEMATE_TEST_SECRET"}}
	if _, err := notify.NewGateway(good); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*config.SMSGateway){
		"no url":               func(c *config.SMSGateway) { c.URL = "" },
		"scheme":               func(c *config.SMSGateway) { c.URL = "ftp://x.example/" },
		"host from a value":    func(c *config.SMSGateway) { c.URL = "https://{to}.example/" },
		"host from a value 2":  func(c *config.SMSGateway) { c.URL = "https://sms.example{text}/" },
		"credentials in it":    func(c *config.SMSGateway) { c.URL = "https://u:p@sms.example/" },
		"unknown placeholder":  func(c *config.SMSGateway) { c.Body = `{"a":"{phone}"}` },
		"header name":          func(c *config.SMSGateway) { c.Headers = map[string]string{"X Y": "z"} },
		"unknown in a header":  func(c *config.SMSGateway) { c.Headers = map[string]string{"X": "{token}"} },
		"range":                func(c *config.SMSGateway) { c.Allow = []string{"everything"} },
		"secret not set":       func(c *config.SMSGateway) { c.Secret = config.Secret{Env: "CASEMATE_NO_SUCH"} },
		"no such certificates": func(c *config.SMSGateway) { c.CAFile = "/no/such" },
	} {
		c := good
		change(&c)
		if _, err := notify.NewGateway(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
