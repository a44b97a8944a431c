package notify_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// token is the token of a link, which must lead to our path.
func token(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || !strings.HasPrefix(link, "https://desk.example/base"+notify.StopPath+"?token=") {
		t.Fatalf("link %q, %v", link, err)
	}
	return u.Query().Get("token")
}

// TestUnsubscribe: links of notices end what they say and nothing else, once
// and for all; codes have none, and a changed link is nothing.
func TestUnsubscribe(t *testing.T) {
	each(t, notify.Options{}, func(w *world) {
		ctx := w.t.Context()
		mails := &recorder{as: "mails"}
		ident := identity.New(w.db, w.keys, identity.Options{PasswordMemory: 64})
		u, err := ident.CreateUser(ctx, principal.AsSystem(principal.House), identity.NewUser{Domain: principal.House, Name: "anna", Password: "a-Password-1",
			Role: principal.RoleEngineer, Mail: "anna@desk.example", Language: locale.EN})
		if err != nil {
			w.t.Fatal(err)
		}
		anna := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: u.ID, Role: principal.RoleEngineer}
		w.serve(notify.Options{Config: config.Notify{URL: "https://desk.example/base/"}, Identity: ident, Mail: []notify.Channel{mails}, SMS: []notify.Channel{&recorder{as: "texts"}}})
		last := func() notify.Outgoing {
			w.t.Helper()
			w.work()
			if mails.count() == 0 {
				w.t.Fatal("no mail")
			}
			return mails.got[mails.count()-1]
		}
		tell := func(kind, id string) {
			w.t.Helper()
			told, err := w.s.Tell(ctx, []notify.News{{User: u.ID, Kind: kind, Event: id, Domain: "d1", Number: "TS1"}})
			if err == nil {
				err = w.db.Update(ctx, func(tx *db.Tx) error { w.s.QueueTold(tx, told); return nil })
			}
			if err != nil {
				w.t.Fatal(err)
			}
			w.work()
		}

		// Codes and notices to a ticket's own contact offer nothing.
		w.queue(codeMail())
		if m := last(); m.Stop != "" {
			w.t.Errorf("a code can be unsubscribed: %s", m.Stop)
		}
		w.queue(replyMail())
		if m := last(); m.Stop != "" {
			w.t.Errorf("a notice to the customer has a link: %s", m.Stop)
		}

		// A person of the house.
		tell(notify.KindReplied, "e1")
		link := token(w.t, last().Stop)
		if subject, err := w.s.StopSubject(link); err != nil || notify.StopName(subject, locale.EN) != "customer replied" {
			w.t.Errorf("the link is for %q, %v", subject, err)
		}
		body, signature, _ := strings.Cut(link, ".")
		for name, bad := range map[string]string{"empty": "", "no signature": body, "other signature": body + "." + strings.Repeat("A", len(signature)), "other body": "e" + body + "." + signature, "long": strings.Repeat("x", 5000)} {
			if err := w.s.Unsubscribe(ctx, principal.Principal{}, bad); fault.KindOf(err) != fault.NotFound {
				w.t.Errorf("%s: %v", name, err)
			}
		}
		before := mails.count()
		for range 2 {
			if err := w.s.Unsubscribe(ctx, principal.Principal{Address: "198.51.100.1"}, link); err != nil {
				w.t.Fatal(err)
			}
		}
		p, err := w.s.Preferences(ctx, anna)
		if err != nil || p.Kinds[notify.KindReplied] || !p.Kinds[notify.KindAssigned] || !p.Kinds[notify.KindUrged] || p.Kinds[notify.KindNew] {
			w.t.Errorf("after the link: %+v, %v", p, err)
		}
		tell(notify.KindReplied, "e2")
		if mails.count() != before {
			w.t.Error("a mail after it was ended")
		}
		tell(notify.KindAssigned, "e3")
		if mails.count() != before+1 {
			w.t.Error("another kind has ended too")
		}
		var rows []event.Row
		err = w.db.View(ctx, func(tx *db.Tx) (err error) {
			rows, _, err = event.OfSubject(tx, principal.House, "user", u.ID, false, false, 0, 100)
			return err
		})
		changes := 0
		for _, r := range rows {
			if r.Kind == "user.preferences" {
				changes++
			}
		}
		if err != nil || changes != 1 {
			w.t.Errorf("%d changes recorded, %v", changes, err)
		}

		// The daily mail: all ends.
		if _, err := w.s.SetPreferences(ctx, anna, notify.Preferences{Digest: "09:00"}); err != nil {
			w.t.Fatal(err)
		}
		tell(notify.KindUrged, "e4")
		tell(notify.KindUrged, "e4") // the same again
		w.clock.Add(24 * time.Hour)
		m := last()
		if m.Template != notify.TemplateDigest || strings.Count(m.Text, "TS1") != 1 {
			w.t.Fatalf("daily mail: %+v", m)
		}
		if err := w.s.Unsubscribe(ctx, principal.Principal{}, token(w.t, m.Stop)); err != nil {
			w.t.Fatal(err)
		}
		before = mails.count()
		tell(notify.KindUrged, "e5")
		tell(notify.KindAssigned, "e6")
		w.clock.Add(24 * time.Hour)
		w.work()
		if mails.count() != before {
			w.t.Error("mails after the daily mail was ended")
		}

		// An address beside a ticket, by its own link.
		cc := replyMail()
		cc.To, cc.Person, cc.Stop = "cc@example.com", "", notify.Stop{Ticket: true}
		w.queue(cc)
		link = token(w.t, last().Stop)
		if strings.Contains(link, "cc@") {
			w.t.Error("the address stands in the link")
		}
		for range 2 {
			if err := w.s.Unsubscribe(ctx, principal.Principal{}, link); err != nil {
				w.t.Fatal(err)
			}
		}
		id := w.queue(cc)
		w.work()
		w.wantState(id, "dropped", "unsubscribed")
		cc.Ref = "TS2"
		w.wantStateAfter(w.queue(cc), "sent")
		code := codeMail()
		code.To, code.Ref = "cc@example.com", "TS1"
		w.wantStateAfter(w.queue(code), "sent") // codes never end
		w.wantStateAfter(w.queue(replyMail()), "sent")
	})
}

