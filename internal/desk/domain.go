package desk

import (
	"context"

	"casemate/internal/catalog"
	"casemate/internal/desk/oas"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

type domains struct {
	identity *identity.Service
	catalog  *catalog.Service
}

// named is the account with what its plan is called.
func (h domains) named(ctx context.Context, d identity.Domain) *oas.Domain {
	out := domain(d)
	out.PlanName = text(h.catalog.Now().Name(catalog.KindPlan, d.Plan, locale.From(ctx).Language))
	return out
}

func domain(d identity.Domain) *oas.Domain {
	out := &oas.Domain{ID: d.ID, Name: d.Name, Plan: text(d.Plan), PartnerID: text(d.Partner), Sandbox: d.Sandbox, Disabled: d.Disabled, CreatedAt: at(d.Created),
		SubmitByPermission: oas.NewOptBool(d.SubmitByPermission), ExportByUsers: oas.NewOptBool(d.ExportByUsers), AssumeAll: oas.NewOptBool(d.AssumeAll), ClosedAt: maybeAt(d.Closed)}
	if d.Quota != 0 {
		out.Quota = oas.NewOptInt32(int32(d.Quota))
	}
	return out
}

// ListDomains is a page of the customers' accounts.
func (h domains) ListDomains(ctx context.Context, params oas.ListDomainsParams) (*oas.DomainList, error) {
	f := identity.DomainFilter{IDs: params.ID, Words: params.Q.Or(""), State: string(params.State.Or("")), Plan: params.Plan.Or(""), Partner: params.Partner.Or(""),
		After: params.Cursor.Or(""), Limit: int(params.Limit.Or(0))}
	if v, ok := params.Sandbox.Get(); ok {
		f.Sandbox = &v
	}
	page, total, cursor, err := h.identity.Domains(ctx, principal.From(ctx), f)
	if err != nil {
		return nil, err
	}
	list := &oas.DomainList{Items: []oas.Domain{}, TotalCount: int32(total), NextCursor: text(cursor)}
	for _, d := range page {
		one := h.named(ctx, d)
		for _, u := range d.Found {
			one.FoundUsers = append(one.FoundUsers, oas.FoundUser{ID: u.ID, Name: u.Name})
		}
		list.Items = append(list.Items, *one)
	}
	return list, nil
}

// CreateDomain adds a customer's account.
func (h domains) CreateDomain(ctx context.Context, req *oas.NewDomainReq) (*oas.Domain, error) {
	d, err := h.identity.CreateDomain(ctx, principal.From(ctx), identity.NewDomain{Name: req.Name, Plan: req.Plan.Or(""), Sandbox: req.Sandbox.Or(false)})
	if err != nil {
		return nil, err
	}
	return domain(d), nil
}

// ShowDomain shows a customer's account.
func (h domains) ShowDomain(ctx context.Context, params oas.ShowDomainParams) (*oas.Domain, error) {
	return h.show(ctx, params.DomainID)
}

func (h domains) show(ctx context.Context, id string) (*oas.Domain, error) {
	d, err := h.identity.Domain(ctx, principal.From(ctx), id)
	if err != nil {
		return nil, err
	}
	return h.named(ctx, d), nil
}

// DisableDomain shuts a customer out.
func (h domains) DisableDomain(ctx context.Context, params oas.DisableDomainParams) (*oas.Domain, error) {
	return h.disable(ctx, params.DomainID, true)
}

// EnableDomain lets a customer in again.
func (h domains) EnableDomain(ctx context.Context, params oas.EnableDomainParams) (*oas.Domain, error) {
	return h.disable(ctx, params.DomainID, false)
}

func (h domains) disable(ctx context.Context, id string, disabled bool) (*oas.Domain, error) {
	if err := h.identity.DisableDomain(ctx, principal.From(ctx), id, disabled); err != nil {
		return nil, err
	}
	return h.show(ctx, id)
}
