package diagnose_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/diagnose"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/principal"
)

// events counts what was recorded of a kind.
func (w *world) events(kind string) (n int) {
	w.t.Helper()
	w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
		return tx.Get("SELECT count(*) FROM events WHERE domain_id = ? AND kind = ?", w.boss.Domain, kind).Scan(&n)
	}))
	return n
}

// queued is the argument of the last run that waits, and how many wait.
func (w *world) queued() (args string, n int) {
	w.t.Helper()
	w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
		n = 0
		return tx.List(func(r db.Row) error { n++; return r.Scan(&args) }, "SELECT args FROM jobs WHERE kind = 'diagnose.run' ORDER BY id")
	}))
	return args, n
}

// TestTakeover: a worker that dies in the middle leaves what it found; the next
// one goes on behind that, and repeats nothing.
func TestTakeover(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	each(t, diagnose.Options{Config: allowed}, "", func(w *world) {
		dns, resolver := zone(w.t)
		silent, accepted := deaf(w.t)
		o := diagnose.Options{Config: allowed, Resolver: resolver, TLS: &tls.Config{RootCAs: ca.pool}}
		dying, _ := w.node(o)
		id := w.start(w.li, 1, "host", "four.example", "port", silent)
		args, n := w.queued()
		if n != 1 {
			w.t.Fatalf("%d runs", n)
		}
		ctx, kill := context.WithCancel(w.t.Context())
		died := make(chan error)
		run := func(s *diagnose.Service, ctx context.Context, try int) error {
			return s.Kinds()[0].Run(ctx, job.Running{ID: "j", Domain: w.boss.Domain, Try: try, Args: []byte(args)})
		}
		go func() { died <- run(dying, ctx, 1) }()
		for range 3 { // the TCP check's connection, then those of TLS and page, which hang
			<-accepted
		}
		j := w.show(w.li, id)
		if j.State != diagnose.Running || check(w.t, j, "tcp").Outcome != diagnose.Passed || check(w.t, j, "tls").Outcome != diagnose.Checking {
			w.t.Fatalf("in the middle: %+v", j)
		}
		kill()
		if err := <-died; !errors.Is(err, context.Canceled) {
			w.t.Fatalf("the dying worker says %v", err)
		}
		j = w.show(w.li, id)
		if j.State != diagnose.Running || check(w.t, j, "tls").Outcome != diagnose.Checking {
			w.t.Fatalf("a cut-off check has an outcome: %+v", j)
		}
		asked := dns.asked.Load()

		o.Timeout = time.Second
		next, _ := w.node(o)
		w.ok(run(next, w.t.Context(), 2))
		j = w.show(w.li, id)
		wants(w.t, j, "tls", diagnose.Bad, "1 秒内没有应答", "within 1 s")
		if j.State != diagnose.Finished || fmt.Sprint(j.Abnormal) != "[tls page]" {
			w.t.Errorf("%+v", j)
		}
		for range 2 { // TLS and page again
			select {
			case <-accepted:
			case <-time.After(10 * time.Second):
				w.t.Fatal("a check was not made again")
			}
		}
		if n := len(accepted); n != 0 { // TCP not
			w.t.Errorf("%d connections too many", n)
		}
		if ask := dns.asked.Load() - asked; ask > 8 { // two checks, each asking for two records at most twice
			w.t.Errorf("%d questions of the second run", ask)
		}
		w.ok(run(next, w.t.Context(), 3)) // a run too many does nothing
		if got := w.show(w.li, id); got.Ended != j.Ended || w.events("diagnosis.finish") != 1 {
			w.t.Errorf("a third run changed something: %+v, %d events", got, w.events("diagnosis.finish"))
		}
	})
}

