package ticket_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/principal"
	"casemate/internal/sla"
	"casemate/internal/ticket"
)

// fault1h opens a ticket of the plan Business at "production system
// unavailable": an hour around the clock.
func (w *world) fault1h(who principal.Principal) string {
	w.t.Helper()
	in := w.draft("the site is down")
	in.Choice = catalog.Choice{ProblemType: w.fault, Region: "cn-north-1", Severity: "sev-2"}
	n, err := w.s.Create(w.as(who), who, in)
	w.ok(err)
	return n
}

func (w *world) clocks(number string) ticket.Clocks {
	w.t.Helper()
	c, err := w.s.DeskClocks(w.t.Context(), w.chen, number)
	w.ok(err)
	return c
}

// dueOf is what the desk's list shows.
func (w *world) dueOf(number string) (int64, sla.Kind) {
	w.t.Helper()
	page, _, _, err := w.s.Desk(w.t.Context(), w.chen, ticket.DeskFilter{Text: number})
	w.ok(err)
	if len(page) != 1 {
		w.t.Fatalf("%s: %d tickets", number, len(page))
	}
	return page[0].Due, page[0].DueKind
}

func say(all []sla.Clock) string {
	var out []string
	for _, c := range all {
		out = append(out, fmt.Sprintf("%s %s %dm", c.Name(), c.State, c.Used/60000))
	}
	return strings.Join(out, ", ")
}

// TestClocksOfTicket: a ticket's clocks through its life, and what its row has
// to say of them at each step.
func TestClocksOfTicket(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		n := w.fault1h(w.boss)
		created := w.db.Now().UnixMilli()
		c := w.clocks(n)
		if c.Rule.Plan != "Business" || c.Rule.Severity != "sev-2" || say(c.All) != "first_answer.1 running 0m" {
			t.Errorf("at first: %s of %s", say(c.All), c.Rule.Plan)
		}
		const hour = 3_600_000
		check := func(what, want string, due int64, kind sla.Kind) {
			t.Helper()
			if got := say(w.clocks(n).All); got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
			at, k := w.dueOf(n)
			if at != due || k != kind {
				t.Errorf("%s: the row says %d %q, want %d %q", what, at-created, k, due-created, kind)
			}
		}
		check("at first", "first_answer.1 running 0m", created+hour, sla.FirstAnswer)
		w.clock.Add(10 * time.Minute)
		w.ok(w.step(w.chen, n, "accept", ""))
		w.ok(w.step(w.chen, n, "note", "only for us"))
		w.ok(w.step(w.chen, n, "pause", ""))
		w.clock.Add(20 * time.Minute)
		check("paused", "first_answer.1 paused 10m", 0, "")
		w.ok(w.step(w.chen, n, "resume", ""))
		_, err := w.s.Take(t.Context(), principal.AsSystem(w.boss.Domain), ticket.Step{Number: n, Action: "reply", Text: "we got it"})
		w.ok(err)
		w.clock.Add(20 * time.Minute)
		check("Casemate's own words are no answer", "first_answer.1 running 30m", created+80*60000, sla.FirstAnswer)
		w.ok(w.act(w.boss, n, ticket.Press))
		if all := w.clocks(n).All; len(all[0].Urges) != 1 || all[0].Due != created+80*60000 {
			t.Errorf("urged: %+v", all[0])
		}
		w.ok(w.step(w.chen, n, "ask", "which site?"))
		check("asked", "first_answer.1 met 30m", 0, "")
		w.clock.Add(5 * time.Hour)
		w.ok(w.s.Reply(t.Context(), w.boss, n, "", "all of them"))
		replied := w.db.Now().UnixMilli()
		w.ok(w.s.Reply(t.Context(), w.boss, n, "", "hello?"))
		w.clock.Add(90 * time.Minute)
		check("late", "first_answer.1 met 30m, next_answer.1 breached 90m", replied+hour, sla.NextAnswer)
		w.ok(w.step(w.chen, n, "resolve", "try now"))
		w.ok(w.s.Reply(t.Context(), w.boss, n, "", "no"))
		w.clock.Add(30 * time.Minute)
		w.ok(w.act(w.boss, n, ticket.Close))
		check("closed", "first_answer.1 met 30m, next_answer.1 breached 90m, next_answer.2 stopped 30m", 0, "")
		mine, err := w.s.Clocks(t.Context(), w.boss, n, "")
		w.ok(err)
		if say(mine.All) != say(w.clocks(n).All) {
			t.Errorf("the customer sees %s", say(mine.All))
		}
		for _, who := range []principal.Principal{w.foreign, w.wang} {
			_, err = w.s.Clocks(t.Context(), who, n, "")
			w.refused(err, ".01010015")
		}
		_, err = w.s.DeskClocks(t.Context(), w.boss, n)
		w.refused(err, ".01010002")
		_, err = w.s.DeskClocks(t.Context(), w.chen, "TS2601010000000000000")
		w.refused(err, ".01010015")
	})
}

