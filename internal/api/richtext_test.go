package api

import (
	"strings"
	"testing"
)

func TestTrimmed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		// Markup.
		{"<p>磁盘满了</p>", "磁盘满了"},
		{"<p>one</p><p>two</p>", "one\ntwo"},
		{"one<br>two<br/>three", "one\ntwo\nthree"},
		{`<div style="color:red"><span class='x'><strong>disk <em>full</em></strong></span></div>`, "disk full"},
		{"<P>UPPER<BR/>case</P>", "UPPER\ncase"},
		{"<ul><li>1</li><li>2</li></ul>", "1\n2"},
		{"<table><tr><td>a</td><td>b</td></tr></table>", "a b"},
		{`<a href="https://example.com/?a=1&amp;b=2">link</a>`, "link"},
		{`<img src="x" onerror="alert(1)">after`, "after"},
		{"<p>a &lt; b &amp;&amp; c &gt; d&nbsp;&quot;q&quot; &#20013;&#x6587;</p>", `a < b && c > d "q" 中文`},
		{"<!-- hidden --><p>seen</p>", "seen"},
		{"<!DOCTYPE html><html><body><p>x</p></body></html>", "x"},
		// Scripts and styles go with what they hold.
		{"<p>a</p><script>alert('<p>b</p>')</script><p>c</p>", "a\nc"},
		{"<SCRIPT src=x>alert(1)</SCRIPT >ok", "ok"},
		{"a<style>p{color:red}</style>b", "ab"},
		{"<script>1</script><script>2</script>x", "x"},
		{"İİİİ<script>1</script>ſK", "İİİİſK"},
		// Escaped markup is text, and stays text: it is not taken out twice.
		{"<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>", "<script>alert(1)</script>"},
		// Broken markup.
		{"<p>one<p>two", "onetwo"},
		{"<b><i>crossed</b></i>", "crossed"},
		{"</div>only an end", "only an end"},
		{"<p>unfinished <div", "unfinished <div"},
		{"<p>the <script> is missing", "the  is missing"},
		{`<p title="a>b">quoted</p>`, "quoted"},
		// Plain text stays as it is, to the letter.
		{"a < b", "a < b"},
		{"a<b and c>d", "a<b and c>d"},
		{"if a<b>c then", "if a<b>c then"},
		{"List<String> names = new ArrayList<>();", "List<String> names = new ArrayList<>();"},
		{"1 < 2 && 3 > 2 &amp; so on &lt;p&gt;", "1 < 2 && 3 > 2 &amp; so on &lt;p&gt;"},
		{"x <- y; <- <", "x <- y; <- <"},
		{"std::vector<int> v; #include <stdio.h>", "std::vector<int> v; #include <stdio.h>"},
		{"mail <li@example.com>", "mail <li@example.com>"},
		{"<!important> and <?php echo 1 ?>", "<!important> and <?php echo 1 ?>"},
		{"  leading and trailing  ", "  leading and trailing  "},
		{"cut here <", "cut here <"},
		{"", ""},
		// Both in one text.
		{"<p>List<String> and a < b</p>", "List<String> and a < b"},
	} {
		if got := trimmed(tt.in, true); got != tt.want {
			t.Errorf("%q\n got %q\nwant %q", tt.in, got, tt.want)
		}
		if got := trimmed(tt.in, false); got != tt.in {
			t.Errorf("untrimmed %q: %q", tt.in, got)
		}
	}
	// Nobody can make it take long.
	if got := trimmed(strings.Repeat("<", 10000), true); len(got) != 10000 {
		t.Errorf("%d", len(got))
	}
	if got := trimmed("<p>"+strings.Repeat("<script>", 1200), true); len(got) > 10000 {
		t.Errorf("%d", len(got))
	}
}

func FuzzTrimmed(f *testing.F) {
	for _, s := range []string{"<p>a</p>", "a<b", "<script>x</script>", "&lt;", "<!--"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := trimmed(s, true)
		if !strings.ContainsAny(s, "<") && got != s {
			t.Errorf("%q became %q", s, got)
		}
		if len(got) > 4*len(s) {
			t.Errorf("%q grew to %q", s, got)
		}
	})
}
