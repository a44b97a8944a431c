package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

type partners struct{ identity *identity.Service }

func hours(h identity.Hours) oas.ServiceHours {
	return oas.ServiceHours{Zone: h.Zone, Days: int32(h.Days), Hours: int32(h.Day)}
}

func readHours(h oas.ServiceHours) identity.Hours {
	return identity.Hours{Zone: h.Zone, Days: int(h.Days), Day: int(h.Hours)}
}

func partner(p identity.Partner) *oas.Partner {
	out := &oas.Partner{ID: p.ID, Name: p.Name, AccountID: text(p.Account), Whitelisted: p.Whitelisted, Hours: hours(p.Hours),
		Services: []oas.PartnerService{}, CreatedAt: at(p.Created)}
	for _, s := range p.Services {
		one := oas.PartnerService{Kind: oas.PartnerServiceKind(s.Kind), ID: s.ID}
		if s.Hours != (identity.Hours{}) {
			one.Hours.SetTo(hours(s.Hours))
		}
		out.Services = append(out.Services, one)
	}
	return out
}

func readPartner(req *oas.PartnerReq) identity.Partner {
	p := identity.Partner{Name: req.Name, Account: req.AccountID.Or(""), Whitelisted: req.Whitelisted.Or(true), Hours: readHours(req.Hours)}
	for _, s := range req.Services {
		p.Services = append(p.Services, identity.ServiceOf{Kind: string(s.Kind), ID: s.ID, Hours: readHours(s.Hours.Value)})
	}
	return p
}

