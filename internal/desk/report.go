package desk

import (
	"bytes"
	"context"
	"io"
	"time"

	"casemate/internal/desk/oas"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	reporting "casemate/internal/report"
	"casemate/internal/sheet"
	"casemate/internal/wire"
)

// reports are figures over many tickets.
type reports struct{ report *reporting.Service }

const (
	csvMedia  = "text/csv; charset=utf-8"
	xlsxMedia = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

func maybeUnit(unit string) oas.OptReportUnit {
	if unit == "" {
		return oas.OptReportUnit{}
	}
	return oas.NewOptReportUnit(oas.ReportUnit(unit))
}

// ListReports lists the reports there are.
func (h reports) ListReports(ctx context.Context) (*oas.ReportList, error) {
	out := &oas.ReportList{Items: []oas.ReportEntry{}}
	for _, k := range reporting.Kinds(locale.From(ctx).Language) {
		e := oas.ReportEntry{Name: k.Name, Title: k.Title, Live: k.Live, By: []oas.ReportDimension{}, Measures: []oas.ReportEntryMeasuresItem{}}
		for _, b := range k.By {
			e.By = append(e.By, oas.ReportDimension(b))
		}
		for _, m := range k.Measures {
			e.Measures = append(e.Measures, oas.ReportEntryMeasuresItem{Measure: m.Measure, Name: m.MeasureName, Unit: maybeUnit(m.Unit)})
		}
		out.Items = append(out.Items, e)
	}
	return out, nil
}

// none as a filter's value means those without.
const none = "none"

// query reads what all operations have in common; by filter the values.
func (h reports) query(ctx context.Context, name string, from, to, zone oas.OptString, filter map[string]string) (reporting.Query, string, error) {
	q := reporting.Query{Name: name, From: from.Or(""), To: to.Or(""), Locale: locale.From(ctx), Filter: map[string]string{}}
	if !zone.Set && !q.Locale.Asked { // the installation's
		zone.SetTo(h.report.Zone())
	}
	if zone.Set {
		z, err := locale.ParseZone(zone.Value)
		if err != nil {
			return q, "", fault.Unknown.In("zone")
		}
		q.Locale.Zone = z
	}
	for dim, value := range filter {
		switch value {
		case "":
		case none:
			q.Filter[dim] = ""
		default:
			q.Filter[dim] = value
		}
	}
	return q, zone.Or(q.Locale.Zone.String()), nil
}

// ShowReport shows figures.
func (h reports) ShowReport(ctx context.Context, p oas.ShowReportParams) (*oas.Report, error) {
	q, zone, err := h.query(ctx, p.Name, p.From, p.To, p.Zone, map[string]string{"domain": p.DomainID.Or(""), "team": p.TeamID.Or(""), "engineer": p.EngineerID.Or(""),
		"product": p.ProductCategoryID.Or(""), "severity": p.SeverityID.Or(""), "language": string(p.Language.Or("")), "channel": string(p.Channel.Or("")), "provider": p.Provider.Or("")})
	if err != nil {
		return nil, err
	}
	q.Every, q.By = string(p.Every.Or("")), string(p.By.Or(""))
	r, err := h.report.Figures(ctx, principal.From(ctx), q)
	if err != nil {
		return nil, err
	}
	out := &oas.Report{Name: r.Name, Title: r.Title, From: maybeAt(r.From), To: maybeAt(r.To), FromMs: maybeMs(r.From), ToMs: maybeMs(r.To), Zone: zone, Every: text(r.Every),
		AsOfSeq: r.Seq, AsOf: at(r.At), Figures: []oas.ReportFigure{}}
	if r.By != "" {
		out.By.SetTo(oas.ReportDimension(r.By))
	}
	for _, f := range r.Figures {
		o := oas.ReportFigure{Measure: f.Measure, MeasureName: f.MeasureName, Detail: text(f.Detail), DetailName: text(f.DetailName), Count: f.Count, Unit: maybeUnit(f.Unit), Listed: f.Listed}
		if r.Every != "" {
			o.Period, o.FromMs, o.ToMs = text(f.Period.Name), maybeMs(f.Period.From), maybeMs(f.Period.To)
		}
		if r.By != "" {
			o.Group.SetTo(f.Group)
			o.GroupName.SetTo(f.GroupName)
		}
		if f.Unit != "" {
			o.Sum.SetTo(f.Sum)
		}
		if f.Unit == "milliseconds" {
			o.P50.SetTo(f.P50)
			o.P90.SetTo(f.P90)
		}
		if f.Promised {
			o.Met.SetTo(f.Met)
			o.Missed.SetTo(f.Missed)
			o.MetPerMille.SetTo(f.MetTenths())
		}
		out.Figures = append(out.Figures, o)
	}
	return out, nil
}

// DownloadReport is ShowReport as a table.
func (h reports) DownloadReport(ctx context.Context, p oas.DownloadReportParams) (*oas.DownloadReportOKHeaders, error) {
	q, _, err := h.query(ctx, p.Name, p.From, p.To, p.Zone, map[string]string{"domain": p.DomainID.Or(""), "team": p.TeamID.Or(""), "engineer": p.EngineerID.Or(""),
		"product": p.ProductCategoryID.Or(""), "severity": p.SeverityID.Or(""), "language": string(p.Language.Or("")), "channel": string(p.Channel.Or("")), "provider": p.Provider.Or("")})
	if err != nil {
		return nil, err
	}
	q.Every, q.By = string(p.Every.Or("")), string(p.By.Or(""))
	r, err := h.report.Figures(ctx, principal.From(ctx), q)
	if err != nil {
		return nil, err
	}
	format := string(p.Format.Or(oas.DownloadReportFormatCsv))
	d := wire.Download{Name: r.Name + "-" + time.UnixMilli(r.At).In(q.Locale.Zone).Format("20060102-150405") + "." + format, Media: csvMedia,
		Stream: func(w io.Writer) error { return r.Write(sheet.NewCSV(w), q.Locale) }}
	if format == string(oas.DownloadReportFormatXlsx) {
		d.Media, d.Stream = xlsxMedia, func(w io.Writer) error {
			x := sheet.NewXLSX(w, "", r.Name, reporting.Widths())
			err := r.Write(x, q.Locale)
			if err != nil {
				_ = x.Drop() // the first error is the one to tell
			}
			return err
		}
	}
	return &oas.DownloadReportOKHeaders{ContentType: d.Media, ContentDisposition: oas.NewOptString(d.Disposition()), Response: oas.DownloadReportOK{Data: bytes.NewReader(nil)}}, wire.Hand(ctx, d)
}

// ListReportTickets lists what a figure counts.
func (h reports) ListReportTickets(ctx context.Context, p oas.ListReportTicketsParams) (*oas.ReportTicketPage, error) {
	q, _, err := h.query(ctx, p.Name, p.From, p.To, p.Zone, map[string]string{"domain": p.DomainID.Or(""), "team": p.TeamID.Or(""), "engineer": p.EngineerID.Or(""),
		"product": p.ProductCategoryID.Or(""), "severity": p.SeverityID.Or(""), "language": string(p.Language.Or("")), "channel": string(p.Channel.Or("")), "provider": p.Provider.Or("")})
	if err != nil {
		return nil, err
	}
	page, next, err := h.report.Tickets(ctx, principal.From(ctx), reporting.ListQuery{Query: q, Measure: p.Measure, Detail: p.Detail.Or(""), Cursor: p.Cursor.Or(""), Limit: int(p.Limit.Or(0))})
	if err != nil {
		return nil, err
	}
	out := &oas.ReportTicketPage{Items: []oas.ReportTicket{}, NextCursor: text(next)}
	for _, l := range page {
		o := oas.ReportTicket{Number: l.Number, DomainID: l.Domain, DomainName: l.DomainName, Description: text(l.Headline), At: at(l.At), AtMs: l.At, Unit: maybeUnit(l.Unit)}
		if l.Unit != "" {
			o.Amount.SetTo(l.Amount)
		}
		if l.Verdict != "" {
			o.Verdict.SetTo(oas.ReportTicketVerdict(l.Verdict))
		}
		out.Items = append(out.Items, o)
	}
	return out, nil
}
