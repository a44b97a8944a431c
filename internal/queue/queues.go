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

// Way is how the tickets of a queue find their engineer.
type Way string

// The ways.
const (
	Manual      Way = "manual"       // engineers claim them
	RoundRobin  Way = "round_robin"  // the members of the team in turn
	LeastLoaded Way = "least_loaded" // the member with the fewest open tickets
)

// Limits of queues.
const (
	maxQueues = 100
	maxPlace  = 100000
)

// Faults of queues.
var (
	ErrNoQueue = fault.New(fault.NotFound, fault.CodeInvalid, "队列不存在", "the queue does not exist")
	errNoTeam  = fault.New(fault.Invalid, fault.CodeInvalid, "自动分派的队列须指定团队", "a queue that gives tickets by itself needs a team").In("team_id")
	errAuto    = fault.New(fault.Invalid, fault.CodeInvalid, "自动分派的队列只能筛选本方未分派的未完成工单", "a queue that gives tickets by itself holds open tickets of the house that nobody handles").In("filter")
)

// Queue is a part of the desk's open work.
type Queue struct {
	ID      string
	Name    locale.Texts
	Place   int // order in the list, 0..100,000
	Filter  ticket.RowFilter
	Sort    ticket.Sort
	Team    string // who serves it, "" = whoever; an automatic queue has one
	Way     Way
	Hard    bool // nobody takes a ticket of it when his capacity is used up
	Turns   int64
	Version int64
	Created int64
	Changed int64

	Tally                 // tickets the caller sees in it; of what is shown only
	TeamName locale.Texts // the same
	Hidden   bool         // the filter is not the caller's to read, and is empty

	last string // who had the last turn
}

// Tally is how many tickets somebody sees in a queue or a view.
type Tally struct {
	Count   int  // exactly up to ticket.MaxCount
	Capped  bool // there are more
	Counted bool // false = a list did not count so far
}

func tally(n int) Tally { return Tally{min(n, ticket.MaxCount), n > ticket.MaxCount, true} }

// maxTallies is how many entries of a list are counted.
const maxTallies = 50

func (q *Queue) check(s *Service) (err error) {
	if q.Name, err = name(q.Name); err != nil {
		return err
	}
	if q.Sort == "" {
		q.Sort = ticket.SortSeverity
	}
	if q.Way == "" {
		q.Way = Manual
	}
	switch {
	case q.Place < 0 || q.Place > maxPlace:
		return fault.OutOfRange.In("place").With("min", 0).With("max", maxPlace)
	case !slices.Contains(ticket.Sorts, q.Sort):
		return fault.OneOf("sort", ticket.Sorts...)
	case q.Way != Manual && q.Way != RoundRobin && q.Way != LeastLoaded:
		return fault.OneOf("assignment", Manual, RoundRobin, LeastLoaded)
	}
	if err := q.Filter.Check(s.catalog.Now()); err != nil {
		return err
	}
	if q.Way == Manual {
		return nil
	}
	if q.Team == "" {
		return errNoTeam
	}
	if _, ok := q.free(); !ok {
		return errAuto
	}
	return nil
}

// free is the filter of the queue's tickets that nobody handles yet, of the
// house's business; not ok when there can be none.
func (q Queue) free(statuses ...ticket.Status) (f ticket.RowFilter, ok bool) {
	f = q.Filter
	if len(statuses) == 0 {
		statuses = []ticket.Status{ticket.Submitted, ticket.Processing, ticket.ToConfirm, ticket.Paused, ticket.Feedback}
	}
	if len(f.Statuses) > 0 {
		statuses = slices.DeleteFunc(statuses, func(s ticket.Status) bool { return !slices.Contains(f.Statuses, s) })
	}
	ours := len(f.Owners) == 0 || slices.Contains(f.Owners, ticket.HouseBusiness)
	ok = len(statuses) > 0 && ours && len(f.Partners) == 0 && (f.Assignee == "" || f.Assignee == ticket.Nobody)
	f.Statuses, f.Assignee = statuses, ticket.Nobody
	return f, ok
}

