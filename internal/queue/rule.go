package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Modes of a rule.
const (
	ModeOn     = "on"
	ModeOff    = "off"
	ModeShadow = "shadow" // it records what it would have done and does nothing
)

// Triggers are the events rules can begin with: kinds of the change feed about a
// ticket, and three that stand for others: ticket.state for whatever brought a
// ticket into another state, ticket.team for whatever gave it to another team,
// mail.in for a mail that became a ticket or a message (its text and writer are
// the rule's).
var Triggers = []string{
	"ticket.create", "ticket.reply", "ticket.urge", "ticket.state",
	"ticket.accept", "ticket.assign", "ticket.ask", "ticket.resolve", "ticket.invalid", "ticket.pause", "ticket.resume", "ticket.transfer",
	"ticket.note", "ticket.severity", "ticket.tag", "ticket.untag", "ticket.cancel", "ticket.close", "ticket.autoclose", "ticket.autosolve", "ticket.score",
	"ticket.release", "ticket.withdraw", "ticket.merge", "ticket.absorb", "ticket.split", "ticket.move", "ticket.receive", "ticket.undo",
	"ticket.snooze", "ticket.unsnooze", "ticket.wake", "ticket.label", "ticket.unlabel", "ticket.notify",
	triggerTeam, "queue.claim", "queue.assign", triggerMail, "sla.warned", "sla.escalated", "sla.breached",
}

// Triggers that stand for others.
const (
	triggerTeam = "ticket.team"
	triggerMail = "mail.in"
)

// timeKind is the kind of what time brings.
const timeKind = "time"

// Limits of rules.
const (
	MaxRules     = 200
	maxHours     = 24 * 365
	maxRulePlace = 1_000_000
)

// Faults of rules.
var (
	ErrNoRule    = fault.New(fault.NotFound, fault.CodeInvalid, "自动规则不存在", "there is no such rule").In("rule_id")
	errRules     = fault.New(fault.Conflict, fault.CodeInvalid, "自动规则最多 {max} 条，请先删除不用的", "there may be at most {max} rules: delete one first").With("max", MaxRules)
	errWhen      = fault.New(fault.Invalid, fault.CodeInvalid, "{field} 须给出 events，或者 state 与 hours", "{field} has either events, or state and hours")
	errTimeByWho = fault.New(fault.Invalid, fault.CodeInvalid, "{field} 只适用于事件触发的规则", "{field} is for rules that begin with events")
)

// When is what a rule begins with: events, or that a ticket has been in a state
// for so many hours.
type When struct {
	Events []string `json:"events,omitempty" yaml:"events,omitempty"`
	By     string   `json:"by,omitempty" yaml:"by,omitempty"`       // customer, engineer or system; "" = whoever
	State  *int     `json:"state,omitempty" yaml:"state,omitempty"` // with Hours
	Hours  int      `json:"hours,omitempty" yaml:"hours,omitempty"` // 1..8760
}

// Definition is a rule as data.
type Definition struct {
	When When       `json:"when" yaml:"when"`
	If   *Condition `json:"if,omitempty" yaml:"if,omitempty"` // nil = always
	Then []Action   `json:"then" yaml:"then"`
}

// Rule is a rule as it is stored.
type Rule struct {
	ID   string
	Name locale.Texts
	Mode string
	// Place orders rules: lower ones first, older ones before younger ones.
	Place int64
	Definition
	Version          int64
	Since            int64  // events before it are none of its business, milliseconds UTC
	Cause            string // loop = Casemate switched it off; "" otherwise
	Created, Changed int64
	Actor            string

	Runs map[string]int // how many runs there are, by state, each exactly up to ticket.MaxCount; of Rules and Rule only
}

// NewRule is what a rule is made of.
type NewRule struct {
	Name  locale.Texts // 1..64 characters in at least one language
	Mode  string       // "" = shadow
	Place int64        // 0..1,000,000
	Definition
}

func mayRule(who principal.Principal) error {
	if leadsDesk(who) {
		return nil
	}
	return fault.NoPermission
}

