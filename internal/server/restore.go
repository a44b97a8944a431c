package server

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"casemate/internal/archive"
	"casemate/internal/attachment"
	"casemate/internal/blob"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/seal"
)

// What is wrong with a backup, or with what came out of it.
var (
	errUnreadable  = fault.New(fault.Invalid, fault.CodeInvalid, "{file}：无法取出 {part}：{why}", "{file}: {part} cannot be taken out: {why}")
	errUnlisted    = fault.New(fault.Invalid, fault.CodeInvalid, "{file}：文件 {part} 不在其清单中", "{file}: the file {part} is not in its manifest")
	errDamaged     = fault.New(fault.Invalid, fault.CodeInvalid, "{file}：文件 {part} 已损坏", "{file}: the file {part} is damaged")
	errCutOff      = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 不完整：缺少 {n} 个文件", "{file} is cut off: {n} files are missing")
	errDatabase    = fault.New(fault.Invalid, fault.CodeInvalid, "数据库已损坏：{why}", "the database is damaged: {why}")
	errKeys        = fault.New(fault.Invalid, fault.CodeInvalid, "这些密钥打不开该数据：{why}", "the keys do not open this data: {why}")
	errKeysForeign = fault.New(fault.Invalid, fault.CodeInvalid, "这些密钥不属于该数据，打不开其中的密封内容", "the keys are not those of this data: they do not open what is sealed in it")
	errKeysOld     = fault.New(fault.Invalid, fault.CodeInvalid, "这些密钥打不开该数据：缺少 {n} 人的密钥；请用在该数据备份之后所做的密钥备份", "the keys do not open this data: those of {n} persons are missing; take a backup of the keys that was made after that of the data")
	errRows        = fault.New(fault.Invalid, fault.CodeInvalid, "表 {table} 与备份时不符：{n} 行，应为 {want} 行", "table {table} is not as it was copied: {n} rows of {want}")
	errNoneThere   = fault.New(fault.Invalid, fault.CodeInvalid, "{place} 中没有以时间命名的备份", "there is no backup named by its time in {place}")
	errSwapped     = fault.New(fault.Invalid, fault.CodeInvalid, "--from 与 --keys-from 似乎写反了：{from} 中是密钥备份，{keys} 中是数据备份", "--from and --keys-from look swapped: {from} is a backup of the keys, {keys} one of the data")
	errInTheWay    = fault.New(fault.Conflict, fault.CodeInvalid, "{path} 已存在：请恢复到新的目录", "{path} exists: restore into a new folder")
	errNotEmpty    = fault.New(fault.Conflict, fault.CodeInvalid, "目标数据库非空：请给出新的空数据库（中断的恢复也须重来）", "the target database is not empty: give a new, empty one (after a restore that was cut off as well)")
	errKeysMissing = fault.New(fault.Invalid, fault.CodeInvalid, "恢复需要密钥备份：--keys-from", "a restore needs the backup of the keys: --keys-from")
	errBlobsApart  = fault.New(fault.Invalid, fault.CodeInvalid, "该备份不含附件：请用 --blobs s3://... 给出附件所在的对象存储", "this backup is without attachments: name the object store they are in with --blobs s3://...")
)

// Restore brings a backup back.
type Restore struct {
	To         Options        // folders that must not exist; a database that is empty
	From       string         // backup of the data; a folder (s3://BUCKET/PREFIX/ as well) stands for the newest one in it
	KeysFrom   string         // backup of the keys, likewise; "" only with Verify
	Identities []age.Identity // that open encrypted ones
	Verify     bool           // only into a scratch folder, which is removed again
	Scratch    string         // where that is made, "" = the system's folder for such
	Each       func(MoveProgress)
}

// Restored is what was restored and checked.
type Restored struct {
	Data, Keys  string // the places that were read; Keys "" = without them
	Made        time.Time
	Tables      int
	Rows, Blobs int64
	Apart       bool         // attachments were not in it; they were looked at where they lie, if that was named
	Events      event.Report // of no meaning without keys
	Ahead       []string     // backups named by a time yet to come, where the newest was looked for: taken only where there is no other
}

// Run unpacks both backups beside where they shall be, reads each to its end, so
// that every check of it holds, checks the result - the database's own check,
// each table's rows, the keys against the data, the bytes of every attachment,
// the event chain - and only then puts it in place. One that fails leaves
// nothing; only data whose chain alone is broken stays, because there may be no
// better. Without keys what needs them is not checked.
func (r Restore) Run(ctx context.Context) (Restored, error) {
	out, err := r.run(ctx)
	return out, inWords(err)
}

