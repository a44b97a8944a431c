package door

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/test/world"
)

// TestBackupRestore: a backup made while tickets are created holds every ticket
// acknowledged before it began, and every attachment with its bytes (threats.md
// E13); it is verified with its keys
// and refused without them or damaged; the data alone holds no key.
func TestBackupRestore(t *testing.T) {
	w := world.Start(t, world.Options{})
	dir := t.TempDir()
	customer := client(t, w, w.Domains[0].Users[0].SK)
	files := uploadSome(t, customer, 20)
	var mu sync.Mutex
	made := map[string]bool{}
	stop, enough := make(chan struct{}), make(chan struct{})
	creating := createUntil(t, customer, stop, func(n string) {
		mu.Lock()
		defer mu.Unlock()
		if made[n] = true; len(made) == 2000 {
			close(enough)
		}
	})
	select {
	case <-enough:
	case <-ended(creating):
		t.Fatal("nobody creates any more")
	}
	mu.Lock()
	before := maps.Clone(made) // acknowledged before the backup begins
	mu.Unlock()
	data, keys := filepath.Join(dir, "data.tar"), filepath.Join(dir, "keys.tar")
	for _, args := range [][]string{{"backup", "--to", data}, {"backup", "--keys-only", "--to", keys}} {
		if _, err := w.Local(args...); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	creating.Wait()
	if out, err := w.Local("restore", "--verify", "--from", data, "--keys-from", keys); err != nil || !strings.Contains(out, "restored and checked") {
		t.Errorf("verify: %q, %v", out, err)
	}
	if _, err := w.Local("backup", "--to", data); err == nil {
		t.Error("a backup overwrites a file")
	}
	other := world.Start(t, world.Options{Fresh: true})
	foreign := filepath.Join(dir, "foreign.tar")
	if _, err := other.Local("backup", "--keys-only", "--to", foreign); err != nil {
		t.Fatal(err)
	}
	if out, err := w.Local("restore", "--verify", "--from", data, "--keys-from", foreign); err == nil {
		t.Errorf("another installation's keys open it: %q", out)
	}
	text, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	broken := filepath.Join(dir, "broken.tar")
	if err := os.WriteFile(broken, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := w.Local("restore", "--verify", "--from", broken, "--keys-from", keys); err == nil {
		t.Errorf("a damaged backup is taken: %q", out)
	}
	// One blob's bytes changed: only the check of the rows can see it, because
	// the archive names no hash of a blob.
	text[len(text)/2] ^= 1
	needle := []byte("a file for the backup 7 ")
	at := bytes.LastIndex(text, needle)
	if at < 0 {
		t.Fatal("the backup does not hold the bytes of an attachment")
	}
	text[at] ^= 1
	changed := filepath.Join(dir, "changed.tar")
	if err := os.WriteFile(changed, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := w.Local("restore", "--verify", "--from", changed, "--keys-from", keys); err == nil {
		t.Errorf("a backup with a damaged attachment is taken: %q", out)
	}
	lost := filepath.Join(dir, "lost.tar")
	dropBlob(t, data, lost)
	if out, err := w.Local("restore", "--verify", "--from", lost, "--keys-from", keys); err == nil {
		t.Errorf("a backup without the bytes of an attachment is taken: %q", out)
	}
	// For real: into new folders, and served.
	w.Kill()
	if err := os.RemoveAll(w.Dir); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(w.Dir + ".keys"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Local("restore", "--from", data, "--keys-from", keys); err != nil {
		t.Fatal(err)
	}
	w.Run()
	for n := range before {
		if _, err := customer.ShowCaseDetail(&model.ShowCaseDetailRequest{CaseId: n}); err != nil {
			t.Errorf("acknowledged before the backup began, gone after the restore: %s: %v", n, err)
		}
	}
	for id, text := range files {
		if got := fetch(t, w, id); got != text {
			t.Errorf("attachment %s: %d bytes after the restore, want %d", id, len(got), len(text))
		}
	}
}

// uploadSome uploads files through the SDK: id -> content.
func uploadSome(t *testing.T, c *osm.OsmClient, n int) map[string]string {
	t.Helper()
	files := map[string]string{}
	for i := range n {
		text := strings.Repeat(fmt.Sprintf("a file for the backup %d \n", i), 1000)
		res, err := c.UploadJsonAccessories(&model.UploadJsonAccessoriesRequest{Body: &model.AccessoryJsonFormatReq{AccessoryName: fmt.Sprintf("日志 %d.log", i),
			AccessoryFrom: model.GetAccessoryJsonFormatReqAccessoryFromEnum().INCIDENT, AccessoryData: base64.StdEncoding.EncodeToString([]byte(text))}})
		if err != nil {
			t.Fatal(err)
		}
		files[*res.AccessoryId] = text
	}
	return files
}

// fetch downloads an attachment as the first user.
func fetch(t *testing.T, w *world.World, id string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, w.URL+"/v2/servicerequest/accessorys/"+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	u := w.Domains[0].Users[0]
	world.Sign(r, nil, u.AK, u.SK, time.Now())
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// dropBlob copies a backup without its last blob.
func dropBlob(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var kept bytes.Buffer
	r, w, dropped := tar.NewReader(in), tar.NewWriter(&kept), false
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(h.Name, "blobs/") && !dropped {
			dropped = true
			continue
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil || !dropped {
		t.Fatal(err, dropped)
	}
	if err := os.WriteFile(to, kept.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func ended(wg *sync.WaitGroup) <-chan struct{} {
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	return done
}

// createUntil opens tickets from eight connections until stop is closed, and
// calls made for each that was acknowledged.
func createUntil(t *testing.T, c *osm.OsmClient, stop <-chan struct{}, made func(number string)) *sync.WaitGroup {
	t.Helper()
	problems, err := c.ListProblemTypes(&model.ListProblemTypesRequest{ProductCategoryId: new("b5f0be5c9639466184abf80e01f9fa1d")})
	if err != nil {
		t.Fatal(err)
	}
	problem := ""
	for _, p := range *problems.IncidentBusinessTypeList {
		if *p.CaseType == "0" {
			problem = *p.BusinessTypeId
		}
	}
	var wg sync.WaitGroup
	for creator := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				res, err := c.CreateCases(&model.CreateCasesRequest{Body: &model.CreateOrderIncidentV2Req{BusinessTypeId: problem,
					SimpleDescription: fmt.Sprintf("while a backup is made %d/%d", creator, i), SourceId: "83aeb0f2834c4df49826c781d32a963e"}})
				if err != nil {
					t.Errorf("create under the backup: %v", err)
					return
				}
				made(*res.IncidentId)
			}
		})
	}
	return &wg
}
