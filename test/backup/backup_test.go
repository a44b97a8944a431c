// Package backup backs up a running installation and brings it back.
package backup

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

func long() bool { return os.Getenv("CASEMATE_LONG") != "" }

func client(t *testing.T, w *world.World) *osm.OsmClient {
	t.Helper()
	u := w.Domains[0].Users[0]
	c, err := global.NewCredentialsBuilder().WithAk(u.AK).WithSk(u.SK).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	hc, err := osm.OsmClientBuilder().WithEndpoint(w.URL).WithCredential(c).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return osm.NewOsmClient(hc)
}

// command is the binary with arguments, speaking English.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(world.Binary(t), args...)
	cmd.Env = append(append(os.Environ(), "CASEMATE_LANGUAGE=en"), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := command(t, nil, args...).CombinedOutput()
	return string(out), err
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(t, args...)
	if err != nil {
		t.Fatalf("%v: %v %s", args, err, out)
	}
	return out
}

// pair makes a key pair with the binary: the identity's file and the recipient.
func pair(t *testing.T) (file, recipient string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "identity")
	return file, strings.TrimSpace(must(t, "backup-key", "--to", file))
}

const marker = "plainmarkerquince"

func upload(t *testing.T, c *osm.OsmClient, name string, text []byte) string {
	t.Helper()
	res, err := c.UploadJsonAccessories(&model.UploadJsonAccessoriesRequest{Body: &model.AccessoryJsonFormatReq{AccessoryName: name,
		AccessoryFrom: model.GetAccessoryJsonFormatReqAccessoryFromEnum().INCIDENT, AccessoryData: base64.StdEncoding.EncodeToString(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return *res.AccessoryId
}

// stored counts the files that the attachments of an installation lie in.
func stored(t *testing.T, w *world.World) (n int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(w.Dir, "blobs"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func download(t *testing.T, w *world.World, id string) []byte {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, w.URL+"/v2/servicerequest/accessorys/"+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", w.Token(t, 0, 0))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	return text
}

// creating opens tickets from eight connections until stop is called, which
// returns those that were acknowledged; so does now.
func creating(t *testing.T, w *world.World, c *osm.OsmClient) (now, stop func() map[string]bool) {
	t.Helper()
	problem := w.Consultation(t)
	var mu sync.Mutex
	made := map[string]bool{}
	end := make(chan struct{})
	var wg sync.WaitGroup
	for from := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-end:
					return
				default:
				}
				res, err := c.CreateCases(&model.CreateCasesRequest{Body: &model.CreateOrderIncidentV2Req{BusinessTypeId: problem,
					SimpleDescription: fmt.Sprintf("%s %d/%d while a backup is made", marker, from, i), SourceId: "83aeb0f2834c4df49826c781d32a963e"}})
				if err != nil {
					t.Errorf("create under the backup: %v", err)
					return
				}
				mu.Lock()
				made[*res.IncidentId] = true
				mu.Unlock()
				time.Sleep(10 * time.Millisecond) // the backup is to come to its end, too
			}
		})
	}
	now = func() map[string]bool {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(made)
	}
	return now, func() map[string]bool { close(end); wg.Wait(); return now() }
}

// TestBackup: an encrypted backup made while tickets are created, of either
// database and into either, holds everything that was acknowledged before it
// began (threats.md E13) and nothing in clear; who has another key reads
// nothing, and a changed, cut off or half-made one is never taken.
func TestBackup(t *testing.T) {
	for _, from := range []string{"sqlite", "postgres"} {
		for _, to := range []string{"sqlite", "postgres"} {
			if from == to && !long() {
				continue // the two ways across read and write both
			}
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				backup(t, from == "postgres", to == "postgres")
			})
		}
	}
}

