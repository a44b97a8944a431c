package event_test

import (
	"fmt"
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/event"
)

// TestSealerBehind: what a batch of the sealer left behind a later revision is
// looked up by its subjects, not by a walk over all that wait, also by statistics of
// a time when nothing waited; else a sealer that is behind would never catch up.
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
		seal := func() (n int) {
			t.Helper()
			for {
				sealed, err := s.SealOnce(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if sealed == 0 {
					return n
				}
				n++
			}
		}
		record(0, batches*size, 1)
		seal()
		err := d.Update(t.Context(), func(tx *db.Tx) error { tx.Write(db.Any, "ANALYZE events"); return nil })
		if err != nil {
			t.Fatal(err)
		}
		var batch []event.Row
		for i := range batches {
			record(i*size, (i+1)*size, 2)
		}
		for i := range size {
			batch = append(batch, event.Row{Domain: "d1", Subject: "ticket", SubjectID: fmt.Sprint("t", i), Revision: 2})
		}
		sql, args := event.OvertakenQuery(batch)
		plan := dbtest.PlanOf(t, d, sql, args...)
		// PostgreSQL chooses by the size of the table, which is small here.
		if d.Dialect() == db.SQLite && !strings.Contains(plan, "events_by_subject") {
			t.Errorf("the subjects are not looked up:\n%s", plan)
		}
		for _, walk := range []string{"events_unsealed", "Seq Scan on events", "SCAN events"} {
			if strings.Contains(plan, walk) {
				t.Errorf("a walk over what waits:\n%s", plan)
			}
		}
		if n := seal(); n != batches {
			t.Errorf("%d batches, want %d", n, batches)
		}
		holds(t, d)
	})
}
