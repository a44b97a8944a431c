package crash

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// uploadForm is a signed form upload, its body not covered by the signature, as
// the SDKs send it.
func uploadForm(w *world.World, name, text string) (string, error) {
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	part, err := m.CreateFormFile("file", name)
	if err != nil {
		return "", err
	}
	if _, err := io.WriteString(part, text); err != nil {
		return "", err
	}
	if err := m.WriteField("form_data", `{"accessoryFrom":"incident"}`); err != nil {
		return "", err
	}
	if err := m.Close(); err != nil {
		return "", err
	}
	r, err := http.NewRequest(http.MethodPost, w.URL+"/v2/servicerequest/accessorys", &body)
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", m.FormDataContentType())
	u := w.Domains[0].Users[0]
	world.SignUnsigned(r, u.AK, u.SK, time.Now())
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	_, id, ok := strings.Cut(string(answer), `{"accessory_id":"`)
	if err != nil || res.StatusCode != http.StatusOK || !ok {
		return "", fmt.Errorf("%d %s %w", res.StatusCode, answer, err)
	}
	return strings.TrimSuffix(strings.TrimSpace(id), `"}`), nil
}

// TestUploadKill kills the process in the middle of uploads. Every upload that
// was acknowledged is there whole, no row is without its bytes, and what was
// left of the others is collected (threats.md E12).
func TestUploadKill(t *testing.T) {
	for database, kills := range map[string]int{"sqlite": 50, "postgres": 10} {
		t.Run(database, func(t *testing.T) {
			o := world.Options{Config: "drain: 100ms\nattachment: {day_mb: -1, domain_mb: -1, clean_every: 1s}\n"}
			if database == "postgres" {
				o.Database = dbtest.DurableDatabase(t)
			}
			w := world.Start(t, o)
			if _, err := uploadForm(w, "first.log", "warm"); err != nil {
				t.Fatal(err)
			}
			var (
				mu    sync.Mutex
				acked = map[string]string{} // id -> content
				tried int
			)
			for kill := range kills {
				stop := make(chan struct{})
				var senders sync.WaitGroup
				for sender := range 6 {
					senders.Go(func() {
						for i := 0; ; i++ {
							select {
							case <-stop:
								return
							default:
							}
							text := strings.Repeat(fmt.Sprintf("kill %d sender %d file %d\n", kill, sender, i), 1+rand.IntN(60_000))
							id, err := uploadForm(w, "a.log", text)
							mu.Lock()
							if tried++; err == nil {
								acked[id] = text
							}
							mu.Unlock()
							if err != nil {
								return // the process is gone
							}
						}
					})
				}
				// Not before one of this round got through, however busy the machine is.
				acknowledged := func() int {
					mu.Lock()
					defer mu.Unlock()
					return len(acked)
				}
				before := acknowledged()
				time.Sleep(30*time.Millisecond + time.Duration(rand.IntN(200))*time.Millisecond)
				for end := time.Now().Add(20 * time.Second); acknowledged() == before && time.Now().Before(end); {
					time.Sleep(5 * time.Millisecond)
				}
				w.Kill()
				close(stop)
				senders.Wait()
				w.Run()
			}
			lost := 0
			for id, text := range acked {
				if got := download(t, w, id); got != text {
					lost++
					t.Errorf("an acknowledged upload of %d bytes is gone or cut: %d bytes", len(text), len(got))
				}
			}
			w.Stop()
			rows, bare := rowsOf(t, w, o)
			orphans := len(blobFiles(t, w)) - rows
			// A day later the rest is collected.
			for _, name := range append(blobFiles(t, w), partFiles(t, w)...) {
				old := time.Now().Add(-25 * time.Hour)
				if err := os.Chtimes(name, old, old); err != nil {
					t.Fatal(err)
				}
			}
			w.Run()
			deadline := time.Now().Add(40 * time.Second) // the dead node's lease of the housekeeping comes first
			for len(blobFiles(t, w)) > rows || len(partFiles(t, w)) > 0 {
				if time.Now().After(deadline) {
					t.Fatalf("%d blobs and %d parts are left for %d rows", len(blobFiles(t, w)), len(partFiles(t, w)), rows)
				}
				time.Sleep(50 * time.Millisecond)
			}
			w.Stop()
			after, bareAfter := rowsOf(t, w, o)
			t.Logf("REPORT %s: %d kills in uploads, %d tried, %d acknowledged, %d lost, %d rows, %d without a blob, %d orphans before and %d after the clean-up\n",
				database, kills, tried, len(acked), lost, rows, bare, orphans, len(blobFiles(t, w))-after)
			if bare+bareAfter > 0 || after != rows || len(acked) < kills {
				t.Errorf("%d rows without a blob, then %d; %d rows, then %d; %d acknowledged", bare, bareAfter, rows, after, len(acked))
			}
			if left, _ := os.ReadDir(filepath.Join(w.Dir, "tmp")); len(left) > 0 {
				t.Errorf("put aside: %v", left)
			}
		})
	}
}

func download(t *testing.T, w *world.World, id string) string {
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
		t.Error(err)
	}
	return string(text)
}

// rowsOf counts the rows of attachments, and those whose blob is not there with
// its size. The server must not run.
func rowsOf(t *testing.T, w *world.World, o world.Options) (rows, bare int) {
	t.Helper()
	url := o.Database
	if url == "" {
		url = "sqlite:" + filepath.Join(w.Dir, "casemate.db")
	}
	d, err := db.Open(context.Background(), db.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	err = attachment.EachBlob(context.Background(), d, func(b attachment.Stored) error {
		rows++
		if info, err := os.Stat(filepath.Join(w.Dir, "blobs", b.Blob[:2], b.Blob)); err != nil || info.Size() != b.Size {
			bare++
			t.Errorf("row without its blob: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, bare
}

func globbed(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func blobFiles(t *testing.T, w *world.World) []string {
	return globbed(t, filepath.Join(w.Dir, "blobs", "??", "*"))
}

func partFiles(t *testing.T, w *world.World) []string {
	return globbed(t, filepath.Join(w.Dir, "blobs", "parts", "*"))
}
