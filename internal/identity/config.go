package identity

import (
	"errors"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// What follows is for configuration as code (package setup), in a transaction
// that spans several nouns. Who may do so is checked there. Call Forget when the
// transaction is committed.

// Config is what of accounts and partners is configuration.
type Config struct {
	Partners []Partner       // by id
	Domains  []Domain        // of customers, by id
	People   map[string]bool // ids of the house's own people; true = can work on tickets: neither shut out nor auditors
}

// ConfigIn reads it.
func ConfigIn(tx *db.Tx) (c Config, err error) { return configIn(tx, true, nil) }

// ConfigOf reads the partners, and of the accounts those with the ids, and nobody.
func ConfigOf(tx *db.Tx, domains []string) (Config, error) { return configIn(tx, false, domains) }

func configIn(tx *db.Tx, all bool, domains []string) (c Config, err error) {
	c.People = map[string]bool{}
	err = tx.List(func(r db.Row) error {
		p, err := scanPartner(r)
		c.Partners = append(c.Partners, p)
		return err
	}, "SELECT "+partnerColumns+" FROM partners WHERE removed_at = 0 ORDER BY id")
	if err != nil {
		return c, err
	}
	if len(c.Partners) > 0 {
		if err := loadServices(tx, c.Partners); err != nil {
			return c, err
		}
	}
	err = chosen(tx, func(r db.Row) error {
		d, err := scanDomain(r)
		c.Domains = append(c.Domains, d)
		return err
	}, "SELECT "+domainColumns+" FROM domains WHERE id <> 'house' AND", "ORDER BY id", all, chosenBy{"id", domains})
	if err != nil || !all {
		return c, err
	}
	err = tx.List(func(r db.Row) error {
		var id string
		var works int64
		err := r.Scan(&id, &works)
		c.People[id] = works == 1
		return err
	}, "SELECT id, CASE WHEN disabled = 0 AND role <> 'auditor' THEN 1 ELSE 0 END FROM users WHERE domain_id = 'house' AND partner_id = ''")
	return c, err
}

// Check tidies and judges a partner by itself.
func (p *Partner) Check() error {
	p.Name = strings.TrimSpace(p.Name)
	return p.check()
}

// Forget drops what this node remembers of accounts and partners.
func (s *Service) Forget() { s.cache.forget() }

// Faults of what partners and accounts say of each other, for the caller's checks.
var (
	ErrPartnerName  = errPartnerName
	ErrAccountTaken = errAccountTaken
	ErrISV          = errISV
	ErrOwnPartner   = errOwnPartner
)

// ClearPartnersIn takes the unique parts of partners away that are about to be
// written or removed, so that two of them can change theirs over.
func ClearPartnersIn(tx *db.Tx, ids []string) {
	for _, id := range ids {
		tx.Write(1, "UPDATE partners SET name = id, account_id = '' WHERE id = ? AND removed_at = 0", id)
		tx.Write(db.Any, "DELETE FROM partner_services WHERE partner_id = ?", id)
	}
}

// PutPartnerIn writes a partner as he stands; one who was removed comes back, his
// people stay shut out.
func PutPartnerIn(tx *db.Tx, who principal.Principal, fresh bool, p Partner) error {
	kind := "partner.change"
	if fresh {
		kind = "partner.create"
		var removed int64
		err := tx.Get("SELECT removed_at FROM partners WHERE id = ?", p.ID).Scan(&removed)
		switch {
		case errors.Is(err, db.ErrNone):
			tx.Write(1, "INSERT INTO partners (id, name, account_id, whitelisted, zone, days, hours, created_at, removed_at) VALUES (?, ?, '', 0, '', 0, 0, ?, 0)", p.ID, p.ID, tx.Now)
		case err != nil:
			return err
		default:
			tx.Write(1, "UPDATE partners SET removed_at = 0, account_id = '', name = id WHERE id = ?", p.ID)
		}
	}
	tx.Write(1, "UPDATE partners SET name = ?, account_id = ?, whitelisted = ?, zone = ?, days = ?, hours = ? WHERE id = ? AND removed_at = 0",
		p.Name, p.Account, number(p.Whitelisted), p.Zone, p.Days, p.Day, p.ID)
	for _, sv := range p.Services {
		tx.Write(1, "INSERT INTO partner_services (partner_id, kind, ref_id, zone, days, hours) VALUES (?, ?, ?, ?, ?, ?)", p.ID, sv.Kind, sv.ID, sv.Zone, sv.Days, sv.Day)
	}
	event.Record(tx, who, event.Event{Domain: principal.House, Kind: kind, Subject: "partner", SubjectID: p.ID, LogCode: event.NoLog,
		Data: map[string]any{"account": p.Account, "whitelisted": p.Whitelisted, "services": len(p.Services)}})
	return nil
}

// DropPartnerIn ends the work with a partner as RemovePartner does.
func DropPartnerIn(tx *db.Tx, who principal.Principal, id, name string) {
	removePartner(tx, who, id, name)
}

// SetDomainIn sets a customer's support plan and partner. Tickets keep the plan
// they were made under.
func SetDomainIn(tx *db.Tx, who principal.Principal, before, d Domain) {
	if d.Plan != before.Plan {
		tx.Write(1, "UPDATE domains SET plan = ? WHERE id = ?", d.Plan, d.ID)
		event.Record(tx, who, event.Event{Domain: d.ID, Kind: "domain.plan", Subject: "domain", SubjectID: d.ID, LogCode: event.NoLog,
			Data: map[string]any{"from": before.Plan, "to": d.Plan}})
	}
	if d.Partner != before.Partner {
		tx.Write(1, "UPDATE domains SET partner_id = ? WHERE id = ?", d.Partner, d.ID)
		event.Record(tx, who, event.Event{Domain: d.ID, Kind: "domain.partner", Subject: "domain", SubjectID: d.ID, LogCode: event.NoLog,
			Data: map[string]any{"from": before.Partner, "to": d.Partner}})
	}
}

// CheckPlan refuses a support plan that is none of those known: ErrPlan.
func CheckPlan(plan string, known []string) error {
	if plan == "" || slices.Contains(known, plan) {
		return nil
	}
	return ErrPlan.With("plan", plan).With("known", fault.List(known))
}
