package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"filippo.io/age"

	"casemate/internal/archive"
	"casemate/internal/attachment"
	"casemate/internal/blob"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/seal"
)

// A backup is an archive: the data as an SQLite file, whatever engine they come
// from, then the attachments' blobs, whose hashes are in the data. Data and keys
// are backed up apart: neither opens anything alone.

// blobsPrefix leads the names of blobs in a backup.
const blobsPrefix = "blobs/"

// dataFile is the database in a backup of the data.
const dataFile = "casemate.db"

// What a backup is refused for.
var (
	errApart = fault.New(fault.Invalid, fault.CodeInvalid, "附件只有在对象存储（--blobs s3://...）中时才能不入备份",
		"attachments can be left out only where they lie in an object store (--blobs s3://...)")
	// ErrKeep tells that a backup has a name of its own, or that fewer than none are to stay.
	ErrKeep = fault.New(fault.Invalid, fault.CodeInvalid, "--keep 用于以时间命名的备份：--to 请给出已有的目录，或以 / 结尾的 s3:// 地址，且不小于 0",
		"--keep is for backups named from the time: --to is a folder that is there, or s3:// with / at the end; it is not negative")
	errBlobChanged = fault.New(fault.Invalid, fault.CodeInvalid, "附件文件 {id} 已损坏：大小或校验值与记录不符", "the attachment's blob {id} is damaged: its size or hash is not that of its row")
	errBlobMissing = fault.New(fault.Invalid, fault.CodeInvalid, "附件文件 {id} 不存在：若刚被清除，请重新备份", "the attachment's blob {id} is missing: if it was erased just now, make the backup again")
)

// Backup is a copy of an installation in use.
type Backup struct {
	From       Options         // the installation, on SQLite or PostgreSQL
	To         string          // a file, or a folder (s3://BUCKET/PREFIX/ as well) where the name is made from the time
	Name       string          // in a folder: the name instead
	Keys       bool            // the keys instead of the data
	Recipients []age.Recipient // who can open it; none = it is not encrypted
	Apart      bool            // attachments stay in their object store
	Scratch    string          // folder for the copy of the database on the way, "" = the data folder
	Keep       int             // of those that were named by their time, this many stay afterwards; 0 = all; else To is a folder (ErrKeep)
	Each       func(MoveProgress)
}

// Bytes, as a part of a backup or restore, counts mebibytes.
const Bytes = "bytes"

// Backed is what a backup did.
type Backed struct {
	Place       string
	Size        int64 // of the archive
	Rows, Blobs int64
	Pruned
}

// Pruned is what keeping the newest did at a place.
type Pruned struct {
	Removed []string
	Unswept error    // what killed backups left was not removed; the backups are well
	Ahead   []string // named by a time that is yet to come: neither counted nor removed
}

// Run makes the backup while servers run. It holds all that was acknowledged
// before it began, with the blobs of all rows: those of rows deleted meanwhile
// stay for an hour. Nothing is at its place before it is whole and synced.
func (b Backup) Run(ctx context.Context) (Backed, error) {
	out, err := b.run(ctx)
	return out, inWords(err)
}

func (b Backup) run(ctx context.Context) (out Backed, err error) {
	if err := b.there(); err != nil {
		return out, err
	}
	if b.Apart && b.From.Blobs == "" {
		return out, errApart
	}
	shelf, name, err := blob.OpenShelf(ctx, b.To)
	if err != nil {
		return out, err
	}
	defer shelf.Close()
	named := name == ""
	switch {
	case b.Keep < 0 || b.Keep > 0 && !named:
		return out, ErrKeep
	case named && b.Name != "":
		name = b.Name
	case named:
		name = backupName(b.Keys, len(b.Recipients) > 0, b.From.now())
	}
	dir, done, err := scratch(b.scratchDir(), "backup")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, done()) }()
	run := b.data
	if b.Keys {
		run = b.keys
	}
	if err := run(ctx, dir, shelf, name, &out); err != nil {
		return out, err
	}
	out.Place = shelf.Place(name)
	if named && b.Keep > 0 {
		out.Pruned, err = prune(ctx, shelf, b.Keep, kind{b.Keys, len(b.Recipients) > 0}, name, b.From.now())
	}
	return out, err
}

