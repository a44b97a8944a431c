package api

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"casemate/internal/api/oas"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// instantMessages are the polls and what belongs to them, of the group Ticket
// Message Management.
type instantMessages struct{ ticket *ticket.Service }

// errType answers a type outside 0 and 1 (contract/errors.csv).
var errType = fault.New(fault.Invalid, "OSM.01010012", "类型只能是 0 或 1", "The type must be 0 or 1.").In("type")

// ListNewInstantMessages polls: what was said since the last poll.
func (h instantMessages) ListNewInstantMessages(ctx context.Context, p oas.ListNewInstantMessagesParams) (*oas.ListNewInstantMessagesResponse, error) {
	all, next, err := h.ticket.Poll(ctx, principal.From(ctx), p.CaseIds, p.GroupID.Or(""), p.LastMessageTimeID.Or(""))
	if err != nil {
		return nil, err
	}
	trim := p.TrimOsmRichTextLabel.Or(true)
	res := &oas.ListNewInstantMessagesResponse{Imstatus: make([]oas.ImStatusV2, 0, len(all)), Immsg: []oas.UserInstantIncidentMsgV2{}, LastMessageTimeID: oas.NewOptString(next)}
	for _, t := range all {
		res.Imstatus = append(res.Imstatus, oas.ImStatusV2{IncidentID: oas.NewOptString(t.Number), Status: flag(t.Unread == 0)})
		if len(t.New) > 0 {
			res.Immsg = append(res.Immsg, oas.UserInstantIncidentMsgV2{IncidentID: oas.NewOptString(t.Number), MessageList: instants(t.New, trim)})
		}
	}
	return res, nil
}

func instants(all []ticket.Message, trim bool) []oas.QueryMessageInfoV2 {
	out := make([]oas.QueryMessageInfoV2, 0, len(all))
	for _, m := range all {
		out = append(out, messageInfo(m, trim))
	}
	return out
}

// ListMoreInstantMessages pages back, newest first.
func (h instantMessages) ListMoreInstantMessages(ctx context.Context, p oas.ListMoreInstantMessagesParams) (*oas.ListMoreInstantMessagesResponse, error) {
	before, err := pivot(locale.From(ctx), p.CreateTime)
	if err != nil {
		return nil, err
	}
	before.Side = ticket.Side(p.Type)
	page, total, err := h.ticket.Older(ctx, principal.From(ctx), p.CaseID, p.GroupID.Or(""), before, int(p.Limit))
	if err != nil {
		return nil, err
	}
	return &oas.ListMoreInstantMessagesResponse{Count: int32(total), MessageList: instants(page, p.TrimOsmRichTextLabel.Or(true))}, nil
}

var zoned = regexp.MustCompile(`[0-9](Z|[+-][0-9]{2}:?[0-9]{2})$`)

// pivot reads the create_time one pages from: as answers print it, with or
// without a fraction, with an offset, as milliseconds (or seconds) since the
// epoch; without a zone it is in the caller's.
func pivot(loc locale.Locale, text string) (b ticket.Before, err error) {
	const field = "create_time"
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 && n < 1e15 {
		if len(text) > 10 {
			return ticket.Before{At: n, Exact: true}, nil
		}
		return ticket.Before{At: n * 1000}, nil
	}
	zone := loc.Zone
	if zoned.MatchString(text) {
		zone = time.UTC
	}
	for _, form := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		if t, err := time.ParseInLocation(form, text, zone); err == nil {
			return ticket.Before{At: t.UnixMilli(), Exact: strings.ContainsAny(text, ".,")}, nil
		}
	}
	return b, fault.BadFormat.In(field).With("form", "yyyy-MM-ddTHH:mm:ss[.SSS]Z")
}

// ListUnreadNewInstantMessages counts what the caller has not read.
func (h instantMessages) ListUnreadNewInstantMessages(ctx context.Context, p oas.ListUnreadNewInstantMessagesParams) (*oas.ListUnreadNewInstantMessagesResponse, error) {
	all, err := h.ticket.Unread(ctx, principal.From(ctx), p.CaseIds, p.GroupID.Or(""))
	if err != nil {
		return nil, err
	}
	res := &oas.ListUnreadNewInstantMessagesResponse{Imunread: make([]oas.ImUnreadV2, 0, len(all))}
	for _, t := range all {
		res.Imunread = append(res.Imunread, oas.ImUnreadV2{IncidentID: oas.NewOptString(t.Number), Status: oas.NewOptInt32(int32(t.Status)), UnreadNum: oas.NewOptInt32(int32(t.Unread))})
	}
	return res, nil
}

// UpdateNewInstantMessagesRead marks a ticket's messages as read by the caller.
func (h instantMessages) UpdateNewInstantMessagesRead(ctx context.Context, req oas.OptUpdateUnreadNewInstantMsgV2Req, p oas.UpdateNewInstantMessagesReadParams) (*oas.Ack, error) {
	if err := h.ticket.MarkRead(ctx, principal.From(ctx), p.CaseID, req.Value.GroupID.Or("")); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// RevokeMessage withdraws a message.
func (h instantMessages) RevokeMessage(ctx context.Context, p oas.RevokeMessageParams) (*oas.Ack, error) {
	if err := h.ticket.Withdraw(ctx, principal.From(ctx), p.CaseID, p.MessageID); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}
