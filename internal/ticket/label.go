package ticket

import (
	"context"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/privilege"
)

// Label is a mark a customer's user puts on tickets. It belongs to that user:
// nobody else lists, changes or attaches it, and on a ticket each user sees his
// own (semantics.md D11).
type Label struct {
	ID    int64  // number within the domain, at most 2^31-1
	Name  string // as it was given, blanks around it taken off
	Color string // #rrggbb
	Owner string // user id
}

// Limits of labels (semantics.md section 10).
const (
	maxLabels       = 30 // of a user
	maxTicketLabels = 5  // of a user's labels on a ticket
	maxLabelName    = 64 // characters
)

// Faults of labels (semantics.md D11).
var (
	ErrLabels       = fault.New(fault.Conflict, fault.CodeInvalid, "标签最多 {max} 个，请先删除不用的标签", "you may have at most {max} labels: delete one first").With("max", maxLabels)
	ErrTicketLabels = fault.New(fault.Conflict, fault.CodeInvalid, "每个工单最多 {max} 个标签", "a ticket may have at most {max} labels").With("max", maxTicketLabels).In("label_ids")
	ErrLabelName    = fault.New(fault.Conflict, fault.CodeInvalid, "已有同名标签", "there is a label of this name already").In("name")
	ErrNoLabel      = fault.New(fault.NotFound, fault.CodeInvalid, "标签不存在：{id}", "there is no such label: {id}")
)

var color = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)

// foldLabel is how names are compared: width and case do not matter.
func foldLabel(name string) string { return strings.ToLower(norm.NFKC.String(strings.TrimSpace(name))) }

func checkLabel(name, col string) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return "", errBlank.In("name")
	case utf8.RuneCountInString(name) > maxLabelName:
		return "", fault.TooLong.In("name").With("max", maxLabelName)
	case !color.MatchString(col):
		return "", fault.BadFormat.In("color").With("form", "#rrggbb")
	}
	return name, nil
}

// customer gives the domain and user labels belong to.
func customer(who principal.Principal) error {
	if who.Kind != principal.Customer {
		return fault.NoPermission
	}
	return nil
}

// lockLabels lets one change of a user's labels, or of what they are on, follow
// the other, so that the limits are exact and no label stays on a ticket after
// it was deleted.
func lockLabels(tx *db.Tx, who principal.Principal) { tx.Lock(who.Domain, "labels."+who.User) }

func labelsOf(tx *db.Tx, domain, owner string) (all []Label, err error) {
	err = tx.List(func(r db.Row) error {
		l := Label{Owner: owner}
		err := r.Scan(&l.ID, &l.Name, &l.Color)
		all = append(all, l)
		return err
	}, "SELECT id, name, color FROM labels WHERE domain_id = ? AND owner = ? ORDER BY id DESC", domain, owner)
	return all, err
}

// CreateLabel makes a label of the caller's and answers its number. Failures:
// OSM.01010001 for a blank or too long name, a colour that is not #rrggbb, a
// name the caller has already (case and width do not matter), a 31st label.
func (s *Service) CreateLabel(ctx context.Context, who principal.Principal, name, col string) (int64, error) {
	if err := customer(who); err != nil {
		return 0, err
	}
	name, err := checkLabel(name, col)
	if err != nil {
		return 0, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (int64, error) {
		lockLabels(tx, who)
		mine, err := labelsOf(tx, who.Domain, who.User)
		if err != nil {
			return 0, err
		}
		if named(mine, name, 0) {
			return 0, ErrLabelName
		}
		if len(mine) >= maxLabels {
			return 0, ErrLabels
		}
		var id int64
		err = tx.Get(`INSERT INTO label_numbers (domain_id, last) VALUES (?, 1)
			ON CONFLICT (domain_id) DO UPDATE SET last = label_numbers.last + 1 RETURNING last`, who.Domain).Scan(&id)
		if err != nil {
			return 0, err
		}
		if id > math.MaxInt32 {
			return 0, errors.New("ticket: the domain's label numbers are used up")
		}
		tx.Write(1, "INSERT INTO labels (domain_id, id, owner, name, name_key, color, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
			who.Domain, id, who.User, name, foldLabel(name), col, tx.Now)
		recordLabel(tx, who, "label.create", id, name)
		return id, nil
	})
}

