package db

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// CopyAny writes a consistent copy of a store of either engine to a new SQLite
// file while others use it, synced, and tells what each table holds. Of SQLite
// it is the file as it is (CopySQLite), checked by SQLite itself (ErrDamaged),
// with the number of its rows; of PostgreSQL one snapshot of all tables but those
// of the search index and those that skip names, each proved by a hash over its
// rows, read again from the copy (ErrUnequal). ErrSchemas when the store is of another version.
func CopyAny(ctx context.Context, from, to string, o SyncOptions) ([]TableSync, error) {
	if !strings.HasPrefix(from, "postgres://") && !strings.HasPrefix(from, "postgresql://") {
		if err := CopySQLite(ctx, strings.TrimPrefix(from, "sqlite:"), to); err != nil {
			return nil, err
		}
		if err := sound(ctx, to); err != nil {
			return nil, err
		}
		return Count(ctx, to, false)
	}
	if _, err := os.Stat(to); err == nil {
		return nil, fmt.Errorf("db: %s exists", to)
	}
	d, err := Open(ctx, Options{URL: "sqlite:" + to}) // makes the schema
	if err != nil {
		return nil, err
	}
	if err := d.Close(); err != nil {
		return nil, err
	}
	tables, err := Sync(ctx, from, "sqlite:"+to, o)
	if err != nil {
		return nil, err
	}
	if log, err := os.Stat(to + "-wal"); err == nil && log.Size() > 0 {
		return nil, fmt.Errorf("%w: a part is still in its log", ErrUnequal)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	copied, err := Count(ctx, to, true)
	if err != nil {
		return nil, err
	}
	is := map[string]TableSync{}
	for _, t := range copied {
		is[t.Table] = t
	}
	for _, t := range tables {
		if c := is[t.Table]; c.Rows != t.Rows || c.SHA256 != t.SHA256 {
			return nil, fmt.Errorf("%w: table %s: %d rows of %d", ErrUnequal, t.Table, c.Rows, t.Rows)
		}
	}
	return tables, nil
}

// ErrDamaged tells that SQLite's own check of a file fails.
var ErrDamaged = errors.New("db: the SQLite file is damaged")

// ErrUnequal tells that what was copied is not what was read.
var ErrUnequal = errors.New("db: the copy is not equal")

// sound is SQLite's own check of a file.
func sound(ctx context.Context, path string) error {
	s, err := openSide(ctx, path, true)
	if err != nil {
		return err
	}
	defer s.close()
	var check string
	if err := s.conn.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&check); err != nil {
		return sqliteError(err)
	}
	if check != "ok" {
		return fmt.Errorf("%w: %s", ErrDamaged, check)
	}
	return nil
}

// Count tells of each table of an SQLite file how many rows it has, and with
// hashes the hash over them that Sync tells. The file may be of any version.
func Count(ctx context.Context, path string, hashes bool) ([]TableSync, error) {
	s, err := openSide(ctx, path, true)
	if err != nil {
		return nil, err
	}
	defer s.close()
	names, err := s.tables(ctx)
	if err != nil {
		return nil, sqliteError(err)
	}
	var out []TableSync
	for _, name := range names {
		t := TableSync{Table: name}
		if hashes {
			t.Rows, t.SHA256, err = s.hash(ctx, name)
		} else {
			err = s.conn.QueryRowContext(ctx, "SELECT count(*) FROM "+name).Scan(&t.Rows)
		}
		if err != nil {
			return nil, sqliteError(err)
		}
		out = append(out, t)
	}
	return out, nil
}

// hash reads a table as compare does.
func (s *side) hash(ctx context.Context, table string) (n int64, sum string, err error) {
	t, err := s.shape(ctx, table)
	if err != nil {
		return 0, "", err
	}
	rows, err := s.stream(ctx, t)
	if err != nil {
		return 0, "", err
	}
	defer rows.rows.Close()
	h := sha256.New()
	for {
		row, err := rows.next()
		if err != nil {
			return 0, "", err
		}
		if row == nil {
			return n, hex.EncodeToString(h.Sum(nil)), nil
		}
		if err := digest(h, row); err != nil {
			return 0, "", err
		}
		n++
	}
}
