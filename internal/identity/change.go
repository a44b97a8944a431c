package identity

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/personal"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// maxQuota is the greatest number of open tickets an account can be granted.
const maxQuota = 65535

// NoQuota is the quota of an account that may have any number of open tickets.
const NoQuota = -1

// Faults of changes.
var (
	errAliasHouse = fault.New(fault.Invalid, fault.CodeInvalid, "仅内部人员有对外别名", "only people of the house have an alias").In("alias")
	errOpenStill  = fault.New(fault.Conflict, fault.CodeNoPermission, "请先停用该账号，再注销", "disable the account before you close it")
	errWrongName  = fault.New(fault.Invalid, fault.CodeInvalid, "名称与账号不符，未注销", "this is not the account's name: nothing was closed").In("name")
	errHeld       = fault.New(fault.Conflict, fault.CodeNoPermission, "该账号有生效中的保全（{hold}），解除前不能注销、移除或重置", "a legal hold ({hold}) is in force on the account: nothing of it goes before the hold is released")
	errClosed     = fault.New(fault.Conflict, fault.CodeNoPermission, "该账号已注销", "the account is closed")
)

// UserChange is what ChangeUser changes; nil stays, "" removes (not the name).
type UserChange struct {
	Name, Alias            *string
	AreaCode, Mobile, Mail *string
	Language               *locale.Language
	Zone                   *string
}

func (c UserChange) check(u User) error {
	if c.Name != nil {
		n := NewUser{Domain: u.Domain, Name: *c.Name, Role: u.Role, Partner: u.Partner, Password: "not looked at 1"}
		if err := n.check(); err != nil {
			return err
		}
	}
	switch {
	case c.Alias != nil && u.Domain != principal.House:
		return errAliasHouse
	case c.Alias != nil && strings.TrimSpace(*c.Alias) == "":
		return fault.Missing.In("alias")
	case c.Alias != nil && len([]rune(*c.Alias)) > 64:
		return fault.TooLong.In("alias").With("max", 64)
	}
	if c.Zone != nil && *c.Zone != "" {
		if _, err := locale.ParseZone(*c.Zone); err != nil {
			return ErrZone
		}
	}
	if l := c.Language; l != nil && *l != "" && *l != locale.ZH && *l != locale.EN {
		return fault.Unknown.In("language")
	}
	return nil
}

// put is the change done to a user as he is.
func (c UserChange) put(u User) User {
	for _, f := range []struct{ from, to *string }{{c.Name, &u.Name}, {c.Alias, &u.Alias}, {c.AreaCode, &u.AreaCode}, {c.Mobile, &u.Mobile}, {c.Mail, &u.Mail}, {c.Zone, &u.Zone}} {
		if f.from != nil {
			*f.to = strings.TrimSpace(*f.from)
		}
	}
	if c.Language != nil {
		u.Language = *c.Language
	}
	if u.Mobile == "" {
		u.AreaCode = ""
	}
	return u
}

// fields are the names of what is changed, for the record: never what to.
func (c UserChange) fields() (all []string) {
	for _, f := range []struct {
		name string
		is   bool
	}{{"name", c.Name != nil}, {"alias", c.Alias != nil}, {"mobile", c.Mobile != nil || c.AreaCode != nil}, {"email", c.Mail != nil}, {"language", c.Language != nil}, {"time_zone", c.Zone != nil}} {
		if f.is {
			all = append(all, f.name)
		}
	}
	return all
}

