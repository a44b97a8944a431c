// Package db is Casemate's store: one SQL text on SQLite and PostgreSQL, many
// readers, updates that are atomic and durable before they return. It owns the
// connections, the migrations, the stored results of repeated writes, locks
// and leases; the tables of the nouns belong to the nouns.
//
// Nouns write SQL with ? marks and four verbs: Get and List read, Write queues
// a change and demands how many rows it must hit, Late does what belongs to the
// end of a batch (full-text rows). See docs/ARCHITECTURE.md, "The store".
package db

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"casemate/internal/fault"
)

// Dialect is the engine behind the store.
type Dialect uint8

const (
	SQLite Dialect = iota
	Postgres
)

func (d Dialect) String() string {
	if d == Postgres {
		return "postgres"
	}
	return "sqlite"
}

// Any as the number of rows wanted means: whatever.
const Any = -1

// Errors of the store. ErrUnavailable and ErrFull are faults a caller may see;
// the others are for nouns.
var (
	ErrNone        = errors.New("db: no row")
	ErrTaken       = errors.New("db: unique value taken")
	ErrRows        = errors.New("db: another number of rows than wanted")
	ErrNested      = errors.New("db: transaction inside Update")
	ErrReadOnly    = errors.New("db: write inside View")
	ErrUnavailable = fault.New(fault.Unavailable, fault.CodeInternal, "数据库暂不可用，请稍后再试", "the database is not available, please try again later").After(time.Second)
	ErrFull        = fault.New(fault.Unavailable, fault.CodeInternal, "存储空间不足", "no space left to store this").After(10 * time.Second)
)

// Options of Open. The zero value of each field is usable but URL.
type Options struct {
	URL    string                              // "sqlite:/dir/file", a bare path, or "postgres://..."
	Now    func() time.Time                    // nil = time.Now
	Rand   io.Reader                           // nil = crypto/rand
	Seal   func(plain []byte) ([]byte, error)  // seals stored results; nil = stored as they are
	Unseal func(sealed []byte) ([]byte, error) // opens them
	// SealAddress seals a client's address for the history with his key, bound to
	// the event's id; nil = it is stored as it is. It must answer within microseconds
	// when the person was seen lately. OpenAddress opens it, "" of an erased person.
	SealAddress func(person, event, address string) string
	OpenAddress func(person, event, sealed string) (string, error)
	Partitioned bool         // PostgreSQL: tenants' tables PARTITION BY HASH (domain_id)
	Log         *slog.Logger // nil = slog.Default()
}

// DB is an open store, safe for concurrent use.
type DB struct {
	o       Options
	dialect Dialect
	engine  engine
	ids     ids
	topics  topics
}

// engine is what the two databases do differently.
type engine interface {
	view(ctx context.Context, run func(backend) error) error
	survey(ctx context.Context, run func(backend) error) error // a view that a replica may answer
	update(ctx context.Context, run func(backend) error) error
	ping(ctx context.Context) error
	close() error
}

// backend is one open transaction of an engine.
type backend interface {
	get(sql string, args []any) Row
	list(each func(Row) error, sql string, args []any) error
	write(want int, sql string, args []any)
	late(fn func(b backend) error)
	last(name string, fn func(b backend) error)
	failed() error
}

// Row is a result row; Scan answers ErrNone when there is none.
type Row interface{ Scan(dest ...any) error }

