package identity

import (
	"context"
	"errors"
	"strings"
	"sync"

	"casemate/internal/principal"
)

// nameCache remembers opened names for lists.
type nameCache struct {
	mu sync.Mutex
	m  map[string]string
}

// Names opens the log-in names of users of one domain; unknown and erased ones
// are missing.
func (s *Service) Names(ctx context.Context, domain string, ids []string) (map[string]string, error) {
	out := map[string]string{}
	var unknown []string
	s.names.mu.Lock()
	for _, id := range ids {
		if n, ok := s.names.m[domain+"/"+id]; ok {
			out[id] = n
		} else if _, twice := out[id]; !twice {
			unknown = append(unknown, id)
		}
	}
	s.names.mu.Unlock()
	for _, id := range unknown {
		u, err := s.User(ctx, principal.AsSystem(domain), domain, id)
		if errors.Is(err, ErrNoUser) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[id] = u.Name
		s.names.mu.Lock()
		if len(s.names.m) > 50000 {
			clear(s.names.m)
		}
		s.names.m[domain+"/"+id] = u.Name
		s.names.mu.Unlock()
	}
	return out, nil
}

// FindByName lists the ids of the domain's users whose name contains the part,
// whatever the case, at most 100.
func (s *Service) FindByName(ctx context.Context, domain, part string) ([]string, error) {
	users, err := s.Users(ctx, principal.AsSystem(domain), domain)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, u := range users {
		if strings.Contains(foldName(u.Name), foldName(part)) && len(ids) < 100 {
			ids = append(ids, u.ID)
		}
	}
	return ids, nil
}