func (s *Service) checkRule(ctx context.Context, in *NewRule) (err error) {
	if in.Name, err = checkNames("name", in.Name, maxAutoRaw); err != nil {
		return err
	}
	if in.Mode == "" {
		in.Mode = ModeShadow
	}
	switch {
	case in.Mode != ModeOn && in.Mode != ModeOff && in.Mode != ModeShadow:
		return fault.OneOf("mode", ModeOn, ModeShadow, ModeOff)
	case in.Place < 0 || in.Place > maxRulePlace:
		return fault.OutOfRange.In("place").With("min", 0).With("max", maxRulePlace)
	}
	return s.checkDefinition(ctx, &in.Definition)
}

func (s *Service) checkDefinition(ctx context.Context, d *Definition) (err error) {
	w := d.When
	timed := w.State != nil || w.Hours != 0
	switch {
	case timed == (len(w.Events) > 0):
		return errWhen.In("when")
	case timed && w.By != "":
		return errTimeByWho.In("when.by")
	case timed && w.State == nil:
		return fault.Missing.In("when.state")
	case timed && !ticket.Status(*w.State).Open():
		return fault.Unknown.In("when.state")
	case timed && (w.Hours < 1 || w.Hours > maxHours):
		return fault.OutOfRange.In("when.hours").With("min", 1).With("max", maxHours)
	case len(w.Events) > len(Triggers):
		return fault.TooManyItems.In("when.events").With("max", len(Triggers))
	case w.By != "" && !slices.Contains(condEnums["by"], w.By):
		return fault.OneOf("when.by", condEnums["by"]...)
	}
	for _, e := range w.Events {
		if !slices.Contains(Triggers, e) {
			return fault.OneOf("when.events", Triggers...)
		}
	}
	if d.If != nil {
		d.If = d.If.clone()
		count := 0
		if err := s.checkCondition(ctx, "if", d.If, 1, &count); err != nil {
			return err
		}
	}
	d.Then, err = s.checkActions(ctx, "then", d.Then, true)
	return err
}

// clone is a copy whose values can be tidied.
func (c *Condition) clone() *Condition {
	out := new(Condition)
	if err := json.Unmarshal([]byte(autoJSON(c)), out); err != nil {
		panic(err) // it was just encoded
	}
	return out
}

// fits tells whether an event of a kind by somebody begins the rule.
func (w When) fits(e event.Row) bool {
	f := facts{by: e.ActorKind}
	if len(w.Events) == 0 || w.By != "" && w.By != f.side() {
		return false
	}
	if slices.Contains(w.Events, e.Kind) {
		return true
	}
	if slices.Contains(w.Events, "ticket.state") {
		from, to, ok := eventMove(e)
		if ok && from != to {
			return true
		}
	}
	if slices.Contains(w.Events, triggerTeam) {
		from, to, ok := eventTeam(e)
		return ok && from != to
	}
	return false
}

// eventTeam reads the teams before and behind an event, if it tells them.
func eventTeam(e event.Row) (from, to string, ok bool) {
	var data struct {
		From *string `json:"team_from"`
		To   *string `json:"team"`
	}
	if e.Subject != "ticket" || json.Unmarshal(e.Data, &data) != nil || data.From == nil || data.To == nil {
		return "", "", false
	}
	return *data.From, *data.To, true
}

// eventMove reads the states before and behind an event, if it tells them.
func eventMove(e event.Row) (from, to ticket.Status, ok bool) {
	var data struct{ From, To *int }
	if e.Subject != "ticket" || !strings.HasPrefix(e.Kind, "ticket.") || json.Unmarshal(e.Data, &data) != nil || data.From == nil || data.To == nil {
		return 0, 0, false
	}
	return ticket.Status(*data.From), ticket.Status(*data.To), true
}

const ruleColumns = "id, name_zh, name_en, mode, place, definition, version, since, cause, created_at, changed_at, actor"

func scanRule(r db.Row) (u Rule, err error) {
	var definition string
	if err = r.Scan(&u.ID, &u.Name.ZH, &u.Name.EN, &u.Mode, &u.Place, &definition, &u.Version, &u.Since, &u.Cause, &u.Created, &u.Changed, &u.Actor); err == nil {
		err = json.Unmarshal([]byte(definition), &u.Definition)
	}
	if errors.Is(err, db.ErrNone) {
		err = ErrNoRule
	}
	return u, err
}

