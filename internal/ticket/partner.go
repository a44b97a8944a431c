package ticket

import (
	"context"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// Ownership is whose business a ticket is, with the numbers of the wire
// (business_ownership; semantics.md section 3.3).
type Ownership int

// The owners.
const (
	HouseBusiness   Ownership = 0
	PartnerBusiness Ownership = 1 // of the partner who serves the customer
	ISVBusiness     Ownership = 2 // of the partner whose product it is about
)

// partnerOf is the id of the partner whose business the ticket is, "" when it is
// the house's or the partner is gone.
func partnerOf(tx *db.Tx, t Ticket) (string, error) {
	switch t.Ownership {
	case PartnerBusiness:
		d, err := identity.DomainIn(tx, t.Domain)
		return d.Partner, err
	case ISVBusiness:
		return identity.PartnerOfProduct(tx, t.Product)
	}
	return "", nil
}

// sees hides from a partner's people what is not their business: such a ticket
// is not there.
func sees(tx *db.Tx, who principal.Principal, t Ticket) error {
	if who.Partner == "" {
		return nil
	}
	id, err := partnerOf(tx, t)
	if err == nil && id != who.Partner {
		err = fault.NoTicket
	}
	return err
}

// onlyTheirs leaves a partner's people the rows of desk_tickets that are their
// business.
func (w *where) onlyTheirs(who principal.Principal) {
	if who.Partner != "" {
		w.and(`(ownership = 1 AND domain_id IN (`+identity.ServedDomains+`= ?)
			OR ownership = 2 AND isv_product IN (SELECT ref_id FROM partner_services WHERE partner_id = ? AND kind = 'product'))`, who.Partner, who.Partner)
	}
}

// deskTicketOf is deskTicket for one who may be a partner's.
func (s *Service) deskTicketOf(ctx context.Context, who principal.Principal, number string) (Ticket, error) {
	t, err := s.deskTicket(ctx, number)
	if err != nil || who.Partner == "" {
		return t, err
	}
	return t, s.db.View(ctx, func(tx *db.Tx) error { return sees(tx, who, t) })
}

// fitting tells whether the ticket is the business of the caller's side, and
// refuses a handler of another side: OSM.01010058.
func fitting(tx *db.Tx, who principal.Principal, t Ticket, p Step, assignee string) (mine bool, err error) {
	if err := sees(tx, who, t); err != nil {
		return false, err
	}
	side, err := partnerOf(tx, t)
	if err != nil {
		return false, err
	}
	mine = side == who.Partner && (t.Ownership == HouseBusiness || side != "")
	switch p.Action {
	case StepAccept, StepRelease:
		if !mine {
			err = errMatch
		}
	case StepAssign:
		var theirs string
		theirs, err = identity.PartnerOfEngineer(tx, assignee)
		switch {
		case err != nil:
		case who.Partner != "" && theirs != who.Partner:
			err = ErrAssignee.With("name", p.Assignee) // a partner learns nothing of the house's people
		case theirs != side || t.Ownership != HouseBusiness && side == "":
			err = errMatch
		}
	}
	return mine, err
}

// sideOfWorker is the side on which somebody at the desk writes.
func sideOfWorker(who principal.Principal) Side {
	switch {
	case who.Partner != "":
		return PartnerSide
	case who.Kind == principal.System:
		return SystemSide
	}
	return EngineerSide
}

// writer is the person behind a step, "" when Casemate takes it itself.
func writer(who principal.Principal) string {
	if who.Kind == principal.System {
		return ""
	}
	return who.User
}

// own writes whose business a ticket is now.
func own(tx *db.Tx, t Ticket, o Ownership) {
	product := ""
	if o == ISVBusiness {
		product = t.Product
	}
	tx.Write(1, "UPDATE tickets SET ownership = ? WHERE domain_id = ? AND id = ?", int(o), t.Domain, t.ID)
	tx.Write(db.Any, "UPDATE desk_tickets SET ownership = ?, isv_product = ? WHERE ticket_id = ?", int(o), product, t.ID)
}
