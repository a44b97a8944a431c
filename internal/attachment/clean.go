package attachment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"casemate/internal/blob"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/job"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// How long bytes stay that no row names.
const (
	graveAge    = time.Hour      // of deleted files: a backup that began before must find them
	orphanAge   = 24 * time.Hour // of uploads that were cut off (threats.md E12)
	orphanEvery = 6              // runs of Clean: the whole store is listed
	cleanBatch  = 200
)

// Periodic is the housekeeping, for the runner.
func (s *Service) Periodic() []job.Periodic {
	return []job.Periodic{{Name: "attachments", Every: s.o.Config.CleanEvery, Run: func(ctx context.Context) error {
		s.cleaned++
		if err := s.Clean(ctx); err != nil || s.cleaned%orphanEvery != 1 {
			return err
		}
		_, err := s.Orphans(ctx)
		return err
	}}}
}

// Clean removes files that nobody claimed in time, the bytes of files deleted
// an hour ago, what cut-off writes left, and counts of days gone by.
func (s *Service) Clean(ctx context.Context) error {
	for n := cleanBatch; n == cleanBatch; {
		var err error
		if n, err = s.expire(ctx); err != nil {
			return fmt.Errorf("expired attachments: %w", err)
		}
	}
	for n := cleanBatch; n == cleanBatch; {
		var err error
		if n, err = s.clearGraves(ctx); err != nil {
			return fmt.Errorf("deleted attachments: %w", err)
		}
	}
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "DELETE FROM attachment_usage /* all domains: purge */ WHERE day > 0 AND day < ?", dayOf(tx.Now)-1)
		return nil
	})
	return errors.Join(err, s.blobs.Sweep(ctx, s.db.Now().Add(-orphanAge)))
}

func (s *Service) expire(ctx context.Context) (n int, err error) {
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		var gone []File
		// The outer condition is held against the row as it is when it goes: one
		// that is claimed at this moment stays.
		err := tx.List(func(r db.Row) error {
			f, err := scan(r)
			gone = append(gone, f)
			return err
		}, "DELETE FROM attachments /* all domains: expiry */ WHERE expires_at > 0 AND expires_at <= ? AND (domain_id, id) IN "+
			"(SELECT a.domain_id, a.id FROM attachments AS a WHERE a.expires_at > 0 AND a.expires_at <= ? ORDER BY a.expires_at LIMIT ?) RETURNING "+columns, tx.Now, tx.Now, cleanBatch)
		ids := map[string][]string{} // by domain
		for _, f := range gone {
			ids[f.Domain] = append(ids[f.Domain], f.ID)
		}
		for domain, some := range ids {
			search.Remove(tx, domain, some...)
		}
		for _, f := range gone {
			bury(tx, f)
			event.Record(tx, principal.AsSystem(f.Domain), event.Event{Domain: f.Domain, Kind: "attachment.expire", Subject: "attachment", SubjectID: f.ID, LogCode: event.NoLog})
		}
		n = len(gone)
		return err
	})
	return n, err
}

