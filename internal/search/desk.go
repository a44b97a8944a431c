package search

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"casemate/internal/db"
	"casemate/internal/seal"
)

// The desk finds over all domains by terms of its own, in the same index. They
// carry no domain's mark; where a hit may be shown is the caller's condition.
// In the order of the text stand words and, of a run of Han, each two that
// follow each other and at last its last character alone: that ends the run,
// and one character is found as the beginning of a term.
const (
	deskMark   = "k" // no domain's mark begins so
	secretMark = "h"
)

func deskTerms(runs []run) (terms []string) {
	for _, r := range runs {
		if !r.han {
			terms = append(terms, deskMark+encode(r.text))
			continue
		}
		for i := range len(r.text) - 1 {
			terms = append(terms, deskMark+encode(r.text[i:i+2]))
		}
		terms = append(terms, deskMark+encode(r.text[len(r.text)-1:]))
	}
	return terms
}

// Hasher makes the terms of what is kept sealed: log-in names, contacts, names
// of files. Without its key, which is not in the database, they tell nothing.
type Hasher struct{ key []byte }

// NewHasher derives the key from the keyring: the same at every start.
func NewHasher(k *seal.Keyring) *Hasher { return &Hasher{k.Derive("search terms")} }

// Ways in which a hashed term is found.
const (
	hashWhole   = "w" // a word, two Han, or the last Han of a run: in its place
	hashBegin   = "p" // the beginning of a word
	hashSingle  = "s" // a Han character
	hashPair    = "2" // what stands in front, and the beginning behind it
	hashContact = "c" // a normalised contact
)

func (h *Hasher) term(how string, parts ...string) string {
	m := hmac.New(sha256.New, h.key)
	m.Write([]byte(how + strings.Join(parts, "\x00")))
	return secretMark + hex.EncodeToString(m.Sum(nil)[:8])
}

// Contact is the term of a contact in its one spelling (E.164, normalised mail).
func (h *Hasher) Contact(normal string) string { return h.term(hashContact, normal) }

// maxSecret bounds the terms of one text.
const maxSecret = 3000

// Terms are those of a text that is kept sealed: found by words and their
// beginnings, Han from one character up, and phrases, as texts in clear are.
func (h *Hasher) Terms(text string) []string {
	var terms, more []string
	seen := map[string]bool{}
	add := func(t string) {
		if !seen[t] {
			seen[t] = true
			more = append(more, t)
		}
	}
	before := "" // the term in front, in clear
	put := func(clear string) {
		terms = append(terms, h.term(hashWhole, clear))
		before = clear
	}
	for _, r := range split(text) {
		if len(terms)+len(more) > maxSecret {
			break
		}
		if !r.han {
			for i := range r.text {
				start := encode(r.text[:i+1])
				add(h.term(hashBegin, start))
				if before != "" {
					add(h.term(hashPair, before, start))
				}
			}
			put(encode(r.text))
			continue
		}
		if before != "" {
			add(h.term(hashPair, before, encode(r.text[:1])))
		}
		for i := range r.text {
			add(h.term(hashSingle, encode(r.text[i:i+1])))
			if i+1 < len(r.text) {
				put(encode(r.text[i : i+2]))
			}
		}
		put(encode(r.text[len(r.text)-1:]))
	}
	return append(terms, more...)
}

// node is a condition on the terms of one document, for both engines.
type node struct {
	op     byte // '&', '|', or 0: the tokens follow each other
	kids   []node
	tokens []string
	star   bool // the last token is a beginning
}

func phrase(star bool, tokens ...string) node { return node{tokens: tokens, star: star} }

func all(kids ...node) node  { return join('&', kids) }
func some(kids ...node) node { return join('|', kids) }

func join(op byte, kids []node) node {
	if len(kids) == 1 {
		return kids[0]
	}
	return node{op: op, kids: kids}
}

