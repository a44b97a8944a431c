package notify_test

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"

	"github.com/emersion/go-smtp"
)

// TestBrokenProviderMends: a provider that could not be made is tried anew at
// each reload, without a change of it, and complained of once.
func TestBrokenProviderMends(t *testing.T) {
	t.Parallel()
	m := startMail(t, config.TLSStart)
	each(t, loopback, func(w *world) {
		ctx := w.t.Context()
		spec, secrets := mailSpec(w.t, m, "relay")
		if _, err := w.s.CreateProvider(ctx, admin, spec, secrets); err != nil {
			w.t.Fatal(err)
		}
		var sealed string
		if err := w.db.View(ctx, func(tx *db.Tx) error {
			return tx.Get("SELECT secrets FROM notify_providers WHERE name = 'relay'").Scan(&sealed)
		}); err != nil {
			w.t.Fatal(err)
		}
		store := func(v string) {
			w.t.Helper()
			if err := w.db.Update(ctx, func(tx *db.Tx) error {
				tx.Write(1, "UPDATE notify_providers SET secrets = ? WHERE name = 'relay'", v)
				return nil
			}); err != nil {
				w.t.Fatal(err)
			}
		}
		store(`{"password":"of a key this node has not got yet"}`)
		w.serve(loopback)
		for range 3 {
			if err := w.s.ReloadProviders(ctx); err != nil {
				w.t.Fatal(err)
			}
		}
		if n := strings.Count(w.log.String(), "a provider cannot be used"); n != 1 {
			w.t.Errorf("complained of %d times", n)
		}
		if tried, err := w.s.Try(ctx, admin, "relay", "ops@desk.example", locale.EN); err != nil || tried.OK || !strings.Contains(tried.Detail, "does not open") {
			w.t.Errorf("while it is broken: %+v, %v", tried, err)
		}
		store(sealed)
		if err := w.s.ReloadProviders(ctx); err != nil {
			w.t.Fatal(err)
		}
		if tried, err := w.s.Try(ctx, admin, "relay", "ops@desk.example", locale.EN); err != nil || !tried.OK {
			w.t.Errorf("mended: %+v, %v", tried, err)
		}
	})
}

// TestReplacedGatewayHangsUp: a gateway that was changed or removed keeps no
// connection open.
func TestReplacedGatewayHangsUp(t *testing.T) {
	t.Parallel()
	each(t, loopback, func(w *world) {
		ctx := w.t.Context()
		var opened, closed atomic.Int64
		sms := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		sms.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				opened.Add(1)
			case http.StateClosed:
				closed.Add(1)
			}
		}
		sms.Start()
		defer sms.Close()
		spec := notify.Spec{Name: "gw", Kind: notify.KindHTTP, HTTP: &notify.HTTPSettings{URL: sms.URL + "/send"}}
		if _, err := w.s.CreateProvider(ctx, admin, spec, nil); err != nil {
			w.t.Fatal(err)
		}
		for i, change := range []func() error{
			func() error { spec.Order++; _, err := w.s.SetProvider(ctx, admin, spec, nil, 1); return err },
			func() error { return w.s.DeleteProvider(ctx, admin, "gw", 0) },
		} {
			want := int64(i + 1)
			for range 2 { // the second goes over the same connection
				if tried, err := w.s.Try(ctx, admin, "gw", "+8613800138000", locale.EN); err != nil || !tried.OK {
					w.t.Fatalf("%+v, %v", tried, err)
				}
			}
			if opened.Load() != want || closed.Load() != want-1 {
				w.t.Errorf("before change %d: %d opened, %d closed", want, opened.Load(), closed.Load())
			}
			if err := change(); err != nil {
				w.t.Fatal(err)
			}
			for end := time.Now().Add(20 * time.Second); closed.Load() < want && time.Now().Before(end); {
				time.Sleep(5 * time.Millisecond)
			}
			if closed.Load() != want {
				w.t.Errorf("change %d: %d of %d connections closed", want, closed.Load(), want)
			}
		}
	})
}

// TestMessageIDStays: a mail that is tried again behind a change of the provider
// has the Message-ID it was written with; its bounce and an answer to it are known
// by that, on a node that never had the old provider, too.
func TestMessageIDStays(t *testing.T) {
	t.Parallel()
	each(t, loopback, func(w *world) {
		ctx := w.t.Context()
		m := startMail(w.t, config.TLSStart)
		m.refuse = func(n int, _ string) error {
			if n == 1 {
				return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}
			}
			return nil
		}
		spec, secrets := mailSpec(w.t, m, "relay")
		if _, err := w.s.CreateProvider(ctx, admin, spec, secrets); err != nil {
			w.t.Fatal(err)
		}
		id := w.queue(codeMail())
		w.work()
		moved := *spec.SMTP
		moved.From = "Desk <desk@moved.example>"
		spec.SMTP = &moved
		if _, err := w.s.SetProvider(ctx, admin, spec, secrets, 1); err != nil {
			w.t.Fatal(err)
		}
		w.serve(loopback) // another node, with the new one only
		if err := w.s.ReloadProviders(ctx); err != nil {
			w.t.Fatal(err)
		}
		w.clock.Add(10 * time.Second)
		w.work()
		w.wantState(id, "sent", "")
		got := m.inbox()
		if len(got) != 1 {
			w.t.Fatalf("%d mails", len(got))
		}
		read, err := mail.ReadMessage(bytes.NewReader(got[0].data))
		if err != nil {
			w.t.Fatal(err)
		}
		if h := read.Header; h.Get("Message-Id") != "<"+id+"@desk.example>" || !strings.Contains(h.Get("From"), "moved.example") {
			w.t.Errorf("the retry: %s from %s", h.Get("Message-Id"), h.Get("From"))
		}
		if !w.s.OwnID(id+"@desk.example") || !w.s.OwnID(id+"@moved.example") || w.s.OwnID(id+"@other.example") {
			w.t.Error("Message-IDs of before and now are ours, others are not")
		}
		if sent, ok, err := w.s.ByMessageID(ctx, principal.AsSystem(principal.House), id+"@desk.example"); err != nil || !ok || sent.Template != notify.TemplateCode {
			w.t.Errorf("an answer to it: %+v, %v, %v", sent, ok, err)
		}
		next := w.queue(codeMail())
		w.work()
		w.wantState(next, "sent", "")
		if got = m.inbox(); !bytes.Contains(got[len(got)-1].data, []byte(next+"@moved.example")) {
			w.t.Error("a mail written behind the change has the old host")
		}
	})
}
