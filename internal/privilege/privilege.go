// Package privilege decides who may do what. Each operation of each contract
// has a policy row: which kind of caller may use it at all (threats.md B1).
package privilege

import (
	"slices"

	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Audience is who may call an operation at all.
type Audience uint8

const (
	Customers      Audience = iota + 1 // users of a customer's domain
	House                              // people of the house, whatever their role, and the local operator
	Workers                            // engineers, supervisors, administrators of the house, the local operator
	Handlers                           // Workers, and the engineers of partners: the noun shows these only what is theirs
	DeskUsers                          // House, and the people of partners
	Supervisors                        // supervisors, administrators, the local operator
	Administrators                     // administrators and the local operator
	Auditors                           // auditors, administrators and the local operator
	Anyone                             // everybody who has proved who he is
	Public                             // also without credentials: log-in, discovery, first set-up
)

// has tells whether the caller belongs to the audience.
func (a Audience) has(who principal.Principal) bool {
	// A partner's people are of the house's domain and no people of the house:
	// only operations that say so are theirs.
	own := who.Partner == ""
	role := func(names ...string) bool { return who.Kind == principal.Engineer && slices.Contains(names, who.Role) }
	switch a {
	case Public:
		return true
	case Anyone:
		return who.Kind != principal.Anonymous
	case Customers:
		return who.Kind == principal.Customer
	case House:
		return own && (who.Kind == principal.Engineer || who.Kind == principal.Local)
	case DeskUsers:
		return who.Kind == principal.Engineer || who.Kind == principal.Local
	case Workers:
		return own && (who.Kind == principal.Local || role(principal.RoleEngineer, principal.RoleSupervisor, principal.RoleAdministrator))
	case Handlers:
		return who.Kind == principal.Local || role(principal.RoleEngineer, principal.RoleSupervisor, principal.RoleAdministrator)
	case Supervisors:
		return own && (who.Kind == principal.Local || role(principal.RoleSupervisor, principal.RoleAdministrator))
	case Administrators:
		return own && (who.Kind == principal.Local || role(principal.RoleAdministrator))
	case Auditors:
		return own && (who.Kind == principal.Local || role(principal.RoleAuditor, principal.RoleAdministrator))
	}
	return false
}

var (
	errNoCustomer = fault.New(fault.Forbidden, "OSM.01010011", "无法从凭证获取客户信息", "Can't get customer info from token.")
	errAnonymous  = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：缺少 x-auth-token", "Incorrect IAM authentication information: x-auth-token not found")
	errNoRow      = fault.New(fault.Forbidden, fault.CodeNoPermission, "该操作没有授权策略", "the operation has no policy")
)

// Admit holds the caller against the operation's policy row. An operation
// without a row is refused to everybody.
func Admit(surface, operation string, who principal.Principal) error {
	audience, ok := Policy[surface+"."+operation]
	switch {
	case !ok:
		return errNoRow
	case audience.has(who):
		return nil
	case who.Kind == principal.Anonymous:
		return errAnonymous
	case audience == Customers:
		return errNoCustomer
	}
	return fault.NoPermission
}
