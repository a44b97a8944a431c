package report

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// Limits of a report.
const (
	maxSpan     = 5 * 366 * 24 * time.Hour
	maxSentSpan = 93 * 24 * time.Hour // of what is read from the ledger of messages
	maxFigures  = 20_000
	maxRead     = 2_000_000 // facts
	defaultDays = 30
)

// Faults of reports.
var (
	ErrName   = fault.New(fault.NotFound, fault.CodeInvalid, "没有名为 {name} 的报表", "there is no report {name}").In("name")
	errOrder  = fault.New(fault.Invalid, fault.CodeInvalid, "开始时间 from 必须早于结束时间 to", "from must be before to").In("from")
	errSpan   = fault.New(fault.Invalid, fault.CodeInvalid, "时间范围不能超过 {days} 天", "the time must not be longer than {days} days").In("from")
	errTime   = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 应为日期（2026-11-25）或时刻（2026-11-25T08:00:00Z）", "{field} must be a date (2026-11-25) or an instant (2026-11-25T08:00:00Z)")
	errGroup  = fault.New(fault.Invalid, fault.CodeInvalid, "该报表不能按 {by} 分组或筛选", "this report is not grouped or filtered by {by}")
	errMuch   = fault.New(fault.Invalid, fault.CodeInvalid, "结果过多，请缩短时间范围或减少分组", "too much: choose a shorter time or fewer groups").In("from")
	errPeriod = fault.New(fault.Invalid, fault.CodeInvalid, "该报表反映当前情况，没有时间范围和周期", "this report is as of now: it has no periods").In("every")
)

// Query asks for a report. Every is "", day, week or month; By "" or one of the
// report's dimensions; Filter has values by dimension.
type Query struct {
	Name     string
	From, To string // dates of the zone, To's included, or RFC 3339 instants; "" = the last 30 days until now
	Every    string
	By       string
	Filter   map[string]string
	Locale   locale.Locale // the zone of days, the language of names
}

// Figure is one number of a report, with what it is of.
type Figure struct {
	Period               Period
	Group, GroupName     string
	Measure, MeasureName string
	Detail, DetailName   string
	Unit                 string // of what follows the count, "" = nothing does
	Count, Sum           int64
	P50, P90             int64 // milliseconds, rounded up to three significant digits
	Met, Missed          int64
	Promised             bool // of Met and Missed: there were promises
	Listed               bool // Tickets lists what it counts
}

// MetTenths is how many of a thousand promises were kept.
func (f Figure) MetTenths() int64 { return perMille(f.Met, f.Met+f.Missed) }

// perMille rounds half up; 0 of nothing.
func perMille(part, whole int64) int64 {
	if whole == 0 {
		return 0
	}
	return (part*2000 + whole) / (2 * whole)
}

// Report is the answer.
type Report struct {
	Name, Title string
	From, To    int64 // 0 = as of now
	Every, By   string
	ByName      string
	Seq, At     int64 // as of this sealed event at this time
	Figures     []Figure
}

// asked is a query that was judged.
type asked struct {
	Query
	spec     spec
	from, to int64
	periods  []Period
	reach    reach
	seeing   string // condition of the reach on facts
	args     []any
}

