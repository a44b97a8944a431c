package ticket_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/ticket"
	"casemate/internal/verify"
)

var admin = principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "root", Role: principal.RoleAdministrator}

// sandbox makes a sandbox with its main account.
func (w *world) sandbox(name string) principal.Principal {
	w.t.Helper()
	house := principal.AsSystem(principal.House)
	d, err := w.ident.CreateDomain(w.t.Context(), house, identity.NewDomain{Name: name, Plan: "Business", Sandbox: true})
	w.ok(err)
	u, err := w.ident.CreateUser(w.t.Context(), house, identity.NewUser{Domain: d.ID, Name: "tester", Password: "a-Password-1", Main: true, Mail: "tester@example.com"})
	w.ok(err)
	return principal.Principal{Kind: principal.Customer, Domain: d.ID, User: u.ID, UserName: "tester", Main: true, Sandbox: true, Address: "198.51.100.9"}
}

// as is the context of a request, as the server's chain makes it.
func (w *world) as(who principal.Principal) context.Context {
	w.t.Helper()
	ctx, err := w.ident.OnClock(w.t.Context(), who.Domain)
	w.ok(err)
	return ctx
}

// move moves a domain's clock. The installation's goes on a second, so that what
// is cached is read anew, as it is on other nodes.
func (w *world) move(who principal.Principal, by time.Duration) {
	w.t.Helper()
	_, err := w.ident.MoveClock(w.t.Context(), admin, who.Domain, by)
	w.ok(err)
	w.clock.Add(time.Second)
}

// stateOf reads a ticket's state as its customer sees it.
func (w *world) stateOf(who principal.Principal, number string) ticket.Status {
	w.t.Helper()
	got, _, err := w.s.Show(w.as(who), who, number, "")
	w.ok(err)
	return got.Status
}

// TestSandboxClock: the days a solution waits pass in a sandbox when its clock
// is moved, with the reminders, and nowhere else.
func TestSandboxClock(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		box := w.sandbox("box")
		make := func(who principal.Principal) string {
			n, err := w.s.Create(w.as(who), who, w.draft("waits for its customer"))
			w.ok(err)
			w.ok(w.step(w.chen, n, "accept", ""))
			w.ok(w.step(w.chen, n, "resolve", "it is solved"))
			return n
		}
		mine, theirs := make(box), make(w.boss)
		w.work()
		w.move(box, 3*24*time.Hour-2*time.Second)
		w.work()
		if got := w.stateOf(box, mine); got != ticket.ToConfirm {
			t.Errorf("two seconds early the ticket is in %d", got)
		}
		w.move(box, 2*time.Second)
		w.work()
		if got := w.stateOf(box, mine); got != ticket.Completed {
			t.Errorf("after three days on the sandbox's clock the ticket is in %d", got)
		}
		if got := w.stateOf(w.boss, theirs); got != ticket.ToConfirm {
			t.Errorf("another domain's ticket is in %d", got)
		}
		got, _, err := w.s.Show(w.as(box), box, mine, "")
		w.ok(err)
		if days := time.Duration(got.Closed-got.Resolved) * time.Millisecond; days < 3*24*time.Hour || days > 3*24*time.Hour+time.Minute {
			t.Errorf("the ticket tells that it was closed %v after its solution", days)
		}
		// An engineer's step in the sandbox happens on its clock, too.
		late := make(box)
		show, err := w.s.DeskShow(w.t.Context(), w.chen, late)
		w.ok(err)
		if show.Resolved < got.Closed {
			t.Errorf("a step after the move is dated before it: %d < %d", show.Resolved, got.Closed)
		}
		w.move(box, 3*24*time.Hour)
		w.work()
		if got := w.stateOf(box, late); got != ticket.Completed {
			t.Errorf("the second ticket is in %d", got)
		}
		caught, err := w.out.Caught(w.t.Context(), admin, notify.CaughtFilter{To: "tester@example.com", Limit: 100})
		w.ok(err)
		var kinds []string
		for _, c := range caught {
			kinds = append(kinds, c.Template)
		}
		for _, want := range []string{notify.TemplateResolve, notify.TemplateRemind, notify.TemplateClose} {
			if !slices.Contains(kinds, want) {
				t.Errorf("the catcher holds no %s of the sandbox: %v", want, kinds)
			}
		}
		for _, m := range w.post.Got {
			if m.Domain == box.Domain {
				t.Errorf("a message of a sandbox went to a provider: %s to %s", m.Template, m.To)
			}
		}
		if len(w.post.Got) == 0 {
			t.Error("the other domain's notices did not leave")
		}
	})
}

