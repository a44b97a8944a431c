package verify_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/verify"
)

var (
	auditor = principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "auditor", Role: principal.RoleAuditor}
	admin   = principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "admin", Role: principal.RoleAdministrator}
)

const price = 45 // thousandths

func priced(mode string) config.Verify {
	return config.Verify{Pumping: config.Pumping{Mode: mode, Prices: map[string]int64{"86": price}}}
}

// left are the text messages a provider was given.
func (w *world) left() int {
	w.t.Helper()
	w.work()
	return w.post.count()
}

// raced: the race detector is on, which makes everything several times slower.
var raced bool

// requests of the attack: 10,000 on SQLite; on PostgreSQL, where each costs
// several round trips, a fifth unless the long tests run, and so on both under
// the race detector (make test runs the attack once more without it).
func requests(w *world) int {
	if raced || w.db.Dialect() == db.Postgres && os.Getenv("CASEMATE_LONG") == "" {
		return 2_000
	}
	return 10_000
}

// attack is that many requests in an hour over 500 numbers of 20 prefixes from
// 50 users of five tenants; nobody enters a code. It tells when the first was
// refused by the breaker.
func attack(w *world, requests int) (stopped time.Duration, paused int) {
	const numbers, prefixes = 500, 20
	pause, began := time.Hour/time.Duration(requests), w.clock.Now()
	stopped = -1
	for i := range requests {
		n := i % numbers
		to := mobile(fmt.Sprintf("13%05d%04d", 80010+n%prefixes, n/prefixes*37))
		err := w.s.Send(w.t.Context(), user(fmt.Sprint("d", i%5), fmt.Sprint("u", i%50)), to, locale.ZH)
		if errors.Is(err, verify.ErrPaused) {
			if paused++; stopped < 0 {
				stopped = w.clock.Now().Sub(began)
			}
		} else if err != nil && !errors.Is(err, verify.ErrTooOften) {
			w.t.Fatal(err)
		}
		w.clock.Add(pause)
		if i%(requests/40) == 0 { // before codes are too old to be sent
			w.work()
		}
	}
	return stopped, paused
}

// TestPumpingBreaker (threats.md A11): an attack is stopped after 30 messages
// and gets only the trials after that; mail goes on; the pauses grow; an
// administrator reopens.
func TestPumpingBreaker(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{Config: priced("")}, func(w *world) {
		n := requests(w)
		stopped, paused := attack(w, n)
		left := w.left()
		if left > 40 || left < 30 || stopped < 0 {
			w.t.Errorf("%d text messages left, stopped after %v", left, stopped)
		}
		w.t.Logf("REPORT pumping (%v): %d requests, %d text messages left, stopped after %v, %d refused by the breaker, money saved %.2f of %.2f\n",
			w.db.Dialect(), n, left, stopped.Round(time.Second), paused, float64(n-left)*price/1000, float64(n)*price/1000)
		if err := w.s.Send(w.t.Context(), user("d1", "u1"), mailTo("u1@example.com"), locale.ZH); err != nil {
			w.t.Errorf("mail is stopped too: %v", err)
		}
		lines, err := w.s.Traffic(w.t.Context(), auditor, verify.ByCountry, 2)
		if err != nil || len(lines) != 1 {
			w.t.Fatalf("%v, %v", lines, err)
		}
		if l := lines[0]; l.Key != "86" || l.Sent != int64(left) || l.Entered != 0 || l.Cost != int64(left)*price || l.Blocked != int64(n-left) ||
			l.Reasons[verify.ReasonShare] != int64(paused) || l.Reasons[verify.ReasonCap] != l.Blocked-int64(paused) {
			w.t.Errorf("the view says %+v", l)
		}
		for _, by := range []verify.By{verify.ByDomain, verify.ByHour} {
			lines, err := w.s.Traffic(w.t.Context(), admin, by, 2)
			var sent, blocked int64
			for _, l := range lines {
				sent, blocked = sent+l.Sent, blocked+l.Blocked
			}
			if err != nil || sent != int64(left) || blocked != int64(n-left) {
				w.t.Errorf("by %s: %+v, %v", by, lines, err)
			}
		}
		breakers, err := w.s.Breakers(w.t.Context(), auditor)
		if err != nil || len(breakers) != 1 || breakers[0].Subject != "country:86" || breakers[0].State != verify.BreakerOpen || breakers[0].Trips != 2 {
			w.t.Fatalf("%+v, %v", breakers, err)
		}
		if w.rows("events WHERE kind = 'codes.breaker'") < 2 {
			w.t.Error("no audit rows")
		}
		// The attacker stays: 2 h, 24 h, then for good.
		last := 100000
		probe := func() error {
			last++
			return w.s.Send(w.t.Context(), user(fmt.Sprint("p", last), "u"), mobile(fmt.Sprintf("139%04d0000", last%10000)), locale.ZH)
		}
		for _, pause := range []time.Duration{2 * time.Hour, 24 * time.Hour} {
			w.clock.Add(pause)
			for i := range 5 {
				if err := probe(); err != nil {
					w.t.Fatalf("trial %d after %v: %v", i, pause, err)
				}
			}
			if err := probe(); !errors.Is(err, verify.ErrPaused) {
				w.t.Errorf("a sixth trial: %v", err)
			}
			w.clock.Add(6 * time.Minute)
			if err := probe(); !errors.Is(err, verify.ErrPaused) {
				w.t.Errorf("after the failed trial: %v", err)
			}
		}
		w.clock.Add(400 * 24 * time.Hour)
		if err := probe(); !errors.Is(err, verify.ErrPaused) {
			w.t.Errorf("a year later: %v", err)
		}
		if err := w.s.Reopen(w.t.Context(), auditor, "country:86"); fault.KindOf(err) != fault.Forbidden {
			w.t.Errorf("an auditor reopens: %v", err)
		}
		if err := w.s.Reopen(w.t.Context(), admin, "country:1"); !errors.Is(err, verify.ErrNoBreaker) {
			w.t.Errorf("another country: %v", err)
		}
		if err := w.s.Reopen(w.t.Context(), admin, "country:86"); err != nil {
			w.t.Fatal(err)
		}
		w.clock.Add(5 * time.Minute) // the slot it was reopened in does not count
		for range 30 {
			if err := probe(); err != nil {
				w.t.Fatalf("after reopening: %v", err)
			}
		}
		if err := probe(); !errors.Is(err, verify.ErrPaused) {
			w.t.Errorf("31 unread ones after reopening: %v", err)
		}
		// In a trial one code in five that is entered closes it again.
		w.clock.Add(31 * time.Minute)
		honest, to := user("h", "h"), mobile("13700137000")
		code := w.send(honest, to)
		for range 4 {
			if err := probe(); err != nil {
				w.t.Fatal(err)
			}
		}
		if err := w.check(honest, to, code); err != nil {
			w.t.Fatal(err)
		}
		if err := probe(); err != nil {
			w.t.Errorf("after a good trial: %v", err)
		}
		if breakers, err := w.s.Breakers(w.t.Context(), auditor); err != nil || breakers[0].State != verify.BreakerClosed {
			w.t.Errorf("%+v, %v", breakers, err)
		}
	})
}

