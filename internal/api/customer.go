package api

import (
	"context"
	"strconv"

	"casemate/internal/api/oas"
	"casemate/internal/catalog"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// customers are the queries about the caller's account: its users, regions,
// agencies and partner.
type customers struct {
	identity *identity.Service
	catalog  *catalog.Service
}

// ListCustomersRegions lists the regions on offer at the caller's site: where
// he has resources is not known here.
func (h customers) ListCustomersRegions(ctx context.Context, _ oas.ListCustomersRegionsParams) (*oas.ListCustomersRegionsResponse, error) {
	l := locale.From(ctx)
	list := each(h.catalog.Now().Regions(l.Site), func(r catalog.Region) oas.Region {
		return oas.Region{RegionID: oas.NewOptString(r.ID), RegionName: oas.NewOptString(r.Name.In(l.Language))}
	})
	return &oas.ListCustomersRegionsResponse{Count: int32(len(list)), RegionInfos: list}, nil
}

// forEver is a duration without end, as the vendor's identity service writes it.
const forEver = "FOREVER"

// ListAgencies lists the account's delegations that are not over.
func (h customers) ListAgencies(ctx context.Context, _ oas.ListAgenciesParams) (*oas.ListAgenciesResponse, error) {
	who, loc := principal.From(ctx), locale.From(ctx)
	all, err := h.identity.Agencies(ctx, who, who.Domain)
	if err != nil {
		return nil, err
	}
	list := each(all, func(a identity.Agency) oas.AgencyV2 {
		out := oas.AgencyV2{ID: oas.NewOptString(a.ID), Name: oas.NewOptString(a.Name), Duration: oas.NewOptString(forEver),
			TrustDomainName: oas.NewOptString(a.TrustName), CreateTime: oas.NewOptString(loc.Stamp(a.Created))}
		if a.TrustID != "" {
			out.TrustDomainID.SetTo(a.TrustID)
		}
		if a.Expires > 0 {
			out.Duration.SetTo(strconv.Itoa(a.Hours))
			out.ExpireTime.SetTo(loc.Stamp(a.Expires))
		}
		return out
	})
	return &oas.ListAgenciesResponse{TotalCount: int32(len(list)), AgencyList: list}, nil
}

// ListSubCustomers finds users of the account; what they are called and how
// they are reached is anonymised.
func (h customers) ListSubCustomers(ctx context.Context, p oas.ListSubCustomersParams) (*oas.ListSubCustomersResponse, error) {
	all, err := h.identity.SubUsers(ctx, principal.From(ctx), p.SubCustomerName.Or(""), p.SubCustomerID.Or(""))
	if err != nil {
		return nil, err
	}
	list := each(all, func(u identity.SubUser) oas.SubCutomerInfoV2 {
		return oas.SubCutomerInfoV2{CustomerID: oas.NewOptString(u.ID), DomainID: oas.NewOptString(u.Domain), CustomerName: oas.NewOptString(u.Name),
			Mobile: some(u.Mobile), Email: some(u.Mail), AreaCode: some(u.AreaCode)}
	})
	return &oas.ListSubCustomersResponse{SubCustomerInfos: list}, nil
}

// some is an optional text: absent when empty.
func some(s string) oas.OptString {
	if s == "" {
		return oas.OptString{}
	}
	return oas.NewOptString(s)
}

// ShowPartnersCasesPrivilege tells whether the caller's account is a partner's
// that may process tickets.
func (h customers) ShowPartnersCasesPrivilege(ctx context.Context, _ oas.ShowPartnersCasesPrivilegeParams) (*oas.ShowPartnersCasesPrivilegeResponse, error) {
	has, err := h.identity.PartnerAccount(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	return &oas.ShowPartnersCasesPrivilegeResponse{HasPrivilege: oas.NewOptBool(has)}, nil
}

// ShowPartnersServiceInfo tells which partner serves the caller and when; the
// answer is empty when none does.
func (h customers) ShowPartnersServiceInfo(ctx context.Context, p oas.ShowPartnersServiceInfoParams) (*oas.ShowPartnersServiceInfoResponse, error) {
	partner, hours, ok, err := h.identity.ServiceHours(ctx, principal.From(ctx), p.CaseSubTypeID.Or(""), p.ProductID.Or(""))
	if err != nil {
		return nil, err
	}
	res := &oas.ShowPartnersServiceInfoResponse{}
	if ok {
		res.PartnersServiceInfo.SetTo(oas.PartnersServiceInfo{CustomerID: some(partner.Account), CustomerName: oas.NewOptString(partner.Name),
			ServiceTimeZone: oas.NewOptString(hours.Zone), ServiceTimeDay: oas.NewOptString(strconv.Itoa(hours.Days)), ServiceTimeHour: oas.NewOptString(strconv.Itoa(hours.Day))})
	}
	return res, nil
}
