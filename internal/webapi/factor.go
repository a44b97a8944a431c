package webapi

import (
	"context"

	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/webapi/oas"
)

// factors is the caller's second factor.
type factors struct{ identity *identity.Service }

func enrolment(e identity.Enrolment) *oas.Enrolment {
	return &oas.Enrolment{Secret: e.Secret, URI: e.URI, Qr: e.QR}
}

// ShowSecondFactor tells how it stands.
func (h factors) ShowSecondFactor(ctx context.Context) (*oas.SecondFactor, error) {
	who := principal.From(ctx)
	f, err := h.identity.SecondFactor(ctx, who, who.Domain, who.User)
	if err != nil {
		return nil, err
	}
	out := &oas.SecondFactor{Active: f.Active, Required: f.Required, RecoveryCodesLeft: int32(f.Left)}
	if f.Active {
		out.ConfirmedAt = oas.NewOptTime(at(f.Confirmed))
	}
	return out, nil
}

// BeginSecondFactor makes a new secret.
func (h factors) BeginSecondFactor(ctx context.Context) (*oas.Enrolment, error) {
	e, err := h.identity.BeginFactor(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	return enrolment(e), nil
}

// ConfirmSecondFactor turns it on.
func (h factors) ConfirmSecondFactor(ctx context.Context, req *oas.CodeReq) (*oas.RecoveryCodes, error) {
	return recovery(h.identity.ConfirmFactor(ctx, principal.From(ctx), req.Code))
}

// RenewRecoveryCodes replaces the recovery codes.
func (h factors) RenewRecoveryCodes(ctx context.Context, req *oas.CodeReq) (*oas.RecoveryCodes, error) {
	return recovery(h.identity.RenewRecovery(ctx, principal.From(ctx), req.Code))
}

func recovery(codes []string, err error) (*oas.RecoveryCodes, error) {
	if err != nil {
		return nil, err
	}
	return &oas.RecoveryCodes{RecoveryCodes: codes}, nil
}

// EndSecondFactor gives it up.
func (h factors) EndSecondFactor(ctx context.Context, req *oas.CodeReq) error {
	return h.identity.EndFactor(ctx, principal.From(ctx), req.Code)
}
