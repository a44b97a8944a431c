package setup

import (
	"context"
	"slices"

	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// NewKey is an access key that an Apply made; its secret is shown this once.
type NewKey struct{ ID, Domain, User, Secret string }

// seal readies, outside the transaction, what is written sealed: secrets of new
// webhooks and access keys, names of people.
func (d *draft) seal(ctx context.Context, s *Service) (err error) {
	d.sealed = map[string]string{}
	for _, h := range d.hookList.put() {
		if h.fresh {
			if d.sealed[h.v.ID], err = s.n.Webhooks.SealSecret(h.v.ID); err != nil {
				return err
			}
		}
	}
	if d.people == nil {
		return nil
	}
	memberID := func(m identity.Member) string { return m.ID }
	for _, p := range d.users.put() {
		r, err := s.n.Identity.Ready(ctx, storedAs(d.people.Members, memberID, p.v.ID), p.v.user())
		if err != nil {
			return err
		}
		d.ready = append(d.ready, r)
	}
	for _, p := range d.keys.put() {
		if !p.fresh {
			continue
		}
		k := NewKey{ID: p.v.ID, Domain: p.v.Domain, User: p.v.User}
		if k.Secret, d.sealed[k.ID], err = s.n.Identity.NewSecret(k.ID); err != nil {
			return err
		}
		d.secrets = append(d.secrets, k)
	}
	return nil
}

// writePeople writes the folder accounts.
func (d *draft) writePeople(tx *db.Tx, who principal.Principal) error {
	if d.people == nil {
		return nil
	}
	accountID, groupID, keyID := func(a identity.Domain) string { return a.ID }, func(g identity.Group) string { return g.ID }, func(k identity.AccessKey) string { return k.ID }
	var names []string
	var groups []identity.Group
	for _, p := range d.accts.put() {
		if !p.fresh && p.old.Name != p.v.Name {
			names = append(names, p.v.ID)
		}
	}
	for _, p := range d.groups.put() {
		if !p.fresh && p.old.Name != p.v.Name {
			groups = append(groups, p.v.group())
		}
	}
	for _, v := range d.keys.gone() {
		identity.DropKeyIn(tx, who, v.key())
	}
	for _, v := range d.groups.gone() {
		identity.DropGroupIn(tx, who, *storedAs(d.people.Groups, groupID, v.ID))
	}
	identity.ClearNamesIn(tx, names, d.ready, groups)
	for _, p := range d.accts.put() {
		before := storedAs(d.people.Accounts, accountID, p.v.ID)
		var d identity.Domain
		if before != nil {
			d = *before
		}
		identity.PutAccountIn(tx, who, before, p.v.account(d))
	}
	for _, r := range d.ready {
		identity.PutMemberIn(tx, who, r)
	}
	if slices.ContainsFunc(d.people.Members, func(m identity.Member) bool {
		return m.Domain == principal.House && m.Role == principal.RoleAdministrator && !m.Disabled
	}) {
		if err := identity.AdministeredIn(tx); err != nil {
			return err
		}
	}
	for _, p := range d.groups.put() {
		if err := identity.PutGroupIn(tx, who, storedAs(d.people.Groups, groupID, p.v.ID), p.v.group()); err != nil {
			return err
		}
	}
	for _, p := range d.keys.put() {
		identity.PutKeyIn(tx, who, storedAs(d.people.Keys, keyID, p.v.ID), p.v.key(), d.sealed[p.v.ID])
	}
	return nil
}
