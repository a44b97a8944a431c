package event

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"casemate/internal/db"
)

// anchorGap is how long events may stand without an anchor behind them.
const anchorGap = time.Minute

// anchors is the file the leader's anchors go to, one line each:
// number, hash, time, signature. Each node has a file of its own.
type anchors struct {
	path   string
	every  int64
	file   *os.File
	last   int64     // number of the newest anchor in the file
	at     time.Time // when it was written, by this process
	behind int64     // events sealed since
}

// AnchorTo makes the sealer append an anchor to the file every so many events
// (0 = 1,000), a minute after the last one when events came in, and when it
// stops. The chain cannot tell that its own tail was cut off; a file kept away
// from the database can. Each anchor is logged as well. Call it before Run.
func (s *Sealer) AnchorTo(path string, every int64) *Sealer {
	if every <= 0 {
		every = 1000
	}
	s.anchors = anchors{path: path, every: every}
	return s
}

func (a *anchors) open() error {
	if a.path == "" || a.file != nil {
		return nil
	}
	f, err := os.OpenFile(a.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("event anchors: %w", err)
	}
	whole, err := os.ReadFile(a.path)
	if err != nil {
		return errors.Join(fmt.Errorf("event anchors: %w", err), f.Close())
	}
	// A crash may have left half a line.
	if end := bytes.LastIndexByte(whole, '\n') + 1; end < len(whole) {
		if err := f.Truncate(int64(end)); err != nil {
			return errors.Join(fmt.Errorf("event anchors: %w", err), f.Close())
		}
		whole = whole[:end]
	}
	for line := range bytes.Lines(whole) {
		if anchor, err := parseAnchor(string(line)); err == nil {
			a.last = anchor.Seq
		}
	}
	a.file = f
	return nil
}

func (a *anchors) close() {
	if a.file != nil {
		_ = a.file.Close() // every line was synced
		a.file = nil
	}
}

// anchorIfDue writes an anchor when the newest is old enough; now = at once.
func (s *Sealer) anchorIfDue(ctx context.Context, now bool) error {
	a := &s.anchors
	if a.path == "" {
		return nil
	}
	waited := s.db.Now().Sub(a.at)
	if !now && a.behind < a.every && (waited >= 0 && waited < anchorGap) {
		return nil
	}
	return s.Anchor(ctx)
}

// Anchor writes an anchor for the newest sealed event, if there is none yet.
// Not to be called beside Run.
func (s *Sealer) Anchor(ctx context.Context) error {
	a := &s.anchors
	if a.path == "" {
		return errors.New("event: no file for anchors was named")
	}
	if err := a.open(); err != nil {
		return err
	}
	var (
		h   head
		now int64
	)
	err := s.db.View(ctx, func(tx *db.Tx) error {
		var err error
		h, err = loadHead(tx, "")
		now = tx.Now
		return err
	})
	if err != nil {
		return err
	}
	a.at, a.behind = s.db.Now(), 0
	if h.seq == 0 || h.seq == a.last {
		return nil
	}
	anchor := Anchor{Seq: h.seq, Hash: h.hash, At: now}
	anchor.MAC = anchor.sign(s.key)
	if _, err := fmt.Fprintf(a.file, "%d %s %d %s\n", anchor.Seq, anchor.Hash, anchor.At, anchor.MAC); err != nil {
		return fmt.Errorf("event anchors: %w", err)
	}
	if err := a.file.Sync(); err != nil {
		return fmt.Errorf("event anchors: %w", err)
	}
	a.last = h.seq
	s.log.Info("events anchored", "seq", anchor.Seq, "hash", anchor.Hash, "at", anchor.At, "mac", anchor.MAC)
	return nil
}

func parseAnchor(line string) (Anchor, error) {
	var (
		a    Anchor
		rest string
	)
	n, err := fmt.Sscanf(line, "%d %s %d %s %s", &a.Seq, &a.Hash, &a.At, &a.MAC, &rest)
	if n == 4 && a.Seq > 0 {
		return a, nil
	}
	return a, fmt.Errorf("not an anchor: %w", err)
}

// readAnchors reads an anchor file. Lines that are no anchors come back with
// number 0; half a line at the end is a crash's and left out.
func readAnchors(path string) ([]Anchor, error) {
	whole, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("event anchors: %w", err)
	}
	if err != nil {
		return nil, err
	}
	var found []Anchor
	for line := range strings.Lines(string(whole)) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		a, err := parseAnchor(line)
		if err != nil {
			a = Anchor{}
		}
		found = append(found, a)
	}
	return found, nil
}
