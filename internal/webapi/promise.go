package webapi

import (
	"context"

	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/webapi/oas"
)

// ShowPromise shows what a ticket would be promised if it were submitted now.
func (h serviceLevels) ShowPromise(ctx context.Context, p oas.ShowPromiseParams) (*oas.Promise, error) {
	rule, due, err := h.tickets.Promised(ctx, principal.From(ctx), p.BusinessTypeID, p.SeverityID.Or(""))
	if err != nil {
		return nil, err
	}
	return &oas.Promise{FirstAnswerAt: maybeAt(due), FirstAnswerMs: maybeMs(rule.First), Plan: text(rule.Plan), CalendarName: text(rule.Calendar.Name.In(locale.From(ctx).Language))}, nil
}
