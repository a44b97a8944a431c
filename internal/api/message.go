package api

import (
	"context"

	"casemate/internal/api/oas"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// messages is the group Ticket Message Management.
type messages struct{ ticket *ticket.Service }

// CreateMessages adds a customer's message to a ticket.
func (h messages) CreateMessages(ctx context.Context, req *oas.CreateMessageV2Req, p oas.CreateMessagesParams) (*oas.Ack, error) {
	if err := h.ticket.Reply(ctx, principal.From(ctx), p.CaseID, req.GroupID.Or(""), req.Message.Content, req.Message.AccessoryIds...); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// ListMessages lists what was said, oldest first.
func (h messages) ListMessages(ctx context.Context, p oas.ListMessagesParams) (*oas.ListMessagesResponse, error) {
	page, total, err := h.ticket.Messages(ctx, principal.From(ctx), p.CaseID, p.GroupID.Or(""), int(p.Offset.Or(0)), int(p.Limit.Or(0)))
	if err != nil {
		return nil, err
	}
	trim := p.TrimOsmRichTextLabel.Or(true)
	res := &oas.ListMessagesResponse{Count: int32(total), MessageList: make([]oas.QueryMessageInfoV2, 0, len(page))}
	for _, m := range page {
		res.MessageList = append(res.MessageList, messageInfo(m, trim))
	}
	return res, nil
}

// messageInfo is a message as the lists and polls carry it.
func messageInfo(m ticket.Message, trim bool) oas.QueryMessageInfoV2 {
	return oas.QueryMessageInfoV2{
		Type: oas.NewOptInt32(author(m)), ReplierType: oas.NewOptInt32(int32(m.Side)), Replier: oas.NewOptString(m.Author), ReplierName: oas.NewOptString(m.AuthorName),
		Content: oas.NewOptString(trimmed(m.Text, trim)), CreateTime: oas.NewOptTime(wireTime(m.Created)), IsFirstMessage: flag(m.Opening),
		AccessoryList: accessories(m.Files)}
}
