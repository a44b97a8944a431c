package identity_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// fieldOf is the field an error names, and its kind.
func fieldOf(err error) (string, fault.Kind) {
	f := (*fault.Error)(nil)
	if !errors.As(err, &f) {
		return "", fault.KindOf(err)
	}
	return f.Field, f.Kind
}

// TestOwnPassword: the old one is asked, what is wrong is named, other sessions
// and tokens end and the own one stays; guesses are counted for themselves.
func TestOwnPassword(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		mine, _, err := w.browse(t, "sub")
		if err != nil {
			t.Fatal(err)
		}
		other, _, err := w.browse(t, "sub")
		if err != nil {
			t.Fatal(err)
		}
		token, err := w.login(t, "云帆", "sub", password)
		if err != nil {
			t.Fatal(err)
		}
		who := w.subject()
		who.Session = mine.ID
		for _, c := range []struct{ old, next, field string }{
			{"", "another horse 1", "old_password"}, {password, "", "new_password"}, {password, "1234567", "new_password"}, {password, strings.Repeat("a", 65), "new_password"},
			{password, password, "new_password"}, {"wrong one here", "another horse 1", "old_password"},
		} {
			if field, _ := fieldOf(w.s.ChangePassword(ctx, who, c.old, c.next, "")); field != c.field {
				t.Errorf("%q to %q names %q, want %q", c.old, c.next, field, c.field)
			}
		}
		if p, err := w.s.OwnPassword(ctx, who); err != nil || !p.Changeable || p.Code || p.Provider != "" || p.Changed == 0 {
			t.Errorf("%+v %v", p, err)
		}
		if err := w.s.ChangePassword(ctx, who, password, strings.Repeat("长", 64), ""); err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.BrowserSession(ctx, mine.Secret); err != nil {
			t.Errorf("the own session: %v", err)
		}
		if _, err := w.s.BrowserSession(ctx, other.Secret); !errors.Is(err, identity.ErrSession) {
			t.Errorf("another session: %v", err)
		}
		if _, err := w.s.ByToken(ctx, token.Secret); err == nil {
			t.Error("a token lives on")
		}
		if _, _, err := w.browse(t, "sub"); !errors.Is(err, identity.ErrLogin) {
			t.Errorf("the old password logs in: %v", err)
		}
		// Five wrong ones, and the right one is refused for the rest of the window; the log-in is not.
		now := strings.Repeat("长", 64)
		for range 5 {
			if field, _ := fieldOf(w.s.ChangePassword(ctx, who, "guess guess", "another horse 1", "")); field != "old_password" {
				t.Errorf("a guess names %q", field)
			}
		}
		err = w.s.ChangePassword(ctx, who, now, "another horse 1", "")
		if _, kind := fieldOf(err); kind != fault.TooMany {
			t.Errorf("behind five guesses: %v", err)
		}
		if _, err := w.login(t, "云帆", "sub", now); err != nil {
			t.Errorf("the log-in is locked, too: %v", err)
		}
		w.clock.Add(16 * time.Minute)
		if err := w.s.ChangePassword(ctx, who, now, "another horse 1", ""); err != nil {
			t.Errorf("after the window: %v", err)
		}
	})
}

// TestOwnPasswordFactor: a code goes with the old password, each once; of many
// changes at once with the same old password one wins.
func TestOwnPasswordFactor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, who := t.Context(), w.subject()
		secret, recovery := w.enrolled(t)
		w.clock.Add(31 * time.Second)
		for code, want := range map[string]string{"": "code", "000000": "code", "not a code": "code"} {
			if field, _ := fieldOf(w.s.ChangePassword(ctx, who, password, "another horse 1", code)); field != want {
				t.Errorf("code %q names %q", code, field)
			}
		}
		if field, _ := fieldOf(w.s.ChangePassword(ctx, who, "wrong one here", "another horse 1", codeAt(t, secret, w.clock.Now()))); field != "old_password" {
			t.Errorf("a right code beside a wrong password names %q", field)
		}
		if p, err := w.s.OwnPassword(ctx, who); err != nil || !p.Code {
			t.Errorf("%+v %v", p, err)
		}
		if err := w.s.ChangePassword(ctx, who, password, "another horse 1", codeAt(t, secret, w.clock.Now())); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 4 {
			wg.Go(func() {
				if w.s.ChangePassword(ctx, who, "another horse 1", "yet another "+recovery[i], recovery[i]) == nil {
					mu.Lock()
					won++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d of four at once won", won)
		}
	})
}

