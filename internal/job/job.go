// Package job is the durable queue: work is a row, enqueued in the transaction
// that made it necessary, leased by a worker, tried again with back-off. A job
// may run twice, so it must be safe twice. Secrets never stand in a job's
// arguments or errors.
package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
)

const wake = "job.due"

// Job is work to enqueue.
type Job struct {
	Kind   string
	Domain string // for the record; "" when it belongs to no tenant
	Args   any    // small JSON, without secrets
	At     int64  // when it is due, milliseconds UTC on the transaction's clock (tx.Now); 0 = now
	Unique string // while a job of the kind with this value waits or runs, no second is enqueued
	Urgent bool   // a dead node's urgent jobs are taken over within 30 s, others within 60 s
}

// Enqueue queues the job in the caller's transaction. The row holds its due
// time on the installation's clock; when the domain's clock is moved, Shift
// moves it with it.
func Enqueue(tx *db.Tx, j Job) string {
	args, err := json.Marshal(j.Args)
	if err != nil {
		panic(fmt.Errorf("job %s: %w", j.Kind, err)) // a programmer's mistake
	}
	id := tx.NewID()
	at := tx.Real + max(j.At-tx.Now, 0)
	urgent := 0
	if j.Urgent {
		urgent = 1
	}
	tx.Write(db.Any, `INSERT INTO jobs (id, kind, domain_id, args, unique_key, state, urgent, run_at, tries, lease_until, lease_by, last_error, created_at)
		VALUES (?, ?, ?, ?, ?, 'waiting', ?, ?, 0, 0, '', '', ?) ON CONFLICT DO NOTHING`,
		id, j.Kind, j.Domain, string(args), j.Unique, urgent, at, tx.Real)
	if at <= tx.Real {
		tx.Wake(wake)
	}
	return id
}

// Shift makes the waiting jobs of a domain due so many milliseconds earlier: its
// clock was moved forward by as many in the same transaction.
func Shift(tx *db.Tx, domain string, by int64) {
	tx.Write(db.Any, "UPDATE jobs SET run_at = run_at - ? WHERE domain_id = ? AND state = 'waiting'", by, domain)
	tx.Wake(wake)
}

// Running is a job being run.
type Running struct {
	ID, Domain string
	Try        int // from 1
	Args       json.RawMessage
}

// Kind is a sort of job and what it does.
type Kind struct {
	Name     string
	Run      func(ctx context.Context, r Running) error
	Timeout  time.Duration               // of one try; 0 = 30 s
	MaxTries int                         // then the job is dead; 0 = 20
	Backoff  func(try int) time.Duration // nil = 1 s, 2 s, 4 s ... at most an hour, with jitter
}

// Periodic is work that one node at a time does again and again.
type Periodic struct {
	Name  string
	Every time.Duration
	Run   func(ctx context.Context) error
}

// ErrDrop, returned by a job, ends it without another try.
var ErrDrop = errors.New("job: dropped")

// The times of the queue.
const (
	leaseUrgent   = 15 * time.Second
	leaseOrdinary = 40 * time.Second
	poll          = time.Second
	batch         = 20
	parallel      = 8
	day           = 24 * time.Hour
)

// Runner runs jobs of one node.
type Runner struct {
	db       *db.DB
	node     string
	log      *slog.Logger
	kinds    map[string]Kind
	periodic []Periodic
	clock    func(ctx context.Context, domain string) (int64, error)
}

// NewRunner makes a runner without kinds.
func NewRunner(d *db.DB, node string, log *slog.Logger) *Runner {
	return &Runner{db: d, node: node, log: log, kinds: map[string]Kind{}}
}

// Add adds kinds; before Run.
func (r *Runner) Add(kinds ...Kind) {
	for _, k := range kinds {
		r.kinds[k.Name] = k
	}
}

// Clock tells the runner how far a domain's clock is ahead, in milliseconds:
// its jobs run with that clock (db.WithClock). Before Run; without it all
// domains have the installation's.
func (r *Runner) Clock(ahead func(ctx context.Context, domain string) (int64, error)) {
	r.clock = ahead
}

