package server

import (
	"context"
	"errors"

	"casemate/internal/report"
	"casemate/internal/seal"
	"casemate/internal/ticket"
)

// Doctor proves that counters, the search index and the figures of a store are equal to its
// tables and tells where they are not. The store may be in use: what changes
// meanwhile may then be told as a difference. To mend, it must not be.
func Doctor(ctx context.Context, o Options, fix bool) (found []ticket.Finding, err error) {
	if err := o.exists(); err != nil {
		return nil, err
	}
	if fix {
		hold, err := seal.Claim(ctx, o.keysDir(), o.Database, true)
		if err != nil {
			return nil, o.claimed(err)
		}
		defer func() { err = errors.Join(err, hold.Release()) }()
	}
	s, err := openStore(ctx, o)
	if err != nil {
		return nil, err
	}
	found, err = s.ticket.Doctor(ctx, fix)
	if err == nil {
		var broken []ticket.Finding
		broken, err = s.queue.DoctorArticles(ctx) // people mend these
		found = append(found, broken...)
		var more []report.Finding
		more, err = s.report.Check(ctx, fix)
		for _, f := range more {
			found = append(found, ticket.Finding{What: f.What, Domain: f.Domain, Name: f.Name, Have: f.Have, Want: f.Want})
		}
	}
	return found, errors.Join(err, s.Close())
}
