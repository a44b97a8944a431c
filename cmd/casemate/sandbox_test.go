package main

import (
	"strings"
	"testing"
	"time"

	"casemate/internal/locale"
)

func TestParseMove(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"+3d": 72 * time.Hour, "3d": 72 * time.Hour, "+1d12h": 36 * time.Hour, "+5m": 5 * time.Minute, "90s": 90 * time.Second,
		"+366d": 366 * 24 * time.Hour, "+365d24h": 366 * 24 * time.Hour,
	} {
		if got, err := parseMove(in); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", in, got, err, want)
		}
	}
	for in, why := range map[string]string{"": "written", "+": "written", "3": "written", "+3x": "written", "3d ": "written", "+1.5h": "written", "1d-1h": "written",
		"9999999999d": "written", "-3d": "forward", "-1d12h": "forward", "+0s": "forward", "+367d": "366 days", "+366d1s": "366 days", "+999999999d": "366 days",
		"+300d300d": "366 days"} {
		if got, err := parseMove(in); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
}

func TestPeriod(t *testing.T) {
	for seconds, want := range map[int64][2]string{0: {"0 秒", "0 seconds"}, 259200: {"3 天", "3 days"}, 86400: {"1 天", "1 day"},
		129661: {"1 天 12 小时 1 分钟 1 秒", "1 day 12 hours 1 minute 1 second"}} {
		if zh, en := period(locale.ZH, seconds), period(locale.EN, seconds); zh != want[0] || en != want[1] {
			t.Errorf("%d: %q %q", seconds, zh, en)
		}
	}
}
