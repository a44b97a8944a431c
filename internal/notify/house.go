package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// News is something a person of the house may want to know of a ticket.
type News struct {
	User   string // whom
	Kind   string // KindAssigned ...
	Event  string // id of what happened: nothing is told twice
	Domain string // of the ticket
	Number string // of the ticket
	// Revision of the ticket when it happened: an answer by mail to the notice
	// does not know of what came later. 0 = unknown.
	Revision int64
	// Sandbox: the ticket is a sandbox's. Its mails are caught, at once: quiet
	// hours and daily mails are of people, on their own clocks.
	Sandbox bool
}

// Told are notices to people of the house, ready to be queued.
type Told struct {
	mails []Prepared
	later []digestItem
}

// Users are the ids of those who are told.
func (t Told) Users() (all []string) {
	for _, m := range t.mails {
		all = append(all, m.m.Person)
	}
	for _, d := range t.later {
		all = append(all, d.User)
	}
	return all
}

type digestItem struct {
	News
	due int64
}

// person is who gets notices, as identity knows him.
type person struct {
	identity.User
	zone *time.Location
}

// reach finds a person of the house; false when nobody is to be told: gone,
// disabled, without an address or without the right to work.
func (s *Service) reach(ctx context.Context, user string, p Preferences) (person, bool, error) {
	if s.o.Identity == nil {
		return person{}, false, nil
	}
	u, err := s.o.Identity.User(ctx, principal.AsSystem(principal.House), principal.House, user)
	if errors.Is(err, identity.ErrNoUser) || errors.Is(err, seal.ErrErased) || err == nil && (u.Disabled || u.Mail == "" || u.Role == principal.RoleAuditor) {
		return person{}, false, nil
	}
	zone := p.Zone
	if zone == "" {
		zone = u.Zone
	}
	return person{u, locale.Parse("", zone, "").Zone}, true, err
}

// Tell renders what people of the house are to be told, by their preferences.
// It does no harm when it is never queued.
func (s *Service) Tell(ctx context.Context, all []News) (Told, error) {
	var out Told
	var users []string
	for _, n := range all {
		if !slices.Contains(users, n.User) {
			users = append(users, n.User)
		}
	}
	if len(users) == 0 {
		return out, nil
	}
	preferences, err := s.preferencesOf(ctx, users)
	if err != nil {
		return out, err
	}
	people := map[string]person{}
	for _, u := range users {
		who, ok, err := s.reach(ctx, u, preferences[u])
		if err != nil {
			return out, err
		}
		if ok {
			people[u] = who
		}
	}
	now := s.db.Now()
	for _, n := range all {
		who, ok := people[n.User]
		p := preferences[n.User]
		if !ok || !p.wants(n.Kind) {
			continue
		}
		if minute, ok := locale.Minute(p.Digest); ok && !n.Sandbox {
			out.later = append(out.later, digestItem{n, locale.NextMinute(now, who.zone, minute).UnixMilli()})
			continue
		}
		m := Message{Domain: n.Domain, Person: n.User, Way: Mail, To: who.Mail, Template: kinds[n.Kind].template, Language: who.Language,
			Values: map[string]string{"number": n.Number}, Ref: n.Number, Revision: n.Revision, Stop: Stop{Kind: n.Kind}, Sandbox: n.Sandbox}
		if n.Sandbox {
			// The job runs on the sandbox's clock, which may be far ahead of ours.
			ahead, err := s.o.Identity.Clock(ctx, n.Domain)
			if err != nil {
				return out, err
			}
			m.Lives = ordinaryLife + time.Duration(ahead)*time.Millisecond
		} else {
			m.NotBefore = p.opens(now, who.zone)
		}
		ready, err := s.Prepare(ctx, m)
		if errors.Is(err, ErrNoChannel) {
			continue
		}
		if err != nil {
			return out, err
		}
		out.mails = append(out.mails, ready)
	}
	return out, nil
}

// QueueTold queues notices in the caller's transaction.
func (s *Service) QueueTold(tx *db.Tx, t Told) {
	for _, p := range t.mails {
		s.Queue(tx, p)
	}
	for _, d := range t.later {
		tx.Write(db.Any, "INSERT INTO notify_digests (user_id, id, kind, number, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (user_id, id) DO NOTHING",
			d.User, d.Event+"."+d.Kind, d.Kind, d.Number, tx.Now)
		job.Enqueue(tx, job.Job{Kind: kindDigest, Args: digestOf{d.User, d.due}, At: d.due, Unique: fmt.Sprint(d.User, "/", d.due)})
	}
}

// digestOf is a digest job's argument.
type digestOf struct {
	User string `json:"user"`
	Due  int64  `json:"due"`
}

// maxLines is how many tickets a daily mail names.
const maxLines = 200

// digest is the job: it turns all that waits for a person into one mail, in
// the transaction that removes it.
func (s *Service) digest(ctx context.Context, r job.Running) error {
	var d digestOf
	if err := json.Unmarshal(r.Args, &d); err != nil {
		return fmt.Errorf("%w: %w", job.ErrDrop, err)
	}
	type item struct{ id, kind, number string }
	var items []item
	var p Preferences
	err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		items = nil
		if p, err = preferencesIn(tx, d.User); err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			var i item
			err := r.Scan(&i.id, &i.kind, &i.number)
			items = append(items, i)
			return err
		}, "SELECT id, kind, number FROM notify_digests WHERE user_id = ? ORDER BY id LIMIT 5000", d.User)
	})
	if err != nil || len(items) == 0 {
		return err
	}
	who, ok, err := s.reach(ctx, d.User, p)
	if err != nil {
		return err
	}
	var numbers []string
	news := map[string][]string{}
	for _, i := range items {
		if _, known := news[i.number]; !known {
			numbers = append(numbers, i.number)
		}
		if name := kinds[i.kind].name.In(who.Language); !slices.Contains(news[i.number], name) {
			news[i.number] = append(news[i.number], name)
		}
	}
	var lines []string
	for _, n := range numbers {
		if len(lines) == maxLines {
			lines = append(lines, "…")
			break
		}
		lines = append(lines, n+": "+strings.Join(news[n], ", "))
	}
	var mails []Prepared
	if ok {
		m, err := s.Prepare(ctx, Message{Domain: principal.House, Person: d.User, Way: Mail, To: who.Mail, Template: TemplateDigest, Language: who.Language,
			Values: map[string]string{"count": fmt.Sprint(len(numbers)), "list": strings.Join(lines, "\n")}, Stop: Stop{Kind: KindDigest}, NotBefore: p.opens(s.db.Now(), who.zone)})
		if err != nil && !errors.Is(err, ErrNoChannel) {
			return err
		}
		if err == nil {
			mails = append(mails, m)
		}
	}
	args := []any{d.User}
	for _, i := range items {
		args = append(args, i.id)
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		gone := 0
		err := tx.List(func(r db.Row) error {
			var id string
			gone++
			return r.Scan(&id)
		}, "DELETE FROM notify_digests WHERE user_id = ? AND id IN (?"+repeat(len(items)-1)+") RETURNING id", args...)
		if err != nil {
			return err
		}
		if gone != len(items) {
			return errors.New("another node made the daily mail") // roll back, look again
		}
		for _, m := range mails {
			s.Queue(tx, m)
		}
		return nil
	})
}

// repeat is so many more marks of a list.
func repeat(n int) string { return strings.Repeat(", ?", n) }
