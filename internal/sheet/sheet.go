// Package sheet writes tables that people open in a spreadsheet program, as CSV
// or XLSX, so that no cell is ever run as a formula (threats.md D9). Rows go
// out one by one; a table may have any number of them.
package sheet

import (
	"archive/zip"
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
)

// Writer is a table in the making. Close ends it; what it was made on stays open.
type Writer interface {
	Row(cells []string) error
	Close() error
}

// Defuse makes a text safe as a cell: controls that XML cannot hold are dropped,
// and a text that a spreadsheet program could take for a formula, also one with
// blanks or invisible characters in front, gets an apostrophe before it.
func Defuse(s string) string {
	s = strings.Map(func(r rune) rune {
		if r != '\t' && r != '\n' && r != '\r' && (unicode.IsControl(r) || r == '\ufffe' || r == '\uffff') {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if s == "" {
		return s
	}
	lead := strings.TrimLeftFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r)
	})
	first, _ := utf8.DecodeRuneInString(lead)
	if strings.ContainsRune("=+-@＝＋－＠﹢﹣﹦﹫−", first) && lead != "" || strings.ContainsRune("\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}

// CSV is a table by RFC 4180 in UTF-8 with a byte order mark, by which
// spreadsheet programs know the encoding. Every cell is quoted: a program whose
// separator is another than the comma still sees the cells' own borders.
type CSV struct{ w *bufio.Writer }

// NewCSV begins a table on w.
func NewCSV(w io.Writer) *CSV {
	c := &CSV{w: bufio.NewWriter(w)}
	_, _ = c.w.WriteString("\ufeff") // the error comes back at the next write
	return c
}

// Row writes a line.
func (c *CSV) Row(cells []string) error {
	for i, cell := range cells {
		if i > 0 {
			_ = c.w.WriteByte(',')
		}
		_ = c.w.WriteByte('"')
		_, _ = c.w.WriteString(strings.ReplaceAll(Defuse(cell), `"`, `""`))
		_ = c.w.WriteByte('"')
	}
	_, err := c.w.WriteString("\r\n")
	return err
}

// Close flushes.
func (c *CSV) Close() error { return c.w.Flush() }

// Flush sends what is written so far.
func (c *CSV) Flush() error { return c.w.Flush() }

const (
	maxRows = 1_048_576 // of a worksheet, the heading included
	maxCell = 32_767    // UTF-16 units
)

// XLSX is a workbook whose cells are all texts. What does not fit a worksheet
// goes on in the next one. Memory stays bounded: rows lie in a file of tmp.
type XLSX struct {
	to      io.Writer
	f       *excelize.File
	s       *excelize.StreamWriter
	name    string
	widths  []float64
	heading []string
	row     int
	sheets  int
	rows    int // per sheet
}

// NewXLSX begins a workbook that Close writes to w. The first row is the heading
// of each worksheet; widths are of its columns, in characters.
func NewXLSX(w io.Writer, tmp, name string, widths []float64) *XLSX {
	return &XLSX{to: w, f: excelize.NewFile(excelize.Options{TmpDir: tmp}), name: name, widths: widths, rows: maxRows}
}

func (x *XLSX) next() (err error) {
	if x.s != nil {
		if err := x.s.Flush(); err != nil {
			return err
		}
	}
	x.sheets++
	name := x.name
	if x.sheets == 1 {
		err = x.f.SetSheetName("Sheet1", name)
	} else {
		name = fmt.Sprint(x.name, " ", x.sheets)
		_, err = x.f.NewSheet(name)
	}
	if err != nil {
		return err
	}
	if x.s, err = x.f.NewStreamWriter(name); err != nil {
		return err
	}
	for i, width := range x.widths {
		if err := x.s.SetColWidth(i+1, i+1, width); err != nil {
			return err
		}
	}
	x.row = 0
	return nil
}

// Row writes a row; the first is the heading.
func (x *XLSX) Row(cells []string) error {
	if x.sheets == 0 {
		x.heading = append([]string(nil), cells...)
	}
	if x.sheets == 0 || x.row == x.rows {
		if err := x.next(); err != nil {
			return err
		}
		if x.sheets > 1 {
			if err := x.write(x.heading); err != nil {
				return err
			}
		}
	}
	return x.write(cells)
}

func (x *XLSX) write(cells []string) error {
	x.row++
	values := make([]any, len(cells))
	for i, c := range cells {
		values[i] = excelize.Cell{Value: short(Defuse(c))} // a string is never a formula
	}
	at, err := excelize.CoordinatesToCellName(1, x.row)
	if err != nil {
		return err
	}
	return x.s.SetRow(at, values)
}

// short cuts a text at what a cell can hold.
func short(s string) string {
	if len(s) <= maxCell {
		return s
	}
	n := 0
	for i, r := range s {
		if n++; r > 0xffff {
			n++
		}
		if n > maxCell {
			return s[:i]
		}
	}
	return s
}

// Close writes the workbook and removes what lies in tmp.
func (x *XLSX) Close() error {
	if x.s == nil {
		return x.f.Close()
	}
	err := x.s.Flush()
	if err == nil {
		// The library would gather the whole archive in memory: it gets a writer
		// that goes to its end at once, and its buffer stays empty.
		x.f.SetZipWriter(func(io.Writer) excelize.ZipWriter { return zip.NewWriter(x.to) })
		_, err = x.f.WriteToBuffer()
	}
	if e := x.f.Close(); err == nil {
		err = e
	}
	return err
}

// Drop gives the workbook up and removes what lies in tmp.
func (x *XLSX) Drop() error { return x.f.Close() }
