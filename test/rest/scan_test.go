package rest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// search looks for secrets in what is stored and said.
type search struct {
	forms  []form
	places map[string]bool // looked at
	hits   map[string][]string
	bytes  int64
}

// form is one way to write a secret.
type form struct {
	secret, how string
	text        []byte
	whole       bool // no letter or digit may stand beside it: six digits stand in many a number
}

// newSearch makes ready to look for named secrets: as they are, escaped for an
// address, in base64 at each of its three alignments, and in hex.
func newSearch(secrets map[string]string) *search {
	s := &search{places: map[string]bool{}, hits: map[string][]string{}}
	for name, secret := range secrets {
		add := func(how, text string, whole bool) {
			if !slices.ContainsFunc(s.forms, func(f form) bool { return f.secret == name && string(f.text) == text }) {
				s.forms = append(s.forms, form{name, how, []byte(text), whole})
			}
		}
		add("plain", secret, len(secret) < 8)
		add("escaped", url.QueryEscape(secret), len(secret) < 8)
		add("hex", hex.EncodeToString([]byte(secret)), false)
		add("HEX", strings.ToUpper(hex.EncodeToString([]byte(secret))), false)
		for at := range 3 {
			for i, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				how := []string{"base64", "base64url"}[i]
				// The first and last characters depend on what stands beside.
				text := e.EncodeToString(append(make([]byte, at), secret...))
				first, last := (at*8+5)/6, (at+len(secret))*8/6
				if last-first < 6 {
					continue
				}
				add(fmt.Sprint(how, " at ", at), text[first:last], last-first < 8)
			}
		}
	}
	return s
}

// in looks into one text of a place.
func (s *search) in(place string, text []byte) {
	s.places[place] = true
	s.bytes += int64(len(text))
	for _, f := range s.forms {
		if has(text, f) {
			s.hits[f.secret+" ("+f.how+")"] = append(s.hits[f.secret+" ("+f.how+")"], place)
		}
	}
}

func has(text []byte, f form) bool {
	for rest, from := text, 0; ; {
		i := bytes.Index(rest, f.text)
		if i < 0 {
			return false
		}
		begin, end := from+i, from+i+len(f.text)
		if !f.whole || (begin == 0 || !alnum(text[begin-1])) && (end == len(text) || !alnum(text[end])) {
			return true
		}
		from = begin + 1
		rest = text[from:]
	}
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// TestScanner: the search finds each form, wherever it stands, and no six
// digits inside a longer number.
func TestScanner(t *testing.T) {
	const secret, code = "MARKER-scan?-7f2c91", "483920"
	for before := range 4 {
		pad := strings.Repeat("x", before)
		for how, text := range map[string]string{
			"plain": pad + secret + "y", "hex": hex.EncodeToString([]byte(pad + secret)), "base64": base64.StdEncoding.EncodeToString([]byte(pad + secret + "tail")),
			"base64url": "{\"v\":\"" + base64.URLEncoding.EncodeToString([]byte(pad+secret)) + "\"}", "escaped": "a=" + url.QueryEscape(secret) + "&b",
		} {
			s := newSearch(map[string]string{"secret": secret})
			if s.in("here", []byte(text)); len(s.hits) == 0 {
				t.Errorf("%s behind %d characters is not found: %s", how, before, text)
			}
		}
	}
	for text, want := range map[string]bool{"code 483920.": true, `{"Code":"483920"}`: true, "483920": true, "1483920": false, "14839201 483920": true, "a483920": false, hex.EncodeToString([]byte("483920")): true} {
		s := newSearch(map[string]string{"code": code})
		if s.in("here", []byte(text)); (len(s.hits) > 0) != want {
			t.Errorf("%q: %v", text, s.hits)
		}
	}
}
