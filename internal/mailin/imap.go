package mailin

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"casemate/internal/config"
)

// account is how one mailbox is reached.
type account struct {
	name     string // of the mailbox
	c        config.IMAP
	password string
	tokens   *tokens // nil = a password
	tls      *tls.Config
}

func (g *Gate) newAccount(name string, c config.IMAP) (*account, error) {
	a := &account{name: name, c: c.WithDefaults(), tls: &tls.Config{ServerName: c.Host, MinVersion: tls.VersionTLS12}}
	var err error
	if a.password, err = c.Password.Read(); err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	if a.tls.RootCAs, err = certificates(c.CAFile); err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	if c.OAuth.TokenURL == "" {
		if a.password == "" {
			return nil, errors.New("password: it is empty")
		}
		return a, nil
	}
	if a.tokens, err = newTokens(a.c.OAuth, g.db.Now); err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	a.tokens.stored, a.tokens.store = g.storedRefresh(name, a.tokens.refresh), g.keepRefresh(name, a.tokens.refresh)
	return a, nil
}

// certificates are those of the file, or nil for the system's.
func certificates(path string) (*x509.CertPool, error) {
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

// secrets are the words that must not show in an error.
func (a *account) secrets() []string {
	if a.tokens != nil {
		return a.tokens.secrets()
	}
	return []string{a.password}
}

func (a *account) trouble(zh, en string, cause error) *Trouble {
	return trouble(zh, en, cause, a.secrets()...)
}

// link is a connection that has logged in. All its methods end when the context
// it was opened with ends, or when the server is silent for too long.
type link struct {
	a    *account
	conn net.Conn
	c    *imapclient.Client
	news chan struct{} // the server told of a change in the folder
	stop func() bool

	silent bool // the server refused to tell of news
}

// open connects and logs in. The errors are troubles.
func (a *account) open(ctx context.Context) (*link, error) {
	var token string
	for try := 0; ; try++ {
		if a.tokens != nil {
			var err error
			if token, err = a.tokens.access(ctx); err != nil {
				return nil, a.trouble("获取访问令牌失败", "no access token", err)
			}
		}
		l, err := a.dial(ctx)
		if err != nil {
			return nil, err
		}
		err = l.within(a.c.Timeout, func() error { return l.login(token) })
		if err == nil {
			return l, nil
		}
		l.close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if a.tokens != nil {
			a.tokens.drop()
			if try == 0 && !errors.Is(err, io.EOF) {
				continue // it may have been withdrawn before its end
			}
		}
		return nil, a.trouble("登录失败", "the log-in failed", err)
	}
}

func (a *account) dial(ctx context.Context) (*link, error) {
	dctx, cancel := context.WithTimeout(ctx, min(a.c.Timeout, 30*time.Second))
	defer cancel()
	plain := &net.Dialer{KeepAlive: 30 * time.Second}
	address := net.JoinHostPort(a.c.Host, strconv.Itoa(a.c.Port))
	var conn net.Conn
	var err error
	if a.c.TLS == config.TLSImplicit {
		conn, err = (&tls.Dialer{NetDialer: plain, Config: a.tls}).DialContext(dctx, "tcp", address)
	} else {
		conn, err = plain.DialContext(dctx, "tcp", address)
	}
	if err != nil {
		return nil, a.trouble("无法连接 "+address, "cannot connect to "+address, err)
	}
	l := &link{a: a, conn: conn, news: make(chan struct{}, 1)}
	l.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	o := &imapclient.Options{TLSConfig: a.tls, UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages == nil {
				return
			}
			select {
			case l.news <- struct{}{}:
			default: // one mark says it all
			}
		}}}
	err = l.within(a.c.Timeout, func() (err error) {
		if a.c.TLS == config.TLSStart {
			l.c, err = imapclient.NewStartTLS(conn, o)
			return err
		}
		l.c = imapclient.New(conn, o)
		return l.c.WaitGreeting()
	})
	if err != nil {
		l.close()
		return nil, a.trouble("与 "+address+" 握手失败", "no good greeting from "+address, err)
	}
	return l, nil
}

// within runs a part of the conversation; when it takes too long the
// connection is closed, which ends whatever the library waits for.
func (l *link) within(limit time.Duration, talk func() error) error {
	late := make(chan struct{})
	timer := time.AfterFunc(limit, func() {
		close(late)
		_ = l.conn.Close()
	})
	err := talk()
	if !timer.Stop() {
		<-late
		return errors.Join(context.DeadlineExceeded, err)
	}
	return err
}

