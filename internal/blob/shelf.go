package blob

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"casemate/internal/fault"
)

// Shelf keeps files under names that people choose, such as backups: a folder,
// or a bucket under a prefix. A file appears whole or not at all, and none is
// ever written over.
type Shelf interface {
	// Put stores what write gives. size is about how much that will be. Durable when
	// it returns nil; after an error, or a kill, nothing is there under the name.
	Put(ctx context.Context, name string, size int64, write func(io.Writer) error) error
	// Open reads a file and tells its size.
	Open(ctx context.Context, name string) (io.ReadCloser, int64, error)
	// List tells of all files, in the order of their names.
	List(ctx context.Context) ([]Named, error)
	// Delete removes a file.
	Delete(ctx context.Context, name string) error
	// Sweep removes what Puts left that were killed, of files whose names are ours:
	// of a folder at once, of a bucket what is older than a day.
	Sweep(ctx context.Context, ours func(name string) bool) error
	// Place is how people name a file there.
	Place(name string) string
	Close() error
}

// Named is a file of a Shelf.
type Named struct {
	Name   string
	Size   int64
	Stored time.Time
}

// What goes wrong at a shelf.
var (
	errThere = fault.New(fault.Conflict, fault.CodeInvalid, "{place} 已存在：不会覆盖", "{place} exists and is not written over")
	errGone  = fault.New(fault.Invalid, fault.CodeInvalid, "{place} 不存在，请先创建，或检查路径", "{place} does not exist: make it first, or look at the path")
	errPlain = fault.New(fault.Invalid, fault.CodeInvalid, "{place} 是文件，不是目录", "{place} is a file, not a folder")
	errPlace = fault.New(fault.Unavailable, fault.CodeInternal, "{place}：{why}", "{place}: {why}")
)

// OpenShelf opens the place of a file, and tells the file's name there: "" where
// place is a folder, or a prefix that ends in /. s3://... takes what OpenS3 takes.
func OpenShelf(ctx context.Context, place string) (s Shelf, name string, err error) {
	if !strings.HasPrefix(place, "s3://") {
		info, err := os.Stat(place)
		if err == nil && info.IsDir() {
			return folder(place), "", nil
		}
		if strings.HasSuffix(place, "/") {
			if plain := strings.TrimRight(place, "/"); plain != "" {
				if _, err := os.Stat(plain); err == nil {
					return nil, "", errPlain.With("place", plain)
				}
			}
			return nil, "", errGone.With("place", place)
		}
		return folder(filepath.Dir(place)), filepath.Base(place), nil
	}
	u, err := url.Parse(place)
	if err != nil {
		return nil, "", ErrURL
	}
	path := strings.TrimPrefix(u.Path, "/")
	at := strings.LastIndexByte(path, '/') + 1
	name = path[at:]
	u.Path, u.RawPath = "/"+path[:at], ""
	bucket, err := OpenS3(ctx, u.String())
	if err != nil {
		return nil, "", err
	}
	return shelfS3{bucket}, name, nil
}

// folder is a Shelf in the file system.
type folder string

func (f folder) Place(name string) string { return filepath.Join(string(f), name) }
func (folder) Close() error               { return nil }

// partSuffix ends the names of files that are being written; their writers hold
// a lock on them.
const partSuffix = ".part"

