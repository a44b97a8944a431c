package report

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Limits of a list.
const (
	listDefault = 50
	listMost    = 100
)

var (
	errMeasure = fault.New(fault.Invalid, fault.CodeInvalid, "该报表没有此指标，或其数字不对应工单", "the report has no such figure, or one that counts no tickets").In("measure")
	errPlace   = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 无效", "{field} is not known").In("cursor")
)

// ListQuery asks what a figure counts: the report's Query with the period as From
// and To and the group among the filters.
type ListQuery struct {
	Query
	Measure, Detail string
	Cursor          string
	Limit           int // 1..100, 0 = 50
}

// Listed is something that a figure counts.
type Listed struct {
	Number             string // of the ticket
	Domain, DomainName string
	Headline           string // the first line of its description; "" when it is deleted or the caller may not open it
	At                 int64  // when it counted; of an open ticket its creation
	Amount             int64
	Unit               string
	Verdict            string // met, missed, ""
}

// Tickets lists what a figure counts, oldest first, and the cursor of the next
// page, "" at the end: a ticket stands there as often as it was counted. Failures
// are those of Figures, and OSM.01010001 for a figure that counts no tickets.
func (s *Service) Tickets(ctx context.Context, who principal.Principal, q ListQuery) (page []Listed, next string, err error) {
	if who.Kind == principal.Customer {
		return nil, "", fault.NoPermission
	}
	q.Every, q.By = "", ""
	a, err := s.ask(who, q.Query)
	if err != nil {
		return nil, "", err
	}
	m, ok := a.spec.measure(q.Measure)
	if !ok {
		return nil, "", errMeasure
	}
	if q.Limit == 0 {
		q.Limit = listDefault
	}
	q.Limit = min(q.Limit, listMost)
	err = s.db.Survey(ctx, func(tx *db.Tx) error {
		var err error
		switch {
		case m.name == mOpen || m.name == mAge:
			page, next, err = listOpen(tx, a, q)
		case m.name != mCode && slices.Contains(factMeasures, m.name):
			page, next, err = listFacts(tx, a, q, m)
		default:
			return errMeasure
		}
		if err != nil {
			return err
		}
		ids := map[string]bool{}
		for _, l := range page {
			ids[l.Domain] = true
		}
		named, err := identity.DomainNames(tx, slices.Sorted(maps.Keys(ids)))
		if err != nil {
			return err
		}
		titles, err := headlines(tx, who, page)
		for i, l := range page {
			page[i].DomainName, page[i].Unit, page[i].Headline = named[l.Domain], m.unit, titles[l.Number]
		}
		return err
	})
	return page, next, err
}

// headlineMost is how long a headline is at most, in characters.
const headlineMost = 200

// headlines are the first lines of what is listed, by number, as far as the
// caller may open it.
func headlines(tx *db.Tx, who principal.Principal, page []Listed) (map[string]string, error) {
	numbers := map[string]bool{}
	for _, l := range page {
		numbers[l.Number] = true
	}
	refs, err := ticket.Refs(tx, who, slices.Sorted(maps.Keys(numbers)))
	if err != nil {
		return nil, err
	}
	found, err := ticket.Many(tx, slices.Collect(maps.Values(refs)))
	titles := map[string]string{}
	for number, ref := range refs {
		line, _, _ := strings.Cut(strings.TrimSpace(found[ref.ID].Description), "\n")
		if r := []rune(line); len(r) > headlineMost {
			line = string(r[:headlineMost-1]) + "…"
		}
		titles[number] = line
	}
	return titles, err
}

