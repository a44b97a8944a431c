package queue

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// RuleRun is what a rule did on an event, or in shadow mode would have done.
type RuleRun struct {
	ID, Rule    string
	RuleName    locale.Texts // "" when the rule is gone
	RuleVersion int64
	Mode, State string
	Number      string // of the ticket
	Event       string // its kind
	Depth       int
	Chain       []string // ids of the rules that led here, this one last
	Skipped     string   // depth, loop or rate
	Outcomes    []Outcome
	Texts       []string // of the actions, rendered, one for each; "" = none
	At          int64    // milliseconds UTC
}

// RunFilter of the list. Zero values do not filter.
type RunFilter struct {
	Rule, State, Number string
	Before              string // run id to go on behind
	Limit               int    // 0 = 50
}

// RuleRuns are runs, newest first, and the id to go on behind, "" at the end.
func (s *Service) RuleRuns(ctx context.Context, who principal.Principal, f RunFilter) (all []RuleRun, next string, err error) {
	if err := mayReadAutomation(who); err != nil {
		return nil, "", err
	}
	if f.Limit == 0 {
		f.Limit = 50
	}
	cond, args := []string{"1 = 1"}, []any{}
	for _, c := range []struct{ sql, value string }{{"r.rule_id = ?", f.Rule}, {"r.state = ?", f.State}, {"d.number = ?", f.Number}, {"r.id < ?", f.Before}} {
		if c.value != "" {
			cond, args = append(cond, c.sql), append(args, c.value)
		}
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		rules, err := rulesIn(tx)
		if err != nil {
			return err
		}
		all = nil
		return tx.List(func(r db.Row) error {
			var u RuleRun
			var chain, steps, outcomes string
			if err := r.Scan(&u.ID, &u.Rule, &u.RuleVersion, &u.Mode, &u.State, &u.Number, &u.Event, &u.Depth, &chain, &u.Skipped, &steps, &outcomes, &u.At); err != nil {
				return err
			}
			u.Chain = strings.Split(chain, ",")
			if i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == u.Rule }); i >= 0 {
				u.RuleName = rules[i].Name
			}
			var plan []planned
			if err := json.Unmarshal([]byte(steps), &plan); err != nil {
				return err
			}
			for _, p := range plan {
				u.Texts = append(u.Texts, p.Step.Text)
			}
			err := json.Unmarshal([]byte(outcomes), &u.Outcomes)
			all = append(all, u)
			return err
		}, `SELECT r.id, r.rule_id, r.rule_version, r.mode, r.state, d.number, r.kind, r.depth, r.chain, r.code, r.steps, r.outcomes, r.at
			FROM rule_runs AS r JOIN desk_tickets AS d ON d.domain_id = r.domain_id AND d.ticket_id = r.ticket_id
			WHERE `+strings.Join(cond, " AND ")+" ORDER BY r.id DESC LIMIT ?", append(args, f.Limit+1)...)
	})
	if err == nil && len(all) > f.Limit {
		all = all[:f.Limit]
		next = all[f.Limit-1].ID
	}
	return all, next, err
}

// Limits of dry runs.
const (
	MaxDryTickets = 500
	MaxDryDays    = 90
	maxDryMatches = 200
)

// DryRun is a rule to try on past tickets: the newest Tickets of them, or those
// made within Days.
type DryRun struct {
	Definition
	Tickets, Days int
}

// DryMatch is an event on which the rule would have acted.
type DryMatch struct {
	Number   string
	Event    string
	At       int64 // milliseconds UTC
	Outcomes []Outcome
	Texts    []string
}

// DryResult is what a dry run found.
type DryResult struct {
	Tickets, Events int // looked at
	Matched         int // events; Matches has at most 200 of them
	Refused         int // of Matches: those with an action that would have been refused
	Cut             bool
	Matches         []DryMatch
}

// DryRunRule tells where a rule would have acted and what it would have done, and
// does nothing. State, handler, severity and owner are as the history says they
// were at the event, the rest of a ticket (tags, urges) as it is now; what the
// rule's own acting would have led to is not thought on. Sandboxes are left out.
// Failures as of CreateRule.
func (s *Service) DryRunRule(ctx context.Context, who principal.Principal, in DryRun) (out DryResult, err error) {
	if err := mayRule(who); err != nil {
		return out, err
	}
	if err := s.checkDefinition(ctx, &in.Definition); err != nil {
		return out, err
	}
	switch {
	case in.Tickets < 0 || in.Tickets > MaxDryTickets:
		return out, fault.OutOfRange.In("tickets").With("min", 1).With("max", MaxDryTickets)
	case in.Days < 0 || in.Days > MaxDryDays:
		return out, fault.OutOfRange.In("days").With("min", 1).With("max", MaxDryDays)
	case in.Tickets == 0:
		in.Tickets = MaxDryTickets
	}
	var found []dryFound
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		found, out, err = dryScan(tx, in)
		return err
	})
	if err != nil {
		return out, err
	}
	for _, m := range found {
		system := principal.AsSystem(m.f.t.Domain)
		shown, err := s.tickets.DeskShow(ctx, system, m.f.t.Number)
		if fault.KindOf(err) == fault.NotFound {
			continue
		}
		if err != nil {
			return out, err
		}
		shown.Status, shown.Assignee, shown.Severity, shown.Ownership, shown.Revision = m.f.t.Status, m.f.t.Assignee, m.f.t.Severity, m.f.t.Ownership, m.f.t.Revision
		_, effects, err := s.planActions(ctx, system, shown, in.Then, "", false)
		if err != nil {
			return out, err
		}
		match := DryMatch{Number: m.f.t.Number, Event: m.f.kind, At: m.at, Outcomes: foreseenAs(effects)}
		for _, e := range effects {
			match.Texts = append(match.Texts, e.Text)
		}
		if anyRefused(match.Outcomes) {
			out.Refused++
		}
		out.Matches = append(out.Matches, match)
	}
	return out, nil
}

