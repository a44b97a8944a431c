package privacy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/personal"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Kinds of what can have an age at which it goes.
var RetentionKinds = []string{"attachments", "texts", "mails", "deliveries", "verifications", "logins", "authorizations", "exports"}

// kinds that belong to no domain.
var houseKinds = []string{"logins"}

const (
	maxDays     = 36_500
	previewRows = 100
	// runMost bounds what one run removes; the next goes on.
	runMost = 20_000
	dayMs   = 24 * 60 * 60 * 1000
)

var (
	errKind      = fault.Unknown.In("kind")
	errDays      = fault.OutOfRange.In("days").With("min", 1).With("max", maxDays)
	errHouseKind = fault.New(fault.Invalid, fault.CodeInvalid, "该类记录不分账号，不能指定 {field}", "records of this kind belong to no customer: leave {field} out").In("domain_id")
)

// aged is what this package itself holds: links to bundles.
func aged() []personal.Aged {
	return []personal.Aged{{Rule: personal.Rule{Kind: "exports", Table: "privacy_bundles", Key: "id", Where: "created_at <= {before}"}, Domain: "domain_id", Persons: []string{"user_id"}, At: "created_at"}}
}

// Retention is a rule: what is older than so many days goes.
type Retention struct {
	Kind    string
	Domain  string // "" = all domains that have no rule of their own for the kind
	Days    int
	Actor   string
	Changed int64 // milliseconds UTC
	Ran     int64 // 0 = not yet
	Removed int64 // rows, in all runs
}

// CheckRetention judges a rule by itself, whether its domain is there or not.
func CheckRetention(r Retention) error {
	switch {
	case !slices.Contains(RetentionKinds, r.Kind):
		return errKind
	case r.Days < 1 || r.Days > maxDays:
		return errDays
	case r.Domain != "" && slices.Contains(houseKinds, r.Kind):
		return errHouseKind
	}
	return nil
}

func (s *Service) checkRetention(ctx context.Context, who principal.Principal, r Retention) error {
	err := CheckRetention(r)
	if err == nil && r.Domain != "" {
		_, err = s.n.Identity.Domain(ctx, who, r.Domain)
	}
	return err
}

// SetRetention sets the rule of a kind, for a domain or for all. Administrators
// only. Failures: .01 naming the field, identity.ErrNoDomain.
func (s *Service) SetRetention(ctx context.Context, who principal.Principal, r Retention) (Retention, error) {
	if err := mayRule(who); err != nil {
		return r, err
	}
	if err := s.checkRetention(ctx, who, r); err != nil {
		return r, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Retention, error) {
		before := 0
		err := tx.Get("SELECT days, ran_at, removed FROM privacy_retention WHERE kind = ? AND domain_id = ?", r.Kind, r.Domain).Scan(&before, &r.Ran, &r.Removed)
		if err != nil && !errors.Is(err, db.ErrNone) {
			return r, err
		}
		r := r
		r.Actor, r.Changed = who.User, tx.Real
		PutRetentionIn(tx, who, before, r)
		return r, nil
	})
}

// RetentionsIn are the rules, for configuration as code, in a transaction of
// several nouns.
func RetentionsIn(tx *db.Tx) ([]Retention, error) { return retentions(tx) }

// PutRetentionIn sets a rule that was checked; before are the days it had, 0 = it
// is new.
func PutRetentionIn(tx *db.Tx, who principal.Principal, before int, r Retention) {
	tx.Write(1, `INSERT INTO privacy_retention (kind, domain_id, days, actor, changed_at, ran_at, removed) VALUES (?, ?, ?, ?, ?, 0, 0)
		ON CONFLICT (kind, domain_id) DO UPDATE SET days = excluded.days, actor = excluded.actor, changed_at = excluded.changed_at`, r.Kind, r.Domain, r.Days, who.User, tx.Real)
	event.Record(tx, who, event.Event{Kind: "privacy.retention.set", Subject: "retention", SubjectID: r.Kind + "/" + r.Domain, LogCode: event.NoLog,
		Data: map[string]any{"kind": r.Kind, "domain": r.Domain, "from": before, "to": r.Days}})
}

