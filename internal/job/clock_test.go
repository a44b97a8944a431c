package job_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/job"
)

// TestClockOfDomain: a job is due when its domain's clock says so, runs with
// that clock, and follows it when it is moved; other domains' jobs do not.
func TestClockOfDomain(t *testing.T) {
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		var mu sync.Mutex
		ahead := map[string]int64{"box": time.Hour.Milliseconds()}
		ran := map[string]int64{} // domain -> how far ahead the job's transaction was
		r := job.NewRunner(d, "n", quiet)
		r.Clock(func(_ context.Context, domain string) (int64, error) { return ahead[domain], nil })
		r.Add(job.Kind{Name: "k", Run: func(ctx context.Context, j job.Running) error {
			return d.View(ctx, func(tx *db.Tx) error {
				mu.Lock()
				defer mu.Unlock()
				ran[j.Domain] = tx.Now - tx.Real
				return nil
			})
		}})
		enqueue := func(domain string, in time.Duration) {
			t.Helper()
			err := d.Update(db.WithClock(t.Context(), ahead[domain]), func(tx *db.Tx) error {
				job.Enqueue(tx, job.Job{Kind: "k", Domain: domain, At: tx.Now + in.Milliseconds()})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		work := func(want ...string) {
			t.Helper()
			clear(ran)
			if _, err := r.Work(t.Context()); err != nil {
				t.Fatal(err)
			}
			var got []string
			for domain, by := range ran {
				got = append(got, domain)
				if by != ahead[domain] {
					t.Errorf("the job of %q ran %d ms ahead, want %d", domain, by, ahead[domain])
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("ran %v, want %v", got, want)
			}
		}
		for _, domain := range []string{"", "box", "real"} {
			enqueue(domain, 10*time.Minute)
		}
		work()
		clock.Add(9 * time.Minute)
		work()
		ahead["box"] += time.Minute.Milliseconds()
		if err := d.Update(t.Context(), func(tx *db.Tx) error { job.Shift(tx, "box", time.Minute.Milliseconds()); return nil }); err != nil {
			t.Fatal(err)
		}
		work("box")
		clock.Add(time.Minute)
		work("", "real")
		// At in the past is now, on any clock.
		enqueue("box", -time.Hour)
		work("box")
	})
}
