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
