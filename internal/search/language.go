package search

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"casemate/internal/fault"
)

// Query is what an engineer typed: each group must hold, of a group one atom.
type Query struct{ Groups [][]Atom }

// Atom is one condition of a query: a text that occurs, or an operator.
type Atom struct {
	Not    bool
	Op     string // an operator's name, "" = a text
	Values []string
	Pos    int // where it begins in the query, in characters from 1

	Raw      string // a text as it was typed, without quotes
	Terms    []Term // all of them occur in one document
	Contacts []string
}

// Term is words and runs of Han that follow each other.
type Term struct {
	runs   []run
	Prefix bool // the last word may go on
}

// Operators by the names people type; the first of an operator's names is its
// own.
var operators = map[string][]string{
	"status": {"status", "状态"}, "label": {"label", "标签"}, "assignee": {"assignee", "处理人"}, "by": {"by", "提交人"},
	"customer": {"customer", "domain", "客户"}, "severity": {"severity", "严重程度", "级别"}, "product": {"product", "产品"},
	"plan": {"plan", "支持计划"}, "lang": {"lang", "language", "语言"}, "before": {"before", "早于"}, "after": {"after", "晚于"},
	"tag": {"tag", "内部标签"}, "queue": {"queue", "队列"},
	"created": {"created", "创建"}, "updated": {"updated", "更新"}, "has": {"has", "包含"}, "in": {"in", "范围"},
}

var operatorOf = func() map[string]string {
	m := map[string]string{}
	for op, names := range operators {
		for _, n := range names {
			m[n] = op
		}
	}
	return m
}()

// Operators are the names of all operators, the aliases of each behind it.
func Operators() map[string][]string { return operators }

// Limits of a query.
const (
	MaxQuery = 512 // characters
	maxAtoms = 24
)

// Faults of queries.
var (
	errOperator = fault.New(fault.Invalid, fault.CodeInvalid, "第 {pos} 个字符处的运算符 {op} 不存在，是否想用 {known}？（按原样查找请加引号）",
		"there is no operator {op} (character {pos}): did you mean {known}? Quotes search for it as it is").In("q")
	errNoValue = fault.New(fault.Invalid, fault.CodeInvalid, "第 {pos} 个字符处的运算符 {op} 缺少值", "the operator {op} (character {pos}) has no value").In("q")
	errNothing = fault.New(fault.Invalid, fault.CodeInvalid, "没有可查找的内容", "there is nothing to search for").In("q")
	errMany    = fault.New(fault.Invalid, fault.CodeInvalid, "查询条件最多 {max} 个", "a query has at most {max} conditions").In("q").With("max", maxAtoms)
)

// syntax folds what input methods write for the signs of the language; each
// character stays one, so that places are those of the text as typed.
func syntax(r rune) rune {
	switch r {
	case '：':
		return ':'
	case '＂', '“', '”', '„', '‟', '「', '」', '『', '』':
		return '"'
	case '－':
		return '-'
	case '，':
		return ','
	}
	if unicode.IsSpace(r) {
		return ' '
	}
	return r
}

// Parse reads a query. Words are separated by blanks and all must occur; "..."
// is found as it stands, whole words only; OR between two conditions leaves the
// choice; - in front negates. A word with an operator's name and a colon in
// front is that operator, with values in quotes or not, several separated by
// commas. A word of another name with a colon is a text like any other, but one
// letter beside an operator's name it is refused. Failures: OSM.01010001 (field
// q) naming operator and place.
func Parse(q string) (Query, error) {
	text := []rune(q)
	if len(text) > MaxQuery {
		return Query{}, fault.TooLong.In("q").With("max", MaxQuery)
	}
	signs := make([]rune, len(text))
	for i, r := range text {
		signs[i] = syntax(r)
	}
	p := parser{text: text, signs: signs}
	var out Query
	atoms, or := 0, false
	for {
		a, word, ok, err := p.next()
		if err != nil {
			return Query{}, err
		}
		if !ok {
			break
		}
		if word == "OR" || word == "AND" {
			or = word == "OR" && len(out.Groups) > 0
			continue
		}
		if a.Op == "" && len(a.Terms) == 0 {
			continue // signs only
		}
		if atoms++; atoms > maxAtoms {
			return Query{}, errMany
		}
		if or {
			last := &out.Groups[len(out.Groups)-1]
			*last = append(*last, a)
		} else {
			out.Groups = append(out.Groups, []Atom{a})
		}
		or = false
	}
	if atoms == 0 {
		return Query{}, errNothing
	}
	return out, nil
}

type parser struct {
	text, signs []rune
	i           int
}

// quoted reads behind a quote to the next; open tells that there was none.
func (p *parser) quoted() (s string, open bool) {
	start := p.i
	for ; p.i < len(p.signs); p.i++ {
		if p.signs[p.i] == '"' {
			p.i++
			return string(p.text[start : p.i-1]), false
		}
	}
	return string(p.text[start:]), true
}

// bare reads to a blank, a quote or one of the ends.
func (p *parser) bare(ends ...rune) string {
	start := p.i
	for p.i < len(p.signs) && p.signs[p.i] != ' ' && p.signs[p.i] != '"' && !slices.Contains(ends, p.signs[p.i]) {
		p.i++
	}
	return string(p.text[start:p.i])
}

