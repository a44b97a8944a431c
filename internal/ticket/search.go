package ticket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// Search is what an engineer looks for.
type Search struct {
	Text  string         // search.Parse
	After string         // cursor of the page before, "" = from the best
	Limit int            // 1..100, 0 = 20
	Zone  *time.Location // of dates in the text, nil = the home clock
}

// SearchCap is up to where the total of a search is exact.
const SearchCap = 1000

// Found is a ticket that a search found.
type Found struct {
	DeskTicket
	Score int // the better place counts more, of each word; 0 without words
	Where []Spot
}

// Spot is where in a ticket a search found something.
type Spot struct {
	Place  string // number, description, message, note, judgement, file, contact, customer
	ID     string // of the message, note or file
	Pieces []search.Piece
}

// SearchPage is a page of what a search found.
type SearchPage struct {
	Found  []Found
	Total  int    // exact up to SearchCap
	More   bool   // there are more than Total
	Cursor string // of the next page, "" = this is the last
	// While the index is built after an upgrade, so many of so many texts are in
	// it, and a search may miss some. Both 0: it is complete.
	Indexed, ToIndex int64
}

var (
	errSearchCursor = fault.Unknown.In("cursor")
	errValue        = fault.New(fault.Invalid, fault.CodeInvalid, "第 {pos} 个字符处的 {op} 不接受值“{value}”，可用：{known}", "{op} (character {pos}) does not take {value}: it takes {known}").In("q")
	errEither       = fault.New(fault.Invalid, fault.CodeInvalid, "第 {pos} 个字符处的 in: 限定整个搜索的范围，不能与 OR 连用", "in: (character {pos}) says where the whole search looks: it cannot stand beside OR").In("q")
	errWhose        = fault.New(fault.Invalid, fault.CodeInvalid, "第 {pos} 个字符处的 {op}me 只适用于工程师", "{op}me (character {pos}) is for engineers").In("q")
)

// places are the kinds of documents with what a hit there counts, as a code
// that sorts: the weight, then which kind it is.
var places = []struct{ kind, code, place string }{
	{"", "9n", "number"}, {search.KindTicket, "5d", "description"}, {search.KindFile, "4f", "file"}, {search.KindNoteFile, "4g", "file"},
	{search.KindMessage, "3m", "message"}, {search.KindJudgement, "3j", "judgement"}, {search.KindNote, "2n", "note"}, {search.KindContact, "2c", "contact"},
	{search.KindUser, "1u", "customer"}, {search.KindDomain, "1x", "customer"},
}

var allKinds = []string{search.KindTicket, search.KindMessage, search.KindNote, search.KindJudgement, search.KindFile, search.KindNoteFile, search.KindContact, search.KindUser, search.KindDomain}

// Search finds tickets of all domains. Every condition must hold, texts in any
// of a ticket's documents each: description, messages, notes, names of files,
// the customer's comment, the names of customer and submitter, contacts typed in
// full, the beginning of the number. Tickets come by score, those with the same
// one newest first; the same on every database. What the caller may not see has
// no part in hits, total and texts: partners' people look into their tickets
// only and not into the house's notes; a sandbox's tickets are found only when
// its customer is named in full (customer:), deleted ones only when their state
// is asked for. Failures: OSM.01010001 for a query that does not parse (naming
// operator and place) or a cursor that is none, .02 for callers who may not see
// what they ask for.
func (s *Service) Search(ctx context.Context, who principal.Principal, in Search) (out SearchPage, err error) {
	if err := maySeeMore(who); err != nil {
		return out, err
	}
	if in.Limit == 0 {
		in.Limit = 20
	}
	if in.Zone == nil {
		in.Zone = home
	}
	parsed, err := search.Parse(in.Text)
	if err != nil {
		return out, err
	}
	after, err := parseSearchCursor(in.After)
	if err != nil {
		return out, err
	}
	q := searching{s: s, who: who, zone: in.Zone, now: s.db.Now(), query: parsed, kinds: allKinds}
	if err := q.prepare(ctx); err != nil {
		return out, err
	}
	var hits []searchHit
	err = s.db.Survey(ctx, func(tx *db.Tx) error {
		out, hits = SearchPage{}, nil
		if out.Indexed, out.ToIndex, err = indexing(tx); err != nil {
			return err
		}
		most := SearchCap + 1
		if after != nil {
			most = in.Limit + 1
		}
		if hits, err = q.run(tx, after, most); err != nil {
			return err
		}
		if after == nil {
			out.Total, out.More = min(len(hits), SearchCap), len(hits) > SearchCap
		} else {
			out.Total, out.More = after.total, after.more
		}
		if len(hits) > in.Limit {
			hits = hits[:in.Limit]
			last := hits[in.Limit-1]
			out.Cursor = searchCursor{last.score, last.ticket, out.Total, out.More, q.newest > 0}.String()
		}
		out.Found, err = q.show(tx, hits)
		return err
	})
	if err != nil {
		return SearchPage{}, err
	}
	return out, q.name(ctx, out.Found, hits)
}

