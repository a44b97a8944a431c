package attachment

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"casemate/internal/blob"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// MaxTogether is how many files one download takes (semantics.md section 7).
const MaxTogether = 10

// Content is a file and its bytes; close it.
type Content struct {
	File
	*blob.Reader
	// Elsewhere is where the bytes are fetched instead, for a minute; the Reader is
	// nil then. Only Follow answers it, with an object store that is set up for it.
	Elsewhere string
}

// Named opens the names of files that were read in a transaction.
func (s *Service) Named(ctx context.Context, files []File) error { return s.names(ctx, files) }

// NamesFor are the names of those of some files that a customer may see, by
// their ids; of people whose data was erased there is none.
func (s *Service) NamesFor(ctx context.Context, who principal.Principal, ids []string) (map[string]string, error) {
	if who.Kind != principal.Customer || len(ids) == 0 {
		return nil, nil
	}
	var files []File
	err := s.db.View(ctx, func(tx *db.Tx) error {
		scope, err := sight{any: true}.scope(tx, who)
		if err != nil {
			return err
		}
		if files, err = find(tx, who.Domain, ids); err != nil {
			return err
		}
		files = slices.DeleteFunc(files, func(f File) bool { return !f.seenBy(who, scope, tx.Now) })
		return nil
	})
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, f := range files {
		p, err := s.keys.Person(ctx, f.Uploader)
		if errors.Is(err, seal.ErrErased) {
			continue
		}
		if err == nil {
			names[f.ID], err = p.Open(namePlace(f.ID), f.sealed)
		}
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}

// Open opens one file for a customer: the uploader until it is claimed, then
// everybody who may see its ticket; a group counts as in privilege.ScopeOf. It
// fails with ErrNone, ErrInfected and ErrUnscanned.
func (s *Service) Open(ctx context.Context, who principal.Principal, group, id string) (Content, error) {
	files, err := s.readable(ctx, who, sight{group: group}, []string{id})
	if err != nil {
		return Content{}, err
	}
	return s.content(ctx, files[0])
}

// readable finds files the caller may open, their names opened.
func (s *Service) readable(ctx context.Context, who principal.Principal, by sight, ids []string) (files []File, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		files, err = visible(tx, who, by, ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if err := s.mayOpen(f); err != nil {
			return nil, err
		}
	}
	return files, s.names(ctx, files)
}

func (s *Service) content(ctx context.Context, f File) (Content, error) {
	r, err := blob.NewReader(ctx, s.blobs, f.blob, f.Size)
	return Content{File: f, Reader: r}, err
}

// Modified is when the file came to be.
func (c Content) Modified() time.Time { return time.UnixMilli(c.Created) }

// Zip is a download of several files as one archive, written by the answered
// function. Equal names get numbers. Failures are those of Open, and
// OSM.01010001 for more than MaxTogether files.
func (s *Service) Zip(ctx context.Context, who principal.Principal, group string, ids []string) (func(w io.Writer) error, error) {
	if len(ids) > MaxTogether {
		return nil, errMost.In("accessory_id").With("max", MaxTogether)
	}
	slices.Sort(ids)
	files, err := s.readable(ctx, who, sight{group: group}, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	for _, f := range files { // what is missing must show before the first byte
		if _, err := s.blobs.Stat(ctx, f.blob); err != nil {
			return nil, err
		}
	}
	return func(w io.Writer) error {
		z := zip.NewWriter(w)
		names := distinct(files)
		for i, f := range files {
			// Stored, not deflated: most types are compressed already.
			into, err := z.CreateHeader(&zip.FileHeader{Name: names[i], Method: zip.Store, Modified: time.UnixMilli(f.Created)})
			if err != nil {
				return err
			}
			from, err := s.blobs.Open(ctx, f.blob, 0, -1)
			if err != nil {
				return err
			}
			_, err = io.Copy(into, from)
			if err := errors.Join(err, from.Close()); err != nil {
				return err
			}
		}
		return z.Close()
	}, nil
}

// OpenFor opens a file of a ticket for the desk; the caller must have checked
// that who may see the ticket. Failures as of Open.
func (s *Service) OpenFor(ctx context.Context, who principal.Principal, domain, ticket, id string) (Content, error) {
	if who.Kind != principal.Engineer && who.Kind != principal.Local && who.Kind != principal.System {
		return Content{}, fault.NoPermission
	}
	var files []File
	err := s.db.View(ctx, func(tx *db.Tx) (err error) { files, err = find(tx, domain, []string{id}); return err })
	if err != nil {
		return Content{}, err
	}
	if len(files) == 0 || files[0].Ticket != ticket {
		return Content{}, ErrNone.In("attachment_id")
	}
	if err := s.mayOpen(files[0]); err != nil {
		return Content{}, err
	}
	if err := s.names(ctx, files); err != nil {
		return Content{}, err
	}
	return s.content(ctx, files[0])
}
