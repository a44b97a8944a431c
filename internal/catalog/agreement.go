package catalog

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

var (
	errNoAgreement  = fault.New(fault.NotFound, fault.CodeInvalid, "协议不存在", "there is no such agreement").In("id")
	errOldAgreement = fault.New(fault.Conflict, fault.CodeInvalid, "该协议已有新版本（{latest}），请签署最新版本", "a newer version of this agreement is published ({latest}); sign that one").In("id")
)

const maxRelation = 32 // SignAgreementReq.relation_id

// Sign records that the caller accepts an agreement, for the ticket or
// authorization named by the relation (any text up to 32 characters, or "").
// Signing the same for the same relation again answers the first record. It
// fails with OSM.01010001 naming id (unknown, withdrawn, or not the newest of
// its type) or relation_id, OSM.01010002 for callers who are no customers.
func (s *Service) Sign(ctx context.Context, who principal.Principal, agreement int32, relation string) (int32, error) {
	if who.Kind != principal.Customer {
		return 0, fault.NoPermission
	}
	if len([]rune(relation)) > maxRelation {
		return 0, fault.TooLong.In("relation_id").With("max", maxRelation)
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (int32, error) {
		if err := newestOfItsType(tx, agreement); err != nil {
			return 0, err
		}
		tx.Lock(who.Domain, "agreement.sign") // record numbers are taken one after another
		var record int32
		err := tx.Get("SELECT id FROM agreement_signatures WHERE domain_id = ? AND user_id = ? AND agreement_id = ? AND relation_id = ?",
			who.Domain, who.User, agreement, relation).Scan(&record)
		if err == nil || !errors.Is(err, db.ErrNone) {
			return record, err
		}
		if err := tx.Get("SELECT coalesce(max(id), 0) + 1 FROM agreement_signatures WHERE domain_id = ?", who.Domain).Scan(&record); err != nil {
			return 0, err
		}
		tx.Write(1, "INSERT INTO agreement_signatures (domain_id, id, user_id, agreement_id, relation_id, signed_at) VALUES (?, ?, ?, ?, ?, ?)",
			who.Domain, record, who.User, agreement, relation, tx.Now)
		event.Record(tx, who, event.Event{Domain: who.Domain, Kind: "agreement.sign", Subject: "agreement_signature",
			SubjectID: strconv.Itoa(int(record)), LogCode: event.NoLog, Data: map[string]any{"agreement": agreement, "relation": relation}})
		return record, nil
	})
}

// newestOfItsType asks the store, not the snapshot: a version published a
// moment ago on another node counts.
func newestOfItsType(tx *db.Tx, agreement int32) error {
	var latest int32
	err := tx.Get(`SELECT id FROM catalog_agreements WHERE retired = 0 AND type = (SELECT type FROM catalog_agreements WHERE id = ? AND retired = 0)
		ORDER BY version DESC LIMIT 1`, agreement).Scan(&latest)
	switch {
	case errors.Is(err, db.ErrNone):
		return errNoAgreement
	case err != nil:
		return err
	case latest != agreement:
		return errOldAgreement.With("latest", latest)
	}
	return nil
}

// SignedLatest tells whether the user accepted the newest published agreement
// of the type; false when none is published.
func SignedLatest(tx *db.Tx, domain, user, kind string) (bool, error) {
	var n int
	err := tx.Get(`SELECT count(*) FROM agreement_signatures WHERE domain_id = ? AND user_id = ? AND agreement_id =
		(SELECT id FROM catalog_agreements WHERE type = ? AND retired = 0 ORDER BY version DESC LIMIT 1)`, domain, user, kind).Scan(&n)
	return n > 0, err
}

// SignedFor is SignedLatest for one thing: the user accepted the agreement for
// the relation, or for no relation in particular.
func SignedFor(tx *db.Tx, domain, user, kind, relation string) (bool, error) {
	var n int
	err := tx.Get(`SELECT count(*) FROM agreement_signatures WHERE domain_id = ? AND user_id = ? AND relation_id IN (?, '') AND agreement_id =
		(SELECT id FROM catalog_agreements WHERE type = ? AND retired = 0 ORDER BY version DESC LIMIT 1)`, domain, user, relation, kind).Scan(&n)
	return n > 0, err
}

// SignedLatest tells whether the caller accepted the newest published
// agreement of the type; false when none is published.
func (s *Service) SignedLatest(ctx context.Context, who principal.Principal, kind string) (bool, error) {
	if who.Kind != principal.Customer {
		return false, fault.NoPermission
	}
	var signed bool
	err := s.db.View(ctx, func(tx *db.Tx) error {
		var err error
		signed, err = SignedLatest(tx, who.Domain, who.User, kind)
		return err
	})
	return signed, err
}

// writeAgreements keeps the table that transactions ask equal to the entries.
func (p prepared) writeAgreements(tx *db.Tx, diff Diff) {
	touched := func(c Change) bool { return c.Kind == KindAgreement }
	if !slices.ContainsFunc(diff.Changes, touched) {
		return
	}
	tx.Write(db.Any, "UPDATE catalog_agreements SET retired = ? WHERE retired = 0", diff.Version)
	for _, a := range p.agreements {
		tx.Write(1, `INSERT INTO catalog_agreements (id, type, version, retired) VALUES (?, ?, ?, 0)
			ON CONFLICT (id) DO UPDATE SET retired = 0`, a.ID, a.Type, a.Version)
	}
}
