package notify_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/seal/sealtest"
)

func TestDelivered(t *testing.T) {
	t.Parallel()
	taken := &recorder{as: "a", script: func(int, notify.Outgoing) (string, error) { return "p-1", nil }}
	each(t, notify.Options{Mail: []notify.Channel{taken}}, func(w *world) {
		ctx := w.t.Context()
		id := w.queue(codeMail())
		w.wantState(id, "queued", "")
		w.work()
		d := w.wantState(id, "sent", "")
		if d.To != "l***@example.com" || d.Template != notify.TemplateCode || d.Ref != "code1" || d.Tries != 1 || outcomes(d) != "a:ok" || d.Attempts[0].ProviderID != "p-1" {
			w.t.Errorf("ledger: %+v", d)
		}
		w.work()
		if d := w.delivery(id); d.Tries != 1 {
			w.t.Errorf("sent %d times", d.Tries)
		}
		if err := w.s.Receive(ctx, principal.AsSystem(""), notify.Receipt{Provider: "a", ProviderID: "p-1", Delivered: true}); err != nil {
			w.t.Fatal(err)
		}
		w.wantState(id, "delivered", "")
		if err := w.s.Receive(ctx, principal.AsSystem(""), notify.Receipt{Provider: "a", ProviderID: "no such"}); err != nil {
			w.t.Fatal(err)
		}
		if err := w.s.Receive(ctx, customer, notify.Receipt{}); fault.KindOf(err) != fault.Forbidden {
			w.t.Errorf("a customer gave a receipt: %v", err)
		}
	})
}

// TestNoProvider: an installation that cannot send says so at once.
func TestNoProvider(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		for _, m := range []notify.Message{codeMail(), codeSMS()} {
			if _, err := w.s.Prepare(w.t.Context(), m); !errors.Is(err, notify.ErrNoChannel) {
				w.t.Errorf("%s: %v", m.Way, err)
			}
		}
		m := codeMail()
		m.Sandbox = true
		id := w.queue(m) // a sandbox needs no provider
		w.work()
		w.wantState(id, "sent", "")
	})
}

// TestDropped: what is dropped or late is not sent, and what it said is gone.
func TestDropped(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		rec := &recorder{as: "a", script: func(int, notify.Outgoing) (string, error) { return "", &notify.Failure{Detail: "later"} }}
		w.serve(notify.Options{Mail: []notify.Channel{rec}})

		replaced := w.queue(codeMail())
		w.drop("code1", "replaced")
		w.work()
		w.wantState(replaced, "dropped", "replaced")

		late := w.queue(codeMail())
		w.clock.Add(5 * time.Minute)
		w.work()
		w.wantState(late, "dropped", "expired")
		if rec.count() != 0 {
			w.t.Fatalf("%d messages left", rec.count())
		}

		// Dropped between two tries.
		between := w.queue(codeMail())
		w.work()
		w.wantState(between, "sending", "")
		w.drop("code1", "replaced")
		w.clock.Add(time.Minute)
		w.work()
		if rec.count() != 1 {
			w.t.Errorf("%d tries, want 1", rec.count())
		}
		w.wantState(between, "dropped", "replaced")

		// Tried until it would be late, then given up.
		rec.got = nil
		hopeless := w.queue(codeMail())
		for range 100 {
			w.clock.Add(4 * time.Second)
			w.work()
		}
		w.wantState(hopeless, "failed", "expired")
		if n := rec.count(); n < 10 || n > 30 {
			w.t.Errorf("%d tries in five minutes", n)
		}

		// Its job is gone: the sweep drops it.
		lost := w.queue(codeMail())
		if err := w.db.Update(w.t.Context(), func(tx *db.Tx) error { tx.Write(1, "DELETE FROM jobs"); return nil }); err != nil {
			w.t.Fatal(err)
		}
		for _, state := range []string{"queued", "dropped"} {
			if err := w.s.Expire(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
			w.wantState(lost, state, map[string]string{"dropped": "expired"}[state])
			w.clock.Add(5 * time.Minute)
		}
	})
}

