package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// postgresEngine sends writes together with the next read or the commit, so an
// update costs few round trips: BEGIN travels with the first, COMMIT with the
// last.
type postgresEngine struct {
	pool    *pgxpool.Pool
	replica *replica // nil = the primary answers surveys too
	log     *slog.Logger
	stop    context.CancelFunc
	ended   sync.WaitGroup

	mu     sync.Mutex
	id     string          // tells our own notifications from others'
	topics map[string]bool // to tell other nodes
	told   chan struct{}
}

// poolSize is how many connections there are where the URL does not say.
const poolSize = 16

// retries is how often an update that met another one is tried: each round of
// a contest has a winner, so the worst off of that many writers gets through.
const retries = 20

func openPostgres(ctx context.Context, o Options, wake func(string)) (*postgresEngine, error) {
	// listen=URL in the query names a direct connection for LISTEN where the
	// main one goes through a pooler in transaction mode; listen=off polls.
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("db: the database URL does not parse") // it may hold a password: do not show it
	}
	q := u.Query()
	listen := q.Get("listen")
	q.Del("listen")
	// replica=URL names a hot standby for Survey.
	standby := q.Get("replica")
	q.Del("replica")
	u.RawQuery = q.Encode()
	cfg, err := pgxpool.ParseConfig(u.String())
	if err != nil {
		return nil, errors.New("db: the database URL is not understood")
	}
	if !q.Has("pool_max_conns") {
		cfg.MaxConns = poolSize
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	// Migrations hold a session's lock, which a pooler in transaction mode
	// would leave with whichever server connection took it.
	direct := cfg.ConnConfig.Copy()
	if listen != "" && listen != "off" {
		if direct, err = pgx.ParseConfig(listen); err != nil {
			return nil, errors.New("db: listen= in the database URL is not understood")
		}
	}
	sqlDB := openStdlib(direct)
	err = migrate(ctx, sqlDB, o, Postgres)
	if err = errors.Join(err, sqlDB.Close()); err != nil {
		return nil, postgresError(err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, postgresError(err)
	}
	var second *replica
	if standby != "" {
		if second, err = openReplica(ctx, standby, pool, o.Log); err != nil {
			pool.Close()
			return nil, err
		}
	}
	background, stop := context.WithCancel(context.Background())
	e := &postgresEngine{pool: pool, replica: second, log: o.Log, stop: stop, id: strconv.FormatUint(rand.Uint64(), 36), topics: map[string]bool{}, told: make(chan struct{}, 1)}
	e.ended.Add(1)
	go e.tell(background)
	if listen != "off" {
		direct := u.String()
		if listen != "" {
			direct = listen
		}
		e.ended.Add(1)
		go e.listen(background, direct, wake)
	}
	return e, nil
}

func (e *postgresEngine) ping(ctx context.Context) error { return postgresError(e.pool.Ping(ctx)) }

func (e *postgresEngine) close() error {
	e.stop()
	e.ended.Wait()
	if e.replica != nil {
		e.replica.close()
	}
	e.pool.Close()
	return nil
}

// tellEvery is how long wake-ups for other nodes are gathered. A NOTIFY in each
// transaction would make commits wait for each other: PostgreSQL takes a lock
// over all of them.
const tellEvery = 25 * time.Millisecond

// notify wakes the topic's receivers on other nodes, soon.
func (e *postgresEngine) notify(topic string) {
	e.mu.Lock()
	e.topics[topic] = true
	e.mu.Unlock()
	select {
	case e.told <- struct{}{}:
	default:
	}
}

func (e *postgresEngine) tell(ctx context.Context) {
	defer e.ended.Done()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.told:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(tellEvery):
		}
		e.mu.Lock()
		var all []string
		for t := range e.topics {
			all = append(all, t)
		}
		clear(e.topics)
		e.mu.Unlock()
		if _, err := e.pool.Exec(ctx, "SELECT pg_notify('casemate', $1 || ' ' || t) FROM unnest($2::text[]) AS t", e.id, all); err != nil {
			e.log.Debug("waking other nodes", "error", postgresError(err)) // who waits polls as well
		}
	}
}

