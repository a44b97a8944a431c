package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

type users struct{ identity *identity.Service }

func user(u identity.User) *oas.User {
	out := &oas.User{ID: u.ID, DomainID: u.Domain, Name: u.Name, Main: u.Main, PartnerID: text(u.Partner), Alias: text(u.Alias), AreaCode: text(u.AreaCode),
		Mobile: text(u.Mobile), Email: text(u.Mail), TimeZone: text(u.Zone), Disabled: u.Disabled, CreatedAt: at(u.Created)}
	if u.Role != "" {
		out.Role = oas.NewOptRole(oas.Role(u.Role))
		out.Roles = rolesOf(u.Roles)
	}
	if u.Language != "" {
		out.Language = oas.NewOptLanguage(oas.Language(u.Language))
	}
	return out
}

// ListUsers lists the users of a domain.
func (h users) ListUsers(ctx context.Context, params oas.ListUsersParams) (*oas.UserList, error) {
	all, err := h.identity.Users(ctx, principal.From(ctx), params.DomainID)
	if err != nil {
		return nil, err
	}
	list := &oas.UserList{Items: []oas.User{}}
	for _, u := range all {
		list.Items = append(list.Items, *user(u))
	}
	return list, nil
}

// CreateUser adds a user to a domain or to the house.
func (h users) CreateUser(ctx context.Context, req *oas.NewUserReq, params oas.CreateUserParams) (*oas.User, error) {
	u, err := h.identity.CreateUser(ctx, principal.From(ctx), identity.NewUser{Domain: params.DomainID, Name: req.Name, Password: req.Password,
		Main: req.Main.Or(false), Role: string(req.Role.Or("")), Roles: roleNames(req.Roles), Alias: req.Alias.Or(""), AreaCode: req.AreaCode.Or(""), Mobile: req.Mobile.Or(""),
		Mail: req.Email.Or(""), Language: locale.Language(req.Language.Or("")), Zone: req.TimeZone.Or("")})
	if err != nil {
		return nil, err
	}
	return user(u), nil
}

// ShowUser shows a user.
func (h users) ShowUser(ctx context.Context, params oas.ShowUserParams) (*oas.User, error) {
	return h.show(ctx, params.DomainID, params.UserID)
}

func (h users) show(ctx context.Context, domain, id string) (*oas.User, error) {
	u, err := h.identity.User(ctx, principal.From(ctx), domain, id)
	if err != nil {
		return nil, err
	}
	return user(u), nil
}

// DisableUser keeps a user out.
func (h users) DisableUser(ctx context.Context, params oas.DisableUserParams) (*oas.User, error) {
	return h.disable(ctx, params.DomainID, params.UserID, true)
}

// EnableUser lets a user in again.
func (h users) EnableUser(ctx context.Context, params oas.EnableUserParams) (*oas.User, error) {
	return h.disable(ctx, params.DomainID, params.UserID, false)
}

func (h users) disable(ctx context.Context, domain, id string, disabled bool) (*oas.User, error) {
	if err := h.identity.Disable(ctx, principal.From(ctx), domain, id, disabled); err != nil {
		return nil, err
	}
	return h.show(ctx, domain, id)
}

// ResetUserPassword sets a password and ends the user's tokens.
func (h users) ResetUserPassword(ctx context.Context, req *oas.PasswordReq, params oas.ResetUserPasswordParams) error {
	return h.identity.SetPassword(ctx, principal.From(ctx), params.DomainID, params.UserID, req.Password)
}
