package setup_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/setup"
	"casemate/internal/ticket"
)

// TestNothing: what is exported is what is in force, and applying it changes
// nothing, whatever the texts are.
func TestNothing(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		files := w.export()
		w.nothing(files, "an export")
		before := w.dump()
		p := w.apply(files, setup.KeepClocks)
		if p.Version != 1 || !p.Empty() {
			w.t.Errorf("applying an export: %+v", p)
		}
		w.same(files, w.export(), "after applying an export")
		after := w.dump()
		for table := range before {
			if before[table] != after[table] && table != "config_versions" && table != "locks" {
				w.t.Errorf("applying an export changed %s", table)
			}
		}
	})
}

// edited is a tree with a change in every section.
func (w *world) edited(files map[string]string) map[string]string {
	t := w.t
	out := change(t, files, "teams.yaml", "en: Tier 1", "en: First line")
	out["teams.yaml"] += "  - id: tier2\n    name: {zh: 二线, en: Tier 2}\n    lead: " + w.Emma.User + "\n    members: [" + w.Emma.User + "]\n"
	out = change(t, out, "queues.yaml", "team_id: "+w.team.ID, "team_id: tier2")
	out = change(t, out, "queues.yaml", "id: open", "id: all-open")
	out = change(t, out, "views.yaml", "older_than_minutes: 60", "older_than_minutes: 90\n      team_ids: [tier2]")
	out = change(t, out, "macros.yaml", "- VIP", "- VIP2")
	out["macros.yaml"] += "  - id: bye\n    name: {en: Bye}\n    actions:\n      - {do: resolve, text: {zh: 再见, en: Bye}}\n"
	out = change(t, out, "snippets.yaml", "shortcut: /hi", "shortcut: /hello")
	out["snippets.yaml"] += "  - id: taken\n    kind: template\n    shortcut: /hi\n    title: {zh: 题}\n    text: {zh: 文}\n"
	out = change(t, out, "rules.yaml", "mode: \"on\"", "mode: shadow")
	out["rules.yaml"] += "  - id: wait\n    name: {en: Wait}\n    mode: \"on\"\n    place: 9\n    when: {state: 0, hours: 5}\n    then: [{do: notify, to: handler}]\n"
	out = change(t, out, "engineers.yaml", "capacity: 7", "capacity: 9")
	out["engineers.yaml"] += "  - id: " + w.Chen.User + "\n    skills: {product_category_ids: [" + w.Catalog.Now().Products()[0].ID + "]}\n"
	out = change(t, out, "webhooks.yaml", "hooks.example/in", "hooks.example/there")
	out["webhooks.yaml"] += "  - id: second\n    url: https://hooks.example/2\n    off: true\n"
	out = change(t, out, "partners.yaml", "days: 5", "days: 7")
	out["partners.yaml"] += "  - id: rowing\n    name: 划艇\n    whitelisted: false\n    zone: GMT+08:00\n    days: 1\n    hours: 1\n"
	out = change(t, out, "domains.yaml", "plan: Business\n    partner_id: "+w.partner.ID, "plan: Enterprise\n    partner_id: rowing")
	out = change(t, out, "templates/ticket.reply.yaml", "News of {number}", "Fresh news of {number}")
	out = change(t, out, "templates/ticket.close.yaml", "Ticket {number} is closed", "Ticket {number} is done")
	out = change(t, out, "catalog/severities.yaml", "#c7000b", "#c7000c")
	return out
}

