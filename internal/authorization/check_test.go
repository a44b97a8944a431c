package authorization_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"casemate/internal/authorization"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
)

// sshHost is an SSH server of one account, with x/crypto's server side.
type sshHost struct {
	port        int
	fingerprint string
	connections atomic.Int64
	key         string // a private key it lets in
}

const hostPassword = "hunter2-marker"

// keyPair is a fresh key, also as a private key file.
func keyPair(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(block))
}

// listen serves connections until the test ends.
func listen(t *testing.T, serve func(net.Conn)) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer c.Close(); serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().(*net.TCPAddr).Port
}

// newHost starts a server; interactive asks for the password as PAM does.
func newHost(t *testing.T, interactive bool) *sshHost {
	t.Helper()
	h := new(sshHost)
	own, _ := keyPair(t)
	user, file := keyPair(t)
	h.key, h.fingerprint = file, ssh.FingerprintSHA256(own.PublicKey())
	no := errors.New("no")
	c := &ssh.ServerConfig{PublicKeyCallback: func(m ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
		if m.User() != "root" || string(k.Marshal()) != string(user.PublicKey().Marshal()) {
			return nil, no
		}
		return nil, nil
	}}
	if interactive {
		c.KeyboardInteractiveCallback = func(m ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			got, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil || len(got) != 1 || m.User() != "root" || got[0] != hostPassword {
				return nil, no
			}
			return nil, nil
		}
	} else {
		c.PasswordCallback = func(m ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
			if m.User() != "root" || string(p) != hostPassword {
				return nil, no
			}
			return nil, nil
		}
	}
	c.AddHostKey(own)
	h.port = listen(t, func(conn net.Conn) {
		h.connections.Add(1)
		s, channels, requests, err := ssh.NewServerConn(conn, c)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for ch := range channels {
			_ = ch.Reject(ssh.Prohibited, "")
		}
		_ = s.Wait()
	})
	return h
}

// askFor asks for a host at an address.
func (w *world) askFor(number, address string) (detail int64) {
	w.t.Helper()
	id, err := w.s.Request(w.t.Context(), w.zhao, authorization.NewRequest{Number: number, Description: "x", Details: []authorization.NewDetail{{Kind: authorization.Host, Address: address}}})
	w.ok(err)
	return w.detail(id)
}

func (w *world) try(detail int64, port int, account, password string) error {
	w.clock.Add(time.Minute) // the limit is another test's
	return w.s.CheckHost(w.t.Context(), w.li, authorization.Try{Detail: detail, Port: port, Account: account, Password: password})
}

func (w *world) lastCheck() (data map[string]any) {
	w.t.Helper()
	w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
		var text string
		err := tx.Get("SELECT data FROM events WHERE domain_id = ? AND kind = 'authorization.check' ORDER BY id DESC LIMIT 1", w.li.Domain).Scan(&text)
		if strings.Contains(text, "marker") {
			w.t.Errorf("the event holds what was tried: %s", text)
		}
		return errors.Join(err, json.Unmarshal([]byte(text), &data))
	}))
	return data
}

