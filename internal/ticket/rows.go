package ticket

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// RowFilter says which tickets a queue or a view of the desk holds, as data. All
// that is given must hold; of a list one entry must. In a list of ids Nobody
// means "without". Its names in YAML are those on the wire. A sandbox's tickets and deleted ones are in none.
type RowFilter struct {
	Statuses     []Status    `json:"statuses,omitempty" yaml:"statuses,omitempty"`
	Severities   []string    `json:"severities,omitempty" yaml:"severities,omitempty"`
	Plans        []string    `json:"plans,omitempty" yaml:"plans,omitempty"` // support plans as of the ticket's creation
	Products     []string    `json:"products,omitempty" yaml:"product_category_ids,omitempty"`
	SubTypes     []string    `json:"sub_types,omitempty" yaml:"business_type_categories,omitempty"`
	ProblemTypes []string    `json:"problem_types,omitempty" yaml:"business_type_ids,omitempty"`
	Regions      []string    `json:"regions,omitempty" yaml:"region_ids,omitempty"`
	Languages    []string    `json:"languages,omitempty" yaml:"languages,omitempty"` // of the customer's notices
	Domains      []string    `json:"domains,omitempty" yaml:"domain_ids,omitempty"`
	Owners       []Ownership `json:"owners,omitempty" yaml:"owners,omitempty"`
	Partners     []string    `json:"partners,omitempty" yaml:"partner_ids,omitempty"` // whose business it is now
	Teams        []string    `json:"teams,omitempty" yaml:"team_ids,omitempty"`
	Assignee     string      `json:"assignee,omitempty" yaml:"assignee,omitempty"`            // user id, Me or Nobody
	Older        int         `json:"older,omitempty" yaml:"older_than_minutes,omitempty"`     // created at least so many minutes ago
	Younger      int         `json:"younger,omitempty" yaml:"younger_than_minutes,omitempty"` // created less than so many minutes ago
	Unchanged    int         `json:"unchanged,omitempty" yaml:"unchanged_minutes,omitempty"`
	Urged        *bool       `json:"urged,omitempty" yaml:"urged,omitempty"`
	Tags         []string    `json:"tags,omitempty" yaml:"tags,omitempty"`                     // engineers' own; a partner's people find nothing by them
	DueWithin    int         `json:"due_within,omitempty" yaml:"due_within_minutes,omitempty"` // the nearest running target is due within so many minutes, or is missed
	Snoozed      string      `json:"snoozed,omitempty" yaml:"snoozed,omitempty"`               // SnoozedNot, "" = the same; SnoozedOnly, SnoozedAll
}

// Me as a filter's assignee is whoever asks.
const Me = "me"

// Limits of a filter.
const (
	maxFilterItems   = 50
	maxFilterMinutes = 366 * 24 * 60
	maxFilterID      = 64
)

// Sort is an order of rows.
type Sort string

// The orders. Equal rows stand by age.
const (
	SortNewest   Sort = "newest"
	SortOldest   Sort = "oldest"
	SortSeverity Sort = "severity" // highest first, then the oldest
	SortChanged  Sort = "changed"  // last changed first
)

// Sorts are all of them.
var Sorts = []Sort{SortNewest, SortOldest, SortSeverity, SortChanged, SortDue}

// openRows is the condition of the index of open tickets, word by word.
const openRows = "status IN (0, 1, 2, 5, 17) AND sandbox = 0"

// idList is a list of ids of a filter.
type idList struct {
	name, column string
	ids          []string
	known        func(c *catalog.Catalog, id string) bool // nil = not the catalogue's
}

func (f RowFilter) lists() []idList {
	return []idList{
		{"severities", "severity", f.Severities, func(c *catalog.Catalog, id string) bool { _, ok := c.Severity(id); return ok }},
		{"plans", "plan", f.Plans, func(c *catalog.Catalog, id string) bool { _, ok := c.Plan(id); return ok }},
		{"product_category_ids", "product", f.Products, func(c *catalog.Catalog, id string) bool { _, ok := c.Product(id); return ok }},
		{"business_type_categories", "sub_type", f.SubTypes, func(c *catalog.Catalog, id string) bool { _, ok := c.SubType(id); return ok }},
		{"business_type_ids", "problem_type", f.ProblemTypes, func(c *catalog.Catalog, id string) bool { _, ok := c.EverProblemType(id); return ok }},
		{"region_ids", "region", f.Regions, func(c *catalog.Catalog, id string) bool { r, ok := c.Region(id); return ok && !r.Sensitive }},
		{"languages", "language", f.Languages, func(_ *catalog.Catalog, id string) bool { return id == string(locale.ZH) || id == string(locale.EN) }},
		{"domain_ids", "domain_id", f.Domains, nil},
		{"team_ids", "team", f.Teams, nil},
	}
}

