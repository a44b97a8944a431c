package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"casemate/internal/config"
)

// mailConn is a connection to a mail server that has said hello and logged in.
type mailConn struct {
	client *gomail.Client
	smtp   *smtp.Client
	d      *dialer
	mails  int // sent over it
	timer  *time.Timer
}

// open makes a connection.
func (s *smtpChannel) open(ctx context.Context) (*mailConn, error) {
	t := taped(ctx)
	d := &dialer{implicit: s.c.TLS == config.TLSImplicit, tls: s.tls.Clone(), walls: s.walls, tape: t}
	if t != nil {
		d.tls.VerifyConnection = func(state tls.ConnectionState) error { // behind what always verifies
			t.note("%s", secured(state))
			return nil
		}
	}
	options := s.options(d)
	if t != nil {
		options = append(options, gomail.WithDebugLog(), gomail.WithLogger(mailTape{t}))
	}
	client, err := gomail.NewClient(s.c.Host, options...)
	if err != nil {
		return nil, err
	}
	c := &mailConn{client: client, d: d}
	err = c.within(ctx, func() error {
		c.smtp, err = client.DialToSMTPClientWithContext(ctx)
		return err
	})
	if err != nil {
		t.refused(err)
		d.close()
		return nil, err
	}
	if t != nil {
		c.smtp.ErrorHandlerRegistry.SetDefaultHandler(mailTape{t})
	}
	return c, nil
}

// secured tells how a connection is secured.
func secured(state tls.ConnectionState) string {
	text := tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite)
	if len(state.PeerCertificates) > 0 {
		c := state.PeerCertificates[0]
		text += fmt.Sprintf(", certificate of %s, by %s, valid until %s", strings.Join(append(c.DNSNames, c.Subject.CommonName), " "), c.Issuer.CommonName, c.NotAfter.UTC().Format("2006-01-02"))
	}
	return text
}

// within runs a part of the conversation; when the context ends, so does the
// connection: the library renews its deadlines between steps.
func (c *mailConn) within(ctx context.Context, talk func() error) error {
	stop := context.AfterFunc(ctx, c.d.close)
	defer stop()
	return talk()
}

func (c *mailConn) send(ctx context.Context, msg *gomail.Msg) error {
	c.mails++
	return c.within(ctx, func() error { return c.client.SendWithSMTPClient(c.smtp, msg) })
}

// fresh asks a kept connection whether it still works. If not, it is ended.
func (c *mailConn) fresh(ctx context.Context, limit time.Duration) bool {
	err := c.within(ctx, func() error {
		if err := c.smtp.UpdateDeadline(limit); err != nil {
			return err
		}
		return c.smtp.Reset()
	})
	if err != nil {
		c.d.close()
	}
	return err == nil
}

// end says goodbye, without waiting long for an answer.
func (c *mailConn) end() {
	if c.smtp.UpdateDeadline(time.Second) == nil {
		_ = c.smtp.Quit() // the connection is closed whatever it says
	}
	c.d.close()
}

// beforeData tells a failure of the connection itself (also 421, RFC 5321
// section 3.8) in which no mail can have been handed over: sending it over
// another connection is no second delivery.
func beforeData(err error) bool {
	var f *gomail.SendError
	if !errors.As(err, &f) {
		return false
	}
	switch f.Reason {
	case gomail.ErrConnCheck, gomail.ErrSMTPMailFrom, gomail.ErrSMTPRcptTo, gomail.ErrSMTPData:
		return f.ErrorCode() == 0 || f.ErrorCode() == 421
	}
	return false
}

// take takes the connection that was used last, if one is kept.
func (s *smtpChannel) take() *mailConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := len(s.idle); n > 0; n = len(s.idle) {
		c := s.idle[n-1]
		s.idle = s.idle[:n-1]
		if c.timer.Stop() {
			return c
		}
	}
	return nil
}

// keep keeps a connection for the next mail, unless it had trouble or has sent
// enough.
func (s *smtpChannel) keep(c *mailConn, trouble error) {
	s.mu.Lock()
	keeps := trouble == nil && !s.closed && s.c.Pool.Idle > 0 && c.mails < s.c.Pool.Mails && !c.d.over()
	if keeps {
		c.timer = time.AfterFunc(s.c.Pool.Idle, func() {
			s.mu.Lock()
			s.idle = slices.DeleteFunc(s.idle, func(other *mailConn) bool { return other == c })
			s.mu.Unlock()
			c.end()
		})
		s.idle = append(s.idle, c)
	}
	s.mu.Unlock()
	if !keeps {
		go c.end() // the mail is delivered: nobody waits for the goodbye
	}
}

// Close ends the kept connections; later ones are not kept.
func (s *smtpChannel) Close() {
	s.mu.Lock()
	all := s.idle
	s.idle, s.closed = nil, true
	s.mu.Unlock()
	for _, c := range all {
		if c.timer.Stop() {
			c.end()
		}
	}
}
