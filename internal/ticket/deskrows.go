package ticket

import (
	"context"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// deskIn reads tickets by domain and id, in that order; what is not there is
// missing.
func (s *Service) deskIn(tx *db.Tx, keys ...[2]string) (page []DeskTicket, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var args []any
	var domains []string
	for _, k := range keys {
		args = append(args, k[0], k[1])
		if !slices.Contains(domains, k[0]) {
			domains = append(domains, k[0])
		}
	}
	names, err := identity.DomainNames(tx, domains)
	if err != nil {
		return nil, err
	}
	found := map[[2]string]Ticket{}
	err = tx.List(func(r db.Row) error {
		t, err := scan(r)
		found[[2]string{t.Domain, t.ID}] = t
		return err
	}, "WITH wanted(in_domain, ticket) AS (VALUES (CAST(? AS TEXT), CAST(? AS TEXT))"+strings.Repeat(", (?, ?)", len(keys)-1)+") SELECT "+columns+
		" FROM wanted JOIN tickets ON domain_id = in_domain AND id = ticket", args...)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		t, ok := found[k]
		if !ok {
			continue
		}
		if err := s.openRegions(&t); err != nil {
			return nil, err
		}
		row := DeskTicket{Ticket: t, DomainName: names[t.Domain]}
		if t.Due > 0 && t.pace.Rule != "" {
			p, err := ruleIn(tx, t.pace.Rule)
			if err != nil {
				return nil, err
			}
			row.DueFrom = p.From(t.DueKind, t.Due)
		}
		page = append(page, row)
	}
	return page, teamsOf(tx, page)
}

// deskNames names the people of tickets, each domain's at once.
func (s *Service) deskNames(ctx context.Context, page []DeskTicket) error {
	who := map[string][]string{}
	for _, t := range page {
		who[t.Domain] = append(who[t.Domain], t.Creator)
		who[principal.House] = append(who[principal.House], t.Assignee, t.Snooze.By)
	}
	names, err := s.namesOf(ctx, who)
	for i, t := range page {
		page[i].Snooze.ByName = names[principal.House][t.Snooze.By]
		page[i].CreatorName, page[i].AssigneeName = names[t.Domain][t.Creator], names[principal.House][t.Assignee]
	}
	return err
}

// namesOf are log-in names by domain and user id.
func (s *Service) namesOf(ctx context.Context, who map[string][]string) (names map[string]map[string]string, err error) {
	names = map[string]map[string]string{}
	for domain, ids := range who {
		if names[domain], err = s.ident.Names(ctx, domain, ids); err != nil {
			return nil, err
		}
	}
	return names, nil
}
