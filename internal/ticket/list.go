package ticket

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/privilege"
	"casemate/internal/search"
)

// Filter of a customer's list. Zero values do not filter.
type Filter struct {
	Words       []string // search_key: each word occurs in the description (semantics.md D18)
	Text        string   // app_key: in the number (its beginning) or in the description
	Number      string
	Numbers     []string // any of these
	From, To    int64    // created, milliseconds UTC, both ends included
	Statuses    []Status
	Creator     string // user id
	CreatorName string // part of a log-in name
	Group       string
	Labels      []int64 // with any of these labels of the caller's; others' match nothing
	ProblemType string
	Product     string
	Offset      int
	Limit       int // 1..100, 0 = 10 (D21b)
}

const (
	maxWords     = 3
	maxWord      = 64
	defaultLimit = 10
)

func (f *Filter) check() error {
	var words []string
	for _, w := range f.Words {
		words = append(words, strings.Fields(w)...)
	}
	if f.Words = words; len(words) > maxWords {
		return fault.TooManyItems.In("search_key").With("max", maxWords)
	}
	for _, w := range words {
		if utf8.RuneCountInString(w) > maxWord {
			return fault.TooLong.In("search_key").With("max", maxWord)
		}
	}
	for _, s := range f.Statuses {
		if !s.Known() {
			return fault.Unknown.In("status")
		}
	}
	if f.From > 0 && f.To > 0 && f.From > f.To {
		return fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不能早于 query_start_time", "{field} must not be before query_start_time").In("query_end_time")
	}
	if f.Limit == 0 {
		f.Limit = defaultLimit
	}
	return nil
}

var plain = regexp.MustCompile(`^[0-9A-Z]+$`)

// where is a condition in the making.
type where struct {
	cond []string
	args []any
}

func (w *where) and(cond string, args ...any) {
	w.cond, w.args = append(w.cond, cond), append(w.args, args...)
}

func (w *where) anyOf(column string, statuses []Status) {
	marks := make([]any, len(statuses))
	for i, s := range statuses {
		marks[i] = int(s)
	}
	w.and(column+" IN (?"+strings.Repeat(", ?", len(marks)-1)+")", marks...)
}

// List is a page of the caller's tickets, newest first, and how many match in
// all. Deleted ones are gone (semantics.md section 3.2).
func (s *Service) List(ctx context.Context, who principal.Principal, f Filter) (page []Ticket, total int, err error) {
	if err := f.check(); err != nil {
		return nil, 0, err
	}
	named, err := s.named(ctx, who, f)
	if err != nil {
		return nil, 0, err
	}
	err = s.db.Survey(ctx, func(tx *db.Tx) error {
		page, total = nil, 0
		scope, w, labels, err := s.matching(tx, who, f, named)
		if err != nil || w == nil {
			return err
		}
		if total, err = s.total(tx, scope, f, *w, labels); err != nil || total <= f.Offset {
			return err
		}
		err = tx.List(func(r db.Row) error {
			t, err := scan(r)
			page = append(page, t)
			return err
		}, "SELECT "+columns+" FROM tickets WHERE domain_id = ? AND "+strings.Join(w.cond, " AND ")+" ORDER BY id DESC LIMIT ? OFFSET ?",
			append(append([]any{scope.Domain}, w.args...), f.Limit, f.Offset)...)
		if err != nil {
			return err
		}
		ids := make([]string, len(page))
		for i, t := range page {
			ids[i] = t.ID
		}
		on, err := labelsOn(tx, who, ids...)
		for i, t := range page {
			page[i].Labels = on[t.ID]
		}
		return err
	})
	if err == nil {
		err = s.openPage(page)
	}
	return page, total, err
}

// named are the users of the name that is asked for.
func (s *Service) named(ctx context.Context, who principal.Principal, f Filter) ([]string, error) {
	if f.CreatorName == "" || who.Kind != principal.Customer {
		return nil, nil
	}
	return s.ident.FindByName(ctx, who.Domain, f.CreatorName)
}

// matching is what of the caller's tickets a filter leaves, as SQL, with which of
// its labels are the caller's; w is nil when nothing can match.
func (s *Service) matching(tx *db.Tx, who principal.Principal, f Filter, named []string) (scope privilege.Scope, w *where, labels []any, err error) {
	if scope, err = privilege.ScopeOf(tx, who, f.Group); err != nil {
		return scope, nil, nil, err
	}
	if f.Creator != "" {
		scope = scope.Narrow(f.Creator)
	}
	if f.CreatorName != "" {
		scope = scope.Narrow(named...)
	}
	all, some := s.where(scope, f)
	if !some {
		return scope, nil, nil, nil
	}
	if len(f.Labels) > 0 {
		if labels, err = ownLabels(tx, who, f.Labels); err != nil || len(labels) == 0 {
			return scope, nil, nil, err
		}
		all.and("id IN (SELECT l.ticket_id FROM ticket_labels AS l WHERE l.domain_id = ? AND l.label_id IN ("+questions(len(labels))+"))", append([]any{scope.Domain}, labels...)...)
	}
	return scope, &all, labels, nil
}

