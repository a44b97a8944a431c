package privacy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/knowledge"
	"casemate/internal/locale"
	"casemate/internal/mailin"
	"casemate/internal/principal"
	"casemate/internal/privacy"
	"casemate/internal/ticket"
)

// TestScrubSoon: clearing one's contacts leaves the store's leftovers to one job
// for all who clear in a minute, which runs when that is over.
func TestScrubSoon(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		who, _ := w.person()
		for _, p := range []principal.Principal{w.Boss, w.Foreign} {
			in := w.Draft("with a contact")
			in.Copies = &[]string{"copy@outside.example"}
			_, err := w.Tickets.Create(ctx, p, in)
			w.OK(err)
		}
		waiting := func() int { return w.n("SELECT count(*) FROM jobs WHERE kind = 'privacy.scrub'") }
		for _, p := range []principal.Principal{who, w.Boss} {
			n, err := w.privacy.ClearContacts(ctx, p)
			w.OK(err)
			if n == 0 {
				w.t.Fatal("nothing was cleared")
			}
		}
		if waiting() != 1 {
			w.t.Fatalf("%d jobs, want one for both", waiting())
		}
		if w.work(); waiting() != 1 {
			w.t.Error("it ran before its minute was over")
		}
		w.Clock.Add(time.Minute)
		_, err := w.privacy.ClearContacts(ctx, w.Foreign)
		w.OK(err)
		if waiting() != 2 {
			w.t.Errorf("%d jobs, want one a minute", waiting())
		}
		w.Clock.Add(2 * time.Minute)
		if w.work(); w.n("SELECT count(*) FROM jobs WHERE kind = 'privacy.scrub' AND state = 'waiting'") != 0 || w.n("SELECT count(*) FROM jobs WHERE kind = 'privacy.scrub' AND last_error <> ''") != 0 {
			w.t.Error("they did not run, or failed")
		}
	})
}

// TestBundleContact: whose contact a link is for is forgotten when it is taken,
// has expired, or the contact is erased, which ends it.
func TestBundleContact(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		link := func(contact string) string {
			b, err := w.privacy.NewBundle(ctx, w.admin, privacy.Target{Contact: contact})
			w.OK(err)
			return b.ID
		}
		known := func(id string) bool {
			return w.n("SELECT count(*) FROM privacy_bundles WHERE id = ? AND contact <> ''", id) == 1
		}
		guest, other := marker+"guest@outside.example", "other@outside.example"
		in := w.Draft("a ticket")
		in.Copies = &[]string{guest}
		_, err := w.Tickets.Create(ctx, w.Boss, in)
		w.OK(err)
		taken, late := link(guest), link("+86 139 0000 7777")
		_, err = w.privacy.TakeBundle(ctx, w.admin, taken, locale.EN)
		w.OK(err)
		if known(taken) || !known(late) {
			w.t.Errorf("taken: %v, not taken: %v", known(taken), known(late))
		}
		w.Clock.Add(25 * time.Hour)
		mine, others := link(guest[:3]+"MARKERguest@Outside.example"), link(other)
		for _, p := range w.privacy.Periodic() {
			w.OK(p.Run(ctx))
		}
		if known(late) || !known(mine) || !known(others) {
			w.t.Errorf("expired: %v, others: %v %v", known(late), known(mine), known(others))
		}
		if e := w.erase(privacy.Target{Contact: guest}); e.State != privacy.Done {
			w.t.Errorf("%+v", e)
		}
		if known(mine) || !known(others) {
			w.t.Errorf("the erased contact's: %v, another's: %v", known(mine), known(others))
		}
		if _, err := w.privacy.TakeBundle(ctx, w.admin, mine, locale.EN); fault.KindOf(err) != fault.Conflict {
			w.t.Errorf("a link to what was erased: %v", err)
		}
	})
}

