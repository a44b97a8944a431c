package ticket

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// Messages go from ticket to ticket by a merge (merge.go), a split (split.go)
// or a move. What holds for all three:
//
//   - The tickets are one customer's, and the business of the same side. They are
//     one submitter's, unless a supervisor or administrator of the house does it.
//   - A message keeps its id, text, writer and time; the time moves by the least
//     that makes it the only one of its ticket, so that pages by time lose none.
//   - In its new ticket it is of that ticket's new revision, so that polls of it
//     show it once. In the stream of the old ticket it stays where it was, so that
//     polls of that one lose nothing; a cursor that has passed a message in one of
//     them is not shown it in the other. Between tickets of two submitters the
//     old stream loses it: who has not read it there shall not.
//   - Its files go with it. Additional parameters stay: they are of the form of the
//     ticket they were filled in for.
//   - What was sent about it is not called back.

// Limits of what one operation moves.
const (
	maxMoved   = 100  // chosen messages of a split or move
	maxMerging = 1000 // messages of a merged ticket: what a poll shows at once
)

// Kinds of events of these operations.
const (
	kindMerge   = "ticket.merge"   // of the source
	kindAbsorb  = "ticket.absorb"  // of the target
	kindSplit   = "ticket.split"   // of the ticket that was split
	kindMove    = "ticket.move"    // messages went away
	kindReceive = "ticket.receive" // messages came
)

// Faults of merging, splitting and moving.
var (
	ErrCustomers = fault.New(fault.Conflict, "OSM.01010048", "两个工单不属于同一客户", "the tickets are not of one customer")
	errMerging   = fault.New(fault.Conflict, fault.CodeInvalid, "工单消息超过 {max} 条，不能合并", "a ticket of more than {max} messages cannot be merged").With("max", maxMerging)
	errNotThere  = fault.New(fault.NotFound, fault.CodeInvalid, "工单中没有该消息：{id}", "the ticket has no such message: {id}").In("message_ids")
	errDescribes = fault.New(fault.Conflict, fault.CodeInvalid, "工单的问题描述不能移走：{id}", "the description of a ticket cannot be taken out of it: {id}").In("message_ids")

	actMerge = locale.Texts{ZH: "合并", EN: "merged"}
	actMove  = locale.Texts{ZH: "移动消息", EN: "changed by moving messages"}

	saidMovedAway = locale.Texts{ZH: "有消息已移至工单 %[2]s（消息数：%[1]d）。", EN: "Moved to ticket %[2]s (messages: %[1]d)."}
	saidMovedHere = locale.Texts{ZH: "有消息由工单 %[2]s 移入（消息数：%[1]d）。", EN: "Moved here from ticket %[2]s (messages: %[1]d)."}
)

// Move is some messages on their way from one ticket to another.
type Move struct {
	From, To string   // numbers
	Messages []string // ids, 1..100, each once; not the description
	Version  int64    // revision of From the caller saw; 0 = whatever it is
}

// leads tells who may join what is of two submitters.
func leads(who principal.Principal) bool {
	return who.Partner == "" && (who.Is(principal.RoleSupervisor) || who.Is(principal.RoleAdministrator))
}

// joinable holds two tickets against each other: .48 (two customers, two
// submitters), .49 (two sides), .01 (one ticket).
func joinable(tx *db.Tx, who principal.Principal, a, b Ticket, field string) error {
	for _, t := range []Ticket{a, b} {
		if t.Status == Deleted {
			return fault.NoTicket
		}
		if err := sees(tx, who, t); err != nil {
			return err
		}
	}
	switch {
	case a.Domain != b.Domain:
		return ErrCustomers
	case a.ID == b.ID:
		return ErrItself.In(field)
	case a.Creator != b.Creator && !leads(who):
		return ErrPerson
	}
	sideA, err := partnerOf(tx, a)
	if err != nil {
		return err
	}
	sideB, err := partnerOf(tx, b)
	if err == nil && (a.Ownership != b.Ownership || sideA != sideB) {
		err = ErrBusiness
	}
	return err
}

// pairOf finds two tickets for the caller, outside a transaction, and puts the
// first one's clock into the context.
func (s *Service) pairOf(ctx context.Context, who principal.Principal, a, b string) (context.Context, Ticket, Ticket, error) {
	first, err := s.deskTicketOf(ctx, who, a)
	if err != nil {
		return ctx, first, Ticket{}, err
	}
	second, err := s.deskTicketOf(ctx, who, b)
	if err != nil {
		return ctx, first, second, err
	}
	ctx, err = s.ident.OnClock(ctx, first.Domain)
	return ctx, first, second, err
}

// again reads tickets in a transaction.
func again(tx *db.Tx, tickets ...*Ticket) error {
	for _, t := range tickets {
		now, err := ticketIn(tx, t.Domain, t.ID)
		if err != nil {
			return err
		}
		*t = now
	}
	return nil
}

