package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// The batch a writer commits at once: what is queued, at most so many closures
// or so long; it never waits for more work.
const (
	batchMost     = 256
	batchLongest  = 20 * time.Millisecond
	checkpointGap = 250 * time.Millisecond
)

// sqliteEngine has many readers and one writer that commits groups: each
// update runs under its own savepoint, all are acknowledged after the commit
// that made them durable.
type sqliteEngine struct {
	path   string
	log    *slog.Logger
	writes *sql.DB
	conn   *sql.Conn
	reads  *sql.DB
	queue  chan *update
	stop   chan struct{} // closed by close: no update enters any more
	ended  sync.WaitGroup
	enter  sync.RWMutex
	closed bool
	stmts  map[string]*sql.Stmt // the writer's, by text
	// readers are the free ones. A reader has a connection and statements of its
	// own: preparing on a shared pool inside a snapshot would wait for a second
	// connection, and readers would wait for each other.
	readers chan *reader
}

var errClosed = ErrUnavailable.Because(errors.New("db: closed"))

type update struct {
	ctx  context.Context
	run  func(backend) error
	err  error
	p    any
	done chan struct{}
}

func openSQLite(ctx context.Context, o Options) (*sqliteEngine, error) {
	path := strings.TrimPrefix(o.URL, "sqlite:")
	if path == "" {
		return nil, errors.New("db: no path of the database file")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	e := &sqliteEngine{path: path, log: o.Log, queue: make(chan *update, 4*batchMost), stop: make(chan struct{}),
		stmts: map[string]*sql.Stmt{}}
	common := []string{"busy_timeout(10000)", "temp_store(MEMORY)", "cache_size(-32768)"}
	dsn := func(pragmas ...string) string {
		q := url.Values{"_pragma": append(pragmas, common...)}
		return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
	}
	var err error
	if e.writes, err = sql.Open("sqlite", dsn("journal_mode(WAL)", "synchronous(FULL)", "wal_autocheckpoint(0)", "journal_size_limit(67108864)",
		"secure_delete(1)")); err != nil {
		return nil, err
	}
	e.writes.SetMaxOpenConns(1)
	// Processes that start at once take turns: SQLite's own waiting does not
	// cover the change to WAL and a migration's reads before its writes.
	err = alone(path+".lock", func() error { return migrate(ctx, e.writes, o, SQLite) })
	if err != nil {
		return nil, errors.Join(sqliteError(err), e.writes.Close())
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, e.writes.Close())
	}
	if e.conn, err = e.writes.Conn(ctx); err != nil {
		return nil, errors.Join(sqliteError(err), e.writes.Close())
	}
	if e.reads, err = sql.Open("sqlite", dsn("query_only(1)")); err != nil {
		return nil, errors.Join(err, e.writes.Close())
	}
	readers := max(4, 2*runtime.NumCPU())
	e.reads.SetMaxOpenConns(readers)
	e.reads.SetMaxIdleConns(readers)
	e.readers = make(chan *reader, readers)
	for range readers {
		e.readers <- &reader{stmts: map[string]*sql.Stmt{}}
	}
	e.ended.Add(2)
	go e.writer()
	go e.checkpointer()
	return e, nil
}

// alone runs f while no other process runs one under the same lock file.
func alone(path string, f func() error) error {
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // gives the lock back
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	return f()
}

func (e *sqliteEngine) ping(ctx context.Context) error {
	return e.view(ctx, func(b backend) error {
		var one int
		return b.get("SELECT 1", nil).Scan(&one)
	})
}

func (e *sqliteEngine) close() error {
	e.enter.Lock()
	if e.closed {
		e.enter.Unlock()
		return nil
	}
	e.closed = true
	close(e.queue)
	close(e.stop)
	e.enter.Unlock()
	e.ended.Wait()
	var errs []error
	for range cap(e.readers) { // running snapshots end first
		errs = append(errs, (<-e.readers).close())
	}
	errs = append(errs, e.reads.Close())
	for _, s := range e.stmts {
		errs = append(errs, s.Close())
	}
	_, err := e.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
	errs = append(errs, err, e.conn.Close(), e.writes.Close())
	return errors.Join(errs...)
}

