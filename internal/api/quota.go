package api

import (
	"context"

	"casemate/internal/api/oas"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// quotas is the group Service Ticket Quota Management.
type quotas struct{ ticket *ticket.Service }

// ListCaseQuotas tells how many open tickets of a problem type the customer may
// have, and how many more; -1 without an end.
func (h quotas) ListCaseQuotas(ctx context.Context, p oas.ListCaseQuotasParams) (*oas.ListCaseQuotasResponse, error) {
	total, unused, err := h.ticket.Quota(ctx, principal.From(ctx), p.BusinessTypeID, p.ProductCategoryID.Or(""))
	if err != nil {
		return nil, err
	}
	return &oas.ListCaseQuotasResponse{Total: int32(total), UnUsed: int32(unused)}, nil
}
