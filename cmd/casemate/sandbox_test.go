package main

import (
	"testing"
	"time"
)

func TestParseMove(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"+3d": 72 * time.Hour, "3d": 72 * time.Hour, "+1d12h": 36 * time.Hour, "+5m": 5 * time.Minute, "90s": 90 * time.Second,
		"+999999999d": 400 * 24 * time.Hour, "+300d300d": 400 * 24 * time.Hour, "+0s": 0,
	} {
		if got, err := parseMove(in); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "+", "3", "-3d", "+3x", "3d ", "+1.5h", "1d-1h", "9999999999d"} {
		if got, err := parseMove(in); err == nil {
			t.Errorf("%q is taken as %v", in, got)
		}
	}
}
