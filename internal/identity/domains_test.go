package identity_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// TestDomainsByUsers: accounts are found by the beginnings of their users' names
// and by whole contacts, together with words of the account's own; who they are
// is said. The house's people, one letter and erased people find nothing.
func TestDomainsByUsers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		other, err := w.s.CreateDomain(ctx, w.system, identity.NewDomain{Name: "Kontor"})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range []identity.NewUser{
			{Domain: other.ID, Name: "quentin.vogel", Main: true, Password: "Correct-Horse-7", Mail: "Q.Vogel@Kontor.example", AreaCode: "86", Mobile: "13912345678"},
			{Domain: other.ID, Name: "quentin2", Password: "Correct-Horse-7"}, {Domain: other.ID, Name: "quentin3", Password: "Correct-Horse-7"}, {Domain: other.ID, Name: "quentin4", Password: "Correct-Horse-7"},
			{Domain: other.ID, Name: "王小云", Password: "Correct-Horse-7"},
			{Domain: w.domain.ID, Name: "quirin", Password: "Correct-Horse-7"},
			{Domain: principal.House, Name: "quax", Password: "Correct-Horse-7", Role: principal.RoleEngineer},
		} {
			if _, err := w.s.CreateUser(ctx, w.system, u); err != nil {
				t.Fatal(u.Name, err)
			}
		}
		for words, want := range map[string]string{
			"quentin": "Kontor: quentin.vogel, quentin2, quentin3", "QUENT": "Kontor: quentin.vogel, quentin2, quentin3", "vogel": "Kontor: quentin.vogel", "ogel": "", "quirin": w.domain.Name + ": quirin", "qu kont": "Kontor: quentin.vogel, quentin2, quentin3",
			"q.vogel@KONTOR.example": "Kontor: quentin.vogel", "vogel@kontor.example": "", "139 1234 5678": "", "13912345678": "Kontor: quentin.vogel", "+8613912345678": "Kontor: quentin.vogel", "1391234567": "",
			"小": "Kontor: 王小云", "王小": "Kontor: 王小云", "quax": "", "kontor": "Kontor: ", "quentin nobody": "",
			"qu que quen quent": "Kontor: quentin.vogel, quentin2, quentin3", "qu que quen quent quentin": "", "qu que quen quent kontor": "Kontor: quentin.vogel, quentin2, quentin3",
		} {
			page, total, _, err := w.s.Domains(ctx, w.system, identity.DomainFilter{Words: words})
			if err != nil || total != len(page) {
				t.Fatalf("%q: %d of %d, %v", words, len(page), total, err)
			}
			var got []string
			for _, d := range page {
				var names []string
				for _, u := range d.Found {
					names = append(names, u.Name)
				}
				got = append(got, d.Name+": "+strings.Join(names, ", "))
			}
			if strings.Join(got, "; ") != want {
				t.Errorf("%q finds %q, want %q", words, got, want)
			}
		}
		auditor := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "a", Role: principal.RoleAuditor}
		if page, total, _, err := w.s.Domains(ctx, auditor, identity.DomainFilter{Words: "quentin"}); err != nil || total != 0 || len(page) != 0 {
			t.Errorf("an auditor finds %+v by a name he does not see: %v", page, err)
		}
		if page, _, _, err := w.s.Domains(ctx, auditor, identity.DomainFilter{Words: "kontor"}); err != nil || len(page) != 1 || len(page[0].Found) != 0 {
			t.Errorf("an auditor is told of %+v: %v", page, err)
		}
	})
}

