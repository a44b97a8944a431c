package privilege

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

var errSubmit = fault.New(fault.Forbidden, fault.CodeNoPermission, "主账号已启用提单权限管理，您没有提交工单的权限", "the main account lets only permitted users submit tickets, and you are not one of them")

// Scope is whose things a caller may see and handle: of one domain, all of them
// or those of some users.
type Scope struct {
	Domain string
	All    bool
	Users  []string // when not All; empty = nobody's
}

// Has tells whether a user's things are in the scope.
func (s Scope) Has(domain, user string) bool {
	return domain == s.Domain && (s.All || slices.Contains(s.Users, user))
}

// Narrow leaves only the given users of the scope.
func (s Scope) Narrow(users ...string) Scope {
	out := Scope{Domain: s.Domain, Users: []string{}}
	for _, u := range users {
		if s.All || slices.Contains(s.Users, u) {
			out.Users = append(out.Users, u)
		}
	}
	return out
}

// Where is the users' part of the scope as a condition on the column that holds
// them; the query names the domain itself.
func (s Scope) Where(column string) (string, []any) {
	switch {
	case s.All:
		return "1 = 1", nil
	case len(s.Users) == 0:
		return "1 = 0", nil
	case len(s.Users) == 1:
		return column + " = ?", []any{s.Users[0]}
	}
	var args []any
	for _, u := range s.Users {
		args = append(args, u)
	}
	return column + " IN (?" + strings.Repeat(", ?", len(s.Users)-1) + ")", args
}

// ScopeOf is whose tickets the caller may see and handle (semantics.md section
// 2): the main account all of its domain, and so its sub-users where it lets
// them (assumeCaseAll, D24); others their own; with a group, those of its
// members, when the caller is one of them and the group may handle its members'
// tickets. It fails with OSM.01010002 for a group that is not the
// caller's, the same whether it exists or not, and OSM.01010011 for callers who
// are no customers.
func ScopeOf(tx *db.Tx, who principal.Principal, group string) (Scope, error) {
	if who.Kind != principal.Customer {
		return Scope{}, errNoCustomer
	}
	all := who.Main || who.AllTickets
	own := Scope{Domain: who.Domain, All: all, Users: []string{who.User}}
	if group == "" {
		return own, nil
	}
	var roles string
	err := tx.Get("SELECT roles FROM user_groups WHERE domain_id = ? AND id = ?", who.Domain, group).Scan(&roles)
	if errors.Is(err, db.ErrNone) {
		return Scope{}, fault.NoPermission.In("group_id")
	}
	if err != nil {
		return Scope{}, err
	}
	members := Scope{Domain: who.Domain, Users: []string{}}
	err = tx.List(func(r db.Row) error {
		var u string
		err := r.Scan(&u)
		members.Users = append(members.Users, u)
		return err
	}, "SELECT user_id FROM group_members WHERE domain_id = ? AND group_id = ? ORDER BY user_id", who.Domain, group)
	if err != nil {
		return Scope{}, err
	}
	if !all && (!holds(roles, identity.TicketGroupOperator) || !slices.Contains(members.Users, who.User)) {
		return Scope{}, fault.NoPermission.In("group_id")
	}
	return members, nil
}

func holds(roles, role string) bool {
	var all []string
	return json.Unmarshal([]byte(roles), &all) == nil && slices.Contains(all, role)
}

// MaySubmit refuses a sub-user while the domain's submission policy is on and
// none of his groups holds the permission (semantics.md section 2).
func MaySubmit(tx *db.Tx, who principal.Principal, d identity.Domain) error {
	switch {
	case who.Kind != principal.Customer || who.Domain != d.ID:
		return errNoCustomer
	case who.Main || !d.SubmitByPermission:
		return nil
	}
	may := false
	err := tx.List(func(r db.Row) error {
		var roles string
		err := r.Scan(&roles)
		may = may || holds(roles, identity.TicketAdministrator)
		return err
	}, `SELECT roles FROM user_groups WHERE domain_id = ? AND id IN (SELECT group_id FROM group_members WHERE domain_id = ? AND user_id = ?)`,
		who.Domain, who.Domain, who.User)
	if err != nil {
		return err
	}
	if !may {
		return errSubmit
	}
	return nil
}
