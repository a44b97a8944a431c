package setup

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// The folder accounts: customers' accounts, people, groups and access keys. It is
// part of a tree only where somebody asked for it, and put in force only where
// somebody says so (Apply). An entry that is not named stays as it is, and so does
// what an entry leaves out; nothing goes unless its entry says so.

// What an entry of the folder is in.
const (
	stateActive   = "active"
	stateDisabled = "disabled"
	stateRemoved  = "removed"
)

type accountShape struct {
	ID     string `yaml:"id"`
	Name   string `yaml:"name,omitempty"`
	State  string `yaml:"state,omitempty"`
	Quota  *int   `yaml:"quota,omitempty"`
	Submit *bool  `yaml:"submit_by_permission,omitempty"`
	Export *bool  `yaml:"export_by_users,omitempty"`
	Assume *bool  `yaml:"assume_all,omitempty"`
}

func stands(disabled bool) string {
	if disabled {
		return stateDisabled
	}
	return stateActive
}

func accountShapeOf(d identity.Domain) accountShape {
	return accountShape{d.ID, d.Name, stands(d.Disabled), &d.Quota, &d.SubmitByPermission, &d.ExportByUsers, &d.AssumeAll}
}

// account is what the entry makes of an account.
func (s accountShape) account(d identity.Domain) identity.Domain {
	d.ID, d.Name, d.Disabled, d.Quota = s.ID, s.Name, s.State == stateDisabled, *s.Quota
	d.SubmitByPermission, d.ExportByUsers, d.AssumeAll = *s.Submit, *s.Export, *s.Assume
	return d
}

type userShape struct {
	ID       string   `yaml:"id"`
	Domain   string   `yaml:"domain_id,omitempty"`
	Main     bool     `yaml:"main,omitempty"`
	Name     string   `yaml:"name,omitempty"` // of a stored one: another one than it has
	Alias    string   `yaml:"alias,omitempty"`
	State    string   `yaml:"state,omitempty"`
	Roles    []string `yaml:"roles,omitempty"`
	Partner  string   `yaml:"partner_id,omitempty"`
	Language string   `yaml:"language,omitempty"`
	Zone     string   `yaml:"time_zone,omitempty"`
	NameKey  string   `yaml:"-"`
}

func userShapeOf(m identity.Member) userShape {
	return userShape{ID: m.ID, Domain: m.Domain, Main: m.Main, Alias: m.Alias, State: stands(m.Disabled), Roles: principal.SplitRoles(m.Roles), Partner: m.Partner,
		Language: string(m.Language), Zone: m.Zone, NameKey: m.NameKey}
}

func (s userShape) user() identity.User {
	return identity.User{Domain: s.Domain, ID: s.ID, Name: s.Name, Main: s.Main, Alias: s.Alias, Disabled: s.State == stateDisabled, Roles: principal.JoinRoles(s.Roles...), Partner: s.Partner,
		Language: locale.Language(s.Language), Zone: s.Zone}
}

type groupShape struct {
	ID      string   `yaml:"id"`
	Domain  string   `yaml:"domain_id,omitempty"`
	Name    string   `yaml:"name,omitempty"`
	State   string   `yaml:"state,omitempty"`
	Roles   []string `yaml:"roles"`
	Members []string `yaml:"members"`
}

func groupShapeOf(g identity.Group) groupShape {
	return groupShape{ID: g.ID, Domain: g.Domain, Name: g.Name, Roles: append([]string{}, g.Roles...), Members: append([]string{}, g.Members...)}
}

func (s groupShape) group() identity.Group {
	return identity.Group{Domain: s.Domain, ID: s.ID, Name: s.Name, Roles: s.Roles, Members: s.Members}
}

type keyShape struct {
	ID          string `yaml:"id"`
	Domain      string `yaml:"domain_id,omitempty"`
	User        string `yaml:"user_id,omitempty"`
	State       string `yaml:"state,omitempty"`
	Description string `yaml:"description,omitempty"`
}

func keyShapeOf(k identity.AccessKey) keyShape {
	return keyShape{k.ID, k.Domain, k.User, stands(k.Disabled), k.Description}
}

func (s keyShape) key() identity.AccessKey {
	return identity.AccessKey{ID: s.ID, Domain: s.Domain, User: s.User, Disabled: s.State == stateDisabled, Description: s.Description}
}

