package notify_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"casemate/internal/config"
	"casemate/internal/locale"
	"casemate/internal/notify"
)

// mailServer is a real SMTP server that keeps what it gets and how.
type mailServer struct {
	t    *testing.T
	ca   string // file with its certificate
	port int

	mu       sync.Mutex
	mails    []received
	sessions []*mailSession
	refuse   func(n int, rcpt string) error // at RCPT
	refused  int
	hangUp   bool // when it has read a mail
}

type received struct {
	from, to string
	data     []byte
	tls      bool
	auth     string // user
}

type mailSession struct {
	s        *mailServer
	c        *smtp.Conn
	auth     string
	authTLS  bool
	from, to string
}

func (s *mailSession) tls() bool { _, ok := s.c.TLSConnectionState(); return ok }

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		s.authTLS = s.tls()
		if user != "mailer" || password != "pass word" {
			return errors.New("invalid credentials")
		}
		s.auth = user
		return nil
	}), nil
}
func (s *mailSession) Reset()        { s.to = "" }
func (s *mailSession) Logout() error { return nil }
func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	if s.to != "" {
		return &smtp.SMTPError{Code: 452, Message: "one recipient only"}
	}
	if s.s.refuse != nil {
		s.s.refused++
		if err := s.s.refuse(s.s.refused, to); err != nil {
			return err
		}
	}
	s.to = to
	return nil
}
func (s *mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	if s.s.hangUp {
		return s.c.Close()
	}
	s.s.mails = append(s.s.mails, received{s.from, s.to, b, s.tls(), s.auth})
	return nil
}

func (m *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &mailSession{s: m, c: c}
	m.sessions = append(m.sessions, s)
	return s, nil
}

func (m *mailServer) inbox() []received {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]received(nil), m.mails...)
}

// certificate is a self-made one for localhost, and its file.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// startMail runs a server: mode is a config.TLS... value as the server means
// it; TLSNone offers no STARTTLS.
func startMail(t *testing.T, mode string) *mailServer {
	t.Helper()
	cert, file := certificate(t)
	m := &mailServer{t: t, ca: file}
	s := smtp.NewServer(m)
	s.Domain, s.ErrorLog = "localhost", log.New(io.Discard, "", 0)
	s.ReadTimeout, s.WriteTimeout = 10*time.Second, 10*time.Second
	s.AllowInsecureAuth = mode == config.TLSNone
	tlsConfig := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.port = l.Addr().(*net.TCPAddr).Port
	switch mode {
	case config.TLSStart:
		s.TLSConfig = tlsConfig
	case config.TLSImplicit:
		l = tls.NewListener(l, tlsConfig)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return m
}

func (m *mailServer) config(t *testing.T, mode, user string) config.SMTP {
	t.Helper()
	c := config.SMTP{Name: "mx", Host: "localhost", Port: m.port, TLS: mode, User: user, From: "工单服务 <noreply@desk.example>", CAFile: m.ca, Timeout: 5 * time.Second}
	if user != "" {
		file := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(file, []byte("pass word\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c.Password = config.Secret{File: file}
	}
	return c
}

// TestSMTPConversation: a code travels through a real conversation with
// STARTTLS and AUTH, as one well-formed mail to one recipient.
func TestSMTPConversation(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		for _, mode := range []string{config.TLSStart, config.TLSImplicit} {
			server := startMail(w.t, mode)
			w.serve(notify.Options{Config: config.Notify{Mail: []config.SMTP{server.config(w.t, mode, "mailer")}}})
			m := codeMail()
			m.Language = locale.ZH
			id := w.queue(m)
			w.work()
			w.wantState(id, "sent", "")
			got := server.inbox()
			if len(got) != 1 {
				w.t.Fatalf("%s: %d mails", mode, len(got))
			}
			if !got[0].tls || got[0].auth != "mailer" || !server.sessions[len(server.sessions)-1].authTLS {
				w.t.Errorf("%s: TLS %v, user %q", mode, got[0].tls, got[0].auth)
			}
			if got[0].from != "noreply@desk.example" || got[0].to != m.To {
				w.t.Errorf("envelope %s -> %s", got[0].from, got[0].to)
			}
			checkMail(w.t, got[0].data, id, w.clock.Now())
		}
	})
}

// checkMail reads the mail with the standard library's parser.
func checkMail(t *testing.T, data []byte, id string, at time.Time) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != "Casemate 验证码" {
		t.Errorf("subject %q, %v", subject, err)
	}
	from, err := m.Header.AddressList("From")
	if err != nil || len(from) != 1 || from[0].Name != "工单服务" || from[0].Address != "noreply@desk.example" {
		t.Errorf("from %v, %v", from, err)
	}
	if to, err := m.Header.AddressList("To"); err != nil || len(to) != 1 || to[0].Address != "li.hua@example.com" {
		t.Errorf("to %v, %v", to, err)
	}
	if d, err := m.Header.Date(); err != nil || !d.Equal(at.Truncate(time.Second)) {
		t.Errorf("date %v, want %v", d, at)
	}
	for name, want := range map[string]string{"Message-Id": "<" + id + "@desk.example>", "Auto-Submitted": "auto-generated", "Content-Language": "zh-cn", "Mime-Version": "1.0",
		"Cc": "", "Bcc": "", "User-Agent": ""} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %s, %v", kind, err)
	}
	parts := map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		kind, params, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if !strings.EqualFold(params["charset"], "utf-8") {
			t.Errorf("charset %q", params["charset"])
		}
		parts[kind] = string(text)
	}
	for _, kind := range []string{"text/plain", "text/html"} {
		if !strings.Contains(parts[kind], "048213") || !strings.Contains(parts[kind], "验证码") {
			t.Errorf("%s: %q", kind, parts[kind])
		}
	}
}

