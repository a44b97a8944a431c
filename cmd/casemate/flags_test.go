package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// TestFlagsOfTheirOwn: no command has a flag that is the program's already, which
// would hide it, and none reads the variable that names the shell's language.
func TestFlagsOfTheirOwn(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&command{}, kong.Name("casemate"), kong.DefaultEnvars("CASEMATE"))
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, leaf := range parser.Model.Leaves(false) {
		seen := map[string]bool{}
		for _, group := range leaf.AllFlags(false) {
			for _, f := range group {
				read++
				if seen[f.Name] {
					t.Errorf("%s: two flags are called --%s", leaf.Path(), f.Name)
				}
				seen[f.Name] = true
				if slices.Contains(f.Envs, "CASEMATE_LANGUAGE") {
					t.Errorf("%s: --%s is set by the shell's language", leaf.Path(), f.Name)
				}
			}
		}
	}
	if read < 200 {
		t.Errorf("only %d flags were read", read)
	}
}

// TestNumbers: numbers of a rule stand in its file as numbers, texts as texts.
func TestNumbers(t *testing.T) {
	t.Parallel()
	var rule any
	d := json.NewDecoder(strings.NewReader(`{"place":10,"when":{"state":17,"hours":48},"if":{"all":[{"field":"severity","value":"3"}]}}`))
	d.UseNumber()
	if err := d.Decode(&rule); err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(numbers(rule))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"place: 10\n", "state: 17\n", "hours: 48\n", `value: "3"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
