package report_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/report"
	"casemate/internal/sheet"
	"casemate/internal/ticket"
)

// TestFigures counts a few lives by hand.
func TestFigures(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		ctx := w.t.Context()
		a := w.Create(w.Li, "first") // answered after two hours, solved after five, closed after six, rated
		w.later(2 * time.Hour)
		w.OK(w.Step(w.Chen, a, ticket.StepReply, "hello"))
		w.later(time.Hour)
		w.OK(w.Tickets.Reply(ctx, w.Li, a, "", "more"))
		w.later(time.Hour)
		w.OK(w.Step(w.Emma, a, ticket.StepReply, "so"))
		w.later(time.Hour)
		w.OK(w.Step(w.Chen, a, ticket.StepResolve, "solved"))
		w.later(time.Hour)
		w.OK(w.Act(w.Li, a, ticket.Close))
		w.OK(w.Tickets.Rate(ctx, w.Li, a, "", "good", []ticket.Score{{Dimension: 1, Points: 4}}))
		b := w.Create(w.Li, "second") // invalid, and not after all
		done, err := w.Tickets.Take(ctx, w.Emma, ticket.Step{Number: b, Action: ticket.StepInvalid, Text: "no ticket"})
		w.OK(err)
		w.later(time.Minute)
		_, err = w.Tickets.Undo(ctx, w.boss, b, done.Revision)
		w.OK(err)
		box, err := w.Ident.CreateDomain(ctx, principal.AsSystem(principal.House), identity.NewDomain{Name: "box", Sandbox: true})
		w.OK(err)
		w.Create(principal.Principal{Kind: principal.Customer, Domain: box.ID, User: "someone", Main: true, Sandbox: true}, "of a sandbox")
		other := w.Create(w.Foreign, "of another")
		w.follow()

		r := w.figures(w.boss, report.Query{Name: "flow"})
		if f := one(t, r, "created", ""); f.Count != 3 {
			t.Errorf("created %+v", f)
		}
		if f := one(t, r, "finished", "3"); f.Count != 1 || f.Sum != (6*time.Hour).Milliseconds() || f.P50 != (6*time.Hour).Milliseconds() {
			t.Errorf("finished %+v", f)
		}
		if one(t, r, "finished", "12").Count != 1 || one(t, r, "reopened", "").Count != 1 {
			t.Errorf("reopened: %+v", r.Figures)
		}
		r = w.figures(w.boss, report.Query{Name: "first_answer", By: "engineer"})
		if f := one(t, r, "first_answer", ""); f.Count != 1 || f.Sum != (2*time.Hour).Milliseconds() || f.Group != w.Chen.User || f.GroupName != "chen" || f.Met+f.Missed != 1 {
			t.Errorf("first answer %+v", f)
		}
		r = w.figures(w.boss, report.Query{Name: "next_answer", By: "engineer"})
		if f := one(t, r, "next_answer", ""); f.Count != 1 || f.Sum != time.Hour.Milliseconds() || f.Group != w.Emma.User {
			t.Errorf("next answer %+v", f)
		}
		if f := one(t, w.figures(w.boss, report.Query{Name: "resolution"}), "resolution", ""); f.Count != 1 || f.Sum != (5*time.Hour).Milliseconds() {
			t.Errorf("resolution %+v", f)
		}
		r = w.figures(w.boss, report.Query{Name: "scores"})
		if f := one(t, r, "score", "1"); f.Count != 1 || f.Sum != 4 || one(t, r, "rated", "").Count != 1 || one(t, r, "comment", "").Count != 1 {
			t.Errorf("scores %+v", r.Figures)
		}
		r = w.figures(w.boss, report.Query{Name: "open", By: "domain"})
		if len(r.Figures) != 2 {
			t.Errorf("open %+v", r.Figures)
		}
		r = w.figures(w.boss, report.Query{Name: "load", By: "engineer"})
		answers := map[string]int64{}
		for _, f := range r.Figures {
			answers[f.GroupName+" "+f.Measure] = f.Count
		}
		if answers["chen answer"] != 2 || answers["emma answer"] != 1 || answers["chen capacity"] != 20 || answers["emma open"] != 0 {
			t.Errorf("load %v", answers)
		}

		// An engineer sees his own, partners' people nothing, a customer his domain's.
		if f := one(t, w.figures(w.Emma, report.Query{Name: "next_answer"}), "next_answer", ""); f.Count != 1 {
			t.Errorf("own %+v", f)
		}
		if r := w.figures(w.Emma, report.Query{Name: "first_answer"}); len(r.Figures) != 0 {
			t.Errorf("an engineer sees a colleague's %+v", r.Figures)
		}
		partners := w.Chen
		partners.Partner = "p"
		_, err = w.r.Figures(ctx, partners, report.Query{Name: "flow", Locale: in("GMT+8")})
		w.Refused(err, ".01010002")
		_, err = w.r.Figures(ctx, w.Boss, report.Query{Name: "flow", Locale: in("GMT+8")})
		w.Refused(err, ".01010002")
		_, err = w.r.Own(ctx, w.Li, report.Query{Name: "flow", Locale: in("GMT+8")})
		w.Refused(err, ".01010002")
		_, err = w.r.Own(ctx, w.Boss, report.Query{Name: "load", Locale: in("GMT+8")})
		w.Refused(err, ".01010001")
		for who, want := range map[*principal.Principal]int64{&w.Boss: 2, &w.Foreign: 1} {
			r, err := w.r.Own(ctx, *who, report.Query{Name: "flow", Locale: in("GMT+8")})
			w.OK(err)
			if f := one(t, r, "created", ""); f.Count != want {
				t.Errorf("a customer's own: %+v", f)
			}
		}

		// The list behind a figure, a page of one at a time.
		var got []string
		for cursor := ""; ; {
			page, next, err := w.r.Tickets(ctx, w.boss, report.ListQuery{Query: report.Query{Name: "flow", Locale: in("GMT+8")}, Measure: "created", Limit: 1, Cursor: cursor})
			w.OK(err)
			for _, l := range page {
				got = append(got, l.Number)
				if l.Headline == "" {
					t.Errorf("%s has no headline", l.Number)
				}
			}
			if cursor = next; next == "" {
				break
			}
		}
		if !slices.Equal(got, []string{a, b, other}) {
			t.Errorf("listed %v", got)
		}
		for _, cursor := range []string{"x", "1~2", "1~a~b~c", "01~a~b~1"} {
			_, _, err := w.r.Tickets(ctx, w.boss, report.ListQuery{Query: report.Query{Name: "flow", Locale: in("GMT+8")}, Measure: "created", Cursor: cursor})
			w.Refused(err, ".01010001")
		}
		_, _, err = w.r.Tickets(ctx, w.boss, report.ListQuery{Query: report.Query{Name: "load", Locale: in("GMT+8")}, Measure: "capacity"})
		w.Refused(err, ".01010001")
	})
}

