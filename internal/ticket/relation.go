package ticket

import (
	"context"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/privilege"
)

// maxRelations is how many others a ticket is related to at most, on both
// sides (semantics.md section 10).
const maxRelations = 3

// Faults of relations (semantics.md D11).
var (
	ErrRelations = fault.New(fault.Conflict, fault.CodeInvalid, "工单 {number} 最多关联 {max} 个工单", "ticket {number} can be related to at most {max} others").With("max", maxRelations).In("related_id_list")
	ErrItself    = fault.New(fault.Conflict, fault.CodeInvalid, "工单不能与自身关联", "a ticket cannot be related to itself")
	ErrUnrelated = fault.New(fault.Conflict, fault.CodeInvalid, "两个工单没有关联", "the tickets are not related").In("related_id")
)

// Related is a ticket that another one is related to. Of one the reader may not
// open only the number is there (semantics.md section 2).
type Related struct {
	Number      string
	Open        bool // the reader may see it
	Description string
	CreatorName string
	Status      Status

	id, creator string
}

// Relate relates a ticket to others, in both directions, all of them or none;
// those it is related to already stay. The ticket is seen with the group; the
// others are, too, or, when a group is named, with any other group the caller
// handles tickets of. Failures: OSM.01010015 for a ticket that is unknown or
// out of sight, OSM.01010001 for itself, and for more than three others on
// either side.
func (s *Service) Relate(ctx context.Context, who principal.Principal, number, group string, others []string) error {
	others = distinct(others)
	switch {
	case len(others) == 0:
		return fault.Missing.In("related_id_list")
	case len(others) > maxRelations:
		return fault.TooManyItems.In("related_id_list").With("max", maxRelations)
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		t, err := visible(tx, who, number, group)
		if err != nil {
			return err
		}
		with, err := companions(tx, who, group, others)
		if err != nil {
			return err
		}
		return relateIn(tx, who, t, with)
	})
}

// relateIn relates a ticket to others of its domain that the caller may relate.
func relateIn(tx *db.Tx, who principal.Principal, t Ticket, with []Ticket) error {
	if slices.ContainsFunc(with, func(o Ticket) bool { return o.ID == t.ID }) {
		return ErrItself.In("related_id_list")
	}
	all := append([]Ticket{t}, with...)
	there, err := relations(tx, t.Domain, all)
	if err != nil {
		return err
	}
	with = slices.DeleteFunc(with, func(o Ticket) bool { return slices.Contains(there[t.ID], o.ID) })
	if len(with) == 0 {
		return nil
	}
	if len(there[t.ID])+len(with) > maxRelations {
		return ErrRelations.With("number", t.Number)
	}
	for _, o := range with {
		if len(there[o.ID]) >= maxRelations {
			return ErrRelations.With("number", o.Number)
		}
	}
	touched := touch(tx, append([]Ticket{t}, with...))
	t = touched[t.ID]
	for _, o := range with {
		o = touched[o.ID]
		for _, pair := range [][2]Ticket{{t, o}, {o, t}} {
			tx.Write(1, "INSERT INTO ticket_relations (domain_id, ticket_id, related_id, created_at) VALUES (?, ?, ?, ?)", t.Domain, pair[0].ID, pair[1].ID, tx.Now)
			recordRelation(tx, who, "ticket.relate", pair[0], pair[1].ID)
		}
	}
	return nil
}

// Unrelate takes a relation away, from both sides. The other ticket need not be
// in sight when it is related. Failures: OSM.01010015 for a ticket that is
// unknown, or out of sight and not related; OSM.01010001 when the two are not
// related, and for the ticket itself.
func (s *Service) Unrelate(ctx context.Context, who principal.Principal, number, group, other string) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		t, err := visible(tx, who, number, group)
		if err != nil {
			return err
		}
		o, err := seen(tx, privilege.Scope{Domain: t.Domain, All: true}, other)
		if err != nil {
			return err
		}
		there, err := relations(tx, t.Domain, []Ticket{t})
		if err != nil {
			return err
		}
		if !slices.Contains(there[t.ID], o.ID) {
			if _, err := companions(tx, who, group, []string{other}); err != nil {
				return err
			}
			if o.ID == t.ID {
				return ErrItself.In("related_id")
			}
			return ErrUnrelated
		}
		unrelateIn(tx, who, t, o)
		return nil
	})
}

func unrelateIn(tx *db.Tx, who principal.Principal, t, o Ticket) {
	touched := touch(tx, []Ticket{t, o})
	t, o = touched[t.ID], touched[o.ID]
	for _, pair := range [][2]Ticket{{t, o}, {o, t}} {
		tx.Write(1, "DELETE FROM ticket_relations WHERE domain_id = ? AND ticket_id = ? AND related_id = ?", t.Domain, pair[0].ID, pair[1].ID)
		recordRelation(tx, who, "ticket.unrelate", pair[0], pair[1].ID)
	}
}

