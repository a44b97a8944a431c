package privacy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/personal"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// Erasure is a person's erasure and how far it is.
type Erasure struct {
	ID, Domain, User string // User "" = a contact that is no user's
	Reason           string
	State            string // running, done, held
	Step             string // what is being done
	Found, Erased    []Count
	Actor            string
	Created          int64 // milliseconds UTC, as the others
	Changed, Ended   int64

	subject string // sealed
	mark    string // the newest hold that was looked at
}

// The states and steps of an erasure.
const (
	Running = "running"
	Done    = "done"
	Held    = "held" // a hold was put while it ran, or Step says why: nothing more is erased

	stepWaiting  = "waiting"
	stepAccount  = "account"
	stepContacts = "contacts"
	stepKey      = "key"
	stepRows     = "rows"
	stepFiles    = "files"
	stepScrub    = "scrub"
	stepDone     = "done"

	// StepLast stands in an erasure that is held because its person has become the
	// last administrator who can log in.
	StepLast = "last_administrator"
)

// batch is how many rows one transaction erases or removes.
const batch = 100

// NewErasure is what Erase needs.
type NewErasure struct {
	Target
	Reason string
}

// Erase begins a person's erasure, which a job carries out: the account is shut,
// the person's key destroyed, contacts, texts and files erased, the store's own
// leftovers overwritten. It cannot be undone. Administrators only. It fails with
// ErrHeld when a hold stands in the way, ErrErased when there is nothing left or
// an erasure runs, and as Plan does.
func (s *Service) Erase(ctx context.Context, who principal.Principal, in NewErasure) (e Erasure, err error) {
	if err := mayRule(who); err != nil {
		return e, err
	}
	if err := checkReason(in.Reason); err != nil {
		return e, err
	}
	if in.User != "" && in.User == who.User {
		return e, errSelf
	}
	sub, err := s.find(ctx, in.Target)
	if err != nil {
		return e, err
	}
	if in.Domain == principal.House {
		if err := s.notLast(ctx, in.User); err != nil {
			return e, err
		}
	}
	p, err := s.plan(ctx, in.Target, sub)
	switch {
	case err != nil:
		return e, err
	case p.Running != "", p.Erased && in.User != "":
		return e, ErrErased
	}
	e = Erasure{ID: s.db.NewID(), Domain: in.Domain, User: in.User, Reason: in.Reason, State: Running, Step: stepWaiting, Found: p.Counts, Actor: who.User}
	plain, err := json.Marshal(sub)
	if err != nil {
		return e, err
	}
	if e.subject, err = s.seal("privacy_erasures", "subject", e.ID, string(plain)); err != nil {
		return e, err
	}
	reason, err := s.seal("privacy_erasures", "reason", e.ID, in.Reason)
	if err != nil {
		return e, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Erasure, error) {
		e := e
		tx.Lock(principal.House, "privacy.erase")
		mark, err := newestHold(tx)
		switch {
		case err != nil:
			return e, err
		case mark != p.mark: // the job looks again, and stops
		case len(p.Holds) > 0:
			return e, ErrHeld.With("n", len(p.Holds))
		}
		var running int
		err = tx.Get("SELECT count(*) FROM privacy_erasures WHERE domain_id = ? AND user_id = ? AND user_id <> '' AND state = 'running'", in.Domain, in.User).Scan(&running)
		if err != nil {
			return e, err
		}
		if running > 0 {
			return e, ErrErased
		}
		e.Created, e.Changed = tx.Real, tx.Real
		tx.Write(1, `INSERT INTO privacy_erasures (id, domain_id, user_id, subject, reason, state, step, found, erased, actor, created_at, changed_at, ended_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, '[]', ?, ?, ?, 0)`, e.ID, e.Domain, e.User, e.subject, reason, e.State, e.Step, asJSON(e.Found), e.Actor, e.Created, e.Changed)
		job.Enqueue(tx, job.Job{Kind: kindErase, Args: eraseArgs{e.ID}, Unique: e.ID, Urgent: true})
		record(tx, who, e, "privacy.erase", map[string]any{"found": e.Found})
		return e, nil
	})
}

