package verify_test

import (
	"errors"
	"strings"
	"testing"

	"casemate/internal/config"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/verify"
)

// TestSmsAllowList: text messages go to mobile numbers of listed countries
// only (A10); what is refused is neither queued nor counted. Mainland numbers
// by the MIIT numbering plan (13x, 145-149, 15x, 162, 165-167, 17x, 18x, 19x
// mobile; 400 shared cost; 800 free; 10, 20-29 and 0xxx fixed; 95, 96, 100,
// 110..122 service numbers); others from their countries' plans.
func TestSmsAllowList(t *testing.T) {
	t.Parallel()
	type number struct {
		area, value string
		ok          bool
	}
	china := []number{
		{"86", "13000000000", true}, {"86", "13112345678", true}, {"86", "13412345678", true}, {"86", "13812345678", true}, {"86", "13912345678", true},
		{"86", "14512345678", true}, {"86", "14712345678", true}, {"86", "15112345678", true}, {"86", "15012345678", true}, {"86", "15312345678", true},
		{"86", "15912345678", true}, {"86", "16212345678", true}, {"86", "16512345678", true}, {"86", "16612345678", true}, {"86", "16712345678", true},
		{"86", "17312345678", true}, {"86", "17712345678", true}, {"86", "17812345678", true}, {"86", "18012345678", true}, {"86", "18612345678", true},
		{"86", "18912345678", true}, {"86", "19012345678", true}, {"86", "19112345678", true}, {"86", "19512345678", true}, {"86", "19912345678", true},
		{"", "13812345678", true}, {"+86", "13812345678", true}, {"0086", "138 1234 5678", true}, {"86", "+86-138-1234-5678", true}, {"86", "013812345678", true}, {"８６", "１３８１２３４５６７８", true},
		{"86", "1012345678", false}, {"86", "01012345678", false}, {"86", "2112345678", false}, {"86", "075512345678", false}, {"86", "057187654321", false},
		{"86", "4001234567", false}, {"86", "8001234567", false}, {"86", "95588", false}, {"86", "10086", false}, {"86", "110", false}, {"86", "12306", false},
		{"86", "96110", false}, {"86", "11812345678", false}, {"86", "12012345678", false}, {"86", "1381234567", false}, {"86", "138123456789", false}, {"86", "12345678901", false},
	}
	abroad := []number{
		{"852", "51234567", false}, {"853", "66123456", false}, {"886", "912345678", false}, {"1", "4155552671", false}, {"1", "8005551234", false}, {"1", "9005551234", false},
		{"44", "7400123456", false}, {"44", "9012345678", false}, {"44", "7624123456", false}, {"44", "8431234567", false}, {"7", "9123456789", false}, {"33", "612345678", false},
		{"49", "15123456789", false}, {"81", "9012345678", false}, {"82", "1012345678", false}, {"91", "9123456789", false}, {"65", "81234567", false}, {"355", "662123456", false},
		{"371", "90123456", false}, {"881", "612345678", false}, {"882", "1612345678", false}, {"979", "123456789", false}, {"800", "12345678", false}, {"1876", "2101234", false},
	}
	if n := len(china) + len(abroad); n < 60 {
		t.Fatalf("only %d numbers", n)
	}
	open := []number{
		{"852", "51234567", true}, {"852", "21234567", false}, {"852", "90012345678", false}, {"1", "4155552671", true}, {"1", "9005551234", false}, {"1", "8005551234", false},
		{"1", "8762101234", false}, {"44", "7400123456", true}, {"44", "9012345678", false}, {"44", "2079460000", false}, {"44", "7640123456", false}, {"86", "13812345678", false},
	}
	each(t, verify.Options{Demo: true}, func(w *world) {
		sent := map[string]bool{}
		for _, n := range append(china, abroad...) {
			c := verify.Contact{Way: identity.SMS, Area: n.area, Value: n.value}
			hash := w.s.HashOf(c)
			before := []int{w.rows("notify_messages"), w.rows("verify_counts"), w.rows("verify_contacts")}
			err := w.s.Send(w.t.Context(), li, c, locale.ZH)
			switch {
			case n.ok && sent[hash]:
				if !errors.Is(err, verify.ErrTooOften) { // another spelling of one that had its code
					w.t.Errorf("+%s %s: %v", n.area, n.value, err)
				}
			case n.ok:
				if err != nil {
					w.t.Errorf("+%s %s is refused: %v", n.area, n.value, err)
				}
				sent[hash] = true
			default:
				if fault.KindOf(err) != fault.Invalid {
					w.t.Errorf("+%s %s: %v", n.area, n.value, err)
				}
				for i, now := range []int{w.rows("notify_messages"), w.rows("verify_counts"), w.rows("verify_contacts")} {
					if now != before[i] {
						w.t.Errorf("+%s %s is refused, but something was queued or counted", n.area, n.value)
					}
				}
			}
		}
		// Other lists: calling codes, and regions where several share one.
		n := w.open(verify.Options{Demo: true, Config: config.Verify{SMSCountries: []string{"852", "44", "US"}}})
		for _, number := range open {
			err := n.s.Send(w.t.Context(), li, verify.Contact{Way: identity.SMS, Area: number.area, Value: number.value}, locale.EN)
			if number.ok != (err == nil) {
				w.t.Errorf("+%s %s: %v", number.area, number.value, err)
			}
		}
	})
}

