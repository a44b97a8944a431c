package main

import (
	"bytes"
	"testing"
	"time"

	"casemate/internal/locale"
)

// TestZone: times are printed with the offset of their zone; --utc is UTC, and a
// machine that was never given a zone has the product's.
func TestZone(t *testing.T) {
	at := time.Date(2026, 7, 1, 20, 30, 0, 0, time.UTC)
	o := &output{zone: locale.Default().Zone}
	if got := o.when(at); got != "2026-07-02T04:30:00+08:00" {
		t.Errorf("GMT+8: %s", got)
	}
	if err := utcFlag(true).AfterApply(o); err != nil || o.when(at) != "2026-07-01T20:30:00Z" {
		t.Errorf("UTC: %s, %v", o.when(at), err)
	}
	local := time.Local
	defer func() { time.Local = local }()
	time.Local = time.UTC
	if got := shellZone(); got != locale.Default().Zone {
		t.Errorf("a machine without a zone: %v", got)
	}
	t.Setenv("TZ", "UTC")
	if got := shellZone(); got != time.Local {
		t.Errorf("TZ: %v", got)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"--utc", "version"}, &out, &errs); code != 0 {
		t.Errorf("--utc: %d, %s", code, errs.String())
	}
}
