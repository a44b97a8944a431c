package report

import (
	"testing"
	"time"
	_ "time/tzdata"
)

// TestSplit: days follow each other without gap, begin when the date begins on
// the wall, and are as long as they are where clocks leap.
func TestSplit(t *testing.T) {
	hours := map[string]map[string]float64{
		"Europe/Berlin":       {"2026-03-29": 23, "2026-10-25": 25, "2026-06-01": 24},
		"America/Santiago":    {"2026-09-06": 23, "2026-04-04": 25}, // at midnight
		"America/Havana":      {"2026-11-01": 25, "2026-03-08": 23}, // 01:00 becomes 00:00
		"Australia/Lord_Howe": {"2026-04-05": 24.5},
		"Asia/Kathmandu":      {"2026-01-01": 24},
		"Pacific/Apia":        {"2011-12-29": 24, "2011-12-31": 24}, // there was no 30th
		"Asia/Shanghai":       {"2026-11-25": 24},
	}
	for name, want := range hours {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, year := range []int{2011, 2026} {
			from := midnight(time.Date(year, 1, 1, 12, 0, 0, 0, zone)).UnixMilli()
			to := midnight(time.Date(year+1, 1, 1, 12, 0, 0, 0, zone)).UnixMilli()
			for _, every := range []string{"day", "week", "month"} {
				at, n := from, 0
				for _, p := range split(from, to, every, zone) {
					n++
					if p.From != at || p.To <= p.From {
						t.Fatalf("%s: %s begins at %d, not %d", name, p.Name, p.From, at)
					}
					at = p.To
					if every != "day" {
						continue
					}
					if dayOf(p.From, zone) != p.Name || dayOf(p.To-1, zone) != p.Name || dayOf(p.From-1, zone) == p.Name {
						t.Errorf("%s: %s is from %v to %v", name, p.Name, time.UnixMilli(p.From).In(zone), time.UnixMilli(p.To).In(zone))
					}
					if h, ok := want[p.Name]; ok {
						if got := time.Duration(p.To-p.From) * time.Millisecond; got.Hours() != h {
							t.Errorf("%s: %s has %v, want %v hours", name, p.Name, got, h)
						}
						delete(want, p.Name)
					}
				}
				if every == "month" && n != 12 || every == "day" && n < 364 || every == "week" && (n < 52 || n > 54) {
					t.Errorf("%s %d: %d of %s", name, year, n, every)
				}
			}
		}
		for day := range want {
			t.Errorf("%s: there was no %s", name, day)
		}
	}
}

// TestRound: three significant digits, never less than the amount, at most 1 % more.
func TestRound(t *testing.T) {
	for _, c := range [][2]int64{{0, 0}, {7, 7}, {999, 999}, {1000, 1000}, {1001, 1010}, {1010, 1010}, {9991, 10000}, {123456, 124000}, {3_600_000, 3_600_000}} {
		if got := Round(c[0]); got != c[1] {
			t.Errorf("%d is rounded to %d, want %d", c[0], got, c[1])
		}
	}
	for a := int64(1); a < 1<<40; a = a*3 + 1 {
		if r := Round(a); r < a || r > a+a/100+1 || Round(r) != r {
			t.Errorf("%d is rounded to %d", a, r)
		}
	}
}

// TestShare is the nearest rank by definition.
func TestShare(t *testing.T) {
	var c sum
	for a := range int64(10) {
		c.add(a+1, "")
	}
	if c.share(50) != 5 || c.share(90) != 9 || c.share(100) != 10 || (sum{}).share(50) != 0 {
		t.Errorf("%d %d %d", c.share(50), c.share(90), c.share(100))
	}
}
