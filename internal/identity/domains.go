package identity

import (
	"context"
	"maps"
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

// maxDomainIDs and maxDomainWords bound a filter of accounts; people are looked
// for by so many words, each among the newest so many that it finds.
const (
	maxDomainIDs   = 100
	maxDomainWords = 256
	maxPeopleWords = 4
	maxPeople      = 1000
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

// chosen is the filter as a condition, with the people found; the house is no
// customer.
func (f DomainFilter) chosen(people []foundPeople) (cond string, args []any, err error) {
	cond, args = "id <> ?", []any{principal.House}
	and := func(sql string, more ...any) { cond, args = cond+" AND "+sql, append(args, more...) }
	if len(f.IDs) > maxDomainIDs {
		return "", nil, fault.TooManyItems.In("id").With("max", maxDomainIDs)
	}
	if len(f.IDs) > 0 {
		ids := make([]any, len(f.IDs))
		for i, id := range f.IDs {
			ids[i] = id
		}
		and("id IN (?"+strings.Repeat(", ?", len(ids)-1)+")", ids...)
	}
	for i, w := range strings.Fields(f.Words) {
		// Databases fold letters of ASCII only, some all: the others are looked
		// for as they were typed, small and capital.
		folded, typed, capital := containing(foldName(w)), containing(w), containing(strings.ToUpper(w))
		sql, more := `lower(name) LIKE ? ESCAPE '!' OR lower(name) LIKE ? ESCAPE '!' OR lower(name) LIKE ? ESCAPE '!' OR lower(id) LIKE ? ESCAPE '!'`, []any{folded, typed, capital, folded}
		if i < len(people) && len(people[i]) > 0 {
			sql += " OR id IN (?" + strings.Repeat(", ?", len(people[i])-1) + ")"
			for _, id := range slices.Sorted(maps.Keys(people[i])) {
				more = append(more, id)
			}
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
	if len([]rune(f.Words)) > maxDomainWords {
		return nil, 0, "", fault.TooLong.In("q").With("max", maxDomainWords)
	}
	var users []User
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page, users, cursor = nil, nil, ""
		people, err := s.people(tx, who, f.Words)
		if err != nil {
			return err
		}
		cond, args, err := f.chosen(people)
		if err != nil {
			return err
		}
		if err := tx.Get("SELECT count(*) FROM domains WHERE "+cond, args...).Scan(&total); err != nil {
			return err
		}
		from, at := "", args
		if f.After != "" {
			from, at = " AND name > ?", append(args[:len(args):len(args)], f.After)
		}
		err = tx.List(func(r db.Row) error {
			d, err := scanDomain(r)
			page = append(page, d)
			return err
		}, "SELECT "+domainColumns+" FROM domains WHERE "+cond+from+" ORDER BY name LIMIT ?", append(at[:len(at):len(at)], f.Limit+1)...)
		if err == nil && len(page) > f.Limit {
			page = page[:f.Limit]
			cursor = page[f.Limit-1].Name
		}
		if err == nil {
			users, err = foundUsers(tx, page, people)
		}
		return err
	})
	if err != nil {
		return nil, 0, "", err
	}
	for _, u := range users {
		if err := s.open(ctx, &u); err != nil {
			return nil, 0, "", err
		}
		if at := slices.IndexFunc(page, func(d Domain) bool { return d.ID == u.Domain }); at >= 0 && u.Name != "" { // not erased
			page[at].Found = append(page[at].Found, u)
		}
	}
	for _, d := range page {
		slices.SortFunc(d.Found, func(a, b User) int { return strings.Compare(a.Name, b.Name) })
	}
	return page, total, cursor, nil
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

// foundPeople are people's ids by account.
type foundPeople map[string][]string

// people are those whom words find, for each word in its place: looked up once
// for a request, the newest. Who sees no sealed names finds nobody by them.
func (s *Service) people(tx *db.Tx, who principal.Principal, words string) (found []foundPeople, err error) {
	if who.Blind() {
		return nil, nil
	}
	left := maxPeopleWords
	for _, w := range strings.Fields(words) {
		of := foundPeople{}
		found = append(found, of)
		a, ok := userAtom(w)
		if !ok {
			continue
		}
		if left--; left < 0 {
			break
		}
		docs, args := search.Docs(s.db.Dialect(), s.terms, []string{search.KindUser}, maxPeople, a)
		if err := tx.List(func(r db.Row) error {
			var domain, kind, id, parent string
			err := r.Scan(&domain, &kind, &id, &parent)
			of[domain] = append(of[domain], id)
			return err
		}, docs, args...); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// foundUsers are the first people of each account of a page that any word found,
// at most maxFoundUsers of each.
func foundUsers(tx *db.Tx, page []Domain, people []foundPeople) (users []User, err error) {
	var args []any
	for _, d := range page {
		var ids []string
		for _, of := range people {
			ids = append(ids, of[d.ID]...)
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		for _, id := range ids[:min(maxFoundUsers, len(ids))] {
			args = append(args, d.ID, id)
		}
	}
	if len(args) == 0 {
		return nil, nil
	}
	return users, tx.List(func(r db.Row) error {
		u, err := scanUser(r)
		users = append(users, u)
		return err
	}, "SELECT "+userColumns+" FROM users WHERE (domain_id, id) IN (VALUES (CAST(? AS TEXT), CAST(? AS TEXT))"+strings.Repeat(", (?, ?)", len(args)/2-1)+")", args...)
}
