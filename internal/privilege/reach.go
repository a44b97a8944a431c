package privilege

import (
	"slices"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// Reach is everything the caller may see and handle by any way: what ScopeOf
// gives him without a group and with each group he could name. It serves where
// the contract has no place for a group, and where a ticket is only mentioned.
// It fails with OSM.01010011 for callers who are no customers.
func Reach(tx *db.Tx, who principal.Principal) (Scope, error) {
	own, err := ScopeOf(tx, who, "")
	if err != nil || own.All {
		return own, err
	}
	err = tx.List(func(r db.Row) error {
		var user, roles string
		if err := r.Scan(&user, &roles); err != nil {
			return err
		}
		if holds(roles, identity.TicketGroupOperator) && !slices.Contains(own.Users, user) {
			own.Users = append(own.Users, user)
		}
		return nil
	}, `SELECT DISTINCT m.user_id, g.roles FROM group_members AS mine
		JOIN user_groups AS g ON g.domain_id = mine.domain_id AND g.id = mine.group_id
		JOIN group_members AS m ON m.domain_id = mine.domain_id AND m.group_id = mine.group_id
		WHERE mine.domain_id = ? AND mine.user_id = ?`, who.Domain, who.User)
	return own, err
}

// InGroup refuses a group that the caller is not in; the main account may name
// any of its domain's. Unknown and foreign groups answer alike, naming the field.
func InGroup(tx *db.Tx, who principal.Principal, group, field string) error {
	if who.Kind != principal.Customer {
		return errNoCustomer
	}
	var groups, mine int
	err := tx.Get("SELECT count(*) FROM user_groups WHERE domain_id = ? AND id = ?", who.Domain, group).Scan(&groups)
	if err != nil {
		return err
	}
	err = tx.Get("SELECT count(*) FROM group_members WHERE domain_id = ? AND group_id = ? AND user_id = ?", who.Domain, group, who.User).Scan(&mine)
	if err != nil {
		return err
	}
	if groups == 0 || mine == 0 && !who.Main {
		return fault.NoPermission.In(field)
	}
	return nil
}
