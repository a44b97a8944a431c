//go:build long

package files

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/test/world"
)

// TestGateway is the story of attachments on a real object store (versitygw over
// a folder), which checks every signature itself: uploads small and in parts,
// ranges, downloads from the store itself by presigned addresses, a kill, a
// backup and a restore into an empty bucket, and removal.
func TestGateway(t *testing.T) {
	dir := t.TempDir()
	gateway := world.Store(t, "files", "again", "backups")
	address, store, env := gateway.Address, gateway.Folder, gateway.Env
	at := func(bucket string) string {
		return "s3://" + bucket + "/casemate?endpoint=http://" + address + "&downloads=http://" + address
	}
	w := world.Start(t, world.Options{Args: []string{"--blobs", at("files")}, Env: env})
	tk := token(t, w, 0)
	texts := map[string][]byte{}                            // by id
	for _, size := range []int{1, 4096, 3 << 20, 9 << 20} { // the last one goes in parts of 5 MiB
		text := make([]byte, size)
		if _, err := rand.Read(text); err != nil {
			t.Fatal(err)
		}
		for i := range text {
			text[i] = "0123456789abcdef"[text[i]%16]
		}
		body, length := form("文件.txt", int64(size), bytes.NewReader(text))
		status, answer, err := send(w, tk, body, length)
		if status != 200 || err != nil {
			t.Fatal(size, status, answer, err)
		}
		texts[accessory(answer)] = text
	}
	check := func(when string) {
		t.Helper()
		tk := token(t, w, 0)
		for id, text := range texts {
			if res, body := get(t, w.URL+accessorys+"/"+id, tk); res.StatusCode != 200 || body != string(text) {
				t.Errorf("%s, %d bytes by the API: %s, %d bytes", when, len(text), res.Status, len(body))
			}
			if len(text) > 100 {
				if res, body := get(t, w.URL+accessorys+"/"+id, tk, "Range", "bytes=7-99"); res.StatusCode != http.StatusPartialContent || body != string(text[7:100]) {
					t.Errorf("%s, a range: %s, %q", when, res.Status, body)
				}
			}
			links, err := client(t, w, 0).ListAccessoryAccessUrls(&model.ListAccessoryAccessUrlsRequest{AccessoryIds: []string{id}})
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.Get(*(*links.AccessoryUrls)[0].AccessoryUrl) // follows to the store
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != 200 || !bytes.Equal(body, text) || res.Request.URL.Host != address || !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment;") {
				t.Errorf("%s, %d bytes from %s: %s, %d bytes, %v, %v", when, len(text), res.Request.URL.Host, res.Status, len(body), err, res.Header)
			}
			changed := *res.Request.URL
			changed.RawQuery = strings.Replace(changed.RawQuery, "X-Amz-Expires=60", "X-Amz-Expires=6000", 1)
			if res, err := http.Get(changed.String()); err != nil || res.StatusCode != http.StatusForbidden {
				t.Errorf("%s, an address made to live longer: %v %v", when, res.Status, err)
			}
		}
	}
	check("fresh")
	w.Kill()
	w.Run()
	check("after a kill")

	run := func(args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, world.Binary(t), args...)
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
	}
	// Encrypted, in parts, to the store and back from it; of three the newest stays.
	data, identity, recipients := "s3://backups/casemate/?endpoint=http://"+address, filepath.Join(dir, "identity"), filepath.Join(dir, "recipients")
	public, err := exec.Command(world.Binary(t), "backup-key", "--to", identity).Output()
	if err == nil {
		err = os.WriteFile(recipients, public, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		run("backup", "--data", w.Dir, "--blobs", at("files"), "--to", data, "--recipients-file", recipients, "--keep", "1")
		time.Sleep(time.Second) // names are of a second
	}
	run("backup", "--data", w.Dir, "--keys-only", "--to", data, "--recipients-file", recipients, "--keep", "1")
	if n := objects(t, filepath.Join(store, "backups")); n != 2 {
		t.Errorf("%d backups are kept, want one of data and one of keys", n)
	}
	run("restore", "--verify", "--from", data, "--keys-from", data, "--identity", identity)
	w.Stop()
	restored := filepath.Join(dir, "restored")
	run("restore", "--from", data, "--keys-from", data, "--identity", identity, "--data", restored, "--blobs", at("again"))
	if got, want := objects(t, filepath.Join(store, "again")), objects(t, filepath.Join(store, "files")); got < len(texts) || got != want {
		t.Errorf("%d objects restored of %d", got, want)
	}
	w.Run()
	for id := range texts {
		r, err := http.NewRequest(http.MethodDelete, w.URL+accessorys+"/"+id, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Auth-Token", token(t, w, 0))
		if res, err := http.DefaultClient.Do(r); err != nil || res.StatusCode/100 != 2 {
			t.Error(res, err)
		}
	}
}

// objects counts the files of a bucket.
func objects(t *testing.T, dir string) (n int) {
	t.Helper()
	if err := filepath.WalkDir(filepath.Join(dir, "casemate"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			n++
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}
