package queue

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Presence is what an engineer says of himself.
type Presence string

// The presences.
const (
	Unsaid Presence = ""       // at work when his plan says so
	Online Presence = "online" // at work; with a plan only on shift
	Away   Presence = "away"   // gets nothing
)

// Limits of an engineer's skills.
const (
	maxCapacity = 1000
	maxSkills   = 200
)

// Faults of engineers.
var (
	errNoEngineer = fault.New(fault.NotFound, fault.CodeInvalid, "找不到该工程师", "there is no such engineer")
	errVersion    = fault.New(fault.Conflict, fault.CodeNoPermission, "已被他人修改（当前版本 {version}），请刷新后重试",
		"somebody has changed it meanwhile (it is version {version} now): read it again and repeat the change").In("version")
)

// Skills are what an engineer can do. An empty list is everything; products and
// sub types are one list in two grains.
type Skills struct {
	Products  []string `json:"products,omitempty" yaml:"product_category_ids,omitempty"`
	SubTypes  []string `json:"sub_types,omitempty" yaml:"business_type_categories,omitempty"`
	Languages []string `json:"languages,omitempty" yaml:"languages,omitempty"`
	Regions   []string `json:"regions,omitempty" yaml:"region_ids,omitempty"`
}

func (s Skills) check(c *catalog.Catalog) error {
	for _, l := range []struct {
		name  string
		ids   []string
		known func(id string) bool
	}{
		{"product_category_ids", s.Products, func(id string) bool { _, ok := c.Product(id); return ok }},
		{"business_type_categories", s.SubTypes, func(id string) bool { _, ok := c.SubType(id); return ok }},
		{"languages", s.Languages, func(id string) bool { return id == string(locale.ZH) || id == string(locale.EN) }},
		{"region_ids", s.Regions, func(id string) bool { _, ok := c.Region(id); return ok }},
	} {
		if len(l.ids) > maxSkills {
			return fault.TooManyItems.In("skills."+l.name).With("max", maxSkills)
		}
		for _, id := range l.ids {
			if !l.known(id) && l.name == "languages" {
				return fault.OneOf("skills.languages", locale.ZH, locale.EN)
			} else if !l.known(id) {
				return fault.Unknown.In("skills." + l.name)
			}
		}
	}
	return nil
}

// lacks is the skill that is missing for a ticket: product, language, region or
// "" when none is. A ticket without a region, or with one the desk may not
// filter by, needs none.
func (s Skills) lacks(t ticket.Row) string {
	switch {
	case len(s.Products)+len(s.SubTypes) > 0 && !slices.Contains(s.Products, t.Product) && !slices.Contains(s.SubTypes, t.SubType):
		return "product"
	case len(s.Languages) > 0 && !slices.Contains(s.Languages, t.Language):
		return "language"
	case len(s.Regions) > 0 && t.Region != "" && !slices.Contains(s.Regions, t.Region):
		return "region"
	}
	return ""
}

// Engineer is a person of the house as the queues see him.
type Engineer struct {
	ID, Alias, Role string
	Name            string // log-in name; of what is shown only
	Capacity        int    // as set for him, 0 = as configured
	Skills          Skills
	Plan            Plan
	Presence        Presence
	Since           int64 // when he said so, 0 = never
	Version         int64 // 0 = nothing was set yet

	Limit     int   // open tickets at once
	Load      int   // open tickets now
	OnShift   bool  // his plan says so, or he has none
	Available bool  // gets tickets, but for his load
	Changes   int64 // when his shift begins or ends, 0 = it does not; of what is shown only
}

// room tells whether he may get another ticket.
func (e Engineer) room() bool { return e.Load < e.Limit }

// judge fills in what follows from plan, presence and configuration. With a
// plan he is at work on his shifts until he says away; without one when he says
// online.
func (s *Service) judge(e *Engineer, now time.Time) {
	if e.Limit = e.Capacity; e.Limit == 0 {
		e.Limit = s.o.Queue.Capacity
	}
	planned := e.Plan.some()
	e.OnShift = !planned || e.Plan.On(now)
	e.Available = e.OnShift && e.Presence != Away && (planned || e.Presence == Online)
}

// engineers reads people of the house who can work, in the order of their ids:
// those of a condition on u (users) and e (desk_engineers).
func (s *Service) engineers(tx *db.Tx, cond string, args ...any) (all []Engineer, err error) {
	now := time.UnixMilli(tx.Real)
	err = tx.List(func(r db.Row) error {
		var e Engineer
		var skills, plan, presence string
		if err := r.Scan(&e.ID, &e.Alias, &e.Role, &e.Capacity, &skills, &plan, &presence, &e.Since, &e.Version, &e.Load); err != nil {
			return err
		}
		e.Presence = Presence(presence)
		if err := errors.Join(json.Unmarshal([]byte(skills), &e.Skills), json.Unmarshal([]byte(plan), &e.Plan)); err != nil {
			return err
		}
		s.judge(&e, now)
		all = append(all, e)
		return nil
	}, `SELECT u.id, u.alias, u.role, coalesce(e.capacity, 0), coalesce(e.skills, '{}'), coalesce(e.plan, '{}'), coalesce(e.presence, ''), coalesce(e.since, 0), coalesce(e.version, 0),
			(SELECT count(*) FROM desk_tickets WHERE assignee = u.id AND assignee <> '' AND status IN (0, 1, 2, 5, 17) AND sandbox = 0)
		FROM users AS u LEFT JOIN desk_engineers AS e ON e.user_id = u.id
		WHERE u.domain_id = 'house' AND u.partner_id = '' AND u.role <> 'auditor' AND u.disabled = 0 AND `+cond+" ORDER BY u.id", args...)
	return all, err
}

