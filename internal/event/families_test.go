package event_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"casemate/internal/event"
)

// Where the source names a kind of event: in the literal, or on its way there
// through a helper's argument or a variable.
var kindPlaces = []*regexp.Regexp{
	regexp.MustCompile(`event\.Event\{[^}]*?\bKind: *"([a-z]+)`),
	regexp.MustCompile(`\b[rR]ecord\w*\([^"\n]*"([a-z]+)\.`),
	regexp.MustCompile(`\bkind,? *:?=[^"\n]*"([a-z]+)\.[a-z_]+"`),
}

// TestFamilies: the words that kinds begin with are the ones the source records
// under, no more and no fewer: a webhook takes no other.
func TestFamilies(t *testing.T) {
	t.Parallel()
	if !slices.IsSorted(event.Families) {
		t.Error("not in order")
	}
	found := map[string]string{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "oas") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "event.Event{") && !strings.Contains(string(text), "ecord(") {
			return err
		}
		for _, place := range kindPlaces {
			for _, m := range place.FindAllStringSubmatch(string(text), -1) {
				found[m[1]] = path
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for word, path := range found {
		if !slices.Contains(event.Families, word) {
			t.Errorf("%s records %s..., which event.Families does not name", path, word)
		}
	}
	for _, word := range event.Families {
		if found[word] == "" {
			t.Errorf("nothing records %s...", word)
		}
	}
}
