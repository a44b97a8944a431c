package identity_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// codeAt is RFC 6238 once more, by the standard library alone.
func codeAt(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	m := hmac.New(sha1.New, key)
	_ = binary.Write(m, binary.BigEndian, uint64(at.Unix()/30))
	sum := m.Sum(nil)
	o := sum[19] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[o:])&0x7fffffff)%1000000)
}

var browser = identity.Browser{Device: "Firefox", Address: "192.0.2.7"}

func (w *world) browse(t *testing.T, user string) (identity.Session, *identity.Challenge, error) {
	t.Helper()
	return w.s.LoginBrowser(t.Context(), identity.Login{Domain: "云帆", User: user, Password: password, Address: "192.0.2.7"}, browser)
}

func (w *world) subject() principal.Principal {
	return principal.Principal{Kind: principal.Customer, Domain: w.domain.ID, User: w.sub.ID, Session: "s"}
}

// enrolled sets the sub-user's second factor up.
func (w *world) enrolled(t *testing.T) (secret string, recovery []string) {
	t.Helper()
	e, err := w.s.BeginFactor(t.Context(), w.subject())
	if err != nil {
		t.Fatal(err)
	}
	recovery, err = w.s.ConfirmFactor(t.Context(), w.subject(), codeAt(t, e.Secret, w.clock.Now()))
	if err != nil {
		t.Fatal(err)
	}
	return e.Secret, recovery
}

// TestSecondFactor: set up, asked for in two steps, each code once, recovery
// codes once, through the APIs in one step, given up.
func TestSecondFactor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		e, err := w.s.BeginFactor(ctx, w.subject())
		if err != nil || !strings.HasPrefix(e.URI, "otpauth://totp/Casemate:") || !strings.Contains(e.URI, "secret="+e.Secret+"&issuer=Casemate&algorithm=SHA1&digits=6&period=30") {
			t.Fatalf("%+v %v", e, err)
		}
		if svg, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(e.QR, "data:image/svg+xml;base64,")); err != nil || !strings.HasPrefix(string(svg), "<svg ") {
			t.Errorf("the picture: %q %v", svg, err)
		}
		// Not confirmed, it asks nobody; a wrong code confirms nothing.
		if _, c, err := w.browse(t, "sub"); c != nil || err != nil {
			t.Errorf("a factor that is not confirmed: %+v %v", c, err)
		}
		if _, err := w.s.ConfirmFactor(ctx, w.subject(), "000000"); err == nil {
			t.Error("a wrong code confirms")
		}
		recovery, err := w.s.ConfirmFactor(ctx, w.subject(), codeAt(t, e.Secret, w.clock.Now()))
		if err != nil || len(recovery) != 10 {
			t.Fatalf("%v %v", recovery, err)
		}
		if _, err := w.s.BeginFactor(ctx, w.subject()); err == nil {
			t.Error("a second secret beside a confirmed one")
		}
		// The code that confirmed does not log in.
		_, c, err := w.browse(t, "sub")
		if err != nil || c == nil || c.Enrolment != nil {
			t.Fatalf("%+v %v", c, err)
		}
		if _, _, err := w.s.AnswerChallenge(ctx, c.Secret, codeAt(t, e.Secret, w.clock.Now()), browser); !errors.Is(err, identity.ErrCode) {
			t.Errorf("a code is taken twice: %v", err)
		}
		w.clock.Add(31 * time.Second)
		code := codeAt(t, e.Secret, w.clock.Now())
		o, _, err := w.s.AnswerChallenge(ctx, c.Secret, code[:3]+" "+code[3:], browser)
		if err != nil || o.Method != "password+otp" {
			t.Fatalf("%+v %v", o, err)
		}
		if who, err := w.s.BySession(ctx, o.Secret, new(w.s.Csrf(o.Secret))); err != nil || who.User != w.sub.ID {
			t.Errorf("%+v %v", who, err)
		}
		if _, _, err := w.s.AnswerChallenge(ctx, c.Secret, recovery[0], browser); !errors.Is(err, identity.ErrCode) {
			t.Errorf("a challenge is answered twice: %v", err)
		}
		// A recovery code works once.
		for i, want := range []error{nil, identity.ErrCode} {
			_, c, err := w.browse(t, "sub")
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := w.s.AnswerChallenge(ctx, c.Secret, strings.ToUpper(recovery[0]), browser); !errors.Is(err, want) {
				t.Errorf("recovery code, time %d: %v", i+1, err)
			}
		}
		// The password alone gives no token, either.
		l := identity.Login{Domain: "云帆", User: "sub", Password: password, Address: "192.0.2.7"}
		if _, err := w.s.Login(ctx, l); !errors.Is(err, identity.ErrCodeNeeded) {
			t.Errorf("a token without a code: %v", err)
		}
		if l.Code = "123456"; codeAt(t, e.Secret, w.clock.Now()) == l.Code {
			l.Code = "123457"
		}
		if _, err := w.s.Login(ctx, l); !errors.Is(err, identity.ErrCode) {
			t.Errorf("a token with a wrong code: %v", err)
		}
		w.clock.Add(31 * time.Second)
		l.Code = codeAt(t, e.Secret, w.clock.Now())
		if tok, err := w.s.Login(ctx, l); err != nil || strings.Join(tok.Methods, ",") != "password,totp" {
			t.Errorf("a token with a code: %+v %v", tok, err)
		}
		// New recovery codes void the old ones; the caller gives the factor up.
		w.clock.Add(31 * time.Second)
		fresh, err := w.s.RenewRecovery(ctx, w.subject(), codeAt(t, e.Secret, w.clock.Now()))
		if err != nil || len(fresh) != 10 {
			t.Fatal(fresh, err)
		}
		if err := w.s.EndFactor(ctx, w.subject(), recovery[1]); err == nil {
			t.Error("an old recovery code works")
		}
		if f, err := w.s.SecondFactor(ctx, w.subject(), w.domain.ID, w.sub.ID); err != nil || !f.Active || f.Left != 10 {
			t.Errorf("%+v %v", f, err)
		}
		if err := w.s.EndFactor(ctx, w.subject(), fresh[1]); err != nil {
			t.Error(err)
		}
		if _, c, err := w.browse(t, "sub"); c != nil || err != nil {
			t.Errorf("after giving it up: %+v %v", c, err)
		}
	})
}