// Every adds periodic work; before Run.
func (r *Runner) Every(p ...Periodic) { r.periodic = append(r.periodic, p...) }

// Run works until the context ends; jobs that run then have five seconds to
// finish, after that their lease runs out and another node takes them.
func (r *Runner) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, p := range append(slices.Clone(r.periodic), Periodic{Name: "job.unknown", Every: time.Hour, Run: r.warn}) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r.every(ctx, p)
		}()
	}
	slots := make(chan struct{}, parallel)
	freed := make(chan struct{}, 1)
	woken := r.db.Wake(wake)
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		// Only what can start now: a job that waits for a slot under its lease
		// would be taken over by another node and run on both.
		free := parallel - len(slots)
		var jobs []leased
		if free > 0 {
			var err error
			if jobs, err = r.lease(ctx, free); err != nil && ctx.Err() == nil {
				r.log.Warn("leasing jobs", "error", err)
			}
		}
		for _, j := range jobs {
			slots <- struct{}{}
			wg.Add(1)
			go func() {
				defer func() {
					<-slots
					select {
					case freed <- struct{}{}:
					default: // one mark says it all
					}
					wg.Done()
				}()
				r.run(ctx, j)
			}()
		}
		select {
		case <-ctx.Done():
		case <-freed:
		case <-woken:
		case <-tick.C:
		}
	}
	wg.Wait()
}

// Work runs every job that is due, one after another, until none is; for tests
// and for tools that do not serve. It tells how many ran.
func (r *Runner) Work(ctx context.Context) (int, error) {
	n := 0
	for {
		jobs, err := r.lease(ctx, batch)
		if err != nil || len(jobs) == 0 {
			return n, err
		}
		for _, j := range jobs {
			r.run(ctx, j)
			n++
		}
	}
}

type leased struct {
	Running
	kind   string
	urgent bool
}

func (l leased) term() time.Duration {
	if l.urgent {
		return leaseUrgent
	}
	return leaseOrdinary
}

// lease takes due jobs, and those of nodes that died. Kinds that this version
// does not know stay for the nodes that do: where two versions run side by side
// (threats.md E14), a try here would be one less there.
func (r *Runner) lease(ctx context.Context, n int) ([]leased, error) {
	known, kinds := r.known()
	if known == "" {
		return nil, nil
	}
	due := false
	err := r.db.View(ctx, func(tx *db.Tx) error { // most polls find nothing: do not trouble the writer
		// Each half by its index: of the two with OR PostgreSQL read every job that waits for later.
		var waiting, left int
		err := tx.Get(`SELECT (SELECT count(*) FROM (SELECT run_at FROM jobs WHERE state = 'waiting' AND run_at <= ? AND `+known+` ORDER BY run_at LIMIT 1) AS w),
			(SELECT count(*) FROM jobs WHERE state = 'running' AND lease_until <= ? AND `+known+`)`,
			slices.Concat([]any{tx.Now}, kinds, []any{tx.Now}, kinds)...).Scan(&waiting, &left)
		due = waiting+left > 0
		return err
	})
	if err != nil || !due {
		return nil, err
	}
	return db.Do(ctx, r.db, func(tx *db.Tx) ([]leased, error) {
		var jobs []leased
		err := tx.List(func(row db.Row) error {
			var (
				j      leased
				args   string
				urgent int
			)
			if err := row.Scan(&j.ID, &j.kind, &j.Domain, &args, &j.Try, &urgent); err != nil {
				return err
			}
			j.Args, j.urgent = json.RawMessage(args), urgent == 1
			jobs = append(jobs, j)
			return nil
		}, leaseSQL(tx.DB().Dialect(), known), slices.Concat([]any{tx.Now + leaseUrgent.Milliseconds(), tx.Now + leaseOrdinary.Milliseconds(), r.node, tx.Now, tx.Now}, kinds, []any{n})...)
		return jobs, err
	})
}

