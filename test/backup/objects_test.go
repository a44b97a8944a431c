package backup

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"casemate/test/world"
)

// TestKilledAndObjects: a backup that is killed, to a folder or to an object
// store, or whose store fails on the way, leaves nothing that passes for one,
// and the next one sweeps up; backups in an object store are listed, kept by
// number, verified and restored from there.
func TestKilledAndObjects(t *testing.T) {
	t.Parallel()
	backend := s3mem.New()
	if err := backend.CreateBucket("backups"); err != nil {
		t.Fatal(err)
	}
	inner := gofakes3.New(backend).Server()
	var parts, broken atomic.Int64
	slow := make(chan struct{})
	s3 := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && r.URL.Query().Has("partNumber") {
			parts.Add(1)
			switch broken.Load() {
			case 1: // the store fails at the second part
				if r.URL.Query().Get("partNumber") != "1" {
					_, _ = io.Copy(io.Discard, r.Body) // else the connection may be reset before the answer is read
					http.Error(rw, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
					return
				}
			case 2: // or does not answer any more
				select {
				case <-slow:
				case <-r.Context().Done():
				}
				return
			}
		}
		inner.ServeHTTP(rw, r)
	}))
	defer s3.Close()
	defer close(slow)
	env := []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=secret"}
	shelf := "s3://backups/casemate/?endpoint=" + s3.URL
	objects := func() (names []string) {
		t.Helper()
		list, err := backend.ListBucket("backups", nil, gofakes3.ListBucketPage{})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Contents {
			names = append(names, o.Key)
		}
		return names
	}

	w := world.Start(t, world.Options{})
	c := client(t, w)
	attachments := fmt.Sprintf(" %d attachments", stored(t, w)+3) // the demo's and these
	big := make([]byte, 6<<20)
	for i := range big {
		big[i] = "0123456789abcdef"[i*7919%16]
	}
	for _, name := range []string{"a.log", "b.log", "c.log"} {
		upload(t, c, name, big)
	}
	dir := t.TempDir()
	identity, recipient := pair(t)
	args := func(more ...string) []string {
		return append([]string{"backup", "--data", w.Dir, "--recipient", recipient}, more...)
	}

	// Killed while it writes its file.
	killed := 0
	for try := 0; try < 20 && killed < 3; try++ {
		cmd := command(t, nil, args("--to", dir)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(200 * time.Microsecond) {
			if half, _ := filepath.Glob(filepath.Join(dir, ".casemate-*.part")); len(half) > 0 {
				break
			}
		}
		_ = cmd.Process.Kill()
		err := cmd.Wait()
		whole, _ := filepath.Glob(filepath.Join(dir, "casemate-*"))
		if err != nil && len(whole) == 0 {
			killed++
		}
		for _, f := range whole { // it was faster than the kill: then it is whole
			must(t, "restore", "--verify", "--from", f, "--identity", identity)
			os.Remove(f)
		}
	}
	halves, _ := filepath.Glob(filepath.Join(dir, ".casemate-*.part"))
	scratch, _ := filepath.Glob(filepath.Join(w.Dir, ".casemate-backup-*"))
	if killed < 3 || len(halves) == 0 || len(scratch) == 0 {
		t.Fatalf("%d kills left %v and %v: nothing is tried", killed, halves, scratch)
	}
	if out, err := run(t, "restore", "--verify", "--from", dir, "--identity", identity); err == nil || !strings.Contains(out, "no backup named by its time") {
		t.Errorf("a half backup passes for one: %v %s", err, out)
	}
	for _, half := range halves {
		if out, err := run(t, "restore", "--verify", "--from", half, "--identity", identity); err == nil {
			t.Errorf("a half backup is restored: %s", out)
		}
	}
	must(t, args("--to", dir, "--keep", "5")...)
	halves, _ = filepath.Glob(filepath.Join(dir, ".casemate-*.part"))
	scratch, _ = filepath.Glob(filepath.Join(w.Dir, ".casemate-backup-*"))
	if len(halves)+len(scratch) > 0 {
		t.Errorf("the next backup leaves %v and %v", halves, scratch)
	}

	// To the object store: it fails, hangs until the kill, works.
	broken.Store(1)
	if out, err := command(t, env, args("--to", shelf)...).CombinedOutput(); err == nil || !strings.Contains(string(out), "AccessDenied") && !strings.Contains(string(out), "403") {
		t.Errorf("the store fails: %v %s", err, out)
	}
	broken.Store(2)
	parts.Store(0)
	cmd := command(t, env, args("--to", shelf)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(20 * time.Second); parts.Load() == 0 && time.Now().Before(until); time.Sleep(time.Millisecond) {
	}
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
	broken.Store(0)
	if parts.Load() == 0 || len(objects()) > 0 {
		t.Errorf("%d parts were on the way; there is %v", parts.Load(), objects())
	}
	s3run := func(args ...string) string {
		t.Helper()
		out, err := command(t, env, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
		return string(out)
	}
	parts.Store(0)
	for range 3 {
		for len(objects()) > 0 && time.Now().UTC().Format("20060102T150405Z") <= strings.Split(objects()[len(objects())-1], "-")[1][:16] {
			time.Sleep(20 * time.Millisecond) // a name is of a second
		}
		s3run(args("--to", shelf, "--keep", "2")...)
	}
	if got := objects(); len(got) != 2 || parts.Load() < 6 {
		t.Errorf("kept %v; %d parts", got, parts.Load())
	}
	name := objects()[1]
	at := "s3://backups/" + name + "?endpoint=" + s3.URL
	if out, err := command(t, env, args("--to", at)...).CombinedOutput(); err == nil || !strings.Contains(string(out), "exists") {
		t.Errorf("an object is written over: %v %s", err, out)
	}
	if out := s3run("backups", "--at", shelf); strings.Count(out, "\n") != 2 || !strings.Contains(out, "encrypted") || !strings.Contains(out, name) {
		t.Errorf("the list: %s", out)
	}
	s3run(args("--to", shelf, "--keys-only", "--keep", "2")...)
	if out := s3run("restore", "--verify", "--from", shelf, "--keys-from", shelf, "--identity", identity); !strings.Contains(out, filepath.Base(name)) || !strings.Contains(out, attachments) || !strings.Contains(out, "the chain holds") {
		t.Errorf("verified from the store: %s", out)
	}
	if out, err := command(t, env, "restore", "--verify", "--from", strings.Replace(at, ".tar", ".none", 1)).CombinedOutput(); err == nil || !strings.Contains(string(out), "does not exist") {
		t.Errorf("one that is not there: %v %s", err, out)
	}
	w.Kill()
	again := filepath.Join(dir, "again")
	s3run("restore", "--from", at, "--keys-from", shelf, "--identity", identity, "--data", again)
	w.Moved(again, "")
	w.Run()
	if out := s3run("backups", "--at", shelf, "--keep", "1"); strings.Count(out, "removed ") != 1 || len(objects()) != 2 {
		t.Errorf("one of each kind: %s %v", out, objects())
	}
}
