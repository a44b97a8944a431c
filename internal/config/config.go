// Package config is the shape of Casemate's configuration: one struct, one
// name for file and environment, every zero value usable. Each noun's part is
// in a file named after it.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// Config is the whole configuration, as the file given by --config holds it.
type Config struct {
	Errors         Errors        `yaml:"errors"`
	TrustedProxies []string      `yaml:"trusted_proxies"` // addresses or ranges whose X-Forwarded-For counts
	Metrics        string        `yaml:"metrics"`         // listen address of the metrics page, "" = none
	Notify         Notify        `yaml:"notify"`
	Verify         Verify        `yaml:"verify"`
	Ticket         Ticket        `yaml:"ticket"`
	Teamwork       Teamwork      `yaml:"teamwork"`
	Webhooks       Webhooks      `yaml:"webhooks"`
	Diagnose       Diagnose      `yaml:"diagnose"`
	Authorization  Authorization `yaml:"authorization"`
	Attachment     Attachment    `yaml:"attachment"`
	Identity       Identity      `yaml:"identity"`
	Queue          Queue         `yaml:"queue"`
	Automation     Automation    `yaml:"automation"`
	MailIn         MailIn        `yaml:"mail_in"`
	Report         Report        `yaml:"report"`
	Drain          time.Duration `yaml:"drain"`     // how long answers say Connection: close before the listener closes; 0 = 5s
	Heartbeat      time.Duration `yaml:"heartbeat"` // between two signs of life of a live stream; 0 = 15s, 1s to 60s
}

// Errors is how errors look on the wire.
type Errors struct {
	// BusinessStatus is real (the default: business errors have 4xx or 5xx) or
	// documented (they have 200, as the vendor's table says; semantics.md D1).
	BusinessStatus string `yaml:"business_status"`
}

// Documented tells which of the two modes is on.
func (e Errors) Documented() bool { return e.BusinessStatus == "documented" }

// Load reads a configuration file; "" gives the defaults. An unknown key or a
// value that is not of its key's form is an error that names the line, one that
// means nothing an error that names the key.
func Load(path string) (Config, error) {
	var c Config
	if path == "" {
		return c, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return c, fmt.Errorf("%s: no UTF-8 text, so no configuration file", path)
	}
	if err := checkForms(text); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text), yaml.DisallowUnknownField())
	if err := d.Decode(&c); err != nil && len(bytes.TrimSpace(text)) > 0 {
		// Without the lines of the file: one may hold a password written at the wrong place.
		return c, fmt.Errorf("%s: %s", path, inLine(yaml.FormatError(err, false, false)))
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// The decoder's words for what is no broken YAML, with line and column in front.
var (
	unknown = regexp.MustCompile(`^\[(\d+):\d+\] unknown field (".*")`)
	twice   = regexp.MustCompile(`^\[(\d+):\d+\] mapping key (".*") already defined at \[(\d+):\d+\]`)
)

// inLine is what the decoder says, where it can be in the words of checkForms.
func inLine(why string) string {
	return twice.ReplaceAllString(unknown.ReplaceAllString(why, "line $1: unknown key $2"), "line $1: the key $2 is there twice, first in line $3")
}

func (c Config) check() error {
	switch c.Errors.BusinessStatus {
	case "", "real", "documented":
	default:
		return errors.New("errors.business_status is real or documented")
	}
	if c.Drain < 0 {
		return errors.New("drain cannot be negative")
	}
	if c.Heartbeat != 0 && (c.Heartbeat < time.Second || c.Heartbeat > time.Minute) {
		return errors.New("heartbeat is 1s to 60s")
	}
	all := []error{listenAddress("metrics", c.Metrics), ranges("trusted_proxies", c.TrustedProxies), ranges("webhooks.allow", c.Webhooks.Allow), ranges("notify.allow", c.Notify.Allow),
		c.Notify.Check(), c.Verify.Check(), c.Ticket.Check(), c.Teamwork.Check(), c.Diagnose.Check(), ranges("diagnose.allow", c.Diagnose.Allow),
		c.Authorization.Check(), ranges("authorization.check_hosts.allow", c.Authorization.CheckHosts.Allow), c.Attachment.Check(), c.Identity.Check(), c.Queue.Check(), c.Automation.Check(), c.MailIn.Check()}
	for i, g := range c.Notify.SMS {
		all = append(all, ranges(fmt.Sprintf("notify.sms[%d].allow", i), g.Allow))
	}
	for _, p := range c.Identity.Providers {
		all = append(all, ranges(fmt.Sprintf("identity.providers %q: allow", p.ID), p.Allow))
	}
	return errors.Join(all...)
}

// DefaultDrain is how long a node that stops still takes requests.
const DefaultDrain = 5 * time.Second

// DefaultHeartbeat is how far the signs of life of a live stream are apart.
const DefaultHeartbeat = 15 * time.Second

// WithDefaults fills in what is not set, as an installation that is no demo has
// it in force.
func (c Config) WithDefaults() Config {
	if c.Errors.BusinessStatus == "" {
		c.Errors.BusinessStatus = "real"
	}
	if c.Drain == 0 {
		c.Drain = DefaultDrain
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = DefaultHeartbeat
	}
	c.Notify.Product, c.Notify.Keep = c.Notify.ProductName(), c.Notify.LedgerAge()
	c.Verify, c.Ticket, c.Diagnose = c.Verify.WithDefaults(), c.Ticket.WithDefaults(), c.Diagnose.WithDefaults()
	c.Authorization, c.Attachment = c.Authorization.WithDefaults(), c.Attachment.WithDefaults()
	c.Identity = c.Identity.WithDefaults()
	c.Queue = c.Queue.WithDefaults()
	c.Automation = c.Automation.WithDefaults()
	c.MailIn = c.MailIn.WithDefaults()
	return c
}

// Show is the settings in force, defaults filled in, as a file would hold them.
func (c Config) Show() ([]byte, error) { return yaml.Marshal(c.WithDefaults()) }
