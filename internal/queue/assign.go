package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Queues that give tickets by themselves follow the sealed history: something
// happened to a ticket, a team or a queue, or other people can take tickets than
// before (a shift began, somebody came online, capacity is free). Then every
// such queue is served. What a queue holds is always read from the tickets, so
// that no event can be lost; a ticket is given in one transaction under a lock,
// which looks again, so that none is given twice, no capacity is exceeded and no
// turn is skipped, whichever nodes work.
const (
	cursorName = "assign"
	lockName   = "desk.assign"
	readMost   = 500
	pageSize   = 100
)

// errNobody: no engineer fits now.
var errNobody = errors.New("queue: nobody fits")

// board is who serves which automatic queue.
type board struct {
	queues []Queue
	teams  map[string][]Engineer // by team, in the order of ids
}

func (s *Service) board(tx *db.Tx) (b board, err error) {
	if b.queues, err = queuesIn(tx, "way <> 'manual'"); err != nil || len(b.queues) == 0 {
		return b, err
	}
	all, err := s.engineers(tx, "u.id IN (SELECT m.user_id FROM desk_team_members AS m JOIN desk_queues AS q ON q.team = m.team_id WHERE q.way <> 'manual')")
	if err != nil {
		return b, err
	}
	byID := map[string]Engineer{}
	for _, e := range all {
		byID[e.ID] = e
	}
	b.teams = map[string][]Engineer{}
	return b, tx.List(func(r db.Row) error {
		var team, user string
		err := r.Scan(&team, &user)
		if e, ok := byID[user]; ok {
			b.teams[team] = append(b.teams[team], e)
		}
		return err
	}, "SELECT team_id, user_id FROM desk_team_members WHERE team_id IN (SELECT team FROM desk_queues WHERE way <> 'manual') ORDER BY team_id, user_id")
}

// mark tells boards apart on which other people can take tickets, and minutes
// where time brings tickets into a queue.
func (b board) mark(now int64) string {
	var parts []string
	for team, all := range b.teams {
		for _, e := range all {
			if e.Available && e.room() {
				parts = append(parts, fmt.Sprint(team, "/", e.ID, "/", e.Limit-e.Load))
			}
		}
	}
	slices.Sort(parts)
	if slices.ContainsFunc(b.queues, func(q Queue) bool { return q.Filter.Timed() }) {
		parts = append(parts, fmt.Sprint(now/60000))
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, " ")))
	return hex.EncodeToString(sum[:16])
}

// stirs tells whether an event can bring a ticket into a queue or an engineer to
// a ticket. Assignments only take capacity away.
func stirs(e event.Row) bool {
	family, _, _ := strings.Cut(e.Kind, ".")
	switch {
	case e.Kind == "queue.assign" || e.Kind == "ticket.assign":
		return false
	case e.Subject == "ticket" || family == "queue" || family == "team":
		return true
	}
	return e.Kind == "user.disable" || e.Kind == "user.create" || family == "partner" || family == "domain"
}

// Assign serves the automatic queues if there is a reason to.
func (s *Service) Assign(ctx context.Context) error {
	for {
		more, err := s.assign(ctx)
		if err != nil || !more {
			return err
		}
	}
}

func (s *Service) assign(ctx context.Context) (more bool, err error) {
	var (
		from, to     int64
		before, mark string
		stirred      bool
		b            board
	)
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if err := tx.Get("SELECT seq, mark FROM desk_cursors WHERE name = ?", cursorName).Scan(&from, &before); err != nil {
			return err
		}
		events, err := event.After(tx, "", from, readMost)
		if err != nil {
			return err
		}
		to, more, stirred = from, len(events) == readMost, false
		for _, e := range events {
			to, stirred = e.Seq, stirred || stirs(e)
		}
		if b, err = s.board(tx); err != nil {
			return err
		}
		mark = b.mark(tx.Real)
		return nil
	})
	if err != nil || to == from && mark == before {
		return false, err
	}
	if stirred || mark != before {
		var failed error
		for _, q := range b.queues {
			failed = errors.Join(failed, s.serve(ctx, b, q))
		}
		if failed != nil {
			return false, failed // the cursor stays: it is tried again
		}
	}
	// Behind the work: a node that dies meanwhile leaves it to be done again.
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "UPDATE desk_cursors SET seq = ?, mark = ? WHERE name = ? AND seq = ? AND mark = ?", to, mark, cursorName, from, before)
		return nil
	})
	return more, err
}

