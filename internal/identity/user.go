package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/seal"
	"casemate/internal/search"
)

// User is a person of a domain or of the house.
type User struct {
	Domain, ID, Name       string
	AreaCode, Mobile, Mail string
	Main                   bool
	Role                   string // people of the house: the leading one of their roles
	Roles                  string // people of the house: all of them, as principal.JoinRoles writes them
	Partner                string // people of the house: id of the partner they work for, "" = the house
	Alias, PublicID        string // what the other side may see
	Language               locale.Language
	Zone                   string
	Disabled               bool
	Created                int64
}

// Has tells whether a person of the house holds a role.
func (u User) Has(role string) bool { return slices.Contains(principal.SplitRoles(u.Roles), role) }

// NewUser is what CreateUser needs.
type NewUser struct {
	Domain, Name, Password string
	Main                   bool
	Role                   string   // only in the house
	Roles                  []string // only in the house: more roles beside Role; the leading one of all becomes Role
	Partner                string   // only engineers of the house: the partner they work for
	Alias                  string
	AreaCode, Mobile, Mail string
	Language               locale.Language
	Zone                   string
}

// roles are Role and Roles without the empty word.
func (n NewUser) roles() (all []string) {
	for _, r := range append([]string{n.Role}, n.Roles...) {
		if r != "" {
			all = append(all, r)
		}
	}
	return all
}

func (n NewUser) check() error {
	switch {
	case strings.TrimSpace(n.Name) == "":
		return fault.Missing.In("name")
	case len([]rune(n.Name)) > 64:
		return fault.TooLong.In("name").With("max", 64)
	}
	for _, r := range n.Name {
		if r < ' ' || r == 0x7f {
			return fault.Unknown.In("name")
		}
	}
	if n.Domain == principal.House {
		if len(n.roles()) == 0 {
			return ErrNoRole
		}
		for _, r := range n.roles() {
			if !slices.Contains(principal.Roles, r) {
				return ErrRole.With("role", r)
			}
		}
	} else if len(n.roles()) > 0 {
		return ErrRole.With("role", n.roles()[0])
	}
	if n.Partner != "" && (n.Domain != principal.House || principal.JoinRoles(n.roles()...) != principal.RoleEngineer) {
		return ErrRole.With("role", strings.Join(n.roles(), ", "))
	}
	if _, err := locale.ParseZone(n.Zone); n.Zone != "" && err != nil {
		return ErrZone
	}
	return checkPassword(n.Name, n.Password)
}

// CreateUser adds a user: administrators anywhere, a main account in its own
// domain.
func (s *Service) CreateUser(ctx context.Context, who principal.Principal, in NewUser) (User, error) {
	if err := s.mayManage(who, in.Domain); err != nil {
		return User{}, err
	}
	if err := in.check(); err != nil {
		return User{}, err
	}
	u := User{Domain: in.Domain, ID: s.db.NewID(), Name: strings.TrimSpace(in.Name), Main: in.Main, Roles: principal.JoinRoles(in.roles()...), Partner: in.Partner, Alias: in.Alias,
		PublicID: "e" + s.db.NewID()[10:], AreaCode: in.AreaCode, Language: in.Language, Zone: in.Zone}
	if all := principal.SplitRoles(u.Roles); len(all) > 0 {
		u.Role = all[0]
	}
	if u.Alias == "" && u.Role != "" {
		u.Alias = "Engineer " + strings.ToUpper(u.PublicID[len(u.PublicID)-4:])
	}
	row, err := s.sealUser(ctx, &u, in)
	if err != nil {
		return User{}, err
	}
	if row.password, err = s.hasher.hash(ctx, in.Password, s.db.Random(16)); err != nil {
		return User{}, err
	}
	found := s.userDoc(u)
	return db.Do(ctx, s.db, func(tx *db.Tx) (User, error) {
		if in.Domain != principal.House {
			d, err := DomainIn(tx, in.Domain)
			if err == nil && d.Closed > 0 {
				err = errClosed
			}
			if err != nil {
				return User{}, err
			}
		}
		if in.Partner != "" {
			if _, err := PartnerIn(tx, in.Partner); err != nil {
				return User{}, err
			}
		}
		var taken, mains int
		if err := tx.Get("SELECT count(*) FILTER (WHERE name_hash = ?), count(*) FILTER (WHERE main = 1) FROM users WHERE domain_id = ?", row.nameHash, in.Domain).Scan(&taken, &mains); err != nil {
			return User{}, err
		}
		switch {
		case taken > 0:
			return User{}, ErrNameTaken.With("name", u.Name).In("name")
		case in.Main && mains > 0:
			return User{}, ErrMainTaken
		case !in.Main && mains == 0 && in.Domain != principal.House:
			return User{}, errMainMissing
		}
		insertUser(tx, who, &u, row, found)
		return u, nil
	})
}

