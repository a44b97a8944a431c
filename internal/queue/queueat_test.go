package queue_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// TestQueueAsOf: what queues held while random things happened is what they are
// said to have held afterwards, in every order and through every page, whatever
// became of the queues themselves.
func TestQueueAsOf(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.Unlimited()
		ctx, rng := w.t.Context(), rand.New(rand.NewPCG(32, 5))
		zhao := w.Engineer("zhao", "赵主管", principal.RoleSupervisor)
		house := principal.AsSystem(principal.House)
		blue, err := w.Ident.CreatePartner(ctx, house, identity.Partner{Name: "Blue", Whitelisted: true, Hours: identity.Hours{Zone: "GMT+08:00", Days: 5, Day: 8}})
		w.OK(err)
		w.OK(w.Ident.ServedBy(ctx, house, w.Foreign.Domain, blue.ID))
		var severities []string
		for _, s := range w.Catalog.Now().Severities() {
			severities = append(severities, s.ID)
		}
		yes := true
		filters := []ticket.RowFilter{{}, {Statuses: open}, {Assignee: ticket.Nobody, Statuses: open}, {Assignee: ticket.Me}, {Assignee: w.Emma.User}, {Severities: severities[:1]}, {Urged: &yes},
			{Owners: []ticket.Ownership{ticket.PartnerBusiness}}, {Domains: []string{w.Boss.Domain}, Statuses: open[1:]}, {Statuses: []ticket.Status{ticket.Canceled, ticket.Completed}},
			{Older: 2}, {Younger: 5}, {Unchanged: 2, Statuses: open}, {Languages: []string{"zh-cn"}}}
		sorts := []ticket.Sort{ticket.SortNewest, ticket.SortOldest, ticket.SortSeverity, ticket.SortChanged}
		queues := make([]queue.Queue, 6)
		for i := range queues {
			queues[i] = w.queue(queue.Queue{Filter: filters[i], Sort: sorts[i%4]})
		}
		type shot struct {
			at    int64
			queue string
			who   principal.Principal
			sort  ticket.Sort
			held  []string // "gone" = there was no such queue
			name  string
		}
		line := func(t ticket.DeskTicket) string {
			return fmt.Sprint(t.Number, t.Status, t.Assignee, t.Ownership, t.Severity, t.Urges, t.Changed, t.Revision)
		}
		var shots []shot
		var numbers []string
		makers := map[string]principal.Principal{}
		refused, deleted := 0, ""
		for range 260 {
			w.Clock.Add(time.Duration(1+rng.IntN(20_000)) * time.Millisecond)
			if len(numbers) < 4 || rng.IntN(8) == 0 {
				who := []principal.Principal{w.Boss, w.Foreign}[rng.IntN(2)]
				n := w.Create(who, "some")
				numbers, makers[n] = append(numbers, n), who
			}
			n := numbers[rng.IntN(len(numbers))]
			switch rng.IntN(9) {
			case 0, 1, 2:
				err = w.Step([]principal.Principal{w.Chen, w.Emma}[rng.IntN(2)], n, []string{"accept", "ask", "resolve", "pause", "resume", "reply", "note", "release"}[rng.IntN(8)], "text")
			case 3:
				_, err = w.Tickets.Take(ctx, zhao, ticket.Step{Number: n, Action: ticket.StepSeverity, Severity: severities[rng.IntN(len(severities))]})
			case 4:
				_, err = w.Tickets.Take(ctx, zhao, ticket.Step{Number: n, Action: ticket.StepAssign, Assignee: []string{"chen", "emma"}[rng.IntN(2)]})
			case 5:
				_, err = w.Tickets.Take(ctx, zhao, ticket.Step{Number: n, Action: ticket.StepTransfer, To: []ticket.Ownership{ticket.PartnerBusiness, ticket.HouseBusiness}[rng.IntN(2)]})
			case 6:
				err = w.Act(makers[n], n, []string{"cancel", "close", "press"}[rng.IntN(3)])
			case 7:
				err = w.Tickets.Reply(ctx, makers[n], n, "", "more")
			case 8:
				i := rng.IntN(len(queues))
				q := queues[i]
				q.Filter, q.Sort, q.Name, q.Version = filters[rng.IntN(len(filters))], sorts[rng.IntN(4)], named(fmt.Sprint(rng.IntN(100))), 0
				if deleted == "" && len(shots) > 80 {
					deleted = q.ID
					w.OK(w.q.DeleteQueue(ctx, root, q.ID, 0))
				} else if q.ID != deleted {
					_, err = w.q.ChangeQueue(ctx, root, q)
					w.OK(err)
				}
			}
			if f := (*fault.Error)(nil); err != nil && !errors.As(err, &f) {
				w.t.Fatal(err)
			} else if err != nil {
				refused++
			}
			w.Clock.Add(time.Millisecond)
			s := shot{at: w.DB.Now().UnixMilli(), queue: append([]string{"unassigned", "mine", "open"}, queues[0].ID, queues[1].ID, queues[2].ID, queues[3].ID, queues[4].ID, queues[5].ID)[rng.IntN(9)],
				who: []principal.Principal{w.Chen, w.Emma, root, zhao}[rng.IntN(4)], sort: []ticket.Sort{"", ticket.SortChanged, ticket.SortSeverity}[rng.IntN(3)]}
			p, err := w.q.QueueTickets(ctx, s.who, s.queue, queue.Look{Sort: s.sort, Limit: 100})
			if errors.Is(err, queue.ErrNoQueue) {
				s.held = []string{"gone"}
			} else {
				w.OK(err)
				q, err := w.q.Queue(ctx, s.who, s.queue)
				w.OK(err)
				s.name = fmt.Sprint(q.Name, q.Sort, q.Version)
			}
			for _, t := range p.Tickets {
				s.held = append(s.held, line(t))
			}
			shots = append(shots, s)
			w.Clock.Add(time.Millisecond)
		}
		held := 0
		for i, s := range shots {
			var got []string
			for after := ""; ; {
				p, then, err := w.q.QueueTicketsAt(ctx, s.who, s.queue, queue.Look{Sort: s.sort, After: after, Limit: 7}, s.at)
				if f, ok := fault.As(err); ok && f.Field == "as_of" && len(s.held) == 1 && s.held[0] == "gone" {
					got = s.held
					break
				}
				w.OK(err)
				if p.Total != len(s.held) {
					w.t.Errorf("snapshot %d of %s: %d in all, want %d", i, s.queue, p.Total, len(s.held))
				}
				if then.Present != (then.Version == 0 || len(s.queue) < 12) || !then.Present && fmt.Sprint(then.Name, then.Sort, then.Version) != s.name {
					w.t.Errorf("snapshot %d of %s: the queue is %v %s %d (present %v), want %s", i, s.queue, then.Name, then.Sort, then.Version, then.Present, s.name)
				}
				for _, t := range p.Tickets {
					got = append(got, line(t))
				}
				if after = p.Cursor; after == "" {
					break
				}
			}
			if held += len(got); !slices.Equal(got, s.held) {
				w.t.Errorf("snapshot %d of %s by %q for %s:\n%v, want\n%v", i, s.queue, s.sort, s.who.UserName, got, s.held)
			}
		}
		if held < 500 || refused > 200 || deleted == "" {
			w.t.Errorf("%d tickets held and %d refusals prove nothing", held, refused)
		}
		// What the history does not keep is refused by name.
		now := w.DB.Now().UnixMilli()
		for field, f := range map[string]ticket.RowFilter{"filter.partner_ids": {Partners: []string{blue.ID}}, "filter.team_ids": {Teams: []string{ticket.Nobody}}, "filter.tags": {Tags: []string{"vip"}},
			"filter.due_within_minutes": {DueWithin: 5}, "filter.snoozed": {Snoozed: ticket.SnoozedOnly}} {
			_, _, err := w.q.QueueTicketsAt(ctx, w.Chen, w.queue(queue.Queue{Filter: f}).ID, queue.Look{}, w.DB.Now().UnixMilli())
			if f, ok := fault.As(err); !ok || f.Field != field || f.Kind != fault.Invalid {
				w.t.Errorf("%s: %v", field, err)
			}
		}
		nora := w.Chen
		nora.Partner = blue.ID
		for what, c := range map[string]struct {
			who   principal.Principal
			queue string
			look  queue.Look
			at    int64
			field string
		}{
			"an instant to come": {w.Chen, "open", queue.Look{}, now + 60_000, "as_of"},
			"the order due":      {w.Chen, "open", queue.Look{Sort: ticket.SortDue}, now, "sort"},
			"a cursor":           {w.Chen, "open", queue.Look{After: "x y"}, now, "cursor"},
			"no order":           {w.Chen, "open", queue.Look{Sort: "random"}, now, "sort"},
			"before the queue":   {w.Chen, queues[0].ID, queue.Look{}, 5, "as_of"},
			"no queue":           {w.Chen, "none", queue.Look{}, now, ""},
			"a partner's":        {nora, "open", queue.Look{}, now, ""},
			"a customer":         {w.Boss, "open", queue.Look{}, now, ""},
		} {
			_, _, err := w.q.QueueTicketsAt(ctx, c.who, c.queue, c.look, c.at)
			if f, ok := fault.As(err); !ok || f.Field != c.field {
				w.t.Errorf("%s: %v", what, err)
			}
		}
	})
}
