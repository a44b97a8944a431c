package identity

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

var (
	ErrNoGroup    = fault.New(fault.NotFound, fault.CodeInvalid, "用户组不存在", "the group does not exist")
	errGroupRole  = fault.New(fault.Invalid, fault.CodeInvalid, "未知的用户组权限：{role}", "unknown right of a group: {role}").In("roles")
	errGroupHouse = fault.New(fault.Invalid, fault.CodeInvalid, "仅客户账号可建用户组", "only customers' domains have groups").In("domain_id")
	// ErrSetup: the one-time token does not work, whatever the reason.
	ErrSetup = fault.New(fault.Forbidden, fault.CodeForbidden, "初始化链接无效、已使用或已过期", "the set-up link is wrong, used or too old")
)

// Group is some users of a customer's domain and the rights they get.
type Group struct {
	Domain, ID, Name string
	Roles            []string // TicketAdministrator, TicketGroupOperator
	Members          []string // user ids
	Created          int64
}

// NewGroup is what CreateGroup needs.
type NewGroup struct {
	Domain, Name string
	Roles        []string
}

// CreateGroup adds a group: administrators anywhere, a main account in its own
// domain. It fails with OSM.01010001 naming name (missing, over 64 characters,
// taken) or roles.
func (s *Service) CreateGroup(ctx context.Context, who principal.Principal, in NewGroup) (Group, error) {
	if err := s.mayManage(who, in.Domain); err != nil {
		return Group{}, err
	}
	g, err := in.checked()
	if err != nil {
		return g, err
	}
	roles, err := json.Marshal(g.Roles)
	if err != nil {
		return g, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Group, error) {
		if _, err := DomainIn(tx, g.Domain); err != nil {
			return g, err
		}
		var taken int
		if err := tx.Get("SELECT count(*) FROM user_groups WHERE domain_id = ? AND name = ?", g.Domain, g.Name).Scan(&taken); err != nil {
			return g, err
		}
		if taken > 0 {
			return g, ErrNameTaken.With("name", g.Name).In("name")
		}
		g := g
		g.ID, g.Created = tx.NewID(), tx.Now
		tx.Write(1, "INSERT INTO user_groups (domain_id, id, name, roles, created_at) VALUES (?, ?, ?, ?, ?)", g.Domain, g.ID, g.Name, string(roles), g.Created)
		event.Record(tx, who, event.Event{Domain: g.Domain, Kind: "group.create", Subject: "group", SubjectID: g.ID, LogCode: event.NoLog, Data: map[string]any{"roles": g.Roles}})
		return g, nil
	})
}

// checked is the group a request wants, within the limits.
func (in NewGroup) checked() (Group, error) {
	g := Group{Domain: in.Domain, Name: strings.TrimSpace(in.Name), Roles: []string{}, Members: []string{}}
	switch {
	case g.Domain == principal.House:
		return g, errGroupHouse
	case g.Name == "":
		return g, fault.Missing.In("name")
	case len([]rune(g.Name)) > 64:
		return g, fault.TooLong.In("name").With("max", 64)
	}
	for _, r := range in.Roles {
		if r != TicketAdministrator && r != TicketGroupOperator {
			return g, errGroupRole.With("role", r)
		}
		if !slices.Contains(g.Roles, r) {
			g.Roles = append(g.Roles, r)
		}
	}
	return g, nil
}

// Groups lists the groups of a domain with their members, by name.
func (s *Service) Groups(ctx context.Context, who principal.Principal, domain string) (all []Group, err error) {
	if err := s.mayList(who, domain); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		at := map[string]int{}
		err := tx.List(func(r db.Row) error {
			g := Group{Domain: domain, Members: []string{}}
			var roles string
			if err := r.Scan(&g.ID, &g.Name, &roles, &g.Created); err != nil {
				return err
			}
			at[g.ID] = len(all)
			all = append(all, g)
			return json.Unmarshal([]byte(roles), &all[len(all)-1].Roles)
		}, "SELECT id, name, roles, created_at FROM user_groups WHERE domain_id = ? ORDER BY name", domain)
		if err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			var group, user string
			if err := r.Scan(&group, &user); err != nil {
				return err
			}
			if i, ok := at[group]; ok {
				all[i].Members = append(all[i].Members, user)
			}
			return nil
		}, "SELECT group_id, user_id FROM group_members WHERE domain_id = ? ORDER BY user_id", domain)
	})
	return all, err
}

// AddMember puts a user of the domain into a group; again changes nothing.
func (s *Service) AddMember(ctx context.Context, who principal.Principal, domain, group, user string) error {
	return s.changeMember(ctx, who, domain, group, user, "group.add", "INSERT INTO group_members (domain_id, group_id, user_id) VALUES (?, ?, ?) ON CONFLICT (domain_id, group_id, user_id) DO NOTHING")
}

