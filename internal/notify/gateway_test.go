package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

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

// innerHosts are ways to write an address that is not public.
var innerHosts = []string{
	"127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "localhost", "LOCALHOST", "localhost.",
	"0.0.0.0", "0", "0.0.0.1", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.127.255.255",
	"192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
	"[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::10.0.0.1]", "[64:ff9b:1::1]",
	"[2002:7f00:1::]", "[2002:a00:1::1]", "[2001::1]", "[2001:db8::1]", "[fe80::1]", "[fe80::1%25lo]", "[fec0::1]", "[fc00::1]", "[fd12:3456::1]", "[ff02::1]", "[100::1]", "[3fff::1]", "[4000::1]",
}

// TestSSRF: no spelling of an inner address, and no name that leads to one, is
// connected to (threats.md D12).
func TestSSRF(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	server.Config.ConnState = func(net.Conn, http.ConnState) { reached.Add(1) }
	server.Start()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var g notify.Guard
	client := g.Client()
	if len(innerHosts) < 50 {
		t.Fatalf("only %d spellings", len(innerHosts))
	}
	get := func(c *http.Client, target string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
		if err != nil {
			return err
		}
		res, err := c.Do(req)
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	var wg sync.WaitGroup
	for _, h := range innerHosts {
		for _, scheme := range []string{"http", "https"} {
			wg.Go(func() {
				if err := get(client, scheme+"://"+h+":"+port+"/"); err == nil {
					t.Errorf("%s://%s answered", scheme, h)
				}
			})
		}
	}
	wg.Wait()
	for _, h := range innerHosts {
		a, err := netip.ParseAddr(strings.Trim(strings.Split(h, "%")[0], "[]"))
		if err == nil && g.Check(a) == nil {
			t.Errorf("%s passes", h)
		}
	}
	for _, public := range []string{"1.1.1.1", "8.8.8.8", "223.5.5.5", "172.32.0.1", "100.128.0.1", "198.20.0.1", "2400:3200::1", "2606:4700:4700::1111"} {
		if err := g.Check(netip.MustParseAddr(public)); err != nil {
			t.Errorf("%s is refused", public)
		}
	}

	// A name that is public when it is checked and inner when it is used.
	rebound := notify.Guard{Resolver: rebinding(t, "1.1.1.1")}
	if a, err := rebound.Resolver.LookupNetIP(t.Context(), "ip4", "rebind.example"); err != nil || len(a) != 1 || rebound.Check(a[0]) != nil {
		t.Fatalf("the first answer is %v, %v", a, err)
	}
	for range 4 {
		if err := get(rebound.Client(), "https://rebind.example:"+port+"/"); err == nil || !strings.Contains(err.Error(), "may not be reached") {
			t.Errorf("the name led to %v", err)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}

	// A listed range is reached, over http too; the rest still is not.
	g, err = notify.NewGuard([]string{"127.0.0.1/32"})
	if err != nil {
		t.Fatal(err)
	}
	if err := get(g.Client(), server.URL); err != nil {
		t.Errorf("listed: %v", err)
	}
	if err := get(g.Client(), "http://127.0.0.2:"+port); err == nil {
		t.Error("not listed, yet reached")
	}
	// Public, but in clear text.
	if err := get(g.Client(), "http://1.1.1.1/"); err == nil || !strings.Contains(err.Error(), "may not be reached") {
		t.Errorf("clear text: %v", err)
	}
}

// rebinding is a resolver whose DNS server answers the first question with one
// address and all others with loopback.
func rebinding(t *testing.T, first string) *net.Resolver {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { c.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for n := 0; ; n++ {
			size, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			var q dnsmessage.Message
			if q.Unpack(buf[:size]) != nil || len(q.Questions) == 0 {
				continue
			}
			a := netip.MustParseAddr("127.0.0.1")
			if n == 0 {
				a = netip.MustParseAddr(first)
			}
			reply := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, Authoritative: true}, Questions: q.Questions}
			if q.Questions[0].Type == dnsmessage.TypeA {
				reply.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 0},
					Body: &dnsmessage.AResource{A: a.As4()}}}
			}
			out, err := reply.Pack()
			if err != nil {
				return
			}
			if _, err := c.WriteTo(out, from); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", c.LocalAddr().String())
	}}
}