// TestRowAgreesWithHistory: whatever is done to tickets, the due instant in the
// desk's row is what the clocks computed from the history say.
func TestRowAgreesWithHistory(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		w.unlimited()
		draw := rand.New(rand.NewPCG(7, 7))
		var numbers []string
		for i := range 12 {
			if i%3 == 0 {
				numbers = append(numbers, w.create(w.foreign, "no plan"))
			} else {
				numbers = append(numbers, w.fault1h(w.boss))
			}
		}
		for range 150 {
			n := numbers[draw.IntN(len(numbers))]
			who := w.boss
			if _, _, err := w.s.Show(t.Context(), who, n, ""); err != nil {
				who = w.foreign
			}
			w.clock.Add(time.Duration(draw.IntN(7200)) * time.Second)
			// Most steps do not fit the state: then nothing happens.
			switch step := draw.IntN(9); step {
			case 0:
				_ = w.s.Reply(t.Context(), who, n, "", "more")
			case 1:
				_ = w.act(who, n, []string{ticket.Press, ticket.Cancel, ticket.Close}[draw.IntN(3)])
			default:
				_ = w.step(w.chen, n, []string{"accept", "reply", "ask", "resolve", "pause", "resume", "note"}[step-2], "text")
			}
			c := w.clocks(n)
			near, ok := sla.Nearest(c.All)
			due, kind := w.dueOf(n)
			if ok != (due > 0) || ok && (due != near.Due || kind != near.Kind) {
				t.Fatalf("%s: the row says %d %q, the history %d %q", n, due, kind, near.Due, near.Kind)
			}
		}
	})
}

// TestRuleStays: a ticket keeps the rule of its creation whatever the catalogue
// becomes, also for a node that starts anew.
func TestRuleStays(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		old := w.fault1h(w.boss)
		files := catalog.Default()
		files["severities.yaml"] = []byte(strings.ReplaceAll(string(files["severities.yaml"]), "first_response: 1h", "first_response: 2h"))
		_, err := w.catalog.Apply(t.Context(), principal.AsSystem(principal.House), files, catalog.AnyVersion)
		w.ok(err)
		young := w.fault1h(w.boss)
		again, err := ticket.New(w.db, w.keys, ticket.Nouns{Identity: w.ident, Catalog: w.catalog, Verify: w.verify, Notify: w.out, Attachments: w.files}, ticket.Options{})
		w.ok(err)
		for number, hours := range map[string]int64{old: 1, young: 2} {
			c, err := again.DeskClocks(t.Context(), w.chen, number)
			w.ok(err)
			if c.Rule.First != hours*3_600_000 {
				t.Errorf("%s has %d ms, want %d hours", number, c.Rule.First, hours)
			}
		}
	})
}

// TestAdopt: open tickets of a version that had no clocks get them, finished
// ones stay as they are.
func TestAdopt(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		open, done, missed := w.fault1h(w.boss), w.fault1h(w.boss), w.fault1h(w.boss)
		w.clock.Add(20 * time.Minute)
		w.ok(w.act(w.boss, done, ticket.Cancel))
		w.ok(w.step(w.chen, open, "reply", "what?"))
		w.clock.Add(90 * time.Minute)
		w.ok(w.s.Reply(t.Context(), w.boss, open, "", "this"))
		want, kind := w.dueOf(open)
		w.ok(w.db.Update(t.Context(), func(tx *db.Tx) error {
			tx.Write(db.Any, "UPDATE tickets SET sla = '' WHERE domain_id = ?", w.boss.Domain)
			tx.Write(db.Any, "UPDATE desk_tickets SET due_at = 0, due_kind = '' WHERE domain_id = ?", w.boss.Domain)
			tx.Write(db.Any, "DELETE FROM jobs")
			return nil
		}))
		w.ok(w.step(w.chen, open, "note", "a step without clocks")) // nothing breaks meanwhile
		if due, _ := w.dueOf(open); due != 0 {
			t.Errorf("without clocks %d", due)
		}
		if got := say(w.clocks(done).All); got != "first_answer.1 stopped 20m" {
			t.Errorf("of old: %s", got)
		}
		w.ok(w.s.Adopt(t.Context()))
		w.clock.Add(time.Minute)
		w.work()
		if got := w.told(missed); len(got) > 0 {
			t.Errorf("missed before there were clocks: told %v", got)
		}
		if due, k := w.dueOf(open); due != want || k != kind || want == 0 {
			t.Errorf("adopted: %d %q, want %d %q", due, k, want, kind)
		}
		w.clock.Add(2 * time.Hour)
		w.work()
		if got := strings.Join(w.told(open), ", "); got != "sla.breached next_answer.1" {
			t.Errorf("told %s", got)
		}
	})
}

