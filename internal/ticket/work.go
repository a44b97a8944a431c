package ticket

import (
	"context"
	"errors"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// What the desk above single steps needs of a ticket.

// DeskFind finds a ticket of any domain for one who may see it at the desk,
// and answers the context with its domain's clock. Failures: OSM.01010015 (no
// such ticket, or not the business of a partner's), .02 (role).
func (s *Service) DeskFind(ctx context.Context, who principal.Principal, number string) (Ticket, context.Context, error) {
	if err := maySee(who); err != nil {
		return Ticket{}, ctx, err
	}
	t, err := s.deskTicketOf(ctx, who, number)
	if err != nil {
		return t, ctx, err
	}
	ctx, err = s.ident.OnClock(ctx, t.Domain)
	return t, ctx, err
}

// MayWork tells whether the caller takes steps under his own name: an engineer,
// supervisor or administrator.
func MayWork(who principal.Principal) error {
	if err := mayWork(who); err != nil {
		return err
	}
	if writer(who) == "" {
		return fault.NoPermission
	}
	return nil
}

// Sees hides from a partner's people what is not their business; fault.NoTicket.
func Sees(tx *db.Tx, who principal.Principal, t Ticket) error { return sees(tx, who, t) }

// Try tells whether the step could be taken now, with Take's failures, and
// answers the ticket as it is; it changes nothing and does not run the Guard.
// What it does not see: files that cannot be claimed.
func (s *Service) Try(ctx context.Context, who principal.Principal, p Step) (t Ticket, err error) {
	if err := mayWork(who); err != nil {
		return t, err
	}
	if err := p.check(); err != nil {
		return t, err
	}
	assignee, err := s.assignee(ctx, p)
	if err != nil {
		return t, err
	}
	found, err := s.deskTicketOf(ctx, who, p.Number)
	if err != nil {
		return t, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		if t, err = ticketIn(tx, found.Domain, found.ID); err != nil {
			return err
		}
		if p.Version != 0 && p.Version != t.Revision {
			return ErrVersion
		}
		if _, err := fitting(tx, who, t, p, assignee); err != nil {
			return err
		}
		_, err = next(t, who, p, assignee)
		return err
	})
	return t, err
}

// Said is what was said to or by the customer behind a revision of a ticket.
type Said struct {
	N    int    // messages, withdrawn ones and the person's own not counted
	Last string // id of the newest message of all, "" = there is none
}

// SaidBehind counts the messages, not notes, behind a revision that are not of
// the person (user id). The caller has checked who may see the ticket.
func SaidBehind(tx *db.Tx, t Ticket, revision int64, user string) (said Said, err error) {
	err = tx.Get("SELECT count(*) FROM messages WHERE domain_id = ? AND ticket_id = ? AND revision > ? AND internal = 0 AND withdrawn_at = 0 AND author <> ?",
		t.Domain, t.ID, revision, user).Scan(&said.N)
	if err != nil {
		return said, err
	}
	err = tx.Get("SELECT id FROM messages WHERE domain_id = ? AND ticket_id = ? AND internal = 0 ORDER BY revision DESC, id DESC LIMIT 1", t.Domain, t.ID).Scan(&said.Last)
	if errors.Is(err, db.ErrNone) {
		err = nil
	}
	return said, err
}

// AnsweredBehind counts the messages of the house's side, not notes, behind a
// revision that are not of the person (user id); withdrawn ones do not count.
func AnsweredBehind(tx *db.Tx, t Ticket, revision int64, user string) (n int, err error) {
	err = tx.Get("SELECT count(*) FROM messages WHERE domain_id = ? AND ticket_id = ? AND revision > ? AND internal = 0 AND withdrawn_at = 0 AND author <> ? AND side <> ?",
		t.Domain, t.ID, revision, user, CustomerSide).Scan(&n)
	return n, err
}

// SaidAt is the revision at which a message was added to a ticket; false when
// it has no such message.
func SaidAt(tx *db.Tx, t Ticket, message string) (revision int64, ok bool, err error) {
	err = tx.Get("SELECT revision FROM messages WHERE domain_id = ? AND id = ? AND ticket_id = ?", t.Domain, message, t.ID).Scan(&revision)
	if errors.Is(err, db.ErrNone) {
		return 0, false, nil
	}
	return revision, err == nil, err
}

// DeskNumbers are the numbers of tickets by id, deleted ones too, of a partner's
// people those that are their business.
func (s *Service) DeskNumbers(ctx context.Context, who principal.Principal, ids []string) (map[string]string, error) {
	if err := maySee(who); err != nil {
		return nil, err
	}
	all := map[string]string{}
	if len(ids) == 0 {
		return all, nil
	}
	err := s.db.View(ctx, func(tx *db.Tx) error {
		clear(all)
		for some := range slices.Chunk(ids, 500) {
			var w where
			w.and("ticket_id IN (?"+strings.Repeat(", ?", len(some)-1)+")", anys(some)...)
			w.onlyTheirs(who)
			err := tx.List(func(r db.Row) error {
				var id, number string
				err := r.Scan(&id, &number)
				all[id] = number
				return err
			}, "SELECT ticket_id, number FROM desk_tickets WHERE "+strings.Join(w.cond, " AND "), w.args...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}
