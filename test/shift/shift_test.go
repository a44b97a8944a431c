// Package shift plays a scripted day at the desk against the shipped binary:
// two customers with different plans, two languages, mails and API calls, five
// engineers who work at the same time. Afterwards it proves from the outside
// that nothing was lost or done twice and that every figure is right.
package shift

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// tickets are how many the script opens at the desk, apart from those that the
// mails of the corpus become and those of sandboxes.
const tickets = 200

// TestShift: 200 tickets, five engineers, two languages, mail and API mixed. No
// mail is lost or doubled, no customer is answered twice, every figure of every
// clock equals its independent recomputation, and no note leaves the house.
func TestShift(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			s := start(t, database)
			d := s.arrange()
			lap := func(what string) { t.Logf("%5.1f s: %s", time.Since(began).Seconds(), what) }
			lap("people and queues")

			var aside sync.WaitGroup
			var sandboxed []ticket
			var moved [2]int
			aside.Go(func() { sandboxed, moved[0], moved[1] = s.sandboxDays() })
			s.open(tickets)
			lap("opened")

			numbers := slices.Sorted(maps.Keys(s.tickets))
			rand.New(rand.NewPCG(1, 1)).Shuffle(len(numbers), func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
			contested, joined, pool := numbers[:30], numbers[30:60], numbers[60:]
			s.contested = contested
			s.morning(pool[0])
			s.morning(pool[1])
			var work sync.WaitGroup
			for i, e := range s.engineers {
				work.Go(func() {
					random := rand.New(rand.NewPCG(2, uint64(i)))
					for range 60 {
						e.act(d, pool, random)
					}
				})
			}
			for lane := range 2 {
				work.Go(func() { s.customersStir(pool, 50, rand.New(rand.NewPCG(3, uint64(lane)))) })
				work.Go(func() {
					random := rand.New(rand.NewPCG(4, uint64(lane)))
					for i := lane; i < len(contested); i += 2 {
						s.contests(contested[i], 3, random)
					}
				})
			}
			work.Go(func() { s.merges(joined) })
			work.Go(func() { s.corpus(rand.New(rand.NewPCG(5, 5))) })
			work.Wait()
			lap("worked")
			s.mailsHandled()
			s.waited()
			aside.Wait()
			lap("at rest")

			byID := map[string]*customer{}
			for _, c := range slices.Concat(s.customers, s.sandboxes, s.others) {
				byID[c.user] = c
			}
			ours := s.all()
			byMail, messages := s.checkMails()
			if want := s.done["create"] - len(sandboxed) + byMail; len(ours) != want {
				t.Errorf("%d tickets, want %d", len(ours), want)
			}
			messages += s.release(contested[0])
			_, raw := s.feed()
			said := s.checkSaid(raw)
			once, drafts, answered, doubled := s.checkTexts(ours, byID, contested)
			if n := s.checkFeed(raw, contested); answered != s.done["contest"] || n != answered {
				t.Errorf("%d contests, %d answers shown, %d in the feed", s.done["contest"], answered, n)
			}
			lap("texts counted")
			compared, different, states := s.clocks("at the end", slices.Concat(ours, sandboxed), byID)
			lap("clocks compared")
			given, highest, per := s.checkGiven(raw, d.capacity)
			toCustomers, toHouse := s.checkSent()
			s.checkFigures(database)
			lap("figures compared")
			s.checkStopped()
			lap("stopped and proved")
			for _, what := range []string{"claim", "accept", "reply", "ask", "resolve", "pause", "resume", "note", "macro", "bulk", "snooze", "unsnooze", "transfer", "release", "later", "recall", "follow", "merge", "undo", "contest", "customer reply", "urge", "close", "lost with 409: version", "lost with 409: double_answer"} {
				if s.done[what] == 0 {
					t.Errorf("nobody managed to: %s", what)
				}
			}
			t.Logf("REPORT shift (%s): %d tickets at the desk (%d opened by script, %d by mail in all), %d in sandboxes, 5 engineers; customers wrote %d messages, %d of them by mail; %.0f s\n", database, len(ours), tickets, byMail, len(sandboxed), said, messages, time.Since(began).Seconds())
			t.Logf("REPORT shift done (%s): %s\n", database, sorted(s.done))
			t.Logf("REPORT shift refused (%s): %s\n", database, sorted(s.refused))
			t.Logf("REPORT shift answers (%s): %d contests, %d double answers; %d texts shown exactly once, %d kept as drafts; %d answers to customers and %d mails to them hold no note (%d mails to the house)\n", database, s.done["contest"], doubled+s.doubled, once, drafts, s.scanned, toCustomers, toHouse)
			t.Logf("REPORT shift SLA (%s): %d figures at the end and %d under moved clocks recomputed, %d differences; states %v\n", database, compared, moved[0], different+moved[1], states)
			t.Logf("REPORT shift queues (%s): %d given automatically, highest load %d of %d; %v\n", database, given, highest, d.capacity, per)
			if fewStates(states) {
				t.Errorf("too few states: %v", states)
			}
		})
	}
}

