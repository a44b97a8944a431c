package desk

import (
	"context"
	"errors"
	"time"

	"casemate/internal/desk/oas"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// teamwork is who is at a ticket, who follows it, and what waits to be said.
type teamwork struct {
	queue *queue.Service
	steps tickets // whose it is, and how a ticket is shown
}

var errUntil = fault.New(fault.Invalid, fault.CodeInvalid, "请指定 until 或 until_customer 之一", "give either until or until_customer").In("until")

// millis is an instant in milliseconds, 0 = absent.
func millis(t oas.OptTime) int64 {
	if v, ok := t.Get(); ok {
		return time.Time(v).UnixMilli()
	}
	return 0
}

func laterOut(l queue.Later) oas.Later {
	return oas.Later{ID: l.ID, Number: l.Number, UserID: l.User, Name: text(l.Name), Action: oas.LaterAction(l.Action), Text: text(l.Text),
		AttachmentIds: append([]string{}, l.Attachments...), SendAt: at(l.At), Undo: l.Undo, Anyway: l.Anyway, Version: l.Version, CreatedAt: at(l.Created)}
}

func laterList(all []queue.Later) []oas.Later {
	out := []oas.Later{}
	for _, l := range all {
		out = append(out, laterOut(l))
	}
	return out
}

func draftOut(d queue.Draft) *oas.Draft {
	return &oas.Draft{ID: d.ID, Number: d.Number, Kind: oas.DraftKind(d.Kind), Action: oas.DraftAction(d.Action), Text: d.Text,
		AttachmentIds: append([]string{}, d.Attachments...), LastMessageID: text(d.Seen), Origin: oas.DraftOrigin(d.Origin), Cause: text(d.Cause), Version: d.Version, ChangedAt: at(d.Changed)}
}

func draftList(all []queue.Draft) *oas.DraftList {
	list := &oas.DraftList{Items: []oas.Draft{}}
	for _, d := range all {
		list.Items = append(list.Items, *draftOut(d))
	}
	return list
}

func presenceOut(all []queue.Present) []oas.TicketPresence {
	out := []oas.TicketPresence{}
	for _, p := range all {
		out = append(out, oas.TicketPresence{UserID: p.User, Name: text(p.Name), Doing: oas.TicketPresenceDoing(p.Doing), SeenAt: at(p.Seen)})
	}
	return out
}

// snoozeOut is a ticket's rest; absent when it has none.
func snoozeOut(z ticket.Snooze) oas.OptSnooze {
	if z.Until == 0 {
		return oas.OptSnooze{}
	}
	out := oas.Snooze{UntilCustomer: z.Until == ticket.UntilStirred, ByName: text(z.ByName), Since: at(z.At)}
	if !out.UntilCustomer {
		out.Until = maybeAt(z.Until)
	}
	return oas.NewOptSnooze(out)
}

var changeSides = map[ticket.Side]oas.ConflictChangeActorSide{ticket.CustomerSide: oas.ConflictChangeActorSideCustomer,
	ticket.EngineerSide: oas.ConflictChangeActorSideEngineer, ticket.SystemSide: oas.ConflictChangeActorSideSystem}

// conflictOut is what a refusal tells of what happened meanwhile; absent when it
// is no conflict.
func conflictOut(err error) oas.OptConflict {
	var c *queue.Conflict
	if !errors.As(err, &c) {
		return oas.OptConflict{}
	}
	out := oas.Conflict{Reason: oas.ConflictReason(c.Reason), Version: c.Version, Changes: []oas.ConflictChange{}, NewMessages: int32(c.NewMessages),
		LastMessageID: text(c.LastMessage), DraftID: text(c.DraftID)}
	for _, ch := range c.Changes {
		o := oas.ConflictChange{Kind: ch.Kind, ActorName: text(ch.Actor), ActorSide: changeSides[ch.Side], At: at(ch.At), Version: ch.Revision, AssigneeName: text(ch.Assignee)}
		if ch.Moved {
			o.FromStatus, o.ToStatus = oas.NewOptTicketStatus(oas.TicketStatus(ch.From)), oas.NewOptTicketStatus(oas.TicketStatus(ch.To))
		}
		out.Changes = append(out.Changes, o)
	}
	if c.Draft != nil {
		out.Version = c.Draft.Version
		out.Draft = oas.NewOptDraft(*draftOut(*c.Draft))
	}
	return oas.NewOptConflict(out)
}

// reader is whose view it is: the operator on the machine may have his own.
func (h tickets) reader(ctx context.Context, name string) (principal.Principal, error) {
	if who := principal.From(ctx); who.Kind == principal.Local && name == "" {
		return who, nil
	}
	return h.engineer(ctx, name)
}

// ShowTicketTeam shows who works on a ticket.
func (h teamwork) ShowTicketTeam(ctx context.Context, params oas.ShowTicketTeamParams) (*oas.Teamwork, error) {
	who, err := h.steps.reader(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	team, err := h.queue.Teamwork(ctx, who, params.Number)
	if err != nil {
		return nil, err
	}
	out := &oas.Teamwork{Version: team.Version, LastMessageID: text(team.LastMessage), Presence: presenceOut(team.Present), Followers: []oas.Follower{}, Following: team.Following,
		Drafts: []oas.DraftMark{}, Later: laterList(team.Waiting), Snooze: snoozeOut(team.Snooze)}
	for _, f := range team.Followers {
		out.Followers = append(out.Followers, oas.Follower{UserID: f.User, Name: text(f.Name), Mentioned: f.Mentioned, Since: at(f.Since)})
	}
	for _, d := range team.Drafts {
		out.Drafts = append(out.Drafts, oas.DraftMark{UserID: d.User, Name: text(d.Name), Kind: oas.DraftMarkKind(d.Kind), ChangedAt: at(d.Changed)})
	}
	return out, nil
}

// PutPresence tells that the caller is at a ticket.
func (h teamwork) PutPresence(ctx context.Context, req *oas.PresenceReq, params oas.PutPresenceParams) (*oas.PresenceList, error) {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	others, err := h.queue.Stay(ctx, who, params.Number, string(req.Doing))
	if err != nil {
		return nil, err
	}
	return &oas.PresenceList{Items: presenceOut(others), HeartbeatSeconds: int32(queue.Heartbeat / time.Second), ForgottenSeconds: int32(queue.Forgotten / time.Second)}, nil
}

// DeletePresence tells that he left.
func (h teamwork) DeletePresence(ctx context.Context, params oas.DeletePresenceParams) error {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return err
	}
	return h.queue.Leave(ctx, who, params.Number)
}

// SnoozeTicket takes a ticket out of the lists for a while.
func (h teamwork) SnoozeTicket(ctx context.Context, req *oas.SnoozeReq, params oas.SnoozeTicketParams) (*oas.Ticket, error) {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	until := millis(req.Until)
	if req.UntilCustomer.Or(false) == req.Until.Set {
		return nil, errUntil
	}
	if req.UntilCustomer.Or(false) {
		until = ticket.UntilStirred
	}
	t, err := h.queue.Snooze(ctx, who, params.Number, until, req.Version.Or(0))
	if err != nil {
		return nil, err
	}
	return h.steps.after(ctx, t)
}

// UnsnoozeTicket wakes it.
func (h teamwork) UnsnoozeTicket(ctx context.Context, params oas.UnsnoozeTicketParams) (*oas.Ticket, error) {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	t, err := h.steps.tickets.Unsnooze(ctx, who, params.Number)
	if err != nil {
		return nil, err
	}
	return h.steps.after(ctx, t)
}

// FollowTicket makes the caller a follower.
func (h teamwork) FollowTicket(ctx context.Context, params oas.FollowTicketParams) error {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return err
	}
	return h.steps.tickets.SetFollow(ctx, who, params.Number, true)
}