// insertUser writes a new user, whose name is free.
func insertUser(tx *db.Tx, who principal.Principal, u *User, row userRow, found []search.Doc) {
	u.Created = tx.Now
	tx.Write(1, `INSERT INTO users (domain_id, id, name_hash, name, mobile, mail, area_code, mobile_hash, mail_hash, password, password_at, main, role, roles, partner_id, alias, public_id, language, zone, disabled, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)`,
		u.Domain, u.ID, row.nameHash, row.name, row.mobile, row.mail, u.AreaCode, row.mobileHash, row.mailHash, row.password, tx.Now,
		number(u.Main), u.Role, u.Roles, u.Partner, u.Alias, u.PublicID, string(u.Language), u.Zone, tx.Now)
	search.Put(tx, true, found...)
	event.Record(tx, who, event.Event{Domain: u.Domain, Kind: "user.create", Subject: "user", SubjectID: u.ID, LogCode: event.NoLog, Data: map[string]any{"role": u.Role, "roles": u.Roles, "main": u.Main, "partner": u.Partner}})
}

func (s *Service) mayManage(who principal.Principal, domain string) error {
	if who.Admin() || who.Kind == principal.Customer && who.Main && who.Domain == domain && domain != principal.House {
		return nil
	}
	return fault.NoPermission
}

// mayList is mayManage and auditors, who read.
func (s *Service) mayList(who principal.Principal, domain string) error {
	if who.Audits() {
		return nil
	}
	return s.mayManage(who, domain)
}

// show opens the personal fields a caller may see: an auditor sees none but his
// own, and the log-in names of the house, without which no record says who did
// something.
func (s *Service) show(ctx context.Context, who principal.Principal, u *User) error {
	err := s.open(ctx, u)
	if who.Blind() && who.User != u.ID {
		u.Mobile, u.Mail, u.AreaCode = "", "", ""
		if u.Domain != principal.House {
			u.Name = ""
		}
	}
	return err
}

type userRow struct{ nameHash, name, mobile, mail, mobileHash, mailHash, password string }

func place(column, id string) seal.Place { return seal.Place{Table: "users", Column: column, Row: id} }

// ofUser is the refusal of a contact by the field of a user.
func ofUser(err error) error {
	switch {
	case errors.Is(err, errMobile):
		return errMobile.In("mobile")
	case errors.Is(err, errMail):
		return errMail.In("email")
	}
	return err
}

// sealUser normalises and seals the personal fields.
func (s *Service) sealUser(ctx context.Context, u *User, in NewUser) (row userRow, err error) {
	p, err := s.keys.Person(ctx, u.ID)
	if err != nil {
		return row, err
	}
	row.nameHash = s.nameHash(u.Domain, u.Name)
	if in.Mobile != "" {
		if u.Mobile, err = NormalMobile(in.AreaCode, in.Mobile); err != nil {
			return row, ofUser(err)
		}
		row.mobileHash = s.ContactHash(SMS, u.Mobile)
	}
	if in.Mail != "" {
		if u.Mail, err = NormalMail(in.Mail); err != nil {
			return row, ofUser(err)
		}
		row.mailHash = s.ContactHash(Mail, u.Mail)
	}
	for _, f := range []struct {
		column, value string
		into          *string
	}{{"name", u.Name, &row.name}, {"mobile", u.Mobile, &row.mobile}, {"mail", u.Mail, &row.mail}} {
		if *f.into, err = p.Seal(place(f.column, u.ID), f.value); err != nil {
			return row, err
		}
	}
	return row, nil
}

const userColumns = "domain_id, id, name, mobile, mail, area_code, main, role, roles, partner_id, alias, public_id, language, zone, disabled, created_at"

