package catalog

import (
	"context"
	"slices"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// maxOwnSignatures is how many signatures of a version its signer is shown.
const maxOwnSignatures = 100

// OwnAgreement is a version of an agreement with the caller's signatures.
type OwnAgreement struct {
	PublishedAgreement
	Signatures []Signature // newest first, at most 100
}

// OwnAgreements are the newest published version of each agreement and every
// older one, withdrawn or not, that the caller signed; by type, newest first.
// OSM.01010002 for callers who are no customers.
func (s *Service) OwnAgreements(ctx context.Context, who principal.Principal) (all []OwnAgreement, err error) {
	if who.Kind != principal.Customer {
		return nil, fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		published, err := EverPublished(tx)
		if err != nil {
			return err
		}
		signed := map[int32][]Signature{}
		err = tx.List(func(r db.Row) error {
			g := Signature{Domain: who.Domain, User: who.User}
			var agreement int32
			err := r.Scan(&agreement, &g.Record, &g.Relation, &g.Signed)
			if len(signed[agreement]) < maxOwnSignatures {
				signed[agreement] = append(signed[agreement], g)
			}
			return err
		}, "SELECT agreement_id, id, relation_id, signed_at FROM agreement_signatures WHERE domain_id = ? AND user_id = ? ORDER BY signed_at DESC, id DESC LIMIT 2000", who.Domain, who.User)
		for _, a := range published {
			if a.Latest || len(signed[a.ID]) > 0 {
				all = append(all, OwnAgreement{PublishedAgreement: a, Signatures: slices.Clip(signed[a.ID])})
			}
		}
		return err
	})
	return all, err
}