func named(labels []Label, name string, but int64) bool {
	return slices.ContainsFunc(labels, func(l Label) bool { return l.ID != but && foldLabel(l.Name) == foldLabel(name) })
}

func recordLabel(tx *db.Tx, who principal.Principal, kind string, id int64, name string) {
	event.Record(tx, who, event.Event{Domain: who.Domain, Kind: kind, Subject: "label", SubjectID: strconv.FormatInt(id, 10), LogCode: event.NoLog, Name: name})
}

// labelNames are the names of those of a user's labels that are asked for.
func labelNames(mine []Label, ids ...int64) string {
	var names []string
	for _, l := range mine {
		if slices.Contains(ids, l.ID) {
			names = append(names, l.Name)
		}
	}
	return strings.Join(names, ", ")
}

func ownLabel(mine []Label, id int64) error {
	if !slices.ContainsFunc(mine, func(l Label) bool { return l.ID == id }) {
		return ErrNoLabel.In("label_id").With("id", id)
	}
	return nil
}

// UpdateLabel gives a label of the caller's another name and colour; the
// tickets it is on show it at once. Failures: those of CreateLabel, and
// OSM.01010001 for a label that is unknown or another user's.
func (s *Service) UpdateLabel(ctx context.Context, who principal.Principal, id int64, name, col string) error {
	if err := customer(who); err != nil {
		return err
	}
	name, err := checkLabel(name, col)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		lockLabels(tx, who)
		mine, err := labelsOf(tx, who.Domain, who.User)
		if err != nil {
			return err
		}
		if err := ownLabel(mine, id); err != nil {
			return err
		}
		if named(mine, name, id) {
			return ErrLabelName
		}
		tx.Write(1, "UPDATE labels SET name = ?, name_key = ?, color = ? WHERE domain_id = ? AND id = ?", name, foldLabel(name), col, who.Domain, id)
		called := name
		if was := labelNames(mine, id); was != name {
			called = was + " → " + name
		}
		recordLabel(tx, who, "label.update", id, called)
		return nil
	})
}

const kindLabelDelete = "label.delete"

// takenOff is from which tickets a label went with its end: how many, and the
// numbers of the oldest, event.MaxNumbers at most. Deleted tickets do not count.
type takenOff struct {
	Tickets int      `json:"tickets"`
	Numbers []string `json:"numbers"`
}

func labelled(tx *db.Tx, domain string, id int64) (from takenOff, err error) {
	const on = ` FROM ticket_labels JOIN tickets ON tickets.domain_id = ticket_labels.domain_id AND tickets.id = ticket_labels.ticket_id
		WHERE ticket_labels.domain_id = ? AND ticket_labels.label_id = ? AND ticket_labels.status <> ?`
	from.Numbers = []string{}
	if err := tx.Get("SELECT count(*)"+on, domain, id, int(Deleted)).Scan(&from.Tickets); err != nil || from.Tickets == 0 {
		return from, err
	}
	return from, tx.List(func(r db.Row) error {
		var number string
		err := r.Scan(&number)
		from.Numbers = append(from.Numbers, number)
		return err
	}, "SELECT tickets.number"+on+" ORDER BY tickets.id LIMIT ?", domain, id, int(Deleted), event.MaxNumbers)
}

// DeleteLabel removes a label of the caller's, also from all tickets
// (semantics.md section 10). OSM.01010001 when it is unknown or another user's.
func (s *Service) DeleteLabel(ctx context.Context, who principal.Principal, id int64) error {
	if err := customer(who); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		lockLabels(tx, who)
		mine, err := labelsOf(tx, who.Domain, who.User)
		if err != nil {
			return err
		}
		if err := ownLabel(mine, id); err != nil {
			return err
		}
		from, err := labelled(tx, who.Domain, id)
		if err != nil {
			return err
		}
		tx.Write(db.Any, "DELETE FROM ticket_labels WHERE domain_id = ? AND label_id = ?", who.Domain, id)
		tx.Write(1, "DELETE FROM labels WHERE domain_id = ? AND id = ?", who.Domain, id)
		event.Record(tx, who, event.Event{Domain: who.Domain, Kind: kindLabelDelete, Subject: "label", SubjectID: strconv.FormatInt(id, 10), LogCode: event.NoLog,
			Data: from, Name: labelNames(mine, id)})
		return nil
	})
}

