package identity

import (
	"context"
	"errors"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Holder is a person as a caller, and what is known of him.
type Holder struct {
	Who  principal.Principal
	User User
}

// maxNamesakes is how many people with one address are looked at.
const maxNamesakes = 20

// UsersByMail are the people of all domains and of the house in whose profile
// the address stands, in its one spelling (NormalMail); those who may not log
// in are left out. Only Casemate itself asks, of mail it received: the address a
// mail claims to come from proves nobody.
func (s *Service) UsersByMail(ctx context.Context, who principal.Principal, mail string) (all []Holder, err error) {
	if who.Kind != principal.System {
		return nil, fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		var users []User
		err := tx.List(func(r db.Row) error {
			u, err := scanUser(r)
			users = append(users, u)
			return err
		}, "SELECT "+userColumns+" FROM users /* all domains: a mail names its sender only */ WHERE mail_hash = ? AND mail_hash <> '' ORDER BY domain_id, id LIMIT ?", s.ContactHash(Mail, mail), maxNamesakes)
		if err != nil {
			return err
		}
		for _, u := range users { // one, as a rule
			u, d, err := loadHolder(tx, u.Domain, u.ID)
			if errors.Is(err, ErrToken) { // he may not
				continue
			}
			if err != nil {
				return err
			}
			all = append(all, Holder{Who: holder(u, d), User: u})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, s.openHolders(ctx, all)
}

func (s *Service) openHolders(ctx context.Context, all []Holder) error {
	for i := range all {
		if err := s.open(ctx, &all[i].User); err != nil {
			return err
		}
		all[i].Who.UserName = all[i].User.Name
	}
	return nil
}

// HolderOf is one person as a caller. ErrNoUser when there is none, or he may
// not log in. Only Casemate itself asks, to act in his name.
func (s *Service) HolderOf(ctx context.Context, who principal.Principal, domain, user string) (h Holder, err error) {
	if who.Kind != principal.System {
		return h, fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		u, d, err := loadHolder(tx, domain, user)
		if err == nil {
			h = Holder{Who: holder(u, d), User: u}
		}
		return err
	})
	if k := fault.KindOf(err); k == fault.NotFound || k == fault.Unauthenticated {
		return h, ErrNoUser
	}
	if err != nil {
		return h, err
	}
	one := []Holder{h}
	err = s.openHolders(ctx, one)
	return one[0], err
}

// HolderByName is HolderOf by the names of domain and user.
func (s *Service) HolderByName(ctx context.Context, who principal.Principal, domain, user string) (h Holder, err error) {
	if who.Kind != principal.System {
		return h, fault.NoPermission
	}
	var d, u string
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if err := tx.Get("SELECT id FROM domains WHERE name = ?", domain).Scan(&d); err != nil {
			return err
		}
		return tx.Get("SELECT id FROM users WHERE domain_id = ? AND name_hash = ?", d, s.nameHash(d, user)).Scan(&u)
	})
	if errors.Is(err, db.ErrNone) {
		return h, ErrNoUser
	}
	if err != nil {
		return h, err
	}
	return s.HolderOf(ctx, who, d, u)
}
