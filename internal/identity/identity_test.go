package identity_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/seal"
	"casemate/internal/seal/sealtest"
)

type world struct {
	s         *identity.Service
	clock     *dbtest.Clock
	d         *db.DB
	keys      *seal.Keyring
	domain    identity.Domain
	main, sub identity.User
	system    principal.Principal
}

const password = "correct horse battery"

func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Parallel()
	clock := func() *dbtest.Clock { return dbtest.NewClock(time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC)) }
	for kind, store := range dbtest.Stores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := &world{clock: clock(), system: principal.AsSystem(principal.House)}
			w.d = dbtest.Open(t, db.Options{URL: store(t), Now: w.clock.Now})
			w.keys = sealtest.Keyring(t)
			w.s = identity.New(w.d, w.keys, identity.Options{})
			var err error
			if w.domain, err = w.s.CreateDomain(t.Context(), w.system, identity.NewDomain{Name: "云帆"}); err != nil {
				t.Fatal(err)
			}
			if w.main, err = w.s.CreateUser(t.Context(), w.system, identity.NewUser{Domain: w.domain.ID, Name: "Main", Password: password, Main: true,
				AreaCode: "86", Mobile: "13800138000", Mail: "Main@Example.COM"}); err != nil {
				t.Fatal(err)
			}
			if w.sub, err = w.s.CreateUser(t.Context(), w.system, identity.NewUser{Domain: w.domain.ID, Name: "sub", Password: password}); err != nil {
				t.Fatal(err)
			}
			test(t, w)
		})
	}
}

func (w *world) login(t *testing.T, domain, user, pass string) (identity.Token, error) {
	return w.s.Login(t.Context(), identity.Login{Domain: domain, User: user, Password: pass, Address: "192.0.2.7"})
}

// TestTokenLife: issued, used, over after 24 hours, ended by log-out, password
// change and disabling (threats C1, B8).
func TestTokenLife(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		issue := func() string {
			tok, err := w.login(t, "云帆", "SUB", password)
			if err != nil {
				t.Fatal(err)
			}
			return tok.Secret
		}
		valid := func(secret string) bool {
			p, err := w.s.ByToken(ctx, secret)
			return err == nil && p.User == w.sub.ID && p.Domain == w.domain.ID && p.Kind == principal.Customer && !p.Main
		}
		secret := issue()
		if !valid(secret) {
			t.Fatal("a new token is not valid")
		}
		w.clock.Add(24*time.Hour - time.Second)
		if !valid(secret) {
			t.Error("a token ends early")
		}
		w.clock.Add(time.Second)
		if valid(secret) {
			t.Error("a token lives longer than 24 hours")
		}
		for name, end := range map[string]func(secret string) error{
			"revoke": func(secret string) error {
				return w.s.Revoke(ctx, principal.Principal{Kind: principal.Customer, Domain: w.domain.ID, User: w.sub.ID}, secret)
			},
			"password": func(string) error { return w.s.SetPassword(ctx, w.system, w.domain.ID, w.sub.ID, password) },
			"disable":  func(string) error { return w.s.Disable(ctx, w.system, w.domain.ID, w.sub.ID, true) },
		} {
			if err := w.s.Disable(ctx, w.system, w.domain.ID, w.sub.ID, false); err != nil {
				t.Fatal(err)
			}
			secret := issue()
			if !valid(secret) {
				t.Fatalf("%s: not valid before", name)
			}
			if err := end(secret); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if valid(secret) {
				t.Errorf("%s: the token still works", name)
			}
		}
		if _, err := w.s.ByToken(ctx, "cmt_nonsense"); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("a made-up token: %v", err)
		}
	})
}

