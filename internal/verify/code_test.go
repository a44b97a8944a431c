package verify_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/verify"
)

// TestCodeUniform: every digit at every place is equally likely, leading zeros
// included (threats.md A1). 27.877 is the chi-square value that nine degrees of
// freedom exceed with probability 0.001 (NIST/SEMATECH e-Handbook, 1.3.6.7.4).
func TestCodeUniform(t *testing.T) {
	t.Parallel()
	source := rand.NewChaCha8([32]byte{1, 2, 3})
	random := func(n int) []byte {
		b := make([]byte, n)
		_, _ = source.Read(b) // never fails
		return b
	}
	const codes = 1_000_000
	var counts [6][10]int
	leading := 0
	for range codes {
		code := verify.NewCode(random)
		if len(code) != 6 || strings.Trim(code, "0123456789") != "" {
			t.Fatalf("code %q", code)
		}
		for i, d := range code {
			counts[i][d-'0']++
		}
		if code[0] == '0' {
			leading++
		}
	}
	for i, digits := range counts {
		chi := 0.0
		for _, n := range digits {
			d := float64(n) - codes/10
			chi += d * d / (codes / 10)
		}
		if chi > 27.877 {
			t.Errorf("digit %d: chi-square %.1f", i+1, chi)
		}
	}
	if leading < codes/11 {
		t.Errorf("%d codes of %d start with 0", leading, codes)
	}
	// Values that would bring a bias are thrown away.
	bytes := []byte{0xff, 0xff, 0xff, 0xf4, 0x24, 0x00, 0xf4, 0x23, 0xff, 0, 0, 7}
	next := func(n int) []byte { b := bytes[:n]; bytes = bytes[n:]; return b }
	if a, b := verify.NewCode(next), verify.NewCode(next); a != "999999" || b != "000007" {
		t.Errorf("codes %s and %s", a, b)
	}
}

// TestCodeLifetime: good at 4:59, dead at 5:00 (A2); a clock set back does not
// make a code live longer.
func TestCodeLifetime(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{}, func(w *world) {
		code := w.send(li, numbered(1))
		w.clock.Add(5*time.Minute - time.Second)
		if err := w.check(li, numbered(1), code); err != nil {
			w.t.Errorf("at 4:59: %v", err)
		}
		code = w.send(li, numbered(2))
		w.clock.Add(5 * time.Minute)
		if err := w.check(li, numbered(2), code); !errors.Is(err, verify.ErrWrong) {
			w.t.Errorf("at 5:00: %v", err)
		}
		code = w.send(li, numbered(3))
		w.clock.Add(-time.Hour)
		if err := w.check(li, numbered(3), code); !errors.Is(err, verify.ErrWrong) {
			w.t.Errorf("an hour before it was made: %v", err)
		}
	})
}

// TestCodeTries: five wrong tries kill a code; the right one after four works.
func TestCodeTries(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{}, func(w *world) {
		for wrong := range 7 {
			c := numbered(wrong)
			code := w.send(li, c)
			for range wrong {
				if err := w.check(li, c, wrongFor(code)); !errors.Is(err, verify.ErrWrong) {
					w.t.Fatalf("wrong code: %v", err)
				}
			}
			err := w.check(li, c, code)
			if ok := err == nil; ok != (wrong < 5) {
				w.t.Errorf("after %d wrong tries: %v", wrong, err)
			}
		}
	})
}

// TestCodeSingleUse: of 64 right answers at once exactly one succeeds (A3).
func TestCodeSingleUse(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{Demo: true}, func(w *world) {
		codes, at := 200, 64
		if raced { // as many at once, fewer times; all of them without the detector
			codes = 50
		}
		second := w.node
		if w.db.Dialect() == db.Postgres {
			second = w.open(verify.Options{Demo: true})
		}
		sent := make([]string, codes)
		for i := range sent {
			if err := w.s.Send(w.t.Context(), li, numbered(i), locale.ZH); err != nil {
				w.t.Fatal(err)
			}
		}
		w.work()
		for _, m := range w.post.got {
			var i int
			if _, err := fmt.Sscanf(m.To, "user%04d@", &i); err != nil {
				w.t.Fatal(err)
			}
			sent[i] = m.Code
		}
		var good, bad, strange atomic.Int64
		var wg sync.WaitGroup
		for g := range at {
			wg.Go(func() {
				s := w.s
				if g%2 == 1 {
					s = second.s
				}
				for i := range sent {
					err := s.Check(w.t.Context(), li, verify.Try{Contact: numbered(i), Code: sent[i]})
					switch {
					case err == nil:
						good.Add(1)
					case errors.Is(err, verify.ErrWrong):
						bad.Add(1)
					default:
						strange.Add(1)
						w.t.Log(err)
					}
				}
			})
		}
		wg.Wait()
		if good.Load() != int64(codes) || strange.Load() != 0 || bad.Load() != int64(codes*(at-1)) {
			w.t.Errorf("%d successes of %d codes, %d refusals, %d other errors", good.Load(), codes, bad.Load(), strange.Load())
		}
		w.t.Logf("REPORT single use on %s: %d codes x %d answers, %d successes", w.db.Dialect(), codes, at, good.Load())
	})
}

