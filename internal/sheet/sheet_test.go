package sheet

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// hostile are texts that a spreadsheet program would run, open or split.
var hostile = []string{
	"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\x00=1", "＝1+1", "＋1", "－1", "＠x", "  =1", "\u200b=1", "\ufeff=1", "\u00a0=cmd|' /C calc'!A0",
	`=HYPERLINK("http://a.example","x")`, `";=1`, "a\";\"=1", "−2", "\v=1", "\u202e=1", "'=1", "=" + strings.Repeat("A", 40000),
}

var harmless = []string{"", "plain", "工单", "a=b", "1-2", `say "hi"`, "a,b;c", "line\r\nbreak", " lead", "0", "#REF!"}

// TestExportInjection: threats.md D9.
func TestExportInjection(t *testing.T) {
	all := append(append([]string{}, hostile...), harmless...)
	t.Run("csv", func(t *testing.T) {
		var out bytes.Buffer
		c := NewCSV(&out)
		for _, s := range all {
			if err := c.Row([]string{"x", s}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		text, ok := strings.CutPrefix(out.String(), "\ufeff")
		if !ok {
			t.Error("no byte order mark")
		}
		if !strings.HasSuffix(text, "\r\n") || strings.Contains(text, "\x00") {
			t.Error("not RFC 4180")
		}
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		judge(t, rows, all)
		for _, line := range strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n\"x\"") {
			if line = strings.TrimPrefix(line, `"x"`); !strings.HasPrefix(line, `,"`) || !strings.HasSuffix(line, `"`) {
				t.Errorf("a cell is not quoted: %.60q", line)
			}
		}
	})
	t.Run("xlsx", func(t *testing.T) {
		var out bytes.Buffer
		tmp := t.TempDir()
		x := NewXLSX(&out, tmp, "tickets", []float64{10, 20})
		for _, s := range all {
			if err := x.Row([]string{"x", s}); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := excelize.OpenReader(&out)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rows, err := f.GetRows("tickets")
		if err != nil {
			t.Fatal(err)
		}
		judge(t, rows, all)
		for i := range all {
			cell := fmt.Sprint("B", i+1)
			if formula, err := f.GetCellFormula("tickets", cell); err != nil || formula != "" {
				t.Errorf("%s is a formula: %q %v", cell, formula, err)
			}
			if kind, _ := f.GetCellType("tickets", cell); kind != excelize.CellTypeInlineString {
				t.Errorf("%s has type %v", cell, kind)
			}
		}
		if left, _ := os.ReadDir(tmp); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

func judge(t *testing.T, rows [][]string, all []string) {
	t.Helper()
	if len(rows) != len(all) {
		t.Fatalf("%d rows, want %d", len(rows), len(all))
	}
	for i, s := range all {
		got := ""
		if len(rows[i]) > 1 {
			got = rows[i][1]
		}
		if i >= len(hostile) {
			if norm := strings.ReplaceAll(s, "\r\n", "\n"); strings.ReplaceAll(got, "\r\n", "\n") != norm {
				t.Errorf("%q came back as %q", s, got)
			}
			continue
		}
		if s == `";=1` || strings.HasPrefix(s, "a\"") { // dangerous by its quotes only
			if got != s {
				t.Errorf("%q came back as %q", s, got)
			}
			continue
		}
		if !strings.HasPrefix(got, "'") {
			t.Errorf("%.40q was not defused: %.40q", s, got)
		}
	}
}

// TestWorksheets: more rows than a worksheet holds go on in the next one, under
// the same heading.
func TestWorksheets(t *testing.T) {
	var out bytes.Buffer
	x := NewXLSX(&out, t.TempDir(), "t", nil)
	x.rows = 4
	for i := range 8 {
		if err := x.Row([]string{fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got []string
	for _, name := range f.GetSheetList() {
		rows, err := f.GetRows(name)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, name+fmt.Sprint(rows))
	}
	if want := "t[[0] [1] [2] [3]] t 2[[0] [4] [5] [6]] t 3[[0] [7]]"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestEmpty(t *testing.T) {
	tmp := t.TempDir()
	if err := NewXLSX(new(bytes.Buffer), tmp, "t", nil).Close(); err != nil {
		t.Fatal(err)
	}
	x := NewXLSX(new(bytes.Buffer), tmp, "t", nil)
	for range 2000 { // enough for the library to use a file
		if err := x.Row([]string{strings.Repeat("x", 20000)}); err != nil {
			t.Fatal(err)
		}
	}
	if used, _ := os.ReadDir(tmp); len(used) == 0 {
		t.Error("rows are kept in memory")
	}
	if err := x.Drop(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
