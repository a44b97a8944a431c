package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

type sessions struct {
	identity *identity.Service
	host     Host
}

// SetUp makes the first administrator.
func (h sessions) SetUp(ctx context.Context, req *oas.SetUpReq) (*oas.User, error) {
	u, err := h.host.SetUp(ctx, req.Token, req.Name, req.Password)
	if err != nil {
		return nil, err
	}
	return user(u), nil
}

// CreateSession logs a person of the house in.
func (h sessions) CreateSession(ctx context.Context, req *oas.NewSessionReq) (*oas.NewSession, error) {
	t, err := h.identity.Login(ctx, identity.Login{User: req.Name, Password: req.Password, Code: req.Code.Or(""), Address: principal.From(ctx).Address, Engineer: true})
	if err != nil {
		return nil, err
	}
	return &oas.NewSession{Token: t.Secret, ExpiresAt: at(t.ExpiresAt), Session: oas.Session{
		Kind: oas.SessionKindEngineer, UserID: t.User.ID, Name: t.User.Name, Role: oas.Role(t.User.Role), PartnerID: text(t.User.Partner)}}, nil
}

// ShowSession tells who the caller is.
func (h sessions) ShowSession(ctx context.Context) (*oas.Session, error) {
	who := principal.From(ctx)
	s := &oas.Session{Kind: oas.SessionKindEngineer, UserID: who.User, Name: who.UserName, Role: oas.Role(who.Role), PartnerID: text(who.Partner)}
	if who.Kind == principal.Local {
		s.Kind, s.Role = oas.SessionKindLocal, oas.RoleAdministrator
	}
	return s, nil
}

// DeleteSession ends the caller's token, or the session of its browser. The local token is the server's own
// and ends with it.
func (h sessions) DeleteSession(ctx context.Context) error {
	who := principal.From(ctx)
	if who.Session != "" {
		return h.identity.EndSession(ctx, who, who.Domain, who.User, who.Session)
	}
	if who.Token == "" {
		return fault.NoPermission
	}
	return h.identity.RevokeID(ctx, who, who.Domain, who.Token)
}
