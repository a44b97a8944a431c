package verify

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// The defence against pumping: somebody lets us send text messages that nobody
// reads, to numbers that pay him (threats.md A9, A11). A breaker watches how
// many codes are entered, per calling code and per domain, and stops text
// messages there; mail goes on.

// Slots of the traffic.
const (
	slotWidth = 5 * time.Minute
	dayWidth  = 24 * time.Hour
	slotsKept = 3 * day
	daysKept  = 400 * day
)

// The breaker's figures (threats.md A11).
const (
	enough      = 30 // sends within the hour before it judges
	leastShare  = 20 // percent that must be entered
	trialSends  = 5
	quietDay    = day // without a trip, then the next one counts as the first
	historyDays = 30
	leastDays   = 7   // of history, before a day is held against it
	enoughDay   = 100 // sends of a day before it is
)

// pauses after the first, second and third trip; after that an administrator
// must reopen.
var pauses = []time.Duration{30 * time.Minute, 2 * time.Hour, 24 * time.Hour}

// never is when an open breaker tries by itself no more.
const never = math.MaxInt64

// States of a breaker.
const (
	BreakerClosed = "closed"
	BreakerOpen   = "open"
	BreakerTrial  = "trial"
)

// Reasons of refusals, as the traffic view counts them.
const (
	ReasonShare   = "share"   // too few codes are entered
	ReasonHistory = "history" // far fewer than in the last month
	ReasonCeiling = "ceiling" // the day's number or money is used up
	ReasonCap     = "cap"     // a cap of contact, user, domain, address, prefix or country
	ReasonNumber  = "number"  // country not listed, or not a mobile number
	monitored     = "monitor:"
)

var (
	// ErrPaused: text messages are stopped here for a while.
	ErrPaused = fault.New(fault.TooMany, "OSM.01010024", "短信验证码暂停发送，请改用邮箱验证或稍后再试", "text messages are paused here: please use an e-mail address or try again later")
	// ErrNoBreaker: nothing of this name has tripped.
	ErrNoBreaker = fault.New(fault.NotFound, fault.CodeInvalid, "没有该熔断记录", "no breaker of this name has tripped").In("subject")
)

const (
	subjectAll     = "all"
	subjectCountry = "country:"
	subjectDomain  = "domain:"
)

func slotOf(at int64, width time.Duration) int64 { return at - at%width.Milliseconds() }

// subjectsOf are what a send counts for, the whole first.
func subjectsOf(domain, country string) []string {
	return []string{subjectAll, subjectCountry + country, subjectDomain + domain}
}

type amounts struct{ sent, entered, cost int64 }

// tally adds to the traffic of the subjects, in the slot that holds at.
func tally(tx *db.Tx, subjects []string, at int64, a amounts) {
	for _, subject := range subjects {
		for _, width := range []time.Duration{slotWidth, dayWidth} {
			tx.Write(1, `INSERT INTO verify_traffic (subject, width, slot, sent, entered, cost) VALUES (?, ?, ?, ?, ?, ?)
				ON CONFLICT (subject, width, slot) DO UPDATE SET sent = verify_traffic.sent + excluded.sent, entered = verify_traffic.entered + excluded.entered,
				cost = verify_traffic.cost + excluded.cost`, subject, width.Milliseconds(), slotOf(at, width), a.sent, a.entered, a.cost)
		}
	}
}

// refuse counts a refused send with its reason.
func refuse(tx *db.Tx, subjects []string, reason string) {
	for _, subject := range subjects {
		tx.Write(1, `INSERT INTO verify_refusals (subject, slot, reason, n) VALUES (?, ?, ?, 1)
			ON CONFLICT (subject, slot, reason) DO UPDATE SET n = verify_refusals.n + 1`, subject, slotOf(tx.Now, slotWidth), reason)
	}
}

// blocked counts a send that another rule refused; the refusal stands whatever
// becomes of the count. A sandbox's is nobody's money.
func (s *Service) blocked(ctx context.Context, who principal.Principal, r resolved, reason string) {
	if who.Sandbox {
		return
	}
	err := s.db.Update(db.WithoutRequestKey(ctx), func(tx *db.Tx) error { refuse(tx, subjectsOf(who.Domain, r.area), reason); return nil })
	if err != nil && ctx.Err() == nil {
		s.o.Log.WarnContext(ctx, "counting a refused text message", "error", err)
	}
}

