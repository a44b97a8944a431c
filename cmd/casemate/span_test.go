package main

import (
	"testing"
	"time"

	"casemate/internal/locale"
)

// TestSpan: how long something took is told in words of the shell's language.
func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		0:                             {"0 秒", "0 s"},
		354 * time.Millisecond:        {"0.35 秒", "0.35 s"},
		time.Hour:                     {"1 小时", "1 h"},
		72 * time.Hour:                {"3 天", "3 d"},
		-(90*time.Minute + 4*1e9):     {"-1 小时 30 分 4 秒", "-1 h 30 min 4 s"},
		25*time.Hour + 1500*1e6:       {"1 天 1 小时 2 秒", "1 d 1 h 2 s"},
		59*time.Second + 990*1e6:      {"59.99 秒", "59.99 s"},
		59*time.Second + 995*1e6:      {"1 分", "1 min"},
		59*time.Second + 999*1e6:      {"1 分", "1 min"},
		-(59*time.Second + 999*1e6):   {"-1 分", "-1 min"},
		59*time.Minute + 59*1e9 + 6e8: {"1 小时", "1 h"},
	} {
		for i, lang := range []locale.Language{locale.ZH, locale.EN} {
			if got := (&output{lang: lang}).span(d); got != want[i] {
				t.Errorf("%s: %q, want %q", d, got, want[i])
			}
		}
	}
}
