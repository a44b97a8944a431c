// Package event is the ordered history: what happened is recorded in the
// transaction of the change, and a sealer behind it gives every event its
// number and chains them by hashes. Operation logs, audit and the change feed
// read from here; there is no second log.
//
// Events hold references, digests and small values, never message texts or
// anything that must be sealed: they are kept for ever.
package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/principal"
)

// NoLog as a LogCode keeps an event off the customer's operation log.
const NoLog = -1

// Families are the first words of all kinds of events, in alphabetical order.
var Families = []string{
	"abuse", "agency", "agreement", "article", "attachment", "audit", "authorization", "backup", "bulk", "catalog", "code", "codes", "config", "contact",
	"diagnosis", "domain", "group", "key", "label", "macro", "mail", "notify", "partner", "privacy", "provider", "queue", "resource", "rule",
	"session", "sla", "snippet", "team", "template", "ticket", "token", "user", "view", "webhook",
}

// Wake is the topic that wakes the sealer.
const Wake = "event.sealer"

// Sealed is the topic that tells that events were sealed.
const Sealed = "event.sealed"

// Event is what a noun records.
type Event struct {
	Domain    string // tenant; "" = principal.House
	Kind      string // e.g. ticket.create
	Subject   string // e.g. ticket
	SubjectID string // unique within domain and subject
	Revision  int64  // the subject's after the change, raised in the same transaction; 0 when the subject has none
	LogCode   int    // operate_type of the customer's log (operate_type.csv; 0 is "create"), or NoLog
	Data      any    // small JSON: references, digests, before and after of small values; nil = {}
	// Name is what the thing was called, in a person's own words: it is sealed with
	// the key of who did it, as his address is, and gone when he is erased. Of
	// customers and engineers only.
	Name string
}

// MaxNumbers is how many tickets an event about several names.
const MaxNumbers = 10

// Record queues the event in the change's transaction, wakes the sealer after
// the commit and returns the event's id. It panics when Data cannot be JSON,
// which is a programmer's mistake.
func Record(tx *db.Tx, who principal.Principal, e Event) string {
	data := []byte("{}")
	if e.Data != nil {
		var err error
		if data, err = json.Marshal(e.Data); err != nil {
			panic(fmt.Errorf("event %s: %w", e.Kind, err))
		}
	}
	if e.Domain == "" {
		e.Domain = principal.House // '' is the name of the chain's head
	}
	id := tx.NewID()
	address := who.Address
	if who.Kind == principal.Customer || who.Kind == principal.Engineer {
		address = tx.DB().SealAddress(who.User, id, address)
		if e.Name != "" && who.User != "" {
			data = withName(data, tx.DB().SealAddress(who.User, namePlace(id), e.Name))
		}
	}
	if who.Via != nil {
		data = with(data, viaKey, who.Via)
	}
	tx.Write(1, `INSERT INTO events (domain_id, id, kind, subject, subject_id, revision, log_code, actor_kind, actor, address, request_id, at, data, seq, domain_seq, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '')`,
		e.Domain, id, e.Kind, e.Subject, e.SubjectID, e.Revision, e.LogCode, int64(who.Kind), who.User, address, who.RequestID, tx.Now, string(data))
	tx.Wake(Wake)
	return id
}

// nameKey is where Data holds a sealed Name.
const nameKey = "sealed_name"

// namePlace binds a sealed name to its event, and apart from the address of it.
func namePlace(id string) string { return id + ".name" }

// withName puts a sealed name into an object of JSON.
func withName(data []byte, sealed string) []byte {
	if sealed == "" {
		return data
	}
	return with(data, nameKey, sealed)
}

// viaKey is where Data holds what somebody acted by.
const viaKey = "via"

// Via is by what of the house's somebody acted, nil = by himself. Events of
// before that was recorded have none.
func (r Row) Via() *principal.Via {
	var data struct {
		Via *principal.Via `json:"via"`
	}
	if !bytes.Contains(r.Data, []byte(`"`+viaKey+`"`)) || json.Unmarshal(r.Data, &data) != nil {
		return nil
	}
	return data.Via
}

// with puts a value into an object of JSON.
func with(data []byte, key string, value any) []byte {
	more, err := json.Marshal(map[string]any{key: value})
	if err != nil {
		panic(err) // texts can always be JSON
	}
	if len(data) <= len("{}") {
		return more
	}
	return append(append(data[:len(data)-1:len(data)-1], ','), more[1:]...)
}

