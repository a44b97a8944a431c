package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

type deliveries struct{ notify *notify.Service }

// ListOutbox lists what the catcher holds.
func (h deliveries) ListOutbox(ctx context.Context, params oas.ListOutboxParams) (*oas.OutboxList, error) {
	all, err := h.notify.Caught(ctx, principal.From(ctx), notify.CaughtFilter{To: params.To.Or(""), Domain: params.Domain.Or(""), Limit: int(params.Limit.Or(0))})
	if err != nil {
		return nil, err
	}
	list := &oas.OutboxList{Items: []oas.OutboxItem{}}
	for _, m := range all {
		list.Items = append(list.Items, oas.OutboxItem{ID: m.ID, Channel: oas.Channel(m.Way), To: m.To, Subject: text(m.Subject), Text: m.Text, Kind: m.Template, CreatedAt: at(m.At)})
	}
	return list, nil
}

// ShowOutboxCode is the last code sent to a contact.
func (h deliveries) ShowOutboxCode(ctx context.Context, params oas.ShowOutboxCodeParams) (*oas.OutboxCode, error) {
	m, err := h.notify.LastCode(ctx, principal.From(ctx), params.To)
	if err != nil {
		return nil, err
	}
	return &oas.OutboxCode{Code: m.Code, CreatedAt: maybeAt(m.At)}, nil
}

// ListDeliveries reads the ledger.
func (h deliveries) ListDeliveries(ctx context.Context, params oas.ListDeliveriesParams) (*oas.DeliveryPage, error) {
	f := notify.DeliveryFilter{To: params.To.Or(""), Domain: params.Domain.Or(""), Ref: params.Reference.Or(""), Before: params.Cursor.Or(""), Limit: int(params.Limit.Or(0)),
		Way: notify.Way(params.Channel.Or("")), Kind: params.Kind.Or(""), Provider: params.Provider.Or("")}
	if s, ok := params.State.Get(); ok {
		f.States = []string{string(s)}
	}
	all, more, err := h.notify.Deliveries(ctx, principal.From(ctx), f)
	if err != nil {
		return nil, err
	}
	page := &oas.DeliveryPage{Items: []oas.Delivery{}}
	for _, d := range all {
		item := oas.Delivery{ID: d.ID, DomainID: text(d.Domain), Channel: oas.Channel(d.Way), To: d.To, Kind: d.Template, Reference: text(d.Ref),
			State: oas.DeliveryState(d.State), Tries: int32(d.Tries), Detail: text(d.Cause), CreatedAt: at(d.Created), ChangedAt: maybeAt(d.Changed),
			Cost: oas.NewOptInt64(d.Cost), NextTryAt: maybeAt(d.Next), NotBefore: maybeAt(d.NotBefore)}
		for _, a := range d.Attempts {
			one := oas.DeliveryAttempt{Provider: a.Provider, ProviderID: text(a.ProviderID), Outcome: oas.DeliveryAttemptOutcome(a.Outcome), Detail: text(a.Detail),
				Parts: int32(a.Parts), Cost: a.Cost, BeganAt: at(a.Began), EndedAt: maybeAt(a.Ended), ReceiptAt: maybeAt(a.ReceiptAt)}
			if a.Receipt != "" {
				one.Receipt = oas.NewOptDeliveryAttemptReceipt(oas.DeliveryAttemptReceipt(a.Receipt))
			}
			item.Attempts = append(item.Attempts, one)
		}
		page.Items = append(page.Items, item)
	}
	if more && len(all) > 0 {
		page.NextCursor = text(all[len(all)-1].ID)
	}
	return page, nil
}
