package ticket_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// excluded are tables that tell what happened, not how things are, and those of
// counters, which are compared as sums.
var excluded = []string{"events", "event_heads", "ticket_changes", "message_moves", "ticket_counts", "ticket_deltas", "ticket_remarks", "jobs", "locks",
	"request_keys", "request_results"}

// running is what time alone changes of a ticket's clocks: how much is used, when
// that was looked at last, and what is due when: the time in which a ticket was
// over, until that was undone, does not count.
var running = regexp.MustCompile(`,?("at":|"used":|"due":|"alarm":|due_at=)\d+`)

// rows is everything the store knows of the domain's tickets, but revision and
// time of change of the tickets themselves: a line for each row of each table.
func (w *world) rows(domain string) (lines []string) {
	w.t.Helper()
	tables, err := db.DomainTables()
	w.ok(err)
	tables = append(tables, "desk_tickets")
	slices.Sort(tables)
	for _, table := range slices.Compact(tables) {
		if slices.Contains(excluded, table) {
			continue
		}
		columns := w.columns(table)
		err := w.db.View(w.t.Context(), func(tx *db.Tx) error {
			return tx.List(func(r db.Row) error {
				var line string
				err := r.Scan(&line)
				lines = append(lines, table+": "+running.ReplaceAllString(line, ""))
				return err
			}, "SELECT "+columns+" FROM "+table+" WHERE domain_id = ? /* all domains: test */", domain)
		})
		if err != nil {
			w.t.Fatalf("%s: %v", table, err)
		}
	}
	counts := map[string]int64{}
	w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
		return tx.List(func(r db.Row) error {
			var creator string
			var status, n int64
			err := r.Scan(&creator, &status, &n)
			if creator != "" {
				counts[fmt.Sprint(creator, " ", status)] += n
			}
			return err
		}, "SELECT creator, status, n FROM ticket_counts WHERE domain_id = ? UNION ALL SELECT creator, status, n FROM ticket_deltas WHERE domain_id = ?", domain, domain)
	}))
	for k, n := range counts {
		if n != 0 {
			lines = append(lines, fmt.Sprint("count: ", k, " = ", n))
		}
	}
	// Messages that tell of an undone operation are in no ticket.
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "messages: ") && strings.Contains(l, "ticket_id=|") })
	slices.Sort(lines)
	return lines
}

// columns is an expression of a table's columns, all as one text.
func (w *world) columns(table string) string {
	var out []string
	for _, n := range dbtest.Columns(w.t, w.db, table) {
		if (table == "tickets" || table == "desk_tickets") && (n == "changed_at" || n == "revision" || n == "sla" || n == "due_at" || n == "due_kind") || table == "search_docs" && n == "n" {
			continue
		}
		out = append(out, "'"+n+"=' || CAST("+n+" AS TEXT) || '|'")
	}
	if len(out) == 0 {
		w.t.Fatalf("%s has no columns", table)
	}
	return strings.Join(out, " || ")
}

func (w *world) same(what string, before, now []string) {
	w.t.Helper()
	for _, l := range before {
		if !slices.Contains(now, l) {
			w.t.Errorf("%s: gone: %s", what, l)
		}
	}
	for _, l := range now {
		if !slices.Contains(before, l) {
			w.t.Errorf("%s: new: %s", what, l)
		}
	}
}

// supervisor makes one.
func (w *world) supervisor() principal.Principal {
	return w.Engineer("ding", "主管", principal.RoleSupervisor)
}

func (w *world) revision(number string) int64 {
	w.t.Helper()
	t, err := w.s.DeskShow(w.t.Context(), w.chen, number)
	w.ok(err)
	return t.Revision
}

func (w *world) messages(number string) []ticket.Message {
	w.t.Helper()
	all, err := w.s.DeskMessages(w.t.Context(), w.chen, number)
	w.ok(err)
	return all
}

func (w *world) undo(who principal.Principal, number string, revision int64) error {
	w.t.Helper()
	_, err := w.s.Undo(w.t.Context(), who, number, revision)
	return err
}

