package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/yamlfile"
)

// maxFiles is how many files an operator may hand in.
const maxFiles = 200

// Mistake is one thing wrong with a catalogue file.
type Mistake = yamlfile.Mistake

// Broken is the error of files that do not make a catalogue: every mistake
// found, each with its file and line.
type Broken struct{ Mistakes []Mistake }

// Error only counts; the refusal around it lists them.
func (b *Broken) Error() string { return fmt.Sprintf("%d mistakes", len(b.Mistakes)) }

// asFault is the refusal callers see: every mistake on a line of its own.
func (b *Broken) asFault() error {
	return fault.New(fault.Invalid, fault.CodeInvalid,
		"配置目录有误，未作任何更改：\n"+strings.Join(yamlfile.Lines(b.Mistakes, false, func(m Mistake) string { return m.ZH }), "\n"),
		"the catalogue is not valid, nothing was changed:\n"+strings.Join(yamlfile.Lines(b.Mistakes, false, func(m Mistake) string { return m.EN }), "\n")).Because(b)
}

// source is a parsed file, kept for the line numbers of later checks.
type source = yamlfile.Source

// origin is where in the files an entry stands.
type origin = yamlfile.Origin

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
	src, wrong := yamlfile.Parse(name, text)
	if wrong != nil || src.Root == nil {
		return wrong
	}
	var f fileShape
	if wrong := src.Decode(src.Root, &f); wrong != nil {
		return wrong
	}
	c.take(f, src)
	return nil
}

// take appends a file's entries, each with its origin.
func (c *content) take(f fileShape, src *source) {
	at := func(section string, i int) origin { return origin{File: src, Path: []any{section, i}} }
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
		l.at = origin{File: src, Path: []any{"limits"}}
		c.limits = append(c.limits, l)
	}
	c.takeSLA(f, src)
	for i, p := range f.Products {
		p.at = at("products", i)
		c.products = append(c.products, p.Product)
		for j, pt := range p.ProblemTypes {
			pt.at, pt.Product = p.at.In("problem_types", j), p.ID
			c.problemTypes = append(c.problemTypes, pt.ProblemType)
			for k, t := range pt.Templates {
				t.at, t.ProblemType = pt.at.In("templates", k), pt.ID
				t.Content = trimmed(t.Content)
				c.templates = append(c.templates, t)
			}
		}
	}
}

func appendAt[T any](all, list []T, section string, src *source, set func(*T, origin)) []T {
	for i, v := range list {
		set(&v, origin{File: src, Path: []any{section, i}})
		all = append(all, v)
	}
	return all
}

// trimmed drops the line break that a block of text ends with.
func trimmed(t locale.Texts) locale.Texts {
	return locale.Texts{ZH: strings.TrimRight(t.ZH, "\n"), EN: strings.TrimRight(t.EN, "\n")}
}
