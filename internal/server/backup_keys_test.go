package server

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// TestRestoreKeys: keys that are older than the data by one person are refused with
// how many are missing, those of another installation as such, newer ones are taken.
func TestRestoreKeys(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	opened := func(name string) (*Server, Options) {
		o := Options{Data: at(name), Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)}
		s, err := Open(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s, o
	}
	made := func(o Options, name string, keys bool) {
		if _, err := (Backup{From: o, To: at(name), Keys: keys}).Run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	s, o := opened("d")
	_, foreign := opened("other")
	house := principal.AsSystem(principal.House)
	domain, err := s.ident.CreateDomain(ctx, house, identity.NewDomain{Name: "d"})
	if err != nil {
		t.Fatal(err)
	}
	person := func(name string) identity.User {
		u, err := s.ident.CreateUser(ctx, house, identity.NewUser{Domain: domain.ID, Name: name, Password: "a-long-password", Main: name == "first"})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	if _, err := s.ident.CreateAccessKey(ctx, house, domain.ID, person("first").ID); err != nil {
		t.Fatal(err)
	}
	made(o, "old", true)
	person("second")
	made(o, "data", false)
	made(o, "new", true)
	made(foreign, "foreign", true)
	for keys, want := range map[string]error{"old": errKeysOld, "new": nil, "foreign": errKeysForeign} {
		_, err := Restore{From: at("data"), KeysFrom: at(keys), Verify: true, To: Options{Log: o.Log}}.Run(ctx)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", keys, err)
		}
		if f, ok := fault.As(err); keys == "old" && (!ok || !strings.Contains(locale.Text(locale.ZH, f), "缺少 1 人的密钥")) {
			t.Errorf("old: %v", err)
		}
	}
	for _, c := range []struct {
		from, keys string
		want       error
	}{{"new", "data", errSwapped}, {"data", "data", nil}, {"new", "new", nil}} {
		_, err := Restore{From: at(c.from), KeysFrom: at(c.keys), Verify: true, To: Options{Log: o.Log}}.Run(ctx)
		if err == nil || errors.Is(err, errSwapped) != (c.want != nil) {
			t.Errorf("--from %s --keys-from %s: %v", c.from, c.keys, err)
		}
	}
}
