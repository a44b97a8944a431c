package queue_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// TestClaim: 32 at once get 32 tickets, none twice, in the queue's order.
func TestClaim(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.Unlimited()
		const n = 32
		people := make([]principal.Principal, 8) // each claims four times at once
		for i := range people {
			people[i] = w.Engineer(fmt.Sprint("e", i), fmt.Sprint("E", i), principal.RoleEngineer)
		}
		team := w.team("t", people...)
		q := w.queue(queue.Queue{Team: team.ID, Sort: ticket.SortOldest, Hard: true})
		var numbers []string
		for i := range n + 3 {
			numbers = append(numbers, w.Create(w.Boss, fmt.Sprint(i)))
		}
		var mu sync.Mutex
		got := map[string]string{}
		var wg sync.WaitGroup
		for i := range n {
			p := people[i%len(people)]
			wg.Go(func() {
				t, over, err := w.q.Claim(w.t.Context(), p, q.ID)
				if err != nil || over.Load != 0 {
					w.t.Errorf("%s: %v %v", p.UserName, err, over)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if other := got[t.Number]; other != "" {
					w.t.Errorf("%s went to %s and %s", t.Number, other, p.UserName)
				}
				if got[t.Number] = p.UserName; t.Assignee != p.User || t.Status != ticket.Processing {
					w.t.Errorf("%s after the claim: %+v", t.Number, t)
				}
			})
		}
		wg.Wait()
		for i, number := range numbers {
			if (got[number] != "") != (i < n) {
				w.t.Errorf("ticket %d: %q", i, got[number])
			}
		}
		if claims := len(w.events("queue.claim")); claims != n {
			w.t.Errorf("%d events of claims", claims)
		}
	})
}

// TestClaimRules: the team, skills and capacity; accept only warns, unless a
// queue that holds the ticket is hard.
func TestClaimRules(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		team := w.team("t", w.Chen)
		hard := w.queue(queue.Queue{Team: team.ID, Hard: true, Filter: ticket.RowFilter{Domains: []string{w.Boss.Domain}}})
		soft := w.queue(queue.Queue{Filter: ticket.RowFilter{Domains: []string{w.Foreign.Domain}, Statuses: open, Assignee: "none"}})
		_, _, err := w.q.Claim(ctx, w.Chen, hard.ID)
		w.Refused(err, "01010002")
		a, b := w.Create(w.Boss, "a"), w.Create(w.Boss, "b")
		c, d := w.Create(w.Foreign, "c"), w.Create(w.Foreign, "d")
		w.set(w.Chen, 1, queue.Skills{Languages: []string{"en-us"}})
		_, _, err = w.q.Claim(ctx, w.Chen, hard.ID)
		w.Refused(err, "01010002") // both are in Chinese
		w.set(w.Chen, 1, queue.Skills{})
		_, _, err = w.q.Claim(ctx, w.Emma, hard.ID)
		w.Refused(err, "01010002")
		for _, who := range []principal.Principal{w.Auditor, w.Boss, local} {
			if _, _, err := w.q.Claim(ctx, who, hard.ID); fault.KindOf(err) != fault.Forbidden {
				w.t.Errorf("%s claims: %v", who.UserName, err)
			}
		}
		if _, _, err := w.q.Claim(ctx, w.Chen, "no such"); fault.KindOf(err) != fault.NotFound {
			w.t.Errorf("a queue that is not there: %v", err)
		}
		got, over, err := w.q.Claim(ctx, w.Chen, hard.ID)
		w.OK(err)
		if got.Number != a || over.Load != 0 {
			w.t.Errorf("claimed %s %v", got.Number, over)
		}
		_, _, err = w.q.Claim(ctx, w.Chen, hard.ID)
		w.Refused(err, "01010002") // full, and the queue is hard
		_, _, err = w.q.Accept(ctx, w.Chen, ticket.Step{Number: b, Action: ticket.StepAccept})
		w.Refused(err, "01010002")
		if got := w.show(b).Assignee; got != "" {
			w.t.Errorf("refused, and yet it is %q's", got)
		}
		got, over, err = w.q.Accept(ctx, w.Chen, ticket.Step{Number: c, Action: ticket.StepAccept})
		w.OK(err)
		if got.Assignee != w.Chen.User || over != (queue.Over{Load: 2, Capacity: 1}) || !strings.Contains(over.Warning(locale.EN), "2 open tickets") {
			w.t.Errorf("accepted: %s %+v %s", got.Assignee, over, over.Warning(locale.EN))
		}
		got, over, err = w.q.Claim(ctx, w.Chen, soft.ID)
		w.OK(err)
		if got.Number != d || over.Load != 3 {
			w.t.Errorf("claimed %s %v", got.Number, over)
		}
		_, over, err = w.q.Accept(ctx, w.Emma, ticket.Step{Number: b, Action: ticket.StepAccept})
		w.OK(err)
		if over.Load != 0 {
			w.t.Errorf("a warning for one with room: %v", over)
		}
		_, _, err = w.q.Accept(ctx, w.Emma, ticket.Step{Number: "TS2601010000000000000", Action: ticket.StepAccept})
		w.Refused(err, "01010015")
	})
}

