package setup

import (
	"context"
	"maps"
	"strconv"
	"strings"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// names are what ids of the tree stand for: aliases of engineers, names of teams,
// partners and accounts.
func (d *draft) names(tx *db.Tx) (map[string]string, error) {
	names := map[string]string{}
	var people []string
	for id := range d.accounts.People {
		people = append(people, id)
	}
	aliases, err := identity.PublicEngineers(tx, people)
	for id, a := range aliases {
		names[id] = a[0]
	}
	for _, t := range d.desk.Teams {
		names[t.ID] = strings.TrimPrefix(t.Name.ZH+" / "+t.Name.EN, " / ")
	}
	for _, p := range d.accounts.Partners {
		names[p.ID] = p.Name
	}
	for _, a := range d.accounts.Domains {
		names[a.ID] = a.Name
	}
	if d.people != nil {
		for _, m := range d.people.Members {
			if m.Domain == principal.House && names[m.ID] == "" {
				names[m.ID] = m.Alias
			}
		}
		for _, g := range d.people.Groups {
			names[g.ID] = g.Name
		}
	}
	return names, err
}

// openNames puts people's log-in names in, for an export that has them.
func (d *draft) openNames(ctx context.Context, s *Service) error {
	d.users.open, d.keys.open = true, true
	names, err := s.n.Identity.OpenNames(ctx, d.people.Members)
	for i, name := range names {
		d.users.stored[i].Name = name
	}
	return err
}

// say names the changes that have no name of their own, and answers what the ids
// in them stand for: people, teams, partners and accounts by their names, entries
// of the catalogue by what customers read.
func (d *draft) say(names map[string]string, catalogs ...*catalog.Catalog) map[string]locale.Texts {
	names = maps.Clone(names)
	for _, p := range d.teams.wanted {
		names[p.v.ID] = strings.TrimPrefix(p.v.Name.ZH+" / "+p.v.Name.EN, " / ")
	}
	for _, p := range d.partners.wanted {
		names[p.v.ID] = p.v.Name
	}
	if d.people != nil {
		for _, p := range d.accts.wanted {
			names[p.v.ID] = p.v.Name
		}
		for _, p := range d.groups.wanted {
			names[p.v.ID] = p.v.Name
		}
		for _, p := range d.users.wanted {
			switch {
			case names[p.v.ID] != "":
			case p.v.Domain != principal.House:
				names[p.v.ID] = names[p.v.Domain]
			case p.v.Alias != "":
				names[p.v.ID] = p.v.Alias
			}
		}
	}
	said := map[string]locale.Texts{}
	for i, c := range d.changes {
		if c.Name == (locale.Texts{}) {
			id := c.ID
			if d.keys != nil && c.Section == d.keys.key() {
				for _, p := range d.keys.wanted {
					if p.v.ID == id {
						id = p.v.User
					}
				}
			}
			d.changes[i].Name = locale.Texts{ZH: names[id], EN: names[id]}
		}
		for _, f := range c.Fields {
			steps := strings.Split(f.Field, ".")
			for _, v := range []string{f.Before, f.After} {
				if n := names[v]; n != "" {
					said[v] = locale.Texts{ZH: n, EN: n}
				} else if n := entryName(steps, v, catalogs); n != (locale.Texts{}) {
					said[v] = n
				}
			}
			for i, step := range steps[1:] { // a list told by what its elements are about
				if n := entryName(append(steps[:i+1:i+1], "severity"), step, catalogs); n != (locale.Texts{}) {
					said[step] = n
				}
			}
		}
	}
	return said
}

// referring are fields whose values are ids of entries of the catalogue.
var referring = map[string]catalog.Kind{
	"severity": catalog.KindSeverity, "severities": catalog.KindSeverity, "plan": catalog.KindPlan, "plans": catalog.KindPlan, "clock": catalog.KindCalendar,
	"product": catalog.KindProduct, "products": catalog.KindProduct, "product_category_id": catalog.KindProduct, "problem_type": catalog.KindProblemType,
	"problem_types": catalog.KindProblemType, "sub_type": catalog.KindSubType, "sub_types": catalog.KindSubType, "region": catalog.KindRegion, "regions": catalog.KindRegion,
}

// entryName is what the value of a field is called in one of the catalogues; the
// zero texts when the field holds no reference or the entry is gone.
func entryName(steps []string, value string, catalogs []*catalog.Catalog) (n locale.Texts) {
	for i := len(steps) - 1; i >= 0; i-- {
		if _, err := strconv.Atoi(steps[i]); err == nil {
			continue // a place in a list
		}
		kind, ok := referring[steps[i]]
		for _, c := range catalogs {
			if n == (locale.Texts{}) && ok && value != "" {
				n = c.Called(kind, value)
			}
		}
		break
	}
	return n
}

// asksForPeople tells whether a tree has the folder accounts.
func asksForPeople(files map[string][]byte) bool {
	for p := range files {
		if strings.HasPrefix(p, accountsFolder) {
			return true
		}
	}
	return false
}

// core is a tree without the folder accounts.
func core(tree map[string]string) map[string]string {
	out := maps.Clone(tree)
	maps.DeleteFunc(out, func(p, _ string) bool { return strings.HasPrefix(p, accountsFolder) })
	return out
}

// known tells whether the last version recorded what is in force, as far as it is
// looked at.
func (d *draft) known(now map[string]string) bool {
	if d.last == nil {
		return false
	}
	if d.people == nil {
		return maps.Equal(core(d.last), core(now))
	}
	return maps.Equal(d.last, now)
}

// changesPeople tells whether accounts, people, groups or keys would be changed.
func (d *draft) changesPeople() bool {
	if d.people == nil {
		return false
	}
	for _, p := range []part{d.accts, d.users, d.groups, d.keys} {
		if len(p.diff()) > 0 {
			return true
		}
	}
	return false
}

// lenient leaves out what an earlier version names and is gone meanwhile.
func (d *draft) lenient() {
	d.accts.lenient, d.users.lenient, d.keys.lenient = true, true, true
	users, accounts := idsOf(d.users, false), idsOf(d.accts, false)
	var there []placed[groupShape]
	for _, p := range d.groups.wanted {
		if !accounts[p.v.Domain] {
			continue
		}
		members := []string{}
		for _, id := range p.v.Members {
			if users[id] {
				members = append(members, id)
			}
		}
		p.v.Members = members
		there = append(there, p)
	}
	d.groups.wanted = there
}
