package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"casemate/test/judge"
)

// Call is one operation with its schemas, for tests that make values of them.
type Call struct {
	ID, Method, Path string
	Params           []*openapi3.Parameter
	Body             *openapi3.Schema // nil = none
	BodyRequired     bool
	Multipart        bool
	File             bool // answers with a file, not with JSON
}

// Calls are the operations of the customer API, by id.
func Calls(t testing.TB) (all []Call) {
	t.Helper()
	doc, err := judge.Contract()
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			c := Call{ID: op.OperationID, Method: method, Path: path}
			if ok := op.Responses.Status(http.StatusOK); ok != nil {
				c.File = ok.Value.Content["application/json"] == nil
			}
			for _, p := range op.Parameters {
				c.Params = append(c.Params, p.Value)
			}
			if b := op.RequestBody; b != nil {
				c.BodyRequired = b.Value.Required
				for kind, media := range b.Value.Content {
					c.Body, c.Multipart = Plain(media.Schema.Value), strings.HasPrefix(kind, "multipart/")
				}
			}
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b Call) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Plain unwraps the allOf of one that carries a description only.
func Plain(s *openapi3.Schema) *openapi3.Schema {
	if len(s.AllOf) == 1 && s.Type == nil {
		return Plain(s.AllOf[0].Value)
	}
	return s
}

// Values makes values of schemas. Pick may give the value of a field by its
// name; else it is made of the schema.
type Values struct {
	Full bool // optional fields too
	Pick func(name string, s *openapi3.Schema) (any, bool)
	Text func(name string, least, most int) string // of strings without enum, most is 0 without limit; nil = digits
}

// Of makes a value.
func (v Values) Of(name string, s *openapi3.Schema) any {
	s = Plain(s)
	if v.Pick != nil {
		if got, ok := v.Pick(name, s); ok {
			return got
		}
	}
	switch {
	case len(s.Enum) > 0:
		return s.Enum[len(s.Enum)-1]
	case s.Type.Is("string"):
		if list, ok := s.Extensions["x-documented-enum"].([]any); ok && len(list) > 0 {
			return list[len(list)-1]
		}
		most := 0
		if s.MaxLength != nil {
			most = int(*s.MaxLength)
		}
		if v.Text == nil || s.Pattern != "" {
			return strings.Repeat("1", max(int(s.MinLength), 1))
		}
		return v.Text(name, int(s.MinLength), most)
	case s.Type.Is("integer"), s.Type.Is("number"):
		if s.Min != nil {
			return int64(*s.Min)
		}
		return int64(1)
	case s.Type.Is("boolean"):
		return true
	case s.Type.Is("array"):
		return []any{v.Of(name, s.Items.Value)}
	}
	out := map[string]any{}
	for p, schema := range s.Properties {
		if v.Full || slices.Contains(s.Required, p) {
			out[p] = v.Of(p, schema.Value)
		}
	}
	if len(s.Properties) == 0 && v.Full && s.Type.Is("object") {
		return v.object(name)
	}
	return out
}

// object is a free map, such as extends_map.
func (v Values) object(string) map[string]any { return map[string]any{} }

// Wire is the whole request by wire name; the body stands under "body".
func (v Values) Wire(c Call) map[string]any {
	all := map[string]any{}
	for _, p := range c.Params {
		if p.Required || v.Full {
			all[p.Name] = v.Of(p.Name, p.Schema.Value)
		}
	}
	if c.Body != nil && (c.BodyRequired || v.Full) {
		all["body"] = v.Of("body", c.Body)
	}
	return all
}

// HTTP is a request of values by wire name, the body under "body": path with
// query, headers, the body and its type. Lists go out as repeated keys, as the
// official clients send them.
func (c Call) HTTP(values map[string]any) (path string, header map[string]string, body []byte, kind string) {
	path, header, kind = c.Path, map[string]string{}, "application/json"
	query := url.Values{}
	for _, p := range c.Params {
		v, ok := values[p.Name]
		if !ok {
			continue
		}
		switch p.In {
		case "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(fmt.Sprint(v)))
		case "header":
			header[p.Name] = fmt.Sprint(v)
		default:
			list, ok := v.([]any)
			if !ok {
				list = []any{v}
			}
			for _, item := range list {
				query.Add(p.Name, fmt.Sprint(item))
			}
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	content, ok := values["body"]
	switch {
	case c.Body == nil || !ok:
		return path, header, nil, kind
	case c.Multipart:
		var form bytes.Buffer
		w := multipart.NewWriter(&form)
		fields, _ := content.(map[string]any)
		for name, v := range fields { // writing to memory does not fail
			if name == "file" {
				part, _ := w.CreateFormFile(name, "note.txt")
				_, _ = fmt.Fprint(part, v)
				continue
			}
			_ = w.WriteField(name, fmt.Sprint(v))
		}
		_ = w.Close()
		return path, header, form.Bytes(), w.FormDataContentType()
	}
	if raw, ok := content.(json.RawMessage); ok {
		return path, header, raw, kind
	}
	body, _ = json.Marshal(content)
	return path, header, body, kind
}

// Names are all fields of the operation by their last name: parameters and,
// nested, those of the body.
func (c Call) Names() (names []string) {
	for _, p := range c.Params {
		names = append(names, p.Name)
	}
	var walk func(s *openapi3.Schema)
	walk = func(s *openapi3.Schema) {
		s = Plain(s)
		for name, p := range s.Properties {
			names = append(names, name)
			walk(p.Value)
		}
		if s.Items != nil {
			walk(s.Items.Value)
		}
	}
	if c.Body != nil {
		walk(c.Body)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
