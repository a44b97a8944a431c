package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// twin is another node on the same store.
func (w *world) twin(o queue.Options) *queue.Service {
	w.t.Helper()
	q, err := queue.New(w.DB, w.Keys, queue.Nouns{Identity: w.Ident, Catalog: w.Catalog, Notify: w.Notify, Tickets: w.Tickets}, o)
	w.OK(err)
	return q
}

// follow seals what happened and lets rules follow, until nothing more happens.
func (w *world) follow() {
	w.t.Helper()
	for range 20 {
		w.Clock.Add(time.Millisecond)
		w.seal()
		w.OK(w.q.FollowRules(w.t.Context()))
	}
}

// rule makes a rule.
func (w *world) rule(mode string, d queue.Definition) queue.Rule {
	w.t.Helper()
	r, err := w.q.CreateRule(w.t.Context(), principal.Principal{Kind: principal.Local, User: "local"}, queue.NewRule{Name: locale.Texts{ZH: "规则"}, Mode: mode, Definition: d})
	w.OK(err)
	w.Clock.Add(time.Millisecond)
	return r
}

// runs are a rule's, oldest first.
func (w *world) runs(r queue.Rule) []queue.RuleRun {
	w.t.Helper()
	all, _, err := w.q.RuleRuns(w.t.Context(), w.Chen, queue.RunFilter{Rule: r.ID, Limit: 100})
	w.OK(err)
	slices.Reverse(all)
	return all
}

func on(kinds ...string) queue.When { return queue.When{Events: kinds} }

// TestRuleRuns: a rule acts on what its events and conditions say, once, as
// Casemate; Chinese words are found; other tickets are left alone; a sandbox's are.
func TestRuleRuns(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := t.Context()
		r := w.rule(queue.ModeOn, queue.Definition{When: on("ticket.create", "ticket.reply"), If: &queue.Condition{All: []queue.Condition{
			{Field: "text", Op: "contains", Value: "无法登录"}, {Not: &queue.Condition{Field: "tags", Op: "contains", Value: "登录"}}, {Field: "by", Op: "eq", Value: "customer"}}},
			Then: []queue.Action{{Do: "tag", Tags: []string{"登录"}}, {Do: "reply", Text: words("我们已收到 {{ticket.number}}", "we have {{ticket.number}}")}, {Do: "assign", To: "emma"}}})
		hit, miss := w.Create(w.Li, "云服务器无法登录，提示超时"), w.Create(w.Li, "登录后变慢")
		box, err := w.Ident.CreateDomain(ctx, principal.AsSystem(principal.House), identity.NewDomain{Name: "box", Sandbox: true})
		w.OK(err)
		u, err := w.Ident.CreateUser(ctx, principal.AsSystem(principal.House), identity.NewUser{Domain: box.ID, Name: "tester", Password: "a-Password-1", Main: true, Mail: "tester@example.com"})
		w.OK(err)
		boxed := w.Create(principal.Principal{Kind: principal.Customer, Domain: box.ID, User: u.ID, Main: true, Sandbox: true}, "无法登录")
		w.follow()
		now := w.show(hit)
		if now.Status != ticket.Processing || now.AssigneeName != "emma" || !slices.Equal(now.Tags, []string{"登录"}) {
			t.Errorf("the ticket is %d, of %q, tagged %v", now.Status, now.AssigneeName, now.Tags)
		}
		if got := w.said(hit); len(got) != 2 || got[1] != "message 我们已收到 "+hit {
			t.Errorf("said %q", got)
		}
		messages, err := w.Tickets.DeskMessages(ctx, w.Chen, hit)
		w.OK(err)
		if messages[1].Side != ticket.SystemSide {
			t.Errorf("the rule writes on side %d", messages[1].Side)
		}
		for _, n := range []string{miss, boxed} {
			if got := w.show(n); got.Revision != 1 {
				t.Errorf("%s was changed: %d", n, got.Revision)
			}
		}
		runs := w.runs(r)
		if len(runs) != 1 || runs[0].State != "done" || runs[0].Number != hit || runs[0].Event != "ticket.create" || runs[0].Depth != 1 || len(runs[0].Outcomes) != 3 || runs[0].RuleName.ZH != "规则" {
			t.Errorf("runs %+v", runs)
		}
		// A reply in Chinese on the other ticket; width and case do not matter.
		w.OK(w.Tickets.Reply(ctx, w.Li, miss, "", "现在完全无法登录了"))
		w.follow()
		if got := w.show(miss); !slices.Equal(got.Tags, []string{"登录"}) {
			t.Errorf("tags %v", got.Tags)
		}
		// A failing action is recorded and ends the run; the feed goes on.
		bad := w.rule(queue.ModeOn, queue.Definition{When: on("ticket.note"), Then: []queue.Action{{Do: "tag", Tags: []string{"a"}}, {Do: "resume"}, {Do: "tag", Tags: []string{"b"}}}})
		w.OK(w.Step(w.Chen, hit, "note", "n"))
		third := w.Create(w.Li, "又无法登录")
		w.follow()
		runs = w.runs(bad)
		if len(runs) != 1 || runs[0].State != "failed" || len(runs[0].Outcomes) != 2 || runs[0].Outcomes[1].Code != fault.CodeNoPermission || runs[0].Outcomes[1].ZH == "" || runs[0].Outcomes[1].EN == "" {
			t.Errorf("runs %+v", runs)
		}
		if got := w.show(third); !slices.Equal(got.Tags, []string{"登录"}) {
			t.Errorf("behind the failure: tags %v", got.Tags)
		}
		if shown, err := w.q.Rule(ctx, w.Chen, r.ID); err != nil || shown.Runs["done"] != 3 {
			t.Errorf("counted %v, %v", shown.Runs, err)
		}
	})
}

