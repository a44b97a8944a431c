package queue_test

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

var (
	root  = principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "root", UserName: "root", Role: principal.RoleAdministrator}
	local = principal.Principal{Kind: principal.Local, Domain: principal.House, User: "local"}
	open  = []ticket.Status{ticket.Submitted, ticket.Processing, ticket.ToConfirm, ticket.Paused, ticket.Feedback}
)

func named(s string) locale.Texts { return locale.Texts{ZH: "名称" + s, EN: s} }

// seal seals what happened, as the leading node does.
func (w *world) seal() {
	w.t.Helper()
	s := event.NewSealer(w.DB, w.Keys.Derive("event-chain"), "test", slog.New(slog.NewTextHandler(io.Discard, nil)))
	for n := 1; n > 0; {
		var err error
		n, err = s.SealOnce(w.t.Context())
		w.OK(err)
	}
}

// assign lets the queues give what they have.
func (w *world) assign() {
	w.t.Helper()
	w.seal()
	w.OK(w.q.Assign(w.t.Context()))
}

func (w *world) team(name string, members ...principal.Principal) queue.Team {
	w.t.Helper()
	var ids []string
	for _, m := range members {
		ids = append(ids, m.User)
	}
	t, err := w.q.CreateTeam(w.t.Context(), root, queue.Team{Name: named(name), Members: ids})
	w.OK(err)
	return t
}

func (w *world) queue(in queue.Queue) queue.Queue {
	w.t.Helper()
	if in.Name.EN == "" {
		in.Name = named("queue")
	}
	q, err := w.q.CreateQueue(w.t.Context(), root, in)
	w.OK(err)
	return q
}

func (w *world) say(who principal.Principal, p queue.Presence) []string {
	w.t.Helper()
	_, back, err := w.q.SetMyShift(w.t.Context(), who, queue.MyShift{Presence: &p})
	w.OK(err)
	return back
}

func (w *world) set(who principal.Principal, capacity int, skills queue.Skills) {
	w.t.Helper()
	_, err := w.q.SetEngineer(w.t.Context(), root, who.User, queue.EngineerChange{Capacity: &capacity, Skills: &skills})
	w.OK(err)
}

func (w *world) load(who principal.Principal) int {
	w.t.Helper()
	e, err := w.q.Engineer(w.t.Context(), root, who.User)
	w.OK(err)
	return e.Load
}

// events are the kinds and data recorded, newest last.
func (w *world) events(kind string) (all []event.Row) {
	w.t.Helper()
	w.seal()
	w.OK(w.DB.View(w.t.Context(), func(tx *db.Tx) error {
		rows, err := event.After(tx, "", 0, 100000)
		all = nil
		for _, r := range rows {
			if r.Kind == kind {
				all = append(all, r)
			}
		}
		return err
	}))
	return all
}

