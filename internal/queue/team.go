package queue

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Limits of teams and names.
const (
	maxTeams   = 200
	maxMembers = 200
	maxName    = 64 // characters
)

// Faults of teams.
var (
	ErrNoTeam   = fault.New(fault.NotFound, fault.CodeInvalid, "团队不存在", "the team does not exist")
	errNoName   = fault.New(fault.Invalid, fault.CodeInvalid, "请至少填写一种语言的名称", "a name in at least one language is required").In("name_zh")
	errMember   = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 中的 {id} 不是本方的工程师", "{field} holds {id}, who is no engineer of the house")
	errLead     = fault.New(fault.Invalid, fault.CodeInvalid, "负责人须为团队成员", "the lead must be a member of the team").In("lead")
	errTeamUsed = fault.New(fault.Conflict, fault.CodeNoPermission, "仍有队列由该团队处理：{queue}", "a queue is still served by this team: {queue}")
	errTooMany  = fault.New(fault.Conflict, fault.CodeInvalid, "最多可有 {max} 个", "there can be at most {max} of them")
)

// Team is some people of the house who serve queues together.
type Team struct {
	ID      string
	Name    locale.Texts
	Lead    string   // user id of a member, "" = none
	Members []string // user ids, in their order
	Version int64
	Created int64
	Changed int64

	Names map[string]string // log-in names of the members; of what is shown only
}

// name is a name in both languages, trimmed; OSM.01010001 when there is none.
func name(n locale.Texts) (locale.Texts, error) {
	n = locale.Texts{ZH: strings.TrimSpace(n.ZH), EN: strings.TrimSpace(n.EN)}
	for field, text := range map[string]string{"name_zh": n.ZH, "name_en": n.EN} {
		if utf8.RuneCountInString(text) > maxName {
			return n, fault.TooLong.In(field).With("max", maxName)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return n, fault.Unknown.In(field)
		}
	}
	if n.ZH == "" && n.EN == "" {
		return n, errNoName
	}
	return n, nil
}

func (t *Team) check() (err error) {
	if t.Name, err = name(t.Name); err != nil {
		return err
	}
	slices.Sort(t.Members)
	t.Members = slices.Compact(t.Members)
	switch {
	case len(t.Members) > maxMembers:
		return fault.TooManyItems.In("members").With("max", maxMembers)
	case t.Lead != "" && !slices.Contains(t.Members, t.Lead):
		return errLead
	}
	return nil
}

// people refuses members who are no people of the house that work on tickets.
// Those who were members before may be disabled meanwhile.
func people(tx *db.Tx, members []string) error {
	if len(members) == 0 {
		return nil
	}
	found := map[string]bool{}
	err := tx.List(func(r db.Row) error {
		var id string
		err := r.Scan(&id)
		found[id] = true
		return err
	}, "SELECT id FROM users WHERE domain_id = 'house' AND partner_id = '' AND role <> 'auditor' AND id IN ("+marks(len(members))+")", anys(members)...)
	if err != nil {
		return err
	}
	for _, m := range members {
		if !found[m] {
			return errMember.In("members").With("id", m)
		}
	}
	return nil
}

const teamColumns = "id, name_zh, name_en, lead, version, created_at, changed_at"

func scanTeam(r db.Row) (t Team, err error) {
	err = r.Scan(&t.ID, &t.Name.ZH, &t.Name.EN, &t.Lead, &t.Version, &t.Created, &t.Changed)
	if errors.Is(err, db.ErrNone) {
		err = ErrNoTeam
	}
	return t, err
}

func teamIn(tx *db.Tx, id string) (Team, error) {
	t, err := scanTeam(tx.Get("SELECT "+teamColumns+" FROM desk_teams WHERE id = ?", id))
	if err != nil {
		return t, err
	}
	return t, tx.List(func(r db.Row) error {
		var user string
		err := r.Scan(&user)
		t.Members = append(t.Members, user)
		return err
	}, "SELECT user_id FROM desk_team_members WHERE team_id = ? ORDER BY user_id", id)
}

// teamExists is nil for "" and for a team that is there.
func teamExists(tx *db.Tx, id, field string) error {
	if id == "" {
		return nil
	}
	var n int
	err := tx.Get("SELECT count(*) FROM desk_teams WHERE id = ?", id).Scan(&n)
	if err == nil && n == 0 {
		err = ErrNoTeam.In(field)
	}
	return err
}

// Teams lists the teams with their members, by name. People of the house read.
func (s *Service) Teams(ctx context.Context, who principal.Principal) (all []Team, err error) {
	if err := mayRead(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		place := map[string]int{}
		err := tx.List(func(r db.Row) error {
			t, err := scanTeam(r)
			place[t.ID] = len(all)
			all = append(all, t)
			return err
		}, "SELECT "+teamColumns+" FROM desk_teams ORDER BY name_en, name_zh, id")
		if err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			var team, user string
			if err := r.Scan(&team, &user); err != nil {
				return err
			}
			if i, ok := place[team]; ok {
				all[i].Members = append(all[i].Members, user)
			}
			return nil
		}, "SELECT team_id, user_id FROM desk_team_members ORDER BY team_id, user_id")
	})
	if err != nil {
		return nil, err
	}
	return all, s.nameMembers(ctx, all)
}

func (s *Service) nameMembers(ctx context.Context, all []Team) error {
	var ids []string
	for _, t := range all {
		ids = append(ids, t.Members...)
	}
	names, err := s.ident.Names(ctx, principal.House, ids)
	for i := range all {
		all[i].Names = names
	}
	return err
}

