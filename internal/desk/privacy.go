package desk

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/privacy"
	"casemate/internal/wire"
)

// privacies are people's data: erasing them, holds, retention, bundles.
type privacies struct {
	privacy *privacy.Service
	now     func() time.Time
}

func person(domain, user, contact oas.OptString) privacy.Target {
	return privacy.Target{Domain: domain.Or(""), User: user.Or(""), Contact: contact.Or("")}
}

func kindCounts(ctx context.Context, all []privacy.Count) []oas.KindCount {
	out := []oas.KindCount{}
	for _, c := range all {
		out = append(out, oas.KindCount{Kind: c.Kind, Name: privacy.KindName(c.Kind, locale.From(ctx).Language), Rows: c.Rows})
	}
	return out
}

func erasure(ctx context.Context, e privacy.Erasure) *oas.Erasure {
	return &oas.Erasure{ID: e.ID, DomainID: text(e.Domain), UserID: text(e.User), Reason: e.Reason, State: oas.ErasureState(e.State), Step: e.Step, Found: kindCounts(ctx, e.Found),
		Erased: kindCounts(ctx, e.Erased), ActorID: text(e.Actor), CreatedAt: at(e.Created), ChangedAt: at(e.Changed), EndedAt: maybeAt(e.Ended)}
}

func (h privacies) hold(x privacy.Hold) oas.Hold {
	out := oas.Hold{ID: x.ID, Kind: oas.HoldKind(x.Kind), DomainID: text(x.Domain), Number: text(x.Number), Reason: x.Reason, Until: maybeAt(x.Until),
		InForce: x.Released == 0 && (x.Until == 0 || x.Until > h.now().UnixMilli()), CreatedAt: at(x.Created), ActorID: text(x.Actor), ReleasedAt: maybeAt(x.Released),
		ReleasedBy: text(x.ReleasedBy), ReleaseReason: text(x.Why)}
	if x.Kind == privacy.HoldPerson && x.Domain != "" {
		out.UserID = text(x.Subject)
	}
	return out
}

// PlanErasure tells what an erasure would destroy.
func (h privacies) PlanErasure(ctx context.Context, req *oas.PersonReq) (*oas.ErasurePlan, error) {
	p, err := h.privacy.Plan(ctx, principal.From(ctx), person(req.DomainID, req.UserID, req.Contact))
	if err != nil {
		return nil, err
	}
	out := &oas.ErasurePlan{Name: text(p.Name), Erased: p.Erased, RunningID: text(p.Running), Counts: kindCounts(ctx, p.Counts), Tickets: append([]string{}, p.Tickets...), TicketsTotal: int64(p.InAll), Holds: []oas.Hold{}}
	for _, x := range p.Holds {
		out.Holds = append(out.Holds, h.hold(x))
	}
	return out, nil
}

// CreateErasure begins one.
func (h privacies) CreateErasure(ctx context.Context, req *oas.NewErasureReq) (*oas.Erasure, error) {
	e, err := h.privacy.Erase(ctx, principal.From(ctx), privacy.NewErasure{Target: person(req.DomainID, req.UserID, req.Contact), Reason: req.Reason})
	if err != nil {
		return nil, err
	}
	return erasure(ctx, e), nil
}

