package identity

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/job"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// recheckBatch is how many people a check asks for in one read.
const recheckBatch = 200

// Periodic is what the service does by itself.
func (s *Service) Periodic() []job.Periodic {
	if len(s.outside.oidc) == 0 && len(s.outside.directories) == 0 {
		return nil
	}
	every := s.o.Recheck
	if every == 0 {
		every = config.DefaultRecheck
	}
	return []job.Periodic{{Name: "people of identity providers", Every: every, Run: s.Recheck}}
}

// checked is a link whose person is asked for.
type checked struct {
	link
	subject string
}

// Recheck asks the identity providers for the people who can come in without
// them: those with a session, a token or an access key. Whom a provider does not
// know any more, or whose groups give no role any more, is shut out with all
// credentials; roles and groups follow. A provider that does not answer changes
// nothing, and is asked no more in this round; providers do not wait for each
// other.
func (s *Service) Recheck(ctx context.Context) error {
	start := s.db.Now().UnixMilli()
	round, cancel := context.WithTimeout(ctx, mostRound)
	defer cancel()
	errs := make([]error, len(s.outside.directories)+len(s.outside.oidc))
	var all sync.WaitGroup
	for n, d := range s.outside.directories {
		all.Go(func() {
			errs[n] = s.recheck(round, d.ID, start, func(ctx context.Context, c checked) (person, error) {
				p, err := d.look(ctx, c.subject)
				if errors.Is(err, errNoEntry) {
					err = errGoneThere
				}
				return p, err
			})
		})
	}
	for n, p := range s.outside.oidc {
		all.Go(func() {
			errs[len(s.outside.directories)+n] = s.recheck(round, p.ID, start, func(ctx context.Context, c checked) (person, error) {
				if c.refresh == "" { // of a sign-in before such tokens were kept
					return person{}, errSignInAgain
				}
				text, err := s.openRefresh(ctx, c.link)
				if err != nil {
					return person{}, err
				}
				if _, _, access := accessKept(text); !access {
					return p.renew(ctx, text, s.db.Now)
				}
				found, knows, err := p.look(ctx, text, s.db.Now())
				if err == nil && !knows {
					if s.issuerHash(found.issuer, found.subject) != c.hash {
						return found, nil // refused below
					}
					err = errNothingToAsk
				}
				return found, err
			})
		})
	}
	all.Wait()
	if round.Err() != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "the identity providers were not asked for everybody: the next round goes on", "after", mostRound)
		return nil
	}
	return errors.Join(errs...)
}

// mostRound bounds a round, below the lease of a job.
const mostRound = 30 * time.Second

// unreachable tells what is the provider's and concerns all its people from what
// is about one of them.
func unreachable(err error) bool {
	var away net.Error
	return errors.Is(err, ErrSignInAway) || errors.As(err, &away) || errors.Is(err, context.DeadlineExceeded) ||
		ldap.IsErrorAnyOf(err, ldap.ErrorNetwork, ldap.LDAPResultBusy, ldap.LDAPResultUnavailable, ldap.LDAPResultServerDown, ldap.LDAPResultConnectError, ldap.LDAPResultTimeout)
}

// A person of whom the provider gave no refresh token.
var (
	// errSignInAgain: nothing to ask with is left, or it is not taken any more.
	errSignInAgain = errors.New("the provider's token is over")
	// errNothingToAsk: the person is there, and more is not told before the next sign-in.
	errNothingToAsk = errors.New("the provider says nothing of groups")
)

func (s *Service) recheck(ctx context.Context, provider string, start int64, ask func(context.Context, checked) (person, error)) error {
	for {
		all, err := s.toCheck(ctx, provider, start)
		if err != nil || len(all) == 0 {
			return err
		}
		for _, c := range all {
			p, err := ask(ctx, c)
			if err == nil && (p.issuer == "" || s.issuerHash(p.issuer, p.subject) != c.hash) {
				err = errors.New("the provider answered for somebody else")
			}
			if err == nil {
				_, _, err = s.admit(ctx, p)
			}
			switch {
			case err == nil:
				continue
			case errors.Is(err, errGoneThere), errors.Is(err, errNoRole):
				s.log.InfoContext(ctx, "shut out", "provider", provider, "user", c.user, "why", err)
				err = s.gone(ctx, c.link)
			case errors.Is(err, errSignInAgain):
				err = s.signInAgain(ctx, c.link)
			case refusal(err), errors.Is(err, errNothingToAsk):
				err = s.tried(ctx, c.link)
			case unreachable(err):
				s.log.WarnContext(ctx, "the identity provider does not answer: its people are asked for in the next round", "provider", provider, "error", err)
				return nil
			default:
				s.log.WarnContext(ctx, "asking for a person", "provider", provider, "error", err)
				err = s.tried(ctx, c.link)
			}
			if err != nil {
				return err
			}
		}
	}
}

