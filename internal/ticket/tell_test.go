package ticket_test

import (
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// desk are engineers with mail addresses.
type desk struct {
	*world
	sealer            *event.Sealer
	anna, ben, rested principal.Principal
}

func staffed(w *world) *desk {
	d := &desk{world: w, sealer: event.NewSealer(w.db, []byte("0123456789abcdef0123456789abcdef"), "test", slog.New(slog.DiscardHandler))}
	engineer := func(name string, lang locale.Language, zone string) principal.Principal {
		u, err := w.ident.CreateUser(w.t.Context(), principal.AsSystem(principal.House), identity.NewUser{Domain: principal.House, Name: name, Password: "a-Password-1",
			Role: principal.RoleEngineer, Alias: name, Mail: name + "@desk.example", Language: lang, Zone: zone})
		w.ok(err)
		return principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: u.ID, UserName: name, Role: principal.RoleEngineer}
	}
	d.anna, d.ben, d.rested = engineer("anna", locale.EN, "Europe/Paris"), engineer("ben", locale.ZH, "GMT+8"), engineer("rested", locale.EN, "America/New_York")
	d.settle()
	return d
}

// settle seals, tells and delivers what is due.
func (d *desk) settle() {
	d.t.Helper()
	for {
		n, err := d.sealer.SealOnce(d.t.Context())
		d.ok(err)
		if n == 0 {
			break
		}
	}
	d.ok(d.s.Follow(d.t.Context()))
	d.work()
}

// told are the mails to the desk since the last call: who, template, ticket.
func (d *desk) told() (all []string) {
	d.t.Helper()
	d.settle()
	d.post.Mu.Lock()
	defer d.post.Mu.Unlock()
	for _, m := range d.post.Got {
		if name, ok := strings.CutSuffix(m.To, "@desk.example"); ok {
			all = append(all, name+" "+m.Template+" "+regexp.MustCompile(`TS\w{19}`).FindString(m.Text))
		}
	}
	d.post.Got = nil
	slices.Sort(all)
	return all
}

func (d *desk) wantTold(what string, want ...string) {
	d.t.Helper()
	if got := d.told(); !slices.Equal(got, want) {
		d.t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

func (d *desk) prefer(who principal.Principal, p notify.Preferences) {
	d.t.Helper()
	_, err := d.out.SetPreferences(d.t.Context(), who, p)
	d.ok(err)
}

func (d *desk) assign(by principal.Principal, number string, to principal.Principal) {
	d.t.Helper()
	_, err := d.s.Take(d.t.Context(), by, ticket.Step{Number: number, Action: ticket.StepAssign, Assignee: to.UserName})
	d.ok(err)
}

// TestEngineersTold: who is told what, and that nobody is told what he did.
func TestEngineersTold(t *testing.T) {
	each(t, ticket.Options{Config: config.Ticket{UrgeAfter: -1}}, func(w *world) {
		d := staffed(w)
		n := d.create(d.li, "磁盘")
		d.wantTold("nobody asked for new tickets")
		d.assign(d.ben, n, d.anna)
		d.wantTold("assigned", "anna desk.assigned "+n)
		d.ok(d.s.Reply(d.t.Context(), d.li, n, "", "还在吗"))
		d.wantTold("the customer replied", "anna desk.replied "+n)
		d.ok(d.step(d.anna, n, ticket.StepReply, "在"))
		d.ok(d.step(d.anna, n, ticket.StepNote, "note"))
		d.wantTold("her own reply")
		d.ok(d.act(d.li, n, ticket.Press))
		d.wantTold("urged", "anna desk.urged "+n)
		d.assign(d.ben, n, d.ben)
		d.wantTold("taken by himself")
		seen, _, err := d.s.Show(d.t.Context(), d.li, n, "")
		d.ok(err)
		d.ok(d.db.Update(d.t.Context(), func(tx *db.Tx) error {
			ticket.Record(tx, d.li, seen, "ticket.authorization.grant", ticket.LogGrant, "", map[string]any{"authorization": "a", "engineer": d.anna.User})
			return nil
		}))
		d.wantTold("who asked for the authorization", "anna desk.authorized "+n)

		// By preference.
		d.prefer(d.ben, notify.Preferences{Kinds: map[string]bool{notify.KindReplied: false, notify.KindNew: true}})
		d.ok(d.s.Reply(d.t.Context(), d.li, n, "", "second"))
		d.wantTold("ben wants no replies")
		second := d.create(d.wang, "second")
		d.wantTold("ben wants new tickets", "ben desk.created "+second)
		d.ok(d.ident.Disable(d.t.Context(), principal.AsSystem(principal.House), principal.House, d.ben.User, true))
		d.create(d.wang, "third")
		d.wantTold("ben is gone")
		d.assign(d.anna, second, d.chen)
		d.wantTold("chen has no address")

		// What lies long behind is not told.
		d.assign(d.chen, second, d.anna)
		d.clock.Add(25 * time.Hour)
		d.wantTold("old news")
	})
}

// TestToldOnce: readers of several nodes at once tell everything once.
func TestToldOnce(t *testing.T) {
	each(t, ticket.Options{}, func(w *world) {
		d := staffed(w)
		d.unlimited()
		d.prefer(d.anna, notify.Preferences{Kinds: map[string]bool{notify.KindNew: true}})
		var want []string
		for i := range 30 {
			want = append(want, "anna desk.created "+d.create(d.li, fmt.Sprint("ticket ", i)))
		}
		for {
			n, err := d.sealer.SealOnce(d.t.Context())
			d.ok(err)
			if n == 0 {
				break
			}
		}
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if err := d.s.Follow(d.t.Context()); err != nil {
					d.t.Error(err)
				}
			})
		}
		wg.Wait()
		slices.Sort(want)
		d.wantTold("thirty tickets", want...)
	})
}