// TestTwoRuns: two workers at once on one diagnosis: one outcome, one event.
func TestTwoRuns(t *testing.T) {
	t.Parallel()
	_, resolver := zone(t)
	ca := newAuthority(t)
	port, _ := site(t, ca.issue("good.example", now.AddDate(0, -1, 0), now.AddDate(1, 0, 0)), ready)
	each(t, diagnose.Options{Config: allowed, Resolver: resolver, TLS: &tls.Config{RootCAs: ca.pool}}, "", func(w *world) {
		id := w.start(w.li, 1, "host", "good.example", "port", port)
		args, _ := w.queued()
		var wg sync.WaitGroup
		errs := make([]error, 3)
		for i := range errs {
			wg.Go(func() {
				errs[i] = w.s.Kinds()[0].Run(w.t.Context(), job.Running{ID: "j", Domain: w.boss.Domain, Try: 1, Args: []byte(args)})
			})
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil && !errors.Is(err, db.ErrRows) { // tried again, and finds it done
				w.t.Error(err)
			}
		}
		if j := w.show(w.li, id); j.State != diagnose.Finished || len(j.Abnormal) != 0 || w.events("diagnosis.finish") != 1 {
			w.t.Errorf("%+v, %d events", j, w.events("diagnosis.finish"))
		}
	})
}

// TestGivenUp: after the last try, and when it is open for too long.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	each(t, diagnose.Options{Config: allowed}, "", func(w *world) {
		first := w.start(w.li, 4, "host", "192.0.2.1")
		args, _ := w.queued()
		w.ok(w.s.Kinds()[0].Run(w.t.Context(), job.Running{ID: "j", Domain: w.boss.Domain, Try: 4, Args: []byte(args)}))
		j := w.show(w.li, first)
		wants(w.t, j, "tcp", diagnose.Skipped, "诊断中断", "interrupted")
		if j.State != diagnose.Failed || j.Ended == 0 || w.events("diagnosis.fail") != 1 {
			w.t.Errorf("%+v", j)
		}
		second := w.start(w.li, 4, "host", "192.0.2.1")
		w.clock.Add(15*time.Minute - time.Millisecond)
		w.ok(w.s.Sweep(w.t.Context()))
		if j := w.show(w.li, second); j.State != diagnose.Preparing {
			w.t.Errorf("swept too early: %+v", j)
		}
		w.clock.Add(time.Millisecond)
		w.ok(w.s.Sweep(w.t.Context()))
		w.work() // comes too late, and changes nothing
		if j := w.show(w.li, second); j.State != diagnose.Failed || w.events("diagnosis.fail") != 2 || w.events("diagnosis.finish") != 0 {
			w.t.Errorf("%+v", j)
		}
	})
}

// TestPutOff: a node runs so many at once and puts the others off, without
// counting that as a try.
func TestPutOff(t *testing.T) {
	t.Parallel()
	silent, accepted := deaf(t)
	o := diagnose.Options{Config: allowed}
	o.Config.NodeRunning = 1
	each(t, o, "", func(w *world) {
		_, resolver := zone(w.t)
		o := o
		o.Resolver, o.Timeout = resolver, time.Second
		s, _ := w.node(o)
		w.start(w.li, 1, "host", "four.example", "port", silent)
		args, _ := w.queued()
		ctx, stop := context.WithCancel(w.t.Context())
		ended := make(chan error)
		go func() {
			ended <- s.Kinds()[0].Run(ctx, job.Running{Domain: w.boss.Domain, Try: 1, Args: []byte(args)})
		}()
		<-accepted
		w.ok(s.Kinds()[0].Run(w.t.Context(), job.Running{Domain: w.boss.Domain, Try: 1, Args: []byte(args)}))
		if args, n := w.queued(); n != 2 || !strings.Contains(args, `"round":1`) {
			w.t.Errorf("%d runs wait, the last is %s", n, args)
		}
		stop()
		<-ended
	})
}

