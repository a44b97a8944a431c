package api

import (
	"context"

	"casemate/internal/api/oas"
)

type details struct{}

func (details) UpdateCaseContactInfo(_ context.Context, _ oas.OptUpdateCaseContactInfoReq, _ oas.UpdateCaseContactInfoParams) (*oas.Ack, error) {
	return later[*oas.Ack]("UpdateCaseContactInfo")
}

func (details) CreateCaseExtendsParam(_ context.Context, _ oas.OptPutCaseExtParamReq, _ oas.CreateCaseExtendsParamParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CreateCaseExtendsParam")
}

func (details) ShowCaseExtendsParam(_ context.Context, _ oas.ShowCaseExtendsParamParams) (*oas.Ack, error) {
	return later[*oas.Ack]("ShowCaseExtendsParam")
}

func (details) ListCaseCcEmails(_ context.Context, _ oas.ListCaseCcEmailsParams) (*oas.ListCaseCcEmailsResponse, error) {
	return later[*oas.ListCaseCcEmailsResponse]("ListCaseCcEmails")
}

func (details) DownloadCases(_ context.Context, _ oas.DownloadCasesParams) (*oas.DownloadCasesOKHeaders, error) {
	return later[*oas.DownloadCasesOKHeaders]("DownloadCases")
}
