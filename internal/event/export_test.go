package event

import (
	"context"
	"crypto/ed25519"

	"casemate/internal/db"
)

// Inspect is Verify within a transaction, so that a test can roll back what it
// damaged.
func Inspect(tx *db.Tx, key []byte, anchors ...Anchor) (Report, error) {
	return InspectSigned(tx, key, nil, nil, anchors...)
}

// InspectSigned is VerifySigned within a transaction.
func InspectSigned(tx *db.Tx, key []byte, public ed25519.PublicKey, checkpoints []Checkpoint, anchors ...Anchor) (Report, error) {
	v := verifier{key: key}
	v.addCheckpoints(public, "test", checkpoints)
	v.add("test", anchors)
	err := v.run(tx)
	return v.report, err
}

var (
	Link        = link
	Order       = order
	ReadAnchors = readAnchors
	Checkpoints = parseCheckpoints
)

// Signed is the anchor with its signature.
func (a Anchor) Signed(key []byte) Anchor {
	a.MAC = a.sign(key)
	return a
}

// Round is one poll of Run.
func (s *Sealer) Round(ctx context.Context) error { return s.round(ctx, true) }

// OvertakenQuery is how the sealer looks for events that its batch left behind a later
// revision.
var OvertakenQuery = overtakenQuery