// TestTriesExact: of many wrong answers at once no more than five are compared.
func TestTriesExact(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{}, func(w *world) {
		c := numbered(1)
		code := w.send(li, c)
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				if err := w.check(li, c, wrongFor(code)); !errors.Is(err, verify.ErrWrong) {
					w.t.Errorf("wrong code: %v", err)
				}
			})
		}
		wg.Wait()
		var tries int
		err := w.db.View(w.t.Context(), func(tx *db.Tx) error {
			return tx.Get("SELECT tries FROM verify_codes WHERE state = 'dead'").Scan(&tries)
		})
		if err != nil || tries != 5 {
			w.t.Errorf("%d tries were counted, %v", tries, err)
		}
		if n := w.rows("verify_counts WHERE subject LIKE 'guess.contact:%'"); n != 5 {
			w.t.Errorf("%d guesses", n)
		}
	})
}

// TestTriesCommitted: a try that is not committed has not happened and was not
// answered; one that was answered is counted (A4). The transaction is broken
// off at its end, as a kill would, and a twin of the request does not count
// twice.
func TestTriesCommitted(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{}, func(w *world) {
		c := numbered(1)
		code := w.send(li, c)
		prepared, err := w.s.Prepare(w.t.Context(), li, verify.Claims{Mail: c.Value, Code: wrongFor(code)})
		if err != nil {
			w.t.Fatal(err)
		}
		killed := errors.New("killed before the commit")
		tries := func() (n int) {
			if err := w.db.View(w.t.Context(), func(tx *db.Tx) error { return tx.Get("SELECT tries FROM verify_codes").Scan(&n) }); err != nil {
				w.t.Fatal(err)
			}
			return n
		}
		for range 3 {
			err := w.db.Update(w.t.Context(), func(tx *db.Tx) error {
				if _, err := w.s.Prove(tx, li, prepared); err != nil {
					return err
				}
				return killed
			})
			if !errors.Is(err, killed) {
				w.t.Fatal(err)
			}
		}
		if tries() != 0 || w.rows("verify_counts WHERE subject LIKE 'guess%'") != 0 {
			w.t.Errorf("%d tries of transactions that did not happen", tries())
		}
		for n := 1; n <= 3; n++ {
			if err := w.check(li, c, wrongFor(code)); !errors.Is(err, verify.ErrWrong) {
				w.t.Fatal(err)
			}
			if tries() != n {
				w.t.Errorf("%d tries after %d answers", tries(), n)
			}
		}
		for range 3 { // the same request again and again
			ctx := db.WithRequestKey(w.t.Context(), db.RequestKey{ID: "k", Domain: li.Domain, Until: w.clock.Now().UnixMilli() + 60000})
			if err := w.s.Check(ctx, li, verify.Try{Contact: c, Code: wrongFor(code)}); !errors.Is(err, verify.ErrWrong) {
				w.t.Fatal(err)
			}
		}
		if tries() != 4 {
			w.t.Errorf("a repeated request counted again: %d", tries())
		}
		for range 3 {
			ctx := db.WithRequestKey(w.t.Context(), db.RequestKey{ID: "k2", Domain: li.Domain, Until: w.clock.Now().UnixMilli() + 60000})
			if err := w.s.Check(ctx, li, verify.Try{Contact: c, Code: code}); err != nil {
				w.t.Errorf("the repeat of a right answer: %v", err)
			}
		}
	})
}

// TestCodeBinding: with anything wrong of user, domain, contact, channel and
// purpose, in all 31 combinations, the right code is a wrong one, with the same
// answer (A6), and does no harm to the code.
func TestCodeBinding(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{}, func(w *world) {
		ctx := w.t.Context()
		c := mobile("13800138000")
		code := w.send(li, c)
		// The other callers have live codes of their own, so that they do not
		// fail for want of one.
		for i, who := range []struct{ domain, user string }{{"d1", "wang"}, {"d2", "li"}, {"d2", "wang"}} {
			if err := w.s.SendFor(ctx, user(who.domain, who.user), "log-in", mobile(fmt.Sprint("1380013900", i))); err != nil {
				w.t.Fatal(err)
			}
		}
		right := verify.Binding{Who: li, Purpose: verify.Purpose, Way: identity.SMS, Hash: w.s.HashOf(c)}
		for mask := 1; mask < 32; mask++ {
			b := right
			if mask&1 != 0 {
				b.Who.User = "wang"
			}
			if mask&2 != 0 {
				b.Who.Domain = "d2"
			}
			if mask&4 != 0 {
				b.Hash = w.s.HashOf(mobile("13800139000"))
			}
			if mask&8 != 0 {
				b.Way = identity.Mail
			}
			if mask&16 != 0 {
				b.Purpose = "log-in"
			}
			if ok, err := w.s.TryFor(ctx, b, code); ok || err != nil {
				w.t.Errorf("combination %05b: %v, %v", mask, ok, err)
			}
		}
		var texts []string
		for _, try := range []struct {
			c    verify.Contact
			code string
		}{{mobile("13800138009"), code}, {mailTo("x@example.com"), code}, {c, wrongFor(code)}, {c, "......"}, {c, "１２３４５６"}} {
			err := w.check(li, try.c, try.code)
			f, ok := fault.As(err)
			if !ok {
				w.t.Fatalf("%v", err)
			}
			texts = append(texts, fmt.Sprintf("%+v", *f))
		}
		for _, text := range texts {
			if text != texts[0] {
				w.t.Errorf("answers differ: %s and %s", text, texts[0])
			}
		}
		if ok, err := w.s.TryFor(ctx, right, code); !ok || err != nil {
			w.t.Errorf("the right combination: %v, %v", ok, err)
		}
		for _, in := range []verify.Try{{Customer: "d2"}, {User: "wang"}, {Customer: "d1", User: "nobody"}} {
			in.Contact, in.Code = c, code
			if err := w.s.Check(ctx, li, in); !errors.Is(err, fault.NoPermission) {
				w.t.Errorf("somebody else's ids: %v", err)
			}
		}
	})
}