// next reads one condition; word is a bare word as typed.
func (p *parser) next() (a Atom, word string, ok bool, err error) {
	for p.i < len(p.signs) && p.signs[p.i] == ' ' {
		p.i++
	}
	if p.i == len(p.signs) {
		return a, "", false, nil
	}
	if p.signs[p.i] == '-' && p.i+1 < len(p.signs) && p.signs[p.i+1] != ' ' {
		a.Not = true
		p.i++
	}
	a.Pos = p.i + 1
	if p.signs[p.i] == '"' {
		p.i++
		raw, open := p.quoted()
		a.Raw = raw
		if runs := split(raw); len(runs) > 0 {
			a.Terms = []Term{{runs: runs, Prefix: open}}
		}
		return a, "", true, nil
	}
	if name, ok := p.operator(); ok {
		op := operatorOf[name]
		if op == "" {
			if known := near(name); known != "" {
				return a, "", false, errOperator.With("op", name+":").With("pos", a.Pos).With("known", known+":")
			}
		} else {
			p.i += len([]rune(name)) + 1
			a.Op, a.Values = op, p.values()
			if len(a.Values) == 0 {
				return a, "", false, errNoValue.With("op", name+":").With("pos", a.Pos)
			}
			return a, "", true, nil
		}
	}
	word = p.bare()
	a.Raw, a.Terms = word, terms(word)
	if a.Not {
		return a, "", true, nil
	}
	return a, word, true, nil
}

// operator is the name in front of a colon, folded, if there is one here.
func (p *parser) operator() (string, bool) {
	for j := p.i; j < len(p.signs); j++ {
		switch r := p.signs[j]; {
		case r == ':' && j > p.i:
			return fold(string(p.text[p.i:j])), true
		case !unicode.IsLetter(r):
			return "", false
		}
	}
	return "", false
}

func (p *parser) values() (all []string) {
	for p.i < len(p.signs) {
		v := ""
		if p.signs[p.i] == '"' {
			p.i++
			v, _ = p.quoted()
		} else {
			v = p.bare(',')
		}
		if v = strings.TrimSpace(v); v != "" {
			all = append(all, v)
		}
		if p.i == len(p.signs) || p.signs[p.i] != ',' {
			break
		}
		p.i++
	}
	return all
}

// terms are those of a word without blanks: words joined by signs stay together
// (10.0.0.1, nginx-error.log), Han stands by itself. What a joined word ends
// with may go on unless it is a number: an address is found whole.
func terms(word string) (all []Term) {
	var joined []run
	end := func() {
		if len(joined) > 0 {
			last := joined[len(joined)-1].text
			number := !slices.ContainsFunc(last, func(r rune) bool { return !unicode.IsDigit(r) })
			all = append(all, Term{runs: joined, Prefix: len(joined) == 1 || !number})
			joined = nil
		}
	}
	for _, r := range split(word) {
		if r.han {
			end()
			all = append(all, Term{runs: []run{r}})
			continue
		}
		joined = append(joined, r)
	}
	end()
	return all
}

// near is the operator that a name misses by one letter, "" if none.
func near(name string) string {
	n := []rune(name)
	if len(n) < 4 {
		return ""
	}
	best := ""
	for alias := range operatorOf {
		if a := []rune(alias); len(a) >= 4 && a[0] < 128 && oneOff(n, a) && (best == "" || alias < best) {
			best = alias
		}
	}
	return best
}

// oneOff tells words that differ by one letter more, less or other, or by two
// neighbours changed over.
func oneOff(a, b []rune) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch {
	case len(a) < len(b):
		return slices.Equal(a[i:], b[i+1:])
	case i == len(a):
		return false
	case slices.Equal(a[i+1:], b[i+1:]):
		return true
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && slices.Equal(a[i+2:], b[i+2:])
}

// Exactly is a text found as it stands, whole words only.
func Exactly(text string) Atom {
	a := Atom{Raw: text}
	if runs := split(text); len(runs) > 0 {
		a.Terms = []Term{{runs: runs}}
	}
	return a
}

// Word is the last word of a query that is being typed.
type Word struct {
	Minus string // "-" when it is negated
	Name  string // of an operator as typed, or its beginning, folded
	Op    string // the operator, "" while there is no colon
	Value string // behind the colon, as far as it goes
}

// LastWord reads the end of a query that is being typed.
func LastWord(q string) (w Word) {
	text := []rune(q)
	start, inQuotes := 0, false
	for i, r := range text {
		switch r = syntax(r); {
		case r == '"':
			inQuotes = !inQuotes
		case r == ' ' && !inQuotes:
			start = i + 1
		}
	}
	text = text[start:]
	if len(text) > 0 && syntax(text[0]) == '-' {
		w.Minus, text = "-", text[1:]
	}
	for i, r := range text {
		if syntax(r) == ':' {
			w.Name = fold(string(text[:i]))
			w.Op = operatorOf[w.Name]
			w.Value = strings.TrimFunc(string(text[i+1:]), func(r rune) bool { return syntax(r) == '"' })
			return w
		}
	}
	w.Name = fold(string(text))
	return w
}

// Quote writes a value as the language reads it back.
func Quote(v string) string {
	if strings.ContainsFunc(v, func(r rune) bool { r = syntax(r); return r == ' ' || r == ',' }) {
		return `"` + v + `"`
	}
	return v
}

// OperatorNames are the names of the operators, sorted.
func OperatorNames() []string { return slices.Sorted(maps.Keys(operators)) }
