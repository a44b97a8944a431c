package sla_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"casemate/internal/locale"
	"casemate/internal/sla"
)

const minute = 60_000

var zones = []string{"GMT+8", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Apia", "UTC-5"}

// calendars draws any calendar that is right.
func calendars() *rapid.Generator[sla.Calendar] {
	return rapid.Custom(func(t *rapid.T) sla.Calendar {
		c := sla.Calendar{ID: "random", Zone: rapid.SampledFrom(zones).Draw(t, "zone")}
		spans := func(label string, least int) []string {
			n := rapid.IntRange(least, 3).Draw(t, label)
			at, out := 0, []string(nil)
			for range n {
				from := at + rapid.IntRange(0, 300).Draw(t, label+" from")
				to := min(from+rapid.IntRange(1, 600).Draw(t, label+" to"), 1440)
				if from >= to {
					break
				}
				out = append(out, fmt.Sprintf("%02d:%02d-%02d:%02d", from/60, from%60, to/60, to%60))
				at = to
			}
			return out
		}
		for i, day := range []*[]string{&c.Hours.Sunday, &c.Hours.Monday, &c.Hours.Tuesday, &c.Hours.Wednesday, &c.Hours.Thursday, &c.Hours.Friday, &c.Hours.Saturday} {
			least := 0
			if i == 1 {
				least = 1
			}
			*day = spans(sla.DayNames[i], least)
		}
		if rapid.IntRange(0, 5).Draw(t, "around the clock") == 0 {
			all := []string{"00:00-24:00"}
			c.Hours = sla.Week{Monday: all, Tuesday: all, Wednesday: all, Thursday: all, Friday: all, Saturday: all, Sunday: all}
		}
		used := map[string]bool{}
		date := func(label string) string {
			d := begin.AddDate(0, 0, rapid.IntRange(-3, 25).Draw(t, label)).Format(time.DateOnly)
			if used[d] {
				return ""
			}
			used[d] = true
			return d
		}
		for range rapid.IntRange(0, 3).Draw(t, "holidays") {
			if d := date("holiday"); d != "" {
				c.Holidays = append(c.Holidays, sla.Holiday{From: d, Name: locale.Texts{ZH: "假日", EN: "holiday"}})
			}
		}
		for range rapid.IntRange(0, 2).Draw(t, "workdays") {
			if d := date("workday"); d != "" {
				c.Workdays = append(c.Workdays, sla.Workday{Date: d, Hours: spans("workday hours", 0)})
			}
		}
		return c
	})
}

// begin lies some days before clocks leap in Europe; in America and Australia
// they do in the weeks around it, in Morocco by Ramadan.
var begin = time.Date(2026, 3, 16, 0, 0, 0, 0, time.UTC)

// wall is a calendar as a clock on the wall reads it, minute by minute.
type wall struct {
	zone *time.Location
	week [7][]string
	off  map[string]bool
	work map[string][]string
}

func hang(c sla.Calendar) wall {
	zone, err := locale.ParseZone(c.Zone)
	if err != nil {
		panic(err)
	}
	w := wall{zone: zone, off: map[string]bool{}, work: map[string][]string{}}
	w.week = [7][]string{c.Hours.Sunday, c.Hours.Monday, c.Hours.Tuesday, c.Hours.Wednesday, c.Hours.Thursday, c.Hours.Friday, c.Hours.Saturday}
	for _, h := range c.Holidays {
		w.off[h.From] = true
	}
	for _, d := range c.Workdays {
		w.work[d.Date] = d.Hours
		for i := 1; len(w.work[d.Date]) == 0; i++ {
			w.work[d.Date] = w.week[i%7]
		}
	}
	return w
}

func (w wall) open(at int64) bool {
	local := time.UnixMilli(at).In(w.zone)
	spans := w.week[local.Weekday()]
	if len(w.off)+len(w.work) > 0 {
		date := local.Format(time.DateOnly)
		if hours, ok := w.work[date]; ok {
			spans = hours
		} else if w.off[date] {
			return false
		}
	}
	h, m := local.Hour(), local.Minute()
	clock := string([]byte{byte('0' + h/10), byte('0' + h%10), ':', byte('0' + m/10), byte('0' + m%10)})
	for _, s := range spans {
		if s[:5] <= clock && clock < s[6:] {
			return true
		}
	}
	return false
}

var states = []int{0, 1, 2, 3, 4, 5, 12, 17}

// histories draws what can happen to a ticket, and more: on whole minutes.
func histories() *rapid.Generator[[]sla.Moment] {
	return rapid.Custom(func(t *rapid.T) []sla.Moment {
		at := begin.Add(time.Duration(rapid.IntRange(0, 14*1440).Draw(t, "created")) * time.Minute).UnixMilli()
		h := []sla.Moment{{At: at, Customer: true}}
		for range rapid.IntRange(0, 9).Draw(t, "moments") {
			at += int64(rapid.IntRange(0, 900).Draw(t, "later")) * minute
			m := sla.Moment{At: at, State: h[len(h)-1].State}
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				m.Answer, m.State = true, rapid.SampledFrom([]int{1, 1, 17, 2}).Draw(t, "answered")
			case 1:
				m.Customer = true
				if m.State == 17 || m.State == 2 {
					m.State = 1
				}
			case 2:
				m.Urge = true
			default:
				m.State = rapid.SampledFrom(states).Draw(t, "state")
			}
			h = append(h, m)
		}
		return h
	})
}

