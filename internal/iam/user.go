package iam

import (
	"context"
	"strings"

	"casemate/internal/fault"
	"casemate/internal/iam/oas"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/wire"
)

// accounts are the users of the caller's domain and their lasting access keys.
type accounts struct{ identity *identity.Service }

// Statuses of an access key.
const (
	active   = "active"
	inactive = "inactive"
)

// ListUsers lists the users of the caller's domain.
func (h accounts) ListUsers(ctx context.Context, p oas.ListUsersParams) (*oas.UserList, error) {
	who := principal.From(ctx)
	all, err := h.identity.Users(ctx, who, who.Domain)
	if err != nil {
		return nil, err
	}
	out := &oas.UserList{Users: []oas.IamUser{}, Links: links(ctx, "/v3/users")}
	for _, u := range all {
		if p.DomainID.Set && p.DomainID.Value != u.Domain || p.Name.Set && !strings.EqualFold(p.Name.Value, u.Name) || p.Enabled.Set && p.Enabled.Value == u.Disabled {
			continue
		}
		one := oas.IamUser{ID: u.ID, Name: u.Name, DomainID: u.Domain, Enabled: !u.Disabled, PwdStatus: true, Links: oas.SelfLink{Self: wire.Base(ctx) + "/v3/users/" + u.ID}}
		one.PasswordExpiresAt.SetToNull()
		out.Users = append(out.Users, one)
	}
	return out, nil
}

func credential(k identity.AccessKey) oas.Credential {
	out := oas.Credential{UserID: k.User, Access: k.ID, Status: active, CreateTime: stamp(k.Created), Description: k.Description}
	if k.Disabled {
		out.Status = inactive
	}
	if k.LastUsed > 0 {
		out.LastUseTime = oas.NewOptString(stamp(k.LastUsed))
	}
	return out
}

// whose is a user id, the caller's own when none is given.
func whose(who principal.Principal, id oas.OptString) string {
	if v := id.Or(""); v != "" {
		return v
	}
	return who.User
}

// ListCredentials lists the access keys of a user.
func (h accounts) ListCredentials(ctx context.Context, p oas.ListCredentialsParams) (*oas.Credentials, error) {
	who := principal.From(ctx)
	all, err := h.identity.AccessKeys(ctx, who, who.Domain, whose(who, p.UserID))
	if err != nil {
		return nil, err
	}
	out := &oas.Credentials{Credentials: []oas.Credential{}}
	for _, k := range all {
		out.Credentials = append(out.Credentials, credential(k))
	}
	return out, nil
}

// CreateCredential makes an access key; its secret is in this answer only.
func (h accounts) CreateCredential(ctx context.Context, req *oas.CreateCredentialReq) (*oas.NewCredentialAnswer, error) {
	who := principal.From(ctx)
	k, err := h.identity.CreateDescribedKey(ctx, who, who.Domain, whose(who, req.Credential.UserID), req.Credential.Description.Or(""))
	if err != nil {
		return nil, err
	}
	return &oas.NewCredentialAnswer{Credential: oas.NewCredential{UserID: k.User, Access: k.ID, Secret: k.Secret, Status: active, CreateTime: stamp(k.Created), Description: k.Description}}, nil
}

// ShowCredential shows an access key.
func (h accounts) ShowCredential(ctx context.Context, p oas.ShowCredentialParams) (*oas.CredentialAnswer, error) {
	k, err := h.identity.AccessKey(ctx, principal.From(ctx), p.AccessKey)
	if err != nil {
		return nil, err
	}
	return &oas.CredentialAnswer{Credential: credential(k)}, nil
}

// UpdateCredential switches an access key on or off, or describes it anew.
func (h accounts) UpdateCredential(ctx context.Context, req *oas.UpdateCredentialReq, p oas.UpdateCredentialParams) (*oas.CredentialAnswer, error) {
	var c identity.KeyChange
	switch s := req.Credential.Status; {
	case !s.Set:
	case s.Value == active || s.Value == inactive:
		disabled := s.Value == inactive
		c.Disabled = &disabled
	default:
		return nil, fault.Unknown.In("credential.status")
	}
	if req.Credential.Description.Set {
		c.Description = &req.Credential.Description.Value
	}
	k, err := h.identity.ChangeAccessKey(ctx, principal.From(ctx), p.AccessKey, c)
	if err != nil {
		return nil, err
	}
	return &oas.CredentialAnswer{Credential: credential(k)}, nil
}

// DeleteCredential removes an access key.
func (h accounts) DeleteCredential(ctx context.Context, p oas.DeleteCredentialParams) error {
	return h.identity.DeleteAccessKey(ctx, principal.From(ctx), p.AccessKey)
}
