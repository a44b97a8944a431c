package webapi

import (
	"context"

	"casemate/internal/catalog"
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
	lang := locale.From(ctx).Language
	return &oas.Promise{FirstAnswerAt: maybeAt(due), FirstAnswerMs: maybeMs(rule.First), Plan: text(rule.Plan), PlanName: text(h.catalog.Now().Name(catalog.KindPlan, rule.Plan, lang)), CalendarName: text(rule.Calendar.Name.In(lang))}, nil
}