func (e *sqliteEngine) update(ctx context.Context, run func(backend) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	u := &update{ctx: ctx, run: run, done: make(chan struct{})}
	e.enter.RLock()
	if e.closed {
		e.enter.RUnlock()
		return errClosed
	}
	e.queue <- u // the writer drains the queue until it is closed
	e.enter.RUnlock()
	// No select on ctx: once queued the outcome is definite, and a cancelled
	// update that has not started is skipped by the writer.
	<-u.done
	if u.p != nil {
		panic(u.p)
	}
	return u.err
}

func (e *sqliteEngine) writer() {
	defer e.ended.Done()
	for first := range e.queue {
		e.batch(first)
	}
}

// batch runs a group of updates in one transaction.
func (e *sqliteEngine) batch(first *update) {
	began := time.Now()
	ctx := context.Background()
	var all, good []*update
	b := &sqliteTx{e: e}
	_, err := e.conn.ExecContext(ctx, "BEGIN IMMEDIATE")
	run := func(u *update) {
		all = append(all, u)
		if err != nil {
			return
		}
		if e.one(b, u) {
			good = append(good, u)
		}
	}
	run(first)
	for more := true; more && len(all) < batchMost && time.Since(began) < batchLongest; {
		select {
		case u, ok := <-e.queue:
			if ok {
				run(u)
			} else {
				more = false
			}
		default:
			more = false
		}
	}
	if err == nil {
		for _, fn := range append(b.lates, b.lasts.fns...) {
			if err = fn(&sqliteTx{e: e}); err != nil {
				break
			}
		}
		end := "COMMIT"
		if len(good) == 0 || err != nil {
			end = "ROLLBACK"
		}
		if _, endErr := e.conn.ExecContext(ctx, end); endErr != nil {
			err = errors.Join(err, endErr)
			if end == "COMMIT" {
				if _, rbErr := e.conn.ExecContext(ctx, "ROLLBACK"); rbErr != nil {
					e.log.Error("rollback after a failed commit", "error", rbErr)
				}
			}
		}
	}
	if err != nil {
		err = sqliteError(err)
		for _, u := range all {
			if u.err == nil && u.p == nil {
				u.err = err
			}
		}
	}
	// Refused updates are answered with the others: what they read of their
	// neighbours is durable only now.
	for _, u := range all {
		close(u.done)
	}
}

// one runs an update under its savepoint and tells whether it stays.
func (e *sqliteEngine) one(b *sqliteTx, u *update) (stays bool) {
	if u.err = u.ctx.Err(); u.err != nil {
		return false
	}
	ctx := context.Background()
	if _, err := e.exec(ctx, "SAVEPOINT u"); err != nil {
		u.err = sqliteError(err)
		return false
	}
	lates := len(b.lates)
	b.bad = nil
	func() {
		defer func() {
			if p := recover(); p != nil {
				u.p = fmt.Sprintf("%v\n%s", p, debug.Stack())
			}
		}()
		if u.err = u.run(b); u.err == nil {
			u.err = b.bad
		}
	}()
	if u.err == nil && u.p == nil {
		if _, err := e.exec(ctx, "RELEASE u"); err != nil {
			u.err = sqliteError(err)
		} else {
			return true
		}
	}
	b.lates = b.lates[:lates]
	if _, err := e.exec(ctx, "ROLLBACK TO u"); err != nil {
		e.log.Error("rollback of a savepoint", "error", err)
	}
	if _, err := e.exec(ctx, "RELEASE u"); err != nil {
		e.log.Error("release of a savepoint", "error", err)
	}
	return false
}

