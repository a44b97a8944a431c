package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"casemate/internal/locale"
)

// What happens to an entry.
const (
	Added     = "added"
	Changed   = "changed"
	Retired   = "retired"   // no longer offered; tickets that use it keep it
	Restored  = "restored"  // was retired, is offered again
	Reordered = "reordered" // the kind as a whole: other order of the same entries
)

// Diff is what separates files from the store.
type Diff struct {
	Version int64    `json:"version"` // Plan: of the store looked at; Apply: of the store now
	Changes []Change `json:"changes"`
	Layout  bool     `json:"layout"` // the files differ from the last ones, be it in comments only
}

// Change is the difference of one entry.
type Change struct {
	What   string        `json:"what"`
	Kind   Kind          `json:"kind"`
	ID     string        `json:"id,omitempty"`
	Name   locale.Texts  `json:"name,omitzero"`
	Fields []FieldChange `json:"fields,omitempty"` // changed and restored entries
}

// FieldChange is a field before and after; dots stand between levels and ""
// means absent.
type FieldChange struct {
	Field  string `json:"field"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Empty tells whether applying would change nothing that anybody can see.
func (d Diff) Empty() bool { return len(d.Changes) == 0 }

var signs = map[string]string{Added: "+", Changed: "~", Retired: "-", Restored: "+", Reordered: "~"}

// Lines shows the difference to a person: a line per entry, indented lines for
// changed fields, a sum at the end.
func (d Diff) Lines(lang locale.Language) []string {
	words := map[string]string{Added: "新增", Changed: "修改", Retired: "停用", Restored: "恢复", Reordered: "调整顺序"}
	sum, none := "共：", "没有变化"
	if lang == locale.EN {
		words = map[string]string{Added: "added", Changed: "changed", Retired: "retired", Restored: "restored", Reordered: "reordered"}
		sum, none = "in all: ", "no changes"
	}
	if d.Empty() {
		return []string{none}
	}
	var lines []string
	count := map[string]int{}
	for _, c := range d.Changes {
		count[c.What]++
		line := fmt.Sprintf("%s %s %s", signs[c.What], words[c.What], c.Kind)
		if c.ID != "" {
			line += " " + c.ID
		}
		if n := c.Name.In(lang); n != "" {
			line += " (" + n + ")"
		}
		lines = append(lines, line)
		for _, f := range c.Fields {
			lines = append(lines, fmt.Sprintf("    %s: %s -> %s", f.Field, brief(f.Before), brief(f.After)))
		}
	}
	var parts []string
	for _, what := range []string{Added, Changed, Retired, Restored, Reordered} {
		if n := count[what]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, words[what]))
		}
	}
	return append(lines, sum+strings.Join(parts, ", "))
}

// brief is a value on one line.
func brief(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	return fmt.Sprintf("%q", s)
}

// compare lists what must change for stored rows to become the wanted entries.
// Both are in canonical form: rows went through this release's types.
func compare(stored, wanted []entry) []Change {
	type key = name
	have := map[key]entry{}
	for _, e := range stored {
		have[key{e.kind, e.id}] = e
	}
	want := map[key]bool{}
	for _, e := range wanted {
		want[key{e.kind, e.id}] = true
	}
	var changes []Change
	for _, kind := range kinds {
		for _, e := range wanted {
			if e.kind != kind {
				continue
			}
			old, ok := have[key{e.kind, e.id}]
			c := Change{Kind: kind, ID: e.id, Name: e.name}
			switch {
			case !ok:
				c.What = Added
			case old.retired:
				c.What, c.Fields = Restored, fieldChanges(old.data, e.data)
			case old.data != e.data:
				c.What, c.Fields = Changed, fieldChanges(old.data, e.data)
			default:
				continue
			}
			changes = append(changes, c)
		}
		for _, e := range stored {
			if e.kind == kind && !e.retired && !want[key{e.kind, e.id}] {
				changes = append(changes, Change{What: Retired, Kind: kind, ID: e.id, Name: e.name})
			}
		}
		if reordered(kind, stored, wanted) {
			changes = append(changes, Change{What: Reordered, Kind: kind})
		}
	}
	return changes
}

// reordered tells whether the entries that stay stand in another order.
func reordered(kind Kind, stored, wanted []entry) bool {
	ids := func(list []entry, keep func(entry) bool) []string {
		var out []string
		for _, e := range list {
			if e.kind == kind && !e.retired && keep(e) {
				out = append(out, e.id)
			}
		}
		return out
	}
	before := ids(stored, func(entry) bool { return true })
	stays := map[string]bool{}
	for _, id := range before {
		stays[id] = true
	}
	after := ids(wanted, func(e entry) bool { return stays[e.id] })
	kept := map[string]bool{}
	for _, id := range after {
		kept[id] = true
	}
	before = slices.DeleteFunc(before, func(id string) bool { return !kept[id] })
	return !slices.Equal(before, after)
}

func fieldChanges(before, after string) []FieldChange {
	b, a := flat(before), flat(after)
	fields := maps.Clone(b)
	maps.Copy(fields, a)
	var out []FieldChange
	for _, f := range slices.Sorted(maps.Keys(fields)) {
		if b[f] != a[f] {
			out = append(out, FieldChange{Field: f, Before: b[f], After: a[f]})
		}
	}
	return out
}

// flat is a JSON object as dotted fields with their values as text.
func flat(data string) map[string]string {
	out := map[string]string{}
	d := json.NewDecoder(bytes.NewReader([]byte(data)))
	d.UseNumber() // integers keep their digits
	var v any
	if d.Decode(&v) == nil {
		flatten("", v, out)
	}
	return out
}

func flatten(path string, v any, out map[string]string) {
	join := func(step string) string { return strings.TrimPrefix(path+"."+step, ".") }
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			flatten(join(k), x, out)
		}
	case []any:
		for i, x := range v {
			flatten(join(fmt.Sprint(i)), x, out)
		}
	default:
		out[path] = fmt.Sprint(v)
	}
}
