package identity

import (
	"context"

	"casemate/internal/db"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// userDoc is by what the desk's search finds a customer's person: log-in name
// and contacts, as hashes only. The house's people are not in the index.
func (s *Service) userDoc(u User) []search.Doc {
	if u.Domain == principal.House {
		return nil
	}
	terms := s.terms.Terms(u.Name)
	for _, c := range []string{u.Mobile, u.Mail} {
		if c != "" {
			terms = append(terms, s.terms.Contact(c))
		}
	}
	return []search.Doc{{Domain: u.Domain, Kind: search.KindUser, ID: u.ID, Secret: terms}}
}

// SearchUsers are the documents of customers' people behind one of them, by
// domain and id, at most so many; at is the last one looked at. An erased
// person has none.
func (s *Service) SearchUsers(ctx context.Context, after [2]string, limit int) (docs []search.Doc, at [2]string, err error) {
	var users []User
	err = s.db.View(ctx, func(tx *db.Tx) error {
		users = nil
		return tx.List(func(r db.Row) error {
			u, err := scanUser(r)
			users = append(users, u)
			return err
		}, "SELECT "+userColumns+" FROM users /* all domains: building the index */ WHERE domain_id <> '"+principal.House+"' AND (domain_id, id) > (?, ?) ORDER BY domain_id, id LIMIT ?",
			after[0], after[1], limit)
	})
	at = after
	for _, u := range users {
		at = [2]string{u.Domain, u.ID}
		if err := s.open(ctx, &u); err != nil {
			return nil, at, err
		}
		if u.Name != "" {
			docs = append(docs, s.userDoc(u)...)
		}
	}
	return docs, at, err
}

// SearchDomains are the documents of customers behind one of them, as
// SearchUsers are.
func SearchDomains(tx *db.Tx, after string, limit int) (docs []search.Doc, err error) {
	err = tx.List(func(r db.Row) error {
		d := search.Doc{Kind: search.KindDomain}
		err := r.Scan(&d.ID, &d.Text)
		d.Domain = d.ID
		docs = append(docs, d)
		return err
	}, "SELECT id, name FROM domains WHERE id <> '"+principal.House+"' AND id > ? ORDER BY id LIMIT ?", after, limit)
	return docs, err
}
