package ticket_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// TestAudit: the main account sees his domain, a sub-user himself, nobody
// another's; engineers go by alias and without an address; notes and
// assignments never show.
func TestAudit(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		audit := func(who principal.Principal, f ticket.AuditFilter) (all []ticket.Audited) {
			w.t.Helper()
			for {
				page, next, err := w.s.Audit(ctx, who, locale.EN, f)
				w.ok(err)
				all = append(all, page...)
				if next == "" {
					return all
				}
				f.Cursor = next
			}
		}
		names := func(all []ticket.Audited) (out []string) {
			for _, a := range all {
				out = append(out, a.Name)
			}
			return out
		}
		start := w.clock.Now()
		n := w.create(w.li, "of li")
		other := w.create(w.wang, "of wang")
		theirs := w.create(w.foreign, "of others")
		w.ok(w.step(w.chen, n, "accept", ""))
		w.ok(w.step(w.chen, n, "note", "a secret note"))
		_, err := w.s.Take(ctx, w.chen, ticket.Step{Number: n, Action: "assign", Assignee: "emma"})
		w.ok(err)
		w.ok(w.step(w.emma, n, "resolve", "done"))
		w.clock.Add(time.Hour)
		w.ok(w.act(w.li, n, ticket.Close))
		w.ok(w.act(w.wang, other, ticket.Cancel))
		w.ok(w.act(w.wang, other, ticket.Delete))
		all := audit(w.boss, ticket.AuditFilter{Limit: 3, Resource: "case"})
		if got := names(all); !slices.Equal(got, []string{"deleteCase", "cancelCase", "closeCase", "resolveCase", "acceptCase", "createCase", "createCase"}) {
			w.t.Errorf("main account: %v", got)
		}
		for _, a := range all {
			switch {
			case a.Name == "acceptCase" && (a.ActorName != "工程师小陈" || a.Actor == w.chen.User || a.Address != "" || a.Kind != principal.Engineer):
				w.t.Errorf("engineer %+v", a)
			case a.Unproved:
				w.t.Errorf("nobody's %+v", a)
			case a.Name == "closeCase" && (a.ActorName != "li" || a.Actor != w.li.User || a.Address != "198.51.100.7" || a.ResourceID != n || a.Title != "Ticket closed"):
				w.t.Errorf("customer %+v", a)
			}
			if strings.Contains(fmt.Sprint(a), theirs) || strings.Contains(fmt.Sprint(a), "emma") && a.Kind == principal.Customer {
				w.t.Errorf("%+v", a)
			}
		}
		if got := names(audit(w.li, ticket.AuditFilter{})); !slices.Equal(got, []string{"closeCase", "createCase"}) {
			w.t.Errorf("li: %v", got)
		}
		if got := audit(w.li, ticket.AuditFilter{User: w.wang.User}); len(got) > 0 {
			w.t.Errorf("li sees wang's: %v", got)
		}
		for _, tt := range []struct {
			name string
			f    ticket.AuditFilter
			want []string
		}{
			{"by name", ticket.AuditFilter{Names: []string{"createCase", "deleteCase"}}, []string{"deleteCase", "createCase", "createCase"}},
			{"by user", ticket.AuditFilter{User: w.wang.User, Names: []string{"createCase", "cancelCase"}}, []string{"cancelCase", "createCase"}},
			{"by ticket", ticket.AuditFilter{Resource: "case", ResourceID: other}, []string{"deleteCase", "cancelCase", "createCase"}},
			{"by another customer's ticket", ticket.AuditFilter{Resource: "case", ResourceID: theirs}, nil},
			{"by an engineer", ticket.AuditFilter{User: w.chen.User}, nil},
			{"in time", ticket.AuditFilter{To: start.Add(time.Minute).UnixMilli(), Resource: "case", Names: []string{"createCase"}}, []string{"createCase", "createCase"}},
			{"later", ticket.AuditFilter{From: start.Add(30 * time.Minute).UnixMilli(), Resource: "case"}, []string{"deleteCase", "cancelCase", "closeCase"}},
		} {
			if got := names(audit(w.boss, tt.f)); !slices.Equal(got, tt.want) {
				w.t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
		}
		page, _, err := w.s.Audit(ctx, w.boss, locale.ZH, ticket.AuditFilter{Names: []string{"createCase"}, Limit: 1})
		w.ok(err)
		if page[0].Title != "创建工单" {
			w.t.Errorf("%+v", page)
		}
		for _, f := range []ticket.AuditFilter{{Names: []string{"none"}}, {Resource: "none"}, {ResourceID: n}, {Cursor: "short"}, {From: 5, To: 4}} {
			_, _, err := w.s.Audit(ctx, w.boss, locale.EN, f)
			w.refused(err, "01010001")
		}
		_, _, err = w.s.Audit(ctx, w.chen, locale.EN, ticket.AuditFilter{})
		w.refused(err, "01010002")
		// Seven days by default, all of it when asked.
		w.clock.Add(8 * 24 * time.Hour)
		if got := audit(w.boss, ticket.AuditFilter{}); len(got) > 0 {
			w.t.Errorf("a week later: %v", names(got))
		}
		if got := audit(w.boss, ticket.AuditFilter{From: 1, Resource: "case"}); len(got) != 7 {
			w.t.Errorf("kept: %v", names(got))
		}
		// A sandbox's clock is ahead of the ids.
		box := w.sandbox("audited")
		w.move(box, 30*24*time.Hour)
		_, err = w.s.Create(w.as(box), box, w.draft("in the sandbox"))
		w.ok(err)
		got, _, err := w.s.Audit(w.as(box), box, locale.EN, ticket.AuditFilter{})
		w.ok(err)
		if !slices.Equal(names(got), []string{"createCase"}) {
			w.t.Errorf("sandbox: %v", names(got))
		}
	})
}

