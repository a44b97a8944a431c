// Package live tells open pages that something happened, as it happens. One
// reader per node follows the sealed events and keeps the last minutes of them,
// small, in one ring; a client is a place in that ring and nothing more, so
// that thousands of them cost one reader and little memory.
//
// What is told are ids and versions only. A page reads what it shows by the
// same calls as ever, which check rights again: an event told to the wrong
// client would give away that something happened, and nothing else. Even that
// is kept from it (see visible).
package live

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Kinds of what is told (api/web.yaml, StreamEvents).
const (
	TicketChanged    = "ticket.changed"
	MessageNew       = "message.new"
	MessageWithdrawn = "message.withdrawn"
	AuthChanged      = "auth.changed"
	SLADue           = "sla.due"
	Presence         = "presence"
	Counts           = "queue.counts"
	Notice           = "notice"
	Reset            = "reset"
	Alive            = "alive" // nothing happened, and the server is there
)

const (
	keepFor   = 10 * time.Minute // as the contract says: a longer gap is answered by reset
	pollEvery = 2 * time.Second  // beside the wake-up, which may miss
	readBatch = 500
	behind    = 20_000 // so many events behind, the reader begins anew at the head
)

// Item is one thing that happened.
type Item struct {
	Seq, DomainSeq int64
	At             int64 // milliseconds UTC
	Kind           string
	Domain         string
	Ticket         string // number, "" = it is about none
	Revision       int64
	What, ID       string // of a notice: what it is about, and the id of what is no ticket

	creator, partner string
	house            bool     // for the house alone
	users            []string // for these people of the house alone
	bosses           bool     // for the house's supervisors and administrators alone
	only             string   // for this partner's people alone
	passing          bool     // of the moment: it has no number and is told once
	subject, id      string   // of rights: whose they are
}

// rights is the kind of what clients are not told: that somebody's rights, or his
// credentials, may be others now.
const rights = "rights"

// concerns tells whether a client's rights may be others.
func (i Item) concerns(who principal.Principal) bool {
	if i.Kind != rights {
		return false
	}
	switch i.subject {
	case "user":
		return i.Domain == who.Domain && i.id == who.User
	case "partner":
		return who.Partner != "" && i.id == who.Partner
	}
	return i.Domain == who.Domain // its groups and switches
}

// Options of the hub; zero values mean the defaults.
type Options struct {
	Beat    time.Duration // between signs of life; 15 s
	PerUser int           // streams of one user at once; 20
	Keep    int           // items in the ring at most; 8192

	Presence func(context.Context) ([]ticket.Someone, error) // who is at which ticket now; nil = nobody is told

	Log *slog.Logger
}

// Hub is the node's reader and its clients.
type Hub struct {
	db      *db.DB
	tickets *ticket.Service
	o       Options

	mu      sync.Mutex
	ring    []Item
	dropped int64         // items ever taken off the front: ring[0] is item number dropped
	floor   int64         // all events behind this number are in the ring, or are told to nobody
	last    int64         // number of the last event read
	begun   bool          // a first client came and said where to begin
	news    chan struct{} // closed when the ring grew
	perUser map[string]int
	clients int
	ended   chan struct{}
	end     sync.Once
	start   chan struct{} // a first client came

	present map[ticket.Someone]bool // the reader's: who was where
}

var errStreams = fault.New(fault.TooMany, fault.CodeForbidden, "同时打开的实时连接过多，最多 {max} 个", "too many live streams at once, at most {max}")

// New makes the hub; Run reads.
func New(d *db.DB, tickets *ticket.Service, o Options) *Hub {
	if o.Beat == 0 {
		o.Beat = 15 * time.Second
	}
	if o.PerUser == 0 {
		o.PerUser = 20
	}
	if o.Keep == 0 {
		o.Keep = 8192
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Hub{db: d, tickets: tickets, o: o, news: make(chan struct{}), perUser: map[string]int{}, ended: make(chan struct{}), start: make(chan struct{}, 1)}
}

// Run reads until the context ends or Close. While there is no client it does
// not ask the database.
func (h *Hub) Run(ctx context.Context) {
	wake, moved := h.db.Wake(event.Sealed), h.db.Wake(ticket.PresenceMoved)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.ended:
			return
		case <-wake:
		case <-moved:
		case <-tick.C:
		case <-h.start:
		}
		if h.idle() {
			continue
		}
		err := errors.Join(h.Read(ctx), h.look(ctx))
		if err != nil && ctx.Err() == nil && !failing {
			h.o.Log.Warn("live events", "error", err)
		}
		failing = err != nil
	}
}

