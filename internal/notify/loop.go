package notify

import (
	"strings"
	"time"

	"casemate/internal/db"
)

// loopLimits are how many mails one address gets about one ticket, and how many
// of one address are taken (threats.md D11): two machines that answer each other
// come to an end. Longer windows come later.
var loopLimits = []struct {
	within time.Duration
	most   int
}{{10 * time.Minute, 10}, {30 * time.Minute, 15}, {time.Hour, 25}, {3 * time.Hour, 50}, {10 * time.Hour, 100}}

// LoopSight is what Looping needs to know: the times of the last most mails
// within this time.
func LoopSight() (within time.Duration, most int) {
	l := loopLimits[len(loopLimits)-1]
	return l.within, l.most
}

// Looping tells whether one mail more at now would be one too many after those
// at these times, the newest first, milliseconds UTC (threats.md D11: 10 in ten
// minutes, 15 in 30, 25 in an hour, 50 in three, 100 in ten).
func Looping(at []int64, now int64) bool {
	for _, l := range loopLimits {
		if len(at) >= l.most && at[l.most-1] > now-l.within.Milliseconds() {
			return true
		}
	}
	return false
}

// ofTicket tells templates of notices from codes and tests.
func ofTicket(template string) bool {
	return strings.HasPrefix(template, "ticket.") || strings.HasPrefix(template, "desk.") || strings.HasPrefix(template, "mail.")
}

// guardLoop lets a message pass and remembers it, or says why not. Only what
// passed counts, so that an address is free again when the window has moved on.
// It is asked once for each message; attempts do not count.
func guardLoop(tx *db.Tx, m stored) (cause string, err error) {
	within, most := LoopSight()
	tx.Lock(m.domain, "notify.loop."+m.ref) // two nodes may deliver to one address
	var passed []int64
	err = tx.List(func(r db.Row) error {
		var at int64
		err := r.Scan(&at)
		passed = append(passed, at)
		return err
	}, "SELECT passed_at FROM notify_messages WHERE domain_id = ? AND ref = ? AND recipient_hash = ? AND passed_at > ? ORDER BY passed_at DESC LIMIT ?",
		m.domain, m.ref, m.hash, tx.Now-within.Milliseconds(), most)
	if err != nil {
		return "", err
	}
	if Looping(passed, tx.Now) {
		return "loop", nil
	}
	tx.Write(1, "UPDATE notify_messages SET passed_at = ? WHERE domain_id = ? AND id = ?", tx.Now, m.domain, m.id)
	return "", nil
}
