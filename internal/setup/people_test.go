package setup_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/privacy"
	"casemate/internal/setup"
)

func (w *world) exported(with setup.With) map[string]string {
	w.t.Helper()
	tree, err := w.s.Export(w.t.Context(), house, 0, with)
	w.OK(err)
	return tree.Files
}

// peopled gives the world an administrator, a group, two keys and a rule of
// retention.
func (w *world) peopled() (admin principal.Principal, group identity.Group, key identity.AccessKey) {
	ctx := w.t.Context()
	admin = w.Engineer("root-admin", "Root", principal.RoleAdministrator)
	group, err := w.Ident.CreateGroup(ctx, house, identity.NewGroup{Domain: w.Boss.Domain, Name: "运维 Ops", Roles: []string{identity.TicketAdministrator}})
	w.OK(err)
	w.OK(w.Ident.AddMember(ctx, house, w.Boss.Domain, group.ID, w.Li.User))
	key, err = w.Ident.CreateDescribedKey(ctx, house, w.Boss.Domain, w.Li.User, "of a script")
	w.OK(err)
	_, err = w.p.SetRetention(ctx, house, privacy.Retention{Kind: "mails", Days: 400})
	w.OK(err)
	return admin, group, key
}

// eventsOf are how many events of each kind there are, sealed or not.
func (w *world) eventsOf() map[string]int {
	out := map[string]int{}
	w.OK(w.DB.View(w.t.Context(), func(tx *db.Tx) error {
		clear(out)
		return tx.List(func(r db.Row) error {
			var kind string
			var n int
			err := r.Scan(&kind, &n)
			out[kind] = n
			return err
		}, "SELECT kind, count(*) FROM events /* all domains: a test counts */ GROUP BY kind")
	}))
	return out
}

// TestExportIsAnEvent: whoever takes accounts or people along leaves an event that
// says which, once per export; an export of the service's shape, and one that is
// refused, leave none.
func TestExportIsAnEvent(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		admin, _, _ := w.peopled()
		get := func(who principal.Principal, version int64, with setup.With) error {
			_, err := w.s.Export(ctx, who, version, with)
			return err
		}
		w.OK(get(admin, 0, setup.With{}))
		if n := w.eventsOf()["config.export"]; n != 0 {
			w.t.Errorf("%d events of exports without people", n)
		}
		w.OK(get(admin, 0, setup.With{Accounts: true}))
		w.OK(get(admin, 0, setup.With{People: true}))
		if err := get(w.Emma, 0, setup.With{People: true}); fault.KindOf(err) != fault.Forbidden {
			w.t.Errorf("an engineer: %v", err)
		}
		if err := get(admin, 99, setup.With{People: true}); !errors.Is(err, setup.ErrNoVersion) {
			w.t.Errorf("no version: %v", err)
		}
		var got []string
		w.OK(w.DB.View(ctx, func(tx *db.Tx) error {
			got = nil
			return tx.List(func(r db.Row) error {
				var actor, data string
				err := r.Scan(&actor, &data)
				got = append(got, actor+" "+strings.ReplaceAll(data, " ", ""))
				return err
			}, "SELECT actor, data FROM events WHERE domain_id = ? AND kind = 'config.export' ORDER BY id", principal.House)
		}))
		want := []string{admin.User + ` {"accounts":true,"people":false}`, admin.User + ` {"accounts":true,"people":true}`}
		if !slices.Equal(got, want) {
			w.t.Errorf("events %q, want %q", got, want)
		}
	})
}

