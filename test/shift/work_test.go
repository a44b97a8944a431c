package shift

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// desk is what the engineers share: where tickets are given out, and a macro.
type desk struct {
	team, manual, macro string
	capacity            int
}

// arrange makes teams, skills, queues of each kind and a macro, and lets all
// come to work.
func (s *shift) arrange() (d desk) {
	s.t.Helper()
	d.capacity = 20
	ids := func(of ...int) (all []string) {
		for _, i := range of {
			all = append(all, s.engineers[i].id)
		}
		return all
	}
	for _, e := range s.engineers {
		skills := map[string]any{}
		if e.lang != "" {
			skills["languages"] = []string{e.lang}
		}
		s.operate("PUT", "/desk/v1/engineer-profiles/"+e.id, map[string]any{"capacity": d.capacity, "skills": skills}, nil)
		if status, answer := e.call("PUT", "me/shift", map[string]any{"presence": "online"}); status != 200 {
			s.t.Fatalf("%s: %d %s", e.name, status, answer)
		}
	}
	team := func(name string, members []string) string {
		var made struct{ ID string }
		s.operate("POST", "/desk/v1/teams", map[string]any{"name_en": name, "name_zh": name, "members": members}, &made)
		return made.ID
	}
	all := team("All", ids(0, 1, 2, 3, 4))
	chinese, english := team("Chinese", ids(0, 2, 4)), team("English", ids(1, 3, 4))
	d.team = team("Experts", ids(1, 4))
	queue := func(place int, name, team, way string, hard bool, filter map[string]any) string {
		var made struct{ ID string }
		filter["statuses"], filter["assignee"] = []int{0, 1}, "none"
		s.operate("POST", "/desk/v1/queues", map[string]any{"name_en": name, "place": place, "team_id": team, "assignment": way, "hard_capacity": hard, "filter": filter}, &made)
		return made.ID
	}
	d.manual = queue(1, "Severe", all, "manual", false, map[string]any{"severities": []string{"sev-2", "sev-3", "sev-4", "sev-5"}})
	queue(2, "Chinese", chinese, "least_loaded", true, map[string]any{"severities": []string{"none"}, "languages": []string{"zh-cn"}, "team_ids": []string{"none"}})
	queue(3, "English", english, "round_robin", false, map[string]any{"severities": []string{"none"}, "languages": []string{"en-us"}, "team_ids": []string{"none"}})
	status, answer := s.engineers[4].call("POST", "macros", map[string]any{"shared": true, "name": map[string]string{"zh": "处理", "en": "Handle"}, "actions": []any{
		map[string]any{"do": "reply", "text": map[string]string{"zh": "{{ticket.number}} 正在处理", "en": "{{ticket.number}} is looked at"}},
		map[string]any{"do": "note", "text": map[string]string{"zh": secret + " 宏", "en": secret + " macro"}},
		map[string]any{"do": "tag", "tags": []string{secret}},
	}})
	var macro struct{ ID string }
	if status != 201 || json.Unmarshal(answer, &macro) != nil {
		s.t.Fatalf("%d %s", status, answer)
	}
	d.macro = macro.ID
	return d
}

// seen is a ticket as an engineer has it on his screen.
type seen struct {
	Number  string
	Version int64
	Status  int
	last    string
}

func (e *engineer) look(number string) (t seen, ok bool) {
	var team struct {
		Last string `json:"last_message_id"`
	}
	ok = e.get("tickets/"+number+"/team", &team) && e.get("tickets/"+number, &t)
	t.last = team.Last
	return t, ok
}

// say is a reply, ask or resolve. With carry it names what he has seen, and of
// those who have seen the same one may be heard.
func (e *engineer) say(t seen, action string, carry bool, more map[string]any) (status int, answer []byte) {
	tag := e.s.tag()
	body := map[string]any{"action": action, "text": map[string]string{"zh-cn": "您好，请重试 ", "en-us": "Please try again ", "": "请 try "}[e.lang] + tag}
	if carry {
		body["version"], body["last_message_id"] = t.Version, t.last
	}
	for k, v := range more {
		body[k] = v
	}
	if status, answer = e.call("POST", "tickets/"+t.Number+"/steps", body); status != 200 {
		if status == 409 { // a conflict keeps the text
			e.s.expect(tag, text{kept: true})
		}
		return status, answer
	}
	want := text{least: 1, most: 1}
	if more["undo_within"] != nil {
		want.least, want.kept = 0, true // may be taken back, or withheld
	} else if carry {
		e.s.mu.Lock()
		key := fmt.Sprint(t.Number, " ", t.Version)
		if other := e.s.carried[key]; other != "" {
			e.s.doubled++
			e.s.t.Errorf("%s and %s both answered %s", other, e.name, key)
		}
		e.s.carried[key] = e.name
		e.s.mu.Unlock()
	}
	e.s.expect(tag, want)
	return status, answer
}

