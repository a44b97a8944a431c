package search

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Piece is a stretch of a text, found or not.
type Piece struct {
	Text string
	Hit  bool
}

// piece is a run with the place of each of its characters in the source, in
// bytes.
type piece struct {
	run
	from, to []int
}

// pieces takes a text apart as split does, and remembers where.
func pieces(s string) (all []piece) {
	var it norm.Iter
	it.InitString(norm.NFKC, s)
	before := scriptNone
	for !it.Done() {
		from := it.Pos()
		folded := strings.ToLower(string(it.Next()))
		to := it.Pos()
		for _, r := range folded {
			k := script(r)
			if k != scriptNone {
				if k != before {
					all = append(all, piece{run: run{han: k == scriptHan}})
				}
				last := &all[len(all)-1]
				if last.han || len(last.text) < maxWord {
					last.text, last.from, last.to = append(last.text, r), append(last.from, from), append(last.to, to)
				}
			}
			before = k
		}
	}
	return all
}

// find is where the term occurs, as ranges of bytes.
func (t Term) find(in []piece) (hits [][2]int) {
	n := len(t.runs)
	for i := 0; i+n <= len(in); i++ {
		if n == 1 {
			hits = append(hits, t.findIn(in[i])...)
			continue
		}
		if from, to, ok := t.at(in[i : i+n]); ok {
			hits = append(hits, [2]int{from, to})
		}
	}
	return hits
}

// findIn is where a term of one run occurs in a run.
func (t Term) findIn(p piece) (hits [][2]int) {
	want := t.runs[0]
	n := len(want.text)
	switch {
	case p.han != want.han || len(p.text) < n:
	case want.han:
		for j := 0; j+n <= len(p.text); j++ {
			if slices.Equal(p.text[j:j+n], want.text) {
				hits = append(hits, [2]int{p.from[j], p.to[j+n-1]})
			}
		}
	case slices.Equal(p.text[:n], want.text) && (t.Prefix || len(p.text) == n):
		hits = append(hits, [2]int{p.from[0], p.to[n-1]})
	}
	return hits
}

// at tells whether the runs of a term are those that stand here: the first may
// have more Han in front, the last more behind.
func (t Term) at(in []piece) (from, to int, ok bool) {
	for k, want := range t.runs {
		have, n := in[k], len(want.text)
		if have.han != want.han || len(have.text) < n {
			return 0, 0, false
		}
		j := 0
		switch {
		case k == 0 && want.han:
			j = len(have.text) - n
		case k < len(t.runs)-1 || !want.han && !t.Prefix:
			if len(have.text) != n {
				return 0, 0, false
			}
		}
		if !slices.Equal(have.text[j:j+n], want.text) {
			return 0, 0, false
		}
		if k == 0 {
			from = have.from[j]
		}
		to = have.to[j+n-1]
	}
	return from, to, true
}

// In tells whether the text of the atom occurs in a document, as the index
// does.
func (a Atom) In(text string) bool {
	in := pieces(text)
	return len(a.Terms) > 0 && !slices.ContainsFunc(a.Terms, func(t Term) bool { return len(t.find(in)) == 0 })
}

// Snippet is a part of a text of about so many characters around the first
// place where one of the atoms' texts occurs, taken apart at each such place;
// "…" stands where something was left out. found is false when none occurs: it
// is the beginning then.
func Snippet(text string, most int, atoms ...Atom) (out []Piece, found bool) {
	in := pieces(text)
	var hits [][2]int
	which := map[[2]int]int{} // which term a hit is of
	for i, a := range atoms {
		for j, t := range a.Terms {
			for _, h := range t.find(in) {
				hits, which[h] = append(hits, h), i*1000+j
			}
		}
	}
	slices.SortFunc(hits, func(a, b [2]int) int { return a[0] - b[0] })
	from := 0
	if len(hits) > 0 {
		from = back(text, densest(hits, which, most)[0], most/3)
		if from <= 24 { // not worth leaving out
			from = 0
		}
	}
	to := from
	for n := 0; n < most && to < len(text); n++ {
		_, size := utf8.DecodeRuneInString(text[to:])
		to += size
	}
	put := func(s string, hit bool) {
		if s == "" {
			return
		}
		if n := len(out); n > 0 && out[n-1].Hit == hit {
			out[n-1].Text += s
			return
		}
		out = append(out, Piece{s, hit})
	}
	if from > 0 {
		put("…", false)
	}
	at := from
	for _, h := range hits {
		if a, b := max(h[0], at), min(h[1], to); a < b {
			put(text[at:a], false)
			put(text[a:b], true)
			at = b
		}
	}
	put(text[at:to], false)
	if to < len(text) {
		put("…", false)
	}
	return out, len(hits) > 0
}

// back is the place so many characters in front of another.
func back(text string, at, n int) int {
	for ; n > 0 && at > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(text[:at])
		at -= size
	}
	return at
}

// densest is the hit from which on most terms occur in a snippet, the first of
// several.
func densest(hits [][2]int, which map[[2]int]int, most int) (best [2]int) {
	const looked = 500 // hits of a long text
	best, count := hits[0], 0
	for i, h := range hits[:min(len(hits), looked)] {
		terms := map[int]bool{}
		for _, other := range hits[i:min(len(hits), i+most)] {
			if other[1]-h[0] > most { // bytes: fewer characters, so all of them are in it
				break
			}
			terms[which[other]] = true
		}
		if len(terms) > count {
			best, count = h, len(terms)
		}
	}
	return best
}
