package verify_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/verify"
)

func refused(t *testing.T, err error, after time.Duration) {
	t.Helper()
	f, ok := fault.As(err)
	if !ok || !errors.Is(err, verify.ErrTooOften) || f.Code != "OSM.01010024" {
		t.Errorf("not refused: %v", err)
		return
	}
	if f.RetryAfter != after {
		t.Errorf("retry after %v, want %v", f.RetryAfter, after)
	}
}

// TestSendInterval: one send a minute per contact, over all tenants, exact
// under concurrency and over nodes (A8).
func TestSendInterval(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{Demo: true}, func(w *world) {
		ctx := w.t.Context()
		nodes := []*node{w.node, w.node}
		if w.db.Dialect() == db.Postgres {
			nodes[1] = w.open(verify.Options{Demo: true})
		}
		spellings := []verify.Contact{mobile("13800138000"), {Area: "+86", Value: "138 0013 8000"}, {Area: "0086", Value: "138-0013-8000"}, {Area: "86", Value: "+8613800138000"}, {Value: "008613800138000"}}
		var sent, late, strange atomic.Int64
		var wg sync.WaitGroup
		for i := range 100 {
			who := user(fmt.Sprint("d", i%7), fmt.Sprint("u", i%13))
			wg.Go(func() {
				err := nodes[i%2].s.Send(ctx, who, spellings[i%len(spellings)], locale.ZH)
				switch {
				case err == nil:
					sent.Add(1)
				case errors.Is(err, verify.ErrTooOften):
					late.Add(1)
				default:
					strange.Add(1)
					w.t.Log(err)
				}
			})
		}
		wg.Wait()
		if sent.Load() != 1 || late.Load() != 99 {
			w.t.Errorf("%d sent, %d refused, %d other", sent.Load(), late.Load(), strange.Load())
		}
		w.work()
		if w.post.count() != 1 || w.rows("notify_messages") != 1 || w.rows("verify_codes") != 1 {
			w.t.Errorf("%d messages", w.post.count())
		}
		w.clock.Add(59 * time.Second)
		refused(w.t, w.s.Send(ctx, other, spellings[0], locale.ZH), time.Second)
		w.clock.Add(time.Second)
		w.send(other, spellings[0])
		if err := w.s.Send(ctx, other, mobile("13800138001"), locale.ZH); err != nil {
			w.t.Errorf("another contact: %v", err)
		}
	})
}

