package ticket_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/ticket"
	"casemate/internal/verify"
)

func ptr[T any](v T) *T { return &v }

// prove makes a contact the caller's own.
func (w *world) prove(who principal.Principal, way identity.Way, value string) {
	w.t.Helper()
	c := verify.Contact{Way: way, Area: "86", Value: value}
	w.ok(w.verify.Send(w.t.Context(), who, c, locale.EN))
	w.work()
	w.post.Mu.Lock()
	code := w.post.Got[len(w.post.Got)-1].Code
	w.post.Got = nil
	w.post.Mu.Unlock()
	w.ok(w.verify.Check(w.t.Context(), who, verify.Try{Contact: c, Code: code}))
}

// sentTo is whom the notices that are due went to, sorted, and empties the post.
func (w *world) sentTo() (all []string) {
	w.t.Helper()
	w.work()
	w.post.Mu.Lock()
	defer w.post.Mu.Unlock()
	for _, m := range w.post.Got {
		all = append(all, m.To)
	}
	w.post.Got = nil
	slices.Sort(all)
	return all
}

func (w *world) contact(number string) ticket.Contact {
	w.t.Helper()
	t, _, err := w.s.Show(w.t.Context(), w.boss, number, "")
	w.ok(err)
	c, err := w.s.Contact(w.t.Context(), t)
	w.ok(err)
	return c
}

// logged are the codes of the ticket's log, newest first.
func (w *world) logged(number string) (codes []int) {
	w.t.Helper()
	page, _, err := w.s.Log(w.t.Context(), w.boss, number, "", locale.EN, 0, 100)
	w.ok(err)
	for _, e := range page {
		codes = append(codes, e.Code)
		if e.Remark == "" {
			w.t.Errorf("log entry %d has no text", e.Code)
		}
	}
	return codes
}