// TestRefused: what is no query is refused by name.
func TestRefused(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		for field, q := range map[string]report.Query{
			"name":     {Name: "nothing"},
			"every":    {Name: "flow", Every: "hour"},
			"by":       {Name: "flow", By: "provider"},
			"provider": {Name: "flow", Filter: map[string]string{"provider": "x"}},
			"from":     {Name: "flow", From: "2026-02-30"},
			"to":       {Name: "flow", To: "yesterday"},
		} {
			q.Locale = in("GMT+8")
			_, err := w.r.Figures(w.t.Context(), w.boss, q)
			if f, ok := fault.As(err); !ok || f.Field != field || f.Code != fault.CodeInvalid {
				t.Errorf("%s: %v", field, err)
			}
		}
		for name, bad := range map[string]bool{"flow": false, "deliveries": true} { // 93 days are the most of what was sent
			_, err := w.r.Figures(w.t.Context(), w.boss, report.Query{Name: name, From: "2025-01-01", To: "2025-04-04", Locale: in("GMT+8")})
			if (err != nil) != bad {
				t.Errorf("%s over 94 days: %v", name, err)
			}
		}
		_, err := w.r.Figures(w.t.Context(), w.boss, report.Query{Name: "deliveries", From: "2025-01-01", To: "2025-04-03", Locale: in("GMT+8")})
		w.OK(err)
		_, err = w.r.Figures(w.t.Context(), w.boss, report.Query{Name: "flow", From: "2020-01-01", To: "2025-12-31", Locale: in("GMT+8")})
		w.Refused(err, ".01010001")
		_, err = w.r.Figures(w.t.Context(), w.boss, report.Query{Name: "flow", From: "2025-01-02", To: "2025-01-01", Locale: in("GMT+8")})
		w.Refused(err, ".01010001")
	})
}

