package mailin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// Gate is how mails come in: it fetches those of IMAP accounts and takes those
// that mail servers bring, and hands them to the service. A mail is answered
// for, or marked on its server, only after the service has it.
type Gate struct {
	db       *db.DB
	keys     *seal.Keyring
	mail     *Service
	o        GateOptions
	log      *slog.Logger
	node     string
	max      int64 // bytes of a mail
	boxes    []config.Mailbox
	accounts map[string]*account // by mailbox; those without one receive only
	receiver *receiver           // nil = off
}

// GateOptions of NewGate.
type GateOptions struct {
	Config config.MailIn
	Node   string       // name of this node
	Log    *slog.Logger // nil = the default logger
	// Alone says that no other process has the store, so that the mailboxes of one
	// that was killed are read again at once.
	Alone bool
	// Pause is what is waited after a first failure; it doubles. 0 = 2s. Twice as
	// much passes between two looks whether the node that reads a mailbox lives.
	Pause time.Duration
	// Accept stores a mail; nil = the service's.
	Accept func(ctx context.Context, r Received) (id string, err error)
}

// NewGate makes the transports. Secrets and certificates are read now, so a
// file that is missing shows at the start. Nothing is connected before Run.
func NewGate(d *db.DB, keys *seal.Keyring, s *Service, o GateOptions) (*Gate, error) {
	if err := o.Config.Check(); err != nil {
		return nil, err
	}
	o.Config = o.Config.WithDefaults()
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.Pause = cmp.Or(o.Pause, firstPause)
	if o.Accept == nil {
		o.Accept = s.Accept
	}
	g := &Gate{db: d, keys: keys, mail: s, o: o, log: o.Log, node: o.Node, max: o.Config.MaxBytes(), boxes: o.Config.Mailboxes, accounts: map[string]*account{}}
	for i, b := range g.boxes {
		if b.IMAP.Host == "" {
			continue
		}
		a, err := g.newAccount(b.Name, b.IMAP)
		if err != nil {
			return nil, fmt.Errorf("mail_in.mailboxes[%d].imap.%w", i, err)
		}
		g.accounts[b.Name] = a
	}
	if o.Config.Receiver.Listen == "" {
		return g, nil
	}
	var err error
	if g.receiver, err = newReceiver(g, o.Config.Receiver); err != nil {
		return nil, fmt.Errorf("mail_in.receiver.%w", err)
	}
	return g, nil
}

// Listen opens the receiver's address, so that one that is taken shows before
// anything is served. Without a receiver it does nothing.
func (g *Gate) Listen() error {
	if g.receiver == nil {
		return nil
	}
	return g.receiver.listen()
}

// Close gives the receiver's address back, if Run was not called.
func (g *Gate) Close() {
	if g.receiver != nil {
		g.receiver.end()
	}
}

// Address is where the receiver listens, "" = nowhere.
func (g *Gate) Address() string {
	if g.receiver == nil {
		return ""
	}
	return g.receiver.address()
}

// Run works until the context ends, then drains: mails being received are
// stored and answered, a mail being fetched is given up or stored, leases go
// back.
func (g *Gate) Run(ctx context.Context) {
	var work sync.WaitGroup
	for _, b := range g.boxes {
		if a := g.accounts[b.Name]; a != nil {
			p := &poller{g: g, a: a}
			work.Go(func() { p.run(ctx) })
		}
	}
	if g.receiver != nil {
		work.Go(func() { g.receiver.run(ctx) })
	}
	work.Wait()
}

// BoxStatus is how a mailbox does.
type BoxStatus struct {
	Name, Address string
	IMAP          bool   // its mails are fetched; else they are brought only
	Server        string // host:port
	User, Folder  string
	Node          string // that looked last
	OK            int64  // when all that lay there had been stored, milliseconds UTC; 0 = never yet
	Lag           int64  // milliseconds since then
	TakenAt       int64  // when the last mail was stored
	Taken         int64  // mails stored
	Waiting       int64  // mails seen and not stored yet
	Left          int64  // mails left in the mailbox, noted in quarantine
	Failures      int64  // in a row
	Failed, Next  int64  // the last failure; when it is tried again
	Error         *Trouble
}

