package ticket

import (
	"context"
	"errors"
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

// Remark keeps a person's words to an event about a ticket that another noun
// recorded in this transaction; no words, no remark.
func Remark(tx *db.Tx, domain, id, eventID, text string) {
	remark(tx, Ticket{Domain: domain, ID: id}, eventID, text)
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

// SaidWith is the text of the message that came with a ticket's revision, "" when
// none did. Notes are among them. The caller has checked who may see it.
func SaidWith(tx *db.Tx, domain, id string, revision int64) (text string, err error) {
	err = tx.Get("SELECT text FROM messages WHERE domain_id = ? AND ticket_id = ? AND revision = ? ORDER BY id LIMIT 1", domain, id, revision).Scan(&text)
	if errors.Is(err, db.ErrNone) {
		err = nil
	}
	return text, err
}

// Ref names a ticket without reading it.
type Ref struct{ Domain, ID, Number string }

// Waiting are tickets of all domains but sandboxes that have been in a state at
// least since an instant (milliseconds UTC), in the order of their ids behind
// one, at most limit.
func Waiting(tx *db.Tx, in Status, since int64, after string, limit int) (all []Ref, err error) {
	return refs(tx, `SELECT d.domain_id, d.ticket_id, d.number FROM desk_tickets AS d JOIN tickets AS t ON t.domain_id = d.domain_id AND t.id = d.ticket_id
		WHERE d.status = ? AND d.sandbox = 0 AND d.ticket_id > ? AND t.status_at <= ? ORDER BY d.ticket_id LIMIT ?`, int(in), after, since, limit)
}

// Newest are the newest tickets of all domains but sandboxes that were made at
// an instant or later (milliseconds UTC), at most limit. Deleted ones are left out.
func Newest(tx *db.Tx, since int64, limit int) (all []Ref, err error) {
	return refs(tx, "SELECT domain_id, ticket_id, number FROM desk_tickets WHERE sandbox = 0 AND created_at >= ? AND status <> ? ORDER BY ticket_id DESC LIMIT ?",
		since, int(Deleted), limit)
}

func refs(tx *db.Tx, sql string, args ...any) (all []Ref, err error) {
	err = tx.List(func(r db.Row) error {
		var t Ref
		err := r.Scan(&t.Domain, &t.ID, &t.Number)
		all = append(all, t)
		return err
	}, sql, args...)
	return all, err
}

// Refs are tickets by number, as the caller may see them; unknown ones are missing.
func Refs(tx *db.Tx, who principal.Principal, numbers []string) (map[string]Ref, error) {
	all := map[string]Ref{}
	if len(numbers) == 0 {
		return all, nil
	}
	var w where
	w.and("number IN (?"+strings.Repeat(", ?", len(numbers)-1)+")", anys(numbers)...)
	w.and("status <> ?", int(Deleted))
	w.onlyTheirs(who)
	found, err := refs(tx, "SELECT domain_id, ticket_id, number FROM desk_tickets WHERE "+strings.Join(w.cond, " AND "), w.args...)
	for _, t := range found {
		all[t.Number] = t
	}
	return all, err
}

// Many reads tickets at once, by id; those that are gone are missing. The caller
// has checked who may see them.
func Many(tx *db.Tx, all []Ref) (map[string]Ticket, error) {
	found := map[string]Ticket{}
	if len(all) == 0 {
		return found, nil
	}
	var args []any
	for _, t := range all {
		args = append(args, t.Domain, t.ID)
	}
	err := tx.List(func(r db.Row) error {
		t, err := scan(r)
		found[t.ID] = t
		return err
	}, "WITH wanted(in_domain, ticket) AS (VALUES (CAST(? AS TEXT), CAST(? AS TEXT))"+strings.Repeat(", (?, ?)", len(all)-1)+") SELECT "+columns+
		" FROM wanted JOIN tickets ON domain_id = in_domain AND id = ticket", args...)
	return found, err
}
