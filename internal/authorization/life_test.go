package authorization_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/authorization"
	"casemate/internal/config"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// The table of the life, written down from authorization_status.csv and
// semantics.md section 8, not from the code.
var rules = []struct {
	step  string
	from  []authorization.Status
	to    authorization.Status
	quiet bool // outside its states it does nothing instead of being refused
}{
	{step: "approve", from: []authorization.Status{6}, to: 0},
	{step: "refuse", from: []authorization.Status{6}, to: 7},
	{step: "recall", from: []authorization.Status{0, 6}, to: 4},
	{step: "confirm", from: []authorization.Status{0}, to: 1},
	{step: "reject", from: []authorization.Status{0}, to: 2},
	{step: "cancel", from: []authorization.Status{1}, to: 5},
	{step: "clock", from: []authorization.Status{0, 1, 6}, to: 3, quiet: true},
	{step: "ticket closed", from: []authorization.Status{0, 1, 6}, to: 3, quiet: true},
}

var states = []authorization.Status{0, 1, 2, 3, 4, 5, 6, 7}

// into brings a new request of chen's into a state.
func (w *world) into(number string, s authorization.Status) string {
	w.t.Helper()
	w.clock.Add(time.Millisecond)
	id, err := w.s.Request(w.t.Context(), w.chen, host(number))
	w.ok(err)
	if s != 6 && s != 7 {
		w.ok(w.house(w.zhao, id, "approve"))
	}
	switch s {
	case 1:
		w.ok(w.confirm(w.li, id))
	case 2:
		w.ok(w.do(w.li, id, "reject"))
	case 3:
		w.clock.Add(7 * 24 * time.Hour)
		w.work()
	case 4:
		w.ok(w.house(w.chen, id, "recall"))
	case 5:
		w.ok(w.confirm(w.li, id))
		w.ok(w.do(w.li, id, "cancel"))
	case 7:
		w.ok(w.house(w.zhao, id, "refuse"))
	}
	if got := w.status(id); got != s {
		w.t.Fatalf("made an authorization in state %d, want %d", got, s)
	}
	return id
}

// TestRules tries every step in every state: the legal ones lead where the
// table says, the others are refused with OSM.01010002 and change nothing.
func TestRules(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		tried := 0
		for _, from := range states {
			for _, r := range rules {
				number := w.create(w.li, "every step in every state")
				id := w.into(number, from)
				before, err := w.s.DeskShow(w.t.Context(), w.admin, id)
				w.ok(err)
				switch r.step {
				case "approve", "refuse":
					err = w.house(w.zhao, id, r.step)
				case "recall":
					err = w.house(w.chen, id, r.step)
				case "confirm":
					err = w.confirm(w.li, id)
				case "reject", "cancel":
					err = w.do(w.li, id, r.step)
				case "clock":
					w.clock.Add(30 * 24 * time.Hour)
					w.work()
				case "ticket closed":
					w.ok(w.tickets.Do(w.t.Context(), w.li, ticket.Act{Number: number, Action: ticket.Close}))
					w.follow()
				}
				tried++
				legal := slices.Contains(r.from, from)
				want := from
				switch {
				case legal:
					w.ok(err)
					want = r.to
				case r.quiet:
					w.ok(err)
				default:
					w.refused(err, "01010002")
				}
				after, err := w.s.DeskShow(w.t.Context(), w.admin, id)
				w.ok(err)
				if after.Status != want {
					w.t.Errorf("%s in %d led to %d, want %d", r.step, from, after.Status, want)
				}
				if !legal && after.Revision != before.Revision {
					w.t.Errorf("%s in %d changed the authorization", r.step, from)
				}
				if ended := !after.Status.Open(); ended != (after.ErasedAt > 0) || ended != (after.Due == 0) {
					w.t.Errorf("%s in %d: state %d, erased %d, due %d", r.step, from, after.Status, after.ErasedAt, after.Due)
				}
			}
		}
		w.t.Logf("REPORT authorization rules (%s): %d steps in states tried\n", w.db.Dialect(), tried)
	})
}