// full makes a ticket with messages of all kinds, files, labels, copies.
func (w *world) full(who principal.Principal, text string) string {
	w.t.Helper()
	ctx := w.t.Context()
	w.clock.Add(time.Second)
	d := w.draft(text)
	d.Copies = &[]string{text + "@example.com"}
	file, err := w.files.Upload(ctx, who, attachment.Upload{Name: "a.txt", Origin: attachment.ForTicket, Body: strings.NewReader("of " + text)})
	w.ok(err)
	d.Attachments = []string{file}
	n, err := w.s.Create(ctx, who, d)
	w.ok(err)
	w.ok(w.step(w.chen, n, "accept", ""))
	w.clock.Add(time.Second)
	w.ok(w.step(w.chen, n, "ask", "which one of "+text))
	w.clock.Add(time.Second)
	answer, err := w.files.Upload(ctx, who, attachment.Upload{Name: "b.txt", Origin: attachment.ForMessage, Body: strings.NewReader("answer of " + text)})
	w.ok(err)
	w.ok(w.s.Reply(ctx, who, n, "", "the answer of "+text, answer))
	w.ok(w.step(w.chen, n, "note", "a note about "+text))
	w.clock.Add(time.Second)
	w.ok(w.s.Reply(ctx, who, n, "", "taken back "+text))
	all := w.messages(n)
	w.ok(w.s.Withdraw(ctx, who, n, all[len(all)-1].ID))
	label, err := w.s.CreateLabel(ctx, who, "label "+text, "#102030")
	w.ok(err)
	w.ok(w.s.AddLabels(ctx, who, n, []int64{label}))
	w.clock.Add(time.Second)
	return n
}

// TestMergeUndo: what a merge does, and that its undo leaves every row of every
// table as it was.
func TestMergeUndo(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		a, b := w.full(w.li, "alpha"), w.full(w.li, "beta")
		before := w.rows(w.li.Domain)
		saidA, saidB := len(w.messages(a)), len(w.messages(b))
		got, err := w.s.Merge(ctx, w.chen, ticket.Merge{Source: a, Into: b})
		w.ok(err)
		if got.Number != b || got.Status != ticket.Processing {
			w.t.Errorf("%+v", got)
		}
		all := w.messages(b)
		if len(all) != saidA+saidB+1 || len(w.messages(a)) != 1 {
			w.t.Errorf("%d messages, %d in the source", len(all), len(w.messages(a)))
		}
		openings, files, origins := 0, 0, 0
		for _, m := range all {
			if m.Opening {
				openings++
			}
			files += len(m.Files)
			if m.Origin == a {
				origins++
			} else if m.Origin != "" {
				w.t.Errorf("origin %q", m.Origin)
			}
		}
		if openings != 1 || files != 4 || origins != saidA || !all[0].Opening && all[0].Origin != a {
			w.t.Errorf("%d openings, %d files, %d moved", openings, files, origins)
		}
		// The customer's side.
		if w.stateOf(w.li, a) != ticket.Invalid {
			w.t.Error("the source is not invalid")
		}
		page, total, err := w.s.Messages(ctx, w.li, a, "", 0, 10)
		w.ok(err)
		if total != 1 || page[0].Side != ticket.SystemSide || !strings.Contains(page[0].Text, b) {
			w.t.Errorf("the source says %+v", page)
		}
		related, err := w.s.Relations(ctx, w.li, a)
		w.ok(err)
		if len(related) != 1 || related[0].Number != b {
			w.t.Errorf("related %+v", related)
		}
		log, _, err := w.s.Log(ctx, w.li, a, "", "en-us", 0, 10)
		w.ok(err)
		if log[0].Code != 16 || !strings.Contains(log[0].Remark, b) {
			w.t.Errorf("log %+v", log[0])
		}
		labels, err := w.s.TicketLabels(ctx, w.li, b)
		w.ok(err)
		if len(labels) != 2 {
			w.t.Errorf("labels %+v", labels)
		}
		show, err := w.s.DeskShow(ctx, w.chen, b)
		w.ok(err)
		contact, err := w.s.Contact(ctx, show.Ticket)
		w.ok(err)
		if !slices.Equal(contact.Copies, []string{"beta@example.com", "alpha@example.com"}) {
			w.t.Errorf("copies %v", contact.Copies)
		}
		// A file of the source is read through the target now.
		for _, f := range all[0].Files {
			if _, err := w.s.DeskFile(ctx, w.chen, b, f.ID); err != nil {
				w.t.Errorf("file: %v", err)
			}
		}
		if differ, err := w.s.Recount(ctx); err != nil || len(differ) > 0 {
			w.t.Errorf("counters %v %v", differ, err)
		}
		// What has not to do with it stands in no way: a reply, a note, a label.
		w.clock.Add(time.Minute)
		w.refused(w.undo(w.auditor, b, w.revision(b)), "01010002")
		w.ok(w.undo(w.emma, b, w.revision(b)))
		w.same("after the undo", before, w.rows(w.li.Domain))
		// And again from the other ticket, behind a reply.
		w.clock.Add(time.Minute)
		_, err = w.s.Merge(ctx, w.chen, ticket.Merge{Source: a, Into: b})
		w.ok(err)
		made := w.revision(a)
		w.ok(w.s.Reply(ctx, w.li, b, "", "one more"))
		w.ok(w.undo(w.chen, a, made))
		if n := len(w.messages(b)); n != saidB+1 {
			w.t.Errorf("%d messages in the target", n)
		}
		w.refused(w.undo(w.chen, a, made), "01010002")
		if differ, err := w.s.Recount(ctx); err != nil || len(differ) > 0 {
			w.t.Errorf("counters %v %v", differ, err)
		}
	})
}

