package search

import (
	"strings"

	"casemate/internal/db"
)

// Doc is a text to find.
type Doc struct {
	Domain string
	Kind   string // one of the kinds below
	ID     string // unique in its domain
	Parent string // the ticket's id: what a hit leads to; "" = nowhere yet
	Text   string // indexed as it is
	// Secret are a Hasher's terms of what is kept sealed: the index has no word
	// of it in clear.
	Secret []string

	made *made
}

// made is a document as it is written.
type made struct{ terms, more, vector string }

// Ready takes the text apart beforehand, outside the transaction that puts it
// into the index of the engine: the writer has less to do.
func (d Doc) Ready(engine db.Dialect) Doc {
	m := d.as(engine)
	d.made = &m
	return d
}

func (d Doc) as(engine db.Dialect) made {
	switch {
	case d.made != nil:
		return *d.made
	case engine == db.Postgres:
		return made{vector: vector(d)}
	}
	terms, more := index(d)
	return made{terms: strings.Join(terms, " "), more: strings.Join(more, " ")}
}

// Kinds of documents. Customers' searches look into tickets and messages only.
const (
	KindTicket    = "ticket"    // description
	KindMessage   = "message"   // what was said
	KindNote      = "note"      // the house's, never shown to customers
	KindJudgement = "judgement" // the customer's comment on the service
	KindFile      = "file"      // name of a file of a message
	KindNoteFile  = "notefile"  // name of a file of a note
	KindContact   = "contact"   // where a ticket's notices go
	KindUser      = "user"      // a customer's person: log-in name and contacts
	KindDomain    = "domain"    // a customer's name

	// Articles of the house, in each language by itself.
	KindArticle     = "article"     // the newest version: title, tags, summary
	KindArticleText = "articletext" // all of it
	KindAnswer      = "answer"      // the same of the published version
	KindAnswerText  = "answertext"
)

// tenants tells the kinds that have terms with the domain's mark as well.
func tenants(kind string) bool { return kind == KindTicket || kind == KindMessage || kind == KindNote }

// Put indexes the documents at the end of the transaction. New tells that none
// of them was indexed before.
func Put(tx *db.Tx, isNew bool, docs ...Doc) {
	if len(docs) == 0 {
		return
	}
	if tx.DB().Dialect() == db.Postgres {
		putPostgres(tx, docs)
		return
	}
	tx.Late(func(tx *db.Tx) error { putSQLite(tx, isNew, docs); return nil })
	tx.Last("search.merge", mergeStep)
}

// late queues writes behind the documents that were put before in the batch.
func late(tx *db.Tx, write func(tx *db.Tx)) {
	if tx.DB().Dialect() == db.Postgres {
		write(tx)
		return
	}
	tx.Late(func(tx *db.Tx) error { write(tx); return nil })
}

// Remove takes documents of a domain out of the index; those that are not
// there do no harm.
func Remove(tx *db.Tx, domain string, ids ...string) {
	if len(ids) > 0 {
		late(tx, func(tx *db.Tx) { remove(tx, domain, ids) })
	}
}

// Move gives a document another ticket of its domain as parent, when a message
// or file goes there: hits lead to the new one from the commit on.
func Move(tx *db.Tx, domain, doc, parent string) {
	late(tx, func(tx *db.Tx) {
		tx.Write(db.Any, "UPDATE search_docs SET parent = ? WHERE domain_id = ? AND doc = ?", parent, domain, doc)
	})
}

// Place says where documents are found from now on, and as what: files when a
// message claims them.
func Place(tx *db.Tx, domain, kind, parent string, docs ...string) {
	if len(docs) == 0 {
		return
	}
	in, args := list(docs)
	late(tx, func(tx *db.Tx) {
		tx.Write(db.Any, "UPDATE search_docs SET kind = ?, parent = ? WHERE domain_id = ? AND doc IN ("+in+")", append([]any{kind, parent, domain}, args...)...)
	})
}

func list(all []string) (in string, args []any) {
	for _, v := range all {
		args = append(args, v)
	}
	return "?" + strings.Repeat(", ?", len(all)-1), args
}

// Clear empties the index, of all domains, before it is built anew.
func Clear(tx *db.Tx) {
	if tx.DB().Dialect() == db.SQLite {
		tx.Write(db.Any, "INSERT INTO search_index(search_index) VALUES('delete-all')")
	}
	tx.Write(db.Any, "DELETE FROM search_docs /* all domains: built anew */")
}

// Forget takes all documents of a domain out of the index but its name and its
// people, who stay when a sandbox is reset.
func Forget(tx *db.Tx, domain string) error {
	late(tx, func(tx *db.Tx) {
		if tx.DB().Dialect() == db.SQLite {
			tx.Write(db.Any, "DELETE FROM search_index WHERE rowid IN (SELECT n FROM search_docs WHERE domain_id = ? AND kind NOT IN ('user', 'domain'))", domain)
		}
		tx.Write(db.Any, "DELETE FROM search_docs WHERE domain_id = ? AND kind NOT IN ('user', 'domain')", domain)
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

func putSQLite(tx *db.Tx, isNew bool, docs []Doc) {
	for _, d := range docs {
		if !isNew {
			remove(tx, d.Domain, []string{d.ID})
		}
		m := d.as(db.SQLite)
		tx.Write(1, "INSERT INTO search_docs (domain_id, doc, parent, kind, desk) VALUES (?, ?, ?, ?, 1)", d.Domain, d.ID, d.Parent, d.Kind)
		// Terms of the desk have no domain's mark, so they need no column of their own.
		tx.Write(1, "INSERT INTO search_index (rowid, terms, singles) VALUES (last_insert_rowid(), ?, ?)", m.terms, m.more)
	}
}

func remove(tx *db.Tx, domain string, ids []string) {
	in, args := list(ids)
	args = append([]any{domain}, args...)
	if tx.DB().Dialect() == db.SQLite {
		tx.Write(db.Any, "DELETE FROM search_index WHERE rowid IN (SELECT n FROM search_docs WHERE domain_id = ? AND doc IN ("+in+"))", args...)
	}
	tx.Write(db.Any, "DELETE FROM search_docs WHERE domain_id = ? AND doc IN ("+in+")", args...)
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
		tx.Write(1, `INSERT INTO search_docs (domain_id, doc, parent, kind, terms, desk) VALUES (?, ?, ?, ?, CAST(? AS tsvector), 1)
			ON CONFLICT (domain_id, doc) DO UPDATE SET parent = excluded.parent, kind = excluded.kind, terms = excluded.terms, desk = 1`,
			d.Domain, d.ID, d.Parent, d.Kind, d.as(db.Postgres).vector)
	}
}

// vector is a document's terms as PostgreSQL takes them: each stream counts its
// places from 1, the tenants' singles have none.
func vector(d Doc) string {
	terms, more := index(d)
	var b strings.Builder
	place := 0
	put := func(t string) {
		place++
		writeLexeme(&b, t)
		if place <= maxPosition {
			b.WriteByte(':')
			writeInt(&b, place)
		}
		b.WriteByte(' ')
	}
	for _, t := range terms {
		put(t)
	}
	place = 0
	for _, t := range more {
		if t[0] == 'd' {
			writeLexeme(&b, "s"+t)
			b.WriteByte(' ')
			continue
		}
		put(t)
	}
	return b.String()
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
