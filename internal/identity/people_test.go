package identity_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

func (w *world) customer(u identity.User) principal.Principal {
	return principal.Principal{Kind: principal.Customer, Domain: u.Domain, User: u.ID, Main: u.Main}
}

// invalid wants OSM.01010001 that names the field.
func invalid(t *testing.T, what string, err error, field string) {
	t.Helper()
	f, ok := fault.As(err)
	if !ok || f.Code != fault.CodeInvalid || f.Field != field {
		t.Errorf("%s: %v, want OSM.01010001 naming %s", what, err, field)
	}
}

func (w *world) kinds(t *testing.T, domain, subject, id string) (kinds []string) {
	t.Helper()
	err := w.d.View(t.Context(), func(tx *db.Tx) error {
		rows, _, err := event.OfSubject(tx, domain, subject, id, false, false, 0, 100)
		kinds = nil
		for _, r := range rows {
			kinds = append(kinds, r.Kind)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

// second is another customer's main account.
func (w *world) second(t *testing.T) (identity.Domain, principal.Principal) {
	t.Helper()
	d, err := w.s.CreateDomain(t.Context(), w.system, identity.NewDomain{Name: "Harbour"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := w.s.CreateUser(t.Context(), w.system, identity.NewUser{Domain: d.ID, Name: "boss", Password: password, Main: true})
	if err != nil {
		t.Fatal(err)
	}
	return d, w.customer(u)
}

// TestAgencies: limits at the most and one more, who may, gone when they are over.
func TestAgencies(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, main, sub := t.Context(), w.customer(w.main), w.customer(w.sub)
		_, stranger := w.second(t)
		make := func(who principal.Principal, in identity.NewAgency) (identity.Agency, error) {
			in.Domain = w.domain.ID
			if in.TrustName == "" {
				in.TrustName = "op_svc_osm"
			}
			return w.s.CreateAgency(ctx, who, in)
		}
		long := strings.Repeat("名", 64)
		a, err := make(main, identity.NewAgency{Name: long, TrustName: long, TrustID: long, Hours: 24})
		if err != nil || a.Expires != w.clock.Now().Add(24*time.Hour).UnixMilli() {
			t.Fatalf("%+v, %v", a, err)
		}
		forEver, err := make(w.system, identity.NewAgency{Name: "for ever"})
		if err != nil || forEver.Expires != 0 {
			t.Fatalf("%+v, %v", forEver, err)
		}
		for field, in := range map[string]identity.NewAgency{
			"name":              {Name: long + "x"},
			"trust_domain_name": {Name: "a", TrustName: long + "x"},
			"trust_domain_id":   {Name: "a", TrustID: long + "x"},
			"hours":             {Name: "a", Hours: 87841},
		} {
			_, err := make(main, in)
			invalid(t, "too long", err, field)
		}
		_, err = make(main, identity.NewAgency{Name: "a", Hours: -1})
		invalid(t, "negative", err, "hours")
		_, err = make(main, identity.NewAgency{Name: "  "})
		invalid(t, "blank", err, "name")
		_, err = w.s.CreateAgency(ctx, main, identity.NewAgency{Domain: w.domain.ID, Name: "a"})
		invalid(t, "nobody trusted", err, "trust_domain_name")
		_, err = make(main, identity.NewAgency{Name: "for ever"})
		invalid(t, "taken", err, "name")
		if _, err := make(main, identity.NewAgency{Name: "ten years", Hours: 87840}); err != nil {
			t.Error(err)
		}
		for name, who := range map[string]principal.Principal{"a sub-user": sub, "a stranger": stranger, "nobody": {}} {
			if _, err := make(who, identity.NewAgency{Name: "x"}); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%s makes one: %v", name, err)
			}
			if err := w.s.DeleteAgency(ctx, who, w.domain.ID, a.ID); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%s ends one: %v", name, err)
			}
		}
		names := func(who principal.Principal) (out []string) {
			all, err := w.s.Agencies(ctx, who, w.domain.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range all {
				out = append(out, a.Name)
			}
			return out
		}
		if got := names(sub); !slices.Equal(got, []string{"for ever", "ten years", long}) {
			t.Errorf("a sub-user sees %q", got)
		}
		if _, err := w.s.Agencies(ctx, stranger, w.domain.ID); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("a stranger lists them: %v", err)
		}
		w.clock.Add(24 * time.Hour)
		if got := names(main); !slices.Equal(got, []string{"for ever", "ten years"}) {
			t.Errorf("when one is over: %q", got)
		}
		if err := w.s.DeleteAgency(ctx, main, w.domain.ID, a.ID); !errors.Is(err, identity.ErrNoAgency) {
			t.Errorf("one that is over: %v", err)
		}
		if _, err := make(main, identity.NewAgency{Name: long}); err != nil {
			t.Errorf("the name of one that is over: %v", err)
		}
		for i := 3; i < 50; i++ {
			if _, err := make(main, identity.NewAgency{Name: fmt.Sprint("n", i)}); err != nil {
				t.Fatalf("agency %d: %v", i+1, err)
			}
		}
		if _, err := make(main, identity.NewAgency{Name: "one more"}); fault.KindOf(err) != fault.Conflict {
			t.Errorf("the 51st: %v", err)
		}
		if err := w.s.DeleteAgency(ctx, main, w.domain.ID, forEver.ID); err != nil {
			t.Error(err)
		}
		if err := w.s.DeleteAgency(ctx, main, w.domain.ID, forEver.ID); !errors.Is(err, identity.ErrNoAgency) {
			t.Errorf("twice: %v", err)
		}
		if got := w.kinds(t, w.domain.ID, "agency", forEver.ID); !slices.Equal(got, []string{"agency.create", "agency.delete"}) {
			t.Errorf("history %v", got)
		}
	})
}

// TestSubUsers: anonymised, and only whom the caller may know.
func TestSubUsers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		make := func(name, area, mobile, mail string) identity.User {
			u, err := w.s.CreateUser(ctx, w.system, identity.NewUser{Domain: w.domain.ID, Name: name, Password: password, AreaCode: area, Mobile: mobile, Mail: mail})
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
		li, wang := make("李华", "", "13912345678", "Li@Example.com"), make("WangWei", "354", "5812345", "")
		_, stranger := w.second(t)
		g, err := w.s.CreateGroup(ctx, w.system, identity.NewGroup{Domain: w.domain.ID, Name: "ops"})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range []identity.User{li, wang} {
			if err := w.s.AddMember(ctx, w.system, w.domain.ID, g.ID, u.ID); err != nil {
				t.Fatal(err)
			}
		}
		all := w.customer(w.sub)
		all.AllTickets = true
		for name, c := range map[string]struct {
			who      principal.Principal
			name, id string
			want     []string
		}{
			"the main account":             {w.customer(w.main), "", "", []string{w.sub.ID, li.ID, wang.ID}},
			"a sub-user without a group":   {w.customer(w.sub), "", "", []string{w.sub.ID}},
			"one of a group":               {w.customer(li), "", "", []string{li.ID, wang.ID}},
			"one who acts on every ticket": {all, "", "", []string{w.sub.ID, li.ID, wang.ID}},
			"by part of a name":            {w.customer(w.main), "wei", "", []string{wang.ID}},
			"by part of a Chinese name":    {w.customer(w.main), "华", "", []string{li.ID}},
			"by id":                        {w.customer(w.main), "", li.ID, []string{li.ID}},
			"by id of one he may not know": {w.customer(w.sub), "", li.ID, nil},
			"by the main account's id":     {w.customer(w.main), "", w.main.ID, nil},
			"by id and another's name":     {w.customer(w.main), "wei", li.ID, nil},
			"a stranger by id":             {stranger, "", li.ID, nil},
			"a stranger":                   {stranger, "", "", nil},
			"wildcards are no wildcards":   {w.customer(w.main), "%", "", nil},
		} {
			found, err := w.s.SubUsers(ctx, c.who, c.name, c.id)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			var ids []string
			for _, u := range found {
				ids = append(ids, u.ID)
				if u.Domain != w.domain.ID {
					t.Errorf("%s: domain %s", name, u.Domain)
				}
			}
			if !slices.Equal(ids, c.want) {
				t.Errorf("%s: %v, want %v", name, ids, c.want)
			}
		}
		found, err := w.s.SubUsers(ctx, w.customer(li), "", "")
		if err != nil || len(found) != 2 {
			t.Fatal(found, err)
		}
		want := []identity.SubUser{{ID: li.ID, Domain: w.domain.ID, Name: "李***", Mobile: "139****5678", Mail: "l***@example.com", AreaCode: "86"},
			{ID: wang.ID, Domain: w.domain.ID, Name: "W***", Mobile: "****45", AreaCode: "354"}}
		if !slices.Equal(found, want) {
			t.Errorf("%+v\nwant %+v", found, want)
		}
		if _, err := w.s.SubUsers(ctx, principal.Principal{Kind: principal.Engineer, Domain: principal.House}, "", ""); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("an engineer: %v", err)
		}
	})
}

