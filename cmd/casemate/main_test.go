package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVersion: the flag says what the command says.
func TestVersion(t *testing.T) {
	t.Setenv("CASEMATE_VERSION", "v1") // somebody's own variable, for an image's tag: no flag
	for _, arg := range []string{"version", "--version"} {
		var out, problems strings.Builder
		if code := run(t.Context(), []string{arg}, &out, &problems); code != 0 || out.String() != "casemate "+version+"\n" || problems.Len() > 0 {
			t.Errorf("%s: exit %d, %q, %q", arg, code, out.String(), problems.String())
		}
	}
}

// TestConfigRefusesAsServe: config and serve refuse the same, and serve makes
// no store before.
func TestConfigRefusesAsServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, data := filepath.Join(dir, "casemate.yaml"), filepath.Join(dir, "data")
	for text, want := range map[string]string{
		"attachment: {max_mb: 500}": "attachment.max_mb", "attachment: {types: [exe]}": "attachment.types",
		"webhooks: {allow: [300.0.0.1]}": "webhooks.allow", "trusted_proxies: [hello]": "trusted_proxies", "metrics: nope": "metrics",
		"notify: {mail: [{host: m.example}]}": "notify.mail[0]: from", "notify: {sms: [{url: 'ftp://x'}]}": "notify.sms[0]: url",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"config"}, {"serve", "--data", data, "--listen", "127.0.0.1:0"}} {
			var out, problems strings.Builder
			if code := run(t.Context(), append(args, "--config", path), &out, &problems); code != exitFailed || !strings.Contains(problems.String(), want) || out.Len() > 0 {
				t.Errorf("%s, %s: exit %d, %q, %q", args[0], text, code, problems.String(), out.String())
			}
		}
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("a refused serve made the data folder")
	}
	// Secrets are not needed to look at the settings.
	if err := os.WriteFile(path, []byte("notify: {mail: [{host: m.example, from: a@example.com, user: u, password: {env: NOT_SET_HERE}}]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, problems strings.Builder
	if code := run(t.Context(), []string{"config", "--config", path}, &out, &problems); code != 0 || !strings.Contains(out.String(), "confirm_days: 3") {
		t.Errorf("exit %d, %q, %q", code, out.String(), problems.String())
	}
}

// TestTimeZone: a wrong time zone is refused before anything is asked of a server.
func TestTimeZone(t *testing.T) {
	t.Parallel()
	var out, problems strings.Builder
	code := run(t.Context(), []string{"user", "create", "b", "--new-domain", "--domain", "Z", "--time-zone", "Mars", "--data", t.TempDir()}, &out, &problems)
	if code != exitFailed || !strings.Contains(problems.String(), "Mars") {
		t.Errorf("exit %d, %q", code, problems.String())
	}
}