// TestTeams: who may, what is refused, versions, what the end of a team leaves.
func TestTeams(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		zhao := w.Engineer("zhao", "赵主管", principal.RoleSupervisor)
		for _, who := range []principal.Principal{w.Chen, w.Auditor, w.Boss, {}} {
			if _, err := w.q.CreateTeam(ctx, who, queue.Team{Name: named("x")}); fault.KindOf(err) != fault.Forbidden {
				w.t.Errorf("%s makes a team: %v", who.UserName, err)
			}
		}
		for field, in := range map[string]queue.Team{
			"name_zh": {},
			"name_en": {Name: locale.Texts{EN: strings.Repeat("n", 65)}},
			"members": {Name: named("x"), Members: []string{w.Auditor.User}},
			"lead":    {Name: named("x"), Members: []string{w.Chen.User}, Lead: w.Emma.User},
		} {
			_, err := w.q.CreateTeam(ctx, root, in)
			if f, ok := fault.As(err); !ok || f.Field != field || f.Code != fault.CodeInvalid {
				w.t.Errorf("%s: %v", field, err)
			}
		}
		for _, stranger := range []string{w.Boss.User, "nobody"} {
			_, err := w.q.CreateTeam(ctx, root, queue.Team{Name: named("x"), Members: []string{stranger}})
			w.Refused(err, "01010001")
		}
		many := queue.Team{Name: locale.Texts{ZH: strings.Repeat("字", 64)}}
		for i := range 201 {
			many.Members = append(many.Members, fmt.Sprint(i))
		}
		_, err := w.q.CreateTeam(ctx, root, many)
		w.Refused(err, "01010001")
		team, err := w.q.CreateTeam(ctx, zhao, queue.Team{Name: many.Name, Members: []string{w.Chen.User, w.Emma.User, w.Chen.User}, Lead: w.Emma.User})
		w.OK(err)
		if len(team.Members) != 2 || team.Version != 1 || team.Names[w.Chen.User] != "chen" {
			w.t.Errorf("made: %+v", team)
		}
		for _, who := range []principal.Principal{w.Chen, w.Auditor, local} {
			if all, err := w.q.Teams(ctx, who); err != nil || len(all) != 1 || all[0].Lead != w.Emma.User {
				w.t.Errorf("%s reads %v %v", who.UserName, all, err)
			}
		}
		// A stale version changes nothing.
		change := team
		change.Name = named("renamed")
		changed, err := w.q.ChangeTeam(ctx, zhao, change)
		w.OK(err)
		_, err = w.q.ChangeTeam(ctx, root, change)
		if fault.KindOf(err) != fault.Conflict {
			w.t.Errorf("a stale change: %v", err)
		}
		// Who is disabled stays a member, and nobody new can be.
		w.OK(w.Ident.Disable(ctx, root, principal.House, w.Chen.User, true))
		if changed, err = w.q.ChangeTeam(ctx, root, changed); err != nil || len(changed.Members) != 2 {
			w.t.Errorf("with a disabled member: %v %v", changed, err)
		}
		q := w.queue(queue.Queue{Team: team.ID})
		if err := w.q.DeleteTeam(ctx, root, team.ID, 0); fault.KindOf(err) != fault.Conflict {
			w.t.Errorf("a team that serves a queue: %v", err)
		}
		w.OK(w.q.DeleteQueue(ctx, root, q.ID, 0))
		view, err := w.q.CreateView(ctx, w.Emma, queue.View{Name: named("v"), Shared: queue.WithTeam, Team: team.ID})
		w.OK(err)
		n := w.Create(w.Boss, "for the team")
		_, err = w.q.Transfer(ctx, w.Emma, ticket.Transfer{Numbers: []string{n}}, team.ID, "")
		w.OK(err)
		if got := w.show(n); got.Team != team.ID || got.TeamName.EN != "renamed" {
			w.t.Errorf("the ticket's team: %s %v", got.Team, got.TeamName)
		}
		if err := w.q.DeleteTeam(ctx, root, team.ID, 1); fault.KindOf(err) != fault.Conflict {
			w.t.Errorf("deleted under a stale version: %v", err)
		}
		w.OK(w.q.DeleteTeam(ctx, root, team.ID, changed.Version))
		if _, err := w.q.Team(ctx, root, team.ID); fault.KindOf(err) != fault.NotFound {
			w.t.Errorf("a deleted team: %v", err)
		}
		if got := w.show(n); got.Team != "" {
			w.t.Errorf("the ticket keeps the team %s", got.Team)
		}
		if v, err := w.q.View(ctx, w.Emma, view.ID); err != nil || v.Shared != queue.Private {
			w.t.Errorf("the view of a deleted team: %+v %v", v, err)
		}
		for kind, want := range map[string]int{"team.create": 1, "team.update": 2, "team.delete": 1, "queue.create": 1, "queue.delete": 1, "view.create": 1} {
			if got := len(w.events(kind)); got != want {
				w.t.Errorf("%d events %s, want %d", got, kind, want)
			}
		}
		for _, kind := range []string{"team.delete", "queue.delete"} { // nothing else tells what they were called
			if e := w.events(kind)[0]; !strings.Contains(string(e.Data), "name_en") {
				w.t.Errorf("%s holds %s", kind, e.Data)
			}
		}
	})
}

