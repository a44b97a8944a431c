package api

import (
	"context"
	"strings"

	"casemate/internal/api/oas"
	"casemate/internal/catalog"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// details are a ticket's contact, additional parameters and the export.
type details struct {
	ticket  *ticket.Service
	catalog *catalog.Service
	temp    string
	books   chan struct{} // one entry per workbook in the making
}

func newDetails(t *ticket.Service, c *catalog.Service, temp string) details {
	return details{ticket: t, catalog: c, temp: temp, books: make(chan struct{}, maxBooks)}
}

func sent(o oas.OptString) *string {
	if v, ok := o.Get(); ok {
		return &v
	}
	return nil
}

// UpdateCaseContactInfo changes where notices go: a field that is not sent
// stays, an empty one takes the contact away.
func (h details) UpdateCaseContactInfo(ctx context.Context, req oas.OptUpdateCaseContactInfoReq, p oas.UpdateCaseContactInfoParams) (*oas.Ack, error) {
	in := req.Value
	ext, _, err := extension(in.ExtensionMap.Value)
	if err != nil {
		return nil, err
	}
	err = h.ticket.ChangeContact(ctx, principal.From(ctx), ticket.ContactChange{Number: p.CaseID, Group: in.GroupID.Or(""),
		Area: sent(in.AreaCode), Mobile: sent(in.RemindMobile), Mail: sent(in.RemindMail), Time: sent(in.RemindTime), Extension: ext, ZoneName: p.XTimeZone.Or("")})
	if err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// CreateCaseExtendsParam submits further additional parameters.
func (h details) CreateCaseExtendsParam(ctx context.Context, req oas.OptPutCaseExtParamReq, p oas.CreateCaseExtendsParamParams) (*oas.Ack, error) {
	in := req.Value
	err := h.ticket.AddValues(ctx, principal.From(ctx), p.CaseID, in.GroupID.Or(""), in.MessageID.Or(""), rawValues(in.ExtendsMap.Value))
	if err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// ShowCaseExtendsParam shows them beside the declared fields: extends_map holds
// the values of the ticket as a whole, extends_params all with their names.
func (h details) ShowCaseExtendsParam(ctx context.Context, p oas.ShowCaseExtendsParamParams) (*oas.Ack, error) {
	values, err := h.ticket.Values(ctx, principal.From(ctx), p.CaseID, p.GroupID.Or(""))
	if err != nil {
		return nil, err
	}
	byKey := map[string]string{}
	for _, v := range values {
		if v.Message == "" {
			byKey[v.Key] = v.Text
		}
	}
	b := besideOf(ctx)
	if err := b.add("extends_map", byKey); err != nil {
		return nil, err
	}
	if err := b.add("extends_params", shownValues(h.catalog.Now(), locale.From(ctx).Language, values)); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// ListCaseCcEmails lists the caller's own copy addresses: the last used ones,
// joined by commas, and all that are known.
func (h details) ListCaseCcEmails(ctx context.Context, _ oas.ListCaseCcEmailsParams) (*oas.ListCaseCcEmailsResponse, error) {
	who := principal.From(ctx)
	last, known, err := h.ticket.Copies(ctx, who)
	if err != nil {
		return nil, err
	}
	res := &oas.ListCaseCcEmailsResponse{McEmailInfos: append([]string{}, known...)}
	if len(last) > 0 {
		res.CcEmailInfo.SetTo(oas.IncidentOrderCcEmailInfoV2{CcEmail: oas.NewOptString(strings.Join(last, ",")),
			CustomerID: oas.NewOptString(who.Domain), UserID: oas.NewOptString(who.User)})
	}
	return res, nil
}
