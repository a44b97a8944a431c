package locale

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Minute reads HH:mm, 00:00 to 23:59, as minutes of the day.
func Minute(s string) (int, bool) {
	h, m, ok := strings.Cut(s, ":")
	if !ok || len(h) != 2 || len(m) != 2 {
		return 0, false
	}
	hours, errH := strconv.ParseUint(h, 10, 8)
	minutes, errM := strconv.ParseUint(m, 10, 8)
	if errH != nil || errM != nil || hours > 23 || minutes > 59 {
		return 0, false
	}
	return int(hours*60 + minutes), true
}

// Range is a part of each day, in minutes of the local day: From belongs to it,
// To does not. It may cross midnight; From equal to To is the whole day.
type Range struct{ From, To int }

// ParseRange reads HH:mm-HH:mm; the end may be 24:00.
func ParseRange(s string) (r Range, ok bool) {
	from, to, _ := strings.Cut(s, "-")
	if r.From, ok = Minute(from); !ok {
		return r, false
	}
	if to == "24:00" {
		return r, true // To is 0: midnight
	}
	r.To, ok = Minute(to)
	return r, ok
}

// String is the range as ParseRange reads it.
func (r Range) String() string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d", r.From/60, r.From%60, r.To/60, r.To%60)
}

// Holds tells whether the instant is in the range, on the zone's clocks.
func (r Range) Holds(now time.Time, zone *time.Location) bool {
	local := now.In(zone)
	is := local.Hour()*60 + local.Minute()
	if r.To <= r.From {
		return is >= r.From || is < r.To
	}
	return is >= r.From && is < r.To
}

// NextMinute is the first instant after now at which the zone's clocks come to
// the minute of the day. Where clocks leap over it, it is the leap; where they
// show it twice, both count.
func NextMinute(now time.Time, zone *time.Location, minute int) time.Time {
	local := now.In(zone)
	for day := 0; ; day++ {
		y, m, d := local.Date()
		noon := time.Date(y, m, d+day, 12, 0, 0, 0, zone)
		wall := time.Date(y, m, d+day, minute/60, minute%60, 0, 0, time.UTC)
		var best time.Time
		met := false
		for _, near := range []time.Time{noon.Add(-24 * time.Hour), noon, noon.Add(24 * time.Hour)} {
			_, offset := near.Zone()
			at := wall.Add(-time.Duration(offset) * time.Second).In(zone)
			if at.Hour()*60+at.Minute() != minute || at.Day() != wall.Day() {
				continue
			}
			met = true
			if at.After(now) && (best.IsZero() || at.Before(best)) {
				best = at
			}
		}
		if !met {
			// The clocks leapt over it. Of the two readings one lies before the
			// leap and one behind; the leap is where the later one's offset begins.
			_, before := noon.Add(-24 * time.Hour).Zone()
			if leap, _ := wall.Add(-time.Duration(before) * time.Second).In(zone).ZoneBounds(); leap.After(now) {
				best = leap.In(zone)
			}
		}
		if !best.IsZero() {
			return best
		}
		if day > 3 {
			return now.Add(24 * time.Hour) // not reached: every clock comes round
		}
	}
}
