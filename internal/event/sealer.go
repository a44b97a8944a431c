package event

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"casemate/internal/db"
)

// The sealer's measures.
const (
	sealMost  = 200                    // events of one write: others wait little
	sealEvery = 200 * time.Millisecond // it polls as well: a wake-up may be lost
	gather    = 50 * time.Millisecond  // a wake-up waits so long for more: one write for many events
	leaseName = "event.sealer"
	leaseTime = 3 * time.Second
	// A leader whose lease does not end (its clock was ahead and it died) is
	// passed over after so many polls in a row that found its work undone and the
	// chain where it was, for so many polls. That is safe: two sealers at once never
	// give a number twice.
	passOver    = 25
	passOverFor = 1500
)

// Sealer numbers and chains events: one node at a time, by lease.
type Sealer struct {
	db   *db.DB
	key  []byte
	node string
	log  *slog.Logger

	anchors anchors

	leased  time.Time // when the lease was last renewed
	undone  int       // polls in a row that found work undone by another leader
	seen    int64     // the chain's number then: a busy leader always has work, but goes on
	passing int       // polls for which the lease does not count
	failing bool      // the last try failed: logged once
}

// NewSealer makes a sealer. The key, of at least 32 bytes, must not be in the
// database: who can write there could forge the chain with it.
func NewSealer(d *db.DB, key []byte, node string, log *slog.Logger) *Sealer {
	return &Sealer{db: d, key: key, node: node, log: log}
}

// Run seals until the context ends, at most 200 ms behind each commit while a
// leader lives; a dead leader is replaced within 5 s. Errors of the database
// are logged and tried again.
func (s *Sealer) Run(ctx context.Context) error {
	if err := s.anchors.open(); err != nil {
		return err
	}
	defer s.anchors.close()
	wake := s.db.Wake(Wake)
	tick := time.NewTicker(sealEvery)
	defer tick.Stop()
	for {
		polled := false
		select {
		case <-ctx.Done():
			return s.resign(context.WithoutCancel(ctx))
		case <-wake:
			select {
			case <-ctx.Done():
			case <-time.After(gather):
			}
		case <-tick.C:
			polled = true
		}
		err := s.round(ctx, polled)
		if err != nil && ctx.Err() == nil && !s.failing {
			s.log.Warn("sealing events", "error", err)
		}
		s.failing = err != nil
	}
}

// resign leaves an anchor and the lease to the next leader.
func (s *Sealer) resign(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if s.leased.IsZero() {
		return nil
	}
	err := s.anchorIfDue(ctx, true)
	return errors.Join(err, s.db.Release(ctx, leaseName, s.node))
}