func (r Restore) run(ctx context.Context) (out Restored, err error) {
	if r.KeysFrom == "" && !r.Verify {
		return out, errKeysMissing
	}
	data, keys := r.To.Data, r.To.keysDir()
	parents := []string{filepath.Dir(filepath.Clean(data)), filepath.Dir(filepath.Clean(keys))}
	what := "restore"
	if r.Verify {
		if parents[0] = r.Scratch; r.Scratch == "" {
			parents[0] = os.TempDir()
		}
		parents[1], what = parents[0], "verify"
	} else if err := r.free(ctx, data, keys); err != nil {
		return out, err
	}
	at := r.To
	for i, to := range []*string{&at.Data, &at.Keys} {
		dir, done, failed := scratch(parents[i], what)
		if failed != nil {
			return out, failed
		}
		defer func() { err = errors.Join(err, done()) }()
		*to = filepath.Join(dir, "x")
	}
	at.Database = ""
	if r.KeysFrom != "" {
		if out.Keys, err = r.unpack(ctx, at, r.KeysFrom, archive.Keys, nil, &out); err != nil {
			if r.swapped(ctx) {
				err = errSwapped.With("from", r.From).With("keys", r.KeysFrom)
			}
			return out, err
		}
	}
	var m archive.Manifest
	if r.To.Blobs != "" && !r.Verify {
		// What goes into an object store is in place at once: read to the end first.
		probe := at
		probe.Blobs, probe.Data = "", ""
		if _, err := r.unpack(ctx, probe, r.From, archive.Data, &m, &Restored{}); err != nil {
			return out, err
		}
		if err := at.claimBlobs(ctx); err != nil {
			return out, err
		}
	}
	if r.Verify {
		at.Blobs = "" // blobs that are in the archive
	}
	if out.Data, err = r.unpack(ctx, at, r.From, archive.Data, &m, &out); err != nil {
		return out, err
	}
	out.Made, out.Apart = m.Made, m.Apart
	if m.Apart {
		if at.Blobs = r.To.Blobs; at.Blobs == "" && (!r.Verify || r.KeysFrom != "") {
			return out, errBlobsApart
		}
	}
	if err := r.counted(ctx, at, m, &out); err != nil {
		return out, err
	}
	if r.KeysFrom == "" {
		return out, at.verifyLocked(ctx, &out)
	}
	if out.Events, err = r.verified(ctx, at, m.Store != "", &out); err != nil && !errors.As(err, &brokenChain{}) {
		return out, err
	}
	if r.Verify {
		return out, err
	}
	if err := r.place(ctx, at, data, keys); err != nil {
		return out, err
	}
	if err != nil {
		return out, fmt.Errorf("%w; the restored data stays in %s", err, data)
	}
	return out, nil
}