// TestLockout: five failures lock for the window; the answer never tells why;
// a lock leaves tokens alone (threats C5).
func TestLockout(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tok, err := w.login(t, "云帆", "sub", password)
		if err != nil {
			t.Fatal(err)
		}
		answers := map[string]bool{}
		refuse := func(domain, user, pass string) {
			t.Helper()
			_, err := w.login(t, domain, user, pass)
			if !errors.Is(err, identity.ErrLogin) {
				t.Errorf("%s/%s: %v", domain, user, err)
			} else {
				answers[err.Error()] = true
			}
		}
		refuse("云帆", "nobody", password)
		refuse("nowhere", "sub", password)
		for range 5 {
			refuse("云帆", "sub", "wrong password")
		}
		refuse("云帆", "sub", password) // locked
		if len(answers) != 1 {
			t.Errorf("the answers differ: %v", answers)
		}
		if _, err := w.s.ByToken(t.Context(), tok.Secret); err != nil {
			t.Errorf("the lock took a token: %v", err)
		}
		w.clock.Add(15*time.Minute + time.Second)
		if _, err := w.login(t, "云帆", "sub", password); err != nil {
			t.Errorf("after the window: %v", err)
		}
	})
}

// TestAkLife: shown once, at most two, gone when deleted (threats C8).
func TestAkLife(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		own := principal.Principal{Kind: principal.Customer, Domain: w.domain.ID, User: w.sub.ID}
		a, err := w.s.CreateAccessKey(ctx, own, w.domain.ID, w.sub.ID)
		if err != nil || len(a.ID) != 20 || len(a.Secret) != 40 {
			t.Fatalf("%+v, %v", a, err)
		}
		if _, err := w.s.CreateAccessKey(ctx, own, w.domain.ID, w.sub.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.CreateAccessKey(ctx, own, w.domain.ID, w.sub.ID); !errors.Is(err, identity.ErrKeyLimit) {
			t.Errorf("a third key: %v", err)
		}
		if _, err := w.s.CreateAccessKey(ctx, own, w.domain.ID, w.main.ID); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("a key for a colleague: %v", err)
		}
		list, err := w.s.AccessKeys(ctx, own, w.domain.ID, w.sub.ID)
		if err != nil || len(list) != 2 || list[0].Secret != "" {
			t.Errorf("list %+v, %v", list, err)
		}
		stranger := principal.Principal{Kind: principal.Customer, Domain: "other", User: "x", Main: true}
		if err := w.s.DeleteAccessKey(ctx, stranger, a.ID); !errors.Is(err, identity.ErrNoKey) {
			t.Errorf("a stranger deletes it: %v", err)
		}
		if err := w.s.DeleteAccessKey(ctx, own, a.ID); err != nil {
			t.Error(err)
		}
	})
}

func TestRights(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		sub := principal.Principal{Kind: principal.Customer, Domain: w.domain.ID, User: w.sub.ID}
		main := principal.Principal{Kind: principal.Customer, Domain: w.domain.ID, User: w.main.ID, Main: true}
		if _, err := w.s.CreateUser(ctx, sub, identity.NewUser{Domain: w.domain.ID, Name: "x", Password: password}); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("a sub-user adds users: %v", err)
		}
		if _, err := w.s.CreateUser(ctx, main, identity.NewUser{Domain: w.domain.ID, Name: "x", Password: password}); err != nil {
			t.Errorf("the main account may not add users: %v", err)
		}
		if _, err := w.s.CreateUser(ctx, main, identity.NewUser{Domain: principal.House, Name: "x", Password: password, Role: "administrator"}); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("a customer makes an administrator: %v", err)
		}
		if _, err := w.s.CreateUser(ctx, main, identity.NewUser{Domain: w.domain.ID, Name: " SUB ", Password: password}); !errors.Is(err, identity.ErrNameTaken) {
			t.Errorf("a name in other letters: %v", err)
		}
		for _, bad := range []string{"short", strings.Repeat("x", 65)} {
			if _, err := w.s.CreateUser(ctx, main, identity.NewUser{Domain: w.domain.ID, Name: "y", Password: bad}); !errors.Is(err, identity.ErrPassword) {
				t.Errorf("password %q: %v", bad, err)
			}
		}
		if _, err := w.s.User(ctx, sub, w.domain.ID, w.main.ID); !errors.Is(err, identity.ErrNoUser) {
			t.Errorf("a sub-user reads the main account: %v", err)
		}
		u, err := w.s.User(ctx, main, w.domain.ID, w.main.ID)
		if err != nil || u.Name != "Main" || u.Mobile != "+8613800138000" || u.Mail != "main@example.com" {
			t.Errorf("%+v, %v", u, err)
		}
	})
}

