package notify

import "casemate/internal/db"

// ForgetPerson removes what a person of the house wants to be told, and what
// waits for his digest.
func ForgetPerson(tx *db.Tx, user string) error {
	tx.Write(db.Any, "DELETE FROM notify_preferences WHERE user_id = ?", user)
	tx.Write(db.Any, "DELETE FROM notify_digests WHERE user_id = ?", user)
	return nil
}