// FuzzContact: every contact has one spelling that normalising leaves alone,
// and no other spelling of it gives another rate key (A15).
func FuzzContact(f *testing.F) {
	for _, s := range []struct{ area, value string }{
		{"86", "13800138000"}, {"+86", "138 0013 8000"}, {"0086", "138-0013-8000"}, {"", "+8613800138000"}, {"86", "008613800138000"}, {"８６", "１３８００１３８０００"},
		{"86", "(138) 0013.8000"}, {"1", "+1 415 555 2671"}, {"44", "07400123456"}, {"39", "0612345678"}, {"54", "91123456789"}, {"52", "15512345678"}, {"86", "13800138000\r\n"},
		{"86", "13800138000;ext=5"}, {"86\x00", "13800138000"}, {"86", "138\u200b00138000"}, {"86", "+"}, {"", "00"}, {"999", "1234567"},
		{"", "a@example.com"}, {"", "A@EXAMPLE.COM"}, {"", "a+tag@example.com"}, {"", "a@例子.测试"}, {"", "a@xn--fsqu00a.xn--0zwm56d"}, {"", "\"quoted local\"@example.com"},
		{"", "a@example.com\r\nBcc: b@example.com"}, {"", "a@b@example.com"}, {"", "ａ@ｅｘａｍｐｌｅ．ｃｏｍ"}, {"", "a@example.com."}, {"", "İ@example.com"}, {"", "ﬀ@example.com"}, {"", "a@[127.0.0.1]"},
		{"", "K@example.com"}, {"", "ẞ@straße.de"}, {"", "name <a@example.com>"}, {"", "a(comment)@example.com"}, {"", strings.Repeat("x", 65) + "@example.com"},
	} {
		f.Add(s.area, s.value)
	}
	f.Fuzz(func(t *testing.T, area, value string) {
		for _, way := range []identity.Way{identity.SMS, identity.Mail} {
			normal, err := identity.NormalContact(way, area, value)
			if err != nil {
				if fault.KindOf(err) != fault.Invalid {
					t.Errorf("%v", err)
				}
				continue
			}
			if strings.ContainsFunc(normal, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
				t.Errorf("way %d: %q keeps blanks or controls", way, normal)
			}
			again, err := identity.NormalContact(way, area, normal)
			if err != nil || again != normal {
				t.Errorf("way %d: %q -> %q -> %q, %v", way, value, normal, again, err)
			}
			spellings := []string{" " + normal, strings.ToUpper(normal)}
			if way == identity.SMS {
				spellings = []string{" " + normal + " ", "00" + normal[1:], normal[:2] + " " + normal[2:], normal[:3] + "-" + normal[3:], fullWidth(normal)}
			}
			for _, s := range spellings {
				if got, err := identity.NormalContact(way, area, s); err == nil && got != normal {
					t.Errorf("way %d: %q and %q are one contact with two keys: %q, %q", way, normal, s, normal, got)
				}
			}
		}
	})
}

func fullWidth(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r - '0' + '０'
		}
		return r
	}, s)
}
