package ticket

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/locale"
	"casemate/internal/search"
)

// What the operators of a search mean.

// scopes are the values of in:.
var scopes = map[string][]string{
	"description": {search.KindTicket}, "描述": {search.KindTicket},
	"messages": {search.KindMessage}, "message": {search.KindMessage}, "留言": {search.KindMessage}, "消息": {search.KindMessage},
	"notes": {search.KindNote}, "note": {search.KindNote}, "备注": {search.KindNote},
	"files": {search.KindFile, search.KindNoteFile}, "file": {search.KindFile, search.KindNoteFile}, "附件": {search.KindFile, search.KindNoteFile},
	"judgement": {search.KindJudgement}, "评价": {search.KindJudgement},
	"customer": {search.KindDomain, search.KindUser, search.KindContact}, "客户": {search.KindDomain, search.KindUser, search.KindContact},
}

// statusSets are names of several states.
var statusSets = map[string]func(Status) bool{
	"open": Status.Open, "未完成": Status.Open,
	"closed": func(s Status) bool { return !s.Open() && s != Deleted }, "已结束": func(s Status) bool { return !s.Open() && s != Deleted },
}

// statusNicks are shorter names than those that are shown.
var statusNicks = map[string]Status{"new": Submitted, "submitted": Submitted, "processing": Processing, "confirm": ToConfirm, "completed": Completed, "done": Completed,
	"canceled": Canceled, "cancelled": Canceled, "paused": Paused, "invalid": Invalid, "deleted": Deleted, "feedback": Feedback, "pending": Feedback}

// statusesOf are the states a word means: a number, a name in either language,
// open or closed.
func statusesOf(v string) (found []Status, ok bool) {
	v = foldLabel(v)
	every := append(slices.Clone(Statuses), Deleted)
	if in, ok := statusSets[v]; ok {
		return slices.DeleteFunc(every, func(s Status) bool { return !in(s) }), true
	}
	if s, ok := statusNicks[v]; ok {
		return []Status{s}, true
	}
	for _, s := range every {
		if v == strconv.Itoa(int(s)) || v == foldLabel(s.Name(locale.ZH)) || v == foldLabel(s.Name(locale.EN)) {
			return []Status{s}, true
		}
	}
	return nil, false
}

func statusWords() string {
	return "open, closed, new, processing, confirm, completed, canceled, paused, invalid, feedback, deleted, 0, 1, 2, 3, 4, 5, 12, 13, 17"
}

// languages are the values of lang:.
var languages = map[string]locale.Language{"zh": locale.ZH, "zh-cn": locale.ZH, "中文": locale.ZH, "chinese": locale.ZH,
	"en": locale.EN, "en-us": locale.EN, "英文": locale.EN, "english": locale.EN}

// lookCustomers finds the customers named in full, whose sandboxes count.
func (q *searching) lookCustomers(tx *db.Tx) error {
	var values []string
	for _, g := range q.query.Groups {
		for _, a := range g {
			if a.Op == "customer" {
				values = append(values, a.Values...)
			}
		}
	}
	clear(q.customers)
	if len(values) == 0 {
		return nil
	}
	in := questions(len(values))
	return tx.List(func(r db.Row) error {
		var id, name string
		err := r.Scan(&id, &name)
		for _, v := range values {
			if (v == id || v == name) && !slices.Contains(q.customers[v], id) {
				q.customers[v] = append(q.customers[v], id)
			}
		}
		return err
	}, "SELECT id, name FROM domains WHERE id IN ("+in+") OR name IN ("+in+")", append(anys(values), anys(values)...)...)
}

// lookQueues finds the queues that are named, by id or name in either language,
// as the caller sees them: a partner's people those that no team serves.
func (q *searching) lookQueues(tx *db.Tx) error {
	wanted := map[string][]string{}
	for _, g := range q.query.Groups {
		for _, a := range g {
			if a.Op == "queue" {
				for _, v := range a.Values {
					wanted[foldLabel(v)] = append(wanted[foldLabel(v)], v)
				}
			}
		}
	}
	clear(q.queues)
	if len(wanted) == 0 {
		return nil
	}
	return tx.List(func(r db.Row) error {
		var id, zh, en, team, filter string
		if err := r.Scan(&id, &zh, &en, &team, &filter); err != nil {
			return err
		}
		var f RowFilter
		if err := json.Unmarshal([]byte(filter), &f); err != nil {
			return err
		}
		if team != "" && q.who.Partner != "" {
			return nil
		}
		names := []string{foldLabel(id), foldLabel(zh), foldLabel(en)}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			for _, v := range wanted[name] {
				q.queues[v] = append(q.queues[v], f.where(q.who, tx.Now))
			}
		}
		return nil
	}, "SELECT id, name_zh, name_en, team, filter FROM desk_queues ORDER BY place, id")
}

