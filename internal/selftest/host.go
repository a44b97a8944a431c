package selftest

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"
)

// host is a host of the self-test's own: an SSH server that lets one account in
// and offers nothing, for CheckHosts, and whose port is open, for diagnoses.
type host struct {
	address           string
	port              int
	closed            int // a port of the same address where nothing listens
	account, password string

	listener net.Listener
	open     sync.WaitGroup
}

// newHost listens at the address until close.
func newHost(address string) (*host, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, err
	}
	h := &host{address: address, account: "selftest", password: random(20)}
	config := &ssh.ServerConfig{PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		if c.User() == h.account && string(password) == h.password {
			return &ssh.Permissions{}, nil
		}
		return nil, errors.New("no")
	}}
	config.AddHostKey(signer)
	if h.listener, h.port, err = listen(address); err != nil {
		return nil, err
	}
	// A port that was free a moment ago.
	free, port, err := listen(address)
	if err != nil {
		return nil, errors.Join(err, h.listener.Close())
	}
	if err := free.Close(); err != nil {
		return nil, errors.Join(err, h.listener.Close())
	}
	h.closed = port
	h.open.Go(func() {
		for {
			c, err := h.listener.Accept()
			if err != nil {
				return // closed
			}
			h.open.Go(func() { greet(c, config) })
		}
	})
	return h, nil
}

func listen(address string) (net.Listener, int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return nil, 0, err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, 0, errors.Join(err, l.Close())
	}
	n, err := strconv.Atoi(port)
	return l, n, err
}

// greet lets a caller log in and opens nothing for him.
func greet(c net.Conn, config *ssh.ServerConfig) {
	defer c.Close()
	conn, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		return // a wrong password, or no SSH at all
	}
	defer conn.Close()
	go ssh.DiscardRequests(requests)
	for ch := range channels {
		_ = ch.Reject(ssh.Prohibited, "") // he goes, whatever he hears
	}
}

// close stops listening. Callers the server still holds go with the process.
func (h *host) close() { _ = h.listener.Close() }
