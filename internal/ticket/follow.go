package ticket

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// Kinds of events that nouns above record and engineers are told of.
const (
	// KindWithheld: a message that should have gone out did not; data.user is
	// its writer.
	KindWithheld = "ticket.later.withhold"

	kindNote    = "ticket.note"
	kindMention = "ticket.mention" // data.users: whom a note names
)

// MaxFollowers is how many may follow one ticket.
const MaxFollowers = 100

var errFollowers = fault.New(fault.Conflict, fault.CodeNoPermission, "该工单的关注者已达 {max} 人", "the ticket has {max} followers already").With("max", MaxFollowers)

// followed are the events of which followers are told.
var followed = map[string]bool{
	"ticket.accept": true, "ticket.ask": true, "ticket.assign": true, "ticket.cancel": true, "ticket.close": true, "ticket.invalid": true,
	kindNote: true, "ticket.pause": true, "ticket.reply": true, "ticket.resolve": true, "ticket.resume": true, "ticket.transfer": true,
	"ticket.urge": true, kindAutoClose: true, "ticket.autosolve": true,
}

// Follower is somebody of the house who follows a ticket.
type Follower struct {
	User      string // user id
	Mentioned bool   // a note named him; else he asked
	Since     int64  // milliseconds UTC
}

// SetFollow makes the caller a follower of a ticket he may see, or ends it; a
// second time changes nothing. Failures: OSM.01010015 (no such ticket), .02
// (role, MaxFollowers).
func (s *Service) SetFollow(ctx context.Context, who principal.Principal, number string, on bool) error {
	t, ctx, err := s.working(ctx, who, number)
	if err != nil {
		return err
	}
	if writer(who) == "" {
		return fault.NoPermission
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		all, err := Followers(tx, t)
		if err != nil {
			return err
		}
		is := slices.ContainsFunc(all, func(f Follower) bool { return f.User == who.User })
		kind := "ticket.follow"
		switch {
		case is == on:
			return nil
		case on && len(all) >= MaxFollowers:
			return errFollowers
		case on:
			addFollower(tx, t, who.User, false)
		default:
			kind = "ticket.unfollow"
			tx.Write(1, "DELETE FROM ticket_followers WHERE domain_id = ? AND ticket_id = ? AND user_id = ?", t.Domain, t.ID, who.User)
		}
		event.Record(tx, who, event.Event{Domain: t.Domain, Kind: kind, Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: event.NoLog,
			Data: map[string]any{"user": who.User}})
		return nil
	})
}

// Followers reads who follows a ticket, the first first. The caller has checked
// who may see it.
func Followers(tx *db.Tx, t Ticket) (all []Follower, err error) {
	err = tx.List(func(r db.Row) error {
		var f Follower
		var mentioned int64
		err := r.Scan(&f.User, &mentioned, &f.Since)
		f.Mentioned = mentioned == 1
		all = append(all, f)
		return err
	}, "SELECT user_id, mentioned, since FROM ticket_followers WHERE domain_id = ? AND ticket_id = ? ORDER BY since, user_id", t.Domain, t.ID)
	return all, err
}

func addFollower(tx *db.Tx, t Ticket, user string, mentioned bool) {
	tx.Write(db.Any, "INSERT INTO ticket_followers (domain_id, ticket_id, user_id, mentioned, since) VALUES (?, ?, ?, ?, ?) ON CONFLICT (domain_id, ticket_id, user_id) DO NOTHING",
		t.Domain, t.ID, user, number01(mentioned), tx.Now)
}

// Mention makes the people a note names followers and records it, so that they
// are told, in the transaction that writes the note; t is the ticket before it.
// Who follows already stays so. A ticket with too many followers still tells
// them.
func Mention(tx *db.Tx, who principal.Principal, t Ticket, users []string) error {
	if len(users) == 0 {
		return nil
	}
	all, err := Followers(tx, t)
	if err != nil {
		return err
	}
	for i, u := range users {
		if len(all)+i < MaxFollowers {
			addFollower(tx, t, u, true)
		}
	}
	event.Record(tx, who, event.Event{Domain: t.Domain, Kind: kindMention, Subject: "ticket", SubjectID: t.ID, Revision: t.Revision + 1, LogCode: event.NoLog,
		Data: map[string]any{"users": users}})
	return nil
}