// Labels is a page of the caller's labels, newest first, and how many match.
// Part is looked for in the names, whatever its case and width; every character
// in it stands for itself. ID 0 does not filter, limit 0 = 10.
func (s *Service) Labels(ctx context.Context, who principal.Principal, part string, id int64, offset, limit int) (page []Label, total int, err error) {
	if err := customer(who); err != nil {
		return nil, 0, err
	}
	if limit == 0 {
		limit = defaultLimit
	}
	var mine []Label // 30 at most, so the filter needs no index
	err = s.db.View(ctx, func(tx *db.Tx) error { mine, err = labelsOf(tx, who.Domain, who.User); return err })
	if err != nil {
		return nil, 0, err
	}
	mine = slices.DeleteFunc(mine, func(l Label) bool {
		return id != 0 && l.ID != id || !strings.Contains(foldLabel(l.Name), foldLabel(part))
	})
	from := min(offset, len(mine))
	return mine[from:min(from+limit, len(mine))], len(mine), nil
}

// LabelUse is on how many tickets that the caller sees each of his labels is, by
// its number; deleted tickets do not count.
func (s *Service) LabelUse(ctx context.Context, who principal.Principal) (use map[int64]int, err error) {
	if err := customer(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		use = map[int64]int{}
		mine, err := labelsOf(tx, who.Domain, who.User)
		if err != nil || len(mine) == 0 {
			return err
		}
		scope, err := privilege.ScopeOf(tx, who, "")
		if err != nil {
			return err
		}
		cond, more := scope.Where("creator")
		args := []any{who.Domain}
		for _, l := range mine { // 30 at most
			use[l.ID] = 0
			args = append(args, l.ID)
		}
		return tx.List(func(r db.Row) error {
			var id int64
			var n int
			err := r.Scan(&id, &n)
			use[id] = n
			return err
		}, "SELECT label_id, count(*) FROM ticket_labels WHERE domain_id = ? AND label_id IN ("+questions(len(mine))+") AND status <> ? AND "+cond+" GROUP BY label_id",
			append(append(args, int(Deleted)), more...)...)
	})
	return use, err
}

// AddLabels puts labels of the caller's on a ticket he sees without a group. What
// is on it already stays; all of them or none. Failures: OSM.01010015 (no such
// ticket), OSM.01010001 (unknown or another user's label, more than five).
func (s *Service) AddLabels(ctx context.Context, who principal.Principal, number string, ids []int64) error {
	return s.tag(ctx, who, number, ids, true)
}

// RemoveLabels takes labels of the caller's off a ticket; those that are not on it
// are no error. It fails as AddLabels does.
func (s *Service) RemoveLabels(ctx context.Context, who principal.Principal, number string, ids []int64) error {
	return s.tag(ctx, who, number, ids, false)
}

func (s *Service) tag(ctx context.Context, who principal.Principal, number string, ids []int64, on bool) error {
	if err := customer(who); err != nil {
		return err
	}
	ids = distinct(ids)
	switch {
	case len(ids) == 0:
		return fault.Missing.In("label_ids")
	case len(ids) > maxTicketLabels:
		return fault.TooManyItems.In("label_ids").With("max", maxTicketLabels)
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		lockLabels(tx, who)
		t, err := visible(tx, who, number, "")
		if err != nil {
			return err
		}
		mine, err := labelsOf(tx, who.Domain, who.User)
		if err != nil {
			return err
		}
		there, err := labelsOn(tx, who, t.ID)
		if err != nil {
			return err
		}
		var changed []int64
		for _, id := range ids {
			if !slices.ContainsFunc(mine, func(l Label) bool { return l.ID == id }) {
				return ErrNoLabel.In("label_ids").With("id", id)
			}
			if slices.ContainsFunc(there[t.ID], func(l Label) bool { return l.ID == id }) != on {
				changed = append(changed, id)
			}
		}
		if on && len(there[t.ID])+len(changed) > maxTicketLabels {
			return ErrTicketLabels
		}
		if len(changed) == 0 {
			return nil
		}
		// The ticket must still be in the state its rows here will carry. It is
		// not changed: an engineer's step on it need not be read anew.
		tx.Write(1, "UPDATE tickets SET revision = revision WHERE domain_id = ? AND id = ? AND revision = ?", t.Domain, t.ID, t.Revision)
		kind := "ticket.label"
		for _, id := range changed {
			if on {
				tx.Write(1, "INSERT INTO ticket_labels (domain_id, ticket_id, label_id, creator, status) VALUES (?, ?, ?, ?, ?)", t.Domain, t.ID, id, t.Creator, int(t.Status))
			} else {
				kind = "ticket.unlabel"
				tx.Write(1, "DELETE FROM ticket_labels WHERE domain_id = ? AND ticket_id = ? AND label_id = ?", t.Domain, t.ID, id)
			}
		}
		event.Record(tx, who, event.Event{Domain: t.Domain, Kind: kind, Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: event.NoLog,
			Data: map[string]any{"labels": changed}, Name: labelNames(mine, changed...)})
		return nil
	})
}