// Row is an event as it is stored.
type Row struct {
	Domain, ID, Kind, Subject, SubjectID string
	Revision                             int64
	LogCode                              int
	ActorKind                            principal.Kind
	Actor, Address, RequestID            string
	At                                   int64 // milliseconds UTC
	Data                                 json.RawMessage
	Seq, DomainSeq                       int64 // numbers from 1 without gaps; 0 = not sealed yet
	Hash                                 string
	Name                                 string // in clear once Open was there, else ""
}

// Open puts addresses and names in clear into rows that were read; those of
// erased people are "". What is chained and exported is the sealed form.
func Open(tx *db.Tx, rows []Row) error { return openRows(tx, rows, true) }

// OpenFor is Open for a reader of the desk: who sees no sealed personal fields is
// told no names, and not that there are some.
func OpenFor(tx *db.Tx, who principal.Principal, rows []Row) error {
	return openRows(tx, rows, !who.Blind())
}

func openRows(tx *db.Tx, rows []Row, names bool) error {
	for i := range rows {
		r := &rows[i]
		if r.ActorKind != principal.Customer && r.ActorKind != principal.Engineer {
			continue
		}
		clear, err := tx.DB().OpenAddress(r.Actor, r.ID, r.Address)
		if err != nil {
			return fmt.Errorf("event %s: address: %w", r.ID, err)
		}
		r.Address = clear
		data, sealed, err := r.parted()
		if err != nil {
			return err
		}
		if data == nil {
			continue
		}
		if names {
			if r.Name, err = tx.DB().OpenAddress(r.Actor, namePlace(r.ID), sealed); err != nil {
				return fmt.Errorf("event %s: name: %w", r.ID, err)
			}
		}
		if r.Name != "" {
			data["name"], _ = json.Marshal(r.Name)
		}
		if r.Data, err = json.Marshal(data); err != nil {
			return fmt.Errorf("event %s: %w", r.ID, err)
		}
	}
	return nil
}

// Nameless is Data without a sealed name, for whom it is not opened.
func (r Row) Nameless() (json.RawMessage, error) {
	data, _, err := r.parted()
	if err != nil || data == nil {
		return r.Data, err
	}
	return json.Marshal(data)
}

// parted is Data without the sealed name, and that name; nil when there is none.
func (r Row) parted() (data map[string]json.RawMessage, sealed string, err error) {
	if !bytes.Contains(r.Data, []byte(`"`+nameKey+`"`)) {
		return nil, "", nil
	}
	if err := json.Unmarshal(r.Data, &data); err != nil {
		return nil, "", fmt.Errorf("event %s: %w", r.ID, err)
	}
	in, ok := data[nameKey]
	if !ok { // a text that says so
		return nil, "", nil
	}
	if err := json.Unmarshal(in, &sealed); err != nil {
		return nil, "", fmt.Errorf("event %s: %w", r.ID, err)
	}
	delete(data, nameKey)
	return data, sealed, nil
}

const columns = `domain_id, id, kind, subject, subject_id, revision, log_code, actor_kind, actor, address, request_id, at, data, seq, domain_seq, hash`

func scan(r db.Row) (Row, error) {
	var (
		e         Row
		actorKind int64
		data      string
	)
	err := r.Scan(&e.Domain, &e.ID, &e.Kind, &e.Subject, &e.SubjectID, &e.Revision, &e.LogCode, &actorKind, &e.Actor,
		&e.Address, &e.RequestID, &e.At, &data, &e.Seq, &e.DomainSeq, &e.Hash)
	e.ActorKind, e.Data = principal.Kind(max(0, min(actorKind, 255))), json.RawMessage(data)
	return e, err
}

func list(tx *db.Tx, sql string, args ...any) ([]Row, error) {
	var rows []Row
	err := tx.List(func(r db.Row) error {
		e, err := scan(r)
		rows = append(rows, e)
		return err
	}, sql, args...)
	return rows, err
}

// OfSubject is a page of what happened to a subject, in the order of its
// revisions, and how many events there are in all; sealed or not, so a change
// shows in the log as soon as it is committed. logOnly leaves those with a
// LogCode: the customer's operation log.
func OfSubject(tx *db.Tx, domain, subject, id string, logOnly, newestFirst bool, offset, limit int) ([]Row, int, error) {
	least := NoLog
	if logOnly {
		least = 0
	}
	var total int
	err := tx.Get("SELECT count(*) FROM events WHERE domain_id = ? AND subject = ? AND subject_id = ? AND log_code >= ?", domain, subject, id, least).Scan(&total)
	if err != nil {
		return nil, 0, err
	}
	const (
		oldest = "SELECT " + columns + ` FROM events WHERE domain_id = ? AND subject = ? AND subject_id = ? AND log_code >= ?
			ORDER BY revision, id LIMIT ? OFFSET ?`
		newest = "SELECT " + columns + ` FROM events WHERE domain_id = ? AND subject = ? AND subject_id = ? AND log_code >= ?
			ORDER BY revision DESC, id DESC LIMIT ? OFFSET ?`
	)
	sql := oldest
	if newestFirst {
		sql = newest
	}
	rows, err := list(tx, sql, domain, subject, id, least, limit, offset)
	return rows, total, err
}

