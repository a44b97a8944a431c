package ticket_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/principal"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
)

// exported runs an export to its end.
func (w *world) exported(who principal.Principal, f ticket.ExportFilter) (numbers []string, pages int, err error) {
	w.t.Helper()
	e, err := w.s.Export(w.t.Context(), who, f)
	if err != nil {
		return nil, 0, err
	}
	for {
		page, err := e.Next(w.t.Context())
		if err != nil || len(page) == 0 {
			return numbers, pages, err
		}
		pages++
		for _, t := range page {
			if t.Domain != who.Domain {
				w.t.Errorf("%s of another domain", t.Number)
			}
			numbers = append(numbers, t.Number)
		}
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		w.unlimited()
		ctx := w.t.Context()
		var all []string
		for i := range 12 {
			who := w.li
			if i%3 == 0 {
				who = w.wang
			}
			w.clock.Add(time.Minute)
			all = append(all, w.create(who, fmt.Sprintf("disk number%d full", i)))
		}
		theirs := w.create(w.foreign, "disk of others")
		gone := all[11]
		w.ok(w.act(w.li, gone, ticket.Cancel))
		w.ok(w.act(w.li, gone, ticket.Delete))
		all = all[:11]
		slices.Reverse(all) // newest first
		for _, tt := range []struct {
			name string
			f    ticket.ExportFilter
			want []string
		}{
			{"all", ticket.ExportFilter{All: true}, all},
			{"all behind three", ticket.ExportFilter{All: true, Filter: ticket.Filter{Offset: 3}}, all[3:]},
			{"a page", ticket.ExportFilter{Filter: ticket.Filter{Offset: 2, Limit: 4}}, all[2:6]},
			{"limit 0 is ten", ticket.ExportFilter{}, all[:10]},
			{"behind the end", ticket.ExportFilter{All: true, Filter: ticket.Filter{Offset: 65535}}, nil},
			{"by user", ticket.ExportFilter{All: true, Filter: ticket.Filter{Creator: w.wang.User}}, []string{all[1], all[4], all[7], all[10]}},
			{"by name", ticket.ExportFilter{All: true, Filter: ticket.Filter{CreatorName: "wan"}}, []string{all[1], all[4], all[7], all[10]}},
			{"by word", ticket.ExportFilter{All: true, Filter: ticket.Filter{Words: []string{"number7 disk"}}}, []string{all[3]}},
			{"by numbers, one deleted, one foreign, one unknown", ticket.ExportFilter{All: true, Filter: ticket.Filter{Numbers: []string{all[9], gone, theirs, "TS1", all[2]}}}, []string{all[2], all[9]}},
			{"foreign user", ticket.ExportFilter{All: true, Filter: ticket.Filter{Creator: w.foreign.User}}, nil},
			{"deleted", ticket.ExportFilter{All: true, Filter: ticket.Filter{Statuses: []ticket.Status{ticket.Deleted}}}, nil},
			{"nothing", ticket.ExportFilter{All: true, Nothing: true}, nil},
		} {
			got, _, err := w.exported(w.boss, tt.f)
			if err != nil || !slices.Equal(got, tt.want) {
				w.t.Errorf("%s: %v %v, want %v", tt.name, got, err, tt.want)
			}
		}
		// The other customer gets his own, whatever he names.
		got, _, err := w.exported(w.foreign, ticket.ExportFilter{All: true, Filter: ticket.Filter{Numbers: append([]string{theirs}, all...)}})
		if err != nil || !slices.Equal(got, []string{theirs}) {
			w.t.Errorf("foreign: %v %v", got, err)
		}
		// Who has no right gets nothing, and nothing is recorded.
		before := w.count("SELECT count(*) FROM events WHERE domain_id = ? AND kind = 'ticket.export'", w.li.Domain)
		_, _, err = w.exported(w.li, ticket.ExportFilter{All: true})
		w.refused(err, "01010002")
		_, _, err = w.exported(w.chen, ticket.ExportFilter{All: true})
		w.refused(err, "01010011")
		_, _, err = w.exported(w.boss, ticket.ExportFilter{Filter: ticket.Filter{Statuses: []ticket.Status{7}}})
		w.refused(err, "01010001")
		if after := w.count("SELECT count(*) FROM events WHERE domain_id = ? AND kind = 'ticket.export'", w.li.Domain); after != before {
			w.t.Error("a refused export was recorded")
		}
		// Code 84: of the domain always, of the ticket when it alone is named.
		_, _, err = w.exported(w.boss, ticket.ExportFilter{All: true, Format: "csv", Filter: ticket.Filter{Numbers: []string{all[0]}, Words: []string{"disk"}}})
		w.ok(err)
		if got := w.logged(all[0]); fmt.Sprint(got) != "[84 0]" {
			w.t.Errorf("log %v", got)
		}
		if got := w.logged(all[1]); fmt.Sprint(got) != "[0]" {
			w.t.Errorf("log %v", got)
		}
		var rows []event.Row
		w.ok(w.db.View(ctx, func(tx *db.Tx) (err error) {
			rows, _, err = event.OfSubject(tx, w.boss.Domain, "domain", w.boss.Domain, true, true, 0, 100)
			return err
		}))
		if n := slices.IndexFunc(rows, func(r event.Row) bool { return r.Kind == "ticket.export" }); n < 0 || rows[n].LogCode != 84 || rows[n].Actor != w.boss.User {
			w.t.Errorf("%+v", rows)
		}
		for _, r := range rows {
			if strings.Contains(string(r.Data), "disk") {
				w.t.Errorf("an event holds a search word: %s", r.Data)
			}
		}
	})
}

// TestExportPages: more than a page, tickets made and deleted meanwhile, and a
// right that ends in the middle.
func TestExportPages(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		w.unlimited()
		const n = 1203
		tickettest.Generate(w.t, w.db, w.li, w.problem, n, 100)
		got, pages, err := w.exported(w.boss, ticket.ExportFilter{All: true})
		if err != nil || len(got) != n || pages != 3 || len(slices.Compact(slices.Sorted(slices.Values(got)))) != n {
			w.t.Errorf("%d tickets on %d pages: %v", len(got), pages, err)
		}
		e, err := w.s.Export(ctx, w.boss, ticket.ExportFilter{All: true})
		w.ok(err)
		first, err := e.Next(ctx)
		w.ok(err)
		w.create(w.li, "made meanwhile")
		w.ok(w.act(w.li, got[700], ticket.Cancel))
		w.ok(w.act(w.li, got[700], ticket.Delete))
		second, err := e.Next(ctx)
		w.ok(err)
		third, err := e.Next(ctx)
		w.ok(err)
		if len(first) != 500 || len(second) != 500 || len(third) != n-1001 {
			w.t.Errorf("%d, %d, %d", len(first), len(second), len(third))
		}
		if end, err := e.Next(ctx); err != nil || len(end) > 0 {
			w.t.Errorf("behind the end: %d %v", len(end), err)
		}
		if page, err := e.Next(ctx); err != nil || len(page) > 0 {
			w.t.Errorf("behind the end again: %d %v", len(page), err)
		}
	})
}
