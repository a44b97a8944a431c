package server

import (
	"net"
	"net/netip"
)

// addresses are what a node that listens at a is opened by: on this machine, and
// from others, "" where that is the same or nowhere. One that listens on all
// addresses is no address to open: here it is the loopback one, from elsewhere the
// machine's first that is not only its own link's.
func addresses(a net.Addr) (here, outside string) {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil || !ap.Addr().IsUnspecified() {
		return "http://" + a.String(), ""
	}
	all, _ := net.InterfaceAddrs() // without them only the loopback address is told
	return unspecified(ap, all)
}

func unspecified(ap netip.AddrPort, all []net.Addr) (here, outside string) {
	var four, six netip.Addr
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, _ := netip.AddrFromSlice(n.IP)
		switch ip = ip.Unmap(); {
		case !ip.IsGlobalUnicast():
		case ip.Is4() && !four.IsValid():
			four = ip
		case ip.Is6() && !six.IsValid():
			six = ip
		}
	}
	of := func(ip netip.Addr) string { return "http://" + netip.AddrPortFrom(ip, ap.Port()).String() }
	here = of(netip.AddrFrom4([4]byte{127, 0, 0, 1})) // the listener of Go takes both kinds
	switch {
	case four.IsValid():
		return here, of(four)
	case six.IsValid():
		return here, of(six)
	}
	return here, ""
}
