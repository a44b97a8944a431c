package notify_test

import (
	"net/mail"
	"strings"
	"testing"

	"casemate/internal/config"
	"casemate/internal/notify"
	"casemate/internal/seal/sealtest"
)

// TestReplyAddress: what we sign comes back in any case and with letters for
// digits; nothing else is ours, and one for people of the house is good for one.
func TestReplyAddress(t *testing.T) {
	t.Parallel()
	keys := sealtest.Keyring(t)
	s, err := notify.New(nil, keys, notify.Options{ReplyTo: "support@desk.example"})
	if err != nil {
		t.Fatal(err)
	}
	const number = "TS260101ABCDEFGH01234"
	customer := s.ReplyAddress(notify.Message{Way: notify.Mail, Template: notify.TemplateReply, Ref: number})
	staff := s.ReplyAddress(notify.Message{Way: notify.Mail, Template: notify.TemplateAssigned, Ref: number, Person: "u1"})
	for _, m := range []notify.Message{{Way: notify.Mail, Template: notify.TemplateCode, Ref: number}, {Way: notify.SMS, Template: notify.TemplateReply, Ref: number},
		{Way: notify.Mail, Template: notify.TemplateReply, Ref: "x"}, {Way: notify.Mail, Template: notify.TemplateRefused, Ref: number}, {Way: notify.Mail, Template: notify.TemplateAssigned, Ref: number}} {
		if a := s.ReplyAddress(m); a != "" {
			t.Errorf("%+v can be answered at %s", m, a)
		}
	}
	if a, err := mail.ParseAddress(customer); err != nil || a.Address != customer || strings.Index(customer, "@") > 64 {
		t.Fatalf("%q is no address: %v", customer, err)
	}
	typed := strings.NewReplacer("0", "O", "1", "l").Replace(customer[len("support+ts"):strings.Index(customer, "@")])
	for _, a := range []string{customer, strings.ToUpper(customer), " " + customer + " ", strings.Replace(customer, "+", "=2B", 1), "support+ts" + typed + "@desk.example"} {
		if r, ok := s.ReadReply(a); !ok || r.Number != number || r.Staff || r.By("u1") {
			t.Errorf("%q: %+v, %v", a, r, ok)
		}
	}
	for i := len("support+"); i < strings.Index(customer, "@"); i++ {
		for _, c := range "0123456789abcdefz" {
			forged := customer[:i] + string(c) + customer[i+1:]
			if r, ok := s.ReadReply(forged); ok && !r.Staff && !strings.EqualFold(forged, customer) {
				t.Errorf("%q is taken", forged)
			}
		}
	}
	for _, a := range []string{"", "support@desk.example", "other" + customer[7:], strings.Replace(customer, "desk.example", "evil.example", 1), strings.Replace(customer, "-c", "-e", 1) + "x"} {
		if _, ok := s.ReadReply(a); ok {
			t.Errorf("%q is taken", a)
		}
	}
	r, ok := s.ReadReply(staff)
	if !ok || !r.Staff || r.Number != number || !r.By("u1") || r.By("u2") || r.By("") {
		t.Errorf("%q: %+v, %v", staff, r, ok)
	}
	// What the notice told of is signed as well.
	told := s.ReplyAddress(notify.Message{Way: notify.Mail, Template: notify.TemplateAssigned, Ref: number, Person: "u1", Revision: 107})
	for a, ok := range map[string]bool{told: true, strings.ToUpper(told): true, strings.Replace(told, "107@", "lO7@", 1): true, strings.Replace(told, "107@", "108@", 1): false,
		strings.Replace(told, "107@", "@", 1): false, strings.Replace(told, "107@", "0107@", 1): false, strings.Replace(told, "107@", "0@", 1): false, strings.Replace(staff, "@", "107@", 1): false} {
		if r, read := s.ReadReply(a); (read && r.By("u1")) != ok || ok && (r.Revision != 107 || r.By("u2")) {
			t.Errorf("%q: %+v", a, r)
		}
	}
	if _, ok := s.ReadReply(strings.Replace(customer, "@", "107@", 1)); ok {
		t.Error("a customer's address with a revision")
	}
	// The customer's code in an engineer's form is nobody's.
	if r, ok := s.ReadReply(strings.Replace(customer, "-c", "-e", 1)); ok && r.By("u1") {
		t.Error("a customer's code is good for an engineer")
	}
	if !s.Own(customer) || !s.Own("SUPPORT@desk.example") || s.Own("support@evil.example") {
		t.Error("own addresses")
	}
	other, err := notify.New(nil, keys, notify.Options{ReplyTo: "support@desk.example", ReplySecret: "another"})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := other.ReadReply(customer); ok {
		t.Error("the secret does not matter")
	}
	if raw, err := notify.Compose(config.SMTP{Host: "x", From: "a@desk.example"}, "Casemate", notify.Outgoing{To: "li@example.com", Reply: customer, Subject: "s", Text: "t", MessageID: "1@x"}); err != nil || !strings.Contains(string(raw), "Reply-To: <"+customer+">") {
		t.Errorf("%v: %s", err, raw)
	}
}
