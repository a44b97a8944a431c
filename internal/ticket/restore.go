package ticket

import (
	"fmt"
	"strings"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/job"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// restore puts one ticket back, but for the messages that went to or from it.
func (s *Service) restore(tx *db.Tx, who principal.Principal, p *past, c changed, teams map[string]bool, wait waiting) (Ticket, error) {
	before, t := p.t, p.t
	var err error
	if c.other != "" { // messages go back to it, or away
		back := c.kind == kindMerge || c.kind == kindMove || c.kind == kindSplit && !c.Made
		t.heard, t.quiet = back && len(wait) > 0, !back && len(wait) == 0
	}
	data := forClocks(t, map[string]any{"undone": c.revision, "kind": c.kind})
	if c.Status != nil {
		t.Status, t.Closed = c.Status[0], c.Closed
	}
	if c.Made {
		t.Status, t.Closed = Deleted, tx.Now
	}
	if c.Assignee != nil {
		t.Assignee = c.Assignee[0]
	}
	if c.Owner != nil {
		t.Ownership = c.Owner[0]
		data["owner_from"], data["owner_to"] = before.Ownership, t.Ownership
	}
	if c.Severity != nil {
		t.Severity = c.Severity[0]
		data["severity_from"], data["severity_to"] = before.Severity, t.Severity
		data["rule_from"], data["rule_to"] = c.Rule[1], c.Rule[0]
		if t.turned, err = s.turnBack(tx, t, c.Rule[0], p.events); err != nil {
			return t, err
		}
		if t.turned != nil {
			data["rule_to"] = t.turned.policy.ID()
		}
	}
	if c.Owner != nil {
		if data["partner_from"], err = partnerOf(tx, before); err != nil {
			return t, err
		}
		if data["partner"], err = partnerOf(tx, t); err != nil {
			return t, err
		}
	}
	t = change(tx, before, t)
	data["from"], data["to"], data["assignee"], data["assignee_from"] = before.Status, t.Status, t.Assignee, before.Assignee
	if c.Status != nil && !c.Made {
		t.StatusAt = c.StatusAt
		tx.Write(1, "UPDATE tickets SET status_at = ? WHERE domain_id = ? AND id = ?", t.StatusAt, t.Domain, t.ID)
		s.goOn(tx, t)
	}
	if c.Owner != nil {
		own(tx, t, t.Ownership)
	}
	if c.Severity != nil {
		writeSeverity(tx, t)
	}
	if c.Team != nil {
		team := c.Team[0]
		if !teams[team] {
			team = "" // it was removed
		}
		data["team_from"], data["team"] = c.Team[1], team
		setTeam(tx, t, team)
	}
	brought, err := c.takeBack(tx, t)
	if err != nil {
		return t, err
	}
	if len(brought) > 0 {
		data["tags_off"] = brought
	}
	if len(c.Tagged) > 0 {
		data["tags_off"] = c.Tagged
		takeTags(tx, t, c.Tagged)
	}
	if len(c.Untagged) > 0 {
		data["tags_on"] = names(c.Untagged)
		putTags(tx, t, c.Untagged)
	}
	if c.Contact != nil {
		t.contact = c.Contact[0]
		tx.Write(1, "UPDATE tickets SET contact = ? WHERE domain_id = ? AND id = ?", t.contact, t.Domain, t.ID)
	}
	if labels := untouched(p.events, c); len(labels) > 0 {
		data["labels_off"] = labels
		args := []any{t.Domain, t.ID}
		for _, l := range labels {
			args = append(args, l)
		}
		tx.Write(db.Any, "DELETE FROM ticket_labels WHERE domain_id = ? AND ticket_id = ? AND label_id IN ("+questions(len(labels))+")", args...)
	}
	if c.Related {
		for _, pair := range [][2]string{{t.ID, c.other}, {c.other, t.ID}} {
			tx.Write(db.Any, "DELETE FROM ticket_relations WHERE domain_id = ? AND ticket_id = ? AND related_id = ?", t.Domain, pair[0], pair[1])
		}
	}
	tx.Write(1, "UPDATE ticket_changes SET undone = ? WHERE domain_id = ? AND ticket_id = ? AND revision = ? AND undone = 0", t.Revision, t.Domain, t.ID, c.revision)
	event.Record(tx, who, event.Event{Domain: t.Domain, Kind: kindUndo, Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: event.NoLog, Data: data})
	p.t = t
	return t, nil
}

// untouched are the labels a merge put on that nobody put on or took off since.
func untouched(events []event.Row, c changed) (ids []int64) {
	since := map[int64]bool{}
	for _, e := range events {
		if e.Revision >= c.revision && (e.Kind == "ticket.label" || e.Kind == "ticket.unlabel") {
			for _, l := range stepOf(e).Labels {
				since[l] = true
			}
		}
	}
	for _, l := range c.Labels {
		if !since[l] {
			ids = append(ids, l)
		}
	}
	return ids
}

// movedBy are the messages of an operation, on being what they were before it.
func movedBy(tx *db.Tx, domain, op string) (said []Message, err error) {
	err = tx.List(func(r db.Row) error {
		var from string
		var opening int64
		m, err := scanMessage(r, &from, &opening)
		m.on, m.Opening = from, opening == 1
		said = append(said, m)
		return err
	}, "SELECT "+aliased("m", messageColumns)+`, v.from_ticket, v.opening FROM message_moves AS v JOIN messages AS m ON m.domain_id = v.domain_id AND m.id = v.message_id
		WHERE v.domain_id = ? AND v.op = ? ORDER BY m.id`, domain, op)
	return said, err
}

// back puts the messages of an operation where they were, and takes away those
// that told of it: they are kept, in no ticket, for what is asked of the past.
func back(tx *db.Tx, parts []changed, moved []Message, now int64, tickets map[string]*past) error {
	domain, op := parts[0].domain, parts[0].op
	byTicket, ids := map[string][]Message{}, map[string][]string{}
	for _, m := range moved {
		byTicket[m.on], ids[m.on] = append(byTicket[m.on], m), append(ids[m.on], m.ID)
	}
	tx.Write(len(moved), `UPDATE messages SET (ticket_id, revision, opening, created_at, origin) =
		(SELECT v.from_ticket, v.from_revision, v.opening, v.created_before, v.origin FROM message_moves AS v WHERE v.domain_id = messages.domain_id AND v.op = ? AND v.message_id = messages.id)
		WHERE domain_id = ? AND id IN (SELECT v.message_id FROM message_moves AS v WHERE v.domain_id = ? AND v.op = ?)`, op, domain, domain, op)
	tx.Write(len(moved), "UPDATE message_moves SET undone_at = ? WHERE domain_id = ? AND op = ?", now, domain, op)
	for on, said := range byTicket {
		t := tickets[on].t
		if err := attachment.Move(tx, domain, ids[on], t.ID, t.Creator); err != nil {
			return err
		}
		reindex(tx, t, said, true)
	}
	gone := tx.NewID()
	for _, c := range parts { // two
		in := questions(len(c.Notices))
		tx.Write(len(c.Notices), `INSERT INTO message_moves (domain_id, op, message_id, from_ticket, from_revision, to_ticket, to_revision, opening, origin, created_before, created_after, silent, moved_at, undone_at)
			SELECT m.domain_id, CAST(? AS TEXT), m.id, m.ticket_id, m.revision, '', 0, m.opening, m.origin, m.created_at, m.created_at, 1, CAST(? AS BIGINT), 0
			FROM messages AS m WHERE m.domain_id = ? AND m.id IN (`+in+")", append([]any{gone, now, domain}, anys(c.Notices)...)...)
		tx.Write(len(c.Notices), "UPDATE messages SET ticket_id = '', revision = 0 WHERE domain_id = ? AND id IN ("+in+")", append([]any{domain}, anys(c.Notices)...)...)
		for _, id := range c.Notices {
			search.Remove(tx, domain, id)
		}
	}
	return nil
}

// goOn enqueues what time would have done to a ticket that is back in a state
// it waited in, where its job came while it was not.
func (s *Service) goOn(tx *db.Tx, t Ticket) {
	days, what := s.o.Config.ConfirmDays, tickConfirm
	switch t.Status {
	case ToConfirm:
	case Feedback:
		days, what = s.o.Config.FeedbackDays, tickSolve
	default:
		return
	}
	if days <= 0 || t.StatusAt+int64(days)*ms(day) > tx.Now {
		return // its job still waits
	}
	// Not at once: somebody shall see that it is open again.
	job.Enqueue(tx, job.Job{Kind: kindClock, Domain: t.Domain, Args: tick{Domain: t.Domain, Ticket: t.ID, Since: t.StatusAt, What: what}, At: tx.Now + ms(day),
		Unique: strings.Join([]string{t.ID, what, "undo", fmt.Sprint(t.Revision)}, "/")})
}
