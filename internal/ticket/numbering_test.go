package ticket_test

import (
	"os"
	"regexp"
	"testing"

	"casemate/internal/db"
	"casemate/internal/ticket"
)

// TestNumbering: the migration numbers messages that were written before they
// carried a revision: in their order, none beyond the ticket's, so that polls
// over them lose and repeat nothing.
func TestNumbering(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../db/migrations/00011_talk.sql")
	if err != nil {
		t.Fatal(err)
	}
	numbering := regexp.MustCompile(`(?s)UPDATE messages SET revision.*?;`).FindString(string(text))
	if numbering == "" {
		t.Fatal("no statement that numbers")
	}
	each(t, ticket.Options{}, func(w *world) {
		one, two := w.create(w.li, "one"), w.create(w.li, "two")
		for _, step := range []struct{ number, text string }{{one, "a"}, {two, "b"}, {one, "c"}, {one, "d"}} {
			w.ok(w.say(w.li, step.number, step.text))
			w.ok(w.step(w.chen, step.number, "note", "a note"))
		}
		w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error {
			tx.Write(db.Any, "UPDATE messages SET revision = 0 WHERE domain_id = ?", w.li.Domain)
			tx.Write(db.Any, numbering)
			return nil
		}))
		p := &poller{w: w, who: w.li, numbers: []string{one, two}}
		if n := p.poll(); n != 6 || p.got[one][3] != "d" {
			w.t.Errorf("%d messages: %q", n, p.got)
		}
		w.ok(w.say(w.li, one, "e"))
		w.ok(w.say(w.li, two, "f"))
		if n := p.poll(); n != 2 || p.got[one][4] != "e" {
			w.t.Errorf("%d messages more: %q", n, p.got)
		}
		w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
			var wrong int
			err := tx.Get(`SELECT count(*) FROM messages AS m JOIN tickets AS t ON t.domain_id = m.domain_id AND t.id = m.ticket_id
				WHERE m.domain_id = ? AND (m.revision < 1 OR m.revision > t.revision)`, w.li.Domain).Scan(&wrong)
			if wrong != 0 {
				w.t.Errorf("%d messages out of their ticket's revisions", wrong)
			}
			return err
		}))
	})
}
