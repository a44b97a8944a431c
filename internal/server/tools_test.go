package server

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"casemate/internal/db/dbtest"
	"casemate/internal/seal"
)

// TestOneMasterKey: while a server has a store open its master key is not
// changed, because that server would go on with the old one, and a folder
// serves one process at a time; when it ends, both may be.
func TestOneMasterKey(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return dbtest.EmptyDatabase(t) }} {
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
