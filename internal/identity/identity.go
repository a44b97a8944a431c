// Package identity owns who exists and how they prove it: domains, users,
// groups, the people of the house, passwords, tokens, access keys. It does not
// decide what anybody may do; that is package privilege.
package identity

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
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
	// Sessions are when browsers' sessions end; zero values are the defaults.
	Sessions config.Sessions
	// SecondFactor says who must have one.
	SecondFactor config.SecondFactor
	// OIDC and LDAP are the identity providers that people log in at, Recheck how
	// often they are asked for those who are logged in. Use NewFederated with them.
	OIDC    []config.SignIn
	LDAP    []config.LDAP
	Recheck time.Duration
	Log     *slog.Logger // nil = the default
	// Plans are the support plans that a domain may have; nil = any.
	Plans func() []string
	// PasswordMemory is what hashing a password costs, KiB; 0 = 19 MiB (threats.md
	// C7). For tests that make hundreds of users and are about something else.
	PasswordMemory uint32
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
	outside    outside
	alerts     Alerting // nil = nobody is told
	log        *slog.Logger
}

// NewFederated makes the service with identity providers; it fails when a file
// their settings name cannot be read.
func NewFederated(d *db.DB, keys *seal.Keyring, o Options) (*Service, error) {
	s := New(d, keys, o)
	var err error
	if s.federation, err = newFederation(o.Providers, d.Now); err != nil {
		return s, err
	}
	s.outside, err = newOutside(o, d.Now)
	return s, err
}

// New makes the service without identity providers.
func New(d *db.DB, keys *seal.Keyring, o Options) *Service {
	o.Sessions = o.Sessions.WithDefaults()
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Service{db: d, keys: keys, o: o, hasher: newHasher(o.PasswordMemory),
		cache: newCredentialCache(d.Now), locks: newSignatureLocks(d.Now, o.DemoLocks), names: nameCache{m: map[string]string{}}, log: o.Log, terms: search.NewHasher(keys)}
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
	Quota              int    // open tickets of each problem type; 0 = the catalogue's, NoQuota = no end
	Closed             int64  // when it was closed for good, 0 = it is not
	Created            int64
	Found              []User // of Domains with words: by whom they found it, at most three
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
			return Domain{}, ErrPlan.With("plan", in.Plan).With("known", fault.List(known))
		}
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Domain, error) {
		d := Domain{ID: tx.NewID(), Name: name, Project: tx.NewID(), Plan: in.Plan, Sandbox: in.Sandbox, Created: tx.Now}
		var taken int
		if err := tx.Get("SELECT count(*) FROM domains WHERE name = ?", name).Scan(&taken); err != nil {
			return d, err
		}
		if taken > 0 {
			return d, ErrNameTaken.With("name", name).In("name")
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

const domainColumns = "id, name, project_id, plan, sandbox, disabled, submit_by_permission, export_by_users, assume_all, partner_id, clock, quota, closed_at, created_at"

func scanDomain(r db.Row) (d Domain, err error) {
	var sandbox, disabled, policy, export, assume int64
	err = r.Scan(&d.ID, &d.Name, &d.Project, &d.Plan, &sandbox, &disabled, &policy, &export, &assume, &d.Partner, &d.Clock, &d.Quota, &d.Closed, &d.Created)
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
	if who.Domain != id && !who.Inspects() {
		return d, ErrNoDomain
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { d, err = DomainIn(tx, id); return err })
	return d, err
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
		if before.Closed > 0 {
			return errClosed
		}
		tx.Write(1, "UPDATE domains SET disabled = ? WHERE id = ?", number(disabled), id)
		if disabled {
			tx.Write(db.Any, "DELETE FROM tokens WHERE domain_id = ?", id)
			tx.Write(db.Any, "DELETE FROM browser_sessions WHERE domain_id = ?", id)
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

// before is the instant so long before now, in milliseconds.
func before(now int64, d time.Duration) int64 { return now - d.Milliseconds() }