// TestPreferences: what is given is set, the rest stays; limits; a name or key
// twice; what a user searched for does not lie open in the store.
func TestPreferences(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, who := t.Context(), w.subject()
		if p, err := w.s.Preferences(ctx, who); err != nil || !reflect.DeepEqual(p, identity.Preferences{}) {
			t.Errorf("nothing chosen: %+v %v", p, err)
		}
		many := make([]identity.View, 21)
		for field, p := range map[string]identity.Preferences{
			"language": {Language: new(locale.Language("fr"))}, "time_zone": {Zone: new("Mars/Olympus")}, "theme": {Theme: new("pink")}, "views": {Views: many},
			"views.name": {Views: []identity.View{{Name: "a"}, {Name: " A"}}}, "views.query": {Views: []identity.View{{Name: "a", Query: strings.Repeat("q", 501)}}},
			"keys": {Keys: map[string]string{"j": "x", "k": "x"}}, "notices.weather": {Notices: map[string]bool{"weather": true}}, "columns": {Columns: make([]string, 21)},
			"searches": {Searches: make([]identity.View, 51)}, "searches.query": {Searches: []identity.View{{Name: "a", Query: strings.Repeat("查", 501)}}},
			"searches.name": {Searches: []identity.View{{Name: strings.Repeat("名", 65), Query: "q"}}},
		} {
			if _, err := w.s.ChangePreferences(ctx, who, p); err == nil {
				t.Errorf("%s: taken", field)
			} else if got, _ := fieldOf(err); got != field {
				t.Errorf("%s: names %q", field, got)
			}
		}
		views := []identity.View{{Name: "urgent 生产", Query: "status=1&q=zebra"}}
		if _, err := w.s.ChangePreferences(ctx, who, identity.Preferences{Views: views, Zone: new("Asia/Tokyo"), Notices: map[string]bool{identity.NoticeReplied: false}}); err != nil {
			t.Fatal(err)
		}
		p, err := w.s.ChangePreferences(ctx, who, identity.Preferences{Theme: new("dark"), Keys: map[string]string{"j": "n"}, Notices: map[string]bool{identity.NoticeAsked: true}})
		if err != nil {
			t.Fatal(err)
		}
		want := identity.Preferences{Zone: new("Asia/Tokyo"), Theme: new("dark"), Keys: map[string]string{"j": "n"}, Views: views, Notices: map[string]bool{identity.NoticeReplied: false, identity.NoticeAsked: true}}
		if !reflect.DeepEqual(p, want) {
			t.Errorf("got %+v", p)
		}
		if p, err := w.s.Preferences(ctx, who); err != nil || !reflect.DeepEqual(p, want) {
			t.Errorf("read again: %+v %v", p, err)
		}
		for kind, want := range map[string]bool{identity.NoticeReplied: false, identity.NoticeAsked: true, identity.NoticeCreated: true} {
			if on, err := w.s.Wants(ctx, w.domain.ID, w.sub.ID, kind); err != nil || on != want {
				t.Errorf("%s: %v %v", kind, on, err)
			}
		}
		if on, err := w.s.Wants(ctx, w.domain.ID, w.main.ID, identity.NoticeReplied); err != nil || !on {
			t.Errorf("another user's: %v %v", on, err)
		}
		if got, _ := w.s.Preferences(ctx, principal.Principal{Kind: principal.Customer, Domain: w.domain.ID, User: w.main.ID}); got.Views != nil {
			t.Errorf("another user sees %+v", got)
		}
		// Sixteen at once, each another part: none is lost.
		var wg sync.WaitGroup
		for _, change := range []identity.Preferences{{Theme: new("light")}, {Single: new(false)}, {Columns: []string{"product"}}, {Keys: map[string]string{"k": "m"}}} {
			wg.Go(func() {
				if _, err := w.s.ChangePreferences(ctx, who, change); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if p, err := w.s.Preferences(ctx, who); err != nil || *p.Theme != "light" || *p.Single || len(p.Columns) != 1 || p.Keys["k"] != "m" || len(p.Views) != 1 {
			t.Errorf("after four at once: %+v %v", p, err)
		}
		// Searches of the desk: as many as there may be, and none again.
		var searches []identity.View
		for i := range 50 {
			searches = append(searches, identity.View{Name: fmt.Sprint("search ", i), Query: strings.Repeat("查", 500)})
		}
		if p, err := w.s.ChangePreferences(ctx, who, identity.Preferences{Searches: searches}); err != nil || !reflect.DeepEqual(p.Searches, searches) || len(p.Views) != 1 {
			t.Errorf("searches: %+v %v", p, err)
		}
		if p, err := w.s.ChangePreferences(ctx, who, identity.Preferences{Searches: []identity.View{}}); err != nil || len(p.Searches) != 0 || len(p.Views) != 1 {
			t.Errorf("searches deleted: %+v %v", p, err)
		}
		if err := w.s.VerifySealed(ctx); err != nil {
			t.Error(err)
		}
	})
}

// TestOwnKeys: the main account changes keys of others elsewhere, never as its own.
func TestOwnKeys(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		k, err := w.s.CreateDescribedKey(ctx, w.subject(), w.domain.ID, w.sub.ID, "ci")
		if err != nil {
			t.Fatal(err)
		}
		boss := principal.Principal{Kind: principal.Customer, Domain: w.domain.ID, User: w.main.ID, Main: true}
		if _, err := w.s.ChangeOwnKey(ctx, boss, k.ID, identity.KeyChange{Disabled: new(true)}); !errors.Is(err, identity.ErrNoKey) {
			t.Errorf("another's key changed: %v", err)
		}
		if err := w.s.DeleteOwnKey(ctx, boss, k.ID); !errors.Is(err, identity.ErrNoKey) {
			t.Errorf("another's key deleted: %v", err)
		}
		if k, err := w.s.ChangeOwnKey(ctx, w.subject(), k.ID, identity.KeyChange{Disabled: new(true)}); err != nil || !k.Disabled {
			t.Errorf("%+v %v", k, err)
		}
		if err := w.s.DeleteOwnKey(ctx, w.subject(), k.ID); err != nil {
			t.Error(err)
		}
	})
}