// ListPartners lists the partners.
func (h partners) ListPartners(ctx context.Context) (*oas.PartnerList, error) {
	all, err := h.identity.Partners(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	served, err := h.identity.Served(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	list := &oas.PartnerList{Items: []oas.Partner{}}
	for _, p := range all {
		one := partner(p)
		one.Customers.SetTo(int32(served[p.ID]))
		list.Items = append(list.Items, *one)
	}
	return list, nil
}

// ShowPartner shows a partner.
func (h partners) ShowPartner(ctx context.Context, params oas.ShowPartnerParams) (*oas.Partner, error) {
	p, err := h.identity.Partner(ctx, principal.From(ctx), params.PartnerID)
	if err != nil {
		return nil, err
	}
	return partner(p), nil
}

// CreatePartner adds a partner.
func (h partners) CreatePartner(ctx context.Context, req *oas.PartnerReq) (*oas.Partner, error) {
	p, err := h.identity.CreatePartner(ctx, principal.From(ctx), readPartner(req))
	if err != nil {
		return nil, err
	}
	return partner(p), nil
}

// ChangePartner replaces a partner.
func (h partners) ChangePartner(ctx context.Context, req *oas.PartnerReq, params oas.ChangePartnerParams) (*oas.Partner, error) {
	p, err := h.identity.ChangePartner(ctx, principal.From(ctx), params.PartnerID, readPartner(req))
	if err != nil {
		return nil, err
	}
	return partner(p), nil
}

// RemovePartner ends the work with a partner.
func (h partners) RemovePartner(ctx context.Context, params oas.RemovePartnerParams) error {
	return h.identity.RemovePartner(ctx, principal.From(ctx), params.PartnerID)
}

// AddPartnerEngineer adds one who works for the partner.
func (h partners) AddPartnerEngineer(ctx context.Context, req *oas.PartnerEngineerReq, params oas.AddPartnerEngineerParams) (*oas.User, error) {
	u, err := h.identity.CreateUser(ctx, principal.From(ctx), identity.NewUser{Domain: principal.House, Role: principal.RoleEngineer,
		Partner: params.PartnerID, Name: req.Name, Password: req.Password, Alias: req.Alias.Or("")})
	if err != nil {
		return nil, err
	}
	return user(u), nil
}

// SetDomainPartner says who serves a customer.
func (h partners) SetDomainPartner(ctx context.Context, req *oas.DomainPartnerReq, params oas.SetDomainPartnerParams) error {
	return h.identity.ServedBy(ctx, principal.From(ctx), params.DomainID, req.PartnerID)
}

type agencies struct{ identity *identity.Service }

func agency(a identity.Agency) *oas.Agency {
	out := &oas.Agency{ID: a.ID, Name: a.Name, TrustDomainName: a.TrustName, TrustDomainID: text(a.TrustID), CreatedAt: at(a.Created), ExpiresAt: maybeAt(a.Expires)}
	if a.Hours > 0 {
		out.Hours.SetTo(int32(a.Hours))
	}
	return out
}

// ListDomainAgencies lists the delegations of an account.
func (h agencies) ListDomainAgencies(ctx context.Context, params oas.ListDomainAgenciesParams) (*oas.AgencyList, error) {
	all, err := h.identity.Agencies(ctx, principal.From(ctx), params.DomainID)
	if err != nil {
		return nil, err
	}
	list := &oas.AgencyList{Items: []oas.Agency{}}
	for _, a := range all {
		list.Items = append(list.Items, *agency(a))
	}
	return list, nil
}

// CreateDomainAgency delegates an account.
func (h agencies) CreateDomainAgency(ctx context.Context, req *oas.AgencyReq, params oas.CreateDomainAgencyParams) (*oas.Agency, error) {
	a, err := h.identity.CreateAgency(ctx, principal.From(ctx), identity.NewAgency{Domain: params.DomainID, Name: req.Name, Hours: int(req.Hours.Or(0)),
		TrustID: req.TrustDomainID.Or(""), TrustName: req.TrustDomainName})
	if err != nil {
		return nil, err
	}
	return agency(a), nil
}

// DeleteDomainAgency ends a delegation.
func (h agencies) DeleteDomainAgency(ctx context.Context, params oas.DeleteDomainAgencyParams) error {
	return h.identity.DeleteAgency(ctx, principal.From(ctx), params.DomainID, params.AgencyID)
}

type transfers struct{ of tickets }

var owners = map[ticket.Ownership]oas.Owner{ticket.HouseBusiness: oas.OwnerHouse, ticket.PartnerBusiness: oas.OwnerPartner, ticket.ISVBusiness: oas.OwnerIsv}

func ownership(o oas.Owner) ticket.Ownership {
	for n, name := range owners {
		if name == o {
			return n
		}
	}
	return -1
}

// TransferTickets makes tickets another side's business.
func (h transfers) TransferTickets(ctx context.Context, req *oas.TransferReq) (*oas.TransferAnswer, error) {
	who, err := h.of.engineer(ctx, req.As.Or(""))
	if err != nil {
		return nil, err
	}
	all, err := h.of.queue.Transfer(ctx, who, ticket.Transfer{Numbers: req.Numbers, To: ownership(req.To), Handler: req.Assignee.Or(""), Text: req.Text.Or("")}, req.TeamID.Or(""), req.QueueID.Or(""))
	if err != nil {
		return nil, err
	}
	lang, out := locale.From(ctx).Language, &oas.TransferAnswer{Items: []oas.TransferResult{}}
	for _, r := range all {
		one := oas.TransferResult{Number: r.Number, Transferred: r.Refusal == nil}
		if f := r.Refusal; f != nil {
			one.ErrorCode, one.ErrorMsg = text(f.Code), text(locale.Text(lang, f))
		}
		out.Items = append(out.Items, one)
	}
	return out, nil
}

// after is a ticket after a step; one that was given away is shown as it went.
func (h tickets) after(ctx context.Context, t ticket.Ticket) (*oas.Ticket, error) {
	out, err := h.ShowTicket(ctx, oas.ShowTicketParams{Number: t.Number})
	if fault.KindOf(err) == fault.NotFound && t.Number != "" {
		gone := h.ticket(ctx, ticket.DeskTicket{Ticket: t})
		return &gone, nil
	}
	return out, err
}
