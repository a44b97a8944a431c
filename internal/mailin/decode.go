package mailin

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// decoded is a leaf's content, its transfer encoding undone as far as it can
// be: what is broken in it is left out, what came before stays.
func (p *part) decoded() []byte {
	switch enc, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(p.header.get("content-transfer-encoding"))), ";"); strings.TrimSpace(enc) {
	case "base64":
		return unbase64(p.body)
	case "quoted-printable":
		return unquote(p.body, false)
	case "x-uuencode", "uuencode", "x-uue":
		return unuu(p.body)
	}
	return p.body
}

var base64Value = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = true
	}
	return t
}()

// unbase64 decodes base64 as it comes over bad roads: other characters are
// skipped, padding may be missing or stand in the middle, where encoded pieces
// were joined.
func unbase64(b []byte) []byte {
	out := make([]byte, 0, len(b)*3/4)
	var group [4]byte
	n := 0
	flush := func() {
		var dst [3]byte
		if k, err := base64.RawStdEncoding.Decode(dst[:], group[:n]); err == nil || k > 0 {
			out = append(out, dst[:k]...)
		}
		n = 0
	}
	for _, c := range b {
		switch {
		case c == '=':
			flush()
		case base64Value[c]:
			group[n] = c
			if n++; n == 4 {
				flush()
			}
		}
	}
	if n > 1 {
		flush()
	}
	return out
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// unquote decodes quoted-printable; of encoded words "_" is a blank. What is no
// escape stays as it is.
func unquote(b []byte, word bool) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '_' && word:
			out = append(out, ' ')
		case c != '=':
			out = append(out, c)
		case i+2 < len(b):
			hi, ok := hexDigit(b[i+1])
			lo, ok2 := hexDigit(b[i+2])
			if ok && ok2 {
				out = append(out, hi<<4|lo)
				i += 2
				continue
			}
			if n := softBreak(b[i+1:]); n > 0 {
				i += n
				continue
			}
			out = append(out, c)
		default:
			if n := softBreak(b[i+1:]); n > 0 {
				i += n
				continue
			}
			if i != len(b)-1 { // a lone "=" at the end is a soft break cut off
				out = append(out, c)
			}
		}
	}
	return out
}

// softBreak is how many bytes a line end takes, blanks before it included.
func softBreak(b []byte) int {
	for i, c := range b {
		switch c {
		case ' ', '\t', '\r':
		case '\n':
			return i + 1
		default:
			return 0
		}
	}
	return 0
}

// unuu decodes uuencoded lines between begin and end.
func unuu(b []byte) []byte {
	var out []byte
	started := false
	for len(b) > 0 {
		var line []byte
		line, b = nextLine(b)
		if !started {
			started = bytes.HasPrefix(line, []byte("begin "))
			continue
		}
		if len(line) == 0 || bytes.Equal(line, []byte("end")) {
			break
		}
		n := int(line[0]-' ') & 63
		at := func(i int) byte {
			if i < len(line) {
				return (line[i] - ' ') & 63
			}
			return 0
		}
		var got []byte
		for i := 1; len(got) < n; i += 4 {
			got = append(got, at(i)<<2|at(i+1)>>4, at(i+1)<<4|at(i+2)>>2, at(i+2)<<6|at(i+3))
		}
		out = append(out, got[:n]...)
	}
	return out
}