// TestResendReplaces: a new code kills the older one (A7).
func TestResendReplaces(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{}, func(w *world) {
		c := mailTo("li@example.com")
		first := w.send(li, c)
		w.clock.Add(time.Minute)
		second := w.send(li, c)
		for first == second { // once in a million
			w.clock.Add(time.Minute)
			second = w.send(li, c)
		}
		if err := w.check(li, c, first); !errors.Is(err, verify.ErrWrong) {
			w.t.Errorf("the replaced code: %v", err)
		}
		if err := w.check(li, c, second); err != nil {
			w.t.Errorf("the new code: %v", err)
		}
		if err := w.check(li, c, second); !errors.Is(err, verify.ErrWrong) {
			w.t.Errorf("a second use: %v", err)
		}
		if n := w.rows("verify_codes WHERE code_hash <> ''"); n != 0 {
			w.t.Errorf("%d hashes of codes that are not live", n)
		}
	})
}

// TestLateDeliveryDropped: delivery held back past expiry, or past a resend,
// sends nothing of it (A7).
func TestLateDeliveryDropped(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{}, func(w *world) {
		ctx := w.t.Context()
		for i, c := range []verify.Contact{mailTo("a@example.com"), mobile("13800138000")} {
			if err := w.s.Send(ctx, li, c, locale.ZH); err != nil {
				w.t.Fatal(err)
			}
			w.clock.Add(5 * time.Minute)
			w.work()
			if w.post.count() != i {
				w.t.Errorf("%s: an expired code was sent", c.Value)
			}
			// Replaced: only the second leaves.
			for range 2 {
				if err := w.s.Send(ctx, li, c, locale.ZH); err != nil {
					w.t.Fatal(err)
				}
				w.clock.Add(time.Minute)
			}
			w.work()
			if w.post.count() != i+1 {
				w.t.Errorf("%s: %d messages left, want %d", c.Value, w.post.count(), i+1)
			}
		}
		if n := w.rows("notify_messages WHERE payload <> ''"); n != 0 {
			w.t.Errorf("%d messages keep what they said", n)
		}
	})
}

// TestNoSecretAtRest: the code and the contact are nowhere in the database, in
// any form, nor in the log: queued, sent, wrongly tried and proved (A5, A14).
func TestNoSecretAtRest(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{}, func(w *world) {
		c := mailTo("secret.person@example.com")
		code := w.send(li, c)
		if err := w.check(li, c, wrongFor(code)); err == nil {
			w.t.Fatal("a wrong code passed")
		}
		if err := w.check(li, c, code); err != nil {
			w.t.Fatal(err)
		}
		m := mobile("13912345678")
		if err := w.s.Send(w.t.Context(), li, m, locale.EN); err != nil { // stays queued
			w.t.Fatal(err)
		}
		stored := w.dump()
		if !strings.Contains(stored, "verify.code") {
			w.t.Fatal("the scan read nothing")
		}
		for _, secret := range []string{"secret.person", "13912345678", `"code"`} {
			if strings.Contains(stored, secret) || strings.Contains(w.log.String(), secret) {
				w.t.Errorf("%s can be read", secret)
			}
		}
		// Six digits turn up by chance in ids and times: look at the rows that
		// could hold the code instead.
		err := w.db.View(context.Background(), func(tx *db.Tx) error {
			for _, sql := range []string{"SELECT args FROM jobs", "SELECT last_error FROM jobs", "SELECT code_hash FROM verify_codes", "SELECT data FROM events", "SELECT payload FROM notify_messages",
				"SELECT detail FROM notify_attempts"} {
				err := tx.List(func(r db.Row) error {
					var s string
					err := r.Scan(&s)
					if strings.Contains(s, code) {
						w.t.Errorf("%s: %s", sql, s)
					}
					return err
				}, sql)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	})
}