// TestNames: one read for all, names by part in any case, within the domain.
func TestNames(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		var ids []string
		for _, name := range []string{"Ana-1", "ana-2", "安娜", "bo"} {
			u, err := w.s.CreateUser(ctx, w.system, identity.NewUser{Domain: w.domain.ID, Name: name, Password: password})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, u.ID)
		}
		other, stranger := w.second(t)
		for range 2 { // from the store, then from the cache
			names, err := w.s.Names(ctx, w.domain.ID, append(ids, ids[0], "", "none", stranger.User))
			if err != nil || len(names) != 4 || names[ids[0]] != "Ana-1" || names[ids[2]] != "安娜" {
				t.Errorf("%v, %v", names, err)
			}
		}
		for part, want := range map[string][]string{"ANA": ids[:2], "娜": ids[2:3], "none": nil, "%": nil} {
			if got, err := w.s.FindByName(ctx, w.domain.ID, part); err != nil || !slices.Equal(got, want) {
				t.Errorf("%q: %v, %v, want %v", part, got, err, want)
			}
		}
		if got, err := w.s.FindByName(ctx, other.ID, "ana"); err != nil || len(got) > 0 {
			t.Errorf("in another domain: %v, %v", got, err)
		}
	})
}

var office = identity.Hours{Zone: "GMT+08:00", Days: 5, Day: 8}

