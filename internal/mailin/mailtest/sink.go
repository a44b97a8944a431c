package mailtest

import (
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// Sent is a mail that came to a sink.
type Sent struct {
	From string
	To   []string
	Raw  string
}

// Field is a header's value, on one line, "" = it is not there.
func (s Sent) Field(name string) string {
	head, _, _ := strings.Cut(s.Raw, "\r\n\r\n")
	head = strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(head)
	for line := range strings.SplitSeq(head, "\r\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(k, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Sink is a mail server that takes everything, and may pass it on.
type Sink struct {
	Port int
	// Pass, when set, is called for each mail; an error refuses it for now.
	Pass func(m Sent) error

	mu  sync.Mutex
	all []Sent
}

// StartSink starts a sink on 127.0.0.1, in clear text.
func StartSink(t testing.TB, pass func(m Sent) error) *Sink {
	t.Helper()
	k := &Sink{Pass: pass}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k.Port = l.Addr().(*net.TCPAddr).Port
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &sinking{k: k}, nil }))
	s.Domain, s.ErrorLog = "localhost", log.New(io.Discard, "", 0)
	s.ReadTimeout, s.WriteTimeout = time.Minute, time.Minute
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return k
}

// All are the mails that came.
func (k *Sink) All() []Sent {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]Sent(nil), k.all...)
}

type sinking struct {
	k *Sink
	m Sent
}

func (s *sinking) Mail(from string, _ *smtp.MailOptions) error {
	s.m = Sent{From: from}
	return nil
}

func (s *sinking) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.m.To = append(s.m.To, to)
	return nil
}

func (s *sinking) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.m.Raw = string(b)
	if s.k.Pass != nil {
		if err := s.k.Pass(s.m); err != nil {
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 4, 1}, Message: "later"}
		}
	}
	s.k.mu.Lock()
	defer s.k.mu.Unlock()
	s.k.all = append(s.k.all, s.m)
	return nil
}

func (s *sinking) Reset()        {}
func (s *sinking) Logout() error { return nil }
