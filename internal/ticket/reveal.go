package ticket

import (
	"context"
	"strings"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// Details are what engineers see of a ticket beside its row.
type Details struct {
	Contact Contact // Area and Mobile are empty: E164 is the number
	Time    string  // remind_time
	Zone    string  // of Time, "" = the default
	Values  []Value
}

func (s *Service) details(ctx context.Context, t Ticket, values []Value) (d Details, err error) {
	d = Details{Time: t.RemindTime, Zone: t.Zone, Values: values}
	d.Contact, err = s.Contact(ctx, t)
	d.Contact.Area, d.Contact.Mobile = "", ""
	return d, err
}

// DeskDetails are a ticket's contact, copy addresses and additional parameters
// for the desk, contacts and sensitive values masked.
func (s *Service) DeskDetails(ctx context.Context, who principal.Principal, number string) (d Details, err error) {
	if err := maySeeMore(who); err != nil {
		return d, err
	}
	t, err := s.deskTicket(ctx, number)
	if err != nil {
		return d, err
	}
	var values []Value
	err = s.db.View(ctx, func(tx *db.Tx) (err error) { values, err = valuesOf(tx, t); return err })
	if err != nil {
		return d, err
	}
	if d, err = s.details(ctx, t, masked(values)); err != nil {
		return d, err
	}
	c := &d.Contact
	if c.E164 != "" {
		c.E164 = notify.Mask(c.E164)
	}
	if c.Mail != "" {
		c.Mail = notify.Mask(c.Mail)
	}
	if c.Encrypted != "" {
		c.Encrypted = Masked
	}
	for i := range c.Copies {
		c.Copies[i] = notify.Mask(c.Copies[i])
	}
	return d, nil
}

// maxRevealReason bounds why somebody looks, in characters.
const maxRevealReason = 200

// Reveal is DeskDetails in clear. That somebody looked, and why, is recorded,
// durable before anything is shown; the customer reads both in his audit.
func (s *Service) Reveal(ctx context.Context, who principal.Principal, number, reason string) (d Details, err error) {
	switch err := maySeeMore(who); {
	case err != nil:
		return d, err
	case strings.TrimSpace(reason) == "":
		return d, fault.Missing.In("reason")
	case utf8.RuneCountInString(reason) > maxRevealReason:
		return d, fault.TooLong.In("reason").With("max", maxRevealReason)
	}
	seen, err := s.deskTicket(ctx, number)
	if err != nil {
		return d, err
	}
	var t Ticket
	var values []Value
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if t, err = ticketIn(tx, seen.Domain, seen.ID); err != nil {
			return err
		}
		if values, err = valuesOf(tx, t); err != nil {
			return err
		}
		id := event.Record(tx, who, event.Event{Domain: t.Domain, Kind: "ticket.reveal", Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: event.NoLog})
		tx.Write(1, "INSERT INTO ticket_remarks (domain_id, event_id, ticket_id, text) VALUES (?, ?, ?, ?)", t.Domain, id, t.ID, reason)
		return nil
	})
	if err != nil {
		return d, err
	}
	if t.ID == "" { // a repeated request: its event is there, what it showed is read again
		t = seen
		if err := s.db.View(ctx, func(tx *db.Tx) (err error) { values, err = valuesOf(tx, t); return err }); err != nil {
			return d, err
		}
	}
	if err := s.openValues(ctx, t, values); err != nil {
		return d, err
	}
	return s.details(ctx, t, values)
}