// round seals all that waits, if this node leads.
func (s *Sealer) round(ctx context.Context, polled bool) error {
	waiting, chain := 0, head{}
	err := s.db.View(ctx, func(tx *db.Tx) (err error) { // most polls find nothing: do not trouble the writer
		if err = tx.Get("SELECT count(*) FROM (SELECT 1 FROM events WHERE seq = 0 LIMIT 1) AS w /* all domains: the sealer */").Scan(&waiting); err == nil && waiting > 0 && polled {
			chain, err = loadHead(tx, "")
		}
		return err
	})
	if err != nil {
		return err
	}
	if polled && s.passing > 0 {
		s.passing--
	}
	if waiting == 0 {
		s.undone = 0
		if s.leased.IsZero() {
			return nil
		}
		return s.anchorIfDue(ctx, false)
	}
	leads, err := s.lead(ctx)
	if err != nil {
		return err
	}
	if !leads && polled {
		if chain.seq != s.seen {
			s.undone, s.seen = 0, chain.seq
		}
		if s.undone++; s.undone == passOver {
			s.log.Warn("the leading sealer does not seal: passed over")
			s.passing = passOverFor
		}
	}
	for leads || s.passing > 0 {
		n, err := s.SealOnce(ctx)
		if err != nil {
			return err
		}
		s.anchors.behind += int64(n)
		if err := s.anchorIfDue(ctx, false); err != nil {
			return err
		}
		if n < sealMost {
			break
		}
		if leads, err = s.lead(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lead takes or keeps the lease.
func (s *Sealer) lead(ctx context.Context) (bool, error) {
	now := s.db.Now()
	if since := now.Sub(s.leased); !s.leased.IsZero() && since >= 0 && since < leaseTime/3 {
		return true, nil
	}
	leads, err := s.db.Lease(ctx, leaseName, s.node, leaseTime)
	if err != nil || !leads {
		s.leased = time.Time{}
		return false, err
	}
	s.leased = now
	return true, nil
}

// SealOnce numbers and chains what waits, at most 200 events, and tells how
// many. All of a write is done or nothing. Two nodes at once do no harm: an
// event is sealed only while it has no number, a head moved only from where it
// was read; who comes second starts over.
func (s *Sealer) SealOnce(ctx context.Context) (int, error) {
	n, err := s.sealOnce(ctx)
	if errors.Is(err, db.ErrRows) || errors.Is(err, db.ErrTaken) {
		return 0, nil // another sealer was faster each time: nothing is lost
	}
	return n, err
}

func (s *Sealer) sealOnce(ctx context.Context) (int, error) {
	return db.Do(ctx, s.db, func(tx *db.Tx) (int, error) {
		rows, err := unsealed(tx)
		if err != nil || len(rows) == 0 {
			return 0, err
		}
		heads, err := loadHeads(tx, rows)
		if err != nil {
			return 0, err
		}
		all := heads[""]
		for i := range rows {
			r := &rows[i]
			mine := heads[r.Domain]
			all.seq++
			mine.seq++
			r.Seq, r.DomainSeq = all.seq, mine.seq
			r.Hash = link(s.key, all.hash, *r)
			all.hash, mine.hash = r.Hash, r.Hash
			tx.Write(1, "UPDATE events SET seq = ?, domain_seq = ?, hash = ? WHERE domain_id = ? AND id = ? AND seq = 0", r.Seq, r.DomainSeq, r.Hash, r.Domain, r.ID)
		}
		for _, d := range sortedKeys(heads) { // in one order, so that two sealers do not deadlock
			h := heads[d]
			if h.was == 0 {
				tx.Write(1, "INSERT INTO event_heads (domain_id, seq, hash) VALUES (?, ?, ?)", d, h.seq, h.hash)
			} else {
				tx.Write(1, "UPDATE event_heads SET seq = ?, hash = ? WHERE domain_id = ? AND seq = ?", h.seq, h.hash, d, h.was)
			}
		}
		tx.Wake(Sealed)
		return len(rows), nil
	})
}

// unsealed is what is sealed next, in the order to seal it.
func unsealed(tx *db.Tx) ([]Row, error) {
	rows, err := list(tx, "SELECT "+columns+" FROM events WHERE seq = 0 ORDER BY id LIMIT ? /* all domains: the sealer */", sealMost)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	if len(rows) == sealMost {
		more, err := overtaken(tx, rows)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	order(rows)
	return rows[:min(len(rows), sealMost)], nil
}

// overtaken are the events that the limit cut off behind a later revision of
// their subject: a node whose clock is ahead writes larger ids for earlier
// revisions. Their subjects are looked up one by one: the cost follows the batch,
// not how much waits, else a sealer that is behind falls back further.
func overtaken(tx *db.Tx, batch []Row) ([]Row, error) {
	sql, args := overtakenQuery(batch)
	if sql == "" {
		return nil, nil
	}
	found, err := list(tx, sql, args...)
	last := batch[len(batch)-1].ID
	return slices.DeleteFunc(found, func(r Row) bool { return r.ID <= last }), err
}

// overtakenQuery finds what waits of the batch's subjects with a revision before
// their newest there; "" when there can be nothing.
func overtakenQuery(batch []Row) (sql string, args []any) {
	newest := map[[3]string]int64{}
	var subjects [][3]string
	for _, r := range batch {
		k := [3]string{r.Domain, r.Subject, r.SubjectID}
		if r.Revision > 1 && newest[k] <= 1 {
			subjects = append(subjects, k)
		}
		newest[k] = max(newest[k], r.Revision)
	}
	if len(subjects) == 0 {
		return "", nil
	}
	for _, k := range subjects {
		args = append(args, k[0], k[1], k[2], newest[k])
	}
	n := len(subjects)
	for ; n&(n-1) != 0; n++ { // few texts, so that they stay prepared
		args = append(args, "", "", "", 0)
	}
	// seq + 0: the index of what waits is no way to a subject, however few wait by the statistics.
	// CROSS JOIN: SQLite goes from the subjects to the events, not over all events.
	return "WITH wanted(in_domain, of_subject, of_id, newest) AS (VALUES (CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT))" +
		strings.Repeat(", (?, ?, ?, ?)", n-1) + ") SELECT " + columns + ` FROM wanted CROSS JOIN events
		WHERE domain_id = in_domain AND subject = of_subject AND subject_id = of_id AND revision > 0 AND revision < newest AND seq + 0 = 0 /* all domains: the sealer */`, args
}

// order sorts by id, and the events of one subject that carry revisions by
// these: they take each other's places. So a beginning of the list is right
// for every subject in it.
func order(rows []Row) {
	slices.SortFunc(rows, func(a, b Row) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Domain, b.Domain)) })
	places := map[[3]string][]int{}
	for i, r := range rows {
		if r.Revision > 0 {
			k := [3]string{r.Domain, r.Subject, r.SubjectID}
			places[k] = append(places[k], i)
		}
	}
	for _, at := range places {
		mine := make([]Row, len(at))
		for i, p := range at {
			mine[i] = rows[p]
		}
		slices.SortStableFunc(mine, func(a, b Row) int { return cmp.Compare(a.Revision, b.Revision) })
		for i, p := range at {
			rows[p] = mine[i]
		}
	}
}

// head is the end of a numbering; was is the number it was read with.
type head struct {
	seq, was int64
	hash     string
}

func loadHead(tx *db.Tx, domain string) (head, error) {
	var h head
	err := tx.Get("SELECT seq, hash FROM event_heads WHERE domain_id = ?", domain).Scan(&h.seq, &h.hash)
	if errors.Is(err, db.ErrNone) {
		err = nil
	}
	h.was = h.seq
	return h, err
}

// loadHeads reads the heads that sealing the rows moves, in one query.
func loadHeads(tx *db.Tx, rows []Row) (map[string]*head, error) {
	heads := map[string]*head{"": {}}
	domains := []any{""}
	for _, r := range rows {
		if heads[r.Domain] == nil {
			heads[r.Domain] = &head{}
			domains = append(domains, r.Domain)
		}
	}
	for len(domains)&(len(domains)-1) != 0 {
		domains = append(domains, "") // few texts, so that they stay prepared
	}
	err := tx.List(func(r db.Row) error {
		var (
			d string
			h head
		)
		if err := r.Scan(&d, &h.seq, &h.hash); err != nil {
			return err
		}
		h.was = h.seq
		heads[d] = &h
		return nil
	}, "SELECT domain_id, seq, hash FROM event_heads WHERE domain_id IN (?"+strings.Repeat(", ?", len(domains)-1)+")", domains...)
	return heads, err
}

func sortedKeys(heads map[string]*head) []string {
	keys := make([]string, 0, len(heads))
	for d := range heads {
		keys = append(keys, d)
	}
	slices.Sort(keys)
	return keys
}