// TestRuleShadow: a rule in shadow changes nothing and tells what the same rule
// switched on then does.
func TestRuleShadow(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := t.Context()
		d := queue.Definition{When: on("ticket.create"), Then: []queue.Action{{Do: "tag", Tags: []string{"x"}}, {Do: "reply", Text: words("{{ticket.number}} 收到", "")}, {Do: "pause"}, {Do: "resolve", Text: words("好", "")}}}
		shadow := w.rule("", d)
		if shadow.Mode != queue.ModeShadow {
			t.Errorf("a new rule is %s", shadow.Mode)
		}
		n := w.Create(w.Li, "one")
		w.follow()
		if got := w.show(n); got.Revision != 1 {
			t.Errorf("the shadow changed the ticket: %d", got.Revision)
		}
		foreseen := w.runs(shadow)
		if len(foreseen) != 1 || foreseen[0].State != "shadow" || foreseen[0].Texts[1] != n+" 收到" {
			t.Fatalf("runs %+v", foreseen)
		}
		_, err := w.q.ChangeRule(ctx, w.lead(), shadow.ID, queue.NewRule{Name: shadow.Name, Mode: queue.ModeOn, Definition: d}, shadow.Version)
		w.OK(err)
		w.Clock.Add(time.Millisecond)
		second := w.Create(w.Li, "two")
		w.follow()
		runs := w.runs(shadow)
		if len(runs) != 2 || fmt.Sprint(runs[1].Outcomes) != fmt.Sprint(foreseen[0].Outcomes) {
			t.Errorf("foreseen %+v, done %+v", foreseen[0].Outcomes, runs[1].Outcomes)
		}
		if got := w.show(second); got.Status != ticket.Paused {
			t.Errorf("state %d", got.Status)
		}
		// What happened before a rule was switched on is none of its business.
		if got := w.show(n); got.Revision != 1 {
			t.Errorf("an old ticket was changed: %d", got.Revision)
		}
		versions, err := w.q.RuleVersions(ctx, w.Chen, shadow.ID)
		w.OK(err)
		if len(versions) != 2 || versions[0].Mode != queue.ModeOn || versions[1].Mode != queue.ModeShadow {
			t.Errorf("versions %+v", versions)
		}
	})
}