// TestFailOver: the next provider is asked when one fails; permanent refusals
// by all end the message.
func TestFailOver(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		never := notify.Failure{Permanent: true}
		w.serve(notify.Options{SMS: []notify.Channel{notify.Broken{As: "first", Failure: notify.Failure{Detail: "503 for +8613800138000"}}, &recorder{as: "second"}}})
		id := w.queue(codeSMS())
		w.work()
		d := w.wantState(id, "sent", "")
		if outcomes(d) != "first:temporary second:ok" || d.Tries != 2 || d.Attempts[0].Detail != "503 for ***" {
			w.t.Errorf("%+v", d)
		}
		if d.To != "+86 138****8000" {
			w.t.Errorf("masked %q", d.To)
		}

		w.serve(notify.Options{SMS: []notify.Channel{notify.Broken{As: "first", Failure: never}, notify.Broken{As: "second", Failure: never}}})
		id = w.queue(codeSMS())
		w.work()
		if d := w.wantState(id, "failed", "refused"); outcomes(d) != "first:permanent second:permanent" {
			w.t.Errorf("%s", outcomes(d))
		}

		// One refuses for good, the other for now: it is tried again.
		later := &recorder{as: "second", script: func(n int, _ notify.Outgoing) (string, error) {
			if n == 1 {
				return "", errors.New("not now")
			}
			return "", nil
		}}
		w.serve(notify.Options{SMS: []notify.Channel{notify.Broken{As: "first", Failure: never}, later}})
		id = w.queue(codeSMS())
		w.work()
		w.wantState(id, "sending", "")
		w.clock.Add(2 * time.Second)
		w.work()
		w.wantState(id, "sent", "")
	})
}

// TestCrash: an attempt that never ended is marked, and repeated with the same
// identity, so that the recipient's side can tell a double.
func TestCrash(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		rec := &recorder{as: "a", script: func(n int, _ notify.Outgoing) (string, error) {
			if n == 1 {
				panic("the node dies here")
			}
			return "", nil
		}}
		w.serve(notify.Options{Mail: []notify.Channel{rec}})
		id := w.queue(codeMail())
		w.work()
		w.clock.Add(2 * time.Second)
		w.work()
		d := w.wantState(id, "sent", "")
		if outcomes(d) != "a:unknown a:ok" || rec.count() != 2 {
			w.t.Fatalf("%s", outcomes(d))
		}
		a, b := rec.got[0], rec.got[1]
		if a.MessageID != b.MessageID || a.ID != b.ID || a.At != b.At || !strings.HasPrefix(a.MessageID, id+"@") {
			w.t.Errorf("the repeat differs: %+v %+v", a, b)
		}
	})
}

// TestBlocked: a contact that does not exist is not tried again for a while.
func TestBlocked(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		ctx := w.t.Context()
		other, ok := &recorder{as: "other"}, &recorder{as: "a"}
		w.serve(notify.Options{Mail: []notify.Channel{notify.Broken{As: "a", Failure: notify.Failure{Permanent: true, Recipient: true}}, other}})
		id := w.queue(codeMail())
		w.work()
		w.wantState(id, "bounced", "no such recipient")
		w.serve(notify.Options{Mail: []notify.Channel{ok}})
		m := codeMail()
		m.Domain, m.Person = "d2", "u2" // another tenant's user
		id = w.queue(m)
		w.work()
		w.wantState(id, "dropped", "blocked")
		blocked, err := w.s.Blocks(ctx, admin)
		if err != nil || len(blocked) != 1 || blocked[0].Way != notify.Mail || blocked[0].To == "" || strings.Contains(blocked[0].To, "hua") || blocked[0].Until <= blocked[0].Since {
			w.t.Errorf("blocked: %+v, %v", blocked, err)
		}
		auditor := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "u", Role: principal.RoleAuditor}
		if seen, err := w.s.Blocks(ctx, auditor); err != nil || len(seen) != 1 || seen[0].To != "" {
			w.t.Errorf("an auditor sees %+v, %v", seen, err)
		}
		if _, err := w.s.Blocks(ctx, engineer); fault.KindOf(err) != fault.Forbidden {
			w.t.Errorf("an engineer sees blocked contacts: %v", err)
		}
		if err := w.s.UnblockID(ctx, auditor, blocked[0].ID); fault.KindOf(err) != fault.Forbidden {
			w.t.Errorf("an auditor unblocked: %v", err)
		}
		if err := w.s.UnblockID(ctx, admin, "none"); err != nil {
			w.t.Errorf("no such block: %v", err)
		}
		if err := w.s.Unblock(ctx, engineer, m.To); fault.KindOf(err) != fault.Forbidden {
			w.t.Errorf("an engineer unblocked: %v", err)
		}
		if err := w.s.Unblock(ctx, admin, "Li.Hua@EXAMPLE.com"); err != nil {
			w.t.Fatal(err)
		}
		id = w.queue(m)
		w.work()
		w.wantState(id, "sent", "")
		if other.count() != 0 || ok.count() != 1 {
			w.t.Errorf("%d and %d messages", other.count(), ok.count())
		}
	})
}