// ask judges a query.
func (s *Service) ask(who principal.Principal, q Query) (a asked, err error) {
	a.Query = q
	var ok bool
	if a.spec, ok = specOf(q.Name); !ok {
		return a, ErrName.With("name", q.Name)
	}
	if a.reach, err = reachOf(who); err != nil {
		return a, err
	}
	if q.Every != "" && q.Every != "day" && q.Every != "week" && q.Every != "month" {
		return a, fault.Unknown.In("every")
	}
	if q.By != "" && !slices.Contains(a.spec.by, q.By) {
		return a, errGroup.With("by", q.By).In("by")
	}
	for _, dim := range slices.Sorted(maps.Keys(q.Filter)) {
		if !slices.Contains(a.spec.by, dim) {
			return a, errGroup.With("by", dim).In(dim)
		}
	}
	if a.spec.live {
		if q.Every != "" {
			return a, errPeriod
		}
		return a, nil
	}
	if a.from, a.to, err = span(q.From, q.To, q.Locale.Zone, s.db.Now()); err != nil {
		return a, err
	}
	most := maxSpan
	if a.sends() {
		most = maxSentSpan
	}
	if time.Duration(a.to-a.from)*time.Millisecond > most {
		return a, errSpan.With("days", int(most/(24*time.Hour)))
	}
	a.periods = split(a.from, a.to, q.Every, q.Locale.Zone)
	a.periods[len(a.periods)-1].To = a.to
	switch {
	case a.reach.domain != "":
		a.seeing, a.args = " AND domain_id = ?", []any{a.reach.domain}
	case a.reach.user != "":
		a.seeing, a.args = " AND (engineer = ? OR team IN (SELECT m.team_id FROM desk_team_members AS m WHERE m.user_id = ?))", []any{a.reach.user, a.reach.user}
	}
	for _, dim := range slices.Sorted(maps.Keys(q.Filter)) {
		if dim != "provider" { // facts have none
			a.seeing, a.args = a.seeing+" AND "+dims[dim]+" = ?", append(a.args, q.Filter[dim])
		}
	}
	return a, nil
}

func (a asked) sends() bool { return a.spec.name == "codes" || a.spec.name == "deliveries" }

// facts are the names of the measures that are read from facts.
func (a asked) facts() (names []any) {
	for _, m := range a.spec.measures {
		if slices.Contains(factMeasures, m.name) {
			names = append(names, m.name)
		}
	}
	return names
}

// span reads from and to.
func span(from, to string, zone *time.Location, now time.Time) (a, b int64, err error) {
	b = now.UnixMilli() + 1 // what happens in this millisecond is in it
	if to != "" {
		if b, err = instant(to, zone, true, "to"); err != nil {
			return 0, 0, err
		}
	}
	a = midnight(time.UnixMilli(b).In(zone).AddDate(0, 0, -defaultDays)).UnixMilli()
	if from != "" {
		if a, err = instant(from, zone, false, "from"); err != nil {
			return 0, 0, err
		}
	}
	if a >= b {
		return 0, 0, errOrder
	}
	return a, b, nil
}

// instant reads a date of a zone, its beginning or its end, or an instant.
func instant(text string, zone *time.Location, end bool, field string) (int64, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		y, m, d := t.Date()
		if y < 1970 || y > 2999 {
			return 0, errTime.In(field)
		}
		if end {
			d++
		}
		return midnight(time.Date(y, m, d, 12, 0, 0, 0, zone)).UnixMilli(), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1970 || t.Year() > 2999 {
		return 0, errTime.In(field)
	}
	return t.UnixMilli(), nil
}

// cell is where a figure stands.
type cell struct {
	period                 int
	group, measure, detail string
}

// Figures makes a report: all of it from one snapshot, as of the newest event
// whose facts are in. Engineers see what is theirs and their teams'. Failures:
// ErrName, OSM.01010001 naming the field, OSM.01010002 for partners' people and
// for customers (Own is theirs).
func (s *Service) Figures(ctx context.Context, who principal.Principal, q Query) (Report, error) {
	if who.Kind == principal.Customer {
		return Report{}, fault.NoPermission
	}
	return s.figures(ctx, who, q)
}

func (s *Service) figures(ctx context.Context, who principal.Principal, q Query) (Report, error) {
	a, err := s.ask(who, q)
	if err != nil {
		return Report{}, err
	}
	out := Report{Name: a.spec.name, Title: a.spec.title.In(q.Locale.Language), From: a.from, To: a.to, Every: q.Every, By: q.By, ByName: dimNames[q.By].In(q.Locale.Language)}
	var all cells
	var named names
	err = s.db.Survey(ctx, func(tx *db.Tx) error {
		all = cells{}
		st, err := stateIn(tx)
		if err != nil {
			return err
		}
		head, err := event.Head(tx, "")
		if err != nil {
			return err
		}
		out.Seq, out.At = st.seq, st.at
		if head == st.seq || a.spec.live {
			out.Seq, out.At = head, tx.Real
		}
		if len(a.facts()) > 0 && !a.spec.live {
			if err := s.readFacts(tx, a, st, all); err != nil {
				return err
			}
		}
		if a.sends() {
			if err := readSent(tx, a, all); err != nil {
				return err
			}
		}
		if a.spec.live || a.spec.name == "load" {
			if err := s.readNow(tx, a, all); err != nil {
				return err
			}
		}
		if len(all) > maxFigures {
			return errMuch
		}
		named, err = s.namesIn(tx, a, all)
		return err
	})
	if err != nil {
		return Report{}, err
	}
	if a.spec.name == "load" {
		if err := s.capacities(ctx, who, a, all); err != nil {
			return Report{}, err
		}
	}
	if err := s.nameRest(ctx, a, all, &named); err != nil {
		return Report{}, err
	}
	out.Figures = s.lay(a, all, named)
	return out, nil
}