// TestRuleLoop: rules that answer each other stop at the depth; one that comes
// round to itself is switched off, with an event and a notice to administrators;
// a chain without a circle is only cut.
func TestRuleLoop(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := t.Context()
		_, err := w.Ident.CreateUser(ctx, principal.AsSystem(principal.House), newPerson("root", principal.RoleAdministrator, "root@house.example"))
		w.OK(err)
		note := func(text string) []queue.Action { return []queue.Action{{Do: "note", Text: words(text, "")}} }
		a := w.rule(queue.ModeOn, queue.Definition{When: on("ticket.note"), If: &queue.Condition{Field: "message", Op: "contains", Value: "ping"}, Then: note("pong")})
		b := w.rule(queue.ModeOn, queue.Definition{When: on("ticket.note"), If: &queue.Condition{Field: "message", Op: "contains", Value: "pong"}, Then: note("ping")})
		n := w.Create(w.Li, "x")
		w.OK(w.Step(w.Chen, n, "note", "ping"))
		w.follow()
		if got := w.said(n); len(got) != 5 { // opening, the engineer's, three of rules
			t.Errorf("%d messages: %q", len(got), got)
		}
		first, err := w.q.Rule(ctx, w.Chen, a.ID)
		w.OK(err)
		second, err := w.q.Rule(ctx, w.Chen, b.ID)
		w.OK(err)
		if first.Mode != queue.ModeOn || second.Mode != queue.ModeOff || second.Cause != "loop" || second.Version != 2 {
			t.Errorf("the rules are %s and %s (%s)", first.Mode, second.Mode, second.Cause)
		}
		runs := w.runs(b)
		last := runs[len(runs)-1]
		if len(runs) != 2 || last.State != "skipped" || last.Skipped != "loop" || last.Depth != 4 || !slices.Equal(last.Chain, []string{a.ID, b.ID, a.ID, b.ID}) {
			t.Errorf("runs %+v", runs)
		}
		w.Work()
		if got := len(w.Post.Got); got == 0 || w.Post.Got[got-1].To != "root@house.example" || w.Post.Got[got-1].Template != "desk.rule" {
			t.Errorf("the administrators were told %+v", w.Post.Got)
		}
		var off int
		w.OK(w.DB.View(ctx, func(tx *db.Tx) error {
			all, err := event.After(tx, "", 0, 1000)
			for _, e := range all {
				if e.Kind == "rule.off" && e.SubjectID == b.ID {
					off++
				}
			}
			return err
		}))
		if off != 1 {
			t.Errorf("%d events of switching off", off)
		}
		// Four rules in a row: the fourth is cut, none is switched off.
		var row []queue.Rule
		for i := range 4 {
			row = append(row, w.rule(queue.ModeOn, queue.Definition{When: on("ticket.note"), If: &queue.Condition{Field: "message", Op: "contains", Value: fmt.Sprint("step ", i)}, Then: note(fmt.Sprint("step ", i+1))}))
		}
		w.OK(w.Step(w.Chen, n, "note", "step 0"))
		w.follow()
		if got := w.said(n); got[len(got)-1] != "note step 3" {
			t.Errorf("said %q", got)
		}
		cut := w.runs(row[3])
		if len(cut) != 1 || cut[0].Skipped != "depth" {
			t.Errorf("runs %+v", cut)
		}
		if r, err := w.q.Rule(ctx, w.Chen, row[3].ID); err != nil || r.Mode != queue.ModeOn {
			t.Errorf("the cut rule is %s, %v", r.Mode, err)
		}
	})
}

// TestRuleRate: a rule runs so many times on a ticket within an hour, at the most
// and one more; a customer who writes much switches nothing off.
func TestRuleRate(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := t.Context()
		w.q = w.twin(queue.Options{Automation: config.Automation{RulePerHour: 3}})
		r := w.rule(queue.ModeOn, queue.Definition{When: queue.When{Events: []string{"ticket.reply"}, By: "customer"}, Then: []queue.Action{{Do: "note", Text: words("又一条", "")}}})
		n, other := w.Create(w.Li, "x"), w.Create(w.Li, "y")
		for i := range 4 {
			w.Clock.Add(time.Minute)
			w.OK(w.Tickets.Reply(ctx, w.Li, n, "", fmt.Sprint("reply ", i)))
			w.follow()
		}
		w.OK(w.Tickets.Reply(ctx, w.Li, other, "", "of the other ticket"))
		w.follow()
		runs := w.runs(r)
		if len(runs) != 5 || runs[2].State != "done" || runs[3].Skipped != "rate" || runs[4].State != "done" {
			t.Errorf("runs %+v", runs)
		}
		w.Clock.Add(time.Hour)
		w.OK(w.Tickets.Reply(ctx, w.Li, n, "", "an hour later"))
		w.follow()
		if runs = w.runs(r); len(runs) != 6 || runs[5].State != "done" {
			t.Errorf("runs %+v", runs)
		}
		if got, err := w.q.Rule(ctx, w.Chen, r.ID); err != nil || got.Mode != queue.ModeOn {
			t.Errorf("the rule is %s, %v", got.Mode, err)
		}
	})
}

