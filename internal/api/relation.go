package api

import (
	"context"

	"casemate/internal/api/oas"
)

type relations struct{}

func (relations) CreateRelations(_ context.Context, _ *oas.CreateRelationsReq, _ oas.CreateRelationsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CreateRelations")
}

func (relations) DeleteRelation(_ context.Context, _ *oas.DeleteRelationsReq, _ oas.DeleteRelationParams) (*oas.Ack, error) {
	return later[*oas.Ack]("DeleteRelation")
}

func (relations) ListRelation(_ context.Context, _ oas.ListRelationParams) (*oas.ListRelationResponse, error) {
	return later[*oas.ListRelationResponse]("ListRelation")
}