// TestWho: whose request waits for whom, and who may take which step.
func TestWho(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		number := w.create(w.li, "who")
		for _, tt := range []struct {
			who  principal.Principal
			as   string
			want authorization.Status
		}{{w.chen, "", 6}, {w.zhao, "", 0}, {w.admin, "", 0}, {w.local, w.chen.User, 0}} {
			in := host(number)
			in.Engineer = tt.as
			id, err := w.s.Request(w.t.Context(), tt.who, in)
			w.ok(err)
			if got := w.status(id); got != tt.want {
				w.t.Errorf("%s asks: state %d, want %d", tt.who.UserName, got, tt.want)
			}
		}
		in := host(number)
		for _, who := range []principal.Principal{w.auditor, w.li, {}, w.local} {
			_, err := w.s.Request(w.t.Context(), who, in)
			w.refused(err, "01010002")
		}
		in.Engineer = w.emma.User
		_, err := w.s.Request(w.t.Context(), w.chen, in)
		w.refused(err, "01010002")

		id := w.into(number, 6)
		for _, who := range []principal.Principal{w.chen, w.emma, w.auditor, w.li} {
			w.refused(w.house(who, id, "approve"), "01010002")
			w.refused(w.house(who, id, "refuse"), "01010002")
		}
		w.refused(w.house(w.emma, id, "recall"), "01010002") // chen asked
		_, err = w.s.Step(w.t.Context(), w.zhao, id, "refuse", "  ")
		w.refused(err, "01010001", "reason")
		_, err = w.s.Step(w.t.Context(), w.zhao, id, "jump", "")
		w.refused(err, "01010001", "action")
		_, err = w.s.Step(w.t.Context(), w.zhao, "Auth-none", "recall", "")
		w.refused(err, "01010001", "authorization_id")
		w.ok(w.house(w.local, id, "refuse"))
		w.refused(w.do(w.li, id, "grant"), "01010001", "action_id")
		w.refused(w.do(w.li, id, ""), "01010001", "action_id")
	})
	t.Run("without supervisors", func(t *testing.T) {
		each(t, authorization.Options{Config: config.Authorization{Approval: config.ApprovalNone}}, func(w *world) {
			id, err := w.s.Request(w.t.Context(), w.chen, host(w.create(w.li, "who")))
			w.ok(err)
			if got := w.status(id); got != authorization.Asked {
				w.t.Errorf("state %d", got)
			}
		})
	})
}

// TestNotice: the ticket's contacts hear of a request when it is theirs to
// answer, not before.
func TestNotice(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		number := w.create(w.li, "notice")
		w.work()
		w.post.take()
		id := w.into(number, 6)
		w.work()
		if got := w.post.take(); len(got) != 0 {
			w.t.Errorf("%d notices before the approval", len(got))
		}
		w.ok(w.house(w.zhao, id, "approve"))
		w.work()
		got := w.post.take()
		if len(got) != 1 || got[0].To != "li@example.com" {
			w.t.Fatalf("notices %+v", got)
		}
	})
}

// TestOneWins: the customer grants and the engineer takes back at once: one of
// them wins, and the state says which.
func TestOneWins(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		number := w.create(w.li, "race")
		granted := 0
		for range 8 {
			id := w.ask(number)
			g := w.grant(id)
			yes, no := make(chan error, 1), make(chan error, 1)
			go func() { yes <- w.s.Confirm(w.t.Context(), w.li, g) }()
			go func() { no <- w.house(w.zhao, id, "recall") }()
			a, b := <-yes, <-no
			if (a == nil) == (b == nil) {
				w.t.Fatalf("confirm: %v, recall: %v", a, b)
			}
			want := authorization.Recalled
			if lost := b; a == nil {
				want = authorization.Granted
				granted++
				w.refused(lost, "01010002")
				w.ok(w.do(w.li, id, "cancel"))
				want = authorization.Withdrawn
			} else {
				w.refused(a, "01010002")
			}
			if got := w.status(id); got != want {
				w.t.Errorf("state %d, want %d", got, want)
			}
		}
		w.t.Logf("granted %d of 8", granted)
	})
}

// told looks whether the newest lines of a ticket's history about authorizations
// are these.
func (w *world) told(number string, want ...string) {
	w.t.Helper()
	page, _, err := w.tickets.History(w.t.Context(), w.chen, number, 0, 100)
	w.ok(err)
	var got []string
	for _, p := range page {
		if strings.HasPrefix(p.Kind, "ticket.authorization.") {
			got = append(got, p.Kind)
		}
	}
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		w.t.Errorf("the history of %s tells %v, want first %v", number, got, want)
	}
}