type dryFound struct {
	f  facts
	at int64
}

// dryScan goes through the histories of past tickets.
func dryScan(tx *db.Tx, in DryRun) (found []dryFound, out DryResult, err error) {
	since := int64(0)
	if in.Days > 0 {
		since = tx.Now - int64(in.Days)*24*time.Hour.Milliseconds()
	}
	refs, err := ticket.Newest(tx, since, in.Tickets+1)
	if err != nil {
		return nil, out, err
	}
	if out.Cut = len(refs) > in.Tickets && in.Days > 0; len(refs) > in.Tickets {
		refs = refs[:in.Tickets]
	}
	out.Tickets = len(refs)
	byDomain := map[string][]ticket.Ref{}
	for _, r := range refs {
		byDomain[r.Domain] = append(byDomain[r.Domain], r)
	}
	for domain, some := range byDomain {
		var ids []string
		for _, r := range some {
			ids = append(ids, r.ID)
		}
		now, err := ticket.Many(tx, some)
		if err != nil {
			return nil, out, err
		}
		tags, err := ticket.TagsIn(tx, domain, ids...)
		if err != nil {
			return nil, out, err
		}
		events, err := event.OfSubjects(tx, domain, "ticket", ids, 100*MaxDryTickets)
		if err != nil {
			return nil, out, err
		}
		out.Events += len(events)
		then, teams := map[string]ticket.Ticket{}, map[string]string{}
		for _, e := range events {
			t, ok := then[e.SubjectID]
			if !ok {
				t = asMade(now[e.SubjectID])
			}
			t = behindEvent(t, e)
			then[e.SubjectID] = t
			if _, team, ok := eventTeam(e); ok {
				teams[e.SubjectID] = team
			}
			fits := in.When.fits(e)
			if in.When.State != nil {
				fits = stayedFor(in.When, t, e, events, tx.Now)
			}
			if !fits {
				continue
			}
			f := factsOf(t, tags[t.ID], e, e.At)
			f.team = teams[t.ID]
			if in.When.State != nil {
				f.kind, f.now = timeKind, e.At+int64(in.When.Hours)*time.Hour.Milliseconds()
			} else if in.If.reads("message", "text") {
				if f.message, err = ticket.SaidWith(tx, domain, t.ID, e.Revision); err != nil {
					return nil, out, err
				}
			}
			if !f.holds(in.If) {
				continue
			}
			if out.Matched++; len(found) < maxDryMatches {
				found = append(found, dryFound{f, f.now})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b dryFound) int { return int(b.at - a.at) })
	return found, out, nil
}

// asMade is a ticket as it was made.
func asMade(t ticket.Ticket) ticket.Ticket {
	t.Status, t.Assignee, t.Ownership, t.Revision, t.StatusAt, t.Changed = ticket.Submitted, "", ticket.HouseBusiness, 1, t.Created, t.Created
	return t
}

// behindEvent is a ticket behind an event.
func behindEvent(t ticket.Ticket, e event.Row) ticket.Ticket {
	var data struct {
		Severity     *string           `json:"severity"`
		SeverityTo   *string           `json:"severity_to"`
		Assignee     *string           `json:"assignee"`
		OwnerTo      *ticket.Ownership `json:"owner_to"`
		SeverityFrom *string           `json:"severity_from"`
	}
	_ = json.Unmarshal(e.Data, &data) // an event of another form tells nothing
	if _, to, ok := eventMove(e); ok {
		if to != t.Status {
			t.StatusAt = e.At
		}
		t.Status = to
	}
	for _, s := range []*string{data.Severity, data.SeverityTo} {
		if s != nil {
			t.Severity = *s
		}
	}
	if data.Assignee != nil && strings.HasPrefix(e.Kind, "ticket.") {
		t.Assignee = *data.Assignee
	}
	if data.OwnerTo != nil {
		t.Ownership = *data.OwnerTo
	}
	t.Revision, t.Changed = max(t.Revision, e.Revision), e.At
	return t
}

// stayedFor tells whether a ticket came into a state by an event and stayed there
// for so long.
func stayedFor(w When, t ticket.Ticket, e event.Row, all []event.Row, now int64) bool {
	in := ticket.Status(*w.State)
	if t.Status != in || t.StatusAt != e.At && e.Kind != "ticket.create" {
		return false
	}
	end := now
	for _, later := range all {
		if later.SubjectID != e.SubjectID || later.Revision <= e.Revision {
			continue
		}
		if _, to, ok := eventMove(later); ok && to != in {
			end = later.At
			break
		}
	}
	return end-e.At >= int64(w.Hours)*time.Hour.Milliseconds()
}

// reads tells whether a condition is about one of the fields.
func (c *Condition) reads(names ...string) bool {
	if c == nil {
		return false
	}
	for _, list := range [][]Condition{c.All, c.Any} {
		for i := range list {
			if list[i].reads(names...) {
				return true
			}
		}
	}
	return c.Not.reads(names...) || slices.Contains(names, c.Field)
}
