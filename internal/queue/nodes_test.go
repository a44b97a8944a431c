package queue_test

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/identity"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
	"casemate/internal/verify"
)

// TestNodes: three nodes, each with connections of its own, give and claim at
// once on one PostgreSQL: nothing twice, nobody too much, turns without gaps.
func TestNodes(t *testing.T) {
	t.Parallel()
	url, clock := dbtest.MigratedDatabase(t), dbtest.NewClock(time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC))
	inner := tickettest.Open(t, dbtest.Open(t, db.Options{URL: url, Now: clock.Now}), clock, ticket.Options{})
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	node := func() *queue.Service {
		d := dbtest.Open(t, db.Options{URL: url, Now: clock.Now})
		people := identity.New(d, inner.Keys, identity.Options{PasswordMemory: 64})
		cat, err := catalog.New(t.Context(), d, catalog.Options{Log: quiet})
		inner.OK(err)
		out, err := notify.New(d, inner.Keys, notify.Options{Config: config.Notify{URL: "https://desk.example"}, Sandbox: people.InSandbox, Identity: people, Log: quiet})
		inner.OK(err)
		v, err := verify.New(d, inner.Keys, people, out, verify.Options{})
		inner.OK(err)
		tickets, err := ticket.New(d, inner.Keys, ticket.Nouns{Identity: people, Catalog: cat, Verify: v, Notify: out}, ticket.Options{})
		inner.OK(err)
		q, err := queue.New(d, inner.Keys, queue.Nouns{Identity: people, Catalog: cat, Notify: out, Tickets: tickets}, queue.Options{})
		inner.OK(err)
		return q
	}
	nodes := []*queue.Service{node(), node(), node()}
	w := &world{World: inner, t: t, q: nodes[0]}
	w.Unlimited()
	const capacity, tickets, claims = 8, 30, 6
	for _, p := range []principal.Principal{w.Chen, w.Emma} {
		w.set(p, capacity, queue.Skills{})
		w.say(p, queue.Online)
	}
	mei := w.Engineer("mei", "Mei", principal.RoleEngineer)
	w.set(mei, claims, queue.Skills{})
	auto, all := w.team("auto", w.Chen, w.Emma), w.team("all", w.Chen, w.Emma, mei)
	w.queue(queue.Queue{Way: queue.RoundRobin, Team: auto.ID})
	hand := w.queue(queue.Queue{Team: all.ID, Hard: true})
	for i := range tickets {
		w.Create(w.Boss, fmt.Sprint(i))
	}
	w.seal()
	var mu sync.Mutex
	var claimed []string
	var wg sync.WaitGroup
	for _, q := range nodes {
		wg.Go(func() {
			if err := q.Assign(t.Context()); err != nil {
				t.Error(err)
			}
		})
		for range 4 { // twelve in all, of which his capacity lets six through
			wg.Go(func() {
				if got, _, err := q.Claim(t.Context(), mei, hand.ID); err == nil {
					mu.Lock()
					claimed = append(claimed, got.Number)
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	slices.Sort(claimed)
	if n := len(claimed); n != claims || len(slices.Compact(claimed)) != claims {
		t.Errorf("%d tickets claimed, want %d: %v", n, claims, claimed)
	}
	given := w.events("queue.assign")
	for i, e := range given {
		if d := tell(t, e); d.Load >= capacity {
			t.Errorf("assignment %d on top of a load of %d", i, d.Load)
		}
	}
	var turns []int
	for _, e := range given {
		turns = append(turns, tell(t, e).Turn)
	}
	slices.Sort(turns)
	if len(turns) != 2*capacity || turns[0] != 1 || turns[len(turns)-1] != 2*capacity || len(slices.Compact(turns)) != 2*capacity {
		t.Errorf("turns: %v", turns)
	}
	for _, p := range []principal.Principal{w.Chen, w.Emma} {
		if got := w.load(p); got != capacity {
			t.Errorf("%s has %d tickets", p.UserName, got)
		}
	}
}
