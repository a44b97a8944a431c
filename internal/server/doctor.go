package server

import (
	"context"
	"errors"

	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/seal"
	"casemate/internal/ticket"
)

// Doctor proves that counters and the search index of a store are equal to its
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
		for _, p := range s.catalog.Now().ProblemTypes() {
			for _, t := range s.catalog.Now().Templates(p.ID) {
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
	}
	return found, errors.Join(err, s.Close())
}
