// Package contract reads the OpenAPI files for the black-box tests and makes
// requests of them: what a test sends comes from the contract, not from the
// code that serves it.
package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
)

// Field is a parameter or a property of a body, nested ones named with dots.
type Field struct {
	Name     string
	In       string // path, query, header, body
	Required bool
	Type     string // string, integer, number, boolean, array, object
	Items    string // type of an array's items
	MinLen   int
	MaxLen   int // 0 = none
	Min, Max *int64
	MaxItems int
	Enum     []any
}

// Operation is one operation of a contract.
type Operation struct {
	ID, Method, Path string
	Fields           []Field
	HasBody, JSON    bool
	Public           bool     // needs no credentials
	Schemes          []string // names of the security schemes of its own, if it has such
}

type object = map[string]any

var loaded struct {
	mu sync.Mutex
	by map[string][]Operation
}

// Load reads a contract, e.g. v2.yaml, operations by id; each once in a process.
func Load(t testing.TB, name string) []Operation {
	t.Helper()
	loaded.mu.Lock()
	defer loaded.mu.Unlock()
	all, ok := loaded.by[name]
	if !ok {
		if loaded.by == nil {
			loaded.by = map[string][]Operation{}
		}
		all = load(t, name)
		loaded.by[name] = all
	}
	return slices.Clone(all)
}

func load(t testing.TB, name string) []Operation {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "api", name))
	if err != nil {
		t.Fatal(err)
	}
	var doc object
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	r := reader{doc}
	var all []Operation
	for path, methods := range doc["paths"].(object) {
		for method, raw := range methods.(object) {
			o, ok := raw.(object)
			if !ok || o["operationId"] == nil {
				continue
			}
			op := Operation{ID: o["operationId"].(string), Method: strings.ToUpper(method), Path: path}
			if s, ok := o["security"].([]any); ok {
				op.Public = len(s) == 0
				for _, one := range s {
					op.Schemes = slices.AppendSeq(op.Schemes, maps.Keys(one.(object)))
				}
			}
			params, _ := o["parameters"].([]any)
			for _, p := range params {
				p := r.resolve(p.(object))
				f := r.field(p["name"].(string), p["in"].(string), p["schema"].(object))
				f.Required, _ = p["required"].(bool)
				op.Fields = append(op.Fields, f)
			}
			if body, ok := o["requestBody"].(object); ok {
				op.HasBody = true
				content := r.resolve(body)["content"].(object)
				if media, ok := content["application/json"].(object); ok {
					op.JSON = true
					r.properties(&op, "", r.resolve(media["schema"].(object)), true)
				}
			}
			all = append(all, op)
		}
	}
	slices.SortFunc(all, func(a, b Operation) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// root is the folder of the module: tests run in the folders of their packages.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("not inside the module")
		}
		dir = up
	}
}

type reader struct{ doc object }

// resolve follows $ref and allOf.
func (r reader) resolve(o object) object {
	if ref, ok := o["$ref"].(string); ok {
		at := r.doc
		for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			at = at[part].(object)
		}
		return r.resolve(at)
	}
	if all, ok := o["allOf"].([]any); ok {
		merged := object{}
		for _, part := range all {
			maps.Copy(merged, r.resolve(part.(object)))
		}
		return merged
	}
	return o
}

func number(v any) (int64, bool) {
	switch n := v.(type) {
	case uint64:
		return int64(n), true
	case int64:
		return n, true
	case int:
		return int64(n), true
	case float64:
		return int64(n), true
	}
	return 0, false
}

func (r reader) field(name, in string, schema object) Field {
	s := r.resolve(schema)
	f := Field{Name: name, In: in}
	f.Type, _ = s["type"].(string)
	if items, ok := s["items"].(object); ok {
		f.Items, _ = r.resolve(items)["type"].(string)
	}
	for key, into := range map[string]*int{"minLength": &f.MinLen, "maxLength": &f.MaxLen, "maxItems": &f.MaxItems} {
		if n, ok := number(s[key]); ok {
			*into = int(n)
		}
	}
	f.Enum, _ = s["enum"].([]any)
	if n, ok := number(s["minimum"]); ok {
		f.Min = &n
	}
	if n, ok := number(s["maximum"]); ok {
		f.Max = &n
	}
	return f
}

// maxLevels is how far down fields are read: a schema may hold itself.
const maxLevels = 8

func (r reader) properties(op *Operation, prefix string, s object, required bool) {
	var must []string
	list, _ := s["required"].([]any)
	for _, m := range list {
		must = append(must, m.(string))
	}
	props, _ := s["properties"].(object)
	for _, name := range slices.Sorted(maps.Keys(props)) {
		f := r.field(prefix+name, "body", props[name].(object))
		f.Required = required && slices.Contains(must, name)
		if f.Type == "object" && r.resolve(props[name].(object))["properties"] != nil && strings.Count(prefix, ".") < maxLevels {
			r.properties(op, prefix+name+".", r.resolve(props[name].(object)), f.Required)
			continue
		}
		op.Fields = append(op.Fields, f)
	}
}

// Plain is an ordinary value of a field.
func (f Field) Plain() any {
	if len(f.Enum) > 0 {
		return f.Enum[0]
	}
	switch f.Type {
	case "integer", "number":
		if f.Min != nil {
			return *f.Min
		}
		return 1
	case "boolean":
		return true
	case "array":
		switch f.Items {
		case "string":
			return []any{"1"}
		case "integer":
			return []any{1}
		}
		return []any{object{}}
	case "object":
		return object{}
	}
	return strings.Repeat("1", max(f.MinLen, 1))
}

// Request is the operation's path with query, its headers and its body, from
// values by field name; required fields without a value get a plain one.
func (o Operation) Request(values map[string]any) (path string, header map[string]string, body []byte) {
	path, header = o.Path, map[string]string{}
	query := url.Values{}
	content := object{}
	for _, f := range o.Fields {
		v, ok := values[f.Name]
		if !ok && !f.Required {
			continue
		}
		if !ok {
			v = f.Plain()
		}
		switch f.In {
		case "path":
			path = strings.ReplaceAll(path, "{"+f.Name+"}", url.PathEscape(fmt.Sprint(v)))
		case "query":
			if list, ok := v.([]any); ok {
				for _, item := range list {
					query.Add(f.Name, fmt.Sprint(item))
				}
			} else {
				query.Set(f.Name, fmt.Sprint(v))
			}
		case "header":
			header[f.Name] = fmt.Sprint(v)
		case "body":
			at := content
			parts := strings.Split(f.Name, ".")
			for _, p := range parts[:len(parts)-1] {
				if _, ok := at[p].(object); !ok {
					at[p] = object{}
				}
				at = at[p].(object)
			}
			at[parts[len(parts)-1]] = v
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	if o.JSON {
		body, _ = json.Marshal(content)
	}
	return path, header, body
}
