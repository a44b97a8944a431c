package search_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/search"
)

var texts = []string{
	"云服务器无法登录，提示密码错误", "Cannot log in to the server", "续费后云服务仍然停止", "ＥＣＳ instance will not start",
	"connection reset by peer 在华北", "数据库连接数已满 RDS", "服务", "器", "e-mail to a.b@example.com", "ticket TS260101ABCDEFGHJKMNP about 登录",
}

// want is a plain scan: a Latin word must begin a word, Han must be contiguous.
func want(words []string) (ids []string) {
	for i, t := range texts {
		t = strings.ToLower(strings.NewReplacer("Ｅ", "E", "Ｃ", "C", "Ｓ", "S").Replace(t))
		all := true
		for _, w := range words {
			w = strings.ToLower(w)
			if w[0] < 128 {
				found := false
				for _, have := range strings.FieldsFunc(t, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9') }) {
					found = found || strings.HasPrefix(have, w)
				}
				all = all && found
			} else {
				all = all && strings.Contains(t, w)
			}
		}
		if all {
			ids = append(ids, fmt.Sprint("t", i))
		}
	}
	return ids
}

func hits(t *testing.T, d *db.DB, domain string, words []string) (ids []string) {
	t.Helper()
	err := d.View(t.Context(), func(tx *db.Tx) error {
		cond, args, ok := search.Where(d.Dialect(), domain, "ticket", words)
		if !ok {
			return fmt.Errorf("nothing to look for in %q", words)
		}
		return tx.List(func(r db.Row) error {
			var id string
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		}, "SELECT DISTINCT parent FROM search_docs WHERE domain_id = ? AND parent "+cond+" ORDER BY parent", append([]any{domain}, args...)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestSearch(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		put := func(domain string, isNew bool, i int, text string) {
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				search.Put(tx, isNew, search.Doc{Domain: domain, Kind: "ticket", ID: fmt.Sprint("t", i), Parent: fmt.Sprint("t", i), Text: text})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for i, text := range texts {
			put("a", true, i, text)
			put("b", true, i, "somebody else's "+text)
		}
		for _, words := range [][]string{{"登"}, {"登录"}, {"云服务"}, {"云服务器"}, {"服"}, {"器"}, {"无法登录"}, {"ecs"}, {"ECS"}, {"log"}, {"LOG", "server"},
			{"conn"}, {"华北"}, {"密码", "登录"}, {"密码", "rds"}, {"example"}, {"ts260101abc"}, {"录登"}, {"zzz"}, {"器无"}} {
			if got := hits(t, d, "a", words); !slices.Equal(got, want(words)) {
				t.Errorf("%q: %v, want %v", words, got, want(words))
			}
		}
		for _, words := range [][]string{{`"`}, {`a" OR "b`}, {"'"}, {"* - NEAR("}} {
			if cond, args, ok := search.Where(d.Dialect(), "a", "ticket", words); ok {
				_, _ = cond, args
				hits(t, d, "a", words) // must not be an error of the query language
			}
		}
		put("a", false, 0, "quite another text")
		if got := hits(t, d, "a", []string{"无法登录"}); len(got) != 0 {
			t.Errorf("the old text is still found: %v", got)
		}
		if err := d.Update(t.Context(), func(tx *db.Tx) error { search.Remove(tx, "a", "t0"); return nil }); err != nil {
			t.Fatal(err)
		}
		if got := hits(t, d, "a", []string{"another"}); len(got) != 0 {
			t.Errorf("a removed text is still found: %v", got)
		}
		if got := hits(t, d, "c", []string{"登录"}); len(got) != 0 {
			t.Errorf("a third domain finds %v", got)
		}
	})
}
