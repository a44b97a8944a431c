package queue

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Sharing is who else has a view.
type Sharing string

// The ways of sharing.
const (
	Private  Sharing = "private" // its owner alone
	WithTeam Sharing = "team"
	WithAll  Sharing = "all" // everybody of the house
)

// MaxViews is how many views one person may have.
const MaxViews = 50

// Columns are what a view can show.
var Columns = []string{"number", "status", "severity", "domain", "creator", "description", "product", "problem_type", "region", "language", "plan",
	"assignee", "team", "owner", "urges", "created_at", "updated_at"}

// Faults of views.
var (
	ErrNoView  = fault.New(fault.NotFound, fault.CodeInvalid, "视图不存在", "the view does not exist")
	errViews   = fault.New(fault.Conflict, fault.CodeInvalid, "每人最多可有 {max} 个视图", "a person can have at most {max} views").With("max", MaxViews)
	errShare   = fault.New(fault.Invalid, fault.CodeInvalid, "只能与自己所在的团队共享", "views are shared with teams one belongs to").In("team_id")
	errColumns = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 含有重复项", "{field} has an item twice").In("columns")
)

// View is a saved filter with columns and order.
type View struct {
	ID      string
	Owner   string // user id
	Name    locale.Texts
	Place   int // order in the list, 0..100,000
	Shared  Sharing
	Team    string // with WithTeam
	Filter  ticket.RowFilter
	Columns []string // empty = the desk's own choice
	Sort    ticket.Sort
	Version int64
	Created int64
	Changed int64

	Tally          // tickets the caller sees in it; of what is shown only
	Mine      bool // the caller may change it
	OwnerName string
}

func (v *View) check(s *Service) (err error) {
	if v.Name, err = name(v.Name); err != nil {
		return err
	}
	if v.Shared == "" {
		v.Shared = Private
	}
	if v.Sort == "" {
		v.Sort = ticket.SortNewest
	}
	switch {
	case v.Place < 0 || v.Place > maxPlace:
		return fault.OutOfRange.In("place").With("min", 0).With("max", maxPlace)
	case v.Shared != Private && v.Shared != WithTeam && v.Shared != WithAll:
		return fault.OneOf("shared", Private, WithTeam, WithAll)
	case v.Shared == WithTeam && v.Team == "":
		return fault.Missing.In("team_id")
	case v.Shared != WithTeam && v.Team != "":
		return fault.Unknown.In("team_id")
	case !slices.Contains(ticket.Sorts, v.Sort):
		return fault.OneOf("sort", ticket.Sorts...)
	case len(v.Columns) > len(Columns):
		return fault.TooManyItems.In("columns").With("max", len(Columns))
	}
	for i, c := range v.Columns {
		if !slices.Contains(Columns, c) {
			return fault.OneOf("columns", Columns...)
		}
		if slices.Contains(v.Columns[:i], c) {
			return errColumns
		}
	}
	return v.Filter.Check(s.catalog.Now())
}

const viewColumns = "id, owner, name_zh, name_en, place, shared, team, filter, columns, sort, version, created_at, changed_at"

func scanView(r db.Row) (v View, err error) {
	var filter, columns, sort, shared string
	err = r.Scan(&v.ID, &v.Owner, &v.Name.ZH, &v.Name.EN, &v.Place, &shared, &v.Team, &filter, &columns, &sort, &v.Version, &v.Created, &v.Changed)
	if errors.Is(err, db.ErrNone) {
		return v, ErrNoView
	}
	if err != nil {
		return v, err
	}
	v.Shared, v.Sort = Sharing(shared), ticket.Sort(sort)
	return v, errors.Join(json.Unmarshal([]byte(filter), &v.Filter), json.Unmarshal([]byte(columns), &v.Columns))
}

// reach is the condition for the views the caller has: his own, those shared
// with everybody, those of his teams; supervisors and auditors have all that are
// shared.
// Partners' people have their own only.
func reach(who principal.Principal) (cond string, args []any) {
	switch {
	case who.Partner != "":
		return "owner = ?", []any{who.User}
	case mayRun(who) == nil, who.Audits():
		return "(owner = ? OR shared <> 'private')", []any{who.User}
	}
	return "(owner = ? OR shared = 'all' OR shared = 'team' AND team IN (SELECT team_id FROM desk_team_members WHERE user_id = ?))", []any{who.User, who.User}
}

// mayChange tells who changes a view the caller has: its owner; what is shared
// also supervisors and administrators, so that it outlives its owner.
func (v View) mayChange(who principal.Principal) bool {
	return who.Kind == principal.Engineer && v.Owner == who.User || v.Shared != Private && mayRun(who) == nil
}

