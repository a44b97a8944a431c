package notify_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/notify"
)

// bounced is the message that the corpus is about.
const bounced = "01m89vsdgyekjxf75xwc9wtmb8"

func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/dsn/*.eml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".eml")] = raw
	}
	return all
}

// TestBounces: what the returned mails of many servers mean.
func TestBounces(t *testing.T) {
	t.Parallel()
	const failed, dead, delayed, delivered, none = "failed", "dead", "delayed", "delivered", ""
	want := map[string]string{
		"postfix-unknown": dead, "postfix-full": failed, "postfix-delayed": delayed, "postfix-expired": failed, "postfix-delivered": delivered, "postfix-relayed": none,
		"exchange-unknown": dead, "exchange-policy": failed, "gmail-unknown": dead, "qmail-unknown": dead, "qmail-remote-policy": failed, "exim-unknown": dead, "exim-delayed": delayed,
		"qq-unknown": dead, "netease-report": dead, "netease-spam": failed, "aliyun-full": failed, "coremail-unknown": dead, "verp-only": dead,
		"broken-boundary": dead, "broken-no-status": dead, "broken-fields": dead,
		"not-vacation": none, "not-receipt": none, "not-ours": none, "not-a-bounce-of-postmaster": none, "not-a-mail": none,
	}
	all := corpus(t)
	if len(all) != len(want) {
		t.Errorf("%d files, %d expectations", len(all), len(want))
	}
	for name, raw := range all {
		for ending, mail := range map[string][]byte{"CRLF": raw, "LF": []byte(strings.ReplaceAll(string(raw), "\r\n", "\n"))} {
			b, ok := notify.ReadBounce("desk.example", "bounce+{id}@desk.example", mail)
			got := failed
			switch {
			case !ok:
				got = none
			case b.Recipient:
				got = dead
			case b.Delayed:
				got = delayed
			case b.Delivered:
				got = delivered
			}
			if got != want[name] || ok && (b.Message != bounced || b.Detail == "") {
				t.Errorf("%s, %s: %q %+v, want %q", name, ending, got, b, want[name])
			}
		}
	}
	if b, ok := notify.ReadBounce("desk.example", "", all["verp-only"]); ok {
		t.Errorf("an id that nothing vouches for: %+v", b)
	}
}

// TestReturned: a returned mail makes the ledger say so, and an address that
// does not exist is spared; anything else that comes to the mailbox changes
// nothing.
func TestReturned(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		s := startMail(w.t, config.TLSNone)
		w.serve(notify.Options{Config: config.Notify{Mail: []config.SMTP{{Name: "mx", Host: "localhost", Port: s.port, TLS: "none", From: "noreply@desk.example", Bounce: "bounce+{id}@desk.example"}}}})
		defer w.s.Close()
		all := corpus(w.t)
		send := func() string {
			w.t.Helper()
			id := w.queue(codeMail())
			w.work()
			w.wantState(id, "sent", "")
			return id
		}
		come := func(name, id string, want bool) {
			w.t.Helper()
			ours, err := w.s.Returned(w.t.Context(), []byte(strings.ReplaceAll(string(all[name]), bounced, id)))
			if err != nil || ours != want {
				w.t.Errorf("%s: %v, %v", name, ours, err)
			}
		}
		id := send()
		come("postfix-unknown", bounced, false) // not in this ledger
		come("not-vacation", id, false)
		w.wantState(id, "sent", "")
		come("postfix-delayed", id, true)
		if d := w.wantState(id, "sent", ""); d.Attempts[0].Receipt != "delayed" {
			w.t.Errorf("%+v", d)
		}
		come("postfix-full", id, true)
		d := w.wantState(id, "failed", "5.2.2 smtp; 552 5.2.2 <***>: Mailbox full, user over quota")
		if d.Attempts[0].Receipt != "failed" || strings.Contains(d.Cause, "li.hua") {
			w.t.Errorf("%+v", d)
		}
		come("postfix-unknown", id, true) // a second word changes nothing but is handled
		if w.delivery(id).State != "failed" {
			w.t.Error("a second bounce changed the state")
		}
		w.clock.Add(time.Minute)
		id = send()
		come("verp-only", id, true)
		if d := w.delivery(id); d.State != "bounced" || d.Attempts[0].Receipt != "bounced" {
			w.t.Errorf("%+v", d)
		}
		blocked := w.queue(codeMail())
		w.work()
		w.wantState(blocked, "dropped", "blocked")
	})
}

// FuzzBounce: no mail brings the reader down, and what it reads is about a
// message of ours.
func FuzzBounce(f *testing.F) {
	for _, raw := range corpus(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, ok := notify.ReadBounce("desk.example", "bounce+{id}@desk.example", raw)
		if ok && (len(b.Message) < 20 || !strings.Contains(strings.ToLower(string(raw)), "desk.example") && !strings.Contains(string(raw), "base64") && !strings.Contains(string(raw), "quoted")) {
			t.Errorf("%+v", b)
		}
	})
}
