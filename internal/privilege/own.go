package privilege

import (
	"context"
	"slices"

	"casemate/internal/db"
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
