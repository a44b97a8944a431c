// Package figures recomputes reports from the outside: from the desk API's event
// feed, the exported catalogue and the lists of customers, tickets and
// deliveries. It shares no code with the product. It writes down each thing that
// counts as an entry and answers every report by going through all entries.
//
//	w, err := figures.Read(get)            // get reads a path of the desk API as the operator
//	compared, listed, wrong := w.Compare() // figures, tickets behind them, what differs
package figures

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"casemate/test/slacheck"
)

// Get reads a path of the desk API.
type Get func(path string) ([]byte, error)

// happening is an event of the feed.
type happening struct {
	Seq       int64
	ID        string
	Kind      string
	Subject   string
	SubjectID string `json:"subject_id"`
	DomainID  string `json:"domain_id"`
	Revision  int64
	AtMs      int64  `json:"at_ms"`
	ActorKind string `json:"actor_kind"`
	ActorID   string `json:"actor_id"`
	Data      json.RawMessage
	data      detail
}

type detail struct {
	Number, Severity, Ticket, State, Channel, Clock, Outcome string

	ProblemType string  `json:"problem_type"`
	SeverityTo  *string `json:"severity_to"`
	From, To    *int
	Assignee    *string
	Team        *string
	Heard       bool
	Quiet       bool
	Comment     bool
	Scores      []struct{ Dimension, Points int64 }
}

// entry is something that counts.
type entry struct {
	measure, detail string
	at, amount      int64
	verdict         string
	number          string
	dims            map[string]string
	none            bool // it names a group, and counts nothing
}

// World is what was read.
type World struct {
	get     Get
	last    int64 // number of the last event
	entries []entry
	open    []entry // open tickets, detail: state
	asked   int64   // when the report of ages was made, milliseconds UTC
	sent    []entry // attempts to send, measure: what became of them
	codes   []entry // those with codes
	teams   map[string][]string
	able    []entry // of each engineer what he can carry, and that he may have nothing open
}

func read[T any](get Get, path string) (v T, err error) {
	body, err := get(path)
	if err != nil {
		return v, err
	}
	if err = json.Unmarshal(body, &v); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return v, err
}