// TestHonestCrowd: 1,000 users of 20 domains over a day, 70 % of them enter
// their code, some late: nobody is stopped.
func TestHonestCrowd(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{Config: priced("")}, func(w *world) {
		random := rand.New(rand.NewPCG(7, 11))
		crowd := 1000
		if raced { // one after the other: nothing to race; the whole crowd comes without the detector
			crowd = 200
		}
		refusedOnes, entered := 0, 0
		type late struct {
			who  principal.Principal
			to   verify.Contact
			code string
		}
		var waiting []late
		for i := range crowd {
			who := user(fmt.Sprint("d", i%20), fmt.Sprint("u", i))
			to := mobile(fmt.Sprintf("13%d%04d%04d", random.IntN(10), random.IntN(10000), i))
			if err := w.s.Send(w.t.Context(), who, to, locale.ZH); err != nil {
				refusedOnes++
				w.t.Logf("user %d: %v", i, err)
				continue
			}
			w.work()
			code := w.post.got[len(w.post.got)-1].Code
			for _, l := range waiting {
				if w.check(l.who, l.to, l.code) == nil {
					entered++
				}
			}
			waiting = nil
			switch n := random.IntN(100); {
			case n < 60:
				if err := w.check(who, to, code); err != nil {
					w.t.Fatal(err)
				}
				entered++
			case n < 70: // enters it when the next one asks, perhaps too late
				waiting = append(waiting, late{who, to, code})
			}
			w.clock.Add(time.Duration(random.Int64N(int64(2*24*time.Hour) / int64(crowd))))
		}
		if refusedOnes != 0 {
			w.t.Errorf("%d of %d were refused", refusedOnes, crowd)
		}
		w.t.Logf("REPORT honest crowd (%v): %d users, %d entered their code, %d blocked\n", w.db.Dialect(), crowd, entered, refusedOnes)
	})
}

