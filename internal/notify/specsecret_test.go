package notify_test

import (
	"maps"
	"strings"
	"testing"

	"casemate/internal/config"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/notify"
)

// inField tells whether an error is a refusal that names the field, in both languages.
func inField(err error, field string) bool {
	f, ok := fault.As(err)
	return ok && f.Field == field && f.Code == fault.CodeInvalid && strings.Contains(locale.Text(locale.ZH, f), field) && strings.Contains(locale.Text(locale.EN, f), field)
}

// TestSecretsStay: a stored secret does not go along when settings lead to
// another server or show it elsewhere: it must be given anew, the same again or
// another, or removed; everything else keeps it.
func TestSecretsStay(t *testing.T) {
	t.Parallel()
	m := startMail(t, config.TLSStart)
	each(t, loopback, func(w *world) {
		ctx := w.t.Context()
		mailed, mailSecret := mailSpec(w.t, m, "relay")
		ca := mailed.SMTP.CA
		centre := notify.Spec{Name: "smsc", Kind: notify.KindSMPP, SMPP: &notify.SMPPSettings{Address: "smsc.example:2775", SystemID: "id"}}
		web := notify.Spec{Name: "gw", Kind: notify.KindHTTP, HTTP: &notify.HTTPSettings{URL: "https://sms.example/send", Headers: map[string]string{"Authorization": "Bearer {secret}"}, Body: "{to}={text}",
			Receipt: &notify.ReceiptSettings{Check: "link", State: "s", Delivered: []string{"D"}}}}
		for _, p := range []struct {
			spec    notify.Spec
			secrets map[string]string
		}{{mailed, mailSecret}, {centre, map[string]string{"password": "p"}}, {web, map[string]string{"secret": "t0ken", "receipt_secret": "long enough"}}} {
			if _, err := w.s.CreateProvider(ctx, admin, p.spec, p.secrets); err != nil {
				w.t.Fatal(err)
			}
		}
		smtp := func(change func(*notify.SMTPSettings)) notify.Spec {
			s, c := mailed, *mailed.SMTP
			change(&c)
			s.SMTP = &c
			return s
		}
		smpp := func(change func(*notify.SMPPSettings)) notify.Spec {
			s, c := centre, *centre.SMPP
			change(&c)
			s.SMPP = &c
			return s
		}
		gw := func(change func(*notify.HTTPSettings)) notify.Spec {
			s, c := web, *web.HTTP
			c.Headers = maps.Clone(c.Headers)
			change(&c)
			s.HTTP = &c
			return s
		}
		version := func(name string) int64 {
			h, err := w.s.Provider(ctx, admin, name)
			if err != nil {
				w.t.Fatal(err)
			}
			return h.Version
		}
		for _, c := range []struct {
			what, field string // "" = the secret stays
			next        notify.Spec
		}{
			{"host", "secrets.password", smtp(func(c *notify.SMTPSettings) { c.Host = "127.0.0.2" })},
			{"host, and no user meanwhile", "secrets.password", smtp(func(c *notify.SMTPSettings) { c.Host, c.User = "127.0.0.2", "" })},
			{"port", "secrets.password", smtp(func(c *notify.SMTPSettings) { c.Port++ })},
			{"tls", "secrets.password", smtp(func(c *notify.SMTPSettings) { c.TLS = config.TLSOpportunistic })},
			{"ca", "secrets.password", smtp(func(c *notify.SMTPSettings) { c.CA = "" })},
			{"hello", "", smtp(func(c *notify.SMTPSettings) { c.Hello = "desk.example" })},
			{"sender", "", smtp(func(c *notify.SMTPSettings) { c.From = "other@desk.example" })},
			{"address", "secrets.password", smpp(func(c *notify.SMPPSettings) { c.Address = "smsc.example:2776" })},
			{"smpp tls", "secrets.password", smpp(func(c *notify.SMPPSettings) { c.TLS = true })},
			{"smpp ca", "secrets.password", smpp(func(c *notify.SMPPSettings) { c.CA = ca })},
			{"window", "", smpp(func(c *notify.SMPPSettings) { c.Window = 5 })},
			{"origin", "secrets.secret", gw(func(c *notify.HTTPSettings) { c.URL = "https://evil.example/send" })},
			{"scheme", "secrets.secret", gw(func(c *notify.HTTPSettings) { c.URL = "http://sms.example/send" })},
			{"gateway ca", "secrets.secret", gw(func(c *notify.HTTPSettings) { c.CA = ca })},
			{"secret in the text", "secrets.secret", gw(func(c *notify.HTTPSettings) { c.Body = "{to}={secret}" })},
			{"secret in the URL", "secrets.secret", gw(func(c *notify.HTTPSettings) { c.URL += "?to={secret}" })},
			{"digest in a header", "secrets.secret", gw(func(c *notify.HTTPSettings) { c.Headers["X"] = "{digest}" })},
			{"path", "", gw(func(c *notify.HTTPSettings) { c.URL = "https://sms.example/v2/send" })},
			{"body", "", gw(func(c *notify.HTTPSettings) { c.Body = "{number}={text}" })},
		} {
			before := version(c.next.Name)
			_, err := w.s.SetProvider(ctx, admin, c.next, nil, before)
			if c.field == "" && err != nil || c.field != "" && (!inField(err, c.field) || version(c.next.Name) != before) {
				w.t.Errorf("%s: %v", c.what, err)
			}
			for _, back := range []notify.Spec{mailed, centre, web} {
				if back.Name == c.next.Name && c.field == "" {
					if _, err := w.s.SetProvider(ctx, admin, back, nil, version(back.Name)); err != nil {
						w.t.Errorf("back from %s: %v", c.what, err)
					}
				}
			}
		}
		// Another gateway gets none of them: all are asked for.
		away := gw(func(c *notify.HTTPSettings) { c.URL = "https://new.example/send" })
		if _, err := w.s.SetProvider(ctx, admin, away, map[string]string{"secret": "other"}, version("gw")); !inField(err, "secrets.receipt_secret") {
			w.t.Errorf("one of two: %v", err)
		}
		if _, err := w.s.SetProvider(ctx, admin, away, map[string]string{"secret": "other", "receipt_secret": "long enough"}, version("gw")); err != nil {
			w.t.Errorf("both given: %v", err)
		}
		away = smtp(func(c *notify.SMTPSettings) { c.Host = "127.0.0.2" })
		if _, err := w.s.SetProvider(ctx, admin, away, map[string]string{"password": ""}, version("relay")); !inField(err, "secrets.password") {
			w.t.Errorf("removed although it is on: %v", err)
		}
		away.Off = true
		if h, err := w.s.SetProvider(ctx, admin, away, map[string]string{"password": ""}, version("relay")); err != nil || len(h.Secrets) != 0 {
			w.t.Errorf("removed and switched off: %+v, %v", h, err)
		}
		if _, err := w.s.EnableProvider(ctx, admin, "relay", true); !inField(err, "secrets.password") {
			w.t.Errorf("switched on without: %v", err)
		}
		if tried, err := w.s.Try(ctx, admin, "relay", "ops@desk.example", locale.EN); err != nil || tried.OK || !strings.Contains(tried.Detail, "its password is not there") {
			w.t.Errorf("tried without: %+v, %v", tried, err)
		}
	})
}

