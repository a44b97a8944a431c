package event

import "casemate/internal/db"

// Since is what happened to a subject behind one of its revisions, oldest
// first, at most limit; sealed or not.
func Since(tx *db.Tx, domain, subject, id string, revision int64, limit int) ([]Row, error) {
	return list(tx, "SELECT "+columns+` FROM events WHERE domain_id = ? AND subject = ? AND subject_id = ? AND revision > ? AND log_code >= ?
		ORDER BY revision, id LIMIT ?`, domain, subject, id, revision, NoLog, limit)
}