func rules() *rapid.Generator[sla.Rule] {
	return rapid.Custom(func(t *rapid.T) sla.Rule {
		target := func(label string) int64 { return int64(rapid.IntRange(0, 1200).Draw(t, label)) * minute }
		return sla.Rule{Calendar: calendars().Draw(t, "calendar"), First: target("first"), Next: target("next"), Resolution: target("resolution"),
			Warn: rapid.IntRange(1, 99).Draw(t, "warn"), Escalate: rapid.IntRange(1, 300).Draw(t, "escalate")}
	})
}

func compile(t rapid.TB, r sla.Rule) *sla.Policy {
	p, err := sla.Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestIntervals: the intervals of every clock tile its time without gap and
// overlap, what is counted adds up, each piece is open or shut as the naive
// reading has it, and later looks never change what has passed.
func TestIntervals(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r, h := rules().Draw(t, "rule"), histories().Draw(t, "history")
		p := compile(t, r)
		last := h[len(h)-1].At
		now := last + int64(rapid.IntRange(0, 5000).Draw(t, "now"))*minute
		clocks := p.Clocks(h, now)
		for _, c := range clocks {
			end := now
			if !c.Open() {
				end = c.End
			}
			at, sum := c.Start, int64(0)
			for i, part := range c.Intervals {
				if part.From != at || part.To <= part.From {
					t.Fatalf("%s: interval %d is [%d, %d), want it from %d on", c.Kind, i, part.From, part.To, at)
				}
				if i > 0 && part.Reason == c.Intervals[i-1].Reason && part.Holiday == c.Intervals[i-1].Holiday {
					t.Fatalf("%s: intervals %d and %d are alike", c.Kind, i-1, i)
				}
				if part.Counted != (part.Reason == sla.InHours || part.Reason == sla.ExtraDay) || (part.Holiday > 0) != (part.Reason == sla.OnHoliday) {
					t.Fatalf("%s: interval %+v", c.Kind, part)
				}
				if part.Counted {
					sum += part.To - part.From
				}
				at = part.To
			}
			if at != end || sum != c.Used || c.Left != c.Target-sum {
				t.Fatalf("%s: tiles up to %d of %d, sum %d, used %d, left %d", c.Kind, at, end, sum, c.Used, c.Left)
			}
		}
		if again := p.Clocks(h, now); !reflect.DeepEqual(clocks, again) {
			t.Fatal("the same inputs gave other clocks")
		}
		later := p.Clocks(h, now+int64(rapid.IntRange(1, 5000).Draw(t, "later"))*minute)
		if len(later) != len(clocks) {
			t.Fatalf("%d clocks, later %d", len(clocks), len(later))
		}
		for i, c := range clocks {
			if got := cut(later[i].Intervals, now); !reflect.DeepEqual(got, cut(c.Intervals, now)) {
				t.Fatalf("%s: later the past is %v, was %v", c.Kind, got, c.Intervals)
			}
			if d := later[i].Due; d != c.Due {
				t.Fatalf("%s: due %d, later %d although nothing happened", c.Kind, c.Due, d)
			}
		}
	})
}

func cut(all []sla.Interval, end int64) (out []sla.Interval) {
	for _, i := range all {
		if i.From < end {
			i.To = min(i.To, end)
			out = append(out, i)
		}
	}
	return out
}

// far is how far ahead the oracle looks.
const far = 30 * 24 * 60 * minute

