package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"casemate/internal/config"
)

// TestShow: what is shown is in force, read again it is the same, and the
// secrets a file names are not in it.
func TestShow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("ticket: {confirm_days: -1}\nattachment: {max_mb: 20}\nnotify: {mail: [{host: mail.example.com, user: u, password: {env: CASEMATE_TEST_SECRET}, from: a@example.com}]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CASEMATE_TEST_SECRET", "hunter2")
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := c.Show()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"business_status: real", "confirm_days: -1", "feedback_days: 7", "urge_after: 30m0s", "withdraw_within: 2m0s", "max_mb: 20", "day_mb: 200",
		"contact_hour: 5", "approval: required", "drain: 5s", "product: Casemate", "keep_days: 90"} {
		if !strings.Contains(string(shown), want) {
			t.Errorf("%q is not shown in\n%s", want, shown)
		}
	}
	if strings.Contains(string(shown), "hunter2") {
		t.Error("a secret is shown")
	}
	if err := os.WriteFile(file, shown, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := config.Load(file)
	if err != nil {
		t.Fatalf("what is shown cannot be read: %v\n%s", err, shown)
	}
	if twice, err := again.Show(); err != nil || string(twice) != string(shown) {
		t.Errorf("read again: %v\n%s", err, twice)
	}
}