// TestQuietHours: notices wait for the end of the quiet hours on the person's
// clock, which the ledger shows, also over a change of the clocks.
func TestQuietHours(t *testing.T) {
	each(t, ticket.Options{}, func(w *world) {
		d := staffed(w)
		d.unlimited()
		late := map[string]bool{"warned": false, "escalated": false, "breached": false}                    // the days go by, and nobody answers
		d.prefer(d.anna, notify.Preferences{QuietHours: "22:00-08:00", Kinds: late})                       // Europe/Paris
		d.prefer(d.ben, notify.Preferences{QuietHours: "12:00-13:00", Kinds: late})                        // GMT+8
		d.prefer(d.rested, notify.Preferences{QuietHours: "22:00-08:00", Zone: "Asia/Tokyo", Kinds: late}) // not where he lives
		at := func(when string) {
			d.t.Helper()
			to, err := time.Parse(time.RFC3339, when)
			d.ok(err)
			d.clock.Add(to.Sub(d.clock.Now()))
		}
		for _, c := range []struct {
			who             principal.Principal
			now, leaves     string
			lastQuiet, what string
		}{
			{d.anna, "2026-03-28T21:30:00Z", "2026-03-29T06:00:00Z", "2026-03-29T05:59:59Z", "the night before summer time, an hour short"},
			{d.ben, "2026-04-01T04:59:00Z", "2026-04-01T05:00:00Z", "2026-04-01T04:59:59Z", "at noon"},
			{d.ben, "2026-04-02T05:00:00Z", "", "", "when it is over"},
			{d.anna, "2026-04-03T19:59:59Z", "", "", "just before"},
			{d.anna, "2026-04-03T20:00:00Z", "2026-04-04T06:00:00Z", "2026-04-04T05:59:59Z", "just begun"},
			{d.rested, "2026-04-05T14:00:00Z", "2026-04-05T23:00:00Z", "2026-04-05T22:59:59Z", "in a zone of his choice"},
			{d.anna, "2026-10-24T22:00:00Z", "2026-10-25T07:00:00Z", "2026-10-25T06:59:59Z", "the night after summer time, an hour long"},
		} {
			at(c.now)
			n := d.create(d.li, c.what)
			d.assign(d.chen, n, c.who)
			mail := c.who.UserName + " desk.assigned " + n
			if c.leaves == "" {
				d.wantTold(c.what, mail)
				continue
			}
			d.wantTold(c.what + ": too early")
			all, _, err := d.out.Deliveries(d.t.Context(), d.chen, notify.DeliveryFilter{To: c.who.UserName + "@desk.example", Limit: 1})
			d.ok(err)
			want, err := time.Parse(time.RFC3339, c.leaves)
			d.ok(err)
			if len(all) != 1 || all[0].State != "queued" || all[0].NotBefore != want.UnixMilli() {
				d.t.Errorf("%s: the ledger has %+v", c.what, all)
			}
			at(c.lastQuiet)
			d.wantTold(c.what + ": a second too early")
			at(c.leaves)
			d.wantTold(c.what, mail)
		}
	})
}

