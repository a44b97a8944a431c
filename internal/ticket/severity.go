package ticket

import (
	"context"
	"encoding/json"
	"slices"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/sla"
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
// written with the event. Its clocks go by what the catalogue in force promises
// for the new severity (turned).
func (s *Service) severityStep(ctx context.Context, who principal.Principal, p Step) (Ticket, error) {
	return s.mark(ctx, who, p, func(tx *db.Tx, before Ticket) (t Ticket, w was, data map[string]any, err error) {
		t = before
		if err := s.fitSeverity(before, p.Severity); err != nil {
			return t, w, nil, err
		}
		t.Severity = p.Severity
		data = map[string]any{"severity_from": before.Severity, "severity_to": t.Severity}
		if before.pace.Rule != "" {
			rows, err := courseOf(tx, t.Domain, t.ID)
			if err != nil {
				return t, w, nil, err
			}
			t.turned = &turned{policy: s.catalog.Now().Promise(t.Plan, t.Severity, t.ProblemType), history: history(rows)}
			data["rule_from"], data["rule_to"] = before.pace.Rule, t.turned.policy.ID()
			s.storeRule(tx, t.turned.policy)
		}
		writeSeverity(tx, t)
		return t, w, data, nil
	})
}

// writeSeverity writes a ticket's severity into both of its rows.
func writeSeverity(tx *db.Tx, t Ticket) {
	tx.Write(1, "UPDATE tickets SET severity = ? WHERE domain_id = ? AND id = ?", t.Severity, t.Domain, t.ID)
	tx.Write(db.Any, "UPDATE desk_tickets SET severity = ? WHERE ticket_id = ?", t.Severity, t.ID)
}

// turned is another rule that a ticket's clocks go by from now on, and what has
// happened to the ticket before: the clocks that are open are counted anew from
// their beginning, by the new rule's hours and against its targets. Clocks that
// have stopped keep the rule under which they did: what was promised then was
// kept or broken then, whatever the ticket becomes.
type turned struct {
	policy  *sla.Policy
	history []sla.Moment
}

// turnBack is the rule that an undone severity had. Of a ticket that had none
// then, because it is older than the clocks, the catalogue in force has it.
func (s *Service) turnBack(tx *db.Tx, t Ticket, rule string, rows []event.Row) (*turned, error) {
	if t.pace.Rule == "" {
		return nil, nil
	}
	out := &turned{policy: s.catalog.Now().Promise(t.Plan, t.Severity, t.ProblemType), history: history(rows)}
	if rule != "" {
		var err error
		out.policy, err = ruleIn(tx, rule)
		return out, err
	}
	s.storeRule(tx, out.policy)
	return out, nil
}

// reigns are the rules that a ticket's clocks went by, one after another, as its
// events tell; last is the one in force.
func reigns(tx *db.Tx, rows []event.Row, last *sla.Policy) ([]sla.Reign, error) {
	var all []sla.Reign
	for _, r := range rows {
		var data struct {
			From string `json:"rule_from"`
			To   string `json:"rule_to"`
		}
		if r.Kind != "ticket."+StepSeverity && r.Kind != kindUndo && r.Kind != eventTurned || json.Unmarshal(r.Data, &data) != nil || data.From == "" || data.To == "" {
			continue
		}
		p, err := ruleIn(tx, data.From)
		if err != nil {
			return nil, err
		}
		all = append(all, sla.Reign{Policy: p, Until: r.At})
	}
	return append(all, sla.Reign{Policy: last}), nil
}
