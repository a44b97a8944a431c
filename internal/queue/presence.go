package queue

import (
	"context"
	"slices"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// What somebody does at a ticket.
const (
	Viewing  = "viewing"
	Replying = "replying"
	Noting   = "noting"
)

// The times of presence. A page tells every Heartbeat that it is still there;
// who said nothing for Forgotten is gone. A sign is written when it is news or
// the last one is older than refresh: at most one row a person, ticket and
// refresh, however many pages tell.
const (
	Heartbeat = 10 * time.Second
	Forgotten = 30 * time.Second
	refresh   = 8 * time.Second
)

// Present is somebody who is at a ticket.
type Present struct {
	User, Name string
	Doing      string
	Seen       int64 // milliseconds UTC, on the installation's clock
}

// Stay tells that the caller is at a ticket, and answers who else is: those who
// gave a sign within Forgotten, by name. Failures: OSM.01010015 (no such
// ticket), .02 (role), .01 (doing).
func (s *Service) Stay(ctx context.Context, who principal.Principal, number, doing string) (others []Present, err error) {
	if !slices.Contains([]string{Viewing, Replying, Noting}, doing) {
		return nil, fault.Unknown.In("doing")
	}
	if err := ticket.MayWork(who); err != nil {
		return nil, err
	}
	t, _, err := s.tickets.DeskFind(ctx, who, number)
	if err != nil {
		return nil, err
	}
	var all []Present
	var now int64
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		now = tx.Real
		all, err = presentIn(tx, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	mine := slices.IndexFunc(all, func(p Present) bool { return p.User == who.User })
	if mine < 0 || all[mine].Doing != doing || now-all[mine].Seen >= refresh.Milliseconds() {
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			tx.Write(1, `INSERT INTO ticket_presence (domain_id, ticket_id, user_id, doing, seen_at) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (domain_id, ticket_id, user_id) DO UPDATE SET doing = excluded.doing, seen_at = excluded.seen_at`, t.Domain, t.ID, who.User, doing, tx.Real)
			if mine < 0 || all[mine].Doing != doing {
				tx.Wake(ticket.PresenceMoved)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return s.namePresent(ctx, who, slices.DeleteFunc(all, func(p Present) bool { return p.User == who.User }))
}

// Leave tells that the caller is at the ticket no more.
func (s *Service) Leave(ctx context.Context, who principal.Principal, number string) error {
	if err := ticket.MayWork(who); err != nil {
		return err
	}
	t, _, err := s.tickets.DeskFind(ctx, who, number)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "DELETE FROM ticket_presence WHERE domain_id = ? AND ticket_id = ? AND user_id = ?", t.Domain, t.ID, who.User)
		tx.Wake(ticket.PresenceMoved)
		return nil
	})
}

// Everywhere is who is at which ticket now, of all domains, for live events: at
// most 5,000.
func (s *Service) Everywhere(ctx context.Context) (all []ticket.Someone, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			var p ticket.Someone
			err := r.Scan(&p.Domain, &p.TicketID, &p.User, &p.Doing)
			all = append(all, p)
			return err
		}, "SELECT domain_id, ticket_id, user_id, doing FROM ticket_presence WHERE seen_at > ? /* all domains: live events */ ORDER BY domain_id, ticket_id, user_id LIMIT 5000",
			tx.Real-Forgotten.Milliseconds())
	})
	return all, err
}

// presentIn reads who is at a ticket, in a fixed order, without names.
func presentIn(tx *db.Tx, t ticket.Ticket) (all []Present, err error) {
	err = tx.List(func(r db.Row) error {
		var p Present
		err := r.Scan(&p.User, &p.Doing, &p.Seen)
		all = append(all, p)
		return err
	}, "SELECT user_id, doing, seen_at FROM ticket_presence WHERE domain_id = ? AND ticket_id = ? AND seen_at > ? ORDER BY user_id LIMIT 200",
		t.Domain, t.ID, tx.Real-Forgotten.Milliseconds())
	return all, err
}

func (s *Service) namePresent(ctx context.Context, who principal.Principal, all []Present) ([]Present, error) {
	var ids []string
	for _, p := range all {
		ids = append(ids, p.User)
	}
	known, err := s.colleagues(ctx, who, ids)
	for i := range all {
		all[i].User, all[i].Name = known[all[i].User].id, known[all[i].User].name
	}
	return all, err
}

// colleague is a person of the house as somebody may know him.
type colleague struct{ id, name string }

// colleagues are people of the house, by user id, as the caller may know them:
// by their user id and log-in name; a partner's people know public ids and
// aliases only (threats.md B5).
func (s *Service) colleagues(ctx context.Context, who principal.Principal, ids []string) (map[string]colleague, error) {
	all := map[string]colleague{}
	if who.Partner == "" {
		names, err := s.tickets.Names(ctx, principal.House, ids...)
		for _, id := range ids {
			all[id] = colleague{id, names[id]}
		}
		return all, err
	}
	err := s.db.View(ctx, func(tx *db.Tx) error {
		known, err := identity.PublicEngineers(tx, ids)
		for _, id := range ids {
			all[id] = colleague{known[id][1], known[id][0]}
		}
		return err
	})
	return all, err
}

// forgetAbsent removes what is long forgotten.
func (s *Service) forgetAbsent(ctx context.Context) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "DELETE FROM ticket_presence WHERE seen_at <= ? /* all domains: housekeeping */", tx.Real-Forgotten.Milliseconds())
		return nil
	})
}
