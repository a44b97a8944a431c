package dbtest

import (
	"math/rand/v2"
	"net"
	"strconv"
)

// Free is an address of this machine on which nothing listens, for a program that
// must be told one. Its port lies below those that the system hands out by itself (on
// Linux from 32768 on), so nobody who asks for any port is given it meanwhile.
func Free() (address string, err error) {
	for range 100 {
		address = net.JoinHostPort("127.0.0.1", strconv.Itoa(15000+rand.N(17000)))
		l, busy := net.Listen("tcp", address)
		if busy == nil {
			return address, l.Close()
		}
		err = busy
	}
	return "", err
}