func (s *Service) clearGraves(ctx context.Context) (int, error) {
	var ids []string
	err := s.db.View(ctx, func(tx *db.Tx) error {
		ids = nil
		return tx.List(func(r db.Row) error {
			var id string
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		}, "SELECT blob FROM blob_graves WHERE deleted_at <= ? ORDER BY deleted_at LIMIT ?", tx.Now-graveAge.Milliseconds(), cleanBatch)
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	for _, id := range ids {
		if err := s.blobs.Delete(ctx, id); err != nil {
			return 0, err
		}
	}
	return len(ids), s.db.Update(ctx, func(tx *db.Tx) error {
		in, args := marks(ids)
		tx.Write(db.Any, "DELETE FROM blob_graves WHERE blob IN ("+in+")", args...)
		return nil
	})
}

// Forget plans the end of the blobs of all files of a sandbox, as their deletion
// would; the rows and the counts of bytes go with the tables of the domain.
func Forget(tx *db.Tx, domain string) error {
	tx.Write(db.Any, "INSERT INTO blob_graves (blob, deleted_at) SELECT blob, ? FROM attachments WHERE domain_id = ? ON CONFLICT DO NOTHING", tx.Now, domain)
	return nil
}

// Orphans removes blobs older than a day that no row names, and tells how many.
func (s *Service) Orphans(ctx context.Context) (int, error) {
	removed := 0
	var batch []string
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		known, err := s.known(ctx, batch)
		if err != nil {
			return err
		}
		for _, id := range batch {
			if known[id] {
				continue
			}
			if err := s.blobs.Delete(ctx, id); err != nil {
				return err
			}
			removed++
		}
		batch = nil
		return nil
	}
	before := s.db.Now().Add(-orphanAge)
	err := s.blobs.List(ctx, func(i blob.Info) error {
		if i.Stored.After(before) {
			return nil
		}
		if batch = append(batch, i.ID); len(batch) < cleanBatch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if removed > 0 {
		s.o.Log.InfoContext(ctx, "blobs without a row were removed", "count", removed)
	}
	return removed, err
}

func (s *Service) known(ctx context.Context, ids []string) (map[string]bool, error) {
	known := map[string]bool{}
	err := s.db.View(ctx, func(tx *db.Tx) error {
		in, args := marks(ids)
		each := func(r db.Row) error {
			var id string
			err := r.Scan(&id)
			known[id] = true
			return err
		}
		if err := tx.List(each, "SELECT blob FROM attachments /* all domains: orphans */ WHERE blob IN ("+in+")", args...); err != nil {
			return err
		}
		return tx.List(each, "SELECT blob FROM blob_graves WHERE blob IN ("+in+")", args...)
	})
	return known, err
}

// Stored is a blob that a row needs.
type Stored struct {
	Blob, SHA256 string
	Size         int64
}

// Blobs calls each for the blob of every row, for backups and their check.
func (s *Service) Blobs(ctx context.Context, each func(Stored) error) error {
	return EachBlob(ctx, s.db, each)
}

// EachBlob is Blobs of a store without its service, such as a copy.
func EachBlob(ctx context.Context, d *db.DB, each func(Stored) error) error {
	const page = 500
	domain, id := "", ""
	for {
		var all []Stored
		err := d.View(ctx, func(tx *db.Tx) error {
			all = nil
			return tx.List(func(r db.Row) error {
				var b Stored
				err := r.Scan(&domain, &id, &b.Blob, &b.SHA256, &b.Size)
				all = append(all, b)
				return err
			}, "SELECT domain_id, id, blob, sha256, size FROM attachments /* all domains: backup */ WHERE (domain_id, id) > (?, ?) ORDER BY domain_id, id LIMIT ?", domain, id, page)
		})
		if err != nil {
			return err
		}
		for _, b := range all {
			if err := each(b); err != nil {
				return err
			}
		}
		if len(all) < page {
			return nil
		}
	}
}

// Verify proves that the bytes of every row are there, with their size and
// hash, and tells how many were looked at.
func (s *Service) Verify(ctx context.Context) (n int64, err error) {
	return VerifyBlobs(ctx, s.db, s.blobs)
}

// VerifyBlobs is Verify of a store without its service.
func VerifyBlobs(ctx context.Context, d *db.DB, blobs blob.Store) (n int64, err error) {
	err = EachBlob(ctx, d, func(b Stored) error {
		n++
		in, err := blobs.Open(ctx, b.Blob, 0, -1)
		if err != nil {
			return fmt.Errorf("attachment's blob %s: %w", b.Blob, err)
		}
		h := sha256.New()
		size, err := io.Copy(h, in)
		if err := errors.Join(err, in.Close()); err != nil {
			return fmt.Errorf("attachment's blob %s: %w", b.Blob, err)
		}
		if size != b.Size || hex.EncodeToString(h.Sum(nil)) != b.SHA256 {
			return fmt.Errorf("attachment's blob %s is damaged: %d bytes, want %d, or another hash", b.Blob, size, b.Size)
		}
		return nil
	})
	return n, err
}
