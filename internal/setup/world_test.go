package setup_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/privacy"
	"casemate/internal/queue"
	"casemate/internal/setup"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
	"casemate/internal/webhook"
)

var house = principal.AsSystem(principal.House)

// world is an installation with a configuration that has some of everything.
type world struct {
	*tickettest.World
	t *testing.T
	q *queue.Service
	h *webhook.Service
	p *privacy.Service
	s *setup.Service

	lead    principal.Principal
	team    queue.Team
	partner identity.Partner
}

func each(t *testing.T, test func(w *world)) {
	t.Helper()
	tickettest.Each(t, ticket.Options{}, func(inner *tickettest.World) {
		w := &world{World: inner, t: inner.T.(*testing.T)}
		w.open()
		test(w)
	})
}

func (w *world) open() {
	ctx := w.t.Context()
	var err error
	w.q, err = queue.New(w.DB, w.Keys, queue.Nouns{Identity: w.Ident, Catalog: w.Catalog, Notify: w.Notify, Tickets: w.Tickets}, queue.Options{})
	w.OK(err)
	w.h, err = webhook.New(w.DB, w.Keys, config.Webhooks{}, nil)
	w.OK(err)
	w.p = privacy.New(w.DB, w.Keys, privacy.Nouns{Identity: w.Ident, Tickets: w.Tickets}, nil)
	w.s = setup.New(w.DB, setup.Nouns{Identity: w.Ident, Catalog: w.Catalog, Notify: w.Notify, Tickets: w.Tickets, Queue: w.q, Webhooks: w.h, Privacy: w.p})
	w.lead = w.Engineer("lead", "组长 Lead: #1", principal.RoleSupervisor)

	w.team, err = w.q.CreateTeam(ctx, w.lead, queue.Team{Name: locale.Texts{ZH: "一线", EN: "Tier 1"}, Lead: w.Chen.User, Members: []string{w.Emma.User, w.Chen.User}})
	w.OK(err)
	_, err = w.q.CreateQueue(ctx, w.lead, queue.Queue{Name: locale.Texts{ZH: "高级别"}, Place: 5, Filter: ticket.RowFilter{Statuses: []ticket.Status{0, 1}, Severities: []string{w.severity(0)}}, Team: w.team.ID, Way: queue.RoundRobin, Hard: true})
	w.OK(err)
	_, err = w.q.CreateView(ctx, w.Chen, queue.View{Name: locale.Texts{EN: "Private"}})
	w.OK(err)
	_, err = w.q.CreateView(ctx, w.Chen, queue.View{Name: locale.Texts{EN: "Mine: shared"}, Shared: queue.WithTeam, Team: w.team.ID, Columns: []string{"number", "status"}, Filter: ticket.RowFilter{Assignee: "me", Older: 60}})
	w.OK(err)
	_, err = w.q.CreateMacro(ctx, w.lead, queue.NewMacro{Name: locale.Texts{ZH: "致谢", EN: "Thanks"}, Shared: true, Actions: []queue.Action{
		{Do: "reply", Text: &locale.Texts{ZH: "您好：\n\n  缩进 {number}\n\n", EN: "Hello,\n# no comment\n\ttab: \"quoted\" 'single'"}}, {Do: "tag", Tags: []string{"VIP", "yes", "1.0"}}}})
	w.OK(err)
	_, err = w.q.CreateSnippet(ctx, w.lead, queue.NewSnippet{Kind: queue.KindSnippet, Shared: true, Shortcut: "/hi", Folder: "f: g", Title: locale.Texts{ZH: "问候"}, Text: locale.Texts{ZH: "  两个空格\r\n结尾空格  \n", EN: "- a\n- b\n: c | > & * ! % @ `"}})
	w.OK(err)
	_, err = w.q.CreateRule(ctx, w.lead, queue.NewRule{Name: locale.Texts{ZH: "规则", EN: "Rule"}, Mode: queue.ModeOn, Place: 3, Definition: queue.Definition{When: queue.When{Events: []string{"ticket.create"}, By: "customer"},
		If: &queue.Condition{All: []queue.Condition{{Field: "severity", Op: "eq", Value: w.severity(0)}, {Not: &queue.Condition{Field: "text", Op: "contains", Value: "no"}}}}, Then: []queue.Action{{Do: "tag", Tags: []string{"登录"}}}}})
	w.OK(err)
	two, state := 2, 1
	_, err = w.q.CreateRule(ctx, w.lead, queue.NewRule{Name: locale.Texts{EN: "Waits"}, Mode: queue.ModeOff, Definition: queue.Definition{When: queue.When{State: &state, Hours: two}, Then: []queue.Action{{Do: "notify", To: "supervisors"}}}})
	w.OK(err)
	capacity := 7
	_, err = w.q.SetEngineer(ctx, w.lead, w.Emma.User, queue.EngineerChange{Capacity: &capacity, Skills: &queue.Skills{Languages: []string{"en-us"}}, Plan: &queue.Plan{Zone: "Asia/Shanghai", Week: []queue.Shift{{Day: 1, Hours: "09:00-18:00"}}}})
	w.OK(err)
	_, _, err = w.h.Create(ctx, house, webhook.NewHook{URL: "https://hooks.example/in", About: "进 in", Domain: w.Boss.Domain, Kinds: []string{"ticket.*"}, After: -1})
	w.OK(err)
	products := w.Catalog.Now().Products()
	w.partner, err = w.Ident.CreatePartner(ctx, house, identity.Partner{Name: "帆船 Sail", Account: w.Foreign.Domain, Whitelisted: true, Hours: identity.Hours{Zone: "GMT+08:00", Days: 5, Day: 8},
		Services: []identity.ServiceOf{{Kind: identity.ServiceProduct, ID: products[len(products)-1].ID}, {Kind: identity.ServiceProduct, ID: products[len(products)-2].ID}}})
	w.OK(err)
	w.OK(w.Ident.ServedBy(ctx, house, w.Boss.Domain, w.partner.ID))
	_, err = w.Notify.SetTemplate(ctx, house, notify.TemplateReply, locale.EN, notify.Words{Subject: "News of {number}", Text: "Hello,\n\nread {number}.\n", SMS: "{number}: news"}, nil)
	w.OK(err)
}

