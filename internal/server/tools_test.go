package server

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"casemate/internal/db/dbtest"
	"casemate/internal/locale"
	"casemate/internal/seal"
)

// TestOneMasterKey: while a server has a store open its master key is not
// changed, because that server would go on with the old one, and a folder
// serves one process at a time; when it ends, both may be.
func TestOneMasterKey(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return dbtest.ServerDatabase(t) }} {
		t.Run(name, func(t *testing.T) {
			o := Options{Data: filepath.Join(t.TempDir(), "d"), Database: database(), Log: slog.New(slog.DiscardHandler)}
			first, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			second, err := Open(t.Context(), o)
			if o.Database == "" && !errors.Is(err, errInUse) || o.Database != "" && err != nil {
				t.Errorf("a second server: %v", err)
			}
			if err == nil {
				if err := second.Close(); err != nil {
					t.Error(err)
				}
			}
			export := filepath.Join(first.o.exportDir(), "running")
			if err := errors.Join(os.MkdirAll(first.o.exportDir(), 0o700), os.WriteFile(export, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			if err := RotateMaster(t.Context(), o); !errors.Is(err, errInUse) {
				t.Errorf("rotation under a server: %v", err)
			}
			if _, err := VerifyEvents(t.Context(), o); err != nil {
				t.Errorf("verifying under a server: %v", err)
			}
			if _, err := os.Stat(export); err != nil {
				t.Errorf("a tool took the server's files away: %v", err)
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			if err := RotateMaster(t.Context(), o); err != nil {
				t.Errorf("rotation without a server: %v", err)
			}
			again, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestToolsMakeNothing: a tool refuses a folder that holds no store, and leaves
// it as it was.
func TestToolsMakeNothing(t *testing.T) {
	t.Parallel()
	o := Options{Data: filepath.Join(t.TempDir(), "typo"), Log: slog.New(slog.DiscardHandler)}
	if _, err := VerifyEvents(t.Context(), o); !errors.Is(err, errNoStore) {
		t.Errorf("audit verify: %v", err)
	}
	if err := RotateMaster(t.Context(), o); !errors.Is(err, errNoStore) {
		t.Errorf("key rotate-master: %v", err)
	}
	for _, dir := range []string{o.Data, o.keysDir()} {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was made", dir)
		}
	}
	if seal.Exists(o.keysDir()) {
		t.Error("keys were made")
	}
	// Data whose keys are gone: nothing may stand where they are put back.
	if err := errors.Join(os.Mkdir(o.Data, 0o700), os.WriteFile(filepath.Join(o.Data, "casemate.db"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "restore the keys") {
		t.Errorf("data without keys: %v", err)
	}
	if _, err := os.Stat(o.keysDir()); !errors.Is(err, os.ErrNotExist) {
		t.Error("a refused server made a keys folder")
	}
}

// TestLocalTokenIsOwn: a server that ends leaves another one's token alone.
func TestLocalTokenIsOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := newLocalToken(dir, "http://127.0.0.1:1", []byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := newLocalToken(dir, "http://127.0.0.1:2", []byte("second"))
	if err != nil {
		t.Fatal(err)
	}
	first.remove()
	if _, err := os.Stat(second.path); err != nil {
		t.Error("the first one's end removed the second one's token")
	}
	second.remove()
	if _, err := os.Stat(second.path); !errors.Is(err, os.ErrNotExist) {
		t.Error("its own token stays")
	}
}

// TestRestoreAgain: a restore that failed leaves nothing, so that the next one
// into the same folder works; a cut-off archive is named.
func TestRestoreAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	o := Options{Data: in("d"), Demo: true, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)}
	other := o
	other.Data = in("other")
	for _, o := range []Options{o, other} {
		s, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.fillDemo(t.Context(), "http://127.0.0.1:1"); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range []Backup{{From: o, To: in("data.tar")}, {From: o, To: in("keys.tar"), Keys: true}, {From: other, To: in("foreign.tar"), Keys: true}} {
		if _, err := b.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(in("data.tar"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("short.tar"), text[:len(text)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	into := Options{Data: in("new"), Log: o.Log}
	for _, bad := range []struct{ data, keys, named string }{
		{"short.tar", "keys.tar", "short.tar"}, {"data.tar", "data.tar", "data.tar"}, {"data.tar", "foreign.tar", "keys"}, {"gone.tar", "keys.tar", "gone.tar"},
	} {
		_, err := Restore{To: into, From: in(bad.data), KeysFrom: in(bad.keys)}.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), bad.named) {
			t.Errorf("%s, %s: %v", bad.data, bad.keys, err)
		}
		for _, left := range []string{into.Data, into.keysDir()} {
			if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s, %s: %s is left behind", bad.data, bad.keys, left)
			}
		}
	}
	if _, err := (Restore{To: into, From: in("data.tar"), KeysFrom: in("keys.tar")}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := (Restore{To: into, From: in("data.tar"), KeysFrom: in("keys.tar")}).Run(t.Context()); err == nil {
		t.Error("a restore writes over a store")
	}
	if _, err := os.Stat(filepath.Join(into.Data, "casemate.db")); err != nil {
		t.Error("a refused restore removed the store that was there")
	}
}

// TestWelcome: its lines can be pasted as they are, and it tells who supervises.
func TestWelcome(t *testing.T) {
	t.Parallel()
	o := Options{Data: filepath.Join(t.TempDir(), "it's d"), Demo: true, Listen: "127.0.0.1:0", Program: "bin/casemate", Log: slog.New(slog.DiscardHandler)}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.fillDemo(t.Context(), "http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	for _, lang := range []locale.Language{locale.ZH, locale.EN} {
		text := s.Welcome("http://127.0.0.1:1", "", lang)
		for _, want := range []string{"bin/casemate outbox --data '", `it'\''s d'`, "bin/casemate desk list --data '", "bin/casemate selftest --data '", "zhao ", roleNames["supervisor"].In(lang)} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %s in %s", lang, want, text)
			}
		}
	}
}
