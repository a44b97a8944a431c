package setup_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/setup"
)

// TestEdits: an edit changes the entry it names and nothing else, comments stay,
// and what it wrote is read as what was asked for.
func TestEdits(t *testing.T) {
	t.Parallel()
	var s setup.Service
	admin := principal.AsSystem(principal.House)
	files := map[string][]byte{}
	paths, err := filepath.Glob("../catalog/default/*.yaml")
	if err != nil || len(paths) < 10 {
		t.Fatal(len(paths), err)
	}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		files["catalog/"+filepath.Base(p)] = text
	}
	texts, values, err := s.Values(t.Context(), admin, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if texts[name] != string(text) {
			t.Errorf("%s: changed without an edit", name)
		}
	}
	read := func(values map[string][]byte, name string) map[string]any {
		var v map[string]any
		if err := json.Unmarshal(values[name], &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return v
	}
	comments := func(text string) (n int) {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				n++
			}
		}
		return n
	}
	odd := `{"zh":"a: b #c\n  d\n\n","en":"yes"}`
	edits := 0
	for name := range files {
		whole := read(values, name)
		for under, list := range whole {
			all, ok := list.([]any)
			if !ok {
				continue
			}
			for i := range all {
				entry := all[i].(map[string]any)
				var changed map[string]any
				text, _ := json.Marshal(entry)
				_ = json.Unmarshal(text, &changed)
				var mark map[string]any
				if err := json.Unmarshal([]byte(odd), &mark); err != nil {
					t.Fatal(err)
				}
				changed["desc"] = mark
				text, _ = json.Marshal(changed)
				for what, e := range map[string]setup.Edit{
					"change": {File: name, Under: under, Index: i, Value: text, To: -1},
					"add":    {File: name, Under: under, Index: -1, Value: text, To: -1},
					"remove": {File: name, Under: under, Index: i, To: -1},
					"move":   {File: name, Under: under, Index: i, To: 0},
				} {
					if i%9 != 0 && what != "change" || i%23 != 0 && strings.Contains(name, "area-codes") {
						continue
					}
					edits++
					got, gotValues, err := s.Values(t.Context(), admin, map[string][]byte{name: files[name]}, []setup.Edit{e})
					if err != nil {
						t.Fatalf("%s %s %s[%d]: %v", what, name, under, i, err)
					}
					want := append([]any{}, all...)
					switch what {
					case "change":
						want[i] = changed
					case "add":
						want = append(want, changed)
					case "remove":
						want = append(want[:i], want[i+1:]...)
					case "move":
						want = append(want[:i], want[i+1:]...)
						want = append([]any{entry}, want...)
					}
					expected := map[string]any{}
					for k, v := range whole {
						expected[k] = v
					}
					expected[under] = want
					if now := read(gotValues, name); !reflect.DeepEqual(now, expected) {
						t.Fatalf("%s %s %s[%d] gives\n%s", what, name, under, i, got[name])
					}
					if what == "add" && comments(got[name]) != comments(string(files[name])) {
						t.Errorf("%s %s %s[%d]: comments went", what, name, under, i)
					}
				}
			}
		}
	}
	if edits < 80 {
		t.Errorf("only %d edits were tried", edits)
	}

	// A key of a mapping; the comments around it stay.
	got, _, err := s.Values(t.Context(), admin, files, []setup.Edit{
		{File: "catalog/limits.yaml", Under: "limits", Name: "open_tickets_per_problem_type", Index: -1, Value: []byte("7"), To: -1},
		{File: "catalog/sla.yaml", Under: "sla", Name: "warn_percent", Index: -1, Value: []byte("60"), To: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(string(files["catalog/limits.yaml"]), "type: 50", "type: 7", 1); got["catalog/limits.yaml"] != want {
		t.Errorf("limits:\n%s", got["catalog/limits.yaml"])
	}
	if want := strings.Replace(string(files["catalog/sla.yaml"]), "percent: 75", "percent: 60", 1); got["catalog/sla.yaml"] != want {
		t.Errorf("sla:\n%s", got["catalog/sla.yaml"])
	}

	// Lists that are empty, in one line, or not there yet.
	small := map[string][]byte{"a.yaml": []byte("# head\nlist: []\nother: {a: 1}\n"), "b.yaml": []byte("list: [{id: x}, {id: y}]"), "c.yaml": []byte("# nothing\n")}
	got, _, err = s.Values(t.Context(), admin, small, []setup.Edit{
		{File: "a.yaml", Under: "list", Index: -1, Value: []byte(`{"id":"1"}`), To: -1},
		{File: "b.yaml", Under: "list", Index: 0, To: -1},
		{File: "c.yaml", Under: "list", Index: -1, Value: []byte(`{"id":"z","num":2}`), To: -1},
	})
	if err != nil || got["a.yaml"] != "# head\nlist:\n  - id: \"1\"\nother: {a: 1}\n" || !strings.Contains(got["b.yaml"], "id: \"y\"") && !strings.Contains(got["b.yaml"], "id: y") || got["c.yaml"] != "# nothing\nlist:\n  - id: z\n    num: 2\n" {
		t.Errorf("%v %q", err, got)
	}

	for field, e := range map[string]setup.Edit{
		"edits[0].file":  {File: "no.yaml", Under: "list", Index: 0, To: -1},
		"edits[0].index": {File: "a.yaml", Under: "list", Index: 5, To: -1},
		"edits[0].under": {File: "a.yaml", Under: "gone", Index: 0, To: -1},
		"edits[0].value": {File: "a.yaml", Under: "list", Index: -1, Value: []byte(`{`), To: -1},
	} {
		_, _, err := s.Values(t.Context(), admin, small, []setup.Edit{e})
		if f, ok := fault.As(err); !ok || f.Kind != fault.Invalid || f.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, _, err := s.Values(t.Context(), admin, map[string][]byte{"a.yaml": []byte("a: [")}, nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no YAML: %v", err)
	}
	if _, _, err := s.Values(t.Context(), principal.Principal{}, small, nil); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("anybody: %v", err)
	}
}

// TestEditsBounded: edits are for administrators, auditors read what files hold;
// too many, too large or too much work is refused in plain words at once, the most
// is done within seconds, and nothing goes on for a caller who has left.
func TestEditsBounded(t *testing.T) {
	t.Parallel()
	var s setup.Service
	admin := principal.AsSystem(principal.House)
	auditor := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "audit", Role: principal.RoleAuditor}
	add := setup.Edit{File: "a.yaml", Under: "list", Index: -1, Value: []byte(`{"id":"x"}`), To: -1}
	many := func(n int) (all []setup.Edit) {
		for range n {
			all = append(all, add)
		}
		return all
	}
	of := func(size int) map[string][]byte {
		line := "  - {id: a, name: {zh: one two three, en: one two three}}\n"
		text := "list:\n" + strings.Repeat(line, (size-6)/len(line))
		return map[string][]byte{"a.yaml": []byte(text + "#" + strings.Repeat("x", size-len(text)-2) + "\n")}
	}
	_, values, err := s.Values(t.Context(), auditor, of(100), nil)
	if err != nil || !json.Valid(values["a.yaml"]) {
		t.Errorf("an auditor reads: %v", err)
	}
	if _, _, err := s.Values(t.Context(), auditor, of(100), many(1)); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("an auditor edits: %v", err)
	}
	texts, _, err := s.Values(t.Context(), admin, of(4000), many(setup.MaxEdits))
	if err != nil || strings.Count(texts["a.yaml"], "\n  - id: x") != setup.MaxEdits {
		t.Errorf("the most edits: %v", err)
	}
	half := of(100)
	half["README.md"] = make([]byte, setup.MaxEditBytes-100-6)
	whole := append(many(0), setup.Edit{File: "a.yaml", Under: "list", Index: -1, Value: []byte(`"1234"`), To: -1})
	if _, _, err := s.Values(t.Context(), admin, half, whole); err != nil {
		t.Errorf("the most bytes: %v", err)
	}
	whole[0].Value = []byte(`"12345"`)
	for what, c := range map[string]struct {
		files  map[string][]byte
		edits  []setup.Edit
		field  string
		saying string
	}{
		"too many":      {of(100), many(setup.MaxEdits + 1), "edits", "at most 200 edits"},
		"too large":     {half, whole, "files", "2097152 bytes in all"},
		"too much work": {of(900_000), many(setup.MaxEdits), "edits", "make fewer"},
	} {
		_, _, err := s.Values(t.Context(), admin, c.files, c.edits)
		if f, ok := fault.As(err); !ok || f.Kind != fault.Invalid || f.Field != c.field || !strings.Contains(err.Error(), c.saying) {
			t.Errorf("%s: %v", what, err)
		}
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, _, err := s.Values(gone, admin, of(100), many(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who left: %v", err)
	}
}
