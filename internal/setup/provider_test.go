package setup_test

import (
	"maps"
	"strings"
	"testing"

	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/setup"
)

// providersFile has references of all sorts.
const providersFile = `providers:
  - id: relay
    kind: smtp
    order: 10
    smtp:
      host: mail.example
      user: mailer
      from: Desk <desk@desk.example>
    secrets:
      password: env:SMTP_PASSWORD
  - id: gw
    kind: http
    order: 20
    weight: 3
    off: true
    http:
      url: https://sms.example/send
      headers: {Authorization: "Bearer {secret}"}
      prices: {"86": 45, "*": 500}
    secrets:
      secret: file:/run/secrets/gw
`

func asFault(err error) *fault.Error {
	f, ok := fault.As(err)
	if !ok {
		return fault.Broken
	}
	return f
}

func refusedIn(err error, field string) bool { return asFault(err).Field == field }

// TestProvidersAsFiles: providers are put in force with secrets that references
// name and the caller resolves; a plan behind that is empty with the references
// and without them; a secret alone is a change; nothing that is exported or
// recorded holds one; an earlier version keeps what is stored.
func TestProvidersAsFiles(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		secrets := map[string]string{"env:SMTP_PASSWORD": "pass word 1", "file:/run/secrets/gw": "t0ken-of-gw"}
		files := map[string]string{"providers.yaml": providersFile}
		apply := func(files map[string]string, secrets map[string]string) setup.Plan {
			w.t.Helper()
			p, err := w.s.Knowing(secrets).Apply(ctx, house, bytesOf(files), setup.How{})
			w.OK(err)
			return p
		}
		plan := func(files map[string]string, secrets map[string]string) setup.Plan {
			w.t.Helper()
			p, err := w.s.Knowing(secrets).Plan(ctx, house, bytesOf(files), setup.KeepClocks)
			w.OK(err)
			return p
		}
		if p := apply(files, secrets); len(p.Changes) != 2 || p.Changes[0].What != setup.Added {
			w.t.Errorf("%+v", p.Changes)
		}
		if p := plan(files, secrets); !p.Empty() {
			w.t.Errorf("behind the apply: %+v", p.Changes)
		}
		tree := w.export()
		if text := tree["providers.yaml"]; strings.Contains(text, "secrets:") || !strings.Contains(text, "mail.example") {
			w.t.Errorf("exported:\n%s", text)
		}
		w.nothing(tree, "what was exported")
		h, err := w.Notify.Provider(ctx, house, "gw")
		w.OK(err)
		if !h.Off || h.Weight != 3 || strings.Join(h.Secrets, " ") != "secret" || h.HTTP.Prices["86"] != 45 {
			w.t.Errorf("%+v", h)
		}

		// Another secret is a change although no file differs, told without it.
		secrets["env:SMTP_PASSWORD"] = "pass word 2"
		p := plan(files, secrets)
		if len(p.Changes) != 1 || p.Changes[0].ID != "relay" || len(p.Changes[0].Fields) != 1 || p.Changes[0].Fields[0].Field != "secrets.password" || p.Changes[0].Fields[0].After != "***" {
			w.t.Errorf("another secret: %+v", p.Changes)
		}
		version := apply(files, secrets).Version
		if p := plan(files, secrets); !p.Empty() {
			w.t.Errorf("behind another secret: %+v", p.Changes)
		}

		// Absent keeps, "" removes where nothing needs it.
		kept := change(w.t, files, "providers.yaml", "    secrets:\n      password: env:SMTP_PASSWORD\n", "")
		if p := plan(kept, secrets); !p.Empty() {
			w.t.Errorf("without the key: %+v", p.Changes)
		}
		open := change(w.t, change(w.t, kept, "providers.yaml", "      user: mailer\n", ""), "providers.yaml", "      from: Desk <desk@desk.example>\n", "      from: Desk <desk@desk.example>\n    secrets:\n      password: \"\"\n")
		apply(open, secrets)
		if h, err = w.Notify.Provider(ctx, house, "relay"); err != nil || len(h.Secrets) != 0 || h.SMTP.User != "" {
			w.t.Errorf("a secret removed: %+v, %v", h, err)
		}
		for _, dry := range []bool{true, false} {
			p, err := w.s.Rollback(ctx, house, version, setup.How{}, dry)
			w.OK(err)
			if len(p.Notices) != 1 || !strings.Contains(p.Notices[0].EN, "relay comes back switched off") || !strings.Contains(p.Notices[0].ZH, "通道 relay 缺少密钥（password）") {
				w.t.Errorf("back to what needs a secret that is gone, dry %v: %+v", dry, p.Notices)
			}
		}
		if h, err = w.Notify.Provider(ctx, house, "relay"); err != nil || !h.Off || len(h.Secrets) != 0 || h.SMTP.User != "mailer" {
			w.t.Errorf("came back: %+v, %v", h, err)
		}
		if _, err := w.Notify.EnableProvider(ctx, house, "relay", true); !refusedIn(err, "secrets.password") {
			w.t.Errorf("switched on without its secret: %v", err)
		}
		if p := plan(w.export(), nil); !p.Empty() {
			w.t.Errorf("what came back, exported: %+v", p.Changes)
		}
		if _, err := w.s.Knowing(nil).Apply(ctx, house, bytesOf(kept), setup.How{}); fault.KindOf(err) != fault.Invalid {
			w.t.Errorf("switched on by files without its secret: %v", err)
		}
		before := apply(files, secrets).Version

		// A stored secret does not go to another server: neither by files that do not
		// name it nor by an earlier version.
		moved := change(w.t, maps.Clone(kept), "providers.yaml", "host: mail.example", "host: evil.example")
		if _, err := w.s.Apply(ctx, house, bytesOf(moved), setup.How{}); err == nil || !strings.Contains(locale.Text(locale.EN, asFault(err)), "secrets.password: the changed settings lead elsewhere") {
			w.t.Errorf("another server without its secret: %v", err)
		}
		apply(change(w.t, maps.Clone(files), "providers.yaml", "host: mail.example", "host: new.example"), secrets) // the same secret, but named
		if h, err = w.Notify.Provider(ctx, house, "relay"); err != nil || h.SMTP.Host != "new.example" || len(h.Secrets) != 1 {
			w.t.Errorf("another server: %+v, %v", h, err)
		}
		back, err := w.s.Rollback(ctx, house, before, setup.How{}, false)
		w.OK(err)
		if h, err = w.Notify.Provider(ctx, house, "relay"); err != nil || h.SMTP.Host != "mail.example" || !h.Off || len(h.Secrets) != 0 || len(back.Notices) != 1 {
			w.t.Errorf("back to another server: %+v, %+v, %v", h, back.Notices, err)
		}
		if h, err = w.Notify.Provider(ctx, house, "gw"); err != nil || len(h.Secrets) != 1 {
			w.t.Errorf("what did not change keeps its secret: %+v, %v", h, err)
		}
		apply(files, secrets)
		apply(map[string]string{"providers.yaml": "providers: []\n"}, nil)
		if _, err := w.Notify.Provider(ctx, house, "gw"); fault.KindOf(err) != fault.NotFound {
			w.t.Errorf("removed: %v", err)
		}
		for table, rows := range w.dump() {
			for _, secret := range []string{"pass word", "t0ken"} {
				if strings.Contains(rows, secret) {
					w.t.Errorf("table %s holds %q", table, secret)
				}
			}
		}

		for _, c := range []struct{ from, to, at, word string }{
			{"password: env:SMTP_PASSWORD", "password: hunter2", "providers.yaml:10:7", "never stands in a file"},
			{"env:SMTP_PASSWORD", "env:OTHER", "providers.yaml:10:7", "env:OTHER"},
			{"      password:", "      secret:", "providers.yaml:10:7", "no such secret"},
			{"host: mail.example", "host: mail example", "providers.yaml:6:7", "smtp.host"},
			{"kind: smtp", "kind: smpp", "providers.yaml:3:5", "kind"},
			{"off: true", "of: true", "providers.yaml:15:5", "of"},
			{"id: gw", "id: RELAY", "providers.yaml:11:5", "taken"},
			{"Bearer {secret}", "Bearer t0ken", "providers.yaml", "looks like a secret"},
		} {
			_, err := w.s.Knowing(secrets).Apply(ctx, house, bytesOf(change(w.t, maps.Clone(files), "providers.yaml", c.from, c.to)), setup.How{})
			f, ok := fault.As(err)
			if !ok || !strings.Contains(locale.Text(locale.EN, f), c.at) || !strings.Contains(locale.Text(locale.EN, f), c.word) {
				w.t.Errorf("%s: %v", c.to, err)
			}
		}
	})
}