func ruleIn(tx *db.Tx, id string) (Rule, error) {
	return scanRule(tx.Get("SELECT "+ruleColumns+" FROM rules WHERE id = ?", id))
}

func rulesIn(tx *db.Tx) (all []Rule, err error) {
	err = tx.List(func(r db.Row) error {
		u, err := scanRule(r)
		all = append(all, u)
		return err
	}, "SELECT "+ruleColumns+" FROM rules ORDER BY place, id LIMIT ?", MaxRules)
	return all, err
}

// countRuns counts the runs of rules by state, each exactly up to
// ticket.MaxCount.
func countRuns(tx *db.Tx, all []Rule) error {
	if len(all) == 0 {
		return nil
	}
	at, ids := map[string]int{}, make([]any, len(all))
	for i := range all {
		ids[i] = all[i].ID
		all[i].Runs = map[string]int{}
		at[all[i].ID] = i
	}
	return tx.List(func(r db.Row) error {
		var id, state string
		var n int
		if err := r.Scan(&id, &state, &n); err != nil {
			return err
		}
		if n > 0 {
			all[at[id]].Runs[state] = min(n, ticket.MaxCount)
		}
		return nil
	}, fmt.Sprintf(`WITH states(state) AS (VALUES ('running'), ('done'), ('failed'), ('shadow'), ('skipped'))
		SELECT r.id, s.state, (SELECT count(*) FROM (SELECT 1 FROM rule_runs AS u WHERE u.rule_id = r.id AND u.state = s.state LIMIT %d) AS c)
		FROM rules AS r CROSS JOIN states AS s WHERE r.id IN (%s) /* all domains: how often rules ran */`, ticket.MaxCount, marks(len(ids))), ids...)
}

// Rules are all rules in the order in which they are tried, with how often they
// ran. Everybody of the house who works on tickets may read them.
func (s *Service) Rules(ctx context.Context, who principal.Principal) (all []Rule, err error) {
	if err := mayReadAutomation(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		if all, err = rulesIn(tx); err != nil {
			return err
		}
		return countRuns(tx, all)
	})
	return all, err
}

// Rule reads one; ErrNoRule when there is none.
func (s *Service) Rule(ctx context.Context, who principal.Principal, id string) (Rule, error) {
	all := make([]Rule, 1)
	if err := mayReadAutomation(who); err != nil {
		return Rule{}, err
	}
	err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		if all[0], err = ruleIn(tx, id); err != nil {
			return err
		}
		return countRuns(tx, all)
	})
	return all[0], err
}

// RuleVersions are all versions a rule had, newest first, at most 100.
func (s *Service) RuleVersions(ctx context.Context, who principal.Principal, id string) (all []Rule, err error) {
	if err := mayReadAutomation(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		now, err := ruleIn(tx, id)
		if err != nil {
			return err
		}
		all = nil
		return tx.List(func(r db.Row) error {
			u := Rule{ID: id, Created: now.Created}
			var definition string
			if err := r.Scan(&u.Version, &u.Name.ZH, &u.Name.EN, &u.Mode, &u.Place, &definition, &u.Changed, &u.Actor); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(definition), &u.Definition); err != nil {
				return err
			}
			all = append(all, u)
			return nil
		}, "SELECT version, name_zh, name_en, mode, place, definition, changed_at, actor FROM rule_versions WHERE rule_id = ? ORDER BY version DESC LIMIT 100", id)
	})
	return all, err
}

