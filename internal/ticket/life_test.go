package ticket_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/locale"
	"casemate/internal/ticket"
)

// The tables of the life, written down from semantics.md sections 3.2, 3.3 and
// D20, not from the code.
var customerRules = []struct {
	action string
	in     []ticket.Status
	to     map[ticket.Status]ticket.Status // from -> to; absent = unchanged
}{
	{"press", []ticket.Status{0, 1}, nil},
	{"cancel", []ticket.Status{0}, map[ticket.Status]ticket.Status{0: 4}},
	{"close", []ticket.Status{1, 2, 17}, map[ticket.Status]ticket.Status{1: 3, 2: 3, 17: 3}},
	{"delete", []ticket.Status{3, 4, 12}, map[ticket.Status]ticket.Status{3: 13, 4: 13, 12: 13}},
	{"reply", []ticket.Status{0, 1, 2, 5, 17}, map[ticket.Status]ticket.Status{2: 1, 17: 1}},
}

var engineerRules = []struct {
	action string
	in     []ticket.Status
	to     map[ticket.Status]ticket.Status
}{
	{"accept", []ticket.Status{0}, map[ticket.Status]ticket.Status{0: 1}},
	{"reply", []ticket.Status{0, 1, 2, 5, 17}, map[ticket.Status]ticket.Status{0: 1}},
	{"ask", []ticket.Status{1, 17}, map[ticket.Status]ticket.Status{1: 17}},
	{"resolve", []ticket.Status{1, 17}, map[ticket.Status]ticket.Status{1: 2, 17: 2}},
	{"pause", []ticket.Status{1}, map[ticket.Status]ticket.Status{1: 5}},
	{"resume", []ticket.Status{5}, map[ticket.Status]ticket.Status{5: 1}},
	{"invalid", []ticket.Status{0, 1}, map[ticket.Status]ticket.Status{0: 12, 1: 12}},
	{"note", []ticket.Status{0, 1, 2, 3, 4, 5, 12, 17}, nil},
}

// into brings a new ticket into a state.
func (w *world) into(s ticket.Status) string {
	w.t.Helper()
	n := w.create(w.li, "into a state")
	if s == ticket.Canceled {
		w.ok(w.act(w.li, n, "cancel"))
		return n
	}
	if s == ticket.Invalid {
		w.ok(w.step(w.chen, n, "invalid", "spam"))
		return n
	}
	if s != ticket.Submitted {
		w.ok(w.step(w.chen, n, "accept", ""))
	}
	switch s {
	case ticket.ToConfirm:
		w.ok(w.step(w.chen, n, "resolve", "done"))
	case ticket.Completed:
		w.ok(w.act(w.li, n, "close"))
	case ticket.Paused:
		w.ok(w.step(w.chen, n, "pause", ""))
	case ticket.Feedback:
		w.ok(w.step(w.chen, n, "ask", "which image?"))
	}
	if got := w.status(n); got != s {
		w.t.Fatalf("made a ticket in state %d, want %d", got, s)
	}
	return n
}

// TestRules tries every step in every state: the legal ones lead where the
// tables say, the others are refused with OSM.01010002 and change nothing.
func TestRules(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		w.unlimited()
		tried := 0
		check := func(action string, from ticket.Status, number string, err error, legal bool, to map[ticket.Status]ticket.Status) {
			w.t.Helper()
			tried++
			want := from
			if legal {
				w.ok(err)
				if next, ok := to[from]; ok {
					want = next
				}
			} else {
				w.refused(err, "01010002")
			}
			if got := w.status(number); got != want {
				w.t.Errorf("%s in %d led to %d, want %d", action, from, got, want)
			}
		}
		for _, from := range ticket.Statuses {
			for _, r := range customerRules {
				n := w.into(from)
				w.clock.Add(31 * time.Minute)
				var err error
				if r.action == "reply" {
					err = w.s.Reply(w.t.Context(), w.li, n, "", "an answer")
				} else {
					err = w.act(w.li, n, r.action)
				}
				check(r.action, from, n, err, slices.Contains(r.in, from), r.to)
			}
			for _, r := range engineerRules {
				if r.action == "accept" && from == ticket.Processing {
					continue // chen has it already: another refusal, below
				}
				n := w.into(from)
				err := w.step(w.chen, n, r.action, "some words")
				check("engineer's "+r.action, from, n, err, slices.Contains(r.in, from), r.to)
			}
			n := w.into(from)
			err := w.s.Rate(w.t.Context(), w.li, n, "", "good", []ticket.Score{{Dimension: 1, Points: 5}})
			check("score", from, n, err, from == ticket.Completed, nil)
		}
		w.t.Logf("REPORT ticket rules (%s): %d steps in states tried\n", w.db.Dialect(), tried)
		w.refused(w.act(w.li, w.create(w.li, "x"), "reopen"), "01010013")
		n := w.into(ticket.Completed)
		w.ok(w.s.Rate(w.t.Context(), w.li, n, "", "good", []ticket.Score{{Dimension: 1, Points: 5}}))
		w.refused(w.s.Rate(w.t.Context(), w.li, n, "", "good", []ticket.Score{{Dimension: 1, Points: 5}}), "01010001")
		seen, err := w.s.DeskShow(w.t.Context(), w.chen, n)
		w.ok(err)
		if seen.Judgement != "good" || seen.Scored == 0 || !slices.Equal(seen.Scores, []ticket.Score{{Dimension: 1, Points: 5}}) {
			w.t.Errorf("the desk sees %q %d %+v", seen.Judgement, seen.Scored, seen.Scores)
		}
		w.ok(w.s.Fold(w.t.Context()))
		if differ, err := w.s.Recount(w.t.Context()); err != nil || len(differ) > 0 {
			w.t.Errorf("counters differ from the tickets: %v %v", differ, err)
		}
	})
}