// TestRowPutRight: what a node of an older version did to a ticket is missing in
// its row; the alarm puts it right, and tells nothing that is not so.
func TestRowPutRight(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		n := w.fault1h(w.boss)
		var before string
		w.ok(w.db.View(t.Context(), func(tx *db.Tx) error {
			return tx.Get("SELECT sla FROM tickets WHERE domain_id = ? AND number = ?", w.boss.Domain, n).Scan(&before)
		}))
		due, _ := w.dueOf(n)
		w.clock.Add(10 * time.Minute)
		w.ok(w.step(w.chen, n, "reply", "yes"))
		w.ok(w.db.Update(t.Context(), func(tx *db.Tx) error {
			tx.Write(1, "UPDATE tickets SET sla = ? WHERE domain_id = ? AND number = ?", before, w.boss.Domain, n)
			tx.Write(1, "UPDATE desk_tickets SET due_at = ?, due_kind = 'first_answer' WHERE number = ?", due, n)
			return nil
		}))
		w.clock.Add(2 * time.Hour)
		w.work()
		if at, kind := w.dueOf(n); at != 0 || kind != "" {
			t.Errorf("the row still says %d %q", at, kind)
		}
		if got := w.told(n); len(got) > 0 {
			t.Errorf("told %v", got)
		}
	})
}

// told are the events of a ticket's clocks.
func (w *world) told(number string) (out []string) {
	w.t.Helper()
	c := w.clocks(number)
	w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
		out = nil
		rows, _, err := event.OfSubject(tx, c.Ticket.Domain, "ticket", c.Ticket.ID, false, false, 0, 1000)
		for _, r := range rows {
			var data struct {
				Clock string
				N     int
			}
			if strings.HasPrefix(r.Kind, "sla.") && json.Unmarshal(r.Data, &data) == nil {
				out = append(out, fmt.Sprintf("%s %s.%d", r.Kind, data.Clock, data.N))
			}
		}
		return err
	}))
	return out
}

