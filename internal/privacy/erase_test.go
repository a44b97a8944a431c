package privacy_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/mailin"
	"casemate/internal/notify"
	"casemate/internal/personal"
	"casemate/internal/principal"
	"casemate/internal/privacy"
	"casemate/internal/seal"
	"casemate/internal/ticket"
	"casemate/internal/verify"
)

// marker is a word that only one person wrote.
const marker = "zyxmarker"

// person is a customer's user with something in every corner.
func (w *world) person() (who principal.Principal, number string) {
	w.t.Helper()
	ctx := w.t.Context()
	u, err := w.Ident.CreateUser(ctx, principal.AsSystem(principal.House), identity.NewUser{Domain: w.Boss.Domain, Name: marker + "name", Password: "a-Password-1", AreaCode: "86",
		Mobile: "13912345678", Mail: marker + "@example.com"})
	w.OK(err)
	who = principal.Principal{Kind: principal.Customer, Domain: w.Boss.Domain, User: u.ID, UserName: u.Name, Address: "203.0.113.77"}
	in := w.Draft(marker + " 描述标记")
	in.Claims = verify.Claims{Mail: marker + "@example.com"}
	copies := []string{marker + "copy@example.com"}
	in.Copies = &copies
	number, err = w.Tickets.Create(ctx, who, in)
	w.OK(err)
	file, err := w.Files.Upload(ctx, who, attachment.Upload{Name: marker + ".txt", Origin: attachment.ForMessage, Body: strings.NewReader(marker + " file")})
	w.OK(err)
	w.OK(w.Tickets.Reply(ctx, who, number, "", marker+" 回复标记", file))
	w.OK(w.Step(w.Chen, number, ticket.StepAccept, ""))
	w.OK(w.Step(w.Chen, number, ticket.StepReply, "an engineer's words"))
	w.work()
	return who, number
}

// clear counts what of the marker stands in the tables. Names in the history are
// sealed by the server (test/matrix, TestAuditSaysWhat), not by this world's store.
func (w *world) clear() (n int, where []string) {
	w.t.Helper()
	tables, err := db.Tables()
	w.OK(err)
	type column struct{ table, name string }
	var columns []column
	for line := range strings.Lines(inventory) {
		f := strings.Split(line, ",")
		for _, t := range tables {
			if t == f[0] && !(t == "request_keys" && f[1] == "result") {
				columns = append(columns, column{t, f[1]})
			}
		}
	}
	for _, c := range columns {
		but := ""
		if c.table == "events" {
			but = " AND data NOT LIKE '%\"sealed_name\"%'"
		}
		if found := w.n("SELECT count(*) FROM "+c.table+" /* all domains: a test */ WHERE CAST("+c.name+" AS TEXT) LIKE ?"+but, "%"+marker+"%"); found > 0 {
			n += found
			where = append(where, c.table+"."+c.name)
		}
	}
	return n, where
}

func (w *world) erase(t privacy.Target) privacy.Erasure {
	w.t.Helper()
	e, err := w.privacy.Erase(w.t.Context(), w.admin, privacy.NewErasure{Target: t, Reason: "asked by letter"})
	w.OK(err)
	w.work()
	e, err = w.privacy.Erasure(w.t.Context(), w.admin, e.ID)
	w.OK(err)
	return e
}

