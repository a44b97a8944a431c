package event

import (
	"context"

	"casemate/internal/db"
)

// Inspect is Verify within a transaction, so that a test can roll back what it
// damaged.
func Inspect(tx *db.Tx, key []byte, anchors ...Anchor) (Report, error) {
	v := verifier{key: key}
	v.add("test", anchors)
	err := v.run(tx)
	return v.report, err
}

var (
	Link        = link
	Order       = order
	ReadAnchors = readAnchors
)

// Signed is the anchor with its signature.
func (a Anchor) Signed(key []byte) Anchor {
	a.MAC = a.sign(key)
	return a
}

// Round is one poll of Run.
func (s *Sealer) Round(ctx context.Context) error { return s.round(ctx, true) }
