package notify

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Limits of one attempt: somebody who waits for a code must not wait for a
// provider that hangs.
const (
	urgentAttempt   = 4 * time.Second
	ordinaryAttempt = 20 * time.Second
)

// The breaker of a provider, on each node for itself: after so many failures
// in a row it is asked last, for a pause that doubles.
const (
	tripAfter  = 3
	firstRest  = 30 * time.Second
	longestRun = 10 * time.Minute
)

// ErrNoProvider: no provider has this name.
var ErrNoProvider = fault.New(fault.NotFound, fault.CodeInvalid, "没有该名称的通道", "there is no provider of this name").In("name")

// Place says when a provider is asked: smaller orders first; of equal orders
// one is drawn by weight, the others follow when it fails.
type Place struct{ Order, Weight int }

// provider is a channel with its place and its health as this node sees it.
type provider struct {
	Channel
	way   Way
	place Place
	price func(to string) int64 // of one part, in thousandths; nil = nothing
	spec  Spec
	from  string // of mails
	verp  string // pattern of their envelope's sender

	broken string // why it could not be made, "" = it could

	using   sync.Mutex // guards the three below
	busy    int        // attempts under way
	retired bool       // it was changed or removed: nothing begins with it
	closed  bool

	mu       sync.Mutex
	failures int       // in a row
	trips    int       // in a row
	resting  time.Time // asked last until then
	last     string    // what it said when it failed last, scrubbed
	failedAt int64
	tookAt   int64 // when it last took a message, milliseconds UTC
}

func (p *provider) rests(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.Before(p.resting)
}

// took and refused keep the health. A message refused for good is the message's
// fault, not the provider's.
func (p *provider) took(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures, p.trips, p.resting, p.tookAt = 0, 0, time.Time{}, now.UnixMilli()
}

func (p *provider) refused(now time.Time, f *Failure, detail string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last, p.failedAt = detail, now.UnixMilli()
	if f.Permanent || f.Recipient {
		return
	}
	if p.failures++; p.failures < tripAfter {
		return
	}
	p.resting = now.Add(min(firstRest<<min(p.trips, 10), longestRun))
	p.trips++
	p.failures = tripAfter - 1 // one more failure after the rest trips it again
}

