package api

import (
	"context"
	"strconv"
	"strings"
	"unicode/utf8"

	"casemate/internal/api/oas"
	"casemate/internal/catalog"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// oldList is the older list: ListCases in camel case, by pages, and with two
// more filters.
type oldList struct{ tickets tickets }

// ListOrderIncident lists tickets, newest first. Texts may be as long as in
// ListCases, where the contract says nothing here.
func (h oldList) ListOrderIncident(ctx context.Context, p oas.ListOrderIncidentParams) (*oas.ListOrderIncidentResponse, error) {
	for _, t := range []struct {
		field string
		text  oas.OptString
		max   int
	}{{"version", p.Version, 64}, {"appKey", p.AppKey, 64}, {"incidentId", p.IncidentId, 32}, {"queryStartTime", p.QueryStartTime, 32}, {"queryEndTime", p.QueryEndTime, 32},
		{"incidentStatus", p.IncidentStatus, 32}, {"xCustomerName", p.XCustomerName, 64}, {"xCustomerId", p.XCustomerId, 64}, {"groupId", p.GroupId, 64},
		{"productCategoryId", p.ProductCategoryId, 64}, {"businessTypeId", p.BusinessTypeId, 512}} {
		if utf8.RuneCountInString(t.text.Or("")) > t.max {
			return nil, fault.TooLong.In(t.field).With("max", t.max)
		}
	}
	if n := len(p.LabelIdList); n > maxLabelFilter {
		return nil, fault.TooManyItems.In("labelIdList").With("max", maxLabelFilter)
	}
	size := p.PageSize.Or(10)
	f, err := filterOf(locale.From(ctx), oas.ListCasesParams{SearchKey: p.SearchKey, LabelIDList: p.LabelIdList, AppKey: p.AppKey, IncidentID: p.IncidentId,
		QueryStartTime: p.QueryStartTime, QueryEndTime: p.QueryEndTime, Status: p.Status, IncidentStatus: p.IncidentStatus,
		XCustomerID: p.XCustomerId, XCustomerName: p.XCustomerName, GroupID: p.GroupId, Limit: oas.NewOptInt32(size)})
	if err != nil {
		return nil, camel(err)
	}
	f.Product, f.ProblemType, f.Offset = p.ProductCategoryId.Or(""), p.BusinessTypeId.Or(""), (int(p.PageNo.Or(1))-1)*int(size)
	page, total, err := h.tickets.ticket.List(ctx, principal.From(ctx), f)
	if err != nil {
		return nil, camel(err)
	}
	names, err := h.tickets.creators(ctx, page...)
	if err != nil {
		return nil, err
	}
	c, lang := h.tickets.catalog.Now(), locale.From(ctx).Language
	res := &oas.ListOrderIncidentResponse{TotalCount: int32(total), IncidentInfoList: make([]oas.IncidentInfo, 0, len(page))}
	for _, t := range page {
		i := oas.IncidentInfo{IncidentId: oas.NewOptString(t.Number), CustomerId: oas.NewOptString(t.Domain), XcustomerId: oas.NewOptString(t.Creator),
			XcustomerName: oas.NewOptString(names[t.Creator]), Status: oas.NewOptInt32(int32(t.Status)), SimpleDescribe: oas.NewOptString(trimmed(t.Description, true)),
			BusinessTypeName: oas.NewOptString(c.Name(catalog.KindProblemType, t.ProblemType, lang)), IncidentTypeName: oas.NewOptString(c.Name(catalog.KindSubType, t.SubType, lang)),
			DcName: oas.NewOptString(c.Name(catalog.KindRegion, t.Region, lang)), CreateTime: oas.NewOptTime(wireTime(t.Created)), Gray: oas.NewOptBool(false),
			LabelList: make([]oas.CaseQueryLabel, 0, len(t.Labels))}
		for _, l := range t.Labels {
			i.LabelList = append(i.LabelList, oas.CaseQueryLabel{LabelId: oas.NewOptString(strconv.FormatInt(l.ID, 10)), Name: oas.NewOptString(l.Name), Color: oas.NewOptString(l.Color)})
		}
		res.IncidentInfoList = append(res.IncidentInfoList, i)
	}
	return res, nil
}

// maxLabelFilter is how many labels a list filters by (contract of ListCases).
const maxLabelFilter = 5

// camel spells the field a fault names as this interface does.
func camel(err error) error {
	f, ok := fault.As(err)
	if !ok || f.Field == "" {
		return err
	}
	parts := strings.Split(f.Field, "_")
	for i, p := range parts[1:] {
		if p != "" {
			parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return f.In(strings.Join(parts, ""))
}
