package crash

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"casemate/test/world"
)

// TestSyncBeforeAck traces the system calls of the shipped binary while tickets
// are created one after another: between the last write to the database's log
// and the answer to the client there is always a sync of that log.
func TestSyncBeforeAck(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is needed: make setup installs it")
	}
	trace := filepath.Join(t.TempDir(), "trace")
	w := world.Start(t, world.Options{Wrap: []string{strace, "-f", "-y", "-s", "8192", "-o", trace,
		"-e", "trace=write,pwrite64,writev,fsync,fdatasync,sendto", "--"}, Config: "drain: 100ms\n"})
	c := client(t, w)
	problem := problemType(t, c)
	const tickets = 30
	for range tickets {
		if _, err := create(c, problem, "sync before answer"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.Stop()
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	answers, bad := readTrace(string(text))
	t.Logf("REPORT sync before answer: %d answers to creates, %d without a sync after the last database write\n", answers, bad)
	if answers < tickets {
		t.Errorf("the trace shows %d answers, want at least %d", answers, tickets)
	}
	if bad > 0 {
		t.Errorf("%d answers left before the database was synced", bad)
	}
}

var (
	walWrite = regexp.MustCompile(`\b(?:pwrite64|write|writev)\(\d+<[^>]*casemate\.db-wal>`)
	walSync  = regexp.MustCompile(`\bf(?:data)?sync\(\d+<[^>]*casemate\.db-wal>`)
	// The answer of CreateCases carries the ticket's number.
	answer = regexp.MustCompile(`\b(?:write|sendto|writev)\(\d+<(?:socket|TCP).*incident_id[\\":]+(TS[0-9A-Z]{19})`)
	number = regexp.MustCompile(`TS[0-9]{6}[0-9A-Z]{13}`)
)

// readTrace walks the trace. A ticket's number in a write to the log dirties
// that ticket; a sync that began after the write cleans it; its answer must
// find it written and clean. A system call that is split in the trace counts
// from its resumption.
func readTrace(text string) (answers, bad int) {
	dirty := map[string]bool{}              // written, not yet synced
	clean := map[string]bool{}              // written and synced
	syncing := map[string]map[string]bool{} // thread -> what its sync will clean
	for line := range strings.SplitSeq(text, "\n") {
		thread, rest, _ := strings.Cut(line, " ")
		switch {
		case walWrite.MatchString(rest):
			for _, n := range number.FindAllString(rest, -1) {
				if !clean[n] { // later pages may hold old rows again
					dirty[n] = true
				}
			}
		case walSync.MatchString(rest):
			syncing[thread] = maps.Clone(dirty)
			if strings.Contains(rest, "unfinished") {
				continue
			}
			settle(dirty, clean, syncing[thread])
		case strings.Contains(rest, "sync resumed"):
			settle(dirty, clean, syncing[thread])
		default:
			if m := answer.FindStringSubmatch(rest); m != nil {
				answers++
				if !clean[m[1]] {
					bad++
				}
			}
		}
	}
	return answers, bad
}

func settle(dirty, clean, synced map[string]bool) {
	for n := range synced {
		delete(dirty, n)
		clean[n] = true
	}
}
