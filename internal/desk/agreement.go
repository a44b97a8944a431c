package desk

import (
	"context"

	"casemate/internal/catalog"
	"casemate/internal/desk/oas"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

type agreements struct {
	catalog  *catalog.Service
	identity *identity.Service
}

func (h agreements) agreement(ctx context.Context, a catalog.PublishedAgreement) oas.DeskAgreement {
	return oas.DeskAgreement{ID: a.ID, Type: a.Type, TypeName: text(h.catalog.Now().Name(catalog.KindAgreementType, a.Type, locale.From(ctx).Language)), Version: a.Version,
		Name: oas.AgreementText{Zh: a.Name.ZH, En: a.Name.EN}, Content: oas.AgreementText{Zh: a.Content.ZH, En: a.Content.EN}, Withdrawn: a.Withdrawn, Latest: a.Latest}
}

// ListAgreements lists all versions ever published.
func (h agreements) ListAgreements(ctx context.Context) (*oas.AgreementList, error) {
	all, err := h.catalog.Agreements(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	list := &oas.AgreementList{Items: []oas.DeskAgreement{}}
	for _, a := range all {
		list.Items = append(list.Items, h.agreement(ctx, a))
	}
	return list, nil
}

// PublishAgreement publishes a new version.
func (h agreements) PublishAgreement(ctx context.Context, req *oas.NewAgreementReq) (*oas.PublishedAgreement, error) {
	in := catalog.NewAgreement{Type: req.Type, Name: locale.Texts{ZH: req.Name.Value.Zh, EN: req.Name.Value.En}, Content: locale.Texts{ZH: req.Content.Zh, EN: req.Content.En}}
	out, err := h.catalog.Publish(ctx, principal.From(ctx), in)
	if err != nil {
		return nil, err
	}
	return &oas.PublishedAgreement{Agreement: h.agreement(ctx, out.Agreement), File: out.File, Text: out.Text}, nil
}

// ListSignatures lists who accepted a version.
func (h agreements) ListSignatures(ctx context.Context, params oas.ListSignaturesParams) (*oas.SignaturePage, error) {
	all, cursor, err := h.catalog.Signatures(ctx, principal.From(ctx), catalog.SignatureFilter{Agreement: params.AgreementID, Domain: params.Domain.Or(""),
		Cursor: params.Cursor.Or(""), Limit: int(params.Limit.Or(0))})
	if err != nil {
		return nil, err
	}
	users := map[string][]string{}
	for _, g := range all {
		users[g.Domain] = append(users[g.Domain], g.User)
	}
	names := map[string]map[string]string{}
	for domain, ids := range users {
		if names[domain], err = h.identity.Names(ctx, domain, ids); err != nil {
			return nil, err
		}
	}
	page := &oas.SignaturePage{Items: []oas.AgreementSignature{}, NextCursor: text(cursor)}
	for _, g := range all {
		page.Items = append(page.Items, oas.AgreementSignature{RecordID: g.Record, DomainID: g.Domain, UserID: g.User, UserName: text(names[g.Domain][g.User]),
			RelationID: text(g.Relation), SignedAt: at(g.Signed)})
	}
	return page, nil
}
