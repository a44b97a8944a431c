package report

import (
	"cmp"
	"context"
	"fmt"

	"casemate/internal/db"
)

// Finding is a fact or a day that is not what the events give.
type Finding struct{ What, Domain, Name, Have, Want string }

// Check works out all facts anew from the events up to the cursor and all days
// that hold from the facts, and tells where what is stored is otherwise; fix
// mends it. It reads everything; nobody should work meanwhile when it mends.
func (s *Service) Check(ctx context.Context, fix bool) (all []Finding, err error) {
	after := ""
	for {
		more := false
		found, err := s.checkPage(ctx, &after, &more, fix)
		if all = append(all, found...); err != nil || !more {
			if err != nil {
				return all, err
			}
			break
		}
	}
	found, err := s.checkDays(ctx, fix)
	return append(all, found...), err
}

const checkMost = 200

func (s *Service) checkPage(ctx context.Context, after *string, more *bool, fix bool) (found []Finding, err error) {
	last := *after
	look := func(tx *db.Tx) error {
		if fix {
			lock(tx)
		}
		found, *more, last = nil, false, *after
		st, err := stateIn(tx)
		if err != nil {
			return err
		}
		var tickets []source
		err = tx.List(func(r db.Row) error {
			var k source
			err := r.Scan(&k[0], &k[1])
			tickets = append(tickets, k)
			last = k[1]
			return err
		}, "SELECT domain_id, ticket_id FROM desk_tickets WHERE ticket_id > ? AND sandbox = 0 ORDER BY ticket_id LIMIT ?", *after, checkMost)
		if err != nil {
			return err
		}
		*more = len(tickets) == checkMost
		want, err := s.work(tx, st.seq, tickets, nil, nil)
		if err != nil {
			return err
		}
		have, err := factsIn(tx, tickets)
		if err != nil {
			return err
		}
		gone, come := differ(have, want)
		for _, f := range gone {
			found = append(found, Finding{"fact", f.domain, f.number + " " + f.measure + " " + f.detail, f.text(), "none, or another"})
		}
		for _, f := range come {
			found = append(found, Finding{"fact", f.domain, f.number + " " + f.measure + " " + f.detail, "none, or another", f.text()})
		}
		if fix && len(gone)+len(come) > 0 {
			writeFacts(tx, gone, come)
			takeOut(tx, s.days(gone, come))
		}
		return nil
	}
	if fix {
		err = s.db.Update(ctx, look)
	} else {
		err = s.db.View(ctx, look)
	}
	*after = last
	return found, err
}

func (f fact) text() string {
	return fmt.Sprintf("at %d, %s, %d %s", f.at, cmp.Or(f.engineer, "nobody"), f.amount, f.verdict)
}

// checkDays holds the days against the facts; days that do not hold are built anew.
func (s *Service) checkDays(ctx context.Context, fix bool) (found []Finding, err error) {
	var days []Period
	err = s.db.View(ctx, func(tx *db.Tx) error {
		days = nil
		return tx.List(func(r db.Row) error {
			var p Period
			err := r.Scan(&p.Name, &p.From, &p.To)
			days = append(days, p)
			return err
		}, "SELECT day, from_at, to_at FROM report_built WHERE to_at > 0 ORDER BY day")
	})
	var wrong []string
	for _, p := range days {
		same := true
		err := s.db.View(ctx, func(tx *db.Tx) error {
			want, err := addUp(tx, p.From, p.To)
			if err != nil {
				return err
			}
			n := 0
			same = true
			err = tx.List(func(r db.Row) error {
				var k dayKey
				var c sum
				var amounts string
				err := r.Scan(&k.measure, &k.dim, &k.value, &k.detail, &c.n, &c.total, &c.met, &c.missed, &amounts)
				n++
				w := want[k]
				same = same && w != nil && w.n == c.n && w.total == c.total && w.met == c.met && w.missed == c.missed && w.text() == amounts
				return err
			}, "SELECT measure, dim, value, detail, n, total, met, missed, amounts FROM report_days WHERE day = ?", p.Name)
			same = same && n == len(want)
			return err
		})
		if err != nil {
			return found, err
		}
		if !same {
			wrong = append(wrong, p.Name)
			found = append(found, Finding{"figures of a day", "", p.Name, "other sums", "those of the facts"})
		}
	}
	if fix && len(wrong) > 0 {
		if err := s.db.Update(ctx, func(tx *db.Tx) error { takeOut(tx, wrong); return nil }); err != nil {
			return found, err
		}
		for more := true; more; {
			if more, err = s.build(ctx); err != nil {
				return found, err
			}
		}
	}
	return found, err
}
