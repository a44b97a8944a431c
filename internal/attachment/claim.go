package attachment

import (
	"slices"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/search"
)

var errCount = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 中的附件超过 {max} 个", "{field} has more than {max} files, the limit in force")

var errClaim = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 中的附件不存在、已被使用或不属于您：{id}", "{field} names an attachment that does not exist, is used already or is not yours: {id}")

// For is what files are claimed for.
type For struct {
	Domain, Ticket, Message string // ids
	Owner                   string // creator of the ticket
	Opening                 bool   // the ticket's first message
	Internal                bool   // a note: the customer never sees them
	Field                   string // wire name of the ids
}

// Claim binds files to a message in the caller's transaction: a customer his
// own unclaimed ones, an engineer those that engineers uploaded for this ticket.
// It fails with OSM.01010001 naming the field when there are more than the
// limit, when one is named twice, unknown, another's, claimed, expired or
// infected; nothing may be committed then. Without ids it does nothing.
func (s *Service) Claim(tx *db.Tx, who principal.Principal, c For, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	most := s.o.Config.PerMessage
	if c.Opening {
		most = s.o.Config.PerTicket
	}
	if len(ids) > most {
		return errCount.In(c.Field).With("max", most)
	}
	for i, id := range ids {
		if id == "" || len(id) > maxID || slices.Contains(ids[:i], id) {
			return errClaim.In(c.Field).With("id", id)
		}
	}
	files, err := find(tx, c.Domain, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		i := slices.IndexFunc(files, func(f File) bool { return f.ID == id })
		if i < 0 || !files[i].claimableBy(who, c, tx.Now) {
			return errClaim.In(c.Field).With("id", id)
		}
	}
	in, args := marks(ids)
	args = append([]any{c.Ticket, c.Message, c.Owner, number01(c.Internal), c.Domain}, args...)
	tx.Write(len(ids), "UPDATE attachments SET ticket_id = ?, message_id = ?, owner = ?, internal = ?, expires_at = 0 WHERE domain_id = ? AND message_id = '' AND id IN ("+in+")", args...)
	kind := search.KindFile
	if c.Internal {
		kind = search.KindNoteFile
	}
	search.Place(tx, c.Domain, kind, c.Ticket, ids...)
	event.Record(tx, who, event.Event{Domain: c.Domain, Kind: "attachment.claim", Subject: "ticket", SubjectID: c.Ticket, LogCode: event.NoLog,
		Data: map[string]any{"message": c.Message, "attachments": ids}})
	return nil
}

func (f File) claimableBy(who principal.Principal, c For, now int64) bool {
	if f.Message != "" || f.expires <= now || f.Scan == scanInfected {
		return false
	}
	if who.Kind == principal.Engineer {
		return f.Engineers && f.Ticket == c.Ticket
	}
	return !f.Engineers && f.Uploader == who.User && f.Ticket == ""
}

// Hide takes the files of a ticket, or of one of its messages, from the
// customer's eyes, in the transaction that does so with their ticket or message;
// message "" is the whole ticket.
func Hide(tx *db.Tx, domain, ticket, message string) {
	if message == "" {
		tx.Write(db.Any, "UPDATE attachments SET hidden = 1 WHERE domain_id = ? AND ticket_id = ?", domain, ticket)
		return
	}
	tx.Write(db.Any, "UPDATE attachments SET hidden = 1 WHERE domain_id = ? AND ticket_id = ? AND message_id = ?", domain, ticket, message)
}

// OfTicket reads a ticket's files in the caller's transaction, oldest first, by
// the message they belong to ("" = not sent yet). customers leaves those that
// its customer may see. Their names are to be opened by Named, outside.
func OfTicket(tx *db.Tx, domain, ticket string, customers bool) (map[string][]File, error) {
	return OfTickets(tx, domain, []string{ticket}, customers)
}

// OfTickets reads the files of several tickets of a domain, as OfTicket does.
func OfTickets(tx *db.Tx, domain string, tickets []string, customers bool) (map[string][]File, error) {
	if len(tickets) == 0 {
		return map[string][]File{}, nil
	}
	in, args := marks(tickets)
	cond := ""
	if customers {
		cond = " AND message_id <> '' AND internal = 0 AND hidden = 0"
	}
	out := map[string][]File{}
	err := tx.List(func(r db.Row) error {
		f, err := scan(r)
		out[f.Message] = append(out[f.Message], f)
		return err
	}, "SELECT "+columns+" FROM attachments WHERE domain_id = ? AND ticket_id IN ("+in+") AND ticket_id <> ''"+cond+" ORDER BY id", append([]any{domain}, args...)...)
	return out, err
}

// Move gives the files of messages to another ticket of the domain, with the
// messages, in the transaction that moves these; owner is that ticket's creator.
// What the index knows of them follows.
func Move(tx *db.Tx, domain string, messages []string, ticket, owner string) error {
	if len(messages) == 0 {
		return nil
	}
	in, args := marks(messages)
	var ids []string
	err := tx.List(func(r db.Row) error {
		var id string
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	}, "UPDATE attachments SET ticket_id = ?, owner = ? WHERE domain_id = ? AND message_id IN ("+in+") RETURNING id", append([]any{ticket, owner, domain}, args...)...)
	for _, id := range ids {
		search.Move(tx, domain, id, ticket)
	}
	return err
}