// Open opens the store and brings its schema up to date. It refuses a schema
// newer than this binary knows. Two processes opening at once migrate once.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	d := &DB{o: o, ids: ids{now: o.Now, rand: o.Rand}, topics: topics{m: map[string]chan struct{}{}}}
	var err error
	if strings.HasPrefix(o.URL, "postgres://") || strings.HasPrefix(o.URL, "postgresql://") {
		d.dialect = Postgres
		d.engine, err = openPostgres(ctx, o, d.topics.wake)
	} else {
		d.engine, err = openSQLite(ctx, o)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Close waits for running updates and closes the store.
func (d *DB) Close() error { return d.engine.close() }

// Dialect is the engine behind the store.
func (d *DB) Dialect() Dialect { return d.dialect }

// Now is the store's clock.
func (d *DB) Now() time.Time { return d.o.Now() }

// NewID is a rising id: 26 characters of lower-case Crockford base32, 48 bits
// of milliseconds and 80 random bits.
func (d *DB) NewID() string { return d.ids.next() }

// Random is n bytes of the store's source of randomness.
func (d *DB) Random(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(d.o.Rand, b); err != nil {
		panic(fmt.Errorf("db: source of randomness: %w", err)) // an id without randomness would be guessable
	}
	return b
}

// SealAddress is an address as the history stores it (Options).
func (d *DB) SealAddress(person, event, address string) string {
	if d.o.SealAddress == nil || address == "" || person == "" {
		return address
	}
	return d.o.SealAddress(person, event, address)
}

// OpenAddress is an address that SealAddress made, in clear; "" of an erased
// person.
func (d *DB) OpenAddress(person, event, sealed string) (string, error) {
	if d.o.OpenAddress == nil || sealed == "" {
		return sealed, nil
	}
	return d.o.OpenAddress(person, event, sealed)
}

// Ping tells whether the store answers.
func (d *DB) Ping(ctx context.Context) error { return d.engine.ping(ctx) }

type inUpdate struct{}

func (d *DB) begin(ctx context.Context, b backend) *Tx {
	real := d.o.Now().UnixMilli()
	return &Tx{Now: real + clockOf(ctx), Real: real, db: d, b: b, ctx: ctx}
}

// View runs fn in a read-only snapshot.
func (d *DB) View(ctx context.Context, fn func(tx *Tx) error) error {
	return d.look(ctx, d.engine.view, fn)
}

func (d *DB) look(ctx context.Context, view func(context.Context, func(backend) error) error, fn func(tx *Tx) error) error {
	if ctx.Value(inUpdate{}) != nil {
		return ErrNested
	}
	return view(ctx, func(b backend) error {
		tx := d.begin(ctx, b)
		tx.readOnly = true
		if err := fn(tx); err != nil {
			return err
		}
		return b.failed()
	})
}

// Update runs fn in a transaction: all its writes are durable when it returns
// nil, none exists when it returns an error. On PostgreSQL fn may run several
// times (conflicts with others), so it must set, not add to, what it captures.
// fn must not wait for anything but the store.
func (d *DB) Update(ctx context.Context, fn func(tx *Tx) error) error {
	_, err := Do(ctx, d, func(tx *Tx) (struct{}, error) { return struct{}{}, fn(tx) })
	return err
}

// slowUpdate is how long fn may take before the log warns: on SQLite all writers
// wait for it, and half a second of that is what people notice.
const slowUpdate = 500 * time.Millisecond

// Do is Update with a result. When the context carries a request key that was
// not used yet, the result is stored with the effect, and a repeat of the
// request gets it without running fn (threats.md E2). To commit and yet refuse
// (a wrong try that must count), return a result that says so.
func Do[T any](ctx context.Context, d *DB, fn func(tx *Tx) (T, error)) (T, error) {
	var result T
	if ctx.Value(inUpdate{}) != nil {
		return result, ErrNested
	}
	key, mine := claim(ctx)
	// PostgreSQL spares the question whether the request is a repeat, which is a
	// round trip: a repeat fails at the key's row, or because its effect is there
	// already, and is answered then.
	hopeful, tries := mine && d.dialect == Postgres, 0
	var after []func()
	inner := context.WithValue(ctx, inUpdate{}, true)
	err := d.engine.update(ctx, func(b backend) error {
		began := time.Now()
		tx := d.begin(inner, b)
		var zero T
		result, after = zero, nil
		tries++
		first := hopeful && tries == 1
		if mine && !first {
			found, err := loadResult(tx, key, &result)
			if err != nil {
				return err
			}
			if found {
				key.replayed.Store(true)
				return nil
			}
		}
		var err error
		if result, err = fn(tx); err != nil {
			return err
		}
		if mine {
			if err := storeResult(tx, key, result, first); err != nil {
				return err
			}
		}
		tx.sendWakes()
		after = tx.after
		if took := time.Since(began); took > slowUpdate && d.dialect == SQLite {
			d.o.Log.WarnContext(ctx, "slow update", "took", took)
		}
		return b.failed()
	})
	if err != nil && hopeful && tries == 1 && fault.KindOf(err) != fault.Unavailable {
		found := false
		again := d.View(ctx, func(tx *Tx) (err error) { found, err = loadResult(tx, key, &result); return err })
		if again == nil && found {
			key.replayed.Store(true)
			return result, nil
		}
	}
	if err != nil {
		var zero T
		return zero, err
	}
	for _, f := range after {
		f()
	}
	return result, nil
}

// topics are the wake-ups of this node.
type topics struct {
	mu sync.Mutex
	m  map[string]chan struct{}
}

func (t *topics) channel(topic string) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.m[topic]
	if !ok {
		c = make(chan struct{}, 1)
		t.m[topic] = c
	}
	return c
}

func (t *topics) wake(topic string) {
	select {
	case t.channel(topic) <- struct{}{}:
	default: // one waiting wake-up says it all
	}
}

// Wake is woken after a commit that called tx.Wake(topic), on any node. It
// coalesces; it may miss (PostgreSQL down), so poll beside it. One receiver.
func (d *DB) Wake(topic string) <-chan struct{} { return d.topics.channel(topic) }
