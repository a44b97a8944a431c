package identity_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/seal"
)

// put writes rows past the nouns.
func (w *world) put(t *testing.T, sql string, args ...any) {
	t.Helper()
	if err := w.d.Update(t.Context(), func(tx *db.Tx) error { tx.Write(db.Any, sql, args...); return nil }); err != nil {
		t.Fatal(err)
	}
}

// hold puts a legal hold, as package privacy does.
func (w *world) hold(t *testing.T, id, kind, domain, subject string, until int64) {
	t.Helper()
	w.put(t, `INSERT INTO privacy_holds (id, kind, domain_id, subject_id, reason, held_until, created_at, actor, released_at, released_by, release_reason)
		VALUES (?, ?, ?, ?, '', ?, 1, 'u', 0, '', '')`, id, kind, domain, subject, until)
}

func (w *world) text(t *testing.T, sql string, args ...any) (s string) {
	t.Helper()
	if err := w.d.View(t.Context(), func(tx *db.Tx) error { return tx.Get(sql, args...).Scan(&s) }); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCloseHeld: an account under a legal hold, or with a ticket, a person or a
// person's contact under one, is neither closed nor removed with the demo, and
// keeps its people's keys; a hold elsewhere, one that is over or released is none.
func TestCloseHeld(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		if err := w.s.DisableDomain(ctx, w.system, w.domain.ID, true); err != nil {
			t.Fatal(err)
		}
		if err := w.s.MarkDemo(ctx, w.system, identity.DemoMark{Kind: identity.DemoDomain, ID: w.domain.ID}); err != nil {
			t.Fatal(err)
		}
		other, stranger := w.second(t)
		w.hold(t, "h-else", "domain", other.ID, other.ID, 0)
		w.hold(t, "h-stranger", "person", other.ID, stranger.User, 0)
		w.hold(t, "h-over", "domain", w.domain.ID, w.domain.ID, w.clock.Now().Add(-time.Hour).UnixMilli())
		w.hold(t, "h-guest", "person", "", w.s.ContactHash(identity.Mail, "guest@outside.example"), 0)
		for _, h := range [][3]string{{"domain", w.domain.ID, w.domain.ID}, {"ticket", w.domain.ID, "a-ticket"}, {"person", w.domain.ID, w.sub.ID}, {"person", "", w.s.ContactHash(identity.Mail, "main@example.com")}} {
			id := "h-" + h[0] + h[1]
			w.hold(t, id, h[0], h[1], h[2], 0)
			_, err := w.s.CloseDomain(ctx, w.system, w.domain.ID, w.domain.Name)
			if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), id) {
				t.Errorf("closed under %v: %v", h, err)
			}
			if err := w.s.RemoveDemoDomain(ctx, w.system, w.domain.ID); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), id) {
				t.Errorf("removed under %v: %v", h, err)
			}
			if u, err := w.s.User(ctx, w.system, w.domain.ID, w.main.ID); err != nil || u.Name != "Main" {
				t.Fatalf("under %v: %+v, %v", h, u, err)
			}
			w.put(t, "UPDATE privacy_holds SET released_at = 1 WHERE id = ?", id)
		}
		if d, err := w.s.CloseDomain(ctx, w.system, w.domain.ID, w.domain.Name); err != nil || d.Closed == 0 {
			t.Errorf("released: %+v, %v", d, err)
		}
	})
}

// TestCloseLogins: nothing that people of a closed account came in with stays.
func TestCloseLogins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		if _, c, err := w.browse(t, "sub"); c != nil || err != nil {
			t.Fatalf("%v %v", c, err)
		}
		w.enrolled(t)
		if _, c, err := w.browse(t, "sub"); c == nil || err != nil {
			t.Fatalf("%v %v", c, err)
		}
		w.put(t, `INSERT INTO user_links (domain_id, issuer_hash, user_id, provider, subject, refresh, made_user, gone_at, checked_at, tried_at, created_at)
			VALUES (?, 'h', ?, 'p', '', '', 1, 0, 1, 1, 1)`, w.domain.ID, w.sub.ID)
		tables := []string{"browser_sessions", "second_factors", "recovery_codes", "login_challenges", "user_links"}
		count := func(table string) string {
			return w.text(t, "SELECT CAST(count(*) AS TEXT) FROM "+table+" WHERE domain_id = ?", w.domain.ID)
		}
		for _, table := range tables {
			if count(table) == "0" {
				t.Errorf("nothing in %s to begin with", table)
			}
		}
		if err := w.s.DisableDomain(ctx, w.system, w.domain.ID, true); err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.CloseDomain(ctx, w.system, w.domain.ID, w.domain.Name); err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			if n := count(table); n != "0" {
				t.Errorf("%s rows of %s are left", n, table)
			}
		}
	})
}

// TestFactorOfPerson: the secret of a second factor is sealed with the person's
// key: once that is destroyed, it opens nowhere.
func TestFactorOfPerson(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.enrolled(t)
		sealed := w.text(t, "SELECT secret FROM second_factors WHERE domain_id = ?", w.domain.ID)
		at := seal.Place{Table: "second_factors", Column: "secret", Row: w.sub.ID}
		if _, err := w.keys.Open(at, sealed); err == nil {
			t.Error("the installation's key opens it")
		}
		p, err := w.keys.Person(t.Context(), w.sub.ID)
		if err != nil {
			t.Fatal(err)
		}
		if secret, err := p.Open(at, sealed); err != nil || len(secret) != 20 {
			t.Errorf("the person's key: %d bytes, %v", len(secret), err)
		}
		if err := w.keys.Destroy(t.Context(), w.sub.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.BeginFactor(t.Context(), w.subject()); err == nil || errors.Is(err, seal.ErrErased) {
			t.Errorf("of an erased person: %v", err)
		}
	})
}
