package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"casemate/internal/api/oas"
	"casemate/internal/catalog"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
	"casemate/internal/verify"
)

// tickets are the groups Service Ticket Management and Ticket Query.
type tickets struct {
	ticket  *ticket.Service
	catalog *catalog.Service
}

// CreateCases opens a ticket.
func (h tickets) CreateCases(ctx context.Context, req *oas.CreateOrderIncidentV2Req, p oas.CreateCasesParams) (*oas.CreateCasesResponse, error) {
	ext, group, err := extension(req.ExtensionMap.Value)
	if err != nil {
		return nil, err
	}
	number, err := h.ticket.Create(ctx, principal.From(ctx), ticket.NewTicket{
		Choice: catalog.Choice{ProblemType: req.BusinessTypeID, SubType: req.IncidentSubTypeID.Or(""), Product: req.ProductCategoryID.Or(""),
			Region: req.RegionID.Or(""), Severity: req.SeverityID.Or("")},
		Description: req.SimpleDescription, Source: req.SourceID, Project: req.ProjectID.Or(""), RemindTime: req.RemindTime.Or(""),
		Claims: verify.Claims{Area: req.AreaCode.Or(""), Mobile: req.RemindMobile.Or(""), Mail: req.RemindMail.Or(""),
			PhoneProof: p.XPhoneVerifiedid.Or(""), MailProof: p.XEmailVerifiedid.Or(""), Code: req.VerifyCode.Or("")},
		Params: rawValues(req.ExtendsMap.Value), Extension: ext, Group: group,
		Locale: locale.From(ctx), ZoneName: p.XTimeZone.Or(""), Attachments: req.AccessoryIds,
	})
	if err != nil {
		return nil, err
	}
	return &oas.CreateCasesResponse{IncidentID: oas.NewOptString(number)}, nil
}

// ListCases lists tickets, newest first.
func (h tickets) ListCases(ctx context.Context, p oas.ListCasesParams) (*oas.ListCasesResponse, error) {
	loc := locale.From(ctx)
	f, err := filterOf(loc, p)
	if err != nil {
		return nil, err
	}
	page, total, err := h.ticket.List(ctx, principal.From(ctx), f)
	if err != nil {
		return nil, err
	}
	names, err := h.creators(ctx, page...)
	if err != nil {
		return nil, err
	}
	c, trim := h.catalog.Now(), p.TrimOsmRichTextLabel.Or(true)
	res := &oas.ListCasesResponse{TotalCount: int32(total), IncidentInfoList: make([]oas.IncidentInfoV2, 0, len(page))}
	for _, t := range page {
		i := oas.IncidentInfoV2{
			XcustomerID: oas.NewOptString(t.Creator), XcustomerName: oas.NewOptString(names[t.Creator]), Status: int32(t.Status), IncidentID: t.Number,
			BusinessTypeName: c.Name(catalog.KindProblemType, t.ProblemType, loc.Language), IncidentTypeName: c.Name(catalog.KindSubType, t.SubType, loc.Language),
			ProductCategoryName: oas.NewOptString(c.Name(catalog.KindProduct, t.Product, loc.Language)), CustomerID: t.Domain,
			DCName: c.Name(catalog.KindRegion, t.Region, loc.Language), SimpleDescription: trimmed(t.Description, trim), CreateTime: wireTime(t.Created),
		}
		i.LabelList = make([]oas.LabelInfo, 0, len(t.Labels))
		for _, l := range t.Labels {
			i.LabelList = append(i.LabelList, oas.LabelInfo{LabelID: oas.NewOptInt32(int32(l.ID)), Name: oas.NewOptString(l.Name), Color: oas.NewOptString(l.Color)})
		}
		if t.Resolution != "" {
			i.Resolution.SetTo(trimmed(t.Resolution, trim))
		}
		if t.Status == ticket.Completed {
			i.ConfirmedTime.SetTo(wireTime(t.Closed))
		}
		res.IncidentInfoList = append(res.IncidentInfoList, i)
	}
	return res, nil
}

// filterOf reads what ListCases filters by.
func filterOf(loc locale.Locale, p oas.ListCasesParams) (f ticket.Filter, err error) {
	f = ticket.Filter{Words: p.SearchKey, Text: p.AppKey.Or(""), Number: p.IncidentID.Or(""), Creator: p.XCustomerID.Or(""), CreatorName: p.XCustomerName.Or(""),
		Group: p.GroupID.Or(""), Offset: int(p.Offset.Or(0)), Limit: int(p.Limit.Or(0))}
	if f.From, f.To, err = loc.ParseSpan(p.QueryStartTime.Or(""), p.QueryEndTime.Or("")); err != nil {
		return f, err
	}
	if s, ok := p.Status.Get(); ok {
		f.Statuses = append(f.Statuses, ticket.Status(s))
	}
	states, err := parseStates(p.IncidentStatus.Or(""))
	if err != nil {
		return f, err
	}
	f.Statuses = append(f.Statuses, states...)
	f.Labels, err = labelIDs("label_id_list", p.LabelIDList)
	return f, err
}

