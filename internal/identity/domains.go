package identity

import (
	"context"
	"strings"
	"unicode"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
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
	Words   string   // each of them is part of the name or the id, whatever the case; at most 256 characters
	State   string   // DomainActive, DomainDisabled or DomainClosed
	Sandbox *bool
	Plan    string
	Partner string
	After   string // cursor of the page before: its last name, so that who is renamed meanwhile hides nobody else
	Limit   int    // 1..100, 0 = 50
}

// where is the filter as a condition; the house is no customer.
func (f DomainFilter) where() (cond string, args []any, err error) {
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
		and(`(lower(name) LIKE ? ESCAPE '!' OR lower(name) LIKE ? ESCAPE '!' OR lower(name) LIKE ? ESCAPE '!' OR lower(id) LIKE ? ESCAPE '!')`, folded, typed, capital, folded)
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
	cond, args, err := f.where()
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
