package main

import (
	"strings"
	"testing"

	"casemate/internal/event"
	"casemate/internal/locale"
)

// TestChainSays: what a check of the event chain found is told in both
// languages, with every way in which it may not hold.
func TestChainSays(t *testing.T) {
	good := event.Report{Events: 7, Last: 7, Anchors: 2, Unsealed: 1}
	if zh, en := describe(chainSays(good), locale.ZH), describe(chainSays(good), locale.EN); zh != "共 7 条事件，链完整，至第 7 条（2 个锚点，0 个检查点，1 条尚未封存）" || en != good.String() {
		t.Errorf("%s / %s", zh, en)
	}
	for _, d := range []event.Damage{event.Changed, event.Removed, event.Inserted, event.Moved, event.Cut, event.BadHead, event.Forged, event.Unsigned} {
		bad := event.Report{Events: 7, Damages: 1, Broken: []event.Break{{Seq: 3, Damage: d, Why: "why"}}}
		if zh := describe(chainSays(bad), locale.ZH); damagesZH[d] == "" || !strings.Contains(zh, "第 3 条（"+damagesZH[d]+"）：why") {
			t.Errorf("%s: %s", d, zh)
		}
		if en := describe(chainSays(bad), locale.EN); en != bad.String() {
			t.Errorf("%s: %s", d, en)
		}
	}
}