// TestLimits: how many may run at once and within the hour, of a user and of a
// domain; the next one is refused and leaves nothing.
func TestLimits(t *testing.T) {
	t.Parallel()
	try := func(w *world, who principal.Principal) error {
		w.clock.Add(time.Millisecond)
		_, err := w.s.Start(w.t.Context(), who, diagnose.NewJob{Type: 4, Params: params("host", "10.0.0.1")})
		return err
	}
	refused := func(w *world, who principal.Principal, words string) {
		w.t.Helper()
		err := try(w, who)
		f, ok := fault.As(err)
		if !ok || f.Code != "OSM.01010002" || f.Kind != fault.TooMany || f.RetryAfter <= 0 || !strings.Contains(err.Error(), words) {
			w.t.Errorf("not refused for %q: %v", words, err)
		}
	}
	t.Run("defaults", func(t *testing.T) {
		each(t, diagnose.Options{}, "", func(w *world) {
			for range 3 {
				w.ok(try(w, w.li))
			}
			refused(w, w.li, "at most 3 diagnoses may run at once")
			w.ok(try(w, w.wang))
			w.ok(try(w, w.foreign))
			w.work()
			for i := 3; i < 30; i++ {
				w.ok(try(w, w.li))
				w.work()
			}
			refused(w, w.li, "at most 30 diagnoses an hour")
			w.ok(try(w, w.wang))
			w.clock.Add(time.Hour)
			w.ok(try(w, w.li))
			if _, total, err := w.s.List(w.t.Context(), w.li, diagnose.Filter{}); err != nil || total != 31 {
				w.t.Errorf("%d diagnoses, %v", total, err)
			}
		})
	})
	t.Run("domain", func(t *testing.T) {
		each(t, diagnose.Options{Config: config.Diagnose{DomainRunning: 2, DomainHourly: 4}}, "", func(w *world) {
			w.ok(try(w, w.li))
			w.ok(try(w, w.wang))
			refused(w, w.boss, "at most 2 diagnoses of your account")
			w.work()
			w.ok(try(w, w.boss))
			w.ok(try(w, w.li))
			w.work()
			refused(w, w.wang, "at most 4 diagnoses an hour for your account")
			w.ok(try(w, w.foreign))
		})
	})
	t.Run("at once", func(t *testing.T) {
		each(t, diagnose.Options{}, "", func(w *world) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			numbers := map[int32]bool{}
			for range 12 {
				wg.Go(func() {
					n, err := w.s.Start(w.t.Context(), w.li, diagnose.NewJob{Type: 4, Params: params("host", "10.0.0.1")})
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						numbers[n] = true
					} else if fault.KindOf(err) != fault.TooMany {
						w.t.Error(err)
					}
				})
			}
			wg.Wait()
			if len(numbers) != 3 {
				w.t.Errorf("%d of 12 at once were let in, want 3", len(numbers))
			}
		})
	})
}

// TestStartRefused: what cannot be started, and that nothing is stored.
func TestStartRefused(t *testing.T) {
	t.Parallel()
	each(t, diagnose.Options{}, "", func(w *world) {
		many := map[string]string{"host": "192.0.2.1"}
		for i := range 20 {
			many[fmt.Sprint("k", i)] = "v"
		}
		for _, tt := range []struct {
			in    diagnose.NewJob
			field string
		}{
			{diagnose.NewJob{Type: 9, Params: params("host", "192.0.2.1")}, "type"},
			{diagnose.NewJob{Type: 4}, "params.host"},
			{diagnose.NewJob{Type: 4, Params: params("host", "  ")}, "params.host"},
			{diagnose.NewJob{Type: 4, Params: params("Host", "192.0.2.1")}, "params.host"},
			{diagnose.NewJob{Type: 4, Params: params("host", strings.Repeat("a", 257))}, "params.host"},
			{diagnose.NewJob{Type: 4, Params: params("host", "192.0.2.1", "port", "0")}, "params.port"},
			{diagnose.NewJob{Type: 4, Params: params("host", "192.0.2.1", "port", "65536")}, "params.port"},
			{diagnose.NewJob{Type: 4, Params: params("host", "192.0.2.1", "port", "022")}, "params.port"},
			{diagnose.NewJob{Type: 1, Params: params("host", "192.0.2.1", "path", "x")}, "params.path"},
			{diagnose.NewJob{Type: 1, Params: params("host", "192.0.2.1", "path", "/x?y=1")}, "params.path"},
			{diagnose.NewJob{Type: 1, Params: params("host", "192.0.2.1", "path", "/%zz")}, "params.path"},
			{diagnose.NewJob{Type: 1, Params: params("instance_id", "none")}, "params.instance_id"},
			{diagnose.NewJob{Type: 4, Params: many}, "params"},
			{diagnose.NewJob{Type: 4, Params: params("host", "192.0.2.1"), Region: "atlantis"}, "region_id"},
		} {
			_, err := w.s.Start(w.t.Context(), w.li, tt.in)
			w.refused(err, "01010001", tt.field)
		}
		delete(many, "k0")
		n, err := w.s.Start(w.t.Context(), w.li, diagnose.NewJob{Type: 4, Params: many, Region: "cn-north-1"})
		w.ok(err)
		j := w.show(w.li, num(n))
		if n != 1 || fmt.Sprint(j.Params) != "map[host:192.0.2.1 port:1]" || j.Region != "cn-north-1" { // numbers of refused ones are not used up
			w.t.Errorf("%+v", j)
		}
		for _, port := range []string{"1", "65535"} {
			w.start(w.wang, 4, "host", "例子.中国", "port", port)
		}
		if page, _, err := w.s.List(w.t.Context(), w.wang, diagnose.Filter{Size: 1}); err != nil || page[0].Params["host"] != "xn--fsqu00a.xn--fiqs8s" {
			w.t.Errorf("%+v, %v", page, err)
		}
		for _, who := range []principal.Principal{{}, w.chen, w.admin, principal.AsSystem(w.boss.Domain)} {
			if _, err := w.s.Start(w.t.Context(), who, diagnose.NewJob{Type: 4, Params: params("host", "192.0.2.1")}); fault.KindOf(err) != fault.Forbidden {
				w.t.Errorf("%v starts: %v", who.Kind, err)
			}
		}
	})
}

