package identity

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// States of an account.
const (
	DomainActive   = "active"
	DomainDisabled = "disabled"
	DomainClosed   = "closed"
)

// maxDomainIDs and maxDomainWords bound a filter of accounts.
const (
	maxDomainIDs   = 100
	maxDomainWords = 256
)

// DomainFilter chooses among the customers' accounts; what is empty chooses
// nothing.
type DomainFilter struct {
	IDs     []string // these; at most 100
	Words   string   // each of them is part of the name or the id, whatever the case, or found with a user; at most 256 characters
	State   string   // DomainActive, DomainDisabled or DomainClosed
	Sandbox *bool
	Plan    string
	Partner string
	After   string // cursor of the page before: its last name, so that who is renamed meanwhile hides nobody else
	Limit   int    // 1..100, 0 = 50
}

// chosen is the filter as a condition; the house is no customer. Who sees no
// sealed names finds nothing by them either.
func (s *Service) chosen(who principal.Principal, f DomainFilter) (cond string, args []any, err error) {
	cond, args = "id <> ?", []any{principal.House}
	and := func(sql string, more ...any) { cond, args = cond+" AND "+sql, append(args, more...) }
	if len(f.IDs) > maxDomainIDs {
		return "", nil, fault.TooManyItems.In("id").With("max", maxDomainIDs)
	}
	if len([]rune(f.Words)) > maxDomainWords {
		return "", nil, fault.TooLong.In("q").With("max", maxDomainWords)
	}
	if len(f.IDs) > 0 {
		ids := make([]any, len(f.IDs))
		for i, id := range f.IDs {
			ids[i] = id
		}
		and("id IN (?"+strings.Repeat(", ?", len(ids)-1)+")", ids...)
	}
	for _, w := range strings.Fields(f.Words) {
		// Databases fold letters of ASCII only, some all: the others are looked
		// for as they were typed, small and capital.
		folded, typed, capital := containing(foldName(w)), containing(w), containing(strings.ToUpper(w))
		sql, more := `lower(name) LIKE ? ESCAPE '!' OR lower(name) LIKE ? ESCAPE '!' OR lower(name) LIKE ? ESCAPE '!' OR lower(id) LIKE ? ESCAPE '!'`, []any{folded, typed, capital, folded}
		if a, ok := userAtom(w); ok && !who.Blind() {
			docs, with := search.Docs(s.db.Dialect(), s.terms, []string{search.KindUser}, 0, a)
			sql, more = sql+" OR id IN (SELECT x.domain_id FROM ("+docs+") AS x)", append(more, with...)
		}
		and("("+sql+")", more...)
	}
	switch f.State {
	case "":
	case DomainActive:
		and("closed_at = 0 AND disabled = 0")
	case DomainDisabled:
		and("closed_at = 0 AND disabled = 1")
	case DomainClosed:
		and("closed_at > 0")
	default:
		return "", nil, fault.Unknown.In("state")
	}
	if f.Sandbox != nil {
		and("sandbox = ?", number(*f.Sandbox))
	}
	if f.Plan != "" {
		and("plan = ?", f.Plan)
	}
	if f.Partner != "" {
		and("partner_id <> '' AND partner_id = ?", f.Partner) // the first is what the index domains_by_partner holds
	}
	return cond, args, nil
}

// containing is a pattern of LIKE, its letters of ASCII small.
func containing(part string) string {
	small := strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII {
			return unicode.ToLower(r)
		}
		return r
	}, part)
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(small) + "%"
}

// Domains is a page of the customers' accounts by name, how many there are in
// all, and the cursor of the next page ("" at the end). For administrators and
// auditors; others fail with OSM.01010002. OSM.01010001 names what of the
// filter is wrong.
func (s *Service) Domains(ctx context.Context, who principal.Principal, f DomainFilter) (page []Domain, total int, cursor string, err error) {
	if !who.Inspects() {
		return nil, 0, "", errOnlyAdmins
	}
	if f.Limit == 0 {
		f.Limit = 50
	}
	cond, args, err := s.chosen(who, f)
	if err != nil {
		return nil, 0, "", err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page, cursor = nil, ""
		if err := tx.Get("SELECT count(*) FROM domains WHERE "+cond, args...).Scan(&total); err != nil {
			return err
		}
		from, at := "", args
		if f.After != "" {
			from, at = " AND name > ?", append(args[:len(args):len(args)], f.After)
		}
		err := tx.List(func(r db.Row) error {
			d, err := scanDomain(r)
			page = append(page, d)
			return err
		}, "SELECT "+domainColumns+" FROM domains WHERE "+cond+from+" ORDER BY name LIMIT ?", append(at[:len(at):len(at)], f.Limit+1)...)
		if err == nil && len(page) > f.Limit {
			page = page[:f.Limit]
			cursor = page[f.Limit-1].Name
		}
		return err
	})
	return page, total, cursor, err
}

// userAtom is what a word looks for among the people of customers, whose names
// and contacts are sealed: the beginning of a word of the log-in name, or a
// whole contact. One letter of an alphabet is too little.
func userAtom(word string) (a search.Atom, ok bool) {
	if len(word) < 2 {
		return a, false
	}
	a, ok = search.Words(word)
	a.Contacts = ContactsIn(word)
	return a, ok
}

// maxFoundUsers is how many people of an account are named as found.
const maxFoundUsers = 3

// FoundUsers are the people by whom words of a DomainFilter found some of the
// accounts, by account: at most three of each. Auditors see no names.
func (s *Service) FoundUsers(ctx context.Context, who principal.Principal, words string, domains []string) (map[string][]User, error) {
	if !who.Inspects() {
		return nil, errOnlyAdmins
	}
	if who.Blind() {
		return nil, nil
	}
	var atoms []search.Atom
	for _, w := range strings.Fields(words) {
		if a, ok := userAtom(w); ok {
			atoms = append(atoms, a)
		}
	}
	if len(atoms) == 0 || len(domains) == 0 {
		return nil, nil
	}
	docs, args := search.Docs(s.db.Dialect(), s.terms, []string{search.KindUser}, 0, atoms...)
	for _, id := range domains {
		args = append(args, id)
	}
	var users []User
	err := s.db.View(ctx, func(tx *db.Tx) error {
		users = nil
		return tx.List(func(r db.Row) error {
			u, err := scanUser(r)
			users = append(users, u)
			return err
		}, "SELECT "+userColumns+" FROM users WHERE (domain_id, id) IN (SELECT y.domain_id, y.doc FROM (SELECT x.domain_id, x.doc, row_number() OVER (PARTITION BY x.domain_id ORDER BY x.doc) AS place FROM ("+docs+") AS x"+
			" WHERE x.domain_id IN (?"+strings.Repeat(", ?", len(domains)-1)+")) AS y WHERE y.place <= ?)", append(args, maxFoundUsers)...)
	})
	if err != nil {
		return nil, err
	}
	found := map[string][]User{}
	for _, u := range users {
		if err := s.open(ctx, &u); err != nil {
			return nil, err
		}
		if u.Name != "" { // not erased
			found[u.Domain] = append(found[u.Domain], u)
		}
	}
	for _, of := range found {
		slices.SortFunc(of, func(a, b User) int { return strings.Compare(a.Name, b.Name) })
	}
	return found, nil
}