// changeBoth raises two tickets' revisions in the order every caller uses.
func changeBoth(tx *db.Tx, before, after [2]Ticket) (a, b Ticket) {
	if before[0].ID < before[1].ID {
		a = change(tx, before[0], after[0])
		return a, change(tx, before[1], after[1])
	}
	b = change(tx, before[1], after[1])
	return change(tx, before[0], after[0]), b
}

// chosen are the messages of a ticket by their ids, oldest first. The
// description is not among those that can be chosen.
func chosen(tx *db.Tx, t Ticket, ids []string) ([]Message, error) {
	switch {
	case len(ids) == 0:
		return nil, fault.Missing.In("message_ids")
	case len(ids) > maxMoved:
		return nil, fault.TooManyItems.In("message_ids").With("max", maxMoved)
	}
	said, err := messagesOf(tx, t, "id IN ("+questions(len(ids))+")", 0, maxMoved, anys(ids)...)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		i := slices.IndexFunc(said, func(m Message) bool { return m.ID == id })
		switch {
		case i < 0:
			return nil, errNotThere.With("id", id)
		case said[i].Opening:
			return nil, errDescribes.With("id", id)
		}
	}
	return said, nil
}

// times are those at which something was said in a ticket.
func times(tx *db.Tx, t Ticket) (map[int64]bool, error) {
	at := map[int64]bool{}
	return at, tx.List(func(r db.Row) error {
		var ms int64
		err := r.Scan(&ms)
		at[ms] = true
		return err
	}, "SELECT created_at FROM messages WHERE domain_id = ? AND ticket_id = ?", t.Domain, t.ID)
}

// relocate writes that messages are in another ticket now, with their files and
// what the index knows of them. Both tickets are as changed; taken are the times
// of the new one.
func relocate(tx *db.Tx, op string, from, to Ticket, said []Message, taken map[int64]bool) error {
	if len(said) == 0 {
		return nil
	}
	ids := make([]string, len(said))
	for i, m := range said {
		ids[i] = m.ID
	}
	in := questions(len(ids))
	taken[to.Changed] = true // the line that tells of it
	silent := number01(from.Creator != to.Creator)
	tx.Write(len(ids), `INSERT INTO message_moves (domain_id, op, message_id, from_ticket, from_revision, to_ticket, to_revision, opening, origin, created_before, created_after, silent, moved_at, undone_at)
		SELECT m.domain_id, CAST(? AS TEXT), m.id, m.ticket_id, m.revision, CAST(? AS TEXT), CAST(? AS BIGINT), m.opening, m.origin, m.created_at, m.created_at, CAST(? AS BIGINT), CAST(? AS BIGINT), 0
		FROM messages AS m WHERE m.domain_id = ? AND m.ticket_id = ? AND m.id IN (`+in+")",
		append([]any{op, to.ID, to.Revision, silent, to.Changed, from.Domain, from.ID}, anys(ids)...)...)
	tx.Write(len(ids), `UPDATE messages SET ticket_id = ?, revision = ?, opening = 0, origin = CASE WHEN origin = '' THEN ticket_id ELSE origin END
		WHERE domain_id = ? AND ticket_id = ? AND id IN (`+in+")", append([]any{to.ID, to.Revision, from.Domain, from.ID}, anys(ids)...)...)
	for _, m := range said {
		at := m.Created
		for taken[at] {
			at++
		}
		if taken[at] = true; at != m.Created { // seldom: two messages of one millisecond
			tx.Write(1, "UPDATE messages SET created_at = ? WHERE domain_id = ? AND id = ?", at, from.Domain, m.ID)
			tx.Write(1, "UPDATE message_moves SET created_after = ? WHERE domain_id = ? AND op = ? AND message_id = ?", at, from.Domain, op, m.ID)
		}
	}
	reindex(tx, to, said, false)
	return attachment.Move(tx, from.Domain, ids, to.ID, to.Creator)
}

// reindex leads what the index knows of messages to their ticket. A description
// is indexed as the ticket's own.
func reindex(tx *db.Tx, t Ticket, said []Message, back bool) {
	for _, m := range said {
		switch {
		case m.Withdrawn > 0:
		case back && m.Opening:
			search.Remove(tx, t.Domain, m.ID)
		case m.Opening:
			search.Put(tx, true, search.Doc{Domain: t.Domain, Kind: search.KindMessage, ID: m.ID, Parent: t.ID, Text: m.Text})
		default:
			search.Move(tx, t.Domain, m.ID, t.ID)
		}
	}
}

// tellBoth leaves a line in each of two tickets that tells where messages went,
// for the customer when he sees one of them; the tickets are as they were read.
func tellBoth(tx *db.Tx, from, to Ticket, said []Message, away, here locale.Texts) (gone, came string) {
	n := 0 // the customer is not told how many notes there are
	for _, m := range said {
		if !m.Internal {
			n++
		}
	}
	internal := n == 0
	if internal {
		n = len(said)
	}
	say := func(t, other Ticket, text locale.Texts) string {
		return addMessage(tx, t, message{Side: SystemSide, Text: fmt.Sprintf(text.In(t.Language), n, other.Number), Internal: internal})
	}
	return say(from, to, away), say(to, from, here)
}