// TestErase: nothing of a person's is left in clear or can be opened, the ticket,
// its counters and the chain are.
func TestErase(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		who, number := w.person()
		if n, where := w.clear(); n < 3 {
			w.t.Fatalf("the marker stands nowhere to begin with: %v", where)
		}
		if found, _, err := w.Tickets.List(ctx, w.Boss, ticket.Filter{Words: []string{marker}}); err == nil && len(found) == 0 {
			w.t.Error("the index does not find it to begin with")
		}
		before := w.n("SELECT count(*) FROM tickets WHERE domain_id = ?", who.Domain)
		target := privacy.Target{Domain: who.Domain, User: who.User}
		p, err := w.privacy.Plan(ctx, w.admin, target)
		w.OK(err)
		if len(p.Counts) < 5 || p.InAll != 1 || len(p.Tickets) != 1 || p.Tickets[0] != number || p.Name != marker+"name" || p.Erased {
			w.t.Errorf("plan: %+v", p)
		}
		if e := w.erase(target); e.State != privacy.Done || len(e.Erased) < 5 {
			w.t.Errorf("erasure: %+v", e)
		}
		if n, where := w.clear(); n != 0 {
			w.t.Errorf("the marker is still there: %v", where)
		}
		if _, err := w.Keys.Person(ctx, who.User); !errors.Is(err, seal.ErrErased) {
			w.t.Errorf("the key: %v", err)
		}
		show, err := w.Tickets.DeskShow(ctx, w.Chen, number)
		w.OK(err)
		if show.Description != personal.Erased || show.Status != ticket.Processing {
			w.t.Errorf("the ticket: %q, %v", show.Description, show.Status)
		}
		if n := w.n("SELECT count(*) FROM tickets WHERE domain_id = ?", who.Domain); n != before {
			w.t.Errorf("%d tickets, %d before", n, before)
		}
		if n := w.n("SELECT count(*) FROM messages /* all domains: a test */ WHERE text = ?", "an engineer's words"); n != 1 {
			w.t.Errorf("the engineer's words: %d", n)
		}
		if n := w.n("SELECT count(*) FROM search_docs WHERE domain_id = ? AND kind IN ('contact', 'file', 'user') AND (parent = ? OR doc = ?)", who.Domain, show.ID, who.User); n != 0 {
			w.t.Errorf("%d documents of contacts and files are left", n)
		}
		found, err := w.Tickets.Doctor(ctx, false)
		w.OK(err)
		if len(found) > 0 {
			w.t.Errorf("doctor: %+v", found)
		}
		// The ticket goes on without its creator.
		w.OK(w.Step(w.Chen, number, ticket.StepReply, "after"))
		w.OK(w.Step(w.Chen, number, ticket.StepAsk, "still there?"))
		w.OK(w.Tickets.Reply(ctx, w.Boss, number, "", "he is not"))
		w.OK(w.Step(w.Chen, number, ticket.StepResolve, "done"))
		if _, err := w.Tickets.DeskDetails(ctx, w.Chen, number); err != nil {
			w.t.Error(err)
		}
		if _, _, err := w.Notify.Deliveries(ctx, w.admin, notify.DeliveryFilter{Limit: 100}); err != nil {
			w.t.Error(err)
		}
		w.work()
		if _, err := w.Ident.Users(ctx, w.admin, who.Domain); err != nil {
			w.t.Error(err)
		}
		p, err = w.privacy.Plan(ctx, w.admin, target)
		w.OK(err)
		if !p.Erased || len(p.Counts) != 0 {
			w.t.Errorf("afterwards: %+v", p)
		}
		_, err = w.privacy.Erase(ctx, w.admin, privacy.NewErasure{Target: target, Reason: "again"})
		w.refusedAs(err, privacy.ErrErased)
		sealer := event.NewSealer(w.DB, []byte("key of a test, 32 bytes long...."), "test", quiet)
		for n := 1; n > 0; {
			n, err = sealer.SealOnce(ctx)
			w.OK(err)
		}
		chain, err := event.Verify(ctx, w.DB, []byte("key of a test, 32 bytes long...."))
		w.OK(err)
		if !chain.OK() {
			w.t.Errorf("chain: %v", chain)
		}
	})
}

func (w *world) refusedAs(err error, want *fault.Error) {
	w.t.Helper()
	f, ok := fault.As(err)
	if !ok || !f.Is(want) {
		w.t.Errorf("%v, want %v", err, want)
	}
}

// TestEraseGoesOn: an erasure that was cut off after any number of steps goes on.
func TestEraseGoesOn(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		who, _ := w.person()
		e, err := w.privacy.Erase(w.t.Context(), w.admin, privacy.NewErasure{Target: privacy.Target{Domain: who.Domain, User: who.User}, Reason: "asked"})
		w.OK(err)
		for cut := 1; ; cut += 4 {
			done, err := w.privacy.CutOff(w.t.Context(), e.ID, cut)
			if done {
				w.OK(err)
				break
			}
			if cut > 200 {
				w.t.Fatal("it never ends")
			}
		}
		if n, where := w.clear(); n != 0 {
			w.t.Errorf("left: %v", where)
		}
		e, err = w.privacy.Erasure(w.t.Context(), w.admin, e.ID)
		w.OK(err)
		if e.State != privacy.Done || e.Ended == 0 {
			w.t.Errorf("%+v", e)
		}
	})
}