// Check refuses what is no filter: OSM.01010001 naming the part, e.g.
// filter.region_ids. Ids are held against the catalogue in force; those of
// domains, partners, teams and people are not looked up: who is gone matches
// nothing.
func (f RowFilter) Check(c *catalog.Catalog) error {
	if len(f.Statuses) > len(Statuses) {
		return fault.TooManyItems.In("filter.statuses").With("max", len(Statuses))
	}
	for _, s := range f.Statuses {
		if !slices.Contains(Statuses, s) {
			return fault.OneOf("filter.statuses", strings.Fields(strings.Trim(fmt.Sprintf("%d", Statuses), "[]"))...)
		}
	}
	for _, o := range f.Owners {
		if o < HouseBusiness || o > ISVBusiness {
			return fault.Unknown.In("filter.owners")
		}
	}
	for _, l := range append(f.lists(), idList{name: "partner_ids", ids: f.Partners}) {
		if len(l.ids) > maxFilterItems {
			return fault.TooManyItems.In("filter."+l.name).With("max", maxFilterItems)
		}
		for _, id := range l.ids {
			if id == "" || len(id) > maxFilterID || id != Nobody && l.known != nil && !l.known(c, id) {
				return fault.Unknown.In("filter." + l.name)
			}
		}
	}
	if len(f.Tags) > maxFilterItems {
		return fault.TooManyItems.In("filter.tags").With("max", maxFilterItems)
	}
	for _, t := range f.Tags {
		if _, err := CheckTags([]string{t}); err != nil {
			f, _ := fault.As(err)
			return f.In("filter.tags")
		}
	}
	if f.Snoozed != "" && f.Snoozed != SnoozedNot && f.Snoozed != SnoozedOnly && f.Snoozed != SnoozedAll {
		return fault.OneOf("filter.snoozed", SnoozedNot, SnoozedOnly, SnoozedAll)
	}
	if len(f.Assignee) > maxFilterID {
		return fault.TooLong.In("filter.assignee").With("max", maxFilterID)
	}
	for name, minutes := range map[string]int{"older_than_minutes": f.Older, "younger_than_minutes": f.Younger, "unchanged_minutes": f.Unchanged, "due_within_minutes": f.DueWithin} {
		if minutes < 0 || minutes > maxFilterMinutes {
			return fault.OutOfRange.In("filter."+name).With("min", 0).With("max", maxFilterMinutes)
		}
	}
	return nil
}

// Timed tells whether tickets come and go by time alone.
func (f RowFilter) Timed() bool {
	return f.Older > 0 || f.Younger > 0 || f.Unchanged > 0 || f.DueWithin > 0
}

// open tells whether only open tickets match.
func (f RowFilter) open() bool {
	return len(f.Statuses) > 0 && !slices.ContainsFunc(f.Statuses, func(s Status) bool { return !s.Open() })
}

const minute = 60 * 1000

