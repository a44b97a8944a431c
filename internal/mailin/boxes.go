package mailin

import (
	"context"
	"errors"

	"casemate/internal/db"
	"casemate/internal/seal"
)

// boxState is how far a mailbox was read.
type boxState struct {
	Account            string
	Validity           int64
	Last, Marked       int64
	Waiting, Taken     int64
	Node               string
	OK, TakenAt        int64
	Failed, Next       int64
	Failures           int64
	ErrorZH, ErrorEN   string
	refresh, refreshOf string
}

const boxColumns = "account, validity, last_uid, marked_uid, waiting, taken, node, ok_at, taken_at, failed_at, next_at, failures, error_zh, error_en, refresh, refresh_of"

func (b *boxState) into() []any {
	return []any{&b.Account, &b.Validity, &b.Last, &b.Marked, &b.Waiting, &b.Taken, &b.Node, &b.OK, &b.TakenAt, &b.Failed, &b.Next, &b.Failures, &b.ErrorZH, &b.ErrorEN, &b.refresh, &b.refreshOf}
}

func readBox(tx *db.Tx, name string) (b boxState, err error) {
	err = tx.Get("SELECT "+boxColumns+" FROM mail_boxes WHERE name = ?", name).Scan(b.into()...)
	if errors.Is(err, db.ErrNone) {
		return boxState{}, nil
	}
	return b, err
}

// change changes the state of a mailbox; the row is made when it is missing.
func (g *Gate) change(ctx context.Context, name string, change func(tx *db.Tx, b *boxState)) (boxState, error) {
	return db.Do(ctx, g.db, func(tx *db.Tx) (boxState, error) {
		tx.Lock("", "mailbox "+name)
		b, err := readBox(tx, name)
		if err != nil {
			return b, err
		}
		change(tx, &b)
		tx.Write(1, `INSERT INTO mail_boxes (name, account, validity, last_uid, marked_uid, waiting, taken, node, ok_at, taken_at, failed_at, next_at, failures, error_zh, error_en, refresh, refresh_of)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET account = excluded.account, validity = excluded.validity, last_uid = excluded.last_uid, marked_uid = excluded.marked_uid,
			waiting = excluded.waiting, taken = excluded.taken, node = excluded.node, ok_at = excluded.ok_at, taken_at = excluded.taken_at, failed_at = excluded.failed_at,
			next_at = excluded.next_at, failures = excluded.failures, error_zh = excluded.error_zh, error_en = excluded.error_en, refresh = excluded.refresh, refresh_of = excluded.refresh_of`,
			name, b.Account, b.Validity, b.Last, b.Marked, b.Waiting, b.Taken, b.Node, b.OK, b.TakenAt, b.Failed, b.Next, b.Failures, b.ErrorZH, b.ErrorEN, b.refresh, b.refreshOf)
		return b, nil
	})
}

// state reads the state of a mailbox.
func (g *Gate) state(ctx context.Context, name string) (b boxState, err error) {
	err = g.db.View(ctx, func(tx *db.Tx) error { b, err = readBox(tx, name); return err })
	return b, err
}

// stuckMail is a mail that could not be stored.
type stuckMail struct {
	UID   int64
	Tries int64
	Next  int64 // 0 = left for good
}

func (g *Gate) stuck(ctx context.Context, mailbox string, validity int64) (all []stuckMail, err error) {
	err = g.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			var s stuckMail
			if err := r.Scan(&s.UID, &s.Tries, &s.Next); err != nil {
				return err
			}
			all = append(all, s)
			return nil
		}, "SELECT uid, tries, next_at FROM mail_stuck WHERE mailbox = ? AND validity = ? ORDER BY uid", mailbox, validity)
	})
	return all, err
}

// refreshPlace is where a refresh token is sealed.
func refreshPlace(mailbox string) seal.Place {
	return seal.Place{Table: "mail_boxes", Column: "refresh", Row: mailbox}
}
