package markdown_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"casemate/internal/markdown"
)

func TestHTML(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"# 重启\n\n先看 **日志**。", "<h1>重启</h1>\n<p>先看 <strong>日志</strong>。</p>\n"},
		{"```bash\nls < a\n```", "<pre><code class=\"language-bash\">ls &lt; a\n</code></pre>\n"},
		{"| a | b |\n|---|--:|\n| 1 | 2 |", "<table>\n<thead>\n<tr>\n<th>a</th>\n<th align=\"right\">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>1</td>\n<td align=\"right\">2</td>\n</tr>\n</tbody>\n</table>\n"},
		{"[x](javascript:alert(1))", "<p>x</p>\n"},
		{"[x](https://a.example/)", "<p><a href=\"https://a.example/\" rel=\"nofollow noreferrer noopener\" target=\"_blank\">x</a></p>\n"},
		{"![diagram](https://spy.example/p.png)", "<p></p>\n"},
		{"a <b onclick=x>b</b>", "<p>a b</p>\n"},
	} {
		if got := markdown.HTML(c.in); got != c.want {
			t.Errorf("%q:\n%q, want\n%q", c.in, got, c.want)
		}
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"# 重启\n\n先看**故**障 `ls`\n\n- a\n- [b](https://a.example/secret)", "重启\n先看故障 ls\na\nb"},
		{"<script>alert(1)</script>\n\nx <i>y</i>", "x y"},
		{"```\nfree -m\n```\nend", "free -m\nend"},
		{"| a | b |\n|---|---|\n| 1 | 2 |", "a\nb\n1\n2"},
		{"see https://a.example now", "see https://a.example now"},
	} {
		if got := markdown.Plain(c.in); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

// TestUnsafe: whatever is written, nothing a browser would run or load is left.
func TestUnsafe(t *testing.T) {
	t.Parallel()
	elements := strings.Fields("p br hr h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong del table thead tbody tr th td a")
	attributes := strings.Fields("class start align href rel target")
	var corpus []string
	for _, tag := range strings.Fields("script img svg iframe object embed style link meta base form input button body details video audio math template noscript xmp plaintext marquee") {
		for _, attr := range []string{"onload=alert(1)", "onerror=alert(1) src=x", "href=javascript:alert(1)", "style='background:url(javascript:1)'", "srcdoc='<script>1</script>'"} {
			corpus = append(corpus, fmt.Sprintf("<%s %s>x</%s>", tag, attr, tag), fmt.Sprintf("a\n\n<%s/%s\n>", tag, attr))
		}
	}
	for _, scheme := range []string{"javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "&#106;avascript:alert(1)", "data:text/html,<script>1</script>", "vbscript:x", "file:///etc/passwd", "//evil.example", "/relative", " javascript:1", "javascript&colon;alert(1)", "blob:x", "ftp://x"} {
		corpus = append(corpus, "[x]("+scheme+")", "[x](<"+scheme+">)", "<"+scheme+">", "![x]("+scheme+")", "[x][1]\n\n[1]: "+scheme, "<a href=\""+scheme+"\">x</a>", "[x](https://a.example \"t\" onclick=1)", "`"+scheme+"`", "[![x]("+scheme+")]("+scheme+")")
	}
	corpus = append(corpus, "```\"><script>alert(1)</script>\nx\n```", "<<script>script>alert(1)<</script>/script>", "<!--><script>1</script>-->", "<![CDATA[<script>1</script>]]>", "[a](https://x.example/\"onmouseover=\"alert(1))", "\x00<scr\x00ipt>1</scr\x00ipt>")
	if len(corpus) < 300 {
		t.Fatalf("only %d vectors", len(corpus))
	}
	for _, in := range corpus {
		out := markdown.HTML(in)
		root, err := html.Parse(strings.NewReader("<!doctype html><body>" + out))
		if err != nil {
			t.Fatal(err)
		}
		for n := range root.Descendants() {
			if n.Type == html.CommentNode {
				t.Errorf("%q: a comment: %q", in, out)
			}
			if n.Type != html.ElementNode || slices.Contains([]string{"html", "head", "body"}, n.Data) && len(n.Attr) == 0 {
				continue
			}
			if !slices.Contains(elements, n.Data) {
				t.Errorf("%q: <%s>: %q", in, n.Data, out)
			}
			for _, a := range n.Attr {
				if !slices.Contains(attributes, a.Key) {
					t.Errorf("%q: %s=: %q", in, a.Key, out)
				}
				if u, err := url.Parse(a.Val); a.Key == "href" && (err != nil || !slices.Contains([]string{"http", "https", "mailto"}, u.Scheme)) {
					t.Errorf("%q: leads to %q", in, a.Val)
				}
			}
		}
	}
	t.Logf("REPORT markdown: %d vectors, nothing unsafe left\n", len(corpus))
}
