// Package mailtest is the other side of incoming mail for tests: an IMAP server
// with faults to order, certificates, a client that brings mails over LMTP or
// SMTP, and a sink that takes what is sent.
package mailtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"
)

// Modes of TLS of the server, as the configuration calls them.
const (
	None     = "none"
	StartTLS = "starttls"
	Implicit = "implicit"
)

// User and Password are the account's.
const (
	User     = "support@example.com"
	Password = "pass word 7"
)

// IMAP is a server with one account.
type IMAP struct {
	Port int
	CA   string // file with the certificate to trust
	Key  string // file with its key

	t    testing.TB
	mode string
	caps imap.CapSet
	mem  *imapmemserver.Server
	user *imapmemserver.User
	pair tls.Certificate

	mu     sync.Mutex
	server *imapserver.Server
	conns  map[net.Conn]bool
	said   strings.Builder // by the clients, and our answers

	Logins atomic.Int64 // that were taken
	Idling atomic.Int64 // clients that wait to be told of news
	// Faults; nil = none. A fault that answers ErrCut cuts the connection.
	OnFetch  func(uid uint32) error // of a mail's content
	OnStore  func() error           // marks, moves
	OnIdle   func() error
	Bearer   func(user, token string) bool // takes an access token; nil = passwords only
	NoUIDs   bool                          // the server has no MOVE and no UIDPLUS
	OpenSlow time.Duration                 // before a folder is opened
}

// ErrCut, from a fault, cuts the connection.
var ErrCut = errors.New("cut")

// Refused, from a fault, is answered NO.
var Refused = &imap.Error{Type: imap.StatusResponseTypeNo, Text: "not this one"}

// Start starts a server on 127.0.0.1. Change faults before clients come.
func Start(t testing.TB, mode string, change func(*IMAP)) *IMAP {
	t.Helper()
	pair, ca, key := Certificate(t)
	m := &IMAP{t: t, mode: mode, CA: ca, Key: key, pair: pair, mem: imapmemserver.New(), user: imapmemserver.NewUser(User, Password), conns: map[net.Conn]bool{}}
	if change != nil {
		change(m)
	}
	m.caps = imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapUIDPlus: {}, imap.CapMove: {}}
	if m.NoUIDs {
		m.caps = imap.CapSet{imap.CapIMAP4rev1: {}}
	}
	m.mem.AddUser(m.user)
	if err := m.user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	m.Up()
	t.Cleanup(m.Down)
	return m
}

// Up makes the server listen, again on its port after Down.
func (m *IMAP) Up() {
	m.t.Helper()
	var l net.Listener
	var err error
	for range 50 {
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", m.Port)); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.Port = l.Addr().(*net.TCPAddr).Port
	o := &imapserver.Options{Caps: m.caps, Logger: log.New(io.Discard, "", 0), InsecureAuth: m.mode == None, DebugWriter: transcript{m},
		NewSession: func(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			s := &session{m: m, c: c}
			s.SessionIMAP4rev2, _ = m.mem.NewSession().(imapserver.SessionIMAP4rev2)
			return s, nil, nil
		}}
	secure := &tls.Config{Certificates: []tls.Certificate{m.pair}, MinVersion: tls.VersionTLS12}
	l = &tracked{Listener: l, m: m}
	switch m.mode {
	case Implicit:
		l = tls.NewListener(l, secure)
	case StartTLS:
		o.TLSConfig = secure
	}
	s := imapserver.New(o)
	m.mu.Lock()
	m.server = s
	m.mu.Unlock()
	go func() { _ = s.Serve(l) }()
}

// Down ends the server and its connections.
func (m *IMAP) Down() {
	m.mu.Lock()
	s := m.server
	m.server = nil
	m.mu.Unlock()
	if s != nil {
		_ = s.Close()
	}
	m.Cut()
}

// Cut cuts all connections.
func (m *IMAP) Cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.conns {
		_ = c.Close()
	}
	clear(m.conns)
}

type tracked struct {
	net.Listener
	m *IMAP
}

func (l *tracked) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.m.mu.Lock()
		l.m.conns[c] = true
		l.m.mu.Unlock()
	}
	return c, err
}

type transcript struct{ m *IMAP }

func (t transcript) Write(b []byte) (int, error) {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	return t.m.said.Write(b)
}

// Said is what went over all connections.
func (m *IMAP) Said() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.said.String()
}

type literal struct{ *strings.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }

// Put lays a mail into a folder.
func (m *IMAP) Put(folder, mail string) {
	m.t.Helper()
	if _, err := m.user.Append(folder, literal{strings.NewReader(mail)}, &imap.AppendOptions{Time: time.Now()}); err != nil {
		m.t.Fatal(err)
	}
}

// Count is how many mails a folder has, and how many of them are unread; -1
// when there is no such folder.
func (m *IMAP) Count(folder string) (all, unseen int) {
	st, err := m.user.Status(folder, &imap.StatusOptions{NumMessages: true, NumUnseen: true})
	if err != nil {
		return -1, -1
	}
	return int(*st.NumMessages), int(*st.NumUnseen)
}

// Folder makes a folder.
func (m *IMAP) Folder(name string) {
	m.t.Helper()
	if err := m.user.Create(name, nil); err != nil {
		m.t.Fatal(err)
	}
}

