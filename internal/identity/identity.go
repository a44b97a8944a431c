// Package identity owns who exists and how they prove it: domains, users,
// groups, the people of the house, passwords, tokens, access keys. It does not
// decide what anybody may do; that is package privilege.
package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/seal"
	"casemate/internal/search"
)

// System roles a customer's group can hold (semantics.md section 2).
const (
	TicketAdministrator = "ticket_administrator"
	TicketGroupOperator = "ticket_group_operator"
)

// Faults of this package.
var (
	ErrNameTaken   = fault.New(fault.Conflict, fault.CodeInvalid, "名称已被使用：{name}", "the name is taken: {name}")
	ErrNoUser      = fault.New(fault.NotFound, fault.CodeInvalid, "用户不存在", "the user does not exist")
	ErrNoDomain    = fault.New(fault.NotFound, fault.CodeInvalid, "账号不存在", "the account does not exist")
	ErrNoKey       = fault.New(fault.NotFound, fault.CodeInvalid, "访问密钥不存在", "the access key does not exist")
	ErrPassword    = fault.New(fault.Invalid, fault.CodeInvalid, "密码须为 8 到 64 个字符，且不得等于用户名", "a password has 8 to 64 characters and is not the user's name").In("password")
	ErrKeyLimit    = fault.New(fault.Conflict, fault.CodeInvalid, "每个用户最多 2 个访问密钥", "a user has at most 2 access keys")
	ErrRole        = fault.New(fault.Invalid, fault.CodeInvalid, "未知角色：{role}", "unknown role: {role}").In("role")
	ErrNoRole      = fault.New(fault.Invalid, fault.CodeInvalid, "缺少角色：内部人员请给出 {field}（命令行 --role：administrator、supervisor、engineer 或 auditor），客户的用户请给出其账号（命令行 --domain）", "no role: for a person of the house give the {field} (--role administrator, supervisor, engineer or auditor), for a customer's user the domain (--domain)").In("role")
	ErrPlan        = fault.New(fault.Invalid, fault.CodeInvalid, "未知支持计划：{plan}；可用：{known}", "unknown support plan: {plan}; there are: {known}").In("plan")
	ErrZone        = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 无效，例如 GMT+8、UTC 或 Asia/Shanghai", "{field} is no time zone, such as GMT+8, UTC or Asia/Shanghai").In("time_zone")
	ErrReserved    = fault.New(fault.Invalid, fault.CodeInvalid, "该账号名称为系统保留", "this account name is reserved").In("name")
	errOnlyAdmins  = fault.NoPermission
	errMainMissing = fault.New(fault.Invalid, fault.CodeInvalid, "第一个用户必须是主账号", "the first user of a domain is its main account").In("main")
)

// Options of the service.
type Options struct {
	// DemoLocks widens the lock after bad signatures to 1,000 (threats.md C6).
	DemoLocks bool
	// Providers are the OpenID Connect providers whose id tokens are taken. Use
	// NewFederated with them.
	Providers []config.OIDC
	// Plans are the support plans that a domain may have; nil = any.
	Plans func() []string
}

// Service is the noun.
type Service struct {
	db     *db.DB
	keys   *seal.Keyring
	o      Options
	hasher *hasher
	cache  credentialCache
	locks  signatureLocks
	names  nameCache
	terms  *search.Hasher

	federation federation
}

// NewFederated makes the service with identity providers; it fails when a file
// their settings name cannot be read.
func NewFederated(d *db.DB, keys *seal.Keyring, o Options) (*Service, error) {
	s := New(d, keys, o)
	var err error
	s.federation, err = newFederation(o.Providers, d.Now)
	return s, err
}

// New makes the service without identity providers.
func New(d *db.DB, keys *seal.Keyring, o Options) *Service {
	return &Service{db: d, keys: keys, o: o, hasher: newHasher(),
		cache: newCredentialCache(d.Now), locks: newSignatureLocks(d.Now, o.DemoLocks), names: nameCache{m: map[string]string{}}, terms: search.NewHasher(keys)}
}

// Domain is a customer's account.
type Domain struct {
	ID, Name, Project  string
	Plan               string // support plan, "" = none
	Sandbox            bool
	Disabled           bool
	SubmitByPermission bool   // the submission policy switch is on
	ExportByUsers      bool   // sub-users may export tickets (semantics.md D24)
	AssumeAll          bool   // sub-users act on every ticket of the domain (D24)
	Partner            string // id of the partner who serves the customer, "" = none
	Clock              int64  // how far its clock is ahead, in milliseconds; only a sandbox's is
	Created            int64
}

