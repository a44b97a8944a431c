package identity

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Faults of roles.
var (
	ErrLastAdministrator = fault.New(fault.Conflict, fault.CodeNoPermission, "这是最后一位可用的管理员，请先指定另一位", "this is the last administrator who is not disabled: make another one first")
	errLastRole          = fault.New(fault.Conflict, fault.CodeNoPermission, "内部人员至少要有一个角色；如需停止其访问，请停用该用户", "a person of the house keeps one role at least; disable the user to keep him out").In("role")
	errPartnerRole       = fault.New(fault.Conflict, fault.CodeNoPermission, "合作伙伴的人员只能是工程师", "a partner's people are engineers and nothing else").In("role")
)

// administratorsLock makes the changes that could take the last administrator
// away wait for each other.
const administratorsLock = "identity.administrators"

// GrantRole gives a person of the house one more role; one that he has changes
// nothing. It holds at once on this node and within a second on others
// (threats.md B8). Administrators only. Failures: ErrNoUser, ErrRole, and
// OSM.01010002 for people of partners.
func (s *Service) GrantRole(ctx context.Context, who principal.Principal, user, role string) (User, error) {
	return s.changeRoles(ctx, who, user, role, func(roles []string) []string { return append(roles, role) })
}

// RevokeRole takes a role from a person of the house; one that he does not have
// changes nothing. It holds like a grant. Administrators only. Failures:
// ErrNoUser, ErrRole, ErrLastAdministrator, and OSM.01010002 for the only role
// somebody has.
func (s *Service) RevokeRole(ctx context.Context, who principal.Principal, user, role string) (User, error) {
	return s.changeRoles(ctx, who, user, role, func(roles []string) []string {
		return slices.DeleteFunc(roles, func(r string) bool { return r == role })
	})
}

func (s *Service) changeRoles(ctx context.Context, who principal.Principal, user, role string, change func([]string) []string) (User, error) {
	if err := administer(who); err != nil {
		return User{}, err
	}
	if !slices.Contains(principal.Roles, role) {
		return User{}, ErrRole.With("role", role)
	}
	defer s.cache.forget()
	// Only the id: what a repeated request gets is read again, with what is sealed.
	_, err := db.Do(ctx, s.db, func(tx *db.Tx) (string, error) {
		tx.Lock(principal.House, administratorsLock)
		u, err := scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", principal.House, user))
		if err != nil {
			return "", err
		}
		after := principal.JoinRoles(change(principal.SplitRoles(u.Roles))...)
		switch {
		case after == u.Roles:
			return u.ID, nil
		case u.Partner != "":
			return "", errPartnerRole
		case after == "":
			return "", errLastRole
		}
		if u.Role == principal.RoleAdministrator && role == principal.RoleAdministrator && !u.Disabled {
			if err := anotherAdministrator(tx, u.ID); err != nil {
				return "", err
			}
		}
		tx.Write(1, "UPDATE users SET role = ?, roles = ? WHERE domain_id = ? AND id = ?", principal.SplitRoles(after)[0], after, principal.House, u.ID)
		event.Record(tx, who, event.Event{Domain: principal.House, Kind: "user.roles", Subject: "user", SubjectID: u.ID, LogCode: event.NoLog,
			Data: map[string]any{"role": role, "from": u.Roles, "to": after}})
		return u.ID, nil
	})
	if err != nil {
		return User{}, err
	}
	return s.User(ctx, who, principal.House, user)
}

// anotherAdministrator refuses what would leave the installation without an
// administrator who can log in, were this one gone.
func anotherAdministrator(tx *db.Tx, but string) error {
	var n int
	err := tx.Get("SELECT count(*) FROM users WHERE domain_id = ? AND role = ? AND disabled = 0 AND id <> ?", principal.House, principal.RoleAdministrator, but).Scan(&n)
	if err == nil && n == 0 {
		err = ErrLastAdministrator
	}
	return err
}

// lastAdministrator tells whether nobody could administer any more were u none.
// The administrators' lock is held.
func lastAdministrator(tx *db.Tx, u User) (bool, error) {
	if u.Domain != principal.House || u.Role != principal.RoleAdministrator || u.Disabled {
		return false, nil
	}
	err := anotherAdministrator(tx, u.ID)
	if errors.Is(err, ErrLastAdministrator) {
		return true, nil
	}
	return false, err
}

// setRoles replays what an event says of somebody's roles: user.create has the
// leading one, and since they are several all; user.roles all after the change.
func (u *User) setRoles(role string, roles, to json.RawMessage) {
	all := role
	for _, raw := range []json.RawMessage{roles, to} {
		var text string
		if json.Unmarshal(raw, &text) == nil && text != "" {
			all = text
		}
	}
	if all == "" {
		return
	}
	u.Roles = all
	u.Role, _, _ = strings.Cut(all, ",")
}
