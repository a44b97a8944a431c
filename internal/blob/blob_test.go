package blob_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casemate/internal/blob"
)

func open(t *testing.T) (*blob.Local, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "blobs")
	l, err := blob.OpenLocal(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, dir
}

var id = strings.Repeat("0123456789abcdef", 2)

// tree lists all files under a folder.
func tree(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestStore: what every store does alike.
func TestStore(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) blob.Store{
		"local": func(t *testing.T) blob.Store { l, _ := open(t); return l },
		"s3":    func(t *testing.T) blob.Store { return openS3(t, fakeS3(t), "") },
		"prefix": func(t *testing.T) blob.Store {
			endpoint := fakeS3(t)
			other := openS3(t, endpoint, "")
			if err := other.Put(t.Context(), strings.Repeat("b", 32), strings.NewReader("of somebody else")); err != nil {
				t.Fatal(err)
			}
			return openS3(t, endpoint, "casemate/files")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testStore(t, open(t))
		})
	}
}

func testStore(t *testing.T, l blob.Store) {
	ctx := t.Context()
	if err := l.Put(ctx, id, strings.NewReader("hello, blob")); err != nil {
		t.Fatal(err)
	}
	if err := l.Put(ctx, id, strings.NewReader("again")); err == nil {
		t.Error("an id serves twice")
	}
	for _, tt := range []struct {
		offset, length int64
		want           string
	}{{0, -1, "hello, blob"}, {7, -1, "blob"}, {7, 2, "bl"}, {0, 100, "hello, blob"}} {
		r, err := l.Open(ctx, id, tt.offset, tt.length)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if string(text) != tt.want || err != nil || r.Close() != nil {
			t.Errorf("%d+%d: %q %v", tt.offset, tt.length, text, err)
		}
	}
	r, err := blob.NewReader(ctx, l, id, 11)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		offset int64
		whence int
		want   string
	}{{-4, io.SeekEnd, "blob"}, {0, io.SeekStart, "hello, blob"}, {3, io.SeekStart, "lo, blob"}} {
		if _, err := r.Seek(step.offset, step.whence); err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(r); string(text) != step.want || err != nil {
			t.Errorf("%+v: %q %v", step, text, err)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	short, err := blob.NewReader(ctx, l, id, 99)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(short); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a blob that is shorter than its row says: %v", err)
	}
	_ = short.Close()
	var seen []blob.Info
	if err := l.List(ctx, func(i blob.Info) error { seen = append(seen, i); return nil }); err != nil || len(seen) != 1 || seen[0].ID != id || seen[0].Size != 11 {
		t.Errorf("%v %v", seen, err)
	}
	for range 2 {
		if err := l.Delete(ctx, id); err != nil {
			t.Error(err)
		}
	}
	if _, err := l.Open(ctx, id, 0, -1); !errors.Is(err, blob.ErrNone) {
		t.Error(err)
	}
	if _, err := l.Stat(ctx, id); !errors.Is(err, blob.ErrNone) {
		t.Error(err)
	}
	if err := l.List(ctx, func(i blob.Info) error { return fmt.Errorf("left: %v", i) }); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "../" + id, strings.ToUpper(id), id[:31]} {
		if err := l.Put(ctx, bad, strings.NewReader("x")); !errors.Is(err, blob.ErrID) {
			t.Errorf("id %q: %v", bad, err)
		}
	}
	large := make([]byte, 12<<20) // in parts, where a store has them
	_, _ = rand.NewChaCha8([32]byte{1}).Read(large)
	if err := l.Put(ctx, id, bytes.NewReader(large)); err != nil {
		t.Fatal(err)
	}
	in, err := l.Open(ctx, id, 5<<20-1, -1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(in)
	if err != nil || in.Close() != nil || !bytes.Equal(got, large[5<<20-1:]) {
		t.Errorf("%d bytes of a large blob, %v", len(got), err)
	}
	if err := l.Put(ctx, strings.Repeat("c", 32), io.MultiReader(bytes.NewReader(large[:7<<20]), breaks{})); err == nil || errors.Is(err, blob.ErrUnreachable) {
		t.Errorf("a cut-off write: %v", err)
	}
	if _, err := l.Stat(ctx, strings.Repeat("c", 32)); !errors.Is(err, blob.ErrNone) {
		t.Errorf("of a cut-off write: %v", err)
	}
	if err := l.Sweep(ctx, time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
}

type breaks struct{}

func (breaks) Read([]byte) (int, error) { return 0, errors.New("the sender is gone") }

// TestCutOff: nothing stays of a write that fails, and Sweep removes what a
// killed one left.
func TestCutOff(t *testing.T) {
	t.Parallel()
	l, dir := open(t)
	if err := l.Put(t.Context(), id, io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), breaks{})); err == nil {
		t.Fatal("a cut-off write is taken")
	}
	if files := tree(t, dir); len(files) != 0 {
		t.Errorf("left: %v", files)
	}
	left := filepath.Join(dir, "parts", id)
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, age := range []time.Duration{-time.Hour, time.Hour} {
		if err := l.Sweep(t.Context(), time.Now().Add(age)); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(left); (err == nil) != (age < 0) {
			t.Errorf("%v: %v", age, err)
		}
	}
}

// FuzzID: whatever is given as an id, nothing is touched outside the folder
// (threats.md D3).
func FuzzID(f *testing.F) {
	for _, s := range []string{id, "../../x", "/etc/passwd", "..", ".", "", "parts/" + id, id[:31], strings.ToUpper(id), id + "/..", "\x00", "a\r\nb", "aa/" + id, strings.Repeat("a", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		outer := t.TempDir()
		l, err := blob.OpenLocal(filepath.Join(outer, "blobs"), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx := t.Context()
		err = l.Put(ctx, s, strings.NewReader("x"))
		if (err == nil) != (len(s) >= 32 && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == "") {
			t.Errorf("%q: %v", s, err)
		}
		_, serr := l.Stat(ctx, s)
		if (serr == nil) != (err == nil) || l.Delete(ctx, s) != nil && err == nil {
			t.Errorf("%q: %v", s, serr)
		}
		if files := tree(t, outer); len(files) != 0 {
			t.Errorf("%q left %v", s, files)
		}
	})
}
