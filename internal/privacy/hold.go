package privacy

import (
	"context"
	"errors"
	"regexp"
	"slices"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/personal"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// What a hold is on.
const (
	HoldPerson = "person"
	HoldTicket = "ticket"
	HoldDomain = "domain"
)

var (
	errHoldKind = fault.Unknown.In("kind")
	errPast     = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 须为将来的时间", "{field} must lie in the future").In("until")
	errReleased = fault.New(fault.Conflict, fault.CodeNoPermission, "该保全已解除", "the hold has been released already")
)

// Hold is a legal hold.
type Hold struct {
	ID, Kind, Domain, Subject string // Subject: user id, ticket id, domain id, keyed hash of a contact
	Number                    string // of a ticket
	Reason                    string
	Until                     int64 // milliseconds UTC, 0 = until it is released
	Created                   int64
	Actor                     string
	Released                  int64 // 0 = it is in force
	ReleasedBy, Why           string
}

// NewHold is what PutHold needs: of a person his domain and id, or his contact;
// of a ticket its number; of a domain its id.
type NewHold struct {
	Kind, Domain, User, Contact, Number, Reason string
	Until                                       int64
}

// PutHold puts a legal hold: from its commit on nothing of its subject is erased
// or removed by its age, and an erasure under way stops. Administrators only.
// Failures: .01 naming the field, identity.ErrNoUser, ErrNoDomain, fault.NoTicket.
func (s *Service) PutHold(ctx context.Context, who principal.Principal, in NewHold) (Hold, error) {
	if err := mayRule(who); err != nil {
		return Hold{}, err
	}
	if err := checkReason(in.Reason); err != nil {
		return Hold{}, err
	}
	h := Hold{ID: s.db.NewID(), Kind: in.Kind, Domain: in.Domain, Reason: in.Reason, Until: in.Until, Actor: who.User}
	var hashes []string // of a person's contacts
	switch in.Kind {
	case HoldPerson:
		if in.Contact != "" && in.User == "" && in.Domain == "" {
			c, err := normal(in.Contact)
			if err != nil {
				return Hold{}, err
			}
			hashes = s.hashesOf(s.n.Identity.ContactOf(c).Hashes, c)
			h.Subject = hashes[0]
			break
		}
		if in.User == "" || in.Domain == "" || in.Contact != "" {
			return Hold{}, ErrTarget
		}
		sub, contacts, _, err := s.n.Identity.SubjectOf(ctx, in.Domain, in.User)
		if err != nil {
			return Hold{}, err
		}
		hashes = s.hashesOf(sub.Hashes, contacts...)
		h.Subject = in.User
	case HoldTicket:
		if in.Number == "" {
			return Hold{}, fault.Missing.In("number")
		}
		t, err := s.n.Tickets.ByNumber(ctx, who, in.Number)
		if err != nil {
			return Hold{}, err
		}
		h.Domain, h.Subject, h.Number = t.Domain, t.ID, t.Number
	case HoldDomain:
		if in.Domain == "" {
			return Hold{}, fault.Missing.In("domain_id")
		}
		d, err := s.n.Identity.Domain(ctx, who, in.Domain)
		if err != nil {
			return Hold{}, err
		}
		h.Domain, h.Subject = d.ID, d.ID
	default:
		return Hold{}, errHoldKind
	}
	sealed, err := s.seal("privacy_holds", "reason", h.ID, in.Reason)
	if err != nil {
		return Hold{}, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Hold, error) {
		tx.Lock(principal.House, personal.HoldsLock)
		h := h
		if h.Until != 0 && h.Until <= tx.Real {
			return Hold{}, errPast
		}
		h.Created = tx.Real
		tx.Write(1, `INSERT INTO privacy_holds (id, kind, domain_id, subject_id, reason, held_until, created_at, actor, released_at, released_by, release_reason)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, '', '')`, h.ID, h.Kind, h.Domain, h.Subject, sealed, h.Until, h.Created, h.Actor)
		for _, hash := range hashes { // a handful
			tx.Write(1, "INSERT INTO privacy_hold_hashes (hold_id, hash) VALUES (?, ?)", h.ID, hash)
		}
		event.Record(tx, who, event.Event{Kind: "privacy.hold", Subject: "hold", SubjectID: h.ID, LogCode: event.NoLog,
			Data: map[string]any{"kind": h.Kind, "domain": h.Domain, "subject": h.Subject, "until": h.Until}})
		return h, nil
	})
}

// hashesOf are all keyed hashes that contacts are found by.
func (s *Service) hashesOf(known []string, contacts ...string) []string {
	all := slices.Clone(known)
	for _, c := range contacts {
		for _, hashes := range s.n.Hashes {
			all = append(all, hashes(c)...)
		}
	}
	var once []string
	for _, hash := range all {
		if hash != "" && !slices.Contains(once, hash) {
			once = append(once, hash)
		}
	}
	return once
}