// TestEverySection: a change in every section is one version; the plan names
// each of them; behind it nothing differs; going back restores every byte, and
// webhooks keep their secrets.
func TestEverySection(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		before := w.export()
		secrets := func() (all string) {
			w.OK(w.DB.View(ctx, func(tx *db.Tx) error {
				all = ""
				return tx.List(func(r db.Row) error {
					var s string
					err := r.Scan(&s)
					all += s + "\n"
					return err
				}, "SELECT secret FROM webhooks WHERE id <> 'second' ORDER BY id")
			}))
			return all
		}
		sealed := secrets()
		files := w.edited(before)
		plan := w.plan(files)
		got := map[string][]string{}
		for _, c := range plan.Changes {
			got[c.Section] = append(got[c.Section], c.What)
			if len(c.Fields) == 0 {
				w.t.Errorf("%s %s %s tells no field", c.What, c.Section, c.ID)
			}
		}
		want := map[string][]string{"catalog.severity": {"changed"}, "teams": {"changed", "added"}, "queues": {"changed", "added", "removed"}, "views": {"changed"}, "macros": {"changed", "added"},
			"snippets": {"changed", "added"}, "rules": {"changed", "added"}, "engineers": {"changed", "added"}, "webhooks": {"changed", "added"}, "partners": {"changed", "added"},
			"domains": {"changed"}, "templates": {"changed", "changed"}}
		for section := range want {
			slices.Sort(got[section])
			slices.Sort(want[section])
		}
		if !maps.EqualFunc(got, want, slices.Equal[[]string]) {
			w.t.Errorf("the plan has %v, want %v", got, want)
		}
		p := w.apply(files, setup.KeepClocks)
		if p.Version != 2 { // 1 is what was there before
			w.t.Errorf("version %d", p.Version)
		}
		w.nothing(files, "after apply")
		after := w.export()
		w.nothing(after, "an export after apply")
		if tree, err := w.s.Export(ctx, house, 0, setup.With{}); err != nil || tree.Hash != p.Hash {
			w.t.Errorf("the export has the hash %s, the version %s (%v)", tree.Hash, p.Hash, err)
		}
		// What is in force and the newest version are alike to the letter, so
		// beside an earlier one only what differs does.
		plain, err := w.s.Export(ctx, house, 0, setup.With{Plain: true})
		w.OK(err)
		kept, err := w.s.Export(ctx, house, p.Version, setup.With{})
		w.OK(err)
		if len(kept.Files) == 0 || !maps.Equal(plain.Files, kept.Files) {
			w.t.Errorf("what is in force, plainly, is not what the version has: %d files, %d files", len(plain.Files), len(kept.Files))
		}
		if full, err := w.s.Export(ctx, house, 0, setup.With{}); err != nil || maps.Equal(full.Files, plain.Files) {
			w.t.Errorf("the export for readers has no comments (%v)", err)
		}
		if s := secrets(); s != sealed {
			w.t.Error("a webhook has lost its secret")
		}
		// It is in force, as other doors tell.
		if q, err := w.q.Queue(ctx, w.lead, "all-open"); err != nil || q.Version != 1 {
			w.t.Errorf("the new queue: %+v, %v", q, err)
		}
		if _, err := w.q.Queue(ctx, w.lead, "open"); !errors.Is(err, queue.ErrNoQueue) {
			w.t.Errorf("the removed queue: %v", err)
		}
		if x, err := w.Notify.Template(ctx, house, notify.TemplateClose, locale.EN); err != nil || x.Subject != "Ticket {number} is done" {
			w.t.Errorf("the template: %+v, %v", x, err)
		}
		if d, err := w.Ident.Domain(ctx, house, w.Boss.Domain); err != nil || d.Plan != "Enterprise" || d.Partner != "rowing" {
			w.t.Errorf("the account: %+v, %v", d, err)
		}
		if w.Catalog.Now().Severities()[0].Color != "#c7000c" {
			w.t.Error("the severity is not in force on this node")
		}

		dry, err := w.s.Rollback(ctx, house, 1, setup.How{Clocks: setup.KeepClocks}, true)
		w.OK(err)
		if len(dry.Changes) != len(plan.Changes) {
			w.t.Errorf("going back would change %d entries, the way there %d", len(dry.Changes), len(plan.Changes))
		}
		w.same(after, w.export(), "a dry run")
		back, err := w.s.Rollback(ctx, house, 1, setup.How{Base: dry.Base, Clocks: setup.KeepClocks}, false)
		w.OK(err)
		w.same(before, w.export(), "after going back")
		w.nothing(before, "after going back")
		again, err := w.s.Rollback(ctx, house, 2, setup.How{Clocks: setup.KeepClocks}, false)
		w.OK(err)
		w.same(after, w.export(), "after going forth again")
		versions, err := w.s.Versions(ctx, house, 0, 10)
		w.OK(err)
		var told []string
		for _, v := range versions {
			told = append(told, fmt.Sprint(v.Version, v.Kind, v.From))
		}
		if s := strings.Join(told, " "); s != "4rollback2 3rollback1 2apply0 1found0" || back.Version != 3 || again.Version != 4 || versions[1].Hash != versions[3].Hash {
			w.t.Errorf("versions %s", s)
		}
	})
}