// where is the filter as the caller may see it.
func (f RowFilter) where(who principal.Principal, now int64) (w where) {
	if f.open() {
		w.and(openRows)
	} else {
		w.and("sandbox = 0 AND status <> 13")
	}
	if len(f.Statuses) > 0 {
		var marks []string
		for _, s := range f.Statuses {
			marks = append(marks, strconv.Itoa(int(s)))
		}
		w.and("status IN (" + strings.Join(marks, ", ") + ")")
	}
	for _, l := range f.lists() {
		if len(l.ids) > 0 {
			args := anys(l.ids)
			for i := range args {
				if args[i] == Nobody {
					args[i] = ""
				}
			}
			w.and(l.column+" IN (?"+strings.Repeat(", ?", len(args)-1)+")", args...)
		}
	}
	if len(f.Owners) > 0 {
		var marks []string
		for _, o := range f.Owners {
			marks = append(marks, strconv.Itoa(int(o)))
		}
		w.and("ownership IN (" + strings.Join(marks, ", ") + ")")
	}
	if len(f.Partners) > 0 {
		in := "IN (?" + strings.Repeat(", ?", len(f.Partners)-1) + ")"
		w.and(`(ownership = 1 AND domain_id IN (`+identity.ServedDomains+in+`)
			OR ownership = 2 AND isv_product IN (SELECT ref_id FROM partner_services WHERE partner_id `+in+` AND kind = 'product'))`, append(anys(f.Partners), anys(f.Partners)...)...)
	}
	switch f.Assignee {
	case "":
	case Nobody:
		w.and("assignee = ''")
	case Me:
		w.and("assignee = ? AND assignee <> ''", writer(who))
	default:
		w.and("assignee = ?", f.Assignee)
	}
	if f.Older > 0 {
		w.and("created_at <= ?", now-int64(f.Older)*minute)
	}
	if f.Younger > 0 {
		w.and("created_at > ?", now-int64(f.Younger)*minute)
	}
	if f.Unchanged > 0 {
		w.and("changed_at <= ?", now-int64(f.Unchanged)*minute)
	}
	if f.Urged != nil && *f.Urged {
		w.and("urges > 0")
	} else if f.Urged != nil {
		w.and("urges = 0")
	}
	if f.DueWithin > 0 {
		w.and("due_at > 0 AND due_at <= ?", now+int64(f.DueWithin)*minute)
	}
	switch f.Snoozed {
	case SnoozedOnly:
		w.and("snoozed <> 0")
	case SnoozedAll:
	default:
		w.and("snoozed = 0")
	}
	switch {
	case len(f.Tags) == 0:
	case who.Partner != "":
		w.and("1 = 0")
	default:
		w.tags(f.Tags)
	}
	w.onlyTheirs(who)
	return w
}

// tags leaves the rows with one of the tags; Nobody means without any.
func (w *where) tags(tags []string) {
	of := "EXISTS (SELECT 1 FROM ticket_tags AS g WHERE g.domain_id = desk_tickets.domain_id AND g.ticket_id = desk_tickets.ticket_id"
	var parts []string
	var keys []any
	for _, t := range tags {
		if t == Nobody {
			parts = append(parts, "NOT "+of+")")
		} else {
			keys = append(keys, foldLabel(t))
		}
	}
	if len(keys) > 0 {
		parts = append(parts, of+" AND g.tag_key IN ("+questions(len(keys))+"))")
	}
	w.and("("+strings.Join(parts, " OR ")+")", keys...)
}

// Row is a ticket as the desk's table has it.
type Row struct {
	Domain, ID, Number, Severity, Plan, Product, SubType, ProblemType, Region, Language, Assignee, Team string
	Status                                                                                              Status
	Ownership                                                                                           Ownership
	Urges                                                                                               int
	Created, Changed                                                                                    int64
	Due                                                                                                 int64  // of the nearest running target, 0 = none runs
	Tags                                                                                                string // folded, in order, with commas between
	Sandbox, Snoozed                                                                                    bool

	revision int64 // of a row as of an instant
}

