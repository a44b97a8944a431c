package queue

import (
	"context"
	"encoding/json"
	"errors"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// What follows is for configuration as code (package setup): it reads and writes
// what is the house's own as a whole, in a transaction that spans several nouns.
// Who may do so is checked there, and so is what one thing says of another. Ids
// are given by the caller: what comes back has the id it had.

// Config is everything of the desk that is configuration, in the order of ids
// but for queues and rules, which stand in their own.
type Config struct {
	Teams     []Team
	Queues    []Queue
	Views     []View // shared ones
	Macros    []Macro
	Snippets  []Snippet // shared ones, as macros
	Rules     []Rule
	Engineers []Engineer // who have something set; ID, Capacity, Skills, Plan and Version only
}

// ConfigIn reads it.
func ConfigIn(tx *db.Tx) (c Config, err error) {
	place := map[string]int{}
	err = tx.List(func(r db.Row) error {
		t, err := scanTeam(r)
		place[t.ID] = len(c.Teams)
		c.Teams = append(c.Teams, t)
		return err
	}, "SELECT "+teamColumns+" FROM desk_teams ORDER BY id")
	if err != nil {
		return c, err
	}
	err = tx.List(func(r db.Row) error {
		var team, user string
		err := r.Scan(&team, &user)
		if i, ok := place[team]; ok {
			c.Teams[i].Members = append(c.Teams[i].Members, user)
		}
		return err
	}, "SELECT team_id, user_id FROM desk_team_members ORDER BY team_id, user_id")
	if err != nil {
		return c, err
	}
	if c.Queues, err = queuesIn(tx, "1 = 1"); err != nil {
		return c, err
	}
	if c.Views, err = listed(tx, scanView, "SELECT "+viewColumns+" FROM desk_views WHERE shared <> 'private' ORDER BY id"); err != nil {
		return c, err
	}
	if c.Macros, err = listed(tx, scanMacro, "SELECT "+macroColumns+" FROM macros WHERE owner = '' ORDER BY id"); err != nil {
		return c, err
	}
	if c.Snippets, err = listed(tx, scanSnippet, "SELECT "+snippetColumns+" FROM snippets WHERE owner = '' ORDER BY id"); err != nil {
		return c, err
	}
	if c.Rules, err = listed(tx, scanRule, "SELECT "+ruleColumns+" FROM rules ORDER BY place, id"); err != nil {
		return c, err
	}
	c.Engineers, err = profilesIn(tx)
	return c, err
}

func listed[T any](tx *db.Tx, scan func(db.Row) (T, error), sql string) (all []T, err error) {
	err = tx.List(func(r db.Row) error {
		v, err := scan(r)
		all = append(all, v)
		return err
	}, sql)
	return all, err
}

// profilesIn are the people of the house for whom something is set, also those
// who are shut out: they may come back.
func profilesIn(tx *db.Tx) (all []Engineer, err error) {
	err = tx.List(func(r db.Row) error {
		e, err := scanProfile(r)
		if err == nil && e.set() {
			all = append(all, e)
		}
		return err
	}, "SELECT "+profileColumns+" FROM desk_engineers ORDER BY user_id")
	return all, err
}

const profileColumns = "user_id, capacity, skills, plan, presence, since, version"

func scanProfile(r db.Row) (e Engineer, err error) {
	var skills, plan, presence string
	if err = r.Scan(&e.ID, &e.Capacity, &skills, &plan, &presence, &e.Since, &e.Version); err != nil {
		return e, err
	}
	e.Presence = Presence(presence)
	return e, errors.Join(json.Unmarshal([]byte(skills), &e.Skills), json.Unmarshal([]byte(plan), &e.Plan))
}

// set tells whether anything is set for the engineer.
func (e Engineer) set() bool {
	k := e.Skills
	return e.Capacity != 0 || len(k.Products)+len(k.SubTypes)+len(k.Languages)+len(k.Regions) > 0 || e.Plan.some() || e.Plan.Zone != "" || len(e.Plan.Exceptions) > 0
}

// Judge holds configuration against the rules, under a catalogue that need not
// be in force.
type Judge struct{ s *Service }

// Under is the judge by a catalogue.
func (s *Service) Under(c *catalog.Catalog) Judge {
	return Judge{&Service{db: s.db, ident: s.ident, catalog: catalog.Fixed(c), o: s.o}}
}

// Limits of configuration, by what they bound.
var Limits = map[string]int{"teams": maxTeams, "queues": maxQueues, "macros": maxOfOwner, "snippets": maxOfOwner, "rules": MaxRules}

// Team tidies and judges a team; its members are looked up by others.
func (j Judge) Team(t *Team) error { return t.check() }

// Queue tidies and judges a queue; its team is looked up by others.
func (j Judge) Queue(q *Queue) error { return q.check(j.s) }

// View tidies and judges a shared view.
func (j Judge) View(v *View) error {
	if err := v.check(j.s); err != nil {
		return err
	}
	if v.Shared == Private {
		return fault.OneOf("shared", WithTeam, WithAll)
	}
	return nil
}

// Macro tidies and judges a macro.
func (j Judge) Macro(ctx context.Context, m *Macro) error {
	in := NewMacro{Name: m.Name, Shared: true, Actions: m.Actions}
	err := j.s.checkMacro(ctx, &in)
	m.Name, m.Actions = in.Name, in.Actions
	return err
}

// Snippet tidies and judges a snippet.
func (j Judge) Snippet(p *Snippet) error {
	in := NewSnippet{Kind: p.Kind, Shared: true, Shortcut: p.Shortcut, Folder: p.Folder, Title: p.Title, Text: p.Text}
	err := in.check()
	p.Shortcut, p.Folder, p.Title, p.Text = in.Shortcut, in.Folder, in.Title, in.Text
	return err
}

// Rule tidies and judges a rule.
func (j Judge) Rule(ctx context.Context, u *Rule) error {
	in := NewRule{Name: u.Name, Mode: u.Mode, Place: u.Place, Definition: u.Definition}
	err := j.s.checkRule(ctx, &in)
	u.Name, u.Mode, u.Definition = in.Name, in.Mode, in.Definition
	return err
}

// Profile judges what is set for an engineer.
func (j Judge) Profile(e *Engineer) error {
	if e.Capacity < 0 || e.Capacity > maxCapacity {
		return fault.OutOfRange.In("capacity").With("min", 0).With("max", maxCapacity)
	}
	if err := e.Skills.check(j.s.catalog.Now()); err != nil {
		return err
	}
	return e.Plan.check()
}

// ShortcutKey is how shortcuts are compared.
func ShortcutKey(shortcut string) string { return foldText(shortcut) }

// errIDTaken: the id is that of something that is not configuration.
var errIDTaken = fault.New(fault.Conflict, fault.CodeInvalid, "id {id} 已被使用，请换一个", "the id {id} is taken: choose another").In("id")

// free refuses an id that a row has already.
func free(tx *db.Tx, sql, id string) error {
	var n int
	err := tx.Get(sql, id).Scan(&n)
	if err == nil && n > 0 {
		err = errIDTaken.With("id", id)
	}
	return err
}

// PutTeamIn writes a team as it stands; before is nil for a new one.
func PutTeamIn(tx *db.Tx, who principal.Principal, before *Team, t Team) error {
	t.Changed = tx.Now
	if before == nil {
		t.Version, t.Created = 1, tx.Now
		tx.Write(1, "INSERT INTO desk_teams (id, name_zh, name_en, lead, version, created_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
			t.ID, t.Name.ZH, t.Name.EN, t.Lead, t.Version, t.Created, t.Changed)
		members(tx, t)
		record(tx, who, "team.create", "team", t.ID, t.Version, map[string]any{"name_zh": t.Name.ZH, "name_en": t.Name.EN, "lead": t.Lead, "members": t.Members})
		return nil
	}
	t.Version = before.Version + 1
	tx.Write(1, "UPDATE desk_teams SET name_zh = ?, name_en = ?, lead = ?, version = ?, changed_at = ? WHERE id = ? AND version = ?",
		t.Name.ZH, t.Name.EN, t.Lead, t.Version, t.Changed, t.ID, before.Version)
	members(tx, t)
	record(tx, who, "team.update", "team", t.ID, t.Version, map[string]any{"name_zh": t.Name.ZH, "name_en": t.Name.EN, "lead": t.Lead, "members_from": before.Members, "members_to": t.Members})
	return nil
}

// DropTeamIn removes a team that no queue of the new configuration has. Views
// that are shared with it become their owners' own again.
func DropTeamIn(tx *db.Tx, who principal.Principal, t Team) {
	forgetTeam(tx, who, t)
}

// PutQueueIn writes a queue as it stands, its turns left as they are.
func PutQueueIn(tx *db.Tx, who principal.Principal, before *Queue, q Queue) error {
	filter, err := json.Marshal(q.Filter)
	if err != nil {
		return err
	}
	if before == nil {
		q.Version = 1
		tx.Write(1, `INSERT INTO desk_queues (id, name_zh, name_en, place, filter, sort, team, way, hard, last_user, turns, version, created_at, changed_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, ?, ?, ?)`, q.ID, q.Name.ZH, q.Name.EN, q.Place, string(filter), string(q.Sort), q.Team, string(q.Way), number(q.Hard), q.Version, tx.Now, tx.Now)
		record(tx, who, "queue.create", "queue", q.ID, q.Version, q.told())
		return nil
	}
	q.Version = before.Version + 1
	tx.Write(1, `UPDATE desk_queues SET name_zh = ?, name_en = ?, place = ?, filter = ?, sort = ?, team = ?, way = ?, hard = ?, version = ?, changed_at = ?
		WHERE id = ? AND version = ?`, q.Name.ZH, q.Name.EN, q.Place, string(filter), string(q.Sort), q.Team, string(q.Way), number(q.Hard), q.Version, tx.Now, q.ID, before.Version)
	record(tx, who, "queue.update", "queue", q.ID, q.Version, map[string]any{"from": before.told(), "to": q.told()})
	return nil
}

// DropQueueIn removes a queue.
func DropQueueIn(tx *db.Tx, who principal.Principal, q Queue) {
	tx.Write(1, "DELETE FROM desk_queues WHERE id = ? AND version = ?", q.ID, q.Version)
	record(tx, who, "queue.delete", "queue", q.ID, q.Version+1, q.told())
}

// PutViewIn writes a shared view as it stands; a new one without an owner is the
// caller's.
func PutViewIn(tx *db.Tx, who principal.Principal, before *View, v View) error {
	filter, columns, err := v.texts()
	if err != nil {
		return err
	}
	if before == nil {
		if err := free(tx, "SELECT count(*) FROM desk_views WHERE id = ?", v.ID); err != nil {
			return err
		}
		v.Version = 1
		tx.Write(1, `INSERT INTO desk_views (id, owner, name_zh, name_en, place, shared, team, filter, columns, sort, version, created_at, changed_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, v.ID, v.Owner, v.Name.ZH, v.Name.EN, v.Place, string(v.Shared), v.Team, filter, columns, string(v.Sort), v.Version, tx.Now, tx.Now)
		record(tx, who, "view.create", "view", v.ID, v.Version, v.told())
		return nil
	}
	v.Version = before.Version + 1
	tx.Write(1, `UPDATE desk_views SET owner = ?, name_zh = ?, name_en = ?, place = ?, shared = ?, team = ?, filter = ?, columns = ?, sort = ?, version = ?, changed_at = ?
		WHERE id = ? AND version = ?`, v.Owner, v.Name.ZH, v.Name.EN, v.Place, string(v.Shared), v.Team, filter, columns, string(v.Sort), v.Version, tx.Now, v.ID, before.Version)
	record(tx, who, "view.update", "view", v.ID, v.Version, map[string]any{"from": before.told(), "to": v.told()})
	return nil
}

// DropViewIn removes a shared view.
func DropViewIn(tx *db.Tx, who principal.Principal, v View) {
	tx.Write(1, "DELETE FROM desk_views WHERE id = ? AND version = ?", v.ID, v.Version)
	record(tx, who, "view.delete", "view", v.ID, v.Version+1, v.told())
}

// PutMacroIn writes a shared macro as it stands.
func PutMacroIn(tx *db.Tx, who principal.Principal, before *Macro, m Macro) error {
	m.Changed, m.Actor = tx.Now, who.User
	if before == nil {
		if err := free(tx, "SELECT count(*) FROM macros WHERE id = ?", m.ID); err != nil {
			return err
		}
		m.Version, m.Created = 1, tx.Now
		tx.Write(1, "INSERT INTO macros ("+macroColumns+") VALUES (?, '', ?, ?, ?, ?, ?, ?, ?)", m.ID, m.Name.ZH, m.Name.EN, autoJSON(m.Actions), m.Version, m.Created, m.Changed, m.Actor)
		recordMacro(tx, who, "macro.create", m)
		return nil
	}
	m.Version = before.Version + 1
	tx.Write(1, "UPDATE macros SET name_zh = ?, name_en = ?, actions = ?, version = ?, changed_at = ?, actor = ? WHERE id = ? AND version = ?",
		m.Name.ZH, m.Name.EN, autoJSON(m.Actions), m.Version, m.Changed, m.Actor, m.ID, before.Version)
	recordMacro(tx, who, "macro.change", m)
	return nil
}

// DropMacroIn removes a shared macro.
func DropMacroIn(tx *db.Tx, who principal.Principal, m Macro) {
	tx.Write(1, "DELETE FROM macros WHERE id = ? AND version = ?", m.ID, m.Version)
	m.Version++
	recordMacro(tx, who, "macro.delete", m)
}

// FreeShortcutsIn takes the shortcuts of shared snippets away that are about to
// be written, so that two of them can change theirs over.
func FreeShortcutsIn(tx *db.Tx, ids []string) {
	if len(ids) > 0 {
		tx.Write(db.Any, "UPDATE snippets SET shortcut_key = '' WHERE owner = '' AND id IN ("+marks(len(ids))+")", anys(ids)...)
	}
}

// PutSnippetIn writes a shared snippet as it stands.
func PutSnippetIn(tx *db.Tx, who principal.Principal, before *Snippet, p Snippet) error {
	p.Changed, p.Actor = tx.Now, who.User
	if before == nil {
		if err := free(tx, "SELECT count(*) FROM snippets WHERE id = ?", p.ID); err != nil {
			return err
		}
		p.Version, p.Created = 1, tx.Now
		tx.Write(1, "INSERT INTO snippets ("+snippetColumns+", shortcut_key) VALUES (?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			p.ID, p.Kind, p.Shortcut, p.Folder, p.Title.ZH, p.Title.EN, p.Text.ZH, p.Text.EN, p.Version, p.Created, p.Changed, p.Actor, foldText(p.Shortcut))
		recordSnippet(tx, who, "snippet.create", p)
		return nil
	}
	p.Version = before.Version + 1
	tx.Write(1, `UPDATE snippets SET kind = ?, shortcut = ?, shortcut_key = ?, folder = ?, title_zh = ?, title_en = ?, text_zh = ?, text_en = ?, version = ?, changed_at = ?, actor = ?
		WHERE id = ? AND version = ?`, p.Kind, p.Shortcut, foldText(p.Shortcut), p.Folder, p.Title.ZH, p.Title.EN, p.Text.ZH, p.Text.EN, p.Version, p.Changed, p.Actor, p.ID, before.Version)
	recordSnippet(tx, who, "snippet.change", p)
	return nil
}

// DropSnippetIn removes a shared snippet.
func DropSnippetIn(tx *db.Tx, who principal.Principal, p Snippet) {
	tx.Write(1, "DELETE FROM snippets WHERE id = ? AND version = ?", p.ID, p.Version)
	p.Version++
	recordSnippet(tx, who, "snippet.delete", p)
}

// PutRuleIn writes a rule as it stands. Switched on or to shadow from off, and
// with another definition, it acts on what happens from now on. One that comes
// back goes on behind its last version.
func PutRuleIn(tx *db.Tx, who principal.Principal, before *Rule, u Rule) error {
	u.Changed, u.Actor, u.Cause = tx.Now, who.User, ""
	if before == nil {
		u.Created, u.Since = tx.Now, tx.Now
		if err := tx.Get("SELECT coalesce(max(version), 0) + 1 FROM rule_versions WHERE rule_id = ?", u.ID).Scan(&u.Version); err != nil {
			return err
		}
		tx.Write(1, "INSERT INTO rules ("+ruleColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?)",
			u.ID, u.Name.ZH, u.Name.EN, u.Mode, u.Place, autoJSON(u.Definition), u.Version, u.Since, u.Created, u.Changed, u.Actor)
		keepRule(tx, who, "rule.create", u)
		return nil
	}
	u.Version, u.Created, u.Since = before.Version+1, before.Created, before.Since
	if before.Mode != u.Mode || autoJSON(before.Definition) != autoJSON(u.Definition) {
		u.Since = tx.Now
	}
	writeRule(tx, u, before.Version)
	keepRule(tx, who, "rule.change", u)
	return nil
}

// DropRuleIn removes a rule; its versions and runs stay until they are old.
func DropRuleIn(tx *db.Tx, who principal.Principal, u Rule) {
	tx.Write(1, "DELETE FROM rules WHERE id = ? AND version = ?", u.ID, u.Version)
	u.Version, u.Changed, u.Mode = u.Version+1, tx.Now, ModeOff
	keepRule(tx, who, "rule.delete", u)
}

// PutProfileIn sets capacity, skills and plan of an engineer; what he says of
// his presence stays. An empty profile takes what was set away.
func PutProfileIn(tx *db.Tx, who principal.Principal, e Engineer) error {
	before, err := scanProfile(tx.Get("SELECT "+profileColumns+" FROM desk_engineers WHERE user_id = ?", e.ID))
	if err != nil && !errors.Is(err, db.ErrNone) {
		return err
	}
	skills, err := json.Marshal(e.Skills)
	if err != nil {
		return err
	}
	plan, err := json.Marshal(e.Plan)
	if err != nil {
		return err
	}
	e.Version = before.Version + 1
	tx.Write(1, `INSERT INTO desk_engineers (user_id, capacity, skills, plan, presence, since, version, changed_at) VALUES (?, ?, ?, ?, '', 0, ?, ?)
		ON CONFLICT (user_id) DO UPDATE SET capacity = excluded.capacity, skills = excluded.skills, plan = excluded.plan, version = excluded.version, changed_at = excluded.changed_at
		WHERE desk_engineers.version = ?`, e.ID, e.Capacity, string(skills), string(plan), e.Version, tx.Now, before.Version)
	record(tx, who, "team.engineer", "engineer", e.ID, e.Version, map[string]any{"capacity_from": before.Capacity, "capacity_to": e.Capacity, "skills": e.Skills, "plan": true})
	return nil
}