// ReleaseHold ends a hold, with a reason. Administrators only. It fails with
// ErrNone, and when the hold has been released.
func (s *Service) ReleaseHold(ctx context.Context, who principal.Principal, id, reason string) (h Hold, err error) {
	if err := mayRule(who); err != nil {
		return h, err
	}
	if err := checkReason(reason); err != nil {
		return h, err
	}
	sealed, err := s.seal("privacy_holds", "release_reason", id, reason)
	if err != nil {
		return h, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		before, err := holdIn(tx, id)
		switch {
		case err != nil:
			return err
		case before.Released != 0:
			return errReleased
		}
		tx.Write(1, "UPDATE privacy_holds SET released_at = ?, released_by = ?, release_reason = ? WHERE id = ? AND released_at = 0", tx.Real, who.User, sealed, id)
		tx.Write(db.Any, "DELETE FROM privacy_hold_hashes WHERE hold_id = ?", id)
		event.Record(tx, who, event.Event{Kind: "privacy.release", Subject: "hold", SubjectID: id, LogCode: event.NoLog,
			Data: map[string]any{"kind": before.Kind, "domain": before.Domain, "subject": before.Subject}})
		return nil
	})
	if err != nil {
		return h, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		if h, err = holdIn(tx, id); err == nil {
			err = number(tx, &h)
		}
		return err
	})
	if err != nil {
		return h, err
	}
	return h, s.openHold(&h)
}

const holdColumns = "id, kind, domain_id, subject_id, reason, held_until, created_at, actor, released_at, released_by, release_reason"

func scanHold(r db.Row) (h Hold, err error) {
	err = r.Scan(&h.ID, &h.Kind, &h.Domain, &h.Subject, &h.Reason, &h.Until, &h.Created, &h.Actor, &h.Released, &h.ReleasedBy, &h.Why)
	if errors.Is(err, db.ErrNone) {
		err = ErrNone.In("hold_id")
	}
	return h, err
}

func holdIn(tx *db.Tx, id string) (Hold, error) {
	return scanHold(tx.Get("SELECT "+holdColumns+" FROM privacy_holds WHERE id = ?", id))
}

func number(tx *db.Tx, h *Hold) error {
	if h.Kind != HoldTicket {
		return nil
	}
	err := tx.Get("SELECT number FROM tickets WHERE domain_id = ? AND id = ?", h.Domain, h.Subject).Scan(&h.Number)
	if errors.Is(err, db.ErrNone) {
		err = nil
	}
	return err
}

func (s *Service) openHold(h *Hold) (err error) {
	if h.Reason, err = s.open("privacy_holds", "reason", h.ID, h.Reason); err == nil {
		h.Why, err = s.open("privacy_holds", "release_reason", h.ID, h.Why)
	}
	return err
}

// Holds lists holds, the newest first, at most 500: those in force, or all.
// Administrators and auditors.
func (s *Service) Holds(ctx context.Context, who principal.Principal, all bool) (list []Hold, err error) {
	if err := mayRead(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		list = nil
		cond, args := "released_at = 0 AND (held_until = 0 OR held_until > ?)", []any{tx.Real}
		if all {
			cond, args = "1 = 1", nil
		}
		err := tx.List(func(r db.Row) error {
			h, err := scanHold(r)
			list = append(list, h)
			return err
		}, "SELECT "+holdColumns+" FROM privacy_holds WHERE "+cond+" ORDER BY id DESC LIMIT 500", args...)
		if err != nil {
			return err
		}
		byDomain := map[string][]string{}
		for _, h := range list {
			if h.Kind == HoldTicket {
				byDomain[h.Domain] = append(byDomain[h.Domain], h.Subject)
			}
		}
		return numbersInto(tx, byDomain, list)
	})
	for i := range list {
		if err == nil {
			err = s.openHold(&list[i])
		}
	}
	return list, err
}

// inTheWay are the holds in force on a subject or on tickets that hold something
// of his.
func (s *Service) inTheWay(tx *db.Tx, sub subject, on []concerned) (list []Hold, err error) {
	tickets, domains := map[concerned]bool{}, map[string]bool{}
	if sub.User != "" {
		domains[sub.Domain] = true
	}
	for _, c := range on {
		tickets[c] = true
		domains[c.domain] = true
	}
	persons := map[string]bool{sub.User: sub.User != ""}
	for _, h := range sub.Hashes {
		persons[h] = true
	}
	var all []Hold
	err = tx.List(func(r db.Row) error {
		h, err := scanHold(r)
		all = append(all, h)
		return err
	}, "SELECT "+holdColumns+" FROM privacy_holds WHERE released_at = 0 AND (held_until = 0 OR held_until > ?) ORDER BY id", tx.Real)
	for _, h := range all {
		if h.Kind == HoldPerson && persons[h.Subject] || h.Kind == HoldDomain && domains[h.Subject] || h.Kind == HoldTicket && tickets[concerned{h.Domain, h.Subject}] {
			if err := errors.Join(number(tx, &h), s.openHold(&h)); err != nil {
				return nil, err
			}
			list = append(list, h)
		}
	}
	return list, err
}

// free is the condition that no hold is on a row; it takes the time once.
func free(a personal.Aged) string {
	all := func(list []string) (out []string) {
		for _, sql := range list {
			out = append(out, qualified(a.Table, sql))
		}
		return out
	}
	return personal.Free(qualified(a.Table, a.Domain), qualified(a.Table, a.Ticket), all(a.Persons), all(a.Hashes))
}

var plainName = regexp.MustCompile(`^[a-z_]+$`)

// qualified is an expression about a rule's table inside a subquery.
func qualified(table, sql string) string {
	if plainName.MatchString(sql) {
		return table + "." + sql
	}
	return sql
}

// numbersInto fills in the numbers of tickets, by domain at once.
func numbersInto(tx *db.Tx, byDomain map[string][]string, list []Hold) error {
	for domain, ids := range byDomain {
		numbers, err := ticket.Numbers(tx, domain, ids)
		if err != nil {
			return err
		}
		for i := range list {
			if n, ok := numbers[list[i].Subject]; ok && list[i].Domain == domain {
				list[i].Number = n
			}
		}
	}
	return nil
}
