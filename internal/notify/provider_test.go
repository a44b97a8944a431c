package notify_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// moody is a provider whose mood the test sets.
type moody struct {
	name string
	mu   sync.Mutex
	got  int
	mood func(ctx context.Context) error
}

func (m *moody) Name() string { return m.name }

func (m *moody) Send(ctx context.Context, _ notify.Outgoing) (string, error) {
	m.mu.Lock()
	m.got++
	mood := m.mood
	m.mu.Unlock()
	if mood == nil {
		return m.name + "-id", nil
	}
	return "", mood(ctx)
}

func (m *moody) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.got
}

func down(context.Context) error { return &notify.Failure{Detail: "451 try later"} }

// TestHangingProvider: a provider that hangs does not keep a code from arriving
// by the second one; the ledger says that the first may have it too.
func TestHangingProvider(t *testing.T) {
	t.Parallel()
	a, b := &moody{name: "a"}, &moody{name: "b"}
	a.mood = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	each(t, notify.Options{Mail: []notify.Channel{a, b}}, func(w *world) {
		began := time.Now()
		id := w.queue(codeMail())
		w.work()
		if took := time.Since(began); took > 15*time.Second { // of the 20 that an ordinary message waits
			w.t.Errorf("it took %v", took)
		}
		d := w.delivery(id)
		if d.State != "sent" || len(d.Attempts) != 2 || d.Attempts[0].Outcome != "unknown" || d.Attempts[1].Outcome != "ok" || d.Attempts[1].Provider != "b" {
			w.t.Errorf("%+v", d)
		}
	})
}

// TestProviderBreaker: a provider that keeps failing is asked last for a while,
// and first again when the while is over and it works.
func TestProviderBreaker(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		a, b := &moody{name: "a", mood: down}, &moody{name: "b"}
		w.serve(notify.Options{Mail: []notify.Channel{a, b}})
		send := func() {
			w.queue(codeMail())
			w.work()
		}
		for range 3 {
			send()
		}
		if a.count() != 3 || b.count() != 3 {
			w.t.Fatalf("a %d, b %d", a.count(), b.count())
		}
		send()
		if a.count() != 3 || b.count() != 4 {
			w.t.Errorf("the failing one is still asked first: a %d, b %d", a.count(), b.count())
		}
		h, err := w.s.Providers(w.t.Context(), admin)
		if err != nil || len(h) != 2 || h[0].Name != "a" || h[0].Resting == 0 || h[0].LastError == "" || h[1].Resting != 0 || h[1].TookAt == 0 {
			w.t.Errorf("%+v, %v", h, err)
		}
		w.clock.Add(31 * time.Second)
		a.mood = nil
		send()
		if a.count() != 4 || b.count() != 4 {
			w.t.Errorf("after the rest: a %d, b %d", a.count(), b.count())
		}
		// When all rest, they are asked all the same.
		a.mood, b.mood = down, down
		for range 4 {
			w.queue(codeMail())
			w.work()
			w.clock.Add(time.Second)
		}
		before := a.count() + b.count()
		w.queue(codeMail())
		w.work()
		if a.count()+b.count() == before {
			w.t.Error("nobody was asked")
		}
	})
}

// TestWeights: equal orders share by weight, a later order is only asked when
// they fail.
func TestWeights(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	const n = 4000
	for range n {
		for _, name := range notify.Chosen(map[string]notify.Place{"a": {Order: 1, Weight: 3}, "b": {Order: 1, Weight: 1}, "c": {Order: 2, Weight: 9}})[:1] {
			counts[name]++
		}
	}
	if counts["c"] > 0 || counts["a"] < n*70/100 || counts["a"] > n*80/100 {
		t.Errorf("asked first: %v", counts)
	}
}

// TestDrain: a provider that was taken out is not asked, on any node, and its
// messages wait when it was the only one.
func TestDrain(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		a := &moody{name: "a"}
		w.serve(notify.Options{Mail: []notify.Channel{a}})
		if err := w.s.Drain(w.t.Context(), admin, "a", true); err != nil {
			w.t.Fatal(err)
		}
		id := w.queue(codeMail())
		w.work()
		if d := w.delivery(id); a.count() != 0 || d.State != "queued" {
			w.t.Errorf("%d sent, %s", a.count(), d.State)
		}
		if err := w.s.Drain(w.t.Context(), admin, "a", false); err != nil {
			w.t.Fatal(err)
		}
		w.clock.Add(5 * time.Second)
		w.work()
		if d := w.delivery(id); a.count() != 1 || d.State != "sent" {
			w.t.Errorf("%d sent, %s", a.count(), d.State)
		}
		if err := w.s.Drain(w.t.Context(), admin, "nobody", true); !errors.Is(err, notify.ErrNoProvider) {
			w.t.Errorf("%v", err)
		}
		if err := w.s.Drain(w.t.Context(), principal.Principal{Kind: principal.Engineer, Role: principal.RoleEngineer}, "a", true); fault.KindOf(err) != fault.Forbidden {
			w.t.Errorf("%v", err)
		}
		tried, err := w.s.Try(w.t.Context(), admin, "a", "ops@example.com", locale.EN)
		if err != nil || !tried.OK || tried.ProviderID != "a-id" {
			w.t.Errorf("%+v, %v", tried, err)
		}
		a.mood = func(context.Context) error {
			return &notify.Failure{Permanent: true, Detail: "550 no such user ops@example.com"}
		}
		if tried, err = w.s.Try(w.t.Context(), admin, "a", "ops@example.com", locale.ZH); err != nil || tried.OK || tried.Detail != "550 no such user ***" {
			w.t.Errorf("%+v, %v", tried, err)
		}
		if _, err = w.s.Try(w.t.Context(), admin, "a", "13800138000", locale.ZH); fault.KindOf(err) != fault.Invalid {
			w.t.Errorf("a phone number for a mail server: %v", err)
		}
	})
}