// TestDigest: one mail a day stands for all, each ticket once with its news.
func TestDigest(t *testing.T) {
	each(t, ticket.Options{Config: config.Ticket{UrgeAfter: -1}}, func(w *world) {
		d := staffed(w)
		d.unlimited()
		d.prefer(d.anna, notify.Preferences{Digest: "08:30"}) // Europe/Paris
		at := func(when string) {
			d.t.Helper()
			to, err := time.Parse(time.RFC3339, when)
			d.ok(err)
			d.clock.Add(to.Sub(d.clock.Now()))
		}
		at("2026-03-28T12:00:00Z")
		first, second := d.create(d.li, "one"), d.create(d.li, "two")
		d.assign(d.chen, first, d.anna)
		d.assign(d.chen, second, d.anna)
		for range 3 {
			d.ok(d.s.Reply(d.t.Context(), d.li, first, "", "text of the customer"))
		}
		d.ok(d.act(d.li, first, ticket.Press))
		d.wantTold("during the day")
		at("2026-03-29T06:29:59Z") // summer time began in the night
		d.wantTold("a second too early")
		at("2026-03-29T06:30:00Z")
		d.settle()
		d.post.Mu.Lock()
		got := d.post.Got
		d.post.Mu.Unlock()
		if len(got) != 1 || got[0].To != "anna@desk.example" || got[0].Template != notify.TemplateDigest || !strings.Contains(got[0].Subject, "2") {
			d.t.Fatalf("the daily mail: %+v", got)
		}
		for _, line := range []string{first + ": assigned to you, customer replied, urged\n", second + ": assigned to you\n"} {
			if !strings.Contains(got[0].Text, line) {
				d.t.Errorf("%q is missing in %q", line, got[0].Text)
			}
		}
		if strings.Contains(got[0].Text+got[0].HTML, "text of the customer") || !strings.Contains(got[0].HTML, second+": ") || !strings.Contains(got[0].HTML, "<br>") {
			d.t.Errorf("the daily mail: %s", got[0].HTML)
		}
		d.told()
		at("2026-03-30T06:30:00Z")
		d.wantTold("a day without news")
		d.ok(d.s.Reply(d.t.Context(), d.li, second, "", "more"))
		d.settle()
		d.prefer(d.anna, notify.Preferences{})
		d.ok(d.s.Reply(d.t.Context(), d.li, second, "", "and more"))
		d.wantTold("without daily mails again", "anna desk.replied "+second)
		at("2026-03-31T06:30:00Z")
		d.wantTold("what waited still comes", "anna desk.digest "+second)
	})
}