// TestWarnings: the handler is warned at three quarters, supervisors are told
// of what is missed, each once, whatever jumps and restarts.
func TestWarnings(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		d := staffed(w)
		rung := func(what string, want ...string) {
			t.Helper()
			w.work() // the alarms first: settle reads what they have recorded
			slices.Sort(want)
			d.wantTold(what, want...)
		}
		_, err := w.ident.CreateUser(t.Context(), principal.AsSystem(principal.House), identity.NewUser{Domain: principal.House, Name: "boss", Password: "a-Password-1",
			Role: principal.RoleSupervisor, Mail: "boss@desk.example"})
		w.ok(err)
		p, err := w.out.Preferences(t.Context(), d.ben)
		w.ok(err)
		p.Kinds["created"] = true
		_, err = w.out.SetPreferences(t.Context(), d.ben, p)
		w.ok(err)
		mine, lost := w.fault1h(w.boss), w.fault1h(w.boss)
		w.ok(w.step(d.anna, mine, "accept", ""))
		d.told()
		w.clock.Add(44 * time.Minute)
		rung("too early")
		w.clock.Add(time.Minute)
		want := []string{"anna desk.warned " + mine, "ben desk.warned " + lost}
		rung("at three quarters", want...)
		w.clock.Add(9 * time.Minute)
		rung("at nine tenths")
		w.clock.Add(time.Second)
		want = []string{"boss desk.escalated " + mine, "boss desk.escalated " + lost}
		rung("past nine tenths", want...)
		w.clock.Add(6*time.Minute - time.Second)
		rung("at the due instant") // an answer now is still in time
		w.clock.Add(time.Second)
		want = []string{"anna desk.breached " + mine, "boss desk.breached " + mine, "boss desk.breached " + lost}
		rung("missed", want...)
		// Every alarm once more, and after a restart: nothing new.
		again, err := ticket.New(w.db, w.keys, ticket.Nouns{Identity: w.ident, Catalog: w.catalog, Verify: w.verify, Notify: w.out, Attachments: w.files}, ticket.Options{})
		w.ok(err)
		w.jobs.Add(again.Kinds()...)
		w.alarms(mine, lost)
		w.clock.Add(100 * time.Hour)
		w.alarms(mine, lost)
		rung("again")
		for _, jump := range []time.Duration{-101 * time.Hour, 100 * time.Hour, time.Hour} { // clocks that jump (threats.md E11)
			w.clock.Add(jump)
			w.alarms(mine, lost)
			rung("the clock jumped by " + jump.String())
		}
		for _, n := range []string{mine, lost} {
			if got := strings.Join(w.told(n), ", "); got != "sla.warned first_answer.1, sla.escalated first_answer.1, sla.breached first_answer.1" {
				t.Errorf("%s has told %s", n, got)
			}
		}
		// A leap over some is told once: the last one.
		near := w.fault1h(w.boss)
		w.clock.Add(55 * time.Minute)
		w.work()
		if got := strings.Join(w.told(near), ", "); got != "sla.escalated first_answer.1" {
			t.Errorf("over the warning: %s", got)
		}
		w.ok(w.step(d.anna, near, "reply", "yes"))
		leap := w.fault1h(w.boss)
		w.clock.Add(3 * time.Hour)
		w.work()
		if got := strings.Join(w.told(leap), ", "); got != "sla.breached first_answer.1" {
			t.Errorf("over all: %s", got)
		}
		// Answered in time, nothing is told, although the job comes.
		fine := w.fault1h(w.boss)
		w.clock.Add(30 * time.Minute)
		w.ok(w.step(d.anna, fine, "reply", "yes"))
		w.clock.Add(3 * time.Hour)
		w.work()
		if got := w.told(fine); len(got) > 0 {
			t.Errorf("answered in time: %v", got)
		}
		// A pause stops the alarms, too.
		rest := w.fault1h(w.boss)
		w.ok(w.step(d.anna, rest, "accept", ""))
		w.ok(w.step(d.anna, rest, "pause", ""))
		w.clock.Add(50 * time.Hour)
		w.work()
		w.ok(w.step(d.anna, rest, "resume", ""))
		w.clock.Add(46 * time.Minute)
		w.work()
		if got := strings.Join(w.told(rest), ", "); got != "sla.warned first_answer.1" {
			t.Errorf("after a pause: %s", got)
		}
		// Who answers too late before the job has run has missed it.
		late := w.fault1h(w.boss)
		w.clock.Add(61 * time.Minute)
		w.ok(w.step(d.anna, late, "reply", "sorry"))
		w.work()
		if got := strings.Join(w.told(late), ", "); got != "sla.breached first_answer.1" {
			t.Errorf("answered late: %s", got)
		}
	})
}

// alarms runs the alarm of tickets again, as a queue may.
func (w *world) alarms(numbers ...string) {
	w.t.Helper()
	for _, n := range numbers {
		t := w.clocks(n).Ticket
		w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error {
			job.Enqueue(tx, job.Job{Kind: "ticket.sla", Domain: t.Domain, Args: map[string]any{"domain": t.Domain, "ticket": t.ID, "at": t.Created}})
			return nil
		}))
	}
	w.work()
}

// TestSandboxAlarms: a sandbox's targets go by its clock, its notices are
// caught, and the installation's tickets do not notice.
func TestSandboxAlarms(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		box := w.sandbox("box")
		n, other := w.fault1h(box), w.fault1h(w.boss)
		w.move(box, 50*time.Minute)
		w.work()
		if got := strings.Join(w.told(n), ", "); got != "sla.warned first_answer.1" {
			t.Errorf("in the sandbox: %s", got)
		}
		w.move(box, 20*time.Minute)
		w.work()
		if got := strings.Join(w.told(n), ", "); got != "sla.warned first_answer.1, sla.breached first_answer.1" {
			t.Errorf("in the sandbox: %s", got)
		}
		if c := w.clocks(n); c.All[0].State != sla.Breached || c.All[0].Used != 70*60000 && c.All[0].Used/60000 != 70 {
			t.Errorf("in the sandbox: %s", say(c.All))
		}
		if got := w.told(other); len(got) > 0 {
			t.Errorf("outside: %v", got)
		}
	})
}

