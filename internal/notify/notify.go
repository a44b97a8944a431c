// Package notify owns everything that leaves: mails and text messages. A
// message is a row, queued in the transaction that made it necessary and
// delivered by a job; it owns the texts in both languages, the channels with
// their providers, and the ledger of what became of each message.
//
// It does not decide who is told what: that is the noun's business.
package notify

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/guard"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// Way is the kind of contact a message goes to.
type Way string

const (
	Mail Way = "mail"
	SMS  Way = "sms"
)

// Faults of this package.
var (
	// ErrNoChannel: the installation has no provider for this kind of message.
	ErrNoChannel = fault.New(fault.Unavailable, "OSM.01010014", "尚未配置{channel}通道，无法发送", "no provider for {channel} is set up, nothing can be sent")
	// ErrCatcherOff: nothing is caught here.
	ErrCatcherOff = fault.New(fault.Conflict, fault.CodeNoPermission, "未启用消息捕获（仅限演示环境或沙箱）", "nothing is caught here: the catcher is for a demo world or a sandbox")
	// ErrNoCode: no code was caught for the contact.
	ErrNoCode = fault.New(fault.NotFound, "OSM.01010057", "没有发往该联系方式的验证码", "no code was sent to this contact")
)

// Options of the service.
type Options struct {
	Config config.Notify
	Catch  bool // the demo world: nothing leaves, the catcher holds all
	// Sandbox tells whether a domain is a sandbox: its messages are caught here,
	// at the one place all pass. nil = none is.
	Sandbox func(ctx context.Context, domain string) (bool, error)
	// Identity knows the people of the house, who get notices and digests; nil =
	// nobody of the house is told anything.
	Identity *identity.Service
	Mail     []Channel // instead of the providers of Config, for tests
	SMS      []Channel
	// ReplyTo is the address answers to notices go to, signed (reply.go); "" =
	// they cannot be answered by mail.
	ReplyTo     string
	ReplySecret string       // signs reply addresses; "" = a key of the installation
	Log         *slog.Logger // nil = slog.Default()
}

// Service is the noun.
type Service struct {
	db       *db.DB
	keys     *seal.Keyring
	o        Options
	fixed    []*provider // of the server's file, mail first
	walls    guard.Guard // of those set up at the desk
	lines    lines
	catcher  *provider
	words    override
	returns  *returns      // nil = no mailbox is read
	turn     chan struct{} // held by the delivery under way
	replyKey []byte

	admitTest func(tx *db.Tx, who principal.Principal, way Way, to string) error // LimitTests
}

// New makes the service. It fails when a provider's configuration is wrong or
// its secret cannot be read.
func New(d *db.DB, keys *seal.Keyring, o Options) (*Service, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Service{db: d, keys: keys, o: o, turn: make(chan struct{}, 1)}
	var err error
	if s.walls, err = guard.New(o.Config.Allow); err != nil {
		return nil, fmt.Errorf("notify.allow: %w", err)
	}
	switch { // the settings are checked without keys
	case o.ReplySecret != "":
		s.replyKey = []byte(o.ReplySecret)
	case o.ReplyTo != "" && keys != nil:
		s.replyKey = keys.Derive("reply addresses")
	}
	s.catcher = &provider{Channel: &catcher{s: s}}
	for _, c := range o.Mail {
		s.add(Spec{Kind: KindSMTP}, c, nil)
	}
	for _, c := range o.SMS {
		s.add(Spec{Kind: KindHTTP}, c, nil)
	}
	for i, c := range o.Config.Mail {
		ch, err := NewSMTP(c, o.Config.ProductName())
		if err != nil {
			return nil, fmt.Errorf("notify.mail[%d]: %w", i, err)
		}
		price := c.Price
		p := s.add(Spec{Kind: KindSMTP, Place: Place{c.Order, c.Weight}, SMTP: smtpSettings(c), Secrets: given(map[string]config.Secret{SecretPassword: c.Password, SecretDKIM: c.DKIM.Key})}, ch, func(string) int64 { return price })
		p.from, p.verp = c.From, c.Bounce
	}
	if s.returns, err = newReturns(o.Config.Returns); err != nil {
		return nil, fmt.Errorf("notify.returns: %w", err)
	}
	for i, c := range o.Config.SMS {
		ch, err := NewGateway(c)
		if err != nil {
			return nil, fmt.Errorf("notify.sms[%d]: %w", i, err)
		}
		s.add(Spec{Kind: KindHTTP, Place: Place{c.Order, c.Weight}, HTTP: httpSettings(c), Secrets: given(map[string]config.Secret{SecretToken: c.Secret, SecretReceipt: c.Receipt.Secret})}, ch, byArea(c.Prices))
	}
	for i, c := range o.Config.SMPP {
		ch, err := NewSMPP(c, o.Log)
		if err != nil {
			return nil, fmt.Errorf("notify.smpp[%d]: %w", i, err)
		}
		s.add(Spec{Kind: KindSMPP, Place: Place{c.Order, c.Weight}, SMPP: smppSettings(c), Secrets: given(map[string]config.Secret{SecretPassword: c.Password})}, ch, byArea(c.Prices))
	}
	seen := map[string]bool{}
	for _, p := range s.fixed {
		if seen[string(p.way)+p.Name()] {
			return nil, fmt.Errorf("two providers are called %q: give one another name", p.Name())
		}
		seen[string(p.way)+p.Name()] = true
	}
	if o.Identity != nil {
		o.Identity.Alerts(s.alert)
	}
	s.lines.now.Store(s.line(nil, nil))
	return s, nil
}

