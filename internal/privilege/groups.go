package privilege

import (
	"slices"

	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// ScopeOfGroups is the widest scope the caller has without naming a group: the
// main account's domain; else his own things and those of the members of every
// group of his that may handle its members' tickets. It serves operations that
// read one thing by its id and have no group in their contract.
func ScopeOfGroups(tx *db.Tx, who principal.Principal) (Scope, error) {
	own, err := ScopeOf(tx, who, "")
	if err != nil || own.All {
		return own, err
	}
	err = tx.List(func(r db.Row) error {
		var roles, user string
		err := r.Scan(&roles, &user)
		if holds(roles, identity.TicketGroupOperator) && !slices.Contains(own.Users, user) {
			own.Users = append(own.Users, user)
		}
		return err
	}, `SELECT g.roles, m.user_id FROM group_members AS mine
		JOIN user_groups AS g ON g.domain_id = mine.domain_id AND g.id = mine.group_id
		JOIN group_members AS m ON m.domain_id = mine.domain_id AND m.group_id = mine.group_id
		WHERE mine.domain_id = ? AND mine.user_id = ?`, who.Domain, who.User)
	return own, err
}
