package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// What becomes of mail from an address that is nobody's.
const (
	UnknownQuarantine = "quarantine" // the default: it waits for a person of the house
	UnknownRefuse     = "refuse"     // a mail back says that the address is not known; rate limited
	UnknownCreate     = "create"     // a ticket in the name of the mailbox's guest
)

// MailIn is mail that comes in and becomes tickets and messages. Without a
// mailbox nothing comes in.
type MailIn struct {
	Mailboxes []Mailbox `yaml:"mailboxes"`
	// ReplyTo is the address that answers to notices go to, e.g.
	// support@example.com: notices carry it with a signed token behind a plus
	// sign. "" = the address of the first mailbox.
	ReplyTo string `yaml:"reply_to"`
	// ReplySecret signs reply addresses; without one a key of the installation
	// does. Nodes share it either way.
	ReplySecret Secret `yaml:"reply_secret"`
	// AuthServers are the names our own receiving servers write into
	// Authentication-Results (RFC 8601); results of all others are not believed.
	AuthServers []string `yaml:"auth_servers"`
	// RequireAuth quarantines mail that none of AuthServers says passed DMARC;
	// without it only a failure does.
	RequireAuth bool          `yaml:"require_auth"`
	MaxMB       int           `yaml:"max_mb"` // largest mail; 0 = 35, at most 100
	Keep        time.Duration `yaml:"keep"`   // how long the original of a handled mail is kept; 0 = 720h, negative = not at all
	// KeepQuarantine is how long a mail waits in quarantine before it is discarded;
	// 0 = 8760h (365 days), negative = for ever.
	KeepQuarantine time.Duration `yaml:"keep_quarantine"`
	Types          []string      `yaml:"types"`        // extensions taken from mail beside attachment.types; empty = p7m, p7s, ics, dat, eml, asc
	Tries          int           `yaml:"tries"`        // then a mail that cannot be handled is quarantined; 0 = 5
	RefuseEvery    time.Duration `yaml:"refuse_every"` // least time between two refusals to one address; 0 = 24h
	RefuseHour     int           `yaml:"refuse_hour"`  // most refusals in an hour, all addresses together; 0 = 60
	Receiver       MailReceiver  `yaml:"receiver"`     // takes mails over LMTP or SMTP
}

// Mailbox is one address mail comes to.
type Mailbox struct {
	Name        string   `yaml:"name"`         // as transports and lists call it; "" = the address
	Address     string   `yaml:"address"`      // support@example.com
	Aliases     []string `yaml:"aliases"`      // other addresses of it
	Language    string   `yaml:"language"`     // zh-cn (default) or en-us: of tickets and mails back where nobody's is known
	ProblemType string   `yaml:"problem_type"` // of new tickets; "" = the first consultation of the catalogue
	Product     string   `yaml:"product"`      // of new tickets, where the problem type needs one
	Region      string   `yaml:"region"`       // of new tickets, where the problem type needs one
	Unknown     string   `yaml:"unknown"`      // quarantine (default), refuse or create
	Guest       Guest    `yaml:"guest"`        // in whose name unknown senders' tickets are made
	Domain      string   `yaml:"domain"`       // name of the customer whose users write here; "" = any customer's
	IMAP        IMAP     `yaml:"imap"`         // the account its mails are fetched from
}

// Guest is a customer's user in whose name tickets of unknown senders are made.
type Guest struct {
	Domain string `yaml:"domain"` // its name
	User   string `yaml:"user"`   // log-in name
}

