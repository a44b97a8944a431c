package identity_test

import (
	"regexp"
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
)

// TestAreaCodes: a calling code that does not exist is told as such, at its field and
// in both languages; every one that the catalogue offers is taken.
func TestAreaCodes(t *testing.T) {
	for area, want := range map[string][2]string{
		"86x":   {"国家码“86x”不存在，请写数字，例如中国为 86（参数：area_code）", "there is no calling code 86x: write digits, for example 86 for China (field: area_code)"},
		"999":   {"国家码“999”不存在，请写数字，例如中国为 86（参数：area_code）", "there is no calling code 999: write digits, for example 86 for China (field: area_code)"},
		"+86":   {},
		"0086":  {},
		"":      {},
		"00":    {},
		"china": {"国家码“china”不存在，请写数字，例如中国为 86（参数：area_code）", "there is no calling code china: write digits, for example 86 for China (field: area_code)"},
	} {
		_, err := identity.NormalMobile(area, "13800138000")
		f, refused := fault.As(err)
		if refused != (want[0] != "") {
			t.Errorf("%q: %v", area, err)
			continue
		}
		if !refused {
			continue
		}
		if zh, en := locale.Text(locale.ZH, f), locale.Text(locale.EN, f); zh != want[0] || en != want[1] {
			t.Errorf("%q: %q, %q", area, zh, en)
		}
	}
	if _, err := identity.NormalMobile("999", "+8613800138000"); err != nil {
		t.Errorf("a number with its own code asks for another: %v", err)
	}
	if f, _ := fault.As(func() error { _, err := identity.NormalMobile("86", "12"); return err }()); f == nil || f.Field != "contact_value" {
		t.Errorf("a short number: %v", f)
	}
	codes := regexp.MustCompile(`code: "(\d+)"`).FindAllSubmatch(catalog.Default()["area-codes.yaml"], -1)
	if len(codes) < 200 {
		t.Fatalf("%d calling codes", len(codes))
	}
	for _, c := range codes {
		if _, err := identity.NormalMobile(string(c[1]), "12345678"); err != nil {
			if f, ok := fault.As(err); !ok || f.Field != "contact_value" {
				t.Errorf("%s of the catalogue: %v", c[1], err)
			}
		}
	}
}
