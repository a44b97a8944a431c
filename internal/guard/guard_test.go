package guard_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"casemate/internal/guard"
)

// innerHosts are ways to write an address that is not public.
var innerHosts = []string{
	"127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "localhost", "LOCALHOST", "localhost.",
	"0.0.0.0", "0", "0.0.0.1", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.127.255.255",
	"192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
	"[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::10.0.0.1]", "[64:ff9b:1::1]",
	"[2002:7f00:1::]", "[2002:a00:1::1]", "[2001::1]", "[2001:db8::1]", "[fe80::1]", "[fe80::1%25lo]", "[fec0::1]", "[fc00::1]", "[fd12:3456::1]", "[ff02::1]", "[100::1]", "[3fff::1]", "[4000::1]",
}

// TestSSRF: no spelling of an inner address, and no name that leads to one, is
// connected to (threats.md D12).
func TestSSRF(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	server.Config.ConnState = func(net.Conn, http.ConnState) { reached.Add(1) }
	server.Start()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var g guard.Guard
	client := g.Client()
	if len(innerHosts) < 50 {
		t.Fatalf("only %d spellings", len(innerHosts))
	}
	get := func(c *http.Client, target string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
		if err != nil {
			return err
		}
		res, err := c.Do(req)
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	var wg sync.WaitGroup
	for _, h := range innerHosts {
		for _, scheme := range []string{"http", "https"} {
			wg.Go(func() {
				if err := get(client, scheme+"://"+h+":"+port+"/"); err == nil {
					t.Errorf("%s://%s answered", scheme, h)
				}
			})
		}
	}
	wg.Wait()
	for _, h := range innerHosts {
		a, err := netip.ParseAddr(strings.Trim(strings.Split(h, "%")[0], "[]"))
		if err == nil && g.Check(a) == nil {
			t.Errorf("%s passes", h)
		}
	}
	for _, public := range []string{"1.1.1.1", "8.8.8.8", "223.5.5.5", "172.32.0.1", "100.128.0.1", "198.20.0.1", "2400:3200::1", "2606:4700:4700::1111"} {
		if err := g.Check(netip.MustParseAddr(public)); err != nil {
			t.Errorf("%s is refused", public)
		}
	}

	// A name that is public when it is checked and inner when it is used.
	rebound := guard.Guard{Resolver: rebinding(t, "1.1.1.1")}
	if a, err := rebound.Resolver.LookupNetIP(t.Context(), "ip4", "rebind.example"); err != nil || len(a) != 1 || rebound.Check(a[0]) != nil {
		t.Fatalf("the first answer is %v, %v", a, err)
	}
	for range 4 {
		if err := get(rebound.Client(), "https://rebind.example:"+port+"/"); err == nil || !strings.Contains(err.Error(), "may not be reached") {
			t.Errorf("the name led to %v", err)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}

	// A listed range is reached, over http too; the rest still is not.
	g, err = guard.New([]string{"127.0.0.1/32"})
	if err != nil {
		t.Fatal(err)
	}
	if err := get(g.Client(), server.URL); err != nil {
		t.Errorf("listed: %v", err)
	}
	if err := get(g.Client(), "http://127.0.0.2:"+port); err == nil {
		t.Error("not listed, yet reached")
	}
	// Only what is listed.
	only := guard.Guard{Allow: g.Allow, Only: true}
	if err := get(only.Client(), server.URL); err != nil {
		t.Errorf("listed, and only that: %v", err)
	}
	for _, a := range []string{"1.1.1.1", "2606:4700:4700::1111", "10.0.0.1", "127.0.0.2"} {
		if err := only.Check(netip.MustParseAddr(a)); !errors.Is(err, guard.ErrAddress) {
			t.Errorf("not listed, yet %s passes: %v", a, err)
		}
	}
	// Public, but in clear text.
	if err := get(g.Client(), "http://1.1.1.1/"); err == nil || !strings.Contains(err.Error(), "may not be reached") {
		t.Errorf("clear text: %v", err)
	}
}

// rebinding is a resolver whose DNS server answers the first question with one
// address and all others with loopback.
func rebinding(t *testing.T, first string) *net.Resolver {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { c.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for n := 0; ; n++ {
			size, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			var q dnsmessage.Message
			if q.Unpack(buf[:size]) != nil || len(q.Questions) == 0 {
				continue
			}
			a := netip.MustParseAddr("127.0.0.1")
			if n == 0 {
				a = netip.MustParseAddr(first)
			}
			reply := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, Authoritative: true}, Questions: q.Questions}
			if q.Questions[0].Type == dnsmessage.TypeA {
				reply.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 0},
					Body: &dnsmessage.AResource{A: a.As4()}}}
			}
			out, err := reply.Pack()
			if err != nil {
				return
			}
			if _, err := c.WriteTo(out, from); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", c.LocalAddr().String())
	}}
}