// Breaker is one that has tripped.
type Breaker struct {
	Subject string // country:86, domain:ID
	State   string
	Reason  string
	Trips   int
	Since   int64 // milliseconds UTC
	Until   int64 // open: when the next trial begins; 0 = not by itself
	trials  int64
	moved   int64
	old     bool // it has a row
}

const breakerColumns = "subject, state, reason, trips, trials, since, until, moved"

func scanBreaker(r db.Row) (b Breaker, err error) {
	err = r.Scan(&b.Subject, &b.State, &b.Reason, &b.Trips, &b.trials, &b.Since, &b.Until, &b.moved)
	b.old = true
	return b, err
}

func (b Breaker) save(tx *db.Tx) {
	tx.Write(1, `INSERT INTO verify_breakers (subject, state, reason, trips, trials, since, until, moved) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (subject) DO UPDATE SET state = excluded.state, reason = excluded.reason, trips = excluded.trips, trials = excluded.trials,
		since = excluded.since, until = excluded.until, moved = excluded.moved`, b.Subject, b.State, b.Reason, b.Trips, b.trials, b.Since, b.Until, tx.Now)
}

// verdict is what gate decided of a text message that may go out.
type verdict struct {
	price    int64
	recorded string // monitor mode: why it would have been refused, "" = it would not
}

// gate decides whether a text message with a code may go out; who lets it go
// counts it by passed, at the end of the transaction. A refusal is a decision
// that must be committed, with the breaker's move. In monitor mode everything
// is decided and recorded, and nothing refused.
func (s *Service) gate(tx *db.Tx, who principal.Principal, r resolved) (verdict, *fault.Error, error) {
	subjects := subjectsOf(who.Domain, r.area)
	// The first lock makes the ceiling exact over all countries and domains.
	for _, subject := range subjects {
		tx.Lock("", "verify breaker "+subject)
	}
	v := verdict{price: s.o.Config.Pumping.Price(r.area)}
	reason, wait, err := s.ceiling(tx, v.price)
	for _, subject := range subjects[1:] {
		if err == nil && reason == "" {
			reason, wait, err = s.watch(tx, subject)
		}
	}
	switch {
	case err != nil:
		return v, nil, err
	case reason != "" && s.o.Config.Pumping.Mode != config.PumpingMonitor:
		refuse(tx, subjects, reason)
		return v, ErrPaused.After(max(wait, time.Second)), nil
	}
	v.recorded = reason
	return v, nil, nil
}

// passed counts a text message that goes out. It comes after all that is the
// caller's or the contact's, as in a check: the traffic's rows are everybody's,
// and who held them while waiting for a contact's row would meet, on
// PostgreSQL, a check that holds that row and wants the traffic's.
func (s *Service) passed(tx *db.Tx, who principal.Principal, r resolved, v verdict) {
	subjects := subjectsOf(who.Domain, r.area)
	if v.recorded != "" {
		refuse(tx, subjects, monitored+v.recorded)
	}
	tally(tx, subjects, tx.Now, amounts{sent: 1, cost: v.price})
}

// ceiling holds the whole system's day (UTC) against number and money.
func (s *Service) ceiling(tx *db.Tx, price int64) (reason string, wait time.Duration, err error) {
	c := s.o.Config.Pumping
	var sent, cost int64
	today := slotOf(tx.Now, dayWidth)
	err = tx.Get("SELECT coalesce(sum(sent), 0), coalesce(sum(cost), 0) FROM verify_traffic WHERE subject = ? AND width = ? AND slot = ?", subjectAll, dayWidth.Milliseconds(), today).Scan(&sent, &cost)
	if err != nil {
		return "", 0, err
	}
	if c.DayNumber >= 0 && sent >= int64(c.DayNumber) || c.DayCost > 0 && cost+price > c.DayCost {
		return ReasonCeiling, millis(today + dayWidth.Milliseconds() - tx.Now), nil
	}
	return "", 0, nil
}

