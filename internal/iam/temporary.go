package iam

import (
	"context"
	"time"

	"casemate/internal/fault"
	"casemate/internal/iam/oas"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/wire"
)

// temporaries are the calls by which the SDKs get temporary access keys.
type temporaries struct{ identity *identity.Service }

var (
	errTokenOnly = fault.New(fault.Invalid, fault.CodeInvalid, "不支持的方式，仅支持 token", "only the method token is supported").In("auth.identity.methods")
	errPolicy    = fault.New(fault.Invalid, fault.CodeInvalid, "不支持用 {field} 收窄权限", "narrowing rights by {field} is not supported").In("auth.identity.policy")
)

// CreateTemporaryCredential makes a temporary access key.
func (h temporaries) CreateTemporaryCredential(ctx context.Context, req *oas.TemporaryReq, p oas.CreateTemporaryCredentialParams) (*oas.TemporaryAnswer, error) {
	id, who := req.Auth.Identity, principal.From(ctx)
	switch {
	case id.Methods[0] != "token":
		return nil, errTokenOnly
	case len(id.Policy) > 0 && string(id.Policy) != "null":
		return nil, errPolicy
	}
	token := id.Token.Value.ID.Or("")
	if token == "" {
		token = p.XAuthToken.Or("")
	}
	if token == "" && who.Kind == principal.Anonymous {
		return nil, wire.ErrNoToken
	}
	seconds, asked := id.Token.Value.DurationSeconds.Get()
	if asked && seconds == 0 {
		seconds = -1 // 0 would be the default, which was not asked for
	}
	k, err := h.identity.CreateTemporaryKey(ctx, who, token, int(seconds))
	if err != nil {
		return nil, err
	}
	return &oas.TemporaryAnswer{Credential: oas.TemporaryCredential{Access: k.ID, Secret: k.Secret, Securitytoken: k.Token,
		ExpiresAt: time.UnixMilli(k.Expires).UTC().Format("2006-01-02T15:04:05Z")}}, nil
}

// CreateTokenByIdToken issues a token to whom an identity provider vouches for.
func (h tokens) CreateTokenByIdToken(ctx context.Context, req *oas.IdTokenReq, p oas.CreateTokenByIdTokenParams) (*oas.TokenAnswerHeaders, error) {
	want, err := readScope(req.Auth.Scope)
	if err != nil {
		return nil, err
	}
	t, err := h.identity.LoginByIDToken(ctx, principal.From(ctx).Address, p.XIdpID, req.Auth.IDToken.ID, want.of)
	if err != nil {
		return nil, err
	}
	out := h.answer(ctx, t, t.Secret, true)
	out.Response.Token.User.OSMinusFEDERATION.SetTo(oas.Federation{IdentityProvider: oas.FederationRef{ID: p.XIdpID}, Protocol: oas.FederationRef{ID: "oidc"}, Groups: []string{}})
	return out, nil
}
