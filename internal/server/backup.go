package server

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/blob"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/seal"
)

// A backup is a tar file: a manifest first, then the files it names with their
// hashes, then the attachments' blobs, whose hashes are in the data. Data and
// keys are backed up apart: neither opens anything alone.

type manifest struct {
	Format string            `json:"format"`
	Made   time.Time         `json:"made"`
	SHA256 map[string]string `json:"sha256"`
}

const (
	formatData = "casemate-backup-1"
	formatKeys = "casemate-keys-1"
)

// maxRestored bounds one file of a backup, so that a broken archive cannot
// fill the disk without end.
const maxRestored = 1 << 40

// blobsPrefix leads the names of blobs in a backup.
const blobsPrefix = "blobs/"

// What is wrong with a backup, or with what came out of it.
var (
	errForeignStore = fault.New(fault.Conflict, fault.CodeInvalid, "数据在 PostgreSQL 中：请用 PostgreSQL 自带的工具备份", "this store is on PostgreSQL: back it up with PostgreSQL's own tools")
	errNoBackup     = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 不是 Casemate 的备份", "{file} is no backup of Casemate")
	errOtherBackup  = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 不是此类备份（{kind}）：--from 为数据备份，--keys-from 为密钥备份", "{file} is no backup of the kind {kind}: --from is that of the data, --keys-from that of the keys")
	errUnreadable   = fault.New(fault.Invalid, fault.CodeInvalid, "{file}：无法取出 {part}：{why}", "{file}: {part} cannot be taken out: {why}")
	errUnlisted     = fault.New(fault.Invalid, fault.CodeInvalid, "{file}：文件 {part} 不在其清单中", "{file}: the file {part} is not in its manifest")
	errDamaged      = fault.New(fault.Invalid, fault.CodeInvalid, "{file}：文件 {part} 已损坏", "{file}: the file {part} is damaged")
	errCutOff       = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 不完整：缺少 {n} 个文件", "{file} is cut off: {n} files are missing")
	errDatabase     = fault.New(fault.Invalid, fault.CodeInvalid, "数据库已损坏：{why}", "the database is damaged: {why}")
	errKeys         = fault.New(fault.Invalid, fault.CodeInvalid, "这些密钥打不开该数据：{why}", "the keys do not open this data: {why}")
)

// Backup writes a backup of the embedded store's data to a new file, while the
// server may be running. It holds all that was acknowledged before it began,
// with the blobs of all rows: those of rows deleted meanwhile stay for an hour.
func Backup(ctx context.Context, o Options, to string) (err error) {
	if o.Database != "" {
		return errForeignStore
	}
	source := filepath.Join(o.Data, "casemate.db")
	if _, err := os.Stat(source); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(to), ".backup-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	copied := filepath.Join(dir, "casemate.db")
	if err := db.CopySQLite(ctx, source, copied); err != nil {
		return err
	}
	blobs, err := o.openBlobs(ctx)
	if err != nil {
		return err
	}
	defer blobs.Close()
	return pack(to, formatData, o.now(), []string{copied}, func(w *tar.Writer) error { return packBlobs(ctx, w, copied, blobs, o.now()) })
}

// packBlobs writes the blobs that the rows of a copied store need.
func packBlobs(ctx context.Context, w *tar.Writer, copied string, blobs blob.Store, made time.Time) error {
	d, err := db.Open(ctx, db.Options{URL: "sqlite:" + copied}) // may write to it: it is packed already
	if err != nil {
		return err
	}
	err = attachment.EachBlob(ctx, d, func(b attachment.Stored) error {
		in, err := blobs.Open(ctx, b.Blob, 0, -1)
		if err != nil {
			return fmt.Errorf("attachment's blob %s: %w", b.Blob, err)
		}
		defer in.Close()
		if err := w.WriteHeader(&tar.Header{Name: blobsPrefix + b.Blob, Mode: 0o600, Size: b.Size, ModTime: made}); err != nil {
			return err
		}
		_, err = io.Copy(w, in)
		return err
	})
	return errors.Join(err, d.Close())
}

// BackupKeys writes a backup of the keys folder to a new file (0600). Keep it
// away from the data's.
func BackupKeys(ctx context.Context, o Options, to string) error {
	dir, err := os.MkdirTemp(filepath.Dir(to), ".backup-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files := []string{filepath.Join(o.keysDir(), seal.MasterFile)}
	if o.Database == "" {
		store := filepath.Join(dir, seal.StoreFile)
		if err := db.CopySQLite(ctx, filepath.Join(o.keysDir(), seal.StoreFile), store); err != nil {
			return err
		}
		files = append(files, store)
	}
	return pack(to, formatKeys, o.now(), files, func(*tar.Writer) error { return nil })
}

func (o Options) now() time.Time {
	if o.Now != nil {
		return o.Now().UTC()
	}
	return time.Now().UTC()
}

// pack writes the archive, synced; a half-written one is removed.
func pack(to, format string, made time.Time, files []string, more func(*tar.Writer) error) (err error) {
	m := manifest{Format: format, Made: made, SHA256: map[string]string{}}
	for _, f := range files {
		if m.SHA256[filepath.Base(f)], err = hashFile(f); err != nil {
			return err
		}
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			_ = os.Remove(to)
		}
	}()
	w := tar.NewWriter(out)
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: "manifest.json", Mode: 0o600, Size: int64(len(text)), ModTime: made}); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	for _, f := range files {
		if err := packFile(w, f, made); err != nil {
			return err
		}
	}
	if err := more(w); err != nil {
		return err
	}
	return errors.Join(w.Close(), out.Sync())
}

