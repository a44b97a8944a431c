package ticket_test

import (
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/ticket"
)

// asOlder leaves the index as the version before the desk's search did:
// customers' terms of tickets and messages only.
func (w *world) asOlder() {
	w.t.Helper()
	w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error {
		if w.db.Dialect() == db.SQLite {
			tx.Write(db.Any, "DELETE FROM search_index WHERE rowid IN (SELECT n FROM search_docs)")
		}
		tx.Write(db.Any, "DELETE FROM search_docs WHERE kind NOT IN ('ticket', 'message', 'note')")
		tx.Write(db.Any, "UPDATE search_docs SET desk = 0")
		if w.db.Dialect() == db.Postgres {
			tx.Write(db.Any, "UPDATE search_docs SET terms = ''")
		}
		return nil
	}))
}

// tasks writes what the migration does where there is something already.
func (w *world) tasks() {
	w.t.Helper()
	w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error {
		for _, name := range []string{"tickets", "messages", "judgements", "contacts", "files", "users", "domains"} {
			tx.Write(1, "INSERT INTO search_tasks (name, at_domain, at_id, done, total, finished_at) VALUES (?, '', '', 0, 30, 0)", name)
		}
		return nil
	}))
}

// fill makes some of everything that is in the index.
func (w *world) fill() (numbers []string) {
	w.t.Helper()
	w.unlimited()
	for range 45 { // more than one batch
		numbers = append(numbers, w.create(w.li, "磁盘 disk"))
	}
	n := numbers[0]
	w.ok(w.s.Reply(w.t.Context(), w.li, n, "", "zebra", w.upload(w.li, "unicorn.log")))
	w.ok(w.step(w.chen, n, "note", "gnu"))
	mail := "li@example.com"
	w.ok(w.s.ChangeContact(w.t.Context(), w.li, ticket.ContactChange{Number: n, Mail: &mail}))
	w.ok(w.step(w.chen, n, "reply", "done"))
	w.ok(w.s.Do(w.t.Context(), w.li, ticket.Act{Number: n, Action: "close", Judgement: "marvellous"}))
	return numbers
}

var everywhere = []string{"zebra disk", "unicorn", "gnu", "marvellous", "in:customer li@example.com disk zebra", "customer:云帆 zebra", "by:li gnu"}

// TestSearchUpgrade: what an older version left is indexed in the background,
// searches say how far it is, being cut off does no harm, and what is written
// meanwhile is found at once.
func TestSearchUpgrade(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		numbers := w.fill()
		w.asOlder()
		w.tasks()
		w.wantHits(w.chen, "disk")
		page, err := w.s.Search(ctx, w.chen, ticket.Search{Text: "disk"})
		w.ok(err)
		if page.Indexed != 0 || page.ToIndex != 210 {
			w.t.Errorf("indexed %d of %d", page.Indexed, page.ToIndex)
		}
		fresh := w.create(w.li, "a fresh disk")
		w.wantHits(w.chen, "disk", fresh)
		w.ok(w.s.Reindex(ctx))
		page, err = w.s.Search(ctx, w.chen, ticket.Search{Text: "disk"})
		w.ok(err)
		if page.ToIndex != 0 || page.Total != len(numbers)+1 {
			w.t.Errorf("behind the upgrade: %d found, %d to index", page.Total, page.ToIndex)
		}
		for _, q := range everywhere[:4] {
			w.wantHits(w.chen, q, numbers[0])
		}
		w.searchIndexRight()
		if got, total := w.find(w.li, ticket.Filter{Words: []string{"磁盘"}}); total != len(numbers) || len(got) == 0 {
			w.t.Errorf("the customer's own search finds %d", total)
		}
		w.ok(w.s.Reindex(ctx)) // nothing to do

		// A node of the older version goes on beside this one.
		w.ok(w.db.Update(ctx, func(tx *db.Tx) error {
			tx.Write(1, "UPDATE search_docs SET desk = 0 WHERE domain_id = ? AND kind = 'note'", w.li.Domain)
			tx.Write(db.Any, "UPDATE search_docs SET desk = 0 WHERE domain_id = ? AND kind = 'ticket'", w.li.Domain)
			return nil
		}))
		w.ok(w.s.Reindex(ctx))
		w.searchIndexRight()
	})
}

