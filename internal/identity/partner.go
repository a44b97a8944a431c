package identity

import (
	"context"
	"errors"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// What a partner's service is about.
const (
	ServiceSubType = "sub_type" // tickets of a sub type of the catalogue
	ServiceProduct = "product"  // a product whose ISV the partner is
)

// maxServices bounds what one partner serves.
const maxServices = 100

// Faults of partners.
var (
	// ErrNoPartner: unknown, or removed.
	ErrNoPartner    = fault.New(fault.NotFound, "OSM.01010057", "伙伴不存在", "The partner does not exist.")
	errPartnerName  = fault.New(fault.Conflict, fault.CodeInvalid, "伙伴名称已被使用：{name}", "the partner's name is taken: {name}").In("name")
	errAccountTaken = fault.New(fault.Conflict, fault.CodeInvalid, "该账号已是其他伙伴的账号", "the account is another partner's already").In("account_id")
	errISV          = fault.New(fault.Conflict, fault.CodeInvalid, "产品 {id} 已有 ISV", "the product {id} has an ISV already").In("services")
	errServiceTwice = fault.New(fault.Invalid, fault.CodeInvalid, "服务 {id} 重复", "the service {id} is named twice").In("services")
	errOwnPartner   = fault.New(fault.Conflict, fault.CodeInvalid, "伙伴不能服务自己的账号", "a partner does not serve his own account").In("partner_id")
)

// Hours are when somebody serves: days a week (1..7) and hours a day (1..24) in
// a zone such as GMT+08:00.
type Hours struct {
	Zone string
	Days int
	Day  int // hours a day
}

// ServiceOf is one service of a partner, at hours of its own when they are not zero.
type ServiceOf struct {
	Kind string // ServiceSubType or ServiceProduct
	ID   string // in the catalogue
	Hours
}

// Partner is an organisation that serves some of the house's customers with
// people of its own (semantics.md sections 3.3 and 11).
type Partner struct {
	ID, Name    string
	Account     string // id of the partner's own customer domain, "" = none
	Whitelisted bool   // may be given tickets
	Hours
	Services []ServiceOf
	Created  int64
}

// Handles tells whether the partner takes tickets of a sub type: all of them
// unless he names some.
func (p Partner) Handles(subType string) bool {
	named := false
	for _, s := range p.Services {
		if s.Kind != ServiceSubType {
			continue
		}
		if s.ID == subType {
			return true
		}
		named = true
	}
	return !named
}

func (p Partner) check() error {
	switch {
	case p.Name == "":
		return fault.Missing.In("name")
	case len([]rune(p.Name)) > 64:
		return fault.TooLong.In("name").With("max", 64)
	case len(p.Services) > maxServices:
		return fault.TooManyItems.In("services").With("max", maxServices)
	}
	if err := p.Hours.check(""); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, s := range p.Services {
		switch {
		case s.Kind != ServiceSubType && s.Kind != ServiceProduct:
			return fault.Unknown.In("services.kind")
		case s.ID == "":
			return fault.Missing.In("services.id")
		case len(s.ID) > 64:
			return fault.TooLong.In("services.id").With("max", 64)
		case seen[s.Kind+"/"+s.ID]:
			return errServiceTwice.With("id", s.ID)
		}
		seen[s.Kind+"/"+s.ID] = true
		if s.Hours == (Hours{}) {
			continue
		}
		if err := s.Hours.check("services."); err != nil {
			return err
		}
	}
	return nil
}

// check holds hours against the wire's limits: a zone of at most 10
// characters, 1..7 days, 1..24 hours.
func (h Hours) check(at string) error {
	if _, err := locale.ParseZone(h.Zone); err != nil || !strings.HasPrefix(h.Zone, "GMT") || len(h.Zone) > 10 {
		return fault.BadFormat.In(at+"zone").With("form", "GMT+08:00")
	}
	switch {
	case h.Days < 1 || h.Days > 7:
		return fault.OutOfRange.In(at+"days").With("min", 1).With("max", 7)
	case h.Day < 1 || h.Day > 24:
		return fault.OutOfRange.In(at+"hours").With("min", 1).With("max", 24)
	}
	return nil
}

const partnerColumns = "id, name, account_id, whitelisted, zone, days, hours, created_at"

func scanPartner(r db.Row) (p Partner, err error) {
	var listed, days, hours int64
	err = r.Scan(&p.ID, &p.Name, &p.Account, &listed, &p.Zone, &days, &hours, &p.Created)
	p.Whitelisted, p.Days, p.Day, p.Services = listed == 1, int(days), int(hours), []ServiceOf{}
	if errors.Is(err, db.ErrNone) {
		err = ErrNoPartner
	}
	return p, err
}

// PartnerIn reads a partner with his services; ErrNoPartner when he is unknown
// or was removed.
func PartnerIn(tx *db.Tx, id string) (Partner, error) {
	p, err := scanPartner(tx.Get("SELECT "+partnerColumns+" FROM partners WHERE id = ? AND removed_at = 0", id))
	if err != nil {
		return p, err
	}
	all := []Partner{p}
	err = loadServices(tx, all)
	return all[0], err
}

func loadServices(tx *db.Tx, all []Partner) error {
	at := map[string]int{}
	for i, p := range all {
		at[p.ID] = i
	}
	cond, args := "", []any{}
	if len(all) == 1 {
		cond, args = "WHERE partner_id = ? ", []any{all[0].ID}
	}
	return tx.List(func(r db.Row) error {
		var partner string
		var s ServiceOf
		var days, hours int64
		if err := r.Scan(&partner, &s.Kind, &s.ID, &s.Zone, &days, &hours); err != nil {
			return err
		}
		s.Days, s.Day = int(days), int(hours)
		if i, ok := at[partner]; ok {
			all[i].Services = append(all[i].Services, s)
		}
		return nil
	}, "SELECT partner_id, kind, ref_id, zone, days, hours FROM partner_services "+cond+"ORDER BY partner_id, kind, ref_id", args...)
}

// PartnerOfProduct is the id of the product's ISV, "" when it has none.
func PartnerOfProduct(tx *db.Tx, product string) (id string, err error) {
	err = tx.Get("SELECT partner_id FROM partner_services WHERE kind = ? AND ref_id = ?", ServiceProduct, product).Scan(&id)
	if errors.Is(err, db.ErrNone) {
		err = nil
	}
	return id, err
}

// PartnerNames are the names of partners by their ids, of removed ones too.
func PartnerNames(tx *db.Tx, ids []string) (map[string]string, error) {
	names := map[string]string{}
	if len(ids) == 0 {
		return names, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return names, tx.List(func(r db.Row) error {
		var id, name string
		err := r.Scan(&id, &name)
		names[id] = name
		return err
	}, "SELECT id, name FROM partners WHERE id IN (?"+strings.Repeat(", ?", len(ids)-1)+")", args...)
}

// HasISV tells which products are an ISV's who may be given tickets, as it was at
// most a second ago: creating a ticket shall not pay a round trip for it.
func (s *Service) HasISV(ctx context.Context) (products map[string]bool, err error) {
	const all = "all"
	if m, ok := s.cache.isv.get(all); ok {
		return m, nil
	}
	generation := s.cache.isv.generation()
	err = s.db.View(ctx, func(tx *db.Tx) error {
		products = map[string]bool{}
		return tx.List(func(r db.Row) error {
			var id string
			err := r.Scan(&id)
			products[id] = true
			return err
		}, "SELECT s.ref_id FROM partner_services AS s JOIN partners AS p ON p.id = s.partner_id WHERE s.kind = ? AND p.whitelisted = 1 AND p.removed_at = 0", ServiceProduct)
	})
	if err == nil {
		s.cache.isv.put(all, products, generation)
	}
	return products, err
}

// CreatePartner adds a partner. Administrators only. It fails with
// OSM.01010001 naming name (missing, over 64 characters, taken), account_id,
// zone, days, hours or services (over 100, unknown kind, a product that has an
// ISV).
func (s *Service) CreatePartner(ctx context.Context, who principal.Principal, in Partner) (Partner, error) {
	return s.putPartner(ctx, who, "", in)
}

// ChangePartner replaces all of a partner but his id. Administrators only. It
// fails as CreatePartner does, and with ErrNoPartner.
func (s *Service) ChangePartner(ctx context.Context, who principal.Principal, id string, in Partner) (Partner, error) {
	if id == "" {
		return Partner{}, ErrNoPartner
	}
	return s.putPartner(ctx, who, id, in)
}

func (s *Service) putPartner(ctx context.Context, who principal.Principal, id string, in Partner) (Partner, error) {
	if err := administer(who); err != nil {
		return Partner{}, err
	}
	in.Name = strings.TrimSpace(in.Name)
	if in.Services == nil {
		in.Services = []ServiceOf{}
	}
	if err := in.check(); err != nil {
		return Partner{}, err
	}
	defer s.cache.forget()
	return db.Do(ctx, s.db, func(tx *db.Tx) (Partner, error) {
		p, kind := in, "partner.change"
		if p.ID = id; id == "" {
			p.ID, p.Created, kind = tx.NewID(), tx.Now, "partner.create"
		} else {
			old, err := PartnerIn(tx, id)
			if err != nil {
				return p, err
			}
			p.Created = old.Created
		}
		if err := p.fits(tx); err != nil {
			return p, err
		}
		if id == "" {
			tx.Write(1, "INSERT INTO partners (id, name, account_id, whitelisted, zone, days, hours, created_at, removed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
				p.ID, p.Name, p.Account, number(p.Whitelisted), p.Zone, p.Days, p.Day, p.Created)
		} else {
			tx.Write(1, "UPDATE partners SET name = ?, account_id = ?, whitelisted = ?, zone = ?, days = ?, hours = ? WHERE id = ? AND removed_at = 0",
				p.Name, p.Account, number(p.Whitelisted), p.Zone, p.Days, p.Day, p.ID)
			tx.Write(db.Any, "DELETE FROM partner_services WHERE partner_id = ?", p.ID)
		}
		for _, sv := range p.Services {
			tx.Write(1, "INSERT INTO partner_services (partner_id, kind, ref_id, zone, days, hours) VALUES (?, ?, ?, ?, ?, ?)", p.ID, sv.Kind, sv.ID, sv.Zone, sv.Days, sv.Day)
		}
		event.Record(tx, who, event.Event{Domain: principal.House, Kind: kind, Subject: "partner", SubjectID: p.ID, LogCode: event.NoLog,
			Data: map[string]any{"account": p.Account, "whitelisted": p.Whitelisted, "services": len(p.Services)}})
		return p, nil
	})
}

// fits holds a partner against the others and the accounts.
func (p Partner) fits(tx *db.Tx) error {
	var named, accounts int
	err := tx.Get("SELECT count(*) FILTER (WHERE name = ?), count(*) FILTER (WHERE account_id = ? AND account_id <> '') FROM partners WHERE removed_at = 0 AND id <> ?",
		p.Name, p.Account, p.ID).Scan(&named, &accounts)
	switch {
	case err != nil:
		return err
	case named > 0:
		return errPartnerName.With("name", p.Name)
	case accounts > 0:
		return errAccountTaken
	}
	if p.Account != "" {
		d, err := DomainIn(tx, p.Account)
		switch {
		case errors.Is(err, ErrNoDomain):
			return ErrNoDomain.In("account_id")
		case err != nil:
			return err
		case d.Partner == p.ID:
			return errOwnPartner.In("account_id")
		}
	}
	taken := ""
	err = tx.List(func(r db.Row) error {
		var id, partner string
		err := r.Scan(&id, &partner)
		if partner != p.ID && slices.ContainsFunc(p.Services, func(s ServiceOf) bool { return s.Kind == ServiceProduct && s.ID == id }) {
			taken = id
		}
		return err
	}, "SELECT ref_id, partner_id FROM partner_services WHERE kind = ?", ServiceProduct)
	if err == nil && taken != "" {
		err = errISV.With("id", taken)
	}
	return err
}

// RemovePartner ends the work with a partner: his people are shut out at once
// and his products are nobody's; his customers keep the link, so that handing
// them tickets says that the partner is gone. Administrators only; ErrNoPartner.
func (s *Service) RemovePartner(ctx context.Context, who principal.Principal, id string) error {
	if err := administer(who); err != nil {
		return err
	}
	defer s.cache.forget()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		p, err := PartnerIn(tx, id)
		if err != nil {
			return err
		}
		removePartner(tx, who, id, p.Name)
		return nil
	})
}

