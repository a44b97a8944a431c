package desk

import (
	"context"
	"time"

	"casemate/internal/desk/oas"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

type sandboxes struct {
	identity *identity.Service
	host     Host
}

// MoveDomainClock moves a sandbox's clock forward.
func (h sandboxes) MoveDomainClock(ctx context.Context, req *oas.MoveClockReq, params oas.MoveDomainClockParams) (*oas.DomainClock, error) {
	d, err := h.identity.MoveClock(ctx, principal.From(ctx), params.DomainID, time.Duration(req.Seconds)*time.Second)
	if err != nil {
		return nil, err
	}
	return &oas.DomainClock{DomainID: d.ID, AheadSeconds: d.Clock / 1000, Now: at(h.host.Now().UnixMilli() + d.Clock)}, nil
}

// ResetDomain empties a sandbox.
func (h sandboxes) ResetDomain(ctx context.Context, params oas.ResetDomainParams) (*oas.Domain, error) {
	d, err := h.host.Reset(ctx, principal.From(ctx), params.DomainID)
	if err != nil {
		return nil, err
	}
	return domain(d), nil
}