func TestChangeContact(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		d := w.draft("reach me")
		d.Claims.Mail = "li@example.com" // registered
		n, err := w.s.Create(ctx, w.li, d)
		w.ok(err)
		w.ok(w.step(w.chen, n, ticket.StepAccept, ""))
		change := func(who principal.Principal, c ticket.ContactChange) error {
			w.clock.Add(time.Second)
			c.Number = n
			return w.s.ChangeContact(ctx, who, c)
		}
		w.ok(w.step(w.chen, n, ticket.StepReply, "hello"))
		if got := w.sentTo(); fmt.Sprint(got) != "[li@example.com]" {
			w.t.Errorf("notices to %v", got)
		}
		// Unproved contacts are refused and change nothing.
		w.refused(change(w.li, ticket.ContactChange{Mail: ptr("new@example.com")}), "01010010")
		w.refused(change(w.li, ticket.ContactChange{Mobile: ptr("13800138000")}), "01010010")
		w.refused(change(w.li, ticket.ContactChange{Mail: ptr("wang@example.com")}), "01010010") // registered, but a colleague's
		if got := w.logged(n); fmt.Sprint(got) != "[0]" {
			w.t.Errorf("log %v", got)
		}
		w.prove(w.li, identity.Mail, "new@example.com")
		w.clock.Add(2 * time.Minute)
		w.prove(w.li, identity.SMS, "13800138000")
		w.ok(change(w.li, ticket.ContactChange{Mail: ptr("New@Example.com"), Mobile: ptr("138-0013-8000"), Time: ptr("0")}))
		if got := w.contact(n); got.Mail != "new@example.com" || got.E164 != "+8613800138000" || got.Area != "86" {
			w.t.Errorf("%+v", got)
		}
		if got := w.logged(n); fmt.Sprint(got) != "[114 0]" {
			w.t.Errorf("log %v", got)
		}
		w.ok(w.step(w.chen, n, ticket.StepReply, "hello again"))
		if got := w.sentTo(); fmt.Sprint(got) != "[+8613800138000 new@example.com]" {
			w.t.Errorf("notices to %v", got)
		}
		// The same again, in another spelling: nothing happens, nothing is proved again.
		w.clock.Add(91 * 24 * time.Hour)
		w.ok(change(w.li, ticket.ContactChange{Mail: ptr("new@EXAMPLE.com"), Mobile: ptr("+86 138 0013 8000"), Area: ptr("0086")}))
		w.ok(change(w.li, ticket.ContactChange{}))
		if got := w.logged(n); fmt.Sprint(got) != "[114 0]" {
			w.t.Errorf("log %v", got)
		}
		// The same digits in another country are another number.
		w.refused(change(w.li, ticket.ContactChange{Area: ptr("49")}), "01010010")
		// A proof that ran out serves no more; the main account's proofs are not the user's.
		w.ok(change(w.li, ticket.ContactChange{Mail: ptr("")}))
		w.refused(change(w.li, ticket.ContactChange{Mail: ptr("new@example.com")}), "01010010")
		w.refused(change(w.boss, ticket.ContactChange{Mail: ptr("new@example.com")}), "01010010")
		w.ok(change(w.boss, ticket.ContactChange{Mail: ptr("boss@example.com"), Mobile: ptr("")}))
		if got := w.logged(n)[:2]; !slices.Contains(got, 114) || !slices.Contains(got, 115) {
			w.t.Errorf("log %v", got)
		}
		if got := w.contact(n); got.Mail != "boss@example.com" || got.Mobile+got.E164+got.Area != "" {
			w.t.Errorf("%+v", got)
		}
		for name, c := range map[string]ticket.ContactChange{
			"remind_mail":                        {Mail: ptr("no address")},
			"remind_mobile":                      {Mobile: ptr("12")},
			"remind_time":                        {Time: ptr("9-18")},
			"extension_map.contactType":          {Extension: ticket.Extension{Kind: ptr(strings.Repeat("x", 33))}},
			"extension_map.remindEncryptCCEmail": {Extension: ticket.Extension{Encrypted: ptr(strings.Repeat("x", 1025))}},
		} {
			err := change(w.li, c)
			w.refused(err, "01010001")
			if !strings.Contains(fmt.Sprint(err), name) {
				w.t.Errorf("%s is not named: %v", name, err)
			}
		}
		w.ok(change(w.li, ticket.ContactChange{Extension: ticket.Extension{Kind: ptr(strings.Repeat("x", 32)), Encrypted: ptr(strings.Repeat("x", 1024)), Receive: ptr("1")}}))
		for _, who := range []principal.Principal{w.wang, w.foreign} {
			w.refused(change(who, ticket.ContactChange{Mail: ptr("")}), "01010015")
		}
		// A finished ticket takes no new contact, but its owner may clear the old one.
		w.ok(w.act(w.li, n, ticket.Close))
		w.refused(change(w.li, ticket.ContactChange{Mail: ptr("li@example.com")}), "01010002")
		w.refused(change(w.li, ticket.ContactChange{Time: ptr("09:00-18:00")}), "01010002")
		w.ok(change(w.li, ticket.ContactChange{Mail: ptr(""), Extension: ticket.Extension{Kind: ptr(""), Encrypted: ptr(""), Receive: ptr("")}}))
		if got := w.count("SELECT count(*) FROM tickets WHERE domain_id = ? AND contact = ''", w.li.Domain); got != 1 {
			w.t.Error("the cleared contact is still stored")
		}
		w.ok(w.act(w.li, n, ticket.Delete))
		w.refused(change(w.li, ticket.ContactChange{Mail: ptr("")}), "01010015")
		// Nothing of it stands in an event.
		if got := w.count("SELECT count(*) FROM events WHERE domain_id = ? AND data LIKE ?", w.li.Domain, "%example.com%"); got != 0 {
			w.t.Errorf("%d events hold an address", got)
		}
	})
}

// TestContactOfGroup: a member of the group changes a colleague's ticket.
func TestContactOfGroup(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx, house := w.t.Context(), principal.AsSystem(principal.House)
		g, err := w.ident.CreateGroup(ctx, house, identity.NewGroup{Domain: w.li.Domain, Name: "ops", Roles: []string{identity.TicketGroupOperator}})
		w.ok(err)
		for _, who := range []principal.Principal{w.li, w.wang} {
			w.ok(w.ident.AddMember(ctx, house, who.Domain, g.ID, who.User))
		}
		n := w.create(w.li, "ours")
		in := ticket.ContactChange{Number: n, Mail: ptr("wang@example.com")}
		w.refused(w.s.ChangeContact(ctx, w.wang, in), "01010015")
		in.Group = "nothing"
		w.refused(w.s.ChangeContact(ctx, w.wang, in), "01010002")
		in.Group = g.ID
		w.ok(w.s.ChangeContact(ctx, w.wang, in))
		if got := w.contact(n); got.Mail != "wang@example.com" {
			w.t.Errorf("%+v", got)
		}
	})
}

