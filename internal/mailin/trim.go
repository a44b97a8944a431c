package mailin

import (
	"regexp"
	"slices"
	"strings"

	"casemate/internal/notify"
)

// How mail programs begin what they quote. Each stands alone in its line.
var (
	divider = regexp.MustCompile(`(?i)^[>\s]*[-_=*—─]{2,}\s*(original message|original|original appointment|邮件原件|replied message|reply message|原始邮件|回复的原邮件|回复的邮件|原邮件|原始郵件|原郵件|ursprüngliche nachricht|message d'origine|mensaje original)\s*[-_=*—─]{2,}\s*$`)
	// forwarded begins what the writer passes on: that is what he wants said.
	forwarded = regexp.MustCompile(`(?i)^[>\s]*(-{2,}\s*(forwarded message|forwarded by .*|转发邮件信息|转发的邮件|轉寄郵件|original forwarded)\s*-*|begin forwarded message:|开始转发的邮件：|下面是被转发的邮件：|-+\s*forwarded message\s*-+)\s*$`)
	// attributions: who wrote when, in the languages and programs at hand.
	attribution = regexp.MustCompile(`(?i)^[>\s]*(on\b.{4,300}\bwrote\s*[:：]|am\b.{4,200}\bschrieb\b.{0,100}:|le\b.{4,200}\ba écrit\s*:|el\b.{4,200}\bescribió\s*:|在\s*\S.{2,300}(写道|寫道|来信|编写)\s*[:：]|(于|於)\s*\S.{2,200}(写道|寫道)\s*[:：]|\S.{0,200}(于|於)\s*\d{4}\s*年.{2,80}(写道|寫道)\s*[:：]|.{0,200}\d{4}[-/年.].{2,120}<?\S+@\S+>?\s*(写道|wrote)\s*[:：]|\d{4}[-/.年].{2,200}(写道|寫道)\s*[:：]?)\s*$`)
	openOn      = regexp.MustCompile(`(?i)^[>\s]*(on\s+\S|在\s*\d|am\s+\d|于\s*\d|\d{4}\s*年)`)
	field1      = regexp.MustCompile(`(?i)^[>\s*]*(from|发件人|寄件者|寄件人|von|de)\s*[:：]\s*\*?\s*\S`)
	fieldN      = regexp.MustCompile(`(?i)^[>\s*]*(sent|date|发送时间|发送日期|日期|时间|寄件日期|傳送時間|to|收件人|收件者|cc|抄送|副本|subject|主题|主旨|gesendet|an|betreff|envoyé|à|objet|importance|重要性|reply-to)\s*[:：]\s*\*?`)
	rule        = regexp.MustCompile(`^\s*([_]{5,}|[-]{4,}|[─—]{5,})\s*$`)
	phone       = regexp.MustCompile(`(?i)^\s*(sent from my \S.{0,40}|sent from mail for windows.{0,10}|get outlook for \S.{0,60}|发自我的\s?\S.{0,30}|发送自我的\s?\S.{0,30}|从我的\S{1,20}发送|来自\S{1,10}邮箱.{0,20}|发自.{1,20}邮箱.{0,20}|获取\s*outlook.{0,60}|發自我的\s?\S.{0,30})\s*$`)
)

// trimmed is a text without what the mail program quoted below or above it and
// without the signature, and whether anything was taken away. Quotes the writer
// answers piece by piece stay: without them his answers say nothing. When
// nothing would be left, all stays.
func trimmed(text string) (string, bool) {
	lines := strings.Split(text, "\n")
	end := len(lines)
	cutAt := quoteStart(lines)
	if cutAt >= 0 {
		end = cutAt
	}
	kept := lines[:end]
	if cutAt < 0 {
		kept = dropTrailingQuote(kept)
	}
	kept = dropSignature(kept)
	out := strings.TrimSpace(strings.Join(kept, "\n"))
	if out == "" && cutAt >= 0 { // the answer may stand below the quote
		if below := belowQuote(lines[cutAt:]); below != "" {
			return below, true
		}
	}
	if out == "" {
		return strings.TrimSpace(text), false
	}
	return out, out != strings.TrimSpace(text)
}

// Bounds of looking for quotes: below so many lines nobody's answer goes on, and
// what programs write is no longer than that.
const (
	maxQuoteLines = 2000
	maxQuoteLine  = 500 // bytes
)

// wrote are the words of which an attribution has one.
var wrote = []string{"wrote", "schrieb", "écrit", "escribió", "写道", "寫道", "来信", "编写"}

func hasWrote(s string) bool {
	s = strings.ToLower(s)
	return slices.ContainsFunc(wrote, func(w string) bool { return strings.Contains(s, w) })
}

