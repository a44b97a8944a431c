package config

import (
	"errors"
	"time"
)

// MaxUndo is the longest time for which a message is held back to be undone.
const MaxUndo = time.Minute

// Teamwork is how engineers work together at the desk.
type Teamwork struct {
	UndoWithin time.Duration `yaml:"undo_within"` // messages are held back for so long, so that their writer can take them back; 0 = they go at once; each engineer may set his own
}

// Check refuses values that mean nothing.
func (t Teamwork) Check() error {
	if t.UndoWithin < 0 || t.UndoWithin > MaxUndo || t.UndoWithin%time.Second != 0 {
		return errors.New("teamwork.undo_within is 0s to 60s, in whole seconds")
	}
	return nil
}
