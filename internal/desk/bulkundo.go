package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/locale"
)

// UndoBulkRun takes back what a run did.
func (h automation) UndoBulkRun(ctx context.Context, req oas.OptBulkUndoReq, params oas.UndoBulkRunParams) (*oas.BulkUndo, error) {
	who, err := h.steps.engineer(ctx, req.Value.As.Or(""))
	if err != nil {
		return nil, err
	}
	b, err := h.queue.UndoBulk(ctx, who, params.BulkID)
	if err != nil {
		return nil, err
	}
	out := &oas.BulkUndo{ID: b.ID, Undone: int32(b.Undone), Refused: int32(b.Refused), Items: []oas.BulkUndoItem{}}
	for _, i := range b.Items {
		item := oas.BulkUndoItem{Number: i.Number, Ok: i.OK(), Outcomes: []oas.BulkUndoOutcome{}}
		for _, o := range i.Outcomes {
			one := oas.BulkUndoOutcome{Do: o.Do, Revision: o.Revision, Undone: o.Refusal == nil}
			number(&one.Version, o.Version)
			if f := o.Refusal; f != nil {
				one.Refusal = refusalOut(ctx, f.Code, locale.Texts{ZH: locale.Text(locale.ZH, f), EN: locale.Text(locale.EN, f)})
			}
			item.Outcomes = append(item.Outcomes, one)
		}
		out.Items = append(out.Items, item)
	}
	return out, nil
}