// quoteStart is the line the quoted mail begins at, -1 = nowhere.
func quoteStart(lines []string) int {
	said := false // something of the writer's own stands above
	for i, line := range lines {
		if i == maxQuoteLines {
			return -1
		}
		if len(line) > maxQuoteLine {
			said = true
			continue
		}
		if strings.Contains(line, notify.ReplyMarkZH) || strings.Contains(line, notify.ReplyMarkEN) {
			return markStart(lines, i)
		}
		if forwarded.MatchString(line) {
			return -1
		}
		if divider.MatchString(line) {
			if said || !forwardedBelow(lines[i+1:]) {
				return i
			}
			return -1
		}
		if n := attributed(lines[i:]); n > 0 && attributionCounts(lines[i+n:]) {
			if !said && hasOwnBelow(lines[i+n:]) || !interleaved(lines[i+n:]) {
				return i
			}
			return -1
		}
		if said && field1.MatchString(line) && headerBlock(lines[i:]) {
			for i > 0 && (strings.TrimSpace(lines[i-1]) == "" || rule.MatchString(lines[i-1])) {
				i--
			}
			return i
		}
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(strings.TrimSpace(line), ">") {
			said = true
		}
	}
	return -1
}

// markStart goes from our own mark up over what introduces the quote.
func markStart(lines []string, i int) int {
	start := i
	for j := i - 1; j >= 0 && j >= i-12; j-- {
		if n := attributed(lines[j:]); n > 0 || divider.MatchString(lines[j]) {
			start = j
			break
		}
		if field1.MatchString(lines[j]) && headerBlock(lines[j:]) {
			start = j
			break
		}
	}
	return start
}

// attributed is how many lines from the first on say who wrote, 0 = none do.
func attributed(lines []string) int {
	first := strings.TrimSpace(lines[0])
	if first == "" || len(first) > 400 {
		return 0
	}
	if hasWrote(first) && attribution.MatchString(first) {
		return 1
	}
	if !openOn.MatchString(first) {
		return 0
	}
	joined := first
	for n := 2; n <= 3 && n <= len(lines); n++ { // wrapped by the program
		next := strings.TrimSpace(strings.TrimLeft(lines[n-1], "> "))
		if next == "" {
			return 0
		}
		if joined += " " + next; len(joined) <= 2*maxQuoteLine && hasWrote(joined) && attribution.MatchString(joined) {
			return n
		}
	}
	return 0
}

// attributionCounts tells whether a quote follows, marked or to the end: a
// sentence of the writer's own that looks like an attribution is followed by
// nothing.
func attributionCounts(below []string) bool {
	for _, l := range below {
		if strings.TrimSpace(l) != "" {
			return true
		}
	}
	return false
}

// interleaved tells whether the writer goes on between marked quotes.
func interleaved(below []string) bool {
	quoted, own := false, false
	for _, l := range below {
		t := strings.TrimSpace(l)
		switch {
		case t == "":
		case strings.HasPrefix(t, ">"):
			quoted = true
		case t == "--" || l == "-- ":
			return quoted && own
		case quoted && !phone.MatchString(t):
			own = true
		case !quoted:
			return false // the quote is not marked: all of it is quoted
		}
	}
	return quoted && own
}

// hasOwnBelow tells whether one marked quote is followed by the answer.
func hasOwnBelow(below []string) bool { return belowQuote(append([]string{""}, below...)) != "" }

// belowQuote is the answer that stands below a marked quote, "" = none.
func belowQuote(lines []string) string {
	last := -1
	for i, l := range lines {
		if strings.HasPrefix(strings.TrimSpace(l), ">") {
			last = i
		}
	}
	if last < 0 {
		return ""
	}
	for i := 1; i < min(last, maxQuoteLines); i++ { // own words in between: not one quote
		t := strings.TrimSpace(lines[i])
		if t != "" && !strings.HasPrefix(t, ">") && attributed(lines[i:]) == 0 && i > 3 {
			return ""
		}
	}
	return strings.TrimSpace(strings.Join(dropSignature(lines[last+1:]), "\n"))
}

// headerBlock tells whether the lines are a mail's header as programs quote it:
// at least three of its fields in the first lines.
func headerBlock(lines []string) bool {
	found, seen := 0, 0
	for _, l := range lines {
		if strings.TrimSpace(l) == "" {
			continue
		}
		if seen++; seen > 7 {
			break
		}
		if seen > 1 && fieldN.MatchString(l) {
			found++
		}
	}
	return found >= 2
}

// forwardedBelow tells whether a divider that nothing stands above opens a mail
// that is passed on.
func forwardedBelow(lines []string) bool {
	for _, l := range lines {
		if strings.TrimSpace(l) != "" {
			return true
		}
	}
	return false
}

// dropTrailingQuote takes marked quotes at the end away.
func dropTrailingQuote(lines []string) []string {
	end := len(lines)
	quoted := false
	for end > 0 {
		t := strings.TrimSpace(lines[end-1])
		if strings.HasPrefix(t, ">") {
			quoted = true
		} else if t != "" {
			break
		}
		end--
	}
	if !quoted || end == 0 {
		return lines
	}
	return lines[:end]
}

// maxSignature is how many lines a signature without the agreed mark may have.
const maxSignature = 12

// dropSignature takes the signature away: what follows "-- " (RFC 3676), and
// what telephones add.
func dropSignature(lines []string) []string {
	for i := 1; i < len(lines); i++ {
		if lines[i] == "-- " || strings.TrimRight(lines[i], " ") == "--" && len(lines)-i <= maxSignature {
			lines = lines[:i]
			break
		}
	}
	for len(lines) > 1 {
		t := strings.TrimSpace(lines[len(lines)-1])
		if t != "" && !phone.MatchString(t) {
			break
		}
		lines = lines[:len(lines)-1]
	}
	return lines
}
