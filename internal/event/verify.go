package event

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"math"
	"slices"

	"casemate/internal/db"
)

// Damage is what is wrong at a place of the chain.
type Damage string

// The kinds of damage. Who changes the store without the key can leave traces
// that look like several of them; that there is one is certain.
const (
	Changed  Damage = "changed"  // the event is not what was sealed
	Removed  Damage = "removed"  // events are missing in the middle
	Inserted Damage = "inserted" // the event was never sealed
	Moved    Damage = "moved"    // the event was sealed at another place
	Cut      Damage = "cut"      // events are missing at the end
	BadHead  Damage = "head"     // the end of a numbering is not that of its events
	Forged   Damage = "anchor"   // a line of a file of anchors or checkpoints is not genuine
	Unsigned Damage = "signed"   // the events up to here are not those a checkpoint signed
)

// Break is a place where the chain does not hold.
type Break struct {
	Seq    int64 // number over all domains; 0 or less: not in the chain at all
	Damage Damage
	Domain string // of the event there, if there is one
	ID     string
	Why    string // English, for the operator
}

// place sorts what is not in the chain behind what is.
func (b Break) place() int64 {
	if b.Seq <= 0 {
		return math.MaxInt64
	}
	return b.Seq
}

// breaksMost bounds a report's list; Damages counts them all.
const breaksMost = 1000

// Report is what Verify found.
type Report struct {
	Events   int64 // sealed events read
	Unsealed int64 // events not sealed yet: the chain says nothing about them
	Last     int64 // the newest number
	Anchors  int   // genuine anchors that were compared
	// Checkpoints are genuine ones that were compared.
	Checkpoints int
	Damages     int // places that do not hold
	Broken      []Break
}

// OK tells whether the chain holds.
func (r Report) OK() bool { return r.Damages == 0 }

func (r Report) String() string {
	if r.OK() {
		return fmt.Sprintf("%d events, the chain holds up to number %d (%d anchors, %d checkpoints, %d events not sealed yet)", r.Events, r.Last, r.Anchors, r.Checkpoints, r.Unsealed)
	}
	b := r.Broken[0]
	return fmt.Sprintf("%d events, %d places do not hold, the first at number %d (%s): %s", r.Events, r.Damages, b.Seq, b.Damage, b.Why)
}

// Verify recomputes the chain over all sealed events, compares it with its
// heads, with the anchors of the files and with signed checkpoints, and names the
// places where it does not hold, the first one first. It reads one snapshot while others go on
// writing. An error means that it could not look, not that something is wrong.
func Verify(ctx context.Context, d *db.DB, key []byte, anchorFiles ...string) (Report, error) {
	return VerifySigned(ctx, d, key, nil, nil, anchorFiles...)
}

// VerifySigned is Verify with checkpoints of files as well.
func VerifySigned(ctx context.Context, d *db.DB, key []byte, public ed25519.PublicKey, checkpointFiles []string, anchorFiles ...string) (Report, error) {
	v := verifier{key: key}
	for _, path := range checkpointFiles {
		found, err := readCheckpoints(path)
		if err != nil {
			return Report{}, err
		}
		v.addCheckpoints(public, path, found)
	}
	for _, path := range anchorFiles {
		found, err := readAnchors(path)
		if err != nil {
			return Report{}, err
		}
		v.add(path, found)
	}
	// The anchors were read first, so every one of them is older than the snapshot.
	err := d.View(ctx, v.run)
	return v.report, err
}

type verifier struct {
	key     []byte
	anchors []Anchor // genuine, by number
	report  Report
	broken  []suspect // events that do not link, to tell moved from changed

	next      int64  // the number that must come
	before    string // hash stored with the event before
	computed  string // hash that event should have
	known     bool   // whether the event before is there
	domainSeq map[string]int64

	checkpoints []Checkpoint // genuine, by number
	digest      string       // of the events so far
	folded      int64        // number of the last of them
	signed      int64        // number of the last checkpoint that was compared
}

// suspect is an event that does not link and the hashes it could follow.
type suspect struct {
	row              Row
	before, computed string
	at               int // in report.Broken
}

func (v *verifier) add(path string, found []Anchor) {
	for i, a := range found {
		if a.Seq == 0 || !a.genuine(v.key) {
			v.bad(Break{Seq: a.Seq, Damage: Forged, Why: fmt.Sprintf("line %d of %s is not a genuine anchor", i+1, path)})
			continue
		}
		v.anchors = append(v.anchors, a)
	}
}

func (v *verifier) bad(b Break) {
	v.report.Damages++
	if len(v.report.Broken) < breaksMost {
		v.report.Broken = append(v.report.Broken, b)
	}
}

func (v *verifier) run(tx *db.Tx) error {
	slices.SortFunc(v.anchors, func(a, b Anchor) int { return cmp.Compare(a.Seq, b.Seq) })
	v.report.Anchors = len(v.anchors)
	v.sortCheckpoints()
	v.next, v.known, v.domainSeq = 1, true, map[string]int64{}
	var group []Row // events with the same number: one, if all is well
	last := Row{}
	const chunk = 1000
	for {
		rows, err := list(tx, "SELECT "+columns+` FROM events WHERE seq > 0 AND seq >= ? AND (seq, domain_id, id) > (?, ?, ?)
			ORDER BY seq, domain_id, id LIMIT ? /* all domains: the chain */`, last.Seq, last.Seq, last.Domain, last.ID, chunk)
		if err != nil {
			return err
		}
		for _, r := range rows {
			v.report.Events++
			if len(group) > 0 && group[0].Seq != r.Seq {
				v.number(group)
				group = group[:0]
			}
			group = append(group, r)
			last = r
		}
		if len(rows) < chunk {
			break
		}
	}
	if len(group) > 0 {
		v.number(group)
	}
	if err := v.rest(tx); err != nil {
		return err
	}
	v.moved()
	slices.SortStableFunc(v.report.Broken, func(a, b Break) int { return cmp.Compare(a.place(), b.place()) })
	return nil
}

