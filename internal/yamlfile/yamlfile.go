// Package yamlfile reads the operator's YAML files strictly: unknown and
// repeated keys are mistakes, anchors and tags are not taken, and whatever is
// wrong is told with file, line and column, also what later checks find.
package yamlfile

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Limits of what an operator may hand in.
const (
	MaxBytes    = 1 << 20 // of one file
	MaxName     = 128     // bytes of a name, folders included
	MaxMistakes = 50      // more are counted, not listed
)

// Mistake is one thing wrong with a file.
type Mistake struct {
	File   string `json:"file"`
	Line   int    `json:"line"`   // 0: the file as a whole
	Column int    `json:"column"` // 0: unknown
	ZH, EN string
}

// Lines are mistakes as people read them, one on each line, with file and line.
// columns tells whether the column stands behind the line.
func Lines(all []Mistake, columns bool, text func(Mistake) string) []string {
	var out []string
	for _, m := range all {
		where := m.File
		if m.Line > 0 {
			where = fmt.Sprintf("%s:%d", m.File, m.Line)
			if columns && m.Column > 0 {
				where = fmt.Sprintf("%s:%d", where, m.Column)
			}
		}
		if where != "" {
			where += ": "
		}
		out = append(out, where+text(m))
	}
	if over := len(out) - MaxMistakes; over > 0 {
		out = append(out[:MaxMistakes], fmt.Sprintf("... (+%d)", over))
	}
	return out
}

// Source is a parsed file, kept for the places of later checks.
type Source struct {
	Name string
	Root ast.Node // nil: comments only
}

// Origin is where in the files an entry stands.
type Origin struct {
	File *Source
	Path []any // keys and indexes from the root
}

// In is the place of something below the entry.
func (o Origin) In(path ...any) Origin {
	return Origin{o.File, append(slices.Clip(o.Path), path...)}
}

// Name is that of the file, "" when there is none.
func (o Origin) Name() string {
	if o.File == nil {
		return ""
	}
	return o.File.Name
}

// Position is the line and column of the place, or of the nearest thing above
// it that exists; 0, 0 when there is none.
func (o Origin) Position() (line, column int) {
	if o.File == nil {
		return 0, 0
	}
	node := o.File.Root
	for _, step := range o.Path {
		next, l, c := below(node, step)
		if next == nil {
			break
		}
		node, line, column = next, l, c
	}
	return line, column
}

// Mistake is what is wrong at the place.
func (o Origin) Mistake(zh, en string) Mistake {
	m := Mistake{File: o.Name(), ZH: zh, EN: en}
	m.Line, m.Column = o.Position()
	return m
}

func below(node ast.Node, step any) (next ast.Node, line, column int) {
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			if key, ok := step.(string); ok && v.Key.String() == key {
				p := v.Key.GetToken().Position
				return v.Value, p.Line, p.Column
			}
		}
	case *ast.MappingValueNode: // a mapping of one key
		if key, ok := step.(string); ok && n.Key.String() == key {
			p := n.Key.GetToken().Position
			return n.Value, p.Line, p.Column
		}
	case *ast.SequenceNode:
		if i, ok := step.(int); ok && i < len(n.Values) {
			line, column = begin(n.Values[i])
			return n.Values[i], line, column
		}
	}
	return nil, 0, 0
}

// begin is where a node begins; a block mapping's own token is its first colon.
func begin(n ast.Node) (line, column int) {
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 && !m.IsFlowStyle {
			return begin(m.Values[0])
		}
	case *ast.MappingValueNode:
		p := m.Key.GetToken().Position
		return p.Line, p.Column
	}
	p := n.GetToken().Position
	return p.Line, p.Column
}

// Key is where a key of a mapping at the root stands; ok is false when the root
// is no mapping or has no such key.
func (s *Source) Key(key string) (value ast.Node, at Origin, ok bool) {
	next, _, _ := below(s.Root, key)
	return next, Origin{s, []any{key}}, next != nil
}