func distinct[T comparable](all []T) (out []T) {
	for _, x := range all {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// labelsOn is the caller's labels on tickets, by ticket id.
func labelsOn(tx *db.Tx, who principal.Principal, tickets ...string) (map[string][]Label, error) {
	return labelRows(tx, who.Domain, "AND l.owner = ?", []any{who.User}, tickets)
}

func labelRows(tx *db.Tx, domain, cond string, args []any, tickets []string) (map[string][]Label, error) {
	out := map[string][]Label{}
	if len(tickets) == 0 {
		return out, nil
	}
	marks := make([]any, 0, len(tickets)+2)
	marks = append(marks, domain)
	for _, id := range tickets {
		marks = append(marks, id)
	}
	err := tx.List(func(r db.Row) error {
		var on string
		var l Label
		err := r.Scan(&on, &l.ID, &l.Name, &l.Color, &l.Owner)
		out[on] = append(out[on], l)
		return err
	}, "SELECT t.ticket_id, l.id, l.name, l.color, l.owner FROM ticket_labels AS t JOIN labels AS l ON l.domain_id = t.domain_id AND l.id = t.label_id WHERE t.domain_id = ? AND t.ticket_id IN ("+
		questions(len(tickets))+") "+cond+" ORDER BY l.id", append(marks, args...)...)
	return out, err
}

func questions(n int) string { return "?" + strings.Repeat(", ?", n-1) }

// TicketLabels is the caller's labels on a ticket he sees without a group, in
// the order of their numbers.
func (s *Service) TicketLabels(ctx context.Context, who principal.Principal, number string) (all []Label, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		t, err := visible(tx, who, number, "")
		if err != nil {
			return err
		}
		on, err := labelsOn(tx, who, t.ID)
		all = on[t.ID]
		return err
	})
	return all, err
}

// ownLabels leaves the caller's own of the labels.
func ownLabels(tx *db.Tx, who principal.Principal, ids []int64) (own []any, err error) {
	mine, err := labelsOf(tx, who.Domain, who.User)
	for _, l := range mine {
		if slices.Contains(ids, l.ID) {
			own = append(own, l.ID)
		}
	}
	return own, err
}

// countLabelled is how many tickets of the scope have any of the labels, read
// from the labels' index alone. Each label is a query of its own: SQLite walks
// all labels of the domain for a DISTINCT over several.
func countLabelled(tx *db.Tx, scope privilege.Scope, statuses []Status, labels []any) (map[Status]int, error) {
	var w where
	w.and("status <> ?", int(Deleted))
	if len(statuses) > 0 {
		w.anyOf("status", statuses)
	}
	cond, more := scope.Where("creator")
	w.and(cond, more...)
	var each []string
	var args []any
	for _, l := range labels {
		each = append(each, "SELECT ticket_id, status FROM ticket_labels WHERE domain_id = ? AND label_id = ? AND "+strings.Join(w.cond, " AND "))
		args = append(append(args, scope.Domain, l), w.args...)
	}
	return byState(tx, "("+strings.Join(each, " UNION ")+") AS any_of", args...)
}
