// Package sla is the arithmetic of promised times: business calendars, targets
// and the clocks of a ticket, each with the list of intervals that were counted
// and of those that were not, and why. It is pure: no clock, no storage; the
// same inputs give the same intervals.
//
// Instants and durations are milliseconds, instants UTC. Intervals hold their
// beginning and not their end.
package sla

import (
	"fmt"
	"slices"
	"time"

	"casemate/internal/locale"
)

// Calendar says when time counts, as data. The weekly hours are local times of
// its zone: where clocks leap over a part of them, that part does not exist;
// where they show an hour twice, both count.
type Calendar struct {
	ID       string       `yaml:"id" json:"id"`
	Name     locale.Texts `yaml:"name" json:"name"`
	Zone     string       `yaml:"zone" json:"zone"` // GMT+8, Europe/Paris
	Hours    Week         `yaml:"hours" json:"hours"`
	Holidays []Holiday    `yaml:"holidays" json:"holidays,omitempty"`
	Workdays []Workday    `yaml:"workdays" json:"workdays,omitempty"`
}

// Week is the hours of each day, spans HH:mm-HH:mm in rising order; the end may
// be 24:00. A day without spans is off.
type Week struct {
	Monday    []string `yaml:"monday" json:"monday,omitempty"`
	Tuesday   []string `yaml:"tuesday" json:"tuesday,omitempty"`
	Wednesday []string `yaml:"wednesday" json:"wednesday,omitempty"`
	Thursday  []string `yaml:"thursday" json:"thursday,omitempty"`
	Friday    []string `yaml:"friday" json:"friday,omitempty"`
	Saturday  []string `yaml:"saturday" json:"saturday,omitempty"`
	Sunday    []string `yaml:"sunday" json:"sunday,omitempty"`
}

// days are the spans by time.Weekday.
func (w Week) days() [7][]string {
	return [7][]string{w.Sunday, w.Monday, w.Tuesday, w.Wednesday, w.Thursday, w.Friday, w.Saturday}
}

// DayNames are the keys of Week, by time.Weekday.
var DayNames = [7]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// Holiday is days off in a row, both dates included.
type Holiday struct {
	From string       `yaml:"from" json:"from"`       // yyyy-MM-dd
	To   string       `yaml:"to" json:"to,omitempty"` // "" = From
	Name locale.Texts `yaml:"name" json:"name"`
}

// Workday is a date that is worked whatever its weekday, as the days by which
// long holidays are compensated in China.
type Workday struct {
	Date  string   `yaml:"date" json:"date"`             // yyyy-MM-dd
	Hours []string `yaml:"hours" json:"hours,omitempty"` // none = those of the first day from Monday on that has any
}

// Wrong is something wrong with a calendar: where in it, and what, in both
// languages.
type Wrong struct {
	Path   []any // keys and indexes, e.g. hours, monday, 0
	ZH, EN string
}

func (w Wrong) Error() string { return fmt.Sprint(w.Path, ": ", w.EN) }

const dayMs = 24 * 3600 * 1000

// horizon is how far ahead a calendar is searched for hours that count.
const horizon = 20 * 366 * dayMs

// span is a part of a local day, milliseconds from its midnight.
type span struct{ from, to int64 }

// special is a day that does not follow the week.
type special struct {
	holiday int // its place in Calendar.Holidays from 1, 0 = a day that is worked
	spans   []span
}

// Times is a calendar ready for use.
type Times struct {
	zone    *time.Location
	week    [7][]span
	special map[int64]special // by days since 1970
	always  bool              // every instant counts
	day     int64             // what a working day is
}

