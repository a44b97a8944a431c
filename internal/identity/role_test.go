package identity_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

func refusedTo(t *testing.T, what string, err error) {
	t.Helper()
	if fault.KindOf(err) != fault.Forbidden {
		t.Errorf("%s: %v, want a refusal", what, err)
	}
}

// TestRoles: granting and revoking, at once in a token that is in use; who may;
// the last administrator keeps his role, also when two lose it at once; who had
// which role at an instant.
func TestRoles(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		person := func(name string, roles ...string) identity.User {
			u, err := w.s.CreateUser(ctx, w.system, identity.NewUser{Domain: principal.House, Name: name, Password: password, Role: roles[0], Roles: roles[1:]})
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
		root := person("root-of-roles", principal.RoleAdministrator)
		chen := person("chen-of-roles", principal.RoleAuditor, principal.RoleEngineer)
		if chen.Role != principal.RoleEngineer || chen.Roles != "engineer,auditor" {
			t.Errorf("made with %q, leading %q", chen.Roles, chen.Role)
		}
		for _, bad := range []identity.NewUser{{Role: "boss"}, {Role: "engineer", Roles: []string{"boss"}}, {}} {
			bad.Domain, bad.Name, bad.Password = principal.House, "x", password
			_, err := w.s.CreateUser(ctx, w.system, bad)
			invalid(t, "roles", err, "role")
		}
		token, err := w.s.Login(ctx, identity.Login{User: "chen-of-roles", Password: password, Engineer: true})
		if err != nil {
			t.Fatal(err)
		}
		is := func(role string) bool {
			t.Helper()
			p, err := w.s.ByToken(ctx, token.Secret)
			if err != nil {
				t.Fatal(err)
			}
			return p.Is(role)
		}
		if is(principal.RoleSupervisor) || !is(principal.RoleAuditor) || !is(principal.RoleEngineer) {
			t.Error("the token has other roles than its holder")
		}
		admin := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: root.ID, Role: root.Role, Roles: root.Roles}
		if u, err := w.s.GrantRole(ctx, admin, chen.ID, principal.RoleSupervisor); err != nil || u.Roles != "supervisor,engineer,auditor" || u.Role != principal.RoleSupervisor {
			t.Errorf("%+v, %v", u, err)
		}
		if !is(principal.RoleSupervisor) {
			t.Error("a granted role does not hold at once")
		}
		for _, role := range []string{principal.RoleSupervisor, principal.RoleSupervisor} { // again changes nothing
			if _, err := w.s.RevokeRole(ctx, admin, chen.ID, role); err != nil {
				t.Error(err)
			}
		}
		if is(principal.RoleSupervisor) {
			t.Error("a revoked role holds still")
		}
		if got := w.kinds(t, principal.House, "user", chen.ID); len(slices.DeleteFunc(slices.Clone(got), func(k string) bool { return k != "user.roles" })) != 2 {
			t.Errorf("recorded: %v", got)
		}
		for _, who := range []principal.Principal{{Kind: principal.Engineer, Domain: principal.House, User: "s", Role: principal.RoleSupervisor},
			{Kind: principal.Engineer, Domain: principal.House, User: "u", Role: principal.RoleAuditor}, w.customer(w.main), {}} {
			_, err := w.s.GrantRole(ctx, who, chen.ID, principal.RoleAdministrator)
			refusedTo(t, "granting", err)
		}
		_, err = w.s.GrantRole(ctx, admin, chen.ID, "boss")
		invalid(t, "an unknown role", err, "role")
		if _, err := w.s.GrantRole(ctx, admin, w.main.ID, principal.RoleEngineer); !errors.Is(err, identity.ErrNoUser) {
			t.Errorf("a customer's user: %v", err)
		}
		for _, role := range []string{principal.RoleEngineer, principal.RoleAuditor} {
			_, err = w.s.RevokeRole(ctx, admin, chen.ID, role)
		}
		if fault.KindOf(err) != fault.Conflict {
			t.Errorf("the only role: %v", err)
		}

		// The last administrator. The world's own ones are out of the way first.
		all, err := w.s.Users(ctx, w.system, principal.House)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range all {
			if u.Role == principal.RoleAdministrator && u.ID != root.ID {
				if err := w.s.Disable(ctx, w.system, principal.House, u.ID, true); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := w.s.GrantRole(ctx, w.system, root.ID, principal.RoleAuditor); err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.RevokeRole(ctx, w.system, root.ID, principal.RoleAdministrator); !errors.Is(err, identity.ErrLastAdministrator) {
			t.Errorf("the last administrator loses his role: %v", err)
		}
		if err := w.s.Disable(ctx, w.system, principal.House, root.ID, true); !errors.Is(err, identity.ErrLastAdministrator) {
			t.Errorf("the last administrator is disabled: %v", err)
		}
		other := person("other-of-roles", principal.RoleAdministrator, principal.RoleEngineer)
		var both sync.WaitGroup
		var errs [2]error
		both.Go(func() { _, errs[0] = w.s.RevokeRole(ctx, w.system, root.ID, principal.RoleAdministrator) })
		both.Go(func() { errs[1] = w.s.Disable(ctx, w.system, principal.House, other.ID, true) })
		both.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("two administrators go at once: %v, %v", errs[0], errs[1])
		}

		now := w.clock.Now().UnixMilli()
		p, err := w.s.PermissionsAt(ctx, w.system, principal.House, now)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(p.Users, func(u identity.User) bool { return u.ID == chen.ID })
		if i < 0 || p.Users[i].Roles != principal.RoleAuditor {
			t.Errorf("roles from the history: %+v", p.Users)
		}
	})
}

