package mailin

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"

	"casemate/internal/config"
)

// Measures of the receiver.
const (
	storeAtOnce = 4                // mails held in memory and stored at once, of one node
	drainTime   = 20 * time.Second // what a mail on the wire at the stop may take
	longestLine = 1 << 20          // bytes; mails with lines longer than RFC 5321 allows are about
	traceRoom   = 1 << 10          // of a mail's size, for the field that the receiver adds
)

// receiver takes mails from mail servers over LMTP (RFC 2033) or SMTP.
type receiver struct {
	g        *Gate
	c        config.MailReceiver
	max      int64 // bytes of a mail
	peers    []netip.Prefix
	trusted  []netip.Prefix
	server   *smtp.Server
	slots    chan struct{}
	listener net.Listener

	mu       sync.Mutex
	conns    map[*peerConn]struct{}
	from     map[netip.Addr]int
	draining bool

	mails, refused, failed atomic.Int64
}

func newReceiver(g *Gate, c config.MailReceiver) (*receiver, error) {
	r := &receiver{g: g, c: c, slots: make(chan struct{}, storeAtOnce), conns: map[*peerConn]struct{}{}, from: map[netip.Addr]int{}}
	var err error
	if r.peers, err = prefixes(c.Peers); err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	if r.trusted, err = prefixes(c.Trusted); err != nil {
		return nil, fmt.Errorf("trusted: %w", err)
	}
	s := smtp.NewServer(smtp.BackendFunc(r.session))
	s.LMTP = c.Protocol == config.ReceiveLMTP
	s.Domain = c.Name
	if s.Domain == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "localhost"
		}
		s.Domain = host
	}
	// The library fails a mail of exactly the limit.
	r.max = g.max - traceRoom
	s.MaxMessageBytes = r.max + 1
	s.MaxRecipients, s.MaxLineLength = c.Recipients, longestLine
	s.ReadTimeout, s.WriteTimeout = c.Timeout, time.Minute
	s.EnableSMTPUTF8 = true
	s.ErrorLog = slog.NewLogLogger(g.log.Handler(), slog.LevelDebug)
	if c.Certificate != "" {
		chain, err := os.ReadFile(c.Certificate)
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		key, err := c.Key.Read()
		if err != nil {
			return nil, fmt.Errorf("key: %w", err)
		}
		pair, err := tls.X509KeyPair(chain, []byte(key))
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	r.server = s
	return r, nil
}

func prefixes(list []string) (all []netip.Prefix, err error) {
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, err := netip.ParseAddr(s)
			if err != nil {
				return nil, err
			}
			p = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

func within(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

func (r *receiver) listen() (err error) {
	r.listener, err = net.Listen("tcp", r.c.Listen)
	if err != nil {
		return fmt.Errorf("mail_in.receiver.listen: %w", err)
	}
	return nil
}

func (r *receiver) end() {
	if r.listener != nil {
		_ = r.listener.Close() // closed already when run has ended
	}
}

func (r *receiver) address() string {
	if r.listener == nil {
		return r.c.Listen
	}
	return r.listener.Addr().String()
}

// run serves until the context ends. Then no connection is taken any more, those
// without a mail under way are ended, and the others once it is stored.
func (r *receiver) run(ctx context.Context) {
	r.g.log.Info("receiving mails", "address", r.address(), "protocol", r.c.Protocol)
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(&door{Listener: r.listener, r: r}) }()
	select {
	case err := <-served:
		r.g.log.Error("the receiver of mails stopped", "error", err)
	case <-ctx.Done():
		r.mu.Lock()
		r.draining = true
		open := make([]*peerConn, 0, len(r.conns))
		for c := range r.conns {
			open = append(open, c)
		}
		r.mu.Unlock()
		for _, c := range open {
			c.endIfIdle()
		}
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if err := r.server.Shutdown(end); err != nil {
			r.g.log.Warn("mails being received were cut off: their senders have them", "error", err)
		}
	}
	_ = r.server.Close() // closed already after a good shutdown
	r.mu.Lock()
	rest := make([]*peerConn, 0, len(r.conns))
	for c := range r.conns {
		rest = append(rest, c)
	}
	r.mu.Unlock()
	for _, c := range rest {
		_ = c.Close() // it was cut off above
	}
}

// envelope is the mail being received on one connection.
type envelope struct {
	r     *receiver
	conn  *peerConn
	helo  string
	tls   bool
	from  string
	to    []recipient
	id    string // of this mail on this connection
	mails int
}

type recipient struct{ address, mailbox string }

var (
	errStopping   = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "shutting down, try again"}
	errNoTLS      = &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Must issue a STARTTLS command first"}
	errNobody     = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox here"}
	errManyMails  = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "too many mails over one connection"}
	errStoreLater = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "cannot store the mail now, try again"}
	errTooLarge   = &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "the mail is over the limit of size"}
)