func TestCatcher(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{Catch: true}, func(w *world) {
		ctx := w.t.Context()
		id := w.queue(codeMail())
		w.work()
		w.wantState(id, "sent", "")
		m := codeSMS()
		m.Code = "777777"
		w.queue(m)
		w.work()
		for _, who := range []principal.Principal{customer, engineer, {}} {
			if _, err := w.s.Caught(ctx, who, notify.CaughtFilter{}); fault.KindOf(err) != fault.Forbidden {
				w.t.Errorf("%v looked into the catcher: %v", who.Kind, err)
			}
			if _, err := w.s.LastCode(ctx, who, m.To); fault.KindOf(err) != fault.Forbidden {
				w.t.Errorf("%v read a code: %v", who.Kind, err)
			}
		}
		all, err := w.s.Caught(ctx, admin, notify.CaughtFilter{})
		if err != nil || len(all) != 2 {
			w.t.Fatalf("%d caught: %v", len(all), err)
		}
		if c := all[1]; c.To != "li.hua@example.com" || !strings.Contains(c.Text, "048213") || c.Subject == "" || c.Way != notify.Mail {
			w.t.Errorf("%+v", c)
		}
		for _, to := range []string{"13800138000", "+86 138 0013 8000", "0086-13800138000"} {
			c, err := w.s.LastCode(ctx, admin, to)
			if err != nil || c.Code != "777777" {
				w.t.Errorf("%s: %q, %v", to, c.Code, err)
			}
		}
		if _, err := w.s.LastCode(ctx, admin, "nobody@example.com"); !errors.Is(err, notify.ErrNoCode) {
			w.t.Errorf("no code: %v", err)
		}
		if _, err := w.s.LastCode(ctx, admin, "not a contact"); fault.KindOf(err) != fault.Invalid {
			w.t.Errorf("no contact: %v", err)
		}

		// A code still on its way is waited for.
		m.Code = "888888"
		w.clock.Add(time.Second)
		w.queue(m)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if c, err := w.s.LastCode(ctx, admin, m.To); err != nil || c.Code != "888888" {
				w.t.Errorf("waited for %q, %v", c.Code, err)
			}
		}()
		w.work()
		<-done

		w.serve(notify.Options{})
		if all, err := w.s.Caught(ctx, admin, notify.CaughtFilter{}); err != nil || len(all) != 3 {
			w.t.Errorf("a sandbox's messages are kept without the demo: %d, %v", len(all), err)
		}
		w.clock.Add(8 * 24 * time.Hour)
		caught := func() (n int) {
			if err := w.db.View(ctx, func(tx *db.Tx) error {
				return tx.Get("SELECT count(*) FROM notify_caught /* all domains: a test */").Scan(&n)
			}); err != nil {
				w.t.Fatal(err)
			}
			return n
		}
		for _, on := range []string{"SELECT 'domain', domain_id", "SELECT 'person', person", "SELECT 'person', recipient_hash"} { // under a legal hold
			if err := w.db.Update(ctx, func(tx *db.Tx) error {
				tx.Write(db.Any, "DELETE FROM privacy_holds")
				tx.Write(db.Any, "DELETE FROM privacy_hold_hashes")
				tx.Write(1, "INSERT INTO privacy_holds (id, kind, domain_id, subject_id, reason, held_until, created_at, actor, released_at, released_by, release_reason) SELECT 'h', x.kind, '', x.subject, '', 0, 1, 'u', 0, '', '' FROM ("+
					strings.Replace(on, "',", "' AS kind,", 1)+" AS subject FROM notify_caught /* all domains: a test */ ORDER BY id LIMIT 1) AS x")
				tx.Write(1, "INSERT INTO privacy_hold_hashes (hold_id, hash) SELECT id, subject_id FROM privacy_holds")
				return nil
			}); err != nil {
				w.t.Fatal(err)
			}
			if err := w.s.Purge(ctx); err != nil {
				w.t.Fatal(err)
			}
			if n := caught(); n == 0 {
				w.t.Errorf("nothing caught is left under a hold: %s", on)
			}
		}
		if err := w.db.Update(ctx, func(tx *db.Tx) error { tx.Write(1, "UPDATE privacy_holds SET released_at = 1"); return nil }); err != nil {
			w.t.Fatal(err)
		}
		if err := w.s.Purge(ctx); err != nil {
			w.t.Fatal(err)
		}
		if n := caught(); n != 0 {
			w.t.Errorf("%d caught messages are left", n)
		}
		if _, err := w.s.Caught(ctx, admin, notify.CaughtFilter{}); !errors.Is(err, notify.ErrCatcherOff) {
			w.t.Errorf("catcher off: %v", err)
		}
	})
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{Catch: true}, func(w *world) {
		ctx := w.t.Context()
		var ids []string
		for i := range 25 {
			m := codeMail()
			m.Domain = []string{"d1", "d2"}[i%2]
			ids = append(ids, w.queue(m))
		}
		w.queue(codeSMS())
		if _, _, err := w.s.Deliveries(ctx, customer, notify.DeliveryFilter{}); fault.KindOf(err) != fault.Forbidden {
			w.t.Errorf("a customer read the ledger: %v", err)
		}
		page, more, err := w.s.Deliveries(ctx, engineer, notify.DeliveryFilter{To: "LI.HUA@example.com", Limit: 20})
		if err != nil || len(page) != 20 || !more || page[0].ID != ids[24] {
			w.t.Fatalf("first page: %d, %v, %v", len(page), more, err)
		}
		page, more, err = w.s.Deliveries(ctx, engineer, notify.DeliveryFilter{To: "li.hua@example.com", Before: page[19].ID, Limit: 20})
		if err != nil || len(page) != 5 || more || page[4].ID != ids[0] {
			w.t.Fatalf("second page: %d, %v, %v", len(page), more, err)
		}
		page, _, err = w.s.Deliveries(ctx, engineer, notify.DeliveryFilter{Domain: "d2", States: []string{"queued", "sending"}, Limit: 100})
		if err != nil || len(page) != 12 {
			w.t.Errorf("by domain: %d, %v", len(page), err)
		}
		if _, _, err := w.s.Deliveries(ctx, engineer, notify.DeliveryFilter{States: []string{"x"}}); fault.KindOf(err) != fault.Invalid {
			w.t.Errorf("unknown state: %v", err)
		}
		w.work()
		page, _, err = w.s.Deliveries(ctx, engineer, notify.DeliveryFilter{States: []string{"sent"}, Limit: 100})
		if err != nil || len(page) != 26 {
			w.t.Errorf("sent: %d, %v", len(page), err)
		}
		// An erased person leaves lines without a contact.
		if err := w.keys.Destroy(ctx, "u1"); err != nil {
			w.t.Fatal(err)
		}
		if d := w.delivery(ids[0]); d.To != "" {
			w.t.Errorf("an erased person's contact: %q", d.To)
		}
		w.clock.Add(91 * 24 * time.Hour)
		if err := w.s.Purge(ctx); err != nil {
			w.t.Fatal(err)
		}
		if page, _, err := w.s.Deliveries(ctx, engineer, notify.DeliveryFilter{}); err != nil || len(page) != 0 {
			w.t.Errorf("after the purge: %d, %v", len(page), err)
		}
	})
}

