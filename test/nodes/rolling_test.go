package nodes

import (
	"os"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// TestRollingRestart restarts three nodes one after another, round after round,
// under 32 clients of the official SDK that repeat nothing: no client meets an
// error, and what was acknowledged is there (threats.md E7).
func TestRollingRestart(t *testing.T) {
	rounds, pause := 4, "drain: 1s\n"
	if os.Getenv("CASEMATE_LONG") != "" {
		rounds, pause = 10, ""
	}
	database := dbtest.DurableDatabase(t)
	one := world.Start(t, world.Options{Database: database, Config: pause, Direct: true})
	nodes := []*world.World{one} // the others serve the same demo world: no quota
	for range 2 {
		nodes = append(nodes, world.Start(t, world.Options{Database: database, NoDemo: true, Config: pause, Direct: true, Args: []string{"--demo", "--credentials", one.CredentialsFile(), "--keys", one.Dir + ".keys"}}))
	}
	b := newBalancer(t, nodes...)
	user := one.Domains[0].Users[0]
	problem := consultation(t, sdk(t, b.URL, user))
	load := startWriters(t, 32, b.URL, user, problem, nil)
	began := time.Now()
	for range rounds {
		for _, n := range nodes {
			n.Stop()
			n.Run()
			time.Sleep(300 * time.Millisecond) // the balancer sees it again before the next one goes
		}
	}
	took := time.Since(began)
	load.end()
	for i, err := range load.bad {
		if i == 10 {
			t.Errorf("and %d more", len(load.bad)-10)
			break
		}
		t.Errorf("a client met: %v", err)
	}
	lost := load.lost(t, b.URL, user)
	var shares []int64
	for _, n := range b.nodes {
		shares = append(shares, n.took.Load())
		if n.took.Load() == 0 {
			t.Errorf("%s got no request", n.url)
		}
	}
	if len(load.acked) < 32*rounds {
		t.Errorf("only %d tickets were made", len(load.acked))
	}
	t.Logf("REPORT rolling restart: %d restarts of 3 nodes in %.0f s under 32 SDK clients: %d tickets created and read, %d client errors, %d lost; requests per node %v\n",
		3*rounds, took.Seconds(), len(load.acked), len(load.bad), lost, shares)
}
