package notify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// TestAlerts: who gets another password is told when and from where, by mail, or by
// a text message when there is no address, five a day at most; who has no contact
// changes it all the same. Nobody is told of what Casemate itself does.
func TestAlerts(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		ctx, post := w.t.Context(), &recorder{as: "post"}
		people := identity.New(w.db, w.keys, identity.Options{PasswordMemory: 64})
		w.serve(notify.Options{Identity: people, Mail: []notify.Channel{post}, SMS: []notify.Channel{post}})
		house := principal.AsSystem(principal.House)
		d, err := people.CreateDomain(ctx, house, identity.NewDomain{Name: "Acme"})
		if err != nil {
			w.t.Fatal(err)
		}
		who := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "root", Role: principal.RoleAdministrator, Address: "198.51.100.9"}
		set := func(by principal.Principal, u identity.User, n int) {
			w.t.Helper()
			if err := people.SetPassword(ctx, by, d.ID, u.ID, fmt.Sprint("a long password ", n)); err != nil {
				w.t.Fatal(err)
			}
			w.work()
		}
		user := func(in identity.NewUser) identity.User {
			w.t.Helper()
			in.Domain, in.Password = d.ID, "a long password"
			u, err := people.CreateUser(ctx, house, in)
			if err != nil {
				w.t.Fatal(err)
			}
			return u
		}
		both := user(identity.NewUser{Name: "both", Main: true, Mail: "li@example.com", Mobile: "13800138000", AreaCode: "86", Language: locale.EN, Zone: "Asia/Shanghai"})
		number := user(identity.NewUser{Name: "number", Mobile: "13900139000", AreaCode: "86", Language: locale.ZH})
		none := user(identity.NewUser{Name: "none"})
		set(house, both, 1)
		set(who, none, 1)
		if n := len(post.got); n != 0 {
			w.t.Fatalf("%d messages", n)
		}
		set(who, both, 2)
		got := post.got
		if len(got) != 1 || got[0].Way != notify.Mail || got[0].To != "li@example.com" || got[0].Template != notify.TemplateAccount {
			w.t.Fatalf("%+v", got)
		}
		zone, err := time.LoadLocation("Asia/Shanghai")
		if err != nil {
			w.t.Fatal(err)
		}
		when := w.clock.Now().In(zone).Format("2006-01-02 15:04 +0800")
		for _, word := range []string{"the password was changed", when, "198.51.100.9", "If it was not"} {
			if !strings.Contains(got[0].Text, word) {
				w.t.Errorf("no %q in %s", word, got[0].Text)
			}
		}
		for i := range 7 {
			set(who, number, 10+i)
		}
		got = post.got[1:]
		if len(got) != 5 || got[0].Way != notify.SMS || !strings.Contains(got[0].Text, "密码已更改") || !strings.Contains(got[0].Text, "如非本人操作") {
			w.t.Errorf("%d text messages: %+v", len(got), got)
		}
		var left int
		if err := w.db.View(ctx, func(tx *db.Tx) error {
			return tx.Get("SELECT count(*) FROM events WHERE domain_id = ? AND kind = 'user.password'", d.ID).Scan(&left)
		}); err != nil || left != 10 {
			w.t.Errorf("%d passwords were set, %v", left, err)
		}
	})
}