// ChangeUser changes what is known of a user: administrators of anybody, a main
// account in its own domain. A new log-in name ends his
// sessions and tokens. Failures:
// ErrNoUser, ErrNameTaken, OSM.01010001 naming the field.
func (s *Service) ChangeUser(ctx context.Context, who principal.Principal, domain, id string, c UserChange) (User, error) {
	if err := s.mayManage(who, domain); err != nil {
		return User{}, err
	}
	before, err := s.User(ctx, principal.AsSystem(domain), domain, id)
	if err != nil {
		return User{}, err
	}
	if err := c.check(before); err != nil {
		return User{}, err
	}
	u := c.put(before)
	in := NewUser{Domain: domain, Name: u.Name, AreaCode: u.AreaCode, Mobile: u.Mobile, Mail: u.Mail}
	if c.Mobile == nil && c.AreaCode == nil && before.Mobile != "" { // it is in its one spelling already
		in.Mobile, in.AreaCode = before.Mobile, ""
	}
	row, err := s.sealUser(ctx, &u, in)
	if err != nil {
		return User{}, err
	}
	renamed := u.Name != before.Name
	defer s.cache.forget()
	defer s.forgetName(domain, id)
	_, err = db.Do(ctx, s.db, func(tx *db.Tx) (string, error) {
		now, err := scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", domain, id))
		if err != nil {
			return "", err
		}
		var taken int
		if err := tx.Get("SELECT count(*) FROM users WHERE domain_id = ? AND name_hash = ? AND id <> ?", domain, row.nameHash, id).Scan(&taken); err != nil {
			return "", err
		}
		if taken > 0 {
			return "", ErrNameTaken.With("name", u.Name).In("name")
		}
		tx.Write(1, `UPDATE users SET name_hash = ?, name = ?, mobile = ?, mail = ?, area_code = ?, mobile_hash = ?, mail_hash = ?, alias = ?, language = ?, zone = ?
			WHERE domain_id = ? AND id = ?`, row.nameHash, row.name, row.mobile, row.mail, u.AreaCode, row.mobileHash, row.mailHash, u.Alias, string(u.Language), u.Zone, domain, now.ID)
		if renamed {
			logOut(tx, domain, id)
		}
		search.Put(tx, false, s.userDoc(u)...)
		event.Record(tx, who, event.Event{Domain: domain, Kind: "user.change", Subject: "user", SubjectID: id, LogCode: event.NoLog, Data: map[string]any{"fields": c.fields()}})
		return id, nil
	})
	if err != nil {
		return User{}, err
	}
	return s.User(ctx, who, domain, id)
}

// DomainChange is what ChangeDomain changes; nil stays.
type DomainChange struct {
	Name, Plan *string // Plan "" = none
	Quota      *int    // 0 = the catalogue's, NoQuota = no end
	Switches   map[Switch]bool
}

// ChangeDomain changes an account; it holds at once on this node and within a
// second on others. Tickets keep the plan they were made with. Administrators
// only. Failures: ErrNoDomain, ErrNameTaken, ErrPlan, ErrReserved, OSM.01010001
// naming the field, OSM.01010002 for a closed account.
func (s *Service) ChangeDomain(ctx context.Context, who principal.Principal, id string, c DomainChange) (Domain, error) {
	if err := administer(who); err != nil {
		return Domain{}, err
	}
	if id == principal.House {
		return Domain{}, ErrNoDomain
	}
	name := ""
	if c.Name != nil {
		name = strings.TrimSpace(*c.Name)
		switch {
		case name == "":
			return Domain{}, fault.Missing.In("name")
		case len([]rune(name)) > 64:
			return Domain{}, fault.TooLong.In("name").With("max", 64)
		case name == principal.House:
			return Domain{}, ErrReserved
		}
	}
	if c.Plan != nil && *c.Plan != "" && s.o.Plans != nil {
		if known := s.o.Plans(); !slices.Contains(known, *c.Plan) {
			return Domain{}, ErrPlan.With("plan", *c.Plan).With("known", fault.List(known))
		}
	}
	if c.Quota != nil && (*c.Quota < NoQuota || *c.Quota > maxQuota) {
		return Domain{}, fault.Unknown.In("quota")
	}
	for sw := range c.Switches {
		if switches[sw] == "" {
			return Domain{}, fault.Unknown.In(string(sw))
		}
	}
	defer s.cache.forget()
	return db.Do(ctx, s.db, func(tx *db.Tx) (Domain, error) {
		before, err := DomainIn(tx, id)
		switch {
		case err != nil:
			return before, err
		case before.Closed > 0:
			return before, errClosed
		}
		d := before
		from, to := map[string]any{}, map[string]any{}
		if c.Name != nil && name != d.Name {
			var taken int
			if err := tx.Get("SELECT count(*) FROM domains WHERE name = ? AND id <> ?", name, id).Scan(&taken); err != nil {
				return d, err
			}
			if taken > 0 {
				return d, ErrNameTaken.With("name", name).In("name")
			}
			from["name"], to["name"], d.Name = d.Name, name, name
		}
		if c.Plan != nil && *c.Plan != d.Plan {
			from["plan"], to["plan"], d.Plan = d.Plan, *c.Plan, *c.Plan
		}
		if c.Quota != nil && *c.Quota != d.Quota {
			from["quota"], to["quota"], d.Quota = d.Quota, *c.Quota, *c.Quota
		}
		if len(to) > 0 {
			tx.Write(1, "UPDATE domains SET name = ?, plan = ?, quota = ? WHERE id = ?", d.Name, d.Plan, d.Quota, id)
			search.Put(tx, false, search.Doc{Domain: d.ID, Kind: search.KindDomain, ID: d.ID, Text: d.Name})
			event.Record(tx, who, event.Event{Domain: id, Kind: "domain.change", Subject: "domain", SubjectID: id, LogCode: event.NoLog, Data: map[string]any{"from": from, "to": to}})
		}
		for _, sw := range []Switch{SwitchSubmitByPermission, SwitchExport, SwitchAssumeAll} {
			if on, ok := c.Switches[sw]; ok {
				d.turn(tx, who, sw, on)
			}
		}
		return d, nil
	})
}