// there tells of what is to be backed up that it is missing. Data are backed up
// by who has no keys, too.
func (b Backup) there() error {
	if b.Keys && !seal.Exists(b.From.keysDir()) {
		return errNoStore.With("folder", b.From.keysDir())
	}
	if b.From.Database != "" {
		return nil
	}
	file, folder := filepath.Join(b.From.Data, dataFile), b.From.Data
	if b.Keys {
		file, folder = filepath.Join(b.From.keysDir(), seal.StoreFile), b.From.keysDir()
	}
	_, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoStore.With("folder", folder)
	}
	return err
}

func (b Backup) scratchDir() string {
	if b.Scratch != "" {
		return b.Scratch
	}
	if info, err := os.Stat(b.From.Data); err == nil && info.IsDir() {
		return b.From.Data
	}
	return os.TempDir() // a machine that only makes backups of PostgreSQL
}

func (b Backup) tell(what string, done, total int64) {
	if b.Each != nil {
		b.Each(MoveProgress{what, done, total})
	}
}

// data copies the database, then writes it and the blobs.
func (b Backup) data(ctx context.Context, dir string, shelf blob.Shelf, name string, out *Backed) error {
	copied := filepath.Join(dir, dataFile)
	m := archive.Manifest{Format: archive.Data, Made: b.From.now(), Apart: b.Apart, Tables: map[string]archive.Table{}}
	if b.From.Database != "" {
		m.Store = "postgres"
	}
	watched := b.watch(copied)
	// Leases are of nodes that run.
	tables, err := db.CopyAny(ctx, b.From.databaseURL(), copied, db.SyncOptions{Skip: func(table string) bool { return table == "leases" },
		Each: func(p db.Progress) { b.tell(p.Table, p.Done, p.Total) }})
	watched()
	if err != nil {
		return err
	}
	for _, t := range tables {
		m.Tables[t.Table] = archive.Table{Rows: t.Rows, SHA256: t.SHA256}
		out.Rows += t.Rows
	}
	if m.SHA256, err = hashes(copied); err != nil {
		return err
	}
	info, err := os.Stat(copied)
	if err != nil {
		return err
	}
	blobs, err := b.From.openBlobs(ctx)
	if err != nil {
		return err
	}
	defer blobs.Close()
	total := info.Size()
	if !b.Apart {
		if err := blobs.List(ctx, func(i blob.Info) error { total += i.Size; return nil }); err != nil {
			return err
		}
	}
	return b.write(ctx, shelf, name, total, m, out, func(a *archive.Writer) error {
		if err := addFile(a, copied); err != nil || b.Apart {
			return err
		}
		return addBlobs(ctx, a, copied, blobs, &out.Blobs)
	})
}

// watch tells how far SQLite's copy is, which tells nothing itself.
func (b Backup) watch(copied string) (stop func()) {
	if b.Each == nil || b.From.Database != "" {
		return func() {}
	}
	size := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	total := size(filepath.Join(b.From.Data, dataFile))
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for every := time.NewTicker(time.Second); ; {
			select {
			case <-end:
				every.Stop()
				return
			case <-every.C:
				b.tell(Bytes, min(size(copied), total)>>20, total>>20)
			}
		}
	}()
	return func() { close(end); <-ended }
}

// keys copies the master key and the key store.
func (b Backup) keys(ctx context.Context, dir string, shelf blob.Shelf, name string, out *Backed) error {
	from := filepath.Join(dir, "keys")
	files := []string{filepath.Join(b.From.keysDir(), seal.MasterFile), filepath.Join(from, seal.StoreFile)}
	if err := os.Mkdir(from, 0o700); err != nil {
		return err
	}
	if b.From.Database == "" {
		if err := db.CopySQLite(ctx, filepath.Join(b.From.keysDir(), seal.StoreFile), files[1]); err != nil {
			return err
		}
	} else if _, err := seal.CopyKeys(ctx, b.From.keysDir(), b.From.Database, from, ""); err != nil {
		return err
	}
	sums, err := hashes(files...)
	if err != nil {
		return err
	}
	return b.write(ctx, shelf, name, 1<<20, archive.Manifest{Format: archive.Keys, Made: b.From.now(), SHA256: sums}, out, func(a *archive.Writer) error {
		return addFiles(a, files...)
	})
}

