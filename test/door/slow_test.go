package door

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casemate/test/world"
)

// slow is a crowd of clients that never finish what they send.
type slow struct {
	again atomic.Bool  // who is cut off comes back
	open  atomic.Int64 // connections now
	group sync.WaitGroup
	mu    sync.Mutex
	cut   []time.Duration // how long after its begin each was cut off
	bad   []string
}

// send opens a connection, sends a beginning and then a byte now and then, until
// the server ends it; at the latest after most. It comes from an address of
// 127.0.0.0/8, "" = any.
func (s *slow) send(from, address, beginning string, every, most time.Duration) {
	s.group.Go(func() {
		for {
			cut, err := s.once(from, address, beginning, every, most)
			s.mu.Lock()
			if err == nil {
				s.cut = append(s.cut, cut)
			} else {
				s.bad = append(s.bad, err.Error())
			}
			s.mu.Unlock()
			if err != nil || !s.again.Load() {
				return
			}
		}
	})
}

// once is one connection, and after what time it was cut off.
func (s *slow) once(from, address, beginning string, every, most time.Duration) (time.Duration, error) {
	c, err := connect(from, address)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	s.open.Add(1)
	defer s.open.Add(-1)
	began := time.Now()
	if _, err := io.WriteString(c, beginning); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() {
		_ = c.SetReadDeadline(began.Add(most))
		_, err := io.Copy(io.Discard, c)
		ended <- err
	}()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if e, ok := err.(net.Error); ok && e.Timeout() {
				return 0, fmt.Errorf("not cut off after %v", most)
			}
			return time.Since(began), nil
		case <-tick.C:
			_, _ = io.WriteString(c, "x")
		}
	}
}

// connect connects from an address of the loopback, each of which has ports of its
// own; "" = any. Whether the other side is there only the server asks.
func connect(from, address string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	return d.Dial("tcp", address)
}

// The beginnings of what slow clients send, and how long each may go on.
const (
	slowHead = "GET /v2/servicerequest/cases HTTP/1.1\r\nHost: x\r\nX-Slow: "
	headMost = 8 * time.Second  // 5 s for the header
	bodyMost = 25 * time.Second // 10 s for each 10 KiB
)

// judge says how a crowd ended, all of whom were to be cut off in time.
func (s *slow) judge(t *testing.T, what string, limit time.Duration) {
	t.Helper()
	if len(s.bad) > 0 {
		t.Errorf("%s: %d of %d: %s", what, len(s.bad), len(s.bad)+len(s.cut), s.bad[0])
	}
	if len(s.cut) == 0 {
		t.Errorf("%s: nobody was cut off", what)
		return
	}
	slices.Sort(s.cut)
	if last := s.cut[len(s.cut)-1]; last > limit {
		t.Errorf("%s: the last one was cut off after %v, %d of %d after more than %v", what, last,
			len(s.cut)-sort.Search(len(s.cut), func(i int) bool { return s.cut[i] > limit }), len(s.cut), limit)
	}
	t.Logf("REPORT slow %s: %d senders, all cut off, after %.1f to %.1f s\n", what, len(s.cut), s.cut[0].Seconds(), s.cut[len(s.cut)-1].Seconds())
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

// TestSlowClients: hundreds that never finish their headers do not hold up
// others, and are cut off in time; headers of more than 64 KiB are refused, and
// connections that rest are still good (threats.md E8).
func TestSlowClients(t *testing.T) {
	w := world.Start(t, world.Options{Direct: true})
	address := strings.TrimPrefix(w.URL, "http://")
	token := w.Token(t, 0, 0)
	const asked = 400
	ninetyNine(t, w, token, 50)
	before := ninetyNine(t, w, token, asked)
	var heads slow
	for range 300 {
		heads.send("", address, slowHead, 500*time.Millisecond, 30*time.Second)
	}
	during := ninetyNine(t, w, token, asked)
	others(t, before, during, "300 slow senders")
	heads.group.Wait()
	heads.judge(t, "headers", headMost)
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

// others fails when those who work were held up.
func others(t *testing.T, before, during time.Duration, beside string) {
	t.Helper()
	if most := 2*before + 50*time.Millisecond; during > most { // the machine's own hiccups
		t.Errorf("p99 of others: %v alone, %v beside %s", before, during, beside)
	}
	t.Logf("REPORT others: p99 %v alone, %v beside %s\n", before.Round(100*time.Microsecond), during.Round(100*time.Microsecond), beside)
}

// resting are connections that ask once, rest and ask again.
func resting(t *testing.T, address string, many int, rest time.Duration) {
	var group sync.WaitGroup
	var good atomic.Int64
	for range many {
		group.Go(func() {
			c, err := rests("", address)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			time.Sleep(rest)
			if err := c.ask(); err != nil {
				t.Error(err)
				return
			}
			good.Add(1)
		})
	}
	group.Wait()
	t.Logf("REPORT resting connections: %d of %d answer after %v\n", good.Load(), many, rest)
}

// rester is a connection that rests between what it asks.
type rester struct {
	net.Conn
	in *bufio.Reader
}

// rests opens one and asks once.
func rests(from, address string) (*rester, error) {
	c, err := connect(from, address)
	if err != nil {
		return nil, err
	}
	r := &rester{Conn: c, in: bufio.NewReaderSize(c, 1024)}
	if err := r.ask(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *rester) ask() error {
	if err := r.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(r, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(r.in, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", res.Status)
	}
	return nil
}