const queueColumns = "id, name_zh, name_en, place, filter, sort, team, way, hard, last_user, turns, version, created_at, changed_at"

func scanQueue(r db.Row) (q Queue, err error) {
	var filter, sort, way string
	var hard int64
	err = r.Scan(&q.ID, &q.Name.ZH, &q.Name.EN, &q.Place, &filter, &sort, &q.Team, &way, &hard, &q.last, &q.Turns, &q.Version, &q.Created, &q.Changed)
	if errors.Is(err, db.ErrNone) {
		return q, ErrNoQueue
	}
	if err != nil {
		return q, err
	}
	q.Sort, q.Way, q.Hard = ticket.Sort(sort), Way(way), hard == 1
	return q, json.Unmarshal([]byte(filter), &q.Filter)
}

func queueIn(tx *db.Tx, id string) (Queue, error) {
	return scanQueue(tx.Get("SELECT "+queueColumns+" FROM desk_queues WHERE id = ?", id))
}

// queuesIn reads the queues of a condition in their order.
func queuesIn(tx *db.Tx, cond string, args ...any) (all []Queue, err error) {
	err = tx.List(func(r db.Row) error {
		q, err := scanQueue(r)
		all = append(all, q)
		return err
	}, "SELECT "+queueColumns+" FROM desk_queues WHERE "+cond+" ORDER BY place, id", args...)
	return all, err
}

// mayDesk is for all who work at the desk, partners' people among them.
func mayDesk(who principal.Principal) error {
	if who.Kind == principal.Local || who.Kind == principal.System || who.Works() {
		return nil
	}
	return fault.NoPermission
}

// mayLook is mayDesk and auditors, who read.
func mayLook(who principal.Principal) error {
	if who.Audits() {
		return nil
	}
	return mayDesk(who)
}

// builtIn are the queues every installation begins with.
var builtIn = []string{"unassigned", "mine", "waiting", "open"}

// seenBy tells whether the caller has the queue. A partner's people have those
// every installation begins with, as long as no team serves them and nothing in
// them names a customer, a person or a partner, and those the house made for
// their partner alone; names of others may be customers' (threats.md B5).
func (q Queue) seenBy(who principal.Principal) bool {
	if who.Partner == "" {
		return true
	}
	f := q.Filter
	if q.Team != "" || len(f.Domains) > 0 || len(f.Teams) > 0 || len(f.Tags) > 0 || f.Assignee != "" && f.Assignee != ticket.Me && f.Assignee != ticket.Nobody {
		return false
	}
	if len(f.Partners) == 0 {
		return slices.Contains(builtIn, q.ID)
	}
	return len(f.Partners) == 1 && f.Partners[0] == who.Partner
}

// shownTo is the queue without what is not the caller's to read.
func (q Queue) shownTo(who principal.Principal) Queue {
	if who.Partner != "" {
		q.Filter, q.Hidden, q.Turns, q.last = ticket.RowFilter{}, true, 0, ""
	}
	return q
}

// Queues lists the queues in their order, with how many tickets the caller sees
// in each of the first 50 (Tally). Partners' people have few of them, without
// filters. It fails with OSM.01010002 for who does not work at the desk.
func (s *Service) Queues(ctx context.Context, who principal.Principal) (all []Queue, err error) {
	if err := mayLook(who); err != nil {
		return nil, err
	}
	err = s.db.Survey(ctx, func(tx *db.Tx) error {
		found, err := queuesIn(tx, "1 = 1")
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(found, func(q Queue) bool { return !q.seenBy(who) })
		return count(tx, who, all)
	})
	if err != nil {
		return nil, err
	}
	for i, q := range all {
		all[i] = q.shownTo(who)
	}
	return all, nil
}