// TestSandboxTold: of a sandbox nothing leaves, and no queue hears of it.
func TestSandboxTold(t *testing.T) {
	each(t, ticket.Options{}, func(w *world) {
		d := staffed(w)
		d.prefer(d.anna, notify.Preferences{Kinds: map[string]bool{notify.KindNew: true}, Digest: "08:00"})
		house := principal.AsSystem(principal.House)
		sandbox, err := d.ident.CreateDomain(d.t.Context(), house, identity.NewDomain{Name: "Try", Sandbox: true})
		d.ok(err)
		u, err := d.ident.CreateUser(d.t.Context(), house, identity.NewUser{Domain: sandbox.ID, Name: "try", Password: "a-Password-1", Main: true, Mail: "try@example.com"})
		d.ok(err)
		_, err = d.ident.MoveClock(d.t.Context(), house, sandbox.ID, 30*24*time.Hour)
		d.ok(err)
		who := principal.Principal{Kind: principal.Customer, Domain: sandbox.ID, User: u.ID, UserName: "try", Main: true, Sandbox: true}
		ctx := db.WithClock(d.t.Context(), (30 * 24 * time.Hour).Milliseconds())
		n, err := d.s.Create(ctx, who, d.draft("trying"))
		d.ok(err)
		d.assign(d.chen, n, d.anna)
		d.wantTold("nothing leaves a sandbox")
		caught, err := d.out.Caught(d.t.Context(), principal.Principal{Kind: principal.Local, Domain: principal.House}, notify.CaughtFilter{To: "anna@desk.example"})
		d.ok(err)
		if len(caught) != 1 || caught[0].Template != notify.TemplateAssigned || caught[0].Domain != sandbox.ID {
			d.t.Errorf("caught: %+v", caught)
		}
	})
}

// TestAcknowledge: a new ticket is confirmed when the operator wants it; one
// that is refused is not.
func TestAcknowledge(t *testing.T) {
	for _, on := range []bool{false, true} {
		t.Run(fmt.Sprint(on), func(t *testing.T) {
			each(t, ticket.Options{Config: config.Ticket{Acknowledge: on}}, func(w *world) {
				n := w.create(w.li, "hello")
				bad := w.draft("x")
				bad.Claims.Mail, bad.Claims.Code = "other@example.com", "000000"
				if _, err := w.s.Create(w.t.Context(), w.li, bad); err == nil {
					w.t.Error("a ticket with a wrong code")
				}
				w.work()
				want := 0
				if on {
					want = 1
				}
				if len(w.post.Got) != want || on && (w.post.Got[0].To != "li@example.com" || w.post.Got[0].Template != notify.TemplateCreate || !strings.Contains(w.post.Got[0].Text, n)) {
					w.t.Errorf("acknowledged %+v", w.post.Got)
				}
			})
		})
	}
}

// TestCopiesMayStop: who gets copies may end them for this ticket; the
// customer's own notices go on and offer no such link.
func TestCopiesMayStop(t *testing.T) {
	each(t, ticket.Options{}, func(w *world) {
		in := w.draft("with a copy")
		in.Copies = &[]string{"cc@example.com"}
		n, err := w.s.Create(w.t.Context(), w.li, in)
		w.ok(err)
		told := func() map[string]string { // address to link
			w.t.Helper()
			w.clock.Add(11 * time.Minute)
			w.ok(w.step(w.chen, n, ticket.StepReply, "answer"))
			w.work()
			w.post.Mu.Lock()
			defer w.post.Mu.Unlock()
			all := map[string]string{}
			for _, m := range w.post.Got {
				all[m.To] = m.Stop
			}
			w.post.Got = nil
			return all
		}
		first := told()
		link, ok := first["cc@example.com"]
		if own, mine := first["li@example.com"]; !ok || !mine || own != "" || !strings.HasPrefix(link, "https://desk.example"+notify.StopPath) {
			w.t.Fatalf("told %v", first)
		}
		u, err := url.Parse(link)
		w.ok(err)
		w.ok(w.out.Unsubscribe(w.t.Context(), principal.Principal{}, u.Query().Get("token")))
		second := told()
		if _, ok := second["cc@example.com"]; ok || len(second) != 1 {
			w.t.Errorf("after the link: %v", second)
		}
	})
}
