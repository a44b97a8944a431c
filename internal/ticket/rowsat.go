package ticket

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Faults of rows as of an instant.
var (
	errNotKept = fault.New(fault.Invalid, fault.CodeInvalid, "历史不保存 {field} 所需的信息，不能查询过去的时刻", "the history does not keep what {field} asks for, so there is no list as of an instant")
	errMany    = fault.New(fault.Conflict, fault.CodeInvalid, "该时刻之后变更过的工单超过 {max} 个，请指定更近的时刻", "more than {max} tickets have changed since: ask for a later instant").In("as_of")
)

// notKept names the first part of a filter that the history cannot answer.
func (f RowFilter) notKept() string {
	for _, p := range []struct {
		name string
		used bool
	}{{"partner_ids", len(f.Partners) > 0}, {"team_ids", len(f.Teams) > 0}, {"tags", len(f.Tags) > 0}, {"due_within_minutes", f.DueWithin > 0}, {"snoozed", f.Snoozed == SnoozedOnly}} {
		if p.used {
			return "filter." + p.name
		}
	}
	return ""
}

// RowPageAt is RowPage as of an instant (milliseconds UTC): the tickets that
// matched then, as they were. States, handlers, owners, severities, urges and
// when they had been changed last are worked out from the history; the rest of a
// filter is about what never changes in a ticket. Snoozed tickets are among them;
// those that were deleted since for supervisors and administrators only. The
// house's people only (OSM.01010002). Failures: OSM.01010001 for the cursor, an
// instant to come, the order due and a part of the filter that the history
// cannot answer, by name; more than 20,000 tickets that changed since.
func (s *Service) RowPageAt(ctx context.Context, who principal.Principal, f RowFilter, sort Sort, after string, limit int, at int64) (page []DeskTicket, total int, cursor string, err error) {
	if err := maySee(who); err != nil || who.Partner != "" {
		return nil, 0, "", fault.NoPermission
	}
	if part := f.notKept(); part != "" {
		return nil, 0, "", errNotKept.In(part)
	}
	if sort == SortDue {
		return nil, 0, "", errNotKept.In("sort")
	}
	f.Snoozed = SnoozedAll
	c := s.catalog.Now()
	err = s.db.Survey(ctx, func(tx *db.Tx) error {
		if at > tx.Now {
			return errFuture
		}
		old := f.where(who, at) // those that stand as they stood
		old.and("created_at <= ? AND changed_at <= ?", at, at)
		count := "SELECT count(*) FROM (SELECT 1 FROM desk_tickets WHERE " + strings.Join(old.cond, " AND ") + " LIMIT " + strconv.Itoa(MaxCount+1) + ") AS c"
		if err := tx.Get(count, old.args...).Scan(&total); err != nil {
			return err
		}
		rows, _, err := s.rowsOf(tx, old.clone(), sort, after, limit+1)
		if err != nil {
			return err
		}
		then, err := rowsSince(tx, who, f, at)
		if err != nil {
			return err
		}
		total += len(then)
		order := rowOrder(c, sort)
		was := map[string]Row{}
		for _, r := range then {
			if was[r.ID] = r; after == "" || order(r, rowAfter(after)) > 0 {
				rows = append(rows, r)
			}
		}
		slices.SortFunc(rows, func(a, b Row) int { return order(a, rowPlaceOf(c, sort, b)) })
		if cursor = ""; len(rows) > limit {
			rows = rows[:limit]
			cursor = cursorOf(c, sort, rows[limit-1])
		}
		keys := make([][2]string, len(rows))
		for i, r := range rows {
			keys[i] = [2]string{r.Domain, r.ID}
		}
		if page, err = s.deskIn(tx, keys...); err != nil {
			return err
		}
		for i := range page {
			if r, ok := was[page[i].ID]; ok {
				p := &page[i].Ticket
				p.Status, p.Assignee, p.Ownership, p.Severity, p.Urges, p.Changed, p.Revision = r.Status, r.Assignee, r.Ownership, r.Severity, r.Urges, r.Changed, r.revision
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, "", err
	}
	return page, total, cursor, s.deskNames(ctx, page)
}

// rowsSince are the rows that matched then and have been changed since, as they
// were.
func rowsSince(tx *db.Tx, who principal.Principal, f RowFilter, at int64) (all []Row, err error) {
	fixed := f // what no event changes
	fixed.Statuses, fixed.Owners, fixed.Severities, fixed.Assignee, fixed.Urged, fixed.Unchanged = nil, nil, nil, "", nil, 0
	w := fixed.where(who, at)
	if who.Admin() || who.Is(principal.RoleSupervisor) {
		w.cond[0] = "sandbox = 0" // where it leaves the deleted ones out
	}
	w.and("created_at <= ? AND changed_at > ?", at, at)
	rows, keys := map[string]Row{}, [][2]string{}
	err = tx.List(func(r db.Row) error {
		t, err := scanRow(r)
		rows[t.ID] = t
		keys = append(keys, [2]string{t.Domain, t.ID})
		return err
	}, "SELECT "+rowColumns+" FROM desk_tickets WHERE "+strings.Join(w.cond, " AND ")+" ORDER BY ticket_id DESC LIMIT ?", append(w.args, maxBehind+1)...)
	if err != nil {
		return nil, err
	}
	if len(keys) > maxBehind {
		return nil, errMany.With("max", maxBehind)
	}
	for some := range slices.Chunk(keys, 500) {
		tickets, err := ticketsAt(tx, some, at)
		if err != nil {
			return nil, err
		}
		for _, t := range tickets {
			r := rows[t.ID]
			r.Status, r.Assignee, r.Ownership, r.Severity, r.Urges, r.Changed, r.revision = t.Status, t.Assignee, t.Ownership, t.Severity, t.Urges, t.Changed, t.Revision
			if f.Matches(r, writer(who), at) {
				all = append(all, r)
			}
		}
	}
	return all, nil
}

// rowPlace is where a row stands in an order: by value, then by id.
type rowPlace struct {
	value int64
	id    string
}

func rowPlaceOf(c *catalog.Catalog, sort Sort, r Row) rowPlace {
	switch sort {
	case SortSeverity:
		return rowPlace{int64(rankOf(c, r.Severity)), r.ID}
	case SortChanged:
		return rowPlace{r.Changed, r.ID}
	}
	return rowPlace{id: r.ID}
}

// rowAfter is the place a cursor tells, which rowsOf has found to be one.
func rowAfter(cursor string) rowPlace {
	m := rowCursor.FindStringSubmatch(cursor)
	value, _ := strconv.ParseInt(m[1], 10, 64) // "" in the orders by id
	return rowPlace{value, m[2]}
}

// rowOrder compares a row with a place in an order.
func rowOrder(c *catalog.Catalog, sort Sort) func(r Row, p rowPlace) int {
	return func(r Row, p rowPlace) int {
		own := rowPlaceOf(c, sort, r)
		by := cmp.Or(cmp.Compare(own.value, p.value), strings.Compare(own.id, p.id))
		if sort == SortNewest || sort == SortChanged || sort == "" {
			return -by
		}
		return by
	}
}
