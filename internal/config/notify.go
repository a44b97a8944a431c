package config

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"
)

// Notify is how mails and text messages leave. Without providers nothing
// leaves, and what would need it is refused with a text that says so.
type Notify struct {
	Product string        `yaml:"product"` // name of the service in texts and sender names; "" = Casemate
	Mail    []SMTP        `yaml:"mail"`    // in order of preference: the next one is tried when one fails
	SMS     []SMSGateway  `yaml:"sms"`     // likewise
	URL     string        `yaml:"url"`     // address of this installation as recipients reach it, for links in mails; "" = no links
	SMPP    []SMPP        `yaml:"smpp"`    // text message centres by SMPP 3.4, after those of SMS unless their order says otherwise
	Returns Returns       `yaml:"returns"` // the mailbox that bounces come to
	Allow   []string      `yaml:"allow"`   // address ranges that providers set up at the desk may reach although they are not public, and over http
	Keep    time.Duration `yaml:"keep"`    // how long the ledger of deliveries is kept; 0 = 2160h (90 days)
}

// ProductName is the product's name in texts.
func (n Notify) ProductName() string {
	if n.Product == "" {
		return "Casemate"
	}
	return n.Product
}

// Check refuses an address that links cannot begin with.
func (n Notify) Check() error {
	if n.URL == "" {
		return nil
	}
	u, err := url.Parse(n.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || len(n.URL) > 200 {
		return errors.New("notify.url is an address such as https://desk.example.com")
	}
	return nil
}

// LedgerAge is how long the ledger is kept.
func (n Notify) LedgerAge() time.Duration {
	if n.Keep <= 0 {
		return 90 * 24 * time.Hour
	}
	return n.Keep
}

// Modes of TLS towards a mail server.
const (
	TLSStart         = "starttls"      // the default: STARTTLS or nothing is sent
	TLSImplicit      = "implicit"      // TLS from the first byte, usually on port 465
	TLSOpportunistic = "opportunistic" // STARTTLS when it is offered; no credentials without it
	TLSNone          = "none"          // clear text, without credentials
)

// SMTP is a mail server that takes our mails.
type SMTP struct {
	Name     string        `yaml:"name"` // in the ledger; "" = host
	Host     string        `yaml:"host"`
	Port     int           `yaml:"port"` // 0 = 587, with implicit TLS 465, with none 25
	TLS      string        `yaml:"tls"`  // starttls (default), implicit, opportunistic, none
	User     string        `yaml:"user"` // "" = no authentication
	Password Secret        `yaml:"password"`
	From     string        `yaml:"from"`    // address, with or without a name
	CAFile   string        `yaml:"ca_file"` // certificates to trust instead of the system's
	Hello    string        `yaml:"hello"`   // name given in EHLO; "" = the host's
	Timeout  time.Duration `yaml:"timeout"` // of one delivery; 0 = 15s
	Order    int           `yaml:"order"`   // smaller ones are asked first
	Weight   int           `yaml:"weight"`  // share among equal orders; without order and weight: in the order of the file
	Price    int64         `yaml:"price"`   // of one mail, in thousandths of your currency
	DKIM     DKIM          `yaml:"dkim"`    // signs mails
	Pool     MailPool      `yaml:"pool"`    // connections kept for the next mail
	// Bounce is the address that bounces go to (the envelope's sender); {id} in it
	// becomes the message's id. "" = From.
	Bounce string `yaml:"bounce"`
}

// Returns is the mailbox that bounces come to, read by IMAP. Bounces about
// our mails are moved or deleted, all other mails are left as they are.
type Returns struct {
	Host     string        `yaml:"host"` // "" = no mailbox is read
	Port     int           `yaml:"port"` // 0 = 993, with starttls 143
	TLS      string        `yaml:"tls"`  // implicit (default), starttls; none on loopback only
	CAFile   string        `yaml:"ca_file"`
	User     string        `yaml:"user"`
	Password Secret        `yaml:"password"`
	Mailbox  string        `yaml:"mailbox"` // "" = INBOX
	Move     string        `yaml:"move"`    // mailbox that handled bounces are moved to; "" = they are deleted
	Every    time.Duration `yaml:"every"`   // 0 = 1m, at least 10s
}

// DKIM is the key that signs mails (RFC 6376). Without a selector they are not
// signed.
type DKIM struct {
	Domain   string `yaml:"domain"` // "" = that of From
	Selector string `yaml:"selector"`
	Key      Secret `yaml:"key"` // PEM: RSA of 1024 bits or more, or Ed25519 (PKCS #8)
}

// MailPool bounds how long a connection to a mail server is kept.
type MailPool struct {
	Idle  time.Duration `yaml:"idle"`  // without a mail; 0 = 10s, negative = a connection for each mail
	Mails int           `yaml:"mails"` // over one connection; 0 = 50
}

// SMSGateway is an HTTP interface that sends text messages. URL, header values
// and body hold placeholders: {to} +8613800138000, {number} 8613800138000,
// {area} 86, {national} 13800138000, {text}, {code}, {template}, {language},
// {id} (the same at every repeat of one message) and {secret}; {nonce},
// {created} and {digest} (base64 of SHA-256 over nonce, created and secret) of
// the request, as WSSE wants them; {receipt} for the link of Receipt. Values are
// escaped for the place they stand in.
type SMSGateway struct {
	Name       string            `yaml:"name"` // in the ledger; "" = host of the URL
	URL        string            `yaml:"url"`
	Method     string            `yaml:"method"` // "" = POST
	Headers    map[string]string `yaml:"headers"`
	Body       string            `yaml:"body"`
	Form       bool              `yaml:"form"` // the body is a form; else JSON
	Secret     Secret            `yaml:"secret"`
	Success    Condition         `yaml:"success"`     // demanded beside a 2xx status
	Refused    Condition         `yaml:"refused"`     // means: never again for this number
	ProviderID string            `yaml:"provider_id"` // path of the gateway's own id in its JSON answer, e.g. data.id
	Allow      []string          `yaml:"allow"`       // address ranges that may be reached although they are not public; http is allowed to them
	CAFile     string            `yaml:"ca_file"`
	Order      int               `yaml:"order"`  // as of mail servers
	Weight     int               `yaml:"weight"` // likewise
	Prices     map[string]int64  `yaml:"prices"` // of one part by calling code, in thousandths; "*" = all others
	Receipt    Receipt           `yaml:"receipt"`
}

// Ways to tell that a receipt is the gateway's.
const (
	ReceiptBody   = "body"   // the default: HMAC-SHA256 over the raw body in a header, hex or base64
	ReceiptTwilio = "twilio" // X-Twilio-Signature, by Twilio's rules
	ReceiptLink   = "link"   // the address we gave with the message ends in ?{receipt}, which nobody else can make
)

// Receipt is how a gateway tells later what became of a message: it posts JSON
// or a form to /notify/v1/receipts/ and its name.
type Receipt struct {
	Check     string   `yaml:"check"`  // body (default), twilio, link; nothing is taken without a secret
	Secret    Secret   `yaml:"secret"` // shared with the gateway; of links, anything only we know
	Header    string   `yaml:"header"` // holds the signature (check: body); a prefix such as sha256= is left out
	URL       string   `yaml:"url"`    // the address as the gateway calls it (check: twilio)
	ID        string   `yaml:"id"`     // path of the gateway's id of the message, as in provider_id; of links it may be absent
	State     string   `yaml:"state"`  // path of what became of it
	Error     string   `yaml:"error"`  // path of a code that says why, "" = none
	Delivered []string `yaml:"delivered"`
	Failed    []string `yaml:"failed"`
	Recipient []string `yaml:"recipient"` // states or errors of those that failed that mean: no such number
}

// Condition holds when the JSON answer has one of the values at the path. The
// zero value asks nothing.
type Condition struct {
	Path   string   `yaml:"path"` // e.g. result.code
	Values []string `yaml:"values"`
}

// Secret says where a secret is read from; it never stands in the file.
type Secret struct {
	Env  string `yaml:"env,omitempty"`  // name of an environment variable
	File string `yaml:"file,omitempty"` // path; trailing line ends are cut off
}

// Read reads the secret. The zero value is the empty secret.
func (s Secret) Read() (string, error) {
	switch {
	case s.Env != "" && s.File != "":
		return "", errors.New("a secret comes from env or from file, not both")
	case s.Env != "":
		v, ok := os.LookupEnv(s.Env)
		if !ok {
			return "", fmt.Errorf("environment variable %s is not set", s.Env)
		}
		return v, nil
	case s.File != "":
		text, err := os.ReadFile(s.File)
		if err != nil {
			return "", err
		}
		return strings.TrimRight(string(text), "\r\n"), nil
	}
	return "", nil
}
