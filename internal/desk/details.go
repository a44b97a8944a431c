package desk

import (
	"context"

	"casemate/internal/catalog"
	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// ticketDetails are a ticket's contact and additional parameters.
type ticketDetails struct {
	tickets *ticket.Service
	catalog *catalog.Service
}

// ShowTicketDetails shows them masked.
func (h ticketDetails) ShowTicketDetails(ctx context.Context, params oas.ShowTicketDetailsParams) (*oas.TicketDetails, error) {
	d, err := h.tickets.DeskDetails(ctx, principal.From(ctx), params.Number)
	if err != nil {
		return nil, err
	}
	return h.details(ctx, params.Number, d, true), nil
}

// RevealTicketDetails shows them in clear, and is recorded.
func (h ticketDetails) RevealTicketDetails(ctx context.Context, req *oas.RevealReq, params oas.RevealTicketDetailsParams) (*oas.TicketDetails, error) {
	d, err := h.tickets.Reveal(ctx, principal.From(ctx), params.Number, req.Reason)
	if err != nil {
		return nil, err
	}
	return h.details(ctx, params.Number, d, false), nil
}

func (h ticketDetails) details(ctx context.Context, number string, d ticket.Details, masked bool) *oas.TicketDetails {
	lang, cat, c := locale.From(ctx).Language, h.catalog.Now(), d.Contact
	out := &oas.TicketDetails{Number: number, Mobile: text(c.E164), Mail: text(c.Mail), CopyAddresses: append([]string{}, c.Copies...),
		RemindTime: text(d.Time), TimeZone: text(d.Zone), ContactType: text(c.Kind), ReceiveReminders: text(c.Receive), EncryptedCopy: text(c.Encrypted),
		Params: []oas.TicketParam{}}
	for _, v := range d.Values {
		p := oas.TicketParam{Key: v.Key, Name: v.Key, Value: v.Text, Shown: v.Text, Sensitive: v.Sensitive, MessageID: text(v.Message), ChangedAt: at(v.Changed)}
		if known, ok := cat.EverParam(v.Key); ok {
			p.Name, p.Kind = known.Name.In(lang), text(string(known.Kind))
			if !masked || !v.Sensitive {
				p.Shown = known.Show(v.Text, lang)
			}
		}
		out.Params = append(out.Params, p)
	}
	return out
}
