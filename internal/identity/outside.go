package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// outside are the identity providers that people log in at.
type outside struct {
	oidc        []*signInProvider
	directories []*directory
}

func newOutside(o Options, now func() time.Time) (out outside, err error) {
	for _, c := range o.OIDC {
		p, err := newSignInProvider(c.WithDefaults(), now)
		if err != nil {
			return out, fmt.Errorf("identity.oidc %q: %w", c.ID, err)
		}
		out.oidc = append(out.oidc, p)
	}
	for _, c := range o.LDAP {
		d, err := newDirectory(c.WithDefaults())
		if err != nil {
			return out, fmt.Errorf("identity.ldap %q: %w", c.ID, err)
		}
		out.directories = append(out.directories, d)
	}
	return out, nil
}

// Why a person of a provider does not come in. All are ErrLogin or "denied" to
// the caller, and in the log what they are.
var (
	errNoRole    = errors.New("no line of people.roles fits the person's groups, and there is no people.role")
	errNotMade   = errors.New("there is no user linked to the person, and people.create is off")
	errNameHeld  = errors.New("a user who is not linked has the person's name")
	errBadName   = errors.New("the person's name is empty, or over 64 characters, or holds control characters")
	errNoDomain  = errors.New("people.domain names no customer's account that has a main account")
	errShutOut   = errors.New("the user is shut out here")
	errGoneThere = errors.New("the provider does not know the person any more")
)

// refusal tells reasons that are the person's or the settings' from failures.
func refusal(err error) bool {
	for _, e := range []error{errNoRole, errNotMade, errNameHeld, errBadName, errNoDomain, errShutOut, errGoneThere} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// person is somebody an identity provider has vouched for.
type person struct {
	provider string
	people   config.People
	issuer   string
	subject  string // for ever, at the issuer
	name     string
	mail     string
	groups   []string
	refresh  string // refresh token, "" = none
}

// issuerHash is how a link is looked up: by issuer and subject only. Names and
// mail addresses are given out anew, so they link nobody.
func (s *Service) issuerHash(issuer, subject string) string {
	return s.keys.Lookup("issuer "+issuer, subject)
}

func linkPlace(column, hash string) seal.Place {
	return seal.Place{Table: "user_links", Column: column, Row: hash}
}

// inGroup compares a configured group with a person's: the whole value, or of a
// DN the value of its first part.
func inGroup(groups []string, want string) bool {
	return slices.ContainsFunc(groups, func(g string) bool {
		if strings.EqualFold(g, want) {
			return true
		}
		name, ok := firstRDN(g)
		return ok && strings.EqualFold(name, want)
	})
}

// roleOf is the role that a person's groups give; errNoRole for none.
func roleOf(p config.People, groups []string) (string, error) {
	if p.Domain != principal.House {
		return "", nil
	}
	for _, r := range p.Roles {
		if inGroup(groups, r.Group) {
			return r.To, nil
		}
	}
	if p.Role == "" {
		return "", errNoRole
	}
	return p.Role, nil
}

// link is a row of user_links.
type link struct {
	domain, hash, user, provider, refresh string
	gone                                  int64
}

func readLink(tx *db.Tx, domain, hash string) (l link, err error) {
	l.domain, l.hash = domain, hash
	err = tx.Get("SELECT user_id, provider, refresh, gone_at FROM user_links WHERE domain_id = ? AND issuer_hash = ?", domain, hash).Scan(&l.user, &l.provider, &l.refresh, &l.gone)
	if errors.Is(err, db.ErrNone) {
		err = nil
	}
	return l, err
}

// admit finds or makes the user of a person whom a provider vouched for just
// now, and brings role and groups in line with what the provider says. Whom the
// provider's absence had shut out is let in again; whom an administrator shut
// out stays out. It fails with one of the refusals.
func (s *Service) admit(ctx context.Context, p person) (User, Domain, error) {
	role, err := roleOf(p.people, p.groups)
	if err != nil {
		return User{}, Domain{}, err
	}
	domain, hash := p.people.Domain, s.issuerHash(p.issuer, p.subject)
	var l link
	err = s.db.View(ctx, func(tx *db.Tx) (err error) { l, err = readLink(tx, domain, hash); return err })
	if err != nil {
		return User{}, Domain{}, err
	}
	made := l.user == ""
	u := User{Domain: domain, ID: l.user}
	var row userRow
	if made {
		if !p.people.Create {
			return User{}, Domain{}, errNotMade
		}
		if u, row, err = s.stranger(ctx, p, role); err != nil {
			return User{}, Domain{}, err
		}
	}
	subject, refresh, err := s.sealLink(ctx, u.ID, hash, p)
	if err != nil {
		return User{}, Domain{}, err
	}
	var out User
	var d Domain
	defer s.cache.forget()
	found := s.userDoc(u)
	kept := false
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		kept = false
		if domain == principal.House {
			tx.Lock(principal.House, administratorsLock)
		}
		d = Domain{ID: principal.House, Name: principal.House}
		if domain != principal.House {
			if d, err = DomainIn(tx, domain); errors.Is(err, ErrNoDomain) {
				return errNoDomain
			} else if err != nil {
				return err
			}
		}
		now, err := readLink(tx, domain, hash)
		if err != nil {
			return err
		}
		if now.user != l.user {
			return ErrLogin // two first log-ins at once: the other one made the user
		}
		who := s.entering(ctx, u)
		if made {
			if err := free(tx, domain, row.nameHash); err != nil {
				return err
			}
			insertUser(tx, who, &u, row, found)
			tx.Write(1, `INSERT INTO user_links (domain_id, issuer_hash, user_id, provider, subject, refresh, made_user, gone_at, checked_at, tried_at, created_at)
				VALUES (?, ?, ?, ?, ?, ?, 1, 0, ?, ?, ?)`, domain, hash, u.ID, p.provider, subject, refresh, tx.Real, tx.Real, tx.Real)
			event.Record(tx, who, event.Event{Domain: domain, Kind: "user.link", Subject: "user", SubjectID: u.ID, LogCode: event.NoLog, Data: map[string]any{"provider": p.provider}})
			out = u
		} else {
			if out, err = scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", domain, l.user)); err != nil {
				return err
			}
			if kept, err = s.follow(tx, who, &out, role, now.gone); err != nil {
				return err
			}
			tx.Write(1, "UPDATE user_links SET provider = ?, subject = ?, refresh = ?, gone_at = 0, checked_at = ?, tried_at = ? WHERE domain_id = ? AND issuer_hash = ?",
				p.provider, subject, refresh, tx.Real, tx.Real, domain, hash)
		}
		if out.Disabled || d.Disabled {
			return errShutOut
		}
		return s.followGroups(tx, who, out, p)
	})
	if err != nil {
		return User{}, Domain{}, err
	}
	if kept {
		s.log.ErrorContext(ctx, lastKept, "provider", p.provider, "user", out.ID, "role", role)
	}
	if made {
		return u, d, nil // its fields are open
	}
	return out, d, s.open(ctx, &out)
}