// number checks the events that bear one number.
func (v *verifier) number(group []Row) {
	seq := group[0].Seq
	if seq > v.next {
		why := fmt.Sprintf("%d events from here to number %d are missing; what stands at number %d cannot be checked", seq-v.next, seq-1, seq)
		v.bad(Break{Seq: v.next, Damage: Removed, Why: why})
		v.known = false
	}
	// The genuine one of several is the one that links.
	at := slices.IndexFunc(group, v.links)
	genuine := at >= 0
	if !genuine {
		at = 0
	}
	for i, r := range group {
		if i != at {
			v.bad(Break{Seq: seq, Damage: Inserted, Domain: r.Domain, ID: r.ID, Why: "a second event bears this number"})
		}
	}
	r := group[at]
	if !genuine {
		v.broken = append(v.broken, suspect{row: r, before: v.before, computed: v.computed, at: len(v.report.Broken)})
		v.bad(Break{Seq: seq, Damage: Changed, Domain: r.Domain, ID: r.ID, Why: "the event is not what was sealed here"})
	}
	for len(v.anchors) > 0 && v.anchors[0].Seq <= seq {
		if a := v.anchors[0]; a.Seq == seq && a.Hash != r.Hash {
			v.bad(Break{Seq: seq, Damage: Changed, Domain: r.Domain, ID: r.ID, Why: "the chain does not pass its anchor"})
		}
		v.anchors = v.anchors[1:]
	}
	v.signedUpTo(r)
	v.computed = link(v.key, v.before, r)
	v.before, v.known = r.Hash, true
	v.next = seq + 1
	v.report.Last = seq
	v.domainSeq[r.Domain] = max(v.domainSeq[r.Domain], r.DomainSeq)
}

// links tells whether the event follows the one before. If that one's own hash
// was spoilt, the hash it should have counts too, so that the damage is named
// once.
func (v *verifier) links(r Row) bool {
	if !v.known {
		return true // nothing to check against; the gap is reported
	}
	return link(v.key, v.before, r) == r.Hash || v.computed != v.before && link(v.key, v.computed, r) == r.Hash
}

// rest checks what does not stand in the sequence: heads, anchors behind the
// end, numbers that no sealer gives.
func (v *verifier) rest(tx *db.Tx) error {
	odd, err := list(tx, "SELECT "+columns+" FROM events WHERE seq < 0 OR seq = 0 AND (domain_seq <> 0 OR hash <> '') /* all domains: the chain */")
	if err != nil {
		return err
	}
	for _, r := range odd {
		v.bad(Break{Seq: r.Seq, Damage: Inserted, Domain: r.Domain, ID: r.ID, Why: "no sealer leaves an event like this"})
	}
	if err := tx.Get("SELECT count(*) FROM events WHERE seq = 0 /* all domains: the chain */").Scan(&v.report.Unsealed); err != nil {
		return err
	}
	all := head{}
	heads := map[string]int64{}
	err = tx.List(func(r db.Row) error {
		var (
			d string
			h head
		)
		if err := r.Scan(&d, &h.seq, &h.hash); err != nil {
			return err
		}
		if d == "" {
			all = h
		} else {
			heads[d] = h.seq
		}
		return nil
	}, "SELECT domain_id, seq, hash FROM event_heads")
	if err != nil {
		return err
	}
	switch end := v.report.Last; {
	case all.seq > end:
		v.bad(Break{Seq: end + 1, Damage: Cut, Why: fmt.Sprintf("the chain ends before this, its head says number %d", all.seq)})
	case all.seq < end || all.hash != v.before:
		v.bad(Break{Seq: end, Damage: BadHead, Why: fmt.Sprintf("the chain ends here, its head says number %d or another hash", all.seq)})
	}
	if len(v.anchors) > 0 {
		a := v.anchors[len(v.anchors)-1]
		v.bad(Break{Seq: v.report.Last + 1, Damage: Cut, Why: fmt.Sprintf("the chain ends before this, an anchor says number %d", a.Seq)})
	}
	v.missing()
	end := max(v.report.Last, all.seq)
	for d, n := range v.domainSeq {
		if heads[d] != n {
			v.bad(Break{Seq: end, Damage: BadHead, Domain: d, Why: fmt.Sprintf("the domain's events end with its number %d, its head says %d", n, heads[d])})
		}
		delete(heads, d)
	}
	for d, n := range heads {
		v.bad(Break{Seq: end, Damage: BadHead, Domain: d, Why: fmt.Sprintf("the domain has no events, its head says number %d", n)})
	}
	return nil
}

// moved finds, among the events that do not link, those that belong to another
// one's place. It compares the first few hundred only.
func (v *verifier) moved() {
	s := v.broken[:min(len(v.broken), 200)]
	hashes := map[string]bool{}
	for _, x := range s {
		hashes[x.row.Hash] = true
	}
	for _, place := range s {
		for _, other := range s {
			if place.row.ID == other.row.ID {
				continue
			}
			r := other.row
			r.Seq, r.DomainSeq = place.row.Seq, place.row.DomainSeq
			if other.at < len(v.report.Broken) && (hashes[link(v.key, place.before, r)] || hashes[link(v.key, place.computed, r)]) {
				b := &v.report.Broken[other.at]
				b.Damage, b.Why = Moved, fmt.Sprintf("the event was sealed as number %d", r.Seq)
			}
		}
	}
}
