package queue

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// MaxBulk is how many tickets one bulk run takes.
const MaxBulk = 100

// Faults of bulk runs.
var (
	ErrNoBulk    = fault.New(fault.NotFound, fault.CodeInvalid, "批量操作不存在", "there is no such bulk run").In("bulk_id")
	errBulkTwice = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 含有重复项", "{field} has an item twice").In("numbers")
	errBulkBoth  = fault.New(fault.Invalid, fault.CodeInvalid, "numbers 与 filter 只能给出一个", "give either numbers or filter").In("filter")
	errBulkMany  = fault.New(fault.Conflict, fault.CodeInvalid, "符合条件的工单有 {count} 个，一次最多 {max} 个，请缩小范围", "{count} tickets match; one run takes at most {max}: narrow the filter").With("max", MaxBulk).In("filter")
	errBulkNone  = fault.New(fault.Conflict, fault.CodeInvalid, "没有符合条件的工单", "no ticket matches").In("filter")
)

// NewBulk is actions on many tickets.
type NewBulk struct {
	Numbers []string           // 1..100, each once
	Filter  *ticket.DeskFilter // or those it matches, at most 100; Limit and After do not matter
	Actions []Action
}

// Bulk is a bulk run.
type Bulk struct {
	ID            string
	Actor         string
	ActorName     string
	Actions       []Action
	Total         int
	Done, Refused int   // tickets that are through, and those of them that were refused
	Created, End  int64 // milliseconds UTC; End 0 = it was interrupted, or still runs
	Items         []BulkItem
}

// BulkItem is what became of one ticket. Each change raised the ticket's version
// by one: the run's own changes are the versions of the outcomes, the first from
// Before, the last to After. That is what an undo needs.
type BulkItem struct {
	Number        string
	Domain, ID    string // of the ticket; ID "" = there is none
	Before, After int64  // versions; 0 = nothing was changed
	Outcomes      []Outcome
	Done          bool
}

// OK tells whether all actions were done.
func (i BulkItem) OK() bool { return i.Done && !anyRefused(i.Outcomes) }

// bulkNumbers are the tickets meant.
func (s *Service) bulkNumbers(ctx context.Context, who principal.Principal, in NewBulk) ([]string, error) {
	if in.Filter == nil {
		switch {
		case len(in.Numbers) == 0:
			return nil, fault.Missing.In("numbers")
		case len(in.Numbers) > MaxBulk:
			return nil, fault.TooManyItems.In("numbers").With("max", MaxBulk)
		}
		if sorted := slices.Sorted(slices.Values(in.Numbers)); len(slices.Compact(sorted)) != len(in.Numbers) {
			return nil, errBulkTwice
		}
		return in.Numbers, nil
	}
	if len(in.Numbers) > 0 {
		return nil, errBulkBoth
	}
	f := *in.Filter
	f.Limit, f.After = MaxBulk, ""
	if err := s.filtersSomebody(ctx, f); err != nil {
		return nil, err
	}
	page, total, _, err := s.tickets.Desk(ctx, who, f)
	if err != nil {
		return nil, fieldBelow("filter", err)
	}
	if total > MaxBulk {
		return nil, errBulkMany.With("count", total)
	}
	if total == 0 {
		return nil, errBulkNone
	}
	var numbers []string
	for _, t := range page {
		numbers = append(numbers, t.Number)
	}
	return numbers, nil
}

// filtersSomebody refuses the handler of a filter who is nobody: it would match
// nothing, and a slip of the pen is told from an empty result. Those who left
// may still be named: their tickets are what a bulk run is good for.
func (s *Service) filtersSomebody(ctx context.Context, f ticket.DeskFilter) error {
	if f.Assignee == "" || f.Assignee == ticket.Nobody {
		return nil
	}
	_, err := s.ident.User(ctx, principal.AsSystem(principal.House), principal.House, f.Assignee)
	if errors.Is(err, identity.ErrNoUser) {
		return ticket.ErrAssignee.In("filter.assignee").With("name", f.Assignee)
	}
	return err
}

// CountBulk tells how many tickets a filter matches, be they more than a run
// actionParts, and does nothing.
func (s *Service) CountBulk(ctx context.Context, who principal.Principal, f ticket.DeskFilter) (int, error) {
	if err := mayAutomate(who); err != nil {
		return 0, err
	}
	f.Limit, f.After = 1, ""
	if err := s.filtersSomebody(ctx, f); err != nil {
		return 0, err
	}
	_, total, _, err := s.tickets.Desk(ctx, who, f)
	return total, fieldBelow("filter", err)
}