// TestSecondFactorGuessed: five wrong codes are the last, for all challenges
// together; a later window opens again; of 16 answers with one code one gets in.
func TestSecondFactorGuessed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		secret, _ := w.enrolled(t)
		w.clock.Add(time.Minute)
		wrong := "000000"
		for _, at := range []time.Duration{-time.Minute, -30 * time.Second, 0, 30 * time.Second, time.Minute} {
			if codeAt(t, secret, w.clock.Now().Add(at)) == wrong {
				wrong = "999999"
			}
		}
		_, c, err := w.browse(t, "sub")
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if _, _, err := w.s.AnswerChallenge(ctx, c.Secret, wrong, browser); !errors.Is(err, identity.ErrCode) {
				t.Fatal(err)
			}
		}
		if _, _, err := w.s.AnswerChallenge(ctx, c.Secret, codeAt(t, secret, w.clock.Now()), browser); !errors.Is(err, identity.ErrCode) {
			t.Errorf("a challenge outlives five wrong codes: %v", err)
		}
		if _, c, err = w.browse(t, "sub"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.s.AnswerChallenge(ctx, c.Secret, codeAt(t, secret, w.clock.Now()), browser); !errors.Is(err, identity.ErrCode) {
			t.Errorf("a new challenge gives new guesses: %v", err)
		}
		w.clock.Add(16 * time.Minute)
		if _, _, err := w.s.AnswerChallenge(ctx, c.Secret, codeAt(t, secret, w.clock.Now()), browser); !errors.Is(err, identity.ErrCode) {
			t.Errorf("a challenge outlives its end: %v", err)
		}
		if _, c, err = w.browse(t, "sub"); err != nil {
			t.Fatal(err)
		}
		code := codeAt(t, secret, w.clock.Now())
		var mu sync.Mutex
		var wg sync.WaitGroup
		in := 0
		for range 4 {
			wg.Go(func() {
				_, _, err := w.s.AnswerChallenge(ctx, c.Secret, code, browser)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					in++
				} else if !errors.Is(err, identity.ErrCode) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if in != 1 {
			t.Errorf("%d of 4 answers with one code got in", in)
		}
	})
}

// TestSecondFactorRequired: whom the settings demand one of sets it up at the
// log-in, cannot give it up, and gets no token before; an administrator takes it
// away for those who lost the device.
func TestSecondFactorRequired(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.s = identity.New(w.d, w.keys, identity.Options{SecondFactor: config.SecondFactor{Required: []string{"customers"}}})
		_, c, err := w.browse(t, "sub")
		if err != nil || c == nil || c.Enrolment == nil {
			t.Fatalf("%+v %v", c, err)
		}
		if _, err := w.login(t, "云帆", "sub", password); !errors.Is(err, identity.ErrEnrol) {
			t.Errorf("a token before the factor is set up: %v", err)
		}
		if _, _, err := w.s.AnswerChallenge(ctx, c.Secret, "000000", browser); !errors.Is(err, identity.ErrCode) {
			t.Errorf("a wrong code: %v", err)
		}
		o, recovery, err := w.s.AnswerChallenge(ctx, c.Secret, codeAt(t, c.Enrolment.Secret, w.clock.Now()), browser)
		if err != nil || len(recovery) != 10 {
			t.Fatalf("%v %v", recovery, err)
		}
		if err := w.s.EndFactor(ctx, w.subject(), recovery[0]); err == nil {
			t.Error("a demanded factor is given up")
		}
		if err := w.s.ResetFactor(ctx, w.subject(), w.domain.ID, w.sub.ID); err == nil {
			t.Error("a user resets a factor")
		}
		if err := w.s.ResetFactor(ctx, w.system, w.domain.ID, w.sub.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.BySession(ctx, o.Secret, nil); !errors.Is(err, identity.ErrSession) {
			t.Errorf("a session outlives the reset: %v", err)
		}
		if err := w.s.ResetFactor(ctx, w.system, w.domain.ID, w.sub.ID); !errors.Is(err, identity.ErrNoFactor) {
			t.Errorf("a reset of no factor: %v", err)
		}
		if _, c, err := w.browse(t, "sub"); err != nil || c == nil || c.Enrolment == nil {
			t.Errorf("after the reset: %+v %v", c, err)
		}
	})
}