// removePartner removes a partner with what hangs on him.
func removePartner(tx *db.Tx, who principal.Principal, id, name string) {
	tx.Write(1, "UPDATE partners SET removed_at = ? WHERE id = ? AND removed_at = 0", tx.Now, id)
	tx.Write(db.Any, "DELETE FROM partner_services WHERE partner_id = ?", id)
	tx.Write(db.Any, "UPDATE users SET disabled = 1 WHERE domain_id = ? AND partner_id = ?", principal.House, id)
	tx.Write(db.Any, "DELETE FROM tokens WHERE domain_id = ? AND user_id IN (SELECT id FROM users WHERE domain_id = ? AND partner_id = ?)", principal.House, principal.House, id)
	tx.Write(db.Any, "DELETE FROM browser_sessions WHERE domain_id = ? AND user_id IN (SELECT id FROM users WHERE domain_id = ? AND partner_id = ?)", principal.House, principal.House, id)
	event.Record(tx, who, event.Event{Domain: principal.House, Kind: "partner.remove", Subject: "partner", SubjectID: id, LogCode: event.NoLog, Data: map[string]any{"name": name}})
}

// Partners lists the partners by name. For the house.
func (s *Service) Partners(ctx context.Context, who principal.Principal) (all []Partner, err error) {
	if who.Kind == principal.Customer || who.Kind == principal.Anonymous || who.Partner != "" {
		return nil, fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = []Partner{}
		err := tx.List(func(r db.Row) error {
			p, err := scanPartner(r)
			all = append(all, p)
			return err
		}, "SELECT "+partnerColumns+" FROM partners WHERE removed_at = 0 ORDER BY name")
		if err != nil || len(all) == 0 {
			return err
		}
		return loadServices(tx, all)
	})
	return all, err
}