func (n node) fts() string {
	if n.op == 0 {
		s := `"` + strings.Join(n.tokens, " ") + `"`
		if n.star {
			s += " *"
		}
		return s
	}
	word := " AND "
	if n.op == '|' {
		word = " OR "
	}
	var parts []string
	for _, k := range n.kids {
		parts = append(parts, k.fts())
	}
	return "(" + strings.Join(parts, word) + ")"
}

func (n node) tsquery() string {
	var b strings.Builder
	b.WriteByte('(')
	if n.op == 0 {
		for i, t := range n.tokens {
			if i > 0 {
				b.WriteString(" <-> ")
			}
			writeLexeme(&b, t)
		}
		if n.star {
			b.WriteString(":*")
		}
	} else {
		for i, k := range n.kids {
			if i > 0 {
				b.WriteString(" " + string(n.op) + " ")
			}
			b.WriteString(k.tsquery())
		}
	}
	b.WriteByte(')')
	return b.String()
}

// clear is the condition of a term on texts in clear.
func (t Term) clear() node {
	last := t.runs[len(t.runs)-1]
	tokens := deskTerms(t.runs[:len(t.runs)-1])
	switch {
	case !last.han:
		return phrase(t.Prefix, append(tokens, deskMark+encode(last.text))...)
	case len(last.text) == 1:
		return phrase(true, append(tokens, deskMark+encode(last.text))...)
	}
	more := deskTerms([]run{last})
	return phrase(false, append(tokens, more[:len(more)-1]...)...)
}

// secret is the condition of a term on what is kept sealed.
func (t Term) secret(h *Hasher) node {
	last := t.runs[len(t.runs)-1]
	var tokens []string
	before := ""
	for _, c := range deskTerms(t.runs[:len(t.runs)-1]) {
		before = strings.TrimPrefix(c, deskMark)
		tokens = append(tokens, h.term(hashWhole, before))
	}
	word := encode(last.text)
	switch {
	case last.han && len(last.text) > 1:
		for i := range len(last.text) - 1 {
			tokens = append(tokens, h.term(hashWhole, encode(last.text[i:i+2])))
		}
		return phrase(false, tokens...)
	case !last.han && !t.Prefix:
		return phrase(false, append(tokens, h.term(hashWhole, word))...)
	case len(tokens) > 0:
		return all(phrase(false, tokens...), phrase(false, h.term(hashPair, before, word)))
	case last.han:
		return phrase(false, h.term(hashSingle, word))
	}
	return phrase(false, h.term(hashBegin, word))
}

// Docs is a SELECT of the domain_id, kind, doc and parent of the documents in
// which one of the texts occurs, over all domains: a common table expression
// for conditions on it. kinds are constants of this package. most > 0 leaves
// the newest so many.
func Docs(d db.Dialect, h *Hasher, kinds []string, most int, texts ...Atom) (sql string, args []any) {
	var alternatives []node
	for _, a := range texts {
		var parts []node
		for _, t := range a.Terms {
			parts = append(parts, some(t.clear(), t.secret(h)))
		}
		n := all(parts...)
		for _, c := range a.Contacts {
			n = some(n, phrase(false, h.Contact(c)))
		}
		alternatives = append(alternatives, n)
	}
	n := some(alternatives...)
	in := "('" + strings.Join(kinds, "', '") + "')"
	if d == db.Postgres {
		sql, args = "SELECT s.domain_id, s.kind, s.doc, s.parent FROM search_docs AS s /* all domains: the desk's search */ WHERE s.terms @@ CAST(? AS tsquery) AND s.kind IN "+in, []any{n.tsquery()}
		if most > 0 {
			sql, args = sql+" ORDER BY s.doc DESC LIMIT ?", append(args, most)
		}
		return sql, args
	}
	sql, args = "SELECT s.domain_id, s.kind, s.doc, s.parent FROM search_index JOIN search_docs AS s /* all domains: the desk's search */ ON s.n = search_index.rowid WHERE search_index MATCH ? AND s.kind IN "+in, []any{n.fts()}
	if most > 0 {
		sql, args = sql+" ORDER BY search_index.rowid DESC LIMIT ?", append(args, most)
	}
	return sql, args
}