func (l *link) login(token string) error {
	if l.c.State() == imap.ConnStateAuthenticated {
		return nil // PREAUTH
	}
	if l.a.tokens != nil {
		return l.c.Authenticate(bearer(l.a.c, token))
	}
	caps := l.c.Caps()
	if caps.Has(imap.CapLoginDisabled) && caps.Has(imap.AuthCap(sasl.Plain)) {
		return l.c.Authenticate(sasl.NewPlainClient("", l.a.c.User, l.a.password))
	}
	return l.c.Login(l.a.c.User, l.a.password).Wait()
}

// logout says goodbye without waiting long.
func (l *link) logout() {
	_ = l.within(2*time.Second, func() error { return l.c.Logout().Wait() }) // it is closed whatever the server says
	l.close()
}

func (l *link) close() {
	l.stop()
	_ = l.conn.Close() // may be closed already
	if l.c != nil {
		_ = l.c.Close() // waits until its reader has ended
	}
}

// box is a folder as SELECT tells of it.
type box struct {
	Validity int64
	Next     int64 // UIDNEXT
}

func (l *link) selectFolder() (b box, err error) {
	err = l.within(l.a.c.Timeout, func() error {
		d, err := l.c.Select(l.a.c.Folder, nil).Wait()
		if err != nil {
			return err
		}
		b = box{Validity: int64(d.UIDValidity), Next: int64(d.UIDNext)}
		return nil
	})
	if err != nil {
		return b, l.a.trouble("无法打开文件夹 "+l.a.c.Folder, "the folder "+l.a.c.Folder+" cannot be opened", err)
	}
	if b.Next == 0 { // servers should say it, some do not
		all, err := l.since(0)
		if err != nil {
			return b, err
		}
		b.Next = 1
		if len(all) > 0 {
			b.Next = all[len(all)-1] + 1
		}
	}
	return b, nil
}

// since are the numbers of the mails above a number, rising, those marked as
// deleted left out.
func (l *link) since(uid int64) (found []int64, err error) {
	err = l.within(l.a.c.Timeout, func() error {
		var set imap.UIDSet
		set.AddRange(imap.UID(uid+1), 0)
		d, err := l.c.UIDSearch(&imap.SearchCriteria{UID: []imap.UIDSet{set}, NotFlag: []imap.Flag{imap.FlagDeleted}}, nil).Wait()
		if err != nil {
			return err
		}
		for _, u := range d.AllUIDs() {
			if int64(u) > uid { // n:* holds the last mail even when its number is lower
				found = append(found, int64(u))
			}
		}
		slices.Sort(found)
		return nil
	})
	if err != nil {
		return nil, l.a.trouble("无法列出邮件", "the mails cannot be listed", err)
	}
	return found, nil
}

// meta is what is asked about a mail before it is fetched.
type meta struct {
	Size int64
	At   int64 // INTERNALDATE, milliseconds UTC
}

func uidSet(uids []int64) imap.UIDSet {
	var set imap.UIDSet
	for _, u := range uids {
		set.AddNum(imap.UID(u))
	}
	return set
}

func (l *link) describe(uids []int64) (all map[int64]meta, err error) {
	all = map[int64]meta{}
	err = l.within(l.a.c.Timeout, func() error {
		got, err := l.c.Fetch(uidSet(uids), &imap.FetchOptions{UID: true, RFC822Size: true, InternalDate: true}).Collect()
		for _, m := range got {
			all[int64(m.UID)] = meta{Size: m.RFC822Size, At: m.InternalDate.UnixMilli()}
		}
		return err
	})
	return all, err
}

