package live

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/principal"
	"casemate/internal/privilege"
)

// scopeFor is how long whose tickets a customer sees is taken as known
// (threats.md B8).
const scopeFor = time.Second

// Still tells who a stream's client is now, or that he is nobody any more. fresh =
// as it is stored; else it may keep for a second what it knows (threats.md B8).
type Still func(ctx context.Context, fresh bool) (principal.Principal, error)

// Stream is one client's events as text/event-stream: an io.ReadCloser whose
// Read waits for the next ones. It ends with its context, with the hub, or when
// its session is over.
type Stream struct {
	hub   *Hub
	ctx   context.Context
	who   principal.Principal
	still Still

	buf    bytes.Buffer
	at     int64 // number of the next item, counted over the ring's whole life
	from   int64 // events up to this number are known, or were before its time
	scope  privilege.Scope
	scoped time.Time
	beat   *time.Timer
	closed bool
}

// told is an event's data on the wire.
type told struct {
	Ticket   string `json:"ticket,omitempty"`
	Domain   string `json:"domain,omitempty"`   // the house's clients only
	Revision int64  `json:"revision,omitempty"` // the house's clients only: it counts what customers do not see, too
	Notice   string `json:"notice,omitempty"`   // what a notice is about
	ID       string `json:"id,omitempty"`       // of a bulk run or a rule
}

// Open begins a client's stream behind the event it saw last ("" = from now
// on). Numbers are the installation's for people of the house and their
// domain's for customers, who would learn from the others how much goes on
// elsewhere. still is asked whether the caller may go on, at each sign of life and
// before anything is told, so that nobody who is shut out is told more, and afresh
// when an event says that his rights may be others: with other roles the stream
// ends, and the client's next one is judged anew. Open fails with OSM.0003 when the
// user has too many streams.
func (h *Hub) Open(ctx context.Context, who principal.Principal, lastSeen string, still Still) (*Stream, error) {
	key := who.Domain + "/" + who.User
	h.mu.Lock()
	if h.perUser[key] >= h.o.PerUser {
		h.mu.Unlock()
		return nil, errStreams.With("max", h.o.PerUser)
	}
	h.perUser[key]++
	h.clients++
	h.mu.Unlock()
	s := &Stream{hub: h, ctx: ctx, who: who, still: still, beat: time.NewTimer(h.o.Beat)}
	if err := s.begin(lastSeen); err != nil {
		return nil, s.fail(err)
	}
	select {
	case h.start <- struct{}{}:
	default:
	}
	return s, nil
}

func (s *Stream) fail(err error) error {
	_ = s.Close()
	return err
}

// begin finds the place in the ring to go on from, and says where that is.
func (s *Stream) begin(lastSeen string) error {
	h := s.hub
	seen, err := strconv.ParseInt(lastSeen, 10, 64)
	known := err == nil && seen >= 0
	var head, all, from int64 // head in the client's numbers, all and from in the installation's
	fresh := true
	err = h.db.View(s.ctx, func(tx *db.Tx) error {
		var err error
		if head, err = event.Head(tx, s.domain()); err != nil {
			return err
		}
		if all, err = event.Head(tx, ""); err != nil {
			return err
		}
		from, fresh = all, true
		if !known || seen == head {
			return nil
		}
		rows, err := event.After(tx, s.domain(), seen-1, 1)
		if err != nil {
			return err
		}
		fresh = len(rows) == 1 && (rows[0].DomainSeq == seen && s.domain() != "" || rows[0].Seq == seen && s.domain() == "") && rows[0].At >= h.db.Now().Add(-keepFor).UnixMilli()
		if fresh {
			from = rows[0].Seq
		}
		return nil
	})
	if err != nil {
		return err
	}
	h.mu.Lock()
	if !h.begun {
		h.last, h.floor, h.begun = all, all, true
	}
	if fresh && from < h.floor {
		fresh = false
	}
	if !fresh {
		from = all
	}
	s.at, s.from = h.dropped, from
	for _, i := range h.ring {
		if i.Seq > from {
			break
		}
		s.at++
	}
	h.mu.Unlock()
	s.buf.WriteString("retry: 2000\n")
	switch {
	case !fresh:
		fmt.Fprintf(&s.buf, "id: %d\nevent: %s\ndata: {}\n\n", head, Reset)
	case !known || seen == head:
		fmt.Fprintf(&s.buf, "id: %d\n", head) // so that a reconnect before the first event misses nothing
	}
	s.alive()
	return nil
}

