package mailin_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"casemate/internal/mailin"
)

// loopWindows are those of threats.md D11.
var loopWindows = []struct {
	within time.Duration
	most   int
}{{10 * time.Minute, 10}, {30 * time.Minute, 15}, {time.Hour, 25}, {3 * time.Hour, 50}, {10 * time.Hour, 100}}

// TestLoops: in each window so many mails of one address are taken about one
// ticket, and so many that may be a machine's as new tickets; the next one waits, until the first has
// left the window. Other addresses are not held up.
func TestLoops(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.Unlimited()
		number := w.Create(w.Li, "x")
		w.Work()
		n := 0
		take := func(from, subject string) mailin.Mail {
			n++
			id, err := w.mail.Accept(context.Background(), mailin.Received{Raw: []byte(letter(from, "support@desk.example", subject, fmt.Sprint("loop ", n))), Mailbox: "support", From: "?"})
			w.OK(err)
			w.Work()
			return w.show(id)
		}
		for _, c := range []struct{ subject, outcome string }{{number, "message"}, {"自动回复: away", "ticket"}} {
			for _, l := range loopWindows {
				w.Clock.Add(11 * time.Hour)
				step := l.within / time.Duration(l.most)
				for i := range l.most {
					if m := take("li@example.com", c.subject); m.Outcome != c.outcome {
						t.Fatalf("%s in %v: mail %d is %s/%s", c.outcome, l.within, i+1, m.State, m.Cause)
					}
					if i < l.most-1 {
						w.Clock.Add(step)
					}
				}
				w.Clock.Add(step - time.Millisecond)
				m := take("li@example.com", c.subject)
				w.is(m, "quarantined", "", mailin.CauseTooMany)
				if want := map[string]string{"message": number}[c.outcome]; m.Number != want {
					t.Errorf("it names %q, want %q", m.Number, want)
				}
				w.is(take("foreign@example.com", "own matter"), "done", "ticket", "")
				w.Clock.Add(time.Millisecond)
				w.is(take("li@example.com", c.subject), "done", c.outcome, "")
			}
		}
	})
}