// TestClock: to the millisecond, with the clock the test sets.
func TestClock(t *testing.T) {
	each(t, authorization.Options{Config: config.Authorization{PendingDays: 2}}, func(w *world) {
		number := w.create(w.li, "clock")
		waiting := w.into(number, 6)
		w.clock.Add(47 * time.Hour)
		approved := w.into(number, 6)
		w.ok(w.house(w.zhao, approved, "approve"))
		w.clock.Add(time.Hour - 10*time.Millisecond)
		w.work()
		if got := w.status(waiting); got != authorization.Approval {
			w.t.Errorf("expired before its time: %d", got)
		}
		w.clock.Add(10 * time.Millisecond)
		w.work()
		if got := w.status(waiting); got != authorization.Expired {
			w.t.Errorf("a request nobody approved: %d", got)
		}
		if got := w.status(approved); got != authorization.Asked {
			w.t.Errorf("an approval gives the customer the whole time: %d", got)
		}
		// Granted: the old due time is stale, the window's end counts.
		g := w.grant(approved)
		g.Expire = w.now() + (5 * 24 * time.Hour).Milliseconds()
		w.ok(w.s.Confirm(w.t.Context(), w.li, g))
		w.clock.Add(3 * 24 * time.Hour)
		w.work()
		if got := w.status(approved); got != authorization.Granted {
			w.t.Errorf("a grant ended with the request's time: %d", got)
		}
		w.clock.Add(2*24*time.Hour - time.Millisecond)
		w.work()
		if got := w.status(approved); got != authorization.Granted {
			w.t.Errorf("a millisecond early: %d", got)
		}
		w.clock.Add(time.Millisecond)
		w.work()
		if got := w.status(approved); got != authorization.Expired {
			w.t.Errorf("at the window's end: %d", got)
		}
		if a, err := w.s.DeskShow(w.t.Context(), w.chen, approved); err != nil || a.StateName(locale.EN) != "Expired" || a.Reason(locale.ZH) != "" {
			w.t.Errorf("by time: %q, %q (%v)", a.StateName(locale.EN), a.Reason(locale.ZH), err)
		}
		w.told(number, "ticket.authorization.expire", "ticket.authorization.confirm", "ticket.authorization.expire", "ticket.authorization.approve")
	})
}