// TestOwnKeyAsksAgain: a session alone makes no key that outlives it: the password is
// asked for, and a code where a second factor is on, once each; guesses are counted. Of
// people without a password here the log-in must be fresh. A signed call and a token
// need no more than before. Who made it or not, the user is told, in the same
// transaction.
func TestOwnKeyAsksAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		var told []identity.Alert
		w.s.Alerts(func(_ context.Context, _ principal.Principal, u identity.User, a identity.Alert) (func(*db.Tx) error, error) {
			if u.ID != w.sub.ID || u.Name != "sub" {
				t.Errorf("%s is told", u.Name)
			}
			return func(*db.Tx) error { told = append(told, a); return nil }, nil
		})
		mine, _, err := w.browse(t, "sub")
		if err != nil {
			t.Fatal(err)
		}
		who := w.subject()
		who.Session = mine.ID
		make := func(word, code string) (identity.AccessKey, error) {
			return w.s.CreateOwnKey(ctx, who, "", identity.Proof{Password: word, Code: code})
		}
		for word, want := range map[string]string{"": "password", "wrong one here": "password"} {
			if field, _ := fieldOf(second(make(word, ""))); field != want {
				t.Errorf("password %q names %q", word, field)
			}
		}
		if len(told) != 0 {
			t.Errorf("told of nothing: %v", told)
		}
		first, err := make(password, "")
		if err != nil || first.Secret == "" {
			t.Fatal(err)
		}
		secret, _ := w.enrolled(t)
		w.clock.Add(31 * time.Second)
		code := codeAt(t, secret, w.clock.Now())
		for _, c := range []string{"", "000000"} {
			if field, _ := fieldOf(second(make(password, c))); field != "code" {
				t.Errorf("code %q names %q", c, field)
			}
		}
		if _, err := make(password, code); err != nil {
			t.Fatal(err)
		}
		if err := w.s.DeleteOwnKey(ctx, who, first.ID); err != nil {
			t.Fatal(err)
		}
		if field, _ := fieldOf(second(make(password, code))); field != "code" {
			t.Errorf("a code that was used names %q", field)
		}
		for range 5 {
			_, _ = make("guess guess", code)
		}
		if _, kind := fieldOf(second(make(password, code))); kind != fault.TooMany {
			t.Errorf("behind five guesses: %v", kind)
		}
		plain := who
		plain.Session = ""
		if _, err := w.s.CreateOwnKey(ctx, plain, "signed", identity.Proof{}); err != nil {
			t.Errorf("without a session: %v", err)
		}
		if want := []identity.Alert{identity.AlertKey, identity.AlertFactorOn, identity.AlertKey, identity.AlertKey}; !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}

		// Nobody's password is kept here: the log-in must be fresh.
		keys, err := w.s.AccessKeys(ctx, who, who.Domain, who.User)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.s.DeleteOwnKey(ctx, who, keys[0].ID); err != nil {
			t.Fatal(err)
		}
		if err := w.d.Update(ctx, func(tx *db.Tx) error {
			tx.Write(1, "UPDATE users SET password = '' WHERE domain_id = ? AND id = ?", who.Domain, who.User)
			tx.Write(db.Any, "DELETE FROM login_failures WHERE subject <> ''")
			tx.Write(db.Any, "DELETE FROM second_factors WHERE domain_id = ? AND user_id = ?", who.Domain, who.User)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		w.clock.Add(10 * time.Minute)
		if _, err := make("", ""); !errors.Is(err, identity.ErrLoginAnew) {
			t.Errorf("a log-in that is long ago: %v", err)
		}
		if err := w.d.Update(ctx, func(tx *db.Tx) error {
			tx.Write(1, "UPDATE browser_sessions SET created_at = ? WHERE domain_id = ? AND id = ?", tx.Real-1000, who.Domain, mine.ID)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := make("", ""); err != nil {
			t.Errorf("a fresh log-in: %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }
