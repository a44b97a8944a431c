package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/job"
	"casemate/internal/notify"
	"casemate/internal/personal"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Rules follow the sealed history. Each (rule, event) is one row of rule_runs,
// written before anything is done; the actions are known by the row's id, so that
// whoever goes on with an interrupted run does what is left and nothing twice; the
// cursor moves behind the effects.
const (
	ruleCursor   = "rules"
	ruleReadMost = 200
	ruleClaim    = 60 * time.Second // a run whose runner died is taken over after
	ruleTries    = 5                // then it has failed
	rulePage     = 200              // tickets that are looked at together for what time brings
	// ruleRequest begins the request id of what a rule does: by it a rule's event is
	// known again. Only Casemate's own events count, so that no client can say it.
	ruleRequest = "rule-"
)

// States of runs.
const (
	runRunning = "running"
	runDone    = "done"
	runFailed  = "failed" // an action was refused; those before it were done
	runShadow  = "shadow" // nothing was done: the outcomes are what would have been
	runSkipped = "skipped"
)

// Why a run was skipped.
const (
	skipDepth = "depth" // too many rules followed one another
	skipLoop  = "loop"  // and this one was among them: it was switched off
	skipRate  = "rate"  // it ran too often on the ticket within an hour
)

var errRuleBusy = errors.New("another node has this run")

// RulePeriodic is the work of rules, for the runner.
func (s *Service) RulePeriodic() []job.Periodic {
	return []job.Periodic{
		{Name: "rules", Every: time.Second, Run: s.FollowRules},
		{Name: "rules by time", Every: time.Minute, Run: s.CheckRuleTimes},
		{Name: "rule runs", Every: time.Hour, Run: s.PurgeRuleRuns},
		{Name: "bulk runs", Every: time.Hour, Run: s.PurgeBulks},
	}
}

// FollowRules reads the history behind the cursor and does what rules say. What
// another node is about is left to it.
func (s *Service) FollowRules(ctx context.Context) error {
	for {
		more, err := s.followRules(ctx)
		if errors.Is(err, errRuleBusy) {
			return nil
		}
		if err != nil || !more {
			return err
		}
	}
}

func (s *Service) followRules(ctx context.Context) (more bool, err error) {
	var from int64
	var events []event.Row
	var rules []Rule
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		if err = tx.Get("SELECT seq FROM rule_cursor WHERE name = ?", ruleCursor).Scan(&from); err != nil {
			return err
		}
		if events, err = event.After(tx, "", from, ruleReadMost); err != nil || len(events) == 0 {
			return err
		}
		rules, err = rulesIn(tx)
		return err
	})
	if err != nil || len(events) == 0 {
		return false, err
	}
	to := from
	for _, e := range events {
		if err = s.fireRules(ctx, rules, e); err == nil {
			err = s.interrupted("fired")
		}
		if err != nil {
			break
		}
		to = e.Seq
	}
	moveErr := error(nil)
	if to > from {
		moveErr = s.db.Update(ctx, func(tx *db.Tx) error {
			// Another node may be further: the cursor only rises.
			tx.Write(db.Any, "UPDATE rule_cursor SET seq = ? WHERE name = ? AND seq < ?", to, ruleCursor, to)
			return nil
		})
	}
	if err != nil {
		return false, errors.Join(err, moveErr)
	}
	return len(events) == ruleReadMost, moveErr
}

func (s *Service) interrupted(at string) error {
	if s.interrupt == nil {
		return nil
	}
	return s.interrupt(at)
}

// ruleCause is what led to an event: how many rules followed one another, and which.
type ruleCause struct {
	depth int
	chain []string
}

// causeOf finds the run that an event is of.
func causeOf(tx *db.Tx, e event.Row) (c ruleCause, err error) {
	id, ok := strings.CutPrefix(e.RequestID, ruleRequest)
	if !ok || e.ActorKind != principal.System {
		return c, nil
	}
	var chain string
	err = tx.Get("SELECT depth, chain FROM rule_runs WHERE domain_id = ? AND id = ?", e.Domain, id).Scan(&c.depth, &chain)
	if errors.Is(err, db.ErrNone) {
		return c, nil
	}
	c.chain = strings.Split(chain, ",")
	return c, err
}

// fireRules tries the rules on an event, in their order; each sees the ticket as the
// one before it left it.
func (s *Service) fireRules(ctx context.Context, rules []Rule, e event.Row) error {
	if e.Kind == "mail.handled" {
		var err error
		if e, err = s.mailed(ctx, e); err != nil {
			return err
		}
	}
	if e.Subject != "ticket" {
		return nil
	}
	rules = slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool { return r.Mode == ModeOff || e.At < r.Since || !r.When.fits(e) })
	if len(rules) == 0 {
		return nil
	}
	sandbox, err := s.ident.InSandbox(ctx, e.Domain)
	if sandbox || err != nil {
		return err // a sandbox never reaches a queue, nor what cares for queues
	}
	for _, r := range rules {
		if err := s.tryRule(ctx, r, e); err != nil {
			return err
		}
	}
	return nil
}

// mailed is what a mail did to a ticket, as an event of that; it is returned as
// it is when it did nothing.
func (s *Service) mailed(ctx context.Context, e event.Row) (event.Row, error) {
	var data struct{ Number, Outcome string }
	if json.Unmarshal(e.Data, &data) != nil || data.Number == "" {
		return e, nil
	}
	out := e
	err := s.db.View(ctx, func(tx *db.Tx) error {
		out = e
		found, err := ticket.Refs(tx, principal.AsSystem(principal.House), []string{data.Number})
		ref, ok := found[data.Number]
		if err != nil || !ok {
			return err
		}
		rows, err := event.OfRequest(tx, ref.Domain, "ticket", ref.ID, e.SubjectID)
		if err != nil || len(rows) == 0 {
			return err
		}
		r := rows[0]
		out.Kind, out.Subject, out.SubjectID, out.Domain, out.Revision, out.Actor, out.ActorKind = triggerMail, "ticket", ref.ID, ref.Domain, r.Revision, r.Actor, r.ActorKind
		return nil
	})
	return out, err
}

// tryRule lets one rule act on an event if its conditions hold.
func (s *Service) tryRule(ctx context.Context, r Rule, e event.Row) error {
	var f facts
	var c ruleCause
	gone := false
	err := s.db.View(ctx, func(tx *db.Tx) error {
		t, err := ticket.In(tx, e.Domain, e.SubjectID)
		if gone = fault.KindOf(err) == fault.NotFound || err == nil && t.Status == ticket.Deleted; gone {
			return nil
		}
		if err != nil {
			return err
		}
		tags, err := ticket.TagsIn(tx, t.Domain, t.ID)
		if err != nil {
			return err
		}
		f = factsOf(t, tags[t.ID], e, tx.Now)
		row, err := ticket.RowByNumber(tx, principal.AsSystem(principal.House), t.Number)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
		f.team = row.Team
		if f.message, err = ticket.SaidWith(tx, t.Domain, t.ID, e.Revision); err != nil {
			return err
		}
		c, err = causeOf(tx, e)
		return err
	})
	if err != nil || gone || !f.holds(r.If) {
		return err
	}
	return s.executeRule(ctx, r, f.t, e, c)
}

// claimedRun is what a runner has of a run.
type claimedRun struct {
	ID         string
	Steps      []planned
	Over, Busy bool // it is done; another runner is about it
}

// attempt is a rule about to act on an event.
type attempt struct {
	rule    Rule
	t       ticket.Ticket
	e       event.Row
	cause   ruleCause
	skip    string // why it does not act, "" = it does
	steps   []planned
	effects []Effect
	broken  []Outcome   // planning failed for a reason that nobody foresaw
	told    notify.Told // for administrators, with skipLoop
}

// executeRule records that a rule acts on an event, and does it.
func (s *Service) executeRule(ctx context.Context, r Rule, t ticket.Ticket, e event.Row, c ruleCause) error {
	who := principal.AsSystem(t.Domain)
	a := attempt{rule: r, t: t, e: e, cause: c}
	if c.depth >= s.o.Automation.RuleDepth {
		if a.skip = skipDepth; slices.Contains(c.chain, r.ID) {
			a.skip = skipLoop
		}
	}
	switch a.skip {
	case "":
		shown, err := s.tickets.DeskShow(ctx, who, t.Number)
		if fault.KindOf(err) == fault.NotFound {
			return nil // gone meanwhile
		}
		if err == nil {
			a.steps, a.effects, err = s.planActions(ctx, who, shown, r.Then, "", false)
		}
		if err != nil {
			if ctx.Err() != nil || fault.KindOf(err) == fault.Unavailable {
				return err
			}
			// It would fail again and hold up all that is behind it.
			s.o.Log.Error("planning a rule's actions", "rule", r.ID, "ticket", t.Number, "error", err)
			a.steps, a.broken = nil, []Outcome{refusedAs(r.Then[0].Do, fault.Broken)}
		}
	case skipLoop:
		admins, err := s.peopleOf(ctx, principal.RoleAdministrator)
		if err != nil {
			return err
		}
		all, err := s.askNews(ctx, t, admins, e.ID)
		if err != nil {
			return err
		}
		for i := range all {
			all[i].Kind = notify.KindRule
		}
		if a.told, err = s.notify.Tell(ctx, all); err != nil {
			return err
		}
	}
	run, err := s.claimRun(ctx, a)
	switch {
	case err != nil:
		return err
	case run.Busy:
		return errRuleBusy
	case run.Over:
		return nil
	}
	if err := s.interrupted("claimed"); err != nil {
		return err
	}
	who.RequestID = ruleRequest + run.ID
	who.Via = via("rule", r.ID, run.ID, r.Name)
	out, err := s.carryOut(ctx, who, 0, run.ID, onceForRun, run.Steps)
	if err == nil {
		err = s.interrupted("carried")
	}
	if err != nil {
		return err
	}
	return s.finishRun(ctx, r, t, e, run.ID, out)
}

// claimRun writes the run, or takes over one whose runner died. What was planned
// by the first runner is what is done.
func (s *Service) claimRun(ctx context.Context, a attempt) (claimedRun, error) {
	by, r, t, e := s.db.NewID(), a.rule, a.t, a.e
	return db.Do(ctx, s.db, func(tx *db.Tx) (claimedRun, error) {
		var run claimedRun
		var state, planning, holder string
		var until, tries int64
		err := tx.Get("SELECT id, state, steps, claimed_by, claimed_until, tries FROM rule_runs WHERE domain_id = ? AND rule_id = ? AND event_id = ?", t.Domain, r.ID, e.ID).
			Scan(&run.ID, &state, &planning, &holder, &until, &tries)
		switch {
		case err == nil && state != runRunning:
			run.Over = true
			return run, nil
		case err == nil && until > tx.Real:
			run.Busy = true
			return run, nil
		case err == nil:
			outcomes := []Outcome{}
			if tries >= ruleTries {
				state, run.Over, outcomes = runFailed, true, []Outcome{refusedAs(r.Then[0].Do, fault.Broken)}
			}
			tx.Write(1, "UPDATE rule_runs SET state = ?, outcomes = ?, claimed_by = ?, claimed_until = ?, tries = ? WHERE domain_id = ? AND rule_id = ? AND event_id = ? AND claimed_by = ?",
				state, autoJSON(outcomes), by, tx.Real+ruleClaim.Milliseconds(), tries+1, t.Domain, r.ID, e.ID, holder)
			return run, json.Unmarshal([]byte(planning), &run.Steps)
		case !errors.Is(err, db.ErrNone):
			return run, err
		}
		skip := a.skip
		if skip == "" {
			if skip, err = s.rated(tx, r, t); err != nil {
				return run, err
			}
		}
		run = claimedRun{ID: tx.NewID(), Steps: append([]planned{}, a.steps...), Over: true}
		outcomes, done, until := []Outcome{}, tx.Now, int64(0)
		switch {
		case skip != "":
			state, run.Steps = runSkipped, []planned{}
		case a.broken != nil:
			state, outcomes = runFailed, a.broken
		case r.Mode == ModeShadow:
			state, outcomes = runShadow, foreseenAs(a.effects)
		default:
			state, run.Over, done, until = runRunning, false, 0, tx.Real+ruleClaim.Milliseconds()
		}
		tx.Write(1, `INSERT INTO rule_runs (domain_id, rule_id, event_id, id, ticket_id, rule_version, mode, state, kind, depth, chain, code, steps, outcomes, tries, claimed_by, claimed_until, at, done_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?)`,
			t.Domain, r.ID, e.ID, run.ID, t.ID, r.Version, r.Mode, state, e.Kind, a.cause.depth+1, strings.Join(append(slices.Clone(a.cause.chain), r.ID), ","), skip,
			autoJSON(run.Steps), autoJSON(outcomes), by, until, tx.Now, done)
		if skip == skipLoop {
			return run, s.switchOff(tx, r.ID, a.told)
		}
		return run, nil
	})
}

// rated is skipRate when the rule ran too often on the ticket within an hour.
func (s *Service) rated(tx *db.Tx, r Rule, t ticket.Ticket) (skip string, err error) {
	var lately int
	err = tx.Get("SELECT count(*) FROM rule_runs WHERE domain_id = ? AND ticket_id = ? AND rule_id = ? AND at > ? AND state <> 'skipped'",
		t.Domain, t.ID, r.ID, tx.Now-time.Hour.Milliseconds()).Scan(&lately)
	if lately >= s.o.Automation.RulePerHour {
		skip = skipRate
	}
	return skip, err
}

// switchOff ends a rule that goes in circles and tells the administrators.
func (s *Service) switchOff(tx *db.Tx, id string, told notify.Told) error {
	u, err := ruleIn(tx, id)
	if errors.Is(err, ErrNoRule) || err == nil && u.Mode != ModeOn {
		return nil // somebody was faster
	}
	if err != nil {
		return err
	}
	before, who := u.Version, principal.AsSystem(principal.House)
	u.Mode, u.Cause, u.Version, u.Changed, u.Actor = ModeOff, skipLoop, before+1, tx.Now, who.User
	writeRule(tx, u, before)
	keepRule(tx, who, "rule.off", u)
	s.notify.QueueTold(tx, told)
	return nil
}

// finishRun keeps what became of a run.
func (s *Service) finishRun(ctx context.Context, r Rule, t ticket.Ticket, e event.Row, id string, out []Outcome) error {
	state := runDone
	if anyRefused(out) {
		state = runFailed
	}
	if out == nil {
		out = []Outcome{}
	}
	does := []string{}
	for _, o := range out {
		does = append(does, o.Do)
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		var done string
		err := tx.Get("UPDATE rule_runs SET state = ?, outcomes = ?, done_at = ?, claimed_until = 0 WHERE domain_id = ? AND rule_id = ? AND event_id = ? AND state = 'running' RETURNING id",
			state, autoJSON(out), tx.Now, t.Domain, r.ID, e.ID).Scan(&done)
		if errors.Is(err, db.ErrNone) {
			return nil // another runner has kept it
		}
		if err != nil {
			return err
		}
		letGo(tx, id, len(out))
		event.Record(tx, principal.AsSystem(t.Domain), event.Event{Domain: t.Domain, Kind: "rule.run", Subject: "rule", SubjectID: r.ID, LogCode: event.NoLog,
			Data: map[string]any{"run": id, "ticket": t.ID, "state": state, "version": r.Version, "actions": does, "name_zh": r.Name.ZH, "name_en": r.Name.EN}})
		return nil
	})
}

// CheckRuleTimes lets rules act on tickets that have been in a state for long
// enough, once for each time a ticket comes into it.
func (s *Service) CheckRuleTimes(ctx context.Context) error {
	var rules []Rule
	err := s.db.View(ctx, func(tx *db.Tx) (err error) { rules, err = rulesIn(tx); return err })
	if err != nil {
		return err
	}
	for _, r := range rules {
		if r.Mode == ModeOff || r.When.State == nil {
			continue
		}
		for after := ""; ; {
			last, err := s.checkTime(ctx, r, after)
			if errors.Is(err, errRuleBusy) {
				break
			}
			if err != nil {
				return err
			}
			if after = last; last == "" {
				break
			}
		}
	}
	return nil
}

// checkTime looks at a page of tickets and answers the last one's id, "" at the end.
func (s *Service) checkTime(ctx context.Context, r Rule, after string) (last string, err error) {
	var waiting []event.Row
	err = s.db.View(ctx, func(tx *db.Tx) error {
		waiting, last = nil, ""
		refs, err := ticket.Waiting(tx, ticket.Status(*r.When.State), tx.Now-int64(r.When.Hours)*time.Hour.Milliseconds(), after, rulePage)
		if err != nil || len(refs) == 0 {
			return err
		}
		if len(refs) == rulePage {
			last = refs[len(refs)-1].ID
		}
		found, err := ticket.Many(tx, refs)
		if err != nil {
			return err
		}
		args := []any{r.ID}
		for _, ref := range refs {
			t, ok := found[ref.ID]
			if !ok {
				continue
			}
			e := event.Row{Domain: t.Domain, ID: fmt.Sprint(timeKind, ":", t.ID, ":", t.StatusAt), Kind: timeKind, Subject: "ticket", SubjectID: t.ID, ActorKind: principal.System, At: tx.Now}
			waiting, args = append(waiting, e), append(args, e.ID)
		}
		over := map[string]bool{}
		err = tx.List(func(row db.Row) error {
			var id, state string
			err := row.Scan(&id, &state)
			over[id] = state != runRunning
			return err
		}, "SELECT event_id, state FROM rule_runs WHERE rule_id = ? AND event_id IN (?"+strings.Repeat(", ?", len(args)-2)+") /* all domains: a rule of the house */", args...)
		waiting = slices.DeleteFunc(waiting, func(e event.Row) bool { return over[e.ID] })
		return err
	})
	for _, e := range waiting {
		if err == nil {
			err = s.tryRule(ctx, r, e)
		}
	}
	return last, err
}

// purgeBatch is how many records one transaction deletes.
const purgeBatch = 1000

// PurgeRuleRuns deletes records of runs that are older than the configuration
// says, at most 1,000 in a transaction. What is under a legal hold stays.
func (s *Service) PurgeRuleRuns(ctx context.Context) error {
	days := s.o.Automation.KeepDays
	if days < 0 {
		return nil
	}
	for gone := purgeBatch; gone == purgeBatch; {
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			gone = 0
			return tx.List(func(db.Row) error { gone++; return nil }, `DELETE FROM rule_runs WHERE (domain_id, rule_id, event_id) IN (SELECT domain_id, rule_id, event_id FROM rule_runs
				WHERE at < ? AND state <> 'running' AND `+personal.Free("rule_runs.domain_id", "rule_runs.ticket_id", nil, nil)+` ORDER BY at LIMIT ?) RETURNING domain_id /* all domains: what is old */`,
				tx.Now-int64(days)*24*time.Hour.Milliseconds(), tx.Real, purgeBatch)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// KeepBulks is how long bulk runs can be read, in days.
const KeepBulks = 90

// PurgeBulks deletes bulk runs that are older than KeepBulks with what became of
// each ticket, a few in a transaction. A run with a ticket, account or actor under a
// legal hold stays whole.
func (s *Service) PurgeBulks(ctx context.Context) error {
	const batch = purgeBatch / MaxBulk
	for gone := batch; gone == batch; {
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			var ids []any
			err := tx.List(func(r db.Row) error {
				var id string
				err := r.Scan(&id)
				ids = append(ids, id)
				return err
			}, "SELECT id FROM bulk_runs WHERE created_at < ? AND "+personal.Free("", "", []string{"bulk_runs.actor"}, nil)+
				" AND NOT EXISTS (SELECT 1 FROM bulk_items AS i WHERE i.bulk_id = bulk_runs.id AND NOT "+personal.Free("i.domain_id", "i.ticket_id", nil, nil)+") ORDER BY created_at LIMIT ? /* all domains: what is old */",
				tx.Now-KeepBulks*24*time.Hour.Milliseconds(), tx.Real, tx.Real, batch)
			if gone = len(ids); err != nil || gone == 0 {
				return err
			}
			tx.Write(db.Any, "DELETE FROM bulk_items WHERE bulk_id IN ("+marks(gone)+") /* all domains: what is old */", ids...)
			tx.Write(gone, "DELETE FROM bulk_runs WHERE id IN ("+marks(gone)+")", ids...)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
