package ticket

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/personal"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// ended are the states in which a ticket is over.
const ended = "(3, 4, 12, 13)"

// Personal is what this package holds about people: contacts, and the texts they
// wrote. The skeleton of a ticket, its states, times, scores and counters, stays.
func Personal() []personal.Rule {
	gone := "'" + personal.Erased + "'"
	mine := "domain_id = {domain} AND creator = {user}"
	ofMine := "domain_id = {domain} AND ticket_id IN (SELECT t.id FROM tickets AS t WHERE t.domain_id = {domain} AND t.creator = {user})"
	wrote := "(domain_id = {domain} OR {domain} = 'house') AND author = {user} /* an engineer writes to all customers */"
	return []personal.Rule{
		{Kind: "contacts", Table: "copy_addresses", Key: "domain_id, user_id, hash", Where: "(domain_id = {domain} AND user_id = {user} OR hash IN {hashes} /* all domains: whoever copied him */)",
			Shown: "address, used_at", Row: "user_id || '/' || hash", Owner: "user_id", Open: map[string]personal.Sealed{"address": personal.Person}},
		{Kind: "contacts", Table: "tickets", Key: "domain_id, id", Where: mine, Left: "(contact <> '' OR remind_time <> '')", Set: "contact = '', remind_time = ''", Ticket: "id", Doc: "'c' || id",
			Shown: "number, contact, remind_time", Row: "id", Owner: "creator", Open: map[string]personal.Sealed{"contact": personal.Person}},
		{Kind: "contacts", Table: "ticket_changes", Key: "domain_id, ticket_id, revision", Where: ofMine, Left: "data LIKE '%\"contact\":%'", Set: "data = '{}'", Ticket: "ticket_id"},
		{Kind: "values", Table: "ticket_values", Key: "domain_id, ticket_id, message_id, param", Where: ofMine, Ticket: "ticket_id", Shown: "ticket_id, param, value", Row: "ticket_id || '/' || message_id || '/' || param",
			Open: map[string]personal.Sealed{"value": personal.Person}},
		{Kind: "texts", Table: "tickets", Key: "domain_id, id", Where: mine, Left: "description <> " + gone, Set: "description = " + gone, Ticket: "id", Doc: "id", DocKind: "'ticket'", Parent: "id",
			Shown: "number, status, product, severity, description, judgement, created_at, closed_at"},
		{Kind: "texts", Table: "tickets", Key: "domain_id, id", Where: mine, Left: "(judgement <> '' OR region LIKE '~%')", Set: "judgement = '', region = CASE WHEN region LIKE '~%' THEN '' ELSE region END", Ticket: "id", Doc: "'j' || id"},
		{Kind: "texts", Table: "tickets", Key: "domain_id, id", Where: "assignee = {user} AND assignee <> '' AND resolution NOT IN ('', " + gone + ") /* all domains: an engineer solves for all */ AND EXISTS (SELECT 1 FROM messages AS m WHERE m.domain_id = tickets.domain_id AND m.ticket_id = tickets.id AND m.author = {user} AND m.text = tickets.resolution)",
			Set: "resolution = " + gone, Ticket: "id"},
		{Kind: "texts", Table: "messages", Key: "domain_id, id", Where: wrote, Left: "text NOT IN ('', " + gone + ")", Set: "text = " + gone, Ticket: "ticket_id",
			Doc: "id", DocKind: "CASE WHEN opening = 1 OR ticket_id = '' OR withdrawn_at > 0 THEN '' WHEN internal = 1 THEN 'note' ELSE 'message' END", Parent: "ticket_id", Shown: "ticket_id, internal, opening, text, created_at"},
		{Kind: "texts", Table: "ticket_remarks", Key: "domain_id, event_id", Where: "(domain_id = {domain} OR {domain} = 'house') AND EXISTS (SELECT 1 FROM events AS e WHERE e.domain_id = ticket_remarks.domain_id AND e.id = ticket_remarks.event_id AND e.actor = {user})",
			Ticket: "ticket_id", Shown: "ticket_id, text"},
		{Kind: "reports", Table: "abuse_reports", Key: "domain_id, id", Where: "domain_id = {domain} AND reporter = {user}", Left: "contact <> ''", Set: "title = " + gone + ", content = " + gone + ", contact = '', property = '', files = '[]'",
			Shown: "kind, title, content, contact, created_at", Row: "id", Owner: "reporter", Open: map[string]personal.Sealed{"contact": personal.Person}},
		{Kind: "reports", Table: "abuse_reports", Key: "domain_id, id", Where: "handler = {user} AND handler <> '' /* all domains: the house handles them */", Left: "note <> ''", Set: "note = ''", Shown: "id, note"},
		{Kind: "labels", Table: "ticket_labels", Key: "domain_id, ticket_id, label_id", Where: "domain_id = {domain} AND label_id IN (SELECT l.id FROM labels AS l WHERE l.domain_id = {domain} AND l.owner = {user})"},
		{Kind: "labels", Table: "labels", Key: "domain_id, id", Where: "domain_id = {domain} AND owner = {user}", Shown: "name, color, created_at"},
		{Kind: "settings", Table: "poll_cursors", Key: "domain_id, user_id, id", Where: "domain_id = {domain} AND user_id = {user}"},
		{Kind: "settings", Table: "message_reads", Key: "domain_id, ticket_id, user_id", Where: "domain_id = {domain} AND user_id = {user}"},
		{Kind: "settings", Table: "ticket_followers", Key: "domain_id, ticket_id, user_id", Where: "user_id = {user} /* all domains: an engineer follows customers' */", Shown: "ticket_id, since"},
	}
}

