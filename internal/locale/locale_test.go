package locale_test

import (
	"testing"
	"time"

	"casemate/internal/fault"
	"casemate/internal/locale"
)

func TestParseZone(t *testing.T) {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		zone   string
		offset int // minutes on 1 July 2026
		ok     bool
	}{
		{"GMT+8", 480, true}, {"GMT+08:00", 480, true}, {"UTC-5", -300, true}, {"gmt+5:30", 330, true}, {"UTC", 0, true}, {"Z", 0, true},
		{"Europe/London", 60, true}, {"Asia/Shanghai", 480, true}, {"GMT+15", 0, false}, {"GMT-13", 0, false}, {"Local", 0, false}, {"", 0, false}, {"../etc/passwd", 0, false},
	} {
		z, err := locale.ParseZone(tt.zone)
		if (err == nil) != tt.ok {
			t.Errorf("%q: %v", tt.zone, err)
			continue
		}
		if err == nil {
			if _, offset := at.In(z).Zone(); offset != tt.offset*60 {
				t.Errorf("%q: offset %d s, want %d min", tt.zone, offset, tt.offset)
			}
		}
	}
}

// TestParse: hints that are not understood fall back (semantics.md D15).
func TestParse(t *testing.T) {
	l := locale.Parse("fr-fr", "nowhere", "7")
	if l.Language != locale.ZH || l.Site != 0 || l.Stamp(0) != "1970-01-01 08:00:00" {
		t.Errorf("fall-back: %+v", l)
	}
	l = locale.Parse("EN_us", "UTC-5", "1")
	if l.Language != locale.EN || l.Site != 1 || l.Stamp(0) != "1969-12-31 19:00:00" {
		t.Errorf("%+v", l)
	}
	ms, err := l.ParseStamp("f", "1969-12-31 19:00:00")
	if err != nil || ms != 0 {
		t.Errorf("%d, %v", ms, err)
	}
	if _, err := l.ParseStamp("query_start_time", "yesterday"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v", err)
	}
}

func TestText(t *testing.T) {
	f := fault.TooLong.In("simple_description").With("max", 1200)
	if got := locale.Text(locale.EN, f); got != "simple_description may have at most 1200 characters" {
		t.Error(got)
	}
	if got := locale.Text(locale.ZH, f); got != "参数 simple_description 最多 1200 个字符" {
		t.Error(got)
	}
	if got := locale.Text(locale.EN, fault.NoPermission.In("x")); got != "No operation permission (field: x)" {
		t.Error(got)
	}
	if got := (locale.Texts{EN: "only"}).In(locale.ZH); got != "only" {
		t.Error(got)
	}
}
