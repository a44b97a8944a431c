// Command perf measures creating tickets against the shipped binary, with the
// probes of the bare limits beside the figures, all in one run. It prints the
// table of docs/BENCHMARKS.md; ratios count, absolute figures are this
// machine's.
//
//	make bench
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

func main() {
	seconds := flag.Int("seconds", 8, "length of each measurement")
	rounds := flag.Int("rounds", 3, "how often each pair is measured; the median counts")
	binary := flag.String("casemate", "bin/casemate", "the binary")
	only := flag.String("only", "", "sqlite, postgres or nodes; without it all of them")
	trace := flag.Bool("trace", false, "nodes: print what PostgreSQL waits for and does in each measurement")
	flag.Parse()
	if err := run(*binary, time.Duration(*seconds)*time.Second, *rounds, *only, *trace); err != nil {
		fmt.Fprintln(os.Stderr, "perf:", err)
		os.Exit(1)
	}
}

func run(binary string, length time.Duration, rounds int, only string, trace bool) error {
	fmt.Printf("%d cores, %s, %s\n\n", runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format("2006-01-02"))
	for _, part := range []struct {
		name    string
		figures func() error
	}{
		{"sqlite", func() error { return sqliteFigures(binary, length, rounds) }},
		{"postgres", func() error { return postgresFigures(binary, length, rounds) }},
		{"nodes", func() error { return nodesFigures(binary, length, rounds, trace) }},
	} {
		if only != "" && only != part.name {
			continue
		}
		if err := part.figures(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}