// TestAccounts: the folder accounts is there for who asks, without what is
// personal unless that is asked for, too; a tree with it changes accounts, people,
// groups and keys when that is meant, one event each, and its plan says so first.
// Versions keep no name, and going back gives and takes the rights again.
func TestAccounts(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		admin, group, key := w.peopled()
		plain, bare, full := w.export(), w.exported(setup.With{Accounts: true}), w.exported(setup.With{People: true})
		for p := range plain {
			if strings.HasPrefix(p, "accounts/") {
				w.t.Errorf("%s is exported unasked", p)
			}
		}
		for p, text := range bare {
			if strings.Contains(text, "root-admin") || strings.Contains(text, "$argon") {
				w.t.Errorf("%s has a name: %s", p, text)
			}
		}
		if !strings.Contains(full["accounts/users.yaml"], "name: root-admin") || strings.Contains(bare["accounts/keys.yaml"], "of a script") || !strings.Contains(bare["accounts/keys.yaml"], key.ID) {
			w.t.Errorf("the exports: %s\n%s", full["accounts/users.yaml"], bare["accounts/keys.yaml"])
		}
		w.nothing(bare, "an export with accounts")
		w.nothing(full, "an export with people")

		files := change(w.t, full, "accounts/users.yaml", "name: emma", "name: emma2\n    state: disabled")
		files["accounts/users.yaml"] = strings.Replace(files["accounts/users.yaml"], "alias: Emma\n    state: active", "alias: Emma", 1)
		files = change(w.t, files, "accounts/users.yaml", "      - supervisor\n", "      - engineer\n      - auditor\n")
		files["accounts/users.yaml"] += "  - {id: new-hire, domain_id: house, name: hire, roles: [engineer], language: en-us}\n" +
			"  - {id: acme-main, domain_id: acme, main: true, name: acme}\n  - {id: acme-ops, domain_id: acme, name: ops}\n"
		files["accounts/accounts.yaml"] += "  - {id: acme, name: Acme 公司, quota: 7, export_by_users: true}\n"
		files = change(w.t, files, "accounts/accounts.yaml", "assume_all: false", "assume_all: true")
		files["domains.yaml"] += "  - {id: acme, plan: Business, partner_id: " + w.partner.ID + "}\n"
		files["accounts/groups.yaml"] = "groups:\n  - id: " + group.ID + "\n    members: []\n  - {id: acme-desk, domain_id: acme, name: Desk, roles: [ticket_group_operator], members: [acme-ops]}\n"
		files["accounts/keys.yaml"] = "keys:\n  - {id: " + key.ID + ", state: disabled}\n  - {id: ACMEACMEACMEACME0001, user_id: acme-ops, description: CI}\n"
		files["teams.yaml"] += "  - {id: hires, name: {en: Hires}, members: [new-hire]}\n"
		files = change(w.t, files, "retention.yaml", "days: 400", "days: 30")
		plan := w.plan(files)
		var told []string
		for _, n := range plan.Notices {
			told = append(told, n.EN)
			if n.ZH == "" || n.ZH == n.EN || strings.Contains(n.ZH+n.EN, "%!") {
				w.t.Errorf("a notice: %q, %q", n.ZH, n.EN)
			}
		}
		said := strings.Join(told, "\n")
		for _, want := range []string{"new account Acme 公司 (acme)", "sub-users may export tickets", "sub-users act on every ticket", "new user hire (new-hire)", "(" + w.lead.User + ") gets the role engineer, auditor",
			"loses the role supervisor", w.Emma.User + ") is shut out", "another log-in name", "leaves group 运维 Ops", "group Desk (acme-desk) (1 members) gets the right ticket_group_operator", "new access key ACMEACMEACMEACME0001 of user",
			"access key " + key.ID, "is stopped", "retention of mails, 30 days: 0 records go at once"} {
			if !strings.Contains(said, want) {
				w.t.Errorf("no notice %q in\n%s", want, said)
			}
		}
		if plan.Changes[0].Section[:9] != "accounts/" {
			w.t.Errorf("the first change is of %s", plan.Changes[0].Section)
		}
		before, events := w.dump(), w.eventsOf()
		if _, err := w.s.Apply(ctx, house, bytesOf(files), setup.How{Base: plan.Base}); fault.KindOf(err) != fault.Invalid || !maps.Equal(before, w.dump()) {
			w.t.Errorf("unasked: %v", err)
		}
		w.s.Interrupt(func() error { return errors.New("boom") })
		if _, err := w.s.Apply(ctx, house, bytesOf(files), setup.How{Accounts: true}); err == nil || !maps.Equal(before, w.dump()) {
			w.t.Errorf("what fails at its end left something (%v)", err)
		}
		w.s.Interrupt(nil)
		done, err := w.s.Apply(ctx, admin, bytesOf(files), setup.How{Base: plan.Base, Accounts: true})
		w.OK(err)
		if len(done.Keys) != 1 || done.Keys[0].ID != "ACMEACMEACMEACME0001" || len(done.Keys[0].Secret) != 40 {
			w.t.Errorf("the new keys: %+v", done.Keys)
		}
		w.nothing(files, "behind apply")
		after := w.exported(setup.With{People: true})
		w.nothing(after, "an export behind apply")
		for kind, n := range map[string]int{"domain.create": 1, "user.create": 3, "user.change": 1, "user.disable": 1, "user.roles": 3, "group.create": 1, "group.add": 1, "group.remove": 1, "key.create": 1, "key.disable": 1, "domain.privilege": 2,
			"domain.change": 1, "domain.plan": 1, "domain.partner": 1, "privacy.retention.set": 1} {
			if got := w.eventsOf()[kind] - events[kind]; got != n {
				w.t.Errorf("%d events %s, want %d", got, kind, n)
			}
		}
		// It is so, as other doors tell.
		if u, err := w.Ident.User(ctx, house, principal.House, w.Emma.User); err != nil || !u.Disabled || u.Name != "emma2" {
			w.t.Errorf("the disabled one: %+v, %v", u, err)
		}
		if d, err := w.Ident.Domain(ctx, house, "acme"); err != nil || d.Quota != 7 || !d.ExportByUsers || d.Plan != "Business" || d.Project == "" {
			w.t.Errorf("the new account: %+v, %v", d, err)
		}
		w.OK(w.Ident.SetPassword(ctx, house, "acme", "acme-main", "a password of mine"))
		versions, err := w.s.Versions(ctx, house, 0, 10)
		w.OK(err)
		for _, v := range versions {
			tree, err := w.s.Export(ctx, house, v.Version, setup.With{Accounts: true})
			w.OK(err)
			for p, text := range tree.Files {
				for _, name := range []string{"root-admin", "emma2", "name: hire", "Root"} {
					if strings.Contains(text, name) {
						w.t.Errorf("version %d keeps %s in %s", v.Version, name, p)
					}
				}
			}
		}
		// Going back leaves accounts alone unless that is meant.
		p, err := w.s.Rollback(ctx, house, done.Version-1, setup.How{}, true)
		w.OK(err)
		for _, c := range p.Changes {
			if strings.HasPrefix(c.Section, "accounts/") {
				w.t.Errorf("going back changes %s %s", c.Section, c.ID)
			}
		}
		_, err = w.s.Rollback(ctx, house, done.Version-1, setup.How{Accounts: true}, false)
		w.OK(err)
		if u, err := w.Ident.User(ctx, house, principal.House, w.Emma.User); err != nil || u.Disabled || u.Name != "emma2" {
			w.t.Errorf("after going back: %+v, %v", u, err)
		}
		if u, err := w.Ident.User(ctx, house, principal.House, w.lead.User); err != nil || u.Roles != principal.RoleSupervisor {
			w.t.Errorf("after going back: %+v, %v", u, err)
		}
		groups, err := w.Ident.Groups(ctx, house, w.Boss.Domain)
		w.OK(err)
		if len(groups) != 1 || !slices.Equal(groups[0].Members, []string{w.Li.User}) {
			w.t.Errorf("after going back: %+v", groups)
		}
		// Groups and keys go when their entry says so.
		gone := map[string]string{"accounts/groups.yaml": "groups:\n  - {id: " + group.ID + ", state: removed}\n", "accounts/keys.yaml": "keys:\n  - {id: " + key.ID + ", state: removed}\n"}
		_, err = w.s.Apply(ctx, house, bytesOf(gone), setup.How{Accounts: true})
		w.OK(err)
		w.nothing(gone, "what is gone")
		if _, err := w.Ident.AccessKey(ctx, house, key.ID); !errors.Is(err, identity.ErrNoKey) {
			w.t.Errorf("the removed key: %v", err)
		}
	})
}