func scanUser(r db.Row) (u User, err error) {
	var main, disabled int64
	var language string
	err = r.Scan(&u.Domain, &u.ID, &u.Name, &u.Mobile, &u.Mail, &u.AreaCode, &main, &u.Role, &u.Roles, &u.Partner, &u.Alias, &u.PublicID, &language, &u.Zone, &disabled, &u.Created)
	u.Main, u.Disabled, u.Language = main == 1, disabled == 1, locale.Language(language)
	if u.Roles == "" { // a node of a version with one role wrote the row after migration 39
		u.Roles = u.Role
	}
	if errors.Is(err, db.ErrNone) {
		err = ErrNoUser
	}
	return u, err
}

// openAll is open for many: their keys are read together.
func (s *Service) openAll(ctx context.Context, users []User) error {
	ids := make([]string, len(users))
	for i, u := range users {
		ids[i] = u.ID
	}
	if _, err := s.keys.Persons(ctx, ids); err != nil { // open finds them remembered
		return err
	}
	for i := range users {
		if err := s.open(ctx, &users[i]); err != nil {
			return err
		}
	}
	return nil
}

// open opens the personal fields; of an erased person they are empty.
func (s *Service) open(ctx context.Context, u *User) error {
	if u.Name == "" { // being erased: the fields go before the key does
		return nil
	}
	p, err := s.keys.Person(ctx, u.ID)
	if errors.Is(err, seal.ErrErased) {
		u.Name, u.Mobile, u.Mail = "", "", ""
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range []struct {
		column string
		v      *string
	}{{"name", &u.Name}, {"mobile", &u.Mobile}, {"mail", &u.Mail}} {
		if *f.v, err = p.Open(place(f.column, u.ID), *f.v); err != nil {
			return fmt.Errorf("user %s: %w", u.ID, err)
		}
	}
	return nil
}

// User reads a user: administrators any, a main account its own, others
// themselves.
func (s *Service) User(ctx context.Context, who principal.Principal, domain, id string) (u User, err error) {
	if who.User != id && s.mayList(who, domain) != nil {
		return u, ErrNoUser
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		u, err = scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", domain, id))
		return err
	})
	if err != nil {
		return u, err
	}
	return u, s.show(ctx, who, &u)
}

// UserByName finds a user by its log-in name.
func (s *Service) UserByName(ctx context.Context, who principal.Principal, domain, name string) (u User, err error) {
	if err := s.mayManage(who, domain); err != nil {
		return u, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		u, err = scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND name_hash = ?", domain, s.nameHash(domain, name)))
		return err
	})
	if err != nil {
		return u, err
	}
	return u, s.open(ctx, &u)
}

// Users lists the users of a domain, the main account first, at most 1,000.
func (s *Service) Users(ctx context.Context, who principal.Principal, domain string) (all []User, err error) {
	if err := s.mayList(who, domain); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			u, err := scanUser(r)
			all = append(all, u)
			return err
		}, "SELECT "+userColumns+" FROM users WHERE domain_id = ? ORDER BY main DESC, id LIMIT 1000", domain)
	})
	for i := range all {
		if err == nil {
			err = s.show(ctx, who, &all[i])
		}
	}
	return all, err
}

// Engineers lists the people of the house who can work on tickets, by alias. A
// partner's people see each other instead.
func (s *Service) Engineers(ctx context.Context, who principal.Principal) (all []User, err error) {
	return s.PartnerEngineers(ctx, who, "")
}

// PartnerEngineers lists those of a partner, "" = the house's own; a partner's
// people see each other, whatever they ask for.
func (s *Service) PartnerEngineers(ctx context.Context, who principal.Principal, partner string) (all []User, err error) {
	if who.Kind == principal.Customer || who.Kind == principal.Anonymous {
		return nil, fault.NoPermission
	}
	if who.Partner != "" {
		partner = who.Partner
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			u, err := scanUser(r)
			all = append(all, u)
			return err
		}, "SELECT "+userColumns+" FROM users WHERE domain_id = ? AND partner_id = ? AND role <> 'auditor' AND disabled = 0 ORDER BY alias, id LIMIT 1000", principal.House, partner)
	})
	if err == nil {
		err = s.openAll(ctx, all)
	}
	for i := range all {
		all[i].Mobile, all[i].Mail = "", ""
	}
	return all, err
}