// Mailboxes tells how the mailboxes do, in the order of the configuration.
// Administrators and the operator on the machine.
func (g *Gate) Mailboxes(ctx context.Context, who principal.Principal) ([]BoxStatus, error) {
	if !who.Inspects() {
		return nil, fault.NoPermission
	}
	states, left := map[string]boxState{}, map[string]int64{}
	var now int64
	err := g.db.View(ctx, func(tx *db.Tx) error {
		now = tx.Now
		clear(states)
		clear(left)
		err := tx.List(func(r db.Row) error {
			var name string
			var b boxState
			if err := r.Scan(append([]any{&name}, b.into()...)...); err != nil {
				return err
			}
			states[name] = b
			return nil
		}, "SELECT name, "+boxColumns+" FROM mail_boxes")
		if err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			var name string
			var n int64
			if err := r.Scan(&name, &n); err != nil {
				return err
			}
			left[name] = n
			return nil
		}, "SELECT s.mailbox, count(*) FROM mail_stuck s JOIN mail_boxes b ON b.name = s.mailbox AND b.validity = s.validity WHERE s.next_at = 0 GROUP BY s.mailbox")
	})
	if err != nil {
		return nil, err
	}
	all := []BoxStatus{}
	for _, b := range g.boxes {
		s := BoxStatus{Name: b.Name, Address: b.Address}
		if a := g.accounts[b.Name]; a != nil {
			st := states[b.Name]
			s.IMAP, s.Server, s.User, s.Folder = true, fmt.Sprintf("%s:%d", a.c.Host, a.c.Port), a.c.User, a.c.Folder
			if st.Account == "" || st.Account == g.accountID(a.c) {
				s.Node, s.OK, s.TakenAt, s.Taken, s.Waiting, s.Failures, s.Left = st.Node, st.OK, st.TakenAt, st.Taken, st.Waiting, st.Failures, left[b.Name]
				if s.OK > 0 {
					s.Lag = max(now-s.OK, 0)
				}
				if st.Failures > 0 {
					s.Failed, s.Next, s.Error = st.Failed, st.Next, &Trouble{ZH: st.ErrorZH, EN: st.ErrorEN}
				}
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// BoxTest is what a log-in to a mailbox showed.
type BoxTest struct {
	OK               bool
	Messages, Unseen int64
	Idle             bool     // the server tells of new mails by itself
	Trouble          *Trouble // why not
	Took             time.Duration
}

// ErrNoAccount: no such mailbox, or none whose mails are fetched.
var ErrNoAccount = fault.New(fault.NotFound, fault.CodeInvalid, "没有名为 {name} 的 IMAP 邮箱", "there is no IMAP mailbox called {name}")

// Test logs in to a mailbox as the poller does and counts its mails, changing
// nothing. Administrators and the operator on the machine; at most 30 s.
func (g *Gate) Test(ctx context.Context, who principal.Principal, name string) (BoxTest, error) {
	if !who.Admin() {
		return BoxTest{}, fault.NoPermission
	}
	a := g.accounts[name]
	if a == nil {
		return BoxTest{}, ErrNoAccount.With("name", name).In("name")
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	began := time.Now()
	t, err := a.test(ctx)
	t.Took = time.Since(began)
	if err != nil {
		t.Trouble = a.trouble("读取邮箱失败", "reading the mailbox failed", err)
	}
	t.OK = err == nil
	return t, nil
}

func (a *account) test(ctx context.Context) (t BoxTest, err error) {
	l, err := a.open(ctx)
	if err != nil {
		return t, err
	}
	defer l.logout()
	t.Idle = l.idles()
	t.Messages, t.Unseen, err = l.count()
	return t, err
}

// mailboxOf is the mailbox that an envelope's recipient belongs to: its address,
// an alias, or one of them with something behind a plus sign, as the signed
// addresses of notices have it. Answers to notices whose address is no
// mailbox's belong to the first one.
func (g *Gate) mailboxOf(recipient string) (name string, ok bool) {
	address := strings.ToLower(recipient)
	at := strings.LastIndexByte(address, '@')
	if at < 1 {
		return "", false
	}
	local, _, _ := strings.Cut(address[:at], "+")
	bare := local + address[at:]
	for _, b := range g.boxes {
		if slices.ContainsFunc(append([]string{b.Address}, b.Aliases...), func(a string) bool {
			a = strings.ToLower(a)
			return a == address || a == bare
		}) {
			return b.Name, true
		}
	}
	if reply := strings.ToLower(g.o.Config.Reply()); reply != "" && (reply == address || reply == bare) {
		return g.boxes[0].Name, true
	}
	return "", false
}

// isOurs tells a failure of ours from one of the mail.
func isOurs(err error) bool {
	return fault.KindOf(err) == fault.Unavailable || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