func TestUrge(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		n := w.create(w.li, "urgent")
		w.clock.Add(30*time.Minute - time.Second)
		w.refused(w.act(w.li, n, "press"), "01010023")
		w.clock.Add(time.Second)
		w.ok(w.act(w.li, n, "press"))
		w.clock.Add(30*time.Minute - time.Second)
		w.refused(w.act(w.li, n, "press"), "01010004")
		w.clock.Add(time.Second)
		w.ok(w.act(w.li, n, "press"))
	})
	each(t, ticket.Options{Demo: true}, func(w *world) {
		n := w.create(w.li, "urgent, in the demo world")
		w.ok(w.act(w.li, n, "press"))
		w.refused(w.act(w.li, n, "press"), "01010004")
	})
}

// TestHandler: the first engineer takes the ticket, another cannot take it but
// by assignment, a stale version is refused, auditors take no step.
func TestHandler(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		n := w.create(w.li, "whose is it")
		w.ok(w.step(w.chen, n, "accept", ""))
		w.refused(w.step(w.chen, n, "accept", ""), "01010051")
		w.refused(w.step(w.emma, n, "accept", ""), "01010002")
		take := func(to string, version int64) error {
			_, err := w.s.Take(w.t.Context(), w.emma, ticket.Step{Number: n, Action: "assign", Assignee: to, Version: version})
			return err
		}
		w.refused(take("nobody", 0), "01010001")
		w.refused(take("audit", 0), "01010001")
		w.refused(take("chen", 0), "01010051")
		seen, err := w.s.DeskShow(w.t.Context(), w.emma, n)
		w.ok(err)
		w.refused(take("emma", seen.Revision-1), "01010002")
		w.ok(take("emma", seen.Revision))
		if now, _ := w.s.DeskShow(w.t.Context(), w.emma, n); now.AssigneeName != "emma" || now.Status != ticket.Processing {
			w.t.Errorf("handler %q in state %d", now.AssigneeName, now.Status)
		}
		w.refused(w.step(w.auditor, n, "reply", "hello"), "01010002")
		w.refused(w.step(w.li, n, "reply", "hello"), "01010002")
		for _, bad := range []string{"reply", "ask", "resolve", "note"} {
			w.refused(w.step(w.emma, n, bad, "  "), "01010001")
		}
		w.refused(w.step(w.emma, n, "explode", "x"), "01010001")
		w.refused(w.step(w.emma, "TS000000AAAAAAAAAAAAA", "reply", "x"), "01010015")
	})
}

