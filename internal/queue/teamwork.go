package queue

import (
	"context"
	"slices"

	"casemate/internal/db"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Following is somebody who follows a ticket.
type Following struct {
	ticket.Follower
	Name string
}

// Writing tells that somebody has a draft, not what is in it.
type Writing struct {
	User, Name string
	Kind       string // DraftReply, DraftNote
	Changed    int64
}

// Teamwork is what goes on at a ticket besides what is said.
type Teamwork struct {
	Version     int64
	LastMessage string    // id of the newest message, what a reply carries back
	Present     []Present // the caller too
	Followers   []Following
	Following   bool // the caller does
	Drafts      []Writing
	Waiting     []Later // messages that go out later; their text is their writer's alone
	Snooze      ticket.Snooze
}

// Teamwork reads who is at a ticket, who follows it, who has a draft, which messages
// wait, and whether it rests. Failures: OSM.01010015 (no such ticket), .02 (role).
func (s *Service) Teamwork(ctx context.Context, who principal.Principal, number string) (out Teamwork, err error) {
	shown, err := s.tickets.DeskShow(ctx, who, number)
	if err != nil {
		return out, err
	}
	t := shown.Ticket
	err = s.db.View(ctx, func(tx *db.Tx) error {
		out = Teamwork{Snooze: shown.Snooze}
		now, err := ticket.In(tx, t.Domain, t.ID)
		if err != nil {
			return err
		}
		out.Version = now.Revision
		said, err := ticket.SaidBehind(tx, now, now.Revision, "")
		if err != nil {
			return err
		}
		out.LastMessage = said.Last
		if out.Present, err = presentIn(tx, now); err != nil {
			return err
		}
		followers, err := ticket.Followers(tx, now)
		if err != nil {
			return err
		}
		for _, f := range followers {
			out.Followers = append(out.Followers, Following{Follower: f})
		}
		return tx.List(func(r db.Row) error {
			var w Writing
			err := r.Scan(&w.User, &w.Kind, &w.Changed)
			out.Drafts = append(out.Drafts, w)
			return err
		}, "SELECT user_id, kind, max(changed_at) FROM ticket_drafts WHERE domain_id = ? AND ticket_id = ? GROUP BY user_id, kind ORDER BY user_id, kind LIMIT 200", t.Domain, t.ID)
	})
	if err != nil {
		return out, err
	}
	if out.Waiting, err = s.WaitingSends(ctx, who, number); err != nil {
		return out, err
	}
	ids := []string{out.Snooze.By}
	for _, p := range out.Present {
		ids = append(ids, p.User)
	}
	for _, f := range out.Followers {
		ids = append(ids, f.User)
	}
	for _, d := range out.Drafts {
		ids = append(ids, d.User)
	}
	known, err := s.colleagues(ctx, who, slices.DeleteFunc(ids, func(id string) bool { return id == "" }))
	for i := range out.Present {
		p := &out.Present[i]
		p.User, p.Name = known[p.User].id, known[p.User].name
	}
	for i := range out.Followers {
		f := &out.Followers[i]
		out.Following = out.Following || f.User == who.User
		f.User, f.Name = known[f.User].id, known[f.User].name
	}
	for i := range out.Drafts {
		d := &out.Drafts[i]
		d.User, d.Name = known[d.User].id, known[d.User].name
	}
	out.Snooze.ByName = known[out.Snooze.By].name
	return out, err
}
