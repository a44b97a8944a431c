package event_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/event"
)

// tampering is one way to damage the store without the key. It returns the
// lowest number that is wrong afterwards, or 0 when there is no one number.
type tampering struct {
	name string
	do   func(tx *db.Tx, rng *rand.Rand, n int64) int64
}

// pick is two different numbers from 1 to n, the smaller first.
func pick(rng *rand.Rand, n int64) (int64, int64) {
	a := rng.Int64N(n-1) + 1
	return a, a + 1 + rng.Int64N(n-a)
}

func set(column string, value any) func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
	return func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
		at := rng.Int64N(n) + 1
		tx.Write(1, "UPDATE events SET "+column+" = ? WHERE seq = ? /* all domains: test */", value, at)
		return at
	}
}

func exchange(columns ...string) func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
	return func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
		a, b := pick(rng, n)
		const park = 1_000_000
		move := func(from, to int64) {
			sql := "UPDATE events SET "
			for i, c := range columns {
				if i > 0 {
					sql += ", "
				}
				sql += c + " = (SELECT o." + c + " FROM events o WHERE o.seq = ?)"
			}
			args := []any{}
			for range columns {
				args = append(args, from)
			}
			tx.Write(1, sql+" WHERE seq = ? /* all domains: test */", append(args, to)...)
		}
		// A copy of a keeps what b gets.
		tx.Write(1, `INSERT INTO events (domain_id, id, kind, subject, subject_id, revision, log_code, actor_kind, actor, address, request_id, at, data, seq, domain_seq, hash)
			SELECT domain_id, 'park', kind, subject, subject_id, revision, log_code, actor_kind, actor, address, request_id, at, data, CAST(? AS BIGINT), domain_seq, hash FROM events WHERE seq = ? /* all domains: test */`, park, a)
		move(b, a)
		move(park, b)
		tx.Write(1, "DELETE FROM events WHERE seq = ? /* all domains: test */", park)
		return a
	}
}

// places makes two events bear each other's number, and with it what else is
// told.
func places(domainSeq, hash bool) func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
	return func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
		a, b := pick(rng, n)
		type row struct {
			id, hash string
			own      int64
		}
		read := func(seq int64) (r row) {
			if err := tx.Get("SELECT id, domain_seq, hash FROM events WHERE seq = ? /* all domains: test */", seq).Scan(&r.id, &r.own, &r.hash); err != nil {
				panic(err)
			}
			return r
		}
		write := func(r row, seq int64, place row) {
			if domainSeq {
				r.own = place.own
			}
			if hash {
				r.hash = place.hash
			}
			tx.Write(1, "UPDATE events SET seq = ?, domain_seq = ?, hash = ? WHERE id = ? /* all domains: test */", seq, r.own, r.hash, r.id)
		}
		ra, rb := read(a), read(b)
		write(ra, b, rb)
		write(rb, a, ra)
		return a
	}
}

const insertCopy = `INSERT INTO events (domain_id, id, kind, subject, subject_id, revision, log_code, actor_kind, actor, address, request_id, at, data, seq, domain_seq, hash)
	SELECT domain_id, CAST(? AS TEXT), kind, subject, subject_id, revision, log_code, actor_kind, actor, address, request_id, at, data, CAST(? AS BIGINT), domain_seq, hash FROM events WHERE seq = ? /* all domains: test */`

