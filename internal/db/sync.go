package db

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// TableSync is what Sync found and did in one table.
type TableSync struct {
	Table   string
	Rows    int64  // of the source; as many are in the target afterwards
	Written int64  // rows that were missing in the target or differed there
	Removed int64  // rows that the source does not have, or has otherwise
	SHA256  string // over all rows of the source, in the order of their keys
}

// Equal tells that the target had the same rows already.
func (t TableSync) Equal() bool { return t.Written == 0 && t.Removed == 0 }

// Progress of a Sync: rows of the source that are compared, of so many in all.
type Progress struct {
	Table       string
	Done, Total int64
}

// SyncOptions of Sync.
type SyncOptions struct {
	Skip func(table string) bool // nil = none
	Each func(Progress)          // called now and then; nil = nobody listens
}

// ErrSchemas tells that the stores are not of one version.
var ErrSchemas = errors.New("db: the two stores have different schemas: open both with this version once")

// syncBatch is how many rows a transaction of Sync writes.
const syncBatch = 2000

// Sync makes a store's tables equal to another's, which may be of the other
// engine and in use: of both sides one snapshot is read, row by row in the
// order of the keys. Rows that are equal cost reading only, so that a Sync that
// was cut off goes on, and one that follows another finds what changed since.
// The target must not be in use. It is not atomic as a whole: each batch is. Both
// schemas must be there (Open). Tables of the search index are engine's own and
// never copied.
func Sync(ctx context.Context, from, to string, o SyncOptions) ([]TableSync, error) {
	src, err := openSide(ctx, from, true)
	if err != nil {
		return nil, err
	}
	defer src.close()
	dst, err := openSide(ctx, to, false)
	if err != nil {
		return nil, err
	}
	defer dst.close()
	tables, err := Tables()
	if err != nil {
		return nil, err
	}
	for _, s := range []*side{src, dst} { // what would be forgotten is told
		there, err := s.tables(ctx)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(there, tables) {
			return nil, fmt.Errorf("%w: tables %v", ErrSchemas, slices.DeleteFunc(append(slices.Clone(there), tables...), func(t string) bool {
				return slices.Contains(there, t) && slices.Contains(tables, t)
			}))
		}
	}
	var shapes []shape
	var p Progress
	for _, t := range tables {
		if o.Skip != nil && o.Skip(t) {
			continue
		}
		a, err := src.shape(ctx, t)
		if err != nil {
			return nil, err
		}
		b, err := dst.shape(ctx, t)
		if err != nil {
			return nil, err
		}
		if len(a.columns) == 0 || !a.same(b) {
			return nil, fmt.Errorf("%w: table %s", ErrSchemas, t)
		}
		var n int64
		if err := src.conn.QueryRowContext(ctx, "SELECT count(*) FROM "+t).Scan(&n); err != nil {
			return nil, err
		}
		p.Total += n
		a.rows = n
		shapes = append(shapes, a)
	}
	var report []TableSync
	for _, s := range shapes {
		p.Table = s.table
		tell := func(done int64) {
			if o.Each != nil {
				q := p
				q.Done += done
				o.Each(q)
			}
		}
		// What is only in the target, or differs, goes first: so no unique value
		// stands in the way of a row that has it now.
		done, err := compare(ctx, src, dst, s, func(rows int64) { tell(rows / 2) }, true)
		if err != nil {
			return report, err
		}
		if done.equal {
			p.Done += done.rows
			report = append(report, TableSync{Table: s.table, Rows: done.rows, SHA256: done.sum})
			continue
		}
		if done.removed > 0 {
			if err := dst.renew(ctx); err != nil {
				return report, err
			}
		}
		added, err := compare(ctx, src, dst, s, func(rows int64) { tell((done.rows + rows) * s.rows / max(1, done.rows+s.rows)) }, false)
		if err != nil {
			return report, err
		}
		if added.written > 0 {
			if err := dst.renew(ctx); err != nil {
				return report, err
			}
		}
		p.Done += added.rows
		report = append(report, TableSync{Table: s.table, Rows: added.rows, Written: added.written, Removed: done.removed, SHA256: added.sum})
	}
	return report, nil
}

