package blob

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"time"
)

// Local keeps blobs as files of one folder, each in a folder named by the first
// two characters of its id. All access goes through one rooted handle, and only
// ids ever become names (threats.md D3).
type Local struct {
	root *os.Root
	now  func() time.Time
}

var _ Store = (*Local)(nil)

// parts holds files that are being written.
const parts = "parts"

// OpenLocal opens a folder of blobs and makes it when it is missing. now is the
// clock that Info.Stored is told by.
func OpenLocal(dir string, now func() time.Time) (*Local, error) {
	if err := os.MkdirAll(path.Join(dir, parts), 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Local{root: root, now: now}, nil
}

// Close closes the handle.
func (l *Local) Close() error { return l.root.Close() }

func place(id string) (string, error) {
	if !validID.MatchString(id) {
		return "", ErrID
	}
	return path.Join(id[:2], id), nil
}

type withContext struct {
	ctx context.Context
	r   io.Reader
}

func (c withContext) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Put writes a file aside, syncs it, gives it its name and syncs the folders.
func (l *Local) Put(ctx context.Context, id string, r io.Reader) (err error) {
	final, err := place(id)
	if err != nil {
		return err
	}
	part := path.Join(parts, id)
	f, err := l.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return full(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(full(err), ignoreMissing(l.root.Remove(part)))
		}
	}()
	_, err = io.Copy(f, withContext{ctx, r})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	now := l.now()
	if err := l.root.Chtimes(part, now, now); err != nil {
		return err
	}
	made, err := l.folder(id[:2])
	if err != nil {
		return err
	}
	if _, err := l.root.Lstat(final); err == nil {
		return fs.ErrExist // ids are random: a caller's mistake
	}
	if err := l.root.Rename(part, final); err != nil {
		return err
	}
	if err := l.sync(id[:2]); err != nil {
		return errors.Join(err, l.root.Remove(final))
	}
	if made {
		return l.sync(".")
	}
	return nil
}

func (l *Local) folder(name string) (made bool, err error) {
	err = l.root.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

func (l *Local) sync(dir string) error {
	d, err := l.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNone
	}
	return err
}

type section struct {
	io.Reader
	io.Closer
}

// Open opens the file at an offset.
func (l *Local) Open(_ context.Context, id string, offset, length int64) (io.ReadCloser, error) {
	name, err := place(id)
	if err != nil {
		return nil, err
	}
	f, err := l.root.Open(name)
	if err != nil {
		return nil, missing(err)
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if length < 0 {
		return f, nil
	}
	return section{io.LimitReader(f, length), f}, nil
}

// Stat looks at the file.
func (l *Local) Stat(_ context.Context, id string) (Info, error) {
	name, err := place(id)
	if err != nil {
		return Info{}, err
	}
	i, err := l.root.Lstat(name)
	if err != nil {
		return Info{}, missing(err)
	}
	return Info{ID: id, Size: i.Size(), Stored: i.ModTime()}, nil
}

// Delete removes the file.
func (l *Local) Delete(_ context.Context, id string) error {
	name, err := place(id)
	if err != nil {
		return err
	}
	return ignoreMissing(l.root.Remove(name))
}

// List walks the folders. Files that are no blobs are passed over.
func (l *Local) List(ctx context.Context, each func(Info) error) error {
	folders, err := l.names(".")
	if err != nil {
		return err
	}
	for _, dir := range folders {
		if len(dir) != 2 {
			continue
		}
		ids, err := l.names(dir)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := ctx.Err(); err != nil {
				return err
			}
			info, err := l.Stat(ctx, id)
			if errors.Is(err, ErrID) || errors.Is(err, ErrNone) {
				continue
			}
			if err == nil {
				err = each(info)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Local) names(dir string) ([]string, error) {
	d, err := l.root.Open(dir)
	if err != nil {
		return nil, ignoreMissing(err)
	}
	names, err := d.Readdirnames(-1)
	return names, errors.Join(err, d.Close())
}

// Sweep removes parts of writes that were cut off.
func (l *Local) Sweep(_ context.Context, before time.Time) error {
	names, err := l.names(parts)
	for _, name := range names {
		name = path.Join(parts, name)
		i, serr := l.root.Lstat(name)
		if serr != nil {
			err = errors.Join(err, ignoreMissing(serr))
			continue
		}
		if i.ModTime().Before(before) {
			err = errors.Join(err, ignoreMissing(l.root.Remove(name)))
		}
	}
	return err
}
