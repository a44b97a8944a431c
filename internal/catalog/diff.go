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

// Line is the change on one line, with each value as show has it: what left has a
// minus in front, what came a plus.
func (f FieldChange) Line(show func(string) string) string {
	switch {
	case f.After == "":
		return "- " + f.Field + ": " + show(f.Before)
	case f.Before == "":
		return "+ " + f.Field + ": " + show(f.After)
	}
	return f.Field + ": " + show(f.Before) + " -> " + show(f.After)
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
			lines = append(lines, "    "+f.Line(brief))
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
			c := Change{Kind: kind, ID: e.id, Name: label(e)}
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
				changes = append(changes, Change{What: Retired, Kind: kind, ID: e.id, Name: label(e)})
			}
		}
		if reordered(kind, stored, wanted) {
			changes = append(changes, Change{What: Reordered, Kind: kind})
		}
	}
	return changes
}

// label is what an entry is called in a difference; versions of an agreement have
// one name and are told apart by their numbers.
func label(e entry) locale.Texts {
	var a Agreement
	if e.kind != KindAgreement || json.Unmarshal([]byte(e.data), &a) != nil {
		return e.name
	}
	return locale.Texts{ZH: fmt.Sprintf("%s，版本 %d", e.name.In(locale.ZH), a.Version), EN: fmt.Sprintf("%s, version %d", e.name.In(locale.EN), a.Version)}
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
	out := fieldsOf(flat(before, true), flat(after, true))
	if len(out) == 0 { // another order alone
		out = fieldsOf(flat(before, false), flat(after, false))
	}
	return out
}

func fieldsOf(b, a map[string]string) []FieldChange {
	fields := maps.Clone(b)
	maps.Copy(fields, a)
	var out []FieldChange
	for _, f := range slices.Sorted(maps.Keys(fields)) {
		if b[f] != a[f] {
			field, _, _ := strings.Cut(f, memberMark)
			out = append(out, FieldChange{Field: field, Before: b[f], After: a[f]})
		}
	}
	return out
}

// memberMark stands in a path before a value that is told by itself, and behind
// the name of its list, which alone is shown.
const memberMark = ".\x00"

// flat is a JSON object as dotted fields with their values as text. Elements of
// lists go by their place, or told by what they are about (listKeys) by that:
// the promise for a severity stays the same promise wherever it stands. Words and
// numbers of a list are told by themselves, and by how often they stand in it: one
// that left and one that came are two changes of the list, not one that became the
// other.
func flat(data string, told bool) map[string]string {
	out := map[string]string{}
	d := json.NewDecoder(bytes.NewReader([]byte(data)))
	d.UseNumber() // integers keep their digits
	var v any
	if d.Decode(&v) == nil {
		flatten("", v, told, out)
	}
	return out
}

// listKeys are the fields that tell elements of a list apart.
var listKeys = []string{"severity", "key", "id", "value"}

// keyOf is the field that tells every element of a list apart, "" when none does.
func keyOf(list []any) string {
	for _, key := range listKeys {
		seen := map[string]bool{}
		for _, x := range list {
			m, _ := x.(map[string]any)
			id, _ := m[key].(string)
			if id == "" || strings.Contains(id, ".") {
				break
			}
			seen[id] = true
		}
		if len(seen) == len(list) {
			return key
		}
	}
	return ""
}

// plain tells whether a list holds words and numbers only.
func plain(list []any) bool {
	return !slices.ContainsFunc(list, func(x any) bool {
		switch x.(type) {
		case map[string]any, []any:
			return true
		}
		return false
	})
}

func flatten(path string, v any, told bool, out map[string]string) {
	join := func(step string) string { return strings.TrimPrefix(path+"."+step, ".") }
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			flatten(join(k), x, told, out)
		}
	case []any:
		key := ""
		if told && len(v) > 0 {
			key = keyOf(v)
		}
		single, times := told && key == "" && plain(v), map[string]int{}
		for i, x := range v {
			if single {
				word := fmt.Sprint(x)
				times[word]++
				out[path+memberMark+word+strings.Repeat(memberMark, times[word]-1)] = word
				continue
			}
			step := fmt.Sprint(i)
			if m, ok := x.(map[string]any); ok && key != "" {
				step = m[key].(string)
				m = maps.Clone(m)
				delete(m, key)
				x = m
				if len(m) == 0 {
					out[join(step)] = step
				}
			}
			flatten(join(step), x, told, out)
		}
	default:
		out[path] = fmt.Sprint(v)
	}
}
