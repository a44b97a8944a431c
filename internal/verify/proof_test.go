package verify_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/verify"
)

// knownUser makes a domain whose main account has the address registered.
func (w *world) knownUser(mail string) principal.Principal {
	w.t.Helper()
	who := principal.AsSystem(principal.House)
	d, err := w.ident.CreateDomain(w.t.Context(), who, identity.NewDomain{Name: "known"})
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := w.ident.CreateUser(w.t.Context(), who, identity.NewUser{Domain: d.ID, Name: "main", Password: "a long password", Main: true, AreaCode: "86", Mobile: "13800138000", Mail: mail})
	if err != nil {
		w.t.Fatal(err)
	}
	return principal.Principal{Kind: principal.Customer, Domain: d.ID, User: u.ID, Main: true}
}

func (w *world) prove(who principal.Principal, c verify.Contact) {
	w.t.Helper()
	if err := w.check(who, c, w.send(who, c)); err != nil {
		w.t.Fatalf("proving %s: %v", c.Value, err)
	}
}

// proofs lists a user's own proofs.
func (w *world) proofs(who principal.Principal, f verify.ProofFilter) []verify.Proof {
	w.t.Helper()
	all, n, err := w.s.Proofs(w.t.Context(), who, f)
	if err != nil {
		w.t.Fatal(err)
	}
	if f.Limit == 0 && f.Offset == 0 && n != len(all) {
		w.t.Errorf("count %d of %d", n, len(all))
	}
	return all
}

// TestNeeded: a registered contact of the account and a proved one need no
// code; the proof ends after 90 days (semantics.md D5).
func TestNeeded(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{}, func(w *world) {
		ctx := w.t.Context()
		boss := w.knownUser("boss@example.com")
		sub := user(boss.Domain, "sub")
		need := func(who principal.Principal, c verify.Contact) verify.Need {
			w.t.Helper()
			n, err := w.s.Needed(ctx, who, c)
			if err != nil {
				w.t.Fatal(err)
			}
			return n
		}
		for _, c := range []verify.Contact{mailTo("boss@EXAMPLE.com"), mobile("138-0013-8000"), {Way: identity.SMS, Value: "+8613800138000"}} {
			for _, who := range []principal.Principal{boss, sub} {
				if n := need(who, c); n != (verify.Need{}) {
					w.t.Errorf("%s registered: %+v", c.Value, n)
				}
			}
			if n := need(li, c); !n.Needed {
				w.t.Errorf("%s is registered with somebody else: %+v", c.Value, n)
			}
		}
		c := mailTo("li@example.com")
		if n := need(li, c); n != (verify.Need{Needed: true}) {
			w.t.Errorf("unproved: %+v", n)
		}
		w.prove(li, c)
		until := w.clock.Now().Add(90 * 24 * time.Hour).UnixMilli()
		if n := need(li, c); n.Needed || n.Until != until {
			w.t.Errorf("proved: %+v, want until %d", n, until)
		}
		for _, who := range []principal.Principal{wang, main, other} {
			if n := need(who, c); !n.Needed {
				w.t.Errorf("%s uses a proof of li's", who.User)
			}
		}
		w.clock.Add(90*24*time.Hour - time.Millisecond)
		if n := need(li, c); n.Needed {
			w.t.Error("ended early")
		}
		w.clock.Add(time.Millisecond)
		if n := need(li, c); !n.Needed {
			w.t.Error("ends late")
		}
		for _, bad := range []verify.Contact{{Way: 2, Value: "x"}, {Way: -1, Value: "x"}} {
			if _, err := w.s.Needed(ctx, li, bad); !errors.Is(err, identity.ErrWay) {
				w.t.Errorf("way %d: %v", bad.Way, err)
			}
		}
		for _, bad := range []verify.Contact{mailTo(""), mailTo("x"), mobile(""), mobile("abc")} {
			if _, err := w.s.Needed(ctx, li, bad); fault.KindOf(err) != fault.Invalid {
				w.t.Errorf("%q: %v", bad.Value, err)
			}
		}
	})
}