// PreviewBulk tells for each ticket what the actions would do, and does nothing.
func (s *Service) PreviewBulk(ctx context.Context, who principal.Principal, in NewBulk) (all []BulkItem, err error) {
	if err := mayAutomate(who); err != nil {
		return nil, err
	}
	acts, err := s.checkActions(ctx, "actions", in.Actions, false)
	if err != nil {
		return nil, err
	}
	numbers, err := s.bulkNumbers(ctx, who, in)
	if err != nil {
		return nil, err
	}
	for _, number := range numbers {
		item := BulkItem{Number: number, Done: true}
		t, err := s.tickets.DeskShow(ctx, who, number)
		if f, is := fault.As(err); is && f.Kind == fault.NotFound {
			item.Outcomes = []Outcome{refusedAs(acts[0].Do, f)}
		} else if err != nil {
			return nil, err
		} else {
			_, effects, err := s.planActions(ctx, who, t, acts, "", false)
			if err != nil {
				return nil, err
			}
			item.Domain, item.ID, item.Outcomes = t.Domain, t.ID, foreseenAs(effects)
			item.span()
		}
		all = append(all, item)
	}
	return all, nil
}

// via is by what of the house's a step is done.
func via(kind, id, run string, name locale.Texts) *principal.Via {
	return &principal.Via{Kind: kind, ID: id, Run: run, NameZH: name.ZH, NameEN: name.EN}
}

// span finds the versions the ticket went through.
func (i *BulkItem) span() {
	i.Before, i.After = 0, 0
	for _, o := range i.Outcomes {
		if o.Version == 0 {
			continue
		}
		if i.Before == 0 {
			i.Before = o.Version - 1
		}
		i.After = o.Version
	}
}

// RunBulk does actions to tickets, one ticket after another, each by the rules of
// single steps. A ticket's actions end at the first refusal; the others go on. A
// repeat of the request does what an interrupted one has left and answers the
// same results. Failures before anything is done: OSM.01010001 naming the field.
func (s *Service) RunBulk(ctx context.Context, who principal.Principal, in NewBulk) (Bulk, error) {
	if err := mayAutomate(who); err != nil {
		return Bulk{}, err
	}
	acts, refusal := s.checkActions(ctx, "actions", in.Actions, false)
	var numbers []string
	if refusal == nil {
		numbers, refusal = s.bulkNumbers(ctx, who, in)
	}
	id, err := db.Do(ctx, s.db, func(tx *db.Tx) (string, error) {
		if refusal != nil {
			return "", refusal // behind the look at an earlier request's result
		}
		found, err := ticket.Refs(tx, who, numbers)
		if err != nil {
			return "", err
		}
		id := tx.NewID()
		tx.Write(1, "INSERT INTO bulk_runs (id, actor, actions, total, created_at, done_at) VALUES (?, ?, ?, ?, ?, 0)", id, who.User, autoJSON(acts), len(numbers), tx.Now)
		for place, number := range numbers {
			t, ok := found[number]
			if !ok {
				t.Domain = principal.House
			}
			tx.Write(1, `INSERT INTO bulk_items (domain_id, bulk_id, place, number, ticket_id, revision_before, revision_after, outcomes, done_at)
				VALUES (?, ?, ?, ?, ?, 0, 0, '[]', 0)`, t.Domain, id, place, number, t.ID)
		}
		var does, there []string
		for _, a := range acts {
			does = append(does, a.Do)
		}
		for _, number := range numbers {
			if _, ok := found[number]; ok {
				there = append(there, number)
			}
		}
		event.Record(tx, who, event.Event{Kind: "bulk.create", Subject: "bulk", SubjectID: id, LogCode: event.NoLog,
			Data: map[string]any{"tickets": len(numbers), "actions": does, "numbers": there[:min(len(there), event.MaxNumbers)]}})
		return id, nil
	})
	if err != nil {
		return Bulk{}, err
	}
	b, err := s.bulk(ctx, id)
	if err != nil || b.End > 0 {
		return b, err
	}
	for place, item := range b.Items {
		if item.Done {
			continue
		}
		if err := s.bulkOne(ctx, who, b, place); err != nil {
			return b, err
		}
	}
	if b, err = s.bulk(ctx, id); err != nil {
		return b, err
	}
	err = s.db.Update(db.WithoutRequestKey(ctx), func(tx *db.Tx) error {
		var actor string
		err := tx.Get("UPDATE bulk_runs SET done_at = ? WHERE id = ? AND done_at = 0 RETURNING actor", tx.Now, id).Scan(&actor)
		if errors.Is(err, db.ErrNone) {
			return nil // a repeat of the request was through first
		}
		if err != nil {
			return err
		}
		event.Record(tx, who, event.Event{Kind: "bulk.done", Subject: "bulk", SubjectID: id, LogCode: event.NoLog, Data: map[string]any{"tickets": b.Total, "refused": b.Refused}})
		return nil
	})
	if err != nil {
		return b, err
	}
	return s.bulk(ctx, id)
}