// TestHolds: a hold on person, ticket or domain keeps all of it, until it is
// released or over.
func TestHolds(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		who, number := w.person()
		target := privacy.Target{Domain: who.Domain, User: who.User}
		for _, h := range []privacy.NewHold{
			{Kind: privacy.HoldPerson, Domain: who.Domain, User: who.User, Reason: "case 1"},
			{Kind: privacy.HoldTicket, Number: number, Reason: "case 2"},
			{Kind: privacy.HoldDomain, Domain: who.Domain, Reason: "case 3", Until: w.Clock.Now().Add(time.Hour).UnixMilli()},
		} {
			put, err := w.privacy.PutHold(ctx, w.admin, h)
			w.OK(err)
			p, err := w.privacy.Plan(ctx, w.admin, target)
			w.OK(err)
			if len(p.Holds) != 1 || p.Holds[0].Reason != h.Reason {
				w.t.Errorf("%s: plan: %+v", h.Kind, p.Holds)
			}
			_, err = w.privacy.Erase(ctx, w.admin, privacy.NewErasure{Target: target, Reason: "asked"})
			w.refusedAs(err, privacy.ErrHeld)
			_, err = w.privacy.ClearContacts(ctx, who)
			w.refusedAs(err, privacy.ErrHeld)
			if h.Until != 0 {
				w.Clock.Add(2 * time.Hour)
				continue
			}
			got, err := w.privacy.ReleaseHold(ctx, w.admin, put.ID, "over")
			w.OK(err)
			if got.Released == 0 || got.Why != "over" || got.Reason != h.Reason {
				w.t.Errorf("released: %+v", got)
			}
			if _, err = w.privacy.ReleaseHold(ctx, w.admin, put.ID, "over"); err == nil {
				w.t.Error("it is released twice")
			}
		}
		list, err := w.privacy.Holds(ctx, w.Auditor, true)
		w.OK(err)
		now, err := w.privacy.Holds(ctx, w.Auditor, false)
		w.OK(err)
		if len(list) != 3 || len(now) != 0 || list[1].Number != number {
			w.t.Errorf("holds: %+v, in force %+v", list, now)
		}
		// A hold that comes while the erasure waits stops it.
		e, err := w.privacy.Erase(ctx, w.admin, privacy.NewErasure{Target: target, Reason: "asked"})
		w.OK(err)
		_, err = w.privacy.PutHold(ctx, w.admin, privacy.NewHold{Kind: privacy.HoldTicket, Number: number, Reason: "case 4"})
		w.OK(err)
		w.work()
		e, err = w.privacy.Erasure(ctx, w.admin, e.ID)
		w.OK(err)
		if n, _ := w.clear(); e.State != privacy.Held || n == 0 {
			w.t.Errorf("held: %+v, %d", e, n)
		}
		// Released, it goes on with what is known although the key is gone.
		now, err = w.privacy.Holds(ctx, w.admin, false)
		w.OK(err)
		_, err = w.privacy.ReleaseHold(ctx, w.admin, now[0].ID, "over")
		w.OK(err)
		w.OK(w.Keys.Destroy(ctx, who.User))
		_, err = w.mail.Accept(ctx, mailin.Received{Mailbox: "support", From: marker + "@example.com", To: []string{"support@desk.example"},
			Raw: []byte("From: " + marker + "@example.com\r\nSubject: late\r\nMessage-ID: <2@example.com>\r\n\r\nhello\r\n")})
		w.OK(err)
		w.work()
		mails := w.n("SELECT count(*) FROM mails WHERE sender_hash <> ''")
		if e := w.erase(target); e.State != privacy.Done {
			w.t.Errorf("gone on with: %+v", e)
		}
		if n, where := w.clear(); n != 0 || mails != 1 || w.n("SELECT count(*) FROM mails WHERE sender_hash <> ''") != 0 || w.n("SELECT count(*) FROM privacy_erasures WHERE subject <> ''") != 0 {
			w.t.Errorf("left: %v, %d mails", where, mails)
		}
	})
}

