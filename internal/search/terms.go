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

func split(s string) []run {
	var runs []run
	kind := 0 // 0 none, 1 word, 2 Han
	for _, r := range fold(s) {
		k := 0
		switch {
		case ideograph(r):
			k = 2
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			k = 1
		}
		if k != 0 {
			if k != kind {
				runs = append(runs, run{han: k == 2})
			}
			last := &runs[len(runs)-1]
			if last.han || len(last.text) < maxWord {
				last.text = append(last.text, r)
			}
		}
		kind = k
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
	var b strings.Builder
	for _, r := range text {
		if r < 128 {
			b.WriteRune(r)
			continue
		}
		b.WriteByte('_')
		const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
		var d [8]byte
		i := len(d)
		for n := uint32(r); ; n /= 36 {
			i--
			d[i] = digits[n%36]
			if n < 36 {
				break
			}
		}
		b.Write(d[i:])
		b.WriteByte('_')
	}
	return b.String()
}

// index is the terms of a text in order: words and Han bigrams in the first
// stream (a lone Han character stands there too, so that phrases keep their
// places), single Han characters in the second.
func index(domain, text string) (terms, singles []string) {
	p := prefix(domain)
	for _, r := range split(text) {
		if !r.han {
			terms = append(terms, p+encode(r.text))
			continue
		}
		for i, c := range r.text {
			singles = append(singles, p+encode([]rune{c}))
			if i+1 < len(r.text) {
				terms = append(terms, p+encode(r.text[i:i+2]))
			}
		}
		terms = append(terms, p+"_") // the end of a run: phrases do not cross it
	}
	return terms, singles
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
