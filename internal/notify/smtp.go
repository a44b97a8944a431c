package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	gomail "github.com/wneessen/go-mail"

	"casemate/internal/config"
	"casemate/internal/guard"
)

// smtpChannel hands mails to one mail server, one recipient per mail. A
// connection is kept for the next mail for a while.
type smtpChannel struct {
	c        config.SMTP
	from     *mail.Address
	password string
	walls    *guard.Guard // nil = no address is refused
	tls      *tls.Config
	dkim     *dkim.SignOptions // nil = mails are not signed

	mu     sync.Mutex
	idle   []*mailConn // the one used last comes last
	closed bool
}

// secretsOf are a provider's secrets and certificates, read.
type secretsOf struct {
	secret  string // password of SMTP and SMPP, secret of gateways
	key     string // DKIM, PEM
	receipt string // of a gateway's receipts
	roots   *x509.CertPool
	walls   *guard.Guard // nil = whatever the server's own file names may be reached
}

// NewSMTP makes a mail provider of the server's file. Its name in the From
// header is the product's unless the configured address has one.
func NewSMTP(c config.SMTP, product string) (Channel, error) {
	var in secretsOf
	var err error
	if in.secret, err = c.Password.Read(); err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	if in.roots, err = pool(c.CAFile); err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	if in.key, err = c.DKIM.Key.Read(); err != nil {
		return nil, fmt.Errorf("dkim: key: %w", err)
	}
	return newSMTP(c, product, in)
}

func newSMTP(c config.SMTP, product string, in secretsOf) (*smtpChannel, error) {
	if c.Host == "" {
		return nil, errors.New("host is missing")
	}
	if c.Name == "" {
		c.Name = c.Host
	}
	if c.TLS == "" {
		c.TLS = config.TLSStart
	}
	port, ok := map[string]int{config.TLSStart: 587, config.TLSImplicit: 465, config.TLSOpportunistic: 587, config.TLSNone: 25}[c.TLS]
	if !ok {
		return nil, fmt.Errorf("tls is %s, %s, %s or %s, not %q", config.TLSStart, config.TLSImplicit, config.TLSOpportunistic, config.TLSNone, c.TLS)
	}
	if c.Port == 0 {
		c.Port = port
	}
	if c.Port < 1 || c.Port > 65535 {
		return nil, fmt.Errorf("port %d does not exist", c.Port)
	}
	if c.TLS == config.TLSNone && c.User != "" {
		return nil, errors.New("tls none with a user would send the password in clear")
	}
	if c.Timeout <= 0 {
		c.Timeout = 15 * time.Second
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return nil, fmt.Errorf("from %q is no mail address", c.From)
	}
	if from.Name == "" {
		from.Name = product
	}
	from.Name = headerText(from.Name)
	s := &smtpChannel{c: c, from: from, password: in.secret, walls: in.walls, tls: &tls.Config{ServerName: c.Host, MinVersion: tls.VersionTLS12, RootCAs: in.roots}}
	if s.dkim, err = signer(c.DKIM, in.key, from.Address); err != nil {
		return nil, fmt.Errorf("dkim: %w", err)
	}
	if c.Bounce != "" {
		if a, err := mail.ParseAddress(strings.ReplaceAll(c.Bounce, "{id}", "x")); err != nil || a.Name != "" || strings.Count(c.Bounce, "{id}") > 1 {
			return nil, fmt.Errorf("bounce %q is no plain mail address", c.Bounce)
		}
	}
	if c.Pool.Mails < 0 || c.Pool.Mails > 10000 || c.Pool.Idle > 5*time.Minute {
		return nil, errors.New("pool: mails is 1 to 10000, idle at most 5m")
	}
	s.c.Pool.Idle, s.c.Pool.Mails = cmp.Or(c.Pool.Idle, 10*time.Second), cmp.Or(c.Pool.Mails, 50)
	return s, nil
}

// pool is the certificates of the file, or nil for the system's.
func pool(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(text) {
		return nil, errors.New("no certificate in it")
	}
	return p, nil
}

func (s *smtpChannel) Name() string { return s.c.Name }

// Limits of what stands in a header, in bytes: of an address (RFC 5321 section
// 4.5.3.1), of a link, which must fit into one line (RFC 5322 section 2.1.1).
const (
	maxAddress = 254
	maxLink    = 900
)