// TestWhoSees: the creator and the main account; for others an id is as good as
// one that never was.
func TestWhoSees(t *testing.T) {
	t.Parallel()
	each(t, diagnose.Options{}, "", func(w *world) {
		ctx := w.t.Context()
		id := w.start(w.li, 4, "host", "10.0.0.1")
		theirs := w.start(w.foreign, 4, "host", "10.0.0.1")
		if id != theirs {
			w.t.Fatalf("numbers %s and %s: the test wants equal ones", id, theirs)
		}
		if j := w.show(w.foreign, theirs); j.Creator != w.foreign.User {
			w.t.Error("another domain's diagnosis is shown")
		}
		if j := w.show(w.boss, id); j.Creator != w.li.User {
			w.t.Errorf("the main account sees %+v", j)
		}
		_, unknown := w.s.Show(ctx, w.wang, "77")
		w.refused(unknown, "01010001", "job_id")
		for _, other := range []string{id, "0", "-1", "01", "+1", "1 ", "x", "2147483648", "99999999999999999999", strings.Repeat("1", 5000)} {
			if _, err := w.s.Show(ctx, w.wang, other); fmt.Sprint(err) != fmt.Sprint(unknown) {
				w.t.Errorf("%.20s: %v, unknown: %v", other, err, unknown)
			}
		}
		_, err := w.s.Show(ctx, w.li, "")
		w.refused(err, "01010001", "job_id")
		if _, err := w.s.Show(ctx, w.chen, id); fault.KindOf(err) != fault.Forbidden {
			w.t.Errorf("an engineer asks as a customer: %v", err)
		}
		for who, want := range map[*principal.Principal]int{&w.li: 1, &w.wang: 0, &w.boss: 1, &w.foreign: 1} {
			if page, total, err := w.s.List(ctx, *who, diagnose.Filter{}); err != nil || total != want || len(page) != want {
				w.t.Errorf("%s sees %d: %v", who.UserName, total, err)
			}
		}
	})
}

// TestList: pages from 1, newest first, by type.
func TestList(t *testing.T) {
	t.Parallel()
	each(t, diagnose.Options{}, "", func(w *world) {
		var made []string
		for i := range 12 {
			made = append(made, w.start(w.li, int32(3+i%2), "host", "10.0.0.1"))
			w.work()
		}
		list := func(f diagnose.Filter) (ids []string, total int) {
			page, total, err := w.s.List(w.t.Context(), w.li, f)
			w.ok(err)
			for _, j := range page {
				ids = append(ids, num(j.Number))
			}
			return ids, total
		}
		for _, tt := range []struct {
			f     diagnose.Filter
			want  string
			total int
		}{
			{diagnose.Filter{}, "[12 11 10 9 8 7 6 5 4 3]", 12},
			{diagnose.Filter{Page: 2}, "[2 1]", 12},
			{diagnose.Filter{Page: 3, Size: 5}, "[2 1]", 12},
			{diagnose.Filter{Page: 4, Size: 5}, "[]", 12},
			{diagnose.Filter{Page: 1<<31 - 1, Size: 100}, "[]", 12},
			{diagnose.Filter{Type: 4, Size: 3}, "[12 10 8]", 6},
			{diagnose.Filter{Type: 1}, "[]", 0},
		} {
			if ids, total := list(tt.f); fmt.Sprint(ids) != tt.want || total != tt.total {
				w.t.Errorf("%+v: %v of %d, want %s of %d", tt.f, ids, total, tt.want, tt.total)
			}
		}
		if len(made) != 12 {
			w.t.Fatal(made)
		}
	})
}