// TestSendCaps: each cap alone lets n through and refuses n+1, queues nothing
// for it, and frees after its window (A9).
func TestSendCaps(t *testing.T) {
	t.Parallel()
	const hour, day = time.Hour, 24 * time.Hour
	none := config.SendCaps{UserHour: -1, UserDay: -1, DomainHour: -1, DomainDay: -1, AddressHour: -1, PrefixHour: -1, CountryHour: -1, ContactHour: 1000, ContactDay: 1000}
	one := func(int) verify.Contact { return mailTo("one@example.com") }
	many := func(i int) verify.Contact { return numbered(i) }
	same := func(int) principal.Principal { return li }
	colleagues := func(i int) principal.Principal { return user("d1", fmt.Sprint("u", i)) }
	strangers := func(i int) principal.Principal { return user(fmt.Sprint("d", i), fmt.Sprint("u", i)) }
	at := func(format string) func(i int) principal.Principal {
		return func(i int) principal.Principal {
			p := strangers(i)
			p.Address = strings.ReplaceAll(format, "*", strconv.Itoa(i))
			return p
		}
	}
	for _, c := range []struct {
		name    string
		caps    func(*config.SendCaps)
		most    int
		window  time.Duration
		who     func(i int) principal.Principal
		contact func(i int) verify.Contact
		pace    time.Duration // between sends
	}{
		{"contact hour", func(c *config.SendCaps) { c.ContactHour = 0 }, 5, hour, strangers, one, time.Minute},
		{"contact day", func(c *config.SendCaps) { c.ContactDay = 0 }, 10, day, strangers, one, time.Minute},
		{"user hour", func(c *config.SendCaps) { c.UserHour = 0 }, 10, hour, same, many, 0},
		{"user day", func(c *config.SendCaps) { c.UserDay = 0 }, 30, day, same, many, 0},
		{"domain hour", func(c *config.SendCaps) { c.DomainHour = 0 }, 100, hour, colleagues, many, 0},
		{"domain day", func(c *config.SendCaps) { c.DomainDay = 120 }, 120, day, colleagues, many, 0},
		{"address hour", func(c *config.SendCaps) { c.AddressHour = 0 }, 60, hour, at("203.0.113.9"), many, 0},
		{"prefix hour", func(c *config.SendCaps) { c.PrefixHour = 0 }, 10, hour, strangers, func(i int) verify.Contact { return mobile(fmt.Sprintf("1380013%04d", i)) }, 0},
		{"country hour", func(c *config.SendCaps) { c.CountryHour = 25 }, 25, hour, strangers, func(i int) verify.Contact { return mobile(fmt.Sprintf("138%04d8000", i)) }, 0},
		{"IPv6 network hour", func(c *config.SendCaps) { c.AddressHour = 0 }, 60, hour, at("2400:3200:1:2::*"), many, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			caps := none
			c.caps(&caps)
			each(t, verify.Options{Config: config.Verify{Caps: caps}, AddressKnown: true}, func(w *world) {
				ctx := w.t.Context()
				for i := range c.most {
					if err := w.s.Send(ctx, c.who(i), c.contact(i), locale.ZH); err != nil {
						w.t.Fatalf("send %d of %d: %v", i+1, c.most, err)
					}
					w.clock.Add(c.pace)
				}
				refused(w.t, w.s.Send(ctx, c.who(c.most), c.contact(c.most), locale.ZH), c.window-time.Duration(c.most)*c.pace)
				if n := w.rows("notify_messages"); n != c.most {
					w.t.Errorf("%d messages queued", n)
				}
				w.clock.Add(c.window - time.Duration(c.most)*c.pace - time.Millisecond)
				if err := w.s.Send(ctx, c.who(c.most), c.contact(c.most), locale.ZH); err == nil {
					w.t.Error("freed too early")
				}
				w.clock.Add(time.Millisecond)
				if err := w.s.Send(ctx, c.who(c.most), c.contact(c.most), locale.ZH); err != nil {
					w.t.Errorf("after the window: %v", err)
				}
			})
		})
	}
	// Without knowing whose address it is, it does not count.
	t.Run("address unknown", func(t *testing.T) {
		t.Parallel()
		each(t, verify.Options{}, func(w *world) {
			for i := range 70 {
				if err := w.s.Send(w.t.Context(), strangers(i), numbered(i), locale.ZH); err != nil {
					w.t.Fatal(err)
				}
			}
		})
	})
	// Demo: the caller's caps are wide, the contact's are not.
	t.Run("demo", func(t *testing.T) {
		t.Parallel()
		each(t, verify.Options{Demo: true, AddressKnown: true}, func(w *world) {
			for i := range 120 {
				if err := w.s.Send(w.t.Context(), li, numbered(i), locale.ZH); err != nil {
					w.t.Fatal(err)
				}
			}
			for range 4 {
				w.clock.Add(time.Minute)
				if err := w.s.Send(w.t.Context(), li, numbered(0), locale.ZH); err != nil {
					w.t.Fatal(err)
				}
			}
			w.clock.Add(time.Minute)
			refused(w.t, w.s.Send(w.t.Context(), li, numbered(0), locale.ZH), 55*time.Minute)
		})
	})
}

// TestCapsExact: many sends at once do not pass a cap.
func TestCapsExact(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{AddressKnown: true}, func(w *world) {
		nodes := []*node{w.node, w.node}
		if w.db.Dialect() == db.Postgres {
			nodes[1] = w.open(verify.Options{AddressKnown: true})
		}
		var sent atomic.Int64
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				if nodes[i%2].s.Send(w.t.Context(), li, numbered(i), locale.ZH) == nil {
					sent.Add(1)
				}
			})
		}
		wg.Wait()
		if sent.Load() != 10 || w.rows("notify_messages") != 10 {
			w.t.Errorf("%d sent, the cap is 10", sent.Load())
		}
	})
}

// TestGuessBudget: who resends and guesses for a day gets at most 20 guesses at
// a contact and 50 in all; the answer stays that of a wrong code (A13).
func TestGuessBudget(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{Config: config.Verify{Caps: config.SendCaps{ContactHour: 1000, ContactDay: 10000, UserHour: -1, UserDay: -1, DomainHour: -1, DomainDay: -1}}}, func(w *world) {
		compared := func() int { return w.rows("verify_counts WHERE subject LIKE 'guess.contact:%'") }
		c := mailTo("victim@example.com")
		var code string
		for i := range 12 { // two attackers of two tenants in turn
			who := []principal.Principal{li, other}[i%2]
			code = w.send(who, c)
			for range 6 {
				if err := w.check(who, c, wrongFor(code)); !errors.Is(err, verify.ErrWrong) {
					w.t.Fatalf("%v", err)
				}
			}
			w.clock.Add(2 * time.Minute)
		}
		if n := compared(); n != 20 {
			w.t.Errorf("%d guesses at one contact", n)
		}
		code = w.send(li, c)
		if err := w.check(li, c, code); !errors.Is(err, verify.ErrWrong) {
			w.t.Errorf("the budget is spent, yet: %v", err)
		}
		// The other contacts of the same user, until his own budget is spent.
		for i := range 20 {
			code := w.send(li, numbered(i))
			for range 5 {
				if err := w.check(li, numbered(i), wrongFor(code)); !errors.Is(err, verify.ErrWrong) {
					w.t.Fatalf("%v", err)
				}
			}
		}
		if n := w.rows("verify_counts WHERE subject = 'guess.user:d1/li'"); n != 50 {
			w.t.Errorf("%d guesses of one user", n)
		}
		w.clock.Add(24 * time.Hour)
		code = w.send(li, c)
		if err := w.check(li, c, code); err != nil {
			w.t.Errorf("a day later: %v", err)
		}
	})
}

