package ticket

import (
	"context"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/sla"
)

// Promised is what a ticket of the caller's would be promised if it were made
// now: the rule, and when the first answer would be due in milliseconds UTC, 0
// when none is promised. Failures: OSM.01010001 (no such problem type), .06 (no
// such severity), .02 (no customer).
func (s *Service) Promised(ctx context.Context, who principal.Principal, problem, severity string) (rule *sla.Policy, due int64, err error) {
	if who.Kind != principal.Customer {
		return nil, 0, fault.NoPermission
	}
	c := s.catalog.Now()
	kind, ok := c.ProblemType(problem)
	if !ok {
		return nil, 0, fault.Unknown.In("business_type_id")
	}
	if _, ok := c.Severity(severity); severity != "" && !ok {
		return nil, 0, catalog.ErrSeverity.In("severity_id")
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		d, err := identity.DomainIn(tx, who.Domain)
		if err != nil {
			return err
		}
		rule = c.Promise(d.Plan, severity, kind.ID)
		at, of := rule.Due(rule.Begin(tx.Now))
		if due = 0; of == sla.FirstAnswer {
			due = at
		}
		return nil
	})
	return rule, due, err
}