// listen receives the wake-ups of other nodes; it reconnects by itself, and
// who waits polls as well.
func (e *postgresEngine) listen(ctx context.Context, url string, wake func(string)) {
	defer e.ended.Done()
	for ctx.Err() == nil {
		err := func() error {
			c, err := pgx.Connect(ctx, url)
			if err != nil {
				return err
			}
			defer c.Close(context.Background())
			if _, err := c.Exec(ctx, "LISTEN casemate"); err != nil {
				return err
			}
			for {
				n, err := c.WaitForNotification(ctx)
				if err != nil {
					return err
				}
				if from, topic, _ := strings.Cut(n.Payload, " "); from != e.id { // our own are awake
					wake(topic)
				}
			}
		}()
		if ctx.Err() != nil {
			return
		}
		e.log.Debug("listening for wake-ups", "error", postgresError(err))
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (e *postgresEngine) update(ctx context.Context, run func(backend) error) error {
	for try := 1; ; try++ {
		err := e.once(ctx, "BEGIN", true, run)
		switch {
		case err == nil || ctx.Err() != nil || !again(err):
			return err
		case try == retries && errors.Is(err, ErrTaken): // somebody's for good: the noun says whose
			return err
		case try == retries: // nothing was stored; whoever asked may try again later
			return ErrUnavailable.Because(err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(rand.IntN(4<<min(try, 5))+1) * time.Millisecond):
		}
	}
}

// again tells whether the update met another one and may be tried again. A
// connection that broke is never retried: nobody knows what was committed.
func again(err error) bool {
	if errors.Is(err, ErrRows) || errors.Is(err, ErrTaken) {
		return true
	}
	var p *pgconn.PgError
	return errors.As(err, &p) && (p.Code == "40001" || p.Code == "40P01")
}

func (e *postgresEngine) view(ctx context.Context, run func(backend) error) error {
	return e.once(ctx, viewBegin, false, run)
}

const viewBegin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

func (e *postgresEngine) once(ctx context.Context, begin string, writes bool, run func(backend) error) error {
	c, err := e.pool.Acquire(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return postgresError(err)
	}
	return e.with(ctx, c, begin, writes, run)
}

// with runs a transaction on a connection, which it releases.
func (e *postgresEngine) with(ctx context.Context, c *pgxpool.Conn, begin string, writes bool, run func(backend) error) error {
	t := &postgresTx{ctx: ctx, c: c.Conn(), begin: begin, readOnly: !writes}
	ended := false
	defer func() {
		if !ended { // an error or a panic: nothing may stay
			t.rollback()
		}
		c.Release()
	}()
	if err := run(t); err != nil {
		return err
	}
	for _, fn := range append(t.lates, t.lasts.fns...) {
		if err := fn(t); err != nil {
			return err
		}
	}
	if t.bad != nil {
		return t.bad
	}
	if !writes {
		return nil
	}
	ended = true
	if err := t.commit(); err != nil {
		t.rollback()
		return err
	}
	return nil
}

// postgresTx is one transaction.
type postgresTx struct {
	ctx      context.Context
	c        *pgx.Conn
	begin    string
	begun    bool
	readOnly bool
	queued   []statement
	lates    []func(backend) error
	lasts    named
	bad      error
}

type statement struct {
	want int
	text string
	args []any
}

func (t *postgresTx) failed() error { return t.bad }

func (t *postgresTx) late(fn func(backend) error) {
	if t.readOnly {
		t.bad = ErrReadOnly
		return
	}
	t.lates = append(t.lates, fn)
}

func (t *postgresTx) last(name string, fn func(backend) error) {
	if t.readOnly {
		t.bad = ErrReadOnly
		return
	}
	t.lasts.add(name, fn)
}

func (t *postgresTx) write(want int, text string, args []any) {
	if t.readOnly {
		t.bad = ErrReadOnly
		return
	}
	t.queued = append(t.queued, statement{want, text, args})
}

// send makes one trip: BEGIN if it is the first, the queued writes, then last
// (a query or COMMIT). It leaves the reader at last's result.
func (t *postgresTx) send(last string, args []any) (pgx.BatchResults, error) {
	var b pgx.Batch
	if !t.begun {
		b.Queue(t.begin)
	}
	for _, s := range t.queued {
		text := dollars(s.text)
		a := s.args
		if s.want >= 0 && demands(s.text) {
			// Enforced inside the statement, so that a batch with COMMIT aborts.
			text = "WITH w AS (" + text + " RETURNING 1) SELECT 1/(CASE WHEN (SELECT count(*) FROM w) = $" +
				strconv.Itoa(len(a)+1) + "::bigint THEN 1 ELSE 0 END)"
			a = append(append(make([]any, 0, len(a)+1), a...), int64(s.want))
		}
		b.Queue(text, a...)
	}
	b.Queue(last, args...)
	r := t.c.SendBatch(t.ctx, &b)
	first := !t.begun
	if first {
		if _, err := r.Exec(); err != nil {
			return nil, t.fail(r, err, "BEGIN")
		}
		t.begun = true
	}
	for _, s := range t.queued {
		if _, err := r.Exec(); err != nil {
			return nil, t.fail(r, err, s.text)
		}
	}
	t.queued = t.queued[:0]
	return r, nil
}

func (t *postgresTx) fail(r pgx.BatchResults, err error, text string) error {
	_ = r.Close() // the first error is the one that counts
	t.bad = postgresError(fmt.Errorf("%w in %q", err, text))
	return t.bad
}

func (t *postgresTx) commit() error {
	if !t.begun && len(t.queued) == 0 {
		return nil // nothing was read or written
	}
	r, err := t.send("COMMIT", nil)
	if err != nil {
		return err
	}
	tag, err := r.Exec()
	if err := errors.Join(err, r.Close()); err != nil {
		return postgresError(err)
	}
	if tag.String() != "COMMIT" {
		return errors.New("db: the transaction was rolled back by the server")
	}
	return nil
}

func (t *postgresTx) rollback() {
	if t.c.IsClosed() || t.c.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), 2*time.Second)
	defer cancel()
	if _, err := t.c.Exec(ctx, "ROLLBACK"); err != nil {
		_ = t.c.Close(ctx) // the pool throws closed connections away
	}
}

