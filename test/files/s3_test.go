package files

import (
	"archive/tar"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"casemate/test/world"
)

// TestS3: with --blobs s3://... attachments lie in the bucket and nowhere else,
// outlive a kill, are in a backup, and while the bucket does not answer nothing
// is half stored and the server goes on.
func TestS3(t *testing.T) {
	backend := s3mem.New()
	if err := backend.CreateBucket("files"); err != nil {
		t.Fatal(err)
	}
	inner := gofakes3.New(backend).Server()
	var gone atomic.Bool
	s3 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if gone.Load() {
			http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer s3.Close()
	const secret = "a-secret-of-the-bucket"
	url := "s3://files/casemate?endpoint=" + s3.URL
	env := []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=" + secret}
	w := world.Start(t, world.Options{Args: []string{"--blobs", url}, Env: env})
	tk := token(t, w, 0)
	const size = 3 << 20
	status, text, err := upload(w, tk, size, true)
	if status != 200 || err != nil {
		t.Fatal(status, text, err)
	}
	id := accessory(text)
	objects := func() (n int) {
		list, err := backend.ListBucket("files", nil, gofakes3.ListBucketPage{})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Contents {
			if o.Size == size {
				n++
			}
		}
		return n
	}
	if n := objects(); n != 1 {
		t.Errorf("%d objects of the file's size", n)
	}
	if files, err := filepath.Glob(filepath.Join(w.Dir, "blobs", "*", "*")); err != nil || len(files) > 0 {
		t.Errorf("files beside the bucket: %v %v", files, err)
	}
	read := func() bool {
		res, body := get(t, w.URL+accessorys+"/"+id, tk)
		return res.StatusCode == 200 && len(body) == size
	}
	if !read() {
		t.Error("the file cannot be read")
	}
	if res, body := get(t, w.URL+accessorys+"/"+id, tk, "Range", "bytes=5-9"); res.StatusCode != http.StatusPartialContent || len(body) != 5 {
		t.Errorf("a range: %s, %d bytes", res.Status, len(body))
	}
	w.Kill()
	w.Run()
	if !read() {
		t.Error("after a kill the file cannot be read")
	}

	gone.Store(true)
	status, text, err = upload(w, tk, size, false)
	if err != nil || status != http.StatusServiceUnavailable || !strings.Contains(text, "OSM.0004") || strings.Contains(text, s3.URL) {
		t.Errorf("without the bucket: %d %s %v", status, text, err)
	}
	if res, _ := get(t, w.URL+"/v2/servicerequest/cases?limit=1", tk); res.StatusCode != 200 {
		t.Errorf("without the bucket the rest answers %s", res.Status)
	}
	gone.Store(false)
	if status, text, err = upload(w, tk, size, false); status != 200 || err != nil {
		t.Errorf("with the bucket again: %d %s %v", status, text, err)
	}
	if n := objects(); n != 2 {
		t.Errorf("%d objects of the file's size, want 2", n)
	}

	run := func(args ...string) (string, error) {
		cmd := exec.Command(world.Binary(t), args...)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	dir := t.TempDir()
	data, keys, apart := filepath.Join(dir, "data.tar"), filepath.Join(dir, "keys.tar"), filepath.Join(dir, "apart.tar")
	for _, args := range [][]string{
		{"backup", "--data", w.Dir, "--blobs", url, "--to", data}, {"backup", "--data", w.Dir, "--keys-only", "--to", keys},
		{"restore", "--verify", "--from", data, "--keys-from", keys},
		{"backup", "--data", w.Dir, "--blobs", url, "--without-attachments", "--to", apart},
		{"restore", "--verify", "--from", apart, "--keys-from", keys, "--blobs", url},
	} {
		if out, err := run(args...); err != nil {
			t.Errorf("%v: %v %s", args, err, out)
		}
	}
	if out, err := run("restore", "--verify", "--from", apart, "--keys-from", keys); err == nil {
		t.Errorf("attachments that were left out are not missed: %s", out)
	}
	packed, err := os.ReadFile(data)
	if with, without := packedFiles(t, data), packedFiles(t, apart); with < 2 || without > 0 {
		t.Errorf("%d attachments in a backup, %d in one without them", with, without)
	}
	if err != nil || bytes.Contains(packed, []byte(secret)) {
		t.Errorf("the backup: %v", err)
	}
	if out, err := run("serve", "--demo", "--data", filepath.Join(dir, "other"), "--listen", "127.0.0.1:0", "--blobs", url); err == nil || !strings.Contains(out, "another installation") {
		t.Errorf("a second installation on the bucket: %v %s", err, out)
	}
	if log := w.LogText(); strings.Contains(log, secret) {
		t.Error("the log holds the secret")
	}
}

// packedFiles counts the attachments in a backup that is not encrypted.
func packedFiles(t *testing.T, path string) (n int) {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for entries := tar.NewReader(in); ; {
		h, err := entries.Next()
		if err == io.EOF {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(h.Name, "blobs/") {
			n++
		}
	}
}
