package nodes

import (
	"bufio"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// metric reads one figure of a node's metrics page.
func metric(t *testing.T, address, name string) float64 {
	t.Helper()
	res, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			f, err := strconv.ParseFloat(rest, 64)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// TestPgRestart takes the database away five times under load: the node stays
// up, answers 503 with Retry-After meanwhile, is back within 5 s, loses nothing
// it acknowledged and keeps no goroutine of the trouble (threats.md E10).
func TestPgRestart(t *testing.T) {
	server, err := dbtest.LaunchPostgres(filepath.Join(t.TempDir(), "pg"), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	database, err := server.CreateDatabase("casemate")
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := dbtest.Free()
	if err != nil {
		t.Fatal(err)
	}
	w := world.Start(t, world.Options{Database: database, Direct: true, Config: fmt.Sprintf("metrics: %s\n", metrics)})
	pid, user := w.PID(), w.Domains[0].Users[0]
	problem := consultation(t, sdk(t, w.URL, user))
	seen := map[int]int{}
	load := startWriters(t, 16, w.URL, user, problem, func(err error) bool {
		return status(err) == http.StatusServiceUnavailable
	})
	ask := func() (code int, retry string) {
		res, err := http.Get(w.URL + "/readyz")
		if err != nil {
			t.Fatalf("the node does not answer: %v", err)
		}
		res.Body.Close()
		return res.StatusCode, res.Header.Get("Retry-After")
	}
	time.Sleep(time.Second)
	calm := metric(t, metrics, "go_goroutines")
	var slowest time.Duration
	for round := range 5 {
		server.Stop()
		down := time.Now()
		for time.Since(down) < time.Second {
			code, retry := ask()
			seen[code]++
			if code != http.StatusOK && retry == "" {
				t.Error("503 without Retry-After")
			}
			time.Sleep(50 * time.Millisecond)
		}
		if code, _ := ask(); code != http.StatusServiceUnavailable {
			t.Errorf("round %d: readyz says %d while the database is down", round, code)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		back := time.Now()
		for code, _ := ask(); code != http.StatusOK; code, _ = ask() {
			if time.Since(back) > 5*time.Second {
				t.Fatalf("round %d: not back 5 s after the database", round)
			}
			time.Sleep(10 * time.Millisecond)
		}
		slowest = max(slowest, time.Since(back))
		time.Sleep(time.Second) // work goes on before the next
	}
	load.end()
	for i, err := range load.bad {
		if i == 10 {
			t.Errorf("and %d more", len(load.bad)-10)
			break
		}
		t.Errorf("a client met: %v", err)
	}
	if w.PID() != pid {
		t.Error("the process is another one")
	}
	if load.met == 0 {
		t.Error("no client met a 503: the database was not away")
	}
	lost := load.lost(t, w.URL, user)
	// Idle connections of the clients end, what waited for the database too.
	after := 0.0
	for range 200 {
		if after = metric(t, metrics, "go_goroutines"); after <= calm+10 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if after > calm+40 {
		t.Errorf("goroutines: %v before, %v after", calm, after)
	}
	t.Logf("REPORT database restarts: 5 under 16 SDK clients: %d tickets acknowledged, %d lost, %d clients' 503, back after %d ms at most, goroutines %v before and %v after\n",
		len(load.acked), lost, load.met, slowest.Milliseconds(), calm, after)
}