// ListErasures lists them.
func (h privacies) ListErasures(ctx context.Context) (*oas.ErasureList, error) {
	all, err := h.privacy.Erasures(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	list := &oas.ErasureList{Items: []oas.Erasure{}}
	for _, e := range all {
		list.Items = append(list.Items, *erasure(ctx, e))
	}
	return list, nil
}

// ShowErasure shows how far one is.
func (h privacies) ShowErasure(ctx context.Context, params oas.ShowErasureParams) (*oas.Erasure, error) {
	e, err := h.privacy.Erasure(ctx, principal.From(ctx), params.ErasureID)
	if err != nil {
		return nil, err
	}
	return erasure(ctx, e), nil
}

// ListHolds lists legal holds.
func (h privacies) ListHolds(ctx context.Context, params oas.ListHoldsParams) (*oas.HoldList, error) {
	all, err := h.privacy.Holds(ctx, principal.From(ctx), params.All.Or(false))
	if err != nil {
		return nil, err
	}
	list := &oas.HoldList{Items: []oas.Hold{}}
	for _, x := range all {
		list.Items = append(list.Items, h.hold(x))
	}
	return list, nil
}

// CreateHold puts one.
func (h privacies) CreateHold(ctx context.Context, req *oas.NewHoldReq) (*oas.Hold, error) {
	in := privacy.NewHold{Kind: string(req.Kind), Domain: req.DomainID.Or(""), User: req.UserID.Or(""), Contact: req.Contact.Or(""), Number: req.Number.Or(""), Reason: req.Reason}
	if req.Until.Set {
		in.Until = max(time.Time(req.Until.Value).UnixMilli(), 1)
	}
	x, err := h.privacy.PutHold(ctx, principal.From(ctx), in)
	if err != nil {
		return nil, err
	}
	out := h.hold(x)
	return &out, nil
}

// ReleaseHold ends one.
func (h privacies) ReleaseHold(ctx context.Context, req *oas.ReasonReq, params oas.ReleaseHoldParams) (*oas.Hold, error) {
	x, err := h.privacy.ReleaseHold(ctx, principal.From(ctx), params.HoldID, req.Reason)
	if err != nil {
		return nil, err
	}
	out := h.hold(x)
	return &out, nil
}

func retention(r privacy.Retention) oas.RetentionRule {
	return oas.RetentionRule{Kind: oas.RetentionKind(r.Kind), DomainID: text(r.Domain), Days: int32(r.Days), ActorID: text(r.Actor), ChangedAt: at(r.Changed), RanAt: maybeAt(r.Ran), Removed: r.Removed}
}

func wanted(req *oas.RetentionReq) privacy.Retention {
	return privacy.Retention{Kind: string(req.Kind), Domain: req.DomainID.Or(""), Days: int(req.Days)}
}

// ListRetention lists rules.
func (h privacies) ListRetention(ctx context.Context) (*oas.RetentionList, error) {
	all, err := h.privacy.Retentions(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	list := &oas.RetentionList{Items: []oas.RetentionRule{}}
	for _, r := range all {
		list.Items = append(list.Items, retention(r))
	}
	return list, nil
}

// SetRetention sets one.
func (h privacies) SetRetention(ctx context.Context, req *oas.RetentionReq) (*oas.RetentionRule, error) {
	r, err := h.privacy.SetRetention(ctx, principal.From(ctx), wanted(req))
	if err != nil {
		return nil, err
	}
	out := retention(r)
	return &out, nil
}

// DeleteRetention removes one.
func (h privacies) DeleteRetention(ctx context.Context, params oas.DeleteRetentionParams) error {
	return h.privacy.DeleteRetention(ctx, principal.From(ctx), string(params.Kind), params.DomainID.Or(""))
}

// PreviewRetention tells what one would remove now.
func (h privacies) PreviewRetention(ctx context.Context, req *oas.RetentionReq) (*oas.RetentionPreview, error) {
	p, err := h.privacy.PreviewRetention(ctx, principal.From(ctx), wanted(req))
	if err != nil {
		return nil, err
	}
	out := &oas.RetentionPreview{Counts: kindCounts(ctx, p.Counts), Held: p.Held, First: []oas.OldRecord{}}
	for _, o := range p.First {
		out.First = append(out.First, oas.OldRecord{Table: o.Table, DomainID: text(o.Domain), Number: text(o.Number), At: maybeAt(o.At)})
	}
	return out, nil
}

// CreateBundle makes a link to a person's data.
func (h privacies) CreateBundle(ctx context.Context, req *oas.PersonReq) (*oas.Bundle, error) {
	b, err := h.privacy.NewBundle(ctx, principal.From(ctx), person(req.DomainID, req.UserID, req.Contact))
	if err != nil {
		return nil, err
	}
	return &oas.Bundle{ID: b.ID, Path: "/desk/v1/privacy/bundles/" + b.ID, CreatedAt: at(b.Created), ExpiresAt: at(b.Expires)}, nil
}

// DownloadBundle answers the archive.
func (h privacies) DownloadBundle(ctx context.Context, params oas.DownloadBundleParams) (oas.DownloadBundleOK, error) {
	write, err := h.privacy.TakeBundle(ctx, principal.From(ctx), params.BundleID, locale.From(ctx).Language)
	if err != nil {
		return oas.DownloadBundleOK{}, err
	}
	return oas.DownloadBundleOK{Data: bytes.NewReader(nil)}, wire.Hand(ctx, wire.Download{Name: fmt.Sprintf("personal-data-%s.zip", params.BundleID), Media: "application/zip",
		Stream: func(w io.Writer) error { return write(w) }})
}