// bulkOne does the actions to one ticket and keeps what became of it.
func (s *Service) bulkOne(ctx context.Context, who principal.Principal, b Bulk, place int) error {
	item := b.Items[place]
	who.Via = via("bulk", b.ID, "", locale.Texts{})
	t, err := s.tickets.DeskShow(ctx, who, item.Number)
	f, is := fault.As(err)
	switch {
	case is && f.Kind == fault.NotFound:
		item.Outcomes = []Outcome{refusedAs(b.Actions[0].Do, f)}
	case err != nil:
		return err
	default:
		steps, _, err := s.planActions(ctx, who, t, b.Actions, "", false)
		if err != nil {
			return err
		}
		if item.Outcomes, err = s.carryOut(ctx, who, 0, b.ID+"."+item.Number, onceForRun, steps); err != nil {
			return err
		}
	}
	item.span()
	return s.db.Update(db.WithoutRequestKey(ctx), func(tx *db.Tx) error {
		tx.Write(db.Any, "UPDATE bulk_items SET revision_before = ?, revision_after = ?, outcomes = ?, done_at = ? WHERE domain_id = ? AND bulk_id = ? AND place = ? AND done_at = 0",
			item.Before, item.After, autoJSON(item.Outcomes), tx.Now, item.Domain, b.ID, place)
		letGo(tx, b.ID+"."+item.Number, len(item.Outcomes))
		return nil
	})
}

// bulk reads a run with its tickets, in the order of the request.
func (s *Service) bulk(ctx context.Context, id string) (b Bulk, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		var actions string
		err := tx.Get("SELECT id, actor, actions, total, created_at, done_at FROM bulk_runs WHERE id = ?", id).Scan(&b.ID, &b.Actor, &actions, &b.Total, &b.Created, &b.End)
		if errors.Is(err, db.ErrNone) {
			return ErrNoBulk
		}
		if err != nil {
			return err
		}
		b.Items, b.Done, b.Refused = nil, 0, 0
		if err := json.Unmarshal([]byte(actions), &b.Actions); err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			var i BulkItem
			var outcomes string
			var done int64
			if err := r.Scan(&i.Domain, &i.Number, &i.ID, &i.Before, &i.After, &outcomes, &done); err != nil {
				return err
			}
			if i.Done = done > 0; i.Done {
				b.Done++
			}
			if err := json.Unmarshal([]byte(outcomes), &i.Outcomes); err != nil {
				return err
			}
			if anyRefused(i.Outcomes) {
				b.Refused++
			}
			b.Items = append(b.Items, i)
			return nil
		}, "SELECT domain_id, number, ticket_id, revision_before, revision_after, outcomes, done_at FROM bulk_items WHERE bulk_id = ? ORDER BY place /* all domains: a bulk run of the desk */", id)
	})
	if err != nil {
		return b, err
	}
	names, err := s.ident.Names(ctx, principal.House, []string{b.Actor})
	b.ActorName = names[b.Actor]
	return b, err
}

// ShowBulk reads a run: one's own; supervisors and administrators any.
func (s *Service) ShowBulk(ctx context.Context, who principal.Principal, id string) (Bulk, error) {
	if err := mayReadAutomation(who); err != nil {
		return Bulk{}, err
	}
	b, err := s.bulk(ctx, id)
	if err == nil && b.Actor != who.User && !leadsDesk(who) && !who.Audits() {
		return Bulk{}, ErrNoBulk
	}
	return b, err
}

// Bulks are runs, newest first, without their tickets: the caller's own;
// supervisors and administrators see all. before is the id to go on behind,
// limit 0 = 50; next is "" at the end.
func (s *Service) Bulks(ctx context.Context, who principal.Principal, before string, limit int) (all []Bulk, next string, err error) {
	if err := mayReadAutomation(who); err != nil {
		return nil, "", err
	}
	if limit == 0 {
		limit = 50
	}
	cond, args := []string{"1 = 1"}, []any{}
	if !leadsDesk(who) && !who.Audits() {
		cond, args = append(cond, "actor = ?"), append(args, who.User)
	}
	if before != "" {
		cond, args = append(cond, "id < ?"), append(args, before)
	}
	var actors []string
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all, actors = nil, nil
		return tx.List(func(r db.Row) error {
			var b Bulk
			var actions string
			if err := r.Scan(&b.ID, &b.Actor, &actions, &b.Total, &b.Created, &b.End, &b.Done, &b.Refused); err != nil {
				return err
			}
			all, actors = append(all, b), append(actors, b.Actor)
			return json.Unmarshal([]byte(actions), &all[len(all)-1].Actions)
		}, `SELECT id, actor, actions, total, created_at, done_at, (SELECT count(*) FROM bulk_items WHERE bulk_id = bulk_runs.id AND bulk_items.done_at > 0),
			(SELECT count(*) FROM bulk_items WHERE bulk_id = bulk_runs.id AND outcomes LIKE '%"code":%') FROM bulk_runs /* all domains: bulk runs of the desk */
			WHERE `+strings.Join(cond, " AND ")+" ORDER BY id DESC LIMIT ?", append(args, limit+1)...)
	})
	if err != nil {
		return nil, "", err
	}
	if len(all) > limit {
		all = all[:limit]
		next = all[limit-1].ID
	}
	names, err := s.ident.Names(ctx, principal.House, actors)
	for i := range all {
		all[i].ActorName = names[all[i].Actor]
	}
	return all, next, err
}