// fewStates tells whether no clock is in one of the five states.
func fewStates(states map[string]int) bool {
	return states["running"] == 0 || states["met"] == 0 || states["breached"] == 0 || states["paused"] == 0 || states["stopped"] == 0
}

// waited waits until no message waits to be sent.
func (s *shift) waited() {
	s.t.Helper()
	s.until("all messages have gone out", func() bool {
		for _, e := range s.engineers {
			var list struct{ Items []struct{ ID string } }
			if !e.get("later", &list) || len(list.Items) > 0 {
				return false
			}
		}
		return true
	})
}

// continued are the mails of the corpus whose text or files do not fit into the
// description of a ticket: it goes on in a message.
var continued = []string{"062-encoded-word-bomb", "123-500-attachments", "144-seven-files", "167-very-long-line", "168-long-chinese-text"}

// checkSaid holds what the feed says that customers said, ticket by ticket,
// against what they sent.
func (s *shift) checkSaid(raw []event) (said int) {
	s.t.Helper()
	ours, number, per := map[string]bool{}, map[string]string{}, map[string]int{}
	for _, c := range s.customers {
		ours[c.domain] = true
	}
	for _, e := range raw {
		switch {
		case e.Kind == "ticket.create":
			number[e.ID] = e.Data.Number
		case e.Kind == "ticket.reply" && e.Actor == "customer" && ours[e.Domain]:
			said++
			per[number[e.ID]]++
		}
	}
	for _, m := range s.listed() {
		name, _, _ := strings.Cut(m.Envelope, "@")
		if m.Outcome == "message" || m.Outcome == "ticket" && slices.Contains(continued, name) {
			per[m.Number]--
		}
	}
	for n, k := range s.replied {
		per[n] -= k
	}
	for n, k := range per {
		if k != 0 {
			s.t.Errorf("customers said %+d things too many in %s", k, n)
		}
	}
	return said
}

// sandboxDays lets tickets live in sandboxes whose clocks are moved over nights,
// days off and holidays, and compares at each stop.
func (s *shift) sandboxDays() (list []ticket, compared, different int) {
	boss := s.engineers[4]
	byID := map[string]*customer{}
	own := map[*customer][]string{}
	for _, c := range s.sandboxes {
		byID[c.user] = c
		for i := range 12 {
			body := map[string]any{"business_type_id": question, "simple_description": "sandbox " + s.tag(), "source_id": "83aeb0f2834c4df49826c781d32a963e"}
			if i%3 > 0 {
				body["business_type_id"], body["region_id"], body["severity_id"] = fault, "cn-north-1", []string{"sev-4", "sev-5"}[i%2]
			}
			if n := c.create(body); n != "" {
				own[c] = append(own[c], n)
			}
		}
	}
	step := func(number, action string) {
		status, answer := boss.call("POST", "tickets/"+number+"/steps", map[string]any{"action": action, "text": map[bool]string{true: secret, false: "sandbox"}[action == "pause" || action == "resume"]})
		s.counted("sandbox "+action, status, answer)
	}
	random := rand.New(rand.NewPCG(6, 6))
	for _, hours := range []int{7, 20, 31, 13, 50} {
		for _, c := range s.sandboxes {
			for _, n := range own[c] {
				for range 2 {
					switch k := random.IntN(12); k {
					case 0, 1:
						status, answer := c.call("POST", "/v2/servicerequest/cases/"+n+"/message", map[string]any{"message": map[string]any{"content": "more"}})
						s.counted("sandbox customer", status, answer)
					case 2:
						status, answer := c.call("POST", "/v2/servicerequest/cases/"+n+"/action?action_id="+[]string{"press", "close"}[random.IntN(2)], map[string]any{})
						s.counted("sandbox customer", status, answer)
					case 3, 4, 5, 6, 7, 8:
						step(n, []string{"accept", "reply", "ask", "resolve", "pause", "resume"}[k-3])
					}
				}
			}
			s.operate("POST", "/desk/v1/domains/"+c.domain+"/clock", map[string]any{"seconds": hours*3600 + random.IntN(3600)}, nil)
		}
		time.Sleep(1100 * time.Millisecond) // a moved clock is known everywhere within a second
		list = nil
		for _, n := range slices.Concat(own[s.sandboxes[0]], own[s.sandboxes[1]]) {
			var one ticket
			if boss.get("tickets/"+n, &one) {
				list = append(list, one)
			}
		}
		n, bad, _ := s.clocks(fmt.Sprint("after ", hours, " hours"), list, byID)
		compared, different = compared+n, different+bad
	}
	return list, compared, different
}
