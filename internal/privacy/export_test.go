package privacy

import (
	"context"
	"errors"
)

var errCut = errors.New("cut off")

// CutOff carries an erasure out and cuts it off at its n-th transaction.
func (s *Service) CutOff(ctx context.Context, id string, n int) (done bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	at := 0
	s.before = func() {
		if at++; at == n {
			cancel(errCut)
		}
	}
	defer func() { s.before = nil }()
	err = s.carryOut(ctx, id)
	return context.Cause(ctx) == nil, err
}
