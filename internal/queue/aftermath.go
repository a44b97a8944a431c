package queue

import (
	"context"
	"encoding/json"
	"errors"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// What follows at the desk from what happened elsewhere, read from the sealed
// history by a cursor of its own that moves behind the work. All of it can be
// done twice and does nothing then, so that several nodes and one that died on
// the way do no harm:
//
//   - A ticket was merged away: messages that wait to be sent on it go back to
//     their writers as drafts. Nobody sees them go out to a customer who was
//     told to go on elsewhere. An undo of the merge leaves them drafts.
//   - An engineer was shut out: the open tickets that he handles go back to their
//     queues, his messages that wait become drafts, he is present nowhere and off
//     his shift. What he has said, his drafts, macros and views stay. Let in
//     again he comes online himself.
const aftermathCursor = "aftermath"

// giveBackMost is how many tickets of an engineer one transaction gives back.
const giveBackMost = 50

// whyDisabled is what the history says of tickets given back so; it is no
// refusal: he can get them again.
const whyDisabled = "disabled"

// errMerged withholds what waits on a ticket that was merged away.
var errMerged = fault.New(fault.Conflict, fault.CodeNoPermission, "工单已并入其他工单", "the ticket was merged into another one")

// FollowDesk reads the history behind the cursor and does what follows from it.
func (s *Service) FollowDesk(ctx context.Context) error {
	for {
		more, err := s.followDesk(ctx)
		if err != nil || !more {
			return err
		}
	}
}

func (s *Service) followDesk(ctx context.Context) (more bool, err error) {
	var from int64
	var events []event.Row
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if err := tx.Get("SELECT seq FROM desk_cursors WHERE name = ?", aftermathCursor).Scan(&from); err != nil {
			return err
		}
		events, err = event.After(tx, "", from, readMost)
		return err
	})
	if err != nil || len(events) == 0 {
		return false, err
	}
	to, failed := from, error(nil)
	for _, e := range events {
		if failed = s.follows(ctx, e); failed != nil {
			break // it is tried again, and what is behind it waits
		}
		to = e.Seq
	}
	if to > from {
		err = s.db.Update(ctx, func(tx *db.Tx) error {
			tx.Write(db.Any, "UPDATE desk_cursors SET seq = ? WHERE name = ? AND seq < ?", to, aftermathCursor, to)
			return nil
		})
	}
	return len(events) == readMost, errors.Join(failed, err)
}

func (s *Service) follows(ctx context.Context, e event.Row) error {
	switch {
	case e.Kind == "ticket.merge":
		return s.withholdAll(ctx, errMerged.Code, "domain_id = ? AND ticket_id = ?", e.Domain, e.SubjectID)
	case e.Kind == "user.disable" && e.Domain == principal.House:
		var d struct{ Disabled bool }
		if err := json.Unmarshal(e.Data, &d); err != nil || !d.Disabled {
			return nil
		}
		return s.shutOut(ctx, e.SubjectID)
	}
	return nil
}

// shutOut puts right what an engineer leaves, unless he was let in again.
func (s *Service) shutOut(ctx context.Context, user string) error {
	out := false
	err := s.db.View(ctx, func(tx *db.Tx) (err error) { out, err = shut(tx, user); return err })
	if err != nil || !out {
		return err
	}
	if err := s.withholdAll(ctx, errWriter.Code, "user_id = ?", user); err != nil {
		return err
	}
	for n := giveBackMost; n == giveBackMost; {
		if n, err = s.giveUp(ctx, user); err != nil {
			return err
		}
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "DELETE FROM ticket_presence WHERE user_id = ? /* all domains: a person of the house */", user)
		var version int64
		err := tx.Get("UPDATE desk_engineers SET presence = ?, since = ?, version = version + 1, changed_at = ? WHERE user_id = ? AND presence <> ? RETURNING version",
			string(Away), tx.Now, tx.Now, user, string(Away)).Scan(&version)
		if errors.Is(err, db.ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		record(tx, principal.AsSystem(principal.House), "team.shift", "engineer", user, version, map[string]any{"to": Away, "why": whyDisabled})
		return nil
	})
}

func shut(tx *db.Tx, user string) (bool, error) {
	var n int
	err := tx.Get("SELECT count(*) FROM users WHERE domain_id = ? AND id = ? AND disabled = 1", principal.House, user).Scan(&n)
	return n > 0, err
}

// giveUp gives some of an engineer's open tickets back and tells how many it
// found. Each customer's tickets go at the time of its own clock.
func (s *Service) giveUp(ctx context.Context, user string) (n int, err error) {
	byDomain := map[string][][2]string{}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		n = 0
		clear(byDomain)
		return tx.List(func(r db.Row) error {
			var k [2]string
			err := r.Scan(&k[0], &k[1])
			byDomain[k[0]], n = append(byDomain[k[0]], k), n+1
			return err
		}, "SELECT domain_id, ticket_id FROM desk_tickets WHERE assignee = ? AND status IN (0, 1, 2, 5, 17) ORDER BY ticket_id LIMIT ?", user, giveBackMost)
	})
	if err != nil {
		return 0, err
	}
	for domain, keys := range byDomain {
		on, err := s.ident.OnClock(ctx, domain)
		if err != nil {
			return 0, err
		}
		err = s.db.Update(on, func(tx *db.Tx) error {
			if out, err := shut(tx, user); err != nil || !out {
				return err // let in again meanwhile
			}
			_, err := ticket.ReleaseIn(tx, principal.AsSystem(domain), user, whyDisabled, keys)
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	var out bool
	err = s.db.View(ctx, func(tx *db.Tx) (err error) { out, err = shut(tx, user); return err })
	if !out {
		return 0, err
	}
	return n, err
}

// withholdAll gives messages that wait back to their writers as drafts.
func (s *Service) withholdAll(ctx context.Context, cause, cond string, args ...any) error {
	var all []Later
	err := s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			l, err := scanLater(r)
			all = append(all, l)
			return err
		}, "SELECT "+laterColumns+" FROM ticket_later WHERE "+cond+" ORDER BY domain_id, id /* all domains: of a person of the house, or of a ticket */", args...)
	})
	if err != nil {
		return err
	}
	for _, l := range all { // MaxLater of a person
		if err := s.openLater(&l); err != nil {
			return err
		}
		if err := s.withhold(ctx, l, cause); err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	return nil
}