// Read reads everything. Nobody should work meanwhile.
func Read(get Get) (*World, error) {
	w := &World{get: get}
	var all []happening
	var pages [][]byte
	for quiet := 0; quiet < 3; {
		body, err := get(fmt.Sprint("/desk/v1/events?limit=500&after=", w.last))
		if err != nil {
			return nil, err
		}
		var page struct {
			Items []happening
			Last  int64
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, err
		}
		if page.Last == w.last {
			quiet++
			time.Sleep(250 * time.Millisecond) // the sealer's longest wait is 200 ms
			continue
		}
		w.last, quiet = page.Last, 0
		all, pages = append(all, page.Items...), append(pages, body)
	}
	plans, sandbox := map[string]string{}, map[string]bool{}
	for path := "/desk/v1/domains?limit=100"; path != ""; {
		page, err := read[struct {
			Items []struct {
				ID, Plan string
				Sandbox  bool
			}
			Next string `json:"next_cursor"`
		}](get, path)
		if err != nil {
			return nil, err
		}
		for _, d := range page.Items {
			plans[d.ID], sandbox[d.ID] = d.Plan, d.Sandbox
		}
		if path = ""; page.Next != "" {
			path = "/desk/v1/domains?limit=100&cursor=" + url.QueryEscape(page.Next)
		}
	}
	all = slices.DeleteFunc(all, func(h happening) bool { return sandbox[h.DomainID] })
	catalog, err := read[struct{ Files map[string]string }](get, "/desk/v1/catalog")
	if err != nil {
		return nil, err
	}
	products := map[string]string{}
	for cursor := ""; ; {
		page, err := read[struct {
			Items []struct {
				Number  string
				Product string `json:"product_category_id"`
			}
			Next string `json:"next_cursor"`
		}](get, "/desk/v1/tickets?limit=100&snoozed=all"+cursor)
		if err != nil {
			return nil, err
		}
		for _, t := range page.Items {
			products[t.Number] = t.Product
		}
		if page.Next == "" {
			break
		}
		cursor = "&cursor=" + url.QueryEscape(page.Next)
	}
	feed, err := slacheck.Events(pages...)
	if err != nil {
		return nil, err
	}
	clocks := map[string][]slacheck.Event{}
	for _, e := range feed {
		clocks[e.SubjectID] = append(clocks[e.SubjectID], e)
	}
	mailed, own, number := map[string]bool{}, map[string][]happening{}, map[string]string{}
	for i := range all {
		h := &all[i]
		if json.Unmarshal(h.Data, &h.data) != nil {
			h.data = detail{} // data of another form: nothing in it counts
		}
		switch {
		case h.Kind == "mail.handled" && h.data.Outcome == "ticket":
			mailed[h.data.Number] = true
		case h.Subject == "ticket":
			own[h.SubjectID] = append(own[h.SubjectID], *h)
			if h.Kind == "ticket.create" {
				number[h.SubjectID] = h.data.Number
			}
		}
	}
	promised := map[[3]string]slacheck.Policy{}
	for id, events := range own {
		if number[id] == "" {
			return nil, fmt.Errorf("ticket %s has no beginning", id)
		}
		policy := func(severity string) (slacheck.Policy, error) {
			k := [3]string{plans[events[0].DomainID], severity, events[0].data.ProblemType}
			p, ok := promised[k]
			if !ok {
				var err error
				if p, err = slacheck.Catalog(catalog.Files, k[0], k[1], k[2]); err != nil {
					return p, err
				}
				promised[k] = p
			}
			return p, nil
		}
		sort.SliceStable(events, func(i, j int) bool {
			return events[i].Revision < events[j].Revision || events[i].Revision == events[j].Revision && events[i].ID < events[j].ID
		})
		kept, err := verdicts(slacheck.Of(clocks[id], id), policy, events[0].data.Severity)
		if err != nil {
			return nil, err
		}
		channel := "api"
		if mailed[number[id]] {
			channel = "mail"
		}
		w.life(events, map[string]string{"domain": events[0].DomainID, "channel": channel, "product": products[number[id]]}, number[id], kept)
	}
	for _, h := range all {
		dims := map[string]string{"domain": h.DomainID, "product": products[number[h.data.Ticket]]}
		if h.ActorKind == "engineer" {
			dims["engineer"] = h.ActorID
		}
		e := entry{at: h.AtMs, detail: h.SubjectID, number: number[h.data.Ticket], dims: dims}
		switch h.Kind {
		case "macro.run":
			e.measure = "macro"
		case "rule.run":
			e.measure, e.verdict = "rule", "met"
			if h.data.State == "failed" {
				e.verdict = "missed"
			}
		case "code.send":
			e.measure, e.detail, e.dims = "code", h.data.Channel, map[string]string{"domain": h.DomainID}
		default:
			continue
		}
		w.entries = append(w.entries, e)
	}
	teams, err := read[struct {
		Items []struct {
			ID      string
			Members []struct {
				User string `json:"user_id"`
			}
		}
	}](get, "/desk/v1/teams")
	if err != nil {
		return nil, err
	}
	w.able = able(all)
	w.teams = map[string][]string{}
	for _, t := range teams.Items {
		for _, m := range t.Members {
			w.teams[m.User] = append(w.teams[m.User], t.ID)
		}
	}
	return w, w.ledger(sandbox)
}

// usual is how many tickets an engineer carries of whom nothing else was said and
// the settings say nothing (docs/OPERATE.md, queue.capacity).
const usual = 20

