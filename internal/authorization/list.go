package authorization

import (
	"context"
	"strings"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/privilege"
	"casemate/internal/search"
	"casemate/internal/ticket"
)

// Filter of a customer's list. Zero values do not filter.
type Filter struct {
	Number      string // of the ticket
	Status      *Status
	Description string // words that occur in the ticket's description
	CreatorName string // part of the submitter's log-in name
	Group       string
	Offset      int
	Limit       int // 1..100, 0 = 10
}

// View is an authorization as its customer sees it, with the words of its
// ticket.
type View struct {
	Authorization
	Words       string
	CreatorName string
	Details     []Detail // Show only
	HandlerName string   // Show only
	AgencyName  string   // Show only
}

const (
	defaultLimit = 10
	maxWords     = 64 // of a description filter
)

// List is a page of the caller's authorizations, newest first, and how many
// match in all: whose they are is decided as for tickets. Those of deleted
// tickets are gone. Failures: OSM.01010001 (status), .02 (group).
func (s *Service) List(ctx context.Context, who principal.Principal, f Filter) (page []View, total int, err error) {
	if f.Status != nil && (*f.Status < -1 || *f.Status > 10) {
		return nil, 0, fault.OutOfRange.In("status").With("min", -1).With("max", 10)
	}
	if f.Limit == 0 {
		f.Limit = defaultLimit
	}
	words := strings.Fields(f.Description)
	if len(words) > maxWords {
		return nil, 0, fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 最多 {max} 个词", "{field} may have at most {max} words").In("simple_description").With("max", maxWords)
	}
	var named []string
	if f.CreatorName != "" && who.Kind == principal.Customer {
		if named, err = s.ident.FindByName(ctx, who.Domain, f.CreatorName); err != nil {
			return nil, 0, err
		}
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page, total = nil, 0
		scope, err := privilege.ScopeOf(tx, who, f.Group)
		if err != nil {
			return err
		}
		if f.CreatorName != "" {
			scope = scope.Narrow(named...)
		}
		users, args := scope.Where("creator")
		cond := []string{"hidden = 0", users}
		args = append([]any{scope.Domain}, args...)
		if f.Number != "" {
			cond, args = append(cond, "number = ?"), append(args, f.Number)
		}
		if f.Status != nil {
			cond, args = append(cond, "status = ?"), append(args, int(*f.Status))
		}
		if len(words) > 0 {
			in, more, ok := search.Where(s.db.Dialect(), scope.Domain, "ticket", words)
			if !ok {
				return nil
			}
			cond, args = append(cond, "ticket_id "+in), append(args, more...)
		}
		where := strings.Join(cond, " AND ")
		if err := tx.Get("SELECT count(*) FROM authorizations WHERE domain_id = ? AND "+where, args...).Scan(&total); err != nil || total <= f.Offset {
			return err
		}
		var tickets []string
		err = tx.List(func(r db.Row) error {
			a, err := scan(r)
			page, tickets = append(page, View{Authorization: a}), append(tickets, a.Ticket)
			return err
		}, "SELECT "+columns+" FROM authorizations WHERE domain_id = ? AND "+where+" ORDER BY id DESC LIMIT ? OFFSET ?", append(args, f.Limit, f.Offset)...)
		if err != nil {
			return err
		}
		texts, err := ticket.Descriptions(tx, scope.Domain, tickets)
		var all []*Authorization
		for i := range page {
			page[i].Words = texts[page[i].Ticket]
			all = append(all, &page[i].Authorization)
		}
		if err != nil {
			return err
		}
		return causes(tx, all...)
	})
	if err != nil || len(page) == 0 {
		return nil, total, err
	}
	var ids []string
	for _, v := range page {
		ids = append(ids, v.Creator)
	}
	names, err := s.ident.Names(ctx, who.Domain, ids)
	for i := range page {
		page[i].CreatorName = names[page[i].Creator]
	}
	return page, total, err
}

// Show reads an authorization with its details: the accounts given are shown to
// the customer's side while they are kept, passwords to nobody here. Failures:
// OSM.01010001 (unknown id), .02 (group).
func (s *Service) Show(ctx context.Context, who principal.Principal, id, group string) (v View, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		a, t, err := visible(tx, who, id, group)
		if err != nil {
			return err
		}
		v = View{Authorization: a, Words: t.Description}
		if err := causes(tx, &v.Authorization); err != nil {
			return err
		}
		if a.Agency != "" {
			if v.AgencyName, err = identity.AgencyName(tx, a.Domain, a.Agency); err != nil {
				return err
			}
		}
		v.Details, err = detailsOf(tx, a)
		return err
	})
	if err != nil {
		return v, err
	}
	for i, d := range v.Details {
		if v.Details[i].Account, err = s.open(d.place("account"), d.account); err != nil {
			return v, err
		}
	}
	names, err := s.ident.Names(ctx, who.Domain, []string{v.Creator, v.Handler})
	v.CreatorName, v.HandlerName = names[v.Creator], names[v.Handler]
	return v, err
}

// Letter is the undertaking shown with an authorization: the newest agreement
// of its type, "" when none is published. The catalogue keeps it within the
// contract's 20,000 characters.
func (s *Service) Letter(lang locale.Language) string {
	a, ok := s.catalog.Now().LatestAgreement(catalog.AgreementAuthorize)
	if !ok {
		return ""
	}
	return a.Content.In(lang)
}

// Label is what a detail is called: the instance's name, with the address that
// will be entered, so that the customer knows what he gives a password for.
func (d Detail) Label() string {
	switch {
	case d.Address == "":
		return d.InstanceName
	case d.InstanceName == "":
		return d.Address
	}
	return d.InstanceName + " (" + d.Address + ")"
}
