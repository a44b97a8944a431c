package ticket

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/job"
	"casemate/internal/principal"
	"casemate/internal/sla"
)

// A ticket keeps the rule that was in force when it was created: the targets of
// its plan and severity with their calendar. What its clocks say comes from its
// history (Clocks); in its row it carries just enough to tell, in the
// transaction of each step, what is due next.
type pace struct {
	Rule  string    `json:"rule"` // id in sla_rules
	Gauge sla.Gauge `json:"gauge"`
	Alarm int64     `json:"alarm,omitempty"` // for which a job was enqueued last
	Due   int64     `json:"due,omitempty"`   // of the nearest running target
	Kind  sla.Kind  `json:"kind,omitempty"`  // whose that is
}

// rules are all rules this process has seen. They are named by their content, so
// every store and every node means the same by a name.
var rules sync.Map // id -> *sla.Policy

func keepRule(p *sla.Policy) { rules.LoadOrStore(p.ID(), p) }

// ruleIn finds a rule, in memory nearly always.
func ruleIn(tx *db.Tx, id string) (*sla.Policy, error) {
	if p, ok := rules.Load(id); ok {
		return p.(*sla.Policy), nil
	}
	var data string
	if err := tx.Get("SELECT data FROM sla_rules WHERE id = ?", id).Scan(&data); err != nil {
		return nil, fmt.Errorf("rule %s of clocks: %w", id, err)
	}
	p, err := sla.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("rule %s of clocks: %w", id, err)
	}
	keepRule(p)
	return p, nil
}

// loadRules reads all stored rules, so that steps need not.
func (s *Service) loadRules(ctx context.Context) error {
	return s.db.View(ctx, func(tx *db.Tx) error {
		return tx.List(func(r db.Row) error {
			var data string
			if err := r.Scan(&data); err != nil {
				return err
			}
			p, err := sla.Parse(data)
			if err == nil {
				keepRule(p)
				s.storedRules.Store(p.ID(), true)
			}
			return err
		}, "SELECT data FROM sla_rules")
	})
}

// readPace takes apart what a ticket's row has of its clocks.
func (t *Ticket) readPace(text string) error {
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), &t.pace); err != nil {
		return fmt.Errorf("clocks of %s: %w", t.Number, err)
	}
	t.Due, t.DueKind = t.pace.Due, t.pace.Kind
	return nil
}

func (c pace) text() string {
	if c.Rule == "" {
		return ""
	}
	b, err := json.Marshal(c)
	if err != nil { // numbers and short words always marshal
		panic(err)
	}
	return string(b)
}

// startClocks gives a new ticket its rule, which the same transaction stores,
// and its first due instant.
func (s *Service) startClocks(tx *db.Tx, t *Ticket) {
	p := s.catalog.Now().Promise(t.Plan, t.Severity, t.ProblemType)
	s.storeRule(tx, p)
	t.pace = pace{Rule: p.ID(), Gauge: p.Begin(tx.Now)}
	t.setClocks(tx, p)
}

// storeRule stores a rule unless this process knows that it is stored: by the
// commit of an earlier transaction.
func (s *Service) storeRule(tx *db.Tx, p *sla.Policy) {
	keepRule(p)
	if _, ok := s.storedRules.Load(p.ID()); ok {
		return
	}
	tx.Write(db.Any, "INSERT INTO sla_rules (id, data, created_at) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING", p.ID(), p.Data(), tx.Real)
	tx.After(func() { s.storedRules.Store(p.ID(), true) })
}

// stepClocks moves a ticket's clocks on to what was just done to it; change
// calls it.
func stepClocks(tx *db.Tx, before Ticket, t *Ticket) {
	answer, customer, quiet, turned := t.answered, t.heard, t.quiet, t.turned
	t.answered, t.heard, t.quiet, t.turned = false, false, false, nil
	if before.pace.Rule == "" {
		return
	}
	p, err := ruleIn(tx, before.pace.Rule)
	if err != nil { // the transaction fails with it
		return
	}
	t.pace = before.pace
	gauge := before.pace.Gauge
	if turned != nil {
		p, gauge = turned.policy, turned.policy.Gauge(turned.history)
		t.pace.Rule = p.ID()
		enqueueAlarm(tx, *t, tx.Now) // what is used up already by the other rule is told at once
	}
	t.pace.Gauge = p.Step(gauge, sla.Moment{At: tx.Now, State: int(t.Status), Answer: answer, Customer: customer, Quiet: quiet, Urge: t.Urges > before.Urges})
	t.setClocks(tx, p)
}

