package setup

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/yamlfile"
)

// What one call of Values takes.
const (
	MaxEdits     = 200
	MaxEditBytes = 2 << 20 // of files and values in all
	maxEditWork  = 4 << 20 // of texts that edits are made to: each reads its file anew
)

// Faults of edits.
var (
	errNoFile     = fault.New(fault.Invalid, fault.CodeInvalid, "没有这个文件", "there is no such file")
	errNoEntry    = fault.New(fault.Invalid, fault.CodeInvalid, "没有这个条目", "there is no such entry")
	errBadValue   = fault.New(fault.Invalid, fault.CodeInvalid, "条目的内容无法写入文件", "the entry cannot be written into the file")
	errEdits      = fault.New(fault.Forbidden, fault.CodeNoPermission, "仅管理员可以修改配置文件", "only administrators edit files of the configuration")
	errEditBytes  = fault.New(fault.Invalid, fault.CodeInvalid, "文件和修改内容合计不能超过 {max} 字节", "files and edits may hold {max} bytes in all")
	errEditWork   = fault.New(fault.Invalid, fault.CodeInvalid, "对这么大的文件一次修改过多，请分批提交", "too many edits of files of that size at once: make fewer")
	errTooManyEds = fault.New(fault.Invalid, fault.CodeInvalid, "一次最多 {max} 处修改", "at most {max} edits at once")
)

// Edit is a change of one entry of a file: an item of a list, or a key of a
// mapping, that stands right below a key of the file. `severities` is such a list,
// `limits` such a mapping.
type Edit struct {
	File  string
	Under string // the file's key
	Name  string // of a mapping: which key
	Index int    // of a list: which item, 0 = the first; -1 = a new one at the end
	Value []byte // JSON; nil = the entry goes
	To    int    // of a list: where the item goes to, -1 = stays. With To the value stays as it is.
}

// Values are files with edits made to them, and what they hold as JSON, by path.
// Whatever no edit names stays as it is written, comments too. Nothing is
// checked beside the YAML, and nothing is stored: Plan and Apply are for that.
// Edits are for administrators; without any, auditors read what files hold, too.
// It takes MaxEdits and MaxEditBytes, and ends when ctx is done. Errors (kind
// Invalid) name the edit, as edits[2].value; a file that is no YAML is refused as
// Plan does.
func (s *Service) Values(ctx context.Context, who principal.Principal, files map[string][]byte, edits []Edit) (texts map[string]string, values map[string][]byte, err error) {
	switch {
	case !who.Inspects():
		return nil, nil, fault.NoPermission
	case len(edits) > 0 && !who.Admin():
		return nil, nil, errEdits
	case len(files) > MaxFiles:
		return nil, nil, fault.Unknown.In("files")
	case len(edits) > MaxEdits:
		return nil, nil, errTooManyEds.With("max", MaxEdits).In("edits")
	}
	size := 0
	for _, text := range files {
		size += len(text)
	}
	for _, e := range edits {
		size += len(e.Value)
	}
	if size > MaxEditBytes {
		return nil, nil, errEditBytes.With("max", MaxEditBytes).In("files")
	}
	pages := map[string]*page{}
	for name, text := range files {
		if strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
			pages[name] = &page{name: name, text: string(text)}
		}
	}
	work := 0
	for _, e := range edits {
		work += len(files[e.File])
	}
	if work > maxEditWork {
		return nil, nil, errEditWork.In("edits")
	}
	work = 0 // again: they make files longer
	for i, e := range edits {
		p, ok := pages[e.File]
		if !ok {
			return nil, nil, errNoFile.In(fmt.Sprintf("edits[%d].file", i))
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if work += len(p.text); work > maxEditWork {
			return nil, nil, errEditWork.In("edits")
		}
		text, err := e.apply(p)
		if err != nil {
			if f, ok := fault.As(err); ok {
				return nil, nil, f.In(fmt.Sprintf("edits[%d].%s", i, f.Field))
			}
			return nil, nil, err
		}
		pages[e.File] = &page{name: e.File, text: text}
	}
	texts, values = map[string]string{}, map[string][]byte{}
	var wrong []yamlfile.Mistake
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		v, m := pages[name].value()
		if m != nil {
			wrong = append(wrong, *m)
			continue
		}
		texts[name], values[name] = pages[name].text, v
	}
	if len(wrong) > 0 {
		return nil, nil, (&Broken{wrong}).asFault()
	}
	return texts, values, nil
}

// page is a file that is parsed once: an edit makes another page.
type page struct {
	name, text string
	src        *yamlfile.Source
	wrong      *yamlfile.Mistake
}

func (p *page) parsed() (*yamlfile.Source, *yamlfile.Mistake) {
	if p.src == nil && p.wrong == nil {
		p.src, p.wrong = yamlfile.Parse(p.name, []byte(p.text))
	}
	return p.src, p.wrong
}

