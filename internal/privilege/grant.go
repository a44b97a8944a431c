package privilege

import (
	"context"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// Privileges as the wire spells them (contract: CreatePrivileges).
const (
	Export        = "export"        // sub-users export tickets
	CreateCase    = "createCase"    // sub-users submit only when a group permits it
	AssumeCaseAll = "assumeCaseAll" // sub-users act on every ticket of the domain
)

// What is done to a privilege.
const (
	Create = "create"
	Delete = "delete"
)

// Faults of privileges.
var (
	ErrOperation = fault.New(fault.Invalid, "OSM.01010031", "参数 {field} 的值无效，须为 create 或 delete", "The type is invalid: {field} is create or delete.").In("operation")
	errExport    = fault.New(fault.Forbidden, fault.CodeNoPermission, "主账号未开放工单导出，您没有导出工单的权限", "the main account has not allowed its users to export tickets")
)

var switches = map[string]identity.Switch{
	Export: identity.SwitchExport, CreateCase: identity.SwitchSubmitByPermission, AssumeCaseAll: identity.SwitchAssumeAll,
}

// Service changes and answers the privileges of a customer's sub-users. A
// privilege names no grantee (semantics.md D24): it holds for all sub-users of
// the domain.
type Service struct {
	db    *db.DB
	ident *identity.Service
}

// New makes the service.
func New(d *db.DB, ident *identity.Service) *Service { return &Service{db: d, ident: ident} }

// Change grants (Create) or takes back (Delete) a privilege of all sub-users of
// the caller's domain, at once; CreateCase turns the submission policy on and
// off. It fails with OSM.01010002 for others than the main account, .31 for an
// unknown operation and .01 naming privilege for a missing or unknown one.
func (s *Service) Change(ctx context.Context, who principal.Principal, operation, privilege string) error {
	sw, ok := switches[privilege]
	switch {
	case who.Kind != principal.Customer:
		return errNoCustomer
	case !who.Main:
		return fault.NoPermission
	case operation != Create && operation != Delete:
		return ErrOperation
	case privilege == "":
		return fault.Missing.In("privilege")
	case !ok:
		return fault.Unknown.In("privilege")
	}
	return s.ident.Set(ctx, who, sw, operation == Create)
}

// Has tells whether the caller has a privilege: may export, may submit, may act
// on every ticket of his domain. It fails with OSM.01010001 naming privilege.
func (s *Service) Has(ctx context.Context, who principal.Principal, privilege string) (has bool, err error) {
	if who.Kind != principal.Customer {
		return false, errNoCustomer
	}
	if _, ok := switches[privilege]; !ok {
		return false, fault.Unknown.In("privilege")
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		d, err := identity.DomainIn(tx, who.Domain)
		if err != nil {
			return err
		}
		switch privilege {
		case Export:
			has, err = may(MayExport(tx, who, d))
		case CreateCase:
			has, err = may(MaySubmit(tx, who, d))
		default:
			has = who.Main || d.AssumeAll
		}
		return err
	})
	return has && err == nil, err
}

// may tells a right's refusal from a failure to find out.
func may(err error) (bool, error) {
	if fault.KindOf(err) == fault.Forbidden {
		return false, nil
	}
	return err == nil, err
}

// Policy tells whether the switch behind a privilege is on in the caller's
// domain; "" is CreateCase, the submission policy. It fails with OSM.01010001
// naming privilege.
func (s *Service) Policy(ctx context.Context, who principal.Principal, privilege string) (on bool, err error) {
	if who.Kind != principal.Customer {
		return false, errNoCustomer
	}
	if privilege == "" {
		privilege = CreateCase
	}
	if _, ok := switches[privilege]; !ok {
		return false, fault.Unknown.In("privilege")
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		d, err := identity.DomainIn(tx, who.Domain)
		on = map[string]bool{Export: d.ExportByUsers, CreateCase: d.SubmitByPermission, AssumeCaseAll: d.AssumeAll}[privilege]
		return err
	})
	return on && err == nil, err
}

// MayExport refuses a sub-user unless the main account lets its sub-users export
// (semantics.md D19, D24): OSM.01010002.
func MayExport(_ *db.Tx, who principal.Principal, d identity.Domain) error {
	switch {
	case who.Kind != principal.Customer || who.Domain != d.ID:
		return errNoCustomer
	case who.Main || d.ExportByUsers:
		return nil
	}
	return errExport
}