// TestDomainsByNewestUsers: a word looks among the newest 1,000 people it finds,
// whatever account they are of.
func TestDomainsByNewestUsers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		older, err := w.s.CreateDomain(ctx, w.system, identity.NewDomain{Name: "Kontor"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.CreateUser(ctx, w.system, identity.NewUser{Domain: older.ID, Name: "quentin.vogel", Main: true, Password: "Correct-Horse-7"}); err != nil {
			t.Fatal(err)
		}
		terms := search.NewHasher(w.keys)
		more := func(n int) {
			t.Helper()
			if err := w.d.Update(ctx, func(tx *db.Tx) error {
				for range n {
					search.Put(tx, true, search.Doc{Domain: w.domain.ID, Kind: search.KindUser, ID: tx.NewID(), Secret: terms.Terms("quentin")})
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		check := func(words string, want ...string) {
			t.Helper()
			var got []string
			page, total, _, err := w.s.Domains(ctx, w.system, identity.DomainFilter{Words: words})
			for _, d := range page {
				got = append(got, d.Name)
			}
			if slices.Sort(got); err != nil || total != len(want) || !slices.Equal(got, want) {
				t.Errorf("%q finds %v of %d (%v), want %v", words, got, total, err, want)
			}
		}
		more(999)
		check("qu", "Kontor", "云帆")
		more(1)
		check("qu", "云帆")
		check("vogel", "Kontor")
	})
}

// TestDomains: pages by name, words in name and id, each filter alone, limits;
// only who inspects accounts may ask.
func TestDomains(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		made := map[string]identity.Domain{w.domain.Name: w.domain}
		for _, n := range []identity.NewDomain{{Name: "Äpfel & Söhne"}, {Name: "云帆 科技"}, {Name: "100%_sure!"}, {Name: "Box", Sandbox: true}, {Name: "100 sure"}} {
			d, err := w.s.CreateDomain(ctx, w.system, n)
			if err != nil {
				t.Fatal(err)
			}
			made[n.Name] = d
		}
		names := func(f identity.DomainFilter) (all []string) {
			t.Helper()
			for total := -1; ; {
				page, n, next, err := w.s.Domains(ctx, w.system, f)
				if err != nil || total != -1 && n != total || f.Limit != 0 && len(page) > f.Limit {
					t.Fatalf("%+v: %d of %d (%d before) %v", f, len(page), n, total, err)
				}
				for _, d := range page {
					all = append(all, d.Name)
				}
				if total, f.After = n, next; next == "" {
					if len(all) != total {
						t.Errorf("%+v: %d, said %d", f, len(all), total)
					}
					return all
				}
			}
		}
		all := names(identity.DomainFilter{Limit: 2})
		if whole := names(identity.DomainFilter{}); len(all) != len(made) || strings.Join(all, "|") != strings.Join(whole, "|") {
			t.Errorf("by pages %q, at once %q", all, whole)
		}
		for words, want := range map[string]string{
			"äpfel": "Äpfel & Söhne", "ÄPFEL": "Äpfel & Söhne", "SÖHNE äp": "Äpfel & Söhne", "söhne box": "", "帆 科": "云帆 科技", "科技　云": "云帆 科技", "%": "100%_sure!", "_": "100%_sure!", "!": "100%_sure!",
			"ＢＯＸ": "Box", strings.ToUpper(made["Box"].ID): "Box", " ": strings.Join(all, "|"), "house-": "",
		} {
			if got := strings.Join(names(identity.DomainFilter{Words: words}), "|"); got != want {
				t.Errorf("%q finds %q, want %q", words, got, want)
			}
		}
		if err := w.s.DisableDomain(ctx, w.system, made["100 sure"].ID, true); err != nil {
			t.Fatal(err)
		}
		yes := true
		for _, c := range []struct {
			f    identity.DomainFilter
			want string
		}{
			{identity.DomainFilter{State: identity.DomainDisabled}, "100 sure"}, {identity.DomainFilter{State: identity.DomainClosed}, ""}, {identity.DomainFilter{Sandbox: &yes}, "Box"},
			{identity.DomainFilter{State: identity.DomainActive, Words: "sure"}, "100%_sure!"}, {identity.DomainFilter{IDs: []string{made["Box"].ID, "nobody", principal.House}}, "Box"},
			{identity.DomainFilter{Plan: "none-such"}, ""}, {identity.DomainFilter{Partner: "none-such"}, ""},
		} {
			if got := strings.Join(names(c.f), "|"); got != c.want {
				t.Errorf("%+v finds %q, want %q", c.f, got, c.want)
			}
		}
		for field, f := range map[string]identity.DomainFilter{"q": {Words: strings.Repeat("字", 257)}, "id": {IDs: make([]string, 101)}, "state": {State: "gone"}} {
			_, _, _, err := w.s.Domains(ctx, w.system, f)
			invalid(t, fmt.Sprint(field), err, field)
		}
		// Renamed between two pages, the last one of the first hides nobody.
		first, _, next, err := w.s.Domains(ctx, w.system, identity.DomainFilter{Limit: 2})
		if err != nil {
			t.Fatal(err)
		}
		last := "龥"
		if _, err := w.s.ChangeDomain(ctx, w.system, first[1].ID, identity.DomainChange{Name: &last}); err != nil {
			t.Fatal(err)
		}
		rest, _, _, err := w.s.Domains(ctx, w.system, identity.DomainFilter{After: next})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range all[2:] {
			if !slices.ContainsFunc(rest, func(d identity.Domain) bool { return d.Name == name }) {
				t.Errorf("%q is not behind %q: %+v", name, next, rest)
			}
		}
		if _, _, _, err := w.s.Domains(ctx, w.system, identity.DomainFilter{Words: strings.Repeat("字", 256), IDs: make([]string, 100)}); err != nil {
			t.Error(err)
		}
		for _, who := range []principal.Principal{w.subject(), {Kind: principal.Engineer, Domain: principal.House, User: "e"}} {
			if _, _, _, err := w.s.Domains(ctx, who, identity.DomainFilter{}); err == nil {
				t.Errorf("%+v lists accounts", who)
			}
		}
	})
}
