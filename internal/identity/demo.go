package identity

import (
	"context"
	"errors"
	"slices"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/personal"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// Kinds of things the demo world is made of. They are marked when they are made,
// so that the demo can be removed and nothing real with it.
const (
	DemoDomain  = "domain"
	DemoPerson  = "person" // of the house
	DemoTeam    = "team"
	DemoQueue   = "queue"
	DemoView    = "view"
	DemoMacro   = "macro"
	DemoSnippet = "snippet"
	DemoRule    = "rule"
	DemoArticle = "article" // its id is that of the article and, behind "@", the revision the demo left it at
)

// DemoMark says that a thing was made for the demo world.
type DemoMark struct{ Kind, ID string }

// MarkDemo notes what was made for the demo world; again changes nothing. Only
// Casemate itself does.
func (s *Service) MarkDemo(ctx context.Context, who principal.Principal, marks ...DemoMark) error {
	if who.Kind != principal.System {
		return fault.NoPermission
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		for _, m := range marks {
			tx.Write(db.Any, "INSERT INTO demo_marks (kind, ref_id) VALUES (?, ?) ON CONFLICT (kind, ref_id) DO NOTHING", m.Kind, m.ID)
		}
		return nil
	})
}

// UnmarkDemo forgets marks of things that are gone. Administrators only.
func (s *Service) UnmarkDemo(ctx context.Context, who principal.Principal, marks ...DemoMark) error {
	if err := administer(who); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		for _, m := range marks {
			tx.Write(db.Any, "DELETE FROM demo_marks WHERE kind = ? AND ref_id = ?", m.Kind, m.ID)
		}
		return nil
	})
}

// DemoMarks are all marks, by kind and id. Administrators and auditors.
func (s *Service) DemoMarks(ctx context.Context, who principal.Principal) (all []DemoMark, err error) {
	if !who.Inspects() {
		return nil, fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { all, err = demoMarks(tx, ""); return err })
	return all, err
}

// InDemo tells whether an account of the demo world is there. It is no secret to
// whoever signs in to one.
func (s *Service) InDemo(ctx context.Context) (is bool, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all, err := demoMarks(tx, DemoDomain)
		is = len(all) > 0
		return err
	})
	return is, err
}

func demoMarks(tx *db.Tx, kind string) (all []DemoMark, err error) {
	return all, tx.List(func(r db.Row) error {
		var m DemoMark
		err := r.Scan(&m.Kind, &m.ID)
		all = append(all, m)
		return err
	}, "SELECT kind, ref_id FROM demo_marks WHERE ? = '' OR kind = ? ORDER BY kind, ref_id", kind, kind)
}

// RemoveDemoDomain takes a domain of the demo world out, accounts, tickets and
// places in the index, all in one transaction; its history stays, which holds no
// texts and whose chain would break, and so do records of erasures. More removes what stands in no table of
// domains. Its people's keys are destroyed behind that. Administrators only;
// ErrNoDomain for a domain that is not the demo's, OSM.01010002 while a legal
// hold is on it, on a ticket or on one of its people.
func (s *Service) RemoveDemoDomain(ctx context.Context, who principal.Principal, id string, more ...func(tx *db.Tx, domain string) error) error {
	if err := administer(who); err != nil {
		return err
	}
	defer s.cache.forget()
	people, err := db.Do(ctx, s.db, func(tx *db.Tx) ([]string, error) {
		tx.Lock(principal.House, personal.HoldsLock)
		var marked int
		if err := tx.Get("SELECT count(*) FROM demo_marks WHERE kind = ? AND ref_id = ?", DemoDomain, id).Scan(&marked); err != nil {
			return nil, err
		}
		if marked == 0 || id == principal.House {
			return nil, ErrNoDomain
		}
		if err := notHeld(tx, id); err != nil {
			return nil, err
		}
		people, err := peopleIn(tx, id)
		if err != nil {
			return nil, err
		}
		for _, f := range append(more, search.Forget) {
			if err := f(tx, id); err != nil {
				return nil, err
			}
		}
		search.Remove(tx, id, append([]string{id}, people...)...)
		if err := db.Erase(tx, id, searchTable, "locks", "events", "event_heads", "privacy_erasures"); err != nil {
			return nil, err
		}
		tx.Write(db.Any, "DELETE FROM domains WHERE id = ?", id)
		tx.Write(1, "DELETE FROM demo_marks WHERE kind = ? AND ref_id = ?", DemoDomain, id)
		event.Record(tx, who, event.Event{Domain: id, Kind: "domain.remove", Subject: "domain", SubjectID: id, LogCode: event.NoLog, Data: map[string]any{"people": len(people)}})
		return people, nil
	})
	if err != nil {
		return err
	}
	return s.destroy(ctx, id, people)
}