// count fills in what is shown of queues; it reads rows, so only a View has it.
func count(tx *db.Tx, who principal.Principal, all []Queue) error {
	filters := make([]ticket.RowFilter, min(len(all), maxTallies))
	for i := range filters {
		filters[i] = all[i].Filter
	}
	counts, err := ticket.CountRows(tx, who, filters)
	if err != nil {
		return err
	}
	names, err := ticket.TeamNames(tx)
	for i := range all {
		if all[i].TeamName = names[all[i].Team]; i < len(counts) {
			all[i].Tally = tally(counts[i])
		}
	}
	return err
}

// Queue reads a queue with its count, for partners' people without its filter;
// ErrNoQueue.
func (s *Service) Queue(ctx context.Context, who principal.Principal, id string) (Queue, error) {
	q, err := s.queueOf(ctx, who, id)
	if err == nil {
		q, err = s.counted(ctx, who, q)
	}
	return q.shownTo(who), err
}

// queueOf is a queue the caller has, whole and not counted.
func (s *Service) queueOf(ctx context.Context, who principal.Principal, id string) (q Queue, err error) {
	if err := mayLook(who); err != nil {
		return q, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { q, err = queueHad(tx, who, id); return err })
	return q, err
}

func queueHad(tx *db.Tx, who principal.Principal, id string) (Queue, error) {
	q, err := queueIn(tx, id)
	if err == nil && !q.seenBy(who) {
		err = ErrNoQueue
	}
	if err != nil {
		return Queue{}, err
	}
	return q, nil
}

// counted fills in what is shown of a queue.
func (s *Service) counted(ctx context.Context, who principal.Principal, q Queue) (Queue, error) {
	all := []Queue{q}
	err := s.db.Survey(ctx, func(tx *db.Tx) error { return count(tx, who, all) })
	return all[0], err
}

// Page is a page of tickets of a queue or a view.
type Page struct {
	Tickets []ticket.DeskTicket
	Reasons map[string]Reason // by ticket id: why nobody has it yet
	Total   int               // exactly up to ticket.MaxCount
	Capped  bool              // there are more
	Cursor  string            // of the next page, "" at the end
}

// Look is what a page shows.
type Look struct {
	Sort  ticket.Sort // "" = the queue's or the view's own
	After string
	Limit int // 1..100, 0 = 50
}

func (l Look) check() error {
	if l.Sort != "" && !slices.Contains(ticket.Sorts, l.Sort) {
		return fault.OneOf("sort", ticket.Sorts...)
	}
	return nil
}

// QueueTickets is a page of a queue's tickets the caller may see. Failures:
// ErrNoQueue, OSM.01010001 for sort or cursor.
func (s *Service) QueueTickets(ctx context.Context, who principal.Principal, id string, l Look) (Page, error) {
	if err := errors.Join(mayLook(who), l.check()); err != nil {
		return Page{}, err
	}
	q, err := s.queueOf(ctx, who, id)
	if err != nil {
		return Page{}, err
	}
	if l.Sort == "" {
		l.Sort = q.Sort
	}
	return s.page(ctx, who, q.Filter, l)
}

// page reads tickets and why those without a handler have none.
func (s *Service) page(ctx context.Context, who principal.Principal, f ticket.RowFilter, l Look) (p Page, err error) {
	if l.Limit == 0 {
		l.Limit = 50
	}
	var rows []ticket.Row
	if p.Tickets, rows, p.Total, p.Cursor, err = s.tickets.RowPage(ctx, who, f, l.Sort, l.After, l.Limit); err != nil {
		return Page{}, err
	}
	if p.Capped = p.Total > ticket.MaxCount; p.Capped {
		p.Total = ticket.MaxCount
	}
	p.Reasons, err = s.reasons(ctx, who, rows)
	return p, err
}

