package setup

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestEncode: whatever texts hold, they are read as they were written.
func TestEncode(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{" ", "  ", "\n", "\n\n", "\r\n", "\t", "#", " # ", ":", ": ", "- ", "-", "'", "\"", "\\", "{", "}", "[", "]", "&a", "*a", "!t", "|", ">", "%", "@", "`", "yes", "null", "~", "1.0", "0x1", "中", "é",
		"\u2028", "\u00a0", "\u0085", "\u200b", "👍", "---", "...", "? ", ",", "<<", "a", "b", "{{number}}", "2026-01-01"}
	text := func() string {
		var b strings.Builder
		for range r.IntN(8) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		return b.String()
	}
	for range 1000 {
		l := &list[snippetShape]{kind: snippetKind}
		for range 1 + r.IntN(2) {
			l.stored = append(l.stored, snippetShape{ID: "a" + text(), Kind: "snippet", Shortcut: text(), Folder: text(), Title: texts{text(), text()}, Text: texts{text(), text()}})
		}
		if _, err := l.render(false); err != nil { // it reads what it writes, and fails when that differs
			t.Fatalf("%v: %q", err, l.stored)
		}
		var read snippetShape
		if err := json.Unmarshal([]byte(flat(l.stored[0])), &flatSnippet{&read}); err != nil || read != l.stored[0] {
			t.Fatalf("%q is compared as %q (%v)", l.stored[0], read, err)
		}
		if _, err := l.notes(map[string]string{}); err != nil {
			t.Fatalf("%v: %q", err, l.stored)
		}
	}
	for _, p := range []string{"catalog/a.yaml", "agreements/agreement-1-v2.yaml", "agreements/mine.yaml", "catalog/sub/x.yaml", "agreements/sub/agreement.yaml"} {
		if name, ok := catalogName(p); !ok || treePath(name) != p {
			t.Errorf("%s is %s of the catalogue, which is %s", p, name, treePath(name))
		}
	}
}

// flatSnippet reads what flat writes.
type flatSnippet struct{ into *snippetShape }

func (f *flatSnippet) UnmarshalJSON(text []byte) error {
	var s struct {
		ID, Kind, Shortcut, Folder string
		Title, Text                texts
	}
	err := json.Unmarshal(text, &s)
	*f.into = snippetShape{s.ID, s.Kind, s.Shortcut, s.Folder, s.Title, s.Text}
	return err
}
