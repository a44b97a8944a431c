package notify_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"casemate/internal/config"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// mailSpec is a provider that hands mails to the server.
func mailSpec(t *testing.T, m *mailServer, name string) (notify.Spec, map[string]string) {
	t.Helper()
	ca, err := os.ReadFile(m.ca)
	if err != nil {
		t.Fatal(err)
	}
	return notify.Spec{Name: name, Kind: notify.KindSMTP, Place: notify.Place{Order: 10, Weight: 1},
		SMTP: &notify.SMTPSettings{Host: "127.0.0.1", Port: m.port, TLS: config.TLSStart, User: "mailer", From: "Desk <desk@desk.example>", CA: string(ca)}}, map[string]string{"password": "pass word"}
}

// loopback lets providers of the desk reach this machine.
var loopback = notify.Options{Config: config.Notify{Allow: []string{"127.0.0.0/8"}}}

// TestProvidersOfTheDesk: a provider that is set up is used at once by this node
// and without a restart by another; changes, switching off and removing likewise.
// Its secret is nowhere in clear.
func TestProvidersOfTheDesk(t *testing.T) {
	t.Parallel()
	each(t, loopback, func(w *world) {
		m := startMail(w.t, config.TLSStart)
		ctx := w.t.Context()
		if _, err := w.s.Prepare(ctx, codeMail()); fault.KindOf(err) != fault.Unavailable {
			w.t.Fatalf("without providers: %v", err)
		}
		other, err := notify.New(w.db, w.keys, notify.Options{Config: loopback.Config, Log: w.quiet()})
		if err != nil {
			w.t.Fatal(err)
		}
		follow, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); other.Run(follow) }()
		defer func() { stop(); <-done; other.Close() }()
		sees := func(what string, want string) {
			w.t.Helper()
			got := ""
			for range 3000 {
				all, err := other.Providers(ctx, admin)
				if err != nil {
					w.t.Fatal(err)
				}
				got = ""
				for _, p := range all {
					got += fmt.Sprintf("%s v%d off %v;", p.Name, p.Version, p.Off)
				}
				if got == want {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			w.t.Errorf("%s: the other node has %q, want %q", what, got, want)
		}
		sees("at first", "")

		spec, secrets := mailSpec(w.t, m, "relay")
		h, err := w.s.CreateProvider(ctx, admin, spec, secrets)
		if err != nil {
			w.t.Fatal(err)
		}
		if h.Source != notify.SourceDesk || h.Version != 1 || strings.Join(h.Secrets, " ") != "password" || h.Off || h.SMTP.Host != "127.0.0.1" {
			w.t.Errorf("%+v", h)
		}
		sees("created", "relay v1 off false;")
		if strings.Contains(dump(w), "pass word") {
			w.t.Error("the password lies in clear in the store")
		}
		before := len(m.inbox())
		id := w.queue(codeMail())
		w.work()
		if d := w.wantState(id, "sent", ""); outcomes(d) != "relay:ok" || len(m.inbox()) != before+1 {
			w.t.Errorf("%s, %d mails", outcomes(d), len(m.inbox())-before)
		}

		// A change keeps what it does not name, and wants the version that was read.
		spec.Order, spec.SMTP.Hello = 20, "desk.example"
		if _, err := w.s.SetProvider(ctx, admin, spec, nil, 7); fault.KindOf(err) != fault.Conflict {
			w.t.Errorf("another version: %v", err)
		}
		if h, err = w.s.SetProvider(ctx, admin, spec, nil, 1); err != nil || h.Version != 2 || len(h.Secrets) != 1 {
			w.t.Errorf("%+v, %v", h, err)
		}
		sees("changed", "relay v2 off false;")
		if tried, err := w.s.Try(ctx, admin, "relay", "ops@desk.example", locale.EN); err != nil || !tried.OK {
			w.t.Errorf("after the change: %+v, %v", tried, err)
		}
		if _, err := w.s.SetProvider(ctx, admin, spec, map[string]string{"password": ""}, 2); fault.KindOf(err) != fault.Invalid {
			w.t.Errorf("a user without a password: %v", err)
		}

		if _, err := w.s.EnableProvider(ctx, admin, "relay", false); err != nil {
			w.t.Fatal(err)
		}
		sees("switched off", "relay v3 off true;")
		if _, err := w.s.Prepare(ctx, codeMail()); fault.KindOf(err) != fault.Unavailable {
			w.t.Errorf("switched off: %v", err)
		}
		if tried, err := w.s.Try(ctx, admin, "relay", "ops@desk.example", locale.EN); err != nil || !tried.OK {
			w.t.Errorf("a test of one that is off: %+v, %v", tried, err)
		}

		for _, who := range []principal.Principal{engineer, customer, {Kind: principal.Engineer, Domain: principal.House, User: "a1", Role: principal.RoleAuditor}} {
			_, err1 := w.s.CreateProvider(ctx, who, spec, nil)
			_, err2 := w.s.SetProvider(ctx, who, spec, nil, 3)
			_, err3 := w.s.EnableProvider(ctx, who, "relay", true)
			for _, err := range []error{err1, err2, err3, w.s.DeleteProvider(ctx, who, "relay", 0)} {
				if fault.KindOf(err) != fault.Forbidden {
					w.t.Errorf("%v: %v", who.Role, err)
				}
			}
		}
		if err := w.s.DeleteProvider(ctx, admin, "relay", 1); fault.KindOf(err) != fault.Conflict {
			w.t.Errorf("another version: %v", err)
		}
		if err := w.s.DeleteProvider(ctx, admin, "relay", 3); err != nil {
			w.t.Fatal(err)
		}
		sees("removed", "")
		if _, err := w.s.Provider(ctx, admin, "relay"); fault.KindOf(err) != fault.NotFound {
			w.t.Errorf("removed: %v", err)
		}
	})
}