// CreateQueue adds a queue. Supervisors and administrators only. It fails with
// OSM.01010001 naming the field.
func (s *Service) CreateQueue(ctx context.Context, who principal.Principal, in Queue) (Queue, error) {
	if err := mayRun(who); err != nil {
		return Queue{}, err
	}
	if err := in.check(s); err != nil {
		return Queue{}, err
	}
	filter, err := json.Marshal(in.Filter)
	if err != nil {
		return Queue{}, err
	}
	in.ID, in.Version = s.db.NewID(), 1
	made, err := db.Do(ctx, s.db, func(tx *db.Tx) (Queue, error) {
		q := in
		tx.Lock(principal.House, "desk.queues")
		var n int
		if err := tx.Get("SELECT count(*) FROM desk_queues").Scan(&n); err != nil {
			return q, err
		}
		if n >= maxQueues {
			return q, errTooMany.With("max", maxQueues)
		}
		if err := teamExists(tx, q.Team, "team_id"); err != nil {
			return q, err
		}
		q.Created, q.Changed = tx.Now, tx.Now
		tx.Write(1, `INSERT INTO desk_queues (id, name_zh, name_en, place, filter, sort, team, way, hard, last_user, turns, version, created_at, changed_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, ?, ?, ?)`, q.ID, q.Name.ZH, q.Name.EN, q.Place, string(filter), string(q.Sort), q.Team, string(q.Way), number(q.Hard),
			q.Version, q.Created, q.Changed)
		record(tx, who, "queue.create", "queue", q.ID, q.Version, q.told())
		return q, nil
	})
	if err != nil {
		return Queue{}, err
	}
	return s.counted(ctx, who, made)
}

// told is what an event tells of a queue.
func (q Queue) told() map[string]any {
	return map[string]any{"name_zh": q.Name.ZH, "name_en": q.Name.EN, "place": q.Place, "filter": q.Filter, "sort": q.Sort, "team": q.Team, "way": q.Way, "hard": q.Hard}
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ChangeQueue replaces all of a queue but its turns. in.Version is the version
// that was read; 0 = whatever it is, else errVersion (409) when it has another.
func (s *Service) ChangeQueue(ctx context.Context, who principal.Principal, in Queue) (Queue, error) {
	if err := mayRun(who); err != nil {
		return Queue{}, err
	}
	if err := in.check(s); err != nil {
		return Queue{}, err
	}
	filter, err := json.Marshal(in.Filter)
	if err != nil {
		return Queue{}, err
	}
	changed, err := db.Do(ctx, s.db, func(tx *db.Tx) (Queue, error) {
		before, err := queueIn(tx, in.ID)
		if err != nil {
			return before, err
		}
		if in.Version != 0 && in.Version != before.Version {
			return before, errVersion.With("version", before.Version)
		}
		if err := teamExists(tx, in.Team, "team_id"); err != nil {
			return before, err
		}
		q := in
		q.Version, q.Created, q.Changed, q.Turns = before.Version+1, before.Created, tx.Now, before.Turns
		tx.Write(1, `UPDATE desk_queues SET name_zh = ?, name_en = ?, place = ?, filter = ?, sort = ?, team = ?, way = ?, hard = ?, version = ?, changed_at = ?
			WHERE id = ? AND version = ?`, q.Name.ZH, q.Name.EN, q.Place, string(filter), string(q.Sort), q.Team, string(q.Way), number(q.Hard), q.Version, q.Changed, q.ID, before.Version)
		record(tx, who, "queue.update", "queue", q.ID, q.Version, map[string]any{"from": before.told(), "to": q.told()})
		return q, nil
	})
	if err != nil {
		return Queue{}, err
	}
	return s.counted(ctx, who, changed)
}

// DeleteQueue removes a queue; its tickets stay where they are. It fails with
// ErrNoQueue or errVersion (409).
func (s *Service) DeleteQueue(ctx context.Context, who principal.Principal, id string, version int64) error {
	if err := mayRun(who); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		q, err := queueIn(tx, id)
		if err != nil {
			return err
		}
		if version != 0 && version != q.Version {
			return errVersion.With("version", q.Version)
		}
		tx.Write(1, "DELETE FROM desk_queues WHERE id = ? AND version = ?", id, q.Version)
		record(tx, who, "queue.delete", "queue", id, q.Version+1, q.told())
		return nil
	})
}