// TestCheckHost: against real SSH servers: right and wrong logins by password,
// by questions, by key; the host key's fingerprint is recorded.
func TestCheckHost(t *testing.T) {
	each(t, authorization.Options{Config: checksOn("127.0.0.1")}, func(w *world) {
		detail := w.askFor(w.create(w.li, "check"), "127.0.0.1")
		_, strange := keyPair(w.t)
		for name, h := range map[string]*sshHost{"password": newHost(w.t, false), "questions": newHost(w.t, true)} {
			for _, tt := range []struct {
				account, password, code string
			}{
				{"root", hostPassword, ""}, {"root", "wrong", "01010003"}, {"nobody", hostPassword, "01010003"},
				{"root", h.key, ""}, {"root", strange, "01010003"}, {"root", "-----BEGIN OPENSSH PRIVATE KEY-----\nbroken", "01010003"},
			} {
				err := w.try(detail, h.port, tt.account, tt.password)
				if tt.code == "" && err != nil {
					w.t.Errorf("%s, %s: %v", name, tt.account, err)
				}
				outcome := "ok"
				if tt.code != "" {
					w.refused(err, tt.code)
					outcome = "password"
				}
				if e := w.lastCheck(); e["outcome"] != outcome || e["host_key"] != h.fingerprint {
					w.t.Errorf("%s: recorded %v", name, e)
				}
			}
		}
		// By name: the guard looks at the address behind it.
		h := newHost(w.t, false)
		if err := w.try(w.askFor(w.create(w.li, "by name"), "localhost"), h.port, "root", hostPassword); err != nil {
			w.t.Error(err)
		}
		w.refused(w.try(42, h.port, "root", hostPassword), "01010032")
		console, err := w.s.Request(w.t.Context(), w.zhao, authorization.NewRequest{Number: w.create(w.li, "c"), Description: "console"})
		w.ok(err)
		w.refused(w.try(w.detail(console), h.port, "root", hostPassword), "01010001", "authorization_detail_id")
		w.refused(w.try(w.askFor(w.create(w.li, "none"), ""), h.port, "root", hostPassword), "01010001", "authorization_detail_id")
		for _, bad := range []struct {
			port              int
			account, password string
			field             string
		}{{0, "a", "b", "port"}, {65536, "a", "b", "port"}, {1, "", "b", "account"}, {1, strings.Repeat("帐", 65), "b", "account"}, {1, "a", "", "password"}, {1, "a", strings.Repeat("密", 1025), "password"}} {
			w.refused(w.try(detail, bad.port, bad.account, bad.password), "01010001", bad.field)
		}
	})
}

// TestCheckUnreachable: closed ports, hosts that are no SSH servers, and hosts
// that say nothing all answer alike, the last within the time.
func TestCheckUnreachable(t *testing.T) {
	const (
		reach   = 300 * time.Millisecond
		silence = time.Minute // of a host that is not hung up on
	)
	silent := func(c net.Conn) {
		_ = c.SetReadDeadline(time.Now().Add(silence))
		_, _ = io.Copy(io.Discard, c)
	}
	each(t, authorization.Options{Config: checksOn("127.0.0.0/8"), Reach: reach}, func(w *world) {
		detail := w.askFor(w.create(w.li, "unreachable"), "127.0.0.1")
		closed := listen(w.t, func(net.Conn) {})
		hosts := map[string]int{
			"hangs up":     closed,
			"says HTTP":    listen(w.t, func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }),
			"old SSH":      listen(w.t, func(c net.Conn) { _, _ = c.Write([]byte("SSH-1.5-old\r\n")) }),
			"never a line": listen(w.t, func(c net.Conn) { _, _ = c.Write([]byte(strings.Repeat("x", 1<<20))) }),
			"stops behind the banner": listen(w.t, func(c net.Conn) {
				_, _ = c.Write([]byte("SSH-2.0-x\r\n"))
				silent(c)
			}),
			"says nothing": listen(w.t, silent),
		}
		for name, port := range hosts {
			began := time.Now()
			w.refused(w.try(detail, port, "root", "x"), "01010047")
			if took := time.Since(began); took > silence/2 {
				w.t.Errorf("%s: %v", name, took)
			}
			if e := w.lastCheck(); e["outcome"] != "unreachable" {
				w.t.Errorf("%s: recorded %v", name, e)
			}
		}
		w.refused(w.try(w.askFor(w.create(w.li, "no such name"), "no-such-host.invalid"), 22, "root", "x"), "01010047")
	})
}