// TestSMTPNoTLS: where TLS is demanded and not offered, nothing is said: no
// credentials, no recipient. An untrusted certificate is no TLS either.
func TestSMTPNoTLS(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		server := startMail(w.t, config.TLSNone)
		w.serve(notify.Options{Config: config.Notify{Mail: []config.SMTP{server.config(w.t, config.TLSStart, "mailer")}}})
		id := w.queue(codeMail())
		w.work()
		if d := w.wantState(id, "sending", ""); outcomes(d) != "mx:temporary" {
			w.t.Errorf("%s", outcomes(d))
		}
		if len(server.inbox()) != 0 || server.sessions[0].auth != "" || server.sessions[0].from != "" {
			w.t.Errorf("something was said in clear: %+v", server.sessions[0])
		}

		stranger := startMail(w.t, config.TLSStart)
		c := stranger.config(w.t, config.TLSStart, "mailer")
		c.CAFile = server.ca // another certificate
		w.serve(notify.Options{Config: config.Notify{Mail: []config.SMTP{c}}})
		id = w.queue(codeMail())
		w.work()
		w.wantState(id, "sending", "")
		if len(stranger.inbox()) != 0 {
			w.t.Error("a mail went to a stranger")
		}

		// Opportunistic without credentials goes in clear when it must.
		w.serve(notify.Options{Config: config.Notify{Mail: []config.SMTP{server.config(w.t, config.TLSOpportunistic, "")}}})
		id = w.queue(codeMail())
		w.work()
		w.wantState(id, "sent", "")
		if got := server.inbox(); len(got) != 1 || got[0].tls {
			w.t.Errorf("%+v", got)
		}
	})
}

// TestSMTPRetry: a temporary refusal is tried again with the same Message-ID
// and date; a refused recipient bounces; a wrong password is not the message's
// fault.
func TestSMTPRetry(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		server := startMail(w.t, config.TLSStart)
		server.refuse = func(n int, to string) error {
			switch {
			case to == "gone@example.com":
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user gone@example.com"}
			case to == "policy@example.com":
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "relaying denied"}
			case n <= 2:
				return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}
			}
			return nil
		}
		w.serve(notify.Options{Config: config.Notify{Mail: []config.SMTP{server.config(w.t, config.TLSStart, "mailer")}}})
		queued := w.clock.Now()
		id := w.queue(codeMail())
		for range 3 {
			w.work()
			w.clock.Add(10 * time.Second)
		}
		if d := w.wantState(id, "sent", ""); outcomes(d) != "mx:temporary mx:temporary mx:ok" {
			w.t.Errorf("%s: %+v", outcomes(d), d.Attempts)
		}
		if got := server.inbox(); len(got) != 1 {
			w.t.Fatalf("%d mails", len(got))
		} else if m, err := mail.ReadMessage(bytes.NewReader(got[0].data)); err != nil || m.Header.Get("Message-Id") != "<"+id+"@desk.example>" || m.Header.Get("Date") != queued.Format(time.RFC1123Z) {
			w.t.Errorf("%v, %v", m.Header, err)
		}
		m := codeMail()
		m.To = "gone@example.com"
		id = w.queue(m)
		w.work()
		d := w.wantState(id, "bounced", "no such recipient")
		if strings.Contains(d.Attempts[0].Detail, "gone@") || !strings.Contains(d.Attempts[0].Detail, "550") {
			w.t.Errorf("detail %q", d.Attempts[0].Detail)
		}
		m.To = "policy@example.com"
		id = w.queue(m)
		w.work()
		w.wantState(id, "failed", "refused")

		c := server.config(w.t, config.TLSStart, "mailer")
		c.User = "somebody else"
		w.serve(notify.Options{Config: config.Notify{Mail: []config.SMTP{c}}})
		id = w.queue(codeMail())
		w.work()
		if d := w.wantState(id, "sending", ""); outcomes(d) != "mx:temporary" || strings.Contains(d.Attempts[0].Detail, "pass word") {
			w.t.Errorf("%+v", d.Attempts)
		}
	})
}