// searchCursor is where a page ends, and what the first one counted.
type searchCursor struct {
	score  int
	ticket string
	total  int
	more   bool
	newest bool // the newest places were enough
}

func (c searchCursor) String() string {
	return fmt.Sprintf("%d.%s.%d.%d.%d", c.score, c.ticket, c.total, number01(c.more), number01(c.newest))
}

func parseSearchCursor(text string) (*searchCursor, error) {
	if text == "" {
		return nil, nil
	}
	parts := strings.Split(text, ".")
	flag := []string{"0", "1"}
	if len(parts) != 5 || parts[1] == "" || len(parts[1]) > 32 || !slices.Contains(flag, parts[3]) || !slices.Contains(flag, parts[4]) {
		return nil, errSearchCursor
	}
	score, err1 := strconv.Atoi(parts[0])
	total, err2 := strconv.Atoi(parts[2])
	if err1 != nil || err2 != nil || score < 0 || score > 1000 || total < 1 || total > SearchCap {
		return nil, errSearchCursor
	}
	return &searchCursor{score, parts[1], total, parts[3] == "1", parts[4] == "1"}, nil
}

// searching is one search on its way to SQL.
type searching struct {
	s     *Service
	who   principal.Principal
	zone  *time.Location
	now   time.Time
	query search.Query
	kinds []string // where texts are looked for
	in    bool     // an operator said so

	deleted   bool                // deleted tickets are asked for by name
	assignees map[string][]string // ids behind a name of the house's people
	customers map[string][]string // ids of domains with exactly the name
	queues    map[string][]where  // what the desk's queues of the name hold
	with      []string            // common table expressions
	withArgs  []any
	parts     int
	newest    int // > 0: of each text only the newest so many places count
	common    []counting
}

// counting is a SELECT of the places of a text.
type counting struct {
	sql  string
	args []any
}

// NewestPlaces is how many of a text's places count, the newest ones, where
// those alone lead to more than SearchCap tickets: what is that common is not
// told apart by its older places.
const NewestPlaces = 3000

// run finds by the newest places first, and by all where those are not enough.
// A partner's people see few of all places: for them all count at once.
func (q *searching) run(tx *db.Tx, after *searchCursor, most int) (hits []searchHit, err error) {
	if q.newest = 0; q.who.Partner == "" && (after == nil || after.newest) {
		q.newest = NewestPlaces
	}
	hits, err = q.find(tx, after, most)
	if err != nil || q.newest == 0 || after != nil || len(hits) == most {
		return hits, err
	}
	cut := false
	for _, c := range q.common {
		var n int
		if err := tx.Get("SELECT count(*) FROM ("+c.sql+") AS c", c.args...).Scan(&n); err != nil {
			return nil, err
		}
		if cut = n == q.newest; cut {
			break
		}
	}
	if q.newest = 0; !cut {
		return hits, nil
	}
	return q.find(tx, after, most)
}

// prepare judges the operators and looks up what needs no transaction.
func (q *searching) prepare(ctx context.Context) error {
	q.assignees, q.customers, q.queues = map[string][]string{}, map[string][]string{}, map[string][]where{}
	for i := range q.query.Groups {
		for j := range q.query.Groups[i] {
			if err := q.prepareAtom(ctx, &q.query.Groups[i][j]); err != nil {
				return err
			}
		}
	}
	// in: says where all texts are looked for; it is no condition on tickets, so
	// it cannot be one of several.
	var kept [][]search.Atom
	for _, g := range q.query.Groups {
		if i := slices.IndexFunc(g, func(a search.Atom) bool { return a.Op == "in" }); i >= 0 && len(g) > 1 {
			return errEither.With("pos", g[i].Pos)
		}
		g = slices.DeleteFunc(g, func(a search.Atom) bool { return a.Op == "in" })
		if len(g) > 0 {
			kept = append(kept, g)
		}
	}
	q.query.Groups = kept
	if q.deleted && (q.who.Partner != "" || !q.who.Admin() && !q.who.Is(principal.RoleSupervisor)) {
		return fault.NoPermission
	}
	return nil
}

