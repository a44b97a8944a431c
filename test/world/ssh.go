package world

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"testing"

	"golang.org/x/crypto/ssh"
)

// SSH is an SSH server on 127.0.0.1 that knows one account, until the test
// ends; it answers its port.
func SSH(t testing.TB, account, password string) int {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	c := &ssh.ServerConfig{PasswordCallback: func(m ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
		if m.User() == account && string(p) == password {
			return nil, nil
		}
		return nil, errors.New("no")
	}}
	c.AddHostKey(key)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if s, channels, requests, err := ssh.NewServerConn(conn, c); err == nil {
					go ssh.DiscardRequests(requests)
					for ch := range channels {
						_ = ch.Reject(ssh.Prohibited, "")
					}
					_ = s.Wait()
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}
