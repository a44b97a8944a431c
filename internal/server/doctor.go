package server

import (
	"context"
	"errors"

	"casemate/internal/fault"
	"casemate/internal/locale"
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
	for _, check := range []func() ([]ticket.Finding, error){
		func() ([]ticket.Finding, error) { return s.ticket.Doctor(ctx, fix) },
		func() ([]ticket.Finding, error) { return s.queue.DoctorArticles(ctx) }, // people mend these
		func() ([]ticket.Finding, error) { return s.brokenTemplates(ctx) },
		func() (all []ticket.Finding, err error) {
			more, err := s.report.Check(ctx, fix)
			for _, f := range more {
				all = append(all, ticket.Finding{What: f.What, Domain: f.Domain, Name: f.Name, Have: f.Have, Want: f.Want})
			}
			return all, err
		},
	} {
		if err == nil {
			var more []ticket.Finding
			more, err = check()
			found = append(found, more...)
		}
	}
	return found, errors.Join(err, s.Close())
}

// brokenTemplates are the catalogue's templates that refer to articles which
// their readers cannot open.
func (s *Server) brokenTemplates(ctx context.Context) (found []ticket.Finding, err error) {
	now := s.catalog.Now()
	for _, p := range now.ProblemTypes() {
		for _, t := range now.Templates(p.ID) {
			for _, l := range []struct{ field, text string }{{"content.zh", t.Content.ZH}, {"content.en", t.Content.EN}} {
				bad := s.knowledge.CheckText(ctx, l.field, l.text)
				if f, ok := fault.As(bad); ok && f.Kind == fault.Invalid {
					found = append(found, ticket.Finding{What: "article", Name: "template " + t.ID, Have: locale.Text(locale.EN, f), Want: "an article its readers can open"})
				} else {
					err = errors.Join(err, bad)
				}
			}
		}
	}
	return found, err
}
