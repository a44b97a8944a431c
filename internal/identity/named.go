package identity

import (
	"context"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/principal"
)

// Colleagues finds people of the house who may work on tickets by their log-in
// names, as UserByName reads them, and answers their ids by the names given;
// names nobody has, and those of people who are shut out, audit only or are of
// another side are missing. Partner is that side, "" = the house itself.
func (s *Service) Colleagues(ctx context.Context, partner string, names []string) (map[string]string, error) {
	byHash := map[string][]string{}
	var hashes []any
	for _, n := range names {
		h := s.nameHash(principal.House, n)
		if byHash[h] == nil {
			hashes = append(hashes, h)
		}
		byHash[h] = append(byHash[h], n)
	}
	found := map[string]string{}
	err := s.db.View(ctx, func(tx *db.Tx) error {
		clear(found)
		for some := range slices.Chunk(hashes, 500) {
			err := tx.List(func(r db.Row) error {
				var id, hash string
				err := r.Scan(&id, &hash)
				for _, n := range byHash[hash] {
					found[n] = id
				}
				return err
			}, "SELECT id, name_hash FROM users WHERE domain_id = ? AND partner_id = ? AND role <> 'auditor' AND disabled = 0 AND name_hash IN (?"+strings.Repeat(", ?", len(some)-1)+")",
				append([]any{principal.House, partner}, some...)...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}
