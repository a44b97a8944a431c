package attachment

import (
	"slices"

	"casemate/internal/db"
	"casemate/internal/principal"
)

// Keep lets files that are to go with a message later wait for it until then
// (milliseconds UTC on the transaction's clock), in the caller's transaction.
// They are those Claim would take, and still claimed by it alone. It fails as
// Claim does when one is not, or named twice.
func Keep(tx *db.Tx, who principal.Principal, c For, ids []string, until int64) error {
	if len(ids) == 0 {
		return nil
	}
	for i, id := range ids {
		if id == "" || len(id) > maxID || slices.Contains(ids[:i], id) {
			return errClaim.In(c.Field).With("id", id)
		}
	}
	files, err := find(tx, c.Domain, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		i := slices.IndexFunc(files, func(f File) bool { return f.ID == id })
		if i < 0 || !files[i].claimableBy(who, c, tx.Now) {
			return errClaim.In(c.Field).With("id", id)
		}
	}
	in, args := marks(ids)
	args = append([]any{until, c.Domain}, args...)
	args = append(args, until)
	tx.Write(db.Any, "UPDATE attachments SET expires_at = ? WHERE domain_id = ? AND message_id = '' AND id IN ("+in+") AND expires_at < ?", args...)
	return nil
}