// CloseDomain closes a customer's account for good (semantics.md section 14):
// its users are kept out, tokens, sessions, keys, second factors, links to identity
// providers and agencies are gone, and the personal
// keys of its people are destroyed, after which no name, contact or sealed value
// of theirs can be read, here or in a backup. Tickets, figures and the history
// stay. The name guards against mistakes. Administrators only. Failures:
// ErrNoDomain, OSM.01010001 naming name, OSM.01010002 for an account that is not
// disabled, or while a legal hold is on it, on a ticket or on one of its people.
// Closing it again changes nothing.
func (s *Service) CloseDomain(ctx context.Context, who principal.Principal, id, name string) (Domain, error) {
	if err := administer(who); err != nil {
		return Domain{}, err
	}
	defer s.cache.forget()
	type closed struct {
		Domain Domain
		People []string
	}
	out, err := db.Do(ctx, s.db, func(tx *db.Tx) (out closed, err error) {
		tx.Lock(principal.House, personal.HoldsLock)
		out.Domain, err = DomainIn(tx, id)
		switch {
		case err != nil:
			return out, err
		case id == principal.House:
			return out, ErrNoDomain
		case out.Domain.Name != name:
			return out, errWrongName
		case !out.Domain.Disabled:
			return out, errOpenStill
		}
		if err := notHeld(tx, id); err != nil {
			return out, err
		}
		if out.People, err = peopleIn(tx, id); err != nil || out.Domain.Closed > 0 {
			return out, err // closed before: what a crash left of the keys is destroyed now
		}
		out.Domain.Closed = tx.Now
		tx.Write(1, "UPDATE domains SET closed_at = ? WHERE id = ?", tx.Now, id)
		tx.Write(db.Any, "UPDATE users SET disabled = 1, name_hash = id, mobile_hash = '', mail_hash = '' WHERE domain_id = ?", id)
		for _, table := range closing {
			tx.Write(db.Any, "DELETE FROM "+table+" WHERE domain_id = ?", id)
		}
		search.Remove(tx, id, out.People...)
		event.Record(tx, who, event.Event{Domain: id, Kind: "domain.close", Subject: "domain", SubjectID: id, LogCode: event.NoLog, Data: map[string]any{"people": len(out.People)}})
		return out, nil
	})
	if err != nil {
		return Domain{}, err
	}
	// Behind the transaction: a key that is destroyed does not come back with it.
	return out.Domain, s.destroy(ctx, id, out.People)
}

// closing are the tables with what people come in with; nothing of a closed
// domain stays in them.
var closing = []string{"tokens", "access_keys", "temporary_keys", "agencies", "browser_sessions", "login_challenges", "second_factors", "recovery_codes", "user_links", "user_preferences"}

// notHeld refuses while a legal hold is in force on something of a domain.
func notHeld(tx *db.Tx, domain string) error {
	hold, err := personal.HoldOn(tx, domain)
	if err == nil && hold != "" {
		err = errHeld.With("hold", hold)
	}
	return err
}

// peopleIn are the ids of all users of a domain.
func peopleIn(tx *db.Tx, domain string) (ids []string, err error) {
	err = tx.List(func(r db.Row) error {
		var id string
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	}, "SELECT id FROM users WHERE domain_id = ? ORDER BY id", domain)
	return ids, err
}

// destroy destroys people's keys; what is sealed under them never opens again.
func (s *Service) destroy(ctx context.Context, domain string, people []string) error {
	for _, id := range people {
		if err := s.keys.Destroy(ctx, id); err != nil {
			return err
		}
		s.forgetName(domain, id)
	}
	return nil
}

