package ticket

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/job"
	"casemate/internal/principal"
	"casemate/internal/sla"
)

// A ticket keeps its rule whatever the catalogue becomes. Whoever changes the
// catalogue may decide otherwise: then the open tickets go by what it promises
// now, as after a change of severity: clocks that are open are counted anew from
// their beginning, those that have stopped keep theirs.

const (
	eventTurned = "sla.turned"
	kindTurn    = "ticket.turn" // the job
	turnPage    = 250
)

// Turn is what another catalogue would make of an open ticket's clocks.
type Turn struct {
	Number      string
	Before      int64 // what is due next, milliseconds UTC, 0 = nothing that is known
	After       int64
	KindBefore  sla.Kind // whose that is
	KindAfter   sla.Kind
	Clocks      []string // names of the clocks that differ, e.g. resolution.1
	Rule, Other string   // ids of the rules
}

// Turns are the open tickets, sandboxes' left out, whose clocks would be others
// by the rules of another catalogue: so many of them, oldest first, and how many
// there are. It reads only.
func (s *Service) Turns(ctx context.Context, other *catalog.Catalog, limit int) (some []Turn, total int, err error) {
	for after := ""; ; {
		var next string
		var found []Turn
		err := s.db.View(ctx, func(tx *db.Tx) (err error) {
			found = nil
			page, n, err := s.stillOpen(tx, after)
			if err != nil {
				return err
			}
			next = n
			page = slices.DeleteFunc(page, func(t Ticket) bool {
				return t.pace.Rule == "" || t.pace.Rule == other.Promise(t.Plan, t.Severity, t.ProblemType).ID()
			})
			rows, err := eventsOf(tx, page)
			if err != nil {
				return err
			}
			for _, t := range page {
				turn, err := turnOf(tx, t, rows[t.ID], other.Promise(t.Plan, t.Severity, t.ProblemType))
				if err != nil {
					return err
				}
				if len(turn.Clocks) > 0 {
					found = append(found, turn)
				}
			}
			return nil
		})
		if err != nil {
			return nil, 0, err
		}
		total += len(found)
		some = append(some, found[:min(len(found), max(limit-len(some), 0))]...)
		if after = next; after == "" {
			return some, total, nil
		}
	}
}

// stillOpen reads open tickets by their ids, which rise with their creation.
func (s *Service) stillOpen(tx *db.Tx, after string) (page []Ticket, next string, err error) {
	var keys [][2]string
	err = tx.List(func(r db.Row) error {
		var k [2]string
		err := r.Scan(&k[0], &k[1])
		keys = append(keys, k)
		return err
	}, "SELECT domain_id, ticket_id FROM desk_tickets WHERE "+openRows+" AND ticket_id > ? ORDER BY ticket_id LIMIT ?", after, turnPage)
	if err != nil {
		return nil, "", err
	}
	if len(keys) == turnPage {
		next = keys[len(keys)-1][1]
	}
	all, err := s.deskIn(tx, keys...)
	for _, t := range all {
		page = append(page, t.Ticket)
	}
	return page, next, err
}

// turnOf compares a ticket's clocks with those it would have by another rule.
func turnOf(tx *db.Tx, t Ticket, rows []event.Row, other *sla.Policy) (out Turn, err error) {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r event.Row) bool { return slices.Contains(aside, r.Kind) })
	p, err := ruleIn(tx, t.pace.Rule)
	if err != nil {
		return out, err
	}
	reign, err := reigns(tx, rows, p)
	if err != nil {
		return out, err
	}
	h := history(rows)
	then := slices.Clone(reign)
	then[len(then)-1].Until = tx.Now
	then = append(then, sla.Reign{Policy: other})
	out = Turn{Number: t.Number, Before: t.Due, KindBefore: t.DueKind, Rule: p.ID(), Other: other.ID()}
	out.After, out.KindAfter = other.Due(other.Gauge(h))
	all := map[string][2]sla.Clock{}
	for side, clocks := range [2][]sla.Clock{sla.ClocksOf(reign, h, tx.Now), sla.ClocksOf(then, h, tx.Now)} {
		for _, c := range clocks {
			pair := all[c.Name()]
			pair[side] = c
			all[c.Name()] = pair
		}
	}
	for name, pair := range all {
		a, b := pair[0], pair[1]
		if a.Kind != b.Kind || a.Target != b.Target || a.Due != b.Due || a.Warn != b.Warn || a.Escalate != b.Escalate || a.State != b.State || a.Used != b.Used {
			out.Clocks = append(out.Clocks, name)
		}
	}
	slices.Sort(out.Clocks)
	return out, nil
}

// turning is the job's argument.
type turning struct {
	Catalog int64 `json:"catalog"` // version of the catalogue that made it necessary
}

// TurnIn makes all open tickets go by what the catalogue promises that the
// caller's transaction puts in force: a job does so, behind the commit.
func TurnIn(tx *db.Tx, version int64) {
	job.Enqueue(tx, job.Job{Kind: kindTurn, Args: turning{version}, Unique: fmt.Sprint(version)})
}