// known is the condition that this runner knows a job's kind, and its values; ""
// when it knows none.
func (r *Runner) known() (condition string, kinds []any) {
	for _, name := range slices.Sorted(maps.Keys(r.kinds)) { // always the same text
		kinds = append(kinds, name)
	}
	if len(kinds) == 0 {
		return "", nil
	}
	return "kind IN (?" + strings.Repeat(", ?", len(kinds)-1) + ")", kinds
}

// Unknown counts by kind the jobs due for a day or more whose kind this version does
// not know: of a kind that was given up, or of a later version whose nodes are gone.
// They wait for good; a later version takes them up.
func (r *Runner) Unknown(ctx context.Context) (map[string]int, error) {
	known, kinds := r.known()
	if known == "" {
		known = "1 = 0"
	}
	var waiting map[string]int
	err := r.db.View(ctx, func(tx *db.Tx) error {
		waiting = map[string]int{}
		return tx.List(func(row db.Row) error {
			var kind string
			var n int
			if err := row.Scan(&kind, &n); err != nil {
				return err
			}
			waiting[kind] = n
			return nil
		}, `SELECT kind, count(*) FROM jobs WHERE state = 'waiting' AND run_at <= ? AND NOT `+known+` GROUP BY kind`,
			append([]any{tx.Now - day.Milliseconds()}, kinds...)...)
	})
	return waiting, err
}

// warn names what Unknown finds in the log.
func (r *Runner) warn(ctx context.Context) error {
	waiting, err := r.Unknown(ctx)
	for _, kind := range slices.Sorted(maps.Keys(waiting)) {
		r.log.WarnContext(ctx, "jobs of a kind that this version does not know wait for a day and more", "kind", kind, "jobs", waiting[kind])
	}
	return err
}

// leaseSQL is the one statement in which the two databases differ.
func leaseSQL(d db.Dialect, known string) string {
	head := `UPDATE jobs SET state = 'running', tries = tries + 1, lease_until = CASE WHEN urgent = 1 THEN CAST(? AS BIGINT) ELSE CAST(? AS BIGINT) END, lease_by = ?
		WHERE id IN (SELECT id FROM jobs WHERE (state = 'waiting' AND run_at <= ? OR state = 'running' AND lease_until <= ?) AND ` + known + ` ORDER BY urgent DESC, run_at, id LIMIT ?`
	const tail = `) RETURNING id, kind, domain_id, args, tries, urgent`
	if d == db.Postgres {
		return head + " FOR UPDATE SKIP LOCKED" + tail
	}
	return head + tail
}

// run runs one leased job and settles it.
func (r *Runner) run(ctx context.Context, j leased) {
	k := r.kinds[j.kind]
	timeout := k.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	// A stopping node lets its jobs finish for a while.
	jctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	stopLate := context.AfterFunc(ctx, func() { time.AfterFunc(5*time.Second, cancel) })
	defer stopLate()
	beat := make(chan struct{})
	go r.heartbeat(jctx, j, beat)
	err := protect(func() error {
		own, err := r.onClock(jctx, j.Domain)
		if err != nil {
			return err
		}
		return k.Run(own, j.Running)
	})
	close(beat)
	if err := r.settle(context.WithoutCancel(ctx), j, k, err); err != nil {
		r.log.Error("settling a job", "job", j.ID, "kind", j.kind, "error", err)
	}
}

// onClock is the context with the clock of the job's domain. The lease goes on
// by the installation's.
func (r *Runner) onClock(ctx context.Context, domain string) (context.Context, error) {
	if r.clock == nil || domain == "" {
		return ctx, nil
	}
	ahead, err := r.clock(ctx, domain)
	return db.WithClock(ctx, ahead), err
}

