package server

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"casemate/internal/db"
)

// demoSpan is how far back the demo world begins.
const demoSpan = 35 * 24 * time.Hour

// turnable is the installation's clock. While the demo world is made in an empty
// store, before anything is served, it stands in the past and is moved on from
// one thing that happens to the next, so that the world looks lived in.
type turnable struct {
	base   func() time.Time
	behind atomic.Int64 // nanoseconds
}

func (c *turnable) now() time.Time { return c.base().Add(-time.Duration(c.behind.Load())) }

// goBack puts the clock of an empty store back; of any other it stays.
func (s *Server) goBack(ctx context.Context) error {
	if !s.o.Demo || s.o.tool {
		return nil
	}
	var n int64
	err := s.db.View(ctx, func(tx *db.Tx) error {
		return tx.Get("SELECT (SELECT count(*) FROM domains WHERE id <> 'house') + (SELECT count(*) FROM users) /* all domains: whether the store is empty */").Scan(&n)
	})
	if err == nil && n == 0 {
		s.clock.behind.Store(int64(demoSpan))
	}
	return err
}

// happening is one thing that happens in the demo world.
type happening struct {
	before time.Duration // the present
	do     func(ctx context.Context) error
}

// relive lets everything happen in its order, each at its time, with what time
// and the post do in between; the clock is the present again in the end. In a
// store whose clock was not put back it all happens now.
func (s *Server) relive(ctx context.Context, all []happening) error {
	slices.SortStableFunc(all, func(a, b happening) int { return int(b.before/time.Millisecond) - int(a.before/time.Millisecond) })
	past := s.clock.behind.Load() > 0
	defer s.clock.behind.Store(0)
	for _, h := range all {
		if past {
			// Never back: what was done until now took its time.
			s.clock.behind.Store(min(s.clock.behind.Load(), int64(h.before)))
		}
		if err := h.do(ctx); err != nil {
			return err
		}
		if past {
			if _, err := s.runner.Work(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