func (s *Service) engineerIn(tx *db.Tx, id string) (Engineer, error) {
	all, err := s.engineers(tx, "u.id = ?", id)
	if err == nil && len(all) == 0 {
		err = errNoEngineer
	}
	if err != nil {
		return Engineer{}, err
	}
	return all[0], nil
}

// of reads the members of a team who can work.
func (s *Service) of(tx *db.Tx, team string) ([]Engineer, error) {
	return s.engineers(tx, "u.id IN (SELECT m.user_id FROM desk_team_members AS m WHERE m.team_id = ?)", team)
}

// mayRead is for people of the house and the operator on the machine.
func mayRead(who principal.Principal) error {
	if who.Partner == "" && (who.Kind == principal.Engineer || who.Kind == principal.Local || who.Kind == principal.System) {
		return nil
	}
	return fault.NoPermission
}

// mayRun is for supervisors and administrators.
func mayRun(who principal.Principal) error {
	if who.Partner == "" && (who.Admin() || who.Is(principal.RoleSupervisor)) {
		return nil
	}
	return fault.NoPermission
}

// Engineers lists the people of the house who can work, with skills, shifts and
// load, by alias. It fails with OSM.01010002 for partners' people.
func (s *Service) Engineers(ctx context.Context, who principal.Principal) (all []Engineer, err error) {
	if err := mayRead(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { all, err = s.engineers(tx, "1 = 1"); return err })
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b Engineer) int { return strings.Compare(a.Alias, b.Alias) })
	return all, s.nameEngineers(ctx, all)
}

func (s *Service) nameEngineers(ctx context.Context, all []Engineer) error {
	ids := make([]string, len(all))
	for i, e := range all {
		ids[i] = e.ID
	}
	names, err := s.ident.Names(ctx, principal.House, ids)
	for i, e := range all {
		all[i].Name = names[e.ID]
		if e.Plan.some() {
			if next := e.Plan.Next(s.db.Now()); !next.IsZero() {
				all[i].Changes = next.UnixMilli()
			}
		}
	}
	return err
}

// Engineer reads one; errNoEngineer (OSM.01010001).
func (s *Service) Engineer(ctx context.Context, who principal.Principal, id string) (e Engineer, err error) {
	if err := mayRead(who); err != nil {
		return e, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { e, err = s.engineerIn(tx, id); return err })
	return s.named(ctx, e, err)
}

func (s *Service) named(ctx context.Context, e Engineer, err error) (Engineer, error) {
	if err != nil {
		return e, err
	}
	all := []Engineer{e}
	err = s.nameEngineers(ctx, all)
	return all[0], err
}

// EngineerChange is what SetEngineer replaces; nil leaves a part.
type EngineerChange struct {
	Capacity *int // 0 = as configured
	Skills   *Skills
	Plan     *Plan
	Version  int64 // the one that was read; 0 = whatever it is
}

// SetEngineer sets what an engineer can do, how much and when. Supervisors and
// administrators only. It fails with OSM.01010001 naming the field, or
// errVersion (409).
func (s *Service) SetEngineer(ctx context.Context, who principal.Principal, id string, c EngineerChange) (Engineer, error) {
	if err := mayRun(who); err != nil {
		return Engineer{}, err
	}
	if c.Capacity != nil && (*c.Capacity < 0 || *c.Capacity > maxCapacity) {
		return Engineer{}, fault.OutOfRange.In("capacity").With("min", 0).With("max", maxCapacity)
	}
	if c.Skills != nil {
		if err := c.Skills.check(s.catalog.Now()); err != nil {
			return Engineer{}, err
		}
	}
	if c.Plan != nil {
		if err := c.Plan.check(); err != nil {
			return Engineer{}, err
		}
	}
	e, err := db.Do(ctx, s.db, func(tx *db.Tx) (Engineer, error) {
		e, err := s.engineerIn(tx, id)
		if err != nil {
			return e, err
		}
		if c.Version != 0 && c.Version != e.Version {
			return e, errVersion.With("version", e.Version)
		}
		before := e.Capacity
		if c.Capacity != nil {
			e.Capacity = *c.Capacity
		}
		if c.Skills != nil {
			e.Skills = *c.Skills
		}
		if c.Plan != nil {
			e.Plan = *c.Plan
		}
		if e, err = s.putEngineer(tx, e); err != nil {
			return e, err
		}
		record(tx, who, "team.engineer", "engineer", id, e.Version, map[string]any{"capacity_from": before, "capacity_to": e.Capacity, "skills": e.Skills, "plan": c.Plan != nil})
		return e, nil
	})
	return s.named(ctx, e, err)
}