// days of a season in which several zones change their clocks.
func (w *world) season() (numbers []string) {
	random := rand.New(rand.NewPCG(7, 7))
	w.Unlimited()
	for range 18 { // two days each
		for range 2 {
			w.later(time.Duration(random.IntN(1200)) * time.Minute)
			who := []principal.Principal{w.Li, w.Wang, w.Foreign}[random.IntN(3)]
			numbers = append(numbers, w.Create(who, "x"))
		}
		for range 6 {
			n := numbers[max(0, len(numbers)-1-random.IntN(6))]
			w.later(time.Duration(random.IntN(60)) * time.Minute)
			engineer := []principal.Principal{w.Chen, w.Emma}[random.IntN(2)]
			action := []string{ticket.StepReply, ticket.StepReply, ticket.StepAsk, ticket.StepResolve, ticket.StepInvalid}[random.IntN(5)]
			if err := w.Step(engineer, n, action, "text"); err != nil {
				if _, ok := fault.As(err); !ok {
					w.t.Fatal(err)
				}
			}
		}
		w.later(1200 * time.Minute)
	}
	return numbers
}

// queries are asked before and after days were added up.
func queries(from, to string) (all []report.Query) {
	for _, name := range report.Names() {
		for _, by := range []string{"", "engineer", "domain"} {
			for every, zones := range map[string][]string{"": {"GMT+8"}, "day": {"GMT+8", "Europe/Berlin"}, "month": {"Europe/Berlin"}, "week": {"GMT+8"}} {
				for _, zone := range zones {
					all = append(all, report.Query{Name: name, From: from, To: to, By: by, Every: every, Locale: in(zone)})
				}
			}
		}
	}
	return all
}

