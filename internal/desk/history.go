package desk

import (
	"context"
	"time"

	"casemate/internal/desk/oas"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// histories are merging, splitting, undo, and how things were.
type histories struct {
	tickets  *ticket.Service
	identity *identity.Service
	steps    tickets // tells whose step it is
	now      func() time.Time
}

// instant is a time given on the wire in milliseconds UTC, 0 when there is none.
func instant(t oas.OptTime) int64 {
	if !t.Set {
		return 0
	}
	return max(time.Time(t.Value).UnixMilli(), 1)
}

// MergeTicket merges a ticket into another.
func (h histories) MergeTicket(ctx context.Context, req *oas.MergeReq, params oas.MergeTicketParams) (*oas.Ticket, error) {
	who, err := h.steps.engineer(ctx, string(req.As.Or("")))
	if err != nil {
		return nil, err
	}
	t, err := h.steps.queue.Merge(ctx, who, ticket.Merge{Source: params.Number, Into: req.Into, Version: int64(req.Version.Or(0)), IntoVersion: int64(req.IntoVersion.Or(0))})
	if err != nil {
		return nil, err
	}
	return h.steps.after(ctx, t)
}

// RelateTickets relates two tickets of a customer.
func (h histories) RelateTickets(ctx context.Context, params oas.RelateTicketsParams) error {
	return h.steps.tickets.DeskRelate(ctx, principal.From(ctx), params.Number, params.Other)
}

// UnrelateTickets takes a relation away.
func (h histories) UnrelateTickets(ctx context.Context, params oas.UnrelateTicketsParams) error {
	return h.steps.tickets.DeskUnrelate(ctx, principal.From(ctx), params.Number, params.Other)
}

// SplitTicket makes a ticket out of messages of another.
func (h histories) SplitTicket(ctx context.Context, req *oas.SplitReq, params oas.SplitTicketParams) (*oas.Ticket, error) {
	who, err := h.steps.engineer(ctx, string(req.As.Or("")))
	if err != nil {
		return nil, err
	}
	t, err := h.steps.queue.Split(ctx, who, ticket.Split{Number: params.Number, Messages: req.MessageIds, Description: req.Description.Or(""), Version: int64(req.Version.Or(0))})
	if err != nil {
		return nil, err
	}
	return h.steps.after(ctx, t)
}

// MoveTicketMessages moves messages to another ticket.
func (h histories) MoveTicketMessages(ctx context.Context, req *oas.MoveMessagesReq, params oas.MoveTicketMessagesParams) (*oas.Ticket, error) {
	who, err := h.steps.engineer(ctx, string(req.As.Or("")))
	if err != nil {
		return nil, err
	}
	t, err := h.steps.queue.MoveMessages(ctx, who, ticket.Move{From: params.Number, To: req.To, Messages: req.MessageIds, Version: int64(req.Version.Or(0))})
	if err != nil {
		return nil, err
	}
	return h.steps.after(ctx, t)
}

// UndoTicketChange takes a change back.
func (h histories) UndoTicketChange(ctx context.Context, req *oas.UndoReq, params oas.UndoTicketChangeParams) (*oas.Ticket, error) {
	who, err := h.steps.engineer(ctx, string(req.As.Or("")))
	if err != nil {
		return nil, err
	}
	t, err := h.steps.queue.Undo(ctx, who, params.Number, req.Revision)
	if err != nil {
		return nil, err
	}
	return h.steps.after(ctx, t)
}

// UndoTicketChanges takes several changes back.
func (h histories) UndoTicketChanges(ctx context.Context, req *oas.UndoManyReq) (*oas.UndoAnswer, error) {
	who, err := h.steps.engineer(ctx, string(req.As.Or("")))
	if err != nil {
		return nil, err
	}
	var items []ticket.UndoItem
	for _, i := range req.Items {
		items = append(items, ticket.UndoItem{Number: i.Number, Revision: i.Revision})
	}
	all, err := h.tickets.UndoMany(ctx, who, items)
	if err != nil {
		return nil, err
	}
	lang, out := locale.From(ctx).Language, &oas.UndoAnswer{Items: []oas.UndoResult{}}
	for _, r := range all {
		one := oas.UndoResult{Number: r.Number, Revision: r.Revision, Undone: r.Refusal == nil}
		if f := r.Refusal; f != nil {
			one.ErrorCode, one.ErrorMsg = text(f.Code), text(locale.Text(lang, f))
		} else {
			one.Version.SetTo(r.Ticket.Revision)
		}
		out.Items = append(out.Items, one)
	}
	return out, nil
}

// ListTicketHistory tells what happened to a ticket, newest first.
func (h histories) ListTicketHistory(ctx context.Context, params oas.ListTicketHistoryParams) (*oas.TicketHistory, error) {
	all, total, err := h.tickets.History(ctx, principal.From(ctx), params.Number, int(params.Offset.Or(0)), int(params.Limit.Or(0)))
	if err != nil {
		return nil, err
	}
	lang, out := locale.From(ctx).Language, &oas.TicketHistory{Items: []oas.HistoryEntry{}, TotalCount: int32(total)}
	for _, p := range all {
		one := oas.HistoryEntry{ID: p.ID, Kind: p.Kind, At: at(p.At), AtMs: p.At, Side: oas.HistoryEntrySide(sides[p.Side]), ActorID: text(p.Actor), ActorName: text(p.ActorName),
			Other: text(p.Other), Undoable: p.Undoable, Via: via(p.Via, lang), TagsAdded: p.TagsOn, TagsRemoved: p.TagsOff}
		number(&one.Revision, p.Revision)
		number(&one.Undoes, p.Undoes)
		number(&one.UndoneBy, p.UndoneBy)
		if p.From != nil {
			one.From.SetTo(oas.TicketStatus(*p.From))
			one.To.SetTo(oas.TicketStatus(*p.To))
			one.FromName, one.ToName = text(p.From.Name(lang)), text(p.To.Name(lang))
		}
		if p.Assignee != nil {
			one.AssigneeChanged.SetTo(true)
			one.AssigneeTo = text(p.Names[*p.Assignee])
			if p.AssigneeFrom != nil {
				one.AssigneeFrom = text(p.Names[*p.AssigneeFrom])
			}
		}
		if p.Owner != nil {
			one.OwnerFrom.SetTo(owners[*p.OwnerFrom])
			one.OwnerTo.SetTo(owners[*p.Owner])
		}
		if p.Why != nil {
			one.WhyNot = text(locale.Text(lang, p.Why.In("")))
		}
		out.Items = append(out.Items, one)
	}
	return out, nil
}

// number is an optional number: absent when 0.
func number(into *oas.OptInt64, n int64) {
	if n != 0 {
		into.SetTo(n)
	}
}

// ShowTicketAsOf shows a ticket as it was.
func (h histories) ShowTicketAsOf(ctx context.Context, params oas.ShowTicketAsOfParams) (*oas.TicketAsOf, error) {
	t, err := h.tickets.AsOf(ctx, principal.From(ctx), params.Number, time.Time(params.AsOf).UnixMilli())
	if err != nil {
		return nil, err
	}
	out := &oas.TicketAsOf{AsOf: params.AsOf, Ticket: h.steps.ticket(ctx, t.DeskTicket), Messages: []oas.Message{}, Attachments: append([]oas.Attachment{}, fileList(t.Files)...)}
	out.Ticket.Labels = []oas.TicketLabel{}
	for _, l := range t.Labels {
		out.Ticket.Labels = append(out.Ticket.Labels, oas.TicketLabel{ID: l.ID, Name: l.Name, Color: l.Color})
	}
	for _, m := range t.Messages {
		out.Messages = append(out.Messages, said(m))
	}
	return out, nil
}

// ShowDomainPermissions tells who might do what in a domain.
func (h histories) ShowDomainPermissions(ctx context.Context, params oas.ShowDomainPermissionsParams) (*oas.Permissions, error) {
	then := instant(params.AsOf)
	if then == 0 {
		then = h.now().UnixMilli()
	}
	p, err := h.identity.PermissionsAt(ctx, principal.From(ctx), params.DomainID, then)
	if err != nil {
		return nil, err
	}
	out := &oas.Permissions{AsOf: at(p.At), DomainID: p.Domain, Disabled: p.Disabled, PartnerID: text(p.Partner), SubmitByPermission: p.SubmitByPermission,
		ExportByUsers: p.ExportByUsers, AssumeAll: p.AssumeAll, Users: []oas.PermissionUser{}, Groups: []oas.Group{}}
	for _, u := range p.Users {
		out.Users = append(out.Users, oas.PermissionUser{ID: u.ID, Name: u.Name, Main: u.Main, Role: text(u.Role), PartnerID: text(u.Partner), Disabled: u.Disabled})
	}
	for _, g := range p.Groups {
		out.Groups = append(out.Groups, group(g))
	}
	return out, nil
}
