package ticket_test

import (
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/personal"
	"casemate/internal/ticket"
)

// TestRedactContact: a contact goes out of the texts of a ticket and nothing else
// does, where letters change their length with their case, too.
func TestRedactContact(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		const contact = "kim@outside.example"
		number := w.create(w.boss, "Ⱥ first\nWrite to Kim@Outside.example soon")
		texts := map[string]string{
			"see\n" + strings.Repeat("Ⱥ", 40) + contact + " end":       "see\n" + strings.Repeat("Ⱥ", 40) + "*** end",
			"see\n" + strings.Repeat("İ", 40) + contact + "İ":          "see\n" + strings.Repeat("İ", 40) + "***İ",
			"see\n\u212aim@outside.example, KIM@OUTSIDE.EXAMPLE":       "see\n***, ***", // the Kelvin sign
			"see\nⱯ " + contact + contact + " \u212a":                  "see\nⱯ ****** \u212a",
			"[邮件 / mail: Ⱥ <KIM@outside.example>]\n\nhis words":        personal.Erased,
			"see\nkim@outsideXexample " + strings.Repeat("ȺİK", 10):    "see\nkim@outsideXexample " + strings.Repeat("ȺİK", 10),
			"see\n" + contact[:len(contact)-1] + "İ is another's name": "see\n" + contact[:len(contact)-1] + "İ is another's name",
		}
		for from := range texts {
			w.ok(w.s.Reply(w.t.Context(), w.boss, number, "", from))
		}
		show, err := w.s.DeskShow(w.t.Context(), w.chen, number)
		w.ok(err)
		for range 2 { // again changes nothing
			w.ok(w.s.RedactContact(w.t.Context(), w.boss.Domain, show.ID, contact))
			for from, to := range texts {
				var n int
				w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
					return tx.Get("SELECT count(*) FROM messages WHERE domain_id = ? AND text = ?", w.boss.Domain, to).Scan(&n)
				}))
				if n != 1 {
					w.t.Errorf("%q does not read %q", from, to)
				}
			}
		}
		show, err = w.s.DeskShow(w.t.Context(), w.chen, number)
		w.ok(err)
		if show.Description != "Ⱥ first\nWrite to *** soon" {
			w.t.Errorf("description: %q", show.Description)
		}
		w.ok(w.s.RedactContact(w.t.Context(), w.boss.Domain, "nothing", contact))
		if found, err := w.s.Doctor(w.t.Context(), false); err != nil || len(found) > 0 {
			w.t.Errorf("doctor: %v %v", found, err)
		}
	})
}
