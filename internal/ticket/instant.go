package ticket

import (
	"context"
	"errors"
	"slices"
	"strings"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/privilege"
	"casemate/internal/search"
)

// Limits of instant messages.
const (
	maxPolled  = 100  // tickets of one poll (contract)
	maxPerPoll = 1000 // messages of one answer; the cursor goes on behind them
)

// Faults of instant messages (semantics.md D6).
var (
	ErrNoMessage = fault.New(fault.NotFound, fault.CodeInvalid, "消息不存在", "there is no such message").In("message_id")
	errNotOwn    = fault.New(fault.Forbidden, fault.CodeNoPermission, "只能撤回自己发送的消息", "only the writer may withdraw a message").In("message_id")
	errOpening   = fault.New(fault.Conflict, fault.CodeNoPermission, "工单的问题描述不能撤回", "the description of a ticket cannot be withdrawn").In("message_id")
	errTooLate   = fault.New(fault.Conflict, fault.CodeNoPermission, "消息发送超过 {max} 秒，不能撤回", "a message can be withdrawn for {max} seconds").In("message_id")

	actWithdraw = locale.Texts{ZH: "撤回消息", EN: "changed by withdrawing a message"}
)

// Polled is what a poll tells of one ticket.
type Polled struct {
	Number string
	Status Status
	New    []Message // oldest first; a withdrawn one has no text
	Unread int       // messages of the other side the caller has not marked as read

	id, creator string
	revision    int64
}

// polled reads those of the tickets that the caller sees, in the order asked
// for. Unknown, deleted and foreign ones are left out alike (semantics.md D9),
// so that one of them does not end the poll of the others; when none is left,
// that is OSM.01010015.
func polled(tx *db.Tx, who principal.Principal, numbers []string, group string) (all []Polled, err error) {
	scope, err := privilege.ScopeOf(tx, who, group)
	if err != nil {
		return nil, err
	}
	args := []any{scope.Domain}
	for _, n := range numbers {
		args = append(args, n)
	}
	err = tx.List(func(r db.Row) error {
		var p Polled
		var status int64
		err := r.Scan(&p.id, &p.Number, &p.creator, &status, &p.revision)
		p.Status = Status(status)
		if p.Status != Deleted && scope.Has(scope.Domain, p.creator) {
			all = append(all, p)
		}
		return err
	}, "SELECT id, number, creator, status, revision FROM tickets WHERE domain_id = ? AND number IN ("+questions(len(numbers))+")", args...)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fault.NoTicket
	}
	slices.SortFunc(all, func(a, b Polled) int { return slices.Index(numbers, a.Number) - slices.Index(numbers, b.Number) })
	return all, unread(tx, who, all)
}

// checkNumbers leaves each number once.
func checkNumbers(numbers []string) ([]string, error) {
	numbers = slices.DeleteFunc(distinct(numbers), func(n string) bool { return n == "" })
	switch {
	case len(numbers) == 0:
		return nil, fault.Missing.In("case_ids")
	case len(numbers) > maxPolled:
		return nil, fault.TooManyItems.In("case_ids").With("max", maxPolled)
	}
	return slices.DeleteFunc(numbers, func(n string) bool { return len(n) > maxNumber }), nil
}

// unread counts, for each ticket, what the other side wrote behind the caller's
// mark: engineers' messages for a customer, customers' for an engineer. Notes
// and withdrawn messages do not count.
func unread(tx *db.Tx, who principal.Principal, tickets []Polled) error {
	domain, other := who.Domain, "m.side <> 0"
	if who.Kind != principal.Customer {
		other = "m.side = 0"
	}
	args := []any{who.User, domain}
	for _, p := range tickets {
		args = append(args, p.id)
	}
	at := map[string]int{}
	for i, p := range tickets {
		at[p.id] = i
	}
	return tx.List(func(r db.Row) error {
		var id string
		var n int64
		err := r.Scan(&id, &n)
		tickets[at[id]].Unread = int(n)
		return err
	}, `SELECT m.ticket_id, count(*) FROM messages AS m LEFT JOIN message_reads AS r ON r.domain_id = m.domain_id AND r.ticket_id = m.ticket_id AND r.user_id = ?
		WHERE m.domain_id = ? AND m.ticket_id IN (`+questions(len(tickets))+`) AND m.internal = 0 AND m.withdrawn_at = 0 AND `+other+`
		AND m.revision > COALESCE(r.revision, 0) GROUP BY m.ticket_id`, args...)
}

