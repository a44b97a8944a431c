package verify_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/locale"
	"casemate/internal/verify"
)

// TestClockJump: whatever the installation's clock does, no code is good for
// longer than five minutes of real time on the node that made it, codes of a node
// whose clock was ahead are never good, and codes made afterwards are good as ever
// (threats.md E11).
func TestClockJump(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{}, func(w *world) {
		w.node = w.open(verify.Options{Log: slog.New(slog.NewTextHandler(w.log, nil))})
		var real time.Duration
		w.s.Elapsed(func() time.Duration { return real })
		w.s.Stores(w.clock.Now)
		warned := func(what, text string, want bool) {
			w.t.Helper()
			if got := strings.Contains(w.log.String(), text); got != want {
				w.t.Errorf("%s: %q in the log: %v, want %v", what, text, got, want)
			}
		}
		pass := func(d time.Duration) { real += d; w.clock.Add(d) }
		n := 0
		made := func() (verify.Contact, string) {
			n++
			return numbered(n), w.send(li, numbered(n))
		}
		bad := func(what string, c verify.Contact, code string) {
			w.t.Helper()
			if err := w.check(li, c, code); !errors.Is(err, verify.ErrWrong) {
				w.t.Errorf("%s: %v", what, err)
			}
		}
		good := func(what string) {
			w.t.Helper()
			c, code := made()
			pass(time.Minute)
			if err := w.check(li, c, code); err != nil {
				w.t.Errorf("a new code %s: %v", what, err)
			}
		}
		for _, back := range []time.Duration{20 * time.Second, 3 * time.Minute, time.Hour} {
			c, code := made()
			w.clock.Add(-back)
			pass(5 * time.Minute)
			bad("after five minutes, the clock set back by "+back.String(), c, code)
			pass(max(0, back-2*time.Minute))
			bad("when its time comes again, the clock set back by "+back.String(), c, code)
			good("after the clock was set back by " + back.String())
		}
		c, code := made()
		w.clock.Add(time.Hour)
		bad("the clock an hour ahead", c, code)
		good("an hour ahead")
		w.clock.Add(-time.Hour)

		// A node that is ten minutes ahead made it: here it is from the future, and
		// housekeeping ends it, so that it is not good when its time comes.
		far := w.open(verify.Options{})
		w.clock.Add(10 * time.Minute)
		n++
		if err := far.s.Send(w.t.Context(), li, numbered(n), locale.ZH); err != nil {
			w.t.Fatal(err)
		}
		w.work()
		code = w.post.got[len(w.post.got)-1].Code
		w.clock.Add(-10 * time.Minute)
		bad("of a node ten minutes ahead", numbered(n), code)
		if err := w.s.Purge(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		pass(11 * time.Minute)
		bad("of a node ten minutes ahead, when its time comes", numbered(n), code)
		good("beside such a node")
		warned("codes of the future", "codes=1", true)
		warned("clocks that agree", "database_ahead", false)

		// Housekeeping of a node that is ten minutes behind ends nobody's code.
		pass(24 * time.Hour)
		c, code = made()
		right := w.clock.Now
		w.s.Stores(func() time.Time { return right().Add(10 * time.Minute) })
		w.clock.Add(-10 * time.Minute)
		if err := w.s.Purge(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		w.clock.Add(10 * time.Minute)
		if err := w.check(li, c, code); err != nil {
			w.t.Errorf("a code after the housekeeping of a node that is behind: %v", err)
		}
		warned("a clock that is behind", "database_ahead=10m0s", true)

		// The store's own clock is the real one, or this node's.
		began := time.Now()
		stores, err := w.s.StoresTime(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if w.db.Dialect() == db.SQLite {
			began = w.clock.Now()
		}
		if d := time.UnixMilli(stores).Sub(began); d.Abs() > time.Minute {
			w.t.Errorf("the store's clock is %v off", d)
		}
	})
}