// TestAtomic: what fails at the end, or in the middle, leaves every row of every
// table as it was.
func TestAtomic(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		private, err := w.q.CreateMacro(ctx, w.Chen, queue.NewMacro{Name: locale.Texts{EN: "Mine"}, Actions: []queue.Action{{Do: "tag", Tags: []string{"a"}}}})
		w.OK(err)
		files := w.edited(w.export())
		taken := maps.Clone(files)
		taken["macros.yaml"] = strings.Replace(files["macros.yaml"], "id: bye", "id: "+private.ID, 1)
		boom := errors.New("boom")
		for name, try := range map[string]struct {
			files map[string]string
			at    func() error
			want  string
		}{"at the end": {files, func() error { return boom }, "boom"}, "in the middle": {taken, nil, "taken"}} {
			before := w.dump()
			w.s.Interrupt(try.at)
			_, err := w.s.Apply(ctx, house, bytesOf(try.files), setup.How{Clocks: setup.MoveClocks})
			w.s.Interrupt(nil)
			if err == nil || !strings.Contains(said(err), try.want) {
				w.t.Fatalf("%s: %v", name, err)
			}
			after := w.dump()
			for table, rows := range before {
				if after[table] != rows {
					w.t.Errorf("%s: %s was changed:\n%s\n--- and\n%s", name, table, rows, after[table])
				}
			}
			if len(before) < 80 {
				w.t.Errorf("only %d tables were looked at", len(before))
			}
		}
		w.apply(files, setup.KeepClocks)
	})
}

// said is an error as people read it.
func said(err error) string {
	if f, ok := fault.As(err); ok {
		return locale.Text(locale.EN, f)
	}
	return fmt.Sprint(err)
}

// TestMoved: what changed between plan and apply stops the apply, which names it.
func TestMoved(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		files := change(w.t, w.export(), "teams.yaml", "en: Tier 1", "en: First line")
		plan := w.plan(files)
		_, err := w.q.CreateMacro(ctx, w.lead, queue.NewMacro{Name: locale.Texts{EN: "New"}, Shared: true, Actions: []queue.Action{{Do: "tag", Tags: []string{"a"}}}})
		w.OK(err)
		before := w.dump()
		_, err = w.s.Apply(ctx, house, bytesOf(files), setup.How{Base: plan.Base, Clocks: setup.KeepClocks})
		if fault.KindOf(err) != fault.Conflict || !strings.Contains(said(err), "macros.yaml") || strings.Contains(said(err), "teams.yaml") {
			w.t.Errorf("an apply behind a change: %v", said(err))
		}
		if !maps.Equal(before, w.dump()) {
			w.t.Error("the refused apply changed something")
		}
		// Without a file of macros they are none of its business, but the plan was.
		delete(files, "macros.yaml")
		p, err := w.s.Apply(ctx, house, bytesOf(files), setup.How{Base: w.plan(files).Base, Clocks: setup.KeepClocks})
		w.OK(err)
		if len(p.Changes) != 1 || p.Changes[0].Section != "teams" {
			w.t.Errorf("a tree without macros changes %+v", p.Changes)
		}
		for _, who := range []principal.Principal{w.lead, w.Chen, w.Auditor, w.Boss, {}} {
			_, err1 := w.s.Export(ctx, who, 0, setup.With{})
			_, err2 := w.s.Plan(ctx, who, bytesOf(files), setup.KeepClocks)
			_, err3 := w.s.Apply(ctx, who, bytesOf(files), setup.How{Clocks: setup.KeepClocks})
			_, err4 := w.s.Rollback(ctx, who, 1, setup.How{Clocks: setup.KeepClocks}, true)
			_, err5 := w.s.Versions(ctx, who, 0, 1)
			for _, err := range []error{err1, err2, err3, err4, err5} {
				if fault.KindOf(err) != fault.Forbidden {
					w.t.Errorf("%s: %v", who.Role, err)
				}
			}
		}
		if _, err := w.s.Rollback(ctx, house, 99, setup.How{Clocks: setup.KeepClocks}, true); !errors.Is(err, setup.ErrNoVersion) {
			w.t.Errorf("version 99: %v", err)
		}
		if _, err := w.s.Plan(ctx, house, bytesOf(files), "stop"); fault.KindOf(err) != fault.Invalid {
			w.t.Errorf("clocks stop: %v", err)
		}
	})
}

// clocks are what the desk shows of a ticket's clocks, without what time moves.
func (w *world) clocks(number string) string {
	w.t.Helper()
	c, err := w.Tickets.DeskClocks(w.t.Context(), w.lead, number)
	w.OK(err)
	var b strings.Builder
	for _, k := range c.All {
		fmt.Fprintln(&b, k.Name(), k.Target, k.Start, k.End, k.Due, k.Warn, k.Escalate, k.State)
	}
	return b.String()
}