// putEngineer writes an engineer under his next version.
func (s *Service) putEngineer(tx *db.Tx, e Engineer) (Engineer, error) {
	skills, err := json.Marshal(e.Skills)
	if err != nil {
		return e, err
	}
	plan, err := json.Marshal(e.Plan)
	if err != nil {
		return e, err
	}
	before := e.Version
	e.Version++
	tx.Write(1, `INSERT INTO desk_engineers (user_id, capacity, skills, plan, presence, since, version, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (user_id) DO UPDATE SET capacity = excluded.capacity, skills = excluded.skills, plan = excluded.plan, presence = excluded.presence, since = excluded.since,
			version = excluded.version, changed_at = excluded.changed_at WHERE desk_engineers.version = ?`,
		e.ID, e.Capacity, string(skills), string(plan), string(e.Presence), e.Since, e.Version, tx.Now, before)
	s.judge(&e, time.UnixMilli(tx.Real))
	return e, nil
}

// MyShift is what SetMyShift changes; nil leaves a part.
type MyShift struct {
	Presence *Presence
	Plan     *Plan
	Version  int64 // 0 = whatever it is
}

// SetMyShift is the caller's word about his own work: online, away, his plan.
// Who goes away gives the tickets back that were given to him and that he has
// done nothing to; their numbers are answered. All in one transaction. It fails
// with OSM.01010002 for callers who take no tickets in the house, .01 naming the
// field, or errVersion (409).
func (s *Service) SetMyShift(ctx context.Context, who principal.Principal, m MyShift) (Engineer, []string, error) {
	if err := mayWork(who); err != nil {
		return Engineer{}, nil, err
	}
	if m.Presence != nil && *m.Presence != Online && *m.Presence != Away {
		return Engineer{}, nil, fault.Unknown.In("presence")
	}
	if m.Plan != nil {
		if err := m.Plan.check(); err != nil {
			return Engineer{}, nil, err
		}
	}
	type done struct {
		Engineer Engineer
		Back     []string
	}
	out, err := db.Do(ctx, s.db, func(tx *db.Tx) (out done, err error) {
		if m.Presence != nil {
			tx.Lock(principal.House, lockName) // nothing is given to him meanwhile
		}
		e, err := s.engineerIn(tx, who.User)
		if err != nil {
			return out, err
		}
		if m.Version != 0 && m.Version != e.Version {
			return out, errVersion.With("version", e.Version)
		}
		before := e.Presence
		if m.Plan != nil {
			e.Plan = *m.Plan
		}
		if m.Presence != nil && *m.Presence != e.Presence {
			e.Presence, e.Since = *m.Presence, tx.Now
		}
		var idle [][2]string
		if m.Presence != nil && *m.Presence == Away {
			if idle, err = untouched(tx, who.User); err != nil {
				return out, err
			}
		}
		if out.Engineer, err = s.putEngineer(tx, e); err != nil {
			return out, err
		}
		if len(idle) > 0 {
			if out.Back, err = ticket.ReleaseIn(tx, who, who.User, "away", idle); err != nil {
				return out, err
			}
			out.Engineer.Load -= len(out.Back)
		}
		record(tx, who, "team.shift", "engineer", who.User, out.Engineer.Version, map[string]any{"from": before, "to": e.Presence, "plan": m.Plan != nil, "given_back": len(out.Back)})
		return out, nil
	})
	if err != nil {
		return Engineer{}, nil, err
	}
	out.Engineer, err = s.named(ctx, out.Engineer, nil)
	return out.Engineer, out.Back, err
}

// untouched are the tickets in work that were given to an engineer and that he
// has done nothing to: his name stands at none of their events.
func untouched(tx *db.Tx, user string) (keys [][2]string, err error) {
	err = tx.List(func(r db.Row) error {
		var k [2]string
		err := r.Scan(&k[0], &k[1])
		keys = append(keys, k)
		return err
	}, `SELECT d.domain_id, d.ticket_id FROM desk_tickets AS d WHERE d.assignee = ? AND d.status IN (0, 1) AND NOT EXISTS
		(SELECT 1 FROM events AS e WHERE e.domain_id = d.domain_id AND e.subject = 'ticket' AND e.subject_id = d.ticket_id AND e.actor = ?) ORDER BY d.ticket_id`, user, user)
	return keys, err
}

// mayWork is for engineers, supervisors and administrators of the house by name.
func mayWork(who principal.Principal) error {
	if who.Partner == "" && who.Works() {
		return nil
	}
	return fault.NoPermission
}

// record records a change of the desk's own things.
func record(tx *db.Tx, who principal.Principal, kind, subject, id string, revision int64, data any) {
	event.Record(tx, who, event.Event{Kind: kind, Subject: subject, SubjectID: id, Revision: revision, LogCode: event.NoLog, Data: data})
}