// prepared is the writer's statement for a text, made once.
func (e *sqliteEngine) prepared(ctx context.Context, text string) (*sql.Stmt, error) {
	return prepare(ctx, e.conn, e.stmts, text)
}

// prepare is a connection's statement for a text, made once.
func prepare(ctx context.Context, c *sql.Conn, stmts map[string]*sql.Stmt, text string) (*sql.Stmt, error) {
	if s, ok := stmts[text]; ok {
		return s, nil
	}
	s, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("%w in %q", err, text)
	}
	if len(stmts) >= 1000 { // texts built from pieces must not fill the memory
		for k, old := range stmts {
			_ = old.Close()
			delete(stmts, k)
		}
	}
	stmts[text] = s
	return s, nil
}

func (e *sqliteEngine) exec(ctx context.Context, text string, args ...any) (sql.Result, error) {
	s, err := e.prepared(ctx, text)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

// checkpointer moves the log into the database file beside the writer, so that
// no commit pays for it.
func (e *sqliteEngine) checkpointer() {
	defer e.ended.Done()
	c, err := sql.Open("sqlite", "file:"+(&url.URL{Path: e.path}).EscapedPath()+"?_pragma=busy_timeout(1000)&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(0)")
	if err != nil {
		e.log.Error("checkpoint connection", "error", err)
		return
	}
	defer c.Close()
	c.SetMaxOpenConns(1)
	tick := time.NewTicker(checkpointGap)
	defer tick.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-tick.C:
			var busy, logged, moved int
			mode := "PASSIVE"
			if info, err := os.Stat(e.path + "-wal"); err == nil && info.Size() > 256<<20 {
				mode = "RESTART" // a long reader let it grow: make the next writer start over
			}
			if err := c.QueryRow("PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &logged, &moved); err != nil {
				e.log.Debug("checkpoint", "error", err)
			}
		}
	}
}

// reader is one read-only connection, opened on first use.
type reader struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func (r *reader) prepared(ctx context.Context, text string) (*sql.Stmt, error) {
	return prepare(ctx, r.conn, r.stmts, text)
}

func (r *reader) close() error {
	var errs []error
	for _, s := range r.stmts {
		errs = append(errs, s.Close())
	}
	clear(r.stmts)
	if r.conn != nil {
		errs = append(errs, r.conn.Close())
		r.conn = nil
	}
	return errors.Join(errs...)
}

func (e *sqliteEngine) view(ctx context.Context, run func(backend) error) error {
	var r *reader
	select {
	case r = <-e.readers:
	case <-e.stop:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { e.readers <- r }()
	select {
	case <-e.stop: // close collects the readers
		return errClosed
	default:
	}
	if r.conn == nil {
		var err error
		if r.conn, err = e.reads.Conn(ctx); err != nil {
			return sqliteError(err)
		}
	}
	if _, err := r.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return sqliteError(err)
	}
	defer func() {
		// A snapshot has nothing to commit. A connection that does not end it is
		// not used again.
		if _, err := r.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
			_ = r.close()
		}
	}()
	return run(&sqliteView{r: r, ctx: ctx})
}

// survey is a view: readers do not wait here.
func (e *sqliteEngine) survey(ctx context.Context, run func(backend) error) error {
	return e.view(ctx, run)
}

// sqliteTx is the writer's side of one update.
type sqliteTx struct {
	e     *sqliteEngine
	bad   error
	lates []func(backend) error
	lasts named
}

func (t *sqliteTx) failed() error { return t.bad }

func (t *sqliteTx) late(fn func(backend) error) { t.lates = append(t.lates, fn) }

func (t *sqliteTx) last(name string, fn func(backend) error) { t.lasts.add(name, fn) }

func (t *sqliteTx) get(text string, args []any) Row {
	s, err := t.e.prepared(context.Background(), text)
	if err != nil {
		return errRow{sqliteError(err)}
	}
	rows, err := s.QueryContext(context.Background(), args...)
	return one(rows, err, &t.bad)
}

