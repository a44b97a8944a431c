package identity

import (
	"context"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Limits of agencies: how many a domain has, and the longest validity but for
// ever, in hours (ten years).
const (
	maxAgencies    = 50
	maxAgencyHours = 24 * 3660
)

// Faults of agencies.
var (
	// ErrNoAgency: unknown, of another domain, or over.
	ErrNoAgency    = fault.New(fault.NotFound, fault.CodeInvalid, "委托不存在", "the agency does not exist")
	errAgencyLimit = fault.New(fault.Conflict, fault.CodeInvalid, "每个账号最多 {max} 个委托", "an account has at most {max} agencies")
)

// Agency is a delegation of a customer's account, usable in authorizations
// (semantics.md section 11).
type Agency struct {
	Domain, ID, Name   string
	Hours              int    // validity, 0 = for ever
	TrustID, TrustName string // who may act for the account
	Created, Expires   int64  // milliseconds UTC; Expires 0 = never
}

// NewAgency is what CreateAgency needs.
type NewAgency struct {
	Domain, Name       string
	Hours              int
	TrustID, TrustName string
}

func (n NewAgency) check() error {
	for _, f := range []struct {
		name, value string
		must        bool
	}{{"name", n.Name, true}, {"trust_domain_name", n.TrustName, true}, {"trust_domain_id", n.TrustID, false}} {
		switch {
		case f.must && f.value == "":
			return fault.Missing.In(f.name)
		case len([]rune(f.value)) > 64:
			return fault.TooLong.In(f.name).With("max", 64)
		}
	}
	if n.Hours < 0 || n.Hours > maxAgencyHours {
		return fault.OutOfRange.In("hours").With("min", 0).With("max", maxAgencyHours)
	}
	return nil
}

// CreateAgency adds a delegation: administrators anywhere, a main account in its
// own domain; at most 50 that are not over. It fails with OSM.01010001 naming
// name (missing, over 64 characters, taken), trust_domain_name, trust_domain_id
// or hours.
func (s *Service) CreateAgency(ctx context.Context, who principal.Principal, in NewAgency) (Agency, error) {
	if err := s.mayManage(who, in.Domain); err != nil {
		return Agency{}, err
	}
	in.Name, in.TrustName = strings.TrimSpace(in.Name), strings.TrimSpace(in.TrustName)
	if err := in.check(); err != nil {
		return Agency{}, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Agency, error) {
		a := Agency{Domain: in.Domain, ID: tx.NewID(), Name: in.Name, Hours: in.Hours, TrustID: in.TrustID, TrustName: in.TrustName, Created: tx.Now}
		if a.Hours > 0 {
			a.Expires = tx.Now + int64(a.Hours)*3600_000
		}
		tx.Lock(a.Domain, "agencies")
		if _, err := DomainIn(tx, a.Domain); err != nil {
			return a, err
		}
		var taken, n int
		err := tx.Get("SELECT count(*) FILTER (WHERE name = ?), count(*) FROM agencies WHERE domain_id = ? AND (expires_at = 0 OR expires_at > ?)", a.Name, a.Domain, tx.Now).Scan(&taken, &n)
		switch {
		case err != nil:
			return a, err
		case taken > 0:
			return a, ErrNameTaken.With("name", a.Name).In("name")
		case n >= maxAgencies:
			return a, errAgencyLimit.With("max", maxAgencies)
		}
		// One that is over does not keep its name.
		tx.Write(db.Any, "DELETE FROM agencies WHERE domain_id = ? AND expires_at > 0 AND expires_at <= ?", a.Domain, tx.Now)
		tx.Write(1, "INSERT INTO agencies (domain_id, id, name, hours, trust_domain_id, trust_domain_name, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			a.Domain, a.ID, a.Name, a.Hours, a.TrustID, a.TrustName, a.Created, a.Expires)
		event.Record(tx, who, event.Event{Domain: a.Domain, Kind: "agency.create", Subject: "agency", SubjectID: a.ID, LogCode: event.NoLog, Data: map[string]any{"hours": a.Hours, "trust": a.TrustID}})
		return a, nil
	})
}

// DeleteAgency ends a delegation at once. ErrNoAgency.
func (s *Service) DeleteAgency(ctx context.Context, who principal.Principal, domain, id string) error {
	if err := s.mayManage(who, domain); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		a, err := AgencyIn(tx, domain, id)
		if err != nil {
			return err
		}
		tx.Write(1, "DELETE FROM agencies WHERE domain_id = ? AND id = ?", domain, id)
		event.Record(tx, who, event.Event{Domain: domain, Kind: "agency.delete", Subject: "agency", SubjectID: id, LogCode: event.NoLog, Data: map[string]any{"name": a.Name}})
		return nil
	})
}

const agencyColumns = "domain_id, id, name, hours, trust_domain_id, trust_domain_name, created_at, expires_at"

func scanAgency(r db.Row) (a Agency, err error) {
	var hours int64
	err = r.Scan(&a.Domain, &a.ID, &a.Name, &hours, &a.TrustID, &a.TrustName, &a.Created, &a.Expires)
	a.Hours = int(hours)
	return a, err
}

// AgencyIn reads a delegation that is not over; ErrNoAgency.
func AgencyIn(tx *db.Tx, domain, id string) (Agency, error) {
	found := []Agency{}
	err := tx.List(func(r db.Row) error {
		a, err := scanAgency(r)
		found = append(found, a)
		return err
	}, "SELECT "+agencyColumns+" FROM agencies WHERE domain_id = ? AND id = ? AND (expires_at = 0 OR expires_at > ?)", domain, id, tx.Now)
	if err != nil {
		return Agency{}, err
	}
	if len(found) == 0 {
		return Agency{}, ErrNoAgency
	}
	return found[0], nil
}

// AgencyName is the name of a delegation, also of one that is over; its id when
// it was deleted.
func AgencyName(tx *db.Tx, domain, id string) (string, error) {
	name := id
	err := tx.List(func(r db.Row) error { return r.Scan(&name) }, "SELECT name FROM agencies WHERE domain_id = ? AND id = ?", domain, id)
	return name, err
}

// Agencies lists the delegations of a domain that are not over, by name: for its
// users, who choose one to authorize with, and for administrators.
func (s *Service) Agencies(ctx context.Context, who principal.Principal, domain string) (all []Agency, err error) {
	if !(who.Kind == principal.Customer && who.Domain == domain) && !who.Inspects() {
		return nil, fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = []Agency{}
		if _, err := DomainIn(tx, domain); err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			a, err := scanAgency(r)
			all = append(all, a)
			return err
		}, "SELECT "+agencyColumns+" FROM agencies WHERE domain_id = ? AND (expires_at = 0 OR expires_at > ?) ORDER BY name", domain, tx.Now)
	})
	return all, err
}
