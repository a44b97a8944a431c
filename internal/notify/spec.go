package notify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"casemate/internal/config"
	"casemate/internal/guard"
)

// Kinds of providers.
const (
	KindSMTP = "smtp" // a mail server
	KindSMPP = "smpp" // a text message centre
	KindHTTP = "http" // a text message gateway
)

// Where a provider is set up.
const (
	SourceFile = "file" // the server's own file: read-only here
	SourceDesk = "desk" // administrators, here or by configuration as code
)

// Names of secrets.
const (
	SecretPassword = "password"
	SecretDKIM     = "dkim_key"
	SecretToken    = "secret"
	SecretReceipt  = "receipt_secret"
)

// slots are the secrets that providers of a kind may have.
var slots = map[string][]string{
	KindSMTP: {SecretPassword, SecretDKIM},
	KindSMPP: {SecretPassword},
	KindHTTP: {SecretToken, SecretReceipt},
}

// Spec is a provider as it is set up. Of the three settings there is the one of
// its kind. Keys are those of the wire and of files.
type Spec struct {
	Name   string // as the ledger calls it; never changes
	Kind   string
	Source string
	Off    bool
	Place
	SMTP *SMTPSettings
	SMPP *SMPPSettings
	HTTP *HTTPSettings

	Secrets []string // names of those that are set; what they are is never told
	Version int64    // grows with each change; 0 = of the server's file
	Created int64    // milliseconds UTC, 0 = of the server's file
	Changed int64
	Actor   string // who changed it last

	sealed map[string]string
}

// Way is what the provider takes.
func (s Spec) Way() Way {
	if s.Kind == KindSMTP {
		return Mail
	}
	return SMS
}

// SMTPSettings are a mail server's; see config.SMTP. Times are seconds.
type SMTPSettings struct {
	Host         string `json:"host" yaml:"host"`
	Port         int    `json:"port,omitempty" yaml:"port,omitempty"` // 0 = by tls
	TLS          string `json:"tls" yaml:"tls"`
	User         string `json:"user,omitempty" yaml:"user,omitempty"`
	From         string `json:"from" yaml:"from"`
	CA           string `json:"ca,omitempty" yaml:"ca,omitempty"` // PEM, instead of the system's
	Hello        string `json:"hello,omitempty" yaml:"hello,omitempty"`
	Timeout      int    `json:"timeout_seconds,omitempty" yaml:"timeout_seconds,omitempty"` // 0 = 15
	Price        int64  `json:"price,omitempty" yaml:"price,omitempty"`
	DKIMDomain   string `json:"dkim_domain,omitempty" yaml:"dkim_domain,omitempty"`
	DKIMSelector string `json:"dkim_selector,omitempty" yaml:"dkim_selector,omitempty"`
	PoolIdle     int    `json:"pool_idle_seconds,omitempty" yaml:"pool_idle_seconds,omitempty"` // 0 = 10, -1 = none are kept
	PoolMails    int    `json:"pool_mails,omitempty" yaml:"pool_mails,omitempty"`               // 0 = 50
	Bounce       string `json:"bounce,omitempty" yaml:"bounce,omitempty"`
}

// SMPPSettings are a text message centre's; see config.SMPP.
type SMPPSettings struct {
	Address     string           `json:"address" yaml:"address"`
	TLS         bool             `json:"tls,omitempty" yaml:"tls,omitempty"`
	CA          string           `json:"ca,omitempty" yaml:"ca,omitempty"`
	SystemID    string           `json:"system_id" yaml:"system_id"`
	SystemType  string           `json:"system_type,omitempty" yaml:"system_type,omitempty"`
	Sender      string           `json:"sender,omitempty" yaml:"sender,omitempty"` // the server's file says source
	SenderTON   *int             `json:"sender_ton,omitempty" yaml:"sender_ton,omitempty"`
	SenderNPI   *int             `json:"sender_npi,omitempty" yaml:"sender_npi,omitempty"`
	EnquireLink int              `json:"enquire_link_seconds,omitempty" yaml:"enquire_link_seconds,omitempty"` // 0 = 30
	Window      int              `json:"window,omitempty" yaml:"window,omitempty"`                             // 0 = 10
	Recipient   []string         `json:"recipient,omitempty" yaml:"recipient,omitempty"`
	Prices      map[string]int64 `json:"prices,omitempty" yaml:"prices,omitempty"`
}