// Keys are the keys of the mapping at the root; ok is false when it is none.
func (s *Source) Keys() (keys []string, ok bool) {
	switch n := s.Root.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			keys = append(keys, v.Key.String())
		}
		return keys, true
	case *ast.MappingValueNode:
		return []string{n.Key.String()}, true
	}
	return nil, s.Root == nil
}

// Decode reads a node of the file strictly into v.
func (s *Source) Decode(node ast.Node, v any) (wrong *Mistake) {
	defer guard(s.Name, &wrong)
	if err := yaml.NodeToValue(node, v, yaml.Strict()); err != nil {
		return s.unfit(err)
	}
	return nil
}

// Each decodes a list's entries one by one, so that what is wrong with several of
// them is told at once; the values of those come empty. A node that is no list is
// one mistake.
func Each[T any](s *Source, node ast.Node) (all []T, wrong []Mistake) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		if m := s.Decode(node, &all); m != nil {
			wrong = append(wrong, *m)
		}
		return all, wrong
	}
	all = make([]T, len(list.Values))
	for i, n := range list.Values {
		if m := s.Decode(n, &all[i]); m != nil {
			wrong = append(wrong, *m)
		}
	}
	return all, wrong
}

// guard turns a panic of the YAML library, which odd input can bring about, into
// a mistake: a file must not stop the server.
func guard(name string, wrong **Mistake) {
	if p := recover(); p != nil {
		*wrong = &Mistake{File: name, ZH: "无法读取：YAML 结构异常", EN: "cannot be read: odd YAML"}
	}
}

// Parse reads a file's text. Its Root is nil when it holds comments only.
func Parse(name string, text []byte) (src *Source, wrong *Mistake) {
	defer guard(name, &wrong)
	if !strings.HasSuffix(name, ".yaml") && !strings.HasSuffix(name, ".yml") {
		return nil, &Mistake{File: name, ZH: "只接受 .yaml 文件", EN: "only .yaml files are taken"}
	}
	if !fs.ValidPath(name) || len(name) > MaxName || strings.ContainsFunc(name, unicode.IsControl) {
		return nil, &Mistake{File: name, ZH: "文件名不合法", EN: "not a file name below the folder"}
	}
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, &Mistake{File: name, ZH: "文件不是 UTF-8 文本", EN: "the file is not UTF-8 text"}
	}
	if len(text) > MaxBytes {
		return nil, &Mistake{File: name, ZH: fmt.Sprintf("文件超过 %d 字节", MaxBytes), EN: fmt.Sprintf("the file has more than %d bytes", MaxBytes)}
	}
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, unreadable(name, err)
	}
	if len(tree.Docs) > 1 {
		return nil, &Mistake{File: name, ZH: "一个文件只能有一个 YAML 文档", EN: "a file may hold one YAML document only"}
	}
	if len(tree.Docs) == 0 || tree.Docs[0].Body == nil {
		return &Source{Name: name}, nil
	}
	if _, ok := tree.Docs[0].Body.(*ast.CommentGroupNode); ok {
		return &Source{Name: name}, nil
	}
	var plain plainOnly
	ast.Walk(&plain, tree.Docs[0].Body)
	if plain.line > 0 {
		return nil, &Mistake{File: name, Line: plain.line, Column: plain.column, ZH: "不支持 YAML 的锚点、引用和标签", EN: "YAML anchors, aliases and tags are not taken"}
	}
	return &Source{Name: name, Root: tree.Docs[0].Body}, nil
}

// plainOnly finds the first anchor, alias, merge or tag: a small file could
// grow without end by them, and nobody needs them here.
type plainOnly struct{ line, column int }

func (p *plainOnly) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode:
		if p.line == 0 {
			at := n.GetToken().Position
			p.line, p.column = at.Line, at.Column
		}
		return nil
	}
	return p
}