// Aged is what goes by its age: texts of tickets that ended so long ago.
func Aged() []personal.Aged {
	gone := "'" + personal.Erased + "'"
	old := "status IN " + ended + " AND status_at <= {before}"
	of := func(table string) string {
		return "EXISTS (SELECT 1 FROM tickets AS t WHERE t.domain_id = " + table + ".domain_id AND t.id = " + table + ".ticket_id AND t.status IN " + ended + " AND t.status_at <= {before})"
	}
	creator := func(table string) string {
		return "(SELECT t.creator FROM tickets AS t WHERE t.domain_id = " + table + ".domain_id AND t.id = " + table + ".ticket_id)"
	}
	return []personal.Aged{
		{Rule: personal.Rule{Kind: "texts", Table: "tickets", Key: "domain_id, id", Where: old + " AND description <> " + gone, Set: "description = " + gone, Ticket: "id", Doc: "id", DocKind: "'ticket'", Parent: "id"},
			Domain: "domain_id", Persons: []string{"creator"}, At: "status_at"},
		{Rule: personal.Rule{Kind: "texts", Table: "tickets", Key: "domain_id, id", Where: old + " AND (judgement <> '' OR resolution NOT IN ('', " + gone + "))",
			Set: "judgement = '', resolution = CASE WHEN resolution = '' THEN '' ELSE " + gone + " END", Ticket: "id", Doc: "'j' || id"}, Domain: "domain_id", Persons: []string{"creator"}, At: "status_at"},
		{Rule: personal.Rule{Kind: "texts", Table: "tickets", Key: "domain_id, id", Where: old + " AND (contact <> '' OR remind_time <> '')", Set: "contact = '', remind_time = ''", Ticket: "id", Doc: "'c' || id"},
			Domain: "domain_id", Persons: []string{"creator"}, At: "status_at"},
		{Rule: personal.Rule{Kind: "texts", Table: "messages", Key: "domain_id, id", Where: "text NOT IN ('', " + gone + ") AND " + of("messages"), Set: "text = " + gone, Ticket: "ticket_id",
			Doc: "id", DocKind: "CASE WHEN opening = 1 OR ticket_id = '' OR withdrawn_at > 0 THEN '' WHEN internal = 1 THEN 'note' ELSE 'message' END", Parent: "ticket_id"},
			Domain: "domain_id", Persons: []string{"author", creator("messages")}, At: "created_at"},
		{Rule: personal.Rule{Kind: "texts", Table: "ticket_remarks", Key: "domain_id, event_id", Where: of("ticket_remarks"), Ticket: "ticket_id"}, Domain: "domain_id", Persons: []string{creator("ticket_remarks")}, At: "0"},
		{Rule: personal.Rule{Kind: "texts", Table: "ticket_values", Key: "domain_id, ticket_id, message_id, param", Where: of("ticket_values"), Ticket: "ticket_id"}, Domain: "domain_id", Persons: []string{creator("ticket_values")}, At: "changed_at"},
	}
}

