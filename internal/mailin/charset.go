package mailin

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// toText is bytes of a character set as text, without NULs and other controls.
// A label that is missing, unknown or plainly wrong is replaced by a guess.
func toText(label string, b []byte) string { return printable(decodeAs(label, b)) }

func decodeAs(label string, b []byte) string {
	label = strings.ToLower(strings.Trim(strings.TrimSpace(label), `"'`))
	switch label {
	case "utf-7", "unicode-1-1-utf-7", "x-unicode-2-0-utf-7", "csutf7":
		return utf7(b)
	case "", "us-ascii", "ascii", "ansi_x3.4-1968", "utf-8", "utf8", "cp65001", "unknown-8bit", "x-unknown", "unknown", "default", "default_charset", "binary", "7bit", "8bit":
		return guess(b)
	case "gb2312", "gb_2312-80", "gbk", "x-gbk", "cp936", "ms936", "windows-936", "gb18030", "csgb2312", "euc-cn", "gb2312_charset", "chinesegb_charset":
		if clearlyUTF8(b) {
			return string(b)
		}
		return with(simplifiedchinese.GB18030, b)
	case "hz-gb-2312", "hz":
		return with(simplifiedchinese.HZGB2312, b)
	case "ks_c_5601-1987", "cp949", "x-windows-949", "ms949":
		return with(korean.EUCKR, b)
	case "cp932", "ms932", "windows-31j", "x-sjis", "sjis", "shift-jis", "shift_jis":
		return with(japanese.ShiftJIS, b)
	case "cp950", "x-x-big5", "big5-hkscs", "big5":
		return with(traditionalchinese.Big5, b)
	case "iso-2022-jp-ms", "cp50220", "cp50221", "iso-2022-jp":
		return with(japanese.ISO2022JP, b)
	}
	if n, ok := strings.CutPrefix(label, "cp125"); ok {
		label = "windows-125" + n
	}
	e, name := charset.Lookup(label)
	if e == nil || name == "replacement" {
		return guess(b)
	}
	if (strings.HasPrefix(name, "windows-125") || strings.HasPrefix(name, "iso-8859")) && clearlyUTF8(b) {
		return string(b) // such a text by chance is next to impossible
	}
	return with(e, b)
}

func with(e encoding.Encoding, b []byte) string {
	out, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(out), "\uFFFD")
	}
	return string(out)
}

// clearlyUTF8 tells a text that is UTF-8 and would be odd in any other set: it
// has three-byte characters, or several of two bytes.
func clearlyUTF8(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	long, short := 0, 0
	for _, r := range string(b) {
		switch n := utf8.RuneLen(r); {
		case n >= 3:
			long++
		case n == 2:
			short++
		}
	}
	return long > 0 && long >= short || short >= 2 && long == 0
}

// guess reads bytes whose character set nobody told.
func guess(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		return strings.ToValidUTF8(string(b[3:]), "\uFFFD")
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		return utf16Text(b)
	case utf8.Valid(b):
		if bytes.Contains(b, []byte("\x1b$")) {
			return with(japanese.ISO2022JP, b)
		}
		return string(b)
	}
	if mostlyUTF8(b) {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	var high, pairs, common, low, kana, odd int
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c < 0x80 {
			continue
		}
		high++
		if i+1 == len(b) {
			break // cut off in the middle
		}
		d := b[i+1]
		if c == 0x80 || c == 0xff || d < 0x40 || d == 0x7f || d == 0xff {
			odd++
			continue
		}
		pairs++
		switch {
		case c >= 0xb0 && c <= 0xd7 && d >= 0xa1, c == 0xa1 && d >= 0xa1, c == 0xa3 && d >= 0xa1:
			common++ // the frequent characters of GB 2312, and its punctuation
		case c >= 0xa4 && c <= 0xc6 && d <= 0x7e:
			low++ // the frequent ones of Big5
		}
		if (c == 0x82 || c == 0x83) && d >= 0x40 {
			kana++
		}
		if d >= 0x80 {
			high++
		}
		i++
	}
	switch {
	case odd*8 > pairs || pairs == 0:
		return with(charmap.Windows1252, b)
	case kana*3 > pairs:
		return with(japanese.ShiftJIS, b)
	case low*5 > pairs:
		return with(traditionalchinese.Big5, b)
	case common*2 >= pairs:
		return with(simplifiedchinese.GB18030, b)
	}
	return with(charmap.Windows1252, b)
}

// mostlyUTF8 tells a UTF-8 text with a few broken places, as cutting makes them.
func mostlyUTF8(b []byte) bool {
	for n := 1; n <= 3 && n <= len(b); n++ { // cut off in a character
		if c := b[len(b)-n]; c >= 0xc0 {
			b = b[:len(b)-n]
			break
		} else if c < 0x80 {
			break
		}
	}
	good, bad := 0, 0
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			bad++
		case n > 1:
			good++
		}
		b = b[n:]
	}
	return good > 0 && bad*4 <= good
}

func utf16Text(b []byte) string {
	little := b[0] == 0xff
	var u []uint16
	for i := 2; i+1 < len(b); i += 2 {
		if little {
			u = append(u, uint16(b[i])|uint16(b[i+1])<<8)
		} else {
			u = append(u, uint16(b[i])<<8|uint16(b[i+1]))
		}
	}
	return string(utf16.Decode(u))
}

// utf7 reads UTF-7 (RFC 2152).
func utf7(b []byte) string {
	var out strings.Builder
	for i := 0; i < len(b); i++ {
		if b[i] != '+' {
			out.WriteByte(b[i])
			continue
		}
		j := i + 1
		for j < len(b) && base64Value[b[j]] {
			j++
		}
		if j == i+1 {
			out.WriteByte('+')
			if j < len(b) && b[j] == '-' {
				i = j
			}
			continue
		}
		raw, _ := base64.RawStdEncoding.DecodeString(string(b[i+1 : j])) // leftover bits are padding
		var u []uint16
		for k := 0; k+1 < len(raw); k += 2 {
			u = append(u, uint16(raw[k])<<8|uint16(raw[k+1]))
		}
		out.WriteString(string(utf16.Decode(u)))
		if i = j - 1; j < len(b) && b[j] == '-' {
			i = j
		}
	}
	return strings.ToValidUTF8(out.String(), "\uFFFD")
}

// printable is a text of lines: no NUL, no controls but line end and tab, no
// marks that turn the direction of reading, line ends as \n.
func printable(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\u00a0':
			return ' '
		case unicode.IsControl(r), r == '\ufeff', r == '\u200b', r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return -1
		}
		return r
	}, s)
}
