package search

import (
	"errors"
	"strings"

	"casemate/internal/db"
)

// Doc is a text to find.
type Doc struct {
	Domain string
	Kind   string // ticket, message
	ID     string // unique in its domain
	Parent string // the ticket's id: what a hit leads to
	Text   string
}

// Put indexes the documents at the end of the transaction. New tells that none
// of them was indexed before.
func Put(tx *db.Tx, isNew bool, docs ...Doc) {
	if tx.DB().Dialect() == db.Postgres {
		putPostgres(tx, docs)
		return
	}
	tx.Late(func(tx *db.Tx) error { return putSQLite(tx, isNew, docs) })
}

// Remove takes a document out of the index.
func Remove(tx *db.Tx, domain, id string) {
	if tx.DB().Dialect() == db.Postgres {
		tx.Write(db.Any, "DELETE FROM search_docs WHERE domain_id = ? AND doc = ?", domain, id)
		return
	}
	tx.Late(func(tx *db.Tx) error { return removeSQLite(tx, domain, id) })
}

// Forget takes all documents of a domain out of the index.
func Forget(tx *db.Tx, domain string) error {
	if tx.DB().Dialect() == db.Postgres {
		tx.Write(db.Any, "DELETE FROM search_docs WHERE domain_id = ?", domain)
		return nil
	}
	tx.Late(func(tx *db.Tx) error {
		tx.Write(db.Any, "DELETE FROM search_index WHERE rowid IN (SELECT n FROM search_docs WHERE domain_id = ?)", domain)
		tx.Write(db.Any, "DELETE FROM search_docs WHERE domain_id = ?", domain)
		return nil
	})
	return nil
}

// Where is a condition on a column that holds the parent's id: each of the
// words occurs in one document of the kind. A Latin word matches the beginning
// of a word, Han characters match as they follow each other, from one up; case
// and width do not matter. ok is false when the words hold nothing to look for.
func Where(d db.Dialect, domain, kind string, words []string) (cond string, args []any, ok bool) {
	parts := query(domain, words)
	if len(parts) == 0 {
		return "", nil, false
	}
	if d == db.Postgres {
		return `IN (SELECT parent FROM search_docs WHERE domain_id = ? AND kind = ? AND terms @@ CAST(? AS tsquery))`,
			[]any{domain, kind, tsquery(parts)}, true
	}
	return `IN (SELECT s.parent FROM search_index JOIN search_docs s ON s.n = search_index.rowid WHERE s.domain_id = ? AND s.kind = ? AND search_index MATCH ?)`,
		[]any{domain, kind, ftsQuery(parts)}, true
}

func putSQLite(tx *db.Tx, isNew bool, docs []Doc) error {
	for _, d := range docs {
		if !isNew {
			if err := removeSQLite(tx, d.Domain, d.ID); err != nil {
				return err
			}
		}
		terms, singles := index(d.Domain, d.Text)
		tx.Write(1, "INSERT INTO search_docs (domain_id, doc, parent, kind) VALUES (?, ?, ?, ?)", d.Domain, d.ID, d.Parent, d.Kind)
		tx.Write(1, "INSERT INTO search_index (rowid, terms, singles) VALUES (last_insert_rowid(), ?, ?)", strings.Join(terms, " "), strings.Join(singles, " "))
	}
	return nil
}

func removeSQLite(tx *db.Tx, domain, id string) error {
	var n int64
	err := tx.Get("SELECT n FROM search_docs WHERE domain_id = ? AND doc = ?", domain, id).Scan(&n)
	if errors.Is(err, db.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	tx.Write(1, "DELETE FROM search_index WHERE rowid = ?", n)
	tx.Write(1, "DELETE FROM search_docs WHERE domain_id = ? AND n = ?", domain, n)
	return nil
}

// ftsQuery writes FTS5's query language. Terms hold letters, digits and _ only,
// so nothing of the caller's can be an operator.
func ftsQuery(parts []part) string {
	var out []string
	for _, p := range parts {
		switch {
		case p.word != "":
			out = append(out, `(terms : "`+p.word+`"*)`)
		case p.single != "":
			out = append(out, `(singles : "`+p.single+`")`)
		default:
			out = append(out, `(terms : "`+strings.Join(p.phrase, " ")+`")`)
		}
	}
	return strings.Join(out, " AND ")
}

// maxPosition is the largest position a tsvector keeps.
const maxPosition = 16383

func putPostgres(tx *db.Tx, docs []Doc) {
	for _, d := range docs {
		terms, singles := index(d.Domain, d.Text)
		var b strings.Builder
		for i, t := range terms {
			writeLexeme(&b, t)
			if i < maxPosition {
				b.WriteByte(':')
				writeInt(&b, i+1)
			}
			b.WriteByte(' ')
		}
		seen := map[string]bool{}
		for _, s := range singles {
			if !seen[s] {
				seen[s] = true
				writeLexeme(&b, "s"+s)
				b.WriteByte(' ')
			}
		}
		tx.Write(1, `INSERT INTO search_docs (domain_id, doc, parent, kind, terms) VALUES (?, ?, ?, ?, CAST(? AS tsvector))
			ON CONFLICT (domain_id, doc) DO UPDATE SET parent = excluded.parent, kind = excluded.kind, terms = excluded.terms`,
			d.Domain, d.ID, d.Parent, d.Kind, b.String())
	}
}

var quote = strings.NewReplacer("'", "''", `\`, `\\`)

func writeLexeme(b *strings.Builder, t string) {
	b.WriteByte('\'')
	b.WriteString(quote.Replace(t))
	b.WriteByte('\'')
}

func writeInt(b *strings.Builder, n int) {
	if n >= 10 {
		writeInt(b, n/10)
	}
	b.WriteByte(byte('0' + n%10))
}

func tsquery(parts []part) string {
	var out []string
	for _, p := range parts {
		var b strings.Builder
		switch {
		case p.word != "":
			writeLexeme(&b, p.word)
			b.WriteString(":*")
		case p.single != "":
			writeLexeme(&b, "s"+p.single)
		default:
			b.WriteByte('(')
			for i, t := range p.phrase {
				if i > 0 {
					b.WriteString(" <-> ")
				}
				writeLexeme(&b, t)
			}
			b.WriteByte(')')
		}
		out = append(out, b.String())
	}
	return strings.Join(out, " & ")
}
