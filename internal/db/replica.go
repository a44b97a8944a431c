package db

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A replica that has not replayed what the primary had committed is waited for
// so long; then the primary is read, and the replica is not asked again for a
// while, so that not every request waits.
const (
	replicaPatience = 100 * time.Millisecond
	replicaPause    = time.Second
)

// replica is a hot standby that answers surveys. Each survey first asks the
// primary how far it is and has the replica reach that place: a reader sees what
// was committed before it began, on whatever node, so its own writes too. That
// is a trip of a few bytes to the primary instead of the query.
type replica struct {
	pool    *pgxpool.Pool
	log     *slog.Logger
	resting atomic.Int64 // Unix ms until which it is not asked; real time, of this process only
	out     atomic.Bool  // told in the log
	served  atomic.Int64
	passed  atomic.Int64
}

func openReplica(ctx context.Context, url string, log *slog.Logger) (*replica, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("db: replica= in the database URL is not understood") // it may hold a password: do not show it
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 2 * time.Second
	}
	// Not asked now: the server starts while its replica is away.
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, postgresError(err)
	}
	return &replica{pool: pool, log: log}, nil
}

func (r *replica) rest(why error) {
	r.resting.Store(time.Now().Add(replicaPause).UnixMilli())
	if !r.out.Swap(true) {
		r.log.Warn("the replica is passed over, the primary answers", "why", why)
	}
}

var errReplicaBehind = errors.New("it has not replayed what the primary committed")

// reach waits until the replica has replayed the log up to a place.
func (r *replica) reach(ctx context.Context, c *pgx.Conn, place string) error {
	for began, pause := time.Now(), time.Millisecond; ; pause *= 2 {
		// NULL, where nothing is replayed: not a replica, or it became a primary.
		var there *bool
		if err := c.QueryRow(ctx, "SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= $1::text::pg_lsn", place).Scan(&there); err != nil {
			return err
		}
		if there != nil && *there {
			return nil
		}
		if there == nil || time.Since(began)+pause > replicaPatience {
			return errReplicaBehind
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// survey runs a view on the replica when there is one that is as far as the
// primary, else on the primary. run runs once: what fails on the way is
// ErrUnavailable, and the next survey goes to the primary.
func (e *postgresEngine) survey(ctx context.Context, run func(backend) error) error {
	r := e.replica
	if r == nil {
		return e.view(ctx, run)
	}
	if time.Now().UnixMilli() < r.resting.Load() {
		r.passed.Add(1)
		return e.view(ctx, run)
	}
	var place string
	if err := e.pool.QueryRow(ctx, "SELECT pg_current_wal_flush_lsn()::text").Scan(&place); err != nil {
		return postgresError(err)
	}
	c, err := r.pool.Acquire(ctx)
	if err == nil {
		if err = r.reach(ctx, c.Conn(), place); err != nil {
			c.Release()
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.passed.Add(1)
		r.rest(postgresError(err))
		return e.view(ctx, run)
	}
	if r.out.Swap(false) {
		r.log.Info("the replica answers again")
	}
	r.served.Add(1)
	err = e.with(ctx, c, viewBegin, false, run)
	if err != nil && (again(err) || errors.Is(err, ErrUnavailable)) { // it went away, or its replay had to go on
		r.rest(err)
		return ErrUnavailable.Because(err)
	}
	return err
}

// Surveys tells how many surveys a replica answered, and how many the primary
// had to though there is a replica; ok is false without one.
func (d *DB) Surveys() (replica, primary int64, ok bool) {
	e, _ := d.engine.(*postgresEngine)
	if e == nil || e.replica == nil {
		return 0, 0, false
	}
	return e.replica.served.Load(), e.replica.passed.Load(), true
}

// Survey is View for lists, searches and reports: where the database's URL names
// a replica it is read, from a snapshot that holds all that was committed when
// Survey began (so the caller's own writes, on whatever node they were made). A
// replica that is away or more than 100 ms behind is passed over for the primary.
// Callers that decide something by what they read use View.
func (d *DB) Survey(ctx context.Context, fn func(tx *Tx) error) error {
	return d.look(ctx, d.engine.survey, fn)
}
