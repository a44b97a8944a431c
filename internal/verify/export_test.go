package verify

import (
	"context"
	"time"

	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// NewCode makes a code from a source of randomness.
func NewCode(random func(n int) []byte) string { return newCode(random) }

// Binding is all that a code is bound to.
type Binding struct {
	Who     principal.Principal
	Purpose string
	Way     identity.Way
	Hash    string // of the contact
}

// HashOf is the contact's keyed hash.
func (s *Service) HashOf(c Contact) string {
	r, err := s.resolve(c)
	if err != nil {
		return ""
	}
	return r.hash
}

// SendFor sends a code for any purpose.
func (s *Service) SendFor(ctx context.Context, who principal.Principal, purpose string, c Contact) error {
	return s.send(ctx, who, purpose, c, locale.ZH)
}

// TryFor holds a code against a binding.
func (s *Service) TryFor(ctx context.Context, b Binding, code string) (bool, error) {
	return db.Do(ctx, s.db, func(tx *db.Tx) (bool, error) {
		return s.try(tx, b.Who, b.Purpose, resolved{way: b.Way, hash: b.Hash}, code)
	})
}

// Purpose is the purpose of ordinary codes.
const Purpose = purposeContact

// Elapsed makes the node's time that no clock moves what f says.
func (s *Service) Elapsed(f func() time.Duration) { s.elapsed = f }

// Stores makes the store's time what f says.
func (s *Service) Stores(f func() time.Time) {
	s.stores = func(*db.Tx) (int64, error) { return f().UnixMilli(), nil }
}

// StoresTime is the time on the store's own clock.
func (s *Service) StoresTime(ctx context.Context) (now int64, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		now, err = storesTime(tx)
		return err
	})
	return now, err
}