// check judges the values of operators that need nothing but the catalogue and
// the clock.
func (q *searching) check(a search.Atom) error {
	for _, v := range a.Values {
		switch a.Op {
		case "severity", "product", "plan":
			if len(q.entries(a.Op, v)) == 0 {
				return q.bad(a, v, strings.Join(q.s.entryWords(a.Op), ", "))
			}
		case "lang":
			if languages[foldLabel(v)] == "" {
				return q.bad(a, v, "zh, en")
			}
		case "has":
			if v := foldLabel(v); v != "attachment" && v != "file" && v != "附件" {
				return q.bad(a, v, "attachment")
			}
		case "before", "after", "created", "updated":
			if _, _, ok := q.span(a.Op, v); !ok {
				return q.bad(a, v, "2026-11-25, 2026-11, 2026-11-25T08:30, 7d, 12h, 2w, 3m, 100y (≤ 100y), today, yesterday, 2026-11-01..2026-11-25")
			}
		}
	}
	return nil
}

// entry is what filters know of one of the catalogue.
type entry struct {
	id    string
	names []string
}

func (s *Service) entries(op string) (all []entry) {
	c := s.catalog.Now()
	add := func(kind catalog.Kind, id string, more ...string) {
		all = append(all, entry{id, append(more, c.Name(kind, id, locale.ZH), c.Name(kind, id, locale.EN))})
	}
	switch op {
	case "severity":
		for _, e := range c.Severities() {
			add(catalog.KindSeverity, e.ID)
		}
	case "product":
		for _, e := range c.Products() {
			add(catalog.KindProduct, e.ID, e.Acronym)
		}
	case "plan":
		for _, e := range c.Plans() {
			add(catalog.KindPlan, e.ID)
		}
	}
	return all
}

// entryWords are the values that an operator of the catalogue takes.
func (s *Service) entryWords(op string) (all []string) {
	for _, e := range s.entries(op) {
		name := e.names[len(e.names)-1]
		if op == "plan" || name == "" {
			name = e.id
		}
		all = append(all, name)
	}
	if len(all) > 20 {
		all = append(all[:20], "…")
	}
	return all
}

// entries are the ids of what is called so: by id, name in either language or
// acronym; of products also by a part of the name.
func (q *searching) entries(op, v string) (ids []any) {
	v = foldLabel(v)
	var parts []any
	for _, e := range q.s.entries(op) {
		for _, n := range append(e.names, e.id) {
			if n = foldLabel(n); n == v && n != "" {
				ids = append(ids, e.id)
				break
			} else if op == "product" && strings.Contains(n, v) {
				parts = append(parts, e.id)
				break
			}
		}
	}
	if op == "plan" && (v == Nobody || v == "无") {
		ids = append(ids, "")
	}
	if len(ids) == 0 {
		return parts
	}
	return ids
}

// atom is a condition on the desk's row d; the caller negates it.
func (q *searching) atom(a search.Atom) (cond string, args []any) {
	in := func(column string, values []any) (string, []any) {
		if len(values) == 0 {
			return nothing, nil
		}
		return column + " IN (" + questions(len(values)) + ")", values
	}
	var values []any
	switch a.Op {
	case "":
		return "d.ticket_id IN (SELECT ticket FROM " + q.part([]search.Atom{a}, 0) + ")", nil
	case "status":
		for _, v := range a.Values {
			found, _ := statusesOf(v)
			for _, s := range found {
				values = append(values, int(s))
			}
		}
		return in("+d.status", values)
	case "assignee":
		for _, v := range a.Values {
			values = append(values, anys(q.assignees[v])...)
		}
		return in("d.assignee", values)
	case "severity", "product", "plan":
		for _, v := range a.Values {
			values = append(values, q.entries(a.Op, v)...)
		}
		return in("d."+a.Op, values)
	case "lang":
		for _, v := range a.Values {
			values = append(values, string(languages[foldLabel(v)]))
		}
		return in("d.language", values)
	case "tag":
		if q.who.Partner != "" {
			return nothing, nil // the house's own
		}
		for _, v := range a.Values {
			values = append(values, foldLabel(v))
		}
		return "d.ticket_id IN (SELECT g.ticket_id FROM ticket_tags AS g /* all domains: the desk's search */ WHERE g.tag_key IN (" + questions(len(values)) + "))", values
	case "queue":
		var parts []string
		for _, v := range a.Values {
			for _, w := range q.queues[v] {
				parts, values = append(parts, "d.ticket_id IN (SELECT desk_tickets.ticket_id FROM desk_tickets WHERE "+strings.Join(w.cond, " AND ")+")"), append(values, w.args...)
			}
		}
		if len(parts) == 0 {
			return nothing, nil
		}
		return "(" + strings.Join(parts, " OR ") + ")", values
	case "label":
		for _, v := range a.Values {
			values = append(values, foldLabel(v))
		}
		return "d.ticket_id IN (SELECT o.ticket_id FROM labels AS l JOIN ticket_labels AS o ON o.domain_id = l.domain_id AND o.label_id = l.id WHERE l.name_key IN (" + questions(len(values)) + "))", values
	case "by":
		return q.named("d.creator", search.KindUser, a.Values, nil)
	case "customer":
		return q.named("d.domain_id", search.KindDomain, a.Values, q.customers)
	case "has":
		cond = "EXISTS (SELECT 1 FROM attachments AS f WHERE f.domain_id = d.domain_id AND f.ticket_id = d.ticket_id AND f.message_id <> ''"
		if q.who.Partner != "" {
			cond += " AND f.internal = 0"
		}
		return cond + ")", nil
	case "before", "after", "created", "updated":
		column := "d.created_at"
		if a.Op == "updated" {
			column = "d.changed_at"
		}
		var either []string
		for _, v := range a.Values {
			from, to, _ := q.span(a.Op, v)
			either = append(either, "("+column+" >= ? AND "+column+" < ?)")
			args = append(args, from, to)
		}
		return strings.Join(either, " OR "), args
	}
	return nothing, nil
}