func viewIn(tx *db.Tx, who principal.Principal, id string) (View, error) {
	cond, args := reach(who)
	v, err := scanView(tx.Get("SELECT "+viewColumns+" FROM desk_views WHERE id = ? AND "+cond, append([]any{id}, args...)...))
	v.Mine = v.mayChange(who)
	return v, err
}

// Views lists the views the caller has, in their order, with how many tickets he
// sees in each of the first 50 (Tally).
func (s *Service) Views(ctx context.Context, who principal.Principal) (all []View, err error) {
	if err := mayLook(who); err != nil {
		return nil, err
	}
	err = s.db.Survey(ctx, func(tx *db.Tx) error {
		all = nil
		cond, args := reach(who)
		err := tx.List(func(r db.Row) error {
			v, err := scanView(r)
			v.Mine = v.mayChange(who)
			all = append(all, v)
			return err
		}, "SELECT "+viewColumns+" FROM desk_views WHERE "+cond+" ORDER BY place, id LIMIT 500", args...)
		if err != nil {
			return err
		}
		return countViews(tx, who, all)
	})
	if err != nil {
		return nil, err
	}
	return all, s.nameViews(ctx, all)
}

// countViews reads rows, so only a View has it.
func countViews(tx *db.Tx, who principal.Principal, all []View) error {
	filters := make([]ticket.RowFilter, min(len(all), maxTallies))
	for i := range filters {
		filters[i] = all[i].Filter
	}
	counts, err := ticket.CountRows(tx, who, filters)
	for i, n := range counts {
		all[i].Tally = tally(n)
	}
	return err
}

// countedView fills in what is shown of a view.
func (s *Service) countedView(ctx context.Context, who principal.Principal, v View) (View, error) {
	all := []View{v}
	err := s.db.Survey(ctx, func(tx *db.Tx) error { return countViews(tx, who, all) })
	if err != nil {
		return v, err
	}
	err = s.nameViews(ctx, all)
	return all[0], err
}

func (s *Service) nameViews(ctx context.Context, all []View) error {
	ids := make([]string, len(all))
	for i, v := range all {
		ids[i] = v.Owner
	}
	names, err := s.ident.Names(ctx, principal.House, ids)
	for i := range all {
		all[i].OwnerName = names[all[i].Owner]
	}
	return err
}

// View reads a view the caller has; ErrNoView.
func (s *Service) View(ctx context.Context, who principal.Principal, id string) (v View, err error) {
	if v, err = s.viewOf(ctx, who, id); err != nil {
		return v, err
	}
	return s.countedView(ctx, who, v)
}

// viewOf is a view the caller has, not counted.
func (s *Service) viewOf(ctx context.Context, who principal.Principal, id string) (v View, err error) {
	if err := mayLook(who); err != nil {
		return v, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { v, err = viewIn(tx, who, id); return err })
	return v, err
}

// ViewTickets is a page of a view's tickets the caller may see. Failures:
// ErrNoView, OSM.01010001 for sort or cursor.
func (s *Service) ViewTickets(ctx context.Context, who principal.Principal, id string, l Look) (Page, error) {
	if err := errors.Join(mayLook(who), l.check()); err != nil {
		return Page{}, err
	}
	v, err := s.viewOf(ctx, who, id)
	if err != nil {
		return Page{}, err
	}
	if l.Sort == "" {
		l.Sort = v.Sort
	}
	return s.page(ctx, who, v.Filter, l)
}

// mayShare refuses what the caller may not share: teams he is not in. A
// partner's people share nothing.
func (v View) mayShare(tx *db.Tx, who principal.Principal) error {
	if v.Shared == Private {
		return nil
	}
	if who.Partner != "" {
		return fault.NoPermission
	}
	if v.Shared != WithTeam {
		return nil
	}
	if err := teamExists(tx, v.Team, "team_id"); err != nil || mayRun(who) == nil {
		return err
	}
	var n int
	err := tx.Get("SELECT count(*) FROM desk_team_members WHERE team_id = ? AND user_id = ?", v.Team, who.User).Scan(&n)
	if err == nil && n == 0 {
		err = errShare
	}
	return err
}

