package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"casemate/internal/fault"
	"casemate/internal/locale"
)

// Limits of what an operator may hand in.
const (
	maxFiles     = 200
	maxFileBytes = 1 << 20
	maxFileName  = 128 // bytes, folders included
	maxMistakes  = 50  // more are counted, not listed
)

// Mistake is one thing wrong with a catalogue file.
type Mistake struct {
	File   string `json:"file"`
	Line   int    `json:"line"` // 0: the file as a whole
	ZH, EN string
}

// Broken is the error of files that do not make a catalogue: every mistake
// found, each with its file and line.
type Broken struct{ Mistakes []Mistake }

// Error only counts; the refusal around it lists them.
func (b *Broken) Error() string { return fmt.Sprintf("%d mistakes", len(b.Mistakes)) }

func (b *Broken) lines(text func(Mistake) string) []string {
	var out []string
	for _, m := range b.Mistakes {
		where := m.File
		if m.Line > 0 {
			where = fmt.Sprintf("%s:%d", m.File, m.Line)
		}
		if where != "" {
			where += ": "
		}
		out = append(out, where+text(m))
	}
	if over := len(out) - maxMistakes; over > 0 {
		out = append(out[:maxMistakes], fmt.Sprintf("... (+%d)", over))
	}
	return out
}

// asFault is the refusal callers see: every mistake on a line of its own.
func (b *Broken) asFault() error {
	return fault.New(fault.Invalid, fault.CodeInvalid,
		"配置目录有误，未作任何更改：\n"+strings.Join(b.lines(func(m Mistake) string { return m.ZH }), "\n"),
		"the catalogue is not valid, nothing was changed:\n"+strings.Join(b.lines(func(m Mistake) string { return m.EN }), "\n")).Because(b)
}

// source is a parsed file, kept for the line numbers of later checks.
type source struct {
	name string
	root ast.Node
}

// origin is where in the files an entry stands.
type origin struct {
	file *source
	path []any // keys and indexes from the root
}

// in is the place of something below the entry.
func (o origin) in(path ...any) origin {
	return origin{o.file, append(slices.Clip(o.path), path...)}
}

// line is the line of the place, or of the nearest thing above it that exists.
func (o origin) line() int {
	if o.file == nil {
		return 0
	}
	node := o.file.root
	line := 0
	for _, step := range o.path {
		next, at := below(node, step)
		if next == nil {
			break
		}
		node, line = next, at
	}
	return line
}

func below(node ast.Node, step any) (ast.Node, int) {
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			if key, ok := step.(string); ok && v.Key.String() == key {
				return v.Value, v.Key.GetToken().Position.Line
			}
		}
	case *ast.MappingValueNode: // a mapping of one key
		if key, ok := step.(string); ok && n.Key.String() == key {
			return n.Value, n.Key.GetToken().Position.Line
		}
	case *ast.SequenceNode:
		if i, ok := step.(int); ok && i < len(n.Values) {
			return n.Values[i], firstLine(n.Values[i])
		}
	}
	return nil, 0
}

// firstLine is where a node begins; a block mapping's own token is its first colon.
func firstLine(n ast.Node) int {
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 && !m.IsFlowStyle {
			return firstLine(m.Values[0])
		}
	case *ast.MappingValueNode:
		return m.Key.GetToken().Position.Line
	}
	return n.GetToken().Position.Line
}

// fileShape is what one file may hold; every section may be spread over files.
type fileShape struct {
	SubTypes       []SubType       `yaml:"sub_types"`
	Products       []productShape  `yaml:"products"`
	Params         []Param         `yaml:"params"`
	CommonParams   []CommonParam   `yaml:"common_params"`
	Severities     []Severity      `yaml:"severities"`
	Plans          []Plan          `yaml:"support_plans"`
	Regions        []Region        `yaml:"regions"`
	AreaCodes      []AreaCode      `yaml:"area_codes"`
	Dimensions     []Dimension     `yaml:"satisfaction_dimensions"`
	Limits         *Limits         `yaml:"limits"`
	AgreementTypes []AgreementType `yaml:"agreement_types"`
	Agreements     []Agreement     `yaml:"agreements"`
	Settings       []Setting       `yaml:"configuration"`
	Diagnoses      []Diagnosis     `yaml:"diagnoses"`
	Calendars      []Calendar      `yaml:"calendars"`
	SLA            *SLA            `yaml:"sla"`
}

type productShape struct {
	Product      `yaml:",inline"`
	ProblemTypes []problemShape `yaml:"problem_types"`
}

type problemShape struct {
	ProblemType `yaml:",inline"`
	Templates   []Template `yaml:"templates"`
}

// parse reads the files in the order of their names. Unknown and repeated keys
// are mistakes. The result holds what could be read even when there are some.
func parse(files map[string][]byte) (*content, []Mistake) {
	c := &content{}
	var wrong []Mistake
	if len(files) == 0 {
		return c, []Mistake{{ZH: "没有 .yaml 文件", EN: "there are no .yaml files"}}
	}
	if len(files) > maxFiles {
		return c, []Mistake{{ZH: fmt.Sprintf("最多 %d 个文件", maxFiles), EN: fmt.Sprintf("at most %d files", maxFiles)}}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if m := c.parseFile(name, files[name]); m != nil {
			wrong = append(wrong, *m)
		}
	}
	return c, wrong
}

