package event_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/event"
)

// TestSealerBehind: a batch of the sealer costs about the same whether thousands
// wait behind it or nothing does, also by statistics of a time when nothing
// waited; else a sealer that is behind would never catch up.
func TestSealerBehind(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := event.NewSealer(d, key, "a", quiet)
		record := func(from, to int, revision int64) {
			t.Helper()
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				for i := from; i < to; i++ {
					event.Record(tx, who, event.Event{Domain: "d1", Kind: "k", Subject: "ticket", SubjectID: fmt.Sprint("t", i), Revision: revision})
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		const batches, size = 12, 200
		seal := func() (took []time.Duration) {
			t.Helper()
			for {
				began := time.Now()
				n, err := s.SealOnce(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 {
					return took
				}
				took = append(took, time.Since(began))
			}
		}
		record(0, batches*size, 1)
		seal()
		err := d.Update(t.Context(), func(tx *db.Tx) error { tx.Write(db.Any, "ANALYZE events"); return nil })
		if err != nil {
			t.Fatal(err)
		}
		for i := range batches {
			record(i*size, (i+1)*size, 2)
		}
		took := seal()
		if len(took) != batches {
			t.Fatalf("%d batches, want %d", len(took), batches)
		}
		behind, last := slices.Min(took[:5]), slices.Min(took[batches-5:])
		if behind > 4*last+20*time.Millisecond {
			t.Errorf("a batch takes %v while %d wait, %v at the end", behind, (batches-1)*size, last)
		}
		t.Logf("a batch takes %v while %d wait, %v at the end", behind, (batches-1)*size, last)
		holds(t, d)
	})
}
