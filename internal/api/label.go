package api

import (
	"context"

	"casemate/internal/api/oas"
)

type labels struct{}

func (labels) CreateLabels(_ context.Context, _ *oas.CreateLabelsReq, _ oas.CreateLabelsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CreateLabels")
}

func (labels) DeleteLabels(_ context.Context, _ oas.DeleteLabelsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("DeleteLabels")
}

func (labels) UpdateLabels(_ context.Context, _ *oas.UpdateLabelsReq, _ oas.UpdateLabelsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("UpdateLabels")
}

func (labels) ListLabels(_ context.Context, _ oas.ListLabelsParams) (*oas.ListLabelsResponse, error) {
	return later[*oas.ListLabelsResponse]("ListLabels")
}

func (labels) CreateCaseLabels(_ context.Context, _ oas.CreateCaseLabelsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CreateCaseLabels")
}

func (labels) DeleteCaseLabels(_ context.Context, _ oas.DeleteCaseLabelsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("DeleteCaseLabels")
}

func (labels) ListCaseLabels(_ context.Context, _ oas.ListCaseLabelsParams) (*oas.ListCaseLabelsResponse, error) {
	return later[*oas.ListCaseLabelsResponse]("ListCaseLabels")
}