// alive is the sign of life, with when the next one comes at the latest.
func (s *Stream) alive() {
	fmt.Fprintf(&s.buf, "event: %s\ndata: {\"every\":%d}\n\n", Alive, s.hub.o.Beat.Milliseconds())
}

// domain is whose numbers the client gets: "" = the installation's.
func (s *Stream) domain() string {
	if s.who.Kind == principal.Customer {
		return s.who.Domain
	}
	return ""
}

// Read waits for what the client is told next.
func (s *Stream) Read(p []byte) (int, error) {
	for s.buf.Len() == 0 {
		news, err := s.take()
		if err != nil {
			return 0, err
		}
		if s.buf.Len() > 0 {
			break
		}
		select {
		case <-s.ctx.Done():
			return 0, io.EOF
		case <-s.hub.ended:
			return 0, io.EOF
		case <-news:
		case <-s.beat.C:
			s.beat.Reset(s.hub.o.Beat)
			if s.over() {
				return 0, io.EOF
			}
			s.alive()
		}
	}
	return s.buf.Read(p)
}

// take writes down the items behind the client's place, and gives what tells of
// further ones.
func (s *Stream) take() (<-chan struct{}, error) {
	h := s.hub
	h.mu.Lock()
	news, missed := h.news, s.at < h.dropped
	var items []Item
	if missed {
		s.at = h.dropped + int64(len(h.ring))
	} else {
		items = append(items, h.ring[s.at-h.dropped:]...)
		s.at += int64(len(items))
	}
	head := h.last
	h.mu.Unlock()
	if missed {
		if s.changed() {
			return nil, io.EOF
		}
		if s.domain() == "" {
			fmt.Fprintf(&s.buf, "id: %d\n", head)
		}
		fmt.Fprintf(&s.buf, "event: %s\ndata: {}\n\n", Reset)
		return news, nil
	}
	for _, i := range items {
		if i.concerns(s.who) && i.Seq > s.from {
			if s.changed() {
				return nil, io.EOF
			}
			break // it is as it is stored now, whatever came behind
		}
	}
	asked := false
	for _, i := range items {
		if i.Seq <= s.from && !i.passing || i.Kind == rights {
			continue // the reader was behind when the client came
		}
		if s.who.Kind == principal.Customer && i.Domain == s.who.Domain && !i.house {
			if err := s.rescope(); err != nil {
				return nil, err
			}
		}
		if !visible(i, s.who, s.scope.Has) {
			continue
		}
		if !asked && s.over() {
			return nil, io.EOF
		}
		asked = true
		s.write(i)
	}
	return news, nil
}

// over tells that the client is nobody any more.
func (s *Stream) over() bool {
	_, err := s.still(s.ctx, false)
	return err != nil
}

// changed looks at the client's rights again. It tells that the stream must end:
// he is nobody any more, or has other roles than those he was let in with. What his
// account lets its people see is taken over.
func (s *Stream) changed() bool {
	now, err := s.still(s.ctx, true)
	if err != nil || now.Kind != s.who.Kind || now.Role != s.who.Role || now.Roles != s.who.Roles || now.Partner != s.who.Partner || now.Main != s.who.Main {
		return true
	}
	s.who.AllTickets, s.scoped = now.AllTickets, time.Time{}
	return false
}

// rescope reads whose tickets a customer sees, now and then: groups change.
func (s *Stream) rescope() error {
	if time.Since(s.scoped) < scopeFor {
		return nil
	}
	err := s.hub.db.View(s.ctx, func(tx *db.Tx) (err error) {
		s.scope, err = privilege.Reach(tx, s.who)
		return err
	})
	s.scoped = time.Now()
	return err
}

func (s *Stream) write(i Item) {
	data, id := told{Ticket: i.Ticket, Notice: i.What, ID: i.ID}, i.DomainSeq
	if s.domain() == "" {
		data.Domain, data.Revision, id = i.Domain, i.Revision, i.Seq
	}
	text, err := json.Marshal(data)
	if err != nil {
		return // strings and numbers always marshal
	}
	if !i.passing {
		fmt.Fprintf(&s.buf, "id: %d\n", id)
	}
	fmt.Fprintf(&s.buf, "event: %s\ndata: %s\n\n", i.Kind, text)
}

// Close gives the place up. It may be called twice.
func (s *Stream) Close() error {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.beat.Stop()
	key := s.who.Domain + "/" + s.who.User
	s.hub.clients--
	if s.hub.perUser[key]--; s.hub.perUser[key] == 0 {
		delete(s.hub.perUser, key)
	}
	return nil
}
