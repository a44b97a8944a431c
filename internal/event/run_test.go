package event_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/event"
)

func one(kind string) event.Event {
	return event.Event{Domain: "d1", Kind: kind, Subject: "ticket", SubjectID: "t", LogCode: event.NoLog}
}

func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(within)
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// TestRun: events are sealed soon after their commit, one leader at a time, the
// other node takes over.
func TestRun(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		file := filepath.Join(t.TempDir(), "anchors")
		start := func(node string) (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			s := event.NewSealer(d, key, node, quiet).AnchorTo(file+node, 10)
			go func() { done <- s.Run(ctx) }()
			return func() {
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		}
		stopA := start("a")
		sealed := func(n int) func() bool { return func() bool { return len(after(t, d, "", 0, 100)) == n } }
		for i := range 12 {
			record(t, d, one("k"))
			eventually(t, time.Second, "sealed", sealed(i+1))
		}
		stopB := start("b")
		stopA()
		record(t, d, one("k"))
		eventually(t, time.Second, "sealed by the other node", sealed(13))
		stopB()
		rep := holds(t, d, file+"a", file+"b")
		if rep.Anchors < 3 {
			t.Errorf("%d anchors", rep.Anchors)
		}
	})
}

// TestDeadLeaderAhead: a node whose clock was ten minutes ahead died with the
// lease; the others do not wait for it.
func TestDeadLeaderAhead(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if ok, err := d.Lease(t.Context(), "event.sealer", "dead", 10*time.Minute); err != nil || !ok {
			t.Fatal(ok, err)
		}
		s := event.NewSealer(d, key, "b", quiet)
		record(t, d, one("k"))
		for range 24 {
			if err := s.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(after(t, d, "", 0, 10)); n != 0 {
			t.Fatalf("%d sealed before the leader was passed over", n)
		}
		if err := s.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(after(t, d, "", 0, 10)); n != 1 {
			t.Fatalf("%d sealed", n)
		}
		record(t, d, one("k"))
		if err := s.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(after(t, d, "", 0, 10)); n != 2 {
			t.Fatalf("%d sealed", n)
		}
	})
}

// TestBusyLeader: a leader that always has work left, and does it, is not passed
// over.
func TestBusyLeader(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var said bytes.Buffer
		a, b := event.NewSealer(d, key, "a", quiet), event.NewSealer(d, key, "b", slog.New(slog.NewTextHandler(&said, nil)))
		for range 60 {
			record(t, d, one("k"))
			if err := a.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			record(t, d, one("k")) // behind it
			if err := b.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(after(t, d, "", 0, 200)); n != 119 || said.Len() > 0 {
			t.Errorf("%d sealed, the other said %q", n, said.String())
		}
	})
}

// TestCutTail: only the anchors know that the chain was longer.
func TestCutTail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		file := filepath.Join(t.TempDir(), "anchors")
		s := event.NewSealer(d, key, "a", quiet).AnchorTo(file, 0)
		for range 3 {
			record(t, d, one("a"), one("b"))
			sealAll(t, s)
			for range 2 { // the second writes nothing
				if err := s.Anchor(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		if rep := holds(t, d, file); rep.Anchors != 3 {
			t.Errorf("%d anchors, want 3", rep.Anchors)
		}
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		// Who can write the database cuts the tail and mends the heads.
		cut := func(tx *db.Tx, last int64) {
			tx.Write(db.Any, "DELETE FROM events WHERE seq > ? /* all domains: test */", last)
			tx.Write(2, "UPDATE event_heads SET seq = ?, hash = (SELECT hash FROM events WHERE seq = ? /* all domains: test */)", last, last)
		}
		undo := errors.New("undo")
		anchors, err := event.ReadAnchors(file)
		if err != nil {
			t.Fatal(err)
		}
		err = d.Update(ctx, func(tx *db.Tx) error {
			cut(tx, 5)
			rep, err := event.Inspect(tx, key)
			if err != nil {
				return err
			}
			if !rep.OK() {
				t.Errorf("without anchors a cut tail cannot be known: %+v", rep)
			}
			if rep, err = event.Inspect(tx, key, anchors...); err != nil {
				return err
			}
			if rep.Damages != 1 || rep.Broken[0].Damage != event.Cut || rep.Broken[0].Seq != 6 {
				t.Errorf("cut tail: %+v", rep)
			}
			return undo
		})
		if !errors.Is(err, undo) {
			t.Fatal(err)
		}
		// An anchor that was made up or altered is found; half a line of a crash is not held against anybody.
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		altered := strings.Replace(string(text), "\n4 ", "\n5 ", 1)
		for name, tt := range map[string]struct {
			text string
			bad  int
		}{
			"altered": {altered, 1},
			"garbage": {"what\n" + string(text), 1},
			"half":    {string(text) + "7 abc", 0},
			"less":    {text2(text, 1), 0},
		} {
			f := filepath.Join(t.TempDir(), "x")
			if err := os.WriteFile(f, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			rep, err := event.Verify(ctx, d, key, f)
			if err != nil || rep.Damages != tt.bad {
				t.Errorf("%s: %+v, %v", name, rep, err)
			}
		}
		// After a crash in the middle of a line the file goes on cleanly.
		if err := os.WriteFile(file, append(text, "7 abc"...), 0o600); err != nil {
			t.Fatal(err)
		}
		s2 := event.NewSealer(d, key, "a", quiet).AnchorTo(file, 0)
		record(t, d, one("c"))
		sealAll(t, s2)
		if err := s2.Anchor(ctx); err != nil {
			t.Fatal(err)
		}
		if rep := holds(t, d, file); rep.Anchors != 4 {
			t.Errorf("%d anchors, want 4", rep.Anchors)
		}
		if _, err := event.Verify(ctx, d, key, file+".none"); err == nil {
			t.Error("a missing anchor file is no error")
		}
	})
}

// text2 is the first n lines.
func text2(text []byte, n int) string {
	return strings.Join(strings.SplitAfter(string(text), "\n")[:n], "")
}