// Poll is what was said in tickets since the cursor of the last poll, and the
// cursor of the next one; "" is the beginning of each ticket. Going on from
// cursor to cursor shows every message once: none is lost and none repeated,
// however many write at the same time (the cursor holds the revision each
// ticket was read up to, and a ticket's revisions are committed in their
// order). An answer holds at most 1,000 messages; the next poll goes on behind
// them. A ticket the cursor does not know starts at its beginning; positions of
// tickets left out of a poll are kept for later ones.
//
// A message withdrawn before it was polled comes without text; one withdrawn
// afterwards is not repeated: the lists show it without text.
//
// OSM.01010015 when the caller sees none of the tickets, OSM.01010001 for a
// cursor that is not one of ours or not the caller's.
func (s *Service) Poll(ctx context.Context, who principal.Principal, numbers []string, group, after string) (all []Polled, next string, err error) {
	if numbers, err = checkNumbers(numbers); err != nil {
		return nil, "", err
	}
	if len(numbers) == 0 {
		return nil, "", fault.NoTicket
	}
	var at, moved positions
	var renew bool
	var said []Message
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if at, renew, err = s.readCursor(tx, who, after); err != nil {
			return err
		}
		if all, err = polled(tx, who, numbers, group); err != nil {
			return err
		}
		moved, err = newMessages(tx, who.Domain, all, at)
		if err != nil {
			return err
		}
		if err := newFiles(tx, who.Domain, all); err != nil {
			return err
		}
		said = nil
		for _, p := range all {
			said = append(said, p.New...)
		}
		return publicAuthors(tx, said)
	})
	if err != nil {
		return nil, "", err
	}
	if err := s.nameFiles(ctx, said); err != nil {
		return nil, "", err
	}
	if err := s.nameCustomers(ctx, who.Domain, said); err != nil {
		return nil, "", err
	}
	for i := range all {
		said = said[copy(all[i].New, said):]
	}
	if after != "" && len(moved) == 0 && !renew {
		return all, after, nil
	}
	next, err = s.writeCursor(ctx, who, at, moved)
	return all, next, err
}

// newMessages fills in what was said behind the positions and answers the
// positions that moved.
func newMessages(tx *db.Tx, domain string, all []Polled, at positions) (positions, error) {
	var behind []string
	var args []any
	index := map[string]int{}
	for i, p := range all {
		index[p.id] = i
		if from := at[tag(p.id)]; p.revision > from {
			behind, args = append(behind, "(CAST(? AS TEXT), CAST(? AS BIGINT))"), append(args, p.id, from)
		}
	}
	moved := positions{}
	if len(behind) == 0 {
		return moved, nil
	}
	type row struct {
		m  Message
		on string // whose stream
	}
	var rows []row
	err := tx.List(func(r db.Row) error {
		var on string
		var at int64
		m, err := scanMessage(r, &on, &at)
		m.Revision = at
		rows = append(rows, row{m, on})
		return err
	}, "WITH behind(ticket, after) AS (VALUES "+strings.Join(behind, ", ")+") SELECT "+aliased("m", messageColumns)+`, b.ticket AS stream, m.revision AS at_revision FROM behind AS b
		JOIN messages AS m ON m.domain_id = ? AND m.ticket_id = b.ticket AND m.revision > b.after AND m.internal = 0
		UNION ALL SELECT `+aliased("m", messageColumns)+`, b.ticket, v.from_revision FROM behind AS b
		JOIN message_moves AS v ON v.domain_id = ? AND v.from_ticket = b.ticket AND v.from_revision > b.after AND v.silent = 0 AND v.undone_at = 0
		JOIN messages AS m ON m.domain_id = v.domain_id AND m.id = v.message_id AND m.internal = 0
		ORDER BY stream, at_revision, id LIMIT ?`, append(args, domain, domain, maxPerPoll+1)...)
	if err != nil {
		return nil, err
	}
	cut := "" // the first ticket that is not read to its end
	if len(rows) > maxPerPoll {
		last := rows[maxPerPoll]
		cut = last.on
		// Never in the middle of a revision.
		for len(rows) > 0 && rows[len(rows)-1].on == cut && rows[len(rows)-1].m.Revision == last.m.Revision {
			rows = rows[:len(rows)-1]
		}
	}
	var wandered []string // messages that are in several streams
	for _, r := range rows {
		if r.m.Origin != "" {
			wandered = append(wandered, r.m.ID)
		}
	}
	passed, err := passedBy(tx, domain, distinct(wandered), at)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		p := &all[index[r.on]]
		if r.on == cut {
			moved[tag(r.on)] = r.m.Revision
		}
		if passed[r.m.ID] {
			continue // shown in another stream
		}
		if r.m.Origin != "" {
			passed[r.m.ID] = true
		}
		p.New = append(p.New, r.m)
	}
	for _, p := range all {
		if p.revision > at[tag(p.id)] && (cut == "" || p.id < cut) {
			moved[tag(p.id)] = p.revision
		}
	}
	return moved, nil
}

