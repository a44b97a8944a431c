package queue_test

import (
	"testing"
	"time"

	"casemate/internal/queue"
)

// TestPlan: shifts on the clocks of their zone, over midnight, over the change
// of clocks, on other days.
func TestPlan(t *testing.T) {
	t.Parallel()
	week := queue.Plan{Zone: "Europe/London", Week: []queue.Shift{{1, "09:00-17:00"}, {5, "22:00-06:00"}, {7, "00:00-24:00"}},
		Exceptions: []queue.Exception{{Date: "2026-03-30"}, {Date: "2026-04-01", Hours: "10:00-11:00"}, {Date: "2026-04-01", Hours: "12:00-13:00"}}}
	for _, tt := range []struct {
		plan queue.Plan
		at   string
		on   bool
		next string // "" = never
	}{
		{week, "2026-01-05T08:59:59Z", false, "2026-01-05T09:00:00Z"}, // a Monday in winter
		{week, "2026-01-05T09:00:00Z", true, "2026-01-05T17:00:00Z"},
		{week, "2026-01-05T16:59:59Z", true, "2026-01-05T17:00:00Z"},
		{week, "2026-01-05T17:00:00Z", false, "2026-01-09T22:00:00Z"},
		{week, "2026-07-06T07:59:59Z", false, "2026-07-06T08:00:00Z"}, // in summer an hour earlier
		{week, "2026-07-06T08:00:00Z", true, "2026-07-06T16:00:00Z"},
		{week, "2026-01-09T21:59:00Z", false, "2026-01-09T22:00:00Z"}, // Friday night
		{week, "2026-01-10T05:59:59Z", true, "2026-01-10T06:00:00Z"},
		{week, "2026-01-10T06:00:00Z", false, "2026-01-11T00:00:00Z"},
		{week, "2026-01-11T23:59:59Z", true, "2026-01-12T00:00:00Z"},  // Sunday to its end
		{week, "2026-03-29T22:30:00Z", true, "2026-03-29T23:00:00Z"},  // Sunday has 23 hours
		{week, "2026-03-30T10:00:00Z", false, "2026-04-01T09:00:00Z"}, // Monday off
		{week, "2026-04-01T09:30:00Z", true, "2026-04-01T10:00:00Z"},
		{week, "2026-04-01T10:30:00Z", false, "2026-04-01T11:00:00Z"},
		{queue.Plan{Week: []queue.Shift{{3, "09:00-18:00"}}}, "2026-01-07T01:00:00Z", true, "2026-01-07T10:00:00Z"}, // the home zone is GMT+8
		{queue.Plan{Zone: "GMT+8", Exceptions: []queue.Exception{{Date: "2026-01-07", Hours: "09:00-18:00"}}}, "2026-01-08T01:00:00Z", false, ""},
		{queue.Plan{}, "2026-01-08T01:00:00Z", false, ""},
		{queue.Plan{Zone: "America/New_York", Week: []queue.Shift{{7, "01:00-03:00"}}}, "2026-11-01T06:30:00Z", true, "2026-11-01T08:00:00Z"}, // an hour comes twice
	} {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := tt.plan.On(at); got != tt.on {
			t.Errorf("%v at %s: %v", tt.plan, tt.at, got)
		}
		next := ""
		if n := tt.plan.Next(at); !n.IsZero() {
			next = n.UTC().Format(time.RFC3339)
		}
		if next != tt.next {
			t.Errorf("%v at %s changes at %q, want %q", tt.plan, tt.at, next, tt.next)
		}
	}
}
