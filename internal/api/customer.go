package api

import (
	"context"

	"casemate/internal/api/oas"
)

type customers struct{}

func (customers) ListCustomersRegions(_ context.Context, _ oas.ListCustomersRegionsParams) (*oas.ListCustomersRegionsResponse, error) {
	return later[*oas.ListCustomersRegionsResponse]("ListCustomersRegions")
}

func (customers) ListAgencies(_ context.Context, _ oas.ListAgenciesParams) (*oas.ListAgenciesResponse, error) {
	return later[*oas.ListAgenciesResponse]("ListAgencies")
}

func (customers) ListSubCustomers(_ context.Context, _ oas.ListSubCustomersParams) (*oas.ListSubCustomersResponse, error) {
	return later[*oas.ListSubCustomersResponse]("ListSubCustomers")
}

func (customers) ShowPartnersCasesPrivilege(_ context.Context, _ oas.ShowPartnersCasesPrivilegeParams) (*oas.ShowPartnersCasesPrivilegeResponse, error) {
	return later[*oas.ShowPartnersCasesPrivilegeResponse]("ShowPartnersCasesPrivilege")
}

func (customers) ShowPartnersServiceInfo(_ context.Context, _ oas.ShowPartnersServiceInfoParams) (*oas.ShowPartnersServiceInfoResponse, error) {
	return later[*oas.ShowPartnersServiceInfoResponse]("ShowPartnersServiceInfo")
}