// ServedDomains begins a selection of the customers whom a partner, or one of
// some, serves: "= ?" or "IN (...)" follows. Its first condition is what the index
// domains_by_partner holds; without it the database cannot know that the index
// will do, and reads every customer.
const ServedDomains = "SELECT id FROM domains WHERE partner_id <> '' AND partner_id "

const servedCount = "SELECT partner_id, count(*) FROM domains WHERE partner_id <> '' GROUP BY partner_id"

// Served counts the customers each partner serves, by the partner's id; who
// serves none is missing. For the house.
func (s *Service) Served(ctx context.Context, who principal.Principal) (served map[string]int, err error) {
	if who.Kind == principal.Customer || who.Kind == principal.Anonymous || who.Partner != "" {
		return nil, fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		served = map[string]int{}
		return tx.List(func(r db.Row) error {
			var id string
			var n int
			err := r.Scan(&id, &n)
			served[id] = n
			return err
		}, servedCount)
	})
	return served, err
}

// Partner reads a partner. For the house; ErrNoPartner.
func (s *Service) Partner(ctx context.Context, who principal.Principal, id string) (p Partner, err error) {
	if who.Kind == principal.Customer || who.Kind == principal.Anonymous || who.Partner != "" {
		return p, fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { p, err = PartnerIn(tx, id); return err })
	return p, err
}