// TestQueues: the default queues, counts of the caller, what is refused, versions.
func TestQueues(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		a, b, c := w.Create(w.Boss, "one"), w.Create(w.Foreign, "two"), w.Create(w.Boss, "three")
		w.OK(w.Step(w.Chen, b, "accept", ""))
		w.OK(w.Step(w.Chen, c, "accept", ""))
		w.OK(w.Step(w.Chen, c, "ask", "which?"))
		box := w.sandbox()
		_, err := w.Tickets.Create(ctx, box, w.Draft("never seen"))
		w.OK(err)
		counts := func(who principal.Principal) (out []string) {
			all, err := w.q.Queues(ctx, who)
			w.OK(err)
			for _, q := range all {
				out = append(out, fmt.Sprint(q.ID, " ", q.Count))
				if q.Name.ZH == "" || q.Name.EN == "" {
					w.t.Errorf("%s has no name in both languages", q.ID)
				}
				p, err := w.q.QueueTickets(ctx, who, q.ID, queue.Look{})
				w.OK(err)
				if len(p.Tickets) != q.Count || p.Total != q.Count {
					w.t.Errorf("%s counts %d and lists %d of %d", q.ID, q.Count, len(p.Tickets), p.Total)
				}
			}
			return out
		}
		if got := strings.Join(counts(w.Chen), ", "); got != "unassigned 1, mine 2, waiting 1, open 3" {
			w.t.Errorf("chen: %s", got)
		}
		if got := strings.Join(counts(w.Emma), ", "); got != "unassigned 1, mine 0, waiting 0, open 3" {
			w.t.Errorf("emma: %s", got)
		}
		if got := strings.Join(counts(w.Auditor), ", "); got != "unassigned 1, mine 0, waiting 0, open 3" {
			w.t.Errorf("an auditor: %s", got)
		}
		if _, err := w.q.CreateQueue(ctx, w.Chen, queue.Queue{Name: named("x")}); fault.KindOf(err) != fault.Forbidden {
			w.t.Errorf("an engineer makes a queue: %v", err)
		}
		long := make([]string, 51)
		for i := range long {
			long[i] = fmt.Sprint(i)
		}
		team := w.team("t", w.Chen)
		for field, in := range map[string]queue.Queue{
			"name_zh":                         {},
			"place":                           {Name: named("x"), Place: 100001},
			"sort":                            {Name: named("x"), Sort: "random"},
			"assignment":                      {Name: named("x"), Way: "lottery"},
			"team_id":                         {Name: named("x"), Way: queue.RoundRobin},
			"filter":                          {Name: named("x"), Way: queue.RoundRobin, Team: team.ID, Filter: ticket.RowFilter{Assignee: "me"}},
			"filter.statuses":                 {Name: named("x"), Filter: ticket.RowFilter{Statuses: []ticket.Status{ticket.Deleted}}},
			"filter.product_category_ids":     {Name: named("x"), Filter: ticket.RowFilter{Products: []string{"no such"}}},
			"filter.business_type_categories": {Name: named("x"), Filter: ticket.RowFilter{SubTypes: []string{"no such"}}},
			"filter.business_type_ids":        {Name: named("x"), Filter: ticket.RowFilter{ProblemTypes: []string{""}}},
			"filter.region_ids":               {Name: named("x"), Filter: ticket.RowFilter{Regions: []string{"moon"}}},
			"filter.languages":                {Name: named("x"), Filter: ticket.RowFilter{Languages: []string{"fr-fr"}}},
			"filter.severities":               {Name: named("x"), Filter: ticket.RowFilter{Severities: []string{"no such"}}},
			"filter.plans":                    {Name: named("x"), Filter: ticket.RowFilter{Plans: []string{"Platinum"}}},
			"filter.domain_ids":               {Name: named("x"), Filter: ticket.RowFilter{Domains: long}},
			"filter.owners":                   {Name: named("x"), Filter: ticket.RowFilter{Owners: []ticket.Ownership{3}}},
			"filter.older_than_minutes":       {Name: named("x"), Filter: ticket.RowFilter{Older: 527041}},
			"filter.assignee":                 {Name: named("x"), Filter: ticket.RowFilter{Assignee: strings.Repeat("a", 65)}},
		} {
			_, err := w.q.CreateQueue(ctx, root, in)
			if f, ok := fault.As(err); !ok || f.Field != field || f.Code != fault.CodeInvalid {
				w.t.Errorf("%s: %v", field, err)
			}
		}
		_, err = w.q.CreateQueue(ctx, root, queue.Queue{Name: named("x"), Team: "no such"})
		w.Refused(err, "01010001")
		q := w.queue(queue.Queue{Place: 100000, Filter: ticket.RowFilter{Domains: long[:50], Older: 527040}})
		q.Filter = ticket.RowFilter{Domains: []string{w.Foreign.Domain}}
		changed, err := w.q.ChangeQueue(ctx, root, q)
		w.OK(err)
		if changed.Count != 1 || changed.Version != 2 {
			w.t.Errorf("changed: %+v", changed)
		}
		if _, err := w.q.ChangeQueue(ctx, root, q); fault.KindOf(err) != fault.Conflict {
			w.t.Errorf("a stale change: %v", err)
		}
		p, err := w.q.QueueTickets(ctx, w.Emma, q.ID, queue.Look{})
		w.OK(err)
		if len(p.Tickets) != 1 || p.Tickets[0].Number != b || p.Tickets[0].DomainName != "Harbour" || p.Tickets[0].AssigneeName != "chen" {
			w.t.Errorf("the page: %+v", p.Tickets)
		}
		if err := w.q.DeleteQueue(ctx, root, q.ID, 1); fault.KindOf(err) != fault.Conflict {
			w.t.Errorf("deleted under a stale version: %v", err)
		}
		w.OK(w.q.DeleteQueue(ctx, root, q.ID, 2))
		if _, err := w.q.QueueTickets(ctx, w.Emma, q.ID, queue.Look{}); fault.KindOf(err) != fault.NotFound {
			w.t.Errorf("a deleted queue: %v", err)
		}
		_ = a
	})
}

