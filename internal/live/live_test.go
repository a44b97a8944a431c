package live_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/live"
	"casemate/internal/principal"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
)

type world struct {
	*tickettest.World
	hub    *live.Hub
	sealer *event.Sealer
}

func each(t *testing.T, o live.Options, test func(w *world)) {
	t.Helper()
	tickettest.Each(t, ticket.Options{}, func(tw *tickettest.World) {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
		w := &world{World: tw, hub: live.New(tw.DB, tw.Tickets, o), sealer: event.NewSealer(tw.DB, tw.Keys.Derive("event-chain"), "test", o.Log)}
		test(w)
	})
}

// seal gives what was recorded its numbers, and lets the hub read.
func (w *world) seal() {
	w.T.Helper()
	for {
		n, err := w.sealer.SealOnce(w.T.Context())
		if err != nil {
			w.T.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	if err := w.hub.Read(w.T.Context()); err != nil {
		w.T.Fatal(err)
	}
}

func (w *world) create(who principal.Principal, text string) string {
	w.T.Helper()
	n, err := w.Tickets.Create(w.T.Context(), who, w.Draft(text))
	if err != nil {
		w.T.Fatal(err)
	}
	return n
}

// client reads a stream; got are its events as "kind ticket", ids beside.
type client struct {
	t      *testing.T
	s      *live.Stream
	lines  *bufio.Scanner
	lastID string
	cancel context.CancelFunc
	calm   bool // passes over that queues count otherwise
}

func always(who principal.Principal) live.Still {
	return func(context.Context, bool) (principal.Principal, error) { return who, nil }
}

func (w *world) open(who principal.Principal, last string) *client {
	w.T.Helper()
	ctx, cancel := context.WithCancel(w.T.Context())
	s, err := w.hub.Open(ctx, who, last, always(who))
	if err != nil {
		w.T.Fatal(err)
	}
	c := &client{t: w.T.(*testing.T), s: s, lines: bufio.NewScanner(s), cancel: cancel}
	w.T.(*testing.T).Cleanup(func() { cancel(); _ = s.Close() })
	return c
}

// next is the next event; signs of life are passed over.
func (c *client) next() (string, map[string]any) {
	c.t.Helper()
	defer time.AfterFunc(20*time.Second, c.cancel).Stop() // a test that waits for nothing fails
	kind, data := "", ""
	for c.lines.Scan() {
		line := c.lines.Text()
		switch {
		case strings.HasPrefix(line, "id: "):
			c.lastID = line[4:]
		case strings.HasPrefix(line, "event: "):
			kind = line[7:]
		case strings.HasPrefix(line, "data: "):
			data = line[6:]
		case line == "" && kind != "":
			var m map[string]any
			if err := json.Unmarshal([]byte(data), &m); err != nil {
				c.t.Fatal(err)
			}
			if kind == live.Alive || c.calm && kind == live.Counts {
				kind = ""
				continue
			}
			return kind, m
		}
	}
	c.t.Fatal("the stream ended")
	return "", nil
}

func (c *client) expect(want ...string) {
	c.t.Helper()
	for _, x := range want {
		kind, data := c.next()
		if got := strings.TrimSpace(fmt.Sprint(kind, " ", or(data["ticket"]))); got != x {
			c.t.Fatalf("got %q, want %q", got, x)
		}
	}
}

func or(v any) any {
	if v == nil {
		return ""
	}
	return v
}

// TestWhoIsTold: a customer's user hears of tickets that they could open and of
// what their own pages show; other customers hear nothing; the house hears of
// all.
func TestWhoIsTold(t *testing.T) {
	t.Parallel()
	each(t, live.Options{}, func(w *world) {
		ctx := w.T.Context()
		li, wang, boss, foreign, chen := w.open(w.Li, ""), w.open(w.Wang, ""), w.open(w.Boss, ""), w.open(w.Foreign, ""), w.open(w.Chen, "")
		a := w.create(w.Li, "printer on fire")
		if _, err := w.Tickets.Take(ctx, w.Chen, ticket.Step{Number: a, Action: ticket.StepNote, Text: "a secret note"}); err != nil {
			w.T.Fatal(err)
		}
		if _, err := w.Tickets.Take(ctx, w.Chen, ticket.Step{Number: a, Action: ticket.StepReply, Text: "have you tried water"}); err != nil {
			w.T.Fatal(err)
		}
		b := w.create(w.Wang, "another one")
		f := w.create(w.Foreign, "not theirs")
		w.seal()

		li.expect("ticket.changed "+a, "message.new "+a)
		kind, data := chen.next()
		if kind != "ticket.changed" || data["ticket"] != a || data["domain"] != w.Li.Domain || data["revision"] == nil {
			w.T.Fatalf("%s %v", kind, data)
		}
		seen := map[string]int{}
		for seen["ticket.changed "+f] == 0 {
			kind, data := chen.next()
			seen[fmt.Sprint(kind, " ", data["ticket"])]++
		}
		if seen["message.new "+a] < 2 || seen["ticket.changed "+b] == 0 { // the note, the reply; and what the claim changed
			w.T.Errorf("the house was told %v", seen)
		}
		// Each of the others hears of its own next ticket, after nothing else.
		wang.expect("ticket.changed " + b)
		foreign.expect("ticket.changed " + f)
		boss.expect("ticket.changed "+a, "message.new "+a, "ticket.changed "+b)

		c := w.create(w.Li, "and one more")
		w.seal()
		kind, data = li.next()
		for kind == "ticket.changed" && data["ticket"] == a {
			kind, data = li.next() // accepted with the first answer
		}
		if kind != "ticket.changed" || data["ticket"] != c || data["revision"] != nil || data["domain"] != nil {
			w.T.Errorf("%s %v", kind, data)
		}
	})
}

// TestGroupsAreTold: who may handle the tickets of a group hears of them.
func TestGroupsAreTold(t *testing.T) {
	t.Parallel()
	each(t, live.Options{}, func(w *world) {
		ctx, house := w.T.Context(), principal.AsSystem(principal.House)
		g, err := w.Ident.CreateGroup(ctx, house, identity.NewGroup{Domain: w.Li.Domain, Name: "ops", Roles: []string{identity.TicketGroupOperator}})
		if err != nil {
			w.T.Fatal(err)
		}
		for _, u := range []principal.Principal{w.Li, w.Wang} {
			if err := w.Ident.AddMember(ctx, house, u.Domain, g.ID, u.User); err != nil {
				w.T.Fatal(err)
			}
		}
		wang := w.open(w.Wang, "")
		a := w.create(w.Li, "seen by the group")
		w.seal()
		wang.expect("ticket.changed " + a)
	})
}

// TestPartnersPeople hear of what is their partner's business only.
func TestPartnersPeople(t *testing.T) {
	t.Parallel()
	each(t, live.Options{}, func(w *world) {
		ctx, house := w.T.Context(), principal.AsSystem(principal.House)
		blue, err := w.Ident.CreatePartner(ctx, house, identity.Partner{Name: "Blue", Whitelisted: true, Hours: identity.Hours{Zone: "GMT+08:00", Days: 5, Day: 8}})
		if err != nil {
			w.T.Fatal(err)
		}
		if err := w.Ident.ServedBy(ctx, house, w.Foreign.Domain, blue.ID); err != nil {
			w.T.Fatal(err)
		}
		nora := w.Chen
		nora.User, nora.Partner = "nora", blue.ID
		c := w.open(nora, "")
		w.create(w.Foreign, "stays with the house")
		given := w.create(w.Foreign, "goes to the partner")
		if _, err := w.Tickets.Transfer(ctx, w.Chen, ticket.Transfer{Numbers: []string{given}, To: ticket.PartnerBusiness}); err != nil {
			w.T.Fatal(err)
		}
		w.seal()
		c.expect("ticket.changed " + given)
	})
}

// TestResume: a reconnect goes on behind the last event seen, by the numbers the
// client knows; a gap that is too old, or a number never given, is answered by
// reset.
func TestResume(t *testing.T) {
	t.Parallel()
	each(t, live.Options{}, func(w *world) {
		for _, who := range []principal.Principal{w.Li, w.Chen} {
			c := w.open(who, "")
			a := w.create(w.Li, "first")
			w.seal()
			c.expect("ticket.changed " + a)
			last := c.lastID
			c.cancel()
			_ = c.s.Close()
			w.create(w.Foreign, "of others")
			b, d := w.create(w.Li, "second"), w.create(w.Li, "third")
			w.seal()
			again := w.open(who, last)
			if who.Kind == principal.Customer {
				again.expect("ticket.changed "+b, "ticket.changed "+d)
			} else {
				for kind, data := again.next(); data["ticket"] != d; kind, data = again.next() {
					if data["ticket"] == a || kind != "ticket.changed" {
						w.T.Fatalf("%s %v", kind, data)
					}
				}
			}
			// Nothing happened since: nothing is told, not even reset.
			quiet := w.open(who, again.lastID)
			e := w.create(w.Li, "fourth")
			w.seal()
			quiet.expect("ticket.changed " + e)

			w.open(who, "999999999").expect("reset")
			w.Clock.Add(11 * time.Minute)
			f := w.create(w.Li, "much later")
			w.seal()
			old := w.open(who, last)
			old.expect("reset")
			w.create(w.Li, "after the reset")
			w.seal()
			if kind, data := old.next(); kind != "ticket.changed" || data["ticket"] == f {
				w.T.Errorf("%s %v", kind, data)
			}
		}
	})
}

// TestBeat: a sign of life when it begins and then each beat, at each of which the session is asked for; the
// stream ends with it, with its context, and with the hub.
func TestBeat(t *testing.T) {
	t.Parallel()
	each(t, live.Options{Beat: 20 * time.Millisecond, PerUser: 2}, func(w *world) {
		beats := 0
		s, err := w.hub.Open(w.T.Context(), w.Li, "", func(context.Context, bool) (principal.Principal, error) {
			if beats++; beats > 2 {
				return w.Li, errors.New("over")
			}
			return w.Li, nil
		})
		if err != nil {
			w.T.Fatal(err)
		}
		all, err := io.ReadAll(s)
		if err != nil || strings.Count(string(all), "event: alive\ndata: {\"every\":20}\n\n") != 3 || beats != 3 {
			w.T.Errorf("%q %v, %d beats", all, err, beats)
		}
		second, err := w.hub.Open(w.T.Context(), w.Li, "", always(w.Li))
		if err != nil {
			w.T.Fatal(err)
		}
		if _, err := w.hub.Open(w.T.Context(), w.Li, "", always(w.Li)); !tooMany(err) {
			w.T.Errorf("a third stream of one user: %v", err)
		}
		if err := s.Close(); err != nil {
			w.T.Error(err)
		}
		if err := s.Close(); err != nil {
			w.T.Error(err)
		}
		ctx, cancel := context.WithCancel(w.T.Context())
		third, err := w.hub.Open(ctx, w.Li, "", always(w.Li))
		if err != nil {
			w.T.Fatalf("after one was closed: %v", err)
		}
		cancel()
		if _, err := io.ReadAll(third); err != nil {
			w.T.Error(err)
		}
		w.hub.Close()
		if _, err := io.ReadAll(second); err != nil {
			w.T.Error(err)
		}
	})
}

// TestShutOutIsToldNothing: whoever may not go on is not told what happens then,
// however far the next sign of life is; what happens between is asked once for.
func TestShutOutIsToldNothing(t *testing.T) {
	t.Parallel()
	each(t, live.Options{Beat: time.Hour}, func(w *world) {
		w.seal() // they were made: what is said of somebody has him asked for, too
		for _, who := range []principal.Principal{w.Chen, w.Li} {
			asked, over := 0, false
			ctx, cancel := context.WithCancel(w.T.Context())
			defer cancel()
			s, err := w.hub.Open(ctx, who, "", func(context.Context, bool) (principal.Principal, error) {
				if asked++; over {
					return who, errors.New("over")
				}
				return who, nil
			})
			if err != nil {
				w.T.Fatal(err)
			}
			c := &client{t: w.T.(*testing.T), s: s, lines: bufio.NewScanner(s), cancel: cancel}
			before := w.create(w.Li, "while he is in")
			again := w.create(w.Li, "and another")
			w.seal()
			c.expect("ticket.changed "+before, "ticket.changed "+again)
			if asked != 1 {
				w.T.Errorf("asked %d times", asked)
			}
			over = true
			w.create(w.Li, "behind his back")
			w.seal()
			late := time.AfterFunc(20*time.Second, cancel) // a stream that goes on ends then
			if rest, err := io.ReadAll(s); err != nil || len(rest) != 0 {
				w.T.Errorf("%s is shut out and told %q, %v", who.User, rest, err)
			}
			late.Stop()
			_ = s.Close()
		}
	})
}

// TestRightsAreLost: a role that is taken, a switch that is turned and a password
// that is set reach open streams with their event, however far the next sign of
// life is: with other roles, and for who is nobody any more, a stream ends; what
// an account's people may see narrows.
func TestRightsAreLost(t *testing.T) {
	t.Parallel()
	each(t, live.Options{Beat: time.Hour}, func(w *world) {
		ctx, house := w.T.Context(), principal.AsSystem(principal.House)
		session := func(domain, user, name string) (principal.Principal, live.Still) {
			const password = "Correct-horse-1"
			if err := w.Ident.SetPassword(ctx, house, domain, user, password); err != nil {
				w.T.Fatal(err)
			}
			o, _, err := w.Ident.LoginBrowser(ctx, identity.Login{DomainID: domain, User: name, Password: password, Engineer: domain == principal.House}, identity.Browser{})
			if err != nil {
				w.T.Fatal(err)
			}
			still := func(ctx context.Context, fresh bool) (principal.Principal, error) {
				return w.Ident.Holder(ctx, o.Secret, fresh)
			}
			who, err := still(ctx, true)
			if err != nil {
				w.T.Fatal(err)
			}
			return who, still
		}
		stream := func(who principal.Principal, still live.Still) *client {
			ctx, cancel := context.WithCancel(ctx)
			s, err := w.hub.Open(ctx, who, "", still)
			if err != nil {
				w.T.Fatal(err)
			}
			w.T.(*testing.T).Cleanup(func() { cancel(); _ = s.Close() })
			return &client{t: w.T.(*testing.T), s: s, lines: bufio.NewScanner(s), cancel: cancel, calm: true}
		}
		ends := func(c *client, why string) {
			late := time.AfterFunc(20*time.Second, func() { w.T.Errorf("%s: the stream goes on", why); c.cancel() })
			defer late.Stop()
			for c.lines.Scan() {
				if line := c.lines.Text(); strings.HasPrefix(line, "event: ") && line != "event: "+live.Counts && line != "event: "+live.Alive {
					w.T.Errorf("%s: told %s", why, c.lines.Text())
				}
			}
		}
		if _, err := w.Ident.GrantRole(ctx, house, w.Chen.User, principal.RoleSupervisor); err != nil {
			w.T.Fatal(err)
		}
		chen, chenStill := session(principal.House, w.Chen.User, "chen")
		_, wangStill := session(w.Wang.Domain, w.Wang.User, "wang")
		emma, emmaStill := session(principal.House, w.Emma.User, "emma")
		if err := w.Ident.Set(ctx, w.Boss, identity.SwitchAssumeAll, true); err != nil {
			w.T.Fatal(err)
		}
		wang, err := wangStill(ctx, true)
		if err != nil {
			w.T.Fatal(err)
		}
		w.seal()
		engineer, other, customer := stream(chen, chenStill), stream(emma, emmaStill), stream(wang, wangStill)
		seen := w.create(w.Li, "a colleague's, while everybody sees all")
		w.seal()
		for _, c := range []*client{engineer, other, customer} {
			c.expect("ticket.changed " + seen)
		}
		if _, err := w.Ident.RevokeRole(ctx, house, w.Chen.User, principal.RoleSupervisor); err != nil {
			w.T.Fatal(err)
		}
		if err := w.Ident.Set(ctx, w.Boss, identity.SwitchAssumeAll, false); err != nil {
			w.T.Fatal(err)
		}
		hidden, own := w.create(w.Li, "a colleague's, behind the switch"), w.create(w.Wang, "his own")
		w.seal()
		ends(engineer, "a role was taken")
		customer.expect("ticket.changed " + own)
		other.expect("ticket.changed "+hidden, "ticket.changed "+own)
		if err := w.Ident.SetPassword(ctx, house, principal.House, w.Emma.User, "Another-horse-2"); err != nil {
			w.T.Fatal(err)
		}
		w.create(w.Li, "behind her back")
		w.seal()
		ends(other, "her sessions ended")
	})
}

// TestGroupsAreLeft: who left a group hears of its tickets a second longer at
// most.
func TestGroupsAreLeft(t *testing.T) {
	t.Parallel()
	each(t, live.Options{}, func(w *world) {
		ctx, house := w.T.Context(), principal.AsSystem(principal.House)
		g, err := w.Ident.CreateGroup(ctx, house, identity.NewGroup{Domain: w.Li.Domain, Name: "ops", Roles: []string{identity.TicketGroupOperator}})
		if err != nil {
			w.T.Fatal(err)
		}
		for _, u := range []principal.Principal{w.Li, w.Wang} {
			if err := w.Ident.AddMember(ctx, house, u.Domain, g.ID, u.User); err != nil {
				w.T.Fatal(err)
			}
		}
		wang := w.open(w.Wang, "")
		a := w.create(w.Li, "seen by the group")
		w.seal()
		wang.expect("ticket.changed " + a)
		if err := w.Ident.RemoveMember(ctx, house, w.Wang.Domain, g.ID, w.Wang.User); err != nil {
			w.T.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond) // the scope is known for a second of real time
		w.create(w.Li, "no business of his")
		b := w.create(w.Wang, "his own")
		w.seal()
		wang.expect("ticket.changed " + b)
	})
}

// TestRunsByItself: with the reader and the sealer running, a change is told
// well within a second.
func TestRunsByItself(t *testing.T) {
	t.Parallel()
	each(t, live.Options{}, func(w *world) {
		ctx, cancel := context.WithCancel(w.T.Context())
		done := make(chan struct{}, 2)
		go func() { w.hub.Run(ctx); done <- struct{}{} }()
		go func() { _ = w.sealer.Run(ctx); done <- struct{}{} }()
		c := w.open(w.Li, "")
		began := time.Now()
		a := w.create(w.Li, "now")
		c.expect("ticket.changed " + a)
		if took := time.Since(began); took > 15*time.Second { // well within a second, on a machine that does nothing else
			w.T.Errorf("told after %v", took)
		}
		cancel()
		<-done
		<-done
	})
}

// TestRingIsBounded: however much happens, what is kept is bounded; a client
// that did not read meanwhile is told to read anew.
func TestRingIsBounded(t *testing.T) {
	t.Parallel()
	each(t, live.Options{Keep: 100}, func(w *world) {
		c := w.open(w.Boss, "")
		number := w.create(w.Li, "busy")
		t, err := w.Tickets.DeskShow(w.T.Context(), w.Chen, number)
		if err != nil {
			w.T.Fatal(err)
		}
		err = w.DB.Update(w.T.Context(), func(tx *db.Tx) error {
			for range 200 {
				event.Record(tx, w.Li, event.Event{Domain: w.Li.Domain, Kind: "ticket.urge", Subject: "ticket", SubjectID: t.ID, LogCode: event.NoLog})
			}
			return nil
		})
		if err != nil {
			w.T.Fatal(err)
		}
		w.seal()
		c.expect("reset")
	})
}

func tooMany(err error) bool {
	f, ok := fault.As(err)
	return ok && f.Kind == fault.TooMany
}