// oracle counts a clock's minutes one by one: how many counted until the end,
// and the end of the one in which the target was full, with the last state going
// on behind the history.
func oracle(r sla.Rule, h []sla.Moment, start, end, target int64, goesOn int) (used, due int64) {
	stateAt := func(at int64) int {
		state := 0
		for _, m := range h {
			if m.At <= at {
				state = m.State
			}
		}
		return state
	}
	counted, w := int64(0), hang(r.Calendar)
	for at := start; at < max(start, end)+far; at += minute {
		state := goesOn
		if at < end {
			state = stateAt(at)
		}
		if (state == 0 || state == 1) && w.open(at) {
			counted += minute
		}
		if counted >= target && due == 0 {
			due = at + minute
		}
		if at < end {
			used = counted
		}
		if at+minute >= end && (due > 0 || goesOn != 0 && goesOn != 1) {
			break
		}
	}
	return used, due
}

// TestOracle: what was used and when a clock is due is what stepping minute by
// minute over the wall clock of the zone finds.
func TestOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r, h := rules().Draw(t, "rule"), histories().Draw(t, "history")
		p := compile(t, r)
		now := h[len(h)-1].At + int64(rapid.IntRange(0, 600).Draw(t, "now"))*minute
		for _, c := range p.Clocks(h, now) {
			end, goesOn := now, h[len(h)-1].State
			if !c.Open() {
				end, goesOn = c.End, 0
			}
			used, due := oracle(r, h, c.Start, end, c.Target, goesOn)
			if used != c.Used {
				t.Fatalf("%s: used %d, the oracle %d", c.Kind, c.Used/minute, used/minute)
			}
			if due == 0 && (goesOn == 0 || goesOn == 1) && (c.Due == 0 || c.Due > end+far) {
				continue // further ahead than the oracle looks
			}
			if due != c.Due {
				t.Fatalf("%s: due %v, the oracle %v", c.Kind, time.UnixMilli(c.Due).UTC(), time.UnixMilli(due).UTC())
			}
		}
	})
}

// TestGauge: the short form that is carried from step to step agrees with the
// clocks computed from the whole history.
func TestGauge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r, h := rules().Draw(t, "rule"), histories().Draw(t, "history")
		p := compile(t, r)
		g := p.Begin(h[0].At)
		for i, m := range h {
			if i > 0 {
				g = p.Step(g, m)
				text, err := json.Marshal(g) // as it is stored in between
				if err != nil {
					t.Fatal(err)
				}
				g = sla.Gauge{}
				if err := json.Unmarshal(text, &g); err != nil {
					t.Fatal(err)
				}
			}
			all := p.Clocks(h[:i+1], m.At)
			near, ok := sla.Nearest(all)
			at, kind := p.Due(g)
			if ok != (at > 0) || ok && at != near.Due {
				t.Fatalf("moment %d: due %d of %s, from the history %d of %s", i, at, kind, near.Due, near.Kind)
			}
			var alarm int64
			for _, c := range all {
				if !c.Open() || c.Due == 0 || m.State != 0 && m.State != 1 {
					continue
				}
				for x, at := range map[int64]int64{c.Warn: c.Warn, c.Escalate + 1: c.Escalate, c.Due + 1: c.Due} {
					if at > m.At && (alarm == 0 || x < alarm) {
						alarm = x
					}
				}
			}
			if got := p.Alarm(g); got != alarm {
				t.Fatalf("moment %d: alarm %d, from the history %d", i, got, alarm)
			}
		}
	})
}

func at(t *testing.T, zone, text string) int64 {
	t.Helper()
	l, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	x, err := time.ParseInLocation("2006-01-02 15:04", text, l)
	if err != nil {
		t.Fatal(err)
	}
	return x.UnixMilli()
}

var office = sla.Calendar{ID: "office", Zone: "Asia/Shanghai",
	Hours:    sla.Week{Monday: nine, Tuesday: nine, Wednesday: nine, Thursday: nine, Friday: nine},
	Holidays: []sla.Holiday{{From: "2026-10-01", To: "2026-10-07"}}, Workdays: []sla.Workday{{Date: "2026-10-10"}}}

var nine = []string{"09:00-12:00", "13:00-18:00"}

