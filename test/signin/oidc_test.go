package signin

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"casemate/test/world"
)

// provider is an OpenID Connect provider: zitadel's, in a process of its own.
type provider struct {
	t      *testing.T
	issuer string
}

// openProvider builds and starts it.
func openProvider(t *testing.T) *provider {
	t.Helper()
	path := filepath.Join(t.TempDir(), "oidcop")
	build := exec.Command("go", "build", "-trimpath", "-mod=readonly", "-o", path, ".")
	build.Dir = "../oidcop"
	build.Env = append(os.Environ(), "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return &provider{t: t, issuer: strings.TrimSpace(line)}
}

func (p *provider) put(path string, body any) {
	p.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(p.t.Context(), "PUT", p.issuer+path, bytes.NewReader(text))
	if err != nil {
		p.t.Fatal(err)
	}
	res, err := plain.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 200 {
		p.t.Fatal(res.Status)
	}
}

type soul struct {
	ID, Name, Password string
	Groups             []string
}

var authRequest = regexp.MustCompile(`name="id" value="([^"]+)"`)

// login goes through the provider's pages as name and answers the address it
// sends the browser back to.
func (p *provider) login(location, name, password string) string {
	p.t.Helper()
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), p.issuer) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	res, err := c.Get(location)
	if err != nil {
		p.t.Fatal(err)
	}
	page, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	id := authRequest.FindSubmatch(page)
	if id == nil {
		p.t.Fatalf("no form at %s: %s %s", location, res.Status, page)
	}
	if res, err = c.PostForm(p.issuer+"login/username", url.Values{"id": {string(id[1])}, "username": {name}, "password": {password}}); err != nil {
		p.t.Fatal(err)
	}
	_ = res.Body.Close()
	back := res.Header.Get("Location")
	if back == "" {
		p.t.Fatalf("the provider does not send back: %s", res.Status)
	}
	return back
}

// begin starts a sign-in; the browser keeps the binding cookie.
func (b *browser) begin(path string) (location string) {
	b.t.Helper()
	res, out := b.send("GET", path, nil, "Sec-Fetch-Site", "same-origin")
	if res.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("%d %v", res.StatusCode, out)
	}
	for _, c := range res.Cookies() {
		b.cookie = c
	}
	return res.Header.Get("Location")
}

// back follows the provider's redirect, as another site's page sends it; it
// answers where it leads.
func (b *browser) back(to string) string {
	b.t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		b.t.Fatal(err)
	}
	res, out := b.send("GET", u.RequestURI(), nil, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
	if res.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("%d %v", res.StatusCode, out)
	}
	for _, c := range res.Cookies() {
		if c.Name == "casemate_session" {
			b.cookie = c
			_, out := b.send("GET", "/web/v1/session", nil)
			b.csrf = out["csrf"].(string)
		}
	}
	return res.Header.Get("Location")
}

// through signs in at a provider as name.
func (p *provider) through(w *world.World, path, name string) (*browser, string) {
	p.t.Helper()
	b := &browser{t: p.t, url: w.URL, agent: "Browser of " + name}
	return b, b.back(p.login(b.begin(path), name, "secret of "+name))
}