// companions reads the tickets one is to be related to.
func companions(tx *db.Tx, who principal.Principal, group string, numbers []string) (all []Ticket, err error) {
	scope, err := privilege.ScopeOf(tx, who, "")
	if err == nil && group != "" {
		scope, err = privilege.Reach(tx, who)
	}
	if err != nil {
		return nil, err
	}
	for _, n := range numbers { // three at most
		t, err := seen(tx, scope, n)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// relations is which tickets some are related to, by ticket id.
func relations(tx *db.Tx, domain string, tickets []Ticket) (map[string][]string, error) {
	out := map[string][]string{}
	args := []any{domain}
	for _, t := range tickets {
		args = append(args, t.ID)
	}
	err := tx.List(func(r db.Row) error {
		var from, to string
		err := r.Scan(&from, &to)
		out[from] = append(out[from], to)
		return err
	}, "SELECT ticket_id, related_id FROM ticket_relations WHERE domain_id = ? AND ticket_id IN ("+questions(len(tickets))+") ORDER BY ticket_id, related_id", args...)
	return out, err
}

// touch raises the tickets' revisions, in one order for all callers: relations
// change with the revisions of both sides, which makes their number exact.
func touch(tx *db.Tx, tickets []Ticket) map[string]Ticket {
	slices.SortFunc(tickets, func(a, b Ticket) int { return strings.Compare(a.ID, b.ID) })
	out := map[string]Ticket{}
	for _, t := range tickets {
		out[t.ID] = change(tx, t, t)
	}
	return out
}

func recordRelation(tx *db.Tx, who principal.Principal, kind string, t Ticket, other string) {
	event.Record(tx, who, event.Event{Domain: t.Domain, Kind: kind, Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: event.NoLog,
		Data: map[string]any{"related": other}})
}

// dropRelations frees the tickets a deleted one was related to; the ticket's
// revision has been raised.
func dropRelations(tx *db.Tx, who principal.Principal, t Ticket, others []Related, revisions map[string]int64) {
	for _, o := range others { // three at most
		for _, pair := range [][2]string{{t.ID, o.id}, {o.id, t.ID}} {
			tx.Write(1, "DELETE FROM ticket_relations WHERE domain_id = ? AND ticket_id = ? AND related_id = ?", t.Domain, pair[0], pair[1])
		}
		recordRelation(tx, who, "ticket.unrelate", Ticket{Domain: t.Domain, ID: o.id, Revision: revisions[o.id]}, t.ID)
	}
}

// relatedOf reads what a ticket is related to, in the order of the tickets, and
// the revisions they are at.
func relatedOf(tx *db.Tx, domain, id string) (all []Related, revisions map[string]int64, err error) {
	revisions = map[string]int64{}
	err = tx.List(func(r db.Row) error {
		o := Related{Open: true}
		var status, revision int64
		err := r.Scan(&o.id, &o.Number, &o.creator, &o.Description, &status, &revision)
		o.Status, revisions[o.id] = Status(status), revision
		all = append(all, o)
		return err
	}, // By the relation's column: by the ticket's, SQLite reads the domain's tickets in that order, all of them.
		`SELECT t.id, t.number, t.creator, t.description, t.status, t.revision FROM ticket_relations AS r
		JOIN tickets AS t ON t.domain_id = r.domain_id AND t.id = r.related_id WHERE r.domain_id = ? AND r.ticket_id = ? ORDER BY r.related_id`, domain, id)
	return all, revisions, err
}

// Relations is what a ticket the caller sees without a group is related to. A
// related ticket he could not open by any way shows its number only
// (semantics.md section 2).
func (s *Service) Relations(ctx context.Context, who principal.Principal, number string) (all []Related, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		t, err := visible(tx, who, number, "")
		if err != nil {
			return err
		}
		reach, err := privilege.Reach(tx, who)
		if err != nil {
			return err
		}
		if all, _, err = relatedOf(tx, t.Domain, t.ID); err != nil {
			return err
		}
		for i, o := range all {
			if !reach.Has(t.Domain, o.creator) {
				all[i] = Related{Number: o.Number, id: o.id}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, s.nameRelated(ctx, who.Domain, all)
}

func (s *Service) nameRelated(ctx context.Context, domain string, all []Related) error {
	var ids []string
	for _, o := range all {
		if o.Open {
			ids = append(ids, o.creator)
		}
	}
	names, err := s.ident.Names(ctx, domain, ids)
	for i, o := range all {
		if o.Open {
			all[i].CreatorName = names[o.creator]
		}
	}
	return err
}
