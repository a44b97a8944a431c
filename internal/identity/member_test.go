package identity_test

import (
	"errors"
	"testing"

	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/locale"
)

// TestMemberPutBesideContacts: a member is readied before the transaction that
// writes him. What somebody changes in between stays: zone and language leave
// contacts and each other alone, and a new name, by which he is found together with
// his contacts, is refused.
func TestMemberPutBesideContacts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		readied := func(change func(*identity.User)) identity.Readied {
			t.Helper()
			var p identity.People
			must(w.d.View(ctx, func(tx *db.Tx) (err error) { p, err = identity.PeopleIn(tx); return err }))
			for i, m := range p.Members {
				if m.ID == w.main.ID {
					next := m.User
					next.Name = ""
					change(&next)
					r, err := w.s.Ready(ctx, &p.Members[i], next)
					must(err)
					return r
				}
			}
			t.Fatal("no such member")
			return identity.Readied{}
		}
		put := func(r identity.Readied) error {
			return w.d.Update(ctx, func(tx *db.Tx) error { identity.PutMemberIn(tx, w.system, r); return nil })
		}
		change := func(c identity.UserChange) {
			t.Helper()
			_, err := w.s.ChangeUser(ctx, w.system, w.domain.ID, w.main.ID, c)
			must(err)
		}
		want := func(what string, name, mobile, mail, zone string, language locale.Language) {
			t.Helper()
			u, err := w.s.User(ctx, w.system, w.domain.ID, w.main.ID)
			must(err)
			if u.Name != name || u.Mobile != mobile || u.Mail != mail || u.Zone != zone || u.Language != language {
				t.Errorf("%s: %+v", what, u)
			}
			if w.text(t, "SELECT mobile_hash FROM users WHERE id = ?", w.main.ID) != w.s.ContactHash(identity.SMS, mobile) {
				t.Errorf("%s: the number is not found by its hash", what)
			}
		}
		mobile, mail, language, zone, name := "13900139000", "new@example.com", locale.EN, "Europe/Berlin", "Renamed"
		before, err := w.s.User(ctx, w.system, w.domain.ID, w.main.ID)
		must(err)

		r := readied(func(u *identity.User) { u.Zone = zone })
		change(identity.UserChange{Mobile: &mobile, Mail: &mail, Language: &language})
		must(put(r))
		now, err := w.s.User(ctx, w.system, w.domain.ID, w.main.ID)
		must(err)
		if now.Mobile == before.Mobile {
			t.Fatal("the number did not change")
		}
		want("a zone beside contacts", before.Name, now.Mobile, mail, zone, locale.EN)

		r = readied(func(u *identity.User) { u.Name = name })
		other := "13700137000"
		change(identity.UserChange{Mobile: &other})
		if err := put(r); !errors.Is(err, db.ErrRows) {
			t.Errorf("a name beside contacts: %v", err)
		}
		now, err = w.s.User(ctx, w.system, w.domain.ID, w.main.ID)
		must(err)
		want("a name that came too late", before.Name, now.Mobile, mail, zone, locale.EN)

		must(put(readied(func(u *identity.User) { u.Name, u.Zone = name, "" })))
		want("a name", name, now.Mobile, mail, "", locale.EN)
	})
}
