// Package blob keeps bytes under ids and knows nothing of what they are. Names,
// types and owners are with the nouns; what is stored never changes.
package blob

import (
	"context"
	"errors"
	"io"
	"regexp"
	"syscall"
	"time"

	"casemate/internal/fault"
)

// Errors of the store. ErrFull is a fault a caller may see.
var (
	ErrNone = errors.New("blob: no such blob")
	ErrID   = errors.New("blob: not a blob's id")
	ErrFull = fault.New(fault.Unavailable, fault.CodeInternal, "存储空间不足", "no space left to store this").After(10 * time.Second)
)

// Info is what a store knows of a blob.
type Info struct {
	ID     string
	Size   int64
	Stored time.Time // when Put ended
}

// Store keeps blobs. It is safe for concurrent use.
type Store interface {
	// Put stores all that r gives under an id that was never used. It is durable
	// when Put returns nil; after an error nothing is there under the id.
	Put(ctx context.Context, id string, r io.Reader) error
	// Open reads length bytes from an offset; length -1 reads to the end. ErrNone
	// when there is no such blob.
	Open(ctx context.Context, id string, offset, length int64) (io.ReadCloser, error)
	// Stat is what is known of a blob, or ErrNone.
	Stat(ctx context.Context, id string) (Info, error)
	// Delete removes a blob; one that is not there is removed already.
	Delete(ctx context.Context, id string) error
	// List calls each for every blob, in no order; blobs put or deleted meanwhile
	// may be missing.
	List(ctx context.Context, each func(Info) error) error
	// Sweep removes what Puts left that were cut off before a time.
	Sweep(ctx context.Context, before time.Time) error
	Close() error
}

// Presigner is a Store that lets others fetch a blob from it directly.
type Presigner interface {
	// Presign is an address at which whoever has it gets the blob, with these two
	// headers, by GET until life is over; "" when the store is not set up
	// for that. It does not look whether the blob is there.
	Presign(ctx context.Context, id, disposition, media string, life time.Duration) (string, error)
}

var validID = regexp.MustCompile(`^[0-9a-f]{32,64}$`)

// full tells a full disk or a used-up quota from other errors.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return ErrFull.Because(err)
	}
	return err
}

// Reader reads a blob of any store at any place, as http.ServeContent wants it.
// Each Seek to another place opens the blob anew.
type Reader struct {
	ctx    context.Context
	store  Store
	id     string
	size   int64
	at     int64
	opened io.ReadCloser
}

// NewReader opens a blob of a known size, and fails with ErrNone at once.
func NewReader(ctx context.Context, s Store, id string, size int64) (*Reader, error) {
	r := &Reader{ctx: ctx, store: s, id: id, size: size}
	var err error
	r.opened, err = s.Open(ctx, id, 0, -1)
	return r, err
}

// Read reads on.
func (r *Reader) Read(p []byte) (int, error) {
	if r.at >= r.size {
		return 0, io.EOF
	}
	if r.opened == nil {
		var err error
		if r.opened, err = r.store.Open(r.ctx, r.id, r.at, -1); err != nil {
			return 0, err
		}
	}
	n, err := r.opened.Read(p)
	r.at += int64(n)
	if err == io.EOF && r.at < r.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Seek moves the place of the next Read.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return r.at, errors.New("blob: seek before the beginning")
	}
	if offset != r.at {
		if err := r.Close(); err != nil {
			return r.at, err
		}
		r.at = offset
	}
	return r.at, nil
}

// Close ends reading.
func (r *Reader) Close() error {
	if r.opened == nil {
		return nil
	}
	err := r.opened.Close()
	r.opened = nil
	return err
}
