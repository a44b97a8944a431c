package delivery

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casemate/test/world"
)

// numbered is an event as `casemate listen` prints it.
type numbered struct {
	Seq       int64  `json:"seq"`
	DomainSeq int64  `json:"domain_seq"`
	Domain    string `json:"domain_id"`
	ID        string `json:"id"`
	At        string `json:"at"`
}

// TestListenAfterDay: who follows the change feed with `casemate listen` and
// was away for a simulated day, in which the server was killed as well, gets
// what he missed: of all domains and of one, no number left out, none twice.
func TestListenAfterDay(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			var o world.Options // its whole draining: what happened last is sealed in it
			if database == "postgres" {
				o.Database = world.Database(t)
			}
			w := world.Start(t, o)
			dir := t.TempDir()
			catch := func(state string, args ...string) []numbered {
				t.Helper()
				out, err := w.Local(append([]string{"listen", "--once", "--after", "0", "--state", filepath.Join(dir, state)}, args...)...)
				if err != nil {
					t.Fatal(err)
				}
				var list []numbered
				for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
					var e numbered
					if err := d.Decode(&e); err != nil {
						t.Fatal(err)
					}
					list = append(list, e)
				}
				return list
			}
			domain := w.Domains[0].Name
			var all []numbered
			for range 300 { // history is sealed a moment behind what happens
				if all = append(all, catch("all")...); len(all) > 100 {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			own := catch("own", "--domain", domain)
			before := len(all)
			if before <= 100 || len(own) == 0 {
				t.Fatalf("the demo's history: %d events, %d of one domain", before, len(own))
			}

			kind, send := w.Consultation(t), w.SendAs(w.Token(t, 0, 0))
			const talks = 260 // more than a page of the feed
			write := func(n int) {
				t.Helper()
				status, text := send(http.MethodPost, "/v2/servicerequest/cases", map[string]any{"business_type_id": kind, "simple_description": fmt.Sprint("missed ", n), "source_id": "83aeb0f2834c4df49826c781d32a963e"})
				if status/100 != 2 {
					t.Fatalf("ticket %d: %d %s", n, status, text)
				}
			}
			for n := range talks / 2 {
				write(n)
			}
			w.Kill()
			w.Run()
			for n := range talks / 2 {
				write(talks/2 + n)
			}
			// A day passes for the server's own housekeeping: what it keeps for a
			// while is over, the history is not.
			w.Stop()
			w.Exec(t, "UPDATE request_keys SET kept_until = kept_until - 86400000")
			w.Exec(t, "UPDATE notify_messages SET created_at = created_at - 86400000, expires_at = expires_at - 86400000")
			w.Run()
			all, own = append(all, catch("all")...), append(own, catch("own", "--domain", domain)...)
			again := len(catch("all")) + len(catch("own", "--domain", domain))

			ids := map[string]bool{}
			for i, e := range all {
				if e.Seq != int64(i+1) {
					t.Fatalf("place %d of the feed has the number %d", i+1, e.Seq)
				}
				ids[e.ID] = true
			}
			for i, e := range own {
				if e.DomainSeq != int64(i+1) || e.Domain != w.Domains[0].ID || !ids[e.ID] {
					t.Fatalf("place %d of the domain's feed: %+v", i+1, e)
				}
			}
			if missed := len(all) - before; len(ids) != len(all) || missed < talks || again > 5 {
				t.Errorf("%d events, %d ids, %d missed, %d again", len(all), len(ids), missed, again)
			}
			t.Logf("REPORT change feed (%s): away while %d events happened: %d of %d in order, 0 missing, 0 twice; %d of one domain likewise\n", database, len(all)-before, len(all), len(all), len(own))
		})
	}
}
