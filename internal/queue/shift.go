package queue

import (
	"slices"
	"time"

	"casemate/internal/fault"
	"casemate/internal/locale"
)

// Plan is when a person of the house is at work: shifts of a week on the clocks
// of a zone, and days that are different. An empty week is no plan at all.
type Plan struct {
	Zone       string      `json:"zone,omitempty" yaml:"zone,omitempty"` // IANA name or GMT+8; "" = the product's home zone
	Week       []Shift     `json:"week,omitempty" yaml:"week,omitempty"`
	Exceptions []Exception `json:"exceptions,omitempty" yaml:"exceptions,omitempty"`
}

// Shift is a part of a day of the week. Hours that end at or before their
// beginning go on into the next day.
type Shift struct {
	Day   int    `json:"day" yaml:"day"`     // 1 = Monday .. 7 = Sunday
	Hours string `json:"hours" yaml:"hours"` // HH:mm-HH:mm, the end up to 24:00
}

// Exception is a date on which the week does not count: off, or other hours.
// Several entries of one date are several parts of it.
type Exception struct {
	Date  string `json:"date" yaml:"date"`                       // yyyy-MM-dd
	Hours string `json:"hours,omitempty" yaml:"hours,omitempty"` // "" = off
}

// Limits of a plan.
const (
	maxShifts     = 50
	maxExceptions = 400
	dateForm      = "2006-01-02"
)

// check refuses what is no plan, naming the field.
func (p Plan) check() error {
	if _, err := locale.ParseZone(p.Zone); p.Zone != "" && err != nil {
		return fault.Unknown.In("plan.zone")
	}
	if len(p.Week) > maxShifts {
		return fault.TooManyItems.In("plan.week").With("max", maxShifts)
	}
	if len(p.Exceptions) > maxExceptions {
		return fault.TooManyItems.In("plan.exceptions").With("max", maxExceptions)
	}
	for _, s := range p.Week {
		if s.Day < 1 || s.Day > 7 {
			return fault.OutOfRange.In("plan.week.day").With("min", 1).With("max", 7)
		}
		if _, ok := locale.ParseRange(s.Hours); !ok {
			return fault.BadFormat.In("plan.week.hours").With("form", "HH:mm-HH:mm")
		}
	}
	for _, e := range p.Exceptions {
		if _, err := time.Parse(dateForm, e.Date); err != nil {
			return fault.BadFormat.In("plan.exceptions.date").With("form", "yyyy-MM-dd")
		}
		if _, ok := locale.ParseRange(e.Hours); e.Hours != "" && !ok {
			return fault.BadFormat.In("plan.exceptions.hours").With("form", "HH:mm-HH:mm")
		}
	}
	return nil
}

// some tells whether there is a plan at all.
func (p Plan) some() bool { return len(p.Week)+len(p.Exceptions) > 0 }

func (p Plan) location() *time.Location {
	if zone, err := locale.ParseZone(p.Zone); err == nil {
		return zone
	}
	return locale.Default().Zone
}

// hours are the parts of a local date that are work.
func (p Plan) hours(day time.Time) (parts []locale.Range) {
	date, other := day.Format(dateForm), false
	for _, e := range p.Exceptions {
		if e.Date == date {
			other = true
			if r, ok := locale.ParseRange(e.Hours); ok {
				parts = append(parts, r)
			}
		}
	}
	if other {
		return parts
	}
	weekday := (int(day.Weekday())+6)%7 + 1
	for _, s := range p.Week {
		if r, ok := locale.ParseRange(s.Hours); ok && s.Day == weekday {
			parts = append(parts, r)
		}
	}
	return parts
}

// On tells whether the instant is work, on the clocks of the plan's zone.
func (p Plan) On(now time.Time) bool {
	local := now.In(p.location())
	y, m, d := local.Date()
	is := local.Hour()*60 + local.Minute()
	today, yesterday := time.Date(y, m, d, 0, 0, 0, 0, time.UTC), time.Date(y, m, d-1, 0, 0, 0, 0, time.UTC)
	for _, r := range p.hours(today) {
		if is >= r.From && (r.To <= r.From || is < r.To) {
			return true
		}
	}
	for _, r := range p.hours(yesterday) {
		if r.To <= r.From && is < r.To {
			return true
		}
	}
	return false
}

// Next is the first instant after now at which work begins or ends, the zero
// time when there is none within five weeks.
func (p Plan) Next(now time.Time) time.Time {
	zone, on := p.location(), p.On(now)
	y, m, d := now.In(zone).Date()
	var marks []time.Time
	for i := -1; i < 36; i++ {
		for _, r := range p.hours(time.Date(y, m, d+i, 0, 0, 0, 0, time.UTC)) {
			end := d + i
			if r.To <= r.From {
				end++
			}
			marks = append(marks, time.Date(y, m, d+i, 0, r.From, 0, 0, zone), time.Date(y, m, end, 0, r.To, 0, 0, zone))
		}
	}
	slices.SortFunc(marks, time.Time.Compare)
	for _, at := range marks {
		if at.After(now) && p.On(at) != on {
			return at
		}
	}
	return time.Time{}
}
