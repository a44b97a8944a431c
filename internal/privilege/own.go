package privilege

import (
	"context"
	"slices"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// OwnGroup is a group that a caller may name to see tickets of its users.
type OwnGroup struct {
	ID, Name string
	Members  int
}

// OwnGroups are the groups ScopeOf admits for the caller, by name: those he is
// in that may handle tickets of their users; for the main account, and for
// sub-users who act on all tickets, every group of the domain. OSM.01010011 for
// callers who are no customers.
func (s *Service) OwnGroups(ctx context.Context, who principal.Principal) (all []OwnGroup, err error) {
	if who.Kind != principal.Customer {
		return nil, errNoCustomer
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		members := map[string][]string{}
		err := tx.List(func(r db.Row) error {
			var group, user string
			err := r.Scan(&group, &user)
			members[group] = append(members[group], user)
			return err
		}, "SELECT group_id, user_id FROM group_members WHERE domain_id = ?", who.Domain)
		if err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			var g OwnGroup
			var roles string
			if err := r.Scan(&g.ID, &g.Name, &roles); err != nil {
				return err
			}
			in := members[g.ID]
			g.Members = len(in)
			if who.Main || who.AllTickets || holds(roles, identity.TicketGroupOperator) && slices.Contains(in, who.User) {
				all = append(all, g)
			}
			return nil
		}, "SELECT id, name, roles FROM user_groups WHERE domain_id = ? ORDER BY name, id", who.Domain)
	})
	return all, err
}

// SubUserGroups are the groups of one sub-user by name, and whether one of them
// permits him to submit where the account demands a permission (MaySubmit).
type SubUserGroups struct {
	User    string
	Groups  []string
	Submits bool
}

// SubUserGroups lists the sub-users of the caller's domain who are in a group,
// by id. OSM.01010002 for others than the main account, OSM.01010011 for
// callers who are no customers.
func (s *Service) SubUserGroups(ctx context.Context, who principal.Principal) (all []SubUserGroups, err error) {
	switch {
	case who.Kind != principal.Customer:
		return nil, errNoCustomer
	case !who.Main:
		return nil, fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			var user, name, roles string
			if err := r.Scan(&user, &name, &roles); err != nil {
				return err
			}
			if n := len(all); n == 0 || all[n-1].User != user {
				all = append(all, SubUserGroups{User: user})
			}
			u := &all[len(all)-1]
			u.Groups = append(u.Groups, name)
			u.Submits = u.Submits || holds(roles, identity.TicketAdministrator)
			return nil
		}, `SELECT m.user_id, g.name, g.roles FROM group_members m JOIN user_groups g ON g.domain_id = m.domain_id AND g.id = m.group_id
			JOIN users u ON u.domain_id = m.domain_id AND u.id = m.user_id
			WHERE m.domain_id = ? AND u.main = 0 ORDER BY m.user_id, g.name, g.id`, who.Domain)
	})
	return all, err
}