func TestProofs(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{Demo: true}, func(w *world) {
		ctx := w.t.Context()
		sms, mail := identity.SMS, identity.Mail
		w.prove(li, mobile("13800138000"))
		w.clock.Add(time.Second)
		w.prove(li, mailTo("li.hua@example.com"))
		w.clock.Add(time.Second)
		w.prove(wang, mailTo("wang@example.com"))
		w.prove(other, mailTo("other@example.com"))

		all := w.proofs(li, verify.ProofFilter{})
		if len(all) != 2 || all[0].Value != "li.hua@example.com" || all[0].Area != "" || all[0].Way != mail || all[1].Value != "13800138000" || all[1].Area != "86" || all[1].Way != sms {
			w.t.Fatalf("own proofs: %+v", all)
		}
		for _, p := range all {
			if len(p.ID) > 32 || len(p.ID) < 16 {
				w.t.Errorf("id %q", p.ID)
			}
		}
		for name, c := range map[string]struct {
			f    verify.ProofFilter
			want int
		}{
			"way":            {verify.ProofFilter{Way: &sms}, 1},
			"id":             {verify.ProofFilter{ID: all[0].ID}, 1},
			"no such id":     {verify.ProofFilter{ID: "x"}, 0},
			"value":          {verify.ProofFilter{Value: "LI.HUA@example.com"}, 1},
			"number":         {verify.ProofFilter{Value: "138 0013 8000", Area: "+86"}, 1},
			"other country":  {verify.ProofFilter{Value: "13800138000", Area: "44"}, -1},
			"area":           {verify.ProofFilter{Area: "0086"}, 1},
			"area 2":         {verify.ProofFilter{Area: "1"}, 0},
			"way and value":  {verify.ProofFilter{Way: &mail, Value: "13800138000"}, -1},
			"self":           {verify.ProofFilter{User: "li", Customer: "d1"}, 2},
			"later than all": {verify.ProofFilter{ExpiresFrom: w.clock.Now().Add(91 * 24 * time.Hour).UnixMilli()}, 0},
			"at its end":     {verify.ProofFilter{ExpiresFrom: all[0].Expires}, 1},
			"limit":          {verify.ProofFilter{Limit: 1}, 1},
			"offset":         {verify.ProofFilter{Offset: 1}, 1},
			"offset 2":       {verify.ProofFilter{Offset: 2}, 0},
		} {
			got, n, err := w.s.Proofs(ctx, li, c.f)
			if c.want < 0 {
				if fault.KindOf(err) != fault.Invalid {
					w.t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if err != nil || len(got) != c.want || (c.f.Limit > 0 || c.f.Offset > 0) && n != 2 {
				w.t.Errorf("%s: %d of %d, %v", name, len(got), n, err)
			}
		}
		bad := identity.Way(2)
		if _, _, err := w.s.Proofs(ctx, li, verify.ProofFilter{Way: &bad}); !errors.Is(err, identity.ErrWay) {
			w.t.Errorf("way 2: %v", err)
		}

		// The main account sees its sub-users' proofs masked, others nothing.
		sub := w.proofs(main, verify.ProofFilter{User: "li"})
		if len(sub) != 2 || sub[0].Value != "l***@example.com" || sub[1].Value != "138****8000" {
			w.t.Errorf("masked: %+v", sub)
		}
		if got := w.proofs(main, verify.ProofFilter{}); len(got) != 0 {
			w.t.Errorf("the main account has none of its own: %+v", got)
		}
		for _, user := range []string{"other", "nobody"} { // another domain's, and one that never existed
			if got := w.proofs(main, verify.ProofFilter{User: user}); len(got) != 0 {
				w.t.Errorf("%s: %+v", user, got)
			}
		}
		for _, f := range []verify.ProofFilter{{User: "wang"}, {User: "nobody"}, {Customer: "d2"}, {Customer: "nowhere"}} {
			if _, _, err := w.s.Proofs(ctx, li, f); !errors.Is(err, fault.NoPermission) {
				w.t.Errorf("%+v: %v", f, err)
			}
		}
		// Proved again: the same id, a new date, first in the list.
		w.clock.Add(time.Hour)
		w.prove(li, mobile("13800138000"))
		again := w.proofs(li, verify.ProofFilter{})
		if len(again) != 2 || again[0].ID != all[1].ID || again[0].Expires <= all[1].Expires || again[0].Value != "13800138000" {
			w.t.Errorf("proved again: %+v", again)
		}
		// An erased person's proofs tell nothing.
		if err := w.keys.Destroy(ctx, "li"); err != nil {
			w.t.Fatal(err)
		}
		for _, p := range w.proofs(main, verify.ProofFilter{User: "li"}) {
			if p.Value != "" {
				w.t.Errorf("erased: %+v", p)
			}
		}
	})
}

// TestProve: which contacts a ticket may use (semantics.md D25).
func TestProve(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{Demo: true}, func(w *world) {
		ctx := w.t.Context()
		boss := w.knownUser("boss@example.com")
		prove := func(who principal.Principal, c verify.Claims) string {
			w.t.Helper()
			p, err := w.s.Prepare(ctx, who, c)
			if err != nil {
				w.t.Fatal(err)
			}
			out, err := db.Do(ctx, w.db, func(tx *db.Tx) (verify.Outcome, error) { return w.s.Prove(tx, who, p) })
			if err != nil {
				w.t.Fatal(err)
			}
			if out.OK() {
				return ""
			}
			if out.Refusal.Code != "OSM.01010010" {
				w.t.Errorf("code %s", out.Refusal.Code)
			}
			return out.Refusal.Field
		}
		const mobileA, mailA = "13800138001", "a@example.com"
		want := func(what, got, field string) {
			w.t.Helper()
			if got != field {
				w.t.Errorf("%s: refused for %q, want %q", what, got, field)
			}
		}
		want("nothing to prove", prove(li, verify.Claims{}), "")
		want("registered", prove(boss, verify.Claims{Area: "86", Mobile: "13800138000", Mail: "BOSS@example.com"}), "")
		want("registered elsewhere", prove(li, verify.Claims{Mail: "boss@example.com"}), "remind_mail")
		want("unproved", prove(li, verify.Claims{Mobile: mobileA}), "remind_mobile")
		want("both unproved", prove(li, verify.Claims{Mobile: mobileA, Mail: mailA}), "remind_mobile")

		// The code proves one; the other needs its own proof, and until then the
		// code is not used up.
		code := w.send(li, mobile(mobileA))
		want("the mail has no proof", prove(li, verify.Claims{Mobile: mobileA, Mail: mailA, Code: code}), "remind_mail")
		want("wrong code", prove(li, verify.Claims{Mobile: mobileA, Code: wrongFor(code)}), "verify_code")
		w.prove(li, mailTo(mailA))
		proof := w.proofs(li, verify.ProofFilter{})[0]
		want("wrong header", prove(li, verify.Claims{Mail: mailA, MailProof: "nonsense"}), "remind_mail")
		want("header of another way", prove(li, verify.Claims{Mobile: mobileA, PhoneProof: proof.ID}), "remind_mobile")
		want("header for another address", prove(li, verify.Claims{Mail: "b@example.com", MailProof: proof.ID}), "remind_mail")
		want("somebody else's header", prove(wang, verify.Claims{Mail: mailA, MailProof: proof.ID}), "remind_mail")
		want("the main account with a sub-user's", prove(main, verify.Claims{Mail: mailA, MailProof: proof.ID}), "remind_mail")
		want("header", prove(li, verify.Claims{Mail: mailA, MailProof: proof.ID}), "")
		want("proved, no header", prove(li, verify.Claims{Mail: "A@EXAMPLE.COM"}), "")
		want("code for the mobile, header for the mail", prove(li, verify.Claims{Area: "86", Mobile: mobileA, Mail: mailA, MailProof: proof.ID, Code: code}), "")
		want("the code left a proof", prove(li, verify.Claims{Mobile: mobileA}), "")
		want("a code nobody asked for", prove(li, verify.Claims{Mobile: mobileA, Code: "000000"}), "")
		if n := w.rows("verify_codes WHERE state = 'used'"); n != 2 {
			w.t.Errorf("%d codes used", n)
		}
		if n := w.rows("verify_counts WHERE subject LIKE 'guess.contact:%'"); n != 1 {
			w.t.Errorf("%d wrong tries counted", n)
		}
		w.clock.Add(90 * 24 * time.Hour)
		want("after 90 days", prove(li, verify.Claims{Mail: mailA, MailProof: proof.ID}), "remind_mail")

		for _, c := range []struct {
			c     verify.Claims
			field string
		}{{verify.Claims{Mobile: "x"}, "remind_mobile"}, {verify.Claims{Mail: "x"}, "remind_mail"}, {verify.Claims{Mobile: mobileA, Area: "abc"}, "area_code"}} {
			_, err := w.s.Prepare(ctx, li, c.c)
			if f, ok := fault.As(err); !ok || f.Field != c.field || f.Code != fault.CodeInvalid {
				w.t.Errorf("%+v: %v", c.c, err)
			}
		}
		p, err := w.s.Prepare(ctx, li, verify.Claims{Area: "86", Mobile: "138 0013 8001", Mail: "Li@Example.com"})
		if err != nil || p.Mobile != "+8613800138001" || p.Mail != "li@example.com" {
			w.t.Errorf("%+v, %v", p, err)
		}
	})
}

// TestProofsOfMany: paging shows each proof once, newest first.
func TestProofsOfMany(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{Demo: true}, func(w *world) {
		for i := range 15 {
			w.prove(li, numbered(i))
			w.clock.Add(time.Second)
		}
		seen := 0
		for offset := 0; offset < 20; offset += 4 {
			for _, p := range w.proofs(li, verify.ProofFilter{Offset: offset, Limit: 4}) {
				if want := fmt.Sprintf("user%04d@example.com", 14-seen); p.Value != want {
					w.t.Errorf("%d: %s, want %s", seen, p.Value, want)
				}
				seen++
			}
		}
		if got := w.proofs(li, verify.ProofFilter{Offset: 0, Limit: 1000}); seen != 15 || len(got) != 15 {
			w.t.Errorf("%d seen", seen)
		}
		if got, n, err := w.s.Proofs(w.t.Context(), li, verify.ProofFilter{}); len(got) != 10 || n != 15 || err != nil {
			w.t.Errorf("default page %d of %d, %v", len(got), n, err)
		}
	})
}