// TestDoctor: every way in which counters, labels, the desk's rows and the
// index can differ from the tables is found and mended.
func TestDoctor(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		n := w.fill()[0]
		label, err := w.s.CreateLabel(ctx, w.li, "x", "#ff0000")
		w.ok(err)
		w.ok(w.s.AddLabels(ctx, w.li, n, []int64{label}))
		sound := func() {
			w.t.Helper()
			w.searchIndexRight()
			if differ, err := w.s.Recount(ctx); err != nil || len(differ) > 0 {
				w.t.Errorf("recount: %v, %v", differ, err)
			}
		}
		sound()
		w.ok(w.s.Fold(ctx))
		sound()
		lite := w.db.Dialect() == db.SQLite
		for _, c := range []struct {
			name, what string
			damage     func(tx *db.Tx)
		}{
			{"a counter", "counter", func(tx *db.Tx) {
				tx.Write(db.Any, "UPDATE ticket_counts SET n = n + 2 WHERE domain_id = ? AND creator <> ''", w.li.Domain)
			}},
			{"a customer's sum", "counter", func(tx *db.Tx) {
				tx.Write(db.Any, "DELETE FROM ticket_counts WHERE domain_id = ? AND creator = ''", w.li.Domain)
			}},
			{"a delta", "counter", func(tx *db.Tx) {
				tx.Write(1, "INSERT INTO ticket_deltas (domain_id, id, creator, status, n) VALUES (?, 'x', ?, 3, 1)", w.li.Domain, w.li.User)
			}},
			{"a label's row", "label", func(tx *db.Tx) {
				tx.Write(1, "UPDATE ticket_labels SET status = 17 WHERE domain_id = ?", w.li.Domain)
			}},
			{"a label of no ticket", "label", func(tx *db.Tx) {
				tx.Write(1, "INSERT INTO ticket_labels (domain_id, ticket_id, label_id, creator, status) VALUES (?, 'gone', 1, 'x', 0)", w.li.Domain)
			}},
			{"the desk's row", "row", func(tx *db.Tx) {
				tx.Write(1, "UPDATE desk_tickets SET status = 0, assignee = 'x' WHERE number = ?", n)
			}},
			{"a document is missing", "index", func(tx *db.Tx) {
				tx.Write(1, "DELETE FROM search_docs WHERE domain_id = ? AND kind = 'note'", w.li.Domain)
			}},
			{"a parent", "index", func(tx *db.Tx) {
				tx.Write(1, "UPDATE search_docs SET parent = 'elsewhere' WHERE domain_id = ? AND kind = 'message' AND doc IN (SELECT id FROM messages WHERE domain_id = ? AND side = 0)", w.li.Domain, w.li.Domain)
			}},
			{"a kind", "index", func(tx *db.Tx) {
				tx.Write(1, "UPDATE search_docs SET kind = 'message' WHERE domain_id = ? AND kind = 'note'", w.li.Domain)
			}},
			{"a document of nothing", "index", func(tx *db.Tx) {
				terms, value := "", ""
				if !lite {
					terms, value = ", terms", ", ''"
				}
				tx.Write(1, "INSERT INTO search_docs (domain_id, doc, parent, kind, desk"+terms+") VALUES (?, 'gone', 'x', 'message', 1"+value+")", w.li.Domain)
			}},
			{"terms", "index", func(tx *db.Tx) {
				if lite {
					tx.Write(1, "UPDATE search_index SET terms = 'other', singles = 'words' WHERE rowid IN (SELECT n FROM search_docs WHERE domain_id = ? AND kind = 'note')", w.li.Domain)
				} else {
					tx.Write(1, "UPDATE search_docs SET terms = 'other words' WHERE domain_id = ? AND kind = 'note'", w.li.Domain)
				}
			}},
			{"withdrawn by hand", "index", func(tx *db.Tx) {
				tx.Write(1, "UPDATE messages SET text = '', withdrawn_at = 1 WHERE domain_id = ? AND side = 0 AND opening = 0", w.li.Domain)
			}},
		} {
			w.ok(w.db.Update(ctx, func(tx *db.Tx) error { c.damage(tx); return nil }))
			for _, fix := range []bool{false, true} {
				found, err := w.s.Doctor(ctx, fix)
				w.ok(err)
				if len(found) == 0 {
					w.t.Errorf("%s (fix %v) is not found", c.name, fix)
				}
				for _, d := range found {
					if d.What != c.what || !strings.Contains(d.String(), d.Have) {
						w.t.Errorf("%s: %s", c.name, d)
					}
				}
			}
			if found, err := w.s.Doctor(ctx, false); err != nil || len(found) > 0 {
				w.t.Fatalf("%s is not mended: %v %v", c.name, found, err)
			}
		}
		sound()
	})
}

// TestDoctorMoved: a merge, and what its undoing leaves (the lines that told of
// it stay in no ticket), are no differences; nor is the index built anew behind
// them.
func TestDoctorMoved(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		a, b := w.create(w.li, "apple"), w.create(w.li, "pear")
		w.ok(w.s.Reply(ctx, w.li, a, "", "zebra"))
		sound := func(when string) {
			t := w.t
			t.Helper()
			found, err := w.s.Doctor(ctx, false)
			w.ok(err)
			if len(found) > 0 {
				t.Errorf("%s: %+v", when, found)
			}
		}
		sound("before")
		merged, err := w.s.Merge(ctx, w.chen, ticket.Merge{Source: a, Into: b})
		w.ok(err)
		sound("merged")
		w.wantHits(w.chen, "zebra", b)
		_, err = w.s.Undo(ctx, w.chen, b, merged.Revision)
		w.ok(err)
		sound("undone")
		w.asOlder()
		w.tasks()
		w.ok(w.s.Reindex(ctx))
		sound("indexed anew")
		w.wantHits(w.chen, "zebra", a)
	})
}