// Team reads a team; ErrNoTeam.
func (s *Service) Team(ctx context.Context, who principal.Principal, id string) (t Team, err error) {
	if err := mayRead(who); err != nil {
		return t, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { t, err = teamIn(tx, id); return err })
	return s.shown(ctx, t, err)
}

func (s *Service) shown(ctx context.Context, t Team, err error) (Team, error) {
	if err != nil {
		return t, err
	}
	all := []Team{t}
	err = s.nameMembers(ctx, all)
	return all[0], err
}

// CreateTeam adds a team: name, lead and members are read. Supervisors and
// administrators only. It fails with OSM.01010001 naming the field.
func (s *Service) CreateTeam(ctx context.Context, who principal.Principal, in Team) (Team, error) {
	if err := mayRun(who); err != nil {
		return Team{}, err
	}
	if err := in.check(); err != nil {
		return Team{}, err
	}
	in.ID, in.Version = s.db.NewID(), 1
	t, err := db.Do(ctx, s.db, func(tx *db.Tx) (Team, error) {
		t := in
		tx.Lock(principal.House, "desk.teams")
		var n int
		if err := tx.Get("SELECT count(*) FROM desk_teams").Scan(&n); err != nil {
			return t, err
		}
		if n >= maxTeams {
			return t, errTooMany.With("max", maxTeams)
		}
		if err := people(tx, t.Members); err != nil {
			return t, err
		}
		t.Created, t.Changed = tx.Now, tx.Now
		tx.Write(1, "INSERT INTO desk_teams (id, name_zh, name_en, lead, version, created_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
			t.ID, t.Name.ZH, t.Name.EN, t.Lead, t.Version, t.Created, t.Changed)
		members(tx, t)
		record(tx, who, "team.create", "team", t.ID, t.Version, map[string]any{"name_zh": t.Name.ZH, "name_en": t.Name.EN, "lead": t.Lead, "members": t.Members})
		return t, nil
	})
	return s.shown(ctx, t, err)
}

// members writes who is in a team.
func members(tx *db.Tx, t Team) {
	tx.Write(db.Any, "DELETE FROM desk_team_members WHERE team_id = ?", t.ID)
	for _, m := range t.Members {
		tx.Write(1, "INSERT INTO desk_team_members (team_id, user_id) VALUES (?, ?)", t.ID, m)
	}
}

// ChangeTeam replaces name, lead and members. in.Version is the version that was
// read; 0 = whatever it is, else errVersion (409) when it has another.
func (s *Service) ChangeTeam(ctx context.Context, who principal.Principal, in Team) (Team, error) {
	if err := mayRun(who); err != nil {
		return Team{}, err
	}
	if err := in.check(); err != nil {
		return Team{}, err
	}
	t, err := db.Do(ctx, s.db, func(tx *db.Tx) (Team, error) {
		before, err := teamIn(tx, in.ID)
		if err != nil {
			return before, err
		}
		if in.Version != 0 && in.Version != before.Version {
			return before, errVersion.With("version", before.Version)
		}
		fresh := slices.DeleteFunc(slices.Clone(in.Members), func(m string) bool { return slices.Contains(before.Members, m) })
		if err := people(tx, fresh); err != nil {
			return before, err
		}
		t := in
		t.Version, t.Created, t.Changed = before.Version+1, before.Created, tx.Now
		tx.Write(1, "UPDATE desk_teams SET name_zh = ?, name_en = ?, lead = ?, version = ?, changed_at = ? WHERE id = ? AND version = ?",
			t.Name.ZH, t.Name.EN, t.Lead, t.Version, t.Changed, t.ID, before.Version)
		members(tx, t)
		record(tx, who, "team.update", "team", t.ID, t.Version, map[string]any{"name_zh": t.Name.ZH, "name_en": t.Name.EN, "lead": t.Lead, "members_from": before.Members, "members_to": t.Members})
		return t, nil
	})
	return s.shown(ctx, t, err)
}

// DeleteTeam removes a team that serves no queue. Its tickets have no team then,
// and views shared with it are their owners' own again. It fails with
// errTeamUsed (409) or errVersion (409).
func (s *Service) DeleteTeam(ctx context.Context, who principal.Principal, id string, version int64) error {
	if err := mayRun(who); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		t, err := teamIn(tx, id)
		if err != nil {
			return err
		}
		if version != 0 && version != t.Version {
			return errVersion.With("version", t.Version)
		}
		var used string
		err = tx.Get("SELECT id FROM desk_queues WHERE team = ? ORDER BY place, id LIMIT 1", id).Scan(&used)
		if err == nil {
			return errTeamUsed.With("queue", used)
		}
		if !errors.Is(err, db.ErrNone) {
			return err
		}
		forgetTeam(tx, who, t)
		return nil
	})
}

// forgetTeam removes a team with what belongs to it.
func forgetTeam(tx *db.Tx, who principal.Principal, t Team) {
	tx.Write(1, "DELETE FROM desk_teams WHERE id = ? AND version = ?", t.ID, t.Version)
	tx.Write(db.Any, "DELETE FROM desk_team_members WHERE team_id = ?", t.ID)
	tx.Write(db.Any, "UPDATE desk_views SET shared = 'private', team = '', version = version + 1, changed_at = ? WHERE shared = 'team' AND team = ?", tx.Now, t.ID)
	ticket.ForgetTeam(tx, t.ID)
	record(tx, who, "team.delete", "team", t.ID, t.Version+1, called(map[string]any{"members": t.Members}, t.Name))
}

// marks are so many marks of a list.
func marks(n int) string { return "?" + strings.Repeat(", ?", n-1) }

func anys(texts []string) []any {
	out := make([]any, len(texts))
	for i, t := range texts {
		out[i] = t
	}
	return out
}
