package attachment

import (
	"context"

	"casemate/internal/db"
	"casemate/internal/search"
)

// doc is by what the desk's search finds a file: its name, as hashes only. An
// unclaimed one leads nowhere; Claim gives it its ticket.
func (s *Service) doc(f File) search.Doc {
	d := search.Doc{Domain: f.Domain, Kind: search.KindFile, ID: f.ID, Secret: s.terms.Terms(f.Name)}
	if f.Internal {
		d.Kind = search.KindNoteFile
	}
	if f.Message != "" {
		d.Parent = f.Ticket
	}
	return d
}

// SearchFiles are the documents of files behind one of them, by domain and id,
// at most so many; at is the last one looked at. Files of withdrawn messages
// have none.
func (s *Service) SearchFiles(ctx context.Context, after [2]string, limit int) (docs []search.Doc, at [2]string, err error) {
	var files []File
	err = s.db.View(ctx, func(tx *db.Tx) error {
		files = nil
		return tx.List(func(r db.Row) error {
			f, err := scan(r)
			files = append(files, f)
			return err
		}, "SELECT "+columns+" FROM attachments /* all domains: building the index */ WHERE (domain_id, id) > (?, ?) ORDER BY domain_id, id LIMIT ?", after[0], after[1], limit)
	})
	if err == nil {
		err = s.names(ctx, files)
	}
	at = after
	if err != nil {
		return nil, at, err
	}
	gone, err := s.withdrawn(ctx, after, limit)
	for _, f := range files {
		at = [2]string{f.Domain, f.ID}
		if !gone[f.ID] {
			docs = append(docs, s.doc(f))
		}
	}
	return docs, at, err
}

// withdrawn are those of the files whose message was taken back.
func (s *Service) withdrawn(ctx context.Context, after [2]string, limit int) (gone map[string]bool, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		gone = map[string]bool{}
		return tx.List(func(r db.Row) error {
			var id string
			err := r.Scan(&id)
			gone[id] = true
			return err
		}, `SELECT f.id FROM (SELECT a.domain_id, a.id, a.message_id, a.hidden FROM attachments AS a /* all domains: building the index */ WHERE (a.domain_id, a.id) > (?, ?) ORDER BY a.domain_id, a.id LIMIT ?) AS f
			JOIN messages AS m ON m.domain_id = f.domain_id AND m.id = f.message_id WHERE f.hidden = 1 AND m.withdrawn_at > 0`, after[0], after[1], limit)
	})
	return gone, err
}

// FileDoc is the document of a file as it is now, in the caller's transaction,
// with terms made before: where a claim put it since. ok is false when it is
// gone.
func FileDoc(tx *db.Tx, d search.Doc) (now search.Doc, ok bool, err error) {
	files, err := find(tx, d.Domain, []string{d.ID})
	if err != nil || len(files) == 0 {
		return d, false, err
	}
	f := files[0]
	d.Kind, d.Parent = search.KindFile, ""
	if f.Internal {
		d.Kind = search.KindNoteFile
	}
	if f.Message != "" {
		d.Parent = f.Ticket
	}
	return d, true, nil
}
