package desk

import (
	"context"
	"strings"

	"casemate/internal/desk/oas"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// userSignIns is how users sign in and where they are, for administrators.
type userSignIns struct{ identity *identity.Service }

// ShowUserSignIn tells how a user signs in.
func (h userSignIns) ShowUserSignIn(ctx context.Context, p oas.ShowUserSignInParams) (*oas.UserSignIn, error) {
	who := principal.From(ctx)
	f, err := h.identity.SecondFactor(ctx, who, p.DomainID, p.UserID)
	if err != nil {
		return nil, err
	}
	links, err := h.identity.Links(ctx, who, p.DomainID, p.UserID)
	if err != nil {
		return nil, err
	}
	out := &oas.UserSignIn{SecondFactor: f.Active, SecondFactorRequired: f.Required, RecoveryCodesLeft: int32(f.Left), Links: []oas.UserLink{}}
	for _, l := range links {
		out.Links = append(out.Links, oas.UserLink{Provider: l.Provider, Subject: l.Subject, CreatedAt: at(l.Created), CheckedAt: maybeAt(l.Checked), GoneAt: maybeAt(l.Gone)})
	}
	return out, nil
}

// ResetUserSecondFactor takes a user's second factor away.
func (h userSignIns) ResetUserSecondFactor(ctx context.Context, p oas.ResetUserSecondFactorParams) error {
	return h.identity.ResetFactor(ctx, principal.From(ctx), p.DomainID, p.UserID)
}

// ListUserSessions lists sessions and tokens.
func (h userSignIns) ListUserSessions(ctx context.Context, p oas.ListUserSessionsParams) (*oas.UserSessionList, error) {
	who := principal.From(ctx)
	browsers, err := h.identity.BrowserSessions(ctx, who, p.DomainID, p.UserID)
	if err != nil {
		return nil, err
	}
	tokens, err := h.identity.TokensOf(ctx, who, p.DomainID, p.UserID)
	if err != nil {
		return nil, err
	}
	out := &oas.UserSessionList{Items: []oas.UserSession{}}
	for _, s := range browsers {
		out.Items = append(out.Items, oas.UserSession{ID: s.ID, Kind: oas.UserSessionKindBrowser, Method: s.Method, Provider: text(s.Provider), Device: text(s.Device), Address: text(s.Address),
			CreatedAt: at(s.Created), LastUsedAt: maybeAt(s.LastUsed), ExpiresAt: at(s.Expires)})
	}
	for _, t := range tokens {
		out.Items = append(out.Items, oas.UserSession{ID: t.ID, Kind: oas.UserSessionKindToken, Method: strings.Join(t.Methods, "+"), CreatedAt: at(t.IssuedAt), ExpiresAt: at(t.ExpiresAt)})
	}
	return out, nil
}

// RevokeUserSessions logs a user out everywhere.
func (h userSignIns) RevokeUserSessions(ctx context.Context, p oas.RevokeUserSessionsParams) error {
	return h.identity.RevokeAll(ctx, principal.From(ctx), p.DomainID, p.UserID)
}

// RevokeUserSession ends one session or token.
func (h userSignIns) RevokeUserSession(ctx context.Context, p oas.RevokeUserSessionParams) error {
	return h.identity.EndAny(ctx, principal.From(ctx), p.DomainID, p.UserID, p.SessionID)
}
