package ticket_test

import (
	"slices"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/sla"
	"casemate/internal/ticket"
)

// TestUndoMarks: tags, severity, a release and a team come back as they were, row
// by row, in reverse; what depends on them stands in the way.
func TestUndoMarks(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		ding := w.supervisor()
		for _, team := range []string{"blue", "red"} {
			w.exec("INSERT INTO desk_teams (id, name_zh, name_en, lead, version, created_at, changed_at) VALUES (?, ?, ?, '', 1, 0, 0)", team, team, team)
		}
		n := w.fault1h(w.boss)
		w.ok(w.step(w.chen, n, "accept", ""))
		take := func(p ticket.Step) int64 {
			w.t.Helper()
			w.clock.Add(time.Minute)
			p.Number = n
			got, err := w.s.Take(ctx, w.chen, p)
			w.ok(err)
			return got.Revision
		}
		take(ticket.Step{Action: ticket.StepTag, Tags: []string{"VIP", "慢"}})
		type state struct {
			revision int64
			rows     []string
		}
		var before []state
		at := w.db.Now().UnixMilli()
		for _, p := range []ticket.Step{
			{Action: ticket.StepTag, Tags: []string{"new", "vip"}},
			{Action: ticket.StepUntag, Tags: []string{"ｖｉｐ", "new"}},
			{Action: ticket.StepSeverity, Severity: "sev-3"},
			{Action: ticket.StepTransfer, To: ticket.HouseBusiness, Team: "blue"},
			{Action: ticket.StepTransfer, To: ticket.HouseBusiness, Team: "red"},
			{Action: ticket.StepAccept},
			{Action: ticket.StepRelease},
		} {
			rows := w.rows(w.boss.Domain)
			before = append(before, state{take(p), rows})
		}
		show, err := w.s.DeskShow(ctx, w.chen, n)
		w.ok(err)
		if !slices.Equal(show.Tags, []string{"慢"}) || show.Severity != "sev-3" || show.Team != "red" || show.Assignee != "" {
			w.t.Errorf("%v %s %s %s", show.Tags, show.Severity, show.Team, show.Assignee)
		}
		was, err := w.s.AsOf(ctx, w.chen, n, at)
		w.ok(err)
		slices.Sort(was.Tags)
		if !slices.Equal(was.Tags, []string{"VIP", "慢"}) || was.Severity != "sev-2" || was.Team != "" || was.Assignee != w.chen.User {
			w.t.Errorf("as of then: %v %s %s %s", was.Tags, was.Severity, was.Team, was.Assignee)
		}
		w.refused(w.undo(w.chen, n, before[0].revision), "01010002") // the second depends on it
		w.refused(w.undo(w.chen, n, before[3].revision), "01010002") // another team has it now
		w.ok(w.undo(w.chen, n, before[2].revision))                  // the severity depends on nothing
		w.refused(w.undo(w.chen, n, before[2].revision), "01010002")
		again := take(ticket.Step{Action: ticket.StepSeverity, Severity: "sev-3"})
		for i, s := range slices.Backward(before) {
			w.clock.Add(time.Minute)
			if i == 2 {
				s.revision = again
			}
			w.ok(w.undo(ding, n, s.revision))
			w.same(string(rune('0'+i)), s.rows, w.rows(w.boss.Domain))
		}
		// A team that is gone gets nothing back; tags that others fill have no room.
		take(ticket.Step{Action: ticket.StepTransfer, To: ticket.HouseBusiness, Team: "blue"})
		second := take(ticket.Step{Action: ticket.StepTransfer, To: ticket.HouseBusiness, Team: "red"})
		w.exec("DELETE FROM desk_teams WHERE id = 'blue'")
		w.ok(w.undo(w.chen, n, second))
		if show, err = w.s.DeskShow(ctx, w.chen, n); err != nil || show.Team != "" {
			w.t.Errorf("team %q %v", show.Team, err)
		}
		off := take(ticket.Step{Action: ticket.StepUntag, Tags: []string{"慢"}})
		var many []string
		for i := range ticket.MaxTags - 1 {
			many = append(many, string(rune('a'+i)))
		}
		take(ticket.Step{Action: ticket.StepTag, Tags: many})
		w.refused(w.undo(w.chen, n, off), "01010002")
	})
}

