package ticket

import (
	"context"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// LastWord is who wrote the newest message of a ticket, as its customer sees it.
type LastWord struct {
	Number string
	Side   Side   // CustomerSide, or an engineer's
	Name   string // the user's, or what customers know of the engineer
	Own    bool   // the caller wrote it
	At     int64  // milliseconds UTC
	Unread int    // engineers' messages the caller has not read
}

// LastWords are the newest messages of the tickets, at most 50, that the caller
// sees; notes and withdrawn messages do not count. Tickets he does not see are
// left out, and so is one without a message. It fails as ScopeOf does, and with
// OSM.01010001 naming case_ids.
func (s *Service) LastWords(ctx context.Context, who principal.Principal, numbers []string, group string) (all []LastWord, err error) {
	if numbers, err = checkNumbers(numbers); err != nil || len(numbers) == 0 {
		return nil, err
	}
	var authors map[string]string // by number: who wrote, of customers
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all, authors = nil, map[string]string{}
		tickets, err := polled(tx, who, numbers, group)
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		args, at := []any{who.Domain}, map[string]Polled{}
		for _, p := range tickets {
			args, at[p.id] = append(args, p.id), p
		}
		said, by := map[string]LastWord{}, map[string]string{}
		var engineers []string
		// Rising revisions: the last one read of a ticket is its newest.
		err = tx.List(func(r db.Row) error {
			var id, author string
			var side int64
			var w LastWord
			if err := r.Scan(&id, &side, &author, &w.At); err != nil {
				return err
			}
			w.Side, w.Number, w.Unread, w.Own = Side(side), at[id].Number, at[id].Unread, Side(side) == CustomerSide && author == who.User
			said[id], by[id] = w, author
			if w.Side != CustomerSide && author != "" {
				engineers = append(engineers, author)
			}
			return nil
		}, `SELECT m.ticket_id, m.side, m.author, m.created_at FROM messages AS m JOIN (
			SELECT domain_id, ticket_id, max(revision) AS newest FROM messages WHERE domain_id = ? AND ticket_id IN (`+questions(len(tickets))+`)
			AND internal = 0 AND withdrawn_at = 0 GROUP BY domain_id, ticket_id) AS n
			ON n.domain_id = m.domain_id AND n.ticket_id = m.ticket_id AND n.newest = m.revision
			WHERE m.domain_id = ? AND m.internal = 0 AND m.withdrawn_at = 0 ORDER BY m.created_at, m.id`, append(args, who.Domain)...)
		if err != nil {
			return err
		}
		known, err := identity.PublicEngineers(tx, distinct(engineers))
		for _, p := range tickets {
			w, ok := said[p.id]
			if !ok {
				continue
			}
			if w.Side == CustomerSide {
				authors[w.Number] = by[p.id]
			} else {
				w.Name = known[by[p.id]][0]
			}
			all = append(all, w)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, id := range authors {
		ids = append(ids, id)
	}
	names, err := s.ident.Names(ctx, who.Domain, distinct(ids))
	for i := range all {
		if all[i].Side == CustomerSide {
			all[i].Name = names[authors[all[i].Number]]
		}
	}
	return all, err
}

// UrgeState is when a ticket may be urged.
type UrgeState struct {
	Possible bool  // in its present state
	From     int64 // milliseconds UTC; 0 = now
	Urges    int   // so far
}

// UrgeStateOf tells when the caller may urge a ticket; fault.NoTicket for one he
// does not see.
func (s *Service) UrgeStateOf(ctx context.Context, who principal.Principal, number, group string) (out UrgeState, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		t, err := visible(tx, who, number, group)
		if err != nil {
			return err
		}
		out = UrgeState{Possible: t.Status == Submitted || t.Status == Processing, Urges: int(t.Urges)}
		if from := s.urgeFrom(t); out.Possible && from > tx.Now {
			out.From = from
		}
		return nil
	})
	return out, err
}

// urgeFrom is when a ticket may be urged for its age and its last urge.
func (s *Service) urgeFrom(t Ticket) (from int64) {
	if s.o.Config.UrgeAfter > 0 {
		from = t.Created + ms(s.o.Config.UrgeAfter)
	}
	if t.UrgedAt > 0 {
		from = max(from, t.UrgedAt+ms(s.o.Config.UrgeEvery))
	}
	return from
}
