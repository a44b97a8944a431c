package queue

import "casemate/internal/db"

// ForgetPerson removes what a person of the house has at the desk and nobody
// else uses: teams he is in, skills, settings, and views, macros and texts of his
// own. For people of the demo world, who are removed.
func ForgetPerson(tx *db.Tx, user string) error {
	tx.Write(db.Any, "DELETE FROM desk_team_members WHERE user_id = ?", user)
	tx.Write(db.Any, "UPDATE desk_teams SET lead = '', version = version + 1 WHERE lead = ?", user)
	tx.Write(db.Any, "DELETE FROM desk_engineers WHERE user_id = ?", user)
	tx.Write(db.Any, "DELETE FROM desk_settings WHERE user_id = ?", user)
	tx.Write(db.Any, "DELETE FROM desk_views WHERE owner = ? AND shared = 'private'", user)
	tx.Write(db.Any, "DELETE FROM macros WHERE owner = ?", user)
	tx.Write(db.Any, "DELETE FROM snippets WHERE owner = ?", user)
	return nil
}