// given are the names of the secrets that are configured.
func given(all map[string]config.Secret) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name] != (config.Secret{}) {
			names = append(names, name)
		}
	}
	return names
}

// add appends a provider of the server's file. Without an order of its own it is
// asked after those that stand before it.
func (s *Service) add(spec Spec, c Channel, price func(to string) int64) *provider {
	way := spec.Way()
	if spec.Order == 0 && spec.Weight == 0 {
		for _, p := range s.fixed {
			if p.way == way {
				spec.Order++
			}
		}
	}
	spec.Name, spec.Source = c.Name(), SourceFile
	if centre, ok := c.(*smpp); ok {
		centre.receive = s.receive
	}
	p := &provider{Channel: c, way: way, place: spec.Place, price: price, spec: spec}
	s.fixed = append(s.fixed, p)
	return p
}

// byArea is the price of one part by the number's calling code.
func byArea(prices map[string]int64) func(to string) int64 {
	return func(to string) int64 {
		area, _, _ := SplitNumber(to)
		if n, ok := prices[area]; ok {
			return n
		}
		return prices["*"]
	}
}

// The jobs: one for codes, which are urgent and soon stale, one for the rest.
const (
	kindUrgent   = "notify.urgent"
	kindOrdinary = "notify.send"
	kindDigest   = "notify.digest"
)

// Kinds are the jobs of the package, for the runner. A job ends by the
// message's expiry, not by a number of tries.
func (s *Service) Kinds() []job.Kind {
	const noLimit = 1 << 20
	return []job.Kind{
		{Name: kindUrgent, Run: s.deliver, Timeout: 45 * time.Second, MaxTries: noLimit, Backoff: func(try int) time.Duration { return backoff(true, try) }},
		{Name: kindOrdinary, Run: s.deliver, Timeout: 90 * time.Second, MaxTries: noLimit, Backoff: func(try int) time.Duration { return backoff(false, try) }},
		{Name: kindDigest, Run: s.digest, Timeout: time.Minute},
	}
}

// Periodic is the housekeeping, for the runner.
func (s *Service) Periodic() []job.Periodic {
	all := []job.Periodic{
		{Name: "notify expiry", Every: time.Minute, Run: s.Expire},
		{Name: "notify purge", Every: time.Hour, Run: s.Purge},
	}
	if s.returns != nil && !s.o.Catch {
		all = append(all, job.Periodic{Name: "returned mails", Every: s.returns.c.Every, Run: s.ReadReturns})
	}
	return all
}

// backoff is the pause after a failed try: 1 s doubling to 20 s for codes, 10 s
// doubling to half an hour for the rest.
func backoff(urgent bool, try int) time.Duration {
	first, most := 10*time.Second, 30*time.Minute
	if urgent {
		first, most = time.Second, 20*time.Second
	}
	return min(first<<min(max(try-1, 0), 12), most)
}

// hash finds a contact's messages, over all tenants.
func (s *Service) hash(way Way, contact string) string {
	return s.keys.Lookup("notify "+string(way), contact)
}

func (s *Service) place(column, id string) seal.Place {
	return seal.Place{Table: "notify_messages", Column: column, Row: id}
}

// cipher seals and opens the personal fields of one person's messages; without
// a person the installation's keys do.
type cipher struct {
	person *seal.Person
	keys   *seal.Keyring
}

func (s *Service) cipher(ctx context.Context, person string) (cipher, error) {
	if person == "" {
		return cipher{keys: s.keys}, nil
	}
	p, err := s.keys.Person(ctx, person)
	return cipher{person: p}, err
}

func (c cipher) seal(at seal.Place, plain string) (string, error) {
	if c.person != nil {
		return c.person.Seal(at, plain)
	}
	return c.keys.Seal(at, []byte(plain))
}

func (c cipher) open(at seal.Place, sealed string) (string, error) {
	if c.person != nil {
		return c.person.Open(at, sealed)
	}
	plain, err := c.keys.Open(at, sealed)
	return string(plain), err
}
