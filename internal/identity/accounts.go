package identity

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// What follows is for accounts, people, groups and keys as code (package setup),
// like config.go: in a transaction of several nouns, the right checked there,
// Forget called behind it.

// Member is a user as configuration knows him: his name and contacts are sealed.
type Member struct {
	User
	NameKey string // what his log-in name is compared by (Service.NameKey)
}

// People is what of accounts and of those who come in is configuration. Closed
// accounts with all that is theirs, and erased people, are left out.
type People struct {
	Accounts []Domain    // customers', by id
	Members  []Member    // by id
	Groups   []Group     // by id
	Keys     []AccessKey // lasting ones, by id, without secrets
	// Gone are the ids of accounts and users that are left out, and the names of
	// closed accounts: none of them is given again.
	Gone, Names map[string]bool
}

// Some names parts of People: what a change of some of them rests on.
type Some struct {
	Accounts, Members, Groups, Keys []string // ids
	MainsOf                         []string // accounts, whose main users count as members
	KeysOf                          []string // users, all whose keys count
}

// Of is the part of p that t names.
func (t Some) Of(p People) (out People) {
	accounts, members, groups, keys := set(t.Accounts), set(t.Members), set(t.Groups), set(t.Keys)
	mains, holders := set(t.MainsOf), set(t.KeysOf)
	for _, a := range p.Accounts {
		if accounts[a.ID] {
			out.Accounts = append(out.Accounts, a)
		}
	}
	for _, m := range p.Members {
		if members[m.ID] || m.Main && mains[m.Domain] {
			out.Members = append(out.Members, m)
		}
	}
	for _, g := range p.Groups {
		if groups[g.ID] {
			out.Groups = append(out.Groups, g)
		}
	}
	for _, k := range p.Keys {
		if keys[k.ID] || holders[k.User] {
			out.Keys = append(out.Keys, k)
		}
	}
	return out
}

