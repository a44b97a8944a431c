package identity_test

import (
	"net/http"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// with makes a request signed by the vendor's signer with a temporary key at the
// world's time; a header that is not to be signed can be set afterwards.
func (w *world) with(t *testing.T, k identity.TemporaryKey, token string) *http.Request {
	t.Helper()
	h := map[string]string{"X-Sdk-Date": w.clock.Now().UTC().Format("20060102T150405Z")}
	if token != "" {
		h["X-Security-Token"] = token
	}
	return official(t, identity.AccessKey{ID: k.ID, Secret: k.Secret}, "GET", "/v2/servicerequest/cases", nil, nil, h)
}

func (w *world) tries(t *testing.T, k identity.TemporaryKey) error {
	t.Helper()
	_, err := w.s.BySignature(t.Context(), w.with(t, k, k.Token), nil)
	return err
}

func (w *world) temporary(t *testing.T, who principal.Principal, token string, seconds int) identity.TemporaryKey {
	t.Helper()
	k, err := w.s.CreateTemporaryKey(t.Context(), who, token, seconds)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestTemporaryKeys: for a token's holder, signed with the security token in the
// signed headers and not otherwise, over at its end (threats C2).
func TestTemporaryKeys(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		tok, err := w.login(t, "云帆", "sub", password)
		if err != nil {
			t.Fatal(err)
		}
		k := w.temporary(t, principal.Principal{}, tok.Secret, 0)
		if want := w.clock.Now().Add(15 * time.Minute).UnixMilli(); k.Expires != want {
			t.Errorf("ends at %d, want the default of 15 minutes, %d", k.Expires, want)
		}
		got, err := w.s.BySignature(ctx, w.with(t, k, k.Token), nil)
		if err != nil || got.User != w.sub.ID || got.Domain != w.domain.ID || got.Kind != principal.Customer || got.AccessKey != k.ID {
			t.Fatalf("%+v, %v", got, err)
		}
		lasting, err := w.s.CreateAccessKey(ctx, w.system, w.domain.ID, w.sub.ID)
		if err != nil {
			t.Fatal(err)
		}
		other := w.temporary(t, principal.Principal{}, tok.Secret, 0)
		unsigned := w.with(t, k, "")
		unsigned.Header.Set("X-Security-Token", k.Token)
		twice := w.with(t, k, k.Token)
		twice.Header.Add("X-Security-Token", k.Token)
		swapped := w.with(t, k, k.Token)
		swapped.Header.Set("X-Security-Token", other.Token)
		for name, r := range map[string]*http.Request{
			"no security token":         w.with(t, k, ""),
			"another's security token":  w.with(t, k, other.Token),
			"made-up security token":    w.with(t, k, "cms_x"),
			"not signed":                unsigned,
			"twice":                     twice,
			"changed after signing":     swapped,
			"lasting key with one":      w.with(t, identity.TemporaryKey{ID: lasting.ID, Secret: lasting.Secret}, k.Token),
			"another's secret":          w.with(t, identity.TemporaryKey{ID: k.ID, Secret: other.Secret}, k.Token),
			"a key that does not exist": w.with(t, identity.TemporaryKey{ID: "HST" + lasting.ID + "X", Secret: k.Secret}, k.Token),
		} {
			if _, err := w.s.BySignature(ctx, r, nil); fault.KindOf(err) != fault.Unauthenticated {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.clock.Add(15*time.Minute - time.Millisecond)
		if err := w.tries(t, k); err != nil {
			t.Errorf("a millisecond before its end: %v", err)
		}
		w.clock.Add(time.Millisecond)
		if err := w.tries(t, k); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("at its end: %v", err)
		}
		if err := w.s.Purge(ctx); err != nil {
			t.Error(err)
		}
	})
}

// TestTemporaryLimits: the documented range, the token's own end, who may not.
func TestTemporaryLimits(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		tok, err := w.login(t, "云帆", "sub", password)
		if err != nil {
			t.Fatal(err)
		}
		for seconds, ok := range map[int]bool{-1: false, 1: false, 899: false, 900: true, 86400: true, 86401: false, 1 << 30: false} {
			_, err := w.s.CreateTemporaryKey(ctx, principal.Principal{}, tok.Secret, seconds)
			if f, _ := fault.As(err); (err == nil) != ok || !ok && (f == nil || f.Code != fault.CodeInvalid || f.Field != "auth.identity.token.duration_seconds") {
				t.Errorf("%d seconds: %v", seconds, err)
			}
		}
		w.clock.Add(23 * time.Hour)
		if k := w.temporary(t, principal.Principal{}, tok.Secret, 86400); k.Expires != tok.ExpiresAt {
			t.Errorf("ends at %d, after its token at %d", k.Expires, tok.ExpiresAt)
		}
		if _, err := w.s.CreateTemporaryKey(ctx, principal.Principal{}, "cmt_made-up", 0); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("a made-up token: %v", err)
		}
		if _, err := w.s.CreateTemporaryKey(ctx, principal.Principal{}, "", 0); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("nobody: %v", err)
		}
		own := principal.Principal{Kind: principal.Customer, Domain: w.domain.ID, User: w.sub.ID}
		lasting, err := w.s.CreateAccessKey(ctx, own, w.domain.ID, w.sub.ID)
		if err != nil {
			t.Fatal(err)
		}
		own.AccessKey = lasting.ID
		k := w.temporary(t, own, "", 3600)
		own.AccessKey = k.ID
		if _, err := w.s.CreateTemporaryKey(ctx, own, "", 0); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("a temporary key makes another: %v", err)
		}
		if _, err := w.s.CreateUser(ctx, w.system, identity.NewUser{Domain: principal.House, Name: "chen", Password: password, Role: principal.RoleEngineer}); err != nil {
			t.Fatal(err)
		}
		e, err := w.s.Login(ctx, identity.Login{User: "chen", Password: password, Engineer: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.CreateTemporaryKey(ctx, principal.Principal{}, e.Secret, 0); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("an engineer gets a signing key: %v", err)
		}
	})
}