// nothing is a condition that no ticket meets.
const nothing = "1 = 0"

// named is the rows whose column is one of the ids, or the id of somebody whose
// name has the words, whole ones, as they stand.
func (q *searching) named(column, kind string, values []string, exact map[string][]string) (cond string, args []any) {
	var either []string
	var ids []any
	var texts []search.Atom
	for _, v := range values {
		ids = append(append(ids, v), anys(exact[v])...)
		if a := search.Exactly(v); len(a.Terms) > 0 {
			texts = append(texts, a)
		}
	}
	either, args = append(either, column+" IN ("+questions(len(ids))+")"), ids
	if len(texts) > 0 {
		docs, more := search.Docs(q.s.db.Dialect(), q.s.terms, []string{kind}, 0, texts...)
		either, args = append(either, column+" IN (SELECT z.doc FROM ("+docs+") AS z)"), append(args, more...)
	}
	return strings.Join(either, " OR "), args
}

// forever is behind every time.
const forever = int64(1) << 60

// span is the time a value means, from (included) to (not included) in
// milliseconds UTC: a day, month, minute or year in the caller's zone, the last
// so many days, hours or weeks, or two of them with .. between. before: is what
// was before the value begins, after: what was since.
func (q *searching) span(op, v string) (from, to int64, ok bool) {
	v = strings.ToLower(foldLabel(v))
	if a, b, two := strings.Cut(v, ".."); two && op != "before" && op != "after" {
		from, to = 0, forever
		if a != "" {
			if from, _, ok = q.instant(a); !ok {
				return 0, 0, false
			}
		}
		if b != "" {
			if _, to, ok = q.instant(b); !ok {
				return 0, 0, false
			}
		}
		return from, to, a+b != ""
	}
	from, to, ok = q.instant(v)
	switch {
	case !ok:
		return 0, 0, false
	case op == "before":
		return 0, from, true
	case op == "after":
		return from, forever, true
	}
	return from, to, true
}

// layouts of dates, with how long what they name lasts.
var layouts = []struct {
	layout string
	end    func(t time.Time) time.Time
}{
	{"2006-01-02t15:04:05", func(t time.Time) time.Time { return t.Add(time.Second) }},
	{"2006-01-02t15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
	{"2006-1-2", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	{"2006/1/2", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	{"2006-1", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
	{"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
}

// How far a time ago may lie: in years, and as a number.
const (
	maxYears = 100
	maxAgo   = 1_000_000 // hours, more than maxYears
)

// ago is a unit of times ago.
type ago struct{ months, days, hours int }

func (q *searching) instant(v string) (from, to int64, ok bool) {
	now := q.now.In(q.zone)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, q.zone)
	switch v {
	case "today", "今天":
		return today.UnixMilli(), today.AddDate(0, 0, 1).UnixMilli(), true
	case "yesterday", "昨天":
		return today.AddDate(0, 0, -1).UnixMilli(), today.UnixMilli(), true
	}
	for _, l := range layouts {
		if t, err := time.ParseInLocation(l.layout, v, q.zone); err == nil {
			return t.UnixMilli(), l.end(t).UnixMilli(), t.Year() >= 1970
		}
	}
	units := map[string]ago{"d": {days: 1}, "h": {hours: 1}, "w": {days: 7}, "m": {months: 1}, "y": {months: 12}, "天": {days: 1}, "小时": {hours: 1}, "周": {days: 7}}
	digits := strings.TrimRight(v, "dhwmy天小时周")
	n, err := strconv.Atoi(digits)
	unit, ok := units[v[len(digits):]]
	if err != nil || n < 1 || n > maxAgo || !ok {
		return 0, 0, false
	}
	// An hour's number fits a Duration by maxAgo; a month goes by the calendar.
	at := now.AddDate(0, -n*unit.months, -n*unit.days).Add(-time.Duration(n*unit.hours) * time.Hour)
	if at.Before(now.AddDate(-maxYears, 0, 0)) {
		return 0, 0, false
	}
	return at.UnixMilli(), forever, true
}