// TestEraseLast: of two administrators who are erased crosswise one is, and the
// other's erasure ends as held instead of trying for ever; with another
// administrator it can be done.
func TestEraseLast(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		second := w.Engineer("root2", "Root Two", principal.RoleAdministrator)
		people, err := w.Ident.Users(ctx, w.admin, principal.House)
		w.OK(err)
		for _, u := range people {
			if u.Role == principal.RoleAdministrator && u.ID != w.admin.User && u.ID != second.User {
				w.OK(w.Ident.Disable(ctx, w.admin, principal.House, u.ID, true))
			}
		}
		var ids []string
		for by, whom := range map[*principal.Principal]string{&w.admin: second.User, &second: w.admin.User} {
			e, err := w.privacy.Erase(ctx, *by, privacy.NewErasure{Target: privacy.Target{Domain: principal.House, User: whom}, Reason: "crosswise"})
			w.OK(err)
			ids = append(ids, e.ID)
		}
		w.work()
		var states []string
		var held privacy.Erasure
		for _, id := range ids {
			e, err := w.privacy.Erasure(ctx, w.Auditor, id)
			w.OK(err)
			if states = append(states, e.State); e.State == privacy.Held {
				held = e
			}
		}
		slices.Sort(states)
		if !slices.Equal(states, []string{privacy.Done, privacy.Held}) || held.Step != privacy.StepLast || held.Ended == 0 {
			w.t.Fatalf("%v, held: %+v", states, held)
		}
		if n := w.n("SELECT count(*) FROM jobs WHERE kind = 'privacy.erase' AND state = 'waiting'"); n != 0 {
			w.t.Errorf("%d tries wait", n)
		}
		u, err := w.Ident.User(ctx, w.Auditor, principal.House, held.User)
		w.OK(err)
		if u.Disabled || u.Name == "" {
			w.t.Errorf("the last administrator: %+v", u)
		}
		w.admin = w.Engineer("root3", "Root Three", principal.RoleAdministrator)
		if e := w.erase(privacy.Target{Domain: principal.House, User: held.User}); e.State != privacy.Done {
			w.t.Errorf("afterwards: %+v", e)
		}
	})
}

// TestEraseReading: what a person said of articles and was shown of them goes
// with him, and is in his bundle; another's stays.
func TestEraseReading(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		who, _ := w.person()
		w.OK(w.DB.Update(w.t.Context(), func(tx *db.Tx) error {
			for _, p := range []principal.Principal{who, w.Wang} {
				tx.Write(1, "INSERT INTO article_votes (domain_id, article_id, user_id, helpful, version, at) VALUES (?, 'a', ?, 1, 1, 1)", p.Domain, p.User)
				tx.Write(1, "INSERT INTO article_suggestions (domain_id, id, user_id, started_at, asked_at, asked, shown) VALUES (?, ?, ?, 1, 1, 1, 1)", p.Domain, "s"+p.User, p.User)
				tx.Write(1, "INSERT INTO article_opened (domain_id, suggestion_id, article_id, at) VALUES (?, ?, 'a', 1)", p.Domain, "s"+p.User)
			}
			return nil
		}))
		if e := w.erase(privacy.Target{Domain: who.Domain, User: who.User}); e.State != privacy.Done || !slices.Contains(e.Erased, privacy.Count{Kind: "reading", Rows: 3}) {
			w.t.Errorf("%+v", e)
		}
		for _, table := range []string{"article_votes", "article_suggestions", "article_opened"} {
			if n := w.n("SELECT count(*) FROM " + table + " /* all domains: a test */"); n != 1 {
				w.t.Errorf("%d rows of %s, want the other's", n, table)
			}
		}
		for _, r := range knowledge.Personal() {
			if r.Shown == "" || privacy.KindName(r.Kind, locale.ZH) == r.Kind {
				w.t.Errorf("%s is in no bundle or has no name", r.Table)
			}
		}
	})
}

