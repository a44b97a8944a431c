package ticket

import (
	"context"
	"strings"
	"unicode/utf8"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// Message is one thing said in a ticket, or a note of the engineers'.
type Message struct {
	ID         string
	Side       Side
	Author     string // user id of a customer; the public id of an engineer, the user id on the desk
	AuthorName string // log-in name of a customer, public alias of an engineer; on the desk log-in names
	Internal   bool   // a note
	Opening    bool
	Text       string // "" once withdrawn
	Created    int64  // milliseconds UTC; no two of a ticket have the same
	Withdrawn  int64  // when its writer took it back, milliseconds UTC, 0 = he did not
	Revision   int64  // the ticket's when it was added
	Files      []attachment.File
	Origin     string // on the desk the number of the ticket it was said in, when it was moved since

	on string // id of the ticket it is in
}

type message struct {
	Side              Side
	Author, Text      string
	Internal, Opening bool
}

// addMessage writes a message and answers its id. The ticket is as it was read,
// before change raises its revision in the same transaction: the message is of
// the new one, so that messages are numbered in the order in which they were
// committed, which their ids and times are not.
func addMessage(tx *db.Tx, t Ticket, m message) string {
	id, revision, created := tx.NewID(), t.Revision, tx.Now
	if !m.Opening {
		revision, created = t.Revision+1, changedAt(tx, t)
	}
	tx.Write(1, "INSERT INTO messages (domain_id, id, ticket_id, side, author, internal, opening, text, created_at, revision, withdrawn_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
		t.Domain, id, t.ID, int(m.Side), m.Author, number01(m.Internal), number01(m.Opening), m.Text, created, revision)
	if !m.Opening {
		kind := "message"
		if m.Internal {
			kind = "note"
		}
		search.Put(tx, true, search.Doc{Domain: t.Domain, Kind: kind, ID: id, Parent: t.ID, Text: m.Text})
	}
	return id
}

func number01(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func checkText(field, text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return errBlank.In(field)
	case utf8.RuneCountInString(text) > maxMessage:
		return fault.TooLong.In(field).With("max", maxMessage)
	}
	return nil
}

// Reply adds a customer's message, with the caller's unclaimed files by their
// ids (attachment.Claim). It brings a ticket that waits for the
// customer, for an answer or for his word on a solution, back to Processing. It
// fails with OSM.01010002 in other states than 0, 1, 2, 5 and 17 (semantics.md
// D20).
func (s *Service) Reply(ctx context.Context, who principal.Principal, number, group, text string, files ...string) error {
	if err := checkText("message.content", text); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		before, err := visible(tx, who, number, group)
		if err != nil {
			return err
		}
		return s.replied(tx, who, before, text, files)
	})
}

// replied is what Reply does to a ticket the caller may see.
func (s *Service) replied(tx *db.Tx, who principal.Principal, before Ticket, text string, files []string) error {
	t, code := before, event.NoLog
	t.stirred, t.heard = true, true
	switch before.Status {
	case Submitted, Processing, Paused:
	case Feedback:
		t.Status, code = Processing, logReply
	case ToConfirm:
		t.Status = Processing
	default:
		return errState(actReply, before.Status)
	}
	id := addMessage(tx, t, message{Side: CustomerSide, Author: who.User, Text: text})
	t = change(tx, before, t)
	err := s.files.Claim(tx, who, attachment.For{Domain: t.Domain, Ticket: t.ID, Message: id, Owner: t.Creator, Field: "message.accessory_ids"}, files)
	if err != nil {
		return err
	}
	event.Record(tx, who, event.Event{Domain: t.Domain, Kind: "ticket.reply", Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: code,
		Data: map[string]any{"message": id, "from": before.Status, "to": t.Status}})
	return nil
}

// Messages is a page of a ticket's messages as its customer sees them, oldest
// first, and how many there are. Notes never show, and engineers go by alias
// and public id (threats.md B5). Limit 0 = 10, negative = all.
func (s *Service) Messages(ctx context.Context, who principal.Principal, number, group string, offset, limit int) (page []Message, total int, err error) {
	if limit == 0 {
		limit = defaultLimit
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page, total = nil, 0
		t, err := visible(tx, who, number, group)
		if err != nil {
			return err
		}
		if err := tx.Get("SELECT count(*) FROM messages WHERE domain_id = ? AND ticket_id = ? AND internal = 0", t.Domain, t.ID).Scan(&total); err != nil {
			return err
		}
		if limit < 0 {
			limit = total
		}
		page, err = messagesOf(tx, t, "internal = 0", offset, limit)
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

const messageColumns = "id, side, author, internal, opening, text, created_at, revision, withdrawn_at, origin, ticket_id"

// scanMessage reads messageColumns, and into more what is selected behind them.
func scanMessage(r db.Row, more ...any) (m Message, err error) {
	var side, internal, opening int64
	err = r.Scan(append([]any{&m.ID, &side, &m.Author, &internal, &opening, &m.Text, &m.Created, &m.Revision, &m.Withdrawn, &m.Origin, &m.on}, more...)...)
	m.Side, m.Internal, m.Opening = Side(side), internal == 1, opening == 1
	return m, err
}

func messagesOf(tx *db.Tx, t Ticket, cond string, offset, limit int, args ...any) (page []Message, err error) {
	err = tx.List(func(r db.Row) error {
		m, err := scanMessage(r)
		page = append(page, m)
		return err
	}, "SELECT "+messageColumns+" FROM messages WHERE domain_id = ? AND ticket_id = ? AND "+cond+" ORDER BY created_at, id LIMIT ? OFFSET ?",
		append(append([]any{t.Domain, t.ID}, args...), limit, offset)...)
	return page, err
}

// publicAuthors replaces engineers by what a customer may know of them.
func publicAuthors(tx *db.Tx, page []Message) error {
	known := map[string][2]string{}
	for i := range page {
		m := &page[i]
		if m.Side == CustomerSide || m.Author == "" {
			continue
		}
		who, ok := known[m.Author]
		if !ok {
			alias, id, err := identity.PublicEngineer(tx, m.Author)
			if err != nil {
				return err
			}
			who = [2]string{alias, id}
			known[m.Author] = who
		}
		m.AuthorName, m.Author = who[0], who[1]
	}
	return nil
}

func (s *Service) nameCustomers(ctx context.Context, domain string, page []Message) error {
	var ids []string
	for _, m := range page {
		if m.Side == CustomerSide {
			ids = append(ids, m.Author)
		}
	}
	names, err := s.ident.Names(ctx, domain, ids)
	for i := range page {
		if page[i].Side == CustomerSide {
			page[i].AuthorName = names[page[i].Author]
		}
	}
	return err
}
