package seal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// LockFile is in the keys folder; its lock, not its being there, tells that the
// keys are in use.
const LockFile = "in-use.lock"

// ErrInUse tells that another process holds the keys.
var ErrInUse = errors.New("seal: another process uses these keys")

// Hold is a process's claim on a key store. The operating system, or the
// database, ends it with the process, however that ends.
type Hold struct {
	file *os.File
	stop func() error
}

// Claim claims the key store of Open, before it is opened: what was read before
// a rotation is of no use after it. alone = no other may have it, which a
// rotation needs; else several may share it. It fails with ErrInUse.
//
// An SQLite key store is claimed by a lock on LockFile, one in PostgreSQL by an
// advisory lock on a connection of its own, which is made anew when it breaks.
func Claim(ctx context.Context, dir, database string, alone bool) (*Hold, error) {
	if onPostgres(database) {
		return claimPostgres(ctx, database, alone)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, LockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_SH
	if alone {
		how = syscall.LOCK_EX
	}
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Hold{file: f}, nil
}

// Release ends the claim. A nil claim has nothing to end.
func (h *Hold) Release() error {
	switch {
	case h == nil:
		return nil
	case h.file != nil:
		return h.file.Close() // the file stays: removing it would let two hold two files
	}
	return h.stop()
}

// holdLock is the number of the advisory lock of a key store in PostgreSQL.
const holdLock = 7236515

// holdEvery is how often the connection of a claim is looked at.
const holdEvery = 10 * time.Second

func claimPostgres(ctx context.Context, database string, alone bool) (*Hold, error) {
	c, err := directConfig(database)
	if err != nil {
		return nil, err
	}
	d := stdlib.OpenDB(*c)
	d.SetMaxOpenConns(1)
	text := fmt.Sprintf("SELECT pg_try_advisory_lock_shared(%d)", holdLock)
	if alone {
		text = fmt.Sprintf("SELECT pg_try_advisory_lock(%d)", holdLock)
	}
	take := func(ctx context.Context) (*sql.Conn, error) {
		conn, err := d.Conn(ctx)
		if err != nil {
			return nil, err
		}
		var got bool
		if err := conn.QueryRowContext(ctx, text).Scan(&got); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		if !got {
			return nil, errors.Join(ErrInUse, conn.Close())
		}
		return conn, nil
	}
	conn, err := take(ctx)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var keeper sync.WaitGroup
	keeper.Go(func() {
		tick := time.NewTicker(holdEvery)
		defer tick.Stop()
		for {
			select {
			case <-work.Done():
				return
			case <-tick.C:
			}
			if conn != nil && conn.PingContext(work) == nil {
				continue
			}
			if conn != nil {
				_ = conn.Close() // it is broken
			}
			conn, _ = take(work) // nil while the database is away; tried again
		}
	})
	return &Hold{stop: func() error {
		cancel()
		keeper.Wait()
		if conn != nil {
			_ = conn.Close()
		}
		return d.Close()
	}}, nil
}

// directConfig is of a connection that lasts: the one for LISTEN, where the
// main one goes through a pooler.
func directConfig(database string) (*pgx.ConnConfig, error) {
	u, err := url.Parse(database)
	if err != nil {
		return nil, errors.New("the database URL does not parse")
	}
	q := u.Query()
	direct := q.Get("listen")
	q.Del("listen")
	q.Del("replica")
	u.RawQuery = q.Encode()
	if direct == "" || direct == "off" {
		direct = u.String()
	}
	c, err := pgx.ParseConfig(direct)
	if err != nil {
		return nil, errors.New("the database URL is not understood")
	}
	return c, nil
}