// CountsOf is how many of the caller's tickets that fit are in each state.
func (s *Service) CountsOf(ctx context.Context, who principal.Principal, f Filter) (counts map[Status]int, err error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	named, err := s.named(ctx, who, f)
	if err != nil {
		return nil, err
	}
	err = s.db.Survey(ctx, func(tx *db.Tx) error {
		counts = nil
		scope, w, labels, err := s.matching(tx, who, f, named)
		if err != nil || w == nil {
			return err
		}
		counts, err = s.counts(tx, scope, f, *w, labels)
		return err
	})
	return counts, err
}

// where is the filter as SQL; some is false when nothing can match.
func (s *Service) where(scope privilege.Scope, f Filter) (w where, some bool) {
	cond, args := scope.Where("creator")
	w.and(cond, args...)
	var shown []Status
	for _, st := range f.Statuses {
		if st != Deleted {
			shown = append(shown, st)
		}
	}
	switch {
	case len(f.Statuses) == 0:
		w.and("status <> ?", int(Deleted))
	case len(shown) == 0:
		return w, false
	default:
		w.anyOf("status", shown)
	}
	if f.Number != "" {
		w.and("number = ?", f.Number)
	}
	if f.ProblemType != "" {
		w.and("problem_type = ?", f.ProblemType)
	}
	if f.Product != "" {
		w.and("product = ?", f.Product)
	}
	if len(f.Numbers) > 0 {
		var args []any
		for _, n := range f.Numbers {
			args = append(args, n)
		}
		w.and("number IN (?"+strings.Repeat(", ?", len(args)-1)+")", args...)
	}
	if f.From > 0 {
		w.and("created_at >= ?", f.From)
	}
	if f.To > 0 {
		w.and("created_at < ?", f.To+1000) // filters have whole seconds
	}
	if len(f.Words) > 0 {
		in, args, ok := search.Where(s.db.Dialect(), scope.Domain, "ticket", f.Words)
		if !ok {
			return w, false
		}
		w.and("id "+in, args...)
	}
	if text := strings.TrimSpace(f.Text); text != "" {
		var either []string
		var args []any
		if number := strings.ToUpper(text); plain.MatchString(number) {
			// Numbers hold digits and capitals only, so Z closes the range of a
			// beginning in every collation.
			either, args = append(either, "number BETWEEN ? AND ?"), append(args, number, number+strings.Repeat("Z", numberLength))
		}
		if in, more, ok := search.Where(s.db.Dialect(), scope.Domain, "ticket", strings.Fields(text)); ok {
			either, args = append(either, "id "+in), append(args, more...)
		}
		if len(either) == 0 {
			return w, false
		}
		w.and("("+strings.Join(either, " OR ")+")", args...)
	}
	return w, true
}

// kept is how many that fit are in each state where it need not be counted: from
// the counters where only states filter, from the labels' index where only states
// and labels do.
func (s *Service) kept(tx *db.Tx, scope privilege.Scope, f Filter, labels []any) (counts map[Status]int, ok bool, err error) {
	simple := len(f.Words) == 0 && f.Text == "" && f.Number == "" && len(f.Numbers) == 0 && f.From == 0 && f.To == 0 && f.ProblemType == "" && f.Product == ""
	if simple && len(labels) > 0 {
		counts, err = countLabelled(tx, scope, f.Statuses, labels)
		return counts, true, err
	}
	if !simple {
		return nil, false, nil
	}
	counts, ok, err = ofScope(tx, scope)
	maps.DeleteFunc(counts, func(st Status, _ int) bool {
		return st == Deleted || len(f.Statuses) > 0 && !slices.Contains(f.Statuses, st)
	})
	return counts, ok, err
}

// counts is how many that fit are in each state, exactly.
func (s *Service) counts(tx *db.Tx, scope privilege.Scope, f Filter, w where, labels []any) (map[Status]int, error) {
	if counts, ok, err := s.kept(tx, scope, f, labels); ok || err != nil {
		return counts, err
	}
	return byState(tx, "tickets WHERE domain_id = ? AND "+strings.Join(w.cond, " AND "), append([]any{scope.Domain}, w.args...)...)
}

// total is how many fit, exactly.
func (s *Service) total(tx *db.Tx, scope privilege.Scope, f Filter, w where, labels []any) (total int, err error) {
	counts, ok, err := s.kept(tx, scope, f, labels)
	if ok || err != nil {
		for _, n := range counts {
			total += n
		}
		return total, err
	}
	err = tx.Get("SELECT count(*) FROM tickets WHERE domain_id = ? AND "+strings.Join(w.cond, " AND "), append([]any{scope.Domain}, w.args...)...).Scan(&total)
	return total, err
}

// ofEachState begins a query of how many there are in each of Statuses, in one
// pass: for a GROUP BY, SQLite sorts all of them in a b-tree of its own.
var ofEachState = func() string {
	var each []string
	for _, st := range Statuses {
		each = append(each, "count(*) FILTER (WHERE status = "+strconv.Itoa(int(st))+")")
	}
	return "SELECT " + strings.Join(each, ", ") + " FROM "
}()

// byState is how many of what the rest of a query leaves are in each state.
func byState(tx *db.Tx, from string, args ...any) (map[Status]int, error) {
	n, into := make([]int, len(Statuses)), make([]any, len(Statuses))
	for i := range n {
		into[i] = &n[i]
	}
	out := map[Status]int{}
	err := tx.Get(ofEachState+from, args...).Scan(into...)
	for i, st := range Statuses {
		if n[i] > 0 {
			out[st] = n[i]
		}
	}
	return out, err
}