// TestSecretsNotWrittenOut: secrets do not stand in headers or the URL of a
// gateway of the desk.
func TestSecretsNotWrittenOut(t *testing.T) {
	t.Parallel()
	each(t, loopback, func(w *world) {
		for _, c := range []struct{ field, header, v, url string }{
			{"http.headers.authorization", "authorization", "Bearer abc", ""},
			{"http.headers.X-API-Key", "X-API-Key", "abc", ""},
			{"http.headers.X-Auth-Token", "X-Auth-Token", "abc{id}", ""},
			{"http.headers.X-Signature", "X-Signature", "abc", ""},
			{"http.url", "", "", "https://sms.example/send?to={to}&AccessKey=abc"},
			{"http.url", "", "", "https://sms.example/send?user%5FPassword=abc"},
			{"", "Authorization", "Bearer {secret}", ""},
			{"", "X-Api-Key", `k="{digest}"`, ""},
			{"", "Idempotency-Key", "{id}", ""},
			{"", "Accept", "application/json", "https://sms.example/send?api_secret={secret}&v=1"},
		} {
			in := notify.Spec{Name: "gw", Kind: notify.KindHTTP, HTTP: &notify.HTTPSettings{URL: "https://sms.example/send"}}
			if c.url != "" {
				in.HTTP.URL = c.url
			}
			if c.header != "" {
				in.HTTP.Headers = map[string]string{c.header: c.v}
			}
			_, err := w.s.CreateProvider(w.t.Context(), admin, in, map[string]string{"secret": "t0ken"})
			if c.field == "" {
				if err != nil {
					w.t.Errorf("%s %s: %v", c.header, c.url, err)
				} else if err := w.s.DeleteProvider(w.t.Context(), admin, "gw", 0); err != nil {
					w.t.Error(err)
				}
			} else if !inField(err, c.field) {
				w.t.Errorf("%s %s: %v", c.header, c.url, err)
			}
		}
	})
}
