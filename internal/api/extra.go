package api

import (
	"context"

	"casemate/internal/api/oas"
)

type extras struct{}

func (extras) ShowConfiguration(_ context.Context, _ oas.ShowConfigurationParams) (*oas.ShowConfigurationResponse, error) {
	return later[*oas.ShowConfigurationResponse]("ShowConfiguration")
}

func (extras) CreateFeedback(_ context.Context, _ *oas.CreateFeedbackV2Req, _ oas.CreateFeedbackParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CreateFeedback")
}
