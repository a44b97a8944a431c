package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

type savedViews struct{ of queues }

func view(ctx context.Context, v queue.View) *oas.View {
	out := &oas.View{ID: v.ID, Version: v.Version, Name: v.Name.In(locale.From(ctx).Language), NameZh: text(v.Name.ZH), NameEn: text(v.Name.EN), Place: int32(v.Place),
		OwnerID: v.Owner, OwnerName: text(v.OwnerName), Shared: oas.ViewSharing(v.Shared), TeamID: text(v.Team), Filter: rowFilter(v.Filter), Columns: []oas.ViewColumn{},
		Sort: oas.RowSort(v.Sort), Editable: v.Mine, CreatedAt: at(v.Created), UpdatedAt: at(v.Changed)}
	tally(v.Tally, &out.Count, &out.CountCapped)
	for _, c := range v.Columns {
		out.Columns = append(out.Columns, oas.ViewColumn(c))
	}
	return out
}

func readView(id string, req *oas.ViewReq) queue.View {
	v := queue.View{ID: id, Name: texts(req.NameZh, req.NameEn), Place: int(req.Place.Or(0)), Shared: queue.Sharing(req.Shared.Or("")), Team: req.TeamID.Or(""),
		Filter: readFilter(req.Filter), Sort: ticket.Sort(req.Sort.Or("")), Version: req.Version.Or(0)}
	for _, c := range req.Columns {
		v.Columns = append(v.Columns, string(c))
	}
	return v
}

// ListViews lists the views the caller has.
func (h savedViews) ListViews(ctx context.Context, params oas.ListViewsParams) (*oas.ViewList, error) {
	who, err := h.of.maybeAs(ctx, params.As)
	if err != nil {
		return nil, err
	}
	all, err := h.of.queue.Views(ctx, who)
	if err != nil {
		return nil, err
	}
	list := &oas.ViewList{Items: []oas.View{}}
	for _, v := range all {
		list.Items = append(list.Items, *view(ctx, v))
	}
	return list, nil
}

// ShowView shows a view.
func (h savedViews) ShowView(ctx context.Context, params oas.ShowViewParams) (*oas.View, error) {
	who, err := h.of.maybeAs(ctx, params.As)
	if err != nil {
		return nil, err
	}
	v, err := h.of.queue.View(ctx, who, params.ViewID)
	if err != nil {
		return nil, err
	}
	return view(ctx, v), nil
}

// CreateView saves a view.
func (h savedViews) CreateView(ctx context.Context, req *oas.ViewReq, params oas.CreateViewParams) (*oas.View, error) {
	who, err := h.of.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	v, err := h.of.queue.CreateView(ctx, who, readView("", req))
	if err != nil {
		return nil, err
	}
	return view(ctx, v), nil
}

// ChangeView replaces a view.
func (h savedViews) ChangeView(ctx context.Context, req *oas.ViewReq, params oas.ChangeViewParams) (*oas.View, error) {
	who, err := h.of.maybeAs(ctx, params.As)
	if err != nil {
		return nil, err
	}
	v, err := h.of.queue.ChangeView(ctx, who, readView(params.ViewID, req))
	if err != nil {
		return nil, err
	}
	return view(ctx, v), nil
}

// DeleteView removes a view.
func (h savedViews) DeleteView(ctx context.Context, params oas.DeleteViewParams) error {
	who, err := h.of.maybeAs(ctx, params.As)
	if err != nil {
		return err
	}
	return h.of.queue.DeleteView(ctx, who, params.ViewID, params.Version.Or(0))
}

// ListViewTickets lists the tickets of a view.
func (h savedViews) ListViewTickets(ctx context.Context, params oas.ListViewTicketsParams) (*oas.TicketPage, error) {
	who, err := h.of.maybeAs(ctx, params.As)
	if err != nil {
		return nil, err
	}
	p, err := h.of.queue.ViewTickets(ctx, who, params.ViewID, look(params.Sort, params.Cursor, params.Limit))
	if err != nil {
		return nil, err
	}
	return h.of.page(ctx, p), nil
}