// Latest is a page of what happened to a subject, the newest by its time first,
// and how many events there are in all; sealed or not.
func Latest(tx *db.Tx, domain, subject, id string, offset, limit int) ([]Row, int, error) {
	var total int
	err := tx.Get("SELECT count(*) FROM events WHERE domain_id = ? AND subject = ? AND subject_id = ?", domain, subject, id).Scan(&total)
	if err != nil {
		return nil, 0, err
	}
	rows, err := list(tx, "SELECT "+columns+" FROM events WHERE domain_id = ? AND subject = ? AND subject_id = ? ORDER BY at DESC, id DESC LIMIT ? OFFSET ?",
		domain, subject, id, limit, offset)
	return rows, total, err
}

// Newest is the newest event about a subject without revisions that fits, sealed
// or not; its id is "" when none does.
func Newest(tx *db.Tx, domain, subject, id string, fits func(Row) bool) (Row, error) {
	const page = 50
	for before := ""; ; {
		text, args := "SELECT "+columns+" FROM events WHERE domain_id = ? AND subject = ? AND subject_id = ? AND revision = 0", []any{domain, subject, id}
		if before != "" {
			text, args = text+" AND id < ?", append(args, before)
		}
		rows, err := list(tx, text+" ORDER BY id DESC LIMIT ?", append(args, page)...)
		if err != nil {
			return Row{}, err
		}
		for _, r := range rows {
			if fits(r) {
				return r, nil
			}
		}
		if len(rows) < page {
			return Row{}, nil
		}
		before = rows[page-1].ID
	}
}

// Course is what happened to a subject in the order of its revisions, without
// the kinds given, at least one. Of a long course it has the first events and
// the last ones, so many each.
func Course(tx *db.Tx, domain, subject, id string, without []string, first, last int) ([]Row, error) {
	text := "SELECT " + columns + " FROM events WHERE domain_id = ? AND subject = ? AND subject_id = ? AND kind NOT IN (?" + strings.Repeat(", ?", len(without)-1) + ")"
	args := []any{domain, subject, id}
	for _, k := range without {
		args = append(args, k)
	}
	rows, err := list(tx, text+" ORDER BY revision DESC, id DESC LIMIT ?", append(slices.Clone(args), last)...)
	if err != nil {
		return nil, err
	}
	slices.Reverse(rows)
	if len(rows) < last {
		return rows, nil
	}
	begin, err := list(tx, text+" ORDER BY revision, id LIMIT ?", append(slices.Clone(args), first)...)
	if i := slices.IndexFunc(begin, func(r Row) bool { return r.ID == rows[0].ID }); i >= 0 {
		begin = begin[:i]
	}
	return append(begin, rows...), err
}

// OfSubjects is what happened to several subjects of a domain, of each in the
// order of its revisions; sealed or not. limit bounds the events, 0 = all.
func OfSubjects(tx *db.Tx, domain, subject string, ids []string, limit int) ([]Row, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	// A join by domain and id: for IN, or with the domain beside, PostgreSQL read all
	// that ever happened in the domain while its statistics were of an emptier table.
	var args []any
	for _, id := range ids {
		args = append(args, domain, id)
	}
	text := "WITH wanted(in_domain, wanted_id) AS (VALUES (CAST(? AS TEXT), CAST(? AS TEXT))" + strings.Repeat(", (?, ?)", len(ids)-1) + ") SELECT " + columns +
		" FROM wanted JOIN events ON domain_id = in_domain AND subject = ? AND subject_id = wanted_id ORDER BY subject_id, revision, id"
	args = append(args, subject)
	if limit > 0 {
		text, args = text+" LIMIT ?", append(args, limit)
	}
	return list(tx, text, args...)
}

// After is the change feed: sealed events after a number, at most limit, in
// order. A reader that goes on from the last number it saw never misses and
// never repeats one. Of one domain the numbers are the domain's own
// (DomainSeq); domain "" reads all domains by Seq.
func After(tx *db.Tx, domain string, after int64, limit int) ([]Row, error) {
	after = max(after, 0)
	if domain == "" {
		return list(tx, "SELECT "+columns+" FROM events WHERE seq > ? AND seq > 0 ORDER BY seq LIMIT ? /* all domains: the feed of the house */", after, limit)
	}
	return list(tx, "SELECT "+columns+" FROM events WHERE domain_id = ? AND domain_seq > ? AND domain_seq > 0 ORDER BY domain_seq LIMIT ?", domain, after, limit)
}

