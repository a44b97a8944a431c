package seal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver
)

// sqlStore keeps wrapped keys in one table, of an SQLite file or of a schema of
// its own in PostgreSQL. The texts differ in their marks and in the table's name.
type sqlStore struct {
	d         *sql.DB
	q         queries
	afterward string // makes a destroyed key's bytes leave the log, "" = nothing
}

type queries struct{ load, loadAll, insert, all, update, names string }

func openSQLite(ctx context.Context, path string) (Store, error) {
	// secure_delete overwrites what is removed with zeroes.
	d, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(1)&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	d.SetMaxOpenConns(1)
	if _, err := d.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS keys (name TEXT NOT NULL PRIMARY KEY, wrapped BLOB NOT NULL)"); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &sqlStore{d: d, afterward: "PRAGMA wal_checkpoint(TRUNCATE)", q: queries{
		load: "SELECT wrapped FROM keys WHERE name = ?",
		// A list travels as one JSON text, so that the statement is always the same.
		loadAll: "SELECT name, wrapped FROM keys WHERE name IN (SELECT value FROM json_each(?))",
		insert:  "INSERT INTO keys (name, wrapped) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
		all:     "SELECT name, wrapped FROM keys ORDER BY name",
		update:  "UPDATE keys SET wrapped = ? WHERE name = ?",
		names:   "SELECT name FROM keys WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name",
	}}, nil
}

func openPostgres(ctx context.Context, database string) (Store, error) {
	u, err := url.Parse(database)
	if err != nil {
		return nil, errors.New("the database URL does not parse")
	}
	q := u.Query()
	q.Del("listen")
	q.Del("replica")
	u.RawQuery = q.Encode()
	c, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, errors.New("the database URL is not understood")
	}
	d := stdlib.OpenDB(*c)
	d.SetMaxOpenConns(4)
	conn, err := d.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	for _, text := range []string{
		"SELECT pg_advisory_xact_lock(7236514)", // two nodes may start at once
		"CREATE SCHEMA IF NOT EXISTS casemate_keys",
		"CREATE TABLE IF NOT EXISTS casemate_keys.keys (name TEXT NOT NULL PRIMARY KEY, wrapped BYTEA NOT NULL)",
	} {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return nil, errors.Join(err, tx.Rollback(), d.Close())
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &sqlStore{d: d, afterward: "VACUUM casemate_keys.keys", q: queries{
		load:    "SELECT wrapped FROM casemate_keys.keys WHERE name = $1",
		loadAll: "SELECT name, wrapped FROM casemate_keys.keys WHERE name IN (SELECT value FROM json_array_elements_text($1::json))",
		insert:  "INSERT INTO casemate_keys.keys (name, wrapped) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
		all:     "SELECT name, wrapped FROM casemate_keys.keys ORDER BY name FOR UPDATE",
		update:  "UPDATE casemate_keys.keys SET wrapped = $1 WHERE name = $2",
		names:   "SELECT name FROM casemate_keys.keys WHERE starts_with(name, $1) ORDER BY name",
	}}, nil
}

func (s *sqlStore) Load(ctx context.Context, name string) ([]byte, error) {
	var wrapped []byte
	err := s.d.QueryRowContext(ctx, s.q.load, name).Scan(&wrapped)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return wrapped, err
}

func (s *sqlStore) LoadAll(ctx context.Context, names []string) (map[string][]byte, error) {
	list, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	rows, err := s.d.QueryContext(ctx, s.q.loadAll, string(list))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string][]byte{}
	for rows.Next() {
		var name string
		var wrapped []byte
		if err := rows.Scan(&name, &wrapped); err != nil {
			return nil, err
		}
		all[name] = wrapped
	}
	return all, rows.Err()
}

func (s *sqlStore) Add(ctx context.Context, name string, wrapped []byte) ([]byte, error) {
	if _, err := s.d.ExecContext(ctx, s.q.insert, name, wrapped); err != nil {
		return nil, err
	}
	return s.Load(ctx, name)
}

func (s *sqlStore) Replace(ctx context.Context, rewrap func(string, []byte) ([]byte, error)) error {
	tx, err := s.d.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	rows, err := tx.QueryContext(ctx, s.q.all)
	if err != nil {
		return err
	}
	defer rows.Close()
	anew := map[string][]byte{}
	for rows.Next() {
		var name string
		var wrapped []byte
		if err := rows.Scan(&name, &wrapped); err != nil {
			return err
		}
		if anew[name], err = rewrap(name, wrapped); err != nil {
			return err
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for name, wrapped := range anew {
		if _, err := tx.ExecContext(ctx, s.q.update, wrapped, name); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (s *sqlStore) Destroy(ctx context.Context, name string) error {
	// Random bytes first: the row's place is overwritten before it says destroyed.
	for _, bytes := range [][]byte{random(keySize * 2), destroyed} {
		if _, err := s.d.ExecContext(ctx, s.q.insert, name, destroyed); err != nil {
			return err
		}
		if _, err := s.d.ExecContext(ctx, s.q.update, bytes, name); err != nil {
			return err
		}
	}
	if s.afterward == "" {
		return nil
	}
	if _, err := s.d.ExecContext(ctx, s.afterward); err != nil {
		return fmt.Errorf("after destroying a key: %w", err)
	}
	return nil
}

func (s *sqlStore) Names(ctx context.Context, prefix string) ([]string, error) {
	rows, err := s.d.QueryContext(ctx, s.q.names, prefix)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		names = append(names, n)
	}
	return names, rows.Err()
}

func (s *sqlStore) Close() error { return s.d.Close() }