// write puts the archive on the shelf.
func (b Backup) write(ctx context.Context, shelf blob.Shelf, name string, total int64, m archive.Manifest, out *Backed, fill func(*archive.Writer) error) error {
	return shelf.Put(ctx, name, total, func(w io.Writer) error {
		counted := &counting{w: w, each: func(done int64) { b.tell(Bytes, min(done, total)>>20, total>>20) }}
		a, err := archive.Create(counted, b.Recipients, m)
		if err != nil {
			return err
		}
		if err := fill(a); err != nil {
			return err
		}
		err = a.Close()
		out.Size = counted.n
		return err
	})
}

// counting counts the bytes that pass, and tells every so many.
type counting struct {
	w       io.Writer
	r       io.Reader
	n, told int64
	each    func(done int64)
}

func (c *counting) passed(n int) {
	if c.n += int64(n); c.n-c.told >= 4<<20 {
		c.told = c.n
		c.each(c.n)
	}
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.passed(n)
	return n, err
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.passed(n)
	return n, err
}

func addFiles(a *archive.Writer, paths ...string) error {
	for _, p := range paths {
		if err := addFile(a, p); err != nil {
			return err
		}
	}
	return nil
}

func addFile(a *archive.Writer, path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	return a.Add(filepath.Base(path), info.Size(), in)
}

// addBlobs writes the blobs that the rows of a copied store need, each checked
// against its row.
func addBlobs(ctx context.Context, a *archive.Writer, copied string, blobs blob.Store, n *int64) error {
	d, err := db.Open(ctx, db.Options{URL: "sqlite:" + copied}) // may write to it: it is packed already
	if err != nil {
		return err
	}
	err = attachment.EachBlob(ctx, d, func(b attachment.Stored) error {
		in, err := blobs.Open(ctx, b.Blob, 0, -1)
		if errors.Is(err, blob.ErrNone) {
			return errBlobMissing.With("id", b.Blob)
		}
		if err != nil {
			return fmt.Errorf("attachment's blob %s: %w", b.Blob, err)
		}
		defer in.Close()
		h := sha256.New()
		err = a.Add(blobsPrefix+b.Blob, b.Size, io.TeeReader(in, h))
		if errors.Is(err, archive.ErrSize) || err == nil && hex.EncodeToString(h.Sum(nil)) != b.SHA256 {
			return errBlobChanged.With("id", b.Blob)
		}
		*n++
		return err
	})
	return errors.Join(err, d.Close())
}

func (o Options) now() time.Time {
	if o.Now != nil {
		return o.Now().UTC()
	}
	return time.Now().UTC()
}

// hashes are those of files, by their names.
func hashes(paths ...string) (map[string]string, error) {
	all := map[string]string{}
	for _, p := range paths {
		sum, err := hashFile(p)
		if err != nil {
			return nil, err
		}
		all[filepath.Base(p)] = sum
	}
	return all, nil
}

func hashFile(path string) (string, error) {
	in, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// scratch makes a folder for what is on the way, which holds data in clear, and
// removes those that killed processes left beside it: theirs nobody has locked.
func scratch(parent, what string) (dir string, done func() error, err error) {
	prefix := ".casemate-" + what + "-"
	left, err := os.ReadDir(parent)
	if err != nil {
		return "", nil, err
	}
	for _, e := range left {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		path := filepath.Join(parent, e.Name())
		lock, err := os.Open(path)
		if err != nil {
			continue // another user's
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			err = os.RemoveAll(path)
		}
		if err := errors.Join(err, lock.Close()); err != nil {
			return "", nil, err
		}
	}
	for range 20 {
		if dir, err = os.MkdirTemp(parent, prefix+"*"); err != nil {
			return "", nil, err
		}
		lock, err := os.Open(dir)
		if err == nil && syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			if _, err := os.Stat(dir); err == nil {
				return dir, func() error { return errors.Join(os.RemoveAll(dir), lock.Close()) }, nil
			}
		}
		// Another process took it for one that was left, before it was locked.
		if err == nil {
			_ = lock.Close()
		}
	}
	return "", nil, errNoScratch.With("dir", parent)
}

const stampForm = "20060102T150405Z"

// backupName is the name of a backup made at a time.
func backupName(keys, sealed bool, at time.Time) string {
	name := "casemate-"
	if keys {
		name += "keys-"
	}
	name += at.UTC().Format(stampForm) + ".tar"
	if sealed {
		name += ".age"
	}
	return name
}

