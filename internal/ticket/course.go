package ticket

import (
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/sla"
)

// Course is what the sealed events say of a ticket, for figures over many.
type Course struct {
	Ticket  Ticket // as it is now
	Rows    []event.Row
	Moments []sla.Moment // of the rows, place by place
	Clocks  []sla.Clock  // as of the last of them
}

// Courses reads tickets by domain and id with their events up to a number; what
// is not there, and what has no event up to it, is missing. It belongs to nouns
// above and checks no right.
func (s *Service) Courses(tx *db.Tx, seq int64, keys ...[2]string) (all []Course, err error) {
	found, err := s.deskIn(tx, keys...)
	if err != nil {
		return nil, err
	}
	page := make([]Ticket, len(found))
	for i, t := range found {
		page[i] = t.Ticket
	}
	events, err := eventsOf(tx, page)
	if err != nil {
		return nil, err
	}
	for _, t := range page {
		p := Course{Ticket: t}
		last := int64(0)
		for _, r := range events[t.ID] {
			if r.Seq > 0 && r.Seq <= seq {
				p.Rows = append(p.Rows, r)
				last = max(last, r.At)
			}
		}
		if len(p.Rows) == 0 {
			continue
		}
		policy, err := s.ruleOf(tx, t)
		if err != nil {
			return nil, err
		}
		reign, err := reigns(tx, events[t.ID], policy)
		if err != nil {
			return nil, err
		}
		p.Moments = history(p.Rows)
		p.Clocks = sla.ClocksOf(reign, p.Moments, last)
		all = append(all, p)
	}
	return all, nil
}
