package api

import (
	"context"

	"casemate/internal/api/oas"
	"casemate/internal/authorization"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// authorizations are the group Authorization Management.
type authorizations struct{ authorization *authorization.Service }

func optTime(ms int64) (out oas.OptTime) {
	if ms > 0 {
		out.SetTo(wireTime(ms))
	}
	return out
}

// ListAuthorizations lists what was asked of the caller, newest first.
func (h authorizations) ListAuthorizations(ctx context.Context, p oas.ListAuthorizationsParams) (*oas.ListAuthorizationsResponse, error) {
	f := authorization.Filter{Number: p.IncidentID.Or(""), Description: p.SimpleDescription.Or(""), CreatorName: p.SubCustomerName.Or(""), Group: p.GroupID.Or(""),
		Offset: int(p.Offset.Or(0)), Limit: int(p.Limit.Or(0))}
	if s, ok := p.Status.Get(); ok {
		status := authorization.Status(s)
		f.Status = &status
	}
	page, total, err := h.authorization.List(ctx, principal.From(ctx), f)
	if err != nil {
		return nil, err
	}
	lang, trim := locale.From(ctx).Language, p.TrimOsmRichTextLabel.Or(true)
	letter := h.authorization.Letter(lang)
	res := &oas.ListAuthorizationsResponse{Count: int32(total), IncidentAuthList: make([]oas.IncidentOrderAuthV2, 0, len(page))}
	for _, v := range page {
		res.IncidentAuthList = append(res.IncidentAuthList, oas.IncidentOrderAuthV2{
			ID: oas.NewOptString(v.ID), Status: oas.NewOptInt32(int32(v.Status)), IncidentID: oas.NewOptString(v.Number),
			SimpleDescription: oas.NewOptString(trimmed(v.Words, trim)), AuthDescribe: oas.NewOptString(trimmed(v.Description, trim)),
			ResourceTypeID: oas.NewOptString(v.Resource), ResourceTypeName: oas.NewOptString(authorization.NameOf(authorization.Resources, v.Resource, lang)),
			VisitTypeID: oas.NewOptString(v.Visit), VisitTypeName: oas.NewOptString(authorization.NameOf(authorization.Visits, v.Visit, lang)),
			CreateTime: optTime(v.Created), AuthEffectiveTime: optTime(v.Effective), AuthExpireTime: optTime(v.Expires), RejectReason: oas.NewOptString(v.Reason(lang)),
			CustomerID: oas.NewOptString(v.Domain), XCustomerID: oas.NewOptString(v.Creator), XcustomerName: oas.NewOptString(v.CreatorName),
			ContentOfAuthLetter: oas.NewOptString(letter)})
	}
	return res, nil
}

// ShowAuthorizationDetail is an authorization with its items; passwords are
// never in it.
func (h authorizations) ShowAuthorizationDetail(ctx context.Context, p oas.ShowAuthorizationDetailParams) (*oas.ShowAuthorizationDetailResponse, error) {
	v, err := h.authorization.Show(ctx, principal.From(ctx), p.AuthorizationID, p.GroupID.Or(""))
	if err != nil {
		return nil, err
	}
	lang, trim := locale.From(ctx).Language, p.TrimOsmRichTextLabel.Or(true)
	res := &oas.ShowAuthorizationDetailResponse{
		ID: oas.NewOptString(v.ID), Status: oas.NewOptInt32(int32(v.Status)), IncidentID: oas.NewOptString(v.Number), SimpleDescription: oas.NewOptString(trimmed(v.Words, trim)),
		ResourceTypeID: oas.NewOptString(v.Resource), ResourceTypeName: oas.NewOptString(authorization.NameOf(authorization.Resources, v.Resource, lang)),
		VisitTypeID: oas.NewOptString(v.Visit), VisitTypeName: oas.NewOptString(authorization.NameOf(authorization.Visits, v.Visit, lang)),
		ContentTypeID: oas.NewOptString(v.Content), ContentTypeName: oas.NewOptString(authorization.NameOf(authorization.Contents, v.Content, lang)),
		AuthEffectiveTime: optTime(v.Effective), AuthExpireTime: optTime(v.Expires), RejectReason: oas.NewOptString(v.Reason(lang)),
		XcustomerName: oas.NewOptString(v.CreatorName), AuthHandlerName: oas.NewOptString(v.HandlerName), AgencyName: oas.NewOptString(v.AgencyName),
		AuthDescribe:           oas.NewOptString(trimmed(v.Description, trim)),
		IncidentAuthDetailList: make([]oas.IncidentOrderAuthDetailInfoV2, 0, len(v.Details)),
	}
	for _, d := range v.Details {
		item := oas.IncidentOrderAuthDetailInfoV2{ID: oas.NewOptInt64(d.ID), Type: oas.NewOptInt32(int32(d.Kind)), Account: oas.NewOptString(d.Account),
			InstanceID: oas.NewOptString(d.InstanceID), InstanceName: oas.NewOptString(d.Label()), RegionID: oas.NewOptString(d.Region)}
		if d.Port > 0 {
			item.Port.SetTo(int32(d.Port))
		}
		res.IncidentAuthDetailList = append(res.IncidentAuthDetailList, item)
	}
	return res, nil
}

// ConfirmAuthorizations grants.
func (h authorizations) ConfirmAuthorizations(ctx context.Context, req oas.OptAgreeTenantAuthorizationV2Req, p oas.ConfirmAuthorizationsParams) (*oas.Ack, error) {
	g := authorization.Grant{ID: p.AuthorizationID, Group: req.Value.GroupID.Or(""), Effective: req.Value.AuthEffectiveTime.Or(0), Expire: req.Value.AuthExpireTime.Or(0),
		Agency: req.Value.AgencyID.Or("")}
	for _, d := range req.Value.AuthDetailList {
		g.Access = append(g.Access, authorization.Access{Detail: d.AuthDetailID, Port: int(d.Port.Or(0)), Account: d.Account.Or(""), Password: d.Password.Or("")})
	}
	if err := h.authorization.Confirm(ctx, principal.From(ctx), g); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// UpdateAuthorizations rejects or cancels.
func (h authorizations) UpdateAuthorizations(ctx context.Context, req oas.OptOperateAuthorizationV2Req, p oas.UpdateAuthorizationsParams) (*oas.Ack, error) {
	err := h.authorization.Do(ctx, principal.From(ctx), p.AuthorizationID, req.Value.GroupID.Or(""), p.ActionID.Or(""), req.Value.RejectReason.Or(""))
	if err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// CheckHosts tries a host's login.
func (h authorizations) CheckHosts(ctx context.Context, req *oas.VerifyHostV2Req, p oas.CheckHostsParams) (*oas.Ack, error) {
	err := h.authorization.CheckHost(ctx, principal.From(ctx), authorization.Try{Detail: p.AuthorizationDetailID, Group: req.GroupID.Or(""), Port: int(req.Port),
		Account: req.Account, Password: req.Password})
	if err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// ShowLoginType tells how the caller logged in.
func (h authorizations) ShowLoginType(ctx context.Context, _ oas.ShowLoginTypeParams) (*oas.ShowLoginTypeResponse, error) {
	kind, err := h.authorization.LoginType(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	return &oas.ShowLoginTypeResponse{LoginType: oas.NewOptString(kind)}, nil
}

// ListHistorySessions lists the sessions under an item, newest first. A session
// that is still open has no end, and the time it has lasted.
func (h authorizations) ListHistorySessions(ctx context.Context, p oas.ListHistorySessionsParams) (*oas.ListHistorySessionsResponse, error) {
	page, total, err := h.authorization.Sessions(ctx, principal.From(ctx), p.AuthorizationID, p.AuthorizationDetailID, p.GroupID.Or(""),
		authorization.Page{Offset: int(p.Offset.Or(0)), Limit: int(p.Limit.Or(0))})
	if err != nil {
		return nil, err
	}
	loc := locale.From(ctx)
	res := &oas.ListHistorySessionsResponse{TotalCount: int32(total), SessionList: make([]oas.OperateHistorySession, 0, len(page))}
	for _, x := range page {
		item := oas.OperateHistorySession{SessionID: oas.NewOptInt64(x.ID), StartTime: oas.NewOptString(loc.Stamp(x.Opened)),
			Duration: oas.NewOptString(authorization.Clock(x.Duration(h.authorization.Now(ctx))))}
		if x.Closed > 0 {
			item.EndTime.SetTo(loc.Stamp(x.Closed))
		}
		res.SessionList = append(res.SessionList, item)
	}
	return res, nil
}

// ListHistoryOperateLogs lists the commands of a session.
func (h authorizations) ListHistoryOperateLogs(ctx context.Context, p oas.ListHistoryOperateLogsParams) (*oas.ListHistoryOperateLogsResponse, error) {
	page, total, err := h.authorization.Commands(ctx, principal.From(ctx), p.AuthorizationID, p.AuthorizationDetailID, p.SessionID, p.GroupID.Or(""),
		authorization.Page{Offset: int(p.Offset.Or(0)), Limit: int(p.Limit.Or(0)), Ascending: p.Sort.Or(0) == 1})
	if err != nil {
		return nil, err
	}
	loc := locale.From(ctx)
	res := &oas.ListHistoryOperateLogsResponse{TotalCount: int32(total), OpsList: make([]oas.OperateLog, 0, len(page))}
	for _, c := range page {
		res.OpsList = append(res.OpsList, oas.OperateLog{Oper: oas.NewOptString(c.Text), OperateTime: oas.NewOptString(loc.Stamp(c.At))})
	}
	return res, nil
}

// ListTransportHistories lists the files copied in a session.
func (h authorizations) ListTransportHistories(ctx context.Context, p oas.ListTransportHistoriesParams) (*oas.ListTransportHistoriesResponse, error) {
	page, total, err := h.authorization.Transfers(ctx, principal.From(ctx), p.AuthorizationID, p.AuthorizationDetailID, p.SessionID, p.GroupID.Or(""),
		authorization.Page{Offset: int(p.Offset.Or(0)), Limit: int(p.Limit.Or(0)), Ascending: p.Sort.Or(0) == 1})
	if err != nil {
		return nil, err
	}
	loc := locale.From(ctx)
	res := &oas.ListTransportHistoriesResponse{TotalCount: int32(total), FileOpsList: make([]oas.FileOperateLog, 0, len(page))}
	for _, t := range page {
		res.FileOpsList = append(res.FileOpsList, oas.FileOperateLog{Duration: oas.NewOptString(authorization.Clock(t.Duration)), OperateTime: oas.NewOptString(loc.Stamp(t.At)),
			OperateType: oas.NewOptString(t.KindName(loc.Language)), FileName: oas.NewOptString(t.File), FromPath: oas.NewOptString(t.From), ToPath: oas.NewOptString(t.To),
			FileSize: oas.NewOptString(authorization.Size(t.Size)), OperResult: oas.NewOptString(t.ResultName(loc.Language))})
	}
	return res, nil
}