// TestRetention: what is past its time goes, what is held or of a domain with a
// longer rule stays; the preview says exactly what.
func TestRetention(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		who, number := w.person()
		other := w.Create(w.Foreign, marker+" foreign")
		held := w.Create(who, marker+" held")
		open := w.Create(who, marker+" open")
		w.OK(w.Step(w.Chen, number, ticket.StepInvalid, "spam"))
		w.OK(w.Act(who, held, "cancel"))
		w.OK(w.Act(w.Foreign, other, "cancel"))
		w.Clock.Add(100 * 24 * time.Hour)
		_, err := w.privacy.PutHold(ctx, w.admin, privacy.NewHold{Kind: privacy.HoldTicket, Number: held, Reason: "case"})
		w.OK(err)
		_, err = w.privacy.SetRetention(ctx, w.admin, privacy.Retention{Kind: "texts", Domain: w.Foreign.Domain, Days: 365})
		w.OK(err)
		rule := privacy.Retention{Kind: "texts", Days: 90}
		p, err := w.privacy.PreviewRetention(ctx, w.admin, rule)
		w.OK(err)
		if p.Held == 0 || len(p.First) == 0 || p.First[0].Number != number {
			w.t.Errorf("preview: %+v", p)
		}
		var want int64
		for _, c := range p.Counts {
			want += c.Rows
		}
		_, err = w.privacy.SetRetention(ctx, w.admin, rule)
		w.OK(err)
		w.OK(w.privacy.Retain(ctx))
		list, err := w.privacy.Retentions(ctx, w.Auditor)
		w.OK(err)
		for _, r := range list {
			if r.Domain == "" && r.Removed != want || r.Domain != "" && r.Removed != 0 {
				w.t.Errorf("%+v, want %d", r, want)
			}
		}
		for n, stays := range map[string]bool{number: false, held: true, open: true, other: true} {
			show, err := w.Tickets.DeskShow(ctx, w.Chen, n)
			w.OK(err)
			if strings.Contains(show.Description, marker) != stays {
				w.t.Errorf("%s: %q", n, show.Description)
			}
		}
		if p, err = w.privacy.PreviewRetention(ctx, w.admin, rule); err != nil || len(p.Counts) != 0 {
			w.t.Errorf("afterwards: %+v, %v", p, err)
		}
		for _, kind := range privacy.RetentionKinds {
			if _, err := w.privacy.PreviewRetention(ctx, w.admin, privacy.Retention{Kind: kind, Days: 1}); err != nil {
				w.t.Errorf("%s: %v", kind, err)
			}
			_, err := w.privacy.SetRetention(ctx, w.admin, privacy.Retention{Kind: kind, Days: 1})
			w.OK(err)
		}
		w.OK(w.privacy.Retain(ctx))
		for _, bad := range []privacy.Retention{{Kind: "x", Days: 1}, {Kind: "texts"}, {Kind: "texts", Days: 36501}, {Kind: "logins", Days: 1, Domain: who.Domain}, {Kind: "texts", Days: 1, Domain: "none"}} {
			if _, err := w.privacy.SetRetention(ctx, w.admin, bad); err == nil || fault.KindOf(err) == fault.Internal {
				w.t.Errorf("%+v: %v", bad, err)
			}
		}
		w.OK(w.privacy.DeleteRetention(ctx, w.admin, "texts", ""))
		w.refusedAs(w.privacy.DeleteRetention(ctx, w.admin, "texts", ""), privacy.ErrNone)
	})
}

// TestBundle: all that is held about a person, once a link.
func TestBundle(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		who, number := w.person()
		b, err := w.privacy.NewBundle(ctx, who, privacy.Target{Domain: who.Domain, User: who.User})
		w.OK(err)
		if _, err := w.privacy.NewBundle(ctx, who, privacy.Target{Domain: who.Domain, User: w.Boss.User}); err == nil {
			w.t.Error("another's data are given out")
		}
		_, err = w.privacy.TakeBundle(ctx, w.Wang, b.ID, locale.ZH)
		w.refusedAs(err, privacy.ErrNone)
		write, err := w.privacy.TakeBundle(ctx, who, b.ID, locale.EN)
		w.OK(err)
		var out bytes.Buffer
		w.OK(write(&out))
		z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
		w.OK(err)
		all := ""
		for _, f := range z.File {
			in, err := f.Open()
			w.OK(err)
			text, err := io.ReadAll(in)
			w.OK(err)
			all += fmt.Sprintf("== %s\n%s\n", f.Name, text)
		}
		for _, want := range []string{marker + " 描述标记", marker + " 回复标记", marker + " file", marker + "@example.com", marker + "copy@example.com", "+8613912345678", number, marker + ".txt", "ticket.create", "index.html", "Tickets and messages"} {
			if !strings.Contains(all, want) {
				w.t.Errorf("%q is not in the bundle:\n%s", want, all)
			}
		}
		if strings.Contains(all, "an engineer's words") || strings.Contains(all, "p1.") {
			w.t.Errorf("what is not his, or is sealed, is in it:\n%s", all)
		}
		if _, err = w.privacy.TakeBundle(ctx, who, b.ID, locale.EN); err == nil {
			w.t.Error("a link is used twice")
		}
		n, err := w.privacy.ClearContacts(ctx, who)
		w.OK(err)
		if left := w.n("SELECT count(*) FROM tickets WHERE domain_id = ? AND contact <> ''", who.Domain); n == 0 || left != 0 {
			w.t.Errorf("contacts: %d cleared, %d left", n, left)
		}
	})
}