// TestRuleTwoRunners: two nodes follow at once; every ticket is done once.
func TestRuleTwoRunners(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := t.Context()
		w.Unlimited()
		r := w.rule(queue.ModeOn, queue.Definition{When: on("ticket.create"), Then: []queue.Action{{Do: "note", Text: words("一", "one")}, {Do: "reply", Text: words("二", "two")}}})
		var numbers []string
		for i := range 30 {
			numbers = append(numbers, w.Create(w.Li, fmt.Sprint("ticket ", i)))
		}
		w.seal()
		nodes := []*queue.Service{w.q, w.twin(queue.Options{}), w.twin(queue.Options{})}
		var wg sync.WaitGroup
		errs := make(chan error, len(nodes))
		for _, q := range nodes {
			wg.Go(func() {
				for range 40 {
					if err := q.FollowRules(ctx); err != nil {
						errs <- err
						return
					}
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			t.Error(err)
		}
		w.follow()
		for _, n := range numbers {
			if got := w.said(n); len(got) != 3 {
				t.Errorf("%s holds %q", n, got)
			}
		}
		if runs := w.runs(r); len(runs) != len(numbers) {
			t.Errorf("%d runs", len(runs))
		}
	})
}

// TestRuleInterrupted: a runner that dies at any place leaves a run that another
// one goes on with after a minute, doing nothing twice and missing nothing.
func TestRuleInterrupted(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"claimed", "action", "carried", "fired"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			each(t, func(w *world) {
				ctx := t.Context()
				r := w.rule(queue.ModeOn, queue.Definition{When: on("ticket.create"), Then: []queue.Action{{Do: "note", Text: words("一", "one")}, {Do: "reply", Text: words("二", "two")}, {Do: "notify", To: "emma"}}})
				first, second := w.Create(w.Li, "first"), w.Create(w.Li, "second")
				w.seal()
				died := errors.New("the node died")
				dying := w.twin(queue.Options{})
				seen := 0
				dying.Interrupt(func(at string) error {
					if at != place {
						return nil
					}
					if seen++; place == "action" && seen < 3 {
						return nil // dies before the third action
					}
					return died
				})
				if err := dying.FollowRules(ctx); !errors.Is(err, died) {
					t.Fatalf("%v after %d", err, seen)
				}
				// Others leave it alone while its claim lives.
				w.OK(w.q.FollowRules(ctx))
				if got := len(w.said(second)); place != "fired" && got != 1 {
					t.Errorf("the events behind were done before: %d", got)
				}
				w.Clock.Add(61 * time.Second)
				w.follow()
				for _, n := range []string{first, second} {
					if got := w.said(n); !slices.Equal(got[1:], []string{"note 一", "message 二"}) {
						t.Errorf("%s holds %q", n, got)
					}
				}
				runs := w.runs(r)
				if len(runs) != 2 || runs[0].State != "done" || runs[1].State != "done" || len(runs[0].Outcomes) != 3 {
					t.Errorf("runs %+v", runs)
				}
			})
		})
	}
}

// TestRuleTime: a rule acts on a ticket that has been in a state for so long, once
// for each time it comes into it.
func TestRuleTime(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := t.Context()
		paused := int(ticket.Paused)
		r := w.rule(queue.ModeOn, queue.Definition{When: queue.When{State: &paused, Hours: 48}, If: &queue.Condition{Field: "created", Op: "older_than", Value: "2d"}, Then: []queue.Action{{Do: "note", Text: words("暂停过久", "paused for long")}}})
		n := w.Create(w.Li, "x")
		w.OK(w.Step(w.Chen, n, "accept", ""))
		w.OK(w.Step(w.Chen, n, "pause", ""))
		other := w.Create(w.Li, "y")
		check := func(want int) {
			t.Helper()
			for range 3 {
				w.OK(w.q.CheckRuleTimes(ctx))
			}
			if got := len(w.runs(r)); got != want {
				t.Errorf("%d runs, want %d", got, want)
			}
		}
		w.Clock.Add(48*time.Hour - time.Second)
		check(0)
		w.Clock.Add(time.Second)
		check(1)
		w.Clock.Add(100 * time.Hour)
		check(1)
		w.OK(w.Step(w.Chen, n, "resume", ""))
		w.OK(w.Step(w.Chen, n, "pause", ""))
		check(1)
		w.Clock.Add(48 * time.Hour)
		check(2)
		if got := w.said(n); len(got) != 3 || got[2] != "note 暂停过久" {
			t.Errorf("said %q", got)
		}
		if got := w.show(other); got.Revision != 1 {
			t.Errorf("another ticket was changed")
		}
		// What is old goes.
		w.Clock.Add(91 * 24 * time.Hour)
		w.OK(w.q.PurgeRuleRuns(ctx))
		if got := len(w.runs(r)); got != 0 {
			t.Errorf("%d runs are left", got)
		}
	})
}