// Tables are all tables of the schema but the search index's, in alphabetical
// order.
func Tables() ([]string, error) {
	text, err := schema()
	if err != nil {
		return nil, err
	}
	var tables []string
	for _, m := range anyTable.FindAllStringSubmatch(text, -1) {
		if t := strings.ToLower(m[1]); !strings.HasPrefix(t, "search_") && !slices.Contains(tables, t) {
			tables = append(tables, t)
		}
	}
	slices.Sort(tables)
	return tables, nil
}

// shape is a table's columns and the places of its key among them.
type shape struct {
	table   string
	columns []string // in alphabetical order
	texts   []bool   // which are TEXT: they order by bytes
	key     []int    // places in columns, in the key's order
	rows    int64    // of the source
}

func (s shape) same(o shape) bool {
	return slices.Equal(s.columns, o.columns) && slices.Equal(s.key, o.key)
}

// side is one of the stores: a connection whose snapshot is read, and one that
// writes.
type side struct {
	d        *sql.DB
	conn     *sql.Conn
	postgres bool
	bytewise bool // the database orders texts by their bytes of itself, and so do its indexes
}

func openSide(ctx context.Context, where string, readOnly bool) (*side, error) {
	s := &side{postgres: strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://")}
	if s.postgres {
		u, err := url.Parse(where)
		if err != nil {
			return nil, errors.New("db: the database URL does not parse")
		}
		q := u.Query()
		q.Del("listen")
		q.Del("replica")
		u.RawQuery = q.Encode()
		c, err := pgxpool.ParseConfig(u.String())
		if err != nil {
			return nil, errors.New("db: the database URL is not understood")
		}
		s.d = openStdlib(c.ConnConfig)
	} else {
		q := url.Values{"_pragma": {"busy_timeout(10000)", "synchronous(FULL)", "temp_store(MEMORY)", "cache_size(-32768)"}}
		if readOnly {
			q.Set("mode", "ro")
		}
		var err error
		if s.d, err = sql.Open("sqlite", "file:"+(&url.URL{Path: strings.TrimPrefix(where, "sqlite:")}).EscapedPath()+"?"+q.Encode()); err != nil {
			return nil, err
		}
	}
	var err error
	if s.conn, err = s.d.Conn(ctx); err != nil {
		return nil, errors.Join(err, s.d.Close())
	}
	err = s.snapshot(ctx)
	if err == nil && s.postgres {
		err = s.conn.QueryRowContext(ctx, "SELECT COALESCE(to_jsonb(d) ->> 'datlocprovider', 'c') = 'c' AND datcollate IN ('C', 'POSIX') FROM pg_database AS d WHERE datname = current_database()").Scan(&s.bytewise)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *side) snapshot(ctx context.Context) error {
	begin := "BEGIN"
	if s.postgres {
		begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	}
	_, err := s.conn.ExecContext(ctx, begin)
	return err
}

// renew looks at the store as it is now.
func (s *side) renew(ctx context.Context) error {
	if _, err := s.conn.ExecContext(ctx, "COMMIT"); err != nil {
		return err
	}
	return s.snapshot(ctx)
}

func (s *side) close() {
	_ = s.conn.Close()
	_ = s.d.Close()
}

// tables are the store's own tables as Tables names them.
func (s *side) tables(ctx context.Context) (names []string, err error) {
	text := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if s.postgres {
		text = "SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
	}
	rows, err := s.conn.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		if !strings.HasPrefix(name, "search_") && !strings.HasPrefix(name, "sqlite_") && name != "goose_db_version" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, rows.Err()
}

func (s *side) shape(ctx context.Context, table string) (shape, error) {
	text := "SELECT name, type, pk FROM pragma_table_info(?) ORDER BY name"
	if s.postgres {
		text = `SELECT c.attname, format_type(c.atttypid, -1), COALESCE(array_position(i.indkey, c.attnum), -1) + 1
			FROM pg_attribute AS c LEFT JOIN pg_index AS i ON i.indrelid = c.attrelid AND i.indisprimary
			WHERE c.attrelid = to_regclass($1) AND c.attnum > 0 AND NOT c.attisdropped ORDER BY c.attname COLLATE "C"`
	}
	rows, err := s.conn.QueryContext(ctx, text, table)
	if err != nil {
		return shape{}, err
	}
	defer rows.Close()
	out := shape{table: table}
	places := map[int]int{}
	for rows.Next() {
		var name, kind string
		var pk int
		if err := rows.Scan(&name, &kind, &pk); err != nil {
			return out, err
		}
		if pk > 0 {
			places[pk] = len(out.columns)
		}
		out.columns = append(out.columns, name)
		out.texts = append(out.texts, strings.EqualFold(kind, "text"))
	}
	for n := 1; n <= len(places); n++ {
		out.key = append(out.key, places[n])
	}
	if len(out.columns) > 0 && len(out.key) == 0 {
		return out, fmt.Errorf("db: table %s has no primary key", table)
	}
	return out, rows.Err()
}

// stream reads a table in the order of its key's bytes.
func (s *side) stream(ctx context.Context, t shape) (*stream, error) {
	var order []string
	for _, k := range t.key {
		o := t.columns[k]
		if s.postgres && !s.bytewise && t.texts[k] {
			o += ` COLLATE "C"`
		}
		order = append(order, o)
	}
	rows, err := s.conn.QueryContext(ctx, "SELECT "+strings.Join(t.columns, ", ")+" FROM "+t.table+" ORDER BY "+strings.Join(order, ", "))
	if err != nil {
		return nil, err
	}
	return &stream{rows: rows, t: t}, nil
}

type stream struct {
	rows *sql.Rows
	t    shape
}

// next is the next row, nil at the end.
func (s *stream) next() ([]any, error) {
	if !s.rows.Next() {
		return nil, s.rows.Err()
	}
	row := make([]any, len(s.t.columns))
	to := make([]any, len(row))
	for i := range row {
		to[i] = &row[i]
	}
	if err := s.rows.Scan(to...); err != nil {
		return nil, err
	}
	for i, v := range row {
		if b, ok := v.([]byte); ok && b == nil {
			row[i] = []byte{} // empty, which a nil slice written back would not be
		}
	}
	return row, nil
}

// value is a stored value as bytes, with what tells its kind, the same for both
// engines.
func value(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return []byte{'n'}, nil
	case int64:
		return binary.BigEndian.AppendUint64([]byte{'i'}, uint64(v)+1<<63), nil
	case string:
		return append([]byte{'s'}, v...), nil
	case []byte:
		return append([]byte{'b'}, v...), nil
	}
	return nil, fmt.Errorf("db: a value of type %T", v)
}

// order compares two rows by their keys.
func (t shape) order(a, b []any) (int, error) {
	for _, k := range t.key {
		x, err := value(a[k])
		if err != nil {
			return 0, err
		}
		y, err := value(b[k])
		if err != nil {
			return 0, err
		}
		if c := bytes.Compare(x, y); c != 0 {
			return c, nil
		}
	}
	return 0, nil
}

func digest(h hash.Hash, row []any) error {
	for _, v := range row {
		b, err := value(v)
		if err != nil {
			return err
		}
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
		h.Write(b)
	}
	return nil
}

func equal(a, b []any) (bool, error) {
	for i := range a {
		x, err := value(a[i])
		if err != nil {
			return false, err
		}
		y, err := value(b[i])
		if err != nil || !bytes.Equal(x, y) {
			return false, err
		}
	}
	return true, nil
}

type compared struct {
	rows, written, removed int64
	sum                    string
	equal                  bool // both were read to their ends, row by row the same
}

// compare walks both tables side by side. Of the two walks the first removes
// from the target what is not in the source as it is, up to the target's end;
// the second adds what is missing, and is not needed where nothing differed.
func compare(ctx context.Context, src, dst *side, t shape, tell func(int64), remove bool) (out compared, err error) {
	a, err := src.stream(ctx, t)
	if err != nil {
		return out, err
	}
	defer a.rows.Close()
	b, err := dst.stream(ctx, t)
	if err != nil {
		return out, err
	}
	defer b.rows.Close()
	h := sha256.New()
	var batch [][]any
	flush := func(least int) error {
		if len(batch) < least {
			return nil
		}
		err := dst.write(ctx, t, batch, remove)
		batch = batch[:0]
		return err
	}
	x, err := a.next()
	if err != nil {
		return out, err
	}
	y, err := b.next()
	if err != nil {
		return out, err
	}
	out.equal = true
	for y != nil || x != nil && !remove {
		c := cmp.Compare(b2i(x == nil), b2i(y == nil))
		if c == 0 {
			if c, err = t.order(x, y); err != nil {
				return out, err
			}
		}
		same := c == 0
		if same {
			if same, err = equal(x, y); err != nil {
				return out, err
			}
		}
		out.equal = out.equal && same
		switch {
		case remove && (c > 0 || c == 0 && !same):
			batch, out.removed = append(batch, y), out.removed+1
		case !remove && c < 0:
			batch, out.written = append(batch, x), out.written+1
		case !remove && !same:
			return out, fmt.Errorf("db: table %s of the target changes meanwhile: it must not be in use", t.table)
		}
		if err := flush(syncBatch); err != nil {
			return out, err
		}
		if c <= 0 {
			if out.rows++; out.rows%2000 == 0 {
				tell(out.rows)
			}
			if err := digest(h, x); err != nil {
				return out, err
			}
			if x, err = a.next(); err != nil {
				return out, err
			}
		}
		if c >= 0 {
			if y, err = b.next(); err != nil {
				return out, err
			}
		}
	}
	out.equal = out.equal && x == nil
	tell(out.rows)
	out.sum = hex.EncodeToString(h.Sum(nil))
	return out, flush(1)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// write adds or removes rows in one transaction.
func (s *side) write(ctx context.Context, t shape, rows [][]any, remove bool) error {
	if s.postgres && !remove {
		return s.copy(ctx, t, rows)
	}
	tx, err := s.d.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if remove {
		err = s.delete(ctx, tx, t, rows)
	} else {
		err = s.insert(ctx, tx, t, rows)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("db: table %s: %w", t.table, err), tx.Rollback())
	}
	return tx.Commit()
}

// copy adds rows by COPY, which is whole or not at all.
func (s *side) copy(ctx context.Context, t shape, rows [][]any) error {
	c, err := s.d.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	err = c.Raw(func(driver any) error {
		_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{t.table}, t.columns, pgx.CopyFromRows(rows))
		return err
	})
	if err != nil {
		return fmt.Errorf("db: table %s: %w", t.table, err)
	}
	return nil
}

// mostParams is how many parameters both engines take in one statement.
const mostParams = 30000

func (s *side) insert(ctx context.Context, tx *sql.Tx, t shape, rows [][]any) error {
	most := max(1, min(500, mostParams/len(t.columns)))
	for part := range slices.Chunk(rows, most) {
		var b strings.Builder
		fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES ", t.table, strings.Join(t.columns, ", "))
		var args []any
		for i, row := range part {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString("(?" + strings.Repeat(", ?", len(row)-1) + ")")
			args = append(args, row...)
		}
		if _, err := tx.ExecContext(ctx, s.text(b.String()), args...); err != nil {
			return err
		}
	}
	return nil
}

func (s *side) delete(ctx context.Context, tx *sql.Tx, t shape, rows [][]any) error {
	var cond []string
	for _, k := range t.key {
		cond = append(cond, t.columns[k]+" = ?")
	}
	stmt, err := tx.PrepareContext(ctx, s.text("DELETE FROM "+t.table+" WHERE "+strings.Join(cond, " AND ")))
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, row := range rows {
		var args []any
		for _, k := range t.key {
			args = append(args, row[k])
		}
		if _, err := stmt.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

func (s *side) text(text string) string {
	if s.postgres {
		return dollars(text)
	}
	return text
}
