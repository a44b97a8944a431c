package ticket

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

var (
	saidSplit   = locale.Texts{ZH: "有消息已拆分为新工单 %[2]s（消息数：%[1]d）。", EN: "Split off into a ticket of its own, %[2]s (messages: %[1]d)."}
	saidSplitTo = locale.Texts{ZH: "本工单由工单 %[2]s 拆分而来（消息数：%[1]d）。", EN: "Split off ticket %[2]s (messages: %[1]d)."}
)

// Split is some messages of a ticket that become a ticket of their own.
type Split struct {
	Number      string
	Messages    []string // ids, 1..100, each once; not the description
	Description string   // of the new ticket, at most 1,200 characters; "" = the first chosen text of the customer's, else the first
	Version     int64    // revision the caller saw; 0 = whatever it is
}

// Split makes a new ticket of the same submitter out of chosen messages with
// their files, and answers it (move.go has the rules). It is about the same
// problem type, product, region and severity, has the same contact, handler and
// side, is Processing when the old one has a handler, else to be processed, and
// is related to the old one where that has room. The old ticket, which may be
// finished, keeps its state. It is the house's act, so neither the quota nor the
// submission policy stops it; it counts against the quota. Failures:
// OSM.01010015 (no such ticket), .02 (role, stale version), .01 (messages,
// description). Undo deletes the new ticket and puts the messages back.
func (s *Service) Split(ctx context.Context, who principal.Principal, in Split) (Ticket, error) {
	if err := mayWork(who); err != nil {
		return Ticket{}, err
	}
	if utf8.RuneCountInString(in.Description) > maxDescription {
		return Ticket{}, fault.TooLong.In("description").With("max", maxDescription)
	}
	ids := distinct(in.Messages)
	from, err := s.deskTicketOf(ctx, who, in.Number)
	if err != nil {
		return Ticket{}, err
	}
	if ctx, err = s.ident.OnClock(ctx, from.Domain); err != nil {
		return Ticket{}, err
	}
	d, err := s.ident.Current(ctx, from.Domain)
	if err != nil {
		return Ticket{}, err
	}
	fresh := from
	fresh.ID, fresh.Number = s.db.NewID(), s.number(ctx)
	contact, err := s.Contact(ctx, from)
	if err != nil {
		return Ticket{}, err
	}
	if fresh.contact, err = s.sealContact(ctx, from.Creator, fresh.ID, contact); err != nil {
		return Ticket{}, err
	}
	if strings.HasPrefix(from.Region, sealedRegion) {
		plain := from
		if err := s.openRegions(&plain); err != nil {
			return Ticket{}, err
		}
		if fresh.Region, err = s.sealRegion(fresh.ID, plain.Region); err != nil {
			return Ticket{}, err
		}
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Ticket, error) {
		from := from
		if err := again(tx, &from); err != nil {
			return from, err
		}
		if from.Status == Deleted {
			return from, fault.NoTicket
		}
		if err := sees(tx, who, from); err != nil {
			return from, err
		}
		if in.Version != 0 && in.Version != from.Revision {
			return from, ErrVersion
		}
		said, err := chosen(tx, from, ids)
		if err != nil {
			return from, err
		}
		wait, err := waitingIn(tx, from, "")
		if err != nil {
			return from, err
		}
		there, err := relations(tx, from.Domain, []Ticket{from})
		if err != nil {
			return from, err
		}
		t := Ticket{Domain: from.Domain, ID: fresh.ID, Number: fresh.Number, Creator: from.Creator, Status: Submitted, Revision: 1,
			ProblemType: from.ProblemType, SubType: from.SubType, Product: from.Product, Region: fresh.Region, Severity: from.Severity, Project: from.Project,
			Plan: from.Plan, RemindTime: from.RemindTime, Zone: from.Zone, Language: from.Language, Description: describe(in.Description, said),
			Created: tx.Now, contact: fresh.contact}
		op := tx.NewID()
		by := who
		by.Sandbox = d.Sandbox // the desk's row tells
		opening := s.insert(tx, by, &t)
		if from.Ownership != HouseBusiness {
			own(tx, t, from.Ownership)
		}
		// The description stands in front of what was said before it was written.
		first := said[0].Created
		tx.Write(1, "UPDATE messages SET created_at = ? WHERE domain_id = ? AND id = ?", first-1, t.Domain, opening)
		t.Changed, t.StatusAt, t.Ownership = tx.Now, tx.Now, from.Ownership
		gone, came := tellBoth(tx, from, t, said, saidSplit, saidSplitTo)
		begun := t
		if from.Assignee != "" {
			begun.Status, begun.Assignee = Processing, from.Assignee
		}
		left := from
		begun.heard, left.quiet = wait.goes(said)
		a := change(tx, from, left)
		b := change(tx, t, begun)
		if err := relocate(tx, op, a, b, said, map[int64]bool{first - 1: true}); err != nil {
			return b, err
		}
		keep(tx, from, a, op, kindSplit, b.ID, was{Notices: []string{gone}, Related: relate(tx, a, b, there)})
		keep(tx, t, b, op, kindSplit, a.ID, was{Notices: []string{came}, Made: true})
		recordJoin(tx, who, a, kindSplit, event.NoLog, forClocks(left, map[string]any{"other": b.Number, "messages": len(said)}))
		recordJoin(tx, who, b, kindReceive, event.NoLog, forClocks(begun, map[string]any{"other": a.Number, "messages": len(said), "from": t.Status, "to": b.Status,
			"assignee": b.Assignee, "assignee_from": ""}))
		return b, nil
	})
}

// describe is what a split ticket is about.
func describe(given string, said []Message) string {
	if strings.TrimSpace(given) != "" {
		return given
	}
	first := said[0]
	if i := slices.IndexFunc(said, func(m Message) bool { return m.Side == CustomerSide && m.Withdrawn == 0 }); i >= 0 {
		first = said[i]
	} else if first.Internal || first.Withdrawn > 0 {
		return "—" // a note is not for the customer
	}
	if r := []rune(first.Text); len(r) > maxDescription {
		return string(r[:maxDescription-1]) + "…"
	}
	return first.Text
}
