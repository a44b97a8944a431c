package authorization

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/job"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// What time and the ticket's end do: a request nobody answers and a grant whose
// window is over expire; with its ticket every authorization ends.
const kindClock = "authorization.clock"

// tick is a clock job's argument; it is stale when the authorization is due at
// another moment.
type tick struct {
	Domain        string `json:"domain"`
	Authorization string `json:"authorization"`
	Due           int64  `json:"due"`
}

func (s *Service) startClock(tx *db.Tx, a Authorization) {
	job.Enqueue(tx, job.Job{Kind: kindClock, Domain: a.Domain, Args: tick{a.Domain, a.ID, a.Due}, At: a.Due, Unique: fmt.Sprint(a.ID, "/", a.Due)})
}

// Kinds are the jobs of the package, for the runner.
func (s *Service) Kinds() []job.Kind {
	return []job.Kind{{Name: kindClock, Run: s.clock, Timeout: time.Minute}}
}

// Periodic is the package's regular work, for the runner.
func (s *Service) Periodic() []job.Periodic {
	return []job.Periodic{
		{Name: "authorizations of ended tickets", Every: time.Second, Run: s.Follow},
		{Name: "authorizations left over", Every: 10 * time.Minute, Run: s.Sweep},
		{Name: "tries of host logins", Every: time.Hour, Run: s.purgeChecks},
	}
}

func (s *Service) clock(ctx context.Context, r job.Running) error {
	var k tick
	if err := json.Unmarshal(r.Args, &k); err != nil {
		return fmt.Errorf("%w: %w", job.ErrDrop, err)
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		before, err := load(tx, k.Domain, k.Authorization)
		if errors.Is(err, ErrNone) || err == nil && before.Due != k.Due {
			return nil
		}
		if err != nil {
			return err
		}
		return s.expire(tx, before, causeTime)
	})
}

// expire ends an open authorization for the system.
func (s *Service) expire(tx *db.Tx, before Authorization, cause string) error {
	if !before.Status.Open() {
		return nil
	}
	a := before
	a.Status = Expired
	a = end(tx, before, a)
	record(tx, principal.AsSystem(a.Domain), a, "expire", map[string]any{"from": before.Status, "cause": cause})
	t, err := ticket.In(tx, a.Domain, a.Ticket)
	if err != nil {
		return err
	}
	kind := "ticket.authorization.expire"
	if cause == causeTicket {
		kind = "ticket.authorization.end"
	}
	beside(tx, principal.AsSystem(a.Domain), a, t, kind)
	return nil
}

// beside is a line of the desk's history of the ticket; the customer's operation
// log has his own answers only.
func beside(tx *db.Tx, who principal.Principal, a Authorization, t ticket.Ticket, kind string) {
	ticket.Record(tx, who, t, kind, event.NoLog, "", map[string]any{"authorization": a.ID, "engineer": a.Engineer})
}

// The reader of sealed events. It is the way up: tickets know nothing of
// authorizations.
const (
	cursorName = "tickets"
	readMost   = 500
)

// Follow reads the history behind the cursor and ends the authorizations of
// tickets that have ended; those of deleted tickets are hidden from the
// customer as well. It runs again safely; whoever reads an authorization before
// looks at the ticket himself.
func (s *Service) Follow(ctx context.Context) error {
	for {
		more, err := s.follow(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// ended is a ticket that may have left its open states.
type ended struct{ domain, ticket string }

func (s *Service) follow(ctx context.Context) (more bool, err error) {
	var (
		from, to int64
		known    bool
		gone     []ended
	)
	err = s.db.View(ctx, func(tx *db.Tx) error {
		err := tx.Get("SELECT seq FROM authorization_cursor WHERE name = ?", cursorName).Scan(&from)
		if known = !errors.Is(err, db.ErrNone); !known {
			from, err = 0, nil // from the beginning
		}
		if err != nil {
			return err
		}
		rows, err := event.After(tx, "", from, readMost)
		if err != nil {
			return err
		}
		gone, to = nil, from
		for _, r := range rows {
			to = r.Seq
			var step struct{ From, To *ticket.Status }
			if r.Subject != "ticket" || json.Unmarshal(r.Data, &step) != nil || step.To == nil || step.To.Open() {
				continue
			}
			gone = append(gone, ended{r.Domain, r.SubjectID})
		}
		more = len(rows) == readMost
		return nil
	})
	if err != nil || known && to == from {
		return false, err
	}
	for _, g := range gone {
		if err := s.endTicket(ctx, g); err != nil {
			return false, err
		}
	}
	return more, s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(1, `INSERT INTO authorization_cursor (name, seq) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET seq = CASE WHEN excluded.seq > authorization_cursor.seq THEN excluded.seq ELSE authorization_cursor.seq END`, cursorName, to)
		return nil
	})
}

// Sweep ends what the reader cannot have seen: an authorization asked for in
// the very moment its ticket ended.
func (s *Service) Sweep(ctx context.Context) error {
	var all []ended
	err := s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			var g ended
			err := r.Scan(&g.domain, &g.ticket)
			all = append(all, g)
			return err
		}, "SELECT DISTINCT domain_id, ticket_id FROM desk_authorizations WHERE status IN (0, 1, 6)")
	})
	if err != nil {
		return err
	}
	for _, g := range all {
		if err := s.endTicket(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// endTicket ends a ticket's authorizations when the ticket has ended.
func (s *Service) endTicket(ctx context.Context, g ended) error {
	some := 0
	err := s.db.View(ctx, func(tx *db.Tx) error { // mostly there is nothing to do: do not trouble the writer
		t, err := ticket.In(tx, g.domain, g.ticket)
		if fault.KindOf(err) == fault.NotFound || err == nil && t.Status.Open() {
			some = 0
			return nil
		}
		if err != nil {
			return err
		}
		return tx.Get("SELECT count(*) FROM authorizations WHERE domain_id = ? AND ticket_id = ?", g.domain, g.ticket).Scan(&some)
	})
	if err != nil || some == 0 {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		t, err := ticket.In(tx, g.domain, g.ticket)
		if fault.KindOf(err) == fault.NotFound || err == nil && t.Status.Open() {
			return nil // gone, or open again meanwhile
		}
		if err != nil {
			return err
		}
		var all []Authorization
		err = tx.List(func(r db.Row) error {
			a, err := scan(r)
			all = append(all, a)
			return err
		}, "SELECT "+columns+" FROM authorizations WHERE domain_id = ? AND ticket_id = ?", g.domain, g.ticket)
		if err != nil {
			return err
		}
		for _, a := range all {
			if err := s.expire(tx, a, causeTicket); err != nil {
				return err
			}
		}
		if t.Status == ticket.Deleted {
			tx.Write(db.Any, "UPDATE authorizations SET hidden = 1 WHERE domain_id = ? AND ticket_id = ?", g.domain, g.ticket)
		}
		return nil
	})
}