// lastKept is logged when a provider would have taken the last administrator.
const lastKept = "the identity provider would take away the last administrator, who is kept: make another one"

// follow brings a user's role in line, and lets in again whom only the
// provider's word had shut out. kept: it would have been the last administrator
// who is none any more, so the role stays.
func (s *Service) follow(tx *db.Tx, who principal.Principal, u *User, role string, gone int64) (kept bool, err error) {
	if u.Disabled && gone > 0 {
		tx.Write(1, "UPDATE users SET disabled = 0 WHERE domain_id = ? AND id = ?", u.Domain, u.ID)
		event.Record(tx, who, event.Event{Domain: u.Domain, Kind: "user.disable", Subject: "user", SubjectID: u.ID, LogCode: event.NoLog,
			Data: map[string]any{"disabled": false, "from": true, "to": false}})
		u.Disabled = false
	}
	if u.Domain == principal.House && u.Roles != role && u.Partner == "" {
		if role != principal.RoleAdministrator {
			if last, err := lastAdministrator(tx, *u); err != nil || last {
				return last, err
			}
		}
		tx.Write(1, "UPDATE users SET role = ?, roles = ? WHERE domain_id = ? AND id = ?", role, role, u.Domain, u.ID)
		event.Record(tx, who, event.Event{Domain: u.Domain, Kind: "user.roles", Subject: "user", SubjectID: u.ID, LogCode: event.NoLog,
			Data: map[string]any{"role": role, "from": u.Roles, "to": role}})
		u.Role, u.Roles = role, role
	}
	return false, nil
}

