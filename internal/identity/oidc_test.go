package identity_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// TestSignInToken: an id token must be the issuer's, for this client, in time,
// signed with a key of the provider by an allowed algorithm, and have the nonce;
// the code goes with the verifier of PKCE.
func TestSignInToken(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		p := newIDP(t)
		s, err := identity.NewFederated(w.d, w.keys, identity.Options{OIDC: []config.SignIn{{ID: "corp", Issuer: p.URL, ClientID: "desk", Allow: []string{"127.0.0.1"},
			People: config.People{Domain: principal.House, Create: true, Role: principal.RoleEngineer}}}})
		if err != nil {
			t.Fatal(err)
		}
		now := w.clock.Now()
		stranger, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		good := func(nonce string) map[string]any {
			return map[string]any{"iss": p.URL, "aud": "desk", "sub": "s1", "nonce": nonce, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "preferred_username": "ann"}
		}
		set := func(name string, v any) func(map[string]any) {
			return func(c map[string]any) { c[name] = v }
		}
		for _, c := range []struct {
			name   string
			change func(claims map[string]any)
			raw    func(claims map[string]any) string
			want   error
		}{
			{name: "good"},
			{name: "for several", change: set("aud", []string{"x", "desk"})},
			{name: "another issuer", change: set("iss", "https://evil.example"), want: identity.ErrSignInDenied},
			{name: "another audience", change: set("aud", "console"), want: identity.ErrSignInDenied},
			{name: "over", change: set("exp", now.Add(-time.Minute).Unix()), want: identity.ErrSignInDenied},
			{name: "another nonce", change: set("nonce", "x"), want: identity.ErrSignInDenied},
			{name: "no nonce", change: func(c map[string]any) { delete(c, "nonce") }, want: identity.ErrSignInDenied},
			{name: "no name, nobody made", change: func(c map[string]any) { c["sub"] = "s2"; delete(c, "preferred_username") }, want: identity.ErrSignInDenied},
			{name: "another key", raw: func(c map[string]any) string { return p.sign(t, "r1", "RS256", stranger, c) }, want: identity.ErrSignInDenied},
			{name: "no signature", raw: func(c map[string]any) string {
				body, _ := json.Marshal(c)
				return b64([]byte(`{"alg":"none"}`)) + "." + b64(body) + "."
			}, want: identity.ErrSignInDenied},
			{name: "no token", raw: func(map[string]any) string { return "" }, want: identity.ErrSignInDenied},
		} {
			location, bound, err := s.BeginSignIn(ctx, "corp", "https://desk.example.com", "/desk")
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(location)
			if err != nil {
				t.Fatal(err)
			}
			verified := false
			p.mu.Lock()
			key := p.keys["r1"]
			p.token = func(form url.Values) (int, map[string]any) {
				sum := sha256.Sum256([]byte(form.Get("code_verifier")))
				verified = b64(sum[:]) == u.Query().Get("code_challenge") && form.Get("code") == "c" && form.Get("redirect_uri") == "https://desk.example.com/web/v1/sign-in/corp/callback"
				claims := good(u.Query().Get("nonce"))
				if c.change != nil {
					c.change(claims)
				}
				raw := p.sign(t, "r1", "RS256", key, claims)
				if c.raw != nil {
					raw = c.raw(claims)
				}
				return 200, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": raw}
			}
			p.mu.Unlock()
			o, to, err := s.FinishSignIn(ctx, "corp", u.Query().Get("state"), bound, "c", identity.Browser{})
			if !errors.Is(err, c.want) || c.want == nil && (err != nil || o.User.Name != "ann" || to != "/desk") {
				t.Errorf("%s: %+v %q %v", c.name, o.User, to, err)
			}
			if !verified {
				t.Errorf("%s: the code was not exchanged with the verifier", c.name)
			}
		}
	})
}