// TestClocks: the open tickets a plan names are those whose clocks are others
// behind it, by what the desk shows; without --clocks move none is.
func TestClocks(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		var all []string
		for i, s := range w.Catalog.Now().SeveritiesOf("Business", must(w.Catalog.Now().ProblemType(w.Fault))) {
			for j := range 3 {
				d := w.Draft(fmt.Sprint("fault ", i, j))
				d.ProblemType, d.Severity, d.Region = w.Fault, s.ID, w.Catalog.Now().Regions(0)[0].ID
				n, err := w.Tickets.Create(ctx, w.Boss, d)
				w.OK(err)
				all = append(all, n)
				if j > 0 { // its first answer is given: of the first target nothing can change
					w.OK(w.Step(w.Chen, n, "accept", ""))
					w.OK(w.Step(w.Chen, n, "reply", "looking"))
				}
				if j > 1 {
					w.OK(w.Step(w.Chen, n, "resolve", "done"))
					w.OK(w.Act(w.Boss, n, "close"))
				}
			}
		}
		before := map[string]string{}
		for _, n := range all {
			before[n] = w.clocks(n)
		}
		files := change(w.t, w.export(), "catalog/severities.yaml", "{severity: sev-3, first_response: 4h, next_response: 4h}\n      - {severity: sev-2, first_response: 1h, next_response: 1h}",
			"{severity: sev-3, first_response: 5h, next_response: 4h}\n      - {severity: sev-2, first_response: 1h, next_response: 2h, resolution: 3d}")
		check := func(p setup.Plan, what string, moves bool) {
			w.t.Helper()
			w.Work()
			named, changed := []string{}, []string{}
			for _, x := range p.Tickets.Listed {
				if x.What == what {
					named = append(named, x.Number)
				}
			}
			for _, n := range all {
				if w.clocks(n) != before[n] {
					changed = append(changed, n)
				}
			}
			if !moves {
				if len(changed) > 0 {
					w.t.Errorf("clocks of %v moved though they are kept", changed)
				}
				return
			}
			slices.Sort(named)
			slices.Sort(changed)
			if !slices.Equal(named, changed) || len(named) == 0 || p.Tickets.Totals[what] != len(named) {
				w.t.Errorf("the plan names %v (%d), the clocks of %v are others", named, p.Tickets.Totals[what], changed)
			}
		}
		kept := w.apply(files, setup.KeepClocks)
		check(kept, setup.ClocksKept, false)
		plan, err := w.s.Plan(ctx, house, bytesOf(files), setup.MoveClocks)
		w.OK(err)
		if !plan.Empty() || plan.Tickets.Totals[setup.ClocksMove] != kept.Tickets.Totals[setup.ClocksKept] {
			w.t.Errorf("moving later: %+v, kept %+v", plan.Tickets.Totals, kept.Tickets.Totals)
		}
		moved := w.apply(files, setup.MoveClocks)
		check(moved, setup.ClocksMove, true)
		for _, x := range moved.Tickets.Listed {
			show, err := w.Tickets.DeskShow(ctx, w.lead, x.Number)
			w.OK(err)
			if show.Due != x.After || x.Before == x.After && len(x.Clocks) == 0 {
				w.t.Errorf("%s: the plan has %d due next, the ticket %d", x.Number, x.After, show.Due)
			}
		}
		if p, err := w.s.Plan(ctx, house, bytesOf(files), setup.MoveClocks); err != nil || len(p.Tickets.Listed) > 0 {
			w.t.Errorf("after moving: %+v, %v", p.Tickets, err)
		}
	})
}

func must[T any](v T, ok bool) T {
	if !ok {
		panic("missing")
	}
	return v
}

