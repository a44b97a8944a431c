package queue

import (
	"context"

	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Snooze snoozes a ticket as ticket.Snooze does; a stale version tells what
// happened, as a *Conflict.
func (s *Service) Snooze(ctx context.Context, who principal.Principal, number string, until, version int64) (ticket.Ticket, error) {
	t, err := s.tickets.Snooze(ctx, who, number, until, version)
	return t, s.Explain(ctx, who, number, version, err)
}