// TestRate: the newest that has ended, once, within the limit.
func TestRate(t *testing.T) {
	t.Parallel()
	each(t, diagnose.Options{}, "", func(w *world) {
		ctx := w.t.Context()
		rate := func(who principal.Principal, kind int32, comment string) error {
			return w.s.Rate(ctx, who, diagnose.Rating{Type: kind, Helpful: true, Comment: comment})
		}
		w.refused(rate(w.li, 4, ""), "01010001", "type")
		id := w.start(w.li, 4, "host", "10.0.0.1")
		w.refused(rate(w.li, 4, ""), "01010001", "type") // still open
		w.work()
		w.refused(rate(w.li, 3, ""), "01010001", "type")
		w.refused(rate(w.boss, 4, ""), "01010001", "type") // not his own
		w.refused(rate(w.li, 4, strings.Repeat("好", 1001)), "01010001", "content")
		w.ok(rate(w.li, 4, strings.Repeat("好", 1000)))
		w.refused(rate(w.li, 4, "again"), "01010001", "type")
		w.start(w.li, 4, "host", "10.0.0.1")
		w.work()
		var wg sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			wg.Go(func() { errs[i] = rate(w.li, 4, "") })
		}
		wg.Wait()
		good := 0
		for _, err := range errs {
			if err == nil {
				good++
			} else {
				w.refused(err, "01010001", "type")
			}
		}
		if good != 1 || w.events("diagnosis.rate") != 2 {
			w.t.Errorf("%d of 6 at once were taken, %d events", good, w.events("diagnosis.rate"))
		}
		n := int32(id[0] - '0')
		if _, ratings, err := w.s.DeskShow(ctx, w.chen, w.li.Domain, n); err != nil || len(ratings) != 1 || ratings[0].User != w.li.User || !ratings[0].Helpful || len(ratings[0].Comment) != 3000 {
			w.t.Errorf("%+v, %v", ratings, err)
		}
		if err := rate(w.chen, 4, ""); fault.KindOf(err) != fault.Forbidden {
			w.t.Errorf("an engineer rates: %v", err)
		}
	})
}

// TestPurge: records end after so many days, with all that belongs to them; a
// number is never given again.
func TestPurge(t *testing.T) {
	t.Parallel()
	each(t, diagnose.Options{Config: config.Diagnose{KeepDays: 7}}, "", func(w *world) {
		w.start(w.li, 4, "host", "10.0.0.1")
		w.work()
		w.ok(w.s.Rate(w.t.Context(), w.li, diagnose.Rating{Type: 4}))
		w.clock.Add(24 * time.Hour)
		w.start(w.li, 4, "host", "10.0.0.1")
		w.work()
		rows := func() string {
			var a, b, c int
			w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
				return tx.Get("SELECT (SELECT count(*) FROM diagnoses), (SELECT count(*) FROM diagnosis_checks), (SELECT count(*) FROM diagnosis_ratings)").Scan(&a, &b, &c)
			}))
			return fmt.Sprint(a, b, c)
		}
		w.clock.Add(6*24*time.Hour - 3*time.Millisecond)
		w.ok(w.s.Purge(w.t.Context()))
		if got := rows(); got != "2 2 1" {
			w.t.Errorf("too early: %s rows", got)
		}
		w.clock.Add(2 * time.Millisecond)
		w.ok(w.s.Purge(w.t.Context()))
		if got := rows(); got != "1 1 0" {
			w.t.Errorf("%s rows are left, want 1 1 0", got)
		}
		w.clock.Add(30 * 24 * time.Hour)
		never, _ := w.node(diagnose.Options{Config: config.Diagnose{KeepDays: -1}})
		w.ok(never.Purge(w.t.Context()))
		if got := rows(); got != "1 1 0" {
			w.t.Errorf("%s rows are left where none may be deleted", got)
		}
		for _, on := range [][2]string{{"domain", w.li.Domain}, {"person", w.li.User}} { // under a legal hold
			w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error {
				tx.Write(db.Any, "DELETE FROM privacy_holds")
				tx.Write(1, `INSERT INTO privacy_holds (id, kind, domain_id, subject_id, reason, held_until, created_at, actor, released_at, released_by, release_reason)
				VALUES ('h', ?, ?, ?, '', 0, 1, 'u', 0, '', '')`, on[0], w.li.Domain, on[1])
				return nil
			}))
			w.ok(w.s.Purge(w.t.Context()))
			if got := rows(); got != "1 1 0" {
				w.t.Errorf("under a hold on the %s %s rows are left", on[0], got)
			}
		}
		w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error { tx.Write(db.Any, "DELETE FROM privacy_holds"); return nil }))
		w.ok(w.s.Purge(w.t.Context()))
		if got := rows(); got != "0 0 0" {
			w.t.Errorf("%s rows are left behind the hold", got)
		}
		if id := w.start(w.li, 4, "host", "10.0.0.1"); id != "3" || rows() != "1 1 0" {
			w.t.Errorf("the next number is %s, %s rows", id, rows())
		}
	})
}