// TestSilence: what happens when the customer does not answer (semantics.md
// D4): reminders after a day and two, closed after three; a question counts as
// solved after seven.
func TestSilence(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	each(t, ticket.Options{}, func(w *world) {
		n := w.into(ticket.ToConfirm)
		w.work()
		sent := func() (subjects []string) {
			for _, m := range w.post.Got {
				subjects = append(subjects, m.Subject)
			}
			return subjects
		}
		at := func(d time.Duration, want ticket.Status, mails int) {
			w.t.Helper()
			w.clock.Add(d)
			w.work()
			if got := w.status(n); got != want || len(w.post.Got) != mails {
				w.t.Errorf("after another %v: state %d, want %d; mails %q, want %d", d, got, want, sent(), mails)
			}
		}
		at(0, 2, 1) // please confirm
		at(day-time.Second, 2, 1)
		at(time.Second, 2, 2) // reminder
		at(day, 2, 3)         // reminder
		at(day-time.Second, 2, 3)
		at(time.Second, 3, 4) // closed
		log, _, err := w.s.Log(w.t.Context(), w.li, n, "", locale.EN, 0, 10)
		w.ok(err)
		if log[0].Code != 3 || log[0].Side != ticket.SystemSide || log[0].Remark != "Closed by the system: no answer in time" {
			w.t.Errorf("the log tells %+v", log[0])
		}
		log, _, err = w.s.Log(w.t.Context(), w.li, n, "", locale.ZH, 0, 10)
		w.ok(err)
		if log[0].Name != "系统" || log[0].Remark != "客户未在期限内答复，系统自动关闭" {
			w.t.Errorf("the Chinese log tells %+v", log[0]) // the reader's language, not the ticket's
		}

		// An answer stops the clock, a new solution starts another.
		w.post.Got = nil
		n = w.into(ticket.ToConfirm)
		w.clock.Add(2*day + day/2)
		w.ok(w.s.Reply(w.t.Context(), w.li, n, "", "still broken"))
		w.ok(w.step(w.chen, n, "resolve", "and now?"))
		w.work()
		w.post.Got = nil
		at(day/2, 2, 0)
		at(day/2, 2, 1)
		at(day, 2, 2)
		at(day, 3, 3)

		// A question.
		n = w.into(ticket.Feedback)
		w.work()
		w.clock.Add(day)
		w.ok(w.step(w.chen, n, "ask", "still there?")) // starts the week anew
		w.work()
		w.post.Got = nil
		at(7*day-time.Second, 17, 0)
		at(time.Second, 2, 1)
		at(day, 2, 2)
		at(day, 2, 3)
		at(day, 3, 4)
	})
}

// TestWhatCustomersSee: notes and engineers' real names stay inside, on every
// way a customer reads (threats.md B5).
func TestWhatCustomersSee(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		n := w.create(w.li, "the description")
		w.ok(w.step(w.chen, n, "accept", "INTERNAL-1"))
		w.ok(w.step(w.chen, n, "note", "INTERNAL-2"))
		w.ok(w.step(w.chen, n, "reply", "hello"))
		said, total, err := w.s.Messages(w.t.Context(), w.li, n, "", 0, 0)
		w.ok(err)
		var texts []string
		for _, m := range said {
			texts = append(texts, m.Text)
			if m.Side == ticket.EngineerSide && (m.AuthorName != "工程师小陈" || m.Author == w.chen.User || strings.Contains(m.Author, "chen")) {
				w.t.Errorf("an engineer shows as %q, %q", m.AuthorName, m.Author)
			}
		}
		if want := []string{"the description", "hello"}; !slices.Equal(texts, want) || total != 2 {
			w.t.Errorf("%q, want %q", texts, want)
		}
		if !said[0].Opening || said[0].AuthorName != "li" {
			w.t.Errorf("the first message: %+v", said[0])
		}
		if hits, _ := w.find(w.li, ticket.Filter{Words: []string{"INTERNAL"}}); len(hits) > 0 {
			w.t.Error("a note is found by its customer")
		}
		log, _, err := w.s.Log(w.t.Context(), w.li, n, "", locale.ZH, 0, 100)
		w.ok(err)
		if len(log) != 1 || log[0].Code != 0 || log[0].Name != "li" {
			w.t.Errorf("log: %+v", log)
		}
		desk, err := w.s.DeskMessages(w.t.Context(), w.emma, n)
		w.ok(err)
		if len(desk) != 4 || desk[1].Text != "INTERNAL-1" || !desk[1].Internal || desk[1].AuthorName != "chen" {
			w.t.Errorf("the desk sees %+v", desk)
		}
	})
}

// TestInvalidInLog: that the house judged a ticket to be none is the one step of
// engineers that the customer's log tells (operate_type.csv, 16).
func TestInvalidInLog(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		n := w.into(ticket.Invalid)
		page, total, err := w.s.Log(w.t.Context(), w.li, n, "", locale.EN, 0, 0)
		if err != nil || total != 2 || page[0].Code != 16 || page[0].Side != ticket.EngineerSide || page[0].Remark != "Judged invalid" || page[0].Name == "chen" {
			w.t.Errorf("%+v, %d, %v", page, total, err)
		}
	})
}