// TestSandboxCode: a sandbox's code dies when its clock moves five minutes,
// those of others live on; the send limits of others do not notice a sandbox.
func TestSandboxCode(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		box, twin := w.sandbox("box"), w.sandbox("twin")
		to := verify.Contact{Way: identity.Mail, Value: "shared@example.com"}
		send := func(who principal.Principal) error { return w.verify.Send(w.as(who), who, to, locale.EN) }
		code := func() string {
			w.work()
			c, err := w.out.LastCode(w.t.Context(), admin, to.Value)
			w.ok(err)
			return c.Code
		}
		check := func(who principal.Principal, code string) error {
			return w.verify.Check(w.as(who), who, verify.Try{Contact: to, Code: code})
		}
		w.ok(send(box))
		first := code()
		w.ok(send(twin)) // another sandbox: its own minute
		other := code()
		w.refused(send(box), "24")
		w.move(box, 5*time.Minute)
		w.refused(check(box, first), "10")
		w.ok(check(twin, other))
		w.ok(send(box)) // its minute has passed with its clock
		w.move(box, 5*time.Minute-10*time.Second)
		w.ok(check(box, code()))
		w.ok(send(w.boss)) // a real domain is not held up by what sandboxes sent
		w.work()
		if n := len(w.post.Got); n != 1 || w.post.Got[0].Domain != w.boss.Domain {
			t.Errorf("%d messages left, want the one of the real domain", n)
		}
		proofs, n, err := w.verify.Proofs(w.as(box), box, verify.ProofFilter{})
		w.ok(err)
		if n != 1 || time.Duration(proofs[0].Proved-w.clock.Now().UnixMilli())*time.Millisecond < 9*time.Minute {
			t.Errorf("the proof is not dated by the sandbox's clock: %+v", proofs)
		}
	})
}

// TestSandboxReset: after it no table holds a row of the sandbox but those of
// accounts and history; neighbours keep theirs; counters agree.
func TestSandboxReset(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		box := w.sandbox("box")
		rows := func(domain string) map[string]int {
			out := map[string]int{}
			tables, err := db.DomainTables()
			w.ok(err)
			w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
				for _, table := range tables {
					var n int
					if err := tx.Get("SELECT count(*) FROM "+table+" WHERE domain_id = ?"+map[bool]string{true: " AND kind NOT IN ('user', 'domain')"}[table == "search_docs"], domain).Scan(&n); err != nil {
						return err
					}
					if n > 0 {
						out[table] = n
					}
				}
				var n int
				err := tx.Get("SELECT count(*) FROM verify_counts WHERE subject LIKE ?", "%"+domain+"%").Scan(&n)
				if n > 0 {
					out["verify_counts"] = n
				}
				return err
			}))
			return out
		}
		for _, who := range []principal.Principal{box, w.boss} {
			n, err := w.s.Create(w.as(who), who, w.draft("网络 to be forgotten"))
			w.ok(err)
			w.ok(w.step(w.chen, n, "accept", ""))
			w.ok(w.step(w.chen, n, "resolve", "solved"))
			to := verify.Contact{Way: identity.Mail, Value: who.Domain + "@example.com"}
			w.ok(w.verify.Send(w.as(who), who, to, locale.ZH))
			w.refused(w.verify.Check(w.as(who), who, verify.Try{Contact: to, Code: "wrong!"}), "10")
		}
		_, err := w.ident.CreateAgency(w.t.Context(), admin, identity.NewAgency{Domain: box.Domain, Name: "helpers", TrustName: "Helpers Ltd"})
		w.ok(err)
		w.ok(w.s.Fold(w.t.Context()))
		w.work()
		w.move(box, time.Hour)
		before, neighbours := rows(box.Domain), rows(w.boss.Domain)
		for _, table := range []string{"tickets", "messages", "ticket_counts", "desk_tickets", "verify_codes", "verify_counts", "notify_messages", "notify_caught", "jobs", "search_docs", "agencies"} {
			if before[table] == 0 {
				t.Errorf("the story left nothing in %s", table)
			}
		}
		w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error { // under a legal hold
			tx.Write(1, `INSERT INTO privacy_holds (id, kind, domain_id, subject_id, reason, held_until, created_at, actor, released_at, released_by, release_reason)
				VALUES ('h', 'person', ?, ?, '', 0, 1, 'u', 0, '', '')`, box.Domain, box.User)
			return nil
		}))
		if _, err := w.ident.Reset(w.t.Context(), admin, box.Domain, verify.Forget); fault.KindOf(err) != fault.Conflict || rows(box.Domain)["tickets"] != before["tickets"] {
			t.Errorf("a reset under a hold: %v", err)
		}
		w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error { tx.Write(1, "UPDATE privacy_holds SET released_at = 1"); return nil }))
		d, err := w.ident.Reset(w.t.Context(), admin, box.Domain, verify.Forget)
		w.ok(err)
		if d.Clock != 0 {
			t.Errorf("the clock is still %d ms ahead", d.Clock)
		}
		for table, n := range rows(box.Domain) {
			if !slices.Contains(identity.AccountTables, table) {
				t.Errorf("%d rows of %s stayed", n, table)
			} else if n < before[table] {
				t.Errorf("%d of %d rows of %s stayed", n, before[table], table)
			}
		}
		if after := rows(w.boss.Domain); fmt.Sprint(after) != fmt.Sprint(neighbours) {
			t.Errorf("the neighbour had %v and has %v", neighbours, after)
		}
		if differ, err := w.s.Recount(w.t.Context()); err != nil || len(differ) > 0 {
			t.Errorf("counters differ: %v %v", differ, err)
		}
		// It works on: a new ticket is found by its words, once.
		w.clock.Add(time.Second)
		n, err := w.s.Create(w.as(box), box, w.draft("网络 after the reset"))
		w.ok(err)
		page, total, err := w.s.List(w.as(box), box, ticket.Filter{Words: []string{"网络"}})
		w.ok(err)
		if total != 1 || page[0].Number != n {
			t.Errorf("search finds %d tickets", total)
		}
	})
}