// record notes a step of an erasure in the person's domain; of a contact in the
// house's.
func record(tx *db.Tx, who principal.Principal, e Erasure, kind string, data map[string]any) {
	data["erasure"] = e.ID
	ev := event.Event{Domain: e.Domain, Kind: kind, Subject: "user", SubjectID: e.User, LogCode: event.NoLog, Data: data}
	if e.User == "" {
		ev.Subject, ev.SubjectID = "erasure", e.ID
	}
	event.Record(tx, who, ev)
}

// notLast refuses to erase the last administrator who can log in.
func (s *Service) notLast(ctx context.Context, user string) error {
	people, err := s.n.Identity.Users(ctx, principal.AsSystem(principal.House), principal.House)
	if err != nil {
		return err
	}
	admins := slices.DeleteFunc(people, func(u identity.User) bool { return u.Role != principal.RoleAdministrator || u.Disabled })
	if len(admins) == 1 && admins[0].ID == user {
		return errLastAdmin
	}
	return nil
}

const erasureColumns = "id, domain_id, user_id, subject, reason, state, step, found, erased, actor, created_at, changed_at, ended_at"

func scanErasure(r db.Row) (e Erasure, err error) {
	var found, erased string
	err = r.Scan(&e.ID, &e.Domain, &e.User, &e.subject, &e.Reason, &e.State, &e.Step, &found, &erased, &e.Actor, &e.Created, &e.Changed, &e.Ended)
	if errors.Is(err, db.ErrNone) {
		return e, ErrNone.In("erasure_id")
	}
	if err == nil {
		err = errors.Join(json.Unmarshal([]byte(found), &e.Found), json.Unmarshal([]byte(erased), &e.Erased))
	}
	return e, err
}

func erasureIn(tx *db.Tx, id string) (Erasure, error) {
	return scanErasure(tx.Get("SELECT "+erasureColumns+" FROM privacy_erasures WHERE id = ?", id))
}

// Erasure is one and how far it is; ErrNone. Administrators and auditors.
func (s *Service) Erasure(ctx context.Context, who principal.Principal, id string) (e Erasure, err error) {
	if err := mayRead(who); err != nil {
		return e, err
	}
	if err := s.db.View(ctx, func(tx *db.Tx) (err error) { e, err = erasureIn(tx, id); return err }); err != nil {
		return e, err
	}
	e.Reason, err = s.open("privacy_erasures", "reason", e.ID, e.Reason)
	return e, err
}

// Forget removes from the records of a domain's erasures whom they were about,
// beside the ids; that they were done stays. Those that run do it themselves at
// their end. For accounts of the demo world, which are removed.
func Forget(tx *db.Tx, domain string) error {
	tx.Write(db.Any, "UPDATE privacy_erasures SET subject = '' WHERE domain_id = ? AND state <> 'running' AND subject <> ''", domain)
	return nil
}

// Erasures lists them, the newest first, at most 200. Administrators and auditors.
func (s *Service) Erasures(ctx context.Context, who principal.Principal) (list []Erasure, err error) {
	if err := mayRead(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		list = nil
		return tx.List(func(r db.Row) error {
			e, err := scanErasure(r)
			list = append(list, e)
			return err
		}, "SELECT "+erasureColumns+" FROM privacy_erasures ORDER BY id DESC LIMIT 200")
	})
	for i := range list {
		if err == nil {
			list[i].Reason, err = s.open("privacy_erasures", "reason", list[i].ID, list[i].Reason)
		}
	}
	return list, err
}

type eraseArgs struct {
	ID string `json:"id"`
}

func (s *Service) eraseJob(ctx context.Context, r job.Running) error {
	var a eraseArgs
	if err := json.Unmarshal(r.Args, &a); err != nil {
		return job.ErrDrop
	}
	return s.carryOut(ctx, a.ID)
}

// errHeldSince: a hold was put while the erasure ran.
var errHeldSince = errors.New("privacy: a hold was put")