// RemoveDemoPeople takes the demo's people of the house out, with what more
// removes of them. Left are those who have worked for real customers (neither the
// demo's nor a sandbox), who are disabled and signed out, and the administrators
// while no other one can log in. Administrators only.
func (s *Service) RemoveDemoPeople(ctx context.Context, who principal.Principal, more ...func(tx *db.Tx, user string) error) error {
	if err := administer(who); err != nil {
		return err
	}
	defer s.cache.forget()
	gone, err := db.Do(ctx, s.db, func(tx *db.Tx) (gone []string, err error) {
		tx.Lock(principal.House, administratorsLock)
		marks, err := demoMarks(tx, DemoPerson)
		if err != nil {
			return nil, err
		}
		var others int
		err = tx.Get(`SELECT count(*) FROM users WHERE domain_id = ? AND role = ? AND disabled = 0 AND id NOT IN (SELECT ref_id FROM demo_marks WHERE kind = ?)`,
			principal.House, principal.RoleAdministrator, DemoPerson).Scan(&others)
		if err != nil {
			return nil, err
		}
		var busy, kept []string
		err = tx.List(func(r db.Row) error {
			var id string
			err := r.Scan(&id)
			busy = append(busy, id)
			return err
		}, `SELECT DISTINCT actor FROM events /* all domains: who worked for real customers */ WHERE actor IN (SELECT ref_id FROM demo_marks WHERE kind = ?)
			AND domain_id IN (SELECT id FROM domains WHERE id <> 'house' AND sandbox = 0)`, DemoPerson)
		if err != nil {
			return nil, err
		}
		for _, m := range marks { // a handful
			u, err := scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", principal.House, m.ID))
			if err != nil && !errors.Is(err, ErrNoUser) {
				return nil, err
			}
			switch {
			case err == nil && u.Role == principal.RoleAdministrator && others == 0:
			case err == nil && slices.Contains(busy, m.ID):
				if !u.Disabled {
					kept = append(kept, m.ID)
				}
			default:
				gone = append(gone, m.ID)
			}
		}
		for _, id := range kept { // their passwords stand in a file that was handed round
			tx.Write(1, "UPDATE users SET disabled = 1 WHERE domain_id = ? AND id = ?", principal.House, id)
			endAll(tx, principal.House, id)
			event.Record(tx, who, event.Event{Domain: principal.House, Kind: "user.disable", Subject: "user", SubjectID: id, LogCode: event.NoLog,
				Data: map[string]any{"disabled": true, "from": false, "to": true}})
		}
		for _, id := range gone {
			for _, f := range more {
				if err := f(tx, id); err != nil {
					return nil, err
				}
			}
			endAll(tx, principal.House, id)
			tx.Write(db.Any, "DELETE FROM users WHERE domain_id = ? AND id = ?", principal.House, id)
			tx.Write(1, "DELETE FROM demo_marks WHERE kind = ? AND ref_id = ?", DemoPerson, id)
			event.Record(tx, who, event.Event{Domain: principal.House, Kind: "user.remove", Subject: "user", SubjectID: id, LogCode: event.NoLog})
		}
		return gone, nil
	})
	if err != nil {
		return err
	}
	return s.destroy(ctx, principal.House, gone)
}