// TestPreferences: limits, defaults, whose they are.
func TestPreferences(t *testing.T) {
	each(t, notify.Options{}, func(w *world) {
		ctx := w.t.Context()
		p, err := w.s.Preferences(ctx, engineer)
		if err != nil || len(p.Kinds) != 14 || !p.Kinds[notify.KindAssigned] || p.Kinds[notify.KindNew] || p.QuietHours != "" || p.Digest != "" {
			w.t.Errorf("defaults: %+v, %v", p, err)
		}
		for field, bad := range map[string][]notify.Preferences{
			"quiet_hours": {{QuietHours: "22-8"}, {QuietHours: "22:00"}, {QuietHours: "24:00-08:00"}, {QuietHours: "08:00-08:00"}, {QuietHours: "00:00-24:00"}, {QuietHours: "22:00-08:60"}},
			"digest":      {{Digest: "24:00"}, {Digest: "9:00"}, {Digest: "off"}},
			"zone":        {{Zone: "Mars/Olympus"}, {Zone: "Local"}, {Zone: "../../etc/passwd"}},
			"sms":         {{Kinds: map[string]bool{"sms": true}}},
		} {
			for _, one := range bad {
				_, err := w.s.SetPreferences(ctx, engineer, one)
				if f, ok := fault.As(err); !ok || f.Code != fault.CodeInvalid || f.Field != field {
					w.t.Errorf("%+v: %v", one, err)
				}
			}
		}
		if p, err := w.s.Preferences(ctx, engineer); err != nil || p.QuietHours != "" {
			w.t.Errorf("stored nevertheless: %+v, %v", p, err)
		}
		want := notify.Preferences{Kinds: map[string]bool{notify.KindNew: true, notify.KindUrged: false}, QuietHours: "22:00-24:00", Digest: "00:00", Zone: "GMT-5"}
		if _, err := w.s.SetPreferences(ctx, engineer, want); err != nil {
			w.t.Fatal(err)
		}
		p, err = w.s.Preferences(ctx, engineer)
		if err != nil || !p.Kinds[notify.KindNew] || p.Kinds[notify.KindUrged] || !p.Kinds[notify.KindAssigned] || p.QuietHours != want.QuietHours || p.Digest != want.Digest || p.Zone != want.Zone {
			w.t.Errorf("stored: %+v, %v", p, err)
		}
		other := engineer
		other.User = "e2"
		if p, err := w.s.Preferences(ctx, other); err != nil || p.Digest != "" {
			w.t.Errorf("another's: %+v, %v", p, err)
		}
		if all, err := w.s.Subscribed(ctx); err != nil || len(all) != 1 || all[0] != engineer.User {
			w.t.Errorf("who wants new tickets: %v, %v", all, err)
		}
		for _, who := range []principal.Principal{customer, {}, admin} {
			if _, err := w.s.Preferences(ctx, who); fault.KindOf(err) != fault.Forbidden {
				w.t.Errorf("%v has preferences: %v", who.Kind, err)
			}
			if _, err := w.s.SetPreferences(ctx, who, want); fault.KindOf(err) != fault.Forbidden {
				w.t.Errorf("%v sets preferences: %v", who.Kind, err)
			}
		}
	})
}