func (f folder) Put(ctx context.Context, name string, _ int64, write func(io.Writer) error) (err error) {
	final := f.Place(name)
	if _, err := os.Lstat(final); err == nil {
		return errThere.With("place", final)
	}
	if err := f.Sweep(ctx, func(n string) bool { return n == name }); err != nil {
		return err
	}
	out, err := f.part(name)
	if err != nil {
		return full(err)
	}
	defer func() { err = errors.Join(err, ignoreMissing(os.Remove(out.Name()))) }()
	err = write(contextWriter{ctx, out})
	if err == nil {
		err = out.Sync()
	}
	defer func() { err = errors.Join(err, out.Close()) }() // only then it can be swept
	if err != nil {
		return full(err)
	}
	// A link, unlike a renaming, does not replace what came there meanwhile. Not all
	// file systems have them.
	err = os.Link(out.Name(), final)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		if _, there := os.Lstat(final); errors.Is(there, fs.ErrNotExist) {
			err = os.Rename(out.Name(), final)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return errThere.With("place", final)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(string(f))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// part makes a file (0600) to write to, and locks it.
func (f folder) part(name string) (*os.File, error) {
	for range 20 {
		out, err := os.CreateTemp(string(f), "."+name+".*"+partSuffix)
		if err != nil {
			return nil, err
		}
		if syscall.Flock(int(out.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			if _, err := os.Lstat(out.Name()); err == nil {
				return out, nil
			}
		}
		_ = out.Close() // a sweep took it for one that was left, before it was locked
	}
	return nil, errPlace.With("place", f.Place(name)).With("why", "lock")
}

type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c contextWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}

func (f folder) Open(_ context.Context, name string) (io.ReadCloser, int64, error) {
	in, err := os.Open(f.Place(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, errGone.With("place", f.Place(name))
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := in.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errPlace.With("place", f.Place(name)).With("why", info.Mode())
	}
	if err != nil {
		return nil, 0, errors.Join(err, in.Close())
	}
	return in, info.Size(), nil
}

func (f folder) List(context.Context) (out []Named, err error) {
	entries, err := os.ReadDir(string(f)) // in the order of their names
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() {
			out = append(out, Named{e.Name(), info.Size(), info.ModTime()})
		}
	}
	return out, err
}

func (f folder) Delete(_ context.Context, name string) error {
	return ignoreMissing(os.Remove(f.Place(name)))
}

// partOf is the name that a part is written for.
func partOf(part string) (name string, ok bool) {
	rest, hidden := strings.CutPrefix(part, ".")
	rest, ended := strings.CutSuffix(rest, partSuffix)
	dot := strings.LastIndexByte(rest, '.')
	if !hidden || !ended || dot < 0 {
		return "", false
	}
	return rest[:dot], true
}

// Sweep removes parts that have no writer any more.
func (f folder) Sweep(_ context.Context, ours func(name string) bool) error {
	left, err := os.ReadDir(string(f))
	for _, e := range left {
		if name, ok := partOf(e.Name()); !ok || !ours(name) || !e.Type().IsRegular() {
			continue
		}
		in, opened := os.Open(f.Place(e.Name()))
		if opened != nil {
			err = errors.Join(err, ignoreMissing(opened))
			continue
		}
		if syscall.Flock(int(in.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			err = errors.Join(err, ignoreMissing(os.Remove(in.Name())))
		}
		err = errors.Join(err, in.Close())
	}
	return err
}

// shelfS3 is a Shelf in a bucket.
type shelfS3 struct{ *S3 }

// mostParts is how many parts an upload may have, less some for what size did
// not foresee; least and most are a part's size.
const (
	mostParts = 9000
	leastPart = 8 << 20
	mostPart  = 1 << 30
)

func partSize(size int64) int {
	return int(min(max(leastPart, (size/mostParts+1<<20)&^(1<<20-1)), mostPart))
}

func (s shelfS3) Place(name string) string { return "s3://" + s.name + "/" + s.prefix + name }

func (s shelfS3) at(name string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if cause := errors.Unwrap(err); cause != nil && errors.Is(err, ErrUnreachable) {
		err = cause
	}
	return errPlace.With("place", s.Place(name)).With("why", fault.Reason(err)).Because(err)
}

// Put uploads in parts, which become an object together at the end.
func (s shelfS3) Put(ctx context.Context, name string, size int64, write func(io.Writer) error) error {
	key := s.prefix + name
	if there, err := s.bucket.Exists(ctx, key); err != nil {
		return s.at(name, err)
	} else if there {
		return errThere.With("place", s.Place(name))
	}
	up, cut := context.WithCancel(ctx)
	defer cut()
	w, err := s.bucket.NewWriter(up, key, &blob.WriterOptions{ContentType: "application/octet-stream", BufferSize: partSize(size), MaxConcurrency: 2})
	if err != nil {
		return s.at(name, err)
	}
	to := &rememberingWriter{w: w}
	if err := write(to); err != nil {
		cut() // else Close would store what came so far
		closed := w.Close()
		if to.err != nil && ctx.Err() == nil {
			return s.at(name, errors.Join(to.err, closed))
		}
		return err
	}
	there, err := s.bucket.Exists(ctx, key) // an upload may take hours
	if err == nil && there {
		err = errThere.With("place", s.Place(name))
	}
	if err != nil {
		cut()
		return errors.Join(s.at(name, err), ignoreCanceled(w.Close()))
	}
	return s.at(name, w.Close())
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

type rememberingWriter struct {
	w   io.Writer
	err error
}

func (r *rememberingWriter) Write(p []byte) (int, error) {
	n, err := r.w.Write(p)
	if err != nil {
		r.err = err
	}
	return n, err
}

func (s shelfS3) Open(ctx context.Context, name string) (io.ReadCloser, int64, error) {
	r, err := s.bucket.NewReader(ctx, s.prefix+name, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, 0, errGone.With("place", s.Place(name))
	}
	if err != nil {
		return nil, 0, s.at(name, err)
	}
	return r, r.Size(), nil
}

func (s shelfS3) List(ctx context.Context) (out []Named, err error) {
	all := s.bucket.List(&blob.ListOptions{Prefix: s.prefix, Delimiter: "/"})
	for {
		o, err := all.Next(ctx)
		if err == io.EOF {
			slices.SortFunc(out, func(a, b Named) int { return strings.Compare(a.Name, b.Name) })
			return out, nil
		}
		if err != nil {
			return nil, s.at("", err)
		}
		if !o.IsDir {
			out = append(out, Named{strings.TrimPrefix(o.Key, s.prefix), o.Size, o.ModTime})
		}
	}
}

func (s shelfS3) Delete(ctx context.Context, name string) error {
	if err := s.bucket.Delete(ctx, s.prefix+name); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return s.at(name, err)
	}
	return nil
}

func (s shelfS3) Sweep(ctx context.Context, ours func(name string) bool) error {
	return s.at("", s.SweepOf(ctx, time.Now().Add(-24*time.Hour), func(key string) bool { return ours(strings.TrimPrefix(key, s.prefix)) }))
}
