package ticket

import (
	"context"
	"slices"

	"casemate/internal/db"
	"casemate/internal/principal"
)

// DeskRelate relates two tickets of one customer, in both directions; related
// ones stay so. Customers see it as their own relations. Failures: OSM.01010015
// for one that is not there or not the caller's to see, .48 for two customers, .01
// for the ticket itself and for more than three others on either side, .02 (role).
func (s *Service) DeskRelate(ctx context.Context, who principal.Principal, number, other string) error {
	return s.deskPair(ctx, who, number, other, func(tx *db.Tx, t, o Ticket) error {
		if t.ID == o.ID {
			return ErrItself.In("number")
		}
		return relateIn(tx, who, t, []Ticket{o})
	})
}

// DeskUnrelate takes a relation away, from both sides. Failures as DeskRelate, and
// OSM.01010001 when the two are not related.
func (s *Service) DeskUnrelate(ctx context.Context, who principal.Principal, number, other string) error {
	return s.deskPair(ctx, who, number, other, func(tx *db.Tx, t, o Ticket) error {
		there, err := relations(tx, t.Domain, []Ticket{t})
		if err != nil {
			return err
		}
		if !slices.Contains(there[t.ID], o.ID) {
			return ErrUnrelated
		}
		unrelateIn(tx, who, t, o)
		return nil
	})
}

// deskPair runs a step on two tickets of one customer that the caller may see.
func (s *Service) deskPair(ctx context.Context, who principal.Principal, number, other string, do func(tx *db.Tx, t, o Ticket) error) error {
	if err := mayWork(who); err != nil {
		return err
	}
	t, err := s.deskTicketOf(ctx, who, number)
	if err != nil {
		return err
	}
	o, err := s.deskTicketOf(ctx, who, other)
	if err != nil {
		return err
	}
	if t.Domain != o.Domain {
		return ErrCustomers
	}
	if ctx, err = s.ident.OnClock(ctx, t.Domain); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		a, err := ticketIn(tx, t.Domain, t.ID)
		if err != nil {
			return err
		}
		b, err := ticketIn(tx, o.Domain, o.ID)
		if err != nil {
			return err
		}
		return do(tx, a, b)
	})
}
