package api

import (
	"context"

	"casemate/internal/api/oas"
)

type privileges struct{}

func (privileges) CreatePrivileges(_ context.Context, _ *oas.CreateAndDeletePrivilegeReq, _ oas.CreatePrivilegesParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CreatePrivileges")
}

func (privileges) ListPrivileges(_ context.Context, _ oas.ListPrivilegesParams) (*oas.ListPrivilegesResponse, error) {
	return later[*oas.ListPrivilegesResponse]("ListPrivileges")
}

func (privileges) ShowCustomerPrivilegePolicy(_ context.Context, _ oas.ShowCustomerPrivilegePolicyParams) (*oas.ShowCustomerPrivilegePolicyResponse, error) {
	return later[*oas.ShowCustomerPrivilegePolicyResponse]("ShowCustomerPrivilegePolicy")
}