// toCheck are the next people to ask for whom this round has not tried.
func (s *Service) toCheck(ctx context.Context, provider string, start int64) (all []checked, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			c := checked{link: link{provider: provider}}
			err := r.Scan(&c.domain, &c.hash, &c.user, &c.subject, &c.refresh)
			all = append(all, c)
			return err
		}, `SELECT l.domain_id, l.issuer_hash, l.user_id, l.subject, l.refresh FROM user_links l /* all domains: who is asked for at a provider */
			WHERE l.provider = ? AND l.tried_at < ? AND l.gone_at = 0 AND (
				EXISTS (SELECT 1 FROM browser_sessions b WHERE b.domain_id = l.domain_id AND b.user_id = l.user_id AND b.expires_at > ?) OR
				EXISTS (SELECT 1 FROM tokens t WHERE t.domain_id = l.domain_id AND t.user_id = l.user_id AND t.expires_at > ?) OR
				EXISTS (SELECT 1 FROM access_keys k WHERE k.domain_id = l.domain_id AND k.user_id = l.user_id AND k.disabled = 0))
			ORDER BY l.tried_at, l.issuer_hash LIMIT ?`, provider, start, start, start, recheckBatch)
	})
	for i := range all {
		if err != nil {
			break
		}
		p, e := s.keys.Person(ctx, all[i].user)
		if errors.Is(e, seal.ErrErased) {
			all[i].subject = ""
			continue
		}
		if err = e; err == nil {
			all[i].subject, err = p.Open(linkPlace("subject", all[i].hash), all[i].subject)
		}
	}
	return all, err
}

// tried notes that a person was asked for in vain.
func (s *Service) tried(ctx context.Context, l link) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "UPDATE user_links SET tried_at = ? WHERE domain_id = ? AND issuer_hash = ?", tx.Real, l.domain, l.hash)
		return nil
	})
}

// signInAgain ends the sessions that a person opened by a provider that cannot be
// asked for him any more: he signs in again there, which shows whether he may. What
// he came in with otherwise stays.
func (s *Service) signInAgain(ctx context.Context, l link) error {
	defer s.cache.forget()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		var n int
		if err := tx.Get("SELECT count(*) FROM browser_sessions WHERE domain_id = ? AND user_id = ? AND provider = ?", l.domain, l.user, l.provider).Scan(&n); err != nil {
			return err
		}
		tx.Write(db.Any, "UPDATE user_links SET tried_at = ?, refresh = '' WHERE domain_id = ? AND issuer_hash = ?", tx.Real, l.domain, l.hash)
		if n == 0 {
			return nil
		}
		tx.Write(db.Any, "DELETE FROM browser_sessions WHERE domain_id = ? AND user_id = ? AND provider = ?", l.domain, l.user, l.provider)
		event.Record(tx, principal.AsSystem(l.domain), event.Event{Domain: l.domain, Kind: "user.logout", Subject: "user", SubjectID: l.user, LogCode: event.NoLog, Data: map[string]any{"provider": l.provider}})
		return nil
	})
}

// gone shuts a user out whom the provider does not know any more, with all
// credentials, until the provider vouches for them again. The last administrator
// stays.
func (s *Service) gone(ctx context.Context, l link) error {
	defer s.cache.forget()
	kept := false
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		if l.domain == principal.House {
			tx.Lock(principal.House, administratorsLock)
		}
		u, err := scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", l.domain, l.user))
		if err != nil {
			return err
		}
		if kept, err = lastAdministrator(tx, u); err != nil {
			return err
		}
		if kept {
			tx.Write(1, "UPDATE user_links SET tried_at = ? WHERE domain_id = ? AND issuer_hash = ?", tx.Real, l.domain, l.hash)
			return nil
		}
		tx.Write(1, "UPDATE user_links SET gone_at = ?, tried_at = ?, refresh = '' WHERE domain_id = ? AND issuer_hash = ?", number(!u.Disabled)*tx.Real, tx.Real, l.domain, l.hash)
		endAll(tx, l.domain, l.user)
		if u.Disabled {
			return nil
		}
		tx.Write(1, "UPDATE users SET disabled = 1 WHERE domain_id = ? AND id = ?", l.domain, l.user)
		event.Record(tx, principal.AsSystem(l.domain), event.Event{Domain: l.domain, Kind: "user.disable", Subject: "user", SubjectID: l.user, LogCode: event.NoLog,
			Data: map[string]any{"disabled": true, "from": false, "to": true, "provider": l.provider}})
		return nil
	})
	if err == nil && kept {
		s.log.ErrorContext(ctx, lastKept, "provider", l.provider, "user", l.user)
	}
	return err
}
