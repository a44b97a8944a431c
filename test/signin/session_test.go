package signin

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"casemate/test/contract"
	"casemate/test/world"
)

// TestBrowserSession: the life of a browser's session (threats.md C11): what the
// cookie is, that it opens the surfaces only with the header, that log-in
// rotates it, its ends, its list, and what ends it.
func TestBrowserSession(t *testing.T) {
	each(t, world.Options{}, func(t *testing.T, w *world.World) {
		d := w.Domains[0]
		u := d.Users[1]
		b := customer(t, w, 1)
		c := b.cookie
		if c.Name != "casemate_session" || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 7*24*3600 {
			t.Errorf("the cookie: %+v", c)
		}
		// Without the header the cookie is as if it was not there; with another one it is refused.
		for _, path := range []string{"/v2/servicerequest/cases?limit=1", "/web/v1/audit", "/web/v1/sessions"} {
			if res, _ := b.send("GET", path, nil); res.StatusCode != 401 {
				t.Errorf("%s without the header: %d", path, res.StatusCode)
			}
			if res, _ := b.send("GET", path, nil, "X-Csrf", ""); res.StatusCode != 403 {
				t.Errorf("%s with an empty header: %d", path, res.StatusCode)
			}
			if res, _ := b.send("GET", path, nil, "X-Csrf", customer(t, w, 2).csrf); res.StatusCode != 403 {
				t.Errorf("%s with another session's header: %d", path, res.StatusCode)
			}
			if status, out := b.call("GET", path, nil); status != 200 {
				t.Errorf("%s with the header: %d %v", path, status, out)
			}
		}
		// What is missing is said; of a session that is over, that.
		for _, path := range []string{"/web/v1/sessions", "/web/v1/audit"} {
			if res, out := b.send("GET", path, nil); res.StatusCode != 401 || !strings.Contains(fmt.Sprint(out["error_msg"]), "X-Csrf") {
				t.Errorf("%s without the header: %d %v", path, res.StatusCode, out)
			}
		}
		over := &browser{t: t, url: w.URL, cookie: &http.Cookie{Name: c.Name, Value: "an old one"}}
		if res, out := over.send("GET", "/web/v1/sessions", nil); res.StatusCode != 401 || strings.Contains(fmt.Sprint(out["error_msg"]), "X-Csrf") {
			t.Errorf("sessions of no session: %d %v", res.StatusCode, out)
		}
		// A token counts whatever cookie lies beside it, an old one too.
		logged, out := b.send("POST", "/v3/auth/tokens", obj{"auth": obj{"identity": obj{"methods": []string{"password"},
			"password": obj{"user": obj{"name": u.Name, "password": u.Password, "domain": obj{"name": d.Name}}}}}})
		token := logged.Header.Get("X-Subject-Token")
		if token == "" {
			t.Fatalf("a token: %d %v", logged.StatusCode, out)
		}
		for _, secret := range []string{c.Value, "an old one"} {
			beside := &browser{t: t, url: w.URL, cookie: &http.Cookie{Name: c.Name, Value: secret}}
			for _, path := range []string{"/web/v1/audit", "/web/v1/articles"} {
				if res, out := beside.send("GET", path, nil, "X-Auth-Token", token); res.StatusCode != 200 {
					t.Errorf("%s by a token beside a cookie: %d %v", path, res.StatusCode, out)
				}
			}
			if res, _ := beside.send("GET", "/web/v1/sessions", nil, "X-Auth-Token", token); res.StatusCode != 401 {
				t.Errorf("sessions by a token beside a cookie: %d", res.StatusCode)
			}
		}
		res, out := b.send("GET", "/web/v1/session", nil)
		if res.StatusCode != 200 || out["csrf"] != b.csrf || out["kind"] != "customer" || out["name"] != u.Name || out["domain_name"] != d.Name || out["domain_id"] != d.ID {
			t.Errorf("who am I: %d %v", res.StatusCode, out)
		}
		if out["idle_seconds"] != 12*3600.0 {
			t.Errorf("idle: %v", out["idle_seconds"])
		}
		// One kind of caller opens nothing of another's.
		if status, _ := b.call("GET", "/desk/v1/tickets", nil); status != 403 {
			t.Errorf("a customer's session at the desk: %d", status)
		}
		// The identity surface, which gives out credentials, knows no cookie.
		if status, _ := b.call("GET", "/v3/auth/projects", nil); status != 401 {
			t.Errorf("the identity surface: %d", status)
		}
		e := login(t, w, "", w.Engineers[0].Name, w.Engineers[0].Password)
		if status, out := e.call("GET", "/desk/v1/sessions", nil); status != 200 || out["name"] != w.Engineers[0].Name {
			t.Errorf("an engineer's session at the desk: %d %v", status, out)
		}
		if status, _ := e.call("GET", "/v2/servicerequest/cases?limit=1", nil); status != 403 {
			t.Errorf("an engineer's session at the customer API: %d", status)
		}
		// A person of the house does not log in as a customer, nor the reverse.
		for _, body := range []obj{{"name": w.Engineers[0].Name, "password": w.Engineers[0].Password, "domain": d.Name}, {"name": u.Name, "password": u.Password},
			{"name": u.Name, "password": u.Password, "domain": "nowhere"}, {"name": "nobody", "password": "wrong-password", "domain": d.Name}} {
			n := &browser{t: t, url: w.URL}
			if res, out := n.send("POST", "/web/v1/session", body); res.StatusCode != 401 || len(res.Cookies()) > 0 || out["error_code"] != "APIGW.0301" {
				t.Errorf("%v: %d %v", body, res.StatusCode, out)
			}
		}
		// Logging in again with the old cookie rotates: the old one opens nothing.
		old := *b
		res, out = b.send("POST", "/web/v1/session", obj{"domain": d.Name, "name": u.Name, "password": u.Password})
		b.took(res, out)
		if b.cookie.Value == old.cookie.Value || b.csrf == old.csrf || old.alive() || !b.alive() {
			t.Error("the log-in did not rotate the session")
		}
		// Listed, with device and address, and revocable; another's is not there.
		second := customer(t, w, 1)
		stranger := customer(t, w, 2)
		_, out = b.call("GET", "/web/v1/sessions", nil)
		var other string
		for _, i := range out["items"].([]any) {
			i := i.(obj)
			if i["device"] != b.agent && i["device"] != "Browser of "+u.Name || i["address"] != "127.0.0.1" || i["method"] != "password" {
				t.Errorf("an entry: %v", i)
			}
			if i["current"] != true {
				other = i["id"].(string)
			}
		}
		if n := len(out["items"].([]any)); n != 2 || other == "" {
			t.Fatalf("%d sessions: %v", n, out)
		}
		if status, _ := stranger.call("DELETE", "/web/v1/sessions/"+other, nil); status != 400 || !second.alive() {
			t.Errorf("a colleague ends the session: %d", status)
		}
		if status, _ := b.call("DELETE", "/web/v1/sessions/"+other, nil); status != 204 || second.alive() || !b.alive() {
			t.Errorf("ending the other session: %d", status)
		}
		// Logging out ends it on the server, not only in the browser.
		if res, _ := b.send("DELETE", "/web/v1/session", nil); res.StatusCode != 401 || !b.alive() {
			t.Errorf("log-out without the header: %d", res.StatusCode)
		}
		res, _ = b.send("DELETE", "/web/v1/session", nil, "X-Csrf", b.csrf)
		if res.StatusCode != 204 || b.alive() || len(res.Cookies()) != 1 || res.Cookies()[0].MaxAge != -1 {
			t.Errorf("log-out: %d %v", res.StatusCode, res.Header)
		}
		// The ends: absolute, and idle.
		for name, change := range map[string]string{"absolute": "expires_at = 1", "idle": fmt.Sprint("last_used = ", time.Now().Add(-13*time.Hour).UnixMilli())} {
			s := customer(t, w, 1) // not used yet: its use would count
			w.Exec(t, "UPDATE browser_sessions SET "+change+" WHERE user_id = '"+u.ID+"'")
			if s.alive() {
				t.Errorf("a session outlives its %s end", name)
			}
		}
		// A new password and shutting out end it at once.
		s := customer(t, w, 1)
		if !s.alive() {
			t.Fatal("a fresh session does not work")
		}
		if _, err := w.Local("user", "reset-password", u.Name, "--domain", d.ID); err != nil {
			t.Fatal(err)
		}
		if s.alive() {
			t.Error("a session outlives the password")
		}
		if _, err := w.Local("user", "disable", d.Users[2].Name, "--domain", d.ID); err != nil {
			t.Fatal(err)
		}
		if stranger.alive() {
			t.Error("a session outlives its user")
		}
	})
}

