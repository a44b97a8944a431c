package authorization

import (
	"context"
	"strings"

	"casemate/internal/db"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// DeskAuthorization is an authorization as the house sees it: without accounts
// and passwords, which Reveal shows.
type DeskAuthorization struct {
	Authorization
	Details                    []Detail
	EngineerName, ApproverName string // log-in names
	HandlerName                string
}

// DeskShow reads an authorization of any domain.
func (s *Service) DeskShow(ctx context.Context, who principal.Principal, id string) (out DeskAuthorization, err error) {
	if err := maySee(who); err != nil {
		return out, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if out.Authorization, err = deskIn(tx, id); err != nil {
			return err
		}
		if err = causes(tx, &out.Authorization); err != nil {
			return err
		}
		out.Details, err = detailsOf(tx, out.Authorization)
		return err
	})
	if err != nil {
		return out, err
	}
	return out, s.names(ctx, &out)
}

func (s *Service) names(ctx context.Context, a *DeskAuthorization) error {
	house, err := s.ident.Names(ctx, principal.House, []string{a.Engineer, a.Approver})
	if err != nil {
		return err
	}
	customer, err := s.ident.Names(ctx, a.Domain, []string{a.Handler})
	a.EngineerName, a.ApproverName, a.HandlerName = house[a.Engineer], house[a.Approver], customer[a.Handler]
	return err
}

// OfTicket lists a ticket's authorizations, newest first, for the desk.
func (s *Service) OfTicket(ctx context.Context, who principal.Principal, number string) ([]DeskAuthorization, error) {
	if err := maySee(who); err != nil {
		return nil, err
	}
	t, err := s.ticket.DeskShow(ctx, who, number)
	if err != nil {
		return nil, err
	}
	var all []DeskAuthorization
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if all, err = withDetails(tx, t.Ticket); err != nil {
			return err
		}
		return causes(tx, stored(all)...)
	})
	for i := range all {
		if err := s.names(ctx, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, err
}

// stored are the authorizations of a list, to be completed.
func stored(all []DeskAuthorization) (out []*Authorization) {
	for i := range all {
		out = append(out, &all[i].Authorization)
	}
	return out
}

func withDetails(tx *db.Tx, t ticket.Ticket) (all []DeskAuthorization, err error) {
	at := map[string]int{}
	err = tx.List(func(r db.Row) error {
		a, err := scan(r)
		at[a.ID] = len(all)
		all = append(all, DeskAuthorization{Authorization: a})
		return err
	}, "SELECT "+columns+" FROM authorizations WHERE domain_id = ? AND ticket_id = ? ORDER BY id DESC", t.Domain, t.ID)
	if err != nil {
		return nil, err
	}
	err = tx.List(func(r db.Row) error {
		d, err := scanDetail(r)
		a := &all[at[d.auth]]
		a.Details = append(a.Details, d)
		return err
	}, "SELECT "+detailColumns+` FROM authorization_details WHERE domain_id = ? AND authorization_id IN
		(SELECT id FROM authorizations WHERE domain_id = ? AND ticket_id = ?) ORDER BY authorization_id, position`, t.Domain, t.Domain, t.ID)
	return all, err
}

// Desk is a page of the authorizations of all domains but sandboxes in the states,
// newest first, and the cursor of the next page ("" at the end): what waits for
// supervisors is state 6. Limit 1..100, 0 = 50.
func (s *Service) Desk(ctx context.Context, who principal.Principal, statuses []Status, after string, limit int) (page []DeskAuthorization, cursor string, err error) {
	if err := maySee(who); err != nil {
		return nil, "", err
	}
	if limit == 0 {
		limit = 50
	}
	cond, args := []string{"domain_id NOT IN (SELECT id FROM domains WHERE sandbox = 1)"}, []any{}
	if len(statuses) > 0 {
		for _, st := range statuses {
			args = append(args, int(st))
		}
		cond = append(cond, "status IN (?"+strings.Repeat(", ?", len(statuses)-1)+")")
	}
	if after != "" {
		cond, args = append(cond, "id < ?"), append(args, after)
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page, cursor = nil, ""
		var keys [][2]string
		err := tx.List(func(r db.Row) error {
			var k [2]string
			err := r.Scan(&k[0], &k[1])
			keys = append(keys, k)
			return err
		}, "SELECT domain_id, id FROM desk_authorizations WHERE "+strings.Join(cond, " AND ")+" ORDER BY id DESC LIMIT ?", append(args, limit+1)...)
		if err != nil {
			return err
		}
		if len(keys) > limit {
			keys = keys[:limit]
			cursor = keys[limit-1][1]
		}
		for _, k := range keys { // each row in its own domain's partition, at most a page
			a, err := load(tx, k[0], k[1])
			if err != nil {
				return err
			}
			d, err := detailsOf(tx, a)
			if err != nil {
				return err
			}
			page = append(page, DeskAuthorization{Authorization: a, Details: d})
		}
		return causes(tx, stored(page)...)
	})
	if err != nil {
		return nil, "", err
	}
	for i := range page {
		if err := s.names(ctx, &page[i]); err != nil {
			return nil, "", err
		}
	}
	return page, cursor, nil
}
