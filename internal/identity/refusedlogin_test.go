package identity_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/identity"
)

// TestLoginFailuresRecorded: failed log-ins of somebody who is known are events
// of his account, with the reason and never with what was typed; names that
// nobody has leave none; who tries on while the user is locked fills no history.
func TestLoginFailuresRecorded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		told := func(domain string) (out []string) {
			t.Helper()
			if err := w.d.View(ctx, func(tx *db.Tx) error {
				out = nil
				rows, err := event.Find(tx, domain, event.Query{Kinds: []string{identity.KindLoginFail}, To: w.clock.Now().UnixMilli() + 1, Limit: 100})
				if err == nil {
					err = event.Open(tx, rows)
				}
				for _, r := range rows {
					var f identity.LoginFailure
					if err := json.Unmarshal(r.Data, &f); err != nil {
						return err
					}
					line := fmt.Sprintf("%s %d", f.Why, f.Count)
					if f.Locked {
						line += " locked"
					}
					if r.Actor != w.sub.ID || r.SubjectID != w.sub.ID || r.Address != "192.0.2.7" || strings.Contains(string(r.Data), "guess") {
						t.Errorf("%+v %s", r, r.Data)
					}
					out = append(out, line)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			slices.Reverse(out)
			return out
		}
		try := func(domain, user, pass string) {
			t.Helper()
			if _, err := w.login(t, domain, user, pass); !errors.Is(err, identity.ErrLogin) {
				t.Fatal(err)
			}
		}
		try("云帆", "nobody", "guess-of-nobody")
		try("nowhere", "sub", "guess-nowhere")
		if got := told(w.domain.ID); len(got) > 0 {
			t.Errorf("of nobody: %v", got)
		}
		for range 12 {
			try("云帆", "sub", "guess-of-sub")
		}
		want := []string{"password 1", "password 2", "password 3", "password 4", "password 5 locked", "locked 10"}
		if got := told(w.domain.ID); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		w.clock.Add(16 * time.Minute)
		if err := w.s.Disable(ctx, w.system, w.domain.ID, w.sub.ID, true); err != nil {
			t.Fatal(err)
		}
		try("云帆", "sub", password)
		want = append(want, "disabled 1")
		if got := told(w.domain.ID); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		// A wrong code of the second factor counts apart.
		if err := w.s.Disable(ctx, w.system, w.domain.ID, w.sub.ID, false); err != nil {
			t.Fatal(err)
		}
		w.clock.Add(16 * time.Minute)
		e, err := w.s.BeginFactor(ctx, w.subject())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.ConfirmFactor(ctx, w.subject(), codeAt(t, e.Secret, w.clock.Now())); err != nil {
			t.Fatal(err)
		}
		wrong := "123456"
		if codeAt(t, e.Secret, w.clock.Now()) == wrong {
			wrong = "123457"
		}
		if _, err := w.s.Login(ctx, identity.Login{Domain: "云帆", User: "sub", Password: password, Code: wrong, Address: "192.0.2.7"}); !errors.Is(err, identity.ErrCode) {
			t.Fatal(err)
		}
		want = append(want, "code 1")
		if got := told(w.domain.ID); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// TestLoginFailuresAtOnce: however many try at the same time, each is counted
// once: none of the first five, the lock, the 10th and the 100th is missed or told
// twice. Who tries on at a pace that keeps the count there is not told again,
// until it has been five or fewer.
func TestLoginFailuresAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		try := func() error {
			_, err := w.s.Login(ctx, identity.Login{Domain: "云帆", User: "sub", Password: "guess"})
			return err
		}
		told := func() (out []string) {
			t.Helper()
			if err := w.d.View(ctx, func(tx *db.Tx) error {
				out = nil
				rows, err := event.Find(tx, w.domain.ID, event.Query{Kinds: []string{identity.KindLoginFail}, To: w.clock.Now().UnixMilli() + 1, Limit: 1000})
				for _, r := range rows {
					var f identity.LoginFailure
					if err := json.Unmarshal(r.Data, &f); err != nil {
						return err
					}
					out = append(out, fmt.Sprintf("%03d %t", f.Count, f.Locked))
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			slices.Sort(out)
			return out
		}
		atOnce := func(each int) {
			t.Helper()
			const at = 8
			var all sync.WaitGroup
			errs := make(chan error, at*each)
			for range at {
				all.Go(func() {
					for range each {
						errs <- try()
					}
				})
			}
			all.Wait()
			for range cap(errs) {
				if err := <-errs; !errors.Is(err, identity.ErrLogin) {
					t.Fatal(err)
				}
			}
		}
		want := []string{"001 false", "002 false", "003 false", "004 false", "005 true", "010 false"}
		atOnce(2)
		if got := told(); !slices.Equal(got, want) {
			t.Fatalf("at once: %v, want %v", got, want)
		}
		if err := w.d.Update(ctx, func(tx *db.Tx) error { // as if 96 had failed
			for i := range 5 {
				tx.Write(db.Any, "INSERT INTO login_failures (subject, id, at) SELECT subject, CONCAT(id, '.', CAST(? AS TEXT)), at FROM login_failures WHERE id NOT LIKE '%.%'", fmt.Sprint(i))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		atOnce(1)
		want = append(want, "100 false")
		if got := told(); !slices.Equal(got, want) {
			t.Fatalf("at once, many: %v, want %v", got, want)
		}
		w.clock.Add(16 * time.Minute)
		for range 14 { // ten in each 15 minutes
			if err := try(); !errors.Is(err, identity.ErrLogin) {
				t.Fatal(err)
			}
			w.clock.Add(90 * time.Second)
		}
		want = append(want, want[:6]...)
		slices.Sort(want)
		if got := told(); !slices.Equal(got, want) {
			t.Errorf("slowly: %v, want %v", got, want)
		}
	})
}
