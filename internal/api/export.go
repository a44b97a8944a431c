package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"casemate/internal/api/oas"
	"casemate/internal/catalog"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/sheet"
	"casemate/internal/ticket"
)

const (
	xlsxType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	csvType  = "text/csv; charset=utf-8"

	// maxBooks is how many workbooks are built at once: each is a file on the disk
	// and a busy processor. CSV goes out as it is read and needs no such bound.
	maxBooks = 4
)

// columns of the export: what a column is called, how wide it is in a
// workbook, and what stands in it.
var columns = []struct {
	name  locale.Texts
	width float64
	cell  func(t ticket.Ticket, x exporting) string
}{
	{locale.Texts{ZH: "工单编号", EN: "Ticket number"}, 24, func(t ticket.Ticket, _ exporting) string { return t.Number }},
	{locale.Texts{ZH: "状态", EN: "Status"}, 16, func(t ticket.Ticket, x exporting) string { return t.Status.Name(x.loc.Language) }},
	{locale.Texts{ZH: "工单类型", EN: "Ticket type"}, 16, func(t ticket.Ticket, x exporting) string { return x.name(catalog.KindSubType, t.SubType) }},
	{locale.Texts{ZH: "产品", EN: "Product"}, 24, func(t ticket.Ticket, x exporting) string { return x.name(catalog.KindProduct, t.Product) }},
	{locale.Texts{ZH: "问题类型", EN: "Problem type"}, 24, func(t ticket.Ticket, x exporting) string { return x.name(catalog.KindProblemType, t.ProblemType) }},
	{locale.Texts{ZH: "严重程度", EN: "Severity"}, 24, func(t ticket.Ticket, x exporting) string { return x.name(catalog.KindSeverity, t.Severity) }},
	{locale.Texts{ZH: "区域", EN: "Region"}, 20, func(t ticket.Ticket, x exporting) string { return x.name(catalog.KindRegion, t.Region) }},
	{locale.Texts{ZH: "问题描述", EN: "Description"}, 60, func(t ticket.Ticket, _ exporting) string { return t.Description }},
	{locale.Texts{ZH: "提交人", EN: "Submitter"}, 20, func(t ticket.Ticket, x exporting) string { return x.names[t.Creator] }},
	{locale.Texts{ZH: "创建时间", EN: "Created"}, 20, func(t ticket.Ticket, x exporting) string { return x.stamp(t.Created) }},
	{locale.Texts{ZH: "更新时间", EN: "Last change"}, 20, func(t ticket.Ticket, x exporting) string { return x.stamp(t.Changed) }},
	{locale.Texts{ZH: "解决时间", EN: "Solved"}, 20, func(t ticket.Ticket, x exporting) string { return x.stamp(t.Resolved) }},
	{locale.Texts{ZH: "关闭时间", EN: "Closed"}, 20, func(t ticket.Ticket, x exporting) string { return x.stamp(t.Closed) }},
	{locale.Texts{ZH: "解决方案", EN: "Solution"}, 60, func(t ticket.Ticket, _ exporting) string { return t.Resolution }},
	{locale.Texts{ZH: "评价意见", EN: "Comment on the service"}, 40, func(t ticket.Ticket, _ exporting) string { return t.Judgement }},
}

// sheetName is the first worksheet's and the beginning of the file's name.
var sheetName = locale.Texts{ZH: "工单", EN: "Tickets"}

// exporting turns tickets into rows.
type exporting struct {
	tickets *ticket.Service
	domain  string
	cat     *catalog.Catalog
	loc     locale.Locale
	names   map[string]string // of the page's creators
}

func (x exporting) name(kind catalog.Kind, id string) string {
	return x.cat.Name(kind, id, x.loc.Language)
}

func (x exporting) stamp(ms int64) string {
	if ms == 0 {
		return ""
	}
	return x.loc.Stamp(ms)
}

func (x exporting) heading() (row []string) {
	for _, c := range columns {
		row = append(row, c.name.In(x.loc.Language))
	}
	return row
}

// page writes the export's next page and tells whether there was one.
func (x exporting) page(ctx context.Context, e *ticket.Export, to sheet.Writer) (bool, error) {
	page, err := e.Next(ctx)
	if err != nil || len(page) == 0 {
		return false, err
	}
	var ids []string
	for _, t := range page {
		ids = append(ids, t.Creator)
	}
	if x.names, err = x.tickets.Names(ctx, x.domain, ids...); err != nil {
		return false, err
	}
	row := make([]string, len(columns))
	for _, t := range page {
		for i, c := range columns {
			row[i] = c.cell(t, x)
		}
		if err := to.Row(row); err != nil {
			return false, err
		}
	}
	return true, nil
}