// TestMergeRules: who may merge what.
func TestMergeRules(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		merge := func(who principal.Principal, a, b string) error {
			_, err := w.s.Merge(ctx, who, ticket.Merge{Source: a, Into: b})
			return err
		}
		a, b, c := w.create(w.li, "one"), w.create(w.li, "two"), w.create(w.wang, "of another submitter")
		far := w.create(w.foreign, "of another customer")
		ding := w.supervisor()
		for _, tt := range []struct {
			name string
			err  error
			code string
		}{
			{"itself", merge(w.chen, a, a), "01010001"},
			{"another submitter", merge(w.chen, a, c), "01010048"},
			{"another customer", merge(ding, a, far), "01010048"},
			{"none", merge(w.chen, a, "TS2601010000000000000"), "01010015"},
			{"a customer", merge(w.li, a, b), "01010002"},
			{"an auditor", merge(w.auditor, a, b), "01010002"},
		} {
			if tt.err == nil {
				w.t.Errorf("%s: merged", tt.name)
				continue
			}
			w.refused(tt.err, tt.code)
		}
		_, err := w.s.Merge(ctx, w.chen, ticket.Merge{Source: a, Into: b, Version: 7})
		w.refused(err, "01010002")
		_, err = w.s.Merge(ctx, w.chen, ticket.Merge{Source: a, Into: b, IntoVersion: 7})
		w.refused(err, "01010002")
		w.ok(merge(ding, c, a)) // wang's goes into li's
		if _, _, err := w.s.Show(ctx, w.wang, a, ""); err == nil {
			w.t.Error("wang sees li's ticket")
		}
		w.refused(merge(w.chen, c, b), "01010048")
		w.refused(merge(ding, c, b), "01010002") // invalid
		w.refused(w.undo(w.chen, c, w.revision(c)), "01010048")
		// A merge on top: the first cannot be undone before the second.
		first := w.revision(c)
		w.ok(merge(w.chen, a, b))
		w.refused(w.undo(ding, c, first), "01010002")
		second := w.revision(a)
		w.ok(w.undo(w.chen, a, second))
		w.ok(w.undo(ding, c, first))
		if n := len(w.messages(c)); n != 1 || w.status(c) != ticket.Submitted {
			w.t.Errorf("%d messages, state %d", n, w.status(c))
		}
		// The customer deleted the source meanwhile.
		w.ok(merge(w.chen, a, b))
		made := w.revision(b)
		w.ok(w.act(w.li, a, ticket.Delete))
		w.refused(w.undo(w.chen, b, made), "01010002")
	})
}

