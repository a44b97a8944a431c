package search

import (
	"strings"

	"casemate/internal/db"
)

// Words is a text as people type it into a box that knows no operators: all
// words must occur, each may go on; what stands in quotes is found as it is, and
// Han matches as it follows each other, from one character up. ok is false when
// there is nothing to look for.
func Words(text string) (a Atom, ok bool) {
	a.Raw = text
	p := parser{text: []rune(text)}
	for _, r := range p.text {
		p.signs = append(p.signs, syntax(r))
	}
	for p.i < len(p.text) {
		switch p.signs[p.i] {
		case ' ':
			p.i++
		case '"':
			p.i++
			s, open := p.quoted()
			if runs := split(s); len(runs) > 0 {
				a.Terms = append(a.Terms, Term{runs: runs, Prefix: open})
			}
		default:
			a.Terms = append(a.Terms, terms(p.bare())...)
		}
	}
	return a, len(a.Terms) > 0
}

// Keyword is one thing that a free text is about.
type Keyword struct {
	Term Term
	Text string // as it was taken from the text, folded
	Word bool   // a word of letters and digits, else Han
}

// stops are words and pairs of Han that tell nothing of what a text is about.
var stops = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`a an and are as at be been but by can cannot could did do does for from get got had has have he hello help hi how i if in into is it its just me my
		no not of on or our out please so some thanks that the their them then there they this to up us was we were what when where which who why will with would you your
		我们 我的 你们 您好 你好 请问 请教 怎么 么办 如何 什么 为什 一个 一下 这个 那个 可以 不能 不了 没有 无法 能不 是否 可否 帮忙 谢谢 现在 已经 需要 想要 问题 出现 但是 因为 所以 还是 就是 的时 时候 之后 以后 进行 怎样 麻烦`) {
		m[w] = true
	}
	return m
}()

// suffixes are taken off English words, the longest first, so that forms of one
// word find each other by their beginning.
var suffixes = []string{"ations", "ation", "ings", "ing", "ions", "ion", "ies", "ed", "es", "s", "e", "y"}

func stem(w []rune) []rune {
	for _, r := range w {
		if r < 'a' || r > 'z' {
			return w
		}
	}
	for _, s := range suffixes {
		if rest := len(w) - len(s); rest >= 4 && string(w[rest:]) == s {
			return w[:rest]
		}
	}
	return w
}

// Keywords are what a free text is about, at most so many, in its order: words
// of two letters or more by their stem, and each two Han that follow each other.
// Words that stand in every text are left out.
func Keywords(text string, most int) (all []Keyword) {
	seen := map[string]bool{}
	add := func(r run, prefix bool) {
		if s := string(r.text); len(all) < most && !seen[s] && !stops[s] {
			seen[s] = true
			all = append(all, Keyword{Term{runs: []run{r}, Prefix: prefix}, s, !r.han})
		}
	}
	for _, r := range split(text) {
		switch {
		case r.han && len(r.text) == 1:
			add(r, false)
		case r.han:
			for i := range len(r.text) - 1 {
				add(run{han: true, text: r.text[i : i+2]}, false)
			}
		case len(r.text) >= 2 && !stops[string(r.text)]:
			short := stem(r.text)
			add(run{text: short}, len(short) >= 4)
		}
	}
	return all
}

// ArticleDocs is a SELECT of n, kind, doc and parent of the house's documents of
// the kinds in which a term occurs: for the n-th of the atoms (from 0) each,
// a row for every document. kinds are constants of this package.
func ArticleDocs(d db.Dialect, house string, kinds []string, atoms ...Atom) (sql string, args []any) {
	in := "('" + strings.Join(kinds, "', '") + "')"
	var arms []string
	for n, a := range atoms {
		var parts []node
		for _, t := range a.Terms {
			parts = append(parts, t.clear())
		}
		cond := all(parts...)
		if d == db.Postgres {
			arms = append(arms, "SELECT "+number(n)+" AS n, s.kind, s.doc, s.parent FROM search_docs AS s WHERE s.terms @@ CAST(? AS tsquery) AND s.domain_id = ? AND s.kind IN "+in)
			args = append(args, cond.tsquery(), house)
			continue
		}
		arms = append(arms, "SELECT "+number(n)+" AS n, s.kind, s.doc, s.parent FROM search_index JOIN search_docs AS s ON s.n = search_index.rowid WHERE search_index MATCH ? AND s.domain_id = ? AND s.kind IN "+in)
		args = append(args, cond.fts(), house)
	}
	return strings.Join(arms, " UNION ALL "), args
}

func number(n int) string {
	var b strings.Builder
	writeInt(&b, n)
	return b.String()
}

// Alone is the keyword as a condition of its own.
func (k Keyword) Alone() Atom { return Atom{Raw: k.Text, Terms: []Term{k.Term}} }

// Folded is how texts are compared: without case and width.
func Folded(s string) string { return fold(s) }

// KeywordAtoms are the keywords as conditions of their own.
func KeywordAtoms(all []Keyword) []Atom {
	atoms := make([]Atom, len(all))
	for i, k := range all {
		atoms[i] = k.Alone()
	}
	return atoms
}
