// Package locale knows the caller's language and time zone: which text a fault
// has, how names fall back, how times are read and written on the wire.
package locale

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones must not depend on the machine

	"casemate/internal/fault"
)

// Language is one of the two supported languages.
type Language string

const (
	ZH Language = "zh-cn" // the default
	EN Language = "en-us"
)

// Locale is how one caller reads: language and zone.
type Locale struct {
	Language Language
	Zone     *time.Location
	Site     int  // X-Site: 0 China site, 1 international (semantics.md D26)
	Asked    bool // the caller named the zone; else it is the default
}

var gmt8 = time.FixedZone("GMT+8", 8*3600)

// Default is zh-cn, GMT+8, China site.
func Default() Locale { return Locale{Language: ZH, Zone: gmt8} }

type key struct{}

// With puts the caller's locale into the context.
func With(ctx context.Context, l Locale) context.Context { return context.WithValue(ctx, key{}, l) }

// From is the request's locale, or the default.
func From(ctx context.Context) Locale {
	if l, ok := ctx.Value(key{}).(Locale); ok {
		return l
	}
	return Default()
}

// Parse reads the X-Language, X-Time-Zone and X-Site headers. Unknown values
// fall back to the default without an error (semantics.md D15).
func Parse(language, zone, site string) Locale {
	l := Default()
	if lang, ok := ParseLanguage(language); ok {
		l.Language = lang
	}
	if z, err := ParseZone(zone); err == nil {
		l.Zone, l.Asked = z, true
	}
	if site == "1" {
		l.Site = 1
	}
	return l
}

// ParseLanguage accepts zh, zh-cn, zh_CN, en, en-us and the like.
func ParseLanguage(s string) (Language, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	switch {
	case s == "zh" || strings.HasPrefix(s, "zh-") || strings.HasPrefix(s, "zh_"):
		return ZH, true
	case s == "en" || strings.HasPrefix(s, "en-") || strings.HasPrefix(s, "en_"):
		return EN, true
	}
	return ZH, false
}

var offset = regexp.MustCompile(`^(?:GMT|UTC)([+-])(\d{1,2})(?::?([0-5]\d))?$`)

// ParseZone reads GMT+8, GMT+08:00, UTC-5, UTC, Z and IANA names. Offsets reach
// from -12:00 to +14:00.
func ParseZone(s string) (*time.Location, error) {
	s = strings.TrimSpace(s)
	up := strings.ToUpper(s)
	switch up {
	case "":
		return nil, errors.New("empty zone")
	case "Z", "UTC", "GMT":
		return time.UTC, nil
	}
	if m := offset.FindStringSubmatch(up); m != nil {
		h, _ := strconv.Atoi(m[2])
		min := 0
		if m[3] != "" {
			min, _ = strconv.Atoi(m[3])
		}
		secs := h*3600 + min*60
		if m[1] == "-" {
			secs = -secs
		}
		if secs < -12*3600 || secs > 14*3600 {
			return nil, errors.New("zone offset out of range")
		}
		return time.FixedZone(up, secs), nil
	}
	if up == "LOCAL" { // the server's zone is nobody's business
		return nil, errors.New("unknown zone")
	}
	return time.LoadLocation(s)
}

// Text is a fault's message in the language, its placeholders filled and its
// field named; never empty. {field} is the fault's field.
func Text(lang Language, f *fault.Error) string {
	text := f.ZH
	if lang == EN || text == "" {
		text = f.EN
	}
	if text == "" {
		text = f.Code
	}
	named := strings.Contains(text, "{field}")
	args := append([]fault.Arg{{Name: "field", Value: f.Field}}, f.Args...)
	for i, a := range args {
		if lang == EN {
			break
		}
		switch v := a.Value.(type) {
		case fault.List:
			args[i].Value = strings.Join(v, "、")
		case fault.Words:
			args[i].Value = v.ZH
		}
	}
	text = fault.Fill(text, args)
	if f.Field != "" && !named {
		if lang == EN {
			text = strings.TrimSuffix(text, ".") + " (field: " + f.Field + ")"
		} else {
			text += "（参数：" + f.Field + "）"
		}
	}
	return text
}

// Texts is a name in both languages.
type Texts struct {
	ZH string `yaml:"zh" json:"zh"`
	EN string `yaml:"en" json:"en"`
}

// In is the name in the language; a missing one falls back to the other (D15).
func (t Texts) In(lang Language) string {
	if lang == EN && t.EN != "" || t.ZH == "" {
		return t.EN
	}
	return t.ZH
}

// Wire is an instant as the SDKs' time types read it: UTC, whole seconds, Z
// (semantics.md section 1, "Time on the wire").
func Wire(ms int64) time.Time { return time.UnixMilli(ms).UTC().Truncate(time.Second) }

// Stamp writes an instant as a plain string time in the caller's zone.
func (l Locale) Stamp(ms int64) string {
	return time.UnixMilli(ms).In(l.Zone).Format("2006-01-02 15:04:05")
}

var errStamp = fault.BadFormat.With("form", "yyyy-MM-dd HH:mm:ss")

// ParseStamp reads a filter's time in the caller's zone, in milliseconds UTC.
// It also takes RFC 3339 with an offset. The field names the parameter.
func (l Locale) ParseStamp(field, s string) (int64, error) {
	if t, err := time.ParseInLocation("2006-01-02 15:04:05", s, l.Zone); err == nil {
		return t.UnixMilli(), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UnixMilli(), nil
	}
	return 0, errStamp.In(field)
}

// ParseSpan reads query_start_time and query_end_time; 0 is none.
func (l Locale) ParseSpan(start, end string) (from, to int64, err error) {
	if start != "" {
		if from, err = l.ParseStamp("query_start_time", start); err != nil {
			return 0, 0, err
		}
	}
	if end != "" {
		if to, err = l.ParseStamp("query_end_time", end); err != nil {
			return 0, 0, err
		}
	}
	return from, to, nil
}