// DownloadCases exports tickets as a workbook, or as CSV when the caller accepts
// text/csv (semantics.md D19).
func (h details) DownloadCases(ctx context.Context, p oas.DownloadCasesParams) (*oas.DownloadCasesOKHeaders, error) {
	who, loc := principal.From(ctx), locale.From(ctx)
	if lang, ok := locale.ParseLanguage(p.Language.Or("")); ok {
		loc.Language = lang
	}
	if zone, err := locale.ParseZone(p.Timezone.Or("")); err == nil {
		loc.Zone = zone
	}
	f, err := exportFilter(p, who, loc)
	if err != nil {
		return nil, err
	}
	b, x := besideOf(ctx), exporting{tickets: h.ticket, domain: who.Domain, cat: h.catalog.Now(), loc: loc}
	if f.Format = "xlsx"; b.csv {
		f.Format = "csv"
	} else {
		select {
		case h.books <- struct{}{}:
			defer func() { <-h.books }()
		default:
			return nil, fault.Busy
		}
	}
	e, err := h.ticket.Export(ctx, who, f)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if b.csv {
		b.contentType = csvType
		body, err = newCSVBody(ctx, x, e)
	} else {
		body, err = h.book(ctx, x, e, b)
	}
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("tickets-%s.%s", strings.NewReplacer("-", "", ":", "", " ", "-").Replace(loc.Stamp(h.ticket.Now())), f.Format)
	return &oas.DownloadCasesOKHeaders{ContentDisposition: oas.NewOptString(`attachment; filename="` + name + `"`),
		Response: oas.DownloadCasesOK{Data: whole{body, b}}}, nil
}

func exportFilter(p oas.DownloadCasesParams, who principal.Principal, loc locale.Locale) (f ticket.ExportFilter, err error) {
	f.Creator, f.CreatorName, f.Offset, f.Limit = p.SubCustomerID.Or(""), p.XCustomerName.Or(""), int(p.Offset.Or(0)), int(p.Limit.Or(0))
	f.All = !p.Limit.Set
	if word := p.SearchKey.Or(""); word != "" {
		f.Words = []string{word}
	}
	if f.From, f.To, err = loc.ParseSpan(p.QueryStartTime.Or(""), p.QueryEndTime.Or("")); err != nil {
		return f, err
	}
	if s, ok := p.Status.Get(); ok {
		f.Statuses = []ticket.Status{ticket.Status(s)}
	}
	for part := range strings.SplitSeq(p.IncidentID.Or(""), ",") {
		if part = strings.TrimSpace(part); part != "" && !slices.Contains(f.Numbers, part) {
			f.Numbers = append(f.Numbers, part)
		}
	}
	// Other customers' tickets are not there, and all have the one source.
	f.Nothing = p.CustomerID.Or(who.Domain) != who.Domain && p.CustomerID.Value != ""
	sources := slices.DeleteFunc(slices.Clone(p.TenantSourceIDList), func(s string) bool { return s == "" })
	f.Nothing = f.Nothing || len(sources) > 0 && !slices.Contains(sources, ticket.Source)
	return f, nil
}

// book builds the workbook in a file without a name, which goes with its last
// user, also after a crash.
func (h details) book(ctx context.Context, x exporting, e *ticket.Export, b *beside) (_ io.Reader, err error) {
	if h.temp != "" {
		if err := os.MkdirAll(h.temp, 0o700); err != nil {
			return nil, err
		}
	}
	file, err := os.CreateTemp(h.temp, "export-*.xlsx")
	if err != nil {
		return nil, err
	}
	b.close = func() { _ = file.Close() } // it was only read since
	if err := os.Remove(file.Name()); err != nil {
		return nil, err
	}
	var widths []float64
	for _, c := range columns {
		widths = append(widths, c.width)
	}
	to := sheet.NewXLSX(file, h.temp, sheetName.In(x.loc.Language), widths)
	ended := false
	defer func() {
		if !ended {
			_ = to.Drop() // the error that led here matters more
		}
	}()
	if err := to.Row(x.heading()); err != nil {
		return nil, err
	}
	for more := true; more; {
		if more, err = x.page(ctx, e, to); err != nil {
			return nil, err
		}
	}
	ended = true
	if err := to.Close(); err != nil {
		return nil, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return file, err
}

// csvBody reads a page when the one before is sent.
type csvBody struct {
	ctx  context.Context
	x    exporting
	e    *ticket.Export
	buf  bytes.Buffer
	csv  *sheet.CSV
	done bool
}

// newCSVBody reads the first page at once, so that what fails at the start is an
// error and not a broken file.
func newCSVBody(ctx context.Context, x exporting, e *ticket.Export) (*csvBody, error) {
	c := &csvBody{ctx: ctx, x: x, e: e}
	c.csv = sheet.NewCSV(&c.buf)
	if err := c.csv.Row(x.heading()); err != nil {
		return nil, err
	}
	return c, c.fill()
}

func (c *csvBody) fill() error {
	more, err := c.x.page(c.ctx, c.e, c.csv)
	c.done = !more
	if err != nil {
		return err
	}
	return c.csv.Flush()
}

func (c *csvBody) Read(p []byte) (int, error) {
	for c.buf.Len() == 0 && !c.done {
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	return c.buf.Read(p)
}