// Matches tells whether a row of a ticket that is no sandbox's is within the
// filter, as the queries tell it; only partners are not looked at.
func (f RowFilter) Matches(r Row, user string, now int64) bool {
	if r.Status == Deleted || len(f.Statuses) > 0 && !slices.Contains(f.Statuses, r.Status) || len(f.Owners) > 0 && !slices.Contains(f.Owners, r.Ownership) {
		return false
	}
	values := map[string]string{"severity": r.Severity, "plan": r.Plan, "product": r.Product, "sub_type": r.SubType, "problem_type": r.ProblemType, "region": r.Region,
		"language": r.Language, "domain_id": r.Domain, "team": r.Team}
	for _, l := range f.lists() {
		v := values[l.column]
		if v == "" {
			v = Nobody
		}
		if len(l.ids) > 0 && !slices.Contains(l.ids, v) {
			return false
		}
	}
	switch f.Assignee {
	case "":
	case Nobody:
		if r.Assignee != "" {
			return false
		}
	case Me:
		if r.Assignee == "" || r.Assignee != user {
			return false
		}
	default:
		if r.Assignee != f.Assignee {
			return false
		}
	}
	switch {
	case f.Older > 0 && r.Created > now-int64(f.Older)*minute,
		f.Younger > 0 && r.Created <= now-int64(f.Younger)*minute,
		f.Unchanged > 0 && r.Changed > now-int64(f.Unchanged)*minute,
		f.Urged != nil && *f.Urged != (r.Urges > 0),
		f.DueWithin > 0 && (r.Due == 0 || r.Due > now+int64(f.DueWithin)*minute),
		f.Snoozed == SnoozedOnly && !r.Snoozed,
		f.Snoozed != SnoozedOnly && f.Snoozed != SnoozedAll && r.Snoozed:
		return false
	}
	has := strings.Split(r.Tags, ",")
	return len(f.Tags) == 0 || slices.ContainsFunc(f.Tags, func(t string) bool {
		return t == Nobody && r.Tags == "" || t != Nobody && slices.Contains(has, foldLabel(t))
	})
}

const rowColumns = "domain_id, ticket_id, number, severity, plan, product, sub_type, problem_type, region, language, assignee, team, status, ownership, urges, created_at, changed_at, sandbox, due_at, snoozed, " +
	"coalesce((SELECT string_agg(g.tag_key, ',' ORDER BY g.tag_key) FROM ticket_tags AS g WHERE g.domain_id = desk_tickets.domain_id AND g.ticket_id = desk_tickets.ticket_id), '')"

func scanRow(r db.Row) (t Row, err error) {
	var status, ownership, urges, sandbox, snoozed int64
	err = r.Scan(&t.Domain, &t.ID, &t.Number, &t.Severity, &t.Plan, &t.Product, &t.SubType, &t.ProblemType, &t.Region, &t.Language, &t.Assignee, &t.Team,
		&status, &ownership, &urges, &t.Created, &t.Changed, &sandbox, &t.Due, &snoozed, &t.Tags)
	t.Status, t.Ownership, t.Urges, t.Sandbox = Status(status), Ownership(ownership), int(urges), sandbox == 1
	t.Snoozed = snoozed != 0
	return t, err
}

// rank is the place of a row's severity as SQL, 0 the highest; without one it
// stands behind all.
func rank(c *catalog.Catalog) (sql string, args []any) {
	var b strings.Builder
	b.WriteString("CASE severity")
	for i, s := range c.Severities() {
		fmt.Fprintf(&b, " WHEN ? THEN %d", i)
		args = append(args, s.ID)
	}
	if len(args) == 0 {
		return "0", nil
	}
	fmt.Fprintf(&b, " ELSE %d END", len(args))
	return b.String(), args
}

// rankOf is the same of one row.
func rankOf(c *catalog.Catalog, severity string) int {
	all := c.Severities()
	if i := slices.IndexFunc(all, func(s catalog.Severity) bool { return s.ID == severity }); i >= 0 {
		return i
	}
	return len(all)
}

// A cursor is the sort's value, but where it is the id itself, and the id of the
// last row.
var rowCursor = regexp.MustCompile(`^(?:(\d{1,15})\.)?([0-9a-z]{1,32})$`)

// RowsIn is a page of the rows the caller may see, in order, and the cursor of
// the next ("" at the end). It fails with OSM.01010001 for a cursor that is none.
func (s *Service) RowsIn(tx *db.Tx, who principal.Principal, f RowFilter, sort Sort, after string, limit int) (page []Row, cursor string, err error) {
	return s.rowsOf(tx, f.where(who, tx.Now), sort, after, limit)
}

