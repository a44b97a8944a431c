package diagnose

import (
	"context"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// maySee lets in who works on tickets, engineers, supervisors, administrators,
// and auditors, who read.
func maySee(who principal.Principal) error {
	switch {
	case who.Kind == principal.Local, who.Kind == principal.System:
		return nil
	case who.Works(), who.Audits():
		return nil
	}
	return fault.NoPermission
}

// DeskFilter of the engineers' list.
type DeskFilter struct {
	Domain string // mandatory
	Before string // id to go on behind, "" = from the newest
	Limit  int    // 1..100, 0 = 50
}

// Desk is a page of a customer's diagnoses, newest first, and whether more
// follow. For the house; it fails with identity.ErrNoDomain.
func (s *Service) Desk(ctx context.Context, who principal.Principal, f DeskFilter) (page []Job, more bool, err error) {
	if err := maySee(who); err != nil {
		return nil, false, err
	}
	if f.Limit == 0 {
		f.Limit = 50
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if err := customers(tx, f.Domain); err != nil {
			return err
		}
		page, err = jobs(tx, "SELECT "+columns+" FROM diagnoses WHERE domain_id = ? AND (? = '' OR id < ?) ORDER BY id DESC LIMIT ?", f.Domain, f.Before, f.Before, f.Limit+1)
		return err
	})
	if more = len(page) > f.Limit; more {
		page = page[:f.Limit]
	}
	return page, more, err
}

// DeskShow reads a customer's diagnosis with its checks and what its user said
// of it. For the house; it fails with identity.ErrNoDomain or OSM.01010001 naming
// job_id.
func (s *Service) DeskShow(ctx context.Context, who principal.Principal, domain string, n int32) (j Job, ratings []Rating, err error) {
	if err := maySee(who); err != nil {
		return j, nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if err := customers(tx, domain); err != nil {
			return err
		}
		if j, err = scan(tx.Get("SELECT "+columns+" FROM diagnoses WHERE domain_id = ? AND number = ?", domain, n)); err != nil {
			return err
		}
		if j.Checks, err = checksOf(tx, domain, j.ID); err != nil {
			return err
		}
		ratings, err = ratingsOf(tx, domain, j.ID)
		return err
	})
	return j, ratings, err
}
