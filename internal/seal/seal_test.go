package seal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/internal/seal"
)

func each(t *testing.T, test func(t *testing.T, dir, database string)) {
	for name, database := range map[string]func(t *testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return dbtest.EmptyDatabase(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, filepath.Join(t.TempDir(), "keys"), database(t))
		})
	}
}

func create(t *testing.T, dir, database string) *seal.Keyring {
	t.Helper()
	k, err := seal.Create(t.Context(), dir, database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

var here = seal.Place{Table: "t", Column: "c", Row: "1"}

// TestSeal: a value opens where it was sealed and nowhere else, whole or not
// at all.
func TestSeal(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, dir, database string) {
		k := create(t, dir, database)
		s, err := k.Seal(here, []byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Open(here, s); err != nil || string(got) != "secret" {
			t.Fatalf("open: %q, %v", got, err)
		}
		for _, at := range []seal.Place{{"u", "c", "1"}, {"t", "d", "1"}, {"t", "c", "2"}, {"tc", "", "1"}} {
			if _, err := k.Open(at, s); !errors.Is(err, seal.ErrOpen) {
				t.Errorf("it opens at %v: %v", at, err)
			}
		}
		for i := range len(s) {
			for _, bad := range []string{s[:i], s[:i] + string(s[i]^1) + s[i+1:]} {
				if got, err := k.Open(here, bad); err == nil {
					t.Errorf("a changed value opens as %q", got)
				}
			}
		}
		if again, _ := k.Seal(here, []byte("secret")); again == s {
			t.Error("the same value is sealed alike twice")
		}
		one, two := k.Lookup("a", "x"), k.Lookup("a", "x")
		if one != two || one == k.Lookup("b", "x") {
			t.Error("a look-up is not the same for the same purpose, or the same for another")
		}
	})
}

func TestPersonAndErase(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, dir, database string) {
		ctx := t.Context()
		k := create(t, dir, database)
		p, err := k.Person(ctx, "p1")
		if err != nil {
			t.Fatal(err)
		}
		s, err := p.Seal(here, "张三")
		if err != nil {
			t.Fatal(err)
		}
		other, _ := k.Person(ctx, "p2")
		if _, err := other.Open(here, s); err == nil {
			t.Error("another person's key opens it")
		}
		again, err := seal.Open(ctx, dir, database)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if q, err := again.Person(ctx, "p1"); err != nil {
			t.Error(err)
		} else if got, err := q.Open(here, s); err != nil || got != "张三" {
			t.Errorf("after a restart: %q, %v", got, err)
		}
		if err := k.Destroy(ctx, "p1"); err != nil {
			t.Fatal(err)
		}
		if _, err := k.Person(ctx, "p1"); !errors.Is(err, seal.ErrErased) {
			t.Errorf("after the erase: %v", err)
		}
	})
}

// TestRotate: readers go on during a rotation, all values stay readable, the
// old master key opens nothing any more.
func TestRotate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, dir, database string) {
		ctx := t.Context()
		k := create(t, dir, database)
		s, _ := k.Seal(here, []byte("before"))
		person := map[string]string{}
		for i := range 20 {
			id := fmt.Sprint("p", i)
			p, err := k.Person(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			person[id], _ = p.Seal(here, id)
		}
		old, err := os.ReadFile(filepath.Join(dir, "master.key"))
		if err != nil {
			t.Fatal(err)
		}
		lookup := k.Lookup("a", "x")
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := k.Open(here, s); err != nil {
					t.Errorf("during the rotation: %v", err)
					return
				}
			}
		})
		err = k.Rotate(ctx)
		close(stop)
		wg.Wait()
		if err != nil {
			t.Fatal(err)
		}
		after, _ := k.Seal(here, []byte("after"))
		again, err := seal.Open(ctx, dir, database)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		for _, v := range []string{s, after} {
			if _, err := again.Open(here, v); err != nil {
				t.Errorf("after a restart: %v", err)
			}
		}
		for id, v := range person {
			p, err := again.Person(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := p.Open(here, v); err != nil || got != id {
				t.Errorf("person %s: %q, %v", id, got, err)
			}
		}
		if again.Lookup("a", "x") != lookup {
			t.Error("look-ups changed with the master key")
		}
		if err := os.WriteFile(filepath.Join(dir, "master.key"), old, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.Open(context.Background(), dir, database); err == nil || !strings.Contains(err.Error(), "master key") {
			t.Errorf("with the old master key: %v", err)
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := seal.Open(t.Context(), dir, ""); err == nil || !strings.Contains(err.Error(), "no master key") {
		t.Errorf("a missing key: %v", err)
	}
	create(t, dir, "")
	if _, err := seal.Create(t.Context(), dir, ""); err == nil {
		t.Error("a second Create overwrites keys")
	}
	path := filepath.Join(dir, "master.key")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Open(t.Context(), dir, ""); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("a key others may read: %v", err)
	}
}

// TestSecondNodeWithoutMaster: a node that lacks the master key of a shared key
// store is refused and leaves no master key of its own behind.
func TestSecondNodeWithoutMaster(t *testing.T) {
	t.Parallel()
	database := dbtest.EmptyDatabase(t)
	create(t, filepath.Join(t.TempDir(), "one"), database)
	two := filepath.Join(t.TempDir(), "two")
	if _, err := seal.Create(t.Context(), two, database); err == nil {
		t.Fatal("another master key is taken")
	}
	if seal.Exists(two) {
		t.Error("a master key that opens nothing stays")
	}
}

// TestDestroyedElsewhere: a key that another node destroyed is asked for again
// when its time in the cache is over, and is gone then.
func TestDestroyedElsewhere(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, dir, database string) {
		ctx := t.Context()
		here := create(t, dir, database)
		if _, err := here.Person(ctx, "p1"); err != nil {
			t.Fatal(err)
		}
		other, err := seal.Open(ctx, dir, database)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		other.Remember(time.Nanosecond)
		if _, err := other.Person(ctx, "p1"); err != nil {
			t.Fatal(err)
		}
		if err := here.Destroy(ctx, "p1"); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Person(ctx, "p1"); !errors.Is(err, seal.ErrErased) {
			t.Errorf("on the other node: %v", err)
		}
	})
}