// TestQueues: the tickets a plan says come into or leave queues are those that
// the queues' lists gain and lose.
func TestQueues(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		for i := range 6 {
			n := w.Create([]principal.Principal{w.Boss, w.Li, w.Foreign}[i%3], fmt.Sprint("ticket ", i))
			if i%2 == 0 {
				w.OK(w.Step(w.Chen, n, "accept", ""))
			}
		}
		in := func(id string) (numbers []string) {
			p, err := w.q.QueueTickets(ctx, w.lead, id, queue.Look{Limit: 100})
			if errors.Is(err, queue.ErrNoQueue) {
				return nil
			}
			w.OK(err)
			for _, t := range p.Tickets {
				numbers = append(numbers, t.Number)
			}
			return numbers
		}
		ids := []string{"open", "unassigned", "fresh", "waiting"}
		before := map[string][]string{}
		for _, id := range ids {
			before[id] = in(id)
		}
		files := change(w.t, w.export(), "queues.yaml", "id: open\n    name:\n      zh: 全部未完成\n      en: All open\n    place: 40\n    filter:\n", "id: open\n    name:\n      zh: 全部未完成\n      en: All open\n    place: 40\n    filter:\n      domain_ids: ["+w.Boss.Domain+"]\n")
		files = change(w.t, files, "queues.yaml", "      assignee: none\n", "      assignee: none\n      domain_ids: ["+w.Foreign.Domain+"]\n")
		files["queues.yaml"] += "  - id: fresh\n    name: {en: Fresh}\n    place: 1\n    filter: {statuses: [0]}\n"
		plan := w.apply(files, setup.KeepClocks)
		want, got := []string{}, []string{}
		for _, id := range ids {
			after := in(id)
			for _, n := range after {
				if !slices.Contains(before[id], n) {
					want = append(want, id+" queue_in "+n)
				}
			}
			for _, n := range before[id] {
				if !slices.Contains(after, n) {
					want = append(want, id+" queue_out "+n)
				}
			}
		}
		for _, x := range plan.Tickets.Listed {
			got = append(got, x.ID+" "+x.What+" "+x.Number)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) || len(want) < 6 || plan.Tickets.Totals[setup.QueueIn]+plan.Tickets.Totals[setup.QueueOut] != len(want) {
			w.t.Errorf("the plan says\n%v %v\nthe queues\n%v", got, plan.Tickets.Totals, want)
		}
	})
}

// TestRetired: entries of the catalogue that leave the tree are retired: the plan
// names the open tickets that have them, which stay as they are and can be
// finished; new tickets cannot have them.
func TestRetired(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		number := w.Create(w.Boss, "of a type that goes")
		p := must(w.Catalog.Now().ProblemType(w.Problem))
		files := w.export()
		for path, text := range files {
			if strings.HasPrefix(path, "catalog/") {
				files[path] = strings.ReplaceAll(text, "id: "+p.ID, "id: instead")
			}
		}
		plan := w.apply(files, setup.KeepClocks)
		if n := plan.Tickets.Totals[setup.Retired]; n != 1 || plan.Tickets.Listed[0].Number != number || plan.Tickets.Listed[0].Section != "catalog."+string(catalog.KindProblemType) {
			w.t.Errorf("retired: %+v", plan.Tickets)
		}
		w.nothing(files, "after retiring")
		show, _, err := w.Tickets.Show(ctx, w.Boss, number, "")
		if err != nil || show.ProblemType != p.ID || w.Catalog.Now().Name(catalog.KindProblemType, p.ID, locale.EN) == "" {
			w.t.Errorf("the old ticket: %+v, %v", show, err)
		}
		w.OK(w.Step(w.Chen, number, "accept", ""))
		w.OK(w.Step(w.Chen, number, "reply", "still here"))
		w.OK(w.Step(w.Chen, number, "resolve", "done"))
		if w.Status(number) != ticket.ToConfirm {
			w.t.Errorf("state %d", w.Status(number))
		}
		if _, err := w.Tickets.Create(ctx, w.Boss, w.Draft("another")); fault.KindOf(err) != fault.Invalid {
			w.t.Errorf("a new ticket of a retired type: %v", err)
		}
		_, err = w.s.Rollback(ctx, house, 1, setup.How{Clocks: setup.KeepClocks}, false)
		w.OK(err)
		w.Create(w.Boss, "of the type that came back")
	})
}

// TestTogether: of several who apply what they planned against the same, one is
// served and the others are refused.
func TestTogether(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		files := w.export()
		base := w.plan(files).Base
		results := make(chan error)
		const many = 4
		for i := range many {
			tree := map[string]string{"teams.yaml": strings.Replace(files["teams.yaml"], "en: Tier 1", fmt.Sprint("en: Line ", i), 1)}
			go func() {
				_, err := w.s.Apply(ctx, house, bytesOf(tree), setup.How{Base: base, Clocks: setup.KeepClocks})
				results <- err
			}()
		}
		served := 0
		for range many {
			err := <-results
			switch {
			case err == nil:
				served++
			case fault.KindOf(err) != fault.Conflict || !strings.Contains(said(err), "teams"):
				w.t.Errorf("refused with %v", said(err))
			}
		}
		if all, err := w.s.Versions(ctx, house, 0, 10); err != nil || served != 1 || len(all) != 2 {
			w.t.Errorf("%d were served, %d versions, %v", served, len(all), err)
		}
	})
}