// TestRecheckAnswers: of a provider's answers to a refresh token only the one
// about the person shuts out.
func TestRecheckAnswers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		p := newIDP(t)
		s, err := identity.NewFederated(w.d, w.keys, identity.Options{OIDC: []config.SignIn{{ID: "corp", Issuer: p.URL, ClientID: "desk", Allow: []string{"127.0.0.1"},
			People: config.People{Domain: w.domain.ID, Create: true}}}})
		if err != nil {
			t.Fatal(err)
		}
		location, bound, err := s.BeginSignIn(ctx, "corp", "https://desk.example.com", "")
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(location)
		key := p.keys["r1"]
		token := func(subject, refresh string) map[string]any {
			now := w.clock.Now()
			return map[string]any{"access_token": "a", "token_type": "Bearer", "refresh_token": refresh, "id_token": p.sign(t, "r1", "RS256", key,
				map[string]any{"iss": p.URL, "aud": "desk", "sub": subject, "nonce": u.Query().Get("nonce"), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "preferred_username": "ann"})}
		}
		answer := func(f func(form url.Values) (int, map[string]any)) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.token = f
		}
		answer(func(url.Values) (int, map[string]any) { return 200, token("s1", "r1") })
		o, _, err := s.FinishSignIn(ctx, "corp", u.Query().Get("state"), bound, "c", identity.Browser{Device: "Firefox"})
		if err != nil {
			t.Fatal(err)
		}
		if sealed := w.text(t, "SELECT refresh FROM user_links WHERE domain_id = ?", w.domain.ID); !strings.HasPrefix(sealed, "p1.") {
			t.Errorf("the refresh token is not sealed with the person's key: %q", sealed)
		}
		in := func() bool { _, err := s.BySession(ctx, o.Secret, nil); return err == nil }
		var sent []string
		for i, c := range []struct {
			name   string
			status int
			body   map[string]any
			in     bool
		}{
			{"a new refresh token", 200, nil, true},
			{"broken", 500, map[string]any{}, true},
			{"our secret is wrong", 401, map[string]any{"error": "invalid_client"}, true},
			{"somebody else", 200, map[string]any{"somebody": "else"}, true},
			{"gone", 400, map[string]any{"error": "invalid_grant"}, false},
		} {
			w.clock.Add(time.Minute)
			answer(func(form url.Values) (int, map[string]any) {
				sent = append(sent, form.Get("refresh_token"))
				if c.body == nil {
					return c.status, token("s1", "r2")
				}
				if c.body["somebody"] != nil {
					return c.status, token("s2", "r9")
				}
				return c.status, c.body
			})
			if err := s.Recheck(ctx); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if in() != c.in {
				t.Errorf("%s: in is %v", c.name, !c.in)
			}
			if len(sent) != i+1 {
				t.Errorf("%s: asked %d times", c.name, len(sent))
			}
		}
		if got := strings.Join(sent, " "); got != "r1 r2 r2 r2 r2" {
			t.Errorf("refresh tokens sent: %s", got)
		}
		if err := s.Recheck(ctx); err != nil || len(sent) != 5 {
			t.Errorf("one who is gone is asked for again: %v", err)
		}
	})
}

