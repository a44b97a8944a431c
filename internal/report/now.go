package report

import (
	"context"
	"maps"
	"slices"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// openRows is the condition of the index of open tickets, word by word
// (ticket.openRows): what is now is read from that index alone.
const openRows = "status IN (0, 1, 2, 5, 17) AND sandbox = 0"

// deskDims are the dimensions' columns of the desk's rows; a channel they do not
// have.
var deskDims = map[string]string{"domain": "domain_id", "team": "team", "engineer": "assignee", "product": "product", "severity": "severity", "language": "language"}

// seenNow is the condition of what the caller sees and asked for of open tickets.
func (a asked) seenNow() (cond string, args []any, err error) {
	switch {
	case a.reach.domain != "":
		cond, args = " AND domain_id = ?", []any{a.reach.domain}
	case a.reach.user != "":
		cond, args = " AND (assignee = ? OR team IN (SELECT m.team_id FROM desk_team_members AS m WHERE m.user_id = ?))", []any{a.reach.user, a.reach.user}
	}
	for _, dim := range Dims {
		value, ok := a.Filter[dim]
		if !ok {
			continue
		}
		column, ok := deskDims[dim]
		if !ok {
			return "", nil, errGroup.With("by", dim).In(dim)
		}
		cond, args = cond+" AND "+column+" = ?", append(args, value)
	}
	return cond, args, nil
}

// readNow counts the open tickets.
func (s *Service) readNow(tx *db.Tx, a asked, into cells) error {
	cond, args, err := a.seenNow()
	if err != nil {
		return err
	}
	column := "''"
	if a.By != "" {
		var ok bool
		if column, ok = deskDims[a.By]; !ok {
			return errGroup.With("by", a.By).In("by")
		}
	}
	if a.spec.name == "backlog" {
		return tx.List(func(r db.Row) error {
			var group string
			var created int64
			err := r.Scan(&group, &created)
			age := max(tx.Real-created, 0)
			into.at(cell{0, group, mAge, ageOf(age)}).add(age, "")
			return err
		}, "SELECT "+column+", created_at FROM desk_tickets WHERE "+openRows+cond, args...)
	}
	detail := "CAST(status AS TEXT)"
	if a.spec.name == "load" {
		column, detail, cond = "assignee", "''", cond+" AND assignee <> ''"
	}
	return tx.List(func(r db.Row) error {
		k := cell{measure: mOpen}
		var n int64
		err := r.Scan(&k.group, &k.detail, &n)
		if a.spec.name == "load" && a.By == "" {
			k.group = ""
		}
		into.at(k).join(sum{n: n, amounts: map[int64]int64{0: n}})
		return err
	}, "SELECT "+column+", "+detail+", count(*) FROM desk_tickets WHERE "+openRows+cond+" GROUP BY 1, 2", args...)
}

// capacities adds what engineers can carry.
func (s *Service) capacities(ctx context.Context, who principal.Principal, a asked, into cells) error {
	people, err := s.queue.Engineers(ctx, who)
	if err != nil {
		return err
	}
	for _, e := range people {
		if a.reach.user != "" && a.reach.user != e.ID || a.Filter["engineer"] != "" && a.Filter["engineer"] != e.ID {
			continue
		}
		group := e.ID
		if a.By == "" {
			group = ""
		}
		into.at(cell{0, group, mCapacity, ""}).join(sum{n: int64(e.Limit)})
		into.at(cell{0, group, mOpen, ""}) // of those too who have none
	}
	return nil
}

// readSent counts the attempts to send that began in the time, sandboxes' left
// out, by what became of them.
func readSent(tx *db.Tx, a asked, into cells) error {
	cond, args := "", []any{a.from, a.to}
	if a.spec.name == "codes" {
		cond, args = " AND m.template = ?", append(args, notify.TemplateCode)
	}
	columns := map[string]string{"": "''", "domain": "m.domain_id", "provider": "t.provider"}
	switch {
	case a.reach.domain != "":
		cond, args = cond+" AND m.domain_id = ?", append(args, a.reach.domain)
	case a.reach.user != "":
		cond += " AND 1 = 0" // what is sent is nobody's own
	}
	for _, dim := range []string{"domain", "provider"} {
		if value, ok := a.Filter[dim]; ok {
			cond, args = cond+" AND "+columns[dim]+" = ?", append(args, value)
		}
	}
	return tx.List(func(r db.Row) error {
		var at, cost int64
		var group, channel, outcome, receipt string
		if err := r.Scan(&at, &group, &channel, &outcome, &receipt, &cost); err != nil {
			return err
		}
		p := a.place(at)
		count := func(measure string, amount int64) { into.at(cell{p, group, measure, channel}).add(amount, "") }
		if outcome == "ok" {
			count(mSent, 0)
		}
		switch {
		case receipt == "delivered":
			count(mDelivered, 0)
		case receipt == "failed" || receipt == "bounced" || outcome == "temporary" || outcome == "permanent":
			count(mFailed, 0)
		case outcome != "ok":
			count(mPending, 0)
		}
		if cost != 0 {
			count(mCost, cost)
		}
		return nil
	}, "SELECT t.began_at, "+columns[a.By]+", m.channel, t.outcome, t.receipt, t.cost FROM notify_attempts AS t JOIN notify_messages AS m ON m.domain_id = t.domain_id AND m.id = t.message_id "+
		"WHERE t.began_at >= ? AND t.began_at < ?"+cond+" AND m.domain_id NOT IN (SELECT d.id FROM domains AS d WHERE d.sandbox = 1) /* all domains: figures of the house */", args...)
}

// names are what groups and details are called.
type names struct{ group, detail map[string]string }

// namesIn names what tables of the same snapshot name: teams, customers, macros
// and rules. What is gone keeps its id.
func (s *Service) namesIn(tx *db.Tx, a asked, all cells) (n names, err error) {
	n = names{map[string]string{}, map[string]string{}}
	lang := a.Locale.Language
	read := func(into map[string]string, sql string) error {
		return tx.List(func(r db.Row) error {
			var id, zh, en string
			err := r.Scan(&id, &zh, &en)
			if into[id] = zh; lang == "en-us" && en != "" || zh == "" {
				into[id] = en
			}
			return err
		}, sql)
	}
	if a.By == "team" {
		err = read(n.group, "SELECT id, name_zh, name_en FROM desk_teams")
	}
	if a.spec.name == "automation" {
		for _, table := range []string{"SELECT id, name_zh, name_en FROM macros", "SELECT id, name_zh, name_en FROM rules"} {
			if err == nil {
				err = read(n.detail, table)
			}
		}
	}
	if a.By == "domain" && err == nil {
		n.group, err = domainNames(tx, groupsOf(all))
	}
	return n, err
}

func groupsOf(all cells) (ids []string) {
	seen := map[string]bool{}
	for k := range all {
		if !seen[k.group] {
			ids = append(ids, k.group)
		}
		seen[k.group] = true
	}
	slices.Sort(ids)
	return ids
}

// nameRest names the groups that others name.
func (s *Service) nameRest(ctx context.Context, a asked, all cells, n *names) error {
	lang := a.Locale.Language
	ids := groupsOf(all)
	switch a.By {
	case "engineer":
		found, err := s.ident.Names(ctx, principal.House, ids)
		if err != nil {
			return err
		}
		n.group = found
	case "product", "severity":
		for _, id := range ids {
			n.group[id] = s.catalog.Now().Name(kindOf[a.By], id, lang)
		}
	case "channel":
		for _, id := range ids {
			n.group[id] = detailNames[id].In(lang)
		}
	}
	for _, id := range ids {
		switch {
		case id == "":
			n.group[id] = nobody[a.By].In(lang)
		case n.group[id] == "":
			n.group[id] = id
		}
	}
	return nil
}

var kindOf = map[string]catalog.Kind{"product": catalog.KindProduct, "severity": catalog.KindSeverity}

// domainNames are customers' names in pages.
func domainNames(tx *db.Tx, ids []string) (map[string]string, error) {
	out := map[string]string{}
	for len(ids) > 0 {
		some := ids[:min(len(ids), 500)]
		ids = ids[len(some):]
		found, err := identity.DomainNames(tx, some)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, found)
	}
	return out, nil
}
