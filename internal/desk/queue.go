package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

type queues struct {
	queue *queue.Service
	steps tickets
}

// maybeAs is the engineer the operator on the machine names, else the caller.
func (h queues) maybeAs(ctx context.Context, as oas.OptString) (principal.Principal, error) {
	if !as.Set {
		return principal.From(ctx), nil
	}
	return h.steps.engineer(ctx, as.Value)
}

func readFilter(f oas.RowFilter) ticket.RowFilter {
	out := ticket.RowFilter{Severities: f.Severities, Plans: f.Plans, Products: f.ProductCategoryIds, SubTypes: f.BusinessTypeCategories, ProblemTypes: f.BusinessTypeIds,
		Regions: f.RegionIds, Languages: f.Languages, Domains: f.DomainIds, Partners: f.PartnerIds, Teams: f.TeamIds, Assignee: f.Assignee.Or(""),
		Older: int(f.OlderThanMinutes.Or(0)), Younger: int(f.YoungerThanMinutes.Or(0)), Unchanged: int(f.UnchangedMinutes.Or(0)),
		DueWithin: int(f.DueWithinMinutes.Or(0)), Tags: f.Tags, Snoozed: string(f.Snoozed.Or(""))}
	for _, s := range f.Statuses {
		out.Statuses = append(out.Statuses, ticket.Status(s))
	}
	for _, o := range f.Owners {
		out.Owners = append(out.Owners, ownership(o))
	}
	if v, ok := f.Urged.Get(); ok {
		out.Urged = &v
	}
	return out
}

func rowFilter(f ticket.RowFilter) oas.RowFilter {
	out := oas.RowFilter{Severities: f.Severities, Plans: f.Plans, ProductCategoryIds: f.Products, BusinessTypeCategories: f.SubTypes, BusinessTypeIds: f.ProblemTypes,
		RegionIds: f.Regions, Languages: f.Languages, DomainIds: f.Domains, PartnerIds: f.Partners, TeamIds: f.Teams, Assignee: text(f.Assignee), Tags: f.Tags}
	for _, s := range f.Statuses {
		out.Statuses = append(out.Statuses, oas.TicketStatus(s))
	}
	for _, o := range f.Owners {
		out.Owners = append(out.Owners, owners[o])
	}
	for _, m := range []struct {
		from int
		to   *oas.OptInt32
	}{{f.Older, &out.OlderThanMinutes}, {f.Younger, &out.YoungerThanMinutes}, {f.Unchanged, &out.UnchangedMinutes}, {f.DueWithin, &out.DueWithinMinutes}} {
		if m.from > 0 {
			m.to.SetTo(int32(m.from))
		}
	}
	if f.Snoozed != "" {
		out.Snoozed.SetTo(oas.RowFilterSnoozed(f.Snoozed))
	}
	if f.Urged != nil {
		out.Urged.SetTo(*f.Urged)
	}
	return out
}

// tally fills in how many tickets there are, if they were counted.
func tally(t queue.Tally, count *oas.OptInt32, capped *oas.OptBool) {
	if t.Counted {
		count.SetTo(int32(t.Count))
	}
	if t.Capped {
		capped.SetTo(true)
	}
}

func queueOut(ctx context.Context, q queue.Queue) *oas.Queue {
	lang := locale.From(ctx).Language
	out := &oas.Queue{ID: q.ID, Version: q.Version, Name: q.Name.In(lang), NameZh: text(q.Name.ZH), NameEn: text(q.Name.EN), Place: int32(q.Place),
		Sort: oas.RowSort(q.Sort), TeamID: text(q.Team), TeamName: text(q.TeamName.In(lang)), Assignment: oas.QueueAssignment(q.Way), HardCapacity: q.Hard,
		CreatedAt: at(q.Created), UpdatedAt: at(q.Changed)}
	if !q.Hidden {
		out.Filter.SetTo(rowFilter(q.Filter))
	}
	tally(q.Tally, &out.Count, &out.CountCapped)
	if q.Way != queue.Manual && !q.Hidden {
		out.Turns.SetTo(q.Turns)
	}
	return out
}

func readQueue(id string, req *oas.QueueReq) queue.Queue {
	return queue.Queue{ID: id, Name: texts(req.NameZh, req.NameEn), Place: int(req.Place.Or(0)), Filter: readFilter(req.Filter), Sort: ticket.Sort(req.Sort.Or("")),
		Team: req.TeamID.Or(""), Way: queue.Way(req.Assignment.Or("")), Hard: req.HardCapacity.Or(false), Version: req.Version.Or(0)}
}

// ListQueues lists the queues with their counts.
func (h queues) ListQueues(ctx context.Context, params oas.ListQueuesParams) (*oas.QueueList, error) {
	who, err := h.maybeAs(ctx, params.As)
	if err != nil {
		return nil, err
	}
	all, err := h.queue.Queues(ctx, who)
	if err != nil {
		return nil, err
	}
	list := &oas.QueueList{Items: []oas.Queue{}}
	for _, q := range all {
		list.Items = append(list.Items, *queueOut(ctx, q))
	}
	return list, nil
}

// ShowQueue shows a queue.
func (h queues) ShowQueue(ctx context.Context, params oas.ShowQueueParams) (*oas.Queue, error) {
	who, err := h.maybeAs(ctx, params.As)
	if err != nil {
		return nil, err
	}
	q, err := h.queue.Queue(ctx, who, params.QueueID)
	if err != nil {
		return nil, err
	}
	return queueOut(ctx, q), nil
}

