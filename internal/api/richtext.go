package api

import (
	"html"
	"regexp"
)

// markup are the marks of rich-text editors. Only these are taken out: a text
// may well say "if a<b" or List<String>, and must not lose it.
var (
	markup    = regexp.MustCompile(`(?i)</?(?:p|br|div|span|b|strong|i|em|u|s|a|img|ul|ol|li|table|thead|tbody|tr|td|th|h[1-6]|font|blockquote|pre|code|hr|sub|sup)(?:\s[^<>]*)?/?>`)
	lineBreak = regexp.MustCompile(`(?i)<br\s*/?>|</(?:p|div|li|tr|h[1-6]|blockquote|pre)>`)
)

// trimmed takes rich-text marks out of a text (trim_osm_rich_text_label):
// paragraphs become lines, entities become characters. A text without marks
// stays as it is.
func trimmed(text string, trim bool) string {
	if !trim || !markup.MatchString(text) {
		return text
	}
	return html.UnescapeString(markup.ReplaceAllString(lineBreak.ReplaceAllString(text, "$0\n"), ""))
}
