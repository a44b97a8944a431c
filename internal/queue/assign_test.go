package queue_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// told is what a ticket's assignment tells.
type told struct {
	Queue, Way, Engineer          string
	Turn, Load, Capacity, Fitting int
}

func tell(t *testing.T, e event.Row) (d told) {
	t.Helper()
	if err := json.Unmarshal(e.Data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestRoundRobin: turns go around those who fit, the severest and oldest ticket
// first, and each assignment tells why.
func TestRoundRobin(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		mei := w.Engineer("mei", "Mei", principal.RoleEngineer)
		gone := w.Engineer("boss2", "Supervisor", principal.RoleSupervisor)
		w.say(gone, queue.Away) // a member who gets nothing
		team := w.team("all", w.Chen, w.Emma, mei, gone)
		q := w.queue(queue.Queue{Way: queue.RoundRobin, Team: team.ID})
		for _, p := range []principal.Principal{w.Chen, w.Emma, mei} {
			w.say(p, queue.Online)
		}
		box := w.sandbox()
		hidden, err := w.Tickets.Create(w.t.Context(), box, w.Draft("a sandbox's"))
		w.OK(err)
		var numbers []string
		for i := range 7 {
			numbers = append(numbers, w.Create(w.Boss, fmt.Sprint("ticket ", i)))
		}
		w.assign()
		order := []string{w.Chen.User, w.Emma.User, mei.User}
		slices.Sort(order)
		all := w.events("queue.assign")
		if len(all) != 7 {
			w.t.Fatalf("%d assignments", len(all))
		}
		for i, e := range all {
			d := tell(w.t, e)
			if d.Engineer != order[i%3] || d.Turn != i+1 || d.Queue != q.ID || d.Load != i/3 || d.Fitting != 3 || d.Capacity != 20 {
				w.t.Errorf("assignment %d: %+v", i, d)
			}
			got := w.show(numbers[i])
			if got.ID != e.SubjectID || got.Assignee != d.Engineer || got.Status != ticket.Processing || e.ActorKind != principal.System {
				w.t.Errorf("ticket %d: %s %d, event of %s for %s", i, got.Assignee, got.Status, e.SubjectID, d.Engineer)
			}
		}
		// The ticket's history and the house's audit say that it was a queue, and which.
		past, _, err := w.Tickets.History(w.t.Context(), w.Chen, numbers[0], 0, 0)
		w.OK(err)
		for _, kind := range []string{"queue.assign", "ticket.assign"} {
			i := slices.IndexFunc(past, func(p ticket.Past) bool { return p.Kind == kind })
			if i < 0 || past[i].Via == nil || past[i].Via.Kind != "queue" || past[i].Via.ID != q.ID || past[i].Via.NameZH != q.Name.ZH || past[i].Via.NameEN != q.Name.EN {
				w.t.Errorf("%s in the history: %+v", kind, past)
			}
		}
		told, err := w.Tickets.Tell(w.t.Context(), all[:1])
		w.OK(err)
		to := w.show(numbers[0]).AssigneeName
		if got := told[0]; got.Ticket != numbers[0] || got.Via == nil || got.Via.ID != q.ID || to == "" || got.Words != (locale.Texts{ZH: "派给 " + to, EN: "to " + to}) {
			w.t.Errorf("in the audit: %+v", got)
		}
		if got := w.show(hidden); got.Assignee != "" {
			w.t.Error("a sandbox's ticket was given to an engineer")
		}
		// Nothing happens twice, and the next ticket goes on with the turn.
		w.assign()
		w.assign()
		last := w.Create(w.Boss, "one more")
		w.assign()
		if all = w.events("queue.assign"); len(all) != 8 || w.show(last).Assignee != order[7%3] {
			w.t.Errorf("%d assignments, the last to %s", len(all), w.show(last).Assignee)
		}
		// Who gives a ticket back does so to the queue; it comes to the next one.
		who := map[string]principal.Principal{w.Chen.User: w.Chen, w.Emma.User: w.Emma, mei.User: mei}[w.show(last).Assignee]
		other := w.Chen
		if who.User == w.Chen.User {
			other = w.Emma
		}
		w.Refused(w.Step(other, last, ticket.StepRelease, ""), "01010002")
		w.OK(w.Step(who, last, ticket.StepRelease, "not mine"))
		if got := w.show(last); got.Assignee != "" || got.Status != ticket.Processing {
			w.t.Errorf("given back: %+v", got)
		}
		w.Refused(w.Step(who, last, ticket.StepRelease, ""), "01010002")
		w.assign()
		if got := w.show(last).Assignee; got != order[8%3] {
			w.t.Errorf("after it was given back: %s, want %s", got, order[8%3])
		}
		// Nobody gets back what he gave back himself.
		by := map[string]principal.Principal{w.Chen.User: w.Chen, w.Emma.User: w.Emma, mei.User: mei}
		had := map[string]bool{who.User: true}
		for range 2 {
			user := w.show(last).Assignee
			if user == "" || had[user] {
				w.t.Errorf("given again to %q", user)
			}
			had[user] = true
			w.OK(w.Step(by[user], last, ticket.StepRelease, ""))
			w.assign()
		}
		if r, _, err := w.q.Waiting(w.t.Context(), w.Chen, last); err != nil || r.Code != "shift" {
			w.t.Errorf("all but one who is away gave it back: %v %v", r, err)
		}
		w.OK(w.Ident.Disable(w.t.Context(), root, principal.House, gone.User, true))
		if r, _, err := w.q.Waiting(w.t.Context(), w.Chen, last); err != nil || r.Code != "refused" || w.show(last).Assignee != "" {
			w.t.Errorf("all gave it back: %v %v", r, err)
		}
	})
}