// among is what entries of the folder know of each other.
type among struct {
	who      principal.Principal
	names    *identity.Service
	gone     map[string]bool
	taken    map[string]bool // names of closed accounts
	accounts map[string]accountShape
	users    map[string]userShape
	groups   map[string]groupShape
	keys     map[string]keyShape
	domains  map[string]bool // accounts that are there or would be
	members  map[string]userShape
}

var (
	errState     = fault.New(fault.Invalid, fault.CodeInvalid, "state 须为以下之一：{known}", "state must be one of {known}").In("state")
	errFixed     = fault.New(fault.Invalid, fault.CodeInvalid, "{field} 不能更改", "{field} cannot change")
	errUsed      = fault.New(fault.Invalid, fault.CodeInvalid, "id {id} 曾属于已注销的账号或已清除的人员，不能再用", "the id {id} was that of an account that is closed or of a person who was erased, and is not given again").In("id")
	errMember    = fault.New(fault.Invalid, fault.CodeInvalid, "{field}：{id} 不是该账号的用户", "{field}: {id} is no user of this account")
	errHouseKey  = fault.New(fault.Invalid, fault.CodeInvalid, "内部人员没有访问密钥", "people of the house have no access keys").In("domain_id")
	errOwnRole   = fault.New(fault.Conflict, fault.CodeInvalid, "不能移除自己的管理员角色或停用自己", "nobody takes his own right to administer away, or shuts himself out").In("id")
	errTwoStates = map[bool]fault.List{false: {"active", "disabled"}, true: {"active", "disabled", "removed"}}
)

// stand puts a state that was left out and refuses unknown ones.
func stand(s *string, old string, removes bool) error {
	if *s == "" {
		*s = old
	}
	if *s == "" {
		*s = stateActive
	}
	if *s != stateActive && *s != stateDisabled && (!removes || *s != stateRemoved) {
		return errState.With("known", errTwoStates[removes])
	}
	return nil
}

func or[T any](p **T, old *T, otherwise T) {
	if *p == nil {
		*p = old
	}
	if *p == nil {
		*p = &otherwise
	}
}

// fixed puts what was left out and refuses another value than the stored one.
func fixed(s *string, old string, stored bool, field string) []error {
	if stored && *s == "" {
		*s = old
	}
	if stored && *s != old {
		return []error{errFixed.In(field)}
	}
	return nil
}

var accountKind = kind[accountShape]{
	name: "accounts", folder: accountsFolder,
	title: locale.Texts{ZH: "客户账号：state 为 active 或 disabled；quota 为 0 时按目录，-1 不限；三个开关见 docs/CONFIGURATION。支持计划与伙伴在 domains.yaml", EN: "Customers' accounts: state is active or disabled; quota 0 = the catalogue's, -1 = no end. Support plan and partner are in domains.yaml"},
	id:    func(s *accountShape) *string { return &s.ID }, label: func(s accountShape) locale.Texts { return locale.Texts{ZH: s.Name, EN: s.Name} },
	merge: true, creates: func(env, accountShape) bool { return true },
	check: func(_ context.Context, e env, s *accountShape) []error {
		old, stored := e.among.accounts[s.ID]
		if s.Name == "" {
			s.Name = old.Name
		}
		wrong := some(stand(&s.State, old.State, false))
		or(&s.Quota, old.Quota, 0)
		or(&s.Submit, old.Submit, false)
		or(&s.Export, old.Export, false)
		or(&s.Assume, old.Assume, false)
		if !stored && (e.among.gone[s.ID] || s.ID == principal.House) {
			wrong = append(wrong, errUsed.With("id", s.ID))
		}
		return append(wrong, some(identity.CheckAccount(s.Name, *s.Quota))...)
	},
	whole: func(e env, all []accountShape) (wrong []misfit) {
		seen := map[string]bool{}
		for i, s := range all {
			if seen[s.Name] || e.among.taken[s.Name] {
				wrong = append(wrong, misfit{i, identity.ErrNameTaken.With("name", s.Name).In("name")})
			}
			seen[s.Name] = true
		}
		return wrong
	},
}

