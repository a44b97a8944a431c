package queue

import (
	"context"
	"errors"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Settings are what a person of the house sets for his own work.
type Settings struct {
	// UndoWithin is for how many seconds his messages are held back, so that he
	// can take them back; 0 = they go at once, nil = the installation's default.
	UndoWithin *int
}

func (p Settings) check() error {
	if most := int(config.MaxUndo / time.Second); p.UndoWithin != nil && (*p.UndoWithin < 0 || *p.UndoWithin > most) {
		return fault.OutOfRange.In("undo_within").With("min", 0).With("max", most)
	}
	return nil
}

// Settings are the caller's, the installation's default filled in.
func (s *Service) Settings(ctx context.Context, who principal.Principal) (p Settings, err error) {
	if err := ticket.MayWork(who); err != nil {
		return p, err
	}
	seconds := -1
	err = s.db.View(ctx, func(tx *db.Tx) error {
		err := tx.Get("SELECT undo_within FROM desk_settings WHERE user_id = ?", who.User).Scan(&seconds)
		if errors.Is(err, db.ErrNone) {
			err = nil
		}
		return err
	})
	if seconds < 0 {
		seconds = int(s.o.Config.UndoWithin / time.Second)
	}
	return Settings{UndoWithin: &seconds}, err
}

// SetSettings replaces the caller's. It fails with OSM.01010001 naming the field.
func (s *Service) SetSettings(ctx context.Context, who principal.Principal, p Settings) error {
	if err := ticket.MayWork(who); err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	seconds := -1
	if p.UndoWithin != nil {
		seconds = *p.UndoWithin
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(1, "INSERT INTO desk_settings (user_id, undo_within) VALUES (?, ?) ON CONFLICT (user_id) DO UPDATE SET undo_within = excluded.undo_within", who.User, seconds)
		event.Record(tx, who, event.Event{Kind: "user.settings", Subject: "user", SubjectID: who.User, LogCode: event.NoLog, Data: map[string]any{"undo_within": seconds}})
		return nil
	})
}