// TestSandboxOnly: clock and reset are for administrators and for sandboxes.
func TestSandboxOnly(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		box := w.sandbox("box")
		kept := w.create(w.boss, "must stay")
		for _, who := range []principal.Principal{w.boss, box, w.chen, w.auditor, {}} {
			if _, err := w.ident.MoveClock(w.t.Context(), who, box.Domain, time.Hour); !errors.Is(err, fault.NoPermission) {
				t.Errorf("%s moves a clock: %v", who.UserName, err)
			}
			if _, err := w.ident.Reset(w.t.Context(), who, box.Domain); !errors.Is(err, fault.NoPermission) {
				t.Errorf("%s resets: %v", who.UserName, err)
			}
		}
		for _, domain := range []string{w.boss.Domain, "nobody", principal.House} {
			if _, err := w.ident.MoveClock(w.t.Context(), admin, domain, time.Hour); err == nil {
				t.Errorf("the clock of %s was moved", domain)
			}
			if _, err := w.ident.Reset(w.t.Context(), admin, domain, verify.Forget); err == nil {
				t.Errorf("%s was reset", domain)
			}
		}
		for _, by := range []time.Duration{0, -time.Hour, 366*24*time.Hour + time.Second} {
			_, err := w.ident.MoveClock(w.t.Context(), admin, box.Domain, by)
			w.refused(err, "01")
		}
		for range 10 {
			w.move(box, 366*24*time.Hour)
		}
		_, err := w.ident.MoveClock(w.t.Context(), admin, box.Domain, time.Second)
		w.refused(err, "01") // 3660 days are the most
		if got := w.status(kept); got != ticket.Submitted {
			t.Errorf("the neighbour's ticket is in %d", got)
		}
	})
}

// TestSandboxDesk: engineers' lists never show a sandbox's ticket unless its
// domain is asked for; steps by number work.
func TestSandboxDesk(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		box := w.sandbox("box")
		n, err := w.s.Create(w.as(box), box, w.draft("only a test"))
		w.ok(err)
		w.create(w.boss, "real")
		list := func(f ticket.DeskFilter) (numbers []string) {
			page, total, _, err := w.s.Desk(w.t.Context(), w.chen, f)
			w.ok(err)
			if total != len(page) {
				t.Errorf("%d in all, %d shown", total, len(page))
			}
			for _, t := range page {
				numbers = append(numbers, t.Number)
			}
			return numbers
		}
		w.ok(w.step(w.chen, n, "accept", ""))
		for name, f := range map[string]ticket.DeskFilter{"all": {}, "mine": {Assignee: w.chen.User}, "by state": {Statuses: []ticket.Status{0, 1}}, "by number": {Text: strings.ToLower(n)}} {
			if slices.Contains(list(f), n) {
				t.Errorf("%s: the sandbox's ticket is listed", name)
			}
		}
		if got := list(ticket.DeskFilter{Domain: box.Domain}); !slices.Equal(got, []string{n}) {
			t.Errorf("of the sandbox: %v", got)
		}
		if got := w.status(n); got != ticket.Processing {
			t.Errorf("after a step by number: %d", got)
		}
	})
}
