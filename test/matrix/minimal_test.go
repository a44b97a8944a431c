package matrix

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// minimal makes the least body that the contract takes, so that what refuses a
// call is who makes it.
type minimal struct{ doc map[string]any }

func loadMinimal(t *testing.T, file string) minimal {
	t.Helper()
	text, err := os.ReadFile("../../api/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var m minimal
	if err := yaml.Unmarshal(text, &m.doc); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m minimal) resolve(v any) map[string]any {
	o, _ := v.(map[string]any)
	ref, ok := o["$ref"].(string)
	if !ok {
		return o
	}
	var at any = m.doc
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		at = at.(map[string]any)[part]
	}
	return m.resolve(at)
}

// bodies are the least bodies of all operations that have one of JSON.
func (m minimal) bodies(values map[string]any) map[string][]byte {
	all := map[string][]byte{}
	for _, methods := range m.doc["paths"].(map[string]any) {
		for _, raw := range methods.(map[string]any) {
			o, _ := raw.(map[string]any)
			id, _ := o["operationId"].(string)
			content, _ := m.resolve(o["requestBody"])["content"].(map[string]any)
			media, ok := content["application/json"].(map[string]any)
			if id == "" || !ok {
				continue
			}
			all[id], _ = json.Marshal(m.value("", m.resolve(media["schema"]), values))
		}
	}
	return all
}

func whole(v any, otherwise int) int {
	switch n := v.(type) {
	case uint64:
		return int(n)
	case int64:
		return int(n)
	case int:
		return n
	}
	return otherwise
}

func (m minimal) value(name string, schema map[string]any, values map[string]any) any {
	list, chosen := schema["enum"].([]any)
	if v, ok := values[name]; ok && name != "" && schema["type"] != "object" && (!chosen || slices.Contains(list, v)) {
		return v
	}
	if chosen {
		return list[0]
	}
	if list, ok := schema["allOf"].([]any); ok && len(list) > 0 {
		return m.value(name, m.resolve(list[0]), values)
	}
	switch schema["type"] {
	case "string":
		switch {
		case schema["format"] == "date-time" || name == "at" || strings.HasSuffix(name, "_at") || strings.HasSuffix(name, "from"):
			return "2026-01-01T00:00:00Z"
		}
		plain := strings.Repeat("x", max(1, whole(schema["minLength"], 1)))
		if p, ok := schema["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(plain) {
			return ""
		}
		return plain
	case "integer", "number":
		return max(1, whole(schema["minimum"], 1))
	case "boolean":
		return false
	case "array":
		items := []any{}
		for range whole(schema["minItems"], 0) {
			items = append(items, m.value("", m.resolve(schema["items"]), values))
		}
		return items
	}
	out := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, r := range required {
		out[r.(string)] = m.value(r.(string), m.resolve(properties[r.(string)]), values)
	}
	if least := whole(schema["minProperties"], 0); len(out) < least {
		names := []string{}
		for n := range properties {
			names = append(names, n)
		}
		slices.Sort(names)
		for _, n := range names[:least] {
			out[n] = m.value(n, m.resolve(properties[n]), values)
		}
	}
	return out
}