// setClocks fills in what follows from the gauge, and enqueues the next alarm.
func (t *Ticket) setClocks(tx *db.Tx, p *sla.Policy) {
	c := &t.pace
	c.Due, c.Kind = p.Due(c.Gauge)
	t.Due, t.DueKind = c.Due, c.Kind
	if at := p.Alarm(c.Gauge); at != c.Alarm {
		if c.Alarm = at; at > 0 {
			enqueueAlarm(tx, *t, at)
		}
	}
}

// kindAlarm is the job that warns of a target that is nearly used up, or tells
// that it is missed.
const kindAlarm = "ticket.sla"

// alarm is its argument. It is never stale: the job looks at the clocks as they
// are when it runs and tells what was not told.
type alarm struct {
	Domain string `json:"domain"`
	Ticket string `json:"ticket"`
	At     int64  `json:"at"`
}

func enqueueAlarm(tx *db.Tx, t Ticket, at int64) {
	job.Enqueue(tx, job.Job{Kind: kindAlarm, Domain: t.Domain, Args: alarm{t.Domain, t.ID, at}, At: at, Unique: fmt.Sprint(t.ID, "/", at)})
}

// history is what happened to a ticket that its clocks go by. An answer is what
// an engineer or a partner says to the customer by hand; what Casemate says
// itself is none, nor is a note. The customer's first word is the creation;
// what he said in another ticket counts from when it came (waiting.go).
func history(rows []event.Row) []sla.Moment {
	var out []sla.Moment
	state := Submitted
	for _, r := range rows {
		var data struct {
			From  *Status `json:"from"`
			To    *Status `json:"to"`
			Heard bool    `json:"heard"`
			Quiet bool    `json:"quiet"`
		}
		err := json.Unmarshal(r.Data, &data)
		if err == nil && data.From != nil && data.To != nil && data.From.Known() && data.To.Known() {
			state = *data.To
		}
		m := sla.Moment{At: r.At, State: int(state)}
		switch r.Kind {
		case "ticket.create":
			m.Customer = true
		case "ticket.reply":
			m.Answer, m.Customer = r.ActorKind == principal.Engineer, r.ActorKind == principal.Customer
		case "ticket.ask", "ticket.resolve":
			m.Answer = r.ActorKind == principal.Engineer
		case "ticket.urge":
			m.Urge = true
		case kindAbsorb, kindReceive, kindMove, kindSplit, kindUndo:
			m.Customer, m.Quiet = err == nil && data.Heard, err == nil && data.Quiet
		}
		out = append(out, m)
	}
	return out
}

// What is read of one ticket's history: all of it, but of a very long one its
// beginning and its newest events.
const (
	maxBeginning = 1_000
	maxHistory   = 50_000
)

// aside are kinds of events that change nothing of a ticket and may be many.
var aside = []string{"ticket.reveal", "ticket.follow", "ticket.unfollow", kindMention, "ticket.export"}

// courseOf is what happened to a ticket, in the order of its revisions.
func courseOf(tx *db.Tx, domain, id string) ([]event.Row, error) {
	return event.Course(tx, domain, "ticket", id, aside, maxBeginning, maxHistory)
}

func historyOf(tx *db.Tx, t Ticket) ([]sla.Moment, error) {
	rows, err := courseOf(tx, t.Domain, t.ID)
	return history(rows), err
}

// ruleOf is the rule of a ticket; one from before there were clocks goes by the
// catalogue in force.
func (s *Service) ruleOf(tx *db.Tx, t Ticket) (*sla.Policy, error) {
	if t.pace.Rule == "" {
		return s.catalog.Now().Promise(t.Plan, t.Severity, t.ProblemType), nil
	}
	return ruleIn(tx, t.pace.Rule)
}

// Clocks are the clocks of a ticket as of an instant.
type Clocks struct {
	Ticket Ticket
	Rule   sla.Rule
	RuleID string
	Now    int64 // on the clock of the ticket's domain, milliseconds UTC
	All    []sla.Clock

	policy  *sla.Policy
	history []sla.Moment
}