// DropRetentionIn removes a rule.
func DropRetentionIn(tx *db.Tx, who principal.Principal, r Retention) {
	tx.Write(1, "DELETE FROM privacy_retention WHERE kind = ? AND domain_id = ?", r.Kind, r.Domain)
	event.Record(tx, who, event.Event{Kind: "privacy.retention.remove", Subject: "retention", SubjectID: r.Kind + "/" + r.Domain, LogCode: event.NoLog,
		Data: map[string]any{"kind": r.Kind, "domain": r.Domain, "from": r.Days}})
}

// DeleteRetention removes a rule: nothing of the kind goes by its age any more, or
// by the rule for all domains. Administrators only; ErrNone.
func (s *Service) DeleteRetention(ctx context.Context, who principal.Principal, kind, domain string) error {
	if err := mayRule(who); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		var days int
		err := tx.Get("DELETE FROM privacy_retention WHERE kind = ? AND domain_id = ? RETURNING days", kind, domain).Scan(&days)
		if errors.Is(err, db.ErrNone) {
			return ErrNone.In("kind")
		}
		event.Record(tx, who, event.Event{Kind: "privacy.retention.remove", Subject: "retention", SubjectID: kind + "/" + domain, LogCode: event.NoLog,
			Data: map[string]any{"kind": kind, "domain": domain, "from": days}})
		return err
	})
}

// Retentions lists the rules. Administrators and auditors.
func (s *Service) Retentions(ctx context.Context, who principal.Principal) (list []Retention, err error) {
	if err := mayRead(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) (err error) { list, err = retentions(tx); return err })
	return list, err
}

func retentions(tx *db.Tx) (list []Retention, err error) {
	err = tx.List(func(r db.Row) error {
		var x Retention
		err := r.Scan(&x.Kind, &x.Domain, &x.Days, &x.Actor, &x.Changed, &x.Ran, &x.Removed)
		list = append(list, x)
		return err
	}, "SELECT kind, domain_id, days, actor, changed_at, ran_at, removed FROM privacy_retention /* all domains: the house's rules */ ORDER BY kind, domain_id")
	return list, err
}

// Old is a row that a rule would remove.
type Old struct {
	Table, Domain, Ticket, Number string
	At                            int64
}

// Preview is what a rule would remove now.
type Preview struct {
	Retention
	Counts []Count // by table
	Held   int64   // rows that would go and are under a legal hold
	First  []Old   // at most 100
}

// due is the condition of what a rule removes, without regard to holds, and
// whether it has a domain.
func due(a personal.Aged, r Retention, now int64) (string, []any) {
	cond, args := personal.Expand("("+a.Where+")", personal.Subject{}, now-int64(r.Days)*dayMs)
	switch {
	case a.Domain == "":
	case r.Domain != "":
		cond, args = cond+" AND "+qualified(a.Table, a.Domain)+" = ?", append(args, r.Domain)
	default:
		cond, args = cond+" AND NOT EXISTS (SELECT 1 FROM privacy_retention AS own WHERE own.kind = ? AND own.domain_id <> '' AND own.domain_id = "+qualified(a.Table, a.Domain)+")", append(args, r.Kind)
	}
	return cond, args
}

func (s *Service) agedOf(kind string) (all []personal.Aged) {
	for _, a := range s.n.Aged {
		if a.Kind == kind {
			all = append(all, a)
		}
	}
	return all
}