// TestAccountsRefused: nobody takes the last administrator away, nor his own right;
// what does not fit is told with its place, and changes nothing.
func TestAccountsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		admin, _, key := w.peopled()
		before := w.dump()
		user := func(text string) map[string]string {
			return map[string]string{"accounts/users.yaml": "users:\n" + text}
		}
		for _, b := range []struct {
			name     string
			files    map[string]string
			who      principal.Principal
			at, word string
		}{
			{"the last administrator", user("  - id: " + admin.User + "\n    roles: [engineer]\n"), house, "accounts/users.yaml:3:5", "last administrator"},
			{"the last administrator is shut out", user("  - id: " + admin.User + "\n    state: disabled\n"), house, "accounts/users.yaml:2:", "last administrator"},
			{"oneself", user("  - id: " + admin.User + "\n    state: disabled\n  - {id: other, domain_id: house, name: other, roles: [administrator]}\n"), admin, "accounts/users.yaml:2:5", "his own right"},
			{"a role that is none", user("  - id: " + w.Chen.User + "\n    roles: [king]\n"), house, "accounts/users.yaml:3:", "king"},
			{"a role of a customer", user("  - id: " + w.Li.User + "\n    roles: [engineer]\n"), house, "accounts/users.yaml:3:5", "engineer"},
			{"no role", user("  - id: " + w.Chen.User + "\n    roles: []\n"), house, "accounts/users.yaml:3:5", "no role"},
			{"another account", user("  - id: " + w.Li.User + "\n    domain_id: " + w.Foreign.Domain + "\n"), house, "accounts/users.yaml:3:5", "cannot change"},
			{"a taken name", user("  - {id: a, domain_id: " + w.Boss.Domain + ", name: LI}\n"), house, "accounts/users.yaml:2:", "taken"},
			{"no name", user("  - {id: a, domain_id: " + w.Boss.Domain + "}\n"), house, "accounts/users.yaml:2:", "name"},
			{"a second main account", user("  - {id: a, domain_id: " + w.Boss.Domain + ", name: a, main: true}\n"), house, "accounts/users.yaml:2:", "main account"},
			{"a password", user("  - id: " + w.Li.User + "\n    password: secret123\n"), house, "accounts/users.yaml:3:5", "password"},
			{"an unknown account", user("  - {id: a, domain_id: nowhere, name: a}\n"), house, "accounts/users.yaml:2:", "nowhere"},
			{"no main account", map[string]string{"accounts/accounts.yaml": "accounts:\n  - {id: a, name: A}\n", "accounts/users.yaml": "users:\n  - {id: a, domain_id: a, name: a}\n"}, house, "accounts/users.yaml:2:", "main"},
			{"a taken account name", map[string]string{"accounts/accounts.yaml": "accounts:\n  - id: " + w.Boss.Domain + "\n    name: house\n"}, house, "accounts/accounts.yaml:3:5", "reserved"},
			{"a state that is none", map[string]string{"accounts/accounts.yaml": "accounts:\n  - id: " + w.Boss.Domain + "\n    state: closed\n"}, house, "accounts/accounts.yaml:3:5", "active, disabled"},
			{"another's member", map[string]string{"accounts/groups.yaml": "groups:\n  - id: g\n    domain_id: " + w.Boss.Domain + "\n    name: g\n    members: [" + w.Foreign.User + "]\n"}, house, "accounts/groups.yaml:5:", "no user of this account"},
			{"a right that is none", map[string]string{"accounts/groups.yaml": "groups:\n  - id: g\n    domain_id: " + w.Boss.Domain + "\n    name: g\n    roles: [all]\n"}, house, "accounts/groups.yaml:5:", "all"},
			{"a short key", map[string]string{"accounts/keys.yaml": "keys:\n  - {id: ABC, user_id: " + w.Li.User + "}\n"}, house, "accounts/keys.yaml:2:", "16 to 32"},
			{"an engineer's key", map[string]string{"accounts/keys.yaml": "keys:\n  - {id: ABCDABCDABCDABCDABCD, user_id: " + w.Chen.User + "}\n"}, house, "accounts/keys.yaml:2:", "no access keys"},
			{"another's key", map[string]string{"accounts/keys.yaml": "keys:\n  - id: " + key.ID + "\n    user_id: " + w.Wang.User + "\n"}, house, "accounts/keys.yaml:3:5", "cannot change"},
			{"three keys", map[string]string{"accounts/keys.yaml": "keys:\n  - {id: ABCDABCDABCDABCDABC1, user_id: " + w.Wang.User + "}\n  - {id: ABCDABCDABCDABCDABC2, user_id: " + w.Wang.User + "}\n  - {id: ABCDABCDABCDABCDABC3, user_id: " + w.Wang.User + "}\n"}, house, "accounts/keys.yaml:4:", "2 access keys"},
			{"a secret", map[string]string{"accounts/keys.yaml": "keys:\n  - id: " + key.ID + "\n    secret: abc\n"}, house, "accounts/keys.yaml:3:5", "secret"},
			{"a kind of retention", map[string]string{"retention.yaml": "retention:\n  - {id: dreams, days: 3}\n"}, house, "retention.yaml:2:", "mails"},
			{"no days", map[string]string{"retention.yaml": "retention:\n  - id: mails\n    days: 0\n"}, house, "retention.yaml:3:5", "between 1 and"},
			{"an unknown file", map[string]string{"accounts/passwords.yaml": "passwords: []\n"}, house, "accounts/passwords.yaml", "accounts/users"},
		} {
			_, err := w.s.Apply(ctx, b.who, bytesOf(b.files), setup.How{Accounts: true})
			broken := (*setup.Broken)(nil)
			if !errors.As(err, &broken) {
				w.t.Errorf("%s: %v", b.name, err)
				continue
			}
			f, _ := fault.As(err)
			text := locale.Text(locale.EN, f)
			if !strings.Contains(text, b.at) || !strings.Contains(text, b.word) {
				w.t.Errorf("%s: want %s ... %s, have %s", b.name, b.at, b.word, text)
			}
		}
		if !maps.Equal(before, w.dump()) {
			w.t.Error("refused files changed something")
		}
		if _, err := w.s.Rollback(ctx, house, 1, setup.How{Accounts: true}, true); err == nil {
			w.t.Error("went back to a version that is not there")
		}
		if _, err := w.s.Apply(ctx, w.lead, bytesOf(user("  - id: "+w.Chen.User+"\n    roles: [administrator]\n")), setup.How{Accounts: true}); fault.KindOf(err) != fault.Forbidden {
			w.t.Errorf("a supervisor: %v", err)
		}
	})
}