// Times reads a calendar. All that is wrong with it is in the second value; with
// anything wrong the first one is nil.
func (c Calendar) Times() (*Times, []Wrong) {
	var wrong []Wrong
	say := func(zh, en string, path ...any) { wrong = append(wrong, Wrong{path, zh, en}) }
	t := &Times{special: map[int64]special{}}
	var err error
	if t.zone, err = locale.ParseZone(c.Zone); err != nil {
		say("时区无效："+c.Zone, "there is no such zone: "+c.Zone, "zone")
	}
	spans := func(list []string, path ...any) (out []span) {
		for i, text := range list {
			r, ok := locale.ParseRange(text)
			if r.To == 0 {
				r.To = 24 * 60
			}
			s := span{int64(r.From) * 60000, int64(r.To) * 60000}
			at := append(slices.Clip(path), i)
			switch {
			case !ok:
				say("时段的格式为 HH:mm-HH:mm："+text, "a span has the form HH:mm-HH:mm: "+text, at...)
			case s.from >= s.to:
				say("时段的结束须晚于开始："+text, "a span ends after its beginning: "+text, at...)
			case i > 0 && len(out) > 0 && out[len(out)-1].to > s.from:
				say("时段须按先后排列且不重叠："+text, "spans are in order and do not overlap: "+text, at...)
			default:
				out = append(out, s)
			}
		}
		return out
	}
	t.always = len(c.Holidays)+len(c.Workdays) == 0
	for i, list := range c.Hours.days() {
		t.week[i] = spans(list, "hours", DayNames[i])
		total := int64(0)
		for _, s := range t.week[i] {
			total += s.to - s.from
		}
		t.day = max(t.day, total)
		t.always = t.always && total == dayMs
	}
	if t.day == 0 && len(wrong) == 0 {
		say("日历没有任何工作时段", "the calendar has no hours at all", "hours")
	}
	date := func(text string, path ...any) (int64, bool) {
		d, err := time.Parse(time.DateOnly, text)
		if err != nil || d.Year() < 1971 || d.Year() > 2200 {
			say("日期的格式为 yyyy-MM-dd："+text, "a date has the form yyyy-MM-dd: "+text, path...)
			return 0, false
		}
		return d.Unix() / 86400, true
	}
	for i, h := range c.Holidays {
		from, ok := date(h.From, "holidays", i, "from")
		to, ok2 := from, true
		if h.To != "" {
			to, ok2 = date(h.To, "holidays", i, "to")
		}
		if !ok || !ok2 {
			continue
		}
		if to < from || to-from > 366 {
			say("假期的结束日期须不早于开始日期，且不超过一年", "a holiday ends on or after its first day, within a year", "holidays", i, "to")
			continue
		}
		for d := from; d <= to; d++ {
			if _, twice := t.special[d]; twice {
				say("日期重复："+day(d), "a date is listed twice: "+day(d), "holidays", i)
			}
			t.special[d] = special{holiday: i + 1}
		}
	}
	usual := t.week[0]
	for i := 6; i >= 1; i-- {
		if len(t.week[i]) > 0 {
			usual = t.week[i]
		}
	}
	for i, w := range c.Workdays {
		d, ok := date(w.Date, "workdays", i, "date")
		if !ok {
			continue
		}
		if _, twice := t.special[d]; twice {
			say("日期重复："+w.Date, "a date is listed twice: "+w.Date, "workdays", i, "date")
		}
		hours := usual
		if len(w.Hours) > 0 {
			hours = spans(w.Hours, "workdays", i, "hours")
		}
		t.special[d] = special{spans: hours}
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return t, nil
}

func day(d int64) string { return time.Unix(d*86400, 0).UTC().Format(time.DateOnly) }

// Day is the length of a working day: of the longest day of the week.
func (t *Times) Day() int64 { return t.day }

// Always tells whether every instant counts.
func (t *Times) Always() bool { return t.always }

// segment is a part of time that is alike.
type segment struct {
	from, to int64
	counted  bool
	reason   Reason
	holiday  int
}

// walk cuts the time from an instant on into segments, until f has enough or the
// horizon is reached. It goes by local days within the spells in which the
// zone's offset stays, so that leaps of clocks need no further thought.
func (t *Times) walk(from int64, f func(s segment) bool) {
	end := from + horizon
	if t.always {
		f(segment{from: from, to: end, counted: true, reason: InHours})
		return
	}
	for at := from; at < end; {
		local := time.UnixMilli(at).In(t.zone)
		_, seconds := local.Zone()
		offset := int64(seconds) * 1000
		spell := end
		if _, next := local.ZoneBounds(); !next.IsZero() {
			spell = min(spell, next.UnixMilli())
		}
		for at < spell {
			d := floor(at+offset, dayMs)
			midnight := d*dayMs - offset
			stop := min(midnight+dayMs, spell)
			if !t.cut(d, midnight, at, stop, f) {
				return
			}
			at = stop
		}
	}
}

// cut is walk within a local day and a spell.
func (t *Times) cut(d, midnight, from, to int64, f func(s segment) bool) bool {
	weekday := (d%7 + 11) % 7 // 1970-01-01 was a Thursday
	spans, open, shut, holiday := t.week[weekday], InHours, OutsideHours, 0
	if s, ok := t.special[d]; ok {
		spans, holiday = s.spans, s.holiday
		if holiday > 0 {
			shut = OnHoliday
		} else {
			open = ExtraDay
		}
	} else if len(spans) == 0 {
		shut = DayOff
	}
	at := from
	for _, s := range spans {
		begin, end := max(midnight+s.from, at), min(midnight+s.to, to)
		if end <= begin {
			continue
		}
		if begin > at && !f(segment{at, begin, false, shut, holiday}) {
			return false
		}
		if !f(segment{begin, end, true, open, 0}) {
			return false
		}
		at = end
	}
	return at >= to || f(segment{at, to, false, shut, holiday})
}

func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Counted is how much of the time between two instants counts.
func (t *Times) Counted(from, to int64) (sum int64) {
	if to <= from {
		return 0
	}
	t.walk(from, func(s segment) bool {
		if s.counted {
			sum += max(min(s.to, to)-s.from, 0)
		}
		return s.to < to
	})
	return sum
}

// Add is the earliest instant at which so much has been counted since from; 0
// when that is beyond 20 years. Nothing to count is from itself.
func (t *Times) Add(from, amount int64) (at int64) {
	if amount <= 0 {
		return from
	}
	t.walk(from, func(s segment) bool {
		if !s.counted {
			return true
		}
		if length := s.to - s.from; amount > length {
			amount -= length
			return true
		}
		at = s.from + amount
		return false
	})
	return at
}

// Last is the last date of a holiday.
func (h Holiday) Last() string {
	if h.To == "" {
		return h.From
	}
	return h.To
}

// Back is the latest instant from which so much is counted up to an instant; 0
// when that is more than 20 years before. Nothing to count is the instant itself.
func (t *Times) Back(to, amount int64) (at int64) {
	if amount <= 0 {
		return to
	}
	if t.always {
		return to - amount
	}
	span := amount
	for t.Counted(to-span, to) < amount {
		if span == horizon {
			return 0
		}
		span = min(2*span, horizon)
	}
	var all []segment
	t.walk(to-span, func(s segment) bool {
		if s.to = min(s.to, to); s.counted && s.from < to {
			all = append(all, s)
		}
		return s.to < to
	})
	for i := len(all) - 1; i >= 0; i-- {
		length := all[i].to - all[i].from
		if amount <= length {
			return all[i].to - amount
		}
		amount -= length
	}
	return 0
}