// EngineerIn reads what the desk shows of a person of the house; ErrNoUser when
// there is none who may work. Partners' people are none.
func EngineerIn(tx *db.Tx, id string) (alias, publicID string, err error) {
	err = tx.Get("SELECT alias, public_id FROM users WHERE domain_id = ? AND id = ? AND disabled = 0 AND role <> 'auditor' AND partner_id = ''", principal.House, id).Scan(&alias, &publicID)
	if errors.Is(err, db.ErrNone) {
		err = ErrNoUser
	}
	return alias, publicID, err
}

// PublicEngineer is what a customer may know of a person of the house, be it
// gone meanwhile; nothing for an unknown id.
func PublicEngineer(tx *db.Tx, id string) (alias, publicID string, err error) {
	err = tx.Get("SELECT alias, public_id FROM users WHERE domain_id = ? AND id = ?", principal.House, id).Scan(&alias, &publicID)
	if errors.Is(err, db.ErrNone) {
		err = nil
	}
	return alias, publicID, err
}

// PublicEngineers is PublicEngineer for several at once: alias and public id by
// user id; unknown ids are missing.
func PublicEngineers(tx *db.Tx, ids []string) (map[string][2]string, error) {
	known := map[string][2]string{}
	if len(ids) == 0 {
		return known, nil
	}
	args := []any{principal.House}
	for _, id := range ids {
		args = append(args, id)
	}
	return known, tx.List(func(r db.Row) error {
		var id, alias, publicID string
		err := r.Scan(&id, &alias, &publicID)
		known[id] = [2]string{alias, publicID}
		return err
	}, "SELECT id, alias, public_id FROM users WHERE domain_id = ? AND id IN (?"+strings.Repeat(", ?", len(ids)-1)+")", args...)
}

// Disable shuts a user out (or lets it in again) at once, on this node; on
// others within a second. It fails with ErrNoUser, ErrLastAdministrator, and
// OSM.01010002 for letting in a user of a closed account.
func (s *Service) Disable(ctx context.Context, who principal.Principal, domain, id string, disabled bool) error {
	if err := s.mayManage(who, domain); err != nil {
		return err
	}
	defer s.cache.forget()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		if domain == principal.House {
			tx.Lock(principal.House, administratorsLock)
		}
		before, err := scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", domain, id))
		if err != nil {
			return err
		}
		switch {
		case domain == principal.House && disabled && before.Role == principal.RoleAdministrator && !before.Disabled:
			if err := anotherAdministrator(tx, id); err != nil {
				return err
			}
		case domain != principal.House && !disabled:
			d, err := DomainIn(tx, domain)
			if err == nil && d.Closed > 0 {
				err = errClosed
			}
			if err != nil {
				return err
			}
		}
		tx.Write(1, "UPDATE users SET disabled = ? WHERE domain_id = ? AND id = ?", number(disabled), domain, id)
		tx.Write(db.Any, "UPDATE user_links SET gone_at = 0 WHERE domain_id = ? AND user_id = ?", domain, id) // from now on it is not the provider's doing
		if disabled {
			logOut(tx, domain, id)
		}
		event.Record(tx, who, event.Event{Domain: domain, Kind: "user.disable", Subject: "user", SubjectID: id, LogCode: event.NoLog,
			Data: map[string]any{"disabled": disabled, "from": before.Disabled, "to": disabled}})
		return nil
	})
}

// SetPassword changes a password and ends the user's tokens.
func (s *Service) SetPassword(ctx context.Context, who principal.Principal, domain, id, password string) error {
	if who.User != id {
		if err := s.mayManage(who, domain); err != nil {
			return err
		}
	}
	u, err := s.User(ctx, principal.AsSystem(domain), domain, id)
	if err != nil {
		return err
	}
	if err := checkPassword(u.Name, password); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password, s.db.Random(16))
	if err != nil {
		return err
	}
	tell := s.alert(ctx, who, domain, id, AlertPassword)
	defer s.cache.forget()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(1, "UPDATE users SET password = ?, password_at = ? WHERE domain_id = ? AND id = ?", hash, tx.Now, domain, id)
		logOut(tx, domain, id)
		tx.Write(db.Any, "DELETE FROM login_failures WHERE subject = ?", s.loginSubject(domain, u.Name))
		event.Record(tx, who, event.Event{Domain: domain, Kind: "user.password", Subject: "user", SubjectID: id, LogCode: event.NoLog})
		return tell(tx)
	})
}