// TestStartAgain: a repeated request gets the first number and starts nothing.
func TestStartAgain(t *testing.T) {
	t.Parallel()
	each(t, diagnose.Options{}, "", func(w *world) {
		for range 3 {
			key := db.RequestKey{ID: "one", Domain: w.li.Domain, Until: w.clock.Now().Add(time.Hour).UnixMilli()}
			n, err := w.s.Start(db.WithRequestKey(w.t.Context(), key), w.li, diagnose.NewJob{Type: 4, Params: params("host", "10.0.0.1")})
			if err != nil || n != 1 {
				w.t.Errorf("number %d, %v", n, err)
			}
		}
		if _, n := w.queued(); n != 1 || w.events("diagnosis.start") != 1 {
			w.t.Errorf("%d runs, %d events", n, w.events("diagnosis.start"))
		}
	})
}

// TestDesk: engineers see a customer's diagnoses page by page.
func TestDesk(t *testing.T) {
	t.Parallel()
	each(t, diagnose.Options{}, "", func(w *world) {
		ctx := w.t.Context()
		for range 3 {
			w.start(w.li, 4, "host", "10.0.0.1")
		}
		w.start(w.foreign, 4, "host", "10.0.0.1")
		f := diagnose.DeskFilter{Domain: w.li.Domain, Limit: 2}
		page, more, err := w.s.Desk(ctx, w.chen, f)
		if err != nil || !more || len(page) != 2 || page[0].Number != 3 {
			w.t.Fatalf("%+v, %v, %v", page, more, err)
		}
		f.Before = page[1].ID
		page, more, err = w.s.Desk(ctx, w.chen, f)
		if err != nil || more || len(page) != 1 || page[0].Number != 1 {
			w.t.Fatalf("%+v, %v, %v", page, more, err)
		}
		if j, _, err := w.s.DeskShow(ctx, w.chen, w.li.Domain, 2); err != nil || len(j.Checks) != 1 {
			w.t.Errorf("%+v, %v", j, err)
		}
		_, _, err = w.s.DeskShow(ctx, w.chen, w.li.Domain, 9)
		w.refused(err, "01010001", "job_id")
		for _, domain := range []string{"none", principal.House, ""} {
			if _, _, err := w.s.Desk(ctx, w.chen, diagnose.DeskFilter{Domain: domain}); !errors.Is(err, identity.ErrNoDomain) {
				w.t.Errorf("domain %q: %v", domain, err)
			}
		}
		for _, who := range []principal.Principal{{}, w.boss} {
			if _, _, err := w.s.Desk(ctx, who, f); fault.KindOf(err) != fault.Forbidden {
				w.t.Errorf("%s %s lists: %v", who.Kind, who.Role, err)
			}
			if _, _, err := w.s.DeskShow(ctx, who, w.li.Domain, 1); fault.KindOf(err) != fault.Forbidden {
				w.t.Errorf("%s %s reads: %v", who.Kind, who.Role, err)
			}
		}
	})
}
