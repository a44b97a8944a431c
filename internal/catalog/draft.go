package catalog

import (
	"context"
	"errors"

	"casemate/internal/db"
	"casemate/internal/principal"
)

// Draft is a set of files that was checked and compared with what is in force,
// for a transaction that puts more in force than the catalogue.
type Draft struct {
	p    prepared
	next *Catalog
}

// Draft checks files as Plan does and fails like it.
func (s *Service) Draft(ctx context.Context, who principal.Principal, files map[string][]byte) (*Draft, error) {
	p, err := s.prepare(ctx, who, files)
	if err != nil {
		return nil, err
	}
	rows := append([]entry{}, p.wanted...)
	wanted := map[name]bool{}
	for _, e := range p.wanted {
		wanted[name{e.kind, e.id}] = true
	}
	for key, e := range p.stored {
		if !wanted[key] {
			e.retired = true
			rows = append(rows, e)
		}
	}
	next, err := build(p.diff.Version, rows, s.o.UnlimitedQuota)
	return &Draft{p, next}, err
}

// Diff is what ApplyIn would change.
func (d *Draft) Diff() Diff { return d.p.diff }

// Catalog is the catalogue as it would be, retired entries included.
func (d *Draft) Catalog() *Catalog { return d.next }

// ApplyIn puts the files in force in the caller's transaction, unless another
// version is in force by now (kind Conflict). Call Refresh after the commit.
func (d *Draft) ApplyIn(tx *db.Tx, who principal.Principal) (Diff, error) {
	return d.p.apply(tx, who, AnyVersion)
}

// Refresh makes this node use what was committed; others follow within a second.
func (s *Service) Refresh(ctx context.Context) error { return s.reload(ctx) }

// FilesIn are the files last applied, the shipped ones when there are none.
func FilesIn(tx *db.Tx) (map[string][]byte, error) {
	files, err := storedFiles(tx)
	if err == nil && len(files) == 0 {
		files = Default()
	}
	return files, err
}

// Fixed is a service that knows one catalogue and has no store: what judges by
// "the catalogue in force" judges by that one.
func Fixed(c *Catalog) *Service {
	s := &Service{}
	s.now.Store(c)
	return s
}

// FieldChanges are the fields in which two JSON objects differ.
func FieldChanges(before, after string) []FieldChange { return fieldChanges(before, after) }

// Mistakes are what is wrong with the files that an error of Plan, Apply or
// Draft is about; ok is false for other errors.
func Mistakes(err error) (all []Mistake, ok bool) {
	b := (*Broken)(nil)
	if !errors.As(err, &b) {
		return nil, false
	}
	return b.Mistakes, true
}