func backup(t *testing.T, fromPostgres, toPostgres bool) {
	o := world.Options{Config: "drain: 100ms\n"}
	at := []string{}
	if fromPostgres {
		o.Database = dbtest.EmptyDatabase(t)
		at = append(at, "--database", o.Database)
	}
	w := world.Start(t, o)
	at = append(at, "--data", w.Dir)
	c := client(t, w)
	attachments := fmt.Sprintf(" %d attachments", stored(t, w)+1) // the demo's and this one
	content := bytes.Repeat([]byte(marker+" 附件\n"), 40000)
	file := upload(t, c, marker+".log", content)
	dir := t.TempDir()
	data, keys := filepath.Join(dir, "data"), filepath.Join(dir, "keys")
	for _, d := range []string{data, keys} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	identity, recipient := pair(t)
	now, stop := creating(t, w, c)
	for until := time.Now().Add(30 * time.Second); len(now()) < 100; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("nobody creates")
		}
	}
	before := now()
	must(t, append([]string{"backup", "--to", data, "--recipient", recipient}, at...)...)
	must(t, append([]string{"backup", "--to", keys, "--recipient", recipient, "--keys-only"}, at...)...)
	after := len(stop())
	t.Logf("%d tickets before the backup, %d after it", len(before), after)
	plain := filepath.Join(dir, "plain.tar")
	must(t, append([]string{"backup", "--to", plain}, at...)...)
	packed := only(t, data)
	text, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	if clear, err := os.ReadFile(plain); err != nil || bytes.Count(clear, []byte(marker)) < len(before) {
		t.Errorf("the marker is not in a backup that is not encrypted: %v", err)
	}
	for _, word := range []string{marker, "manifest.json", "SQLite format"} {
		if bytes.Contains(text, []byte(word)) {
			t.Errorf("%s is in clear in the encrypted backup", word)
		}
	}
	for _, d := range []string{w.Dir, data, keys, dir} {
		if left, _ := filepath.Glob(filepath.Join(d, ".casemate-*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}

	// Looked at, by who has the key and by who has another one, or none.
	if out := must(t, "restore", "--verify", "--from", data, "--keys-from", keys, "--identity", identity); !strings.Contains(out, "the chain holds") || !strings.Contains(out, attachments) {
		t.Errorf("verified: %s", out)
	}
	if out := must(t, "restore", "--verify", "--from", data, "--identity", identity); !strings.Contains(out, "without keys") {
		t.Errorf("verified without keys: %s", out)
	}
	other, _ := pair(t)
	for _, bad := range []struct {
		want string
		args []string
	}{
		{"is encrypted: give the identity file", nil}, {"encrypted for other recipients", []string{"--identity", other}}, {"no file of identities", []string{"--identity", packed}},
	} {
		args := append([]string{"restore", "--from", data, "--keys-from", keys, "--data", filepath.Join(dir, "bad")}, bad.args...)
		if out, err := run(t, args...); err == nil || !strings.Contains(out, bad.want) {
			t.Errorf("%v: %v %s, want %s", args, err, out, bad.want)
		}
	}
	if !fromPostgres {
		changed(t, dir, text, keys, identity)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*bad*")); len(left) > 0 {
		t.Errorf("refused restores left %v", left)
	}

	// Brought back, and served.
	w.Kill()
	again := filepath.Join(dir, "again")
	into, database := []string{}, ""
	if toPostgres {
		database = dbtest.EmptyDatabase(t)
		into = append(into, "--database", database)
	}
	args := append([]string{"restore", "--from", data, "--keys-from", keys, "--identity", identity, "--data", again}, into...)
	must(t, args...)
	if toPostgres {
		if out, err := run(t, append(args, "--data", again+"2")...); err == nil || !strings.Contains(out, "not empty") {
			t.Errorf("restored over a database in use: %v %s", err, out)
		}
	} else if out, err := run(t, args...); err == nil || !strings.Contains(out, "exists") {
		t.Errorf("restored over a folder: %v %s", err, out)
	}
	w.Moved(again, database)
	w.Run()
	c = client(t, w)
	lost := 0
	for n := range before {
		if _, err := c.ShowCaseDetail(&model.ShowCaseDetailRequest{CaseId: n}); err != nil {
			if lost++; lost < 5 {
				t.Errorf("acknowledged before the backup began, gone after the restore: %s: %v", n, err)
			}
		}
	}
	if got := download(t, w, file); !bytes.Equal(got, content) {
		t.Errorf("the attachment has %d bytes after the restore, want %d", len(got), len(content))
	}
	if found, err := w.Local("desk", "search", marker); err != nil || !strings.Contains(found, "TS") {
		t.Errorf("search after the restore: %v %s", err, found)
	}
	if out, err := w.Local(append([]string{"audit", "verify"}, into...)...); err != nil {
		t.Error(out, err)
	}
	w.Stop()
	if out, err := w.Local(append([]string{"doctor", "--recount"}, into...)...); err != nil {
		t.Error(out, err)
	}
}

// only is the one file of a folder.
func only(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	return filepath.Join(dir, files[0].Name())
}

// changed tries a backup with one bit flipped, and cut off, at many places.
func changed(t *testing.T, dir string, text []byte, keys, identity string) {
	t.Helper()
	flips, cuts := 8, 6 // TestChanged of package archive tries every place
	if long() {
		flips, cuts = 300, 200
	}
	var all sync.WaitGroup
	slots := make(chan struct{}, 2)
	try := func(what string, bad []byte) {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			path := filepath.Join(dir, what)
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Error(err)
				return
			}
			defer os.Remove(path)
			if out, err := command(t, nil, "restore", "--from", path, "--keys-from", keys, "--identity", identity, "--data", path+"-d").CombinedOutput(); err == nil {
				t.Errorf("%s of %d is taken: %s", what, len(text), out)
			}
			if left, _ := filepath.Glob(path + "-*"); len(left) > 0 {
				t.Errorf("%s left %v", what, left)
			}
		})
	}
	for i := range flips {
		at := rand.IntN(len(text))
		switch {
		case i < flips/4:
			at = rand.IntN(400) // the head
		case i == flips-1:
			at = len(text) - 1
		}
		bad := bytes.Clone(text)
		bad[at] ^= 1 << rand.IntN(8)
		try(fmt.Sprintf("bad flip %d", at), bad)
	}
	for i := range cuts {
		n := rand.IntN(len(text))
		if i < cuts/3 {
			n = len(text) - 1 - i*i*200 // the last chunk, and where chunks end
		}
		try(fmt.Sprintf("bad cut %d", n), text[:max(n, 0)])
	}
	all.Wait()
}
