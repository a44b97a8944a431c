package desk

import (
	"context"
	"strconv"
	"time"

	"casemate/internal/desk/oas"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/verify"
)

type codes struct {
	verify   *verify.Service
	identity *identity.Service
}

// ShowCodeTraffic is the live view of text messages with codes.
func (h codes) ShowCodeTraffic(ctx context.Context, params oas.ShowCodeTrafficParams) (*oas.CodeTraffic, error) {
	by := verify.By(params.By.Or(oas.ShowCodeTrafficByCountry))
	lines, err := h.verify.Traffic(ctx, principal.From(ctx), by, int(params.Hours.Or(24)))
	if err != nil {
		return nil, err
	}
	out := &oas.CodeTraffic{Items: []oas.CodeTrafficLine{}}
	for _, l := range lines {
		line := oas.CodeTrafficLine{Key: l.Key, Sent: l.Sent, Delivered: l.Delivered, Entered: l.Entered, Blocked: l.Blocked, Cost: float64(l.Cost) / 1000, Reasons: l.Reasons}
		switch by {
		case verify.ByDomain:
			if d, err := h.identity.Current(ctx, l.Key); err == nil {
				line.Name = text(d.Name)
			}
		case verify.ByHour:
			ms, err := strconv.ParseInt(l.Key, 10, 64)
			if err != nil {
				return nil, err
			}
			line.Key = time.UnixMilli(ms).UTC().Format(time.RFC3339)
		}
		out.Items = append(out.Items, line)
	}
	return out, nil
}

// ListCodeBreakers lists what has tripped.
func (h codes) ListCodeBreakers(ctx context.Context) (*oas.CodeBreakerList, error) {
	all, err := h.verify.Breakers(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	list := &oas.CodeBreakerList{Items: []oas.CodeBreaker{}}
	for _, b := range all {
		list.Items = append(list.Items, oas.CodeBreaker{Subject: b.Subject, State: oas.CodeBreakerState(b.State), Reason: text(b.Reason), Trips: int32(b.Trips), Since: at(b.Since), Until: maybeAt(b.Until)})
	}
	return list, nil
}

// ReopenCodeBreaker lets text messages through again.
func (h codes) ReopenCodeBreaker(ctx context.Context, params oas.ReopenCodeBreakerParams) error {
	return h.verify.Reopen(ctx, principal.From(ctx), params.Subject)
}
