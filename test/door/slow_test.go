package door

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casemate/test/world"
)

// slow is a crowd of clients that never finish what they send.
type slow struct {
	group sync.WaitGroup
	mu    sync.Mutex
	cut   []time.Duration // how long after its begin each was cut off
	bad   []string
}

// send opens a connection, sends a beginning and then a byte now and then, until
// the server ends it; at the latest after most.
func (s *slow) send(address, beginning string, every, most time.Duration) {
	s.group.Go(func() {
		fail := func(err any) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.bad = append(s.bad, fmt.Sprint(err))
		}
		c, err := net.Dial("tcp", address)
		if err != nil {
			fail(err)
			return
		}
		defer c.Close()
		began := time.Now()
		if _, err := io.WriteString(c, beginning); err != nil {
			fail(err)
			return
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = c.SetReadDeadline(began.Add(most))
			_, err := io.Copy(io.Discard, c)
			if e, ok := err.(net.Error); ok && e.Timeout() {
				fail(fmt.Sprintf("not cut off after %v", most))
			}
		}()
		for tick := time.NewTicker(every); ; {
			select {
			case <-ended:
				tick.Stop()
				s.mu.Lock()
				s.cut = append(s.cut, time.Since(began))
				s.mu.Unlock()
				return
			case <-tick.C:
				_, _ = io.WriteString(c, "x")
			}
		}
	})
}

// ninetyNine is the time in which ninety-nine of a hundred requests were
// answered, of so many, one after the other.
func ninetyNine(t *testing.T, w *world.World, token string, n int) time.Duration {
	t.Helper()
	took := make([]time.Duration, n)
	for i := range took {
		r, err := http.NewRequest(http.MethodGet, w.URL+"/v2/servicerequest/cases?limit=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Auth-Token", token)
		began := time.Now()
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if took[i] = time.Since(began); res.StatusCode != http.StatusOK {
			t.Fatal(res.Status)
		}
	}
	slices.Sort(took)
	return took[n*99/100]
}

// slowClients has so many clients that send headers without end and, if bodies
// is set, as many that send bodies too slowly, beside somebody who works.
func slowClients(t *testing.T, many int, bodies bool) (address string) {
	w := world.Start(t, world.Options{Direct: true})
	address = strings.TrimPrefix(w.URL, "http://")
	token := w.Token(t, 0, 0)
	ninetyNine(t, w, token, 50)
	const asked = 400
	before := ninetyNine(t, w, token, asked)
	var heads, texts slow
	for range many {
		heads.send(address, "GET /v2/servicerequest/cases HTTP/1.1\r\nHost: x\r\nX-Slow: ", 500*time.Millisecond, 30*time.Second)
		if bodies {
			texts.send(address, "POST /v2/servicerequest/cases HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\nX-Auth-Token: "+token+"\r\n\r\n{",
				500*time.Millisecond, 60*time.Second)
		}
	}
	during := ninetyNine(t, w, token, asked)
	if most := 2*before + 50*time.Millisecond; during > most { // the machine's own hiccups
		t.Errorf("p99 of others: %v alone, %v beside %d slow senders", before, during, many)
	}
	heads.group.Wait()
	texts.group.Wait()
	for what, s := range map[string]*slow{"headers": &heads, "bodies": &texts} {
		if len(s.bad) > 0 {
			t.Errorf("%s: %d of %d: %s", what, len(s.bad), many, s.bad[0])
		}
		if len(s.cut) == 0 {
			continue
		}
		slices.Sort(s.cut)
		limit := 8 * time.Second // 5 s for the header
		if what == "bodies" {
			limit = 25 * time.Second // 10 s for each 10 KiB
		}
		if last := s.cut[len(s.cut)-1]; last > limit {
			t.Errorf("%s: the last one was cut off after %v", what, last)
		}
		t.Logf("REPORT slow %s: %d senders, all cut off, after %.1f to %.1f s; p99 of others %v before, %v beside them\n", what, len(s.cut),
			s.cut[0].Seconds(), s.cut[len(s.cut)-1].Seconds(), before.Round(time.Millisecond), during.Round(time.Millisecond))
	}
	return address
}

// TestSlowClients: hundreds that never finish their headers do not hold up
// others, and are cut off in time; headers of more than 64 KiB are refused, and
// connections that rest are still good (threats.md E8).
func TestSlowClients(t *testing.T) {
	address := slowClients(t, 300, false)
	resting(t, address, 100, 100*time.Millisecond)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = fmt.Fprintf(c, "GET /readyz HTTP/1.1\r\nHost: x\r\nX-Large: %s\r\n\r\n", strings.Repeat("x", 80<<10))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 80 KiB: %v %v", res, err)
	}
}

// resting are connections that ask once, rest and ask again.
func resting(t *testing.T, address string, many int, rest time.Duration) {
	var group sync.WaitGroup
	var good atomic.Int64
	for range many {
		group.Go(func() {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			in := bufio.NewReader(c)
			for turn := range 2 {
				if turn > 0 {
					time.Sleep(rest)
				}
				if _, err := io.WriteString(c, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
					t.Errorf("turn %d: %v", turn, err)
					return
				}
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Errorf("turn %d: %v", turn, err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			good.Add(1)
		})
	}
	group.Wait()
	t.Logf("REPORT resting connections: %d of %d answer after %v\n", good.Load(), many, rest)
}
