package mailin

import (
	"bytes"
	"strings"
)

// Bounds of reading one mail. What passes them is kept whole, as a file, and
// not looked into: nothing is lost and no mail costs more than its size a few
// times over.
const (
	maxParts       = 200       // parts of a mail, all levels together
	maxDepth       = 12        // of parts within parts
	maxHeaderBytes = 256 << 10 // of one part's header; the rest of it is skipped
	maxFields      = 400       // of one header
	maxValue       = 32 << 10  // of one field
	maxText        = 1 << 20   // of the text of a mail, in bytes
)

// field is one header field, unfolded, as bytes came.
type field struct{ name, value string } // name in lower case

type header []field

// get is the first field of the name, or "".
func (h header) get(name string) string {
	for _, f := range h {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

func (h header) has(name string) bool {
	for _, f := range h {
		if f.name == name {
			return true
		}
	}
	return false
}

// part is one part of a mail: a leaf, or one with parts of its own.
type part struct {
	header header
	raw    []byte // header and body, as they came
	body   []byte // still in its transfer encoding
	kind   string // media type in lower case
	params map[string]string
	parts  []*part // of a multipart
	whole  bool    // bounds were passed: it is not looked into
}

// reader parses a mail within its bounds.
type reader struct {
	left    int  // parts that may still be made
	broken  bool // the structure is not what the headers say
	clipped bool // a bound of the parts was passed
}

// readParts is a mail's tree of parts. It never fails: what has no structure is
// a text.
func readParts(raw []byte) (*part, *reader) {
	r := &reader{left: maxParts}
	raw = begin(raw)
	if bytes.HasPrefix(raw, []byte("From ")) || bytes.HasPrefix(raw, []byte(">From ")) { // a line of mbox files
		if i := bytes.IndexByte(raw, '\n'); i >= 0 {
			raw = raw[i+1:]
		}
	}
	return r.part(raw, 0, "text/plain"), r
}

// begin is a mail from its first field on: without empty lines and a mark of the
// byte order before it, and in lines where it has carriage returns only.
func begin(raw []byte) []byte {
	raw = bytes.TrimPrefix(bytes.TrimLeft(raw, "\r\n"), []byte("\xef\xbb\xbf"))
	if lines := bytes.TrimRight(raw, "\r\n"); bytes.ContainsRune(lines, '\r') && !bytes.ContainsRune(lines, '\n') {
		raw = bytes.ReplaceAll(lines, []byte("\r"), []byte("\n"))
	}
	return raw
}

// part reads one part. fallback is its type when it names none.
func (r *reader) part(raw []byte, depth int, fallback string) *part {
	r.left--
	p := &part{raw: raw}
	p.header, p.body = r.readHeader(raw)
	p.kind, p.params = mediaType(p.header.get("content-type"))
	if p.kind == "" {
		p.kind = fallback
	}
	if !strings.HasPrefix(p.kind, "multipart/") {
		return p
	}
	boundary := p.params["boundary"]
	if boundary == "" || !hasBoundary(p.body, boundary) {
		r.broken = true
		if boundary = guessBoundary(p.body); boundary == "" {
			p.kind = "text/plain" // parts in name only
			return p
		}
	}
	if depth >= maxDepth || r.left <= 0 {
		p.whole, r.clipped = true, true
		return p
	}
	inner := "text/plain"
	if p.kind == "multipart/digest" {
		inner = "message/rfc822"
	}
	pieces, closed := split(p.body, boundary, r.left)
	if !closed {
		r.broken = true
	}
	for i, piece := range pieces {
		if r.left <= 0 || i == len(pieces)-1 && i == maxParts {
			r.clipped = true
			p.parts = append(p.parts, &part{raw: piece, body: piece, kind: "application/octet-stream", params: map[string]string{}, whole: true})
			break
		}
		p.parts = append(p.parts, r.part(piece, depth+1, inner))
	}
	return p
}

// nextLine cuts the first line off, without its end.
func nextLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return b, nil
	}
	return bytes.TrimSuffix(b[:i], []byte("\r")), b[i+1:]
}

