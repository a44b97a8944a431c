package ticket

import (
	"cmp"
	"context"
	"slices"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/sla"
)

// Limits of a simulation.
const (
	maxSimulated  = 10 * 365 * 24 * time.Hour
	simulatedPage = 250
	maxDiffer     = 1000
)

// Figures are clocks by what became of them.
type Figures struct{ Met, Breached, Open, Stopped int }

func (f *Figures) add(s sla.State) {
	switch s {
	case sla.Met:
		f.Met++
	case sla.Breached:
		f.Breached++
	case sla.Stopped:
		f.Stopped++
	default:
		f.Open++
	}
}

// Simulated are the clocks of one kind of the tickets of a plan and severity,
// under the rules they have and under the other policy.
type Simulated struct {
	Plan, Severity string // of the tickets; the domain's plan at their creation
	Kind           sla.Kind
	Tickets        int // that have such a clock in either
	Now, Then      Figures
}

// Difference is a clock whose outcome would be another.
type Difference struct {
	Number            string
	Plan, Severity    string
	Kind              sla.Kind
	N                 int
	Now, Then         sla.State // "" = there is no such clock
	DueNow, DueThen   int64     // milliseconds UTC, 0 = unknown or none
	UsedNow, UsedThen int64
}

// Simulation is what another policy would have made of past tickets.
type Simulation struct {
	From, To int64 // of the tickets' creation, milliseconds UTC
	Tickets  int
	Groups   []Simulated
	Differ   []Difference // oldest ticket first, at most 1,000
	More     int          // differences beyond those
}

// Simulate replays the history of the tickets created in so long a time until
// now, sandboxes' left out, under another policy (catalog.Imagine) beside the
// rules they were created under. It reads only. For supervisors. Failures: those
// of Imagine, OSM.01010001 naming last for a time that is not above 0 and at
// most ten years.
func (s *Service) Simulate(ctx context.Context, who principal.Principal, files map[string][]byte, last time.Duration) (out Simulation, err error) {
	other, err := s.catalog.Imagine(ctx, who, files)
	if err != nil {
		return out, err
	}
	if last <= 0 || last > maxSimulated {
		return out, fault.OutOfRange.In("last").With("min", 1).With("max", int(maxSimulated/(24*time.Hour)))
	}
	out.To = s.db.Now().UnixMilli()
	out.From = out.To - ms(last)
	groups := map[Simulated]*Simulated{}
	for after := ""; ; {
		var page []Ticket
		histories := map[string][]sla.Moment{}
		now, then := map[string][]sla.Reign{}, map[string][]sla.Reign{}
		next := ""
		err := s.db.View(ctx, func(tx *db.Tx) (err error) {
			page, next, err = s.simulatedPage(tx, out.From, after)
			if err != nil {
				return err
			}
			rows, err := eventsOf(tx, page)
			if err != nil {
				return err
			}
			for _, t := range page {
				p, err := s.ruleOf(tx, t)
				if err != nil {
					return err
				}
				if now[t.ID], err = reigns(tx, rows[t.ID], p); err != nil {
					return err
				}
				histories[t.ID], then[t.ID] = history(rows[t.ID]), imagined(other, t, rows[t.ID])
			}
			return nil
		})
		if err != nil {
			return out, err
		}
		for _, t := range page {
			out.Tickets++
			out.compare(groups, t, sla.ClocksOf(now[t.ID], histories[t.ID], out.To), sla.ClocksOf(then[t.ID], histories[t.ID], out.To))
		}
		if after = next; after == "" {
			break
		}
	}
	for _, g := range groups {
		out.Groups = append(out.Groups, *g)
	}
	slices.SortFunc(out.Groups, func(a, b Simulated) int {
		return cmp.Or(cmp.Compare(a.Plan, b.Plan), cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Kind, b.Kind))
	})
	return out, nil
}

// imagined are the rules that another catalogue would have given a ticket, with
// each severity that it had.
func imagined(c *catalog.Catalog, t Ticket, rows []event.Row) (all []sla.Reign) {
	for _, r := range rows {
		if st := stepOf(r); st.SeverityFrom != nil && st.Severity != nil {
			all = append(all, sla.Reign{Policy: c.Promise(t.Plan, *st.SeverityFrom, t.ProblemType), Until: r.At})
		}
	}
	return append(all, sla.Reign{Policy: c.Promise(t.Plan, t.Severity, t.ProblemType)})
}

// simulatedPage reads tickets by their ids, which rise with their creation.
func (s *Service) simulatedPage(tx *db.Tx, from int64, after string) (page []Ticket, next string, err error) {
	var keys [][2]string
	err = tx.List(func(r db.Row) error {
		var k [2]string
		err := r.Scan(&k[0], &k[1])
		keys = append(keys, k)
		return err
	}, "SELECT domain_id, ticket_id FROM desk_tickets WHERE sandbox = 0 AND created_at >= ? AND ticket_id > ? ORDER BY ticket_id LIMIT ?", from, after, simulatedPage)
	if err != nil {
		return nil, "", err
	}
	if len(keys) == simulatedPage {
		next = keys[len(keys)-1][1]
	}
	all, err := s.deskIn(tx, keys...)
	for _, t := range all {
		page = append(page, t.Ticket)
	}
	return page, next, err
}

// eventsOf reads what happened to tickets, each domain's at once.
func eventsOf(tx *db.Tx, page []Ticket) (map[string][]event.Row, error) {
	ids := map[string][]string{}
	for _, t := range page {
		ids[t.Domain] = append(ids[t.Domain], t.ID)
	}
	of := map[string][]event.Row{}
	for domain, some := range ids {
		rows, err := event.OfSubjects(tx, domain, "ticket", some, 0)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			of[r.SubjectID] = append(of[r.SubjectID], r)
		}
	}
	return of, nil
}

// compare adds a ticket's clocks under both policies.
func (out *Simulation) compare(groups map[Simulated]*Simulated, t Ticket, now, then []sla.Clock) {
	type pair struct{ now, then *sla.Clock }
	pairs := map[string]pair{}
	var names []string
	for side, all := range [2][]sla.Clock{now, then} {
		for i, c := range all {
			p, ok := pairs[c.Name()]
			if !ok {
				names = append(names, c.Name())
			}
			if side == 0 {
				p.now = &all[i]
			} else {
				p.then = &all[i]
			}
			pairs[c.Name()] = p
		}
	}
	counted := map[sla.Kind]bool{}
	for _, name := range names {
		p := pairs[name]
		d := Difference{Number: t.Number, Plan: t.Plan, Severity: t.Severity}
		key := Simulated{Plan: t.Plan, Severity: t.Severity}
		if p.now != nil {
			key.Kind, d.N = p.now.Kind, p.now.N
			d.Now, d.DueNow, d.UsedNow = p.now.State, p.now.Due, p.now.Used
		}
		if p.then != nil {
			key.Kind, d.N = p.then.Kind, p.then.N
			d.Then, d.DueThen, d.UsedThen = p.then.State, p.then.Due, p.then.Used
		}
		d.Kind = key.Kind
		g := groups[key]
		if g == nil {
			g = &Simulated{Plan: key.Plan, Severity: key.Severity, Kind: key.Kind}
			groups[key] = g
		}
		if !counted[key.Kind] {
			counted[key.Kind] = true
			g.Tickets++
		}
		if d.Now != "" {
			g.Now.add(d.Now)
		}
		if d.Then != "" {
			g.Then.add(d.Then)
		}
		if d.Now == d.Then {
			continue
		}
		if len(out.Differ) < maxDiffer {
			out.Differ = append(out.Differ, d)
		} else {
			out.More++
		}
	}
}