// sandbox makes a sandbox and its main account.
func (w *world) sandbox() principal.Principal {
	w.t.Helper()
	house := principal.AsSystem(principal.House)
	d, err := w.Ident.CreateDomain(w.t.Context(), house, identity.NewDomain{Name: "box", Plan: "Business", Sandbox: true})
	w.OK(err)
	u, err := w.Ident.CreateUser(w.t.Context(), house, identity.NewUser{Domain: d.ID, Name: "tester", Password: "a-Password-1", Main: true, Mail: "tester@example.com"})
	w.OK(err)
	return principal.Principal{Kind: principal.Customer, Domain: d.ID, User: u.ID, UserName: "tester", Main: true, Sandbox: true}
}

// TestViews: private and shared ones, the limit, whose they are when their owner
// is gone.
func TestViews(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		zhao := w.Engineer("zhao", "赵主管", principal.RoleSupervisor)
		team := w.team("blue", w.Chen, zhao)
		a := w.Create(w.Boss, "one")
		w.Create(w.Foreign, "two")
		make := func(who principal.Principal, in queue.View) queue.View {
			if in.Name.EN == "" {
				in.Name = named("view")
			}
			v, err := w.q.CreateView(ctx, who, in)
			w.OK(err)
			return v
		}
		filter := ticket.RowFilter{Domains: []string{w.Boss.Domain}}
		mine := make(w.Chen, queue.View{Filter: filter, Columns: []string{"number", "urges"}, Sort: ticket.SortOldest, Place: 2})
		ours := make(w.Chen, queue.View{Filter: filter, Shared: queue.WithTeam, Team: team.ID, Place: 1})
		everybodys := make(w.Chen, queue.View{Shared: queue.WithAll})
		has := func(who principal.Principal, want ...string) {
			w.t.Helper()
			all, err := w.q.Views(ctx, who)
			w.OK(err)
			var got []string
			for _, v := range all {
				got = append(got, v.ID)
			}
			if !slices.Equal(got, want) {
				w.t.Errorf("%s has %v, want %v", who.UserName, got, want)
			}
		}
		has(w.Chen, everybodys.ID, ours.ID, mine.ID)
		has(w.Emma, everybodys.ID)
		has(zhao, everybodys.ID, ours.ID)
		has(local, everybodys.ID, ours.ID)
		if mine.Count != 1 || everybodys.Count != 2 {
			w.t.Errorf("counts: %d %d", mine.Count, everybodys.Count)
		}
		p, err := w.q.ViewTickets(ctx, w.Chen, mine.ID, queue.Look{})
		w.OK(err)
		if len(p.Tickets) != 1 || p.Tickets[0].Number != a {
			w.t.Errorf("the view's tickets: %+v", p.Tickets)
		}
		for field, in := range map[string]queue.View{
			"name_zh": {Name: locale.Texts{ZH: "  "}},
			"shared":  {Name: named("x"), Shared: "world"},
			"team_id": {Name: named("x"), Shared: queue.WithTeam},
			"columns": {Name: named("x"), Columns: []string{"password"}},
			"sort":    {Name: named("x"), Sort: "random"},
			"place":   {Name: named("x"), Place: -1},
		} {
			_, err := w.q.CreateView(ctx, w.Chen, in)
			if f, ok := fault.As(err); !ok || f.Field != field {
				w.t.Errorf("%s: %v", field, err)
			}
		}
		_, err = w.q.CreateView(ctx, w.Emma, queue.View{Name: named("x"), Shared: queue.WithTeam, Team: team.ID})
		w.Refused(err, "01010001")
		_, err = w.q.CreateView(ctx, w.Auditor, queue.View{Name: named("x")})
		w.Refused(err, "01010002")
		// Others' private views are not there; shared ones are read only.
		edit := mine
		edit.Version = 0
		_, err = w.q.ChangeView(ctx, zhao, edit)
		w.Refused(err, "01010001")
		if fault.KindOf(err) != fault.NotFound {
			w.t.Errorf("another's private view: %v", err)
		}
		edit = everybodys
		_, err = w.q.ChangeView(ctx, w.Emma, edit)
		w.Refused(err, "01010002")
		edit.Name = named("better")
		changed, err := w.q.ChangeView(ctx, w.Chen, edit)
		w.OK(err)
		if _, err = w.q.ChangeView(ctx, w.Chen, edit); fault.KindOf(err) != fault.Conflict {
			w.t.Errorf("a stale change: %v", err)
		}
		// The owner goes; a supervisor looks after what he shared.
		w.OK(w.Ident.Disable(ctx, root, principal.House, w.Chen.User, true))
		changed.Name = named("kept")
		changed, err = w.q.ChangeView(ctx, zhao, changed)
		w.OK(err)
		if changed.Owner != w.Chen.User || changed.OwnerName != "chen" || changed.Version != 3 {
			w.t.Errorf("the supervisor's change: %+v", changed)
		}
		w.Refused(w.q.DeleteView(ctx, w.Emma, everybodys.ID, 0), "01010002")
		w.OK(w.q.DeleteView(ctx, zhao, everybodys.ID, 3))
		has(w.Emma)
		for range queue.MaxViews {
			make(w.Emma, queue.View{})
		}
		_, err = w.q.CreateView(ctx, w.Emma, queue.View{Name: named("one more")})
		if fault.KindOf(err) != fault.Conflict {
			w.t.Errorf("view %d: %v", queue.MaxViews+1, err)
		}
		for kind, want := range map[string]int{"view.create": 3 + queue.MaxViews, "view.update": 2, "view.delete": 1} {
			if got := len(w.events(kind)); got != want {
				w.t.Errorf("%d events %s, want %d", got, kind, want)
			}
		}
	})
}