var userKind = kind[userShape]{
	name: "users", folder: accountsFolder,
	title: locale.Texts{ZH: "用户：domain_id 为账号 id，内部人员为 house；roles 仅内部人员有。密码与联系方式不在此", EN: "Users: domain_id is the account's id, house for people of the house; roles are theirs only. Passwords and contacts are not here"},
	id:    func(s *userShape) *string { return &s.ID }, label: func(s userShape) locale.Texts { return locale.Texts{ZH: s.Name, EN: s.Name} },
	merge: true, creates: func(env, userShape) bool { return true },
	bare: func(s userShape) userShape { s.Name, s.Alias, s.Language, s.Zone = "", "", "", ""; return s },
	check: func(_ context.Context, e env, s *userShape) []error {
		old, stored := e.among.users[s.ID]
		wrong := fixed(&s.Domain, old.Domain, stored, "domain_id")
		wrong = append(wrong, fixed(&s.Partner, old.Partner, stored, "partner_id")...)
		if s.Main = s.Main || old.Main; stored && s.Main != old.Main {
			wrong = append(wrong, errFixed.In("main"))
		}
		wrong = append(wrong, some(stand(&s.State, old.State, false))...)
		for _, f := range []struct {
			v   *string
			old string
		}{{&s.Alias, old.Alias}, {&s.Language, old.Language}, {&s.Zone, old.Zone}} {
			if *f.v == "" {
				*f.v = f.old
			}
		}
		if s.Roles == nil {
			s.Roles = old.Roles
		}
		u := s.user()
		for i, r := range s.Roles {
			if !slices.Contains(principal.Roles, r) {
				wrong = append(wrong, identity.ErrRole.With("role", r).In(fmt.Sprintf("roles[%d]", i)))
			}
		}
		switch {
		case s.Domain == "":
			wrong = append(wrong, fault.Missing.In("domain_id"))
		case s.Domain != principal.House:
			wrong = append(wrong, known(e.among.domains, "domain_id", s.Domain)...)
		}
		switch {
		case !stored && e.among.gone[s.ID]:
			wrong = append(wrong, errUsed.With("id", s.ID))
		case !stored && s.Name == "":
			wrong = append(wrong, fault.Missing.In("name"))
		}
		if s.State == stateActive {
			wrong = append(wrong, known(e.partners, "partner_id", s.Partner)...)
		}
		if len(wrong) > 0 {
			return wrong
		}
		s.Roles = principal.SplitRoles(u.Roles)
		if s.Name != "" {
			s.NameKey = e.among.names.NameKey(s.Domain, s.Name)
			if stored && s.NameKey == old.NameKey {
				s.Name = ""
			}
		} else {
			s.NameKey = old.NameKey
		}
		err := identity.CheckMember(s.user())
		if f, ok := fault.As(err); ok && f.Field == "role" {
			err = f.In("roles")
		}
		return some(err)
	},
	whole: func(e env, all []userShape) (wrong []misfit) {
		names, mains, first := map[string]bool{}, map[string]bool{}, map[string]int{}
		admin, lost := false, -1
		for i, s := range all {
			k := s.Domain + "/" + s.NameKey
			if names[k] {
				wrong = append(wrong, misfit{i, identity.ErrNameTaken.With("name", s.Name).In("name")})
			}
			names[k] = true
			if s.Main && mains[s.Domain] {
				wrong = append(wrong, misfit{i, identity.ErrMainTaken})
			}
			mains[s.Domain] = mains[s.Domain] || s.Main
			if _, ok := first[s.Domain]; !ok {
				first[s.Domain] = i
			}
			old := e.among.users[s.ID]
			administers := func(s userShape) bool {
				return s.Domain == principal.House && s.State == stateActive && slices.Contains(s.Roles, principal.RoleAdministrator)
			}
			admin = admin || administers(s)
			if administers(old) && !administers(s) {
				lost = i
				if e.among.who.Kind == principal.Engineer && e.among.who.User == s.ID {
					wrong = append(wrong, misfit{i, errOwnRole})
				}
			}
		}
		if !admin && lost >= 0 {
			wrong = append(wrong, misfit{lost, identity.ErrLastAdministrator.In("roles")})
		}
		for domain, i := range first {
			if domain != principal.House && !mains[domain] {
				wrong = append(wrong, misfit{i, identity.ErrMainMissing})
			}
		}
		return wrong
	},
	said: func(s userShape) map[string]string {
		return map[string]string{"id": s.ID, "domain_id": s.Domain, "partner_id": s.Partner}
	},
}

