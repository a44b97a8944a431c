//go:build long

package nodes

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// TestSoak works on a node for a while (CASEMATE_SOAK, e.g. 60m; 30 minutes
// without it) and then looks for what leaks: memory, goroutines, descriptors and
// files (threats.md E16).
func TestSoak(t *testing.T) {
	length := 30 * time.Minute
	if d, err := time.ParseDuration(os.Getenv("CASEMATE_SOAK")); err == nil {
		length = d
	}
	metrics, err := dbtest.Free()
	if err != nil {
		t.Fatal(err)
	}
	w := world.Start(t, world.Options{Direct: true, Config: fmt.Sprintf("metrics: %s\n", metrics)})
	problem := w.Consultation(t)
	var (
		clients sync.WaitGroup
		asked   atomic.Int64
		stop    = make(chan struct{})
	)
	for i := range 4 {
		token := w.Token(t, 0, 0)
		send := w.SendAs(token)
		clients.Go(func() {
			for j := 0; ; j++ {
				select {
				case <-stop:
					return
				case <-time.After(100 * time.Millisecond):
				}
				if j%2000 == 1999 {
					send = w.SendAs(w.Token(t, 0, 0)) // people log in again
				}
				status, text := send(http.MethodPost, "/v2/servicerequest/cases", map[string]any{"business_type_id": problem, "source_id": sourceAPI,
					"simple_description": fmt.Sprintf("soak %d %d 云服务器无法登录", i, j)})
				if status != 200 {
					t.Error(status, text)
					return
				}
				number := strings.Split(text, `"`)[3]
				for _, c := range []struct {
					method, path string
					body         any
				}{
					{http.MethodPost, "/" + number + "/message", map[string]any{"message": map[string]any{"content": "one more line"}}},
					{http.MethodGet, "/" + number, nil},
					{http.MethodGet, "?limit=10", nil},
				} {
					if status, text := send(c.method, "/v2/servicerequest/cases"+c.path, c.body); status != 200 {
						t.Errorf("%s %s: %d %s", c.method, c.path, status, text)
						return
					}
				}
				asked.Add(4)
			}
		})
	}
	resident := func() float64 {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", w.PID()))
		if err != nil {
			t.Fatal(err)
		}
		pages, _ := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
		return pages * float64(os.Getpagesize()) / (1 << 20)
	}
	entries := func(dir string) int {
		all, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	open := func() int { return entries(fmt.Sprintf("/proc/%d/fd", w.PID())) }
	temporary := func() (n int) {
		_ = filepath.WalkDir(w.Dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				n++
			}
			return nil
		})
		return n
	}
	type third struct {
		mib        []float64
		goroutines []float64
		open       []int
	}
	var parts [3]third
	filesAt := 0
	for began := time.Now(); time.Since(began) < length && !t.Failed(); time.Sleep(time.Second) {
		i := min(2, int(3*time.Since(began)/length))
		if i > 0 && filesAt == 0 {
			filesAt = temporary()
		}
		p := &parts[i]
		p.mib, p.goroutines, p.open = append(p.mib, resident()), append(p.goroutines, metric(t, metrics, "go_goroutines")), append(p.open, open())
	}
	files := temporary()
	close(stop)
	clients.Wait()
	if t.Failed() {
		return
	}
	// The first third is for warming up.
	mid, late := parts[1], parts[2]
	median := func(v []float64) float64 { slices.Sort(v); return v[len(v)/2] }
	before, after := median(mid.mib), median(late.mib)
	per10 := (after/before - 1) * 100 * float64(10*time.Minute) / float64(length/3)
	goroutines := [2]float64{median(mid.goroutines), median(late.goroutines)}
	descriptors := [2]int{slices.Max(mid.open), slices.Max(late.open)}
	t.Logf("REPORT soak: %v, %d requests, memory %.0f MiB, then %.0f MiB (%.1f %% in 10 minutes), goroutines %.0f, %.0f, descriptors %d, %d, files %d, %d\n",
		length, asked.Load(), before, after, per10, goroutines[0], goroutines[1], descriptors[0], descriptors[1], filesAt, files)
	// Less than an hour is too short for 1 %: the collector's own ups and downs.
	if most := 1 + 4*max(0, 1-length.Hours()); length >= 30*time.Minute && per10 > most { // before, caches still fill
		t.Errorf("memory grows by %.1f %% in 10 minutes, at most %.1f %%", per10, most)
	}
	if goroutines[1] > goroutines[0]+5 || descriptors[1] > descriptors[0]+5 || files > filesAt+2 {
		t.Errorf("goroutines %v, descriptors %v, files %d, then %d", goroutines, descriptors, filesAt, files)
	}
}
