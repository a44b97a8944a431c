package catalog

import (
	"slices"
	"testing"

	"casemate/internal/locale"
)

// TestFieldChanges: elements of lists are told by what they are about, so that a
// promise is the same one wherever it stands; another order alone still shows.
func TestFieldChanges(t *testing.T) {
	t.Parallel()
	const before = `{"targets":[{"severity":"sev-1","first_response":"30m"},{"severity":"sev-2","first_response":"1h"}],"days":["a","b"]}`
	for after, want := range map[string][]FieldChange{
		before: nil,
		`{"targets":[{"severity":"sev-2","first_response":"2h"},{"severity":"sev-1","first_response":"30m"}],"days":["a","c"]}`: {
			{"days", "b", ""}, {"days", "", "c"}, {"targets.sev-2.first_response", "1h", "2h"}},
		`{"targets":[{"severity":"sev-1","first_response":"30m"},{"severity":"sev-2","first_response":"1h"}],"days":["b"]}`:     {{"days", "a", ""}},
		`{"targets":[{"severity":"sev-1","first_response":"30m"},{"severity":"sev-2","first_response":"1h"}],"days":["a","a"]}`: {{"days", "", "a"}, {"days", "b", ""}},
		`{"targets":[{"severity":"sev-1","first_response":"30m"},{"severity":"sev-2","first_response":"1h"}],"days":["b","a"]}`: {{"days.0", "a", "b"}, {"days.1", "b", "a"}},
		`{"targets":[{"severity":"sev-1","first_response":"30m"}],"days":["a","b"]}`:                                            {{"targets.sev-2.first_response", "1h", ""}},
		`{"targets":[{"severity":"sev-2","first_response":"1h"},{"severity":"sev-1","first_response":"30m"}],"days":["a","b"]}`: {
			{"targets.0.first_response", "30m", "1h"}, {"targets.0.severity", "sev-1", "sev-2"}, {"targets.1.first_response", "1h", "30m"}, {"targets.1.severity", "sev-2", "sev-1"}},
	} {
		if got := fieldChanges(before, after); !slices.Equal(got, want) {
			t.Errorf("%s: %+v", after, got)
		}
	}
}

// TestLabel: versions of an agreement have one name and are told apart.
func TestLabel(t *testing.T) {
	t.Parallel()
	name := locale.Texts{ZH: "服务协议", EN: "Terms"}
	if got := label(entry{kind: KindAgreement, id: "7", name: name, data: `{"id":7,"version":3}`}); got != (locale.Texts{ZH: "服务协议，版本 3", EN: "Terms, version 3"}) {
		t.Errorf("an agreement: %+v", got)
	}
	if got := label(entry{kind: KindProduct, id: "7", name: name, data: `{"id":"7"}`}); got != name {
		t.Errorf("a product: %+v", got)
	}
}
