package setup

import (
	"context"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/ticket"
)

// What happens to an open ticket.
const (
	ClocksMove     = "clocks"         // its targets become those that are promised now
	ClocksKept     = "clocks_kept"    // it keeps its targets, though new tickets like it get others
	QueueIn        = "queue_in"       // it comes into a queue
	QueueOut       = "queue_out"      // it leaves a queue
	QueueServed    = "queue_served"   // nobody handles it, and its queue gives tickets otherwise
	Retired        = "retired"        // it keeps an entry of the catalogue that is offered no more
	RuleCandidates = "rule_candidate" // it is in the state that a rule of time waits in
)

// MaxTouched is how many tickets are listed for each reason and entry.
const MaxTouched = 100

// TouchedTicket is an open ticket that a plan touches.
type TouchedTicket struct {
	Number  string
	What    string
	Section string // of the entry it is by; "" for clocks
	ID      string
	Before  int64 // of clocks: what is due next, milliseconds UTC, 0 = nothing that is known
	After   int64
	Clocks  []string // of clocks: those that differ
}

// Touched are the open tickets a plan touches, sandboxes' left out.
type Touched struct {
	Listed []TouchedTicket
	Totals map[string]int // how many there are, by what happens; a ticket counts once for each entry
}

// touched finds the open tickets that a draft touches. It reads only.
func (s *Service) touched(ctx context.Context, d *draft, clocks Clocks) (out Touched, err error) {
	out.Totals = map[string]int{}
	promised := clocks == MoveClocks
	next := s.n.Catalog.Now()
	if d.catalog != nil {
		next = d.catalog.Catalog()
		promised = promised || len(d.catalog.Diff().Changes) > 0
	}
	if promised {
		turns, total, err := s.n.Tickets.Turns(ctx, next, MaxTouched)
		if err != nil {
			return out, err
		}
		what := ClocksKept
		if clocks == MoveClocks {
			what = ClocksMove
		}
		for _, t := range turns {
			out.Listed = append(out.Listed, TouchedTicket{Number: t.Number, What: what, Before: t.Before, After: t.After, Clocks: t.Clocks})
		}
		if total > 0 {
			out.Totals[what] = total
		}
	}
	base := out.Listed
	err = s.db.View(ctx, func(tx *db.Tx) error {
		out.Listed = base[:len(base):len(base)]
		for _, what := range []string{QueueIn, QueueOut, QueueServed, Retired, RuleCandidates} {
			delete(out.Totals, what)
		}
		for _, c := range d.changes {
			if c.What != catalog.Retired {
				continue
			}
			numbers, n, err := ticket.Using(tx, catalog.Kind(c.Section[len("catalog."):]), c.ID, MaxTouched)
			if err != nil {
				return err
			}
			out.add(Retired, c.Section, c.ID, numbers, n)
		}
		if err := d.touchedQueues(tx, &out); err != nil {
			return err
		}
		for _, p := range d.rules.put() {
			if w := p.v.When; w.State == nil || p.v.Mode != "on" {
				continue
			}
			numbers, n, err := ticket.Moved(tx, &ticket.RowFilter{Statuses: []ticket.Status{ticket.Status(*p.v.When.State)}, Snoozed: ticket.SnoozedAll}, nil, MaxTouched)
			if err != nil {
				return err
			}
			out.add(RuleCandidates, d.rules.name, p.v.ID, numbers, n)
		}
		return nil
	})
	return out, err
}

func (d *draft) touchedQueues(tx *db.Tx, out *Touched) error {
	look := func(id string, from, to *ticket.RowFilter) error {
		left, n, err := ticket.Moved(tx, from, to, MaxTouched)
		if err != nil {
			return err
		}
		out.add(QueueOut, d.queues.name, id, left, n)
		came, n, err := ticket.Moved(tx, to, from, MaxTouched)
		out.add(QueueIn, d.queues.name, id, came, n)
		return err
	}
	for _, v := range d.queues.gone() {
		if err := look(v.ID, &v.Filter, nil); err != nil {
			return err
		}
	}
	for _, p := range d.queues.put() {
		if p.fresh {
			if err := look(p.v.ID, nil, &p.v.Filter); err != nil {
				return err
			}
			continue
		}
		if err := look(p.v.ID, &p.old.Filter, &p.v.Filter); err != nil {
			return err
		}
		if p.old.Team == p.v.Team && p.old.Assignment == p.v.Assignment && p.old.Hard == p.v.Hard {
			continue
		}
		f := p.v.Filter
		if f.Assignee == "" {
			f.Assignee = ticket.Nobody
		}
		if f.Assignee != ticket.Nobody {
			continue
		}
		numbers, n, err := ticket.Moved(tx, &f, nil, MaxTouched)
		if err != nil {
			return err
		}
		out.add(QueueServed, d.queues.name, p.v.ID, numbers, n)
	}
	return nil
}

func (t *Touched) add(what, section, id string, numbers []string, n int) {
	for _, number := range numbers {
		t.Listed = append(t.Listed, TouchedTicket{Number: number, What: what, Section: section, ID: id})
	}
	if n > 0 {
		t.Totals[what] += n
	}
}