var backupForm = regexp.MustCompile(`^casemate-(keys-)?(\d{8}T\d{6}Z)\.tar(\.age)?$`)

// Kept is a backup named by its time.
type Kept struct {
	Name, Place string
	Keys        bool
	Made        time.Time
	Size        int64
	Sealed      bool // by its name
}

// ahead tells that a backup's name is of a time that is yet to come: a clock was
// wrong, or is. Two within a second are named apart by some more.
func (k Kept) ahead(now time.Time) bool { return k.Made.After(now.Add(time.Minute)) }

// Backups lists the backups at a place that are named by their time, the oldest first;
// others are not looked at. With keep > 0 all but the newest so many of each kind -
// data or keys, encrypted or not - are removed; those named by a time yet to come stay, and are told of.
func Backups(ctx context.Context, at string, keep int, now time.Time) (kept []Kept, out Pruned, err error) {
	if !strings.HasSuffix(at, "/") && !strings.HasPrefix(at, "s3://") {
		at += "/"
	}
	shelf, name, err := blob.OpenShelf(ctx, at)
	if err != nil {
		return nil, out, err
	}
	defer shelf.Close()
	if name != "" {
		return nil, out, errNoFolder.With("place", at)
	}
	if keep > 0 {
		for _, k := range []kind{{}, {sealed: true}, {keys: true}, {true, true}} {
			some, err := prune(ctx, shelf, keep, k, "", now)
			out.Removed, out.Ahead = append(out.Removed, some.Removed...), append(out.Ahead, some.Ahead...)
			out.Unswept = some.Unswept
			if err != nil {
				return nil, out, err
			}
		}
	}
	kept, err = listBackups(ctx, shelf)
	return kept, out, err
}

var errNoFolder = fault.New(fault.Invalid, fault.CodeInvalid, "{place} 不是目录：s3://桶/前缀/ 须以 / 结尾", "{place} is no folder: s3://BUCKET/PREFIX/ ends in /")

func listBackups(ctx context.Context, shelf blob.Shelf) (out []Kept, err error) {
	files, err := shelf.List(ctx)
	for _, f := range files {
		m := backupForm.FindStringSubmatch(f.Name)
		if m == nil {
			continue
		}
		made, err := time.Parse(stampForm, m[2])
		if err != nil {
			continue
		}
		out = append(out, Kept{f.Name, shelf.Place(f.Name), m[1] != "", made, f.Size, m[3] != ""})
	}
	return out, err
}

// kind is what is counted by itself: that encrypted backups are there is no reason
// to remove those that open without a private key, which may be lost.
type kind struct{ keys, sealed bool }

// prune removes all but the newest backups of a kind, and what was left of those
// that were killed. The one just made always stays. Those named by a time yet to
// come are neither counted, for they would push out what is newer in truth, nor
// removed.
func prune(ctx context.Context, shelf blob.Shelf, keep int, of kind, made string, now time.Time) (out Pruned, err error) {
	all, err := listBackups(ctx, shelf)
	if err != nil {
		return out, err
	}
	var some []Kept // without the one just made
	for _, k := range all {
		switch {
		case k.Keys != of.keys || k.Sealed != of.sealed:
		case k.Name == made:
			keep--
		case k.ahead(now):
			out.Ahead = append(out.Ahead, k.Place)
		default:
			some = append(some, k)
		}
	}
	for len(some) > keep {
		if err := shelf.Delete(ctx, some[0].Name); err != nil {
			return out, err
		}
		out.Removed, some = append(out.Removed, some[0].Place), some[1:]
	}
	out.Unswept = shelf.Sweep(ctx, backupForm.MatchString)
	return out, nil
}

// newest is the name of the newest backup of a kind. One named by a time yet to come
// is taken only where there is no other; ahead are the places of these.
func newest(ctx context.Context, shelf blob.Shelf, keys bool, now time.Time) (name string, ahead []string, err error) {
	all, err := listBackups(ctx, shelf)
	if err != nil {
		return "", nil, err
	}
	latest := ""
	for _, k := range all { // the oldest first
		switch {
		case k.Keys != keys:
		case k.ahead(now):
			latest, ahead = k.Name, append(ahead, k.Place)
		default:
			name = k.Name
		}
	}
	if name == "" {
		name = latest
	}
	if name == "" {
		err = fs.ErrNotExist
	}
	return name, ahead, err
}