// WithoutCopy takes a contact that is not the creator's own out of the contacts
// of tickets that a search by its terms finds, at most limit, and answers how
// many there were left. contact is its one spelling.
func (s *Service) WithoutCopy(ctx context.Context, contact string, terms []string, limit int) (n int, err error) {
	var found []Ticket
	err = s.db.View(ctx, func(tx *db.Tx) error {
		found = nil
		keys, err := search.Holding(tx, search.KindContact, terms, limit)
		if err != nil {
			return err
		}
		for _, k := range keys {
			t, err := ticketIn(tx, k.Domain, k.ID)
			if errors.Is(err, fault.NoTicket) {
				continue
			}
			if err != nil {
				return err
			}
			found = append(found, t)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, seen := range found {
		c, err := s.Contact(ctx, seen)
		if err != nil {
			return n, err
		}
		c.Copies = slices.DeleteFunc(c.Copies, func(a string) bool { return a == contact })
		if c.Mail == contact {
			c.Mail = ""
		}
		if c.E164 == contact {
			c.Area, c.Mobile, c.E164 = "", "", ""
		}
		sealed, err := s.sealContact(ctx, seen.Creator, seen.ID, c)
		if err != nil {
			return n, err
		}
		docs := s.contactDoc(seen, c)
		err = s.db.Update(ctx, func(tx *db.Tx) error {
			before, err := ticketIn(tx, seen.Domain, seen.ID)
			if err != nil || before.contact != seen.contact {
				return err // changed meanwhile: found again the next time
			}
			t := change(tx, before, before)
			tx.Write(1, "UPDATE tickets SET contact = ? WHERE domain_id = ? AND id = ?", sealed, t.Domain, t.ID)
			if search.Put(tx, false, docs...); len(docs) == 0 {
				search.Remove(tx, t.Domain, contactDocID(t.ID))
			}
			event.Record(tx, principal.AsSystem(t.Domain), event.Event{Domain: t.Domain, Kind: "ticket.contact.clear", Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: logNoContact,
				Data: map[string]any{"fields": []string{"remindCCEmail"}, "erased": true}})
			return nil
		})
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// redactPage is how many messages are looked at at once.
const redactPage = 200

// line is a text of a ticket's conversation with its place in the index.
type line struct {
	doc     search.Doc
	indexed bool
}

// linesIn reads messages of a ticket: behind an id, at most redactPage, or with
// only those of the ids that are given.
func linesIn(tx *db.Tx, domain, id, after string, only []string) (lines []line, err error) {
	cond, args := "id > ?", []any{domain, id, after}
	if len(only) > 0 {
		cond, args = "id IN (?"+strings.Repeat(", ?", len(only)-1)+")", args[:2]
		for _, o := range only {
			args = append(args, o)
		}
	}
	err = tx.List(func(r db.Row) error {
		var l line
		var opening, internal, withdrawn int64
		err := r.Scan(&l.doc.ID, &opening, &internal, &withdrawn, &l.doc.Text)
		l.doc.Domain, l.doc.Parent, l.doc.Kind = domain, id, search.KindMessage
		if internal == 1 {
			l.doc.Kind = search.KindNote
		}
		l.indexed = opening == 0 && withdrawn == 0
		lines = append(lines, l)
		return err
	}, "SELECT id, opening, internal, withdrawn_at, text FROM messages WHERE domain_id = ? AND ticket_id = ? AND "+cond+" ORDER BY id LIMIT ?", append(args, redactPage)...)
	return lines, err
}

// RedactContact replaces a contact by the placeholder in the texts of a ticket,
// where a mail from somebody who is no user of the domain named him. Texts are
// read and searched beside the writer; it can be done again.
func (s *Service) RedactContact(ctx context.Context, domain, id, contact string) error {
	without := redactor(contact)
	var t Ticket
	err := s.db.View(ctx, func(tx *db.Tx) (err error) { t, err = ticketIn(tx, domain, id); return err })
	if errors.Is(err, fault.NoTicket) {
		return nil
	}
	if err != nil {
		return err
	}
	if text := without(t.Description); text != t.Description {
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			now, err := ticketIn(tx, domain, id)
			if errors.Is(err, fault.NoTicket) || err == nil && now.Description != t.Description {
				return nil // erased meanwhile: descriptions do not change otherwise
			}
			if err != nil {
				return err
			}
			tx.Write(1, "UPDATE tickets SET description = ? WHERE domain_id = ? AND id = ?", text, domain, id)
			now.Description = text
			search.Put(tx, false, descriptionDoc(now))
			return nil
		})
		if err != nil {
			return err
		}
	}
	for after := ""; ; {
		var page []line
		err := s.db.View(ctx, func(tx *db.Tx) (err error) { page, err = linesIn(tx, domain, id, after, nil); return err })
		if err != nil {
			return err
		}
		var ids []string
		from, to := map[string]string{}, map[string]string{}
		for _, l := range page {
			if text := without(l.doc.Text); text != l.doc.Text {
				ids = append(ids, l.doc.ID)
				from[l.doc.ID], to[l.doc.ID] = l.doc.Text, text
			}
		}
		if len(ids) > 0 {
			if err := s.db.Update(ctx, func(tx *db.Tx) error { return rewrite(tx, domain, id, ids, from, to) }); err != nil {
				return err
			}
		}
		if len(page) < redactPage {
			return nil
		}
		after = page[len(page)-1].doc.ID
	}
}

// rewrite writes texts of messages that are still as they were read.
func rewrite(tx *db.Tx, domain, id string, ids []string, from, to map[string]string) error {
	lines, err := linesIn(tx, domain, id, "", ids)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if l.doc.Text != from[l.doc.ID] {
			continue // withdrawn or erased meanwhile
		}
		l.doc.Text = to[l.doc.ID]
		tx.Write(1, "UPDATE messages SET text = ? WHERE domain_id = ? AND id = ?", l.doc.Text, domain, l.doc.ID)
		if l.indexed {
			search.Put(tx, false, l.doc)
		}
	}
	return nil
}

// redactor takes a contact out of texts, however its letters are cased; of a text
// that names him as its writer, which mails of strangers do in their first line,
// it leaves nothing. It looks in the text itself: the lower case of a letter may
// have another length.
func redactor(contact string) func(text string) string {
	if contact == "" {
		return func(text string) string { return text }
	}
	is := regexp.MustCompile("(?i)" + regexp.QuoteMeta(strings.ToValidUTF8(contact, "")))
	return func(text string) string {
		first, _, _ := strings.Cut(text, "\n")
		if is.MatchString(first) {
			return personal.Erased
		}
		return is.ReplaceAllLiteralString(text, "***")
	}
}

// Numbers are the numbers of tickets of a domain by their ids; unknown ones are
// missing.
func Numbers(tx *db.Tx, domain string, ids []string) (map[string]string, error) {
	return numbersOf(tx, domain, ids)
}

// ByNumber finds a ticket of any domain for the house; fault.NoTicket.
func (s *Service) ByNumber(ctx context.Context, who principal.Principal, number string) (Ticket, error) {
	if !who.Admin() {
		return Ticket{}, fault.NoPermission
	}
	return s.deskTicket(ctx, number)
}
