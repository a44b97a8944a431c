package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// What is done with a mail in an IMAP folder once it is stored here.
const (
	AfterSeen   = "seen"   // the default: it is marked as read and stays
	AfterMove   = "move"   // it goes to another folder
	AfterDelete = "delete" // it is deleted
)

// IMAP is the account that a mailbox's mails are fetched from. Without a host
// the mailbox gets its mails from the receiver only.
type IMAP struct {
	Host     string        `yaml:"host"`     // "" = nothing is fetched
	Port     int           `yaml:"port"`     // 0 = 993, with starttls and none 143
	TLS      string        `yaml:"tls"`      // implicit (default), starttls, none
	Clear    bool          `yaml:"clear"`    // with tls none: says that password and mails may cross a network in clear text; not needed on loopback
	CAFile   string        `yaml:"ca_file"`  // certificates to trust instead of the system's
	User     string        `yaml:"user"`     // log-in name, often the address
	Password Secret        `yaml:"password"` // or oauth
	OAuth    MailOAuth     `yaml:"oauth"`    // instead of a password
	Folder   string        `yaml:"folder"`   // "" = INBOX
	After    string        `yaml:"after"`    // seen (default), move, delete
	Move     string        `yaml:"move"`     // folder for after: move; made when missing
	NewOnly  bool          `yaml:"new_only"` // leave what lay in the folder when it was first seen
	Every    time.Duration `yaml:"every"`    // between two looks, also while the server tells of new mails by itself (IDLE); 0 = 1m, at least 1s
	Timeout  time.Duration `yaml:"timeout"`  // of one answer; 0 = 1m
}

// MailOAuth gets the access token of a mail account from a token endpoint, with
// a refresh token or, without one, for the application itself (client
// credentials).
type MailOAuth struct {
	TokenURL     string   `yaml:"token_url"` // "" = no OAuth
	ClientID     string   `yaml:"client_id"`
	ClientSecret Secret   `yaml:"client_secret"`
	RefreshToken Secret   `yaml:"refresh_token"` // one that the endpoint gives anew is kept, sealed, in the database
	Scope        string   `yaml:"scope"`
	Mechanism    string   `yaml:"mechanism"` // xoauth2 (default) or oauthbearer
	Allow        []string `yaml:"allow"`     // address ranges of the endpoint that may be reached although they are not public; http is allowed to them
	CAFile       string   `yaml:"ca_file"`
}

// checkTransports checks how mails come.
func (m MailIn) checkTransports() error {
	accounts := map[string]string{}
	for i, b := range m.Mailboxes {
		key := fmt.Sprintf("mail_in.mailboxes[%d].imap", i)
		if err := b.IMAP.Check(key); err != nil {
			return err
		}
		if b.IMAP.Host == "" {
			continue
		}
		c := b.IMAP.WithDefaults()
		account := fmt.Sprintf("%s\x00%d\x00%s\x00%s", strings.ToLower(c.Host), c.Port, c.User, c.Folder)
		if other, twice := accounts[account]; twice {
			return fmt.Errorf("%s: %q is fetched from the same folder", key, other)
		}
		accounts[account] = b.Label()
	}
	if m.Receiver.Listen != "" && !m.On() {
		return errors.New("mail_in.receiver: there are no mailboxes to receive for")
	}
	return m.Receiver.Check()
}