// TestRecheckWithoutRefresh: of a sign-in that came without a refresh token the
// provider is asked by the access token: roles follow what it says, silence on
// groups changes nothing, and when the token is over or refused the sessions opened
// there end, the user stays. Other sessions of his go on.
func TestRecheckWithoutRefresh(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		p := newIDP(t)
		s, err := identity.NewFederated(w.d, w.keys, identity.Options{OIDC: []config.SignIn{{ID: "corp", Issuer: p.URL, ClientID: "desk", GroupsClaim: "groups", Allow: []string{"127.0.0.1"},
			People: config.People{Domain: principal.House, Create: true, Roles: []config.GroupTo{{Group: "leads", To: principal.RoleSupervisor}, {Group: "desk", To: principal.RoleEngineer}}}}}})
		if err != nil {
			t.Fatal(err)
		}
		var status int
		var said map[string]any
		var bearer string
		p.mu.Lock()
		key := p.keys["r1"]
		p.userinfo = func(token string) (int, map[string]any) { bearer = token; return status, said }
		p.mu.Unlock()
		signIn := func() identity.Session {
			t.Helper()
			location, bound, err := s.BeginSignIn(ctx, "corp", "https://desk.example.com", "")
			if err != nil {
				t.Fatal(err)
			}
			u, _ := url.Parse(location)
			now := w.clock.Now()
			p.mu.Lock()
			p.token = func(url.Values) (int, map[string]any) {
				return 200, map[string]any{"access_token": "access-1", "token_type": "Bearer", "expires_in": 600, "id_token": p.sign(t, "r1", "RS256", key,
					map[string]any{"iss": p.URL, "aud": "desk", "sub": "s1", "nonce": u.Query().Get("nonce"), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "preferred_username": "ann", "groups": []string{"desk"}})}
			}
			p.mu.Unlock()
			status, said = 200, map[string]any{"sub": "s1"}
			o, _, err := s.FinishSignIn(ctx, "corp", u.Query().Get("state"), bound, "c", identity.Browser{Device: "Firefox"})
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		o := signIn()
		if sealed := w.text(t, "SELECT refresh FROM user_links WHERE domain_id = ?", principal.House); !strings.HasPrefix(sealed, "p1.") {
			t.Errorf("the access token is not sealed with the person's key: %q", sealed)
		}
		if err := s.SetPassword(ctx, w.system, principal.House, o.User.ID, password); err != nil {
			t.Fatal(err)
		}
		o = signIn() // the password ended the first one
		other, _, err := s.LoginBrowser(ctx, identity.Login{DomainID: principal.House, User: "ann", Password: password, Engineer: true}, identity.Browser{})
		if err != nil {
			t.Fatal(err)
		}
		in := func(o identity.Session) bool { _, err := s.BySession(ctx, o.Secret, nil); return err == nil }
		for _, c := range []struct {
			name   string
			status int
			said   map[string]any
			after  time.Duration
			role   string
			in     bool
		}{
			{"nothing of groups", 200, map[string]any{"sub": "s1"}, time.Minute, principal.RoleEngineer, true},
			{"another role", 200, map[string]any{"sub": "s1", "groups": []string{"leads"}}, time.Minute, principal.RoleSupervisor, true},
			{"broken", 500, map[string]any{}, time.Minute, principal.RoleSupervisor, true},
			{"somebody else", 200, map[string]any{"sub": "s2", "groups": []string{"desk"}}, time.Minute, principal.RoleSupervisor, true},
			{"refused", 401, map[string]any{}, time.Minute, principal.RoleSupervisor, false},
			{"over", 200, map[string]any{"sub": "s1", "groups": []string{"leads"}}, 11 * time.Minute, principal.RoleEngineer, false},
		} {
			if !in(o) {
				o = signIn()
			}
			status, said, bearer = c.status, c.said, ""
			w.clock.Add(c.after)
			if err := s.Recheck(ctx); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			u, err := s.User(ctx, w.system, principal.House, o.User.ID)
			if err != nil || u.Disabled || u.Role != c.role {
				t.Errorf("%s: %+v, %v", c.name, u, err)
			}
			if in(o) != c.in || !in(other) {
				t.Errorf("%s: in is %v, and by password %v", c.name, in(o), in(other))
			}
			if want := "Bearer access-1"; c.name != "over" && bearer != want {
				t.Errorf("%s: asked with %q", c.name, bearer)
			}
		}
		o = signIn()
		status, said = 200, map[string]any{"sub": "s1", "groups": []string{}}
		w.clock.Add(time.Minute)
		if err := s.Recheck(ctx); err != nil || in(o) || in(other) {
			t.Errorf("without any group: %v %v %v", err, in(o), in(other))
		}
	})
}