// TestBrowserSessionTLS: behind a proxy that speaks TLS the cookie has the
// strict name and Secure; without TLS and not on this machine there is none.
func TestBrowserSessionTLS(t *testing.T) {
	w := world.Start(t, world.Options{Config: "trusted_proxies: [127.0.0.1/32]\n"})
	u := w.Domains[0].Users[1]
	body := obj{"domain": w.Domains[0].Name, "name": u.Name, "password": u.Password}
	b := &browser{t: t, url: w.URL}
	secure := []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "desk.example.com", "X-Forwarded-For", "198.51.100.7"}
	res, out := b.send("POST", "/web/v1/session", body, secure...)
	if res.StatusCode != 201 {
		t.Fatalf("%d %v", res.StatusCode, out)
	}
	b.took(res, out)
	if c := b.cookie; c.Name != "__Host-casemate_session" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("the cookie: %+v", c)
	}
	if res, _ := b.send("GET", "/web/v1/session", nil, secure...); res.StatusCode != 200 {
		t.Errorf("over TLS: %d", res.StatusCode)
	}
	// The cookie of one way is none of the other's.
	if res, _ := b.send("GET", "/web/v1/session", nil); res.StatusCode != 401 {
		t.Errorf("without TLS: %d", res.StatusCode)
	}
	b.cookie = &http.Cookie{Name: "casemate_session", Value: b.cookie.Value}
	if res, _ := b.send("GET", "/web/v1/session", nil, secure...); res.StatusCode != 401 {
		t.Errorf("the loopback's cookie over TLS: %d", res.StatusCode)
	}
	n := &browser{t: t, url: w.URL}
	for _, header := range [][]string{{"X-Forwarded-For", "198.51.100.7"}, {"X-Forwarded-Host", "desk.example.com"}} {
		if res, out := n.send("POST", "/web/v1/session", body, header...); res.StatusCode != 403 || len(res.Cookies()) > 0 {
			t.Errorf("neither TLS nor this machine (%v): %d %v", header, res.StatusCode, out)
		}
	}
}

