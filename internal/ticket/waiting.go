package ticket

import (
	"slices"

	"casemate/internal/db"
)

// Messages that go from ticket to ticket take with them that somebody waits for
// an answer. Where an unanswered message comes to, the customer is heard at that
// instant; where the last one went away from, nobody waits any more. The events
// say so (heard, quiet), because the clocks go by the events alone.

// waiting are the messages of the customer's in a ticket that nobody answered,
// by their ids.
type waiting map[string]bool

// waitingIn finds them. Messages are in the order in which they came to the
// ticket: an answer is to what was there when it was given, or came with it from
// the same ticket. With the id of an operation they are as they will be once it
// is undone.
func waitingIn(tx *db.Tx, t Ticket, op string) (waiting, error) {
	type spoken struct {
		id       string
		side     Side
		revision int64
		native   bool
		gone     bool
	}
	var all []spoken
	err := tx.List(func(r db.Row) error {
		var m spoken
		var side, withdrawn, at int64
		var origin string
		err := r.Scan(&m.id, &side, &m.revision, &at, &origin, &withdrawn)
		m.side, m.native, m.gone = Side(side), origin == "" || origin == t.ID, withdrawn > 0
		all = append(all, m)
		return err
	}, `SELECT id, side, revision, created_at, origin, withdrawn_at FROM messages WHERE domain_id = ? AND ticket_id = ? AND internal = 0
			AND id NOT IN (SELECT v.message_id FROM message_moves AS v WHERE v.domain_id = ? AND v.op = ?)
		UNION ALL SELECT m.id, m.side, v.from_revision, v.created_before, v.origin, m.withdrawn_at
			FROM message_moves AS v JOIN messages AS m ON m.domain_id = v.domain_id AND m.id = v.message_id
			WHERE v.domain_id = ? AND v.op = ? AND v.from_ticket = ? AND m.internal = 0
		ORDER BY 3, 4, 1`, t.Domain, t.ID, t.Domain, op, t.Domain, op, t.ID)
	w := waiting{}
	answered := false  // by somebody here
	along := int64(-1) // the revision with which an answer came from elsewhere
	for _, m := range slices.Backward(all) {
		switch {
		case m.side == SystemSide:
		case m.side == CustomerSide:
			if !answered && m.revision != along && !m.gone {
				w[m.id] = true
			}
		case m.native:
			answered = true
		default:
			along = m.revision
		}
	}
	return w, err
}

// goes tells whether some messages take an unanswered one with them, and
// whether none is left then.
func (w waiting) goes(said []Message) (heard, quiet bool) {
	left := len(w)
	for _, m := range said {
		if w[m.ID] {
			left--
		}
	}
	return left < len(w), left < len(w) && left == 0
}

// forClocks adds to the data of an event what its change is for the clocks.
func forClocks(t Ticket, data map[string]any) map[string]any {
	if t.heard {
		data["heard"] = true
	}
	if t.quiet {
		data["quiet"] = true
	}
	return data
}
