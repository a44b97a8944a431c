package ticket

import (
	"context"
	"time"

	"casemate/internal/db"
	"casemate/internal/job"
	"casemate/internal/principal"
	"casemate/internal/privilege"
)

// count notes that a creator has so many more (or fewer) tickets in a state.
func count(tx *db.Tx, domain, creator string, status Status, n int) {
	tx.Write(1, "INSERT INTO ticket_deltas (domain_id, id, creator, status, n) VALUES (?, ?, ?, ?, ?)", domain, tx.NewID(), creator, int(status), n)
}

// foldBatch bounds one transaction of the fold, foldEvery how much a reader
// has to add up.
const (
	foldBatch = 1000
	foldEvery = time.Second
)

// Fold adds what was appended to the counters, over all domains, until nothing
// is left. Readers see the same sums before and after.
func (s *Service) Fold(ctx context.Context) error {
	type key struct {
		domain, creator string
		status          int64
	}
	for n := foldBatch; n == foldBatch; {
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			n = 0
			sums := map[key]int64{}
			err := tx.List(func(r db.Row) error {
				var k key
				var d int64
				if err := r.Scan(&k.domain, &k.creator, &k.status, &d); err != nil {
					return err
				}
				n++
				sums[k] += d
				sums[key{k.domain, "", k.status}] += d
				return nil
			}, `DELETE FROM ticket_deltas /* all domains: folding counters */ WHERE (domain_id, id) IN
				(SELECT d.domain_id, d.id FROM ticket_deltas AS d ORDER BY d.domain_id, d.id LIMIT ?) RETURNING domain_id, creator, status, n`, foldBatch)
			if err != nil {
				return err
			}
			for k, d := range sums {
				if d != 0 {
					tx.Write(1, `INSERT INTO ticket_counts (domain_id, creator, status, n) VALUES (?, ?, ?, ?)
						ON CONFLICT (domain_id, creator, status) DO UPDATE SET n = ticket_counts.n + excluded.n`, k.domain, k.creator, k.status, d)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// counted is how many tickets of one creator ("" = of the whole domain) are in
// each state: the folded counters and what is not folded yet.
func counted(tx *db.Tx, domain, creator string) (map[Status]int, error) {
	out := map[Status]int{}
	add := func(r db.Row) error {
		var status, n int64
		err := r.Scan(&status, &n)
		out[Status(status)] += int(n)
		return err
	}
	if err := tx.List(add, "SELECT status, n FROM ticket_counts WHERE domain_id = ? AND creator = ?", domain, creator); err != nil {
		return nil, err
	}
	if creator == "" {
		return out, tx.List(add, "SELECT status, sum(n) FROM ticket_deltas WHERE domain_id = ? GROUP BY status", domain)
	}
	return out, tx.List(add, "SELECT status, sum(n) FROM ticket_deltas WHERE domain_id = ? AND creator = ? GROUP BY status", domain, creator)
}

// ofScope sums the counters over a scope of one creator or the whole domain;
// ok is false for other scopes.
func ofScope(tx *db.Tx, scope privilege.Scope) (counts map[Status]int, ok bool, err error) {
	switch {
	case scope.All:
		counts, err = counted(tx, scope.Domain, "")
	case len(scope.Users) == 1:
		counts, err = counted(tx, scope.Domain, scope.Users[0])
	default:
		return nil, false, nil
	}
	return counts, true, err
}

// Counts is how many of the caller's tickets are in each state; the main
// account counts its whole domain. Deleted tickets do not count.
func (s *Service) Counts(ctx context.Context, who principal.Principal) (counts map[Status]int, err error) {
	err = s.db.Survey(ctx, func(tx *db.Tx) error {
		scope, err := privilege.ScopeOf(tx, who, "")
		if err != nil {
			return err
		}
		counts, _, err = ofScope(tx, scope)
		return err
	})
	delete(counts, Deleted)
	return counts, err
}

// Recount tells, of every domain, where counters and tickets differ, or where a
// label's row differs from its ticket; nothing when all is well.
func (s *Service) Recount(ctx context.Context) (differ []string, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		return tx.List(func(r db.Row) error {
			var domain string
			err := r.Scan(&domain)
			differ = append(differ, domain)
			return err
		}, `SELECT x.domain_id FROM (
			SELECT domain_id, creator, status, 1 AS n FROM tickets
			UNION ALL SELECT domain_id, creator, status, -n FROM ticket_counts WHERE creator <> ''
			UNION ALL SELECT domain_id, creator, status, -n FROM ticket_deltas) AS x /* all domains: proof of the counters */
			GROUP BY x.domain_id, x.creator, x.status HAVING sum(x.n) <> 0
			UNION ALL SELECT l.domain_id FROM ticket_labels AS l LEFT JOIN tickets AS t ON t.domain_id = l.domain_id AND t.id = l.ticket_id
				WHERE t.id IS NULL OR t.status <> l.status OR t.creator <> l.creator ORDER BY 1`)
	})
	return differ, err
}

// Periodic is the housekeeping, for the runner.
func (s *Service) Periodic() []job.Periodic {
	return []job.Periodic{
		{Name: "ticket counters", Every: foldEvery, Run: s.Fold},
		{Name: "notices to engineers", Every: time.Second, Run: s.Follow},
		{Name: "clocks of old tickets", Every: 10 * time.Minute, Run: s.Adopt},
		{Name: "poll cursors", Every: time.Hour, Run: s.PurgeCursors},
		{Name: "desk search index", Every: 10 * time.Second, Run: s.Reindex},
	}
}