// NewDomain is what CreateDomain needs.
type NewDomain struct {
	Name    string
	Plan    string
	Sandbox bool
}

func administer(who principal.Principal) error {
	if !who.Admin() {
		return errOnlyAdmins
	}
	return nil
}

// CreateDomain adds a customer's account. Administrators only.
func (s *Service) CreateDomain(ctx context.Context, who principal.Principal, in NewDomain) (Domain, error) {
	if err := administer(who); err != nil {
		return Domain{}, err
	}
	name := strings.TrimSpace(in.Name)
	switch {
	case name == "":
		return Domain{}, fault.Missing.In("name")
	case len([]rune(name)) > 64:
		return Domain{}, fault.TooLong.In("name").With("max", 64)
	case name == principal.House:
		return Domain{}, ErrReserved
	}
	if in.Plan != "" && s.o.Plans != nil {
		if known := s.o.Plans(); !slices.Contains(known, in.Plan) {
			return Domain{}, ErrPlan.With("plan", in.Plan).With("known", strings.Join(known, ", "))
		}
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Domain, error) {
		d := Domain{ID: tx.NewID(), Name: name, Project: tx.NewID(), Plan: in.Plan, Sandbox: in.Sandbox, Created: tx.Now}
		var taken int
		if err := tx.Get("SELECT count(*) FROM domains WHERE name = ?", name).Scan(&taken); err != nil {
			return d, err
		}
		if taken > 0 {
			return d, ErrNameTaken.With("name", name)
		}
		insertDomain(tx, d)
		event.Record(tx, who, event.Event{Domain: d.ID, Kind: "domain.create", Subject: "domain", SubjectID: d.ID, LogCode: event.NoLog, Data: map[string]any{"plan": d.Plan}})
		return d, nil
	})
}

func insertDomain(tx *db.Tx, d Domain) {
	tx.Write(1, "INSERT INTO domains (id, name, project_id, plan, sandbox, disabled, submit_by_permission, created_at) VALUES (?, ?, ?, ?, ?, 0, 0, ?)",
		d.ID, d.Name, d.Project, d.Plan, number(d.Sandbox), d.Created)
	if d.ID != principal.House {
		search.Put(tx, true, search.Doc{Domain: d.ID, Kind: search.KindDomain, ID: d.ID, Text: d.Name})
	}
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

const domainColumns = "id, name, project_id, plan, sandbox, disabled, submit_by_permission, export_by_users, assume_all, partner_id, clock, created_at"

func scanDomain(r db.Row) (d Domain, err error) {
	var sandbox, disabled, policy, export, assume int64
	err = r.Scan(&d.ID, &d.Name, &d.Project, &d.Plan, &sandbox, &disabled, &policy, &export, &assume, &d.Partner, &d.Clock, &d.Created)
	d.Sandbox, d.Disabled, d.SubmitByPermission, d.ExportByUsers, d.AssumeAll = sandbox == 1, disabled == 1, policy == 1, export == 1, assume == 1
	if errors.Is(err, db.ErrNone) {
		err = ErrNoDomain
	}
	return d, err
}

// DomainIn reads a domain inside a transaction of another noun.
func DomainIn(tx *db.Tx, id string) (Domain, error) {
	return scanDomain(tx.Get("SELECT "+domainColumns+" FROM domains WHERE id = ?", id))
}

// DomainNames are the names of domains, by id, inside a transaction of another
// noun; unknown ones are missing.
func DomainNames(tx *db.Tx, ids []string) (map[string]string, error) {
	names := map[string]string{}
	if len(ids) == 0 {
		return names, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	err := tx.List(func(r db.Row) error {
		var id, name string
		err := r.Scan(&id, &name)
		names[id] = name
		return err
	}, "SELECT id, name FROM domains WHERE id IN (?"+strings.Repeat(", ?", len(ids)-1)+")", args...)
	return names, err
}

// Current is a domain as it was at most a second ago (threats.md B8), for calls
// that would else pay a round trip for it.
func (s *Service) Current(ctx context.Context, id string) (Domain, error) {
	if d, ok := s.cache.domains.get(id); ok {
		return d, nil
	}
	generation := s.cache.domains.generation()
	var d Domain
	err := s.db.View(ctx, func(tx *db.Tx) (err error) { d, err = DomainIn(tx, id); return err })
	if err == nil {
		s.cache.domains.put(id, d, generation)
	}
	return d, err
}

// Domain reads a domain: administrators any, others their own.
func (s *Service) Domain(ctx context.Context, who principal.Principal, id string) (d Domain, err error) {
	if who.Domain != id && !who.Admin() {
		return d, ErrNoDomain
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { d, err = DomainIn(tx, id); return err })
	return d, err
}

// Domains lists the customers' accounts by name. Administrators only.
func (s *Service) Domains(ctx context.Context, who principal.Principal) (all []Domain, err error) {
	if err := administer(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		return tx.List(func(r db.Row) error {
			d, err := scanDomain(r)
			all = append(all, d)
			return err
		}, "SELECT "+domainColumns+" FROM domains WHERE id <> ? ORDER BY name", principal.House)
	})
	return all, err
}

// DisableDomain shuts a customer out (or lets it in again) at once.
func (s *Service) DisableDomain(ctx context.Context, who principal.Principal, id string, disabled bool) error {
	if err := administer(who); err != nil {
		return err
	}
	defer s.cache.forget()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		before, err := DomainIn(tx, id)
		if err != nil {
			return err
		}
		tx.Write(1, "UPDATE domains SET disabled = ? WHERE id = ?", number(disabled), id)
		if disabled {
			tx.Write(db.Any, "DELETE FROM tokens WHERE domain_id = ?", id)
		}
		event.Record(tx, who, event.Event{Domain: id, Kind: "domain.disable", Subject: "domain", SubjectID: id, LogCode: event.NoLog,
			Data: map[string]any{"disabled": disabled, "from": before.Disabled, "to": disabled}})
		return nil
	})
}