// passedBy are those of the messages that a cursor has passed in one of the
// streams they are in (move.go).
func passedBy(tx *db.Tx, domain string, ids []string, at positions) (map[string]bool, error) {
	passed := map[string]bool{}
	if len(ids) == 0 {
		return passed, nil
	}
	type place struct {
		message, ticket string
		revision        int64
	}
	var left, came []place
	dropped := map[place]bool{} // the stream lost the message
	err := tx.List(func(r db.Row) error {
		var from, to place
		var silent int64
		err := r.Scan(&from.message, &from.ticket, &from.revision, &to.ticket, &to.revision, &silent)
		to.message = from.message
		if left, came = append(left, from), append(came, to); silent == 1 {
			dropped[from] = true
		}
		return err
	}, "SELECT message_id, from_ticket, from_revision, to_ticket, to_revision, silent FROM message_moves WHERE domain_id = ? AND undone_at = 0 AND message_id IN ("+questions(len(ids))+")",
		append([]any{domain}, anys(ids)...)...)
	for _, p := range append(left, came...) {
		if !dropped[p] && at[tag(p.ticket)] >= p.revision {
			passed[p.message] = true
		}
	}
	return passed, err
}

// Unread is, for each of the tickets, its state and how many messages of the
// engineers the caller has not marked as read. It fails as Poll does.
func (s *Service) Unread(ctx context.Context, who principal.Principal, numbers []string, group string) (all []Polled, err error) {
	if numbers, err = checkNumbers(numbers); err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		return nil, fault.NoTicket
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { all, err = polled(tx, who, numbers, group); return err })
	return all, err
}

// MarkRead notes that the caller has read a ticket up to now; what others have
// read is not touched. Nothing is written when there was nothing new.
func (s *Service) MarkRead(ctx context.Context, who principal.Principal, number, group string) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		t, err := visible(tx, who, number, group)
		if err != nil {
			return err
		}
		return markRead(tx, who, t)
	})
}

func markRead(tx *db.Tx, who principal.Principal, t Ticket) error {
	reader := who
	reader.Domain = t.Domain // an engineer's mark lies with the ticket
	p := []Polled{{id: t.ID}}
	if err := unread(tx, reader, p); err != nil || p[0].Unread == 0 {
		return err
	}
	tx.Write(db.Any, `INSERT INTO message_reads (domain_id, ticket_id, user_id, revision, read_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (domain_id, ticket_id, user_id) DO UPDATE SET revision = excluded.revision, read_at = excluded.read_at WHERE message_reads.revision < excluded.revision`,
		t.Domain, t.ID, who.User, t.Revision, tx.Now)
	event.Record(tx, who, event.Event{Domain: t.Domain, Kind: "ticket.read", Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: event.NoLog,
		Data: map[string]any{"messages": p[0].Unread}})
	return nil
}

// Before is the message one pages back from, by what a client knows of it.
type Before struct {
	At    int64 // milliseconds UTC
	Exact bool  // At is the message's very time, not the second it fell into
	Side  Side  // who wrote it: CustomerSide, or anything else for the other side
}

