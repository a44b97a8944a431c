package main

import (
	"strings"
	"testing"

	"casemate/internal/locale"
)

// TestRuleWords: the list of rules speaks the shell's language.
func TestRuleWords(t *testing.T) {
	t.Parallel()
	for lang, want := range map[locale.Language]string{
		locale.ZH: "r1\t规则\t启用\t3\tticket.create\ttag:x\t完成 2, 跳过 1\n",
		locale.EN: "r1\trule\ton\t3\tticket.create\ttag:x\tdone 2, skipped 1\n",
	} {
		var b strings.Builder
		r := ruleView{ID: "r1", Name: nameView{"规则", "rule"}, Mode: "on", Place: 3, Then: []actionView{{Do: "tag", Tags: []string{"x"}}}, Runs: map[string]int{"done": 2, "skipped": 1}}
		r.When.Events = []string{"ticket.create"}
		if r.print(&output{out: &b, lang: lang}); b.String() != want {
			t.Errorf("%q, want %q", b.String(), want)
		}
	}
}