// foldName is how log-in names are compared.
func foldName(name string) string { return strings.ToLower(norm.NFKC.String(strings.TrimSpace(name))) }

func (s *Service) nameHash(domain, name string) string {
	return s.keys.Lookup("user name "+domain, foldName(name))
}

// User is a person of a domain or of the house.
type User struct {
	Domain, ID, Name       string
	AreaCode, Mobile, Mail string
	Main                   bool
	Role                   string // people of the house
	Partner                string // people of the house: id of the partner they work for, "" = the house
	Alias, PublicID        string // what the other side may see
	Language               locale.Language
	Zone                   string
	Disabled               bool
	Created                int64
}

// NewUser is what CreateUser needs.
type NewUser struct {
	Domain, Name, Password string
	Main                   bool
	Role                   string // only in the house
	Partner                string // only engineers of the house: the partner they work for
	Alias                  string
	AreaCode, Mobile, Mail string
	Language               locale.Language
	Zone                   string
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
		switch n.Role {
		case principal.RoleAdministrator, principal.RoleSupervisor, principal.RoleEngineer, principal.RoleAuditor:
		case "":
			return ErrNoRole
		default:
			return ErrRole.With("role", n.Role)
		}
	} else if n.Role != "" {
		return ErrRole.With("role", n.Role)
	}
	if n.Partner != "" && (n.Domain != principal.House || n.Role != principal.RoleEngineer) {
		return ErrRole.With("role", n.Role)
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
	u := User{Domain: in.Domain, ID: s.db.NewID(), Name: strings.TrimSpace(in.Name), Main: in.Main, Role: in.Role, Partner: in.Partner, Alias: in.Alias,
		PublicID: "e" + s.db.NewID()[10:], AreaCode: in.AreaCode, Language: in.Language, Zone: in.Zone}
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
			if _, err := DomainIn(tx, in.Domain); err != nil {
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
			return User{}, ErrNameTaken.With("name", u.Name)
		case in.Main && mains > 0:
			return User{}, fault.New(fault.Conflict, fault.CodeInvalid, "该账号已有主账号", "the domain has a main account").In("main")
		case !in.Main && mains == 0 && in.Domain != principal.House:
			return User{}, errMainMissing
		}
		u.Created = tx.Now
		tx.Write(1, `INSERT INTO users (domain_id, id, name_hash, name, mobile, mail, area_code, mobile_hash, mail_hash, password, password_at, main, role, partner_id, alias, public_id, language, zone, disabled, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)`,
			u.Domain, u.ID, row.nameHash, row.name, row.mobile, row.mail, u.AreaCode, row.mobileHash, row.mailHash, row.password, tx.Now,
			number(u.Main), u.Role, u.Partner, u.Alias, u.PublicID, string(u.Language), u.Zone, tx.Now)
		search.Put(tx, true, found...)
		event.Record(tx, who, event.Event{Domain: u.Domain, Kind: "user.create", Subject: "user", SubjectID: u.ID, LogCode: event.NoLog, Data: map[string]any{"role": u.Role, "main": u.Main, "partner": u.Partner}})
		return u, nil
	})
}