// TestReasons: skills, shifts and capacity decide, the desk says what is
// missing, and it is tried again when that comes.
func TestReasons(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		team := w.team("t", w.Chen, w.Emma)
		q := w.queue(queue.Queue{Way: queue.LeastLoaded, Team: team.ID})
		w.set(w.Chen, 1, queue.Skills{Languages: []string{"zh-cn"}})
		w.set(w.Emma, 2, queue.Skills{Languages: []string{"en-us"}, Regions: []string{"cn-north-1"}})
		create := func(lang locale.Language, about catalog.Choice) string {
			w.Clock.Add(time.Millisecond)
			d := w.Draft("a question")
			d.Locale.Language = lang
			if about.ProblemType != "" {
				d.Choice = about
			}
			n, err := w.Tickets.Create(ctx, w.Boss, d)
			w.OK(err)
			return n
		}
		why := func(number, code, words string) {
			w.t.Helper()
			w.assign()
			r, ok, err := w.q.Waiting(ctx, w.Chen, number)
			w.OK(err)
			if !ok || r.Code != code || !strings.Contains(r.Text.EN, words) || r.Text.ZH == "" || r.Queue != q.ID {
				w.t.Errorf("%s waits for %v, want %s %q", number, r, code, words)
			}
			p, err := w.q.QueueTickets(ctx, w.Chen, q.ID, queue.Look{})
			w.OK(err)
			for _, t := range p.Tickets {
				if t.Number == number && p.Reasons[t.ID].Code != code {
					w.t.Errorf("the list says %v", p.Reasons[t.ID])
				}
			}
		}
		english := create(locale.EN, catalog.Choice{})
		why(english, "shift", "nobody on shift with skill English")
		w.say(w.Emma, queue.Online)
		w.assign()
		if got := w.show(english).Assignee; got != w.Emma.User {
			w.t.Errorf("came online, the ticket is %q's", got)
		}
		if _, ok, err := w.q.Waiting(ctx, w.Chen, english); ok || err != nil {
			w.t.Errorf("it still waits: %v", err)
		}
		// A plan: the shift begins at nine on the clocks of Shanghai.
		plan := queue.Plan{Zone: "Asia/Shanghai", Week: []queue.Shift{{5, "09:00-18:00"}}} // 2026-01-16 is a Friday
		_, err := w.q.SetEngineer(ctx, root, w.Chen.User, queue.EngineerChange{Plan: &plan})
		w.OK(err)
		first, second := create(locale.ZH, catalog.Choice{}), create(locale.ZH, catalog.Choice{})
		why(first, "shift", "the next shift begins 2026-01-16 01:00 UTC")
		w.Clock.Add(17*time.Hour - time.Minute - 10*time.Millisecond) // from 8:00 UTC on the 15th
		why(first, "shift", "nobody on shift with skill Chinese")
		w.Clock.Add(2 * time.Minute)
		w.assign()
		if got := w.show(first).Assignee; got != w.Chen.User {
			w.t.Errorf("his shift began, the ticket is %q's", got)
		}
		why(second, "full", "all 1 on shift with skill Chinese have as many")
		// Capacity is free when a ticket is over.
		w.OK(w.Step(w.Chen, first, "resolve", "solved"))
		why(second, "full", "") // a solution may still be refused
		w.OK(w.Act(w.Boss, first, ticket.Close))
		w.assign()
		if got := w.show(second).Assignee; got != w.Chen.User {
			w.t.Errorf("capacity is free, the ticket is %q's", got)
		}
		// Away, though on shift.
		w.OK(w.Step(w.Chen, second, "resolve", "solved"))
		w.OK(w.Act(w.Boss, second, ticket.Close))
		w.say(w.Chen, queue.Away)
		third := create(locale.ZH, catalog.Choice{})
		why(third, "shift", "nobody on shift")
		// Disabled people are no members.
		w.OK(w.Ident.Disable(ctx, root, principal.House, w.Chen.User, true))
		why(third, "skill", "nobody in the team with skill Chinese")
		w.OK(w.Ident.Disable(ctx, root, principal.House, w.Emma.User, true))
		r, _, err := w.q.Waiting(ctx, root, third)
		w.OK(err)
		if r.Code != "empty" {
			w.t.Errorf("without anybody it waits for %v", r)
		}
		w.OK(w.Ident.Disable(ctx, root, principal.House, w.Chen.User, false))
		w.say(w.Chen, queue.Online)
		w.assign()
		if got := w.show(third).Assignee; got != w.Chen.User {
			w.t.Errorf("he is back, the ticket is %q's", got)
		}
	})
}

