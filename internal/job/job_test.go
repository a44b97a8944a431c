package job_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/job"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func enqueue(t *testing.T, d *db.DB, n int, j job.Job) {
	t.Helper()
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		for range n {
			job.Enqueue(tx, j)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTwoRunners(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const jobs = 400
		var mu sync.Mutex
		runs := map[string]int{}
		done := make(chan struct{}, jobs)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, node := range []string{"a", "b"} {
			r := job.NewRunner(d, node, quiet)
			r.Add(job.Kind{Name: "k", Run: func(_ context.Context, j job.Running) error {
				mu.Lock()
				runs[j.ID]++
				mu.Unlock()
				done <- struct{}{}
				return nil
			}})
			wg.Add(1)
			go func() { defer wg.Done(); r.Run(ctx) }()
		}
		enqueue(t, d, jobs, job.Job{Kind: "k"})
		for range jobs {
			<-done
		}
		cancel()
		wg.Wait()
		if len(runs) != jobs {
			t.Errorf("%d jobs ran, want %d", len(runs), jobs)
		}
		for id, n := range runs {
			if n != 1 {
				t.Errorf("job %s ran %d times", id, n)
			}
		}
	})
}

func TestRetryDeadDropUnique(t *testing.T) {
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		var bad, panics, drops, later, urgent atomic.Int32
		r := job.NewRunner(d, "n", quiet)
		second := func(int) time.Duration { return time.Second }
		r.Add(
			job.Kind{Name: "bad", MaxTries: 3, Backoff: second, Run: func(context.Context, job.Running) error { bad.Add(1); return errors.New("no") }},
			job.Kind{Name: "panic", MaxTries: 2, Backoff: second, Run: func(context.Context, job.Running) error { panics.Add(1); panic("bug") }},
			job.Kind{Name: "drop", Run: func(context.Context, job.Running) error { drops.Add(1); return job.ErrDrop }},
			job.Kind{Name: "later", Run: func(context.Context, job.Running) error { later.Add(1); return nil }},
			job.Kind{Name: "urgent", Run: func(context.Context, job.Running) error { urgent.Add(1); return nil }},
		)
		for _, k := range []string{"bad", "panic", "drop"} {
			enqueue(t, d, 1, job.Job{Kind: k})
		}
		enqueue(t, d, 3, job.Job{Kind: "later", Unique: "only", At: d.Now().Add(2500 * time.Millisecond).UnixMilli()})
		for range 6 {
			if _, err := r.Work(t.Context()); err != nil {
				t.Fatal(err)
			}
			clock.Add(time.Second)
		}
		if bad.Load() != 3 || panics.Load() != 2 || drops.Load() != 1 || later.Load() != 1 {
			t.Errorf("tries: bad %d, panic %d, drop %d, later %d", bad.Load(), panics.Load(), drops.Load(), later.Load())
		}
		var alive, dead int
		if err := d.View(t.Context(), func(tx *db.Tx) (err error) { alive, dead, err = job.Waiting(tx); return err }); err != nil || alive != 0 || dead != 2 {
			t.Errorf("%d alive, %d dead, %v", alive, dead, err)
		}
	})
}

// TestUnknownKinds: jobs of a kind that only a later version knows are left as they
// are by a node of this one, and in nobody's way; a node that knows them runs them.
func TestUnknownKinds(t *testing.T) {
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		enqueue(t, d, 30, job.Job{Kind: "later version's", Urgent: true})
		enqueue(t, d, 2, job.Job{Kind: "known"})
		var ran, news atomic.Int32
		known := job.Kind{Name: "known", Run: func(context.Context, job.Running) error { ran.Add(1); return nil }}
		old := job.NewRunner(d, "old", quiet)
		if n, err := old.Work(t.Context()); n != 0 || err != nil {
			t.Errorf("a runner without kinds ran %d, %v", n, err)
		}
		old.Add(known)
		for range 25 { // more than a job has tries
			if _, err := old.Work(t.Context()); err != nil {
				t.Fatal(err)
			}
			clock.Add(time.Hour)
		}
		var untouched int
		if err := d.View(t.Context(), func(tx *db.Tx) error {
			return tx.Get("SELECT count(*) FROM jobs WHERE state = 'waiting' AND tries = 0 AND last_error = ''").Scan(&untouched)
		}); err != nil || ran.Load() != 2 || untouched != 30 {
			t.Errorf("%d known jobs ran, %d unknown ones are as they were, %v", ran.Load(), untouched, err)
		}
		if waiting, err := old.Unknown(t.Context()); err != nil || !maps.Equal(waiting, map[string]int{"later version's": 30}) {
			t.Errorf("unknown: %v, %v", waiting, err)
		}
		later := job.NewRunner(d, "new", quiet)
		if waiting, err := later.Unknown(t.Context()); err != nil || waiting["later version's"] != 30 {
			t.Errorf("unknown without kinds: %v, %v", waiting, err)
		}
		later.Add(known, job.Kind{Name: "later version's", Run: func(context.Context, job.Running) error { news.Add(1); return nil }})
		if _, err := later.Work(t.Context()); err != nil || news.Load() != 30 {
			t.Errorf("%d ran where they are known, %v", news.Load(), err)
		}
	})
}

// TestTakeover: the job of a node that died is run by another within its time.
func TestTakeover(t *testing.T) {
	t.Parallel()
	for _, urgent := range []bool{true, false} {
		// 15 s and 40 s are the leases: no earlier than the shorter one.
		dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
			enqueue(t, d, 1, job.Job{Kind: "k", Urgent: urgent})
			started, never := make(chan struct{}), make(chan struct{})
			defer close(never)
			dying := job.NewRunner(d, "dying", quiet)
			dying.Add(job.Kind{Name: "k", Run: func(context.Context, job.Running) error { close(started); <-never; return nil }})
			go func() { _, _ = dying.Work(context.Background()) }()
			<-started
			var ran int
			other := job.NewRunner(d, "other", quiet)
			other.Add(job.Kind{Name: "k", Run: func(context.Context, job.Running) error { ran++; return nil }})
			limit := 60 * time.Second
			if urgent {
				limit = 30 * time.Second
			}
			waited := time.Duration(0)
			for ; ran == 0 && waited <= limit; waited += time.Second {
				if _, err := other.Work(t.Context()); err != nil {
					t.Fatal(err)
				}
				clock.Add(time.Second)
			}
			if ran != 1 || waited < 14*time.Second {
				t.Errorf("urgent %v: ran %d times after %v", urgent, ran, waited)
			}
		})
	}
}
