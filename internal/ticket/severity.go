package ticket

import (
	"context"
	"slices"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// StepSeverity gives a ticket another severity.
const StepSeverity = "severity"

var actSeverity = locale.Texts{ZH: "修改级别", EN: "given another severity"}

// fitSeverity judges a severity for a ticket: it must be one of the catalogue
// (OSM.01010006) that the support plan gives for the problem type
// (OSM.01010009), as when the ticket was made (semantics.md section 4), and the
// ticket open (OSM.01010002). The plan is the ticket's: its clocks run by it.
func (s *Service) fitSeverity(t Ticket, severity string) error {
	c := s.catalog.Now()
	if _, ok := c.Severity(severity); !ok {
		return catalog.ErrSeverity.In("severity")
	}
	if !t.Status.Open() {
		return errState(actSeverity, t.Status)
	}
	kind, ok := c.ProblemType(t.ProblemType)
	if !ok || !slices.ContainsFunc(c.SeveritiesOf(t.Plan, kind), func(o catalog.Severity) bool { return o.ID == severity }) {
		return catalog.ErrBenefit.In("severity")
	}
	if t.Severity == severity {
		return ErrUnchanged
	}
	return nil
}

// severityStep gives a ticket another severity. Both rows of the ticket are
// written with the event.
func (s *Service) severityStep(ctx context.Context, who principal.Principal, p Step) (Ticket, error) {
	return s.mark(ctx, who, p, func(tx *db.Tx, before Ticket) (map[string]any, error) {
		if err := s.fitSeverity(before, p.Severity); err != nil {
			return nil, err
		}
		tx.Write(1, "UPDATE tickets SET severity = ? WHERE domain_id = ? AND id = ?", p.Severity, before.Domain, before.ID)
		tx.Write(db.Any, "UPDATE desk_tickets SET severity = ? WHERE ticket_id = ?", p.Severity, before.ID)
		return map[string]any{"severity_from": before.Severity, "severity_to": p.Severity}, nil
	})
}
