package contract

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Place is one value of a request: a parameter, or a property of the body,
// nested ones and those of list items too.
type Place struct {
	Name     string // the last name
	In       string // path, query, header, body, form
	Path     []any  // keys and indexes into what Values.Wire makes
	Schema   *openapi3.Schema
	Required bool // within what surrounds it
}

func (p Place) String() string {
	var b strings.Builder
	for i, k := range p.Path {
		switch k := k.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", k)
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, k)
		}
	}
	return b.String()
}

// Places are all places of a request.
func (c Call) Places() (all []Place) {
	for _, p := range c.Params {
		s := Plain(p.Schema.Value)
		all = append(all, Place{Name: p.Name, In: p.In, Path: []any{p.Name}, Schema: s, Required: p.Required})
		if s.Type.Is("array") {
			all = append(all, Place{Name: p.Name, In: p.In, Path: []any{p.Name, 0}, Schema: Plain(s.Items.Value)})
		}
	}
	in := "body"
	if c.Multipart {
		in = "form"
	}
	var walk func(path []any, s *openapi3.Schema)
	walk = func(path []any, s *openapi3.Schema) {
		for name, ref := range s.Properties {
			inner := Plain(ref.Value)
			at := append(slices.Clone(path), name)
			all = append(all, Place{Name: name, In: in, Path: at, Schema: inner, Required: slices.Contains(s.Required, name)})
			walk(at, inner)
			if inner.Items != nil {
				item := append(slices.Clone(at), 0)
				if of := Plain(inner.Items.Value); of.Type.Is("object") {
					walk(item, of)
				} else {
					all = append(all, Place{Name: name, In: in, Path: item, Schema: of})
				}
			}
		}
	}
	if c.Body != nil {
		walk([]any{"body"}, c.Body)
	}
	slices.SortFunc(all, func(a, b Place) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// absent takes the value away.
type absent struct{}

// Absent as a value of Put takes the place away.
var Absent any = absent{}

// Put sets the value at the place in what Values.Wire made; what surrounds it
// must be there.
func (p Place) Put(wire map[string]any, v any) bool {
	var at any = wire
	for _, k := range p.Path[:len(p.Path)-1] {
		switch key := k.(type) {
		case string:
			m, ok := at.(map[string]any)
			if !ok || m[key] == nil {
				return false
			}
			at = m[key]
		case int:
			list, ok := at.([]any)
			if !ok || len(list) <= key {
				return false
			}
			at = list[key]
		}
	}
	switch key := p.Path[len(p.Path)-1].(type) {
	case string:
		m, ok := at.(map[string]any)
		if !ok {
			return false
		}
		if v == Absent {
			delete(m, key)
		} else {
			m[key] = v
		}
	case int:
		list, ok := at.([]any)
		if !ok || len(list) <= key || v == Absent {
			return false
		}
		list[key] = v
	}
	return true
}

// Limit is a documented limit with a value that keeps it and one just beyond;
// Within is nil where the beyond alone says it all.
type Limit struct {
	Name           string
	Within, Beyond any
	Malformed      bool // a wrong type, which has a code of its own
}

// Limits are the documented limits of a place.
func (p Place) Limits() (all []Limit) {
	s := p.Schema
	add := func(within, beyond any, format string, args ...any) {
		all = append(all, Limit{Name: fmt.Sprintf(format, args...), Within: within, Beyond: beyond})
	}
	switch {
	case s.Type.Is("string") && s.Format == "binary":
	case s.Type.Is("string") && len(s.Enum) > 0:
		for _, v := range s.Enum {
			add(v, "no-such-value", "enum value %v", v)
		}
	case s.Type.Is("string"):
		if s.MaxLength != nil {
			n := int(*s.MaxLength)
			add(p.text(n), p.text(n+1), "maxLength %d", n)
		}
		if n := int(s.MinLength); n > 0 && !(p.In == "path" && n == 1) {
			add(p.text(n), p.text(n-1), "minLength %d", n)
		}
		if s.Pattern != "" {
			add(nil, "no-number", "pattern %s", s.Pattern)
		}
	case s.Type.Is("integer"):
		if s.Max != nil {
			add(int64(*s.Max), int64(*s.Max)+1, "maximum %v", *s.Max)
		} else if s.Format == "int32" {
			add(int64(math.MaxInt32), int64(math.MaxInt32)+1, "int32")
		}
		if s.Min != nil {
			add(int64(*s.Min), int64(*s.Min)-1, "minimum %v", *s.Min)
		}
		all = append(all, Limit{Name: "type integer", Beyond: "no-number", Malformed: true})
	case s.Type.Is("boolean"):
		all = append(all, Limit{Name: "type boolean", Beyond: "no-boolean", Malformed: true})
	case s.Type.Is("array"):
		if s.MaxItems != nil {
			n := int(*s.MaxItems)
			add(p.items(n), p.items(n+1), "maxItems %d", n)
		}
		if n := int(s.MinItems); n > 0 {
			add(p.items(n), p.items(n-1), "minItems %d", n)
		}
	}
	if p.Required && p.In != "path" {
		add(nil, Absent, "required")
	}
	return all
}

// text is Chinese where the value may be: a limit counts characters, not bytes.
func (p Place) text(n int) string {
	if p.In == "header" || p.Schema.Pattern != "" {
		return strings.Repeat("1", n)
	}
	return strings.Repeat("云", n)
}

func (p Place) items(n int) []any {
	list := []any{}
	item := Plain(p.Schema.Items.Value)
	for i := range n {
		v := Values{}.Of(p.Name, item)
		if item.Type.Is("string") {
			v = fmt.Sprint(i + 1)
		}
		list = append(list, v)
	}
	return list
}

// Copy is a deep copy of what Values.Wire made.
func Copy(wire map[string]any) map[string]any {
	return deep(wire).(map[string]any)
}

func deep(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, inner := range v {
			out[k] = deep(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = deep(inner)
		}
		return out
	case json.RawMessage:
		return slices.Clone(v)
	}
	return v
}