// Check refuses what means nothing. key is the part's place in the file.
func (c IMAP) Check(key string) error {
	if c.Host == "" {
		if c.Port != 0 || c.User != "" || c.Password != (Secret{}) || c.OAuth.TokenURL != "" || c.Folder != "" || c.TLS != "" {
			return fmt.Errorf("%s.host is missing", key)
		}
		return nil
	}
	c = c.WithDefaults()
	switch {
	case c.TLS != TLSImplicit && c.TLS != TLSStart && c.TLS != TLSNone:
		return fmt.Errorf("%s.tls is %s, %s or %s", key, TLSImplicit, TLSStart, TLSNone)
	case c.TLS == TLSNone && !c.Clear && !loopbackHost(c.Host):
		return fmt.Errorf("%s.tls: none would send the password and the mails in clear text to %s; clear: true says that this is meant", key, c.Host)
	case c.Port < 1 || c.Port > 65535:
		return fmt.Errorf("%s.port %d does not exist", key, c.Port)
	case c.User == "":
		return fmt.Errorf("%s.user is missing", key)
	case c.OAuth.TokenURL == "" && c.Password == (Secret{}):
		return fmt.Errorf("%s.password is missing, or oauth", key)
	case c.OAuth.TokenURL != "" && c.Password != (Secret{}):
		return fmt.Errorf("%s has both a password and oauth", key)
	case c.After != AfterSeen && c.After != AfterMove && c.After != AfterDelete:
		return fmt.Errorf("%s.after is %s, %s or %s", key, AfterSeen, AfterMove, AfterDelete)
	case c.After == AfterMove && c.Move == "":
		return fmt.Errorf("%s.move is missing: the folder for after: move", key)
	case c.After != AfterMove && c.Move != "":
		return fmt.Errorf("%s.move is for after: move", key)
	case c.Move == c.Folder:
		return fmt.Errorf("%s.move is the folder itself", key)
	case c.Every < time.Second || c.Every > 24*time.Hour:
		return fmt.Errorf("%s.every is 1s to 24h", key)
	case c.Timeout < time.Second || c.Timeout > 10*time.Minute:
		return fmt.Errorf("%s.timeout is 1s to 10m", key)
	}
	return c.OAuth.check(key + ".oauth")
}

func (c MailOAuth) check(key string) error {
	if c.TokenURL == "" {
		if c.ClientID != "" || c.RefreshToken != (Secret{}) || c.ClientSecret != (Secret{}) {
			return fmt.Errorf("%s.token_url is missing", key)
		}
		return nil
	}
	u, err := url.Parse(c.TokenURL)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "":
		return fmt.Errorf("%s.token_url is an address such as https://login.example.com/token", key)
	case u.Scheme == "http" && len(c.Allow) == 0:
		return fmt.Errorf("%s.token_url: http only reaches addresses listed in allow", key)
	case c.ClientID == "":
		return fmt.Errorf("%s.client_id is missing", key)
	case c.RefreshToken == (Secret{}) && c.ClientSecret == (Secret{}):
		return fmt.Errorf("%s has neither a refresh_token nor a client_secret", key)
	case c.Mechanism != "" && c.Mechanism != "xoauth2" && c.Mechanism != "oauthbearer":
		return fmt.Errorf("%s.mechanism is xoauth2 or oauthbearer", key)
	}
	return ranges(key+".allow", c.Allow)
}

// WithDefaults fills in what is not set.
func (c IMAP) WithDefaults() IMAP {
	if c.Host == "" {
		return c
	}
	c.TLS = cmp.Or(c.TLS, TLSImplicit)
	port := 143
	if c.TLS == TLSImplicit {
		port = 993
	}
	c.Port = cmp.Or(c.Port, port)
	c.Folder = cmp.Or(c.Folder, "INBOX")
	c.After = cmp.Or(c.After, AfterSeen)
	c.Every = cmp.Or(c.Every, time.Minute)
	c.Timeout = cmp.Or(c.Timeout, time.Minute)
	if c.OAuth.TokenURL != "" {
		c.OAuth.Mechanism = cmp.Or(c.OAuth.Mechanism, "xoauth2")
	}
	return c
}

// Protocols of the receiver.
const (
	ReceiveLMTP = "lmtp" // the default: a mail server in front answers the world
	ReceiveSMTP = "smtp"
)

