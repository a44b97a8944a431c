package desk

import (
	"context"
	"time"

	"casemate/internal/authorization"
	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// authorizations are the group Authorizations.
type authorizations struct {
	authorization *authorization.Service
	steps         tickets // who acts for whom is as for steps of tickets
}

var detailKinds = map[oas.NewAuthorizationDetailType]authorization.DetailKind{
	oas.NewAuthorizationDetailTypeConsole: authorization.Console, oas.NewAuthorizationDetailTypeHost: authorization.Host}

func wireAuthorization(ctx context.Context, a authorization.DeskAuthorization) oas.Authorization {
	lang := locale.From(ctx).Language
	out := oas.Authorization{ID: a.ID, Version: a.Revision, Status: oas.AuthorizationStatus(a.Status), StatusName: a.StateName(lang), Number: a.Number, DomainID: a.Domain,
		EngineerID: a.Engineer, EngineerName: text(a.EngineerName), ApproverName: text(a.ApproverName), HandlerName: text(a.HandlerName),
		Description: a.Description, Refusal: text(a.Refusal), RejectReason: text(a.RejectReason),
		ResourceTypeID: text(a.Resource), ResourceTypeName: text(authorization.NameOf(authorization.Resources, a.Resource, lang)),
		VisitTypeID: text(a.Visit), VisitTypeName: text(authorization.NameOf(authorization.Visits, a.Visit, lang)),
		ContentTypeID: text(a.Content), ContentTypeName: text(authorization.NameOf(authorization.Contents, a.Content, lang)),
		EffectiveAt: maybeAt(a.Effective), ExpiresAt: maybeAt(a.Expires), DueAt: maybeAt(a.Due), CreatedAt: at(a.Created), UpdatedAt: at(a.Changed),
		Details: make([]oas.AuthorizationDetail, 0, len(a.Details))}
	for _, d := range a.Details {
		item := oas.AuthorizationDetail{ID: d.ID, Type: oas.AuthorizationDetailTypeConsole, Address: text(d.Address), InstanceID: text(d.InstanceID),
			InstanceName: text(d.InstanceName), RegionID: text(d.Region)}
		if d.Kind == authorization.Host {
			item.Type = oas.AuthorizationDetailTypeHost
		}
		if d.Port > 0 {
			item.Port.SetTo(int32(d.Port))
		}
		out.Details = append(out.Details, item)
	}
	return out
}

func (h authorizations) show(ctx context.Context, id string) (*oas.Authorization, error) {
	a, err := h.authorization.DeskShow(ctx, principal.From(ctx), id)
	if err != nil {
		return nil, err
	}
	out := wireAuthorization(ctx, a)
	return &out, nil
}

// CreateAuthorization asks a ticket's customer for access.
func (h authorizations) CreateAuthorization(ctx context.Context, req *oas.NewAuthorizationReq, params oas.CreateAuthorizationParams) (*oas.Authorization, error) {
	engineer, err := h.steps.engineer(ctx, req.As.Or(""))
	if err != nil {
		return nil, err
	}
	in := authorization.NewRequest{Number: params.Number, Engineer: engineer.User, Description: req.Description,
		Resource: req.ResourceTypeID.Or(""), Visit: req.VisitTypeID.Or(""), Content: req.ContentTypeID.Or("")}
	for _, d := range req.Details {
		in.Details = append(in.Details, authorization.NewDetail{Kind: detailKinds[d.Type], Address: d.Address.Or(""), Port: int(d.Port.Or(0)),
			InstanceID: d.InstanceID.Or(""), InstanceName: d.InstanceName.Or(""), Region: d.RegionID.Or("")})
	}
	id, err := h.authorization.Request(ctx, principal.From(ctx), in)
	if err != nil {
		return nil, err
	}
	return h.show(ctx, id)
}

// ListTicketAuthorizations lists what was asked for in a ticket.
func (h authorizations) ListTicketAuthorizations(ctx context.Context, params oas.ListTicketAuthorizationsParams) (*oas.AuthorizationPage, error) {
	all, err := h.authorization.OfTicket(ctx, principal.From(ctx), params.Number)
	if err != nil {
		return nil, err
	}
	return page(ctx, all, ""), nil
}

// ListAuthorizations lists the authorizations of all domains.
func (h authorizations) ListAuthorizations(ctx context.Context, params oas.ListAuthorizationsParams) (*oas.AuthorizationPage, error) {
	var statuses []authorization.Status
	for _, s := range params.Status {
		statuses = append(statuses, authorization.Status(s))
	}
	all, cursor, err := h.authorization.Desk(ctx, principal.From(ctx), statuses, params.Cursor.Or(""), int(params.Limit.Or(0)))
	if err != nil {
		return nil, err
	}
	return page(ctx, all, cursor), nil
}

func page(ctx context.Context, all []authorization.DeskAuthorization, cursor string) *oas.AuthorizationPage {
	out := &oas.AuthorizationPage{Items: make([]oas.Authorization, 0, len(all)), NextCursor: text(cursor)}
	for _, a := range all {
		out.Items = append(out.Items, wireAuthorization(ctx, a))
	}
	return out
}

// ShowAuthorization shows an authorization of any domain.
func (h authorizations) ShowAuthorization(ctx context.Context, params oas.ShowAuthorizationParams) (*oas.Authorization, error) {
	return h.show(ctx, params.AuthorizationID)
}

// CreateAuthorizationStep approves, refuses or recalls.
func (h authorizations) CreateAuthorizationStep(ctx context.Context, req *oas.AuthorizationStepReq, params oas.CreateAuthorizationStepParams) (*oas.Authorization, error) {
	_, err := h.authorization.Step(ctx, principal.From(ctx), params.AuthorizationID, string(req.Action), req.Reason.Or(""))
	if err != nil {
		return nil, err
	}
	return h.show(ctx, params.AuthorizationID)
}

// RevealAuthorization shows what was granted.
func (h authorizations) RevealAuthorization(ctx context.Context, req oas.OptRevealAuthorizationReq, params oas.RevealAuthorizationParams) (*oas.AuthorizationSecret, error) {
	s, err := h.authorization.Reveal(ctx, principal.From(ctx), params.AuthorizationID, params.DetailID, req.Value.Reason.Or(""))
	if err != nil {
		return nil, err
	}
	out := &oas.AuthorizationSecret{Address: text(s.Address), Account: text(s.Account), Password: text(s.Password), AgencyID: text(s.Agency)}
	if s.Port > 0 {
		out.Port.SetTo(int32(s.Port))
	}
	return out, nil
}

func wireSession(x authorization.Session) *oas.AuthorizationSession {
	return &oas.AuthorizationSession{ID: x.ID, DetailID: x.Detail, OpenedAt: at(x.Opened), ClosedAt: maybeAt(x.Closed)}
}

// CreateAuthorizationSession opens a session.
func (h authorizations) CreateAuthorizationSession(ctx context.Context, req *oas.NewAuthorizationSessionReq, params oas.CreateAuthorizationSessionParams) (*oas.AuthorizationSession, error) {
	engineer, err := h.steps.engineer(ctx, req.As.Or(""))
	if err != nil {
		return nil, err
	}
	x, err := h.authorization.OpenSession(ctx, engineer, params.AuthorizationID, params.DetailID)
	if err != nil {
		return nil, err
	}
	return wireSession(x), nil
}

// AppendSessionRecords records commands and transfers.
func (h authorizations) AppendSessionRecords(ctx context.Context, req *oas.SessionRecords, params oas.AppendSessionRecordsParams) error {
	var commands []authorization.Command
	for _, c := range req.Commands {
		commands = append(commands, authorization.Command{At: time.Time(c.At).UnixMilli(), Text: c.Text})
	}
	var transfers []authorization.Transfer
	for _, t := range req.Transfers {
		transfers = append(transfers, authorization.Transfer{At: time.Time(t.At).UnixMilli(), Duration: t.DurationMs.Or(0), Kind: string(t.Type), File: t.FileName,
			From: t.FromPath.Or(""), To: t.ToPath.Or(""), Size: t.Size.Or(0), Result: string(t.Result)})
	}
	return h.authorization.Append(ctx, principal.From(ctx), params.AuthorizationID, params.SessionID, commands, transfers)
}

// CloseAuthorizationSession ends a session.
func (h authorizations) CloseAuthorizationSession(ctx context.Context, params oas.CloseAuthorizationSessionParams) (*oas.AuthorizationSession, error) {
	x, err := h.authorization.CloseSession(ctx, principal.From(ctx), params.AuthorizationID, params.SessionID)
	if err != nil {
		return nil, err
	}
	return wireSession(x), nil
}

// ListAuthorizationSessions lists the sessions under an authorization.
func (h authorizations) ListAuthorizationSessions(ctx context.Context, params oas.ListAuthorizationSessionsParams) (*oas.AuthorizationSessionList, error) {
	all, err := h.authorization.DeskSessions(ctx, principal.From(ctx), params.AuthorizationID)
	if err != nil {
		return nil, err
	}
	out := &oas.AuthorizationSessionList{Items: make([]oas.AuthorizationSessionEntry, 0, len(all))}
	for _, x := range all {
		out.Items = append(out.Items, oas.AuthorizationSessionEntry{ID: x.ID, DetailID: x.Detail, EngineerID: x.Engineer, EngineerName: text(x.EngineerName),
			OpenedAt: at(x.Opened), ClosedAt: maybeAt(x.Closed), Commands: int32(x.Commands), Transfers: int32(x.Transfers)})
	}
	return out, nil
}

// ListSessionRecords shows what a session recorded.
func (h authorizations) ListSessionRecords(ctx context.Context, params oas.ListSessionRecordsParams) (*oas.SessionRecordList, error) {
	commands, transfers, err := h.authorization.DeskRecords(ctx, principal.From(ctx), params.AuthorizationID, params.SessionID)
	if err != nil {
		return nil, err
	}
	out := &oas.SessionRecordList{Commands: make([]oas.SessionCommand, 0, len(commands)), Transfers: make([]oas.SessionTransfer, 0, len(transfers))}
	for _, c := range commands {
		out.Commands = append(out.Commands, oas.SessionCommand{At: at(c.At), Text: c.Text})
	}
	for _, t := range transfers {
		out.Transfers = append(out.Transfers, oas.SessionTransfer{At: at(t.At), DurationMs: oas.NewOptInt64(t.Duration), Type: oas.SessionTransferType(t.Kind), FileName: t.File,
			FromPath: text(t.From), ToPath: text(t.To), Size: oas.NewOptInt64(t.Size), Result: oas.SessionTransferResult(t.Result)})
	}
	return out, nil
}
