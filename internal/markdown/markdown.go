// Package markdown is the one place where Markdown becomes HTML: raw HTML in it
// is left out by the parser, and what is left goes through a sanitiser that
// knows a short list of elements, whatever the parser made (threats.md D8).
package markdown

import (
	"bytes"
	"regexp"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
)

// parser reads CommonMark with tables, struck text and bare links.
var parser = sync.OnceValue(func() goldmark.Markdown {
	return goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Linkify), goldmark.WithRendererOptions(html.WithXHTML()))
})

// policy is what may stand in the result. Pictures are not among it: one of
// another host would tell that host who reads.
var policy = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "del",
		"table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^language-[a-z0-9+-]{1,20}$`)).OnElements("code")
	p.AllowAttrs("start").Matching(regexp.MustCompile(`^[0-9]{1,6}$`)).OnElements("ol")
	p.AllowAttrs("align").Matching(regexp.MustCompile(`^(left|center|right)$`)).OnElements("th", "td")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("http", "https", "mailto")
	p.AllowRelativeURLs(false)
	p.RequireParseableURLs(true)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	p.AddTargetBlankToFullyQualifiedLinks(true)
	return p
})

// HTML is a text as HTML that any page may hold: no script, no style, no
// picture, no raw HTML of the writer's, links to http, https and mailto only. A
// picture becomes its description.
func HTML(source string) string {
	var b bytes.Buffer
	if err := parser().Convert([]byte(source), &b); err != nil {
		panic(err) // a buffer takes everything
	}
	return policy().Sanitize(b.String())
}

// Plain is what a reader sees of a text, without marks of form: what is
// searched and quoted. Paragraphs, items and cells stand on lines of their own.
func Plain(source string) string {
	src := []byte(source)
	var b strings.Builder
	line := func() {
		if s := b.String(); s != "" && !strings.HasSuffix(s, "\n") {
			b.WriteByte('\n')
		}
	}
	// No visitor fails.
	_ = ast.Walk(parser().Parser().Parse(text.NewReader(src)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Text:
			if entering {
				b.Write(n.Segment.Value(src))
				if n.SoftLineBreak() || n.HardLineBreak() {
					b.WriteByte('\n')
				}
			}
		case *ast.String:
			if entering {
				b.Write(n.Value)
			}
		case *ast.AutoLink:
			if entering {
				b.Write(n.Label(src))
			}
		case *ast.RawHTML, *ast.HTMLBlock:
			return ast.WalkSkipChildren, nil
		case *ast.CodeBlock, *ast.FencedCodeBlock:
			if entering {
				line()
				for i := range n.Lines().Len() {
					s := n.Lines().At(i)
					b.Write(s.Value(src))
				}
			}
		default:
			if n.Type() == ast.TypeBlock || n.Kind() == extast.KindTableCell {
				line()
			}
		}
		return ast.WalkContinue, nil
	})
	return strings.TrimSpace(b.String())
}
