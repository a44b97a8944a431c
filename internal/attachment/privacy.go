package attachment

import (
	"context"
	"io"

	"casemate/internal/db"
	"casemate/internal/personal"
)

// Personal is what this package holds about people: their files.
func Personal() []personal.Rule {
	return []personal.Rule{
		{Kind: "files", Table: "attachments", Key: "domain_id, id", Where: "(domain_id = {domain} OR {domain} = 'house') AND uploader = {user} /* an engineer's files are with the customers */",
			Ticket: "ticket_id", Blob: "blob", Doc: "id", Shown: "id, name, ext, media, size, sha256, ticket_id, created_at", Row: "id", Owner: "uploader", Open: map[string]personal.Sealed{"name": personal.Person}},
		{Kind: "files", Table: "attachment_usage", Key: "domain_id, user_id, day", Where: "domain_id = {domain} AND user_id = {user}"},
	}
}

// Aged is what goes by its age: files of tickets that ended so long ago.
func Aged() []personal.Aged {
	return []personal.Aged{{Rule: personal.Rule{Kind: "attachments", Table: "attachments", Key: "domain_id, id",
		Where:  "ticket_id <> '' AND EXISTS (SELECT 1 FROM tickets AS t WHERE t.domain_id = attachments.domain_id AND t.id = attachments.ticket_id AND t.status IN (3, 4, 12, 13) AND t.status_at <= {before})",
		Ticket: "ticket_id", Blob: "blob", Doc: "id"}, Domain: "domain_id", Persons: []string{"uploader", "owner"}, At: "created_at"}}
}

// Bury plans the end of a blob whose row goes in the same transaction. At once:
// the next ClearNow removes the bytes, else a running backup has an hour.
func Bury(tx *db.Tx, blob string, atOnce bool) {
	at := tx.Now
	if atOnce {
		at -= graveAge.Milliseconds()
	}
	tx.Write(db.Any, "INSERT INTO blob_graves (blob, deleted_at) VALUES (?, ?) ON CONFLICT (blob) DO UPDATE SET deleted_at = excluded.deleted_at", blob, at)
}

// ClearNow removes the bytes of all files whose time in the grave is over.
func (s *Service) ClearNow(ctx context.Context) error {
	for n := cleanBatch; n == cleanBatch; {
		var err error
		if n, err = s.clearGraves(ctx); err != nil {
			return err
		}
	}
	return nil
}

// CopyTo writes a file's bytes, for the bundle of a person's data.
func (s *Service) CopyTo(ctx context.Context, blob string, to io.Writer) error {
	in, err := s.blobs.Open(ctx, blob, 0, -1)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, in)
	if closeErr := in.Close(); err == nil {
		err = closeErr
	}
	return err
}
