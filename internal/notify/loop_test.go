package notify_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/job"
	"casemate/internal/notify"
)

func replyMail() notify.Message {
	m := codeMail()
	m.Template, m.Values, m.Code, m.Ref, m.Urgent, m.Lives = notify.TemplateReply, map[string]string{"number": "TS1"}, "", "TS1", false, 0
	return m
}

// TestLoopGuard: one mail more than each window allows is dropped, whatever is
// sent before and behind; another address, ticket or kind is not touched
// (threats.md D11).
func TestLoopGuard(t *testing.T) {
	each(t, notify.Options{Mail: []notify.Channel{&recorder{as: "m"}}}, func(w *world) {
		// A model of the rule over what was sent.
		limits := []struct {
			within time.Duration
			most   int
		}{{10 * time.Minute, 10}, {30 * time.Minute, 15}, {time.Hour, 25}, {3 * time.Hour, 50}, {10 * time.Hour, 100}}
		var sent []time.Time
		may := func(now time.Time) (bool, int) {
			for i, l := range limits {
				n := 0
				for _, at := range sent {
					if now.Sub(at) < l.within {
						n++
					}
				}
				if n >= l.most {
					return false, i
				}
			}
			return true, 0
		}
		hit := map[int]int{}
		at := func(d time.Duration) {
			w.clock.Add(d)
			id := w.queue(replyMail())
			w.work()
			ok, window := may(w.clock.Now())
			if ok {
				sent = append(sent, w.clock.Now())
				w.wantState(id, "sent", "")
				return
			}
			hit[window]++
			w.wantState(id, "dropped", "loop")
		}
		for range 12 {
			at(time.Second) // 10 pass
		}
		other := replyMail()
		other.To = "wang@example.com"
		w.wantStateAfter(w.queue(other), "sent")
		other = replyMail()
		other.Ref = "TS2"
		w.wantStateAfter(w.queue(other), "sent")
		code := codeMail()
		code.Ref = "TS1"
		w.wantStateAfter(w.queue(code), "sent")
		at(10*time.Minute - 12*time.Second) // the first one is a millisecond too young
		at(time.Second)
		for range 60 {
			at(2 * time.Minute) // 15 in 30 bites
		}
		for range 30 {
			at(2*time.Minute + 20*time.Second) // 25 in 60
		}
		for range 60 {
			at(3 * time.Minute) // 50 in 180
		}
		for range 60 {
			at(5 * time.Minute) // 100 in 600
		}
		for i := range limits {
			if hit[i] == 0 {
				w.t.Errorf("the window %v was never met", limits[i].within)
			}
		}
		w.t.Logf("REPORT loop guard: %d mails let pass, dropped by window %v\n", len(sent), hit)
	})
}

func (w *world) wantStateAfter(id, state string) {
	w.t.Helper()
	w.work()
	w.wantState(id, state, "")
}

// TestLoopGuardExact: many workers of two nodes at once let exactly ten pass.
func TestLoopGuardExact(t *testing.T) {
	each(t, notify.Options{Mail: []notify.Channel{&recorder{as: "m"}}}, func(w *world) {
		var ids []string
		for range 40 {
			ids = append(ids, w.queue(replyMail()))
		}
		var wg sync.WaitGroup
		for n := range 6 {
			runner := job.NewRunner(w.db, fmt.Sprint("node", n), w.quiet())
			runner.Add(w.s.Kinds()...)
			wg.Go(func() {
				if _, err := runner.Work(w.t.Context()); err != nil {
					w.t.Error(err)
				}
			})
		}
		wg.Wait()
		w.work()
		states := map[string]int{}
		for _, id := range ids {
			d := w.delivery(id)
			states[d.State+" "+d.Cause]++
		}
		if states["sent "] != 10 || states["dropped loop"] != 30 {
			w.t.Errorf("40 at once: %v", states)
		}
	})
}

// TestLoopGuardRetries: a message that is tried again counts once.
func TestLoopGuardRetries(t *testing.T) {
	flaky := &recorder{as: "m", script: func(n int, _ notify.Outgoing) (string, error) {
		if n%2 == 1 {
			return "", &notify.Failure{Detail: "later"}
		}
		return "", nil
	}}
	var mu sync.Mutex
	each(t, notify.Options{Mail: []notify.Channel{flaky}}, func(w *world) {
		mu.Lock() // the script counts over both databases
		defer mu.Unlock()
		for range 10 {
			id := w.queue(replyMail())
			w.work()
			w.clock.Add(30 * time.Second)
			w.work()
			w.wantState(id, "sent", "")
		}
		var passed int
		if err := w.db.View(w.t.Context(), func(tx *db.Tx) error {
			return tx.Get("SELECT count(*) FROM notify_messages WHERE domain_id = 'd1' AND passed_at > 0").Scan(&passed)
		}); err != nil || passed != 10 {
			w.t.Errorf("%d counted, %v", passed, err)
		}
	})
}