func (r *receiver) session(c *smtp.Conn) (smtp.Session, error) {
	raw := c.Conn()
	_, secure := raw.(*tls.Conn)
	if t, ok := raw.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	pc, ok := raw.(*peerConn)
	if !ok {
		return nil, errors.New("a connection of another listener") // cannot be
	}
	pc.mu.Lock()
	pc.secure = secure
	pc.mu.Unlock()
	return &envelope{r: r, conn: pc, helo: c.Hostname(), tls: secure}, nil
}

// Mail begins a mail.
func (e *envelope) Mail(from string, o *smtp.MailOptions) error {
	if e.r.c.RequireTLS && !e.tls {
		return errNoTLS
	}
	if o != nil && o.Size > e.r.max {
		e.r.refused.Add(1)
		return errTooLarge
	}
	if e.mails++; e.mails > e.r.c.Mails {
		return errManyMails
	}
	if !e.conn.begin() {
		return errStopping
	}
	e.from, e.to, e.id = from, nil, e.r.g.db.NewID()
	return nil
}

// Rcpt takes addresses of the mailboxes and no others: nothing is passed on.
func (e *envelope) Rcpt(to string, _ *smtp.RcptOptions) error {
	box, ok := e.r.g.mailboxOf(to)
	if !ok {
		e.r.refused.Add(1)
		return errNobody
	}
	e.to = append(e.to, recipient{to, box})
	return nil
}

// Reset ends a mail, taken or not.
func (e *envelope) Reset() {
	e.from, e.to = "", nil
	e.conn.done()
}

// Logout ends the session.
func (e *envelope) Logout() error { return nil }

// Data takes the mail over SMTP: one answer for all recipients.
func (e *envelope) Data(in io.Reader) error {
	raw, err := e.read(in)
	if err != nil {
		return err
	}
	for _, box := range e.mailboxes() {
		if err := e.store(raw, box); err != nil {
			return err // those that were stored know the mail when it comes again
		}
	}
	return nil
}

// LMTPData takes the mail over LMTP: an answer for each recipient.
func (e *envelope) LMTPData(in io.Reader, status smtp.StatusCollector) error {
	raw, err := e.read(in)
	if err != nil {
		return err
	}
	for _, box := range e.mailboxes() {
		err := e.store(raw, box)
		for _, to := range e.to {
			if to.mailbox == box {
				status.SetStatus(to.address, err)
			}
		}
	}
	return nil
}

// mailboxes are those of the recipients, each once.
func (e *envelope) mailboxes() (all []string) {
	for _, to := range e.to {
		if !slices.Contains(all, to.mailbox) {
			all = append(all, to.mailbox)
		}
	}
	return all
}

func (e *envelope) read(in io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(in, e.r.max+1))
	var large *smtp.SMTPError
	switch {
	case int64(len(raw)) > e.r.max, errors.As(err, &large) && large.Code == 552:
		e.r.refused.Add(1)
		return nil, errTooLarge
	case err != nil:
		return nil, err // the connection broke: nothing is stored of half a mail
	}
	return raw, nil
}

// store hands the mail over for one mailbox. nil only after it is durable.
func (e *envelope) store(raw []byte, box string) error {
	e.r.slots <- struct{}{}
	defer func() { <-e.r.slots }()
	// Our own field stands in front: what the reader forgives at the beginning of a
	// mail would end the header behind it, and hide what the mail is known by.
	raw = begin(raw)
	in := Received{Mailbox: box, From: e.from, UID: e.uid(raw, box), At: e.r.g.db.Now().UnixMilli()}
	for _, to := range e.to {
		if to.mailbox == box && !slices.Contains(in.To, to.address) {
			in.To = append(in.To, to.address)
		}
	}
	in.Raw = append(e.trace(), raw...)
	if !within(e.r.trusted, e.conn.peer) {
		in.Raw = append(e.trace(), withoutResults(raw)...)
	}
	// A sender that goes away while its mail is stored gets no answer and sends it
	// again; the mail is known then.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := e.r.g.accept(ctx, in)
	switch {
	case err == nil:
		e.r.mails.Add(1)
		return nil
	case errors.Is(err, ErrTooBig):
		e.r.refused.Add(1)
		return errTooLarge
	}
	e.r.failed.Add(1)
	e.r.g.log.Warn("a mail cannot be stored", "mailbox", box, "peer", e.conn.peer.String(), "error", err)
	return errStoreLater
}

