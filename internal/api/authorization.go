package api

import (
	"context"

	"casemate/internal/api/oas"
)

type authorizations struct{}

func (authorizations) ListAuthorizations(_ context.Context, _ oas.ListAuthorizationsParams) (*oas.ListAuthorizationsResponse, error) {
	return later[*oas.ListAuthorizationsResponse]("ListAuthorizations")
}

func (authorizations) ShowAuthorizationDetail(_ context.Context, _ oas.ShowAuthorizationDetailParams) (*oas.ShowAuthorizationDetailResponse, error) {
	return later[*oas.ShowAuthorizationDetailResponse]("ShowAuthorizationDetail")
}

func (authorizations) ConfirmAuthorizations(_ context.Context, _ oas.OptAgreeTenantAuthorizationV2Req, _ oas.ConfirmAuthorizationsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("ConfirmAuthorizations")
}

func (authorizations) UpdateAuthorizations(_ context.Context, _ oas.OptOperateAuthorizationV2Req, _ oas.UpdateAuthorizationsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("UpdateAuthorizations")
}

func (authorizations) CheckHosts(_ context.Context, _ *oas.VerifyHostV2Req, _ oas.CheckHostsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CheckHosts")
}

func (authorizations) ShowLoginType(_ context.Context, _ oas.ShowLoginTypeParams) (*oas.ShowLoginTypeResponse, error) {
	return later[*oas.ShowLoginTypeResponse]("ShowLoginType")
}

func (authorizations) ListHistorySessions(_ context.Context, _ oas.ListHistorySessionsParams) (*oas.ListHistorySessionsResponse, error) {
	return later[*oas.ListHistorySessionsResponse]("ListHistorySessions")
}

func (authorizations) ListHistoryOperateLogs(_ context.Context, _ oas.ListHistoryOperateLogsParams) (*oas.ListHistoryOperateLogsResponse, error) {
	return later[*oas.ListHistoryOperateLogsResponse]("ListHistoryOperateLogs")
}

func (authorizations) ListTransportHistories(_ context.Context, _ oas.ListTransportHistoriesParams) (*oas.ListTransportHistoriesResponse, error) {
	return later[*oas.ListTransportHistoriesResponse]("ListTransportHistories")
}
