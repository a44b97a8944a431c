package delivery

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/test/world"
)

// told is what a receiver of webhooks was told.
type told struct {
	mu    sync.Mutex
	order []int64          // numbers in the order of their first arrival
	ids   map[int64]string // delivery id of each number
	twice int
	fault string
}

func (k *told) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	var b struct {
		Data struct {
			Seq int64 `json:"seq"`
		} `json:"data"`
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil || json.Unmarshal(text, &b) != nil || b.Data.Seq == 0 || r.Header.Get("webhook-signature") == "" {
		k.fault = string(text)
	}
	id := r.Header.Get("webhook-id")
	if had, ok := k.ids[b.Data.Seq]; ok {
		if had != id {
			k.fault = "two delivery ids for one event"
		}
		k.twice++
		return
	}
	k.ids[b.Data.Seq] = id
	k.order = append(k.order, b.Data.Seq)
}

func (k *told) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.order)
}

// TestWebhookKill: the shipped binary is killed while it tells a receiver what
// happens. Every event arrives, in order, repeats carry the id of the first
// time and are not more than the kills; `casemate listen` sees the same.
func TestWebhookKill(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o := world.Options{Config: "webhooks: {allow: [127.0.0.1/32]}\n"}
			if database == "postgres" {
				o.Database = world.Database(t)
			}
			w := world.Start(t, o)
			k := &told{ids: map[int64]string{}}
			receiver := httptest.NewServer(k)
			t.Cleanup(receiver.Close)
			if out, err := w.Local("webhook", "add", receiver.URL, "--after", "0"); err != nil || !strings.Contains(out, "whsec_") {
				t.Fatalf("%v: %s", err, out)
			}
			const kills = 2
			for i := range kills {
				// The demo world's history is long enough to be killed in.
				for n := k.count(); k.count() < n+30; {
					time.Sleep(5 * time.Millisecond)
				}
				w.Kill()
				t.Logf("kill %d after %d events", i+1, k.count())
				w.Run()
			}
			var head struct {
				Last int64 `json:"last_event"`
			}
			system(t, w, &head)
			deadline := time.Now().Add(90 * time.Second)
			for int64(k.count()) < head.Last && time.Now().Before(deadline) {
				time.Sleep(50 * time.Millisecond)
			}
			k.mu.Lock()
			defer k.mu.Unlock()
			if k.fault != "" {
				t.Error(k.fault)
			}
			for i, n := range k.order {
				if n != int64(i+1) {
					t.Fatalf("the event in place %d has the number %d", i+1, n)
				}
			}
			if int64(len(k.order)) < head.Last || k.twice > kills {
				t.Errorf("%d of %d events arrived, %d of them twice after %d kills", len(k.order), head.Last, k.twice, kills)
			}
			t.Logf("REPORT webhook (%s): %d events after %d kills, 0 lost, %d repeated\n", database, len(k.order), kills, k.twice)

			state := filepath.Join(t.TempDir(), "state")
			out, err := w.Local("listen", "--after", "0", "--once", "--state", state)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(out, "\n")
			if int64(len(lines)) < head.Last {
				t.Errorf("listen printed %d of %d events", len(lines), head.Last)
			}
			// A program that fails once gets the event again, and the state file
			// spares a second run what the first had.
			if text, err := os.ReadFile(state); err != nil || len(bytes.TrimSpace(text)) == 0 {
				t.Fatal(err)
			}
			mark := filepath.Join(t.TempDir(), "mark")
			if err := os.WriteFile(state, []byte("5"), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err = w.Local("listen", "--once", "--state", state, "--kind", "ticket.create", "--exec", "if [ -e "+mark+" ]; then cat; else touch "+mark+"; exit 1; fi")
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(out, `"kind":"ticket.create"`); n < 40 {
				t.Errorf("the program got %d creations of the demo's forty:\n%.300s", n, out)
			}
		})
	}
}

func system(t *testing.T, w *world.World, into any) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(w.Dir, "local-token"))
	if err != nil {
		t.Fatal(err)
	}
	var local struct {
		Token string `json:"token"`
	}
	if json.Unmarshal(token, &local) != nil || local.Token == "" {
		local.Token = strings.TrimSpace(string(token))
	}
	r, err := http.NewRequest(http.MethodGet, w.URL+"/desk/v1/system", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", local.Token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil || res.StatusCode != 200 {
		t.Fatalf("%s: %v", res.Status, err)
	}
}
