package locale

import (
	"testing"
	"time"
)

func TestMinuteAndRange(t *testing.T) {
	for s, want := range map[string]int{"00:00": 0, "23:59": 1439, "08:05": 485, "24:00": -1, "8:05": -1, "08:60": -1, "": -1, "08-05": -1, "+8:05": -1, "08:05 ": -1} {
		got, ok := Minute(s)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("Minute(%q) = %d, want %d", s, got, want)
		}
	}
	for s, ok := range map[string]bool{"22:00-08:00": true, "09:00-24:00": true, "24:00-08:00": false, "22:00": false, "22:00-": false, "22:00-08:00-": false, "": false} {
		if _, got := ParseRange(s); got != ok {
			t.Errorf("ParseRange(%q) = %v", s, got)
		}
	}
	r, _ := ParseRange("22:00-08:00")
	for hour, want := range map[int]bool{21: false, 22: true, 23: true, 0: true, 7: true, 8: false, 12: false} {
		if got := r.Holds(time.Date(2026, 1, 5, hour, 0, 0, 0, time.UTC), time.UTC); got != want {
			t.Errorf("%d h in %v: %v", hour, r, got)
		}
	}
}

// TestNextMinute goes over leaps of the clocks in both directions and over a
// day that Samoa never had.
func TestNextMinute(t *testing.T) {
	for _, c := range []struct{ zone, now, minute, want string }{
		{"GMT+8", "2026-01-15T08:00:00Z", "08:00", "2026-01-16T00:00:00Z"},
		{"GMT+8", "2026-01-15T23:59:59Z", "08:00", "2026-01-16T00:00:00Z"},
		{"GMT+8", "2026-01-16T00:00:00Z", "08:00", "2026-01-17T00:00:00Z"},
		{"Europe/Paris", "2026-03-28T20:00:00Z", "08:00", "2026-03-29T06:00:00Z"},     // summer begins in the night
		{"Europe/Paris", "2026-10-24T20:00:00Z", "08:00", "2026-10-25T07:00:00Z"},     // and ends
		{"Europe/Paris", "2026-03-28T22:00:00Z", "02:30", "2026-03-29T01:00:00Z"},     // does not exist: the leap
		{"Europe/Paris", "2026-03-29T01:00:00Z", "02:30", "2026-03-30T00:30:00Z"},     // the leap has been
		{"Europe/Paris", "2026-10-24T22:00:00Z", "02:30", "2026-10-25T00:30:00Z"},     // twice: the first
		{"Europe/Paris", "2026-10-25T00:45:00Z", "02:30", "2026-10-25T01:30:00Z"},     // the second
		{"America/New_York", "2026-11-01T05:40:00Z", "01:30", "2026-11-01T06:30:00Z"}, // likewise
		{"America/New_York", "2026-03-08T05:00:00Z", "02:30", "2026-03-08T07:00:00Z"},
		{"Australia/Lord_Howe", "2026-10-03T12:00:00Z", "02:15", "2026-10-03T15:30:00Z"}, // leaps half an hour
		{"Pacific/Apia", "2011-12-30T08:00:00Z", "12:00", "2011-12-30T10:00:00Z"},        // 29 Dec, then 31 Dec: the leap
		{"Asia/Kathmandu", "2026-05-01T00:00:00Z", "06:00", "2026-05-01T00:15:00Z"},
	} {
		zone, err := ParseZone(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		now, _ := time.Parse(time.RFC3339, c.now)
		m, _ := Minute(c.minute)
		if got := NextMinute(now, zone, m).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s after %s in %s: %s, want %s", c.minute, c.now, c.zone, got, c.want)
		}
	}
}

// TestNextMinuteEverywhere: the clocks show the minute, or have just leapt over
// it, and the wait is never longer than two days.
func TestNextMinuteEverywhere(t *testing.T) {
	for _, name := range []string{"Europe/London", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Tehran", "Pacific/Chatham", "America/St_Johns"} {
		zone, err := ParseZone(name)
		if err != nil {
			t.Fatal(err)
		}
		for now := time.Date(2018, 1, 1, 0, 7, 0, 0, time.UTC); now.Year() < 2020; now = now.Add(3*time.Hour + 11*time.Minute) {
			for _, minute := range []int{0, 30, 150, 480, 1439} {
				got := NextMinute(now, zone, minute)
				is := got.Hour()*60 + got.Minute()
				before := got.Add(-time.Minute)
				leapt := is-(before.Hour()*60+before.Minute()) != 1 && is > minute
				if wait := got.Sub(now); wait <= 0 || wait > 26*time.Hour || is != minute && !leapt {
					t.Fatalf("%s: minute %d after %v: %v", name, minute, now, got)
				}
			}
		}
	}
}