// watch moves one breaker as its traffic asks and tells whether it refuses.
func (s *Service) watch(tx *db.Tx, subject string) (reason string, wait time.Duration, err error) {
	b := Breaker{Subject: subject, State: BreakerClosed}
	err = tx.List(func(r db.Row) (err error) { b, err = scanBreaker(r); return err }, "SELECT "+breakerColumns+" FROM verify_breakers WHERE subject = ?", subject)
	if err != nil {
		return "", 0, err
	}
	switch b.State {
	case BreakerOpen:
		if tx.Now < b.Until {
			return b.Reason, b.wait(tx.Now), nil
		}
		b.State, b.Since, b.trials = BreakerTrial, tx.Now, trialSends-1
		b.save(tx)
		return "", 0, nil
	case BreakerTrial:
		if b.trials > 0 {
			b.trials--
			b.save(tx)
			return "", 0, nil
		}
		sent, entered, err := sums(tx, subject, slotOf(b.Since, slotWidth))
		switch {
		case err != nil:
			return "", 0, err
		case entered*100 >= leastShare*sent:
			b.State, b.Reason, b.Since = BreakerClosed, "", tx.Now
			b.save(tx)
			s.tell(tx, b, sent, entered)
			return "", 0, nil
		case tx.Now-b.moved < lifetime.Milliseconds():
			return b.Reason, lifetime - millis(tx.Now-b.moved), nil // the last trial's code may still be entered
		}
		s.trip(tx, &b, ReasonShare, sent, entered)
		return b.Reason, b.wait(tx.Now), nil
	}
	from := tx.Now - hour.Milliseconds()
	if b.old { // what brought it down before does not bring it down again
		from = max(from, slotOf(b.Since, slotWidth)+slotWidth.Milliseconds())
	}
	sent, entered, err := sums(tx, subject, from)
	if err != nil {
		return "", 0, err
	}
	if sent >= enough && entered*100 < leastShare*sent {
		s.trip(tx, &b, ReasonShare, sent, entered)
		return b.Reason, b.wait(tx.Now), nil
	}
	odd, sent, entered, err := unlike(tx, subject)
	if err != nil || !odd || b.old && tx.Now-b.Since < dayWidth.Milliseconds() {
		return "", 0, err
	}
	s.trip(tx, &b, ReasonHistory, sent, entered)
	return b.Reason, b.wait(tx.Now), nil
}

func (b Breaker) wait(now int64) time.Duration {
	if b.Until == never {
		return day
	}
	return millis(b.Until - now)
}

// sums is what was sent since a moment, and entered of it.
func sums(tx *db.Tx, subject string, from int64) (sent, entered int64, err error) {
	err = tx.Get("SELECT coalesce(sum(sent), 0), coalesce(sum(entered), 0) FROM verify_traffic WHERE subject = ? AND width = ? AND slot >= ?",
		subject, slotWidth.Milliseconds(), slotOf(from, slotWidth)).Scan(&sent, &entered)
	return sent, entered, err
}

// unlike tells whether today's share is more than two standard deviations under
// the mean of the last month's days (threats.md A11). The spread counts at least
// what chance alone makes of a day like today, and the share must be under half
// of the mean: an ordinary bad day is no attack.
func unlike(tx *db.Tx, subject string) (odd bool, sent, entered int64, err error) {
	today := slotOf(tx.Now, dayWidth)
	var shares []float64
	err = tx.List(func(r db.Row) error {
		var slot, n, k int64
		if err := r.Scan(&slot, &n, &k); err != nil {
			return err
		}
		switch {
		case slot == today:
			sent, entered = n, k
		case n >= enough:
			shares = append(shares, float64(k)/float64(n))
		}
		return nil
	}, "SELECT slot, sent, entered FROM verify_traffic WHERE subject = ? AND width = ? AND slot >= ?", subject, dayWidth.Milliseconds(), today-historyDays*dayWidth.Milliseconds())
	if err != nil || sent < enoughDay || len(shares) < leastDays {
		return false, sent, entered, err
	}
	var mean, spread float64
	for _, s := range shares {
		mean += s / float64(len(shares))
	}
	for _, s := range shares {
		spread += (s - mean) * (s - mean) / float64(len(shares))
	}
	spread = math.Sqrt(spread + mean*(1-mean)/float64(sent))
	share := float64(entered) / float64(sent)
	return share < mean-2*spread && share < mean/2, sent, entered, nil
}