func (c cells) at(k cell) *sum {
	if c[k] == nil {
		c[k] = &sum{}
	}
	return c[k]
}

type cells map[cell]*sum

// counted is the detail under which a measure counts one, and whether it does.
func (m measure) counted(detail string) (string, bool) {
	if m.only != nil && !slices.Contains(m.only, detail) {
		return "", false
	}
	return detail, true
}

// readFacts adds up facts: days that hold from their rows, the rest one by one.
func (s *Service) readFacts(tx *db.Tx, a asked, st state, into cells) error {
	whole, rest := []Period(nil), []Period{{From: a.from, To: a.to}}
	if dim, value, ok := a.ahead(); ok && st.zone == s.zoneName {
		var err error
		if whole, rest, err = s.heldDays(tx, a); err != nil {
			return err
		}
		if err := readDays(tx, a, whole, dim, value, into); err != nil {
			return err
		}
	}
	names := a.facts()
	read := 0
	for _, p := range rest {
		args := append(append(slices.Clone(names), p.From, p.To), a.args...)
		err := tx.List(func(r db.Row) error {
			if read++; read > maxRead {
				return errMuch
			}
			var at, amount int64
			var measure, detail, group, verdict string
			if err := r.Scan(&at, &measure, &detail, &group, &amount, &verdict); err != nil {
				return err
			}
			m, _ := a.spec.measure(measure)
			if detail, ok := m.counted(detail); ok {
				into.at(cell{a.place(at), group, measure, detail}).add(amount, verdict)
			}
			return nil
		}, "SELECT at, measure, detail, "+a.column()+", amount, verdict FROM report_facts WHERE measure IN (?"+strings.Repeat(", ?", len(names)-1)+") AND at >= ? AND at < ?"+
			a.seeing+" /* all domains: figures of the house */", args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// column is what facts are grouped by.
func (a asked) column() string {
	if c, ok := dims[a.By]; ok {
		return c
	}
	return "''" // a provider: of messages only
}

// place is the period an instant is in.
func (a asked) place(at int64) int {
	i, found := slices.BinarySearchFunc(a.periods, at, func(p Period, at int64) int { return cmp.Compare(p.From, at) })
	if !found {
		i--
	}
	return i
}

// ahead tells whether the report is one of those that are added up ahead, and of
// which dimension and value ("" with ok = all values).
func (a asked) ahead() (dim string, value *string, ok bool) {
	if !a.reach.all || len(a.Filter) > 1 || a.By == "provider" {
		return "", nil, false
	}
	for d, v := range a.Filter {
		return d, &v, d != "provider" && (a.By == "" || a.By == d)
	}
	return a.By, nil, true
}

// heldDays are the days whose rows hold and that lie within one period each,
// with the period they are in, and what is left.
func (s *Service) heldDays(tx *db.Tx, a asked) (whole, rest []Period, err error) {
	at := a.from
	err = tx.List(func(r db.Row) error {
		var p Period
		if err := r.Scan(&p.Name, &p.From, &p.To); err != nil {
			return err
		}
		if p.To > a.periods[a.place(p.From)].To {
			return nil // its parts belong to two periods
		}
		if p.From > at {
			rest = append(rest, Period{From: at, To: p.From})
		}
		whole, at = append(whole, p), p.To
		return nil
	}, "SELECT day, from_at, to_at FROM report_built WHERE to_at > 0 AND from_at >= ? AND to_at <= ? ORDER BY from_at", a.from, a.to)
	if at < a.to {
		rest = append(rest, Period{From: at, To: a.to})
	}
	if len(rest) > 50 { // the days are cut otherwise: one walk is less
		return nil, []Period{{From: a.from, To: a.to}}, err
	}
	return whole, rest, err
}

// readDays adds up rows of days.
func readDays(tx *db.Tx, a asked, days []Period, dim string, value *string, into cells) error {
	if len(days) == 0 {
		return nil
	}
	place := map[string]int{}
	for _, d := range days {
		place[d.Name] = a.place(d.From)
	}
	names := a.facts()
	sql := "SELECT measure, day, value, detail, n, total, met, missed, amounts FROM report_days WHERE measure IN (?" + strings.Repeat(", ?", len(names)-1) + ") AND dim = ? AND day >= ? AND day <= ?"
	args := append(slices.Clone(names), dim, days[0].Name, days[len(days)-1].Name)
	if value != nil {
		sql, args = sql+" AND value = ?", append(args, *value)
	}
	return tx.List(func(r db.Row) error {
		var name, day, group, detail, amounts string
		var c sum
		if err := r.Scan(&name, &day, &group, &detail, &c.n, &c.total, &c.met, &c.missed, &amounts); err != nil {
			return err
		}
		m, _ := a.spec.measure(name)
		detail, ok := m.counted(detail)
		p, held := place[day]
		if !ok || !held {
			return nil
		}
		if err := c.readAmounts(amounts); err != nil {
			return err
		}
		if a.By == "" {
			group = ""
		}
		into.at(cell{p, group, name, detail}).join(c)
		return nil
	}, sql, args...)
}

// lay puts the figures in order: by period, group, measure and detail.
func (s *Service) lay(a asked, from cells, named names) []Figure {
	lang, cat := a.Locale.Language, s.catalog.Now()
	order := map[string]int{}
	for i, m := range a.spec.measures {
		order[m.name] = i
	}
	keys := slices.SortedFunc(maps.Keys(from), func(x, y cell) int {
		return cmp.Or(cmp.Compare(x.period, y.period), cmp.Compare(named.group[x.group], named.group[y.group]), cmp.Compare(x.group, y.group), cmp.Compare(order[x.measure], order[y.measure]), compareDetails(x.detail, y.detail))
	})
	out := make([]Figure, 0, len(keys))
	for _, k := range keys {
		c := from[k]
		m, _ := a.spec.measure(k.measure)
		f := Figure{Group: k.group, GroupName: named.group[k.group], Measure: k.measure, MeasureName: m.title.In(lang), Detail: k.detail, Unit: m.unit,
			Count: c.n, Sum: c.total, Met: c.met, Missed: c.missed, Promised: c.met+c.missed > 0}
		if !a.spec.live {
			f.Period = a.periods[k.period]
		}
		if f.DetailName = named.detail[k.detail]; f.DetailName == "" {
			f.DetailName = detailName(cat, k.measure, k.detail, lang)
		}
		if m.unit == inMillis {
			f.P50, f.P90 = c.share(50), c.share(90)
		}
		f.Listed = k.measure != mCapacity && k.measure != mCode && !slices.Contains([]string{mSent, mDelivered, mFailed, mPending, mCost}, k.measure)
		out = append(out, f)
	}
	return out
}

// compareDetails orders numbers as numbers, ages by their bounds.
func compareDetails(x, y string) int {
	return cmp.Or(cmp.Compare(agePlace(x), agePlace(y)), cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
}

func agePlace(id string) int {
	for i, a := range ages {
		if a.id == id {
			return i
		}
	}
	return -1
}

// Kind is a report as it is offered.
type Kind struct {
	Name, Title string
	Live        bool
	By          []string
	Measures    []Figure // Measure, MeasureName and Unit of each
}

// Kinds are all reports.
func Kinds(lang locale.Language) (all []Kind) {
	for _, s := range specs {
		k := Kind{Name: s.name, Title: s.title.In(lang), Live: s.live, By: s.by}
		for _, m := range s.measures {
			k.Measures = append(k.Measures, Figure{Measure: m.name, MeasureName: m.title.In(lang), Unit: m.unit})
		}
		all = append(all, k)
	}
	return all
}