// TestProvider: people sign in at a real OpenID Connect provider, with the role
// or groups of their groups; what is forged or comes from another browser does
// not; who is disabled there is out here (threats.md B8, C11).
func TestProvider(t *testing.T) {
	p := openProvider(t)
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			p := &provider{t: t, issuer: p.issuer}
			w, path := configured(t, database, "drain: 100ms\nidentity: {recheck: 1s}\n")
			domain, local := w.Domains[0], w.Engineers[0]
			if status, text, err := w.Operator("POST", "/desk/v1/domains/"+domain.ID+"/groups", obj{"name": "network", "roles": []string{"ticket_group_operator"}}); err != nil || status != 201 {
				t.Fatal(status, text, err)
			}
			config := fmt.Sprintf(`identity:
  recheck: 1s
  oidc:
  - id: staff
    name: Example staff
    name_zh: 员工登录
    issuer: %[1]s
    client_id: %[3]s-staff
    client_secret: {env: SECRET}
    scopes: [profile, email, offline_access]
    allow: [127.0.0.1/32]
    people:
      domain: house
      create: true
      roles:
      - {group: desk-leads, to: supervisor}
      - {group: desk, to: engineer}
  - id: short
    issuer: %[1]s
    client_id: %[3]s-short
    client_secret: {env: SECRET}
    scopes: [profile, email]
    allow: [127.0.0.1/32]
    people: {domain: house, create: true, role: engineer}
  - id: yunfan
    issuer: %[1]s
    client_id: %[3]s-yunfan
    client_secret: {env: SECRET}
    scopes: [profile, email, offline_access]
    allow: [127.0.0.1/32]
    people:
      domain: %[2]s
      create: true
      groups:
      - {group: networkers, to: network}
  - id: away
    issuer: http://127.0.0.1:1/
    client_id: x
    allow: [127.0.0.1/32]
    people: {domain: house, role: engineer}
`, p.issuer, domain.ID, database)
			if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("SECRET", "client-secret")
			w.Stop()
			w.Run()
			for _, id := range []string{"staff", "short", "yunfan"} {
				p.put("control/client", obj{"ID": database + "-" + id, "Secret": "client-secret", "Redirects": []string{w.URL + "/web/v1/sign-in/" + id + "/callback"}})
			}
			souls := func(change ...soul) {
				all := []soul{{"1", "ann", "secret of ann", []string{"desk"}}, {"2", "bob", "secret of bob", nil}, {"3", local.Name, "secret of " + local.Name, []string{"desk"}},
					{"4", "cat", "secret of cat", []string{"networkers"}}, {"5", "dan", "secret of dan", []string{"desk"}}}
				for _, c := range change {
					for i := range all {
						if all[i].ID == c.ID {
							all[i] = c
						}
					}
				}
				p.put("control/people", all)
			}
			souls()
			b := &browser{t: t, url: w.URL}
			res, out := b.send("GET", "/web/v1/sign-in", nil, "X-Language", "en-us")
			text, _ := json.Marshal(out)
			if res.StatusCode != 200 || !strings.Contains(string(text), `{"id":"staff","kind":"engineer","name":"Example staff","path":"/web/v1/sign-in/staff"}`) || strings.Contains(string(text), `"kind":"customer"`) {
				t.Errorf("the ways: %d %s", res.StatusCode, text)
			}
			// A customer's are told to who knows the account's name.
			for name, shown := range map[string]bool{domain.Name: true, "nobody's": false} {
				_, out := b.send("GET", "/web/v1/sign-in?domain="+url.QueryEscape(name), nil)
				text, _ := json.Marshal(out)
				if strings.Contains(string(text), `"kind":"customer"`) != shown || !strings.Contains(string(text), `"staff"`) {
					t.Errorf("the ways of %q: %s", name, text)
				}
			}
			// Another site's page logs nobody in: the person is asked first.
			for _, site := range []string{"cross-site", "same-site"} {
				res, _ := b.send("GET", "/web/v1/sign-in/staff?to=/desk/q/1", nil, "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "navigate")
				if to := res.Header.Get("Location"); res.StatusCode != 303 || to != "/login?next=%2Fdesk%2Fq%2F1" || len(res.Cookies()) != 0 {
					t.Errorf("begun by a page of %s: %d to %s, %v", site, res.StatusCode, to, res.Cookies())
				}
			}
			// The way there: code, PKCE, state, nonce.
			location := b.begin("/web/v1/sign-in/staff?to=/desk/q/1")
			u, err := url.Parse(location)
			if err != nil {
				t.Fatal(err)
			}
			q := u.Query()
			if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("state")) < 43 || len(q.Get("nonce")) < 43 ||
				!strings.Contains(q.Get("scope"), "openid") || q.Get("redirect_uri") != w.URL+"/web/v1/sign-in/staff/callback" {
				t.Errorf("the way there: %s", location)
			}
			if !b.cookie.HttpOnly || b.cookie.SameSite != http.SameSiteLaxMode || !strings.HasPrefix(b.cookie.Value, q.Get("state")+".") {
				t.Errorf("the binding: %+v", b.cookie)
			}
			back := p.login(location, "ann", "secret of ann")
			if to := b.back(back); to != "/desk/q/1" || !b.house() {
				t.Fatalf("back: %s\n%s", to, w.LogText())
			}
			_, out = b.send("GET", "/web/v1/session", nil)
			if out["role"] != "engineer" || out["name"] != "ann" {
				t.Errorf("who: %v", out)
			}
			id := out["user_id"].(string)
			if _, list := b.call("GET", "/web/v1/sessions", nil); list["items"].([]any)[0].(obj)["method"] != "oidc" {
				t.Errorf("the session: %v", list)
			}
			// Again: the same user. A target elsewhere is not followed.
			for _, to := range []string{"//evil.example/", "https://evil.example/", `/\evil.example`, ""} {
				again, to := p.through(w, "/web/v1/sign-in/staff?to="+url.QueryEscape(to), "ann")
				if _, out := again.send("GET", "/web/v1/session", nil); out["user_id"] != id || to != "/desk" {
					t.Errorf("again: %v, to %s", out, to)
				}
			}
			// Refused.
			for what, c := range map[string][2]string{
				"no role for the groups":          {"bob", "denied"},
				"a name of one who is not linked": {local.Name, "denied"},
			} {
				if _, to := p.through(w, "/web/v1/sign-in/staff", c[0]); to != "/login?error="+c[1] {
					t.Errorf("%s: %s", what, to)
				}
			}
			w.Exec(t, "DELETE FROM login_failures")
			fresh := func() (*browser, string) {
				b := &browser{t: t, url: w.URL}
				return b, p.login(b.begin("/web/v1/sign-in/staff"), "ann", "secret of ann")
			}
			x, to := fresh()
			begun := x.cookie
			if got := (&browser{t: t, url: w.URL}).back(to); got != "/login?error=expired" {
				t.Errorf("in another browser: %s", got)
			}
			if got := x.back(to); got != "/desk" {
				t.Errorf("in its own: %s", got)
			}
			x.cookie = begun
			if got := x.back(to); got != "/login?error=expired" {
				t.Errorf("a second time: %s", got)
			}
			// Somebody else's code in a sign-in of one's own: PKCE refuses it.
			mine, to := fresh()
			_, theirs := fresh()
			code := regexp.MustCompile(`code=[^&]+`)
			if got := mine.back(code.ReplaceAllString(to, code.FindString(theirs))); got != "/login?error=denied" {
				t.Errorf("somebody else's code: %s", got)
			}
			forged, to := fresh()
			state, sealed, _ := strings.Cut(forged.cookie.Value, ".")
			forged.cookie.Value = state + "." + strings.Repeat("A", len(sealed))
			if got := forged.back(to); got != "/login?error=expired" {
				t.Errorf("a cookie that is not ours: %s", got)
			}
			refused := &browser{t: t, url: w.URL}
			u, _ = url.Parse(refused.begin("/web/v1/sign-in/staff"))
			if got := refused.back("/web/v1/sign-in/staff/callback?error=access_denied&state=" + u.Query().Get("state")); got != "/login?error=denied" {
				t.Errorf("refused there: %s", got)
			}
			other, to := fresh()
			if got := other.back(strings.Replace(to, "/staff/", "/yunfan/", 1)); got != "/login?error=expired" {
				t.Errorf("at another provider's address: %s", got)
			}
			for provider, want := range map[string]string{"nowhere": "unknown", "away": "unavailable"} {
				if got := (&browser{t: t, url: w.URL}).begin("/web/v1/sign-in/" + provider); got != "/login?error="+want {
					t.Errorf("%s: %s", provider, got)
				}
			}
			// A customer's people come into their account, with its groups.
			cat, to := p.through(w, "/web/v1/sign-in/yunfan", "cat")
			_, out = cat.send("GET", "/web/v1/session", nil)
			if to != "/console" || out["domain_id"] != domain.ID || !cat.alive() || cat.house() {
				t.Errorf("a customer: %s %v", to, out)
			}
			if _, text, _ := w.Operator("GET", "/desk/v1/domains/"+domain.ID+"/groups", nil); !strings.Contains(text, fmt.Sprint(out["user_id"])) {
				t.Errorf("not in the group: %s", text)
			}
			// Other groups there, another role here.
			souls(soul{"1", "ann", "secret of ann", []string{"desk", "desk-leads"}})
			role := ""
			for began := time.Now(); role != "supervisor" && time.Since(began) < 20*time.Second; time.Sleep(50 * time.Millisecond) {
				if _, out := b.send("GET", "/web/v1/session", nil); out["role"] != nil {
					role = out["role"].(string)
				}
			}
			if role != "supervisor" {
				t.Errorf("the role after the groups changed: %s\n%s", role, w.LogText())
			}
			// Without a refresh token the provider is asked, too, by the access token.
			dan, to := p.through(w, "/web/v1/sign-in/short", "dan")
			if to != "/desk" || !dan.house() {
				t.Fatalf("without a refresh token: %s\n%s", to, w.LogText())
			}
			time.Sleep(2500 * time.Millisecond) // two rounds
			if !dan.house() {
				t.Errorf("without a refresh token, thrown out:\n%s", w.LogText())
			}
			// Disabled there, out here; enabled there, in again. The others stay.
			p.put("control/people", []soul{{"4", "cat", "secret of cat", []string{"networkers"}}})
			b.out("disabled at the provider", 20*time.Second)
			dan.out("disabled at the provider, no refresh token", 20*time.Second)
			if !cat.alive() {
				t.Error("another one was thrown out")
			}
			souls()
			if back, to := p.through(w, "/web/v1/sign-in/staff", "ann"); to != "/desk" || !back.house() {
				t.Errorf("enabled again: %s", to)
			}
			if back, to := p.through(w, "/web/v1/sign-in/short", "dan"); to != "/desk" || !back.house() {
				t.Errorf("enabled again, no refresh token: %s", to)
			}
		})
	}
}