// Check refuses values that mean nothing.
func (m MailIn) Check() error {
	var names, addresses []string
	for i, b := range m.Mailboxes {
		at := fmt.Sprintf("mail_in.mailboxes[%d]", i)
		if !plainAddress(b.Address) {
			return fmt.Errorf("%s.address is one plain address, name@example.com", at)
		}
		for _, a := range append([]string{b.Address}, b.Aliases...) {
			if !plainAddress(a) {
				return fmt.Errorf("%s.aliases are plain addresses, name@example.com", at)
			}
			if slices.Contains(addresses, strings.ToLower(a)) {
				return fmt.Errorf("%s: the address %s is named twice", at, a)
			}
			addresses = append(addresses, strings.ToLower(a))
		}
		if slices.Contains(names, b.Label()) {
			return fmt.Errorf("%s: two mailboxes are called %q", at, b.Label())
		}
		names = append(names, b.Label())
		switch b.Language {
		case "", "zh-cn", "en-us":
		default:
			return fmt.Errorf("%s.language is zh-cn or en-us", at)
		}
		switch b.Unknown {
		case "", UnknownQuarantine, UnknownRefuse:
		case UnknownCreate:
			if b.Guest.Domain == "" || b.Guest.User == "" {
				return fmt.Errorf("%s.guest: unknown: create needs the domain and the user tickets are made for", at)
			}
		default:
			return fmt.Errorf("%s.unknown is %s, %s or %s", at, UnknownQuarantine, UnknownRefuse, UnknownCreate)
		}
	}
	if err := m.checkTransports(); err != nil {
		return err
	}
	switch {
	case m.ReplyTo != "" && (!plainAddress(m.ReplyTo) || strings.Contains(m.ReplyTo, "+")):
		return errors.New("mail_in.reply_to is one plain address without a plus sign, name@example.com")
	case m.MaxMB < 0 || m.MaxMB > 100:
		return errors.New("mail_in.max_mb is 1 to 100")
	case m.Tries < 0 || m.Tries > 20:
		return errors.New("mail_in.tries is 1 to 20")
	case m.RefuseEvery < 0, m.RefuseHour < 0:
		return errors.New("mail_in: refuse_every and refuse_hour cannot be negative")
	case m.RequireAuth && len(m.AuthServers) == 0:
		return errors.New("mail_in.require_auth needs auth_servers: nobody's results are believed otherwise")
	case len(m.AuthServers) > 0 && m.Receiver.Listen != "" && len(m.Receiver.Trusted) == 0:
		return errors.New("mail_in.auth_servers needs receiver.trusted: the results of an untrusted peer are taken out, so that a forged sender would not be seen; name the mail server that delivers, e.g. 127.0.0.0/8")
	}
	for _, t := range m.Types {
		if !extensionForm.MatchString(t) {
			return fmt.Errorf("mail_in.types: %q is no extension", t)
		}
	}
	return nil
}

var extensionForm = regexp.MustCompile(`^[a-z0-9]{1,12}$`)

// Label is how the mailbox is called.
func (b Mailbox) Label() string {
	if b.Name != "" {
		return b.Name
	}
	return b.Address
}

// On tells whether mail comes in at all.
func (m MailIn) On() bool { return len(m.Mailboxes) > 0 }

// Reply is the address answers to notices go to, "" = none.
func (m MailIn) Reply() string {
	if m.ReplyTo != "" || !m.On() {
		return m.ReplyTo
	}
	return m.Mailboxes[0].Address
}

// WithDefaults fills in what is not set.
func (m MailIn) WithDefaults() MailIn {
	if m.MaxMB == 0 {
		m.MaxMB = 35
	}
	if m.Keep == 0 {
		m.Keep = 30 * 24 * time.Hour
	}
	if m.KeepQuarantine == 0 {
		m.KeepQuarantine = 365 * 24 * time.Hour
	}
	if len(m.Types) == 0 {
		m.Types = []string{"p7m", "p7s", "ics", "dat", "eml", "asc"}
	}
	if m.Tries == 0 {
		m.Tries = 5
	}
	if m.RefuseEvery == 0 {
		m.RefuseEvery = 24 * time.Hour
	}
	if m.RefuseHour == 0 {
		m.RefuseHour = 60
	}
	m.Mailboxes = slices.Clone(m.Mailboxes)
	m.Receiver = m.Receiver.WithDefaults()
	for i := range m.Mailboxes {
		b := &m.Mailboxes[i]
		b.IMAP = b.IMAP.WithDefaults()
		b.Name = b.Label()
		if b.Language == "" {
			b.Language = "zh-cn"
		}
		if b.Unknown == "" {
			b.Unknown = UnknownQuarantine
		}
	}
	return m
}

// MaxBytes is the largest mail in bytes.
func (m MailIn) MaxBytes() int64 { return int64(m.WithDefaults().MaxMB) * MB }
