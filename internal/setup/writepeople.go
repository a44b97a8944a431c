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
// webhooks and access keys, names of people, and what those with new keys are told.
func (d *draft) seal(ctx context.Context, who principal.Principal, s *Service) (err error) {
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
	members, ids := at(d.people.Members, func(m identity.Member) string { return m.ID }), []string{}
	for _, p := range d.users.put() {
		if !p.fresh {
			ids = append(ids, p.v.ID)
		}
	}
	if err := s.n.Identity.Remember(ctx, ids); err != nil {
		return err
	}
	for _, p := range d.users.put() {
		r, err := s.n.Identity.Ready(ctx, members[p.v.ID], p.v.user())
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
		d.tell = append(d.tell, s.n.Identity.TellOfKey(ctx, who, k.Domain, k.User))
	}
	return nil
}

// writePeople writes the folder accounts.
func (d *draft) writePeople(tx *db.Tx, who principal.Principal) error {
	if d.people == nil {
		return nil
	}
	accountsAt := at(d.people.Accounts, func(a identity.Domain) string { return a.ID })
	groupsAt := at(d.people.Groups, func(g identity.Group) string { return g.ID })
	keysAt := at(d.people.Keys, func(k identity.AccessKey) string { return k.ID })
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
		identity.DropGroupIn(tx, who, *groupsAt[v.ID])
	}
	identity.ClearNamesIn(tx, names, d.ready, groups)
	for _, p := range d.accts.put() {
		before := accountsAt[p.v.ID]
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
		if err := identity.PutGroupIn(tx, who, groupsAt[p.v.ID], p.v.group()); err != nil {
			return err
		}
	}
	for _, p := range d.keys.put() {
		identity.PutKeyIn(tx, who, keysAt[p.v.ID], p.v.key(), d.sealed[p.v.ID])
	}
	for _, tell := range d.tell {
		if err := tell(tx); err != nil {
			return err
		}
	}
	return nil
}

// at finds entries by their ids.
func at[T any](all []T, id func(T) string) map[string]*T {
	out := make(map[string]*T, len(all))
	for i := range all {
		out[id(all[i])] = &all[i]
	}
	return out
}

// rests tells what a draft's changes rest on: the rows that are written, those
// that they refer to anew, and those that a rule counts together with them.
func (d *draft) rests() (on rests) {
	for _, p := range d.domains.put() {
		on.domains = append(on.domains, p.v.ID)
	}
	if d.people == nil {
		return on
	}
	var t identity.Some
	for _, p := range d.accts.put() {
		t.Accounts = append(t.Accounts, p.v.ID)
	}
	for _, p := range d.users.put() {
		t.Members, t.Accounts = append(t.Members, p.v.ID), append(t.Accounts, p.v.Domain)
		if p.fresh {
			t.MainsOf = append(t.MainsOf, p.v.Domain)
		}
	}
	for _, p := range d.groups.put() {
		t.Groups, t.Accounts = append(t.Groups, p.v.ID), append(t.Accounts, p.v.Domain)
		for _, id := range p.v.Members {
			if !slices.Contains(p.old.Members, id) {
				t.Members = append(t.Members, id)
			}
		}
	}
	for _, v := range d.groups.gone() {
		t.Groups, t.Accounts = append(t.Groups, v.ID), append(t.Accounts, v.Domain)
	}
	for _, p := range d.keys.put() {
		t.Keys, t.Accounts = append(t.Keys, p.v.ID), append(t.Accounts, p.v.Domain)
		if p.fresh {
			t.Members, t.KeysOf = append(t.Members, p.v.User), append(t.KeysOf, p.v.User)
		}
	}
	for _, v := range d.keys.gone() {
		t.Keys = append(t.Keys, v.ID)
	}
	on.people = &t
	return on
}

// only is what the draft found stored, as far as its changes rest on it: what
// restsIn reads when nothing has moved.
func (d *draft) only(on rests) state {
	st := d.state
	domains := map[string]bool{}
	for _, id := range on.domains {
		domains[id] = true
	}
	st.accounts.Domains = nil
	for _, a := range d.state.accounts.Domains {
		if domains[a.ID] {
			st.accounts.Domains = append(st.accounts.Domains, a)
		}
	}
	if on.people != nil {
		some := on.people.Of(*d.people)
		st.people = &some
	}
	return st
}
