package webapi

import (
	"bytes"
	"context"
	"io"

	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/privacy"
	"casemate/internal/webapi/oas"
	"casemate/internal/wire"
)

// ownData is what a customer's user does with the data held about him.
type ownData struct{ privacy *privacy.Service }

// CreateOwnBundle makes a link to the caller's data.
func (h ownData) CreateOwnBundle(ctx context.Context) (*oas.OwnBundle, error) {
	who := principal.From(ctx)
	b, err := h.privacy.NewBundle(ctx, who, privacy.Target{Domain: who.Domain, User: who.User})
	if err != nil {
		return nil, err
	}
	return &oas.OwnBundle{ID: b.ID, Path: "/web/v1/me/bundles/" + b.ID, CreatedAt: at(b.Created), ExpiresAt: at(b.Expires)}, nil
}

// DownloadOwnBundle answers the archive.
func (h ownData) DownloadOwnBundle(ctx context.Context, params oas.DownloadOwnBundleParams) (oas.DownloadOwnBundleOK, error) {
	write, err := h.privacy.TakeBundle(ctx, principal.From(ctx), params.BundleID, locale.From(ctx).Language)
	if err != nil {
		return oas.DownloadOwnBundleOK{}, err
	}
	return oas.DownloadOwnBundleOK{Data: bytes.NewReader(nil)}, wire.Hand(ctx, wire.Download{Name: "personal-data-" + params.BundleID + ".zip", Media: "application/zip",
		Stream: func(w io.Writer) error { return write(w) }})
}

// ClearOwnContacts clears what the caller gave with his tickets.
func (h ownData) ClearOwnContacts(ctx context.Context) (*oas.ClearedContacts, error) {
	n, err := h.privacy.ClearContacts(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	return &oas.ClearedContacts{Cleared: int64(n)}, nil
}