func protect(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// heartbeat renews the lease of a long job.
func (r *Runner) heartbeat(ctx context.Context, j leased, end <-chan struct{}) {
	t := time.NewTicker(j.term() / 3)
	defer t.Stop()
	for {
		select {
		case <-end:
			return
		case <-ctx.Done():
			return
		case <-t.C:
			err := r.db.Update(ctx, func(tx *db.Tx) error {
				tx.Write(db.Any, "UPDATE jobs SET lease_until = ? WHERE id = ? AND lease_by = ? AND tries = ?", tx.Now+j.term().Milliseconds(), j.ID, r.node, j.Try)
				return nil
			})
			if err != nil && ctx.Err() == nil {
				r.log.Warn("renewing a job's lease", "job", j.ID, "error", err)
			}
		}
	}
}

// settle removes a finished job, or plans its next try, or lets it die. A job
// that another node has taken meanwhile is left alone.
func (r *Runner) settle(ctx context.Context, j leased, k Kind, failed error) error {
	most := k.MaxTries
	if most == 0 {
		most = 20
	}
	return r.db.Update(ctx, func(tx *db.Tx) error {
		switch {
		case failed == nil || errors.Is(failed, ErrDrop):
			tx.Write(db.Any, "DELETE FROM jobs WHERE id = ? AND lease_by = ? AND tries = ?", j.ID, r.node, j.Try)
		case j.Try >= most:
			r.log.Error("a job is dead", "job", j.ID, "kind", j.kind, "tries", j.Try, "error", failed)
			tx.Write(db.Any, "UPDATE jobs SET state = 'dead', last_error = ? WHERE id = ? AND lease_by = ? AND tries = ?", describe(failed), j.ID, r.node, j.Try)
		default:
			r.log.Warn("a job will be tried again", "job", j.ID, "kind", j.kind, "try", j.Try, "error", failed)
			at := tx.Now + k.wait(j.Try).Milliseconds()
			tx.Write(db.Any, "UPDATE jobs SET state = 'waiting', run_at = ?, last_error = ? WHERE id = ? AND lease_by = ? AND tries = ?", at, describe(failed), j.ID, r.node, j.Try)
		}
		return nil
	})
}

func (k Kind) wait(try int) time.Duration {
	if k.Backoff != nil {
		return k.Backoff(try)
	}
	d := min(time.Second<<min(try-1, 12), time.Hour)
	return d + rand.N(d/4+1)
}

// describe is what may be kept of an error: a fault's code, or the text's start.
func describe(err error) string {
	if f, ok := fault.As(err); ok {
		return f.Code
	}
	s := err.Error()
	return s[:min(len(s), 500)]
}

// every does periodic work on one node at a time.
func (r *Runner) every(ctx context.Context, p Periodic) {
	t := time.NewTicker(p.Every)
	defer t.Stop()
	name := "periodic." + p.Name
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		ttl := max(3*p.Every, 10*time.Second)
		mine, err := r.db.Lease(ctx, name, r.node, ttl)
		if err == nil && mine {
			let := r.keep(ctx, name, ttl)
			err = protect(func() error { return p.Run(ctx) })
			let()
		}
		if err != nil && ctx.Err() == nil {
			r.log.Warn("periodic work", "name", p.Name, "error", err)
		}
	}
}

// keepMost is how long periodic work keeps its lease: what hangs is taken over.
const keepMost = 10 * time.Minute

// keep renews a lease until the function it returns is called: work that takes
// longer than the lease is not begun by another node beside it.
func (r *Runner) keep(ctx context.Context, name string, ttl time.Duration) (let func()) {
	ctx, cancel := context.WithTimeout(ctx, keepMost)
	var ended sync.WaitGroup
	ended.Go(func() {
		t := time.NewTicker(ttl / 3)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
			if _, err := r.db.Lease(ctx, name, r.node, ttl); err != nil && ctx.Err() == nil {
				r.log.Debug("keeping a lease", "name", name, "error", err)
			}
		}
	})
	return func() { cancel(); ended.Wait() }
}

// Waiting tells how many jobs wait or run, and how many are dead.
func Waiting(tx *db.Tx) (alive, dead int, err error) {
	err = tx.Get("SELECT count(*) FILTER (WHERE state <> 'dead'), count(*) FILTER (WHERE state = 'dead') FROM jobs").Scan(&alive, &dead)
	return alive, dead, err
}
