package report

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// stateName is the follower's row; readMost how many events it reads at once.
const (
	stateName = "facts"
	readMost  = 50
)

// state is how far the events were read.
type state struct {
	seq, at int64
	zone    string
}

func stateIn(tx *db.Tx) (st state, err error) {
	err = tx.Get("SELECT seq, at, zone FROM report_state WHERE name = ?", stateName).Scan(&st.seq, &st.at, &st.zone)
	return st, err
}

// Follow works out the facts of what happened behind the cursor. Facts and
// cursor are written together, where the cursor is still the one that was read:
// whoever runs it and however often, the facts are those of the events up to it.
func (s *Service) Follow(ctx context.Context) error {
	for {
		more, err := s.follow(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// named is what other events' facts take from a ticket.
type named struct{ domain, number, product, language string }

// source is a ticket's or an event's id with its domain.
type source = [2]string

func (s *Service) follow(ctx context.Context) (more bool, err error) {
	var (
		from     state
		to       int64
		want     []fact
		have     map[key]fact
		outside  []event.Row
		sources  []source
		sandboxy map[string]bool
	)
	err = s.db.View(ctx, func(tx *db.Tx) error {
		want, have, outside, sources = nil, nil, nil, nil
		var err error
		if from, err = stateIn(tx); err != nil {
			return err
		}
		rows, err := event.After(tx, "", from.seq, readMost)
		if err != nil {
			return err
		}
		to, more = from.seq, len(rows) == readMost
		var tickets []source
		seen := map[source]bool{}
		for _, r := range rows {
			to = r.Seq
			k := source{r.Domain, r.SubjectID}
			switch {
			case r.Subject == "ticket":
				if !seen[k] {
					tickets = append(tickets, k)
				}
				seen[k] = true
			case r.Kind == "code.send" || r.Kind == "macro.run" || r.Kind == "rule.run":
				outside = append(outside, r)
				sources = append(sources, source{r.Domain, r.ID})
			}
		}
		if sandboxy, err = sandboxes(tx, rows); err != nil {
			return err
		}
		sources = append(sources, tickets...)
		if want, err = s.work(tx, to, tickets, outside, sandboxy); err != nil {
			return err
		}
		have, err = factsIn(tx, sources)
		return err
	})
	if err != nil || to == from.seq {
		return false, err
	}
	gone, come := differ(have, want)
	days := s.days(gone, come)
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		lock(tx)
		var name string
		err := tx.Get("UPDATE report_state SET seq = ?, at = ? WHERE name = ? AND seq = ? RETURNING name", to, tx.Real, stateName, from.seq).Scan(&name)
		if errors.Is(err, db.ErrNone) {
			more = false // another node has it
			return nil
		}
		if err != nil {
			return err
		}
		writeFacts(tx, gone, come)
		takeOut(tx, days)
		return nil
	})
	return more, err
}

// work are the facts of tickets and of other events, by the events up to a number.
func (s *Service) work(tx *db.Tx, seq int64, tickets []source, outside []event.Row, sandbox map[string]bool) (all []fact, err error) {
	tickets = slices.DeleteFunc(slices.Clone(tickets), func(k source) bool { return sandbox[k[0]] })
	pasts, err := s.tickets.Courses(tx, seq, tickets...)
	if err != nil {
		return nil, err
	}
	byMails, err := mailed(tx, pasts)
	if err != nil {
		return nil, err
	}
	for _, p := range pasts {
		channel := byAPI
		if byMails[p.Rows[0].RequestID] {
			channel = byMail
		}
		all = append(all, factsOf(p, channel)...)
	}
	var ids []any
	for _, r := range outside {
		var d struct{ Ticket string }
		if json.Unmarshal(r.Data, &d) == nil && d.Ticket != "" {
			ids = append(ids, d.Ticket)
		}
	}
	of := map[string]named{}
	if len(ids) > 0 {
		err = tx.List(func(r db.Row) error {
			var id string
			var n named
			err := r.Scan(&id, &n.domain, &n.number, &n.product, &n.language)
			of[id] = n
			return err
		}, "SELECT ticket_id, domain_id, number, product, language FROM desk_tickets WHERE ticket_id IN (?"+strings.Repeat(", ?", len(ids)-1)+")", ids...)
		if err != nil {
			return nil, err
		}
	}
	for _, r := range outside {
		if !sandbox[r.Domain] {
			all = append(all, otherFacts(r, of)...)
		}
	}
	return all, nil
}

// mailed tells which of the requests that tickets were created by were mails.
func mailed(tx *db.Tx, pasts []ticket.Course) (map[string]bool, error) {
	var ids []source
	for _, p := range pasts {
		if r := p.Rows[0]; r.RequestID != "" && r.ActorKind == principal.Customer {
			ids = append(ids, source{principal.House, r.RequestID})
		}
	}
	rows, err := event.OfMany(tx, "mail", ids)
	out := map[string]bool{}
	for k := range rows {
		out[k[1]] = true
	}
	return out, err
}

// sandboxes tells which domains of events are sandboxes, for ever: a domain is
// made as one.
func sandboxes(tx *db.Tx, rows []event.Row) (map[string]bool, error) {
	ids := map[string]bool{}
	for _, r := range rows {
		ids[r.Domain] = true
	}
	out := map[string]bool{}
	if len(ids) == 0 {
		return out, nil
	}
	var args []any
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		args = append(args, id)
	}
	return out, tx.List(func(r db.Row) error {
		var id string
		err := r.Scan(&id)
		out[id] = true
		return err
	}, "SELECT id FROM domains WHERE sandbox = 1 AND id IN (?"+strings.Repeat(", ?", len(args)-1)+")", args...)
}