// TestSMTPSilence: a server that says nothing costs the timeout, not more.
func TestSMTPSilence(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := notify.NewSMTP(config.SMTP{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, From: "a@b.example", Timeout: 300 * time.Millisecond}, "P")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err = c.Send(context.Background(), notify.Outgoing{To: "x@y.example", MessageID: "1@b.example"})
	var f *notify.Failure
	if !errors.As(err, &f) || f.Permanent {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 10*time.Second { // of the 15 without a setting
		t.Errorf("took %v", took)
	}
}

func TestSMTPConfig(t *testing.T) {
	t.Parallel()
	good := config.SMTP{Host: "mx.example", From: "a@b.example"}
	if _, err := notify.NewSMTP(good, "P"); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*config.SMTP){
		"no host":               func(c *config.SMTP) { c.Host = "" },
		"port":                  func(c *config.SMTP) { c.Port = 70000 },
		"tls":                   func(c *config.SMTP) { c.TLS = "ssl" },
		"from":                  func(c *config.SMTP) { c.From = "nobody" },
		"password in clear":     func(c *config.SMTP) { c.TLS, c.User = config.TLSNone, "u" },
		"secret not set":        func(c *config.SMTP) { c.Password = config.Secret{Env: "CASEMATE_NO_SUCH_VARIABLE"} },
		"secret of two sources": func(c *config.SMTP) { c.Password = config.Secret{Env: "A", File: "b"} },
		"no such ca file":       func(c *config.SMTP) { c.CAFile = "/no/such/file" },
	} {
		c := good
		change(&c)
		if _, err := notify.NewSMTP(c, "P"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzMailHeaders: whatever stands in names, subjects and addresses, the mail
// parses back to exactly our headers, each once (threats.md D10).
func FuzzMailHeaders(f *testing.F) {
	long := strings.Repeat("x", 3000)
	for _, s := range []string{"plain", "验证码", "a\r\nBcc: evil@example.com", "a\nX: y", "a\x00b", "=?utf-8?q?=0D=0ABcc:_x?=", strings.Repeat("长", 300), strings.Repeat("x ", 400),
		"\u2028Bcc: x", "\"quote\" <x@y>", "tab\there", " lead", "\r", "\xff\xfe", "", "\u202egnp.exe", "\u2066a\u2069", "a\x1b[31m", "\x7f\u0085", long, long + "\r\n\r\nbody",
		"a\r\n folded: x", "a, b@c.example", "a;b:c@d.example", "=?utf-8?b?", "😀"} {
		f.Add(s, s, "li@example.com", "")
		f.Add("s", "n", "li@example.com"+s, "")
		f.Add("s", "n", s+"@example.com", "https://desk.example/notify/v1/unsubscribe?token=a.b")
		f.Add("s", "n", "li@example.com", "https://desk.example/?token="+s)
	}
	always := []string{"Auto-Submitted", "Content-Language", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Precedence", "Subject", "To", "X-Auto-Response-Suppress"}
	f.Fuzz(func(t *testing.T, subject, name, to, stop string) {
		from := (&mail.Address{Name: name, Address: "noreply@desk.example"}).String()
		data, err := notify.Compose(config.SMTP{Host: "h", From: from}, "Casemate",
			notify.Outgoing{To: to, Subject: subject, Text: "t", HTML: "<p>t</p>", MessageID: "1@desk.example", Language: locale.EN, Template: notify.TemplateReply, Stop: stop})
		if err != nil {
			return // refused
		}
		want := always
		if stop != "" {
			want = append(want[:len(want):len(want)], "List-Unsubscribe")
			if strings.HasPrefix(stop, "https://") {
				want = append(want, "List-Unsubscribe-Post")
			}
		}
		m, err := mail.ReadMessage(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		seen := map[string]bool{}
		for h, v := range m.Header {
			if len(v) != 1 {
				t.Errorf("%s stands %d times", h, len(v))
			}
			seen[h] = true
		}
		for _, h := range want {
			if !seen[h] {
				t.Errorf("%s is missing", h)
			}
			delete(seen, h)
		}
		if len(seen) > 0 {
			t.Errorf("more headers than ours: %v\n%s", seen, data)
		}
		got, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
		if err != nil || got != notify.HeaderText(subject) {
			t.Errorf("subject %q became %q, %v", subject, got, err)
		}
		rcpt, err := m.Header.AddressList("To")
		if err != nil || len(rcpt) != 1 || rcpt[0].Address != to {
			t.Errorf("to %q became %v, %v", to, rcpt, err)
		}
		if got := m.Header.Get("List-Unsubscribe"); stop != "" && got != "<"+stop+">" {
			t.Errorf("link %q became %q", stop, got)
		}
		if sender, err := m.Header.AddressList("From"); err != nil || len(sender) != 1 || sender[0].Address != "noreply@desk.example" {
			t.Errorf("from %q became %v, %v", name, sender, err)
		}
		for line := range strings.SplitSeq(string(data), "\r\n") {
			if len(line) > 998 { // RFC 5322 section 2.1.1
				t.Errorf("a line of %d characters", len(line))
			}
		}
		if body, err := io.ReadAll(m.Body); err != nil || strings.Contains(string(body), "evil@") {
			t.Errorf("the body holds what was a header: %v", err)
		}
	})
}
