package desk

import (
	"context"
	"errors"
	"strconv"

	"casemate/internal/catalog"
	"casemate/internal/desk/oas"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

type tickets struct {
	tickets  *ticket.Service
	identity *identity.Service
	catalog  *catalog.Service
	queue    *queue.Service
}

var (
	errAs     = fault.New(fault.Invalid, fault.CodeInvalid, "请用 as 指明是哪位工程师的操作", "name the engineer whose step this is in {field}").In("as")
	errNotAs  = fault.New(fault.Forbidden, fault.CodeNoPermission, "只有本机操作员可以代工程师操作", "only the operator on the machine acts for an engineer").In("as")
	errMe     = fault.New(fault.Invalid, fault.CodeInvalid, "本机操作员不处理工单，请用工程师的用户 ID", "the operator on the machine handles no tickets: give the user id of an engineer").In("assignee")
	errAsWhom = fault.New(fault.NotFound, fault.CodeInvalid, "找不到该工程师：{name}", "there is no such engineer: {name}").In("as")
)

func (h tickets) ticket(ctx context.Context, t ticket.DeskTicket) oas.Ticket {
	lang, c := locale.From(ctx).Language, h.catalog.Now()
	if principal.From(ctx).Partner != "" {
		t.Snooze.ByName = "" // a partner learns no log-in name of the house
	}
	return oas.Ticket{Owner: oas.NewOptOwner(owners[t.Ownership]), Number: t.Number, Version: t.Revision, Status: oas.TicketStatus(t.Status), StatusName: t.Status.Name(lang),
		DomainID: t.Domain, DomainName: text(t.DomainName), CreatorID: text(t.Creator), CreatorName: text(t.CreatorName), Description: t.Description,
		ProductCategoryID: text(t.Product), ProductCategoryName: text(c.Name(catalog.KindProduct, t.Product, lang)),
		BusinessTypeID: text(t.ProblemType), BusinessTypeName: text(c.Name(catalog.KindProblemType, t.ProblemType, lang)),
		SeverityID: text(t.Severity), SeverityName: text(c.Name(catalog.KindSeverity, t.Severity, lang)),
		RegionID: text(t.Region), RegionName: text(c.Name(catalog.KindRegion, t.Region, lang)),
		AssigneeID: text(t.Assignee), AssigneeName: text(t.AssigneeName), TeamID: text(t.Team), TeamName: text(t.TeamName.In(lang)), Urges: oas.NewOptInt32(int32(t.Urges)),
		DueAt: maybeAt(t.Due), DueFrom: maybeAt(t.DueFrom), DueKind: maybeKind(t.DueKind), CreatedAt: at(t.Created), UpdatedAt: at(t.Changed),
		Snooze: snoozeOut(t.Snooze)}
}

// ListTickets lists tickets of all domains.
func (h tickets) ListTickets(ctx context.Context, params oas.ListTicketsParams) (*oas.TicketPage, error) {
	who := principal.From(ctx)
	f := ticket.DeskFilter{Severity: params.Severity.Or(""), Assignee: params.Assignee.Or(""), Team: params.Team.Or(""), Tag: params.Tag.Or(""), Domain: params.Domain.Or(""),
		Text: params.Q.Or(""), Snoozed: string(params.Snoozed.Or("")), After: params.Cursor.Or(""), Limit: int(params.Limit.Or(0)), Sort: string(params.Sort.Or("")), AsOf: instant(params.AsOf)}
	if f.Assignee == "me" {
		if who.Kind == principal.Local {
			return nil, errMe
		}
		f.Assignee = who.User
	}
	for _, s := range params.Status {
		f.Statuses = append(f.Statuses, ticket.Status(s))
	}
	all, total, cursor, err := h.tickets.Desk(ctx, who, f)
	if err != nil {
		return nil, err
	}
	page := &oas.TicketPage{Items: []oas.Ticket{}, TotalCount: int32(total), NextCursor: text(cursor)}
	for _, t := range all {
		page.Items = append(page.Items, h.ticket(ctx, t))
	}
	return page, nil
}

// ShowTicket shows a ticket of any domain.
func (h tickets) ShowTicket(ctx context.Context, params oas.ShowTicketParams) (*oas.Ticket, error) {
	t, err := h.tickets.DeskShow(ctx, principal.From(ctx), params.Number)
	if err != nil {
		return nil, err
	}
	out := h.ticket(ctx, t)
	lang := locale.From(ctx).Language
	out.Labels, out.Related, out.Tags = []oas.TicketLabel{}, []oas.RelatedTicket{}, t.Tags
	for _, l := range t.Labels {
		out.Labels = append(out.Labels, oas.TicketLabel{ID: l.ID, Name: l.Name, Color: l.Color, OwnerName: text(t.OwnerNames[l.Owner])})
	}
	for _, r := range t.Related {
		out.Related = append(out.Related, oas.RelatedTicket{Number: r.Number, Status: oas.TicketStatus(r.Status), StatusName: r.Status.Name(lang),
			Description: r.Description, CreatorName: text(r.CreatorName)})
	}
	if t.Scored > 0 {
		out.Rating = oas.NewOptTicketRating(h.rating(t, lang))
	}
	if t.Unread >= 0 {
		out.Unread.SetTo(int32(t.Unread))
	}
	return &out, h.waiting(ctx, t, &out)
}

// rating is what the customer gave and wrote.
func (h tickets) rating(t ticket.DeskTicket, lang locale.Language) oas.TicketRating {
	c, out := h.catalog.Now(), oas.TicketRating{RatedAt: at(t.Scored), Scores: []oas.TicketScore{}, Comment: text(t.Judgement)}
	for _, s := range t.Scores {
		one := oas.TicketScore{DimensionID: int32(s.Dimension), DimensionName: c.Name(catalog.KindDimension, strconv.Itoa(s.Dimension), lang), Points: int32(s.Points)}
		if d, ok := c.Dimension(s.Dimension); ok {
			one.Most = oas.NewOptInt32(int32(d.Value))
		}
		out.Scores = append(out.Scores, one)
	}
	return out
}

var sides = map[ticket.Side]oas.MessageSide{ticket.CustomerSide: oas.MessageSideCustomer, ticket.EngineerSide: oas.MessageSideEngineer,
	ticket.PartnerSide: oas.MessageSidePartner, ticket.SystemSide: oas.MessageSideSystem}

// ListTicketMessages lists messages and notes, oldest first.
func (h tickets) ListTicketMessages(ctx context.Context, params oas.ListTicketMessagesParams) (*oas.MessageList, error) {
	all, err := h.tickets.DeskMessages(ctx, principal.From(ctx), params.Number)
	if err != nil {
		return nil, err
	}
	list := &oas.MessageList{Items: []oas.Message{}}
	for _, m := range all {
		list.Items = append(list.Items, said(m))
	}
	return list, nil
}

func said(m ticket.Message) oas.Message {
	kind := oas.MessageKindMessage
	if m.Internal {
		kind = oas.MessageKindNote
	}
	return oas.Message{ID: m.ID, Kind: kind, Side: sides[m.Side], AuthorID: text(m.Author), AuthorName: text(m.AuthorName), First: m.Opening, Text: m.Text,
		MovedFrom: text(m.Origin), Attachments: fileList(m.Files), Withdrawn: oas.NewOptBool(m.Withdrawn > 0), CreatedAt: at(m.Created)}
}

// CreateTicketStep takes an engineer's step.
func (h tickets) CreateTicketStep(ctx context.Context, req *oas.StepReq, params oas.CreateTicketStepParams) (*oas.Ticket, error) {
	who, err := h.engineer(ctx, req.As.Or(""))
	if err != nil {
		return nil, err
	}
	s := ticket.Step{Number: params.Number, Action: string(req.Action), Text: req.Text.Or(""), Assignee: req.Assignee.Or(""), Version: req.Version.Or(0),
		Attachments: req.AttachmentIds}
	if s.Action == ticket.StepTransfer {
		if !req.To.Set {
			return nil, fault.Missing.In("to")
		}
		s.To = ownership(req.To.Value)
		if req.TeamID.Set || req.QueueID.Set {
			return h.give(ctx, who, s, req.TeamID.Value, req.QueueID.Value)
		}
	}
	if s.Action == ticket.StepAccept {
		return h.accept(ctx, who, s)
	}
	taken, err := h.queue.Take(ctx, who, sendingOf(s, req))
	if err != nil {
		return nil, err
	}
	out, err := h.after(ctx, taken.Ticket)
	if err == nil && taken.Later != nil {
		taken.Later.Name = who.UserName
		out.Later = oas.NewOptLater(laterOut(*taken.Later))
	}
	return out, err
}

// engineer is whose step it is: the caller's own, or for the operator on the
// machine the one he names.
func (h tickets) engineer(ctx context.Context, name string) (principal.Principal, error) {
	who := principal.From(ctx)
	switch {
	case who.Kind != principal.Local && name == "":
		return who, nil
	case who.Kind != principal.Local:
		return who, errNotAs
	case name == "":
		return who, errAs
	}
	u, err := h.identity.UserByName(ctx, who, principal.House, name)
	if errors.Is(err, identity.ErrNoUser) || err == nil && u.Disabled {
		return who, errAsWhom.With("name", name)
	}
	return principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: u.ID, UserName: u.Name, Role: u.Role, Roles: u.Roles, Partner: u.Partner,
		Address: who.Address, RequestID: who.RequestID}, err
}

// ListEngineers lists whom a ticket can be given to.
func (h tickets) ListEngineers(ctx context.Context, params oas.ListEngineersParams) (*oas.EngineerList, error) {
	all, err := h.identity.PartnerEngineers(ctx, principal.From(ctx), params.Partner.Or(""))
	if err != nil {
		return nil, err
	}
	list := &oas.EngineerList{Items: []oas.Engineer{}}
	for _, u := range all {
		list.Items = append(list.Items, oas.Engineer{ID: u.ID, Name: u.Name, Alias: text(u.Alias), Role: oas.Role(u.Role)})
	}
	return list, nil
}