const factColumns = "domain_id, source, measure, detail, n, at, number, engineer, team, product, severity, language, channel, amount, verdict"

func scanFact(r db.Row) (f fact, err error) {
	err = r.Scan(&f.domain, &f.source, &f.measure, &f.detail, &f.n, &f.at, &f.number, &f.engineer, &f.team, &f.product, &f.severity, &f.language, &f.channel, &f.amount, &f.verdict)
	return f, err
}

// factsIn are the stored facts of sources.
func factsIn(tx *db.Tx, sources []source) (map[key]fact, error) {
	out := map[key]fact{}
	if len(sources) == 0 {
		return out, nil
	}
	var args []any
	for _, k := range sources {
		args = append(args, k[0], k[1])
	}
	return out, tx.List(func(r db.Row) error {
		f, err := scanFact(r)
		out[f.key] = f
		return err
	}, "WITH wanted(in_domain, wanted_source) AS (VALUES (CAST(? AS TEXT), CAST(? AS TEXT))"+strings.Repeat(", (?, ?)", len(sources)-1)+") SELECT "+factColumns+
		" FROM wanted JOIN report_facts ON domain_id = in_domain AND source = wanted_source", args...)
}

// differ tells which stored facts go and which come. One that is otherwise now
// does both.
func differ(have map[key]fact, want []fact) (gone, come []fact) {
	there := map[key]bool{}
	for _, f := range want {
		there[f.key] = true
		if h, ok := have[f.key]; !ok || h != f {
			come = append(come, f)
			if ok {
				gone = append(gone, h)
			}
		}
	}
	for k, h := range have {
		if !there[k] {
			gone = append(gone, h)
		}
	}
	return gone, come
}

func writeFacts(tx *db.Tx, gone, come []fact) {
	for _, f := range gone {
		tx.Write(1, "DELETE FROM report_facts WHERE domain_id = ? AND source = ? AND measure = ? AND detail = ? AND n = ?", f.domain, f.source, f.measure, f.detail, f.n)
	}
	for _, f := range come {
		tx.Write(1, "INSERT INTO report_facts (domain_id, source, measure, detail, n, at, number, engineer, team, product, severity, language, channel, amount, verdict) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			f.domain, f.source, f.measure, f.detail, f.n, f.at, f.number, f.engineer, f.team, f.product, f.severity, f.language, f.channel, f.amount, f.verdict)
	}
}

// days are those on which facts came or went.
func (s *Service) days(some ...[]fact) []string {
	out := map[string]bool{}
	for _, all := range some {
		for _, f := range all {
			out[dayOf(f.at, s.zone)] = true
		}
	}
	return slices.Sorted(maps.Keys(out))
}

// takeOut makes days no longer hold.
func takeOut(tx *db.Tx, days []string) {
	for len(days) > 0 {
		some := days[:min(len(days), 100)]
		days = days[len(some):]
		args := make([]any, len(some))
		for i, d := range some {
			args[i] = d
		}
		tx.Write(db.Any, "DELETE FROM report_built WHERE day IN (?"+strings.Repeat(", ?", len(some)-1)+")", args...)
	}
}

func dayOf(at int64, zone *time.Location) string {
	return time.UnixMilli(at).In(zone).Format(time.DateOnly)
}