// TestSendSameAnswer: a known, a proved, an unknown, a blocked and an
// undeliverable contact get the same answer, and the same rows are written for
// each (A12).
func TestSendSameAnswer(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{Demo: true}, func(w *world) {
		ctx := w.t.Context()
		proved := mailTo("proved@example.com")
		if err := w.check(li, proved, w.send(li, proved)); err != nil {
			w.t.Fatal(err)
		}
		known := w.knownUser("known@example.com")
		w.clock.Add(2 * time.Minute)
		tables := []string{"verify_codes", "verify_counts", "notify_messages", "jobs", "events"}
		count := func() (all []int) {
			for _, table := range tables {
				all = append(all, w.rows(table))
			}
			return all
		}
		var deltas []string
		for _, c := range []struct {
			who principal.Principal
			to  string
		}{{li, "new@example.com"}, {li, proved.Value}, {known, "known@example.com"}, {li, "dead@no-such-host.example"}} {
			before := count()
			if err := w.s.Send(ctx, c.who, mailTo(c.to), locale.ZH); err != nil {
				w.t.Fatalf("%s: %v", c.to, err)
			}
			after := count()
			for i := range after {
				after[i] -= before[i]
			}
			deltas = append(deltas, fmt.Sprint(after))
		}
		for _, d := range deltas {
			if d != deltas[0] {
				w.t.Errorf("rows written differ: %v", deltas)
			}
		}
	})
}

// TestPurge: what is kept is no more than the limits need.
func TestPurge(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{}, func(w *world) {
		c := mailTo("li@example.com")
		if err := w.check(li, c, w.send(li, c)); err != nil {
			w.t.Fatal(err)
		}
		purge := func(after time.Duration, want ...int) {
			w.t.Helper()
			w.clock.Add(after)
			if err := w.s.Purge(context.Background()); err != nil {
				w.t.Fatal(err)
			}
			got := []int{w.rows("verify_codes"), w.rows("verify_counts"), w.rows("verify_contacts"), w.rows("verify_proofs")}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				w.t.Errorf("rows %v, want %v", got, want)
			}
		}
		purge(23*time.Hour, 1, 3, 1, 1)
		purge(2*time.Hour, 1, 0, 0, 1)
		purge(24*time.Hour, 0, 0, 0, 1) // the live view reaches back 48 hours
		purge(117*24*time.Hour, 0, 0, 0, 1)
		purge(24*time.Hour, 0, 0, 0, 0)
	})
}

// TestConfig: the defaults are those of threats.md A9 and A13, and what must
// stand cannot be switched off.
func TestConfig(t *testing.T) {
	t.Parallel()
	want := config.Verify{Caps: config.SendCaps{ContactHour: 5, ContactDay: 10, UserHour: 10, UserDay: 30, DomainHour: 100, DomainDay: 500, AddressHour: 60, PrefixHour: 10, CountryHour: 200},
		Guesses: config.Guesses{ContactDay: 20, UserDay: 50}, ProofDays: 90, SMSCountries: []string{"86"}, Pumping: config.Pumping{Mode: "block", DayNumber: 10000}}
	if got := (config.Verify{}).WithDefaults(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("defaults %+v, want %+v", got, want)
	}
	for _, bad := range []config.Verify{{Caps: config.SendCaps{ContactHour: -1}}, {Caps: config.SendCaps{ContactDay: -1}}, {Guesses: config.Guesses{UserDay: -1}}, {Guesses: config.Guesses{ContactDay: -1}},
		{ProofDays: -1}, {Pumping: config.Pumping{Mode: "off"}}, {Pumping: config.Pumping{Prices: map[string]int64{"CN": 1}}}, {Pumping: config.Pumping{Prices: map[string]int64{"86": -1}}}, {SMSCountries: []string{"China"}}, {SMSCountries: []string{"us"}}} {
		if _, err := verify.New(nil, nil, nil, nil, verify.Options{Config: bad}); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}