// TestApplyHoldsTheWriterShortly: with many people a tree of accounts is compared
// before the transaction that writes it; in it, only the rows that its changes rest
// on are read again. Who changed one of those meanwhile is not overwritten, and who
// changed another one stops nobody.
func TestApplyHoldsTheWriterShortly(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		w.peopled()
		read := func(files map[string]string) (n int) {
			w.t.Helper()
			w.s.Behind(func(tx *db.Tx) error { n = tx.Read(); return nil })
			defer w.s.Behind(nil)
			_, err := w.s.Apply(ctx, house, bytesOf(files), setup.How{Accounts: true})
			w.OK(err)
			return n
		}
		files := func() map[string]string { return w.exported(setup.With{Accounts: true}) }
		turn := func() map[string]string { // one account's switch
			f := files()
			from, to := "assume_all: false", "assume_all: true"
			if !strings.Contains(f["accounts/accounts.yaml"], from) {
				from, to = to, from
			}
			return change(w.t, f, "accounts/accounts.yaml", from, to)
		}
		few := read(turn())
		const crowd = 300 // what is read is counted: fewer show it as well
		w.OK(w.DB.Update(ctx, func(tx *db.Tx) error {
			for i := range crowd {
				id := fmt.Sprintf("crowd-%05d", i)
				tx.Write(1, "INSERT INTO users (domain_id, id, name_hash, name, mobile, mail, area_code, mobile_hash, mail_hash, password, password_at, main, role, roles, partner_id, alias, public_id, language, zone, disabled, created_at) VALUES (?, ?, ?, 'x', '', '', '', '', '', '', 0, 0, '', '', '', '', '', 'zh-cn', '', 0, 1)",
					w.Boss.Domain, id, id)
			}
			return nil
		}))
		if many := read(turn()); many > few+2 {
			w.t.Errorf("%d rows are read in the transaction with %d more people, %d without", many, crowd, few)
		}
		for _, try := range []struct {
			name, user string
			refused    bool
		}{{"of the one who is changed", w.Li.User, true}, {"of another one", "crowd-00007", false}} {
			entry := "users:\n  - {id: " + w.Li.User + ", language: en-us}\n"
			if try.refused {
				entry = strings.Replace(entry, "en-us", "zh-cn", 1)
			}
			w.s.Before(func() {
				w.OK(w.DB.Update(ctx, func(tx *db.Tx) error {
					tx.Write(1, "UPDATE users SET zone = 'Asia/Tokyo' WHERE domain_id = ? AND id = ?", w.Boss.Domain, try.user)
					return nil
				}))
			})
			_, err := w.s.Apply(ctx, house, map[string][]byte{"accounts/users.yaml": []byte(entry)}, setup.How{Accounts: true})
			w.s.Before(nil)
			if refused := fault.KindOf(err) == fault.Conflict; refused != try.refused || err != nil && !refused {
				w.t.Errorf("a change %s: %v", try.name, err)
			}
			if try.refused && !strings.Contains(fmt.Sprint(err), "accounts/users") {
				w.t.Errorf("the refusal does not name the file: %v", err)
			}
		}
	})
}