// TestTemporaryDies: with the token, the key, the password, the user and the
// domain, at once here and within a second on another node (threats B8).
func TestTemporaryDies(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		own := principal.Principal{Kind: principal.Customer, Domain: w.domain.ID, User: w.sub.ID}
		for name, end := range map[string]func(tok identity.Token, key identity.AccessKey) error{
			"token revoked": func(tok identity.Token, _ identity.AccessKey) error { return w.s.Revoke(ctx, own, tok.Secret) },
			"password": func(identity.Token, identity.AccessKey) error {
				return w.s.SetPassword(ctx, w.system, w.domain.ID, w.sub.ID, password)
			},
			"user disabled": func(identity.Token, identity.AccessKey) error {
				return w.s.Disable(ctx, w.system, w.domain.ID, w.sub.ID, true)
			},
			"domain disabled": func(identity.Token, identity.AccessKey) error {
				return w.s.DisableDomain(ctx, w.system, w.domain.ID, true)
			},
			"key disabled": func(_ identity.Token, key identity.AccessKey) error {
				return w.s.DisableAccessKey(ctx, own, key.ID, true)
			},
			"key deleted": func(_ identity.Token, key identity.AccessKey) error { return w.s.DeleteAccessKey(ctx, own, key.ID) },
		} {
			for _, err := range []error{w.s.DisableDomain(ctx, w.system, w.domain.ID, false), w.s.Disable(ctx, w.system, w.domain.ID, w.sub.ID, false)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			tok, err := w.login(t, "云帆", "sub", password)
			if err != nil {
				t.Fatal(err)
			}
			key, err := w.s.CreateAccessKey(ctx, own, w.domain.ID, w.sub.ID)
			if err != nil {
				t.Fatal(err)
			}
			k := w.temporary(t, principal.Principal{}, tok.Secret, 0)
			if name == "key disabled" || name == "key deleted" {
				signed := own
				signed.AccessKey = key.ID
				k = w.temporary(t, signed, "", 0)
			}
			if err := w.tries(t, k); err != nil {
				t.Fatalf("%s: before: %v", name, err)
			}
			if err := end(tok, key); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := w.tries(t, k); fault.KindOf(err) != fault.Unauthenticated {
				t.Errorf("%s: the key still signs: %v", name, err)
			}
			_ = w.s.DeleteAccessKey(ctx, w.system, key.ID)
		}
		// What was made is in the history, without a secret.
		kinds := 0
		err := w.d.View(ctx, func(tx *db.Tx) error {
			rows, _, err := event.OfSubject(tx, w.domain.ID, "user", w.sub.ID, false, true, 0, 100)
			for _, r := range rows {
				if r.Kind == "key.temporary" && r.Actor == w.sub.ID {
					kinds++
				}
			}
			return err
		})
		if err != nil || kinds < 6 {
			t.Errorf("%d events of temporary keys, %v", kinds, err)
		}
	})
}