// value is what a file holds as JSON; an empty one holds {}.
func (p *page) value() (_ []byte, m *yamlfile.Mistake) {
	defer func() {
		if recover() != nil {
			m = &yamlfile.Mistake{File: p.name, ZH: "无法读取：YAML 结构异常", EN: "cannot be read: odd YAML"}
		}
	}()
	src, wrong := p.parsed()
	if wrong != nil {
		return nil, wrong
	}
	if src.Root == nil {
		return []byte("{}"), nil
	}
	var v any
	err := yaml.NodeToValue(src.Root, &v, yaml.UseOrderedMap())
	var out []byte
	if err == nil {
		out, err = yaml.MarshalWithOptions(v, yaml.JSON())
	}
	if out = bytes.TrimSpace(out); err != nil || len(out) == 0 || out[0] != '{' || !json.Valid(out) {
		return nil, &yamlfile.Mistake{File: p.name, ZH: "须为映射（键: 值）", EN: "must be a mapping (key: value)"}
	}
	return out, nil
}

// apply makes the edit: the entry's own lines are written anew, all others stay.
func (e Edit) apply(p *page) (_ string, err error) {
	defer func() { // odd input can bring the YAML library to panic
		if recover() != nil {
			err = errBadValue.In("value")
		}
	}()
	src, wrong := p.parsed()
	if wrong != nil {
		return "", (&Broken{[]yamlfile.Mistake{*wrong}}).asFault()
	}
	pairs := pairsOf(src.Root)
	at := slices.IndexFunc(pairs, func(p *ast.MappingValueNode) bool { return p.Key.String() == e.Under })
	lines := strings.SplitAfter(p.text, "\n")
	if n := len(lines); lines[n-1] == "" {
		lines = lines[:n-1]
	} else {
		lines[n-1] += "\n"
	}
	end := len(lines) + 1 // the line behind the key's part, counted from 1
	if at >= 0 && at+1 < len(pairs) {
		end = before(lines, pairs[at+1].Key.GetToken().Position.Line, 0)
	}
	if at < 0 {
		if e.Value == nil || (e.Name == "" && e.Index >= 0) {
			return "", errNoEntry.In("under")
		}
		entry, err := e.entry(2)
		if err != nil {
			return "", err
		}
		return strings.Join(lines, "") + e.Under + ":\n" + entry, nil
	}
	var starts []int // of the entries
	indent := 2
	switch n := pairs[at].Value.(type) {
	case *ast.SequenceNode:
		if e.Name != "" {
			return "", errNoEntry.In("name")
		}
		if n.IsFlowStyle { // [] or one line: written anew as a whole
			return e.flow(lines, pairs[at], end)
		}
		indent = n.Start.Position.Column - 1
		for _, entry := range n.Entries {
			starts = append(starts, entry.Start.Position.Line)
		}
	case *ast.MappingNode, *ast.MappingValueNode:
		if e.Name == "" {
			return "", errNoEntry.In("index")
		}
		for i, p := range pairsOf(n) {
			if i == 0 {
				indent = p.Key.GetToken().Position.Column - 1
			}
			starts = append(starts, p.Key.GetToken().Position.Line)
			if p.Key.String() == e.Name {
				e.Index = i
			}
		}
		if named := slices.ContainsFunc(pairsOf(n), func(p *ast.MappingValueNode) bool { return p.Key.String() == e.Name }); !named {
			e.Index = -1
		}
		if m, ok := n.(*ast.MappingNode); ok && m.IsFlowStyle {
			return "", errBadValue.In("under")
		}
	default:
		return e.flow(lines, pairs[at], end)
	}
	return e.splice(lines, starts, end, indent)
}

// splice puts the entry's new lines in the place of its old ones.
func (e Edit) splice(lines []string, starts []int, end, indent int) (string, error) {
	bounds := append(slices.Clone(starts), end)
	for i := range starts {
		if i > 0 { // comments above an entry are its own
			bounds[i] = before(lines, starts[i], indent)
		} else {
			bounds[i] = starts[i]
		}
	}
	if e.Index >= len(starts) || e.Index < -1 {
		return "", errNoEntry.In("index")
	}
	joined := func(parts ...[]string) string { return strings.Join(slices.Concat(parts...), "") }
	head := lines[:bounds[0]-1]
	tail := lines[end-1:]
	var entries [][]string
	for i := range starts {
		entries = append(entries, lines[bounds[i]-1:bounds[i+1]-1])
	}
	switch {
	case e.Index < 0 && e.Value == nil:
		return "", errNoEntry.In("index")
	case e.Index < 0:
		entry, err := e.entry(indent)
		if err != nil {
			return "", err
		}
		entries = append(entries, []string{entry})
	case e.To >= 0 && e.Value == nil && e.Name == "":
		if e.To >= len(entries) {
			return "", errNoEntry.In("to")
		}
		moved := entries[e.Index]
		entries = slices.Insert(slices.Delete(entries, e.Index, e.Index+1), e.To, moved)
	case e.Value == nil:
		entries = slices.Delete(entries, e.Index, e.Index+1)
		if len(entries) == 0 {
			head[len(head)-1] = strings.TrimRight(head[len(head)-1], " \n") + map[bool]string{true: " {}\n", false: " []\n"}[e.Name != ""]
		}
	default:
		entry, err := e.entry(indent)
		if err != nil {
			return "", err
		}
		// Comments above the entry, and empty lines below it, stay.
		old := entries[e.Index]
		first := starts[e.Index] - bounds[e.Index]
		last := len(old)
		for last > first+1 && strings.TrimSpace(old[last-1]) == "" {
			last--
		}
		entries[e.Index] = slices.Concat(old[:first], []string{entry}, old[last:])
	}
	return joined(head, slices.Concat(entries...), tail), nil
}

