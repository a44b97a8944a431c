package identity

import (
	"context"
	"errors"
	"strings"

	"casemate/internal/db"
	"casemate/internal/personal"
	"casemate/internal/principal"
)

// Personal is what this package holds about people, in the order in which it is
// erased. Log-in names and contacts are hashed and sealed; the row itself stays,
// so that what points at it is valid.
func Personal() []personal.Rule {
	own := "domain_id = {domain} AND user_id = {user}"
	return []personal.Rule{
		{Kind: "logins", Table: "tokens", Key: "hash", Where: own, Shown: "issued_at, expires_at, methods"},
		{Kind: "keys", Table: "access_keys", Key: "id", Where: own, Shown: "id, disabled, last_used, created_at"},
		{Kind: "keys", Table: "temporary_keys", Key: "id", Where: own},
		{Kind: "logins", Table: "browser_sessions", Key: "hash", Where: own, Shown: "method, provider, device, address, created_at, last_used, expires_at",
			Row: "id", Open: map[string]personal.Sealed{"device": personal.Person, "address": personal.Person}},
		{Kind: "logins", Table: "login_challenges", Key: "hash", Where: own},
		{Kind: "logins", Table: "second_factors", Key: "domain_id, user_id", Where: own, Shown: "confirmed_at, created_at"},
		{Kind: "logins", Table: "recovery_codes", Key: "domain_id, user_id, hash", Where: own, Shown: "used_at, created_at"},
		{Kind: "account", Table: "user_preferences", Key: "domain_id, user_id", Where: own, Shown: "chosen, notices, changed_at", Row: "user_id", Open: map[string]personal.Sealed{"chosen": personal.Person}},
		{Kind: "logins", Table: "user_links", Key: "domain_id, issuer_hash", Where: own, Shown: "provider, subject, made_user, created_at",
			Row: "issuer_hash", Open: map[string]personal.Sealed{"subject": personal.Person}},
		{Kind: "logins", Table: "login_failures", Key: "subject, id", Where: "subject IN {hashes}"},
		{Kind: "groups", Table: "group_members", Key: "domain_id, group_id, user_id", Where: own, Shown: "group_id"},
		{Kind: "account", Table: "users", Key: "domain_id, id", Where: "domain_id = {domain} AND id = {user}", Left: "name_hash <> 'erased-' || id",
			Set: "disabled = 1, main = 0, name_hash = 'erased-' || id, name = '', mobile = '', mail = '', area_code = '', mobile_hash = '', mail_hash = '', password = '', language = '', zone = '', " +
				"alias = CASE WHEN role = '' THEN '' ELSE 'Engineer ' || upper(substr(public_id, length(public_id) - 3)) END",
			Doc: "id", Shown: "id, name, mobile, mail, area_code, main, role, alias, language, zone, disabled, created_at", Row: "id",
			Open: map[string]personal.Sealed{"name": personal.Person, "mobile": personal.Person, "mail": personal.Person}},
	}
}

// Aged is what goes by its age.
func Aged() []personal.Aged {
	return []personal.Aged{{Rule: personal.Rule{Kind: "logins", Table: "login_failures", Key: "subject, id", Where: "at <= {before}"}, Hashes: []string{"subject"}, At: "at"}}
}

// SubjectOf are the keyed hashes and search terms of a user's contacts and
// log-in name, as this package and the desk's index know them, and his contacts
// in their one spelling. Of an erased user there are none. It fails with ErrNoUser.
func (s *Service) SubjectOf(ctx context.Context, domain, id string) (p personal.Subject, contacts []string, name string, err error) {
	u, err := s.User(ctx, principal.AsSystem(domain), domain, id)
	if err != nil {
		return p, nil, "", err
	}
	p = personal.Subject{Domain: domain, User: id}
	if u.Name != "" {
		p.Hashes = append(p.Hashes, s.loginSubject(domain, u.Name))
	}
	for _, c := range []string{u.Mobile, u.Mail} {
		if c == "" {
			continue
		}
		q, other := s.ContactOf(c), ""
		if err := s.db.View(ctx, func(tx *db.Tx) (err error) { other, err = registered(tx, q.Hashes, id); return err }); err != nil {
			return p, nil, "", err
		}
		if other != "" { // a desk's common address is not his alone
			continue
		}
		contacts = append(contacts, c)
		p.Hashes, p.Terms = append(p.Hashes, q.Hashes...), append(p.Terms, q.Terms...)
	}
	return p, contacts, u.Name, nil
}

// ContactOf is the subject of a bare contact in its one spelling.
func (s *Service) ContactOf(contact string) personal.Subject {
	way := SMS
	if strings.Contains(contact, "@") {
		way = Mail
	}
	return personal.Subject{Hashes: []string{s.ContactHash(way, contact)}, Terms: []string{s.terms.Contact(contact)}}
}

// Shut is told that a user is being erased: what this node remembers of names and
// credentials is forgotten.
func (s *Service) Shut() {
	s.cache.forget()
	s.names.mu.Lock()
	clear(s.names.m)
	s.names.mu.Unlock()
}

// Registered is the id of a user who has one of the contacts, by their hashes,
// as a registered one; "" when nobody has.
func (s *Service) Registered(ctx context.Context, hashes []string) (user string, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) (err error) { user, err = registered(tx, hashes, ""); return err })
	return user, err
}

func registered(tx *db.Tx, hashes []string, but string) (user string, err error) {
	if len(hashes) == 0 {
		return "", nil
	}
	var args []any
	for range 2 {
		for _, h := range hashes {
			args = append(args, h)
		}
	}
	in := "(?" + strings.Repeat(", ?", len(hashes)-1) + ")"
	err = tx.Get("SELECT id FROM users /* all domains: whose a contact is */ WHERE (mobile_hash IN "+in+" OR mail_hash IN "+in+") AND id <> ? ORDER BY id LIMIT 1", append(args, but)...).Scan(&user)
	if errors.Is(err, db.ErrNone) {
		err = nil
	}
	return user, err
}