// TestByHand holds a few clocks against sums made by hand.
func TestByHand(t *testing.T) {
	t.Parallel()
	sh := func(text string) int64 { return at(t, "Asia/Shanghai", text) }
	p := compile(t, sla.Rule{Calendar: office, First: 4 * 60 * minute, Next: 60 * minute, Resolution: 16 * 60 * minute, Warn: 75, Escalate: 100})
	h := []sla.Moment{
		{At: sh("2026-09-30 16:00"), Customer: true},           // Wednesday before the holidays: 2 h are left
		{At: sh("2026-10-08 09:30"), State: 1, Urge: true},     // 0:30 more
		{At: sh("2026-10-08 10:00"), State: 5},                 // paused over noon; 3 h counted
		{At: sh("2026-10-08 13:30"), State: 1},                 // on again
		{At: sh("2026-10-08 14:00"), State: 17, Answer: true},  // 3:30 of 4
		{At: sh("2026-10-09 17:30"), State: 1, Customer: true}, // Friday
		{At: sh("2026-10-10 09:45"), State: 2, Answer: true},   // the Saturday is worked: 0:30 + 0:45
		{At: sh("2026-10-12 09:00"), State: 1, Customer: true}, // no, it is not solved
		{At: sh("2026-10-12 09:30"), State: 2, Answer: true},   // now it is
		{At: sh("2026-10-15 09:30"), State: 3},                 //
		{At: sh("2026-10-15 10:30"), State: 13, Customer: false},
	}
	all := p.Clocks(h, sh("2026-11-01 00:00"))
	type want struct {
		kind     sla.Kind
		state    sla.State
		used     int64
		due, end string
	}
	wants := []want{
		{sla.FirstAnswer, sla.Met, 210, "2026-10-08 14:30", "2026-10-08 14:00"},
		{sla.Resolution, sla.Met, 315, "2026-10-13 13:15", "2026-10-12 09:30"},
		{sla.NextAnswer, sla.Breached, 75, "2026-10-10 09:30", "2026-10-10 09:45"},
		{sla.NextAnswer, sla.Met, 30, "2026-10-12 10:00", "2026-10-12 09:30"},
	}
	if len(all) != len(wants) {
		t.Fatalf("%d clocks, want %d", len(all), len(wants))
	}
	for i, w := range wants {
		c := all[i]
		if c.Kind != w.kind || c.State != w.state || c.Used != w.used*minute || c.End != sh(w.end) || c.Due != sh(w.due) {
			t.Errorf("clock %d: %s %s, used %d min, due %v, end %v; want %+v", i, c.Kind, c.State, c.Used/minute,
				time.UnixMilli(c.Due).UTC(), time.UnixMilli(c.End).UTC(), w)
		}
	}
	if got := all[0].Urges; !slices.Equal(got, []int64{sh("2026-10-08 09:30")}) {
		t.Errorf("urges %v", got)
	}
	var reasons []sla.Reason
	for _, i := range all[0].Intervals {
		reasons = append(reasons, i.Reason)
	}
	want1 := []sla.Reason{sla.InHours, sla.OutsideHours, sla.OnHoliday, sla.OutsideHours, sla.InHours, sla.OnPause, sla.InHours}
	if !slices.Equal(reasons, want1) {
		t.Errorf("reasons %v, want %v", reasons, want1)
	}
	reasons = nil
	for _, i := range all[2].Intervals {
		reasons = append(reasons, i.Reason)
	}
	if want := []sla.Reason{sla.InHours, sla.OutsideHours, sla.ExtraDay}; !slices.Equal(reasons, want) {
		t.Errorf("over the compensation day: reasons %v, want %v", reasons, want)
	}
	for late, want := range map[int64]sla.State{0: sla.Met, 1: sla.Breached} {
		exact := []sla.Moment{{At: sh("2026-10-12 09:00"), Customer: true}, {At: sh("2026-10-12 14:00") + late, State: 1, Answer: true}}
		if c := p.Clocks(exact, sh("2026-10-13 00:00"))[0]; c.State != want || c.Due != exact[1].At-late {
			t.Errorf("answered %d ms behind the due instant: %s", late, c.State)
		}
	}
	if got := all[0].Warn; got != sh("2026-10-08 10:00") {
		t.Errorf("warned at %v", time.UnixMilli(got).UTC())
	}
	// As of an instant in between, what came later has not happened.
	before := p.Clocks(h, sh("2026-10-08 11:00"))
	if len(before) != 2 || before[0].State != sla.Paused || before[0].Due != 0 || before[0].Left != 60*minute {
		t.Errorf("as of the pause: %+v", before)
	}
}