// choose is the order in which providers are asked for one message: by order,
// drawn by weight among equals; those that rest come last, so that a message is
// not lost when all do; drained ones are not asked.
func choose(all []*provider, drained map[string]bool, now time.Time, random func(n int) []byte) []*provider {
	type ranked struct {
		*provider
		rests bool
		key   float64
	}
	var list []ranked
	for _, p := range all {
		if drained[p.Name()] {
			continue
		}
		// Sorted by -ln(u)/weight, a weighted draw without replacement comes out.
		list = append(list, ranked{p, p.rests(now), -math.Log(fraction(random)) / float64(max(p.place.Weight, 1))})
	}
	slices.SortStableFunc(list, func(a, b ranked) int {
		if a.rests != b.rests {
			if a.rests {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(a.place.Order, b.place.Order), cmp.Compare(a.key, b.key))
	})
	out := make([]*provider, len(list))
	for i, r := range list {
		out[i] = r.provider
	}
	return out
}

// fraction is a number above 0 and at most 1, any as likely as another.
func fraction(random func(n int) []byte) float64 {
	return (float64(binary.BigEndian.Uint32(random(4))) + 1) / (1 << 32)
}

// drained are the names of providers that an administrator took out, as of now.
func (s *Service) drained(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	err := s.db.View(ctx, func(tx *db.Tx) error {
		clear(out)
		return tx.List(func(r db.Row) error {
			var name string
			err := r.Scan(&name)
			out[name] = true
			return err
		}, "SELECT name FROM notify_drained")
	})
	return out, err
}

// attempt hands the message to one provider within the time of one attempt;
// hurried when somebody waits and another provider could be asked.
func (p *provider) attempt(ctx context.Context, m Outgoing, hurried bool) (handed, error) {
	limit := ordinaryAttempt
	if hurried {
		limit = urgentAttempt
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer p.use()()
	h, err := p.hand(ctx, m)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && !failure(err).Unsent {
		// It may have the message or not: the ledger says so.
		err = &Failure{Unknown: true, Detail: "no answer in time"}
	}
	if p.price != nil {
		h.cost = int64(h.parts) * p.price(m.To)
	}
	return h, err
}

// handed is what a provider took: of a message that failed, some parts perhaps.
type handed struct {
	ids   []string // the provider's, of all parts, or of the message as a whole
	parts int
	cost  int64 // thousandths
}

func (p *provider) hand(ctx context.Context, m Outgoing) (handed, error) {
	if c, ok := p.Channel.(partwise); ok {
		ids, err := c.SendParts(ctx, m)
		return handed{ids: ids, parts: len(ids)}, err
	}
	id, err := p.Send(ctx, m)
	if err != nil {
		return handed{}, err
	}
	h := handed{ids: []string{id}, parts: 1}
	if p.way == SMS {
		h.parts = Parts(m.Text)
	}
	return h, nil
}

// first is the id that stands for the message.
func (h handed) first() string {
	if len(h.ids) == 0 {
		return ""
	}
	return cut(oneLine(h.ids[0]), 128)
}

// Health is how a provider does, as this node sees it.
type Health struct {
	Spec
	Way       Way
	Drained   bool
	Resting   int64  // until when it is asked last, milliseconds UTC, 0 = it is not
	Failures  int    // in a row
	LastError string // scrubbed
	FailedAt  int64
	TookAt    int64
}

func (s *Service) mayOperate(who principal.Principal) error {
	if !who.Admin() {
		return fault.NoPermission
	}
	return nil
}

func (p *provider) health(now time.Time, drained map[string]bool) Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := Health{Spec: p.spec, Way: p.way, Drained: drained[p.Name()], Failures: p.failures, LastError: p.last, FailedAt: p.failedAt, TookAt: p.tookAt}
	h.sealed = nil
	if p.resting.After(now) {
		h.Resting = p.resting.UnixMilli()
	}
	return h
}

// Providers lists the providers with their health, mail first, in the order
// they are asked, those that are switched off too. Administrators and auditors.
func (s *Service) Providers(ctx context.Context, who principal.Principal) (all []Health, err error) {
	if !who.Inspects() {
		return nil, fault.NoPermission
	}
	l, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	drained, err := s.drained(ctx)
	if err != nil {
		return nil, err
	}
	now := s.db.Now()
	for _, way := range []Way{Mail, SMS} {
		list := slices.DeleteFunc(slices.Clone(l.all), func(p *provider) bool { return p.way != way })
		slices.SortStableFunc(list, func(a, b *provider) int { return cmp.Compare(a.place.Order, b.place.Order) })
		for _, p := range list {
			all = append(all, p.health(now, drained))
		}
	}
	return all, nil
}

// Provider is one of them by its name; ErrNoProvider. Administrators and
// auditors.
func (s *Service) Provider(ctx context.Context, who principal.Principal, name string) (Health, error) {
	if !who.Inspects() {
		return Health{}, fault.NoPermission
	}
	p, err := s.find(ctx, name)
	if err != nil {
		return Health{}, err
	}
	drained, err := s.drained(ctx)
	return p.health(s.db.Now(), drained), err
}

func (s *Service) find(ctx context.Context, name string) (*provider, error) {
	l, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range l.all {
		if p.Name() == name {
			return p, nil
		}
	}
	return nil, ErrNoProvider
}

// Drain takes a provider out (or back in) on all nodes: messages go to the
// others. A message that has no other waits. Administrators only; ErrNoProvider
// for an unknown name.
func (s *Service) Drain(ctx context.Context, who principal.Principal, name string, out bool) error {
	if err := s.mayOperate(who); err != nil {
		return err
	}
	if _, err := s.find(ctx, name); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		if out {
			tx.Write(db.Any, "INSERT INTO notify_drained (name, since) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, tx.Now)
		} else {
			tx.Write(db.Any, "DELETE FROM notify_drained WHERE name = ?", name)
		}
		event.Record(tx, who, event.Event{Kind: "provider.drain", Subject: "provider", SubjectID: name, LogCode: event.NoLog, Data: map[string]any{"out": out}})
		return nil
	})
}