func (q *searching) prepareAtom(ctx context.Context, a *search.Atom) error {
	switch a.Op {
	case "":
		a.Contacts = identity.ContactsIn(a.Raw)
	case "status":
		for _, v := range a.Values {
			found, ok := statusesOf(v)
			if !ok {
				return q.bad(*a, v, statusWords())
			}
			q.deleted = q.deleted || !a.Not && slices.Contains(found, Deleted)
		}
	case "assignee":
		for _, v := range a.Values {
			if err := q.lookAssignee(ctx, *a, v); err != nil {
				return err
			}
		}
	case "in":
		if !q.in {
			q.in, q.kinds = true, nil
		}
		for _, v := range a.Values {
			kinds := scopes[strings.ToLower(v)]
			if kinds == nil || a.Not {
				return q.bad(*a, v, "description, messages, notes, files, judgement, customer")
			}
			q.kinds = append(q.kinds, kinds...)
		}
	}
	return q.check(*a)
}

func (q *searching) bad(a search.Atom, value, known string) error {
	return errValue.With("op", a.Op+":").With("pos", a.Pos).With("value", value).With("known", fault.List(strings.Split(known, ", ")))
}

// lookAssignee finds whom a name means. A partner's people know their
// colleagues only.
func (q *searching) lookAssignee(ctx context.Context, a search.Atom, v string) error {
	switch strings.ToLower(v) {
	case "me", "我":
		if writer(q.who) == "" {
			return errWhose.With("op", a.Op+":").With("pos", a.Pos)
		}
		q.assignees[v] = []string{q.who.User}
		return nil
	case Nobody, "无":
		q.assignees[v] = []string{""}
		return nil
	}
	house := principal.AsSystem(principal.House)
	u, err := q.s.ident.UserByName(ctx, house, principal.House, v)
	if fault.KindOf(err) == fault.NotFound {
		u, err = q.s.ident.User(ctx, house, principal.House, v)
	}
	switch {
	case fault.KindOf(err) == fault.NotFound || err == nil && q.who.Partner != "" && u.Partner != q.who.Partner:
		return nil // nobody's tickets
	case err != nil:
		return err
	}
	q.assignees[v] = []string{u.ID}
	return nil
}

// searchHit is a ticket with where each part of the query was found best.
type searchHit struct {
	domain, ticket string
	score          int
	best           []string // code and document
}

// find runs the query.
func (q *searching) find(tx *db.Tx, after *searchCursor, most int) (hits []searchHit, err error) {
	q.with, q.withArgs, q.parts, q.common = nil, nil, 0, nil
	var w where
	if err := errors.Join(q.lookCustomers(tx), q.lookQueues(tx)); err != nil {
		return nil, err
	}
	var joined []string
	for _, g := range q.query.Groups {
		if cond, args, part := q.group(g); part != "" {
			joined = append(joined, part)
		} else {
			w.and(cond, args...)
		}
	}
	if !q.deleted {
		w.and("d.status <> ?", int(Deleted))
	}
	w.onlyTheirs(q.who)
	q.notSandboxes(&w)
	score, best, from := "0", "", ""
	if len(joined) > 0 {
		var scores []string
		for i, p := range joined {
			scores = append(scores, "CAST(substr("+p+".best, 1, 1) AS BIGINT)")
			best += ", " + p + ".best AS b" + strconv.Itoa(i)
			from += p + " CROSS JOIN "
			if i > 0 {
				w.and(p + ".ticket = " + joined[0] + ".ticket")
			}
		}
		score = strings.Join(scores, " + ")
		w.and("d.ticket_id = " + joined[0] + ".ticket")
	} else if after != nil {
		w.and("d.ticket_id < ?", after.ticket)
	}
	sql := "SELECT d.domain_id, d.ticket_id, " + score + " AS score" + best + " FROM " + from + "desk_tickets AS d WHERE " + strings.Join(w.cond, " AND ")
	args := append(slices.Clone(q.withArgs), w.args...)
	if len(joined) > 0 && after != nil {
		sql = "SELECT * FROM (" + sql + ") AS r WHERE r.score < ? OR r.score = ? AND r.ticket_id < ?"
		args = append(args, after.score, after.score, after.ticket)
	}
	if len(joined) > 0 {
		sql += " ORDER BY score DESC, ticket_id DESC LIMIT ?"
	} else {
		sql += " ORDER BY d.ticket_id DESC LIMIT ?"
	}
	if len(q.with) > 0 {
		sql = "WITH " + strings.Join(q.with, ", ") + " " + sql
	}
	err = tx.List(func(r db.Row) error {
		h := searchHit{best: make([]string, len(joined))}
		into := []any{&h.domain, &h.ticket, &h.score}
		for i := range h.best {
			into = append(into, &h.best[i])
		}
		err := r.Scan(into...)
		hits = append(hits, h)
		return err
	}, sql, append(args, most)...)
	return hits, err
}