// free refuses to restore over anything.
func (r Restore) free(ctx context.Context, data, keys string) error {
	if err := r.To.check(); err != nil {
		return err
	}
	for _, path := range []string{data, keys} {
		if _, err := os.Lstat(path); err == nil {
			return errInTheWay.With("path", path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if r.To.Database == "" {
		return nil
	}
	d, err := db.Open(ctx, db.Options{URL: r.To.Database, Log: r.To.Log}) // makes the schema
	if err != nil {
		return err
	}
	first, err := firstEvent(ctx, d)
	if err == nil && first != "" {
		err = errNotEmpty
	}
	return errors.Join(err, d.Close())
}

// claimBlobs takes the bucket for the installation of the unpacked keys, before
// anything is put there.
func (o Options) claimBlobs(ctx context.Context) error {
	ring, err := seal.Open(ctx, o.keysDir(), "")
	if err != nil {
		return errKeys.With("why", fault.Reason(err)).Because(err)
	}
	owner := hex.EncodeToString(ring.Derive("owner of blobs"))
	if err := ring.Close(); err != nil {
		return err
	}
	s, err := blob.OpenS3(ctx, o.Blobs)
	if err != nil {
		return err
	}
	return errors.Join(s.Claim(ctx, owner), s.Close())
}

// unpack reads a backup to its end and writes its files into a folder of at that
// must not exist, its blobs into at's store of blobs; without a data folder it
// only reads. It tells the place that was read.
func (r Restore) unpack(ctx context.Context, at Options, from, format string, m *archive.Manifest, out *Restored) (place string, err error) {
	shelf, name, err := blob.OpenShelf(ctx, from)
	if err != nil {
		return "", err
	}
	defer shelf.Close()
	if name == "" {
		var ahead []string
		name, ahead, err = newest(ctx, shelf, format == archive.Keys, r.To.now())
		out.Ahead = append(out.Ahead, ahead...)
		if errors.Is(err, fs.ErrNotExist) {
			err = errNoneThere.With("place", from)
		}
		if err != nil {
			return "", err
		}
	}
	in, size, err := shelf.Open(ctx, name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	place = shelf.Place(name)
	a, err := archive.Open(&counting{r: reading{ctx, in}, each: func(done int64) {
		if r.Each != nil {
			r.Each(MoveProgress{Bytes, done >> 20, size >> 20})
		}
	}}, place, format, r.Identities)
	if err != nil {
		return place, err
	}
	if m != nil {
		*m = a.Manifest
	}
	dir := at.Data
	if format == archive.Keys {
		dir = at.Keys
	}
	if dir != "" {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return place, err
		}
	}
	return place, unpackInto(ctx, a, at, place, format, dir)
}

// swapped tells whether each of the two places holds what the other one shall.
func (r Restore) swapped(ctx context.Context) bool {
	return r.holds(ctx, r.KeysFrom, archive.Data) && !r.holds(ctx, r.KeysFrom, archive.Keys) && r.holds(ctx, r.From, archive.Keys) && !r.holds(ctx, r.From, archive.Data)
}

// holds tells whether at a place there is a backup of a kind: by its name, else by
// what it says.
func (r Restore) holds(ctx context.Context, place, format string) bool {
	shelf, name, err := blob.OpenShelf(ctx, place)
	if err != nil {
		return false
	}
	defer shelf.Close()
	if name == "" {
		_, _, err = newest(ctx, shelf, format == archive.Keys, r.To.now())
		return err == nil
	}
	if m := backupForm.FindStringSubmatch(name); m != nil {
		return (m[1] != "") == (format == archive.Keys)
	}
	in, _, err := shelf.Open(ctx, name)
	if err != nil {
		return false
	}
	defer in.Close()
	_, err = archive.Open(in, place, format, r.Identities)
	return err == nil
}

type reading struct {
	ctx context.Context
	r   io.Reader
}

func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func unpackInto(ctx context.Context, a *archive.Reader, at Options, from, format, dir string) error {
	var blobs blob.Store
	if format == archive.Data && dir != "" {
		var err error
		if blobs, err = at.openBlobs(ctx); err != nil {
			return err
		}
		defer blobs.Close()
	}
	missing := a.SHA256
	for {
		name, content, err := a.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if id, ok := strings.CutPrefix(name, blobsPrefix); ok && format == archive.Data {
			if blobs == nil {
				continue
			}
			err := blobs.Put(ctx, id, content)
			if errors.Is(err, fs.ErrExist) && at.Blobs != "" {
				continue // an object store keeps what it has; the check that follows compares every hash
			}
			if err != nil {
				return unreadable(from, name, err)
			}
			continue
		}
		want, known := missing[name]
		if !known || name != filepath.Base(name) {
			return errUnlisted.With("file", from).With("part", name)
		}
		delete(missing, name)
		if dir == "" {
			continue
		}
		path := filepath.Join(dir, name)
		if err := writeNew(path, content); err != nil {
			return unreadable(from, name, err)
		}
		if got, err := hashFile(path); err != nil || got != want {
			return errDamaged.With("file", from).With("part", name).Because(err)
		}
	}
	if len(missing) > 0 {
		return errCutOff.With("file", from).With("n", len(missing))
	}
	return nil
}

func unreadable(file, part string, err error) error {
	if f, ok := fault.As(err); ok {
		return f // says more
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errEnds.With("file", file).With("part", part).Because(err)
	}
	return errUnreadable.With("file", file).With("part", part).With("why", fault.Reason(err)).Because(err)
}

func writeNew(path string, r io.Reader) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, r)
	return errors.Join(err, out.Sync(), out.Close())
}

// counted compares the rows of each table with what was copied, before anything
// opens the store and brings it to this version.
func (r Restore) counted(ctx context.Context, at Options, m archive.Manifest, out *Restored) error {
	hashed := false
	for _, t := range m.Tables {
		hashed = hashed || t.SHA256 != ""
	}
	tables, err := db.Count(ctx, filepath.Join(at.Data, dataFile), hashed)
	if err != nil {
		return errDatabase.With("why", fault.Reason(err)).Because(err)
	}
	is := map[string]db.TableSync{}
	for _, t := range tables {
		is[t.Table] = t
		out.Rows += t.Rows
		out.Tables++
	}
	for name, want := range m.Tables {
		if t := is[name]; t.Table == "" || t.Rows != want.Rows || want.SHA256 != "" && t.SHA256 != want.SHA256 {
			return errRows.With("table", name).With("n", t.Rows).With("want", want.Rows)
		}
	}
	return nil
}

// verifyLocked checks what can be checked without keys.
func (o Options) verifyLocked(ctx context.Context, out *Restored) error {
	d, err := db.Open(ctx, db.Options{URL: o.databaseURL(), Log: o.Log})
	if err != nil {
		return err
	}
	err = integrity(ctx, d)
	if err == nil && (!out.Apart || o.Blobs != "") {
		var blobs blob.Store
		if blobs, err = o.openBlobs(ctx); err == nil {
			out.Blobs, err = attachment.VerifyBlobs(ctx, d, blobs)
			err = errors.Join(err, blobs.Close())
		}
	}
	return errors.Join(err, d.Close())
}

// verified opens what was unpacked as a whole. Where the index of searches was
// not copied, it is made.
func (r Restore) verified(ctx context.Context, at Options, unindexed bool, out *Restored) (event.Report, error) {
	s, err := openStore(ctx, at)
	if err != nil {
		return event.Report{}, err
	}
	if unindexed && !r.Verify && r.To.Database == "" {
		err := s.ticket.IndexAnew(ctx, func(done, total int64) {
			if r.Each != nil {
				r.Each(MoveProgress{BuildingIndex, done, total})
			}
		})
		if err != nil {
			return event.Report{}, errors.Join(err, s.Close())
		}
	}
	report, blobs, err := s.verifyStore(ctx)
	out.Blobs = blobs
	return report, errors.Join(err, s.Close())
}

// place puts what was checked where it shall be: into PostgreSQL first, then the
// keys, then the data, so that no server starts on half of it.
func (r Restore) place(ctx context.Context, at Options, data, keys string) error {
	if r.To.Database != "" {
		to := at
		to.Database = r.To.Database
		// Before the data: without the master key, which comes last, no server opens a
		// database that has these.
		if _, err := seal.CopyKeys(ctx, at.keysDir(), "", to.keysDir(), to.Database); err != nil {
			return err
		}
		if _, err := (Move{From: at, To: to, Finish: true, Each: r.Each}).Run(ctx); err != nil && !errors.As(err, &brokenChain{}) {
			return err
		}
		for _, path := range []string{at.movedFile(), filepath.Join(at.Data, dataFile), filepath.Join(at.keysDir(), seal.StoreFile)} {
			for _, end := range []string{"", "-wal", "-shm"} {
				if err := os.Remove(path + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
		}
	}
	for _, m := range [][2]string{{at.keysDir(), keys}, {at.Data, data}} {
		if err := os.Rename(m[0], m[1]); err != nil {
			return err
		}
		d, err := os.Open(filepath.Dir(m[1]))
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
	}
	return nil
}

// brokenChain tells that the history was changed; all else was checked and holds.
type brokenChain struct{ event.Report }

func (b brokenChain) Error() string { return b.String() }

// integrity is SQLite's own check; PostgreSQL has none.
func integrity(ctx context.Context, d *db.DB) error {
	if d.Dialect() == db.Postgres {
		return nil
	}
	return d.View(ctx, func(tx *db.Tx) error {
		var check string
		if err := tx.Get("PRAGMA integrity_check").Scan(&check); err != nil {
			return err
		}
		if check != "ok" {
			return errDatabase.With("why", check)
		}
		return nil
	})
}

// unopened says in words why keys do not open the data.
func unopened(err error) error {
	old := identity.Unopened{}
	switch {
	case errors.As(err, &old):
		return errKeysOld.With("n", old.Persons).Because(err)
	case errors.Is(err, seal.ErrOpen):
		return errKeysForeign.Because(err)
	}
	return errKeys.With("why", fault.Reason(err)).Because(err)
}

// verifyStore checks all that a store holds, and tells how many attachments.
func (s *Server) verifyStore(ctx context.Context) (report event.Report, blobs int64, err error) {
	if err := integrity(ctx, s.db); err != nil {
		return report, 0, err
	}
	if err := s.ident.VerifySealed(ctx); err != nil {
		return report, 0, unopened(err)
	}
	if blobs, err = s.files.Verify(ctx); err != nil {
		return report, blobs, err
	}
	report, err = event.Verify(ctx, s.db, s.keys.Derive("event-chain"))
	if err == nil && !report.OK() {
		err = brokenChain{report}
	}
	return report, blobs, err
}
