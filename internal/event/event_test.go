package event_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/event"
	"casemate/internal/principal"
)

var (
	key   = []byte("0123456789abcdef0123456789abcdef")
	quiet = slog.New(slog.NewTextHandler(io.Discard, nil))
	who   = principal.Principal{Kind: principal.Customer, Domain: "d1", User: "u1", Address: "203.0.113.9", RequestID: "req-1"}
)

func record(t testing.TB, d *db.DB, events ...event.Event) {
	t.Helper()
	err := d.Update(context.Background(), func(tx *db.Tx) error {
		for _, e := range events {
			event.Record(tx, who, e)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func sealAll(t testing.TB, s *event.Sealer) (n int) {
	t.Helper()
	for {
		k, err := s.SealOnce(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if k == 0 {
			return n
		}
		n += k
	}
}

func after(t testing.TB, d *db.DB, domain string, from int64, limit int) (rows []event.Row) {
	t.Helper()
	err := d.View(context.Background(), func(tx *db.Tx) error {
		var err error
		rows, err = event.After(tx, domain, from, limit)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func holds(t testing.TB, d *db.DB, files ...string) event.Report {
	t.Helper()
	rep, err := event.Verify(context.Background(), d, key, files...)
	if err != nil {
		t.Fatal(err)
	}
	if !rep.OK() {
		t.Fatalf("the chain does not hold: %v %+v", rep, rep.Broken)
	}
	return rep
}

func TestRecordAndSeal(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC)
	clock := dbtest.NewClock(at)
	dbtest.EachWith(t, db.Options{Now: clock.Now}, func(t *testing.T, d *db.DB) {
		s := event.NewSealer(d, key, "n1", quiet)
		record(t, d,
			event.Event{Domain: "d1", Kind: "ticket.create", Subject: "ticket", SubjectID: "t1", Revision: 1, LogCode: 0, Data: map[string]any{"标签": []int{1, 2}}},
			event.Event{Domain: "d2", Kind: "ticket.create", Subject: "ticket", SubjectID: "t2", Revision: 1, LogCode: 0},
			event.Event{Kind: "catalog.apply", Subject: "catalog", SubjectID: "1", LogCode: event.NoLog})
		if got := after(t, d, "", 0, 10); len(got) != 0 {
			t.Fatalf("events are in the feed before they are sealed: %v", got)
		}
		if n := sealAll(t, s); n != 3 {
			t.Fatalf("sealed %d, want 3", n)
		}
		record(t, d, event.Event{Domain: "d1", Kind: "ticket.close", Subject: "ticket", SubjectID: "t1", Revision: 2, LogCode: 3})
		sealAll(t, s)
		var got []string
		for _, r := range after(t, d, "", 0, 10) {
			got = append(got, fmt.Sprint(r.Seq, " ", r.Domain, " ", r.DomainSeq, " ", r.Kind, " ", r.SubjectID, " ", r.Revision, " ", r.LogCode, " ", string(r.Data), " ", r.ActorKind, " ", r.Actor, " ", r.Address, " ", r.RequestID, " ", r.At))
		}
		ms := fmt.Sprint(at.UnixMilli())
		want := []string{
			`1 d1 1 ticket.create t1 1 0 {"标签":[1,2]} customer u1 203.0.113.9 req-1 ` + ms,
			`2 d2 1 ticket.create t2 1 0 {} customer u1 203.0.113.9 req-1 ` + ms,
			`3 house 1 catalog.apply 1 0 -1 {} customer u1 203.0.113.9 req-1 ` + ms,
			`4 d1 2 ticket.close t1 2 3 {} customer u1 203.0.113.9 req-1 ` + ms,
		}
		if !slices.Equal(got, want) {
			t.Errorf("feed:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if rows := after(t, d, "d1", 1, 10); len(rows) != 1 || rows[0].Kind != "ticket.close" || rows[0].Seq != 4 {
			t.Errorf("feed of d1 after 1: %v", rows)
		}
		if rows := after(t, d, "", 1, 2); len(rows) != 2 || rows[1].Seq != 3 {
			t.Errorf("page of the feed: %v", rows)
		}
		if rep := holds(t, d); rep.Events != 4 || rep.Last != 4 {
			t.Errorf("report %+v", rep)
		}
		if rep, err := event.Verify(t.Context(), d, []byte("another key")); err != nil || rep.Damages < 4 {
			t.Errorf("with another key: %+v, %v", rep, err)
		}
		err := d.View(t.Context(), func(tx *db.Tx) error {
			for domain, want := range map[string]int64{"": 4, "d1": 2, "d2": 1, "none": 0} {
				if n, err := event.Head(tx, domain); err != nil || n != want {
					t.Errorf("head of %q is %d, %v, want %d", domain, n, err, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestLink compares the hash with one made from the description of the
// encoding: each text behind its length, each number as eight bytes.
func TestLink(t *testing.T) {
	t.Parallel()
	r := event.Row{Domain: "d", ID: "i", Kind: "k", Subject: "s", SubjectID: "si", Revision: 7, LogCode: -1, ActorKind: 2,
		Actor: "a", Address: "ad", RequestID: "r", At: 99, Data: json.RawMessage(`{"x":1}`), Seq: 5, DomainSeq: 3}
	h := hmac.New(sha256.New, key)
	for _, v := range []any{"casemate event 1", "before", int64(5), int64(3), "d", "i", "k", "s", "si", int64(7), int64(-1), int64(2), "a", "ad", "r", int64(99), `{"x":1}`} {
		if s, ok := v.(string); ok {
			_ = binary.Write(h, binary.BigEndian, int64(len(s)))
			_, _ = h.Write([]byte(s))
		} else {
			_ = binary.Write(h, binary.BigEndian, v)
		}
	}
	if got, want := event.Link(key, "before", r), base64.RawURLEncoding.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
}

func TestOfSubject(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var events []event.Event
		for i := range 25 {
			code := i % 3
			if code == 1 {
				code = event.NoLog
			}
			events = append(events, event.Event{Domain: "d1", Kind: fmt.Sprint("k", i), Subject: "ticket", SubjectID: "t", Revision: int64(i/2 + 1), LogCode: code})
		}
		events = append(events,
			event.Event{Domain: "d2", Kind: "stranger", Subject: "ticket", SubjectID: "t", Revision: 1},
			event.Event{Domain: "d1", Kind: "other subject", Subject: "label", SubjectID: "t", Revision: 1},
			event.Event{Domain: "d1", Kind: "other ticket", Subject: "ticket", SubjectID: "t2", Revision: 1})
		record(t, d, events...)
		page := func(logOnly, newest bool, offset, limit int) (kinds []string, total int) {
			err := d.View(t.Context(), func(tx *db.Tx) error {
				rows, n, err := event.OfSubject(tx, "d1", "ticket", "t", logOnly, newest, offset, limit)
				kinds, total = nil, n
				for _, r := range rows {
					kinds = append(kinds, r.Kind)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return kinds, total
		}
		for _, tt := range []struct {
			logOnly, newest bool
			offset, limit   int
			want            string
			total           int
		}{
			{false, false, 0, 3, "k0 k1 k2", 25},
			{false, true, 0, 3, "k24 k23 k22", 25},
			{true, false, 0, 4, "k0 k2 k3 k5", 17},
			{true, true, 2, 3, "k21 k20 k18", 17},
			{true, true, 16, 10, "k0", 17},
			{true, true, 17, 10, "", 17},
		} {
			got, total := page(tt.logOnly, tt.newest, tt.offset, tt.limit)
			if strings.Join(got, " ") != tt.want || total != tt.total {
				t.Errorf("%+v: got %v of %d", tt, got, total)
			}
		}
	})
}

// TestCourse: what may be many and changes nothing crowds nothing out, and of a
// long course the beginning and the end are there, each event once.
func TestCourse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var events []event.Event
		for i := range 30 {
			kind := fmt.Sprint("k", i)
			if i%3 > 0 {
				kind = "look"
			}
			events = append(events, event.Event{Domain: "d1", Kind: kind, Subject: "ticket", SubjectID: "t", Revision: int64(i + 1), LogCode: event.NoLog})
		}
		record(t, d, events...)
		for _, tt := range []struct {
			first, last int
			want        string
		}{
			{2, 3, "k0 k3 k21 k24 k27"},
			{2, 10, "k0 k3 k6 k9 k12 k15 k18 k21 k24 k27"},
			{2, 11, "k0 k3 k6 k9 k12 k15 k18 k21 k24 k27"},
			{5, 8, "k0 k3 k6 k9 k12 k15 k18 k21 k24 k27"},
		} {
			var got []string
			var newest []event.Row
			total := 0
			err := d.View(t.Context(), func(tx *db.Tx) error {
				rows, err := event.Course(tx, "d1", "ticket", "t", []string{"look", "k99"}, tt.first, tt.last)
				got = nil
				for _, r := range rows {
					got = append(got, r.Kind)
				}
				if err != nil {
					return err
				}
				newest, total, err = event.Latest(tx, "d1", "ticket", "t", 2, 2)
				return err
			})
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("%d, %d: %v %v", tt.first, tt.last, got, err)
			}
			if total != 30 || len(newest) != 2 || newest[0].Kind != "k27" || newest[1].Kind != "look" {
				t.Errorf("the newest: %d %+v", total, newest)
			}
		}
	})
}

// TestOrderByRevision: ids from clocks that disagree must not turn the events
// of one subject round, neither in one write of the sealer nor over several.
func TestOrderByRevision(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		rng := rand.New(rand.NewPCG(7, 7))
		const subjects, revisions = 12, 60
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			for s := range subjects {
				for r := range revisions {
					// Half of the subject's changes were written on a node whose clock is far ahead.
					ms := 1000*r + rng.IntN(2)*600_000
					id := fmt.Sprintf("%012d-%02d-%03d", ms, s, r)
					tx.Write(1, `INSERT INTO events (domain_id, id, kind, subject, subject_id, revision, log_code, actor_kind, actor, address, request_id, at, data, seq, domain_seq, hash)
						VALUES (?, ?, 'k', 'ticket', ?, ?, 0, 1, '', '', '', ?, '{}', 0, 0, '')`, fmt.Sprint("d", s%3), id, fmt.Sprint("t", s), r+1, ms)
				}
			}
			for i := range 30 { // without revisions: by id
				tx.Write(1, `INSERT INTO events (domain_id, id, kind, subject, subject_id, revision, log_code, actor_kind, actor, address, request_id, at, data, seq, domain_seq, hash)
					VALUES ('d0', ?, 'k', 'user', 'u', 0, 0, 1, '', '', '', 0, '{}', 0, 0, '')`, fmt.Sprintf("%012d-u", 20_000*i))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s := event.NewSealer(d, key, "n1", quiet)
		for n := -1; n != 0; {
			if n, err = s.SealOnce(t.Context()); err != nil {
				t.Fatal(err)
			} else if n > 200 {
				t.Fatalf("one write sealed %d events", n)
			}
		}
		last := map[string]int64{}
		lastID := ""
		rows := after(t, d, "", 0, 10_000)
		for i, r := range rows {
			if r.Seq != int64(i+1) {
				t.Fatalf("number %d at place %d", r.Seq, i)
			}
			if r.Revision == 0 {
				if r.ID < lastID {
					t.Errorf("%s after %s", r.ID, lastID)
				}
				lastID = r.ID
			} else if r.Revision != last[r.SubjectID]+1 {
				t.Fatalf("%s: revision %d after %d", r.SubjectID, r.Revision, last[r.SubjectID])
			}
			last[r.SubjectID] = r.Revision
		}
		if len(rows) != subjects*revisions+30 {
			t.Errorf("%d events sealed", len(rows))
		}
		holds(t, d)
	})
}

// TestReadersUnderLateCommits: writers commit late and out of order, three
// sealers seal at once, and every reader by cursor sees every event once and
// each subject in order.
func TestReadersUnderLateCommits(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const writers, each, subjects = 8, 60, 5
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var writing, sealing, reading sync.WaitGroup
		for w := range writers {
			writing.Add(1)
			go func() {
				defer writing.Done()
				rng := rand.New(rand.NewPCG(uint64(w), 1))
				for range each {
					subject := fmt.Sprint("t", rng.IntN(subjects))
					wait := time.Duration(rng.IntN(3)) * time.Millisecond
					err := d.Update(context.Background(), func(tx *db.Tx) error {
						tx.Lock("d1", subject)
						var revision int64
						// The lock's own counter serves as the subject's revision.
						if err := tx.Get("INSERT INTO locks (domain_id, name, n) VALUES ('d1', ?, 1) ON CONFLICT (domain_id, name) DO UPDATE SET n = locks.n + 1 RETURNING n", "r"+subject).Scan(&revision); err != nil {
							return err
						}
						event.Record(tx, who, event.Event{Domain: "d1", Kind: "k", Subject: "ticket", SubjectID: subject, Revision: revision})
						event.Record(tx, who, event.Event{Domain: "d2", Kind: "k", Subject: "x", SubjectID: fmt.Sprint(w)})
						if d.Dialect() == db.Postgres {
							var none int // the event is written, the commit comes late
							if err := tx.Get("SELECT count(*) FROM locks").Scan(&none); err != nil {
								return err
							}
							time.Sleep(wait)
						}
						return nil
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			}()
		}
		for i := range 3 {
			s := event.NewSealer(d, key, fmt.Sprint("n", i), quiet)
			sealing.Add(1)
			go func() {
				defer sealing.Done()
				for ctx.Err() == nil {
					if n, err := s.SealOnce(context.Background()); err != nil {
						t.Errorf("sealing: %v", err)
						return
					} else if n == 0 {
						time.Sleep(time.Millisecond)
					}
				}
			}()
		}
		for _, domain := range []string{"", "d1", "d2"} {
			want := writers * each
			if domain == "" {
				want *= 2
			}
			reading.Add(1)
			go func() {
				defer reading.Done()
				seen := map[string]bool{}
				revisions := map[string]int64{}
				cursor := int64(0)
				for len(seen) < want && !t.Failed() {
					for _, r := range after(t, d, domain, cursor, 7) {
						n := r.Seq
						if domain != "" {
							n = r.DomainSeq
						}
						if n != cursor+1 || seen[r.ID] {
							t.Errorf("reader of %q: number %d after %d, seen %v", domain, n, cursor, seen[r.ID])
							return
						}
						if r.Revision > 0 {
							if r.Revision != revisions[r.SubjectID]+1 {
								t.Errorf("reader of %q: %s has revision %d after %d", domain, r.SubjectID, r.Revision, revisions[r.SubjectID])
							}
							revisions[r.SubjectID] = r.Revision
						}
						cursor, seen[r.ID] = n, true
					}
				}
			}()
		}
		writing.Wait()
		reading.Wait()
		stop()
		sealing.Wait()
		if rep := holds(t, d); rep.Events != 2*writers*each {
			t.Errorf("%d events sealed", rep.Events)
		}
	})
}
