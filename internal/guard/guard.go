// Package guard keeps outgoing connections away from the inner network
// (threats.md D12): HTTP of webhooks and gateways, and the raw connections of
// host checks and diagnoses.
package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Guard keeps outgoing HTTP away from the inner network (threats.md D12): the
// address is looked at when the connection is made, after DNS, so a name that
// changes its mind does not help; redirects are not followed; clear text only
// goes to listed ranges. The zero value allows public addresses over TLS.
type Guard struct {
	Allow    []netip.Prefix // ranges that may be reached although they are not public, and over http
	Only     bool           // nothing but Allow may be reached
	TLS      *tls.Config    // nil = the system's certificates
	Resolver *net.Resolver  // nil = the system's
}

// Limits of one exchange.
const (
	Timeout = 5 * time.Second
	Most    = 64 << 10 // bytes of an answer
)

// ErrAddress is the guard's refusal.
var ErrAddress = errors.New("the address may not be reached")

// New reads ranges such as 127.0.0.1/32, or single addresses.
func New(allow []string) (Guard, error) {
	var g Guard
	for _, a := range allow {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			addr, err := netip.ParseAddr(a)
			if err != nil {
				return g, fmt.Errorf("%q is no address and no range", a)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		g.Allow = append(g.Allow, p.Masked())
	}
	return g, nil
}

// inner are ranges that are not ordinary public hosts, beside those netip knows
// (IANA special-purpose registries). IPv6 outside 2000::/3 is refused whole.
var inner = func() (all []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", // Teredo and kin, documentation, 6to4
	} {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}()

var global6 = netip.MustParsePrefix("2000::/3")

// Check refuses an address that is not listed and, unless those are the only
// ones, not public.
func (g Guard) Check(a netip.Addr) error {
	if g.listed(a) {
		return nil
	}
	if g.Only {
		return ErrAddress
	}
	a = a.Unmap() // ::ffff:127.0.0.1 is 127.0.0.1
	if !a.IsValid() || a.Zone() != "" || a.IsLoopback() || a.IsPrivate() || a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() ||
		a.Is6() && !global6.Contains(a) {
		return ErrAddress
	}
	for _, p := range inner {
		if p.Contains(a) {
			return ErrAddress
		}
	}
	return nil
}

func (g Guard) listed(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range g.Allow {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Dialer makes raw connections behind the guard, to listed addresses only in
// clear text or not: what the caller speaks is his affair.
func (g Guard) Dialer() *net.Dialer {
	return &net.Dialer{Timeout: Timeout, Resolver: g.Resolver, Control: g.control(false)}
}

// control runs between socket and connect, for every address tried.
func (g Guard) control(clear bool) func(network, address string, c syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return ErrAddress
		}
		if clear && !g.listed(at.Addr()) {
			return ErrAddress
		}
		return g.Check(at.Addr())
	}
}

// Client is an HTTP client behind the guard.
func (g Guard) Client() *http.Client {
	plain := &net.Dialer{Timeout: Timeout, Resolver: g.Resolver, Control: g.control(true)}
	secure := &tls.Dialer{NetDialer: &net.Dialer{Timeout: Timeout, Resolver: g.Resolver, Control: g.control(false)}, Config: g.TLS}
	return &http.Client{
		Timeout: Timeout,
		Transport: &http.Transport{
			Proxy:       nil, // a proxy would look up the name again
			DialContext: plain.DialContext,
			DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return secure.DialContext(ctx, network, address)
			},
			MaxResponseHeaderBytes: Most,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
