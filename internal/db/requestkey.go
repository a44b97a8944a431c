package db

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
)

// RequestKey tells a request from its repeats (threats.md E2).
type RequestKey struct {
	ID     string // who and what, hashed by the caller; at most 128 characters
	Domain string // the caller's domain, for the record only
	Until  int64  // how long the result is kept, in milliseconds UTC on the installation's clock
}

type requestKey struct {
	RequestKey
	used     atomic.Bool
	replayed atomic.Bool
}

type requestKeyKey struct{}

// WithRequestKey makes the context's first Update or Do repeatable.
func WithRequestKey(ctx context.Context, k RequestKey) context.Context {
	return context.WithValue(ctx, requestKeyKey{}, &requestKey{RequestKey: k})
}

// WithoutRequestKey is the context for an Update beside the request's own
// effect, such as counting its refusal: it neither takes nor stores a result.
func WithoutRequestKey(ctx context.Context) context.Context {
	return context.WithValue(ctx, requestKeyKey{}, nil)
}

// WithContent narrows the context's request key by what its maker could not
// know: a digest of a body that was streamed past him. Requests with the same
// key and another content are others. Without a key, or with one that was used
// already, the context stays as it is.
func WithContent(ctx context.Context, digest string) context.Context {
	k, ok := ctx.Value(requestKeyKey{}).(*requestKey)
	if !ok || k.used.Load() {
		return ctx
	}
	sum := sha256.Sum256([]byte(k.ID + "\x00" + digest))
	narrow := k.RequestKey
	narrow.ID = hex.EncodeToString(sum[:])
	return WithRequestKey(ctx, narrow)
}

// Replayed tells whether the context's first Update answered with the stored
// result of an earlier request.
func Replayed(ctx context.Context) bool {
	k, ok := ctx.Value(requestKeyKey{}).(*requestKey)
	return ok && k.replayed.Load()
}

func claim(ctx context.Context) (*requestKey, bool) {
	k, ok := ctx.Value(requestKeyKey{}).(*requestKey)
	if !ok || k.used.Swap(true) {
		return nil, false
	}
	return k, true
}

func loadResult[T any](tx *Tx, k *requestKey, into *T) (bool, error) {
	var stored []byte
	err := tx.Get("SELECT result FROM request_keys WHERE id = ? AND kept_until > ?", k.ID, tx.Real).Scan(&stored)
	if errors.Is(err, ErrNone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if unseal := tx.db.o.Unseal; unseal != nil {
		if stored, err = unseal(stored); err != nil {
			return false, fmt.Errorf("stored result: %w", err)
		}
	}
	if err := json.Unmarshal(stored, into); err != nil {
		return false, fmt.Errorf("stored result: %w", err)
	}
	return true, nil
}

// storeResult queues the row; a twin that stored it in between makes it fail
// with ErrTaken, and the retry finds the twin's result, or removes one that is
// past its time. The first try of all does not look for such a one.
func storeResult[T any](tx *Tx, k *requestKey, result T, first bool) error {
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	// Sealing a few hundred bytes takes about a microsecond, so it may stand here.
	if seal := tx.db.o.Seal; seal != nil {
		if text, err = seal(text); err != nil {
			return err
		}
	}
	if !first {
		tx.Write(Any, "DELETE FROM request_keys WHERE id = ? AND kept_until <= ?", k.ID, tx.Real)
	}
	tx.Write(1, "INSERT INTO request_keys (id, domain_id, result, kept_until) VALUES (?, ?, ?, ?)", k.ID, k.Domain, text, k.Until)
	return nil
}

// KeepResults sets until when results of request keys are kept, milliseconds UTC
// on the installation's clock: those of work that is over need not wait for their
// time. Unknown ids do no harm.
func KeepResults(tx *Tx, until int64, ids ...string) {
	for _, id := range ids {
		tx.Write(Any, "UPDATE request_keys SET kept_until = ? WHERE id = ? AND kept_until > ?", until, id, until)
	}
}

// PurgeRequestKeys removes results that are kept no longer, at most 1,000 a
// call, and tells how many.
func (d *DB) PurgeRequestKeys(ctx context.Context) (int, error) {
	n := 0
	err := d.Update(ctx, func(tx *Tx) error {
		n = 0
		return tx.List(func(r Row) error {
			var id string
			n++
			return r.Scan(&id)
		}, "DELETE FROM request_keys WHERE id IN (SELECT id FROM request_keys WHERE kept_until <= ? ORDER BY kept_until LIMIT 1000) RETURNING id", tx.Real)
	})
	return n, err
}