// carryOut does what is left of an erasure. Each step can be done again: killed
// at any point, the next try goes on.
func (s *Service) carryOut(ctx context.Context, id string) error {
	var e Erasure
	err := s.db.View(ctx, func(tx *db.Tx) (err error) { e, err = erasureIn(tx, id); return err })
	if errors.Is(err, ErrNone) {
		return job.ErrDrop
	}
	if err != nil {
		return err
	}
	if e.State != Running {
		return nil
	}
	plain, err := s.open("privacy_erasures", "subject", e.ID, e.subject)
	if err != nil {
		return err
	}
	var sub subject
	if err := json.Unmarshal([]byte(plain), &sub); err != nil {
		return err
	}
	err = s.steps(ctx, &e, sub)
	last := errors.Is(err, identity.ErrLastAdministrator)
	if errors.Is(err, errHeldSince) || last {
		return s.update(ctx, func(tx *db.Tx) error {
			data := map[string]any{"erased": e.Erased}
			if last {
				e.Step, data["step"] = StepLast, StepLast
			}
			tx.Write(1, "UPDATE privacy_erasures SET state = 'held', step = ?, changed_at = ?, ended_at = ? WHERE id = ?", e.Step, tx.Real, tx.Real, e.ID)
			record(tx, principal.AsSystem(e.Domain), e, "privacy.held", data)
			return nil
		})
	}
	return err
}

// passes is how often rows that came meanwhile are looked for: a request that
// was under way when the account was shut may have left some.
const passes = 5