func (t *postgresTx) get(text string, args []any) Row {
	r, err := t.send(dollars(text), args)
	if err != nil {
		return errRow{err}
	}
	rows, err := r.Query()
	if err != nil {
		rows.Close()
		return errRow{t.fail(r, err, text)}
	}
	return &postgresRow{t: t, r: r, rows: rows, text: text}
}

type postgresRow struct {
	t    *postgresTx
	r    pgx.BatchResults
	rows pgx.Rows
	text string
}

func (p *postgresRow) Scan(dest ...any) error {
	found := p.rows.Next()
	var scanErr error
	if found {
		scanErr = p.rows.Scan(dest...)
	}
	p.rows.Close()
	if err := p.rows.Err(); err != nil && scanErr == nil {
		return p.t.fail(p.r, err, p.text)
	}
	if err := p.r.Close(); err != nil && scanErr == nil {
		p.t.bad = postgresError(err)
		return p.t.bad
	}
	if scanErr != nil {
		return scanErr
	}
	if !found {
		return ErrNone
	}
	return nil
}

func (t *postgresTx) list(each func(Row) error, text string, args []any) error {
	r, err := t.send(dollars(text), args)
	if err != nil {
		return err
	}
	rows, err := r.Query()
	if err != nil {
		return t.fail(r, err, text)
	}
	for rows.Next() {
		if err := each(rows); err != nil {
			rows.Close()
			_ = r.Close()
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return t.fail(r, err, text)
	}
	if err := r.Close(); err != nil {
		t.bad = postgresError(err)
		return t.bad
	}
	return nil
}

// demands tells whether the statement can hit another number of rows than
// wanted: a plain INSERT of VALUES hits its rows or fails.
func demands(text string) bool {
	head := strings.ToUpper(strings.TrimSpace(text))
	if strings.HasPrefix(head, "INSERT") {
		return strings.Contains(head, "ON CONFLICT") || strings.Contains(head, "SELECT")
	}
	return strings.HasPrefix(head, "UPDATE") || strings.HasPrefix(head, "DELETE")
}

var numbered sync.Map // text with ? -> text with $1

// dollars writes ? marks as $1, $2 ..., leaving string literals, quoted names
// and comments alone.
func dollars(text string) string {
	if s, ok := numbered.Load(text); ok {
		return s.(string)
	}
	var b strings.Builder
	n := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\'' || c == '"':
			j := i + 1
			for j < len(text) && text[j] != c {
				j++
			}
			b.WriteString(text[i:min(j+1, len(text))])
			i = j
		case strings.HasPrefix(text[i:], "/*"):
			j := strings.Index(text[i:], "*/")
			if j < 0 {
				b.WriteString(text[i:])
				i = len(text)
				break
			}
			b.WriteString(text[i : i+j+2])
			i += j + 1
		case c == '?':
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		default:
			b.WriteByte(c)
		}
	}
	s := b.String()
	numbered.Store(text, s)
	return s
}

// postgresError gives the driver's errors the store's names.
func postgresError(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrFull) {
		return err
	}
	var p *pgconn.PgError
	if errors.As(err, &p) {
		switch {
		case p.Code == "23505":
			return fmt.Errorf("%w: %w", ErrTaken, err)
		case p.Code == "22012": // the division by zero of a statement that demands rows
			return fmt.Errorf("%w: %w", ErrRows, err)
		case p.Code == "53100":
			return ErrFull.Because(err)
		case strings.HasPrefix(p.Code, "57P"), strings.HasPrefix(p.Code, "53"), strings.HasPrefix(p.Code, "08"), p.Code == "25006":
			return ErrUnavailable.Because(err)
		}
		return err
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	var (
		connect *pgconn.ConnectError
		network net.Error
	)
	if errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err) ||
		strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "unexpected EOF") || strings.Contains(err.Error(), "closed pool") {
		return ErrUnavailable.Because(err)
	}
	return err
}
