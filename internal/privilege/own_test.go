package privilege_test

import (
	"slices"
	"testing"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/privilege"
	"casemate/internal/seal/sealtest"
)

// TestOwnGroups: exactly the groups that ScopeOf admits.
func TestOwnGroups(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ident := identity.New(d, sealtest.Keyring(t), identity.Options{PasswordMemory: 64})
		s, ctx, system := privilege.New(d, ident), t.Context(), principal.AsSystem(principal.House)
		users, groups, domains := map[string]string{}, map[string]string{}, map[string]string{}
		for _, name := range []string{"d", "e"} {
			dom, err := ident.CreateDomain(ctx, system, identity.NewDomain{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			domains[name] = dom.ID
			for i, u := range []string{"main", "ann", "bob"} {
				made, err := ident.CreateUser(ctx, system, identity.NewUser{Domain: dom.ID, Name: u, Password: "correct horse", Main: i == 0})
				if err != nil {
					t.Fatal(err)
				}
				users[name+u] = made.ID
			}
			for _, g := range []struct {
				name, role string
				members    []string
			}{{"handlers", identity.TicketGroupOperator, []string{"ann", "bob"}}, {"submitters", identity.TicketAdministrator, []string{"ann"}}, {"others", identity.TicketGroupOperator, []string{"bob"}}} {
				made, err := ident.CreateGroup(ctx, system, identity.NewGroup{Domain: dom.ID, Name: g.name, Roles: []string{g.role}})
				if err != nil {
					t.Fatal(err)
				}
				groups[name+g.name] = made.ID
				for _, m := range g.members {
					if err := ident.AddMember(ctx, system, dom.ID, made.ID, users[name+m]); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		for _, c := range []struct {
			user      string
			main, all bool
			want      int
		}{{"main", true, false, 3}, {"ann", false, false, 1}, {"bob", false, false, 2}, {"ann", false, true, 3}} {
			who := principal.Principal{Kind: principal.Customer, Domain: domains["d"], User: users["d"+c.user], Main: c.main, AllTickets: c.all}
			got, err := s.OwnGroups(ctx, who)
			if err != nil || len(got) != c.want {
				t.Errorf("%+v: %+v %v", c, got, err)
			}
			mine := map[string]bool{}
			for _, g := range got {
				mine[g.ID] = true
				if g.Name == "handlers" && g.Members != 2 {
					t.Errorf("%d members", g.Members)
				}
			}
			for name, id := range groups {
				var open bool
				if err := d.View(ctx, func(tx *db.Tx) error { _, err := privilege.ScopeOf(tx, who, id); open = err == nil; return nil }); err != nil {
					t.Fatal(err)
				}
				if open != mine[id] {
					t.Errorf("%+v, group %s: listed %v, admitted %v", c, name, mine[id], open)
				}
			}
		}
		// Who may submit is what MaySubmit says of each, with the switch off and on.
		main := principal.Principal{Kind: principal.Customer, Domain: domains["d"], User: users["dmain"], Main: true}
		for _, on := range []bool{false, true} {
			if err := ident.Set(ctx, main, identity.SwitchSubmitByPermission, on); err != nil {
				t.Fatal(err)
			}
			all, by, err := s.OwnUsers(ctx, main)
			if err != nil || by != on || len(all) != 3 || all[0].Name != "main" || all[1].Name != "ann" || !slices.Equal(all[1].Groups, []string{"handlers", "submitters"}) || all[2].Name != "bob" {
				t.Fatalf("%+v %v %v", all, by, err)
			}
			for _, u := range all {
				who := principal.Principal{Kind: principal.Customer, Domain: domains["d"], User: u.ID, Main: u.Main}
				may, err := s.Has(ctx, who, privilege.CreateCase)
				if err != nil || may != u.MaySubmit || on && may != u.Permitted || u.Permitted != (u.Name != "bob") {
					t.Errorf("switch %v: %+v, may %v %v", on, u, may, err)
				}
			}
		}
		for _, who := range []principal.Principal{{Kind: principal.Customer, Domain: domains["d"], User: users["dann"]}, {Kind: principal.Engineer, Domain: principal.House, User: "x"}} {
			if all, _, err := s.OwnUsers(ctx, who); err == nil {
				t.Errorf("%+v sees %+v", who, all)
			}
		}
		if _, err := s.OwnGroups(ctx, principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "x"}); err == nil {
			t.Error("an engineer has groups")
		}
	})
}