func packFile(w *tar.Writer, path string, made time.Time) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: filepath.Base(path), Mode: 0o600, Size: info.Size(), ModTime: made}); err != nil {
		return err
	}
	_, err = io.Copy(w, in)
	return err
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

// unpack writes an archive's files into a folder that must not exist and
// checks each hash. Blobs go into the store of blobs; verifyStore checks them. A failure leaves no folder.
func (o Options) unpack(ctx context.Context, from, format, dir string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := o.unpackInto(ctx, in, from, format, dir); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	return nil
}

func (o Options) unpackInto(ctx context.Context, in io.Reader, from, format, dir string) error {
	r := tar.NewReader(in)
	var m manifest
	h, err := r.Next()
	if err != nil || h.Name != "manifest.json" {
		return errNoBackup.With("file", from)
	}
	if err := json.NewDecoder(io.LimitReader(r, 1<<20)).Decode(&m); err != nil || m.Format != format {
		return errOtherBackup.With("file", from).With("kind", format)
	}
	var blobs blob.Store
	if format == formatData {
		if blobs, err = o.openBlobs(ctx); err != nil {
			return err
		}
		defer blobs.Close()
	}
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errUnreadable.With("file", from).With("part", "tar").With("why", err).Because(err)
		}
		if id, ok := strings.CutPrefix(h.Name, blobsPrefix); ok && blobs != nil {
			err := blobs.Put(ctx, id, io.LimitReader(r, maxRestored))
			if errors.Is(err, fs.ErrExist) && o.Blobs != "" {
				continue // an object store keeps what it has; the check that follows compares every hash
			}
			if err != nil {
				return errUnreadable.With("file", from).With("part", h.Name).With("why", err).Because(err)
			}
			continue
		}
		want, known := m.SHA256[h.Name]
		if !known || h.Name != filepath.Base(h.Name) {
			return errUnlisted.With("file", from).With("part", h.Name)
		}
		path := filepath.Join(dir, h.Name)
		if err := writeNew(path, io.LimitReader(r, maxRestored)); err != nil {
			return errUnreadable.With("file", from).With("part", h.Name).With("why", err).Because(err)
		}
		if got, err := hashFile(path); err != nil || got != want {
			return errDamaged.With("file", from).With("part", h.Name).Because(err)
		}
		delete(m.SHA256, h.Name)
	}
	if len(m.SHA256) > 0 {
		return errCutOff.With("file", from).With("n", len(m.SHA256))
	}
	return nil
}

func writeNew(path string, r io.Reader) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, r)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the archive is cut off")
	}
	return errors.Join(err, out.Sync(), out.Close())
}

// Restore unpacks both backups into folders that must not exist and checks the
// result: the database's own check, the keys against the data, the bytes of
// every attachment, the event chain. A restore that fails removes what it made,
// so that it can be tried again; only data whose chain alone is broken stays,
// because there may be no better.
func Restore(ctx context.Context, o Options, from, keysFrom string) (event.Report, error) {
	if err := o.unpack(ctx, keysFrom, formatKeys, o.keysDir()); err != nil {
		return event.Report{}, err
	}
	if err := o.unpack(ctx, from, formatData, o.Data); err != nil {
		return event.Report{}, errors.Join(err, os.RemoveAll(o.keysDir()))
	}
	report, err := o.verify(ctx)
	if broken := (brokenChain{}); errors.As(err, &broken) {
		return report, fmt.Errorf("%w; the restored data stays in %s", err, o.Data)
	}
	if err != nil {
		return report, errors.Join(err, os.RemoveAll(o.keysDir()), os.RemoveAll(o.Data))
	}
	return report, nil
}

func (o Options) verify(ctx context.Context) (event.Report, error) {
	s, err := openStore(ctx, o)
	if err != nil {
		return event.Report{}, err
	}
	report, err := s.verifyStore(ctx)
	return report, errors.Join(err, s.Close())
}

// brokenChain tells that the history was changed; all else was checked and holds.
type brokenChain struct{ event.Report }

func (b brokenChain) Error() string { return b.String() }

func (s *Server) verifyStore(ctx context.Context) (event.Report, error) {
	err := s.db.View(ctx, func(tx *db.Tx) error {
		if tx.DB().Dialect() == db.Postgres {
			return nil // it has no such check
		}
		var check string
		if err := tx.Get("PRAGMA integrity_check").Scan(&check); err != nil {
			return err
		}
		if check != "ok" {
			return errDatabase.With("why", check)
		}
		return nil
	})
	if err != nil {
		return event.Report{}, err
	}
	if err := s.ident.VerifySealed(ctx); err != nil {
		return event.Report{}, errKeys.With("why", err).Because(err)
	}
	if _, err := s.files.Verify(ctx); err != nil {
		return event.Report{}, err
	}
	report, err := event.Verify(ctx, s.db, s.keys.Derive("event-chain"))
	if err == nil && !report.OK() {
		err = brokenChain{report}
	}
	return report, err
}
