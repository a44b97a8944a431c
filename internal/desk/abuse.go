package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// abuseReports are the house's side of customers' reports.
type abuseReports struct{ tickets *ticket.Service }

// ListAbuseReports lists reports of all domains, newest first.
func (h abuseReports) ListAbuseReports(ctx context.Context, params oas.ListAbuseReportsParams) (*oas.AbuseReportPage, error) {
	f := ticket.ReportFilter{After: params.Cursor.Or(""), Limit: int(params.Limit.Or(0))}
	if s, ok := params.State.Get(); ok {
		f.Open, f.Handled = s == oas.AbuseReportStateOpen, s == oas.AbuseReportStateHandled
	}
	all, cursor, err := h.tickets.Reports(ctx, principal.From(ctx), f)
	if err != nil {
		return nil, err
	}
	page := &oas.AbuseReportPage{Items: []oas.AbuseReport{}, NextCursor: text(cursor)}
	for _, r := range all {
		page.Items = append(page.Items, report(r))
	}
	return page, nil
}

// ShowAbuseReport shows one with its reporter's contact.
func (h abuseReports) ShowAbuseReport(ctx context.Context, params oas.ShowAbuseReportParams) (*oas.AbuseReport, error) {
	r, err := h.tickets.ShowReport(ctx, principal.From(ctx), params.ReportID)
	if err != nil {
		return nil, err
	}
	out := report(r)
	return &out, nil
}

// HandleAbuseReport notes that it was dealt with.
func (h abuseReports) HandleAbuseReport(ctx context.Context, req *oas.HandleAbuseReportReq, params oas.HandleAbuseReportParams) (*oas.AbuseReport, error) {
	r, err := h.tickets.HandleReport(ctx, principal.From(ctx), params.ReportID, req.Note.Or(""))
	if err != nil {
		return nil, err
	}
	out := report(r)
	return &out, nil
}

func report(r ticket.Report) oas.AbuseReport {
	out := oas.AbuseReport{ID: r.ID, State: oas.AbuseReportStateOpen, Type: r.Kind, Title: r.Title, Content: r.Content, Files: append([]string{}, r.Files...),
		DomainID: r.Domain, DomainName: text(r.DomainName), ReporterID: r.Reporter, ReporterName: text(r.ReporterName), CreatedAt: at(r.Created),
		HandledAt: maybeAt(r.Handled), HandlerID: text(r.Handler), HandlerName: text(r.HandlerName), Note: text(r.Note)}
	if r.Handled > 0 {
		out.State = oas.AbuseReportStateHandled
	}
	if c := r.Contact; c.Name != "" {
		out.Contact.SetTo(oas.AbuseReportContact{Name: c.Name, Mobile: c.Mobile, Mail: text(c.Mail), CompanyName: text(c.Company), Area: text(c.Area),
			Address: text(c.Address), OtherWay: text(c.OtherWay), IDType: int32(c.Identity), IDFiles: append([]string{}, c.Files...)})
	}
	if p := r.Right; p != nil {
		out.Right.SetTo(oas.AbuseReportRight{Type: text(p.Kind), Area: text(p.Area), Number: text(p.Number), Content: text(p.Content)})
	}
	return out
}
