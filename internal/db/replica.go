package db

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A replica gets so long to give a connection and to replay what the primary had
// committed; then the primary is read. It is asked again only when a look at it,
// so often and beside all requests, found it well: no request waits for one that
// is known to be away.
const (
	replicaPatience = 100 * time.Millisecond
	replicaLook     = time.Second
)

// replica is a hot standby that answers surveys. Each survey first asks the
// primary how far it is and has the replica reach that place: a reader sees what
// was committed before it began, on whatever node, so its own writes too. That
// is a trip of a few bytes to the primary instead of the query.
type replica struct {
	pool    *pgxpool.Pool
	primary *pgxpool.Pool
	log     *slog.Logger
	ctx     context.Context // of the looks; ends with close
	stop    context.CancelFunc
	looks   sync.WaitGroup
	out     atomic.Bool // passed over, somebody looks
	served  atomic.Int64
	passed  atomic.Int64
}

func openReplica(ctx context.Context, url string, primary *pgxpool.Pool, log *slog.Logger) (*replica, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("db: replica= in the database URL is not understood") // it may hold a password: do not show it
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 2 * time.Second
	}
	if !strings.Contains(url, "pool_max_conns=") {
		cfg.MaxConns = poolSize
	}
	// Not asked now: the server starts while its replica is away.
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, postgresError(err)
	}
	r := &replica{pool: pool, primary: primary, log: log}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r, nil
}

func (r *replica) close() {
	r.stop()
	r.looks.Wait()
	r.pool.Close()
}

// rest passes the replica over until a look finds it well.
func (r *replica) rest(why error) {
	if r.out.Swap(true) {
		return
	}
	r.log.Warn("the replica is passed over, the primary answers", "why", why)
	r.looks.Go(func() {
		tick := time.NewTicker(replicaLook)
		defer tick.Stop()
		for {
			select {
			case <-r.ctx.Done():
				return
			case <-tick.C:
			}
			c, err := r.ready(r.ctx, 10*replicaPatience)
			if err == nil {
				c.Release()
				r.log.Info("the replica answers again")
				r.out.Store(false)
				return
			}
		}
	})
}

var (
	errReplicaBehind = errors.New("it has not replayed what the primary committed")
	errReplicaLeads  = errors.New("it is no replica any more")
	errReplicaSilent = errors.New("it does not answer in time")
)

// ready is a connection to a replica that is as far as the primary was when ready
// was called. Errors of the primary are those of postgresError; what is wrong
// with the replica is a replicaError.
func (r *replica) ready(ctx context.Context, patience time.Duration) (*pgxpool.Conn, error) {
	var place string
	if err := r.primary.QueryRow(ctx, "SELECT pg_current_wal_flush_lsn()::text").Scan(&place); err != nil {
		return nil, postgresError(err)
	}
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := r.pool.Acquire(short)
	if err == nil {
		if err = reach(short, c.Conn(), place); err != nil {
			c.Release()
		}
	}
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case short.Err() != nil && !errors.Is(err, errReplicaBehind):
		err = errReplicaSilent
	}
	return nil, &replicaError{postgresError(err)}
}

type replicaError struct{ error }

// reach waits until the replica has replayed the log up to a place.
func reach(ctx context.Context, c *pgx.Conn, place string) error {
	for pause := time.Millisecond; ; pause *= 2 {
		var replica, there bool
		if err := c.QueryRow(ctx, "SELECT pg_is_in_recovery(), coalesce(pg_last_wal_replay_lsn() >= $1::text::pg_lsn, false)", place).Scan(&replica, &there); err != nil {
			return err
		}
		switch {
		case !replica:
			return errReplicaLeads
		case there:
			return nil
		}
		select {
		case <-ctx.Done():
			return errReplicaBehind
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
	if r.out.Load() {
		r.passed.Add(1)
		return e.view(ctx, run)
	}
	c, err := r.ready(ctx, replicaPatience)
	if bad := (*replicaError)(nil); errors.As(err, &bad) {
		r.passed.Add(1)
		r.rest(bad.error)
		return e.view(ctx, run)
	} else if err != nil {
		return err
	}
	r.served.Add(1)
	err = e.with(ctx, c, viewBegin, false, run)
	if err != nil && (again(err) || errors.Is(err, ErrUnavailable)) { // it went away, or its replay had to go on
		r.rest(err)
		return ErrUnavailable.Because(err)
	}
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		r.rest(errReplicaSilent)
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
// replica that does not answer within 100 ms, is further behind than that or is
// one no more is passed over for the primary until it is well again. Callers
// that decide something by what they read use View.
func (d *DB) Survey(ctx context.Context, fn func(tx *Tx) error) error {
	return d.look(ctx, d.engine.survey, fn)
}