// TestMonitor: in monitor mode the same attack is recorded, and goes out as far
// as the other caps let it.
func TestMonitor(t *testing.T) {
	t.Parallel()
	c := priced(config.PumpingMonitor)
	c.Caps.PrefixHour, c.Caps.CountryHour, c.Caps.UserHour, c.Caps.UserDay = -1, -1, -1, -1
	each(t, verify.Options{Config: c}, func(w *world) {
		for i := range 60 {
			if err := w.s.Send(w.t.Context(), li, mobile(fmt.Sprintf("1380013%04d", i)), locale.ZH); err != nil {
				w.t.Fatalf("send %d: %v", i, err)
			}
		}
		lines, err := w.s.Traffic(w.t.Context(), admin, verify.ByCountry, 1)
		if err != nil || len(lines) != 1 || lines[0].Sent != 60 || lines[0].Reasons["monitor:"+verify.ReasonShare] != 30 {
			w.t.Errorf("%+v, %v", lines, err)
		}
	})
}

// TestCeiling: the day's number and the day's money stop everything, until
// midnight UTC.
func TestCeiling(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]config.Pumping{
		"number": {DayNumber: 20},
		"money":  {DayCost: 20*price + price/2, Prices: map[string]int64{"*": price}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, verify.Options{Config: config.Verify{Pumping: p, Caps: config.SendCaps{UserHour: -1, UserDay: -1}}}, func(w *world) {
				to := func(i int) verify.Contact { return mobile(fmt.Sprintf("138%04d8000", i)) }
				for i := range 20 {
					if err := w.s.Send(w.t.Context(), li, to(i), locale.ZH); err != nil {
						w.t.Fatalf("send %d: %v", i, err)
					}
				}
				err := w.s.Send(w.t.Context(), li, to(20), locale.ZH)
				if f, ok := fault.As(err); !ok || !errors.Is(err, verify.ErrPaused) || f.RetryAfter != 16*time.Hour { // it is 8:00
					w.t.Errorf("the 21st: %v", err)
				}
				w.clock.Add(16 * time.Hour)
				if err := w.s.Send(w.t.Context(), li, to(20), locale.ZH); err != nil {
					w.t.Errorf("the next day: %v", err)
				}
			})
		})
	}
}

// TestUnlikeHistory: a day with far fewer entered codes than the month before is
// stopped although one in five is entered; an ordinary bad day is not.
func TestUnlikeHistory(t *testing.T) {
	t.Parallel()
	c := priced("")
	c.Caps = config.SendCaps{UserHour: -1, UserDay: -1, DomainHour: -1, DomainDay: -1, PrefixHour: -1, CountryHour: -1}
	for name, tt := range map[string]struct {
		everyNth int // one in so many enters his code on the last day
		stopped  bool
	}{"bad day": {2, false}, "attack": {4, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, verify.Options{Config: c}, func(w *world) {
				n := 0
				day := func(share func(i int) bool, sends int) (paused int) {
					for i := range sends {
						n++
						who, to := user(fmt.Sprint("d", n%7), fmt.Sprint("u", n)), mobile(fmt.Sprintf("13%09d", n*1009))
						err := w.s.Send(w.t.Context(), who, to, locale.ZH)
						if errors.Is(err, verify.ErrPaused) {
							paused++
						} else if err != nil {
							w.t.Fatal(err)
						}
						w.work()
						if err == nil && share(i) {
							if err := w.check(who, to, w.post.got[len(w.post.got)-1].Code); err != nil {
								w.t.Fatal(err)
							}
						}
						w.clock.Add(2 * time.Minute)
					}
					return paused
				}
				for range 8 {
					if paused := day(func(i int) bool { return i%4 != 0 }, 40); paused > 0 {
						w.t.Fatal("stopped on an ordinary day")
					}
					w.clock.Add(24*time.Hour - 80*time.Minute)
				}
				paused := day(func(i int) bool { return i%tt.everyNth == 0 }, 140)
				if (paused > 0) != tt.stopped {
					w.t.Errorf("%d of 140 were stopped", paused)
				}
			})
		})
	}
}

// TestCatcherIsNoTraffic: what the catcher of a demo or a sandbox takes costs
// nothing: it goes on while text messages are stopped, and counts nowhere.
func TestCatcherIsNoTraffic(t *testing.T) {
	t.Parallel()
	c := priced("")
	c.Caps = config.SendCaps{UserHour: -1, UserDay: -1, PrefixHour: -1}
	each(t, verify.Options{Config: c}, func(w *world) {
		for i := range 31 {
			err := w.s.Send(w.t.Context(), li, mobile(fmt.Sprintf("138%04d0000", i)), locale.ZH)
			if (i < 30) != (err == nil) || i == 30 && !errors.Is(err, verify.ErrPaused) {
				w.t.Fatalf("send %d: %v", i, err)
			}
		}
		sandbox := user("d1", "li")
		sandbox.Sandbox = true
		demo, err := notify.New(w.db, w.keys, notify.Options{Catch: true})
		if err != nil {
			w.t.Fatal(err)
		}
		caught, err := verify.New(w.db, w.keys, w.ident, demo, verify.Options{Config: c})
		if err != nil {
			w.t.Fatal(err)
		}
		traffic := func() string {
			lines, err := w.s.Traffic(w.t.Context(), admin, verify.ByHour, 1)
			if err != nil {
				w.t.Fatal(err)
			}
			return fmt.Sprint(lines)
		}
		before := traffic()
		if err := w.s.Send(w.t.Context(), sandbox, mobile("13700137000"), locale.ZH); err != nil {
			w.t.Errorf("a sandbox's code: %v", err)
		}
		if err := caught.Send(w.t.Context(), li, mobile("13700137001"), locale.ZH); err != nil {
			w.t.Errorf("a demo's code: %v", err)
		}
		if now := traffic(); now != before {
			w.t.Errorf("the traffic was %s, now %s", before, now)
		}
		if err := w.s.Send(w.t.Context(), li, mobile("13700137002"), locale.ZH); !errors.Is(err, verify.ErrPaused) {
			w.t.Errorf("a real one: %v", err)
		}
	})
}