// CreateView saves a view of the caller's own, at most MaxViews. It fails with
// OSM.01010001 naming the field, and for who has no name at the desk.
func (s *Service) CreateView(ctx context.Context, who principal.Principal, in View) (View, error) {
	if err := mayDesk(who); err != nil || who.Kind != principal.Engineer {
		return View{}, fault.NoPermission
	}
	if err := in.check(s); err != nil {
		return View{}, err
	}
	filter, columns, err := in.texts()
	if err != nil {
		return View{}, err
	}
	in.ID, in.Owner, in.Version, in.Mine, in.OwnerName = s.db.NewID(), who.User, 1, true, who.UserName
	made, err := db.Do(ctx, s.db, func(tx *db.Tx) (View, error) {
		tx.Lock(principal.House, "desk.views."+who.User)
		var n int
		if err := tx.Get("SELECT count(*) FROM desk_views WHERE owner = ?", who.User).Scan(&n); err != nil {
			return in, err
		}
		if n >= MaxViews {
			return in, errViews
		}
		if err := in.mayShare(tx, who); err != nil {
			return in, err
		}
		v := in
		v.Created, v.Changed = tx.Now, tx.Now
		tx.Write(1, `INSERT INTO desk_views (id, owner, name_zh, name_en, place, shared, team, filter, columns, sort, version, created_at, changed_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, v.ID, v.Owner, v.Name.ZH, v.Name.EN, v.Place, string(v.Shared), v.Team, filter, columns, string(v.Sort),
			v.Version, v.Created, v.Changed)
		record(tx, who, "view.create", "view", v.ID, v.Version, v.told())
		return v, nil
	})
	if err != nil {
		return View{}, err
	}
	return s.countedView(ctx, who, made)
}

func (v View) texts() (filter, columns string, err error) {
	f, err := json.Marshal(v.Filter)
	if err != nil {
		return "", "", err
	}
	c, err := json.Marshal(append([]string{}, v.Columns...))
	return string(f), string(c), err
}

// told is what an event tells of a view.
func (v View) told() map[string]any {
	return map[string]any{"owner": v.Owner, "shared": v.Shared, "team": v.Team, "filter": v.Filter, "columns": v.Columns, "sort": v.Sort, "place": v.Place}
}

// ChangeView replaces all of a view but its owner. Its owner may, and
// supervisors and administrators what is shared. in.Version is the version that
// was read; 0 = whatever it is, else errVersion (409) when it has another.
func (s *Service) ChangeView(ctx context.Context, who principal.Principal, in View) (View, error) {
	if err := mayDesk(who); err != nil {
		return View{}, err
	}
	if err := in.check(s); err != nil {
		return View{}, err
	}
	filter, columns, err := in.texts()
	if err != nil {
		return View{}, err
	}
	v, err := db.Do(ctx, s.db, func(tx *db.Tx) (View, error) {
		before, err := viewIn(tx, who, in.ID)
		switch {
		case err != nil:
			return before, err
		case !before.Mine:
			return before, fault.NoPermission
		case in.Version != 0 && in.Version != before.Version:
			return before, errVersion.With("version", before.Version)
		}
		if in.Shared != before.Shared || in.Team != before.Team {
			if err := in.mayShare(tx, who); err != nil {
				return before, err
			}
		}
		v := in
		v.Owner, v.Version, v.Created, v.Changed = before.Owner, before.Version+1, before.Created, tx.Now
		v.Mine = v.mayChange(who)
		tx.Write(1, `UPDATE desk_views SET name_zh = ?, name_en = ?, place = ?, shared = ?, team = ?, filter = ?, columns = ?, sort = ?, version = ?, changed_at = ?
			WHERE id = ? AND version = ?`, v.Name.ZH, v.Name.EN, v.Place, string(v.Shared), v.Team, filter, columns, string(v.Sort), v.Version, v.Changed, v.ID, before.Version)
		record(tx, who, "view.update", "view", v.ID, v.Version, map[string]any{"from": before.told(), "to": v.told()})
		return v, nil
	})
	if err != nil {
		return View{}, err
	}
	return s.countedView(ctx, who, v)
}

// DeleteView removes a view; who may change it may. ErrNoView, OSM.01010002,
// errVersion (409).
func (s *Service) DeleteView(ctx context.Context, who principal.Principal, id string, version int64) error {
	if err := mayDesk(who); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		v, err := viewIn(tx, who, id)
		switch {
		case err != nil:
			return err
		case !v.Mine:
			return fault.NoPermission
		case version != 0 && version != v.Version:
			return errVersion.With("version", v.Version)
		}
		tx.Write(1, "DELETE FROM desk_views WHERE id = ? AND version = ?", id, v.Version)
		record(tx, who, "view.delete", "view", id, v.Version+1, v.told())
		return nil
	})
}
