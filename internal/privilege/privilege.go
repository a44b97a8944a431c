// Package privilege decides who may do what. Each operation of each contract
// has a policy row: which kind of caller may use it at all (threats.md B1).
package privilege

import (
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Audience is who may call an operation at all: a set of kinds of callers and of
// roles of the house.
type Audience uint16

// The members an audience is made of. A partner's people are of the house's
// domain and hold the role engineer there, and are none of its roles here: only
// operations that name them are theirs.
const (
	administrators Audience = 1 << iota
	supervisors
	engineers
	auditors
	partnerEngineers
	operator // on the server's own machine
	customers
	anonymous
	others // Casemate itself, and who proved who he is and is nothing of the above
)

// Audiences of the policy's rows. docs/ROLES.md lists what each role gets by
// them.
const (
	Customers      = customers                                     // users of a customer's domain
	Administrators = administrators | operator                     // configuration, users, keys, providers
	Auditors       = Administrators | auditors                     // what administrators and auditors read
	Supervisors    = Administrators | supervisors                  // approvals, teams, queues, rules, quarantine
	Overseers      = Supervisors | auditors                        // what supervisors and auditors read
	Workers        = Supervisors | engineers                       // who works on tickets, of the house
	Readers        = Workers | auditors                            // what they read: everybody of the house
	House          = Readers                                       // people of the house, whatever their role, and the operator
	Handlers       = Workers | partnerEngineers                    // who works on tickets, partners' people too: the noun shows these only what is theirs
	DeskReaders    = Handlers | auditors                           // what they read
	DeskUsers      = House | partnerEngineers                      // everybody who can log in at the desk
	Anyone         = House | partnerEngineers | customers | others // everybody who has proved who he is
	Public         = Anyone | anonymous                            // also without credentials: log-in, discovery, first set-up
)

// byRole are the members that the roles of the house are.
var byRole = map[string]Audience{principal.RoleAdministrator: administrators, principal.RoleSupervisor: supervisors,
	principal.RoleEngineer: engineers, principal.RoleAuditor: auditors}

// membersOf is what a caller is of: of one with several roles, all of them.
func membersOf(who principal.Principal) (all Audience) {
	switch who.Kind {
	case principal.Anonymous:
		return anonymous
	case principal.Customer:
		return customers
	case principal.Local:
		return operator
	case principal.System:
		return others
	}
	if who.Partner != "" {
		if who.Works() {
			return partnerEngineers
		}
		return others
	}
	for role, member := range byRole {
		if who.Is(role) {
			all |= member
		}
	}
	return all
}

// has tells whether the caller belongs to the audience.
func (a Audience) has(who principal.Principal) bool { return a&membersOf(who) != 0 }

// Roles are the roles of the house in the audience, the leading ones first.
func (a Audience) Roles() (all []string) {
	for _, role := range principal.Roles {
		if a&byRole[role] != 0 {
			all = append(all, role)
		}
	}
	return all
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