// CreateQueue adds a queue.
func (h queues) CreateQueue(ctx context.Context, req *oas.QueueReq) (*oas.Queue, error) {
	q, err := h.queue.CreateQueue(ctx, principal.From(ctx), readQueue("", req))
	if err != nil {
		return nil, err
	}
	return queueOut(ctx, q), nil
}

// ChangeQueue replaces a queue.
func (h queues) ChangeQueue(ctx context.Context, req *oas.QueueReq, params oas.ChangeQueueParams) (*oas.Queue, error) {
	q, err := h.queue.ChangeQueue(ctx, principal.From(ctx), readQueue(params.QueueID, req))
	if err != nil {
		return nil, err
	}
	return queueOut(ctx, q), nil
}

// DeleteQueue removes a queue.
func (h queues) DeleteQueue(ctx context.Context, params oas.DeleteQueueParams) error {
	return h.queue.DeleteQueue(ctx, principal.From(ctx), params.QueueID, params.Version.Or(0))
}

// page is a page of tickets with why those without a handler have none.
func (h queues) page(ctx context.Context, p queue.Page) *oas.TicketPage {
	page, lang := &oas.TicketPage{Items: []oas.Ticket{}, TotalCount: int32(p.Total), NextCursor: text(p.Cursor)}, locale.From(ctx).Language
	if p.Capped {
		page.TotalCapped.SetTo(true)
	}
	for _, t := range p.Tickets {
		one := h.steps.ticket(ctx, t)
		if r, ok := p.Reasons[t.ID]; ok {
			one.WaitingCode, one.Waiting = text(r.Code), text(r.Text.In(lang))
		}
		page.Items = append(page.Items, one)
	}
	return page
}

func look(sort oas.OptRowSort, cursor oas.OptString, limit oas.OptInt32) queue.Look {
	return queue.Look{Sort: ticket.Sort(sort.Or("")), After: cursor.Or(""), Limit: int(limit.Or(0))}
}

// ListQueueTickets lists the tickets of a queue.
func (h queues) ListQueueTickets(ctx context.Context, params oas.ListQueueTicketsParams) (*oas.TicketPage, error) {
	who, err := h.maybeAs(ctx, params.As)
	if err != nil {
		return nil, err
	}
	if params.AsOf.Set {
		return h.asOf(ctx, who, params)
	}
	p, err := h.queue.QueueTickets(ctx, who, params.QueueID, look(params.Sort, params.Cursor, params.Limit))
	if err != nil {
		return nil, err
	}
	return h.page(ctx, p), nil
}

// asOf lists the tickets of a queue as of an instant.
func (h queues) asOf(ctx context.Context, who principal.Principal, params oas.ListQueueTicketsParams) (*oas.TicketPage, error) {
	p, then, err := h.queue.QueueTicketsAt(ctx, who, params.QueueID, look(params.Sort, params.Cursor, params.Limit), instant(params.AsOf))
	if err != nil {
		return nil, err
	}
	page := h.page(ctx, p)
	q := oas.QueueAsOf{Name: then.Name.In(locale.From(ctx).Language), Filter: rowFilter(then.Filter), Sort: oas.RowSort(then.Sort), TeamID: text(then.Team), Present: then.Present}
	if then.Version > 0 && !then.Present {
		q.Version.SetTo(then.Version)
	}
	page.QueueAsOf.SetTo(q)
	return page, nil
}

// ClaimQueueTicket gives the caller the queue's next ticket.
func (h queues) ClaimQueueTicket(ctx context.Context, params oas.ClaimQueueTicketParams) (*oas.Ticket, error) {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	t, over, err := h.queue.Claim(ctx, who, params.QueueID)
	if err != nil {
		return nil, err
	}
	out, err := h.steps.after(ctx, t)
	if err == nil {
		out.Warning = text(over.Warning(locale.From(ctx).Language))
	}
	return out, err
}

// accept is the step that minds the engineer's capacity.
func (h tickets) accept(ctx context.Context, who principal.Principal, s ticket.Step) (*oas.Ticket, error) {
	t, over, err := h.queue.Accept(ctx, who, s)
	if err != nil {
		return nil, err
	}
	out, err := h.after(ctx, t)
	if err == nil {
		out.Warning = text(over.Warning(locale.From(ctx).Language))
	}
	return out, err
}

// give transfers one ticket to a team or a queue.
func (h tickets) give(ctx context.Context, who principal.Principal, s ticket.Step, team, queue string) (*oas.Ticket, error) {
	all, err := h.queue.Transfer(ctx, who, ticket.Transfer{Numbers: []string{s.Number}, To: s.To, Handler: s.Assignee, Text: s.Text, Version: s.Version}, team, queue)
	if err != nil {
		return nil, err
	}
	if all[0].Refusal != nil {
		return nil, h.queue.Explain(ctx, who, s.Number, s.Version, all[0].Refusal)
	}
	return h.after(ctx, all[0].Ticket)
}

// waiting tells in a ticket's detail why nobody handles it yet.
func (h tickets) waiting(ctx context.Context, t ticket.DeskTicket, out *oas.Ticket) error {
	if t.Assignee != "" || !t.Status.Open() {
		return nil
	}
	r, ok, err := h.queue.Waiting(ctx, principal.From(ctx), t.Number)
	if err == nil && ok {
		out.WaitingCode, out.Waiting = text(r.Code), text(r.Text.In(locale.From(ctx).Language))
	}
	return err
}
