package api

import (
	"context"
	"strconv"

	"casemate/internal/api/oas"
	"casemate/internal/catalog"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// agreements are what a customer accepts before creating tickets or granting
// authorizations. A query without a type asks for ticket creation.
type agreements struct{ catalog *catalog.Service }

// ShowLatestPublishedAgreement answers without an agreement when none of the
// type is published: the contract wants unknown types tolerated.
func (h agreements) ShowLatestPublishedAgreement(ctx context.Context, p oas.ShowLatestPublishedAgreementParams) (*oas.ShowLatestPublishedAgreementResponse, error) {
	c, lang := h.catalog.Now(), locale.From(ctx).Language
	a, ok := c.LatestAgreement(p.AgreementType.Or(catalog.AgreementCreate))
	if !ok {
		return &oas.ShowLatestPublishedAgreementResponse{}, nil
	}
	return &oas.ShowLatestPublishedAgreementResponse{CaseAgreement: oas.NewOptAgreementVO(oas.AgreementVO{
		ID:                oas.NewOptString(strconv.Itoa(int(a.ID))),
		AgreementName:     oas.NewOptString(a.Name.In(lang)),
		AgreementType:     oas.NewOptString(a.Type),
		AgreementTypeName: oas.NewOptString(c.Name(catalog.KindAgreementType, a.Type, lang)),
		Content:           oas.NewOptString(a.Content.In(lang)),
		Version:           oas.NewOptInt32(a.Version),
	})}, nil
}

func (h agreements) ShowSignedLatestPublishedAgreement(ctx context.Context, p oas.ShowSignedLatestPublishedAgreementParams) (*oas.ShowSignedLatestPublishedAgreementResponse, error) {
	signed, err := h.catalog.SignedLatest(ctx, principal.From(ctx), p.AgreementType.Or(catalog.AgreementCreate))
	if err != nil {
		return nil, err
	}
	return &oas.ShowSignedLatestPublishedAgreementResponse{IsSignedLatest: oas.NewOptBool(signed)}, nil
}

func (h agreements) SignPublishedAgreement(ctx context.Context, req oas.OptSignAgreementReq, p oas.SignPublishedAgreementParams) (*oas.SignPublishedAgreementResponse, error) {
	record, err := h.catalog.Sign(ctx, principal.From(ctx), p.ID, req.Value.RelationID.Or(""))
	if err != nil {
		return nil, err
	}
	return &oas.SignPublishedAgreementResponse{AgreementSignedRecordID: oas.NewOptInt32(record)}, nil
}
