package live_test

import (
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/identity"
	"casemate/internal/knowledge"
	"casemate/internal/live"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// desk gives the world its desk, whose presence the hub tells of.
func (w *world) desk() *queue.Service {
	w.T.Helper()
	know := knowledge.New(w.DB, w.Catalog, w.Ident, knowledge.Options{})
	q, err := queue.New(w.DB, w.Keys, queue.Nouns{Identity: w.Ident, Catalog: w.Catalog, Notify: w.Notify, Tickets: w.Tickets, Knowledge: know}, queue.Options{})
	w.OK(err)
	w.hub = live.New(w.DB, w.Tickets, live.Options{Presence: q.Everywhere})
	return q
}

// until reads on to the next event of a kind, and gives the kinds before it.
func (c *client) until(kind string) (data map[string]any, before map[string]int) {
	c.t.Helper()
	before = map[string]int{}
	for {
		k, d := c.next()
		if k == kind {
			return d, before
		}
		before[k]++
	}
}

// nora is a partner's engineer; what the other customer has is the partner's
// business.
func (w *world) nora() principal.Principal {
	w.T.Helper()
	blue, err := w.Ident.CreatePartner(w.T.Context(), principal.AsSystem(principal.House), identity.Partner{Name: "Blue", Whitelisted: true, Hours: identity.Hours{Zone: "GMT+08:00", Days: 5, Day: 8}})
	w.OK(err)
	w.OK(w.Ident.ServedBy(w.T.Context(), principal.AsSystem(principal.House), w.Foreign.Domain, blue.ID))
	nora := w.Chen
	nora.User, nora.Partner = "nora", blue.ID
	return nora
}

// TestPresenceIsTold: who comes to a ticket, begins to write, leaves or falls
// silent is told to the house and to the partner whose business it is, once, and
// never to a customer; a sign of life alone is no news.
func TestPresenceIsTold(t *testing.T) {
	t.Parallel()
	each(t, live.Options{}, func(w *world) {
		q, ctx := w.desk(), w.T.Context()
		nora := w.nora()
		a, given := w.create(w.Li, "looked at"), w.create(w.Foreign, "given")
		_, err := w.Tickets.Transfer(ctx, w.Chen, ticket.Transfer{Numbers: []string{given}, To: ticket.PartnerBusiness})
		w.OK(err)
		w.seal()
		emma, li, partner := w.open(w.Emma, ""), w.open(w.Li, ""), w.open(nora, "")
		look := func() { w.T.Helper(); w.OK(w.hub.Look(ctx)) }
		stay := func(who principal.Principal, number, doing string) {
			w.T.Helper()
			_, err := q.Stay(ctx, who, number, doing)
			w.OK(err)
			look()
		}
		stay(w.Chen, a, queue.Viewing)
		emma.expect("presence " + a)
		w.Clock.Add(9 * time.Second)
		stay(w.Chen, a, queue.Viewing) // the same once more
		stay(w.Chen, given, queue.Viewing)
		emma.expect("presence " + given)
		partner.expect("presence " + given)
		stay(w.Chen, a, queue.Replying)
		emma.expect("presence " + a)
		w.OK(q.Leave(ctx, w.Chen, a))
		look()
		emma.expect("presence " + a)
		stay(w.Chen, a, queue.Viewing)
		emma.expect("presence " + a)
		w.Clock.Add(queue.Forgotten)
		look()
		for range 2 { // silent at both
			if kind, _ := emma.next(); kind != "presence" {
				w.T.Fatalf("got %s", kind)
			}
		}
		// It is of the moment: a client that comes back goes on behind the last number,
		// and hears nothing of it again. The customer heard of nothing before this.
		if emma.lastID == "" {
			w.T.Fatal("no number to go on from")
		}
		again := w.open(w.Emma, emma.lastID)
		b := w.create(w.Li, "the next")
		w.seal()
		again.expect("ticket.changed " + b)
		li.expect("ticket.changed " + b)
	})
}

// TestCountsAreTold: a change that can move a ticket is followed by one word for
// the queues, however many there were; reading and following move none. A
// partner's people hear of it when it was their business, customers never.
func TestCountsAreTold(t *testing.T) {
	t.Parallel()
	each(t, live.Options{}, func(w *world) {
		ctx := w.T.Context()
		q, nora := w.desk(), w.nora()
		chen, li, partner := w.open(w.Chen, ""), w.open(w.Li, ""), w.open(nora, "")
		a := w.create(w.Li, "one")
		for range 3 {
			w.create(w.Li, "more")
		}
		w.seal()
		if _, before := chen.until("queue.counts"); before["ticket.changed"] != 4 {
			w.T.Errorf("told before: %v", before)
		}
		w.OK(w.Tickets.SetFollow(ctx, w.Chen, a, true))
		w.OK(w.Tickets.DeskRead(ctx, w.Chen, a))
		w.seal()
		_, err := q.CreateView(ctx, w.Emma, queue.View{Name: locale.Texts{ZH: "x", EN: "x"}, Filter: ticket.RowFilter{Urged: new(bool)}})
		w.OK(err)
		w.seal()
		if _, before := chen.until("queue.counts"); before["queue.counts"] != 0 || before["ticket.changed"] != 2 {
			w.T.Errorf("reading and following: %v", before)
		}
		given := w.create(w.Foreign, "given")
		_, err = w.Tickets.Transfer(ctx, w.Chen, ticket.Transfer{Numbers: []string{given}, To: ticket.PartnerBusiness})
		w.OK(err)
		w.seal()
		if _, before := partner.until("queue.counts"); before["ticket.changed"] == 0 || before["queue.counts"] != 0 {
			w.T.Errorf("a partner's engineer: %v", before)
		}
		chen.until("queue.counts")
		w.create(w.Li, "no business of hers")
		_, err = w.Tickets.Take(ctx, w.Chen, ticket.Step{Number: given, Action: ticket.StepNote, Text: "x"})
		w.OK(err)
		w.seal()
		if kind, _ := chen.next(); kind == "queue.counts" {
			w.T.Error("told before what happened")
		}
		for range 5 {
			if kind, data := li.next(); kind != "ticket.changed" || data["notice"] != nil {
				w.T.Errorf("the customer is told %s %v", kind, data)
			}
		}
	})
}

// TestNotices: a person is told of what concerns him and of nobody else's, and
// not of what he did himself; supervisors hear of rules that fail; a repeat after
// a reconnect has a number like every event.
func TestNotices(t *testing.T) {
	t.Parallel()
	each(t, live.Options{}, func(w *world) {
		ctx := w.T.Context()
		q := w.desk()
		lead := w.Engineer("lead", "Lead", principal.RoleSupervisor)
		chen, emma, boss, li := w.open(w.Chen, ""), w.open(w.Emma, ""), w.open(lead, ""), w.open(w.Li, "")
		a := w.create(w.Li, "one")
		step := func(s ticket.Step) {
			w.T.Helper()
			s.Number = a
			_, err := w.Tickets.Take(ctx, w.Chen, s)
			w.OK(err)
		}
		step(ticket.Step{Action: ticket.StepAssign, Assignee: w.Chen.User})
		step(ticket.Step{Action: ticket.StepAssign, Assignee: w.Emma.User})
		_, err := q.Take(ctx, w.Chen, queue.Sending{Step: ticket.Step{Number: a, Action: ticket.StepNote, Text: "@emma please look"}})
		w.OK(err)
		w.seal()
		for _, want := range []string{live.NoticeAssigned, live.NoticeMentioned} {
			if data, _ := emma.until("notice"); data["notice"] != want || data["ticket"] != a {
				w.T.Errorf("emma is told %v, want %s", data, want)
			}
		}
		_, err = q.RunBulk(ctx, w.Chen, queue.NewBulk{Numbers: []string{a}, Actions: []queue.Action{{Do: "tag", Tags: []string{"vip"}}}})
		w.OK(err)
		w.OK(w.DB.Update(ctx, func(tx *db.Tx) error {
			id, domain := "", ""
			if domain, id, err = ticket.IDOf(tx, a); err != nil {
				return err
			}
			event.Record(tx, principal.AsSystem(domain), event.Event{Domain: domain, Kind: "sla.breached", Subject: "ticket", SubjectID: id, LogCode: event.NoLog, Data: map[string]any{"assignee": w.Emma.User}})
			event.Record(tx, principal.AsSystem(domain), event.Event{Domain: domain, Kind: "rule.run", Subject: "rule", SubjectID: "r1", LogCode: event.NoLog, Data: map[string]any{"ticket": id, "state": "failed"}})
			event.Record(tx, principal.AsSystem(domain), event.Event{Domain: domain, Kind: "rule.run", Subject: "rule", SubjectID: "r1", LogCode: event.NoLog, Data: map[string]any{"ticket": id, "state": "done"}})
			event.Record(tx, principal.AsSystem(principal.House), event.Event{Kind: "rule.off", Subject: "rule", SubjectID: "r2", LogCode: event.NoLog})
			return nil
		}))
		w.seal()
		last := emma.lastID
		if data, _ := emma.until("notice"); data["notice"] != live.NoticeBreached {
			w.T.Errorf("emma is told %v", data)
		}
		if data, _ := chen.until("notice"); data["notice"] != live.NoticeBulk || data["id"] == nil || data["ticket"] != nil {
			w.T.Errorf("chen is told %v", data)
		}
		if data, _ := boss.until("notice"); data["notice"] != live.NoticeRuleFailed || data["ticket"] != a || data["id"] != "r1" {
			w.T.Errorf("the supervisor is told %v", data)
		}
		if data, _ := boss.until("notice"); data["notice"] != live.NoticeRuleOff || data["id"] != "r2" {
			w.T.Errorf("the supervisor is told %v", data)
		}
		again := w.open(w.Emma, last)
		if data, _ := again.until("notice"); data["notice"] != live.NoticeBreached {
			w.T.Errorf("after a reconnect emma is told %v", data)
		}
		b := w.create(w.Li, "the last")
		w.seal()
		if _, before := chen.until("queue.counts"); before["notice"] != 0 {
			w.T.Errorf("chen is told %v of others", before)
		}
		for kind, data := li.next(); data["ticket"] != b; kind, data = li.next() {
			if kind == "notice" || kind == "queue.counts" || kind == "presence" {
				w.T.Errorf("the customer is told %s", kind)
			}
		}
	})
}
