package contract_test

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/goccy/go-yaml"
)

// TestOriginal compares v2.yaml with the committed copy of the contract it was
// made from. Each difference must be named, by its path, in a line of
// docs/DIVERGENCES.md.
func TestOriginal(t *testing.T) {
	ours, original := load(t, "v2.yaml"), load(t, "original/v2.yaml")
	text, err := os.ReadFile("../docs/DIVERGENCES.md")
	if err != nil {
		t.Fatal(err)
	}
	var differences []string
	compare("", original, ours, &differences)
	for _, d := range differences {
		if !strings.Contains(string(text), "`"+d+"`") {
			t.Errorf("v2.yaml differs from the original at %q: docs/DIVERGENCES.md has no line for it", d)
		}
	}
	t.Logf("REPORT api/v2.yaml: %d differences from the original contract\n", len(differences))
}

// TestContractsAreValid lets an independent judge read every contract.
func TestContractsAreValid(t *testing.T) {
	for _, name := range []string{"v2.yaml", "iam.yaml", "desk.yaml", "web.yaml"} {
		doc, err := openapi3.NewLoader().LoadFromFile(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := doc.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func load(t *testing.T, path string) any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// compare lists the paths at which b is not what a is.
func compare(path string, a, b any, out *[]string) {
	am, aok := a.(map[string]any)
	bm, bok := b.(map[string]any)
	if aok && bok {
		keys := map[string]bool{}
		for k := range am {
			keys[k] = true
		}
		for k := range bm {
			keys[k] = true
		}
		sorted := make([]string, 0, len(keys))
		for k := range keys {
			sorted = append(sorted, k)
		}
		sort.Strings(sorted)
		for _, k := range sorted {
			av, ain := am[k]
			bv, bin := bm[k]
			at := strings.TrimPrefix(path+"."+k, ".")
			if !ain || !bin {
				*out = append(*out, at)
				continue
			}
			compare(at, av, bv, out)
		}
		return
	}
	al, aok := a.([]any)
	bl, bok := b.([]any)
	if aok && bok && len(al) == len(bl) {
		for i := range al {
			compare(fmt.Sprintf("%s[%d]", path, i), al[i], bl[i], out)
		}
		return
	}
	if fmt.Sprint(a) != fmt.Sprint(b) {
		*out = append(*out, path)
	}
}

// TestRequestsAreClosed: what the desk's and the browsers' operations take holds
// no fields but those it names, so that a misspelt one is refused and not
// ignored. Maps say what they hold.
func TestRequestsAreClosed(t *testing.T) {
	for _, name := range []string{"desk.yaml", "web.yaml"} {
		doc, err := openapi3.NewLoader().LoadFromFile(name)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[*openapi3.Schema]bool{}
		var closed func(at string, ref *openapi3.SchemaRef)
		closed = func(at string, ref *openapi3.SchemaRef) {
			if ref == nil || ref.Value == nil || seen[ref.Value] {
				return
			}
			s := ref.Value
			seen[s] = true
			if s.Type.Is("object") && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
				t.Errorf("%s: %s takes unknown fields: add additionalProperties: false", name, at)
			}
			for field, p := range s.Properties {
				closed(at+"."+field, p)
			}
			closed(at+"[]", s.Items)
			closed(at+".*", s.AdditionalProperties.Schema)
			for _, all := range []openapi3.SchemaRefs{s.AllOf, s.AnyOf, s.OneOf} {
				for _, one := range all {
					closed(at, one)
				}
			}
		}
		for path, item := range doc.Paths.Map() {
			for method, op := range item.Operations() {
				if op.RequestBody == nil {
					continue
				}
				for _, media := range op.RequestBody.Value.Content {
					closed(method+" "+path, media.Schema)
				}
			}
		}
		if len(seen) < 5 {
			t.Errorf("%s: only %d schemas seen", name, len(seen))
		}
	}
}