// HTTPSettings are a gateway's; see config.SMSGateway.
type HTTPSettings struct {
	URL        string            `json:"url" yaml:"url"`
	Method     string            `json:"method,omitempty" yaml:"method,omitempty"` // "" = POST
	Headers    map[string]string `json:"headers,omitempty" yaml:"headers,omitempty"`
	Body       string            `json:"body,omitempty" yaml:"body,omitempty"`
	Form       bool              `json:"form,omitempty" yaml:"form,omitempty"`
	Success    *Condition        `json:"success,omitempty" yaml:"success,omitempty"`
	Refused    *Condition        `json:"refused,omitempty" yaml:"refused,omitempty"`
	ProviderID string            `json:"provider_id,omitempty" yaml:"provider_id,omitempty"`
	CA         string            `json:"ca,omitempty" yaml:"ca,omitempty"`
	Prices     map[string]int64  `json:"prices,omitempty" yaml:"prices,omitempty"`
	Receipt    *ReceiptSettings  `json:"receipt,omitempty" yaml:"receipt,omitempty"`
}

// Condition is config.Condition.
type Condition struct {
	Path   string   `json:"path" yaml:"path"`
	Values []string `json:"values" yaml:"values"`
}

// ReceiptSettings are config.Receipt without its secret.
type ReceiptSettings struct {
	Check     string   `json:"check" yaml:"check"`
	Header    string   `json:"header,omitempty" yaml:"header,omitempty"`
	URL       string   `json:"url,omitempty" yaml:"url,omitempty"`
	ID        string   `json:"id,omitempty" yaml:"id,omitempty"`
	State     string   `json:"state" yaml:"state"`
	Error     string   `json:"error,omitempty" yaml:"error,omitempty"`
	Delivered []string `json:"delivered,omitempty" yaml:"delivered,omitempty"`
	Failed    []string `json:"failed,omitempty" yaml:"failed,omitempty"`
	Recipient []string `json:"recipient,omitempty" yaml:"recipient,omitempty"`
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func (m SMTPSettings) config(name string) config.SMTP {
	return config.SMTP{Name: name, Host: m.Host, Port: m.Port, TLS: m.TLS, User: m.User, From: m.From, Hello: m.Hello, Timeout: seconds(m.Timeout), Price: m.Price,
		DKIM: config.DKIM{Domain: m.DKIMDomain, Selector: m.DKIMSelector}, Pool: config.MailPool{Idle: seconds(m.PoolIdle), Mails: m.PoolMails}, Bounce: m.Bounce}
}

func smtpSettings(c config.SMTP) *SMTPSettings {
	return &SMTPSettings{Host: c.Host, Port: c.Port, TLS: cmp.Or(c.TLS, config.TLSStart), User: c.User, From: c.From, Hello: c.Hello, Timeout: int(c.Timeout / time.Second), Price: c.Price,
		DKIMDomain: c.DKIM.Domain, DKIMSelector: c.DKIM.Selector, PoolIdle: int(c.Pool.Idle / time.Second), PoolMails: c.Pool.Mails, Bounce: c.Bounce}
}

func (m SMPPSettings) config(name string) config.SMPP {
	return config.SMPP{Name: name, Address: m.Address, TLS: m.TLS, SystemID: m.SystemID, SystemType: m.SystemType, Source: m.Sender, SourceTON: m.SenderTON, SourceNPI: m.SenderNPI,
		EnquireLink: seconds(m.EnquireLink), Window: m.Window, Recipient: m.Recipient, Prices: m.Prices}
}

func smppSettings(c config.SMPP) *SMPPSettings {
	return &SMPPSettings{Address: c.Address, TLS: c.TLS, SystemID: c.SystemID, SystemType: c.SystemType, Sender: c.Source, SenderTON: c.SourceTON, SenderNPI: c.SourceNPI,
		EnquireLink: int(c.EnquireLink / time.Second), Window: c.Window, Recipient: c.Recipient, Prices: c.Prices}
}

func (m HTTPSettings) config(name string) config.SMSGateway {
	c := config.SMSGateway{Name: name, URL: m.URL, Method: m.Method, Headers: m.Headers, Body: m.Body, Form: m.Form, ProviderID: m.ProviderID, Prices: m.Prices}
	if m.Success != nil {
		c.Success = config.Condition(*m.Success)
	}
	if m.Refused != nil {
		c.Refused = config.Condition(*m.Refused)
	}
	if r := m.Receipt; r != nil {
		c.Receipt = config.Receipt{Check: r.Check, Header: r.Header, URL: r.URL, ID: r.ID, State: r.State, Error: r.Error, Delivered: r.Delivered, Failed: r.Failed, Recipient: r.Recipient}
	}
	return c
}

func httpSettings(c config.SMSGateway) *HTTPSettings {
	out := &HTTPSettings{URL: c.URL, Method: c.Method, Headers: maps.Clone(c.Headers), Body: c.Body, Form: c.Form, ProviderID: c.ProviderID, Prices: c.Prices}
	for name := range out.Headers {
		// The file may hold more than placeholders: nobody checks it for secrets.
		out.Headers[name] = "***"
	}
	if asks(c.Success) {
		out.Success = &Condition{c.Success.Path, c.Success.Values}
	}
	if asks(c.Refused) {
		out.Refused = &Condition{c.Refused.Path, c.Refused.Values}
	}
	if r := c.Receipt; r.State != "" {
		out.Receipt = &ReceiptSettings{cmp.Or(r.Check, config.ReceiptBody), r.Header, r.URL, r.ID, r.State, r.Error, r.Delivered, r.Failed, r.Recipient}
	}
	return out
}

// made is a provider's channel, and the price of one part.
type made struct {
	Channel
	price func(to string) int64
	from  string // of mails
	verp  string // pattern of their envelope's sender, "" = they hold no id
}

// make builds the channel of a provider that was set up at the desk.
func (s Spec) make(product string, log *slog.Logger, walls guard.Guard, secrets map[string]string) (made, error) {
	in := secretsOf{walls: &walls, key: secrets[SecretDKIM], receipt: secrets[SecretReceipt]}
	var err error
	switch {
	case s.Kind == KindSMTP && s.SMTP != nil:
		in.secret = secrets[SecretPassword]
		if in.roots, err = certificates(s.SMTP.CA); err != nil {
			return made{}, fmt.Errorf("ca: %w", err)
		}
		c, err := newSMTP(s.SMTP.config(s.Name), product, in)
		price := s.SMTP.Price
		return made{c, func(string) int64 { return price }, s.SMTP.From, s.SMTP.Bounce}, err
	case s.Kind == KindSMPP && s.SMPP != nil:
		in.secret = secrets[SecretPassword]
		if in.roots, err = certificates(s.SMPP.CA); err != nil {
			return made{}, fmt.Errorf("ca: %w", err)
		}
		c, err := newSMPP(s.SMPP.config(s.Name), log, in)
		return made{Channel: c, price: byArea(s.SMPP.Prices)}, err
	case s.Kind == KindHTTP && s.HTTP != nil:
		in.secret = secrets[SecretToken]
		if in.roots, err = certificates(s.HTTP.CA); err != nil {
			return made{}, fmt.Errorf("ca: %w", err)
		}
		c := s.HTTP.config(s.Name)
		if s.HTTP.Receipt == nil {
			in.receipt = "" // one that is left over opens nothing
		}
		if err := checkReceipt(c.Receipt, in.receipt != "", in.receipt); err != nil {
			return made{}, fmt.Errorf("receipt: %w", err)
		}
		g, err := newGateway(c, in)
		return made{Channel: g, price: byArea(s.HTTP.Prices)}, err
	}
	return made{}, fmt.Errorf("a provider of kind %q is not known", s.Kind)
}

// settings are the settings of the kind, as they are stored.
func (s Spec) settings() (string, error) {
	var v any
	switch s.Kind {
	case KindSMTP:
		v = s.SMTP
	case KindSMPP:
		v = s.SMPP
	default:
		v = s.HTTP
	}
	text, err := json.Marshal(v)
	return string(text), err
}

// read takes settings and sealed secrets as they are stored.
func (s *Spec) read(settings, secrets string) error {
	var v any
	switch s.Kind {
	case KindSMTP:
		s.SMTP = new(SMTPSettings)
		v = s.SMTP
	case KindSMPP:
		s.SMPP = new(SMPPSettings)
		v = s.SMPP
	default:
		s.HTTP = new(HTTPSettings)
		v = s.HTTP
	}
	if err := json.Unmarshal([]byte(settings), v); err != nil {
		return fmt.Errorf("provider %s: %w", s.Name, err)
	}
	if err := json.Unmarshal([]byte(secrets), &s.sealed); err != nil {
		return fmt.Errorf("provider %s: %w", s.Name, err)
	}
	s.Secrets = slices.Sorted(maps.Keys(s.sealed))
	return nil
}