// TestAuditSwitch: the entry of a permission switch says which one and which way.
func TestAuditSwitch(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		for _, c := range []struct {
			sw     identity.Switch
			on     bool
			zh, en string
		}{
			{identity.SwitchSubmitByPermission, true, "打开权限开关：提交工单需要授权", "Permission switched on: submitting needs a permission"},
			{identity.SwitchSubmitByPermission, false, "关闭权限开关：提交工单需要授权", "Permission switched off: submitting needs a permission"},
			{identity.SwitchExport, true, "打开权限开关：子用户可以导出工单", "Permission switched on: users may export tickets"},
			{identity.SwitchAssumeAll, true, "打开权限开关：子用户可以处理账号下所有工单", "Permission switched on: users may handle all tickets of the account"},
		} {
			w.ok(w.ident.Set(ctx, w.boss, c.sw, !c.on))
			w.ok(w.ident.Set(ctx, w.boss, c.sw, c.on))
			for lang, want := range map[locale.Language]string{locale.ZH: c.zh, locale.EN: c.en} {
				page, _, err := w.s.Audit(ctx, w.boss, lang, ticket.AuditFilter{Names: []string{"createPrivileges"}, Limit: 1})
				w.ok(err)
				if len(page) != 1 || page[0].Title != want || page[0].Name != "createPrivileges" || page[0].Resource != "domain" {
					w.t.Errorf("%s %t: %+v, want %q", c.sw, c.on, page, want)
				}
			}
		}
	})
}

// TestAuditLabels: a label's entries have the name it had at the time, also once
// it is gone, and so have the entries of tickets it was put on; for its user only.
func TestAuditLabels(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		n := w.create(w.li, "of li")
		first, second := w.label(w.li, "紧急"), w.label(w.li, `a, "b"`)
		w.ok(w.s.AddLabels(ctx, w.li, n, []int64{first, second}))
		w.ok(w.s.UpdateLabel(ctx, w.li, first, "不急", "#1f6feb"))
		w.ok(w.s.UpdateLabel(ctx, w.li, first, "不急", "#1f6fec"))
		w.ok(w.s.DeleteLabel(ctx, w.li, first))
		own := w.label(w.boss, "the boss's own")
		filter := ticket.AuditFilter{Names: []string{"createLabel", "updateLabel", "deleteLabel", "createCaseLabels"}}
		told := func(who principal.Principal) (got []string) {
			w.t.Helper()
			page, _, err := w.s.Audit(ctx, who, locale.EN, filter)
			w.ok(err)
			for _, a := range page {
				id := a.ResourceID
				switch id {
				case n:
					id = "ticket"
				case fmt.Sprint(first):
					id = "first"
				case fmt.Sprint(second):
					id = "second"
				case fmt.Sprint(own):
					id = "own"
				}
				got = append(got, strings.TrimSpace(a.Name+" "+id+" "+a.ResourceName))
			}
			return got
		}
		check := func(who principal.Principal, want ...string) {
			w.t.Helper()
			if got := told(who); !slices.Equal(got, want) {
				w.t.Errorf("%s: %q, want %q", who.User, got, want)
			}
		}
		check(w.li, "deleteLabel first 不急", "updateLabel first 不急", "updateLabel first 紧急 → 不急", `createCaseLabels ticket a, "b", 紧急`, `createLabel second a, "b"`, "createLabel first 紧急")
		check(w.boss, "createLabel own the boss's own", "deleteLabel first", "updateLabel first", "updateLabel first", "createCaseLabels ticket", "createLabel second", "createLabel first")
		// Events of before names were kept: the name of today, of one's own.
		w.ok(w.db.Update(ctx, func(tx *db.Tx) error {
			tx.Write(db.Any, "UPDATE events SET data = '{}' WHERE domain_id = ? AND subject = 'label'", w.li.Domain)
			return nil
		}))
		check(w.li, "deleteLabel first", "updateLabel first", "updateLabel first", `createCaseLabels ticket a, "b", 紧急`, `createLabel second a, "b"`, "createLabel first")
		check(w.boss, "createLabel own the boss's own", "deleteLabel first", "updateLabel first", "updateLabel first", "createCaseLabels ticket", "createLabel second", "createLabel first")
	})
}