// TestBrowserSessionForeign: pages of other sites try every changing operation
// with the victim's cookie: by form, by fetch, by picture, by websocket, and
// log-in and log-out. None has an effect (threats.md C11).
func TestBrowserSessionForeign(t *testing.T) {
	each(t, world.Options{}, func(t *testing.T, w *world.World) {
		victim := customer(t, w, 0)
		house := login(t, w, "", w.Admin.Name, w.Admin.Password)
		before := []map[string]string{w.Settled(t, w.Domains[0].ID), w.Settled(t, "house")}
		var form bytes.Buffer
		m := multipart.NewWriter(&form)
		_ = m.WriteField("file", "x")
		_ = m.Close()
		tried := 0
		refused := func(op contract.Operation, how string, res *http.Response) {
			tried++
			if res.StatusCode < 400 || res.StatusCode >= 500 && res.StatusCode != 501 {
				t.Errorf("%s by %s: %d", op.ID, how, res.StatusCode)
			}
			for name := range res.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s by %s: %s", op.ID, how, name)
				}
			}
			if len(res.Cookies()) > 0 {
				t.Errorf("%s by %s: sets a cookie", op.ID, how)
			}
		}
		for _, surface := range []string{"v2.yaml", "desk.yaml", "web.yaml"} {
			b := victim
			if surface == "desk.yaml" {
				b = house
			}
			for _, op := range contract.Load(t, surface) {
				if op.Method == "GET" {
					continue
				}
				path, _, body := op.Request(map[string]any{"name": w.Domains[0].Users[1].Name, "password": w.Domains[0].Users[1].Password, "domain": w.Domains[0].Name})
				site := []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}
				with := func(more ...string) []string { return append(append([]string{}, site...), more...) }
				// A form can say three types, and a body that reads as JSON in one of them.
				for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain", m.FormDataContentType()} {
					sent := string(body)
					if strings.HasPrefix(kind, "multipart") {
						sent = form.String()
					}
					res, _ := b.send("POST", path, sent, with("Content-Type", kind, "Sec-Fetch-Mode", "navigate")...)
					refused(op, "a form of "+kind, res)
					res, _ = b.send("POST", path, sent, "Content-Type", kind, "Origin", "null") // an old browser
					refused(op, "an old form of "+kind, res)
				}
				// A fetch with another method or type asks before; if it did not:
				res, _ := b.send("OPTIONS", path, nil, with("Access-Control-Request-Method", op.Method, "Access-Control-Request-Headers", "content-type,x-csrf")...)
				refused(op, "asking before", res)
				res, _ = b.send(op.Method, path, string(body), with()...)
				refused(op, "fetch", res)
				res, _ = b.send(op.Method, path, string(body), with("X-Csrf", "guessed")...)
				refused(op, "fetch with a header", res)
				res, _ = b.send(op.Method, path, string(body), with("X-Csrf", b.csrf)...)
				refused(op, "fetch with the right header", res)
				res, _ = b.send(op.Method, path, string(body), "X-Csrf", b.csrf, "Origin", "https://evil.example")
				refused(op, "an old fetch with the right header", res)
				res, _ = b.send(op.Method, path, string(body), "X-Csrf", b.csrf, "Sec-Fetch-Site", "same-site")
				refused(op, "a neighbour's fetch", res)
				if surface != "web.yaml" { // there a GET of the same path is another operation, a read
					res, _ = b.send("GET", path, nil, with("Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image")...)
					refused(op, "a picture", res)
				}
				if code := upgrade(t, w, b, path); code < 400 {
					t.Errorf("%s by websocket: %d", op.ID, code)
				}
			}
		}
		for i, after := range []map[string]string{w.Settled(t, w.Domains[0].ID), w.Settled(t, "house")} {
			for table := range maps.Keys(after) {
				if after[table] != before[i][table] {
					t.Errorf("table %s changed: %s -> %s", table, before[i][table], after[table])
				}
			}
		}
		if !victim.alive() {
			t.Error("the victim was logged out")
		}
		t.Logf("REPORT %d requests of other sites with a session's cookie: 0 effects", tried)
	})
}

