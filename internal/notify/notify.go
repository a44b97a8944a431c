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
	"net/mail"
	"strings"
	"sync"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/job"
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
	channels map[Way][]*provider
	catcher  *provider
	host     string // right side of Message-IDs
	words    override
	bounces  []bounceReader
	returns  *returns      // nil = no mailbox is read
	turn     chan struct{} // held by the delivery under way
	replyKey []byte
	own      []string // addresses we send from
}

// New makes the service. It fails when a provider's configuration is wrong or
// its secret cannot be read.
func New(d *db.DB, keys *seal.Keyring, o Options) (*Service, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Service{db: d, keys: keys, o: o, channels: map[Way][]*provider{}, turn: make(chan struct{}, 1), host: "casemate.invalid"}
	switch { // the settings are checked without keys
	case o.ReplySecret != "":
		s.replyKey = []byte(o.ReplySecret)
	case o.ReplyTo != "" && keys != nil:
		s.replyKey = keys.Derive("reply addresses")
	}
	s.catcher = &provider{Channel: &catcher{s: s}}
	for _, c := range o.Mail {
		s.add(Mail, c, Place{})
	}
	for _, c := range o.SMS {
		s.add(SMS, c, Place{})
	}
	for i, c := range o.Config.Mail {
		ch, err := NewSMTP(c, o.Config.ProductName())
		if err != nil {
			return nil, fmt.Errorf("notify.mail[%d]: %w", i, err)
		}
		s.add(Mail, ch, Place{c.Order, c.Weight}).price = func(string) int64 { return c.Price }
		if a, err := mail.ParseAddress(c.From); err == nil {
			if s.own = append(s.own, a.Address); i == 0 {
				// One for all providers: a fail-over must not change the Message-ID.
				s.host = a.Address[strings.LastIndexByte(a.Address, '@')+1:]
			}
		}
	}
	s.bounces = append(s.bounces, newBounceReader(s.host, ""))
	for _, c := range o.Config.Mail {
		if strings.Contains(c.Bounce, "{id}") {
			s.bounces = append(s.bounces, newBounceReader(s.host, c.Bounce))
		}
	}
	var err error
	if s.returns, err = newReturns(o.Config.Returns); err != nil {
		return nil, fmt.Errorf("notify.returns: %w", err)
	}
	for i, c := range o.Config.SMS {
		ch, err := NewGateway(c)
		if err != nil {
			return nil, fmt.Errorf("notify.sms[%d]: %w", i, err)
		}
		s.add(SMS, ch, Place{c.Order, c.Weight}).price = byArea(c.Prices)
	}
	for i, c := range o.Config.SMPP {
		ch, err := NewSMPP(c, o.Log)
		if err != nil {
			return nil, fmt.Errorf("notify.smpp[%d]: %w", i, err)
		}
		if centre, ok := ch.(*smpp); ok {
			centre.receive = s.receive
		}
		s.add(SMS, ch, Place{c.Order, c.Weight}).price = byArea(c.Prices)
	}
	for _, list := range s.channels {
		seen := map[string]bool{}
		for _, p := range list {
			if seen[p.Name()] {
				return nil, fmt.Errorf("two providers are called %q: give one another name", p.Name())
			}
			seen[p.Name()] = true
		}
	}
	return s, nil
}

// add appends a provider. Without an order of its own it is asked after those
// that stand before it.
func (s *Service) add(way Way, c Channel, at Place) *provider {
	if at.Order == 0 && at.Weight == 0 {
		at.Order = len(s.channels[way])
	}
	p := &provider{Channel: c, way: way, place: at}
	s.channels[way] = append(s.channels[way], p)
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

// Run keeps the connections of providers that have lasting ones, until the
// context ends: receipts come over them. In the demo world nothing is
// connected.
func (s *Service) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, p := range s.channels[SMS] {
		if c, ok := p.Channel.(*smpp); ok && !s.o.Catch {
			all.Go(func() { c.keep(ctx) })
		}
	}
	all.Wait()
}

// Close ends the connections of providers. What is sent after that fails.
func (s *Service) Close() {
	for _, list := range s.channels {
		for _, p := range list {
			if c, ok := p.Channel.(interface{ Close() }); ok {
				c.Close()
			}
		}
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
