package server

import (
	"context"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/desk"
	"casemate/internal/event"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/mailin"
	"casemate/internal/principal"
	"casemate/internal/verify"
)

// deskHost is what the desk's surface gets from the composition root: figures
// over all nouns, and the feed.
func (s *Server) deskHost() desk.Host {
	return desk.Host{
		Version: s.o.Version, Database: s.db.Dialect().String(), Demo: s.o.Demo, Now: s.o.Now, SetUp: s.ident.SetUp,
		Events: func(ctx context.Context, domain string, after int64, limit int) (rows []event.Row, err error) {
			err = s.db.View(ctx, func(tx *db.Tx) error {
				if rows, err = event.After(tx, domain, after, limit); err != nil {
					return err
				}
				return event.Open(tx, rows)
			})
			return rows, err
		},
		Counts: s.counts,
		Reset:  s.resetSandbox,
	}
}

// resetSandbox empties a sandbox. What nouns keep outside the tables of domains
// is named here.
func (s *Server) resetSandbox(ctx context.Context, who principal.Principal, domain string) (identity.Domain, error) {
	return s.ident.Reset(ctx, who, domain, attachment.Forget, verify.Forget, mailin.Forget)
}

func (s *Server) counts(ctx context.Context) (n desk.Counts, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		for _, c := range []struct {
			sql  string
			into *int64
		}{
			{"SELECT count(*) FROM domains WHERE id <> 'house'", &n.Domains},
			{"SELECT count(*) FROM users /* all domains: the system's figures */", &n.Users},
			{"SELECT count(*) FROM tickets /* all domains: the system's figures */", &n.Tickets},
			{"SELECT count(*) FROM notify_messages /* all domains: the system's figures */ WHERE state IN ('queued', 'sending')", &n.DeliveriesWaiting},
		} {
			if err := tx.Get(c.sql).Scan(c.into); err != nil {
				return err
			}
		}
		waiting, _, err := job.Waiting(tx)
		if err != nil {
			return err
		}
		n.JobsWaiting = int64(waiting)
		n.LastEvent, err = event.Head(tx, "")
		return err
	})
	return n, err
}
