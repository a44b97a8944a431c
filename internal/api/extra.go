package api

import (
	"context"

	"casemate/internal/api/oas"
	"casemate/internal/catalog"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

type extras struct {
	ticket  *ticket.Service
	catalog *catalog.Service
}

var errNoSetting = fault.New(fault.Invalid, fault.CodeInvalid, "没有该配置项", "there is no such configuration key").In("config_key")

// ShowConfiguration reads a value of the operator's.
func (h extras) ShowConfiguration(_ context.Context, p oas.ShowConfigurationParams) (*oas.ShowConfigurationResponse, error) {
	value, ok := h.catalog.Now().Setting(p.ConfigKey)
	if !ok {
		return nil, errNoSetting
	}
	return &oas.ShowConfigurationResponse{ConfigKey: oas.NewOptString(p.ConfigKey), ConfigValue: oas.NewOptString(value)}, nil
}

// CreateFeedback files a report of abuse or infringement.
func (h extras) CreateFeedback(ctx context.Context, req *oas.CreateFeedbackV2Req, _ oas.CreateFeedbackParams) (*oas.Ack, error) {
	c := req.Contacts
	in := ticket.NewReport{Kind: req.Type, Title: req.Title, Content: req.Content, Files: req.Files,
		Reporter: ticket.Reporter{Name: c.Name, Mobile: c.Mobile, Mail: c.Mail.Or(""), Company: c.CompanyName.Or(""), Area: c.Area.Or(""),
			Address: c.Address.Or(""), OtherWay: c.OtherWay.Or(""), Identity: int(c.IDType), Files: c.IDFiles}}
	if ip, ok := req.IP.Get(); ok {
		in.Right = &ticket.Right{Kind: ip.IPType.Or(""), Area: ip.IPArea.Or(""), Number: ip.IPNumber.Or(""), Content: ip.IPContent.Or("")}
	}
	if err := h.ticket.FileReport(ctx, principal.From(ctx), in); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}
