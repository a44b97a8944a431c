package queue

import (
	"context"
	"slices"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Faults of claiming.
var (
	errNoneLeft  = fault.New(fault.Conflict, fault.CodeNoPermission, "该队列中没有您可领取的工单", "the queue holds no ticket that you could take")
	errNotMember = fault.New(fault.Forbidden, fault.CodeNoPermission, "只有负责该队列的团队成员可以领取", "only members of the team that serves the queue take tickets out of it")
	errFull      = fault.New(fault.Conflict, fault.CodeNoPermission, "您有 {load} 个未完成工单，已达容量上限 {capacity}；该队列不允许超出",
		"you have {load} open tickets and a capacity of {capacity}, which this queue does not let you exceed")
	errNotTaken = fault.New(fault.Conflict, fault.CodeNoPermission, "该队列的筛选条件不包含转入后的工单", "the queue does not hold such tickets: its filter leaves it out").In("queue_id")
	errTarget   = fault.New(fault.Invalid, fault.CodeInvalid, "team_id 与 queue_id 只能填写一个", "team_id and queue_id exclude each other").In("queue_id")
	errNoServer = fault.New(fault.Conflict, fault.CodeNoPermission, "该队列没有负责的团队，不能转入", "no team serves the queue, so tickets cannot be given to it").In("queue_id")
)

// Over tells that an engineer has more open tickets than he can handle; Load 0 =
// he has not.
type Over struct{ Load, Capacity int }

// Warning is the same in words, "" when there is nothing to say.
func (o Over) Warning(lang locale.Language) string {
	if o.Load == 0 {
		return ""
	}
	return fault.Fill(locale.Texts{ZH: "您现有 {load} 个未完成工单，超过容量 {capacity}", EN: "you have {load} open tickets now, more than your capacity of {capacity}"}.In(lang),
		[]fault.Arg{{Name: "load", Value: o.Load}, {Name: "capacity", Value: o.Capacity}})
}

// claimPages bounds how many tickets are looked at for one that fits.
const claimPages = 50

// Claim makes the caller the handler of the queue's next ticket that he has the
// skills for, in the queue's order, atomically: no two callers get the same.
// Failures: ErrNoQueue, OSM.01010002 when there is none, for callers outside the
// team, and for one whose capacity is used up where the queue is hard.
func (s *Service) Claim(ctx context.Context, who principal.Principal, id string) (t ticket.Ticket, over Over, err error) {
	if who.Kind != principal.Engineer {
		return t, over, fault.NoPermission
	}
	t, err = s.tickets.Take(ctx, who, ticket.Step{Action: ticket.StepAccept, Begin: func(tx *db.Tx) (ticket.Given, error) {
		over = Over{}
		tx.Lock(principal.House, lockName)
		q, err := queueHad(tx, who, id)
		if err != nil {
			return ticket.Given{}, err
		}
		var e Engineer // a partner's people have neither skills nor capacity here
		if who.Partner == "" {
			if e, err = s.engineerIn(tx, who.User); err != nil {
				return ticket.Given{}, err
			}
			if err := member(tx, q, who); err != nil {
				return ticket.Given{}, err
			}
			if !e.room() && q.Hard {
				return ticket.Given{}, errFull.With("load", e.Load).With("capacity", e.Limit)
			}
			if !e.room() {
				over = Over{Load: e.Load + 1, Capacity: e.Limit}
			}
		}
		row, err := s.next(tx, who, q, e)
		if err != nil {
			return ticket.Given{}, err
		}
		t, err := ticket.In(tx, row.Domain, row.ID)
		if err != nil {
			return ticket.Given{}, err
		}
		ticket.Record(tx, who, t, "queue.claim", event.NoLog, "", map[string]any{"queue": q.ID, "load": e.Load, "capacity": e.Limit})
		return ticket.Given{Domain: row.Domain, Ticket: row.ID}, nil
	}})
	if err != nil {
		over = Over{}
	}
	return t, over, err
}

// member refuses who does not serve the queue; supervisors and administrators may.
func member(tx *db.Tx, q Queue, who principal.Principal) error {
	if q.Team == "" || mayRun(who) == nil {
		return nil
	}
	var n int
	err := tx.Get("SELECT count(*) FROM desk_team_members WHERE team_id = ? AND user_id = ?", q.Team, who.User).Scan(&n)
	if err == nil && n == 0 {
		err = errNotMember
	}
	return err
}

// next is the queue's first ticket that waits for a handler and that the
// engineer can do.
func (s *Service) next(tx *db.Tx, who principal.Principal, q Queue, e Engineer) (ticket.Row, error) {
	f := q.Filter
	statuses := []ticket.Status{ticket.Submitted, ticket.Processing}
	if len(f.Statuses) > 0 {
		statuses = slices.DeleteFunc(statuses, func(s ticket.Status) bool { return !slices.Contains(f.Statuses, s) })
	}
	if len(statuses) == 0 || f.Assignee != "" && f.Assignee != ticket.Nobody {
		return ticket.Row{}, errNoneLeft
	}
	f.Statuses, f.Assignee = statuses, ticket.Nobody
	if who.Partner == "" { // what is a partner's is not for the house's people to take
		if len(f.Owners) > 0 && !slices.Contains(f.Owners, ticket.HouseBusiness) {
			return ticket.Row{}, errNoneLeft
		}
		f.Owners = []ticket.Ownership{ticket.HouseBusiness}
	}
	after := ""
	for range claimPages {
		rows, cursor, err := s.tickets.RowsIn(tx, who, f, q.Sort, after, pageSize)
		if err != nil {
			return ticket.Row{}, err
		}
		for _, t := range rows {
			if e.Skills.lacks(t) == "" {
				return t, nil
			}
		}
		if after = cursor; after == "" {
			break
		}
	}
	return ticket.Row{}, errNoneLeft
}

// Accept is an engineer's step accept. His capacity is a warning, unless a queue
// that holds the ticket is hard: then it fails with OSM.01010002. Other failures
// are those of ticket.Take.
func (s *Service) Accept(ctx context.Context, who principal.Principal, step ticket.Step) (t ticket.Ticket, over Over, err error) {
	if who.Kind != principal.Engineer || who.Partner != "" {
		t, err = s.tickets.Take(ctx, who, step)
		return t, over, err
	}
	step.Begin = func(tx *db.Tx) (ticket.Given, error) {
		over = Over{}
		hard, err := queuesIn(tx, "hard = 1")
		if err != nil {
			return ticket.Given{}, err
		}
		if len(hard) > 0 {
			tx.Lock(principal.House, lockName)
		}
		e, err := s.engineerIn(tx, who.User)
		if err != nil || e.room() {
			return ticket.Given{}, ignore(err)
		}
		over = Over{Load: e.Load + 1, Capacity: e.Limit}
		row, err := ticket.RowByNumber(tx, who, step.Number)
		if err != nil {
			return ticket.Given{}, err
		}
		for _, q := range hard {
			if !row.Sandbox && q.Filter.Matches(row, who.User, tx.Now) {
				return ticket.Given{}, errFull.With("load", e.Load).With("capacity", e.Limit)
			}
		}
		return ticket.Given{}, nil
	}
	t, err = s.tickets.Take(ctx, who, step)
	if err != nil {
		over = Over{}
	}
	return t, over, err
}

// ignore leaves it to the step to refuse an engineer who is not there.
func ignore(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// Transfer gives tickets to a team of the house or to a queue, which is its
// team, by the rules of ticket.Transfer; nobody handles them then. A queue gets
// what its filter holds. Failures: those of ticket.Transfer, ErrNoTeam,
// ErrNoQueue; of each ticket OSM.01010002 when the queue would not hold it.
func (s *Service) Transfer(ctx context.Context, who principal.Principal, in ticket.Transfer, team, queue string) ([]ticket.Transferred, error) {
	if team != "" && queue != "" {
		return nil, errTarget
	}
	if team == "" && queue == "" {
		return s.tickets.Transfer(ctx, who, in)
	}
	if who.Partner != "" {
		return nil, fault.NoPermission // the house's teams are its own affair
	}
	in.Team = team
	var q Queue
	err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		if queue == "" {
			return teamExists(tx, team, "team_id")
		}
		q, err = queueIn(tx, queue)
		return err
	})
	if err != nil {
		return nil, err
	}
	if queue != "" {
		if q.Team == "" {
			return nil, errNoServer
		}
		now := s.db.Now().UnixMilli()
		in.Team = q.Team
		in.Takes = func(r ticket.Row) error {
			if r.Sandbox || !q.Filter.Matches(r, "", now) {
				return errNotTaken
			}
			return nil
		}
	}
	return s.tickets.Transfer(ctx, who, in)
}
