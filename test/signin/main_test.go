// Package signin drives the sign-in of people from outside: browsers' sessions,
// the second factor, identity providers and directories.
package signin

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"casemate/test/world"
)

func TestMain(m *testing.M) { world.Main(m) }

type obj = map[string]any

// each runs a test on both databases.
func each(t *testing.T, o world.Options, test func(t *testing.T, w *world.World)) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			o := o
			if database == "postgres" {
				o.Database = world.Database(t)
			}
			test(t, world.Start(t, o))
		})
	}
}

// browser is a client that keeps a cookie, as a browser does, and nothing else.
type browser struct {
	t      *testing.T
	url    string
	cookie *http.Cookie
	csrf   string
	agent  string
}

var plain = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// send sends a request with the cookie and the given headers only.
func (b *browser) send(method, path string, body any, header ...string) (*http.Response, obj) {
	b.t.Helper()
	var sent io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		sent = strings.NewReader(body)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		sent = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, sent)
	if err != nil {
		b.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("User-Agent", b.agent)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if b.cookie != nil {
		r.AddCookie(&http.Cookie{Name: b.cookie.Name, Value: b.cookie.Value})
	}
	res, err := plain.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	var out obj
	if len(text) > 0 && strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(text, &out); err != nil {
			b.t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return res, out
}

// call is what our pages send: with the header.
func (b *browser) call(method, path string, body any) (int, obj) {
	b.t.Helper()
	res, out := b.send(method, path, body, "X-Csrf", b.csrf, "Sec-Fetch-Site", "same-origin")
	return res.StatusCode, out
}

// took keeps the session of an answer.
func (b *browser) took(res *http.Response, out obj) {
	b.t.Helper()
	for _, c := range res.Cookies() {
		if strings.HasSuffix(c.Name, "casemate_session") {
			b.cookie = c
		}
	}
	if b.cookie == nil || b.cookie.Value == "" {
		b.t.Fatalf("no session: %d %v", res.StatusCode, out)
	}
	b.csrf, _ = out["csrf"].(string)
}

// login is a browser of a customer's user, or with domain "" of an engineer.
func login(t *testing.T, w *world.World, domain, name, password string) *browser {
	t.Helper()
	b := &browser{t: t, url: w.URL, agent: "Browser of " + name}
	body := obj{"name": name, "password": password}
	if domain != "" {
		body["domain"] = domain
	}
	res, out := b.send("POST", "/web/v1/session", body)
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("log-in of %s: %d %v", name, res.StatusCode, out)
	}
	b.took(res, out)
	return b
}

func customer(t *testing.T, w *world.World, user int) *browser {
	t.Helper()
	d := w.Domains[0]
	return login(t, w, d.Name, d.Users[user].Name, d.Users[user].Password)
}

// alive tells whether the session opens the customer API.
func (b *browser) alive() bool {
	b.t.Helper()
	status, _ := b.call("GET", "/v2/servicerequest/cases?limit=1", nil)
	return status == http.StatusOK
}