// followGroups puts a customer's user into the groups that the provider's groups
// stand for, and out of the others that are mapped.
func (s *Service) followGroups(tx *db.Tx, who principal.Principal, u User, p person) error {
	if u.Domain == principal.House || len(p.people.Groups) == 0 {
		return nil
	}
	ids, in := map[string]string{}, map[string]bool{}
	err := tx.List(func(r db.Row) error {
		var id, name string
		err := r.Scan(&id, &name)
		ids[id], ids[name] = id, id
		return err
	}, "SELECT id, name FROM user_groups WHERE domain_id = ?", u.Domain)
	if err != nil {
		return err
	}
	err = tx.List(func(r db.Row) error {
		var id string
		err := r.Scan(&id)
		in[id] = true
		return err
	}, "SELECT group_id FROM group_members WHERE domain_id = ? AND user_id = ?", u.Domain, u.ID)
	if err != nil {
		return err
	}
	want := map[string]bool{}
	for _, g := range p.people.Groups {
		if id := ids[g.To]; id != "" {
			want[id] = want[id] || inGroup(p.groups, g.Group)
		}
	}
	for id, yes := range want {
		kind, sql := "group.add", "INSERT INTO group_members (domain_id, group_id, user_id) VALUES (?, ?, ?) ON CONFLICT (domain_id, group_id, user_id) DO NOTHING"
		if !yes {
			kind, sql = "group.remove", "DELETE FROM group_members WHERE domain_id = ? AND group_id = ? AND user_id = ?"
		}
		if in[id] == yes {
			continue
		}
		tx.Write(db.Any, sql, u.Domain, id, u.ID)
		event.Record(tx, who, event.Event{Domain: u.Domain, Kind: kind, Subject: "group", SubjectID: id, LogCode: event.NoLog, Data: map[string]any{"user": u.ID, "from": in[id], "to": yes}})
	}
	return nil
}

// stranger is a user to be made for a person. Its password is none: nobody logs
// in with it before an administrator sets one.
func (s *Service) stranger(ctx context.Context, p person, role string) (u User, row userRow, err error) {
	u = User{Domain: p.people.Domain, ID: s.db.NewID(), Name: strings.TrimSpace(p.name), Role: role, Roles: role, PublicID: "e" + s.db.NewID()[10:]}
	if u.Name == "" || len([]rune(u.Name)) > 64 || strings.ContainsFunc(u.Name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return u, row, errBadName
	}
	if role != "" {
		u.Alias = "Engineer " + strings.ToUpper(u.PublicID[len(u.PublicID)-4:])
	}
	in := NewUser{Domain: u.Domain, Name: u.Name, Mail: p.mail}
	if _, err := NormalMail(p.mail); err != nil {
		in.Mail = "" // what the provider holds is not ours to refuse for
	}
	if row, err = s.sealUser(ctx, &u, in); err != nil {
		return u, row, err
	}
	row.password = nobody
	return u, row, nil
}

// free refuses a name that another user has, and an account without a main one.
func free(tx *db.Tx, domain, nameHash string) error {
	var taken, mains int
	if err := tx.Get("SELECT count(*) FILTER (WHERE name_hash = ?), count(*) FILTER (WHERE main = 1) FROM users WHERE domain_id = ?", nameHash, domain).Scan(&taken, &mains); err != nil {
		return err
	}
	switch {
	case taken > 0:
		return errNameHeld
	case mains == 0 && domain != principal.House:
		return errNoDomain
	}
	return nil
}

// sealLink seals what a provider said of a person with the person's key;
// errShutOut for an erased one.
func (s *Service) sealLink(ctx context.Context, user, hash string, p person) (subject, refresh string, err error) {
	who, err := s.keys.Person(ctx, user)
	if errors.Is(err, seal.ErrErased) {
		return "", "", errShutOut
	}
	if err != nil {
		return "", "", err
	}
	if subject, err = who.Seal(linkPlace("subject", hash), p.subject); err != nil || p.refresh == "" {
		return subject, "", err
	}
	refresh, err = who.Seal(linkPlace("refresh", hash), p.refresh)
	return subject, refresh, err
}

// openRefresh opens the refresh token of a link.
func (s *Service) openRefresh(ctx context.Context, l link) (string, error) {
	who, err := s.keys.Person(ctx, l.user)
	if err != nil {
		return "", err
	}
	return who.Open(linkPlace("refresh", l.hash), l.refresh)
}

