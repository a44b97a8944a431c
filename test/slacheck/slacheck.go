// Package slacheck recomputes the figures of a ticket's clocks from the outside:
// from the desk API's event feed and from the catalogue as it is exported. It
// shares no code with the product and works differently: it cuts time at every
// instant at which anything could change (a span, a midnight, a leap of clocks,
// an event) and asks of the middle of each piece, by what a clock on the wall
// shows there, whether it counts.
//
// A test calls Events and Catalog once, then Recompute for each ticket, and
// compares with what Shown reads of GET /desk/v1/tickets/{number}/clocks:
//
//	feed, _ := slacheck.Events(json...)            // items of /desk/v1/events, any number of pages
//	policy, _ := slacheck.Catalog(files, plan, severity, problemType) // files of /desk/v1/catalog
//	shown, now, _ := slacheck.Shown(json)          // of /clocks
//	want := slacheck.Recompute(slacheck.Of(feed, ticketID), policy, now)
//	// shown and want are comparable by ==
package slacheck

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones must not depend on the machine

	"github.com/goccy/go-yaml"
)

// Event is one of the feed, as the desk API shows it.
type Event struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	Subject   string `json:"subject"`
	SubjectID string `json:"subject_id"`
	Revision  int64  `json:"revision"`
	AtMs      int64  `json:"at_ms"`
	ActorKind string `json:"actor_kind"`
	Data      struct {
		Number string `json:"number"`
		From   *int64 `json:"from"`
		To     *int64 `json:"to"`
		Heard  bool   `json:"heard"` // an unanswered message came from another ticket, or came back
		Quiet  bool   `json:"quiet"` // the last unanswered one went to another ticket
		// Of another severity, or the undo of one.
		SeverityFrom *string `json:"severity_from"`
		SeverityTo   *string `json:"severity_to"`
	} `json:"data"`
}

