package search

import (
	"context"

	"casemate/internal/db"
)

// Holding are the parents of documents of a kind that hold one of the terms of a
// Hasher, over all domains, at most limit.
func Holding(tx *db.Tx, kind string, terms []string, limit int) (parents []Key, err error) {
	if len(terms) == 0 {
		return nil, nil
	}
	var each []node
	for _, t := range terms {
		each = append(each, phrase(false, t))
	}
	n := some(each...)
	text, args := `SELECT s.domain_id, s.parent FROM search_index JOIN search_docs AS s /* all domains: whoever named a contact */ ON s.n = search_index.rowid
		WHERE search_index MATCH ? AND s.kind = ? LIMIT ?`, []any{n.fts(), kind, limit}
	if tx.DB().Dialect() == db.Postgres {
		text, args = `SELECT s.domain_id, s.parent FROM search_docs AS s /* all domains: whoever named a contact */ WHERE s.terms @@ CAST(? AS tsquery) AND s.kind = ? LIMIT ?`,
			[]any{n.tsquery(), kind, limit}
	}
	return parents, tx.List(func(r db.Row) error {
		var k Key
		err := r.Scan(&k.Domain, &k.ID)
		parents = append(parents, k)
		return err
	}, text, args...)
}

// Each batch that adds documents merges segments by so many pages. FTS5's own
// merging is off (migration 00044): it does nothing for many commits and then
// 64 pages for each level in one, which everybody waits for.
const mergePages = 24

func mergeStep(tx *db.Tx) error {
	tx.Write(db.Any, "INSERT INTO search_index(search_index, rank) VALUES('merge', ?)", mergePages)
	return nil
}

// A step of Purge writes so many pages at most; there are at most so many steps.
const (
	purgePages = 64
	purgeSteps = 100_000
)

// Purge makes terms of documents that were removed leave the index's own files:
// FTS5 marks them only, until segments are merged. It works in small steps and
// lets others write between them. On PostgreSQL it is for VACUUM to do.
func Purge(ctx context.Context, d *db.DB) error {
	if d.Dialect() == db.Postgres {
		return nil
	}
	pages := -purgePages // negative: all segments are to be merged into one
	for range purgeSteps {
		var before, after int64
		err := d.Update(ctx, func(tx *db.Tx) error {
			if err := tx.Get("SELECT total_changes()").Scan(&before); err != nil {
				return err
			}
			tx.Write(db.Any, "INSERT INTO search_index(search_index, rank) VALUES('merge', ?)", pages)
			return tx.Get("SELECT total_changes()").Scan(&after)
		})
		if err != nil {
			return err
		}
		if after-before < 2 { // FTS5's own sign that there is nothing left to merge
			return nil
		}
		pages = purgePages
	}
	return nil
}