// Close ends all streams and the reader: the server stops.
func (h *Hub) Close() { h.end.Do(func() { close(h.ended) }) }

func (h *Hub) idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clients == 0
}

// Look takes in who came to tickets and who left them since the last time.
func (h *Hub) Look(ctx context.Context) error { return h.look(ctx) }

// Read takes in what was sealed since the last time.
func (h *Hub) Read(ctx context.Context) error {
	for {
		h.mu.Lock()
		last, begun := h.last, h.begun
		h.mu.Unlock()
		if !begun {
			return nil
		}
		rows, err := h.after(ctx, last)
		if err != nil {
			return err
		}
		items, err := h.items(ctx, rows)
		if err != nil {
			return err
		}
		h.mu.Lock()
		if len(rows) > 0 {
			h.last = rows[len(rows)-1].Seq
		}
		h.ring = append(h.ring, items...)
		h.trim()
		if len(items) > 0 {
			close(h.news)
			h.news = make(chan struct{})
		}
		h.mu.Unlock()
		if len(rows) < readBatch {
			return nil
		}
	}
}

func (h *Hub) after(ctx context.Context, last int64) (rows []event.Row, err error) {
	err = h.db.View(ctx, func(tx *db.Tx) error {
		head, err := event.Head(tx, "")
		if err != nil {
			return err
		}
		if head-last > behind {
			last = head
			h.mu.Lock()
			h.dropped += int64(len(h.ring)) + 1 // whoever was there is told to read anew
			h.ring, h.floor, h.last = nil, head, head
			h.mu.Unlock()
		}
		rows, err = event.After(tx, "", last, readBatch)
		return err
	})
	return rows, err
}

// trim lets go of what is old or too much. The lock is held.
func (h *Hub) trim() {
	old := h.db.Now().Add(-keepFor).UnixMilli()
	n := max(0, len(h.ring)-h.o.Keep)
	for n < len(h.ring) && h.ring[n].At < old {
		n++
	}
	if n == 0 {
		return
	}
	h.floor = h.ring[n-1].Seq
	h.ring = append([]Item(nil), h.ring[n:]...)
	h.dropped += int64(n)
}

// items makes of events what is told of them; most are told to nobody.
func (h *Hub) items(ctx context.Context, rows []event.Row) ([]Item, error) {
	var items []Item
	var subjects []string // ticket ids, beside items; "" = about none
	var keys [][2]string
	asked := map[[2]string]bool{}
	add := func(i Item, id string) {
		items, subjects = append(items, i), append(subjects, id)
		if k := [2]string{i.Domain, id}; id != "" && i.Kind != rights && !asked[k] {
			asked[k], keys = true, append(keys, k)
		}
	}
	for _, r := range rows {
		if i, id := item(r); i.Kind != "" && id != "" {
			add(i, id)
		}
		if i, id, ok := notice(r); ok {
			add(i, id)
		}
		if counts(r) {
			i := Item{Kind: Counts, Seq: r.Seq, At: r.At, Domain: r.Domain, house: true, passing: true}
			if r.Subject == "ticket" {
				add(i, r.SubjectID)
			} else {
				add(i, "")
			}
		}
	}
	marks, err := h.tickets.Marks(ctx, keys)
	if err != nil {
		return nil, err
	}
	known, counted := items[:0], map[string]bool{}
	for n, i := range items {
		if i.Kind == rights {
			known = append(known, i)
			continue
		}
		if subjects[n] != "" {
			m, ok := marks[[2]string{i.Domain, subjects[n]}]
			if !ok {
				continue // erased since
			}
			i.Ticket, i.creator, i.partner = m.Number, m.Creator, m.Partner
		}
		if i.Kind == Counts {
			counted[i.partner] = true
			continue
		}
		known = append(known, i)
	}
	// Of many changes one word is enough, behind them; of each partner's business
	// one to its people, and the house hears of them all by one.
	if len(counted) > 0 {
		last := rows[len(rows)-1]
		word := Item{Kind: Counts, Seq: last.Seq, At: last.At, house: true, passing: true}
		known = append(known, word)
		for p := range counted {
			if p != "" {
				word.only = p
				known = append(known, word)
			}
		}
	}
	return known, nil
}

