package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// ListProviders lists providers with their health.
func (h deliveries) ListProviders(ctx context.Context) (*oas.ProviderList, error) {
	all, err := h.notify.Providers(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	list := &oas.ProviderList{Items: []oas.Provider{}}
	for _, p := range all {
		list.Items = append(list.Items, oas.Provider{Name: p.Name, Channel: oas.Channel(p.Way), Order: int32(p.Place.Order), Weight: int32(p.Place.Weight), Drained: p.Drained,
			RestingUntil: maybeAt(p.Resting), Failures: int32(p.Failures), LastError: text(p.LastError), FailedAt: maybeAt(p.FailedAt), TookAt: maybeAt(p.TookAt)})
	}
	return list, nil
}

// DrainProvider takes a provider out.
func (h deliveries) DrainProvider(ctx context.Context, params oas.DrainProviderParams) error {
	return h.notify.Drain(ctx, principal.From(ctx), params.Name, true)
}

// UndrainProvider takes it back.
func (h deliveries) UndrainProvider(ctx context.Context, params oas.UndrainProviderParams) error {
	return h.notify.Drain(ctx, principal.From(ctx), params.Name, false)
}

// TestProvider sends a test message through a provider.
func (h deliveries) TestProvider(ctx context.Context, req *oas.TestProviderReq, params oas.TestProviderParams) (*oas.ProviderTest, error) {
	t, err := h.notify.Try(ctx, principal.From(ctx), params.Name, req.To, locale.From(ctx).Language)
	if err != nil {
		return nil, err
	}
	return &oas.ProviderTest{Ok: t.OK, ProviderID: text(t.ProviderID), Detail: text(t.Detail), TookMs: t.Took.Milliseconds()}, nil
}
