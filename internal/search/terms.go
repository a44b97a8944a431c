// Package search finds texts again: its own tokeniser reads English words and
// Chinese from one character up, and feeds SQLite's FTS5 or PostgreSQL's
// tsvector. Terms carry the domain, so that no query can hit another tenant's.
package search

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// run is a stretch of text of one script: a word of letters and digits, or
// contiguous Han characters.
type run struct {
	han  bool
	text []rune
}

// fold is how texts and queries are compared: full-width forms and
// compatibility characters folded, lower case.
func fold(s string) string { return strings.ToLower(norm.NFKC.String(s)) }

// maxWord bounds a word's letters; longer ones are cut, in texts and queries alike.
const maxWord = 64

// Scripts of characters.
const (
	scriptNone = iota
	scriptWord
	scriptHan
)

func script(r rune) int {
	switch {
	case r < 128:
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' {
			return scriptWord
		}
		return scriptNone
	case ideograph(r):
		return scriptHan
	case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
		return scriptWord
	}
	return scriptNone
}

func split(s string) []run {
	var runs []run
	before := scriptNone
	for _, r := range fold(s) {
		k := script(r)
		if k != scriptNone {
			if k != before {
				runs = append(runs, run{han: k == scriptHan})
			}
			last := &runs[len(runs)-1]
			if last.han || len(last.text) < maxWord {
				last.text = append(last.text, r)
			}
		}
		before = k
	}
	return runs
}

// ideograph tells the characters that are written without blanks between words.
func ideograph(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

// prefix is the short mark of a domain in front of each term.
func prefix(domain string) string {
	h := sha256.Sum256([]byte(domain))
	return "d" + hex.EncodeToString(h[:6]) + "_"
}

// encode writes a word in letters no tokeniser takes apart: other letters than
// ASCII's become their number.
func encode(text []rune) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	var room [64]byte
	b := room[:0]
	for _, r := range text {
		if r < 128 {
			b = append(b, byte(r))
			continue
		}
		b = append(b, '_')
		var d [8]byte
		i := len(d)
		for n := uint32(r); ; n /= 36 {
			i--
			d[i] = digits[n%36]
			if n < 36 {
				break
			}
		}
		b = append(append(b, d[i:]...), '_')
	}
	return string(b)
}

// index is the terms of a document. In the first stream stand words and Han
// bigrams with the domain's mark, in order, and a mark at the end of a run of
// Han, so that phrases do not cross it; in the second each single Han character
// once, then the desk's terms in order (deskTerms), or the secret ones.
func index(d Doc) (terms, more []string) {
	if d.Secret != nil {
		return nil, d.Secret
	}
	runs := split(d.Text)
	if !tenants(d.Kind) {
		return nil, deskTerms(runs)
	}
	p := prefix(d.Domain)
	var desk []string
	seen := map[rune]bool{}
	for _, r := range runs {
		if !r.han {
			w := encode(r.text)
			terms, desk = append(terms, p+w), append(desk, deskMark+w)
			continue
		}
		for i, c := range r.text {
			if !seen[c] {
				seen[c] = true
				more = append(more, p+encode(r.text[i:i+1]))
			}
			if i+1 < len(r.text) {
				w := encode(r.text[i : i+2])
				terms, desk = append(terms, p+w), append(desk, deskMark+w)
			}
		}
		terms, desk = append(terms, p+"_"), append(desk, deskMark+encode(r.text[len(r.text)-1:]))
	}
	return terms, append(more, desk...)
}

// part is one condition of a query; all must hold.
type part struct {
	word   string   // prefix of a word
	single string   // one Han character
	phrase []string // Han bigrams that follow each other
}

func query(domain string, words []string) []part {
	p := prefix(domain)
	var parts []part
	for _, w := range words {
		for _, r := range split(w) {
			switch {
			case !r.han:
				parts = append(parts, part{word: p + encode(r.text)})
			case len(r.text) == 1:
				parts = append(parts, part{single: p + encode(r.text)})
			default:
				var phrase []string
				for i := range len(r.text) - 1 {
					phrase = append(phrase, p+encode(r.text[i:i+2]))
				}
				parts = append(parts, part{phrase: phrase})
			}
		}
	}
	return parts
}