// TestSeverityClocks: a ticket's open clocks go by the rule of its new severity,
// from their beginning; those that have stopped keep theirs; an undo gives the
// old rule back.
func TestSeverityClocks(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		n := w.fault1h(w.boss) // sev-2: an hour
		created := w.db.Now().UnixMilli()
		ding := w.supervisor()
		severity := func(to string) int64 {
			w.t.Helper()
			got, err := w.s.Take(t.Context(), w.chen, ticket.Step{Number: n, Action: ticket.StepSeverity, Severity: to})
			w.ok(err)
			return got.Revision
		}
		target := func(severity string, k sla.Kind) int64 {
			return w.catalog.Now().Promise("Business", severity, w.fault).Target(k)
		}
		check := func(what, want string, due int64, kind sla.Kind) {
			t.Helper()
			if got := say(w.clocks(n).All); got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
			if at, k := w.dueOf(n); at != due || k != kind {
				t.Errorf("%s: the row says %d %q, want %d %q", what, at-created, k, due-created, kind)
			}
		}
		w.clock.Add(90 * time.Minute)
		check("missed", "first_answer.1 breached 90m", created+target("sev-2", sla.FirstAnswer), sla.FirstAnswer)
		changed := severity("sev-3")
		if target("sev-3", sla.FirstAnswer) <= 90*60000 || w.clocks(n).Rule.Severity != "sev-3" {
			t.Fatal("the catalogue has other targets than this test")
		}
		check("lower", "first_answer.1 running 90m", created+target("sev-3", sla.FirstAnswer), sla.FirstAnswer)
		w.clock.Add(10 * time.Minute)
		w.ok(w.step(w.chen, n, "reply", "we are at it"))
		check("answered", "first_answer.1 met 100m", 0, "")
		w.clock.Add(time.Minute)
		w.ok(w.s.Reply(t.Context(), w.boss, n, "", "and?"))
		asked := w.db.Now().UnixMilli()
		w.clock.Add(70 * time.Minute)
		check("asked", "first_answer.1 met 100m, next_answer.1 running 70m", asked+target("sev-3", sla.NextAnswer), sla.NextAnswer)
		// What was answered in time stays so; what waits is late by the old rule.
		w.ok(w.undo(w.chen, n, changed))
		check("undone", "first_answer.1 met 100m, next_answer.1 breached 70m", asked+target("sev-2", sla.NextAnswer), sla.NextAnswer)
		w.clock.Add(time.Second)
		w.work() // the alarm of the undo tells it
		w.clock.Add(time.Second)
		w.work()
		past, _, err := w.s.History(t.Context(), ding, n, 0, 0)
		w.ok(err)
		told := 0
		for _, p := range past {
			if p.Kind == "sla.breached" {
				told++
			}
		}
		if told < 1 {
			t.Errorf("the breach was not told: %+v", past)
		}
		if mine, err := w.s.Clocks(t.Context(), w.boss, n, ""); err != nil || say(mine.All) != say(w.clocks(n).All) {
			t.Errorf("the customer sees %s %v", say(mine.All), err)
		}
	})
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error {
		tx.Write(db.Any, sql, args...)
		return nil
	}))
}

// TestMergeTeam: who follows the source and its tags come to the target, its
// files are found there, and the undo takes off what is as it came.
func TestMergeTeam(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		a, b := w.full(w.li, "alpha"), w.full(w.li, "beta")
		tag := func(n, action string, tags ...string) {
			w.t.Helper()
			_, err := w.s.Take(ctx, w.chen, ticket.Step{Number: n, Action: action, Tags: tags})
			w.ok(err)
		}
		tag(a, ticket.StepTag, "VIP", "net", "slow")
		tag(b, ticket.StepTag, "vip")
		for _, who := range []string{a, b} {
			w.ok(w.s.SetFollow(ctx, w.emma, who, true))
		}
		ding := w.supervisor()
		w.ok(w.s.SetFollow(ctx, ding, a, true))
		_, err := w.s.Snooze(ctx, w.chen, a, ticket.UntilStirred, 0)
		w.ok(err)
		show := func(n string) ticket.DeskTicket {
			w.t.Helper()
			got, err := w.s.DeskShow(ctx, w.chen, n)
			w.ok(err)
			return got
		}
		followers := func(n string) (out []string) {
			w.t.Helper()
			w.ok(w.db.View(ctx, func(tx *db.Tx) error {
				all, err := ticket.Followers(tx, show(n).Ticket)
				out = nil
				for _, f := range all {
					out = append(out, f.User)
				}
				return err
			}))
			return out
		}
		w.clock.Add(time.Minute)
		_, err = w.s.Merge(ctx, w.chen, ticket.Merge{Source: a, Into: b})
		w.ok(err)
		made := w.revision(b)
		if got := show(b); !slices.Equal(got.Tags, []string{"vip", "net", "slow"}) {
			w.t.Errorf("tags %v", got.Tags)
		}
		if got := followers(b); len(got) != 2 || !slices.Contains(got, ding.User) {
			w.t.Errorf("followers %v", got)
		}
		if got := show(a); got.Snooze.Until != 0 || len(got.Tags) != 3 {
			w.t.Errorf("the source: %+v %v", got.Snooze, got.Tags)
		}
		if got := w.hits(w.chen, "in:files b.txt"); !slices.Equal(got, []string{b}) {
			w.t.Errorf("its files are found in %v", got)
		}
		w.clock.Add(time.Minute)
		tag(b, ticket.StepUntag, "slow")
		tag(b, ticket.StepTag, "slow")
		w.ok(w.undo(w.chen, b, made))
		if got := show(b); !slices.Equal(got.Tags, []string{"vip", "slow"}) {
			w.t.Errorf("tags after the undo: %v", got.Tags)
		}
		if got := followers(b); !slices.Equal(got, []string{w.emma.User}) {
			w.t.Errorf("followers after the undo: %v", got)
		}
		if got := w.hits(w.chen, "in:files b.txt"); len(got) != 2 {
			w.t.Errorf("files are found in %v", got)
		}
		if found, err := w.s.Doctor(ctx, false); err != nil || len(found) > 0 {
			w.t.Errorf("%v %v", found, err)
		}
	})
}