// uid is the same when a mail is sent again because our answer got lost: one
// with a Message-ID or a trace of a mail server is known by its content. One
// without either may well be another one with the same words.
func (e *envelope) uid(raw []byte, box string) string {
	head := headOf(raw)
	if !hasField(head, "Message-Id") && !hasField(head, "Received") {
		return "brought:" + e.id
	}
	h := sha256.New()
	var to []string
	for _, t := range e.to {
		if t.mailbox == box {
			to = append(to, strings.ToLower(t.address))
		}
	}
	slices.Sort(to)
	fmt.Fprintf(h, "%q %q\n", e.from, slices.Compact(to))
	h.Write(raw)
	return "brought:" + hex.EncodeToString(h.Sum(nil))
}

// trace is the field that a receiving server adds (RFC 5321 section 4.4). What
// the other side says of itself is cut to what a host name may hold.
func (e *envelope) trace() []byte {
	helo := strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && !strings.ContainsRune("()<>\"\\;,", r) {
			return r
		}
		return -1
	}, e.helo)
	with := "ESMTP"
	if e.r.server.LMTP {
		with = "LMTP"
	}
	if e.tls {
		with += "S"
	}
	literal := e.conn.peer.String()
	if e.conn.peer.Is6() {
		literal = "IPv6:" + literal
	}
	return fmt.Appendf(nil, "Received: from %s ([%s])\r\n by %s with %s id %s;\r\n %s\r\n", cmp.Or(helo[:min(len(helo), 200)], "unknown"), literal, e.r.server.Domain, with, e.id,
		e.r.g.db.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"))
}

// headOf is the mail up to its empty line.
func headOf(raw []byte) []byte {
	end := len(raw)
	for _, gap := range []string{"\r\n\r\n", "\n\n"} {
		if i := bytes.Index(raw, []byte(gap)); i >= 0 {
			end = min(end, i+len(gap)/2)
		}
	}
	return raw[:end]
}

// fields calls each for every field of a header, with its continuation lines.
func fields(head []byte, each func(name string, field []byte)) {
	for len(head) > 0 {
		end := 0
		for {
			i := bytes.IndexByte(head[end:], '\n')
			if i < 0 {
				end = len(head)
				break
			}
			end += i + 1
			if end == len(head) || head[end] != ' ' && head[end] != '\t' {
				break
			}
		}
		name, _, _ := bytes.Cut(head[:end], []byte(":"))
		each(string(bytes.TrimSpace(name)), head[:end])
		head = head[end:]
	}
}

func hasField(head []byte, name string) (found bool) {
	fields(head, func(n string, _ []byte) { found = found || strings.EqualFold(n, name) })
	return found
}

// withoutResults is the mail without the Authentication-Results that it came
// with: a stranger may write them (RFC 8601 section 5).
func withoutResults(raw []byte) []byte {
	head := headOf(raw)
	if !hasField(head, "Authentication-Results") {
		return raw
	}
	kept := make([]byte, 0, len(raw))
	fields(head, func(name string, field []byte) {
		if !strings.EqualFold(name, "Authentication-Results") {
			kept = append(kept, field...)
		}
	})
	return append(kept, raw[len(head):]...)
}

// ReceiverStatus is how the receiver of this node does.
type ReceiverStatus struct {
	Address, Protocol      string
	Connections            int   // open now
	Taken, Refused, Failed int64 // mails, since the start: stored; recipients, peers and sizes turned away; not stored for a fault of ours
}

// Receiver tells how the receiver of this node does; none = it is off.
func (g *Gate) Receiver() (s ReceiverStatus, ok bool) {
	r := g.receiver
	if r == nil {
		return s, false
	}
	r.mu.Lock()
	open := len(r.conns)
	r.mu.Unlock()
	return ReceiverStatus{Address: r.address(), Protocol: r.c.Protocol, Connections: open, Taken: r.mails.Load(), Refused: r.refused.Load(), Failed: r.failed.Load()}, true
}
