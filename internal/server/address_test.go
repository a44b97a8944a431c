package server

import (
	"net"
	"net/netip"
	"testing"
)

// TestAddresses: what is printed can be opened; all addresses are none to open.
func TestAddresses(t *testing.T) {
	tcp := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	for s, want := range map[string]string{"127.0.0.1:8080": "http://127.0.0.1:8080", "[::1]:80": "http://[::1]:80", "192.0.2.7:8080": "http://192.0.2.7:8080"} {
		if here, outside := addresses(tcp(s)); here != want || outside != "" {
			t.Errorf("%s: %q, %q", s, here, outside)
		}
	}
	ip := func(s string) net.Addr {
		p := netip.MustParsePrefix(s)
		return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
	}
	loop, link := ip("127.0.0.1/8"), ip("fe80::1/64")
	for _, c := range []struct {
		name string
		all  []net.Addr
		want string
	}{
		{"IPv4 first", []net.Addr{loop, link, ip("2001:db8::7/64"), ip("192.0.2.7/24"), ip("192.0.2.8/24")}, "http://192.0.2.7:8080"},
		{"IPv6 alone", []net.Addr{loop, ip("::1/128"), link, ip("2001:db8::7/64")}, "http://[2001:db8::7]:8080"},
		{"no network", []net.Addr{loop, link}, ""},
	} {
		for _, all := range []string{"0.0.0.0:8080", "[::]:8080"} {
			if here, outside := unspecified(netip.MustParseAddrPort(all), c.all); here != "http://127.0.0.1:8080" || outside != c.want {
				t.Errorf("%s, %s: %q, %q", c.name, all, here, outside)
			}
		}
	}
	if here, _ := addresses(tcp("[::]:8080")); here != "http://127.0.0.1:8080" {
		t.Errorf("all addresses: %q", here)
	}
}
