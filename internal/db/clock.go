package db

import (
	"context"
	"time"
)

// A domain can have a clock that is ahead of the installation's: a sandbox's
// clock is moved so that its users need not wait for what time does (design.md
// section 8). The clock travels in the context: whoever acts in the domain, be
// it a request or a job, does so with WithClock, and tx.Now is the domain's
// time. What belongs to the installation and not to the domain (results of
// repeated requests, due times of jobs, leases, tokens, signatures) goes by
// tx.Real or DB.Now and does not notice.

type clockKey struct{}

// WithClock puts a domain's clock into the context: it is so many milliseconds
// ahead of the installation's. 0 takes an earlier one away.
func WithClock(ctx context.Context, ahead int64) context.Context {
	if clockOf(ctx) == ahead {
		return ctx
	}
	return context.WithValue(ctx, clockKey{}, ahead)
}

func clockOf(ctx context.Context) int64 {
	ahead, _ := ctx.Value(clockKey{}).(int64)
	return ahead
}

// NowIn is the time on the clock in the context: what tx.Now would be.
func (d *DB) NowIn(ctx context.Context) time.Time {
	return d.o.Now().Add(time.Duration(clockOf(ctx)) * time.Millisecond)
}