// TestNewKeyIsTold: who gets an access key by files is told in the transaction that
// makes it, once; a plan, and keys that are there already, tell nobody.
func TestNewKeyIsTold(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		admin, _, key := w.peopled()
		fresh := "ACMEACMEACMEACME0001"
		told := map[string][]bool{} // by user: was the key there
		w.Ident.Alerts(func(_ context.Context, who principal.Principal, u identity.User, a identity.Alert) (func(*db.Tx) error, error) {
			if who.User != admin.User || a != identity.AlertKey {
				w.t.Errorf("%s tells of %s", who.User, a)
			}
			return func(tx *db.Tx) error {
				var n int
				err := tx.Get("SELECT count(*) FROM access_keys /* all domains: a test counts */ WHERE id = ?", fresh).Scan(&n)
				told[u.ID] = append(told[u.ID], n == 1)
				return err
			}, nil
		})
		files := w.exported(setup.With{Accounts: true})
		files["accounts/keys.yaml"] = "keys:\n  - {id: " + key.ID + ", description: of another}\n  - {id: " + fresh + ", user_id: " + w.Wang.User + "}\n"
		plan := w.plan(files)
		if len(told) != 0 {
			w.t.Errorf("a plan tells %v", told)
		}
		done, err := w.s.Apply(ctx, admin, bytesOf(files), setup.How{Base: plan.Base, Accounts: true})
		w.OK(err)
		if len(done.Keys) != 1 || len(told) != 1 || len(told[w.Wang.User]) == 0 || slices.Contains(told[w.Wang.User], false) {
			w.t.Errorf("%d keys, told %v", len(done.Keys), told)
		}
		clear(told)
		_, err = w.s.Apply(ctx, admin, bytesOf(files), setup.How{Accounts: true})
		w.OK(err)
		if len(told) != 0 {
			w.t.Errorf("the second time: told %v", told)
		}
	})
}

// TestNamesAreOpenedTogether: an export with people reads their keys by few
// statements.
func TestNamesAreOpenedTogether(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		w.peopled()
		for i := range 6 {
			_, err := w.Ident.CreateUser(ctx, house, identity.NewUser{Domain: w.Boss.Domain, Name: fmt.Sprintf("many-%02d", i), Password: "a long enough password"})
			w.OK(err)
		}
		w.Keys.ForgetPeople()
		before := w.Keys.Loads()
		full := w.exported(setup.With{People: true})
		if n := w.Keys.Loads() - before; n > 2 {
			w.t.Errorf("keys were read %d times", n)
		}
		for i := range 6 {
			if want := fmt.Sprintf("name: many-%02d\n", i); !strings.Contains(full["accounts/users.yaml"], want) {
				w.t.Errorf("no %q", want)
			}
		}
	})
}
