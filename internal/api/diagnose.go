package api

import (
	"context"

	"casemate/internal/api/oas"
)

type diagnoses struct{}

func (diagnoses) CreateDiagnoseJob(_ context.Context, _ *oas.SubmitDiagnoseJobReq, _ oas.CreateDiagnoseJobParams) (*oas.CreateDiagnoseJobResponse, error) {
	return later[*oas.CreateDiagnoseJobResponse]("CreateDiagnoseJob")
}

func (diagnoses) ListDiagnoseJob(_ context.Context, _ oas.ListDiagnoseJobParams) (*oas.ListDiagnoseJobResponse, error) {
	return later[*oas.ListDiagnoseJobResponse]("ListDiagnoseJob")
}

func (diagnoses) ListDiagnoseItems(_ context.Context, _ oas.OptQueryDiagnoseItemsReq, _ oas.ListDiagnoseItemsParams) (*oas.ListDiagnoseItemsResponse, error) {
	return later[*oas.ListDiagnoseItemsResponse]("ListDiagnoseItems")
}

func (diagnoses) ListDiagnoseRecords(_ context.Context, _ oas.ListDiagnoseRecordsParams) (*oas.ListDiagnoseRecordsResponse, error) {
	return later[*oas.ListDiagnoseRecordsResponse]("ListDiagnoseRecords")
}

func (diagnoses) ListDiagnoseResources(_ context.Context, _ oas.OptQueryTscDiagnoseResourcesReq, _ oas.ListDiagnoseResourcesParams) (*oas.ListDiagnoseResourcesResponse, error) {
	return later[*oas.ListDiagnoseResourcesResponse]("ListDiagnoseResources")
}

func (diagnoses) CreateDiagnoseFeedback(_ context.Context, _ *oas.CreateFeedbackReq, _ oas.CreateDiagnoseFeedbackParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CreateDiagnoseFeedback")
}