// TestTicketEnds: with its ticket an authorization ends, whatever ended it; the
// customer no longer sees those of a deleted ticket.
func TestTicketEnds(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		granted := func(number string) string { // for twenty days
			id := w.into(number, 0)
			g := w.grant(id)
			g.Expire = w.now() + (20 * 24 * time.Hour).Milliseconds()
			w.ok(w.s.Confirm(w.t.Context(), w.li, g))
			return id
		}
		act := func(number, action string) {
			w.ok(w.tickets.Do(w.t.Context(), w.li, ticket.Act{Number: number, Action: action}))
		}
		for _, how := range []string{"close", "cancel", "invalid", "delete", "silence"} {
			number := w.fresh(w.li, "ends by "+how)
			if how != "cancel" {
				w.step(number, ticket.StepAccept, "")
			}
			id, other := granted(number), granted(w.create(w.li, "goes on"))
			switch how {
			case "invalid":
				w.step(number, ticket.StepInvalid, "spam")
			case "silence":
				w.step(number, ticket.StepResolve, "done")
				w.clock.Add(3 * 24 * time.Hour)
				w.work()
			case "cancel":
				act(number, ticket.Cancel)
			default:
				act(number, ticket.Close)
			}
			// Before the reader has seen it nobody can use it any more.
			_, err := w.s.Reveal(w.t.Context(), w.chen, id, w.detail(id), "")
			w.refused(err, "01010002")
			w.follow()
			if got := w.status(id); got != authorization.Expired {
				w.t.Errorf("%s: state %d", how, got)
			}
			// It did not expire: its ticket was closed, which the desk and the
			// customer read wherever it stands.
			desk, err := w.s.OfTicket(w.t.Context(), w.chen, number)
			w.ok(err)
			mine, err := w.s.Show(w.t.Context(), w.li, id, "")
			w.ok(err)
			list, _, err := w.s.List(w.t.Context(), w.li, authorization.Filter{Number: number})
			w.ok(err)
			if len(desk) != 1 || len(list) != 1 {
				w.t.Fatalf("%s: %d on the desk, %d of the customer", how, len(desk), len(list))
			}
			for _, a := range []authorization.Authorization{desk[0].Authorization, mine.Authorization, list[0].Authorization} {
				if zh, en := a.StateName(locale.ZH), a.Reason(locale.EN); zh != "工单已关闭，授权已结束" || en != "Ended, the ticket was closed" {
					w.t.Errorf("%s: called %q, %q", how, zh, en)
				}
			}
			w.told(number, "ticket.authorization.end", "ticket.authorization.confirm", "ticket.authorization.approve", "ticket.authorization.request")
			for lang, title := range map[locale.Language]string{locale.ZH: "工单已关闭，授权已结束", locale.EN: "Authorization ended: the ticket was closed"} {
				page, _, err := w.tickets.Audit(w.t.Context(), w.boss, lang, ticket.AuditFilter{Resource: "authorization", ResourceID: id})
				w.ok(err)
				var names []string
				for _, x := range page {
					names = append(names, x.Name)
					if x.Name == "requestAuthorization" && (x.Kind != principal.Engineer || x.ActorName != "chen" || x.Actor == "" || x.Actor == w.chen.User) {
						w.t.Errorf("who asked is %q (%s)", x.ActorName, x.Kind)
					}
				}
				if len(page) == 0 || page[0].Title != title || !slices.Equal(names, []string{"expireAuthorization", "confirmAuthorizations", "requestAuthorization"}) {
					w.t.Errorf("%s: the customer's audit has %v, %+v", how, names, page)
				}
			}
			if got := w.status(other); got != authorization.Granted {
				w.t.Errorf("%s ended another ticket's authorization: %d", how, got)
			}
			if how == "delete" {
				w.ok(w.tickets.Do(w.t.Context(), w.li, ticket.Act{Number: number, Action: ticket.Delete}))
				_, err := w.s.Show(w.t.Context(), w.li, id, "")
				w.refused(err, "01010001", "authorization_id")
				w.follow()
				page, _, err := w.s.List(w.t.Context(), w.li, authorization.Filter{Number: number})
				if err != nil || len(page) != 0 {
					w.t.Errorf("a deleted ticket's authorizations are listed: %v, %v", page, err)
				}
			}
			_, err = w.s.Request(w.t.Context(), w.zhao, host(number))
			if fault.KindOf(err) != fault.Conflict && !errors.Is(err, fault.NoTicket) {
				w.t.Errorf("asked in a ticket that has ended: %v", err)
			}
		}
	})
}

// TestSweep: what the reader of the history cannot have seen is ended as well;
// open tickets' stay.
func TestSweep(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		number := w.create(w.li, "sweep")
		id, stays := w.into(number, authorization.Asked), w.into(w.create(w.li, "stays"), authorization.Granted)
		w.ok(w.tickets.Do(w.t.Context(), w.li, ticket.Act{Number: number, Action: ticket.Close}))
		w.ok(w.s.Sweep(w.t.Context()))
		if a, b := w.status(id), w.status(stays); a != authorization.Expired || b != authorization.Granted {
			w.t.Errorf("states %d and %d", a, b)
		}
	})
}

// TestNames: every state has its name in both languages, as the table says.
func TestNames(t *testing.T) {
	t.Parallel()
	for s, want := range map[authorization.Status][2]string{0: {"待授权", "To be authorized"}, 1: {"已授权", "Authorized"}, 2: {"已拒绝", "Rejected"}, 3: {"已过期", "Expired"},
		4: {"已撤回", "Recalled"}, 5: {"已取消", "Canceled"}, 6: {"授权审批中", "In approval"}, 7: {"授权审批被驳回", "Approval rejected"}} {
		if s.Name(locale.ZH) != want[0] || s.Name(locale.EN) != want[1] {
			t.Errorf("%d: %s, %s", s, s.Name(locale.ZH), s.Name(locale.EN))
		}
	}
	for _, kinds := range [][]authorization.Kind{authorization.Resources, authorization.Visits, authorization.Contents} {
		for _, k := range kinds {
			if k.Name.ZH == "" || k.Name.EN == "" || authorization.NameOf(kinds, k.ID, locale.EN) != k.Name.EN {
				t.Errorf("kind %+v", k)
			}
		}
	}
}
