package diagnose

import (
	"context"
	"errors"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

const maxComment = 1000 // characters; ours, the contract sets none

var (
	errNothing = fault.New(fault.NotFound, fault.CodeInvalid, "您还没有已结束的该类诊断", "you have no diagnosis of this type that has ended").In("type")
	errRated   = fault.New(fault.Conflict, fault.CodeInvalid, "您已评价过最近一次该类诊断", "you have rated your newest diagnosis of this type already").In("type")
)

// Rating is a user's word on a diagnosis.
type Rating struct {
	Type    int32
	Helpful bool
	Comment string

	User    string // read ones only
	Created int64
}

// Rate records whether a diagnosis helped. The wire names no diagnosis but its
// type: meant is the caller's newest of the type that has ended. Each is rated
// once. It fails with OSM.01010001 naming type (none, or rated already) or
// content (over 1000 characters).
func (s *Service) Rate(ctx context.Context, who principal.Principal, in Rating) error {
	if who.Kind != principal.Customer {
		return fault.NoPermission
	}
	if utf8.RuneCountInString(in.Comment) > maxComment {
		return fault.TooLong.In("content").With("max", maxComment)
	}
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		var id string
		err := tx.Get("SELECT id FROM diagnoses WHERE domain_id = ? AND creator = ? AND type = ? AND state >= 3 ORDER BY id DESC LIMIT 1", who.Domain, who.User, in.Type).Scan(&id)
		if errors.Is(err, db.ErrNone) {
			return errNothing
		}
		if err != nil {
			return err
		}
		var n int
		if err := tx.Get("SELECT count(*) FROM diagnosis_ratings WHERE domain_id = ? AND diagnosis_id = ? AND user_id = ?", who.Domain, id, who.User).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return errRated
		}
		helpful := int64(0)
		if in.Helpful {
			helpful = 1
		}
		tx.Write(1, "INSERT INTO diagnosis_ratings (domain_id, diagnosis_id, user_id, helpful, content, created_at) VALUES (?, ?, ?, ?, ?, ?)",
			who.Domain, id, who.User, helpful, in.Comment, tx.Now)
		event.Record(tx, who, event.Event{Domain: who.Domain, Kind: "diagnosis.rate", Subject: "diagnosis", SubjectID: id, LogCode: event.NoLog,
			Data: map[string]any{"helpful": in.Helpful}})
		return nil
	})
	if errors.Is(err, db.ErrTaken) { // another at the same moment
		return errRated.Because(err)
	}
	return err
}

func ratingsOf(tx *db.Tx, domain, id string) (all []Rating, err error) {
	err = tx.List(func(r db.Row) error {
		var g Rating
		var helpful int64
		err := r.Scan(&g.User, &helpful, &g.Comment, &g.Created)
		g.Helpful = helpful == 1
		all = append(all, g)
		return err
	}, "SELECT user_id, helpful, content, created_at FROM diagnosis_ratings WHERE domain_id = ? AND diagnosis_id = ? ORDER BY created_at, user_id", domain, id)
	return all, err
}
