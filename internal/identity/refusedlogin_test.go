package identity_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
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
		for range 30 {
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