// notSandboxes leaves tickets of sandboxes out whose customer is not named in
// full.
func (q *searching) notSandboxes(w *where) {
	var named []any
	for _, g := range q.query.Groups {
		for _, a := range g {
			if a.Op == "customer" && !a.Not {
				for _, v := range a.Values {
					named = append(named, anys(q.customers[v])...)
				}
			}
		}
	}
	if len(named) == 0 {
		w.and("d.sandbox = 0")
		return
	}
	w.and("(d.sandbox = 0 OR d.domain_id IN ("+questions(len(named))+"))", named...)
}

// group is a group's condition, or where all of it is texts to be found the
// name of the table of tickets in which they are.
func (q *searching) group(g []search.Atom) (cond string, args []any, part string) {
	if !slices.ContainsFunc(g, func(a search.Atom) bool { return a.Not || a.Op != "" }) {
		return "", nil, q.part(g, q.newest)
	}
	var either []string
	for _, a := range g {
		cond, more := q.atom(a)
		if a.Not {
			cond = "NOT (" + cond + ")"
		}
		either, args = append(either, "("+cond+")"), append(args, more...)
	}
	return "(" + strings.Join(either, " OR ") + ")", args, ""
}

// part makes the table of the tickets in which one of the texts occurs: ticket,
// and best, the code of the best place and its document there, the newest of
// several.
func (q *searching) part(texts []search.Atom, newest int) (name string) {
	q.parts++
	n := strconv.Itoa(q.parts)
	docs, args := q.docs(q.kinds, newest, texts...)
	if newest > 0 {
		q.common = append(q.common, counting{docs, args})
	}
	q.with = append(q.with, "m"+n+" AS MATERIALIZED ("+docs+")")
	q.withArgs = append(q.withArgs, args...)
	m := "m" + n
	kinds := "CASE " + m + ".kind"
	var customer [2]string
	for _, p := range places {
		switch p.kind {
		case "":
		case search.KindUser:
			customer[0] = p.code
		case search.KindDomain:
			customer[1] = p.code
		default:
			kinds += " WHEN '" + p.kind + "' THEN '" + p.code + "'"
		}
	}
	sql := "SELECT " + m + ".parent AS ticket, " + kinds + " END || " + m + ".doc AS best FROM " + m + " WHERE " + m + ".parent <> ''" +
		" UNION ALL SELECT t.id, '" + customer[0] + "' || " + m + ".doc FROM " + m + " JOIN tickets AS t ON t.domain_id = " + m + ".domain_id AND t.creator = " + m + ".doc WHERE " + m + ".kind = '" + search.KindUser + "'" +
		" UNION ALL SELECT t.id, '" + customer[1] + "' || " + m + ".doc FROM " + m + " JOIN tickets AS t ON t.domain_id = " + m + ".domain_id WHERE " + m + ".kind = '" + search.KindDomain + "'"
	for _, a := range texts {
		if number := strings.ToUpper(a.Raw); !q.in && len(number) > 2 && numberStart.MatchString(number) {
			sql += " UNION ALL SELECT n.ticket_id, '" + places[0].code + "' FROM desk_tickets AS n WHERE n.number BETWEEN ? AND ?"
			q.withArgs = append(q.withArgs, number, number+strings.Repeat("Z", numberLength))
		}
	}
	q.with = append(q.with, "p"+n+"(ticket, best) AS (SELECT x.ticket, max(x.best) FROM ("+sql+") AS x GROUP BY x.ticket)")
	return "p" + n
}

// docs is a SELECT of the documents of some kinds in which the texts occur and
// which the caller may read: of notes a partner's people have their own.
func (q *searching) docs(kinds []string, newest int, texts ...search.Atom) (sql string, args []any) {
	sql, args = search.Docs(q.s.db.Dialect(), q.s.terms, kinds, newest, texts...)
	if q.who.Partner == "" {
		return sql, args
	}
	const own = "m.author IN (SELECT u.id FROM users AS u WHERE u.domain_id = '" + principal.House + "' AND u.partner_id = ?)"
	return "SELECT y.domain_id, y.kind, y.doc, y.parent FROM (" + sql + ") AS y WHERE y.kind NOT IN ('note', 'notefile')" +
			" OR y.kind = 'note' AND EXISTS (SELECT 1 FROM messages AS m WHERE m.domain_id = y.domain_id AND m.id = y.doc AND " + own + ")" +
			" OR y.kind = 'notefile' AND EXISTS (SELECT 1 FROM attachments AS a JOIN messages AS m ON m.domain_id = a.domain_id AND m.id = a.message_id WHERE a.domain_id = y.domain_id AND a.id = y.doc AND " + own + ")",
		append(args, q.who.Partner, q.who.Partner)
}
