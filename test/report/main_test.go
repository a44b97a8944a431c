package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// stream is what go test -json would print.
func stream(events ...event) string {
	var b strings.Builder
	for _, e := range events {
		line, _ := json.Marshal(e)
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.String()
}

func TestReport(t *testing.T) {
	say := func(test, text string) event { return event{Action: "output", Package: "p", Test: test, Output: text} }
	race := func(address string) []event {
		return []event{
			say("A", "==================\n"), say("A", "WARNING: DATA RACE\n"), say("A", "Read at "+address+" by goroutine 12:\n"),
			say("A", "  p.reads()\n"), say("B", "Previous write at "+address+" by goroutine 7:\n"), say("B", "  p.writes()\n"), say("B", "==================\n"),
		}
	}
	pass, whole := event{Action: "pass", Package: "p", Test: "A"}, event{Action: "pass", Package: "p"}
	tests := map[string]struct {
		events []event
		well   bool
		last   []string // in this order, after the first totals
		once   string
	}{
		"all pass":      {[]event{say("A", "quiet\n"), say("A", "    x.go:1: REPORT 20 kills\n"), pass, whole}, true, nil, "20 kills"},
		"nothing":       {nil, false, []string{"no test ran"}, ""},
		"skipped":       {[]event{pass, say("B", "why not\n"), {Action: "skip", Package: "p", Test: "B"}, whole}, false, nil, "why not"},
		"failed":        {[]event{say("B", "wrong\n"), {Action: "fail", Package: "p", Test: "B"}, pass, {Action: "fail", Package: "p"}}, false, []string{"FAIL  p B", "wrong", "FAIL  p\n"}, "wrong"},
		"process died":  {[]event{pass, say("B", "panic: here\n"), say("", "exit status 2\n"), {Action: "fail", Package: "p"}}, false, []string{"CUT   p B", "panic: here", "exit status 2"}, "panic: here"},
		"never ended":   {[]event{pass, say("B", "hangs\n")}, false, []string{"UNFINISHED p B", "hangs"}, "hangs"},
		"not built":     {[]event{pass, {Action: "build-output", ImportPath: "p [p.test]", Output: "undefined: x\n"}, {Action: "fail", Package: "p", FailedBuild: "p [p.test]"}}, false, []string{"FAIL  p\n", "undefined: x"}, "undefined: x"},
		"not begun":     {[]event{pass, whole, {Action: "exit", Output: "go test ./q: status 1"}}, false, []string{"go test ./q: status 1"}, "go test ./q"},
		"failed, exit":  {[]event{say("B", "wrong\n"), {Action: "fail", Package: "p", Test: "B"}, {Action: "exit", Output: "go test ./p: status 1"}, pass}, false, []string{"FAIL  p B", "1 passed, 1 failed"}, "wrong"},
		"race, no test": {append(race("0x1"), pass, whole), false, []string{"data race, seen 1 times, first while this ran: p A", "p.reads()", "p.writes()"}, "p.reads()"},
		"race twice":    {append(append(race("0x1"), race("0x2")...), pass, whole), false, []string{"data race, seen 2 times", "p.reads()", "p.writes()"}, "p.reads()"},
		"race cut off":  {append(race("0x1")[:4], pass, event{Action: "fail", Package: "p"}), false, []string{"data race, seen 1 times", "p.reads()"}, "p.reads()"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if well := report(strings.NewReader(stream(tt.events...)), &out, true); well != tt.well {
				t.Errorf("well: %v", well)
			}
			text := out.String()
			if strings.Count(text, tt.once) != 1 && tt.once != "" {
				t.Errorf("%q stands %d times", tt.once, strings.Count(text, tt.once))
			}
			_, rest, _ := strings.Cut(text, " passed, ")
			for _, want := range tt.last {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("%q does not stand at the end, in its order, of\n%s", want, text)
				}
				rest = after
			}
		})
	}
}
