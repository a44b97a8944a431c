package webhook

import (
	"encoding/json"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/principal"
)

// What follows is for configuration as code (package setup), in a transaction
// that spans several nouns. Who may do so is checked there. Secrets are never
// told: a webhook keeps the one it has, a new one gets one that Rotate replaces
// by one that is shown.

// MaxHooks is how many webhooks there can be.
const MaxHooks = maxHooks

// HooksIn reads all webhooks, by id.
func HooksIn(tx *db.Tx) (all []Hook, err error) {
	err = tx.List(func(r db.Row) error {
		h, err := scan(r)
		all = append(all, h)
		return err
	}, "SELECT "+columns+" FROM webhooks ORDER BY id")
	return all, err
}

// Check judges a webhook by itself; its domain is looked up by others.
func (s *Service) Check(h Hook) error { return s.check(h.URL, h.About, h.Kinds) }

// SealSecret makes a secret for a new webhook and seals it; outside any
// transaction.
func (s *Service) SealSecret(id string) (string, error) {
	return s.keys.Seal(place(id, "secret"), []byte(s.newSecret()))
}

func stateOf(off bool) string {
	if off {
		return "off"
	}
	return "on"
}

// CreateIn adds a webhook with its sealed secret; it begins with what happens
// from now on.
func CreateIn(tx *db.Tx, who principal.Principal, h Hook, sealed string) error {
	kinds, err := json.Marshal(append([]string{}, h.Kinds...))
	if err != nil {
		return err
	}
	passed, err := event.Head(tx, h.Domain)
	if err != nil {
		return err
	}
	tx.Write(1, `INSERT INTO webhooks (id, url, about, only_domain, kinds, secret, old_secret, old_until, state, cause, passed, tries, failing_since, next_at, created_at, changed_at)
		VALUES (?, ?, ?, ?, ?, ?, '', 0, ?, '', ?, 0, 0, 0, ?, ?)`, h.ID, h.URL, h.About, h.Domain, string(kinds), sealed, stateOf(h.Off), passed, tx.Now, tx.Now)
	record(tx, who, "webhook.create", h.ID, map[string]any{"domain": h.Domain, "kinds": h.Kinds})
	return nil
}

// ChangeIn changes address, note, kinds and whether it is on. Switched, it
// forgets its failures.
func ChangeIn(tx *db.Tx, who principal.Principal, before, h Hook) error {
	kinds, err := json.Marshal(append([]string{}, h.Kinds...))
	if err != nil {
		return err
	}
	if before.Off != h.Off {
		before.Cause, before.Tries, before.FailingSince, before.NextAt = "", 0, 0, 0
	}
	tx.Write(1, "UPDATE webhooks SET url = ?, about = ?, kinds = ?, state = ?, cause = ?, tries = ?, failing_since = ?, next_at = ?, changed_at = ? WHERE id = ?",
		h.URL, h.About, string(kinds), stateOf(h.Off), before.Cause, before.Tries, before.FailingSince, before.NextAt, tx.Now, h.ID)
	record(tx, who, "webhook.update", h.ID, map[string]any{"off": h.Off, "kinds": h.Kinds})
	return nil
}

// DropIn removes a webhook with its log.
func DropIn(tx *db.Tx, who principal.Principal, id string) {
	tx.Write(1, "DELETE FROM webhooks WHERE id = ?", id)
	tx.Write(db.Any, "DELETE FROM webhook_deliveries WHERE webhook_id = ?", id)
	record(tx, who, "webhook.delete", id, nil)
}
