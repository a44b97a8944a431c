package internal_test

import (
	"encoding/csv"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	contract "casemate/api"
	"casemate/internal/fault"
	"casemate/internal/wire"
)

var update = flag.Bool("update", false, "write the generated parts of docs/guide anew")

// kinds are fault's kinds by the names the source uses.
var kinds = map[string]fault.Kind{"Invalid": fault.Invalid, "Unauthenticated": fault.Unauthenticated, "Forbidden": fault.Forbidden, "NotFound": fault.NotFound,
	"Conflict": fault.Conflict, "TooMany": fault.TooMany, "TooLarge": fault.TooLarge, "Unavailable": fault.Unavailable, "NotBuilt": fault.NotBuilt, "Internal": fault.Internal, "Gone": fault.Gone}

// shownCodes are the codes of all faults in the source, each with the statuses
// it goes out with.
func shownCodes(t *testing.T) map[string]map[int]bool {
	t.Helper()
	constants := map[string]string{}
	var calls []*ast.CallExpr
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() == "oas" {
			return errOr(err, fs.SkipDir)
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, name := range n.Names {
					if i < len(n.Values) && strings.HasPrefix(name.Name, "Code") {
						constants[name.Name] = fold(n.Values[i])
					}
				}
			case *ast.CallExpr:
				if len(n.Args) == 4 && last(n.Fun) == "New" {
					calls = append(calls, n)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[int]bool{}
	for _, c := range calls {
		kind, ok := kinds[last(c.Args[0])]
		if !ok || kind == fault.NotBuilt {
			continue
		}
		code := fold(c.Args[1])
		if code == " " {
			code = constants[last(c.Args[1])]
		}
		if code == "" {
			t.Errorf("a fault's code is not to be found: %s", last(c.Args[1]))
			continue
		}
		if out[code] == nil {
			out[code] = map[int]bool{}
		}
		out[code][wire.Status(&fault.Error{Kind: kind, Code: code}, false)] = true
	}
	return out
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// last is the last name of an expression such as fault.Invalid.
func last(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// errorTable is the table of error codes: codes and statuses from the source,
// words from docs/guide/errors.csv, which must have exactly those codes.
func errorTable(t *testing.T, zh bool) string {
	t.Helper()
	f, err := os.Open("../docs/guide/errors.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	codes := shownCodes(t)
	var b strings.Builder
	b.WriteString(map[bool]string{false: "| code | status | meaning | what to do |\n|---|---|---|---|\n", true: "| 错误码 | 状态码 | 含义 | 处理 |\n|---|---|---|---|\n"}[zh])
	for _, r := range rows[1:] {
		statuses := codes[r[0]]
		if statuses == nil {
			t.Errorf("docs/guide/errors.csv has %s, which nothing answers", r[0])
		}
		delete(codes, r[0])
		var words []string
		for _, s := range slices.Sorted(maps.Keys(statuses)) {
			words = append(words, strconv.Itoa(s))
		}
		meaning, do := r[1], r[2]
		if zh {
			meaning, do = r[3], r[4]
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r[0], strings.Join(words, ", "), meaning, do)
	}
	for code := range codes {
		t.Errorf("docs/guide/errors.csv has no row for %s", code)
	}
	return b.String()
}

var chineseText = regexp.MustCompile(`(?m)^([^\t\n]+)\t([^\t\n]+)$`)

// operationTable lists the operations of the customer API by their groups.
func operationTable(t *testing.T, zh bool) string {
	t.Helper()
	var c struct {
		Tags  []struct{ Name string }
		Paths map[string]map[string]struct {
			Tags    []string
			ID      string `yaml:"operationId"`
			Summary string
		}
	}
	if err := yaml.Unmarshal(contract.V2, &c); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../api/zh/v2.tsv")
	if err != nil {
		t.Fatal(err)
	}
	chinese := map[string]string{}
	for _, m := range chineseText.FindAllStringSubmatch(string(source), -1) {
		chinese[m[1]] = m[2]
	}
	var b strings.Builder
	for _, tag := range c.Tags {
		title := tag.Name
		if title == "extra" {
			title = "Outside the navigation"
		}
		if zh {
			title = chinese[title]
		}
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "### %s\n\n%s", title, map[bool]string{false: "| operation | what it does | request |\n|---|---|---|\n", true: "| 操作 | 作用 | 请求 |\n|---|---|---|\n"}[zh])
		var rows []string
		for path, item := range c.Paths {
			for method, o := range item {
				if !slices.Contains(o.Tags, tag.Name) {
					continue
				}
				what := o.Summary
				if zh {
					what = chinese[o.Summary]
				}
				if what == "" || title == "" {
					t.Errorf("%s of %q has no name", o.ID, tag.Name)
				}
				rows = append(rows, fmt.Sprintf("| `%s` | %s | `%s %s` |\n", o.ID, what, strings.ToUpper(method), path))
			}
		}
		slices.Sort(rows)
		b.WriteString(strings.Join(rows, ""))
	}
	return b.String()
}

// TestGeneratedDocuments: what the guides list is what the product has.
func TestGeneratedDocuments(t *testing.T) {
	for name, make := range map[string]func(*testing.T, bool) string{"appendix": errorTable, "api-overview": operationTable} {
		for _, zh := range []bool{false, true} {
			path := "../docs/guide/" + name + map[bool]string{false: ".md", true: ".zh-CN.md"}[zh]
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			const from, to = "<!-- generated: go test ./internal -run TestGeneratedDocuments -update -->\n\n", "\n<!-- end -->\n"
			before, rest, ok := strings.Cut(string(text), from)
			_, after, closed := strings.Cut(rest, to)
			if !ok || !closed {
				t.Fatalf("%s has no generated part", path)
			}
			want := before + from + make(t, zh) + to + after
			if *update {
				if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if string(text) != want {
				t.Errorf("%s differs from the product: run go test ./internal -run TestGeneratedDocuments -update", path)
			}
		}
	}
}
