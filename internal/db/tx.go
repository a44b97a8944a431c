package db

import (
	"context"
	"slices"
)

// Tx is one transaction. It is not safe for concurrent use and ends with the
// function it was given to.
type Tx struct {
	// Now is the time of the transaction, frozen, in milliseconds UTC: on the
	// clock in the context, which for a sandbox is the domain's (WithClock).
	Now int64
	// Real is the same instant on the installation's clock.
	Real int64

	db       *DB
	b        backend
	ctx      context.Context
	readOnly bool
	rows     int
	after    []func()
	wakes    map[string]bool
}

// DB is the store of the transaction.
func (tx *Tx) DB() *DB { return tx.db }

// Context is the caller's, marked so that a nested transaction is refused.
func (tx *Tx) Context() context.Context { return tx.ctx }

// NewID is a rising id; see DB.NewID.
func (tx *Tx) NewID() string { return tx.db.NewID() }

type errRow struct{ err error }

func (r errRow) Scan(...any) error { return r.err }

// Get reads one row; writes queued before it are sent first. It also runs
// INSERT, UPDATE or DELETE with RETURNING.
func (tx *Tx) Get(sql string, args ...any) Row {
	if err := tx.b.failed(); err != nil {
		return errRow{err}
	}
	tx.rows++
	return tx.b.get(sql, args)
}

// List calls each for every row.
func (tx *Tx) List(each func(r Row) error, sql string, args ...any) error {
	if err := tx.b.failed(); err != nil {
		return err
	}
	return tx.b.list(func(r Row) error {
		tx.rows++
		return each(r)
	}, sql, args)
}

// Read is how many rows the transaction has read so far: what others wait for
// while it is the writer.
func (tx *Tx) Read() int { return tx.rows }

// Write queues a change that must hit exactly want rows (Any = whatever). Its
// error shows at the next Get or List or at the end of the Update: ErrRows,
// ErrTaken or the engine's.
func (tx *Tx) Write(want int, sql string, args ...any) {
	if tx.b.failed() != nil {
		return
	}
	if tx.readOnly {
		tx.b.write(want, "", nil) // engines refuse it with ErrReadOnly
		return
	}
	tx.b.write(want, sql, args)
}

// Lock makes other transactions that lock the same name of the domain wait
// until this one ends. Lock before reading what it guards.
func (tx *Tx) Lock(domain, name string) {
	if tx.db.dialect == SQLite {
		return // one writer
	}
	tx.Write(1, "INSERT INTO locks (domain_id, name, n) VALUES (?, ?, 1) ON CONFLICT (domain_id, name) DO UPDATE SET n = locks.n + 1", domain, name)
}

// Late queues work for the end of the batch, outside this transaction's
// savepoint: rows whose engine writes a segment per savepoint. An error of fn
// fails the whole batch, so fn may only do what cannot be refused.
func (tx *Tx) Late(fn func(tx *Tx) error) { tx.b.late(tx.behind(fn)) }

// Last queues work behind all late work of the batch: once, however many of its
// transactions ask for it by the same name, and even when the one that asked
// first is refused. What holds for Late's fn holds for this one.
func (tx *Tx) Last(name string, fn func(tx *Tx) error) { tx.b.last(name, tx.behind(fn)) }

// behind wraps work that runs after the transaction's own.
func (tx *Tx) behind(fn func(tx *Tx) error) func(b backend) error {
	now, real, d, ctx := tx.Now, tx.Real, tx.db, tx.ctx
	return func(b backend) error {
		l := &Tx{Now: now, Real: real, db: d, b: b, ctx: ctx}
		if err := fn(l); err != nil {
			return err
		}
		return b.failed()
	}
}

// After runs fn after the commit, in the caller's goroutine; lost in a crash.
func (tx *Tx) After(fn func()) { tx.after = append(tx.after, fn) }

// Wake wakes the topic's receiver on all nodes after the commit.
func (tx *Tx) Wake(topic string) {
	if tx.wakes == nil {
		tx.wakes = map[string]bool{}
	}
	tx.wakes[topic] = true
}

func (tx *Tx) sendWakes() {
	for topic := range tx.wakes {
		tx.After(func() {
			tx.db.topics.wake(topic)
			if e, ok := tx.db.engine.(*postgresEngine); ok {
				e.notify(topic)
			}
		})
	}
}

// named is work of a batch that is done once by its name.
type named struct {
	names []string
	fns   []func(backend) error
}

func (n *named) add(name string, fn func(backend) error) {
	if !slices.Contains(n.names, name) {
		n.names, n.fns = append(n.names, name), append(n.fns, fn)
	}
}
