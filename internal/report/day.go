package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/principal"
)

// dims are what figures can be grouped and filtered by, with the facts' column.
// "" is all together.
var dims = map[string]string{"": "''", "domain": "domain_id", "team": "team", "engineer": "engineer", "product": "product", "severity": "severity", "language": "language", "channel": "channel"}

// Dims are their names, without "".
var Dims = []string{"channel", "domain", "engineer", "language", "product", "severity", "team"}

func (f fact) dim(name string) string {
	switch name {
	case "domain":
		return f.domain
	case "team":
		return f.team
	case "engineer":
		return f.engineer
	case "product":
		return f.product
	case "severity":
		return f.severity
	case "language":
		return f.language
	case "channel":
		return f.channel
	}
	return ""
}

// sum is a cell: what is added up of facts.
type sum struct {
	n, total, met, missed int64
	amounts               map[int64]int64 // how many by rounded amount
}

func (c *sum) add(amount int64, verdict string) {
	c.n++
	c.total += amount
	switch verdict {
	case met:
		c.met++
	case missed:
		c.missed++
	}
	c.many(Round(amount), 1)
}

func (c *sum) many(amount, n int64) {
	if c.amounts == nil {
		c.amounts = map[int64]int64{}
	}
	c.amounts[amount] += n
}

func (c *sum) join(o sum) {
	c.n, c.total, c.met, c.missed = c.n+o.n, c.total+o.total, c.met+o.met, c.missed+o.missed
	for a, n := range o.amounts {
		c.many(a, n)
	}
}

// share is the smallest rounded amount that at least percent of the amounts do
// not exceed (nearest rank).
func (c sum) share(percent int64) int64 {
	rank, seen := (c.n*percent+99)/100, int64(0)
	for _, a := range slices.Sorted(maps.Keys(c.amounts)) {
		if seen += c.amounts[a]; seen >= rank {
			return a
		}
	}
	return 0
}

// Round rounds an amount up to three significant digits, as percentiles are
// told: at most 1 % too much.
func Round(amount int64) int64 {
	step := int64(1)
	for amount/step >= 1000 {
		step *= 10
	}
	return (amount + step - 1) / step * step
}

// Build adds up days that are over and do not hold, the oldest first, at most
// buildDays of them: it runs again soon. Days of another zone than the one
// configured are thrown away first.
func (s *Service) Build(ctx context.Context) error {
	_, err := s.build(ctx)
	return err
}

// buildDays is how many days a run takes at most, so that it ends within its
// lease; buildRows how many rows one transaction writes.
const (
	buildDays = 60
	buildRows = 500
	buildName = "build"
)

var errMoved = errors.New("report: the facts have moved on")

func (s *Service) build(ctx context.Context) (more bool, err error) {
	var st state
	first, until := int64(-1), int64(0)
	built := map[string]bool{}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		clear(built)
		var err error
		if st, err = stateIn(tx); err != nil {
			return err
		}
		until = st.at // events up to here are in
		parts := make([]string, len(factMeasures))
		args := make([]any, len(factMeasures))
		for i, m := range factMeasures {
			parts[i], args[i] = "SELECT min(at) AS at FROM report_facts WHERE measure = ? /* all domains: the first day */", m
		}
		err = tx.Get("SELECT coalesce(min(x.at), -1) FROM ("+strings.Join(parts, " UNION ALL ")+") AS x", args...).Scan(&first)
		if err != nil || first < 0 {
			return err
		}
		return tx.List(func(r db.Row) error {
			var day string
			err := r.Scan(&day)
			built[day] = true
			return err
		}, "SELECT day FROM report_built WHERE to_at > 0")
	})
	if err != nil {
		return false, err
	}
	if st.zone != s.zoneName {
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			tx.Write(db.Any, "DELETE FROM report_built WHERE day <> ''")
			tx.Write(db.Any, "UPDATE report_state SET zone = ? WHERE name = ?", s.zoneName, stateName)
			return nil
		})
		if err != nil {
			return false, err
		}
		clear(built)
	}
	if first < 0 {
		return false, nil
	}
	done := 0
	for _, p := range daysOf(first, until, s.zone) {
		if built[p.Name] || p.To > until {
			continue
		}
		if done++; done > buildDays {
			return true, nil
		}
		if err := s.buildDay(ctx, p); err != nil {
			if errors.Is(err, errMoved) {
				continue // the next run sees it as it is then
			}
			return false, err
		}
	}
	return false, nil
}

// dayKey is a row of report_days within a day.
type dayKey struct{ measure, dim, value, detail string }

// addUp adds up the facts of [from, to), by every dimension.
func addUp(tx *db.Tx, from, to int64) (map[dayKey]*sum, error) {
	out := map[dayKey]*sum{}
	args := make([]any, 0, len(factMeasures)+2)
	for _, m := range factMeasures {
		args = append(args, m)
	}
	err := tx.List(func(r db.Row) error {
		f, err := scanFact(r)
		if err != nil {
			return err
		}
		for dim := range dims {
			k := dayKey{f.measure, dim, f.dim(dim), f.detail}
			if out[k] == nil {
				out[k] = &sum{}
			}
			out[k].add(f.amount, f.verdict)
		}
		return nil
	}, "SELECT "+factColumns+" FROM report_facts WHERE measure IN (?"+strings.Repeat(", ?", len(factMeasures)-1)+") AND at >= ? AND at < ? /* all domains: a day's figures */",
		append(args, from, to)...)
	return out, err
}