// TestRuleDryRun: a dry run finds the past events on which a shadow that was
// there then has found the rule to act, with the same outcomes, and writes nothing.
func TestRuleDryRun(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx, lead := t.Context(), w.lead()
		d := queue.Definition{When: on("ticket.state"), If: &queue.Condition{Any: []queue.Condition{{Field: "status", Op: "in", Values: []string{"5", "17"}}, {Field: "message", Op: "contains", Value: "日志"}}},
			Then: []queue.Action{{Do: "note", Text: words("{{ticket.number}} {{status}}", "")}, {Do: "resume"}}}
		shadow := w.rule(queue.ModeShadow, d)
		for i := range 6 {
			n := w.Create(w.Li, fmt.Sprint("ticket ", i))
			w.follow()
			for _, step := range [][2]string{{"accept", ""}, {"pause", ""}, {"resume", ""}, {"ask", "请提供日志"}}[:i%5] {
				w.OK(w.Step(w.Chen, n, step[0], step[1]))
				w.follow()
			}
		}
		told := map[string]string{}
		for _, r := range w.runs(shadow) {
			told[r.Number+" "+r.Event] = fmt.Sprint(r.Outcomes)
		}
		before := w.eventsOf()
		out, err := w.q.DryRunRule(ctx, lead, queue.DryRun{Definition: d, Tickets: 100})
		w.OK(err)
		got := map[string]string{}
		for _, m := range out.Matches {
			got[m.Number+" "+m.Event] = fmt.Sprint(m.Outcomes)
		}
		if fmt.Sprint(got) != fmt.Sprint(told) || len(told) != 4 || out.Matched != 4 || out.Tickets != 6 {
			t.Errorf("dry run %v\nshadow %v\n%+v", got, told, out)
		}
		if after := w.eventsOf(); after != before {
			t.Errorf("a dry run recorded %d events", after-before)
		}
		if out, err = w.q.DryRunRule(ctx, lead, queue.DryRun{Definition: d, Tickets: 2}); err != nil || out.Tickets != 2 {
			t.Errorf("%+v, %v", out, err)
		}
		if out, err = w.q.DryRunRule(ctx, lead, queue.DryRun{Definition: d, Days: 1}); err != nil || out.Tickets != 6 {
			t.Errorf("%+v, %v", out, err)
		}
		w.Clock.Add(25 * time.Hour)
		if out, err = w.q.DryRunRule(ctx, lead, queue.DryRun{Definition: d, Days: 1}); err != nil || out.Tickets != 0 {
			t.Errorf("%+v, %v", out, err)
		}
		for field, bad := range map[string]queue.DryRun{"tickets": {Definition: d, Tickets: 501}, "days": {Definition: d, Days: 91}, "then": {}} {
			bad.When = d.When
			_, err := w.q.DryRunRule(ctx, lead, bad)
			w.field(err, field)
		}
		_, err = w.q.DryRunRule(ctx, w.Chen, queue.DryRun{Definition: d})
		w.Refused(err, "02")
		feedback := int(ticket.Feedback)
		timed := queue.Definition{When: queue.When{State: &feedback, Hours: 24}, Then: d.Then}
		if out, err = w.q.DryRunRule(ctx, lead, queue.DryRun{Definition: timed}); err != nil || out.Matched != 1 {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

func (w *world) eventsOf() (n int) {
	w.t.Helper()
	w.seal()
	w.OK(w.DB.View(w.t.Context(), func(tx *db.Tx) error {
		head, err := event.Head(tx, "")
		n = int(head)
		return err
	}))
	return n
}

// TestRuleGivenUp: a run that ends every node that begins it fails in the end and
// no longer holds up what is behind it.
func TestRuleGivenUp(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := t.Context()
		r := w.rule(queue.ModeOn, queue.Definition{When: on("ticket.create"), Then: []queue.Action{{Do: "tag", Tags: []string{"x"}}}})
		first, second := w.Create(w.Li, "first"), w.Create(w.Li, "second")
		w.seal()
		died, deaths := errors.New("the node died"), 0
		w.q.Interrupt(func(at string) error {
			if at == "claimed" && deaths < 5 {
				deaths++
				return died
			}
			return nil
		})
		for range 5 {
			if err := w.q.FollowRules(ctx); !errors.Is(err, died) {
				t.Fatalf("%v", err)
			}
			w.Clock.Add(61 * time.Second)
		}
		w.follow()
		runs := w.runs(r)
		if len(runs) != 2 || runs[0].State != "failed" || runs[0].Outcomes[0].Code != fault.CodeInternal || runs[1].State != "done" {
			t.Errorf("runs %+v", runs)
		}
		if a, b := w.show(first).Tags, w.show(second).Tags; len(a) != 0 || len(b) != 1 {
			t.Errorf("tags %v and %v", a, b)
		}
	})
}
