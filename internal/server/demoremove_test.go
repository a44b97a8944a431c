package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/event"
	"casemate/internal/identity"
	"casemate/internal/knowledge"
	"casemate/internal/principal"
	"casemate/internal/privacy"
)

// TestRemoveDemo: after the removal nothing of the demo world is there but its
// history, whose chain holds; what is real stays; the demo's administrator stays
// until there is another one; the next start with --demo makes no second world
// in an installation that has people.
func TestRemoveDemo(t *testing.T) {
	t.Parallel()
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o := Options{Data: filepath.Join(t.TempDir(), "d"), Demo: true, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)}
			if database == "postgres" {
				o.Database = dbtest.ServerDatabase(t)
			}
			s, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ctx, who := t.Context(), principal.Principal{Kind: principal.Local, User: "local"}
			if err := s.fillDemo(ctx, "http://127.0.0.1:1"); err != nil {
				t.Fatal(err)
			}
			w, err := s.demoWorld(ctx, who)
			if err != nil || len(w.Domains) != 2 || len(w.People) != 4 || w.Tickets != 100 || w.Desk != 26 {
				t.Fatalf("the demo world: %d domains, %d people, %d tickets, %d at the desk, %v", len(w.Domains), len(w.People), w.Tickets, w.Desk, err)
			}
			if is, err := s.ident.InDemo(ctx); err != nil || !is {
				t.Errorf("a demo world that is there: %v, %v", is, err)
			}
			lived(t, s)
			if _, err := s.removeDemo(ctx, principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "x", Role: principal.RoleSupervisor}); err == nil {
				t.Error("a supervisor removes the demo world")
			}
			real, err := s.ident.CreateDomain(ctx, who, identity.NewDomain{Name: "Real"})
			if err != nil {
				t.Fatal(err)
			}
			boss, err := s.ident.CreateUser(ctx, who, identity.NewUser{Domain: real.ID, Name: "boss", Password: "a long password", Main: true})
			if err != nil {
				t.Fatal(err)
			}
			box, err := s.ident.CreateDomain(ctx, who, identity.NewDomain{Name: "Box", Sandbox: true})
			if err != nil {
				t.Fatal(err)
			}
			// One engineer has worked for a real customer, another in a sandbox only.
			c, err := s.readCredentials()
			if err != nil {
				t.Fatal(err)
			}
			var busy string
			for i, domain := range []string{real.ID, box.ID} {
				u, err := s.ident.UserByName(ctx, who, principal.House, c.Engineers[i].Name)
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					busy = u.ID
				}
				engineer := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: u.ID, Role: u.Role}
				if err := s.db.Update(ctx, func(tx *db.Tx) error {
					event.Record(tx, engineer, event.Event{Domain: domain, Kind: "ticket.note", Subject: "ticket", SubjectID: "t", LogCode: event.NoLog})
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.knowledge.Step(ctx, who, "ecs-high-cpu", knowledge.StepUnpublish, 0); err != nil { // it is the house's own now
				t.Fatal(err)
			}
			someone, err := s.ident.UserByName(ctx, who, c.Domains[0].ID, c.Domains[0].Users[1].Name)
			if err != nil {
				t.Fatal(err)
			}
			erasure, err := s.privacy.Erase(ctx, who, privacy.NewErasure{Target: privacy.Target{Domain: someone.Domain, User: someone.ID}, Reason: "asked for"})
			if err != nil {
				t.Fatal(err)
			}
			if w, err = s.removeDemo(ctx, who); err != nil || len(w.Domains) != 0 || len(w.People) != 2 || w.Desk != 0 {
				t.Fatalf("left: %+v, %v", w, err)
			}
			if is, err := s.ident.InDemo(ctx); err != nil || is {
				t.Errorf("a demo world that was removed still greets: %v, %v", is, err)
			}
			for _, u := range w.People {
				if (u.ID == busy) != u.Disabled || u.ID != busy && u.Role != principal.RoleAdministrator {
					t.Errorf("left: %+v", u)
				}
			}
			if e, err := s.privacy.Erasure(ctx, who, erasure.ID); err != nil || e.Reason != "asked for" {
				t.Errorf("the record of an erasure: %+v, %v", e, err)
			}
			for slug, stays := range map[string]bool{"ecs-high-cpu": true, "ecs-ssh-login": false, "maintenance-window-draft": false} {
				if _, err := s.knowledge.Article(ctx, who, slug); (err == nil) != stays || err != nil && !errors.Is(err, knowledge.ErrNoArticle) {
					t.Errorf("article %s: %v", slug, err)
				}
			}
			if c, err := s.readCredentials(); err != nil || c.Admin.Name != "admin" || len(c.Domains) != 0 || len(c.Engineers) != 0 {
				t.Errorf("the file holds %+v, %v", c, err)
			}
			if _, err := s.ident.CreateUser(ctx, who, identity.NewUser{Domain: principal.House, Name: "root", Password: "a long password", Role: principal.RoleAdministrator}); err != nil {
				t.Fatal(err)
			}
			for range 2 { // again changes nothing
				if w, err = s.removeDemo(ctx, who); err != nil || len(w.People) != 1 || w.People[0].ID != busy {
					t.Fatalf("left: %+v, %v", w, err)
				}
			}
			if _, err := os.Stat(s.credentialsPath()); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the credentials file: %v", err)
			}
			if u, err := s.ident.User(ctx, who, real.ID, boss.ID); err != nil || u.Name != "boss" {
				t.Errorf("a real customer: %+v, %v", u, err)
			}
			tables, err := db.DomainTables()
			if err != nil {
				t.Fatal(err)
			}
			err = s.db.View(ctx, func(tx *db.Tx) error {
				for _, table := range tables {
					if table == "events" || table == "privacy_erasures" || table == "event_heads" || table == "locks" {
						continue
					}
					var n int
					if err := tx.Get("SELECT count(*) FROM "+table+" WHERE domain_id NOT IN ('house', '', ?, ?)", real.ID, box.ID).Scan(&n); err != nil {
						return fmt.Errorf("%s: %w", table, err)
					}
					if n > 0 {
						t.Errorf("%s has %d rows of the demo", table, n)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			sealer := event.NewSealer(s.db, s.keys.Derive("event-chain"), "test", slog.New(slog.DiscardHandler))
			for n := 1; n > 0 && err == nil; {
				n, err = sealer.SealOnce(ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			if report, err := event.Verify(ctx, s.db, s.keys.Derive("event-chain")); err != nil || !report.OK() {
				t.Errorf("the chain: %v, %v", report, err)
			}
			state, err := s.chainState(ctx)
			if err != nil || !state.Holds || state.Unsealed != 0 || state.Sealed == 0 {
				t.Errorf("the chain's state: %+v, %v", state, err)
			}
			// One changed byte shows.
			err = s.db.Update(ctx, func(tx *db.Tx) error {
				tx.Write(1, "UPDATE events SET kind = 'ticket.forged' WHERE domain_id = ? AND id = (SELECT max(id) FROM events WHERE domain_id = ? AND seq > 0)", real.ID, real.ID)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if state, err := s.chainState(ctx); err != nil || state.Holds {
				t.Errorf("a changed event is not seen: %+v, %v", state, err)
			}
		})
	}
}

// lived: the demo's tickets lie over the last days and are numbered, sorted and
// recorded as if they had been made then; the clock is the present again.
func lived(t *testing.T, s *Server) {
	t.Helper()
	if behind := s.clock.behind.Load(); behind != 0 {
		t.Errorf("the clock stays %d ns behind", behind)
	}
	now := s.db.Now().UnixMilli()
	days, last := map[int64]bool{}, int64(0)
	err := s.db.View(t.Context(), func(tx *db.Tx) error {
		if err := tx.List(func(r db.Row) error {
			var number string
			var created, changed int64
			if err := r.Scan(&number, &created, &changed); err != nil {
				return err
			}
			days[(now-created)/(24*3600*1000)] = true
			if created < last || changed < created || changed > now || number[2:8] != time.UnixMilli(created).In(time.FixedZone("", 8*3600)).Format("060102") {
				t.Errorf("%s: made %d, changed %d, the one before %d, now %d", number, created, changed, last, now)
			}
			last = created
			return nil
		}, "SELECT number, created_at, changed_at FROM tickets /* all domains: a test */ ORDER BY id"); err != nil {
			return err
		}
		var late, waiting int
		if err := tx.Get("SELECT count(*) FROM events /* all domains: a test */ WHERE at > ?", now).Scan(&late); err != nil || late > 0 {
			t.Errorf("%d events of the future, %v", late, err)
		}
		if err := tx.Get("SELECT count(*) FROM notify_messages /* all domains: a test */ WHERE state <> 'sent'").Scan(&waiting); err != nil || waiting > 0 {
			t.Errorf("%d messages were not caught in their time, %v", waiting, err)
		}
		return nil
	})
	if err != nil || len(days) < 20 {
		t.Errorf("tickets of %d days, %v", len(days), err)
	}
}
