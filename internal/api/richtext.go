package api

import (
	"html"
	"io"
	"strings"

	xhtml "golang.org/x/net/html"
)

// markup are the elements rich-text editors write, and those that must not
// reach a reader. Only these are taken out: a text may well say "if a<b" or
// List<String>, and must not lose it.
var markup = set("a abbr address article aside audio b big blockquote body br button caption center cite code col colgroup dd del details div dl dt em " +
	"figcaption figure font footer form h1 h2 h3 h4 h5 h6 head header hr html i iframe img input ins kbd label li link main mark meta nav object ol " +
	"p picture pre q s samp script section small source span strike strong style sub summary sup svg table tbody td tfoot th thead tr tt u ul var video wbr")

var (
	lines    = set("blockquote div dd dt figure h1 h2 h3 h4 h5 h6 li p pre tr") // their ends are ends of lines
	unseen   = set("script style")                                              // their content is for machines
	lettered = set("a b i p q s u")                                             // could be a name in a comparison
)

func set(words string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		out[w] = true
	}
	return out
}

// trimmed takes rich-text marks out of a text (trim_osm_rich_text_label):
// elements and comments go, scripts and styles with what they hold; paragraphs
// become lines, entities become characters. A text without marks stays as it
// is, to the letter.
func trimmed(text string, trim bool) string {
	if !trim || !strings.Contains(text, "<") {
		return text
	}
	var (
		b     strings.Builder
		rich  bool
		read  int
		low   = lower(text)
		z     = xhtml.NewTokenizer(strings.NewReader(text))
		plain = func(raw string) { b.WriteString(html.UnescapeString(raw)) }
	)
	for {
		kind := z.Next()
		raw := string(z.Raw())
		if kind == xhtml.ErrorToken {
			if z.Err() != io.EOF {
				return text
			}
			break
		}
		read += len(raw)
		switch kind {
		case xhtml.TextToken:
			plain(raw)
		case xhtml.CommentToken:
			if strings.HasPrefix(raw, "<!--") && strings.HasSuffix(raw, "-->") {
				rich = true
				continue
			}
			plain(raw)
		case xhtml.DoctypeToken:
			rich = true
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken, xhtml.EndTagToken:
			tag, attributes := z.TagName()
			name := string(tag)
			z.NextIsNotRawText()
			if !markup[name] || !genuine(low, raw, name, kind, attributes) {
				plain(raw)
				continue
			}
			rich = true
			switch {
			case unseen[name] && kind == xhtml.StartTagToken:
				end := strings.Index(low[read:], "</"+name)
				if end < 0 {
					continue // not closed: the rest is more likely talk about it
				}
				// What it holds is nobody's to read: go on behind it.
				rest := trimmed(text[read+end:], true)
				return finish(b.String() + rest)
			case name == "br" || name == "hr" || lines[name] && kind == xhtml.EndTagToken:
				b.WriteByte('\n')
			case (name == "td" || name == "th") && kind == xhtml.EndTagToken:
				b.WriteByte(' ')
			}
		}
	}
	if !rich {
		return text
	}
	plain(text[read:]) // a tag that does not end
	return finish(b.String())
}

// lower is the text with ASCII letters in lower case: each byte in its place,
// which strings.ToLower does not promise.
func lower(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// finish gives the lines their shape: no blanks of editors, none around.
func finish(text string) string {
	return strings.TrimSpace(strings.ReplaceAll(text, "\u00a0", " "))
}

// genuine tells markup from talk: "a<b and c>d" has words where attributes
// have values, and "a<b>c" opens what nothing closes.
func genuine(low, raw, name string, kind xhtml.TokenType, attributes bool) bool {
	switch {
	case kind == xhtml.EndTagToken:
		return true
	case attributes:
		return strings.Contains(raw, "=") || name == "input" || name == "button" || name == "video" || name == "audio" || name == "script"
	case lettered[name] && name != "p" && kind == xhtml.StartTagToken:
		return strings.Contains(low, "</"+name+">")
	}
	return true
}