// TestCheckGuard: off by default; on, inner addresses are refused without any
// connection unless the operator lists them (threats.md D12).
func TestCheckGuard(t *testing.T) {
	t.Run("off", func(t *testing.T) {
		each(t, authorization.Options{}, func(w *world) {
			h := newHost(w.t, false)
			detail := w.askFor(w.create(w.li, "off"), "127.0.0.1")
			for _, id := range []int64{detail, 42} { // not even an oracle for ids
				err := w.try(id, h.port, "root", hostPassword)
				w.refused(err, "01010002")
				if !errors.Is(err, authorization.ErrCheckOff) {
					w.t.Errorf("the text does not say so: %v", err)
				}
			}
			if n := h.connections.Load(); n != 0 {
				w.t.Errorf("%d connections", n)
			}
		})
	})
	t.Run("not listed", func(t *testing.T) {
		each(t, authorization.Options{Config: checksOn("198.51.100.0/24"), Reach: time.Second}, func(w *world) {
			h := newHost(w.t, false)
			number := w.create(w.li, "guard")
			for _, address := range []string{"127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "0.0.0.0", "127.1.2.3", "169.254.169.254", "10.0.0.1"} {
				w.refused(w.try(w.askFor(number, address), h.port, "root", hostPassword), "01010047")
			}
			if n := h.connections.Load(); n != 0 {
				w.t.Errorf("%d connections", n)
			}
		})
	})
	t.Run("configuration", func(t *testing.T) {
		t.Parallel()
		for _, c := range []config.Authorization{checksOn("127.0.0.1/33"), checksOn("host"), {Approval: "maybe"}, {PendingDays: -1}, {PendingDays: 91}, {LongestDays: 366},
			{CheckHosts: config.CheckHosts{PerMinute: 61}}} {
			if _, err := authorization.New(nil, nil, authorization.Nouns{}, authorization.Options{Config: c}); err == nil {
				t.Errorf("accepted: %+v", c)
			}
		}
	})
}

// TestCheckLimit: ten tries a minute of one user, exact when many come at once;
// the counter frees.
func TestCheckLimit(t *testing.T) {
	each(t, authorization.Options{Config: checksOn("127.0.0.1")}, func(w *world) {
		h := newHost(w.t, false)
		detail := w.askFor(w.create(w.li, "limit"), "127.0.0.1")
		try := func(who string) error {
			p := w.li
			if who == "boss" {
				p = w.boss
			}
			return w.s.CheckHost(w.t.Context(), p, authorization.Try{Detail: detail, Port: h.port, Account: "root", Password: "guess"})
		}
		results := make(chan error, 30)
		for range cap(results) {
			go func() { results <- try("li") }()
		}
		tried, stopped := 0, 0
		for range cap(results) {
			switch err := <-results; {
			case errors.Is(err, authorization.ErrPassword):
				tried++
			case fault.KindOf(err) == fault.TooMany:
				stopped++
				w.refused(err, "APIGW.0308")
			default:
				w.t.Error(err)
			}
		}
		if tried != 10 || stopped != 20 || h.connections.Load() != 10 {
			w.t.Errorf("%d tried, %d stopped, %d connections", tried, stopped, h.connections.Load())
		}
		w.refused(try("boss"), "01010003") // another user's count
		w.clock.Add(time.Minute - time.Millisecond)
		w.refused(try("li"), "APIGW.0308")
		w.clock.Add(time.Millisecond)
		w.refused(try("li"), "01010003")
	})
}

// TestCheckRepeat: a request repeated by the client's HTTP layer is answered
// from what is kept, without another connection.
func TestCheckRepeat(t *testing.T) {
	each(t, authorization.Options{Config: checksOn("127.0.0.1")}, func(w *world) {
		h := newHost(w.t, false)
		detail := w.askFor(w.create(w.li, "repeat"), "127.0.0.1")
		for _, tt := range []struct{ password, code string }{{hostPassword, ""}, {"wrong", "01010003"}} {
			before := h.connections.Load()
			for range 3 {
				ctx := db.WithRequestKey(context.WithoutCancel(w.t.Context()), db.RequestKey{ID: "key " + tt.password, Domain: w.li.Domain, Until: w.now() + 60_000})
				err := w.s.CheckHost(ctx, w.li, authorization.Try{Detail: detail, Port: h.port, Account: "root", Password: tt.password})
				if tt.code == "" {
					w.ok(err)
				} else {
					w.refused(err, tt.code)
				}
			}
			if n := h.connections.Load() - before; n != 1 {
				w.t.Errorf("%d connections, want 1", n)
			}
		}
		if n := w.events("authorization.check"); n != 2 {
			w.t.Errorf("%d checks recorded, want 2", n)
		}
	})
}
