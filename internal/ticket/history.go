package ticket

import (
	"context"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// Past is one thing that happened to a ticket, as the desk sees it.
type Past struct {
	ID        string
	Kind      string // of the event
	Revision  int64  // the ticket's behind it; 0 when it did not change the ticket
	At        int64  // milliseconds UTC
	Side      Side
	Actor     string // user id; to a partner's people the public id of the house's
	ActorName string // log-in name, or the alias
	// What changed, nil = nothing of it.
	From, To               *Status
	AssigneeFrom, Assignee *string // user ids
	OwnerFrom, Owner       *Ownership
	Names                  map[string]string // of the handlers, by user id
	Other                  string            // number of the other ticket of a merge, split or move
	Via                    *principal.Via    // by what of the house's; never told to partners' people
	TagsOn, TagsOff        []string          // tags, likewise
	Undoes                 int64             // revision that this undid
	UndoneBy               int64             // revision that undid this
	Undoable               bool
	Why                    *fault.Error // why it is not undoable, of changes that can be in general
}

// History is a page of all that happened to a ticket, newest first, and how
// much there is: engineers' steps and the house's notes of them too, which the
// customer's log leaves out. Limit 1..500, 0 = 100. A partner's people see the
// house's people by alias. It fails with OSM.01010015 for a ticket out of sight, .02 for a role.
func (s *Service) History(ctx context.Context, who principal.Principal, number string, offset, limit int) (page []Past, total int, err error) {
	if err := maySee(who); err != nil {
		return nil, 0, err
	}
	if limit == 0 {
		limit = 100
	}
	t, err := s.deskTicketOf(ctx, who, number)
	if err != nil {
		return nil, 0, err
	}
	people := map[string][]string{}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page, people = nil, map[string][]string{}
		j := judge{tx: tx}
		p, err := j.of(t.Domain, t.ID)
		if err != nil {
			return err
		}
		var events []event.Row
		if events, total, err = event.Latest(tx, t.Domain, "ticket", t.ID, offset, limit); err != nil {
			return err
		}
		for _, e := range events {
			st := stepOf(e)
			out := Past{ID: e.ID, Kind: e.Kind, Revision: e.Revision, At: e.At, Side: sideOf(e.ActorKind), Actor: e.Actor, Other: st.Other, Undoes: st.Undone, Names: map[string]string{}}
			if who.Partner == "" {
				out.Via, out.TagsOn, out.TagsOff = e.Via(), st.TagsOn, st.TagsOff
				switch e.Kind {
				case "ticket." + StepTag:
					out.TagsOn = st.Tags
				case "ticket." + StepUntag:
					out.TagsOff = st.Tags
				}
			}
			if st.From != nil && st.To != nil && *st.From != *st.To {
				out.From, out.To = st.From, st.To
			}
			// What a clock tells names the handler; it changes none.
			if st.Assignee != nil && !strings.HasPrefix(e.Kind, "sla.") && (st.AssigneeFrom == nil || *st.AssigneeFrom != *st.Assignee) {
				out.AssigneeFrom, out.Assignee = st.AssigneeFrom, st.Assignee
				for _, id := range []*string{st.AssigneeFrom, st.Assignee} {
					if id != nil && *id != "" {
						out.Names[*id] = ""
						people[principal.House] = append(people[principal.House], *id)
					}
				}
			}
			if st.OwnerFrom != nil && st.OwnerTo != nil && *st.OwnerFrom != *st.OwnerTo {
				out.OwnerFrom, out.Owner = st.OwnerFrom, st.OwnerTo
			}
			if i := slices.IndexFunc(p.rows, func(c changed) bool {
				return c.revision == e.Revision && c.kind == e.Kind || c.revision == e.Revision && c.other != ""
			}); i >= 0 && e.Kind != kindUndo {
				c := p.rows[i]
				out.UndoneBy = c.undone
				if err := j.against(c); err != nil {
					why, ok := fault.As(err)
					if !ok {
						return err
					}
					out.Why = why
				}
				out.Undoable = out.Why == nil
			}
			switch home := t.Domain; out.Side {
			case SystemSide:
				out.Actor = ""
			case EngineerSide, PartnerSide:
				home = principal.House
				fallthrough
			default:
				people[home] = append(people[home], out.Actor)
			}
			page = append(page, out)
		}
		if who.Partner == "" {
			return nil
		}
		return aliases(tx, page)
	})
	if err != nil || who.Partner != "" {
		return page, total, err
	}
	names, err := s.namesOf(ctx, people)
	for i, p := range page {
		home := t.Domain
		if p.Side == EngineerSide || p.Side == PartnerSide {
			home = principal.House
		}
		page[i].ActorName = names[home][p.Actor]
		for id := range p.Names {
			p.Names[id] = names[principal.House][id]
		}
	}
	return page, total, err
}

// aliases replaces the house's people by what a partner's may know of them.
func aliases(tx *db.Tx, page []Past) error {
	known := map[string][2]string{}
	public := func(id string) ([2]string, error) {
		if k, ok := known[id]; ok {
			return k, nil
		}
		alias, publicID, err := identity.PublicEngineer(tx, id)
		known[id] = [2]string{alias, publicID}
		return known[id], err
	}
	for i := range page {
		p := &page[i]
		if p.Side == EngineerSide || p.Side == PartnerSide {
			k, err := public(p.Actor)
			if err != nil {
				return err
			}
			p.ActorName, p.Actor = k[0], k[1]
		}
		names := map[string]string{}
		for _, id := range []**string{&p.AssigneeFrom, &p.Assignee} {
			if *id == nil || **id == "" {
				continue
			}
			k, err := public(**id)
			if err != nil {
				return err
			}
			names[k[1]] = k[0]
			shown := k[1]
			*id = &shown
		}
		p.Names = names
	}
	return nil
}