// MailReceiver is the listener that mail servers bring mails to, for the
// addresses of the mailboxes and nobody else. Without an address it is off.
type MailReceiver struct {
	Listen      string        `yaml:"listen"`      // such as 127.0.0.1:2400; "" = off
	Public      bool          `yaml:"public"`      // says that others than this machine may reach the address
	Protocol    string        `yaml:"protocol"`    // lmtp (default) or smtp
	Name        string        `yaml:"name"`        // in greetings; "" = the host's
	Peers       []string      `yaml:"peers"`       // addresses or ranges that may connect; none = this machine
	Trusted     []string      `yaml:"trusted"`     // peers whose Authentication-Results count; from others the field is taken out
	Certificate string        `yaml:"certificate"` // PEM file for STARTTLS; "" = not offered
	Key         Secret        `yaml:"key"`         // PEM, of the certificate
	RequireTLS  bool          `yaml:"require_tls"` // no mail without STARTTLS
	Connections int           `yaml:"connections"` // at once; 0 = 50
	PerPeer     int           `yaml:"per_peer"`    // of them from one address; 0 = 20
	Recipients  int           `yaml:"recipients"`  // of one mail; 0 = 100
	Mails       int           `yaml:"mails"`       // over one connection; 0 = 1000
	Timeout     time.Duration `yaml:"timeout"`     // for the next command, and for one mail's data; 0 = 5m
}

// WithDefaults fills in what is not set.
func (c MailReceiver) WithDefaults() MailReceiver {
	if c.Listen == "" {
		return c
	}
	c.Protocol = cmp.Or(c.Protocol, ReceiveLMTP)
	c.Connections, c.PerPeer = cmp.Or(c.Connections, 50), cmp.Or(c.PerPeer, 20)
	c.Recipients, c.Mails = cmp.Or(c.Recipients, 100), cmp.Or(c.Mails, 1000)
	c.Timeout = cmp.Or(c.Timeout, 5*time.Minute)
	if len(c.Peers) == 0 {
		c.Peers = []string{"127.0.0.0/8", "::1"}
	}
	return c
}

// Check refuses what means nothing.
func (c MailReceiver) Check() error {
	const key = "mail_in.receiver"
	if c.Listen == "" {
		if len(c.Peers) > 0 || c.Certificate != "" || c.Protocol != "" {
			return errors.New(key + ".listen is missing")
		}
		return nil
	}
	if err := listenAddress(key+".listen", c.Listen); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(c.Listen)
	c = c.WithDefaults()
	switch {
	case !c.Public && !loopbackHost(host):
		return fmt.Errorf("%s.listen: %s can be reached from other machines; public: true says that this is meant", key, c.Listen)
	case c.Protocol != ReceiveLMTP && c.Protocol != ReceiveSMTP:
		return fmt.Errorf("%s.protocol is %s or %s", key, ReceiveLMTP, ReceiveSMTP)
	case (c.Certificate == "") != (c.Key == Secret{}):
		return fmt.Errorf("%s: certificate and key belong together", key)
	case c.RequireTLS && c.Certificate == "":
		return fmt.Errorf("%s.require_tls needs a certificate", key)
	case c.Connections < 1 || c.Connections > 10000:
		return fmt.Errorf("%s.connections is 1 to 10000", key)
	case c.PerPeer < 1 || c.PerPeer > 10000:
		return fmt.Errorf("%s.per_peer is 1 to 10000", key)
	case c.Recipients < 1 || c.Recipients > 10000:
		return fmt.Errorf("%s.recipients is 1 to 10000", key)
	case c.Mails < 1 || c.Mails > 1000000:
		return fmt.Errorf("%s.mails is 1 to 1000000", key)
	case c.Timeout < time.Second || c.Timeout > time.Hour:
		return fmt.Errorf("%s.timeout is 1s to 1h", key)
	case strings.ContainsFunc(c.Name, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return fmt.Errorf("%s.name is a host name", key)
	}
	return errors.Join(ranges(key+".peers", c.Peers), ranges(key+".trusted", c.Trusted))
}

// loopbackHost tells whether a host's name can only mean this machine.
func loopbackHost(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}
