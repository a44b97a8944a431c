package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// reads are engineers' marks of what they have read.
type reads struct{ tickets *ticket.Service }

// MarkTicketRead marks what the customer wrote as read by the caller.
func (h reads) MarkTicketRead(ctx context.Context, params oas.MarkTicketReadParams) error {
	return h.tickets.DeskRead(ctx, principal.From(ctx), params.Number)
}