// TestAuditLoginFailures: the entry of a failed log-in says why and how often, of
// somebody let in or shut out which of the two.
func TestAuditLoginFailures(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		check := func(zh, en string) {
			w.t.Helper()
			for lang, want := range map[locale.Language]string{locale.ZH: zh, locale.EN: en} {
				page, _, err := w.s.Audit(ctx, w.boss, lang, ticket.AuditFilter{Resource: "user", Limit: 1})
				w.ok(err)
				if len(page) != 1 || page[0].Title != want || page[0].ResourceName != "li" {
					w.t.Errorf("%+v, want %q", page, want)
				}
			}
		}
		try := func() {
			w.t.Helper()
			_, err := w.ident.Login(ctx, identity.Login{DomainID: w.li.Domain, User: "LI", Password: "not the password", Address: "192.0.2.9"})
			if !errors.Is(err, identity.ErrLogin) {
				w.t.Fatal(err)
			}
		}
		try()
		check("登录失败：密码错误", "Log-in failed: wrong password")
		page, _, err := w.s.Audit(ctx, w.li, locale.EN, ticket.AuditFilter{Names: []string{"loginFailed"}})
		w.ok(err)
		if len(page) != 1 || page[0].Address != "192.0.2.9" || page[0].ActorName != "li" || !page[0].Unproved {
			w.t.Errorf("%+v", page)
		}
		try()
		check("登录失败：密码错误（15 分钟内第 2 次）", "Log-in failed: wrong password (2 times within 15 minutes)")
		for range 3 {
			try()
		}
		check("登录失败：密码错误（15 分钟内第 5 次，暂时锁定）", "Log-in failed: wrong password (5 times within 15 minutes: locked for a while)")
		for range 5 {
			try()
		}
		check("登录被拒绝：用户暂时被锁定（15 分钟内第 10 次）", "Log-in refused: the user is locked for a while (10 times within 15 minutes)")
		system := principal.AsSystem(principal.House)
		w.ok(w.ident.Disable(ctx, system, w.li.Domain, w.li.User, true))
		check("停用用户", "User shut out")
		w.ok(w.ident.Disable(ctx, system, w.li.Domain, w.li.User, false))
		check("启用用户", "User let in")
	})
}

// TestAuditWords: ratings are told with what was rated, the end of a label with
// its tickets; events of before that was recorded as they were.
func TestAuditWords(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		title := func(lang locale.Language, name string) string {
			w.t.Helper()
			page, _, err := w.s.Audit(ctx, w.li, lang, ticket.AuditFilter{Names: []string{name}, Limit: 1})
			w.ok(err)
			if len(page) != 1 {
				w.t.Fatalf("%s: %+v", name, page)
			}
			return page[0].Title
		}
		check := func(name, zh, en string) {
			w.t.Helper()
			for lang, want := range map[locale.Language]string{locale.ZH: zh, locale.EN: en} {
				if got := title(lang, name); got != want {
					w.t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		}
		n := w.into(ticket.Completed)
		w.ok(w.s.Rate(ctx, w.li, n, "", "a secret comment", []ticket.Score{{Dimension: 1, Points: 4}}))
		d, ok := w.catalog.Now().Dimension(1)
		if !ok {
			w.t.Fatal("no dimension 1")
		}
		check("createScores", fmt.Sprintf("评价工单：%s 4/%d", d.Name.ZH, d.Value), fmt.Sprintf("Ticket rated: %s 4/%d", d.Name.EN, d.Value))
		var numbers []string
		unused, some, many := w.label(w.li, "unused"), w.label(w.li, "some"), w.label(w.li, "many")
		for i := range 12 {
			number := w.create(w.li, fmt.Sprint("ticket ", i))
			numbers = append(numbers, number)
			w.ok(w.s.AddLabels(ctx, w.li, number, []int64{many}))
			if i == 3 || i == 4 {
				w.ok(w.s.AddLabels(ctx, w.li, number, []int64{some}))
			}
		}
		w.ok(w.act(w.li, numbers[4], ticket.Cancel))
		w.ok(w.act(w.li, numbers[4], ticket.Delete))
		w.ok(w.s.DeleteLabel(ctx, w.li, unused))
		check("deleteLabel", "删除标签（不在任何工单上）", "Label deleted (was on no ticket)")
		w.ok(w.s.DeleteLabel(ctx, w.li, some))
		check("deleteLabel", "删除标签（已从 1 个工单移除："+numbers[3]+"）", "Label deleted (taken off 1 ticket: "+numbers[3]+")")
		w.ok(w.s.DeleteLabel(ctx, w.li, many))
		first := slices.Concat(numbers[:4], numbers[5:11])
		check("deleteLabel", "删除标签（已从 11 个工单移除："+strings.Join(first, "、")+" 等）", "Label deleted (taken off 11 tickets: "+strings.Join(first, ", ")+" and more)")
		// What was recorded before stays readable.
		w.ok(w.db.Update(ctx, func(tx *db.Tx) error {
			tx.Write(db.Any, "UPDATE events SET data = '{}' WHERE domain_id = ? AND kind IN ('label.delete', 'ticket.score')", w.li.Domain)
			return nil
		}))
		check("deleteLabel", "删除标签", "Label deleted")
		check("createScores", "评价工单", "Ticket rated")
	})
}
