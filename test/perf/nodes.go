package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"casemate/internal/db/dbtest"
)

// nodesFigures creates tickets through one, two and three nodes on one
// PostgreSQL, 24 connections in all, in turns; beside each figure stands where
// the processor's time went.
func nodesFigures(binary string, length time.Duration, rounds int, trace bool) error {
	dir, err := os.MkdirTemp("", "casemate-perf")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := dbtest.LaunchPostgres(filepath.Join(dir, "pg"), true)
	if err != nil {
		return err
	}
	defer server.Stop()
	database, err := server.CreateDatabase("casemate")
	if err != nil {
		return err
	}
	var tracing *tracer
	if trace {
		if tracing, err = newTracer(server, database); err != nil {
			return err
		}
		defer tracing.pool.Close()
	}
	var nodes []*process
	defer func() {
		for _, n := range nodes {
			n.stop()
		}
	}()
	for i := range 3 {
		own := filepath.Join(dir, fmt.Sprint("node", i))
		if err := os.Mkdir(own, 0o700); err != nil {
			return err
		}
		var more []string
		if i > 0 { // the first node's world and keys
			first := filepath.Join(dir, "node0")
			text, err := os.ReadFile(filepath.Join(first, "credentials.json"))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(own, "credentials.json"), text, 0o600); err != nil {
				return err
			}
			more = []string{"--keys", filepath.Join(first, "data.keys")}
		}
		n, err := start(binary, own, database, more...)
		if err != nil {
			return err
		}
		nodes = append(nodes, n)
		if _, err := n.measure(8, time.Second, "warm-up"); err != nil {
			return err
		}
	}
	const connections = 24
	type share struct{ rate, nodes, database, client float64 }
	by := map[int][]share{}
	for round := range rounds {
		for many := 1; many <= len(nodes); many++ {
			var pids []int
			for _, n := range nodes {
				pids = append(pids, n.pid)
			}
			var ours, theirs, mine float64
			var (
				all   sync.WaitGroup
				mu    sync.Mutex
				rate  float64
				first error
			)
			ready, prepared := make(chan struct{}), make([][][]byte, many)
			for i := range many {
				if prepared[i], err = signedCreates(nodes[i].url, nodes[i].ak, nodes[i].sk, nodes[i].problem, fmt.Sprintf("round %d, node %d of %d", round, i, many), int(length.Seconds()*6000)); err != nil {
					return err
				}
			}
			ours, theirs, mine = seconds(pids...), seconds(family(server.PID())...), seconds(os.Getpid())
			for i := range many {
				all.Go(func() {
					<-ready
					f, err := load(nodes[i].url, connections/many, length, prepared[i])
					mu.Lock()
					defer mu.Unlock()
					rate += f.perSecond
					if err != nil {
						first = err
					}
				})
			}
			stop := func() error { return nil }
			if tracing != nil {
				stop = tracing.start(fmt.Sprintf("round %d, %d nodes", round, many))
			}
			close(ready)
			all.Wait()
			if err := stop(); err != nil {
				return err
			}
			if first != nil {
				return first
			}
			s := share{rate: rate, nodes: seconds(pids...) - ours, database: seconds(family(server.PID())...) - theirs, client: seconds(os.Getpid()) - mine}
			by[many] = append(by[many], s)
			if trace {
				fmt.Printf("=== round %d, %d nodes: %.0f/s\n", round, many, rate)
			}
		}
	}
	fmt.Printf("PostgreSQL, CreateCases through several nodes, %d connections in all (client, nodes and PostgreSQL on the same cores)\n", connections)
	for many := 1; many <= len(nodes); many++ {
		var rates, ratios []float64
		var sum share
		for i, s := range by[many] {
			rates, ratios = append(rates, s.rate), append(ratios, s.rate/by[1][i].rate)
			sum.nodes, sum.database, sum.client = sum.nodes+s.nodes, sum.database+s.database, sum.client+s.client
		}
		all := (sum.nodes + sum.database + sum.client) / 100
		fmt.Printf("  %d nodes   %s per second, over one node %s; processor: database %.0f %%, nodes %.0f %%, client %.0f %%\n",
			many, list(rates), list(ratios), sum.database/all, sum.nodes/all, sum.client/all)
	}
	fmt.Println()
	return nil
}

// seconds is the processor time of processes, with that of their ended children.
func seconds(pids ...int) (s float64) {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // ended; its parent has its time
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, f := range fields[11:15] { // utime, stime, cutime, cstime (proc(5)), in hundredths
			n, _ := strconv.ParseFloat(f, 64)
			s += n / 100
		}
	}
	return s
}

// family is a process and its children.
func family(pid int) []int {
	all := []int{pid}
	found, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range found {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if parent, _ := strconv.Atoi(fields[1]); parent == pid {
			child, _ := strconv.Atoi(strings.Split(f, "/")[2])
			all = append(all, child)
		}
	}
	return all
}