// TestLeaps: clocks that leap take an hour away or give one.
func TestLeaps(t *testing.T) {
	t.Parallel()
	night := sla.Calendar{Zone: "Europe/Paris", Hours: sla.Week{Sunday: []string{"01:00-04:00"}, Monday: []string{"09:00-10:00"}}}
	times, wrong := night.Times()
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	for date, hours := range map[string]int64{"2026-03-29": 2, "2026-10-25": 4, "2026-06-07": 3} {
		from := at(t, "Europe/Paris", date+" 00:00")
		if got := times.Counted(from, from+12*60*minute); got != hours*60*minute {
			t.Errorf("%s: %d minutes, want %d hours", date, got/minute, hours)
		}
	}
	// A day that never was: Samoa went over the date line at the end of 2011-12-29.
	apia, wrong := sla.Calendar{Zone: "Pacific/Apia", Hours: sla.Week{Friday: []string{"00:00-24:00"}}}.Times()
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	from := at(t, "Pacific/Apia", "2011-12-26 00:00")
	if got := apia.Counted(from, from+6*24*60*minute); got != 0 {
		t.Errorf("a Friday that never was has %d minutes", got/minute)
	}
}

// TestWrongCalendars: everything that is wrong is told, and where.
func TestWrongCalendars(t *testing.T) {
	t.Parallel()
	c := sla.Calendar{Zone: "Mars/Olympus", Hours: sla.Week{Monday: []string{"09:00-08:00", "9-18"}, Tuesday: []string{"09:00-12:00", "11:00-13:00"}},
		Holidays: []sla.Holiday{{From: "2026-13-01"}, {From: "2026-05-02", To: "2026-05-01"}, {From: "2026-05-05"}}, Workdays: []sla.Workday{{Date: "2026-05-05"}, {Date: "today"}}}
	_, wrong := c.Times()
	var paths []string
	for _, w := range wrong {
		if w.ZH == "" || w.EN == "" {
			t.Errorf("%v lacks a language", w)
		}
		paths = append(paths, fmt.Sprint(w.Path))
	}
	want := []string{"[zone]", "[hours monday 0]", "[hours monday 1]", "[hours tuesday 1]", "[holidays 0 from]", "[holidays 1 to]", "[workdays 0 date]", "[workdays 1 date]"}
	if !slices.Equal(paths, want) {
		t.Errorf("wrong at %v, want %v", paths, want)
	}
	if _, wrong := (sla.Calendar{Zone: "GMT+8"}).Times(); len(wrong) != 1 {
		t.Errorf("a calendar without hours: %v", wrong)
	}
}

// TestAmount reads targets.
func TestAmount(t *testing.T) {
	t.Parallel()
	times, _ := office.Times()
	for text, want := range map[string]int64{"": 0, "45m": 45 * minute, "24h": 24 * 60 * minute, "1d": 8 * 60 * minute} {
		if got, ok := times.Amount(text); !ok || got != want {
			t.Errorf("%q: %d %v", text, got, ok)
		}
	}
	for _, text := range []string{"0h", "-1h", "1w", "h", "1.5h", "100000m"} {
		if _, ok := times.Amount(text); ok {
			t.Errorf("%q is no amount", text)
		}
	}
}

// TestBack: from where Back says exactly the amount is counted, and from no later
// instant so much; a clock that ran without a pause is due where it says.
func TestBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		times, wrong := calendars().Draw(t, "calendar").Times()
		if len(wrong) > 0 {
			t.Fatal(wrong)
		}
		to := begin.UnixMilli() + int64(rapid.IntRange(0, 20*1440*60).Draw(t, "to"))*1000
		amount := int64(rapid.IntRange(1, 6*1440).Draw(t, "amount")) * minute
		from := times.Back(to, amount)
		if from == 0 { // a minute a week: not within 20 years
			if n := times.Counted(to-20*366*1440*minute, to); n >= amount {
				t.Fatalf("%d before %d is told to be too far back, and %d is counted in 20 years", amount, to, n)
			}
			return
		}
		if times.Counted(from, to) != amount || times.Counted(from+1, to) >= amount {
			t.Fatalf("back from %d by %d: %d, where %d is counted, a millisecond later %d", to, amount, from, times.Counted(from, to), times.Counted(from+1, to))
		}
		if at := times.Add(from, amount); times.Counted(at, to) != 0 {
			t.Fatalf("%d after %d is %d, not %d", amount, from, at, to)
		}
	})
}
