package notify

import (
	"context"
	"errors"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// Delivery is a line of the ledger: what became of a message. It never tells
// what the message said.
type Delivery struct {
	ID, Domain string
	Way        Way
	To         string // masked; "" of an erased person
	Template   string
	Ref        string
	State      string // queued, sending, sent, delivered, bounced, failed, dropped
	Cause      string // why it was dropped or failed: replaced, expired, blocked ...
	Tries      int
	Created    int64 // milliseconds UTC, as the others
	Changed    int64
	NotBefore  int64     // it waited, or waits, for this; 0 = for nothing
	Next       int64     // when it is tried again, 0 = it is not, or is right now
	Cost       int64     // of all attempts, in thousandths of the operator's currency
	Attempts   []Attempt // oldest first
	person     string
	sealed     string
}

// Attempt is one try with one provider.
type Attempt struct {
	Provider   string
	Began      int64
	Ended      int64  // 0 = not ended
	Outcome    string // running, ok, temporary, permanent, unknown
	ProviderID string
	Detail     string // the provider's answer, contacts and digits masked
	Parts      int    // that the provider took
	Cost       int64  // in thousandths of the operator's currency, by the configured prices
	Receipt    string // what the provider told later: delivered, failed, bounced, delayed; "" = nothing
	ReceiptAt  int64
}

// States are the values of Delivery.State.
var states = []string{"queued", "sending", "sent", "delivered", "bounced", "failed", "dropped"}

// DeliveryFilter narrows Deliveries.
type DeliveryFilter struct {
	To     string   // contact in any spelling
	Domain string   // tenant
	Ref    string   // what it belongs to, e.g. a ticket's number
	States []string // any of them; empty = all
	Way    Way      // "" = both
	Kind   string   // template, e.g. TemplateCode; "" = all
	// Provider was asked to take them; "" = any, or none.
	Provider string
	Before   string // id of the last delivery of the page before
	Limit    int    // 1..100; 0 = 20
}

// Deliveries answers "did it arrive?": the ledger, newest first, and whether
// there is more. People of the house and the operator only.
func (s *Service) Deliveries(ctx context.Context, who principal.Principal, f DeliveryFilter) (all []Delivery, more bool, err error) {
	if who.Kind != principal.Engineer && !who.Admin() {
		return nil, false, fault.NoPermission
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 20
	}
	if who.Blind() && f.To != "" {
		return nil, false, fault.NoPermission.In("to") // would tell whether the contact is somebody's
	}
	limit = min(limit, 100)
	sql := "SELECT domain_id, id, channel, person, recipient, template, ref, state, cause, tries, created_at, changed_at, next_at, not_before FROM notify_messages /* all domains: the desk's ledger of deliveries */ WHERE 1 = 1"
	var args []any
	if f.To != "" {
		way, to, err := contact(f.To)
		if err != nil {
			return nil, false, err
		}
		sql += " AND recipient_hash = ?"
		args = append(args, s.hash(way, to))
	}
	if f.Domain != "" {
		sql += " AND domain_id = ?"
		args = append(args, f.Domain)
	}
	if f.Ref != "" {
		sql += " AND ref = ?"
		args = append(args, f.Ref)
	}
	if f.Way != "" {
		sql += " AND channel = ?"
		args = append(args, string(f.Way))
	}
	if f.Kind != "" {
		sql += " AND template = ?"
		args = append(args, f.Kind)
	}
	if f.Provider != "" {
		sql += " AND EXISTS (SELECT 1 FROM notify_attempts AS a WHERE a.domain_id = notify_messages.domain_id AND a.message_id = notify_messages.id AND a.provider = ?)"
		args = append(args, f.Provider)
	}
	if len(f.States) > 0 {
		for _, st := range f.States {
			if !slices.Contains(states, st) {
				return nil, false, fault.Unknown.In("state")
			}
			args = append(args, st)
		}
		sql += " AND state IN (?" + strings.Repeat(", ?", len(f.States)-1) + ")"
	}
	if f.Before != "" {
		sql += " AND id < ?"
		args = append(args, f.Before)
	}
	sql += " ORDER BY id DESC LIMIT ?"
	args = append(args, limit+1)
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		err := tx.List(func(r db.Row) error {
			var d Delivery
			var way string
			err := r.Scan(&d.Domain, &d.ID, &way, &d.person, &d.sealed, &d.Template, &d.Ref, &d.State, &d.Cause, &d.Tries, &d.Created, &d.Changed, &d.Next, &d.NotBefore)
			d.Way = Way(way)
			all = append(all, d)
			return err
		}, sql, args...)
		if err != nil {
			return err
		}
		if more = len(all) > limit; more {
			all = all[:limit]
		}
		return attempts(tx, all)
	})
	if err != nil {
		return nil, false, err
	}
	for i := range all {
		if err := s.mask(ctx, &all[i]); err != nil {
			return nil, false, err
		}
		if who.Blind() {
			all[i].To = ""
		}
	}
	return all, more, nil
}

// attempts reads the attempts of all deliveries at once.
func attempts(tx *db.Tx, all []Delivery) error {
	if len(all) == 0 {
		return nil
	}
	at := map[string]int{}
	args := make([]any, 0, len(all))
	for i, d := range all {
		at[d.ID] = i
		args = append(args, d.ID)
	}
	return tx.List(func(r db.Row) error {
		var message string
		var a Attempt
		if err := r.Scan(&message, &a.Provider, &a.Began, &a.Ended, &a.Outcome, &a.ProviderID, &a.Detail, &a.Parts, &a.Cost, &a.Receipt, &a.ReceiptAt); err != nil {
			return err
		}
		d := &all[at[message]]
		d.Attempts = append(d.Attempts, a)
		d.Cost += a.Cost
		return nil
	}, "SELECT message_id, provider, began_at, ended_at, outcome, provider_id, detail, parts, cost, receipt, receipt_at FROM notify_attempts /* all domains: the desk's ledger of deliveries */ WHERE message_id IN (?"+
		strings.Repeat(", ?", len(all)-1)+") ORDER BY id", args...)
}

func (s *Service) mask(ctx context.Context, d *Delivery) error {
	if d.sealed == "" { // the recipient was erased
		return nil
	}
	c, err := s.cipher(ctx, d.person)
	if errors.Is(err, seal.ErrErased) {
		return nil
	}
	if err != nil {
		return err
	}
	to, err := c.open(s.place("recipient", d.ID), d.sealed)
	if err != nil {
		return err
	}
	d.To, d.sealed = Mask(to), ""
	return nil
}
