package job_test

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/job"
)

// TestLongPeriodic: periodic work that takes longer than its lease is not begun
// by another node beside it.
func TestLongPeriodic(t *testing.T) {
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		ctx, stop := context.WithCancel(t.Context())
		began, end := make(chan struct{}), make(chan struct{})
		r := job.NewRunner(d, "one", slog.New(slog.NewTextHandler(io.Discard, nil)))
		var once sync.Once
		r.Every(job.Periodic{Name: "long", Every: 50 * time.Millisecond, Run: func(context.Context) error {
			once.Do(func() { close(began) })
			<-end
			return nil
		}})
		ended := make(chan struct{})
		go func() { defer close(ended); r.Run(ctx) }()
		<-began
		other := func() bool {
			mine, err := d.Lease(t.Context(), "periodic.long", "two", 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			return mine
		}
		clock.Add(8 * time.Second)
		renewed := func() bool { // until the clock has passed the lease as it was taken
			var until int64
			err := d.View(t.Context(), func(tx *db.Tx) error {
				return tx.Get("SELECT held_until FROM leases WHERE name = 'periodic.long'").Scan(&until)
			})
			return err == nil && until > clock.Now().UnixMilli()+5000
		}
		for until := time.Now().Add(20 * time.Second); !renewed(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatal("the lease is not kept while the work runs")
			}
		}
		clock.Add(8 * time.Second)
		if other() {
			t.Error("another node begins the work beside")
		}
		close(end)
		stop()
		<-ended
	})
}