func (s *Service) steps(ctx context.Context, e *Erasure, sub subject) error {
	if err := s.step(ctx, e, sub, stepAccount); err != nil {
		return err
	}
	if sub.User != "" {
		who := principal.AsSystem(sub.Domain)
		u, err := s.n.Identity.User(ctx, who, sub.Domain, sub.User)
		if err == nil && !u.Disabled {
			err = s.n.Identity.Disable(ctx, who, sub.Domain, sub.User, true)
		}
		if errors.Is(err, identity.ErrNoUser) { // removed with the demo's account meanwhile: what is left of it goes all the same
			err = nil
		}
		if err != nil {
			return fmt.Errorf("shutting the account: %w", err)
		}
		s.n.Identity.Shut()
	}
	if err := s.step(ctx, e, sub, stepContacts); err != nil {
		return err
	}
	if err := s.contacts(ctx, sub); err != nil {
		return fmt.Errorf("contacts: %w", err)
	}
	if err := s.step(ctx, e, sub, stepKey); err != nil {
		return err
	}
	if sub.User != "" {
		if err := s.keys.Destroy(ctx, sub.User); err != nil {
			return fmt.Errorf("the key: %w", err)
		}
	}
	for range passes {
		if err := s.step(ctx, e, sub, stepRows); err != nil {
			return err
		}
		n, err := s.rows(ctx, e, sub)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	if err := s.step(ctx, e, sub, stepFiles); err != nil {
		return err
	}
	if err := s.n.Attachments.ClearNow(ctx); err != nil {
		return fmt.Errorf("files: %w", err)
	}
	if err := s.step(ctx, e, sub, stepScrub); err != nil {
		return err
	}
	s.n.Identity.Shut()
	if err := s.scrub(ctx, s.rules(sub.Subject)); err != nil {
		return fmt.Errorf("leftovers: %w", err)
	}
	return s.update(ctx, func(tx *db.Tx) error {
		tx.Write(1, "UPDATE privacy_erasures SET state = 'done', step = ?, subject = '', changed_at = ?, ended_at = ? WHERE id = ?", stepDone, tx.Real, tx.Real, e.ID)
		if e.User != "" { // what earlier ones that were stopped knew
			tx.Write(db.Any, "UPDATE privacy_erasures SET subject = '' WHERE domain_id = ? AND user_id = ? AND subject <> '' AND state = 'held'", e.Domain, e.User)
		}
		record(tx, principal.AsSystem(e.Domain), *e, "privacy.erased", map[string]any{"erased": e.Erased})
		return nil
	})
}

// step says what is being done now, and stops when a hold was put meanwhile.
func (s *Service) step(ctx context.Context, e *Erasure, sub subject, name string) error {
	if err := s.look(ctx, e, sub); err != nil {
		return err
	}
	return s.update(ctx, func(tx *db.Tx) error {
		e.Step = name
		tx.Write(1, "UPDATE privacy_erasures SET step = ?, changed_at = ? WHERE id = ?", name, tx.Real, e.ID)
		return nil
	})
}

// look finds holds in the way, beside the writer.
func (s *Service) look(ctx context.Context, e *Erasure, sub subject) error {
	return s.db.View(ctx, func(tx *db.Tx) error {
		mark, err := newestHold(tx)
		if err != nil {
			return err
		}
		_, on, err := s.count(tx, sub)
		if err != nil {
			return err
		}
		holds, err := s.inTheWay(tx, sub, on)
		if err == nil && len(holds) > 0 {
			err = errHeldSince
		}
		e.mark = mark
		return err
	})
}

// contacts takes a person's contacts out of other people's tickets; of one who is
// no user also out of texts that name him as their sender, and ends links to his
// bundles.
func (s *Service) contacts(ctx context.Context, sub subject) error {
	if err := s.dropBundles(ctx, sub.Contacts); err != nil {
		return err
	}
	for _, c := range sub.Contacts {
		if sub.User == "" {
			if err := s.redact(ctx, sub, c); err != nil {
				return err
			}
		}
		for n := batch; n == batch; {
			var err error
			if n, err = s.n.Tickets.WithoutCopy(ctx, c, sub.Terms, batch); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) redact(ctx context.Context, sub subject, contact string) error {
	on := map[search.Key]bool{}
	err := s.db.View(ctx, func(tx *db.Tx) error {
		keys, err := search.Holding(tx, search.KindContact, sub.Terms, maxConcerned)
		if err != nil {
			return err
		}
		for _, k := range keys {
			on[k] = true
		}
		_, tickets, err := s.count(tx, sub)
		for _, c := range tickets {
			on[search.Key{Domain: c.domain, ID: c.ticket}] = true
		}
		return err
	})
	for k := range on {
		if err == nil {
			err = s.n.Tickets.RedactContact(ctx, k.Domain, k.ID, contact)
		}
	}
	return err
}

// rows carries out all rules and answers how many rows they met.
func (s *Service) rows(ctx context.Context, e *Erasure, sub subject) (total int, err error) {
	for _, r := range s.rules(sub.Subject) {
		if r.Keep {
			continue
		}
		cond, args := personal.Expand(whole(r), sub.Subject, 0)
		var after []any
		for {
			var page []personal.Found
			err := s.db.View(ctx, func(tx *db.Tx) (err error) { page, err = r.Page(tx, cond, args, after, batch); return err })
			if err != nil {
				return total, fmt.Errorf("%s: %w", r.Table, err)
			}
			if len(page) == 0 {
				break
			}
			moved := false
			erased := added(slices.Clone(e.Erased), r.Kind, int64(len(page)))
			err = s.update(ctx, func(tx *db.Tx) error {
				mark, err := newestHold(tx)
				if moved = mark != e.mark; err != nil || moved {
					return err // a hold was put since: look again
				}
				apply(tx, r, page, true)
				tx.Write(1, "UPDATE privacy_erasures SET erased = ?, changed_at = ? WHERE id = ?", asJSON(erased), tx.Real, e.ID)
				return nil
			})
			if err == nil && moved {
				err = s.look(ctx, e, sub)
			}
			if err != nil {
				return total, fmt.Errorf("%s: %w", r.Table, err)
			}
			if moved {
				continue
			}
			e.Erased, after = erased, page[len(page)-1].Key
			total += len(page)
		}
	}
	return total, nil
}

// apply does what a rule says to rows, with their documents and blobs.
func apply(tx *db.Tx, r personal.Rule, page []personal.Found, atOnce bool) {
	for _, f := range page {
		if f.Blob != "" {
			attachment.Bury(tx, f.Blob, atOnce)
		}
		r.Erase(tx, f)
		switch {
		case f.Doc == "":
		case f.DocKind == "":
			search.Remove(tx, f.Home, f.Doc)
		default:
			search.Put(tx, false, search.Doc{Domain: f.Home, Kind: f.DocKind, ID: f.Doc, Parent: f.Parent, Text: personal.Erased})
		}
	}
}

func added(all []Count, kind string, n int64) []Count {
	for i := range all {
		if all[i].Kind == kind {
			all[i].Rows += n
			return all
		}
	}
	return append(all, Count{Kind: kind, Rows: n})
}

// scrub makes what rules erased leave the store's own files.
func (s *Service) scrub(ctx context.Context, rules []personal.Rule) error {
	if err := search.Purge(ctx, s.db); err != nil {
		return err
	}
	tables := []string{"search_docs", "privacy_bundles"}
	for _, r := range rules {
		if !slices.Contains(tables, r.Table) {
			tables = append(tables, r.Table)
		}
	}
	return s.db.Scrub(ctx, tables...)
}

func (s *Service) update(ctx context.Context, fn func(tx *db.Tx) error) error {
	if s.before != nil {
		s.before()
	}
	return s.db.Update(ctx, fn)
}