func (s *Service) turnKind() job.Kind {
	return job.Kind{Name: kindTurn, Run: s.turnAll, Timeout: 10 * time.Minute}
}

// turnAll is the job. What it has done already it leaves as it is, so that it
// can run again.
func (s *Service) turnAll(ctx context.Context, r job.Running) error {
	var a turning
	if err := json.Unmarshal(r.Args, &a); err != nil {
		return fmt.Errorf("%w: %w", job.ErrDrop, err)
	}
	if err := s.catalog.Refresh(ctx); err != nil {
		return err
	}
	for range maxTurns {
		n, err := s.turnOnce(ctx)
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// maxTurns bounds how often the job looks again: a step that was being taken
// while a ticket was turned writes the clocks as it read them.
const maxTurns = 10

// turnOnce turns the tickets that are not, and tells how many those were.
func (s *Service) turnOnce(ctx context.Context) (n int, err error) {
	for after := ""; ; {
		var page []Ticket
		var next string
		err := s.db.View(ctx, func(tx *db.Tx) (err error) { page, next, err = s.stillOpen(tx, after); return err })
		if err != nil {
			return n, err
		}
		for _, t := range page {
			turned, err := s.turn(ctx, t)
			if err != nil {
				return n, err
			}
			if turned {
				n++
			}
		}
		if after = next; after == "" {
			return n, nil
		}
	}
}

// turn makes one ticket go by what the catalogue in force promises. It is no
// change of the ticket, as no alarm is one.
func (s *Service) turn(ctx context.Context, seen Ticket) (done bool, err error) {
	p := s.catalog.Now().Promise(seen.Plan, seen.Severity, seen.ProblemType)
	if seen.pace.Rule == "" || seen.pace.Rule == p.ID() {
		return false, nil
	}
	ctx, err = s.ident.OnClock(ctx, seen.Domain)
	if err != nil {
		return false, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		done = false
		t, err := ticketIn(tx, seen.Domain, seen.ID)
		if err != nil {
			return err
		}
		p := s.catalog.Now().Promise(t.Plan, t.Severity, t.ProblemType)
		if !t.Status.Open() || t.pace.Rule == "" || t.pace.Rule == p.ID() {
			return nil
		}
		h, err := historyOf(tx, t)
		if err != nil {
			return err
		}
		from := t.pace.Rule
		s.storeRule(tx, p)
		t.pace = pace{Rule: p.ID(), Gauge: p.Gauge(h)}
		t.setClocks(tx, p)
		enqueueAlarm(tx, t, tx.Now) // what is used up already by the other rule is told at once
		writePace(tx, t)
		event.Record(tx, principal.AsSystem(t.Domain), event.Event{Domain: t.Domain, Kind: eventTurned, Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: event.NoLog,
			Data: map[string]any{"rule_from": from, "rule_to": p.ID()}})
		done = true
		return nil
	})
	return done, err
}

// Moved are the numbers of the open tickets that are in one filter and not in
// another, nil = none is: so many of them, oldest first, and how many there are.
// Filters that look at who asks ("me") have no tickets by themselves: both lists
// are empty then.
func Moved(tx *db.Tx, from, notIn *RowFilter, limit int) (numbers []string, total int, err error) {
	if from == nil || from.Assignee == Me || notIn != nil && notIn.Assignee == Me {
		return nil, 0, nil
	}
	who := principal.AsSystem(principal.House)
	w := from.where(who, tx.Now)
	w.and(openRows)
	if notIn != nil {
		o := notIn.where(who, tx.Now)
		w.and("NOT ("+strings.Join(o.cond, " AND ")+")", o.args...)
	}
	return openNumbers(tx, w, limit)
}

// Using are the numbers of the open tickets with an entry of the catalogue: so
// many of them, oldest first, and how many there are. Kinds that tickets do not
// name have none.
func Using(tx *db.Tx, kind catalog.Kind, id string, limit int) (numbers []string, total int, err error) {
	column, ok := map[catalog.Kind]string{catalog.KindProduct: "product", catalog.KindProblemType: "problem_type", catalog.KindSubType: "sub_type",
		catalog.KindSeverity: "severity", catalog.KindPlan: "plan", catalog.KindRegion: "region"}[kind]
	if !ok {
		return nil, 0, nil
	}
	var w where
	w.and(openRows)
	w.and(column+" = ?", id)
	return openNumbers(tx, w, limit)
}

func openNumbers(tx *db.Tx, w where, limit int) (numbers []string, total int, err error) {
	cond := strings.Join(w.cond, " AND ")
	if err := tx.Get("SELECT count(*) FROM desk_tickets WHERE "+cond, w.args...).Scan(&total); err != nil || total == 0 {
		return nil, total, err
	}
	err = tx.List(func(r db.Row) error {
		var n string
		err := r.Scan(&n)
		numbers = append(numbers, n)
		return err
	}, "SELECT number FROM desk_tickets WHERE "+cond+" ORDER BY ticket_id LIMIT ?", append(slices.Clone(w.args), limit)...)
	return numbers, total, err
}