// TestSkillFields: what is refused of an engineer, and who may set it.
func TestSkillFields(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		n := func(i int) *int { return &i }
		for field, c := range map[string]queue.EngineerChange{
			"capacity":                        {Capacity: n(1001)},
			"skills.product_category_ids":     {Skills: &queue.Skills{Products: []string{"x"}}},
			"skills.business_type_categories": {Skills: &queue.Skills{SubTypes: []string{"x"}}},
			"skills.languages":                {Skills: &queue.Skills{Languages: []string{"fr-fr"}}},
			"skills.region_ids":               {Skills: &queue.Skills{Regions: make([]string, 201)}},
			"plan.zone":                       {Plan: &queue.Plan{Zone: "Mars/Base"}},
			"plan.week.day":                   {Plan: &queue.Plan{Week: []queue.Shift{{8, "09:00-10:00"}}}},
			"plan.week.hours":                 {Plan: &queue.Plan{Week: []queue.Shift{{1, "9-10"}}}},
			"plan.week":                       {Plan: &queue.Plan{Week: make([]queue.Shift, 51)}},
			"plan.exceptions.date":            {Plan: &queue.Plan{Exceptions: []queue.Exception{{Date: "2026-02-30"}}}},
			"plan.exceptions.hours":           {Plan: &queue.Plan{Exceptions: []queue.Exception{{Date: "2026-02-03", Hours: "x"}}}},
			"plan.exceptions":                 {Plan: &queue.Plan{Exceptions: make([]queue.Exception, 401)}},
		} {
			_, err := w.q.SetEngineer(ctx, root, w.Chen.User, c)
			if f, ok := fault.As(err); !ok || f.Field != field || f.Code != fault.CodeInvalid {
				w.t.Errorf("%s: %v", field, err)
			}
		}
		product := w.Catalog.Now().Products()[0]
		e, err := w.q.SetEngineer(ctx, root, w.Chen.User, queue.EngineerChange{Capacity: n(1000), Skills: &queue.Skills{Products: []string{product.ID}, SubTypes: []string{product.SubType}}})
		w.OK(err)
		if e.Version != 1 || e.Limit != 1000 || e.Available || e.Name != "chen" {
			w.t.Errorf("set: %+v", e)
		}
		if _, err := w.q.SetEngineer(ctx, root, w.Chen.User, queue.EngineerChange{Capacity: n(5), Version: 1}); err != nil {
			w.t.Error(err)
		}
		if _, err := w.q.SetEngineer(ctx, root, w.Chen.User, queue.EngineerChange{Capacity: n(6), Version: 1}); fault.KindOf(err) != fault.Conflict {
			w.t.Errorf("a stale change: %v", err)
		}
		for _, id := range []string{"nobody", w.Auditor.User, w.Boss.User} {
			if _, err := w.q.SetEngineer(ctx, root, id, queue.EngineerChange{Capacity: n(5)}); fault.KindOf(err) != fault.NotFound {
				w.t.Errorf("%s: %v", id, err)
			}
		}
		if _, err := w.q.SetEngineer(ctx, w.Chen, w.Chen.User, queue.EngineerChange{Capacity: n(5)}); fault.KindOf(err) != fault.Forbidden {
			w.t.Errorf("an engineer sets his own capacity: %v", err)
		}
		bad := queue.Presence("asleep")
		_, _, err = w.q.SetMyShift(ctx, w.Chen, queue.MyShift{Presence: &bad})
		w.Refused(err, "01010001")
		_, _, err = w.q.SetMyShift(ctx, w.Auditor, queue.MyShift{})
		w.Refused(err, "01010002")
		mine, _, err := w.q.SetMyShift(ctx, w.Chen, queue.MyShift{Plan: &queue.Plan{Zone: "UTC", Week: []queue.Shift{{4, "00:00-24:00"}}}, Version: 2})
		w.OK(err)
		if !mine.OnShift || !mine.Available || mine.Capacity != 5 {
			w.t.Errorf("his own plan: %+v", mine) // 2026-01-15 is a Thursday
		}
		all, err := w.q.Engineers(ctx, w.Auditor)
		w.OK(err)
		if len(all) != 2 {
			w.t.Errorf("%d engineers", len(all))
		}
	})
}