// TestPartners: limits, uniqueness, administrators only, history.
func TestPartners(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		other, _ := w.second(t)
		long := strings.Repeat("伴", 64)
		services := func(n int) (all []identity.ServiceOf) {
			for i := range n {
				all = append(all, identity.ServiceOf{Kind: identity.ServiceProduct, ID: fmt.Sprint("p", i)})
			}
			return all
		}
		p, err := w.s.CreatePartner(ctx, w.system, identity.Partner{Name: long, Account: other.ID, Whitelisted: true, Hours: identity.Hours{Zone: "GMT+08:00", Days: 7, Day: 24}, Services: services(100)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.s.Partner(ctx, w.system, p.ID)
		if err != nil || got.Name != long || got.Account != other.ID || !got.Whitelisted || got.Days != 7 || got.Day != 24 || len(got.Services) != 100 {
			t.Errorf("%+v, %v", got, err)
		}
		sub := func(s ...identity.ServiceOf) []identity.ServiceOf { return s }
		for what, c := range map[string]struct {
			in    identity.Partner
			field string
		}{
			"no name":            {identity.Partner{Hours: office}, "name"},
			"long name":          {identity.Partner{Name: long + "x", Hours: office}, "name"},
			"taken name":         {identity.Partner{Name: long, Hours: office}, "name"},
			"taken account":      {identity.Partner{Name: "b", Account: other.ID, Hours: office}, "account_id"},
			"unknown account":    {identity.Partner{Name: "b", Account: "nobody", Hours: office}, "account_id"},
			"no zone":            {identity.Partner{Name: "b", Hours: identity.Hours{Days: 5, Day: 8}}, "zone"},
			"long zone":          {identity.Partner{Name: "b", Hours: identity.Hours{Zone: "GMT+008:000", Days: 5, Day: 8}}, "zone"},
			"zone of a city":     {identity.Partner{Name: "b", Hours: identity.Hours{Zone: "Asia/Tokyo", Days: 5, Day: 8}}, "zone"},
			"no day":             {identity.Partner{Name: "b", Hours: identity.Hours{Zone: "GMT+8", Day: 8}}, "days"},
			"eight days":         {identity.Partner{Name: "b", Hours: identity.Hours{Zone: "GMT+8", Days: 8, Day: 8}}, "days"},
			"no hour":            {identity.Partner{Name: "b", Hours: identity.Hours{Zone: "GMT+8", Days: 5}}, "hours"},
			"25 hours":           {identity.Partner{Name: "b", Hours: identity.Hours{Zone: "GMT+8", Days: 5, Day: 25}}, "hours"},
			"101 services":       {identity.Partner{Name: "b", Hours: office, Services: services(101)}, "services"},
			"unknown kind":       {identity.Partner{Name: "b", Hours: office, Services: sub(identity.ServiceOf{Kind: "x", ID: "1"})}, "services.kind"},
			"service without id": {identity.Partner{Name: "b", Hours: office, Services: sub(identity.ServiceOf{Kind: "product"})}, "services.id"},
			"service, long id":   {identity.Partner{Name: "b", Hours: office, Services: sub(identity.ServiceOf{Kind: "product", ID: strings.Repeat("x", 65)})}, "services.id"},
			"service twice":      {identity.Partner{Name: "b", Hours: office, Services: sub(identity.ServiceOf{Kind: "sub_type", ID: "0"}, identity.ServiceOf{Kind: "sub_type", ID: "0"})}, "services"},
			"service, 25 hours":  {identity.Partner{Name: "b", Hours: office, Services: sub(identity.ServiceOf{Kind: "sub_type", ID: "0", Hours: identity.Hours{Zone: "GMT+8", Days: 5, Day: 25}})}, "services.hours"},
			"another's product":  {identity.Partner{Name: "b", Hours: office, Services: sub(identity.ServiceOf{Kind: "product", ID: "p7"})}, "services"},
		} {
			_, err := w.s.CreatePartner(ctx, w.system, c.in)
			invalid(t, what, err, c.field)
		}
		for name, who := range map[string]principal.Principal{"a main account": w.customer(w.main), "nobody": {},
			"an engineer":          {Kind: principal.Engineer, Domain: principal.House, Role: principal.RoleEngineer},
			"a partner's engineer": {Kind: principal.Engineer, Domain: principal.House, Role: principal.RoleEngineer, Partner: p.ID}} {
			_, create := w.s.CreatePartner(ctx, who, identity.Partner{Name: "x", Hours: office})
			_, change := w.s.ChangePartner(ctx, who, p.ID, identity.Partner{Name: "x", Hours: office})
			for _, err := range []error{create, change, w.s.RemovePartner(ctx, who, p.ID), w.s.ServedBy(ctx, who, w.domain.ID, p.ID)} {
				if fault.KindOf(err) != fault.Forbidden {
					t.Errorf("%s administers partners: %v", name, err)
				}
			}
			if _, err := w.s.Partners(ctx, who); name != "an engineer" && fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%s lists partners: %v", name, err)
			}
		}
		if _, err := w.s.ChangePartner(ctx, w.system, "nobody", identity.Partner{Name: "x", Hours: office}); !errors.Is(err, identity.ErrNoPartner) {
			t.Errorf("an unknown one: %v", err)
		}
		// A partner does not serve himself, whichever link comes second.
		if err := w.s.ServedBy(ctx, w.system, other.ID, p.ID); fault.KindOf(err) != fault.Conflict {
			t.Errorf("serves himself: %v", err)
		}
		if err := w.s.ServedBy(ctx, w.system, w.domain.ID, p.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.ChangePartner(ctx, w.system, p.ID, identity.Partner{Name: "x", Account: w.domain.ID, Hours: office}); fault.KindOf(err) != fault.Conflict {
			t.Errorf("takes his customer's account: %v", err)
		}
		if err := w.s.ServedBy(ctx, w.system, w.domain.ID, "nobody"); !errors.Is(err, identity.ErrNoPartner) {
			t.Errorf("an unknown partner: %v", err)
		}
		if err := w.s.ServedBy(ctx, w.system, "nobody", p.ID); !errors.Is(err, identity.ErrNoDomain) {
			t.Errorf("an unknown domain: %v", err)
		}
		// What is changed is all of it; freed names and products can be taken.
		if _, err := w.s.ChangePartner(ctx, w.system, p.ID, identity.Partner{Name: "b", Hours: office}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.CreatePartner(ctx, w.system, identity.Partner{Name: long, Account: other.ID, Hours: office, Services: services(1)}); err != nil {
			t.Errorf("what was freed: %v", err)
		}
		if d, err := w.s.Domain(ctx, w.system, w.domain.ID); err != nil || d.Partner != p.ID {
			t.Errorf("%+v, %v", d, err)
		}
		if got := w.kinds(t, principal.House, "partner", p.ID); !slices.Equal(got, []string{"partner.create", "partner.change"}) {
			t.Errorf("history %v", got)
		}
	})
}

// TestPartnerPeople: they log in at the desk as the partner's, and are shut out
// with him, for good.
func TestPartnerPeople(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		p, err := w.s.CreatePartner(ctx, w.system, identity.Partner{Name: "Blue", Whitelisted: true, Hours: office})
		if err != nil {
			t.Fatal(err)
		}
		in := identity.NewUser{Domain: principal.House, Name: "nora", Password: password, Role: principal.RoleEngineer, Partner: p.ID, Alias: "Nora of Blue"}
		for name, change := range map[string]func(*identity.NewUser){
			"an administrator": func(n *identity.NewUser) { n.Role = principal.RoleAdministrator },
			"a supervisor":     func(n *identity.NewUser) { n.Role = principal.RoleSupervisor },
			"a customer":       func(n *identity.NewUser) { n.Domain, n.Role = w.domain.ID, "" },
			"of nobody":        func(n *identity.NewUser) { n.Partner = "nobody" },
		} {
			bad := in
			change(&bad)
			if _, err := w.s.CreateUser(ctx, w.system, bad); err == nil {
				t.Errorf("a partner's user who is %s is made", name)
			}
		}
		u, err := w.s.CreateUser(ctx, w.system, in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.CreateUser(ctx, w.system, identity.NewUser{Domain: principal.House, Name: "chen", Password: password, Role: principal.RoleEngineer}); err != nil {
			t.Fatal(err)
		}
		login := func() (identity.Token, error) {
			return w.s.Login(ctx, identity.Login{User: "nora", Password: password, Engineer: true})
		}
		tok, err := login()
		if err != nil {
			t.Fatal(err)
		}
		who, err := w.s.ByToken(ctx, tok.Secret)
		if err != nil || who.Partner != p.ID || who.Role != principal.RoleEngineer || who.Admin() {
			t.Fatalf("%+v, %v", who, err)
		}
		names := func(who principal.Principal, partner string) (out []string) {
			all, err := w.s.PartnerEngineers(ctx, who, partner)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range all {
				out = append(out, u.Name)
			}
			return out
		}
		house := principal.Principal{Kind: principal.Engineer, Domain: principal.House, Role: principal.RoleEngineer}
		for i, c := range [][2][]string{{names(house, ""), {"chen"}}, {names(house, p.ID), {"nora"}}, {names(who, ""), {"nora"}}, {names(who, "other"), {"nora"}}} {
			if !slices.Equal(c[0], c[1]) {
				t.Errorf("list %d: %v, want %v", i, c[0], c[1])
			}
		}
		if err := w.s.RemovePartner(ctx, w.system, p.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.ByToken(ctx, tok.Secret); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("the token outlives the partner: %v", err)
		}
		if err := w.s.Disable(ctx, w.system, principal.House, u.ID, false); err != nil {
			t.Fatal(err)
		}
		if _, err := login(); !errors.Is(err, identity.ErrLogin) {
			t.Errorf("log-in for a partner who is gone: %v", err)
		}
		if err := w.s.RemovePartner(ctx, w.system, p.ID); !errors.Is(err, identity.ErrNoPartner) {
			t.Errorf("twice: %v", err)
		}
	})
}