// TestBlindAuditor: an auditor sees who is there and no personal field of a
// customer's people.
func TestBlindAuditor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		auditor := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "u", Role: principal.RoleAuditor}
		ctx := principal.With(t.Context(), auditor)
		mail := "sub@blind.example"
		if _, err := w.s.ChangeUser(t.Context(), w.system, w.domain.ID, w.sub.ID, identity.UserChange{Mail: &mail}); err != nil {
			t.Fatal(err)
		}
		all, err := w.s.Users(ctx, auditor, w.domain.ID)
		if err != nil || len(all) < 2 {
			t.Fatalf("%v, %v", all, err)
		}
		for _, u := range all {
			if u.Name != "" || u.Mail != "" || u.Mobile != "" || u.ID == "" {
				t.Errorf("an auditor sees %+v", u)
			}
		}
		if names, err := w.s.Names(ctx, w.domain.ID, []string{w.main.ID}); err != nil || len(names) > 0 {
			t.Errorf("names: %v, %v", names, err)
		}
		both := auditor
		both.Roles = "engineer,auditor"
		if names, err := w.s.Names(principal.With(t.Context(), both), w.domain.ID, []string{w.main.ID}); err != nil || len(names) != 1 {
			t.Errorf("who is an engineer as well: %v, %v", names, err)
		}
		if _, err := w.s.DomainKeys(ctx, auditor, w.domain.ID); err != nil {
			t.Error(err)
		}
		_, err = w.s.ChangeUser(ctx, auditor, w.domain.ID, w.sub.ID, identity.UserChange{Mail: &mail})
		refusedTo(t, "changing", err)
		_, err = w.s.CreateAccessKey(ctx, auditor, w.domain.ID, w.sub.ID)
		refusedTo(t, "making a key", err)
	})
}