// compose is the mail as it goes over the wire. Every header is either ours or
// passed through oneLine and encoded, so no value can end its line (threats.md
// D10); Date and Message-ID are the same at every repeat.
func (s *smtpChannel) compose(m Outgoing) (*gomail.Msg, error) {
	if strings.ContainsAny(m.To, "\r\n\x00") {
		return nil, errors.New("the address holds control characters")
	}
	if len(m.To) > maxAddress {
		return nil, errors.New("the address is too long")
	}
	if len(m.Stop) > maxLink || strings.ContainsFunc(m.Stop, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' }) {
		return nil, errors.New("the link is no address")
	}
	to, err := mail.ParseAddress(m.To)
	if err != nil || to.Name != "" || to.Address != m.To {
		return nil, errors.New("not a plain mail address")
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP))
	msg.FromMailAddress(s.from)
	msg.EnvelopeFromMailAddress(&mail.Address{Address: cmp.Or(strings.ReplaceAll(s.c.Bounce, "{id}", m.ID), s.from.Address)})
	msg.ToMailAddress(to)
	msg.Subject(headerText(m.Subject))
	msg.SetMessageIDWithValue(m.MessageID)
	msg.SetDateWithValue(time.UnixMilli(m.At).UTC())
	// RFC 3834: nobody's machine shall answer our machine (threats.md D11).
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	if !m.Urgent() {
		// Responders older than RFC 3834 know this; a mail somebody waits for
		// should not be sorted behind others for it.
		msg.SetGenHeader(gomail.HeaderPrecedence, "bulk")
	}
	if m.Reply != "" {
		reply, err := mail.ParseAddress(m.Reply)
		if err != nil || reply.Address != m.Reply || len(m.Reply) > maxAddress {
			return nil, errors.New("the reply address is none")
		}
		msg.ReplyToMailAddress(reply)
	}
	if m.Stop != "" {
		msg.SetGenHeader(gomail.HeaderListUnsubscribe, "<"+m.Stop+">")
		if strings.HasPrefix(m.Stop, "https://") {
			msg.SetGenHeader(gomail.HeaderListUnsubscribePost, "List-Unsubscribe=One-Click") // RFC 8058 asks for https
		}
	}
	msg.SetGenHeader(gomail.HeaderContentLang, string(m.Language))
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
		sum := sha256.Sum256([]byte(m.MessageID)) // the same at every repeat, and when it is signed
		msg.SetBoundary(hex.EncodeToString(sum[:20]))
	}
	if s.dkim != nil {
		if err := signMail(msg, s.dkim); err != nil {
			return nil, fmt.Errorf("dkim: %w", err)
		}
	}
	return msg, nil
}

// headerText is a text fit for a header: one line of at most 200 characters, and
// no encoded word of the writer's own making, which readers would decode into
// whatever he likes.
func headerText(s string) string {
	return strings.TrimSpace(cut(strings.ReplaceAll(oneLine(s), "=?", "= ?"), 200))
}

// Send delivers the mail. A refusal of the recipient or of the content with a
// 5xx is permanent; everything else may pass later or elsewhere.
func (s *smtpChannel) Send(ctx context.Context, m Outgoing) (string, error) {
	msg, err := s.compose(m)
	if err != nil {
		return "", &Failure{Permanent: true, Detail: "the mail cannot be written", Cause: err}
	}
	ctx, cancel := context.WithTimeout(ctx, s.c.Timeout)
	defer cancel()
	if taped(ctx) != nil {
		return s.sendAlone(ctx, msg)
	}
	c := s.take()
	if c != nil && !c.fresh(ctx, s.c.Timeout) {
		c = nil
	}
	again := c != nil // a kept connection may break on its first command
	if c == nil {
		if c, err = s.open(ctx); err != nil {
			return "", classify(err)
		}
	}
	err = c.send(ctx, msg)
	if again && !msg.IsDelivered() && beforeData(err) {
		c.end()
		if c, err = s.open(ctx); err != nil {
			return "", classify(err)
		}
		err = c.send(ctx, msg)
	}
	if msg.IsDelivered() {
		s.keep(c, err)
		return queueID(msg.ServerResponse()), nil
	}
	c.end()
	if err == nil {
		err = errors.New("the server did not acknowledge the mail")
	}
	return "", classify(err)
}

