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
	flag.Parse()
	if err := run(*binary, time.Duration(*seconds)*time.Second, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "perf:", err)
		os.Exit(1)
	}
}

func run(binary string, length time.Duration, rounds int) error {
	fmt.Printf("%d cores, %s, %s\n\n", runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format("2006-01-02"))
	if err := sqliteFigures(binary, length, rounds); err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	if err := postgresFigures(binary, length, rounds); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if err := nodesFigures(binary, length, rounds); err != nil {
		return fmt.Errorf("nodes: %w", err)
	}
	return nil
}