// UnfollowTicket ends it.
func (h teamwork) UnfollowTicket(ctx context.Context, params oas.UnfollowTicketParams) error {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return err
	}
	return h.steps.tickets.SetFollow(ctx, who, params.Number, false)
}

// ListDrafts lists the caller's drafts of all tickets.
func (h teamwork) ListDrafts(ctx context.Context, params oas.ListDraftsParams) (*oas.DraftList, error) {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	all, cursor, err := h.queue.AllDrafts(ctx, who, params.Cursor.Or(""), int(params.Limit.Or(0)))
	if err != nil {
		return nil, err
	}
	list := draftList(all)
	list.NextCursor = text(cursor)
	return list, nil
}

// ListTicketDrafts lists the caller's drafts of one ticket.
func (h teamwork) ListTicketDrafts(ctx context.Context, params oas.ListTicketDraftsParams) (*oas.DraftList, error) {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	all, err := h.queue.Drafts(ctx, who, params.Number)
	if err != nil {
		return nil, err
	}
	return draftList(all), nil
}

// PutDraft saves a draft.
func (h teamwork) PutDraft(ctx context.Context, req *oas.DraftReq, params oas.PutDraftParams) (*oas.Draft, error) {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	d, err := h.queue.SaveDraft(ctx, who, params.Number, queue.Draft{ID: params.DraftID, Action: string(req.Action.Or("")), Text: req.Text,
		Attachments: req.AttachmentIds, Seen: req.LastMessageID.Or("")}, req.Version)
	if err != nil {
		return nil, err
	}
	return draftOut(d), nil
}