// trip opens the breaker, longer at each repeat.
func (s *Service) trip(tx *db.Tx, b *Breaker, reason string, sent, entered int64) {
	if b.State == BreakerClosed && tx.Now-b.Since > quietDay.Milliseconds() {
		b.Trips = 0
	}
	b.Trips++
	b.State, b.Reason, b.Since, b.trials, b.Until = BreakerOpen, reason, tx.Now, 0, never
	if b.Trips <= len(pauses) {
		b.Until = tx.Now + pauses[b.Trips-1].Milliseconds()
	}
	b.save(tx)
	s.tell(tx, *b, sent, entered)
}

// tell writes the audit row and, after the commit, the alarm.
func (s *Service) tell(tx *db.Tx, b Breaker, sent, entered int64) {
	data := map[string]any{"state": b.State, "reason": b.Reason, "trips": b.Trips, "sent": sent, "entered": entered, "until": b.Until, "mode": s.o.Config.Pumping.Mode}
	event.Record(tx, principal.AsSystem(principal.House), event.Event{Kind: "codes.breaker", Subject: "breaker", SubjectID: b.Subject, LogCode: event.NoLog, Data: data})
	if b.State == BreakerOpen {
		tx.After(func() {
			s.o.Log.Error("text messages with codes are stopped", "subject", b.Subject, "reason", b.Reason, "trips", b.Trips, "sent", sent, "entered", entered, "mode", s.o.Config.Pumping.Mode)
		})
	}
}

// Breakers lists what has tripped so far, by subject. Auditors, administrators
// and the operator on the machine.
func (s *Service) Breakers(ctx context.Context, who principal.Principal) (all []Breaker, err error) {
	if err := mayLook(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			b, err := scanBreaker(r)
			if b.State != BreakerOpen || b.Until == never {
				b.Until = 0
			}
			all = append(all, b)
			return err
		}, "SELECT "+breakerColumns+" FROM verify_breakers ORDER BY subject")
	})
	return all, err
}

// Reopen lets text messages through again; what came before is not held
// against the subject any more. Administrators only; ErrNoBreaker for a subject
// that has none.
func (s *Service) Reopen(ctx context.Context, who principal.Principal, subject string) error {
	if !who.Admin() {
		return fault.NoPermission
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Lock("", "verify breaker "+subject)
		b := Breaker{}
		err := tx.List(func(r db.Row) (err error) { b, err = scanBreaker(r); return err }, "SELECT "+breakerColumns+" FROM verify_breakers WHERE subject = ?", subject)
		if err != nil {
			return err
		}
		if !b.old {
			return ErrNoBreaker
		}
		b.State, b.Reason, b.Trips, b.trials, b.Since, b.Until = BreakerClosed, "", 0, 0, tx.Now, 0
		b.save(tx)
		event.Record(tx, who, event.Event{Kind: "codes.reopen", Subject: "breaker", SubjectID: subject, LogCode: event.NoLog})
		return nil
	})
}

func mayLook(who principal.Principal) error {
	if who.Admin() || who.Audits() {
		return nil
	}
	return fault.NoPermission
}

// By is what Traffic is broken down by.
type By string

// What Traffic can be broken down by.
const (
	ByCountry By = "country"
	ByDomain  By = "domain"
	ByHour    By = "hour"
)

// Traffic is a line of the live view.
type Traffic struct {
	Key                            string // calling code, domain id, or the hour's beginning in milliseconds UTC
	Sent, Delivered, Entered, Cost int64  // Cost in thousandths of the operator's currency
	Blocked                        int64
	Reasons                        map[string]int64 // of the refusals; with monitor: before it they were none
}

// MaxTraffic is how far back the live view reaches.
const MaxTraffic = 48 * time.Hour

