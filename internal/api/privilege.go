package api

import (
	"context"

	"casemate/internal/api/oas"
	"casemate/internal/principal"
	"casemate/internal/privilege"
)

// privileges is the group Service Ticket Permission Management.
type privileges struct{ privilege *privilege.Service }

// CreatePrivileges grants or takes back, as operation says.
func (h privileges) CreatePrivileges(ctx context.Context, req *oas.CreateAndDeletePrivilegeReq, _ oas.CreatePrivilegesParams) (*oas.Ack, error) {
	if err := h.privilege.Change(ctx, principal.From(ctx), req.Operation, req.Privilege.Or("")); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// ListPrivileges tells whether the caller has a privilege, as 0 or 1.
func (h privileges) ListPrivileges(ctx context.Context, p oas.ListPrivilegesParams) (*oas.ListPrivilegesResponse, error) {
	has, err := h.privilege.Has(ctx, principal.From(ctx), p.Privilege)
	if err != nil {
		return nil, err
	}
	return &oas.ListPrivilegesResponse{HasPrivilege: flag(has).Value}, nil
}

// ShowCustomerPrivilegePolicy is the submission policy switch.
func (h privileges) ShowCustomerPrivilegePolicy(ctx context.Context, p oas.ShowCustomerPrivilegePolicyParams) (*oas.ShowCustomerPrivilegePolicyResponse, error) {
	on, err := h.privilege.Policy(ctx, principal.From(ctx), p.Privilege.Or(""))
	if err != nil {
		return nil, err
	}
	return &oas.ShowCustomerPrivilegePolicyResponse{PolicySwitch: oas.NewOptBool(on)}, nil
}
