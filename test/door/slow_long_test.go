//go:build long

package door

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// TestManySlowClients: ten thousand connections that rest for longer than five
// minutes, as the Java SDK's pool lets them, and beside them ten thousand slow
// senders, half of headers and half of bodies, each of whom comes back when it is
// cut off: others are not held up, the slow ones are cut off in time, the resting
// ones are still good, and afterwards nothing is left of any (threats.md E8).
func TestManySlowClients(t *testing.T) {
	const wanted, rest = 10_000, 5*time.Minute + 10*time.Second
	resters, senders := room(t, wanted)
	metrics, err := dbtest.Free()
	if err != nil {
		t.Fatal(err)
	}
	w := world.Start(t, world.Options{Direct: true, Config: fmt.Sprintf("metrics: %s\n", metrics)})
	address := strings.TrimPrefix(w.URL, "http://")
	token := w.Token(t, 0, 0)
	const asked = 1000
	ninetyNine(t, w, token, 50)
	alone := ninetyNine(t, w, token, asked)
	begin := state(t, w, "alone")

	idle := make([]*rester, resters)
	var group sync.WaitGroup
	next := make(chan int)
	for range 64 { // as many at once as a listener's queue holds with ease
		group.Go(func() {
			for i := range next {
				c, err := rests(fmt.Sprintf("127.0.1.%d", 1+i%4), address)
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
					continue
				}
				idle[i] = c
			}
		})
	}
	// No more than 1,000 a second: the kernel asks all of a quarter of a second at
	// once whether they are still there, each 15 s. More than 1,000 such packets the
	// loopback drops (net.core.netdev_max_backlog), the same ones each time, until
	// those connections are given up.
	began := time.Now()
	for i := range resters {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Millisecond)))
		next <- i
	}
	close(next)
	group.Wait()
	if t.Failed() {
		return
	}
	opened := time.Now()
	t.Logf("REPORT idle: %d connections, each answered once, in %.1f s\n", resters, opened.Sub(began).Seconds())
	defer func() {
		for _, c := range idle {
			c.Close()
		}
	}()
	others(t, alone, ninetyNine(t, w, token, asked), fmt.Sprintf("%d idle connections", resters))
	if at := state(t, w, "beside the idle ones"); at.open < begin.open+resters {
		t.Errorf("the server has %d open files, alone %d: not %d connections", at.open, begin.open, resters)
	}

	var heads, texts slow
	heads.again.Store(true)
	texts.again.Store(true)
	for i := range senders / 2 {
		from := fmt.Sprintf("127.0.2.%d", 1+i%4)
		heads.send(from, address, slowHead, 2*time.Second, 60*time.Second)
		texts.send(from, address, slowBody(token), 2*time.Second, 90*time.Second)
	}
	slowNow := func() int { return int(heads.open.Load() + texts.open.Load()) }
	for end := time.Now().Add(time.Minute); slowNow() < senders/2*2*99/100; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d slow senders at once of %d", slowNow(), senders)
		}
	}
	fewest, watched := senders, make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			fewest = min(fewest, slowNow())
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	during := ninetyNine(t, w, token, asked)
	close(stop)
	<-watched
	others(t, alone, during, fmt.Sprintf("%d idle connections and at least %d slow senders", resters, fewest))
	if fewest < senders*9/10 {
		t.Errorf("at times only %d slow senders of %d", fewest, senders)
	}
	if at := state(t, w, "beside all of them"); at.open < begin.open+resters+senders*9/10 {
		t.Errorf("the server has %d open files, alone %d: not %d connections", at.open, begin.open, resters+senders)
	}
	heads.again.Store(false)
	texts.again.Store(false)
	heads.group.Wait()
	texts.group.Wait()
	heads.judge(t, "headers", headMost)
	texts.judge(t, "bodies", bodyMost)
	if at := state(t, w, "after the slow ones"); at.open > begin.open+resters+20 {
		t.Errorf("the server has %d open files, %d before the slow senders", at.open, begin.open+resters)
	}

	time.Sleep(time.Until(opened.Add(rest)))
	good, bad := 0, 0
	for i, c := range idle {
		if err := c.ask(); err == nil {
			good++
		} else if bad++; bad <= 5 {
			t.Errorf("connection %d after %v: %v", i, time.Since(opened).Round(time.Second), err)
		}
	}
	t.Logf("REPORT idle: %d of %d answer after %v\n", good, resters, rest)
	for _, c := range idle {
		c.Close()
	}
	var at figures
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		at = figuresOf(t, w)
		if at.open <= begin.open+20 || time.Now().After(end) {
			break
		}
	}
	if at.open > begin.open+20 {
		t.Errorf("the server has %d open files in the end, %d in the beginning", at.open, begin.open)
	}
	others(t, alone, ninetyNine(t, w, token, asked), "nobody any more")
	state(t, w, "in the end")
	if now, most := goroutines(t, metrics), 400.0; now > most {
		t.Errorf("%v goroutines in the end", now)
	}
}

// room is how many connections that rest and how many slow senders there may be,
// of so many of each: all, where this process and those it starts may have as many
// files open. It tells where they may not.
func room(t *testing.T, wanted int) (idle, slow int) {
	t.Helper()
	const others = 200 // files that the server and this process have besides
	need := uint64(2*wanted + others)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	more := syscall.Rlimit{Cur: max(limit.Cur, need), Max: max(limit.Max, need)}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &more); err == nil { // for children, too, as it is set here
		t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) })
		return wanted, wanted
	}
	may := int(limit.Max) - others
	idle = min(wanted, may/2+may/4)
	if slow = may - idle; slow < 500 {
		t.Fatalf("%d open files are too few for this test, it needs %d", limit.Max, need)
	}
	t.Logf("REPORT slow clients: ONLY %d that rest and %d slow ones instead of %d of each, as a process may have only %d files open here\n", idle, slow, wanted, limit.Max)
	return idle, slow
}

// figures of the server's process.
type figures struct {
	open int
	mib  int64
}

func figuresOf(t *testing.T, w *world.World) (f figures) {
	t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", w.PID()))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", w.PID()))
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return figures{open: len(all), mib: pages * int64(os.Getpagesize()) >> 20}
}

// state tells and returns them.
func state(t *testing.T, w *world.World, when string) figures {
	t.Helper()
	f := figuresOf(t, w)
	t.Logf("REPORT server %s: %d open files, %d MiB\n", when, f.open, f.mib)
	return f
}

// goroutines of the server.
func goroutines(t *testing.T, metrics string) (n float64) {
	t.Helper()
	res, err := http.Get("http://" + metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "go_goroutines "); ok {
			if _, err := fmt.Sscan(value, &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no go_goroutines among the metrics")
	return 0
}

// slowBody is a request whose body does not come.
func slowBody(token string) string {
	return "POST /v2/servicerequest/cases HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\nX-Auth-Token: " + token + "\r\n\r\n{"
}
