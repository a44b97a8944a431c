// Command report reads the output of go test -json and prints what a person
// wants to see of it: each package's verdict, the lines that tests print with
// the mark "REPORT ", the totals, and at the very end, where no log cuts it off,
// the whole output of what failed and every report of a data race. With CI=true
// a skipped test is a failure: a promise without a running test counts as broken.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

type event struct {
	Action      string
	Package     string
	ImportPath  string // of a build's output
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

func main() {
	if !report(os.Stdin, os.Stdout, os.Getenv("CI") == "true") {
		os.Exit(1)
	}
}

// trial is a test or, with an empty name, a package's own output.
type trial struct{ pkg, name string }

func (t trial) String() string { return strings.TrimSpace(t.pkg + " " + t.name) }

// race is a report of the race detector. It stands in the output of whatever
// test ran last, which may have nothing to do with it and pass.
type race struct {
	in    trial
	text  string
	times int
}

type reporter struct {
	out                     io.Writer
	passed, failed, skipped int
	output                  map[trial][]string // of what has no verdict yet
	unfinished              map[trial]bool     // a line that go test cut into several outputs
	wrong                   []string           // headed outputs of what failed
	exits                   []string           // of go test, when it was not content
	builds                  map[string][]string
	racing                  map[string]*race // packages in the middle of the report of a race
	races                   map[string]*race // by text without addresses
	order                   []string         // of races
}

// report tells whether all is well.
func report(in io.Reader, out io.Writer, strict bool) bool {
	r := &reporter{out: out, output: map[trial][]string{}, unfinished: map[trial]bool{}, builds: map[string][]string{},
		racing: map[string]*race{}, races: map[string]*race{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Action == "" {
			fmt.Fprintln(out, lines.Text()) // what the go command itself says
			continue
		}
		at := trial{e.Package, e.Test}
		switch e.Action {
		case "output":
			r.said(at, e.Output)
		case "exit": // scripts/test.sh says it
			r.exits = append(r.exits, e.Output)
		case "build-output":
			r.builds[e.ImportPath] = append(r.builds[e.ImportPath], e.Output)
		case "pass", "fail", "skip":
			if e.Test == "" {
				r.ended(at, e)
			} else {
				r.verdict(at, e.Action)
			}
		}
	}
	if err := lines.Err(); err != nil {
		r.fail("reading the test output: " + err.Error() + "\n")
	}
	// A package that never ended: the go command was killed.
	for _, at := range slices.SortedFunc(maps.Keys(r.output), compare) {
		r.fail("UNFINISHED " + at.String() + "\n" + strings.Join(r.output[at], ""))
	}
	if r.passed == 0 {
		r.fail("no test ran\n")
	}
	// What fails has said so above, but for a go test that could not even begin.
	if r.failed == 0 && len(r.order) == 0 {
		for _, text := range r.exits {
			r.fail(text + "\n")
		}
	}
	return r.conclude(strict)
}

func compare(a, b trial) int { return strings.Compare(a.String(), b.String()) }

// said takes a piece of output.
func (r *reporter) said(at trial, text string) {
	r.output[at] = append(r.output[at], text)
	i := strings.Index(text, "REPORT ")
	switch {
	case r.unfinished[at]:
		fmt.Fprint(r.out, text)
	case i >= 0:
		fmt.Fprint(r.out, "    ", text[i+len("REPORT "):])
	}
	if r.unfinished[at] || i >= 0 {
		r.unfinished[at] = !strings.HasSuffix(text, "\n")
	}
	now := r.racing[at.pkg]
	if strings.Contains(text, "WARNING: DATA RACE") {
		r.noted(at.pkg)
		r.racing[at.pkg] = &race{in: at, text: text}
		return
	}
	if now != nil {
		now.text += text
		if strings.HasPrefix(text, "==================") {
			r.noted(at.pkg)
		}
	}
}

var changing = regexp.MustCompile(`0x[0-9a-f]+|[Gg]oroutine \d+`)

// noted keeps the report of a race that has ended; one that was seen already is counted.
func (r *reporter) noted(pkg string) {
	found := r.racing[pkg]
	if found == nil {
		return
	}
	delete(r.racing, pkg)
	key := pkg + "\n" + changing.ReplaceAllString(found.text, "")
	if r.races[key] == nil {
		r.races[key] = found
		r.order = append(r.order, key)
	}
	r.races[key].times++
}

func (r *reporter) fail(text string) {
	r.failed++
	r.wrong = append(r.wrong, text)
}

// verdict is a test's.
func (r *reporter) verdict(at trial, action string) {
	text := strings.Join(r.output[at], "")
	delete(r.output, at)
	delete(r.unfinished, at)
	switch action {
	case "pass":
		r.passed++
	case "skip":
		r.skipped++
		fmt.Fprintf(r.out, "SKIP  %s\n%s", at, text)
	case "fail":
		fmt.Fprintf(r.out, "FAIL  %s\n", at)
		r.fail("FAIL  " + at.String() + "\n" + text)
	}
}

// ended is a package's verdict.
func (r *reporter) ended(at trial, e event) {
	fmt.Fprintf(r.out, "%-5s %-40s %6.1fs\n", map[string]string{"pass": "ok", "fail": "FAIL", "skip": "none"}[e.Action], at.pkg, e.Elapsed)
	r.noted(at.pkg)
	// Tests without a verdict: the process died under them.
	var cut strings.Builder
	for _, other := range slices.SortedFunc(maps.Keys(r.output), compare) {
		if other.pkg != at.pkg {
			continue
		}
		if e.Action == "fail" && other != at {
			fmt.Fprintf(&cut, "CUT   %s\n%s", other, strings.Join(r.output[other], ""))
		}
		if other != at {
			delete(r.output, other)
		}
	}
	if e.Action == "fail" {
		r.fail("FAIL  " + at.pkg + "\n" + strings.Join(r.builds[e.FailedBuild], "") + cut.String() + strings.Join(r.output[at], ""))
	}
	delete(r.output, at)
}

func (r *reporter) conclude(strict bool) bool {
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	well := r.failed == 0 && len(r.order) == 0 && (r.skipped == 0 || !strict)
	if well {
		return true
	}
	if r.failed == 0 && r.skipped > 0 {
		fmt.Fprintln(r.out, "a skipped test is a failure here (CI=true)")
	}
	for _, key := range r.order {
		found := r.races[key]
		fmt.Fprintf(r.out, "\n======== data race, seen %d times, first while this ran: %s\n%s", found.times, found.in, found.text)
	}
	for _, text := range r.wrong {
		fmt.Fprintf(r.out, "\n======== %s", text)
	}
	fmt.Fprintf(r.out, "\n%d passed, %d failed, %d skipped, %d data races\n", r.passed, r.failed, r.skipped, len(r.order))
	return false
}
