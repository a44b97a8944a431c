package webapi

import (
	"context"
	"time"

	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
	"casemate/internal/webapi/oas"
)

// audits are the customer's own view of his domain's history.
type audits struct{ tickets *ticket.Service }

var actorTypes = map[principal.Kind]oas.AuditEntryActorType{principal.Customer: oas.AuditEntryActorTypeUser, principal.Engineer: oas.AuditEntryActorTypeEngineer,
	principal.System: oas.AuditEntryActorTypeSystem}

// ListAudit tells what happened in the caller's domain, newest first.
func (h audits) ListAudit(ctx context.Context, p oas.ListAuditParams) (*oas.AuditPage, error) {
	f := ticket.AuditFilter{From: instant(p.From), To: instant(p.To), Names: p.TraceName, User: p.UserID.Or(""), Resource: p.ResourceType.Or(""),
		ResourceID: p.ResourceID.Or(""), Cursor: p.Cursor.Or(""), Limit: int(p.Limit.Or(0))}
	all, next, err := h.tickets.Audit(ctx, principal.From(ctx), locale.From(ctx).Language, f)
	if err != nil {
		return nil, err
	}
	out := &oas.AuditPage{Items: []oas.AuditEntry{}, NextCursor: text(next)}
	for _, a := range all {
		e := oas.AuditEntry{TraceID: a.ID, TraceName: a.Name, TraceTitle: a.Title, Time: time.UnixMilli(a.At).UTC(), ResourceType: a.Resource,
			ResourceID: a.ResourceID, ResourceName: text(a.ResourceName), ActorType: actorTypes[a.Kind], UserID: text(a.Actor), UserName: text(a.ActorName), SourceIP: text(a.Address), RequestID: text(a.Request), Reason: text(a.Reason)}
		if a.Unproved {
			e.Unproved = oas.NewOptBool(true)
		}
		out.Items = append(out.Items, e)
	}
	return out, nil
}

// instant is an optional time in milliseconds UTC, 0 when there is none.
func instant(t oas.OptDateTime) int64 {
	if !t.Set {
		return 0
	}
	return max(t.Value.UnixMilli(), 1)
}

// text is an optional text: absent when empty.
func text(s string) oas.OptString {
	if s == "" {
		return oas.OptString{}
	}
	return oas.NewOptString(s)
}