// MoveMessages moves chosen messages with their files from one ticket to
// another, and answers the other after it. Both are open or finished, but not
// deleted; the other is open. Failures: OSM.01010015 (no such ticket), .48 (two
// customers; two submitters, unless a supervisor does it), .49 (not of one side),
// .02 (role, state, stale version), .01 (messages).
func (s *Service) MoveMessages(ctx context.Context, who principal.Principal, in Move) (Ticket, error) {
	if err := mayWork(who); err != nil {
		return Ticket{}, err
	}
	ids := distinct(in.Messages)
	ctx, from, to, err := s.pairOf(ctx, who, in.From, in.To)
	if err != nil {
		return Ticket{}, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Ticket, error) {
		from, to := from, to
		if err := again(tx, &from, &to); err != nil {
			return to, err
		}
		if err := joinable(tx, who, from, to, "to"); err != nil {
			return to, err
		}
		switch {
		case in.Version != 0 && in.Version != from.Revision:
			return to, ErrVersion
		case !to.Status.Open():
			return to, errState(actMove, to.Status)
		}
		said, err := chosen(tx, from, ids)
		if err != nil {
			return to, err
		}
		taken, err := times(tx, to)
		if err != nil {
			return to, err
		}
		wait, err := waitingIn(tx, from, "")
		if err != nil {
			return to, err
		}
		op := tx.NewID()
		gone, came := tellBoth(tx, from, to, said, saidMovedAway, saidMovedHere)
		left, joined := from, to
		joined.heard, left.quiet = wait.goes(said)
		a, b := changeBoth(tx, [2]Ticket{from, to}, [2]Ticket{left, joined})
		if err := relocate(tx, op, a, b, said, taken); err != nil {
			return b, err
		}
		keep(tx, from, a, op, kindMove, b.ID, was{Notices: []string{gone}})
		keep(tx, to, b, op, kindReceive, a.ID, was{Notices: []string{came}})
		recordJoin(tx, who, a, kindMove, event.NoLog, forClocks(left, map[string]any{"other": b.Number, "messages": len(said)}))
		recordJoin(tx, who, b, kindReceive, event.NoLog, forClocks(joined, map[string]any{"other": a.Number, "messages": len(said)}))
		return b, nil
	})
}

// recordJoin records one of these operations in the history of one ticket.
func recordJoin(tx *db.Tx, who principal.Principal, t Ticket, kind string, code int, data map[string]any) {
	event.Record(tx, who, event.Event{Domain: t.Domain, Kind: kind, Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: code, Data: data})
}

// relate puts a relation between two tickets that were changed in this
// transaction, if both have room for it and it is not there.
func relate(tx *db.Tx, a, b Ticket, there map[string][]string) bool {
	if slices.Contains(there[a.ID], b.ID) || len(there[a.ID]) >= maxRelations || len(there[b.ID]) >= maxRelations {
		return false
	}
	for _, pair := range [][2]string{{a.ID, b.ID}, {b.ID, a.ID}} {
		tx.Write(1, "INSERT INTO ticket_relations (domain_id, ticket_id, related_id, created_at) VALUES (?, ?, ?, ?)", a.Domain, pair[0], pair[1], tx.Now)
	}
	return true
}

// nameOrigins gives messages that were moved the number of the ticket they were
// said in, and takes the id from the others.
func nameOrigins(tx *db.Tx, domain string, page []Message) error {
	var ids []string
	for i, m := range page {
		if m.Origin == m.on {
			page[i].Origin = ""
		} else if m.Origin != "" && !slices.Contains(ids, m.Origin) {
			ids = append(ids, m.Origin)
		}
	}
	numbers, err := numbersOf(tx, domain, ids)
	for i, m := range page {
		page[i].Origin = numbers[m.Origin]
	}
	return err
}

// numbersOf are tickets' numbers by id.
func numbersOf(tx *db.Tx, domain string, ids []string) (map[string]string, error) {
	numbers := map[string]string{}
	if len(ids) == 0 {
		return numbers, nil
	}
	err := tx.List(func(r db.Row) error {
		var id, number string
		err := r.Scan(&id, &number)
		numbers[id] = number
		return err
	}, "SELECT id, number FROM tickets WHERE domain_id = ? AND id IN ("+questions(len(ids))+")", append([]any{domain}, anys(ids)...)...)
	return numbers, err
}

// aliased is a list of columns of a table's alias.
func aliased(alias, columns string) string {
	return alias + "." + strings.ReplaceAll(strings.Join(strings.Fields(columns), " "), ", ", ", "+alias+".")
}