// keepRule writes the rule's version beside those before it, and the event.
func keepRule(tx *db.Tx, who principal.Principal, kind string, u Rule) {
	tx.Write(1, "INSERT INTO rule_versions (rule_id, version, name_zh, name_en, mode, place, definition, changed_at, actor) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		u.ID, u.Version, u.Name.ZH, u.Name.EN, u.Mode, u.Place, autoJSON(u.Definition), u.Changed, who.User)
	event.Record(tx, who, event.Event{Kind: kind, Subject: "rule", SubjectID: u.ID, Revision: u.Version, LogCode: event.NoLog,
		Data: called(map[string]any{"mode": u.Mode, "events": u.When.Events, "cause": u.Cause}, u.Name)})
}

// called adds what a thing is called to an event's data.
func called(data map[string]any, name locale.Texts) map[string]any {
	data["name_zh"], data["name_en"] = name.ZH, name.EN
	return data
}

// CreateRule makes a rule; it acts on what happens from now on. Supervisors,
// administrators and the operator only. Failures: OSM.01010001 naming the field by
// its path, and 200 rules are the most.
func (s *Service) CreateRule(ctx context.Context, who principal.Principal, in NewRule) (Rule, error) {
	if err := mayRule(who); err != nil {
		return Rule{}, err
	}
	if err := s.checkRule(ctx, &in); err != nil {
		return Rule{}, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Rule, error) {
		tx.Lock(principal.House, "automation.rules")
		var n int
		if err := tx.Get("SELECT count(*) FROM rules").Scan(&n); err != nil {
			return Rule{}, err
		}
		if n >= MaxRules {
			return Rule{}, errRules
		}
		u := Rule{ID: tx.NewID(), Name: in.Name, Mode: in.Mode, Place: in.Place, Definition: in.Definition, Version: 1, Since: tx.Now, Created: tx.Now, Changed: tx.Now, Actor: who.User}
		tx.Write(1, "INSERT INTO rules ("+ruleColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?)",
			u.ID, u.Name.ZH, u.Name.EN, u.Mode, u.Place, autoJSON(u.Definition), u.Version, u.Since, u.Created, u.Changed, u.Actor)
		keepRule(tx, who, "rule.create", u)
		return u, nil
	})
}

// ChangeRule replaces a rule. Switched on or to shadow from off, and with another
// definition, it acts on what happens from now on. seen is the version the caller
// has read, 0 = whatever is there (ErrAutoStale).
func (s *Service) ChangeRule(ctx context.Context, who principal.Principal, id string, in NewRule, seen int64) (Rule, error) {
	if err := mayRule(who); err != nil {
		return Rule{}, err
	}
	if err := s.checkRule(ctx, &in); err != nil {
		return Rule{}, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Rule, error) {
		u, err := ruleIn(tx, id)
		if err != nil {
			return u, err
		}
		if seen != 0 && seen != u.Version {
			return u, ErrAutoStale
		}
		before := u.Version
		if u.Mode != in.Mode || autoJSON(u.Definition) != autoJSON(in.Definition) {
			u.Since = tx.Now
		}
		u.Name, u.Mode, u.Place, u.Definition, u.Version, u.Cause, u.Changed, u.Actor = in.Name, in.Mode, in.Place, in.Definition, before+1, "", tx.Now, who.User
		writeRule(tx, u, before)
		keepRule(tx, who, "rule.change", u)
		return u, nil
	})
}

func writeRule(tx *db.Tx, u Rule, before int64) {
	tx.Write(1, "UPDATE rules SET name_zh = ?, name_en = ?, mode = ?, place = ?, definition = ?, version = ?, since = ?, cause = ?, changed_at = ?, actor = ? WHERE id = ? AND version = ?",
		u.Name.ZH, u.Name.EN, u.Mode, u.Place, autoJSON(u.Definition), u.Version, u.Since, u.Cause, u.Changed, u.Actor, u.ID, before)
}

// DeleteRule removes a rule; its versions and runs stay until they are old.
func (s *Service) DeleteRule(ctx context.Context, who principal.Principal, id string, seen int64) error {
	if err := mayRule(who); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		u, err := ruleIn(tx, id)
		if err != nil {
			return err
		}
		if seen != 0 && seen != u.Version {
			return ErrAutoStale
		}
		tx.Write(1, "DELETE FROM rules WHERE id = ? AND version = ?", id, u.Version)
		u.Version, u.Changed, u.Mode = u.Version+1, tx.Now, ModeOff
		keepRule(tx, who, "rule.delete", u)
		return nil
	})
}