// fetch reads a mail, at most so many bytes of it, without marking it as read;
// nil when it is gone. headOnly reads its header only; size is what it is said to
// have.
func (l *link) fetch(uid, size, most int64, headOnly bool) (raw []byte, err error) {
	section := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Offset: 0, Size: most}}
	if headOnly {
		section.Specifier = imap.PartSpecifierHeader
	}
	// Slow lines get time: a second for each 64 KB.
	limit := l.a.c.Timeout + time.Duration(min(most, size)/(64<<10))*time.Second
	err = l.within(limit, func() error {
		cmd := l.c.Fetch(imap.UIDSetNum(imap.UID(uid)), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}})
		for m := cmd.Next(); m != nil; m = cmd.Next() {
			for item := m.Next(); item != nil; item = m.Next() {
				b, ok := item.(imapclient.FetchItemDataBodySection)
				if !ok || b.Literal == nil || raw != nil {
					continue
				}
				// A server that sends more than asked for is not read whole.
				got, err := io.ReadAll(io.LimitReader(b.Literal, most))
				if err != nil {
					return errors.Join(err, cmd.Close())
				}
				raw = got
			}
		}
		return cmd.Close()
	})
	if err != nil {
		return nil, err
	}
	return raw, nil
}

// mark does with stored mails what the settings say.
func (l *link) mark(uids []int64) error {
	if len(uids) == 0 {
		return nil
	}
	set := uidSet(uids)
	err := l.within(l.a.c.Timeout, func() error {
		switch l.a.c.After {
		case config.AfterSeen:
			return l.flag(set, imap.FlagSeen)
		case config.AfterMove:
			if l.c.Caps().Has(imap.CapMove) {
				return l.move(func() error { _, err := l.c.Move(set, l.a.c.Move).Wait(); return err })
			}
			if err := l.move(func() error { _, err := l.c.Copy(set, l.a.c.Move).Wait(); return err }); err != nil {
				return err
			}
		}
		if err := l.flag(set, imap.FlagDeleted); err != nil {
			return err
		}
		if !l.c.Caps().Has(imap.CapUIDPlus) {
			return nil // single mails cannot be expunged: they stay marked
		}
		return l.c.UIDExpunge(set).Close()
	})
	if err != nil {
		return l.a.trouble("邮件已收取，但无法在服务器上标记", "mails were taken but cannot be marked on the server", err)
	}
	return nil
}

func (l *link) flag(set imap.UIDSet, f imap.Flag) error {
	return l.c.Store(set, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{f}}, nil).Close()
}

// move moves or copies; a folder that is missing is made.
func (l *link) move(do func() error) error {
	err := do()
	if refused := (*imap.Error)(nil); !errors.As(err, &refused) {
		return err
	}
	if made := l.c.Create(l.a.c.Move, nil).Wait(); made != nil {
		return err // the first error tells more
	}
	return do()
}

// count is how many mails the folder has, and how many of them are unread.
func (l *link) count() (all, unseen int64, err error) {
	err = l.within(l.a.c.Timeout, func() error {
		d, err := l.c.Status(l.a.c.Folder, &imap.StatusOptions{NumMessages: true, NumUnseen: true}).Wait()
		if err != nil {
			return err
		}
		if d.NumMessages != nil {
			all = int64(*d.NumMessages)
		}
		if d.NumUnseen != nil {
			unseen = int64(*d.NumUnseen)
		}
		return nil
	})
	if err != nil {
		return 0, 0, l.a.trouble("无法打开文件夹 "+l.a.c.Folder, "the folder "+l.a.c.Folder+" cannot be opened", err)
	}
	return all, unseen, nil
}

// idles tells whether the server can tell of new mails by itself.
func (l *link) idles() bool { return !l.silent && l.c.Caps().Has(imap.CapIdle) }

// idle waits until the server tells of a change, or for a while.
func (l *link) idle(ctx context.Context, d time.Duration) error {
	var cmd *imapclient.IdleCommand
	err := l.within(l.a.c.Timeout, func() (err error) { cmd, err = l.c.Idle(); return err })
	if err != nil {
		return l.a.trouble("与服务器的连接中断", "the connection to the server broke", err)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-l.news:
	case <-timer.C:
	case <-l.c.Closed():
	case <-ctx.Done():
	}
	err = l.within(l.a.c.Timeout, func() error {
		if err := cmd.Close(); err != nil {
			return err
		}
		return cmd.Wait()
	})
	if err != nil {
		return l.a.trouble("与服务器的连接中断", "the connection to the server broke", err)
	}
	return nil
}

// accountID is the same as long as the numbers of the mails can mean the same.
func (g *Gate) accountID(c config.IMAP) string {
	c = c.WithDefaults()
	return g.keys.Lookup("mail account", strings.Join([]string{strings.ToLower(c.Host), c.User, cmp.Or(c.Folder, "INBOX")}, "\x00"))
}