// linksOf are a user's providers, by id, inside a transaction.
func linksOf(tx *db.Tx, domain, user string) (providers map[string]string, err error) {
	providers = map[string]string{}
	err = tx.List(func(r db.Row) error {
		var provider, hash string
		err := r.Scan(&provider, &hash)
		providers[provider] = hash
		return err
	}, "SELECT provider, issuer_hash FROM user_links WHERE domain_id = ? AND user_id = ?", domain, user)
	return providers, err
}

// Link is who a user is at an identity provider.
type Link struct {
	Provider, Subject      string
	Created, Checked, Gone int64 // milliseconds UTC; Gone 0 = is there
}

// Links lists a user's identity providers. Administrators only.
func (s *Service) Links(ctx context.Context, who principal.Principal, domain, user string) (all []Link, err error) {
	if err := administer(who); err != nil {
		return nil, err
	}
	var hashes []string
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all, hashes = nil, nil
		if _, err := scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", domain, user)); err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			var l Link
			var hash string
			err := r.Scan(&hash, &l.Provider, &l.Subject, &l.Created, &l.Checked, &l.Gone)
			all, hashes = append(all, l), append(hashes, hash)
			return err
		}, "SELECT issuer_hash, provider, subject, created_at, checked_at, gone_at FROM user_links WHERE domain_id = ? AND user_id = ? ORDER BY created_at, issuer_hash LIMIT 100", domain, user)
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	p, err := s.keys.Person(ctx, user)
	if errors.Is(err, seal.ErrErased) {
		return nil, nil
	}
	for i := range all {
		if err == nil {
			all[i].Subject, err = p.Open(linkPlace("subject", hashes[i]), all[i].Subject)
		}
	}
	return all, err
}

// RevokeAll ends all sessions, tokens and temporary keys of a user, at once.
// Administrators only.
func (s *Service) RevokeAll(ctx context.Context, who principal.Principal, domain, user string) error {
	if err := administer(who); err != nil {
		return err
	}
	defer s.cache.forget()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		if _, err := scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", domain, user)); err != nil {
			return err
		}
		endAll(tx, domain, user)
		event.Record(tx, who, event.Event{Domain: domain, Kind: "user.logout", Subject: "user", SubjectID: user, LogCode: event.NoLog, Data: map[string]any{"all": true}})
		return nil
	})
}

// TokensOf lists a user's tokens that are not over, the newest first, without
// their secrets. Administrators only.
func (s *Service) TokensOf(ctx context.Context, who principal.Principal, domain, user string) (all []Token, err error) {
	if err := administer(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			var t Token
			var methods string
			err := r.Scan(&t.ID, &methods, &t.IssuedAt, &t.ExpiresAt)
			t.Methods = strings.Split(methods, ",")
			all = append(all, t)
			return err
		}, "SELECT id, methods, issued_at, expires_at FROM tokens WHERE domain_id = ? AND user_id = ? AND expires_at > ? ORDER BY issued_at DESC, id DESC LIMIT 200", domain, user, tx.Real)
	})
	return all, err
}

// EndAny ends a session or a token of a user by its id. Administrators only; it
// fails with ErrNoSession.
func (s *Service) EndAny(ctx context.Context, who principal.Principal, domain, user, id string) error {
	err := s.EndSession(ctx, who, domain, user, id)
	if !errors.Is(err, ErrNoSession) || administer(who) != nil {
		return err
	}
	defer s.cache.forget()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		var got string
		err := tx.Get("DELETE FROM tokens WHERE domain_id = ? AND user_id = ? AND id = ? RETURNING id", domain, user, id).Scan(&got)
		if errors.Is(err, db.ErrNone) {
			return ErrNoSession
		}
		if err != nil {
			return err
		}
		event.Record(tx, who, event.Event{Domain: domain, Kind: "token.revoke", Subject: "user", SubjectID: user, LogCode: event.NoLog})
		return nil
	})
}

// errDirectory: an identity provider does not answer now.
var errDirectory = fault.New(fault.Unavailable, fault.CodeInternal, "身份提供商或目录服务暂时无法访问，请稍后再试", "the identity provider or directory cannot be reached now, please try again later").After(retryDiscovery)