// GroupChange is what ChangeGroup changes; nil stays.
type GroupChange struct {
	Name  *string
	Roles []string // nil = they stay
}

// ChangeGroup changes a group's name or rights; they hold at once. It fails like
// CreateGroup, and with ErrNoGroup.
func (s *Service) ChangeGroup(ctx context.Context, who principal.Principal, domain, id string, c GroupChange) (Group, error) {
	if err := s.mayManage(who, domain); err != nil {
		return Group{}, err
	}
	in := NewGroup{Domain: domain, Name: "x", Roles: c.Roles}
	if c.Name != nil {
		in.Name = *c.Name
	}
	want, err := in.checked()
	if err != nil {
		return Group{}, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Group, error) {
		g, err := groupIn(tx, domain, id)
		if err != nil {
			return g, err
		}
		before := slices.Clone(g.Roles)
		if c.Name != nil {
			var taken int
			if err := tx.Get("SELECT count(*) FROM user_groups WHERE domain_id = ? AND name = ? AND id <> ?", domain, want.Name, id).Scan(&taken); err != nil {
				return g, err
			}
			if taken > 0 {
				return g, ErrNameTaken.With("name", want.Name).In("name")
			}
			g.Name = want.Name
		}
		if c.Roles != nil {
			g.Roles = want.Roles
		}
		roles, err := json.Marshal(g.Roles)
		if err != nil {
			return g, err
		}
		tx.Write(1, "UPDATE user_groups SET name = ?, roles = ? WHERE domain_id = ? AND id = ?", g.Name, string(roles), domain, id)
		event.Record(tx, who, event.Event{Domain: domain, Kind: "group.change", Subject: "group", SubjectID: id, LogCode: event.NoLog, Data: map[string]any{"from": before, "roles": g.Roles}})
		return g, nil
	})
}

// DeleteGroup removes a group; the rights it gave end at once. ErrNoGroup.
func (s *Service) DeleteGroup(ctx context.Context, who principal.Principal, domain, id string) error {
	if err := s.mayManage(who, domain); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		g, err := groupIn(tx, domain, id)
		if err != nil {
			return err
		}
		tx.Write(db.Any, "DELETE FROM group_members WHERE domain_id = ? AND group_id = ?", domain, id)
		tx.Write(1, "DELETE FROM user_groups WHERE domain_id = ? AND id = ?", domain, id)
		event.Record(tx, who, event.Event{Domain: domain, Kind: "group.delete", Subject: "group", SubjectID: id, LogCode: event.NoLog,
			Data: map[string]any{"name": g.Name, "made": g.Created, "members": len(g.Members)}})
		return nil
	})
}

// groupIn reads a group with its members; ErrNoGroup.
func groupIn(tx *db.Tx, domain, id string) (Group, error) {
	g := Group{Domain: domain, ID: id, Members: []string{}}
	found := false
	err := tx.List(func(r db.Row) error {
		var roles string
		if err := r.Scan(&g.Name, &roles, &g.Created); err != nil {
			return err
		}
		found = true
		return json.Unmarshal([]byte(roles), &g.Roles)
	}, "SELECT name, roles, created_at FROM user_groups WHERE domain_id = ? AND id = ?", domain, id)
	if err == nil && !found {
		err = ErrNoGroup
	}
	if err != nil {
		return g, err
	}
	return g, tx.List(func(r db.Row) error {
		var user string
		err := r.Scan(&user)
		g.Members = append(g.Members, user)
		return err
	}, "SELECT user_id FROM group_members WHERE domain_id = ? AND group_id = ? ORDER BY user_id", domain, id)
}

// DomainKeys are the access keys of a domain's users, oldest first, without
// secrets, at most 2,000. Administrators, auditors and the main account.
// ErrNoDomain.
func (s *Service) DomainKeys(ctx context.Context, who principal.Principal, domain string) (all []AccessKey, err error) {
	if err := s.mayList(who, domain); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		if _, err := DomainIn(tx, domain); err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			k := AccessKey{Domain: domain}
			var disabled int64
			err := r.Scan(&k.ID, &k.User, &disabled, &k.LastUsed, &k.Created)
			k.Disabled = disabled == 1
			all = append(all, k)
			return err
		}, "SELECT id, user_id, disabled, last_used, created_at FROM access_keys WHERE domain_id = ? ORDER BY created_at, id LIMIT 2000", domain)
	})
	return all, err
}
