package queue_test

import (
	"testing"
	"time"

	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// TestSandbox: a message for later goes out on its domain's clock, and the
// reset of a sandbox leaves nothing of teamwork.
func TestSandbox(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		ctx, house := w.t.Context(), principal.AsSystem(principal.House)
		d, err := w.Ident.CreateDomain(ctx, house, identity.NewDomain{Name: "box", Sandbox: true})
		w.OK(err)
		u, err := w.Ident.CreateUser(ctx, house, identity.NewUser{Domain: d.ID, Name: "tester", Password: "a-Password-1", Main: true, Mail: "tester@example.com"})
		w.OK(err)
		w.Li = principal.Principal{Kind: principal.Customer, Domain: d.ID, User: u.ID, Main: true, Sandbox: true}
		w.n = w.Create(w.Li, "to be tried")
		_, err = w.take(w.anna, ticket.StepReply, "in an hour", w.later(time.Hour))
		w.OK(err)
		root := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "root", Role: principal.RoleAdministrator}
		_, err = w.Ident.MoveClock(ctx, root, d.ID, time.Hour)
		w.OK(err)
		w.Clock.Add(time.Second)
		w.Work()
		w.wantSaid("an hour later there", "in an hour")
		_, err = w.take(w.anna, ticket.StepReply, "x", w.later(time.Minute))
		w.Refused(err, ".01010001") // past, there
		_, err = w.take(w.anna, ticket.StepReply, "in a day", w.later(25*time.Hour))
		w.OK(err)
		_, err = w.q.SaveDraft(ctx, w.anna, w.n, queue.Draft{ID: queue.DraftNote, Text: "x"}, 0)
		w.OK(err)
		_, err = w.q.Stay(ctx, w.anna, w.n, queue.Viewing)
		w.OK(err)
		w.OK(w.Tickets.SetFollow(ctx, w.anna, w.n, true))
		tables := []string{"ticket_drafts", "ticket_later", "ticket_presence", "ticket_followers"}
		for _, table := range tables {
			if n := w.count("SELECT count(*) FROM "+table+" WHERE domain_id = ?", d.ID); n != 1 {
				t.Errorf("%d rows of %s before", n, table)
			}
		}
		_, err = w.Ident.Reset(ctx, root, d.ID)
		w.OK(err)
		for _, table := range tables {
			if n := w.count("SELECT count(*) FROM "+table+" WHERE domain_id = ?", d.ID); n != 0 {
				t.Errorf("%d rows of %s are left", n, table)
			}
		}
		w.Clock.Add(48 * time.Hour)
		w.Work()
		if all := w.waits(w.anna); len(all) != 0 {
			t.Errorf("waiting: %+v", all)
		}
	})
}
