package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

type accessKeys struct{ identity *identity.Service }

// ListAccessKeys lists a user's keys without secrets.
func (h accessKeys) ListAccessKeys(ctx context.Context, params oas.ListAccessKeysParams) (*oas.AccessKeyList, error) {
	all, err := h.identity.AccessKeys(ctx, principal.From(ctx), params.DomainID, params.UserID)
	if err != nil {
		return nil, err
	}
	list := &oas.AccessKeyList{Items: []oas.AccessKey{}}
	for _, k := range all {
		list.Items = append(list.Items, oas.AccessKey{ID: k.ID, Disabled: k.Disabled, CreatedAt: at(k.Created), LastUsedAt: maybeAt(k.LastUsed)})
	}
	return list, nil
}

// CreateAccessKey makes a key; its secret is in this answer only.
func (h accessKeys) CreateAccessKey(ctx context.Context, params oas.CreateAccessKeyParams) (*oas.NewAccessKey, error) {
	k, err := h.identity.CreateAccessKey(ctx, principal.From(ctx), params.DomainID, params.UserID)
	if err != nil {
		return nil, err
	}
	return &oas.NewAccessKey{ID: k.ID, Secret: k.Secret}, nil
}

// DisableAccessKey refuses requests signed with the key.
func (h accessKeys) DisableAccessKey(ctx context.Context, params oas.DisableAccessKeyParams) error {
	return h.identity.DisableAccessKey(ctx, principal.From(ctx), params.KeyID, true)
}

// EnableAccessKey lets a disabled key sign again.
func (h accessKeys) EnableAccessKey(ctx context.Context, params oas.EnableAccessKeyParams) error {
	return h.identity.DisableAccessKey(ctx, principal.From(ctx), params.KeyID, false)
}

// DeleteAccessKey removes a key.
func (h accessKeys) DeleteAccessKey(ctx context.Context, params oas.DeleteAccessKeyParams) error {
	return h.identity.DeleteAccessKey(ctx, principal.From(ctx), params.KeyID)
}