// RemoveMember takes a user out of a group: rights that came with it end at
// once. A user who is not in it changes nothing.
func (s *Service) RemoveMember(ctx context.Context, who principal.Principal, domain, group, user string) error {
	return s.changeMember(ctx, who, domain, group, user, "group.remove", "DELETE FROM group_members WHERE domain_id = ? AND group_id = ? AND user_id = ?")
}

func (s *Service) changeMember(ctx context.Context, who principal.Principal, domain, group, user, kind, sql string) error {
	if err := s.mayManage(who, domain); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		var groups, users int
		if err := tx.Get("SELECT count(*) FROM user_groups WHERE domain_id = ? AND id = ?", domain, group).Scan(&groups); err != nil {
			return err
		}
		if err := tx.Get("SELECT count(*) FROM users WHERE domain_id = ? AND id = ?", domain, user).Scan(&users); err != nil {
			return err
		}
		switch {
		case groups == 0:
			return ErrNoGroup
		case users == 0:
			return ErrNoUser
		}
		var in int
		if err := tx.Get("SELECT count(*) FROM group_members WHERE domain_id = ? AND group_id = ? AND user_id = ?", domain, group, user).Scan(&in); err != nil {
			return err
		}
		tx.Write(db.Any, sql, domain, group, user)
		event.Record(tx, who, event.Event{Domain: domain, Kind: kind, Subject: "group", SubjectID: group, LogCode: event.NoLog,
			Data: map[string]any{"user": user, "from": in == 1, "to": kind == "group.add"}})
		return nil
	})
}

// setupLife is how long a set-up link works.
const setupLife = 24 * time.Hour

// SetupToken makes the one-time secret for the first administrator and voids
// older ones; "" when there is an administrator already.
func (s *Service) SetupToken(ctx context.Context) (string, error) {
	secret := strings.ToLower(crockford(s.db.Random(20)))
	there, err := db.Do(ctx, s.db, func(tx *db.Tx) (bool, error) {
		n, err := administrators(tx)
		if err != nil || n > 0 {
			return true, err
		}
		tx.Write(db.Any, "DELETE FROM setup_tokens")
		tx.Write(1, "INSERT INTO setup_tokens (hash, expires_at) VALUES (?, ?)", s.keys.Lookup("setup token", secret), tx.Now+setupLife.Milliseconds())
		return false, nil
	})
	if err != nil || there {
		return "", err
	}
	return secret, nil
}

// crockford writes each byte as one of 32 characters: 5 bits a byte.
func crockford(random []byte) string {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	out := make([]byte, len(random))
	for i, b := range random {
		out[i] = alphabet[b%32]
	}
	return string(out)
}

func administrators(tx *db.Tx) (n int, err error) {
	err = tx.Get("SELECT count(*) FROM users WHERE domain_id = ? AND role = ?", principal.House, principal.RoleAdministrator).Scan(&n)
	return n, err
}

// SetUp makes the first administrator with the one-time secret. The secret is
// used up only when the administrator exists. It fails with ErrSetup, or with
// OSM.01010001 naming name or password.
func (s *Service) SetUp(ctx context.Context, secret, name, password string) (User, error) {
	hash := s.keys.Lookup("setup token", strings.TrimSpace(secret))
	err := s.db.View(ctx, func(tx *db.Tx) error { return checkSetup(tx, hash) })
	if err != nil {
		return User{}, err
	}
	u, err := s.CreateUser(ctx, principal.AsSystem(principal.House), NewUser{Domain: principal.House, Name: name, Password: password, Role: principal.RoleAdministrator})
	if err != nil {
		return User{}, err
	}
	// Twice at once: both names may exist, only one token was there to use.
	used, err := db.Do(ctx, s.db, func(tx *db.Tx) (bool, error) {
		var gone string
		err := tx.Get("DELETE FROM setup_tokens WHERE hash = ? AND expires_at > ? RETURNING hash", hash, tx.Now).Scan(&gone)
		if errors.Is(err, db.ErrNone) {
			tx.Write(1, "DELETE FROM users WHERE domain_id = ? AND id = ?", principal.House, u.ID)
			return false, nil
		}
		return err == nil, err
	})
	if err == nil && !used {
		err = ErrSetup
	}
	return u, err
}

func checkSetup(tx *db.Tx, hash string) error {
	n, err := administrators(tx)
	if err != nil {
		return err
	}
	var ok int
	if err := tx.Get("SELECT count(*) FROM setup_tokens WHERE hash = ? AND expires_at > ?", hash, tx.Now).Scan(&ok); err != nil {
		return err
	}
	if n > 0 || ok == 0 {
		return ErrSetup
	}
	return nil
}
