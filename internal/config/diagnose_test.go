package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"casemate/internal/config"
)

// TestDiagnose: zero values are the defaults, values that mean nothing are
// refused, and a misspelled key names its line.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	d := config.Diagnose{}.WithDefaults()
	if d.Running != 3 || d.Hourly != 30 || d.DomainRunning != 10 || d.DomainHourly != 200 || d.NodeRunning != 3 || d.KeepDays != 90 || d.Commands || len(d.Allow) != 0 {
		t.Errorf("%+v", d)
	}
	if d := (config.Diagnose{KeepDays: -1, Running: 7}).WithDefaults(); d.KeepDays != -1 || d.Running != 7 {
		t.Errorf("%+v", d)
	}
	for _, good := range []config.Diagnose{{}, {NodeRunning: 6}, {KeepDays: 3650}, {KeepDays: -1}, {Hourly: 100000}, {Resolver: "[2001:db8::1]:53"}, {Allow: []string{"10.0.0.0/8"}}} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	for _, bad := range []config.Diagnose{{NodeRunning: 7}, {KeepDays: 3651}, {KeepDays: -2}, {Hourly: 100001}, {Running: -1}, {Resolver: "dns.example:53"}, {Resolver: "192.0.2.1"}, {Allow: []string{" "}}} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	path := filepath.Join(t.TempDir(), "casemate.yaml")
	if err := os.WriteFile(path, []byte("diagnose:\n  allow: [10.0.0.0/8]\n  comands: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(path); err == nil || !strings.Contains(err.Error(), "comands") {
		t.Errorf("a misspelled key: %v", err)
	}
}
