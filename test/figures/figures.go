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
	"math"
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
}

// World is what was read.
type World struct {
	get     Get
	last    int64 // number of the last event
	entries []entry
	open    []entry // open tickets, detail: state
	sent    []entry // attempts to send, measure: what became of them
	codes   []entry // those with codes
	teams   map[string][]string
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
	domains, err := read[struct {
		Items []struct {
			ID, Plan string
			Sandbox  bool
		}
	}](get, "/desk/v1/domains")
	if err != nil {
		return nil, err
	}
	plans, sandbox := map[string]string{}, map[string]bool{}
	for _, d := range domains.Items {
		plans[d.ID], sandbox[d.ID] = d.Plan, d.Sandbox
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
	w.teams = map[string][]string{}
	for _, t := range teams.Items {
		for _, m := range t.Members {
			w.teams[m.User] = append(w.teams[m.User], t.ID)
		}
	}
	return w, w.ledger(sandbox)
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
		w.entries = append(w.entries, entry{measure, detail, at, amount, verdict, number, d})
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

// figure is one number, as the product shows it.
type figure struct {
	Period   string
	Group    string
	Measure  string
	Detail   string
	Count    int64
	Unit     string
	Sum      int64
	P50, P90 int64
	Met      int64
	Missed   int64
	PerMille int64 `json:"met_per_mille"`
	Listed   bool
	FromMs   int64 `json:"from_ms"`
	ToMs     int64 `json:"to_ms"`
}

// share is the nearest rank among all amounts, rounded up to three significant
// digits.
func share(amounts []int64, percent float64) int64 {
	slices.Sort(amounts)
	v := amounts[int(math.Ceil(float64(len(amounts))*percent/100))-1]
	text := strconv.FormatInt(v, 10)
	if len(text) <= 3 {
		return v
	}
	head, _ := strconv.ParseInt(text[:3], 10, 64)
	if strings.Trim(text[3:], "0") != "" {
		head++
	}
	for range len(text) - 3 {
		head *= 10
	}
	return head
}

// reports are what each report counts: measure to unit.
var reports = map[string]map[string]string{
	"flow": {"created": "", "finished": "milliseconds", "reopened": ""}, "first_answer": {"first_answer": "milliseconds"}, "next_answer": {"next_answer": "milliseconds"},
	"resolution": {"resolution": "milliseconds"}, "promises": {"alarm": ""}, "scores": {"finished": "milliseconds", "rated": "", "comment": "", "score": "points"}, "urges": {"urge": ""},
	"changes": {"reopened": "", "change": ""}, "states": {"state": "milliseconds"}, "automation": {"macro": "", "rule": ""},
	"open": {"open": ""}, "load": {"open": "", "answer": ""}, "codes": {"code": "", "sent": "", "delivered": "", "failed": "", "pending": "", "cost": "thousandths"},
	"deliveries": {"sent": "", "delivered": "", "failed": "", "pending": "", "cost": "thousandths"},
}

// groups are what they are grouped by here. The language of a ticket's notices
// is shown nowhere else.
var groups = map[string][]string{"automation": {"", "domain", "engineer", "product"}, "open": {"", "domain", "engineer", "product", "severity", "team"}, "load": {"engineer"},
	"codes": {"", "domain", "provider"}, "deliveries": {"", "domain", "provider"}}

// entriesOf are what a report goes by.
func (w *World) entriesOf(report string) []entry {
	switch report {
	case "open":
		return w.open
	case "load":
		all := []entry{}
		for _, e := range w.open {
			if e.detail = ""; e.dims["engineer"] != "" {
				all = append(all, e)
			}
		}
		return append(all, w.entries...)
	case "codes":
		return slices.Concat(w.entries, w.codes)
	case "deliveries":
		return w.sent
	}
	return w.entries
}

// name is the period of an instant; "" without periods.
func name(at int64, every string, zone *time.Location) string {
	t := time.UnixMilli(at).In(zone)
	switch every {
	case "day":
		return t.Format(time.DateOnly)
	case "week":
		y, n := t.ISOWeek()
		return fmt.Sprintf("%d-W%02d", y, n)
	}
	return ""
}

// want are the figures of a report.
func (w *World) want(report, by, every string, zone *time.Location, holds func(entry) bool) map[string]figure {
	amounts := map[string][]int64{}
	out := map[string]figure{}
	for _, e := range w.entriesOf(report) {
		unit, ok := reports[report][e.measure]
		if !ok || report == "scores" && e.measure == "finished" && e.detail != "3" || holds != nil && !holds(e) {
			continue
		}
		f := figure{Group: e.dims[by], Measure: e.measure, Detail: e.detail, Unit: unit, Period: name(e.at, every, zone)}
		k := f.key()
		if have, ok := out[k]; ok {
			f = have
		}
		f.Count++
		f.Met += map[string]int64{"met": 1}[e.verdict]
		f.Missed += map[string]int64{"missed": 1}[e.verdict]
		if unit != "" {
			f.Sum += e.amount
			amounts[k] = append(amounts[k], e.amount)
		}
		out[k] = f
	}
	for k, f := range out {
		if f.Unit == "milliseconds" {
			f.P50, f.P90 = share(amounts[k], 50), share(amounts[k], 90)
		}
		if all := f.Met + f.Missed; all > 0 {
			f.PerMille = int64(math.Floor(float64(f.Met)*1000/float64(all) + 0.5))
		}
		out[k] = f
	}
	return out
}

func (f figure) key() string {
	return strings.Join([]string{f.Period, f.Group, f.Measure, f.Detail}, "|")
}

// Compare holds every figure of every report, in every grouping, and the lists
// behind them against the recomputation.
func (w *World) Compare() (compared, listed int, wrong []string) {
	for _, report := range slices.Sorted(maps.Keys(reports)) {
		all := groups[report]
		if all == nil {
			all = []string{"", "channel", "domain", "engineer", "product", "severity", "team"}
		}
		for _, by := range all {
			for _, cut := range [][2]string{{"", "GMT+8"}, {"day", "GMT+8"}, {"week", "America/New_York"}} {
				if cut[0] != "" && slices.Contains([]string{"open", "load", "codes", "deliveries"}, report) {
					continue // of now, or the times of attempts are shown to seconds only
				}
				n, m, bad := w.compare(w.get, report, by, cut[0], cut[1], nil, by == "" && cut[0] != "week")
				compared, listed, wrong = compared+n, listed+m, append(wrong, bad...)
			}
		}
	}
	return compared, listed, wrong
}

// CompareAs is Compare of some reports for an engineer, who sees what is his and
// his teams'; get reads as him.
func (w *World) CompareAs(get Get, engineer string) (compared int, wrong []string) {
	for _, report := range []string{"first_answer", "states", "open"} {
		n, _, bad := w.compare(get, report, "", "", "GMT+8", func(e entry) bool {
			return e.dims["engineer"] == engineer || slices.Contains(w.teams[engineer], e.dims["team"])
		}, false)
		compared, wrong = compared+n, append(wrong, bad...)
	}
	return compared, wrong
}

func (w *World) compare(get Get, report, by, every, zoneName string, holds func(entry) bool, lists bool) (compared, listed int, wrong []string) {
	zone := time.FixedZone("GMT+8", 8*3600)
	if zoneName != "GMT+8" {
		var err error
		if zone, err = time.LoadLocation(zoneName); err != nil {
			return 0, 0, []string{err.Error()}
		}
	}
	q := url.Values{"zone": {zoneName}}
	for k, v := range map[string]string{"by": by, "every": every} {
		if v != "" {
			q.Set(k, v)
		}
	}
	where := report + "?" + q.Encode()
	var got struct {
		AsOf    int64 `json:"as_of_seq"`
		ToMs    int64 `json:"to_ms"`
		Figures []figure
	}
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		var err error
		got, err = read[struct {
			AsOf    int64 `json:"as_of_seq"`
			ToMs    int64 `json:"to_ms"`
			Figures []figure
		}](get, "/desk/v1/reports/"+where)
		if err != nil {
			return 0, 0, []string{err.Error()}
		}
		if got.AsOf >= w.last {
			break
		}
		if time.Now().After(until) {
			return 0, 0, []string{fmt.Sprint(where, ": as of ", got.AsOf, " where the feed has ", w.last)}
		}
	}
	want := w.want(report, by, every, zone, holds)
	for _, f := range got.Figures {
		if f.Measure == "capacity" || report == "load" && f.Measure == "open" && f.Count == 0 {
			continue
		}
		compared++
		x := want[f.key()]
		delete(want, f.key())
		from, to := f.FromMs, f.ToMs
		is := f.Listed
		f.FromMs, f.ToMs, f.Listed = 0, 0, false
		if f != x {
			wrong = append(wrong, fmt.Sprintf("%s: %+v, by the events %+v", where, f, x))
			continue
		}
		if is && lists {
			n, err := w.list(get, report, every, f, from, to, zoneName, holds)
			if listed += n; err != nil {
				wrong = append(wrong, err.Error())
			}
		}
	}
	for _, x := range want {
		wrong = append(wrong, fmt.Sprintf("%s: not shown: %+v", where, x))
	}
	return compared, listed, wrong
}

// list reads the tickets behind a figure.
func (w *World) list(get Get, report, every string, f figure, from, to int64, zoneName string, holds func(entry) bool) (n int, err error) {
	q := url.Values{"zone": {zoneName}, "measure": {f.Measure}, "limit": {"100"}}
	if f.Detail != "" {
		q.Set("detail", f.Detail)
	}
	if every != "" {
		q.Set("from", time.UnixMilli(from).UTC().Format("2006-01-02T15:04:05.000Z"))
		q.Set("to", time.UnixMilli(to).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	zone, err := time.LoadLocation(map[string]string{"GMT+8": "Etc/GMT-8"}[zoneName])
	if err != nil {
		return 0, err
	}
	want := map[string]int{}
	for _, e := range w.entriesOf(report) {
		if e.measure == f.Measure && e.detail == f.Detail && name(e.at, every, zone) == f.Period && (holds == nil || holds(e)) {
			want[fmt.Sprint(e.number, " ", e.at)]++
		}
	}
	for {
		page, err := read[struct {
			Items []struct {
				Number string
				AtMs   int64 `json:"at_ms"`
			}
			Next string `json:"next_cursor"`
		}](get, "/desk/v1/reports/"+report+"/tickets?"+q.Encode())
		if err != nil {
			return n, err
		}
		for _, t := range page.Items {
			want[fmt.Sprint(t.Number, " ", t.AtMs)]--
			n++
		}
		if page.Next == "" {
			break
		}
		q.Set("cursor", page.Next)
	}
	for k, left := range want {
		if left != 0 {
			return n, fmt.Errorf("%s %s %s %s: %s is listed %+d times too few", report, f.Period, f.Measure, f.Detail, k, left)
		}
	}
	if int64(n) != f.Count {
		return n, fmt.Errorf("%s %s: %d are listed, %d counted", report, f.Measure, n, f.Count)
	}
	return n, nil
}