func (e *engineer) note(number, words string) {
	tag := e.s.tag()
	status, answer := e.call("POST", "tickets/"+number+"/steps", map[string]any{"action": "note", "text": secret + " " + words + " " + tag})
	if e.s.counted("note", status, answer) {
		e.s.expect(tag, text{least: 1, most: 1, note: true})
	}
}

// fits are the steps that a state allows.
var fits = map[string][]int{"accept": {0}, "reply": {0, 1}, "ask": {1}, "resolve": {1, 17}, "pause": {1}, "resume": {5}, "later": {1}, "macro": {0, 1}}

var doings = []string{"claim", "accept", "accept", "reply", "reply", "reply", "ask", "ask", "resolve", "resolve", "pause", "resume", "resume", "note", "macro", "bulk", "snooze", "transfer", "release", "later", "later", "follow"}

// act is one thing an engineer does, of chance. It may be refused: others are
// as fast as he.
func (e *engineer) act(d desk, pool []string, random *rand.Rand) {
	what := doings[random.IntN(len(doings))]
	if what == "claim" {
		status, answer := e.call("POST", "queues/"+d.manual+"/claim", nil)
		e.s.counted(what, status, answer)
		return
	}
	t, ok := e.look(pool[random.IntN(len(pool))])
	for range 4 { // he looks for a ticket to do it to
		if fits[what] == nil || !ok || slices.Contains(fits[what], t.Status) {
			break
		}
		t, ok = e.look(pool[random.IntN(len(pool))])
	}
	if !ok {
		return
	}
	step := func(body map[string]any) {
		body["action"] = what
		if random.IntN(2) == 0 {
			body["version"] = t.Version
		}
		status, answer := e.call("POST", "tickets/"+t.Number+"/steps", body)
		e.s.counted(what, status, answer)
	}
	other := e.s.engineers[random.IntN(len(e.s.engineers))]
	switch what {
	case "reply", "ask", "resolve":
		e.s.told(e.call("PUT", "tickets/"+t.Number+"/presence", map[string]any{"doing": "replying"}))
		status, answer := e.say(t, what, random.IntN(3) > 0, nil)
		e.s.counted(what, status, answer)
	case "later":
		e.later(t, random.IntN(2) == 0)
	case "note":
		e.note(t.Number, "@"+other.name+" 请看一下")
	case "macro":
		e.macro(d, t)
	case "bulk":
		numbers := map[string]bool{}
		for range 5 {
			numbers[pool[random.IntN(len(pool))]] = true
		}
		e.bulk(numbers)
	case "snooze":
		status, answer := e.call("PUT", "tickets/"+t.Number+"/snooze", map[string]any{"until": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
		if e.s.counted(what, status, answer) && random.IntN(2) == 0 {
			status, answer = e.call("DELETE", "tickets/"+t.Number+"/snooze", nil)
			e.s.counted("unsnooze", status, answer)
		}
	case "transfer":
		status, answer := e.call("POST", "tickets/transfer", map[string]any{"numbers": []string{t.Number}, "to": "house", "team_id": d.team, "text": secret + " for the experts"})
		if status == 200 && !strings.Contains(string(answer), `"transferred":true`) {
			status = 400
		}
		e.s.counted(what, status, answer)
	case "follow":
		status, answer := e.call("PUT", "tickets/"+t.Number+"/follow", nil)
		e.s.counted(what, status, answer)
	case "pause", "resume", "release":
		step(map[string]any{"text": secret + " " + what})
	default:
		step(map[string]any{})
	}
}

// morning is one of everything that chance may leave out.
func (s *shift) morning(number string) {
	boss, c := s.engineers[4], s.tickets[number]
	at := "tickets/" + number
	step := func(what, words string) {
		status, answer := boss.call("POST", at+"/steps", map[string]any{"action": what, "text": words})
		s.counted(what, status, answer)
	}
	do := func(what, method, path string, body any) {
		status, answer := boss.call(method, at+path, body)
		s.counted(what, status, answer)
	}
	customer := func(what, action string) {
		status, answer := c.call("POST", "/v2/servicerequest/cases/"+number+"/action?action_id="+action, map[string]any{})
		s.counted(what, status, answer)
	}
	step("accept", "")
	customer("urge", "press")
	step("pause", secret)
	step("resume", secret)
	do("snooze", "PUT", "/snooze", map[string]any{"until_customer": true})
	do("unsnooze", "DELETE", "/snooze", nil)
	do("follow", "PUT", "/follow", nil)
	step("release", secret)
	step("resolve", "solved")
	customer("close", "close")
}

func (s *shift) told(status int, answer []byte) {
	if status != 200 {
		s.t.Errorf("presence: %d %s", status, answer)
	}
}

// later writes a message that waits for two seconds, and may take it back.
func (e *engineer) later(t seen, recall bool) {
	status, answer := e.say(t, "reply", false, map[string]any{"undo_within": 2})
	var got struct{ Later struct{ ID, Text string } }
	if !e.s.counted("later", status, answer) || !recall {
		return
	}
	if json.Unmarshal(answer, &got) != nil || got.Later.ID == "" {
		e.s.t.Errorf("nothing waits: %s", answer)
		return
	}
	if status, answer = e.call("DELETE", "later/"+got.Later.ID, nil); e.s.counted("recall", status, answer) {
		_, tag, _ := strings.Cut(got.Later.Text, "[")
		e.s.expect("["+tag, text{kept: true})
	}
}

func (e *engineer) macro(d desk, t seen) {
	tag := e.s.tag()
	status, answer := e.call("POST", "macros/"+d.macro+"/run", map[string]any{"number": t.Number, "version": t.Version, "text": "Macro " + tag})
	var run struct{ Done bool }
	if !e.s.counted("macro", status, answer) {
		return
	}
	if err := json.Unmarshal(answer, &run); err != nil {
		e.s.t.Error(err)
	}
	want := text{most: 1}
	if run.Done {
		want.least = 1
	}
	e.s.expect(tag, want)
}

func (e *engineer) bulk(of map[string]bool) {
	var numbers []string
	for n := range of {
		numbers = append(numbers, n)
	}
	words := map[string]string{"zh": secret + " 批量", "en": secret + " bulk"}
	status, answer := e.call("POST", "bulk-runs", map[string]any{"numbers": numbers, "actions": []any{map[string]any{"do": "note", "text": words}, map[string]any{"do": "tag", "tags": []string{"bulk"}}}})
	var run struct {
		Total, Done int
		Items       []json.RawMessage
	}
	if e.s.counted("bulk", status, answer) && (json.Unmarshal(answer, &run) != nil || run.Total != len(numbers) || len(run.Items) != len(numbers)) {
		e.s.t.Errorf("a bulk run over %v answered %s", numbers, answer)
	}
}

// merges joins tickets of one submitter and parts every other pair again.
func (s *shift) merges(pool []string) {
	bySubmitter := map[*customer][]string{}
	for _, n := range pool {
		bySubmitter[s.tickets[n]] = append(bySubmitter[s.tickets[n]], n)
	}
	i := 0
	for _, c := range s.customers {
		all := bySubmitter[c]
		for k := 0; k+1 < len(all); k += 2 {
			e := s.engineers[i%len(s.engineers)]
			i++
			c.reply(all[k], "before")
			if t, ok := e.look(all[k]); ok {
				e.say(t, "reply", true, nil)
			}
			status, answer := e.call("POST", "tickets/"+all[k]+"/merge", map[string]any{"into": all[k+1]})
			if !s.counted("merge", status, answer) {
				s.t.Errorf("merging %s into %s: %d %s", all[k], all[k+1], status, answer)
				continue
			}
			c.reply(all[k+1], "behind")
			if i%2 == 0 {
				continue
			}
			var history struct {
				Items []struct {
					Kind     string
					Revision int64
					Undoable bool
				}
			}
			if !e.get("tickets/"+all[k]+"/history?limit=100", &history) {
				continue
			}
			for _, h := range history.Items {
				if h.Kind == "ticket.merge" && h.Undoable {
					status, answer = e.call("POST", "tickets/"+all[k]+"/undo", map[string]any{"revision": h.Revision})
					if s.counted("undo", status, answer) {
						break
					}
					s.t.Errorf("undoing the merge of %s: %d %s", all[k], status, answer)
				}
			}
		}
	}
}

// customersStir lets customers write, urge and confirm.
func (s *shift) customersStir(pool []string, n int, random *rand.Rand) {
	for range n {
		number := pool[random.IntN(len(pool))]
		c := s.tickets[number]
		switch random.IntN(8) {
		case 0, 1, 2:
			c.reply(number, "still / 还是不行")
		case 3:
			status, answer := c.call("POST", "/v2/servicerequest/cases/"+number+"/action?action_id=press", map[string]any{})
			s.counted("urge", status, answer)
		case 4:
			for range 8 { // one that waits for his word
				if t, ok := s.engineers[0].look(number); !ok || t.Status == 2 {
					break
				}
				number = pool[random.IntN(len(pool))]
			}
			status, answer := s.tickets[number].call("POST", "/v2/servicerequest/cases/"+number+"/action?action_id=close", map[string]any{})
			s.counted("close", status, answer)
		default:
			s.answerByMail(random)
		}
	}
}
