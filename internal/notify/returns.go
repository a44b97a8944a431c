package notify

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"casemate/internal/config"
)

// Returned takes a mail that came to the address for bounces. It tells whether
// it was one about a mail of ours, which the ledger now knows; any other mail
// changes nothing. An address that does not exist is not written to for a while.
func (s *Service) Returned(ctx context.Context, raw []byte) (ours bool, err error) {
	for _, b := range s.lines.now.Load().bounces {
		r, ok := b.read(raw)
		if !ok {
			continue
		}
		known, err := s.receive(ctx, Receipt{Message: r.Message, Delivered: r.Delivered, Delayed: r.Delayed, Recipient: r.Recipient, Detail: r.Detail})
		if err != nil {
			return false, fmt.Errorf("a returned mail: %w", err)
		}
		if known {
			return true, nil
		}
	}
	return false, nil
}

// returns is the mailbox that bounces come to.
type returns struct {
	c        config.Returns
	password string
	tls      *tls.Config

	mu       sync.Mutex // one poll at a time
	validity uint32     // of the numbers of mails
	next     imap.UID   // those below have been looked at
}

// Bounds of one poll.
const (
	pollTime  = 50 * time.Second
	pollMails = 200
	pollBytes = 256 << 10 // of one mail; what a bounce tells stands in front
)

func newReturns(c config.Returns) (*returns, error) {
	if c.Host == "" {
		if c != (config.Returns{}) {
			return nil, errors.New("host is missing")
		}
		return nil, nil
	}
	c.TLS = cmp.Or(c.TLS, config.TLSImplicit)
	switch c.TLS {
	case config.TLSImplicit:
		c.Port = cmp.Or(c.Port, 993)
	case config.TLSStart:
		c.Port = cmp.Or(c.Port, 143)
	case config.TLSNone:
		c.Port = cmp.Or(c.Port, 143)
		if ip := net.ParseIP(c.Host); c.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, errors.New("tls none would send the password in clear")
		}
	default:
		return nil, fmt.Errorf("tls is %s or %s, not %q", config.TLSImplicit, config.TLSStart, c.TLS)
	}
	if c.Port < 1 || c.Port > 65535 {
		return nil, fmt.Errorf("port %d does not exist", c.Port)
	}
	c.Mailbox, c.Every = cmp.Or(c.Mailbox, "INBOX"), cmp.Or(c.Every, time.Minute)
	switch {
	case c.User == "":
		return nil, errors.New("user is missing")
	case c.Every < 10*time.Second:
		return nil, errors.New("every is at least 10s")
	case c.Move == c.Mailbox:
		return nil, errors.New("move is the mailbox itself")
	}
	r := &returns{c: c, next: 1, tls: &tls.Config{ServerName: c.Host, MinVersion: tls.VersionTLS12}}
	var err error
	if r.password, err = c.Password.Read(); err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	if r.tls.RootCAs, err = pool(c.CAFile); err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	return r, nil
}

// ReadReturns looks at the mails that came to the mailbox for bounces since the
// last time. Those about our mails are moved away or deleted once the ledger
// knows what they say; all others are left as they are, unread.
func (s *Service) ReadReturns(ctx context.Context) error {
	r := s.returns
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, pollTime)
	defer cancel()
	conn, err := r.dial(ctx)
	if err != nil {
		return fmt.Errorf("the mailbox for bounces: %w", err)
	}
	// Whatever the library waits for ends with the context.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c, err := r.login(conn)
	if err != nil {
		return fmt.Errorf("the mailbox for bounces: %w", errors.Join(err, conn.Close()))
	}
	err = r.poll(c, func(raw []byte) (bool, error) { return s.Returned(ctx, raw) })
	if err == nil {
		err = c.Logout().Wait()
	}
	_ = c.Close() // it is closed already after a good log-out
	if err != nil {
		return fmt.Errorf("the mailbox for bounces: %w", err)
	}
	return nil
}

func (r *returns) dial(ctx context.Context) (net.Conn, error) {
	plain := &net.Dialer{Timeout: 10 * time.Second}
	address := net.JoinHostPort(r.c.Host, strconv.Itoa(r.c.Port))
	if r.c.TLS == config.TLSImplicit {
		return (&tls.Dialer{NetDialer: plain, Config: r.tls}).DialContext(ctx, "tcp", address)
	}
	return plain.DialContext(ctx, "tcp", address)
}

func (r *returns) login(conn net.Conn) (*imapclient.Client, error) {
	o := &imapclient.Options{TLSConfig: r.tls}
	if r.c.TLS == config.TLSStart {
		c, err := imapclient.NewStartTLS(conn, o)
		if err != nil {
			return nil, err
		}
		return c, c.Login(r.c.User, r.password).Wait()
	}
	c := imapclient.New(conn, o)
	return c, c.Login(r.c.User, r.password).Wait()
}

// poll hands the new mails over, oldest first, and puts those away that were
// taken.
func (r *returns) poll(c *imapclient.Client, take func(raw []byte) (bool, error)) error {
	box, err := c.Select(r.c.Mailbox, nil).Wait()
	if err != nil {
		return err
	}
	if box.UIDValidity != r.validity {
		r.validity, r.next = box.UIDValidity, 1
	}
	var since imap.UIDSet
	since.AddRange(r.next, 0)
	found, err := c.UIDSearch(&imap.SearchCriteria{UID: []imap.UIDSet{since}, NotFlag: []imap.Flag{imap.FlagDeleted}}, nil).Wait()
	if err != nil {
		return err
	}
	all := found.AllUIDs()
	slices.Sort(all)
	var handled imap.UIDSet
	looked := r.next
	for _, uid := range all[:min(len(all), pollMails)] {
		if uid < r.next {
			continue // n:* holds the last mail even when its number is lower
		}
		raw, err := fetch(c, uid)
		if err != nil {
			return err
		}
		ours, err := take(raw)
		if err != nil {
			return err
		}
		if ours {
			handled.AddNum(uid)
		}
		looked = uid + 1
	}
	if len(handled) > 0 {
		if err := r.putAway(c, handled); err != nil {
			return err // they are looked at again: the ledger does not mind
		}
	}
	r.next = looked
	return nil
}

// fetch reads the beginning of a mail without marking it as read.
func fetch(c *imapclient.Client, uid imap.UID) ([]byte, error) {
	got, err := c.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true,
		BodySection: []*imap.FetchItemBodySection{{Peek: true, Partial: &imap.SectionPartial{Offset: 0, Size: pollBytes}}}}).Collect()
	if err != nil {
		return nil, err
	}
	for _, m := range got {
		if m.UID == uid && len(m.BodySection) > 0 {
			return m.BodySection[0].Bytes, nil
		}
	}
	return nil, nil // somebody else removed it
}

// putAway moves or deletes mails, and no others: a server that cannot expunge
// single mails only gets them marked.
func (r *returns) putAway(c *imapclient.Client, mails imap.UIDSet) error {
	if r.c.Move != "" {
		if c.Caps().Has(imap.CapMove) {
			_, err := c.Move(mails, r.c.Move).Wait()
			return err
		}
		if _, err := c.Copy(mails, r.c.Move).Wait(); err != nil {
			return err
		}
	}
	if err := c.Store(mails, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close(); err != nil {
		return err
	}
	if !c.Caps().Has(imap.CapUIDPlus) {
		return nil
	}
	return c.UIDExpunge(mails).Close()
}