// TestServiceHours: who serves the caller, by account, sub type and product.
func TestServiceHours(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, me := t.Context(), w.customer(w.sub)
		night := identity.Hours{Zone: "GMT+00:00", Days: 7, Day: 24}
		blue, err := w.s.CreatePartner(ctx, w.system, identity.Partner{Name: "Blue", Whitelisted: true, Hours: office, Services: []identity.ServiceOf{
			{Kind: "sub_type", ID: "0"}, {Kind: "sub_type", ID: "1", Hours: night}}})
		if err != nil {
			t.Fatal(err)
		}
		maker, err := w.s.CreatePartner(ctx, w.system, identity.Partner{Name: "Maker", Hours: office, Services: []identity.ServiceOf{{Kind: "product", ID: "db", Hours: night}, {Kind: "product", ID: "cache"}}})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(subType, product string) string {
			p, h, ok, err := w.s.ServiceHours(ctx, me, subType, product)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return "nobody"
			}
			return fmt.Sprintf("%s %s %dx%d", p.Name, h.Zone, h.Days, h.Day)
		}
		if got := ask("", ""); got != "nobody" {
			t.Errorf("before: %s", got)
		}
		if err := w.s.ServedBy(ctx, w.system, w.domain.ID, blue.ID); err != nil {
			t.Fatal(err)
		}
		for _, c := range [][3]string{{"", "", "Blue GMT+08:00 5x8"}, {"0", "", "Blue GMT+08:00 5x8"}, {"1", "", "Blue GMT+00:00 7x24"}, {"2", "", "nobody"},
			{"", "db", "Maker GMT+00:00 7x24"}, {"1", "cache", "Maker GMT+08:00 5x8"}, {"", "unknown", "nobody"}} {
			if got := ask(c[0], c[1]); got != c[2] {
				t.Errorf("sub type %q, product %q: %s, want %s", c[0], c[1], got, c[2])
			}
		}
		for _, p := range []string{blue.ID, maker.ID} {
			if err := w.s.RemovePartner(ctx, w.system, p); err != nil {
				t.Fatal(err)
			}
		}
		if got := ask("", "") + ask("", "db"); got != "nobodynobody" {
			t.Errorf("after: %s", got)
		}
		if ok, err := w.s.PartnerAccount(ctx, me); err != nil || ok {
			t.Errorf("no partner's account: %v, %v", ok, err)
		}
		in := identity.Partner{Name: "Own", Account: w.domain.ID, Hours: office}
		own, err := w.s.CreatePartner(ctx, w.system, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, listed := range []bool{false, true} {
			in.Whitelisted = listed
			if _, err := w.s.ChangePartner(ctx, w.system, own.ID, in); err != nil {
				t.Fatal(err)
			}
			if ok, err := w.s.PartnerAccount(ctx, me); err != nil || ok != listed {
				t.Errorf("whitelisted %v: %v, %v", listed, ok, err)
			}
		}
	})
}