func set(ids []string) map[string]bool {
	out := make(map[string]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out
}

// PeopleIn reads it.
func PeopleIn(tx *db.Tx) (People, error) { return somePeopleIn(tx, nil) }

// SomeIn reads the parts of it that some name, and no other rows; parts that are
// not there, or not configuration any more, are missing. Gone and Names are those
// of what was read.
func SomeIn(tx *db.Tx, some Some) (People, error) { return somePeopleIn(tx, &some) }

// chosen reads the rows of a query that ends in front of its last condition: all
// of them, or those where one of the columns is in its list. A row that two of them
// name comes twice.
func chosen(tx *db.Tx, each func(db.Row) error, sql, order string, all bool, columns ...chosenBy) error {
	if all {
		return tx.List(each, sql+" 1 = 1 "+order)
	}
	for _, c := range columns {
		ids := slices.Clone(c.ids)
		slices.Sort(ids)
		for some := range slices.Chunk(slices.Compact(ids), 400) { // what one statement holds with ease
			var args []any
			for _, id := range some {
				args = append(args, id)
			}
			if err := tx.List(each, sql+" "+c.column+" IN (?"+strings.Repeat(", ?", len(some)-1)+") "+order, args...); err != nil {
				return err
			}
		}
	}
	return nil
}

type chosenBy struct {
	column string
	ids    []string
}

func somePeopleIn(tx *db.Tx, some *Some) (p People, err error) {
	all := some == nil
	if all {
		some = &Some{}
	}
	p.Gone, p.Names = map[string]bool{}, map[string]bool{}
	seen := map[string]bool{} // members and keys that two conditions name
	err = chosen(tx, func(r db.Row) error {
		d, err := scanDomain(r)
		if d.Closed > 0 {
			p.Gone[d.ID], p.Names[d.Name] = true, true
			return err
		}
		p.Accounts = append(p.Accounts, d)
		return err
	}, "SELECT "+domainColumns+" FROM domains WHERE id <> 'house' AND", "ORDER BY id", all, chosenBy{"id", some.Accounts})
	if err != nil {
		return p, err
	}
	err = chosen(tx, func(r db.Row) error {
		var m Member
		u, err := scanUser(withMore(r, &m.NameKey))
		if seen[u.ID] {
			return err
		}
		seen[u.ID] = true
		if m.User = u; p.Gone[u.Domain] || u.Name == "" {
			p.Gone[u.ID] = true
			return err
		}
		p.Members = append(p.Members, m)
		return err
	}, "SELECT "+userColumns+", name_hash FROM users /* all domains: all accounts as files */ WHERE", "ORDER BY id", all, chosenBy{"id", some.Members}, chosenBy{"main = 1 AND domain_id", some.MainsOf})
	if err != nil {
		return p, err
	}
	at := map[string]int{}
	err = chosen(tx, func(r db.Row) error {
		g := Group{Members: []string{}}
		var roles string
		if err := r.Scan(&g.Domain, &g.ID, &g.Name, &roles, &g.Created); err != nil || p.Gone[g.Domain] {
			return err
		}
		at[g.ID] = len(p.Groups)
		p.Groups = append(p.Groups, g)
		return json.Unmarshal([]byte(roles), &p.Groups[len(p.Groups)-1].Roles)
	}, "SELECT domain_id, id, name, roles, created_at FROM user_groups /* all domains: all accounts as files */ WHERE", "ORDER BY id", all, chosenBy{"id", some.Groups})
	if err != nil {
		return p, err
	}
	err = chosen(tx, func(r db.Row) error {
		var group, user string
		if err := r.Scan(&group, &user); err != nil {
			return err
		}
		if i, ok := at[group]; ok {
			p.Groups[i].Members = append(p.Groups[i].Members, user)
		}
		return nil
	}, `SELECT m.group_id, m.user_id FROM group_members AS m /* all domains: all accounts as files */
		WHERE NOT EXISTS (SELECT 1 FROM users AS u WHERE u.domain_id = m.domain_id AND u.id = m.user_id AND u.name = '') AND`, "ORDER BY m.group_id, m.user_id", all, chosenBy{"m.group_id", some.Groups})
	if err != nil {
		return p, err
	}
	err = chosen(tx, func(r db.Row) error {
		var k AccessKey
		var disabled int64
		err := r.Scan(&k.ID, &k.Domain, &k.User, &disabled, &k.Description)
		if k.Disabled = disabled == 1; !seen["key "+k.ID] {
			p.Keys = append(p.Keys, k)
		}
		seen["key "+k.ID] = true
		return err
	}, "SELECT id, domain_id, user_id, disabled, description FROM access_keys WHERE", "ORDER BY id", all, chosenBy{"id", some.Keys}, chosenBy{"user_id", some.KeysOf})
	return p, err
}

// more is a row with columns behind those that a scan function knows.
type more struct {
	db.Row
	into []any
}

func withMore(r db.Row, into ...any) db.Row { return more{r, into} }

func (m more) Scan(into ...any) error { return m.Row.Scan(append(into, m.into...)...) }

// NameKey is what log-in names of a domain are compared by: the same for names
// that count as one.
func (s *Service) NameKey(domain, name string) string { return s.nameHash(domain, name) }

// Remember reads the keys of people who are about to be looked at one by one.
func (s *Service) Remember(ctx context.Context, users []string) error {
	_, err := s.keys.Persons(ctx, users)
	return err
}

// OpenNames opens members' log-in names, in their order; "" for one who was erased
// meanwhile.
func (s *Service) OpenNames(ctx context.Context, members []Member) ([]string, error) {
	names := make([]string, 0, len(members))
	for some := range slices.Chunk(members, 2000) { // fewer than are remembered
		ids := make([]string, len(some))
		for i, m := range some {
			ids[i] = m.ID
		}
		people, err := s.keys.Persons(ctx, ids)
		if err != nil {
			return nil, err
		}
		for _, m := range some {
			name := ""
			if p := people[m.ID]; p != nil {
				if name, err = p.Open(place("name", m.ID), m.Name); err != nil {
					return nil, err
				}
			}
			names = append(names, name)
		}
	}
	return names, nil
}

// CheckMember judges a member by himself, his name as plain text, "" = not
// judged. Failures as of CreateUser and ChangeUser.
func CheckMember(u User) error {
	named := u.Name
	if named == "" {
		named = "x"
	}
	if err := (NewUser{Domain: u.Domain, Name: named, Roles: principal.SplitRoles(u.Roles), Partner: u.Partner, Zone: u.Zone, Password: "not looked at 1"}).check(); err != nil {
		return err
	}
	c := UserChange{Language: &u.Language}
	if u.Alias != "" {
		c.Alias = &u.Alias
	}
	return c.check(u)
}

// Faults of accounts as files, for the caller's checks.
var (
	ErrMainMissing = errMainMissing
	ErrGroupRight  = errGroupRole
)

// ErrMainTaken: an account has one main account.
var ErrMainTaken = fault.New(fault.Conflict, fault.CodeInvalid, "该账号已有主账号", "the domain has a main account").In("main")

// CheckAccount judges an account's name and quota by themselves.
func CheckAccount(name string, quota int) error {
	switch {
	case strings.TrimSpace(name) == "":
		return fault.Missing.In("name")
	case len([]rune(name)) > 64:
		return fault.TooLong.In("name").With("max", 64)
	case name == principal.House:
		return ErrReserved
	case quota < NoQuota || quota > maxQuota:
		return fault.Unknown.In("quota")
	}
	return nil
}

// CheckGroup judges a group's name and rights by themselves, and tidies them.
func CheckGroup(g *Group) error {
	got, err := NewGroup{Domain: g.Domain, Name: g.Name, Roles: g.Roles}.checked()
	if err == nil {
		g.Name, g.Roles = got.Name, got.Roles
	}
	return err
}

// CheckKey judges a lasting access key's id and description by themselves.
// An id that was chosen is 16 to 32 capital letters and digits.
func CheckKey(k AccessKey, fresh bool) error {
	if len([]rune(k.Description)) > maxKeyDescription {
		return fault.TooLong.In("description").With("max", maxKeyDescription)
	}
	if fresh && (len(k.ID) < 16 || len(k.ID) > 32 || strings.Trim(k.ID, keyLetters) != "" || temporary(k.ID)) {
		return errKeyForm
	}
	return nil
}

var errKeyForm = fault.New(fault.Invalid, fault.CodeInvalid, "访问密钥的 id 须为 16 到 32 个大写字母或数字", "the id of an access key must be 16 to 32 capital letters or digits").In("id")

// ClearNamesIn takes names away that are about to be written, so that two can
// change theirs over: of accounts, by id, of members who get another one, and of
// groups.
func ClearNamesIn(tx *db.Tx, accounts []string, members []Readied, groups []Group) {
	for _, id := range accounts {
		tx.Write(1, "UPDATE domains SET name = ? WHERE id = ?", "\x01"+id, id)
	}
	for _, r := range members {
		if r.Renames() {
			tx.Write(1, "UPDATE users SET name_hash = id WHERE domain_id = ? AND id = ?", r.next.Domain, r.next.ID)
		}
	}
	for _, g := range groups {
		tx.Write(1, "UPDATE user_groups SET name = ? WHERE domain_id = ? AND id = ?", "\x01"+g.ID, g.Domain, g.ID)
	}
}

// PutAccountIn makes an account, before nil, or changes what its file says of it:
// name, quota, switches, and whether it is shut out. Plan and partner are
// SetDomainIn's.
func PutAccountIn(tx *db.Tx, who principal.Principal, before *Domain, d Domain) {
	was := Domain{ID: d.ID, Name: d.Name, Quota: d.Quota}
	record := func(kind string, data map[string]any) {
		event.Record(tx, who, event.Event{Domain: d.ID, Kind: kind, Subject: "domain", SubjectID: d.ID, LogCode: event.NoLog, Data: data})
	}
	if before != nil {
		was = *before
	} else {
		fresh := d
		fresh.Project, fresh.Created, fresh.Plan = tx.NewID(), tx.Now, ""
		insertDomain(tx, fresh)
		record("domain.create", map[string]any{"plan": ""})
		was.Quota = 0
	}
	if was.Name != d.Name || was.Quota != d.Quota {
		from, to := map[string]any{}, map[string]any{}
		if was.Name != d.Name {
			from["name"], to["name"] = was.Name, d.Name
		}
		if was.Quota != d.Quota {
			from["quota"], to["quota"] = was.Quota, d.Quota
		}
		tx.Write(1, "UPDATE domains SET name = ?, quota = ? WHERE id = ?", d.Name, d.Quota, d.ID)
		search.Put(tx, false, search.Doc{Domain: d.ID, Kind: search.KindDomain, ID: d.ID, Text: d.Name})
		record("domain.change", map[string]any{"from": from, "to": to})
	}
	for _, sw := range []Switch{SwitchSubmitByPermission, SwitchExport, SwitchAssumeAll} {
		was.turn(tx, who, sw, d.is(sw))
	}
	if was.Disabled != d.Disabled {
		tx.Write(1, "UPDATE domains SET disabled = ? WHERE id = ?", number(d.Disabled), d.ID)
		if d.Disabled {
			tx.Write(db.Any, "DELETE FROM tokens WHERE domain_id = ?", d.ID)
			tx.Write(db.Any, "DELETE FROM browser_sessions WHERE domain_id = ?", d.ID)
		}
		record("domain.disable", map[string]any{"disabled": d.Disabled, "from": was.Disabled, "to": d.Disabled})
	}
}

// Readied is a member as he will be written, sealed before the transaction.
type Readied struct {
	before *Member // nil = new
	next   User
	row    userRow
	docs   []search.Doc
	fields []string
}

// Ready seals what a member's file wants: next.Name is plain text, "" = it stays;
// a new one's alias, when "", is made. It fails with ErrNoUser for one who was
// erased meanwhile.
func (s *Service) Ready(ctx context.Context, before *Member, next User) (r Readied, err error) {
	r = Readied{before: before, next: next}
	in := NewUser{Domain: next.Domain, Name: next.Name}
	if before == nil {
		r.next.Name, r.next.PublicID = strings.TrimSpace(next.Name), "e"+s.db.NewID()[10:]
		if all := principal.SplitRoles(next.Roles); len(all) > 0 {
			r.next.Role = all[0]
		}
		if next.Domain == principal.House && next.Alias == "" {
			r.next.Alias = "Engineer " + strings.ToUpper(r.next.PublicID[len(r.next.PublicID)-4:])
		}
		r.row, err = s.sealUser(ctx, &r.next, in)
		r.row.password, r.docs = nobody, s.userDoc(r.next) // nobody logs in with it before an administrator sets one
		return r, err
	}
	open := before.User
	if err := s.open(ctx, &open); err != nil {
		return r, err
	}
	if open.Name == "" {
		return r, ErrNoUser
	}
	r.next.Mobile, r.next.Mail, r.next.AreaCode, r.next.PublicID = open.Mobile, open.Mail, open.AreaCode, open.PublicID
	if next.Name == "" {
		r.next.Name = open.Name
	}
	for _, f := range []struct {
		name string
		is   bool
	}{{"name", r.next.Name != open.Name}, {"alias", next.Alias != before.Alias}, {"language", next.Language != before.Language}, {"time_zone", next.Zone != before.Zone}} {
		if f.is {
			r.fields = append(r.fields, f.name)
		}
	}
	if r.Renames() {
		in.Mobile, in.Mail = open.Mobile, open.Mail // in their one spelling already
		r.row, err = s.sealUser(ctx, &r.next, in)
		r.docs = s.userDoc(r.next) // contacts are found by it, too: PutMemberIn sees to it that they are still these
	}
	return r, err
}

// Renames tells whether another log-in name will be written.
func (r Readied) Renames() bool { return r.before != nil && slices.Contains(r.fields, "name") }

// PutMemberIn makes a member, or changes him: name, alias, language, zone, roles,
// and whether he is shut out; an event for each, and for each role. A new name and
// being shut out end what he is signed in with. Only what differs is written; a new
// name fails the transaction with db.ErrRows when his contacts were changed since
// he was read, for he is found by all of them together.
func PutMemberIn(tx *db.Tx, who principal.Principal, r Readied) {
	u := r.next
	record := func(kind string, data map[string]any) {
		event.Record(tx, who, event.Event{Domain: u.Domain, Kind: kind, Subject: "user", SubjectID: u.ID, LogCode: event.NoLog, Data: data})
	}
	disabled := false
	if r.before == nil {
		insertUser(tx, who, &u, r.row, r.docs)
	} else {
		disabled = r.before.Disabled
		if len(r.fields) > 0 {
			var set []string
			var args []any
			for _, f := range r.fields {
				switch f {
				case "name":
					set, args = append(set, "name_hash = ?", "name = ?"), append(args, r.row.nameHash, r.row.name)
				case "alias":
					set, args = append(set, "alias = ?"), append(args, u.Alias)
				case "language":
					set, args = append(set, "language = ?"), append(args, string(u.Language))
				case "time_zone":
					set, args = append(set, "zone = ?"), append(args, u.Zone)
				}
			}
			still := ""
			args = append(args, u.Domain, u.ID)
			if r.Renames() { // as they were sealed: whoever changed them meanwhile wins
				still = " AND mobile = ? AND mail = ?"
				args = append(args, r.before.Mobile, r.before.Mail)
			}
			tx.Write(1, "UPDATE users SET "+strings.Join(set, ", ")+" WHERE domain_id = ? AND id = ?"+still, args...)
			search.Put(tx, false, r.docs...)
			record("user.change", map[string]any{"fields": r.fields})
		}
		putRoles(tx, r.before.Roles, u.Roles, func(role, from, to string) {
			record("user.roles", map[string]any{"role": role, "from": from, "to": to})
		}, u.ID)
		if r.Renames() {
			logOut(tx, u.Domain, u.ID)
		}
	}
	if disabled == u.Disabled {
		return
	}
	tx.Write(1, "UPDATE users SET disabled = ? WHERE domain_id = ? AND id = ?", number(u.Disabled), u.Domain, u.ID)
	tx.Write(db.Any, "UPDATE user_links SET gone_at = 0 WHERE domain_id = ? AND user_id = ?", u.Domain, u.ID) // from now on it is not the provider's doing
	if u.Disabled {
		logOut(tx, u.Domain, u.ID)
	}
	record("user.disable", map[string]any{"disabled": u.Disabled, "from": disabled, "to": u.Disabled})
}

// putRoles gives and takes roles one by one, given ones first, so that nobody is
// without any in between.
func putRoles(tx *db.Tx, from, to string, record func(role, from, to string), user string) {
	if from == to {
		return
	}
	now := principal.SplitRoles(from)
	step := func(role string, next []string) {
		before, after := principal.JoinRoles(now...), principal.JoinRoles(next...)
		record(role, before, after)
		now = principal.SplitRoles(after)
	}
	for _, role := range principal.SplitRoles(to) {
		if !slices.Contains(now, role) {
			step(role, append(slices.Clone(now), role))
		}
	}
	for _, role := range principal.SplitRoles(from) {
		if !slices.Contains(principal.SplitRoles(to), role) {
			step(role, slices.DeleteFunc(slices.Clone(now), func(r string) bool { return r == role }))
		}
	}
	tx.Write(1, "UPDATE users SET role = ?, roles = ? WHERE domain_id = ? AND id = ?", now[0], to, principal.House, user)
}

// LockAdministratorsIn makes changes of roles wait for each other.
func LockAdministratorsIn(tx *db.Tx) { tx.Lock(principal.House, administratorsLock) }

// AdministeredIn refuses, at the end of a transaction, an installation without an
// administrator who can log in: ErrLastAdministrator.
func AdministeredIn(tx *db.Tx) error { return anotherAdministrator(tx, "") }

// PutGroupIn makes a group, before nil, or changes its name, rights and members.
func PutGroupIn(tx *db.Tx, who principal.Principal, before *Group, g Group) error {
	roles, err := json.Marshal(append([]string{}, g.Roles...))
	if err != nil {
		return err
	}
	record := func(kind string, data map[string]any) {
		event.Record(tx, who, event.Event{Domain: g.Domain, Kind: kind, Subject: "group", SubjectID: g.ID, LogCode: event.NoLog, Data: data})
	}
	var members []string
	switch {
	case before == nil:
		tx.Write(1, "INSERT INTO user_groups (domain_id, id, name, roles, created_at) VALUES (?, ?, ?, ?, ?)", g.Domain, g.ID, g.Name, string(roles), tx.Now)
		record("group.create", map[string]any{"roles": g.Roles})
	default:
		members = before.Members
		if before.Name != g.Name || !slices.Equal(before.Roles, g.Roles) {
			tx.Write(1, "UPDATE user_groups SET name = ?, roles = ? WHERE domain_id = ? AND id = ?", g.Name, string(roles), g.Domain, g.ID)
			record("group.change", map[string]any{"from": before.Roles, "roles": g.Roles})
		}
	}
	for _, id := range g.Members {
		if !slices.Contains(members, id) {
			tx.Write(1, "INSERT INTO group_members (domain_id, group_id, user_id) VALUES (?, ?, ?)", g.Domain, g.ID, id)
			record("group.add", map[string]any{"user": id, "from": false, "to": true})
		}
	}
	for _, id := range members {
		if !slices.Contains(g.Members, id) {
			tx.Write(1, "DELETE FROM group_members WHERE domain_id = ? AND group_id = ? AND user_id = ?", g.Domain, g.ID, id)
			record("group.remove", map[string]any{"user": id, "from": true, "to": false})
		}
	}
	return nil
}

// DropGroupIn removes a group; the rights it gave end at once.
func DropGroupIn(tx *db.Tx, who principal.Principal, g Group) {
	tx.Write(db.Any, "DELETE FROM group_members WHERE domain_id = ? AND group_id = ?", g.Domain, g.ID)
	tx.Write(1, "DELETE FROM user_groups WHERE domain_id = ? AND id = ?", g.Domain, g.ID)
	event.Record(tx, who, event.Event{Domain: g.Domain, Kind: "group.delete", Subject: "group", SubjectID: g.ID, LogCode: event.NoLog,
		Data: map[string]any{"name": g.Name, "made": g.Created, "members": len(g.Members)}})
}

// NewSecret makes the secret of a new access key, plain and sealed.
func (s *Service) NewSecret(key string) (secret, sealed string, err error) {
	secret = letters(s.db.Random(128), 40, keyLetters+"abcdefghijklmnopqrstuvwxyz")
	sealed, err = s.keys.Seal(keyPlace(key), []byte(secret))
	return secret, sealed, err
}

// PutKeyIn makes an access key with its sealed secret, before nil, or switches and
// describes it.
func PutKeyIn(tx *db.Tx, who principal.Principal, before *AccessKey, k AccessKey, sealed string) {
	record := func(kind string) {
		event.Record(tx, who, event.Event{Domain: k.Domain, Kind: kind, Subject: "user", SubjectID: k.User, LogCode: event.NoLog, Data: map[string]any{"key": k.ID}})
	}
	if before == nil {
		tx.Lock(k.Domain, "access keys "+k.User)
		tx.Write(1, "INSERT INTO access_keys (id, domain_id, user_id, secret, disabled, last_used, created_at, description) VALUES (?, ?, ?, ?, ?, 0, ?, ?)",
			k.ID, k.Domain, k.User, sealed, number(k.Disabled), tx.Now, k.Description)
		record("key.create")
		return
	}
	if before.Description != k.Description {
		tx.Write(1, "UPDATE access_keys SET description = ? WHERE id = ?", k.Description, k.ID)
		record("key.describe")
	}
	if before.Disabled != k.Disabled {
		tx.Write(1, "UPDATE access_keys SET disabled = ? WHERE id = ?", number(k.Disabled), k.ID)
		record("key.disable")
	}
}

// DropKeyIn removes an access key.
func DropKeyIn(tx *db.Tx, who principal.Principal, k AccessKey) {
	tx.Write(1, "DELETE FROM access_keys WHERE id = ?", k.ID)
	event.Record(tx, who, event.Event{Domain: k.Domain, Kind: "key.delete", Subject: "user", SubjectID: k.User, LogCode: event.NoLog, Data: map[string]any{"key": k.ID}})
}