// forCustomers are the events of a ticket that its customer may know of: what
// the customer's own pages show. Notes, assignments, snoozes, followers and the
// like are the house's.
var forCustomers = map[string]bool{
	"ticket.create": true, "ticket.reply": true, "ticket.withdraw": true, "ticket.accept": true, "ticket.ask": true, "ticket.resolve": true,
	"ticket.pause": true, "ticket.resume": true, "ticket.cancel": true, "ticket.close": true, "ticket.delete": true, "ticket.urge": true,
	"ticket.score": true, "ticket.autoclose": true, "ticket.autosolve": true, "ticket.invalid": true, "ticket.relate": true, "ticket.unrelate": true,
	"ticket.params": true, "ticket.read": true, "ticket.label": true, "ticket.unlabel": true, "ticket.undo": true, "ticket.merge": true, "ticket.absorb": true,
	"ticket.contact.set": true, "ticket.contact.clear": true, "ticket.split": true, "ticket.move": true, "ticket.receive": true,
}

// item is what an event means to pages, with the id of its ticket; no kind =
// nothing.
func item(r event.Row) (i Item, ticketID string) {
	i = Item{Seq: r.Seq, DomainSeq: r.DomainSeq, At: r.At, Domain: r.Domain, Revision: r.Revision}
	family, _, _ := strings.Cut(r.Kind, ".")
	switch {
	case r.Subject == "user" || r.Subject == "group" || r.Subject == "domain" || r.Subject == "partner":
		i.Kind, i.subject, i.id = rights, r.Subject, r.SubjectID
		return i, r.SubjectID
	case r.Subject == "authorization" && family == "authorization":
		var data struct {
			Ticket string `json:"ticket"`
			To     int    `json:"to"`
		}
		_ = json.Unmarshal(r.Data, &data) // what it lacks leaves no ticket
		i.Kind = AuthChanged
		i.house = data.To < 0 || data.To > 5 // not asked for yet: in approval, refused by the house (authorization_status.csv)
		return i, data.Ticket
	case r.Subject != "ticket":
		return Item{}, ""
	case family == "sla":
		i.Kind, i.house = SLADue, true
	case r.Kind == "ticket.reply":
		i.Kind = MessageNew
	case r.Kind == "ticket.note":
		i.Kind, i.house = MessageNew, true
	case r.Kind == "ticket.withdraw":
		i.Kind = MessageWithdrawn
	case family == "ticket":
		i.Kind, i.house = TicketChanged, !forCustomers[r.Kind]
	default:
		return Item{}, ""
	}
	return i, r.SubjectID
}

// visible is whether a client may know of it: customers of tickets that they
// could open (scope), a partner's people of what is the partner's business,
// other people of the house of all. A notice is for those it names.
func visible(i Item, who principal.Principal, scope func(domain, user string) bool) bool {
	switch who.Kind {
	case principal.Customer:
		return !i.house && i.Domain == who.Domain && scope(i.Domain, i.creator)
	case principal.Engineer:
		switch {
		case len(i.users) > 0 && !slices.Contains(i.users, who.User), i.bosses && !who.Is(principal.RoleSupervisor) && !who.Admin():
			return false
		case i.Kind == Counts:
			return i.only == who.Partner
		}
		return who.Partner == "" || i.partner == who.Partner
	}
	return false
}