// TestAway: what was given to one who goes and he did nothing to goes back to
// the queue, in the same moment.
func TestAway(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		team := w.team("t", w.Chen, w.Emma)
		w.queue(queue.Queue{Way: queue.RoundRobin, Team: team.ID})
		w.say(w.Chen, queue.Online)
		idle, noted, claimed := w.Create(w.Boss, "idle"), w.Create(w.Boss, "noted"), w.Create(w.Boss, "claimed")
		w.OK(w.Step(w.Chen, claimed, "accept", ""))
		w.assign()
		w.OK(w.Step(w.Chen, noted, "note", "I look into it"))
		w.OK(w.Step(w.Emma, idle, "note", "a colleague's note is not his"))
		if got := w.load(w.Chen); got != 3 {
			w.t.Fatalf("load %d", got)
		}
		if back := w.say(w.Chen, queue.Away); !slices.Equal(back, []string{idle}) {
			w.t.Errorf("given back: %v, want %s", back, idle)
		}
		if got := w.show(idle); got.Assignee != "" {
			w.t.Errorf("the idle ticket is %q's", got.Assignee)
		}
		if back := w.say(w.Chen, queue.Away); len(back) != 0 {
			w.t.Errorf("again: %v", back)
		}
		w.say(w.Emma, queue.Online)
		w.assign()
		if got := w.show(idle); got.Assignee != w.Emma.User {
			w.t.Errorf("then it is %q's", got.Assignee)
		}
		if got := len(w.events("team.shift")); got != 4 {
			w.t.Errorf("%d events of shifts", got)
		}
	})
}

