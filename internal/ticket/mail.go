package ticket

import (
	"context"
	"errors"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/privilege"
)

// Correspondents reads a ticket of any domain by its number, and whom its
// notices go to. Only Casemate itself asks, to find out what a mail belongs to;
// fault.NoTicket for unknown and deleted ones.
func (s *Service) Correspondents(ctx context.Context, who principal.Principal, number string) (t Ticket, c Contact, err error) {
	if who.Kind != principal.System {
		return t, c, fault.NoPermission
	}
	if t, err = s.deskTicket(ctx, number); err != nil {
		return t, c, err
	}
	c, err = s.Contact(ctx, t)
	return t, c, err
}

// maxChain bounds how many merges are followed from ticket to ticket.
const maxChain = 20

// WentOn is the number of the ticket into which a ticket was merged, and that
// one into another, up to the last; "" when it was not. Only Casemate itself
// asks.
func (s *Service) WentOn(ctx context.Context, who principal.Principal, t Ticket) (number string, err error) {
	if who.Kind != principal.System {
		return "", fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		number = ""
		at := t
		for range maxChain {
			if at.Status != Invalid {
				return nil
			}
			var id string
			err := tx.Get("SELECT other_id FROM ticket_changes WHERE domain_id = ? AND ticket_id = ? AND kind = ? AND undone = 0 ORDER BY revision DESC LIMIT 1", at.Domain, at.ID, kindMerge).Scan(&id)
			if errors.Is(err, db.ErrNone) {
				return nil
			}
			if err != nil {
				return err
			}
			if at, err = ticketIn(tx, at.Domain, id); err != nil {
				return err
			}
			if at.Status == Deleted {
				return nil
			}
			number = at.Number
		}
		return nil
	})
	return number, err
}

// InReach tells whether a customer sees the ticket by any way he has: as
// himself, as main account, or in a group.
func (s *Service) InReach(ctx context.Context, who principal.Principal, t Ticket) (ok bool, err error) {
	if who.Kind != principal.Customer || who.Domain != t.Domain {
		return false, nil
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		scope, err := privilege.Reach(tx, who)
		ok = err == nil && scope.Has(t.Domain, t.Creator)
		return err
	})
	return ok, err
}

// ReplyByMail is Reply for a mail, which names no group: the caller may answer
// every ticket he sees by any way he has. Rules and failures are Reply's.
func (s *Service) ReplyByMail(ctx context.Context, who principal.Principal, number, text string, files ...string) error {
	if err := checkText("message.content", text); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		scope, err := privilege.Reach(tx, who)
		if err != nil {
			return err
		}
		before, err := seen(tx, scope, number)
		if err != nil {
			return err
		}
		return s.replied(tx, who, before, text, files)
	})
}