// TestEraseContact: somebody who is no user: copied to, and the sender of a mail.
func TestEraseContact(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		in := w.Draft("a ticket of another's")
		guest := marker + "guest@outside.example"
		in.Copies = &[]string{guest, "stays@outside.example"}
		number, err := w.Tickets.Create(ctx, w.Boss, in)
		w.OK(err)
		// As a stranger's mail opens it, and another's word that names him.
		in = w.Draft("[邮件 / mail: Zed <" + guest + ">]\n\nhis words")
		in.Copies = &[]string{guest}
		opened, err := w.Tickets.Create(ctx, w.Boss, in)
		w.OK(err)
		w.OK(w.Tickets.Reply(ctx, w.Boss, opened, "", "see below\n"+strings.ToUpper(guest)+" wrote it"))
		_, err = w.mail.Accept(ctx, mailin.Received{Mailbox: "support", From: guest, To: []string{"support@desk.example"},
			Raw: []byte("From: " + guest + "\r\nTo: support@desk.example\r\nSubject: " + marker + "\r\nMessage-ID: <1@outside.example>\r\n\r\nhello " + marker + "\r\n")})
		w.OK(err)
		w.work()
		if w.n("SELECT count(*) FROM mails WHERE state = 'quarantined' AND head <> ''") != 1 {
			w.t.Fatal("the mail does not wait")
		}
		_, err = w.privacy.Plan(ctx, w.admin, privacy.Target{Contact: "boss@example.com"})
		w.refusedAs(err, privacy.ErrUsers)
		e := w.erase(privacy.Target{Contact: strings.ToUpper(guest[:3]) + guest[3:]})
		if e.State != privacy.Done {
			w.t.Errorf("%+v", e)
		}
		if n := w.n("SELECT count(*) FROM mails WHERE head <> '' OR sender_hash <> ''") + w.n("SELECT count(*) FROM mail_parts"); n != 0 {
			w.t.Errorf("the mail: %d", n)
		}
		on, c, err := w.Tickets.Correspondents(ctx, principal.AsSystem(principal.House), number)
		w.OK(err)
		if len(c.Copies) != 1 || c.Copies[0] != "stays@outside.example" || on.Description != "a ticket of another's" {
			w.t.Errorf("the other's ticket: %+v", c)
		}
		show, err := w.Tickets.DeskShow(ctx, w.Chen, opened)
		w.OK(err)
		if show.Description != personal.Erased || w.n("SELECT count(*) FROM messages /* all domains: a test */ WHERE text = ?", "see below\n*** wrote it") != 1 {
			w.t.Errorf("the stranger's ticket: %q", show.Description)
		}
		if n, where := w.clear(); n != 0 {
			w.t.Errorf("left: %v", where)
		}
		if found, err := w.Tickets.Doctor(ctx, false); err != nil || len(found) > 0 {
			w.t.Errorf("doctor: %v %v", found, err)
		}
		if n := w.n("SELECT count(*) FROM copy_addresses /* all domains: a test */"); n != 1 {
			w.t.Errorf("%d remembered addresses", n)
		}
	})
}

// TestEraseEngineer: an engineer goes; his tickets, and what customers wrote, stay.
func TestEraseEngineer(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		number := w.Create(w.Boss, "a customer's words")
		w.OK(w.Step(w.Chen, number, ticket.StepAccept, ""))
		w.OK(w.Step(w.Chen, number, ticket.StepNote, marker+" note"))
		w.OK(w.Step(w.Chen, number, ticket.StepResolve, marker+" solution"))
		w.work()
		if e := w.erase(privacy.Target{Domain: principal.House, User: w.Chen.User}); e.State != privacy.Done {
			w.t.Errorf("%+v", e)
		}
		if n, where := w.clear(); n != 0 {
			w.t.Errorf("left: %v", where)
		}
		show, err := w.Tickets.DeskShow(ctx, w.Emma, number)
		w.OK(err)
		if show.Description != "a customer's words" || show.Status != ticket.ToConfirm || show.Resolution != personal.Erased {
			w.t.Errorf("%+v", show)
		}
		_, err = w.privacy.Erase(ctx, w.admin, privacy.NewErasure{Target: privacy.Target{Domain: principal.House, User: w.admin.User}, Reason: "x"})
		if err == nil {
			w.t.Error("an administrator erases himself")
		}
		_, err = w.privacy.Erase(ctx, w.Emma, privacy.NewErasure{Target: privacy.Target{Domain: w.Boss.Domain, User: w.Boss.User}, Reason: "x"})
		w.refusedAs(err, fault.NoPermission)
	})
}