// sendAlone delivers over a connection of its own and tells the whole
// conversation to the tape.
func (s *smtpChannel) sendAlone(ctx context.Context, msg *gomail.Msg) (string, error) {
	t := taped(ctx)
	c, err := s.open(ctx)
	if err != nil {
		return "", classify(err)
	}
	defer c.end()
	err = c.send(ctx, msg)
	if msg.IsDelivered() {
		var text bytes.Buffer
		if _, err := msg.WriteTo(&text); err == nil {
			t.say(SaidClient, text.String()+"\n.")
		}
		t.say(SaidServer, msg.ServerResponse())
		return queueID(msg.ServerResponse()), nil
	}
	if err == nil {
		err = errors.New("the server did not acknowledge the mail")
	}
	t.refused(err)
	return "", classify(err)
}

func (s *smtpChannel) options(d *dialer) []gomail.Option {
	o := []gomail.Option{gomail.WithPort(s.c.Port), gomail.WithTimeout(s.c.Timeout), gomail.WithTLSConfig(d.tls),
		gomail.WithDialContextFunc(d.dial), gomail.WithoutNoop(), gomail.WithoutRset()}
	switch s.c.TLS {
	case config.TLSImplicit:
		o = append(o, gomail.WithSSL()) // the dialer has made it
	case config.TLSStart:
		o = append(o, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case config.TLSOpportunistic:
		o = append(o, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		o = append(o, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if s.c.Hello != "" {
		o = append(o, gomail.WithHELO(s.c.Hello))
	}
	if s.c.User != "" {
		// PLAIN and LOGIN refuse to speak without TLS.
		o = append(o, gomail.WithUsername(s.c.User), gomail.WithPassword(s.password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return o
}

// dialer keeps hold of the connection: the library leaves it open when EHLO,
// STARTTLS or AUTH fails.
type dialer struct {
	implicit bool
	tls      *tls.Config
	walls    *guard.Guard // nil = no address is refused
	tape     *tape
	mu       sync.Mutex
	conn     net.Conn
	closed   bool
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: 10 * time.Second}
	if d.walls != nil {
		plain = d.walls.Dialer()
	}
	var c net.Conn
	var err error
	if d.implicit {
		c, err = (&tls.Dialer{NetDialer: plain, Config: d.tls}).DialContext(ctx, network, address)
	} else {
		c, err = plain.DialContext(ctx, network, address)
	}
	if err != nil {
		return nil, err
	}
	if d.tape != nil {
		d.tape.note("connected to %s", c.RemoteAddr())
		if !d.implicit { // the library wants to see that the other one is secured
			c = &greeted{Conn: c, tape: d.tape}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errors.Join(context.DeadlineExceeded, c.Close())
	}
	d.conn = c
	return c, nil
}

// over tells whether the connection was closed.
func (d *dialer) over() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.conn != nil {
		_ = d.conn.Close() // closed already after a good QUIT
	}
}

// classify tells what a failure means for the message. 5xx at RCPT about the
// mailbox itself (RFC 3463: 5.1.x, 5.2.1; without enhanced codes 550, 551, 553)
// means that the recipient does not exist; 5xx after DATA that this server
// will not take the mail. Refused sender, log-in and connection are troubles
// of the provider, not of the message.
func classify(err error) *Failure {
	f := &Failure{Detail: "smtp", Cause: err}
	var send *gomail.SendError
	if !errors.As(err, &send) {
		return f
	}
	code, enhanced := send.ErrorCode(), send.EnhancedStatusCode()
	if code == 0 {
		// Cut off behind the mail's end: the server may have it.
		f.Unknown = send.Reason == gomail.ErrSMTPDataClose
		return f
	}
	f.Detail = "smtp " + strconv.Itoa(code)
	if code < 500 || code > 599 {
		return f
	}
	switch send.Reason {
	case gomail.ErrSMTPRcptTo:
		f.Permanent = true
		if enhanced == "" {
			f.Recipient = code == 550 || code == 551 || code == 553
		} else {
			f.Recipient = strings.HasPrefix(enhanced, "5.1.") || enhanced == "5.2.1"
		}
	case gomail.ErrSMTPData, gomail.ErrSMTPDataClose, gomail.ErrWriteContent:
		f.Permanent = true
	}
	return f
}

// queueID is the server's own id of the mail, when its answer has one: "250
// 2.0.0 OK: queued as 4F1A2" or "... id=1abC-...".
func queueID(response string) string {
	for _, mark := range []string{"queued as ", "id="} {
		if i := strings.Index(response, mark); i >= 0 {
			if f := strings.Fields(response[i+len(mark):]); len(f) > 0 {
				return cut(f[0], 128)
			}
		}
	}
	return ""
}