// able follows who can take tickets, and how many: the house's own people who do
// more than audit and are not shut out.
func able(all []happening) (out []entry) {
	type person struct {
		roles, partner string
		out            bool
		capacity       int64
	}
	people := map[string]*person{}
	of := func(id string) *person {
		if people[id] == nil {
			people[id] = &person{}
		}
		return people[id]
	}
	for _, h := range all {
		var d struct {
			Role, Roles, Partner string
			To                   any
			CapacityTo           *int64 `json:"capacity_to"`
		}
		if h.DomainID != "house" || json.Unmarshal(h.Data, &d) != nil {
			continue
		}
		switch h.Kind {
		case "user.create":
			p := of(h.SubjectID)
			if p.roles, p.partner = d.Roles, d.Partner; p.roles == "" {
				p.roles = d.Role
			}
		case "user.roles":
			of(h.SubjectID).roles, _ = d.To.(string)
		case "user.disable":
			of(h.SubjectID).out, _ = d.To.(bool)
		case "team.engineer":
			if d.CapacityTo != nil {
				of(h.SubjectID).capacity = *d.CapacityTo
			}
		}
	}
	for id, p := range people {
		if p.roles == "" || p.roles == "auditor" || p.partner != "" || p.out {
			continue
		}
		if p.capacity == 0 {
			p.capacity = usual
		}
		dims := map[string]string{"engineer": id}
		out = append(out, entry{measure: "capacity", amount: p.capacity, dims: dims}, entry{measure: "open", dims: dims, none: true})
	}
	return out
}

// verdicts are what became of the clocks that have ended, by kind and number.
func verdicts(events []slacheck.Event, policy func(string) (slacheck.Policy, error), first string) (map[string]string, error) {
	shown, err := slacheck.RecomputeTurned(events, policy, first, events[len(events)-1].AtMs)
	out := map[string]string{}
	for _, f := range shown {
		if f.End > 0 {
			out[fmt.Sprint(f.Kind, ".", f.N)] = map[string]string{"met": "met", "breached": "missed"}[f.State]
		}
	}
	return out, err
}

var isOpen = map[int]bool{0: true, 1: true, 2: true, 5: true, 17: true}

