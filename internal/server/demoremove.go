package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/desk"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/mailin"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/privacy"
	"casemate/internal/queue"
	"casemate/internal/ticket"
	"casemate/internal/verify"
)

// markDemo notes that a thing was made for the demo world.
func (s *Server) markDemo(ctx context.Context, kind, id string) error {
	return s.ident.MarkDemo(ctx, principal.AsSystem(principal.House), identity.DemoMark{Kind: kind, ID: id})
}

// markOldDemo marks the accounts and people of a demo world that an earlier
// version made, by its credentials file; what stands at the desk for them it
// cannot tell from what is real.
func (s *Server) markOldDemo(ctx context.Context, c Credentials) error {
	who := principal.AsSystem(principal.House)
	marked, err := s.ident.DemoMarks(ctx, who)
	if err != nil || len(marked) > 0 {
		return err
	}
	var marks []identity.DemoMark
	for _, d := range c.Domains {
		marks = append(marks, identity.DemoMark{Kind: identity.DemoDomain, ID: d.ID})
	}
	for _, p := range append(c.Engineers, c.Admin) {
		u, err := s.ident.UserByName(ctx, who, principal.House, p.Name)
		switch {
		case errors.Is(err, identity.ErrNoUser):
		case err != nil:
			return err
		default:
			marks = append(marks, identity.DemoMark{Kind: identity.DemoPerson, ID: u.ID})
		}
	}
	return s.ident.MarkDemo(ctx, who, marks...)
}

// demoWorld is what is left of the demo.
func (s *Server) demoWorld(ctx context.Context, who principal.Principal) (w desk.DemoWorld, err error) {
	marks, err := s.ident.DemoMarks(ctx, who)
	if err != nil {
		return w, err
	}
	for _, m := range marks {
		switch m.Kind {
		case identity.DemoDomain:
			d, err := s.ident.Domain(ctx, who, m.ID)
			if err != nil {
				return w, err
			}
			n := 0
			if err := s.db.View(ctx, func(tx *db.Tx) error {
				return tx.Get("SELECT count(*) FROM tickets WHERE domain_id = ?", d.ID).Scan(&n)
			}); err != nil {
				return w, err
			}
			w.Domains, w.Tickets = append(w.Domains, d), w.Tickets+n
		case identity.DemoPerson:
			u, err := s.ident.User(ctx, who, principal.House, m.ID)
			if err != nil {
				return w, err
			}
			w.People = append(w.People, u)
		default:
			w.Desk++
		}
	}
	return w, nil
}

// removeDemo removes the demo world: what stands at the desk for it, its
// accounts, its people. Each step is whole, and what was cut off is gone on with
// by calling again.
func (s *Server) removeDemo(ctx context.Context, who principal.Principal) (desk.DemoWorld, error) {
	if !who.Admin() {
		return desk.DemoWorld{}, fault.NoPermission
	}
	marks, err := s.ident.DemoMarks(ctx, who)
	if err != nil {
		return desk.DemoWorld{}, err
	}
	of := map[string][]string{}
	for _, m := range marks {
		of[m.Kind] = append(of[m.Kind], m.ID)
	}
	for _, k := range []struct {
		kind   string
		remove func(context.Context, principal.Principal, string, int64) error
	}{
		{identity.DemoView, s.queue.DeleteView}, {identity.DemoRule, s.queue.DeleteRule}, {identity.DemoMacro, s.queue.DeleteMacro},
		{identity.DemoSnippet, s.queue.DeleteSnippet}, {identity.DemoQueue, s.queue.DeleteQueue}, {identity.DemoTeam, s.queue.DeleteTeam},
	} {
		for _, id := range of[k.kind] {
			err := k.remove(ctx, who, id, 0)
			switch {
			case fault.KindOf(err) == fault.Conflict: // a team that serves a queue of the house's own: it is in use
				continue
			case err != nil && fault.KindOf(err) != fault.NotFound:
				return desk.DemoWorld{}, fmt.Errorf("demo's %s: %w", k.kind, err)
			}
			if err := s.ident.UnmarkDemo(ctx, who, identity.DemoMark{Kind: k.kind, ID: id}); err != nil {
				return desk.DemoWorld{}, err
			}
		}
	}
	for _, id := range of[identity.DemoDomain] {
		if err := s.ident.RemoveDemoDomain(ctx, who, id, attachment.Forget, verify.Forget, mailin.Forget, privacy.Forget); err != nil {
			return desk.DemoWorld{}, err
		}
	}
	if err := s.removeArticles(ctx, who, of[identity.DemoArticle]); err != nil {
		return desk.DemoWorld{}, err
	}
	if err := s.ident.RemoveDemoPeople(ctx, who, queue.ForgetPerson, ticket.ForgetPerson, notify.ForgetPerson); err != nil {
		return desk.DemoWorld{}, err
	}
	w, err := s.demoWorld(ctx, who)
	if err != nil {
		return w, err
	}
	return w, s.keepCredentials(w.People)
}

// keepCredentials leaves only people who are left and may sign in in the demo's
// file, and no file when there is none.
func (s *Server) keepCredentials(left []identity.User) error {
	c, err := s.readCredentials()
	if errors.Is(err, fs.ErrNotExist) || err == nil && c.Admin.Name == "" && len(c.Engineers) == 0 && len(c.Domains) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, u := range left {
		if !u.Disabled {
			named[u.Name] = true
		}
	}
	kept := Credentials{BaseURL: c.BaseURL, Domains: []demoDomain{}, Engineers: []demoPerson{}}
	for _, p := range c.Engineers {
		if named[p.Name] {
			kept.Engineers = append(kept.Engineers, p)
		}
	}
	if named[c.Admin.Name] {
		kept.Admin = c.Admin
	}
	if len(named) == 0 {
		if err := os.Remove(s.credentialsPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return s.writeCredentials(kept)
}