// TestSwitches: main account only; at once on the node, within a second on
// another (threats B8); a switch set as it is leaves no event.
func TestSwitches(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		node2 := identity.New(w.d, w.keys, identity.Options{})
		tok, err := w.login(t, "云帆", "sub", password)
		if err != nil {
			t.Fatal(err)
		}
		all := func(s *identity.Service) bool {
			who, err := s.ByToken(ctx, tok.Secret)
			if err != nil {
				t.Fatal(err)
			}
			return who.AllTickets
		}
		if all(w.s) || all(node2) {
			t.Fatal("the switch is on from the start")
		}
		for _, on := range []bool{true, false} {
			for range 2 {
				if err := w.s.Set(ctx, w.customer(w.main), identity.SwitchAssumeAll, on); err != nil {
					t.Fatal(err)
				}
			}
			if all(w.s) != on {
				t.Errorf("%v does not hold at once", on)
			}
			w.clock.Add(time.Second)
			if d, err := node2.Current(ctx, w.domain.ID); err != nil || d.AssumeAll != on {
				t.Errorf("another node's domain after a second: %+v, %v", d, err)
			}
			if all(node2) != on {
				t.Errorf("%v does not hold on another node after a second", on)
			}
		}
		for _, sw := range []identity.Switch{identity.SwitchExport, identity.SwitchSubmitByPermission} {
			if err := w.s.Set(ctx, w.customer(w.main), sw, true); err != nil {
				t.Fatal(err)
			}
		}
		d, err := w.s.Current(ctx, w.domain.ID)
		if err != nil || !d.ExportByUsers || !d.SubmitByPermission || d.AssumeAll {
			t.Errorf("%+v, %v", d, err)
		}
		for name, who := range map[string]principal.Principal{"a sub-user": w.customer(w.sub), "an administrator": {Kind: principal.Engineer, Role: principal.RoleAdministrator, Domain: principal.House}, "nobody": {}} {
			if err := w.s.Set(ctx, who, identity.SwitchExport, false); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := w.s.Set(ctx, w.customer(w.main), "nonsense", true); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("an unknown switch: %v", err)
		}
		got := w.kinds(t, w.domain.ID, "domain", w.domain.ID)
		if n := len(got) - len(slices.DeleteFunc(slices.Clone(got), func(k string) bool { return k == "domain.privilege" })); n != 4 {
			t.Errorf("%d events of four changes: %v", n, got)
		}
	})
}