// buildDay writes a day's rows, in parts. It marks the day as being built before
// it reads the facts: what changes one of them takes the mark away, and the rows
// hold only if the mark is there at the end.
func (s *Service) buildDay(ctx context.Context, p Period) error {
	turn := int64(0)
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		lock(tx)
		st, err := stateIn(tx)
		if err == nil && st.zone != s.zoneName {
			err = errMoved
		}
		if err == nil {
			err = tx.Get("SELECT seq FROM report_state WHERE name = ?", buildName).Scan(&turn)
		}
		if err != nil {
			return err
		}
		turn++
		tx.Write(1, "UPDATE report_state SET seq = ? WHERE name = ?", turn, buildName)
		tx.Write(db.Any, "DELETE FROM report_built WHERE day = ?", p.Name)
		tx.Write(db.Any, "DELETE FROM report_days WHERE day = ?", p.Name)
		tx.Write(1, "INSERT INTO report_built (day, from_at, to_at) VALUES (?, 0, 0)", p.Name)
		return nil
	})
	if err != nil {
		return err
	}
	var cells map[dayKey]*sum
	err = s.db.View(ctx, func(tx *db.Tx) (err error) { cells, err = addUp(tx, p.From, p.To); return err })
	if err != nil {
		return err
	}
	keys := slices.Collect(maps.Keys(cells))
	for part := 0; part == 0 || part*buildRows < len(keys); part++ {
		some := keys[part*buildRows : min(len(keys), (part+1)*buildRows)]
		last := (part+1)*buildRows >= len(keys)
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			lock(tx)
			var now, marked int64
			err := tx.Get("SELECT s.seq, (SELECT count(*) FROM report_built AS b WHERE b.day = ? AND b.to_at = 0) FROM report_state AS s WHERE s.name = ?", p.Name, buildName).Scan(&now, &marked)
			if err == nil && (now != turn || marked == 0) {
				err = errMoved
			}
			if err != nil {
				return err
			}
			for _, k := range some {
				c := cells[k]
				tx.Write(1, "INSERT INTO report_days (measure, dim, day, value, detail, n, total, met, missed, amounts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
					k.measure, k.dim, p.Name, k.value, k.detail, c.n, c.total, c.met, c.missed, c.text())
			}
			if last {
				tx.Write(1, "UPDATE report_built SET from_at = ?, to_at = ? WHERE day = ?", p.From, p.To, p.Name)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lock lets one at a time write facts or days.
func lock(tx *db.Tx) { tx.Lock(principal.House, "report."+buildName) }

// text is how amounts stand in a row; {} when all are 0.
func (c sum) text() string {
	if len(c.amounts) == 1 && c.amounts[0] == c.n {
		return "{}"
	}
	b, err := json.Marshal(c.amounts)
	if err != nil { // numbers always marshal
		panic(err)
	}
	return string(b)
}

func (c *sum) readAmounts(text string) error {
	if text == "{}" {
		c.many(0, c.n)
		return nil
	}
	return json.Unmarshal([]byte(text), &c.amounts)
}

// Period is a part of a report's time, [From, To) in milliseconds UTC.
type Period struct {
	Name     string // 2026-11-25, 2026-W48, 2026-11; "" = the whole
	From, To int64
}

// daysOf are the whole days of a zone from the one an instant is in to that of
// another.
func daysOf(from, to int64, zone *time.Location) []Period {
	return split(midnight(time.UnixMilli(from).In(zone)).UnixMilli(), to+1, "day", zone)
}

// midnight is the first instant of a date: 00:00, the first of two, or the end
// of the leap that skips it.
func midnight(t time.Time) time.Time {
	y, m, d := t.Date()
	at := time.Date(y, m, d, 0, 0, 0, 0, t.Location())
	if at.Day() != d { // Date went by the offset behind the leap
		_, end := at.ZoneBounds()
		return end
	}
	if start, _ := at.ZoneBounds(); !start.IsZero() {
		_, now := at.Zone()
		_, before := start.Add(-time.Nanosecond).Zone()
		if first := at.Add(-time.Duration(before-now) * time.Second); first.Before(start) && first.Day() == d {
			return first
		}
	}
	return at
}

// split cuts a time at the beginnings of the zone's days, weeks (Monday) or
// months; the last part goes on to its own end.
func split(from, to int64, every string, zone *time.Location) (all []Period) {
	if every == "" {
		return []Period{{From: from, To: to}}
	}
	for at := from; at < to; {
		t := time.UnixMilli(at).In(zone)
		y, m, d := t.Date()
		name, days := t.Format(time.DateOnly), 1
		switch every {
		case "week":
			year, week := t.ISOWeek()
			name, days = fmt.Sprintf("%d-W%02d", year, week), 7-(int(t.Weekday())+6)%7
		case "month":
			name, days = t.Format("2006-01"), time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -1).Day()-d+1
		}
		next := at
		for ; next <= at; days++ { // again only where a zone has skipped a whole date
			next = midnight(time.Date(y, m, d+days, 12, 0, 0, 0, zone)).UnixMilli()
		}
		all = append(all, Period{Name: name, From: at, To: next})
		at = next
	}
	return all
}