// TestCeilingTogether: sends of different domains and countries at once do not
// pass the day's number.
func TestCeilingTogether(t *testing.T) {
	t.Parallel()
	const most, callers = 20, 16
	countries := []verify.Contact{mobile("13800138000"), {Way: identity.SMS, Area: "49", Value: "15123456789"}, {Way: identity.SMS, Area: "33", Value: "612345678"}, {Way: identity.SMS, Area: "44", Value: "7400123456"}}
	c := config.Verify{SMSCountries: []string{"86", "49", "33", "44"}, Pumping: config.Pumping{DayNumber: most}, Caps: config.SendCaps{UserHour: -1, UserDay: -1, PrefixHour: -1, CountryHour: -1, ContactHour: 1000, ContactDay: 1000}}
	each(t, verify.Options{Config: c}, func(w *world) {
		var left, paused atomic.Int64
		var crowd sync.WaitGroup
		for i := range callers {
			crowd.Go(func() {
				for n := range 12 {
					who, to := user(fmt.Sprint("d", i), "u"), countries[(i+n)%len(countries)]
					err := w.s.Send(w.t.Context(), who, to, locale.ZH)
					switch {
					case err == nil:
						left.Add(1)
					case errors.Is(err, verify.ErrPaused):
						paused.Add(1)
					case !errors.Is(err, verify.ErrTooOften):
						w.t.Error(err)
					}
					w.clock.Add(11 * time.Second)
				}
			})
		}
		crowd.Wait()
		var sent int64
		err := w.db.View(w.t.Context(), func(tx *db.Tx) error {
			return tx.Get("SELECT coalesce(sum(sent), 0) FROM verify_traffic WHERE subject = 'all' AND width = 86400000").Scan(&sent)
		})
		if err != nil || sent != left.Load() || sent > most || sent == 0 {
			w.t.Errorf("%d counted, %d sent, at most %d, %v", sent, left.Load(), most, err)
		}
		w.t.Logf("%d sent, %d refused", sent, paused.Load())
	})
}

// TestRefusalsAreCounts: whoever is refused over and over makes counts, not
// rows: a row for a slot, a reason and each of three subjects, and no stored
// result. A sandbox's refusals count nowhere.
func TestRefusalsAreCounts(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{}, func(w *world) {
		sandbox := li
		sandbox.Sandbox = true
		for i := range 40 {
			ctx := db.WithRequestKey(w.t.Context(), db.RequestKey{ID: fmt.Sprint("request ", i), Domain: li.Domain, Until: w.clock.Now().Add(time.Hour).UnixMilli()})
			if err := w.s.Send(ctx, li, verify.Contact{Way: identity.SMS, Area: "44", Value: fmt.Sprintf("74001%05d", i)}, locale.ZH); !errors.Is(err, verify.ErrNoSMS) {
				w.t.Fatalf("send %d: %v", i, err)
			}
			if err := w.s.Send(w.t.Context(), sandbox, verify.Contact{Way: identity.SMS, Area: "49", Value: fmt.Sprintf("151%08d", i)}, locale.ZH); !errors.Is(err, verify.ErrNoSMS) {
				w.t.Fatalf("send %d: %v", i, err)
			}
		}
		if n, keys, codes := w.rows("verify_refusals"), w.rows("request_keys"), w.rows("verify_codes"); n != 3 || keys != 0 || codes != 0 {
			w.t.Errorf("%d counts, %d stored results, %d codes", n, keys, codes)
		}
		lines, err := w.s.Traffic(w.t.Context(), admin, verify.ByCountry, 1)
		if err != nil || len(lines) != 1 || lines[0].Key != "44" || lines[0].Blocked != 40 || lines[0].Reasons[verify.ReasonNumber] != 40 {
			w.t.Errorf("%+v, %v", lines, err)
		}
	})
}