func TestCopies(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		addresses := func(n int) (all []string) {
			for i := range n {
				all = append(all, fmt.Sprintf("copy%02d@example.org", i))
			}
			return all
		}
		create := func(who principal.Principal, copies ...string) (string, error) {
			w.clock.Add(time.Second)
			d := w.draft("with copies")
			d.Claims.Mail = who.UserName + "@example.com"
			d.Copies = &copies
			return w.s.Create(ctx, who, d)
		}
		long := strings.Repeat("a", 60) + "@" + strings.Repeat("b", 60) + ".example" // 129 characters
		for _, bad := range [][]string{{"nobody"}, {"a@b"}, {"a@example.com\r\nBcc: x@example.com"}, {"A <a@example.com>"}, {"a b@example.com"}, {long}, addresses(11), {""}, slices.Repeat([]string{"one@example.org"}, 101)} {
			_, err := create(w.li, bad...)
			w.refused(err, "01010008")
		}
		if _, err := create(w.li, long[1:]); err != nil {
			w.t.Errorf("128 characters: %v", err)
		}
		n, err := create(w.li, append(addresses(10), "Copy03@EXAMPLE.org", "li@example.com")[:11]...) // ten, one of them twice
		w.ok(err)
		if got := w.contact(n).Copies; fmt.Sprint(got) != fmt.Sprint(addresses(10)) {
			w.t.Errorf("%v", got)
		}
		w.ok(w.step(w.chen, n, ticket.StepReply, "hello"))
		if got := w.sentTo(); fmt.Sprint(got) != fmt.Sprint(append(addresses(10), "li@example.com")) {
			w.t.Errorf("notices to %v", got)
		}
		// One's own address as a copy gets one mail, not two.
		one, err := create(w.li, "li@example.com", "friend@example.org")
		w.ok(err)
		w.ok(w.step(w.chen, one, ticket.StepReply, "hello"))
		if got := w.sentTo(); fmt.Sprint(got) != "[friend@example.org li@example.com]" {
			w.t.Errorf("notices to %v", got)
		}
		// Without a contact of its own: the creator's registered mail, and the copies.
		d := w.draft("copies only")
		d.Copies = &[]string{"friend@example.org"}
		d.Locale.Language = locale.EN
		only, err := w.s.Create(ctx, w.li, d)
		w.ok(err)
		w.ok(w.step(w.chen, only, ticket.StepReply, "the password is hunter2"))
		w.work()
		if len(w.post.Got) != 2 {
			w.t.Fatalf("%d mails", len(w.post.Got))
		}
		for _, m := range w.post.Got {
			if m.Way != notify.Mail || m.Language != locale.EN || !strings.Contains(m.Subject, only) || strings.Contains(m.Text+m.HTML, "hunter2") || strings.ContainsAny(m.To, ",;") {
				w.t.Errorf("%+v", m)
			}
		}
		w.post.Got = nil
		// Changing and taking away.
		w.clock.Add(time.Second)
		w.ok(w.s.ChangeContact(ctx, w.li, ticket.ContactChange{Number: n, Extension: ticket.Extension{Copies: &[]string{"new@example.org"}}}))
		w.refused(w.s.ChangeContact(ctx, w.li, ticket.ContactChange{Number: n, Extension: ticket.Extension{Copies: ptr(addresses(11))}}), "01010008")
		w.ok(w.step(w.chen, n, ticket.StepReply, "hello"))
		if got := w.sentTo(); fmt.Sprint(got) != "[li@example.com new@example.org]" {
			w.t.Errorf("notices to %v", got)
		}
		last, known, err := w.s.Copies(ctx, w.li)
		w.ok(err)
		if fmt.Sprint(last) != "[new@example.org]" || len(known) != 14 || known[0] != last[0] {
			w.t.Errorf("last %v, known %v", last, known)
		}
		w.ok(w.s.ChangeContact(ctx, w.li, ticket.ContactChange{Number: n, Extension: ticket.Extension{Copies: &[]string{}}}))
		w.ok(w.step(w.chen, n, ticket.StepReply, "hello"))
		if got := w.sentTo(); fmt.Sprint(got) != "[li@example.com]" {
			w.t.Errorf("notices to %v", got)
		}
		// They are each user's own, and stand nowhere in clear.
		for _, who := range []principal.Principal{w.boss, w.wang, w.foreign} {
			if last, known, err := w.s.Copies(ctx, who); err != nil || len(last)+len(known) > 0 {
				w.t.Errorf("%s: %v %v %v", who.UserName, last, known, err)
			}
		}
		for _, q := range []string{"SELECT count(*) FROM copy_addresses WHERE domain_id = ? AND address LIKE ?", "SELECT count(*) FROM tickets WHERE domain_id = ? AND contact LIKE ?", "SELECT count(*) FROM events WHERE domain_id = ? AND data LIKE ?"} {
			if got := w.count(q, w.li.Domain, "%example%"); got != 0 {
				w.t.Errorf("%s: %d", q, got)
			}
		}
		d2, err := w.s.DeskDetails(ctx, w.chen, one)
		w.ok(err)
		if fmt.Sprint(d2.Contact.Copies) != "[l***@example.com f***@example.org]" || d2.Contact.Mail != "l***@example.com" {
			w.t.Errorf("%+v", d2.Contact)
		}
		d2, err = w.s.Reveal(ctx, w.chen, one, "to call back")
		w.ok(err)
		if fmt.Sprint(d2.Contact.Copies) != "[li@example.com friend@example.org]" {
			w.t.Errorf("%+v", d2.Contact)
		}
		w.ok(w.keys.Destroy(ctx, w.li.User))
		if last, known, err := w.s.Copies(ctx, w.li); err != nil || len(last)+len(known) > 0 {
			w.t.Errorf("after erasing: %v %v %v", last, known, err)
		}
	})
}