func (s *Service) clocksIn(tx *db.Tx, t Ticket) (Clocks, error) {
	p, err := s.ruleOf(tx, t)
	if err != nil {
		return Clocks{}, err
	}
	rows, err := courseOf(tx, t.Domain, t.ID)
	if err != nil {
		return Clocks{}, err
	}
	all, err := reigns(tx, rows, p)
	h := history(rows)
	return Clocks{Ticket: t, Rule: p.Rule, RuleID: p.ID(), Now: tx.Now, All: sla.ClocksOf(all, h, tx.Now), policy: p, history: h}, err
}

// Clocks computes the clocks of a ticket that the caller, a customer, may see;
// fault.NoTicket for others.
func (s *Service) Clocks(ctx context.Context, who principal.Principal, number, group string) (out Clocks, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		t, err := visible(tx, who, number, group)
		if err != nil {
			return err
		}
		out, err = s.clocksIn(tx, t)
		return err
	})
	return out, err
}

// DeskClocks computes the clocks of a ticket of any domain, on its clock, for
// the desk; a partner's people get them of what is theirs.
func (s *Service) DeskClocks(ctx context.Context, who principal.Principal, number string) (out Clocks, err error) {
	if err := maySee(who); err != nil {
		return out, err
	}
	seen, err := s.deskTicketOf(ctx, who, number)
	if err != nil {
		return out, err
	}
	if ctx, err = s.ident.OnClock(ctx, seen.Domain); err != nil {
		return out, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		t, err := ticketIn(tx, seen.Domain, seen.ID)
		if err != nil {
			return err
		}
		out, err = s.clocksIn(tx, t)
		return err
	})
	return out, err
}

// adoptMost is how many tickets a run of Adopt takes.
const adoptMost = 200

// Adopt gives open tickets from before there were clocks the rule that the
// catalogue in force has for them, with what their history says. What they have
// missed by then is not told: it would be news of the upgrade, not of the tickets.
func (s *Service) Adopt(ctx context.Context) error {
	for {
		var found []Ticket
		err := s.db.View(ctx, func(tx *db.Tx) error {
			found = nil
			return tx.List(func(r db.Row) error {
				t, err := scan(r)
				found = append(found, t)
				return err
			}, "SELECT "+columns+" FROM tickets /* all domains: what an upgrade left */ WHERE sla = '' AND status IN (0, 1, 2, 5, 17) LIMIT ?", adoptMost)
		})
		if err != nil || len(found) == 0 {
			return err
		}
		for _, t := range found {
			if err := s.adopt(ctx, t); err != nil {
				return err
			}
		}
		if len(found) < adoptMost {
			return nil
		}
	}
}

func (s *Service) adopt(ctx context.Context, seen Ticket) error {
	ctx, err := s.ident.OnClock(ctx, seen.Domain)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		t, err := ticketIn(tx, seen.Domain, seen.ID)
		if err != nil || t.pace.Rule != "" {
			return err
		}
		h, err := historyOf(tx, t)
		if err != nil {
			return err
		}
		if len(h) == 0 { // made by hand, without a history
			h = []sla.Moment{{At: t.Created, Customer: true}}
		}
		p := s.catalog.Now().Promise(t.Plan, t.Severity, t.ProblemType)
		s.storeRule(tx, p)
		t.pace = pace{Rule: p.ID(), Gauge: p.Gauge(h)}
		t.setClocks(tx, p)
		for _, r := range rings(p.Clocks(h, tx.Now), alarm{At: tx.Now + 1}, tx.Now) {
			tx.Write(db.Any, insertMark, t.Domain, t.ID, r.clock.Name(), r.mark, tx.Now)
		}
		writePace(tx, t)
		return nil
	})
}

// writePace writes what a row has of its ticket's clocks, unless the ticket
// changes meanwhile.
func writePace(tx *db.Tx, t Ticket) {
	tx.Write(1, "UPDATE tickets SET sla = ? WHERE domain_id = ? AND id = ? AND revision = ?", t.pace.text(), t.Domain, t.ID, t.Revision)
	tx.Write(db.Any, "UPDATE desk_tickets SET due_at = ?, due_kind = ? WHERE ticket_id = ?", t.Due, string(t.DueKind), t.ID)
}