func (c *content) parseFile(name string, text []byte) (wrong *Mistake) {
	defer func() { // the YAML library panics on some odd input; a file must not stop the server
		if p := recover(); p != nil {
			wrong = &Mistake{File: name, ZH: "无法读取：YAML 结构异常", EN: "cannot be read: odd YAML"}
		}
	}()
	if !strings.HasSuffix(name, ".yaml") && !strings.HasSuffix(name, ".yml") {
		return &Mistake{File: name, ZH: "只接受 .yaml 文件", EN: "only .yaml files are taken"}
	}
	if !fs.ValidPath(name) || len(name) > maxFileName || strings.ContainsFunc(name, unicode.IsControl) {
		return &Mistake{File: name, ZH: "文件名不合法", EN: "not a file name below the folder"}
	}
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return &Mistake{File: name, ZH: "文件不是 UTF-8 文本", EN: "the file is not UTF-8 text"}
	}
	if len(text) > maxFileBytes {
		return &Mistake{File: name, ZH: fmt.Sprintf("文件超过 %d 字节", maxFileBytes), EN: fmt.Sprintf("the file has more than %d bytes", maxFileBytes)}
	}
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return unreadable(name, err)
	}
	if len(tree.Docs) > 1 {
		return &Mistake{File: name, ZH: "一个文件只能有一个 YAML 文档", EN: "a file may hold one YAML document only"}
	}
	if len(tree.Docs) == 0 || tree.Docs[0].Body == nil {
		return nil // comments only
	}
	var plain plainOnly
	ast.Walk(&plain, tree.Docs[0].Body)
	if plain.line > 0 {
		return &Mistake{File: name, Line: plain.line, ZH: "不支持 YAML 的锚点、引用和标签", EN: "YAML anchors, aliases and tags are not taken"}
	}
	var f fileShape
	if err := yaml.NodeToValue(tree.Docs[0].Body, &f, yaml.Strict()); err != nil {
		return unreadable(name, err)
	}
	c.take(f, &source{name: name, root: tree.Docs[0].Body})
	return nil
}

// plainOnly finds the first anchor, alias, merge or tag: a small file could
// grow without end by them, and nobody needs them here.
type plainOnly struct{ line int }

func (p *plainOnly) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode:
		if p.line == 0 {
			p.line = n.GetToken().Position.Line
		}
		return nil
	}
	return p
}

func unreadable(name string, err error) *Mistake {
	m := Mistake{File: name}
	why := err.Error()
	if y := yaml.Error(nil); errors.As(err, &y) {
		why = y.GetMessage()
		if t := y.GetToken(); t != nil && t.Position != nil {
			m.Line = t.Position.Line
		}
	}
	why = strings.ReplaceAll(why, "catalog.", "") // Go's type names mean nothing to the reader
	m.ZH, m.EN = "无法读取："+why, "cannot be read: "+why
	return &m
}

// take appends a file's entries, each with its origin.
func (c *content) take(f fileShape, src *source) {
	at := func(section string, i int) origin { return origin{src, []any{section, i}} }
	c.subTypes = appendAt(c.subTypes, f.SubTypes, "sub_types", src, func(e *SubType, o origin) { e.at = o })
	c.params = appendAt(c.params, f.Params, "params", src, func(e *Param, o origin) { e.at = o })
	c.commonParams = appendAt(c.commonParams, f.CommonParams, "common_params", src, func(e *CommonParam, o origin) { e.at = o })
	c.severities = appendAt(c.severities, f.Severities, "severities", src, func(e *Severity, o origin) { e.at = o })
	c.plans = appendAt(c.plans, f.Plans, "support_plans", src, func(e *Plan, o origin) { e.at = o })
	c.regions = appendAt(c.regions, f.Regions, "regions", src, func(e *Region, o origin) { e.at = o })
	c.areaCodes = appendAt(c.areaCodes, f.AreaCodes, "area_codes", src, func(e *AreaCode, o origin) { e.at = o })
	c.dimensions = appendAt(c.dimensions, f.Dimensions, "satisfaction_dimensions", src, func(e *Dimension, o origin) { e.at = o })
	c.agreementTypes = appendAt(c.agreementTypes, f.AgreementTypes, "agreement_types", src, func(e *AgreementType, o origin) { e.at = o })
	c.agreements = appendAt(c.agreements, f.Agreements, "agreements", src, func(e *Agreement, o origin) {
		e.at, e.Content = o, trimmed(e.Content)
	})
	c.settings = appendAt(c.settings, f.Settings, "configuration", src, func(e *Setting, o origin) { e.at = o })
	c.diagnoses = appendAt(c.diagnoses, f.Diagnoses, "diagnoses", src, func(e *Diagnosis, o origin) {
		e.at, e.Checks = o, slices.Clone(e.Checks)
		for i := range e.Checks {
			e.Checks[i].Suggestion = trimmed(e.Checks[i].Suggestion)
		}
	})
	if f.Limits != nil {
		l := *f.Limits
		l.at = origin{src, []any{"limits"}}
		c.limits = append(c.limits, l)
	}
	c.takeSLA(f, src)
	for i, p := range f.Products {
		p.at = at("products", i)
		c.products = append(c.products, p.Product)
		for j, pt := range p.ProblemTypes {
			pt.at, pt.Product = p.at.in("problem_types", j), p.ID
			c.problemTypes = append(c.problemTypes, pt.ProblemType)
			for k, t := range pt.Templates {
				t.at, t.ProblemType = pt.at.in("templates", k), pt.ID
				t.Content = trimmed(t.Content)
				c.templates = append(c.templates, t)
			}
		}
	}
}

func appendAt[T any](all, list []T, section string, src *source, set func(*T, origin)) []T {
	for i, v := range list {
		set(&v, origin{src, []any{section, i}})
		all = append(all, v)
	}
	return all
}

// trimmed drops the line break that a block of text ends with.
func trimmed(t locale.Texts) locale.Texts {
	return locale.Texts{ZH: strings.TrimRight(t.ZH, "\n"), EN: strings.TrimRight(t.EN, "\n")}
}
