package identity_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"casemate/internal/identity"
	"casemate/internal/principal"
)

// TestPermissionsAt: random changes of rights with snapshots by plain reads on
// the way; each instant, asked for afterwards, is what it was.
func TestPermissionsAt(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, main := t.Context(), w.customer(w.main)
		rng := rand.New(rand.NewPCG(5, 27))
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		partner, err := w.s.CreatePartner(ctx, w.system, identity.Partner{Name: "Helpers", Whitelisted: true, Hours: identity.Hours{Zone: "GMT+08:00", Days: 5, Day: 8}})
		must(err)
		_, err = w.s.CreateUser(ctx, w.system, identity.NewUser{Domain: principal.House, Name: "helper", Password: password, Role: principal.RoleEngineer, Partner: partner.ID})
		must(err)
		plain := func(domain string) (lines []string) {
			users, err := w.s.Users(ctx, w.system, domain)
			must(err)
			slices.SortFunc(users, func(a, b identity.User) int { return compareUsers(a, b) })
			for _, u := range users {
				lines = append(lines, fmt.Sprintf("%s %s main %v role %s partner %s disabled %v", u.ID, u.Name, u.Main, u.Role, u.Partner, u.Disabled))
			}
			if domain == principal.House {
				return lines
			}
			groups, err := w.s.Groups(ctx, w.system, domain)
			must(err)
			for _, g := range groups {
				lines = append(lines, fmt.Sprintf("group %s %s %v %v", g.ID, g.Name, g.Roles, g.Members))
			}
			d, err := w.s.Domain(ctx, w.system, domain)
			must(err)
			return append(lines, fmt.Sprintf("switches %v %v %v disabled %v partner %s", d.SubmitByPermission, d.ExportByUsers, d.AssumeAll, d.Disabled, d.Partner))
		}
		then := func(domain string, at int64) (lines []string) {
			p, err := w.s.PermissionsAt(ctx, w.system, domain, at)
			must(err)
			slices.SortFunc(p.Users, func(a, b identity.User) int { return compareUsers(a, b) })
			for _, u := range p.Users {
				lines = append(lines, fmt.Sprintf("%s %s main %v role %s partner %s disabled %v", u.ID, u.Name, u.Main, u.Role, u.Partner, u.Disabled))
			}
			if domain == principal.House {
				return lines
			}
			for _, g := range p.Groups {
				lines = append(lines, fmt.Sprintf("group %s %s %v %v", g.ID, g.Name, g.Roles, g.Members))
			}
			return append(lines, fmt.Sprintf("switches %v %v %v disabled %v partner %s", p.SubmitByPermission, p.ExportByUsers, p.AssumeAll, p.Disabled, p.Partner))
		}
		users, groups := []string{w.main.ID, w.sub.ID}, []string{}
		type shot struct {
			at           int64
			mine, houses []string
		}
		var shots []shot
		for i := range 60 {
			w.clock.Add(time.Duration(1+rng.IntN(5000)) * time.Millisecond)
			any := func(of []string) string { return of[rng.IntN(len(of))] }
			switch k := rng.IntN(9); {
			case k == 0 && len(users) < 5: // a password takes its time
				u, err := w.s.CreateUser(ctx, w.system, identity.NewUser{Domain: w.domain.ID, Name: fmt.Sprint("u", i), Password: password})
				must(err)
				users = append(users, u.ID)
			case k <= 1 && len(groups) < 4:
				g, err := w.s.CreateGroup(ctx, w.system, identity.NewGroup{Domain: w.domain.ID, Name: fmt.Sprint("g", i), Roles: []string{identity.TicketGroupOperator}[:rng.IntN(2)]})
				must(err)
				groups = append(groups, g.ID)
			case k <= 3 && len(groups) > 0:
				must(w.s.AddMember(ctx, w.system, w.domain.ID, any(groups), any(users)))
			case k == 4 && len(groups) > 0:
				must(w.s.RemoveMember(ctx, w.system, w.domain.ID, any(groups), any(users)))
			case k == 5:
				must(w.s.Disable(ctx, w.system, w.domain.ID, any(users), rng.IntN(2) == 0))
			case k == 6:
				must(w.s.DisableDomain(ctx, w.system, w.domain.ID, rng.IntN(2) == 0))
			case k == 7:
				must(w.s.ServedBy(ctx, w.system, w.domain.ID, []string{"", partner.ID}[rng.IntN(2)]))
			case i == 50:
			default:
				must(w.s.Set(ctx, main, []identity.Switch{identity.SwitchAssumeAll, identity.SwitchExport, identity.SwitchSubmitByPermission}[rng.IntN(3)], rng.IntN(2) == 0))
			}
			if i == 40 {
				must(w.s.ServedBy(ctx, w.system, w.domain.ID, ""))
				w.clock.Add(time.Second)
				must(w.s.RemovePartner(ctx, w.system, partner.ID))
				partner.ID = ""
			}
			shots = append(shots, shot{w.clock.Now().UnixMilli(), plain(w.domain.ID), plain(principal.House)})
		}
		for i, s := range shots {
			if got := then(w.domain.ID, s.at); !slices.Equal(got, s.mine) {
				t.Fatalf("instant %d:\nwas     %q\nis told %q", i, s.mine, got)
			}
			if got := then(principal.House, s.at); !slices.Equal(got, s.houses) {
				t.Fatalf("instant %d, the house:\nwas     %q\nis told %q", i, s.houses, got)
			}
		}
		now := w.clock.Now().UnixMilli()
		if _, err := w.s.PermissionsAt(ctx, w.system, "none", now); !errors.Is(err, identity.ErrNoDomain) {
			t.Errorf("unknown domain: %v", err)
		}
		if _, err := w.s.PermissionsAt(ctx, w.system, w.domain.ID, 5); !errors.Is(err, identity.ErrNoDomain) {
			t.Errorf("before it was made: %v", err)
		}
		_, err = w.s.PermissionsAt(ctx, w.system, w.domain.ID, now+1)
		invalid(t, "the future", err, "as_of")
		auditor := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "a", Role: principal.RoleAuditor}
		if _, err := w.s.PermissionsAt(ctx, auditor, w.domain.ID, now); err != nil {
			t.Errorf("an auditor: %v", err)
		}
		engineer := auditor
		engineer.Role = principal.RoleSupervisor
		for _, who := range []principal.Principal{main, engineer, {}} {
			if _, err := w.s.PermissionsAt(ctx, who, w.domain.ID, now); err == nil {
				t.Errorf("%+v sees permissions", who)
			}
		}
	})
}

func compareUsers(a, b identity.User) int {
	if a.ID < b.ID {
		return -1
	}
	return 1
}
