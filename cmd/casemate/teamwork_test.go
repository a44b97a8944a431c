package main

import (
	"testing"
	"time"

	"casemate/internal/locale"
)

// TestTeamworkPrinted: lines of what waits, without what steers the terminal.
func TestTeamworkPrinted(t *testing.T) {
	at := time.Unix(0, 0).UTC()
	for want, print := range map[string]func(*output){
		"l1\tTS1\t1970-01-01T00:00:00Z\treply\tchen\ttwo lines\n":     laterView{ID: "l1", Number: "TS1", Name: "chen", Action: "reply", Text: "two\n\x1blines", SendAt: at}.print,
		"TS1\treply\task\trefused\t1970-01-01T00:00:00Z\twhich one\n": draftView{ID: "reply", Number: "TS1", Action: "ask", Text: "which\tone", Origin: "refused", Changed: at}.print,
	} {
		if got := printed(locale.EN, print); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestWhen: an instant, a while from now, or none.
func TestWhen(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	if got, err := (whenFlags{At: at.Format(time.RFC3339)}).instant(time.UTC); err != nil || !got.Equal(at) {
		t.Errorf("at: %v, %v", got, err)
	}
	if at, err := (whenFlags{In: "1h"}).instant(time.UTC); err != nil || time.Until(at) < 59*time.Minute || time.Until(at) > time.Hour {
		t.Errorf("in: %v, %v", at, err)
	}
	if got, err := (whenFlags{}).instant(time.UTC); err != nil || !got.IsZero() {
		t.Errorf("none: %v, %v", got, err)
	}
	for in, want := range map[string]any{"10": 10, "10s": 10, "0": 0, "off": nil} {
		if got, err := undoSeconds(in); err != nil || got != want {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	if _, err := undoSeconds("soon"); err == nil {
		t.Error("soon is taken as a number")
	}
}