// OfRequest are the events of one request about something of a domain, in the
// order in which they happened.
func OfRequest(tx *db.Tx, domain, subject, id, request string) ([]Row, error) {
	return list(tx, "SELECT "+columns+" FROM events WHERE domain_id = ? AND subject = ? AND subject_id = ? AND request_id = ? ORDER BY revision, id", domain, subject, id, request)
}

// Head is the newest number: of one domain, or of all for domain "". 0 = no
// event is sealed yet.
func Head(tx *db.Tx, domain string) (int64, error) {
	h, err := loadHead(tx, domain)
	return h.seq, err
}

// OfMany is what happened to several subjects of one kind, by domain and id,
// each in the order of its revisions, sealed or not.
func OfMany(tx *db.Tx, subject string, keys [][2]string) (map[[2]string][]Row, error) {
	out := map[[2]string][]Row{}
	if len(keys) == 0 {
		return out, nil
	}
	var args []any
	for _, k := range keys {
		args = append(args, k[0], k[1])
	}
	rows, err := list(tx, "WITH wanted(in_domain, wanted_id) AS (VALUES (CAST(? AS TEXT), CAST(? AS TEXT))"+strings.Repeat(", (?, ?)", len(keys)-1)+") SELECT "+columns+
		" FROM wanted JOIN events ON domain_id = in_domain AND subject = ? AND subject_id = wanted_id ORDER BY revision, id", append(args, subject)...)
	for _, r := range rows {
		k := [2]string{r.Domain, r.SubjectID}
		out[k] = append(out[k], r)
	}
	return out, err
}

// OfSubjectKinds is what happened in a domain to some subjects, of some kinds, up
// to an instant, oldest first, sealed or not.
func OfSubjectKinds(tx *db.Tx, domain string, subjects, kinds []string, until int64) ([]Row, error) {
	args := []any{domain}
	for _, s := range append(append([]string{}, subjects...), kinds...) {
		args = append(args, s)
	}
	return list(tx, "SELECT "+columns+" FROM events WHERE domain_id = ? AND subject IN (?"+strings.Repeat(", ?", len(subjects)-1)+") AND kind IN (?"+
		strings.Repeat(", ?", len(kinds)-1)+") AND at <= ? ORDER BY at, id", append(args, until)...)
}

// Query asks for events of one domain.
type Query struct {
	Kinds     []string // at least one
	From, To  int64    // milliseconds UTC, both included
	Actor     string   // "" = whoever
	Customers bool     // only what the domain's own users did
	Subject   string   // "" = whatever
	SubjectID string   // with Subject
	Before    string   // id to go on behind, "" = from the newest
	FirstID   string   // the least id that can match, for the index; "" = any
	Limit     int
}

// Find is a page of a domain's events, newest first by their ids, sealed or not.
func Find(tx *db.Tx, domain string, q Query) ([]Row, error) {
	cond, args := "domain_id = ? AND at >= ? AND at <= ? AND kind IN (?"+strings.Repeat(", ?", len(q.Kinds)-1)+")", []any{domain, q.From, q.To}
	for _, k := range q.Kinds {
		args = append(args, k)
	}
	for _, c := range []struct {
		sql, value string
	}{{" AND actor = ?", q.Actor}, {" AND subject = ?", q.Subject}, {" AND subject_id = ?", q.SubjectID}, {" AND id < ?", q.Before}, {" AND id >= ?", q.FirstID}} {
		if c.value != "" {
			cond, args = cond+c.sql, append(args, c.value)
		}
	}
	if q.Customers {
		cond, args = cond+" AND actor_kind = ?", append(args, int64(principal.Customer))
	}
	return list(tx, "SELECT "+columns+" FROM events WHERE "+cond+" ORDER BY id DESC LIMIT ? /* domain_id is in the condition */", append(args, q.Limit)...)
}

// OfKind is what happened in a domain of one kind up to an instant, oldest
// first, sealed or not.
func OfKind(tx *db.Tx, domain, subject, kind string, until int64) ([]Row, error) {
	return list(tx, "SELECT "+columns+" FROM events WHERE domain_id = ? AND subject = ? AND kind = ? AND at <= ? ORDER BY at, id", domain, subject, kind, until)
}

// OfActor is a page of what somebody did in a domain, behind an event by its id,
// sealed or not.
func OfActor(tx *db.Tx, domain, actor, after string, limit int) ([]Row, error) {
	return list(tx, "SELECT "+columns+" FROM events WHERE domain_id = ? AND actor = ? AND id > ? ORDER BY id LIMIT ?", domain, actor, after, limit)
}
