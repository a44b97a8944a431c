package notify

import (
	"strings"
	"time"

	"casemate/internal/db"
)

// loopLimits are how many mails one address gets about one ticket (threats.md
// D11): two machines that answer each other come to an end.
var loopLimits = []struct {
	within time.Duration
	most   int
}{{10 * time.Minute, 10}, {30 * time.Minute, 15}, {time.Hour, 25}, {3 * time.Hour, 50}, {10 * time.Hour, 100}}

// ofTicket tells templates of notices from codes and tests.
func ofTicket(template string) bool {
	return strings.HasPrefix(template, "ticket.") || strings.HasPrefix(template, "desk.") || strings.HasPrefix(template, "mail.")
}

// guardLoop lets a message pass and remembers it, or says why not. Only what
// passed counts, so that an address is free again when the window has moved on.
// It is asked once for each message; attempts do not count.
func guardLoop(tx *db.Tx, m stored) (cause string, err error) {
	longest := loopLimits[len(loopLimits)-1]
	tx.Lock(m.domain, "notify.loop."+m.ref) // two nodes may deliver to one address
	var passed []int64
	err = tx.List(func(r db.Row) error {
		var at int64
		err := r.Scan(&at)
		passed = append(passed, at)
		return err
	}, "SELECT passed_at FROM notify_messages WHERE domain_id = ? AND ref = ? AND recipient_hash = ? AND passed_at > ? ORDER BY passed_at DESC LIMIT ?",
		m.domain, m.ref, m.hash, tx.Now-longest.within.Milliseconds(), longest.most)
	if err != nil {
		return "", err
	}
	for _, l := range loopLimits {
		if len(passed) >= l.most && passed[l.most-1] > tx.Now-l.within.Milliseconds() {
			return "loop", nil
		}
	}
	tx.Write(1, "UPDATE notify_messages SET passed_at = ? WHERE domain_id = ? AND id = ?", tx.Now, m.domain, m.id)
	return "", nil
}
