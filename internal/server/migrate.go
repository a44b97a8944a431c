package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/blob"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/seal"
)

// Move is an installation on its way from one store to another.
type Move struct {
	From, To Options // the data, keys, database and blobs of each
	// Finish is the last pass: no server may use the source, and the target is
	// checked as a restored backup is.
	Finish bool
	Each   func(MoveProgress) // called now and then; nil = nobody listens
}

// MoveProgress is how far a pass is: rows of the database, then files.
type MoveProgress struct {
	What        string // a table, MovingFiles or BuildingIndex
	Done, Total int64
}

// MovingFiles is the part of a pass that copies attachments; no table has its name.
const MovingFiles = "files"

// BuildingIndex is the part of the last pass that makes the search index, which
// is never copied: the engines' differ.
const BuildingIndex = "building the index"

// Moved is what a pass did.
type Moved struct {
	Tables              []db.TableSync
	Rows, Changed       int64 // rows in all; rows written or removed in the target
	Keys                int
	Files, FilesCopied  int64
	Checked             bool // Finish: every file's hash and the event chain hold in the target
	Events              event.Report
	DatabaseIs, BlobsIs string // the target's, as serve takes them: "" = in the data folder
}

// Errors of a move.
var (
	ErrSameStore = fault.New(fault.Conflict, fault.CodeInvalid, "源与目标是同一处存储",
		"source and target are the same store")
	ErrSourceInUse = fault.New(fault.Conflict, fault.CodeInvalid, "源库正被服务使用：请先停止服务再执行 --finish（不带 --finish 可在服务运行时复制）",
		"a server uses the source: stop it, then finish (without --finish the copy may be made while it runs)")
	ErrTargetInUse = fault.New(fault.Conflict, fault.CodeInvalid, "目标库正被服务使用：请先停止该服务",
		"a server uses the target: stop it")
	ErrOther = fault.New(fault.Conflict, fault.CodeInvalid, "目标中是另一安装的数据：请给出空数据库或空目录",
		"the target holds another installation: give an empty database, or an empty folder")
)

// Run copies what the target lacks. Passes before the last one may run while
// the source serves; each copies what changed since the one before. A pass that
// was cut off is run again. The target is of no use before a pass with Finish
// has ended without an error.
func (m Move) Run(ctx context.Context) (out Moved, err error) {
	if err := m.From.exists(); err != nil {
		return out, err
	}
	from, to := m.From.databaseURL(), m.To.databaseURL()
	database := from != to
	if !database && m.sameBlobs() {
		return out, ErrSameStore
	}
	claims, err := m.claim(ctx, database)
	defer func() {
		for _, c := range claims {
			err = errors.Join(err, c.Release())
		}
	}()
	if err != nil {
		return out, err
	}
	if database {
		if err := m.database(ctx, from, to, &out); err != nil {
			return out, err
		}
	}
	if !m.sameBlobs() {
		if err := m.files(ctx, &out); err != nil {
			return out, err
		}
	}
	out.DatabaseIs, out.BlobsIs = m.To.Database, m.To.Blobs
	if !m.Finish {
		return out, nil
	}
	if database {
		if err := m.proofs(); err != nil {
			return out, err
		}
		if err := os.Remove(m.To.movedFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return out, err
		}
	}
	s, err := openStore(ctx, m.To)
	if err != nil {
		return out, err
	}
	if database {
		err := s.ticket.IndexAnew(ctx, func(done, total int64) {
			if m.Each != nil {
				m.Each(MoveProgress{BuildingIndex, done, total})
			}
		})
		if err != nil {
			return out, errors.Join(err, s.Close())
		}
	}
	out.Events, _, err = s.verifyStore(ctx)
	if out.Checked = err == nil; out.Checked && database && m.From.Database == "" {
		err = os.WriteFile(m.From.movedFile(), []byte(s.o.now().Format(time.RFC3339)+"\n"), 0o600)
	}
	return out, errors.Join(err, s.Close())
}

// movedFile tells that the store in a data folder was moved elsewhere.
func (o Options) movedFile() string { return filepath.Join(o.Data, "moved") }

var errMoved = fault.New(fault.Conflict, fault.CodeInvalid, "该数据目录中的数据已于 {at} 迁走：请以新位置启动（--database 或新目录）；如确要继续使用旧数据，请删除 {file}",
	"what was in this data folder moved elsewhere at {at}: start with where it is now (--database, or the new folder); to use what was left here, remove {file}")

// notMoved refuses an embedded store that was left behind: work on it would be
// lost for the installation.
func (o Options) notMoved() error {
	if o.Database != "" {
		return nil
	}
	at, err := os.ReadFile(o.movedFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errMoved.With("at", strings.TrimSpace(string(at))).With("file", o.movedFile())
}

// proofs copies the anchors and checkpoints of the event chain to where the
// keys are now.
func (m Move) proofs() error {
	from, to := m.From.keysDir(), m.To.keysDir()
	if from == to {
		return nil
	}
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), anchorSuffix) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, f.Name()), text, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m Move) sameBlobs() bool {
	if m.From.Blobs != "" || m.To.Blobs != "" {
		return m.From.Blobs == m.To.Blobs
	}
	return filepath.Clean(m.From.Data) == filepath.Clean(m.To.Data)
}