// TestSplitAndMove: messages with their files become a ticket, or go to another.
func TestSplitAndMove(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		a, b := w.full(w.li, "alpha"), w.full(w.li, "beta")
		before := w.rows(w.li.Domain)
		all := w.messages(a)
		var answer, note string
		for _, m := range all {
			if strings.HasPrefix(m.Text, "the answer") {
				answer = m.ID
			}
			if m.Internal {
				note = m.ID
			}
		}
		split := func(s ticket.Split) (ticket.Ticket, error) { s.Number = a; return w.s.Split(ctx, w.chen, s) }
		_, err := split(ticket.Split{})
		w.refused(err, "01010001")
		_, err = split(ticket.Split{Messages: []string{all[0].ID}}) // the description
		w.refused(err, "01010001")
		_, err = split(ticket.Split{Messages: []string{"01900000000000000000000000"}})
		w.refused(err, "01010001")
		_, err = split(ticket.Split{Messages: []string{answer}, Description: strings.Repeat("长", 1201)})
		w.refused(err, "01010001")
		_, err = split(ticket.Split{Messages: []string{answer}, Version: 99})
		w.refused(err, "01010002")
		many := make([]string, 101)
		for i := range many {
			many[i] = fmt.Sprint("m", i)
		}
		_, err = split(ticket.Split{Messages: many})
		w.refused(err, "01010001")
		got, err := split(ticket.Split{Messages: []string{note, answer}})
		w.ok(err)
		if got.Creator != w.li.User || got.Status != ticket.Processing || got.Assignee != w.chen.User || got.Description != "the answer of alpha" {
			w.t.Errorf("%+v", got)
		}
		said := w.messages(got.Number)
		if len(said) != 4 || !said[0].Opening || said[0].Side != ticket.CustomerSide || said[0].Author != w.li.User || said[1].ID != answer || len(said[1].Files) != 1 || said[1].Origin != a || !said[2].Internal {
			w.t.Errorf("%+v", said)
		}
		if n := len(w.messages(a)); n != len(all)-2+1 {
			w.t.Errorf("%d messages left", n)
		}
		show, _, err := w.s.Show(ctx, w.li, got.Number, "")
		w.ok(err)
		contact, err := w.s.Contact(ctx, show)
		w.ok(err)
		if !slices.Equal(contact.Copies, []string{"alpha@example.com"}) {
			w.t.Errorf("contact %+v", contact)
		}
		if related, err := w.s.Relations(ctx, w.li, a); err != nil || len(related) != 1 || related[0].Number != got.Number {
			w.t.Errorf("related %+v %v", related, err)
		}
		if found, _ := w.find(w.li, ticket.Filter{Words: []string{"answer alpha"}}); !slices.Contains(found, got.Number) {
			w.t.Errorf("the new ticket is not found: %v", found)
		}
		made := w.revision(a)
		w.ok(w.undo(w.chen, a, made))
		now := w.rows(w.li.Domain)
		// The new ticket stays, deleted, for the history; nothing else of it is left.
		now = slices.DeleteFunc(now, func(l string) bool { return strings.Contains(l, got.ID) && !strings.Contains(l, a) })
		before = slices.DeleteFunc(before, func(l string) bool { return strings.HasPrefix(l, "count: ") })
		now = slices.DeleteFunc(now, func(l string) bool { return strings.HasPrefix(l, "count: ") || strings.Contains(l, "doc="+said[0].ID) })
		w.same("after the split's undo", before, now)
		if w.status(got.Number) != ticket.Deleted {
			w.t.Error("the new ticket is still there")
		}
		// Moves.
		moved, err := w.s.MoveMessages(ctx, w.chen, ticket.Move{From: a, To: b, Messages: []string{answer}})
		w.ok(err)
		if moved.Number != b {
			w.t.Errorf("%+v", moved)
		}
		first := w.revision(b)
		back, err := w.s.MoveMessages(ctx, w.chen, ticket.Move{From: b, To: a, Messages: []string{answer}})
		w.ok(err)
		w.refused(w.undo(w.chen, b, first), "01010002") // it has been moved on
		w.ok(w.undo(w.chen, a, back.Revision))
		w.ok(w.undo(w.chen, b, first))
		now = w.rows(w.li.Domain)
		now = slices.DeleteFunc(now, func(l string) bool {
			return strings.HasPrefix(l, "count: ") || strings.Contains(l, "doc="+said[0].ID) || strings.Contains(l, got.ID) && !strings.Contains(l, a)
		})
		w.same("after the moves' undo", before, now)
		// A ticket split off that something happened to stays.
		again, err := split(ticket.Split{Messages: []string{answer}, Description: "its own"})
		w.ok(err)
		made = w.revision(again.Number)
		w.ok(w.s.Reply(ctx, w.li, again.Number, "", "yes"))
		w.refused(w.undo(w.chen, again.Number, made), "01010002")
		if differ, err := w.s.Recount(ctx); err != nil || len(differ) > 0 {
			w.t.Errorf("counters %v %v", differ, err)
		}
	})
}