// TestErasedQueue: nothing is sent to a person whose key is gone.
func TestErasedQueue(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{Mail: []notify.Channel{&recorder{as: "a"}}}, func(w *world) {
		id := w.queue(codeMail())
		if err := w.keys.Destroy(w.t.Context(), "u1"); err != nil {
			w.t.Fatal(err)
		}
		w.work()
		w.wantState(id, "dropped", "erased")
	})
}

// TestNothingReadable: neither contact nor code stands anywhere in the database
// or the log, waiting, failing, caught or sent (threats.md A14).
func TestNothingReadable(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		for _, o := range []notify.Options{
			{Mail: []notify.Channel{notify.Broken{As: "a", Failure: notify.Failure{Detail: "550 <li.hua@example.com> 048213 unknown"}}}},
			{Mail: []notify.Channel{&recorder{as: "a"}}},
			{Catch: true},
		} {
			w.serve(o)
			w.queue(codeMail())
			w.work()
		}
		stored := dump(w)
		for _, secret := range []string{"048213", "li.hua", "MDQ4MjEz", "303438323133"} { // also base64 and hex
			if strings.Contains(stored, secret) {
				w.t.Errorf("%s is in the database", secret)
			}
			if strings.Contains(w.log.String(), secret) {
				w.t.Errorf("%s is in the log", secret)
			}
		}
		if !strings.Contains(stored, notify.TemplateCode) {
			w.t.Fatal("the scan read nothing")
		}
	})
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Options{URL: dbtest.SQLiteURL(t)})
	s, err := notify.New(d, sealtest.Keyring(t), notify.Options{Config: config.Notify{Product: "云助手"}})
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"id": "01m89rwrqtdw2j9ygmwvkswcs1", "kind": "spam", "cause": "it is odd", "minutes": "5", "number": "TS260115ABCDEFGH12345", "days": "3", "provider": "main", "count": "1", "list": "TS260115ABCDEFGH12345", "link": "https://desk.example/x", "time": "2026-01-15 10:00 +0800", "address": "192.0.2.7"}
	change := locale.Texts{ZH: "已启用第二因素验证", EN: "a second factor was set up"} // the longest of them
	for _, name := range notify.AllTemplates() {
		for _, lang := range []locale.Language{locale.ZH, locale.EN} {
			values["change"] = change.In(lang)
			for _, way := range []notify.Way{notify.Mail, notify.SMS} {
				if way == notify.SMS && !notify.SMSToo(name) {
					continue
				}
				p, err := notify.Render(s, notify.Message{Template: name, Language: lang, Way: way, Values: values, Code: "012345"})
				if err != nil {
					t.Errorf("%s %s %s: %v", name, lang, way, err)
					continue
				}
				han := strings.ContainsFunc(strings.ReplaceAll(p.Text, "云助手", ""), func(r rune) bool { return r >= 0x4e00 && r <= 0x9fff })
				if han != (lang == locale.ZH) {
					t.Errorf("%s %s %s: the wrong language: %s", name, lang, way, p.Text)
				}
				if !strings.Contains(p.Text, "云助手") || (way == notify.Mail) != (p.Subject != "") || (way == notify.Mail) != (p.HTML != "") {
					t.Errorf("%s %s %s: %+v", name, lang, way, p)
				}
				if name == notify.TemplateCode && (!strings.Contains(p.Text, "012345") || !strings.Contains(p.Text, "5 ") || strings.Contains(p.Subject, "012345")) {
					t.Errorf("code: %+v", p)
				}
				// One text message holds 70 characters of UCS-2 (3GPP TS 23.038).
				if way == notify.SMS && lang == locale.ZH && len([]rune(p.Text)) > 70 {
					t.Errorf("%s: %d characters", name, len([]rune(p.Text)))
				}
			}
		}
	}
	if _, err := notify.Render(s, notify.Message{Template: notify.TemplateCode, Way: notify.SMS, Code: "012345"}); err == nil {
		t.Error("a missing value was not noticed")
	}
	if _, err := notify.Render(s, notify.Message{Template: "no such", Way: notify.SMS}); err == nil {
		t.Error("an unknown template was not noticed")
	}
	if p, err := notify.Render(s, notify.Message{Template: notify.TemplateCode, Language: "fr", Way: notify.SMS, Values: values, Code: "1"}); err != nil || !strings.Contains(p.Text, "验证码") {
		t.Errorf("an unknown language does not fall back: %v, %v", p, err)
	}
	p, err := notify.Render(s, notify.Message{Template: notify.TemplateReply, Language: locale.EN, Way: notify.Mail, Values: map[string]string{"number": "<script>\r\nBcc: x"}})
	if err != nil || strings.Contains(p.HTML, "<script") || strings.ContainsAny(p.Subject, "\r\n") {
		t.Errorf("unsafe: %+v, %v", p, err)
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"+8613800138000": "+86 138****8000", "a.long.name@b.example": "a***@b.example", "张三@b.example": "张***@b.example",
		"+14155552671": "+1 415****2671", "": "***", "rubbish": "***", "+": "***",
	} {
		if got := notify.Mask(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for _, in := range []string{"550 5.1.1 <li.hua@example.com>: unknown", "to=+8613800138000 code 048213", "a\r\nINFO forged=1"} {
		out := notify.Scrub(in, "+8613800138000")
		if strings.Contains(out, "li.hua") || strings.Contains(out, "138001") || strings.Contains(out, "048213") || strings.ContainsAny(out, "\r\n") {
			t.Errorf("%q is not clean", out)
		}
	}
	if got := notify.Scrub("550 5.1.1 no", ""); got != "550 5.1.1 no" {
		t.Errorf("codes are lost: %q", got)
	}
}