func (w *world) severity(i int) string { return w.Catalog.Now().Severities()[i].ID }

func (w *world) export() map[string]string {
	w.t.Helper()
	tree, err := w.s.Export(w.t.Context(), house, 0, setup.With{})
	w.OK(err)
	return tree.Files
}

func bytesOf(files map[string]string) map[string][]byte {
	out := map[string][]byte{}
	for p, text := range files {
		out[p] = []byte(text)
	}
	return out
}

func (w *world) plan(files map[string]string) setup.Plan {
	w.t.Helper()
	p, err := w.s.Plan(w.t.Context(), house, bytesOf(files), setup.KeepClocks)
	w.OK(err)
	return p
}

func (w *world) apply(files map[string]string, clocks setup.Clocks) setup.Plan {
	w.t.Helper()
	p, err := w.s.Apply(w.t.Context(), house, bytesOf(files), setup.How{Clocks: clocks})
	w.OK(err)
	return p
}

// nothing wants the files to be what is in force.
func (w *world) nothing(files map[string]string, when string) {
	w.t.Helper()
	if p := w.plan(files); !p.Empty() || len(p.Tickets.Totals) > 0 {
		w.t.Errorf("%s: the plan has %d changes, layout %v: %+v", when, len(p.Changes), p.Layout, p.Changes)
	}
}

func (w *world) same(a, b map[string]string, what string) {
	w.t.Helper()
	all := maps.Clone(a)
	maps.Copy(all, b)
	for _, p := range slices.Sorted(maps.Keys(all)) {
		if a[p] != b[p] {
			w.t.Errorf("%s: %s differs:\n%s\n--- and\n%s", what, p, a[p], b[p])
		}
	}
}

// change replaces one text of a file, which must be there.
func change(t *testing.T, files map[string]string, p, from, to string) map[string]string {
	t.Helper()
	if !strings.Contains(files[p], from) {
		t.Fatalf("%s has no %q:\n%s", p, from, files[p])
	}
	out := maps.Clone(files)
	out[p] = strings.Replace(files[p], from, to, 1)
	return out
}

// dump is every row of every table as text.
func (w *world) dump() map[string]string {
	w.t.Helper()
	tables, err := db.Tables()
	w.OK(err)
	columns, out := map[string][]string{}, map[string]string{}
	for _, table := range tables {
		columns[table] = dbtest.Columns(w.t, w.DB, table)
	}
	w.OK(w.DB.View(w.t.Context(), func(tx *db.Tx) error {
		for _, table := range tables {
			var parts []string
			for _, c := range columns[table] {
				parts = append(parts, "coalesce(CAST("+c+" AS TEXT), 'NULL')")
			}
			var rows []string
			err := tx.List(func(r db.Row) error {
				var text string
				err := r.Scan(&text)
				rows = append(rows, text)
				return err
			}, "SELECT "+strings.Join(parts, " || '|' || ")+" FROM "+table)
			if err != nil {
				return err
			}
			slices.Sort(rows)
			out[table] = strings.Join(rows, "\n")
		}
		return nil
	}))
	return out
}