// TestNoSecretAtRest scans the database's bytes.
func TestNoSecretAtRest(t *testing.T) {
	t.Parallel()
	url := dbtest.SQLiteURL(t)
	d := dbtest.Open(t, db.Options{URL: url})
	s := identity.New(d, sealtest.Keyring(t), identity.Options{})
	who := principal.AsSystem(principal.House)
	dom, err := s.CreateDomain(t.Context(), who, identity.NewDomain{Name: "d"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.CreateUser(t.Context(), who, identity.NewUser{Domain: dom.ID, Name: "markername", Password: "marker-password", Main: true, Mail: "marker@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	k, err := s.CreateAccessKey(t.Context(), who, dom.ID, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := s.Login(t.Context(), identity.Login{DomainID: dom.ID, User: "markername", Password: "marker-password"})
	if err != nil {
		t.Fatal(err)
	}
	temporary, err := s.CreateTemporaryKey(t.Context(), principal.Principal{}, tok.Secret, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.VerifySealed(t.Context()); err != nil {
		t.Error(err)
	}
	files, err := filepath.Glob(strings.TrimPrefix(url, "sqlite:") + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"marker-password", k.Secret, tok.Secret, temporary.Secret, temporary.Token, "markername", "marker@example.com"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s holds a secret: %.4s...", filepath.Base(f), secret)
			}
		}
	}
}

func TestNormalContact(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		way               identity.Way
		area, value, want string
	}{
		{identity.SMS, "86", "13800138000", "+8613800138000"},
		{identity.SMS, "+86", "138 0013 8000", "+8613800138000"},
		{identity.SMS, "0086", "13800138000", "+8613800138000"},
		{identity.SMS, "", "+86 138-0013-8000", "+8613800138000"},
		{identity.SMS, "８６", "１３８００１３８０００", "+8613800138000"},
		{identity.SMS, "86", "008613800138000", "+8613800138000"},
		{identity.SMS, "44", "7911123456", "+447911123456"},
		{identity.SMS, "86", "13800138000\r\n", ""},
		{identity.SMS, "86", "12", ""},
		{identity.SMS, "8x", "13800138000", ""},
		{identity.SMS, "86", "13800138000 ext 5", ""},
		{identity.Mail, "", "A.B@Example.COM", "a.b@example.com"},
		{identity.Mail, "", "a+tag@example.com.", "a+tag@example.com"},
		{identity.Mail, "", "a@例子.测试", "a@xn--fsqu00a.xn--0zwm56d"},
		{identity.Mail, "", `"a b"@example.com`, ""},
		{identity.Mail, "", "a@b@example.com", ""},
		{identity.Mail, "", "a@localhost", ""},
		{identity.Mail, "", "a@example.com\r\nBcc: x@example.com", ""},
		{identity.Mail, "", "Name <a@example.com>", ""},
		{identity.Mail, "", "a\xff@example.com", ""},
		{identity.SMS, "86", "1380013800\xff0", ""},
		{2, "", "x", ""},
	} {
		got, err := identity.NormalContact(tt.way, tt.area, tt.value)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%d %q %q: %q, %v, want %q", tt.way, tt.area, tt.value, got, err, tt.want)
		}
		if err == nil {
			if again, err := identity.NormalContact(tt.way, tt.area, got); err != nil || again != got {
				t.Errorf("normalising %q again: %q, %v", got, again, err)
			}
		}
	}
}
