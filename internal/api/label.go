package api

import (
	"context"
	"errors"
	"math"
	"strconv"

	"casemate/internal/api/oas"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// labels is the group Label Management.
type labels struct{ ticket *ticket.Service }

// CreateLabels makes a label of the caller's.
func (h labels) CreateLabels(ctx context.Context, req *oas.CreateLabelsReq, _ oas.CreateLabelsParams) (*oas.Ack, error) {
	if _, err := h.ticket.CreateLabel(ctx, principal.From(ctx), req.Name, req.Color); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// DeleteLabels deletes a label, also from the tickets it is on.
func (h labels) DeleteLabels(ctx context.Context, p oas.DeleteLabelsParams) (*oas.Ack, error) {
	if err := h.ticket.DeleteLabel(ctx, principal.From(ctx), int64(p.LabelID)); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// UpdateLabels renames and recolours a label.
func (h labels) UpdateLabels(ctx context.Context, req *oas.UpdateLabelsReq, p oas.UpdateLabelsParams) (*oas.Ack, error) {
	if err := h.ticket.UpdateLabel(ctx, principal.From(ctx), int64(p.LabelID), req.Name, req.Color); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// ListLabels lists the caller's labels, newest first.
func (h labels) ListLabels(ctx context.Context, p oas.ListLabelsParams) (*oas.ListLabelsResponse, error) {
	id, asked := p.LabelID.Get()
	if asked && id == 0 {
		id = -1 // no label has the number 0, and 0 does not filter behind here
	}
	page, total, err := h.ticket.Labels(ctx, principal.From(ctx), p.Name.Or(""), int64(id), int(p.Offset.Or(0)), int(p.Limit.Or(0)))
	if err != nil {
		return nil, err
	}
	return &oas.ListLabelsResponse{TotalCount: int32(total), LabelList: caseLabels(page)}, nil
}

func caseLabels(all []ticket.Label) []oas.CaseLabelInfo {
	out := make([]oas.CaseLabelInfo, 0, len(all))
	for _, l := range all {
		out = append(out, oas.CaseLabelInfo{LabelID: oas.NewOptInt32(int32(l.ID)), Name: oas.NewOptString(l.Name), Color: oas.NewOptString(l.Color)})
	}
	return out
}

// CreateCaseLabels puts labels on a ticket. They travel in the query of a POST
// without a body.
func (h labels) CreateCaseLabels(ctx context.Context, p oas.CreateCaseLabelsParams) (*oas.Ack, error) {
	ids, err := labelIDs("label_ids", p.LabelIds)
	if err != nil {
		return nil, err
	}
	if err := h.ticket.AddLabels(ctx, principal.From(ctx), p.CaseID, ids); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// DeleteCaseLabels takes labels off a ticket.
func (h labels) DeleteCaseLabels(ctx context.Context, p oas.DeleteCaseLabelsParams) (*oas.Ack, error) {
	ids, err := labelIDs("label_ids", p.LabelIds)
	if err != nil {
		return nil, err
	}
	if err := h.ticket.RemoveLabels(ctx, principal.From(ctx), p.CaseID, ids); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// ListCaseLabels lists the caller's labels on a ticket.
func (h labels) ListCaseLabels(ctx context.Context, p oas.ListCaseLabelsParams) (*oas.ListCaseLabelsResponse, error) {
	all, err := h.ticket.TicketLabels(ctx, principal.From(ctx), p.CaseID)
	if err != nil {
		return nil, err
	}
	return &oas.ListCaseLabelsResponse{CaseLabelList: caseLabels(all)}, nil
}

// labelIDs reads the numbers of labels; a list may hold blanks between commas.
func labelIDs(field string, texts []string) (ids []int64, err error) {
	for _, text := range texts {
		if text == "" {
			continue
		}
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, fault.BadFormat.In(field).With("form", "1,2,3")
		}
		if err != nil || id > math.MaxInt32 || id < 0 {
			id = -1 // no label has such a number
		}
		ids = append(ids, id)
	}
	return ids, nil
}
