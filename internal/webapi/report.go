package webapi

import (
	"context"

	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/report"
	"casemate/internal/webapi/oas"
)

// reports are a customer's figures.
type reports struct{ report *report.Service }

// ShowOwnReport shows figures of the caller's domain.
func (h reports) ShowOwnReport(ctx context.Context, p oas.ShowOwnReportParams) (*oas.OwnReport, error) {
	r, err := h.report.Own(ctx, principal.From(ctx), report.Query{Name: p.Name, From: p.From.Or(""), To: p.To.Or(""), Every: string(p.Every.Or("")), Locale: locale.From(ctx)})
	if err != nil {
		return nil, err
	}
	out := &oas.OwnReport{Name: r.Name, Title: r.Title, FromMs: r.From, ToMs: r.To, AsOfSeq: r.Seq, AsOfMs: r.At, Figures: []oas.OwnFigure{}}
	for _, f := range r.Figures {
		o := oas.OwnFigure{Period: text(f.Period.Name), Measure: f.Measure, MeasureName: f.MeasureName, Detail: text(f.Detail), DetailName: text(f.DetailName), Count: f.Count}
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
		}
		out.Figures = append(out.Figures, o)
	}
	return out, nil
}