// flow is a list that stands in one line: an empty one, or one in brackets.
func (e Edit) flow(lines []string, pair *ast.MappingValueNode, end int) (string, error) {
	var all []any
	if n, ok := pair.Value.(*ast.SequenceNode); ok {
		if err := yaml.NodeToValue(n, &all, yaml.UseOrderedMap()); err != nil {
			return "", errBadValue.In("under")
		}
	}
	if e.Index >= len(all) || e.Index < -1 || (e.Index < 0 && e.Value == nil) {
		return "", errNoEntry.In("index")
	}
	start := pair.Key.GetToken().Position.Line
	var out strings.Builder
	out.WriteString(e.Under + ":\n")
	if e.Name == "" && e.Index >= 0 && e.Value == nil && e.To >= 0 && e.To < len(all) {
		moved := all[e.Index]
		all = slices.Insert(slices.Delete(all, e.Index, e.Index+1), e.To, moved)
	} else if e.Index >= 0 && e.Value == nil {
		all = slices.Delete(all, e.Index, e.Index+1)
	}
	for i, v := range all {
		if i == e.Index && e.Value != nil {
			continue
		}
		text, err := yaml.MarshalWithOptions([]any{v}, yaml.UseLiteralStyleIfMultiline(true))
		if err != nil {
			return "", errBadValue.In("value")
		}
		out.WriteString(indented(string(text), 2))
	}
	if e.Value != nil {
		entry, err := e.entry(2)
		if err != nil {
			return "", err
		}
		out.WriteString(entry)
	} else if len(all) == 0 {
		out.Reset()
		out.WriteString(e.Under + ": []\n")
	}
	return strings.Join(lines[:start-1], "") + out.String() + strings.Join(lines[end-1:], ""), nil
}

// before is the first line of the comment right above a line, or the line itself.
// What stands further to the right than the line is no comment but may be a text
// of the entry above.
func before(lines []string, line, indent int) int {
	for line > 1 {
		above := strings.TrimLeft(lines[line-2], " ")
		if !strings.HasPrefix(above, "#") || len(lines[line-2])-len(above) > indent {
			break
		}
		line--
	}
	return line
}

func pairsOf(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

// entry is the value as lines of the file, which read as the same again.
func (e Edit) entry(indent int) (string, error) {
	var v any
	if err := yaml.UnmarshalWithOptions(e.Value, &v, yaml.UseOrderedMap()); err != nil || !json.Valid(e.Value) {
		return "", errBadValue.In("value")
	}
	var whole any = []any{v}
	if e.Name != "" {
		if !plainKey.MatchString(e.Name) {
			return "", errNoEntry.In("name")
		}
		whole = yaml.MapSlice{{Key: e.Name, Value: v}}
	}
	want, err := canonical(e.Value)
	if err != nil {
		return "", errBadValue.In("value")
	}
	for _, style := range [][]yaml.EncodeOption{{yaml.IndentSequence(true), yaml.UseLiteralStyleIfMultiline(true)}, {yaml.IndentSequence(true)}} {
		text, err := yaml.MarshalWithOptions(whole, style...)
		if err != nil {
			continue
		}
		got, err := yaml.YAMLToJSON(text)
		if err != nil {
			continue
		}
		if back, err := canonical(inner(got)); err == nil && back == want {
			return indented(string(text), indent), nil
		}
	}
	// What the YAML library does not read as it writes it stands there as JSON.
	line := "- " + escaped(want) + "\n"
	if e.Name != "" {
		line = e.Name + ": " + escaped(want) + "\n"
	}
	got, err := yaml.YAMLToJSON([]byte(line))
	if err != nil {
		return "", errBadValue.In("value")
	}
	if back, err := canonical(inner(got)); err != nil || back != want {
		return "", errBadValue.In("value")
	}
	return indented(line, indent), nil
}

var plainKey = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// inner is the one value of a list or mapping.
func inner(text []byte) []byte {
	var list []json.RawMessage
	if json.Unmarshal(text, &list) == nil && len(list) == 1 {
		return list[0]
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(text, &all) == nil && len(all) == 1 {
		for _, v := range all {
			return v
		}
	}
	return nil
}

// canonical is JSON in one form, numbers as they are written.
func canonical(text []byte) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return "", err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSpace(b.String()), err
}

// indented moves lines so that the first one stands that far to the right; empty
// ones stay empty.
func indented(text string, by int) string {
	var b strings.Builder
	own := len(text) - len(strings.TrimLeft(text, " "))
	for line := range strings.Lines(text) {
		if len(line) > own+1 {
			line = strings.Repeat(" ", by) + line[own:]
		}
		b.WriteString(line)
	}
	return b.String()
}