// Events reads pages of /desk/v1/events.
func Events(pages ...[]byte) (all []Event, err error) {
	for _, p := range pages {
		var page struct {
			Items []json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal(p, &page); err != nil {
			return nil, err
		}
		for _, raw := range page.Items {
			var e Event
			if json.Unmarshal(raw, &e) != nil || e.Subject != "ticket" {
				continue // not of a ticket, or with data of another form
			}
			all = append(all, e)
		}
	}
	return all, nil
}

// ID is the id of the ticket with a number, as its creation names it.
func ID(all []Event, number string) string {
	for _, e := range all {
		if e.Kind == "ticket.create" && e.Data.Number == number {
			return e.SubjectID
		}
	}
	return ""
}

// Of are a ticket's events in the order in which they happened.
func Of(all []Event, ticketID string) (own []Event) {
	for _, e := range all {
		if e.SubjectID == ticketID {
			own = append(own, e)
		}
	}
	sort.SliceStable(own, func(i, j int) bool {
		if own[i].Revision != own[j].Revision {
			return own[i].Revision < own[j].Revision
		}
		return own[i].ID < own[j].ID
	})
	return own
}

// Policy is what is promised for a ticket. Times are milliseconds, 0 = nothing.
type Policy struct {
	First, Next, Resolution int64
	zone                    *time.Location
	week                    [7][][2]int // spans in minutes of the day, by time.Weekday
	off                     map[string]bool
	work                    map[string][][2]int
}

// Figure is one clock. State is running, paused, met, breached or stopped; End
// and Due are 0 when there is none.
type Figure struct {
	Kind                                string
	N                                   int
	State                               string
	Target, Start, End, Due, Used, Left int64
}

// Shown reads the figures that the product shows, and as of when they are. It
// fails when a clock's intervals leave a gap, overlap, or do not add up to what
// it says was used.
func Shown(body []byte) (all []Figure, now int64, err error) {
	var v struct {
		Now    int64 `json:"now_ms"`
		Clocks []struct {
			Kind      string `json:"kind"`
			N         int    `json:"n"`
			State     string `json:"state"`
			Target    int64  `json:"target_ms"`
			Start     int64  `json:"started_ms"`
			End       int64  `json:"ended_ms"`
			Due       int64  `json:"due_ms"`
			Used      int64  `json:"used_ms"`
			Left      int64  `json:"left_ms"`
			Intervals []struct {
				From    int64 `json:"from_ms"`
				To      int64 `json:"to_ms"`
				Counted bool  `json:"counted"`
			} `json:"intervals"`
		} `json:"clocks"`
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, 0, err
	}
	for _, c := range v.Clocks {
		at, sum, end := c.Start, int64(0), c.End
		if end == 0 {
			end = v.Now
		}
		for _, i := range c.Intervals {
			if i.From != at || i.To <= i.From {
				return nil, 0, fmt.Errorf("%s.%d: an interval [%d, %d) where %d was to begin one", c.Kind, c.N, i.From, i.To, at)
			}
			if at = i.To; i.Counted {
				sum += i.To - i.From
			}
		}
		if at != end || sum != c.Used {
			return nil, 0, fmt.Errorf("%s.%d: intervals reach to %d of %d and add up to %d of %d", c.Kind, c.N, at, end, sum, c.Used)
		}
		all = append(all, Figure{c.Kind, c.N, c.State, c.Target, c.Start, c.End, c.Due, c.Used, c.Left})
	}
	return all, v.Now, nil
}

type targets struct {
	Clock    string `yaml:"clock"`
	Severity string `yaml:"severity"`
	First    string `yaml:"first_response"`
	Next     string `yaml:"next_response"`
	Res      string `yaml:"resolution"`
}

type calendar struct {
	ID       string              `yaml:"id"`
	Zone     string              `yaml:"zone"`
	Hours    map[string][]string `yaml:"hours"`
	Holidays []struct {
		From string `yaml:"from"`
		To   string `yaml:"to"`
	} `yaml:"holidays"`
	Workdays []struct {
		Date  string   `yaml:"date"`
		Hours []string `yaml:"hours"`
	} `yaml:"workdays"`
}

type file struct {
	Calendars []calendar `yaml:"calendars"`
	SLA       *struct {
		House targets `yaml:"house"`
	} `yaml:"sla"`
	Severities []struct {
		ID string `yaml:"id"`
	} `yaml:"severities"`
	Plans []struct {
		ID      string    `yaml:"id"`
		Clock   string    `yaml:"clock"`
		Targets []targets `yaml:"targets"`
	} `yaml:"support_plans"`
	Products []struct {
		Plan  bool `yaml:"can_use_support_plan"`
		Types []struct {
			ID   string `yaml:"id"`
			Plan bool   `yaml:"can_use_support_plan"`
		} `yaml:"problem_types"`
	} `yaml:"products"`
}

// Catalog reads the policy of a ticket from an exported catalogue: of its plan
// and severity ("" = none), or the house's default.
func Catalog(files map[string]string, plan, severity, problemType string) (Policy, error) {
	var all file
	for name, text := range files {
		var f file
		if err := yaml.Unmarshal([]byte(text), &f); err != nil {
			return Policy{}, fmt.Errorf("%s: %w", name, err)
		}
		all.Calendars, all.Plans, all.Products = append(all.Calendars, f.Calendars...), append(all.Plans, f.Plans...), append(all.Products, f.Products...)
		all.Severities = append(all.Severities, f.Severities...)
		if f.SLA != nil {
			all.SLA = f.SLA
		}
	}
	if all.SLA == nil {
		return Policy{}, fmt.Errorf("the files have no sla")
	}
	applies := false
	for _, p := range all.Products {
		for _, t := range p.Types {
			applies = applies || t.ID == problemType && t.Plan && p.Plan
		}
	}
	chosen := all.SLA.House
	for _, p := range all.Plans {
		if p.ID != plan || severity == "" && !applies {
			continue
		}
		byID := map[string]targets{}
		for _, t := range p.Targets {
			byID[t.Severity] = t
		}
		t, ok := byID[severity]
		for i := len(all.Severities) - 1; !ok && i >= 0; i-- { // the lowest it has
			t, ok = byID[all.Severities[i].ID]
		}
		if t.Clock = p.Clock; ok {
			chosen = t
		}
	}
	i := slices.IndexFunc(all.Calendars, func(c calendar) bool { return c.ID == chosen.Clock })
	if i < 0 {
		return Policy{}, fmt.Errorf("there is no calendar %q", chosen.Clock)
	}
	return all.Calendars[i].policy(chosen)
}

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

func (c calendar) policy(t targets) (p Policy, err error) {
	p.off, p.work = map[string]bool{}, map[string][][2]int{}
	if m := regexp.MustCompile(`^(?:GMT|UTC)([+-])(\d\d?)$`).FindStringSubmatch(c.Zone); m != nil {
		h, _ := strconv.Atoi(m[1] + m[2])
		p.zone = time.FixedZone(c.Zone, h*3600)
	} else if p.zone, err = time.LoadLocation(c.Zone); err != nil {
		return p, err
	}
	longest := 0
	for i, name := range weekdays {
		p.week[i] = minutes(c.Hours[name])
		sum := 0
		for _, s := range p.week[i] {
			sum += s[1] - s[0]
		}
		longest = max(longest, sum)
	}
	for _, h := range c.Holidays {
		for d := h.From; d <= max(h.From, h.To); {
			p.off[d] = true
			t, err := time.Parse(time.DateOnly, d)
			if err != nil {
				return p, err
			}
			d = t.AddDate(0, 0, 1).Format(time.DateOnly)
		}
	}
	for _, w := range c.Workdays {
		spans := minutes(w.Hours)
		for i := 1; len(spans) == 0; i++ {
			spans = p.week[i%7]
		}
		p.work[w.Date] = spans
	}
	amount := func(s string) int64 {
		if s == "" {
			return 0
		}
		n, _ := strconv.ParseInt(s[:len(s)-1], 10, 64)
		return n * map[byte]int64{'m': 1, 'h': 60, 'd': int64(longest)}[s[len(s)-1]] * 60000
	}
	p.First, p.Next, p.Resolution = amount(t.First), amount(t.Next), amount(t.Res)
	return p, nil
}

func minutes(spans []string) (out [][2]int) {
	for _, s := range spans {
		var a, b, c, d int
		if n, _ := fmt.Sscanf(s, "%d:%d-%d:%d", &a, &b, &c, &d); n == 4 {
			out = append(out, [2]int{a*60 + b, c*60 + d})
		}
	}
	return out
}

// spansOf are the hours of a date.
func (p Policy) spansOf(date string, weekday time.Weekday) [][2]int {
	if spans, ok := p.work[date]; ok {
		return spans
	}
	if p.off[date] {
		return nil
	}
	return p.week[weekday]
}

// open reads a clock on the wall.
func (p Policy) open(ms int64) bool {
	t := time.UnixMilli(ms).In(p.zone)
	for _, s := range p.spansOf(t.Format(time.DateOnly), t.Weekday()) {
		if m := t.Hour()*60 + t.Minute(); m >= s[0] && m < s[1] {
			return true
		}
	}
	return false
}

// cuts are all instants of [from, to] at which it may open or shut: the edges of
// each date's spans under every offset that the zone has about then, midnights,
// and leaps of its clocks.
func (p Policy) cuts(from, to int64) []int64 {
	out := []int64{from, to}
	add := func(ms int64) {
		if ms > from && ms < to {
			out = append(out, ms)
		}
	}
	for day := from/86400000 - 2; day <= to/86400000+2; day++ {
		date := time.UnixMilli(day * 86400000).UTC()
		for _, hours := range []int{-24, 0, 24, 48} {
			near := date.Add(time.Duration(hours) * time.Hour).In(p.zone)
			_, offset := near.Zone()
			if _, leap := near.ZoneBounds(); !leap.IsZero() {
				add(leap.UnixMilli())
			}
			add(day*86400000 - int64(offset)*1000)
			for _, s := range p.spansOf(date.Format(time.DateOnly), date.Weekday()) {
				add(day*86400000 + int64(s[0])*60000 - int64(offset)*1000)
				add(day*86400000 + int64(s[1])*60000 - int64(offset)*1000)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// stretch is a time in which a ticket's state lets a clock run, or not.
type stretch struct {
	from, to int64
	runs     bool
}

// count goes through stretches: how much counts, and when a target is full (0 =
// not within them).
func (p Policy) count(all []stretch, target int64) (used, full int64) {
	for _, s := range all {
		if !s.runs {
			continue
		}
		cuts := p.cuts(s.from, s.to)
		for i := 1; i < len(cuts); i++ {
			a, b := cuts[i-1], cuts[i]
			if !p.open(a + (b-a)/2) {
				continue
			}
			if full == 0 && used+b-a >= target {
				full = a + target - used
			}
			used += b - a
		}
	}
	return used, full
}

// ahead is how far Recompute looks for a due instant: two years.
const ahead = 731 * 24 * 3600 * 1000

// Recompute computes the clocks of a ticket from its events, which begin with
// its creation (Of), as of an instant.
func Recompute(events []Event, p Policy, now int64) (out []Figure) {
	return recompute(events, func(int64) Policy { return p }, now)
}

// RecomputeTurned is Recompute of a ticket whose severity may have changed since
// it was made with the first one: a clock that stopped goes by the severity that
// the ticket had then, one that has not by the one it has.
func RecomputeTurned(events []Event, promised func(severity string) (Policy, error), first string, now int64) ([]Figure, error) {
	severities, since := []string{first}, []int64{0}
	for _, e := range events {
		if e.Data.SeverityTo != nil {
			severities, since = append(severities, *e.Data.SeverityTo), append(since, e.AtMs)
		}
	}
	policies := map[string]Policy{}
	for _, s := range severities {
		var err error
		if policies[s], err = promised(s); err != nil {
			return nil, err
		}
	}
	return recompute(events, func(end int64) Policy {
		at := len(severities) - 1
		for end > 0 && at > 0 && since[at] >= end {
			at--
		}
		return policies[severities[at]]
	}, now), nil
}

// recompute is told which policy a clock goes by that ended at an instant, 0 =
// it has not.
func recompute(events []Event, policyAt func(end int64) Policy, now int64) (out []Figure) {
	type moment struct {
		at, state        int64
		answer, customer bool
		quiet            bool
	}
	var all []moment
	state, last := int64(0), int64(0)
	for _, e := range events {
		if last = max(last, e.AtMs); last > now {
			break
		}
		if e.Data.From != nil && e.Data.To != nil {
			state = *e.Data.To
		}
		said := e.Kind == "ticket.reply" || e.Kind == "ticket.ask" || e.Kind == "ticket.resolve"
		all = append(all, moment{last, state, said && e.ActorKind == "engineer", e.Kind == "ticket.reply" && e.ActorKind == "customer" || e.Data.Heard, e.Data.Quiet})
	}
	if len(all) == 0 {
		return nil
	}
	over := func(kind string, s int64) bool {
		return slices.Contains([]int64{3, 4, 12, 13}, s) || kind == "resolution" && s == 2
	}
	figure := func(kind string, n, start, answer int) {
		f := Figure{Kind: kind, N: n, Start: all[start].at}
		stop, done := now, false
		if answer >= 0 {
			stop, done = all[answer].at, all[answer].answer
			f.End = stop
		} else if i := len(all) - 1; over(kind, all[i].state) {
			for i > start && over(kind, all[i-1].state) {
				i--
			}
			stop = all[i].at
			f.End, done = stop, kind == "resolution" && (all[i].state == 2 || all[i].state == 3)
		}
		p := policyAt(f.End)
		f.Target = map[string]int64{"first_answer": p.First, "next_answer": p.Next, "resolution": p.Resolution}[kind]
		if f.Target == 0 {
			return
		}
		var parts []stretch
		for i := start; i < len(all); i++ {
			to := stop
			if i+1 < len(all) {
				to = min(to, all[i+1].at)
			}
			if all[i].at < to {
				parts = append(parts, stretch{all[i].at, to, all[i].state == 0 || all[i].state == 1})
			}
		}
		f.Used, f.Due = p.count(parts, f.Target)
		f.Left = f.Target - f.Used
		going := all[len(all)-1].state
		if f.Due == 0 && (f.End > 0 || going == 0 || going == 1) {
			_, f.Due = p.count([]stretch{{stop, stop + ahead, true}}, f.Left)
		}
		switch {
		case f.Due > 0 && stop > f.Due:
			f.State = "breached"
		case done:
			f.State = "met"
		case f.End > 0:
			f.State = "stopped"
		case going != 0 && going != 1:
			f.State = "paused"
		default:
			f.State = "running"
		}
		out = append(out, f)
	}
	answers := func(from int, quiet bool) int {
		for i := from; i < len(all); i++ {
			if all[i].answer || quiet && all[i].quiet {
				return i
			}
		}
		return -1
	}
	first := answers(0, false)
	figure("first_answer", 1, 0, first)
	figure("resolution", 1, 0, -1)
	waits := -1
	for i, n := first+1, 1; first >= 0 && i < len(all); i++ {
		switch {
		case all[i].customer && waits < 0:
			waits = i
			figure("next_answer", n, i, answers(i, true))
			n++
		case all[i].answer || all[i].quiet:
			waits = -1
		}
	}
	return out
}

// Differences tells in words where figures differ.
func Differences(shown, want []Figure) string {
	var b strings.Builder
	for i := range max(len(shown), len(want)) {
		var s, w Figure
		if i < len(shown) {
			s = shown[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if s != w {
			fmt.Fprintf(&b, "shown %+v\n want %+v\n", s, w)
		}
	}
	return b.String()
}
