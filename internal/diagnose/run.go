package diagnose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/personal"
	"casemate/internal/principal"
)

const (
	maxTries   = 3                // of a diagnosis; then it has failed
	runTimeout = 2 * time.Minute  // of one try: waves of checks one after another
	putOff     = time.Second      // when all of the node's slots are taken
	lost       = 15 * time.Minute // an open diagnosis this old is given up
	purgeBatch = 500
	day        = 24 * time.Hour
)

func (t task) unique() string { return fmt.Sprint(t.ID, "/", t.Round) }

// Kinds are the jobs of the package, for the runner.
func (s *Service) Kinds() []job.Kind {
	return []job.Kind{{Name: kindRun, Run: s.run, Timeout: runTimeout, MaxTries: maxTries + 1, Backoff: func(try int) time.Duration { return time.Duration(try) * 2 * time.Second }}}
}

// Periodic is the housekeeping, for the runner.
func (s *Service) Periodic() []job.Periodic {
	return []job.Periodic{
		{Name: "diagnose sweep", Every: time.Minute, Run: s.Sweep},
		{Name: "diagnose purge", Every: 10 * time.Minute, Run: s.Purge},
	}
}

var (
	needFailed  = locale.Texts{ZH: "前置检查“{name}”未通过，跳过此项", EN: "skipped: the check \"{name}\" before it failed"}
	interrupted = locale.Texts{ZH: "诊断中断，未能完成此项检查", EN: "the diagnosis was interrupted before this check was done"}
)

// run makes the checks of a diagnosis that have no outcome yet. It is safe
// twice: outcomes are written once, whoever comes first, and a run that takes
// over from a dead worker goes on behind what that one has written.
func (s *Service) run(ctx context.Context, r job.Running) error {
	var t task
	if err := json.Unmarshal(r.Args, &t); err != nil {
		return fmt.Errorf("%w: %w", job.ErrDrop, err)
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		t.Round++
		return s.db.Update(ctx, func(tx *db.Tx) error { enqueue(tx, t, tx.Now+putOff.Milliseconds()); return nil })
	}
	if r.Try > maxTries {
		return s.giveUp(ctx, t.Domain, t.ID)
	}
	checks, open, err := s.begin(ctx, t)
	if err != nil || !open {
		return err
	}
	if err := s.checkAll(ctx, t, checks); err != nil {
		return err
	}
	return s.finish(ctx, t)
}

// begin reads the checks and marks the diagnosis as running.
func (s *Service) begin(ctx context.Context, t task) (checks []Check, open bool, err error) {
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		checks, open = nil, false
		j, err := jobIn(tx, t.Domain, t.ID)
		if errors.Is(err, errNoJob) { // deleted meanwhile
			return nil
		}
		if err != nil || !j.State.Open() {
			return err
		}
		if checks, err = checksOf(tx, t.Domain, t.ID); err != nil {
			return err
		}
		open = true
		if j.Started == 0 {
			j.Started = tx.Now
		}
		tx.Write(db.Any, "UPDATE diagnoses SET state = ?, started_at = ? WHERE domain_id = ? AND id = ? AND state < 3", int(Running), j.Started, t.Domain, t.ID)
		return nil
	})
	return checks, open, err
}

func jobIn(tx *db.Tx, domain, id string) (Job, error) {
	return scan(tx.Get("SELECT "+columns+" FROM diagnoses WHERE domain_id = ? AND id = ?", domain, id))
}

// checkAll makes the checks in waves: those whose needs are settled run at once.
func (s *Service) checkAll(ctx context.Context, t task, checks []Check) error {
	at := map[string]int{}
	for i := range checks {
		at[checks[i].ID] = i
		if checks[i].Outcome == Checking { // of a worker that died
			checks[i].Outcome = Waiting
		}
	}
	// A check is barred by one it needs that failed, or was barred itself; one that
	// there was no need to make bars nothing.
	var bars func(c Check) bool
	barredBy := func(c Check) int {
		return slices.IndexFunc(c.def.Needs, func(n string) bool { return bars(checks[at[n]]) })
	}
	bars = func(c Check) bool { return c.Outcome == Bad || c.Outcome == Skipped && barredBy(c) >= 0 }
	for {
		var wave []int
		for i := range checks { // needs stand before what needs them
			c := &checks[i]
			if c.Outcome != Waiting {
				continue
			}
			if k := barredBy(*c); k >= 0 {
				need := checks[at[c.def.Needs[k]]].Name
				text := locale.Texts{ZH: say(needFailed, "name", need.ZH).ZH, EN: say(needFailed, "name", need.EN).EN}
				if err := s.record(ctx, t, c.ID, verdict{Skipped, text}); err != nil {
					return err
				}
				c.Outcome = Skipped
				continue
			}
			if !slices.ContainsFunc(c.def.Needs, func(n string) bool { return checks[at[n]].Outcome == Waiting }) {
				wave = append(wave, i)
			}
		}
		if len(wave) == 0 {
			return nil
		}
		if err := s.markRunning(ctx, t, checks, wave); err != nil {
			return err
		}
		errs := make([]error, len(wave))
		var wg sync.WaitGroup
		for k, i := range wave {
			wg.Go(func() {
				v, err := s.check(ctx, checks[i].def)
				if err == nil {
					err = ctx.Err() // cut off from outside: that says nothing about the target
				}
				if err == nil {
					checks[i].Outcome = v.outcome
					err = s.record(ctx, t, checks[i].ID, v)
				}
				errs[k] = err
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
}

func (s *Service) markRunning(ctx context.Context, t task, checks []Check, wave []int) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		for _, i := range wave {
			tx.Write(db.Any, "UPDATE diagnosis_checks SET state = ?, started_at = ? WHERE domain_id = ? AND diagnosis_id = ? AND id = ? AND state < 2",
				int(Checking), tx.Now, t.Domain, t.ID, checks[i].ID)
		}
		return nil
	})
}

// verdict is what a check found.
type verdict struct {
	outcome Outcome
	message locale.Texts
}

// record writes a check's outcome, unless one is there already.
func (s *Service) record(ctx context.Context, t task, id string, v verdict) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "UPDATE diagnosis_checks SET state = ?, message_zh = ?, message_en = ?, ended_at = ? WHERE domain_id = ? AND diagnosis_id = ? AND id = ? AND state < 2",
			int(v.outcome), v.message.ZH, v.message.EN, tx.Now, t.Domain, t.ID, id)
		return nil
	})
}

