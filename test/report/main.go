// Command report reads the output of go test -json and prints what a person
// wants to see of it: each package's verdict, the whole output of what failed,
// the lines that tests print with the mark "REPORT ", and the totals. With
// CI=true a skipped test is a failure: a promise without a running test counts
// as broken.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type event struct {
	Action  string
	Package string
	Test    string
	Elapsed float64
	Output  string
}

func main() {
	var passed, failed, skipped int
	output := map[string][]string{}
	racing := map[string]bool{}     // packages in the middle of the report of a race
	unfinished := map[string]bool{} // a line that go test cut into several outputs
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 64<<20)
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) != nil || e.Action == "" {
			fmt.Println(in.Text()) // what the go command itself says
			continue
		}
		key := e.Package + "\x00" + e.Test
		switch e.Action {
		case "output", "build-output":
			output[key] = append(output[key], e.Output)
			i := strings.Index(e.Output, "REPORT ")
			switch {
			case unfinished[key]:
				fmt.Print(e.Output)
			case i >= 0:
				fmt.Print("    ", e.Output[i+len("REPORT "):])
			}
			if unfinished[key] || i >= 0 {
				unfinished[key] = !strings.HasSuffix(e.Output, "\n")
			}
			// A race is told in the output of whatever test ran last, which may pass.
			if strings.Contains(e.Output, "WARNING: DATA RACE") {
				racing[e.Package] = true
			}
			if racing[e.Package] {
				fmt.Print(e.Output)
				if strings.HasPrefix(e.Output, "==================") && !strings.Contains(e.Output, "WARNING") {
					delete(racing, e.Package)
				}
			}
			if e.Action == "build-output" {
				fmt.Print(e.Output)
			}
		case "pass", "fail", "skip":
			if e.Test == "" {
				fmt.Printf("%-5s %-40s %6.1fs\n", verdict(e.Action), e.Package, e.Elapsed)
				if e.Action == "fail" {
					failed++
					fmt.Print(strings.Join(output[key], ""))
				}
				continue
			}
			switch e.Action {
			case "pass":
				passed++
			case "skip":
				skipped++
				fmt.Printf("SKIP  %s %s\n%s", e.Package, e.Test, strings.Join(output[key], ""))
			case "fail":
				failed++
				fmt.Printf("FAIL  %s %s\n%s", e.Package, e.Test, strings.Join(output[key], ""))
			}
			delete(output, key)
		}
	}
	if err := in.Err(); err != nil {
		fmt.Println("reading the test output:", err)
		failed++
	}
	if passed == 0 {
		fmt.Println("no test ran")
		failed++
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 || skipped > 0 && os.Getenv("CI") == "true" {
		if failed == 0 {
			fmt.Println("a skipped test is a failure here (CI=true)")
		}
		os.Exit(1)
	}
}

func verdict(action string) string {
	return map[string]string{"pass": "ok", "fail": "FAIL", "skip": "none"}[action]
}