// TestUndoSteps: steps of one ticket, what stands in the way, and what not.
func TestUndoSteps(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		n := w.create(w.li, "one")
		check := func(name string, status ticket.Status, assignee string) {
			w.t.Helper()
			got, err := w.s.DeskShow(ctx, w.chen, n)
			w.ok(err)
			if got.Status != status || got.Assignee != assignee {
				w.t.Errorf("%s: state %d, handler %q", name, got.Status, got.Assignee)
			}
		}
		w.ok(w.step(w.chen, n, "accept", ""))
		accepted := w.revision(n)
		w.ok(w.undo(w.chen, n, accepted))
		check("accept undone", ticket.Submitted, "")
		w.ok(w.step(w.chen, n, "accept", ""))
		_, err := w.s.Take(ctx, w.chen, ticket.Step{Number: n, Action: "assign", Assignee: "emma", Text: "please"})
		w.ok(err)
		assigned := w.revision(n)
		w.ok(w.step(w.emma, n, "pause", ""))
		paused := w.revision(n)
		w.ok(w.step(w.emma, n, "reply", "still here"))
		w.ok(w.s.Reply(ctx, w.li, n, "", "good"))
		w.ok(w.undo(w.emma, n, assigned)) // the pause changed no handler
		check("assign undone", ticket.Paused, w.chen.User)
		w.ok(w.step(w.chen, n, "resume", ""))
		w.refused(w.undo(w.chen, n, paused), "01010002")
		w.ok(w.undo(w.chen, n, w.revision(n)))
		w.ok(w.undo(w.chen, n, paused)) // the resume that stood in the way is undone itself
		check("pause undone", ticket.Processing, w.chen.User)
		w.ok(w.step(w.chen, n, "invalid", "spam"))
		w.ok(w.undo(w.chen, n, w.revision(n)))
		check("invalid undone", ticket.Processing, w.chen.User)
		w.refused(w.undo(w.chen, n, w.revision(n)), "01010002") // an undo
		w.refused(w.undo(w.chen, n, 999), "01010001")
		w.refused(w.undo(w.chen, n, 0), "01010001")
		w.refused(w.undo(w.chen, n, 1), "01010002") // creation
		w.refused(w.undo(w.chen, "TS2601010000000000000", 1), "01010015")
		w.refused(w.undo(w.li, n, paused), "01010002")
		// Nothing goes back to somebody who is shut out.
		gone := w.Engineer("gone", "Gone", principal.RoleEngineer)
		for _, to := range []string{"gone", "emma"} {
			_, err := w.s.Take(ctx, w.chen, ticket.Step{Number: n, Action: "assign", Assignee: to})
			w.ok(err)
		}
		last := w.revision(n)
		house := principal.AsSystem(principal.House)
		w.ok(w.ident.Disable(ctx, house, principal.House, gone.User, true))
		w.refused(w.undo(w.chen, n, last), "01010002")
		w.ok(w.ident.Disable(ctx, house, principal.House, gone.User, false))
		w.ok(w.undo(w.chen, n, last))
		w.ok(w.undo(w.chen, n, last-1))
		// Several at once, each with its result, in their order.
		w.ok(w.step(w.chen, n, "pause", ""))
		p := w.revision(n)
		w.ok(w.step(w.chen, n, "resume", ""))
		out, err := w.s.UndoMany(ctx, w.chen, []ticket.UndoItem{{n, p}, {n, p + 1}, {n, p}, {"TS2601010000000000000", 3}})
		w.ok(err)
		if out[0].Refusal == nil || out[1].Refusal != nil || out[2].Refusal != nil || out[3].Refusal == nil || out[2].Ticket.Status != ticket.Processing {
			w.t.Errorf("%+v", out)
		}
		if _, err := w.s.UndoMany(ctx, w.chen, nil); err == nil {
			w.t.Error("nothing to undo is no error")
		}
		if _, err := w.s.UndoMany(ctx, w.chen, make([]ticket.UndoItem, 101)); err == nil {
			w.t.Error("101 items")
		}
		// The history tells all of it.
		page, total, err := w.s.History(ctx, w.chen, n, 0, 0)
		w.ok(err)
		if total != len(page) || page[0].Kind != "ticket.undo" || page[0].Undoes != p || page[0].ActorName != "chen" || page[0].Undoable {
			w.t.Errorf("%d %+v", total, page[0])
		}
		for _, e := range page {
			switch {
			case e.Kind == "ticket.pause" && (e.UndoneBy == 0 || e.Undoable || e.Why == nil):
				w.t.Errorf("pause %+v", e)
			case e.Kind == "ticket.assign" && e.Revision == assigned && (e.Names[w.emma.User] != "emma" || *e.AssigneeFrom != w.chen.User):
				w.t.Errorf("assign %+v", e)
			case e.Kind == "ticket.create" && (e.Undoable || e.Side != ticket.CustomerSide || e.ActorName != "li"):
				w.t.Errorf("create %+v", e)
			}
		}
		if differ, err := w.s.Recount(ctx); err != nil || len(differ) > 0 {
			w.t.Errorf("counters %v %v", differ, err)
		}
	})
}

