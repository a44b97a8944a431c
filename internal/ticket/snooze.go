package ticket

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// How the desk's list treats snoozed tickets.
const (
	SnoozedNot  = "no"
	SnoozedOnly = "only"
	SnoozedAll  = "all"
)

// UntilStirred as the time of a snooze: until the customer stirs.
const UntilStirred = -1

// maxSnooze is how far ahead a ticket can be snoozed.
const maxSnooze = 366 * day

const kindWake = "ticket.wake"

var (
	errSnoozePast = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 须晚于现在，且不超过 366 天", "{field} must be later than now, and by at most 366 days").In("until")
	errAwake      = fault.New(fault.Conflict, fault.CodeNoPermission, "工单未处于延后状态", "the ticket is not snoozed")
	actSnooze     = locale.Texts{ZH: "延后", EN: "snoozed"}
)

// Snooze is a ticket's rest. The zero value is none.
type Snooze struct {
	Until  int64  // milliseconds UTC on the domain's clock, UntilStirred, 0 = it does not rest
	By     string // user id of who snoozed it, "" = Casemate
	ByName string // his log-in name
	At     int64  // since when
}

// wakes tells whether a change wakes the ticket: the customer wrote or urged, another handles it,
// or it is over.
func wakes(before, t Ticket) bool {
	return t.stirred || t.Urges != before.Urges || t.Assignee != before.Assignee || t.Ownership != before.Ownership || !t.Status.Open()
}

func (w *where) snoozed(f DeskFilter) {
	switch {
	case f.Snoozed == SnoozedOnly:
		w.and("snoozed <> 0")
	case f.Snoozed == SnoozedNot, f.Snoozed == "" && strings.TrimSpace(f.Text) == "":
		w.and("snoozed = 0")
	}
}

// snoozesOf fills in which tickets of a page rest.
func snoozesOf(tx *db.Tx, page []DeskTicket) error {
	if len(page) == 0 {
		return nil
	}
	args := make([]any, len(page))
	for i, t := range page {
		args[i] = t.ID
	}
	all := map[string]Snooze{}
	err := tx.List(func(r db.Row) error {
		var id string
		var z Snooze
		err := r.Scan(&id, &z.Until, &z.By, &z.At)
		all[id] = z
		return err
	}, "SELECT ticket_id, snoozed, snoozed_by, snoozed_at FROM desk_tickets WHERE snoozed <> 0 AND ticket_id IN (?"+strings.Repeat(", ?", len(page)-1)+")", args...)
	for i := range page {
		page[i].Snooze = all[page[i].ID]
	}
	return err
}

// Snooze takes an open ticket out of the desk's lists until an instant
// (milliseconds UTC, at most 366 days ahead) or, with UntilStirred, until its
// customer writes or urges; these, a new handler and its end wake it in any
// case. A second time replaces the first. Version is the revision the engineer
// saw, 0 = whatever it is. The ticket's own revision does not change. Failures:
// OSM.01010015 (no such ticket), .02 (state, role, stale version), .01 (time).
func (s *Service) Snooze(ctx context.Context, who principal.Principal, number string, until, version int64) (t Ticket, err error) {
	if t, ctx, err = s.working(ctx, who, number); err != nil {
		return t, err
	}
	now := s.db.NowIn(ctx).UnixMilli()
	if until != UntilStirred && (until <= now || until > now+ms(maxSnooze)) {
		return t, errSnoozePast
	}
	found := t
	return db.Do(ctx, s.db, func(tx *db.Tx) (Ticket, error) {
		t, err := ticketIn(tx, found.Domain, found.ID)
		if err != nil {
			return t, err
		}
		switch err := sees(tx, who, t); {
		case err != nil:
			return t, err
		case version != 0 && version != t.Revision:
			return t, ErrVersion
		case !t.Status.Open():
			return t, errState(actSnooze, t.Status)
		}
		tx.Write(1, "UPDATE desk_tickets SET snoozed = ?, snoozed_by = ?, snoozed_at = ? WHERE ticket_id = ?", until, writer(who), tx.Now, t.ID)
		data := map[string]any{"until": until}
		if until != UntilStirred {
			job.Enqueue(tx, job.Job{Kind: kindWake, Domain: t.Domain, Args: wake{t.Domain, t.ID, until}, At: until, Unique: fmt.Sprint(t.ID, "/", until)})
		}
		event.Record(tx, who, event.Event{Domain: t.Domain, Kind: "ticket.snooze", Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: event.NoLog, Data: data})
		return t, nil
	})
}

// Unsnooze wakes a ticket. It fails with OSM.01010002 when it does not rest.
func (s *Service) Unsnooze(ctx context.Context, who principal.Principal, number string) (Ticket, error) {
	found, ctx, err := s.working(ctx, who, number)
	if err != nil {
		return found, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Ticket, error) {
		t, err := ticketIn(tx, found.Domain, found.ID)
		if err != nil {
			return t, err
		}
		if err := sees(tx, who, t); err != nil {
			return t, err
		}
		_, some, err := awake(tx, t.ID, "snoozed <> 0")
		if err == nil && !some {
			err = errAwake
		}
		if err != nil {
			return t, err
		}
		event.Record(tx, who, event.Event{Domain: t.Domain, Kind: "ticket.unsnooze", Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: event.NoLog})
		return t, nil
	})
}

// awake ends the rest of a ticket and tells whether it rested so, and by whom.
func awake(tx *db.Tx, id, cond string, args ...any) (by string, some bool, err error) {
	err = tx.List(func(r db.Row) error {
		some = true
		return r.Scan(&by)
	}, "UPDATE desk_tickets SET snoozed = 0 WHERE ticket_id = ? AND "+cond+" RETURNING snoozed_by", append([]any{id}, args...)...)
	return by, some, err
}

// working finds a ticket for one who works on it, with its domain's clock.
func (s *Service) working(ctx context.Context, who principal.Principal, number string) (Ticket, context.Context, error) {
	if err := mayWork(who); err != nil {
		return Ticket{}, ctx, err
	}
	t, err := s.deskTicketOf(ctx, who, number)
	if err != nil {
		return t, ctx, err
	}
	ctx, err = s.ident.OnClock(ctx, t.Domain)
	return t, ctx, err
}

// wake is a waking job's argument. It is stale when the ticket rests until
// another instant, or not at all.
type wake struct {
	Domain string `json:"domain"`
	Ticket string `json:"ticket"`
	Until  int64  `json:"until"`
}

func (s *Service) wakeUp(ctx context.Context, r job.Running) error {
	var k wake
	if err := json.Unmarshal(r.Args, &k); err != nil {
		return fmt.Errorf("%w: %w", job.ErrDrop, err)
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		t, err := ticketIn(tx, k.Domain, k.Ticket)
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		by, some, err := awake(tx, t.ID, "snoozed = ?", k.Until)
		if err != nil || !some {
			return err
		}
		data := map[string]any{"until": k.Until}
		if t.Assignee == "" {
			data["engineer"] = by // nobody handles it: who put it to sleep is told
		}
		event.Record(tx, principal.AsSystem(k.Domain), event.Event{Domain: t.Domain, Kind: kindWake, Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: event.NoLog, Data: data})
		return nil
	})
}

// wakeKind is the job of instants at which tickets wake.
func (s *Service) wakeKind() job.Kind {
	return job.Kind{Name: kindWake, Run: s.wakeUp, Timeout: time.Minute}
}