// Traffic is what text messages with codes did in the last hours (1..48),
// largest first, hours in order. Delivered counts receipts of the providers.
// Auditors, administrators and the operator on the machine.
func (s *Service) Traffic(ctx context.Context, who principal.Principal, by By, hours int) (lines []Traffic, err error) {
	if err := mayLook(who); err != nil {
		return nil, err
	}
	like, cut := map[By]string{ByCountry: subjectCountry, ByDomain: subjectDomain, ByHour: subjectAll}[by], 0
	if like == "" {
		return nil, fault.Unknown.In("by")
	}
	if hours < 1 || hours > int(MaxTraffic.Hours()) {
		return nil, fault.OutOfRange.In("hours").With("min", 1).With("max", int(MaxTraffic.Hours()))
	}
	if by != ByHour {
		cut = len(like)
	}
	found := map[string]*Traffic{}
	line := func(subject string, at int64) *Traffic {
		key := subject[cut:]
		if by == ByHour {
			key = fmt.Sprint(slotOf(at, time.Hour))
		}
		t, ok := found[key]
		if !ok {
			t = &Traffic{Key: key, Reasons: map[string]int64{}}
			found[key] = t
		}
		return t
	}
	only := ""
	if by == ByHour {
		only = subjectAll
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		clear(found)
		from := slotOf(tx.Now-int64(hours)*hour.Milliseconds(), slotWidth)
		inside := func(subject string) bool { return by == ByHour || strings.HasPrefix(subject, like) }
		err := tx.List(func(r db.Row) error {
			var subject string
			var slot int64
			var a amounts
			if err := r.Scan(&subject, &slot, &a.sent, &a.entered, &a.cost); err != nil || !inside(subject) {
				return err
			}
			t := line(subject, slot)
			t.Sent, t.Entered, t.Cost = t.Sent+a.sent, t.Entered+a.entered, t.Cost+a.cost
			return nil
		}, "SELECT subject, slot, sent, entered, cost FROM verify_traffic WHERE width = ? AND slot >= ? AND (CAST(? AS TEXT) = '' OR subject = ?)", slotWidth.Milliseconds(), from, only, only)
		if err != nil {
			return err
		}
		err = tx.List(func(r db.Row) error {
			var subject, reason string
			var slot, n int64
			if err := r.Scan(&subject, &slot, &reason, &n); err != nil || !inside(subject) {
				return err
			}
			t := line(subject, slot)
			t.Reasons[reason] += n
			if !strings.HasPrefix(reason, monitored) {
				t.Blocked += n
			}
			return nil
		}, "SELECT subject, slot, reason, n FROM verify_refusals WHERE slot >= ? AND (CAST(? AS TEXT) = '' OR subject = ?)", from, only, only)
		if err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			var domain, country string
			var at int64
			if err := r.Scan(&domain, &country, &at); err != nil {
				return err
			}
			subject := map[By]string{ByCountry: subjectCountry + country, ByDomain: subjectDomain + domain, ByHour: subjectAll}[by]
			line(subject, at).Delivered++
			return nil
		}, `SELECT c.domain_id, c.country, c.created_at FROM verify_codes AS c JOIN notify_messages AS m ON m.domain_id = c.domain_id AND m.ref = c.id
			WHERE c.country <> '' AND m.state = 'delivered' AND c.created_at >= ? /* all domains: the view of the house's text messages */`, from)
	})
	for _, t := range found {
		lines = append(lines, *t)
	}
	slices.SortFunc(lines, func(a, b Traffic) int {
		switch {
		case by == ByHour && a.Key < b.Key || by != ByHour && (a.Sent+a.Blocked > b.Sent+b.Blocked || a.Sent+a.Blocked == b.Sent+b.Blocked && a.Key < b.Key):
			return -1
		}
		return 1
	})
	return lines, err
}

// purgeTraffic removes slots that nobody looks at any more.
func purgeTraffic(tx *db.Tx) {
	tx.Write(db.Any, "DELETE FROM verify_traffic WHERE width = ? AND slot < ?", slotWidth.Milliseconds(), tx.Now-slotsKept.Milliseconds())
	tx.Write(db.Any, "DELETE FROM verify_traffic WHERE width = ? AND slot < ?", dayWidth.Milliseconds(), tx.Now-daysKept.Milliseconds())
	tx.Write(db.Any, "DELETE FROM verify_refusals WHERE slot < ?", tx.Now-slotsKept.Milliseconds())
}