// TestUndoClock: a ticket that was to close by itself while it was merged does so
// a day behind the undo.
func TestUndoClock(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		a, b := w.create(w.li, "one"), w.create(w.li, "two")
		w.ok(w.step(w.chen, a, "accept", ""))
		w.ok(w.step(w.chen, a, "resolve", "done"))
		w.clock.Add(2 * 24 * time.Hour)
		w.work()
		_, err := w.s.Merge(w.t.Context(), w.chen, ticket.Merge{Source: a, Into: b})
		w.ok(err)
		made := w.revision(a)
		w.clock.Add(2 * 24 * time.Hour)
		w.work()
		w.ok(w.undo(w.chen, a, made))
		w.work()
		if w.status(a) != ticket.ToConfirm {
			w.t.Errorf("state %d", w.status(a))
		}
		w.clock.Add(25 * time.Hour)
		w.work()
		if w.status(a) != ticket.Completed {
			w.t.Errorf("a day later state %d", w.status(a))
		}
	})
}

// TestUndoPartner: a partner's people undo and read of what is theirs, and see
// the house's people by alias.
func TestUndoPartner(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		a, b := w.create(w.li, "one"), w.create(w.li, "two")
		w.ok(w.step(w.chen, a, "accept", ""))
		stranger := w.emma
		stranger.Partner = "p-other"
		for _, err := range []error{
			w.undo(stranger, a, 2),
			func() error { _, _, err := w.s.History(ctx, stranger, a, 0, 0); return err }(),
			func() error { _, err := w.s.AsOf(ctx, stranger, a, w.clock.Now().UnixMilli()); return err }(),
			func() error { _, err := w.s.Merge(ctx, stranger, ticket.Merge{Source: a, Into: b}); return err }(),
			func() error {
				_, err := w.s.Split(ctx, stranger, ticket.Split{Number: a, Messages: []string{"x"}})
				return err
			}(),
			func() error {
				_, err := w.s.MoveMessages(ctx, stranger, ticket.Move{From: a, To: b, Messages: []string{"x"}})
				return err
			}(),
		} {
			w.refused(err, "01010015")
		}
		if _, _, _, err := w.s.Desk(ctx, stranger, ticket.DeskFilter{AsOf: 1}); err == nil {
			w.t.Error("a partner's list of the past")
		}
	})
}
