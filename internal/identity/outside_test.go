package identity_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// signsIn takes somebody through a sign-in at the provider; groups may change
// later, and gone refuses the refresh token.
type signsIn struct {
	groups []string
	gone   bool
	nonce  string
	asked  int // for refreshes
}

func (w *world) signIn(t *testing.T, s *identity.Service, p *idp, way, subject string, as *signsIn) identity.Session {
	t.Helper()
	location, bound, err := s.BeginSignIn(t.Context(), way, "https://desk.example.com", "")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	as.nonce = u.Query().Get("nonce")
	p.mu.Lock()
	key := p.keys["r1"]
	p.token = func(form url.Values) (int, map[string]any) {
		if form.Get("refresh_token") != "" {
			if as.asked++; as.gone {
				return 400, map[string]any{"error": "invalid_grant"}
			}
		}
		now := w.clock.Now()
		return 200, map[string]any{"access_token": "a", "token_type": "Bearer", "refresh_token": "r", "id_token": p.sign(t, "r1", "RS256", key, map[string]any{"iss": p.URL, "aud": "desk",
			"sub": subject, "nonce": as.nonce, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "preferred_username": subject, "groups": as.groups})}
	}
	p.mu.Unlock()
	o, _, err := s.FinishSignIn(t.Context(), way, u.Query().Get("state"), bound, "c", identity.Browser{Device: "Firefox", Address: "192.0.2.7"})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestLastAdministratorOutside: no word of a provider takes the last
// administrator away, neither role nor access; with another one it does.
func TestLastAdministratorOutside(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		p := newIDP(t)
		s, err := identity.NewFederated(w.d, w.keys, identity.Options{OIDC: []config.SignIn{{ID: "corp", Issuer: p.URL, ClientID: "desk", Allow: []string{"127.0.0.1"},
			People: config.People{Domain: principal.House, Create: true, Roles: []config.GroupTo{{Group: "admins", To: principal.RoleAdministrator}, {Group: "support", To: principal.RoleEngineer}}}}}})
		if err != nil {
			t.Fatal(err)
		}
		as := &signsIn{groups: []string{"admins"}}
		o := w.signIn(t, s, p, "corp", "ann", as)
		stands := func(what, role string, in bool) {
			t.Helper()
			u, err := s.User(ctx, w.system, principal.House, o.User.ID)
			if err != nil || u.Role != role || u.Disabled == in {
				t.Errorf("%s: %q, disabled %v, %v", what, u.Role, u.Disabled, err)
			}
		}
		check := func() {
			t.Helper()
			w.clock.Add(time.Minute)
			if err := s.Recheck(ctx); err != nil {
				t.Error(err)
			}
		}
		stands("at first", principal.RoleAdministrator, true)
		as.groups = []string{"support"}
		check()
		stands("another role", principal.RoleAdministrator, true)
		o = w.signIn(t, s, p, "corp", "ann", as)
		stands("another role at a log-in", principal.RoleAdministrator, true)
		as.groups = nil
		check()
		stands("no role", principal.RoleAdministrator, true)
		as.gone = true
		check()
		stands("gone", principal.RoleAdministrator, true)

		if _, err := s.CreateUser(ctx, w.system, identity.NewUser{Domain: principal.House, Name: "root", Alias: "Root", Role: principal.RoleAdministrator, Password: password}); err != nil {
			t.Fatal(err)
		}
		as.gone, as.groups = false, []string{"support"}
		check()
		stands("another role, and another administrator", principal.RoleEngineer, true)
		as.gone = true
		check()
		stands("gone, and another administrator", principal.RoleEngineer, false)
	})
}

