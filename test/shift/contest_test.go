package shift

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
)

// contests lets engineers answer the same ticket at the same moment, round after
// round: each round the customer writes, two to five of them read, and all send.
// What they carry are the version, the newest message they saw, or both.
func (s *shift) contests(number string, rounds int, random *rand.Rand) {
	c := s.tickets[number]
	// Until nobody is given the ticket any more: a ticket that changes lets nobody win.
	first := s.engineers[random.IntN(len(s.engineers))]
	if t, ok := first.look(number); ok && t.Status == 0 {
		status, answer := first.call("POST", "tickets/"+number+"/steps", map[string]any{"action": "accept"})
		s.counted("accept", status, answer)
	}
	for round := range rounds {
		if !c.reply(number, fmt.Sprint("round ", round)) {
			s.t.Errorf("%s: the customer cannot write", number)
			return
		}
		rivals := random.Perm(len(s.engineers))[:2+random.IntN(len(s.engineers)-1)]
		screens := make([]seen, len(rivals))
		for i, r := range rivals {
			t, ok := s.engineers[r].look(number)
			if !ok {
				return
			}
			screens[i] = t
		}
		carry := func(t seen, how int) map[string]any {
			switch how {
			case 0:
				return map[string]any{"version": t.Version}
			case 1:
				return map[string]any{"last_message_id": t.last}
			}
			return map[string]any{"version": t.Version, "last_message_id": t.last}
		}
		how := round % 3
		var gate, end sync.WaitGroup
		gate.Add(1)
		statuses, answers := make([]int, len(rivals)), make([][]byte, len(rivals))
		for i, r := range rivals {
			end.Go(func() {
				gate.Wait()
				statuses[i], answers[i] = s.engineers[r].say(screens[i], "reply", false, carry(screens[i], how))
			})
		}
		gate.Done()
		end.Wait()
		won := 0
		for i, status := range statuses {
			if status == 200 {
				won++
				continue
			}
			var refused struct {
				Conflict struct {
					Reason  string
					Changes []struct {
						Kind string
						Name string `json:"actor_name"`
					}
					Draft string `json:"draft_id"`
				}
			}
			if status != 409 || json.Unmarshal(answers[i], &refused) != nil || len(refused.Conflict.Changes) == 0 || refused.Conflict.Changes[0].Name == "" || refused.Conflict.Draft == "" {
				s.t.Errorf("%s: who was later is told %d %s", number, status, answers[i])
				continue
			}
			s.mu.Lock()
			s.done["lost with 409: "+refused.Conflict.Reason]++
			s.mu.Unlock()
		}
		s.mu.Lock()
		s.done["contest"]++
		s.mu.Unlock()
		if won != 1 {
			s.t.Errorf("%s, round %d: %d of %d answers went out: %v %s", number, round, won, len(rivals), statuses, answers)
		}
	}
}

// shown is a message as the customer API lists it.
type shown struct {
	Type    int
	Replier string
	Content string
}

// list is the customer's own list of a ticket's messages, oldest first.
func (c *customer) list(number string) (all []shown) {
	for offset := 0; ; offset += 100 {
		status, answer := c.call("GET", fmt.Sprintf("/v2/servicerequest/cases/%s/messages?limit=100&offset=%d", url.PathEscape(number), offset), nil)
		var page struct {
			Count int
			List  []struct {
				shown
				First int `json:"is_first_message"`
			} `json:"message_list"`
		}
		if status != 200 || json.Unmarshal(answer, &page) != nil {
			c.s.t.Errorf("messages of %s: %d %s", number, status, answer)
			return nil
		}
		for _, m := range page.List {
			all = append(all, m.shown)
		}
		if len(all) >= page.Count || len(page.List) == 0 {
			return all
		}
	}
}

// doubles counts answers to a contested ticket without a word of the customer's
// between them, of how many.
func doubles(all []shown) (n, of int) {
	for i, m := range all {
		if m.Type != 1 {
			continue
		}
		if of++; i > 0 && all[i-1].Type == 1 {
			n++
		}
	}
	return n, of
}