// TestDays: reports say the same whether their days are added up or not, also
// when a past day changes; and a tampered fact or day is found and mended.
func TestDays(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		ctx := w.t.Context()
		began := w.Clock.Now()
		numbers := w.season()
		w.follow()
		from, to := began.Add(-time.Hour).Format(time.RFC3339), w.Clock.Now().Add(time.Hour).Format(time.RFC3339)
		ask := func() map[string][]report.Figure {
			out := map[string][]report.Figure{}
			for _, q := range queries(from, to) {
				r, err := w.r.Figures(ctx, w.boss, q)
				if _, ok := fault.As(err); ok {
					continue // this report is not asked so
				}
				w.OK(err)
				out[fmt.Sprint(q.Name, q.By, q.Every, q.Locale.Zone)] = r.Figures
			}
			q := report.Query{Name: "flow", From: from, To: to, Every: "day", Filter: map[string]string{"domain": w.Foreign.Domain}, Locale: in("GMT+8")}
			out["of one"] = w.figures(w.boss, q).Figures
			return out
		}
		same := func(what string, a, b map[string][]report.Figure) {
			t.Helper()
			figures := 0
			for _, k := range slices.Sorted(maps.Keys(a)) {
				if figures += len(a[k]); strings.HasPrefix(k, "backlog") {
					continue // it goes by the time
				}
				if !reflect.DeepEqual(a[k], b[k]) {
					t.Errorf("%s: %s:\n%+v\nand\n%+v", what, k, a[k], b[k])
				}
			}
			if len(a) < 90 || figures < 800 {
				t.Errorf("%s: only %d reports with %d figures", what, len(a), figures)
			}
		}
		one := ask()
		w.OK(w.r.Build(ctx))
		held := w.count("SELECT count(*) FROM report_built WHERE to_at > 0")
		rows := w.count("SELECT count(*) FROM report_days")
		if held < 30 || rows < 500 {
			t.Fatalf("%d days hold with %d rows", held, rows)
		}
		same("added up", one, ask())

		// A fact that is not the events' shows that days are read, and doctor sees both.
		w.clean()
		w.OK(w.DB.Update(ctx, func(tx *db.Tx) error {
			tx.Write(db.Any, "UPDATE report_facts SET amount = amount + 1 /* all domains: a test */ WHERE measure = 'first_answer'")
			tx.Write(db.Any, "DELETE FROM report_facts /* all domains: a test */ WHERE measure = 'created' AND domain_id = ?", w.Foreign.Domain)
			tx.Write(db.Any, "UPDATE report_days SET n = n + 1 WHERE measure = 'finished' AND dim = ''")
			return nil
		}))
		found, err := w.r.Check(ctx, false)
		w.OK(err)
		if len(found) < 20 {
			t.Errorf("only %d findings", len(found))
		}
		_, err = w.r.Check(ctx, true)
		w.OK(err)
		w.clean()
		same("mended", one, ask())

		// What comes late takes its day out: an event as of a past day.
		i := slices.IndexFunc(numbers, func(n string) bool { return w.Status(n) == ticket.Invalid })
		if i < 0 {
			t.Fatal("no ticket was judged invalid")
		}
		late, err := w.Tickets.DeskShow(ctx, w.boss, numbers[i])
		w.OK(err)
		_, err = w.Tickets.Undo(ctx, w.boss, late.Number, late.Revision)
		w.OK(err)
		w.OK(w.DB.Update(ctx, func(tx *db.Tx) error {
			event.Record(tx, principal.AsSystem(late.Domain), event.Event{Domain: late.Domain, Kind: "sla.breached", Subject: "ticket", SubjectID: late.ID, Revision: 1, LogCode: event.NoLog, Data: map[string]any{"clock": "resolution"}})
			tx.Write(1, "UPDATE events SET at = ? WHERE domain_id = ? AND subject_id = ? AND kind = 'sla.breached'", late.Created, late.Domain, late.ID)
			return nil
		}))
		w.follow()
		if now := w.count("SELECT count(*) FROM report_built WHERE to_at > 0"); now >= held {
			t.Errorf("%d of %d days hold", now, held)
		}
		two := ask()
		w.OK(w.r.Build(ctx))
		same("again", two, ask())
		w.clean()
		w.t.Logf("REPORT reports: %d days added up into %d rows; figures equal with and without them", held, rows)
	})
}

func (w *world) clean() {
	w.t.Helper()
	found, err := w.r.Check(w.t.Context(), false)
	w.OK(err)
	for _, f := range found {
		w.t.Errorf("differs: %+v", f)
	}
}

func (w *world) count(sql string) (n int) {
	w.t.Helper()
	w.OK(w.DB.View(w.t.Context(), func(tx *db.Tx) error { return tx.Get(sql).Scan(&n) }))
	return n
}

// TestTable: a report as a table runs nothing in a spreadsheet program.
func TestTable(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		d, err := w.Ident.CreateDomain(w.t.Context(), principal.AsSystem(principal.House), identity.NewDomain{Name: "=1+1"})
		w.OK(err)
		u, err := w.Ident.CreateUser(w.t.Context(), principal.AsSystem(principal.House), identity.NewUser{Domain: d.ID, Name: "x", Password: "a-Password-1", Main: true, AreaCode: "86", Mail: "x@example.com"})
		w.OK(err)
		w.Create(principal.Principal{Kind: principal.Customer, Domain: d.ID, User: u.ID, Main: true}, "x")
		w.follow()
		for lang, heading := range map[locale.Language]string{locale.ZH: `"周期","分组"`, locale.EN: `"Period","Group"`} {
			l := in("GMT+8")
			l.Language = lang
			r := w.figures(w.boss, report.Query{Name: "flow", By: "domain", Every: "day", Locale: l})
			var b bytes.Buffer
			w.OK(r.Write(sheet.NewCSV(&b), l))
			if text := b.String(); !strings.HasPrefix(text, "\ufeff"+heading) || !strings.Contains(text, `"'=1+1"`) || strings.Contains(text, `"=1+1"`) {
				t.Errorf("%s: %s", lang, text)
			}
			b.Reset()
			w.OK(r.Write(sheet.NewXLSX(&b, t.TempDir(), "flow", report.Widths()), l))
			if b.Len() < 1000 {
				t.Errorf("a workbook of %d bytes", b.Len())
			}
		}
	})
}
