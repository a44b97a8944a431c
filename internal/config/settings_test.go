package config_test

import (
	"strings"
	"testing"
)

// TestSettings: every value in force with where it comes from, and no secret.
func TestSettings(t *testing.T) {
	t.Parallel()
	c, err := load(t, `
drain: 20s
queue: {capacity: 7}
webhooks: {allow: [127.0.0.0/8, 10.0.0.0/8]}
notify:
  mail: [{host: mail.example.com, from: a@example.com, user: u, password: {env: MAIL_PASSWORD}}]
  sms: [{name: g, url: "https://u:hunter2@sms.example.com/send", headers: {Authorization: Bearer hunter3}, prices: {"86": 45}}]
`)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, s := range c.Settings(c) {
		if _, twice := all[s.Key]; twice {
			t.Errorf("%s twice", s.Key)
		}
		from := "default"
		if s.Given {
			from = "file"
		}
		all[s.Key] = from + " " + s.Value
		if strings.Contains(s.Value, "hunter") {
			t.Errorf("%s shows a secret: %s", s.Key, s.Value)
		}
	}
	for key, want := range map[string]string{
		"drain":                   "file 20s",
		"notify.keep":             "default 2160h",
		"queue.capacity":          "file 7",
		"webhooks.allow":          "file 127.0.0.0/8, 10.0.0.0/8",
		"notify.mail[0].password": "file env: MAIL_PASSWORD",
		"notify.mail[0].host":     "file mail.example.com",
		"notify.mail[0].ca_file":  "default ",
		"notify.sms[0].headers":   "file Authorization",
		"notify.sms[0].prices":    "file 86: 45",
		"errors.business_status":  "default real",
	} {
		if all[key] != want {
			t.Errorf("%s: %q, want %q", key, all[key], want)
		}
	}
	if len(all) < 60 {
		t.Errorf("only %d settings", len(all))
	}
}
