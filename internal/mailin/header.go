package mailin

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"casemate/internal/identity"
)

// encodedWord is one word of RFC 2047, blanks inside allowed, as some write it.
var encodedWord = regexp.MustCompile(`=\?([A-Za-z0-9_.:()+-]+)(?:\*[A-Za-z0-9-]*)?\?([bBqQ])\?([^?]*)\?=`)

const (
	maxWords  = 500  // encoded words in one field; more stay as they are
	maxHeader = 2000 // characters of a field's text
)

// headerText is a field's text: encoded words decoded, neighbours of one
// character set joined before that (many cut a character in two), raw bytes
// guessed. One line, without controls.
func headerText(value string) string {
	at := encodedWord.FindAllStringSubmatchIndex(value, maxWords)
	var out strings.Builder
	last := 0
	for i := 0; i < len(at); {
		m := at[i]
		between := value[last:m[0]]
		if i == 0 || strings.TrimSpace(between) != "" {
			out.WriteString(decodeAs("", []byte(between)))
		}
		set := strings.ToLower(value[m[2]:m[3]])
		var raw []byte
		for {
			m = at[i]
			text := []byte(value[m[6]:m[7]])
			if strings.EqualFold(value[m[4]:m[5]], "b") {
				raw = append(raw, unbase64(text)...)
			} else {
				raw = append(raw, unquote(text, true)...)
			}
			last = m[1]
			if i++; i == len(at) || strings.TrimSpace(value[last:at[i][0]]) != "" || !strings.EqualFold(value[at[i][2]:at[i][3]], set) {
				break
			}
		}
		out.WriteString(decodeAs(set, raw))
	}
	out.WriteString(decodeAs("", []byte(value[last:])))
	return cut(strings.Join(strings.Fields(printable(out.String())), " "), maxHeader)
}

// cut is the text's first n characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// mediaType reads a field with parameters: Content-Type, Content-Disposition.
// The value comes in lower case; parameters over several pieces, with character
// sets (RFC 2231), in encoded words or in raw bytes are put together.
func mediaType(value string) (kind string, params map[string]string) {
	params = map[string]string{}
	kind, rest, _ := strings.Cut(value, ";")
	kind = strings.ToLower(strings.Trim(strings.TrimSpace(kind), `"`))
	if i := strings.IndexAny(kind, " \t,"); i >= 0 {
		kind = kind[:i]
	}
	type piece struct {
		n       int
		text    string
		percent bool
	}
	pieces := map[string][]piece{}
	for count := 0; rest != "" && count < 100; count++ {
		var name, v string
		name, v, rest = nextParam(rest)
		if name == "" {
			continue
		}
		base, star, starred := strings.Cut(name, "*")
		if !starred {
			if _, twice := params[name]; !twice {
				params[name] = v
			}
			continue
		}
		p := piece{text: v, percent: strings.HasSuffix(name, "*")}
		if star = strings.TrimSuffix(star, "*"); star != "" {
			n, err := strconv.Atoi(star)
			if err != nil || n < 0 || n > 99 {
				continue
			}
			p.n = n
		}
		pieces[base] = append(pieces[base], p)
	}
	for name, all := range pieces {
		slices.SortStableFunc(all, func(a, b piece) int { return a.n - b.n })
		set, raw := "", ""
		for i, p := range all {
			text := p.text
			if i == 0 && p.percent {
				if parts := strings.SplitN(text, "'", 3); len(parts) == 3 {
					set, text = parts[0], parts[2]
				}
			}
			if p.percent {
				text = unpercent(text)
			}
			raw += text
		}
		params[name] = decodeAs(set, []byte(raw))
	}
	return kind, params
}

// nextParam cuts one parameter off.
func nextParam(s string) (name, value, rest string) {
	s = strings.TrimLeft(s, "; \t")
	i := strings.IndexAny(s, "=;")
	if i < 0 {
		return "", "", ""
	}
	if s[i] == ';' {
		return "", "", s[i+1:]
	}
	name = strings.ToLower(strings.TrimSpace(s[:i]))
	s = strings.TrimLeft(s[i+1:], " \t")
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ";")
		return name, strings.TrimSpace(value), rest
	}
	var b strings.Builder
	for j := 1; j < len(s); j++ {
		switch c := s[j]; {
		case c == '\\' && j+1 < len(s) && (s[j+1] == '"' || s[j+1] == '\\'):
			j++
			b.WriteByte(s[j])
		case c == '"':
			_, rest, _ = strings.Cut(s[j+1:], ";")
			return name, b.String(), rest
		default:
			b.WriteByte(c)
		}
	}
	return name, b.String(), "" // not closed
}

// unpercent undoes %xx; what is no escape stays.
func unpercent(s string) string {
	if t, err := url.PathUnescape(s); err == nil {
		return t
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, ok := hexDigit(s[i+1])
			lo, ok2 := hexDigit(s[i+2])
			if ok && ok2 {
				out = append(out, hi<<4|lo)
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// addressForm finds an address in a field, however it is dressed.
var addressForm = regexp.MustCompile(`[^\s<>()\[\],;:"']+@[^\s<>()\[\],;:"']+`)

// addresses are those of a field, in their one spelling, at most so many. In
// display names nothing is looked for where an address stands in angle brackets.
func addresses(value string, most int) (all []string) {
	for _, piece := range splitList(value) {
		if i := strings.LastIndexByte(piece, '<'); i >= 0 {
			piece = piece[i:]
		}
		a, err := identity.NormalMail(strings.Trim(addressForm.FindString(piece), "."))
		if err == nil && !slices.Contains(all, a) {
			if all = append(all, a); len(all) == most {
				break
			}
		}
	}
	return all
}

// splitList cuts a list of addresses at its commas, not at those in quotes.
func splitList(s string) (all []string) {
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case (c == ',' || c == ';') && !quoted:
			all = append(all, s[start:i])
			start = i + 1
		}
	}
	return append(all, s[start:])
}

// address is the one address of a field, or "".
func address(value string) string {
	if all := addresses(value, 1); len(all) == 1 {
		return all[0]
	}
	return ""
}

// displayName is what a From field calls its writer, "" = nothing.
func displayName(value string) string {
	i := strings.LastIndexByte(value, '<')
	if i <= 0 {
		return ""
	}
	return cut(strings.Trim(headerText(value[:i]), `" '`), 100)
}

var messageID = regexp.MustCompile(`<[^<>\s]{3,500}>`)

// messageIDs are the ids of a field in their order, without brackets.
func messageIDs(value string, most int) (all []string) {
	for _, id := range messageID.FindAllString(value, most) {
		all = append(all, id[1:len(id)-1])
	}
	if len(all) == 0 {
		if v := strings.TrimSpace(value); strings.Contains(v, "@") && !strings.ContainsAny(v, " \t<>") && len(v) <= 500 && utf8.ValidString(v) {
			all = append(all, v)
		}
	}
	return all
}
