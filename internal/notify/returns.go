package notify

import (
	"context"
	"fmt"
)

// Returned takes a mail that came to the address for bounces. It tells whether
// it was one about a mail of ours, which the ledger now knows; any other mail
// changes nothing. An address that does not exist is not written to for a while.
func (s *Service) Returned(ctx context.Context, raw []byte) (ours bool, err error) {
	for _, b := range s.bounces {
		r, ok := b.read(raw)
		if !ok {
			continue
		}
		known, err := s.receive(ctx, Receipt{Message: r.Message, Delivered: r.Delivered, Delayed: r.Delayed, Recipient: r.Recipient, Detail: r.Detail})
		if err != nil {
			return false, fmt.Errorf("a returned mail: %w", err)
		}
		if known {
			return true, nil
		}
	}
	return false, nil
}