var groupKind = kind[groupShape]{
	name: "groups", folder: accountsFolder,
	title: locale.Texts{ZH: "客户的用户组及其权限（ticket_administrator、ticket_group_operator）与成员；state: removed 移除", EN: "Groups of customers' users with their rights (ticket_administrator, ticket_group_operator) and members; state: removed removes one"},
	id:    func(s *groupShape) *string { return &s.ID }, label: func(s groupShape) locale.Texts { return locale.Texts{ZH: s.Name, EN: s.Name} },
	merge: true, creates: func(env, groupShape) bool { return true }, drop: func(s groupShape) bool { return s.State == stateRemoved },
	check: func(_ context.Context, e env, s *groupShape) []error {
		old, stored := e.among.groups[s.ID]
		wrong := fixed(&s.Domain, old.Domain, stored, "domain_id")
		if s.State != "" && s.State != stateActive {
			wrong = append(wrong, errState.With("known", fault.List{"active", "removed"}))
		}
		s.State = ""
		if s.Name == "" {
			s.Name = old.Name
		}
		if s.Roles == nil {
			s.Roles = append([]string{}, old.Roles...)
		}
		if s.Members == nil {
			s.Members = append([]string{}, old.Members...)
		}
		switch {
		case s.Domain == "":
			wrong = append(wrong, fault.Missing.In("domain_id"))
		case s.Domain != principal.House:
			wrong = append(wrong, known(e.among.domains, "domain_id", s.Domain)...)
		}
		for i, id := range s.Members {
			if u, ok := e.among.members[id]; !ok || u.Domain != s.Domain {
				wrong = append(wrong, errMember.In(fmt.Sprintf("members[%d]", i)).With("id", strconv.Quote(id)))
			}
		}
		slices.Sort(s.Members)
		s.Members = slices.Compact(s.Members)
		g := s.group()
		if err := identity.CheckGroup(&g); err != nil {
			return append(wrong, err)
		}
		s.Name, s.Roles = g.Name, g.Roles
		return wrong
	},
	whole: func(_ env, all []groupShape) (wrong []misfit) {
		seen := map[string]bool{}
		for i, s := range all {
			if k := s.Domain + "/" + s.Name; seen[k] {
				wrong = append(wrong, misfit{i, identity.ErrNameTaken.With("name", s.Name).In("name")})
			} else {
				seen[k] = true
			}
		}
		return wrong
	},
	said: func(s groupShape) map[string]string { return map[string]string{"domain_id": s.Domain} },
}

var keyKind = kind[keyShape]{
	name: "keys", folder: accountsFolder,
	title: locale.Texts{ZH: "访问密钥：密钥本身从不导出；新条目的密钥在生效时显示一次。state: disabled 停用，removed 移除", EN: "Access keys: secrets are never exported; that of a new entry is shown once when it is applied. state: disabled stops one, removed removes it"},
	id:    func(s *keyShape) *string { return &s.ID }, label: func(s keyShape) locale.Texts { return locale.Texts{ZH: s.Description, EN: s.Description} },
	merge: true, creates: func(env, keyShape) bool { return true }, drop: func(s keyShape) bool { return s.State == stateRemoved },
	form: regexp.MustCompile(`^[^\s/]{1,64}$`), // which ones is CheckKey's to say
	bare: func(s keyShape) keyShape { s.Description = ""; return s },
	check: func(_ context.Context, e env, s *keyShape) []error {
		old, stored := e.among.keys[s.ID]
		wrong := append(fixed(&s.Domain, old.Domain, stored, "domain_id"), fixed(&s.User, old.User, stored, "user_id")...)
		wrong = append(wrong, some(stand(&s.State, old.State, true))...)
		if s.Description == "" {
			s.Description = old.Description
		}
		u, ok := e.among.members[s.User]
		switch {
		case stored: // whatever it is
		case s.User == "":
			wrong = append(wrong, fault.Missing.In("user_id"))
		case !ok:
			wrong = append(wrong, errNobody.In("user_id").With("id", strconv.Quote(s.User)))
		case s.Domain != "" && s.Domain != u.Domain:
			wrong = append(wrong, errMember.In("user_id").With("id", strconv.Quote(s.User)))
		default:
			if s.Domain = u.Domain; s.Domain == principal.House {
				wrong = append(wrong, errHouseKey)
			}
		}
		return append(wrong, some(identity.CheckKey(s.key(), !stored))...)
	},
	whole: func(e env, all []keyShape) (wrong []misfit) {
		of := map[string]int{}
		for i, s := range all {
			of[s.User]++
			if _, stored := e.among.keys[s.ID]; !stored && of[s.User] > identity.MaxKeys {
				wrong = append(wrong, misfit{i, identity.ErrKeyLimit.In("user_id")})
			}
		}
		return wrong
	},
	said: func(s keyShape) map[string]string { return map[string]string{"domain_id": s.Domain, "user_id": s.User} },
}