func (t *sqliteTx) list(each func(Row) error, text string, args []any) error {
	s, err := t.e.prepared(context.Background(), text)
	if err != nil {
		return sqliteError(err)
	}
	rows, err := s.QueryContext(context.Background(), args...)
	return all(rows, err, each)
}

func (t *sqliteTx) write(want int, text string, args []any) {
	res, err := t.e.exec(context.Background(), text, args...)
	if err != nil {
		t.bad = sqliteError(fmt.Errorf("%w in %q", err, text))
		return
	}
	if want >= 0 {
		n, err := res.RowsAffected()
		if err != nil {
			t.bad = sqliteError(err)
		} else if n != int64(want) {
			t.bad = fmt.Errorf("%w: %d, wanted %d, in %q", ErrRows, n, want, text)
		}
	}
}

// sqliteView is a reader's snapshot.
type sqliteView struct {
	r   *reader
	ctx context.Context
	bad error
}

func (v *sqliteView) failed() error                    { return v.bad }
func (v *sqliteView) write(int, string, []any)         { v.bad = ErrReadOnly }
func (v *sqliteView) late(func(backend) error)         { v.bad = ErrReadOnly }
func (v *sqliteView) last(string, func(backend) error) { v.bad = ErrReadOnly }
func (v *sqliteView) query(text string, args []any) (*sql.Rows, error) {
	s, err := v.r.prepared(v.ctx, text)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(v.ctx, args...)
}

func (v *sqliteView) get(text string, args []any) Row {
	rows, err := v.query(text, args)
	return one(rows, err, nil)
}

func (v *sqliteView) list(each func(Row) error, text string, args []any) error {
	rows, err := v.query(text, args)
	return all(rows, err, each)
}

// one is the first row. The rows are closed by Scan.
func one(rows *sql.Rows, err error, sticky *error) Row {
	if err != nil {
		err = sqliteError(err)
		if sticky != nil && !errors.Is(err, context.Canceled) {
			*sticky = err // a failed RETURNING may have half-run
		}
		return errRow{err}
	}
	return &firstRow{rows}
}

type firstRow struct{ rows *sql.Rows }

func (r *firstRow) Scan(dest ...any) error {
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return sqliteError(err)
		}
		return ErrNone
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	for r.rows.Next() { // a statement with RETURNING runs to its end
	}
	return sqliteError(r.rows.Err())
}

func all(rows *sql.Rows, err error, each func(Row) error) error {
	if err != nil {
		return sqliteError(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return sqliteError(rows.Err())
}

// sqliteError gives the driver's errors the store's names.
func sqliteError(err error) error {
	if err == nil {
		return nil
	}
	var s *sqlite.Error
	if errors.As(err, &s) {
		switch s.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
			return fmt.Errorf("%w: %w", ErrTaken, err)
		}
		switch s.Code() & 0xff {
		case sqlite3.SQLITE_FULL:
			return ErrFull.Because(err)
		case sqlite3.SQLITE_IOERR:
			if strings.Contains(err.Error(), "no space") || strings.Contains(err.Error(), "disk full") {
				return ErrFull.Because(err)
			}
			return ErrUnavailable.Because(err)
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN:
			return ErrUnavailable.Because(err)
		}
	}
	if errors.Is(err, sql.ErrConnDone) || strings.Contains(err.Error(), "database is closed") {
		return ErrUnavailable.Because(err)
	}
	return err
}

// CopySQLite writes a consistent copy of an SQLite file to a new file while
// others use it, synced.
func CopySQLite(ctx context.Context, from, to string) error {
	if _, err := os.Stat(to); err == nil {
		return fmt.Errorf("db: %s exists", to)
	}
	c, err := sql.Open("sqlite", "file:"+(&url.URL{Path: from}).EscapedPath()+"?mode=rw&_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return sqliteError(err)
	}
	f, err := os.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