// TestProviderRules: what cannot be is refused with its field and stores
// nothing; names of the server's file are not taken, and its providers not
// changed.
func TestProviderRules(t *testing.T) {
	t.Parallel()
	file := &moody{name: "Own"}
	each(t, notify.Options{Mail: []notify.Channel{file}, Config: loopback.Config}, func(w *world) {
		ctx := w.t.Context()
		mailed := func(change func(s *notify.Spec)) notify.Spec {
			s := notify.Spec{Name: "a", Kind: notify.KindSMTP, SMTP: &notify.SMTPSettings{Host: "mail.example", From: "desk@desk.example"}}
			change(&s)
			return s
		}
		smpp := func(change func(m *notify.SMPPSettings)) notify.Spec {
			m := &notify.SMPPSettings{Address: "smsc.example:2775", SystemID: "id"}
			change(m)
			return notify.Spec{Name: "a", Kind: notify.KindSMPP, SMPP: m}
		}
		web := func(change func(m *notify.HTTPSettings)) notify.Spec {
			m := &notify.HTTPSettings{URL: "https://sms.example/send"}
			change(m)
			return notify.Spec{Name: "a", Kind: notify.KindHTTP, HTTP: m}
		}
		for _, c := range []struct {
			field   string
			spec    notify.Spec
			secrets map[string]string
		}{
			{"name", mailed(func(s *notify.Spec) { s.Name = "" }), nil},
			{"name", mailed(func(s *notify.Spec) { s.Name = strings.Repeat("a", 33) }), nil},
			{"name", mailed(func(s *notify.Spec) { s.Name = "a/b" }), nil},
			{"name", mailed(func(s *notify.Spec) { s.Name = "own" }), nil},
			{"kind", mailed(func(s *notify.Spec) { s.Kind = "fax" }), nil},
			{"kind", mailed(func(s *notify.Spec) { s.Kind = notify.KindSMPP }), nil},
			{"kind", mailed(func(s *notify.Spec) { s.HTTP = &notify.HTTPSettings{URL: "https://x.example"} }), nil},
			{"order", mailed(func(s *notify.Spec) { s.Order = 1_000_001 }), nil},
			{"weight", mailed(func(s *notify.Spec) { s.Weight = 1001 }), nil},
			{"smtp.host", mailed(func(s *notify.Spec) { s.SMTP.Host = "mail example" }), nil},
			{"smtp.port", mailed(func(s *notify.Spec) { s.SMTP.Port = 65536 }), nil},
			{"smtp.tls", mailed(func(s *notify.Spec) { s.SMTP.TLS = "maybe" }), nil},
			{"smtp.from", mailed(func(s *notify.Spec) { s.SMTP.From = "nobody" }), nil},
			{"smtp.from", mailed(func(s *notify.Spec) { s.SMTP.From = "a@b.example\r\nBcc: c@d.example" }), nil},
			{"smtp.user", mailed(func(s *notify.Spec) { s.SMTP.TLS, s.SMTP.User = "none", "u" }), map[string]string{"password": "p"}},
			{"secrets.password", mailed(func(s *notify.Spec) { s.SMTP.User = "u" }), nil},
			{"secrets.secret", mailed(func(*notify.Spec) {}), map[string]string{"secret": "x"}},
			{"secrets.password", mailed(func(*notify.Spec) {}), map[string]string{"password": strings.Repeat("p", 1001)}},
			{"smtp.ca", mailed(func(s *notify.Spec) { s.SMTP.CA = "no certificate" }), nil},
			{"smtp.timeout_seconds", mailed(func(s *notify.Spec) { s.SMTP.Timeout = 61 }), nil},
			{"smtp.bounce", mailed(func(s *notify.Spec) { s.SMTP.Bounce = "b{id}{id}@x.example" }), nil},
			{"smtp.dkim_domain", mailed(func(s *notify.Spec) { s.SMTP.DKIMSelector, s.SMTP.DKIMDomain = "s", "else.example" }), map[string]string{"dkim_key": "x"}},
			{"secrets.dkim_key", mailed(func(s *notify.Spec) { s.SMTP.DKIMSelector = "s" }), nil},
			{"secrets.dkim_key", mailed(func(s *notify.Spec) { s.SMTP.DKIMSelector = "s" }), map[string]string{"dkim_key": "no PEM"}},
			{"smpp.address", smpp(func(m *notify.SMPPSettings) { m.Address = "smsc.example" }), nil},
			{"smpp.system_id", smpp(func(m *notify.SMPPSettings) { m.SystemID = strings.Repeat("i", 16) }), nil},
			{"smpp.sender", smpp(func(m *notify.SMPPSettings) { m.Sender = "a name too long" }), nil},
			{"smpp.sender_ton", smpp(func(m *notify.SMPPSettings) { n := 19; m.SenderTON = &n }), nil},
			{"smpp.window", smpp(func(m *notify.SMPPSettings) { m.Window = 1001 }), nil},
			{"smpp.prices", smpp(func(m *notify.SMPPSettings) { m.Prices = map[string]int64{"china": 1} }), nil},
			{"smpp.prices.86", smpp(func(m *notify.SMPPSettings) { m.Prices = map[string]int64{"86": -1} }), nil},
			{"secrets.password", smpp(func(*notify.SMPPSettings) {}), map[string]string{"password": "pässword"}},
			{"http.url", web(func(m *notify.HTTPSettings) { m.URL = "https://{to}.example/" }), nil},
			{"http.url", web(func(m *notify.HTTPSettings) { m.URL = "ftp://sms.example/" }), nil},
			{"http.body", web(func(m *notify.HTTPSettings) { m.Body = "{password}" }), nil},
			{"http.headers", web(func(m *notify.HTTPSettings) { m.Headers = map[string]string{"a b": "c"} }), nil},
			{"http.headers.X", web(func(m *notify.HTTPSettings) { m.Headers = map[string]string{"X": "a\r\nY: b"} }), nil},
			{"secrets.secret", web(func(m *notify.HTTPSettings) { m.Headers = map[string]string{"X": "{secret}"} }), nil},
			{"http.method", web(func(m *notify.HTTPSettings) { m.Method = "BREW" }), nil},
			{"http.success.values", web(func(m *notify.HTTPSettings) { m.Success = &notify.Condition{Path: "a"} }), nil},
			{"http.receipt.header", web(func(m *notify.HTTPSettings) {
				m.Receipt = &notify.ReceiptSettings{State: "s", ID: "i", Delivered: []string{"D"}}
			}), map[string]string{"receipt_secret": "long enough"}},
			{"secrets.receipt_secret", web(func(m *notify.HTTPSettings) {
				m.Receipt = &notify.ReceiptSettings{Check: "link", State: "s", Delivered: []string{"D"}}
			}), nil},
		} {
			_, err := w.s.CreateProvider(ctx, admin, c.spec, c.secrets)
			f, ok := fault.As(err)
			if !ok || f.Field != c.field || f.Code != fault.CodeInvalid {
				w.t.Errorf("%s: %v", c.field, err)
			}
		}
		if all, err := w.s.Providers(ctx, admin); err != nil || len(all) != 1 || all[0].Source != notify.SourceFile || all[0].Name != "Own" {
			w.t.Errorf("%+v, %v", all, err)
		}
		own := mailed(func(s *notify.Spec) { s.Name = "Own" })
		_, err1 := w.s.SetProvider(ctx, admin, own, nil, 1)
		_, err2 := w.s.EnableProvider(ctx, admin, "Own", false)
		for _, err := range []error{err1, err2, w.s.DeleteProvider(ctx, admin, "Own", 0)} {
			if fault.KindOf(err) != fault.Conflict {
				w.t.Errorf("one of the file: %v", err)
			}
		}
		for i := range notify.MaxProviders {
			s := mailed(func(s *notify.Spec) { s.Name, s.Off = "p"+strconv.Itoa(i), true })
			if _, err := w.s.CreateProvider(ctx, admin, s, nil); err != nil {
				w.t.Fatal(err)
			}
		}
		for _, name := range []string{"one-more", "P1"} {
			if _, err := w.s.CreateProvider(ctx, admin, mailed(func(s *notify.Spec) { s.Name = name }), nil); fault.KindOf(err) != fault.Conflict {
				w.t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestTranscripts: a test tells the whole conversation, of all kinds of
// providers, good or bad, and never a secret; it stands in the ledger.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	m, sms, smsc := startMail(t, config.TLSStart), startSMS(t, answer(200, `{"result":{"code":"0"},"echo":"t0ken-of-gw"}`)), startCentre(t)
	centre := smsc.config()
	password, err := centre.Password.Read()
	if err != nil {
		t.Fatal(err)
	}
	each(t, loopback, func(w *world) {
		ctx := w.t.Context()
		add := func(s notify.Spec, secrets map[string]string) {
			w.t.Helper()
			if _, err := w.s.CreateProvider(ctx, admin, s, secrets); err != nil {
				w.t.Fatal(err)
			}
		}
		add(mailSpec(w.t, m, "relay"))
		wrong, _ := mailSpec(w.t, m, "wrong")
		add(wrong, map[string]string{"password": "not the password"})
		add(notify.Spec{Name: "gw", Kind: notify.KindHTTP, HTTP: &notify.HTTPSettings{URL: sms.URL + "/send?key={secret}", Headers: map[string]string{"Authorization": "Bearer {secret}", "X-Sign": `d="{digest}"`},
			Body: `{"to":"{to}","text":"{text}"}`, Success: &notify.Condition{Path: "result.code", Values: []string{"0"}}}}, map[string]string{"secret": "t0ken-of-gw"})
		add(notify.Spec{Name: "smsc", Kind: notify.KindSMPP, SMPP: &notify.SMPPSettings{Address: centre.Address, SystemID: centre.SystemID, SystemType: centre.SystemType, Sender: "10690000"}}, map[string]string{"password": password})
		for _, c := range []struct {
			name, to, secret string
			ok               bool
			wants            []string
		}{
			{"relay", "ops@desk.example", "pass word", true, []string{"note: connected to 127.0.0.1", "server: 220 ", "client: EHLO ", "client: STARTTLS", "note: TLS 1.3", "redacted", "client: MAIL FROM:<desk@desk.example>", "client: RCPT TO:<ops@desk.example>",
				"client: DATA", "client: Subject: ", "server: 2.0.0 OK", "client: QUIT"}},
			{"wrong", "ops@desk.example", "not the password", false, []string{"client: STARTTLS", "server: 454 4.7.0 invalid credentials"}},
			{"relay", "nobody@desk.example", "pass word", false, []string{"client: RCPT TO:<nobody@desk.example>", "server: 550 5.1.1 no such user", "client: RSET"}},
			{"gw", "+8613800138000", "t0ken-of-gw", true, []string{"client: POST http://127.0.0.1", "client: Authorization: Bearer ***", `client: X-Sign: d="***"`, `"to":"+8613800138000"`, "server: HTTP/1.1 200 OK", `"echo":"***"`}},
			{"smsc", "+8613800138000", password, true, []string{`client: bind_transceiver system_id="`, "server: bind_transceiver_resp 0x00", `client: submit_sm source="10690000"`, `destination="8613800138000"`, `server: submit_sm_resp 0x00 ESME_ROK message_id="sim-`}},
		} {
			m.mu.Lock()
			m.refuse = func(_ int, rcpt string) error {
				if strings.HasPrefix(rcpt, "nobody@") {
					return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
				}
				return nil
			}
			m.mu.Unlock()
			tried, err := w.s.Try(ctx, admin, c.name, c.to, locale.EN)
			if err != nil || tried.OK != c.ok {
				w.t.Errorf("%s: %+v, %v", c.name, tried, err)
				continue
			}
			var b strings.Builder
			for _, l := range tried.Transcript {
				fmt.Fprintf(&b, "%s: %s\n", l.From, l.Text)
			}
			text := b.String()
			at := 0
			for _, want := range c.wants {
				i := strings.Index(text[at:], want)
				if i < 0 {
					w.t.Errorf("%s: no %q behind what was found before:\n%s", c.name, want, text)
					break
				}
				at += i
			}
			for _, spelled := range []string{c.secret, base64.StdEncoding.EncodeToString([]byte(c.secret)), base64.StdEncoding.EncodeToString([]byte("\x00mailer\x00" + c.secret))} {
				if strings.Contains(text, spelled) {
					w.t.Errorf("%s: the transcript holds the secret:\n%s", c.name, text)
				}
			}
			all, _, err := w.s.Deliveries(ctx, admin, notify.DeliveryFilter{Limit: 1})
			want := map[bool]string{true: c.name + ":ok sent", false: c.name + ":temporary failed"}[c.ok]
			if strings.HasPrefix(c.to, "nobody@") {
				want = c.name + ":permanent failed"
			}
			if err != nil || len(all) != 1 || outcomes(all[0])+" "+all[0].State != want || all[0].Template != notify.TemplateTest {
				w.t.Errorf("%s: the ledger has %+v, %v", c.name, all, err)
			}
		}
	})
}

// TestProviderWalls: a provider that is set up at the desk reaches no address
// that is not public unless the server's file lists it (threats.md D12).
func TestProviderWalls(t *testing.T) {
	t.Parallel()
	m, smsc := startMail(t, config.TLSStart), startCentre(t)
	sms := startSMS(t, func(http.ResponseWriter, int) { t.Error("the gateway was reached") })
	each(t, notify.Options{}, func(w *world) {
		ctx := w.t.Context()
		mail, secrets := mailSpec(w.t, m, "relay")
		before := m.conversations()
		for _, c := range []struct {
			spec    notify.Spec
			secrets map[string]string
			to      string
		}{
			{mail, secrets, "ops@desk.example"},
			{notify.Spec{Name: "gw", Kind: notify.KindHTTP, HTTP: &notify.HTTPSettings{URL: sms.URL}}, nil, "+8613800138000"},
			{notify.Spec{Name: "smsc", Kind: notify.KindSMPP, SMPP: &notify.SMPPSettings{Address: smsc.config().Address, SystemID: "x"}}, nil, "+8613800138000"},
		} {
			if _, err := w.s.CreateProvider(ctx, admin, c.spec, c.secrets); err != nil {
				w.t.Fatal(err)
			}
			tried, err := w.s.Try(ctx, admin, c.spec.Name, c.to, locale.EN)
			if err != nil || tried.OK || !strings.Contains(tried.Detail, "may not be reached") || !strings.Contains(fmt.Sprint(tried.Transcript), "notify.allow") {
				w.t.Errorf("%s: %+v, %v", c.spec.Name, tried, err)
			}
		}
		if n := m.conversations() - before; n != 0 || len(smsc.messages()) != 0 {
			w.t.Errorf("%d conversations, %d text messages", n, len(smsc.messages()))
		}
	})
}