// protected makes a panic of a check an error of the job.
func protected(f func() (verdict, error)) (v verdict, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// finish sums the outcomes up.
func (s *Service) finish(ctx context.Context, t task) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		j, err := jobIn(tx, t.Domain, t.ID)
		if errors.Is(err, errNoJob) {
			return nil
		}
		if err != nil || !j.State.Open() {
			return err
		}
		checks, err := checksOf(tx, t.Domain, t.ID)
		if err != nil {
			return err
		}
		state := Finished
		if !slices.ContainsFunc(checks, func(c Check) bool { return c.Outcome != Skipped }) {
			state = NotRun
		}
		return s.end(tx, j, checks, state)
	})
}

func (s *Service) end(tx *db.Tx, j Job, checks []Check, state State) error {
	abnormal := []string{}
	for _, c := range checks {
		if c.Outcome.Abnormal() {
			abnormal = append(abnormal, c.ID)
		}
	}
	text, err := json.Marshal(abnormal)
	if err != nil {
		return err
	}
	tx.Write(1, "UPDATE diagnoses SET state = ?, abnormal = ?, red = ?, ended_at = ? WHERE domain_id = ? AND id = ? AND state < 3",
		int(state), string(text), len(abnormal), tx.Now, j.Domain, j.ID)
	kind := "diagnosis.finish"
	if state == Failed {
		kind = "diagnosis.fail"
	}
	event.Record(tx, principal.AsSystem(j.Domain), event.Event{Domain: j.Domain, Kind: kind, Subject: "diagnosis", SubjectID: j.ID, LogCode: event.NoLog,
		Data: map[string]any{"number": j.Number, "abnormal": abnormal}})
	return nil
}

// giveUp ends a diagnosis that no worker could finish; what was found stays.
func (s *Service) giveUp(ctx context.Context, domain, id string) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		j, err := jobIn(tx, domain, id)
		if errors.Is(err, errNoJob) {
			return nil
		}
		if err != nil || !j.State.Open() {
			return err
		}
		checks, err := checksOf(tx, domain, id)
		if err != nil {
			return err
		}
		tx.Write(db.Any, "UPDATE diagnosis_checks SET state = ?, message_zh = ?, message_en = ?, ended_at = ? WHERE domain_id = ? AND diagnosis_id = ? AND state < 2",
			int(Skipped), interrupted.ZH, interrupted.EN, tx.Now, domain, id)
		return s.end(tx, j, checks, Failed)
	})
}

// Sweep gives up diagnoses that are open for too long: they would count as
// running for ever.
func (s *Service) Sweep(ctx context.Context) error {
	var keys [][2]string
	err := s.db.View(ctx, func(tx *db.Tx) error {
		keys = nil
		return tx.List(func(r db.Row) error {
			var k [2]string
			err := r.Scan(&k[0], &k[1])
			keys = append(keys, k)
			return err
		}, "SELECT domain_id, id FROM diagnoses /* all domains: sweep */ WHERE state < 3 AND created_at <= ? ORDER BY created_at LIMIT ?", tx.Now-lost.Milliseconds(), purgeBatch)
	})
	for _, k := range keys {
		err = errors.Join(err, s.giveUp(ctx, k[0], k[1]))
	}
	return err
}

// Purge deletes diagnoses older than config.Diagnose.KeepDays, with their
// checks and ratings. What is under a legal hold stays.
func (s *Service) Purge(ctx context.Context) error {
	if s.o.Config.KeepDays < 0 {
		return nil
	}
	age := (time.Duration(s.o.Config.KeepDays) * day).Milliseconds()
	old := "(SELECT d.domain_id, d.id FROM diagnoses AS d /* all domains: purge */ WHERE d.created_at <= ? AND " + personal.Free("d.domain_id", "", []string{"d.creator"}, nil) + " ORDER BY d.created_at, d.domain_id, d.id LIMIT ?)"
	for n := purgeBatch; n == purgeBatch; {
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			n = 0
			before := tx.Now - age
			tx.Write(db.Any, "DELETE FROM diagnosis_checks WHERE (domain_id, diagnosis_id) IN "+old, before, tx.Real, purgeBatch)
			tx.Write(db.Any, "DELETE FROM diagnosis_ratings WHERE (domain_id, diagnosis_id) IN "+old, before, tx.Real, purgeBatch)
			return tx.List(func(r db.Row) error {
				var id string
				n++
				return r.Scan(&id)
			}, "DELETE FROM diagnoses WHERE (domain_id, id) IN "+old+" RETURNING id", before, tx.Real, purgeBatch)
		})
		if err != nil {
			return fmt.Errorf("purging diagnoses: %w", err)
		}
	}
	return nil
}
