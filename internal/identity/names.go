package identity

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"casemate/internal/db"
	"casemate/internal/principal"
)

// nameCache remembers opened names for lists, for at most nameLife: another
// node may have changed one.
type nameCache struct {
	mu    sync.Mutex
	m     map[string]string
	since time.Time // when it was empty
}

// nameLife is how long a name is remembered: so long a node shows that of a
// person another node erased.
const nameLife = 20 * time.Second

// fresh empties the cache when its time is over; the lock is held.
func (c *nameCache) fresh(now time.Time) {
	if age := now.Sub(c.since); age > nameLife || age < 0 {
		clear(c.m)
		c.since = now
	}
}

// forgetName drops a name that was changed.
func (s *Service) forgetName(domain, id string) {
	s.names.mu.Lock()
	defer s.names.mu.Unlock()
	delete(s.names.m, domain+"/"+id)
}

// Names opens the log-in names of users of one domain; unknown and erased ones
// are missing, and to an auditor (the context's caller) those of customers' people.
func (s *Service) Names(ctx context.Context, domain string, ids []string) (map[string]string, error) {
	out := map[string]string{}
	if domain != principal.House && principal.From(ctx).Blind() {
		return out, nil
	}
	var unknown []string
	s.names.mu.Lock()
	s.names.fresh(s.db.Now())
	for _, id := range ids {
		if n, ok := s.names.m[domain+"/"+id]; ok {
			out[id] = n
		} else if id != "" {
			unknown = append(unknown, id)
		}
	}
	slices.Sort(unknown)
	unknown = slices.Compact(unknown)
	s.names.mu.Unlock()
	for some := range slices.Chunk(unknown, 500) { // what one statement holds with ease
		users, err := s.usersByID(ctx, domain, some)
		if err != nil {
			return nil, err
		}
		s.names.mu.Lock()
		for _, u := range users {
			if len(s.names.m) > 50000 {
				clear(s.names.m)
			}
			out[u.ID], s.names.m[domain+"/"+u.ID] = u.Name, u.Name
		}
		s.names.mu.Unlock()
	}
	return out, nil
}

// usersByID reads users of a domain at once; unknown ones are missing, and to an auditor (the context's caller) those of customers' people.
func (s *Service) usersByID(ctx context.Context, domain string, ids []string) (users []User, err error) {
	args := []any{domain}
	for _, id := range ids {
		args = append(args, id)
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		users = nil
		return tx.List(func(r db.Row) error {
			u, err := scanUser(r)
			users = append(users, u)
			return err
		}, "SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id IN (?"+strings.Repeat(", ?", len(ids)-1)+")", args...)
	})
	if err != nil {
		return nil, err
	}
	return users, s.openAll(ctx, users)
}

// FindByName lists the ids of the domain's users whose name contains the part,
// whatever the case. Names are sealed one by one, so all of them are looked at,
// from the cache as a rule.
func (s *Service) FindByName(ctx context.Context, domain, part string) ([]string, error) {
	var all []string
	err := s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			var id string
			err := r.Scan(&id)
			all = append(all, id)
			return err
		}, "SELECT id FROM users WHERE domain_id = ? ORDER BY main DESC, id", domain)
	})
	if err != nil {
		return nil, err
	}
	names, err := s.Names(ctx, domain, all)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, id := range all {
		if strings.Contains(foldName(names[id]), foldName(part)) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
