package verify_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/verify"
)

// TestTestMessages: test messages are limited for each administrator, each contact
// and all together, exactly; a text message goes where codes may go and is money of
// the day like one with a code.
func TestTestMessages(t *testing.T) {
	t.Parallel()
	pumping := config.Pumping{DayCost: 400, Prices: map[string]int64{"86": 100}}
	each(t, verify.Options{Config: config.Verify{Pumping: pumping}}, func(w *world) {
		ctx := w.t.Context()
		admin := func(id string) principal.Principal {
			return principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: id, Roles: principal.RoleAdministrator}
		}
		try := func(who principal.Principal, way notify.Way, to string) error {
			return w.db.Update(ctx, func(tx *db.Tx) error { return w.s.AdmitTest(tx, who, way, to) })
		}
		want := func(what string, err, want error, after bool) {
			w.t.Helper()
			f, _ := fault.As(err)
			if !errors.Is(err, want) || after != (f != nil && f.RetryAfter > 0) {
				w.t.Errorf("%s: %v", what, err)
			}
		}
		for i := range 10 { // of one contact, by whomever
			if err := try(admin(fmt.Sprint("a", i%2)), notify.Mail, "ops@desk.example"); err != nil {
				w.t.Fatalf("test %d: %v", i, err)
			}
		}
		want("the contact's 11th", try(admin("c"), notify.Mail, "ops@desk.example"), verify.ErrTestTooOften, true)
		var ok, refused atomic.Int64
		var all sync.WaitGroup
		for i := range 40 { // of one administrator, at once
			all.Go(func() {
				switch err := try(admin("busy"), notify.Mail, fmt.Sprintf("o%d@desk.example", i)); {
				case err == nil:
					ok.Add(1)
				case errors.Is(err, verify.ErrTestTooOften):
					refused.Add(1)
				default:
					w.t.Error(err)
				}
			})
		}
		all.Wait()
		if ok.Load() != 20 || refused.Load() != 20 {
			w.t.Errorf("of 40 at once %d went out, %d were refused", ok.Load(), refused.Load())
		}
		w.clock.Add(time.Hour + time.Second)
		if err := try(admin("busy"), notify.Mail, "ops@desk.example"); err != nil {
			w.t.Errorf("an hour later: %v", err)
		}

		want("a number abroad", try(admin("d"), notify.SMS, "+12025550123"), verify.ErrTestNumber, false)
		want("a fixed line", try(admin("d"), notify.SMS, "+861062345678"), verify.ErrTestNumber, false)
		for i := range 2 {
			if err := try(admin("d"), notify.SMS, fmt.Sprintf("+861380013800%d", i)); err != nil {
				w.t.Fatalf("text message %d: %v", i, err)
			}
		}
		w.send(li, mobile("13900139000")) // the third of the day, with a code
		if err := try(admin("d"), notify.SMS, "+8613700137000"); err != nil {
			w.t.Errorf("the fourth: %v", err)
		}
		want("one more than the day's money", try(admin("d"), notify.SMS, "+8613600136000"), verify.ErrTestCeiling, true)
		if err := w.s.Send(ctx, wang, mobile("13500135000"), "zh-cn"); !errors.Is(err, verify.ErrPaused) {
			w.t.Errorf("a code behind the tests: %v", err)
		}
		w.clock.Add(24 * time.Hour)
		if err := try(admin("d"), notify.SMS, "+8613600136000"); err != nil {
			w.t.Errorf("the next day: %v", err)
		}
	})
}

// TestTestMessagesAreAdmitted: the desk's test send asks before it sends.
func TestTestMessagesAreAdmitted(t *testing.T) {
	t.Parallel()
	each(t, verify.Options{}, func(w *world) {
		admin := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "a", Roles: principal.RoleAdministrator}
		var err error
		n := 0
		for ; err == nil && n < 50; n++ {
			_, err = w.out.Try(w.t.Context(), admin, w.post.Name(), "ops@desk.example", "en-us")
		}
		if n != 11 || !errors.Is(err, verify.ErrTestTooOften) || len(w.post.got) != 10 {
			w.t.Errorf("test %d: %v; %d left", n, err, len(w.post.got))
		}
	})
}
