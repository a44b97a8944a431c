package job_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/job"
)

// TestLeasesWhatItCanRun: a node takes no more jobs than it runs at once; the
// others stay for other nodes instead of waiting under a lease that runs out.
func TestLeasesWhatItCanRun(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		enqueue(t, d, 20, job.Job{Kind: "long"})
		release := make(chan struct{})
		started := make(chan struct{}, 20)
		r := job.NewRunner(d, "n", quiet)
		r.Add(job.Kind{Name: "long", Run: func(context.Context, job.Running) error { started <- struct{}{}; <-release; return nil }})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { r.Run(ctx) })
		<-started
		time.Sleep(300 * time.Millisecond) // it would take the rest by now
		var running int
		err := d.View(t.Context(), func(tx *db.Tx) error {
			return tx.Get("SELECT count(*) FROM jobs WHERE state = 'running'").Scan(&running)
		})
		close(release)
		for range 19 {
			<-started
		}
		cancel()
		wg.Wait()
		if err != nil || running != 8 {
			t.Errorf("%d jobs are leased while 8 can run, %v", running, err)
		}
	})
}