// serve gives the tickets of a queue to those who fit, the severest and oldest
// first. A ticket that cannot be given for an error keeps nobody else's waiting.
func (s *Service) serve(ctx context.Context, b board, q Queue) (failed error) {
	filter, ok := q.free()
	if !ok {
		return nil
	}
	team, house := b.teams[q.Team], principal.AsSystem(principal.House)
	for after := ""; ; {
		if !slices.ContainsFunc(team, func(e Engineer) bool { return e.Available && e.room() }) {
			return failed
		}
		var rows []ticket.Row
		var refused refusals
		from := after
		err := s.db.View(ctx, func(tx *db.Tx) (err error) {
			if rows, after, err = s.tickets.RowsIn(tx, house, filter, ticket.SortSeverity, from, pageSize); err == nil {
				refused, err = refusalsOf(tx, rows...)
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, t := range rows {
			if t.Ownership != ticket.HouseBusiness || len(fitting(team, t, refused)) == 0 {
				continue
			}
			chosen, err := s.give(ctx, q, t)
			if fault.KindOf(err) == fault.Unavailable {
				return err
			}
			if fault.KindOf(err) == fault.Internal && !errors.Is(err, errNobody) {
				failed = errors.Join(failed, fmt.Errorf("giving ticket %s: %w", t.Number, err))
			}
			// A refusal is somebody's who was faster.
			for i := range team {
				if err == nil && team[i].ID == chosen {
					team[i].Load++
				}
			}
		}
		if after == "" {
			return failed
		}
	}
}

// refusals are who gave a ticket back himself, by ticket id: it is not given to
// him again. Who gave it back by going away can get it.
type refusals map[string]map[string]bool

func refusalsOf(tx *db.Tx, rows ...ticket.Row) (refusals, error) {
	out := refusals{}
	if len(rows) == 0 {
		return out, nil
	}
	var domains, ids []any
	for _, t := range rows {
		ids = append(ids, t.ID)
		if !slices.Contains(domains, any(t.Domain)) {
			domains = append(domains, t.Domain)
		}
	}
	return out, tx.List(func(r db.Row) error {
		var id, actor, data string
		if err := r.Scan(&id, &actor, &data); err != nil {
			return err
		}
		var d struct{ Why string }
		if err := json.Unmarshal([]byte(data), &d); err != nil || d.Why != "" {
			return err
		}
		if out[id] == nil {
			out[id] = map[string]bool{}
		}
		out[id][actor] = true
		return nil
	}, "SELECT subject_id, actor, data FROM events WHERE domain_id IN ("+marks(len(domains))+") AND subject = 'ticket' AND subject_id IN ("+marks(len(ids))+") AND kind = 'ticket.release'",
		append(domains, ids...)...)
}

// fitting are those who could take the ticket now.
func fitting(team []Engineer, t ticket.Row, r refusals) (all []Engineer) {
	for _, e := range team {
		if e.Available && e.room() && e.Skills.lacks(t) == "" && !r[t.ID][e.ID] {
			all = append(all, e)
		}
	}
	return all
}

// choose is whose turn it is. The team stands in the order of ids; a turn goes
// to the next who fits behind the last one. Of equal load the next turn counts.
func (q Queue) choose(all []Engineer) Engineer {
	turn := slices.IndexFunc(all, func(e Engineer) bool { return e.ID > q.last })
	if turn < 0 {
		turn = 0
	}
	chosen := all[turn]
	for i := range all {
		e := all[(turn+i)%len(all)]
		if q.Way == LeastLoaded && e.Load < chosen.Load {
			chosen = e
		}
	}
	return chosen
}

// give gives one ticket of a queue to the engineer whose it is, in one
// transaction with the turn and the event that tells why. It fails with
// errNobody, or with the fault of one who was faster.
func (s *Service) give(ctx context.Context, from Queue, row ticket.Row) (chosen string, err error) {
	house := principal.AsSystem(principal.House)
	house.Via = via("queue", from.ID, "", from.Name)
	_, err = s.tickets.Take(ctx, house, ticket.Step{Number: row.Number, Action: ticket.StepAssign, Begin: func(tx *db.Tx) (ticket.Given, error) {
		chosen = ""
		tx.Lock(principal.House, lockName)
		q, err := queueIn(tx, from.ID)
		if err != nil {
			return ticket.Given{}, err
		}
		t, err := ticket.In(tx, row.Domain, row.ID)
		if err != nil {
			return ticket.Given{}, err
		}
		now, err := ticket.RowByNumber(tx, house, row.Number)
		if err != nil {
			return ticket.Given{}, err
		}
		filter, ok := q.free()
		if q.Way == Manual || !ok || t.Assignee != "" || !t.Status.Open() || t.Ownership != ticket.HouseBusiness || !filter.Matches(now, "", tx.Now) {
			return ticket.Given{}, errNobody
		}
		team, err := s.of(tx, q.Team)
		if err != nil {
			return ticket.Given{}, err
		}
		refused, err := refusalsOf(tx, now)
		if err != nil {
			return ticket.Given{}, err
		}
		fit := fitting(team, now, refused)
		if len(fit) == 0 {
			return ticket.Given{}, errNobody
		}
		e := q.choose(fit)
		chosen = e.ID
		tx.Write(1, "UPDATE desk_queues SET last_user = ?, turns = turns + 1 WHERE id = ?", e.ID, q.ID)
		ticket.Record(tx, house, t, "queue.assign", event.NoLog, "", map[string]any{"queue": q.ID, "way": q.Way, "engineer": e.ID, "turn": q.Turns + 1,
			"load": e.Load, "capacity": e.Limit, "fitting": len(fit), "team": q.Team})
		return ticket.Given{Assignee: e.ID}, nil
	}})
	return chosen, err
}