// Older is the newest messages before one, newest first, and how many there are
// before it. When only the second is known, it is the newest message of the
// side in that second: rather one is shown again than one is lost; and a page
// then reaches behind that second even if the limit would end it there, so that
// paging by seconds (the Go SDK prints no fractions) comes to an end. Limit 0 = 10.
func (s *Service) Older(ctx context.Context, who principal.Principal, number, group string, b Before, limit int) (page []Message, total int, err error) {
	if limit == 0 {
		limit = defaultLimit
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page, total = nil, 0
		t, err := visible(tx, who, number, group)
		if err != nil {
			return err
		}
		pivot, most := b.At, limit
		if !b.Exact {
			side := "side <> 0"
			if b.Side == CustomerSide {
				side = "side = 0"
			}
			err := tx.Get("SELECT COALESCE(max(created_at), ?) FROM messages WHERE domain_id = ? AND ticket_id = ? AND internal = 0 AND created_at >= ? AND created_at < ? AND "+side,
				b.At, t.Domain, t.ID, b.At, b.At+1000).Scan(&pivot)
			if err != nil {
				return err
			}
			var within int
			err = tx.Get("SELECT count(*) FROM messages WHERE domain_id = ? AND ticket_id = ? AND internal = 0 AND created_at >= ? AND created_at < ?", t.Domain, t.ID, b.At, pivot).Scan(&within)
			if err != nil {
				return err
			}
			most = max(limit, within+1)
		}
		if err := tx.Get("SELECT count(*) FROM messages WHERE domain_id = ? AND ticket_id = ? AND internal = 0 AND created_at < ?", t.Domain, t.ID, pivot).Scan(&total); err != nil {
			return err
		}
		err = tx.List(func(r db.Row) error {
			m, err := scanMessage(r)
			page = append(page, m)
			return err
		}, "SELECT "+messageColumns+" FROM messages WHERE domain_id = ? AND ticket_id = ? AND internal = 0 AND created_at < ? ORDER BY created_at DESC, id DESC LIMIT ?",
			t.Domain, t.ID, pivot, most)
		if err != nil {
			return err
		}
		if err := filesOf(tx, t, page, true); err != nil {
			return err
		}
		return publicAuthors(tx, page)
	})
	if err == nil {
		err = s.nameFiles(ctx, page)
	}
	if err != nil {
		return nil, 0, err
	}
	return page, total, s.nameCustomers(ctx, who.Domain, page)
}

// Withdraw takes a message of the caller's back, for two minutes after it was
// written (config: ticket.withdraw_within), while the ticket is open
// (semantics.md D6). It keeps its place without its text and files; the text is
// gone from the store and the index too; whether it was read does not matter. A second
// time is no error and changes nothing. The contract has no group here: the
// ticket is one the caller sees by any way. Failures: OSM.01010015 (no such
// ticket), OSM.01010001 (no such message), OSM.01010002 (another's message, the
// description, too late, a finished ticket).
func (s *Service) Withdraw(ctx context.Context, who principal.Principal, number, message string) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		reach, err := privilege.Reach(tx, who)
		if err != nil {
			return err
		}
		before, err := seen(tx, reach, number)
		if err != nil {
			return err
		}
		m, err := scanMessage(tx.Get("SELECT "+messageColumns+" FROM messages WHERE domain_id = ? AND id = ? AND ticket_id = ? AND internal = 0", before.Domain, message, before.ID))
		within := s.o.Config.WithdrawWithin
		switch {
		case errors.Is(err, db.ErrNone):
			return ErrNoMessage
		case err != nil:
			return err
		case m.Side != CustomerSide || m.Author != who.User:
			return errNotOwn
		case m.Opening:
			return errOpening
		case m.Withdrawn > 0:
			return nil
		case !before.Status.Open():
			return errState(actWithdraw, before.Status)
		case within < 0 || tx.Now > m.Created+ms(within):
			return errTooLate.With("max", max(within, 0).Seconds())
		}
		files, err := attachment.OfTicket(tx, before.Domain, before.ID, false)
		if err != nil {
			return err
		}
		gone := []string{m.ID}
		for _, f := range files[m.ID] {
			gone = append(gone, f.ID)
		}
		t := change(tx, before, before)
		tx.Write(1, "UPDATE messages SET text = '', withdrawn_at = ? WHERE domain_id = ? AND id = ? AND withdrawn_at = 0", tx.Now, t.Domain, m.ID)
		search.Remove(tx, t.Domain, gone...)
		attachment.Hide(tx, t.Domain, t.ID, m.ID)
		event.Record(tx, who, event.Event{Domain: t.Domain, Kind: "ticket.withdraw", Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: logRevoke,
			Data: map[string]any{"message": m.ID}})
		return nil
	})
}
