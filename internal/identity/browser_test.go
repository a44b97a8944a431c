package identity_test

import (
	"errors"
	"testing"
	"time"

	"casemate/internal/identity"
)

// TestSessionEnds: idle and absolute ends on the clock, use on any node holds
// them off, and at most 50 browsers at once.
func TestSessionEnds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		open := func() identity.Session {
			o, c, err := w.browse(t, "sub")
			if err != nil || c != nil {
				t.Fatal(c, err)
			}
			return o
		}
		in := func(s *identity.Service, o identity.Session) bool {
			_, err := s.BySession(ctx, o.Secret, new(s.Csrf(o.Secret)))
			if err != nil && !errors.Is(err, identity.ErrSession) {
				t.Fatal(err)
			}
			return err == nil
		}
		other := identity.New(w.d, w.keys, identity.Options{}) // a second node
		idle, used := open(), open()
		for range 13 { // 7 days less 4 hours
			w.clock.Add(11 * time.Hour)
			if !in(w.s, used) {
				t.Fatal("a session in use is over")
			}
			if err := w.s.FlushSessions(ctx); err != nil {
				t.Fatal(err)
			}
			w.clock.Add(90 * time.Minute)
			if !in(other, used) {
				t.Fatal("the other node does not know of the use")
			}
			if err := other.FlushSessions(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if in(w.s, idle) {
			t.Error("an idle session lives on")
		}
		w.clock.Add(6 * time.Hour)
		if in(w.s, used) || in(other, used) {
			t.Error("a session outlives seven days")
		}
		first := open()
		for range 50 {
			w.clock.Add(time.Millisecond)
			open()
		}
		if in(w.s, first) {
			t.Error("the 51st browser left the first in")
		}
		all, err := w.s.BrowserSessions(ctx, w.subject(), w.domain.ID, w.sub.ID)
		if err != nil || len(all) != 50 || all[0].Device != "Firefox" || all[0].Address != "192.0.2.7" {
			t.Errorf("%d sessions, %v", len(all), err)
		}
		if _, err := w.s.BySession(ctx, all[0].Secret, nil); !errors.Is(err, identity.ErrSession) {
			t.Error("a list holds secrets")
		}
		if _, err := w.s.BrowserSessions(ctx, w.subject(), w.domain.ID, w.main.ID); err == nil {
			t.Error("a user lists another's sessions")
		}
	})
}