// upgrade tries to open a websocket with the cookie.
func upgrade(t *testing.T, w *world.World, b *browser, path string) int {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sum := sha1.Sum([]byte(path))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nOrigin: https://evil.example\r\nCookie: %s=%s\r\n\r\n",
		path, strings.TrimPrefix(w.URL, "http://"), base64.StdEncoding.EncodeToString(sum[:16]), b.cookie.Name, b.cookie.Value)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode == http.StatusOK && path == "/web/v1/session" {
		return http.StatusBadRequest // a read, whose answer no page of another site sees
	}
	return res.StatusCode
}

// TestBrowserSessionRevoked: what ends on one node is over there within a second
// and on another within five (threats.md B8).
func TestBrowserSessionRevoked(t *testing.T) {
	database := world.Database(t)
	one := world.Start(t, world.Options{Database: database})
	two := world.Start(t, world.Options{Database: database, NoDemo: true, Args: []string{"--keys", one.Dir + ".keys"}})
	d := one.Domains[0]
	for name, end := range map[string]func(b *browser){
		"logged out": func(b *browser) { b.call("DELETE", "/web/v1/session", nil) },
		"disabled": func(*browser) {
			if _, err := one.Local("user", "disable", d.Users[1].Name, "--domain", d.ID); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_, _ = one.Local("user", "enable", d.Users[1].Name, "--domain", d.ID)
			})
		},
	} {
		if name == "logged out" {
			_, _ = one.Local("user", "enable", d.Users[1].Name, "--domain", d.ID)
		}
		b := customer(t, one, 1)
		there := *b
		there.url = two.URL
		if !b.alive() || !there.alive() {
			t.Fatalf("%s: a session of one node does not work on the other", name)
		}
		end(b)
		if began := time.Now(); b.alive() {
			t.Errorf("%s: works on the node (%v)", name, time.Since(began))
		}
		for began := time.Now(); there.alive(); time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > 5*time.Second {
				t.Errorf("%s: still works on the other node", name)
				break
			}
		}
	}
}

// TestBrowserSessionLocked: the limits of log-ins hold for browsers, and all
// failures are answered alike (threats.md C5).
func TestBrowserSessionLocked(t *testing.T) {
	w := world.Start(t, world.Options{})
	d := w.Domains[0]
	b := customer(t, w, 1)
	u := d.Users[1]
	answers := map[string]int{}
	try := func(user, password string) int {
		n := &browser{t: t, url: w.URL}
		res, out := n.send("POST", "/web/v1/session", obj{"domain": d.Name, "name": user, "password": password})
		delete(out, "request_id")
		if res.StatusCode == 401 {
			text, _ := json.Marshal(out)
			answers[string(text)]++
		}
		return res.StatusCode
	}
	for range 5 {
		try(u.Name, "wrong-password")
	}
	if try(u.Name, u.Password) != 401 || try("nobody", u.Password) != 401 || len(answers) != 1 {
		t.Errorf("locked and unknown are told apart: %v", answers)
	}
	if !b.alive() {
		t.Error("the lock ended a session that was there")
	}
}