// TestHoldContacts: a hold on a contact or a person keeps what is known by
// contacts only, mails that came in and messages that went out, from housekeeping
// and retention, until it is released.
func TestHoldContacts(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		who, _ := w.person()
		guest, other, own := marker+"guest@outside.example", "other@outside.example", marker+"@example.com"
		in := w.Draft("copied to both")
		in.Copies = &[]string{guest, other}
		number, err := w.Tickets.Create(ctx, w.Boss, in)
		w.OK(err)
		w.OK(w.Step(w.Chen, number, ticket.StepAccept, ""))
		w.OK(w.Step(w.Chen, number, ticket.StepReply, "to all"))
		for i, from := range []string{guest, other, own} {
			_, err = w.mail.Accept(ctx, mailin.Received{Mailbox: "support", From: from, To: []string{"support@desk.example"},
				Raw: fmt.Appendf(nil, "From: %s\r\nTo: support@desk.example\r\nSubject: x\r\nMessage-ID: <%d@outside.example>\r\n\r\nhello\r\n", from, i)})
			w.OK(err)
		}
		w.work()
		w.OK(w.DB.Update(ctx, func(tx *db.Tx) error { tx.Write(db.Any, "UPDATE mails SET state = 'done'"); return nil }))
		left := func() string {
			var out []string
			for _, c := range []string{guest, other, own} {
				mail, sent := w.mail.SubjectOf(c)[0], w.Notify.SubjectOf(c)[0]
				out = append(out, fmt.Sprint(w.n("SELECT count(*) FROM mails WHERE sender_hash = ? AND kept = 1", mail),
					w.n("SELECT count(*) FROM mail_parts WHERE mail_id IN (SELECT m.id FROM mails AS m WHERE m.sender_hash = ?)", mail) > 0,
					w.n("SELECT count(*) FROM notify_messages /* all domains: a test */ WHERE recipient_hash = ?", sent) > 0))
			}
			return strings.Join(out, ", ")
		}
		if got := left(); got != "1 true true, 1 true true, 1 true true" {
			w.t.Fatalf("to begin with: %s", got)
		}
		var holds []privacy.Hold
		for _, h := range []privacy.NewHold{{Kind: privacy.HoldPerson, Contact: guest, Reason: "case 1"}, {Kind: privacy.HoldPerson, Domain: who.Domain, User: who.User, Reason: "case 2"}} {
			put, err := w.privacy.PutHold(ctx, w.admin, h)
			w.OK(err)
			holds = append(holds, put)
		}
		w.Clock.Add(3 * 365 * 24 * time.Hour)
		w.OK(w.mail.Purge(ctx))
		w.OK(w.Notify.Purge(ctx))
		if got := left(); got != "1 true true, 0 false false, 1 true true" {
			w.t.Errorf("after housekeeping: %s", got)
		}
		for _, kind := range []string{"mails", "deliveries"} {
			_, err := w.privacy.SetRetention(ctx, w.admin, privacy.Retention{Kind: kind, Days: 1})
			w.OK(err)
		}
		w.OK(w.privacy.Retain(ctx))
		if got := left(); got != "1 true true, 0 false false, 1 true true" {
			w.t.Errorf("after retention: %s", got)
		}
		// The account with which the contact was in touch is not closed.
		w.OK(w.Ident.DisableDomain(ctx, w.admin, w.Boss.Domain, true))
		d, err := w.Ident.Domain(ctx, w.admin, w.Boss.Domain)
		w.OK(err)
		_, err = w.privacy.ReleaseHold(ctx, w.admin, holds[1].ID, "over")
		w.OK(err)
		if _, err := w.Ident.CloseDomain(ctx, w.admin, d.ID, d.Name); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), holds[0].ID) {
			w.t.Errorf("closed: %v", err)
		}
		_, err = w.privacy.ReleaseHold(ctx, w.admin, holds[0].ID, "over")
		w.OK(err)
		w.OK(w.privacy.Retain(ctx))
		if got := left(); got != "0 false false, 0 false false, 0 false false" || w.n("SELECT count(*) FROM privacy_hold_hashes") != 0 {
			w.t.Errorf("released: %s", got)
		}
	})
}