var tamperings = []tampering{
	{"domain", set("domain_id", "another")}, {"id", set("id", "another")}, {"kind", set("kind", "ticket.none")}, {"subject", set("subject", "x")},
	{"subject id", set("subject_id", "x")}, {"revision", set("revision", 77)}, {"log code", set("log_code", 99)}, {"actor kind", set("actor_kind", 4)},
	{"actor kind, 256 away", func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
		at := rng.Int64N(n) + 1
		tx.Write(1, "UPDATE events SET actor_kind = actor_kind + 256 WHERE seq = ? /* all domains: test */", at)
		return at
	}},
	{"actor", set("actor", "somebody else")}, {"address", set("address", "198.51.100.1")}, {"request", set("request_id", "x")},
	{"time", set("at", int64(1))}, {"data", set("data", `{"n": 0}`)}, {"data, a blank", set("data", " ")}, {"own number", set("domain_seq", int64(5000))}, {"hash", set("hash", "AAAA")},
	{"a text moves to its neighbour", func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
		at := rng.Int64N(n) + 1
		tx.Write(1, "UPDATE events SET subject = subject || subject_id, subject_id = '' WHERE seq = ? /* all domains: test */", at)
		return at
	}},
	{"unsealed", set("seq", int64(0))},
	{"number below zero", set("seq", int64(-4))},
	{"number far away", set("seq", int64(1<<40))},
	{"same number twice", func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
		a, b := pick(rng, n)
		tx.Write(1, "UPDATE events SET seq = ? WHERE seq = ? /* all domains: test */", a, b)
		return a
	}},
	{"removed", func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
		a := rng.Int64N(n) + 1
		tx.Write(1, "DELETE FROM events WHERE seq = ? /* all domains: test */", a)
		return a
	}},
	{"several removed", func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
		a, b := pick(rng, n)
		tx.Write(int(b-a), "DELETE FROM events WHERE seq >= ? AND seq < ? /* all domains: test */", a, b)
		return a
	}},
	{"removed, gap closed", func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
		a := rng.Int64N(n-1) + 1
		tx.Write(1, "DELETE FROM events WHERE seq = ? /* all domains: test */", a)
		tx.Write(db.Any, "UPDATE events SET seq = seq - 1 WHERE seq > ? /* all domains: test */", a)
		tx.Write(1, "UPDATE event_heads SET seq = seq - 1 WHERE domain_id = ''")
		return a
	}},
	{"tail cut, heads mended", func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
		a := rng.Int64N(n-1) + 1
		tx.Write(db.Any, "DELETE FROM events WHERE seq > ? /* all domains: test */", a)
		tx.Write(1, "UPDATE event_heads SET seq = ?, hash = (SELECT hash FROM events WHERE seq = ?) WHERE domain_id = '' /* all domains: test */", a, a)
		tx.Write(db.Any, `UPDATE event_heads SET seq = (SELECT coalesce(max(e.domain_seq), 0) FROM events e WHERE e.domain_id = event_heads.domain_id) WHERE domain_id <> ''`)
		tx.Write(db.Any, "DELETE FROM event_heads WHERE seq = 0")
		return a + 1
	}},
	{"all removed", func(tx *db.Tx, _ *rand.Rand, n int64) int64 {
		tx.Write(int(n), "DELETE FROM events WHERE seq > 0 /* all domains: test */")
		tx.Write(db.Any, "DELETE FROM event_heads")
		return 1
	}},
	{"inserted at the end", func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
		tx.Write(1, insertCopy, "new", n+1, rng.Int64N(n)+1)
		return n + 1
	}},
	{"inserted at the end, head mended", func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
		tx.Write(1, insertCopy, "new", n+1, rng.Int64N(n)+1)
		tx.Write(1, "UPDATE event_heads SET seq = ? WHERE domain_id = ''", n+1)
		return n + 1
	}},
	{"inserted beside", func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
		a, b := pick(rng, n)
		tx.Write(1, insertCopy, []string{"0", "zzz"}[rng.IntN(2)], a, b)
		return a
	}},
	{"a double", func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
		a := rng.Int64N(n) + 1
		tx.Write(1, insertCopy, "zzz", a, a)
		return a
	}},
	{"inserted between, followers moved up", func(tx *db.Tx, rng *rand.Rand, n int64) int64 {
		a := rng.Int64N(n-1) + 1
		tx.Write(db.Any, "UPDATE events SET seq = seq + 1 WHERE seq >= ? /* all domains: test */", a)
		tx.Write(1, insertCopy, "new", a, a+1)
		tx.Write(1, "UPDATE event_heads SET seq = seq + 1 WHERE domain_id = ''")
		return a
	}},
	{"texts exchanged", exchange("kind", "subject_id", "data")},
	{"hashes exchanged", exchange("hash")},
	{"times exchanged", exchange("at")},
	{"places exchanged", places(false, false)},
	{"places exchanged, both numbers", places(true, false)},
	{"places exchanged, with the hash", places(true, true)},
	{"head", func(tx *db.Tx, _ *rand.Rand, n int64) int64 {
		tx.Write(1, "UPDATE event_heads SET seq = seq + 1 WHERE domain_id = ''")
		return n + 1
	}},
	{"head's hash", func(tx *db.Tx, _ *rand.Rand, n int64) int64 {
		tx.Write(1, "UPDATE event_heads SET hash = 'x' WHERE domain_id = ''")
		return n
	}},
	{"a domain's head", func(tx *db.Tx, _ *rand.Rand, n int64) int64 {
		tx.Write(1, "UPDATE event_heads SET seq = seq - 1 WHERE domain_id = 'd1'")
		return n
	}},
	{"a domain's head made up", func(tx *db.Tx, _ *rand.Rand, n int64) int64 {
		tx.Write(1, "INSERT INTO event_heads (domain_id, seq, hash) VALUES ('d9', 3, '')")
		return n
	}},
}