func (s *Service) mayManage(who principal.Principal, domain string) error {
	if who.Admin() || who.Kind == principal.Customer && who.Main && who.Domain == domain && domain != principal.House {
		return nil
	}
	return fault.NoPermission
}

type userRow struct{ nameHash, name, mobile, mail, mobileHash, mailHash, password string }

func place(column, id string) seal.Place { return seal.Place{Table: "users", Column: column, Row: id} }

// sealUser normalises and seals the personal fields.
func (s *Service) sealUser(ctx context.Context, u *User, in NewUser) (row userRow, err error) {
	p, err := s.keys.Person(ctx, u.ID)
	if err != nil {
		return row, err
	}
	row.nameHash = s.nameHash(u.Domain, u.Name)
	if in.Mobile != "" {
		if u.Mobile, err = NormalMobile(in.AreaCode, in.Mobile); err != nil {
			return row, err
		}
		row.mobileHash = s.ContactHash(SMS, u.Mobile)
	}
	if in.Mail != "" {
		if u.Mail, err = NormalMail(in.Mail); err != nil {
			return row, err
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

const userColumns = "domain_id, id, name, mobile, mail, area_code, main, role, partner_id, alias, public_id, language, zone, disabled, created_at"

func scanUser(r db.Row) (u User, err error) {
	var main, disabled int64
	var language string
	err = r.Scan(&u.Domain, &u.ID, &u.Name, &u.Mobile, &u.Mail, &u.AreaCode, &main, &u.Role, &u.Partner, &u.Alias, &u.PublicID, &language, &u.Zone, &disabled, &u.Created)
	u.Main, u.Disabled, u.Language = main == 1, disabled == 1, locale.Language(language)
	if errors.Is(err, db.ErrNone) {
		err = ErrNoUser
	}
	return u, err
}

// open opens the personal fields; of an erased person they are empty.
func (s *Service) open(ctx context.Context, u *User) error {
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
	if who.User != id && s.mayManage(who, domain) != nil {
		return u, ErrNoUser
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		u, err = scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", domain, id))
		return err
	})
	if err != nil {
		return u, err
	}
	return u, s.open(ctx, &u)
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
	if err := s.mayManage(who, domain); err != nil {
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
			err = s.open(ctx, &all[i])
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
	for i := range all {
		if err == nil {
			err = s.open(ctx, &all[i])
		}
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

// Disable shuts a user out (or lets it in again) at once, on this node; on
// others within a second.
func (s *Service) Disable(ctx context.Context, who principal.Principal, domain, id string, disabled bool) error {
	if err := s.mayManage(who, domain); err != nil {
		return err
	}
	defer s.cache.forget()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		before, err := scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", domain, id))
		if err != nil {
			return err
		}
		tx.Write(1, "UPDATE users SET disabled = ? WHERE domain_id = ? AND id = ?", number(disabled), domain, id)
		if disabled {
			tx.Write(db.Any, "DELETE FROM tokens WHERE domain_id = ? AND user_id = ?", domain, id)
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
	defer s.cache.forget()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(1, "UPDATE users SET password = ?, password_at = ? WHERE domain_id = ? AND id = ?", hash, tx.Now, domain, id)
		tx.Write(db.Any, "DELETE FROM tokens WHERE domain_id = ? AND user_id = ?", domain, id)
		tx.Write(db.Any, "DELETE FROM login_failures WHERE subject = ?", s.loginSubject(domain, u.Name))
		event.Record(tx, who, event.Event{Domain: domain, Kind: "user.password", Subject: "user", SubjectID: id, LogCode: event.NoLog})
		return nil
	})
}

// before is the instant so long before now, in milliseconds.
func before(now int64, d time.Duration) int64 { return now - d.Milliseconds() }