// TestSortByDue: the desk's list by time left, page by page.
func TestSortByDue(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		w.unlimited()
		overdue := w.fault1h(w.boss)
		w.clock.Add(2 * time.Hour)
		slow := w.create(w.foreign, "no plan")
		soon := w.fault1h(w.boss)
		w.clock.Add(time.Minute)
		later := w.fault1h(w.boss)
		none := w.fault1h(w.boss)
		w.ok(w.step(w.chen, none, "reply", "yes"))
		want := []string{overdue, soon, later, slow, none}
		var got []string
		f := ticket.DeskFilter{Sort: ticket.SortDue, Limit: 2}
		for {
			page, total, cursor, err := w.s.Desk(t.Context(), w.chen, f)
			w.ok(err)
			for _, x := range page {
				got = append(got, x.Number)
			}
			if total != 5 {
				t.Fatalf("total %d", total)
			}
			if f.After = cursor; cursor == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("by due %v, want %v", got, want)
		}
		for _, bad := range []ticket.DeskFilter{{Sort: "size"}, {Sort: ticket.SortDue, After: "x"}, {Sort: ticket.SortDue, After: "12"}} {
			_, _, _, err := w.s.Desk(t.Context(), w.chen, bad)
			w.refused(err, ".01010001")
		}
	})
}

// TestSimulate: what another policy would have made of the tickets of a time,
// by plan and severity, with those that differ; nothing is stored.
func TestSimulate(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		w.unlimited()
		boss := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "s", Role: principal.RoleSupervisor}
		ancient := w.fault1h(w.boss)
		w.clock.Add(100 * 24 * time.Hour)
		quick, slow := w.fault1h(w.boss), w.fault1h(w.boss)
		free := w.create(w.foreign, "no plan")
		box := w.sandbox("box")
		w.fault1h(box)
		w.clock.Add(20 * time.Minute)
		w.ok(w.step(w.chen, quick, "reply", "yes"))
		w.clock.Add(30 * time.Minute)
		w.ok(w.step(w.chen, slow, "reply", "yes"))
		w.ok(w.step(w.chen, free, "reply", "yes"))
		before := w.snapshot()
		files := map[string][]byte{"other.yaml": []byte(`support_plans:
  - id: Business
    name: {zh: 商业级, en: Business}
    clock: 24x7
    targets: [{severity: sev-2, first_response: 30m}]
`)}
		out, err := w.s.Simulate(t.Context(), boss, files, 90*24*time.Hour)
		w.ok(err)
		if out.Tickets != 3 {
			t.Errorf("%d tickets were replayed, want 3 (not %s, not the sandbox's)", out.Tickets, ancient)
		}
		var figures []string
		for _, g := range out.Groups {
			figures = append(figures, fmt.Sprintf("%s/%s %s %d: %d met %d breached -> %d met %d breached", g.Plan, g.Severity, g.Kind, g.Tickets, g.Now.Met, g.Now.Breached, g.Then.Met, g.Then.Breached))
		}
		want := []string{"/ first_answer 1: 1 met 0 breached -> 1 met 0 breached", "Business/sev-2 first_answer 2: 2 met 0 breached -> 1 met 1 breached"}
		if !slices.Equal(figures, want) {
			t.Errorf("figures %q, want %q", figures, want)
		}
		if len(out.Differ) != 1 || out.Differ[0].Number != slow || out.Differ[0].Now != sla.Met || out.Differ[0].Then != sla.Breached {
			t.Errorf("they differ in %+v", out.Differ)
		}
		if after := w.snapshot(); after != before {
			t.Error("a simulation has changed something")
		}
		for _, who := range []principal.Principal{w.chen, w.boss, w.auditor} {
			if _, err := w.s.Simulate(t.Context(), who, files, time.Hour); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%s simulates: %v", who.UserName, err)
			}
		}
		for _, last := range []time.Duration{0, -time.Hour, 11 * 365 * 24 * time.Hour} {
			_, err := w.s.Simulate(t.Context(), boss, files, last)
			w.refused(err, ".01010001")
		}
	})
}

// snapshot is everything a simulation must not touch.
func (w *world) snapshot() string {
	w.t.Helper()
	var b strings.Builder
	w.ok(w.db.View(context.Background(), func(tx *db.Tx) error {
		b.Reset()
		for _, sql := range []string{"SELECT count(*) || '' FROM events", "SELECT number || sla FROM tickets ORDER BY number", "SELECT count(*) || '' FROM jobs",
			"SELECT count(*) || '' FROM catalog_versions", "SELECT id FROM sla_rules ORDER BY id"} {
			err := tx.List(func(r db.Row) error {
				var text string
				err := r.Scan(&text)
				b.WriteString(text + "\n")
				return err
			}, sql)
			if err != nil {
				return err
			}
		}
		return nil
	}))
	return b.String()
}
