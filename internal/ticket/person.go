package ticket

import (
	"errors"

	"casemate/internal/db"
	"casemate/internal/fault"
)

// IDOf is the domain and the id of the ticket with a number, whatever its state;
// fault.NoTicket. It checks no right.
func IDOf(tx *db.Tx, number string) (domain, id string, err error) {
	err = tx.Get("SELECT domain_id, ticket_id FROM desk_tickets WHERE number = ?", number).Scan(&domain, &id)
	if errors.Is(err, db.ErrNone) {
		err = fault.NoTicket
	}
	return domain, id, err
}

// ForgetPerson removes what a person of the house has at tickets beside what he
// said and did: that he is there, follows them, and texts he has not sent. For
// people of the demo world, who are removed.
func ForgetPerson(tx *db.Tx, user string) error {
	tx.Write(db.Any, "DELETE FROM ticket_presence /* all domains: whatever he is at */ WHERE user_id = ?", user)
	tx.Write(db.Any, "DELETE FROM ticket_followers /* all domains: whatever he follows */ WHERE user_id = ?", user)
	tx.Write(db.Any, "DELETE FROM ticket_drafts /* all domains: whatever he began */ WHERE user_id = ?", user)
	tx.Write(db.Any, "DELETE FROM ticket_later /* all domains: whatever he put off */ WHERE user_id = ?", user)
	return nil
}
