package event

import (
	"strings"

	"casemate/internal/db"
)

// Filter of Browse. Zero values do not filter.
type Filter struct {
	Domain    string
	Actor     string // user id
	Kind      string // a kind, or with .* at its end all that begin so
	Subject   string
	SubjectID string // with Subject and Domain
	From, To  int64  // milliseconds UTC: from it on, and before it
	Before    int64  // only smaller numbers
	Limit     int
}

// Browse is a page of the sealed events of all domains, newest number first.
func Browse(tx *db.Tx, f Filter) ([]Row, error) {
	cond, args := "seq > 0", []any{}
	and := func(sql string, v any) { cond, args = cond+" AND "+sql, append(args, v) }
	if f.Domain != "" {
		and("domain_id = ?", f.Domain)
	}
	if f.Actor != "" {
		and("actor = ?", f.Actor)
	}
	if family, ok := strings.CutSuffix(f.Kind, ".*"); ok {
		cond, args = cond+" AND kind >= ? AND kind < ?", append(args, family+".", family+"/")
	} else if f.Kind != "" {
		and("kind = ?", f.Kind)
	}
	if f.Subject != "" {
		and("subject = ?", f.Subject)
		and("subject_id = ?", f.SubjectID)
	}
	if f.From > 0 {
		and("at >= ?", f.From)
	}
	if f.To > 0 {
		and("at < ?", f.To)
	}
	if f.Before > 0 {
		and("seq < ?", f.Before)
	}
	return list(tx, "SELECT "+columns+" FROM events /* all domains: the administrators' audit */ WHERE "+cond+" ORDER BY seq DESC LIMIT ?", append(args, f.Limit)...)
}

// State is how the chain stands.
type State struct {
	Sealed   int64 // number of the last sealed event
	Unsealed int64 // waiting for one, counted up to 1,000
	At       int64 // when the last sealed event happened, milliseconds UTC
	Hash     string
	From     int64 // number of the first event whose link was checked here
	Holds    bool  // the links of the newest events agree, and the head with them
}

// stateRows is how many of the newest links StateOf checks.
const stateRows = 1000

// StateOf reads how far the chain is sealed and checks the links of its newest
// events, up to 1,000. Verify checks them all.
func StateOf(tx *db.Tx, key []byte) (s State, err error) {
	head, err := loadHead(tx, "")
	if err != nil {
		return s, err
	}
	s = State{Sealed: head.seq, Hash: head.hash, Holds: true}
	if err := tx.Get("SELECT count(*) FROM (SELECT 1 FROM events /* all domains: the sealer */ WHERE seq = 0 LIMIT 1000) AS u").Scan(&s.Unsealed); err != nil {
		return s, err
	}
	rows, err := list(tx, "SELECT "+columns+" FROM events /* all domains: the chain */ WHERE seq > 0 ORDER BY seq DESC LIMIT ?", stateRows+1)
	if err != nil || len(rows) == 0 {
		s.Holds = head.seq == 0
		return s, err
	}
	newest := rows[0]
	s.At, s.From = newest.At, rows[len(rows)-1].Seq
	s.Holds = newest.Seq == head.seq && newest.Hash == head.hash
	for i, r := range rows {
		before := ""
		switch {
		case i+1 < len(rows):
			before = rows[i+1].Hash
			s.Holds = s.Holds && rows[i+1].Seq == r.Seq-1
		case r.Seq > 1:
			s.From++ // the link of the eldest one leads to an event that was not read
			continue
		}
		s.Holds = s.Holds && link(key, before, r) == r.Hash
	}
	return s, nil
}