func parseStates(text string) (all []ticket.Status, err error) {
	const field = "incident_status"
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, fault.BadFormat.In(field).With("form", "0,1,2")
		}
		if !ticket.Status(n).Known() {
			return nil, fault.Unknown.In(field)
		}
		all = append(all, ticket.Status(n))
	}
	return all, nil
}

func (h tickets) creators(ctx context.Context, page ...ticket.Ticket) (map[string]string, error) {
	var ids []string
	for _, t := range page {
		ids = append(ids, t.Creator)
	}
	return h.ticket.Names(ctx, principal.From(ctx).Domain, ids...)
}

func wireTime(ms int64) oas.Time { return oas.Time(locale.Wire(ms).Format(time.RFC3339)) }

// ListCaseCounts counts the caller's tickets by state; states without tickets
// are listed with 0.
func (h tickets) ListCaseCounts(ctx context.Context, p oas.ListCaseCountsParams) (*oas.ListCaseCountsResponse, error) {
	counts, err := h.ticket.Counts(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	only, filtered := p.Status.Get()
	res := &oas.ListCaseCountsResponse{IncidentStatusCounts: []oas.IncidentStatusCount{}}
	for _, s := range ticket.Statuses {
		if !filtered || int32(s) == only {
			res.IncidentStatusCounts = append(res.IncidentStatusCounts, oas.IncidentStatusCount{Status: oas.NewOptInt32(int32(s)), Count: oas.NewOptInt32(int32(counts[s]))})
		}
	}
	return res, nil
}

var sourceName = locale.Texts{ZH: "API", EN: "API"}

// ShowCaseDetail is a ticket with its messages, ratings and contact.
func (h tickets) ShowCaseDetail(ctx context.Context, p oas.ShowCaseDetailParams) (*oas.ShowCaseDetailResponse, error) {
	who, group, lang := principal.From(ctx), p.GroupID.Or(""), locale.From(ctx).Language
	t, scores, err := h.ticket.Show(ctx, who, p.CaseID, group)
	if err != nil {
		return nil, err
	}
	said, _, err := h.ticket.Messages(ctx, who, p.CaseID, group, 0, -1)
	if err != nil {
		return nil, err
	}
	contact, err := h.ticket.Contact(ctx, t)
	if err != nil {
		return nil, err
	}
	names, err := h.creators(ctx, t)
	if err != nil {
		return nil, err
	}
	values, err := h.ticket.Values(ctx, who, p.CaseID, group)
	if err != nil {
		return nil, err
	}
	c, trim := h.catalog.Now(), p.TrimOsmRichTextLabel.Or(true)
	if err := besideOf(ctx).add("extends_params", shownValues(c, lang, values)); err != nil {
		return nil, err
	}
	d := oas.IncidentDetailInfoV2{
		XcustomerID: oas.NewOptString(t.Creator), XcustomerName: oas.NewOptString(names[t.Creator]), Status: int32(t.Status), Judgement: t.Judgement,
		IncidentID: oas.NewOptString(t.Number), BusinessTypeName: c.Name(catalog.KindProblemType, t.ProblemType, lang),
		IncidentTypeName: c.Name(catalog.KindSubType, t.SubType, lang), CustomerID: t.Domain, DCName: c.Name(catalog.KindRegion, t.Region, lang),
		SimpleDescription: trimmed(t.Description, trim), SourceName: sourceName.In(lang), CreateTime: wireTime(t.Created),
		MessageList: make([]oas.IncidentMessageV2, 0, len(said)), IncidentSatisfaction: make([]oas.IncidentSatisfactionV2Do, 0, len(scores)),
		BusinessOwnership: oas.NewOptInt32(int32(t.Ownership)),
	}
	if t.Severity != "" {
		d.SeverityName.SetTo(c.Name(catalog.KindSeverity, t.Severity, lang))
	}
	if t.Resolved > 0 {
		d.ResolveTime.SetTo(t.Resolved)
	}
	d.ExtInfo.SetTo(extInfo(t, contact))
	for _, m := range said {
		d.MessageList = append(d.MessageList, oas.IncidentMessageV2{Type: oas.NewOptInt32(author(m)), Replier: oas.NewOptString(m.Author),
			Content: oas.NewOptString(trimmed(m.Text, trim)), MessageID: oas.NewOptString(m.ID), ReplierName: oas.NewOptString(m.AuthorName),
			CreateTime: oas.NewOptTime(wireTime(m.Created)), IsFirstMessage: flag(m.Opening), AccessoryList: accessories(m.Files)})
	}
	for _, s := range scores {
		out := oas.IncidentSatisfactionV2Do{SatisfactionID: int32(s.Dimension), SatisfactionValue: int32(s.Points)}
		if dim, ok := c.Dimension(s.Dimension); ok {
			out.Value.SetTo(int32(dim.Value))
			out.PerValue.SetTo(int32(dim.PerValue))
			out.SatisfactionName.SetTo(dim.Name.In(lang))
			out.SatCategoryID.SetTo(dim.Category)
		}
		d.IncidentSatisfaction = append(d.IncidentSatisfaction, out)
	}
	return &oas.ShowCaseDetailResponse{IncidentDetailInfo: oas.NewOptIncidentDetailInfoV2(d)}, nil
}

func extInfo(t ticket.Ticket, c ticket.Contact) (out oas.IncidentDetailExtInfoV2) {
	if c.Mobile != "" {
		out.AreaCode.SetTo(c.Area)
		out.RemindMobile.SetTo(c.Mobile)
	}
	if c.Mail != "" {
		out.RemindMail.SetTo(c.Mail)
	}
	if t.RemindTime != "" {
		out.RemindTime.SetTo(t.RemindTime)
	}
	if len(c.Copies) > 0 {
		out.CcEmail.SetTo(strings.Join(c.Copies, ","))
	}
	if c.Kind != "" {
		out.ContactType.SetTo(c.Kind)
	}
	return out
}

// author is the wire's type: 0 customer, 1 everybody on the other side.
func author(m ticket.Message) int32 {
	if m.Side == ticket.CustomerSide {
		return 0
	}
	return 1
}

// ShowCaseStatus is the state alone.
func (h tickets) ShowCaseStatus(ctx context.Context, p oas.ShowCaseStatusParams) (*oas.ShowCaseStatusResponse, error) {
	t, _, err := h.ticket.Show(ctx, principal.From(ctx), p.CaseID, "")
	if err != nil {
		return nil, err
	}
	return &oas.ShowCaseStatusResponse{Status: oas.NewOptInt32(int32(t.Status))}, nil
}

func ratings(in []oas.IncidentSatisfactionV2Do) (out []ticket.Score) {
	for _, s := range in {
		out = append(out, ticket.Score{Dimension: int(s.SatisfactionID), Points: int(s.SatisfactionValue)})
	}
	return out
}

// UpdateCases cancels, closes, urges or deletes.
func (h tickets) UpdateCases(ctx context.Context, req oas.OptWorkOrderOperateV2Req, p oas.UpdateCasesParams) (*oas.Ack, error) {
	err := h.ticket.Do(ctx, principal.From(ctx), ticket.Act{Number: p.CaseID, Action: p.ActionID, Group: req.Value.GroupID.Or(""),
		Remark: req.Value.OperateDesc.Or(""), Judgement: req.Value.Judgement.Or(""), Scores: ratings(req.Value.IncidentSatisfactionList)})
	if err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// CreateScores rates a finished ticket.
func (h tickets) CreateScores(ctx context.Context, req *oas.CreateScoreV2Req, p oas.CreateScoresParams) (*oas.Ack, error) {
	err := h.ticket.Rate(ctx, principal.From(ctx), p.CaseID, req.GroupID.Or(""), req.Judgement, ratings(req.IncidentSatisfactionList))
	if err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// ListCaseOperateLogs is the customer's side of the history, newest first.
func (h tickets) ListCaseOperateLogs(ctx context.Context, p oas.ListCaseOperateLogsParams) (*oas.ListCaseOperateLogsResponse, error) {
	loc := locale.From(ctx)
	page, total, err := h.ticket.Log(ctx, principal.From(ctx), p.CaseID, p.GroupID.Or(""), loc.Language, int(p.Offset.Or(0)), int(p.Limit.Or(0)))
	if err != nil {
		return nil, err
	}
	res := &oas.ListCaseOperateLogsResponse{TotalCount: int32(total), IncidentOperateLogList: make([]oas.IncidentOperateLogV2, 0, len(page))}
	for _, e := range page {
		res.IncidentOperateLogList = append(res.IncidentOperateLogList, oas.IncidentOperateLogV2{
			IncidentLogID: oas.NewOptString(e.ID), IncidentID: oas.NewOptString(p.CaseID), OperateType: oas.NewOptInt32(int32(e.Code)), OperatorType: oas.NewOptInt32(int32(e.Side)),
			OperatorID: oas.NewOptString(e.Actor), OperatorName: oas.NewOptString(e.Name), OperateDesc: oas.NewOptString(e.Remark),
			OperateTime: oas.NewOptString(loc.Stamp(e.At)), TimestampOperateTime: oas.NewOptTime(wireTime(e.At))})
	}
	return res, nil
}
