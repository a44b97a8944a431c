package ticket

import (
	"context"
	"strings"

	"casemate/internal/db"
)

// PresenceMoved is the topic that tells that somebody came to a ticket, left it
// or does something else there.
const PresenceMoved = "ticket.presence"

// Someone is a person of the house at a ticket, and what he does there.
type Someone struct {
	Domain, TicketID, User, Doing string
}

// Mark is what live events need of a ticket: its number, and whose it is.
type Mark struct {
	Number  string
	Creator string // user id in its domain
	Partner string // whose business it is, "" = the house's
}

// Marks finds tickets by domain and id, deleted ones too, for live events; who
// may know of one is for its caller to judge. Unknown ones are left out. At
// most 500 at once.
func (s *Service) Marks(ctx context.Context, keys [][2]string) (found map[[2]string]Mark, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var args []any
	for _, k := range keys {
		args = append(args, k[0], k[1])
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		found = make(map[[2]string]Mark, len(keys))
		return tx.List(func(r db.Row) error {
			var k [2]string
			var m Mark
			err := r.Scan(&k[0], &k[1], &m.Number, &m.Creator, &m.Partner)
			found[k] = m
			return err
		}, `WITH wanted(in_domain, ticket) AS (VALUES (CAST(? AS TEXT), CAST(? AS TEXT))`+strings.Repeat(", (?, ?)", len(keys)-1)+`)
			SELECT t.domain_id, t.id, t.number, t.creator,
				CASE t.ownership WHEN 1 THEN coalesce((SELECT d.partner_id FROM domains AS d WHERE d.id = t.domain_id), '')
					WHEN 2 THEN coalesce((SELECT p.partner_id FROM partner_services AS p WHERE p.kind = 'product' AND p.ref_id = t.product LIMIT 1), '') ELSE '' END
			FROM wanted JOIN tickets AS t ON t.domain_id = in_domain AND t.id = ticket`, args...)
	})
	return found, err
}
