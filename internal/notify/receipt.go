package notify

import (
	"context"
	"errors"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Receipt is what a provider, or a mail server on the way, tells later about a
// message it took.
type Receipt struct {
	Provider, ProviderID string // the provider's name and its id of the message or of one part
	Message              string // instead of both: the message's own id
	Delivered            bool   // it arrived; else it did not, for good
	Recipient            bool   // it did not because the recipient does not exist: he is blocked for a while
	Delayed              bool   // neither: it is still being tried
	Detail               string // the provider's words

	listed bool // Detail holds words of the configuration only
}

// Receive records a receipt: the attempt gets it, and a message that was sent
// becomes delivered (of several parts, when all are), bounced when the
// recipient does not exist, or failed. Unknown and repeated receipts change
// nothing. Only Casemate itself calls it.
func (s *Service) Receive(ctx context.Context, who principal.Principal, in Receipt) error {
	if who.Kind != principal.System {
		return fault.NoPermission
	}
	_, err := s.receive(ctx, in)
	return err
}

// receipted is the attempt a receipt is about.
type receipted struct {
	stored
	attempt string
	parts   int
	said    string // by an earlier receipt
}

// receive is Receive; known tells whether any attempt has the id.
func (s *Service) receive(ctx context.Context, in Receipt) (known bool, err error) {
	return db.Do(ctx, s.db, func(tx *db.Tx) (bool, error) {
		r, err := findAttempt(tx, in)
		if errors.Is(err, db.ErrNone) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if r.said != "" && r.said != "delayed" {
			return true, nil // a final word stays: no delay, no second part, no repeat changes it
		}
		said, state, cause := "failed", "failed", in.Detail
		if !in.listed {
			cause = scrub(cause, "")
		}
		switch {
		case in.Delayed:
			said, state = "delayed", ""
		case in.Delivered:
			said, state, cause = "delivered", "delivered", ""
			if r.parts > 1 {
				left, err := partArrived(tx, r, in)
				if err != nil {
					return false, err
				}
				if left > 0 {
					return true, nil
				}
			}
		case in.Recipient:
			said, state = "bounced", "bounced"
		}
		tx.Write(db.Any, "UPDATE notify_attempts SET receipt = ?, receipt_at = ? WHERE domain_id = ? AND id = ? AND receipt IN ('', 'delayed')", said, tx.Now, r.domain, r.attempt)
		if state == "" {
			return true, nil
		}
		tx.Write(db.Any, "UPDATE notify_messages SET state = ?, cause = ?, changed_at = ? WHERE domain_id = ? AND id = ? AND state = 'sent'",
			state, cause, tx.Now, r.domain, r.id)
		if state == "bounced" {
			block(tx, r.hash, r.way, "bounced")
		}
		return true, nil
	})
}

// partArrived marks a part and tells how many are still missing. The message's
// row is locked before they are counted, so that of two parts that arrive
// together one sees the other.
func partArrived(tx *db.Tx, r receipted, in Receipt) (left int, err error) {
	tx.Write(db.Any, "UPDATE notify_messages SET changed_at = changed_at WHERE domain_id = ? AND id = ?", r.domain, r.id)
	tx.Write(db.Any, "UPDATE notify_parts SET delivered = 1 WHERE domain_id = ? AND attempt_id = ? AND provider_id = ?", r.domain, r.attempt, in.ProviderID)
	err = tx.Get("SELECT count(*) FROM notify_parts WHERE domain_id = ? AND attempt_id = ? AND delivered = 0", r.domain, r.attempt).Scan(&left)
	return left, err
}

// findAttempt is the newest attempt with the id, or db.ErrNone.
func findAttempt(tx *db.Tx, in Receipt) (r receipted, err error) {
	const head = "SELECT a.domain_id, a.id, a.message_id, a.parts, a.receipt, m.channel, m.recipient_hash FROM "
	scan := func(row db.Row) error {
		var way string
		err := row.Scan(&r.domain, &r.attempt, &r.id, &r.parts, &r.said, &way, &r.hash)
		r.way = Way(way)
		return err
	}
	if in.Message != "" {
		err = scan(tx.Get(head+`notify_messages /* all domains: a bounce knows the message only */ AS m JOIN notify_attempts AS a ON a.domain_id = m.domain_id AND a.message_id = m.id
			WHERE m.id = ? AND a.outcome IN ('ok', 'unknown') ORDER BY a.id DESC LIMIT 1`, in.Message))
		return r, err
	}
	if in.ProviderID == "" {
		return r, db.ErrNone
	}
	err = scan(tx.Get(head+`notify_attempts /* all domains: a provider knows its own id only */ AS a JOIN notify_messages AS m ON m.domain_id = a.domain_id AND m.id = a.message_id
		WHERE a.provider = ? AND a.provider_id = ? AND a.provider_id <> '' ORDER BY a.id DESC LIMIT 1`, in.Provider, in.ProviderID))
	if !errors.Is(err, db.ErrNone) {
		return r, err
	}
	err = scan(tx.Get(head+`notify_parts /* all domains: a provider knows its own id only */ AS p JOIN notify_attempts AS a ON a.domain_id = p.domain_id AND a.id = p.attempt_id
		JOIN notify_messages AS m ON m.domain_id = a.domain_id AND m.id = a.message_id
		WHERE p.provider = ? AND p.provider_id = ? ORDER BY a.id DESC LIMIT 1`, in.Provider, in.ProviderID))
	return r, err
}