// TestAuditTamper: of more than 1,000 random manipulations each is found and its
// first place named; nothing untouched is ever called damaged.
func TestAuditTamper(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		rng := rand.New(rand.NewPCG(20260115, 7))
		s := event.NewSealer(d, key, "n", quiet)
		signer := event.NewSigner(key[:32])
		writer := event.NewCheckpointer(d, key, signer, filepath.Join(t.TempDir(), "checkpoints.log"), quiet)
		var checkpoints []event.Checkpoint
		var n int64
		for round := range 8 {
			for range 2 + rng.IntN(4) {
				e := event.Event{Domain: fmt.Sprint("d", rng.IntN(3)), Kind: fmt.Sprint("ticket.k", rng.IntN(4)), Subject: "ticket", SubjectID: fmt.Sprint("t", n), Revision: n + 1, LogCode: rng.IntN(5),
					Data: map[string]any{"n": n}}
				who := who
				who.User = fmt.Sprint("u", n)
				if err := d.Update(t.Context(), func(tx *db.Tx) error { tx.Now += n; event.Record(tx, who, e); return nil }); err != nil {
					t.Fatal(err)
				}
				n++
			}
			sealAll(t, s)
			if round%3 == 1 {
				c, err := writer.Write(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				checkpoints = append(checkpoints, c)
			}
		}
		var anchors []event.Anchor
		rows := after(t, d, "", 0, 1000)
		for _, at := range []int64{n / 2, n} {
			anchors = append(anchors, event.Anchor{Seq: at, Hash: rows[at-1].Hash, At: rows[at-1].At}.Signed(key))
		}
		rounds := 1050
		if d.Dialect() == db.Postgres {
			rounds = 350
		}
		undo := errors.New("undo")
		found, alarms := 0, 0
		kinds := map[event.Damage]int{}
		for i := range rounds {
			how := tamperings[i%len(tamperings)]
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				if i%10 == 0 {
					rep, err := event.InspectSigned(tx, key, signer.Public(), checkpoints, anchors...)
					if err != nil {
						return err
					}
					if !rep.OK() {
						alarms++
					}
				}
				first := how.do(tx, rng, n)
				rep, err := event.InspectSigned(tx, key, signer.Public(), checkpoints, anchors...)
				if err != nil {
					return fmt.Errorf("%s: %w", how.name, err)
				}
				if rep.OK() {
					t.Errorf("%s was not found", how.name)
					return undo
				}
				found++
				kinds[rep.Broken[0].Damage]++
				if got := lowest(rep); got != first {
					t.Errorf("%s: the first place is %d, reported %v", how.name, first, rep)
				}
				return undo
			})
			if !errors.Is(err, undo) {
				t.Fatalf("%s: %v", how.name, err)
			}
		}
		t.Logf("%d of %d manipulations found, %d false alarms, first damages %v", found, rounds, alarms, kinds)
		if alarms > 0 || found != rounds {
			t.Errorf("%d found of %d, %d false alarms", found, rounds, alarms)
		}
		holds(t, d)
	})
}

// lowest is the first place, leaving out what has no number of the chain.
func lowest(rep event.Report) int64 {
	for _, b := range rep.Broken {
		if b.Seq > 0 {
			return b.Seq
		}
	}
	return 0
}