// claim keeps servers away from the target, and at the end from the source.
func (m Move) claim(ctx context.Context, database bool) (claims []*seal.Hold, err error) {
	if m.Finish {
		c, err := seal.Claim(ctx, m.From.keysDir(), m.From.Database, true)
		if errors.Is(err, seal.ErrInUse) {
			return nil, ErrSourceInUse
		}
		if err != nil {
			return nil, err
		}
		claims = append(claims, c)
	}
	if !database {
		return claims, nil
	}
	c, err := seal.Claim(ctx, m.To.keysDir(), m.To.Database, true)
	if errors.Is(err, seal.ErrInUse) {
		return claims, ErrTargetInUse
	}
	if err != nil {
		return claims, err
	}
	return append(claims, c), nil
}

func (m Move) database(ctx context.Context, from, to string, out *Moved) error {
	d, err := db.Open(ctx, db.Options{URL: to, Log: m.To.Log}) // makes the schema
	if err != nil {
		return err
	}
	theirs, err := firstEvent(ctx, d)
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	source, err := db.Open(ctx, db.Options{URL: from, Log: m.From.Log})
	if err != nil {
		return err
	}
	ours, err := firstEvent(ctx, source)
	if err := errors.Join(err, source.Close()); err != nil {
		return err
	}
	if theirs != "" && theirs != ours {
		return ErrOther
	}
	// Leases are of nodes that run: the target's nodes take their own.
	o := db.SyncOptions{Skip: func(table string) bool { return table == "leases" }}
	if m.Each != nil {
		o.Each = func(p db.Progress) { m.Each(MoveProgress{p.Table, p.Done, p.Total}) }
	}
	if out.Tables, err = db.Sync(ctx, from, to, o); err != nil {
		return err
	}
	for _, t := range out.Tables {
		out.Rows, out.Changed = out.Rows+t.Rows, out.Changed+t.Written+t.Removed
	}
	out.Keys, err = seal.CopyKeys(ctx, m.From.keysDir(), m.From.Database, m.To.keysDir(), m.To.Database)
	return err
}

// firstEvent tells installations apart: the id of the first thing that happened
// in one, "" in an empty store, "?" where there is data without a history.
func firstEvent(ctx context.Context, d *db.DB) (id string, err error) {
	err = d.View(ctx, func(tx *db.Tx) error {
		err := tx.Get("SELECT id FROM events /* all domains: the first of all */ WHERE seq = 1").Scan(&id)
		if !errors.Is(err, db.ErrNone) {
			return err
		}
		var n int64
		if err := tx.Get("SELECT count(*) FROM users /* all domains: is there anybody */").Scan(&n); err != nil {
			return err
		}
		if id = ""; n > 0 {
			id = "?"
		}
		return nil
	})
	return id, err
}

// files copies the blobs that rows need.
func (m Move) files(ctx context.Context, out *Moved) error {
	from, err := m.From.openBlobs(ctx)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := m.To.openBlobs(ctx)
	if err != nil {
		return err
	}
	defer to.Close()
	d, err := db.Open(ctx, db.Options{URL: m.From.databaseURL(), Log: m.From.Log})
	if err != nil {
		return err
	}
	defer d.Close()
	var total int64
	if err := attachment.EachBlob(ctx, d, func(attachment.Stored) error { total++; return nil }); err != nil {
		return err
	}
	// Several at once: an object store takes its time for each.
	work := make(chan attachment.Stored)
	var (
		mu    sync.Mutex
		wrong error
		all   sync.WaitGroup
	)
	failed := func() error {
		mu.Lock()
		defer mu.Unlock()
		return wrong
	}
	for range filesAtOnce {
		all.Go(func() {
			for b := range work {
				copied, err := m.file(ctx, from, to, b)
				mu.Lock()
				if out.Files++; copied {
					out.FilesCopied++
				}
				if wrong == nil {
					wrong = err
				}
				if m.Each != nil {
					m.Each(MoveProgress{MovingFiles, out.Files, total})
				}
				mu.Unlock()
			}
		})
	}
	err = attachment.EachBlob(ctx, d, func(b attachment.Stored) error {
		if err := failed(); err != nil {
			return err
		}
		work <- b
		return nil
	})
	close(work)
	all.Wait()
	return cmp.Or(err, wrong)
}

// filesAtOnce is how many attachments are copied at a time.
const filesAtOnce = 8

// file copies a blob that the target does not have with its size.
func (m Move) file(ctx context.Context, from, to blob.Store, b attachment.Stored) (copied bool, err error) {
	is, err := to.Stat(ctx, b.Blob)
	switch {
	case err == nil && is.Size == b.Size:
		return false, nil // its hash is checked at the end
	case err == nil:
		if err := to.Delete(ctx, b.Blob); err != nil {
			return false, err
		}
	case !errors.Is(err, blob.ErrNone):
		return false, err
	}
	in, err := from.Open(ctx, b.Blob, 0, -1)
	if errors.Is(err, blob.ErrNone) && !m.Finish {
		return false, nil // deleted meanwhile
	}
	if err != nil {
		return false, fmt.Errorf("attachment's blob %s: %w", b.Blob, err)
	}
	defer in.Close()
	if err := to.Put(ctx, b.Blob, in); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, fmt.Errorf("attachment's blob %s: %w", b.Blob, err)
	}
	return true, nil
}