// DeleteDraft discards a draft.
func (h teamwork) DeleteDraft(ctx context.Context, params oas.DeleteDraftParams) error {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return err
	}
	return h.queue.DiscardDraft(ctx, who, params.Number, params.DraftID, params.Version.Or(0))
}

// ListLater lists the caller's messages that wait.
func (h teamwork) ListLater(ctx context.Context, params oas.ListLaterParams) (*oas.LaterList, error) {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	all, err := h.queue.WaitingSends(ctx, who, "")
	if err != nil {
		return nil, err
	}
	return &oas.LaterList{Items: laterList(all)}, nil
}

// ChangeLater changes a message that waits.
func (h teamwork) ChangeLater(ctx context.Context, req *oas.LaterReq, params oas.ChangeLaterParams) (*oas.Later, error) {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	in := queue.Reschedule{Version: req.Version.Or(0)}
	if v, ok := req.Text.Get(); ok {
		in.Text = &v
	}
	if req.AttachmentIds != nil {
		in.Attachments = &req.AttachmentIds
	}
	if req.SendAt.Set {
		v := millis(req.SendAt)
		in.At = &v
	}
	if v, ok := req.Anyway.Get(); ok {
		in.Anyway = &v
	}
	l, err := h.queue.ChangeLater(ctx, who, params.LaterID, in)
	if err != nil {
		return nil, err
	}
	out := laterOut(l)
	return &out, nil
}

// RecallLater takes it back.
func (h teamwork) RecallLater(ctx context.Context, params oas.RecallLaterParams) (*oas.Draft, error) {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	d, err := h.queue.Recall(ctx, who, params.LaterID)
	if err != nil {
		return nil, err
	}
	return draftOut(d), nil
}

// sendingOf is a step with what teamwork adds to it.
func sendingOf(s ticket.Step, req *oas.StepReq) queue.Sending {
	p := queue.Sending{Step: s, Seen: req.LastMessageID.Or(""), Force: req.Force.Or(false), At: millis(req.SendAt), Anyway: req.Anyway.Or(false), Draft: req.DraftID.Or("")}
	if v, ok := req.UndoWithin.Get(); ok {
		n := int(v)
		p.Within = &n
	}
	return p
}
