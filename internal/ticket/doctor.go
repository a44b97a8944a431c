package ticket

import (
	"context"
	"fmt"

	"casemate/internal/db"
	"casemate/internal/search"
)

// Finding is a place where what is derived is not what the tables give.
type Finding struct {
	What   string // counter, label, row, index
	Domain string
	Name   string // of what: creator and state, ticket, document
	Have   string
	Want   string
}

func (d Finding) String() string {
	return fmt.Sprintf("%s %s of %s: have %s, want %s", d.What, d.Name, d.Domain, d.Have, d.Want)
}

// Doctor proves that counters, labels' rows, the desk's rows and the search
// index are equal to the tables, and tells where they are not. fix mends what
// it finds; a second call finds nothing then. It reads everything. Nobody should
// work meanwhile when it mends.
func (s *Service) Doctor(ctx context.Context, fix bool) (all []Finding, err error) {
	for _, look := range []func(context.Context, bool) ([]Finding, error){s.doctorCounts, s.doctorLabels, s.doctorRows, s.doctorIndex} {
		found, err := look(ctx, fix)
		all = append(all, found...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// doctorCounts holds the counters of creators and of whole domains, folded or
// not, against the tickets.
func (s *Service) doctorCounts(ctx context.Context, fix bool) (all []Finding, err error) {
	look := func(tx *db.Tx) error {
		all = nil
		type wrong struct {
			domain, creator string
			status, n, have int64
		}
		var found []wrong
		err := tx.List(func(r db.Row) error {
			var w wrong
			err := r.Scan(&w.domain, &w.creator, &w.status, &w.n, &w.have)
			found = append(found, w)
			return err
		}, `SELECT x.domain_id, x.creator, x.status, CAST(sum(x.n) AS BIGINT), CAST(sum(x.have) AS BIGINT) FROM (
			SELECT domain_id, creator, status, 1 AS n, 0 AS have FROM tickets
			UNION ALL SELECT domain_id, '', status, 1, 0 FROM tickets
			UNION ALL SELECT domain_id, creator, status, -n, n FROM ticket_counts
			UNION ALL SELECT domain_id, creator, status, -n, n FROM ticket_deltas
			UNION ALL SELECT domain_id, '', status, -n, n FROM ticket_deltas) AS x /* all domains: proof of the counters */
			GROUP BY x.domain_id, x.creator, x.status HAVING sum(x.n) <> 0 ORDER BY 1, 2, 3`)
		for _, w := range found {
			name := fmt.Sprintf("of %s in state %d", w.creator, w.status)
			if w.creator == "" {
				name = fmt.Sprintf("of the whole customer in state %d", w.status)
			}
			all = append(all, Finding{What: "counter", Domain: w.domain, Name: name, Have: fmt.Sprint(w.have), Want: fmt.Sprint(w.have + w.n)})
			if fix {
				tx.Write(1, `INSERT INTO ticket_counts (domain_id, creator, status, n) VALUES (?, ?, ?, ?)
					ON CONFLICT (domain_id, creator, status) DO UPDATE SET n = ticket_counts.n + excluded.n`, w.domain, w.creator, w.status, w.n)
			}
		}
		return err
	}
	err = s.looking(ctx, fix, look)
	return all, err
}

// looking runs a look in a transaction that may write only when it mends.
func (s *Service) looking(ctx context.Context, fix bool, look func(tx *db.Tx) error) error {
	if fix {
		return s.db.Update(ctx, look)
	}
	return s.db.View(ctx, look)
}

// doctorLabels holds the copies of state and creator in labels' rows against
// the tickets.
func (s *Service) doctorLabels(ctx context.Context, fix bool) (all []Finding, err error) {
	err = s.looking(ctx, fix, func(tx *db.Tx) error {
		all = nil
		err := tx.List(func(r db.Row) error {
			d := Finding{What: "label"}
			var have, want int64
			err := r.Scan(&d.Domain, &d.Name, &have, &want)
			d.Have, d.Want = fmt.Sprint("state ", have), fmt.Sprint("state ", want)
			if want < 0 {
				d.Want = "no row"
			}
			all = append(all, d)
			return err
		}, `SELECT l.domain_id, l.ticket_id, l.status, coalesce(t.status, -1) FROM ticket_labels AS l LEFT JOIN tickets AS t ON t.domain_id = l.domain_id AND t.id = l.ticket_id
			WHERE t.id IS NULL OR t.status <> l.status OR t.creator <> l.creator /* all domains: proof of the labels' rows */ ORDER BY 1, 2`)
		if fix && len(all) > 0 {
			tx.Write(db.Any, `DELETE FROM ticket_labels /* all domains: mending */ WHERE NOT EXISTS (SELECT 1 FROM tickets AS t WHERE t.domain_id = ticket_labels.domain_id AND t.id = ticket_labels.ticket_id)`)
			tx.Write(db.Any, `UPDATE ticket_labels /* all domains: mending */ SET (status, creator) = (SELECT t.status, t.creator FROM tickets AS t WHERE t.domain_id = ticket_labels.domain_id AND t.id = ticket_labels.ticket_id)
				WHERE EXISTS (SELECT 1 FROM tickets AS t WHERE t.domain_id = ticket_labels.domain_id AND t.id = ticket_labels.ticket_id AND (t.status <> ticket_labels.status OR t.creator <> ticket_labels.creator))`)
		}
		return err
	})
	return all, err
}

// doctorRows holds what changes in the desk's rows against the tickets. A row
// that is missing is told and not made: what it holds beyond the ticket's is
// not known.
func (s *Service) doctorRows(ctx context.Context, fix bool) (all []Finding, err error) {
	err = s.looking(ctx, fix, func(tx *db.Tx) error {
		all = nil
		err := tx.List(func(r db.Row) error {
			d := Finding{What: "row"}
			var missing int64
			err := r.Scan(&d.Domain, &d.Name, &d.Have, &d.Want, &missing)
			if missing == 1 {
				d.Have = "no row"
			}
			all = append(all, d)
			return err
		}, `SELECT t.domain_id, t.number, coalesce('state ' || d.status || ', handler ' || d.assignee, ''), 'state ' || t.status || ', handler ' || t.assignee, CASE WHEN d.ticket_id IS NULL THEN 1 ELSE 0 END
			FROM tickets AS t LEFT JOIN desk_tickets AS d ON d.ticket_id = t.id
			WHERE d.ticket_id IS NULL OR d.domain_id <> t.domain_id OR d.status <> t.status OR d.assignee <> t.assignee OR d.urges <> t.urges OR d.changed_at <> t.changed_at OR d.ownership <> t.ownership OR d.severity <> t.severity
			/* all domains: proof of the desk's rows */ ORDER BY 1, 2`)
		if fix && len(all) > 0 {
			tx.Write(db.Any, `UPDATE desk_tickets SET (status, assignee, urges, changed_at, ownership, severity) = (SELECT t.status, t.assignee, t.urges, t.changed_at, t.ownership, t.severity FROM tickets AS t WHERE t.domain_id = desk_tickets.domain_id AND t.id = desk_tickets.ticket_id)
				WHERE EXISTS (SELECT 1 FROM tickets AS t WHERE t.domain_id = desk_tickets.domain_id AND t.id = desk_tickets.ticket_id)`)
		}
		return err
	})
	return all, err
}

// doctorIndex makes every document anew and holds it against the index. While
// the index is still being built after an upgrade it has nothing to say.
func (s *Service) doctorIndex(ctx context.Context, fix bool) (all []Finding, err error) {
	const batch = 200
	check, err := search.NewCheck(ctx, s.db)
	if err != nil {
		return nil, err
	}
	for _, source := range s.searchSources() {
		for at := ([2]string{}); ; {
			docs, next, err := source.read(ctx, at, batch)
			if err != nil {
				return all, err
			}
			wrong, err := check.Hold(ctx, docs)
			if err != nil {
				return all, err
			}
			for _, d := range wrong {
				all = append(all, Finding{What: "index", Domain: d.Domain, Name: d.Kind + " " + d.ID, Have: "another or none", Want: "as the table gives it"})
			}
			if fix && len(wrong) > 0 {
				err = s.db.Update(ctx, func(tx *db.Tx) error { search.Put(tx, false, wrong...); return nil })
				if err != nil {
					return all, err
				}
			}
			if next == at {
				break
			}
			at = next
		}
	}
	left, loose, err := check.End(ctx, fix)
	for _, k := range left {
		all = append(all, Finding{What: "index", Domain: k.Domain, Name: k.ID, Have: "a document", Want: "none"})
	}
	if loose > 0 {
		all = append(all, Finding{What: "index", Name: "terms", Have: fmt.Sprint(loose, " rows of no document"), Want: "none"})
	}
	if err != nil || !fix {
		return all, err
	}
	// Everything was made anew: nothing is left for the background.
	return all, s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "UPDATE search_tasks SET done = total, finished_at = ? WHERE finished_at = 0", max(tx.Now, 1))
		return nil
	})
}