// TestTransferToTeam: a ticket given to a team or a queue has no handler and
// shows the team; the documented rules hold.
func TestTransferToTeam(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		blue, red := w.team("blue", w.Chen), w.team("red", w.Emma)
		q := w.queue(queue.Queue{Team: red.ID, Way: queue.RoundRobin, Filter: ticket.RowFilter{Teams: []string{red.ID}, Languages: []string{"zh-cn"}}})
		unserved := w.queue(queue.Queue{})
		a, b := w.Create(w.Boss, "a"), w.Create(w.Boss, "b")
		foreign := w.Create(w.Foreign, "f")
		over := w.Create(w.Boss, "over")
		w.OK(w.Act(w.Boss, over, ticket.Cancel))
		w.OK(w.Step(w.Chen, a, "accept", ""))
		transfer := func(team, queue string, numbers ...string) (codes []string, err error) {
			all, err := w.q.Transfer(ctx, w.Chen, ticket.Transfer{Numbers: numbers, Text: "yours"}, team, queue)
			for _, r := range all {
				if r.Refusal == nil {
					codes = append(codes, "ok")
				} else {
					codes = append(codes, strings.TrimPrefix(r.Refusal.Code, "OSM.010100"))
				}
			}
			return codes, err
		}
		want := func(got []string, err error, want string) {
			w.t.Helper()
			if err != nil || strings.Join(got, " ") != want {
				w.t.Errorf("%v %v, want %s", got, err, want)
			}
		}
		got, err := transfer(blue.ID, "", a, over, "TS2601010000000000000")
		want(got, err, "ok 62 15")
		if t := w.show(a); t.Assignee != "" || t.Team != blue.ID || t.TeamName.EN != "blue" || t.Status != ticket.Processing {
			w.t.Errorf("transferred: %+v", t)
		}
		got, err = transfer(blue.ID, "", a)
		want(got, err, "02")
		_, err = transfer(blue.ID, "", a, foreign)
		w.Refused(err, "01010048")
		_, err = transfer("no such", "", a)
		w.Refused(err, "01010001")
		_, err = transfer("", "no such", a)
		w.Refused(err, "01010001")
		_, err = transfer(blue.ID, q.ID, a)
		w.Refused(err, "01010001")
		_, err = transfer("", unserved.ID, a)
		w.Refused(err, "01010002")
		_, err = w.q.Transfer(ctx, w.Chen, ticket.Transfer{Numbers: []string{a}, Handler: "emma"}, blue.ID, "")
		w.Refused(err, "01010001")
		_, err = w.q.Transfer(ctx, w.Chen, ticket.Transfer{Numbers: []string{a}, To: ticket.PartnerBusiness}, blue.ID, "")
		w.Refused(err, "01010001")
		// Into a queue that gives by itself: its team gets it.
		w.say(w.Emma, queue.Online)
		got, err = transfer("", q.ID, a)
		want(got, err, "ok")
		w.assign()
		if t := w.show(a); t.Assignee != w.Emma.User || t.Team != red.ID {
			w.t.Errorf("in the queue: %q of %q", t.Assignee, t.Team)
		}
		// A queue takes only what its filter holds.
		q.Filter.Languages = []string{"en-us"}
		_, err = w.q.ChangeQueue(ctx, root, q)
		w.OK(err)
		got, err = transfer("", q.ID, b)
		want(got, err, "02")
		// The team is filtered by in the desk's list.
		for team, n := range map[string]int{red.ID: 1, blue.ID: 0, "none": 2} {
			_, total, _, err := w.Tickets.Desk(ctx, w.Chen, ticket.DeskFilter{Team: team, Statuses: open})
			if err != nil || total != n {
				w.t.Errorf("team %s: %d %v, want %d", team, total, err, n)
			}
		}
		// A transfer to a person, or to another side, ends the team's part.
		_, err = w.Tickets.Take(ctx, w.Emma, ticket.Step{Number: a, Action: ticket.StepTransfer, Assignee: "chen"})
		w.OK(err)
		if t := w.show(a); t.Team != "" || t.Assignee != w.Chen.User {
			w.t.Errorf("given to a person: %+v", t)
		}
	})
}

