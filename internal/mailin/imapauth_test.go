package mailin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/mailin/mailtest"
)

// endpoint is a token endpoint. It gives a new refresh token at each use and
// takes the last two.
type endpoint struct {
	mu      sync.Mutex
	asked   []string // grant types
	refresh []string
	access  string
	n       int
	life    any
	fail    string // an error to answer
	slow    time.Duration
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	time.Sleep(e.slow)
	answer := func(status int, body map[string]any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
	if r.FormValue("client_id") != "app-1" || r.FormValue("client_secret") != "client secret 9" || r.FormValue("scope") != "mail.read offline_access" {
		answer(401, map[string]any{"error": "invalid_client"})
		return
	}
	grant := r.FormValue("grant_type")
	e.asked = append(e.asked, grant)
	if e.fail != "" {
		answer(400, map[string]any{"error": e.fail, "error_description": "AADSTS70000: " + r.FormValue("refresh_token") + " " + r.FormValue("client_secret")})
		return
	}
	ok := grant == "client_credentials"
	for _, t := range e.refresh {
		ok = ok || grant == "refresh_token" && r.FormValue("refresh_token") == t
	}
	if !ok {
		answer(400, map[string]any{"error": "invalid_grant"})
		return
	}
	e.n++
	e.access = fmt.Sprintf("access-%d", e.n)
	body := map[string]any{"access_token": e.access, "token_type": "Bearer", "expires_in": e.life}
	if grant == "refresh_token" {
		next := fmt.Sprintf("refresh-%d", e.n)
		e.refresh = append(e.refresh, next)
		e.refresh = e.refresh[max(0, len(e.refresh)-2):]
		body["refresh_token"] = next
	}
	answer(200, body)
}

func (e *endpoint) good(user, token string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return user == mailtest.User && token != "" && token == e.access
}

func (e *endpoint) grants() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.asked)
}

func (e *endpoint) set(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

// TestOAuth: access tokens by refresh token and by client credentials, over both
// mechanisms. A token is used until its end; one that was withdrawn is replaced
// at once; a refresh token that the endpoint gives anew is kept, sealed, and
// used by the next node; a new one of the operator counts more.
func TestOAuth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, mechanism string
		refresh         bool
		life            any
	}{
		{"refresh, xoauth2", "", true, 3600},
		{"application, oauthbearer", "oauthbearer", false, "3600"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			eachGate(t, func(w *gates) {
				e := &endpoint{refresh: []string{"refresh-of-the-operator"}, life: c.life}
				web := httptest.NewServer(e)
				w.t.Cleanup(web.Close)
				m := mailtest.Start(w.t, mailtest.Implicit, func(m *mailtest.IMAP) { m.Bearer = e.good })
				dir := w.t.TempDir()
				secret := func(name, value string) config.Secret {
					if err := os.WriteFile(filepath.Join(dir, name), []byte(value+"\n"), 0o600); err != nil {
						w.t.Fatal(err)
					}
					return config.Secret{File: filepath.Join(dir, name)}
				}
				settings := func(i *config.IMAP) {
					i.Password = config.Secret{}
					i.OAuth = config.MailOAuth{TokenURL: web.URL + "/token", ClientID: "app-1", ClientSecret: secret("client", "client secret 9"), Scope: "mail.read offline_access", Mechanism: c.mechanism, Allow: []string{"127.0.0.1"}}
					if c.refresh {
						i.OAuth.RefreshToken = secret("refresh", "refresh-of-the-operator")
					}
				}
				g := w.gate("n1", box(w.t, m, mailtest.Implicit, settings))
				stop := w.run(g)
				m.Put("INBOX", numbered(0))
				w.until("a mail", func() bool { return len(w.all()) == 1 })
				logins := m.Logins.Load()
				m.Cut()
				w.until("a second log-in", func() bool { w.clock.Add(5 * time.Millisecond); return m.Logins.Load() > logins })
				if n := e.grants(); n != 1 {
					w.t.Errorf("%d tokens for two log-ins", n)
				}
				e.set(func() { e.access = "another" }) // withdrawn
				logins = m.Logins.Load()
				m.Cut()
				w.until("a log-in with a new token", func() bool { w.clock.Add(5 * time.Millisecond); return m.Logins.Load() > logins })
				w.clock.Add(59*time.Minute + time.Second)
				logins = m.Logins.Load()
				m.Cut()
				w.until("a log-in when the first was over", func() bool { w.clock.Add(5 * time.Millisecond); return m.Logins.Load() > logins })
				if n := e.grants(); n != 3 {
					w.t.Errorf("%d tokens", n)
				}
				if st := w.status(g); st.Error != nil && !strings.Contains(st.Error.EN, "cut") {
					w.t.Errorf("%+v %+v", st, st.Error)
				}
				stop()
				// The next node has the newest refresh token: the operator's is not
				// taken any more.
				next := w.gate("n2", box(w.t, m, mailtest.Implicit, settings))
				if got, err := next.Test(w.t.Context(), operator, "support"); err != nil || !got.OK || got.Messages != 1 {
					w.t.Errorf("%+v %+v %v", got, got.Trouble, err)
				}
				if c.refresh {
					settings2 := func(i *config.IMAP) {
						settings(i)
						i.OAuth.RefreshToken = secret("refresh", "consent-anew")
					}
					e.set(func() { e.refresh = []string{"consent-anew"} })
					if got, err := w.gate("n3", box(w.t, m, mailtest.Implicit, settings2)).Test(w.t.Context(), operator, "support"); err != nil || !got.OK {
						w.t.Errorf("%+v %+v %v", got, got.Trouble, err)
					}
				}
				// What the endpoint says is told, what we said to it is not.
				e.set(func() { e.fail = "invalid_grant" })
				got, err := w.gate("n4", box(w.t, m, mailtest.Implicit, settings)).Test(w.t.Context(), operator, "support")
				if err != nil || got.OK || !strings.Contains(got.Trouble.EN, "no access token: 400 Bad Request invalid_grant AADSTS70000") || !strings.Contains(got.Trouble.ZH, "获取访问令牌失败") {
					w.t.Errorf("%+v %+v %v", got, got.Trouble, err)
				}
				all := w.log.String() + got.Trouble.EN + got.Trouble.ZH
				for _, s := range []string{"client secret 9", "refresh-of", "refresh-", "access-", "consent-anew"} {
					if strings.Contains(all, s) {
						w.t.Errorf("%q shows", s)
					}
				}
				walled := w.gate("n5", box(w.t, m, mailtest.Implicit, func(i *config.IMAP) {
					settings(i)
					i.OAuth.Allow = []string{"127.0.0.2"}
				}))
				if got, err := walled.Test(w.t.Context(), operator, "support"); err != nil || got.OK || !strings.Contains(got.Trouble.EN, "may not be reached") {
					w.t.Errorf("%+v %+v %v", got, got.Trouble, err)
				}
			})
		})
	}
}