// readHeader reads fields up to the empty line. A line that is none ends the
// header: what follows is text somebody forgot to set apart.
func (r *reader) readHeader(raw []byte) (h header, body []byte) {
	var values [][]byte
	defer func() {
		for i := range h {
			h[i].value = string(bytes.TrimSpace(values[i]))
		}
	}()
	rest := raw
	for len(rest) > 0 {
		line, after := nextLine(rest)
		if len(bytes.TrimSpace(line)) == 0 {
			return h, after
		}
		if (line[0] == ' ' || line[0] == '\t') && len(h) > 0 {
			if v := &values[len(h)-1]; len(*v) < maxValue {
				*v = append(append(*v, ' '), clean(clip(bytes.TrimSpace(line), maxValue))...)
			}
			rest = after
			continue
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		name = bytes.TrimSpace(name)
		if !ok || len(name) == 0 || len(name) > 100 || bytes.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
			if len(h) > 0 && (len(raw)-len(rest) > 0) && looksLikeHeader(after) {
				r.broken = true // rubbish between two fields
				rest = after
				continue
			}
			r.broken = true
			return h, rest
		}
		if len(h) < maxFields && len(raw)-len(rest) < maxHeaderBytes {
			h = append(h, field{name: strings.ToLower(string(name))})
			values = append(values, clean(clip(bytes.TrimSpace(value), maxValue)))
		}
		rest = after
	}
	return h, nil
}

// looksLikeHeader tells whether the next line is a field of a mail's header.
func looksLikeHeader(b []byte) bool {
	line, _ := nextLine(b)
	name, _, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return false
	}
	switch n := strings.ToLower(string(clip(name, 60))); n {
	case "from", "to", "cc", "date", "subject", "message-id", "mime-version", "received", "return-path", "reply-to", "in-reply-to", "references":
		return true
	default:
		return strings.HasPrefix(n, "content-")
	}
}

func clip(b []byte, n int) []byte { return b[:min(len(b), n)] }

// clean takes out what has no place in a header; bytes that are not UTF-8 stay,
// raw 8-bit headers are decoded later.
func clean(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if c != 0 && c != '\r' && c != '\n' {
			out = append(out, c)
		}
	}
	return out
}

// isBoundary tells whether a line separates parts, and whether it ends them.
func isBoundary(line []byte, boundary string) (hit, last bool) {
	if len(line) < 2 || line[0] != '-' || line[1] != '-' || !bytes.HasPrefix(line[2:], []byte(boundary)) {
		return false, false
	}
	rest := bytes.TrimSpace(line[2+len(boundary):])
	return len(rest) == 0 || string(rest) == "--", string(rest) == "--"
}

func hasBoundary(body []byte, boundary string) bool {
	for at := 0; at < len(body); {
		i := bytes.Index(body[at:], []byte("--"+boundary))
		if i < 0 {
			return false
		}
		i += at
		if i == 0 || body[i-1] == '\n' {
			line, _ := nextLine(body[i:])
			if hit, _ := isBoundary(line, boundary); hit {
				return true
			}
		}
		at = i + 2
	}
	return false
}

// guessBoundary finds the line that separates parts whose header names another,
// or none: it begins with two dashes and a header follows it.
func guessBoundary(body []byte) string {
	rest := clip(body, 64<<10)
	for len(rest) > 0 {
		line, after := nextLine(rest)
		if bytes.HasPrefix(line, []byte("--")) && len(line) > 4 && len(line) < 80 && looksLikeHeader(after) {
			return strings.TrimRight(string(line[2:]), " \t")
		}
		rest = after
	}
	return ""
}

// split cuts a multipart's body into its parts, at most so many and one; the
// last one runs to the end when nothing closes it.
func split(body []byte, boundary string, most int) (pieces [][]byte, closed bool) {
	start := -1 // of the part under way
	for at := 0; at <= len(body); {
		line, rest := nextLine(body[at:])
		next := len(body) - len(rest)
		if hit, last := isBoundary(line, boundary); hit {
			if start >= 0 {
				end := at
				if end > start && body[end-1] == '\n' {
					end--
				}
				if end > start && body[end-1] == '\r' {
					end--
				}
				pieces = append(pieces, body[start:max(end, start)])
			}
			if last {
				return pieces, true
			}
			if start = next; len(pieces) > most {
				break
			}
		}
		// The next line that could be one.
		if next >= len(body) {
			break
		}
		if bytes.HasPrefix(body[next:], []byte("--")) {
			at = next
			continue
		}
		i := bytes.Index(body[next:], []byte("\n--"))
		if i < 0 {
			break
		}
		at = next + i + 1
	}
	if start >= 0 && start < len(body) {
		pieces = append(pieces, body[start:])
	}
	return pieces, false
}