// ServedBy makes a partner the one who serves a customer, or with "" nobody.
// Administrators only. It fails with ErrNoDomain, ErrNoPartner, and for the
// partner's own account.
func (s *Service) ServedBy(ctx context.Context, who principal.Principal, domain, partner string) error {
	if err := administer(who); err != nil {
		return err
	}
	defer s.cache.forget()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		d, err := DomainIn(tx, domain)
		if err != nil {
			return err
		}
		if partner != "" {
			p, err := PartnerIn(tx, partner)
			switch {
			case err != nil:
				return err
			case p.Account == d.ID:
				return errOwnPartner
			}
		}
		tx.Write(1, "UPDATE domains SET partner_id = ? WHERE id = ?", partner, domain)
		event.Record(tx, who, event.Event{Domain: domain, Kind: "domain.partner", Subject: "domain", SubjectID: domain, LogCode: event.NoLog,
			Data: map[string]any{"from": d.Partner, "to": partner}})
		return nil
	})
}

// PartnerAccount tells whether the caller is of an account that is a partner's
// own and may be given tickets (contract: ShowPartnersCasesPrivilege).
func (s *Service) PartnerAccount(ctx context.Context, who principal.Principal) (ok bool, err error) {
	if who.Kind != principal.Customer {
		return false, fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		var n int
		err := tx.Get("SELECT count(*) FROM partners WHERE account_id = ? AND whitelisted = 1 AND removed_at = 0", who.Domain).Scan(&n)
		ok = n > 0
		return err
	})
	return ok, err
}

// ServiceHours is who serves the caller and when: the ISV of the product when
// one is named, else the partner of the caller's account, at the hours of the
// sub type where he has some of its own. ok is false when nobody does.
func (s *Service) ServiceHours(ctx context.Context, who principal.Principal, subType, product string) (p Partner, h Hours, ok bool, err error) {
	if who.Kind != principal.Customer {
		return p, h, false, fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		ok = false
		var id string
		if product != "" {
			if id, err = PartnerOfProduct(tx, product); err != nil {
				return err
			}
		} else {
			d, err := DomainIn(tx, who.Domain)
			if err != nil {
				return err
			}
			id = d.Partner
		}
		if id == "" {
			return nil
		}
		p, err = PartnerIn(tx, id)
		if errors.Is(err, ErrNoPartner) {
			return nil
		}
		h, ok = p.hours(subType, product)
		return err
	})
	return p, h, ok && err == nil, err
}

// hours are those of the service asked about; ok is false when the partner
// names sub types and this is none of them.
func (p Partner) hours(subType, product string) (Hours, bool) {
	for _, s := range p.Services {
		if s.Kind == ServiceProduct && product != "" && s.ID == product || s.Kind == ServiceSubType && product == "" && s.ID == subType {
			if s.Hours != (Hours{}) {
				return s.Hours, true
			}
			return p.Hours, true
		}
	}
	return p.Hours, subType == "" || product != "" || p.Handles(subType)
}

// PartnerOfEngineer is the id of the partner a person of the house works for,
// "" for the house's own; ErrNoUser.
func PartnerOfEngineer(tx *db.Tx, id string) (partner string, err error) {
	err = tx.Get("SELECT partner_id FROM users WHERE domain_id = ? AND id = ?", principal.House, id).Scan(&partner)
	if errors.Is(err, db.ErrNone) {
		err = ErrNoUser
	}
	return partner, err
}
