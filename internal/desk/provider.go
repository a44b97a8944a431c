package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// provider is one on the wire. Its settings are the same JSON on both sides.
func provider(h notify.Health) (oas.Provider, error) {
	out := oas.Provider{Name: h.Name, Channel: oas.Channel(h.Way), Kind: oas.ProviderKind(h.Kind), Source: oas.ProviderSource(h.Source), Enabled: !h.Off,
		Order: int32(h.Order), Weight: int32(max(h.Weight, 1)), Drained: h.Drained, RestingUntil: maybeAt(h.Resting), Failures: int32(h.Failures), LastError: text(h.LastError),
		FailedAt: maybeAt(h.FailedAt), TookAt: maybeAt(h.TookAt), Secrets: append([]string{}, h.Secrets...), ChangedAt: maybeAt(h.Changed), ChangedBy: text(h.Actor)}
	if h.Version > 0 {
		out.Version = oas.NewOptInt64(h.Version)
	}
	var err error
	switch {
	case h.SMTP != nil:
		out.SMTP.Set = true
		err = recast(h.SMTP, &out.SMTP.Value)
	case h.SMPP != nil:
		out.Smpp.Set = true
		err = recast(h.SMPP, &out.Smpp.Value)
	case h.HTTP != nil:
		out.HTTP.Set = true
		err = recast(h.HTTP, &out.HTTP.Value)
	}
	return out, err
}

func shownProvider(h notify.Health, err error) (*oas.Provider, error) {
	if err != nil {
		return nil, err
	}
	out, err := provider(h)
	return &out, err
}

// specOf is a request's provider.
func specOf(spec notify.Spec, smtp oas.OptSMTPSettings, smpp oas.OptSMPPSettings, http oas.OptHTTPSMSSettings) (notify.Spec, error) {
	if v, ok := smtp.Get(); ok {
		spec.SMTP = new(notify.SMTPSettings)
		if err := recast(&v, spec.SMTP); err != nil {
			return spec, err
		}
	}
	if v, ok := smpp.Get(); ok {
		spec.SMPP = new(notify.SMPPSettings)
		if err := recast(&v, spec.SMPP); err != nil {
			return spec, err
		}
	}
	if v, ok := http.Get(); ok {
		spec.HTTP = new(notify.HTTPSettings)
		if err := recast(&v, spec.HTTP); err != nil {
			return spec, err
		}
	}
	return spec, nil
}

// secretsOf are the secrets a request names.
func secretsOf(in oas.OptProviderSecrets) map[string]string {
	out := map[string]string{}
	for name, v := range map[string]oas.OptString{notify.SecretPassword: in.Value.Password, notify.SecretDKIM: in.Value.DkimKey, notify.SecretToken: in.Value.Secret, notify.SecretReceipt: in.Value.ReceiptSecret} {
		if plain, ok := v.Get(); ok {
			out[name] = plain
		}
	}
	return out
}

// ListProviders lists providers with their health.
func (h deliveries) ListProviders(ctx context.Context) (*oas.ProviderList, error) {
	all, err := h.notify.Providers(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	list := &oas.ProviderList{Items: []oas.Provider{}}
	for _, p := range all {
		item, err := provider(p)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, item)
	}
	return list, nil
}

// ShowProvider shows one.
func (h deliveries) ShowProvider(ctx context.Context, params oas.ShowProviderParams) (*oas.Provider, error) {
	return shownProvider(h.notify.Provider(ctx, principal.From(ctx), params.Name))
}

// CreateProvider sets one up.
func (h deliveries) CreateProvider(ctx context.Context, req *oas.CreateProviderReq) (*oas.Provider, error) {
	in, err := specOf(notify.Spec{Name: req.Name, Kind: string(req.Kind), Off: !req.Enabled.Or(true), Place: notify.Place{Order: int(req.Order.Or(100)), Weight: int(req.Weight.Or(1))}}, req.SMTP, req.Smpp, req.HTTP)
	if err != nil {
		return nil, err
	}
	return shownProvider(h.notify.CreateProvider(ctx, principal.From(ctx), in, secretsOf(req.Secrets)))
}

// ChangeProvider changes one.
func (h deliveries) ChangeProvider(ctx context.Context, req *oas.ChangeProviderReq, params oas.ChangeProviderParams) (*oas.Provider, error) {
	in, err := specOf(notify.Spec{Name: params.Name, Kind: string(req.Kind), Off: !req.Enabled.Or(true), Place: notify.Place{Order: int(req.Order.Or(100)), Weight: int(req.Weight.Or(1))}}, req.SMTP, req.Smpp, req.HTTP)
	if err != nil {
		return nil, err
	}
	return shownProvider(h.notify.SetProvider(ctx, principal.From(ctx), in, secretsOf(req.Secrets), req.Version))
}

// DeleteProvider removes one.
func (h deliveries) DeleteProvider(ctx context.Context, params oas.DeleteProviderParams) error {
	return h.notify.DeleteProvider(ctx, principal.From(ctx), params.Name, params.Version.Or(0))
}

// EnableProvider switches one on.
func (h deliveries) EnableProvider(ctx context.Context, params oas.EnableProviderParams) (*oas.Provider, error) {
	return shownProvider(h.notify.EnableProvider(ctx, principal.From(ctx), params.Name, true))
}

// DisableProvider switches one off.
func (h deliveries) DisableProvider(ctx context.Context, params oas.DisableProviderParams) (*oas.Provider, error) {
	return shownProvider(h.notify.EnableProvider(ctx, principal.From(ctx), params.Name, false))
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
	out := &oas.ProviderTest{Ok: t.OK, ProviderID: text(t.ProviderID), Detail: text(t.Detail), TookMs: t.Took.Milliseconds(), Transcript: []oas.TranscriptLine{}}
	for _, l := range t.Transcript {
		out.Transcript = append(out.Transcript, oas.TranscriptLine{AtMs: l.At, From: oas.TranscriptLineFrom(l.From), Text: l.Text})
	}
	return out, nil
}
