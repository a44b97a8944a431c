package mailin

import (
	"bytes"
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// metaCharset finds the character set an HTML text names itself.
var metaCharset = regexp.MustCompile(`(?i)<meta[^>]{0,200}charset\s*=\s*["']?([a-z0-9_:.-]+)`)

// htmlCharset is the label of an HTML part: what its header says, else what the
// text says.
func htmlCharset(label string, b []byte) string {
	if label == "" {
		if m := metaCharset.FindSubmatch(clip(b, 4096)); m != nil {
			return string(m[1])
		}
	}
	return label
}

// silent elements show nothing a reader sees.
var silent = map[atom.Atom]bool{atom.Script: true, atom.Style: true, atom.Head: true, atom.Title: true, atom.Noscript: true, atom.Template: true, atom.Svg: true,
	atom.Object: true, atom.Iframe: true, atom.Select: true, atom.Textarea: true, atom.Math: true, atom.Video: true, atom.Audio: true, atom.Canvas: true}

var blocks = map[atom.Atom]bool{atom.P: true, atom.Div: true, atom.Table: true, atom.Tr: true, atom.Ul: true, atom.Ol: true, atom.Li: true, atom.H1: true, atom.H2: true,
	atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true, atom.Pre: true, atom.Blockquote: true, atom.Section: true, atom.Article: true, atom.Header: true,
	atom.Footer: true, atom.Hr: true, atom.Dl: true, atom.Dt: true, atom.Dd: true, atom.Center: true, atom.Address: true, atom.Form: true}

// spaced blocks stand apart by an empty line.
var spaced = map[atom.Atom]bool{atom.P: true, atom.H1: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true, atom.Blockquote: true, atom.Pre: true}

var hidden = regexp.MustCompile(`(?i)display\s*:\s*none|mso-hide\s*:\s*all|visibility\s*:\s*hidden`)

// void elements have no end.
var void = map[atom.Atom]bool{atom.Br: true, atom.Hr: true, atom.Img: true, atom.Meta: true, atom.Link: true, atom.Input: true, atom.Col: true, atom.Area: true,
	atom.Base: true, atom.Wbr: true, atom.Source: true, atom.Embed: true, atom.Param: true, atom.Track: true}

// htmlText is the text of an HTML part: links stay behind their words, pictures
// of the mail by the names image gives them, what a reader does not see goes.
func htmlText(source string, image func(cid string) string) string {
	w := &textWriter{}
	z := html.NewTokenizer(strings.NewReader(source))
	z.SetMaxBuf(maxText)
	skip, skipped := atom.Atom(0), 0 // the silent element we are in, and how deep
	var skipName string
	type link struct {
		href string
		at   int
	}
	var links []link
	for w.b.Len() < maxText {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		if kind == html.TextToken {
			if skipped == 0 {
				w.text(string(z.Text()))
			}
			continue
		}
		if kind != html.StartTagToken && kind != html.EndTagToken && kind != html.SelfClosingTagToken {
			continue
		}
		nameBytes, more := z.TagName()
		a, name := atom.Lookup(nameBytes), string(nameBytes)
		attrs := map[string]string{}
		for n := 0; more && n < 50; n++ {
			var k, v []byte
			k, v, more = z.TagAttr()
			if key := string(k); attrs[key] == "" {
				attrs[key] = string(clip(v, 4096))
			}
		}
		if skipped > 0 {
			if a == skip && name == skipName {
				switch kind {
				case html.StartTagToken:
					skipped++
				case html.EndTagToken:
					skipped--
				}
			}
			if a == atom.Body && skip == atom.Head { // a head that nobody closed
				skipped = 0
			}
			continue
		}
		if kind == html.StartTagToken && !void[a] && (silent[a] || hidden.MatchString(attrs["style"])) && a != atom.Body {
			skip, skipName, skipped = a, name, 1
			continue
		}
		switch {
		case a == atom.Br:
			w.newline()
		case a == atom.Hr && kind != html.EndTagToken:
			w.block(false)
			w.text("----")
			w.block(false)
		case a == atom.Img:
			if cid, ok := strings.CutPrefix(strings.TrimSpace(attrs["src"]), "cid:"); ok {
				w.text(image(cid))
			} else if alt := strings.TrimSpace(attrs["alt"]); alt != "" && len(alt) < 200 {
				w.text("[" + alt + "]")
			}
		case a == atom.A && kind == html.StartTagToken:
			if len(links) < 50 {
				links = append(links, link{strings.TrimSpace(attrs["href"]), w.b.Len()})
			}
		case a == atom.A && kind == html.EndTagToken && len(links) > 0:
			l := links[len(links)-1]
			links = links[:len(links)-1]
			if keepLink(l.href, w.b.Bytes()[min(l.at, w.b.Len()):]) {
				w.text(" (" + l.href + ")")
			}
		case a == atom.Blockquote:
			w.block(true)
			if kind == html.StartTagToken && w.quote < 20 {
				w.quote++
			} else if kind == html.EndTagToken && w.quote > 0 {
				w.quote--
			}
		case a == atom.Pre:
			w.block(true)
			w.pre = kind == html.StartTagToken
		case a == atom.Li && kind == html.StartTagToken:
			w.block(false)
			w.text("- ")
		case (a == atom.Td || a == atom.Th) && kind == html.EndTagToken:
			w.cell()
		case blocks[a]:
			w.block(spaced[a])
		}
	}
	return strings.TrimSpace(printable(w.b.String()))
}

// keepLink tells whether a link's address says more than its words; only
// addresses people follow are kept.
func keepLink(href string, said []byte) bool {
	words := string(bytes.TrimSpace(clip(said, 4096)))
	low := strings.ToLower(href)
	if len(href) > 2000 || !strings.HasPrefix(low, "http://") && !strings.HasPrefix(low, "https://") && !strings.HasPrefix(low, "mailto:") {
		return false
	}
	bare := func(s string) string {
		s = strings.ToLower(strings.TrimSpace(s))
		for _, p := range []string{"mailto:", "https://", "http://", "www."} {
			s = strings.TrimPrefix(s, p)
		}
		return strings.TrimSuffix(s, "/")
	}
	return words != "" && bare(href) != bare(words)
}

// textWriter writes lines, blanks between words as a browser shows them.
type textWriter struct {
	b     bytes.Buffer
	quote int
	pre   bool
	gap   bool // a blank is due
	lines int  // line ends that stand at the end; 0 = in a line
	cells bool // a cell has ended in this line
}

func (w *textWriter) begin() {
	if w.b.Len() == 0 || w.lines > 0 {
		w.b.WriteString(strings.Repeat("> ", w.quote))
		w.gap = false
	}
	if w.gap {
		w.b.WriteByte(' ')
	}
	if w.cells && w.lines == 0 {
		w.b.WriteString("| ")
	}
	w.cells, w.gap, w.lines = false, false, 0
}

func (w *textWriter) text(s string) {
	if w.pre {
		for i, line := range strings.Split(s, "\n") {
			if i > 0 {
				w.newline()
			}
			if line != "" {
				w.begin()
				w.b.WriteString(line)
			}
		}
		return
	}
	words := strings.FieldsFunc(s, blank)
	if s != "" && blank(rune(s[0])) {
		w.gap = true
	}
	for i, word := range words {
		w.gap = w.gap || i > 0
		w.begin()
		w.b.WriteString(word)
	}
	if s != "" && blank(rune(s[len(s)-1])) {
		w.gap = true
	}
}

func blank(r rune) bool { return r == ' ' || r == '\n' || r == '\t' || r == '\r' || r == '\f' }

func (w *textWriter) newline() {
	if w.b.Len() > 0 && w.lines < 2 {
		w.b.WriteByte('\n')
		w.lines++
	}
	w.gap, w.cells = false, false
}

// block begins a new line, behind an empty one when apart.
func (w *textWriter) block(apart bool) {
	if w.b.Len() == 0 {
		return
	}
	if w.lines == 0 {
		w.b.WriteByte('\n')
		w.lines = 1
	}
	if apart && w.lines == 1 {
		w.b.WriteByte('\n')
		w.lines = 2
	}
	w.gap, w.cells = false, false
}

func (w *textWriter) cell() {
	if w.lines == 0 && w.b.Len() > 0 {
		w.cells, w.gap = true, true
	}
}
