package api

import (
	"context"

	"casemate/internal/api/oas"
)

type instantMessages struct{}

func (instantMessages) ListNewInstantMessages(_ context.Context, _ oas.ListNewInstantMessagesParams) (*oas.ListNewInstantMessagesResponse, error) {
	return later[*oas.ListNewInstantMessagesResponse]("ListNewInstantMessages")
}

func (instantMessages) ListMoreInstantMessages(_ context.Context, _ oas.ListMoreInstantMessagesParams) (*oas.ListMoreInstantMessagesResponse, error) {
	return later[*oas.ListMoreInstantMessagesResponse]("ListMoreInstantMessages")
}

func (instantMessages) ListUnreadNewInstantMessages(_ context.Context, _ oas.ListUnreadNewInstantMessagesParams) (*oas.ListUnreadNewInstantMessagesResponse, error) {
	return later[*oas.ListUnreadNewInstantMessagesResponse]("ListUnreadNewInstantMessages")
}

func (instantMessages) UpdateNewInstantMessagesRead(_ context.Context, _ oas.OptUpdateUnreadNewInstantMsgV2Req, _ oas.UpdateNewInstantMessagesReadParams) (*oas.Ack, error) {
	return later[*oas.Ack]("UpdateNewInstantMessagesRead")
}

func (instantMessages) RevokeMessage(_ context.Context, _ oas.RevokeMessageParams) (*oas.Ack, error) {
	return later[*oas.Ack]("RevokeMessage")
}