// life writes down what counts in the life of a ticket.
func (w *World) life(events []happening, dims map[string]string, number string, kept map[string]string) {
	var (
		state, wait      int
		began, since, at int64
		waiting          int64 // since when the customer waits behind the first answer, 0 = he does not
		answered         bool
		engineer, team   string
		severity         = events[0].data.Severity
		solved           *entry
	)
	note := func(measure, detail string, amount int64, verdict string) *entry {
		d := maps.Clone(dims)
		d["engineer"], d["team"], d["severity"] = engineer, team, severity
		w.entries = append(w.entries, entry{measure: measure, detail: detail, at: at, amount: amount, verdict: verdict, number: number, dims: d})
		return &w.entries[len(w.entries)-1]
	}
	for i, h := range events {
		at = max(at, h.AtMs)
		if i == 0 {
			began, since = at, at
		}
		moved := h.data.From != nil && h.data.To != nil && *h.data.To != state
		if moved && isOpen[state] {
			note("state", strconv.Itoa(state), at-since, "")
		}
		if h.Kind == "ticket.transfer" {
			note("change", "transfer", 0, "")
		}
		alarm, isAlarm := strings.CutPrefix(h.Kind, "sla.")
		if h.data.Assignee != nil && !isAlarm {
			engineer = *h.data.Assignee
		}
		if h.data.Team != nil && (h.Kind == "ticket.transfer" || h.Kind == "ticket.undo") {
			team = *h.data.Team
		}
		if h.data.SeverityTo != nil {
			severity = *h.data.SeverityTo
		}
		if moved {
			to := *h.data.To
			if isOpen[state] && !isOpen[to] {
				note("finished", strconv.Itoa(to), at-began, "")
			}
			if !isOpen[state] && isOpen[to] {
				note("reopened", "", 0, "")
			}
			over := func(s int) bool { return s == 2 || !isOpen[s] }
			if over(to) && !over(state) {
				solved = nil
				if to == 2 || to == 3 {
					note("resolution", "", at-began, kept["resolution.1"])
					last := w.entries[len(w.entries)-1]
					w.entries = w.entries[:len(w.entries)-1]
					solved = &last
				}
			}
			if !over(to) {
				solved = nil
			}
			state, since = to, at
		}
		switch h.Kind {
		case "ticket.create":
			note("created", "", 0, "")
		case "ticket.urge":
			note("urge", "", 0, "")
		case "ticket.merge", "ticket.split", "ticket.move", "ticket.undo":
			note("change", strings.TrimPrefix(h.Kind, "ticket."), 0, "")
		case "ticket.score":
			note("rated", "", 0, "")
			if h.data.Comment {
				note("comment", "", 0, "")
			}
			for _, s := range h.data.Scores {
				note("score", fmt.Sprint(s.Dimension), s.Points, "")
			}
		}
		if isAlarm && (alarm == "warned" || alarm == "breached" || alarm == "escalated") {
			note("alarm", alarm+"."+h.data.Clock, 0, "")
		}
		spoke := h.Kind == "ticket.reply" || h.Kind == "ticket.ask" || h.Kind == "ticket.resolve"
		switch {
		case spoke && h.ActorKind == "engineer":
			handler := engineer
			engineer = h.ActorID
			note("answer", "", 0, "")
			if !answered {
				note("first_answer", "", at-began, kept["first_answer.1"])
			} else if waiting > 0 {
				note("next_answer", "", at-waiting, kept[fmt.Sprint("next_answer.", wait)])
			}
			engineer, answered, waiting = handler, true, 0
		case h.data.Quiet:
			waiting = 0
		case answered && waiting == 0 && (h.Kind == "ticket.reply" && h.ActorKind == "customer" || h.data.Heard):
			waiting = at
			wait++
		}
	}
	if solved != nil {
		w.entries = append(w.entries, *solved)
	}
	if isOpen[state] {
		d := maps.Clone(dims)
		d["engineer"], d["team"], d["severity"] = engineer, team, severity
		w.open = append(w.open, entry{measure: "open", detail: strconv.Itoa(state), at: began, number: number, dims: d})
	}
}

// ledger reads what was sent.
func (w *World) ledger(sandbox map[string]bool) error {
	for cursor := ""; ; {
		page, err := read[struct {
			Items []struct {
				Domain   string `json:"domain_id"`
				Channel  string
				Kind     string
				Attempts []struct {
					Provider, Outcome, Receipt string
					Cost                       int64
				}
			}
			Next string `json:"next_cursor"`
		}](w.get, "/desk/v1/deliveries?limit=100"+cursor)
		if err != nil {
			return err
		}
		for _, d := range page.Items {
			if sandbox[d.Domain] {
				continue
			}
			for _, a := range d.Attempts {
				add := func(measure string, amount int64) {
					e := entry{measure: measure, detail: d.Channel, amount: amount, dims: map[string]string{"domain": d.Domain, "provider": a.Provider}}
					w.sent = append(w.sent, e)
					if d.Kind == "verify.code" {
						w.codes = append(w.codes, e)
					}
				}
				if a.Outcome == "ok" {
					add("sent", 0)
				}
				if a.Receipt == "delivered" {
					add("delivered", 0)
				} else if a.Receipt == "failed" || a.Receipt == "bounced" || a.Outcome == "temporary" || a.Outcome == "permanent" {
					add("failed", 0)
				} else if a.Outcome == "running" || a.Outcome == "unknown" {
					add("pending", 0)
				}
				if a.Cost != 0 {
					add("cost", a.Cost)
				}
			}
		}
		if page.Next == "" {
			return nil
		}
		cursor = "&cursor=" + url.QueryEscape(page.Next)
	}
}
