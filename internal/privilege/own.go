package privilege

import (
	"cmp"
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

// OwnUser is a user of the caller's account, and whether he may submit.
type OwnUser struct {
	ID, Name       string
	Main, Disabled bool
	Groups         []string // names, by name
	MaySubmit      bool     // as the switch stands
	Permitted      bool     // what counts when submitting needs a permission
}

// OwnUsers are the users of the caller's account, the main account first, the
// others by name, at most 1,000, and whether submitting needs a permission now:
// what MaySubmit answers for each, and would answer with the switch on.
// OSM.01010011 for callers who are no customers, .02 for others than the main
// account.
func (s *Service) OwnUsers(ctx context.Context, who principal.Principal) (all []OwnUser, byPermission bool, err error) {
	switch {
	case who.Kind != principal.Customer:
		return nil, false, errNoCustomer
	case !who.Main:
		return nil, false, fault.NoPermission
	}
	users, err := s.ident.Users(ctx, who, who.Domain)
	if err != nil {
		return nil, false, err
	}
	groups, err := s.ident.Groups(ctx, who, who.Domain) // by name
	if err != nil {
		return nil, false, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		d, err := identity.DomainIn(tx, who.Domain)
		byPermission = d.SubmitByPermission
		return err
	})
	if err != nil {
		return nil, false, err
	}
	for _, u := range users {
		o := OwnUser{ID: u.ID, Name: u.Name, Main: u.Main, Disabled: u.Disabled, Groups: []string{}, Permitted: u.Main}
		for _, g := range groups {
			if slices.Contains(g.Members, u.ID) {
				o.Groups = append(o.Groups, g.Name)
				o.Permitted = o.Permitted || slices.Contains(g.Roles, identity.TicketAdministrator)
			}
		}
		o.MaySubmit = o.Permitted || !byPermission
		all = append(all, o)
	}
	slices.SortStableFunc(all, func(a, b OwnUser) int {
		if a.Main != b.Main {
			return map[bool]int{true: -1, false: 1}[a.Main]
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return all, byPermission, nil
}