// TestChangeUser: each field, at the most and one more; a new name ends tokens
// and is found; nothing is stored of what is refused.
func TestChangeUser(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		change := func(c identity.UserChange) (identity.User, error) {
			return w.s.ChangeUser(ctx, w.customer(w.main), w.domain.ID, w.sub.ID, c)
		}
		s := func(v string) *string { return &v }
		token, err := w.s.Login(ctx, identity.Login{UserID: w.sub.ID, DomainID: w.domain.ID, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		browser, _, err := w.browse(t, "sub")
		if err != nil {
			t.Fatal(err)
		}
		long := strings.Repeat("名", 64)
		zh := locale.ZH
		u, err := change(identity.UserChange{Name: &long, Mail: s("New@Mail.example"), AreaCode: s("86"), Mobile: s("13900000001"), Language: &zh, Zone: s("GMT+8")})
		if err != nil || u.Name != long || !strings.EqualFold(u.Mail, "new@mail.example") || !strings.HasSuffix(u.Mobile, "13900000001") || u.Language != locale.ZH || u.Zone != "GMT+8" {
			t.Fatalf("%+v, %v", u, err)
		}
		if _, err := w.s.ByToken(ctx, token.Secret); err == nil {
			t.Error("a token outlives its holder's name")
		}
		if _, err := w.s.BySession(ctx, browser.Secret, nil); !errors.Is(err, identity.ErrSession) {
			t.Errorf("a browser's session outlives its holder's name: %v", err)
		}
		if _, err := w.s.UserByName(ctx, w.system, w.domain.ID, long); err != nil {
			t.Errorf("by the new name: %v", err)
		}
		if names, err := w.s.Names(ctx, w.domain.ID, []string{w.sub.ID}); err != nil || names[w.sub.ID] != long {
			t.Errorf("names: %v, %v", names, err)
		}
		for field, c := range map[string]identity.UserChange{"name": {Name: s(long + "x")}, "time_zone": {Zone: s("Mars")}, "alias": {Alias: s("x")}} {
			_, err := change(c)
			invalid(t, field, err, field)
		}
		if _, err := change(identity.UserChange{Name: s(w.main.Name)}); !errors.Is(err, identity.ErrNameTaken) {
			t.Errorf("a taken name: %v", err)
		}
		if _, err := change(identity.UserChange{Mail: s("nobody")}); err == nil {
			t.Error("no address is taken")
		}
		if again, err := change(identity.UserChange{Mobile: s("")}); err != nil || again.Mobile != "" || again.AreaCode != "" || again.Mail != u.Mail {
			t.Errorf("a number removed: %+v, %v", again, err)
		}
		_, stranger := w.second(t)
		_, err = w.s.ChangeUser(ctx, stranger, w.domain.ID, w.sub.ID, identity.UserChange{Zone: s("GMT+8")})
		refusedTo(t, "another domain", err)
	})
}

// TestChangeDomain: name, plan, quota, switches; and the end of an account, whose
// people's keys are destroyed.
func TestChangeDomain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		s := func(v string) *string { return &v }
		n := func(v int) *int { return &v }
		other, stranger := w.second(t)
		d, err := w.s.ChangeDomain(ctx, w.system, other.ID, identity.DomainChange{Name: s("Harbour 2"), Quota: n(3), Switches: map[identity.Switch]bool{identity.SwitchExport: true, identity.SwitchAssumeAll: true}})
		if err != nil || d.Name != "Harbour 2" || d.Quota != 3 || !d.ExportByUsers || !d.AssumeAll || d.SubmitByPermission {
			t.Fatalf("%+v, %v", d, err)
		}
		for field, c := range map[string]identity.DomainChange{"name": {Name: s(strings.Repeat("x", 65))}, "quota": {Quota: n(65536)}} {
			_, err := w.s.ChangeDomain(ctx, w.system, other.ID, c)
			invalid(t, field, err, field)
		}
		_, err = w.s.ChangeDomain(ctx, w.system, other.ID, identity.DomainChange{Quota: n(-2)})
		invalid(t, "quota", err, "quota")
		if _, err := w.s.ChangeDomain(ctx, w.system, other.ID, identity.DomainChange{Name: s(w.domain.Name)}); !errors.Is(err, identity.ErrNameTaken) {
			t.Errorf("a taken name: %v", err)
		}
		if _, err := w.s.ChangeDomain(ctx, w.system, principal.House, identity.DomainChange{Quota: n(1)}); !errors.Is(err, identity.ErrNoDomain) {
			t.Errorf("the house: %v", err)
		}
		_, err = w.s.ChangeDomain(ctx, stranger, other.ID, identity.DomainChange{Quota: n(1)})
		refusedTo(t, "the main account", err)

		key, err := w.s.CreateAccessKey(ctx, w.system, other.ID, stranger.User)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.CloseDomain(ctx, w.system, other.ID, "Harbour 2"); fault.KindOf(err) != fault.Conflict {
			t.Errorf("closed while it is open: %v", err)
		}
		if err := w.s.DisableDomain(ctx, w.system, other.ID, true); err != nil {
			t.Fatal(err)
		}
		_, err = w.s.CloseDomain(ctx, w.system, other.ID, "Harbour")
		invalid(t, "another name", err, "name")
		for range 2 { // again changes nothing
			if d, err := w.s.CloseDomain(ctx, w.system, other.ID, "Harbour 2"); err != nil || d.Closed == 0 {
				t.Errorf("%+v, %v", d, err)
			}
		}
		if u, err := w.s.User(ctx, w.system, other.ID, stranger.User); err != nil || u.Name != "" || !u.Disabled {
			t.Errorf("of a closed account: %+v, %v", u, err)
		}
		if _, err := w.s.AccessKey(ctx, w.system, key.ID); !errors.Is(err, identity.ErrNoKey) {
			t.Errorf("its key: %v", err)
		}
		for what, err := range map[string]error{"enabling it": w.s.DisableDomain(ctx, w.system, other.ID, false), "enabling a user": w.s.Disable(ctx, w.system, other.ID, stranger.User, false)} {
			if fault.KindOf(err) != fault.Conflict {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := w.s.CreateUser(ctx, w.system, identity.NewUser{Domain: other.ID, Name: "late", Password: password}); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a new user: %v", err)
		}
		if u, err := w.s.User(ctx, w.system, w.domain.ID, w.main.ID); err != nil || u.Name == "" {
			t.Errorf("another account's: %+v, %v", u, err)
		}
	})
}

