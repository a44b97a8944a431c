package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"casemate/internal/config"
)

func load(t *testing.T, text string) (config.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "casemate.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(path)
}

// TestRefused: what a server would refuse, or fail on later, is refused when it
// is read, with the key, and without words of the programming language.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"attachment: {max_mb: 500}", "attachment.max_mb is 0 to 99"},
		{"webhooks: {allow: [300.0.0.1]}", `webhooks.allow: "300.0.0.1"`},
		{"trusted_proxies: [hello]", `trusted_proxies: "hello"`},
		{"trusted_proxies: hello", "line 1: trusted_proxies: write a list"},
		{"metrics: nope", `metrics: "nope" is no address with a port`},
		{"metrics: 127.0.0.1:99999", "metrics:"},
		{"authorization: {check_hosts: {allow: [x]}}", "authorization.check_hosts.allow:"},
		{"diagnose: {allow: [10.0.0.0/33]}", "diagnose.allow:"},
		{"notify: {sms: [{url: 'https://x.example', allow: [x]}]}", "notify.sms[0].allow:"},
		{"verify: {proof_days: -1}", "verify.proof_days"},
		{"ticket: {confirm_days: 366}", "ticket.confirm_days is -1 to 365"},
		{"drain: -1s", "drain cannot be negative"},
		{"\ndrain: 5", "line 2: drain: write the time with its unit, such as 5s"},
		{"drain: 5x", "line 1: drain: write a time with its unit"},
		{"ticket:\n  confirm_days: many", "line 2: ticket.confirm_days: write a whole number"},
		{"ticket:\n  confirm_days: 1.5", "line 2: ticket.confirm_days: write a whole number"},
		{"ticket:\n  confirm_days: 99999999999999999999", "line 2: ticket.confirm_days: write a whole number"},
		{"ticket:\n  acknowledge: maybe", "line 2: ticket.acknowledge: write true or false"},
		{"ticket: 5", "line 1: ticket: write its keys below it"},
		{"metrics: [a]", "line 1: metrics: write a text"},
		{"notify:\n  mail:\n  - host: a\n    port: b", "line 4: notify.mail[0].port: write a whole number"},
		{"notify:\n  mail:\n  - host: a\n    password: hunter2", "line 4: notify.mail[0].password: write {env: NAME} or {file: PATH}"},
		{"notify: {mail: 5}", "line 1: notify.mail: write a list of entries"},
		{"verify: {pumping: {prices: {86: a}}}", "line 1: verify.pumping.prices.86: write a whole number"},
		{"hello", "line 1: the file: write its keys"},
		{"a: b: c", "mapping value is not allowed"},
		{"drains: 5s", `line 1: unknown key "drains"`},
	} {
		_, err := load(t, tt.text)
		if err == nil {
			t.Errorf("%q is taken", tt.text)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "casemate.yaml: ") {
			t.Errorf("%q: %v, want %s", tt.text, err, tt.want)
		}
		for _, secret := range []string{"unmarshal", "Go ", "hunter2", "*"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q: %v", tt.text, err)
			}
		}
	}
}

// TestShow: what is shown are the settings in force, and a file that holds them
// means the same.
func TestShow(t *testing.T) {
	t.Parallel()
	c, err := load(t, "ticket: {confirm_days: 9}\nverify: {pumping: {prices: {'86': 45, '*': 500}}}\nnotify: {mail: [{host: m.example, timeout: 9s, password: {env: X}}]}\n")
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.Show()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"confirm_days: 9", "feedback_days: 7", "drain: 5s", "business_status: real", "max_mb: 10", "approval: required", "keep: 2160h0m0s", "contact_hour: 5", "timeout: 9s", "clean_every: 10m0s"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not shown", want)
		}
	}
	again, err := load(t, string(text))
	if err != nil {
		t.Fatalf("what is shown is refused: %v\n%s", err, text)
	}
	if second, err := again.Show(); err != nil || string(second) != string(text) {
		t.Errorf("read again it is another one: %v\n%s", err, second)
	}
	if again.Drain != 5*time.Second {
		t.Errorf("drain: %v", again.Drain)
	}
}

// TestDocumented: the files in docs/OPERATE.md and docs/SIGN-IN.md are valid
// ones, and every key stands in one of these documents.
func TestDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/OPERATE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, sample, _ := strings.Cut(string(text), "```yaml\n")
	sample, _, ok := strings.Cut(sample, "\n```")
	if !ok {
		t.Fatal("there is no sample")
	}
	if _, err := load(t, sample); err != nil {
		t.Errorf("the sample: %v", err)
	}
	zh, err := os.ReadFile("../../docs/OPERATE.zh-CN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, other, _ := strings.Cut(string(zh), "```yaml\n")
	other, _, _ = strings.Cut(other, "\n```")
	if _, err := load(t, other); err != nil {
		t.Errorf("the Chinese sample: %v", err)
	}
	signIn, err := os.ReadFile("../../docs/SIGN-IN.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, rest := range strings.Split(string(signIn), "```yaml\n")[1:] {
		sample, _, _ := strings.Cut(rest, "\n```")
		if _, err := load(t, sample); err != nil {
			t.Errorf("sample %d of docs/SIGN-IN.md: %v", i+1, err)
		}
	}
	text = append(text, signIn...)
	var walk func(key string, f reflect.Type)
	walk = func(key string, f reflect.Type) {
		switch {
		case f.Kind() == reflect.Slice || f.Kind() == reflect.Map:
			walk(key, f.Elem())
		case f.Kind() == reflect.Struct:
			for i := range f.NumField() {
				tag, _, _ := strings.Cut(f.Field(i).Tag.Get("yaml"), ",")
				if !regexp.MustCompile(`\b` + tag + `\b`).Match(text) {
					t.Errorf("%s.%s is not documented", key, tag)
				}
				walk(key+"."+tag, f.Field(i).Type)
			}
		}
	}
	walk("", reflect.TypeFor[config.Config]())
}
