package selftest

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	contract "casemate/api"
)

// What became of an operation.
const (
	Passed    = "passed"
	Failed    = "failed"
	NotBuilt  = "501 not built"
	NotDriven = "not driven"
	Off       = "off here" // refused as documented: the configuration has it switched off
)

// Row is what became of one operation.
type Row struct {
	Group     string  `json:"group"`
	Operation string  `json:"operation"`
	Method    string  `json:"method"`
	Path      string  `json:"path"`
	Result    string  `json:"result"`
	Proof     string  `json:"proof,omitempty"`  // the operation that showed the effect, and what
	Detail    string  `json:"detail,omitempty"` // why it failed
	Calls     int     `json:"calls"`
	Status    int     `json:"status,omitempty"` // HTTP status of the last call
	MS        float64 `json:"ms"`               // of the slowest call
}

// Report is what became of all operations, in the contract's order.
type Report struct {
	URL       string `json:"url"`
	Sandbox   string `json:"sandbox"` // domain id
	Total     int    `json:"total"`
	Passed    int    `json:"passed"`
	Failed    int    `json:"failed"`
	NotBuilt  int    `json:"not_built"`
	NotDriven int    `json:"not_driven"`
	Off       int    `json:"off"`
	MS        int64  `json:"ms"`
	Rows      []Row  `json:"operations"`
}

// OK tells whether every operation passed; with off, those that are switched off
// here may be missing.
func (r *Report) OK(off bool) bool {
	return r.Passed == r.Total || off && r.Passed+r.Off == r.Total
}

func (r *run) report(took time.Duration) *Report {
	out := &Report{URL: r.o.URL, Sandbox: r.box.ID, Total: len(r.ops), MS: took.Milliseconds()}
	for _, p := range r.ops {
		row := *r.rows[p.ID]
		switch row.Result {
		case Passed:
			out.Passed++
		case Failed:
			out.Failed++
		case NotBuilt:
			out.NotBuilt++
		case Off:
			out.Off++
		default:
			out.NotDriven++
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

// Text writes the matrix for people, in Chinese or English: a line for each
// operation, under its group.
func (r *Report) Text(w io.Writer, chinese bool) {
	group := ""
	for _, row := range r.Rows {
		if row.Group != group {
			group = row.Group
			name := group
			if chinese {
				name = groupsZH[group]
			}
			fmt.Fprintf(w, "\n%s\n", name)
		}
		result, why := row.Result, row.Proof
		if chinese {
			result = resultsZH[result]
			if witness, _, ok := strings.Cut(why, ":"); ok {
				why = witness + "：" + proofsZH[row.Operation]
			}
		}
		if row.Detail != "" {
			why = row.Detail
		}
		fmt.Fprintf(w, "  %-36s %-6s %s %6.1f ms  %s\n", row.Operation, row.Method, pad(result, 14), row.MS, cut(why, 130))
		fmt.Fprintf(w, "      %s\n", row.Path)
	}
	if chinese {
		fmt.Fprintf(w, "\n共 %d 个接口：通过 %d，失败 %d，返回 501 %d，未执行 %d，此处关闭 %d（%.1f 秒）\n", r.Total, r.Passed, r.Failed, r.NotBuilt, r.NotDriven, r.Off, float64(r.MS)/1000)
		return
	}
	fmt.Fprintf(w, "\n%d of %d passed, %d failed, %d answer 501, %d not driven, %d off here (%.1f s)\n", r.Passed, r.Total, r.Failed, r.NotBuilt, r.NotDriven, r.Off, float64(r.MS)/1000)
}

// pad fills a text up to a width; Chinese characters are two columns wide.
func pad(s string, width int) string {
	for _, c := range s {
		width--
		if c >= 0x2e80 {
			width--
		}
	}
	return s + strings.Repeat(" ", max(width, 0))
}

func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// operation is one of the contract's.
type operation struct{ Group, ID, Method, Path string }

// operations reads the contract, in its order.
func operations() ([]operation, error) {
	var doc struct {
		Paths yaml.MapSlice `yaml:"paths"`
	}
	if err := yaml.UnmarshalWithOptions(contract.V2, &doc, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	var all []operation
	for _, p := range doc.Paths {
		methods, ok := p.Value.(yaml.MapSlice)
		if !ok {
			continue
		}
		for _, m := range methods {
			fields, ok := m.Value.(yaml.MapSlice)
			if !ok {
				continue
			}
			f := fields.ToMap()
			id, _ := f["operationId"].(string)
			if id == "" {
				continue
			}
			o := operation{ID: id, Method: upper(fmt.Sprint(m.Key)), Path: fmt.Sprint(p.Key)}
			if tags, ok := f["tags"].([]any); ok && len(tags) > 0 {
				o.Group = fmt.Sprint(tags[0])
			}
			all = append(all, o)
		}
	}
	return byGroup(all), nil
}

// byGroup keeps groups together, in the order they first appear.
func byGroup(all []operation) (out []operation) {
	done := map[string]bool{}
	for _, o := range all {
		if done[o.Group] {
			continue
		}
		done[o.Group] = true
		for _, p := range all {
			if p.Group == o.Group {
				out = append(out, p)
			}
		}
	}
	return out
}
