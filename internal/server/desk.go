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
	"casemate/internal/ticket"
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
				return event.OpenFor(tx, principal.From(ctx), rows)
			})
			return rows, err
		},
		Counts:             s.counts,
		Reset:              s.resetSandbox,
		AdministrationHost: desk.AdministrationHost{Audit: s.audit, DemoWorld: s.demoWorld, RemoveDemo: s.removeDemo, ExportsAudit: s.exportsAudit, Chain: s.chainState},
		SettingsHost:       desk.SettingsHost{Settings: s.settings, Storage: s.storage},
		BackupHost:         desk.BackupHost{StartBackup: s.startBackup, ListBackups: s.madeBackups},
	}
}

// chainState is how the event chain stands.
func (s *Server) chainState(ctx context.Context) (c event.State, err error) {
	key := s.keys.Derive("event-chain")
	err = s.db.View(ctx, func(tx *db.Tx) error { c, err = event.StateOf(tx, key); return err })
	return c, err
}

// exportsAudit records that somebody takes the audit along.
func (s *Server) exportsAudit(ctx context.Context, who principal.Principal, f desk.AuditFilter) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		event.Record(tx, who, event.Event{Kind: "audit.export", Subject: "audit", LogCode: event.NoLog,
			Data: map[string]any{"domain": f.Domain, "actor": f.Actor, "kind": f.Kind, "ticket": f.Ticket, "from": f.From, "to": f.To}})
		return nil
	})
}

// audit is a page of the sealed events of all domains. It fails with
// fault.NoTicket for a ticket that never was.
func (s *Server) audit(ctx context.Context, f desk.AuditFilter) (rows []event.Row, err error) {
	err = s.db.Survey(ctx, func(tx *db.Tx) error {
		q := f.Filter
		if f.Ticket != "" {
			var domain string
			if domain, q.SubjectID, err = ticket.IDOf(tx, f.Ticket); err != nil {
				return err
			}
			if q.Domain != "" && q.Domain != domain {
				rows = nil
				return nil
			}
			q.Domain, q.Subject = domain, "ticket"
		}
		if rows, err = event.Browse(tx, q); err != nil {
			return err
		}
		return event.OpenFor(tx, principal.From(ctx), rows)
	})
	return rows, err
}

// resetSandbox empties a sandbox. What nouns keep outside the tables of domains
// is named here.
func (s *Server) resetSandbox(ctx context.Context, who principal.Principal, domain string) (identity.Domain, error) {
	return s.ident.Reset(ctx, who, domain, attachment.Forget, verify.Forget, mailin.Forget)
}

func (s *Server) counts(ctx context.Context) (n desk.Counts, err error) {
	err = s.db.Survey(ctx, func(tx *db.Tx) error {
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
