package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/principal"
	"casemate/internal/webhook"
)

type webhooks struct{ webhooks *webhook.Service }

func hook(h webhook.Hook, secret string) *oas.Webhook {
	out := oas.Webhook{ID: h.ID, URL: h.URL, About: text(h.About), DomainID: text(h.Domain), Kinds: append([]string{}, h.Kinds...), Enabled: !h.Off, Cause: text(h.Cause),
		Passed: h.Passed, Tries: int32(h.Tries), FailingSince: maybeAt(h.FailingSince), OldSecretUntil: maybeAt(h.OldUntil), CreatedAt: at(h.Created), Secret: text(secret)}
	if !h.Off {
		out.NextTryAt = maybeAt(h.NextAt)
	}
	return &out
}

// ListWebhooks lists receivers.
func (h webhooks) ListWebhooks(ctx context.Context) (*oas.WebhookList, error) {
	all, err := h.webhooks.List(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	list := &oas.WebhookList{Items: []oas.Webhook{}}
	for _, w := range all {
		list.Items = append(list.Items, *hook(w, ""))
	}
	return list, nil
}

// CreateWebhook adds a receiver; its secret is in this answer only.
func (h webhooks) CreateWebhook(ctx context.Context, req *oas.NewWebhookReq) (*oas.Webhook, error) {
	w, secret, err := h.webhooks.Create(ctx, principal.From(ctx), webhook.NewHook{URL: req.URL, About: req.About.Or(""), Domain: req.DomainID.Or(""), Kinds: req.Kinds, After: req.After.Or(-1)})
	if err != nil {
		return nil, err
	}
	return hook(w, secret), nil
}

// ShowWebhook shows a receiver.
func (h webhooks) ShowWebhook(ctx context.Context, params oas.ShowWebhookParams) (*oas.Webhook, error) {
	w, err := h.webhooks.Show(ctx, principal.From(ctx), params.WebhookID)
	if err != nil {
		return nil, err
	}
	return hook(w, ""), nil
}

// UpdateWebhook changes what is given.
func (h webhooks) UpdateWebhook(ctx context.Context, req *oas.UpdateWebhookReq, params oas.UpdateWebhookParams) (*oas.Webhook, error) {
	var c webhook.Change
	if v, ok := req.URL.Get(); ok {
		c.URL = &v
	}
	if v, ok := req.About.Get(); ok {
		c.About = &v
	}
	if req.Kinds != nil {
		c.Kinds = &req.Kinds
	}
	if v, ok := req.Enabled.Get(); ok {
		off := !v
		c.Off = &off
	}
	w, err := h.webhooks.Update(ctx, principal.From(ctx), params.WebhookID, c)
	if err != nil {
		return nil, err
	}
	return hook(w, ""), nil
}

// DeleteWebhook removes a receiver.
func (h webhooks) DeleteWebhook(ctx context.Context, params oas.DeleteWebhookParams) error {
	return h.webhooks.Delete(ctx, principal.From(ctx), params.WebhookID)
}

// RotateWebhookSecret makes a new secret.
func (h webhooks) RotateWebhookSecret(ctx context.Context, params oas.RotateWebhookSecretParams) (*oas.Webhook, error) {
	w, secret, err := h.webhooks.Rotate(ctx, principal.From(ctx), params.WebhookID)
	if err != nil {
		return nil, err
	}
	return hook(w, secret), nil
}

// ReplayWebhook goes on behind a number.
func (h webhooks) ReplayWebhook(ctx context.Context, req *oas.ReplayWebhookReq, params oas.ReplayWebhookParams) (*oas.Webhook, error) {
	w, err := h.webhooks.Replay(ctx, principal.From(ctx), params.WebhookID, req.After)
	if err != nil {
		return nil, err
	}
	return hook(w, ""), nil
}

func delivered(d webhook.Delivery) oas.WebhookDelivery {
	out := oas.WebhookDelivery{ID: text(d.ID), DeliveryID: d.Delivery, Kind: d.Kind, Ok: d.OK, Status: int32(d.Status), TookMs: d.Took, Request: d.Request, Answer: d.Answer, At: at(d.At)}
	if d.Seq > 0 {
		out.Seq = oas.NewOptInt64(d.Seq)
	}
	return out
}

// TestWebhook sends a made-up event now.
func (h webhooks) TestWebhook(ctx context.Context, params oas.TestWebhookParams) (*oas.WebhookDelivery, error) {
	d, err := h.webhooks.Test(ctx, principal.From(ctx), params.WebhookID)
	if err != nil {
		return nil, err
	}
	out := delivered(d)
	return &out, nil
}

// ListWebhookDeliveries is the log.
func (h webhooks) ListWebhookDeliveries(ctx context.Context, params oas.ListWebhookDeliveriesParams) (*oas.WebhookDeliveryList, error) {
	all, err := h.webhooks.Deliveries(ctx, principal.From(ctx), params.WebhookID, params.Before.Or(""), int(params.Limit.Or(0)))
	if err != nil {
		return nil, err
	}
	list := &oas.WebhookDeliveryList{Items: []oas.WebhookDelivery{}}
	for _, d := range all {
		list.Items = append(list.Items, delivered(d))
	}
	return list, nil
}
