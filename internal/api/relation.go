package api

import (
	"context"

	"casemate/internal/api/oas"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// relations is the group Management of Associated Tickets.
type relations struct{ ticket *ticket.Service }

// CreateRelations relates a ticket to others.
func (h relations) CreateRelations(ctx context.Context, req *oas.CreateRelationsReq, p oas.CreateRelationsParams) (*oas.Ack, error) {
	if err := h.ticket.Relate(ctx, principal.From(ctx), p.CaseID, req.GroupID.Or(""), req.RelatedIDList); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// DeleteRelation takes a relation away. The other ticket is named in the body
// of the DELETE.
func (h relations) DeleteRelation(ctx context.Context, req *oas.DeleteRelationsReq, p oas.DeleteRelationParams) (*oas.Ack, error) {
	if err := h.ticket.Unrelate(ctx, principal.From(ctx), p.CaseID, req.GroupID.Or(""), req.RelatedID); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// ListRelation lists what a ticket is related to. Of a ticket the caller may
// not open only the number is shown.
func (h relations) ListRelation(ctx context.Context, p oas.ListRelationParams) (*oas.ListRelationResponse, error) {
	all, err := h.ticket.Relations(ctx, principal.From(ctx), p.CaseID)
	if err != nil {
		return nil, err
	}
	res := &oas.ListRelationResponse{CaseRelationList: make([]oas.CaseRealtionInfo, 0, len(all))}
	for _, r := range all {
		out := oas.CaseRealtionInfo{CaseID: oas.NewOptString(r.Number)}
		if r.Open {
			out.SimpleDescription.SetTo(trimmed(r.Description, true))
			out.UserName.SetTo(r.CreatorName)
		}
		res.CaseRelationList = append(res.CaseRelationList, out)
	}
	return res, nil
}