// TestChangeGroup: names and rights of groups, their end, and what the history
// says of them.
func TestChangeGroup(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, main := t.Context(), w.customer(w.main)
		g, err := w.s.CreateGroup(ctx, main, identity.NewGroup{Domain: w.domain.ID, Name: "to change", Roles: []string{identity.TicketGroupOperator}})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.s.AddMember(ctx, main, w.domain.ID, g.ID, w.sub.ID); err != nil {
			t.Fatal(err)
		}
		name := "changed"
		got, err := w.s.ChangeGroup(ctx, main, w.domain.ID, g.ID, identity.GroupChange{Name: &name, Roles: []string{identity.TicketAdministrator}})
		if err != nil || got.Name != name || !slices.Equal(got.Roles, []string{identity.TicketAdministrator}) || len(got.Members) != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		_, err = w.s.ChangeGroup(ctx, main, w.domain.ID, g.ID, identity.GroupChange{Roles: []string{"all"}})
		invalid(t, "an unknown right", err, "roles")
		then := w.clock.Now().UnixMilli()
		w.clock.Add(1000_000_000)
		if err := w.s.DeleteGroup(ctx, main, w.domain.ID, g.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.s.DeleteGroup(ctx, main, w.domain.ID, g.ID); !errors.Is(err, identity.ErrNoGroup) {
			t.Errorf("again: %v", err)
		}
		for at, want := range map[int64]bool{then: true, w.clock.Now().UnixMilli(): false} {
			p, err := w.s.PermissionsAt(ctx, w.system, w.domain.ID, at)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(p.Groups, func(x identity.Group) bool { return x.ID == g.ID })
			if (i >= 0) != want || want && (p.Groups[i].Name != name || !slices.Equal(p.Groups[i].Roles, []string{identity.TicketAdministrator}) || len(p.Groups[i].Members) != 1) {
				t.Errorf("at %d: %+v", at, p.Groups)
			}
		}
	})
}

// TestRoleOfOlderNode: a person whom a node of a version with one role made, while
// versions ran side by side, keeps it when he gets another (threats.md E14).
func TestRoleOfOlderNode(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		u, err := w.s.CreateUser(t.Context(), w.system, identity.NewUser{Domain: principal.House, Name: "made-before", Password: password, Role: principal.RoleEngineer})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Write(1, "UPDATE users SET roles = '' WHERE domain_id = ? AND id = ?", principal.House, u.ID)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got, err := w.s.User(t.Context(), w.system, principal.House, u.ID); err != nil || !got.Has(principal.RoleEngineer) {
			t.Errorf("the role reads %q, %v", got.Roles, err)
		}
		if got, err := w.s.GrantRole(t.Context(), w.system, u.ID, principal.RoleSupervisor); err != nil || got.Roles != "supervisor,engineer" {
			t.Errorf("with another one: %q, %v", got.Roles, err)
		}
	})
}