// TestKnownCopiesBounded: only the newest hundred are kept.
func TestKnownCopiesBounded(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		n := w.create(w.li, "many")
		for i := range 13 {
			w.clock.Add(time.Second)
			var copies []string
			for j := range 8 {
				copies = append(copies, fmt.Sprintf("c%d-%d@example.org", i, j))
			}
			w.ok(w.s.ChangeContact(w.t.Context(), w.li, ticket.ContactChange{Number: n, Extension: ticket.Extension{Copies: &copies}}))
		}
		last, known, err := w.s.Copies(w.t.Context(), w.li)
		w.ok(err)
		if len(last) != 8 || last[0] != "c12-0@example.org" || len(known) != 100 || slices.Contains(known, "c0-5@example.org") || !slices.Contains(known, "c1-0@example.org") {
			w.t.Errorf("last %v, %d known", last, len(known))
		}
		if got := w.count("SELECT count(*) FROM copy_addresses WHERE domain_id = ?", w.li.Domain); got != 100 {
			w.t.Errorf("%d rows", got)
		}
	})
}

// TestContactRace: two changes of different fields at once are both there
// afterwards.
func TestContactRace(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		for i := range 5 {
			n := w.create(w.li, fmt.Sprint("race ", i))
			done := make(chan error)
			for _, c := range []ticket.ContactChange{{Number: n, Mail: ptr("li@example.com")}, {Number: n, Extension: ticket.Extension{Copies: &[]string{"c@example.org"}}}, {Number: n, Time: ptr("09:00-18:00")}} {
				go func() { done <- w.s.ChangeContact(w.t.Context(), w.li, c) }()
			}
			for range 3 {
				w.ok(<-done)
			}
			if c := w.contact(n); c.Mail != "li@example.com" || len(c.Copies) != 1 {
				w.t.Errorf("%+v", c)
			}
		}
	})
}
