package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// errScrub: somebody read an old snapshot all the time.
var errScrub = errors.New("db: the log could not be emptied: a reader stayed in it")

// Scrub makes what was deleted or overwritten in tables leave the store's files,
// as far as the engine lets it. SQLite overwrites freed bytes at once
// (secure_delete); here its log is emptied. PostgreSQL vacuums the tables: dead
// rows and their index entries go, their bytes when the page is written anew. It
// may be called again, and fails when the log is held by a reader for long.
func (d *DB) Scrub(ctx context.Context, tables ...string) error {
	switch e := d.engine.(type) {
	case *sqliteEngine:
		return e.scrub(ctx)
	case *postgresEngine:
		return e.scrub(ctx, tables)
	}
	return nil
}

const (
	scrubTries = 100
	scrubPause = 200 * time.Millisecond
)

func (e *sqliteEngine) scrub(ctx context.Context) error {
	// A short wait: while a checkpoint waits for readers it keeps writers out.
	c, err := sql.Open("sqlite", "file:"+(&url.URL{Path: e.path}).EscapedPath()+"?_pragma=busy_timeout(50)&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(0)")
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetMaxOpenConns(1)
	for range scrubTries {
		var busy, logged, moved int
		if err := c.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &logged, &moved); err == nil && busy == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(scrubPause):
		}
	}
	return errScrub
}

func (e *postgresEngine) scrub(ctx context.Context, tables []string) error {
	known, err := Tables()
	if err != nil {
		return err
	}
	for _, t := range tables {
		if t = strings.ToLower(t); t != "search_docs" && !slices.Contains(known, t) {
			return fmt.Errorf("db: %s, to be vacuumed, is no table", t)
		}
		if _, err := e.pool.Exec(ctx, "VACUUM (INDEX_CLEANUP ON) "+t); err != nil {
			return postgresError(err)
		}
	}
	return nil
}
