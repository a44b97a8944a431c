package queue

import (
	"context"

	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Merge is ticket.Merge; a stale version of either ticket, or a state that
// another's step has brought about, tells what happened, as a *Conflict.
func (s *Service) Merge(ctx context.Context, who principal.Principal, in ticket.Merge) (ticket.Ticket, error) {
	t, err := s.tickets.Merge(ctx, who, in)
	if f, ok := fault.As(err); ok && f.Field == "into_version" {
		return t, s.Explain(ctx, who, in.Into, in.IntoVersion, err)
	}
	return t, s.Explain(ctx, who, in.Source, in.Version, err)
}

// Split is ticket.Split that tells of a stale version what happened.
func (s *Service) Split(ctx context.Context, who principal.Principal, in ticket.Split) (ticket.Ticket, error) {
	t, err := s.tickets.Split(ctx, who, in)
	return t, s.Explain(ctx, who, in.Number, in.Version, err)
}

// MoveMessages is ticket.MoveMessages that tells of a stale version what happened.
func (s *Service) MoveMessages(ctx context.Context, who principal.Principal, in ticket.Move) (ticket.Ticket, error) {
	t, err := s.tickets.MoveMessages(ctx, who, in)
	return t, s.Explain(ctx, who, in.From, in.Version, err)
}

// Undo is ticket.Undo; what stands in the way comes with what happened behind
// the change.
func (s *Service) Undo(ctx context.Context, who principal.Principal, number string, revision int64) (ticket.Ticket, error) {
	t, err := s.tickets.Undo(ctx, who, number, revision)
	return t, s.Explain(ctx, who, number, revision, err)
}
