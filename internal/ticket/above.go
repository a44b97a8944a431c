package ticket

import (
	"context"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/principal"
)

// What the nouns above need of a ticket in their own transactions.

// Codes of the customer's operation log that nouns above write (operate_type.csv).
const (
	LogGrant    = 73 // the customer grants an authorization
	LogReject   = 74 // the customer rejects one
	LogWithdraw = 83 // the customer withdraws one
)

// In reads a ticket of a domain by its id; fault.NoTicket when there is none.
// The caller has checked who may see it.
func In(tx *db.Tx, domain, id string) (Ticket, error) { return ticketIn(tx, domain, id) }

// Descriptions are the first words of tickets of a domain, by id; unknown ones
// are missing. The caller has checked who may see them.
func Descriptions(tx *db.Tx, domain string, ids []string) (map[string]string, error) {
	all := map[string]string{}
	if len(ids) == 0 {
		return all, nil
	}
	args := []any{domain}
	for _, id := range ids {
		args = append(args, id)
	}
	err := tx.List(func(r db.Row) error {
		var id, text string
		err := r.Scan(&id, &text)
		all[id] = text
		return err
	}, "SELECT id, description FROM tickets WHERE domain_id = ? AND id IN (?"+strings.Repeat(", ?", len(ids)-1)+")", args...)
	return all, err
}

// Record records what happened beside a ticket, without changing it, as a line
// of its customer's operation log (code; event.NoLog = none) with the actor's
// remark.
func Record(tx *db.Tx, who principal.Principal, t Ticket, kind string, code int, text string, data map[string]any) {
	id := event.Record(tx, who, event.Event{Domain: t.Domain, Kind: kind, Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: code, Data: data})
	remark(tx, t, id, text)
}

// Notices are a ticket's notices, ready to be queued in a transaction.
type Notices struct{ all notices }

// PrepareNotices renders a notice to the ticket's contacts; the template has
// {number} and {days} only.
func (s *Service) PrepareNotices(ctx context.Context, t Ticket, template string, days int) (Notices, error) {
	all, err := s.prepare(ctx, t, template, days)
	return Notices{all}, err
}

// QueueNotices queues them in the caller's transaction.
func (s *Service) QueueNotices(tx *db.Tx, n Notices) { s.queue(tx, n.all) }
