package search_test

import (
	"fmt"
	"testing"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/search"
)

// TestMergedAsItGrows writes 600 commits of one to 40 documents: the segments of
// SQLite's index stay few though none of its own merging is on, so that searches
// stay quick, and every document is found.
func TestMergedAsItGrows(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if d.Dialect() == db.Postgres {
			return // its index has no segments
		}
		n, most := 0, 0
		for c := range 600 {
			if err := d.Update(t.Context(), func(tx *db.Tx) error {
				at := n
				for range 1 + c*7%40 {
					at++
					search.Put(tx, true, search.Doc{Domain: "d1", Kind: "ticket", ID: fmt.Sprint("t", at), Parent: fmt.Sprint("t", at),
						Text: fmt.Sprintf("server%d refuses word%d 无法登录%d every%d", at%997, at%13, at%31, at%5)})
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			n += 1 + c*7%40
			var segments int
			if err := d.View(t.Context(), func(tx *db.Tx) error {
				return tx.Get("SELECT count(DISTINCT segid) FROM search_index_idx").Scan(&segments)
			}); err != nil {
				t.Fatal(err)
			}
			most = max(most, segments)
		}
		if most > 40 {
			t.Errorf("%d segments at most: steps do not keep up", most)
		}
		if got := len(hits(t, d, "d1", []string{"word3", "登录"})); got != n/13 && got != n/13+1 {
			t.Errorf("%d of %d documents found", got, n/13)
		}
	})
}