// change names the change of a ticket a hint is of.
func (h hint) change() string { return fmt.Sprint(h.SubjectID, "/", h.Revision) }

// namedIn are those whom notes name, by change: of such a note they are told
// once.
func namedIn(hints []hint) map[string][]string {
	all := map[string][]string{}
	for _, h := range hints {
		if h.Kind == kindMention {
			all[h.change()] = h.mentioned
		}
	}
	return all
}

// whom lists who is told of a hint: each once, nobody of what he did himself.
func (h hint) whom(n notify.News, t row, followers []watcher, named map[string][]string) (all []notify.News) {
	told := []string{"", h.Actor}
	if h.ActorKind == principal.Customer || h.ActorKind == principal.System {
		told = told[:1]
	}
	add := func(kind, user string) {
		if !slices.Contains(told, user) {
			told = append(told, user)
			n.Kind, n.User = kind, user
			all = append(all, n)
		}
	}
	switch {
	case h.kind == notify.KindMentioned:
		for _, u := range h.mentioned {
			add(h.kind, u)
		}
	case h.kind != "" && h.user != "":
		add(h.kind, h.user)
	case h.kind != "":
		add(h.kind, t.assignee)
	}
	if h.followed {
		for _, f := range followers {
			if f.since > h.At {
				continue // he followed later
			}
			if h.Kind != kindNote || f.partner == "" && !slices.Contains(named[h.change()], f.user) { // a note may be the house's
				add(notify.KindFollowed, f.user)
			}
		}
	}
	return all
}

// watcher is a follower with whom he works for, "" = the house.
type watcher struct {
	user, partner string
	since         int64
}

// followersOf reads who follows the tickets of the hints, by ticket: a partner's
// people only while it is their business.
func followersOf(tx *db.Tx, hints []hint) (map[string][]watcher, error) {
	all := map[string][]watcher{}
	var args []any
	for _, h := range hints {
		if h.followed {
			args = append(args, h.Domain, h.SubjectID)
		}
	}
	if len(args) == 0 {
		return all, nil
	}
	err := tx.List(func(r db.Row) error {
		var ticket string
		var f watcher
		err := r.Scan(&ticket, &f.user, &f.partner, &f.since)
		all[ticket] = append(all[ticket], f)
		return err
	}, `WITH wanted(in_domain, ticket) AS (VALUES (CAST(? AS TEXT), CAST(? AS TEXT))`+strings.Repeat(", (?, ?)", len(args)/2-1)+`)
		SELECT DISTINCT f.ticket_id, f.user_id, u.partner_id, f.since FROM wanted JOIN ticket_followers AS f ON f.domain_id = in_domain AND f.ticket_id = ticket
		JOIN users AS u ON u.domain_id = '`+principal.House+`' AND u.id = f.user_id JOIN desk_tickets AS k ON k.ticket_id = f.ticket_id
		WHERE u.partner_id = '' OR k.ownership = 1 AND EXISTS (SELECT 1 FROM domains AS d WHERE d.id = f.domain_id AND d.partner_id = u.partner_id)
			OR k.ownership = 2 AND EXISTS (SELECT 1 FROM partner_services AS p WHERE p.partner_id = u.partner_id AND p.kind = 'product' AND p.ref_id = k.isv_product)
		ORDER BY f.ticket_id, f.user_id`, args...)
	return all, err
}

// wakeAnswered wakes the tickets in which a customer answered a request for an
// authorization after they were snoozed: no change of the ticket tells it.
func wakeAnswered(tx *db.Tx, hints []hint) error {
	for _, h := range hints { // rare: one write each
		if h.kind == notify.KindAuthorized {
			tx.Write(db.Any, "UPDATE desk_tickets SET snoozed = 0 WHERE ticket_id = ? AND snoozed <> 0 AND snoozed_at <= ?", h.SubjectID, h.At)
		}
	}
	return nil
}
