package ticket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/job"
	"casemate/internal/principal"
	"casemate/internal/sla"
)

// Marks of clocks, and the events of what they tell.
const (
	markWarned     = "warned"
	markEscalated  = "escalated"
	markBreached   = "breached"
	eventWarned    = "sla." + markWarned
	eventEscalated = "sla." + markEscalated
	eventBreached  = "sla." + markBreached
)

const insertMark = "INSERT INTO ticket_sla_marks (domain_id, ticket_id, clock, mark, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"

// ring is something a clock has to tell.
type ring struct {
	clock sla.Clock
	mark  string
}

// rings are what the clocks have to tell now, whether or not it was told. Of the
// marks a clock has passed it is the last one; but a breach is always told. A
// missed target is told even when it was answered since, if it was missed at
// the alarm or later; who missed it already is not warned.
func rings(all []sla.Clock, a alarm, now int64) (out []ring) {
	for _, c := range all {
		switch {
		case !c.Open():
			if c.Due > 0 && c.End > c.Due && c.Due+1 >= a.At {
				out = append(out, ring{c, markBreached})
			}
		case c.Due > 0 && now > c.Due:
			if out = append(out, ring{c, markBreached}); c.Escalate > c.Due && now > c.Escalate {
				out = append(out, ring{c, markEscalated})
			}
		case c.Escalate > 0 && now > c.Escalate && (c.Escalate >= c.Warn || c.Warn == 0 || now < c.Warn):
			out = append(out, ring{c, markEscalated})
		case c.Warn > 0 && now >= c.Warn:
			out = append(out, ring{c, markWarned})
		}
	}
	return out
}

var (
	errMoved = errors.New("the ticket has changed while its clocks were read")
	errEarly = errors.New("the domain's clock was just moved and is not known here yet")
)

// alarm is the job: it records what clocks have to tell, each at most once,
// whatever clocks jump and however often it runs, and enqueues the next alarm.
// Notices follow from the record (Follow).
func (s *Service) alarm(ctx context.Context, r job.Running) error {
	var a alarm
	if err := json.Unmarshal(r.Args, &a); err != nil {
		return fmt.Errorf("%w: %w", job.ErrDrop, err)
	}
	for try := 0; ; try++ {
		err := s.sound(ctx, a)
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
		if !errors.Is(err, errMoved) || try == 3 {
			return err
		}
	}
}

func (s *Service) sound(ctx context.Context, a alarm) error {
	var found Clocks
	var marked map[string]bool
	err := s.db.View(ctx, func(tx *db.Tx) error {
		t, err := ticketIn(tx, a.Domain, a.Ticket)
		if err != nil {
			return err
		}
		if found, err = s.clocksIn(tx, t); err != nil {
			return err
		}
		marked, err = marksOf(tx, t)
		return err
	})
	if err != nil || found.Ticket.pace.Rule == "" {
		return err
	}
	if found.Now < a.At {
		return errEarly // the queue tries again
	}
	var tell []ring
	for _, r := range rings(found.All, a, found.Now) {
		if !marked[r.key()] {
			tell = append(tell, r)
		}
	}
	// From the history, not from the row: what a node of an older version did is
	// missing there, and is put right here.
	p, g := found.policy, found.policy.Gauge(found.history)
	next := p.Alarm(p.Step(g, sla.Moment{At: found.Now, State: g.State}))
	due, kind := p.Due(g)
	wrong := due != found.Ticket.Due || kind != found.Ticket.DueKind
	if len(tell) == 0 && next == 0 && !wrong {
		return nil
	}
	who := principal.AsSystem(a.Domain)
	return s.db.Update(ctx, func(tx *db.Tx) error {
		t, err := ticketIn(tx, a.Domain, a.Ticket)
		if err != nil {
			return err
		}
		if t.Revision != found.Ticket.Revision || t.pace.Rule != found.Ticket.pace.Rule {
			return errMoved
		}
		for _, r := range tell {
			var one string
			err := tx.Get(insertMark+" RETURNING clock", t.Domain, t.ID, r.clock.Name(), r.mark, tx.Now).Scan(&one)
			if errors.Is(err, db.ErrNone) {
				continue // another run has told it
			}
			if err != nil {
				return err
			}
			event.Record(tx, who, event.Event{Domain: t.Domain, Kind: "sla." + r.mark, Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: event.NoLog,
				Data: map[string]any{"clock": r.clock.Kind, "n": r.clock.N, "target": r.clock.Target, "used": r.clock.Used, "due": r.clock.Due, "assignee": t.Assignee}})
		}
		if next > 0 {
			enqueueAlarm(tx, t, next)
		}
		if wrong {
			t.pace.Gauge = g
			t.setClocks(tx, p)
			writePace(tx, t)
		}
		return nil
	})
}

func (r ring) key() string { return r.clock.Name() + "/" + r.mark }

func marksOf(tx *db.Tx, t Ticket) (map[string]bool, error) {
	all := map[string]bool{}
	err := tx.List(func(r db.Row) error {
		var clock, mark string
		err := r.Scan(&clock, &mark)
		all[clock+"/"+mark] = true
		return err
	}, "SELECT clock, mark FROM ticket_sla_marks WHERE domain_id = ? AND ticket_id = ?", t.Domain, t.ID)
	return all, err
}

// supervisors are who is told of missed targets: the house's supervisors, or its
// administrators while it has none.
func (s *Service) supervisors(ctx context.Context) (ids []string, err error) {
	people, err := s.ident.Users(ctx, principal.AsSystem(principal.House), principal.House)
	for _, role := range []string{principal.RoleSupervisor, principal.RoleAdministrator} {
		for _, u := range people {
			if u.Has(role) && u.Partner == "" && !u.Disabled {
				ids = append(ids, u.ID)
			}
		}
		if len(ids) > 0 {
			break
		}
	}
	return ids, err
}
