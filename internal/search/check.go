package search

import (
	"context"
	"hash/fnv"
	"strconv"
	"strings"

	"casemate/internal/db"
)

// Key names a document.
type Key struct{ Domain, ID string }

// Check proves the index against the documents it should hold. Use: NewCheck,
// Hold for all documents, End.
type Check struct {
	d    *db.DB
	seen map[Key]bool
	// SQLite: what the index holds of each row, as a sum of its terms' hashes.
	sums map[int64]uint64
}

// NewCheck reads what the index holds. It takes some bytes of memory for each
// document, and on SQLite looks at every term.
func NewCheck(ctx context.Context, d *db.DB) (*Check, error) {
	c := &Check{d: d, seen: map[Key]bool{}, sums: map[int64]uint64{}}
	if d.Dialect() == db.Postgres {
		return c, nil
	}
	return c, d.View(ctx, func(tx *db.Tx) error {
		clear(c.sums)
		return tx.List(func(r db.Row) error {
			var term, column string
			var doc, offset int64
			err := r.Scan(&term, &doc, &column, &offset)
			c.sums[doc] += termSum(column, offset, term)
			return err
		}, "SELECT term, doc, col, offset FROM search_index_terms")
	})
}

func termSum(column string, offset int64, term string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(column + "\x00" + strconv.FormatInt(offset, 10) + "\x00" + term))
	return h.Sum64()
}

func sumOf(d Doc) (sum uint64) {
	terms, more := index(d)
	for i, t := range terms {
		sum += termSum("terms", int64(i), t)
	}
	for i, t := range more {
		sum += termSum("singles", int64(i), t)
	}
	return sum
}

// Hold holds documents that should be in the index against it and answers those
// that are not, or are others there.
func (c *Check) Hold(ctx context.Context, docs []Doc) (wrong []Doc, err error) {
	byKey := map[Key]Doc{}
	var args []any
	for _, d := range docs {
		k := Key{d.Domain, d.ID}
		byKey[k], c.seen[k] = d, true
		args = append(args, d.Domain, d.ID)
	}
	if len(docs) == 0 {
		return nil, nil
	}
	good := map[Key]bool{}
	err = c.d.View(ctx, func(tx *db.Tx) error {
		clear(good)
		if c.d.Dialect() == db.Postgres {
			return c.holdPostgres(tx, docs, good)
		}
		return tx.List(func(r db.Row) error {
			var k Key
			var n, desk int64
			var kind, parent string
			err := r.Scan(&k.Domain, &k.ID, &n, &kind, &parent, &desk)
			d := byKey[k]
			good[k] = kind == d.Kind && parent == d.Parent && desk == 1 && c.sums[n] == sumOf(d)
			delete(c.sums, n)
			return err
		}, "WITH wanted(in_domain, id) AS (VALUES (?, ?)"+strings.Repeat(", (?, ?)", len(docs)-1)+
			") SELECT s.domain_id, s.doc, s.n, s.kind, s.parent, s.desk FROM wanted JOIN search_docs AS s ON s.domain_id = in_domain AND s.doc = id", args...)
	})
	for _, d := range docs {
		if !good[Key{d.Domain, d.ID}] {
			wrong = append(wrong, d)
		}
	}
	return wrong, err
}

func (c *Check) holdPostgres(tx *db.Tx, docs []Doc, good map[Key]bool) error {
	var args []any
	for _, d := range docs {
		args = append(args, d.Domain, d.ID, d.Kind, d.Parent, vector(d))
	}
	return tx.List(func(r db.Row) error {
		var k Key
		err := r.Scan(&k.Domain, &k.ID)
		good[k] = true
		return err
	}, "WITH wanted(in_domain, id, as_kind, at_parent, with_terms) AS (VALUES (CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT))"+strings.Repeat(", (?, ?, ?, ?, ?)", len(docs)-1)+
		") SELECT s.domain_id, s.doc FROM wanted JOIN search_docs AS s ON s.domain_id = in_domain AND s.doc = id WHERE s.kind = as_kind AND s.parent = at_parent AND s.desk = 1 AND s.terms = CAST(with_terms AS tsvector)", args...)
}

// End answers documents of the index that nothing gives, and on SQLite how many
// rows of terms belong to no document. fix takes them out.
func (c *Check) End(ctx context.Context, fix bool) (left []Key, loose int, err error) {
	const batch = 500
	at := Key{}
	for {
		var page []Key
		var rows []int64
		err := c.d.View(ctx, func(tx *db.Tx) error {
			page, rows = nil, nil
			column := "0"
			if c.d.Dialect() == db.SQLite {
				column = "n"
			}
			return tx.List(func(r db.Row) error {
				var k Key
				var n int64
				err := r.Scan(&k.Domain, &k.ID, &n)
				page, rows = append(page, k), append(rows, n)
				return err
			}, "SELECT domain_id, doc, "+column+" FROM search_docs /* all domains: proof of the index */ WHERE (domain_id, doc) > (?, ?) ORDER BY domain_id, doc LIMIT ?", at.Domain, at.ID, batch)
		})
		if err != nil {
			return left, 0, err
		}
		for i, k := range page {
			delete(c.sums, rows[i])
			if !c.seen[k] {
				left = append(left, k)
			}
			at = k
		}
		if len(page) < batch {
			break
		}
	}
	loose = len(c.sums)
	if !fix || len(left)+loose == 0 {
		return left, loose, nil
	}
	return left, loose, c.d.Update(ctx, func(tx *db.Tx) error {
		for _, k := range left {
			Remove(tx, k.Domain, k.ID)
		}
		for n := range c.sums {
			tx.Late(func(tx *db.Tx) error { tx.Write(db.Any, "DELETE FROM search_index WHERE rowid = ?", n); return nil })
		}
		return nil
	})
}