func (s *Service) rowsOf(tx *db.Tx, w where, sort Sort, after string, limit int) (page []Row, cursor string, err error) {
	c := s.catalog.Now()
	m := rowCursor.FindStringSubmatch(after)
	value := int64(0)
	if after != "" {
		if m == nil || (m[1] == "") != (sort == SortNewest || sort == SortOldest) {
			return nil, "", fault.Unknown.In("cursor")
		}
		if m[1] != "" {
			if value, err = strconv.ParseInt(m[1], 10, 64); err != nil {
				return nil, "", fault.Unknown.In("cursor")
			}
		}
	}
	var order string
	var orderArgs []any
	switch sort {
	case SortOldest:
		if order = "ticket_id"; m != nil {
			w.and("ticket_id > ?", m[2])
		}
	case SortSeverity:
		by, args := rank(c)
		if order, orderArgs = by+", ticket_id", args; m != nil {
			w.and("("+by+" > ? OR "+by+" = ? AND ticket_id > ?)", slices.Concat(args, []any{value}, args, []any{value, m[2]})...)
		}
	case SortDue:
		if order = byDue + ", ticket_id"; m != nil {
			if value == 0 {
				value = math.MaxInt64 // no target runs: behind all
			}
			w.and("("+byDue+", ticket_id) > (?, ?)", value, m[2])
		}
	case SortChanged:
		if order = "changed_at DESC, ticket_id DESC"; m != nil {
			w.and("(changed_at, ticket_id) < (?, ?)", value, m[2])
		}
	default:
		if order = "ticket_id DESC"; m != nil {
			w.and("ticket_id < ?", m[2])
		}
	}
	err = tx.List(func(r db.Row) error {
		t, err := scanRow(r)
		page = append(page, t)
		return err
	}, "SELECT "+rowColumns+" FROM desk_tickets WHERE "+strings.Join(w.cond, " AND ")+" ORDER BY "+order+" LIMIT ?", slices.Concat(w.args, orderArgs, []any{limit + 1})...)
	if err != nil || len(page) <= limit {
		return page, "", err
	}
	page = page[:limit]
	return page, cursorOf(c, sort, page[limit-1]), nil
}

// cursorOf is the cursor behind a row.
func cursorOf(c *catalog.Catalog, sort Sort, last Row) string {
	switch sort {
	case SortSeverity:
		return fmt.Sprint(rankOf(c, last.Severity), ".", last.ID)
	case SortDue:
		return fmt.Sprint(last.Due, ".", last.ID)
	case SortChanged:
		return fmt.Sprint(last.Changed, ".", last.ID)
	}
	return last.ID
}

// MaxCount is how far rows are counted.
const MaxCount = 10000

// CountRows counts what the caller may see of each filter in one snapshot,
// exactly up to MaxCount; MaxCount+1 means more. It reads rows: never call it
// inside an Update.
func CountRows(tx *db.Tx, who principal.Principal, filters []RowFilter) ([]int, error) {
	counts := make([]int, len(filters))
	if len(filters) == 0 {
		return counts, nil
	}
	var parts []string
	var args []any
	for i, f := range filters {
		w := f.where(who, tx.Now)
		parts = append(parts, fmt.Sprintf("SELECT %d AS place, count(*) AS n FROM (SELECT 1 FROM desk_tickets WHERE %s LIMIT %d) AS c%d", i, strings.Join(w.cond, " AND "), MaxCount+1, i))
		args = append(args, w.args...)
	}
	err := tx.List(func(r db.Row) error {
		var i, n int
		if err := r.Scan(&i, &n); err != nil {
			return err
		}
		counts[i] = n
		return nil
	}, strings.Join(parts, " UNION ALL "), args...)
	return counts, err
}

// RowPage is a page of tickets the caller may see, how many there are in all (as
// of CountRows) and the cursor of the next page. Failures: OSM.01010001 for the cursor, .02 for
// callers who may not see the desk's lists.
func (s *Service) RowPage(ctx context.Context, who principal.Principal, f RowFilter, sort Sort, after string, limit int) (page []DeskTicket, rows []Row, total int, cursor string, err error) {
	if err := maySee(who); err != nil {
		return nil, nil, 0, "", err
	}
	err = s.db.Survey(ctx, func(tx *db.Tx) error {
		counts, err := CountRows(tx, who, []RowFilter{f})
		if err != nil {
			return err
		}
		total = counts[0]
		if rows, cursor, err = s.RowsIn(tx, who, f, sort, after, limit); err != nil {
			return err
		}
		keys := make([][2]string, len(rows))
		for i, r := range rows {
			keys[i] = [2]string{r.Domain, r.ID}
		}
		page, err = s.deskIn(tx, keys...)
		return err
	})
	if err != nil {
		return nil, nil, 0, "", err
	}
	return page, rows, total, cursor, s.deskNames(ctx, page)
}