// PreviewRetention tells what a rule would remove now, whether there is such a
// rule or not, and changes nothing: exact counts, and the first rows.
// Administrators only. Failures as of SetRetention.
func (s *Service) PreviewRetention(ctx context.Context, who principal.Principal, r Retention) (p Preview, err error) {
	if err := mayRule(who); err != nil {
		return p, err
	}
	if err := s.checkRetention(ctx, who, r); err != nil {
		return p, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		p = Preview{Retention: r}
		for _, a := range s.agedOf(r.Kind) {
			cond, args := due(a, r, tx.Real)
			all, err := a.Count(tx, cond, args)
			if err != nil {
				return fmt.Errorf("%s: %w", a.Table, err)
			}
			cond, args = cond+" AND "+free(a), append(args, tx.Real)
			goes, err := a.Count(tx, cond, args)
			if err != nil {
				return fmt.Errorf("%s: %w", a.Table, err)
			}
			if p.Held += all - goes; goes > 0 {
				p.Counts = added(p.Counts, a.Table, goes)
			}
			if len(p.First) >= previewRows {
				continue
			}
			domain, on := "''", "''"
			if a.Domain != "" {
				domain = a.Domain
			}
			if a.Ticket != "" {
				on = a.Ticket
			}
			err = tx.List(func(row db.Row) error {
				o := Old{Table: a.Table}
				err := row.Scan(&o.Domain, &o.Ticket, &o.At)
				p.First = append(p.First, o)
				return err
			}, "SELECT coalesce("+domain+", ''), coalesce("+on+", ''), "+a.At+" FROM "+a.Table+" /* all domains: the rule says which */ WHERE "+cond+" ORDER BY "+a.Order()+" LIMIT ?",
				append(args, previewRows-len(p.First))...)
			if err != nil {
				return fmt.Errorf("%s: %w", a.Table, err)
			}
		}
		byDomain := map[string][]string{}
		for _, o := range p.First {
			if o.Ticket != "" {
				byDomain[o.Domain] = append(byDomain[o.Domain], o.Ticket)
			}
		}
		for domain, ids := range byDomain {
			numbers, err := ticket.Numbers(tx, domain, ids)
			if err != nil {
				return err
			}
			for i := range p.First {
				if p.First[i].Domain == domain {
					p.First[i].Number = numbers[p.First[i].Ticket]
				}
			}
		}
		return nil
	})
	return p, err
}

// Retain carries out all rules, a little in each transaction: at most 20,000 rows
// of a rule, the next run goes on. What is under a hold stays.
func (s *Service) Retain(ctx context.Context) error {
	var rules []Retention
	if err := s.db.View(ctx, func(tx *db.Tx) (err error) { rules, err = retentions(tx); return err }); err != nil {
		return err
	}
	var touched []personal.Rule
	for _, r := range rules {
		var removed int64
		for _, a := range s.agedOf(r.Kind) {
			n, err := s.retain(ctx, r, a, runMost-removed)
			if err != nil {
				return fmt.Errorf("retention of %s: %s: %w", r.Kind, a.Table, err)
			}
			if removed += n; n > 0 {
				touched = append(touched, a.Rule)
			}
		}
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			tx.Write(db.Any, "UPDATE privacy_retention SET ran_at = ?, removed = removed + ? WHERE kind = ? AND domain_id = ?", tx.Real, removed, r.Kind, r.Domain)
			if removed > 0 {
				event.Record(tx, principal.AsSystem(principal.House), event.Event{Kind: "privacy.retention.run", Subject: "retention", SubjectID: r.Kind + "/" + r.Domain, LogCode: event.NoLog,
					Data: map[string]any{"kind": r.Kind, "domain": r.Domain, "days": r.Days, "removed": removed}})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(touched) == 0 {
		return nil
	}
	return s.scrub(ctx, touched)
}

func (s *Service) retain(ctx context.Context, r Retention, a personal.Aged, most int64) (n int64, err error) {
	var after []any
	for n < most {
		var page []personal.Found
		var mark string
		err := s.db.View(ctx, func(tx *db.Tx) (err error) {
			if mark, err = newestHold(tx); err != nil {
				return err
			}
			cond, args := due(a, r, tx.Real)
			page, err = a.Page(tx, cond+" AND "+free(a), append(args, tx.Real), after, int(min(batch, most-n)))
			return err
		})
		if err != nil || len(page) == 0 {
			return n, err
		}
		moved := false
		err = s.db.Update(ctx, func(tx *db.Tx) error {
			now, err := newestHold(tx)
			if moved = now != mark; err != nil || moved {
				return err // a hold was put since: look again
			}
			apply(tx, a.Rule, page, false)
			return nil
		})
		if err != nil {
			return n, err
		}
		if !moved {
			n += int64(len(page))
			after = page[len(page)-1].Key
		}
	}
	return n, nil
}

// newestHold tells whether a hold was put since somebody looked.
func newestHold(tx *db.Tx) (id string, err error) {
	err = tx.Get("SELECT coalesce(max(id), '') FROM privacy_holds").Scan(&id)
	return id, err
}