// TestExact: many nodes at once give each ticket once, nobody more than he can
// handle, and no turn is skipped or had twice.
func TestExact(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.Unlimited()
		people := []principal.Principal{w.Chen, w.Emma}
		for i := range 3 {
			people = append(people, w.Engineer(fmt.Sprint("e", i), fmt.Sprint("E", i), principal.RoleEngineer))
		}
		team, second := w.team("t", people...), w.team("u", people[:3]...)
		const capacity, tickets = 5, 40
		for _, p := range people {
			w.set(p, capacity, queue.Skills{})
			w.say(p, queue.Online)
		}
		// Two queues share people: a capacity is one over all queues.
		w.queue(queue.Queue{Place: 1, Way: queue.RoundRobin, Team: team.ID, Filter: ticket.RowFilter{Domains: []string{w.Boss.Domain}}})
		w.queue(queue.Queue{Place: 2, Way: queue.LeastLoaded, Team: second.ID, Filter: ticket.RowFilter{Domains: []string{w.Foreign.Domain}}})
		for i := range tickets {
			w.Create([]principal.Principal{w.Boss, w.Foreign}[i%2], fmt.Sprint("ticket ", i))
		}
		w.seal()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := w.q.Assign(w.t.Context()); err != nil {
					w.t.Error(err)
				}
			})
		}
		wg.Wait()
		w.assign()
		given := w.events("queue.assign")
		sum := 0
		seen, turns := map[string]bool{}, map[string][]int{}
		for _, e := range given {
			d := tell(w.t, e)
			if seen[e.SubjectID] {
				w.t.Errorf("%s was given twice", e.SubjectID)
			}
			if seen[e.SubjectID] = true; d.Load >= capacity {
				w.t.Errorf("given on top of a load of %d", d.Load)
			}
			turns[d.Queue] = append(turns[d.Queue], d.Turn)
		}
		for q, all := range turns {
			slices.Sort(all)
			for i, n := range all {
				if n != i+1 {
					w.t.Fatalf("turns of %s: %v", q, all)
				}
			}
		}
		for i, p := range people {
			// 20 tickets are for anybody, 20 for the first three alone: they are full.
			got := w.load(p)
			if sum += got; got > capacity || i < 3 && got < capacity {
				w.t.Errorf("%s has %d tickets", p.UserName, got)
			}
		}
		if sum != len(given) {
			w.t.Errorf("%d tickets by %d assignments", sum, len(given))
		}
	})
}

// TestTurnsAtOnce: with room for all, round-robin gives everybody the same
// number however many nodes give.
func TestTurnsAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.Unlimited()
		mei := w.Engineer("mei", "Mei", principal.RoleEngineer)
		people := []principal.Principal{w.Chen, w.Emma, mei}
		team := w.team("t", people...)
		w.queue(queue.Queue{Way: queue.RoundRobin, Team: team.ID})
		for _, p := range people {
			w.set(p, 100, queue.Skills{})
			w.say(p, queue.Online)
		}
		for i := range 30 {
			w.Create(w.Boss, fmt.Sprint(i))
		}
		w.seal()
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if err := w.q.Assign(w.t.Context()); err != nil {
					w.t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, p := range people {
			if got := w.load(p); got != 10 {
				w.t.Errorf("%s has %d of 30 tickets", p.UserName, got)
			}
		}
	})
}

// TestByTime: tickets that come into a queue by age are given then; those that
// wait already when a queue begins to give by itself are given at once.
func TestByTime(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		team := w.team("t", w.Chen)
		w.say(w.Chen, queue.Online)
		old := w.Create(w.Boss, "old")
		q := w.queue(queue.Queue{Team: team.ID, Filter: ticket.RowFilter{Older: 5}})
		w.assign()
		if got := w.show(old).Assignee; got != "" {
			w.t.Errorf("a queue to claim from gave the ticket to %q", got)
		}
		q.Way = queue.RoundRobin
		_, err := w.q.ChangeQueue(w.t.Context(), root, q)
		w.OK(err)
		w.Clock.Add(4 * time.Minute)
		w.assign()
		if got := w.show(old).Assignee; got != "" {
			w.t.Errorf("after four minutes it is %q's", got)
		}
		w.Clock.Add(time.Minute)
		w.OK(w.q.Assign(w.t.Context())) // nothing happened but time
		if got := w.show(old).Assignee; got != w.Chen.User {
			w.t.Errorf("after five minutes it is %q's", got)
		}
		waiting := w.Create(w.Foreign, "waits")
		w.assign()
		_, err = w.q.CreateQueue(w.t.Context(), root, queue.Queue{Name: named("late"), Team: team.ID, Way: queue.LeastLoaded, Filter: ticket.RowFilter{Domains: []string{w.Foreign.Domain}}})
		w.OK(err)
		w.assign()
		if got := w.show(waiting).Assignee; got != w.Chen.User {
			w.t.Errorf("the new queue left it with %q", got)
		}
	})
}