// Renumber makes the folder anew with other numbers, UIDVALIDITY changed, and
// these mails in it.
func (m *IMAP) Renumber(folder string, mails []string) {
	m.t.Helper()
	m.Down()
	if err := m.user.Delete(folder); err != nil {
		m.t.Fatal(err)
	}
	m.Folder(folder)
	for _, mail := range mails {
		m.Put(folder, mail)
	}
	m.Up()
}

// session is a session with the faults that were ordered.
type session struct {
	imapserver.SessionIMAP4rev2
	m *IMAP
	c *imapserver.Conn
}

func (s *session) fault(err error) error {
	if errors.Is(err, ErrCut) {
		_ = s.c.NetConn().Close()
	}
	return err
}

func (s *session) Login(user, password string) error {
	err := s.SessionIMAP4rev2.Login(user, password)
	if err == nil {
		s.m.Logins.Add(1)
	}
	return err
}

func (s *session) Select(name string, o *imap.SelectOptions) (*imap.SelectData, error) {
	time.Sleep(s.m.OpenSlow)
	return s.SessionIMAP4rev2.Select(name, o)
}

func (s *session) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	if s.m.OnIdle != nil {
		if err := s.m.OnIdle(); err != nil {
			return s.fault(err)
		}
	}
	s.m.Idling.Add(1)
	defer s.m.Idling.Add(-1)
	return s.SessionIMAP4rev2.Idle(w, stop)
}

func (s *session) Fetch(w *imapserver.FetchWriter, set imap.NumSet, o *imap.FetchOptions) error {
	if uids, ok := set.(imap.UIDSet); ok && len(o.BodySection) > 0 && s.m.OnFetch != nil {
		if all, ok := uids.Nums(); ok {
			for _, u := range all {
				if err := s.m.OnFetch(uint32(u)); err != nil {
					return s.fault(err)
				}
			}
		}
	}
	return s.SessionIMAP4rev2.Fetch(w, set, o)
}

func (s *session) Store(w *imapserver.FetchWriter, set imap.NumSet, f *imap.StoreFlags, o *imap.StoreOptions) error {
	if s.m.OnStore != nil {
		if err := s.m.OnStore(); err != nil {
			return s.fault(err)
		}
	}
	return s.SessionIMAP4rev2.Store(w, set, f, o)
}

func (s *session) Move(w *imapserver.MoveWriter, set imap.NumSet, dest string) error {
	if s.m.OnStore != nil {
		if err := s.m.OnStore(); err != nil {
			return s.fault(err)
		}
	}
	return s.SessionIMAP4rev2.Move(w, set, dest)
}

// AuthenticateMechanisms are PLAIN and, where access tokens are taken, those.
func (s *session) AuthenticateMechanisms() []string {
	if s.m.Bearer == nil {
		return []string{sasl.Plain}
	}
	return []string{"XOAUTH2", sasl.OAuthBearer}
}

// Authenticate is the server's side of a mechanism.
func (s *session) Authenticate(mech string) (sasl.Server, error) {
	switch {
	case mech == sasl.Plain && s.m.Bearer == nil:
		return sasl.NewPlainServer(func(_, user, password string) error { return s.Login(user, password) }), nil
	case mech == "XOAUTH2" && s.m.Bearer != nil:
		return &xoauth2{s: s}, nil
	case mech == sasl.OAuthBearer && s.m.Bearer != nil:
		return sasl.NewOAuthBearerServer(func(o sasl.OAuthBearerOptions) *sasl.OAuthBearerError {
			if !s.m.Bearer(o.Username, o.Token) || s.Login(User, Password) != nil {
				return &sasl.OAuthBearerError{Status: "invalid_token", Schemes: "bearer"}
			}
			return nil
		}), nil
	}
	return nil, &imap.Error{Type: imap.StatusResponseTypeNo, Text: "no such mechanism"}
}

// xoauth2 is Google's mechanism: a refusal is a challenge that the client
// answers with nothing.
type xoauth2 struct {
	s      *session
	failed bool
}

func (x *xoauth2) Next(response []byte) ([]byte, bool, error) {
	if x.failed {
		return nil, false, imapserver.ErrAuthFailed
	}
	if response == nil {
		return []byte{}, false, nil
	}
	parts := strings.Split(string(response), "\x01")
	user, _ := strings.CutPrefix(parts[0], "user=")
	token := ""
	if len(parts) > 1 {
		token, _ = strings.CutPrefix(parts[1], "auth=Bearer ")
	}
	if len(parts) == 4 && x.s.m.Bearer(user, token) && x.s.Login(User, Password) == nil {
		return nil, true, nil
	}
	x.failed = true
	return []byte(`{"status":"400","schemes":"Bearer","scope":"https://mail.example.com/"}`), false, nil
}

// Certificate is a certificate for localhost and 127.0.0.1, and files with it
// and its key.
func Certificate(t testing.TB) (pair tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, certFile, keyFile
}

// Mail is a simple mail with CRLF line ends, a Message-ID made of the name.
func Mail(from, to, subject, name, text string, more ...string) string {
	lines := []string{"From: " + from, "To: " + to, "Subject: " + subject, "Message-ID: <" + name + "@mail.example>", "Date: " + time.Now().UTC().Format(time.RFC1123Z),
		"MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"}
	return strings.Join(append(slices.Concat(lines, more), "", strings.ReplaceAll(text, "\n", "\r\n"), ""), "\r\n")
}
