package ticket

import (
	"context"
	"encoding/json"
	"errors"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// Masked stands for a sensitive value that is not shown.
const Masked = "******"

var actParams = locale.Texts{ZH: "补充参数", EN: "given further parameters"}

// Value is an additional parameter of a ticket.
type Value struct {
	Key       string
	Message   string // the message it belongs to, "" = the ticket as a whole
	Text      string // as the catalogue keeps it; Masked where it is not shown
	Sensitive bool
	Changed   int64 // milliseconds UTC
}

// laterPlace is where the values submitted later stand, behind those of the form.
const laterPlace = 1000

// sealedValue is a value ready to be written.
type sealedValue struct {
	key, message, text string // text "" = taken away
	sensitive          bool
	place              int
}

func valuePlace(ticket, message, key string) seal.Place {
	return seal.Place{Table: "ticket_values", Column: "value", Row: ticket + "/" + message + "/" + key}
}

// sealValues makes values ready, in order from a place on, and seals the sensitive
// ones with the key of the ticket's creator, so that they go with him. It fails with seal.ErrErased when he is gone.
func (s *Service) sealValues(ctx context.Context, creator, ticket, message string, all []catalog.Value, place int) ([]sealedValue, error) {
	var out []sealedValue
	for i, v := range all {
		sv := sealedValue{key: v.Key, message: message, text: v.Text, sensitive: v.Sensitive, place: place + i}
		if v.Sensitive && v.Text != "" {
			p, err := s.keys.Person(ctx, creator)
			if err != nil {
				return nil, err
			}
			if sv.text, err = p.Seal(valuePlace(ticket, message, v.Key), v.Text); err != nil {
				return nil, err
			}
		}
		out = append(out, sv)
	}
	return out, nil
}

func writeValues(tx *db.Tx, t Ticket, all []sealedValue) {
	for _, v := range all {
		if v.text == "" {
			tx.Write(db.Any, "DELETE FROM ticket_values WHERE domain_id = ? AND ticket_id = ? AND message_id = ? AND param = ?", t.Domain, t.ID, v.message, v.key)
			continue
		}
		tx.Write(1, `INSERT INTO ticket_values (domain_id, ticket_id, message_id, param, sensitive, value, place, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (domain_id, ticket_id, message_id, param) DO UPDATE SET sensitive = excluded.sensitive, value = excluded.value, changed_at = excluded.changed_at`,
			t.Domain, t.ID, v.message, v.key, number01(v.sensitive), v.text, v.place, tx.Now)
	}
}

// valuesOf reads a ticket's values, those of the ticket first, sensitive ones
// as they are sealed.
func valuesOf(tx *db.Tx, t Ticket) (all []Value, err error) {
	err = tx.List(func(r db.Row) error {
		var v Value
		var sensitive int64
		err := r.Scan(&v.Message, &v.Key, &sensitive, &v.Text, &v.Changed)
		v.Sensitive = sensitive == 1
		all = append(all, v)
		return err
	}, "SELECT message_id, param, sensitive, value, changed_at FROM ticket_values WHERE domain_id = ? AND ticket_id = ? ORDER BY message_id, place, param", t.Domain, t.ID)
	return all, err
}

func masked(all []Value) []Value {
	for i := range all {
		if all[i].Sensitive {
			all[i].Text = Masked
		}
	}
	return all
}

// openValues opens the sensitive ones; those of an erased person are empty.
func (s *Service) openValues(ctx context.Context, t Ticket, all []Value) error {
	for i := range all {
		v := &all[i]
		if !v.Sensitive {
			continue
		}
		p, err := s.keys.Person(ctx, t.Creator)
		if errors.Is(err, seal.ErrErased) {
			v.Text = ""
			continue
		}
		if err != nil {
			return err
		}
		if v.Text, err = p.Open(valuePlace(t.ID, v.Message, v.Key), v.Text); err != nil {
			return err
		}
	}
	return nil
}

// Values are the additional parameters of a ticket the caller may see: those it
// was created with and those submitted since. Sensitive ones are Masked.
func (s *Service) Values(ctx context.Context, who principal.Principal, number, group string) (all []Value, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		t, err := visible(tx, who, number, group)
		if err != nil {
			return err
		}
		all, err = valuesOf(tx, t)
		return err
	})
	return masked(all), err
}

// AddValues submits further additional parameters, JSON values by key, for an
// open ticket or one of its messages; a value given again replaces the old one,
// null and "" take it away. All are stored or none. Failures: OSM.01010001
// naming the field (catalog.FitMore; a message that is not one of the ticket's),
// .15 (no such ticket), .02 (the ticket is finished, or its creator is erased).
func (s *Service) AddValues(ctx context.Context, who principal.Principal, number, group, message string, given map[string]json.RawMessage) error {
	all, err := s.catalog.Now().FitMore(given)
	if err != nil {
		// Who may not see the ticket learns nothing else, not even of its
		// problem type's parameters.
		if seen := s.db.View(ctx, func(tx *db.Tx) error { _, err := visible(tx, who, number, group); return err }); seen != nil {
			return seen
		}
		return err
	}
	var seen Ticket
	err = s.db.View(ctx, func(tx *db.Tx) (err error) { seen, err = visible(tx, who, number, group); return err })
	if err != nil {
		return err
	}
	sealed, err := s.sealValues(ctx, seen.Creator, seen.ID, message, all, laterPlace)
	if errors.Is(err, seal.ErrErased) {
		return fault.NoPermission
	}
	if err != nil {
		return err
	}
	keys := make([]string, len(all))
	for i, v := range all {
		keys[i] = v.Key
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		before, err := visible(tx, who, number, group)
		switch {
		case err != nil:
			return err
		case !before.Status.Open():
			return errState(actParams, before.Status)
		}
		if message != "" {
			var n int
			err := tx.Get("SELECT count(*) FROM messages WHERE domain_id = ? AND id = ? AND ticket_id = ? AND internal = 0", before.Domain, message, before.ID).Scan(&n)
			if err != nil {
				return err
			}
			if n == 0 {
				return fault.Unknown.In("message_id")
			}
		}
		writeValues(tx, before, sealed)
		t := change(tx, before, before)
		event.Record(tx, who, event.Event{Domain: t.Domain, Kind: "ticket.params", Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: event.NoLog,
			Data: map[string]any{"params": keys, "message": message}})
		return nil
	})
}