// TestPartnersPeople: a partner's people see and claim what is theirs, and
// nothing of teams.
func TestPartnersPeople(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx, house := w.t.Context(), principal.AsSystem(principal.House)
		blue, err := w.Ident.CreatePartner(ctx, house, identity.Partner{Name: "Blue", Whitelisted: true, Hours: identity.Hours{Zone: "GMT+08:00", Days: 5, Day: 8}})
		w.OK(err)
		u, err := w.Ident.CreateUser(ctx, house, identity.NewUser{Domain: principal.House, Name: "nora", Password: "a-Password-1", Role: principal.RoleEngineer, Partner: blue.ID})
		w.OK(err)
		nora := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: u.ID, UserName: "nora", Role: principal.RoleEngineer, Partner: blue.ID}
		w.OK(w.Ident.ServedBy(ctx, house, w.Foreign.Domain, blue.ID))
		team := w.team("t", w.Chen)
		hidden := w.queue(queue.Queue{Team: team.ID})
		var foreign []queue.Queue // of the house, with ids in them or without
		for _, f := range []ticket.RowFilter{{Statuses: open}, {Domains: []string{w.Boss.Domain}}, {Assignee: w.Chen.User}, {Teams: []string{team.ID}}, {Tags: []string{"vip"}},
			{Partners: []string{"other"}}, {Partners: []string{blue.ID, "other"}}, {Partners: []string{blue.ID}, Domains: []string{w.Boss.Domain}}} {
			foreign = append(foreign, w.queue(queue.Queue{Filter: f}))
		}
		all, err := w.q.Queue(ctx, w.Chen, "open")
		w.OK(err)
		// A queue every installation has is not hers once it names somebody.
		waiting, err := w.q.Queue(ctx, root, "waiting")
		w.OK(err)
		waiting.Filter.Assignee = w.Chen.User
		waiting, err = w.q.ChangeQueue(ctx, root, waiting)
		w.OK(err)
		foreign = append(foreign, waiting)
		theirs := w.queue(queue.Queue{Filter: ticket.RowFilter{Partners: []string{blue.ID}}})
		ours, given := w.Create(w.Boss, "ours"), w.Create(w.Foreign, "given")
		w.Create(w.Foreign, "kept")
		if _, err := w.Tickets.Transfer(ctx, w.Chen, ticket.Transfer{Numbers: []string{given}, To: ticket.PartnerBusiness}); err != nil {
			w.t.Fatal(err)
		}
		found, err := w.q.Queues(ctx, nora)
		w.OK(err)
		var ids []string
		for _, q := range found {
			ids = append(ids, q.ID)
			if one, err := w.q.Queue(ctx, nora, q.ID); err != nil || !reflect.DeepEqual(one, q) || !q.Hidden || !reflect.DeepEqual(q.Filter, ticket.RowFilter{}) {
				w.t.Errorf("she is shown %+v and %+v, %v", q, one, err)
			}
			if q.ID == all.ID && q.Count != 1 {
				w.t.Errorf("she counts %d tickets", q.Count)
			}
		}
		slices.Sort(ids)
		want := []string{"mine", "open", theirs.ID, "unassigned"}
		if slices.Sort(want); !slices.Equal(ids, want) {
			w.t.Errorf("she has %v, want %v", ids, want)
		}
		for _, q := range append(foreign, hidden) {
			_, err := w.q.Queue(ctx, nora, q.ID)
			_, err2 := w.q.QueueTickets(ctx, nora, q.ID, queue.Look{})
			_, _, err3 := w.q.Claim(ctx, nora, q.ID)
			if !errors.Is(err, queue.ErrNoQueue) || !errors.Is(err2, queue.ErrNoQueue) || !errors.Is(err3, queue.ErrNoQueue) {
				w.t.Errorf("a queue of %+v: %v, %v, %v", q.Filter, err, err2, err3)
			}
		}
		for _, q := range []queue.Queue{all, theirs} {
			p, err := w.q.QueueTickets(ctx, nora, q.ID, queue.Look{})
			w.OK(err)
			if len(p.Tickets) != 1 || p.Tickets[0].Number != given {
				w.t.Errorf("she lists %v", p.Tickets)
			}
		}
		if p, err := w.q.QueueTickets(ctx, w.Chen, theirs.ID, queue.Look{}); err != nil || p.Total != 1 {
			w.t.Errorf("the house counts %d of the partner's: %v", p.Total, err)
		}
		for what, err := range map[string]error{
			"her teams": func() error { _, err := w.q.Teams(ctx, nora); return err }(),
			"her shift": func() error { _, _, err := w.q.SetMyShift(ctx, nora, queue.MyShift{}); return err }(),
			"a shared view": func() error {
				_, err := w.q.CreateView(ctx, nora, queue.View{Name: named("x"), Shared: queue.WithAll})
				return err
			}(),
			"a transfer": func() error {
				_, err := w.q.Transfer(ctx, nora, ticket.Transfer{Numbers: []string{given}}, team.ID, "")
				return err
			}(),
		} {
			if fault.KindOf(err) != fault.Forbidden {
				w.t.Errorf("%s: %v", what, err)
			}
		}
		for _, id := range []string{hidden.ID, "no such"} {
			if _, _, err := w.q.Claim(ctx, nora, id); !errors.Is(err, queue.ErrNoQueue) {
				w.t.Errorf("she claims of %s: %v", id, err)
			}
		}
		// The house's people do not take what is a partner's.
		if got, _, err := w.q.Claim(ctx, w.Emma, theirs.ID); err == nil {
			w.t.Errorf("the house claims the partner's %s", got.Number)
		}
		got, _, err := w.q.Claim(ctx, nora, all.ID)
		w.OK(err)
		if got.Number != given || got.Assignee != nora.User {
			w.t.Errorf("she claimed %s", got.Number)
		}
		_, _, err = w.q.Claim(ctx, nora, all.ID)
		w.Refused(err, "01010002")
		if got := w.show(ours).Assignee; got != "" {
			w.t.Errorf("ours is %q's", got)
		}
		// A view of hers is hers, with her tickets only.
		_, err = w.q.CreateView(ctx, w.Chen, queue.View{Name: named("everybody's"), Shared: queue.WithAll, Filter: ticket.RowFilter{Domains: []string{w.Boss.Domain}}})
		w.OK(err)
		v, err := w.q.CreateView(ctx, nora, queue.View{Name: named("mine")})
		w.OK(err)
		if v.Count != 1 {
			w.t.Errorf("her view counts %d", v.Count)
		}
		if views, err := w.q.Views(ctx, w.Chen); err != nil || len(views) != 1 {
			w.t.Errorf("the house has %v", views)
		}
		if views, err := w.q.Views(ctx, nora); err != nil || len(views) != 1 || views[0].ID != v.ID {
			w.t.Errorf("she has %v", views)
		}
	})
}
