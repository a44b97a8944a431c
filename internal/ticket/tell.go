package ticket

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// Engineers are told behind the commit, from the sealed history: a customer's
// request does not wait for it, and what nouns above record beside a ticket is
// told as well.
const (
	cursorName = "engineers"
	readMost   = 200
	newsMost   = 500 // then the batch ends
	// stale is how old an event may be to be told, in milliseconds: an
	// installation that was down for days does not shower people with old news.
	stale = 24 * 3600 * 1000
)

// Follow reads the history behind the cursor and queues notices to engineers.
// The cursor moves in the transaction that queues, so that nothing is told
// twice, whichever nodes read.
func (s *Service) Follow(ctx context.Context) error {
	for {
		more, err := s.follow(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// hint is an event that some engineer may want to know.
type hint struct {
	event.Row
	kind string // "" = for followers only
	user string // whom, "" = the ticket's handler

	mentioned []string // whom a note names
	followed  bool     // the ticket's followers want to know
}

// hinted reads what an event means for engineers.
func hinted(r event.Row, now int64) (hint, bool) {
	h := hint{Row: r}
	if r.Subject != "ticket" || r.At < now-stale {
		return h, false
	}
	var data struct {
		Assignee, Engineer, User string
		Users                    []string
	}
	customer := r.ActorKind == principal.Customer
	h.followed = followed[r.Kind] // whatever it means for its handler
	switch {
	case r.Kind == "ticket.create":
		h.kind = notify.KindNew
	case r.Kind == "ticket.assign":
		h.kind = notify.KindAssigned
		if json.Unmarshal(r.Data, &data) != nil {
			return h, false
		}
		if h.user = data.Assignee; h.user == "" || h.user == r.Actor {
			h.kind = "" // who takes it himself knows
		}
	case r.Kind == "ticket.reply" && customer:
		h.kind = notify.KindReplied
	case r.Kind == "ticket.urge" && customer:
		h.kind = notify.KindUrged
	case strings.HasPrefix(r.Kind, "ticket.authorization.") && customer:
		h.kind = notify.KindAuthorized
		if json.Unmarshal(r.Data, &data) == nil {
			h.user = data.Engineer // who asked, be he the handler or not
		}
	case r.Kind == eventWarned:
		h.kind = notify.KindWarned
	case r.Kind == eventEscalated:
		h.kind = notify.KindEscalated
	case r.Kind == eventBreached:
		h.kind = notify.KindBreached
	case r.Kind == kindMention:
		h.kind = notify.KindMentioned
		if json.Unmarshal(r.Data, &data) != nil {
			return h, false
		}
		h.mentioned = data.Users
	case r.Kind == kindWake:
		h.kind = notify.KindWoken
		if json.Unmarshal(r.Data, &data) == nil {
			h.user = data.Engineer
		}
	case r.Kind == KindWithheld:
		h.kind = notify.KindWithheld
		if json.Unmarshal(r.Data, &data) == nil {
			h.user = data.User // whose message it is, be he the handler or not
		}
	default:
		return h, h.followed
	}
	return h, true
}

// row is a ticket as the desk's table has it.
type row struct {
	number, assignee string
	sandbox          bool
}

func (s *Service) follow(ctx context.Context) (more bool, err error) {
	var (
		from, to int64
		hints    []hint
		rows     map[string]row
		watched  map[string][]watcher
	)
	err = s.db.View(ctx, func(tx *db.Tx) error {
		hints, rows = nil, map[string]row{}
		if err := tx.Get("SELECT seq FROM ticket_cursor WHERE name = ?", cursorName).Scan(&from); err != nil {
			return err
		}
		events, err := event.After(tx, "", from, readMost)
		if err != nil {
			return err
		}
		to, more = from, len(events) == readMost
		for _, r := range events {
			to = r.Seq
			if h, ok := hinted(r, tx.Now); ok {
				hints = append(hints, h)
			}
		}
		if watched, err = followersOf(tx, hints); err != nil {
			return err
		}
		return deskRows(tx, hints, rows)
	})
	if err != nil || to == from {
		return false, err
	}
	var news []notify.News
	named := namedIn(hints)
	var subscribed, bosses []string
	asked := false
	for _, h := range hints {
		if len(news) >= newsMost {
			to, more = h.Seq-1, true
			break
		}
		t, ok := rows[h.SubjectID]
		if !ok {
			continue // gone meanwhile
		}
		n := notify.News{Kind: h.kind, Event: h.ID, Domain: h.Domain, Number: t.number, Revision: h.Revision, Sandbox: t.sandbox}
		if h.kind == notify.KindBreached || h.kind == notify.KindEscalated {
			if bosses == nil {
				if bosses, err = s.supervisors(ctx); err != nil {
					return false, err
				}
			}
			told := bosses
			if h.kind == notify.KindBreached && t.assignee != "" && !slices.Contains(bosses, t.assignee) {
				told = append(slices.Clone(bosses), t.assignee)
			}
			for _, n.User = range told {
				news = append(news, n)
			}
			continue
		}
		// A warning of a ticket that nobody has goes to those who want new ones.
		if h.kind != notify.KindNew && (h.kind != notify.KindWarned || t.assignee != "") {
			news = append(news, h.whom(n, t, watched[h.SubjectID], named)...)
			continue
		}
		if t.sandbox {
			continue // it never reaches a queue (design.md section 8)
		}
		if !asked {
			if subscribed, err = s.notify.Subscribed(ctx); err != nil {
				return false, err
			}
			asked = true
		}
		for _, n.User = range subscribed {
			news = append(news, n)
		}
	}
	told, err := s.notify.Tell(ctx, news)
	if err != nil {
		return false, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		var name string
		err := tx.Get("UPDATE ticket_cursor SET seq = ? WHERE name = ? AND seq = ? RETURNING name", to, cursorName, from).Scan(&name)
		if errors.Is(err, db.ErrNone) {
			more = false // another node has told it
			return nil
		}
		if err != nil {
			return err
		}
		s.notify.QueueTold(tx, told)
		return wakeAnswered(tx, hints)
	})
	return more, err
}

// deskRows reads the tickets of the hints at once.
func deskRows(tx *db.Tx, hints []hint, rows map[string]row) error {
	if len(hints) == 0 {
		return nil
	}
	args := make([]any, len(hints))
	for i, h := range hints {
		args[i] = h.SubjectID
	}
	return tx.List(func(r db.Row) error {
		var id string
		var t row
		var sandbox int64
		err := r.Scan(&id, &t.number, &t.assignee, &sandbox)
		t.sandbox = sandbox == 1
		rows[id] = t
		return err
	}, "SELECT ticket_id, number, assignee, sandbox FROM desk_tickets WHERE ticket_id IN (?"+strings.Repeat(", ?", len(hints)-1)+")", args...)
}
