package main

import (
	"encoding/json"
	"strings"
	"testing"

	"casemate/internal/locale"
)

// TestClocksPrinted: the arithmetic in both languages, in the calendar's zone,
// and nothing that steers a terminal.
func TestClocksPrinted(t *testing.T) {
	var v clocksView
	err := json.Unmarshal([]byte(`{"number":"TS1","now":"2026-10-08T02:00:00Z","rule":{"plan":"Business","severity_name":"General\u001b[2J","calendar":{"id":"c","name":"Office","zone":"Asia/Shanghai"}},
		"clocks":[{"kind_name":"First answer","n":1,"summary":"the sum","started_at":"2026-10-08T00:30:00Z","due_at":"2026-10-08T05:00:00Z","urges_ms":[1791423000000],
			"intervals":[{"from_ms":1791419400000,"to_ms":1791421200000,"counted":false,"reason_name":"outside"},{"from_ms":1791421200000,"to_ms":1791424800000,"counted":true,"reason_name":"inside"}]}]}`), &v)
	if err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[locale.Language][]string{
		locale.EN: {"TS1\tBusiness, General[2J\tOffice (Asia/Shanghai)\t2026-10-08 10:00:00 +08:00", "First answer 1\tthe sum", "began 2026-10-08 08:30:00 +08:00, due 2026-10-08 13:00:00 +08:00",
			"- 2026-10-08 08:30:00 +08:00\t2026-10-08 09:00:00 +08:00\t0:30:00\toutside", "+ 2026-10-08 09:00:00 +08:00\t2026-10-08 10:00:00 +08:00\t1:00:00\tinside", "! 2026-10-08 09:30:00 +08:00\turged by the customer"},
		locale.ZH: {"开始于 2026-10-08 08:30:00 +08:00，到期于 2026-10-08 13:00:00 +08:00", "! 2026-10-08 09:30:00 +08:00\t客户催单"},
	} {
		got := printed(lang, v.print)
		for _, line := range want {
			if !strings.Contains(got, line+"\n") {
				t.Errorf("%s: no %q in\n%s", lang, line, got)
			}
		}
		if strings.Contains(got, "\x1b") {
			t.Errorf("a control character is printed: %q", got)
		}
	}
	v.Clocks, v.Rule.Plan = nil, ""
	if got := printed(locale.EN, v.print); !strings.Contains(got, "the house's default (no plan applies to this ticket)") || !strings.Contains(got, "nothing is promised") {
		t.Errorf("without a promise: %s", got)
	}
}

// TestSimulationPrinted: figures, differences and what is left out.
func TestSimulationPrinted(t *testing.T) {
	var v simulationView
	err := json.Unmarshal([]byte(`{"from":"2026-01-01T00:00:00Z","to":"2026-02-01T00:00:00Z","tickets":3,"more":2,
		"groups":[{"plan":"","severity_id":"","kind_name":"First answer","tickets":3,"now":{"met":3,"breached":0,"open":0,"stopped":0},"then":{"met":1,"breached":2,"open":0,"stopped":0}}],
		"differ":[{"number":"TS1","kind":"first_answer","n":1,"now":"met","then":"breached","due_now":"2026-01-02T00:00:00Z"},{"number":"TS2","kind":"resolution","n":1,"then":"running"}]}`), &v)
	if err != nil {
		t.Fatal(err)
	}
	got := printed(locale.EN, v.print)
	for _, line := range []string{"tickets created from 2026-01-01T00:00:00Z to 2026-02-01T00:00:00Z: 3",
		"no support plan\t-\tFirst answer\t3\tin time 3, overdue 0, open 0, stopped 0\t-> in time 1, overdue 2, open 0, stopped 0",
		"TS1\tfirst_answer.1\tin time\t-> overdue\t2026-01-02T00:00:00Z\t-> -", "TS2\tresolution.1\t-\t-> running\t-\t-> -", "2 more differ"} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
	if zh := printed(locale.ZH, v.print); !strings.Contains(zh, "无支持计划") || !strings.Contains(zh, "按时 3，超时 0") || !strings.Contains(zh, "还有 2 处差异") ||
		!strings.Contains(zh, "TS1\tfirst_answer.1\t按时完成\t-> 已超时\t2026-01-02T00:00:00Z\t-> -\n") {
		t.Errorf("in Chinese: %s", zh)
	}
	v.More, v.Differ = 0, nil
	if got := printed(locale.EN, v.print); !strings.Contains(got, "no ticket would have come out otherwise") {
		t.Errorf("without differences: %s", got)
	}
}