// listFacts lists facts by their time and source.
func listFacts(tx *db.Tx, a asked, q ListQuery, m measure) (page []Listed, next string, err error) {
	cond, args := a.seeing, append([]any{m.name, a.from, a.to}, a.args...)
	if q.Detail != "" {
		if m.only != nil && !slices.Contains(m.only, q.Detail) {
			return nil, "", nil
		}
		cond, args = cond+" AND detail = ?", append(args, q.Detail)
	} else if m.only != nil {
		cond += " AND detail IN (?" + strings.Repeat(", ?", len(m.only)-1) + ")"
		for _, d := range m.only {
			args = append(args, d)
		}
	}
	if q.Cursor != "" {
		parts := strings.Split(q.Cursor, "~")
		var at, n int64
		if len(parts) != 4 || !number(parts[0], &at) || !number(parts[3], &n) {
			return nil, "", errPlace
		}
		cond += " AND at >= ? AND (at > ? OR source > ? OR source = ? AND (detail > ? OR detail = ? AND n > ?))"
		args = append(args, at, at, parts[1], parts[1], parts[2], parts[2], n)
	}
	var last fact
	err = tx.List(func(r db.Row) error {
		f, err := scanFact(r)
		if len(page) == q.Limit {
			next = fmt.Sprintf("%d~%s~%s~%d", last.at, last.source, last.detail, last.n)
			return err
		}
		page, last = append(page, Listed{Number: f.number, Domain: f.domain, At: f.at, Amount: f.amount, Verdict: f.verdict}), f
		return err
	}, "SELECT "+factColumns+" FROM report_facts WHERE measure = ? AND at >= ? AND at < ?"+cond+" ORDER BY at, source, detail, n LIMIT ? /* all domains: figures of the house */", append(args, q.Limit+1)...)
	return page, next, err
}

func number(text string, into *int64) bool {
	_, err := fmt.Sscan(text, into)
	return err == nil && fmt.Sprint(*into) == text
}

// listOpen lists open tickets by their age.
func listOpen(tx *db.Tx, a asked, q ListQuery) (page []Listed, next string, err error) {
	cond, args, err := a.seenNow()
	if err != nil {
		return nil, "", err
	}
	switch {
	case a.spec.name == "load":
		cond += " AND assignee <> ''"
	case q.Measure == mOpen && q.Detail != "":
		cond, args = cond+" AND CAST(status AS TEXT) = ?", append(args, q.Detail)
	case q.Measure == mAge && q.Detail != "":
		i := agePlace(q.Detail)
		if i < 0 {
			return nil, "", nil
		}
		if i > 0 {
			cond, args = cond+" AND created_at <= ?", append(args, tx.Real-ages[i-1].hours*3_600_000)
		}
		if ages[i].hours > 0 {
			cond, args = cond+" AND created_at > ?", append(args, tx.Real-ages[i].hours*3_600_000)
		}
	}
	if q.Cursor != "" {
		cond, args = cond+" AND ticket_id > ?", append(args, q.Cursor)
	}
	last := ""
	err = tx.List(func(r db.Row) error {
		var l Listed
		var id string
		err := r.Scan(&id, &l.Number, &l.Domain, &l.At)
		if len(page) == q.Limit {
			next = last
			return err
		}
		if q.Measure == mAge {
			l.Amount = max(tx.Real-l.At, 0)
		}
		page, last = append(page, l), id
		return err
	}, "SELECT ticket_id, number, domain_id, created_at FROM desk_tickets WHERE "+openRows+cond+" ORDER BY ticket_id LIMIT ?", append(args, q.Limit+1)...)
	return page, next, err
}

// Own are a customer's own figures, for his main account: created and finished
// tickets, first answers and ratings, by day, week or month of his zone.
// OSM.01010011 for callers who are no customers, .02 for sub-users.
func (s *Service) Own(ctx context.Context, who principal.Principal, q Query) (Report, error) {
	if who.Kind != principal.Customer {
		return Report{}, fault.NoPermission
	}
	if !who.Main {
		return Report{}, errMain
	}
	if !slices.Contains(own, q.Name) {
		return Report{}, ErrName.With("name", q.Name)
	}
	if who.Sandbox {
		return Report{}, errSandbox
	}
	q.By, q.Filter = "", nil
	return s.figures(ctx, who, q)
}

// own are the reports customers have.
var own = []string{"flow", "first_answer", "scores"}

var (
	errMain    = fault.New(fault.Forbidden, fault.CodeNoPermission, "仅主账号可查看报表", "figures are for the main account")
	errSandbox = fault.New(fault.Conflict, fault.CodeNoPermission, "沙箱账号不计入报表", "a sandbox has no figures")
)