// TestSignInLeavesNothing: a sign-in that is begun takes no room, so that nobody
// keeps others out by beginning many; it ends once, and in ten minutes.
func TestSignInLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		p := newIDP(t)
		s, err := identity.NewFederated(w.d, w.keys, identity.Options{OIDC: []config.SignIn{{ID: "corp", Issuer: p.URL, ClientID: "desk", Allow: []string{"127.0.0.1"},
			People: config.People{Domain: w.domain.ID, Create: true}}}})
		if err != nil {
			t.Fatal(err)
		}
		begin := func() (state, bound string) {
			location, bound, err := s.BeginSignIn(ctx, "corp", "https://desk.example.com", "/console")
			if err != nil {
				t.Fatal(err)
			}
			u, _ := url.Parse(location)
			return u.Query().Get("state"), bound
		}
		finish := func(state, bound string) error {
			_, _, err := s.FinishSignIn(ctx, "corp", state, bound, "", identity.Browser{})
			return err
		}
		for range 10 {
			begin()
		}
		var n int
		err = w.d.View(ctx, func(tx *db.Tx) error { return tx.Get("SELECT count(*) FROM login_states").Scan(&n) })
		if err != nil || n != 0 {
			t.Errorf("%d rows of sign-ins that are begun, %v", n, err)
		}
		state, bound := begin()
		other, _ := begin()
		for what, c := range map[string][2]string{"the state alone": {state, state}, "no cookie": {state, ""}, "another's": {other, bound}, "another's state put on": {other, other + bound[len(state):]}} {
			if err := finish(c[0], c[1]); !errors.Is(err, identity.ErrSignInExpired) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := finish(state, bound); !errors.Is(err, identity.ErrSignInDenied) { // taken; the provider gave no code
			t.Errorf("the first time: %v", err)
		}
		if err := finish(state, bound); !errors.Is(err, identity.ErrSignInExpired) {
			t.Errorf("the second time: %v", err)
		}
		state, bound = begin()
		w.clock.Add(10 * time.Minute)
		if err := finish(state, bound); !errors.Is(err, identity.ErrSignInExpired) {
			t.Errorf("too late: %v", err)
		}
	})
}

// TestDirectoryAway: a directory that does not answer tells nobody which names
// are known here (threats.md C5), and Casemate's own people log in.
func TestDirectoryAway(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s, err := identity.NewFederated(w.d, w.keys, identity.Options{LDAP: []config.LDAP{{ID: "corp", URL: "ldap://127.0.0.1:1", Allow: []string{"127.0.0.1"}, Base: "dc=x",
			People: config.People{Domain: w.domain.ID, Create: true}}}})
		if err != nil {
			t.Fatal(err)
		}
		login := func(name, pass string) error {
			_, err := s.Login(t.Context(), identity.Login{Domain: w.domain.Name, User: name, Password: pass, Address: "192.0.2.7"})
			return err
		}
		for _, name := range []string{"sub", "nobody", "Main"} {
			if err := login(name, "wrong "+password); !errors.Is(err, identity.ErrLogin) {
				t.Errorf("%s: %v, %v", name, err, fault.KindOf(err))
			}
		}
		if err := login("sub", password); err != nil {
			t.Errorf("one of Casemate's own: %v", err)
		}
	})
}

// TestRecheckAway: a provider that does not answer is asked once in a round, and
// the others' people do not wait for it.
func TestRecheckAway(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		dead, good := newIDP(t), newIDP(t)
		var asked atomic.Int64
		hang := make(chan struct{})
		var down atomic.Bool
		inner := dead.Config.Handler
		dead.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if down.Load() {
				asked.Add(1)
				<-hang
				rw.WriteHeader(http.StatusBadGateway)
				return
			}
			inner.ServeHTTP(rw, r)
		})
		people := config.People{Domain: w.domain.ID, Create: true}
		s, err := identity.NewFederated(w.d, w.keys, identity.Options{OIDC: []config.SignIn{{ID: "dead", Issuer: dead.URL, ClientID: "desk", Allow: []string{"127.0.0.1"}, People: people},
			{ID: "good", Issuer: good.URL, ClientID: "desk", Allow: []string{"127.0.0.1"}, People: people}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"one", "two", "three"} {
			w.signIn(t, s, dead, "dead", name, &signsIn{})
		}
		as := &signsIn{}
		o := w.signIn(t, s, good, "good", "four", as)
		as.gone = true
		down.Store(true)
		w.clock.Add(time.Minute)
		done := make(chan error, 1)
		go func() { done <- s.Recheck(context.WithoutCancel(ctx)) }()
		in := true
		for began := time.Now(); in && time.Since(began) < 20*time.Second; time.Sleep(20 * time.Millisecond) {
			_, err := s.BySession(ctx, o.Secret, nil)
			in = err == nil
		}
		if in {
			t.Error("who is gone at one provider stays in while another one hangs")
		}
		close(hang)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("the dead provider was asked %d times in one round", n)
		}
	})
}
